//! What operators see of the queues of all organisations: numbers that are known here.

use hrms_core::actor::{Actor, Cause};
use hrms_core::contract::{id, tenant};
use hrms_core::job::{
    EnqueueOptions, Job, JobContext, JobError, JobRegistry, Outcome, Slots, Worker, run_until_idle,
};
use hrms_core::{Hrms, RequestId};
use hrms_store::SqlStore;
use hrms_tests::Fresh;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::http::{Service, log_in, service};

#[derive(Serialize, Deserialize)]
struct Good {}

impl Job for Good {
    const KIND: &'static str = "test.good";

    async fn run(&self, _: &JobContext) -> Result<Outcome, JobError> {
        Outcome::done(())
    }
}

#[derive(Serialize, Deserialize)]
struct Bad {}

impl Job for Bad {
    const KIND: &'static str = "test.bad";

    async fn run(&self, _: &JobContext) -> Result<Outcome, JobError> {
        Err(JobError::give_up(std::io::Error::other("it is bad")))
    }
}

async fn enqueue<J: Job>(hrms: &Hrms, by: &Actor, jobs: &[J], delay: i64) {
    let mut work = hrms.begin(by).await.unwrap();
    for job in jobs {
        let options = EnqueueOptions { delay: SignedDuration::from_secs(delay), ..EnqueueOptions::default() };
        work.enqueue(job, options).await.unwrap();
    }
    work.commit(()).await.unwrap();
}

/// The queues of this test's kinds.
async fn queues(service: &Service) -> Vec<Value> {
    let seen = service.operator.get("/api/v1/platform/queues").await.expect(200).json();
    assert_eq!(seen["window_minutes"], 5);
    let ours = |queue: &&Value| queue["kind"].as_str().unwrap().starts_with("test.");
    seen["queues"].as_array().unwrap().iter().filter(ours).cloned().collect()
}

fn queue(
    kind: &str,
    waiting: [u64; 2],
    oldest: Option<i64>,
    running: u64,
    failed: u64,
    ended: [u64; 2],
) -> Value {
    json!({
        "kind": kind, "waiting": waiting[0], "scheduled": waiting[1], "oldest_waiting_seconds": oldest,
        "running": running, "failed": failed, "ended_in_window": ended[0], "failed_in_window": ended[1],
    })
}

async fn numbers_of_all_organisations_are_added_up(store: &Fresh) {
    let mut service = service(store).await;
    let hrms = Hrms::builder(SqlStore::clone(store)).clock(service.clock.clone()).build();
    let registry = JobRegistry::empty().with::<Good>().with::<Bad>();
    let mut actors = Vec::new();
    for _ in 0..2 {
        let request = RequestId::from_uuid(id());
        actors.push(Actor::system(tenant(&**store).await, "test", &[], Cause::Embedder, request));
    }
    assert_eq!(queues(&service).await, Vec::<Value>::new());

    enqueue(&hrms, &actors[0], &[Good {}, Good {}, Good {}], 0).await;
    service.pass(20);
    enqueue(&hrms, &actors[1], &[Good {}], 0).await;
    enqueue(&hrms, &actors[1], &[Good {}], 3600).await;
    enqueue(&hrms, &actors[1], &[Bad {}, Bad {}], 0).await;
    service.pass(10);
    let bad = queue("test.bad", [2, 0], Some(10), 0, 0, [0, 0]);
    assert_eq!(queues(&service).await, [bad, queue("test.good", [4, 1], Some(30), 0, 0, [0, 0])]);

    // One slot for each organisation; the first one has nothing but good jobs.
    let worker = Worker::new(hrms.clone(), JobRegistry::empty().with::<Good>(), "test");
    let claimed = worker.claim_for(&Slots::unreserved(2)).await.unwrap();
    assert_eq!(claimed.len(), 2);
    let bad = queue("test.bad", [2, 0], Some(10), 0, 0, [0, 0]);
    assert_eq!(queues(&service).await, [bad, queue("test.good", [2, 1], Some(30), 2, 0, [0, 0])]);
    for job in claimed {
        worker.run(job).await.unwrap();
    }
    run_until_idle(&hrms, &registry).await.unwrap();
    let bad = queue("test.bad", [0, 0], None, 0, 2, [2, 2]);
    assert_eq!(queues(&service).await, [bad, queue("test.good", [0, 1], None, 0, 0, [4, 0])]);

    // The window is over; who failed is still there.
    service.pass(301);
    service.operator = log_in(&service.nobody, None, "olga@service.example").await;
    let bad = queue("test.bad", [0, 0], None, 0, 2, [0, 0]);
    assert_eq!(queues(&service).await, [bad, queue("test.good", [0, 1], None, 0, 0, [0, 0])]);
    service.nobody.get("/api/v1/platform/queues").await.expect(401);
    let one = service.organization("one").await;
    one.owner.get("/api/v1/platform/queues").await.expect(403);
}

hrms_tests::on_every_engine!(numbers_of_all_organisations_are_added_up);
