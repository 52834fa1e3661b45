//! Hints between the nodes of an installation, through the publish/subscribe of Redis (or Valkey).

use std::time::Duration;

use futures_util::StreamExt;
use hrms_core::TenantId;
use hrms_core::hint::{Fanout, Hint};
use hrms_core::uuid::Uuid;
use redis::aio::{ConnectionManager, ConnectionManagerConfig, PubSubSink, PubSubStream};
use redis::{Client, Msg, RedisResult};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::redis_breaker::{Breaker, PATIENCE, Trouble};
use crate::redis_limiter::RedisUrlError;

/// Hints that may wait to be passed on; with more, the oldest are worth as much as the newest, and new ones go.
const WAITING: usize = 1024;
/// Hints that are passed on at once.
const BATCH: usize = 256;
/// How often a silent connection is asked whether it is still one.
const ASK: Duration = Duration::from_secs(5);
/// How long it may take to connect, or to answer.
const CONNECT: Duration = Duration::from_secs(2);
/// How long to wait before the first attempt to connect again; doubled with each.
const AGAIN: Duration = Duration::from_millis(100);
/// The longest wait before an attempt to connect again.
const LATEST: Duration = Duration::from_secs(5);

/// Passes hints on to the other nodes. While Redis doesn't take them they are dropped: the nodes look by themselves.
#[derive(Debug)]
pub struct RedisFanout(mpsc::Sender<Hint>);

impl Fanout for RedisFanout {
    fn send(&self, hint: Hint) {
        // Full means that Redis is slow.
        let _ = self.0.try_send(hint);
    }
}

/// The other end of a [`RedisFanout`]: does the talking while it [runs](Self::run).
#[derive(Debug)]
pub struct RedisHints {
    client: Client,
    publisher: ConnectionManager,
    channels: Channels,
    /// Who we are: what we said ourselves needn't be heard again.
    node: Uuid,
    waiting: mpsc::Receiver<Hint>,
}

impl RedisFanout {
    /// Hints through `redis://…` or `unix://…`, on channels that begin with the namespace. Doesn't connect yet.
    ///
    /// `node` is any value that no other node has. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// When the address makes no sense.
    pub fn new(url: &str, namespace: &str, node: Uuid) -> Result<(Self, RedisHints), RedisUrlError> {
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            // The next hint tries again.
            .set_number_of_retries(0);
        let client = Client::open(url).map_err(RedisUrlError)?;
        let publisher =
            ConnectionManager::new_lazy_with_config(client.clone(), config).map_err(RedisUrlError)?;
        let (sender, waiting) = mpsc::channel(WAITING);
        let channels = Channels(format!("{namespace}:hints:"));
        Ok((Self(sender), RedisHints { client, publisher, channels, node, waiting }))
    }
}

impl RedisHints {
    /// Passes hints on and gives those of other nodes to `hear`, until the [`RedisFanout`] is gone.
    ///
    /// Connects again, with longer and longer pauses, whenever the connection is lost.
    pub async fn run(mut self, hear: impl Fn(Hint) + Send + Sync) {
        let listener = Listener { client: &self.client, channels: &self.channels, node: self.node };
        tokio::select! {
            () = listener.listen(hear) => {}
            () = publish(&mut self.waiting, self.publisher, &self.channels, self.node) => {}
        }
    }
}

async fn publish(
    waiting: &mut mpsc::Receiver<Hint>,
    mut publisher: ConnectionManager,
    channels: &Channels,
    node: Uuid,
) {
    let breaker = Breaker::new("other nodes hear of events and jobs when they look, a moment later");
    let mut hints = Vec::with_capacity(BATCH);
    while waiting.recv_many(&mut hints, BATCH).await > 0 {
        hints.sort_unstable();
        hints.dedup();
        let mut pipe = redis::pipe();
        for hint in hints.drain(..) {
            if let Some(channel) = channels.of(hint) {
                pipe.publish(channel, node.as_bytes().as_slice()).ignore();
            }
        }
        // The breaker says it when Redis doesn't take them.
        let _: Result<(), Trouble> = breaker.guard(pipe.query_async(&mut publisher)).await;
    }
}

struct Listener<'a> {
    client: &'a Client,
    channels: &'a Channels,
    node: Uuid,
}

impl Listener<'_> {
    async fn listen(&self, hear: impl Fn(Hint)) {
        let mut wait = AGAIN;
        loop {
            match timeout(CONNECT, self.subscribe()).await {
                Ok(Ok((sink, messages))) => {
                    tracing::info!("hears of other nodes through Redis");
                    wait = AGAIN;
                    // What was said meanwhile is lost. Events are looked for every few seconds anyway.
                    hear(Hint::Jobs);
                    self.follow(sink, messages, &hear).await;
                    tracing::warn!("lost the connection to Redis: looks for news of other nodes by itself");
                }
                Ok(Err(error)) => tracing::debug!(%error, "can't listen to Redis"),
                Err(_) => tracing::debug!("Redis doesn't answer"),
            }
            sleep(wait).await;
            wait = LATEST.min(wait.saturating_mul(2));
        }
    }

    async fn subscribe(&self) -> RedisResult<(PubSubSink, PubSubStream)> {
        let (mut sink, messages) = self.client.get_async_pubsub().await?.split();
        sink.psubscribe(self.channels.pattern()).await?;
        Ok((sink, messages))
    }

    /// Hears what comes until the connection is lost, or so silent that it doesn't even answer.
    async fn follow(&self, mut sink: PubSubSink, mut messages: PubSubStream, hear: &impl Fn(Hint)) {
        loop {
            match timeout(ASK, messages.next()).await {
                Ok(Some(message)) => self.pass_on(&message, hear),
                Ok(None) => return,
                Err(_) => match timeout(CONNECT, sink.ping::<redis::Value>()).await {
                    Ok(Ok(_)) => {}
                    Ok(Err(_)) | Err(_) => return,
                },
            }
        }
    }

    fn pass_on(&self, message: &Msg, hear: &impl Fn(Hint)) {
        if message.get_payload_bytes() != self.node.as_bytes()
            && let Some(hint) = self.channels.hint(message.get_channel_name())
        {
            hear(hint);
        }
    }
}

/// How hints are called on the wire, behind the namespace.
#[derive(Debug)]
struct Channels(String);

const JOBS: &str = "jobs";
const EVENTS: &str = "events:";

impl Channels {
    fn pattern(&self) -> String {
        format!("{}*", self.0)
    }

    fn of(&self, hint: Hint) -> Option<String> {
        match hint {
            Hint::Jobs => Some(format!("{}{JOBS}", self.0)),
            Hint::Events(tenant) => Some(format!("{}{EVENTS}{tenant}", self.0)),
            // A kind that this crate doesn't know yet.
            _ => None,
        }
    }

    fn hint(&self, channel: &str) -> Option<Hint> {
        match channel.strip_prefix(&self.0)? {
            JOBS => Some(Hint::Jobs),
            other => {
                let tenant = Uuid::try_parse(other.strip_prefix(EVENTS)?).ok()?;
                Some(Hint::Events(TenantId::from_uuid(tenant)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_say_which_hint_it_is_and_nothing_else_is_one() {
        let channels = Channels("hrms:hints:".to_owned());
        for hint in [Hint::Jobs, Hint::Events(TenantId::from_uuid(Uuid::from_u128(7)))] {
            assert_eq!(channels.hint(&channels.of(hint).unwrap()), Some(hint));
        }
        for other in ["", "hrms:hints:", "hrms:hints:events:", "hrms:hints:events:x", "other:hints:jobs"] {
            assert_eq!(channels.hint(other), None, "{other}");
        }
    }

    #[tokio::test]
    async fn a_flood_of_hints_is_dropped_and_holds_nobody_up() {
        let (fanout, hints) = RedisFanout::new("redis://localhost:1/", "hrms", Uuid::nil()).unwrap();
        for n in 0..10_000 {
            fanout.send(Hint::Events(TenantId::from_uuid(Uuid::from_u128(n))));
        }
        assert_eq!(hints.waiting.len(), WAITING);
        // Without a fanout there is nothing to do any more; unreachable as Redis is, it doesn't hang.
        drop(fanout);
        timeout(Duration::from_secs(60), hints.run(|_| {})).await.unwrap();
    }
}
