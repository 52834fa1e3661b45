//! What can be done with holiday calendars.

use jiff::civil::Date;

use super::file::alias;
use super::{
    AssignHolidayCalendar, CalendarAssignment, Holiday, HolidayCalendar, HolidayCalendarFilter,
    HolidayCalendarPatch, HolidayCalendarPeriods, HolidayCalendarSort, HolidayChange, HolidayError,
    HolidayFacts, HolidayOn, HolidayPatch, HolidayRevision, HolidaysAsOf, NewHoliday, NewHolidayCalendar,
    undone,
};
use crate::actor::Actor;
use crate::audit::Change;
use crate::error::{CommonError, StoreError};
use crate::event::{NewEvent, subject};
use crate::hrms::{Hrms, Work};
use crate::id::{HolidayCalendarId, LocationId};
use crate::leave::{RecountCause, RecountLeave, Whose, last_of};
use crate::page::{Page, PageRequest, Position};
use crate::period::{Period, assign};
use crate::policy::{Permission, Resource};
use crate::store::{Tx, Version};
use crate::validate::{Check, FIRST_DATE, LAST_DATE};

/// What can be done with holiday calendars.
#[derive(Clone, Copy, Debug)]
pub struct HolidayService<'a>(pub(super) &'a Hrms);

impl Hrms {
    /// Holiday calendars, and which locations have which when.
    #[must_use]
    pub fn holidays(&self) -> HolidayService<'_> {
        HolidayService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "holiday calendar" };
const NO_HOLIDAY: CommonError = CommonError::NotFound { what: "holiday" };
const NO_REVISION: CommonError = CommonError::NotFound { what: "revision" };
const NO_LOCATION: CommonError = CommonError::NotFound { what: "location" };

/// A day of a calendar that is to be something else.
pub(super) struct Edit {
    pub(super) on_date: Date,
    pub(super) before: Option<Holiday>,
    pub(super) after: Option<HolidayFacts>,
}

impl HolidayService<'_> {
    /// One calendar.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(&self, actor: &Actor, id: HolidayCalendarId) -> Result<HolidayCalendar, HolidayError> {
        self.may_read(actor)?;
        let mut tx = self.0.read(actor).await?;
        Ok(tx.holidays().get(id).await?.ok_or(NOT_FOUND)?)
    }

    /// A page of calendars.
    ///
    /// # Errors
    /// When they may not be seen.
    pub async fn calendars(
        &self,
        actor: &Actor,
        filter: &HolidayCalendarFilter,
        page: &PageRequest<HolidayCalendarSort>,
    ) -> Result<Page<HolidayCalendar>, HolidayError> {
        self.may_read(actor)?;
        let mut tx = self.0.read(actor).await?;
        let rows = tx.holidays().list(filter, page).await?;
        Ok(Page::from_rows(rows, page.limit, |last| Position {
            key: match page.sort {
                HolidayCalendarSort::Name => last.name.clone(),
                HolidayCalendarSort::Code => last.code.clone(),
            },
            id: last.id.as_uuid(),
        }))
    }

    /// Adds a calendar.
    ///
    /// # Errors
    /// [`HolidayError::CodeTaken`]; faulty fields.
    pub async fn create(
        &self,
        actor: &Actor,
        new: NewHolidayCalendar,
    ) -> Result<HolidayCalendar, HolidayError> {
        self.may_manage(actor)?;
        let mut work = self.0.begin(actor).await?;
        let calendar = HolidayCalendar {
            id: HolidayCalendarId::from_uuid(self.0.ids().next()),
            code: new.code,
            name: new.name,
            revision: 0,
            created_at: work.now(),
            updated_at: work.now(),
            version: Version::FIRST,
        };
        check(&calendar)?;
        work.holidays().insert(&calendar).await?;
        work.emit(calendar_event("holiday_calendar.created", &calendar, Change::created(&calendar)));
        Ok(work.commit(calendar).await?)
    }

    /// Changes code and name of a calendar that is still at version `expected`.
    ///
    /// # Errors
    /// [`CommonError::Stale`]; [`HolidayError::CodeTaken`]; faulty fields.
    pub async fn change(
        &self,
        actor: &Actor,
        id: HolidayCalendarId,
        expected: Version,
        patch: HolidayCalendarPatch,
    ) -> Result<HolidayCalendar, HolidayError> {
        self.may_manage(actor)?;
        let mut work = self.0.begin(actor).await?;
        let before = work.holidays().get(id).await?.ok_or(NOT_FOUND)?;
        if before.version != expected {
            return Err(CommonError::Stale.into());
        }
        let mut calendar = before.clone();
        patch.code.required("/code", &mut calendar.code)?;
        patch.name.required("/name", &mut calendar.name)?;
        if calendar == before {
            return Ok(work.commit(calendar).await?);
        }
        check(&calendar)?;
        calendar.updated_at = work.now();
        calendar.version = expected.next();
        work.holidays().update(&calendar, expected).await?;
        let change = Change::changed(&before, &calendar);
        work.emit(calendar_event("holiday_calendar.changed", &calendar, change));
        Ok(work.commit(calendar).await?)
    }

    /// Removes a calendar that never had a holiday, that no location has or had, and that is still at version `expected`.
    ///
    /// # Errors
    /// [`HolidayError::InUse`]; [`CommonError::Stale`].
    pub async fn remove_calendar(
        &self,
        actor: &Actor,
        id: HolidayCalendarId,
        expected: Version,
    ) -> Result<(), HolidayError> {
        self.may_manage(actor)?;
        let mut work = self.0.begin(actor).await?;
        let calendar = work.holidays().get(id).await?.ok_or(NOT_FOUND)?;
        match work.holidays().remove(id, expected).await {
            Err(StoreError::Conflict { .. }) => return Err(HolidayError::InUse),
            other => other?,
        }
        work.emit(calendar_event("holiday_calendar.removed", &calendar, Change::removed(&calendar)));
        Ok(work.commit(()).await?)
    }

    /// The holidays of a calendar, by date, optionally from a date and up to a date (both included).
    ///
    /// # Errors
    /// When the calendar isn't there or may not be seen.
    pub async fn list(
        &self,
        actor: &Actor,
        id: HolidayCalendarId,
        from: Option<Date>,
        last: Option<Date>,
    ) -> Result<Vec<Holiday>, HolidayError> {
        self.may_read(actor)?;
        let mut tx = self.0.read(actor).await?;
        tx.holidays().get(id).await?.ok_or(NOT_FOUND)?;
        let (from, last) = (from.unwrap_or(FIRST_DATE), last.unwrap_or(LAST_DATE));
        Ok(tx.holidays().holidays(id, from, last).await?)
    }

    /// One holiday.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn on(&self, actor: &Actor, id: HolidayCalendarId, on: Date) -> Result<Holiday, HolidayError> {
        self.may_read(actor)?;
        let mut tx = self.0.read(actor).await?;
        Ok(holiday_on(&mut *tx, id, on).await?.ok_or(NO_HOLIDAY)?)
    }

    /// Adds a holiday. Requests about the day are counted anew by a job.
    ///
    /// # Errors
    /// [`HolidayError::DayTaken`]; faulty fields.
    pub async fn add(
        &self,
        actor: &Actor,
        id: HolidayCalendarId,
        new: NewHoliday,
    ) -> Result<Holiday, HolidayError> {
        self.may_manage(actor)?;
        let facts = HolidayFacts {
            name: new.name,
            kind: new.kind,
            repeats: new.repeats,
            observed_for: new.observed_for,
            uid: self.0.ids().next().to_string(),
        };
        check_holiday(new.on_date, &facts)?;
        let (mut work, calendar) = self.open(actor, id).await?;
        if holiday_on(&mut *work, id, new.on_date).await?.is_some() {
            return Err(HolidayError::DayTaken);
        }
        let edit = Edit { on_date: new.on_date, before: None, after: Some(facts) };
        self.edit(&mut work, calendar, vec![edit]).await?;
        let holiday = holiday_on(&mut *work, id, new.on_date).await?.ok_or(NO_HOLIDAY)?;
        Ok(work.commit(holiday).await?)
    }

    /// Changes a holiday that is still at version `expected`; another date moves it. Requests about the days are counted anew
    /// by a job.
    ///
    /// # Errors
    /// [`CommonError::Stale`]; [`HolidayError::DayTaken`]; faulty fields.
    pub async fn change_holiday(
        &self,
        actor: &Actor,
        id: HolidayCalendarId,
        on: Date,
        expected: Version,
        patch: HolidayPatch,
    ) -> Result<Holiday, HolidayError> {
        self.may_manage(actor)?;
        let (mut work, calendar) = self.open(actor, id).await?;
        let before = holiday_on(&mut *work, id, on).await?.ok_or(NO_HOLIDAY)?;
        if before.version != expected {
            return Err(CommonError::Stale.into());
        }
        let (mut day, mut facts) = (on, before.facts.clone());
        patch.on_date.required("/on_date", &mut day)?;
        patch.name.required("/name", &mut facts.name)?;
        patch.kind.required("/kind", &mut facts.kind)?;
        patch.repeats.required("/repeats", &mut facts.repeats)?;
        patch.observed_for.apply(&mut facts.observed_for);
        check_holiday(day, &facts)?;
        if day == on && facts == before.facts {
            return Ok(work.commit(before).await?);
        }
        let mut edits = vec![Edit { on_date: on, before: Some(before.clone()), after: Some(facts.clone()) }];
        if day != on {
            if holiday_on(&mut *work, id, day).await?.is_some() {
                return Err(HolidayError::DayTaken);
            }
            edits = with_substitute(&mut *work, before).await?;
            edits.retain(|edit| edit.on_date != day);
            edits.push(Edit { on_date: day, before: None, after: Some(facts) });
        }
        self.edit(&mut work, calendar, edits).await?;
        let holiday = holiday_on(&mut *work, id, day).await?.ok_or(NO_HOLIDAY)?;
        Ok(work.commit(holiday).await?)
    }

    /// Removes a holiday, and the substitute that was made for it. Requests about the day are counted anew by a job.
    ///
    /// # Errors
    /// When it isn't there.
    pub async fn remove(&self, actor: &Actor, id: HolidayCalendarId, on: Date) -> Result<(), HolidayError> {
        self.may_manage(actor)?;
        let (mut work, calendar) = self.open(actor, id).await?;
        let before = holiday_on(&mut *work, id, on).await?.ok_or(NO_HOLIDAY)?;
        let edits = with_substitute(&mut *work, before).await?;
        self.edit(&mut work, calendar, edits).await?;
        Ok(work.commit(()).await?)
    }

    /// What was done to the holidays of a calendar, newest first.
    ///
    /// # Errors
    /// When the calendar isn't there or may not be seen.
    pub async fn revisions(
        &self,
        actor: &Actor,
        id: HolidayCalendarId,
    ) -> Result<Vec<HolidayRevision>, HolidayError> {
        self.may_read(actor)?;
        let mut tx = self.0.read(actor).await?;
        tx.holidays().get(id).await?.ok_or(NOT_FOUND)?;
        Ok(tx.holidays().revisions(id, 0).await?)
    }

    /// A calendar as of one of its revisions.
    ///
    /// # Errors
    /// When there is no such revision, or it may not be seen.
    pub async fn as_of(
        &self,
        actor: &Actor,
        id: HolidayCalendarId,
        revision: i64,
    ) -> Result<HolidaysAsOf, HolidayError> {
        self.may_read(actor)?;
        let mut tx = self.0.read(actor).await?;
        tx.holidays().get(id).await?.ok_or(NOT_FOUND)?;
        let before = revision.checked_sub(1).ok_or(NO_REVISION)?;
        let mut later = tx.holidays().revisions(id, before).await?;
        let revision = later.pop().filter(|last| last.revision == revision).ok_or(NO_REVISION)?;
        let now = tx.holidays().holidays(id, FIRST_DATE, LAST_DATE).await?;
        let days = undone(now.into_iter().map(|one| (one.on_date, one.facts)), &later);
        let holidays = days.into_iter().map(|(on_date, facts)| HolidayOn { on_date, facts }).collect();
        Ok(HolidaysAsOf { revision, holidays })
    }

    /// The calendars that a location had, has and will have, oldest first.
    ///
    /// # Errors
    /// When the location isn't there or may not be seen.
    pub async fn of_location(
        &self,
        actor: &Actor,
        location: LocationId,
    ) -> Result<HolidayCalendarPeriods, HolidayError> {
        self.may_read(actor)?;
        let mut tx = self.0.read(actor).await?;
        tx.locations().get(location).await?.ok_or(NO_LOCATION)?;
        let all = tx.holidays().of_locations(&[location]).await?.remove(&location);
        Ok(HolidayCalendarPeriods::of(&all.unwrap_or_default()))
    }

    /// Gives a location a calendar for a period; what it had for days of that period, it loses. Requests of those who work there
    /// are counted anew by a job.
    ///
    /// # Errors
    /// Faulty fields, an unknown calendar among them.
    pub async fn assign_to_location(
        &self,
        actor: &Actor,
        location: LocationId,
        new: AssignHolidayCalendar,
    ) -> Result<HolidayCalendarPeriods, HolidayError> {
        self.may_manage(actor)?;
        let mut check = Check::new();
        let period = check.period("/from", new.from, "/to", new.to);
        check.done()?;
        let period = period.unwrap_or(Period::since(new.from));
        let mut work = self.0.begin(actor).await?;
        work.work_patterns().lock_working_days().await?;
        work.locations().get(location).await?.ok_or(NO_LOCATION)?;
        if let Some(calendar) = new.holiday_calendar_id
            && work.holidays().get(calendar).await?.is_none()
        {
            return Err(CommonError::unknown_reference("/holiday_calendar_id").into());
        }
        let before = work.holidays().of_locations(&[location]).await?.remove(&location).unwrap_or_default();
        let pairs = before.iter().map(|one| (one.holiday_calendar_id, one.period)).collect();
        let all: Vec<CalendarAssignment> = assign(pairs, new.holiday_calendar_id, period)
            .into_iter()
            .map(|(holiday_calendar_id, period)| CalendarAssignment { holiday_calendar_id, period })
            .collect();
        let shown = HolidayCalendarPeriods::of(&all);
        if all != before {
            work.holidays().replace_of_location(location, &all).await?;
            let because = RecountCause::LocationHolidayCalendar { location_id: location };
            let (whose, from, last) = (Whose::Locations(vec![location]), period.from(), last_of(period));
            work.recount_leave(&RecountLeave { whose, from, last, because }).await?;
            work.emit(NewEvent {
                kind: "location.holiday-calendar-assigned",
                subject: subject("locations", location.as_uuid()),
                data: serde_json::json!({ "location_id": location, "from": new.from }),
                change: Change::changed(&HolidayCalendarPeriods::of(&before), &shown),
                permission: Permission::LocationRead,
                resource: Resource::organization(),
            });
        }
        Ok(work.commit(shown).await?)
    }

    pub(super) fn may_read(&self, actor: &Actor) -> Result<(), CommonError> {
        self.0.require(actor, Permission::LocationRead, &Resource::organization())
    }

    pub(super) fn may_manage(&self, actor: &Actor) -> Result<(), CommonError> {
        self.0.require(actor, Permission::LocationManage, &Resource::organization())
    }

    /// A calendar whose holidays nobody else changes until the unit of work ends.
    pub(super) async fn open(
        &self,
        actor: &Actor,
        id: HolidayCalendarId,
    ) -> Result<(Work, HolidayCalendar), HolidayError> {
        let mut work = self.0.begin(actor).await?;
        work.work_patterns().lock_working_days().await?;
        let calendar = work.holidays().get(id).await?.ok_or(NOT_FOUND)?;
        Ok((work, calendar))
    }

    /// Changes days of a calendar, as one revision. What they concern is counted anew by one job.
    pub(super) async fn edit(
        &self,
        work: &mut Work,
        mut calendar: HolidayCalendar,
        mut edits: Vec<Edit>,
    ) -> Result<HolidayCalendar, HolidayError> {
        edits.sort_by_key(|edit| edit.on_date);
        let (Some(first), Some(last)) = (edits.first(), edits.last()) else { return Ok(calendar) };
        let (from, last) = (first.on_date, last.on_date);
        let (id, now) = (calendar.id, work.now());
        let expected = calendar.version;
        calendar.revision += 1;
        calendar.updated_at = now;
        calendar.version = expected.next();
        work.holidays().update(&calendar, expected).await?;
        let (mut gone, mut written, mut changes) = (Vec::new(), Vec::new(), Vec::new());
        for edit in edits {
            let before = edit.before.as_ref();
            let after = edit.after.clone().map(|facts| Holiday {
                holiday_calendar_id: id,
                on_date: edit.on_date,
                facts,
                created_at: before.map_or(now, |before| before.created_at),
                updated_at: now,
                version: before.map_or(Version::FIRST, |before| before.version.next()),
            });
            let (kind, change) = match (before, &after) {
                (None, Some(after)) => ("holiday.added", Change::created(after)),
                (Some(before), Some(after)) => ("holiday.changed", Change::changed(before, after)),
                (Some(before), None) => ("holiday.removed", Change::removed(before)),
                (None, None) => continue,
            };
            work.emit(event(kind, id, edit.on_date, change));
            if after.is_none() {
                gone.push(edit.on_date);
            }
            written.extend(after);
            let before = edit.before.map(|before| before.facts);
            changes.push(HolidayChange { on_date: edit.on_date, before, after: edit.after });
        }
        work.holidays().remove_days(id, &gone).await?;
        work.holidays().put(&written).await?;
        let (revision, changed_by) = (calendar.revision, work.actor().user_id());
        let entry = HolidayRevision { revision, changed_at: now, changed_by, changes };
        work.holidays().add_revision(id, &entry).await?;
        let locations = work.holidays().locations_with(id, from, last).await?;
        if !locations.is_empty() {
            let because = RecountCause::HolidayCalendar { holiday_calendar_id: id, revision };
            let whose = Whose::Locations(locations);
            work.recount_leave(&RecountLeave { whose, from, last, because }).await?;
        }
        Ok(calendar)
    }
}

async fn holiday_on(tx: &mut dyn Tx, id: HolidayCalendarId, on: Date) -> Result<Option<Holiday>, StoreError> {
    Ok(tx.holidays().holidays(id, on, on).await?.pop())
}

/// What takes a holiday away, and with it the substitute that was made for it.
async fn with_substitute(tx: &mut dyn Tx, holiday: Holiday) -> Result<Vec<Edit>, StoreError> {
    let all = tx.holidays().holidays(holiday.holiday_calendar_id, FIRST_DATE, LAST_DATE).await?;
    let made_for = |one: &Holiday| {
        one.facts.observed_for == Some(holiday.on_date)
            && one.facts.uid == alias(&holiday.facts.uid, one.on_date)
    };
    let substitutes: Vec<Holiday> = all.into_iter().filter(made_for).collect();
    let gone = std::iter::once(holiday).chain(substitutes);
    Ok(gone.map(|one| Edit { on_date: one.on_date, before: Some(one), after: None }).collect())
}

fn check(calendar: &HolidayCalendar) -> Result<(), CommonError> {
    let mut check = Check::new();
    check.code("/code", &calendar.code);
    check.text("/name", &calendar.name, 1..=200);
    check.done()
}

pub(super) fn check_holiday(on: Date, facts: &HolidayFacts) -> Result<(), CommonError> {
    let mut check = Check::new();
    check.date("/on_date", on);
    check.text("/name", &facts.name, 1..=200);
    if let Some(date) = facts.observed_for {
        check.date("/observed_for", date);
        if date == on {
            check.fault("/observed_for", "contradicts", "a day is no substitute for itself");
        }
    }
    check.done()
}

fn event(kind: &'static str, calendar: HolidayCalendarId, on: Date, change: Change) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("holiday-calendars", calendar.as_uuid()),
        data: serde_json::json!({ "holiday_calendar_id": calendar, "on_date": on }),
        change,
        permission: Permission::LocationRead,
        resource: Resource::organization(),
    }
}

fn calendar_event(kind: &'static str, calendar: &HolidayCalendar, change: Change) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("holiday-calendars", calendar.id.as_uuid()),
        data: serde_json::json!({ "holiday_calendar_id": calendar.id }),
        change,
        permission: Permission::LocationRead,
        resource: Resource::organization(),
    }
}
