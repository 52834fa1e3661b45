//! Addresses of PostgreSQL and Redis that ask for TLS: nothing is said to a server that doesn't speak it.

use hrms_core::contract::at;
use hrms_core::rate_limit::{AccountDigest, Charge, Quota, RateKey, RateLimiter};
use hrms_store::{RedisLimiter, SqlStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// How PostgreSQL is asked for TLS: a length, and a number that stands for it.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
/// How a conversation by TLS begins: a record of a handshake.
const HANDSHAKE: u8 = 22;

#[tokio::test]
async fn postgres_without_tls_is_told_nothing_when_tls_is_required() {
    for mode in ["require", "verify-ca", "verify-full"] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://hrms:canary@{}/hrms?sslmode={mode}", listener.local_addr().unwrap());
        let opening = tokio::spawn(async move { SqlStore::postgres(&url).await.map(|_| ()) });
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = [0; 8];
        stream.read_exact(&mut asked).await.unwrap();
        assert_eq!(asked, SSL_REQUEST, "{mode}");
        // No.
        stream.write_all(b"N").await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty(), "{mode}: {rest:?}");
        assert!(opening.await.unwrap().is_err(), "{mode}");
    }
}

#[tokio::test]
async fn redis_by_tls_is_spoken_to_by_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("rediss://:canary@{}/", listener.local_addr().unwrap());
    let limiter = RedisLimiter::new(&url, "test").unwrap();
    let asking = tokio::spawn(async move {
        let charge = Charge { key: RateKey::LogInTo(AccountDigest::of(None, "a")), quota: Quota::new(1, 60) };
        limiter.take(&[charge], at(0)).await.map(|_| ())
    });
    let (mut stream, _) = listener.accept().await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), HANDSHAKE);
    drop(stream);
    assert!(asking.await.unwrap().is_err());
}
