//! Why something about holidays was refused.

use jiff::civil::Date;

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
    /// The day isn't a restricted holiday where the employee works on it.
    #[error("{on} is no restricted holiday where the employee works on that day")]
    NotRestricted {
        /// The day.
        on: Date,
    },
    /// The employee has chosen this day already.
    #[error("this day was chosen already")]
    ChosenAlready,
    /// Employees choose before the day.
    #[error("this day isn't ahead any more")]
    Past,
    /// There are too few days until the holiday.
    #[error("restricted holidays are chosen at least {least} days before")]
    NoticeTooShort {
        /// Days between choosing and the holiday, at least.
        least: u16,
    },
    /// The employee has chosen as many of that year as may be.
    #[error("at most {most} restricted holidays can be chosen in a year")]
    NoneLeft {
        /// How many.
        most: u16,
    },
    /// The employee has asked for leave over the day.
    #[error("there is leave on this day: it would be more of it")]
    OnLeave,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

impl DomainError for HolidayError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotRestricted { .. } => ErrorKind::Invalid,
            Self::Common(common) => common.kind(),
            _ => ErrorKind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::CodeTaken => "holiday-calendar.code-taken",
            Self::InUse => "holiday-calendar.in-use",
            Self::DayTaken => "holiday.taken",
            Self::NotRestricted { .. } => "holiday-choice.not-restricted",
            Self::ChosenAlready => "holiday-choice.taken",
            Self::Past => "holiday-choice.past",
            Self::NoticeTooShort { .. } => "holiday-choice.notice-too-short",
            Self::NoneLeft { .. } => "holiday-choice.none-left",
            Self::OnLeave => "holiday-choice.on-leave",
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
            Some("holiday_choice_pkey") => Self::ChosenAlready,
            _ => Self::Common(error.into()),
        }
    }
}
