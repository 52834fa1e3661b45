//! Records how jobs ended: those that end while a statement is under way go into the next one together.

use std::sync::Arc;
use std::time::Duration;

use hrms_core::job::{Ended, Worker};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// So many ends go into one unit of work.
const BATCH: usize = 500;

/// How long it is tried to record an end. The leases last longer, so that no other worker has the jobs yet.
const TRY: Duration = Duration::from_secs(30);

/// Takes the ends of jobs and records them in the background.
pub(super) struct Finisher {
    ends: mpsc::UnboundedSender<Ended>,
    task: JoinHandle<()>,
}

impl Finisher {
    pub(super) fn start(worker: Arc<Worker>) -> Self {
        let (ends, ended) = mpsc::unbounded_channel();
        Self { ends, task: tokio::spawn(run(worker, ended)) }
    }

    /// Hands over an end. There are never more than there were slots since the last statement that went well.
    pub(super) fn record(&self, ended: Ended) {
        // The task ends only when we do.
        let _ = self.ends.send(ended);
    }

    /// Ready when everything is recorded.
    pub(super) async fn stop(self) {
        drop(self.ends);
        if let Err(panic) = self.task.await {
            tracing::error!(%panic, "the recording of jobs ended unexpectedly");
        }
    }
}

async fn run(worker: Arc<Worker>, mut ended: mpsc::UnboundedReceiver<Ended>) {
    let mut batch = Vec::with_capacity(BATCH);
    while ended.recv_many(&mut batch, BATCH).await > 0 {
        record(&worker, &batch).await;
        batch.clear();
    }
}

async fn record(worker: &Worker, batch: &[Ended]) {
    let give_up = Instant::now() + TRY;
    let mut wait = Duration::from_millis(100);
    while let Err(error) = worker.record(batch).await {
        if Instant::now() + wait > give_up {
            let (error, jobs) = (&error as &dyn std::error::Error, batch.len());
            tracing::warn!(error, jobs, "can't record how jobs ended; they come back later");
            return;
        }
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
}
