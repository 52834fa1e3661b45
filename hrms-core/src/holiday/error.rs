//! Why something about holidays was refused.

use crate::error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};

/// Why something about holidays was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HolidayError {
    /// The code is another calendar's.
    #[error("another holiday calendar has this code")]
    CodeTaken,
    /// The calendar has or had holidays, or a location has or had it.
    #[error("a location has this calendar, or had it once, or holidays were recorded in it")]
    InUse,
    /// The day is a holiday of the calendar already.
    #[error("this day is a holiday of the calendar already")]
    DayTaken,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

impl DomainError for HolidayError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Common(common) => common.kind(),
            _ => ErrorKind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::CodeTaken => "holiday-calendar.code-taken",
            Self::InUse => "holiday-calendar.in-use",
            Self::DayTaken => "holiday.taken",
            Self::Common(common) => common.code(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::Common(common) => common.fields(),
            _ => &[],
        }
    }
}

impl From<CommonError> for HolidayError {
    fn from(error: CommonError) -> Self {
        Self::Common(error)
    }
}

impl From<StoreError> for HolidayError {
    fn from(error: StoreError) -> Self {
        match error.constraint() {
            Some("holiday_calendar_code_key") => Self::CodeTaken,
            Some("holiday_pkey") => Self::DayTaken,
            _ => Self::Common(error.into()),
        }
    }
}
