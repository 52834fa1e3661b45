//! A program elsewhere that webhooks are sent to: it sometimes refuses a message, or hangs up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fastrand::Rng;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

/// What came.
#[derive(Clone, Debug, Default)]
pub(super) struct Received {
    /// The ids of the events about each thing, in the order in which they first came.
    pub(super) first: BTreeMap<String, Vec<String>>,
    /// The ids of the messages that were taken.
    pub(super) taken: BTreeSet<String>,
    /// The ids of those that were refused, or hung up on: each once, since the third attempt comes minutes later.
    pub(super) refused: BTreeSet<String>,
    /// All messages, also those that came again.
    pub(super) messages: u64,
    /// Messages whose signature was wrong.
    pub(super) forged: u64,
}

#[derive(Clone)]
pub(super) struct Receiver {
    pub(super) url: String,
    received: Arc<Mutex<Received>>,
    secret: Arc<Mutex<Option<standardwebhooks::Webhook>>>,
    rng: Arc<Mutex<Rng>>,
}

impl Receiver {
    pub(super) async fn start(rng: Rng) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let this =
            Self { url, received: Arc::default(), secret: Arc::default(), rng: Arc::new(Mutex::new(rng)) };
        let server = this.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                let service = service_fn(move |request| {
                    let server = server.clone();
                    async move { server.answer(request).await }
                });
                tokio::spawn(async move {
                    // Whoever hangs up has hung up, and may be us.
                    let _ = hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        this
    }

    /// What messages are signed with.
    pub(super) fn knows(&self, secret: &str) {
        *self.secret.lock().unwrap() = Some(standardwebhooks::Webhook::new(secret).unwrap());
    }

    pub(super) fn received(&self) -> Received {
        self.received.lock().unwrap().clone()
    }

    /// How many messages were taken.
    pub(super) fn taken(&self) -> usize {
        self.received.lock().unwrap().taken.len()
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, std::io::Error> {
        let (parts, body) = request.into_parts();
        // A sender that was killed: no message came.
        let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
        let (fate, pause) = {
            let mut rng = self.rng.lock().unwrap();
            (rng.u8(0..20), Duration::from_millis(rng.u64(0..4)))
        };
        tokio::time::sleep(pause).await;
        let event: Value = serde_json::from_slice(&body).unwrap_or_default();
        let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
        let (id, subject) = (text("id"), text("subject"));
        let mut received = self.received.lock().unwrap();
        received.messages += 1;
        let good = self.secret.lock().unwrap().as_ref().unwrap().verify(&body, &parts.headers).is_ok();
        if !good || parts.headers["webhook-id"] != id {
            received.forged += 1;
        }
        let ids = received.first.entry(subject).or_default();
        if !ids.contains(&id) {
            ids.push(id.clone());
        }
        if fate < 2 && !received.taken.contains(&id) && received.refused.insert(id.clone()) {
            let mut refusal = Response::new(Full::default());
            *refusal.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            return if fate == 0 { Ok(refusal) } else { Err(std::io::Error::other("hung up")) };
        }
        received.taken.insert(id);
        Ok(Response::new(Full::default()))
    }
}
