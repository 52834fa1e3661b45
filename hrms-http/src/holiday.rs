//! `/api/v1/holiday-calendars`: which days are holidays, and where.

use hrms_core::holiday::{
    AssignHolidayCalendar, ChooseHoliday, CopyHolidays, Holiday, HolidayCalendar, HolidayCalendarFilter,
    HolidayCalendarPatch, HolidayCalendarPeriods, HolidayCalendarSort, HolidayChoice, HolidayChoiceLimits,
    HolidayChoices, HolidayError, HolidayFormat, HolidayPatch, HolidayPlan, HolidayRevision, HolidaysAsOf,
    ImportHolidays, NewHoliday, NewHolidayCalendar, SetHolidayChoiceLimit,
};
use hrms_core::jiff::Timestamp;
use hrms_core::jiff::civil::Date;
use hrms_core::{EmployeeId, HolidayCalendarId, LocationId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::{CalendarFile, Created, Deleted, Download, Found, Listed};
use crate::endpoints;
use crate::extract::{Id, IfMatch, Json, List, ListQuery, MergePatch, Path, Query};
use crate::request::Cx;

endpoints! {
    tag = "holiday-calendars";

    /// List holiday calendars.
    GET "/api/v1/holiday-calendars" => list, requires LocationRead;

    /// Add a holiday calendar.
    ///
    /// Locations share it: assign it to each of them from a day on.
    POST "/api/v1/holiday-calendars" => create, requires LocationManage;

    /// Read a holiday calendar.
    GET "/api/v1/holiday-calendars/{id}" => get, requires LocationRead;

    /// Change code and name of a holiday calendar.
    PATCH "/api/v1/holiday-calendars/{id}" => change, requires LocationManage;

    /// Remove a holiday calendar that never had a holiday and that no location has or had.
    DELETE "/api/v1/holiday-calendars/{id}" => remove, requires LocationManage;

    /// List the holidays of a calendar, by date.
    GET "/api/v1/holiday-calendars/{id}/holidays" => list_holidays, requires LocationRead;

    /// Add a holiday to a calendar.
    ///
    /// Requests for leave of those who work at its locations are counted anew soon after, and they are told. A restricted holiday
    /// is a working day for everybody who doesn't choose it.
    POST "/api/v1/holiday-calendars/{id}/holidays" => add_holiday, requires LocationManage;

    /// Take holidays from a CSV file or an iCalendar file, all of them or none.
    ///
    /// A dry run, the default, says what would become of each day and what is wrong in which line. Of iCalendar all-day events are read, of
    /// several days too, and what repeats each year. Days of an event that are elsewhere now, or cancelled, are removed. Doing it
    /// again changes nothing.
    POST "/api/v1/holiday-calendars/{id}/import" => import, requires LocationManage;

    /// Copy the holidays of a year to another one, all of them or none.
    ///
    /// Those on the same date each year are copied, and what falls on a day off gets a substitute if asked for; the others are
    /// named as to be confirmed and left out. A dry run, the default, does nothing.
    POST "/api/v1/holiday-calendars/{id}/copy" => copy, requires LocationManage;

    /// Download the holidays of a calendar as CSV.
    GET "/api/v1/holiday-calendars/{id}/holidays.csv" => export_csv, requires LocationRead;

    /// Download the holidays of a calendar as iCalendar.
    GET "/api/v1/holiday-calendars/{id}/holidays.ics" => export_icalendar, requires LocationRead;

    /// Read a holiday.
    GET "/api/v1/holiday-calendars/{id}/holidays/{on_date}" => get_holiday, requires LocationRead;

    /// Change a holiday: another date moves it.
    ///
    /// Requests for leave of those who work at the calendar's locations are counted anew soon after, and they are told.
    PATCH "/api/v1/holiday-calendars/{id}/holidays/{on_date}" => change_holiday, requires LocationManage;

    /// Remove a holiday from a calendar.
    ///
    /// Requests for leave of those who work at its locations are counted anew soon after, and they are told.
    DELETE "/api/v1/holiday-calendars/{id}/holidays/{on_date}" => remove_holiday, requires LocationManage;

    /// List what was done to the holidays of a calendar, newest first.
    GET "/api/v1/holiday-calendars/{id}/revisions" => list_revisions, requires LocationRead;

    /// Read a holiday calendar as of one of its revisions.
    GET "/api/v1/holiday-calendars/{id}/revisions/{revision}" => as_of, requires LocationRead;

    /// The holiday calendars that a location had, has and will have.
    ///
    /// On days without one, no day is a holiday.
    GET "/api/v1/locations/{id}/holiday-calendars" => of_location, requires LocationRead;

    /// Give a location a holiday calendar for a period.
    ///
    /// What it had for days of that period, it loses. Answers with all of them. Requests for leave of those who work
    /// there are counted anew soon after, and they are told.
    POST "/api/v1/locations/{id}/holiday-calendars" => assign_to_location, requires LocationManage;

    /// How many restricted holidays of a calendar each employee may choose in a year, from which year on.
    ///
    /// Before the first limit, nothing can be chosen.
    GET "/api/v1/holiday-calendars/{id}/choice-limits" => choice_limits, requires LocationRead;

    /// Say how many restricted holidays of a calendar each employee may choose in a year, from a year on.
    ///
    /// Answers with all limits. What was chosen before stays.
    POST "/api/v1/holiday-calendars/{id}/choice-limits" => set_choice_limit, requires LocationManage;

    /// Which restricted holidays an employee can choose in a year, and which they chose.
    GET "/api/v1/employees/{id}/holiday-choices" => choices, requires LeaveRead;

    /// Choose a restricted holiday for an employee.
    ///
    /// It is a holiday for them then; requests for leave over it are counted anew soon after. Employees choose for themselves and
    /// before the day, human resources for anybody and also later.
    POST "/api/v1/employees/{id}/holiday-choices" => choose, requires LeaveSubmit;

    /// Make a chosen holiday a working day of the employee again.
    ///
    /// Employees do so before the day, and while they have no leave on it.
    DELETE "/api/v1/employees/{id}/holiday-choices/{on_date}" => give_back, requires LeaveSubmit;
}

/// The filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct HolidayCalendarQuery {
    /// Only the one with this code.
    code: Option<String>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
}

impl ListQuery for HolidayCalendarQuery {
    type Sort = HolidayCalendarSort;
    const SORTS: &'static [(&'static str, HolidayCalendarSort)] =
        &[("name", HolidayCalendarSort::Name), ("code", HolidayCalendarSort::Code)];
    const DEFAULT_SORT: &'static str = "name";
}

async fn list(cx: Cx, list: List<HolidayCalendarQuery>) -> Result<Listed<HolidayCalendar>, HolidayError> {
    let filter =
        HolidayCalendarFilter { code: list.filter.code.clone(), updated_after: list.filter.updated_after };
    let page = cx.hrms.holidays().calendars(&cx.actor, &filter, &list.page).await?;
    Ok(list.answer(page))
}

async fn create(
    cx: Cx,
    Json(new): Json<NewHolidayCalendar>,
) -> Result<Created<HolidayCalendar>, HolidayError> {
    cx.hrms.holidays().create(&cx.actor, new).await.map(Created)
}

async fn get(cx: Cx, Id(id): Id<HolidayCalendarId>) -> Result<Found<HolidayCalendar>, HolidayError> {
    cx.hrms.holidays().get(&cx.actor, id).await.map(Found)
}

async fn change(
    cx: Cx,
    Id(id): Id<HolidayCalendarId>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<HolidayCalendarPatch>,
) -> Result<Found<HolidayCalendar>, HolidayError> {
    cx.hrms.holidays().change(&cx.actor, id, version, patch).await.map(Found)
}

async fn remove(
    cx: Cx,
    Id(id): Id<HolidayCalendarId>,
    IfMatch(version): IfMatch,
) -> Result<Deleted, HolidayError> {
    cx.hrms.holidays().remove_calendar(&cx.actor, id, version).await?;
    Ok(Deleted)
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

/// Holidays of a calendar; all of them, so there is no further page.
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
    /// The calendar.
    id: HolidayCalendarId,
    /// The day.
    #[serde(deserialize_with = "hrms_core::date::strict")]
    on_date: Date,
}

async fn list_holidays(
    cx: Cx,
    Id(id): Id<HolidayCalendarId>,
    Query(query): Query<HolidayQuery>,
) -> Result<Found<HolidayList>, HolidayError> {
    let items = cx.hrms.holidays().list(&cx.actor, id, query.from, query.to).await?;
    Ok(Found(HolidayList { items, next_cursor: None }))
}

async fn add_holiday(
    cx: Cx,
    Id(id): Id<HolidayCalendarId>,
    Json(new): Json<NewHoliday>,
) -> Result<Created<Holiday>, HolidayError> {
    cx.hrms.holidays().add(&cx.actor, id, new).await.map(Created)
}

async fn get_holiday(cx: Cx, Path(path): Path<HolidayPath>) -> Result<Found<Holiday>, HolidayError> {
    cx.hrms.holidays().on(&cx.actor, path.id, path.on_date).await.map(Found)
}

async fn change_holiday(
    cx: Cx,
    Path(path): Path<HolidayPath>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<HolidayPatch>,
) -> Result<Found<Holiday>, HolidayError> {
    cx.hrms.holidays().change_holiday(&cx.actor, path.id, path.on_date, version, patch).await.map(Found)
}

async fn remove_holiday(cx: Cx, Path(path): Path<HolidayPath>) -> Result<Deleted, HolidayError> {
    cx.hrms.holidays().remove(&cx.actor, path.id, path.on_date).await?;
    Ok(Deleted)
}

async fn import(
    cx: Cx,
    Id(id): Id<HolidayCalendarId>,
    Json(file): Json<ImportHolidays>,
) -> Result<Found<HolidayPlan>, HolidayError> {
    cx.hrms.holidays().import(&cx.actor, id, file).await.map(Found)
}

async fn copy(
    cx: Cx,
    Id(id): Id<HolidayCalendarId>,
    Json(copy): Json<CopyHolidays>,
) -> Result<Found<HolidayPlan>, HolidayError> {
    cx.hrms.holidays().copy(&cx.actor, id, copy).await.map(Found)
}

async fn export_csv(
    cx: Cx,
    Id(id): Id<HolidayCalendarId>,
    Query(query): Query<HolidayQuery>,
) -> Result<Download, HolidayError> {
    let format = HolidayFormat::Csv;
    let (calendar, file) = cx.hrms.holidays().export(&cx.actor, id, format, query.from, query.to).await?;
    Ok(Download::csv(&format!("holidays-{}.csv", calendar.code), file))
}

async fn export_icalendar(
    cx: Cx,
    Id(id): Id<HolidayCalendarId>,
    Query(query): Query<HolidayQuery>,
) -> Result<CalendarFile, HolidayError> {
    let format = HolidayFormat::Icalendar;
    let (calendar, file) = cx.hrms.holidays().export(&cx.actor, id, format, query.from, query.to).await?;
    Ok(CalendarFile::new(&format!("holidays-{}.ics", calendar.code), file))
}

/// Revisions of a calendar; all of them, so there is no further page.
#[derive(Debug, Serialize, ToSchema)]
struct HolidayRevisionList {
    /// The revisions, newest first.
    items: Vec<HolidayRevision>,
    /// Always null.
    next_cursor: Option<String>,
}

async fn list_revisions(
    cx: Cx,
    Id(id): Id<HolidayCalendarId>,
) -> Result<Found<HolidayRevisionList>, HolidayError> {
    let items = cx.hrms.holidays().revisions(&cx.actor, id).await?;
    Ok(Found(HolidayRevisionList { items, next_cursor: None }))
}

/// The address of a revision.
#[derive(Debug, Deserialize, IntoParams)]
struct RevisionPath {
    /// The calendar.
    id: HolidayCalendarId,
    /// The number of the revision.
    revision: i64,
}

async fn as_of(cx: Cx, Path(path): Path<RevisionPath>) -> Result<Found<HolidaysAsOf>, HolidayError> {
    cx.hrms.holidays().as_of(&cx.actor, path.id, path.revision).await.map(Found)
}

async fn of_location(
    cx: Cx,
    Id(location): Id<LocationId>,
) -> Result<Found<HolidayCalendarPeriods>, HolidayError> {
    cx.hrms.holidays().of_location(&cx.actor, location).await.map(Found)
}

async fn assign_to_location(
    cx: Cx,
    Id(location): Id<LocationId>,
    Json(new): Json<AssignHolidayCalendar>,
) -> Result<Found<HolidayCalendarPeriods>, HolidayError> {
    cx.hrms.holidays().assign_to_location(&cx.actor, location, new).await.map(Found)
}

async fn choice_limits(
    cx: Cx,
    Id(id): Id<HolidayCalendarId>,
) -> Result<Found<HolidayChoiceLimits>, HolidayError> {
    cx.hrms.holidays().choice_limits(&cx.actor, id).await.map(Found)
}

async fn set_choice_limit(
    cx: Cx,
    Id(id): Id<HolidayCalendarId>,
    Json(new): Json<SetHolidayChoiceLimit>,
) -> Result<Found<HolidayChoiceLimits>, HolidayError> {
    cx.hrms.holidays().set_choice_limit(&cx.actor, id, new).await.map(Found)
}

/// Which choices to show.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ChoiceQuery {
    /// The year of the calendar; this one if nothing is said.
    year: Option<i16>,
}

async fn choices(
    cx: Cx,
    Id(id): Id<EmployeeId>,
    Query(query): Query<ChoiceQuery>,
) -> Result<Found<HolidayChoices>, HolidayError> {
    cx.hrms.holidays().choices(&cx.actor, id, query.year).await.map(Found)
}

async fn choose(
    cx: Cx,
    Id(id): Id<EmployeeId>,
    Json(new): Json<ChooseHoliday>,
) -> Result<Created<HolidayChoice>, HolidayError> {
    cx.hrms.holidays().choose(&cx.actor, id, new).await.map(Created)
}

/// The address of a choice.
#[derive(Debug, Deserialize, IntoParams)]
struct ChoicePath {
    /// The employee.
    id: EmployeeId,
    /// The day.
    #[serde(deserialize_with = "hrms_core::date::strict")]
    on_date: Date,
}

async fn give_back(cx: Cx, Path(path): Path<ChoicePath>) -> Result<Deleted, HolidayError> {
    cx.hrms.holidays().give_back(&cx.actor, path.id, path.on_date).await?;
    Ok(Deleted)
}
