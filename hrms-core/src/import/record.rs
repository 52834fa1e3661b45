//! An import as it is stored and shown, and what is asked of storage.

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;

use crate::error::StoreError;
use crate::id::{ImportId, JobId, UserId};
use crate::import::{Counts, ImportKind, ImportMode, NewImport, RowError};
use crate::job::JobView;

/// How far an import has come: what a new run goes on from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportState {
    /// Units (rows, or groups of rows that belong together) that are done; `None` before it began.
    pub units_done: Option<u32>,
    /// Rows that are done.
    pub rows_done: u32,
    /// What became of them.
    pub counts: Counts,
    /// Remarks that are stored.
    pub remarks: u32,
}

/// An import as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportRecord {
    /// Its id.
    pub id: ImportId,
    /// The job that runs it.
    pub job: JobId,
    /// Who asked for it.
    pub requested_by: Option<UserId>,
    /// How.
    pub settings: NewImport,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// How far it has come.
    pub state: ImportState,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// An import as shown to people.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportView {
    /// Its id.
    pub id: ImportId,
    /// The job that runs it.
    pub job_id: JobId,
    /// What the file is about.
    pub kind: ImportKind,
    /// What becomes of the good rows when others are bad.
    pub mode: ImportMode,
    /// Whether it only checks.
    pub dry_run: bool,
    /// The file's name, if it was given.
    pub file_name: Option<String>,
    /// The file's size.
    pub bytes: u64,
    /// Who asked for it.
    pub requested_by: Option<UserId>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// The job: state, progress, result.
    pub job: JobView,
}

impl ImportView {
    pub(crate) fn of(import: ImportRecord, job: JobView) -> Self {
        Self {
            id: import.id,
            job_id: import.job,
            kind: import.settings.kind,
            mode: import.settings.mode,
            dry_run: import.settings.dry_run,
            file_name: import.settings.file_name,
            bytes: import.bytes,
            requested_by: import.requested_by,
            created_at: import.created_at,
            job,
        }
    }
}

/// Imports and their files in storage.
#[async_trait]
pub trait ImportRepo: Send {
    /// Adds an import with its file.
    async fn insert(&mut self, import: &ImportRecord, file: &[u8]) -> Result<(), StoreError>;
    /// The import with this id.
    async fn get(&mut self, id: ImportId) -> Result<Option<ImportRecord>, StoreError>;
    /// The file; empty once it was dropped.
    async fn file(&mut self, id: ImportId) -> Result<Vec<u8>, StoreError>;
    /// Forgets the file, which may be full of personal data.
    async fn drop_file(&mut self, id: ImportId) -> Result<(), StoreError>;
    /// Writes how far it has come.
    async fn set_state(
        &mut self,
        id: ImportId,
        state: &ImportState,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Adds remarks behind the `after` that are there.
    async fn add_errors(&mut self, id: ImportId, after: u32, errors: &[RowError]) -> Result<(), StoreError>;
    /// The first `limit` remarks by row.
    async fn errors(&mut self, id: ImportId, limit: u32) -> Result<Vec<RowError>, StoreError>;
}
