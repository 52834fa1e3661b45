//! Organisations in SQL: the tenant's own row, and the registry across tenants.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::organization::{
    Closing, Organization, OrganizationDirectory, OrganizationFilter, OrganizationRepo, OrganizationSort,
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
    closed_at: Option<Instant>,
    purge_after: Option<Instant>,
    close_reason: Option<String>,
    support_access_allowed: bool,
    time_zone: String,
    language: String,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

/// Reads [`OrganizationRow`]s.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, slug, name, status, second_factor_required_for, time_zone, language, closed_at, purge_after, close_reason, \
             support_access_allowed, \
             created_at, updated_at, version FROM organization WHERE ",
            $rest
        )
    };
}

impl TryFrom<OrganizationRow> for Organization {
    type Error = StoreError;

    fn try_from(row: OrganizationRow) -> Result<Self, StoreError> {
        // Closed organisations are suspended too, for whatever looks at the status only.
        let closing = match (row.closed_at, row.purge_after) {
            (None, None) => None,
            (Some(closed_at), Some(purge_after)) => Some(Closing {
                closed_at: closed_at.0,
                purge_after: purge_after.0,
                reason: row.close_reason.unwrap_or_default(),
            }),
            _ => return Err(corrupt("organization", "closed_at without purge_after, or the other way")),
        };
        Ok(Self {
            id: TenantId::from_uuid(row.id),
            slug: row.slug,
            name: row.name,
            status: match row.status.as_str() {
                _ if closing.is_some() => OrganizationStatus::Closed,
                "active" => OrganizationStatus::Active,
                "suspended" => OrganizationStatus::Suspended,
                other => return Err(corrupt("organization", format!("status {other}"))),
            },
            second_factor_required_for: serde_json::from_value(row.second_factor_required_for)
                .map_err(|error| corrupt("organization", error))?,
            closing,
            support_access_allowed: row.support_access_allowed,
            time_zone: row.time_zone,
            language: row.language,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        })
    }
}

fn status_text(status: OrganizationStatus) -> &'static str {
    match status {
        OrganizationStatus::Active => "active",
        OrganizationStatus::Suspended | OrganizationStatus::Closed => "suspended",
    }
}

#[async_trait]
impl OrganizationRepo for SqlTx {
    async fn get(&mut self) -> Result<Option<Organization>, StoreError> {
        let row: Option<OrganizationRow> =
            self.conn.optional(select!("id = $1"), params![self.tenant]).await?;
        row.map(TryInto::try_into).transpose()
    }

    async fn update(&mut self, organization: &Organization, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE organization SET name = $3, second_factor_required_for = $4, support_access_allowed = $5, \
                 updated_at = $6, version = $7, time_zone = $8, language = $9 \
                 WHERE id = $1 AND version = $2",
                params![
                    self.tenant,
                    expected,
                    organization.name.as_str(),
                    organization.second_factor_required_for.iter().map(RoleName::as_str).collect::<Value>(),
                    organization.support_access_allowed,
                    organization.updated_at,
                    organization.version,
                    organization.time_zone.as_str(),
                    organization.language.as_str(),
                ],
            )
            .await
    }
}

async fn insert(conn: &mut Conn, organization: &Organization) -> Result<(), StoreError> {
    conn.execute(
        "INSERT INTO organization (id, slug, name, status, time_zone, language, created_at, updated_at, version) \
         VALUES ($1, $2, $3, $4, $8, $9, $5, $6, $7)",
        params![
            organization.id,
            organization.slug.as_str(),
            organization.name.as_str(),
            status_text(organization.status),
            organization.created_at,
            organization.updated_at,
            organization.version,
            organization.time_zone.as_str(),
            organization.language.as_str(),
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
        let row: Option<OrganizationRow> =
            self.directory_read().await?.optional(select!("id = $1"), params![id]).await?;
        row.map(TryInto::try_into).transpose()
    }

    async fn organizations(
        &self,
        filter: &OrganizationFilter,
        page: &PageRequest<OrganizationSort>,
    ) -> Result<Vec<Organization>, StoreError> {
        let mut query = Query::new(select!("true"));
        query.and(" AND slug = ", filter.slug.as_deref());
        if let Some(status) = filter.status {
            query.push(" AND status = ").bind(status_text(status));
            query.push(match status {
                OrganizationStatus::Active => "",
                OrganizationStatus::Suspended => " AND closed_at IS NULL",
                OrganizationStatus::Closed => " AND closed_at IS NOT NULL",
            });
        }
        query.and(" AND updated_at >= ", filter.updated_after);
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
        let closing = organization.closing.as_ref();
        let mut conn = self.directory().await?;
        conn.execute_expecting_one(
            "UPDATE organization SET status = $3, closed_at = $4, purge_after = $5, close_reason = $6, \
             updated_at = $7, version = $8 WHERE id = $1 AND version = $2",
            params![
                organization.id,
                expected,
                status_text(organization.status),
                closing.map(|closing| closing.closed_at),
                closing.map(|closing| closing.purge_after),
                closing.map(|closing| closing.reason.as_str()),
                organization.updated_at,
                organization.version,
            ],
        )
        .await?;
        conn.commit().await
    }

    async fn organizations_to_purge(&self, now: Timestamp, limit: u16) -> Result<Vec<TenantId>, StoreError> {
        let mut conn = self.directory_read().await?;
        let rows: Vec<(Uuid,)> = conn
            .all(
                "SELECT id FROM organization WHERE closed_at IS NOT NULL AND purge_after <= $1 \
                 ORDER BY purge_after, id LIMIT $2",
                params![now, limit],
            )
            .await?;
        Ok(rows.into_iter().map(|(id,)| TenantId::from_uuid(id)).collect())
    }

    async fn purge_organization(&self, id: TenantId, now: Timestamp) -> Result<bool, StoreError> {
        self.purge(id, now).await
    }

    async fn organization_by_slug(&self, slug: &str) -> Result<Option<Organization>, StoreError> {
        let row: Option<OrganizationRow> =
            self.directory_read().await?.optional(select!("slug = $1"), params![slug]).await?;
        row.map(TryInto::try_into).transpose()
    }
}
