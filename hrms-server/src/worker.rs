//! Runs background jobs in this process: timers, tasks and shutdown around core's worker.

mod finisher;
mod relay;
mod upkeep;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hrms_core::Hrms;
use hrms_core::event::Relay;
use hrms_core::job::{ClaimedJob, Ended, JobRegistry, LEASE, Lease, Retention, Slots, Worker};
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinHandle, JoinSet};
use tokio::time::Instant;

use finisher::Finisher;
pub use upkeep::anchor;

/// How often the queue is looked at when nothing rings: jobs of other processes, and jobs that wait for
/// their time.
const POLL: Duration = Duration::from_secs(1);

/// How long the end of one job waits for the ends of others, so that they make room for one claim together.
const GATHER: Duration = Duration::from_millis(1);

/// How often it is asked whether the organisation of a running job is still in use.
const ASK: Duration = Duration::from_secs(2);

/// How long running jobs may take to finish at shutdown; then they are handed back.
const DRAIN: Duration = Duration::from_secs(15);

/// What a process does in the background: jobs, and the anchoring of audit logs.
#[derive(Debug)]
pub struct Background {
    stopping: watch::Sender<bool>,
    workers: JoinHandle<()>,
    last: watch::Sender<bool>,
    anchoring: JoinHandle<()>,
}

impl Background {
    /// Starts it, with so many jobs at a time; ended ones are kept as long as `retention` says.
    #[must_use]
    pub fn start(hrms: Hrms, registry: JobRegistry, slots: u16, retention: Retention) -> Self {
        let (stopping, stopped) = watch::channel(false);
        let (last, at_last) = watch::channel(false);
        let anchoring = tokio::spawn(anchor(hrms.clone(), at_last));
        let workers = tokio::spawn(run(hrms, registry, slots, retention, stopped));
        Self { stopping, workers, last, anchoring }
    }

    /// Lets running jobs finish, and hands back what takes too long.
    pub async fn stop(self) {
        self.stopping.send_replace(true);
        if let Err(panic) = self.workers.await {
            tracing::error!(%panic, "the job workers ended unexpectedly");
        }
        // After the workers: what the last jobs wrote is anchored too.
        self.last.send_replace(true);
        if let Err(panic) = self.anchoring.await {
            tracing::error!(%panic, "the anchoring of audit logs ended unexpectedly");
        }
    }
}

/// Runs at most `slots` jobs at a time until `stopping` says so, then drains.
///
/// With no slots it returns at once.
pub async fn run(
    hrms: Hrms,
    registry: JobRegistry,
    slots: u16,
    retention: Retention,
    mut stopping: watch::Receiver<bool>,
) {
    if slots == 0 {
        return;
    }
    let name = format!("process {}", std::process::id());
    let relaying = tokio::spawn(relay::run(Relay::new(hrms.clone(), &registry), stopping.clone()));
    let worker = Arc::new(Worker::new(hrms.clone(), registry, name));
    let upkeep = tokio::spawn(upkeep::run(hrms.clone(), Arc::clone(&worker), retention, stopping.clone()));
    let mut running = Running::new(worker, Slots::new(slots));
    let jobs = hrms.jobs();
    while !*stopping.borrow() {
        running.claim().await;
        tokio::select! {
            // All slots are taken, or nothing is due: a job that ends, a bell or the clock goes on.
            Some(ended) = running.tasks.join_next_with_id() => {
                running.end(ended);
                running.gather(slots / 2).await;
            }
            () = jobs.woken(), if running.slots.free() > 0 => {}
            () = tokio::time::sleep(POLL) => {}
            _ = stopping.changed() => {}
        }
    }
    running.drain().await;
    // What isn't finished is undone, and done again at the next start.
    upkeep.abort();
    relaying.abort();
}

/// The jobs at work, by task.
struct Running {
    worker: Arc<Worker>,
    finisher: Finisher,
    slots: Slots,
    tasks: JoinSet<Option<Ended>>,
    jobs: HashMap<Id, ClaimedJob>,
}

impl Running {
    fn new(worker: Arc<Worker>, slots: Slots) -> Self {
        let finisher = Finisher::start(Arc::clone(&worker));
        Self { worker, finisher, slots, tasks: JoinSet::new(), jobs: HashMap::new() }
    }

    /// Claims jobs for the free slots and starts them.
    async fn claim(&mut self) {
        if self.slots.free() == 0 {
            return;
        }
        match self.worker.claim_for(&self.slots).await {
            Ok(claimed) => claimed.into_iter().for_each(|job| self.start(job)),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "can't claim jobs");
                // What is wrong may be so at the next look, too: no faster than the clock.
                tokio::time::sleep(POLL).await;
            }
        }
    }

    fn start(&mut self, job: ClaimedJob) {
        self.slots.take(job.lease.tenant);
        let id = self.tasks.spawn(work(Arc::clone(&self.worker), job.clone())).id();
        self.jobs.insert(id, job);
    }

    fn end(&mut self, ended: Result<(Id, Option<Ended>), JoinError>) {
        let (id, ended) = match ended {
            Ok((id, ended)) => (id, Ok(ended)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some(job) = self.jobs.remove(&id) else { return };
        self.slots.give_back(job.lease.tenant);
        let ended = ended.unwrap_or_else(|error| {
            tracing::error!(%error, job = %job.lease.job, kind = job.job.kind, "job crashed");
            Some(self.worker.crashed(&job))
        });
        if let Some(ended) = ended {
            self.finisher.record(ended);
        }
    }

    /// Waits a moment for more ends, until so many slots are free.
    async fn gather(&mut self, enough: u16) {
        let until = Instant::now() + GATHER;
        while self.slots.free() < enough {
            match tokio::time::timeout_at(until, self.tasks.join_next_with_id()).await {
                Ok(Some(ended)) => self.end(ended),
                Ok(None) | Err(_) => return,
            }
        }
    }

    /// Waits for what runs; what takes too long is stopped and handed back for another worker.
    async fn drain(mut self) {
        let deadline = Instant::now() + DRAIN;
        while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, self.tasks.join_next_with_id()).await {
            self.end(ended);
        }
        self.tasks.shutdown().await;
        for job in self.jobs.into_values() {
            self.finisher.record(Worker::released(&job.lease));
        }
        self.finisher.stop().await;
    }
}

/// Runs one job while renewing its lease; how it ended, unless the lease is lost.
async fn work(worker: Arc<Worker>, job: ClaimedJob) -> Option<Ended> {
    let lease = job.lease;
    let timeout = Duration::try_from(worker.timeout(&job.job.kind)).unwrap_or(POLL);
    let brief = job.brief();
    tokio::select! {
        ended = worker.execute(job) => ended,
        // Beside the job, not between its steps: the job may hold what a renewal waits for.
        () = renew(&worker, &lease) => {
            tracing::warn!(job = %lease.job, "lost the lease of a job, stopping it");
            None
        }
        () = closing(&worker, &lease) => {
            tracing::info!(job = %lease.job, "the organisation isn't in use any more: its job waits");
            Some(Worker::released(&lease))
        }
        () = tokio::time::sleep(timeout) => {
            tracing::warn!(job = %lease.job, kind = brief.job.kind, "a job took too long, stopping it");
            Some(worker.timed_out(&brief))
        }
    }
}

/// Ready when the organisation of a job isn't in use any more.
async fn closing(worker: &Worker, lease: &Lease) {
    loop {
        tokio::time::sleep(ASK).await;
        match worker.is_open(lease).await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, job = %lease.job, "can't ask for an organisation");
            }
        }
    }
}

/// Renews a lease until it is lost.
async fn renew(worker: &Worker, lease: &Lease) {
    let every = Duration::try_from(LEASE.span()).unwrap_or(POLL) / 3;
    loop {
        tokio::time::sleep(every).await;
        match worker.renew(lease).await {
            Ok(true) => {}
            Ok(false) => return,
            // The lease may still hold; whatever the job writes checks it.
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, job = %lease.job, "can't renew a lease");
            }
        }
    }
}
