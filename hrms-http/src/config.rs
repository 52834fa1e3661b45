//! What can be set about the server; everything has a safe default but the cursor key.

use std::fmt;
use std::time::Duration;

use ipnet::IpNet;

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
    /// Connections at the same time; more wait to be accepted. Default 4096.
    pub max_connections: usize,
    /// How long running requests may take to finish at shutdown. Default 20 s.
    pub drain_timeout: Duration,
    /// Largest WebSocket message taken from a client, in bytes. Default 64 KiB.
    pub max_message_bytes: usize,
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
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(20),
            upload_timeout: Duration::from_secs(300),
            http2_ping: Duration::from_secs(30),
            max_header_bytes: 16 << 10,
            max_connections: 4096,
            drain_timeout: Duration::from_secs(20),
            max_message_bytes: 64 << 10,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("body_limit", &self.body_limit)
            .field("upload_limit", &self.upload_limit)
            .field("cors_origins", &self.cors_origins)
            .finish_non_exhaustive()
    }
}
