//! An organisation's own channels, in SQL.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::notification::{NotificationChannel, NotificationChannelRepo};
use hrms_core::{NotificationChannelId, StoreError, Version};

use crate::instant::Instant;
use crate::query::params;
use crate::sql::SqlTx;

#[derive(FromRow)]
struct ChannelRow {
    id: Uuid,
    name: String,
    url: String,
    description: Option<String>,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

impl From<ChannelRow> for NotificationChannel {
    fn from(row: ChannelRow) -> Self {
        Self {
            id: NotificationChannelId::from_uuid(row.id),
            name: row.name,
            url: row.url,
            description: row.description,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        }
    }
}

#[async_trait]
impl NotificationChannelRepo for SqlTx {
    async fn all(&mut self) -> Result<Vec<NotificationChannel>, StoreError> {
        let rows: Vec<ChannelRow> = self
            .conn
            .all(
                "SELECT id, name, url, description, created_at, updated_at, version FROM notification_channel \
                 WHERE tenant_id = $1 AND removed_at IS NULL ORDER BY name",
                params![self.tenant],
            )
            .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    async fn count(&mut self) -> Result<usize, StoreError> {
        self.lock("notification_channel").await?;
        let sql = "SELECT count(*) FROM notification_channel WHERE tenant_id = $1 AND removed_at IS NULL";
        let (count,): (i64,) = self.conn.one(sql, params![self.tenant]).await?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    async fn insert(&mut self, channel: &NotificationChannel, secret: &[u8]) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO notification_channel (tenant_id, id, name, url, description, secret, created_at, \
                   updated_at, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                params![
                    self.tenant,
                    channel.id,
                    channel.name.as_str(),
                    channel.url.as_str(),
                    channel.description.as_deref(),
                    secret.to_vec(),
                    channel.created_at,
                    channel.updated_at,
                    channel.version,
                ],
            )
            .await?;
        Ok(())
    }

    async fn update(&mut self, channel: &NotificationChannel, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE notification_channel SET url = $4, description = $5, updated_at = $6, version = $7 \
                 WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![
                    self.tenant,
                    channel.id,
                    expected,
                    channel.url.as_str(),
                    channel.description.as_deref(),
                    channel.updated_at,
                    channel.version,
                ],
            )
            .await
    }

    async fn remove(
        &mut self,
        id: NotificationChannelId,
        expected: Version,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE notification_channel SET removed_at = $4 \
                 WHERE tenant_id = $1 AND id = $2 AND version = $3 AND removed_at IS NULL",
                params![self.tenant, id, expected, now],
            )
            .await
    }

    async fn secret(&mut self, id: NotificationChannelId) -> Result<Option<Vec<u8>>, StoreError> {
        let sql =
            "SELECT secret FROM notification_channel WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL";
        let row: Option<(Vec<u8>,)> = self.conn.optional(sql, params![self.tenant, id]).await?;
        Ok(row.map(|(secret,)| secret))
    }

    async fn set_secret(&mut self, id: NotificationChannelId, secret: &[u8]) -> Result<(), StoreError> {
        let sql = "UPDATE notification_channel SET secret = $3 WHERE tenant_id = $1 AND id = $2 AND removed_at IS NULL";
        self.conn.execute_expecting_one(sql, params![self.tenant, id, secret.to_vec()]).await
    }
}
