//! `/api/v1/work-patterns`: which days are worked, and where and by whom.

use hrms_core::jiff::Timestamp;
use hrms_core::work_pattern::{
    AssignWorkPattern, NewWorkPattern, WorkPattern, WorkPatternError, WorkPatternFilter, WorkPatternPatch,
    WorkPatternPeriods, WorkPatternSort,
};
use hrms_core::{EmployeeId, LocationId, WorkPatternId};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Created, Deleted, Found, Listed};
use crate::endpoints;
use crate::extract::{Id, IfMatch, Json, List, ListQuery, MergePatch};
use crate::request::Cx;

endpoints! {
    tag = "work-patterns";

    /// List working patterns.
    GET "/api/v1/work-patterns" => list, requires WorkPatternRead;

    /// Add a working pattern.
    ///
    /// A cycle of weeks with the minutes of each day, and exceptions such as the second and fourth Saturday. What it
    /// says of days is fixed once it exists: other hours are another pattern, assigned from a day on.
    POST "/api/v1/work-patterns" => create, requires WorkPatternManage;

    /// Read a working pattern.
    GET "/api/v1/work-patterns/{id}" => get, requires WorkPatternRead;

    /// Change code and name of a working pattern.
    PATCH "/api/v1/work-patterns/{id}" => change, requires WorkPatternManage;

    /// Remove a working pattern that no location and no employee has or had.
    DELETE "/api/v1/work-patterns/{id}" => remove, requires WorkPatternManage;

    /// The working patterns that a location had, has and will have.
    ///
    /// On days without one, Monday to Friday are worked.
    GET "/api/v1/locations/{id}/work-patterns" => of_location, requires LocationRead;

    /// Give a location a working pattern for a period.
    ///
    /// What it had for days of that period, it loses. Answers with all of them. Requests for leave of those who work
    /// there are counted anew soon after, and they are told.
    POST "/api/v1/locations/{id}/work-patterns" => assign_to_location, requires LocationManage;

    /// The working patterns of their own that an employee had, has and will have.
    ///
    /// On days without one, the employee works by the pattern of their location.
    GET "/api/v1/employees/{id}/work-patterns" => of_employee, requires EmployeeRead;

    /// Give an employee a working pattern of their own for a period.
    ///
    /// What they had for days of that period, they lose. Answers with all of them. Their requests for leave are counted
    /// anew soon after, and they are told.
    POST "/api/v1/employees/{id}/work-patterns" => assign_to_employee, requires EmployeeManage;
}

/// The filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct WorkPatternQuery {
    /// Only the one with this code.
    code: Option<String>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
}

impl ListQuery for WorkPatternQuery {
    type Sort = WorkPatternSort;
    const SORTS: &'static [(&'static str, WorkPatternSort)] =
        &[("name", WorkPatternSort::Name), ("code", WorkPatternSort::Code)];
    const DEFAULT_SORT: &'static str = "name";
}

async fn list(cx: Cx, list: List<WorkPatternQuery>) -> Result<Listed<WorkPattern>, WorkPatternError> {
    let filter =
        WorkPatternFilter { code: list.filter.code.clone(), updated_after: list.filter.updated_after };
    let page = cx.hrms.work_patterns().list(&cx.actor, &filter, &list.page).await?;
    Ok(list.answer(page))
}

async fn create(cx: Cx, Json(new): Json<NewWorkPattern>) -> Result<Created<WorkPattern>, WorkPatternError> {
    cx.hrms.work_patterns().create(&cx.actor, new).await.map(Created)
}

async fn get(cx: Cx, Id(id): Id<WorkPatternId>) -> Result<Found<WorkPattern>, WorkPatternError> {
    cx.hrms.work_patterns().get(&cx.actor, id).await.map(Found)
}

async fn change(
    cx: Cx,
    Id(id): Id<WorkPatternId>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<WorkPatternPatch>,
) -> Result<Found<WorkPattern>, WorkPatternError> {
    cx.hrms.work_patterns().change(&cx.actor, id, version, patch).await.map(Found)
}

async fn remove(
    cx: Cx,
    Id(id): Id<WorkPatternId>,
    IfMatch(version): IfMatch,
) -> Result<Deleted, WorkPatternError> {
    cx.hrms.work_patterns().remove(&cx.actor, id, version).await?;
    Ok(Deleted)
}

async fn of_location(
    cx: Cx,
    Id(location): Id<LocationId>,
) -> Result<Found<WorkPatternPeriods>, WorkPatternError> {
    cx.hrms.work_patterns().of_location(&cx.actor, location).await.map(Found)
}

async fn assign_to_location(
    cx: Cx,
    Id(location): Id<LocationId>,
    Json(new): Json<AssignWorkPattern>,
) -> Result<Found<WorkPatternPeriods>, WorkPatternError> {
    cx.hrms.work_patterns().assign_to_location(&cx.actor, location, new).await.map(Found)
}

async fn of_employee(
    cx: Cx,
    Id(employee): Id<EmployeeId>,
) -> Result<Found<WorkPatternPeriods>, WorkPatternError> {
    cx.hrms.work_patterns().of_employee(&cx.actor, employee).await.map(Found)
}

async fn assign_to_employee(
    cx: Cx,
    Id(employee): Id<EmployeeId>,
    Json(new): Json<AssignWorkPattern>,
) -> Result<Found<WorkPatternPeriods>, WorkPatternError> {
    cx.hrms.work_patterns().assign_to_employee(&cx.actor, employee, new).await.map(Found)
}
