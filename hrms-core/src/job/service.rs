//! What users can do with jobs.

use crate::actor::Actor;
use crate::audit::{Act, Change};
use crate::error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};
use crate::event::subject;
use crate::hrms::Hrms;
use crate::id::JobId;
use crate::job::{JobFilter, JobRecord, JobSort, JobView};
use crate::page::{Page, PageRequest, Position};
use crate::policy::{Decision, Permission, Resource, Verdict};

/// Why something about a job was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobServiceError {
    /// It has ended already.
    #[error("the job has ended already")]
    Ended,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

crate::lift_common_errors!(JobServiceError);

impl DomainError for JobServiceError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Ended => ErrorKind::Conflict,
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Ended => "job.ended",
            Self::Common(common) => common.code(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::Ended => &[],
            Self::Common(common) => common.fields(),
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
    /// [`JobServiceError::Ended`]; when it isn't there, may not be seen, or is somebody else's.
    pub async fn cancel(&self, actor: &Actor, id: JobId) -> Result<JobView, JobServiceError> {
        let mut work = self.0.begin(actor).await?;
        let job = work.jobs().get(id).await?.ok_or(NOT_FOUND)?;
        self.require_seen(actor, &job)?;
        if !asked_for(actor, &job) {
            self.0.require(actor, Permission::JobManage, &Resource::organization())?;
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
