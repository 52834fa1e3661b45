//! From an event to a message that was taken.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hrms_core::actor::{Actor, Cause, Who};
use hrms_core::contract::{id, tenant};
use hrms_core::id::{RequestId, UserId};
use hrms_core::job::{Job, JobFilter, JobRegistry, JobState, LEASE, Worker, run_until_idle};
use hrms_core::location::{Location, LocationPatch, NewLocation};
use hrms_core::sealed::KeyBox;
use hrms_core::webhook::{
    ATTEMPTS, DeliverWebhooks, DeliveryFilter, DeliverySort, DeliveryState, DisabledReason, IssuedWebhook,
    NewWebhook, RotateSecret, WebhookDelivery, WebhookError, WebhookStatus, Webhooks,
};
use hrms_core::{Clock, FixedClock, Hrms, PageRequest, Patch, Role, Store, SystemClock, TenantId, WebhookId};
use hrms_http::{HttpWebhookSender, WebhookPolicy};
use hrms_store::SqlStore;
use hrms_tests::Fresh;
use jiff::SignedDuration;

use crate::all::support::for_a_while;

use super::receiver::{Received, Receiver};

pub(super) struct World {
    pub(super) hrms: Hrms,
    pub(super) clock: Arc<FixedClock>,
    pub(super) store: SqlStore,
    tenant: TenantId,
    pub(super) receiver: Receiver,
}

pub(super) fn registry() -> JobRegistry {
    JobRegistry::empty().with::<DeliverWebhooks>().with_subscriber(Webhooks)
}

/// A system whose secrets are sealed with this key, and that may send to this machine.
pub(super) fn hrms(store: SqlStore, clock: Arc<FixedClock>, key: u8) -> Hrms {
    let mut policy = WebhookPolicy::default();
    policy.allow_http = true;
    policy.allow_private_networks = true;
    Hrms::builder(store)
        .clock(clock)
        .secret_box(KeyBox::new([key; 32]))
        .webhook_sender(HttpWebhookSender::new(policy).unwrap())
        .build()
}

impl World {
    pub(super) async fn new(store: &Fresh) -> Self {
        // The independent implementation of the signatures looks at the real clock.
        let clock = Arc::new(FixedClock::at(SystemClock.now()));
        let hrms = hrms(SqlStore::clone(store), clock.clone(), 3);
        let tenant = tenant(&**store).await;
        Self { hrms, clock, store: SqlStore::clone(store), tenant, receiver: Receiver::start().await }
    }

    pub(super) fn actor(&self) -> Actor {
        let who = Who::User { user: UserId::from_uuid(id()), session: None, employee: None };
        Actor::user(self.tenant, who, &[Role::Owner], Cause::Request, RequestId::from_uuid(id()))
    }

    pub(super) async fn webhook(&self, types: &[&str]) -> IssuedWebhook {
        let new = NewWebhook {
            url: self.receiver.url("/hook"),
            description: None,
            types: types.iter().map(|one| (*one).to_owned()).collect(),
        };
        self.hrms.webhooks().create(&self.actor(), new).await.unwrap()
    }

    pub(super) async fn open(&self, code: &str) -> Location {
        let new = NewLocation { code: code.into(), name: code.into(), time_zone: "UTC".into() };
        self.hrms.locations().create(&self.actor(), new).await.unwrap()
    }

    pub(super) async fn rename(&self, location: &mut Location, name: &str) {
        let patch = LocationPatch { name: Patch::Set(name.into()), ..LocationPatch::default() };
        let (id, version) = (location.id, location.version);
        *location = self.hrms.locations().change(&self.actor(), id, version, patch).await.unwrap();
    }

    pub(super) async fn run(&self) -> usize {
        run_until_idle(&self.hrms, &registry()).await.unwrap()
    }

    /// Lets time go by, and does what is due then.
    pub(super) async fn after(&self, wait: SignedDuration) {
        self.clock.advance(wait);
        self.run().await;
    }

    pub(super) async fn deliveries(&self, webhook: WebhookId) -> Vec<WebhookDelivery> {
        let page = PageRequest { limit: 200, sort: DeliverySort::CreatedAt, ..PageRequest::default() };
        let filter = DeliveryFilter::default();
        self.hrms.webhooks().deliveries(&self.actor(), webhook, &filter, &page).await.unwrap().items
    }

    async fn jobs(&self, kind: &str) -> Vec<JobState> {
        let mut tx = self.store.read(self.tenant).await.unwrap();
        let filter = JobFilter { kind: Some(kind.into()), ..JobFilter::default() };
        let page = PageRequest { limit: 200, ..PageRequest::default() };
        tx.jobs().list(&filter, &page).await.unwrap().into_iter().map(|job| job.state).collect()
    }

    async fn status(&self, webhook: WebhookId) -> (WebhookStatus, Option<DisabledReason>) {
        let webhook = self.hrms.webhooks().get(&self.actor(), webhook).await.unwrap();
        (webhook.status, webhook.disabled_reason)
    }

    /// The types of the last events, oldest first.
    async fn last_events<const N: usize>(&self) -> [String; N] {
        let mut tx = self.store.read(self.tenant).await.unwrap();
        let events = tx.events().after(0, 1000).await.unwrap();
        let kinds: Vec<String> = events.into_iter().map(|event| event.kind).collect();
        kinds[kinds.len() - N..].to_vec().try_into().unwrap()
    }
}

fn verifies(secret: &str, message: &Received) -> bool {
    let verifier = standardwebhooks::Webhook::new(secret).unwrap();
    verifier.verify(&message.body, &message.headers).is_ok()
}

const TWO_SECONDS: SignedDuration = SignedDuration::from_secs(2);

async fn an_event_arrives_signed(store: &Fresh) {
    let world = World::new(store).await;
    world.open("before").await;
    world.clock.advance(SignedDuration::from_secs(1));
    let webhook = world.webhook(&["location.created", "employee.hired"]).await;
    let secret = webhook.secret.clone().unwrap();
    let location = world.open("pune").await;
    let department =
        hrms_core::department::NewDepartment { code: "d".into(), name: "D".into(), parent_id: None };
    world.hrms.departments().create(&world.actor(), department).await.unwrap();
    world.receiver.then_say(202, "thank you");
    world.run().await;

    let received = world.receiver.received();
    assert_eq!(received.len(), 1, "neither what was before, nor what isn't asked for");
    let message = &received[0];
    assert_eq!(message.path, "/hook");
    assert!(verifies(&secret, message));
    let mut forged = message.clone();
    forged.body = b"{}".as_slice().into();
    assert!(!verifies(&secret, &forged));
    assert!(!verifies("whsec_c2VjcmV0", message));
    assert_eq!(message.header("content-type"), "application/cloudevents+json; charset=utf-8");
    let event = message.json();
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["type"], "location.created");
    assert_eq!(event["source"], format!("/organizations/{}", world.tenant));
    assert_eq!(event["subject"], format!("locations/{}", location.id));
    assert_eq!(event["data"], serde_json::json!({ "location_id": location.id }), "thin: ids only");
    assert_eq!(event["id"], message.header("webhook-id"));
    assert_eq!(event["sequence"].as_str().unwrap().len(), 19);

    let deliveries = world.deliveries(webhook.webhook.id).await;
    let [delivery] = deliveries.as_slice() else { panic!("{deliveries:?}") };
    assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Succeeded, 1));
    assert_eq!(delivery.response_status, Some(202));
    assert_eq!(delivery.response_excerpt.as_deref(), Some("thank you"));
    assert_eq!(delivery.event_id.to_string(), message.header("webhook-id"));
    assert_eq!(world.run().await, 0, "once");
}

async fn order_holds_for_each_subject_under_failures(store: &Fresh) {
    let world = World::new(store).await;
    let webhook = world.webhook(&["location.created", "location.changed"]).await;
    let mut pune = world.open("pune").await;
    world.rename(&mut pune, "Pune 2").await;
    let mut dublin = world.open("dublin").await;
    world.rename(&mut pune, "Pune 3").await;
    world.rename(&mut dublin, "Dublin 2").await;
    // Each thing's first message fails three times.
    world.receiver.then(&[500, 503]);
    world.run().await;
    assert_eq!(world.receiver.received().len(), 2, "nothing overtakes what failed");
    world.receiver.then(&[429, 500]);
    world.after(TWO_SECONDS).await;
    assert_eq!(world.receiver.received().len(), 2, "not yet");
    world.after(SignedDuration::from_secs(10)).await;
    assert_eq!(world.receiver.received().len(), 4);
    // One of them works from now on, whichever is first; the other fails once more.
    world.receiver.then(&[500]);
    world.after(SignedDuration::from_mins(6)).await;
    world.after(SignedDuration::from_mins(60)).await;

    let mut taken: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for message in world.receiver.received() {
        let (kind, subject) = message.what();
        let ids = taken.entry(subject).or_default();
        let id = format!("{} {kind}", message.header("webhook-id"));
        // The same message may come again, but not after a later one.
        if ids.last() != Some(&id) {
            ids.push(id);
        }
    }
    let subjects = [(&pune, 3), (&dublin, 2)];
    for (location, count) in subjects {
        let ids = &taken[&format!("locations/{}", location.id)];
        assert_eq!(ids.len(), count);
        let mut tx = world.store.read(world.tenant).await.unwrap();
        let events = tx.events().after(0, 100).await.unwrap();
        let of = |event: &&hrms_core::event::Event| event.subject == format!("locations/{}", location.id);
        let expected: Vec<String> =
            events.iter().filter(of).map(|event| format!("{} {}", event.id, event.kind)).collect();
        assert_eq!(*ids, expected);
    }
    let deliveries = world.deliveries(webhook.webhook.id).await;
    assert!(deliveries.iter().all(|one| one.state == DeliveryState::Succeeded), "{deliveries:?}");
}

async fn what_is_never_taken_is_given_up_and_the_next_is_tried(store: &Fresh) {
    let world = World::new(store).await;
    let webhook = world.webhook(&["location.created", "location.changed"]).await;
    let mut pune = world.open("pune").await;
    world.rename(&mut pune, "Pune 2").await;
    world.receiver.always(500);
    world.run().await;
    for attempt in 1..ATTEMPTS {
        assert_eq!(world.receiver.received().len(), attempt);
        let deliveries = world.deliveries(webhook.webhook.id).await;
        assert_eq!(usize::from(deliveries[0].attempts), attempt);
        assert_eq!(
            (deliveries[0].state, deliveries[0].error.as_deref()),
            (DeliveryState::Waiting, Some("status"))
        );
        let next = deliveries[0].next_attempt_at.unwrap();
        let wait = next.duration_since(world.clock.now());
        world.after(wait - SignedDuration::from_millis(1)).await;
        assert_eq!(world.receiver.received().len(), attempt, "not a moment too soon");
        if attempt == ATTEMPTS - 1 {
            world.receiver.always(200);
        }
        world.after(SignedDuration::from_millis(1)).await;
    }
    // The last attempt was taken, and the next message went right after it.
    let received = world.receiver.received();
    assert_eq!(received.len(), ATTEMPTS + 1);
    let first = received[0].header("webhook-id");
    assert!(received[..ATTEMPTS].iter().all(|message| message.header("webhook-id") == first));
    assert_ne!(received[0].header("webhook-timestamp"), received[1].header("webhook-timestamp"));
    assert_ne!(received[ATTEMPTS].header("webhook-id"), first);

    world.receiver.always(500);
    world.rename(&mut pune, "Pune 3").await;
    world.run().await;
    for _ in 1..ATTEMPTS {
        world.after(SignedDuration::from_hours(27)).await;
    }
    let deliveries = world.deliveries(webhook.webhook.id).await;
    assert_eq!((deliveries[2].state, deliveries[2].next_attempt_at), (DeliveryState::Failed, None));
}

async fn who_is_gone_is_left_alone(store: &Fresh) {
    let world = World::new(store).await;
    let webhook = world.webhook(&["location.created", "location.changed"]).await.webhook;
    let mut pune = world.open("pune").await;
    world.rename(&mut pune, "Pune 2").await;
    world.receiver.then(&[410]);
    world.run().await;
    assert_eq!(world.receiver.received().len(), 1);
    assert_eq!(world.status(webhook.id).await, (WebhookStatus::Disabled, Some(DisabledReason::Gone)));
    assert_eq!(world.last_events().await, ["webhook.disabled"]);
    let deliveries = world.deliveries(webhook.id).await;
    assert_eq!(deliveries.len(), 2);
    assert!(deliveries.iter().all(|one| one.state == DeliveryState::Failed && one.next_attempt_at.is_none()));

    world.open("meanwhile").await;
    world.after(SignedDuration::from_hours(1)).await;
    let refused = world.hrms.webhooks().resend(&world.actor(), webhook.id, deliveries[1].id).await;
    assert!(matches!(refused, Err(WebhookError::Disabled)), "{refused:?}");
    let refused = world.hrms.webhooks().test(&world.actor(), webhook.id).await;
    assert!(matches!(refused, Err(WebhookError::Disabled)), "{refused:?}");
    assert_eq!(world.receiver.received().len(), 1);

    world.hrms.webhooks().enable(&world.actor(), webhook.id).await.unwrap();
    world.run().await;
    assert_eq!(world.receiver.received().len(), 1, "what happened meanwhile isn't sent");
    let resent = world.hrms.webhooks().resend(&world.actor(), webhook.id, deliveries[1].id).await.unwrap();
    assert_eq!(resent.state, DeliveryState::Waiting);
    let twice = world.hrms.webhooks().resend(&world.actor(), webhook.id, deliveries[1].id).await.unwrap();
    assert_eq!(twice, resent, "it is under way already");
    world.open("after").await;
    world.run().await;
    let received = world.receiver.received();
    assert_eq!(received.len(), 3);
    let ids: Vec<&str> = received[1..].iter().map(|message| message.header("webhook-id")).collect();
    assert!(ids.contains(&deliveries[1].event_id.to_string().as_str()), "the same id when it is sent again");
}

async fn who_fails_for_days_is_disabled(store: &Fresh) {
    let world = World::new(store).await;
    let webhook = world.webhook(&["location.created"]).await.webhook;
    world.receiver.always(500);
    for day in 0..5 {
        world.open(&format!("day-{day}")).await;
        world.run().await;
        assert_eq!(world.status(webhook.id).await.0, WebhookStatus::Enabled, "day {day}");
        // A success in between starts it anew.
        if day == 0 {
            world.receiver.always(200);
            world.open("fine").await;
            world.run().await;
            assert_eq!(
                world.hrms.webhooks().get(&world.actor(), webhook.id).await.unwrap().failing_since,
                None
            );
            world.receiver.always(500);
            world.open("not-fine").await;
            world.run().await;
        }
        world.clock.advance(SignedDuration::from_hours(24) + SignedDuration::from_secs(1));
    }
    world.run().await;
    assert_eq!(world.status(webhook.id).await, (WebhookStatus::Disabled, Some(DisabledReason::Failing)));
    assert_eq!(world.last_events().await, ["webhook.disabled"]);
    let sent = world.receiver.received().len();
    world.after(SignedDuration::from_hours(100)).await;
    assert_eq!(world.receiver.received().len(), sent);
}

async fn two_secrets_sign_while_one_is_replaced(store: &Fresh) {
    let world = World::new(store).await;
    let issued = world.webhook(&["location.created"]).await;
    let (id, old) = (issued.webhook.id, issued.secret.unwrap());
    // The former secret may be as near to its end as the verifier's patience with the clock allows.
    let rotated =
        world.hrms.webhooks().rotate_secret(&world.actor(), id, RotateSecret::default()).await.unwrap();
    let new = rotated.secret.unwrap();
    assert_ne!(old, new);
    world.open("a").await;
    world.run().await;
    let both = world.receiver.received().pop().unwrap();
    assert_eq!(both.header("webhook-signature").split(' ').count(), 2);
    assert!(verifies(&old, &both) && verifies(&new, &both));

    let how = RotateSecret { overlap_hours: Some(0) };
    let last = world.hrms.webhooks().rotate_secret(&world.actor(), id, how).await.unwrap().secret.unwrap();
    world.open("b").await;
    world.run().await;
    let one = world.receiver.received().pop().unwrap();
    assert!(verifies(&last, &one) && !verifies(&new, &one) && !verifies(&old, &one));

    world.hrms.webhooks().rotate_secret(&world.actor(), id, RotateSecret::default()).await.unwrap();
    world.clock.advance(SignedDuration::from_hours(24));
    world.open("c").await;
    world.run().await;
    let late = world.receiver.received().pop().unwrap();
    assert_eq!(late.header("webhook-signature").split(' ').count(), 1, "the overlap is over");
    let how = RotateSecret { overlap_hours: Some(169) };
    assert!(world.hrms.webhooks().rotate_secret(&world.actor(), id, how).await.is_err());
}

async fn killed_before_it_is_noted_it_sends_again_with_the_same_id(store: &Fresh) {
    let world = World::new(store).await;
    let webhook = world.webhook(&["location.created"]).await.webhook;
    world.open("pune").await;
    run_until_idle(&world.hrms, &JobRegistry::empty().with_subscriber(Webhooks)).await.unwrap();
    let worker = Worker::new(world.hrms.clone(), registry(), "w");
    let job = worker.claim(1).await.unwrap().pop().unwrap();
    world.receiver.slow(Duration::from_millis(200));
    let came = async {
        while world.receiver.received().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    // It is dropped while the answer is on its way: as if the process died.
    tokio::select! {
        ended = worker.run(job) => panic!("too early: {ended:?}"),
        () = came => {}
    }
    assert_eq!(world.deliveries(webhook.id).await[0].attempts, 0, "nobody knows that it was sent");
    world.receiver.slow(Duration::ZERO);
    world.after(LEASE.span() + SignedDuration::from_secs(1)).await;
    let received = world.receiver.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].header("webhook-id"), received[1].header("webhook-id"));
    assert_eq!(received[0].body, received[1].body);
    assert_eq!(world.deliveries(webhook.id).await[0].state, DeliveryState::Succeeded);
}

async fn dropped_anywhere_nothing_is_lost_or_overtaken(store: &Fresh) {
    // How often it waits depends on how fast the database answers: a busy machine may take several turns to drop it in the middle.
    for _ in 0..5 {
        if dropped_after_each_wait(store).await.contains(&JobState::Running) {
            return;
        }
    }
    panic!("it was never dropped while it sent");
}

/// Drops it after one wait, after two, and so on, until it comes through: how the jobs stood that were dropped.
async fn dropped_after_each_wait(store: &Fresh) -> Vec<JobState> {
    let mut dropped = Vec::new();
    for waits in 0.. {
        let world = World::new(store).await;
        let webhook = world.webhook(&["location.created", "location.changed"]).await.webhook;
        let mut pune = world.open("pune").await;
        world.rename(&mut pune, "Pune 2").await;
        let registry = registry();
        let whole = for_a_while(
            async {
                let worker = Worker::new(world.hrms.clone(), registry.clone(), "w");
                run_until_idle(&world.hrms, &JobRegistry::empty().with_subscriber(Webhooks)).await.unwrap();
                for job in worker.claim(5).await.unwrap() {
                    worker.run(job).await.unwrap();
                }
            },
            waits,
        )
        .await;
        if !whole {
            dropped.extend(world.jobs(DeliverWebhooks::KIND).await);
        }
        world.after(LEASE.span() + SignedDuration::from_secs(1)).await;
        let received = world.receiver.received();
        let mut ids: Vec<&str> = received.iter().map(|message| message.header("webhook-id")).collect();
        ids.dedup();
        assert_eq!(ids.len(), 2, "dropped after {waits} waits: each came, and none after a later one");
        let deliveries = world.deliveries(webhook.id).await;
        assert!(
            deliveries.iter().all(|one| one.state == DeliveryState::Succeeded),
            "{waits}: {deliveries:?}"
        );
        if whole {
            break;
        }
    }
    dropped
}

async fn two_workers_never_send_the_same_at_once(store: &Fresh) {
    let world = World::new(store).await;
    let webhook = world.webhook(&["location.created", "location.changed"]).await.webhook;
    world.receiver.slow(Duration::from_millis(20));
    let mut places = Vec::new();
    for code in ["a", "b", "c"] {
        places.push(world.open(code).await);
    }
    let busy = async {
        for round in 0..4 {
            for place in &mut places {
                world.rename(place, &format!("round {round}")).await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let work = || async {
        let mut idle = 0;
        while idle < 40 {
            idle = if world.run().await == 0 { idle + 1 } else { 0 };
            tokio::task::yield_now().await;
        }
    };
    tokio::join!(busy, work(), work(), work());
    world.run().await;
    let received = world.receiver.received();
    let mut ids: Vec<String> = received.iter().map(|one| one.header("webhook-id").to_owned()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), received.len()), (15, 15), "each once");
    assert_eq!(world.receiver.most_at_once(), 1, "one at a time for each thing");
    assert!(world.deliveries(webhook.id).await.iter().all(|one| one.state == DeliveryState::Succeeded));
}

async fn what_is_narrowed_and_moved_takes_nothing_along(store: &Fresh) {
    let world = World::new(store).await;
    let webhook = world.webhook(&["location.created", "location.changed"]).await.webhook;
    world.receiver.then(&[500]);
    world.open("pune").await;
    world.run().await;
    let patch = hrms_core::webhook::WebhookPatch {
        url: Patch::Set(world.receiver.url("/moved")),
        types: Patch::Set(vec!["location.changed".into()]),
        ..Default::default()
    };
    world.hrms.webhooks().change(&world.actor(), webhook.id, webhook.version, patch).await.unwrap();
    world.after(SignedDuration::from_hours(1)).await;
    assert_eq!(world.receiver.received().len(), 1);
    let deliveries = world.deliveries(webhook.id).await;
    assert_eq!(
        (deliveries[0].state, deliveries[0].error.as_deref()),
        (DeliveryState::Failed, Some("not-wanted"))
    );
    let resent = world.hrms.webhooks().resend(&world.actor(), webhook.id, deliveries[0].id).await;
    assert!(matches!(resent, Err(WebhookError::NotWanted)), "{resent:?}");
}

async fn a_test_reaches_the_endpoint_that_it_is_for(store: &Fresh) {
    let world = World::new(store).await;
    let one = world.webhook(&["employee.hired"]).await.webhook;
    let two = world.webhook(&["employee.hired"]).await.webhook;
    world.hrms.webhooks().test(&world.actor(), two.id).await.unwrap();
    world.run().await;
    let received = world.receiver.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].what(), ("webhook.tested".to_owned(), format!("webhooks/{}", two.id)));
    assert!(world.deliveries(one.id).await.is_empty());
    assert_eq!(world.deliveries(two.id).await.len(), 1);

    world.hrms.webhooks().remove(&world.actor(), two.id, two.version).await.unwrap();
    world.run().await;
    assert_eq!(world.last_events().await, ["webhook.tested", "webhook.removed"]);
}

hrms_tests::on_every_engine!(
    an_event_arrives_signed,
    order_holds_for_each_subject_under_failures,
    what_is_never_taken_is_given_up_and_the_next_is_tried,
    who_is_gone_is_left_alone,
    who_fails_for_days_is_disabled,
    two_secrets_sign_while_one_is_replaced,
    killed_before_it_is_noted_it_sends_again_with_the_same_id,
    dropped_anywhere_nothing_is_lost_or_overtaken,
    two_workers_never_send_the_same_at_once,
    what_is_narrowed_and_moved_takes_nothing_along,
    a_test_reaches_the_endpoint_that_it_is_for,
);
