//! Organisations in SQL: the tenant's own row, and the registry across tenants.

use async_trait::async_trait;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::organization::{
    Organization, OrganizationDirectory, OrganizationFilter, OrganizationRepo, OrganizationSort,
    OrganizationStatus,
};
use hrms_core::policy::RoleName;
use hrms_core::user::User;
use hrms_core::{PageRequest, StoreError, TenantId, Version};

use crate::engine::Conn;
use crate::instant::Instant;
use crate::query::{Query, params};
use crate::sql::{SqlTx, corrupt, user};
use crate::store::SqlStore;

#[derive(FromRow)]
struct OrganizationRow {
    id: Uuid,
    slug: String,
    name: String,
    status: String,
    second_factor_required_for: Value,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

impl TryFrom<OrganizationRow> for Organization {
    type Error = StoreError;

    fn try_from(row: OrganizationRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: TenantId::from_uuid(row.id),
            slug: row.slug,
            name: row.name,
            status: match row.status.as_str() {
                "active" => OrganizationStatus::Active,
                "suspended" => OrganizationStatus::Suspended,
                other => return Err(corrupt("organization", format!("status {other}"))),
            },
            second_factor_required_for: serde_json::from_value(row.second_factor_required_for)
                .map_err(|error| corrupt("organization", error))?,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        })
    }
}

fn status_text(status: OrganizationStatus) -> &'static str {
    match status {
        OrganizationStatus::Active => "active",
        OrganizationStatus::Suspended => "suspended",
    }
}

#[async_trait]
impl OrganizationRepo for SqlTx {
    async fn get(&mut self) -> Result<Option<Organization>, StoreError> {
        let row: Option<OrganizationRow> = self
            .conn
            .optional(
                "SELECT id, slug, name, status, second_factor_required_for, created_at, updated_at, version FROM organization WHERE id = $1",
                params![self.tenant],
            )
            .await?;
        row.map(TryInto::try_into).transpose()
    }

    async fn update(&mut self, organization: &Organization, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE organization SET name = $3, second_factor_required_for = $4, updated_at = $5, version = $6 \
                 WHERE id = $1 AND version = $2",
                params![
                    self.tenant,
                    expected,
                    organization.name.as_str(),
                    organization.second_factor_required_for.iter().map(RoleName::as_str).collect::<Value>(),
                    organization.updated_at,
                    organization.version,
                ],
            )
            .await
    }
}

async fn insert(conn: &mut Conn, organization: &Organization) -> Result<(), StoreError> {
    conn.execute(
        "INSERT INTO organization (id, slug, name, status, created_at, updated_at, version) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![
            organization.id,
            organization.slug.as_str(),
            organization.name.as_str(),
            status_text(organization.status),
            organization.created_at,
            organization.updated_at,
            organization.version,
        ],
    )
    .await?;
    Ok(())
}

#[async_trait]
impl OrganizationDirectory for SqlStore {
    async fn insert_organization(&self, organization: &Organization) -> Result<(), StoreError> {
        let mut conn = self.directory().await?;
        insert(&mut conn, organization).await?;
        conn.commit().await
    }

    async fn insert_organization_with_admin(
        &self,
        organization: &Organization,
        admin: &User,
        password_hash: &str,
    ) -> Result<(), StoreError> {
        let mut conn = self.directory().await?;
        insert(&mut conn, organization).await?;
        user::insert_first(&mut conn, organization.id, admin, password_hash).await?;
        conn.commit().await
    }

    async fn organization(&self, id: TenantId) -> Result<Option<Organization>, StoreError> {
        let row: Option<OrganizationRow> = self
            .directory_read()
            .await?
            .optional(
                "SELECT id, slug, name, status, second_factor_required_for, created_at, updated_at, version FROM organization WHERE id = $1",
                params![id],
            )
            .await?;
        row.map(TryInto::try_into).transpose()
    }

    async fn organizations(
        &self,
        filter: &OrganizationFilter,
        page: &PageRequest<OrganizationSort>,
    ) -> Result<Vec<Organization>, StoreError> {
        let mut query = Query::new(
            "SELECT id, slug, name, status, second_factor_required_for, created_at, updated_at, version FROM organization WHERE true",
        );
        if let Some(slug) = &filter.slug {
            query.push(" AND slug = ").bind(slug.as_str());
        }
        if let Some(status) = filter.status {
            query.push(" AND status = ").bind(status_text(status));
        }
        if let Some(after) = filter.updated_after {
            query.push(" AND updated_at >= ").bind(after);
        }
        let column = match page.sort {
            OrganizationSort::Slug => "slug",
        };
        query.page(column, "id", page, |key| key.into());
        let rows = query.all::<OrganizationRow>(&mut self.directory_read().await?).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    async fn update_organization_status(
        &self,
        organization: &Organization,
        expected: Version,
    ) -> Result<(), StoreError> {
        let mut conn = self.directory().await?;
        conn.execute_expecting_one(
            "UPDATE organization SET status = $3, updated_at = $4, version = $5 WHERE id = $1 AND version = $2",
            params![
                organization.id,
                expected,
                status_text(organization.status),
                organization.updated_at,
                organization.version,
            ],
        )
        .await?;
        conn.commit().await
    }

    async fn organization_by_slug(&self, slug: &str) -> Result<Option<Organization>, StoreError> {
        let row: Option<OrganizationRow> = self
            .directory_read()
            .await?
            .optional(
                "SELECT id, slug, name, status, second_factor_required_for, created_at, updated_at, version FROM organization WHERE slug = $1",
                params![slug],
            )
            .await?;
        row.map(TryInto::try_into).transpose()
    }
}
