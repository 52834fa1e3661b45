//! How many people have to be there, in SQL.

use async_trait::async_trait;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::leave::{CoverageMinimum, CoverageRepo, CoverageRule};
use hrms_core::{CoverageMinimumId, DepartmentId, LocationId, StoreError, UserId};

use crate::instant::Instant;
use crate::query::{Query, params};
use crate::sql::{SqlTx, corrupt};

#[derive(FromRow)]
struct MinimumRow {
    id: Uuid,
    department_id: Uuid,
    location_id: Option<Uuid>,
    effective_from: jiff_sqlx::Date,
    people: Option<i64>,
    percent: Option<i64>,
    rule: String,
    created_at: Instant,
    created_by: Option<Uuid>,
}

impl TryFrom<MinimumRow> for CoverageMinimum {
    type Error = StoreError;

    fn try_from(row: MinimumRow) -> Result<Self, StoreError> {
        let rule = CoverageRule::from_code(&row.rule);
        Ok(Self {
            id: CoverageMinimumId::from_uuid(row.id),
            department_id: DepartmentId::from_uuid(row.department_id),
            location_id: row.location_id.map(LocationId::from_uuid),
            effective_from: row.effective_from.to_jiff(),
            people: row.people,
            percent: row.percent,
            rule: rule.ok_or_else(|| corrupt("coverage_minimum", format!("rule {}", row.rule)))?,
            created_at: row.created_at.0,
            created_by: row.created_by.map(UserId::from_uuid),
        })
    }
}

#[async_trait]
impl CoverageRepo for SqlTx {
    async fn minimums(
        &mut self,
        department: Option<DepartmentId>,
    ) -> Result<Vec<CoverageMinimum>, StoreError> {
        let mut query = Query::with(
            "SELECT id, department_id, location_id, effective_from, people, percent, rule, created_at, created_by \
             FROM coverage_minimum WHERE tenant_id = $1",
            params![self.tenant],
        );
        query.and(" AND department_id = ", department);
        query.push(" ORDER BY effective_from, created_at, id");
        query.all::<MinimumRow>(&mut self.conn).await?.into_iter().map(TryInto::try_into).collect()
    }

    async fn insert(&mut self, minimum: &CoverageMinimum) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO coverage_minimum (tenant_id, id, department_id, location_id, effective_from, people, \
                 percent, rule, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                params![
                    self.tenant,
                    minimum.id,
                    minimum.department_id,
                    minimum.location_id,
                    minimum.effective_from,
                    minimum.people,
                    minimum.percent,
                    minimum.rule.code(),
                    minimum.created_at,
                    minimum.created_by,
                ],
            )
            .await?;
        Ok(())
    }

    async fn lock(&mut self) -> Result<(), StoreError> {
        SqlTx::lock(self, "leave-coverage").await
    }
}
