//! Notifications in SQL.

mod channel;
mod delivery;
mod settings;
mod template;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::notification::{
    InboxFilter, InboxSort, Notification, NotificationRepo, Recipient, Recipients,
};
use hrms_core::{EmployeeId, EventId, NotificationId, PageRequest, StoreError, UserId};

use crate::instant::Instant;
use crate::query::{CHUNK, Param, Query, params};
use crate::sql::SqlTx;
use crate::sql::user::roles;

#[derive(FromRow)]
struct NotificationRow {
    id: Uuid,
    user_id: Uuid,
    kind: String,
    title: String,
    body: String,
    language: String,
    subject: String,
    event_id: Uuid,
    times: i64,
    in_inbox: bool,
    read_at: Option<Instant>,
    created_at: Instant,
    updated_at: Instant,
}

/// The columns of [`NotificationRow`].
macro_rules! columns {
    () => {
        "id, user_id, kind, title, body, language, subject, event_id, times, in_inbox, read_at, created_at, updated_at"
    };
}

impl From<NotificationRow> for Notification {
    fn from(row: NotificationRow) -> Self {
        Self {
            id: NotificationId::from_uuid(row.id),
            user_id: UserId::from_uuid(row.user_id),
            r#type: row.kind,
            title: row.title,
            body: row.body,
            language: row.language,
            subject: row.subject,
            event_id: EventId::from_uuid(row.event_id),
            times: row.times,
            in_inbox: row.in_inbox,
            read_at: row.read_at.map(|at| at.0),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        }
    }
}

#[derive(FromRow)]
struct RecipientRow {
    user_id: Uuid,
    email: String,
    name: String,
    employee_id: Option<Uuid>,
    roles: Value,
    time_zone: Option<String>,
}

impl From<RecipientRow> for Recipient {
    fn from(row: RecipientRow) -> Self {
        Self {
            user_id: UserId::from_uuid(row.user_id),
            email: row.email,
            name: row.name,
            employee_id: row.employee_id.map(EmployeeId::from_uuid),
            time_zone: row.time_zone,
        }
    }
}

#[async_trait]
impl NotificationRepo for SqlTx {
    async fn recipients(&mut self, whom: &Recipients, today: Date) -> Result<Vec<Recipient>, StoreError> {
        let mut query = Query::with(
            "SELECT m.user_id, m.email, m.name, m.employee_id, m.roles, l.time_zone FROM membership AS m \
             LEFT JOIN employment_record AS r ON r.tenant_id = m.tenant_id AND r.employee_id = m.employee_id \
               AND r.valid_from <= $2 AND (r.valid_to IS NULL OR r.valid_to > $2) \
             LEFT JOIN location AS l ON l.tenant_id = r.tenant_id AND l.id = r.location_id \
             WHERE m.tenant_id = $1 AND m.status = 'active' AND ",
            params![self.tenant, today],
        );
        match whom {
            Recipients::Users(users) => {
                query.push("m.user_id IN ").list(users.iter().copied());
            }
            Recipients::Employees(employees) => {
                query.push("m.employee_id IN ").list(employees.iter().copied());
            }
            Recipients::Roles(wanted) => {
                query.push("(false");
                for role in wanted {
                    query.push(" OR CAST(m.roles AS text) LIKE ").bind(format!("%\"{}\"%", role.as_str()));
                }
                query.push(")");
            }
        }
        query.push(" ORDER BY m.user_id");
        let rows: Vec<RecipientRow> = query.all(&mut self.conn).await?;
        let mut recipients = Vec::with_capacity(rows.len());
        for row in rows {
            // The text may match where the list doesn't.
            let fits = match whom {
                Recipients::Roles(wanted) => {
                    roles(row.roles.clone())?.iter().any(|role| wanted.contains(role))
                }
                Recipients::Users(_) | Recipients::Employees(_) => true,
            };
            if fits {
                recipients.push(row.into());
            }
        }
        Ok(recipients)
    }

    async fn get(&mut self, user: UserId, id: NotificationId) -> Result<Option<Notification>, StoreError> {
        let row: Option<NotificationRow> = self
            .conn
            .optional(
                concat!(
                    "SELECT ",
                    columns!(),
                    " FROM notification WHERE tenant_id = $1 AND user_id = $2 AND id = $3"
                ),
                params![self.tenant, user, id],
            )
            .await?;
        Ok(row.map(Into::into))
    }

    async fn of(&mut self, user: UserId, ids: &[NotificationId]) -> Result<Vec<Notification>, StoreError> {
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(CHUNK) {
            let mut query = Query::with(
                concat!("SELECT ", columns!(), " FROM notification WHERE tenant_id = $1 AND user_id = $2"),
                params![self.tenant, user],
            );
            query.push(" AND id IN ").list(ids.iter().copied()).push(" ORDER BY created_at, id");
            let rows: Vec<NotificationRow> = query.all(&mut self.conn).await?;
            found.extend(rows.into_iter().map(Notification::from));
        }
        Ok(found)
    }

    async fn list(
        &mut self,
        user: UserId,
        filter: &InboxFilter,
        page: &PageRequest<InboxSort>,
    ) -> Result<Vec<Notification>, StoreError> {
        let mut query = Query::with(
            concat!(
                "SELECT ",
                columns!(),
                " FROM notification WHERE tenant_id = $1 AND user_id = $2 AND in_inbox"
            ),
            params![self.tenant, user],
        );
        match filter.read {
            Some(true) => query.push(" AND read_at IS NOT NULL"),
            Some(false) => query.push(" AND read_at IS NULL"),
            None => &mut query,
        };
        query.and(" AND kind = ", filter.kind.as_deref());
        query.and(" AND updated_at >= ", filter.updated_after);
        let InboxSort::CreatedAt = page.sort;
        query.page("created_at", "id", page, |key| Param::Instant(key.parse().ok()));
        let rows: Vec<NotificationRow> = query.all(&mut self.conn).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    async fn unread(&mut self, user: UserId) -> Result<i64, StoreError> {
        let (unread,): (i64,) = self
            .conn
            .one(
                "SELECT count(*) FROM notification \
                 WHERE tenant_id = $1 AND user_id = $2 AND in_inbox AND read_at IS NULL",
                params![self.tenant, user],
            )
            .await?;
        Ok(unread)
    }

    async fn repeated(
        &mut self,
        user: UserId,
        kind: &str,
        subject: &str,
        since: Timestamp,
    ) -> Result<Option<Notification>, StoreError> {
        let row: Option<NotificationRow> = self
            .conn
            .optional(
                concat!(
                    "SELECT ",
                    columns!(),
                    " FROM notification WHERE tenant_id = $1 AND user_id = $2 AND created_at >= $3 \
                     AND read_at IS NULL AND kind = $4 AND subject = $5 ORDER BY created_at DESC, id DESC LIMIT 1"
                ),
                params![self.tenant, user, since, kind, subject],
            )
            .await?;
        Ok(row.map(Into::into))
    }

    async fn insert(&mut self, one: &Notification) -> Result<bool, StoreError> {
        let inserted = self
            .conn
            .execute(
                "INSERT INTO notification (tenant_id, id, user_id, kind, title, body, language, subject, event_id, \
                   times, in_inbox, read_at, created_at, updated_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
                 ON CONFLICT (tenant_id, user_id, event_id, kind) DO NOTHING",
                params![
                    self.tenant,
                    one.id,
                    one.user_id,
                    one.r#type.as_str(),
                    one.title.as_str(),
                    one.body.as_str(),
                    one.language.as_str(),
                    one.subject.as_str(),
                    one.event_id,
                    one.times,
                    one.in_inbox,
                    one.read_at,
                    one.created_at,
                    one.updated_at,
                ],
            )
            .await?;
        Ok(inserted == 1)
    }

    async fn update(&mut self, one: &Notification) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE notification SET title = $4, body = $5, language = $6, event_id = $7, times = $8, updated_at = $9 \
                 WHERE tenant_id = $1 AND user_id = $2 AND id = $3",
                params![
                    self.tenant,
                    one.user_id,
                    one.id,
                    one.title.as_str(),
                    one.body.as_str(),
                    one.language.as_str(),
                    one.event_id,
                    one.times,
                    one.updated_at,
                ],
            )
            .await
    }

    async fn set_read(
        &mut self,
        user: UserId,
        id: NotificationId,
        read_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE notification SET read_at = $4, updated_at = $5 \
                 WHERE tenant_id = $1 AND user_id = $2 AND id = $3",
                params![self.tenant, user, id, read_at, now],
            )
            .await
    }

    async fn read_all(&mut self, user: UserId, until: Timestamp, now: Timestamp) -> Result<u64, StoreError> {
        self.conn
            .execute(
                "UPDATE notification SET read_at = $4, updated_at = $4 \
                 WHERE tenant_id = $1 AND user_id = $2 AND in_inbox AND read_at IS NULL AND created_at <= $3",
                params![self.tenant, user, until, now],
            )
            .await
    }

    async fn forget(&mut self, before: Timestamp, limit: u16) -> Result<(), StoreError> {
        const OLD: &str = "(SELECT id FROM notification WHERE tenant_id = $1 AND created_at < $2 \
             ORDER BY created_at, id LIMIT $3)";
        for head in [
            "DELETE FROM notification_delivery WHERE tenant_id = $1 AND notification_id IN ",
            "DELETE FROM notification WHERE tenant_id = $1 AND id IN ",
        ] {
            let mut query = Query::with(head, params![self.tenant, before, limit]);
            query.push(OLD);
            query.execute(&mut self.conn).await?;
        }
        Ok(())
    }
}
