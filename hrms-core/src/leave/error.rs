//! Why something about leave was refused.

use jiff::civil::Date;
use rust_decimal::Decimal;

use super::amount::days_text;
use super::rules::Violation;
use crate::approval::ApprovalError;
use crate::error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};

/// Why something about leave was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeaveError {
    /// The code is another leave type's.
    #[error("another leave type has this code")]
    TypeCodeTaken,
    /// The code is another leave policy's.
    #[error("another leave policy has this code")]
    PolicyCodeTaken,
    /// The leave type has a policy for everyone already.
    #[error("this leave type has a policy for everyone already")]
    EveryoneHasPolicy,
    /// The employee has a policy for this leave type within the period already.
    #[error("the employee has a policy for this leave type within these days already")]
    AssignmentOverlaps,
    /// More was asked for than is left.
    #[error(
        "{} days were asked for, {} are left",
        days_text(*asked, *minutes_per_day),
        days_text(*left, *minutes_per_day)
    )]
    InsufficientBalance {
        /// Minutes asked for.
        asked: i64,
        /// Minutes that could be asked for on these days.
        left: i64,
        /// The minutes of one day, to say it in days.
        minutes_per_day: i64,
    },
    /// Another request of the employee covers a part of these days.
    #[error("another request covers some of these days")]
    Overlaps,
    /// Together with other leave it would be more than is worked on a day.
    #[error("{left} minutes of the work of {on} are left beside other leave")]
    DayFull {
        /// The first such day.
        on: Date,
        /// Minutes of work that no other request is for.
        left: i64,
    },
    /// Nothing of what was asked for is working time.
    #[error("there is no working day in this period")]
    NoWorkingDay,
    /// The request was decided or withdrawn already.
    #[error("this request isn't pending any more")]
    NotPending,
    /// The request can't be cancelled in its state.
    #[error("this request can't be cancelled any more")]
    NotCancellable,
    /// A file is neither PDF nor JPEG nor PNG.
    #[error("attach a PDF, a JPEG or a PNG file")]
    AttachmentType,
    /// A request that needs a file has none.
    #[error("leave of more than {over} days isn't approved without a file that is attached to it")]
    AttachmentMissing {
        /// How many days need none.
        over: Decimal,
    },
    /// A request has as many files as it can have.
    #[error("a request has at most ten files")]
    TooManyAttachments,
    /// What would remain of a request isn't a part of it.
    #[error("what remains has to be a part of the leave: give up days at its beginning or its end")]
    NotWithin,
    /// The rules in force don't let leave of this type be claimed, or paid out.
    #[error("by the leave policy in force, leave of this type can't be claimed like that")]
    NotClaimable,
    /// The day wasn't one off.
    #[error("{on} was a working day")]
    NotADayOff {
        /// The day.
        on: Date,
    },
    /// Work is claimed for within some days.
    #[error("this could be claimed until {last}")]
    ClaimTooLate {
        /// The last day on which it could be claimed.
        last: Date,
    },
    /// There is a claim for work on this day.
    #[error("there is a claim for this day already")]
    ClaimedAlready,
    /// Nothing can be paid out.
    #[error("by the leave policy and the balance, nothing can be paid out")]
    NothingToEncash,
    /// Compensatory leave was used.
    #[error("leave that was granted for this was used, moved or has lapsed, or is asked for")]
    ClaimUsed,
    /// Nobody decides on their own leave, by whatever right.
    #[error("nobody decides on their own leave, nor does a user who counts as them")]
    SelfApproval,
    /// Nobody grants leave to themselves, by whatever right.
    #[error("nobody grants leave to themselves, nor does a user who counts as them")]
    SelfGrant,
    /// Nobody writes the rules by which they earn leave, but owners.
    #[error(
        "this leave policy applies to you, or to somebody as whom you count: an owner has to do this, or somebody to whom \
         it doesn't apply"
    )]
    OwnPolicy,
    /// The employee isn't employed on a day of the request.
    #[error("not employed on {on}")]
    NotEmployed {
        /// The first such day.
        on: Date,
    },
    /// The request is too long.
    #[error("a request may cover at most {most} days")]
    TooLong {
        /// Most days of one request.
        most: i64,
    },
    /// The day lies too far ahead: what there will be by then isn't looked up.
    #[error("leave is looked up and asked for until {last} at most")]
    TooFarAhead {
        /// The last day.
        last: Date,
    },
    /// Another grant by hand is for some of the same days.
    #[error("the grant of {from} is for some of these days already")]
    GrantOverlaps {
        /// The first day of the other one.
        from: Date,
    },
    /// Approved leave needs more of a grant than would be left.
    #[error("approved leave needs more of this grant")]
    GrantInUse,
    /// A leave policy says what it gives.
    #[error("this was credited by a leave policy: change its rules, or grant or deduct leave by hand")]
    GrantByPolicy,
    /// Fewer people of a department would be there than have to be.
    #[error("fewer than {minimum} people of the department would be there on {on}")]
    CoverageTooLow {
        /// The first such day.
        on: Date,
        /// How many have to be there.
        minimum: i64,
    },
    /// Leave of this type was taken: whether it is paid stays.
    #[error("leave of this type was taken: whether it is paid can't be changed, another type can be added")]
    TypeTaken,
    /// The days are closed: what they say stays.
    #[error("days up to {through} are closed")]
    PeriodClosed {
        /// The last closed day.
        through: Date,
    },
    /// The days are closed already.
    #[error("days up to {through} are closed already")]
    AlreadyClosed {
        /// The last closed day.
        through: Date,
    },
    /// Requests of days that are to be closed wait for a decision.
    #[error("requests of days up to {through} wait: they have to be decided on before the period is closed")]
    PendingRequests {
        /// The last day to be closed.
        through: Date,
    },
    /// Only the last closed period is opened again.
    #[error("this isn't the last closed period, or it was opened again before")]
    NotLastClosing,
    /// Leave of days before an opening balance is part of that.
    #[error("the opening balance of {opens_on} says what was left then: leave of earlier days is part of it")]
    BeforeOpening {
        /// The day of the opening balance.
        opens_on: Date,
    },
    /// It is against a rule of the leave type.
    #[error(transparent)]
    AgainstRules(Violation),
    /// It is against the order in which people decide.
    #[error(transparent)]
    Approval(ApprovalError),
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

impl DomainError for LeaveError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoWorkingDay
            | Self::NotWithin
            | Self::AttachmentType
            | Self::NotADayOff { .. }
            | Self::NotEmployed { .. }
            | Self::TooLong { .. }
            | Self::TooFarAhead { .. } => ErrorKind::Invalid,
            Self::Approval(error) => error.kind(),
            Self::SelfApproval | Self::SelfGrant | Self::OwnPolicy => ErrorKind::Forbidden,
            Self::AgainstRules(violation) => violation.kind(),
            Self::Common(common) => common.kind(),
            _ => ErrorKind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::TypeCodeTaken => "leave-type.code-taken",
            Self::PolicyCodeTaken => "leave-policy.code-taken",
            Self::EveryoneHasPolicy => "leave-policy.everyone-has-one",
            Self::OwnPolicy => "leave-policy.own",
            Self::AssignmentOverlaps => "leave-policy-assignment.overlaps",
            Self::InsufficientBalance { .. } => "leave.insufficient-balance",
            Self::Overlaps => "leave.overlaps",
            Self::DayFull { .. } => "leave.day-full",
            Self::NoWorkingDay => "leave.no-working-day",
            Self::NotPending => "leave.not-pending",
            Self::NotCancellable => "leave.not-cancellable",
            Self::AttachmentType => "leave.attachment-type",
            Self::AttachmentMissing { .. } => "leave.attachment-missing",
            Self::TooManyAttachments => "leave.too-many-attachments",
            Self::NotWithin => "leave.not-within",
            Self::NotClaimable => "leave-claim.not-allowed",
            Self::NotADayOff { .. } => "leave-claim.not-a-day-off",
            Self::ClaimTooLate { .. } => "leave-claim.too-late",
            Self::ClaimedAlready => "leave-claim.claimed-already",
            Self::NothingToEncash => "leave-claim.nothing-to-encash",
            Self::ClaimUsed => "leave-claim.used",
            Self::SelfApproval => "leave.self-approval",
            Self::SelfGrant => "leave.self-grant",
            Self::NotEmployed { .. } => "leave.not-employed",
            Self::TooLong { .. } => "leave.too-long",
            Self::TooFarAhead { .. } => "leave.too-far-ahead",
            Self::GrantOverlaps { .. } => "leave-grant.overlaps",
            Self::GrantInUse => "leave-grant.below-used",
            Self::GrantByPolicy => "leave-grant.by-policy",
            Self::CoverageTooLow { .. } => "leave.coverage-too-low",
            Self::TypeTaken => "leave-type.taken",
            Self::PeriodClosed { .. } => "leave.period-closed",
            Self::AlreadyClosed { .. } => "leave-closing.already-closed",
            Self::PendingRequests { .. } => "leave-closing.pending-requests",
            Self::NotLastClosing => "leave-closing.not-last",
            Self::BeforeOpening { .. } => "leave.before-opening",
            Self::AgainstRules(violation) => violation.code(),
            Self::Approval(error) => error.code(),
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

impl From<ApprovalError> for LeaveError {
    fn from(error: ApprovalError) -> Self {
        match error {
            ApprovalError::Common(common) => Self::Common(common),
            ApprovalError::NotOpen => Self::NotPending,
            ApprovalError::Own => Self::SelfApproval,
            other => Self::Approval(other),
        }
    }
}

impl From<CommonError> for LeaveError {
    fn from(error: CommonError) -> Self {
        Self::Common(error)
    }
}

impl From<StoreError> for LeaveError {
    fn from(error: StoreError) -> Self {
        match error.constraint() {
            Some("leave_type_code_key") => Self::TypeCodeTaken,
            Some("leave_policy_code_key") => Self::PolicyCodeTaken,
            Some("leave_policy_everyone_key") => Self::EveryoneHasPolicy,
            Some("leave_policy_assignment_no_overlap") => Self::AssignmentOverlaps,
            Some("leave_request_no_overlap") => Self::Overlaps,
            Some("leave_claim_worked_on_key") => Self::ClaimedAlready,
            // Another unit of work undid the same posting.
            Some("leave_posting_undone_once") => Self::NotCancellable,
            _ => Self::Common(error.into()),
        }
    }
}
