//! What the cross-crate suites share: fresh databases, the real server, a client for it, the data folder.
//!
//! `tests/run.sh` starts the servers and says where they are: `HRMS_TEST_PG_URL` (a superuser's URL) and
//! `HRMS_TEST_REDIS_URL`. Without them what needs them fails, and says so: a skipped suite proves nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::missing_panics_doc,
    clippy::allow_attributes,
    reason = "test support: a broken assumption panics"
)]

mod client;
mod database;
mod redis;
mod server;
mod smtp;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::{Path, PathBuf};

pub use client::{Client, Reply};
pub use database::{Fresh, postgres, sqlite_file, sqlite_memory};
pub use redis::Redis;
pub use server::{Server, server_command};
pub use smtp::{Mood, Received, SmtpSink};

/// Turns `async fn promise(store: &SqlStore)` of the surrounding module into one test per engine, in the
/// modules `sqlite` and `postgres`.
#[macro_export]
macro_rules! on_every_engine {
    ($($promise:ident),+ $(,)?) => {
        mod sqlite {
            $(
                #[tokio::test]
                async fn $promise() {
                    let store = $crate::sqlite_memory().await;
                    super::$promise(&store).await;
                }
            )+
        }
        mod postgres {
            $(
                #[tokio::test]
                async fn $promise() {
                    let store = $crate::postgres().await;
                    super::$promise(&store).await;
                }
            )+
        }
    };
}

/// The URL of the Redis server to test with.
#[must_use]
pub fn redis_url() -> String {
    service("HRMS_TEST_REDIS_URL")
}

/// The folder with shared data and cases, beside the project or where `HRMS_SHARED` says; `None` where the
/// test is to be skipped. The project never needs it.
#[must_use]
pub fn shared_dir() -> Option<PathBuf> {
    let dir = std::env::var_os("HRMS_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared"), PathBuf::from);
    if dir.is_dir() {
        return Some(dir);
    }
    // Past the capturing of the test harness, which would hide the line.
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    writeln!(std::io::stderr(), "skipped: no ../shared [{test}]").ok();
    None
}

fn service(variable: &str) -> String {
    match std::env::var(variable) {
        Ok(url) if !url.is_empty() => url,
        _ => panic!("{variable} is not set: run ./tests/run.sh, which starts the servers"),
    }
}
