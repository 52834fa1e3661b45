//! Runs background jobs in this process: timers, tasks and shutdown around core's worker.

use std::sync::Arc;
use std::time::Duration;

use hrms_core::job::{ClaimedJob, JobRegistry, LEASE, Lease, Worker};
use hrms_core::{Hrms, Operator, RequestId};
use tokio::sync::watch;
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;

/// How often the queue is looked at when nothing rings: jobs of other processes, and jobs that wait for
/// their time.
const POLL: Duration = Duration::from_secs(1);

/// How often jobs of workers that went silent are looked for.
const RESCUE: Duration = Duration::from_secs(10);

/// How often it is asked whether the organisation of a running job is still in use.
const ASK: Duration = Duration::from_secs(2);

/// How often closed organisations whose hold is over are looked for.
const PURGE: Duration = Duration::from_secs(60 * 60);

/// How long running jobs may take to finish at shutdown; then they are handed back.
const DRAIN: Duration = Duration::from_secs(15);

/// Runs at most `slots` jobs at a time until `stopping` says so, then drains.
///
/// With no slots it returns at once.
pub async fn run(hrms: Hrms, registry: JobRegistry, slots: u16, mut stopping: watch::Receiver<bool>) {
    if slots == 0 {
        return;
    }
    let name = format!("process {}", std::process::id());
    let worker = Arc::new(Worker::new(hrms.clone(), registry, name));
    let purging = tokio::spawn(purge(hrms.clone(), stopping.clone()));
    let mut running = Running::default();
    let mut rescue_at = Instant::now();
    let jobs = hrms.jobs();
    while !*stopping.borrow() {
        if Instant::now() >= rescue_at {
            rescue_at = Instant::now() + RESCUE;
            if let Err(error) = worker.rescue().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "can't look for lost jobs");
            }
        }
        let free = usize::from(slots).saturating_sub(running.jobs.len());
        let mut more = false;
        if let Ok(free) = u16::try_from(free)
            && free > 0
        {
            match worker.claim(free).await {
                Ok(claimed) => {
                    more = claimed.len() == usize::from(free);
                    claimed.into_iter().for_each(|job| running.start(&worker, job));
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "can't claim jobs");
                }
            }
        }
        tokio::select! {
            // All slots are taken, or nothing is due: a job that ends, a bell or the clock goes on.
            Some(ended) = running.tasks.join_next_with_id() => running.end(&worker, ended).await,
            () = jobs.woken(), if !more => {}
            () = tokio::time::sleep(POLL) => {}
            _ = stopping.changed() => {}
        }
    }
    running.drain(&worker).await;
    // What isn't finished is undone, and done again at the next start.
    purging.abort();
}

/// Purges closed organisations whose hold is over, now and then.
async fn purge(hrms: Hrms, mut stopping: watch::Receiver<bool>) {
    while !*stopping.borrow() {
        let by = Operator::command(RequestId::from_uuid(hrms.ids().next()));
        match hrms.organizations().purge_due(&by).await {
            Ok(purged) if !purged.is_empty() => continue,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "can't purge closed organisations");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(PURGE) => {}
            _ = stopping.changed() => {}
        }
    }
}

/// How often it is looked whether audit logs are to be anchored.
const ANCHOR: Duration = Duration::from_secs(10);

/// Anchors audit logs until `stopping` says so: those that others left at first, then those that grow here.
pub async fn anchor(hrms: Hrms, mut stopping: watch::Receiver<bool>) {
    let report = |anchored: Result<usize, hrms_core::CommonError>| {
        if let Err(error) = anchored {
            tracing::warn!(error = &error as &dyn std::error::Error, "can't anchor audit logs");
        }
    };
    report(hrms.audit().anchor_everything().await);
    while !*stopping.borrow() {
        tokio::select! {
            () = tokio::time::sleep(ANCHOR) => report(hrms.audit().anchor_grown(false).await),
            _ = stopping.changed() => {}
        }
    }
    report(hrms.audit().anchor_grown(true).await);
}

/// The jobs at work, by task.
#[derive(Default)]
struct Running {
    tasks: JoinSet<()>,
    jobs: Vec<(Id, ClaimedJob)>,
}

impl Running {
    fn start(&mut self, worker: &Arc<Worker>, job: ClaimedJob) {
        let task = work(Arc::clone(worker), job.clone());
        let id = self.tasks.spawn(task).id();
        self.jobs.push((id, job));
    }

    async fn end(&mut self, worker: &Worker, ended: Result<(Id, ()), tokio::task::JoinError>) {
        let (id, crashed) = match ended {
            Ok((id, ())) => (id, false),
            Err(error) => (error.id(), error.is_panic()),
        };
        let Some(at) = self.jobs.iter().position(|(task, _)| *task == id) else { return };
        let (_, job) = self.jobs.swap_remove(at);
        if crashed {
            tracing::error!(job = %job.lease.job, kind = job.job.kind, "job crashed");
            report(worker.record_crash(&job).await, &job.lease);
        }
    }

    /// Waits for what runs; what takes too long is stopped and handed back for another worker.
    async fn drain(mut self, worker: &Worker) {
        let deadline = Instant::now() + DRAIN;
        while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, self.tasks.join_next_with_id()).await {
            self.end(worker, ended).await;
        }
        self.tasks.shutdown().await;
        for (_, job) in self.jobs {
            report(worker.release(&job.lease).await, &job.lease);
        }
    }
}

fn report(result: Result<(), hrms_core::CommonError>, lease: &Lease) {
    if let Err(error) = result {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, job = %lease.job, "can't record how a job ended; it comes back later");
    }
}

/// Runs one job while renewing its lease; stops when the lease is lost.
async fn work(worker: Arc<Worker>, job: ClaimedJob) {
    let lease = job.lease;
    tokio::select! {
        ended = worker.run(job) => report(ended, &lease),
        // Beside the job, not between its steps: the job may hold what a renewal waits for.
        () = renew(&worker, &lease) => tracing::warn!(job = %lease.job, "lost the lease of a job, stopping it"),
        () = closing(&worker, &lease) => {
            tracing::info!(job = %lease.job, "the organisation isn't in use any more: its job waits");
            report(worker.release(&lease).await, &lease);
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
