//! The server: connections and their limits around the dispatcher.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hrms_core::Hrms;
use hrms_core::rate_limit::Network;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_MATCH,
    IF_NONE_MATCH, LOCATION, REFERRER_POLICY, RETRY_AFTER, STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue, Method, Request};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::SizeAbove;
use tower_http::cors::CorsLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::OpenApi;

use crate::TABLES;
use crate::answer::{BoxError, Reply};
use crate::api::{Api, BuildError};
use crate::auth::Authenticate;
use crate::config::Config;
use crate::dispatch::{STAY_WITH_TLS, Shared, dispatch};
use crate::endpoint::Endpoint;
use crate::event::Live;
use crate::forwarded::is_trusted;
use crate::host::Hosts;
use crate::idempotency::RunningKeys;
use crate::places::{Place, Places};
use crate::rate::{RATE_LIMIT, RATE_LIMIT_POLICY};
use crate::request::Peer;
use crate::site::{API_POLICY, Site};

/// How long to wait when no connection can be accepted (usually: no file descriptors are left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Answers below this many bytes aren't worth compressing.
const COMPRESS_ABOVE: u64 = 1024;
/// Requests that one HTTP/2 connection may have running.
const STREAMS: u32 = 128;

/// The HTTP API over an HR system.
#[derive(Debug)]
pub struct Server {
    shared: Shared,
    origins: Vec<HeaderValue>,
}

impl Server {
    /// Puts the API together.
    ///
    /// # Errors
    /// [`BuildError`]: a setting that makes no sense, or a defect of this crate.
    pub fn new(
        hrms: Hrms,
        authenticate: impl Authenticate + 'static,
        config: Config,
    ) -> Result<Self, BuildError> {
        Self::with_tables(hrms, authenticate, config, TABLES.iter().copied())
    }

    pub(crate) fn with_tables(
        hrms: Hrms,
        authenticate: impl Authenticate + 'static,
        config: Config,
        tables: impl IntoIterator<Item = &'static [Endpoint]>,
    ) -> Result<Self, BuildError> {
        let origins = config.cors_origins.iter().map(|origin| web_origin(origin));
        let origins = origins.collect::<Result<_, _>>()?;
        let hosts = Hosts::new(&config.allowed_hosts).map_err(|host| BuildError::Host { host })?;
        let (api, document) = Api::new(tables)?;
        let shared = Shared {
            hrms,
            api,
            site: Site::new(&document)?,
            authenticate: Box::new(authenticate),
            uploads: Arc::new(Semaphore::new(config.uploads_at_once)),
            config,
            hosts,
            running_keys: RunningKeys::default(),
            live: Live::default(),
            stopping: watch::channel(false).0,
            handlers: watch::channel(()).0,
        };
        Ok(Self { shared, origins })
    }

    /// What `/health/ready` asks; without it the service is ready when it runs.
    ///
    /// The cause of a failure is logged and not shown.
    #[must_use]
    pub fn ready_when<F, R>(mut self, check: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), BoxError>> + Send + 'static,
    {
        self.shared.site.ready = Box::new(move || Box::pin(check()));
        self
    }

    /// Serves HTTP/1.1 and HTTP/2 (without TLS) until `shutdown` is ready.
    ///
    /// Then no more connections are taken, WebSockets are closed, and running requests get
    /// [`Config::drain_timeout`] to finish.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()> + Send) {
        let shared = Arc::new(self.shared);
        let service = service(Arc::clone(&shared), self.origins);
        let connections = Arc::new(Semaphore::new(shared.config.max_connections));
        let places = Places::new(shared.config.max_connections_per_address);
        let graceful = GracefulShutdown::new();
        let builder = Arc::new(builder(&shared.config));

        let hrms = shared.hrms.clone();
        let mut stopping = shared.stopping.subscribe();
        tokio::spawn(async move {
            let audit = hrms.audit();
            loop {
                tokio::select! {
                    () = audit.noted() => audit.flush().await,
                    _ = stopping.changed() => return,
                }
            }
        });
        let accepting = async {
            loop {
                // The semaphore is never closed.
                let Ok(permit) = Arc::clone(&connections).acquire_owned().await else {
                    return;
                };
                let (stream, peer) = match listener.accept().await {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        tracing::warn!(%error, "can't accept a connection");
                        tokio::time::sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                };
                let address = Network::of(peer.ip());
                let place = match is_trusted(peer.ip(), &shared.config.trusted_proxies) {
                    true => None,
                    false => match places.enter(address) {
                        Some(place) => Some(place),
                        None => {
                            tracing::debug!(%address, "closed a connection: there are too many from there");
                            continue;
                        }
                    },
                };
                let connection = Connection {
                    stream,
                    peer,
                    builder: Arc::clone(&builder),
                    quiet_for: shared.config.header_timeout,
                    watcher: graceful.watcher(),
                    _held: (permit, place),
                };
                tokio::spawn(connection.serve(service.clone()));
            }
        };
        tokio::select! {
            () = accepting => {}
            () = shutdown => {}
        }
        drop(listener);
        shared.stopping.send_replace(true);
        let drained = async {
            graceful.shutdown().await;
            // Handlers whose clients hung up.
            shared.handlers.closed().await;
        };
        if tokio::time::timeout(shared.config.drain_timeout, drained).await.is_err() {
            tracing::warn!("some requests didn't finish before the server stopped");
        }
        shared.hrms.audit().end_minute();
        shared.hrms.audit().flush().await;
    }
}

/// The OpenAPI document of the whole API.
///
/// # Errors
/// [`BuildError`] for a defect of this crate.
pub fn openapi() -> Result<OpenApi, BuildError> {
    Ok(Api::new(TABLES.iter().copied())?.1)
}

fn web_origin(origin: &str) -> Result<HeaderValue, BuildError> {
    let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    let fine = host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', ' ', ',']));
    let value = fine.then(|| HeaderValue::try_from(origin).ok()).flatten();
    value.ok_or_else(|| BuildError::Origin { origin: origin.to_owned() })
}

/// The dispatcher with what `tower-http` puts around it.
fn service(
    shared: Arc<Shared>,
    origins: Vec<HeaderValue>,
) -> impl Service<
    Request<Incoming>,
    Response = http::Response<impl http_body::Body<Data = bytes::Bytes, Error = BoxError> + Send>,
    Error = Infallible,
    Future = impl Send,
> + Clone
+ Send
+ 'static {
    let https = shared.config.https;
    let answer = service_fn(move |request: Request<Incoming>| {
        let shared = Arc::clone(&shared);
        async move { Ok::<Reply, Infallible>(dispatch(&shared, request).await) }
    });
    let default = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
    const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
    let stay = https.then(|| SetResponseHeaderLayer::overriding(STRICT_TRANSPORT_SECURITY, STAY_WITH_TLS));
    ServiceBuilder::new()
        .option_layer(stay)
        .layer(default(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(default(REFERRER_POLICY, "no-referrer"))
        .layer(default(X_FRAME_OPTIONS, "DENY"))
        .layer(default(RESOURCE_POLICY, "same-origin"))
        .layer(default(OPENER_POLICY, "same-origin"))
        .layer(default(CONTENT_SECURITY_POLICY, API_POLICY))
        // Answers are somebody's own. Pages that are everybody's say otherwise.
        .layer(default(CACHE_CONTROL, "no-store"))
        .option_layer((!origins.is_empty()).then(|| cors(origins)))
        .layer(
            CompressionLayer::new()
                .quality(CompressionLevel::Fastest)
                .compress_when(SizeAbove::new(COMPRESS_ABOVE)),
        )
        .service(answer)
}

/// Lets browsers call from the listed origins. No cookies are used, so no credentials mode.
fn cors(origins: Vec<HeaderValue>) -> CorsLayer {
    const KEY: HeaderName = HeaderName::from_static("idempotency-key");
    const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
    const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([AUTHORIZATION, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH, KEY])
        .expose_headers([
            ETAG,
            LOCATION,
            RETRY_AFTER,
            WWW_AUTHENTICATE,
            CONTENT_DISPOSITION,
            RATE_LIMIT,
            RATE_LIMIT_POLICY,
            REPLAYED,
            REQUEST_ID,
        ])
        .max_age(Duration::from_secs(600))
}

fn builder(config: &Config) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(config.header_timeout)
        .max_buf_size(usize::try_from(config.max_header_bytes).unwrap_or(usize::MAX).max(8192));
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(config.http2_ping)
        .keep_alive_timeout(config.http2_ping)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(config.max_header_bytes);
    builder
}

/// An accepted connection.
struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    builder: Arc<auto::Builder<TokioExecutor>>,
    /// How long the first request may take to arrive: hyper's own timeout starts only when it knows
    /// which version of HTTP it speaks.
    quiet_for: Duration,
    watcher: Watcher,
    _held: (OwnedSemaphorePermit, Option<Place>),
}

impl Connection {
    async fn serve<S, B>(self, service: S)
    where
        S: Service<Request<Incoming>, Response = http::Response<B>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send + 'static,
        B: http_body::Body<Data = bytes::Bytes, Error = BoxError> + Send + 'static,
    {
        // Small answers shouldn't wait for more to send.
        if let Err(error) = self.stream.set_nodelay(true) {
            tracing::debug!(%error, "can't set TCP_NODELAY");
        }
        let heard = Arc::new(AtomicBool::new(false));
        let peer = Peer(self.peer);
        let hears = Arc::clone(&heard);
        let service = service.map_request(move |mut request: Request<Incoming>| {
            hears.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(peer);
            request
        });
        let io = TokioIo::new(self.stream);
        let connection =
            self.builder.serve_connection_with_upgrades(io, TowerToHyperService::new(service)).into_owned();
        let silence = async {
            tokio::time::sleep(self.quiet_for).await;
            if heard.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            ended = self.watcher.watch(connection) => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended badly");
                }
            }
            () = silence => tracing::debug!("closed a connection that sent no request"),
        }
    }
}
