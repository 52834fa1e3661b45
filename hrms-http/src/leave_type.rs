//! `/api/v1/leave-types`: what leave is.

use hrms_core::LeaveTypeId;
use hrms_core::jiff::Timestamp;
use hrms_core::leave::{
    LeaveError, LeaveRulesVersion, LeaveType, LeaveTypeFilter, LeaveTypePatch, LeaveTypeSort, NewLeaveType,
    SetLeaveRules,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::{Created, Found, Listed};
use crate::endpoints;
use crate::extract::{Id, IfMatch, Json, List, ListQuery, MergePatch};
use crate::request::Cx;

endpoints! {
    tag = "leave-types";

    /// List leave types.
    GET "/api/v1/leave-types" => list, requires LeaveTypeRead;

    /// Add a leave type.
    ///
    /// The minutes of one day are fixed once the type exists.
    POST "/api/v1/leave-types" => create, requires LeaveTypeManage;

    /// Read a leave type.
    GET "/api/v1/leave-types/{id}" => get, requires LeaveTypeRead;

    /// Change a leave type.
    PATCH "/api/v1/leave-types/{id}" => change, requires LeaveTypeManage;

    /// List what requests for a leave type have to keep to, by the day from which it is in force.
    ///
    /// Of two versions for the same day the one that was recorded later is in force; the other one stays for the record.
    GET "/api/v1/leave-types/{id}/rules" => list_rules, requires LeaveTypeRead;

    /// Set what requests for a leave type have to keep to, for leave that begins on a day or later.
    ///
    /// Answers with all versions. Requests that were made before stay as they are.
    POST "/api/v1/leave-types/{id}/rules" => set_rules, requires LeaveTypeManage;
}

/// The filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct LeaveTypeQuery {
    /// Only the one with this code.
    code: Option<String>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
}

impl ListQuery for LeaveTypeQuery {
    type Sort = LeaveTypeSort;
    const SORTS: &'static [(&'static str, LeaveTypeSort)] =
        &[("name", LeaveTypeSort::Name), ("code", LeaveTypeSort::Code)];
    const DEFAULT_SORT: &'static str = "name";
}

async fn list(cx: Cx, list: List<LeaveTypeQuery>) -> Result<Listed<LeaveType>, LeaveError> {
    let filter = LeaveTypeFilter { code: list.filter.code.clone(), updated_after: list.filter.updated_after };
    let page = cx.hrms.leave_types().list(&cx.actor, &filter, &list.page).await?;
    Ok(list.answer(page))
}

async fn create(cx: Cx, Json(new): Json<NewLeaveType>) -> Result<Created<LeaveType>, LeaveError> {
    cx.hrms.leave_types().create(&cx.actor, new).await.map(Created)
}

async fn get(cx: Cx, Id(id): Id<LeaveTypeId>) -> Result<Found<LeaveType>, LeaveError> {
    cx.hrms.leave_types().get(&cx.actor, id).await.map(Found)
}

async fn change(
    cx: Cx,
    Id(id): Id<LeaveTypeId>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<LeaveTypePatch>,
) -> Result<Found<LeaveType>, LeaveError> {
    cx.hrms.leave_types().change(&cx.actor, id, version, patch).await.map(Found)
}

/// Rules of a leave type; all versions, so there is no further page.
#[derive(Debug, Serialize, ToSchema)]
struct LeaveRulesList {
    /// The versions, by the day from which they are in force.
    items: Vec<LeaveRulesVersion>,
    /// Always null.
    next_cursor: Option<String>,
}

async fn list_rules(cx: Cx, Id(id): Id<LeaveTypeId>) -> Result<Found<LeaveRulesList>, LeaveError> {
    let items = cx.hrms.leave_types().rules(&cx.actor, id).await?;
    Ok(Found(LeaveRulesList { items, next_cursor: None }))
}

async fn set_rules(
    cx: Cx,
    Id(id): Id<LeaveTypeId>,
    Json(new): Json<SetLeaveRules>,
) -> Result<Found<LeaveRulesList>, LeaveError> {
    let items = cx.hrms.leave_types().set_rules(&cx.actor, id, new).await?;
    Ok(Found(LeaveRulesList { items, next_cursor: None }))
}
