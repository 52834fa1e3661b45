//! `/api/v1/leave-policies` and `/api/v1/leave-policy-assignments`: how leave is earned, and by whom.

use hrms_core::jiff::Timestamp;
use hrms_core::leave::{
    AssignLeavePolicy, EndLeavePolicyAssignment, LeaveError, LeavePolicy, LeavePolicyAssignment,
    LeavePolicyFilter, LeavePolicyPatch, LeavePolicySort, LeavePolicyVersion, LeavePolicyView,
    NewLeavePolicy, NewLeavePolicyVersion,
};
use hrms_core::{EmployeeId, LeavePolicyAssignmentId, LeavePolicyId, LeaveTypeId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::{Created, Found, Listed};
use crate::endpoints;
use crate::extract::{Id, IfMatch, Json, List, ListQuery, MergePatch, Query};
use crate::request::Cx;

endpoints! {
    tag = "leave-policies";

    /// List leave policies.
    GET "/api/v1/leave-policies" => list, requires LeaveTypeRead;

    /// Add a leave policy with its first rules.
    ///
    /// At most one policy of a leave type is for everyone: it holds for whoever has no assignment of their own. Only owners, and
    /// users who aren't employees, add one.
    POST "/api/v1/leave-policies" => create, requires LeaveTypeManage;

    /// Read a leave policy with its rules, by date.
    GET "/api/v1/leave-policies/{id}" => get, requires LeaveTypeRead;

    /// Change code, name or who has a leave policy.
    ///
    /// What it credited to whoever hasn't it any more is corrected by postings. Nobody but owners changes who has a policy that they
    /// have or had themselves, or would have.
    PATCH "/api/v1/leave-policies/{id}" => change, requires LeaveTypeManage;

    /// List every version of a leave policy's rules that was ever recorded.
    ///
    /// By day and then by time of recording: of several for one day the last one is in force.
    GET "/api/v1/leave-policies/{id}/versions" => history, requires LeaveTypeRead;

    /// Add rules to a leave policy that are in force from a day on.
    ///
    /// Also from a day in the past: what was credited by the old ones since is corrected by postings, never
    /// changed. Nobody but owners changes a policy that they have or had themselves.
    POST "/api/v1/leave-policies/{id}/versions" => add_version, requires LeaveTypeManage;

    /// List the leave policies that were assigned to an employee.
    GET "/api/v1/leave-policy-assignments" => assignments, requires LeaveRead;

    /// Assign a leave policy to an employee, never to oneself.
    ///
    /// One of the same leave type that is in force on its first day ends there; one that begins on the same day is void.
    POST "/api/v1/leave-policy-assignments" => assign, requires LeaveGrant;

    /// Read an assignment.
    GET "/api/v1/leave-policy-assignments/{id}" => get_assignment, requires LeaveRead;

    /// End an assignment.
    ///
    /// On its first day it is void: it is removed, and what was credited by it is corrected.
    POST "/api/v1/leave-policy-assignments/{id}/end" => end, requires LeaveGrant;
}

/// The filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct LeavePolicyQuery {
    /// Only the one with this code.
    code: Option<String>,
    /// Only of this kind of leave.
    leave_type_id: Option<LeaveTypeId>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
}

impl ListQuery for LeavePolicyQuery {
    type Sort = LeavePolicySort;
    const SORTS: &'static [(&'static str, LeavePolicySort)] =
        &[("name", LeavePolicySort::Name), ("code", LeavePolicySort::Code)];
    const DEFAULT_SORT: &'static str = "name";
}

async fn list(cx: Cx, list: List<LeavePolicyQuery>) -> Result<Listed<LeavePolicy>, LeaveError> {
    let filter = LeavePolicyFilter {
        code: list.filter.code.clone(),
        leave_type_id: list.filter.leave_type_id,
        updated_after: list.filter.updated_after,
    };
    let page = cx.hrms.leave_policies().list(&cx.actor, &filter, &list.page).await?;
    Ok(list.answer(page))
}

async fn create(cx: Cx, Json(new): Json<NewLeavePolicy>) -> Result<Created<LeavePolicyView>, LeaveError> {
    cx.hrms.leave_policies().create(&cx.actor, new).await.map(Created)
}

async fn get(cx: Cx, Id(id): Id<LeavePolicyId>) -> Result<Found<LeavePolicyView>, LeaveError> {
    cx.hrms.leave_policies().get(&cx.actor, id).await.map(Found)
}

async fn change(
    cx: Cx,
    Id(id): Id<LeavePolicyId>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<LeavePolicyPatch>,
) -> Result<Found<LeavePolicyView>, LeaveError> {
    cx.hrms.leave_policies().change(&cx.actor, id, version, patch).await.map(Found)
}

/// Versions of a leave policy; all of them, so there is no further page.
#[derive(Debug, Serialize, ToSchema)]
struct LeavePolicyVersionList {
    /// The versions, by day and then by time of recording.
    items: Vec<LeavePolicyVersion>,
    /// Always null.
    next_cursor: Option<String>,
}

async fn history(cx: Cx, Id(id): Id<LeavePolicyId>) -> Result<Found<LeavePolicyVersionList>, LeaveError> {
    let items = cx.hrms.leave_policies().history(&cx.actor, id).await?;
    Ok(Found(LeavePolicyVersionList { items, next_cursor: None }))
}

async fn add_version(
    cx: Cx,
    Id(id): Id<LeavePolicyId>,
    Json(new): Json<NewLeavePolicyVersion>,
) -> Result<Found<LeavePolicyView>, LeaveError> {
    cx.hrms.leave_policies().add_version(&cx.actor, id, new).await.map(Found)
}

/// Whose assignments.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct AssignmentQuery {
    /// Whose; without it one's own.
    employee_id: Option<EmployeeId>,
}

/// Assignments of an employee; all of them, so there is no further page.
#[derive(Debug, Serialize, ToSchema)]
struct LeavePolicyAssignmentList {
    /// The assignments, by first day.
    items: Vec<LeavePolicyAssignment>,
    /// Always null.
    next_cursor: Option<String>,
}

async fn assignments(
    cx: Cx,
    Query(query): Query<AssignmentQuery>,
) -> Result<Found<LeavePolicyAssignmentList>, LeaveError> {
    let items = cx.hrms.leave_policy_assignments().list(&cx.actor, query.employee_id).await?;
    Ok(Found(LeavePolicyAssignmentList { items, next_cursor: None }))
}

async fn assign(
    cx: Cx,
    Json(new): Json<AssignLeavePolicy>,
) -> Result<Created<LeavePolicyAssignment>, LeaveError> {
    cx.hrms.leave_policy_assignments().assign(&cx.actor, new).await.map(Created)
}

async fn get_assignment(
    cx: Cx,
    Id(id): Id<LeavePolicyAssignmentId>,
) -> Result<Found<LeavePolicyAssignment>, LeaveError> {
    cx.hrms.leave_policy_assignments().get(&cx.actor, id).await.map(Found)
}

async fn end(
    cx: Cx,
    Id(id): Id<LeavePolicyAssignmentId>,
    Json(new): Json<EndLeavePolicyAssignment>,
) -> Result<Found<LeavePolicyAssignment>, LeaveError> {
    cx.hrms.leave_policy_assignments().end(&cx.actor, id, new).await.map(Found)
}
