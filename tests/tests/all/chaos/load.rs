//! What goes on while everything falls over: people who write, and people who listen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use futures_util::StreamExt;
use hrms_tests::{Client, Reply};
use http::Request;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::receiver::Receiver;

/// What was asked for and answered: what there must be in the end, and what not.
#[derive(Debug, Default)]
pub(super) struct Promises {
    /// Codes of places that were added, one by one or by an import that was taken.
    pub(super) there: BTreeSet<String>,
    /// Codes of places whose change can't have been committed.
    pub(super) absent: BTreeSet<String>,
    /// How often places were changed, by code.
    pub(super) changed: BTreeMap<String, u64>,
    /// Imports that were taken: their addresses, and whether they must succeed.
    pub(super) imports: Vec<(String, bool)>,
    /// Answers that had to be asked for more than once.
    pub(super) retried: u64,
}

impl Promises {
    /// Events that the webhook will be told of, or already was.
    fn events(&self) -> usize {
        let changed: u64 = self.changed.values().sum();
        self.there.len() + usize::try_from(changed).unwrap()
    }
}

/// Somebody who writes until told to stop, and asks again until answered.
pub(super) struct Writer {
    pub(super) clients: Vec<Client>,
    pub(super) name: String,
    pub(super) rng: Rng,
    pub(super) promises: Arc<Mutex<Promises>>,
    pub(super) receiver: Receiver,
    pub(super) stop: Arc<AtomicBool>,
}

/// How many messages may be under way before nobody writes more: what is disturbed is work, not a backlog of hours.
const UNDER_WAY: usize = 2000;

const ROWS: usize = 40;

impl Writer {
    pub(super) async fn run(mut self) {
        let mut n = 0;
        while !self.stop.load(Ordering::Relaxed) {
            if self.promises().events() > self.receiver.taken() + UNDER_WAY {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
            n += 1;
            let code = format!("{}-{n}", self.name);
            match self.rng.u8(0..10) {
                0..3 => drop(self.add(&code).await),
                3..6 => self.add_and_change(&code).await,
                6..8 => self.import(&code, true).await,
                8 => self.import(&code, false).await,
                _ => self.add_twice(&code).await,
            }
        }
    }

    async fn add(&mut self, code: &str) -> Reply {
        let added = self.ask("/api/v1/locations", "application/json", &place(code), code).await.expect(201);
        self.promises().there.insert(code.to_owned());
        added
    }

    /// Several events about one thing. Nobody else changes it: another version than ours is what we wrote ourselves, in a
    /// request whose answer was lost.
    async fn add_and_change(&mut self, code: &str) {
        let added = self.add(code).await.json();
        let path = format!("/api/v1/locations/{}", added["id"].as_str().unwrap());
        for version in 1..=self.rng.u64(1..4) {
            let body = json!({ "name": format!("Somewhere {version}") }).to_string();
            let tag = format!("\"{version}-\"");
            let mut lost = false;
            loop {
                let client = self.rng.choice(&self.clients).unwrap().clone();
                let request = Request::patch(client.url(&path))
                    .header("content-type", "application/json")
                    .header("if-match", &tag)
                    .body(Bytes::from(body.clone()))
                    .unwrap();
                let answer = tokio::time::timeout(Duration::from_secs(10), client.try_send(request)).await;
                match answer {
                    Ok(Ok(reply)) if reply.status == 200 || (lost && reply.status == 412) => break,
                    Ok(Ok(reply)) if !is_transient(&reply) => drop(reply.expect(200)),
                    _ => self.promises().retried += 1,
                }
                lost = true;
                tokio::time::sleep(Duration::from_millis(self.rng.u64(20..200))).await;
            }
            *self.promises().changed.entry(code.to_owned()).or_default() += 1;
        }
    }

    /// The second one is refused, and what is refused leaves nothing.
    async fn add_twice(&mut self, code: &str) {
        drop(self.add(code).await);
        let again = format!("{code}-again");
        self.ask("/api/v1/locations", "application/json", &place(code), &again).await.expect(409);
    }

    /// A file of which all rows are good, or that is undone as a whole because of its last row.
    async fn import(&mut self, code: &str, good: bool) {
        let codes: Vec<_> = (0..ROWS).map(|row| format!("{code}-{row}")).collect();
        let mut file = String::from("code,name,time_zone\n");
        for code in &codes {
            file.push_str(&format!("{code},Somewhere,UTC\n"));
        }
        if !good {
            file.push_str(&format!("{code}-bad,Nowhere,Atlantis/Poseidonis\n"));
        }
        let mode = if good { "per_row" } else { "all_or_nothing" };
        let path = format!("/api/v1/imports?kind=locations&mode={mode}");
        let taken = self.ask(&path, "text/csv", &file, code).await.expect(202).json();
        let address = format!("/api/v1/imports/{}", taken["id"].as_str().unwrap());
        let mut promises = self.promises();
        promises.imports.push((address, good));
        if good { &mut promises.there } else { &mut promises.absent }.extend(codes);
    }

    /// Asks one node or the other until there is an answer. The key makes sure that it is done once.
    async fn ask(&mut self, path: &str, kind: &str, body: &str, key: &str) -> Reply {
        loop {
            let client = self.rng.choice(&self.clients).unwrap().clone();
            let request = Request::post(client.url(path))
                .header("content-type", kind)
                .header("idempotency-key", key)
                .body(Bytes::from(body.to_owned()))
                .unwrap();
            let answer = tokio::time::timeout(Duration::from_secs(10), client.try_send(request)).await;
            match answer {
                Ok(Ok(reply)) if !is_transient(&reply) => return reply,
                _ => self.promises().retried += 1,
            }
            tokio::time::sleep(Duration::from_millis(self.rng.u64(20..200))).await;
        }
    }

    fn promises(&self) -> std::sync::MutexGuard<'_, Promises> {
        self.promises.lock().unwrap()
    }
}

fn place(code: &str) -> String {
    json!({ "code": code, "name": "Somewhere", "time_zone": "UTC" }).to_string()
}

/// Answers after which one asks again: the server has trouble, or the same request is still running.
fn is_transient(reply: &Reply) -> bool {
    reply.status.is_server_error()
        || reply.status == 429
        || (reply.status == 409 && reply.json()["code"] == "idempotency.still-running")
}

/// Somebody who listens to one node, and comes back with the last event they have seen. Stops by being dropped.
pub(super) async fn listen(address: String, key: String, heard: Arc<Mutex<Vec<String>>>) {
    loop {
        let since = heard.lock().unwrap().last().map(|id| format!("?since={id}")).unwrap_or_default();
        let mut request = format!("ws://{address}/api/v1/events{since}").into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        match tokio_tungstenite::connect_async(request).await {
            Ok((mut socket, _)) => {
                while let Some(Ok(message)) = socket.next().await {
                    if let Message::Text(text) = message {
                        let event: Value = serde_json::from_str(&text).unwrap();
                        heard.lock().unwrap().push(event["id"].as_str().unwrap().to_owned());
                    }
                }
            }
            Err(Error::Http(answer)) => {
                let status = answer.status().as_u16();
                assert!(status >= 500 || status == 429, "a listener was refused: {status}");
            }
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
