//! Why something about a working pattern was refused.

use crate::error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};

/// Why something about a working pattern was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkPatternError {
    /// The code is another pattern's.
    #[error("another working pattern has this code")]
    CodeTaken,
    /// A location or an employee has it, or had it once.
    #[error("a location or an employee has this pattern, or had it once")]
    InUse,
    /// It is about the actor.
    #[error("somebody else has to change this: it is about you, or about somebody as whom you count")]
    Own,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

impl DomainError for WorkPatternError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::CodeTaken | Self::InUse => ErrorKind::Conflict,
            Self::Own => ErrorKind::Forbidden,
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::CodeTaken => "work-pattern.code-taken",
            Self::InUse => "work-pattern.in-use",
            Self::Own => "work-pattern.own",
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

impl From<CommonError> for WorkPatternError {
    fn from(error: CommonError) -> Self {
        Self::Common(error)
    }
}

impl From<StoreError> for WorkPatternError {
    fn from(error: StoreError) -> Self {
        match error.constraint() {
            Some("work_pattern_code_key") => Self::CodeTaken,
            _ => Self::Common(error.into()),
        }
    }
}
