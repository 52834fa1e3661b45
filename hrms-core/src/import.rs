//! Imports: CSV files that become people and their history, row by row or all at once (P32).
//!
//! A file is stored with the job that will read it. The job works in chunks, each one unit of work
//! with its own progress, so that a killed import goes on behind the last chunk that was committed.
//! Nothing is silently repaired: whatever can't be stored as it stands is reported with row and column.

pub(crate) mod cell;
mod codes;
mod employees;
mod error;
mod fields;
mod heads;
mod history;
mod job;
mod openings;
mod places;
mod plan;
mod record;
mod report;
mod service;
mod table;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::audit::Audited;
use crate::employment::coded;
use crate::policy::Permission;

pub use cell::{escape, unescape};
pub use error::ImportError;
pub use fields::Field;
pub use job::ImportJob;
pub use record::{ImportRecord, ImportRepo, ImportState, ImportView};
pub use report::{Counts, ImportResult, RowError, Severity};
pub use service::ImportService;

coded! {
    /// What a file is about.
    ImportKind {
        /// Workplaces.
        Locations = "locations",
        /// Departments, with what they are part of.
        Departments = "departments",
        /// Job titles.
        Designations = "designations",
        /// People, optionally with the first record of their employment.
        Employees = "employees",
        /// Facts of employments, each for a period.
        EmploymentHistory = "employment_history",
        /// Who heads which department when.
        DepartmentHeads = "department_heads",
        /// How much leave people brought along when this system was introduced.
        OpeningBalances = "opening_balances",
    }
}

impl ImportKind {
    /// What importing it needs, besides [`Permission::ImportRun`].
    #[must_use]
    pub const fn permission(self) -> Permission {
        match self {
            Self::Locations => Permission::LocationManage,
            Self::Departments | Self::DepartmentHeads => Permission::DepartmentManage,
            Self::Designations => Permission::DesignationManage,
            Self::Employees | Self::EmploymentHistory => Permission::EmployeeManage,
            Self::OpeningBalances => Permission::LeaveGrant,
        }
    }

    /// What becomes of the good rows when others are bad, unless somebody says so.
    #[must_use]
    pub const fn usual_mode(self) -> ImportMode {
        match self {
            // Balances that are there for some people only are taken for complete.
            Self::OpeningBalances => ImportMode::AllOrNothing,
            _ => ImportMode::PerRow,
        }
    }
}

coded! {
    /// What becomes of the good rows when others are bad.
    #[derive(Default)]
    ImportMode {
        /// Good rows are imported, bad ones reported.
        #[default]
        PerRow = "per_row",
        /// Nothing is imported unless every row is good.
        AllOrNothing = "all_or_nothing",
    }
}

/// How a file is to be imported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewImport {
    /// What the file is about.
    pub kind: ImportKind,
    /// What becomes of the good rows when others are bad.
    #[serde(default)]
    pub mode: ImportMode,
    /// Check everything, write nothing.
    #[serde(default)]
    pub dry_run: bool,
    /// The field by which an existing row is recognised: `number` (the default) or `email` for
    /// employees, `code` for the others that have one.
    #[serde(default)]
    pub key: Option<String>,
    /// From the file's column names to our fields; `null` leaves a column out. Columns that have the
    /// name of a field need no entry.
    #[serde(default)]
    pub mapping: BTreeMap<String, Option<String>>,
    /// Values for fields that the file has no column for, or an empty cell.
    #[serde(default)]
    pub defaults: BTreeMap<String, String>,
    /// Employment history: add designations that don't exist, named as in the file.
    #[serde(default)]
    pub create_missing_designations: bool,
    /// Department heads: make the head the manager of the department's members who have none.
    #[serde(default)]
    pub assign_managers: bool,
    /// The file's name, to recognise it by.
    #[serde(default)]
    pub file_name: Option<String>,
}

impl Audited for NewImport {
    // A default can be a value of any column.
    const MASKED: &'static [&'static str] = &["defaults"];
}

impl NewImport {
    /// A plain import of a kind: in its usual mode, for real, with columns named like the fields.
    #[must_use]
    pub fn of(kind: ImportKind) -> Self {
        Self {
            kind,
            mode: kind.usual_mode(),
            dry_run: false,
            key: None,
            mapping: BTreeMap::new(),
            defaults: BTreeMap::new(),
            create_missing_designations: false,
            assign_managers: false,
            file_name: None,
        }
    }

    /// The permissions that it needs, besides [`Permission::ImportRun`].
    #[must_use]
    pub fn permissions(&self) -> Vec<Permission> {
        let mut needed = vec![self.kind.permission()];
        if self.kind == ImportKind::Employees {
            // Files of people carry birth dates and the like.
            needed.push(Permission::EmployeeManagePersonal);
        }
        if self.create_missing_designations {
            needed.push(Permission::DesignationManage);
        }
        if self.assign_managers {
            needed.push(Permission::EmployeeManage);
        }
        needed
    }

    /// Whether employees are recognised by their e-mail address.
    pub(crate) fn by_email(&self) -> bool {
        self.key.as_deref() == Some("email")
    }
}

/// The CSV header of a kind and one example row: a template to fill in.
#[must_use]
pub fn template(kind: ImportKind) -> String {
    let fields = fields::of(kind);
    let names: Vec<_> = fields.iter().map(|field| field.name).collect();
    let examples: Vec<_> = fields.iter().map(|field| field.example).collect();
    format!("{}\r\n{}\r\n", names.join(","), examples.join(","))
}
