//! What workers do across tenants: claim, renew, end, rescue.

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use hrms_core::job::{Claim, ClaimedJob, Ended, Finish, JobCounts, JobDirectory, JobState, Lease};
use hrms_core::{ScheduleId, StoreError, TenantId};

use crate::engine::Conn;
use crate::instant::Instant;
use crate::query::{Param, Query, params};
use crate::store::SqlStore;

/// So many ends are recorded in one statement.
const CHUNK: usize = 250;

#[async_trait]
impl JobDirectory for SqlStore {
    async fn claim_jobs(&self, claim: &Claim<'_>) -> Result<Vec<ClaimedJob>, StoreError> {
        let mut conn = self.directory().await?;
        let claimed = super::claim::claim(&mut conn, claim).await?;
        if !claimed.is_empty() {
            conn.commit().await?;
        }
        Ok(claimed)
    }

    async fn finish_jobs(&self, ended: &[Ended], now: Timestamp) -> Result<u64, StoreError> {
        let mut conn = self.directory().await?;
        // Always in the same order, so that two of these never wait for each other.
        let mut ended: Vec<_> = ended.iter().collect();
        ended.sort_by_key(|ended| (ended.lease.tenant, ended.lease.job));
        let mut done = 0;
        for chunk in ended.chunks(CHUNK) {
            done += finish(&mut conn, chunk, now).await?;
        }
        conn.commit().await?;
        Ok(done)
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

    async fn due_schedules(
        &self,
        now: Timestamp,
        limit: u16,
    ) -> Result<Vec<(TenantId, ScheduleId, Timestamp)>, StoreError> {
        let mut conn = self.directory_read().await?;
        let rows: Vec<(Uuid, Uuid, Instant)> = conn
            .all(
                "SELECT tenant_id, id, next_at FROM job_schedule WHERE next_at <= $1 \
                 AND EXISTS (SELECT 1 FROM organization AS o WHERE o.id = tenant_id AND o.status = 'active') \
                 ORDER BY next_at LIMIT $2",
                params![now, limit],
            )
            .await?;
        let ids = |(tenant, id, at): (Uuid, Uuid, Instant)| {
            (TenantId::from_uuid(tenant), ScheduleId::from_uuid(id), at.0)
        };
        Ok(rows.into_iter().map(ids).collect())
    }

    async fn tenants_with_ended_jobs(&self, before: Timestamp) -> Result<Vec<TenantId>, StoreError> {
        super::count::tenants_with_ended(&mut self.directory_read().await?, before).await
    }

    async fn job_counts(&self, now: Timestamp, since: Timestamp) -> Result<Vec<JobCounts>, StoreError> {
        super::count::counts(&mut self.directory_read().await?, now, since).await
    }
}

/// Ends claims whose leases hold; how many. Whatever else they are, each ends in the way of its own.
pub(super) async fn finish(conn: &mut Conn, ended: &[&Ended], now: Timestamp) -> Result<u64, StoreError> {
    let mut query = Query::new(
        "WITH ended (e_tenant, e_id, e_lease, e_state, e_result, e_code, e_detail, e_run_at, e_uncounted, \
         e_finished_at) AS (VALUES ",
    );
    for (index, ended) in ended.iter().enumerate() {
        query.push(if index == 0 { "" } else { ", " }).list(row(ended, now));
    }
    query.push(
        ") UPDATE job SET state = e_state, result = e_result, \
         error_code = CASE WHEN e_uncounted = 1 THEN error_code ELSE e_code END, \
         error_detail = CASE WHEN e_uncounted = 1 THEN error_detail ELSE e_detail END, \
         run_at = COALESCE(e_run_at, run_at), attempts = attempts - e_uncounted, finished_at = e_finished_at, \
         lease_until = NULL, worker = NULL, updated_at = ",
    );
    query.bind(now).push(
        " FROM ended WHERE tenant_id = e_tenant AND id = e_id AND lease = e_lease AND state = 'running'",
    );
    query.execute(conn).await
}

fn row(ended: &Ended, now: Timestamp) -> [Param; 10] {
    let (state, result, fault, run_at) = match &ended.finish {
        Finish::Succeeded(result) => (JobState::Succeeded, Some(result.clone()), None, None),
        Finish::Retry { at, fault } => (JobState::Queued, None, Some(fault), Some(*at)),
        Finish::Failed(fault, result) => (JobState::Failed, result.clone(), Some(fault), None),
        Finish::Cancelled => (JobState::Cancelled, None, None, None),
        Finish::Released => (JobState::Queued, None, None, Some(now)),
        Finish::Snoozed { at } => (JobState::Queued, None, None, Some(*at)),
    };
    let uncounted = matches!(ended.finish, Finish::Released | Finish::Snoozed { .. });
    params![
        ended.lease.tenant,
        ended.lease.job,
        ended.lease.token,
        state.code(),
        result,
        fault.map(|fault| fault.code.as_str()),
        fault.map(|fault| fault.detail.as_str()),
        run_at,
        i64::from(uncounted),
        (state != JobState::Queued).then_some(now),
    ]
}
