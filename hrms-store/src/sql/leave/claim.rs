//! Claims in SQL, and what payroll has to know of leave.

use async_trait::async_trait;
use jiff::civil::Date;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::leave::{
    ClaimKind, LeaveClaim, LeaveClaimFilter, LeaveClaimRepo, PayrollFact, PayrollFactFilter, PayrollFactKind,
    PayrollFactRepo, RequestStatus, days_text,
};
use hrms_core::{
    EmployeeId, LeaveClaimId, LeaveLotId, LeavePostingId, LeaveRequestId, LeaveTypeId, PageRequest,
    StoreError, UserId, Version,
};

use crate::instant::Instant;
use crate::query::{Param, Query, params};
use crate::sql::visibility::{join_record, visible};
use crate::sql::{SqlTx, corrupt};

const TABLE: &str = "leave_claim";

#[derive(FromRow)]
struct ClaimRow {
    id: Uuid,
    kind: String,
    employee_id: Uuid,
    leave_type_id: Uuid,
    worked_on: Option<jiff_sqlx::Date>,
    asked_minutes: i64,
    minutes: i64,
    minutes_per_day: i64,
    status: String,
    note: Option<String>,
    submitted_by: Option<Uuid>,
    submitted_on: jiff_sqlx::Date,
    decided_by: Option<Uuid>,
    decided_at: Option<Instant>,
    decision_note: Option<String>,
    lot_id: Option<Uuid>,
    posting_ids: Value,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

const SELECT: &str = "SELECT c.id, c.kind, c.employee_id, c.leave_type_id, c.worked_on, c.asked_minutes, c.minutes, \
     t.minutes_per_day, c.status, c.note, c.submitted_by, c.submitted_on, c.decided_by, c.decided_at, \
     c.decision_note, c.lot_id, c.posting_ids, c.created_at, c.updated_at, c.version \
     FROM leave_claim AS c JOIN leave_type AS t ON t.tenant_id = c.tenant_id AND t.id = c.leave_type_id";

impl TryFrom<ClaimRow> for LeaveClaim {
    type Error = StoreError;

    fn try_from(row: ClaimRow) -> Result<Self, StoreError> {
        let kind = ClaimKind::from_code(&row.kind);
        let status = RequestStatus::from_code(&row.status);
        Ok(Self {
            id: LeaveClaimId::from_uuid(row.id),
            kind: kind.ok_or_else(|| corrupt(TABLE, format!("kind {}", row.kind)))?,
            employee_id: EmployeeId::from_uuid(row.employee_id),
            leave_type_id: LeaveTypeId::from_uuid(row.leave_type_id),
            worked_on: row.worked_on.map(jiff_sqlx::Date::to_jiff),
            asked_minutes: row.asked_minutes,
            minutes: row.minutes,
            days: days_text(row.minutes, row.minutes_per_day),
            status: status.ok_or_else(|| corrupt(TABLE, format!("status {}", row.status)))?,
            note: row.note,
            submitted_by: row.submitted_by.map(UserId::from_uuid),
            submitted_on: row.submitted_on.to_jiff(),
            decided_by: row.decided_by.map(UserId::from_uuid),
            decided_at: row.decided_at.map(|at| at.0),
            decision_note: row.decision_note,
            lot_id: row.lot_id.map(LeaveLotId::from_uuid),
            posting_ids: serde_json::from_value(row.posting_ids).map_err(|error| corrupt(TABLE, error))?,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        })
    }
}

fn ids(claim: &LeaveClaim) -> Result<Value, StoreError> {
    serde_json::to_value(&claim.posting_ids).map_err(|error| corrupt(TABLE, error))
}

#[async_trait]
impl LeaveClaimRepo for SqlTx {
    async fn get(&mut self, id: LeaveClaimId) -> Result<Option<LeaveClaim>, StoreError> {
        let mut query = Query::new(SELECT);
        query.push(" WHERE c.tenant_id = ").bind(self.tenant).push(" AND c.id = ").bind(id);
        query.optional::<ClaimRow>(&mut self.conn).await?.map(TryInto::try_into).transpose()
    }

    async fn list(
        &mut self,
        filter: &LeaveClaimFilter,
        page: &PageRequest<()>,
    ) -> Result<Vec<LeaveClaim>, StoreError> {
        let mut query = Query::new(SELECT);
        join_record(&mut query, "c", filter.today);
        query.push(" WHERE c.tenant_id = ").bind(self.tenant);
        visible(&mut query, self.tenant, &filter.visible, filter.today, "c.employee_id", "e");
        query.and(" AND c.kind = ", filter.kind.map(|kind| kind.code()));
        query.and(" AND c.employee_id = ", filter.employee_id);
        query.and(" AND c.status = ", filter.status.map(|status| status.code()));
        query.and(" AND c.leave_type_id = ", filter.leave_type_id);
        query.and(" AND c.updated_at >= ", filter.updated_after);
        query.page("c.created_at", "c.id", page, |key| Param::Instant(key.parse().ok()));
        query.all::<ClaimRow>(&mut self.conn).await?.into_iter().map(TryInto::try_into).collect()
    }

    async fn encashments(
        &mut self,
        employee: EmployeeId,
        leave_type: LeaveTypeId,
        since: Date,
    ) -> Result<Vec<LeaveClaim>, StoreError> {
        let mut query = Query::new(SELECT);
        query.push(" WHERE c.tenant_id = ").bind(self.tenant).push(" AND c.employee_id = ").bind(employee);
        query.push(" AND c.leave_type_id = ").bind(leave_type).push(" AND c.kind = 'encashment'");
        query.push(" AND c.status IN ('pending', 'approved') AND c.submitted_on >= ").bind(since);
        query.push(" ORDER BY c.created_at, c.id");
        query.all::<ClaimRow>(&mut self.conn).await?.into_iter().map(TryInto::try_into).collect()
    }

    async fn insert(&mut self, claim: &LeaveClaim) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO leave_claim (tenant_id, id, kind, employee_id, leave_type_id, worked_on, asked_minutes, \
                 minutes, status, note, submitted_by, submitted_on, decided_by, decided_at, decision_note, lot_id, \
                 posting_ids, created_at, updated_at, version) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
                params![
                    self.tenant,
                    claim.id,
                    claim.kind.code(),
                    claim.employee_id,
                    claim.leave_type_id,
                    claim.worked_on,
                    claim.asked_minutes,
                    claim.minutes,
                    claim.status.code(),
                    claim.note.clone(),
                    claim.submitted_by,
                    claim.submitted_on,
                    claim.decided_by,
                    claim.decided_at,
                    claim.decision_note.clone(),
                    claim.lot_id,
                    ids(claim)?,
                    claim.created_at,
                    claim.updated_at,
                    claim.version,
                ],
            )
            .await?;
        Ok(())
    }

    async fn decide(&mut self, claim: &LeaveClaim, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE leave_claim SET status = $4, decided_by = $5, decided_at = $6, decision_note = $7, \
                 lot_id = $8, posting_ids = $9, updated_at = $10, version = $11 \
                 WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![
                    self.tenant,
                    claim.id,
                    expected,
                    claim.status.code(),
                    claim.decided_by,
                    claim.decided_at,
                    claim.decision_note.clone(),
                    claim.lot_id,
                    ids(claim)?,
                    claim.updated_at,
                    claim.version,
                ],
            )
            .await
    }
}

#[derive(FromRow)]
struct FactRow {
    id: Uuid,
    purpose: Option<String>,
    employee_id: Uuid,
    leave_type_id: Uuid,
    effective_on: jiff_sqlx::Date,
    minutes: i64,
    minutes_per_day: i64,
    request_id: Option<Uuid>,
    reverses_id: Option<Uuid>,
    posted_at: Instant,
}

impl From<FactRow> for PayrollFact {
    fn from(row: FactRow) -> Self {
        let kind = match row.purpose {
            Some(_) => PayrollFactKind::Encashed,
            None => PayrollFactKind::Unpaid,
        };
        Self {
            id: LeavePostingId::from_uuid(row.id),
            kind,
            employee_id: EmployeeId::from_uuid(row.employee_id),
            leave_type_id: LeaveTypeId::from_uuid(row.leave_type_id),
            date: row.effective_on.to_jiff(),
            minutes: -row.minutes,
            minutes_per_day: row.minutes_per_day,
            leave_request_id: row.request_id.map(LeaveRequestId::from_uuid),
            undoes_id: row.reverses_id.map(LeavePostingId::from_uuid),
            recorded_at: row.posted_at.0,
        }
    }
}

#[async_trait]
impl PayrollFactRepo for SqlTx {
    async fn list(
        &mut self,
        filter: &PayrollFactFilter,
        page: &PageRequest<()>,
    ) -> Result<Vec<PayrollFact>, StoreError> {
        // Of what undoes another posting, that one says what it is about.
        let mut query = Query::new(
            "SELECT p.id, COALESCE(u.purpose, p.purpose) AS purpose, p.employee_id, p.leave_type_id, p.effective_on, \
             p.minutes, t.minutes_per_day, p.request_id, p.reverses_id, p.posted_at FROM leave_posting AS p \
             JOIN leave_type AS t ON t.tenant_id = p.tenant_id AND t.id = p.leave_type_id \
             LEFT JOIN leave_posting AS u ON u.tenant_id = p.tenant_id AND u.id = p.reverses_id WHERE p.tenant_id = ",
        );
        query.bind(self.tenant);
        let encashed = filter.kind.is_none_or(|kind| kind == PayrollFactKind::Encashed);
        let unpaid = filter.kind.is_none_or(|kind| kind == PayrollFactKind::Unpaid);
        query.push(" AND (1 = 0");
        if encashed {
            query.push(" OR COALESCE(u.purpose, p.purpose) = 'encashment'");
        }
        if unpaid {
            query.push(" OR (COALESCE(u.kind, p.kind) = 'consumption' AND t.paid = ").bind(false).push(")");
        }
        query.push(")");
        match filter.recorded_after {
            Some(after) => query.push(" AND p.posted_at > ").bind(after),
            None => query.push(
                " AND p.kind <> 'reversal' AND NOT EXISTS (SELECT 1 FROM leave_posting AS r \
                 WHERE r.tenant_id = p.tenant_id AND r.reverses_id = p.id)",
            ),
        };
        query.and(" AND p.effective_on >= ", filter.from);
        query.and(" AND p.effective_on <= ", filter.to);
        query.and(" AND p.employee_id = ", filter.employee_id);
        query.page("p.effective_on", "p.id", page, |key| Param::Date(key.parse().ok()));
        Ok(query.all::<FactRow>(&mut self.conn).await?.into_iter().map(Into::into).collect())
    }
}
