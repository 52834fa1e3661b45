//! Several nodes over one database, with a real Redis between them that comes and goes.

use std::time::Duration;

use hrms_core::contract::id;
use hrms_core::hint::{Fanout, Hint};
use hrms_core::{Hrms, TenantId};
use hrms_http::Config;
use hrms_store::RedisFanout;
use hrms_tests::{Fresh, Redis};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;

use crate::all::leave::World;
use crate::all::live::{Api, TEST_HAPPENED, close_code, emit, frame};

/// What must happen, within a time that is only reached when it doesn't.
async fn soon<T>(happens: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), happens).await.expect("this should have happened by now")
}

/// One node's end of the talk, and what it has heard.
struct Ear {
    fanout: RedisFanout,
    heard: UnboundedReceiver<Hint>,
    talk: JoinHandle<()>,
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.talk.abort();
    }
}

impl Ear {
    fn new(redis: &Redis, namespace: &str) -> Self {
        let (fanout, hints) = RedisFanout::new(&redis.url(), namespace, id()).unwrap();
        let (hear, heard) = unbounded_channel();
        let talk = tokio::spawn(hints.run(move |hint| hear.send(hint).unwrap_or_default()));
        Self { fanout, heard, talk }
    }

    /// Says it until `other` hears it: what is said before the other listens is lost.
    async fn reaches(&self, other: &mut Self) {
        let hint = Hint::Events(TenantId::from_uuid(id()));
        let hears = async { while other.heard.recv().await.unwrap() != hint {} };
        let says = async {
            loop {
                self.fanout.send(hint);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        soon(async {
            tokio::select! {
                () = hears => {}
                () = says => {}
            }
        })
        .await;
    }
}

#[tokio::test]
async fn nodes_hear_each_other_and_not_themselves_whatever_redis_does() {
    let mut redis = Redis::start().await;
    let (mut one, mut two) = (Ear::new(&redis, "a"), Ear::new(&redis, "a"));
    let mut stranger = Ear::new(&redis, "b");
    one.reaches(&mut two).await;
    two.reaches(&mut one).await;

    // Everything empty, or nothing to be written: hints are neither.
    for command in ["FLUSHALL", "REPLICAOF 127.0.0.1 1"] {
        assert!(redis.ask(command).unwrap().contains("OK"));
        one.reaches(&mut two).await;
    }
    assert!(redis.ask("REPLICAOF NO ONE").unwrap().contains("OK"));

    // Slow: nobody who gives a hint waits, and afterwards it goes on.
    assert!(redis.ask("CLIENT PAUSE 1500 ALL").unwrap().contains("OK"));
    for _ in 0..5000 {
        one.fanout.send(Hint::Jobs);
    }
    one.reaches(&mut two).await;

    // Gone and back.
    redis.stop();
    one.fanout.send(Hint::Jobs);
    redis.start_again().await;
    one.reaches(&mut two).await;
    two.reaches(&mut one).await;

    // In another namespace nothing of this was heard. (Jobs are looked for after each connection.)
    while let Ok(hint) = stranger.heard.try_recv() {
        assert_eq!(hint, Hint::Jobs);
    }
    // What one said itself never came back.
    let own = Hint::Events(TenantId::from_uuid(id()));
    one.fanout.send(own);
    while soon(two.heard.recv()).await.unwrap() != own {}
    two.reaches(&mut one).await;
    while let Ok(hint) = one.heard.try_recv() {
        assert_ne!(hint, own);
    }
}

/// An HR system like that of a node of its own, over the same database.
fn node(store: &Fresh, redis: &Redis) -> (Hrms, JoinHandle<()>) {
    let (fanout, hints) = RedisFanout::new(&redis.url(), "nodes", id()).unwrap();
    let hrms = Hrms::builder((**store).clone()).fanout(fanout).event_type(TEST_HAPPENED).build();
    let hear = hrms.clone();
    (hrms, tokio::spawn(hints.run(move |hint| hear.hear(hint))))
}

/// A listener on one node gets what happens on the other: everything, once and in order, whatever Redis does.
async fn events_cross_nodes(store: &Fresh) {
    let mut redis = Redis::start().await;
    let w = World::new(store).await;
    let ((writes, a), (listens, b)) = (node(store, &redis), node(store, &redis));
    let api = Api::start(&listens).await;
    let mut ear = api.listen(w.hr(), "").await;
    let mut n = 0;
    for what in ["it is there", "flush", "stop", "start"] {
        match what {
            "flush" => assert!(redis.ask("FLUSHALL").unwrap().contains("OK")),
            "stop" => redis.stop(),
            "start" => redis.start_again().await,
            _ => {}
        }
        for _ in 0..30 {
            emit(&writes, w.tenant, None, n).await;
            n += 1;
        }
        for expected in n - 30..n {
            assert_eq!(frame(&mut ear).await["data"]["n"], expected, "{what}");
        }
    }
    a.abort();
    b.abort();
}

#[tokio::test]
async fn live_connections_are_counted_and_come_back() {
    let store = hrms_tests::sqlite_memory().await;
    let w = World::new(&store).await;
    let mut config = Config::new([1; 32]);
    (config.max_sockets_per_user, config.max_sockets_per_organization) = (2, 3);
    let api = Api::start_with(&w.hrms, config).await;
    let (_, hr) = api.acting(w.hr());
    let (_, other) = api.acting(w.hr());
    let (_, third) = api.acting(w.hr());
    let first = api.connect("", Some(&hr)).await.unwrap();
    let mut second = api.connect("", Some(&hr)).await.unwrap();
    assert_eq!(api.refused("", Some(&hr)).await, 429);
    let _full = api.connect("", Some(&other)).await.unwrap();
    assert_eq!(api.refused("", Some(&third)).await, 429, "the organisation has no more");
    // A good connection isn't harmed by the refused ones, and one that ends makes room.
    emit(&w.hrms, w.tenant, None, 1).await;
    assert_eq!(frame(&mut second).await["data"]["n"], 1);
    drop(first);
    soon(async {
        while api.connect("", Some(&third)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    // A client that sends data is closed, and makes room too.
    futures_util::SinkExt::send(&mut second, "hello".into()).await.unwrap();
    assert_eq!(close_code(&mut second).await, 1003);
}

hrms_tests::on_every_engine!(events_cross_nodes);
