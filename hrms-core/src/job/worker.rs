//! Claiming and running jobs. Timers, tasks and shutdown belong to whoever drives the worker.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use futures_timer::Delay;
use jiff::{SignedDuration, Timestamp};

use crate::error::{CommonError, StoreError};
use crate::event::Relay;
use crate::hrms::Hrms;
use crate::id::TenantId;
use crate::job::requester::Requesters;
use crate::job::{
    Claim, ClaimedJob, Ended, Finish, JobContext, JobError, JobFault, JobKind, JobRecord, JobRegistry, Lease,
    Outcome, Slots, backoff,
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

/// For how long a worker goes by the rights that it looked up for a requester.
const REMEMBERED: SignedDuration = SignedDuration::from_secs(2);

/// Claims jobs of all tenants and runs them, as long as somebody drives it.
#[derive(Debug)]
pub struct Worker {
    hrms: Hrms,
    registry: JobRegistry,
    name: String,
    kinds: Vec<JobKind>,
    requesters: Requesters,
    /// The tenant served last: the next claim begins behind it.
    last: Mutex<Option<TenantId>>,
}

impl Worker {
    /// A worker with a name for people, such as host and process id.
    #[must_use]
    pub fn new(hrms: Hrms, registry: JobRegistry, name: impl Into<String>) -> Self {
        let (kinds, requesters) = (registry.kinds(), Requesters::keeping(REMEMBERED));
        Self { hrms, registry, name: name.into(), kinds, requesters, last: Mutex::new(None) }
    }

    /// Claims at most `limit` jobs that are due.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn claim(&self, limit: u16) -> Result<Vec<ClaimedJob>, CommonError> {
        self.claim_for(&Slots::unreserved(limit)).await
    }

    /// Claims jobs that are due for the free slots, with regard to what each tenant holds already.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn claim_for(&self, slots: &Slots) -> Result<Vec<ClaimedJob>, CommonError> {
        let now = self.hrms.clock().now();
        let claim = Claim {
            worker: &self.name,
            kinds: &self.kinds,
            slots,
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

    /// After how long a run of this kind is to be stopped; then call [`Worker::timed_out`].
    #[must_use]
    pub fn timeout(&self, kind: &str) -> SignedDuration {
        self.registry.kind(kind).map_or(LEASE.span(), |kind| kind.timeout)
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

    /// Runs a claimed job, for as long as its kind allows, and records how it ended.
    ///
    /// # Errors
    /// When the end can't be recorded; the job comes back when its lease runs out.
    pub async fn run(&self, claimed: ClaimedJob) -> Result<(), CommonError> {
        let timeout = Duration::try_from(self.timeout(&claimed.job.kind)).unwrap_or_default();
        let brief = claimed.brief();
        let ended = match within(timeout, self.execute(claimed)).await {
            Some(ended) => ended,
            None => Some(self.timed_out(&brief)),
        };
        match ended {
            Some(ended) => self.record(std::slice::from_ref(&ended)).await,
            None => Ok(()),
        }
    }

    /// Runs a claimed job. What comes back is to be [recorded](Self::record), perhaps with the ends of others;
    /// `None`: nothing is to be recorded.
    pub async fn execute(&self, claimed: ClaimedJob) -> Option<Ended> {
        let ClaimedJob { lease, job } = claimed;
        let (attempts, max_attempts) = (job.attempts, job.max_attempts);
        let ended =
            if job.cancel_requested { Err(JobError::Cancelled) } else { self.attempt(lease, job).await };
        let in_time = |wait| {
            let now = self.hrms.clock().now();
            now.checked_add(wait).unwrap_or(now)
        };
        let finish = match ended {
            Ok(Outcome::Recorded) | Err(JobError::LeaseLost) => return None,
            Ok(Outcome::Done(result)) => Finish::Succeeded(result),
            Ok(Outcome::Snooze(wait)) => Finish::Snoozed { at: in_time(wait) },
            Err(JobError::Cancelled) => Finish::Cancelled,
            Err(JobError::GiveUp(fault)) => Finish::Failed(fault, None),
            Err(JobError::Retry(fault)) => self.retry_or_fail(attempts, max_attempts, fault),
            Err(JobError::RetryAfter(fault, _)) if attempts >= max_attempts => Finish::Failed(fault, None),
            Err(JobError::RetryAfter(fault, wait)) => Finish::Retry { at: in_time(wait), fault },
        };
        Some(Ended { lease, finish })
    }

    async fn attempt(&self, lease: Lease, job: JobRecord) -> Result<Outcome, JobError> {
        let actor = self.requesters.actor_of(&self.hrms, lease.tenant, &job).await?;
        let cx =
            JobContext { hrms: self.hrms.clone(), actor, lease, attempt: job.attempts, trace: job.trace };
        self.registry.run(&job.kind, job.version, job.payload, &cx).await
    }

    /// Records how runs ended, all in one go. The end of a run whose lease was lost is forgotten: another worker
    /// has the job now, and what this run did outside the lease is not ours to tell.
    ///
    /// # Errors
    /// When they can't be recorded; the jobs come back when their leases run out.
    pub async fn record(&self, ended: &[Ended]) -> Result<(), CommonError> {
        self.hrms.directory().finish_jobs(ended, self.hrms.clock().now()).await?;
        Ok(())
    }

    /// How a run ends that was stopped because it took too long.
    #[must_use]
    pub fn timed_out(&self, claimed: &ClaimedJob) -> Ended {
        self.fault(claimed, "job.timeout", "the job took too long")
    }

    /// How a run ends by a defect, such as a panic.
    #[must_use]
    pub fn crashed(&self, claimed: &ClaimedJob) -> Ended {
        self.fault(claimed, "job.crashed", "the job ended unexpectedly")
    }

    /// How a claimed job is handed back, because the worker shuts down; the attempt doesn't count.
    #[must_use]
    pub fn released(lease: &Lease) -> Ended {
        Ended { lease: *lease, finish: Finish::Released }
    }

    /// Records that a run ended by a defect, such as a panic.
    ///
    /// # Errors
    /// When that can't be recorded.
    pub async fn record_crash(&self, claimed: &ClaimedJob) -> Result<(), CommonError> {
        self.record(&[self.crashed(claimed)]).await
    }

    /// Hands a claimed job back, because the worker shuts down; the attempt doesn't count.
    ///
    /// # Errors
    /// When that can't be recorded; the job comes back when its lease runs out.
    pub async fn release(&self, lease: &Lease) -> Result<(), CommonError> {
        self.record(&[Self::released(lease)]).await
    }

    fn fault(&self, claimed: &ClaimedJob, code: &str, detail: &str) -> Ended {
        let fault = JobFault { code: code.to_owned(), detail: detail.to_owned() };
        let finish = self.retry_or_fail(claimed.job.attempts, claimed.job.max_attempts, fault);
        Ended { lease: claimed.lease, finish }
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
}

/// What comes of a future, if it comes in time. By the real clock, since that is what a run takes.
async fn within<T>(timeout: Duration, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut timer) = (pin!(future), Delay::new(timeout));
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => Pin::new(&mut timer).poll(cx).map(|()| None),
    })
    .await
}

/// Runs whatever is due, jobs of schedules too, one job after the other, until nothing is; how many runs that took.
/// Subscribers to events are given theirs.
///
/// For tests, commands and embedders without a worker of their own.
///
/// # Errors
/// When storage fails.
pub async fn run_until_idle(hrms: &Hrms, registry: &JobRegistry) -> Result<usize, CommonError> {
    let mut worker = Worker::new(hrms.clone(), registry.clone(), "inline");
    // One job may change the rights of the next one's requester, while the clock stands still.
    worker.requesters = Requesters::keeping(SignedDuration::ZERO);
    let relay = Relay::new(hrms.clone(), registry);
    let mut runs = 0;
    loop {
        hrms.schedules().run_due().await?;
        relay.pass().await?;
        worker.rescue().await?;
        hrms.webhooks().rescue().await?;
        hrms.notifications().rescue().await?;
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
