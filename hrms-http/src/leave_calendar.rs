//! `/api/v1/leave-calendar`: who is away when.

use hrms_core::employee::EmployeeSort;
use hrms_core::jiff::civil::Date;
use hrms_core::leave::{AbsenceSearch, AwayPerson, LeaveCalendarRow, LeaveError};
use hrms_core::{DepartmentId, EmployeeId, LocationId};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::Listed;
use crate::endpoints;
use crate::extract::{List, ListQuery};
use crate::request::Cx;

endpoints! {
    tag = "leave-calendar";

    /// List people with when they are away and which days they don't work, at most 92 days.
    ///
    /// Of whom the caller may read the leave: pending and approved requests. Of others, such as colleagues in the same department: from when to
    /// when they are away, once it is approved, and nothing of why.
    GET "/api/v1/leave-calendar" => calendar, requires EmployeeReadAbsence;

    /// List who is away today where they work, or on another day, and when they are back.
    GET "/api/v1/leave-calendar/away" => away, requires EmployeeReadAbsence;
}

/// The filters of the calendar.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct CalendarQuery {
    /// The first day; today (UTC) when absent.
    #[serde(default, deserialize_with = "hrms_core::date::strict")]
    from: Option<Date>,
    /// The last day: it belongs to the calendar. 31 days are shown when absent.
    #[serde(default, deserialize_with = "hrms_core::date::strict")]
    to: Option<Date>,
    /// Only people in this department.
    department_id: Option<DepartmentId>,
    /// People in departments below it, too.
    include_subdepartments: Option<bool>,
    /// Only people at this location.
    location_id: Option<LocationId>,
    /// Only people who report to this employee.
    manager_id: Option<EmployeeId>,
}

impl ListQuery for CalendarQuery {
    type Sort = EmployeeSort;
    const SORTS: &'static [(&'static str, EmployeeSort)] = &[("name", EmployeeSort::Name)];
    const DEFAULT_SORT: &'static str = "name";
}

async fn calendar(cx: Cx, list: List<CalendarQuery>) -> Result<Listed<LeaveCalendarRow>, LeaveError> {
    let filter = &list.filter;
    let search = AbsenceSearch {
        department_id: filter.department_id,
        include_subdepartments: filter.include_subdepartments.unwrap_or(false),
        location_id: filter.location_id,
        manager_id: filter.manager_id,
    };
    let days = (filter.from, filter.to);
    let page = cx.hrms.leave().calendar(&cx.actor, &search, days, &list.page).await?;
    Ok(list.answer(page))
}

/// The filters of those who are away.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct AwayQuery {
    /// The day; today where each of them works when absent.
    #[serde(default, deserialize_with = "hrms_core::date::strict")]
    on: Option<Date>,
    /// Only people in this department.
    department_id: Option<DepartmentId>,
    /// People in departments below it, too.
    include_subdepartments: Option<bool>,
    /// Only people at this location.
    location_id: Option<LocationId>,
    /// Only people who report to this employee.
    manager_id: Option<EmployeeId>,
}

impl ListQuery for AwayQuery {
    type Sort = EmployeeSort;
    const SORTS: &'static [(&'static str, EmployeeSort)] = &[("name", EmployeeSort::Name)];
    const DEFAULT_SORT: &'static str = "name";
}

async fn away(cx: Cx, list: List<AwayQuery>) -> Result<Listed<AwayPerson>, LeaveError> {
    let filter = &list.filter;
    let search = AbsenceSearch {
        department_id: filter.department_id,
        include_subdepartments: filter.include_subdepartments.unwrap_or(false),
        location_id: filter.location_id,
        manager_id: filter.manager_id,
    };
    let page = cx.hrms.leave().away(&cx.actor, &search, filter.on, &list.page).await?;
    Ok(list.answer(page))
}
