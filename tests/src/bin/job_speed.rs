//! How fast background jobs go on both engines: no-op jobs, each enqueued by a transaction of its own.
//!
//! Run it with `tests/run.sh --with cargo run --release -p hrms-tests --bin job_speed`, or with a server of your own in
//! `HRMS_TEST_PG_URL`. `HRMS_TEST_JOBS` says how many jobs (20,000), `HRMS_TEST_SLOTS` how many run at a time (64).
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    clippy::indexing_slicing,
    reason = "a measurement tells what it measured, and a broken assumption panics"
)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hrms_core::contract::{id, tenant};
use hrms_core::job::{EnqueueOptions, Job, JobContext, JobError, JobRegistry, Outcome, Requester, Retention};
use hrms_core::{Actor, Cause, Hrms, Operator, RequestId};
use hrms_server::worker::Background;
use hrms_store::SqlStore;
use hrms_tests::{Fresh, postgres, sqlite_file};
use serde::{Deserialize, Serialize};

static RUNS: AtomicU64 = AtomicU64::new(0);
static STARTED: Mutex<Option<Instant>> = Mutex::new(None);

#[derive(Serialize, Deserialize)]
struct Noop {}

impl Job for Noop {
    const KIND: &'static str = "speed.noop";

    async fn run(&self, _: &JobContext) -> Result<Outcome, JobError> {
        STARTED.lock().unwrap().get_or_insert_with(Instant::now);
        RUNS.fetch_add(1, Ordering::Relaxed);
        Outcome::done(())
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

async fn enqueue(hrms: &Hrms, actor: &Actor) {
    let mut work = hrms.begin(actor).await.unwrap();
    work.enqueue(&Noop {}, EnqueueOptions::default()).await.unwrap();
    work.commit(()).await.unwrap();
}

/// Enqueues so many, each in a transaction, by eight tasks at a time.
async fn enqueue_all(hrms: &Hrms, actors: &[Actor], jobs: u64) {
    let tasks: Vec<_> = (0..8u64)
        .map(|task| {
            let (hrms, actor) = (hrms.clone(), actors[task as usize % actors.len()].clone());
            tokio::spawn(async move {
                for _ in 0..jobs / 8 {
                    enqueue(&hrms, &actor).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// Until all have run and are recorded.
async fn all_done(hrms: &Hrms, jobs: u64) {
    let by = Operator::command(RequestId::from_uuid(id()));
    while RUNS.load(Ordering::Relaxed) < jobs {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    loop {
        let queues = hrms.jobs().queues(&by).await.unwrap().queues;
        if queues.iter().all(|queue| queue.running + queue.waiting == 0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn measure(name: &str, fresh: Fresh) {
    let (jobs, slots) = (number("HRMS_TEST_JOBS", 20_000) / 8 * 8, number("HRMS_TEST_SLOTS", 64));
    let hrms = Hrms::new(SqlStore::clone(&fresh));
    let registry = JobRegistry::empty().with::<Noop>();
    let start = || {
        Background::start(hrms.clone(), registry.clone(), u16::try_from(slots).unwrap(), Retention::default())
    };
    let mut actors = Vec::new();
    for _ in 0..4 {
        let tenant = tenant(&*fresh).await;
        actors.push(Actor::system(tenant, "speed", &[], Cause::Embedder, RequestId::from_uuid(id())));
    }
    assert!(matches!(Requester::of(&actors[0]), Requester::System { .. }));
    let rate = |jobs: u64, from: Instant| jobs as f64 / from.elapsed().as_secs_f64();

    let from = Instant::now();
    enqueue_all(&hrms, &actors, jobs).await;
    println!("{name}: enqueue, one transaction each: {:.0}/s", rate(jobs, from));

    RUNS.store(0, Ordering::Relaxed);
    let from = Instant::now();
    let node = start();
    all_done(&hrms, jobs).await;
    println!("{name}: run and record {jobs} that wait, {slots} slots: {:.0}/s", rate(jobs, from));

    RUNS.store(0, Ordering::Relaxed);
    let from = Instant::now();
    enqueue_all(&hrms, &actors, jobs).await;
    all_done(&hrms, jobs).await;
    println!("{name}: enqueue and run at the same time: {:.0}/s", rate(jobs, from));

    let mut waits = Vec::new();
    for _ in 0..300 {
        tokio::time::sleep(Duration::from_millis(10)).await;
        RUNS.store(0, Ordering::Relaxed);
        *STARTED.lock().unwrap() = None;
        let from = Instant::now();
        enqueue(&hrms, &actors[0]).await;
        while RUNS.load(Ordering::Relaxed) == 0 {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        waits.push(STARTED.lock().unwrap().unwrap().duration_since(from));
    }
    waits.sort();
    println!(
        "{name}: from before enqueueing to the start when idle: p50 {:.1} ms, p99 {:.1} ms",
        waits[150].as_secs_f64() * 1e3,
        waits[297].as_secs_f64() * 1e3
    );
    node.stop().await;
}

#[tokio::main]
async fn main() {
    measure("PostgreSQL", postgres().await).await;
    measure("SQLite", sqlite_file().await).await;
}
