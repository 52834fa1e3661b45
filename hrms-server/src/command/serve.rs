//! `hrms-server serve`: the API and the background jobs until a signal ends them.

use std::future::Future;

use hrms_core::Hrms;
use hrms_store::SqlStore;
use tokio::net::TcpListener;

use crate::cli::Failure;
use crate::config::Config;
use crate::start::{self, Keys};
use crate::worker::Background;

/// Runs it.
///
/// # Errors
/// When the configuration names something that can't be opened, or the address is taken.
pub async fn run(config: Config) -> Result<(), Failure> {
    let keys = start::keys(&config)?;
    let (hrms, store) = start::hrms(&config).await?;
    // Before anybody can know that it runs: a signal from now on ends it in order.
    let stop = stopped();
    let listener = bind(&config).await?;
    if config.allowed_hosts.is_empty() && !config.bind.ip().is_loopback() {
        tracing::warn!("requests for any host are taken: set HRMS_PUBLIC_URL or HRMS_ALLOWED_HOSTS");
    }
    tracing::info!("listening on http://{}", listener.local_addr().map_err(Failure::io)?);
    serve(&config, &keys, hrms, store, listener, stop).await
}

/// Listens where the configuration says.
///
/// # Errors
/// When the address is taken or not this machine's.
pub async fn bind(config: &Config) -> Result<TcpListener, Failure> {
    TcpListener::bind(config.bind).await.map_err(|error| {
        let advice = match error.kind() {
            std::io::ErrorKind::AddrInUse => "; it is in use: stop the other program or set HRMS_BIND",
            _ => "; set HRMS_BIND to an address of this machine",
        };
        Failure::new(format!("can't listen on {}: {error}{advice}", config.bind))
    })
}

/// Serves until `stop` is ready, then lets running requests and jobs finish.
///
/// # Errors
/// When the API can't be put together.
pub async fn serve(
    config: &Config,
    keys: &Keys,
    hrms: Hrms,
    store: SqlStore,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), Failure> {
    let defect = |error: &dyn std::error::Error| Failure::new(error.to_string());
    let mut http = hrms_http::Config::new(keys.signing.derive("cursors").map_err(|error| defect(&error))?);
    http.cors_origins.clone_from(&config.cors_origins);
    http.trusted_proxies.clone_from(&config.trusted_proxies);
    http.allowed_hosts.clone_from(&config.allowed_hosts);
    http.own_origin = config.public_url.as_ref().map(|url| url.origin().ascii_serialization());
    http.https = config.public_url.as_ref().is_some_and(|url| url.scheme() == "https");
    http.rates = config.rates;
    http.max_connections_per_address = config.max_connections_per_address;
    http.max_sockets_per_user = config.max_sockets_per_user;
    http.max_sockets_per_organization = config.max_sockets_per_organization;
    let authenticate = start::tokens(config, keys, &hrms)?;
    let ping = store.clone();
    let server = hrms_http::Server::new(hrms.clone(), authenticate, http).map_err(|error| defect(&error))?;
    let server = server.ready_when(move || {
        let store = ping.clone();
        async move { Ok(store.ping().await?) }
    });
    let background = Background::start(hrms, start::jobs(), config.workers, config.job_retention);
    server.serve(listener, stop).await;
    background.stop().await;
    store.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Ready when the process is asked to end: Ctrl-C, or SIGTERM where there is such a thing.
///
/// Listens from the call on, not from the first wait: a signal in between isn't lost.
pub fn stopped() -> impl Future<Output = ()> + Send {
    #[cfg(unix)]
    let signals = {
        use tokio::signal::unix::{SignalKind, signal};
        signal(SignalKind::terminate()).and_then(|term| Ok((term, signal(SignalKind::interrupt())?)))
    };
    async move {
        #[cfg(unix)]
        if let Ok((mut terminate, mut interrupt)) = signals {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
        let _ = tokio::signal::ctrl_c().await;
    }
}
