//! `/api/v1/leave-coverage`: how many people have to be there, and how many are.

use hrms_core::jiff::civil::Date;
use hrms_core::leave::{CoverageDay, CoverageMinimums, LeaveError, SetCoverageMinimum};
use hrms_core::{DepartmentId, LeaveRequestId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::Found;
use crate::endpoints;
use crate::extract::{Id, Json, Query};
use crate::request::Cx;

endpoints! {
    tag = "leave-coverage";

    /// List how many people of a department have to be there, from which day on.
    GET "/api/v1/departments/{id}/coverage-minimums" => minimums, requires DepartmentRead;

    /// Set how many people of a department have to be there, from a day on.
    ///
    /// A number, or so many of each hundred who would work on the day; at one location or anywhere; neither ends it. Leave by which fewer would be there is
    /// pointed out, or refused. What was set before stays; of two for the same day the later one counts. Answers with all.
    POST "/api/v1/departments/{id}/coverage-minimums" => set_minimum, requires DepartmentManage;

    /// Read how many people are there on each day, for each minimum in force, at most 92 days.
    ///
    /// Of the departments in which the caller may see when people are away.
    GET "/api/v1/leave-coverage" => coverage, requires EmployeeReadAbsence;

    /// Read how many people of the employee's departments would be there on the days of a request.
    ///
    /// As if it were approved, for those who see the request.
    GET "/api/v1/leave-requests/{id}/coverage" => of_request, asked LeaveRead;
}

async fn minimums(cx: Cx, Id(id): Id<DepartmentId>) -> Result<Found<CoverageMinimums>, LeaveError> {
    cx.hrms.leave().coverage_minimums(&cx.actor, id).await.map(Found)
}

async fn set_minimum(
    cx: Cx,
    Id(id): Id<DepartmentId>,
    Json(new): Json<SetCoverageMinimum>,
) -> Result<Found<CoverageMinimums>, LeaveError> {
    cx.hrms.leave().set_coverage_minimum(&cx.actor, id, new).await.map(Found)
}

/// Of what, and when.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct CoverageQuery {
    /// Only this department's minimums.
    department_id: Option<DepartmentId>,
    /// The first day; today (UTC) when absent.
    #[serde(default, deserialize_with = "hrms_core::date::strict")]
    from: Option<Date>,
    /// The last day: it belongs to it. 31 days are shown when absent.
    #[serde(default, deserialize_with = "hrms_core::date::strict")]
    to: Option<Date>,
}

/// Days with how many people are there; all of them, so there is no further page.
#[derive(Debug, Serialize, ToSchema)]
struct CoverageDayList {
    /// The days.
    items: Vec<CoverageDay>,
    /// Always null.
    next_cursor: Option<String>,
}

async fn coverage(cx: Cx, Query(query): Query<CoverageQuery>) -> Result<Found<CoverageDayList>, LeaveError> {
    let days = (query.from, query.to);
    let items = cx.hrms.leave().coverage(&cx.actor, query.department_id, days).await?;
    Ok(Found(CoverageDayList { items, next_cursor: None }))
}

async fn of_request(cx: Cx, Id(id): Id<LeaveRequestId>) -> Result<Found<CoverageDayList>, LeaveError> {
    let items = cx.hrms.leave().coverage_of_request(&cx.actor, id).await?;
    Ok(Found(CoverageDayList { items, next_cursor: None }))
}
