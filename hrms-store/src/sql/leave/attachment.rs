//! Files of requests for leave in SQL.

use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::leave::{AttachmentType, LeaveAttachment};
use hrms_core::{LeaveAttachmentId, LeaveRequestId, StoreError, UserId};

use crate::instant::Instant;
use crate::query::params;
use crate::sql::{SqlTx, corrupt};

const TABLE: &str = "leave_attachment";

#[derive(FromRow)]
struct AttachmentRow {
    id: Uuid,
    request_id: Uuid,
    name: String,
    media_type: String,
    bytes: i64,
    sha256: String,
    added_by: Option<Uuid>,
    created_at: Instant,
}

impl TryFrom<AttachmentRow> for LeaveAttachment {
    type Error = StoreError;

    fn try_from(row: AttachmentRow) -> Result<Self, StoreError> {
        let media_type = AttachmentType::from_code(&row.media_type);
        Ok(Self {
            id: LeaveAttachmentId::from_uuid(row.id),
            leave_request_id: LeaveRequestId::from_uuid(row.request_id),
            name: row.name,
            media_type: media_type.ok_or_else(|| corrupt(TABLE, format!("type {}", row.media_type)))?,
            bytes: row.bytes,
            sha256: row.sha256,
            added_by: row.added_by.map(UserId::from_uuid),
            created_at: row.created_at.0,
        })
    }
}

#[derive(FromRow)]
struct ContentRow {
    #[sqlx(flatten)]
    attachment: AttachmentRow,
    content: Vec<u8>,
}

pub(super) async fn of(tx: &mut SqlTx, request: LeaveRequestId) -> Result<Vec<LeaveAttachment>, StoreError> {
    let rows: Vec<AttachmentRow> = tx
        .conn
        .all(
            "SELECT id, request_id, name, media_type, bytes, sha256, added_by, created_at FROM leave_attachment \
             WHERE tenant_id = $1 AND request_id = $2 ORDER BY id",
            params![tx.tenant, request],
        )
        .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

pub(super) async fn get(
    tx: &mut SqlTx,
    id: LeaveAttachmentId,
) -> Result<Option<(LeaveAttachment, Vec<u8>)>, StoreError> {
    let row: Option<ContentRow> = tx
        .conn
        .optional(
            "SELECT id, request_id, name, media_type, bytes, sha256, added_by, created_at, content \
             FROM leave_attachment WHERE tenant_id = $1 AND id = $2",
            params![tx.tenant, id],
        )
        .await?;
    row.map(|row| Ok((row.attachment.try_into()?, row.content))).transpose()
}

pub(super) async fn insert(
    tx: &mut SqlTx,
    attachment: &LeaveAttachment,
    content: Vec<u8>,
) -> Result<(), StoreError> {
    tx.conn
        .execute(
            "INSERT INTO leave_attachment (tenant_id, id, request_id, name, media_type, bytes, sha256, content, \
             added_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            params![
                tx.tenant,
                attachment.id,
                attachment.leave_request_id,
                attachment.name.clone(),
                attachment.media_type.code(),
                attachment.bytes,
                attachment.sha256.clone(),
                content,
                attachment.added_by,
                attachment.created_at,
            ],
        )
        .await?;
    Ok(())
}

pub(super) async fn remove(tx: &mut SqlTx, id: LeaveAttachmentId) -> Result<(), StoreError> {
    let params = params![tx.tenant, id];
    tx.conn.execute("DELETE FROM leave_attachment WHERE tenant_id = $1 AND id = $2", params).await?;
    Ok(())
}
