//! Designations: job titles.

mod service;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::Audited;
use crate::error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};
use crate::id::DesignationId;
use crate::page::PageRequest;
use crate::patch::Patch;
use crate::store::{Version, Versioned};

pub use service::DesignationService;
pub(crate) use service::{check, event};

/// A job title.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Designation {
    /// Its id.
    pub id: DesignationId,
    /// The organisation's own short name for it; unique.
    pub code: String,
    /// Name shown to people.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Audited for Designation {}

impl Versioned for Designation {
    fn version(&self) -> Version {
        self.version
    }
}

/// What a new designation needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewDesignation {
    /// The organisation's own short name for it; unique, at most 64 characters.
    pub code: String,
    /// Name shown to people, at most 200 characters.
    pub name: String,
}

/// What can be changed of a designation.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct DesignationPatch {
    /// New code.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub code: Patch<String>,
    /// New name.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Patch<String>,
}

/// Which designations to list.
#[derive(Clone, Debug, Default)]
pub struct DesignationFilter {
    /// Only the one with this code.
    pub code: Option<String>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Orders of a list of designations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DesignationSort {
    /// By name.
    #[default]
    Name,
    /// By code.
    Code,
}

/// Why something about a designation was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DesignationError {
    /// The code is another designation's.
    #[error("another designation has this code")]
    CodeTaken,
    /// Employment records still name it.
    #[error("employment records name this designation")]
    InUse,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

impl DomainError for DesignationError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::CodeTaken | Self::InUse => ErrorKind::Conflict,
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::CodeTaken => "designation.code-taken",
            Self::InUse => "designation.in-use",
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

impl From<CommonError> for DesignationError {
    fn from(error: CommonError) -> Self {
        Self::Common(error)
    }
}

impl From<StoreError> for DesignationError {
    fn from(error: StoreError) -> Self {
        match error.constraint() {
            Some("designation_code_key") => Self::CodeTaken,
            _ => Self::Common(error.into()),
        }
    }
}

/// Designations in storage.
#[async_trait]
pub trait DesignationRepo: Send {
    /// The designation with this id.
    async fn get(&mut self, id: DesignationId) -> Result<Option<Designation>, StoreError>;
    /// The designations with these codes, in no particular order.
    async fn find_by_codes(&mut self, codes: &[String]) -> Result<Vec<Designation>, StoreError>;
    /// Up to `limit + 1` designations in the order asked for.
    async fn list(
        &mut self,
        filter: &DesignationFilter,
        page: &PageRequest<DesignationSort>,
    ) -> Result<Vec<Designation>, StoreError>;
    /// Adds designations; `designation_code_key` keeps codes unique.
    async fn insert_many(&mut self, designations: &[Designation]) -> Result<(), StoreError>;
    /// Writes a designation if its stored version is still `expected`.
    async fn update(&mut self, designation: &Designation, expected: Version) -> Result<(), StoreError>;
    /// Removes a designation if its stored version is still `expected`.
    async fn remove(&mut self, id: DesignationId, expected: Version) -> Result<(), StoreError>;
}
