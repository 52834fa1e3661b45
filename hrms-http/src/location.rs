//! `/api/v1/locations`: workplaces. The pattern that other features' files follow.

use hrms_core::LocationId;
use hrms_core::jiff::Timestamp;
use hrms_core::location::{
    Location, LocationError, LocationFilter, LocationPatch, LocationSort, NewLocation,
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Created, Deleted, Found, Listed};
use crate::endpoints;
use crate::extract::{Id, IfMatch, Json, List, ListQuery, MergePatch};
use crate::request::Cx;

endpoints! {
    tag = "locations";

    /// List locations.
    GET "/api/v1/locations" => list, requires LocationRead;

    /// Add a location.
    ///
    /// Its time zone decides which days its employees' leave falls on.
    POST "/api/v1/locations" => create, requires LocationManage;

    /// Read a location.
    GET "/api/v1/locations/{id}" => get, requires LocationRead;

    /// Change a location.
    PATCH "/api/v1/locations/{id}" => change, requires LocationManage;

    /// Remove a location that nobody works at.
    DELETE "/api/v1/locations/{id}" => remove, requires LocationManage;
}

/// The filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct LocationQuery {
    /// Only the one with this code.
    code: Option<String>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
}

impl ListQuery for LocationQuery {
    type Sort = LocationSort;
    const SORTS: &'static [(&'static str, LocationSort)] =
        &[("name", LocationSort::Name), ("code", LocationSort::Code)];
    const DEFAULT_SORT: &'static str = "name";
}

async fn list(cx: Cx, list: List<LocationQuery>) -> Result<Listed<Location>, LocationError> {
    let filter = LocationFilter { code: list.filter.code.clone(), updated_after: list.filter.updated_after };
    let page = cx.hrms.locations().list(&cx.actor, &filter, &list.page).await?;
    Ok(list.answer(page))
}

async fn create(cx: Cx, Json(new): Json<NewLocation>) -> Result<Created<Location>, LocationError> {
    cx.hrms.locations().create(&cx.actor, new).await.map(Created)
}

async fn get(cx: Cx, Id(id): Id<LocationId>) -> Result<Found<Location>, LocationError> {
    cx.hrms.locations().get(&cx.actor, id).await.map(Found)
}

async fn change(
    cx: Cx,
    Id(id): Id<LocationId>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<LocationPatch>,
) -> Result<Found<Location>, LocationError> {
    cx.hrms.locations().change(&cx.actor, id, version, patch).await.map(Found)
}

async fn remove(cx: Cx, Id(id): Id<LocationId>, IfMatch(version): IfMatch) -> Result<Deleted, LocationError> {
    cx.hrms.locations().remove(&cx.actor, id, version).await?;
    Ok(Deleted)
}
