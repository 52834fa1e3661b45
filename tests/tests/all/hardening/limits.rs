//! Rate limits in this process and in a real Redis.

use std::time::Duration;

use hrms_core::contract::{at, id};
use hrms_core::operator::NewOperator;
use hrms_core::rate_limit::{
    AccountDigest, Charge, InProcess, Left, Network, Quota, RateKey, RateLimiter, Taken,
};
use hrms_core::{Hrms, Operator, RequestId, Secret, TenantId, UserId};
use hrms_http::{BearerAuth, Config, Server, Tokens};
use hrms_store::{RedisLimiter, SqlStore};
use hrms_tests::{Client, Redis};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const PASSWORD: &str = "seven anvils on a roof";

fn tenant() -> TenantId {
    TenantId::from_uuid(id())
}

/// A token of a user who has few, and gets none back while a test runs.
fn charge(tenant: Option<TenantId>, user: UserId, tokens: u32) -> Charge {
    Charge { key: RateKey::User(tenant, user), quota: Quota::new(tokens, 36_000) }
}

async fn admitted(limiter: &dyn RateLimiter, charges: &[Charge]) -> bool {
    matches!(limiter.take(charges, at(0)).await.unwrap(), Taken::All(_))
}

/// What every limiter promises.
async fn keeps_its_promises(limiter: &dyn RateLimiter) {
    let user = || UserId::from_uuid(id());
    // A burst, what is left of it, and then nothing.
    let three = [charge(None, user(), 3)];
    for remaining in [2, 1, 0] {
        let taken = limiter.take(&three, at(0)).await.unwrap();
        let reset = (3 - remaining) * 12_000;
        assert_eq!(taken, Taken::All(vec![Left { remaining, reset }]));
    }
    match limiter.take(&three, at(0)).await.unwrap() {
        Taken::Nothing { short: 0, wait } => assert!((11_990..=12_000).contains(&wait), "{wait}"),
        other => panic!("{other:?}"),
    }
    // The same user elsewhere, and somebody else, have their own.
    let (one, two, jane) = (tenant(), tenant(), user());
    assert!(admitted(limiter, &[charge(Some(one), jane, 1)]).await);
    assert!(!admitted(limiter, &[charge(Some(one), jane, 1)]).await);
    for other in [charge(Some(two), jane, 1), charge(None, jane, 1), charge(Some(one), user(), 1)] {
        assert!(admitted(limiter, &[other]).await);
    }
    // All or nothing, and which one it was.
    let (full, fresh) = (charge(Some(one), jane, 1), charge(None, user(), 1));
    assert_eq!(short(limiter.take(&[fresh, full], at(0)).await.unwrap()), Some(1));
    assert!(admitted(limiter, &[fresh]).await, "nothing was taken of it");
    // What is given back was never taken; more than was taken can't be.
    let once = [charge(None, user(), 1)];
    for _ in 0..3 {
        assert!(admitted(limiter, &once).await);
        limiter.give_back(&once, at(0)).await.unwrap();
    }
    limiter.give_back(&once, at(0)).await.unwrap();
    assert!(admitted(limiter, &once).await);
    assert!(!admitted(limiter, &once).await);
    // Nobody waits for longer than the window, whatever another quota has left behind.
    let greedy = RateKey::Organization(tenant());
    let long = Charge { key: greedy, quota: Quota::new(1, 36_000) };
    assert!(admitted(limiter, &[long]).await);
    let brief = Charge { key: greedy, quota: Quota::new(1, 5) };
    assert_eq!(limiter.take(&[brief], at(0)).await.unwrap(), Taken::Nothing { short: 0, wait: 5 });
}

fn short(taken: Taken) -> Option<usize> {
    match taken {
        Taken::All(_) => None,
        Taken::Nothing { short, .. } => Some(short),
    }
}

#[tokio::test]
async fn a_limiter_in_the_process() {
    keeps_its_promises(&InProcess::default()).await;
}

#[tokio::test]
async fn a_limiter_in_redis() {
    let redis = Redis::start().await;
    let limiter = RedisLimiter::new(&redis.url(), "one").unwrap();
    keeps_its_promises(&limiter).await;

    // Another node shares it; another installation doesn't.
    let (node, elsewhere) =
        (RedisLimiter::new(&redis.url(), "one").unwrap(), RedisLimiter::new(&redis.url(), "two").unwrap());
    let once = [charge(Some(tenant()), UserId::from_uuid(id()), 1)];
    assert!(admitted(&limiter, &once).await);
    assert!(!admitted(&node, &once).await);
    assert!(admitted(&elsewhere, &once).await);

    // At the same time, too.
    let ten = [charge(None, UserId::from_uuid(id()), 10)];
    let asked = (0..40).map(|number| {
        let limiter = if number % 2 == 0 { &limiter } else { &node };
        admitted(limiter, &ten)
    });
    let admitted = futures_util::future::join_all(asked).await;
    assert_eq!(admitted.into_iter().filter(|admitted| *admitted).count(), 10);

    // Keys carry namespace and tenant, show no account, and don't stay for ever.
    let acme = tenant();
    let account = AccountDigest::of(Some("acme"), "jane@acme.example");
    for key in
        [RateKey::Organization(acme), RateKey::LogInToFrom(account, Network::of([192, 0, 2, 1].into()))]
    {
        limiter.take(&[Charge { key, quota: Quota::new(5, 60) }], at(0)).await.unwrap();
    }
    let keys = redis.ask("KEYS *").unwrap();
    assert!(keys.contains(&format!("one:rate:tenant:{acme}\r\n")) && !keys.contains("jane"), "{keys}");
    for key in keys.lines().filter(|line| line.contains(":rate:")) {
        let left = redis.ask(&format!("PTTL {key}")).unwrap();
        assert!(left.starts_with(':') && !left.starts_with(":-"), "{key}: {left}");
    }
}

/// One node of an installation.
async fn node(store: &SqlStore, redis: &Redis, change: impl FnOnce(&mut Config)) -> (Client, Hrms) {
    let limiter = RedisLimiter::new(&redis.url(), "hrms").unwrap();
    let hrms = Hrms::builder(store.clone()).rate_limiter(limiter).build();
    let mut der = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
    der.extend_from_slice(&[3; 32]);
    let tokens = Tokens::from_pkcs8(&der, "hrms").unwrap();
    let mut config = Config::new([7; 32]);
    change(&mut config);
    let server = Server::new(hrms.clone(), BearerAuth::new(hrms.clone(), tokens), config).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(&format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(server.serve(listener, std::future::pending()));
    (client, hrms)
}

fn log_in() -> Value {
    json!({ "email": "olga@service.example", "password": PASSWORD })
}

#[tokio::test]
async fn nodes_share_limits_and_without_redis_log_in_waits_and_reading_goes_on() {
    let store = SqlStore::sqlite_memory().await.unwrap();
    let mut redis = Redis::start().await;
    let few = |config: &mut Config| config.rates.user = Some(Quota::new(3, 36_000));
    let (one, hrms) = node(&store, &redis, few).await;
    let (two, _) = node(&store, &redis, few).await;
    let olga = NewOperator {
        email: "olga@service.example".into(),
        name: "Olga".into(),
        password: Secret::new(PASSWORD),
    };
    hrms.operators().create(&Operator::command(RequestId::from_uuid(id())), olga).await.unwrap();
    let tokens = one.post("/api/v1/auth/login", &log_in()).await.expect(200).json();
    let token = tokens["access_token"].as_str().unwrap();
    let (here, there) = (one.with_token(token), two.with_token(token));

    // Three requests in all, wherever they go.
    here.get("/api/v1/auth/me").await.expect(200);
    there.get("/api/v1/auth/me").await.expect(200);
    let last = here.get("/api/v1/auth/me").await.expect(200);
    assert!(last.header("ratelimit").unwrap().contains("\"user\";r=0;"), "{last:?}");
    assert_eq!(there.get("/api/v1/auth/me").await.expect(429).json()["code"], "http.rate-limited");
    here.get("/api/v1/auth/me").await.expect(429);

    // Guesses at one node slow the other down.
    let account = AccountDigest::of(None, "olga@service.example");
    let spent = [Charge {
        key: RateKey::LogInToFrom(account, Network::of([127, 0, 0, 1].into())),
        quota: Quota::new(1, 900),
    }];
    hrms.rate_limits().take_strictly(&spent, at(0)).await.unwrap();
    let slowed = two.post("/api/v1/auth/login", &log_in()).await.expect(429);
    assert_eq!(slowed.json()["code"], "auth.too-many-attempts");
    hrms.rate_limits().give_back(&spent, at(0)).await;
    two.post("/api/v1/auth/login", &log_in()).await.expect(200);

    redis.stop();
    // The first ones find out that it is gone; all later ones know.
    for _ in 0..5 {
        let closed = two.post("/api/v1/auth/login", &log_in()).await.expect(503);
        assert!(closed.header("retry-after").is_some());
        let refresh = json!({ "refresh_token": tokens["refresh_token"] });
        two.post("/api/v1/auth/refresh", &refresh).await.expect(503);
    }
    let started = std::time::Instant::now();
    two.post("/api/v1/auth/login", &log_in()).await.expect(503);
    // Reading goes on, and each node counts by itself.
    for node in [&here, &there] {
        for _ in 0..3 {
            node.get("/api/v1/auth/me").await.expect(200);
        }
        node.get("/api/v1/auth/me").await.expect(429);
    }
    assert!(started.elapsed() < Duration::from_secs(10), "nobody waits long for what isn't there");
    // To log out needs no counting.
    let out = here.call(http::Method::POST, "/api/v1/auth/logout", &[], None).await;
    assert!([204, 429].contains(&out.status.as_u16()), "{out:?}");
}

/// Something that takes connections and says nothing.
#[tokio::test]
async fn a_redis_that_does_not_answer_is_not_waited_for() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}/", silent.local_addr().unwrap());
    let limiter = RedisLimiter::new(&url, "hrms").unwrap();
    let once = [charge(None, UserId::from_uuid(id()), 1)];
    for _ in 0..5 {
        let asked = tokio::time::timeout(Duration::from_secs(2), limiter.take(&once, at(0)));
        let refused = asked.await.expect("it waits too long").unwrap_err();
        assert!(matches!(refused, hrms_core::StoreError::Unavailable(_)), "{refused:?}");
    }
}

/// Two keys of one program: what one has used up, the other hasn't.
#[tokio::test]
async fn each_api_key_has_a_limit_of_its_own() {
    let store = hrms_tests::sqlite_memory().await;
    let world = crate::all::sweep::world::World::new(&store).await;
    let account = &world.acme.ids["service-accounts"];
    let new = json!({ "service_account_id": account, "name": "Key", "permissions": ["location.read"] });
    let mut config = Config::new([7; 32]);
    config.rates.user = Some(Quota::new(3, 36_000));
    let auth = BearerAuth::new(world.hrms.clone(), Tokens::with_new_key("hrms").unwrap());
    let server = Server::new(world.hrms.clone(), auth, config).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = Client::new(&format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(server.serve(listener, std::future::pending()));
    let mut programs = Vec::new();
    for _ in 0..2 {
        let made = world.acme.client.post("/api/v1/api-keys", &new).await.expect(201).json();
        programs.push(here.with_token(made["secret"].as_str().unwrap()));
    }
    for _ in 0..3 {
        let taken = programs[0].get("/api/v1/locations").await.expect(200);
        assert!(taken.header("ratelimit-policy").unwrap().contains("\"api-key\";q=3"), "{:?}", taken.headers);
    }
    let refused = programs[0].get("/api/v1/locations").await.expect(429);
    assert!(refused.header("retry-after").is_some());
    programs[1].get("/api/v1/locations").await.expect(200);
}
