//! Written policies in SQL.

use async_trait::async_trait;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::policy::written::{
    PolicyFilter, PolicyRepo, PolicySort, PolicyVersion, PolicyVersionSort, WrittenPolicy,
};
use hrms_core::{PageRequest, PolicyId, StoreError, UserId, Version};

use crate::instant::Instant;
use crate::query::{Query, params};
use crate::sql::SqlTx;

#[derive(FromRow)]
struct PolicyRow {
    id: Uuid,
    name: String,
    description: Option<String>,
    text: String,
    enabled: bool,
    valid_from: Option<Instant>,
    valid_to: Option<Instant>,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

impl From<PolicyRow> for WrittenPolicy {
    fn from(row: PolicyRow) -> Self {
        Self {
            id: PolicyId::from_uuid(row.id),
            name: row.name,
            description: row.description,
            text: row.text,
            enabled: row.enabled,
            valid_from: row.valid_from.map(|at| at.0),
            valid_to: row.valid_to.map(|at| at.0),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        }
    }
}

#[derive(FromRow)]
struct VersionRow {
    version: i64,
    name: String,
    description: Option<String>,
    text: String,
    enabled: bool,
    valid_from: Option<Instant>,
    valid_to: Option<Instant>,
    removed: bool,
    changed_at: Instant,
    changed_by: Option<Uuid>,
}

impl From<VersionRow> for PolicyVersion {
    fn from(row: VersionRow) -> Self {
        Self {
            version: Version::from_i64(row.version),
            name: row.name,
            description: row.description,
            text: row.text,
            enabled: row.enabled,
            valid_from: row.valid_from.map(|at| at.0),
            valid_to: row.valid_to.map(|at| at.0),
            removed: row.removed,
            changed_at: row.changed_at.0,
            changed_by: row.changed_by.map(UserId::from_uuid),
        }
    }
}

#[async_trait]
impl PolicyRepo for SqlTx {
    async fn revision(&mut self) -> Result<i64, StoreError> {
        let row: Option<(i64,)> = self
            .conn
            .optional(
                "SELECT value FROM tenant_counter WHERE tenant_id = $1 AND name = 'policy'",
                params![self.tenant],
            )
            .await?;
        Ok(row.map_or(0, |(value,)| value))
    }

    async fn next_revision(&mut self) -> Result<(), StoreError> {
        self.lock("policy").await
    }

    async fn get(&mut self, id: PolicyId) -> Result<Option<WrittenPolicy>, StoreError> {
        let row: Option<PolicyRow> = self
            .conn
            .optional(
                "SELECT id, name, description, text, enabled, valid_from, valid_to, created_at, updated_at, version \
                 FROM policy WHERE tenant_id = $1 AND id = $2",
                params![self.tenant, id],
            )
            .await?;
        Ok(row.map(Into::into))
    }

    async fn all(&mut self) -> Result<Vec<WrittenPolicy>, StoreError> {
        let rows: Vec<PolicyRow> = self
            .conn
            .all(
                "SELECT id, name, description, text, enabled, valid_from, valid_to, created_at, updated_at, version \
                 FROM policy WHERE tenant_id = $1 ORDER BY id",
                params![self.tenant],
            )
            .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    async fn list(
        &mut self,
        filter: &PolicyFilter,
        page: &PageRequest<PolicySort>,
    ) -> Result<Vec<WrittenPolicy>, StoreError> {
        let mut query = Query::new(
            "SELECT id, name, description, text, enabled, valid_from, valid_to, created_at, updated_at, version \
             FROM policy WHERE tenant_id = ",
        );
        query.bind(self.tenant);
        query.and(" AND name = ", filter.name.as_deref());
        query.and(" AND enabled = ", filter.enabled);
        query.and(" AND updated_at >= ", filter.updated_after);
        let column = match page.sort {
            PolicySort::Name => "name",
        };
        query.page(column, "id", page, |key| key.into());
        Ok(query.all::<PolicyRow>(&mut self.conn).await?.into_iter().map(Into::into).collect())
    }

    async fn insert(&mut self, policy: &WrittenPolicy) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO policy (tenant_id, id, name, description, text, enabled, valid_from, valid_to, \
                 created_at, updated_at, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                params![
                    self.tenant,
                    policy.id,
                    policy.name.as_str(),
                    policy.description.as_deref(),
                    policy.text.as_str(),
                    policy.enabled,
                    policy.valid_from,
                    policy.valid_to,
                    policy.created_at,
                    policy.updated_at,
                    policy.version,
                ],
            )
            .await?;
        Ok(())
    }

    async fn update(&mut self, policy: &WrittenPolicy, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE policy SET name = $4, description = $5, text = $6, enabled = $7, valid_from = $8, \
                 valid_to = $9, updated_at = $10, version = $11 \
                 WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![
                    self.tenant,
                    policy.id,
                    expected,
                    policy.name.as_str(),
                    policy.description.as_deref(),
                    policy.text.as_str(),
                    policy.enabled,
                    policy.valid_from,
                    policy.valid_to,
                    policy.updated_at,
                    policy.version,
                ],
            )
            .await
    }

    async fn remove(&mut self, id: PolicyId, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "DELETE FROM policy WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![self.tenant, id, expected],
            )
            .await
    }

    async fn record(&mut self, id: PolicyId, version: &PolicyVersion) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO policy_version (tenant_id, policy_id, version, name, description, text, enabled, \
                 valid_from, valid_to, removed, changed_at, changed_by) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                params![
                    self.tenant,
                    id,
                    version.version,
                    version.name.as_str(),
                    version.description.as_deref(),
                    version.text.as_str(),
                    version.enabled,
                    version.valid_from,
                    version.valid_to,
                    version.removed,
                    version.changed_at,
                    version.changed_by,
                ],
            )
            .await?;
        Ok(())
    }

    async fn versions(
        &mut self,
        id: PolicyId,
        page: &PageRequest<PolicyVersionSort>,
    ) -> Result<Vec<PolicyVersion>, StoreError> {
        let mut query = Query::with(
            "SELECT version, name, description, text, enabled, valid_from, valid_to, removed, changed_at, \
             changed_by FROM policy_version WHERE tenant_id = $1 AND policy_id = $2",
            params![self.tenant, id],
        );
        let column = match page.sort {
            PolicyVersionSort::Version => "version",
        };
        query.page(column, "policy_id", page, |key| key.parse::<i64>().unwrap_or_default().into());
        Ok(query.all::<VersionRow>(&mut self.conn).await?.into_iter().map(Into::into).collect())
    }
}
