//! Employment records in SQL.

use std::collections::HashMap;

use async_trait::async_trait;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::employment::{
    EmploymentRepo, EmploymentStatus, EmploymentType, EndReason, Facts, Record, ReportingLine, Timeline,
};
use hrms_core::{DepartmentId, DesignationId, EmployeeId, LocationId, StoreError};

use crate::query::{CHUNK, Query, insert_many, params};
use crate::sql::{SqlTx, corrupt, period};

const TABLE: &str = "employment_record";

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
