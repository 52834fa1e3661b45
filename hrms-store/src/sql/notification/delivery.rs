//! What is, or was, sent to people, in SQL.

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::notification::{
    DeliveryFilter, DeliverySort, NotificationDelivery, NotificationDeliveryRepo, NotificationDeliveryState,
    NotificationDirectory,
};
use hrms_core::{NotificationDeliveryId, NotificationId, PageRequest, StoreError, TenantId, UserId};

use crate::instant::Instant;
use crate::query::{Param, Query, insert_many, params};
use crate::sql::{SqlTx, corrupt};
use crate::store::SqlStore;

#[derive(FromRow)]
struct DeliveryRow {
    id: Uuid,
    notification_id: Uuid,
    user_id: Uuid,
    kind: String,
    channel: String,
    state: String,
    digest: bool,
    attempts: i64,
    due_at: Option<Instant>,
    error: Option<String>,
    sent_at: Option<Instant>,
    created_at: Instant,
    updated_at: Instant,
}

/// The beginning of a statement that reads [`DeliveryRow`]s; `$1` is the tenant.
macro_rules! select {
    ($where:literal) => {
        concat!(
            "SELECT id, notification_id, user_id, kind, channel, state, digest, attempts, due_at, error, sent_at, \
             created_at, updated_at FROM notification_delivery WHERE tenant_id = $1",
            $where
        )
    };
}

impl TryFrom<DeliveryRow> for NotificationDelivery {
    type Error = StoreError;

    fn try_from(row: DeliveryRow) -> Result<Self, StoreError> {
        let bad = |what: &str| corrupt("notification_delivery", what);
        Ok(Self {
            id: NotificationDeliveryId::from_uuid(row.id),
            notification_id: NotificationId::from_uuid(row.notification_id),
            user_id: UserId::from_uuid(row.user_id),
            r#type: row.kind,
            channel: row.channel,
            state: NotificationDeliveryState::from_code(&row.state).ok_or_else(|| bad("state"))?,
            digest: row.digest,
            attempts: row.attempts.try_into().map_err(|_| bad("attempts"))?,
            due_at: row.due_at.map(|at| at.0),
            error: row.error,
            sent_at: row.sent_at.map(|at| at.0),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        })
    }
}

fn read(rows: Vec<DeliveryRow>) -> Result<Vec<NotificationDelivery>, StoreError> {
    rows.into_iter().map(TryInto::try_into).collect()
}

#[async_trait]
impl NotificationDeliveryRepo for SqlTx {
    async fn get(&mut self, id: NotificationDeliveryId) -> Result<Option<NotificationDelivery>, StoreError> {
        let row: Option<DeliveryRow> =
            self.conn.optional(select!(" AND id = $2"), params![self.tenant, id]).await?;
        row.map(TryInto::try_into).transpose()
    }

    async fn of(&mut self, notification: NotificationId) -> Result<Vec<NotificationDelivery>, StoreError> {
        let sql = select!(" AND notification_id = $2 ORDER BY channel");
        read(self.conn.all(sql, params![self.tenant, notification]).await?)
    }

    async fn list(
        &mut self,
        filter: &DeliveryFilter,
        page: &PageRequest<DeliverySort>,
    ) -> Result<Vec<NotificationDelivery>, StoreError> {
        let mut query = Query::with(select!(""), params![self.tenant]);
        query.and(" AND state = ", filter.state.map(|state| state.code()));
        query.and(" AND channel = ", filter.channel.as_deref());
        query.and(" AND user_id = ", filter.user);
        query.and(" AND updated_at >= ", filter.updated_after);
        let DeliverySort::CreatedAt = page.sort;
        query.page("created_at", "id", page, |key| Param::Instant(key.parse().ok()));
        read(query.all(&mut self.conn).await?)
    }

    async fn insert_many(&mut self, deliveries: &[NotificationDelivery]) -> Result<(), StoreError> {
        let tenant = self.tenant;
        let row = |one: &NotificationDelivery| {
            params![
                tenant,
                one.id,
                one.notification_id,
                one.user_id,
                one.r#type.as_str(),
                one.channel.as_str(),
                one.state.code(),
                one.digest,
                one.attempts,
                one.due_at,
                one.error.as_deref(),
                one.sent_at,
                one.created_at,
                one.updated_at,
            ]
        };
        insert_many(
            &mut self.conn,
            "INSERT INTO notification_delivery (tenant_id, id, notification_id, user_id, kind, channel, state, digest, \
             attempts, due_at, error, sent_at, created_at, updated_at) VALUES ",
            deliveries.iter().map(row).collect::<Vec<_>>(),
            "",
        )
        .await?;
        Ok(())
    }

    async fn update(&mut self, one: &NotificationDelivery) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE notification_delivery SET state = $3, digest = $4, attempts = $5, due_at = $6, error = $7, \
                   sent_at = $8, updated_at = $9 WHERE tenant_id = $1 AND id = $2",
                params![
                    self.tenant,
                    one.id,
                    one.state.code(),
                    one.digest,
                    one.attempts,
                    one.due_at,
                    one.error.as_deref(),
                    one.sent_at,
                    one.updated_at,
                ],
            )
            .await
    }

    async fn gathered(
        &mut self,
        user: UserId,
        channel: &str,
        due: Timestamp,
        limit: u16,
    ) -> Result<Vec<NotificationDelivery>, StoreError> {
        let sql = select!(
            " AND user_id = $2 AND channel = $3 AND state = 'waiting' AND digest AND due_at <= $4 \
             ORDER BY created_at, id LIMIT $5"
        );
        read(self.conn.all(sql, params![self.tenant, user, channel, due, limit]).await?)
    }
}

#[async_trait]
impl NotificationDirectory for SqlStore {
    async fn overdue_notifications(
        &self,
        before: Timestamp,
        after: Option<(TenantId, NotificationDeliveryId)>,
        limit: u16,
    ) -> Result<Vec<(TenantId, NotificationDeliveryId)>, StoreError> {
        let mut conn = self.directory_read().await?;
        let after = after.map(|(tenant, delivery)| (tenant.as_uuid(), delivery.as_uuid()));
        let (tenant, delivery) = after.unwrap_or((Uuid::nil(), Uuid::nil()));
        let rows: Vec<(Uuid, Uuid)> = conn
            .all(
                "SELECT tenant_id, id FROM notification_delivery WHERE state = 'waiting' AND due_at < $1 \
                 AND (tenant_id, id) > ($2, $3) ORDER BY tenant_id, id LIMIT $4",
                params![before, tenant, delivery, limit],
            )
            .await?;
        let ids = |(tenant, id)| (TenantId::from_uuid(tenant), NotificationDeliveryId::from_uuid(id));
        Ok(rows.into_iter().map(ids).collect())
    }
}
