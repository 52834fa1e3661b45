//! What is asked of storage for leave policies.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{LeavePolicy, LeavePolicyAssignment, LeavePolicyVersion};
use crate::error::StoreError;
use crate::id::{EmployeeId, LeavePolicyAssignmentId, LeavePolicyId, LeaveTypeId};
use crate::page::PageRequest;
use crate::store::Version;

/// Which leave policies to list.
#[derive(Clone, Debug, Default)]
pub struct LeavePolicyFilter {
    /// Only the one with this code.
    pub code: Option<String>,
    /// Only of this kind of leave.
    pub leave_type_id: Option<LeaveTypeId>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Orders of a list of leave policies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeavePolicySort {
    /// By name.
    #[default]
    Name,
    /// By code.
    Code,
}

/// Leave policies in storage.
#[async_trait]
pub trait LeavePolicyRepo: Send {
    /// The policy with this id.
    async fn get(&mut self, id: LeavePolicyId) -> Result<Option<LeavePolicy>, StoreError>;
    /// Up to `limit + 1` policies in the order asked for.
    async fn list(
        &mut self,
        filter: &LeavePolicyFilter,
        page: &PageRequest<LeavePolicySort>,
    ) -> Result<Vec<LeavePolicy>, StoreError>;
    /// Every policy of one leave type, or of all, by code.
    async fn all(&mut self, leave_type: Option<LeaveTypeId>) -> Result<Vec<LeavePolicy>, StoreError>;
    /// Adds a policy; `leave_policy_code_key` keeps codes unique, and `leave_policy_everyone_key` allows one
    /// for everyone of a leave type.
    async fn insert(&mut self, policy: &LeavePolicy) -> Result<(), StoreError>;
    /// Writes a policy if its stored version is still `expected`.
    async fn update(&mut self, policy: &LeavePolicy, expected: Version) -> Result<(), StoreError>;
    /// Every version of these policies that was ever recorded, by day and then by time of recording.
    async fn versions(&mut self, policies: &[LeavePolicyId]) -> Result<Vec<LeavePolicyVersion>, StoreError>;
    /// Adds a version. Versions are never changed.
    async fn add_version(&mut self, version: &LeavePolicyVersion) -> Result<(), StoreError>;
    /// The assignment with this id.
    async fn assignment(
        &mut self,
        id: LeavePolicyAssignmentId,
    ) -> Result<Option<LeavePolicyAssignment>, StoreError>;
    /// The assignments of these employees, by first day.
    async fn assignments(
        &mut self,
        employees: &[EmployeeId],
    ) -> Result<Vec<LeavePolicyAssignment>, StoreError>;
    /// Adds an assignment; `leave_policy_assignment_no_overlap` keeps those of one leave type apart.
    async fn assign(&mut self, assignment: &LeavePolicyAssignment) -> Result<(), StoreError>;
    /// Writes the end of an assignment if its stored version is still `expected`.
    async fn end_assignment(
        &mut self,
        assignment: &LeavePolicyAssignment,
        expected: Version,
    ) -> Result<(), StoreError>;
    /// Removes an assignment that was never to be in force, if its stored version is still `expected`.
    async fn void_assignment(
        &mut self,
        id: LeavePolicyAssignmentId,
        expected: Version,
    ) -> Result<(), StoreError>;
}
