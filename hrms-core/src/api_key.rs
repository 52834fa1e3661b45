//! API keys: how a program proves that it acts for a service account.
//!
//! What a key may do is what both it and its account are allowed at that moment. Whoever makes a key holds all
//! of it. The secret is shown once and kept as a hash only; it isn't in the answer that is kept for a
//! repeated request either.

mod service;

use std::fmt;
use std::net::IpAddr;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::actor::{Actor, Cause, Who};
use crate::audit::Audited;
use crate::error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};
use crate::id::{ApiKeyId, RequestId, ServiceAccountId, TenantId, UserId};
use crate::page::PageRequest;
use crate::policy::{Grant, Permission, Scope};
use crate::secret::text;

pub use service::ApiKeyService;

/// What every key begins with.
const PREFIX: &str = "hrms_";
/// How long a key is good when nobody says.
pub const GOOD_FOR: SignedDuration = SignedDuration::from_hours(365 * 24);
/// How long a key can be good.
pub const GOOD_FOR_AT_MOST: SignedDuration = SignedDuration::from_hours(2 * 366 * 24);
/// For how many hours both keys are good after a rotation, when nobody says; and at most.
pub const OVERLAP_HOURS: (u16, u16) = (24, 7 * 24);

/// An API key, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApiKey {
    /// Its id.
    pub id: ApiKeyId,
    /// The account that acts by it.
    pub service_account_id: ServiceAccountId,
    /// Name shown to people.
    pub name: String,
    /// What the key's text begins with: no secret, and like no other key's.
    pub prefix: String,
    /// What it may be used for, as far as its account may.
    pub permissions: Vec<Permission>,
    /// The user who made it.
    pub created_by: Option<UserId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops being good.
    pub expires_at: Timestamp,
    /// When it was used last, to the minute or so.
    pub last_used_at: Option<Timestamp>,
    /// From which network address that was.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub last_used_address: Option<IpAddr>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Audited for ApiKey {}

/// A key that was just made.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IssuedApiKey {
    /// The key.
    #[serde(flatten)]
    pub key: ApiKey,
    /// Its text, to be sent as `Authorization: Bearer …`. Shown this once: `null` when the same request is
    /// repeated with its `Idempotency-Key`.
    pub secret: Option<String>,
}

impl fmt::Debug for IssuedApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedApiKey").field("key", &self.key).finish_non_exhaustive()
    }
}

/// What a new key needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// The account that is to act by it.
    pub service_account_id: ServiceAccountId,
    /// Name shown to people, at most 200 characters.
    pub name: String,
    /// What it may be used for: some of what the account may.
    pub permissions: Vec<Permission>,
    /// When it stops being good: a year from now unless said, two years at most.
    #[serde(default)]
    pub expires_at: Option<Timestamp>,
}

/// How to replace a key.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RotateApiKey {
    /// For how many hours the old key stays good too: 24 unless said, at most 168, 0 for not at all.
    pub overlap_hours: Option<u16>,
    /// When the new key stops being good: a year from now unless said, two years at most.
    pub expires_at: Option<Timestamp>,
}

/// Which keys to list.
#[derive(Clone, Debug, Default)]
pub struct ApiKeyFilter {
    /// Only those of this account.
    pub service_account: Option<ServiceAccountId>,
    /// Only those that can, or can't, be used any more.
    pub usable: Option<bool>,
    /// Only those that stop being good before this instant.
    pub expires_before: Option<Timestamp>,
}

/// Orders of a list of keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApiKeySort {
    /// By name.
    #[default]
    Name,
    /// By the instant they stop being good.
    ExpiresAt,
}

/// What a key stands for, if its secret is right.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyStanding {
    /// The account.
    pub account: ServiceAccountId,
    /// Hash of the key's secret.
    pub secret_hash: [u8; 32],
    /// What both key and account are allowed.
    pub permissions: Vec<Permission>,
    /// When it was used last, as far as it was noted.
    pub last_used_at: Option<Timestamp>,
}

impl fmt::Debug for KeyStanding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyStanding").field("account", &self.account).finish_non_exhaustive()
    }
}

/// A program that has proved which account it acts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHolder {
    /// The organisation.
    pub tenant: TenantId,
    /// The account.
    pub account: ServiceAccountId,
    /// The key.
    pub key: ApiKeyId,
    /// What it may do, on the whole organisation.
    pub permissions: Vec<Permission>,
}

impl KeyHolder {
    /// The actor that it is.
    #[must_use]
    pub fn actor(&self, cause: Cause, request: RequestId) -> Actor {
        let who = Who::Service { account: self.account, key: self.key };
        let grants = self.permissions.iter();
        let grants = grants.map(|&permission| Grant { permission, scope: Scope::Organization });
        Actor::with_grants(self.tenant, who, Vec::new(), grants.collect(), cause, request)
    }
}

/// Why something about a key was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApiKeyError {
    /// The key could be used for what the actor doesn't hold.
    #[error("the key could do what you can't, or what a policy can forbid you")]
    NotYours,
    /// The key was revoked or has expired.
    #[error("the key can't be used any more")]
    Ended,
    /// The account is disabled.
    #[error("the service account is disabled")]
    AccountDisabled,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

impl DomainError for ApiKeyError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotYours => ErrorKind::Forbidden,
            Self::Ended | Self::AccountDisabled => ErrorKind::Conflict,
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotYours => "api-key.not-yours",
            Self::Ended => "api-key.ended",
            Self::AccountDisabled => "api-key.account-disabled",
            Self::Common(common) => common.code(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::Common(common) => common.fields(),
            _ => &[],
        }
    }
}

impl From<CommonError> for ApiKeyError {
    fn from(error: CommonError) -> Self {
        Self::Common(error)
    }
}

impl From<StoreError> for ApiKeyError {
    fn from(error: StoreError) -> Self {
        match error.constraint() {
            // The only reference that comes from outside: the account was removed meanwhile.
            Some("api_key_account_fkey" | "foreign_key") => {
                Self::Common(CommonError::unknown_reference("/service_account_id"))
            }
            _ => Self::Common(error.into()),
        }
    }
}

/// Keys in storage.
#[async_trait]
pub trait ApiKeyRepo: Send {
    /// The key with this id.
    async fn get(&mut self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError>;
    /// Up to `limit + 1` keys in the order asked for; `now` tells which are usable.
    async fn list(
        &mut self,
        filter: &ApiKeyFilter,
        page: &PageRequest<ApiKeySort>,
        now: Timestamp,
    ) -> Result<Vec<ApiKey>, StoreError>;
    /// Adds a key.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with `api_key_account_fkey` (or a foreign key) without such an account.
    async fn insert(&mut self, key: &ApiKey, secret_hash: &[u8; 32]) -> Result<(), StoreError>;
    /// Writes when a key stops being good and when it was revoked.
    async fn end(&mut self, key: &ApiKey) -> Result<(), StoreError>;
    /// Notes a use, unless one was noted at or after `since`.
    async fn used(
        &mut self,
        id: ApiKeyId,
        now: Timestamp,
        since: Timestamp,
        address: Option<IpAddr>,
    ) -> Result<(), StoreError>;
    /// What a key stands for, in one statement; `None` unless key, account and organisation are all alive at
    /// `now`.
    async fn standing(&mut self, id: ApiKeyId, now: Timestamp) -> Result<Option<KeyStanding>, StoreError>;
}

/// Whether a bearer credential claims to be an API key.
#[must_use]
pub fn looks_like_a_key(credential: &str) -> bool {
    credential.starts_with(PREFIX)
}

/// The part of a key that is no secret, and tells it from all others.
#[must_use]
pub fn public_part(tenant: TenantId, key: ApiKeyId) -> String {
    text::public_part(PREFIX, tenant, key.as_uuid())
}
