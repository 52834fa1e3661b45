//! Holiday calendars: which days are holidays, and where.
//!
//! A *calendar* is shared: it is assigned to locations from a day on, as working patterns are, so that forty offices in one
//! state have their holidays entered once. A location has one calendar on a day. What is done to a calendar's holidays is
//! a *revision*, kept for ever: the calendar as of any of them can be shown. Leave that a change concerns is counted anew
//! ([`RecountLeave`](crate::leave::RecountLeave)).

mod choice;
mod error;
mod file;
mod observed;
mod service;
mod transfer;

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::audit::Audited;
use crate::employment::coded;
use crate::error::StoreError;
use crate::id::{HolidayCalendarId, LocationId, UserId};
use crate::page::PageRequest;
use crate::patch::Patch;
use crate::period::Period;
use crate::store::{Version, Versioned};

pub use choice::{
    ChooseHoliday, HolidayChoice, HolidayChoiceLimit, HolidayChoiceLimits, HolidayChoiceRepo, HolidayChoices,
    RestrictedHoliday, SetHolidayChoiceLimit,
};
pub use error::HolidayError;
pub use file::{HolidayFileFault, HolidayFormat};
pub use observed::{Observe, observed_on};
pub use service::HolidayService;
pub use transfer::{CopyHolidays, HolidayAction, HolidayPlan, HolidayRow, ImportHolidays};

/// Holidays that are shared by some locations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HolidayCalendar {
    /// Its id.
    pub id: HolidayCalendarId,
    /// The organisation's own short name for it; unique.
    pub code: String,
    /// Name shown to people.
    pub name: String,
    /// Counts what was done to its holidays.
    pub revision: i64,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Audited for HolidayCalendar {}

impl Versioned for HolidayCalendar {
    fn version(&self) -> Version {
        self.version
    }
}

coded! {
    /// What kind of holiday it is.
    #[derive(Default)]
    HolidayKind {
        /// Everybody there is off by law.
        #[default]
        Public = "public",
        /// Everybody there is off because the organisation says so.
        Company = "company",
        /// Off for whoever chooses it: a working day for everybody else.
        Restricted = "restricted",
    }
}

coded! {
    /// When a holiday comes again.
    #[derive(Default)]
    Repeats {
        /// On the same date each year.
        FixedDate = "fixed_date",
        /// On another date each year, by the moon or by Easter, or it isn't known.
        #[default]
        Movable = "movable",
    }
}

/// What is said of a holiday.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HolidayFacts {
    /// Name shown to people.
    pub name: String,
    /// What kind of holiday it is.
    pub kind: HolidayKind,
    /// When it comes again.
    pub repeats: Repeats,
    /// The date for which this day is a substitute, since it fell on a day off.
    pub observed_for: Option<Date>,
    /// By what other calendars know it; several days of one holiday share it.
    pub uid: String,
}

/// A day on which the locations of a calendar don't work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Holiday {
    /// The calendar.
    pub holiday_calendar_id: HolidayCalendarId,
    /// When; one holiday a day.
    pub on_date: Date,
    /// What is said of it.
    #[serde(flatten)]
    pub facts: HolidayFacts,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Audited for Holiday {}

impl Versioned for Holiday {
    fn version(&self) -> Version {
        self.version
    }
}

/// A holiday of a location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolidayThere {
    /// Where.
    pub location_id: LocationId,
    /// The calendar that the location has on that day.
    pub holiday_calendar_id: HolidayCalendarId,
    /// When.
    pub on_date: Date,
    /// Its name.
    pub name: String,
    /// What kind of holiday it is.
    pub kind: HolidayKind,
}

/// What was done to one day of a calendar.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HolidayChange {
    /// The day.
    pub on_date: Date,
    /// What was there; `null` when it was no holiday.
    pub before: Option<HolidayFacts>,
    /// What is there now; `null` when it is no holiday any more.
    pub after: Option<HolidayFacts>,
}

/// What was done to the holidays of a calendar at once. Never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HolidayRevision {
    /// Its number.
    pub revision: i64,
    /// When.
    pub changed_at: Timestamp,
    /// The user who did it, if a user did.
    pub changed_by: Option<UserId>,
    /// The days, by date.
    pub changes: Vec<HolidayChange>,
}

/// A holiday of a calendar as it was once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HolidayOn {
    /// When.
    pub on_date: Date,
    /// What was said of it.
    #[serde(flatten)]
    pub facts: HolidayFacts,
}

/// A calendar as of one of its revisions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HolidaysAsOf {
    /// The revision.
    #[serde(flatten)]
    pub revision: HolidayRevision,
    /// Every holiday as of it, by date.
    pub holidays: Vec<HolidayOn>,
}

/// The holidays of a calendar before some revisions, newest first, were made.
#[must_use]
pub fn undone<'a>(
    now: impl IntoIterator<Item = (Date, HolidayFacts)>,
    later: impl IntoIterator<Item = &'a HolidayRevision>,
) -> BTreeMap<Date, HolidayFacts> {
    let mut days: BTreeMap<Date, HolidayFacts> = now.into_iter().collect();
    for change in later.into_iter().flat_map(|revision| &revision.changes) {
        match &change.before {
            Some(facts) => days.insert(change.on_date, facts.clone()),
            None => days.remove(&change.on_date),
        };
    }
    days
}

/// What a new calendar needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewHolidayCalendar {
    /// The organisation's own short name for it; unique, at most 64 characters.
    pub code: String,
    /// Name shown to people, at most 200 characters.
    pub name: String,
}

/// What can be changed of a calendar itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct HolidayCalendarPatch {
    /// New code.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub code: Patch<String>,
    /// New name.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Patch<String>,
}

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
    /// What kind of holiday it is.
    #[serde(default)]
    pub kind: HolidayKind,
    /// When it comes again.
    #[serde(default)]
    pub repeats: Repeats,
    /// The date for which this day is a substitute.
    #[serde(default, deserialize_with = "crate::date::strict")]
    pub observed_for: Option<Date>,
}

/// What can be changed of a holiday. Another date moves it.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct HolidayPatch {
    /// Another day.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Date>))]
    pub on_date: Patch<Date>,
    /// New name.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Patch<String>,
    /// Another kind.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<HolidayKind>))]
    pub kind: Patch<HolidayKind>,
    /// When it comes again.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Repeats>))]
    pub repeats: Patch<Repeats>,
    /// The date for which this day is a substitute.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Date>))]
    pub observed_for: Patch<Date>,
}

/// A calendar that a location has during a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CalendarAssignment {
    /// The calendar.
    pub holiday_calendar_id: HolidayCalendarId,
    /// When.
    pub period: Period,
}

/// A calendar that a location has during a period, as shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HolidayCalendarPeriod {
    /// The calendar.
    pub holiday_calendar_id: HolidayCalendarId,
    /// First day.
    pub from: Date,
    /// First day after it; `null` until further notice.
    pub to: Option<Date>,
}

/// The calendars that a location had, has and will have, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HolidayCalendarPeriods {
    /// The calendars.
    pub items: Vec<HolidayCalendarPeriod>,
}

impl HolidayCalendarPeriods {
    fn of(assignments: &[CalendarAssignment]) -> Self {
        let show = |one: &CalendarAssignment| HolidayCalendarPeriod {
            holiday_calendar_id: one.holiday_calendar_id,
            from: one.period.from(),
            to: one.period.to(),
        };
        Self { items: assignments.iter().map(show).collect() }
    }
}

impl Audited for HolidayCalendarPeriods {}

/// Gives a location a calendar for a period.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AssignHolidayCalendar {
    /// The calendar; `null` for none: no day is a holiday then.
    // Said, not left out: forgetting it is no way to take a calendar away.
    #[serde(deserialize_with = "Option::deserialize")]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub holiday_calendar_id: Option<HolidayCalendarId>,
    /// First day.
    #[serde(deserialize_with = "crate::date::strict")]
    pub from: Date,
    /// First day after it; until further notice when absent.
    #[serde(default, deserialize_with = "crate::date::strict")]
    pub to: Option<Date>,
}

/// Which calendars to list.
#[derive(Clone, Debug, Default)]
pub struct HolidayCalendarFilter {
    /// Only the one with this code.
    pub code: Option<String>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Orders of a list of calendars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HolidayCalendarSort {
    /// By name.
    #[default]
    Name,
    /// By code.
    Code,
}

/// Holiday calendars in storage. Changes of holidays happen under
/// [`lock_working_days`](crate::work_pattern::WorkPatternRepo::lock_working_days).
#[async_trait]
pub trait HolidayRepo: Send {
    /// The calendar with this id.
    async fn get(&mut self, id: HolidayCalendarId) -> Result<Option<HolidayCalendar>, StoreError>;
    /// Up to `limit + 1` calendars in the order asked for.
    async fn list(
        &mut self,
        filter: &HolidayCalendarFilter,
        page: &PageRequest<HolidayCalendarSort>,
    ) -> Result<Vec<HolidayCalendar>, StoreError>;
    /// Adds a calendar; `holiday_calendar_code_key` keeps codes unique.
    async fn insert(&mut self, calendar: &HolidayCalendar) -> Result<(), StoreError>;
    /// Writes a calendar if its stored version is still `expected`.
    async fn update(&mut self, calendar: &HolidayCalendar, expected: Version) -> Result<(), StoreError>;
    /// Removes a calendar that never had a holiday if its stored version is still `expected`.
    async fn remove(&mut self, id: HolidayCalendarId, expected: Version) -> Result<(), StoreError>;

    /// The holidays of a calendar from `from` to `last`, both included, by date.
    async fn holidays(
        &mut self,
        calendar: HolidayCalendarId,
        from: Date,
        last: Date,
    ) -> Result<Vec<Holiday>, StoreError>;
    /// Writes holidays, in the place of those that were there on the same day (`holiday_pkey`).
    async fn put(&mut self, holidays: &[Holiday]) -> Result<(), StoreError>;
    /// Removes the holidays of some days.
    async fn remove_days(&mut self, calendar: HolidayCalendarId, days: &[Date]) -> Result<(), StoreError>;
    /// Adds a revision; `holiday_revision_pkey` numbers them.
    async fn add_revision(
        &mut self,
        calendar: HolidayCalendarId,
        revision: &HolidayRevision,
    ) -> Result<(), StoreError>;
    /// The revisions of a calendar behind the one with this number, newest first.
    async fn revisions(
        &mut self,
        calendar: HolidayCalendarId,
        after: i64,
    ) -> Result<Vec<HolidayRevision>, StoreError>;

    /// The holidays of these locations from `from` to `last`, both included, by date: each day by the calendar that the
    /// location has on it.
    async fn between(
        &mut self,
        locations: &[LocationId],
        from: Date,
        last: Date,
    ) -> Result<Vec<HolidayThere>, StoreError>;
    /// The calendars that these locations have over all time, oldest first; those without any are absent.
    async fn of_locations(
        &mut self,
        locations: &[LocationId],
    ) -> Result<HashMap<LocationId, Vec<CalendarAssignment>>, StoreError>;
    /// The locations that have a calendar on some day from `from` to `last`, both included.
    async fn locations_with(
        &mut self,
        calendar: HolidayCalendarId,
        from: Date,
        last: Date,
    ) -> Result<Vec<LocationId>, StoreError>;
    /// Replaces the calendars of a location; `location_holiday_calendar_no_overlap` keeps periods apart (P22).
    async fn replace_of_location(
        &mut self,
        location: LocationId,
        assignments: &[CalendarAssignment],
    ) -> Result<(), StoreError>;
}
