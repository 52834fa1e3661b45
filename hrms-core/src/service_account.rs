//! Service accounts: programs of an organisation that act by API keys.
//!
//! An account is nobody's employee, so what it is allowed it is allowed on the whole organisation: there are no
//! scopes to choose. Who gets in and what they may do stays with people (see
//! [`Permission::is_for_programs`]).

mod service;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::audit::Audited;
use crate::error::StoreError;
use crate::error::{CommonError, DomainError, ErrorKind, FieldError};
use crate::id::ServiceAccountId;
use crate::page::PageRequest;
use crate::patch::Patch;
use crate::policy::{Grant, Permission, Receiver, Scope};
use crate::store::{Version, Versioned};
use crate::user::rights;

pub use service::ServiceAccountService;

/// Whether a service account can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ServiceAccountStatus {
    /// Its keys are good.
    Active,
    /// None of its keys is.
    Disabled,
}

impl ServiceAccountStatus {
    /// The stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }

    /// The status with this stable name.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Active, Self::Disabled].into_iter().find(|status| status.code() == code)
    }
}

/// A program of the organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceAccount {
    /// Its id.
    pub id: ServiceAccountId,
    /// Name shown to people.
    pub name: String,
    /// What it is for; may be empty.
    pub description: String,
    /// What its keys can be used for at most, on the whole organisation.
    pub permissions: Vec<Permission>,
    /// Whether it can be used.
    pub status: ServiceAccountStatus,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Audited for ServiceAccount {}

impl Versioned for ServiceAccount {
    fn version(&self) -> Version {
        self.version
    }
}

/// What a new service account needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewServiceAccount {
    /// Name shown to people, at most 200 characters.
    pub name: String,
    /// What it is for, at most 1000 characters.
    #[serde(default)]
    pub description: String,
    /// What its keys can be used for at most, on the whole organisation.
    pub permissions: Vec<Permission>,
}

/// What can be changed of a service account.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ServiceAccountPatch {
    /// New name.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Patch<String>,
    /// New description.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub description: Patch<String>,
    /// Everything that its keys can be used for from now on.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<Permission>>))]
    pub permissions: Patch<Vec<Permission>>,
    /// Whether it can be used.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<ServiceAccountStatus>))]
    pub status: Patch<ServiceAccountStatus>,
}

/// Which service accounts to list.
#[derive(Clone, Debug, Default)]
pub struct ServiceAccountFilter {
    /// Only those with this status.
    pub status: Option<ServiceAccountStatus>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Orders of a list of service accounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ServiceAccountSort {
    /// By name.
    #[default]
    Name,
    /// By the instant of their creation.
    CreatedAt,
}

/// Why something about a service account was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceAccountError {
    /// The account could do what the actor doesn't hold.
    #[error("the service account could do what you can't, or what a policy can forbid you")]
    NotYours,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

crate::lift_common_errors!(ServiceAccountError);

impl DomainError for ServiceAccountError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotYours => ErrorKind::Forbidden,
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotYours => "service-account.not-yours",
            Self::Common(common) => common.code(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::Common(common) => common.fields(),
            Self::NotYours => &[],
        }
    }
}

/// Service accounts in storage.
#[async_trait]
pub trait ServiceAccountRepo: Send {
    /// The account with this id.
    async fn get(&mut self, id: ServiceAccountId) -> Result<Option<ServiceAccount>, StoreError>;
    /// Up to `limit + 1` accounts in the order asked for.
    async fn list(
        &mut self,
        filter: &ServiceAccountFilter,
        page: &PageRequest<ServiceAccountSort>,
    ) -> Result<Vec<ServiceAccount>, StoreError>;
    /// Adds an account.
    async fn insert(&mut self, account: &ServiceAccount) -> Result<(), StoreError>;
    /// Writes an account if its stored version is still `expected`.
    async fn update(&mut self, account: &ServiceAccount, expected: Version) -> Result<(), StoreError>;
    /// Removes an account and its keys if its stored version is still `expected`.
    async fn remove(&mut self, id: ServiceAccountId, expected: Version) -> Result<(), StoreError>;
}

/// Each permission once, in order.
pub(crate) fn normal(mut permissions: Vec<Permission>) -> Vec<Permission> {
    permissions.sort_unstable();
    permissions.dedup();
    permissions
}

/// Whether the actor could hand all of these out, on the whole organisation.
pub(crate) fn holds(actor: &Actor, permissions: &[Permission]) -> bool {
    let whole = |&permission: &Permission| Grant { permission, scope: Scope::Organization };
    rights::holds(actor, &permissions.iter().map(whole).collect::<Vec<_>>(), Receiver::Program)
}
