//! Subscribers: code of ours, or of whoever embeds this library, that does something about events.
//!
//! Each has a durable position in every tenant's log. What it writes about a batch of events and its
//! position commit together, so that each event has its effect once, in order, whatever crashes when.

use std::future::Future;

use async_trait::async_trait;
use jiff::Timestamp;

use crate::error::{CommonError, StoreError};
use crate::event::Event;
use crate::hrms::Work;
use crate::id::TenantId;
use crate::job::{EnqueueOptions, Finish, JobContext, JobError, Outcome, Requester};
use crate::policy::Permission;

/// Where in a log a subscriber begins that is new there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// Behind what had happened before it was there.
    #[default]
    End,
    /// With the first event that is still in the log.
    Beginning,
}

/// Does something about events, each once in effect and in the order of the log.
///
/// It runs as a background job named [`NAME`](Self::NAME), one per tenant at a time; retries and the state of
/// failure are the queue's. Register it with [`JobRegistry::with_subscriber`](crate::job::JobRegistry::with_subscriber).
pub trait Subscriber: Send + Sync + 'static {
    /// Stable name, unique among subscribers and kinds of jobs: its position is kept under it.
    const NAME: &'static str;

    /// Where it begins in a tenant's log that it hasn't read before.
    const START: Start = Start::End;

    /// The types of events that it is given, as in `leave_request.approved`; `None` for all.
    const TYPES: Option<&'static [&'static str]> = None;

    /// How often a batch is tried before the job counts as failed. Another one
    /// tries again within a minute, so nothing is skipped.
    const MAX_ATTEMPTS: u16 = 25;

    /// What it may do when it calls services.
    const PERMISSIONS: &'static [Permission] = &[];

    /// Whether it has anything to do in this tenant. When not, events pass by without a job, and count as read.
    fn is_needed(&self, work: &mut Work) -> impl Future<Output = Result<bool, CommonError>> + Send {
        let _ = work;
        async { Ok(true) }
    }

    /// Does it: writes through `work`, which commits with the position when this returns `Ok`.
    ///
    /// At most 200 events at a time, oldest first. What it does outside of `work` may happen again
    /// after a crash. Events that it emits come back to it later if their types are its own.
    ///
    /// # Errors
    /// Nothing is written then, and the same events come again as the error says.
    fn handle(&self, work: &mut Work, events: &[Event]) -> impl Future<Output = Result<(), JobError>> + Send;
}

/// How far a tenant's log has grown, and been told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// The sequence number of the last event; 0 when there is none.
    pub last: i64,
    /// Up to where consumers have been told.
    pub relayed: i64,
}

/// The positions of a tenant's consumers.
#[async_trait]
pub trait EventConsumers: Send {
    /// How far the log has grown, and how far consumers have been told.
    async fn growth(&mut self) -> Result<Growth, StoreError>;

    /// Where the consumers are that have begun, by name.
    async fn positions(&mut self) -> Result<Vec<(String, i64)>, StoreError>;

    /// Where a consumer is. Waits for whoever has asked this before and not ended, and makes others wait.
    async fn hold(&mut self, consumer: &str) -> Result<Option<i64>, StoreError>;

    /// Begins a consumer at a position, unless it has begun.
    async fn start(&mut self, consumer: &str, position: i64, now: Timestamp) -> Result<(), StoreError>;

    /// Moves a consumer on.
    async fn advance(&mut self, consumer: &str, position: i64, now: Timestamp) -> Result<(), StoreError>;

    /// Moves a consumer on if it is behind and nobody holds it; doesn't wait.
    async fn skip(&mut self, consumer: &str, position: i64, now: Timestamp) -> Result<(), StoreError>;

    /// Writes down that consumers have been told up to here. The log stays marked if it has grown since.
    async fn relayed(&mut self, position: i64) -> Result<(), StoreError>;
}

/// What the relay, and the keeper of the logs, need across tenants.
#[async_trait]
pub trait EventDirectory: Send + Sync {
    /// Up to `limit` tenants behind `after` whose logs have grown since their consumers were told, in order.
    async fn grown_logs(&self, after: Option<TenantId>, limit: u16) -> Result<Vec<TenantId>, StoreError>;

    /// Up to `limit` tenants behind `after` where one of these consumers hasn't read the whole log, in order.
    async fn lagging_logs(
        &self,
        consumers: &[&'static str],
        after: Option<TenantId>,
        limit: u16,
    ) -> Result<Vec<TenantId>, StoreError>;

    /// Removes those of the `limit` oldest events of a log that happened before an instant and that all of these
    /// consumers have read; how many.
    async fn forget_events(
        &self,
        tenant: TenantId,
        consumers: &[&'static str],
        before: Timestamp,
        limit: u16,
    ) -> Result<u64, StoreError>;
}

/// Events handled in one unit of work.
const BATCH: u16 = 200;

/// Batches that one job handles before others get their turn.
const BATCHES: usize = 50;

/// A [`Subscriber`] of whatever type.
#[async_trait]
pub(crate) trait Consumer: Send + Sync {
    fn name(&self) -> &'static str;
    fn start(&self) -> Start;
    async fn is_needed(&self, work: &mut Work) -> Result<bool, CommonError>;
    /// Writes the job that reads on, unless there is one.
    async fn enqueue(&self, work: &mut Work) -> Result<(), CommonError>;
    async fn run(&self, cx: &JobContext) -> Result<Outcome, JobError>;
}

#[async_trait]
impl<S: Subscriber> Consumer for S {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn start(&self) -> Start {
        S::START
    }

    async fn is_needed(&self, work: &mut Work) -> Result<bool, CommonError> {
        Subscriber::is_needed(self, work).await
    }

    async fn enqueue(&self, work: &mut Work) -> Result<(), CommonError> {
        let options = EnqueueOptions {
            unique_key: Some(S::NAME.to_owned()),
            max_attempts: Some(S::MAX_ATTEMPTS),
            ..EnqueueOptions::default()
        };
        let requester = Requester::System { permissions: S::PERMISSIONS.to_vec() };
        work.enqueue_as(requester, S::NAME, 1, serde_json::Value::Null, options).await?;
        Ok(())
    }

    async fn run(&self, cx: &JobContext) -> Result<Outcome, JobError> {
        for _ in 0..BATCHES {
            if let Some(outcome) = batch(self, cx).await? {
                return Ok(outcome);
            }
        }
        // The rest is another job's, so that a long backlog doesn't keep a worker from others.
        let mut work = cx.hrms().begin(cx.actor()).await?;
        cx.finish_in(&mut work, &Finish::Succeeded(serde_json::Value::Null)).await?;
        self.enqueue(&mut work).await?;
        work.commit(()).await?;
        Ok(Outcome::Recorded)
    }
}

/// Handles the next events; when there are none, ends the job.
///
/// No event is left lying. The relay reads the log's end, inserts a job unless one waits or runs, and then clears
/// the mark up to where it read. So consider an event that was committed before the relay read, and a job of
/// this consumer that is about to end. Both write the job's row or its unique key, so one is first:
///
/// - *The job ends first*: the relay's insert waits for that transaction and finds the key free. A new job comes.
/// - *The relay is first*: it finds the key taken and inserts nothing. The job's row is written after that,
///   and the log is looked at once more after the row is written. That statement sees all that was committed
///   before it (read committed), so it sees the event, and the job goes on instead of ending.
///
/// Hence the order below: first the row, then the look. The other way round, an event could be committed and relayed
/// between the two. On SQLite there is one writer, and nothing is between.
async fn batch<S: Subscriber>(subscriber: &S, cx: &JobContext) -> Result<Option<Outcome>, JobError> {
    let mut work = cx.hrms().begin(cx.actor()).await?;
    let now = work.now();
    let position = match work.event_consumers().hold(S::NAME).await? {
        Some(position) => position,
        None => {
            let growth = work.event_consumers().growth().await?;
            let position = begin_at(S::START, growth);
            work.event_consumers().start(S::NAME, position, now).await?;
            position
        }
    };
    let mut events = work.events().after(position, BATCH).await?;
    let Some(last) = events.last().map(|event| event.sequence) else {
        cx.finish_in(&mut work, &Finish::Succeeded(serde_json::Value::Null)).await?;
        if work.events().last().await? > position {
            // Dropped: the job isn't over.
            return Ok(None);
        }
        work.commit(()).await?;
        return Ok(Some(Outcome::Recorded));
    };
    events.retain(|event| S::TYPES.is_none_or(|types| types.contains(&event.kind.as_str())));
    if !events.is_empty() {
        subscriber.handle(&mut work, &events).await?;
    }
    work.event_consumers().advance(S::NAME, last, now).await?;
    // Last, because the relay waits for whoever has written the job's row. It fails if the lease is lost.
    cx.hold_in(&mut work).await?;
    work.commit(()).await?;
    Ok(None)
}

/// The position of a consumer that begins now.
pub(super) fn begin_at(start: Start, growth: Growth) -> i64 {
    match start {
        Start::Beginning => 0,
        Start::End => growth.relayed,
    }
}
