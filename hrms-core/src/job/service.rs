//! What users can do with jobs.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::actor::Actor;
use crate::audit::{Act, Change};
use crate::error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};
use crate::event::subject;
use crate::hrms::{Hrms, Work};
use crate::id::JobId;
use crate::job::{EndedBefore, JobCounts, JobFilter, JobRecord, JobSort, JobView, Requester};
use crate::operator::Operator;
use crate::page::{Page, PageRequest, Position};
use crate::policy::{Decision, Permission, Resource, Verdict};

/// Why something about a job was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobServiceError {
    /// It has ended already.
    #[error("the job has ended already")]
    Ended,
    /// It neither failed nor was cancelled.
    #[error("the job neither failed nor was cancelled")]
    NotFailed,
    /// Another job has its unique key by now.
    #[error("a job for the same thing waits or runs")]
    Duplicate,
    /// It is the system's own work, which others rely on.
    #[error("the system's own jobs can't be cancelled")]
    Internal,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

crate::lift_common_errors!(JobServiceError);

impl DomainError for JobServiceError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Ended | Self::NotFailed | Self::Duplicate | Self::Internal => ErrorKind::Conflict,
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Ended => "job.ended",
            Self::NotFailed => "job.not-failed",
            Self::Internal => "job.internal",
            Self::Duplicate => "job.duplicate",
            Self::Common(common) => common.code(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::Common(common) => common.fields(),
            _ => &[],
        }
    }
}

/// What can be done with jobs.
#[derive(Clone, Copy, Debug)]
pub struct JobService<'a>(&'a Hrms);

impl Hrms {
    /// Background jobs.
    #[must_use]
    pub fn jobs(&self) -> JobService<'_> {
        JobService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "job" };

/// So many ended jobs are removed in one unit of work.
const REMOVED_AT_ONCE: u16 = 1000;

/// For so many minutes back throughput is counted.
const WINDOW_MINUTES: i64 = 5;

/// For how many days jobs are kept after they ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Those that succeeded or were cancelled. Default 7.
    pub days: u16,
    /// Those that failed. Default 90.
    pub failed_days: u16,
}

impl Default for Retention {
    fn default() -> Self {
        Self { days: 7, failed_days: 90 }
    }
}

/// How the queues stand.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobQueuesView {
    /// For how many minutes back ended jobs are counted.
    pub window_minutes: i64,
    /// One for each kind of job that there is anything of, in the order of their names.
    pub queues: Vec<JobQueueView>,
}

/// How the queue of one kind of job stands, of all organisations together.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JobQueueView {
    /// What sort of work it is, as in `import.run`.
    pub kind: String,
    /// Jobs that are due and wait for a worker.
    pub waiting: u64,
    /// Jobs that wait for their time: delayed, or to be tried again.
    pub scheduled: u64,
    /// For how many seconds the oldest that waits has been due.
    pub oldest_waiting_seconds: Option<i64>,
    /// Jobs at work.
    pub running: u64,
    /// Jobs that failed for good and are kept still.
    pub failed: u64,
    /// Jobs that ended in the window, one way or another.
    pub ended_in_window: u64,
    /// Of these, those that failed for good.
    pub failed_in_window: u64,
}

impl JobQueueView {
    fn new(counts: JobCounts, now: Timestamp) -> Self {
        Self {
            kind: counts.kind,
            waiting: counts.waiting,
            scheduled: counts.scheduled,
            oldest_waiting_seconds: counts.oldest.map(|oldest| now.duration_since(oldest).as_secs()),
            running: counts.running,
            failed: counts.failed,
            ended_in_window: counts.ended,
            failed_in_window: counts.ended_failed,
        }
    }
}

impl JobService<'_> {
    /// Waits until a job is enqueued in this process. A hint: jobs of other processes don't ring here.
    pub async fn woken(&self) {
        self.0.job_bell().notified().await;
    }

    /// One job: any with `job.read` on the organisation, else those that one asked for oneself.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(&self, actor: &Actor, id: JobId) -> Result<JobView, JobServiceError> {
        let mut tx = self.0.read(actor).await?;
        let job = tx.jobs().get(id).await?.ok_or(NOT_FOUND)?;
        self.require_seen(actor, &job)?;
        Ok(job.into())
    }

    /// A page of jobs.
    ///
    /// # Errors
    /// When none may be seen.
    pub async fn list(
        &self,
        actor: &Actor,
        mut filter: JobFilter,
        page: &PageRequest<JobSort>,
    ) -> Result<Page<JobView>, JobServiceError> {
        if !self.sees_all(actor)? {
            let me = actor.user_id();
            if me.is_none() || filter.requested_by.is_some_and(|asked| Some(asked) != me) {
                return Ok(Page { items: Vec::new(), next: None });
            }
            filter.requested_by = me;
        }
        let mut tx = self.0.read(actor).await?;
        let rows = tx.jobs().list(&filter, page).await?;
        let page = Page::from_rows(rows, page.limit, |last| Position {
            key: last.created_at.to_string(),
            id: last.id.as_uuid(),
        });
        Ok(page.map(Into::into))
    }

    /// Cancels a job that waits, or asks a running one to stop at its next safe point.
    ///
    /// # Errors
    /// [`JobServiceError::Ended`]; [`JobServiceError::Internal`]; when it isn't there, may not be seen, or is somebody else's.
    pub async fn cancel(&self, actor: &Actor, id: JobId) -> Result<JobView, JobServiceError> {
        let mut work = self.0.begin(actor).await?;
        self.require_managed(actor, &mut work, id).await?;
        let job = work.jobs().get(id).await?.ok_or(NOT_FOUND)?;
        if matches!(job.requester, Requester::System { .. }) {
            return Err(JobServiceError::Internal);
        }
        let now = work.now();
        match work.jobs().cancel(id, now).await {
            Err(StoreError::Stale) => return Err(JobServiceError::Ended),
            other => other?,
        }
        let job = work.jobs().get(id).await?.ok_or(NOT_FOUND)?;
        let subject = subject("jobs", id.as_uuid());
        work.record(Act { action: "job.cancelled".into(), subject, change: Change::none() });
        Ok(work.commit(JobView::from(job)).await?)
    }

    /// Puts a job that failed, or was cancelled, back into the queue, with all of its attempts before it. It acts for
    /// whoever asked for it in the first place, with the rights they have now.
    ///
    /// # Errors
    /// [`JobServiceError::NotFailed`]; [`JobServiceError::Duplicate`]; when it isn't there, may not be seen, or is
    /// somebody else's.
    pub async fn requeue(&self, actor: &Actor, id: JobId) -> Result<JobView, JobServiceError> {
        let mut work = self.0.begin(actor).await?;
        self.require_managed(actor, &mut work, id).await?;
        let now = work.now();
        match work.jobs().requeue(id, now).await {
            Err(StoreError::Stale) => return Err(JobServiceError::NotFailed),
            Err(StoreError::Conflict { .. }) => return Err(JobServiceError::Duplicate),
            other => other?,
        }
        let job = work.jobs().get(id).await?.ok_or(NOT_FOUND)?;
        let subject = subject("jobs", id.as_uuid());
        work.record(Act { action: "job.requeued".into(), subject, change: Change::none() });
        work.ring_for_workers();
        Ok(work.commit(JobView::from(job)).await?)
    }

    /// Removes jobs that ended so long ago, of every organisation; how many. What something else refers to, such as the
    /// job of an import, stays with it.
    ///
    /// # Errors
    /// When storage fails; what was removed until then is gone.
    pub async fn remove_ended(&self, retention: &Retention) -> Result<u64, CommonError> {
        let now = self.0.clock().now();
        let ago = |days| now.checked_sub(SignedDuration::from_hours(24 * i64::from(days))).unwrap_or(now);
        let before = EndedBefore { well: ago(retention.days), failed: ago(retention.failed_days) };
        let mut removed = 0;
        for tenant in self.0.directory().tenants_with_ended_jobs(before.well.max(before.failed)).await? {
            loop {
                let mut tx = self.0.store().begin(tenant).await?;
                let some = tx.jobs().remove_ended(&before, REMOVED_AT_ONCE).await?;
                tx.commit().await?;
                removed += some;
                if some < u64::from(REMOVED_AT_ONCE) {
                    break;
                }
            }
        }
        Ok(removed)
    }

    /// How the queues stand, for operators of the platform: numbers, and nothing of what any tenant's jobs are about.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn queues(&self, _by: &Operator) -> Result<JobQueuesView, CommonError> {
        let now = self.0.clock().now();
        let since = now.checked_sub(SignedDuration::from_mins(WINDOW_MINUTES)).unwrap_or(now);
        let counts = self.0.directory().job_counts(now, since).await?;
        let queues = counts.into_iter().map(|counts| JobQueueView::new(counts, now)).collect();
        Ok(JobQueuesView { window_minutes: WINDOW_MINUTES, queues })
    }

    /// The job, if the actor may decide about it.
    async fn require_managed(&self, actor: &Actor, work: &mut Work, id: JobId) -> Result<(), CommonError> {
        let job = work.jobs().get(id).await?.ok_or(NOT_FOUND)?;
        self.require_seen(actor, &job)?;
        if !asked_for(actor, &job) {
            self.0.require(actor, Permission::JobManage, &Resource::organization())?;
        }
        Ok(())
    }

    fn require_seen(&self, actor: &Actor, job: &JobRecord) -> Result<(), CommonError> {
        if self.sees_all(actor)? || asked_for(actor, job) {
            Ok(())
        } else {
            Err(CommonError::Hidden { what: "job" })
        }
    }

    /// Whether the actor may see every job, or only their own; refused when not even those.
    fn sees_all(&self, actor: &Actor) -> Result<bool, CommonError> {
        let policy = self.0.policy();
        let may = |of: &Resource| policy.decide(actor, Permission::JobRead, of) == Decision::Allow;
        if may(&Resource::organization()) {
            return Ok(true);
        }
        self.0.visibility(actor, Permission::JobRead)?;
        let whole = Resource::organization();
        let verdict = actor.rules().map(|rules| rules.judge(actor, Permission::JobRead, &whole));
        if verdict != Some(Verdict::Forbid) {
            return Ok(false);
        }
        Err(CommonError::Forbidden { permission: Permission::JobRead })
    }
}

/// Whether the job is one that the actor asked for.
fn asked_for(actor: &Actor, job: &JobRecord) -> bool {
    actor.user_id().is_some() && actor.user_id() == job.requester.user_id()
}
