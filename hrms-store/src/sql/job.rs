//! Jobs in SQL: the tenant's queue, and what workers do across tenants.

mod claim;
mod count;
mod worker;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::job::{
    Ended, EndedBefore, Finish, JobFault, JobFilter, JobQueue, JobRecord, JobSort, JobState, Lease, Priority,
    Progress,
};
use hrms_core::{JobId, PageRequest, RequestId, ScheduleId, StoreError};

use crate::instant::Instant;
use crate::query::{Param, Query, params};
use crate::sql::{SqlTx, corrupt};

#[derive(FromRow)]
struct JobRow {
    tenant_id: Uuid,
    id: Uuid,
    kind: String,
    kind_version: i64,
    payload: Value,
    priority: i64,
    requester: Value,
    request_id: Uuid,
    trace: Option<String>,
    schedule_id: Option<Uuid>,
    unique_key: Option<String>,
    state: String,
    attempts: i64,
    max_attempts: i64,
    run_at: Instant,
    lease: i64,
    cancel_requested: bool,
    done: i64,
    total: Option<i64>,
    message: Option<String>,
    result: Option<Value>,
    error_code: Option<String>,
    error_detail: Option<String>,
    created_at: Instant,
    updated_at: Instant,
    started_at: Option<Instant>,
    finished_at: Option<Instant>,
}

/// The columns of [`JobRow`] with the table's name, for statements that join.
macro_rules! columns {
    () => {
        "job.tenant_id, job.id, job.kind, job.kind_version, job.payload, job.priority, job.requester, \
         job.request_id, job.trace, job.schedule_id, job.unique_key, job.state, job.attempts, job.max_attempts, job.run_at, job.lease, job.cancel_requested, job.done, \
         job.total, job.message, job.result, job.error_code, job.error_detail, job.created_at, \
         job.updated_at, job.started_at, job.finished_at"
    };
}

use columns;

impl TryFrom<JobRow> for JobRecord {
    type Error = StoreError;

    fn try_from(row: JobRow) -> Result<Self, StoreError> {
        let bad = |what: &str| corrupt("job", what);
        Ok(Self {
            id: JobId::from_uuid(row.id),
            kind: row.kind,
            version: row.kind_version.try_into().map_err(|_| bad("kind_version"))?,
            payload: row.payload,
            priority: Priority::from_number(row.priority).ok_or_else(|| bad("priority"))?,
            requester: serde_json::from_value(row.requester).map_err(|error| corrupt("job", error))?,
            request: RequestId::from_uuid(row.request_id),
            // What is no trace to us is no reason not to run the job.
            trace: row.trace.and_then(|trace| trace.parse().ok()),
            schedule: row.schedule_id.map(ScheduleId::from_uuid),
            unique_key: row.unique_key,
            state: JobState::from_code(&row.state).ok_or_else(|| bad("state"))?,
            attempts: row.attempts.try_into().map_err(|_| bad("attempts"))?,
            max_attempts: row.max_attempts.try_into().map_err(|_| bad("max_attempts"))?,
            run_at: row.run_at.0,
            cancel_requested: row.cancel_requested,
            progress: Progress {
                done: row.done.try_into().map_err(|_| bad("done"))?,
                total: row.total.map(u32::try_from).transpose().map_err(|_| bad("total"))?,
                message: row.message,
            },
            result: row.result,
            error: row.error_code.map(|code| JobFault { code, detail: row.error_detail.unwrap_or_default() }),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            started_at: row.started_at.map(|at| at.0),
            finished_at: row.finished_at.map(|at| at.0),
        })
    }
}

/// How often a job is inserted while others with its unique key end under it.
const INSERTS: usize = 4;

#[async_trait]
impl JobQueue for SqlTx {
    async fn get(&mut self, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        let row: Option<JobRow> = self
            .conn
            .optional(
                concat!("SELECT ", columns!(), " FROM job WHERE tenant_id = $1 AND id = $2"),
                params![self.tenant, id],
            )
            .await?;
        row.map(TryInto::try_into).transpose()
    }

    async fn list(
        &mut self,
        filter: &JobFilter,
        page: &PageRequest<JobSort>,
    ) -> Result<Vec<JobRecord>, StoreError> {
        let mut query = Query::new(concat!("SELECT ", columns!(), " FROM job WHERE tenant_id = "));
        query.bind(self.tenant);
        query.and(" AND state = ", filter.state.map(|state| state.code()));
        query.and(" AND kind = ", filter.kind.as_deref());
        query.and(" AND requested_by = ", filter.requested_by);
        query.and(" AND schedule_id = ", filter.schedule);
        query.and(" AND updated_at >= ", filter.updated_after);
        let JobSort::CreatedAt = page.sort;
        query.page("created_at", "id", page, |key| Param::Instant(key.parse().ok()));
        let rows: Vec<JobRow> = query.all(&mut self.conn).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    async fn insert(
        &mut self,
        job: &JobRecord,
        unique_since: Option<Timestamp>,
    ) -> Result<Option<JobId>, StoreError> {
        for _ in 1..INSERTS {
            match self.try_insert(job, unique_since).await {
                // The one that was in the way has ended meanwhile.
                Err(StoreError::Conflict { .. }) => {}
                done => return done,
            }
        }
        self.try_insert(job, unique_since).await
    }

    async fn bring_forward(&mut self, id: JobId, at: Timestamp) -> Result<(), StoreError> {
        self.conn
            .execute(
                "UPDATE job SET run_at = $3 WHERE tenant_id = $1 AND id = $2 AND state = 'queued' AND run_at > $3",
                params![self.tenant, id, at],
            )
            .await?;
        Ok(())
    }

    async fn progress(
        &mut self,
        lease: &Lease,
        progress: &Progress,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let row: Option<(bool,)> = self
            .conn
            .optional(
                "UPDATE job SET done = $4, total = $5, message = $6, updated_at = $7, lease_until = $8 \
                 WHERE tenant_id = $1 AND id = $2 AND lease = $3 AND state = 'running' \
                 RETURNING cancel_requested",
                params![
                    self.tenant,
                    lease.job,
                    lease.token,
                    i64::from(progress.done),
                    progress.total.map(i64::from),
                    progress.message.as_deref(),
                    now,
                    until,
                ],
            )
            .await?;
        row.map(|(cancel,)| cancel).ok_or(StoreError::Stale)
    }

    async fn finish(&mut self, lease: &Lease, finish: &Finish, now: Timestamp) -> Result<(), StoreError> {
        // A lease of another tenant finds nothing to end.
        let lease = Lease { tenant: self.tenant, ..*lease };
        let ended = Ended { lease, finish: finish.clone() };
        match worker::finish(&mut self.conn, &[&ended], now).await? {
            1 => Ok(()),
            _ => Err(StoreError::Stale),
        }
    }

    async fn cancel(&mut self, id: JobId, now: Timestamp) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE job SET cancel_requested = $3, updated_at = $4, \
                 finished_at = CASE WHEN state = 'queued' THEN $4 ELSE finished_at END, \
                 state = CASE WHEN state = 'queued' THEN 'cancelled' ELSE state END \
                 WHERE tenant_id = $1 AND id = $2 AND state IN ('queued', 'running')",
                params![self.tenant, id, true, now],
            )
            .await
    }

    async fn requeue(&mut self, id: JobId, now: Timestamp) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE job SET state = 'queued', attempts = 0, run_at = $3, cancel_requested = $4, result = NULL, \
                 done = 0, message = NULL, finished_at = NULL, updated_at = $3 \
                 WHERE tenant_id = $1 AND id = $2 AND state IN ('failed', 'cancelled')",
                params![self.tenant, id, now, false],
            )
            .await
    }

    async fn remove_ended(&mut self, before: &EndedBefore, limit: u16) -> Result<u64, StoreError> {
        self.conn
            .execute(
                "DELETE FROM job WHERE tenant_id = $1 AND id IN ( \
                   SELECT j.id FROM job AS j WHERE j.tenant_id = $1 \
                   AND j.finished_at < CASE WHEN j.state = 'failed' THEN $3 ELSE $2 END \
                   AND NOT EXISTS (SELECT 1 FROM import AS i WHERE i.tenant_id = j.tenant_id AND i.job_id = j.id) \
                   ORDER BY j.created_at LIMIT $4)",
                params![self.tenant, before.well, before.failed, limit],
            )
            .await
    }
}

impl SqlTx {
    /// The newest job of this one's kind and unique key, other than itself, that was enqueued since then.
    async fn in_window(
        &mut self,
        job: &JobRecord,
        since: Option<Timestamp>,
    ) -> Result<Option<JobId>, StoreError> {
        let (Some(key), Some(since)) = (job.unique_key.as_deref(), since) else { return Ok(None) };
        let row: Option<(Uuid,)> = self
            .conn
            .optional(
                "SELECT id FROM job WHERE tenant_id = $1 AND kind = $2 AND unique_key = $3 AND created_at >= $4 \
                 AND id <> $5 ORDER BY created_at DESC LIMIT 1",
                params![self.tenant, job.kind.as_str(), key, since, job.id],
            )
            .await?;
        Ok(row.map(|(id,)| JobId::from_uuid(id)))
    }

    /// Inserts a job, or finds the one that stands for it.
    async fn try_insert(
        &mut self,
        job: &JobRecord,
        unique_since: Option<Timestamp>,
    ) -> Result<Option<JobId>, StoreError> {
        if let Some(earlier) = self.in_window(job, unique_since).await? {
            return Ok(Some(earlier));
        }
        if self.insert_unless_alive(job).await? == 1 {
            // One that lived when we looked first may have ended before we inserted.
            let Some(earlier) = self.in_window(job, unique_since).await? else { return Ok(None) };
            let sql = "DELETE FROM job WHERE tenant_id = $1 AND id = $2";
            self.conn.execute(sql, params![self.tenant, job.id]).await?;
            return Ok(Some(earlier));
        }
        let row: Option<(Uuid,)> = self
            .conn
            .optional(
                "SELECT id FROM job WHERE tenant_id = $1 AND kind = $2 AND unique_key = $3 \
                 AND state IN ('queued', 'running')",
                params![self.tenant, job.kind.as_str(), job.unique_key.as_deref()],
            )
            .await?;
        match row {
            Some((id,)) => Ok(Some(JobId::from_uuid(id))),
            // It ended between the two statements: with a window it is the one that counts, else the caller may
            // simply try again.
            None => match self.in_window(job, unique_since).await? {
                Some(earlier) => Ok(Some(earlier)),
                None => Err(StoreError::Conflict { constraint: "job_unique_key".into() }),
            },
        }
    }

    /// Inserts a job unless one with its unique key waits or runs; how many rows that made.
    async fn insert_unless_alive(&mut self, job: &JobRecord) -> Result<u64, StoreError> {
        let requester = serde_json::to_value(&job.requester).map_err(|error| corrupt("job", error))?;
        self.conn
            .execute(
                "INSERT INTO job (tenant_id, id, kind, kind_version, payload, priority, requester, requested_by, \
                 request_id, trace, schedule_id, unique_key, state, attempts, max_attempts, run_at, lease, \
                 cancel_requested, done, total, message, created_at, updated_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 0, $17, $18, $19, \
                 $20, $21, $22) \
                 ON CONFLICT (tenant_id, kind, unique_key) \
                 WHERE unique_key IS NOT NULL AND state IN ('queued', 'running') DO NOTHING",
                params![
                    self.tenant,
                    job.id,
                    job.kind.as_str(),
                    job.version,
                    job.payload.clone(),
                    job.priority.number(),
                    requester,
                    job.requester.user_id(),
                    job.request,
                    job.trace.map(|trace| trace.to_string()),
                    job.schedule,
                    job.unique_key.as_deref(),
                    job.state.code(),
                    job.attempts,
                    job.max_attempts,
                    job.run_at,
                    job.cancel_requested,
                    i64::from(job.progress.done),
                    job.progress.total.map(i64::from),
                    job.progress.message.as_deref(),
                    job.created_at,
                    job.updated_at,
                ],
            )
            .await
    }
}
