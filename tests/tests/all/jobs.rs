//! Jobs through the worker: rights, retries, the dead letter, and effects that happen once.

use std::sync::Arc;

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
);
