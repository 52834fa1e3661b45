//! The org chart in SQL.

use async_trait::async_trait;
use jiff::civil::Date;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::org_chart::{OrgChartNode, OrgChartRepo, OrgChartRow, OrgChartSort, Start};
use hrms_core::{DepartmentId, DesignationId, EmployeeId, PageRequest, StoreError};

use crate::query::{Query, params};
use crate::sql::SqlTx;
use crate::sql::employee::{full_name, named};

/// People `e` by their record `r`, and how many records in force on $2 name each as manager.
macro_rules! people {
    () => {
        "SELECT r.manager_id, e.id, e.given_name, e.family_name, e.name_key, \
         d.id AS department_id, d.name AS department_name, g.id AS designation_id, g.name AS designation_name, \
         (SELECT count(*) FROM employment_record AS s WHERE s.tenant_id = $1 AND s.manager_id = e.id \
            AND s.valid_from <= $2 AND (s.valid_to IS NULL OR s.valid_to > $2)) AS direct_reports"
    };
}

macro_rules! joins {
    () => {
        " JOIN employee AS e ON e.tenant_id = r.tenant_id AND e.id = r.employee_id \
         LEFT JOIN department AS d ON d.tenant_id = r.tenant_id AND d.id = r.department_id \
         LEFT JOIN designation AS g ON g.tenant_id = r.tenant_id AND g.id = r.designation_id"
    };
}

const START: &str = concat!(
    people!(),
    " FROM employment_record AS r",
    joins!(),
    " WHERE r.tenant_id = $1 AND r.valid_from <= $2 AND (r.valid_to IS NULL OR r.valid_to > $2)"
);

#[derive(FromRow)]
struct PersonRow {
    manager_id: Option<Uuid>,
    id: Uuid,
    given_name: String,
    family_name: String,
    name_key: String,
    department_id: Option<Uuid>,
    department_name: Option<String>,
    designation_id: Option<Uuid>,
    designation_name: Option<String>,
    direct_reports: i64,
}

impl From<PersonRow> for OrgChartRow {
    fn from(row: PersonRow) -> Self {
        Self {
            manager_id: row.manager_id.map(EmployeeId::from_uuid),
            name_key: row.name_key,
            node: OrgChartNode {
                id: EmployeeId::from_uuid(row.id),
                name: full_name(row.given_name, &row.family_name),
                designation: named(row.designation_id, row.designation_name, DesignationId::from_uuid),
                department: named(row.department_id, row.department_name, DepartmentId::from_uuid),
                direct_reports: row.direct_reports,
                reports: Vec::new(),
            },
        }
    }
}

#[async_trait]
impl OrgChartRepo for SqlTx {
    async fn start(
        &mut self,
        start: Start,
        as_of: Date,
        page: &PageRequest<OrgChartSort>,
    ) -> Result<Vec<OrgChartRow>, StoreError> {
        let mut query = Query::with(START, params![self.tenant, as_of]);
        match start {
            Start::Top => query.push(
                " AND NOT EXISTS (SELECT 1 FROM employment_record AS b WHERE b.tenant_id = $1 \
                 AND b.employee_id = r.manager_id AND b.valid_from <= $2 \
                 AND (b.valid_to IS NULL OR b.valid_to > $2))",
            ),
            Start::Person(person) => query.push(" AND r.employee_id = ").bind(person),
            Start::Below(manager) => query.push(" AND r.manager_id = ").bind(manager),
        };
        query.page("e.name_key", "e.id", page, |key| key.into());
        Ok(query.all::<PersonRow>(&mut self.conn).await?.into_iter().map(Into::into).collect())
    }

    async fn reports(
        &mut self,
        managers: &[EmployeeId],
        as_of: Date,
        each: u16,
        all: usize,
    ) -> Result<Vec<OrgChartRow>, StoreError> {
        let mut query = Query::with(
            concat!(
                people!(),
                " FROM (SELECT n.tenant_id, n.employee_id, n.manager_id, n.department_id, n.designation_id, \
                   row_number() OVER (PARTITION BY n.manager_id ORDER BY o.name_key, o.id) AS place \
                 FROM employment_record AS n \
                 JOIN employee AS o ON o.tenant_id = n.tenant_id AND o.id = n.employee_id \
                 WHERE n.tenant_id = $1 AND n.valid_from <= $2 AND (n.valid_to IS NULL OR n.valid_to > $2) \
                   AND n.manager_id IN "
            ),
            params![self.tenant, as_of],
        );
        query.list(managers.iter().copied()).push(concat!(") AS r", joins!(), " WHERE r.place <= "));
        query.bind(each).push(" ORDER BY r.place, r.manager_id LIMIT ");
        query.bind(i64::try_from(all).unwrap_or(i64::MAX));
        Ok(query.all::<PersonRow>(&mut self.conn).await?.into_iter().map(Into::into).collect())
    }
}
