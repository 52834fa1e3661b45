//! Two servers and a worker, real processes over a real PostgreSQL and Redis, which are killed, crashed and flushed while people write and
//! listen. In the end everything that was answered is there, once; nothing that was undone is; every listener has
//! heard all of it in order; and a webhook was sent all of it, in order for each thing.
//!
//! `HRMS_TEST_CHAOS_SECONDS` says for how long (default 12), `HRMS_TEST_SEED` repeats the choices of a run.

mod cluster;
mod load;
mod node;
mod receiver;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fastrand::Rng;
use hrms_core::api_key::NewApiKey;
use hrms_core::contract::{id, tenant};
use hrms_core::service_account::NewServiceAccount;
use hrms_core::webhook::NewWebhook;
use hrms_core::{Actor, Cause, Hrms, Permission, RequestId, Role, TenantId, UserId, Who};
use hrms_server::config::Config;
use hrms_tests::{Client, Redis, server_command};
use sqlx::{Connection, PgConnection};

use cluster::Cluster;
use load::{Promises, Writer, listen};
use node::Node;
use receiver::{Received, Receiver};

const WRITERS: usize = 4;

/// Longest wait for something to go on that was left undone: leases of killed workers have to end first.
const PATIENCE: Duration = Duration::from_secs(150);

struct World {
    cluster: Cluster,
    redis: Redis,
    nodes: Vec<Node>,
    worker: Option<Node>,
    tenant: TenantId,
    key: String,
    receiver: Receiver,
    application: String,
    dir: tempfile::TempDir,
}

impl World {
    async fn new(cluster: Cluster, receiver: Receiver) -> Self {
        let application = cluster.url().replace("postgres@", "hrms_chaos_app:secret@");
        hrms_store::migrate::postgres(&cluster.url(), Some(&application)).await.unwrap();
        let redis = Redis::start().await;
        let dir = tempfile::tempdir().unwrap();
        // A system like those of the nodes; it makes the signing key that they share.
        let variables = variables(&application, &redis, &dir, "1");
        let variables = variables.into_iter().map(|(key, value)| (key.into(), value.into()));
        let config = Config::load_from(None, variables).unwrap().config;
        let (hrms, store) = hrms_server::start::hrms(&config).await.unwrap();
        let tenant = tenant(&store).await;
        let (key, secret) = registered(&hrms, tenant, &receiver.url).await;
        receiver.knows(&secret);
        store.close().await;
        let mut world =
            Self { cluster, redis, nodes: Vec::new(), worker: None, tenant, key, receiver, application, dir };
        for name in ["one", "two"] {
            let node = world.node("serve", name, "2");
            let client = node.client();
            world.nodes.push(node);
            world.ready(&client, name).await;
        }
        // Its work is done by the others while it is dead.
        world.worker = Some(world.node("worker", "worker", "4"));
        world
    }

    fn node(&self, command: &'static str, name: &str, workers: &str) -> Node {
        let variables = variables(&self.application, &self.redis, &self.dir, workers);
        Node::start(command, name, self.dir.path(), &variables)
    }

    async fn ready(&self, client: &Client, name: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let request = http::Request::get(client.url("/health/ready")).body(bytes::Bytes::new()).unwrap();
            if client.try_send(request).await.is_ok_and(|reply| reply.status == 200) {
                return;
            }
            assert!(Instant::now() < deadline, "{name} doesn't answer: {}", self.logs());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn processes(&mut self) -> impl Iterator<Item = &mut Node> {
        self.nodes.iter_mut().chain(&mut self.worker)
    }

    fn logs(&self) -> String {
        self.nodes.iter().chain(&self.worker).map(Node::log).collect::<Vec<_>>().join("\n---\n")
    }

    /// Does one more or less terrible thing, and says which.
    async fn something_happens(&mut self, rng: &mut Rng) -> &'static str {
        let breath = Duration::from_millis(rng.u64(50..800));
        let at = rng.usize(0..self.nodes.len());
        match rng.u8(0..10) {
            0..2 => {
                let worker = self.worker.as_mut().unwrap();
                worker.kill();
                tokio::time::sleep(breath).await;
                worker.start_again();
                "worker killed"
            }
            2..5 => {
                self.nodes[at].kill();
                tokio::time::sleep(breath).await;
                self.nodes[at].start_again();
                "node killed"
            }
            5 => {
                self.processes().for_each(Node::kill);
                tokio::time::sleep(breath).await;
                self.processes().for_each(Node::start_again);
                "everything killed"
            }
            6 => {
                self.redis.stop();
                tokio::time::sleep(breath).await;
                self.redis.start_again().await;
                "Redis stopped"
            }
            7 => {
                assert!(self.redis.ask("FLUSHALL").unwrap().contains("OK"));
                "Redis flushed"
            }
            _ => {
                self.cluster.crash();
                tokio::time::sleep(breath).await;
                self.cluster.start_again().await;
                "PostgreSQL crashed"
            }
        }
    }

    async fn database(&self) -> PgConnection {
        PgConnection::connect(&self.cluster.url()).await.unwrap()
    }

    /// Waits until no job waits or runs, for as long as things go on.
    async fn settle(&self) {
        let mut database = self.database().await;
        let (mut deadline, mut seen) = (Instant::now() + PATIENCE, 0);
        loop {
            // Messages are what takes longest; one that comes again isn't counted.
            let taken = self.receiver.taken();
            if taken > seen {
                (deadline, seen) = (Instant::now() + PATIENCE, taken);
            }
            let open: Vec<(String, i64, String)> = sqlx::query_as(
                "SELECT state, count(*), min(kind) FROM job WHERE state IN ('queued', 'running') GROUP BY state",
            )
            .fetch_all(&mut database)
            .await
            .unwrap();
            if open.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "jobs don't end: {open:?}\n{}", self.logs());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The event log: type, subject and id, in order.
    async fn log(&self) -> Vec<(String, String, String)> {
        sqlx::query_as("SELECT kind, subject, id::text FROM event WHERE tenant_id = $1 ORDER BY sequence")
            .bind(self.tenant.as_uuid())
            .fetch_all(&mut self.database().await)
            .await
            .unwrap()
    }

    /// What there is, by code.
    async fn places(&self) -> BTreeMap<String, String> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT code, id::text FROM location WHERE tenant_id = $1")
                .bind(self.tenant.as_uuid())
                .fetch_all(&mut self.database().await)
                .await
                .unwrap();
        rows.into_iter().collect()
    }
}

/// What all nodes are told.
fn variables(
    application: &str,
    redis: &Redis,
    dir: &tempfile::TempDir,
    workers: &str,
) -> Vec<(&'static str, String)> {
    let signing_key = dir.path().join("signing-key.pem").to_str().unwrap().to_owned();
    vec![
        ("HRMS_DATABASE_URL", application.to_owned()),
        ("HRMS_REDIS_URL", redis.url()),
        ("HRMS_SIGNING_KEY_FILE", signing_key),
        ("HRMS_WEBHOOK_ALLOW_HTTP", "true".to_owned()),
        ("HRMS_WEBHOOK_ALLOW_PRIVATE_NETWORKS", "true".to_owned()),
        ("HRMS_WORKERS", workers.to_owned()),
        ("HRMS_LOG_LEVEL", "warn".to_owned()),
    ]
}

/// The key of a program that may do what writers and listeners do, and the secret of a webhook.
async fn registered(hrms: &Hrms, tenant: TenantId, url: &str) -> (String, String) {
    let who = Who::User { user: UserId::from_uuid(id()), session: None, employee: None };
    let owner = Actor::user(tenant, who, &[Role::Owner], Cause::Request, RequestId::from_uuid(id()));
    let permissions = vec![
        Permission::LocationRead,
        Permission::LocationManage,
        Permission::ImportRun,
        Permission::JobRead,
    ];
    let new = NewServiceAccount {
        name: "Chaos".to_owned(),
        description: String::new(),
        permissions: permissions.clone(),
    };
    let account = hrms.service_accounts().create(&owner, new).await.unwrap().id;
    let new =
        NewApiKey { service_account_id: account, name: "Chaos".to_owned(), permissions, expires_at: None };
    let key = hrms.api_keys().create(&owner, new).await.unwrap().secret.unwrap();
    let types = SENT.iter().map(|kind| (*kind).to_owned()).collect();
    let new = NewWebhook { url: url.to_owned(), description: None, types };
    (key, hrms.webhooks().create(&owner, new).await.unwrap().secret.unwrap())
}

/// The types of events that the webhook asks for.
const SENT: &[&str] = &["location.created", "location.changed", "import.finished"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_when_everything_falls_over() {
    let Some(cluster) = Cluster::start().await else {
        println!("skipped: the programs of PostgreSQL aren't on this machine, so it can't be crashed");
        return;
    };
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seed = number("HRMS_TEST_SEED").unwrap_or_else(|| Rng::new().u64(..));
    let seconds = number("HRMS_TEST_CHAOS_SECONDS").unwrap_or(12);
    println!("HRMS_TEST_SEED={seed} HRMS_TEST_CHAOS_SECONDS={seconds}");
    let mut rng = Rng::with_seed(seed);
    let mut world = World::new(cluster, Receiver::start(rng.fork()).await).await;

    let heard: Vec<_> = world.nodes.iter().map(|_| Arc::new(Mutex::new(Vec::new()))).collect();
    let mut listeners = tokio::task::JoinSet::new();
    for (node, heard) in world.nodes.iter().zip(&heard) {
        listeners.spawn(listen(node.address().to_owned(), world.key.clone(), Arc::clone(heard)));
    }

    let (promises, stop) = (Arc::new(Mutex::new(Promises::default())), Arc::new(AtomicBool::new(false)));
    let mut writers = tokio::task::JoinSet::new();
    for n in 0..WRITERS {
        let clients = world.nodes.iter().map(|node| node.client().with_token(&world.key)).collect();
        let (promises, stop, rng) = (Arc::clone(&promises), Arc::clone(&stop), rng.fork());
        let receiver = world.receiver.clone();
        writers.spawn(Writer { clients, name: format!("W{n}"), rng, promises, receiver, stop }.run());
    }

    let mut happened: BTreeMap<&str, u32> = BTreeMap::new();
    let end = Instant::now() + Duration::from_secs(seconds);
    // A first event for each listener, before anything is killed: from it on they must hear all.
    while heard.iter().any(|heard| heard.lock().unwrap().is_empty()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    while Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(rng.u64(100..1500))).await;
        *happened.entry(world.something_happens(&mut rng).await).or_default() += 1;
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(ended) = writers.join_next().await {
        ended.unwrap();
    }
    world.settle().await;

    let promises = std::mem::take(&mut *promises.lock().unwrap());
    let (log, places) = (world.log().await, world.places().await);
    println!(
        "{happened:?}: {} places, {} imports, {} events, {} answers asked for again",
        places.len(),
        promises.imports.len(),
        log.len(),
        promises.retried
    );
    // First: a job that failed tells why.
    check_imports(&world, &promises).await;
    check_places(&promises, &places);
    check_log(&log, &places);
    check_changes(&promises, &log, &places);
    let sent = check_webhook(&world, &log).await;
    println!("{} messages to the webhook, {} of them refused once", sent.messages, sent.refused.len());
    check_listeners(&log, &heard).await;
    assert!(listeners.try_join_next().is_none(), "a listener gave up");
    let verified = server_command(&["audit", "verify", "--all"])
        .env("HRMS_DATABASE_URL", &world.application)
        .env("HRMS_DATA_DIR", world.dir.path().join("one"))
        .env("HRMS_SIGNING_KEY_FILE", world.dir.path().join("signing-key.pem"))
        .output()
        .unwrap();
    let said = [verified.stdout.as_slice(), verified.stderr.as_slice()].concat();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// Everything that was answered is there, and nothing that was undone.
fn check_places(promises: &Promises, places: &BTreeMap<String, String>) {
    let there: BTreeSet<_> = places.keys().cloned().collect();
    let lost: Vec<_> = promises.there.difference(&there).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    let undone: Vec<_> = promises.absent.intersection(&there).collect();
    assert!(undone.is_empty(), "was undone, and is there: {undone:?}");
    let more: Vec<_> = there.difference(&promises.there).collect();
    assert!(more.is_empty(), "nobody was told of these: {more:?}");
}

/// One event for each place, and no place without one.
fn check_log(log: &[(String, String, String)], places: &BTreeMap<String, String>) {
    let mut added: Vec<_> = log
        .iter()
        .filter(|(kind, ..)| kind == "location.created")
        .map(|(_, subject, _)| subject.clone())
        .collect();
    added.sort_unstable();
    let mut expected: Vec<_> = places.values().map(|id| format!("locations/{id}")).collect();
    expected.sort_unstable();
    assert!(added == expected, "{} events for {} places", added.len(), expected.len());
}

/// One event for each change that was answered.
fn check_changes(promises: &Promises, log: &[(String, String, String)], places: &BTreeMap<String, String>) {
    let mut changed: BTreeMap<String, u64> = BTreeMap::new();
    for (_, subject, _) in log.iter().filter(|(kind, ..)| kind == "location.changed") {
        *changed.entry(subject.clone()).or_default() += 1;
    }
    let subject = |(code, count): (&String, &u64)| (format!("locations/{}", places[code]), *count);
    let expected: BTreeMap<_, _> = promises.changed.iter().map(subject).collect();
    assert!(changed == expected, "{} events for {} changes", changed.len(), expected.len());
}

/// The webhook was sent every event that it asks for, about each thing in the order of the log, and nothing else.
async fn check_webhook(world: &World, log: &[(String, String, String)]) -> Received {
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (_, subject, id) in log.iter().filter(|(kind, ..)| SENT.contains(&kind.as_str())) {
        expected.entry(subject.clone()).or_default().push(id.clone());
    }
    let all = expected.values().flatten().count();
    let deadline = Instant::now() + PATIENCE;
    while world.receiver.received().taken.len() < all && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let received = world.receiver.received();
    assert_eq!(received.forged, 0, "messages with a wrong signature");
    let known: BTreeSet<_> = log.iter().map(|(.., id)| id.clone()).collect();
    let unknown: Vec<_> = received.taken.difference(&known).collect();
    assert!(unknown.is_empty(), "sent, and never happened: {unknown:?}");
    let taken = expected.values().flatten().filter(|id| received.taken.contains(*id)).count();
    assert_eq!(taken, all, "not sent\n{}", world.logs());
    assert!(received.first == expected, "out of order, or not asked for");
    received
}

/// Each import did its work once, or failed as a whole.
async fn check_imports(world: &World, promises: &Promises) {
    let client = world.nodes[0].client().with_token(&world.key);
    for (address, good) in &promises.imports {
        let import = client.get(address).await.expect(200).json();
        let job = &import["job"];
        let expected = if *good { "succeeded" } else { "failed" };
        assert_eq!(job["state"], expected, "{import}");
    }
}

/// Each listener heard the whole log from their first event on, in order, without a double.
async fn check_listeners(log: &[(String, String, String)], heard: &[Arc<Mutex<Vec<String>>>]) {
    for heard in heard {
        let first = heard.lock().unwrap().first().cloned().unwrap();
        let ids = log.iter().map(|(.., id)| id.clone()).skip_while(|id| *id != first);
        let expected: Vec<_> = ids.collect();
        let deadline = Instant::now() + Duration::from_secs(60);
        while heard.lock().unwrap().len() < expected.len() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let heard = heard.lock().unwrap().clone();
        assert!(
            heard == expected,
            "{} heard of {}: lost, doubled or out of order",
            heard.len(),
            expected.len()
        );
    }
}
