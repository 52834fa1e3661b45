//! Lanes of an endpoint: what waits in them is always picked up again, and a slow one doesn't hold up others.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hrms_core::SystemClock;
use hrms_core::job::{JobFilter, JobState, Retention, run_until_idle};
use hrms_core::webhook::{DeliveryState, LANES, lane};
use hrms_core::{Clock, Hrms, PageRequest};
use hrms_server::worker::Background;
use hrms_store::SqlStore;
use hrms_tests::{Fresh, postgres, sqlite_file};
use jiff::SignedDuration;

use super::delivery::{World, hrms, registry};

async fn failed_jobs(world: &World) -> usize {
    let filter = JobFilter { state: Some(JobState::Failed), ..JobFilter::default() };
    let mut tx = world.hrms.read(&world.actor()).await.unwrap();
    tx.jobs().list(&filter, &PageRequest::default()).await.unwrap().len()
}

/// A node whose key is wrong can send nothing: it uses up the attempts of the job, but not those of the delivery.
async fn what_waits_without_a_job_is_sent_by_the_next_look(store: &Fresh) {
    let world = World::new(store).await;
    let webhook = world.webhook(&["location.created"]).await.webhook;
    let broken = hrms(SqlStore::clone(&world.store), world.clock.clone(), 4);
    world.open("pune").await;
    let mut waited = 0;
    while failed_jobs(&world).await == 0 {
        assert!(waited < 25, "every ten seconds, and no later");
        run_until_idle(&broken, &registry()).await.unwrap();
        world.clock.advance(SignedDuration::from_secs(10));
        waited += 1;
    }
    assert!(waited > 1, "it was tried again");
    let deliveries = world.deliveries(webhook.id).await;
    assert_eq!((deliveries[0].state, deliveries[0].attempts), (DeliveryState::Waiting, 0));
    assert!(world.receiver.received().is_empty());
    // No event comes, and nobody does anything.
    world.clock.advance(SignedDuration::from_secs(61));
    let hrms = hrms(SqlStore::clone(&world.store), world.clock.clone(), 3);
    let node = Background::start(hrms, registry(), 2, Retention::default());
    let deadline = Instant::now() + Duration::from_secs(30);
    while world.deliveries(webhook.id).await[0].state == DeliveryState::Waiting {
        assert!(Instant::now() < deadline, "it is left lying");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    node.stop().await;
    assert_eq!(world.receiver.received().len(), 1);
}

async fn what_waits_can_be_tried_at_once(store: &Fresh) {
    let world = World::new(store).await;
    let webhook = world.webhook(&["location.created", "location.changed"]).await.webhook;
    let mut pune = world.open("pune").await;
    world.rename(&mut pune, "Pune 2").await;
    world.receiver.then(&[500, 500]);
    world.run().await;
    world.after(SignedDuration::from_secs(6)).await;
    let deliveries = world.deliveries(webhook.id).await;
    let (head, follower) = (deliveries[0].clone(), deliveries[1].clone());
    assert_eq!((head.attempts, follower.attempts), (2, 0));
    assert!(head.next_attempt_at.unwrap() > world.clock.now() + SignedDuration::from_mins(4));
    // The first isn't skipped, although it is the second that somebody wants.
    let hastened = world.hrms.webhooks().resend(&world.actor(), webhook.id, follower.id).await.unwrap();
    assert_eq!(hastened.next_attempt_at, Some(world.clock.now()));
    world.run().await;
    let ids: Vec<_> =
        world.receiver.received().iter().map(|one| one.header("webhook-id").to_owned()).collect();
    let (first, second) = (head.event_id.to_string(), follower.event_id.to_string());
    assert_eq!(ids, [first.clone(), first.clone(), first, second]);
    let deliveries = world.deliveries(webhook.id).await;
    assert!(deliveries.iter().all(|one| one.state == DeliveryState::Succeeded));
    assert_eq!(deliveries[0].attempts, 3, "its attempts went on being counted");
}

/// Each of many things has two events; the first message about one of them fails.
async fn what_fails_holds_up_nothing_else_in_its_lane(store: &Fresh) {
    let world = World::new(store).await;
    let webhook = world.webhook(&["location.created", "location.changed"]).await.webhook;
    let mut lanes = BTreeMap::new();
    for number in 0..20 {
        let mut place = world.open(&format!("place-{number}")).await;
        world.rename(&mut place, "Renamed").await;
        *lanes.entry(lane(&format!("locations/{}", place.id))).or_insert(0) += 1;
    }
    assert!(lanes.len() > 1 && lanes.values().any(|things| *things > 1), "{lanes:?}");
    world.receiver.then(&[500]);
    world.run().await;
    let received = world.receiver.received();
    assert_eq!(received.len(), 39);
    let failed = received[0].header("webhook-id").to_owned();
    let waiting = world.deliveries(webhook.id).await;
    let waiting: Vec<_> = waiting.into_iter().filter(|one| one.state == DeliveryState::Waiting).collect();
    assert_eq!(waiting.len(), 2, "it, and what comes behind it");
    assert_eq!(waiting[0].event_id.to_string(), failed);
    assert_eq!(waiting[0].subject, waiting[1].subject);
    // A new event in this lane comes before its time, and doesn't have to wait for it.
    for number in 20.. {
        let place = world.open(&format!("place-{number}")).await;
        if lane(&format!("locations/{}", place.id)) == lane(&waiting[0].subject) {
            break;
        }
    }
    world.run().await;
    let open =
        world.deliveries(webhook.id).await.into_iter().filter(|one| one.state == DeliveryState::Waiting);
    assert_eq!(open.count(), 2);
    world.after(SignedDuration::from_secs(6)).await;
    let received = world.receiver.received();
    let last: Vec<_> =
        received[received.len() - 2..].iter().map(|one| one.header("webhook-id").to_owned()).collect();
    assert_eq!(last, [failed, waiting[1].event_id.to_string()]);
}

/// More messages than a job sends in its turn.
async fn a_long_queue_is_sent_in_turns(store: &Fresh) {
    let world = World::new(store).await;
    world.webhook(&["location.changed"]).await;
    let mut pune = world.open("pune").await;
    for number in 0..150 {
        world.rename(&mut pune, &format!("Pune {number}")).await;
    }
    world.run().await;
    let received = world.receiver.received();
    assert_eq!(received.len(), 150);
    let sequence = |at: usize| received[at].json()["sequence"].as_str().unwrap().to_owned();
    assert!((1..150).all(|at| sequence(at - 1) < sequence(at)));
    let filter = JobFilter { kind: Some("webhook.deliver".into()), ..JobFilter::default() };
    let mut tx = world.hrms.read(&world.actor()).await.unwrap();
    let jobs = tx.jobs().list(&filter, &PageRequest::default()).await.unwrap();
    assert_eq!(jobs.len(), 2, "others get their turn in between");
}

/// Two organisations with much to send to endpoints that take their time, and one with a quick one.
async fn slow_endpoints_take_four_slots_each_and_others_go_on(store: &Fresh) {
    const SLOW: Duration = Duration::from_millis(150);
    let (slow, other, quick) = (World::new(store).await, World::new(store).await, World::new(store).await);
    for world in [&slow, &other] {
        world.receiver.slow(SLOW);
        world.webhook(&["location.created"]).await;
        for number in 0..80 {
            world.open(&format!("place-{number}")).await;
        }
    }
    quick.webhook(&["location.created"]).await;
    // With the real clock; two nodes, as far as the engine allows.
    let node = |slots| {
        let clock = std::sync::Arc::new(hrms_core::FixedClock::at(SystemClock.now()));
        let hrms: Hrms = hrms(SqlStore::clone(&slow.store), clock, 3);
        Background::start(hrms, registry(), slots, Retention::default())
    };
    let nodes = [node(8), node(8)];
    while slow.receiver.received().len() < 8 || other.receiver.received().len() < 8 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let began = Instant::now();
    for number in 0..10 {
        quick.open(&format!("place-{number}")).await;
    }
    while quick.receiver.received().len() < 10 {
        assert!(began.elapsed() < Duration::from_secs(20), "{} came", quick.receiver.received().len());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let took = began.elapsed();
    let left = 160 - slow.receiver.received().len() - other.receiver.received().len();
    assert!(left > 20, "the quick one had to wait {took:?}, until the slow ones were done");
    for world in [&slow, &other] {
        let deadline = Instant::now() + Duration::from_secs(60);
        while world.receiver.received().len() < 80 {
            assert!(Instant::now() < deadline);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let most = world.receiver.most_together();
        assert!((2..=usize::from(LANES)).contains(&most), "{most} at a time");
        assert_eq!(world.receiver.most_at_once(), 1);
    }
    for node in nodes {
        node.stop().await;
    }
}

macro_rules! with_many_threads {
    ($($story:ident),+ $(,)?) => {
        mod at_once_on_sqlite { $(#[tokio::test(flavor = "multi_thread")] async fn $story() { super::$story(&super::sqlite_file().await).await; })+ }
        mod at_once_on_postgres { $(#[tokio::test(flavor = "multi_thread")] async fn $story() { super::$story(&super::postgres().await).await; })+ }
    };
}
with_many_threads!(
    what_waits_without_a_job_is_sent_by_the_next_look,
    slow_endpoints_take_four_slots_each_and_others_go_on,
);

hrms_tests::on_every_engine!(
    what_waits_can_be_tried_at_once,
    what_fails_holds_up_nothing_else_in_its_lane,
    a_long_queue_is_sent_in_turns,
);
