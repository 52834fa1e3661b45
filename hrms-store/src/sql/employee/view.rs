//! Employees as shown: one statement that joins what a record refers to.

use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::employee::{EmployeeFilter, EmployeeRef, EmployeeRow, EmployeeView, EmploymentView, Named};
use hrms_core::{
    DepartmentId, DesignationId, EmployeeId, LocationId, Resource, StoreError, TenantId, Version,
};

use super::gender;
use crate::instant::Instant;
use crate::query::{Query, params};
use crate::sql::employment::{FactsRow, facts};
use crate::sql::visibility::visible;
use crate::sql::{corrupt, employment};

/// The columns of a record `r` and the names of what it refers to.
macro_rules! record_columns {
    () => {
        "r.valid_from, r.valid_to, r.employment_type, r.status, r.corrected, r.end_reason, \
         d.id AS department_id, d.name AS department_name, \
         g.id AS designation_id, g.name AS designation_name, \
         l.id AS location_id, l.name AS location_name, l.time_zone AS location_time_zone, \
         m.id AS manager_id, m.number AS manager_number, \
         m.given_name AS manager_given_name, m.family_name AS manager_family_name"
    };
}

/// What a record `r` refers to.
macro_rules! record_joins {
    () => {
        " LEFT JOIN department AS d ON d.tenant_id = r.tenant_id AND d.id = r.department_id \
         LEFT JOIN designation AS g ON g.tenant_id = r.tenant_id AND g.id = r.designation_id \
         LEFT JOIN location AS l ON l.tenant_id = r.tenant_id AND l.id = r.location_id \
         LEFT JOIN employee AS m ON m.tenant_id = r.tenant_id AND m.id = r.manager_id"
    };
}

/// Employees `e` with the record `r` in force on $2; `$today` names the record in force today.
macro_rules! employees {
    ($today:literal) => {
        concat!(
            "SELECT e.id, e.number, e.given_name, e.family_name, e.email, e.birth_date, e.gender, e.hired_on, \
             e.created_at, e.updated_at, e.version, ",
            facts!($today),
            ", ",
            record_columns!(),
            " FROM employee AS e",
            record!()
        )
    };
}

/// The record `r` in force on $2.
macro_rules! record {
    () => {
        " LEFT JOIN employment_record AS r ON r.tenant_id = e.tenant_id AND r.employee_id = e.id \
           AND r.valid_from <= $2 AND (r.valid_to IS NULL OR r.valid_to > $2)"
    };
}

/// The record `t` in force on $3: today, where $2 is another day.
macro_rules! record_today {
    () => {
        " LEFT JOIN employment_record AS t ON t.tenant_id = e.tenant_id AND t.employee_id = e.id \
           AND t.valid_from <= $3 AND (t.valid_to IS NULL OR t.valid_to > $3)"
    };
}

/// $1 tenant, $2 today, $3 employee.
pub(super) const ONE_TODAY: &str =
    concat!(employees!("r"), record_joins!(), " WHERE e.tenant_id = $1 AND e.id = $3");
/// $1 tenant, $2 the date, $3 today, $4 employee.
pub(super) const ONE_AS_OF: &str =
    concat!(employees!("t"), record_today!(), record_joins!(), " WHERE e.tenant_id = $1 AND e.id = $4");

pub(super) const HISTORY: &str = concat!(
    "SELECT ",
    record_columns!(),
    " FROM employment_record AS r",
    record_joins!(),
    " WHERE r.tenant_id = $1 AND r.employee_id = $2 ORDER BY r.valid_from"
);

/// The employees of a page, in no order.
///
/// The ids stand beside each table, not only beside the first: so the statement reads a page's worth of rows
/// whatever the database has learnt about its tables yet.
pub(super) fn these(tenant: TenantId, filter: &EmployeeFilter, ids: &[Uuid]) -> Query {
    let ids = || ids.iter().copied();
    let mut query = if filter.as_of == filter.today {
        Query::with(employees!("r"), params![tenant, filter.today])
    } else {
        Query::with(employees!("t"), params![tenant, filter.as_of, filter.today])
    };
    query.push(" AND r.employee_id IN ").list(ids());
    if filter.as_of != filter.today {
        query.push(record_today!()).push(" AND t.employee_id IN ").list(ids());
    }
    query.push(concat!(record_joins!(), " WHERE e.tenant_id = $1 AND e.id IN ")).list(ids());
    query
}

/// The ids of the employees that a filter asks for, without order and limit.
pub(super) fn matching(tenant: TenantId, filter: &EmployeeFilter) -> Query {
    let by_record = !filter.visible.organization
        || filter.departments.is_some()
        || filter.designation_id.is_some()
        || filter.location_id.is_some()
        || filter.manager_id.is_some()
        || filter.status.is_some()
        || filter.employment_type.is_some()
        || filter.employed.is_some();
    let mut query = if !by_record {
        Query::with("SELECT e.id FROM employee AS e WHERE e.tenant_id = $1", params![tenant])
    } else if filter.as_of == filter.today {
        const SQL: &str = concat!("SELECT e.id FROM employee AS e", record!(), " WHERE e.tenant_id = $1");
        let mut query = Query::with(SQL, params![tenant, filter.today]);
        visible(&mut query, tenant, &filter.visible, filter.today, "e.id", "r");
        query
    } else {
        const SQL: &str =
            concat!("SELECT e.id FROM employee AS e", record!(), record_today!(), " WHERE e.tenant_id = $1");
        let mut query = Query::with(SQL, params![tenant, filter.as_of, filter.today]);
        visible(&mut query, tenant, &filter.visible, filter.today, "e.id", "t");
        query
    };
    for word in &filter.words {
        // Every word in the key stands behind a blank, so this finds the beginnings of words.
        let escaped = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        query.push(" AND e.search_key LIKE ").bind(format!("% {escaped}%")).push(" ESCAPE '\\'");
    }
    if let Some(departments) = &filter.departments {
        query.push(" AND r.department_id IN ").list(departments.iter().copied());
    }
    query.and(" AND r.designation_id = ", filter.designation_id);
    query.and(" AND r.location_id = ", filter.location_id);
    query.and(" AND r.manager_id = ", filter.manager_id);
    query.and(" AND r.status = ", filter.status.map(|status| status.code()));
    query.and(" AND r.employment_type = ", filter.employment_type.map(|kind| kind.code()));
    if let Some(employed) = filter.employed {
        query.push(if employed { " AND r.employee_id IS NOT NULL" } else { " AND r.employee_id IS NULL" });
    }
    if let Some((from, last)) = filter.on_leave {
        query.push(
            " AND EXISTS (SELECT 1 FROM leave_request AS q WHERE q.tenant_id = e.tenant_id AND q.employee_id = e.id \
             AND q.status = 'approved' AND q.starts_on <= ",
        );
        query.bind(last).push(" AND q.ends_on >= ").bind(from).push(")");
    }
    query.and(" AND e.updated_at >= ", filter.updated_after);
    query
}

#[derive(FromRow)]
pub(super) struct ViewRow {
    id: Uuid,
    number: String,
    given_name: String,
    family_name: String,
    email: Option<String>,
    birth_date: Option<jiff_sqlx::Date>,
    gender: Option<String>,
    hired_on: jiff_sqlx::Date,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
    #[sqlx(flatten)]
    today: FactsRow,
    #[sqlx(flatten)]
    record: HistoryRow,
}

#[derive(FromRow)]
pub(super) struct HistoryRow {
    valid_from: Option<jiff_sqlx::Date>,
    valid_to: Option<jiff_sqlx::Date>,
    employment_type: Option<String>,
    status: Option<String>,
    corrected: Option<bool>,
    end_reason: Option<String>,
    department_id: Option<Uuid>,
    department_name: Option<String>,
    designation_id: Option<Uuid>,
    designation_name: Option<String>,
    location_id: Option<Uuid>,
    location_name: Option<String>,
    location_time_zone: Option<String>,
    manager_id: Option<Uuid>,
    manager_number: Option<String>,
    manager_given_name: Option<String>,
    manager_family_name: Option<String>,
}

impl TryFrom<HistoryRow> for EmploymentView {
    type Error = StoreError;

    fn try_from(row: HistoryRow) -> Result<Self, StoreError> {
        let record = |what: &'static str| corrupt("employment_record", what);
        let manager_name = full_name(
            row.manager_given_name.unwrap_or_default(),
            &row.manager_family_name.unwrap_or_default(),
        );
        let manager = row.manager_id.zip(row.manager_number).map(|(id, number)| EmployeeRef {
            id: EmployeeId::from_uuid(id),
            number,
            name: manager_name,
        });
        Ok(Self {
            valid_from: row.valid_from.ok_or_else(|| record("valid_from"))?.to_jiff(),
            valid_to: row.valid_to.map(jiff_sqlx::Date::to_jiff),
            department: named(row.department_id, row.department_name, DepartmentId::from_uuid),
            designation: named(row.designation_id, row.designation_name, DesignationId::from_uuid),
            location: named(row.location_id, row.location_name, LocationId::from_uuid),
            manager,
            employment_type: employment::employment_type(&row.employment_type.unwrap_or_default())?,
            status: employment::status(&row.status.unwrap_or_default())?,
            corrected: row.corrected.ok_or_else(|| record("corrected"))?,
            end_reason: row.end_reason.as_deref().map(employment::end_reason).transpose()?,
        })
    }
}

impl TryFrom<ViewRow> for EmployeeRow {
    type Error = StoreError;

    fn try_from(row: ViewRow) -> Result<Self, StoreError> {
        let id = EmployeeId::from_uuid(row.id);
        let time_zone = row.record.location_time_zone.clone();
        let employment = if row.record.valid_from.is_some() { Some(row.record.try_into()?) } else { None };
        let view = EmployeeView {
            id,
            number: row.number,
            given_name: row.given_name,
            family_name: row.family_name,
            email: row.email,
            birth_date: Some(row.birth_date.map(jiff_sqlx::Date::to_jiff)),
            gender: Some(row.gender.as_deref().map(gender).transpose()?),
            hired_on: row.hired_on.to_jiff(),
            employment,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        };
        let resource = Resource::of(id, row.today.try_into()?);
        Ok(Self { view, resource, time_zone })
    }
}

/// The id and name of something, when it is there.
pub(in crate::sql) fn named<Id>(
    id: Option<Uuid>,
    name: Option<String>,
    wrap: impl FnOnce(Uuid) -> Id,
) -> Option<Named<Id>> {
    id.zip(name).map(|(id, name)| Named { id: wrap(id), name })
}

/// Given and family name as one text; people with one name have no family name.
pub(in crate::sql) fn full_name(given: String, family: &str) -> String {
    if family.is_empty() { given } else { format!("{given} {family}") }
}
