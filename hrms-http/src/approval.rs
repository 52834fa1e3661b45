//! `/api/v1/approval-chains`, `/api/v1/approval-tasks` and `/api/v1/approval-delegations`.

use hrms_core::approval::{
    ApprovalChain, ApprovalChainFilter, ApprovalChainPatch, ApprovalChainSort, ApprovalDelegation,
    ApprovalError, ApprovalKind, NewApprovalChain, NewApprovalDelegation, WaitingTask,
};
use hrms_core::jiff::Timestamp;
use hrms_core::{ApprovalChainId, ApprovalDelegationId, EmployeeId};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Created, Deleted, Found, Listed};
use crate::endpoints;
use crate::extract::{Id, IfMatch, Json, List, ListQuery, MergePatch};
use crate::request::Cx;

endpoints! {
    tag = "approvals";

    /// List approval chains.
    GET "/api/v1/approval-chains" => list, requires ApprovalChainRead;

    /// Write an approval chain.
    ///
    /// Levels are asked one after the other. Of several active chains for the same kind of thing the first whose
    /// conditions hold is taken, by position and then by code; without one the manager decides. What waits already goes
    /// on as it began.
    POST "/api/v1/approval-chains" => create, requires ApprovalChainManage;

    /// Read an approval chain.
    GET "/api/v1/approval-chains/{id}" => get, requires ApprovalChainRead;

    /// Change an approval chain.
    ///
    /// What waits for a decision already goes on as it began.
    PATCH "/api/v1/approval-chains/{id}" => change, requires ApprovalChainManage;

    /// Remove an approval chain.
    ///
    /// What waits for a decision already goes on as it began.
    DELETE "/api/v1/approval-chains/{id}" => remove, requires ApprovalChainManage;

    /// List what waits for one's decision: oldest first.
    ///
    /// One's own tasks, those of one's roles, and those of people in whose place one decides today.
    GET "/api/v1/approval-tasks" => tasks, signed_in;

    /// List who decides in whose place: what one gave and got, or everybody's for those who write chains.
    GET "/api/v1/approval-delegations" => delegations, signed_in;

    /// Let somebody decide in one's place from a day until another, that day excluded.
    ///
    /// Both can decide then; what the delegate decides is recorded as on behalf of the delegator. Nobody decides about
    /// themselves, as a delegate neither.
    POST "/api/v1/approval-delegations" => delegate, signed_in;

    /// Read a delegation.
    GET "/api/v1/approval-delegations/{id}" => delegation, signed_in;

    /// Take a delegation back at once.
    DELETE "/api/v1/approval-delegations/{id}" => revoke, signed_in;
}

/// The filters of chains.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ChainQuery {
    /// Only for this kind of thing.
    kind: Option<ApprovalKind>,
    /// Only the one with this code.
    code: Option<String>,
    /// Only those that are taken, or aren't.
    active: Option<bool>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
}

impl ListQuery for ChainQuery {
    type Sort = ApprovalChainSort;
    const SORTS: &'static [(&'static str, ApprovalChainSort)] =
        &[("code", ApprovalChainSort::Code), ("name", ApprovalChainSort::Name)];
    const DEFAULT_SORT: &'static str = "code";
}

async fn list(cx: Cx, list: List<ChainQuery>) -> Result<Listed<ApprovalChain>, ApprovalError> {
    let filter = ApprovalChainFilter {
        kind: list.filter.kind,
        code: list.filter.code.clone(),
        active: list.filter.active,
        updated_after: list.filter.updated_after,
    };
    let page = cx.hrms.approval_chains().list(&cx.actor, &filter, &list.page).await?;
    Ok(list.answer(page))
}

async fn create(cx: Cx, Json(new): Json<NewApprovalChain>) -> Result<Created<ApprovalChain>, ApprovalError> {
    cx.hrms.approval_chains().create(&cx.actor, new).await.map(Created)
}

async fn get(cx: Cx, Id(id): Id<ApprovalChainId>) -> Result<Found<ApprovalChain>, ApprovalError> {
    cx.hrms.approval_chains().get(&cx.actor, id).await.map(Found)
}

async fn change(
    cx: Cx,
    Id(id): Id<ApprovalChainId>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<ApprovalChainPatch>,
) -> Result<Found<ApprovalChain>, ApprovalError> {
    cx.hrms.approval_chains().change(&cx.actor, id, version, patch).await.map(Found)
}

async fn remove(
    cx: Cx,
    Id(id): Id<ApprovalChainId>,
    IfMatch(version): IfMatch,
) -> Result<Deleted, ApprovalError> {
    cx.hrms.approval_chains().remove(&cx.actor, id, version).await?;
    Ok(Deleted)
}

/// Tasks have no filters.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct TaskQuery {}

impl ListQuery for TaskQuery {
    type Sort = ();
    const SORTS: &'static [(&'static str, ())] = &[("created_at", ())];
    const DEFAULT_SORT: &'static str = "created_at";
}

async fn tasks(cx: Cx, list: List<TaskQuery>) -> Result<Listed<WaitingTask>, ApprovalError> {
    let page = cx.hrms.approval_tasks().waiting(&cx.actor, &list.page).await?;
    Ok(list.answer(page))
}

/// The filters of delegations.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct DelegationQuery {
    /// Only those that this employee gave or got.
    employee_id: Option<EmployeeId>,
}

impl ListQuery for DelegationQuery {
    type Sort = ();
    const SORTS: &'static [(&'static str, ())] = &[("created_at", ())];
    const DEFAULT_SORT: &'static str = "-created_at";
}

async fn delegations(
    cx: Cx,
    list: List<DelegationQuery>,
) -> Result<Listed<ApprovalDelegation>, ApprovalError> {
    let page = cx.hrms.approval_delegations().list(&cx.actor, list.filter.employee_id, &list.page).await?;
    Ok(list.answer(page))
}

async fn delegate(
    cx: Cx,
    Json(new): Json<NewApprovalDelegation>,
) -> Result<Created<ApprovalDelegation>, ApprovalError> {
    cx.hrms.approval_delegations().create(&cx.actor, new).await.map(Created)
}

async fn delegation(
    cx: Cx,
    Id(id): Id<ApprovalDelegationId>,
) -> Result<Found<ApprovalDelegation>, ApprovalError> {
    cx.hrms.approval_delegations().get(&cx.actor, id).await.map(Found)
}

async fn revoke(cx: Cx, Id(id): Id<ApprovalDelegationId>) -> Result<Deleted, ApprovalError> {
    cx.hrms.approval_delegations().revoke(&cx.actor, id).await?;
    Ok(Deleted)
}
