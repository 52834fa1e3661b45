//! Grants of support access in SQL.

use async_trait::async_trait;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::support::{SupportGrant, SupportGrantFilter, SupportGrantRepo, SupportGrantSort};
use hrms_core::{PageRequest, SessionId, StoreError, SupportGrantId, UserId, Version};

use crate::instant::Instant;
use crate::query::{Param, Query, params};
use crate::sql::SqlTx;

#[derive(FromRow)]
struct GrantRow {
    id: Uuid,
    operator_id: Uuid,
    operator_name: String,
    user_id: Uuid,
    session_id: Uuid,
    reason: String,
    created_at: Instant,
    expires_at: Instant,
    ended_at: Option<Instant>,
    ended_by: Option<Uuid>,
    updated_at: Instant,
    version: i64,
}

impl From<GrantRow> for SupportGrant {
    fn from(row: GrantRow) -> Self {
        Self {
            id: SupportGrantId::from_uuid(row.id),
            operator_id: UserId::from_uuid(row.operator_id),
            operator_name: row.operator_name,
            user_id: UserId::from_uuid(row.user_id),
            session: SessionId::from_uuid(row.session_id),
            reason: row.reason,
            created_at: row.created_at.0,
            expires_at: row.expires_at.0,
            ended_at: row.ended_at.map(|at| at.0),
            ended_by: row.ended_by.map(UserId::from_uuid),
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        }
    }
}

/// Reads [`GrantRow`]s.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, operator_id, operator_name, user_id, session_id, reason, created_at, expires_at, ended_at, \
             ended_by, updated_at, version FROM support_grant WHERE tenant_id = ",
            $rest
        )
    };
}

#[async_trait]
impl SupportGrantRepo for SqlTx {
    async fn get(&mut self, id: SupportGrantId) -> Result<Option<SupportGrant>, StoreError> {
        let row: Option<GrantRow> =
            self.conn.optional(select!("$1 AND id = $2"), params![self.tenant, id]).await?;
        Ok(row.map(Into::into))
    }

    async fn list(
        &mut self,
        filter: &SupportGrantFilter,
        page: &PageRequest<SupportGrantSort>,
    ) -> Result<Vec<SupportGrant>, StoreError> {
        let mut query = Query::new(select!(""));
        query.bind(self.tenant);
        query.and(" AND ended_at IS NULL AND expires_at > ", filter.alive_at);
        query.and(" AND updated_at >= ", filter.updated_after);
        let SupportGrantSort::CreatedAt = page.sort;
        query.page("created_at", "id", page, |key| Param::Instant(key.parse().ok()));
        let rows: Vec<GrantRow> = query.all(&mut self.conn).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    async fn insert(&mut self, grant: &SupportGrant) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO support_grant (tenant_id, id, operator_id, operator_name, user_id, session_id, reason, \
                 created_at, expires_at, ended_at, ended_by, updated_at, version) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
                params![
                    self.tenant,
                    grant.id,
                    grant.operator_id,
                    grant.operator_name.as_str(),
                    grant.user_id,
                    grant.session,
                    grant.reason.as_str(),
                    grant.created_at,
                    grant.expires_at,
                    grant.ended_at,
                    grant.ended_by,
                    grant.updated_at,
                    grant.version,
                ],
            )
            .await?;
        Ok(())
    }

    async fn update(&mut self, grant: &SupportGrant, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE support_grant SET ended_at = $4, ended_by = $5, updated_at = $6, version = $7 \
                 WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![
                    self.tenant,
                    grant.id,
                    expected,
                    grant.ended_at,
                    grant.ended_by,
                    grant.updated_at,
                    grant.version,
                ],
            )
            .await
    }
}
