//! Why something about an employee was refused.

use jiff::civil::Date;

use crate::employment::{Cycle, TimelineError};
use crate::error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};

/// Why something about an employee was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EmployeeError {
    /// The number is another employee's.
    #[error("another employee has this number")]
    NumberTaken,
    /// The e-mail address is another employee's.
    #[error("another employee has this e-mail address")]
    EmailTaken,
    /// People don't change this of themselves.
    #[error("somebody else has to change this: it is about you, or about somebody as whom you count")]
    OwnDetails,
    /// The employee would be above themselves in the reporting line.
    #[error("the reporting line would have a cycle on {on}")]
    ReportingCycle {
        /// A day on which it would.
        on: Date,
        /// The field at fault.
        fields: [FieldError; 1],
    },
    /// The manager isn't employed on the first day of the relation.
    #[error("the manager isn't employed on {on}")]
    ManagerNotEmployed {
        /// The day.
        on: Date,
        /// The field at fault.
        fields: [FieldError; 1],
    },
    /// There is no employment on a day that the change is about.
    #[error("not employed on {on}")]
    NotEmployed {
        /// The day.
        on: Date,
    },
    /// An employment already covers the day or begins after it.
    #[error("an employment already covers {on} or begins after it")]
    StillEmployed {
        /// The day.
        on: Date,
    },
    /// Two employment records would be in force on the same day.
    #[error("two employment records would be in force on the same day")]
    RecordsOverlap,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

impl EmployeeError {
    /// The refused manager, with the field at fault.
    #[must_use]
    pub fn manager_not_employed(on: Date) -> Self {
        let detail = format!("this employee isn't employed on {on}");
        Self::ManagerNotEmployed { on, fields: [FieldError::new("/manager_id", "not-employed", detail)] }
    }
}

impl From<Cycle> for EmployeeError {
    fn from(cycle: Cycle) -> Self {
        let detail = format!("on {} this employee reports, directly or not, to the one changed", cycle.on);
        Self::ReportingCycle { on: cycle.on, fields: [FieldError::new("/manager_id", "cycle", detail)] }
    }
}

impl From<TimelineError> for EmployeeError {
    fn from(error: TimelineError) -> Self {
        match error {
            TimelineError::NotEmployed { on } => Self::NotEmployed { on },
            TimelineError::StillEmployed { on } => Self::StillEmployed { on },
            TimelineError::Overlap { .. } => Self::RecordsOverlap,
        }
    }
}

impl DomainError for EmployeeError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NumberTaken | Self::EmailTaken | Self::StillEmployed { .. } | Self::RecordsOverlap => {
                ErrorKind::Conflict
            }
            Self::ReportingCycle { .. } | Self::ManagerNotEmployed { .. } => ErrorKind::Invalid,
            Self::OwnDetails => ErrorKind::Forbidden,
            Self::NotEmployed { .. } => ErrorKind::Conflict,
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NumberTaken => "employee.number-taken",
            Self::EmailTaken => "employee.email-taken",
            Self::OwnDetails => "employee.own-details",
            Self::ReportingCycle { .. } => "employee.reporting-cycle",
            Self::ManagerNotEmployed { .. } => "employee.manager-not-employed",
            Self::NotEmployed { .. } => "employee.not-employed",
            Self::StillEmployed { .. } => "employee.still-employed",
            Self::RecordsOverlap => "employee.records-overlap",
            Self::Common(common) => common.code(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::ReportingCycle { fields, .. } | Self::ManagerNotEmployed { fields, .. } => fields,
            Self::Common(common) => common.fields(),
            _ => &[],
        }
    }
}

impl From<CommonError> for EmployeeError {
    fn from(error: CommonError) -> Self {
        Self::Common(error)
    }
}

impl From<StoreError> for EmployeeError {
    fn from(error: StoreError) -> Self {
        match error.constraint() {
            Some("employee_number_key") => Self::NumberTaken,
            Some("employee_email_key") => Self::EmailTaken,
            Some("employee_detail_employee_fkey") => Self::Common(CommonError::NotFound { what: "employee" }),
            Some("employment_record_no_overlap" | "employment_record_pkey") => Self::RecordsOverlap,
            _ => Self::Common(error.into()),
        }
    }
}
