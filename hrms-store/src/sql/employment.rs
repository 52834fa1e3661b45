//! Employment records in SQL.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::civil::Date;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::employment::{
    EmploymentRepo, EmploymentStatus, EmploymentType, EndReason, Facts, Record, ReportingLine, Timeline,
};
use hrms_core::{DepartmentId, DesignationId, EmployeeId, LocationId, StoreError};

use crate::query::{CHUNK, Query, insert_many, params};
use crate::sql::{SqlTx, corrupt, period};

const TABLE: &str = "employment_record";

/// The facts of a record of the given alias, for a [`FactsRow`].
macro_rules! facts {
    ($alias:literal) => {
        concat!(
            $alias,
            ".department_id AS facts_department, ",
            $alias,
            ".designation_id AS facts_designation, ",
            $alias,
            ".location_id AS facts_location, ",
            $alias,
            ".manager_id AS facts_manager, ",
            $alias,
            ".employment_type AS facts_employment_type, ",
            $alias,
            ".status AS facts_status"
        )
    };
}
pub(in crate::sql) use facts;

/// The facts of a record, or nothing where there is none.
#[derive(FromRow)]
pub(in crate::sql) struct FactsRow {
    facts_department: Option<Uuid>,
    facts_designation: Option<Uuid>,
    facts_location: Option<Uuid>,
    facts_manager: Option<Uuid>,
    facts_employment_type: Option<String>,
    facts_status: Option<String>,
}

impl TryFrom<FactsRow> for Facts {
    type Error = StoreError;

    fn try_from(row: FactsRow) -> Result<Self, StoreError> {
        let kind = row.facts_employment_type.as_deref().map(employment_type).transpose()?;
        Ok(Self {
            department_id: row.facts_department.map(DepartmentId::from_uuid),
            designation_id: row.facts_designation.map(DesignationId::from_uuid),
            location_id: row.facts_location.map(LocationId::from_uuid),
            manager_id: row.facts_manager.map(EmployeeId::from_uuid),
            employment_type: kind.unwrap_or_default(),
            status: row.facts_status.as_deref().map(status).transpose()?.unwrap_or_default(),
        })
    }
}

#[derive(FromRow)]
struct RecordRow {
    employee_id: Uuid,
    valid_from: jiff_sqlx::Date,
    valid_to: Option<jiff_sqlx::Date>,
    department_id: Option<Uuid>,
    designation_id: Option<Uuid>,
    location_id: Option<Uuid>,
    manager_id: Option<Uuid>,
    employment_type: String,
    status: String,
    corrected: bool,
    end_reason: Option<String>,
}

impl TryFrom<RecordRow> for Record {
    type Error = StoreError;

    fn try_from(row: RecordRow) -> Result<Self, StoreError> {
        Ok(Self {
            period: period(TABLE, row.valid_from, row.valid_to)?,
            facts: Facts {
                department_id: row.department_id.map(DepartmentId::from_uuid),
                designation_id: row.designation_id.map(DesignationId::from_uuid),
                location_id: row.location_id.map(LocationId::from_uuid),
                manager_id: row.manager_id.map(EmployeeId::from_uuid),
                employment_type: employment_type(&row.employment_type)?,
                status: status(&row.status)?,
            },
            corrected: row.corrected,
            end_reason: row.end_reason.as_deref().map(end_reason).transpose()?,
        })
    }
}

pub(super) fn employment_type(code: &str) -> Result<EmploymentType, StoreError> {
    EmploymentType::from_code(code).ok_or_else(|| corrupt(TABLE, format!("employment_type {code}")))
}

pub(super) fn status(code: &str) -> Result<EmploymentStatus, StoreError> {
    EmploymentStatus::from_code(code).ok_or_else(|| corrupt(TABLE, format!("status {code}")))
}

pub(super) fn end_reason(code: &str) -> Result<EndReason, StoreError> {
    EndReason::from_code(code).ok_or_else(|| corrupt(TABLE, format!("end_reason {code}")))
}

#[async_trait]
impl EmploymentRepo for SqlTx {
    async fn timelines_of(
        &mut self,
        employees: &[EmployeeId],
    ) -> Result<HashMap<EmployeeId, Timeline>, StoreError> {
        let mut records: HashMap<EmployeeId, Vec<Record>> = HashMap::new();
        for employees in employees.chunks(CHUNK) {
            let mut query = Query::with(
                "SELECT employee_id, valid_from, valid_to, department_id, designation_id, location_id, \
                 manager_id, employment_type, status, corrected, end_reason FROM employment_record \
                 WHERE tenant_id = $1 AND employee_id IN ",
                params![self.tenant],
            );
            query.list(employees.iter().copied());
            for row in query.all::<RecordRow>(&mut self.conn).await? {
                let employee = EmployeeId::from_uuid(row.employee_id);
                records.entry(employee).or_default().push(row.try_into()?);
            }
        }
        records
            .into_iter()
            .map(|(employee, records)| {
                let timeline = Timeline::from_records(records).map_err(|error| corrupt(TABLE, error))?;
                Ok((employee, timeline))
            })
            .collect()
    }

    async fn replace_timelines(&mut self, timelines: &[(EmployeeId, Timeline)]) -> Result<(), StoreError> {
        for timelines in timelines.chunks(CHUNK) {
            let mut query = Query::with(
                "DELETE FROM employment_record WHERE tenant_id = $1 AND employee_id IN ",
                params![self.tenant],
            );
            query.list(timelines.iter().map(|(employee, _)| *employee));
            query.execute(&mut self.conn).await?;
        }
        let tenant = self.tenant;
        let records = timelines.iter().flat_map(|(employee, timeline)| {
            timeline.history().iter().map(move |record| (*employee, record))
        });
        let rows: Vec<_> = records
            .map(|(employee, record)| {
                params![
                    tenant,
                    employee,
                    record.period.from(),
                    record.period.to(),
                    record.facts.department_id,
                    record.facts.designation_id,
                    record.facts.location_id,
                    record.facts.manager_id,
                    record.facts.employment_type.code(),
                    record.facts.status.code(),
                    record.corrected,
                    record.end_reason.map(EndReason::code),
                ]
            })
            .collect();
        insert_many(
            &mut self.conn,
            "INSERT INTO employment_record (tenant_id, employee_id, valid_from, valid_to, department_id, \
             designation_id, location_id, manager_id, employment_type, status, corrected, end_reason) VALUES ",
            rows,
            "",
        )
        .await?;
        Ok(())
    }

    async fn members_of(&mut self, department: DepartmentId) -> Result<Vec<EmployeeId>, StoreError> {
        let rows: Vec<(Uuid,)> = self
            .conn
            .all(
                "SELECT DISTINCT employee_id FROM employment_record \
                 WHERE tenant_id = $1 AND department_id = $2 ORDER BY employee_id",
                params![self.tenant, department],
            )
            .await?;
        Ok(rows.into_iter().map(|(employee,)| EmployeeId::from_uuid(employee)).collect())
    }

    async fn members_between(
        &mut self,
        departments: &[DepartmentId],
        from: Date,
        last: Date,
    ) -> Result<Vec<EmployeeId>, StoreError> {
        let mut query = Query::with(
            "SELECT DISTINCT employee_id FROM employment_record WHERE tenant_id = $1 AND valid_from <= $2 \
             AND (valid_to IS NULL OR valid_to > $3) AND department_id IN ",
            params![self.tenant, last, from],
        );
        query.list(departments.iter().copied()).push(" ORDER BY employee_id");
        let rows: Vec<(Uuid,)> = query.all(&mut self.conn).await?;
        Ok(rows.into_iter().map(|(employee,)| EmployeeId::from_uuid(employee)).collect())
    }

    async fn managers_above(
        &mut self,
        employees: &[EmployeeId],
        on: Date,
    ) -> Result<HashMap<EmployeeId, Vec<EmployeeId>>, StoreError> {
        let mut above: HashMap<EmployeeId, Vec<EmployeeId>> = HashMap::new();
        if employees.is_empty() {
            return Ok(above);
        }
        // The depth orders the result, and ends the search should the line ever have a cycle.
        let mut query = Query::with(
            "WITH RECURSIVE up (employee_id, manager_id, depth) AS ( \
               SELECT r.employee_id, r.manager_id, 1 FROM employment_record AS r \
               WHERE r.tenant_id = $1 AND r.valid_from <= $2 AND (r.valid_to IS NULL OR r.valid_to > $2) \
                 AND r.manager_id IS NOT NULL AND r.employee_id IN ",
            params![self.tenant, on],
        );
        query.list(employees.iter().copied()).push(
            " UNION SELECT up.employee_id, r.manager_id, up.depth + 1 FROM employment_record AS r \
               JOIN up ON r.employee_id = up.manager_id \
               WHERE r.tenant_id = $1 AND r.valid_from <= $2 AND (r.valid_to IS NULL OR r.valid_to > $2) \
                 AND r.manager_id IS NOT NULL AND up.depth < 100) \
             SELECT employee_id, manager_id FROM up ORDER BY employee_id, depth",
        );
        let rows: Vec<(Uuid, Uuid)> = query.all(&mut self.conn).await?;
        for (employee, manager) in rows {
            let managers = above.entry(EmployeeId::from_uuid(employee)).or_default();
            managers.push(EmployeeId::from_uuid(manager));
        }
        Ok(above)
    }

    async fn lock_reporting_line(&mut self) -> Result<(), StoreError> {
        self.lock("reporting-line").await
    }

    async fn reporting_line(&mut self) -> Result<ReportingLine, StoreError> {
        let rows: Vec<(Uuid, Uuid, jiff_sqlx::Date, Option<jiff_sqlx::Date>)> = self
            .conn
            .all(
                "SELECT employee_id, manager_id, valid_from, valid_to FROM employment_record \
                 WHERE tenant_id = $1 AND manager_id IS NOT NULL",
                params![self.tenant],
            )
            .await?;
        let mut line = ReportingLine::default();
        for (employee, manager, from, to) in rows {
            line.add(
                EmployeeId::from_uuid(employee),
                period(TABLE, from, to)?,
                EmployeeId::from_uuid(manager),
            );
        }
        Ok(line)
    }
}
