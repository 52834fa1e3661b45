//! Claims: what employees ask for that isn't time off. Compensatory leave for work on a day off, and leave to be paid out.
//!
//! Whether there may be one is in the rules of the leave policy. Approvals decide on it, as on requests for leave; then a
//! lot is granted, or encashment is posted on lots in the order in which leave uses them up. The amount of money is payroll's
//! ([`PayrollFact`](super::PayrollFact)).

mod book;
mod decide;
mod service;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use super::{RequestStatus, coded};
use crate::approval::ApprovalKind;
use crate::audit::Audited;
use crate::error::StoreError;
use crate::id::{EmployeeId, LeaveClaimId, LeaveLotId, LeavePostingId, LeaveTypeId, UserId};
use crate::page::PageRequest;
use crate::policy::{Details, LeaveDetails, Visibility};
use crate::store::{Version, Versioned};

coded! {
    /// What is claimed.
    ClaimKind {
        /// Leave for work on a day off.
        Compensatory = "compensatory",
        /// Leave to be paid out.
        Encashment = "encashment",
    }
}

impl ClaimKind {
    /// What approvals call it.
    #[must_use]
    pub const fn approval(self) -> ApprovalKind {
        match self {
            Self::Compensatory => ApprovalKind::CompensatoryClaim,
            Self::Encashment => ApprovalKind::LeaveEncashment,
        }
    }
}

/// What an employee claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaveClaim {
    /// Its id.
    pub id: LeaveClaimId,
    /// What is claimed.
    pub kind: ClaimKind,
    /// Whose leave.
    pub employee_id: EmployeeId,
    /// What kind of leave.
    pub leave_type_id: LeaveTypeId,
    /// The day off that was worked; `null` for encashment.
    pub worked_on: Option<Date>,
    /// What was asked for, in minutes. More may have been asked for than can be paid out.
    pub asked_minutes: i64,
    /// What it comes to, in minutes: exact.
    pub minutes: i64,
    /// The same in days, as a decimal number.
    pub days: String,
    /// How it stands.
    pub status: RequestStatus,
    /// What the employee said about it.
    pub note: Option<String>,
    /// The user who claimed, if a user did.
    pub submitted_by: Option<UserId>,
    /// The day on which it was claimed, in the employee's work zone.
    pub submitted_on: Date,
    /// The user who decided or cancelled, if a user did.
    pub decided_by: Option<UserId>,
    /// When it was decided or cancelled.
    pub decided_at: Option<Timestamp>,
    /// What was said about the decision.
    pub decision_note: Option<String>,
    /// The lot that was granted for it: that of compensatory leave, once approved.
    pub lot_id: Option<LeaveLotId>,
    /// What was posted when it was approved.
    pub posting_ids: Vec<LeavePostingId>,
    /// When it was claimed.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl LeaveClaim {
    /// The day that it is about: of the work, or of the claim.
    #[must_use]
    pub fn day(&self) -> Date {
        self.worked_on.unwrap_or(self.submitted_on)
    }

    /// What decisions may look at: a claim is judged by the same policies as a request of its day.
    pub(crate) fn details(&self) -> Details {
        let whole = self.days.parse::<Decimal>().ok().and_then(|days| days.ceil().to_i64());
        Details::LeaveRequest(LeaveDetails {
            id: None,
            leave_type_id: self.leave_type_id,
            minutes: self.minutes,
            days: whole.unwrap_or(i64::MAX),
            starts_on: self.day(),
            ends_on: self.day(),
            status: self.status,
        })
    }
}

impl Audited for LeaveClaim {
    // What people write about leave can be about their health.
    const MASKED: &'static [&'static str] = &["note", "decision_note"];
}

impl Versioned for LeaveClaim {
    fn version(&self) -> Version {
        self.version
    }
}

/// What a claim needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewLeaveClaim {
    /// What is claimed.
    pub kind: ClaimKind,
    /// Whose leave; without it one's own.
    #[serde(default)]
    pub employee_id: Option<EmployeeId>,
    /// What kind of leave: the compensatory one, or the one to be paid out.
    pub leave_type_id: LeaveTypeId,
    /// The day off that was worked: for compensatory leave, and not for encashment.
    #[serde(default, deserialize_with = "crate::date::strict")]
    pub worked_on: Option<Date>,
    /// How much, as a decimal number of days such as `"0.5"`. Either this or `minutes`.
    #[serde(default)]
    pub days: Option<String>,
    /// How much, in minutes. Either this or `days`.
    #[serde(default)]
    pub minutes: Option<i64>,
    /// Anything to say about it, at most 1000 characters.
    #[serde(default)]
    pub note: Option<String>,
}

/// Which claims to list.
#[derive(Clone, Debug)]
pub struct LeaveClaimFilter {
    /// The rows that the caller may see, by the employment record in force `today`.
    pub visible: Visibility,
    /// The date for `visible`.
    pub today: Date,
    /// Only of this kind.
    pub kind: Option<ClaimKind>,
    /// Only this employee's.
    pub employee_id: Option<EmployeeId>,
    /// Only those that stand like this.
    pub status: Option<RequestStatus>,
    /// Only of this kind of leave.
    pub leave_type_id: Option<LeaveTypeId>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Which claims a caller wants to see.
#[derive(Clone, Debug, Default)]
pub struct LeaveClaimQuery {
    /// Only of this kind.
    pub kind: Option<ClaimKind>,
    /// Only this employee's.
    pub employee_id: Option<EmployeeId>,
    /// Only those that stand like this.
    pub status: Option<RequestStatus>,
    /// Only of this kind of leave.
    pub leave_type_id: Option<LeaveTypeId>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Claims in storage.
#[async_trait]
pub trait LeaveClaimRepo: Send {
    /// The claim with this id.
    async fn get(&mut self, id: LeaveClaimId) -> Result<Option<LeaveClaim>, StoreError>;
    /// Up to `limit + 1` claims by the instant of submission.
    async fn list(
        &mut self,
        filter: &LeaveClaimFilter,
        page: &PageRequest<()>,
    ) -> Result<Vec<LeaveClaim>, StoreError>;
    /// The pending and approved encashments of an employee's leave of a type that were asked for since a day, oldest first.
    async fn encashments(
        &mut self,
        employee: EmployeeId,
        leave_type: LeaveTypeId,
        since: Date,
    ) -> Result<Vec<LeaveClaim>, StoreError>;
    /// Adds a claim; `leave_claim_worked_on_key` allows one that is pending or approved for a day of an employee.
    async fn insert(&mut self, claim: &LeaveClaim) -> Result<(), StoreError>;
    /// Writes status, decision and what was booked if the stored version is still `expected`.
    async fn decide(&mut self, claim: &LeaveClaim, expected: Version) -> Result<(), StoreError>;
}
