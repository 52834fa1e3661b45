//! The configuration: defaults, then an optional TOML file, then `HRMS_…` environment variables.
//!
//! Every key `some_key` of the file has the variable `HRMS_SOME_KEY`, which wins. A secret may also stand
//! in a file of its own, named by `some_key_file`. An empty variable counts as not set. Unknown keys in
//! the file are errors; unknown `HRMS_…` variables are warnings only, because container platforms inject
//! such names by themselves (a Kubernetes service called `hrms` brings `HRMS_PORT`).

mod mail;
mod read;
#[cfg(test)]
mod tests;
mod webhook;

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hrms_core::job::Retention;
use hrms_core::rate_limit::Quota;
use hrms_http::Rates;
use ipnet::IpNet;
use url::Url;

use self::read::Reader;

pub use self::mail::{Mail, MailTls, MailTransport};
pub use self::webhook::Events;

/// What the server needs to know; every field is checked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// `bind`: the address and port to listen on. Default `127.0.0.1:8080`; port 0 picks a free one.
    pub bind: SocketAddr,
    /// `data_dir`: where the server keeps its files. Default `./hrms-data`.
    pub data_dir: PathBuf,
    /// `database_url` (or `database_url_file`): `sqlite:PATH` or `postgres://…`, the latter with the
    /// application's role. Default: SQLite in `hrms.db` of the data directory.
    pub database: Database,
    /// `migration_database_url` (or `…_file`): the same PostgreSQL database as the owner of its tables;
    /// only migrations use it.
    pub migration_database_url: Option<Secret>,
    /// `redis_url` (or `redis_url_file`): `redis://…`, `rediss://…` (TLS) or `unix://…`, where nodes share rate limits. Default: none,
    /// and each node counts for itself.
    pub redis_url: Option<Secret>,
    /// `redis_namespace`: what the keys in Redis begin with. Default `hrms`.
    pub redis_namespace: String,
    /// `public_url`: the address under which clients reach the server, without a trailing slash in its text.
    pub public_url: Option<Url>,
    /// `signing_key_file`: the Ed25519 key (PKCS#8 PEM) of access tokens. Default: `signing-key.pem` of the
    /// data directory.
    pub signing_key_file: PathBuf,
    /// `former_signing_key_file`: the key before it. Its tokens, and second factors set up under it, stay good.
    /// Default: none.
    pub former_signing_key_file: Option<PathBuf>,
    /// `trusted_proxies`: addresses or networks whose `X-Forwarded-…` headers are believed. Default: none.
    pub trusted_proxies: Vec<IpNet>,
    /// `cors_origins`: web origins whose pages may call the API, such as `https://hr.example.com`.
    /// Default: none.
    pub cors_origins: Vec<String>,
    /// `allowed_hosts`: hosts that requests may be for, such as `hr.example.com`; `*` for any. Default: the host
    /// of `public_url`; without that any.
    pub allowed_hosts: Vec<String>,
    /// `rate_limit_address`, `rate_limit_user`, `rate_limit_organization`: requests per seconds, as in `600/60`,
    /// or `off`.
    pub rates: Rates,
    /// `max_connections_per_address`: connections at the same time from one address. Default 8192.
    pub max_connections_per_address: usize,
    /// `max_sockets_per_user`: live connections at the same time of one user or service account. Default 8192.
    pub max_sockets_per_user: usize,
    /// `max_sockets_per_organization`: live connections at the same time of one organisation. Default 16384.
    pub max_sockets_per_organization: usize,
    /// `workers`: background jobs run at the same time by this process, 0 to 256. Default 4.
    pub workers: u16,
    /// `job_retention_days`, `failed_job_retention_days`: for how long jobs are kept after they ended. Default 7, and 90 for
    /// those that failed.
    pub job_retention: Retention,
    /// `closing_hold_days`: for how many days a closed organisation can be reopened when nobody says, 1 to 365.
    /// Default 30.
    pub closing_hold_days: u16,
    /// `operators_need_second_factor`: whether operators of the service can do nothing before they set up a second
    /// factor. Default false.
    pub operators_need_second_factor: bool,
    /// `allow_unsafe_database_role`: start although the database role escapes row-level security.
    /// For development only. Default false.
    pub allow_unsafe_database_role: bool,
    /// `mail_url` and the other keys that begin with `mail_`: how messages leave. Default: not at all.
    pub mail: Option<Mail>,
    /// The keys that begin with `webhook_` and `event_`: events that leave.
    pub events: Events,
    /// `log_format`: `text` or `json`. Default `text`.
    pub log_format: LogFormat,
    /// `log_level`: a level, or `tracing` directives such as `info,hrms_store=debug`. Default `info`.
    pub log_level: String,
}

/// The names of all keys, as in the file.
const KEYS: [&str; 39] = [
    "bind",
    "data_dir",
    "database_url",
    "database_url_file",
    "migration_database_url",
    "migration_database_url_file",
    "redis_url",
    "redis_url_file",
    "redis_namespace",
    "public_url",
    "signing_key_file",
    "former_signing_key_file",
    "trusted_proxies",
    "cors_origins",
    "allowed_hosts",
    "rate_limit_address",
    "rate_limit_user",
    "rate_limit_organization",
    "max_connections_per_address",
    "max_sockets_per_user",
    "max_sockets_per_organization",
    "workers",
    "job_retention_days",
    "failed_job_retention_days",
    "closing_hold_days",
    "operators_need_second_factor",
    "allow_unsafe_database_role",
    "mail_url",
    "mail_from",
    "mail_username",
    "mail_password",
    "mail_password_file",
    "event_retention_days",
    "webhook_allow_http",
    "webhook_allow_private_networks",
    "webhook_ports",
    "webhook_ca_file",
    "log_format",
    "log_level",
];

/// Where the data is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// The embedded database, in this file.
    Sqlite(PathBuf),
    /// A PostgreSQL server, as the application's role.
    Postgres(Secret),
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Text that `Debug` doesn't show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` out of logs.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself; not for logs or messages.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A configuration and what is odd about where it came from.
#[derive(Debug)]
pub struct Loaded {
    /// The checked configuration.
    pub config: Config,
    /// One sentence each, to be logged at start.
    pub warnings: Vec<String>,
}

/// Everything that is wrong with the configuration.
#[derive(Debug, thiserror::Error)]
#[error("the configuration can't be used:{}", lines(.problems))]
pub struct ConfigError {
    /// One sentence each: where, what, and what to do.
    pub problems: Vec<String>,
}

fn lines(problems: &[String]) -> String {
    problems.iter().map(|problem| format!("\n  - {problem}")).collect()
}

impl Config {
    /// Reads the configuration of this process: `file`, or else the file that `HRMS_CONFIG` names, and the
    /// environment.
    ///
    /// # Errors
    /// Everything wrong at once, with its origin and what to do about it.
    pub fn load(file: Option<&Path>) -> Result<Loaded, ConfigError> {
        Self::load_from(file, std::env::vars_os())
    }

    /// Reads the configuration from `file` and these environment variables.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn load_from(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Loaded, ConfigError> {
        let mut reader = Reader::new(&KEYS, file, variables);
        let config = Self::read(&mut reader);
        match config {
            Some(config) if reader.problems.is_empty() => Ok(Loaded { config, warnings: reader.warnings }),
            _ => Err(ConfigError { problems: reader.problems }),
        }
    }

    /// Makes the data directory if it isn't there, closed to other users.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn create_data_dir(&self) -> std::io::Result<()> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&self.data_dir)
    }

    /// `None` where a value that has no stand-in is wrong; the reader knows the problems.
    fn read(reader: &mut Reader) -> Option<Self> {
        let data_dir = reader.path("data_dir").unwrap_or_else(|| PathBuf::from("hrms-data"));
        let database = reader.secret("database_url", parse_database);
        let migration_database_url = reader.secret("migration_database_url", parse_postgres);
        if let (Some(_), Some(Database::Sqlite(_)) | None) = (&migration_database_url, &database) {
            reader.problem(
                "migration_database_url",
                "it is set, but the server's own database is SQLite",
                "set database_url to the same PostgreSQL database with the application's role",
            );
        }
        let public_url = reader.value("public_url", parse_public_url);
        Some(Self {
            bind: reader
                .value("bind", parse_bind)
                .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080))),
            database: database.unwrap_or_else(|| Database::Sqlite(data_dir.join("hrms.db"))),
            migration_database_url,
            redis_url: reader.secret("redis_url", parse_redis),
            redis_namespace: reader
                .value("redis_namespace", parse_namespace)
                .unwrap_or_else(|| "hrms".to_owned()),
            allowed_hosts: allowed_hosts(reader, public_url.as_ref()),
            rates: rates(reader),
            max_connections_per_address: reader
                .value("max_connections_per_address", parse_connections)
                .unwrap_or(8192),
            max_sockets_per_user: reader.value("max_sockets_per_user", parse_connections).unwrap_or(8192),
            max_sockets_per_organization: reader
                .value("max_sockets_per_organization", parse_connections)
                .unwrap_or(16_384),
            public_url,
            signing_key_file: reader
                .path("signing_key_file")
                .unwrap_or_else(|| data_dir.join("signing-key.pem")),
            former_signing_key_file: reader.path("former_signing_key_file"),
            trusted_proxies: reader.list("trusted_proxies", parse_network).unwrap_or_default(),
            cors_origins: reader.list("cors_origins", parse_origin).unwrap_or_default(),
            workers: reader.value("workers", parse_workers).unwrap_or(4),
            job_retention: Retention {
                days: reader.value("job_retention_days", parse_retention).unwrap_or(7),
                failed_days: reader.value("failed_job_retention_days", parse_retention).unwrap_or(90),
            },
            closing_hold_days: reader.value("closing_hold_days", parse_hold_days).unwrap_or(30),
            operators_need_second_factor: reader
                .value("operators_need_second_factor", parse_bool)
                .unwrap_or(false),
            allow_unsafe_database_role: reader
                .value("allow_unsafe_database_role", parse_bool)
                .unwrap_or(false),
            mail: mail::read(reader),
            events: webhook::read(reader),
            log_format: reader.value("log_format", parse_log_format).unwrap_or(LogFormat::Text),
            log_level: reader.value("log_level", parse_log_level).unwrap_or_else(|| "info".to_owned()),
            data_dir,
        })
    }
}

/// The hosts that are served; none means any.
fn allowed_hosts(reader: &mut Reader, public_url: Option<&Url>) -> Vec<String> {
    match reader.list("allowed_hosts", parse_host) {
        Some(hosts) if hosts.iter().any(|host| host == "*") => Vec::new(),
        Some(hosts) => hosts,
        None => public_url.and_then(Url::host_str).map(str::to_owned).into_iter().collect(),
    }
}

fn rates(reader: &mut Reader) -> Rates {
    let mut rates = Rates::default();
    let limits = [
        ("rate_limit_address", &mut rates.address),
        ("rate_limit_user", &mut rates.user),
        ("rate_limit_organization", &mut rates.organization),
    ];
    for (key, rate) in limits {
        if let Some(set) = reader.value(key, parse_rate) {
            *rate = set;
        }
    }
    rates
}

/// What is wrong with a value, and what to write instead. Never the value of a secret.
type Fault = (String, &'static str);

fn parse_bind(text: &str) -> Result<SocketAddr, Fault> {
    text.parse().map_err(|_| {
        (
            format!("'{text}' is not an IP address with a port"),
            "write for example 127.0.0.1:8080, 0.0.0.0:8080 (all interfaces) or [::]:8080",
        )
    })
}

fn parse_database(text: &str) -> Result<Database, Fault> {
    let Some(path) = text.strip_prefix("sqlite:") else {
        return parse_postgres(text).map(Database::Postgres);
    };
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.contains(":memory:") || path.contains('?') {
        return Err((
            "the SQLite address does not name a plain file".to_owned(),
            "write sqlite:PATH, for example sqlite:/var/lib/hrms/hrms.db",
        ));
    }
    Ok(Database::Sqlite(PathBuf::from(path)))
}

fn parse_postgres(text: &str) -> Result<Secret, Fault> {
    let fix = "write postgres://USER:PASSWORD@HOST:PORT/DATABASE (percent-encode special characters)";
    match Url::parse(text) {
        Ok(url) if !matches!(url.scheme(), "postgres" | "postgresql") => {
            Err(("this kind of database address is not supported".to_owned(), fix))
        }
        Ok(url) if url.path().len() < 2 => Err(("the address names no database".to_owned(), fix)),
        Ok(_) => Ok(Secret(text.to_owned())),
        Err(error) => Err((format!("not a database address: {error}"), fix)),
    }
}

fn parse_redis(text: &str) -> Result<Secret, Fault> {
    let fix = "write redis://HOST:PORT/, rediss://HOST:PORT/ or unix:///path/to/socket";
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "redis" | "rediss" | "unix" | "redis+unix") => {
            Ok(Secret(text.to_owned()))
        }
        Ok(_) => Err(("this kind of Redis address is not supported".to_owned(), fix)),
        Err(error) => Err((format!("not a Redis address: {error}"), fix)),
    }
}

fn parse_public_url(text: &str) -> Result<Url, Fault> {
    let fix = "write for example https://hr.example.com";
    let url = Url::parse(text.trim_end_matches('/')).map_err(|error| (format!("'{text}': {error}"), fix))?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    if plain { Ok(url) } else { Err((format!("'{text}' is not a plain web address"), fix)) }
}

fn parse_network(text: &str) -> Result<IpNet, Fault> {
    let address = text.parse().map(IpNet::from as fn(std::net::IpAddr) -> IpNet);
    address.or_else(|_| text.parse().map(|network: IpNet| network.trunc())).map_err(|_| {
        (
            format!("'{text}' is neither an IP address nor a network"),
            "write for example 10.0.0.7 or 10.0.0.0/8, several with commas between",
        )
    })
}

fn parse_origin(text: &str) -> Result<String, Fault> {
    let fix = "write each origin as scheme://host or scheme://host:port, for example https://hr.example.com";
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text => {
            Ok(text.to_owned())
        }
        _ => Err((format!("'{text}' is not a web origin"), fix)),
    }
}

fn parse_host(text: &str) -> Result<String, Fault> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    if text == "*" || text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    let fix = "write each as a host or host:port, for example hr.example.com, or * for any";
    Err((format!("'{text}' is not a host"), fix))
}

fn parse_rate(text: &str) -> Result<Option<Quota>, Fault> {
    if text == "off" {
        return Ok(None);
    }
    let parts = text.split_once('/').and_then(|(tokens, seconds)| {
        Some((tokens.trim().parse::<u32>().ok()?, seconds.trim().parse::<u32>().ok()?))
    });
    match parts {
        Some((tokens @ 1.., seconds @ 1..=86_400)) => Ok(Some(Quota::new(tokens, seconds))),
        _ => Err((
            format!("'{text}' is not a number of requests per seconds"),
            "write for example 600/60 for 600 requests a minute, or off",
        )),
    }
}

fn parse_hold_days(text: &str) -> Result<u16, Fault> {
    match text.parse() {
        Ok(days) if (1..=365).contains(&days) => Ok(days),
        _ => Err((
            format!("'{text}' is not a number from 1 to 365"),
            "write for how many days a closed organisation can be reopened",
        )),
    }
}

fn parse_retention(text: &str) -> Result<u16, Fault> {
    match text.parse() {
        Ok(days) if (1..=3650).contains(&days) => Ok(days),
        _ => Err((
            format!("'{text}' is not a number from 1 to 3650"),
            "write for how many days ended jobs are kept",
        )),
    }
}

fn parse_connections(text: &str) -> Result<usize, Fault> {
    match text.parse() {
        Ok(connections @ 1..) => Ok(connections),
        _ => Err((format!("'{text}' is not a number from 1 up"), "write how many connections there may be")),
    }
}

fn parse_namespace(text: &str) -> Result<String, Fault> {
    if !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':'))
    {
        return Ok(text.to_owned());
    }
    Err((format!("'{text}' can't begin a key"), "write letters, digits, hyphens, dots and colons"))
}

fn parse_workers(text: &str) -> Result<u16, Fault> {
    match text.parse() {
        Ok(workers) if workers <= 256 => Ok(workers),
        _ => Err((
            format!("'{text}' is not a number from 0 to 256"),
            "write how many background jobs may run at once",
        )),
    }
}

fn parse_bool(text: &str) -> Result<bool, Fault> {
    text.parse().map_err(|_| (format!("'{text}' is neither true nor false"), "write true or false"))
}

fn parse_log_format(text: &str) -> Result<LogFormat, Fault> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err((format!("'{text}' is not a log format"), "write text or json")),
    }
}

fn parse_log_level(text: &str) -> Result<String, Fault> {
    match tracing_subscriber::EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err((
            format!("'{text}' can't be understood: {error}"),
            "write error, warn, info, debug or trace, or directives such as info,hrms_store=debug",
        )),
    }
}
