//! Sends webhooks over HTTP/1.1 and TLS: one connection a message, to an address that was checked.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hrms_core::FieldError;
use hrms_core::webhook::{WebhookAnswer, WebhookFault, WebhookRequest, WebhookSender};
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};
use url::{Host, Url};

use super::network::is_public;

/// Bytes of an answer's body that are read.
const READ: usize = 2048;

/// Characters of an answer's body that are kept.
const KEPT: usize = 500;

/// Addresses of one host that are tried.
const ADDRESSES: usize = 4;

/// What webhooks may reach, and how long that may take.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WebhookPolicy {
    /// Whether `http` addresses are taken besides `https`. Default no.
    pub allow_http: bool,
    /// Whether addresses outside the public Internet are reached: for tests and for installations inside a
    /// company's network. Default no.
    pub allow_private_networks: bool,
    /// The ports that may be named; none for any. Default none.
    pub ports: Vec<u16>,
    /// A file of certificates (PEM) that are trusted besides those of the system: of authorities that sign the certificates
    /// of a company's own servers. Default none.
    pub ca_file: Option<PathBuf>,
    /// How long connecting may take. Default 5 s.
    pub connect_timeout: Duration,
    /// How long all of it may take. Default 15 s.
    pub total_timeout: Duration,
}

impl Default for WebhookPolicy {
    fn default() -> Self {
        Self {
            allow_http: false,
            allow_private_networks: false,
            ports: Vec::new(),
            ca_file: None,
            connect_timeout: Duration::from_secs(5),
            total_timeout: Duration::from_secs(15),
        }
    }
}

/// Finds the addresses of a host.
#[async_trait]
pub trait Resolve: Send + Sync + fmt::Debug {
    /// All addresses of a host, in order of preference.
    ///
    /// # Errors
    /// When there are none.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// Asks the system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Sends webhooks over HTTP. Follows no redirects and knows no proxies.
pub struct HttpWebhookSender {
    policy: WebhookPolicy,
    resolver: Arc<dyn Resolve>,
    tls: TlsConnector,
}

impl fmt::Debug for HttpWebhookSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpWebhookSender").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// Why a sender can't be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookSetupError {
    /// TLS can't be set up.
    #[error("TLS can't be set up: {0}")]
    Tls(#[from] tokio_rustls::rustls::Error),
    /// The file of certificates can't be read.
    #[error("the certificates in {path} can't be read: {source}")]
    CaFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
}

/// Adds every certificate of a file, of which there is one at least.
fn trust(roots: &mut RootCertStore, path: &Path) -> Result<(), WebhookSetupError> {
    let fault = |source| WebhookSetupError::CaFile { path: path.to_owned(), source };
    let found =
        CertificateDer::pem_file_iter(path).map_err(fault)?.collect::<Result<Vec<_>, _>>().map_err(fault)?;
    if found.is_empty() {
        return Err(fault(pem::Error::NoItemsFound));
    }
    for certificate in found {
        roots.add(certificate)?;
    }
    Ok(())
}

impl HttpWebhookSender {
    /// A sender that trusts the certificates that the system trusts, and those that the policy names.
    ///
    /// # Errors
    /// When TLS can't be set up, or the policy's file of certificates can't be read.
    pub fn new(policy: WebhookPolicy) -> Result<Self, WebhookSetupError> {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        for certificate in found.certs {
            // One that can't be read is one that nobody can be proved with.
            let _ = roots.add(certificate);
        }
        if let Some(path) = &policy.ca_file {
            trust(&mut roots, path)?;
        }
        if roots.is_empty() {
            tracing::warn!("the system has no certificates to trust: https webhooks will fail");
        }
        let provider = Arc::new(crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let tls = TlsConnector::from(Arc::new(config));
        Ok(Self { policy, resolver: Arc::new(SystemResolver), tls })
    }

    /// Finds addresses by this resolver instead of the system's.
    #[must_use]
    pub fn with_resolver(mut self, resolver: impl Resolve + 'static) -> Self {
        self.resolver = Arc::new(resolver);
        self
    }

    fn target(&self, url: &str) -> Result<Url, FieldError> {
        let fault = |code: &'static str, detail: &'static str| FieldError::new("/url", code, detail);
        let url = Url::parse(url).map_err(|_| fault("not-a-url", "this isn't a web address"))?;
        match url.scheme() {
            "https" => {}
            "http" if self.policy.allow_http => {}
            _ => return Err(fault("https-required", "the address must begin with https://")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(fault("credentials", "the address must not hold a user or password"));
        }
        if url.fragment().is_some() {
            return Err(fault("fragment", "the address must not have a part behind #"));
        }
        let port = url.port_or_known_default();
        if !self.policy.ports.is_empty() && !port.is_some_and(|port| self.policy.ports.contains(&port)) {
            return Err(fault("forbidden-port", "nothing is sent to this port"));
        }
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
            Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
            Some(Host::Domain(name)) if !name.is_empty() => None,
            _ => return Err(fault("not-a-url", "the address names no host")),
        };
        if literal.is_some_and(|address| !self.may_reach(address)) {
            return Err(fault("forbidden-network", "nothing is sent to this network"));
        }
        Ok(url)
    }

    fn may_reach(&self, address: IpAddr) -> bool {
        self.policy.allow_private_networks || is_public(address)
    }

    async fn exchange(&self, request: WebhookRequest) -> Result<WebhookAnswer, WebhookFault> {
        let url = self.target(&request.url).map_err(|_| WebhookFault::Refused)?;
        let stream = self.connect(&url).await?;
        let message = message(&url, request)?;
        if url.scheme() == "http" {
            return talk(stream, message).await;
        }
        let name = match url.host() {
            Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()),
            Some(Host::Ipv4(address)) => Ok(IpAddr::V4(address).into()),
            Some(Host::Ipv6(address)) => Ok(IpAddr::V6(address).into()),
            None => return Err(WebhookFault::Refused),
        };
        let name = name.map_err(|_| WebhookFault::Tls)?;
        let stream = self.tls.connect(name, stream).await.map_err(|_| WebhookFault::Tls)?;
        talk(stream, message).await
    }

    /// Connects to one of the host's addresses that may be reached.
    async fn connect(&self, url: &Url) -> Result<TcpStream, WebhookFault> {
        let found = match url.host() {
            Some(Host::Ipv4(address)) => vec![IpAddr::V4(address)],
            Some(Host::Ipv6(address)) => vec![IpAddr::V6(address)],
            Some(Host::Domain(name)) => {
                self.resolver.resolve(name).await.map_err(|_| WebhookFault::Unresolved)?
            }
            None => Vec::new(),
        };
        if found.is_empty() {
            return Err(WebhookFault::Unresolved);
        }
        let port = url.port_or_known_default().ok_or(WebhookFault::Refused)?;
        let mut failed = WebhookFault::ForbiddenNetwork;
        for address in found.into_iter().filter(|address| self.may_reach(*address)).take(ADDRESSES) {
            let connecting = TcpStream::connect(SocketAddr::new(address, port));
            failed = match timeout(self.policy.connect_timeout, connecting).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(_)) => WebhookFault::Unreachable,
                Err(_) => WebhookFault::Timeout,
            };
        }
        Err(failed)
    }
}

#[async_trait]
impl WebhookSender for HttpWebhookSender {
    async fn send(&self, request: WebhookRequest) -> Result<WebhookAnswer, WebhookFault> {
        let sent = timeout(self.policy.total_timeout, self.exchange(request)).await;
        sent.unwrap_or(Err(WebhookFault::Timeout))
    }

    fn check(&self, url: &str) -> Result<(), FieldError> {
        self.target(url).map(|_| ())
    }
}

fn message(url: &Url, request: WebhookRequest) -> Result<Request<Full<Bytes>>, WebhookFault> {
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, concat!("hrms/", env!("CARGO_PKG_VERSION")))
        .header(header::CONTENT_TYPE, "application/cloudevents+json; charset=utf-8")
        .header(header::CONNECTION, "close")
        .header("webhook-id", request.id)
        .header("webhook-timestamp", request.timestamp)
        .header("webhook-signature", request.signature)
        .body(Full::new(Bytes::from(request.body)))
        .map_err(|_| WebhookFault::Refused)
}

/// Sends a message over an open connection and reads the beginning of the answer.
async fn talk<S>(stream: S, message: Request<Full<Bytes>>) -> Result<WebhookAnswer, WebhookFault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|_| WebhookFault::Protocol)?;
    let answer = async move {
        let answer = sender.send_request(message).await.map_err(|_| WebhookFault::Protocol)?;
        let status = answer.status().as_u16();
        Ok(WebhookAnswer { status, excerpt: excerpt(answer.into_body()).await })
    };
    tokio::pin!(connection, answer);
    tokio::select! {
        answer = &mut answer => answer,
        // The other side has closed; what it said before is still to be read.
        _ = &mut connection => answer.await,
    }
}

/// The beginning of a body, as text that can be stored and shown.
async fn excerpt(mut body: Incoming) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < READ
        && let Some(Ok(frame)) = body.frame().await
    {
        if let Some(data) = frame.data_ref() {
            bytes.extend_from_slice(data);
        }
    }
    bytes.truncate(READ);
    let text = String::from_utf8_lossy(&bytes);
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).take(KEPT).collect()
}
