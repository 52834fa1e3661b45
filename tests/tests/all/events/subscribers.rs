//! Subscribers: each event once in effect and in order, whatever is dropped when.

use std::sync::Arc;

use hrms_core::actor::{Actor, Cause, Who};
use hrms_core::contract::{at, id, location, tenant};
use hrms_core::event::{Event, Relay, Start, Subscriber};
use hrms_core::id::{RequestId, UserId};
use hrms_core::job::{JobError, JobFilter, JobRegistry, JobState, LEASE, Worker, run_until_idle};
use hrms_core::location::{LocationFilter, LocationSort, NewLocation};
use hrms_core::{CommonError, FixedClock, Hrms, PageRequest, Role, Store, TenantId, Work};
use hrms_store::SqlStore;
use hrms_tests::Fresh;
use jiff::SignedDuration;

use crate::all::support::for_a_while;

struct World {
    hrms: Hrms,
    clock: Arc<FixedClock>,
    store: SqlStore,
    tenant: TenantId,
}

impl World {
    async fn new(store: &Fresh) -> Self {
        let clock = Arc::new(FixedClock::at(at(0)));
        let store = SqlStore::clone(store);
        let hrms = Hrms::builder(store.clone()).clock(clock.clone()).build();
        let tenant = tenant(&store).await;
        Self { hrms, clock, store, tenant }
    }

    fn actor(&self) -> Actor {
        let who = Who::User { user: UserId::from_uuid(id()), session: None, employee: None };
        Actor::user(self.tenant, who, &[Role::Admin], Cause::Request, RequestId::from_uuid(id()))
    }

    /// Causes one event.
    async fn open(&self, code: &str) {
        let new = NewLocation { code: code.into(), name: code.into(), time_zone: "UTC".into() };
        self.hrms.locations().create(&self.actor(), new).await.unwrap();
    }

    /// What [`Copier`] made, in the order in which it made it.
    async fn copies(&self) -> Vec<String> {
        let page = PageRequest { limit: 200, sort: LocationSort::Code, ..PageRequest::default() };
        let page =
            self.hrms.locations().list(&self.actor(), &LocationFilter::default(), &page).await.unwrap();
        assert!(page.next.is_none());
        let mut copies: Vec<_> = page.items.into_iter().filter(|one| one.code.starts_with("copy-")).collect();
        copies.sort_by_key(|one| one.id);
        copies.into_iter().map(|one| one.name).collect()
    }

    /// The subjects of events of a type, in the order of the log.
    async fn subjects(&self, kind: &str) -> Vec<String> {
        let mut tx = self.store.read(self.tenant).await.unwrap();
        let events = tx.events().after(0, 1000).await.unwrap();
        events.into_iter().filter(|event| event.kind == kind).map(|event| event.subject).collect()
    }

    async fn position(&self, consumer: &str) -> Option<i64> {
        let mut tx = self.store.read(self.tenant).await.unwrap();
        let positions = tx.event_consumers().positions().await.unwrap();
        positions.into_iter().find(|(name, _)| name == consumer).map(|(_, position)| position)
    }

    async fn jobs(&self, kind: &str) -> Vec<JobState> {
        let mut tx = self.store.read(self.tenant).await.unwrap();
        let filter = JobFilter { kind: Some(kind.into()), ..JobFilter::default() };
        let page = PageRequest { limit: 200, ..PageRequest::default() };
        tx.jobs().list(&filter, &page).await.unwrap().into_iter().map(|job| job.state).collect()
    }
}

/// Writes a row for each new location: a second one for the same event would be refused.
struct Copier;

impl Subscriber for Copier {
    const NAME: &'static str = "test.copier";
    const TYPES: Option<&'static [&'static str]> = Some(&["location.created"]);

    async fn handle(&self, work: &mut Work, events: &[Event]) -> Result<(), JobError> {
        for event in events {
            let mut copy = location(&format!("copy-{}", event.id.as_uuid().simple()));
            copy.name = event.subject.clone();
            // A database that answers at once doesn't let anybody wait: so that it can be dropped here, too.
            tokio::task::yield_now().await;
            work.locations().insert(&copy).await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

fn copier() -> JobRegistry {
    JobRegistry::empty().with_subscriber(Copier)
}

async fn each_event_has_its_effect_once_and_in_order(store: &Fresh) {
    let world = World::new(store).await;
    for code in ["a", "b", "c"] {
        world.open(code).await;
    }
    assert_eq!(run_until_idle(&world.hrms, &copier()).await.unwrap(), 1, "one job for all of them");
    assert_eq!(world.copies().await, world.subjects("location.created").await);
    assert_eq!(run_until_idle(&world.hrms, &copier()).await.unwrap(), 0, "nothing is left");

    // Another type passes by without being handled, and counts as read.
    let page = PageRequest::default();
    let location =
        world.hrms.locations().list(&world.actor(), &LocationFilter::default(), &page).await.unwrap();
    let (id, version) =
        location.items.iter().find(|one| one.code == "a").map(|one| (one.id, one.version)).unwrap();
    world.hrms.locations().remove(&world.actor(), id, version).await.unwrap();
    assert_eq!(run_until_idle(&world.hrms, &copier()).await.unwrap(), 1);
    assert_eq!(world.copies().await.len(), 3);
    assert_eq!(world.position(Copier::NAME).await, Some(4));
}

async fn dropped_anywhere_it_loses_and_doubles_nothing(store: &Fresh) {
    let (mut ended, mut dropped) = (0, Vec::new());
    for waits in 0.. {
        let world = World::new(store).await;
        world.open("a").await;
        world.open("b").await;
        // Dropped somewhere between telling the subscriber and the end of its job: as if the process died.
        let registry = copier();
        let whole = for_a_while(
            async {
                Relay::new(world.hrms.clone(), &registry).pass().await.unwrap();
                let worker = Worker::new(world.hrms.clone(), registry.clone(), "w");
                for job in worker.claim(1).await.unwrap() {
                    worker.run(job).await.unwrap();
                }
            },
            waits,
        )
        .await;
        if !whole {
            dropped.extend(world.jobs(Copier::NAME).await);
        }
        world.clock.advance(LEASE.span() + SignedDuration::from_secs(1));
        world.open("c").await;
        run_until_idle(&world.hrms, &copier()).await.unwrap();
        let wanted = world.subjects("location.created").await;
        assert_eq!(wanted.len(), 3);
        assert_eq!(world.copies().await, wanted, "dropped after {waits} waits");
        assert!(world.jobs(Copier::NAME).await.iter().all(|state| *state == JobState::Succeeded), "{waits}");
        ended += usize::from(whole);
        if ended == 2 {
            // How often it waits depends on how fast the database answers.
            assert!(dropped.contains(&JobState::Running), "{waits}: {dropped:?}");
            return;
        }
    }
}

/// Fails for a while.
struct Moody(Arc<FixedClock>);

impl Subscriber for Moody {
    const NAME: &'static str = "test.moody";
    const MAX_ATTEMPTS: u16 = 2;

    async fn handle(&self, work: &mut Work, events: &[Event]) -> Result<(), JobError> {
        Copier.handle(work, events).await?;
        use hrms_core::Clock;
        if self.0.now() < at(1000) {
            return Err(JobError::retry(std::io::Error::other("not yet")));
        }
        Ok(())
    }
}

async fn what_fails_is_tried_again_and_skips_nothing(store: &Fresh) {
    let world = World::new(store).await;
    let registry = JobRegistry::empty().with_subscriber(Moody(world.clock.clone()));
    world.open("a").await;
    assert_eq!(run_until_idle(&world.hrms, &registry).await.unwrap(), 1);
    assert!(world.copies().await.is_empty(), "what a failed batch wrote is undone");
    world.clock.advance(SignedDuration::from_secs(10));
    assert_eq!(run_until_idle(&world.hrms, &registry).await.unwrap(), 1);
    assert_eq!(world.jobs(Moody::NAME).await, [JobState::Failed], "its attempts are used up");
    assert_eq!(world.position(Moody::NAME).await, Some(0));

    // The next event, or the next start of a process, tries again.
    world.clock.advance(SignedDuration::from_secs(2000));
    assert_eq!(run_until_idle(&world.hrms, &registry).await.unwrap(), 0);
    assert_eq!(Relay::new(world.hrms.clone(), &registry).catch_up().await.unwrap(), 1);
    assert_eq!(run_until_idle(&world.hrms, &registry).await.unwrap(), 1);
    assert_eq!(world.copies().await, world.subjects("location.created").await);
}

/// Sees the past too.
struct Historian;

impl Subscriber for Historian {
    const NAME: &'static str = "test.historian";
    const START: Start = Start::Beginning;

    async fn handle(&self, work: &mut Work, events: &[Event]) -> Result<(), JobError> {
        Copier.handle(work, events).await
    }
}

/// Isn't needed until there is a location with a certain code.
struct Idler;

impl Subscriber for Idler {
    const NAME: &'static str = "test.idler";

    async fn is_needed(&self, work: &mut Work) -> Result<bool, CommonError> {
        Ok(!work.locations().find_by_codes(&["go".to_owned()]).await?.is_empty())
    }

    async fn handle(&self, work: &mut Work, events: &[Event]) -> Result<(), JobError> {
        Copier.handle(work, events).await
    }
}

async fn new_subscribers_begin_where_they_say(store: &Fresh) {
    let world = World::new(store).await;
    world.open("a").await;
    world.open("b").await;
    run_until_idle(&world.hrms, &copier()).await.unwrap();
    assert_eq!(world.copies().await.len(), 2);

    // One for what comes, one for everything; both are there when the third comes.
    struct Newcomer;
    impl Subscriber for Newcomer {
        const NAME: &'static str = "test.newcomer";
        async fn handle(&self, work: &mut Work, events: &[Event]) -> Result<(), JobError> {
            assert_eq!(events.len(), 1);
            let mut seen = location("newcomer");
            seen.name = events[0].subject.clone();
            Ok(work.locations().insert(&seen).await?)
        }
    }
    world.open("c").await;
    run_until_idle(&world.hrms, &JobRegistry::empty().with_subscriber(Newcomer)).await.unwrap();
    assert_eq!(world.position(Newcomer::NAME).await, Some(3));
    let other = World::new(store).await;
    other.open("x").await;
    other.open("y").await;
    let nobody = JobRegistry::empty();
    run_until_idle(&other.hrms, &nobody).await.unwrap();
    other.open("z").await;
    run_until_idle(&other.hrms, &JobRegistry::empty().with_subscriber(Historian)).await.unwrap();
    assert_eq!(other.copies().await, other.subjects("location.created").await);
}

async fn who_is_not_needed_costs_no_job(store: &Fresh) {
    let world = World::new(store).await;
    let registry = JobRegistry::empty().with_subscriber(Idler);
    world.open("a").await;
    assert_eq!(run_until_idle(&world.hrms, &registry).await.unwrap(), 0);
    assert_eq!(world.position(Idler::NAME).await, Some(1), "it passed by");
    world.open("go").await;
    assert_eq!(run_until_idle(&world.hrms, &registry).await.unwrap(), 1);
    assert_eq!(world.copies().await.len(), 1, "only what came since it is needed");
}

/// Emitters, relays and workers at the same time: nothing is left behind when all have ended.
async fn nothing_is_left_behind_when_all_run_at_once(store: &Fresh) {
    let world = World::new(store).await;
    let (hrms, registry) = (&world.hrms, &copier());
    let emit = |name: &'static str| async move {
        for number in 0..25 {
            let new =
                NewLocation { code: format!("{name}{number}"), name: name.into(), time_zone: "UTC".into() };
            let who = Who::User { user: UserId::from_uuid(id()), session: None, employee: None };
            let request = RequestId::from_uuid(id());
            let actor = Actor::user(world.tenant, who, &[Role::Admin], Cause::Request, request);
            hrms.locations().create(&actor, new).await.unwrap();
        }
    };
    let work = || async move {
        let mut idle = 0;
        // Until nothing has come for a while of turns.
        while idle < 50 {
            let runs = run_until_idle(hrms, registry).await.unwrap();
            idle = if runs == 0 { idle + 1 } else { 0 };
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(emit("a"), emit("b"), work(), work(), work());
    // No last pass of a relay: what was committed has been told of, or is marked. A run that had to be tried again
    // waits for its time; one that nobody told of would wait for ever.
    let caught_up = async {
        while world.position(Copier::NAME).await != Some(50) {
            run_until_idle(hrms, registry).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), caught_up)
        .await
        .expect("events were left behind");
    assert_eq!(world.copies().await, world.subjects("location.created").await);
    assert_eq!(world.position(Copier::NAME).await, Some(50));
}

async fn what_nobody_declared_is_not_emitted(store: &Fresh) {
    use hrms_core::audit::Change;
    use hrms_core::event::{DataField, DataForm, EventType, NewEvent};
    use hrms_core::{Permission, Resource};

    const PAINTED: EventType = EventType {
        name: "office.painted",
        about: "An office was painted.",
        subject: "offices/{office_id}",
        permissions: &[Permission::LocationRead],
        data: &[DataField { name: "office_id", form: DataForm::Id, optional: false }],
    };
    let world = World::new(store).await;
    let declared = Hrms::builder(world.store.clone()).event_type(PAINTED).build();
    for (hrms, data, fine) in [
        (&world.hrms, serde_json::json!({ "office_id": id() }), false),
        (&declared, serde_json::json!({ "office_id": id(), "color": "red" }), false),
        (&declared, serde_json::json!({ "office_id": id() }), true),
    ] {
        let mut work = hrms.begin(&world.actor()).await.unwrap();
        work.locations().insert(&location(&id().simple().to_string())).await.unwrap();
        work.emit(NewEvent {
            kind: "office.painted",
            subject: "offices/1".into(),
            data,
            change: Change::none(),
            permission: Permission::LocationRead,
            resource: Resource::organization(),
        });
        let committed = work.commit(()).await;
        assert_eq!(committed.is_ok(), fine, "{committed:?}");
        let mut tx = world.store.read(world.tenant).await.unwrap();
        let rows = tx.locations().list(&LocationFilter::default(), &PageRequest::default()).await.unwrap();
        assert_eq!(rows.len(), usize::from(fine), "nothing of it is written");
    }
}

hrms_tests::on_every_engine!(
    each_event_has_its_effect_once_and_in_order,
    dropped_anywhere_it_loses_and_doubles_nothing,
    what_fails_is_tried_again_and_skips_nothing,
    new_subscribers_begin_where_they_say,
    who_is_not_needed_costs_no_job,
    nothing_is_left_behind_when_all_run_at_once,
    what_nobody_declared_is_not_emitted,
);
