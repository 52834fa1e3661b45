//! Approvals: who decides on something, in which order, and what became of it.
//!
//! A *chain* is data: levels, each with approvers (the manager, the manager's manager, the head of the department, the
//! holders of a role, a user) of whom one or all have to agree, and conditions on what is asked for. What waits for a
//! decision is a *case*; it keeps the levels as they were when it began, has open *tasks* of the level that it stands
//! at, and a *trail* of all that happened. Who an approver is, is told by the record in force when the task is
//! opened, and told anew when people change. Nobody approves their own case (P16), and where an approver is missing
//! the one above them is asked: no case lacks an approver (P15).
//!
//! The engine decides who decides. What a decision does is the module's whose case it is, in the same unit of work.

mod asked;
mod case;
mod chain;
mod decide;
mod delegation;
mod engine;
mod error;
mod follow;
mod limits;
mod repo;
mod resolve;
mod service;
mod standpoint;
mod subject;
mod tasks;
#[cfg(test)]
mod tests;

pub(crate) use asked::{comment_on, entitled, forward_to};
pub use case::{
    ApprovalCase, ApprovalCaseStatus, ApprovalCaseView, ApprovalTask, ApprovalTaskStatus, Assignee, TrailAct,
    TrailEntry,
};
pub use chain::{
    ApprovalChain, ApprovalChainFilter, ApprovalChainPatch, ApprovalChainSort, ApprovalKind, Approver,
    Attribute, Condition, Level, NeededApprovals, NewApprovalChain,
};
pub(crate) use decide::{Ask, Progress};
pub use delegation::{ApprovalDelegation, ApprovalDelegationService, NewApprovalDelegation};
pub(crate) use engine::Engine;
pub use error::ApprovalError;
pub use follow::{FollowCase, FollowEmployee, FollowPeople};
pub use repo::{ApprovalChainRepo, ApprovalDelegationRepo, ApprovalRepo, TasksOf};
pub use service::ApprovalChainService;
pub(crate) use standpoint::{Right, approval_of, has_say, is_asked, require_say};
pub(crate) use subject::Subject;
pub use tasks::{ApprovalTaskService, WaitingTask};
