//! Drives the relay of events: when a log has grown here, and now and then for those that grow elsewhere.

use std::time::Duration;

use hrms_core::event::Relay;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often logs are looked at when nothing wakes the relay.
const POLL: Duration = Duration::from_secs(1);

/// How long events are gathered, so that a log that grows fast isn't looked at for each of them.
const GATHER: Duration = Duration::from_millis(20);

/// How often it is looked for subscribers that are behind, because their job was given up.
const CATCH_UP: Duration = Duration::from_secs(60);

/// How often events that are older than they are to be kept are removed.
const FORGET: Duration = Duration::from_secs(60 * 60);

/// Runs it until `stopping` says so.
pub(super) async fn run(mut relay: Relay, mut stopping: watch::Receiver<bool>) {
    let (mut catch_up_at, mut forget_at) = (Instant::now(), Instant::now());
    while !*stopping.borrow() {
        if Instant::now() >= catch_up_at {
            catch_up_at = Instant::now() + CATCH_UP;
            if let Err(error) = relay.catch_up().await {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "can't look for subscribers that are behind");
            }
        }
        if Instant::now() >= forget_at {
            forget_at = Instant::now() + FORGET;
            if let Err(error) = relay.forget().await {
                tracing::warn!(error = &error as &dyn std::error::Error, "can't remove old events");
            }
        }
        if let Err(error) = relay.pass().await {
            tracing::warn!(error = &error as &dyn std::error::Error, "can't give subscribers all their jobs");
        }
        tokio::select! {
            () = relay.woken() => tokio::time::sleep(GATHER).await,
            () = tokio::time::sleep(POLL) => {}
            _ = stopping.changed() => {}
        }
    }
}
