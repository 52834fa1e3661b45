//! How far consumers of events have come, in SQL.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::event::{EventConsumers, EventDirectory, Growth};
use hrms_core::{StoreError, TenantId};

use crate::engine::Conn;
use crate::query::{Query, params};
use crate::sql::SqlTx;
use crate::store::SqlStore;

#[derive(FromRow)]
struct GrowthRow {
    value: i64,
    relayed: i64,
}

#[async_trait]
impl EventConsumers for SqlTx {
    async fn growth(&mut self) -> Result<Growth, StoreError> {
        let row: Option<GrowthRow> = self
            .conn
            .optional(
                "SELECT value, relayed FROM tenant_counter WHERE tenant_id = $1 AND name = 'event'",
                params![self.tenant],
            )
            .await?;
        let row = row.unwrap_or(GrowthRow { value: 0, relayed: 0 });
        Ok(Growth { last: row.value, relayed: row.relayed })
    }

    async fn positions(&mut self) -> Result<Vec<(String, i64)>, StoreError> {
        self.conn
            .all(
                "SELECT consumer, position FROM event_consumer WHERE tenant_id = $1 ORDER BY consumer",
                params![self.tenant],
            )
            .await
    }

    async fn hold(&mut self, consumer: &str) -> Result<Option<i64>, StoreError> {
        let lock = self.conn.for_update();
        let mut query = Query::with(
            "SELECT position FROM event_consumer WHERE tenant_id = $1 AND consumer = $2",
            params![self.tenant, consumer],
        );
        query.push(lock);
        let row: Option<(i64,)> = query.optional(&mut self.conn).await?;
        Ok(row.map(|(position,)| position))
    }

    async fn start(&mut self, consumer: &str, position: i64, now: Timestamp) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO event_consumer (tenant_id, consumer, position, updated_at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (tenant_id, consumer) DO NOTHING",
                params![self.tenant, consumer, position, now],
            )
            .await?;
        Ok(())
    }

    async fn advance(&mut self, consumer: &str, position: i64, now: Timestamp) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE event_consumer SET position = $3, updated_at = $4 \
                 WHERE tenant_id = $1 AND consumer = $2 AND position < $3",
                params![self.tenant, consumer, position, now],
            )
            .await
    }

    async fn skip(&mut self, consumer: &str, position: i64, now: Timestamp) -> Result<(), StoreError> {
        let lock = self.conn.skip_locked();
        let mut query = Query::with(
            "UPDATE event_consumer SET position = $3, updated_at = $4 \
             WHERE tenant_id = $1 AND consumer IN (SELECT consumer FROM event_consumer \
               WHERE tenant_id = $1 AND consumer = $2 AND position < $3",
            params![self.tenant, consumer, position, now],
        );
        query.push(lock).push(")");
        query.execute(&mut self.conn).await?;
        Ok(())
    }

    async fn relayed(&mut self, position: i64) -> Result<(), StoreError> {
        self.conn
            .execute(
                "UPDATE tenant_counter SET relayed = $2, pending = (value > $2) \
                 WHERE tenant_id = $1 AND name = 'event' AND pending AND relayed <= $2",
                params![self.tenant, position],
            )
            .await?;
        Ok(())
    }
}

#[async_trait]
impl EventDirectory for SqlStore {
    async fn grown_logs(&self, after: Option<TenantId>, limit: u16) -> Result<Vec<TenantId>, StoreError> {
        let mut conn = self.directory_read().await?;
        let rows: Vec<(Uuid,)> = conn
            .all(
                "SELECT tenant_id FROM tenant_counter WHERE pending AND name = 'event' AND tenant_id > $1 \
                 ORDER BY tenant_id LIMIT $2",
                params![after.map_or(Uuid::nil(), TenantId::as_uuid), limit],
            )
            .await?;
        Ok(rows.into_iter().map(|(tenant,)| TenantId::from_uuid(tenant)).collect())
    }

    async fn lagging_logs(
        &self,
        consumers: &[&'static str],
        after: Option<TenantId>,
        limit: u16,
    ) -> Result<Vec<TenantId>, StoreError> {
        let mut conn = self.directory_read().await?;
        let mut query = Query::with(
            "SELECT DISTINCT t.tenant_id FROM tenant_counter AS t JOIN event_consumer AS c ON c.tenant_id = t.tenant_id \
             WHERE t.name = 'event' AND c.position < t.value AND t.tenant_id > $1 AND c.consumer IN ",
            params![after.map_or(Uuid::nil(), TenantId::as_uuid)],
        );
        query.list(consumers.iter().copied());
        query.push(" ORDER BY t.tenant_id LIMIT ").bind(limit);
        let rows: Vec<(Uuid,)> = query.all(&mut conn).await?;
        Ok(rows.into_iter().map(|(tenant,)| TenantId::from_uuid(tenant)).collect())
    }

    async fn forget_events(
        &self,
        tenant: TenantId,
        consumers: &[&'static str],
        before: Timestamp,
        limit: u16,
    ) -> Result<u64, StoreError> {
        let mut conn = self.directory().await?;
        if let Conn::Postgres(_) = &*conn {
            // No role of the application may remove events: a function of the owner does.
            let names = Value::from(consumers.to_vec());
            let sql = "SELECT forget_events($1, $2, $3, $4)";
            let (forgotten,): (i64,) = conn.one(sql, params![tenant, names, before, limit]).await?;
            conn.commit().await?;
            return Ok(u64::try_from(forgotten).unwrap_or(0));
        }
        let mut query = Query::with(
            "DELETE FROM event WHERE tenant_id = $1 AND sequence IN ( \
               SELECT oldest.sequence FROM (SELECT e.sequence, e.occurred_at FROM event AS e \
                 WHERE e.tenant_id = $1 ORDER BY e.sequence LIMIT $2) AS oldest \
               WHERE oldest.occurred_at < $3 AND NOT EXISTS (SELECT 1 FROM event_consumer AS c \
                 WHERE c.tenant_id = $1 AND c.position < oldest.sequence AND c.consumer IN ",
            params![tenant, limit, before],
        );
        query.list(consumers.iter().copied()).push("))");
        let forgotten = query.execute(&mut conn).await?;
        conn.commit().await?;
        Ok(forgotten)
    }
}
