//! Requests for leave in SQL.

use async_trait::async_trait;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::leave::{
    CountedDay, DayHours, DayPart, LeaveAttachment, LeaveRecount, LeaveRequest, LeaveRequestFilter,
    LeaveRequestRepo, LeaveRequestSort, LeaveRequestView, MAX_DAYS, OccupiedTime, RequestStatus, TimeOfDay,
    Whose, days_text,
};
use hrms_core::{
    EmployeeId, LeaveAttachmentId, LeaveRequestId, LeaveTypeId, PageRequest, StoreError, UserId, Version,
};

use crate::instant::Instant;
use crate::query::{CHUNK, Param, Query, insert_many, params};
use crate::sql::leave::attachment;
use crate::sql::visibility::{join_record, visible};
use crate::sql::{SqlTx, corrupt};

const TABLE: &str = "leave_request";
const TRAIL: &str = "leave_recount";

#[derive(FromRow)]
struct RequestRow {
    id: Uuid,
    employee_id: Uuid,
    leave_type_id: Uuid,
    starts_on: jiff_sqlx::Date,
    ends_on: jiff_sqlx::Date,
    start_part: String,
    end_part: String,
    start_minute: Option<i64>,
    end_minute: Option<i64>,
    asked_minutes: Option<i64>,
    minutes: i64,
    minutes_per_day: i64,
    status: String,
    note: Option<String>,
    submitted_by: Option<Uuid>,
    submitted_on: jiff_sqlx::Date,
    decided_by: Option<Uuid>,
    decided_at: Option<Instant>,
    decision_note: Option<String>,
    asked_at: Instant,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

#[derive(FromRow)]
struct CountedRow {
    #[sqlx(flatten)]
    request: RequestRow,
    day_count: Value,
}

/// The columns of [`RequestRow`]; what follows names further ones.
const SELECT: &str = "SELECT r.id, r.employee_id, r.leave_type_id, r.starts_on, r.ends_on, r.start_part, r.end_part, \
     r.start_minute, r.end_minute, r.asked_minutes, \
     COALESCE(r.recounted_minutes, r.minutes) AS minutes, t.minutes_per_day, r.status, r.note, r.submitted_by, r.submitted_on, r.decided_by, r.decided_at, \
     r.decision_note, COALESCE(r.asked_at, r.created_at) AS asked_at, r.created_at, r.updated_at, r.version";
const FROM: &str = " FROM leave_request AS r JOIN leave_type AS t \
     ON t.tenant_id = r.tenant_id AND t.id = r.leave_type_id";

impl TryFrom<RequestRow> for LeaveRequest {
    type Error = StoreError;

    fn try_from(row: RequestRow) -> Result<Self, StoreError> {
        let part =
            |code: &str| DayPart::from_code(code).ok_or_else(|| corrupt(TABLE, format!("part {code}")));
        let status = RequestStatus::from_code(&row.status);
        let hours = DayHours {
            start_time: row.start_minute.and_then(TimeOfDay::from_minutes),
            end_time: row.end_minute.and_then(TimeOfDay::from_minutes),
            minutes: row.asked_minutes,
        };
        Ok(Self {
            id: LeaveRequestId::from_uuid(row.id),
            employee_id: EmployeeId::from_uuid(row.employee_id),
            leave_type_id: LeaveTypeId::from_uuid(row.leave_type_id),
            starts_on: row.starts_on.to_jiff(),
            ends_on: row.ends_on.to_jiff(),
            start_part: part(&row.start_part)?,
            end_part: part(&row.end_part)?,
            hours: Some(hours).filter(|hours| *hours != DayHours::default()),
            minutes: row.minutes,
            days: days_text(row.minutes, row.minutes_per_day),
            status: status.ok_or_else(|| corrupt(TABLE, format!("status {}", row.status)))?,
            note: row.note,
            submitted_by: row.submitted_by.map(UserId::from_uuid),
            submitted_on: row.submitted_on.to_jiff(),
            decided_by: row.decided_by.map(UserId::from_uuid),
            decided_at: row.decided_at.map(|at| at.0),
            decision_note: row.decision_note,
            asked_at: row.asked_at.0,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        })
    }
}

impl TryFrom<CountedRow> for LeaveRequestView {
    type Error = StoreError;

    fn try_from(row: CountedRow) -> Result<Self, StoreError> {
        let day_count = serde_json::from_value(row.day_count);
        let day_count = day_count.map_err(|error| corrupt(TABLE, format!("day_count: {error}")))?;
        Ok(Self { request: row.request.try_into()?, day_count })
    }
}

#[derive(FromRow)]
struct RecountRow {
    version: i64,
    recounted_at: Instant,
    recounted_by: Option<Uuid>,
    because: Value,
    minutes_before: i64,
    minutes_after: i64,
    changes: Value,
}

impl TryFrom<RecountRow> for LeaveRecount {
    type Error = StoreError;

    fn try_from(row: RecountRow) -> Result<Self, StoreError> {
        let json = |error| corrupt(TRAIL, error);
        Ok(Self {
            version: Version::from_i64(row.version),
            recounted_at: row.recounted_at.0,
            recounted_by: row.recounted_by.map(UserId::from_uuid),
            because: serde_json::from_value(row.because).map_err(json)?,
            minutes_before: row.minutes_before,
            minutes_after: row.minutes_after,
            changes: serde_json::from_value(row.changes).map_err(json)?,
        })
    }
}

#[async_trait]
impl LeaveRequestRepo for SqlTx {
    async fn get(&mut self, id: LeaveRequestId) -> Result<Option<LeaveRequestView>, StoreError> {
        let mut query = Query::new(SELECT);
        query.push(", r.day_count").push(FROM).push(" WHERE r.tenant_id = ").bind(self.tenant);
        query.push(" AND r.id = ").bind(id);
        query.optional::<CountedRow>(&mut self.conn).await?.map(TryInto::try_into).transpose()
    }

    async fn list(
        &mut self,
        filter: &LeaveRequestFilter,
        page: &PageRequest<LeaveRequestSort>,
    ) -> Result<Vec<LeaveRequest>, StoreError> {
        let mut query = Query::new(SELECT);
        query.push(FROM);
        join_record(&mut query, "r", filter.today);
        query.push(" WHERE r.tenant_id = ").bind(self.tenant);
        visible(&mut query, self.tenant, &filter.visible, filter.today, "r.employee_id", "e");
        query.and(" AND r.employee_id <> ", filter.not_of);
        query.and(" AND r.employee_id = ", filter.employee_id);
        query.and(" AND r.status = ", filter.status.map(|status| status.code()));
        query.and(" AND r.leave_type_id = ", filter.leave_type_id);
        query.and(" AND r.ends_on >= ", filter.from);
        query.and(" AND r.starts_on <= ", filter.to);
        query.and(" AND r.updated_at >= ", filter.updated_after);
        match page.sort {
            LeaveRequestSort::StartsOn => {
                query.page("r.starts_on", "r.id", page, |key| Param::Date(key.parse().ok()));
            }
            LeaveRequestSort::CreatedAt => {
                query.page("r.created_at", "r.id", page, |key| Param::Instant(key.parse().ok()));
            }
        }
        query.all::<RequestRow>(&mut self.conn).await?.into_iter().map(TryInto::try_into).collect()
    }

    async fn pending(
        &mut self,
        employee: EmployeeId,
        leave_type: Option<LeaveTypeId>,
    ) -> Result<Vec<LeaveRequestView>, StoreError> {
        let mut query = Query::new(SELECT);
        query.push(", r.day_count").push(FROM).push(" WHERE r.tenant_id = ").bind(self.tenant);
        query.push(" AND r.employee_id = ").bind(employee).push(" AND r.status = 'pending'");
        query.and(" AND r.leave_type_id = ", leave_type);
        query.push(" ORDER BY r.id");
        query.all::<CountedRow>(&mut self.conn).await?.into_iter().map(TryInto::try_into).collect()
    }

    async fn live_between(
        &mut self,
        employees: &[EmployeeId],
        from: Date,
        last: Date,
    ) -> Result<Vec<LeaveRequestView>, StoreError> {
        let mut found = Vec::new();
        for employees in employees.chunks(CHUNK) {
            let mut query = Query::new(SELECT);
            query.push(", r.day_count").push(FROM).push(" WHERE r.tenant_id = ").bind(self.tenant);
            query.push(" AND r.employee_id IN ").list(employees.iter().copied());
            query.push(" AND r.status IN ('pending', 'approved')");
            query.push(" AND r.ends_on >= ").bind(from).push(" AND r.starts_on <= ").bind(last);
            query.push(" ORDER BY r.id");
            for row in query.all::<CountedRow>(&mut self.conn).await? {
                found.push(row.try_into()?);
            }
        }
        Ok(found)
    }

    async fn on_leave(
        &mut self,
        whose: &Whose,
        from: Date,
        last: Date,
        after: Option<EmployeeId>,
        limit: u16,
    ) -> Result<Vec<EmployeeId>, StoreError> {
        let mut query =
            Query::new("SELECT DISTINCT r.employee_id FROM leave_request AS r WHERE r.tenant_id = ");
        query.bind(self.tenant).push(" AND r.status IN ('pending', 'approved')");
        query.push(" AND r.starts_on >= ").bind(from.saturating_sub(MAX_DAYS.days()));
        query.push(" AND r.starts_on <= ").bind(last).push(" AND r.ends_on >= ").bind(from);
        match whose {
            Whose::Employees(employees) => {
                query.push(" AND r.employee_id IN ").list(employees.iter().copied());
            }
            Whose::Locations(locations) => {
                query.push(
                    " AND EXISTS (SELECT 1 FROM employment_record AS e WHERE e.tenant_id = r.tenant_id \
                     AND e.employee_id = r.employee_id AND e.location_id IN ",
                );
                query.list(locations.iter().copied()).push(" AND e.valid_from <= ").bind(last);
                query.push(" AND (e.valid_to IS NULL OR e.valid_to > ").bind(from).push("))");
            }
        }
        query.and(" AND r.employee_id > ", after);
        query.push(" ORDER BY r.employee_id LIMIT ").bind(i64::from(limit));
        let found = query.all::<(Uuid,)>(&mut self.conn).await?;
        Ok(found.into_iter().map(|(id,)| EmployeeId::from_uuid(id)).collect())
    }

    async fn pending_of(&mut self, employees: &[EmployeeId]) -> Result<Vec<LeaveRequestView>, StoreError> {
        let mut found = Vec::new();
        for employees in employees.chunks(CHUNK) {
            let mut query = Query::new(SELECT);
            query.push(", r.day_count").push(FROM).push(" WHERE r.tenant_id = ").bind(self.tenant);
            query.push(" AND r.status = 'pending' AND r.employee_id IN ").list(employees.iter().copied());
            query.push(" ORDER BY r.id");
            for row in query.all::<CountedRow>(&mut self.conn).await? {
                found.push(row.try_into()?);
            }
        }
        Ok(found)
    }

    async fn ended_since(
        &mut self,
        employees: &[EmployeeId],
        since: Timestamp,
    ) -> Result<Vec<LeaveRequestView>, StoreError> {
        let mut found = Vec::new();
        for employees in employees.chunks(CHUNK) {
            let mut query = Query::new(SELECT);
            query.push(", r.day_count").push(FROM).push(" WHERE r.tenant_id = ").bind(self.tenant);
            query.push(" AND r.employee_id IN ").list(employees.iter().copied());
            query.push(" AND r.status IN ('rejected', 'cancelled', 'withdrawn') AND r.decided_at >= ");
            query.bind(since).push(" ORDER BY r.id");
            for row in query.all::<CountedRow>(&mut self.conn).await? {
                found.push(row.try_into()?);
            }
        }
        Ok(found)
    }

    async fn is_occupied(
        &mut self,
        employee: EmployeeId,
        wanted: &[OccupiedTime],
    ) -> Result<bool, StoreError> {
        let days = wanted.iter().map(|one| one.day);
        let (Some(first), Some(last)) = (days.clone().min(), days.max()) else { return Ok(false) };
        let taken: Vec<(jiff_sqlx::Date, i64, i64)> = self
            .conn
            .all(
                "SELECT day, from_minute, to_minute FROM leave_slot WHERE tenant_id = $1 AND employee_id = $2 \
                 AND day >= $3 AND day <= $4",
                params![self.tenant, employee, first, last],
            )
            .await?;
        Ok(taken.into_iter().any(|(day, from, to)| {
            let day = day.to_jiff();
            wanted.iter().any(|one| one.day == day && one.from_minute < to && from < one.to_minute)
        }))
    }

    async fn insert(&mut self, request: &LeaveRequest, days: &[CountedDay]) -> Result<(), StoreError> {
        let day_count = serde_json::to_value(days).map_err(|error| corrupt(TABLE, error))?;
        let hours = request.hours.unwrap_or_default();
        self.conn
            .execute(
                "INSERT INTO leave_request (tenant_id, id, employee_id, leave_type_id, starts_on, ends_on, \
                 start_part, end_part, start_minute, end_minute, asked_minutes, minutes, day_count, status, note, submitted_by, submitted_on, decided_by, \
                 decided_at, decision_note, asked_at, created_at, updated_at, version) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)",
                params![
                    self.tenant,
                    request.id,
                    request.employee_id,
                    request.leave_type_id,
                    request.starts_on,
                    request.ends_on,
                    request.start_part.code(),
                    request.end_part.code(),
                    hours.start_time.map(TimeOfDay::minutes),
                    hours.end_time.map(TimeOfDay::minutes),
                    hours.minutes,
                    request.minutes,
                    day_count,
                    request.status.code(),
                    request.note.clone(),
                    request.submitted_by,
                    request.submitted_on,
                    request.decided_by,
                    request.decided_at,
                    request.decision_note.clone(),
                    request.asked_at,
                    request.created_at,
                    request.updated_at,
                    request.version,
                ],
            )
            .await?;
        self.occupy(request).await
    }

    async fn change(
        &mut self,
        request: &LeaveRequest,
        days: &[CountedDay],
        expected: Version,
    ) -> Result<(), StoreError> {
        let day_count = serde_json::to_value(days).map_err(|error| corrupt(TABLE, error))?;
        let hours = request.hours.unwrap_or_default();
        self.conn
            .execute_expecting_one(
                "UPDATE leave_request SET leave_type_id = $4, starts_on = $5, ends_on = $6, start_part = $7, \
                 end_part = $8, start_minute = $9, end_minute = $10, asked_minutes = $11, minutes = $12, \
                 recounted_minutes = NULL, day_count = $13, note = $14, submitted_on = $15, asked_at = $16, \
                 updated_at = $17, version = $18 WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![
                    self.tenant,
                    request.id,
                    expected,
                    request.leave_type_id,
                    request.starts_on,
                    request.ends_on,
                    request.start_part.code(),
                    request.end_part.code(),
                    hours.start_time.map(TimeOfDay::minutes),
                    hours.end_time.map(TimeOfDay::minutes),
                    hours.minutes,
                    request.minutes,
                    day_count,
                    request.note.clone(),
                    request.submitted_on,
                    request.asked_at,
                    request.updated_at,
                    request.version,
                ],
            )
            .await?;
        self.free(request.id).await?;
        self.occupy(request).await
    }

    async fn recount(
        &mut self,
        request: &LeaveRequest,
        days: &[CountedDay],
        expected: Version,
        trail: &LeaveRecount,
    ) -> Result<(), StoreError> {
        let day_count = serde_json::to_value(days).map_err(|error| corrupt(TABLE, error))?;
        self.conn
            .execute_expecting_one(
                "UPDATE leave_request SET recounted_minutes = $4, day_count = $5, updated_at = $6, version = $7 \
                 WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![
                    self.tenant,
                    request.id,
                    expected,
                    request.minutes,
                    day_count,
                    request.updated_at,
                    request.version,
                ],
            )
            .await?;
        let json = |error| corrupt(TRAIL, error);
        self.conn
            .execute(
                "INSERT INTO leave_recount (tenant_id, request_id, version, recounted_at, recounted_by, because, \
                 minutes_before, minutes_after, changes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                params![
                    self.tenant,
                    request.id,
                    trail.version,
                    trail.recounted_at,
                    trail.recounted_by,
                    serde_json::to_value(&trail.because).map_err(json)?,
                    trail.minutes_before,
                    trail.minutes_after,
                    serde_json::to_value(&trail.changes).map_err(json)?,
                ],
            )
            .await?;
        Ok(())
    }

    async fn recounts(&mut self, id: LeaveRequestId) -> Result<Vec<LeaveRecount>, StoreError> {
        let rows: Vec<RecountRow> = self
            .conn
            .all(
                "SELECT version, recounted_at, recounted_by, because, minutes_before, minutes_after, changes \
                 FROM leave_recount WHERE tenant_id = $1 AND request_id = $2 ORDER BY version",
                params![self.tenant, id],
            )
            .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    async fn attachments(&mut self, id: LeaveRequestId) -> Result<Vec<LeaveAttachment>, StoreError> {
        attachment::of(self, id).await
    }

    async fn attachment(
        &mut self,
        id: LeaveAttachmentId,
    ) -> Result<Option<(LeaveAttachment, Vec<u8>)>, StoreError> {
        attachment::get(self, id).await
    }

    async fn attach(&mut self, attachment: &LeaveAttachment, content: Vec<u8>) -> Result<(), StoreError> {
        attachment::insert(self, attachment, content).await
    }

    async fn detach(&mut self, id: LeaveAttachmentId) -> Result<(), StoreError> {
        attachment::remove(self, id).await
    }

    async fn decide(&mut self, request: &LeaveRequest, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE leave_request SET status = $4, decided_by = $5, decided_at = $6, decision_note = $7, \
                 updated_at = $8, version = $9 WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![
                    self.tenant,
                    request.id,
                    expected,
                    request.status.code(),
                    request.decided_by,
                    request.decided_at,
                    request.decision_note.clone(),
                    request.updated_at,
                    request.version,
                ],
            )
            .await?;
        if !request.status.occupies_days() {
            self.free(request.id).await?;
        }
        Ok(())
    }
}

impl SqlTx {
    /// Keeps a request's time from others.
    async fn occupy(&mut self, request: &LeaveRequest) -> Result<(), StoreError> {
        let (tenant, id, employee) = (self.tenant, request.id, request.employee_id);
        let rows = request
            .occupied()
            .into_iter()
            .map(|one| params![tenant, id, employee, one.day, one.half, one.from_minute, one.to_minute]);
        insert_many(
            &mut self.conn,
            "INSERT INTO leave_slot (tenant_id, request_id, employee_id, day, half, from_minute, to_minute) VALUES ",
            rows.collect::<Vec<_>>(),
            "",
        )
        .await?;
        Ok(())
    }

    /// Leaves a request's time to others.
    async fn free(&mut self, request: LeaveRequestId) -> Result<(), StoreError> {
        self.conn
            .execute(
                "DELETE FROM leave_slot WHERE tenant_id = $1 AND request_id = $2",
                params![self.tenant, request],
            )
            .await?;
        Ok(())
    }
}
