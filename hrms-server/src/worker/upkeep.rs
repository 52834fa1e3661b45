//! What is done now and then beside the jobs.

use std::sync::Arc;
use std::time::Duration;

use hrms_core::job::Worker;
use hrms_core::{Hrms, Operator, RequestId};
use tokio::sync::watch;

/// How often jobs of workers that went silent are looked for.
const RESCUE: Duration = Duration::from_secs(10);

/// How often closed organisations whose hold is over are looked for.
const PURGE: Duration = Duration::from_secs(60 * 60);

/// Does all of it until `stopping` says so.
pub(super) async fn run(hrms: Hrms, worker: Arc<Worker>, stopping: watch::Receiver<bool>) {
    tokio::join!(rescue(&worker, stopping.clone()), purge(hrms, stopping));
}

/// Brings back jobs whose workers went silent.
async fn rescue(worker: &Worker, mut stopping: watch::Receiver<bool>) {
    while !*stopping.borrow() {
        if let Err(error) = worker.rescue().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "can't look for lost jobs");
        }
        tokio::select! {
            () = tokio::time::sleep(RESCUE) => {}
            _ = stopping.changed() => {}
        }
    }
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
