//! Organisations: the tenants of the service.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::id::TenantId;
use crate::store::{Version, Versioned};

/// Whether an organisation can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum OrganizationStatus {
    /// In use.
    Active,
    /// Nobody can log in.
    Suspended,
}

/// One customer of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Organization {
    /// The tenant.
    pub id: TenantId,
    /// Unique name for log-in and addresses: lower-case letters, digits and hyphens.
    pub slug: String,
    /// Name shown to people.
    pub name: String,
    /// Whether it can be used.
    pub status: OrganizationStatus,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Versioned for Organization {
    fn version(&self) -> Version {
        self.version
    }
}

/// The tenant's own row, seen from inside.
#[async_trait]
pub trait OrganizationRepo: Send {
    /// The organisation that this unit of work is bound to.
    async fn get(&mut self) -> Result<Option<Organization>, StoreError>;

    /// Writes name and `updated_at` if the stored version is still `expected`.
    async fn update(&mut self, organization: &Organization, expected: Version) -> Result<(), StoreError>;
}

/// The registry of organisations, across tenants.
#[async_trait]
pub trait OrganizationDirectory: Send + Sync {
    /// Registers a new organisation.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with `organization_slug_key` when the slug is taken.
    async fn insert_organization(&self, organization: &Organization) -> Result<(), StoreError>;

    /// The organisation with this slug.
    async fn organization_by_slug(&self, slug: &str) -> Result<Option<Organization>, StoreError>;
}
