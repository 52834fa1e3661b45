//! The worker of the server, with real tasks and the real clock: slots, limits, timeouts, crashes and bursts.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use hrms_core::contract::{id, tenant};
use hrms_core::job::{
    EnqueueOptions, Job, JobContext, JobError, JobRegistry, JobState, JobView, Outcome, Retention,
};
use hrms_core::{Actor, Hrms, JobId, Role, TenantId};
use hrms_server::worker::Background;
use hrms_store::SqlStore;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use sqlx::{Connection, PgConnection};
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::all::imports::user;
use crate::all::support::{Fresh, postgres, sqlite_file};

/// What the jobs of one test share with it.
#[derive(Debug)]
struct Shared {
    runs: Mutex<HashMap<u32, usize>>,
    now: AtomicUsize,
    most: AtomicUsize,
    gate: Semaphore,
}

fn shared(test: Uuid) -> Arc<Shared> {
    static ALL: OnceLock<Mutex<HashMap<Uuid, Arc<Shared>>>> = OnceLock::new();
    let mut all = ALL.get_or_init(Mutex::default).lock().unwrap();
    let new = || {
        Arc::new(Shared {
            runs: Mutex::default(),
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            gate: Semaphore::new(0),
        })
    };
    all.entry(test).or_insert_with(new).clone()
}

impl Shared {
    fn count(&self, number: u32) {
        *self.runs.lock().unwrap().entry(number).or_default() += 1;
    }

    fn runs(&self) -> usize {
        self.runs.lock().unwrap().values().sum()
    }
}

macro_rules! kinds {
    ($($name:ident $kind:literal { $($const:tt)* } |$this:ident, $shared:ident| $body:block)+) => {$(
        #[derive(Serialize, Deserialize)]
        struct $name { test: Uuid, number: u32 }

        impl Job for $name {
            const KIND: &'static str = $kind;
            $($const)*

            async fn run(&self, _: &JobContext) -> Result<Outcome, JobError> {
                let ($this, $shared) = (self, shared(self.test));
                $body
            }
        }
    )+};
}

kinds! {
    Count "test.count" {} |this, shared| {
        shared.count(this.number);
        Outcome::done(())
    }
    Block "test.block" {} |this, shared| {
        shared.count(this.number);
        shared.gate.acquire().await.unwrap().forget();
        Outcome::done(())
    }
    Endless "test.endless" { const TIMEOUT: SignedDuration = SignedDuration::from_millis(50); } |this, shared| {
        shared.count(this.number);
        std::future::pending().await
    }
    Panics "test.panics" { const MAX_ATTEMPTS: u16 = 1; } |this, shared| {
        shared.count(this.number);
        panic!("a defect")
    }
    Few "test.few" { const CONCURRENCY: Option<u16> = Some(2); } |this, shared| {
        let now = shared.now.fetch_add(1, Ordering::SeqCst) + 1;
        shared.most.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(3)).await;
        shared.now.fetch_sub(1, Ordering::SeqCst);
        shared.count(this.number);
        Outcome::done(())
    }
}

struct Setting {
    hrms: Hrms,
    test: Uuid,
    shared: Arc<Shared>,
    fresh: Fresh,
}

impl Setting {
    fn new(fresh: Fresh) -> Self {
        let (hrms, test) = (Hrms::new(SqlStore::clone(&fresh)), id());
        Self { hrms, test, shared: shared(test), fresh }
    }

    /// Another node on the same database.
    fn start(&self, slots: u16) -> Background {
        let registry = JobRegistry::empty().with::<Count>().with::<Block>().with::<Endless>();
        let registry = registry.with::<Panics>().with::<Few>();
        let hrms = if self.fresh.urls.is_some() {
            Hrms::new(SqlStore::clone(&self.fresh))
        } else {
            self.hrms.clone()
        };
        Background::start(hrms, registry, slots, Retention::default())
    }

    async fn someone(&self) -> Actor {
        let tenant: TenantId = tenant(&*self.fresh).await;
        user(tenant, &[Role::Hr])
    }

    async fn enqueue<J: Job>(&self, actor: &Actor, jobs: &[J]) -> Vec<JobId> {
        let mut work = self.hrms.begin(actor).await.unwrap();
        let mut ids = Vec::new();
        for job in jobs {
            ids.push(work.enqueue(job, EnqueueOptions::default()).await.unwrap());
        }
        work.commit(()).await.unwrap();
        ids
    }

    async fn view(&self, actor: &Actor, id: JobId) -> JobView {
        self.hrms.jobs().get(actor, id).await.unwrap()
    }
}

/// Looks again and again until it is so; fails if that takes too long.
async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    while !holds().await {
        assert!(tokio::time::Instant::now() < deadline, "not in 30 s: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn a_burst_of_several_tenants_is_done_once_each_by_two_nodes(fresh: Fresh) {
    let s = Setting::new(fresh);
    let nodes = [s.start(16), s.start(16)];
    let mut ids = Vec::new();
    for tenant in 0..3u32 {
        let actor = s.someone().await;
        let jobs: Vec<_> = (0..300).map(|n| Count { test: s.test, number: tenant * 1000 + n }).collect();
        let made = s.enqueue(&actor, &jobs).await;
        ids.extend(made.into_iter().map(|id| (actor.clone(), id)));
    }
    eventually("900 runs", async || s.shared.runs() >= 900).await;
    for node in nodes {
        node.stop().await;
    }
    let runs = s.shared.runs.lock().unwrap().clone();
    assert_eq!(runs.len(), 900);
    assert!(runs.values().all(|runs| *runs == 1), "some ran twice");
    for (actor, id) in ids {
        assert_eq!(s.view(&actor, id).await.state, JobState::Succeeded);
    }
}

async fn long_jobs_of_one_tenant_leave_room_for_others(fresh: Fresh) {
    let s = Setting::new(fresh);
    let (busy, quiet) = (s.someone().await, s.someone().await);
    let jobs: Vec<_> = (0..40).map(|number| Block { test: s.test, number }).collect();
    s.enqueue(&busy, &jobs).await;
    let node = s.start(4);
    eventually("three of four slots are taken", async || s.shared.runs() == 3).await;
    let [id] = s.enqueue(&quiet, &[Count { test: s.test, number: 99 }]).await[..] else { unreachable!() };
    eventually("the other tenant's is done", async || s.view(&quiet, id).await.state == JobState::Succeeded)
        .await;
    assert_eq!(s.shared.runs(), 4, "and nothing else");
    s.shared.gate.add_permits(40);
    node.stop().await;
}

async fn a_run_that_takes_too_long_or_breaks_is_a_failed_attempt(fresh: Fresh) {
    let s = Setting::new(fresh);
    let actor = s.someone().await;
    let node = s.start(4);
    let endless = s.enqueue(&actor, &[Endless { test: s.test, number: 1 }]).await[0];
    let panics = s.enqueue(&actor, &[Panics { test: s.test, number: 2 }]).await[0];
    eventually("both attempts failed", async || {
        s.view(&actor, endless).await.error.is_some() && s.view(&actor, panics).await.error.is_some()
    })
    .await;
    let late = s.view(&actor, endless).await;
    assert_eq!((late.state, late.error.unwrap().code.as_str()), (JobState::Queued, "job.timeout"));
    let broken = s.view(&actor, panics).await;
    assert_eq!((broken.state, broken.error.unwrap().code.as_str()), (JobState::Failed, "job.crashed"));
    node.stop().await;
}

async fn four_nodes_together_hold_a_kind_to_its_limit(fresh: Fresh) {
    let s = Setting::new(fresh);
    let nodes = [s.start(8), s.start(8), s.start(8), s.start(8)];
    let (one, two) = (s.someone().await, s.someone().await);
    for actor in [&one, &two] {
        let jobs: Vec<_> = (0..20).map(|number| Few { test: s.test, number }).collect();
        s.enqueue(actor, &jobs).await;
    }
    eventually("40 runs", async || s.shared.runs() == 40).await;
    assert_eq!(s.shared.most.load(Ordering::SeqCst), 2);
    for node in nodes {
        node.stop().await;
    }
}

/// What still runs at the end of the drain is handed back; what waits isn't touched.
async fn stopping_drains_and_claims_nothing_more(fresh: Fresh) {
    let s = Setting::new(fresh);
    let actor = s.someone().await;
    let ids =
        s.enqueue(&actor, &(0..3).map(|number| Block { test: s.test, number }).collect::<Vec<_>>()).await;
    let node = s.start(1);
    eventually("the first runs", async || s.shared.runs() == 1).await;
    // Told to stop first; then the job may end.
    tokio::join!(node.stop(), async { s.shared.gate.add_permits(3) });
    assert_eq!(s.shared.runs(), 1, "nothing new was begun");
    let mut states = Vec::new();
    for id in ids {
        let job = s.view(&actor, id).await;
        states.push((job.state, job.attempts));
    }
    states.sort_by_key(|state| state.1);
    assert_eq!(states, [(JobState::Queued, 0), (JobState::Queued, 0), (JobState::Succeeded, 1)]);
}

/// One tenant has 100,000 jobs waiting, of its most urgent kind, and its jobs take forever.
#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_of_100_000_jobs_delays_nobody_else() {
    let s = Setting::new(postgres().await);
    let (busy, quiet) = (s.someone().await, s.someone().await);
    let first = s.enqueue(&busy, &[Block { test: s.test, number: 1 }]).await[0];
    let (admin, _) = s.fresh.urls.as_ref().unwrap();
    let mut owner = PgConnection::connect(admin).await.unwrap();
    let many = "INSERT INTO job (tenant_id, id, kind, payload, priority, requester, requested_by, request_id, state, \
                attempts, max_attempts, run_at, lease, cancel_requested, done, created_at, updated_at) \
                SELECT tenant_id, gen_random_uuid(), kind, payload, 0, requester, requested_by, request_id, state, \
                attempts, max_attempts, run_at - interval '1 hour', lease, cancel_requested, done, created_at, updated_at \
                FROM job, generate_series(1, 100000) WHERE id = $1";
    sqlx::query(many).bind(first.as_uuid()).execute(&mut owner).await.unwrap();
    let node = s.start(4);
    eventually("the slots of the busy one are taken", async || s.shared.runs() == 3).await;
    for number in 0..5 {
        let from = Instant::now();
        let [id] = s.enqueue(&quiet, &[Count { test: s.test, number }]).await[..] else { unreachable!() };
        eventually("the other's is done", async || s.view(&quiet, id).await.state == JobState::Succeeded)
            .await;
        assert!(from.elapsed() < Duration::from_secs(5), "{:?}", from.elapsed());
    }
    s.shared.gate.add_permits(3);
    node.stop().await;
}

macro_rules! on_every_engine {
    ($($story:ident),+ $(,)?) => {
        mod on_sqlite_file { $(#[tokio::test(flavor = "multi_thread")] async fn $story() { super::$story(super::sqlite_file().await).await; })+ }
        mod on_postgres { $(#[tokio::test(flavor = "multi_thread")] async fn $story() { super::$story(super::postgres().await).await; })+ }
    };
}
on_every_engine!(
    a_burst_of_several_tenants_is_done_once_each_by_two_nodes,
    long_jobs_of_one_tenant_leave_room_for_others,
    a_run_that_takes_too_long_or_breaks_is_a_failed_attempt,
    four_nodes_together_hold_a_kind_to_its_limit,
    stopping_drains_and_claims_nothing_more,
);
