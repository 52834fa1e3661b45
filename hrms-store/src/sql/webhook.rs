//! Webhooks in SQL.

mod delivery;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::webhook::{
    DisabledReason, StoredSecrets, Webhook, WebhookFilter, WebhookRepo, WebhookSort, WebhookStatus,
};
use hrms_core::{PageRequest, StoreError, Version, WebhookId};

use crate::instant::Instant;
use crate::query::{Param, Query, params};
use crate::sql::{SqlTx, corrupt};

#[derive(FromRow)]
struct WebhookRow {
    id: Uuid,
    url: String,
    description: Option<String>,
    types: Value,
    status: String,
    disabled_reason: Option<String>,
    disabled_at: Option<Instant>,
    failing_since: Option<Instant>,
    former_secret_until: Option<Instant>,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

/// The columns of [`WebhookRow`].
macro_rules! columns {
    () => {
        "id, url, description, types, status, disabled_reason, disabled_at, failing_since, former_secret_until, \
         created_at, updated_at, version"
    };
}

impl TryFrom<WebhookRow> for Webhook {
    type Error = StoreError;

    fn try_from(row: WebhookRow) -> Result<Self, StoreError> {
        let reason = |code: String| {
            let known = DisabledReason::ALL.iter().copied().find(|reason| reason.code() == code);
            known.ok_or_else(|| corrupt("webhook", format!("reason {code}")))
        };
        Ok(Self {
            id: WebhookId::from_uuid(row.id),
            url: row.url,
            description: row.description,
            types: serde_json::from_value(row.types).map_err(|error| corrupt("webhook", error))?,
            status: match row.status.as_str() {
                "enabled" => WebhookStatus::Enabled,
                _ => WebhookStatus::Disabled,
            },
            disabled_reason: row.disabled_reason.map(reason).transpose()?,
            disabled_at: row.disabled_at.map(|at| at.0),
            failing_since: row.failing_since.map(|at| at.0),
            former_secret_until: row.former_secret_until.map(|at| at.0),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        })
    }
}

#[derive(FromRow)]
struct SecretsRow {
    secret: Vec<u8>,
    former_secret: Option<Vec<u8>>,
    former_secret_until: Option<Instant>,
}

impl SqlTx {
    async fn webhook(&mut self, id: WebhookId, lock: &'static str) -> Result<Option<Webhook>, StoreError> {
        let mut query = Query::with(
            concat!("SELECT ", columns!(), " FROM webhook WHERE tenant_id = $1 AND id = $2"),
            params![self.tenant, id],
        );
        query.push(lock);
        let row: Option<WebhookRow> = query.optional(&mut self.conn).await?;
        row.map(TryInto::try_into).transpose()
    }
}

#[async_trait]
impl WebhookRepo for SqlTx {
    async fn get(&mut self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        self.webhook(id, "").await
    }

    async fn hold(&mut self, id: WebhookId) -> Result<Option<Webhook>, StoreError> {
        let lock = self.conn.for_update();
        self.webhook(id, lock).await
    }

    async fn hold_enabled(&mut self) -> Result<Vec<Webhook>, StoreError> {
        let lock = self.conn.for_update();
        let mut query = Query::with(
            concat!(
                "SELECT ",
                columns!(),
                " FROM webhook WHERE tenant_id = $1 AND status = 'enabled' ORDER BY id"
            ),
            params![self.tenant],
        );
        query.push(lock);
        query.all::<WebhookRow>(&mut self.conn).await?.into_iter().map(TryInto::try_into).collect()
    }

    async fn list(
        &mut self,
        filter: &WebhookFilter,
        page: &PageRequest<WebhookSort>,
    ) -> Result<Vec<Webhook>, StoreError> {
        let mut query = Query::with(
            concat!("SELECT ", columns!(), " FROM webhook WHERE tenant_id = $1"),
            params![self.tenant],
        );
        query.and(" AND status = ", filter.status.map(|status| status.code()));
        query.and(" AND updated_at >= ", filter.updated_after);
        let WebhookSort::CreatedAt = page.sort;
        query.page("created_at", "id", page, |key| Param::Instant(key.parse().ok()));
        query.all::<WebhookRow>(&mut self.conn).await?.into_iter().map(TryInto::try_into).collect()
    }

    async fn count(&mut self) -> Result<usize, StoreError> {
        self.lock("webhook").await?;
        let (count,): (i64,) =
            self.conn.one("SELECT count(*) FROM webhook WHERE tenant_id = $1", params![self.tenant]).await?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    async fn is_any_enabled(&mut self) -> Result<bool, StoreError> {
        let row: Option<(i64,)> = self
            .conn
            .optional(
                "SELECT CAST(1 AS bigint) FROM webhook WHERE tenant_id = $1 AND status = 'enabled' LIMIT 1",
                params![self.tenant],
            )
            .await?;
        Ok(row.is_some())
    }

    async fn insert(&mut self, webhook: &Webhook, secret: &[u8]) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO webhook (tenant_id, id, url, description, types, status, secret, \
                   created_at, updated_at, version) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                params![
                    self.tenant,
                    webhook.id,
                    webhook.url.as_str(),
                    webhook.description.as_deref(),
                    types(webhook),
                    webhook.status.code(),
                    secret.to_vec(),
                    webhook.created_at,
                    webhook.updated_at,
                    webhook.version,
                ],
            )
            .await?;
        Ok(())
    }

    async fn update(&mut self, webhook: &Webhook, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE webhook SET url = $4, description = $5, types = $6, status = $7, disabled_reason = $8, \
                   disabled_at = $9, failing_since = $10, updated_at = $11, version = $12 \
                 WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![
                    self.tenant,
                    webhook.id,
                    expected,
                    webhook.url.as_str(),
                    webhook.description.as_deref(),
                    types(webhook),
                    webhook.status.code(),
                    webhook.disabled_reason.map(DisabledReason::code),
                    webhook.disabled_at,
                    webhook.failing_since,
                    webhook.updated_at,
                    webhook.version,
                ],
            )
            .await
    }

    async fn remove(&mut self, id: WebhookId, expected: Version) -> Result<(), StoreError> {
        // The deliveries first: they refer to it. If it is another version by now, all of this is undone.
        self.conn
            .execute(
                "DELETE FROM webhook_delivery WHERE tenant_id = $1 AND webhook_id = $2",
                params![self.tenant, id],
            )
            .await?;
        self.conn
            .execute_expecting_one(
                "DELETE FROM webhook WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![self.tenant, id, expected],
            )
            .await
    }

    async fn secrets(&mut self, id: WebhookId) -> Result<Option<StoredSecrets>, StoreError> {
        let row: Option<SecretsRow> = self
            .conn
            .optional(
                "SELECT secret, former_secret, former_secret_until FROM webhook WHERE tenant_id = $1 AND id = $2",
                params![self.tenant, id],
            )
            .await?;
        Ok(row.map(|row| StoredSecrets {
            current: row.secret,
            former: row.former_secret.zip(row.former_secret_until.map(|until| until.0)),
        }))
    }

    async fn set_secrets(&mut self, id: WebhookId, secrets: &StoredSecrets) -> Result<(), StoreError> {
        let former = secrets.former.clone();
        self.conn
            .execute_expecting_one(
                "UPDATE webhook SET secret = $3, former_secret = $4, former_secret_until = $5 \
                 WHERE tenant_id = $1 AND id = $2",
                params![
                    self.tenant,
                    id,
                    secrets.current.clone(),
                    former.as_ref().map(|(secret, _)| secret.clone()),
                    former.map(|(_, until)| until),
                ],
            )
            .await
    }

    async fn note_failing(&mut self, id: WebhookId, since: Option<Timestamp>) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE webhook SET failing_since = $3 WHERE tenant_id = $1 AND id = $2",
                params![self.tenant, id, since],
            )
            .await
    }
}

fn types(webhook: &Webhook) -> Value {
    Value::from(webhook.types.clone())
}
