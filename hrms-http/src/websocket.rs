//! WebSocket (RFC 6455) as an ordinary endpoint: an argument that checks the handshake, an answer that
//! switches protocols.

use std::future::Future;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CONNECTION, ORIGIN, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Version};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tracing::Instrument;

use crate::answer::{Answer, Reply, empty, not_replayable};
use crate::config::Config;
use crate::extract::Extract;
use crate::host;
use crate::openapi::Operation;
use crate::problem::Problem;
use crate::request::Input;

/// An open connection; ping and close frames are answered by the library while it is read.
pub(crate) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Bytes kept for what a client sends; a longer message makes it grow.
const READ_BUFFER: usize = 1 << 10;

/// Bytes that are collected before they are written.
const WRITE_BUFFER: usize = 32 << 10;

/// How long a WebSocket may take to say goodbye when the server stops.
const GOODBYE: Duration = Duration::from_secs(1);

/// Tells a WebSocket that the server is about to stop.
#[derive(Clone, Debug)]
pub(crate) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Waits until the server is about to stop; then there is a second to close the connection.
    pub(crate) async fn wait(&mut self) {
        // An error means that the server is gone already.
        let _ = self.0.wait_for(|stopping| *stopping).await;
    }
}

/// A checked handshake.
#[derive(Debug)]
pub(crate) struct Upgrade {
    upgrade: OnUpgrade,
    accept: HeaderValue,
    config: WebSocketConfig,
    stopping: Stopping,
    /// Counts as a running handler, so that shutdown waits for the goodbye.
    counted: watch::Receiver<()>,
}

/// 101: from here on the connection is a WebSocket.
#[derive(Debug)]
pub(crate) struct Switching(HeaderValue);

impl Extract for Upgrade {
    fn extract(input: &mut Input) -> Result<Self, Problem> {
        let headers = &input.parts.headers;
        let wanted = has_token(headers, &CONNECTION, "upgrade") && has_token(headers, &UPGRADE, "websocket");
        if input.parts.version != Version::HTTP_11 || !wanted {
            return Err(upgrade_required("connect to this address as a WebSocket, over HTTP/1.1"));
        }
        if headers.get(SEC_WEBSOCKET_VERSION).map(HeaderValue::as_bytes) != Some(b"13") {
            return Err(upgrade_required("this speaks version 13 of the WebSocket protocol"));
        }
        check_origin(&input.parts, &input.shared.config)?;
        let key = headers.get(SEC_WEBSOCKET_KEY).ok_or_else(bad_handshake)?.as_bytes();
        if STANDARD.decode(key).map(|key| key.len()) != Ok(16) {
            return Err(bad_handshake());
        }
        let accept = HeaderValue::try_from(derive_accept_key(key)).map_err(Problem::internal)?;
        let largest = input.shared.config.max_message_bytes;
        let config = WebSocketConfig::default()
            .max_message_size(Some(largest))
            .max_frame_size(Some(largest))
            // Clients say next to nothing, and there are thousands of them.
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER);
        let upgrade = input.parts.extensions.remove::<OnUpgrade>().ok_or_else(bad_handshake)?;
        let stopping = Stopping(input.shared.stopping.subscribe());
        let counted = input.shared.handlers.subscribe();
        Ok(Self { upgrade, accept, config, stopping, counted })
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.websocket();
    }
}

impl Upgrade {
    /// Switches protocols and gives the connection to `serve`, which should close it when the server
    /// stops.
    pub(crate) fn run<F, R>(self, serve: F) -> Switching
    where
        F: FnOnce(Socket, Stopping) -> R + Send + 'static,
        R: Future<Output = ()> + Send,
    {
        let Self { upgrade, accept, config, stopping, counted } = self;
        let mut late = stopping.clone();
        let talk = async move {
            let _counted = counted;
            let Ok(connection) = upgrade.await else {
                tracing::debug!("the client went away before the WebSocket was open");
                return;
            };
            let io = TokioIo::new(connection);
            let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
            let too_late = async {
                late.wait().await;
                tokio::time::sleep(GOODBYE).await;
            };
            tokio::select! {
                () = serve(socket, stopping) => {}
                () = too_late => {}
            }
        };
        tokio::spawn(talk.in_current_span());
        Switching(accept)
    }
}

impl Answer for Switching {
    const STATUS: StatusCode = StatusCode::SWITCHING_PROTOCOLS;

    fn into_reply(self, _: &str) -> Result<Reply, Problem> {
        let mut reply = Reply::new(empty());
        *reply.status_mut() = Self::STATUS;
        let headers = reply.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.0);
        Ok(reply)
    }

    fn replay(_: &str, _: &str) -> Result<Reply, Problem> {
        Err(not_replayable())
    }

    fn describe(operation: &mut Operation<'_>) {
        operation.response(Self::STATUS, "The connection is a WebSocket now.", None, &[]);
    }
}

/// Whether a header that is a list of tokens has one.
fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers.get_all(name).iter().any(|value| {
        let tokens = value.to_str().unwrap_or_default().split(',');
        tokens.into_iter().any(|given| given.trim().eq_ignore_ascii_case(token))
    })
}

/// Lets browsers connect from our own pages and from listed origins only (RFC 6455, section 10.2): no other check
/// of where a page comes from applies to WebSockets. Other programs send no origin.
fn check_origin(parts: &Parts, config: &Config) -> Result<(), Problem> {
    let mut origins = parts.headers.get_all(ORIGIN).iter();
    let Some(origin) = origins.next() else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let listed = || config.cors_origins.iter().chain(&config.own_origin).any(|listed| listed == origin);
    let own = || matches!(host::named(parts), Ok(Some(host)) if host::is_origin_of(origin, &host));
    if origins.next().is_none() && (listed() || own()) {
        return Ok(());
    }
    let detail = "pages of this origin may not connect";
    Err(Problem::new(StatusCode::FORBIDDEN, "websocket.origin-refused", detail))
}

fn upgrade_required(detail: &'static str) -> Problem {
    Problem::new(StatusCode::UPGRADE_REQUIRED, "websocket.upgrade-required", detail)
        .with_header(UPGRADE, HeaderValue::from_static("websocket"))
        .with_header(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))
}

fn bad_handshake() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "websocket.bad-handshake",
        "Sec-WebSocket-Key must be 16 bytes in Base64",
    )
}
