//! Service accounts in SQL.

use async_trait::async_trait;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::service_account::{
    ServiceAccount, ServiceAccountFilter, ServiceAccountRepo, ServiceAccountSort, ServiceAccountStatus,
};
use hrms_core::{PageRequest, Permission, ServiceAccountId, StoreError, Version};

use crate::instant::Instant;
use crate::query::{Param, Query, params};
use crate::sql::{SqlTx, corrupt};

#[derive(FromRow)]
struct AccountRow {
    id: Uuid,
    name: String,
    description: String,
    permissions: Value,
    status: String,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

impl TryFrom<AccountRow> for ServiceAccount {
    type Error = StoreError;

    fn try_from(row: AccountRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: ServiceAccountId::from_uuid(row.id),
            name: row.name,
            description: row.description,
            permissions: permissions(row.permissions)?,
            status: ServiceAccountStatus::from_code(&row.status)
                .ok_or_else(|| corrupt("service_account", format!("status {}", row.status)))?,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        })
    }
}

/// Stored permissions. One that isn't known any more allows nothing.
pub(crate) fn permissions(stored: Value) -> Result<Vec<Permission>, StoreError> {
    match stored {
        Value::Array(items) => {
            Ok(items.iter().filter_map(|item| Permission::from_code(item.as_str()?)).collect())
        }
        other => Err(corrupt("service_account", format!("permissions {other}"))),
    }
}

/// Permissions as they are stored.
pub(crate) fn codes(permissions: &[Permission]) -> Value {
    permissions.iter().map(|permission| permission.code()).collect()
}

#[async_trait]
impl ServiceAccountRepo for SqlTx {
    async fn get(&mut self, id: ServiceAccountId) -> Result<Option<ServiceAccount>, StoreError> {
        let row: Option<AccountRow> = self
            .conn
            .optional(
                "SELECT id, name, description, permissions, status, created_at, updated_at, version \
                 FROM service_account WHERE tenant_id = $1 AND id = $2",
                params![self.tenant, id],
            )
            .await?;
        row.map(TryInto::try_into).transpose()
    }

    async fn list(
        &mut self,
        filter: &ServiceAccountFilter,
        page: &PageRequest<ServiceAccountSort>,
    ) -> Result<Vec<ServiceAccount>, StoreError> {
        let mut query = Query::new(
            "SELECT id, name, description, permissions, status, created_at, updated_at, version \
             FROM service_account WHERE tenant_id = ",
        );
        query.bind(self.tenant);
        query.and(" AND status = ", filter.status.map(|status| status.code()));
        query.and(" AND updated_at >= ", filter.updated_after);
        match page.sort {
            ServiceAccountSort::Name => query.page("name", "id", page, |key| key.into()),
            ServiceAccountSort::CreatedAt => {
                query.page("created_at", "id", page, |key| Param::Instant(key.parse().ok()))
            }
        };
        query.all::<AccountRow>(&mut self.conn).await?.into_iter().map(TryInto::try_into).collect()
    }

    async fn insert(&mut self, account: &ServiceAccount) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO service_account \
                   (tenant_id, id, name, description, permissions, status, created_at, updated_at, version) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                params![
                    self.tenant,
                    account.id,
                    account.name.as_str(),
                    account.description.as_str(),
                    codes(&account.permissions),
                    account.status.code(),
                    account.created_at,
                    account.updated_at,
                    account.version,
                ],
            )
            .await?;
        Ok(())
    }

    async fn update(&mut self, account: &ServiceAccount, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE service_account SET name = $4, description = $5, permissions = $6, status = $7, \
                   updated_at = $8, version = $9 \
                 WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![
                    self.tenant,
                    account.id,
                    expected,
                    account.name.as_str(),
                    account.description.as_str(),
                    codes(&account.permissions),
                    account.status.code(),
                    account.updated_at,
                    account.version,
                ],
            )
            .await
    }

    async fn remove(&mut self, id: ServiceAccountId, expected: Version) -> Result<(), StoreError> {
        // Held first, so that no key is added to it meanwhile.
        let mut query = Query::with(
            "SELECT id FROM service_account WHERE tenant_id = $1 AND id = $2 AND version = $3",
            params![self.tenant, id, expected],
        );
        query.push(self.conn.for_removal());
        if query.optional::<(Uuid,)>(&mut self.conn).await?.is_none() {
            return Err(StoreError::Stale);
        }
        self.conn
            .execute(
                "DELETE FROM api_key WHERE tenant_id = $1 AND service_account_id = $2",
                params![self.tenant, id],
            )
            .await?;
        self.conn
            .execute_expecting_one(
                "DELETE FROM service_account WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![self.tenant, id, expected],
            )
            .await
    }
}
