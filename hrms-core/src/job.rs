//! Background jobs: a job exists if and only if the change that enqueued it committed.
//!
//! A [`Job`] is a value with a `run`. [`Work::enqueue`] writes it in the transaction of a change; a
//! [`Worker`] claims it under a lease, runs it as the user who asked for it, and records the outcome.
//! A job runs at least once; what it writes through [`JobContext::progress_in`] and
//! [`JobContext::commit_done`] commits together with the job's own state, so its effect happens once.

mod backoff;
mod kind;
mod record;
mod registry;
pub(crate) mod requester;
mod service;
mod slots;
mod worker;

use std::future::Future;

use jiff::SignedDuration;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::actor::Actor;
use crate::error::{CommonError, DomainError, ErrorKind, StoreError};
use crate::hrms::{Hrms, Work};
use crate::id::JobId;
use crate::rate_limit::Quota;
use crate::trace::Trace;

pub use backoff::backoff;
pub use kind::{JobKind, Priority};
pub use record::*;
pub use registry::JobRegistry;
pub use requester::Requester;
pub use service::{JobQueueView, JobQueuesView, JobService, JobServiceError, Retention};
pub use slots::{Bucket, Shares, Slots};
pub use worker::{LEASE, Worker, run_until_idle};

/// Something to be done in the background. Its fields are its payload, stored as JSON.
///
/// Old payloads must keep decoding: add fields with `#[serde(default)]`, or count up `VERSION` and
/// [upgrade](Job::upgrade) what earlier versions wrote.
pub trait Job: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Stable name, unique among all kinds, as in `import.run`.
    const KIND: &'static str;

    /// How often it is tried before it counts as failed; [`EnqueueOptions`] can say otherwise.
    const MAX_ATTEMPTS: u16 = 5;

    /// Counts the shapes that the payload has had. A worker leaves jobs of later versions to workers that know
    /// them, so nodes can be replaced one by one.
    const VERSION: u16 = 1;

    /// Which jobs of the tenant it goes before; [`EnqueueOptions`] can say otherwise.
    const PRIORITY: Priority = Priority::Normal;

    /// After so long a run is stopped, at its next `await`, and counts as a failed attempt (`job.timeout`).
    const TIMEOUT: SignedDuration = SignedDuration::from_mins(15);

    /// So many run at the same time, on all nodes and for all tenants together.
    const CONCURRENCY: Option<u16> = None;

    /// So many are started, on all nodes and for all tenants together. All of a quota may be started at once; it
    /// comes back evenly.
    const RATE: Option<Quota> = None;

    /// Whether an organisation may put it on a [schedule](crate::schedule).
    const SCHEDULABLE: bool = false;

    /// Turns a payload that version `from` wrote, an earlier one than `VERSION`, into the present shape.
    ///
    /// # Errors
    /// When that can't be: the job fails for good.
    fn upgrade(payload: Value, from: u16) -> Result<Value, JobError> {
        let _ = from;
        Ok(payload)
    }

    /// Does it, acting as `cx.actor()`. May run again after a crash: write through the context.
    fn run(&self, cx: &JobContext) -> impl Future<Output = Result<Outcome, JobError>> + Send;
}

/// How a job ended well.
#[derive(Debug)]
pub enum Outcome {
    /// Done; this result is to be recorded.
    Done(Value),
    /// Ended, and recorded already by [`JobContext::commit_done`] or [`JobContext::commit_failed`].
    Recorded,
    /// Not yet: to be run again after so long. It counts as no attempt, so it may go on forever.
    Snooze(SignedDuration),
}

impl Outcome {
    /// Done with a result to show.
    ///
    /// # Errors
    /// When the result can't be written as JSON.
    pub fn done(result: impl Serialize) -> Result<Self, JobError> {
        Ok(Self::Done(serde_json::to_value(result).map_err(JobError::give_up)?))
    }
}

/// How a run ended without success.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobError {
    /// Trying again may help; the job fails for good when its attempts are used up.
    #[error("{}", .0.detail)]
    Retry(JobFault),
    /// Like [`JobError::Retry`], but after this wait instead of the usual one.
    #[error("{}", .0.detail)]
    RetryAfter(JobFault, SignedDuration),
    /// Trying again can't help.
    #[error("{}", .0.detail)]
    GiveUp(JobFault),
    /// Somebody cancelled the job, and it stopped at a safe point.
    #[error("the job was cancelled")]
    Cancelled,
    /// Another worker has the job now; nothing of this run may be recorded.
    #[error("the lease was lost")]
    LeaseLost,
}

impl JobError {
    /// Trying again may help.
    pub fn retry(error: impl std::error::Error) -> Self {
        Self::Retry(JobFault::unnamed(&error))
    }

    /// The same, to be tried again after this wait instead of the usual one; what is final stays final.
    #[must_use]
    pub fn after(self, wait: SignedDuration) -> Self {
        match self {
            Self::Retry(fault) | Self::RetryAfter(fault, _) => Self::RetryAfter(fault, wait),
            other => other,
        }
    }

    /// Trying again can't help.
    pub fn give_up(error: impl std::error::Error) -> Self {
        Self::GiveUp(JobFault::unnamed(&error))
    }
}

/// Outages and defects may pass and are tried again; everything else is final.
impl<E: DomainError> From<E> for JobError {
    fn from(error: E) -> Self {
        let fault = JobFault { code: error.code().to_owned(), detail: error.to_string() };
        match error.kind() {
            ErrorKind::Unavailable | ErrorKind::Internal | ErrorKind::Throttled => {
                tracing::warn!(error = &error as &dyn std::error::Error, "job attempt failed");
                Self::Retry(fault)
            }
            _ => Self::GiveUp(fault),
        }
    }
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        CommonError::from(error).into()
    }
}

/// How a job is enqueued; the default is "now, as often as its kind says".
#[derive(Clone, Debug, Default)]
pub struct EnqueueOptions {
    /// While a job of this kind and key waits or runs, enqueueing gives that one's id.
    pub unique_key: Option<String>,
    /// With a unique key: a job that was enqueued so short a time ago counts too, whatever became of it.
    pub unique_for: Option<SignedDuration>,
    /// Overrides [`Job::PRIORITY`].
    pub priority: Option<Priority>,
    /// Not before so much time has passed.
    pub delay: SignedDuration,
    /// Overrides [`Job::MAX_ATTEMPTS`].
    pub max_attempts: Option<u16>,
    /// How many steps it has, if that is known already.
    pub total: Option<u32>,
}

impl Work {
    /// Writes a job with the change: it exists if and only if the change commits.
    ///
    /// Gives the id of the job, or of the one that has the same unique key.
    ///
    /// # Errors
    /// When the payload can't be written as JSON, or storage fails.
    pub async fn enqueue<J: Job>(
        &mut self,
        job: &J,
        mut options: EnqueueOptions,
    ) -> Result<JobId, CommonError> {
        options.max_attempts.get_or_insert(J::MAX_ATTEMPTS);
        options.priority.get_or_insert(J::PRIORITY);
        let requester = Requester::of(self.actor());
        Ok(self.enqueue_as(requester, J::KIND, J::VERSION, serde_json::to_value(job)?, options).await?)
    }

    /// Writes a job of some kind that acts for somebody.
    pub(crate) async fn enqueue_as(
        &mut self,
        requester: Requester,
        kind: &'static str,
        version: u16,
        payload: Value,
        options: EnqueueOptions,
    ) -> Result<JobId, StoreError> {
        let now = self.now();
        let unique_since = options.unique_for.and_then(|window| now.checked_sub(window).ok());
        let record = JobRecord {
            id: JobId::from_uuid(self.hrms().ids().next()),
            kind: kind.to_owned(),
            version,
            payload,
            priority: options.priority.unwrap_or_default(),
            requester,
            request: self.actor().request(),
            trace: self.actor().context().trace,
            schedule: None,
            unique_key: options.unique_key,
            state: JobState::Queued,
            attempts: 0,
            max_attempts: options.max_attempts.unwrap_or(1).max(1),
            run_at: now.checked_add(options.delay).unwrap_or(now),
            cancel_requested: false,
            progress: Progress { done: 0, total: options.total, message: None },
            result: None,
            error: None,
            created_at: now,
            updated_at: now,
            started_at: None,
            finished_at: None,
        };
        let existing = self.jobs().insert(&record, unique_since).await?;
        self.ring_for_workers();
        Ok(existing.unwrap_or(record.id))
    }
}

/// What a running job is given.
#[derive(Clone, Debug)]
pub struct JobContext {
    hrms: Hrms,
    actor: Actor,
    lease: Lease,
    attempt: u16,
    trace: Option<Trace>,
}

impl JobContext {
    /// The HR system.
    #[must_use]
    pub fn hrms(&self) -> &Hrms {
        &self.hrms
    }

    /// The user who asked for the job, with the rights they have now.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The user who asked for the job, with the rights they have at this moment: a long job asks again
    /// before each part of its work. Don't call it while a unit of work is open.
    ///
    /// # Errors
    /// When the user may do nothing here any more, or storage fails.
    pub async fn actor_now(&self) -> Result<Actor, JobError> {
        let tenant = self.actor.tenant();
        let job = self.hrms.store().read(tenant).await?.jobs().get(self.lease.job).await?;
        requester::actor_of(&self.hrms, tenant, &job.ok_or(JobError::LeaseLost)?).await
    }

    /// The job's id.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.lease.job
    }

    /// Which attempt this is; the first is 1.
    #[must_use]
    pub fn attempt(&self) -> u16 {
        self.attempt
    }

    /// The distributed trace of the request that enqueued it, to be passed on in calls.
    #[must_use]
    pub fn trace(&self) -> Option<Trace> {
        self.trace
    }

    /// Writes progress as part of `work`, so that it commits together with what was done.
    ///
    /// Also renews the lease. Call it early in a unit of work: it makes sure that no other worker
    /// has taken the job over.
    ///
    /// # Errors
    /// [`JobError::Cancelled`] and [`JobError::LeaseLost`]: return them, dropping the work.
    pub async fn progress_in(&self, work: &mut Work, progress: &Progress) -> Result<(), JobError> {
        let until = LEASE.checked_from(work.now());
        let now = work.now();
        match work.jobs().progress(&self.lease, progress, now, until).await {
            Ok(false) => Ok(()),
            Ok(true) => Err(JobError::Cancelled),
            Err(StoreError::Stale) => Err(JobError::LeaseLost),
            Err(other) => Err(other.into()),
        }
    }

    /// Records the job as done in `work` and commits: its effect and its state become visible together.
    ///
    /// # Errors
    /// [`JobError::LeaseLost`]; storage failures. Nothing is written then.
    pub async fn commit_done(&self, work: Work, result: impl Serialize) -> Result<Outcome, JobError> {
        let result = serde_json::to_value(result).map_err(JobError::give_up)?;
        self.commit_finish(work, &Finish::Succeeded(result)).await
    }

    /// Records the job as failed for good in `work`, with a result that tells more, and commits.
    ///
    /// # Errors
    /// [`JobError::LeaseLost`]; storage failures. Nothing is written then.
    pub async fn commit_failed(
        &self,
        work: Work,
        fault: JobFault,
        result: impl Serialize,
    ) -> Result<Outcome, JobError> {
        let result = serde_json::to_value(result).map_err(JobError::give_up)?;
        self.commit_finish(work, &Finish::Failed(fault, Some(result))).await
    }

    async fn commit_finish(&self, mut work: Work, finish: &Finish) -> Result<Outcome, JobError> {
        self.finish_in(&mut work, finish).await?;
        work.commit(()).await?;
        Ok(Outcome::Recorded)
    }

    /// Records in `work` how the job ended. Fails when the lease was lost.
    pub(crate) async fn finish_in(&self, work: &mut Work, finish: &Finish) -> Result<(), JobError> {
        let now = work.now();
        match work.jobs().finish(&self.lease, finish, now).await {
            Ok(()) => Ok(()),
            Err(StoreError::Stale) => Err(JobError::LeaseLost),
            Err(other) => Err(other.into()),
        }
    }

    /// Makes sure, until `work` ends, that no other worker has the job. Fails when one has, or somebody cancelled it.
    pub(crate) async fn hold_in(&self, work: &mut Work) -> Result<(), JobError> {
        self.progress_in(work, &Progress::default()).await
    }
}
