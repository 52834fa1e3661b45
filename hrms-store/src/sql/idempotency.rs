//! Stored answers in SQL.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::value::RawValue;
use sqlx::FromRow;

use hrms_core::StoreError;
use hrms_core::idempotency::{IdempotencyKey, IdempotencyRepo, StoredAnswer};
use uuid::Uuid;

use crate::instant::Instant;
use crate::query::params;
use crate::sql::{SqlTx, corrupt};

#[derive(FromRow)]
struct AnswerRow {
    fingerprint: Vec<u8>,
    answer: String,
    created_at: Instant,
}

impl TryFrom<AnswerRow> for StoredAnswer {
    type Error = StoreError;

    fn try_from(row: AnswerRow) -> Result<Self, StoreError> {
        let fingerprint = row.fingerprint.try_into();
        Ok(Self {
            fingerprint: fingerprint.map_err(|_| corrupt("idempotency_key", "fingerprint"))?,
            answer: RawValue::from_string(row.answer).map_err(|error| corrupt("idempotency_key", error))?,
            created_at: row.created_at.0,
        })
    }
}

#[async_trait]
impl IdempotencyRepo for SqlTx {
    async fn get(
        &mut self,
        principal: Uuid,
        key: &str,
        since: Timestamp,
    ) -> Result<Option<StoredAnswer>, StoreError> {
        let row: Option<AnswerRow> = self
            .conn
            .optional(
                "SELECT fingerprint, answer, created_at FROM idempotency_key \
                 WHERE tenant_id = $1 AND user_id = $2 AND key = $3 AND created_at >= $4",
                params![self.tenant, principal, key, since],
            )
            .await?;
        row.map(TryInto::try_into).transpose()
    }

    async fn insert(
        &mut self,
        principal: Uuid,
        key: &IdempotencyKey,
        answer: &str,
        now: Timestamp,
        expired_before: Timestamp,
    ) -> Result<(), StoreError> {
        self.conn
            .execute(
                "DELETE FROM idempotency_key WHERE tenant_id = $1 AND user_id = $2 AND key = $3 AND created_at < $4",
                params![self.tenant, principal, key.key.as_str(), expired_before],
            )
            .await?;
        self.conn
            .execute(
                "INSERT INTO idempotency_key (tenant_id, user_id, key, fingerprint, answer, created_at) \
                 VALUES ($1, $2, $3, $4, $5, $6)",
                params![self.tenant, principal, key.key.as_str(), key.fingerprint.to_vec(), answer, now],
            )
            .await?;
        Ok(())
    }
}
