//! What an import did, counted and told row by row.

use serde::{Deserialize, Serialize};

use crate::audit::Audited;
use crate::employment::coded;
use crate::id::ImportId;
use crate::import::{ImportKind, ImportMode};

coded! {
    /// Whether a remark kept its row from being imported.
    Severity {
        /// The row wasn't imported.
        Error = "error",
        /// The row was imported; something beside it wasn't done.
        Warning = "warning",
    }
}

/// A remark about one row of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RowError {
    /// The line of the file on which the row begins; the header is on line 1.
    pub row: u32,
    /// The column at fault, as the file names it.
    pub column: Option<String>,
    /// Whether the row was kept out.
    pub severity: Severity,
    /// A stable machine-readable name such as `not-a-date`.
    pub code: String,
    /// One sentence for a person.
    pub detail: String,
}

/// What became of the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Counts {
    /// Rows that added something.
    pub created: u32,
    /// Rows that changed something.
    pub updated: u32,
    /// Rows that said what was known already.
    pub unchanged: u32,
    /// Rows that were kept out.
    pub failed: u32,
    /// Remarks about rows that were imported.
    pub warnings: u32,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self) {
        self.created += other.created;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.failed += other.failed;
        self.warnings += other.warnings;
    }
}

/// The result of an import, as its job shows it.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ImportResult {
    /// The import.
    pub import_id: ImportId,
    /// What the file was about.
    pub kind: ImportKind,
    /// What became of good rows beside bad ones.
    pub mode: ImportMode,
    /// Whether it only checked.
    pub dry_run: bool,
    /// Whether anything was to be written: neither a dry run nor all-or-nothing with bad rows.
    pub applied: bool,
    /// Rows of the file, without the header.
    pub rows: u32,
    /// What became of them, or would become of them in a dry run.
    #[serde(flatten)]
    pub counts: Counts,
    /// The first remarks, by row; all of them are at `errors_url`.
    pub errors: Vec<RowError>,
    /// Where all remarks can be downloaded as CSV.
    pub errors_url: String,
}

impl Audited for ImportResult {
    // Remarks repeat what the file says of people.
    const MASKED: &'static [&'static str] = &["errors"];
}

/// What the rows of one chunk gave.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) counts: Counts,
    pub(crate) errors: Vec<RowError>,
}

impl Report {
    /// Counts a row as kept out, for one or more reasons.
    pub(crate) fn fail(&mut self, faults: Vec<RowError>) {
        self.counts.failed += 1;
        self.errors.extend(faults);
    }

    /// Remarks about a row that is imported nevertheless.
    pub(crate) fn warn(&mut self, row: u32, column: Option<&str>, code: &str, detail: String) {
        self.counts.warnings += 1;
        self.errors.push(RowError {
            row,
            column: column.map(str::to_owned),
            severity: Severity::Warning,
            code: code.to_owned(),
            detail,
        });
    }
}
