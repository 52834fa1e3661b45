//! What is, or was, sent to webhooks, in SQL.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::webhook::{
    DeliveryFilter, DeliverySort, DeliveryState, WebhookDelivery, WebhookDeliveryRepo, WebhookDirectory,
};
use hrms_core::{EventId, PageRequest, StoreError, TenantId, WebhookDeliveryId, WebhookId};

use crate::instant::Instant;
use crate::query::{Param, Query, insert_many, params};
use crate::sql::{SqlTx, corrupt};
use crate::store::SqlStore;

#[derive(FromRow)]
struct DeliveryRow {
    id: Uuid,
    webhook_id: Uuid,
    event_id: Uuid,
    sequence: i64,
    lane: i64,
    kind: String,
    subject: String,
    state: String,
    attempts: i64,
    next_attempt_at: Option<Instant>,
    response_status: Option<i64>,
    response_excerpt: Option<String>,
    error: Option<String>,
    duration_ms: Option<i64>,
    created_at: Instant,
    updated_at: Instant,
}

/// The columns of [`DeliveryRow`].
macro_rules! columns {
    () => {
        "id, webhook_id, event_id, sequence, lane, kind, subject, state, attempts, next_attempt_at, response_status, \
         response_excerpt, error, duration_ms, created_at, updated_at"
    };
}

impl TryFrom<DeliveryRow> for WebhookDelivery {
    type Error = StoreError;

    fn try_from(row: DeliveryRow) -> Result<Self, StoreError> {
        let bad = |what: &str| corrupt("webhook_delivery", what);
        let state = DeliveryState::ALL.iter().copied().find(|state| state.code() == row.state);
        Ok(Self {
            id: WebhookDeliveryId::from_uuid(row.id),
            webhook_id: WebhookId::from_uuid(row.webhook_id),
            event_id: EventId::from_uuid(row.event_id),
            sequence: row.sequence,
            lane: row.lane.try_into().map_err(|_| bad("lane"))?,
            r#type: row.kind,
            subject: row.subject,
            state: state.ok_or_else(|| bad("state"))?,
            attempts: row.attempts.try_into().map_err(|_| bad("attempts"))?,
            next_attempt_at: row.next_attempt_at.map(|at| at.0),
            response_status: row.response_status.map(u16::try_from).transpose().map_err(|_| bad("status"))?,
            response_excerpt: row.response_excerpt,
            error: row.error,
            duration_ms: row.duration_ms,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        })
    }
}

#[async_trait]
impl WebhookDeliveryRepo for SqlTx {
    async fn get(&mut self, id: WebhookDeliveryId) -> Result<Option<WebhookDelivery>, StoreError> {
        let row: Option<DeliveryRow> = self
            .conn
            .optional(
                concat!("SELECT ", columns!(), " FROM webhook_delivery WHERE tenant_id = $1 AND id = $2"),
                params![self.tenant, id],
            )
            .await?;
        row.map(TryInto::try_into).transpose()
    }

    async fn list(
        &mut self,
        webhook: WebhookId,
        filter: &DeliveryFilter,
        page: &PageRequest<DeliverySort>,
    ) -> Result<Vec<WebhookDelivery>, StoreError> {
        let mut query = Query::with(
            concat!("SELECT ", columns!(), " FROM webhook_delivery WHERE tenant_id = $1 AND webhook_id = $2"),
            params![self.tenant, webhook],
        );
        query.and(" AND state = ", filter.state.map(|state| state.code()));
        query.and(" AND event_id = ", filter.event);
        query.and(" AND updated_at >= ", filter.updated_after);
        let DeliverySort::CreatedAt = page.sort;
        query.page("created_at", "id", page, |key| Param::Instant(key.parse().ok()));
        query.all::<DeliveryRow>(&mut self.conn).await?.into_iter().map(TryInto::try_into).collect()
    }

    async fn insert_many(&mut self, deliveries: &[WebhookDelivery]) -> Result<(), StoreError> {
        let tenant = self.tenant;
        let row = |one: &WebhookDelivery| {
            params![
                tenant,
                one.id,
                one.webhook_id,
                one.event_id,
                one.sequence,
                one.lane,
                one.r#type.as_str(),
                one.subject.as_str(),
                one.state.code(),
                one.attempts,
                one.next_attempt_at,
                one.created_at,
                one.updated_at,
            ]
        };
        insert_many(
            &mut self.conn,
            "INSERT INTO webhook_delivery (tenant_id, id, webhook_id, event_id, sequence, lane, kind, subject, state, \
             attempts, next_attempt_at, created_at, updated_at) VALUES ",
            deliveries.iter().map(row).collect::<Vec<_>>(),
            "",
        )
        .await?;
        Ok(())
    }

    async fn update(&mut self, delivery: &WebhookDelivery) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE webhook_delivery SET state = $3, attempts = $4, next_attempt_at = $5, response_status = $6, \
                   response_excerpt = $7, error = $8, duration_ms = $9, updated_at = $10 \
                 WHERE tenant_id = $1 AND id = $2",
                params![
                    self.tenant,
                    delivery.id,
                    delivery.state.code(),
                    delivery.attempts,
                    delivery.next_attempt_at,
                    delivery.response_status.map(i64::from),
                    delivery.response_excerpt.as_deref(),
                    delivery.error.as_deref(),
                    delivery.duration_ms,
                    delivery.updated_at,
                ],
            )
            .await
    }

    async fn next(
        &mut self,
        webhook: WebhookId,
        subject: &str,
    ) -> Result<Option<WebhookDelivery>, StoreError> {
        let row: Option<DeliveryRow> = self
            .conn
            .optional(
                concat!(
                    "SELECT ",
                    columns!(),
                    " FROM webhook_delivery WHERE tenant_id = $1 AND webhook_id = $2 AND subject = $3 \
                     AND state = 'waiting' ORDER BY sequence LIMIT 1"
                ),
                params![self.tenant, webhook, subject],
            )
            .await?;
        row.map(TryInto::try_into).transpose()
    }

    async fn first(&mut self, webhook: WebhookId, lane: u16) -> Result<Option<WebhookDelivery>, StoreError> {
        let row: Option<DeliveryRow> = self
            .conn
            .optional(
                concat!(
                    "SELECT ",
                    columns!(),
                    " FROM webhook_delivery WHERE tenant_id = $1 AND webhook_id = $2 AND lane = $3 \
                     AND state = 'waiting' ORDER BY next_attempt_at, sequence LIMIT 1"
                ),
                params![self.tenant, webhook, lane],
            )
            .await?;
        row.map(TryInto::try_into).transpose()
    }

    async fn waiting_lanes(&mut self, webhook: WebhookId) -> Result<Vec<(u16, Timestamp)>, StoreError> {
        let rows: Vec<(i64, Instant)> = self
            .conn
            .all(
                "SELECT lane, MIN(next_attempt_at) FROM webhook_delivery \
                 WHERE tenant_id = $1 AND webhook_id = $2 AND state = 'waiting' GROUP BY lane ORDER BY lane",
                params![self.tenant, webhook],
            )
            .await?;
        let lane = |(lane, at): (i64, Instant)| {
            Ok((lane.try_into().map_err(|_| corrupt("webhook_delivery", "lane"))?, at.0))
        };
        rows.into_iter().map(lane).collect()
    }

    async fn move_waiting(
        &mut self,
        webhook: WebhookId,
        subject: &str,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.conn
            .execute(
                "UPDATE webhook_delivery SET next_attempt_at = $4, updated_at = $5 WHERE tenant_id = $1 \
                 AND webhook_id = $2 AND subject = $3 AND state = 'waiting' AND next_attempt_at <> $4",
                params![self.tenant, webhook, subject, at, now],
            )
            .await?;
        Ok(())
    }

    async fn fail_waiting(
        &mut self,
        webhook: WebhookId,
        error: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.conn
            .execute(
                "UPDATE webhook_delivery SET state = 'failed', error = $3, next_attempt_at = NULL, updated_at = $4 \
                 WHERE tenant_id = $1 AND webhook_id = $2 AND state = 'waiting'",
                params![self.tenant, webhook, error, now],
            )
            .await?;
        Ok(())
    }

    async fn forget(&mut self, before: Timestamp, limit: u16) -> Result<(), StoreError> {
        self.conn
            .execute(
                "DELETE FROM webhook_delivery WHERE tenant_id = $1 AND id IN ( \
                   SELECT id FROM webhook_delivery WHERE tenant_id = $1 AND state <> 'waiting' AND updated_at < $2 \
                   ORDER BY updated_at LIMIT $3)",
                params![self.tenant, before, limit],
            )
            .await?;
        Ok(())
    }
}

#[async_trait]
impl WebhookDirectory for SqlStore {
    async fn overdue_webhooks(
        &self,
        before: Timestamp,
        after: Option<(TenantId, WebhookId)>,
        limit: u16,
    ) -> Result<Vec<(TenantId, WebhookId)>, StoreError> {
        let mut conn = self.directory_read().await?;
        let after = after.map(|(tenant, webhook)| (tenant.as_uuid(), webhook.as_uuid()));
        let (tenant, webhook) = after.unwrap_or((Uuid::nil(), Uuid::nil()));
        let rows: Vec<(Uuid, Uuid)> = conn
            .all(
                "SELECT DISTINCT tenant_id, webhook_id FROM webhook_delivery WHERE state = 'waiting' \
                 AND next_attempt_at < $1 AND (tenant_id, webhook_id) > ($2, $3) \
                 ORDER BY tenant_id, webhook_id LIMIT $4",
                params![before, tenant, webhook, limit],
            )
            .await?;
        let ids = |(tenant, webhook)| (TenantId::from_uuid(tenant), WebhookId::from_uuid(webhook));
        Ok(rows.into_iter().map(ids).collect())
    }
}
