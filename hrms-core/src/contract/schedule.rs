//! Schedules, and what becomes of jobs that have ended.

use serde_json::json;

use crate::contract::fixture::{Subject, at, id, tenant};
use crate::contract::job::{claim, enqueue, fault, finish, job, read};
use crate::error::StoreError;
use crate::id::{JobId, ScheduleId};
use crate::job::{EndedBefore, Finish, JobCounts, JobRecord, JobState, Requester};
use crate::page::PageRequest;
use crate::policy::Permission;
use crate::schedule::{Schedule, ScheduleFilter, Tick};
use crate::store::Version;

/// A schedule that isn't stored yet, due at [`at`]`(0)`.
#[must_use]
pub fn schedule(name: &str) -> Schedule {
    Schedule {
        id: ScheduleId::from_uuid(id()),
        name: name.into(),
        kind: "a".into(),
        kind_version: 3,
        payload: json!({ "text": "π" }),
        cron: "0 3 * * *".into(),
        time_zone: Some("Asia/Kolkata".into()),
        enabled: true,
        requester: Requester::System { permissions: vec![Permission::JobRead] },
        next_at: Some(at(0)),
        last_at: None,
        last_job: None,
        created_at: at(-5),
        updated_at: at(-5),
        version: Version::FIRST,
    }
}

/// Schedules read back as written, filter, page and go; names are unique in an organisation.
pub async fn schedules_read_back_as_written(store: &impl Subject) {
    let tenant = tenant(store).await;
    let (mut first, second) = (schedule("a"), schedule("b"));
    let mut tx = store.begin(tenant).await.unwrap();
    for one in [&first, &second] {
        tx.schedules().insert(one).await.unwrap();
        assert_eq!(tx.schedules().get(one.id).await.unwrap().as_ref(), Some(one));
    }
    assert_eq!(tx.schedules().count().await.unwrap(), 2);
    let before = first.version;
    (first.kind_version, first.time_zone, first.enabled, first.next_at) = (4, None, false, None);
    (first.payload, first.updated_at, first.version) = (json!({}), at(9), before.next());
    tx.schedules().update(&first, before).await.unwrap();
    assert!(matches!(tx.schedules().update(&first, before).await, Err(StoreError::Stale)));
    tx.commit().await.unwrap();

    let mut tx = store.begin(tenant).await.unwrap();
    assert_eq!(tx.schedules().get(first.id).await.unwrap().as_ref(), Some(&first));
    let page = PageRequest { limit: 9, ..Default::default() };
    for (filter, expected) in [
        (ScheduleFilter::default(), vec![first.id, second.id]),
        (ScheduleFilter { enabled: Some(true), ..Default::default() }, vec![second.id]),
        (ScheduleFilter { kind: Some("b".into()), ..Default::default() }, vec![]),
        (ScheduleFilter { updated_after: Some(at(1)), ..Default::default() }, vec![first.id]),
    ] {
        let rows = tx.schedules().list(&filter, &page).await.unwrap();
        assert_eq!(rows.iter().map(|one| one.id).collect::<Vec<_>>(), expected, "{filter:?}");
    }
    assert!(matches!(tx.schedules().remove(first.id, before).await, Err(StoreError::Stale)));
    tx.schedules().remove(first.id, first.version).await.unwrap();
    assert_eq!(tx.schedules().get(first.id).await.unwrap(), None);
    let twin = tx.schedules().insert(&schedule("b")).await.unwrap_err();
    assert_eq!(twin.constraint(), Some("job_schedule_name_key"));
}

/// A schedule that is due is found, and starts once for each time, however many try at once.
pub async fn p35_a_due_schedule_ticks_once(store: &impl Subject) {
    let tenant = tenant(store).await;
    let due = schedule("a");
    let mut late = schedule("b");
    late.next_at = Some(at(70));
    let mut tx = store.begin(tenant).await.unwrap();
    tx.schedules().insert(&due).await.unwrap();
    tx.schedules().insert(&late).await.unwrap();
    tx.commit().await.unwrap();
    assert!(store.due_schedules(at(-1), 9).await.unwrap().is_empty());
    assert_eq!(store.due_schedules(at(5), 9).await.unwrap(), [(tenant, due.id, at(0))]);
    let tick = async || {
        let tick = Tick { due_at: at(0), next_at: Some(at(60)), now: at(5), job: JobId::from_uuid(id()) };
        let mut tx = store.begin(tenant).await.unwrap();
        tx.schedules().tick(due.id, &tick).await?;
        tx.commit().await.unwrap();
        Ok::<_, StoreError>(tick.job)
    };
    let (a, b, c) = tokio::join!(tick(), tick(), tick());
    let jobs: Vec<_> = [a, b, c].into_iter().flatten().collect();
    let [job] = jobs.as_slice() else { panic!("{jobs:?}") };
    let after = store.read(tenant).await.unwrap().schedules().get(due.id).await.unwrap().unwrap();
    assert_eq!((after.next_at, after.last_at, after.last_job), (Some(at(60)), Some(at(5)), Some(*job)));
    assert_eq!(after.version, due.version, "a tick is no change");
    assert_eq!(store.due_schedules(at(100), 1).await.unwrap(), [(tenant, due.id, at(60))]);
}

/// No read, change, tick or removal reaches another tenant's schedule.
pub async fn schedules_of_another_tenant_are_out_of_reach(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let foreign = schedule("a");
    let mut tx = store.begin(theirs).await.unwrap();
    tx.schedules().insert(&foreign).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin(mine).await.unwrap();
    assert_eq!(tx.schedules().get(foreign.id).await.unwrap(), None);
    assert_eq!(tx.schedules().count().await.unwrap(), 0);
    assert!(
        tx.schedules().list(&ScheduleFilter::default(), &PageRequest::default()).await.unwrap().is_empty()
    );
    let tick = Tick { due_at: at(0), next_at: None, now: at(5), job: JobId::from_uuid(id()) };
    assert!(matches!(tx.schedules().tick(foreign.id, &tick).await, Err(StoreError::Stale)));
    assert!(matches!(tx.schedules().update(&foreign, foreign.version).await, Err(StoreError::Stale)));
    assert!(matches!(tx.schedules().remove(foreign.id, foreign.version).await, Err(StoreError::Stale)));
    tx.schedules().insert(&schedule("a")).await.unwrap();
}

/// A job that failed or was cancelled can be run again with all attempts, and shows why it failed until then; others
/// can't, nor one whose unique key is taken.
pub async fn a_failed_job_is_queued_again(store: &impl Subject) {
    let (tenant, other) = (tenant(store).await, tenant(store).await);
    let mut dead = job("a");
    dead.unique_key = Some("k".into());
    enqueue(store, tenant, std::slice::from_ref(&dead)).await;
    let mut tx = store.begin(tenant).await.unwrap();
    assert!(matches!(tx.jobs().requeue(dead.id, at(1)).await, Err(StoreError::Stale)), "it waits");
    drop(tx);
    let claimed = claim(store, &["a"], 1, 1).await.remove(0);
    finish(store, &claimed, &Finish::Failed(fault(), None)).await.unwrap();
    let mut tx = store.begin(other).await.unwrap();
    assert!(matches!(tx.jobs().requeue(dead.id, at(40)).await, Err(StoreError::Stale)), "another tenant's");
    drop(tx);

    let twin = JobRecord { id: JobId::from_uuid(id()), ..dead.clone() };
    enqueue(store, tenant, std::slice::from_ref(&twin)).await;
    let mut tx = store.begin(tenant).await.unwrap();
    let taken = tx.jobs().requeue(dead.id, at(40)).await.unwrap_err();
    assert_eq!(taken.constraint(), Some("job_unique_key"));
    drop(tx);
    let mut tx = store.begin(tenant).await.unwrap();
    tx.jobs().cancel(twin.id, at(41)).await.unwrap();
    tx.jobs().requeue(dead.id, at(42)).await.unwrap();
    tx.commit().await.unwrap();
    let again = read(store, tenant, dead.id).await;
    assert_eq!((again.state, again.attempts, again.run_at), (JobState::Queued, 0, at(42)));
    assert_eq!((again.error, again.finished_at), (Some(fault()), None));
    let second = claim(store, &["a"], 1, 43).await.remove(0);
    assert!(second.lease.token > claimed.lease.token, "an old lease opens nothing");
    finish(store, &second, &Finish::Succeeded(json!(1))).await.unwrap();
    let done = read(store, tenant, dead.id).await;
    assert_eq!((done.state, done.error, done.attempts), (JobState::Succeeded, None, 1));
}

/// Jobs that ended long ago are removed, failed ones later; what waits or runs stays.
pub async fn ended_jobs_are_removed_in_time(store: &impl Subject) {
    let (tenant, other) = (tenant(store).await, tenant(store).await);
    let jobs: Vec<_> = (0..5).map(|_| job("a")).collect();
    enqueue(store, tenant, &jobs).await;
    enqueue(store, other, &[job("b")]).await;
    let claimed = claim(store, &["a"], 4, 1).await;
    let [done, failed, cancelled, running] = claimed.as_slice() else { panic!("{claimed:?}") };
    finish(store, done, &Finish::Succeeded(json!(1))).await.unwrap();
    finish(store, failed, &Finish::Failed(fault(), None)).await.unwrap();
    finish(store, cancelled, &Finish::Cancelled).await.unwrap();
    assert_eq!(store.tenants_with_ended_jobs(at(30)).await.unwrap(), []);
    assert_eq!(store.tenants_with_ended_jobs(at(31)).await.unwrap(), [tenant]);
    let counts = store.job_counts(at(31), at(0)).await.unwrap();
    let of = |kind: &str| counts.iter().find(|counts| counts.kind == kind).cloned().unwrap_or_default();
    let expected = JobCounts {
        kind: "a".into(),
        waiting: 1,
        oldest: Some(at(0)),
        running: 1,
        failed: 1,
        ended: 3,
        ended_failed: 1,
        scheduled: 0,
    };
    assert_eq!(of("a"), expected);
    assert_eq!(
        (
            of("b").waiting,
            store.job_counts(at(-1), at(31)).await.unwrap().iter().map(|c| c.scheduled).sum::<u64>()
        ),
        (1, 2)
    );

    let remove = async |well, failed, limit| {
        let mut tx = store.begin(tenant).await.unwrap();
        let removed =
            tx.jobs().remove_ended(&EndedBefore { well: at(well), failed: at(failed) }, limit).await.unwrap();
        tx.commit().await.unwrap();
        removed
    };
    assert_eq!(remove(30, 30, 9).await, 0);
    assert_eq!(remove(31, 30, 1).await, 1, "no more than asked for");
    assert_eq!(remove(31, 30, 9).await, 1);
    assert_eq!(read(store, tenant, failed.lease.job).await.state, JobState::Failed);
    assert_eq!(remove(31, 31, 9).await, 1);
    assert_eq!(remove(99, 99, 9).await, 0);
    assert_eq!(read(store, tenant, running.lease.job).await.state, JobState::Running);
}
