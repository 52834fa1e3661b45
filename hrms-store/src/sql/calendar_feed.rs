//! Calendar feeds in SQL.

use async_trait::async_trait;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::calendar_feed::{CalendarFeed, CalendarFeedKind, CalendarFeedRepo};
use hrms_core::{CalendarFeedId, DepartmentId, StoreError, UserId};

use crate::instant::Instant;
use crate::query::params;
use crate::sql::{SqlTx, corrupt};

const TABLE: &str = "calendar_feed";

#[derive(FromRow)]
struct FeedRow {
    id: Uuid,
    user_id: Uuid,
    kind: String,
    department_id: Option<Uuid>,
    name: String,
    created_at: Instant,
    renewed_at: Option<Instant>,
}

#[derive(FromRow)]
struct HashedRow {
    #[sqlx(flatten)]
    feed: FeedRow,
    secret_hash: Vec<u8>,
}

impl TryFrom<FeedRow> for CalendarFeed {
    type Error = StoreError;

    fn try_from(row: FeedRow) -> Result<Self, StoreError> {
        let kind = CalendarFeedKind::from_code(&row.kind);
        Ok(Self {
            id: CalendarFeedId::from_uuid(row.id),
            user_id: UserId::from_uuid(row.user_id),
            kind: kind.ok_or_else(|| corrupt(TABLE, format!("kind {}", row.kind)))?,
            department_id: row.department_id.map(DepartmentId::from_uuid),
            name: row.name,
            created_at: row.created_at.0,
            renewed_at: row.renewed_at.map(|at| at.0),
        })
    }
}

#[async_trait]
impl CalendarFeedRepo for SqlTx {
    async fn get(&mut self, id: CalendarFeedId) -> Result<Option<CalendarFeed>, StoreError> {
        let row: Option<FeedRow> = self
            .conn
            .optional(
                "SELECT id, user_id, kind, department_id, name, created_at, renewed_at FROM calendar_feed \
                 WHERE tenant_id = $1 AND id = $2",
                params![self.tenant, id],
            )
            .await?;
        row.map(TryInto::try_into).transpose()
    }

    async fn of_user(&mut self, user: UserId) -> Result<Vec<CalendarFeed>, StoreError> {
        let rows: Vec<FeedRow> = self
            .conn
            .all(
                "SELECT id, user_id, kind, department_id, name, created_at, renewed_at FROM calendar_feed \
                 WHERE tenant_id = $1 AND user_id = $2 ORDER BY created_at, id",
                params![self.tenant, user],
            )
            .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    async fn with_hash(
        &mut self,
        id: CalendarFeedId,
    ) -> Result<Option<(CalendarFeed, [u8; 32])>, StoreError> {
        let row: Option<HashedRow> = self
            .conn
            .optional(
                "SELECT id, user_id, kind, department_id, name, created_at, renewed_at, secret_hash \
                 FROM calendar_feed WHERE tenant_id = $1 AND id = $2",
                params![self.tenant, id],
            )
            .await?;
        let Some(row) = row else { return Ok(None) };
        let hash = row.secret_hash.try_into();
        let hash = hash.map_err(|hash: Vec<u8>| corrupt(TABLE, format!("a hash of {} bytes", hash.len())))?;
        Ok(Some((row.feed.try_into()?, hash)))
    }

    async fn insert(&mut self, feed: &CalendarFeed, secret_hash: &[u8; 32]) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO calendar_feed (tenant_id, id, user_id, kind, department_id, name, secret_hash, \
                 created_at, renewed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                params![
                    self.tenant,
                    feed.id,
                    feed.user_id,
                    feed.kind.code(),
                    feed.department_id,
                    feed.name.as_str(),
                    secret_hash.to_vec(),
                    feed.created_at,
                    feed.renewed_at,
                ],
            )
            .await?;
        Ok(())
    }

    async fn renew(&mut self, feed: &CalendarFeed, secret_hash: &[u8; 32]) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE calendar_feed SET secret_hash = $3, renewed_at = $4 WHERE tenant_id = $1 AND id = $2",
                params![self.tenant, feed.id, secret_hash.to_vec(), feed.renewed_at],
            )
            .await
    }

    async fn remove(&mut self, id: CalendarFeedId) -> Result<(), StoreError> {
        self.conn
            .execute("DELETE FROM calendar_feed WHERE tenant_id = $1 AND id = $2", params![self.tenant, id])
            .await?;
        Ok(())
    }
}
