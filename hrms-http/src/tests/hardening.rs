//! What protects the server and its users: headers, hosts, rate limits, origins.

use async_trait::async_trait;
use hrms_core::StoreError;
use hrms_core::jiff::Timestamp;
use hrms_core::rate_limit::{Charge, Quota, RateLimiter, Taken};
use http::{Method, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::connections::{raw, soon};
use super::support::{Got, Running, config, start, start_as, start_with};
use crate::Config;

/// Everything a browser should be told, whatever the answer is.
#[track_caller]
fn assert_safe(got: &Got) {
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        assert_eq!(got.header(name), value, "{got:?}");
        assert_eq!(got.headers.get_all(name).iter().count(), 1, "{name}");
    }
    let policy = got.header("content-security-policy");
    for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("script-src 'unsafe") && !policy.contains("http"), "{policy}");
    assert!(!got.headers.contains_key("set-cookie") && !got.headers.contains_key("server"), "{got:?}");
}

#[tokio::test]
async fn every_answer_is_safe_to_show_to_a_browser() {
    let mut config = config();
    config.body_limit = 10;
    config.cors_origins = vec!["https://hr.example.com".to_owned()];
    let server = start_with(config).await;
    let mut answers = Vec::new();
    for path in
        ["/t/open", "/t/mine", "/nowhere", "/t/panics", "/t/fails", "/t/query?x=1", "/t/echo", "/t/files"]
    {
        answers.push(server.get(path).await);
    }
    answers.push(server.get_h2("/t/mine").await);
    answers.push(server.send(Method::GET, "/t/mine", &[("authorization", "-")], "").await);
    answers.push(server.send(Method::GET, "/t/mine", &[("if-none-match", "*")], "").await);
    answers.push(server.send(Method::DELETE, "/t/open", &[], "").await);
    answers.push(server.send(Method::GET, "/t/open", &[("host", "a@b")], "").await);
    answers.push(server.post("/t/things", &[], r#"{"name":"too long"}"#).await);
    let preflight = [("origin", "https://evil.example"), ("access-control-request-method", "PATCH")];
    answers.push(server.send(Method::OPTIONS, "/t/open", &preflight, "").await);
    let statuses: Vec<u16> = answers.iter().map(|got| got.status.as_u16()).collect();
    assert_eq!(statuses, [200, 200, 404, 500, 500, 422, 426, 200, 200, 401, 304, 405, 400, 413, 200]);
    for got in &answers {
        assert_safe(got);
        assert_eq!(got.header("cache-control"), "no-store", "{got:?}");
        assert!(!got.headers.contains_key("strict-transport-security"), "no TLS, no promise of it");
    }
    for page in ["/api/docs/", "/api/redoc/", "/api/openapi.json", "/problems", "/api/docs"] {
        assert_safe(&server.get(page).await);
    }
}

#[tokio::test]
async fn clients_that_came_by_tls_are_told_to_stay_with_it() {
    let forwarded = [("x-forwarded-proto", "https")];
    let stays = |got: Got| got.headers.contains_key("strict-transport-security");
    let server = start().await;
    assert!(!stays(server.send(Method::GET, "/t/open", &forwarded, "").await), "nobody trusts this proxy");

    let mut behind = config();
    behind.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let server = start_with(behind).await;
    assert!(stays(server.send(Method::GET, "/t/open", &forwarded, "").await));
    assert!(stays(server.send(Method::GET, "/nowhere", &forwarded, "").await));
    assert!(!stays(server.get("/t/open").await));

    let mut always = config();
    always.https = true;
    let got = start_with(always).await.get("/nowhere").await;
    assert_eq!(got.header("strict-transport-security"), "max-age=31536000; includeSubDomains");
}

async fn status(server: &Running, head: &str) -> (u16, String) {
    let answer = raw(server, &format!("{head}\r\nconnection: close\r\n\r\n")).await;
    let status = answer.split(' ').nth(1).unwrap_or_default().parse().unwrap_or_default();
    let code = answer.split("\"code\":\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    (status, code.to_owned())
}

#[tokio::test]
async fn a_request_names_exactly_one_host() {
    let server = start().await;
    for faulty in [
        "GET /t/open HTTP/1.1\r\nx: y",
        "GET /t/open HTTP/1.1\r\nhost: a\r\nhost: a",
        "GET /t/open HTTP/1.1\r\nhost: a\r\nhost: b",
        "GET /t/open HTTP/1.1\r\nhost:",
        "GET /t/open HTTP/1.1\r\nhost: user@a",
        "GET /t/open HTTP/1.1\r\nhost: a/b",
        "GET /t/open HTTP/1.1\r\nhost: a:b",
        "GET http://a/t/open HTTP/1.1\r\nhost: b",
        "GET http://a:81/t/open HTTP/1.1\r\nhost: a",
        "GET http://a/t/open HTTP/1.1\r\nx: y",
    ] {
        assert_eq!(status(&server, faulty).await, (400, "http.host-invalid".to_owned()), "{faulty}");
    }
    for fine in [
        "GET /t/open HTTP/1.1\r\nhost: anybody:81",
        "GET http://A/t/open HTTP/1.1\r\nhost: a",
        "GET /t/open HTTP/1.0\r\nx: y",
    ] {
        assert_eq!(status(&server, fine).await.0, 200, "{fine}");
    }
}

#[tokio::test]
async fn only_listed_hosts_are_served() {
    let mut config = config();
    config.allowed_hosts = vec!["hr.example.com".to_owned(), "localhost:8080".to_owned()];
    let server = start_with(config).await;
    for (head, expected) in [
        ("GET /t/open HTTP/1.1\r\nhost: hr.example.com", 200),
        ("GET /t/open HTTP/1.1\r\nhost: HR.example.com.:8443", 200),
        ("GET /t/open HTTP/1.1\r\nhost: localhost:8080", 200),
        ("GET http://hr.example.com/t/open HTTP/1.1\r\nhost: hr.example.com", 200),
        ("GET /health/live HTTP/1.1\r\nhost: 10.0.0.7:8080", 200),
        ("GET /t/open HTTP/1.1\r\nhost: localhost:8081", 421),
        ("GET /t/open HTTP/1.1\r\nhost: evil.example", 421),
        ("GET /t/open HTTP/1.1\r\nhost: evil.example\r\nx-forwarded-host: hr.example.com", 421),
        ("GET http://evil.example/t/open HTTP/1.1\r\nhost: evil.example", 421),
        ("GET /api/docs/ HTTP/1.1\r\nhost: evil.example", 421),
        ("GET /t/open HTTP/1.0\r\nx: y", 421),
    ] {
        assert_eq!(status(&server, head).await.0, expected, "{head}");
    }
    // HTTP/2's `:authority` is the address of the socket here.
    server.get_h2("/t/open").await.problem(421, "http.host-unknown");
    let mut faulty = Config::new([0; 32]);
    faulty.allowed_hosts = vec!["https://hr.example.com".to_owned()];
    let refused = std::panic::AssertUnwindSafe(start_with(faulty));
    assert!(futures_util::FutureExt::catch_unwind(refused).await.is_err(), "a setting that makes no sense");
}

/// Few requests, and none comes back while a test runs.
fn few(tokens: u32) -> Option<Quota> {
    Some(Quota::new(tokens, 36_000))
}

async fn by(server: &Running, token: &str) -> Got {
    server.send(Method::GET, "/t/mine", &[("authorization", token)], "").await
}

#[tokio::test]
async fn an_address_has_its_share_whoever_calls() {
    let mut config = config();
    config.rates.address = few(3);
    config.trusted_proxies = vec!["127.0.0.2/32".parse().unwrap()];
    let server = start_with(config).await;
    let first = by(&server, "Bearer hr").await;
    assert_eq!(first.header("ratelimit-policy").split(", ").next(), Some("\"address\";q=3;w=36000"));
    assert_eq!(first.header("ratelimit").split(", ").next(), Some("\"address\";r=2;t=12000"));
    // What nobody answers for and what is refused counts, too; and no header makes it another address.
    server.get("/nowhere").await.problem(404, "common.not-found");
    let spoofed =
        [("x-forwarded-for", "203.0.113.9"), ("forwarded", "for=203.0.113.9"), ("x-real-ip", "203.0.113.9")];
    assert_eq!(server.send(Method::GET, "/t/open", &spoofed, "").await.status, StatusCode::OK);
    let limited = server.send(Method::GET, "/t/open", &spoofed, "").await;
    let problem = limited.problem(429, "http.rate-limited");
    assert!(problem["detail"].as_str().unwrap().contains("from this address"), "{problem}");
    let wait: u32 = limited.header("retry-after").parse().unwrap();
    assert!((11_900..=12_000).contains(&wait), "{wait}");
    assert_eq!(limited.header("ratelimit"), format!("\"address\";r=0;t={wait}"));
    assert_safe(&limited);
    by(&server, "Bearer other").await.problem(429, "http.rate-limited");
    // Whether the process lives can always be asked.
    assert_eq!(server.get("/health/live").await.status, StatusCode::OK);
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_have_shares_of_their_own() {
    let mut config = config();
    config.rates.address = few(1);
    config.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let server = start_with(config).await;
    let from = async |said: &str| server.send(Method::GET, "/t/open", &[("x-forwarded-for", said)], "").await;
    assert_eq!(from("203.0.113.9").await.status, StatusCode::OK);
    from("203.0.113.9").await.problem(429, "http.rate-limited");
    // What a client puts before what the proxy writes is its own invention.
    from("198.51.100.1, 203.0.113.9").await.problem(429, "http.rate-limited");
    assert_eq!(from("203.0.113.10").await.status, StatusCode::OK);
    assert_eq!(from("2001:db8::1").await.status, StatusCode::OK);
    from("2001:db8::2").await.problem(429, "http.rate-limited");
}

#[tokio::test]
async fn users_and_organisations_do_not_use_up_each_others_share() {
    let mut config = config();
    config.rates.user = few(2);
    let server = start_with(config).await;
    for _ in 0..2 {
        assert_eq!(by(&server, "Bearer hr").await.status, StatusCode::OK);
    }
    let limited = by(&server, "Bearer hr").await;
    limited.problem(429, "http.rate-limited");
    assert!(limited.header("ratelimit").contains("\"user\";r=0;t="), "{limited:?}");
    // The same user id in another organisation, and as an operator, is somebody else.
    assert_eq!(by(&server, "Bearer other").await.status, StatusCode::OK);
    by(&server, "Bearer operator").await.problem(403, "common.forbidden");
    // A forged credential costs nobody else anything.
    assert_eq!(server.send(Method::GET, "/t/open", &[], "").await.status, StatusCode::OK);

    let mut config = self::config();
    config.rates.organization = few(2);
    let server = start_with(config).await;
    assert_eq!(by(&server, "Bearer hr").await.status, StatusCode::OK);
    assert_eq!(by(&server, "Bearer employee").await.status, StatusCode::OK);
    let limited = by(&server, "Bearer hr").await;
    assert!(limited.problem(429, "http.rate-limited")["detail"].as_str().unwrap().contains("organisation"));
    assert_eq!(by(&server, "Bearer other").await.status, StatusCode::OK);
}

#[tokio::test]
async fn without_limits_nothing_is_said_of_them() {
    let mut config = config();
    (config.rates.address, config.rates.user, config.rates.organization) = (None, None, None);
    let got = start_with(config).await.get("/t/mine").await;
    assert!(!got.headers.contains_key("ratelimit") && !got.headers.contains_key("ratelimit-policy"));
}

/// A limiter that several nodes share, and can't be reached.
#[derive(Debug)]
struct Unreachable;

#[async_trait]
impl RateLimiter for Unreachable {
    async fn take(&self, _: &[Charge], _: Timestamp) -> Result<Taken, StoreError> {
        Err(StoreError::Unavailable("gone".into()))
    }

    async fn give_back(&self, _: &[Charge], _: Timestamp) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("gone".into()))
    }
}

#[tokio::test]
async fn without_the_shared_limiter_credentials_wait_and_the_rest_is_counted_here() {
    let mut config = config();
    config.rates.address = few(3);
    let server = start_as(config, |hrms| hrms.rate_limiter(Unreachable)).await;
    for _ in 0..2 {
        let closed = server.post("/t/waits", &[("authorization", "-")], "").await;
        closed.problem(503, "common.unavailable");
        assert!(closed.headers.contains_key("retry-after"));
        assert!(!String::from_utf8_lossy(&closed.body).contains("gone"));
    }
    for _ in 0..3 {
        assert_eq!(server.get("/t/mine").await.status, StatusCode::OK);
    }
    server.get("/t/open").await.problem(429, "http.rate-limited");
}

#[tokio::test]
async fn too_many_headers_are_refused() {
    let server = start().await;
    let many: String = (0..150).map(|n| format!("x-{n}: y\r\n")).collect();
    let answer = raw(&server, &format!("GET /t/open HTTP/1.1\r\nhost: t\r\n{many}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn one_address_does_not_take_all_connections() {
    let mut config = config();
    config.max_connections_per_address = 1;
    let server = start_with(config.clone()).await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    let ask = b"GET /t/open HTTP/1.1\r\nhost: t\r\n\r\n";
    first.write_all(ask).await.unwrap();
    let mut answer = [0; 12];
    soon(first.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    let mut second = TcpStream::connect(server.address).await.unwrap();
    let _ = second.write_all(ask).await;
    // Closed, or reset because something was sent.
    assert!(matches!(soon(second.read(&mut answer)).await, Ok(0) | Err(_)));

    // Behind a proxy that is trusted, all clients come from one address.
    config.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let server = start_with(config).await;
    let _idle = TcpStream::connect(server.address).await.unwrap();
    assert_eq!(server.get("/t/open").await.status, StatusCode::OK);
}

#[tokio::test]
async fn pages_of_other_origins_open_no_websocket() {
    let mut config = config();
    config.cors_origins = vec!["https://app.example.com".to_owned()];
    config.own_origin = Some("https://hr.example.com".to_owned());
    let server = start_with(config).await;
    let connect = async |origins: &[&str]| {
        let origins: String = origins.iter().map(|origin| format!("origin: {origin}\r\n")).collect();
        let text = format!(
            "GET /t/echo HTTP/1.1\r\nhost: localhost:8080\r\nconnection: upgrade\r\nupgrade: websocket\r\n{origins}\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        soon(stream.read_exact(&mut answer)).await.unwrap();
        String::from_utf8_lossy(&answer[9..]).into_owned()
    };
    for fine in
        [&[][..], &["http://localhost:8080"], &["https://app.example.com"], &["https://hr.example.com"]]
    {
        assert_eq!(connect(fine).await, "101", "{fine:?}");
    }
    for foreign in [
        &["https://evil.example"][..],
        &["null"],
        &[""],
        &["http://localhost:8081"],
        &["https://localhost:8080.evil.example"],
        &["https://app.example.com.evil.example"],
        &["http://app.example.com"],
        &["https://app.example.com", "https://evil.example"],
    ] {
        assert_eq!(connect(foreign).await, "403", "{foreign:?}");
    }
}
