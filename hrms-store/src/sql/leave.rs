//! Leave in SQL: types, the ledger. Policies are in `leave/policy.rs`, requests in
//! `leave/request.rs`, claims in `leave/claim.rs`.

mod attachment;
mod claim;
mod closing;
mod policy;
mod request;

use std::collections::HashMap;

use async_trait::async_trait;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::leave::{
    LeaveLedger, LeaveLot, LeavePosting, LeaveRulesVersion, LeaveType, LeaveTypeFilter, LeaveTypeRepo,
    LeaveTypeSort, LotSource, OpenedAccount, PostingKind,
};
use hrms_core::{
    EmployeeId, LeaveLotId, LeavePostingId, LeaveRequestId, LeaveRulesId, LeaveTypeId, PageRequest,
    StoreError, UserId, Version,
};

use crate::instant::Instant;
use crate::query::{CHUNK, Query, insert_many, params};
use crate::sql::{SqlTx, corrupt};

#[derive(FromRow)]
struct LeaveTypeRow {
    id: Uuid,
    code: String,
    name: String,
    paid: bool,
    allow_negative_minutes: i64,
    minutes_per_day: i64,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

impl From<LeaveTypeRow> for LeaveType {
    fn from(row: LeaveTypeRow) -> Self {
        Self {
            id: LeaveTypeId::from_uuid(row.id),
            code: row.code,
            name: row.name,
            paid: row.paid,
            allow_negative_minutes: row.allow_negative_minutes,
            minutes_per_day: row.minutes_per_day,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        }
    }
}

const SELECT_TYPE: &str = "SELECT id, code, name, paid, allow_negative_minutes, minutes_per_day, created_at, \
     updated_at, version FROM leave_type WHERE tenant_id = ";

#[async_trait]
impl LeaveTypeRepo for SqlTx {
    async fn get(&mut self, id: LeaveTypeId) -> Result<Option<LeaveType>, StoreError> {
        let mut query = Query::new(SELECT_TYPE);
        query.bind(self.tenant).push(" AND id = ").bind(id);
        Ok(query.optional::<LeaveTypeRow>(&mut self.conn).await?.map(Into::into))
    }

    async fn list(
        &mut self,
        filter: &LeaveTypeFilter,
        page: &PageRequest<LeaveTypeSort>,
    ) -> Result<Vec<LeaveType>, StoreError> {
        let mut query = Query::new(SELECT_TYPE);
        query.bind(self.tenant);
        query.and(" AND code = ", filter.code.as_deref());
        query.and(" AND updated_at >= ", filter.updated_after);
        let column = match page.sort {
            LeaveTypeSort::Name => "name",
            LeaveTypeSort::Code => "code",
        };
        query.page(column, "id", page, |key| key.into());
        Ok(query.all::<LeaveTypeRow>(&mut self.conn).await?.into_iter().map(Into::into).collect())
    }

    async fn all(&mut self) -> Result<Vec<LeaveType>, StoreError> {
        let mut query = Query::new(SELECT_TYPE);
        query.bind(self.tenant).push(" ORDER BY name, id");
        Ok(query.all::<LeaveTypeRow>(&mut self.conn).await?.into_iter().map(Into::into).collect())
    }

    async fn insert(&mut self, leave_type: &LeaveType) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO leave_type (tenant_id, id, code, name, paid, allow_negative_minutes, \
                 minutes_per_day, created_at, updated_at, version) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                params![
                    self.tenant,
                    leave_type.id,
                    leave_type.code.as_str(),
                    leave_type.name.as_str(),
                    leave_type.paid,
                    leave_type.allow_negative_minutes,
                    leave_type.minutes_per_day,
                    leave_type.created_at,
                    leave_type.updated_at,
                    leave_type.version,
                ],
            )
            .await?;
        Ok(())
    }

    async fn update(&mut self, leave_type: &LeaveType, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE leave_type SET code = $4, name = $5, paid = $6, allow_negative_minutes = $7, \
                 updated_at = $8, version = $9 WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![
                    self.tenant,
                    leave_type.id,
                    expected,
                    leave_type.code.as_str(),
                    leave_type.name.as_str(),
                    leave_type.paid,
                    leave_type.allow_negative_minutes,
                    leave_type.updated_at,
                    leave_type.version,
                ],
            )
            .await
    }

    async fn is_taken(&mut self, id: LeaveTypeId) -> Result<bool, StoreError> {
        let mut query = Query::new("SELECT id FROM leave_posting WHERE tenant_id = ");
        query.bind(self.tenant).push(" AND leave_type_id = ").bind(id);
        query.push(" AND kind = 'consumption' LIMIT 1");
        Ok(query.optional::<(Uuid,)>(&mut self.conn).await?.is_some())
    }

    async fn rules(&mut self, id: LeaveTypeId) -> Result<Vec<LeaveRulesVersion>, StoreError> {
        let rows: Vec<RulesRow> = self
            .conn
            .all(
                "SELECT id, leave_type_id, effective_from, rules, recorded_at, recorded_by FROM leave_rules \
                 WHERE tenant_id = $1 AND leave_type_id = $2 ORDER BY effective_from, id",
                params![self.tenant, id],
            )
            .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    async fn insert_rules(&mut self, version: &LeaveRulesVersion) -> Result<(), StoreError> {
        let rules = serde_json::to_value(&version.rules).map_err(|error| corrupt("leave_rules", error))?;
        self.conn
            .execute(
                "INSERT INTO leave_rules (tenant_id, id, leave_type_id, effective_from, rules, recorded_at, \
                 recorded_by) VALUES ($1, $2, $3, $4, $5, $6, $7)",
                params![
                    self.tenant,
                    version.id,
                    version.leave_type_id,
                    version.effective_from,
                    rules,
                    version.recorded_at,
                    version.recorded_by,
                ],
            )
            .await?;
        Ok(())
    }
}

#[derive(FromRow)]
struct RulesRow {
    id: Uuid,
    leave_type_id: Uuid,
    effective_from: jiff_sqlx::Date,
    rules: Value,
    recorded_at: Instant,
    recorded_by: Option<Uuid>,
}

impl TryFrom<RulesRow> for LeaveRulesVersion {
    type Error = StoreError;

    fn try_from(row: RulesRow) -> Result<Self, StoreError> {
        let rules = serde_json::from_value(row.rules).map_err(|error| corrupt("leave_rules", error))?;
        Ok(Self {
            id: LeaveRulesId::from_uuid(row.id),
            leave_type_id: LeaveTypeId::from_uuid(row.leave_type_id),
            effective_from: row.effective_from.to_jiff(),
            rules,
            recorded_at: row.recorded_at.0,
            recorded_by: row.recorded_by.map(UserId::from_uuid),
        })
    }
}

#[derive(FromRow)]
struct LotRow {
    id: Uuid,
    employee_id: Uuid,
    leave_type_id: Uuid,
    source: String,
    minutes: i64,
    valid_from: jiff_sqlx::Date,
    valid_to: Option<jiff_sqlx::Date>,
    granted_on: jiff_sqlx::Date,
    note: Option<String>,
    plan_key: Option<String>,
    created_at: Instant,
}

impl TryFrom<LotRow> for LeaveLot {
    type Error = StoreError;

    fn try_from(row: LotRow) -> Result<Self, StoreError> {
        // A grant that a policy wrote; the column is older than policies.
        let source = match LotSource::from_code(&row.source) {
            Some(LotSource::Grant) if row.plan_key.is_some() => Some(LotSource::Accrual),
            source => source,
        };
        Ok(Self {
            id: LeaveLotId::from_uuid(row.id),
            employee_id: EmployeeId::from_uuid(row.employee_id),
            leave_type_id: LeaveTypeId::from_uuid(row.leave_type_id),
            source: source.ok_or_else(|| corrupt("leave_lot", format!("source {}", row.source)))?,
            minutes: row.minutes,
            valid_from: row.valid_from.to_jiff(),
            valid_to: row.valid_to.map(jiff_sqlx::Date::to_jiff),
            granted_on: row.granted_on.to_jiff(),
            note: row.note,
            plan_key: row.plan_key,
            created_at: row.created_at.0,
        })
    }
}

const SELECT_LOT: &str = "SELECT id, employee_id, leave_type_id, source, minutes, valid_from, valid_to, granted_on, \
     note, plan_key, created_at FROM leave_lot WHERE tenant_id = ";

#[derive(FromRow)]
struct PostingRow {
    id: Uuid,
    employee_id: Uuid,
    leave_type_id: Uuid,
    lot_id: Option<Uuid>,
    request_id: Option<Uuid>,
    kind: String,
    minutes: i64,
    effective_on: jiff_sqlx::Date,
    booked_on: jiff_sqlx::Date,
    posted_at: Instant,
    posted_by: Option<Uuid>,
    reverses_id: Option<Uuid>,
    plan_key: Option<String>,
    purpose: Option<String>,
    closed_through: Option<jiff_sqlx::Date>,
}

const SELECT_POSTING: &str = "SELECT id, employee_id, leave_type_id, lot_id, request_id, kind, minutes, effective_on, \
     booked_on, posted_at, posted_by, reverses_id, plan_key, purpose, closed_through FROM leave_posting WHERE tenant_id = ";

impl TryFrom<PostingRow> for LeavePosting {
    type Error = StoreError;

    fn try_from(row: PostingRow) -> Result<Self, StoreError> {
        let kind = PostingKind::from_code(row.purpose.as_deref().unwrap_or(&row.kind));
        Ok(Self {
            id: LeavePostingId::from_uuid(row.id),
            employee_id: EmployeeId::from_uuid(row.employee_id),
            leave_type_id: LeaveTypeId::from_uuid(row.leave_type_id),
            lot_id: row.lot_id.map(LeaveLotId::from_uuid),
            request_id: row.request_id.map(LeaveRequestId::from_uuid),
            kind: kind.ok_or_else(|| corrupt("leave_posting", format!("kind {}", row.kind)))?,
            minutes: row.minutes,
            effective_on: row.effective_on.to_jiff(),
            booked_on: row.booked_on.to_jiff(),
            posted_at: row.posted_at.0,
            posted_by: row.posted_by.map(UserId::from_uuid),
            reverses_id: row.reverses_id.map(LeavePostingId::from_uuid),
            plan_key: row.plan_key,
            closed_through: row.closed_through.map(jiff_sqlx::Date::to_jiff),
        })
    }
}

#[derive(FromRow)]
struct OpenedRow {
    employee_id: Uuid,
    leave_type_id: Uuid,
    opens_on: jiff_sqlx::Date,
}

impl From<OpenedRow> for OpenedAccount {
    fn from(row: OpenedRow) -> Self {
        Self {
            employee_id: EmployeeId::from_uuid(row.employee_id),
            leave_type_id: LeaveTypeId::from_uuid(row.leave_type_id),
            opens_on: row.opens_on.to_jiff(),
        }
    }
}

/// Ends a statement about an employee's leave, of one type or of all.
fn of_account(query: &mut Query, employee: EmployeeId, leave_type: Option<LeaveTypeId>) {
    query.push(" AND employee_id = ").bind(employee);
    query.and(" AND leave_type_id = ", leave_type);
}

#[async_trait]
impl LeaveLedger for SqlTx {
    async fn lock_account(
        &mut self,
        employee: EmployeeId,
        leave_type: LeaveTypeId,
    ) -> Result<(), StoreError> {
        self.hold_leave_periods().await?;
        // The row stays locked by the write until we end; SQLite has one writer anyway.
        self.conn
            .execute(
                "INSERT INTO leave_account (tenant_id, employee_id, leave_type_id, changes) VALUES ($1, $2, $3, 1) \
                 ON CONFLICT (tenant_id, employee_id, leave_type_id) \
                 DO UPDATE SET changes = leave_account.changes + 1",
                params![self.tenant, employee, leave_type],
            )
            .await?;
        Ok(())
    }

    async fn lock_accounts(&mut self, accounts: &[(EmployeeId, LeaveTypeId)]) -> Result<(), StoreError> {
        let tenant = self.tenant;
        self.hold_leave_periods().await?;
        // Always in the same order, so that two who lock many can't wait for each other.
        let mut accounts = accounts.to_vec();
        accounts.sort_unstable();
        accounts.dedup();
        insert_many(
            &mut self.conn,
            "INSERT INTO leave_account (tenant_id, employee_id, leave_type_id, changes) VALUES ",
            accounts.into_iter().map(|(employee, leave_type)| params![tenant, employee, leave_type, 1_i64]),
            " ON CONFLICT (tenant_id, employee_id, leave_type_id) \
             DO UPDATE SET changes = leave_account.changes + 1",
        )
        .await?;
        Ok(())
    }

    async fn locked(
        &mut self,
        employees: &[EmployeeId],
    ) -> Result<HashMap<(EmployeeId, LeaveTypeId), i64>, StoreError> {
        let mut found = HashMap::new();
        for employees in employees.chunks(CHUNK) {
            let mut query = Query::new(
                "SELECT employee_id, leave_type_id, changes FROM leave_account WHERE tenant_id = ",
            );
            query.bind(self.tenant).push(" AND employee_id IN ").list(employees.iter().copied());
            let rows = query.all::<(Uuid, Uuid, i64)>(&mut self.conn).await?;
            found.extend(rows.into_iter().map(|(employee, leave_type, changes)| {
                ((EmployeeId::from_uuid(employee), LeaveTypeId::from_uuid(leave_type)), changes)
            }));
        }
        Ok(found)
    }

    async fn opened(&mut self, employees: &[EmployeeId]) -> Result<Vec<OpenedAccount>, StoreError> {
        let mut found = Vec::new();
        for employees in employees.chunks(CHUNK) {
            let mut query = Query::new(
                "SELECT employee_id, leave_type_id, opens_on FROM leave_account WHERE tenant_id = ",
            );
            query.bind(self.tenant).push(" AND opens_on IS NOT NULL AND employee_id IN ");
            query.list(employees.iter().copied()).push(" ORDER BY employee_id, leave_type_id");
            found.extend(query.all::<OpenedRow>(&mut self.conn).await?.into_iter().map(OpenedAccount::from));
        }
        Ok(found)
    }

    async fn open_accounts(&mut self, accounts: &[OpenedAccount]) -> Result<(), StoreError> {
        let tenant = self.tenant;
        let row =
            |one: &OpenedAccount| params![tenant, one.employee_id, one.leave_type_id, 1_i64, one.opens_on];
        insert_many(
            &mut self.conn,
            "INSERT INTO leave_account (tenant_id, employee_id, leave_type_id, changes, opens_on) VALUES ",
            accounts.iter().map(row).collect::<Vec<_>>(),
            " ON CONFLICT (tenant_id, employee_id, leave_type_id) DO UPDATE SET opens_on = excluded.opens_on",
        )
        .await?;
        Ok(())
    }

    async fn lot(&mut self, id: LeaveLotId) -> Result<Option<LeaveLot>, StoreError> {
        let mut query = Query::new(SELECT_LOT);
        query.bind(self.tenant).push(" AND id = ").bind(id);
        query.optional::<LotRow>(&mut self.conn).await?.map(TryInto::try_into).transpose()
    }

    async fn lots(
        &mut self,
        employee: EmployeeId,
        leave_type: Option<LeaveTypeId>,
    ) -> Result<Vec<LeaveLot>, StoreError> {
        let mut query = Query::new(SELECT_LOT);
        of_account(query.bind(self.tenant), employee, leave_type);
        query.push(" ORDER BY id");
        query.all::<LotRow>(&mut self.conn).await?.into_iter().map(TryInto::try_into).collect()
    }

    async fn lots_of(&mut self, employees: &[EmployeeId]) -> Result<Vec<LeaveLot>, StoreError> {
        let mut found = Vec::new();
        for employees in employees.chunks(CHUNK) {
            let mut query = Query::new(SELECT_LOT);
            query.bind(self.tenant).push(" AND employee_id IN ").list(employees.iter().copied());
            query.push(" ORDER BY id");
            for row in query.all::<LotRow>(&mut self.conn).await? {
                found.push(row.try_into()?);
            }
        }
        Ok(found)
    }

    async fn postings_of(&mut self, employees: &[EmployeeId]) -> Result<Vec<LeavePosting>, StoreError> {
        let mut found = Vec::new();
        for employees in employees.chunks(CHUNK) {
            let mut query = Query::new(SELECT_POSTING);
            query.bind(self.tenant).push(" AND employee_id IN ").list(employees.iter().copied());
            query.push(" ORDER BY id");
            for row in query.all::<PostingRow>(&mut self.conn).await? {
                found.push(row.try_into()?);
            }
        }
        Ok(found)
    }

    async fn postings(
        &mut self,
        employee: EmployeeId,
        leave_type: Option<LeaveTypeId>,
    ) -> Result<Vec<LeavePosting>, StoreError> {
        let mut query = Query::new(SELECT_POSTING);
        of_account(query.bind(self.tenant), employee, leave_type);
        query.push(" ORDER BY id");
        query.all::<PostingRow>(&mut self.conn).await?.into_iter().map(TryInto::try_into).collect()
    }

    async fn insert_lots(&mut self, lots: &[LeaveLot]) -> Result<(), StoreError> {
        let tenant = self.tenant;
        let rows = lots.iter().map(|lot| {
            let source = if lot.source == LotSource::Accrual { LotSource::Grant } else { lot.source };
            params![
                tenant,
                lot.id,
                lot.employee_id,
                lot.leave_type_id,
                source.code(),
                lot.minutes,
                lot.valid_from,
                lot.valid_to,
                lot.granted_on,
                lot.note.clone(),
                lot.plan_key.clone(),
                lot.created_at,
            ]
        });
        insert_many(
            &mut self.conn,
            "INSERT INTO leave_lot (tenant_id, id, employee_id, leave_type_id, source, minutes, valid_from, \
             valid_to, granted_on, note, plan_key, created_at) VALUES ",
            rows.collect::<Vec<_>>(),
            "",
        )
        .await?;
        Ok(())
    }

    async fn append(&mut self, postings: &[LeavePosting]) -> Result<(), StoreError> {
        if postings.is_empty() {
            return Ok(());
        }
        let tenant = self.tenant;
        self.hold_leave_periods().await?;
        let closed: Vec<(Option<Uuid>, jiff_sqlx::Date)> = self
            .conn
            .all(
                "SELECT leave_type_id, MAX(through) FROM leave_closing WHERE tenant_id = $1 AND reopened_at IS NULL \
                 GROUP BY leave_type_id",
                params![tenant],
            )
            .await?;
        let closed_through = |of: LeaveTypeId| {
            let holds = closed.iter().filter(|(one, _)| one.is_none_or(|one| one == of.as_uuid()));
            holds.map(|(_, through)| through.to_jiff()).max()
        };
        let rows = postings.iter().map(|posting| {
            let (kind, purpose) = match posting.kind {
                PostingKind::Transfer | PostingKind::Lapse | PostingKind::Encashment => {
                    (PostingKind::Adjustment, Some(posting.kind.code()))
                }
                kind => (kind, None),
            };
            params![
                tenant,
                posting.id,
                posting.employee_id,
                posting.leave_type_id,
                posting.lot_id,
                posting.request_id,
                kind.code(),
                posting.minutes,
                posting.effective_on,
                posting.booked_on,
                posting.posted_at,
                posting.posted_by,
                posting.reverses_id,
                posting.plan_key.clone(),
                purpose,
                closed_through(posting.leave_type_id),
            ]
        });
        insert_many(
            &mut self.conn,
            "INSERT INTO leave_posting (tenant_id, id, employee_id, leave_type_id, lot_id, request_id, kind, \
             minutes, effective_on, booked_on, posted_at, posted_by, reverses_id, plan_key, purpose, closed_through) VALUES ",
            rows.collect::<Vec<_>>(),
            "",
        )
        .await?;
        Ok(())
    }
}
