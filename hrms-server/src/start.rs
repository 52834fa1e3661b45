//! Opening what the configuration names: logs, the store, the keys.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use hrms_core::Hrms;
use hrms_core::id::{IdSource, RandomIds};
use hrms_core::job::JobRegistry;
use hrms_core::sealed::KeyBox;
use hrms_http::{BearerAuth, HttpWebhookSender, Tokens, WebhookPolicy, WebhookSetupError};
use hrms_store::{OpenError, RedisFanout, RedisLimiter, RedisUrlError, SqlStore};
use tracing_subscriber::EnvFilter;

use crate::cli::Failure;
use crate::config::{Config, Database, LogFormat};
use crate::keys::{KeyError, SigningKey};
use crate::mail::Post;

/// Why the server, or a command, can't start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The data directory can't be made or used.
    #[error("the data directory {path} can't be used: {source}")]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The database can't be opened.
    #[error("{error}{}", advice(.error))]
    Store {
        /// What is wrong.
        #[from]
        error: OpenError,
    },
    /// The signing key can't be read or made.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// The address of Redis makes no sense.
    #[error("redis_url: {0}")]
    Redis(#[from] RedisUrlError),
    /// Mail can't be set up.
    #[error("mail_url: {0}")]
    Mail(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Webhooks can't be set up.
    #[error("webhooks: {0}")]
    Webhooks(#[from] WebhookSetupError),
    /// No key can be derived from the signing key.
    #[error("no key can be derived from the signing key: {0}")]
    Derive(#[from] sha2::digest::InvalidLength),
    /// The log level isn't one.
    #[error("log_level: {0}")]
    LogLevel(#[from] tracing_subscriber::filter::ParseError),
}

fn advice(error: &OpenError) -> &'static str {
    match error {
        OpenError::NotMigrated { .. } => "; `hrms-server migrate` does that",
        OpenError::UnsafeRole(_) => {
            "; `hrms-server migrate` makes such a role from the user in database_url \
             (or set HRMS_ALLOW_UNSAFE_DATABASE_ROLE=true on a development machine)"
        }
        _ => "",
    }
}

/// Sends log lines to standard error.
///
/// # Errors
/// When the level can't be understood.
pub fn logs(config: &Config) -> Result<(), StartError> {
    let filter = EnvFilter::try_new(&config.log_level)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let lines = lines.with_ansi(io::stderr().is_terminal());
    // A second subscriber is refused; the first one then keeps the lines (as in tests).
    let _ = match config.log_format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    Ok(())
}

/// Makes the data directory, open to this user only.
///
/// # Errors
/// [`StartError::DataDir`].
pub fn data_dir(path: &Path) -> Result<(), StartError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| StartError::DataDir { path: path.to_owned(), source })
}

/// Opens the store that the configuration names.
///
/// # Errors
/// When it can't be reached, isn't migrated, or its role could step around row-level security.
pub async fn store(config: &Config) -> Result<SqlStore, StartError> {
    match &config.database {
        Database::Sqlite(path) => {
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                data_dir(parent)?;
            }
            Ok(SqlStore::sqlite(path).await?)
        }
        Database::Postgres(url) if config.allow_unsafe_database_role => {
            let store = SqlStore::postgres_with_any_role(url.expose(), CONNECTIONS).await?;
            if let Some(reason) = store.unsafe_role().await? {
                tracing::error!(
                    "DEVELOPMENT ONLY: {reason}; nothing below the application keeps tenants apart"
                );
            }
            Ok(store)
        }
        Database::Postgres(url) => Ok(SqlStore::postgres(url.expose()).await?),
    }
}

/// Connections of a development store.
const CONNECTIONS: u32 = 16;

/// The HR system over the store that the configuration names, and the store itself.
///
/// # Errors
/// As [`store`].
pub async fn hrms(config: &Config) -> Result<(Hrms, SqlStore), StartError> {
    hrms_trusting(config, Vec::new()).await
}

/// Like [`hrms`], trusting anchors of audit logs that were signed with these former keys too.
///
/// # Errors
/// As [`store`]; when the signing key can't be read or made.
pub async fn hrms_trusting(
    config: &Config,
    former_keys: Vec<Vec<u8>>,
) -> Result<(Hrms, SqlStore), StartError> {
    let store = store(config).await?;
    let keys = keys(config)?;
    let signer = keys.signing.anchor_signer(former_keys);
    let mut hints = None;
    let mut builder = Hrms::builder(store.clone())
        .anchor_signer(signer)
        .hold_days(config.closing_hold_days)
        .jobs(jobs())
        .operators_need_second_factor(config.operators_need_second_factor);
    if let Some(url) = &config.public_url {
        builder = builder.public_url(url.as_str());
    }
    if let Some(url) = &config.redis_url {
        builder = builder.rate_limiter(RedisLimiter::new(url.expose(), &config.redis_namespace)?);
        let (fanout, others) = RedisFanout::new(url.expose(), &config.redis_namespace, RandomIds.next())?;
        builder = builder.fanout(fanout);
        hints = Some(others);
    }
    if let Some(mail) = &config.mail {
        builder = builder.mailer(Post::new(mail).map_err(StartError::Mail)?);
    }
    let mut webhooks = WebhookPolicy::default();
    webhooks.allow_http = config.events.allow_http;
    webhooks.allow_private_networks = config.events.allow_private_networks;
    webhooks.ports.clone_from(&config.events.ports);
    webhooks.ca_file.clone_from(&config.events.ca_file);
    builder = builder.webhook_sender(HttpWebhookSender::new(webhooks)?);
    if let Some(days) = config.events.retention_days {
        builder = builder.keep_events(days);
    }
    let mut sealed = KeyBox::new(keys.signing.derive(SEALED)?);
    if let Some(former) = &keys.former {
        sealed = sealed.and_open(former.derive(SEALED)?);
    }
    let hrms = builder.secret_box(sealed).build();
    if let Some(hints) = hints {
        let hrms = hrms.clone();
        tokio::spawn(hints.run(move |hint| hrms.hear(hint)));
    }
    Ok((hrms, store))
}

/// What the key is derived for that seals secrets in the database.
const SEALED: &str = "sealed secrets";

/// The keys of the server.
#[derive(Debug)]
pub struct Keys {
    /// Signs access tokens; other secret keys are derived from it.
    pub signing: SigningKey,
    /// The one before it, while it is replaced.
    pub former: Option<SigningKey>,
}

/// The keys that the configuration names; the signing key is made when missing.
///
/// # Errors
/// When one can't be read, is open to others or malformed.
pub fn keys(config: &Config) -> Result<Keys, StartError> {
    let former = config.former_signing_key_file.as_deref().map(SigningKey::load).transpose()?;
    Ok(Keys { signing: signing_key(config)?, former })
}

/// The signing key that the configuration names, made when missing.
///
/// # Errors
/// When it can't be read, is open to others or malformed.
pub fn signing_key(config: &Config) -> Result<SigningKey, StartError> {
    if let Some(parent) = config.signing_key_file.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        data_dir(parent)?;
    }
    Ok(SigningKey::load_or_create(&config.signing_key_file)?)
}

/// Every kind of background job that the server runs.
#[must_use]
pub fn jobs() -> JobRegistry {
    JobRegistry::standard()
}

/// What proves who calls: tokens signed with the signing key, over `hrms`.
///
/// # Errors
/// When the key can't sign.
pub fn tokens(config: &Config, keys: &Keys, hrms: &Hrms) -> Result<BearerAuth, Failure> {
    let issuer = config.public_url.as_ref().map_or("hrms", |url| url.as_str()).trim_end_matches('/');
    let defect = |error: &dyn std::error::Error| Failure::new(error.to_string());
    let der = keys.signing.to_pkcs8_der().map_err(|error| defect(&error))?;
    let mut tokens = Tokens::from_pkcs8(&der, issuer).map_err(|error| defect(&error))?;
    if let Some(former) = &keys.former {
        let der = former.to_pkcs8_der().map_err(|error| defect(&error))?;
        tokens = tokens.and_verify_pkcs8(&der).map_err(|error| defect(&error))?;
    }
    Ok(BearerAuth::new(hrms.clone(), tokens))
}
