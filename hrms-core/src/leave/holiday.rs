//! Holidays of a location: the thin beginning of holiday calendars.

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::audit::{Audited, Change};
use crate::error::{CommonError, StoreError};
use crate::event::{NewEvent, subject};
use crate::hrms::Hrms;
use crate::id::LocationId;
use crate::leave::{LeaveError, RecountCause, RecountLeave, Whose};
use crate::policy::{Permission, Resource};
use crate::validate::{Check, FIRST_DATE, LAST_DATE};

/// A day on which a location doesn't work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Holiday {
    /// Where.
    pub location_id: LocationId,
    /// When; one holiday a day.
    pub on_date: Date,
    /// Name shown to people.
    pub name: String,
    /// When it was recorded.
    pub created_at: Timestamp,
}

impl Audited for Holiday {}

/// What a new holiday needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewHoliday {
    /// The day.
    #[serde(deserialize_with = "crate::date::strict")]
    pub on_date: Date,
    /// Name shown to people, at most 200 characters.
    pub name: String,
}

/// Holidays in storage.
#[async_trait]
pub trait HolidayRepo: Send {
    /// The holidays of these locations from `from` to `last`, both included, by date.
    async fn between(
        &mut self,
        locations: &[LocationId],
        from: Date,
        last: Date,
    ) -> Result<Vec<Holiday>, StoreError>;
    /// Adds a holiday; `holiday_pkey` allows one a day and location.
    async fn insert(&mut self, holiday: &Holiday) -> Result<(), StoreError>;
    /// Removes a holiday; whether it was there.
    async fn remove(&mut self, location: LocationId, on: Date) -> Result<bool, StoreError>;
}

/// What can be done with holidays.
#[derive(Clone, Copy, Debug)]
pub struct HolidayService<'a>(&'a Hrms);

impl Hrms {
    /// Holidays of locations.
    #[must_use]
    pub fn holidays(&self) -> HolidayService<'_> {
        HolidayService(self)
    }
}

const NO_HOLIDAY: CommonError = CommonError::NotFound { what: "holiday" };
const NO_LOCATION: CommonError = CommonError::NotFound { what: "location" };

impl HolidayService<'_> {
    /// The holidays of a location, by date, optionally from a date and up to a date (both included).
    ///
    /// # Errors
    /// When the location isn't there or may not be seen.
    pub async fn list(
        &self,
        actor: &Actor,
        location: LocationId,
        from: Option<Date>,
        last: Option<Date>,
    ) -> Result<Vec<Holiday>, LeaveError> {
        self.0.require(actor, Permission::LocationRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        tx.locations().get(location).await?.ok_or(NO_LOCATION)?;
        let (from, last) = (from.unwrap_or(FIRST_DATE), last.unwrap_or(LAST_DATE));
        Ok(tx.holidays().between(&[location], from, last).await?)
    }

    /// Adds a holiday. Requests about the day are counted anew by a job.
    ///
    /// # Errors
    /// [`LeaveError::HolidayTaken`]; faulty fields.
    pub async fn add(
        &self,
        actor: &Actor,
        location: LocationId,
        new: NewHoliday,
    ) -> Result<Holiday, LeaveError> {
        self.0.require(actor, Permission::LocationManage, &Resource::organization())?;
        let mut check = Check::new();
        check.date("/on_date", new.on_date);
        check.text("/name", &new.name, 1..=200);
        check.done()?;
        let mut work = self.0.begin(actor).await?;
        work.work_patterns().lock_working_days().await?;
        work.locations().get(location).await?.ok_or(NO_LOCATION)?;
        let holiday =
            Holiday { location_id: location, on_date: new.on_date, name: new.name, created_at: work.now() };
        work.holidays().insert(&holiday).await?;
        work.recount_leave(&recount(location, new.on_date)).await?;
        work.emit(event("holiday.added", location, new.on_date, Change::created(&holiday)));
        Ok(work.commit(holiday).await?)
    }

    /// Removes a holiday. Requests about the day are counted anew by a job.
    ///
    /// # Errors
    /// When it isn't there.
    pub async fn remove(&self, actor: &Actor, location: LocationId, on: Date) -> Result<(), LeaveError> {
        self.0.require(actor, Permission::LocationManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        work.work_patterns().lock_working_days().await?;
        let holiday = work.holidays().between(&[location], on, on).await?.pop().ok_or(NO_HOLIDAY)?;
        if !work.holidays().remove(location, on).await? {
            return Err(NO_HOLIDAY.into());
        }
        work.recount_leave(&recount(location, on)).await?;
        work.emit(event("holiday.removed", location, on, Change::removed(&holiday)));
        Ok(work.commit(()).await?)
    }
}

fn recount(location: LocationId, on: Date) -> RecountLeave {
    let because = RecountCause::Holiday { location_id: location, on_date: on };
    RecountLeave { whose: Whose::Locations(vec![location]), from: on, last: on, because }
}

fn event(kind: &'static str, location: LocationId, on: Date, change: Change) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("holiday-calendars", location.as_uuid()),
        data: serde_json::json!({ "location_id": location, "on_date": on }),
        change,
        permission: Permission::LocationRead,
        resource: Resource::organization(),
    }
}
