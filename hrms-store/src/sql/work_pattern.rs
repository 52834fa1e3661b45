//! Working patterns in SQL, and who has which when.

use std::collections::HashMap;
use std::hash::Hash;

use async_trait::async_trait;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::work_pattern::{
    Assignment, WorkPattern, WorkPatternFilter, WorkPatternRepo, WorkPatternSort, WorkRule,
};
use hrms_core::{EmployeeId, LocationId, PageRequest, StoreError, Version, WorkPatternId};

use crate::instant::Instant;
use crate::query::{CHUNK, Param, Query, insert_many, params};
use crate::sql::{SqlTx, corrupt, period};

const TABLE: &str = "work_pattern";

#[derive(FromRow)]
struct PatternRow {
    id: Uuid,
    code: String,
    name: String,
    rule: Value,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

impl TryFrom<PatternRow> for WorkPattern {
    type Error = StoreError;

    fn try_from(row: PatternRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: WorkPatternId::from_uuid(row.id),
            code: row.code,
            name: row.name,
            rule: rule(row.rule)?,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        })
    }
}

fn rule(stored: Value) -> Result<WorkRule, StoreError> {
    serde_json::from_value(stored).map_err(|error| corrupt(TABLE, format!("rule: {error}")))
}

/// A pattern that something (a location, an employee) has during a period.
#[derive(FromRow)]
struct AssignmentRow {
    owner_id: Uuid,
    work_pattern_id: Uuid,
    valid_from: jiff_sqlx::Date,
    valid_to: Option<jiff_sqlx::Date>,
}

const SELECT: &str =
    "SELECT id, code, name, rule, created_at, updated_at, version FROM work_pattern WHERE tenant_id = ";

impl SqlTx {
    /// Who of these has which pattern when; `head` is a statement up to the list of ids.
    async fn assignments<Id: Copy + Eq + Hash + Into<Param>>(
        &mut self,
        head: &'static str,
        ids: &[Id],
        id: fn(Uuid) -> Id,
    ) -> Result<HashMap<Id, Vec<Assignment>>, StoreError> {
        let mut found: HashMap<Id, Vec<Assignment>> = HashMap::new();
        for ids in ids.chunks(CHUNK) {
            let mut query = Query::with(head, params![self.tenant]);
            query.list(ids.iter().copied()).push(" ORDER BY valid_from");
            for row in query.all::<AssignmentRow>(&mut self.conn).await? {
                found.entry(id(row.owner_id)).or_default().push(Assignment {
                    work_pattern_id: WorkPatternId::from_uuid(row.work_pattern_id),
                    period: period(TABLE, row.valid_from, row.valid_to)?,
                });
            }
        }
        Ok(found)
    }

    async fn replace_assignments(
        &mut self,
        delete: &'static str,
        insert: &'static str,
        owner: Uuid,
        assignments: &[Assignment],
    ) -> Result<(), StoreError> {
        self.conn.execute(delete, params![self.tenant, owner]).await?;
        let tenant = self.tenant;
        let rows = assignments
            .iter()
            .map(|one| params![tenant, owner, one.period.from(), one.period.to(), one.work_pattern_id]);
        insert_many(&mut self.conn, insert, rows.collect::<Vec<_>>(), "").await?;
        Ok(())
    }
}

#[async_trait]
impl WorkPatternRepo for SqlTx {
    async fn get(&mut self, id: WorkPatternId) -> Result<Option<WorkPattern>, StoreError> {
        let mut query = Query::new(SELECT);
        query.bind(self.tenant).push(" AND id = ").bind(id);
        query.optional::<PatternRow>(&mut self.conn).await?.map(TryInto::try_into).transpose()
    }

    async fn rules(&mut self, ids: &[WorkPatternId]) -> Result<HashMap<WorkPatternId, WorkRule>, StoreError> {
        let mut found = HashMap::new();
        for ids in ids.chunks(CHUNK) {
            let mut query = Query::with(
                "SELECT id, rule FROM work_pattern WHERE tenant_id = $1 AND id IN ",
                params![self.tenant],
            );
            query.list(ids.iter().copied());
            for (id, stored) in query.all::<(Uuid, Value)>(&mut self.conn).await? {
                found.insert(WorkPatternId::from_uuid(id), rule(stored)?);
            }
        }
        Ok(found)
    }

    async fn list(
        &mut self,
        filter: &WorkPatternFilter,
        page: &PageRequest<WorkPatternSort>,
    ) -> Result<Vec<WorkPattern>, StoreError> {
        let mut query = Query::new(SELECT);
        query.bind(self.tenant);
        query.and(" AND code = ", filter.code.as_deref());
        query.and(" AND updated_at >= ", filter.updated_after);
        let column = match page.sort {
            WorkPatternSort::Name => "name",
            WorkPatternSort::Code => "code",
        };
        query.page(column, "id", page, |key| key.into());
        query.all::<PatternRow>(&mut self.conn).await?.into_iter().map(TryInto::try_into).collect()
    }

    async fn insert(&mut self, pattern: &WorkPattern) -> Result<(), StoreError> {
        let rule = serde_json::to_value(&pattern.rule).map_err(|error| corrupt(TABLE, error))?;
        self.conn
            .execute(
                "INSERT INTO work_pattern (tenant_id, id, code, name, rule, created_at, updated_at, version) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                params![
                    self.tenant,
                    pattern.id,
                    pattern.code.as_str(),
                    pattern.name.as_str(),
                    rule,
                    pattern.created_at,
                    pattern.updated_at,
                    pattern.version,
                ],
            )
            .await?;
        Ok(())
    }

    async fn update(&mut self, pattern: &WorkPattern, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE work_pattern SET code = $4, name = $5, updated_at = $6, version = $7 \
                 WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![
                    self.tenant,
                    pattern.id,
                    expected,
                    pattern.code.as_str(),
                    pattern.name.as_str(),
                    pattern.updated_at,
                    pattern.version,
                ],
            )
            .await
    }

    async fn remove(&mut self, id: WorkPatternId, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "DELETE FROM work_pattern WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![self.tenant, id, expected],
            )
            .await
    }

    async fn lock_working_days(&mut self) -> Result<(), StoreError> {
        self.lock("work-patterns").await
    }

    async fn hold_working_days(&mut self) -> Result<(), StoreError> {
        self.hold("work-patterns").await
    }

    async fn of_locations(
        &mut self,
        locations: &[LocationId],
    ) -> Result<HashMap<LocationId, Vec<Assignment>>, StoreError> {
        self.assignments(
            "SELECT location_id AS owner_id, work_pattern_id, valid_from, valid_to FROM location_work_pattern \
             WHERE tenant_id = $1 AND location_id IN ",
            locations,
            LocationId::from_uuid,
        )
        .await
    }

    async fn of_employees(
        &mut self,
        employees: &[EmployeeId],
    ) -> Result<HashMap<EmployeeId, Vec<Assignment>>, StoreError> {
        self.assignments(
            "SELECT employee_id AS owner_id, work_pattern_id, valid_from, valid_to FROM employee_work_pattern \
             WHERE tenant_id = $1 AND employee_id IN ",
            employees,
            EmployeeId::from_uuid,
        )
        .await
    }

    async fn replace_of_location(
        &mut self,
        location: LocationId,
        assignments: &[Assignment],
    ) -> Result<(), StoreError> {
        self.replace_assignments(
            "DELETE FROM location_work_pattern WHERE tenant_id = $1 AND location_id = $2",
            "INSERT INTO location_work_pattern (tenant_id, location_id, valid_from, valid_to, work_pattern_id) VALUES ",
            location.as_uuid(),
            assignments,
        )
        .await
    }

    async fn replace_of_employee(
        &mut self,
        employee: EmployeeId,
        assignments: &[Assignment],
    ) -> Result<(), StoreError> {
        self.replace_assignments(
            "DELETE FROM employee_work_pattern WHERE tenant_id = $1 AND employee_id = $2",
            "INSERT INTO employee_work_pattern (tenant_id, employee_id, valid_from, valid_to, work_pattern_id) VALUES ",
            employee.as_uuid(),
            assignments,
        )
        .await
    }
}
