//! Operators of the service in SQL: accounts that may act outside all tenants.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::operator::{
    OperatorAccount, OperatorDirectory, OperatorFilter, OperatorSession, OperatorSessionSort, OperatorSort,
};
use hrms_core::user::UserStatus;
use hrms_core::{PageRequest, SessionId, StoreError, SupportGrantId, TenantId, UserId, Version};

use crate::engine::Conn;
use crate::instant::Instant;
use crate::query::{Param, Query, params};
use crate::sql::corrupt;
use crate::store::SqlStore;

#[derive(FromRow)]
pub(crate) struct AccountRow {
    id: Uuid,
    email: String,
    name: String,
    status: String,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

impl TryFrom<AccountRow> for OperatorAccount {
    type Error = StoreError;

    fn try_from(row: AccountRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: UserId::from_uuid(row.id),
            email: row.email,
            name: row.name,
            status: UserStatus::from_code(&row.status)
                .ok_or_else(|| corrupt("user_account", format!("status {}", row.status)))?,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        })
    }
}

#[derive(FromRow)]
struct SessionRow {
    id: Uuid,
    created_at: Instant,
    last_used_at: Instant,
    expires_at: Instant,
    address: Option<String>,
    user_agent: Option<String>,
}

impl From<SessionRow> for OperatorSession {
    fn from(row: SessionRow) -> Self {
        Self {
            id: SessionId::from_uuid(row.id),
            created_at: row.created_at.0,
            last_used_at: row.last_used_at.0,
            expires_at: row.expires_at.0,
            address: row.address,
            user_agent: row.user_agent,
        }
    }
}

/// Reads [`AccountRow`]s of operators.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT u.id, u.email, u.name, u.status, u.created_at, u.updated_at, u.version FROM user_account AS u \
             JOIN platform_operator AS p ON p.user_id = u.id WHERE ",
            $rest
        )
    };
}

/// Operators who can log in, and stay so until we commit: in the order of the key, so that two of these can't
/// wait for each other. Who was changed while we waited is looked at again and left out.
async fn hold_active(conn: &mut Conn) -> Result<Vec<UserId>, StoreError> {
    let lock = conn.for_update();
    let mut query = Query::new(
        "SELECT u.id FROM user_account AS u WHERE u.status = 'active' \
         AND EXISTS (SELECT 1 FROM platform_operator AS p WHERE p.user_id = u.id) ORDER BY u.id",
    );
    query.push(lock);
    let rows: Vec<(Uuid,)> = query.all(conn).await?;
    Ok(rows.into_iter().map(|(id,)| UserId::from_uuid(id)).collect())
}

#[async_trait]
impl OperatorDirectory for SqlStore {
    async fn operator_account(&self, id: UserId) -> Result<Option<OperatorAccount>, StoreError> {
        let mut conn = self.directory_read().await?;
        let row: Option<AccountRow> = conn.optional(select!("u.id = $1"), params![id]).await?;
        row.map(TryInto::try_into).transpose()
    }

    async fn operators(
        &self,
        filter: &OperatorFilter,
        page: &PageRequest<OperatorSort>,
    ) -> Result<Vec<OperatorAccount>, StoreError> {
        let mut query = Query::new(select!("true"));
        query.and(" AND u.status = ", filter.status.map(|status| status.code()));
        query.and(" AND u.updated_at >= ", filter.updated_after);
        let OperatorSort::Email = page.sort;
        query.page("u.email", "u.id", page, |key| key.into());
        let rows: Vec<AccountRow> = query.all(&mut self.directory_read().await?).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    async fn update_operator(&self, operator: &OperatorAccount, expected: Version) -> Result<(), StoreError> {
        let mut conn = self.directory().await?;
        if operator.status == UserStatus::Disabled {
            let active = hold_active(&mut conn).await?;
            if active.iter().all(|other| *other == operator.id) {
                return Err(StoreError::Conflict { constraint: "platform_operator_last".into() });
            }
        }
        conn.execute_expecting_one(
            "UPDATE user_account SET status = $3, updated_at = $4, version = $5 WHERE id = $1 AND version = $2 \
             AND EXISTS (SELECT 1 FROM platform_operator AS p WHERE p.user_id = user_account.id)",
            params![operator.id, expected, operator.status.code(), operator.updated_at, operator.version],
        )
        .await?;
        if operator.status == UserStatus::Disabled {
            for end in [
                "UPDATE operator_session SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL",
                "UPDATE auth_session SET revoked_at = $2 WHERE user_id = $1 AND revoked_at IS NULL",
            ] {
                conn.execute(end, params![operator.id, operator.updated_at]).await?;
            }
        }
        conn.commit().await
    }

    async fn operator_sessions(
        &self,
        id: UserId,
        now: Timestamp,
        page: &PageRequest<OperatorSessionSort>,
    ) -> Result<Vec<OperatorSession>, StoreError> {
        let mut query = Query::new(
            "SELECT id, created_at, last_used_at, expires_at, address, user_agent FROM operator_session \
             WHERE revoked_at IS NULL AND user_id = ",
        );
        query.bind(id).push(" AND expires_at > ").bind(now);
        let OperatorSessionSort::CreatedAt = page.sort;
        query.page("created_at", "id", page, |key| Param::Instant(key.parse().ok()));
        let rows: Vec<SessionRow> = query.all(&mut self.directory_read().await?).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    async fn end_operator_session(
        &self,
        id: UserId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut conn = self.directory().await?;
        let ended = conn
            .execute(
                "UPDATE operator_session SET revoked_at = $3 \
                 WHERE id = $1 AND user_id = $2 AND revoked_at IS NULL AND expires_at > $3",
                params![session, id, now],
            )
            .await?;
        if ended > 0 {
            conn.commit().await?;
        }
        Ok(ended > 0)
    }

    async fn living_grants(
        &self,
        id: UserId,
        now: Timestamp,
    ) -> Result<Vec<(TenantId, SupportGrantId)>, StoreError> {
        let rows: Vec<(Uuid, Uuid)> = self
            .directory_read()
            .await?
            .all(
                "SELECT tenant_id, id FROM support_grant \
                 WHERE operator_id = $1 AND ended_at IS NULL AND expires_at > $2 ORDER BY tenant_id, id",
                params![id, now],
            )
            .await?;
        let ids = |(tenant, grant)| (TenantId::from_uuid(tenant), SupportGrantId::from_uuid(grant));
        Ok(rows.into_iter().map(ids).collect())
    }
}
