//! `/api/v1/departments`: a tree, and who heads each department when.

use hrms_core::DepartmentId;
use hrms_core::department::{
    Department, DepartmentError, DepartmentFilter, DepartmentHeads, DepartmentPatch, DepartmentSort,
    NewDepartment, NewHead,
};
use hrms_core::jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Created, Deleted, Found, Listed};
use crate::endpoints;
use crate::extract::{Id, IfMatch, Json, List, ListQuery, MergePatch};
use crate::request::Cx;

endpoints! {
    tag = "departments";

    /// List departments.
    GET "/api/v1/departments" => list, requires DepartmentRead;

    /// Add a department.
    POST "/api/v1/departments" => create, requires DepartmentManage;

    /// Read a department.
    GET "/api/v1/departments/{id}" => get, requires DepartmentRead;

    /// Change a department.
    PATCH "/api/v1/departments/{id}" => change, requires DepartmentManage;

    /// Remove a department that nothing names: no part of it, no head, no employment record.
    DELETE "/api/v1/departments/{id}" => remove, requires DepartmentManage;

    /// Who headed, heads and will head a department.
    GET "/api/v1/departments/{id}/heads" => heads, requires DepartmentRead;

    /// Name the head of a department for a period.
    ///
    /// Whoever had days of that period loses those. Answers with all heads.
    POST "/api/v1/departments/{id}/heads" => name_head, requires DepartmentManage;
}

/// The filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct DepartmentQuery {
    /// Only the one with this code.
    code: Option<String>,
    /// Only those that are directly part of this one.
    parent_id: Option<DepartmentId>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
}

impl ListQuery for DepartmentQuery {
    type Sort = DepartmentSort;
    const SORTS: &'static [(&'static str, DepartmentSort)] =
        &[("name", DepartmentSort::Name), ("code", DepartmentSort::Code)];
    const DEFAULT_SORT: &'static str = "name";
}

async fn list(cx: Cx, list: List<DepartmentQuery>) -> Result<Listed<Department>, DepartmentError> {
    let filter = DepartmentFilter {
        code: list.filter.code.clone(),
        parent_id: list.filter.parent_id,
        updated_after: list.filter.updated_after,
    };
    let page = cx.hrms.departments().list(&cx.actor, &filter, &list.page).await?;
    Ok(list.answer(page))
}

async fn create(cx: Cx, Json(new): Json<NewDepartment>) -> Result<Created<Department>, DepartmentError> {
    cx.hrms.departments().create(&cx.actor, new).await.map(Created)
}

async fn get(cx: Cx, Id(id): Id<DepartmentId>) -> Result<Found<Department>, DepartmentError> {
    cx.hrms.departments().get(&cx.actor, id).await.map(Found)
}

async fn change(
    cx: Cx,
    Id(id): Id<DepartmentId>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<DepartmentPatch>,
) -> Result<Found<Department>, DepartmentError> {
    cx.hrms.departments().change(&cx.actor, id, version, patch).await.map(Found)
}

async fn remove(
    cx: Cx,
    Id(id): Id<DepartmentId>,
    IfMatch(version): IfMatch,
) -> Result<Deleted, DepartmentError> {
    cx.hrms.departments().remove(&cx.actor, id, version).await?;
    Ok(Deleted)
}

async fn heads(cx: Cx, Id(id): Id<DepartmentId>) -> Result<Found<DepartmentHeads>, DepartmentError> {
    cx.hrms.departments().heads(&cx.actor, id).await.map(Found)
}

async fn name_head(
    cx: Cx,
    Id(id): Id<DepartmentId>,
    Json(new): Json<NewHead>,
) -> Result<Found<DepartmentHeads>, DepartmentError> {
    cx.hrms.departments().name_head(&cx.actor, id, new).await.map(Found)
}
