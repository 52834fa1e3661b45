//! Jobs in SQL: the tenant's queue, and claiming across tenants.

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::job::{
    Claim, ClaimedJob, Finish, JobDirectory, JobFault, JobFilter, JobQueue, JobRecord, JobSort, JobState,
    Lease, Progress,
};
use hrms_core::{JobId, PageRequest, RequestId, StoreError, TenantId};

use crate::engine::Conn;
use crate::instant::Instant;
use crate::query::{Param, Query, params};
use crate::sql::{SqlTx, corrupt};
use crate::store::SqlStore;

#[derive(FromRow)]
struct JobRow {
    tenant_id: Uuid,
    id: Uuid,
    kind: String,
    payload: Value,
    requester: Value,
    request_id: Uuid,
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
        "job.tenant_id, job.id, job.kind, job.payload, job.requester, job.request_id, job.unique_key, \
         job.state, job.attempts, job.max_attempts, job.run_at, job.lease, job.cancel_requested, job.done, \
         job.total, job.message, job.result, job.error_code, job.error_detail, job.created_at, \
         job.updated_at, job.started_at, job.finished_at"
    };
}

impl TryFrom<JobRow> for JobRecord {
    type Error = StoreError;

    fn try_from(row: JobRow) -> Result<Self, StoreError> {
        let bad = |what: &str| corrupt("job", what);
        Ok(Self {
            id: JobId::from_uuid(row.id),
            kind: row.kind,
            payload: row.payload,
            requester: serde_json::from_value(row.requester).map_err(|error| corrupt("job", error))?,
            request: RequestId::from_uuid(row.request_id),
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
        if let Some(state) = filter.state {
            query.push(" AND state = ").bind(state.code());
        }
        if let Some(kind) = &filter.kind {
            query.push(" AND kind = ").bind(kind.as_str());
        }
        if let Some(user) = filter.requested_by {
            query.push(" AND requested_by = ").bind(user);
        }
        if let Some(after) = filter.updated_after {
            query.push(" AND updated_at >= ").bind(after);
        }
        let JobSort::CreatedAt = page.sort;
        query.page("created_at", "id", page, |key| Param::Instant(key.parse().ok()));
        let rows: Vec<JobRow> = query.all(&mut self.conn).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    async fn insert(&mut self, job: &JobRecord) -> Result<Option<JobId>, StoreError> {
        let requester = serde_json::to_value(&job.requester).map_err(|error| corrupt("job", error))?;
        let inserted = self
            .conn
            .execute(
                "INSERT INTO job (tenant_id, id, kind, payload, requester, requested_by, request_id, unique_key, \
                 state, attempts, max_attempts, run_at, lease, cancel_requested, done, total, message, \
                 created_at, updated_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13, $14, $15, $16, $17, $18) \
                 ON CONFLICT (tenant_id, kind, unique_key) \
                 WHERE unique_key IS NOT NULL AND state IN ('queued', 'running') DO NOTHING",
                params![
                    self.tenant,
                    job.id,
                    job.kind.as_str(),
                    job.payload.clone(),
                    requester,
                    job.requester.user_id(),
                    job.request,
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
            .await?;
        if inserted == 1 {
            return Ok(None);
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
            // It ended between the two statements: the caller may simply try again.
            None => Err(StoreError::Conflict { constraint: "job_unique_key".into() }),
        }
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
        let (state, result, fault, run_at) = match finish {
            Finish::Succeeded(result) => (JobState::Succeeded, Some(result.clone()), None, None),
            Finish::Retry { at, fault } => (JobState::Queued, None, Some(fault), Some(*at)),
            Finish::Failed(fault, result) => (JobState::Failed, result.clone(), Some(fault), None),
            Finish::Cancelled => (JobState::Cancelled, None, None, None),
            Finish::Released => (JobState::Queued, None, None, Some(now)),
        };
        let again = state == JobState::Queued;
        let uncounted = i64::from(*finish == Finish::Released);
        self.conn
            .execute_expecting_one(
                "UPDATE job SET state = $4, result = $5, error_code = $6, error_detail = $7, \
                 run_at = COALESCE($8, run_at), attempts = attempts - $9, finished_at = $10, updated_at = $11, \
                 lease_until = NULL, worker = NULL \
                 WHERE tenant_id = $1 AND id = $2 AND lease = $3 AND state = 'running'",
                params![
                    self.tenant,
                    lease.job,
                    lease.token,
                    state.code(),
                    result,
                    fault.map(|fault| fault.code.as_str()),
                    fault.map(|fault| fault.detail.as_str()),
                    run_at,
                    uncounted,
                    (!again).then_some(now),
                    now,
                ],
            )
            .await
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
}

#[async_trait]
impl JobDirectory for SqlStore {
    async fn claim_jobs(&self, claim: &Claim<'_>) -> Result<Vec<ClaimedJob>, StoreError> {
        let mut conn = self.directory().await?;
        let tenants = tenants_with_due_jobs(&mut conn, claim).await?;
        // Everybody gets an equal part of what this worker can take.
        let share = usize::from(claim.limit).checked_div(tenants.len()).unwrap_or(0).max(1);
        let mut claimed = Vec::new();
        for tenant in tenants {
            let share = share.min(usize::from(claim.limit).saturating_sub(claimed.len()));
            claimed.extend(claim_of_tenant(&mut conn, claim, tenant, share).await?);
        }
        if !claimed.is_empty() {
            conn.commit().await?;
        }
        Ok(claimed)
    }

    async fn renew_lease(&self, lease: &Lease, until: Timestamp) -> Result<bool, StoreError> {
        let mut conn = self.directory().await?;
        let row: Option<(bool,)> = conn
            .optional(
                "UPDATE job SET lease_until = $4 \
                 WHERE tenant_id = $1 AND id = $2 AND lease = $3 AND state = 'running' RETURNING cancel_requested",
                params![lease.tenant, lease.job, lease.token, until],
            )
            .await?;
        conn.commit().await?;
        row.map(|(cancel,)| cancel).ok_or(StoreError::Stale)
    }

    async fn rescue_jobs(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut conn = self.directory().await?;
        let lock = conn.skip_locked();
        let mut query = Query::new(
            "WITH lost (lost_tenant, lost_id) AS MATERIALIZED ( \
               SELECT tenant_id, id FROM job WHERE state = 'running' AND lease_until < ",
        );
        query.bind(now).push(" ORDER BY lease_until LIMIT 100").push(lock);
        query.push(
            ") UPDATE job SET state = CASE WHEN attempts >= max_attempts THEN 'failed' ELSE 'queued' END, \
             lease_until = NULL, worker = NULL, error_code = 'job.lease-expired', \
             error_detail = 'the worker went silent', updated_at = ",
        );
        query.bind(now).push(", finished_at = CASE WHEN attempts >= max_attempts THEN ").bind(now);
        query.push(" ELSE finished_at END FROM lost WHERE tenant_id = lost_tenant AND id = lost_id");
        let rescued = query.execute(&mut conn).await?;
        conn.commit().await?;
        Ok(rescued)
    }
}

/// Tenants that have a job due, in turn: first those behind `claim.after`.
///
/// Jumps from tenant to tenant in the index, so that a long queue of one costs the others nothing.
async fn tenants_with_due_jobs(conn: &mut Conn, claim: &Claim<'_>) -> Result<Vec<TenantId>, StoreError> {
    let after = claim.after.map_or(Uuid::nil(), TenantId::as_uuid);
    let rows: Vec<(Uuid,)> = conn
        .all(
            "WITH RECURSIVE waiting (tenant) AS ( \
               SELECT first.tenant_id FROM \
                 (SELECT tenant_id FROM job WHERE state = 'queued' ORDER BY tenant_id LIMIT 1) AS first \
               UNION ALL \
               SELECT (SELECT job.tenant_id FROM job WHERE job.state = 'queued' AND job.tenant_id > waiting.tenant \
                       ORDER BY job.tenant_id LIMIT 1) \
               FROM waiting WHERE waiting.tenant IS NOT NULL \
             ) \
             SELECT tenant FROM waiting WHERE tenant IS NOT NULL AND EXISTS ( \
               SELECT 1 FROM job WHERE job.tenant_id = waiting.tenant AND job.state = 'queued' AND job.run_at <= $1) \
               AND EXISTS (SELECT 1 FROM organization AS o WHERE o.id = waiting.tenant AND o.status = 'active') \
             ORDER BY (tenant <= $2), tenant LIMIT $3",
            params![claim.now, after, claim.limit],
        )
        .await?;
    Ok(rows.into_iter().map(|(tenant,)| TenantId::from_uuid(tenant)).collect())
}

async fn claim_of_tenant(
    conn: &mut Conn,
    claim: &Claim<'_>,
    tenant: TenantId,
    limit: usize,
) -> Result<Vec<ClaimedJob>, StoreError> {
    let lock = conn.skip_locked();
    // Materialized: PostgreSQL must pick and lock the rows once, not once per row of a join.
    let mut query = Query::new(
        "WITH picked (picked_tenant, picked_id) AS MATERIALIZED ( \
           SELECT tenant_id, id FROM job WHERE state = 'queued' AND tenant_id = ",
    );
    query.bind(tenant).push(" AND run_at <= ").bind(claim.now);
    query.push(" AND kind IN ").list(claim.kinds.iter().copied());
    query.push(" ORDER BY run_at, id LIMIT ").bind(i64::try_from(limit).unwrap_or(i64::MAX)).push(lock);
    query.push(
        ") UPDATE job SET state = 'running', attempts = attempts + 1, lease = lease + 1, \
         lease_until = ",
    );
    query.bind(claim.until).push(", worker = ").bind(claim.worker);
    query.push(", started_at = ").bind(claim.now).push(", updated_at = ").bind(claim.now);
    query.push(concat!(
        " FROM picked WHERE tenant_id = picked_tenant AND id = picked_id RETURNING ",
        columns!()
    ));
    let rows: Vec<JobRow> = query.all(conn).await?;
    let mut claimed = Vec::with_capacity(rows.len());
    for row in rows {
        let lease = Lease {
            tenant: TenantId::from_uuid(row.tenant_id),
            job: JobId::from_uuid(row.id),
            token: row.lease,
        };
        claimed.push(ClaimedJob { lease, job: row.try_into()? });
    }
    claimed.sort_by_key(|claimed| (claimed.job.run_at, claimed.job.id));
    Ok(claimed)
}
