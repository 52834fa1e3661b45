//! An HTTP server on loopback that keeps what it gets and answers as it is told.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// A message that came.
#[derive(Clone, Debug)]
pub(in crate::all) struct Received {
    pub(in crate::all) path: String,
    pub(in crate::all) headers: HeaderMap,
    pub(in crate::all) body: Bytes,
}

impl Received {
    pub(in crate::all) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    pub(in crate::all) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Type and subject.
    pub(in crate::all) fn what(&self) -> (String, String) {
        let event = self.json();
        let text = |name: &str| event[name].as_str().unwrap().to_owned();
        (text("type"), text("subject"))
    }
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    /// The next answers; 200 when there are none left.
    answers: VecDeque<(u16, String)>,
    always: Option<u16>,
    pause: Duration,
    /// Messages being answered, by subject, and the most at a time.
    busy: HashMap<String, usize>,
    most_at_once: usize,
    /// The same of all messages.
    together: usize,
    most_together: usize,
}

#[derive(Clone)]
pub(in crate::all) struct Receiver {
    state: Arc<Mutex<State>>,
    pub(in crate::all) port: u16,
}

impl Receiver {
    pub(in crate::all) async fn start() -> Self {
        Self::start_with(None).await
    }

    /// One that speaks HTTP over TLS only.
    pub(in crate::all) async fn start_tls(config: ServerConfig) -> Self {
        Self::start_with(Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn start_with(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let this = Self { state: Arc::default(), port };
        let server = this.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = server.clone();
                let service = service_fn(move |request| {
                    let server = server.clone();
                    async move { server.answer(request).await }
                });
                let (tls, http) = (tls.clone(), hyper::server::conn::http1::Builder::new());
                tokio::spawn(async move {
                    // Whoever hangs up, or doesn't trust us, has hung up.
                    let _ = match tls {
                        None => http.serve_connection(TokioIo::new(stream), service).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => http.serve_connection(TokioIo::new(stream), service).await,
                            Err(_) => Ok(()),
                        },
                    };
                });
            }
        });
        this
    }

    pub(in crate::all) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// What came so far.
    pub(in crate::all) fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().received.clone()
    }

    /// How many messages about one thing were answered at the same time at most.
    pub(in crate::all) fn most_at_once(&self) -> usize {
        self.state.lock().unwrap().most_at_once
    }

    /// How many messages were answered at the same time at most.
    pub(in crate::all) fn most_together(&self) -> usize {
        self.state.lock().unwrap().most_together
    }

    /// The next answers.
    pub(in crate::all) fn then(&self, statuses: &[u16]) {
        let answers = statuses.iter().map(|status| (*status, String::new()));
        self.state.lock().unwrap().answers.extend(answers);
    }

    /// The next answer, with this body.
    pub(in crate::all) fn then_say(&self, status: u16, body: &str) {
        self.state.lock().unwrap().answers.push_back((status, body.to_owned()));
    }

    /// All answers from now on.
    pub(in crate::all) fn always(&self, status: u16) {
        self.state.lock().unwrap().always = Some(status);
    }

    /// Takes so long for each answer.
    pub(in crate::all) fn slow(&self, pause: Duration) {
        self.state.lock().unwrap().pause = pause;
    }

    async fn answer(&self, request: http::Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (parts, body) = request.into_parts();
        let Ok(body) = body.collect().await else { return Ok(Response::default()) };
        let received =
            Received { path: parts.uri.to_string(), headers: parts.headers, body: body.to_bytes() };
        let subject =
            serde_json::from_slice::<Value>(&received.body).unwrap_or_default()["subject"].to_string();
        let (status, said, pause) = {
            let mut state = self.state.lock().unwrap();
            state.received.push(received);
            let busy = state.busy.entry(subject.clone()).or_default();
            *busy += 1;
            let busy = *busy;
            state.most_at_once = state.most_at_once.max(busy);
            state.together += 1;
            state.most_together = state.most_together.max(state.together);
            let (status, said) = match state.always {
                Some(status) => (status, String::new()),
                None => state.answers.pop_front().unwrap_or((200, String::new())),
            };
            (status, said, state.pause)
        };
        tokio::time::sleep(pause).await;
        {
            let mut state = self.state.lock().unwrap();
            *state.busy.get_mut(&subject).unwrap() -= 1;
            state.together -= 1;
        }
        let mut answer = Response::new(Full::new(Bytes::from(said)));
        *answer.status_mut() = StatusCode::from_u16(status).unwrap();
        if (300..400).contains(&status) {
            let elsewhere = self.url("/elsewhere").parse().unwrap();
            answer.headers_mut().insert("location", elsewhere);
        }
        Ok(answer)
    }
}
