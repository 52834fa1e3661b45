//! `/api/v1/leave-types` and `/api/v1/holiday-calendars`: what leave is, and the days off of a location.

use hrms_core::jiff::Timestamp;
use hrms_core::jiff::civil::Date;
use hrms_core::leave::{
    Holiday, LeaveError, LeaveRulesVersion, LeaveType, LeaveTypeFilter, LeaveTypePatch, LeaveTypeSort,
    NewHoliday, NewLeaveType, SetLeaveRules,
};
use hrms_core::{LeaveTypeId, LocationId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::{Created, Deleted, Found, Listed};
use crate::endpoints;
use crate::extract::{Id, IfMatch, Json, List, ListQuery, MergePatch, Path, Query};
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

    /// List the holidays of a location, by date.
    GET "/api/v1/holiday-calendars/{id}/holidays" => list_holidays, requires LocationRead;

    /// Add a holiday to a location.
    ///
    /// Requests for leave of those who work there are counted anew soon after, and they are told.
    POST "/api/v1/holiday-calendars/{id}/holidays" => add_holiday, requires LocationManage;

    /// Remove a holiday from a location.
    ///
    /// Requests for leave of those who work there are counted anew soon after, and they are told.
    DELETE "/api/v1/holiday-calendars/{id}/holidays/{on_date}" => remove_holiday, requires LocationManage;
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

/// Which holidays to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct HolidayQuery {
    /// Only those on or after this day.
    #[serde(default, deserialize_with = "hrms_core::date::strict")]
    from: Option<Date>,
    /// Only those on or before this day.
    #[serde(default, deserialize_with = "hrms_core::date::strict")]
    to: Option<Date>,
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

/// Holidays of a location; all of them, so there is no further page.
#[derive(Debug, Serialize, ToSchema)]
struct HolidayList {
    /// The holidays, by date.
    items: Vec<Holiday>,
    /// Always null.
    next_cursor: Option<String>,
}

/// The address of a holiday.
#[derive(Debug, Deserialize, IntoParams)]
struct HolidayPath {
    /// The location.
    id: LocationId,
    /// The day.
    #[serde(deserialize_with = "hrms_core::date::strict")]
    on_date: Date,
}

async fn list_holidays(
    cx: Cx,
    Id(location): Id<LocationId>,
    Query(query): Query<HolidayQuery>,
) -> Result<Found<HolidayList>, LeaveError> {
    let items = cx.hrms.holidays().list(&cx.actor, location, query.from, query.to).await?;
    Ok(Found(HolidayList { items, next_cursor: None }))
}

async fn add_holiday(
    cx: Cx,
    Id(location): Id<LocationId>,
    Json(new): Json<NewHoliday>,
) -> Result<Created<Holiday>, LeaveError> {
    cx.hrms.holidays().add(&cx.actor, location, new).await.map(Created)
}

async fn remove_holiday(cx: Cx, Path(path): Path<HolidayPath>) -> Result<Deleted, LeaveError> {
    cx.hrms.holidays().remove(&cx.actor, path.id, path.on_date).await?;
    Ok(Deleted)
}
