//! `/api/v1/schedules`: what is to happen again and again.

use hrms_core::ScheduleId;
use hrms_core::jiff::Timestamp;
use hrms_core::schedule::{
    NewSchedule, ScheduleError, ScheduleFilter, SchedulePatch, ScheduleSort, ScheduleView,
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Created, Deleted, Found, Listed};
use crate::endpoints;
use crate::extract::{Id, IfMatch, Json, List, ListQuery, MergePatch};
use crate::request::Cx;

endpoints! {
    tag = "schedules";

    /// List schedules.
    GET "/api/v1/schedules" => list, requires JobManage;

    /// Set up a schedule.
    ///
    /// Whenever it is due, it starts a background job that acts for whoever changed the schedule last, with the rights they
    /// have then. Times that the zone's clocks skip are due right after the gap, times shown twice the first time. What was
    /// missed is caught up once.
    POST "/api/v1/schedules" => create, requires JobManage, confirmed;

    /// Read a schedule.
    GET "/api/v1/schedules/{id}" => get, requires JobManage;

    /// Change a schedule.
    ///
    /// Its jobs act for whoever changes it from then on.
    PATCH "/api/v1/schedules/{id}" => change, requires JobManage, confirmed;

    /// Remove a schedule.
    ///
    /// Jobs that it started stay.
    DELETE "/api/v1/schedules/{id}" => remove, requires JobManage, confirmed;
}

/// The filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ScheduleQuery {
    /// Only those that start jobs of this kind.
    kind: Option<String>,
    /// Only those that are, or aren't, enabled.
    enabled: Option<bool>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
}

impl ListQuery for ScheduleQuery {
    type Sort = ScheduleSort;
    const SORTS: &'static [(&'static str, ScheduleSort)] = &[("name", ScheduleSort::Name)];
    const DEFAULT_SORT: &'static str = "name";
}

async fn list(cx: Cx, list: List<ScheduleQuery>) -> Result<Listed<ScheduleView>, ScheduleError> {
    let filter = ScheduleFilter {
        kind: list.filter.kind.clone(),
        enabled: list.filter.enabled,
        updated_after: list.filter.updated_after,
    };
    let page = cx.hrms.schedules().list(&cx.actor, &filter, &list.page).await?;
    Ok(list.answer(page))
}

async fn create(cx: Cx, Json(new): Json<NewSchedule>) -> Result<Created<ScheduleView>, ScheduleError> {
    cx.hrms.schedules().create(&cx.actor, new).await.map(Created)
}

async fn get(cx: Cx, Id(id): Id<ScheduleId>) -> Result<Found<ScheduleView>, ScheduleError> {
    cx.hrms.schedules().get(&cx.actor, id).await.map(Found)
}

async fn change(
    cx: Cx,
    Id(id): Id<ScheduleId>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<SchedulePatch>,
) -> Result<Found<ScheduleView>, ScheduleError> {
    cx.hrms.schedules().change(&cx.actor, id, version, patch).await.map(Found)
}

async fn remove(cx: Cx, Id(id): Id<ScheduleId>, IfMatch(version): IfMatch) -> Result<Deleted, ScheduleError> {
    cx.hrms.schedules().remove(&cx.actor, id, version).await?;
    Ok(Deleted)
}
