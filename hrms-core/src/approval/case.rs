//! What waits for decisions, and what became of it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ApprovalKind, Level};
use crate::audit::Audited;
use crate::employment::coded;
use crate::id::{ApprovalCaseId, ApprovalChainId, ApprovalTaskId, EmployeeId, TrailEntryId, UserId};
use crate::policy::RoleName;
use crate::store::Version;

coded! {
    /// How a case stands.
    ApprovalCaseStatus {
        /// Waits for a decision.
        Open = "open",
        /// Everybody who had to agree has agreed.
        Approved = "approved",
        /// Somebody rejected.
        Rejected = "rejected",
        /// What was asked for was taken back.
        Withdrawn = "withdrawn",
    }
}

coded! {
    /// How a task stands.
    ApprovalTaskStatus {
        /// Waits for a decision.
        Open = "open",
        /// Agreed.
        Approved = "approved",
        /// Rejected.
        Rejected = "rejected",
        /// Given to somebody else by whoever had it, or because it took too long.
        Forwarded = "forwarded",
        /// Given to somebody else because people changed.
        Moved = "moved",
        /// Not needed any more.
        Closed = "closed",
    }
}

/// Something that waits for decisions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApprovalCase {
    /// Its id.
    pub id: ApprovalCaseId,
    /// What is decided on.
    pub kind: ApprovalKind,
    /// Which one: of a request for leave or a claim, its id.
    pub subject_id: Uuid,
    /// Whose it is: they never decide on it.
    pub employee_id: EmployeeId,
    /// The chain that it goes by; `null` where none was written for it: then the manager decides, or whoever may.
    pub chain_id: Option<ApprovalChainId>,
    /// The levels, as they were when it began.
    pub levels: Vec<Level>,
    /// The level that it stands at, from 0.
    pub level: i32,
    /// How it stands.
    pub status: ApprovalCaseStatus,
    /// When it began.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

/// Whose decision a task is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Assignee {
    /// An employee's.
    Employee {
        /// Who.
        employee_id: EmployeeId,
    },
    /// That of a user who is no employee.
    User {
        /// Who.
        user_id: UserId,
    },
    /// That of anybody who has a role.
    Role {
        /// The role's name.
        role: RoleName,
    },
    /// That of anybody who decides in the whole organisation.
    Organization,
}

/// A decision that somebody is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApprovalTask {
    /// Its id.
    pub id: ApprovalTaskId,
    /// What it is about.
    pub case_id: ApprovalCaseId,
    /// Of which level, from 0.
    pub level: i32,
    /// For which approver of the level, from 0.
    pub approver: i32,
    /// Whose decision it is.
    pub assignee: Assignee,
    /// Whether somebody gave it to them, or a time limit, instead of the chain: then it stays theirs.
    pub forwarded: bool,
    /// How it stands.
    pub status: ApprovalTaskStatus,
    /// The user who decided.
    pub decided_by: Option<UserId>,
    /// In whose place they decided, as a delegate (P15).
    pub on_behalf_of: Option<EmployeeId>,
    /// When it was decided, given away or closed.
    pub ended_at: Option<Timestamp>,
    /// When it was opened.
    pub created_at: Timestamp,
}

impl Audited for ApprovalTask {}

coded! {
    /// What happened to a case.
    TrailAct {
        /// It began.
        Started = "started",
        /// A decision was asked for.
        Asked = "asked",
        /// A level was passed over, as its conditions don't hold.
        PassedOver = "passed_over",
        /// What is asked for was changed: it began anew.
        Changed = "changed",
        /// Somebody agreed.
        Approved = "approved",
        /// Somebody rejected.
        Rejected = "rejected",
        /// Somebody gave their task to somebody else.
        Forwarded = "forwarded",
        /// A task went to somebody else because people changed.
        Moved = "moved",
        /// Somebody was reminded.
        Reminded = "reminded",
        /// A task went to the one above, because it took too long.
        Escalated = "escalated",
        /// Somebody said something.
        Commented = "commented",
        /// What was asked for was taken back.
        Withdrawn = "withdrawn",
    }
}

/// Something that happened to a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TrailEntry {
    /// Its id; later entries have greater ones.
    pub id: TrailEntryId,
    /// What it happened to.
    pub case_id: ApprovalCaseId,
    /// When.
    pub at: Timestamp,
    /// What.
    pub act: TrailAct,
    /// At which level, from 0.
    pub level: i32,
    /// The user who did it; `null` for what happened by itself.
    pub user_id: Option<UserId>,
    /// In whose place they did it, as a delegate.
    pub on_behalf_of: Option<EmployeeId>,
    /// Whether they had no task of their own, but decide in the whole organisation.
    pub in_place: bool,
    /// Who was asked, or whom it was given to.
    pub assignee: Option<Assignee>,
    /// What was said.
    pub note: Option<String>,
}

impl Audited for TrailEntry {
    // What people write about leave can be about their health.
    const MASKED: &'static [&'static str] = &["note"];
}

/// A case with its tasks and all that happened, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApprovalCaseView {
    /// The case.
    #[serde(flatten)]
    pub case: ApprovalCase,
    /// Its tasks.
    pub tasks: Vec<ApprovalTask>,
    /// What happened.
    pub trail: Vec<TrailEntry>,
}
