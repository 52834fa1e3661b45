//! `/api/v1/employees`: people, and the effective-dated record of their employment.

use hrms_core::employee::{
    ChangeEmployment, CorrectEmployment, EmployeeError, EmployeePatch, EmployeeSearch, EmployeeSort,
    EmployeeView, EmploymentHistory, EndEmployment, NewEmployee, Rehire,
};
use hrms_core::employment::{EmploymentStatus, EmploymentType};
use hrms_core::jiff::Timestamp;
use hrms_core::jiff::civil::Date;
use hrms_core::{DepartmentId, DesignationId, EmployeeId, LocationId};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Created, Found, Listed};
use crate::endpoints;
use crate::extract::{Id, IfMatch, Json, List, ListQuery, MergePatch, Query};
use crate::request::Cx;

endpoints! {
    tag = "employees";

    /// List and search employees.
    ///
    /// Each with the employment record in force on `as_of` (today when absent); the filters on department,
    /// designation, location, manager, status and employment type look at that record.
    GET "/api/v1/employees" => list, requires EmployeeRead;

    /// Hire somebody.
    ///
    /// Personal data and the first employment record, which starts on `hired_on`.
    POST "/api/v1/employees" => hire, requires EmployeeManage;

    /// Read an employee.
    ///
    /// With the employment record in force on `as_of`, or else today at the employee's location. Birth date
    /// and gender are there only for those who may see personal data.
    GET "/api/v1/employees/{id}" => get, requires EmployeeRead;

    /// Change personal data of an employee.
    ///
    /// Another work e-mail address wants a fresh proof of who asks (401 `auth.step-up-required`, see
    /// `POST /api/v1/auth/step-up`): that address is where the employee is invited.
    PATCH "/api/v1/employees/{id}" => change, requires EmployeeManage;

    /// Every employment record of an employee.
    GET "/api/v1/employees/{id}/history" => history, requires EmployeeRead;

    /// Change facts of an employment from a day on.
    ///
    /// The day may lie in the future; the change then takes effect by itself. Each fact that the body names is
    /// changed until the day on which a change of that same fact is already planned, or else until the
    /// employment ends. Answers with the employee as of that day.
    POST "/api/v1/employees/{id}/changes" => change_employment, requires EmployeeManage;

    /// Correct facts of an employment during a period.
    ///
    /// The records are marked as corrected. Answers with the employee as of the period's first day.
    POST "/api/v1/employees/{id}/corrections" => correct_employment, requires EmployeeManage;

    /// End an employment.
    ///
    /// Changes planned for later days are dropped; history stays. Answers with the employee as of the last day.
    POST "/api/v1/employees/{id}/end" => end_employment, requires EmployeeManage;

    /// Employ somebody again who had left.
    ///
    /// Answers with the employee as of the first day.
    POST "/api/v1/employees/{id}/rehire" => rehire, requires EmployeeManage;
}

/// The filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct EmployeeQuery {
    /// Beginnings of words of names, number or e-mail address, separated by blanks; case doesn't matter.
    q: Option<String>,
    /// Only those in this department.
    department_id: Option<DepartmentId>,
    /// Whether those in parts of the department count too.
    include_subdepartments: Option<bool>,
    /// Only those with this designation.
    designation_id: Option<DesignationId>,
    /// Only those at this location.
    location_id: Option<LocationId>,
    /// Only those who report directly to this employee.
    manager_id: Option<EmployeeId>,
    /// Only those whose employment stands like this.
    status: Option<EmploymentStatus>,
    /// Only those with this kind of contract.
    employment_type: Option<EmploymentType>,
    /// Only those who are employed, or who aren't.
    employed: Option<bool>,
    /// The date to look at; today when absent.
    #[serde(default, deserialize_with = "hrms_core::date::strict")]
    as_of: Option<Date>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
}

impl ListQuery for EmployeeQuery {
    type Sort = EmployeeSort;
    const SORTS: &'static [(&'static str, EmployeeSort)] = &[
        ("name", EmployeeSort::Name),
        ("number", EmployeeSort::Number),
        ("hired_on", EmployeeSort::HiredOn),
    ];
    const DEFAULT_SORT: &'static str = "name";
}

/// The date to look at.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct AsOf {
    /// The date to look at; today at the employee's location when absent.
    #[serde(default, deserialize_with = "hrms_core::date::strict")]
    as_of: Option<Date>,
}

async fn list(cx: Cx, list: List<EmployeeQuery>) -> Result<Listed<EmployeeView>, EmployeeError> {
    let filter = &list.filter;
    let search = EmployeeSearch {
        q: filter.q.clone(),
        department_id: filter.department_id,
        include_subdepartments: filter.include_subdepartments.unwrap_or(false),
        designation_id: filter.designation_id,
        location_id: filter.location_id,
        manager_id: filter.manager_id,
        status: filter.status,
        employment_type: filter.employment_type,
        employed: filter.employed,
        as_of: filter.as_of,
        updated_after: filter.updated_after,
    };
    let page = cx.hrms.employees().list(&cx.actor, &search, &list.page).await?;
    Ok(list.answer(page))
}

async fn hire(cx: Cx, Json(new): Json<NewEmployee>) -> Result<Created<EmployeeView>, EmployeeError> {
    cx.hrms.employees().hire(&cx.actor, new).await.map(Created)
}

async fn get(
    cx: Cx,
    Id(id): Id<EmployeeId>,
    Query(at): Query<AsOf>,
) -> Result<Found<EmployeeView>, EmployeeError> {
    cx.hrms.employees().get(&cx.actor, id, at.as_of).await.map(Found)
}

async fn change(
    cx: Cx,
    Id(id): Id<EmployeeId>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<EmployeePatch>,
) -> Result<Found<EmployeeView>, EmployeeError> {
    cx.hrms.employees().change(&cx.actor, id, version, patch).await.map(Found)
}

async fn history(cx: Cx, Id(id): Id<EmployeeId>) -> Result<Found<EmploymentHistory>, EmployeeError> {
    cx.hrms.employees().history(&cx.actor, id).await.map(Found)
}

async fn change_employment(
    cx: Cx,
    Id(id): Id<EmployeeId>,
    Json(input): Json<ChangeEmployment>,
) -> Result<Found<EmployeeView>, EmployeeError> {
    cx.hrms.employees().change_employment(&cx.actor, id, input).await.map(Found)
}

async fn correct_employment(
    cx: Cx,
    Id(id): Id<EmployeeId>,
    Json(input): Json<CorrectEmployment>,
) -> Result<Found<EmployeeView>, EmployeeError> {
    cx.hrms.employees().correct_employment(&cx.actor, id, input).await.map(Found)
}

async fn end_employment(
    cx: Cx,
    Id(id): Id<EmployeeId>,
    Json(input): Json<EndEmployment>,
) -> Result<Found<EmployeeView>, EmployeeError> {
    cx.hrms.employees().end_employment(&cx.actor, id, input).await.map(Found)
}

async fn rehire(
    cx: Cx,
    Id(id): Id<EmployeeId>,
    Json(input): Json<Rehire>,
) -> Result<Found<EmployeeView>, EmployeeError> {
    cx.hrms.employees().rehire(&cx.actor, id, input).await.map(Found)
}
