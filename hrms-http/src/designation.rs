//! `/api/v1/designations`: job titles.

use hrms_core::DesignationId;
use hrms_core::designation::{
    Designation, DesignationError, DesignationFilter, DesignationPatch, DesignationSort, NewDesignation,
};
use hrms_core::jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Created, Deleted, Found, Listed};
use crate::endpoints;
use crate::extract::{Id, IfMatch, Json, List, ListQuery, MergePatch};
use crate::request::Cx;

endpoints! {
    tag = "designations";

    /// List designations.
    GET "/api/v1/designations" => list, requires DesignationRead;

    /// Add a designation.
    POST "/api/v1/designations" => create, requires DesignationManage;

    /// Read a designation.
    GET "/api/v1/designations/{id}" => get, requires DesignationRead;

    /// Change a designation.
    PATCH "/api/v1/designations/{id}" => change, requires DesignationManage;

    /// Remove a designation that no employment record names.
    DELETE "/api/v1/designations/{id}" => remove, requires DesignationManage;
}

/// The filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct DesignationQuery {
    /// Only the one with this code.
    code: Option<String>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
}

impl ListQuery for DesignationQuery {
    type Sort = DesignationSort;
    const SORTS: &'static [(&'static str, DesignationSort)] =
        &[("name", DesignationSort::Name), ("code", DesignationSort::Code)];
    const DEFAULT_SORT: &'static str = "name";
}

async fn list(cx: Cx, list: List<DesignationQuery>) -> Result<Listed<Designation>, DesignationError> {
    let filter =
        DesignationFilter { code: list.filter.code.clone(), updated_after: list.filter.updated_after };
    let page = cx.hrms.designations().list(&cx.actor, &filter, &list.page).await?;
    Ok(list.answer(page))
}

async fn create(cx: Cx, Json(new): Json<NewDesignation>) -> Result<Created<Designation>, DesignationError> {
    cx.hrms.designations().create(&cx.actor, new).await.map(Created)
}

async fn get(cx: Cx, Id(id): Id<DesignationId>) -> Result<Found<Designation>, DesignationError> {
    cx.hrms.designations().get(&cx.actor, id).await.map(Found)
}

async fn change(
    cx: Cx,
    Id(id): Id<DesignationId>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<DesignationPatch>,
) -> Result<Found<Designation>, DesignationError> {
    cx.hrms.designations().change(&cx.actor, id, version, patch).await.map(Found)
}

async fn remove(
    cx: Cx,
    Id(id): Id<DesignationId>,
    IfMatch(version): IfMatch,
) -> Result<Deleted, DesignationError> {
    cx.hrms.designations().remove(&cx.actor, id, version).await?;
    Ok(Deleted)
}
