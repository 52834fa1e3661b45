//! Why something about a role was refused.

use crate::error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};

/// Why something about a role was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RoleError {
    /// The code is another role's.
    #[error("another role has this code")]
    CodeTaken,
    /// Somebody has it.
    #[error("somebody still has this role")]
    InUse,
    /// Built-in roles stay as they are.
    #[error("built-in roles can't be changed or removed")]
    BuiltIn,
    /// The role holds, or would hold, more than the actor could hand out.
    #[error("the role holds what you don't, or what a policy can forbid you")]
    NotYours,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

impl DomainError for RoleError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::CodeTaken | Self::InUse | Self::BuiltIn => ErrorKind::Conflict,
            Self::NotYours => ErrorKind::Forbidden,
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::CodeTaken => "role.code-taken",
            Self::InUse => "role.in-use",
            Self::BuiltIn => "role.built-in",
            Self::NotYours => "role.not-yours",
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

impl From<CommonError> for RoleError {
    fn from(error: CommonError) -> Self {
        Self::Common(error)
    }
}

impl From<StoreError> for RoleError {
    fn from(error: StoreError) -> Self {
        match error.constraint() {
            Some("role_code_key") => Self::CodeTaken,
            Some("membership_role_fkey") => Self::InUse,
            _ => Self::Common(error.into()),
        }
    }
}
