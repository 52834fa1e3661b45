//! Claiming: which jobs are due, what the limits of their kinds leave, and taking them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::job::{Bucket, Claim, ClaimedJob, JobKind, Lease, Priority, Shares};
use hrms_core::{JobId, StoreError, TenantId};

use super::{JobRow, columns};
use crate::engine::Conn;
use crate::instant::Instant;
use crate::query::{Query, params};
use crate::sql::corrupt;

/// A claim looks at no more tenants, kinds and priorities than so many.
const MOST_BUCKETS: i64 = 256;

#[derive(FromRow)]
struct BucketRow {
    tenant: Uuid,
    kind: String,
    priority: i64,
    oldest: Instant,
}

/// Claims jobs; whoever calls it commits.
pub(super) async fn claim(conn: &mut Conn, claim: &Claim<'_>) -> Result<Vec<ClaimedJob>, StoreError> {
    let buckets = due_buckets(conn, claim).await?;
    if buckets.is_empty() {
        return Ok(Vec::new());
    }
    let left = limits(conn, claim, &buckets).await?;
    let turn: BTreeMap<TenantId, usize> =
        buckets.iter().enumerate().rev().map(|(at, bucket)| (bucket.tenant, at)).collect();
    let mut shares = Shares::new(claim.slots, buckets, left);
    let mut claimed = Vec::new();
    loop {
        let round = shares.next_round();
        if round.is_empty() {
            break;
        }
        let rows = take(conn, claim, &round).await?;
        for (bucket, given) in &round {
            let of = |row: &&JobRow| is_of(row, bucket, claim.kinds);
            let taken = rows.iter().filter(of).count();
            shares.settle(bucket, *given, u16::try_from(taken).unwrap_or(*given));
        }
        claimed.extend(rows);
    }
    start(conn, claim, &claimed).await?;
    let mut jobs = claimed.into_iter().map(into_claimed).collect::<Result<Vec<_>, _>>()?;
    jobs.sort_by_key(|claimed| {
        let job = &claimed.job;
        (turn.get(&claimed.lease.tenant).copied(), job.priority, job.run_at, job.id)
    });
    Ok(jobs)
}

fn is_of(row: &JobRow, bucket: &Bucket, kinds: &[JobKind]) -> bool {
    row.tenant_id == bucket.tenant.as_uuid()
        && row.priority == bucket.priority.number()
        && kinds.get(bucket.kind).is_some_and(|kind| kind.name == row.kind)
}

fn into_claimed(row: JobRow) -> Result<ClaimedJob, StoreError> {
    let lease =
        Lease { tenant: TenantId::from_uuid(row.tenant_id), job: JobId::from_uuid(row.id), token: row.lease };
    Ok(ClaimedJob { lease, job: row.try_into()? })
}

/// What is due, in the order of the tenants' turns: first those behind `claim.after`.
async fn due_buckets(conn: &mut Conn, claim: &Claim<'_>) -> Result<Vec<Bucket>, StoreError> {
    if claim.slots.free() == 0 || claim.kinds.is_empty() {
        return Ok(Vec::new());
    }
    let (first, after, last) = (Uuid::nil(), claim.after.map(TenantId::as_uuid), Uuid::max());
    let mut rows = buckets_between(conn, claim, after.unwrap_or(first), last).await?;
    if let Some(after) = after
        && rows.len() < usize::try_from(MOST_BUCKETS).unwrap_or(usize::MAX)
    {
        rows.extend(buckets_between(conn, claim, first, after).await?);
    }
    let index = |name: &str| claim.kinds.iter().position(|kind| kind.name == name);
    let bucket = |row: BucketRow| {
        let tenant = TenantId::from_uuid(row.tenant);
        let priority = Priority::from_number(row.priority).ok_or_else(|| corrupt("job", "priority"))?;
        Ok(index(&row.kind).map(|kind| Bucket { tenant, kind, priority, oldest: row.oldest.0 }))
    };
    rows.into_iter().filter_map(|row| bucket(row).transpose()).collect()
}

/// What is due of the tenants behind `low` up to `high`.
///
/// Jumps through the index from one tenant, kind and priority to the next, so that a long queue of one costs the
/// others nothing.
async fn buckets_between(
    conn: &mut Conn,
    claim: &Claim<'_>,
    low: Uuid,
    high: Uuid,
) -> Result<Vec<BucketRow>, StoreError> {
    macro_rules! next {
        ($column:literal) => {
            concat!(
                "(SELECT j.",
                $column,
                " FROM job AS j WHERE j.state = 'queued' AND (j.tenant_id, j.kind, j.priority) \
                 > (b.tenant, b.kind, b.priority) AND j.tenant_id <= $2 \
                 ORDER BY j.tenant_id, j.kind, j.priority LIMIT 1)"
            )
        };
    }
    let mut query = Query::with(
        concat!(
            "WITH RECURSIVE bucket (tenant, kind, priority) AS ( \
               SELECT f.tenant_id, f.kind, f.priority FROM (SELECT tenant_id, kind, priority FROM job \
                 WHERE state = 'queued' AND tenant_id > $1 AND tenant_id <= $2 \
                 ORDER BY tenant_id, kind, priority LIMIT 1) AS f \
               UNION ALL SELECT ",
            next!("tenant_id"),
            ", ",
            next!("kind"),
            ", ",
            next!("priority"),
            " FROM bucket AS b WHERE b.tenant IS NOT NULL), \
             waiting (tenant, kind, priority, oldest) AS ( \
               SELECT b.tenant, b.kind, b.priority, (SELECT j.run_at FROM job AS j WHERE j.state = 'queued' \
                 AND j.tenant_id = b.tenant AND j.kind = b.kind AND j.priority = b.priority \
                 ORDER BY j.run_at LIMIT 1) \
               FROM bucket AS b WHERE b.tenant IS NOT NULL) \
             SELECT tenant, kind, priority, oldest FROM waiting WHERE oldest <= $3 \
             AND EXISTS (SELECT 1 FROM organization AS o WHERE o.id = waiting.tenant AND o.status = 'active') \
             AND kind IN "
        ),
        params![low, high, claim.now],
    );
    query.list(claim.kinds.iter().map(|kind| kind.name));
    query.push(" LIMIT ").bind(MOST_BUCKETS);
    query.all(conn).await
}

/// Takes what the round gives, one part of the statement for each bucket.
async fn take(
    conn: &mut Conn,
    claim: &Claim<'_>,
    round: &[(Bucket, u16)],
) -> Result<Vec<JobRow>, StoreError> {
    let lock = conn.skip_locked();
    // Materialized: PostgreSQL must pick and lock the rows once, not once per row of a join.
    let mut query = Query::new("WITH picked (picked_tenant, picked_id) AS MATERIALIZED (");
    for (index, (bucket, jobs)) in round.iter().enumerate() {
        let Some(kind) = claim.kinds.get(bucket.kind) else { continue };
        query.push(if index == 0 { "" } else { " UNION ALL " });
        query.push("SELECT * FROM (SELECT tenant_id, id FROM job WHERE state = 'queued' AND tenant_id = ");
        query.bind(bucket.tenant).push(" AND kind = ").bind(kind.name);
        query.push(" AND priority = ").bind(bucket.priority.number());
        query.push(" AND run_at <= ").bind(claim.now);
        query.push(" AND kind_version <= ").bind(kind.version);
        query.push(" ORDER BY run_at, id LIMIT ").bind(*jobs).push(lock).push(") AS one");
    }
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
    query.all(conn).await
}

/// How many jobs of each limited kind that is due may start now. Locks the kinds, in the order of their names, until
/// the claim commits; kinds without a limit cost nothing.
async fn limits(
    conn: &mut Conn,
    claim: &Claim<'_>,
    buckets: &[Bucket],
) -> Result<BTreeMap<usize, u16>, StoreError> {
    let limited = |index: &usize| claim.kinds.get(*index).is_some_and(JobKind::is_limited);
    let due: Vec<usize> = buckets.iter().map(|bucket| bucket.kind).filter(limited).collect();
    let mut due: Vec<_> = due.iter().filter_map(|&at| claim.kinds.get(at).map(|kind| (kind, at))).collect();
    due.sort_by_key(|(kind, _)| kind.name);
    due.dedup();
    let mut left = BTreeMap::new();
    for (kind, index) in due {
        let paid_until = lock(conn, kind, claim.now).await?;
        left.insert(index, startable(conn, kind, claim.now, paid_until).await?);
    }
    Ok(left)
}

/// Locks the kind; up to when its starts are paid for.
async fn lock(conn: &mut Conn, kind: &JobKind, now: Timestamp) -> Result<Timestamp, StoreError> {
    let lock = conn.for_update();
    for _ in 0..2 {
        let mut query = Query::new("SELECT paid_until FROM job_limit WHERE kind = ");
        query.bind(kind.name).push(lock);
        if let Some((paid_until,)) = query.optional::<(Instant,)>(conn).await? {
            return Ok(paid_until.0);
        }
        conn.execute(
            "INSERT INTO job_limit (kind, paid_until) VALUES ($1, $2) ON CONFLICT (kind) DO NOTHING",
            params![kind.name, now],
        )
        .await?;
    }
    Err(corrupt("job_limit", kind.name))
}

/// How many jobs of a locked kind may start now.
async fn startable(
    conn: &mut Conn,
    kind: &JobKind,
    now: Timestamp,
    paid_until: Timestamp,
) -> Result<u16, StoreError> {
    let mut left = u16::MAX;
    if let Some(most) = kind.concurrency {
        // Those that run are few, and have an index of their own.
        let (running,): (i64,) = conn
            .one("SELECT COUNT(*) FROM job WHERE state = 'running' AND kind = $1", params![kind.name])
            .await?;
        left = u16::try_from(i64::from(most).saturating_sub(running).max(0)).unwrap_or(left);
    }
    if let Some(rate) = kind.rate {
        let ahead = paid_until.duration_since(now).as_micros();
        let remaining = rate.left(i64::try_from(ahead).unwrap_or(i64::MAX).max(0)).remaining;
        left = left.min(u16::try_from(remaining).unwrap_or(u16::MAX));
    }
    Ok(left)
}

/// Writes down how many jobs of kinds with a rate were started.
async fn start(conn: &mut Conn, claim: &Claim<'_>, claimed: &[JobRow]) -> Result<(), StoreError> {
    for kind in claim.kinds {
        let Some(rate) = kind.rate else { continue };
        let started = claimed.iter().filter(|row| row.kind == kind.name).count();
        if started == 0 {
            continue;
        }
        let (paid_until,): (Instant,) =
            conn.one("SELECT paid_until FROM job_limit WHERE kind = $1", params![kind.name]).await?;
        let cost = i64::try_from(started).unwrap_or(i64::MAX).saturating_mul(rate.interval());
        let from = paid_until.0.max(claim.now);
        let until = from.checked_add(jiff::SignedDuration::from_micros(cost)).unwrap_or(from);
        let sql = "UPDATE job_limit SET paid_until = $2 WHERE kind = $1";
        conn.execute(sql, params![kind.name, until]).await?;
    }
    Ok(())
}
