//! Drives the relay of events: when a log has grown here, and now and then for those that grow elsewhere.

use std::time::Duration;

use hrms_core::event::Relay;
use tokio::sync::watch;

/// How often logs are looked at when nothing wakes the relay.
const POLL: Duration = Duration::from_secs(1);

/// Runs it until `stopping` says so.
pub(super) async fn run(mut relay: Relay, mut stopping: watch::Receiver<bool>) {
    if let Err(error) = relay.catch_up().await {
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "can't look for subscribers that are behind"
        );
    }
    while !*stopping.borrow() {
        if let Err(error) = relay.pass().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "can't give subscribers all their jobs");
        }
        tokio::select! {
            () = relay.woken() => {}
            () = tokio::time::sleep(POLL) => {}
            _ = stopping.changed() => {}
        }
    }
}
