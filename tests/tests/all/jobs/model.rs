//! Random walks over the queue, compared step by step with a small model, on both engines: jobs are enqueued, claimed,
//! ended, forgotten by workers that die, rescued, cancelled and queued again, while the clock jumps to and fro.
//!
//! A failure prints the shortest walk that shows it, and its seed; `PROPTEST_RNG_SEED` repeats it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use hrms_core::contract::{at, id, job, tenant};
use hrms_core::job::{
    Claim, Ended, Finish, JobDirectory, JobFault, JobKind, JobRecord, JobState, Lease, Priority, Progress,
    Slots,
};
use hrms_core::{JobId, Store, StoreError, TenantId};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::all::support::{Fresh, postgres, sqlite_file};

#[derive(Clone, Debug)]
enum Step {
    Enqueue { tenant: usize, key: Option<u8>, window: Option<i64>, delay: i64, priority: usize, commit: bool },
    Claim { limit: u16 },
    End { claim: usize, how: usize, together: bool },
    Progress { claim: usize },
    Renew { claim: usize },
    Rescue,
    Clock { seconds: i64 },
    Cancel { job: usize },
    Requeue { job: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let key = prop::option::weighted(0.5, 0u8..2);
    let window = prop::option::of(1i64..200);
    prop_oneof![
        5 => (0usize..2, key, window, 0i64..30, 0usize..3, prop::bool::weighted(0.9)).prop_map(
            |(tenant, key, window, delay, priority, commit)| Step::Enqueue { tenant, key, window, delay, priority, commit }
        ),
        5 => (0u16..5).prop_map(|limit| Step::Claim { limit }),
        6 => (0usize..9, 0usize..6, any::<bool>()).prop_map(|(claim, how, together)| Step::End { claim, how, together }),
        2 => (0usize..9).prop_map(|claim| Step::Progress { claim }),
        2 => (0usize..9).prop_map(|claim| Step::Renew { claim }),
        2 => Just(Step::Rescue),
        4 => (-30i64..100).prop_map(|seconds| Step::Clock { seconds }),
        2 => (0usize..9).prop_map(|job| Step::Cancel { job }),
        2 => (0usize..9).prop_map(|job| Step::Requeue { job }),
    ]
}

/// A job as the model has it.
struct Known {
    tenant: TenantId,
    record: JobRecord,
    token: i64,
    until: Timestamp,
}

struct Walk<'a> {
    store: &'a Fresh,
    tenants: [TenantId; 2],
    kind: &'static str,
    now: Timestamp,
    jobs: Vec<Known>,
    /// Every claim that there ever was, those that were lost too.
    leases: Vec<Lease>,
}

fn fault() -> JobFault {
    JobFault { code: "test.fault".into(), detail: "it broke".into() }
}

fn after(at: Timestamp, seconds: i64) -> Timestamp {
    at + SignedDuration::from_secs(seconds)
}

impl Walk<'_> {
    async fn walk(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Enqueue { tenant, key, window, delay, priority, commit } => {
                    self.enqueue(tenant, key, window, delay, priority, commit).await;
                }
                Step::Claim { limit } => self.claim(limit).await,
                Step::End { claim, how, together } => self.end(claim, how, together).await,
                Step::Progress { claim } => self.progress(claim).await,
                Step::Renew { claim } => self.renew(claim).await,
                Step::Rescue => self.rescue().await,
                Step::Clock { seconds } => self.now = after(self.now, seconds),
                Step::Cancel { job } => self.cancel(job).await,
                Step::Requeue { job } => self.requeue(job).await,
            }
            self.compare().await;
        }
    }

    async fn enqueue(
        &mut self,
        tenant: usize,
        key: Option<u8>,
        window: Option<i64>,
        delay: i64,
        priority: usize,
        commit: bool,
    ) {
        let tenant = self.tenants[tenant];
        let mut new = job(self.kind);
        new.unique_key = key.map(|key| key.to_string());
        new.priority = Priority::ALL[priority];
        new.run_at = after(self.now, delay);
        (new.created_at, new.updated_at) = (self.now, self.now);
        let since = window.map(|window| after(self.now, -window));
        let alive = |known: &&Known| matches!(known.record.state, JobState::Queued | JobState::Running);
        let mut same: Vec<&Known> = self.jobs.iter().collect();
        same.retain(|known| {
            known.tenant == tenant && key.is_some() && known.record.unique_key == new.unique_key
        });
        let counts: BTreeSet<JobId> = same
            .iter()
            .filter(|known| alive(known) || since.is_some_and(|since| known.record.created_at >= since))
            .map(|known| known.record.id)
            .collect();
        let mut tx = self.store.begin(tenant).await.unwrap();
        let existing = tx.jobs().insert(&new, since).await.unwrap();
        match existing {
            Some(existing) => assert!(counts.contains(&existing), "{existing} doesn't count"),
            None => assert!(counts.is_empty(), "one counts"),
        }
        if commit {
            tx.commit().await.unwrap();
            if existing.is_none() {
                self.jobs.push(Known { tenant, record: new, token: 0, until: self.now });
            }
        }
    }

    async fn claim(&mut self, limit: u16) {
        let (kinds, slots) = ([JobKind::unlimited(self.kind)], Slots::unreserved(limit));
        let (now, until) = (self.now, after(self.now, 60));
        let claim = Claim { worker: "w", kinds: &kinds, slots: &slots, now, until, after: None };
        let claimed = self.store.claim_jobs(&claim).await.unwrap();
        let due = |known: &&Known| known.record.state == JobState::Queued && known.record.run_at <= now;
        let all = self.jobs.iter().filter(due).count();
        assert_eq!(claimed.len(), all.min(usize::from(limit)));
        let mut shares = Vec::new();
        for tenant in self.tenants {
            // The most urgent and oldest of each tenant, in this order.
            let mut mine: Vec<&Known> =
                self.jobs.iter().filter(due).filter(|known| known.tenant == tenant).collect();
            mine.sort_by_key(|known| (known.record.priority, known.record.run_at, known.record.id));
            let got: Vec<_> = claimed.iter().filter(|one| one.lease.tenant == tenant).collect();
            let wanted: Vec<_> = mine.iter().take(got.len()).map(|known| known.record.id).collect();
            assert_eq!(got.iter().map(|one| one.lease.job).collect::<Vec<_>>(), wanted);
            shares.push((got.len(), mine.len()));
        }
        let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
        assert!(least.0 == least.1 || most.0 - least.0 <= 1, "unfair: {shares:?}");
        for one in claimed {
            let known = self.known(&one.lease);
            known.token += 1;
            known.until = until;
            known.record.attempts += 1;
            known.record.state = JobState::Running;
            assert_eq!((one.lease.token, one.job.attempts), (known.token, known.record.attempts));
            self.leases.push(one.lease);
        }
    }

    fn known(&mut self, lease: &Lease) -> &mut Known {
        self.jobs.iter_mut().find(|known| known.record.id == lease.job).unwrap()
    }

    fn holds(&mut self, lease: &Lease) -> bool {
        let known = self.known(lease);
        known.record.state == JobState::Running && known.token == lease.token
    }

    fn lease(&self, index: usize) -> Option<Lease> {
        // The latest ones: most of them hold.
        self.leases.iter().rev().nth(index % self.leases.len().max(1)).copied()
    }

    async fn end(&mut self, claim: usize, how: usize, together: bool) {
        let Some(lease) = self.lease(claim) else { return };
        let (now, later) = (self.now, after(self.now, 20));
        let finish = match how {
            0 => Finish::Succeeded(serde_json::json!({ "n": 1 })),
            1 => Finish::Retry { at: later, fault: fault() },
            2 => Finish::Failed(fault(), None),
            3 => Finish::Cancelled,
            4 => Finish::Released,
            _ => Finish::Snoozed { at: later },
        };
        let holds = self.holds(&lease);
        if together {
            let ended = [Ended { lease, finish: finish.clone() }];
            assert_eq!(self.store.finish_jobs(&ended, now).await.unwrap(), u64::from(holds));
        } else {
            let mut tx = self.store.begin(lease.tenant).await.unwrap();
            match tx.jobs().finish(&lease, &finish, now).await {
                Ok(()) => assert!(holds, "a lost lease ended a job"),
                Err(StoreError::Stale) => assert!(!holds, "a lease that holds ended nothing"),
                Err(other) => panic!("{other}"),
            }
            tx.commit().await.unwrap();
        }
        if !holds {
            return;
        }
        let record = &mut self.known(&lease).record;
        let (state, run_at, uncounted) = match finish {
            Finish::Succeeded(_) => (JobState::Succeeded, None, 0),
            Finish::Retry { at, .. } => (JobState::Queued, Some(at), 0),
            Finish::Failed(..) => (JobState::Failed, None, 0),
            Finish::Cancelled => (JobState::Cancelled, None, 0),
            Finish::Released => (JobState::Queued, Some(now), 1),
            Finish::Snoozed { at } => (JobState::Queued, Some(at), 1),
        };
        record.state = state;
        record.run_at = run_at.unwrap_or(record.run_at);
        record.attempts -= uncounted;
        record.finished_at = (state != JobState::Queued).then_some(now);
    }

    async fn progress(&mut self, claim: usize) {
        let Some(lease) = self.lease(claim) else { return };
        let (now, until) = (self.now, after(self.now, 60));
        let holds = self.holds(&lease);
        let progress = Progress { done: 1, total: None, message: None };
        let mut tx = self.store.begin(lease.tenant).await.unwrap();
        let told = tx.jobs().progress(&lease, &progress, now, until).await;
        tx.commit().await.unwrap();
        let known = self.known(&lease);
        match told {
            Ok(cancel) => {
                assert!(holds);
                assert_eq!(cancel, known.record.cancel_requested);
                known.until = until;
            }
            Err(StoreError::Stale) => assert!(!holds),
            Err(other) => panic!("{other}"),
        }
    }

    async fn renew(&mut self, claim: usize) {
        let Some(lease) = self.lease(claim) else { return };
        let until = after(self.now, 60);
        let holds = self.holds(&lease);
        match self.store.renew_lease(&lease, until).await {
            Ok(_) => assert!(holds),
            Err(StoreError::Stale) => assert!(!holds),
            Err(other) => panic!("{other}"),
        }
        if holds {
            self.known(&lease).until = until;
        }
    }

    async fn rescue(&mut self) {
        // Walks before this one may have left some too.
        while self.store.rescue_jobs(self.now).await.unwrap() == 100 {}
        for known in &mut self.jobs {
            let record = &mut known.record;
            if record.state == JobState::Running && known.until < self.now {
                let over = record.attempts >= record.max_attempts;
                record.state = if over { JobState::Failed } else { JobState::Queued };
                record.finished_at = over.then_some(self.now);
            }
        }
    }

    async fn cancel(&mut self, job: usize) {
        let index = job % self.jobs.len().max(1);
        let Some(known) = self.jobs.get_mut(index) else { return };
        let mut tx = self.store.begin(known.tenant).await.unwrap();
        let cancelled = tx.jobs().cancel(known.record.id, self.now).await;
        tx.commit().await.unwrap();
        match known.record.state {
            JobState::Queued => {
                known.record.state = JobState::Cancelled;
                (known.record.cancel_requested, known.record.finished_at) = (true, Some(self.now));
            }
            JobState::Running => known.record.cancel_requested = true,
            _ => return assert!(matches!(cancelled, Err(StoreError::Stale))),
        }
        cancelled.unwrap();
    }

    async fn requeue(&mut self, job: usize) {
        let index = job % self.jobs.len().max(1);
        let Some(known) = self.jobs.get(index) else { return };
        let (tenant, record) = (known.tenant, known.record.clone());
        let taken = record.unique_key.is_some()
            && self.jobs.iter().any(|other| {
                other.tenant == tenant
                    && other.record.id != record.id
                    && other.record.unique_key == record.unique_key
                    && matches!(other.record.state, JobState::Queued | JobState::Running)
            });
        let mut tx = self.store.begin(tenant).await.unwrap();
        let queued = tx.jobs().requeue(record.id, self.now).await;
        match (record.state, taken) {
            (JobState::Failed | JobState::Cancelled, false) => {
                queued.unwrap();
                tx.commit().await.unwrap();
                let (now, record) = (self.now, &mut self.jobs[index].record);
                (record.state, record.attempts, record.run_at) = (JobState::Queued, 0, now);
                (record.finished_at, record.cancel_requested) = (None, false);
            }
            (JobState::Failed | JobState::Cancelled, true) => {
                assert_eq!(queued.unwrap_err().constraint(), Some("job_unique_key"));
            }
            _ => assert!(matches!(queued, Err(StoreError::Stale))),
        }
    }

    async fn compare(&self) {
        for tenant in self.tenants {
            let mut tx = self.store.read(tenant).await.unwrap();
            for known in self.jobs.iter().filter(|known| known.tenant == tenant) {
                let stored = tx.jobs().get(known.record.id).await.unwrap().unwrap();
                let facts = |job: &JobRecord| {
                    (job.state, job.attempts, job.run_at, job.cancel_requested, job.finished_at, job.priority)
                };
                assert_eq!(facts(&stored), facts(&known.record));
            }
        }
    }
}

fn walks(make: impl Future<Output = Fresh>) {
    static WALKS: AtomicUsize = AtomicUsize::new(0);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let store = runtime.block_on(make);
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(40);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 400, ..Config::default() };
    let walked = TestRunner::new(config).run(&prop::collection::vec(step(), 1..60), |steps| {
        runtime.block_on(async {
            // Each walk has a kind and tenants of its own, so that one store does for all.
            let kind = Box::leak(
                format!("walk.{}.{}", WALKS.fetch_add(1, Ordering::Relaxed), id()).into_boxed_str(),
            );
            let tenants = [tenant(&*store).await, tenant(&*store).await];
            let mut walk =
                Walk { store: &store, tenants, kind, now: at(0), jobs: Vec::new(), leases: Vec::new() };
            walk.walk(steps).await;
        });
        Ok(())
    });
    if let Err(error) = walked {
        panic!("{error}");
    }
}

#[test]
fn the_queue_follows_its_model_on_sqlite() {
    walks(sqlite_file());
}

#[test]
fn the_queue_follows_its_model_on_postgres() {
    walks(postgres());
}
