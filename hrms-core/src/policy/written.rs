//! Policies that an organisation writes itself: what is stored of them, and what can be done with them.

#[cfg(feature = "cedar")]
mod ask;
mod limits;
#[cfg(feature = "cedar")]
mod service;
mod state;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::Audited;
use crate::error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};
use crate::id::{PolicyId, UserId};
use crate::page::PageRequest;
use crate::patch::Patch;
use crate::store::{Version, Versioned};

#[cfg(feature = "cedar")]
pub use ask::{
    AssumedContext, DecidingPolicy, DryRun, DryRunResult, EvaluationError, ExplainDecision, Explanation,
    Flip, TriedChange,
};
pub use limits::MAX_POLICIES;
#[cfg(feature = "cedar")]
pub use service::PolicyService;
pub(crate) use state::State;

/// A policy that the organisation wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WrittenPolicy {
    /// Its id.
    pub id: PolicyId,
    /// What people call it; unique.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it says, in the Cedar language: one `permit` or `forbid`.
    pub text: String,
    /// Whether it applies at all.
    pub enabled: bool,
    /// From when on it applies; `null`: from its beginning.
    pub valid_from: Option<Timestamp>,
    /// Until when it applies, that instant excluded; `null`: for ever.
    pub valid_to: Option<Timestamp>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl WrittenPolicy {
    /// Whether it applies at an instant.
    #[must_use]
    pub fn is_in_force(&self, at: Timestamp) -> bool {
        self.enabled
            && self.valid_from.is_none_or(|from| from <= at)
            && self.valid_to.is_none_or(|to| at < to)
    }
}

impl Audited for WrittenPolicy {}

impl Versioned for WrittenPolicy {
    fn version(&self) -> Version {
        self.version
    }
}

/// What a new policy needs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewPolicy {
    /// What people call it; unique, at most 200 characters.
    pub name: String,
    /// What it is for, at most 1000 characters.
    #[serde(default)]
    pub description: Option<String>,
    /// What it says, in the Cedar language: one `permit` or `forbid`, at most 4 KiB.
    pub text: String,
    /// Whether it applies at all.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// From when on it applies.
    #[serde(default)]
    pub valid_from: Option<Timestamp>,
    /// Until when it applies, that instant excluded.
    #[serde(default)]
    pub valid_to: Option<Timestamp>,
}

fn yes() -> bool {
    true
}

/// What can be changed of a policy.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct PolicyPatch {
    /// New name.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Patch<String>,
    /// What it is for; `null` for nothing.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub description: Patch<String>,
    /// New text.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub text: Patch<String>,
    /// Whether it applies at all.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<bool>))]
    pub enabled: Patch<bool>,
    /// From when on it applies; `null`: from its beginning.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Timestamp>))]
    pub valid_from: Patch<Timestamp>,
    /// Until when it applies; `null`: for ever.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Timestamp>))]
    pub valid_to: Patch<Timestamp>,
}

/// What a policy was once: a row of its history, which nobody can change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PolicyVersion {
    /// Which version.
    pub version: Version,
    /// What people called it.
    pub name: String,
    /// What it was for.
    pub description: Option<String>,
    /// What it said.
    pub text: String,
    /// Whether it applied at all.
    pub enabled: bool,
    /// From when on it applied.
    pub valid_from: Option<Timestamp>,
    /// Until when it applied.
    pub valid_to: Option<Timestamp>,
    /// Whether this is the policy's end.
    pub removed: bool,
    /// When it became so.
    pub changed_at: Timestamp,
    /// The user who made it so, if a user did.
    pub changed_by: Option<UserId>,
}

impl PolicyVersion {
    /// What a policy is now.
    #[must_use]
    pub fn of(policy: &WrittenPolicy, changed_by: Option<UserId>) -> Self {
        Self {
            version: policy.version,
            name: policy.name.clone(),
            description: policy.description.clone(),
            text: policy.text.clone(),
            enabled: policy.enabled,
            valid_from: policy.valid_from,
            valid_to: policy.valid_to,
            removed: false,
            changed_at: policy.updated_at,
            changed_by,
        }
    }
}

/// Which policies to list.
#[derive(Clone, Debug, Default)]
pub struct PolicyFilter {
    /// Only the one with this name.
    pub name: Option<String>,
    /// Only those that are enabled, or not.
    pub enabled: Option<bool>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Orders of a list of policies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PolicySort {
    /// By name.
    #[default]
    Name,
}

/// Orders of a policy's history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PolicyVersionSort {
    /// By version.
    #[default]
    Version,
}

/// Why something about a policy was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// The name is another policy's.
    #[error("another policy has this name")]
    NameTaken,
    /// The organisation has as many as it can have.
    #[error("an organisation can have at most {MAX_POLICIES} policies")]
    TooMany,
    /// A dry run would have to make more decisions than it may.
    #[error(
        "that would take {asked} decisions; name fewer users, permissions or resources to stay within {most}"
    )]
    TooMuch {
        /// How many it would take.
        asked: usize,
        /// How many there may be.
        most: usize,
    },
    /// Somebody of the organisation is trying or asking about policies at this moment.
    #[error("somebody else of the organisation is trying or asking about policies; try again in a moment")]
    Asking,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

impl DomainError for PolicyError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NameTaken | Self::TooMany => ErrorKind::Conflict,
            Self::TooMuch { .. } => ErrorKind::Invalid,
            Self::Asking => ErrorKind::Throttled,
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NameTaken => "policy.name-taken",
            Self::TooMany => "policy.too-many",
            Self::TooMuch { .. } => "policy.dry-run-too-large",
            Self::Asking => "policy.asking",
            Self::Common(common) => common.code(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        matches!(self, Self::Asking).then_some(1)
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::Common(common) => common.fields(),
            _ => &[],
        }
    }
}

impl From<CommonError> for PolicyError {
    fn from(error: CommonError) -> Self {
        Self::Common(error)
    }
}

impl From<StoreError> for PolicyError {
    fn from(error: StoreError) -> Self {
        match error.constraint() {
            Some("policy_name_key") => Self::NameTaken,
            _ => Self::Common(error.into()),
        }
    }
}

/// Written policies in storage.
#[async_trait]
pub trait PolicyRepo: Send {
    /// Grows with each change of the organisation's policies; 0 when there never was one.
    async fn revision(&mut self) -> Result<i64, StoreError>;
    /// Says that something is about to change, and keeps others from changing policies until we commit.
    async fn next_revision(&mut self) -> Result<(), StoreError>;
    /// The policy with this id.
    async fn get(&mut self, id: PolicyId) -> Result<Option<WrittenPolicy>, StoreError>;
    /// All of them, by id.
    async fn all(&mut self) -> Result<Vec<WrittenPolicy>, StoreError>;
    /// Up to `limit + 1` policies in the order asked for.
    async fn list(
        &mut self,
        filter: &PolicyFilter,
        page: &PageRequest<PolicySort>,
    ) -> Result<Vec<WrittenPolicy>, StoreError>;
    /// Adds a policy; `policy_name_key` keeps names unique.
    async fn insert(&mut self, policy: &WrittenPolicy) -> Result<(), StoreError>;
    /// Writes a policy if its stored version is still `expected`.
    async fn update(&mut self, policy: &WrittenPolicy, expected: Version) -> Result<(), StoreError>;
    /// Removes a policy if its stored version is still `expected`. Its history stays.
    async fn remove(&mut self, id: PolicyId, expected: Version) -> Result<(), StoreError>;
    /// Adds to a policy's history.
    async fn record(&mut self, id: PolicyId, version: &PolicyVersion) -> Result<(), StoreError>;
    /// Up to `limit + 1` rows of a policy's history in the order asked for; also when the policy is gone.
    async fn versions(
        &mut self,
        id: PolicyId,
        page: &PageRequest<PolicyVersionSort>,
    ) -> Result<Vec<PolicyVersion>, StoreError>;
}

/// The zone that policies tell the time by.
#[cfg(feature = "cedar")]
async fn zone(tx: &mut dyn crate::store::Tx) -> Result<jiff::tz::TimeZone, CommonError> {
    let organization = tx.organization().get().await?;
    let zone = organization.and_then(|own| crate::validate::time_zone(&own.time_zone));
    Ok(zone.unwrap_or(jiff::tz::TimeZone::UTC))
}
