//! API keys in SQL.

use std::net::IpAddr;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::api_key::{ApiKey, ApiKeyFilter, ApiKeyRepo, ApiKeySort, KeyStanding, public_part};
use hrms_core::{ApiKeyId, PageRequest, ServiceAccountId, StoreError, TenantId, UserId};

use crate::instant::Instant;
use crate::query::{Param, Query, params};
use crate::sql::service_account::{codes, permissions};
use crate::sql::{SqlTx, corrupt};

#[derive(FromRow)]
struct KeyRow {
    tenant_id: Uuid,
    id: Uuid,
    service_account_id: Uuid,
    name: String,
    permissions: Value,
    created_by: Option<Uuid>,
    created_at: Instant,
    expires_at: Instant,
    last_used_at: Option<Instant>,
    last_used_address: Option<String>,
    revoked_at: Option<Instant>,
}

impl TryFrom<KeyRow> for ApiKey {
    type Error = StoreError;

    fn try_from(row: KeyRow) -> Result<Self, StoreError> {
        let id = ApiKeyId::from_uuid(row.id);
        Ok(Self {
            id,
            service_account_id: ServiceAccountId::from_uuid(row.service_account_id),
            name: row.name,
            prefix: public_part(TenantId::from_uuid(row.tenant_id), id),
            permissions: permissions(row.permissions)?,
            created_by: row.created_by.map(UserId::from_uuid),
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
            last_used_at: row.last_used_at.map(|at| at.0),
            last_used_address: row.last_used_address.and_then(|address| address.parse().ok()),
            revoked_at: row.revoked_at.map(|at| at.0),
        })
    }
}

#[derive(FromRow)]
struct StandingRow {
    service_account_id: Uuid,
    secret_hash: Vec<u8>,
    of_key: Value,
    of_account: Value,
    last_used_at: Option<Instant>,
}

impl TryFrom<StandingRow> for KeyStanding {
    type Error = StoreError;

    fn try_from(row: StandingRow) -> Result<Self, StoreError> {
        let of_account = permissions(row.of_account)?;
        let mut both = permissions(row.of_key)?;
        both.retain(|one| of_account.contains(one) && one.is_for_programs());
        Ok(Self {
            account: ServiceAccountId::from_uuid(row.service_account_id),
            secret_hash: row
                .secret_hash
                .try_into()
                .map_err(|hash: Vec<u8>| corrupt("api_key", format!("a hash of {} bytes", hash.len())))?,
            permissions: both,
            last_used_at: row.last_used_at.map(|at| at.0),
        })
    }
}

#[async_trait]
impl ApiKeyRepo for SqlTx {
    async fn get(&mut self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        let row: Option<KeyRow> = self
            .conn
            .optional(
                "SELECT tenant_id, id, service_account_id, name, permissions, created_by, created_at, expires_at, \
                   last_used_at, last_used_address, revoked_at \
                 FROM api_key WHERE tenant_id = $1 AND id = $2",
                params![self.tenant, id],
            )
            .await?;
        row.map(TryInto::try_into).transpose()
    }

    async fn list(
        &mut self,
        filter: &ApiKeyFilter,
        page: &PageRequest<ApiKeySort>,
        now: Timestamp,
    ) -> Result<Vec<ApiKey>, StoreError> {
        let mut query = Query::new(
            "SELECT tenant_id, id, service_account_id, name, permissions, created_by, created_at, expires_at, \
               last_used_at, last_used_address, revoked_at \
             FROM api_key WHERE tenant_id = ",
        );
        query.bind(self.tenant);
        query.and(" AND service_account_id = ", filter.service_account);
        match filter.usable {
            Some(true) => {
                query.push(" AND revoked_at IS NULL AND expires_at > ").bind(now);
            }
            Some(false) => {
                query.push(" AND (revoked_at IS NOT NULL OR expires_at <= ").bind(now).push(")");
            }
            None => {}
        }
        query.and(" AND expires_at < ", filter.expires_before);
        match page.sort {
            ApiKeySort::Name => query.page("name", "id", page, |key| key.into()),
            ApiKeySort::ExpiresAt => {
                query.page("expires_at", "id", page, |key| Param::Instant(key.parse().ok()))
            }
        };
        query.all::<KeyRow>(&mut self.conn).await?.into_iter().map(TryInto::try_into).collect()
    }

    async fn insert(&mut self, key: &ApiKey, secret_hash: &[u8; 32]) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO api_key (tenant_id, id, service_account_id, name, secret_hash, permissions, \
                   created_by, created_at, expires_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                params![
                    self.tenant,
                    key.id,
                    key.service_account_id,
                    key.name.as_str(),
                    secret_hash.to_vec(),
                    codes(&key.permissions),
                    key.created_by,
                    key.created_at,
                    key.expires_at,
                ],
            )
            .await?;
        Ok(())
    }

    async fn end(&mut self, key: &ApiKey) -> Result<(), StoreError> {
        // Whoever revoked it first has revoked it, and what ends early stays ended.
        self.conn
            .execute(
                "UPDATE api_key SET revoked_at = COALESCE(revoked_at, $4), \
                   expires_at = CASE WHEN expires_at < $3 THEN expires_at ELSE $3 END \
                 WHERE tenant_id = $1 AND id = $2",
                params![self.tenant, key.id, key.expires_at, key.revoked_at],
            )
            .await?;
        Ok(())
    }

    async fn used(
        &mut self,
        id: ApiKeyId,
        now: Timestamp,
        since: Timestamp,
        address: Option<IpAddr>,
    ) -> Result<(), StoreError> {
        self.conn
            .execute(
                "UPDATE api_key SET last_used_at = $3, last_used_address = COALESCE($5, last_used_address) \
                 WHERE tenant_id = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at < $4)",
                params![self.tenant, id, now, since, address.map(|address| address.to_string())],
            )
            .await?;
        Ok(())
    }

    async fn standing(&mut self, id: ApiKeyId, now: Timestamp) -> Result<Option<KeyStanding>, StoreError> {
        let row: Option<StandingRow> = self
            .conn
            .optional(
                "SELECT k.service_account_id, k.secret_hash, k.permissions AS of_key, a.permissions AS of_account, \
                   k.last_used_at \
                 FROM api_key AS k \
                 JOIN service_account AS a ON a.tenant_id = k.tenant_id AND a.id = k.service_account_id \
                 JOIN organization AS o ON o.id = k.tenant_id \
                 WHERE k.tenant_id = $1 AND k.id = $2 AND k.revoked_at IS NULL AND k.expires_at > $3 \
                   AND a.status = 'active' AND o.status = 'active'",
                params![self.tenant, id, now],
            )
            .await?;
        row.map(TryInto::try_into).transpose()
    }
}
