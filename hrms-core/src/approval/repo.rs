//! Approvals in storage.

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::{
    ApprovalCase, ApprovalChain, ApprovalChainFilter, ApprovalChainSort, ApprovalDelegation, ApprovalKind,
    ApprovalTask, TrailEntry, WaitingTask,
};
use crate::error::StoreError;
use crate::id::{ApprovalCaseId, ApprovalChainId, ApprovalDelegationId, EmployeeId, UserId};
use crate::page::PageRequest;
use crate::policy::RoleName;
use crate::store::Version;

/// Chains in storage.
#[async_trait]
pub trait ApprovalChainRepo: Send {
    /// The chain with this id.
    async fn get(&mut self, id: ApprovalChainId) -> Result<Option<ApprovalChain>, StoreError>;
    /// Up to `limit + 1` chains in the order asked for.
    async fn list(
        &mut self,
        filter: &ApprovalChainFilter,
        page: &PageRequest<ApprovalChainSort>,
    ) -> Result<Vec<ApprovalChain>, StoreError>;
    /// The active chains for a kind of thing, in the order in which they are tried.
    async fn active(&mut self, kind: ApprovalKind) -> Result<Vec<ApprovalChain>, StoreError>;
    /// Adds a chain; `approval_chain_code_key` keeps codes unique.
    async fn insert(&mut self, chain: &ApprovalChain) -> Result<(), StoreError>;
    /// Writes a chain if its stored version is still `expected`.
    async fn update(&mut self, chain: &ApprovalChain, expected: Version) -> Result<(), StoreError>;
    /// Removes a chain if its stored version is still `expected`.
    async fn remove(&mut self, id: ApprovalChainId, expected: Version) -> Result<(), StoreError>;
}

/// Whose tasks to list.
#[derive(Clone, Debug, Default)]
pub struct TasksOf {
    /// Those of these employees: one's own and those one is a delegate of.
    pub employees: Vec<EmployeeId>,
    /// Those of this user.
    pub user: Option<UserId>,
    /// Those of these roles.
    pub roles: Vec<RoleName>,
    /// Also those of everybody who decides in the whole organisation.
    pub organization: bool,
    /// But none about these employees.
    pub not_about: Vec<EmployeeId>,
}

/// Cases, their tasks and their trail in storage.
#[async_trait]
pub trait ApprovalRepo: Send {
    /// The case of a thing.
    async fn of(&mut self, kind: ApprovalKind, subject: Uuid) -> Result<Option<ApprovalCase>, StoreError>;
    /// Adds a case; `approval_case_subject_key` allows one for each thing.
    async fn insert(&mut self, case: &ApprovalCase) -> Result<(), StoreError>;
    /// Writes chain, level and status of a case if its stored version is still `expected`.
    async fn update(&mut self, case: &ApprovalCase, expected: Version) -> Result<(), StoreError>;

    /// The tasks of a case, oldest first.
    async fn tasks(&mut self, case: ApprovalCaseId) -> Result<Vec<ApprovalTask>, StoreError>;
    /// Adds tasks.
    async fn insert_tasks(&mut self, tasks: &[ApprovalTask]) -> Result<(), StoreError>;
    /// Writes how a task ended.
    async fn end_task(&mut self, task: &ApprovalTask) -> Result<(), StoreError>;
    /// Up to `limit + 1` open tasks of these, oldest first, after the one in `page`.
    async fn waiting(&mut self, of: &TasksOf, page: &PageRequest<()>)
    -> Result<Vec<WaitingTask>, StoreError>;
    /// The open cases in which these employees are asked for a decision, or that are about them: up to 1,000.
    async fn concerning(&mut self, employees: &[EmployeeId]) -> Result<Vec<ApprovalCase>, StoreError>;

    /// Open cases by id, after the one named: up to `limit`.
    async fn open(
        &mut self,
        after: Option<ApprovalCaseId>,
        limit: u16,
    ) -> Result<Vec<ApprovalCase>, StoreError>;

    /// What happened to a case, oldest first.
    async fn trail(&mut self, case: ApprovalCaseId) -> Result<Vec<TrailEntry>, StoreError>;
    /// Adds to the trail: nothing in it is ever changed.
    async fn append(&mut self, entries: &[TrailEntry]) -> Result<(), StoreError>;
}

/// Delegations in storage.
#[async_trait]
pub trait ApprovalDelegationRepo: Send {
    /// The delegation with this id.
    async fn get(&mut self, id: ApprovalDelegationId) -> Result<Option<ApprovalDelegation>, StoreError>;
    /// All that an employee gave or got, newest first; of everybody without one. Up to `limit + 1`.
    async fn list(
        &mut self,
        employee: Option<EmployeeId>,
        page: &PageRequest<()>,
    ) -> Result<Vec<ApprovalDelegation>, StoreError>;
    /// Whose decisions a delegate may make on a day.
    async fn delegators(&mut self, delegate: EmployeeId, on: Date) -> Result<Vec<EmployeeId>, StoreError>;
    /// Who may make the decisions of these on a day.
    async fn delegates(&mut self, delegators: &[EmployeeId], on: Date)
    -> Result<Vec<EmployeeId>, StoreError>;
    /// Adds a delegation.
    async fn insert(&mut self, delegation: &ApprovalDelegation) -> Result<(), StoreError>;
    /// Ends a delegation; whether it hadn't been ended before.
    async fn revoke(&mut self, id: ApprovalDelegationId, at: Timestamp) -> Result<bool, StoreError>;
}
