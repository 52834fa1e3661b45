//! Numbers of jobs across tenants, for operators, and tenants with jobs to remove.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::job::JobCounts;
use hrms_core::{StoreError, TenantId};

use crate::engine::Conn;
use crate::instant::Instant;
use crate::query::params;

#[derive(FromRow)]
struct Queued {
    kind: String,
    jobs: i64,
    due: i64,
    oldest: Option<Instant>,
}

#[derive(FromRow)]
struct Counted {
    kind: String,
    jobs: i64,
}

/// Each part has an index of its own that holds nothing else.
pub(super) async fn counts(
    conn: &mut Conn,
    now: Timestamp,
    since: Timestamp,
) -> Result<Vec<JobCounts>, StoreError> {
    let mut all: BTreeMap<String, JobCounts> = BTreeMap::new();
    let queued: Vec<Queued> = conn
        .all(
            "SELECT kind, COUNT(*) AS jobs, COUNT(CASE WHEN run_at <= $1 THEN 1 END) AS due, \
             MIN(CASE WHEN run_at <= $1 THEN run_at END) AS oldest FROM job WHERE state = 'queued' GROUP BY kind",
            params![now],
        )
        .await?;
    for row in queued {
        let counts = all.entry(row.kind).or_default();
        counts.waiting = row.due.unsigned_abs();
        counts.scheduled = (row.jobs - row.due).unsigned_abs();
        counts.oldest = row.oldest.map(|at| at.0);
    }
    let running: Vec<Counted> = conn
        .all("SELECT kind, COUNT(*) AS jobs FROM job WHERE state = 'running' GROUP BY kind", params![])
        .await?;
    for row in running {
        all.entry(row.kind).or_default().running = row.jobs.unsigned_abs();
    }
    let failed: Vec<Counted> = conn
        .all("SELECT kind, COUNT(*) AS jobs FROM job WHERE state = 'failed' GROUP BY kind", params![])
        .await?;
    for row in failed {
        all.entry(row.kind).or_default().failed = row.jobs.unsigned_abs();
    }
    let ended: Vec<Queued> = conn
        .all(
            "SELECT kind, COUNT(*) AS jobs, COUNT(CASE WHEN state = 'failed' THEN 1 END) AS due, \
             MIN(finished_at) AS oldest FROM job WHERE finished_at >= $1 GROUP BY kind",
            params![since],
        )
        .await?;
    for row in ended {
        let counts = all.entry(row.kind).or_default();
        counts.ended = row.jobs.unsigned_abs();
        counts.ended_failed = row.due.unsigned_abs();
    }
    Ok(all.into_iter().map(|(kind, counts)| JobCounts { kind, ..counts }).collect())
}

/// Tenants that have jobs which ended before this instant.
pub(super) async fn tenants_with_ended(
    conn: &mut Conn,
    before: Timestamp,
) -> Result<Vec<TenantId>, StoreError> {
    let rows: Vec<(Uuid,)> = conn
        .all("SELECT tenant_id FROM job WHERE finished_at < $1 GROUP BY tenant_id", params![before])
        .await?;
    Ok(rows.into_iter().map(|(tenant,)| TenantId::from_uuid(tenant)).collect())
}
