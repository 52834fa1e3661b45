//! Imports in SQL.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::import::{ImportRecord, ImportRepo, ImportState, RowError, Severity};
use hrms_core::{ImportId, JobId, StoreError, UserId};

use crate::instant::Instant;
use crate::query::{insert_many, params};
use crate::sql::{SqlTx, corrupt};

const TABLE: &str = "import";

/// Size of the parts that a file is stored in.
const PART: usize = 1 << 20;

#[derive(FromRow)]
struct ImportRow {
    id: Uuid,
    job_id: Uuid,
    requested_by: Option<Uuid>,
    settings: Value,
    bytes: i64,
    units_done: Option<i64>,
    rows_done: i64,
    counts: Value,
    remarks: i64,
    created_at: Instant,
    updated_at: Instant,
}

impl TryFrom<ImportRow> for ImportRecord {
    type Error = StoreError;

    fn try_from(row: ImportRow) -> Result<Self, StoreError> {
        let count = |n: i64| u32::try_from(n).map_err(|error| corrupt(TABLE, error));
        Ok(Self {
            id: ImportId::from_uuid(row.id),
            job: JobId::from_uuid(row.job_id),
            requested_by: row.requested_by.map(UserId::from_uuid),
            settings: serde_json::from_value(row.settings).map_err(|error| corrupt(TABLE, error))?,
            bytes: u64::try_from(row.bytes).map_err(|error| corrupt(TABLE, error))?,
            state: ImportState {
                units_done: row.units_done.map(count).transpose()?,
                rows_done: count(row.rows_done)?,
                counts: serde_json::from_value(row.counts).map_err(|error| corrupt(TABLE, error))?,
                remarks: count(row.remarks)?,
            },
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
        })
    }
}

#[derive(FromRow)]
struct ErrorRow {
    row_number: i64,
    column_name: Option<String>,
    severity: String,
    code: String,
    detail: String,
}

impl TryFrom<ErrorRow> for RowError {
    type Error = StoreError;

    fn try_from(row: ErrorRow) -> Result<Self, StoreError> {
        let severity = Severity::from_code(&row.severity);
        Ok(Self {
            row: u32::try_from(row.row_number).map_err(|error| corrupt("import_error", error))?,
            column: row.column_name,
            severity: severity.ok_or_else(|| corrupt("import_error", row.severity))?,
            code: row.code,
            detail: row.detail,
        })
    }
}

fn json(value: &impl serde::Serialize) -> Result<Value, StoreError> {
    serde_json::to_value(value).map_err(|error| corrupt(TABLE, error))
}

#[async_trait]
impl ImportRepo for SqlTx {
    async fn insert(&mut self, import: &ImportRecord, file: &[u8]) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO import (tenant_id, id, job_id, requested_by, settings, bytes, units_done, rows_done, \
                 counts, remarks, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                params![
                    self.tenant,
                    import.id,
                    import.job,
                    import.requested_by,
                    json(&import.settings)?,
                    i64::try_from(import.bytes).unwrap_or(i64::MAX),
                    import.state.units_done.map(i64::from),
                    i64::from(import.state.rows_done),
                    json(&import.state.counts)?,
                    i64::from(import.state.remarks),
                    import.created_at,
                    import.updated_at,
                ],
            )
            .await?;
        for (part, content) in (0_i64..).zip(file.chunks(PART)) {
            self.conn
                .execute(
                    "INSERT INTO import_part (tenant_id, import_id, part, content) VALUES ($1, $2, $3, $4)",
                    params![self.tenant, import.id, part, content.to_vec()],
                )
                .await?;
        }
        Ok(())
    }

    async fn get(&mut self, id: ImportId) -> Result<Option<ImportRecord>, StoreError> {
        let row: Option<ImportRow> = self
            .conn
            .optional(
                "SELECT id, job_id, requested_by, settings, bytes, units_done, rows_done, counts, remarks, \
                 created_at, updated_at FROM import WHERE tenant_id = $1 AND id = $2",
                params![self.tenant, id],
            )
            .await?;
        row.map(TryInto::try_into).transpose()
    }

    async fn file(&mut self, id: ImportId) -> Result<Vec<u8>, StoreError> {
        let parts: Vec<(Vec<u8>,)> = self
            .conn
            .all(
                "SELECT content FROM import_part WHERE tenant_id = $1 AND import_id = $2 ORDER BY part",
                params![self.tenant, id],
            )
            .await?;
        Ok(parts.into_iter().flat_map(|(content,)| content).collect())
    }

    async fn drop_file(&mut self, id: ImportId) -> Result<(), StoreError> {
        self.conn
            .execute(
                "DELETE FROM import_part WHERE tenant_id = $1 AND import_id = $2",
                params![self.tenant, id],
            )
            .await?;
        Ok(())
    }

    async fn set_state(
        &mut self,
        id: ImportId,
        state: &ImportState,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE import SET units_done = $3, rows_done = $4, counts = $5, remarks = $6, updated_at = $7 \
                 WHERE tenant_id = $1 AND id = $2",
                params![
                    self.tenant,
                    id,
                    state.units_done.map(i64::from),
                    i64::from(state.rows_done),
                    json(&state.counts)?,
                    i64::from(state.remarks),
                    now,
                ],
            )
            .await
    }

    async fn add_errors(&mut self, id: ImportId, after: u32, errors: &[RowError]) -> Result<(), StoreError> {
        let tenant = self.tenant;
        let rows: Vec<_> = errors
            .iter()
            .zip(i64::from(after)..)
            .map(|(error, position)| {
                params![
                    tenant,
                    id,
                    i64::from(error.row),
                    position,
                    error.column.as_deref(),
                    error.severity.code(),
                    error.code.as_str(),
                    error.detail.as_str(),
                ]
            })
            .collect();
        insert_many(
            &mut self.conn,
            "INSERT INTO import_error (tenant_id, import_id, row_number, position, column_name, severity, code, detail) VALUES ",
            rows,
            "",
        )
        .await?;
        Ok(())
    }

    async fn errors(&mut self, id: ImportId, limit: u32) -> Result<Vec<RowError>, StoreError> {
        let rows: Vec<ErrorRow> = self
            .conn
            .all(
                "SELECT row_number, column_name, severity, code, detail FROM import_error \
                 WHERE tenant_id = $1 AND import_id = $2 ORDER BY row_number, position LIMIT $3",
                params![self.tenant, id, i64::from(limit)],
            )
            .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }
}
