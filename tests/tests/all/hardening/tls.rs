//! Addresses of PostgreSQL and Redis that ask for TLS: nothing is said to a server that doesn't speak it.

use std::sync::Arc;

use hrms_core::contract::at;
use hrms_core::rate_limit::{AccountDigest, Charge, Quota, RateKey, RateLimiter};
use hrms_store::{RedisLimiter, SqlStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

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

/// An authority of one's own, and what a server of hers shows for a name.
struct Authority(rcgen::CertifiedIssuer<'static, rcgen::KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut about = rcgen::CertificateParams::new(Vec::new()).unwrap();
        about.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        Self(rcgen::CertifiedIssuer::self_signed(about, key).unwrap())
    }

    /// Her certificate in a file.
    fn file(&self) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), self.0.pem()).unwrap();
        file
    }

    fn server(&self, name: &str) -> TlsAcceptor {
        let key = rcgen::KeyPair::generate().unwrap();
        let about = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        let shown = about.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = ServerConfig::builder().with_no_client_auth();
        TlsAcceptor::from(Arc::new(config.with_single_cert(vec![shown.der().clone()], key).unwrap()))
    }
}

/// What PostgreSQL is told by TLS when it shows itself like this to whoever believes this authority.
async fn told(shown: &TlsAcceptor, believed: &Authority, mode: &str) -> Option<String> {
    let (listener, roots) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), believed.file());
    let (port, roots_path) = (listener.local_addr().unwrap().port(), roots.path().to_str().unwrap());
    let url = format!("postgres://hrms:canary@localhost:{port}/hrms?sslmode={mode}&sslrootcert={roots_path}");
    let opening = tokio::spawn(async move { SqlStore::postgres(&url).await.map(|_| ()) });
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut asked = [0; 8];
    stream.read_exact(&mut asked).await.unwrap();
    assert_eq!(asked, SSL_REQUEST);
    stream.write_all(b"S").await.unwrap();
    let told = match shown.accept(stream).await {
        Err(_) => {
            assert!(opening.await.unwrap().is_err(), "it goes on without");
            return None;
        }
        Ok(mut stream) => {
            let length = stream.read_u32().await.ok()?;
            let mut startup = vec![0; usize::try_from(length).unwrap() - 4];
            stream.read_exact(&mut startup).await.unwrap();
            String::from_utf8_lossy(&startup).into_owned()
        }
    };
    opening.abort();
    Some(told)
}

#[tokio::test]
async fn postgres_has_to_be_whom_the_address_names() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let good = told(&ours.server("localhost"), &ours, "verify-full").await.unwrap();
    assert!(good.contains("user\0hrms\0"), "{good:?}");
    assert_eq!(told(&theirs.server("localhost"), &ours, "verify-full").await, None);
    assert_eq!(told(&theirs.server("localhost"), &ours, "verify-ca").await, None);
    assert_eq!(told(&ours.server("elsewhere.example"), &ours, "verify-full").await, None);
}
