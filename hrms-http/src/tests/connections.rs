//! Connections: versions of HTTP, timeouts, hang-ups, compression, CORS, WebSocket, shutdown.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use http::{Method, StatusCode, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::support::{Running, config, start, start_with};
use super::things::{FINISHED, RELEASE, WAITING};

/// The tests that use the one handler that waits take turns.
static WAITER: Mutex<()> = Mutex::const_new(());

/// What must happen, within a time that is only reached when it doesn't.
pub(super) async fn soon<T>(happens: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(5), happens).await.expect("this should have happened by now")
}

pub(super) async fn raw(server: &Running, text: &str) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(stream.read_to_string(&mut answer)).await.unwrap();
    answer
}

#[tokio::test]
async fn speaks_both_versions_on_one_port() {
    let server = start().await;
    let one = server.get("/t/mine").await;
    let two = server.get_h2("/t/mine").await;
    assert_eq!((one.version, two.version), (Version::HTTP_11, Version::HTTP_2));
    assert_eq!(one.body, two.body);
    server.get_h2("/nowhere").await.problem(404, "common.not-found");
    let head = server.send_h2(Method::HEAD, "/t/mine").await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header("content-length"), one.body.len().to_string());
}

#[tokio::test]
async fn a_slow_body_and_a_silent_connection_end() {
    let mut config = config();
    config.body_timeout = Duration::from_millis(50);
    config.header_timeout = Duration::from_millis(50);
    let server = start_with(config).await;
    let slow = "POST /t/things HTTP/1.1\r\nhost: t\r\nauthorization: Bearer hr\r\ncontent-length: 5\r\n\r\n{";
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(slow.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    soon(stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");

    // Nothing, half a request line, and half of HTTP/2's preface: each ends without being told to.
    for start in ["", "GET / HT", "PRI * HT"] {
        raw(&server, start).await;
    }
}

#[tokio::test]
async fn headers_that_are_too_large_are_refused() {
    let server = start().await;
    let large = format!("GET /t/open HTTP/1.1\r\nhost: t\r\nx: {}\r\n\r\n", "x".repeat(64 << 10));
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // The server may stop reading before all is written.
    let _ = stream.write_all(large.as_bytes()).await;
    let mut answer = [0; 12];
    if stream.read_exact(&mut answer).await.is_ok() {
        assert_eq!(&answer, b"HTTP/1.1 431");
    }
    assert_eq!(server.get("/t/open").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_client_that_asks_first_is_refused_without_being_told_to_send() {
    let server = start().await;
    let text = "POST /t/files HTTP/1.1\r\nhost: t\r\nauthorization: Bearer hr\r\ncontent-type: text/csv\r\n\
        content-length: 209715200\r\nexpect: 100-continue\r\n\r\n";
    let answer = raw(&server, text).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn a_client_that_hangs_up_does_not_stop_the_handler() {
    let _turn = WAITER.lock().await;
    let server = start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = "POST /t/waits HTTP/1.1\r\nhost: t\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    soon(WAITING.notified()).await;
    drop(stream);
    // Another request on another connection: time for the server to see the hang-up.
    server.get("/t/open").await;
    RELEASE.notify_one();
    soon(FINISHED.notified()).await;
}

#[tokio::test]
async fn shutdown_waits_for_running_requests() {
    let _turn = WAITER.lock().await;
    let server = start().await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let request = "POST /t/waits HTTP/1.1\r\nhost: t\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    soon(WAITING.notified()).await;
    let stopping = tokio::spawn(server.stop());
    RELEASE.notify_one();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    stopping.await.unwrap();
    soon(FINISHED.notified()).await;
}

#[tokio::test]
async fn large_answers_are_compressed_on_request() {
    let server = start().await;
    let plain = server.get("/t/large").await;
    assert!(!plain.headers.contains_key("content-encoding"));
    for encoding in ["gzip", "br"] {
        let got = server.send(Method::GET, "/t/large", &[("accept-encoding", encoding)], "").await;
        assert_eq!(got.header("content-encoding"), encoding);
        assert!(got.body.len() < plain.body.len() / 4);
        let small = server.send(Method::GET, "/t/open", &[("accept-encoding", encoding)], "").await;
        assert!(!small.headers.contains_key("content-encoding"));
    }
}

#[tokio::test]
async fn only_listed_origins_may_call_from_a_browser() {
    let mut config = config();
    config.cors_origins = vec!["https://hr.example.com".to_owned()];
    let server = start_with(config).await;
    let from = async |origin: &str, method: Method| {
        let headers = [("origin", origin), ("access-control-request-method", "PATCH")];
        server.send(method, "/t/open", &headers, "").await
    };
    let allowed = from("https://hr.example.com", Method::OPTIONS).await;
    assert_eq!(allowed.header("access-control-allow-origin"), "https://hr.example.com");
    assert!(allowed.header("access-control-allow-headers").contains("if-match"));
    let allowed = from("https://hr.example.com", Method::GET).await;
    assert_eq!(allowed.header("access-control-allow-origin"), "https://hr.example.com");
    let exposed = allowed.header("access-control-expose-headers");
    for header in ["etag", "location", "retry-after", "ratelimit", "ratelimit-policy", "idempotency-replayed"]
    {
        assert!(exposed.split(',').any(|name| name == header), "{header}: {exposed}");
    }
    assert!(!allowed.headers.contains_key("access-control-allow-credentials"));
    for origin in
        ["https://evil.example.com", "http://hr.example.com", "https://hr.example.com.evil.example", "null"]
    {
        for method in [Method::OPTIONS, Method::GET] {
            let foreign = from(origin, method).await;
            assert!(!foreign.headers.contains_key("access-control-allow-origin"), "{origin}");
            assert!(foreign.header("vary").contains("origin"), "{origin}");
        }
    }
}

const HANDSHAKE: &str = "GET /t/echo HTTP/1.1\r\nhost: t\r\nconnection: keep-alive, Upgrade\r\n\
    upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

async fn open_socket(server: &Running) -> WebSocketStream<TcpStream> {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(HANDSHAKE.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    // The example of RFC 6455, section 1.3.
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    WebSocketStream::from_raw_socket(stream, Role::Client, None).await
}

#[tokio::test]
async fn a_websocket_echoes_until_the_server_stops() {
    let server = start().await;
    let mut socket = open_socket(&server).await;
    socket.send(Message::text("hello")).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::text("hello"));
    server.stop().await;
    match soon(socket.next()).await {
        Some(Ok(Message::Close(Some(frame)))) => assert_eq!(frame.code, CloseCode::Away),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_a_websocket() {
    let server = start().await;
    let mut socket = open_socket(&server).await;
    socket.send(Message::text("x".repeat(65 << 10))).await.unwrap();
    let end = soon(socket.next()).await;
    assert!(matches!(end, None | Some(Err(_) | Ok(Message::Close(_)))), "{end:?}");
}

#[tokio::test]
async fn a_faulty_handshake_is_a_problem() {
    let server = start().await;
    server.get("/t/echo").await.problem(426, "websocket.upgrade-required");
    server.get_h2("/t/echo").await.problem(426, "websocket.upgrade-required");
    let base = [("connection", "upgrade"), ("upgrade", "websocket")];
    let with = async |more: &[(&str, &str)]| {
        let headers: Vec<_> = base.iter().chain(more).copied().collect();
        server.send(Method::GET, "/t/echo", &headers, "").await
    };
    let old = with(&[("sec-websocket-version", "8")]).await;
    old.problem(426, "websocket.upgrade-required");
    assert_eq!(old.header("sec-websocket-version"), "13");
    with(&[("sec-websocket-version", "13")]).await.problem(400, "websocket.bad-handshake");
    let short = [("sec-websocket-version", "13"), ("sec-websocket-key", "c2hvcnQ=")];
    with(&short).await.problem(400, "websocket.bad-handshake");
}
