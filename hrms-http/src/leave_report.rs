//! `/api/v1/leave-liability`, and leave as CSV under `/api/v1/exports`.

use futures_util::stream;
use hrms_core::employee::EmployeeSort;
use hrms_core::jiff::civil::Date;
use hrms_core::leave::{AbsenceSearch, LeaveError, LeaveFile, LeaveLiability, LiabilityTotals};
use hrms_core::{DepartmentId, EmployeeId, LocationId};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{CsvLines, Found, Listed};
use crate::endpoints;
use crate::extract::{List, ListQuery, Query};
use crate::request::Cx;

endpoints! {
    tag = "leave-reports";

    /// List what leave employees are owed on a day.
    ///
    /// What was granted and not taken by then: available, asked for, and approved for later days; in minutes and days. Also of those who have left.
    GET "/api/v1/leave-liability" => liability, requires LeaveRead;

    /// Read what leave is owed altogether, by kind, department and location.
    ///
    /// Of all employees whose leave the caller may read. It looks at each account, which takes its time in a large organisation.
    GET "/api/v1/leave-liability/totals" => totals, requires LeaveRead;

    /// Export what leave employees are owed on a day as CSV. Needs `leave.read` too.
    GET "/api/v1/exports/leave-liability" => export_liability, requires ExportRun, confirmed;

    /// Export balances on a day as CSV. Needs `leave.read` too.
    GET "/api/v1/exports/leave-balances" => export_balances, requires ExportRun, confirmed;

    /// Export requests for leave as CSV, without notes. Needs `leave.read` too.
    GET "/api/v1/exports/leave-requests" => export_requests, requires ExportRun, confirmed;

    /// Export postings of the leave ledger as CSV. Needs `leave.read` too.
    ///
    /// What leave policies credited without anybody having booked on the account since is there once the job `leave.accrue` has run.
    GET "/api/v1/exports/leave-postings" => export_postings, requires ExportRun, confirmed;
}

/// Whose, and when.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct LiabilityQuery {
    /// The day, past or future; today (UTC) when absent.
    #[serde(default, deserialize_with = "hrms_core::date::strict")]
    as_of: Option<Date>,
    /// Only people in this department on the day.
    department_id: Option<DepartmentId>,
    /// People in departments below it, too.
    include_subdepartments: Option<bool>,
    /// Only people at this location on the day.
    location_id: Option<LocationId>,
    /// Only people who report to this employee on the day.
    manager_id: Option<EmployeeId>,
}

impl LiabilityQuery {
    fn search(&self) -> AbsenceSearch {
        AbsenceSearch {
            department_id: self.department_id,
            include_subdepartments: self.include_subdepartments.unwrap_or(false),
            location_id: self.location_id,
            manager_id: self.manager_id,
        }
    }
}

impl ListQuery for LiabilityQuery {
    type Sort = EmployeeSort;
    const SORTS: &'static [(&'static str, EmployeeSort)] =
        &[("number", EmployeeSort::Number), ("name", EmployeeSort::Name)];
    const DEFAULT_SORT: &'static str = "number";
}

async fn liability(cx: Cx, list: List<LiabilityQuery>) -> Result<Listed<LeaveLiability>, LeaveError> {
    let (search, as_of) = (list.filter.search(), list.filter.as_of);
    let page = cx.hrms.leave().liability(&cx.actor, &search, as_of, &list.page).await?;
    Ok(list.answer(page))
}

async fn totals(cx: Cx, Query(query): Query<LiabilityQuery>) -> Result<Found<LiabilityTotals>, LeaveError> {
    cx.hrms.leave().liability_totals(&cx.actor, &query.search(), query.as_of).await.map(Found)
}

/// When.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct AsOf {
    /// The day, past or future; today (UTC) when absent.
    #[serde(default, deserialize_with = "hrms_core::date::strict")]
    as_of: Option<Date>,
}

/// From when to when.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct Between {
    /// Only with a day on or after this one.
    #[serde(default, deserialize_with = "hrms_core::date::strict")]
    from: Option<Date>,
    /// Only with a day on or before this one.
    #[serde(default, deserialize_with = "hrms_core::date::strict")]
    to: Option<Date>,
}

async fn export_liability(cx: Cx, Query(query): Query<AsOf>) -> Result<CsvLines, LeaveError> {
    file(cx, LeaveFile::Liability(query.as_of)).await
}

async fn export_balances(cx: Cx, Query(query): Query<AsOf>) -> Result<CsvLines, LeaveError> {
    file(cx, LeaveFile::Balances(query.as_of)).await
}

async fn export_requests(cx: Cx, Query(query): Query<Between>) -> Result<CsvLines, LeaveError> {
    file(cx, LeaveFile::Requests(query.from, query.to)).await
}

async fn export_postings(cx: Cx, Query(query): Query<Between>) -> Result<CsvLines, LeaveError> {
    file(cx, LeaveFile::Postings(query.from, query.to)).await
}

async fn file(cx: Cx, what: LeaveFile) -> Result<CsvLines, LeaveError> {
    let export = cx.hrms.leave().export(&cx.actor, what).await?;
    let pieces = stream::try_unfold(export, |mut export| async move {
        Ok::<_, LeaveError>(export.next().await?.map(|lines| (lines, export)))
    });
    Ok(CsvLines::new(&format!("{}.csv", what.code()), pieces))
}
