//! Leave: types, lots and the append-only ledger, requests and their decisions.
//!
//! A *lot* is a dated grant with its own validity. Leave is drawn from lots by *postings*, signed rows of a
//! ledger that only grows; the balance of any day is a pure function of it ([`BalanceMinutes::of`]).
//! Amounts are exact minutes; days are a view of them.

mod account;
mod accounts;
mod accrue;
mod adjust;
mod amount;
mod ask;
mod attachment;
mod balance;
mod calendar;
mod change;
mod claim;
mod closing;
mod coverage;
mod day_count;
mod decide;
mod encashable;
mod error;
mod explain;
mod export;
mod feed;
mod hours;
mod leave_type;
mod ledger;
mod liability;
mod neighbours;
mod opening;
mod payroll;
pub mod plan;
mod planned;
mod policy;
mod project;
#[cfg(test)]
mod promises;
mod recount;
mod repo;
mod request;
mod rules;
mod rules_version;
mod sandwich;
mod service;
mod standing;
mod usable;

use crate::employment::coded;
use crate::hrms::Hrms;

pub use account::{GrantLeave, LeaveAccount, LeaveBalance, LeaveLotView, YEARS_AHEAD};
pub use accrue::{AccrueLeave, Accrued};
pub use adjust::{AdjustLeaveGrant, AdjustedLeaveGrant, DeductLeave};
pub use amount::{MAX_MINUTES, days_text, minutes_of_days};
pub use attachment::{AttachmentType, LeaveAttachment, MAX_ATTACHMENT};
pub use balance::{BalanceMinutes, usable_until_expiry};
pub use calendar::{
    AbsenceLeave, AbsenceSearch, AbsenceView, AwayPerson, DayOff, LeaveCalendarRow, MAX_CALENDAR_DAYS,
};
pub use change::{LeaveRequestPatch, ShortenLeave};
pub use claim::{ClaimKind, LeaveClaim, LeaveClaimFilter, LeaveClaimQuery, LeaveClaimRepo, NewLeaveClaim};
pub use closing::{
    CloseLeave, ClosedBalance, ClosedTotals, LeaveClosing, LeaveClosingPreview, LeaveClosingRepo,
    LeaveClosingService, ReopenLeave,
};
pub use coverage::{
    CoverageDay, CoverageMinimum, CoverageMinimums, CoverageRepo, CoverageRule, SetCoverageMinimum,
};
pub use day_count::{
    CountedDay, DayFacts, DayPart, DayReason, InclusiveDays, count_working_days, total_minutes,
};
pub use decide::{Comment, DecideLeave, DecidedLeave, DecidedLeaves, ForwardLeave, LeaveDecision};
pub use encashable::{Encashable, EncashmentLimits};
pub use error::LeaveError;
pub use explain::{ExplainedCredit, ExplainedLot, LeaveExplanation};
pub use export::{LeaveExport, LeaveFile};
pub(crate) use feed::FeedOf;
pub use hours::{DayHours, OccupiedTime, TimeOfDay};
pub use leave_type::{
    LeaveType, LeaveTypeFilter, LeaveTypePatch, LeaveTypeRepo, LeaveTypeService, LeaveTypeSort, NewLeaveType,
};
pub use ledger::{
    Demand, LeaveLot, LeavePosting, Ledger, LotSource, NewPosting, PostingKind, Share, Uncovered,
};
pub use liability::{LeaveLiability, LiabilityTotal, LiabilityTotals, OwedLeave, OwedMinutes};
pub(crate) use opening::{Opening, OpeningFault, OpeningPart, PartOutcome, stored_openings};
pub use payroll::{PayrollFact, PayrollFactFilter, PayrollFactKind, PayrollFactRepo};
pub use policy::{
    AppliesTo, AssignLeavePolicy, EndLeavePolicyAssignment, LeavePolicy, LeavePolicyAssignment,
    LeavePolicyAssignmentService, LeavePolicyFilter, LeavePolicyPatch, LeavePolicyRepo, LeavePolicyService,
    LeavePolicySort, LeavePolicyVersion, LeavePolicyView, NewLeavePolicy, NewLeavePolicyVersion,
};
pub use project::{LeaveProjection, ProjectLeave, ProjectedRequest, SupposedLeave};
pub(crate) use recount::last_of;
pub use recount::{LeaveRecount, RecountCause, RecountLeave, Recounted, RecountedDay, Whose};
pub use repo::{LeaveLedger, LeaveRequestFilter, LeaveRequestRepo, LeaveRequestSort, OpenedAccount};
pub use request::{DecisionNote, LeaveRequest, LeaveRequestView, MAX_DAYS, RequestStatus, SubmitLeave};
pub use rules::{BlockedDates, Case, CountedLeave, LimitPeriod, PeriodLimit, RequestRules, Violation};
pub use rules_version::{LeaveRulesVersion, SetLeaveRules};
pub use sandwich::{Absence, SandwichRule, count_leave, count_without};
pub(crate) use standing::Standing;
#[cfg(feature = "cedar")]
pub(crate) use standing::resource_of_request;

pub(crate) use standing::DaysOfMany;

pub use service::{LeavePreview, LeaveRefusal, LeaveRequestQuery};

/// What can be done with leave.
#[derive(Clone, Copy, Debug)]
pub struct LeaveService<'a>(&'a Hrms);

impl Hrms {
    /// Leave: grants, balances, requests and their decisions.
    #[must_use]
    pub fn leave(&self) -> LeaveService<'_> {
        LeaveService(self)
    }
}
