//! Jobs through the worker: rights, retries, the dead letter, and effects that happen once.

mod model;
mod process;
mod running;

use std::sync::Arc;
use std::time::Duration;

use hrms_core::actor::{Actor, Cause, Who};
use hrms_core::contract::{at, id, tenant};
use hrms_core::id::{RequestId, UserId};
use hrms_core::job::{
    EnqueueOptions, Job, JobContext, JobError, JobFilter, JobRegistry, JobState, Outcome, Worker,
    run_until_idle,
};
use hrms_core::location::{LocationFilter, NewLocation};
use hrms_core::{Clock, CommonError, FixedClock, Hrms, PageRequest, Role};
use hrms_store::SqlStore;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::all::support::{Fresh, postgres, sqlite_file, sqlite_memory};

/// A clock that the test and the system share.
#[derive(Clone, Debug)]
struct Shared(Arc<FixedClock>);

impl Clock for Shared {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

struct Setting {
    hrms: Hrms,
    clock: Arc<FixedClock>,
    actor: Actor,
    _fresh: Fresh,
}

async fn setting(fresh: Fresh) -> Setting {
    let clock = Arc::new(FixedClock::at(at(0)));
    let hrms = Hrms::builder(SqlStore::clone(&fresh)).clock(Shared(clock.clone())).build();
    let tenant = tenant(&*fresh).await;
    let who = Who::User { user: UserId::from_uuid(id()), session: None, employee: None };
    let actor = Actor::user(tenant, who, &[Role::Hr], Cause::Request, RequestId::from_uuid(id()));
    Setting { hrms, clock, actor, _fresh: fresh }
}

impl Setting {
    async fn enqueue<J: Job>(&self, job: &J) -> hrms_core::JobId {
        let mut work = self.hrms.begin(&self.actor).await.unwrap();
        let id = work.enqueue(job, EnqueueOptions::default()).await.unwrap();
        work.commit(()).await.unwrap();
        id
    }

    async fn state(&self, id: hrms_core::JobId) -> JobState {
        self.hrms.jobs().get(&self.actor, id).await.unwrap().state
    }
}

/// Fails for a while by the clock, then opens a location, all in one unit of work with its success.
#[derive(Serialize, Deserialize)]
struct Open {
    code: String,
    works_from: Timestamp,
    forbidden: bool,
}

impl Job for Open {
    const KIND: &'static str = "test.open";
    const MAX_ATTEMPTS: u16 = 3;

    async fn run(&self, cx: &JobContext) -> Result<Outcome, JobError> {
        if self.forbidden {
            return Err(CommonError::Forbidden { permission: hrms_core::Permission::LocationManage }.into());
        }
        if cx.hrms().clock().now() < self.works_from {
            return Err(JobError::retry(std::io::Error::other("not yet")));
        }
        let new =
            NewLocation { code: self.code.clone(), name: "Office".into(), time_zone: "Asia/Kolkata".into() };
        let location = cx.hrms().locations().create(cx.actor(), new).await?;
        let work = cx.hrms().begin(cx.actor()).await?;
        cx.commit_done(work, serde_json::json!({ "location_id": location.id })).await
    }
}

fn registry() -> JobRegistry {
    JobRegistry::empty().with::<Open>()
}

async fn a_job_acts_as_its_requester_and_shows_its_result(fresh: Fresh) {
    let setting = setting(fresh).await;
    let open = Open { code: "pune".into(), works_from: at(0), forbidden: false };
    let id = setting.enqueue(&open).await;
    assert_eq!(run_until_idle(&setting.hrms, &registry()).await.unwrap(), 1);
    let job = setting.hrms.jobs().get(&setting.actor, id).await.unwrap();
    assert_eq!((job.state, job.requested_by), (JobState::Succeeded, setting.actor.user_id()));
    assert!(job.result.unwrap().get("location_id").is_some());
    let page = PageRequest::default();
    let locations =
        setting.hrms.locations().list(&setting.actor, &LocationFilter::default(), &page).await.unwrap();
    assert_eq!(locations.items.len(), 1);
}

async fn retries_back_off_and_end_in_success_or_failure(fresh: Fresh) {
    let setting = setting(fresh).await;
    let good = setting.enqueue(&Open { code: "a".into(), works_from: at(3), forbidden: false }).await;
    let bad = setting.enqueue(&Open { code: "b".into(), works_from: at(9_999), forbidden: false }).await;
    let denied = setting.enqueue(&Open { code: "c".into(), works_from: at(0), forbidden: true }).await;
    assert_eq!(run_until_idle(&setting.hrms, &registry()).await.unwrap(), 3);
    assert_eq!(setting.state(good).await, JobState::Queued);
    assert_eq!(setting.state(denied).await, JobState::Failed, "no retry helps against lacking rights");
    assert_eq!(run_until_idle(&setting.hrms, &registry()).await.unwrap(), 0, "waits for its time");
    for _ in 0..4 {
        setting.clock.advance(SignedDuration::from_secs(5));
        run_until_idle(&setting.hrms, &registry()).await.unwrap();
    }
    assert_eq!(setting.state(good).await, JobState::Succeeded);
    let dead = setting.hrms.jobs().get(&setting.actor, bad).await.unwrap();
    assert_eq!((dead.state, dead.attempts), (JobState::Failed, 3));
    assert_eq!(dead.error.unwrap().detail, "not yet");
}

async fn a_worker_that_lost_its_lease_leaves_no_trace(fresh: Fresh) {
    let setting = setting(fresh).await;
    let id = setting.enqueue(&Open { code: "a".into(), works_from: at(0), forbidden: false }).await;
    let (slow, quick) = (
        Worker::new(setting.hrms.clone(), registry(), "slow"),
        Worker::new(setting.hrms.clone(), registry(), "quick"),
    );
    let first = slow.claim(1).await.unwrap().remove(0);
    setting.clock.advance(SignedDuration::from_secs(61));
    assert_eq!(quick.rescue().await.unwrap(), 1);
    let second = quick.claim(1).await.unwrap().remove(0);
    assert!(!slow.renew(&first.lease).await.unwrap());
    slow.record_crash(&first).await.unwrap();
    slow.release(&first.lease).await.unwrap();
    assert_eq!(setting.state(id).await, JobState::Running);
    quick.run(second).await.unwrap();
    assert_eq!(setting.state(id).await, JobState::Succeeded);
}

async fn jobs_are_shown_to_those_who_asked_and_to_the_organisation(fresh: Fresh) {
    let setting = setting(fresh).await;
    let id_of_job = setting.enqueue(&Open { code: "a".into(), works_from: at(0), forbidden: false }).await;
    let who = Who::User {
        user: UserId::from_uuid(id()),
        session: None,
        employee: Some(hrms_core::EmployeeId::from_uuid(id())),
    };
    let request = RequestId::from_uuid(id());
    let other = Actor::user(setting.actor.tenant(), who, &[Role::Employee], Cause::Request, request);
    let jobs = setting.hrms.jobs();
    assert!(jobs.get(&other, id_of_job).await.is_err());
    assert!(jobs.cancel(&other, id_of_job).await.is_err());
    let page = PageRequest::default();
    assert!(jobs.list(&other, JobFilter::default(), &page).await.unwrap().items.is_empty());
    assert_eq!(jobs.list(&setting.actor, JobFilter::default(), &page).await.unwrap().items.len(), 1);
    assert_eq!(jobs.cancel(&setting.actor, id_of_job).await.unwrap().state, JobState::Cancelled);
    assert_eq!(run_until_idle(&setting.hrms, &registry()).await.unwrap(), 0);
}

/// Waits for something; then it is done.
#[derive(Serialize, Deserialize)]
struct Awaits {
    ready_at: Timestamp,
}

impl Job for Awaits {
    const KIND: &'static str = "test.awaits";
    const MAX_ATTEMPTS: u16 = 2;

    async fn run(&self, cx: &JobContext) -> Result<Outcome, JobError> {
        let now = cx.hrms().clock().now();
        if now < self.ready_at {
            return Ok(Outcome::Snooze(SignedDuration::from_secs(10)));
        }
        if cx.attempt() == 1 {
            let busy = std::io::Error::other("come back in a minute");
            return Err(JobError::retry(busy).after(SignedDuration::from_mins(1)));
        }
        Outcome::done(cx.attempt())
    }
}

async fn a_snooze_is_no_attempt_and_a_job_chooses_its_own_wait(fresh: Fresh) {
    let setting = setting(fresh).await;
    let registry = JobRegistry::empty().with::<Awaits>();
    let id = setting.enqueue(&Awaits { ready_at: at(45) }).await;
    // More often than it may be tried.
    for _ in 0..5 {
        assert_eq!(run_until_idle(&setting.hrms, &registry).await.unwrap(), 1);
        setting.clock.advance(SignedDuration::from_secs(10));
    }
    assert_eq!(run_until_idle(&setting.hrms, &registry).await.unwrap(), 1);
    let waits = setting.hrms.jobs().get(&setting.actor, id).await.unwrap();
    assert_eq!((waits.state, waits.attempts, waits.run_at), (JobState::Queued, 1, at(50 + 60)));
    setting.clock.set(at(110));
    assert_eq!(run_until_idle(&setting.hrms, &registry).await.unwrap(), 1);
    let done = setting.hrms.jobs().get(&setting.actor, id).await.unwrap();
    assert_eq!((done.state, done.result), (JobState::Succeeded, Some(serde_json::json!(2))));
}

/// A kind as it was, and as it is now.
#[derive(Serialize, Deserialize)]
struct Greet1 {
    name: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Greet3 {
    names: Vec<String>,
}

impl Job for Greet1 {
    const KIND: &'static str = "test.greet";

    async fn run(&self, _: &JobContext) -> Result<Outcome, JobError> {
        Outcome::done(&self.name)
    }
}

impl Job for Greet3 {
    const KIND: &'static str = "test.greet";
    const VERSION: u16 = 3;

    fn upgrade(payload: serde_json::Value, from: u16) -> Result<serde_json::Value, JobError> {
        assert_eq!(from, 1);
        Ok(serde_json::json!({ "names": [payload["name"]] }))
    }

    async fn run(&self, _: &JobContext) -> Result<Outcome, JobError> {
        Outcome::done(&self.names)
    }
}

async fn old_payloads_are_upgraded_and_new_ones_wait_for_new_nodes(fresh: Fresh) {
    let setting = setting(fresh).await;
    let (old, new) = (JobRegistry::empty().with::<Greet1>(), JobRegistry::empty().with::<Greet3>());
    let second = setting.enqueue(&Greet3 { names: vec!["Bo".into(), "Cy".into()] }).await;
    assert_eq!(run_until_idle(&setting.hrms, &old).await.unwrap(), 0, "an old node leaves it");
    let first = setting.enqueue(&Greet1 { name: "Al".into() }).await;
    assert_eq!(run_until_idle(&setting.hrms, &new).await.unwrap(), 2);
    let result = async |id| setting.hrms.jobs().get(&setting.actor, id).await.unwrap().result.unwrap();
    assert_eq!(result(first).await, serde_json::json!(["Al"]));
    assert_eq!(result(second).await, serde_json::json!(["Bo", "Cy"]));
}

async fn a_dead_letter_is_found_and_queued_again(fresh: Fresh) {
    let setting = setting(fresh).await;
    let id = setting.enqueue(&Open { code: "a".into(), works_from: at(0), forbidden: true }).await;
    assert_eq!(run_until_idle(&setting.hrms, &registry()).await.unwrap(), 1);
    let jobs = setting.hrms.jobs();
    let failed = JobFilter { state: Some(JobState::Failed), ..Default::default() };
    let page = jobs.list(&setting.actor, failed, &PageRequest::default()).await.unwrap();
    assert_eq!(page.items.iter().map(|job| job.id).collect::<Vec<_>>(), [id]);
    let again = jobs.requeue(&setting.actor, id).await.unwrap();
    assert_eq!((again.state, again.attempts), (JobState::Queued, 0));
    assert_eq!(again.error.unwrap().code, "common.forbidden");
    assert!(jobs.requeue(&setting.actor, id).await.is_err(), "it waits already");
    assert_eq!(run_until_idle(&setting.hrms, &registry()).await.unwrap(), 1);

    // A week for what went well, longer for what failed.
    let good = setting.enqueue(&Open { code: "b".into(), works_from: at(0), forbidden: false }).await;
    assert_eq!(run_until_idle(&setting.hrms, &registry()).await.unwrap(), 1);
    let retention = hrms_core::job::Retention::default();
    setting.clock.advance(SignedDuration::from_hours(7 * 24));
    assert_eq!(jobs.remove_ended(&retention).await.unwrap(), 0);
    setting.clock.advance(SignedDuration::from_secs(1));
    assert_eq!(jobs.remove_ended(&retention).await.unwrap(), 1);
    assert!(jobs.get(&setting.actor, good).await.is_err());
    setting.clock.advance(SignedDuration::from_hours(83 * 24));
    assert_eq!(jobs.remove_ended(&retention).await.unwrap(), 1);
    assert!(jobs.get(&setting.actor, id).await.is_err());
}

/// Waits for something that never comes.
#[derive(Serialize, Deserialize)]
struct Stuck {}

impl Job for Stuck {
    const KIND: &'static str = "test.stuck";
    const MAX_ATTEMPTS: u16 = 2;
    const TIMEOUT: SignedDuration = SignedDuration::from_millis(30);

    async fn run(&self, _: &JobContext) -> Result<Outcome, JobError> {
        std::future::pending().await
    }
}

async fn what_takes_too_long_is_stopped_without_a_server_too(fresh: Fresh) {
    let setting = setting(fresh).await;
    let (stuck, other) =
        (setting.enqueue(&Stuck {}).await, Open { code: "a".into(), works_from: at(0), forbidden: false });
    let other = setting.enqueue(&other).await;
    let registry = registry().with::<Stuck>();
    let all = run_until_idle(&setting.hrms, &registry);
    let runs = tokio::time::timeout(Duration::from_secs(30), all).await.expect("it hangs").unwrap();
    assert_eq!((runs, setting.state(other).await), (2, JobState::Succeeded));
    let job = setting.hrms.jobs().get(&setting.actor, stuck).await.unwrap();
    assert_eq!((job.state, job.error.unwrap().code.as_str()), (JobState::Queued, "job.timeout"));
    setting.clock.advance(SignedDuration::from_secs(5));
    run_until_idle(&setting.hrms, &registry).await.unwrap();
    assert_eq!(setting.state(stuck).await, JobState::Failed, "it was the last attempt");
}

macro_rules! on_every_engine {
    ($($story:ident),+ $(,)?) => {
        mod on_sqlite_memory { $(#[tokio::test] async fn $story() { super::$story(super::sqlite_memory().await).await; })+ }
        mod on_sqlite_file { $(#[tokio::test] async fn $story() { super::$story(super::sqlite_file().await).await; })+ }
        mod on_postgres { $(#[tokio::test] async fn $story() { super::$story(super::postgres().await).await; })+ }
    };
}
on_every_engine!(
    a_job_acts_as_its_requester_and_shows_its_result,
    retries_back_off_and_end_in_success_or_failure,
    a_worker_that_lost_its_lease_leaves_no_trace,
    jobs_are_shown_to_those_who_asked_and_to_the_organisation,
    a_snooze_is_no_attempt_and_a_job_chooses_its_own_wait,
    old_payloads_are_upgraded_and_new_ones_wait_for_new_nodes,
    a_dead_letter_is_found_and_queued_again,
    what_takes_too_long_is_stopped_without_a_server_too,
);
