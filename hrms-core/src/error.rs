//! What every feature's error has in common: a kind, a stable code, and the fields at fault.

use std::borrow::Cow;

use serde::Serialize;

use crate::policy::Permission;

/// What sort of failure an error is; the HTTP layer maps each to one status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input breaks a rule that can be checked by looking at it and at what it refers to.
    Invalid,
    /// The thing doesn't exist, as far as this unit of work can see.
    NotFound,
    /// The thing exists, and the actor may not know that it does: shown like one that doesn't, and put on record
    /// as a denial.
    Hidden,
    /// The input is well-formed, but the present state of things forbids it.
    Conflict,
    /// The thing changed since the caller read it.
    Stale,
    /// The actor isn't known.
    Unauthenticated,
    /// The actor is known, but has to prove anew who they are.
    Unconfirmed,
    /// The actor may know of the thing but not do this to it.
    Forbidden,
    /// Too many attempts; try later.
    Throttled,
    /// The service can't answer now; try again.
    Unavailable,
    /// A defect of ours; the cause is for the log, never for the caller.
    Internal,
}

/// An error of the domain, ready to be shown by any front end.
pub trait DomainError: std::error::Error + Send + Sync + 'static {
    /// What sort of failure this is.
    fn kind(&self) -> ErrorKind;

    /// A stable machine-readable name such as `leave.insufficient-balance`.
    fn code(&self) -> &'static str;

    /// The input fields at fault; empty when none is.
    fn fields(&self) -> &[FieldError] {
        &[]
    }

    /// Seconds after which trying again makes sense, when the error knows.
    fn retry_after(&self) -> Option<u32> {
        None
    }
}

/// One field of the input that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FieldError {
    /// JSON Pointer (RFC 6901) to the field, such as `/starts_on`.
    pub pointer: Cow<'static, str>,
    /// A stable machine-readable name such as `too-long`.
    pub code: Cow<'static, str>,
    /// One sentence for a person.
    pub detail: Cow<'static, str>,
}

impl FieldError {
    /// Names a field at fault.
    pub fn new(
        pointer: impl Into<Cow<'static, str>>,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { pointer: pointer.into(), code: code.into(), detail: detail.into() }
    }

    /// A field that refers to something that isn't there (or belongs to somebody else).
    pub fn unknown_reference(pointer: impl Into<Cow<'static, str>>) -> Self {
        Self::new(pointer, "unknown-reference", "this refers to nothing that exists here")
    }
}

/// How storage can fail. Closed and small on purpose: "not found" is a domain decision.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A named constraint refused the write; the name is part of the design.
    #[error("constraint {constraint} refused the write")]
    Conflict {
        /// Name of the constraint, or `foreign_key` where the engine doesn't tell.
        constraint: Cow<'static, str>,
    },
    /// The row's version isn't the expected one any more.
    #[error("the row changed since it was read")]
    Stale,
    /// The database can't be reached or is too busy; trying again may help.
    #[error("the database is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A stored row doesn't make sense.
    #[error("corrupt row in {table}: {what}")]
    Corrupt {
        /// Table of the row.
        table: &'static str,
        /// What is wrong with it.
        what: String,
    },
    /// Anything else the backend reports.
    #[error("the database refused an operation")]
    Backend(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// The constraint that refused the write, if one did.
    #[must_use]
    pub fn constraint(&self) -> Option<&str> {
        match self {
            Self::Conflict { constraint } => Some(constraint),
            _ => None,
        }
    }
}

/// Failures that any feature can have; each feature's error embeds it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommonError {
    /// No such thing, as far as this actor may know.
    #[error("no such {what}")]
    NotFound {
        /// Kind of thing, as in `employee`.
        what: &'static str,
    },
    /// There is such a thing, but not for this actor: shown exactly like [`CommonError::NotFound`].
    #[error("no such {what}")]
    Hidden {
        /// Kind of thing, as in `employee`.
        what: &'static str,
    },
    /// The actor lacks a permission.
    #[error("this needs the permission {}", permission.code())]
    Forbidden {
        /// The permission that is missing.
        permission: Permission,
    },
    /// The actor has to prove anew who they are.
    #[error("prove who you are first: POST /api/v1/auth/step-up")]
    Unconfirmed,
    /// The thing changed since it was read.
    #[error("it was changed by someone else meanwhile; read it again")]
    Stale,
    /// Fields of the input are at fault.
    #[error("{}", summary(.0))]
    Invalid(Vec<FieldError>),
    /// Another request with the same idempotency key got there first.
    #[error("another request with this idempotency key was accepted")]
    IdempotencyKeyTaken,
    /// A place that has room for a bounded amount of work is full.
    #[error("the service is busy; try again in a moment")]
    Busy,
    /// Storage failed.
    #[error("{}", if matches!(.0, StoreError::Unavailable(_)) { "the service is unavailable" } else { "internal error" })]
    Store(#[source] StoreError),
    /// An answer couldn't be written as JSON.
    #[error("internal error")]
    Encode(#[from] serde_json::Error),
    /// An event was to be written that isn't as declared: a defect of the code that emits it.
    #[error("an event isn't as declared: {0}")]
    UndeclaredEvent(String),
}

fn summary(fields: &[FieldError]) -> String {
    match fields {
        [one] => one.detail.clone().into_owned(),
        many => format!("{} fields are not valid", many.len()),
    }
}

impl CommonError {
    /// One field at fault.
    pub fn invalid(
        pointer: impl Into<Cow<'static, str>>,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::Invalid(vec![FieldError::new(pointer, code, detail)])
    }

    /// A field that refers to something that isn't there (or belongs to somebody else).
    pub fn unknown_reference(pointer: impl Into<Cow<'static, str>>) -> Self {
        Self::Invalid(vec![FieldError::unknown_reference(pointer)])
    }
}

impl From<StoreError> for CommonError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Stale => Self::Stale,
            other => Self::Store(other),
        }
    }
}

impl DomainError for CommonError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotFound { .. } => ErrorKind::NotFound,
            Self::Hidden { .. } => ErrorKind::Hidden,
            Self::Forbidden { .. } => ErrorKind::Forbidden,
            Self::Unconfirmed => ErrorKind::Unconfirmed,
            Self::Stale => ErrorKind::Stale,
            Self::Invalid(_) => ErrorKind::Invalid,
            Self::IdempotencyKeyTaken => ErrorKind::Conflict,
            Self::Busy | Self::Store(StoreError::Unavailable(_)) => ErrorKind::Unavailable,
            Self::Store(StoreError::Conflict { .. }) => ErrorKind::Conflict,
            Self::Store(_) | Self::Encode(_) | Self::UndeclaredEvent(_) => ErrorKind::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } | Self::Hidden { .. } => "common.not-found",
            Self::Forbidden { .. } => "common.forbidden",
            Self::Unconfirmed => "auth.step-up-required",
            Self::Stale => "common.stale",
            Self::Invalid(_) => "common.invalid",
            Self::IdempotencyKeyTaken => "common.idempotency-key-taken",
            Self::Busy => "common.busy",
            Self::Store(StoreError::Unavailable(_)) => "common.unavailable",
            Self::Store(StoreError::Conflict { .. }) => "common.conflict",
            Self::Store(_) | Self::Encode(_) | Self::UndeclaredEvent(_) => "common.internal",
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::Invalid(fields) => fields,
            _ => &[],
        }
    }
}

/// Lets `?` lift storage and common failures into a feature's error with a `Common` variant.
#[macro_export]
macro_rules! lift_common_errors {
    ($error:ty) => {
        impl From<$crate::CommonError> for $error {
            fn from(error: $crate::CommonError) -> Self {
                Self::Common(error)
            }
        }
        impl From<$crate::StoreError> for $error {
            fn from(error: $crate::StoreError) -> Self {
                Self::Common(error.into())
            }
        }
    };
}
