//! Schedules in SQL.

use async_trait::async_trait;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::schedule::{Schedule, ScheduleFilter, ScheduleRepo, ScheduleSort, Tick};
use hrms_core::{JobId, PageRequest, ScheduleId, StoreError, Version};

use crate::instant::Instant;
use crate::query::{Query, params};
use crate::sql::{SqlTx, corrupt};

#[derive(FromRow)]
struct ScheduleRow {
    id: Uuid,
    name: String,
    kind: String,
    kind_version: i64,
    payload: Value,
    cron: String,
    time_zone: Option<String>,
    enabled: bool,
    requester: Value,
    next_at: Option<Instant>,
    last_at: Option<Instant>,
    last_job_id: Option<Uuid>,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

macro_rules! select {
    ($where:literal) => {
        concat!(
            "SELECT id, name, kind, kind_version, payload, cron, time_zone, enabled, requester, next_at, last_at, \
             last_job_id, created_at, updated_at, version FROM job_schedule WHERE ",
            $where
        )
    };
}

impl TryFrom<ScheduleRow> for Schedule {
    type Error = StoreError;

    fn try_from(row: ScheduleRow) -> Result<Self, StoreError> {
        let bad = |what: &str| corrupt("job_schedule", what);
        Ok(Self {
            id: ScheduleId::from_uuid(row.id),
            name: row.name,
            kind: row.kind,
            kind_version: row.kind_version.try_into().map_err(|_| bad("kind_version"))?,
            payload: row.payload,
            cron: row.cron,
            time_zone: row.time_zone,
            enabled: row.enabled,
            requester: serde_json::from_value(row.requester).map_err(|_| bad("requester"))?,
            next_at: row.next_at.map(|at| at.0),
            last_at: row.last_at.map(|at| at.0),
            last_job: row.last_job_id.map(JobId::from_uuid),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        })
    }
}

#[async_trait]
impl ScheduleRepo for SqlTx {
    async fn get(&mut self, id: ScheduleId) -> Result<Option<Schedule>, StoreError> {
        let sql = select!("tenant_id = $1 AND id = $2");
        let row: Option<ScheduleRow> = self.conn.optional(sql, params![self.tenant, id]).await?;
        row.map(TryInto::try_into).transpose()
    }

    async fn list(
        &mut self,
        filter: &ScheduleFilter,
        page: &PageRequest<ScheduleSort>,
    ) -> Result<Vec<Schedule>, StoreError> {
        let mut query = Query::new(select!("tenant_id = "));
        query.bind(self.tenant);
        query.and(" AND kind = ", filter.kind.as_deref());
        query.and(" AND enabled = ", filter.enabled);
        query.and(" AND updated_at >= ", filter.updated_after);
        let ScheduleSort::Name = page.sort;
        query.page("name", "id", page, |key| key.into());
        let rows: Vec<ScheduleRow> = query.all(&mut self.conn).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    async fn count(&mut self) -> Result<u64, StoreError> {
        let sql = "SELECT COUNT(*) FROM job_schedule WHERE tenant_id = $1";
        let (count,): (i64,) = self.conn.one(sql, params![self.tenant]).await?;
        Ok(count.unsigned_abs())
    }

    async fn insert(&mut self, schedule: &Schedule) -> Result<(), StoreError> {
        let requester = serde_json::to_value(&schedule.requester);
        let requester = requester.map_err(|error| corrupt("job_schedule", error))?;
        self.conn
            .execute(
                "INSERT INTO job_schedule (tenant_id, id, name, kind, kind_version, payload, cron, time_zone, enabled, \
                 requester, next_at, last_at, last_job_id, created_at, updated_at, version) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
                params![
                    self.tenant,
                    schedule.id,
                    schedule.name.as_str(),
                    schedule.kind.as_str(),
                    schedule.kind_version,
                    schedule.payload.clone(),
                    schedule.cron.as_str(),
                    schedule.time_zone.as_deref(),
                    schedule.enabled,
                    requester,
                    schedule.next_at,
                    schedule.last_at,
                    schedule.last_job,
                    schedule.created_at,
                    schedule.updated_at,
                    schedule.version,
                ],
            )
            .await?;
        Ok(())
    }

    async fn update(&mut self, schedule: &Schedule, expected: Version) -> Result<(), StoreError> {
        let requester = serde_json::to_value(&schedule.requester);
        let requester = requester.map_err(|error| corrupt("job_schedule", error))?;
        self.conn
            .execute_expecting_one(
                "UPDATE job_schedule SET name = $4, kind_version = $5, payload = $6, cron = $7, time_zone = $8, \
                 enabled = $9, requester = $10, next_at = $11, updated_at = $12, version = $13 \
                 WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![
                    self.tenant,
                    schedule.id,
                    expected,
                    schedule.name.as_str(),
                    schedule.kind_version,
                    schedule.payload.clone(),
                    schedule.cron.as_str(),
                    schedule.time_zone.as_deref(),
                    schedule.enabled,
                    requester,
                    schedule.next_at,
                    schedule.updated_at,
                    schedule.version,
                ],
            )
            .await
    }

    async fn tick(&mut self, id: ScheduleId, tick: &Tick) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE job_schedule SET next_at = $4, last_at = $5, last_job_id = $6 \
                 WHERE tenant_id = $1 AND id = $2 AND next_at = $3",
                params![self.tenant, id, tick.due_at, tick.next_at, tick.now, tick.job],
            )
            .await
    }

    async fn remove(&mut self, id: ScheduleId, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "DELETE FROM job_schedule WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![self.tenant, id, expected],
            )
            .await
    }
}
