//! Why something about a user is refused.

use crate::error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};
use crate::policy::RoleName;

/// Why something about a user was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UserError {
    /// The e-mail address is another account's.
    #[error("another account has this e-mail address")]
    EmailTaken,
    /// Another user is that employee.
    #[error("another user is this employee")]
    EmployeeTaken,
    /// The role holds more than the actor could hand out.
    #[error(
        "you can't give or take the role {role}: it holds what you don't, or what a policy can forbid you"
    )]
    RoleNotYours {
        /// The role.
        role: RoleName,
    },
    /// Which employee a user is, is not theirs to change once it is set.
    #[error("somebody else has to change which employee you are")]
    OwnEmployee,
    /// Whoever is linked to an employee sees what the actor may not see of them.
    #[error(
        "who is linked to an employee sees their pay and private data, and you don't: invite them at the employee's own address, if it isn't you who changed that last"
    )]
    LinkNotYours,
    /// Whoever chose the account's password could log in as the employee.
    #[error(
        "somebody else chose this account's password and could log in as the employee: have it reset by mail first"
    )]
    PasswordNotTheirs,
    /// The organisation would be left without an owner.
    #[error("this is the organisation's last owner")]
    LastOwner,
    /// The user was removed.
    #[error("this user was removed; invite them again")]
    Removed,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

impl DomainError for UserError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::EmailTaken
            | Self::EmployeeTaken
            | Self::PasswordNotTheirs
            | Self::LastOwner
            | Self::Removed => ErrorKind::Conflict,
            Self::RoleNotYours { .. } | Self::OwnEmployee | Self::LinkNotYours => ErrorKind::Forbidden,
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::EmailTaken => "user.email-taken",
            Self::EmployeeTaken => "user.employee-taken",
            Self::RoleNotYours { .. } => "user.role-not-yours",
            Self::OwnEmployee => "user.own-employee",
            Self::LinkNotYours => "user.link-not-yours",
            Self::PasswordNotTheirs => "user.password-not-theirs",
            Self::LastOwner => "user.last-owner",
            Self::Removed => "user.removed",
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

impl From<CommonError> for UserError {
    fn from(error: CommonError) -> Self {
        Self::Common(error)
    }
}

impl From<StoreError> for UserError {
    fn from(error: StoreError) -> Self {
        match error.constraint() {
            Some("user_account_email_key") => Self::EmailTaken,
            Some("membership_employee_key") => Self::EmployeeTaken,
            Some("membership_role_fkey") => {
                Self::Common(CommonError::invalid("/roles", "unknown-value", "there is no such role"))
            }
            // The only reference that comes from outside.
            Some("membership_employee_fkey" | "foreign_key") => {
                Self::Common(CommonError::unknown_reference("/employee_id"))
            }
            _ => Self::Common(error.into()),
        }
    }
}
