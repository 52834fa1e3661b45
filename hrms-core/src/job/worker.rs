//! Claiming and running jobs. Timers, tasks and shutdown belong to whoever drives the worker.

use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};

use crate::error::{CommonError, StoreError};
use crate::hrms::Hrms;
use crate::id::TenantId;
use crate::job::requester::actor_of;
use crate::job::{
    Claim, ClaimedJob, Finish, JobContext, JobError, JobFault, JobRegistry, Lease, Outcome, backoff,
};
use crate::organization::OrganizationStatus;

/// For how long a claim holds without being renewed.
pub const LEASE: LeaseTime = LeaseTime(SignedDuration::from_secs(60));

/// A span that leases last.
#[derive(Clone, Copy, Debug)]
pub struct LeaseTime(SignedDuration);

impl LeaseTime {
    /// The end of a lease that begins now.
    #[must_use]
    pub fn checked_from(self, now: Timestamp) -> Timestamp {
        now.checked_add(self.0).unwrap_or(now)
    }

    /// The span.
    #[must_use]
    pub const fn span(self) -> SignedDuration {
        self.0
    }
}

/// Claims jobs of all tenants and runs them, as long as somebody drives it.
#[derive(Debug)]
pub struct Worker {
    hrms: Hrms,
    registry: JobRegistry,
    name: String,
    kinds: Vec<&'static str>,
    /// The tenant served last: the next claim begins behind it.
    last: Mutex<Option<TenantId>>,
}

impl Worker {
    /// A worker with a name for people, such as host and process id.
    #[must_use]
    pub fn new(hrms: Hrms, registry: JobRegistry, name: impl Into<String>) -> Self {
        let kinds = registry.kinds();
        Self { hrms, registry, name: name.into(), kinds, last: Mutex::new(None) }
    }

    /// Claims at most `limit` jobs that are due.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn claim(&self, limit: u16) -> Result<Vec<ClaimedJob>, CommonError> {
        let now = self.hrms.clock().now();
        let claim = Claim {
            worker: &self.name,
            kinds: &self.kinds,
            limit,
            now,
            until: LEASE.checked_from(now),
            after: *self.last.lock().unwrap_or_else(PoisonError::into_inner),
        };
        let claimed = self.hrms.directory().claim_jobs(&claim).await?;
        if let Some(last) = claimed.last() {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last.lease.tenant);
        }
        Ok(claimed)
    }

    /// Puts jobs whose worker went silent back into the queue; how many.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn rescue(&self) -> Result<u64, CommonError> {
        Ok(self.hrms.directory().rescue_jobs(self.hrms.clock().now()).await?)
    }

    /// Prolongs the lease of a job that still runs. `false`: it was lost, stop the run.
    ///
    /// # Errors
    /// When storage fails; the lease may still hold then.
    pub async fn renew(&self, lease: &Lease) -> Result<bool, CommonError> {
        let until = LEASE.checked_from(self.hrms.clock().now());
        match self.hrms.directory().renew_lease(lease, until).await {
            Ok(_) => Ok(true),
            Err(StoreError::Stale) => Ok(false),
            Err(other) => Err(other.into()),
        }
    }

    /// Whether the organisation of a job is in use; a job of another one is to be stopped and
    /// [released](Self::release).
    ///
    /// # Errors
    /// When storage fails.
    pub async fn is_open(&self, lease: &Lease) -> Result<bool, CommonError> {
        let organization = self.hrms.directory().organization(lease.tenant).await?;
        Ok(organization.is_some_and(|one| one.status == OrganizationStatus::Active))
    }

    /// Runs a claimed job and records how it ended.
    ///
    /// # Errors
    /// When the end can't be recorded; the job comes back when its lease runs out.
    pub async fn run(&self, claimed: ClaimedJob) -> Result<(), CommonError> {
        let ClaimedJob { lease, job } = claimed;
        let ended = if job.cancel_requested {
            Err(JobError::Cancelled)
        } else {
            match actor_of(&self.hrms, lease.tenant, &job).await {
                Ok(actor) => {
                    let cx = JobContext { hrms: self.hrms.clone(), actor, lease, attempt: job.attempts };
                    self.registry.run(&job.kind, job.payload, &cx).await
                }
                Err(error) => Err(error),
            }
        };
        let finish = match ended {
            Ok(Outcome::Recorded) | Err(JobError::LeaseLost) => return Ok(()),
            Ok(Outcome::Done(result)) => Finish::Succeeded(result),
            Err(JobError::Cancelled) => Finish::Cancelled,
            Err(JobError::GiveUp(fault)) => Finish::Failed(fault, None),
            Err(JobError::Retry(fault)) => self.retry_or_fail(job.attempts, job.max_attempts, fault),
        };
        self.record(&lease, &finish).await
    }

    /// Records that a run ended by a defect, such as a panic.
    ///
    /// # Errors
    /// When that can't be recorded.
    pub async fn record_crash(&self, claimed: &ClaimedJob) -> Result<(), CommonError> {
        let fault =
            JobFault { code: "job.crashed".to_owned(), detail: "the job ended unexpectedly".to_owned() };
        let finish = self.retry_or_fail(claimed.job.attempts, claimed.job.max_attempts, fault);
        self.record(&claimed.lease, &finish).await
    }

    /// Hands a claimed job back, because the worker shuts down; the attempt doesn't count.
    ///
    /// # Errors
    /// When that can't be recorded; the job comes back when its lease runs out.
    pub async fn release(&self, lease: &Lease) -> Result<(), CommonError> {
        self.record(lease, &Finish::Released).await
    }

    fn retry_or_fail(&self, attempts: u16, max_attempts: u16, fault: JobFault) -> Finish {
        if attempts >= max_attempts {
            return Finish::Failed(fault, None);
        }
        // The low bits of a UUIDv7 are random.
        let [.., high, low] = *self.hrms.ids().next().as_bytes();
        let wait = backoff(attempts, u16::from_be_bytes([high, low]));
        let now = self.hrms.clock().now();
        Finish::Retry { at: now.checked_add(wait).unwrap_or(now), fault }
    }

    async fn record(&self, lease: &Lease, finish: &Finish) -> Result<(), CommonError> {
        let mut tx = self.hrms.store().begin(lease.tenant).await?;
        match tx.jobs().finish(lease, finish, self.hrms.clock().now()).await {
            Ok(()) => Ok(tx.commit().await?),
            // Another worker has it now; what this run did outside the lease is not ours to tell.
            Err(StoreError::Stale) => Ok(()),
            Err(other) => Err(other.into()),
        }
    }
}

/// Runs whatever is due, one job after the other, until nothing is; how many runs that took.
///
/// For tests, commands and embedders without a worker of their own.
///
/// # Errors
/// When storage fails.
pub async fn run_until_idle(hrms: &Hrms, registry: &JobRegistry) -> Result<usize, CommonError> {
    let worker = Worker::new(hrms.clone(), registry.clone(), "inline");
    let mut runs = 0;
    loop {
        worker.rescue().await?;
        let claimed = worker.claim(1).await?;
        if claimed.is_empty() {
            return Ok(runs);
        }
        for job in claimed {
            worker.run(job).await?;
            runs += 1;
        }
    }
}
