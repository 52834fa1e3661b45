//! Why something about approvals was refused.

use crate::error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};

/// Why something about approvals was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApprovalError {
    /// The code is another chain's for the same kind of thing.
    #[error("another chain for this has this code")]
    CodeTaken,
    /// It is decided already.
    #[error("this waits for no decision any more")]
    NotOpen,
    /// It is about whoever wants to decide.
    #[error("nobody decides on what is theirs, nor does a user who counts as them")]
    Own,
    /// The decision is somebody else's.
    #[error("this waits for somebody else's decision")]
    NotYours,
    /// Another level is asked than the one that was meant.
    #[error("level {level} is asked now: say so, if you decide on that")]
    AnotherLevel {
        /// The level that is asked, from 0.
        level: i32,
    },
    /// The decision is somebody else's, and could be made in their place.
    #[error("you aren't asked: say in_place, if you decide in place of those who are")]
    NotAsked,
    /// It is given to somebody who can decide already.
    #[error("this is their decision already")]
    AlreadyTheirs,
    /// Somebody who can't decide on this.
    #[error("this person can't decide on it: they can't log in, aren't employed today, or it is about them")]
    CannotDecide,
    /// Decisions are handed on to somebody else.
    #[error(
        "nobody is their own delegate, makes themselves one, or hands on the decisions of those who decide about them"
    )]
    OwnDelegate,
    /// It is over.
    #[error("this delegation is over already")]
    DelegationOver,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

impl DomainError for ApprovalError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::CodeTaken
            | Self::NotOpen
            | Self::AlreadyTheirs
            | Self::AnotherLevel { .. }
            | Self::CannotDecide
            | Self::DelegationOver
            | Self::OwnDelegate => ErrorKind::Conflict,
            Self::Own | Self::NotYours | Self::NotAsked => ErrorKind::Forbidden,
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::CodeTaken => "approval-chain.code-taken",
            Self::NotOpen => "approval.not-open",
            Self::Own => "approval.own",
            Self::NotYours => "approval.not-yours",
            Self::AnotherLevel { .. } => "approval.another-level",
            Self::NotAsked => "approval.not-asked",
            Self::AlreadyTheirs => "approval.already-theirs",
            Self::CannotDecide => "approval.cannot-decide",
            Self::OwnDelegate => "approval-delegation.own",
            Self::DelegationOver => "approval-delegation.over",
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

impl From<CommonError> for ApprovalError {
    fn from(error: CommonError) -> Self {
        Self::Common(error)
    }
}

impl From<StoreError> for ApprovalError {
    fn from(error: StoreError) -> Self {
        match error.constraint() {
            Some("approval_chain_code_key") => Self::CodeTaken,
            _ => Self::Common(error.into()),
        }
    }
}
