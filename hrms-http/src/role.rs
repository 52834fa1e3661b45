//! `/api/v1/roles` and `/api/v1/permissions`: what users may be given.

use hrms_core::RoleId;
use hrms_core::jiff::Timestamp;
use hrms_core::role::{NewRole, PermissionList, RoleError, RoleFilter, RolePatch, RoleSort, RoleView};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Created, Deleted, Found, Listed};
use crate::endpoints;
use crate::extract::{Id, IfMatch, Json, List, ListQuery, MergePatch};
use crate::request::Cx;

endpoints! {
    tag = "roles";

    /// List permissions, with what they allow and the scopes that they can be granted with.
    GET "/api/v1/permissions" => permissions, requires RoleRead;

    /// List roles: the built-in ones and the organisation's own.
    GET "/api/v1/roles" => list, requires RoleRead;

    /// Make a role.
    ///
    /// Nobody makes a role that holds more than they do.
    POST "/api/v1/roles" => create, requires RoleManage, confirmed;

    /// Read a role.
    GET "/api/v1/roles/{id}" => get, requires RoleRead;

    /// Change a role's name, description or grants.
    ///
    /// Whoever has the role has what it grants from now on, within 5 seconds. Nobody changes a role that
    /// holds, or would hold, more than they do. Built-in roles stay as they are.
    PATCH "/api/v1/roles/{id}" => change, requires RoleManage, confirmed;

    /// Remove a role that nobody has.
    DELETE "/api/v1/roles/{id}" => remove, requires RoleManage, confirmed;
}

/// The filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct RoleQuery {
    /// Only the one with this code.
    code: Option<String>,
    /// Only built-in ones, or only the organisation's own.
    built_in: Option<bool>,
    /// Only those changed at or after this instant; built-in ones never change.
    updated_after: Option<Timestamp>,
}

impl ListQuery for RoleQuery {
    type Sort = RoleSort;
    const SORTS: &'static [(&'static str, RoleSort)] = &[("name", RoleSort::Name), ("code", RoleSort::Code)];
    const DEFAULT_SORT: &'static str = "name";
}

async fn permissions(cx: Cx) -> Result<Found<PermissionList>, RoleError> {
    cx.hrms.roles().permissions(&cx.actor).map(Found)
}

async fn list(cx: Cx, list: List<RoleQuery>) -> Result<Listed<RoleView>, RoleError> {
    let filter = RoleFilter {
        code: list.filter.code.clone(),
        built_in: list.filter.built_in,
        updated_after: list.filter.updated_after,
    };
    let page = cx.hrms.roles().list(&cx.actor, &filter, &list.page).await?;
    Ok(list.answer(page))
}

async fn create(cx: Cx, Json(new): Json<NewRole>) -> Result<Created<RoleView>, RoleError> {
    cx.hrms.roles().create(&cx.actor, new).await.map(Created)
}

async fn get(cx: Cx, Id(id): Id<RoleId>) -> Result<Found<RoleView>, RoleError> {
    cx.hrms.roles().get(&cx.actor, id).await.map(Found)
}

async fn change(
    cx: Cx,
    Id(id): Id<RoleId>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<RolePatch>,
) -> Result<Found<RoleView>, RoleError> {
    cx.hrms.roles().change(&cx.actor, id, version, patch).await.map(Found)
}

async fn remove(cx: Cx, Id(id): Id<RoleId>, IfMatch(version): IfMatch) -> Result<Deleted, RoleError> {
    cx.hrms.roles().remove(&cx.actor, id, version).await?;
    Ok(Deleted)
}
