//! An organisation's own texts, in SQL.

use async_trait::async_trait;
use sqlx::FromRow;

use hrms_core::StoreError;
use hrms_core::notification::{NotificationTemplate, NotificationTemplateRepo};

use crate::instant::Instant;
use crate::query::params;
use crate::sql::SqlTx;

#[derive(FromRow)]
struct TemplateRow {
    kind: String,
    language: String,
    subject: String,
    body: String,
    updated_at: Instant,
}

impl From<TemplateRow> for NotificationTemplate {
    fn from(row: TemplateRow) -> Self {
        Self {
            r#type: row.kind,
            language: row.language,
            subject: row.subject,
            body: row.body,
            updated_at: Some(row.updated_at.0),
        }
    }
}

#[async_trait]
impl NotificationTemplateRepo for SqlTx {
    async fn all(&mut self) -> Result<Vec<NotificationTemplate>, StoreError> {
        let rows: Vec<TemplateRow> = self
            .conn
            .all(
                "SELECT kind, language, subject, body, updated_at FROM notification_template \
                 WHERE tenant_id = $1 ORDER BY kind, language",
                params![self.tenant],
            )
            .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    async fn of(&mut self, kind: &str) -> Result<Vec<NotificationTemplate>, StoreError> {
        let rows: Vec<TemplateRow> = self
            .conn
            .all(
                "SELECT kind, language, subject, body, updated_at FROM notification_template \
                 WHERE tenant_id = $1 AND kind = $2 ORDER BY language",
                params![self.tenant, kind],
            )
            .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    async fn count(&mut self) -> Result<usize, StoreError> {
        self.lock("notification_template").await?;
        let sql = "SELECT count(*) FROM notification_template WHERE tenant_id = $1";
        let (count,): (i64,) = self.conn.one(sql, params![self.tenant]).await?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    async fn put(&mut self, template: &NotificationTemplate) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO notification_template (tenant_id, kind, language, subject, body, updated_at) \
                 VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (tenant_id, kind, language) DO UPDATE \
                 SET subject = excluded.subject, body = excluded.body, updated_at = excluded.updated_at",
                params![
                    self.tenant,
                    template.r#type.as_str(),
                    template.language.as_str(),
                    template.subject.as_str(),
                    template.body.as_str(),
                    template.updated_at,
                ],
            )
            .await?;
        Ok(())
    }

    async fn remove(&mut self, kind: &str, language: &str) -> Result<bool, StoreError> {
        let removed = self
            .conn
            .execute(
                "DELETE FROM notification_template WHERE tenant_id = $1 AND kind = $2 AND language = $3",
                params![self.tenant, kind, language],
            )
            .await?;
        Ok(removed == 1)
    }
}
