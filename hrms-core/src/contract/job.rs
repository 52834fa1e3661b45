//! The job queue: nothing lost, nothing doubled, nobody starved.

use serde_json::json;

use crate::contract::fixture::{Subject, at, id, tenant};
use crate::error::StoreError;
use crate::id::{JobId, RequestId, TenantId, UserId};
use crate::job::{
    Claim, ClaimedJob, Ended, Finish, JobFault, JobFilter, JobKind, JobRecord, JobState, Priority, Progress,
    Requester, Slots,
};
use crate::organization::OrganizationStatus;
use crate::page::PageRequest;
use crate::policy::Role;
use crate::rate_limit::Quota;

/// A job that isn't stored yet, due at [`at`]`(0)`.
#[must_use]
pub fn job(kind: &str) -> JobRecord {
    JobRecord {
        id: JobId::from_uuid(id()),
        kind: kind.into(),
        version: 1,
        payload: json!({ "n": 1, "text": "π" }),
        priority: Priority::Normal,
        requester: Requester::User {
            user: UserId::from_uuid(id()),
            employee: None,
            roles: vec![Role::Hr.into()],
            grants: Role::Hr.grants(),
            support: None,
        },
        request: RequestId::from_uuid(id()),
        trace: None,
        schedule: None,
        unique_key: None,
        state: JobState::Queued,
        attempts: 0,
        max_attempts: 3,
        run_at: at(0),
        cancel_requested: false,
        progress: Progress::default(),
        result: None,
        error: None,
        created_at: at(0),
        updated_at: at(0),
        started_at: None,
        finished_at: None,
    }
}

pub(super) async fn enqueue(store: &impl Subject, tenant: TenantId, jobs: &[JobRecord]) {
    let mut tx = store.begin(tenant).await.unwrap();
    for job in jobs {
        assert_eq!(tx.jobs().insert(job, None).await.unwrap(), None);
    }
    tx.commit().await.unwrap();
}

pub(super) async fn claim(
    store: &impl Subject,
    kinds: &[&'static str],
    limit: u16,
    now: i64,
) -> Vec<ClaimedJob> {
    let kinds: Vec<_> = kinds.iter().copied().map(JobKind::unlimited).collect();
    claim_kinds(store, &kinds, &Slots::unreserved(limit), now).await
}

async fn claim_kinds(store: &impl Subject, kinds: &[JobKind], slots: &Slots, now: i64) -> Vec<ClaimedJob> {
    let claim = Claim { worker: "w", kinds, slots, now: at(now), until: at(now + 60), after: None };
    store.claim_jobs(&claim).await.unwrap()
}

pub(super) async fn read(store: &impl Subject, tenant: TenantId, id: JobId) -> JobRecord {
    store.read(tenant).await.unwrap().jobs().get(id).await.unwrap().unwrap()
}

pub(super) async fn finish(
    store: &impl Subject,
    claimed: &ClaimedJob,
    end: &Finish,
) -> Result<(), StoreError> {
    let mut tx = store.begin(claimed.lease.tenant).await.unwrap();
    tx.jobs().finish(&claimed.lease, end, at(30)).await?;
    tx.commit().await
}

pub(super) fn fault() -> JobFault {
    JobFault { code: "test.fault".into(), detail: "it broke".into() }
}

/// A job goes through claim, progress and success; each step is read back, and the payload survives.
pub async fn a_job_goes_from_queued_to_succeeded(store: &impl Subject) {
    let tenant = tenant(store).await;
    let waiting = job("a");
    enqueue(store, tenant, std::slice::from_ref(&waiting)).await;
    assert_eq!(read(store, tenant, waiting.id).await, waiting);

    let claimed = claim(store, &["a"], 5, 1).await;
    assert_eq!(claimed.len(), 1);
    let running = claimed.first().unwrap();
    assert_eq!((running.lease.tenant, running.lease.job), (tenant, waiting.id));
    assert_eq!((running.job.state, running.job.attempts), (JobState::Running, 1));
    assert_eq!((&running.job.payload, &running.job.requester), (&waiting.payload, &waiting.requester));

    let progress = Progress { done: 3, total: Some(10), message: Some("counting".into()) };
    let mut tx = store.begin(tenant).await.unwrap();
    assert!(!tx.jobs().progress(&running.lease, &progress, at(2), at(62)).await.unwrap());
    tx.commit().await.unwrap();
    finish(store, running, &Finish::Succeeded(json!({ "sum": 7 }))).await.unwrap();

    let ended = read(store, tenant, waiting.id).await;
    assert_eq!((ended.state, ended.progress), (JobState::Succeeded, progress));
    assert_eq!((ended.result, ended.finished_at), (Some(json!({ "sum": 7 })), Some(at(30))));
    assert!(claim(store, &["a"], 5, 1000).await.is_empty());
}

/// P35: work that is dropped leaves no job behind.
pub async fn p35_a_rolled_back_change_leaves_no_job(store: &impl Subject) {
    let tenant = tenant(store).await;
    {
        let mut tx = store.begin(tenant).await.unwrap();
        tx.jobs().insert(&job("a"), None).await.unwrap();
    }
    assert!(claim(store, &["a"], 5, 1).await.is_empty());
}

/// P35: however many workers claim at once, each job goes to one of them.
pub async fn p35_parallel_claims_never_share_a_job(store: &impl Subject) {
    let tenant = tenant(store).await;
    let jobs: Vec<_> = (0..40).map(|_| job("a")).collect();
    enqueue(store, tenant, &jobs).await;
    let one = async {
        let mut mine = Vec::new();
        loop {
            let claimed = claim(store, &["a"], 3, 1).await;
            if claimed.is_empty() {
                return mine;
            }
            mine.extend(claimed.into_iter().map(|claimed| claimed.lease.job));
        }
    };
    let two = async {
        let mut mine = Vec::new();
        for _ in 0..40 {
            mine.extend(claim(store, &["a"], 1, 1).await.into_iter().map(|claimed| claimed.lease.job));
        }
        mine
    };
    let three =
        async { claim(store, &["a"], 7, 1).await.into_iter().map(|c| c.lease.job).collect::<Vec<_>>() };
    let (one, two, three) = tokio::join!(one, two, three);
    let mut all = [one, two, three].concat();
    all.sort();
    let mut expected: Vec<_> = jobs.iter().map(|job| job.id).collect();
    expected.sort();
    assert_eq!(all, expected);
}

/// Only due jobs of known kinds are claimed, oldest first.
pub async fn only_due_jobs_of_known_kinds_are_claimed(store: &impl Subject) {
    let tenant = tenant(store).await;
    let (mut late, mut early) = (job("a"), job("a"));
    late.run_at = at(10);
    early.run_at = at(5);
    enqueue(store, tenant, &[late.clone(), early.clone(), job("b")]).await;
    assert!(claim(store, &["a"], 5, 4).await.is_empty());
    assert!(claim(store, &[], 5, 100).await.is_empty());
    let claimed = claim(store, &["a"], 5, 100).await;
    assert_eq!(claimed.iter().map(|c| c.lease.job).collect::<Vec<_>>(), [early.id, late.id]);
}

/// A lease that ran out lets another worker in, and the first one can write nothing any more.
pub async fn a_lost_lease_can_write_nothing(store: &impl Subject) {
    let tenant = tenant(store).await;
    enqueue(store, tenant, &[job("a")]).await;
    let first = claim(store, &["a"], 1, 0).await.remove(0);
    assert_eq!(store.rescue_jobs(at(59)).await.unwrap(), 0);
    assert!(!store.renew_lease(&first.lease, at(100)).await.unwrap());
    assert_eq!(store.rescue_jobs(at(99)).await.unwrap(), 0, "the lease was renewed");
    assert_eq!(store.rescue_jobs(at(101)).await.unwrap(), 1);

    let second = claim(store, &["a"], 1, 102).await.remove(0);
    assert_eq!((second.lease.job, second.job.attempts), (first.lease.job, 2));
    let late = finish(store, &first, &Finish::Succeeded(json!(1))).await;
    assert!(matches!(late, Err(StoreError::Stale)), "{late:?}");
    assert!(matches!(store.renew_lease(&first.lease, at(500)).await, Err(StoreError::Stale)));
    let mut tx = store.begin(tenant).await.unwrap();
    let late = tx.jobs().progress(&first.lease, &Progress::default(), at(103), at(500)).await;
    assert!(matches!(late, Err(StoreError::Stale)), "{late:?}");
    drop(tx);
    finish(store, &second, &Finish::Succeeded(json!(2))).await.unwrap();
    assert_eq!(read(store, tenant, first.lease.job).await.result, Some(json!(2)));
}

/// A job whose worker dies each time ends among the failed, not in an endless circle.
pub async fn a_job_that_kills_its_workers_ends_as_failed(store: &impl Subject) {
    let tenant = tenant(store).await;
    let poison = job("a");
    enqueue(store, tenant, std::slice::from_ref(&poison)).await;
    for attempt in 1..=3 {
        let claimed = claim(store, &["a"], 1, attempt * 100).await.remove(0);
        assert_eq!(i64::from(claimed.job.attempts), attempt);
        assert_eq!(store.rescue_jobs(at(attempt * 100 + 61)).await.unwrap(), 1);
    }
    assert!(claim(store, &["a"], 1, 1000).await.is_empty());
    let ended = read(store, tenant, poison.id).await;
    assert_eq!(ended.state, JobState::Failed);
    assert_eq!(ended.error.unwrap().code, "job.lease-expired");
    assert!(ended.finished_at.is_some());
}

/// A retry waits for its time and keeps the reason; handing a job back costs no attempt.
pub async fn a_retry_waits_and_a_release_is_free(store: &impl Subject) {
    let tenant = tenant(store).await;
    enqueue(store, tenant, &[job("a")]).await;
    let first = claim(store, &["a"], 1, 0).await.remove(0);
    finish(store, &first, &Finish::Retry { at: at(50), fault: fault() }).await.unwrap();
    assert!(claim(store, &["a"], 1, 49).await.is_empty());
    let second = claim(store, &["a"], 1, 50).await.remove(0);
    assert_eq!((second.job.attempts, second.job.error.clone()), (2, Some(fault())));
    finish(store, &second, &Finish::Released).await.unwrap();
    let third = claim(store, &["a"], 1, 51).await.remove(0);
    assert_eq!(third.job.attempts, 2);
    finish(store, &third, &Finish::Failed(fault(), Some(json!({ "rows": 3 })))).await.unwrap();
    let ended = read(store, tenant, first.lease.job).await;
    assert_eq!((ended.state, ended.error), (JobState::Failed, Some(fault())));
    assert_eq!(ended.result, Some(json!({ "rows": 3 })));
}

/// One job per kind and unique key waits or runs; once it has ended, the key is free.
pub async fn a_unique_key_holds_while_its_job_lives(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut first = job("a");
    first.unique_key = Some("k".into());
    enqueue(store, tenant, std::slice::from_ref(&first)).await;
    let second = JobRecord { id: JobId::from_uuid(id()), ..first.clone() };
    let mut tx = store.begin(tenant).await.unwrap();
    assert_eq!(tx.jobs().insert(&second, None).await.unwrap(), Some(first.id));
    let other = JobRecord { kind: "b".into(), ..second.clone() };
    assert_eq!(tx.jobs().insert(&other, None).await.unwrap(), None);
    tx.commit().await.unwrap();
    let claimed = claim(store, &["a"], 5, 1).await.remove(0);
    let third = JobRecord { id: JobId::from_uuid(id()), ..first.clone() };
    let mut tx = store.begin(tenant).await.unwrap();
    assert_eq!(tx.jobs().insert(&third, None).await.unwrap(), Some(first.id), "it runs still");
    drop(tx);
    finish(store, &claimed, &Finish::Succeeded(json!(null))).await.unwrap();
    enqueue(store, tenant, &[third]).await;
}

/// A waiting job is cancelled at once; a running one is asked to stop; an ended one can't be.
pub async fn cancelling_depends_on_the_state(store: &impl Subject) {
    let tenant = tenant(store).await;
    let (waiting, running) = (job("a"), job("b"));
    enqueue(store, tenant, &[waiting.clone(), running.clone()]).await;
    let claimed = claim(store, &["b"], 1, 1).await.remove(0);
    let mut tx = store.begin(tenant).await.unwrap();
    tx.jobs().cancel(waiting.id, at(5)).await.unwrap();
    tx.jobs().cancel(running.id, at(5)).await.unwrap();
    tx.commit().await.unwrap();
    assert!(claim(store, &["a"], 1, 100).await.is_empty());
    assert_eq!(read(store, tenant, waiting.id).await.state, JobState::Cancelled);
    assert!(store.renew_lease(&claimed.lease, at(61)).await.unwrap());
    let mut tx = store.begin(tenant).await.unwrap();
    assert!(tx.jobs().progress(&claimed.lease, &Progress::default(), at(6), at(66)).await.unwrap());
    drop(tx);
    finish(store, &claimed, &Finish::Cancelled).await.unwrap();
    let mut tx = store.begin(tenant).await.unwrap();
    assert!(matches!(tx.jobs().cancel(running.id, at(9)).await, Err(StoreError::Stale)));
}

/// P35: tenants take turns, so a long queue of one doesn't hold up another's.
pub async fn p35_tenants_take_turns(store: &impl Subject) {
    let (busy, quiet) = (tenant(store).await, tenant(store).await);
    let mut many: Vec<_> = (0..30).map(|_| job("a")).collect();
    many.iter_mut().for_each(|job| job.run_at = at(-100));
    enqueue(store, busy, &many).await;
    enqueue(store, quiet, &[job("a"), job("a")]).await;
    let both = claim(store, &["a"], 4, 1).await;
    assert_eq!(both.iter().filter(|c| c.lease.tenant == quiet).count(), 2);
    assert_eq!(both.len(), 4);

    enqueue(store, quiet, &[job("a")]).await;
    let mut after = None;
    let mut order = Vec::new();
    for _ in 0..2 {
        let (kinds, slots) = ([JobKind::unlimited("a")], Slots::unreserved(1));
        let claim = Claim { worker: "w", kinds: &kinds, slots: &slots, now: at(2), until: at(60), after };
        let claimed = store.claim_jobs(&claim).await.unwrap();
        after = claimed.first().map(|claimed| claimed.lease.tenant);
        order.extend(after);
    }
    order.sort();
    let mut expected = vec![busy, quiet];
    expected.sort();
    assert_eq!(order, expected);
}

/// No read, listing, cancelling, progress or finish reaches another tenant's job.
pub async fn jobs_of_another_tenant_are_out_of_reach(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let foreign = job("a");
    enqueue(store, theirs, std::slice::from_ref(&foreign)).await;
    let claimed = claim(store, &["a"], 1, 1).await.remove(0);
    let mut tx = store.begin(mine).await.unwrap();
    assert_eq!(tx.jobs().get(foreign.id).await.unwrap(), None);
    assert!(tx.jobs().list(&JobFilter::default(), &PageRequest::default()).await.unwrap().is_empty());
    assert!(matches!(tx.jobs().cancel(foreign.id, at(2)).await, Err(StoreError::Stale)));
    let lease = claimed.lease;
    let progress = tx.jobs().progress(&lease, &Progress::default(), at(2), at(3)).await;
    assert!(matches!(progress, Err(StoreError::Stale)));
    let end = tx.jobs().finish(&lease, &Finish::Cancelled, at(2)).await;
    assert!(matches!(end, Err(StoreError::Stale)));
    // Unique keys are per tenant too.
    let mut own = job("a");
    own.unique_key = Some("k".into());
    assert_eq!(tx.jobs().insert(&own, None).await.unwrap(), None);
    tx.commit().await.unwrap();
    let mut same = job("a");
    same.unique_key = Some("k".into());
    enqueue(store, theirs, &[same]).await;
}

/// Lists show the newest first when asked to, and narrow by state, kind and requester.
pub async fn job_lists_filter_and_sort(store: &impl Subject) {
    let tenant = tenant(store).await;
    let (first, mut second) = (job("a"), job("b"));
    second.created_at = at(5);
    enqueue(store, tenant, &[first.clone(), second.clone()]).await;
    claim(store, &["b"], 1, 6).await;
    let mut tx = store.read(tenant).await.unwrap();
    let newest = PageRequest { descending: true, ..Default::default() };
    let all = tx.jobs().list(&JobFilter::default(), &newest).await.unwrap();
    assert_eq!(all.iter().map(|job| job.id).collect::<Vec<_>>(), [second.id, first.id]);

    for (filter, expected) in [
        (JobFilter { state: Some(JobState::Running), ..Default::default() }, second.id),
        (JobFilter { kind: Some("a".into()), ..Default::default() }, first.id),
        (JobFilter { requested_by: first.requester.user_id(), ..Default::default() }, first.id),
        (JobFilter { updated_after: Some(at(1)), ..Default::default() }, second.id),
    ] {
        let rows = tx.jobs().list(&filter, &newest).await.unwrap();
        assert_eq!(rows.iter().map(|job| job.id).collect::<Vec<_>>(), [expected], "{filter:?}");
    }
}

/// Nobody works for an organisation that isn't in use; when it is again, its jobs go on.
pub async fn jobs_of_a_suspended_organization_wait(store: &impl Subject) {
    let (shut, open) = (tenant(store).await, tenant(store).await);
    enqueue(store, shut, &[job("a")]).await;
    let mut organization = store.organization(shut).await.unwrap().unwrap();
    for (status, claimed) in [(OrganizationStatus::Suspended, 1), (OrganizationStatus::Active, 2)] {
        enqueue(store, open, &[job("a")]).await;
        organization.status = status;
        store.update_organization_status(&organization, organization.version).await.unwrap();
        assert_eq!(claim(store, &["a"], 10, 1).await.len(), claimed, "{status:?}");
    }
}

/// What is urgent runs first, whatever it is and however old the rest; other tenants' turns stay theirs.
pub async fn priority_goes_before_age_within_a_tenant(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut jobs = [job("a"), job("b"), job("a"), job("b")];
    let [old, low, urgent, young] = &mut jobs;
    (old.run_at, young.run_at) = (at(-50), at(-10));
    (low.run_at, low.priority) = (at(-99), Priority::Low);
    (urgent.run_at, urgent.priority) = (at(0), Priority::High);
    let order = [urgent.id, old.id, young.id, low.id];
    enqueue(store, tenant, &jobs).await;
    for expected in order {
        let claimed = claim(store, &["a", "b"], 1, 1).await;
        assert_eq!(claimed.iter().map(|c| c.lease.job).collect::<Vec<_>>(), [expected]);
    }
}

/// While nodes are replaced, old ones leave what only new ones understand, and go on with the rest.
pub async fn jobs_of_later_versions_wait_for_newer_workers(store: &impl Subject) {
    let tenant = tenant(store).await;
    let (mut newer, older) = (job("a"), job("a"));
    (newer.version, newer.run_at) = (2, at(-9));
    enqueue(store, tenant, &[newer.clone(), older.clone(), job("b")]).await;
    let claimed = claim(store, &["a", "b"], 9, 1).await;
    assert_eq!(claimed.len(), 2);
    assert!(claimed.iter().all(|claimed| claimed.lease.job != newer.id));
    let kinds = [JobKind { version: 2, ..JobKind::unlimited("a") }];
    let claimed = claim_kinds(store, &kinds, &Slots::unreserved(9), 1).await;
    assert_eq!(claimed.iter().map(|c| (c.lease.job, c.job.version)).collect::<Vec<_>>(), [(newer.id, 2)]);
}

/// With a window, a job that has ended counts for as long as that; then the key is free.
pub async fn a_unique_window_counts_jobs_that_have_ended(store: &impl Subject) {
    let (tenant, other) = (tenant(store).await, tenant(store).await);
    let mut first = job("a");
    first.unique_key = Some("k".into());
    enqueue(store, tenant, std::slice::from_ref(&first)).await;
    let again =
        |created: i64| JobRecord { id: JobId::from_uuid(id()), created_at: at(created), ..first.clone() };
    let claimed = claim(store, &["a"], 1, 1).await.remove(0);
    finish(store, &claimed, &Finish::Succeeded(json!(1))).await.unwrap();
    let mut tx = store.begin(tenant).await.unwrap();
    assert_eq!(tx.jobs().insert(&again(60), Some(at(0))).await.unwrap(), Some(first.id));
    assert_eq!(tx.jobs().insert(&again(61), Some(at(1))).await.unwrap(), None, "the window is over");
    tx.commit().await.unwrap();
    let mut tx = store.begin(other).await.unwrap();
    assert_eq!(tx.jobs().insert(&again(2), Some(at(-99))).await.unwrap(), None, "another tenant's key");
}

/// A job that waits for its time can be made to run earlier, not later; nothing else can.
pub async fn a_waiting_job_is_brought_forward(store: &impl Subject) {
    let tenant = tenant(store).await;
    let waiting = JobRecord { run_at: at(100), ..job("a") };
    enqueue(store, tenant, std::slice::from_ref(&waiting)).await;
    let bring = async |by: TenantId, to| {
        let mut tx = store.begin(by).await.unwrap();
        tx.jobs().bring_forward(waiting.id, at(to)).await.unwrap();
        tx.commit().await.unwrap();
        read(store, tenant, waiting.id).await.run_at
    };
    assert_eq!(bring(self::tenant(store).await, 5).await, at(100), "another tenant's");
    assert_eq!(bring(tenant, 200).await, at(100));
    assert_eq!(bring(tenant, 50).await, at(50));
    assert!(claim(store, &["a"], 1, 49).await.is_empty());
    assert_eq!(claim(store, &["a"], 1, 50).await.len(), 1);
    assert_eq!(bring(tenant, 5).await, at(50), "it runs");
}

/// However many workers claim, no more jobs of a kind run than it allows, and a slot that gets free is used again.
pub async fn p35_a_kind_runs_no_more_often_than_it_allows(store: &impl Subject) {
    let (one, two) = (tenant(store).await, tenant(store).await);
    let jobs: Vec<_> = (0..20).map(|_| job("a")).collect();
    enqueue(store, one, &jobs).await;
    enqueue(store, two, &(0..5).map(|_| job("a")).collect::<Vec<_>>()).await;
    enqueue(store, one, &[job("b"), job("b")]).await;
    let kinds = [JobKind { concurrency: Some(3), ..JobKind::unlimited("a") }, JobKind::unlimited("b")];
    let slots = Slots::unreserved(4);
    let claims = || claim_kinds(store, &kinds, &slots, 1);
    let (a, b, c, d) = tokio::join!(claims(), claims(), claims(), claims());
    let running = [a, b, c, d].concat();
    assert_eq!(running.iter().filter(|claimed| claimed.job.kind == "a").count(), 3);
    assert_eq!(running.iter().filter(|claimed| claimed.job.kind == "b").count(), 2);
    assert!(running.iter().any(|claimed| claimed.lease.tenant == two), "the limit is shared evenly");
    assert!(claims().await.is_empty());
    let first = running.iter().find(|claimed| claimed.job.kind == "a").unwrap();
    finish(store, first, &Finish::Succeeded(json!(1))).await.unwrap();
    let mut at_work = running.iter().filter(|one| one.lease != first.lease).cloned().collect::<Vec<_>>();
    at_work.extend(claims().await);
    assert_eq!(at_work.iter().filter(|claimed| claimed.job.kind == "a").count(), 3);
    // The first claims of a kind wait for each other anyway, to write down that there is a limit. The later ones
    // wait for nothing but the lock.
    for round in 0..6 {
        for claimed in &at_work {
            finish(store, claimed, &Finish::Succeeded(json!(1))).await.unwrap();
        }
        let (a, b, c, d) = tokio::join!(claims(), claims(), claims(), claims());
        at_work = [a, b, c, d].concat();
        assert_eq!(at_work.len(), 3, "round {round}");
    }
}

/// No more jobs of a kind start than its rate allows, however many workers claim; it comes back evenly.
pub async fn p35_a_kind_starts_no_more_often_than_its_rate(store: &impl Subject) {
    let tenant = tenant(store).await;
    enqueue(store, tenant, &(0..40).map(|_| job("a")).collect::<Vec<_>>()).await;
    let kinds = [JobKind { rate: Some(Quota::new(10, 20)), ..JobKind::unlimited("a") }];
    let slots = Slots::unreserved(4);
    let claims = |now| claim_kinds(store, &kinds, &slots, now);
    let (a, b, c, d) = tokio::join!(claims(1), claims(1), claims(1), claims(1));
    assert_eq!([a, b, c, d].iter().map(Vec::len).sum::<usize>(), 10);
    assert_eq!(claims(2).await.len(), 0, "one comes back every two seconds");
    assert_eq!(claims(3).await.len(), 1);
    assert_eq!(claims(3).await.len(), 0);
    assert_eq!(claims(9).await.len(), 3);
    assert_eq!(claims(8).await.len(), 0, "a clock that goes back gives nothing away");
}

/// A tenant whose jobs fill all slots but the last ones leaves those to others.
pub async fn p35_slots_are_kept_for_tenants_that_hold_none(store: &impl Subject) {
    let (busy, quiet) = (tenant(store).await, tenant(store).await);
    enqueue(store, busy, &(0..30).map(|_| job("a")).collect::<Vec<_>>()).await;
    let kinds = [JobKind::unlimited("a")];
    let mut slots = Slots::new(4);
    let claimed = claim_kinds(store, &kinds, &slots, 1).await;
    assert_eq!(claimed.len(), 3);
    claimed.iter().for_each(|claimed| slots.take(claimed.lease.tenant));
    assert!(claim_kinds(store, &kinds, &slots, 2).await.is_empty());
    enqueue(store, quiet, &[job("a"), job("a")]).await;
    let claimed = claim_kinds(store, &kinds, &slots, 3).await;
    assert_eq!(claimed.iter().map(|c| c.lease.tenant).collect::<Vec<_>>(), [quiet]);
}

/// Ends of several tenants' jobs are recorded in one go, each only if its lease holds; a snooze costs no attempt and
/// keeps the reason of an earlier failure.
pub async fn ends_are_recorded_together_under_their_leases(store: &impl Subject) {
    let (one, two) = (tenant(store).await, tenant(store).await);
    enqueue(store, one, &[job("a"), job("a")]).await;
    enqueue(store, two, &[job("a"), job("b")]).await;
    let claimed = claim(store, &["a"], 9, 1).await;
    let lost = claim(store, &["b"], 1, 0).await.remove(0);
    assert_eq!(store.rescue_jobs(at(60) + jiff::SignedDuration::from_micros(500_000)).await.unwrap(), 1);
    let again = claim(store, &["b"], 1, 1).await.remove(0);
    let [first, second, third] = claimed.as_slice() else { panic!("{claimed:?}") };
    let ended: Vec<_> = [
        (first, Finish::Succeeded(json!({ "n": 1 }))),
        (second, Finish::Failed(fault(), None)),
        (third, Finish::Retry { at: at(50), fault: fault() }),
        (&lost, Finish::Succeeded(json!(0))),
        (&again, Finish::Snoozed { at: at(70) }),
    ]
    .into_iter()
    .map(|(claimed, finish)| Ended { lease: claimed.lease, finish })
    .collect();
    assert_eq!(store.finish_jobs(&ended, at(20)).await.unwrap(), 4);
    assert_eq!(store.finish_jobs(&ended, at(21)).await.unwrap(), 0);
    assert_eq!(store.finish_jobs(&[], at(21)).await.unwrap(), 0);
    let done = read(store, first.lease.tenant, first.lease.job).await;
    assert_eq!(
        (done.state, done.result, done.finished_at),
        (JobState::Succeeded, Some(json!({ "n": 1 })), Some(at(20)))
    );
    let failed = read(store, second.lease.tenant, second.lease.job).await;
    assert_eq!((failed.state, failed.error, failed.result), (JobState::Failed, Some(fault()), None));
    let waits = read(store, third.lease.tenant, third.lease.job).await;
    assert_eq!((waits.state, waits.run_at, waits.attempts), (JobState::Queued, at(50), 1));
    let snoozed = read(store, two, lost.lease.job).await;
    assert_eq!((snoozed.state, snoozed.run_at, snoozed.attempts), (JobState::Queued, at(70), 1));
    assert_eq!(snoozed.error.unwrap().code, "job.lease-expired");
}
