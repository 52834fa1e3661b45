//! What can be set about the server; everything has a safe default but the cursor key.

use std::fmt;
use std::time::Duration;

use ipnet::IpNet;

pub use crate::rate::Rates;

/// Settings of a [`Server`](crate::Server).
#[derive(Clone)]
#[non_exhaustive]
pub struct Config {
    /// Signs cursors. All nodes of one installation need the same key, or cursors end at the node.
    pub cursor_key: [u8; 32],
    /// Largest body of an ordinary request, in bytes. Default 1 MiB.
    pub body_limit: usize,
    /// Largest uploaded file, in bytes. Default 32 MiB.
    pub upload_limit: usize,
    /// How many uploads are taken at the same time; more are told to come back. Default 4.
    pub uploads_at_once: usize,
    /// Networks of proxies whose `X-Forwarded-For` is believed. Default none.
    pub trusted_proxies: Vec<IpNet>,
    /// Web origins that may call the API from a browser, as in `https://hr.example.com`. Default none.
    pub cors_origins: Vec<String>,
    /// Hosts that the API is served under, with or without a port, as in `hr.example.com` or `[::1]:8080`.
    /// Requests for others are refused, but for health. Default none, which means any.
    pub allowed_hosts: Vec<String>,
    /// The service's own web origin, as in `https://hr.example.com`: its pages may open WebSockets even
    /// where a proxy changes the host. Default none.
    pub own_origin: Option<String>,
    /// Whether clients reach the server by TLS in any case. Otherwise they are told to stay with TLS
    /// (`Strict-Transport-Security`) only where a trusted proxy says `X-Forwarded-Proto: https`.
    pub https: bool,
    /// How often requests are taken.
    pub rates: Rates,
    /// Longest query of an address, in bytes. Default 8 KiB.
    pub max_query_bytes: usize,
    /// How long a client may take to send a request's headers, and how long an HTTP/1.1 connection may
    /// be idle between requests. Default 30 s.
    pub header_timeout: Duration,
    /// How long a client may take to send an ordinary body. Default 20 s.
    pub body_timeout: Duration,
    /// How long a client may take to send an upload. Default 5 min.
    pub upload_timeout: Duration,
    /// How often a silent HTTP/2 connection is pinged; it is closed when it doesn't answer within the
    /// same time. Default 30 s.
    pub http2_ping: Duration,
    /// Largest set of request headers, in bytes. Default 16 KiB.
    pub max_header_bytes: u32,
    /// Connections at the same time; more wait to be accepted. Default 16384.
    pub max_connections: usize,
    /// Connections at the same time from one address (IPv6: from one /64) that isn't a trusted proxy's; more are
    /// closed at once. Default 8192.
    pub max_connections_per_address: usize,
    /// How long running requests may take to finish at shutdown. Default 20 s.
    pub drain_timeout: Duration,
    /// Live connections (WebSockets) at the same time of one user or service account; more are refused. Default 8192.
    pub max_sockets_per_user: usize,
    /// Live connections at the same time of one organisation; more are refused. Default 16384.
    pub max_sockets_per_organization: usize,
    /// Largest WebSocket message taken from a client, in bytes. Default 64 KiB.
    pub max_message_bytes: usize,
    /// How often a listener to live events is pinged; one that doesn't answer by the next ping is closed.
    /// Default 20 s.
    pub event_ping: Duration,
    /// How long a listener to live events may take to read one. Default 10 s.
    pub event_patience: Duration,
}

impl Config {
    /// Safe defaults with this key for cursors.
    #[must_use]
    pub fn new(cursor_key: [u8; 32]) -> Self {
        Self {
            cursor_key,
            body_limit: 1 << 20,
            upload_limit: 32 << 20,
            uploads_at_once: 4,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            own_origin: None,
            https: false,
            rates: Rates::default(),
            max_query_bytes: 8 << 10,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(20),
            upload_timeout: Duration::from_secs(300),
            http2_ping: Duration::from_secs(30),
            max_header_bytes: 16 << 10,
            max_connections: 16_384,
            max_connections_per_address: 8192,
            drain_timeout: Duration::from_secs(20),
            max_sockets_per_user: 8192,
            max_sockets_per_organization: 16_384,
            max_message_bytes: 64 << 10,
            event_ping: Duration::from_secs(20),
            event_patience: Duration::from_secs(10),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("body_limit", &self.body_limit)
            .field("upload_limit", &self.upload_limit)
            .field("cors_origins", &self.cors_origins)
            .field("allowed_hosts", &self.allowed_hosts)
            .field("rates", &self.rates)
            .finish_non_exhaustive()
    }
}
