//! What is done now and then beside the jobs.

use std::sync::Arc;
use std::time::Duration;

use hrms_core::job::{Retention, Worker};
use hrms_core::organization::OrganizationError;
use hrms_core::{Hrms, Operator, RequestId};
use tokio::sync::watch;

/// How often jobs of workers that went silent are looked for.
const RESCUE: Duration = Duration::from_secs(10);

/// How often closed organisations whose hold is over are looked for.
const PURGE: Duration = Duration::from_secs(60 * 60);

/// How often schedules are looked at.
const TICK: Duration = Duration::from_secs(1);

/// How often it is looked for jobs that ended long ago.
const REMOVE: Duration = Duration::from_secs(60 * 60);

/// How often webhooks are looked for that should have been sent.
const SEND: Duration = Duration::from_secs(60);

/// What there is to do.
#[derive(Clone, Copy, Debug)]
enum Chore {
    /// Bring back jobs whose workers went silent.
    Rescue,
    /// Start what is on schedule.
    Start,
    /// Send webhooks whose job was given up.
    Send,
    /// Remove jobs that ended long ago.
    Remove,
    /// Purge closed organisations whose hold is over.
    Purge,
}

/// Does all of it until `stopping` says so.
pub(super) async fn run(
    hrms: Hrms,
    worker: Arc<Worker>,
    retention: Retention,
    stopping: watch::Receiver<bool>,
) {
    let upkeep = Upkeep { hrms, worker, retention };
    tokio::join!(
        upkeep.every(RESCUE, Chore::Rescue, stopping.clone()),
        upkeep.every(TICK, Chore::Start, stopping.clone()),
        upkeep.every(SEND, Chore::Send, stopping.clone()),
        upkeep.every(REMOVE, Chore::Remove, stopping.clone()),
        upkeep.every(PURGE, Chore::Purge, stopping),
    );
}

struct Upkeep {
    hrms: Hrms,
    worker: Arc<Worker>,
    retention: Retention,
}

impl Upkeep {
    /// Does something now and then until `stopping` says so.
    async fn every(&self, pause: Duration, chore: Chore, mut stopping: watch::Receiver<bool>) {
        while !*stopping.borrow() {
            if let Err(error) = self.once(chore).await {
                tracing::warn!(error = &error as &dyn std::error::Error, ?chore, "can't look after the jobs");
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = stopping.changed() => {}
            }
        }
    }

    async fn once(&self, chore: Chore) -> Result<(), OrganizationError> {
        match chore {
            Chore::Rescue => {
                self.worker.rescue().await?;
            }
            Chore::Start => {
                self.hrms.schedules().run_due().await?;
            }
            Chore::Send => {
                self.hrms.webhooks().rescue().await?;
                self.hrms.notifications().rescue().await?;
            }
            Chore::Remove => {
                self.hrms.jobs().remove_ended(&self.retention).await?;
            }
            Chore::Purge => loop {
                let by = Operator::command(RequestId::from_uuid(self.hrms.ids().next()));
                if self.hrms.organizations().purge_due(&by).await?.is_empty() {
                    break;
                }
            },
        }
        Ok(())
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
