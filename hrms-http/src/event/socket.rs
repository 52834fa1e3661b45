//! One open WebSocket: passes on what its user may read, until either side has had enough.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use hrms_core::{Actor, CommonError, Hrms};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, Utf8Bytes};

use super::Credential;
use super::hub::{Delivery, Ended, Subscription};
use crate::websocket::{Socket, Stopping};

/// How often it is asked what the credential is worth. With the seconds that an answer is believed, a change of
/// rights takes effect within 5 seconds.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Events that are sent at once, at most: between them the socket is asked for its own.
const AT_ONCE: usize = 128;

/// The client reads too slowly or doesn't answer: reconnect with `since`.
pub(super) const TOO_SLOW: u16 = 4001;

/// The credential has expired or lost its worth: log in again.
pub(super) const LOG_IN_AGAIN: u16 = 4401;

/// A listener before its socket is open.
pub(super) struct Listening {
    pub(super) hrms: Hrms,
    pub(super) actor: Actor,
    pub(super) credential: Credential,
    pub(super) subscription: Subscription,
    pub(super) types: Option<Vec<String>>,
    pub(super) subject: Option<String>,
    /// How often the client is pinged; one that doesn't answer by the next ping is gone.
    pub(super) ping: Duration,
    /// How long the client may take to read one frame.
    pub(super) patience: Duration,
}

/// Why a connection is closed, as the client sees it; `None` when the client is gone already.
type Goodbye = Option<(u16, &'static str)>;

impl Listening {
    /// Serves the connection until it ends.
    ///
    /// There are thousands that do nothing most of the time: what is needed now and then only is boxed, so that the others
    /// don't have room for it.
    pub(super) async fn serve(mut self: Box<Self>, mut socket: Socket, mut stopping: Stopping) {
        let goodbye = tokio::select! {
            goodbye = self.talk(&mut socket) => goodbye,
            () = stopping.wait() => Some((CloseCode::Away.into(), "the server stops")),
        };
        if let Some((code, reason)) = goodbye {
            let frame = CloseFrame { code: CloseCode::from(code), reason: Utf8Bytes::from_static(reason) };
            // Whether the client still hears it doesn't matter any more.
            let _ = timeout(self.patience, socket.close(Some(frame))).await;
        }
    }

    async fn talk(&mut self, socket: &mut Socket) -> Goodbye {
        match self.pass_on(socket).await {
            Ok(never) => match never {},
            Err(goodbye) => goodbye,
        }
    }

    /// Passes events on for as long as there is no reason to stop.
    async fn pass_on(&mut self, socket: &mut Socket) -> Result<Infallible, Goodbye> {
        let mut ping = ticks(self.ping);
        let mut ask = ticks(ASK_EVERY);
        let mut answered = true;
        loop {
            tokio::select! {
                next = self.subscription.next() => match next {
                    Ok(delivery) => Box::pin(self.deliver(delivery, socket)).await?,
                    Err(Ended::TooSlow) => return Err(Some((TOO_SLOW, "too slow: reconnect with since"))),
                    Err(Ended::Failed(error)) => {
                        tracing::warn!(%error, "can't read the event log");
                        return Err(Some((CloseCode::Error.into(), "try again: reconnect with since")));
                    }
                },
                message = socket.next() => match message {
                    Some(Ok(Message::Pong(_) | Message::Ping(_))) => answered = true,
                    Some(Ok(Message::Text(_) | Message::Binary(_))) => {
                        return Err(Some((CloseCode::Unsupported.into(), "nothing is expected from you")));
                    }
                    _ => return Err(None),
                },
                _ = ping.tick() => {
                    if !std::mem::take(&mut answered) {
                        return Err(Some((TOO_SLOW, "no answer: reconnect with since")));
                    }
                    send(socket, Message::Ping(Bytes::new()), self.patience).await?;
                }
                _ = ask.tick() => match Box::pin(self.credential.actor()).await {
                    Ok(Some(actor)) if actor.tenant() == self.actor.tenant() => self.actor = actor,
                    Ok(_) => return Err(Some((LOG_IN_AGAIN, "log in again"))),
                    Err(error) => {
                        tracing::warn!(%error, "can't ask what a credential is worth");
                        return Err(Some((CloseCode::Again.into(), "try again: reconnect with since")));
                    }
                },
            }
        }
    }

    /// Sends an event and those that are ready behind it, all at once.
    async fn deliver(&mut self, first: Arc<Delivery>, socket: &mut Socket) -> Result<(), Goodbye> {
        let patience = self.patience;
        let send = async {
            let (mut next, mut left) = (Some(first), AT_ONCE);
            while let Some(delivery) = next {
                match self.wants(&delivery).await {
                    Ok(true) => socket.feed(Message::Text(delivery.frame.clone())).await.map_err(|_| None)?,
                    Ok(false) => {}
                    Err(error) => {
                        tracing::warn!(%error, "can't find out whether an event may be received");
                        return Err(Some((CloseCode::Again.into(), "try again: reconnect with since")));
                    }
                }
                left -= 1;
                next = if left > 0 { self.subscription.ready() } else { None };
            }
            socket.flush().await.map_err(|_| None)
        };
        timeout(patience, send).await.unwrap_or(Err(Some((TOO_SLOW, "too slow: reconnect with since"))))
    }

    async fn wants(&self, delivery: &Delivery) -> Result<bool, CommonError> {
        let event = &delivery.event;
        let asked_for = self.types.as_ref().is_none_or(|types| types.contains(&event.kind))
            && self.subject.as_ref().is_none_or(|subject| *subject == event.subject);
        Ok(asked_for && self.hrms.events().may_receive(&self.actor, event).await?)
    }
}

/// Sends one message; a client that doesn't take it in time is too slow.
async fn send(socket: &mut Socket, message: Message, patience: Duration) -> Result<(), Goodbye> {
    match timeout(patience, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(None),
        Err(_) => Err(Some((TOO_SLOW, "too slow: reconnect with since"))),
    }
}

fn ticks(every: Duration) -> tokio::time::Interval {
    let mut ticks = interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
