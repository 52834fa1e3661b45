//! One reader per tenant with listeners: reads the log when it grows and hands each event to all of them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hrms_core::event::{Event, EventFrame};
use hrms_core::{CommonError, Hrms, TenantId};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{Mutex, broadcast};
use tokio::time::MissedTickBehavior;
use tokio_tungstenite::tungstenite::Utf8Bytes;

/// Events that a slow listener may be behind; then it has to come again.
const BACKLOG: usize = 1024;

/// How often the log is looked at without a wake-up: other nodes write it too, and a wake-up may be lost.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Events read at once.
const BATCH: u16 = 200;

/// An event and its frame, written once for all listeners.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) event: Event,
    pub(super) frame: Utf8Bytes,
}

impl Delivery {
    fn new(tenant: TenantId, event: Event) -> Result<Self, serde_json::Error> {
        let frame = serde_json::to_string(&EventFrame::new(tenant, &event))?.into();
        Ok(Self { event, frame })
    }
}

type Sender = broadcast::Sender<Arc<Delivery>>;

/// The readers of this process.
#[derive(Debug, Default)]
pub(super) struct Hub(Mutex<HashMap<TenantId, Sender>>);

impl Hub {
    /// Subscribes to a tenant's events behind a position in its log, or from now on.
    pub(super) async fn subscribe(
        self: &Arc<Self>,
        hrms: &Hrms,
        tenant: TenantId,
        after: Option<i64>,
    ) -> Result<Subscription, CommonError> {
        // Held while the log is asked, so that a tenant never gets two readers.
        let mut readers = self.0.lock().await;
        let (live, last) = match readers.get(&tenant) {
            Some(sender) => {
                let live = sender.subscribe();
                // Asked after subscribing: what comes later comes live.
                (live, hrms.events().last(tenant).await?)
            }
            None => {
                let wakes = hrms.bus().listen();
                let last = hrms.events().last(tenant).await?;
                let (sender, live) = broadcast::channel(BACKLOG);
                readers.insert(tenant, sender.clone());
                let reader = Reader { hub: Arc::clone(self), hrms: hrms.clone(), tenant, sender, last };
                tokio::spawn(reader.run(wakes));
                (live, last)
            }
        };
        drop(readers);
        let missed = after.is_some_and(|after| after < last);
        Ok(Subscription {
            hrms: hrms.clone(),
            tenant,
            live,
            position: after.unwrap_or(last),
            missed,
            overrun: false,
            replay: Vec::new(),
        })
    }
}

struct Reader {
    hub: Arc<Hub>,
    hrms: Hrms,
    tenant: TenantId,
    sender: Sender,
    last: i64,
}

impl Reader {
    async fn run(mut self, mut wakes: broadcast::Receiver<TenantId>) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = look.tick() => {}
                woken = wakes.recv() => match woken {
                    Ok(tenant) if tenant != self.tenant => continue,
                    Err(RecvError::Closed) => return,
                    // Lagging means that there was a lot to do, maybe for us.
                    Ok(_) | Err(RecvError::Lagged(_)) => {}
                },
            }
            if let Err(error) = self.pass_on().await {
                // The next look tries again.
                tracing::warn!(tenant = %self.tenant, %error, "can't read the event log");
            }
            let mut readers = self.hub.0.lock().await;
            if self.sender.receiver_count() == 0 {
                readers.remove(&self.tenant);
                return;
            }
        }
    }

    async fn pass_on(&mut self) -> Result<(), CommonError> {
        loop {
            let events = self.hrms.events().after(self.tenant, self.last, BATCH).await?;
            let more = events.len() == usize::from(BATCH);
            for event in events {
                self.last = event.sequence;
                let delivery = Arc::new(Delivery::new(self.tenant, event)?);
                // No receivers is not an error: they have just gone.
                let _ = self.sender.send(delivery);
            }
            if !more {
                return Ok(());
            }
        }
    }
}

/// A listener's place in a tenant's log: every event behind it, once and in order.
#[derive(Debug)]
pub(super) struct Subscription {
    hrms: Hrms,
    tenant: TenantId,
    live: broadcast::Receiver<Arc<Delivery>>,
    /// Everything up to here was handed out.
    position: i64,
    /// Whether the log has events behind the position that won't come live.
    missed: bool,
    /// Whether live events went by that this listener was too slow for.
    overrun: bool,
    /// Read from the log and not handed out yet, last one first.
    replay: Vec<Arc<Delivery>>,
}

/// Why a subscription ends.
#[derive(Debug)]
pub(super) enum Ended {
    /// The listener is too far behind.
    TooSlow,
    /// The log can't be read.
    Failed(CommonError),
}

impl Subscription {
    /// The next event. Cancelling the wait loses nothing.
    pub(super) async fn next(&mut self) -> Result<Arc<Delivery>, Ended> {
        loop {
            if let Some(delivery) = self.ready() {
                return Ok(delivery);
            }
            if self.overrun {
                return Err(Ended::TooSlow);
            }
            if self.missed {
                self.read_missed().await?;
                continue;
            }
            match self.live.recv().await {
                Ok(delivery) => {
                    if let Some(delivery) = self.in_turn(delivery) {
                        return Ok(delivery);
                    }
                }
                Err(RecvError::Lagged(_)) => self.overrun = true,
                Err(RecvError::Closed) => return Err(Ended::Failed(CommonError::Busy)),
            }
        }
    }

    /// The next event, if it is there without waiting for it.
    pub(super) fn ready(&mut self) -> Option<Arc<Delivery>> {
        if let Some(delivery) = self.replay.pop() {
            self.position = delivery.event.sequence;
            return Some(delivery);
        }
        while !self.missed && !self.overrun {
            match self.live.try_recv() {
                Ok(delivery) => {
                    if let Some(delivery) = self.in_turn(delivery) {
                        return Some(delivery);
                    }
                }
                Err(TryRecvError::Lagged(_)) => self.overrun = true,
                // Whoever waits for the next one sees that nobody reads the log any more.
                Err(TryRecvError::Empty | TryRecvError::Closed) => return None,
            }
        }
        None
    }

    /// A live event, unless it was handed out before or others come before it.
    fn in_turn(&mut self, delivery: Arc<Delivery>) -> Option<Arc<Delivery>> {
        let sequence = delivery.event.sequence;
        if sequence <= self.position {
            return None;
        }
        if sequence > self.position.saturating_add(1) {
            // Sequence numbers have no gaps, so something went by before we subscribed.
            self.missed = true;
            return None;
        }
        self.position = sequence;
        Some(delivery)
    }

    async fn read_missed(&mut self) -> Result<(), Ended> {
        let events =
            self.hrms.events().after(self.tenant, self.position, BATCH).await.map_err(Ended::Failed)?;
        self.missed = events.len() == usize::from(BATCH);
        let deliveries =
            events.into_iter().rev().map(|event| Delivery::new(self.tenant, event).map(Arc::new));
        self.replay = deliveries.collect::<Result<_, _>>().map_err(|error| Ended::Failed(error.into()))?;
        Ok(())
    }
}
