//! Holiday calendars in SQL, and which locations have which when.

mod choice;

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::civil::Date;
use serde_json::Value;
use sqlx::FromRow;
use uuid::Uuid;

use hrms_core::holiday::{
    CalendarAssignment, Holiday, HolidayCalendar, HolidayCalendarFilter, HolidayCalendarSort, HolidayFacts,
    HolidayKind, HolidayRepo, HolidayRevision, HolidayThere, Repeats,
};
use hrms_core::{HolidayCalendarId, LocationId, PageRequest, StoreError, UserId, Version};

use crate::instant::Instant;
use crate::query::{CHUNK, Query, insert_many, params};
use crate::sql::{SqlTx, corrupt, period};

const HOLIDAY: &str = "holiday";
const REVISION: &str = "holiday_revision";

#[derive(FromRow)]
struct CalendarRow {
    id: Uuid,
    code: String,
    name: String,
    revision: i64,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

impl From<CalendarRow> for HolidayCalendar {
    fn from(row: CalendarRow) -> Self {
        Self {
            id: HolidayCalendarId::from_uuid(row.id),
            code: row.code,
            name: row.name,
            revision: row.revision,
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        }
    }
}

#[derive(FromRow)]
struct HolidayRow {
    calendar_id: Uuid,
    on_date: jiff_sqlx::Date,
    name: String,
    kind: String,
    repeats: String,
    observed_for: Option<jiff_sqlx::Date>,
    uid: String,
    created_at: Instant,
    updated_at: Instant,
    version: i64,
}

fn kind(code: &str) -> Result<HolidayKind, StoreError> {
    HolidayKind::from_code(code).ok_or_else(|| corrupt(HOLIDAY, format!("kind {code}")))
}

impl TryFrom<HolidayRow> for Holiday {
    type Error = StoreError;

    fn try_from(row: HolidayRow) -> Result<Self, StoreError> {
        let repeats = Repeats::from_code(&row.repeats);
        Ok(Self {
            holiday_calendar_id: HolidayCalendarId::from_uuid(row.calendar_id),
            on_date: row.on_date.to_jiff(),
            facts: HolidayFacts {
                name: row.name,
                kind: kind(&row.kind)?,
                repeats: repeats.ok_or_else(|| corrupt(HOLIDAY, format!("repeats {}", row.repeats)))?,
                observed_for: row.observed_for.map(jiff_sqlx::Date::to_jiff),
                uid: row.uid,
            },
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            version: Version::from_i64(row.version),
        })
    }
}

#[derive(FromRow)]
struct RevisionRow {
    revision: i64,
    changed_at: Instant,
    changed_by: Option<Uuid>,
    changes: Value,
}

#[derive(FromRow)]
struct ThereRow {
    location_id: Uuid,
    calendar_id: Uuid,
    on_date: jiff_sqlx::Date,
    name: String,
    kind: String,
}

#[derive(FromRow)]
struct AssignmentRow {
    location_id: Uuid,
    calendar_id: Uuid,
    valid_from: jiff_sqlx::Date,
    valid_to: Option<jiff_sqlx::Date>,
}

const SELECT: &str = "SELECT id, code, name, revision, created_at, updated_at, version FROM holiday_calendar \
                      WHERE tenant_id = ";

#[async_trait]
impl HolidayRepo for SqlTx {
    async fn get(&mut self, id: HolidayCalendarId) -> Result<Option<HolidayCalendar>, StoreError> {
        let mut query = Query::new(SELECT);
        query.bind(self.tenant).push(" AND id = ").bind(id);
        Ok(query.optional::<CalendarRow>(&mut self.conn).await?.map(Into::into))
    }

    async fn list(
        &mut self,
        filter: &HolidayCalendarFilter,
        page: &PageRequest<HolidayCalendarSort>,
    ) -> Result<Vec<HolidayCalendar>, StoreError> {
        let mut query = Query::new(SELECT);
        query.bind(self.tenant);
        query.and(" AND code = ", filter.code.as_deref());
        query.and(" AND updated_at >= ", filter.updated_after);
        let column = match page.sort {
            HolidayCalendarSort::Name => "name",
            HolidayCalendarSort::Code => "code",
        };
        query.page(column, "id", page, |key| key.into());
        Ok(query.all::<CalendarRow>(&mut self.conn).await?.into_iter().map(Into::into).collect())
    }

    async fn insert(&mut self, calendar: &HolidayCalendar) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO holiday_calendar (tenant_id, id, code, name, revision, created_at, updated_at, version) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                params![
                    self.tenant,
                    calendar.id,
                    calendar.code.as_str(),
                    calendar.name.as_str(),
                    calendar.revision,
                    calendar.created_at,
                    calendar.updated_at,
                    calendar.version,
                ],
            )
            .await?;
        Ok(())
    }

    async fn update(&mut self, calendar: &HolidayCalendar, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "UPDATE holiday_calendar SET code = $4, name = $5, revision = $6, updated_at = $7, version = $8 \
                 WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![
                    self.tenant,
                    calendar.id,
                    expected,
                    calendar.code.as_str(),
                    calendar.name.as_str(),
                    calendar.revision,
                    calendar.updated_at,
                    calendar.version,
                ],
            )
            .await
    }

    async fn remove(&mut self, id: HolidayCalendarId, expected: Version) -> Result<(), StoreError> {
        self.conn
            .execute_expecting_one(
                "DELETE FROM holiday_calendar WHERE tenant_id = $1 AND id = $2 AND version = $3",
                params![self.tenant, id, expected],
            )
            .await
    }

    async fn holidays(
        &mut self,
        calendar: HolidayCalendarId,
        from: Date,
        last: Date,
    ) -> Result<Vec<Holiday>, StoreError> {
        let rows: Vec<HolidayRow> = self
            .conn
            .all(
                "SELECT calendar_id, on_date, name, kind, repeats, observed_for, uid, created_at, updated_at, version \
                 FROM holiday WHERE tenant_id = $1 AND calendar_id = $2 AND on_date >= $3 AND on_date <= $4 \
                 ORDER BY on_date",
                params![self.tenant, calendar, from, last],
            )
            .await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    async fn put(&mut self, holidays: &[Holiday]) -> Result<(), StoreError> {
        let tenant = self.tenant;
        let rows = holidays.iter().map(|holiday| {
            let facts = &holiday.facts;
            params![
                tenant,
                holiday.holiday_calendar_id,
                holiday.on_date,
                facts.name.as_str(),
                facts.kind.code(),
                facts.repeats.code(),
                facts.observed_for,
                facts.uid.as_str(),
                holiday.created_at,
                holiday.updated_at,
                holiday.version,
            ]
        });
        insert_many(
            &mut self.conn,
            "INSERT INTO holiday (tenant_id, calendar_id, on_date, name, kind, repeats, observed_for, uid, created_at, \
             updated_at, version) VALUES ",
            rows.collect::<Vec<_>>(),
            " ON CONFLICT (tenant_id, calendar_id, on_date) DO UPDATE SET name = excluded.name, kind = excluded.kind, \
             repeats = excluded.repeats, observed_for = excluded.observed_for, uid = excluded.uid, \
             updated_at = excluded.updated_at, version = excluded.version",
        )
        .await?;
        Ok(())
    }

    async fn remove_days(&mut self, calendar: HolidayCalendarId, days: &[Date]) -> Result<(), StoreError> {
        for days in days.chunks(CHUNK) {
            let mut query = Query::new("DELETE FROM holiday WHERE tenant_id = ");
            query.bind(self.tenant).push(" AND calendar_id = ").bind(calendar);
            query.push(" AND on_date IN ").list(days.iter().copied());
            query.execute(&mut self.conn).await?;
        }
        Ok(())
    }

    async fn add_revision(
        &mut self,
        calendar: HolidayCalendarId,
        revision: &HolidayRevision,
    ) -> Result<(), StoreError> {
        let changes = serde_json::to_value(&revision.changes).map_err(|error| corrupt(REVISION, error))?;
        self.conn
            .execute(
                "INSERT INTO holiday_revision (tenant_id, calendar_id, revision, changed_at, changed_by, changes) \
                 VALUES ($1, $2, $3, $4, $5, $6)",
                params![
                    self.tenant,
                    calendar,
                    revision.revision,
                    revision.changed_at,
                    revision.changed_by,
                    changes,
                ],
            )
            .await?;
        Ok(())
    }

    async fn revisions(
        &mut self,
        calendar: HolidayCalendarId,
        after: i64,
    ) -> Result<Vec<HolidayRevision>, StoreError> {
        let rows: Vec<RevisionRow> = self
            .conn
            .all(
                "SELECT revision, changed_at, changed_by, changes FROM holiday_revision \
                 WHERE tenant_id = $1 AND calendar_id = $2 AND revision > $3 ORDER BY revision DESC",
                params![self.tenant, calendar, after],
            )
            .await?;
        let revision = |row: RevisionRow| {
            Ok(HolidayRevision {
                revision: row.revision,
                changed_at: row.changed_at.0,
                changed_by: row.changed_by.map(UserId::from_uuid),
                changes: serde_json::from_value(row.changes).map_err(|error| corrupt(REVISION, error))?,
            })
        };
        rows.into_iter().map(revision).collect()
    }

    async fn between(
        &mut self,
        locations: &[LocationId],
        from: Date,
        last: Date,
    ) -> Result<Vec<HolidayThere>, StoreError> {
        let mut found = Vec::new();
        for locations in locations.chunks(CHUNK) {
            let mut query = Query::new(
                "SELECT a.location_id, a.calendar_id, h.on_date, h.name, h.kind FROM location_holiday_calendar AS a JOIN holiday AS h \
                 ON h.tenant_id = a.tenant_id AND h.calendar_id = a.calendar_id AND h.on_date >= a.valid_from \
                 AND (a.valid_to IS NULL OR h.on_date < a.valid_to) WHERE a.tenant_id = ",
            );
            query.bind(self.tenant).push(" AND a.location_id IN ").list(locations.iter().copied());
            query.push(" AND h.on_date >= ").bind(from).push(" AND h.on_date <= ").bind(last);
            query.push(" ORDER BY h.on_date, a.location_id");
            for row in query.all::<ThereRow>(&mut self.conn).await? {
                found.push(HolidayThere {
                    location_id: LocationId::from_uuid(row.location_id),
                    holiday_calendar_id: HolidayCalendarId::from_uuid(row.calendar_id),
                    on_date: row.on_date.to_jiff(),
                    name: row.name,
                    kind: kind(&row.kind)?,
                });
            }
        }
        Ok(found)
    }

    async fn of_locations(
        &mut self,
        locations: &[LocationId],
    ) -> Result<HashMap<LocationId, Vec<CalendarAssignment>>, StoreError> {
        let mut found: HashMap<LocationId, Vec<CalendarAssignment>> = HashMap::new();
        for locations in locations.chunks(CHUNK) {
            let mut query = Query::with(
                "SELECT location_id, calendar_id, valid_from, valid_to FROM location_holiday_calendar \
                 WHERE tenant_id = $1 AND location_id IN ",
                params![self.tenant],
            );
            query.list(locations.iter().copied()).push(" ORDER BY valid_from");
            for row in query.all::<AssignmentRow>(&mut self.conn).await? {
                found.entry(LocationId::from_uuid(row.location_id)).or_default().push(CalendarAssignment {
                    holiday_calendar_id: HolidayCalendarId::from_uuid(row.calendar_id),
                    period: period("location_holiday_calendar", row.valid_from, row.valid_to)?,
                });
            }
        }
        Ok(found)
    }

    async fn locations_with(
        &mut self,
        calendar: HolidayCalendarId,
        from: Date,
        last: Date,
    ) -> Result<Vec<LocationId>, StoreError> {
        let rows: Vec<(Uuid,)> = self
            .conn
            .all(
                "SELECT DISTINCT location_id FROM location_holiday_calendar WHERE tenant_id = $1 AND calendar_id = $2 \
                 AND valid_from <= $4 AND (valid_to IS NULL OR valid_to > $3) ORDER BY location_id",
                params![self.tenant, calendar, from, last],
            )
            .await?;
        Ok(rows.into_iter().map(|(id,)| LocationId::from_uuid(id)).collect())
    }

    async fn replace_of_location(
        &mut self,
        location: LocationId,
        assignments: &[CalendarAssignment],
    ) -> Result<(), StoreError> {
        let tenant = self.tenant;
        self.conn
            .execute(
                "DELETE FROM location_holiday_calendar WHERE tenant_id = $1 AND location_id = $2",
                params![tenant, location],
            )
            .await?;
        let rows = assignments.iter().map(|one| {
            params![tenant, location, one.period.from(), one.period.to(), one.holiday_calendar_id]
        });
        insert_many(
            &mut self.conn,
            "INSERT INTO location_holiday_calendar (tenant_id, location_id, valid_from, valid_to, calendar_id) VALUES ",
            rows.collect::<Vec<_>>(),
            "",
        )
        .await?;
        Ok(())
    }
}
