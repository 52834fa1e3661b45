//! Choices of restricted holidays in SQL, and how many there may be.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::civil::Date;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::holiday::{HolidayChoice, HolidayChoiceLimit, HolidayChoiceRepo};
use hrms_core::{EmployeeId, HolidayCalendarId, StoreError, UserId};

use crate::instant::Instant;
use crate::query::{CHUNK, Query, params};
use crate::sql::{SqlTx, corrupt};

const LIMIT: &str = "holiday_choice_limit";

#[derive(FromRow)]
struct LimitRow {
    calendar_id: Uuid,
    from_year: i32,
    most: i32,
    notice_days: i32,
}

impl TryFrom<LimitRow> for HolidayChoiceLimit {
    type Error = StoreError;

    fn try_from(row: LimitRow) -> Result<Self, StoreError> {
        Ok(Self {
            from_year: row.from_year.try_into().map_err(|error| corrupt(LIMIT, error))?,
            most: row.most.try_into().map_err(|error| corrupt(LIMIT, error))?,
            notice_days: row.notice_days.try_into().map_err(|error| corrupt(LIMIT, error))?,
        })
    }
}

#[derive(FromRow)]
struct ChoiceRow {
    employee_id: Uuid,
    on_date: jiff_sqlx::Date,
    chosen_at: Instant,
    chosen_by: Option<Uuid>,
}

impl From<ChoiceRow> for HolidayChoice {
    fn from(row: ChoiceRow) -> Self {
        Self {
            employee_id: EmployeeId::from_uuid(row.employee_id),
            on_date: row.on_date.to_jiff(),
            chosen_at: row.chosen_at.0,
            chosen_by: row.chosen_by.map(UserId::from_uuid),
        }
    }
}

#[async_trait]
impl HolidayChoiceRepo for SqlTx {
    async fn limits(
        &mut self,
        calendars: &[HolidayCalendarId],
    ) -> Result<HashMap<HolidayCalendarId, Vec<HolidayChoiceLimit>>, StoreError> {
        let mut found: HashMap<HolidayCalendarId, Vec<HolidayChoiceLimit>> = HashMap::new();
        for calendars in calendars.chunks(CHUNK) {
            let mut query = Query::with(
                "SELECT calendar_id, from_year, most, notice_days FROM holiday_choice_limit \
                 WHERE tenant_id = $1 AND calendar_id IN ",
                params![self.tenant],
            );
            query.list(calendars.iter().copied()).push(" ORDER BY from_year");
            for row in query.all::<LimitRow>(&mut self.conn).await? {
                let calendar = HolidayCalendarId::from_uuid(row.calendar_id);
                found.entry(calendar).or_default().push(row.try_into()?);
            }
        }
        Ok(found)
    }

    async fn put_limit(
        &mut self,
        calendar: HolidayCalendarId,
        limit: &HolidayChoiceLimit,
    ) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO holiday_choice_limit (tenant_id, calendar_id, from_year, most, notice_days) \
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant_id, calendar_id, from_year) \
                 DO UPDATE SET most = excluded.most, notice_days = excluded.notice_days",
                params![
                    self.tenant,
                    calendar,
                    i32::from(limit.from_year),
                    i32::from(limit.most),
                    i32::from(limit.notice_days),
                ],
            )
            .await?;
        Ok(())
    }

    async fn chosen(
        &mut self,
        employees: &[EmployeeId],
        from: Date,
        last: Date,
    ) -> Result<Vec<HolidayChoice>, StoreError> {
        let mut found = Vec::new();
        for employees in employees.chunks(CHUNK) {
            let mut query = Query::with(
                "SELECT employee_id, on_date, chosen_at, chosen_by FROM holiday_choice \
                 WHERE tenant_id = $1 AND on_date >= $2 AND on_date <= $3 AND employee_id IN ",
                params![self.tenant, from, last],
            );
            query.list(employees.iter().copied()).push(" ORDER BY employee_id, on_date");
            found.extend(query.all::<ChoiceRow>(&mut self.conn).await?.into_iter().map(HolidayChoice::from));
        }
        Ok(found)
    }

    async fn insert(&mut self, choice: &HolidayChoice) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO holiday_choice (tenant_id, employee_id, on_date, chosen_at, chosen_by) \
                 VALUES ($1, $2, $3, $4, $5)",
                params![self.tenant, choice.employee_id, choice.on_date, choice.chosen_at, choice.chosen_by,],
            )
            .await?;
        Ok(())
    }

    async fn remove(&mut self, employee: EmployeeId, days: &[Date]) -> Result<(), StoreError> {
        for days in days.chunks(CHUNK) {
            let mut query = Query::new("DELETE FROM holiday_choice WHERE tenant_id = ");
            query.bind(self.tenant).push(" AND employee_id = ").bind(employee);
            query.push(" AND on_date IN ").list(days.iter().copied());
            query.execute(&mut self.conn).await?;
        }
        Ok(())
    }
}
