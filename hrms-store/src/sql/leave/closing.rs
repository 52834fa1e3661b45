//! Closed periods of leave in SQL.

use async_trait::async_trait;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::leave::{BalanceMinutes, ClosedBalance, LeaveClosing, LeaveClosingRepo};
use hrms_core::{EmployeeId, LeaveClosingId, LeaveTypeId, StoreError, UserId};

use crate::instant::Instant;
use crate::query::{insert_many, params};
use crate::sql::SqlTx;

/// The lock that is held by whoever books leave, and taken by whoever closes a period.
const LOCK: &str = "leave-periods";

#[derive(FromRow)]
struct ClosingRow {
    id: Uuid,
    leave_type_id: Option<Uuid>,
    through: jiff_sqlx::Date,
    note: Option<String>,
    closed_at: Instant,
    closed_by: Option<Uuid>,
    reopened_at: Option<Instant>,
    reopened_by: Option<Uuid>,
    reopen_note: Option<String>,
}

impl From<ClosingRow> for LeaveClosing {
    fn from(row: ClosingRow) -> Self {
        Self {
            id: LeaveClosingId::from_uuid(row.id),
            leave_type_id: row.leave_type_id.map(LeaveTypeId::from_uuid),
            through: row.through.to_jiff(),
            note: row.note,
            closed_at: row.closed_at.0,
            closed_by: row.closed_by.map(UserId::from_uuid),
            reopened_at: row.reopened_at.map(|at| at.0),
            reopened_by: row.reopened_by.map(UserId::from_uuid),
            reopen_note: row.reopen_note,
        }
    }
}

#[derive(FromRow)]
struct BalanceRow {
    employee_id: Uuid,
    leave_type_id: Uuid,
    granted: i64,
    taken: i64,
    expired: i64,
    encashed: i64,
    available: i64,
}

impl From<BalanceRow> for ClosedBalance {
    fn from(row: BalanceRow) -> Self {
        Self {
            employee_id: EmployeeId::from_uuid(row.employee_id),
            leave_type_id: LeaveTypeId::from_uuid(row.leave_type_id),
            minutes: BalanceMinutes {
                granted: row.granted,
                taken: row.taken,
                pending: 0,
                expired: row.expired,
                encashed: row.encashed,
                available: row.available,
            },
        }
    }
}

impl SqlTx {
    /// Waits until nobody closes a period, and keeps it that way until we end.
    pub(super) async fn hold_leave_periods(&mut self) -> Result<(), StoreError> {
        self.hold(LOCK).await
    }
}

#[async_trait]
impl LeaveClosingRepo for SqlTx {
    async fn lock(&mut self) -> Result<(), StoreError> {
        self.lock(LOCK).await
    }

    async fn all(&mut self) -> Result<Vec<LeaveClosing>, StoreError> {
        let rows: Vec<ClosingRow> = self
            .conn
            .all(
                "SELECT id, leave_type_id, through, note, closed_at, closed_by, reopened_at, reopened_by, reopen_note \
                 FROM leave_closing WHERE tenant_id = $1 ORDER BY closed_at, id",
                params![self.tenant],
            )
            .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    async fn insert(&mut self, closing: &LeaveClosing) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO leave_closing (tenant_id, id, leave_type_id, through, note, closed_at, closed_by) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7)",
                params![
                    self.tenant,
                    closing.id,
                    closing.leave_type_id,
                    closing.through,
                    closing.note.as_deref(),
                    closing.closed_at,
                    closing.closed_by,
                ],
            )
            .await?;
        Ok(())
    }

    async fn reopen(&mut self, closing: &LeaveClosing) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE leave_closing SET reopened_at = $3, reopened_by = $4, reopen_note = $5 \
                 WHERE tenant_id = $1 AND id = $2 AND reopened_at IS NULL",
                params![
                    self.tenant,
                    closing.id,
                    closing.reopened_at,
                    closing.reopened_by,
                    closing.reopen_note.as_deref(),
                ],
            )
            .await
    }

    async fn insert_balances(
        &mut self,
        id: LeaveClosingId,
        balances: &[ClosedBalance],
    ) -> Result<(), StoreError> {
        let tenant = self.tenant;
        let row = |one: &ClosedBalance| {
            params![
                tenant,
                id,
                one.employee_id,
                one.leave_type_id,
                one.minutes.granted,
                one.minutes.taken,
                one.minutes.expired,
                one.minutes.encashed,
                one.minutes.available,
            ]
        };
        insert_many(
            &mut self.conn,
            "INSERT INTO leave_closing_balance (tenant_id, closing_id, employee_id, leave_type_id, granted, taken, \
             expired, encashed, available) VALUES ",
            balances.iter().map(row).collect::<Vec<_>>(),
            "",
        )
        .await?;
        Ok(())
    }

    async fn balances(&mut self, id: LeaveClosingId) -> Result<Vec<ClosedBalance>, StoreError> {
        let rows: Vec<BalanceRow> = self
            .conn
            .all(
                "SELECT employee_id, leave_type_id, granted, taken, expired, encashed, available \
                 FROM leave_closing_balance WHERE tenant_id = $1 AND closing_id = $2 \
                 ORDER BY employee_id, leave_type_id",
                params![self.tenant, id],
            )
            .await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }
}
