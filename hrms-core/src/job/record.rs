//! A job as it is stored and shown, and what is asked of storage.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::StoreError;
use crate::id::{JobId, RequestId, ScheduleId, TenantId, UserId};
use crate::job::{JobKind, Priority, Requester, Slots};
use crate::page::PageRequest;
use crate::trace::Trace;

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waits for its time or for a worker.
    Queued,
    /// A worker has it.
    Running,
    /// Done.
    Succeeded,
    /// Failed for good: its attempts are used up, or trying again can't help.
    Failed,
    /// Cancelled by a user.
    Cancelled,
}

impl JobState {
    /// Every state.
    pub const ALL: &'static [Self] =
        &[Self::Queued, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// The stable name, as in `queued`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state with this stable name.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.code() == code)
    }
}

/// How far a job has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Progress {
    /// Steps done.
    pub done: u32,
    /// Steps in all, once that is known.
    pub total: Option<u32>,
    /// What it is doing.
    pub message: Option<String>,
}

/// Why an attempt failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobFault {
    /// A stable machine-readable name.
    pub code: String,
    /// One sentence for a person.
    pub detail: String,
}

impl JobFault {
    /// A failure that has no name of its own.
    pub(crate) fn unnamed(error: &dyn std::error::Error) -> Self {
        Self { code: "job.failed".to_owned(), detail: error.to_string() }
    }
}

/// A job as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct JobRecord {
    /// Its id.
    pub id: JobId,
    /// Which [`crate::job::Job`] it is.
    pub kind: String,
    /// Which [version](crate::job::Job::VERSION) of it wrote the payload.
    pub version: u16,
    /// That job's fields.
    pub payload: Value,
    /// Before which others of its tenant it runs.
    pub priority: Priority,
    /// Whom it acts for.
    pub requester: Requester,
    /// The request that enqueued it.
    pub request: RequestId,
    /// The distributed trace that the request was part of.
    pub trace: Option<Trace>,
    /// The schedule that started it.
    pub schedule: Option<ScheduleId>,
    /// Keeps a second one like it from waiting or running.
    pub unique_key: Option<String>,
    /// Where it stands.
    pub state: JobState,
    /// Attempts begun.
    pub attempts: u16,
    /// Attempts allowed, at least 1.
    pub max_attempts: u16,
    /// Not to be run before.
    pub run_at: Timestamp,
    /// Somebody wants it stopped.
    pub cancel_requested: bool,
    /// How far it has come.
    pub progress: Progress,
    /// What it gave, once succeeded.
    pub result: Option<Value>,
    /// Why the last attempt failed.
    pub error: Option<JobFault>,
    /// When it was enqueued.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When its latest attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended, one way or another.
    pub finished_at: Option<Timestamp>,
}

/// A job as shown to people.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobView {
    /// Its id.
    pub id: JobId,
    /// What sort of work it is, as in `import.run`.
    pub kind: String,
    /// Where it stands.
    pub state: JobState,
    /// Before which others of the organisation it runs.
    pub priority: Priority,
    /// How far it has come.
    pub progress: Progress,
    /// Attempts begun.
    pub attempts: u16,
    /// After so many attempts it has failed for good.
    pub max_attempts: u16,
    /// What it gave, once succeeded.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub result: Option<Value>,
    /// Why the last attempt failed.
    pub error: Option<JobFault>,
    /// The user who asked for it.
    pub requested_by: Option<UserId>,
    /// The request that asked for it.
    pub request_id: RequestId,
    /// The distributed trace (W3C `traceparent`) that the request was part of.
    pub trace: Option<String>,
    /// The schedule that started it.
    pub schedule_id: Option<ScheduleId>,
    /// Not to be run before.
    pub run_at: Timestamp,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When its latest attempt began.
    pub started_at: Option<Timestamp>,
    /// When it ended, one way or another.
    pub finished_at: Option<Timestamp>,
}

impl From<JobRecord> for JobView {
    fn from(job: JobRecord) -> Self {
        Self {
            id: job.id,
            requested_by: job.requester.user_id(),
            request_id: job.request,
            trace: job.trace.map(|trace| trace.to_string()),
            schedule_id: job.schedule,
            priority: job.priority,
            max_attempts: job.max_attempts,
            kind: job.kind,
            state: job.state,
            progress: job.progress,
            attempts: job.attempts,
            result: job.result,
            error: job.error,
            run_at: job.run_at,
            created_at: job.created_at,
            updated_at: job.updated_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
        }
    }
}

/// The right to run one claim of a job. A later claim of the same job has another token, so
/// a worker that lost its lease can record nothing any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The job's tenant.
    pub tenant: TenantId,
    /// The job.
    pub job: JobId,
    /// Counts the claims of this job.
    pub token: i64,
}

/// A job that a worker has claimed.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimedJob {
    /// The right to run it.
    pub lease: Lease,
    /// The job, its attempt counted already.
    pub job: JobRecord,
}

impl ClaimedJob {
    /// The same without its payload, to tell how a run ended that has taken the rest along.
    #[must_use]
    pub fn brief(&self) -> Self {
        let mut brief = self.clone();
        brief.job.payload = Value::Null;
        brief
    }
}

/// What a worker asks for.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    /// Name of the worker, for people who look for the culprit.
    pub worker: &'a str,
    /// The kinds that it can run, with their limits. Jobs of later versions than these stay where they are.
    pub kinds: &'a [JobKind],
    /// What it can take, and how much each tenant holds already.
    pub slots: &'a Slots,
    /// The present.
    pub now: Timestamp,
    /// When the leases end unless renewed.
    pub until: Timestamp,
    /// Tenants take turns: begin behind this one.
    pub after: Option<TenantId>,
}

/// How a claim ends.
#[derive(Clone, Debug, PartialEq)]
pub enum Finish {
    /// Done, with a result.
    Succeeded(Value),
    /// Failed; to be tried again.
    Retry {
        /// Not before.
        at: Timestamp,
        /// Why.
        fault: JobFault,
    },
    /// Failed for good, perhaps with a result that tells more.
    Failed(JobFault, Option<Value>),
    /// Stopped because somebody asked for it.
    Cancelled,
    /// Handed back untried: the worker shuts down. The attempt doesn't count.
    Released,
    /// Not now, the job says itself. The attempt doesn't count.
    Snoozed {
        /// Not before.
        at: Timestamp,
    },
}

/// A claim that ended, with what is to be recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// The claim.
    pub lease: Lease,
    /// How it ended.
    pub finish: Finish,
}

/// Which ended jobs to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedBefore {
    /// Those that succeeded or were cancelled before this instant.
    pub well: Timestamp,
    /// Those that failed before this instant.
    pub failed: Timestamp,
}

/// What there is of one kind of job, of all tenants together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobCounts {
    /// The kind.
    pub kind: String,
    /// Due, and not claimed yet.
    pub waiting: u64,
    /// Not due yet: delayed, or to be tried again.
    pub scheduled: u64,
    /// Since when the oldest that waits is due.
    pub oldest: Option<Timestamp>,
    /// At work.
    pub running: u64,
    /// The dead letters.
    pub failed: u64,
    /// Ended of late, one way or another.
    pub ended: u64,
    /// Of these, failed.
    pub ended_failed: u64,
}

/// Which jobs to list.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Only those in this state.
    pub state: Option<JobState>,
    /// Only those of this kind.
    pub kind: Option<String>,
    /// Only those that this user asked for.
    pub requested_by: Option<UserId>,
    /// Only those that this schedule started.
    pub schedule: Option<ScheduleId>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Orders of a list of jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JobSort {
    /// By when they were asked for.
    #[default]
    CreatedAt,
}

/// The tenant's jobs in storage.
#[async_trait]
pub trait JobQueue: Send {
    /// The job with this id.
    async fn get(&mut self, id: JobId) -> Result<Option<JobRecord>, StoreError>;
    /// Up to `limit + 1` jobs in the order asked for.
    async fn list(
        &mut self,
        filter: &JobFilter,
        page: &PageRequest<JobSort>,
    ) -> Result<Vec<JobRecord>, StoreError>;
    /// Adds a job, unless one of its kind and unique key waits or runs: then gives that one's id.
    ///
    /// With `unique_since`, one that was enqueued at or after that instant counts too, whatever became of it.
    async fn insert(
        &mut self,
        job: &JobRecord,
        unique_since: Option<Timestamp>,
    ) -> Result<Option<JobId>, StoreError>;
    /// Lets a waiting job run at this instant, if it was to run later.
    async fn bring_forward(&mut self, id: JobId, at: Timestamp) -> Result<(), StoreError>;
    /// Writes progress and renews the lease; whether somebody wants the job stopped.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the lease was lost.
    async fn progress(
        &mut self,
        lease: &Lease,
        progress: &Progress,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError>;
    /// Ends a claim.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the lease was lost.
    async fn finish(&mut self, lease: &Lease, finish: &Finish, now: Timestamp) -> Result<(), StoreError>;
    /// Cancels a waiting job, or asks a running one to stop.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it has ended already or isn't there.
    async fn cancel(&mut self, id: JobId, now: Timestamp) -> Result<(), StoreError>;
    /// Puts a failed or cancelled job back into the queue, all of its attempts before it; why it failed stays on it.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it is in another state or isn't there; `job_unique_key` when another job of its kind
    /// has its key by now.
    async fn requeue(&mut self, id: JobId, now: Timestamp) -> Result<(), StoreError>;
    /// Removes at most `limit` jobs that ended before these instants and that nothing refers to; how many.
    async fn remove_ended(&mut self, before: &EndedBefore, limit: u16) -> Result<u64, StoreError>;
}

/// What workers need across tenants.
#[async_trait]
pub trait JobDirectory: Send + Sync {
    /// Takes jobs that are due, each for one worker only; tenants with waiting jobs take turns.
    ///
    /// Kinds with a limit on concurrency or rate are held to it across all workers.
    async fn claim_jobs(&self, claim: &Claim<'_>) -> Result<Vec<ClaimedJob>, StoreError>;
    /// Ends claims of any tenants in one go, each only if its lease still holds; how many did.
    async fn finish_jobs(&self, ended: &[Ended], now: Timestamp) -> Result<u64, StoreError>;
    /// Prolongs a lease; whether somebody wants the job stopped.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when the lease was lost.
    async fn renew_lease(&self, lease: &Lease, until: Timestamp) -> Result<bool, StoreError>;
    /// Puts jobs whose lease ran out back into the queue, or among the failed when their attempts
    /// are used up; how many.
    async fn rescue_jobs(&self, now: Timestamp) -> Result<u64, StoreError>;
    /// Schedules of organisations in use that are due, longest first, with when they were.
    async fn due_schedules(
        &self,
        now: Timestamp,
        limit: u16,
    ) -> Result<Vec<(TenantId, ScheduleId, Timestamp)>, StoreError>;
    /// Tenants that have jobs which ended before this instant.
    async fn tenants_with_ended_jobs(&self, before: Timestamp) -> Result<Vec<TenantId>, StoreError>;
    /// How much of each kind waits, runs and has failed, and how much ended since `since`.
    async fn job_counts(&self, now: Timestamp, since: Timestamp) -> Result<Vec<JobCounts>, StoreError>;
}
