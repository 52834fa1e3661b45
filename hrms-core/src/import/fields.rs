//! The fields that each kind of file may have.

use crate::import::ImportKind;

/// A field of a kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name, and the name of its column unless a mapping says otherwise.
    pub name: &'static str,
    /// Whether a file must have it.
    pub required: bool,
    /// What a cell may look like.
    pub example: &'static str,
}

const fn must(name: &'static str, example: &'static str) -> Field {
    Field { name, required: true, example }
}

const fn may(name: &'static str, example: &'static str) -> Field {
    Field { name, required: false, example }
}

const LOCATIONS: &[Field] = &[must("code", "pune"), must("name", "Pune"), must("time_zone", "Asia/Kolkata")];

const DEPARTMENTS: &[Field] = &[must("code", "dev"), must("name", "Development"), may("parent", "")];

const DESIGNATIONS: &[Field] = &[must("code", "engineer"), must("name", "Engineer")];

const EMPLOYEES: &[Field] = &[
    // Which of the first two is required depends on the key: see `ImportKind::required`.
    may("number", "E-00001"),
    may("email", "asha.rao@example.com"),
    must("given_name", "Asha"),
    must("family_name", "Rao"),
    may("birth_date", "1990-05-17"),
    may("gender", "female"),
    must("hired_on", "2024-04-01"),
    may("department", "dev"),
    may("designation", "engineer"),
    may("location", "pune"),
    may("manager", ""),
    may("employment_type", "full_time"),
];

const EMPLOYMENT_HISTORY: &[Field] = &[
    must("employee", "E-00001"),
    must("from", "2024-04-01"),
    may("to", ""),
    may("department", "dev"),
    may("designation", "engineer"),
    may("location", "pune"),
    may("manager", ""),
    may("employment_type", "full_time"),
    may("status", "active"),
];

const DEPARTMENT_HEADS: &[Field] =
    &[must("department", "dev"), must("employee", "E-00001"), must("from", "2024-04-01"), may("to", "")];

const OPENING_BALANCES: &[Field] = &[
    must("employee", "E-00001"),
    must("leave_type", "annual"),
    must("as_of", "2026-04-01"),
    may("days", "12.5"),
    may("minutes", ""),
    may("valid_to", ""),
];

/// The fields that state a fact of an employment.
pub(crate) const FACTS: &[&str] =
    &["department", "designation", "location", "manager", "employment_type", "status"];

/// The fields of a kind, in the order of its template.
pub(crate) const fn of(kind: ImportKind) -> &'static [Field] {
    match kind {
        ImportKind::Locations => LOCATIONS,
        ImportKind::Departments => DEPARTMENTS,
        ImportKind::Designations => DESIGNATIONS,
        ImportKind::Employees => EMPLOYEES,
        ImportKind::EmploymentHistory => EMPLOYMENT_HISTORY,
        ImportKind::DepartmentHeads => DEPARTMENT_HEADS,
        ImportKind::OpeningBalances => OPENING_BALANCES,
    }
}

/// The fields by which existing rows of a kind can be recognised, the default first.
pub(crate) const fn keys(kind: ImportKind) -> &'static [&'static str] {
    match kind {
        ImportKind::Locations | ImportKind::Departments | ImportKind::Designations => &["code"],
        ImportKind::Employees => &["number", "email"],
        ImportKind::EmploymentHistory | ImportKind::DepartmentHeads | ImportKind::OpeningBalances => &[],
    }
}
