//! Measures live events of a running server: how soon one event is with all listeners, how many frames a second
//! a burst makes and whether any is lost, and what idle listeners cost in memory.
//!
//! ```sh
//! cargo build --release -p hrms-server -p hrms-tests --bin live_load
//! target/release/live_load target/release/hrms-server       # the embedded demo
//! target/release/live_load http://127.0.0.1:8080 ORGANIZATION EMAIL PASSWORD PID
//! ```
//!
//! The listeners run on the same machine and share its processors with the server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::print_stdout,
    clippy::allow_attributes,
    reason = "a measuring program: a broken assumption ends it"
)]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use hrms_tests::Client;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

const LISTENERS: usize = 200;
const IDLE: usize = 5000;
const ROUNDS: usize = 50;
const BURST: usize = 500;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

struct Target {
    base_url: String,
    organization: String,
    email: String,
    password: String,
    pid: u32,
    _demo: Option<Demo>,
}

struct Demo(Child, #[expect(dead_code, reason = "removed when dropped")] tempfile::TempDir);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Target {
    fn of_arguments() -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        match arguments.as_slice() {
            [server] => Self::demo(server),
            [base_url, organization, email, password, pid] => Self {
                base_url: base_url.clone(),
                organization: organization.clone(),
                email: email.clone(),
                password: password.clone(),
                pid: pid.parse().unwrap(),
                _demo: None,
            },
            _ => panic!("usage: live_load SERVER_BINARY | URL ORGANIZATION EMAIL PASSWORD PID"),
        }
    }

    fn demo(server: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut demo = Command::new(server)
            .args(["demo", "--port", "0", "--json"])
            .current_dir(dir.path())
            .env("HRMS_DATA_DIR", dir.path())
            .env("HRMS_LOG_LEVEL", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(demo.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let demo_says: Value = serde_json::from_str(&line).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let accounts = demo_says["accounts"].as_array().unwrap();
        let admin =
            accounts.iter().find(|account| account["role"] == "owner" || account["role"] == "admin").unwrap();
        Self {
            base_url: text(&demo_says["base_url"]),
            organization: text(&demo_says["organization"]),
            email: text(&admin["email"]),
            password: text(&admin["password"]),
            pid: demo.id(),
            _demo: Some(Demo(demo, dir)),
        }
    }

    /// What the server holds in memory, in MB (resident).
    fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }
}

async fn connect(base_url: &str, token: &str) -> Socket {
    let address = format!("{}/api/v1/events", base_url.replacen("http", "ws", 1));
    let mut request = address.into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let config = WebSocketConfig::default().read_buffer_size(16 << 10);
    tokio_tungstenite::connect_async_with_config(request, Some(config), true).await.unwrap().0
}

/// Tells of each frame when it came, and its text's hash, so that order can be compared.
async fn listen(mut socket: Socket, tell: UnboundedSender<Instant>) {
    while let Some(Ok(message)) = socket.next().await {
        match message {
            Message::Text(_) => tell.send(Instant::now()).unwrap(),
            Message::Close(frame) => panic!("closed: {frame:?}"),
            _ => {}
        }
    }
}

/// Waits for so many frames and gives when the last one came.
async fn frames(told: &mut UnboundedReceiver<Instant>, count: usize) -> (usize, Instant, Instant) {
    let (mut first, mut last, mut got) = (None, Instant::now(), 0);
    while got < count {
        match tokio::time::timeout(Duration::from_secs(20), told.recv()).await {
            Ok(Some(at)) => {
                first.get_or_insert(at);
                last = at;
                got += 1;
            }
            _ => break,
        }
    }
    (got, first.unwrap_or(last), last)
}

fn median(mut of: Vec<Duration>) -> Duration {
    of.sort_unstable();
    of.get(of.len() / 2).copied().unwrap_or_default()
}

fn csv(prefix: &str, count: usize) -> String {
    let rows = (0..count).map(|n| format!("{prefix}{n},Place {n},UTC\n"));
    std::iter::once("code,name,time_zone\n".to_owned()).chain(rows).collect()
}

#[tokio::main]
async fn main() {
    let target = Target::of_arguments();
    let client = Client::new(&target.base_url);
    let body =
        json!({ "organization": target.organization, "email": target.email, "password": target.password });
    let tokens = client.post("/api/v1/auth/login", &body).await.expect(200).json();
    let token = tokens["access_token"].as_str().unwrap().to_owned();
    let client = client.with_token(&token);
    let run = hrms_core::contract::id().simple().to_string();
    let run = run[20..].to_uppercase();

    let (tell, mut told) = unbounded_channel();
    let mut listeners = JoinSet::new();
    for _ in 0..LISTENERS {
        listeners.spawn(listen(connect(&target.base_url, &token).await, tell.clone()));
    }

    let (mut from_request, mut spread, mut requests) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let code = format!("L{run}{round}");
        let start = Instant::now();
        let new = json!({ "code": code, "name": "Somewhere", "time_zone": "UTC" });
        client.post("/api/v1/locations", &new).await.expect(201);
        requests.push(start.elapsed());
        let (got, first, last) = frames(&mut told, LISTENERS).await;
        assert_eq!(got, LISTENERS, "frames were lost");
        from_request.push(last - start);
        spread.push(last - first);
    }
    println!("one event to {LISTENERS} listeners, median of {ROUNDS}:");
    println!("  the request that causes it   {:>8.2} ms", median(requests).as_secs_f64() * 1e3);
    println!("  request to last listener     {:>8.2} ms", median(from_request).as_secs_f64() * 1e3);
    println!("  first to last listener       {:>8.2} ms", median(spread).as_secs_f64() * 1e3);

    let start = Instant::now();
    let file = csv(&format!("B{run}"), BURST).into_bytes();
    client.upload("/api/v1/imports?kind=locations", "text/csv", file).await.expect(202);
    let wanted = BURST * LISTENERS;
    let (got, first, last) = frames(&mut told, wanted).await;
    let took = (last - first).as_secs_f64();
    println!("a burst of {BURST} events (an import) to {LISTENERS} listeners:");
    println!("  delivered {got} of {wanted}, lost {}", wanted - got);
    println!("  {:.0} frames/s, {:.1} ms from the first frame to the last", got as f64 / took, took * 1e3);
    println!("  {:.1} ms from the upload to the last frame", (last - start).as_secs_f64() * 1e3);
    listeners.shutdown().await;
    drop(tell);

    let before = target.memory();
    let mut idle = Vec::with_capacity(IDLE);
    for _ in 0..IDLE {
        idle.push(connect(&target.base_url, &token).await);
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    let with = target.memory();
    println!("{} idle listeners: {with:.0} MB resident, {before:.0} MB without them", idle.len());
}
