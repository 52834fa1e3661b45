//! Restricted holidays: each employee chooses some of them, and they are holidays for that employee.
//!
//! A choice names a day. It counts while that day is a restricted holiday of the place where the employee works on it: when the
//! holiday is removed or the employee moves, it has lapsed, and counts again when that was a mistake. Leave is counted by the
//! same facts ([`RecountLeave`]).

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::{Date, date};
use serde::{Deserialize, Serialize};

use super::{HolidayError, HolidayKind, HolidayService, HolidayThere};
use crate::actor::Actor;
use crate::audit::{Audited, Change};
use crate::error::{CommonError, StoreError};
use crate::event::{NewEvent, subject};
use crate::hrms::Work;
use crate::id::{EmployeeId, HolidayCalendarId, UserId};
use crate::leave::{LeaveRefusal, RecountCause, RecountLeave, Standing, Whose};
use crate::policy::{Decision, Permission, Resource};
use crate::store::Tx;
use crate::validate::{Check, FIRST_DATE, LAST_DATE};

const NO_EMPLOYEE: CommonError = CommonError::NotFound { what: "employee" };
const HIDDEN_EMPLOYEE: CommonError = CommonError::Hidden { what: "employee" };
const NO_CHOICE: CommonError = CommonError::NotFound { what: "holiday choice" };
const NO_CALENDAR: CommonError = CommonError::NotFound { what: "holiday calendar" };

/// How many restricted holidays of a calendar each employee may choose in a year, from a year on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HolidayChoiceLimit {
    /// The first year of the calendar in which it holds; it does until the next limit.
    pub from_year: i16,
    /// The most that one employee may choose in a year.
    pub most: u16,
    /// Days between choosing and the holiday, at least.
    pub notice_days: u16,
}

/// The limits of a calendar, oldest first. Before the first one, nothing can be chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HolidayChoiceLimits {
    /// The limits.
    pub items: Vec<HolidayChoiceLimit>,
}

impl Audited for HolidayChoiceLimits {}

/// Says how many restricted holidays of a calendar each employee may choose in a year.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetHolidayChoiceLimit {
    /// The first year in which it holds; what was said for that year is replaced.
    pub from_year: i16,
    /// The most that one employee may choose in a year, up to 366.
    pub most: u16,
    /// Days between choosing and the holiday, at least; up to 366.
    #[serde(default)]
    pub notice_days: u16,
}

/// That an employee chose a restricted holiday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HolidayChoice {
    /// Whose holiday it is.
    pub employee_id: EmployeeId,
    /// The day.
    pub on_date: Date,
    /// When it was chosen.
    pub chosen_at: Timestamp,
    /// The user who chose it, if a user did.
    pub chosen_by: Option<UserId>,
}

impl Audited for HolidayChoice {}

/// Chooses a restricted holiday.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ChooseHoliday {
    /// The day.
    #[serde(deserialize_with = "crate::date::strict")]
    pub on_date: Date,
}

/// A restricted holiday where the employee works, or one that was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RestrictedHoliday {
    /// The day.
    pub on_date: Date,
    /// Its name; `null` when the day isn't a restricted holiday there any more.
    pub name: Option<String>,
    /// The calendar that it is in; `null` likewise.
    pub holiday_calendar_id: Option<HolidayCalendarId>,
    /// When it was chosen; `null` when it wasn't.
    pub chosen_at: Option<Timestamp>,
    /// Whether it is a holiday for the employee: it was chosen, and hasn't lapsed.
    pub counts: bool,
    /// Why the caller can't choose it; `null` when they can.
    pub refusal: Option<LeaveRefusal>,
}

/// What an employee can choose in a year, and what they chose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HolidayChoices {
    /// Whose choices.
    pub employee_id: EmployeeId,
    /// The year of the calendar.
    pub year: i16,
    /// How many can be chosen, by the calendar of the workplace today, or on the day of the year nearest to it.
    pub most: u16,
    /// How many were chosen and count.
    pub chosen: u16,
    /// How many are left.
    pub left: u16,
    /// Restricted holidays and choices of that year, by date.
    pub items: Vec<RestrictedHoliday>,
}

/// Choices of restricted holidays in storage.
#[async_trait]
pub trait HolidayChoiceRepo: Send {
    /// The limits of these calendars, oldest first; those without any are absent.
    async fn limits(
        &mut self,
        calendars: &[HolidayCalendarId],
    ) -> Result<HashMap<HolidayCalendarId, Vec<HolidayChoiceLimit>>, StoreError>;
    /// Writes a limit, in the place of the one from the same year.
    async fn put_limit(
        &mut self,
        calendar: HolidayCalendarId,
        limit: &HolidayChoiceLimit,
    ) -> Result<(), StoreError>;
    /// The choices of these employees from `from` to `last`, both included, by employee and date.
    async fn chosen(
        &mut self,
        employees: &[EmployeeId],
        from: Date,
        last: Date,
    ) -> Result<Vec<HolidayChoice>, StoreError>;
    /// Adds a choice; `holiday_choice_pkey` keeps an employee from choosing a day twice.
    async fn insert(&mut self, choice: &HolidayChoice) -> Result<(), StoreError>;
    /// Removes the choices of an employee on some days.
    async fn remove(&mut self, employee: EmployeeId, days: &[Date]) -> Result<(), StoreError>;
}

/// The limit that holds in a year.
fn limit_in(limits: &[HolidayChoiceLimit], year: i16) -> HolidayChoiceLimit {
    limits.iter().rfind(|limit| limit.from_year <= year).copied().unwrap_or_default()
}

/// What is known of an employee's restricted holidays in one year of the calendar.
struct Year {
    /// Those of the place where the employee works on the day.
    there: BTreeMap<Date, HolidayThere>,
    limits: HashMap<HolidayCalendarId, Vec<HolidayChoiceLimit>>,
    chosen: Vec<HolidayChoice>,
    /// Today, where the employee works.
    today: Date,
}

impl Year {
    async fn load(tx: &mut dyn Tx, standing: &Standing, year: i16) -> Result<Self, StoreError> {
        let (first, last) = (date(year, 1, 1), date(year, 12, 31));
        let holidays = tx.holidays().between(&standing.locations(), first, last).await?;
        let there = |one: &HolidayThere| standing.location_on(one.on_date) == Some(one.location_id);
        let restricted = holidays.into_iter().filter(|one| one.kind == HolidayKind::Restricted && there(one));
        let there: BTreeMap<Date, HolidayThere> = restricted.map(|one| (one.on_date, one)).collect();
        let mut calendars: Vec<HolidayCalendarId> =
            there.values().map(|one| one.holiday_calendar_id).collect();
        calendars.sort_unstable();
        calendars.dedup();
        let limits = tx.holiday_choices().limits(&calendars).await?;
        let chosen = tx.holiday_choices().chosen(&[standing.employee()], first, last).await?;
        Ok(Self { there, limits, chosen, today: standing.today })
    }

    /// The choices that are holidays for the employee.
    fn counting(&self) -> impl Iterator<Item = &HolidayChoice> {
        self.chosen.iter().filter(|one| self.there.contains_key(&one.on_date))
    }

    fn limit(&self, holiday: &HolidayThere) -> HolidayChoiceLimit {
        let limits = self.limits.get(&holiday.holiday_calendar_id).map_or(&[][..], Vec::as_slice);
        limit_in(limits, holiday.on_date.year())
    }

    /// Why a day can't be chosen. What lies behind is for others than the employee, and so is short notice.
    fn refusal(&self, on: Date, own: bool) -> Option<HolidayError> {
        let Some(holiday) = self.there.get(&on) else { return Some(HolidayError::NotRestricted { on }) };
        let limit = self.limit(holiday);
        if self.chosen.iter().any(|one| one.on_date == on) {
            return Some(HolidayError::ChosenAlready);
        }
        let ahead = (on - self.today).get_days();
        if own && ahead <= 0 {
            return Some(HolidayError::Past);
        }
        if own && ahead < i32::from(limit.notice_days) {
            return Some(HolidayError::NoticeTooShort { least: limit.notice_days });
        }
        if self.counting().count() >= usize::from(limit.most) {
            return Some(HolidayError::NoneLeft { most: limit.most });
        }
        None
    }

    /// The lapsed choices, oldest first, that have to make room for one more: else there would be more than may be chosen if
    /// their holidays came back.
    fn replaced(&self, most: u16) -> Vec<HolidayChoice> {
        let mut lapsed: Vec<HolidayChoice> =
            self.chosen.iter().filter(|one| !self.there.contains_key(&one.on_date)).copied().collect();
        lapsed.sort_by_key(|one| (one.chosen_at, one.on_date));
        lapsed.truncate((self.chosen.len() + 1).saturating_sub(usize::from(most)));
        lapsed
    }

    fn items(&self, own: bool) -> Vec<RestrictedHoliday> {
        let mut days: Vec<Date> =
            self.there.keys().copied().chain(self.chosen.iter().map(|one| one.on_date)).collect();
        days.sort_unstable();
        days.dedup();
        let item = |on_date: Date| {
            let there = self.there.get(&on_date);
            let chosen = self.chosen.iter().find(|one| one.on_date == on_date);
            RestrictedHoliday {
                on_date,
                name: there.map(|one| one.name.clone()),
                holiday_calendar_id: there.map(|one| one.holiday_calendar_id),
                chosen_at: chosen.map(|one| one.chosen_at),
                counts: there.is_some() && chosen.is_some(),
                refusal: self.refusal(on_date, own).as_ref().map(LeaveRefusal::of),
            }
        };
        days.into_iter().map(item).collect()
    }
}

impl HolidayService<'_> {
    /// How many restricted holidays of a calendar can be chosen, from which year on.
    ///
    /// # Errors
    /// When the calendar isn't there or may not be seen.
    pub async fn choice_limits(
        &self,
        actor: &Actor,
        calendar: HolidayCalendarId,
    ) -> Result<HolidayChoiceLimits, HolidayError> {
        self.may_read(actor)?;
        let mut tx = self.0.read(actor).await?;
        tx.holidays().get(calendar).await?.ok_or(NO_CALENDAR)?;
        Ok(limits_of(&mut *tx, calendar).await?)
    }

    /// Says how many restricted holidays of a calendar each employee may choose in a year, from a year on. What was chosen before
    /// stays.
    ///
    /// # Errors
    /// Faulty fields; when the calendar isn't there.
    pub async fn set_choice_limit(
        &self,
        actor: &Actor,
        calendar: HolidayCalendarId,
        new: SetHolidayChoiceLimit,
    ) -> Result<HolidayChoiceLimits, HolidayError> {
        self.may_manage(actor)?;
        let limit =
            HolidayChoiceLimit { from_year: new.from_year, most: new.most, notice_days: new.notice_days };
        check(&limit)?;
        let (mut work, _) = self.open(actor, calendar).await?;
        let before = limits_of(&mut *work, calendar).await?;
        work.holiday_choices().put_limit(calendar, &limit).await?;
        let after = limits_of(&mut *work, calendar).await?;
        if after != before {
            work.emit(NewEvent {
                kind: "holiday_calendar.choice-limit-set",
                subject: subject("holiday-calendars", calendar.as_uuid()),
                data: serde_json::json!({ "holiday_calendar_id": calendar }),
                change: Change::changed(&before, &after),
                permission: Permission::LocationRead,
                resource: Resource::organization(),
            });
        }
        Ok(work.commit(after).await?)
    }

    /// What an employee can choose in a year, this one if nothing is said, and what they chose.
    ///
    /// # Errors
    /// When the employee isn't there or their leave may not be seen; faulty fields.
    pub async fn choices(
        &self,
        actor: &Actor,
        employee: EmployeeId,
        year: Option<i16>,
    ) -> Result<HolidayChoices, HolidayError> {
        self.0.visibility(actor, Permission::LeaveRead)?;
        let mut tx = self.0.read(actor).await?;
        let (standing, _) = self.seen(&mut *tx, actor, employee).await?;
        let year = year.unwrap_or(standing.today.year());
        check_year("/year", year)?;
        let known = Year::load(&mut *tx, &standing, year).await?;
        let day = standing.today.clamp(date(year, 1, 1), date(year, 12, 31));
        let most = self.limit_there(&mut *tx, &standing, day).await?.most;
        let chosen = u16::try_from(known.counting().count()).unwrap_or(u16::MAX);
        let left = most.saturating_sub(chosen);
        let items = known.items(actor.counts_as(employee));
        Ok(HolidayChoices { employee_id: employee, year, most, chosen, left, items })
    }

    /// Makes a restricted holiday one of the employee's holidays. Leave over it is counted anew by a job.
    ///
    /// Others than the employee may do so also when the day is past or the notice is short.
    ///
    /// # Errors
    /// [`HolidayError::NotRestricted`], [`HolidayError::ChosenAlready`], [`HolidayError::Past`],
    /// [`HolidayError::NoticeTooShort`], [`HolidayError::NoneLeft`].
    pub async fn choose(
        &self,
        actor: &Actor,
        employee: EmployeeId,
        new: ChooseHoliday,
    ) -> Result<HolidayChoice, HolidayError> {
        self.0.visibility(actor, Permission::LeaveSubmit)?;
        let on = new.on_date;
        let mut check = Check::new();
        check.date("/on_date", on);
        check.done()?;
        let mut work = self.0.begin(actor).await?;
        let (standing, resource) = self.for_change(&mut work, actor, employee).await?;
        let year = Year::load(&mut *work, &standing, on.year()).await?;
        if let Some(refusal) = year.refusal(on, actor.counts_as(employee)) {
            return Err(refusal);
        }
        let most = year.there.get(&on).map_or(0, |holiday| year.limit(holiday).most);
        let replaced = year.replaced(most);
        let choice = HolidayChoice {
            employee_id: employee,
            on_date: on,
            chosen_at: work.now(),
            chosen_by: actor.user_id(),
        };
        let gone: Vec<Date> = replaced.iter().map(|one| one.on_date).collect();
        work.holiday_choices().remove(employee, &gone).await?;
        for one in &replaced {
            work.emit(event(REMOVED, one, Change::removed(one), &resource));
        }
        work.holiday_choices().insert(&choice).await?;
        recount(&mut work, &choice).await?;
        work.emit(event("employee.holiday-chosen", &choice, Change::created(&choice), &resource));
        Ok(work.commit(choice).await?)
    }

    /// Makes a chosen holiday a working day of the employee again. Leave over it is counted anew by a job.
    ///
    /// Others than the employee may do so also when the day is past, and when the employee has leave on it: else one could take
    /// more leave than there is.
    ///
    /// # Errors
    /// [`HolidayError::Past`], [`HolidayError::OnLeave`]; when it wasn't chosen.
    pub async fn give_back(&self, actor: &Actor, employee: EmployeeId, on: Date) -> Result<(), HolidayError> {
        self.0.visibility(actor, Permission::LeaveSubmit)?;
        let mut work = self.0.begin(actor).await?;
        let (standing, resource) = self.for_change(&mut work, actor, employee).await?;
        let choice = work.holiday_choices().chosen(&[employee], on, on).await?.pop().ok_or(NO_CHOICE)?;
        if actor.counts_as(employee) {
            if on <= standing.today {
                return Err(HolidayError::Past);
            }
            if !work.leave_requests().live_between(&[employee], on, on).await?.is_empty() {
                return Err(HolidayError::OnLeave);
            }
        }
        work.holiday_choices().remove(employee, &[on]).await?;
        recount(&mut work, &choice).await?;
        work.emit(event(REMOVED, &choice, Change::removed(&choice), &resource));
        Ok(work.commit(()).await?)
    }

    /// An employee whose leave the actor may see.
    async fn seen(
        &self,
        tx: &mut dyn Tx,
        actor: &Actor,
        employee: EmployeeId,
    ) -> Result<(Standing, Resource), CommonError> {
        let now = self.0.clock().now();
        let standing = Standing::load(self.0, tx, actor, employee, now).await?.ok_or(NO_EMPLOYEE)?;
        let resource = standing.resource(standing.today);
        match self.0.policy().decide(actor, Permission::LeaveRead, &resource) {
            Decision::Allow => Ok((standing, resource)),
            Decision::Deny => Err(HIDDEN_EMPLOYEE),
        }
    }

    /// An employee for whom the actor may choose. Neither their choices and requests nor what holidays there are change until the
    /// unit of work ends.
    async fn for_change(
        &self,
        work: &mut Work,
        actor: &Actor,
        employee: EmployeeId,
    ) -> Result<(Standing, Resource), HolidayError> {
        work.work_patterns().hold_working_days().await?;
        work.employees().get_for_change(employee).await?;
        let (standing, resource) = self.seen(&mut **work, actor, employee).await?;
        self.0.require(actor, Permission::LeaveSubmit, &resource)?;
        Ok((standing, resource))
    }

    /// The limit of the calendar that the employee's workplace has on a day, in the year of that day.
    async fn limit_there(
        &self,
        tx: &mut dyn Tx,
        standing: &Standing,
        day: Date,
    ) -> Result<HolidayChoiceLimit, StoreError> {
        let Some(place) = standing.location_on(day) else { return Ok(HolidayChoiceLimit::default()) };
        let assigned = tx.holidays().of_locations(&[place]).await?.remove(&place).unwrap_or_default();
        let Some(calendar) = assigned.iter().find(|one| one.period.contains(day)) else {
            return Ok(HolidayChoiceLimit::default());
        };
        Ok(limit_in(&limits_of(tx, calendar.holiday_calendar_id).await?.items, day.year()))
    }
}

const REMOVED: &str = "employee.holiday-choice-removed";

async fn limits_of(tx: &mut dyn Tx, calendar: HolidayCalendarId) -> Result<HolidayChoiceLimits, StoreError> {
    let items = tx.holiday_choices().limits(&[calendar]).await?.remove(&calendar).unwrap_or_default();
    Ok(HolidayChoiceLimits { items })
}

async fn recount(work: &mut Work, choice: &HolidayChoice) -> Result<(), StoreError> {
    let (whose, on) = (Whose::Employees(vec![choice.employee_id]), choice.on_date);
    let because = RecountCause::HolidayChoice { on_date: on };
    work.recount_leave(&RecountLeave { whose, from: on, last: on, because }).await
}

fn check(limit: &HolidayChoiceLimit) -> Result<(), CommonError> {
    check_year("/from_year", limit.from_year)?;
    let mut check = Check::new();
    for (pointer, number) in [("/most", limit.most), ("/notice_days", limit.notice_days)] {
        if number > 366 {
            check.fault(pointer, "out-of-range", "at most 366");
        }
    }
    check.done()
}

fn check_year(pointer: &'static str, year: i16) -> Result<(), CommonError> {
    let (first, last) = (FIRST_DATE.year(), LAST_DATE.year());
    if (first..=last).contains(&year) {
        return Ok(());
    }
    Err(CommonError::invalid(pointer, "out-of-range", format!("years go from {first} to {last}")))
}

fn event(kind: &'static str, choice: &HolidayChoice, change: Change, resource: &Resource) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("employees", choice.employee_id.as_uuid()),
        data: serde_json::json!({ "employee_id": choice.employee_id, "on_date": choice.on_date }),
        change,
        permission: Permission::LeaveRead,
        resource: resource.clone(),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::id::LocationId;

    const MONDAY: Date = date(2026, 12, 7);

    fn chosen(day: i8, second: i64) -> HolidayChoice {
        HolidayChoice {
            employee_id: EmployeeId::from_uuid(Uuid::nil()),
            on_date: date(2026, 12, day),
            chosen_at: Timestamp::from_second(second).unwrap(),
            chosen_by: None,
        }
    }

    /// A year with two of a kind, of a calendar with a notice of three days.
    fn year(most: u16, days: &[i8], chosen: Vec<HolidayChoice>) -> Year {
        let calendar = HolidayCalendarId::from_uuid(Uuid::nil());
        let there = |day: &i8| {
            let on_date = date(2026, 12, *day);
            let one = HolidayThere {
                location_id: LocationId::from_uuid(Uuid::nil()),
                holiday_calendar_id: calendar,
                on_date,
                name: "Feast".into(),
                kind: HolidayKind::Restricted,
            };
            (on_date, one)
        };
        let limits = vec![
            HolidayChoiceLimit { from_year: 2020, most: 9, notice_days: 0 },
            HolidayChoiceLimit { from_year: 2026, most, notice_days: 3 },
            HolidayChoiceLimit { from_year: 2027, most: 0, notice_days: 0 },
        ];
        let limits = HashMap::from([(calendar, limits)]);
        Year { there: days.iter().map(there).collect(), limits, chosen, today: MONDAY }
    }

    fn code(year: &Year, day: i8, own: bool) -> Option<&'static str> {
        use crate::error::DomainError as _;
        year.refusal(date(2026, 12, day), own).map(|error| error.code())
    }

    #[test]
    fn what_can_be_chosen() {
        let some = year(2, &[4, 9, 10, 14, 15], vec![chosen(14, 0)]);
        assert_eq!(code(&some, 11, true), Some("holiday-choice.not-restricted"));
        assert_eq!(code(&some, 14, true), Some("holiday-choice.taken"));
        assert_eq!(code(&some, 4, true), Some("holiday-choice.past"));
        assert_eq!(code(&some, 9, true), Some("holiday-choice.notice-too-short"));
        assert_eq!([code(&some, 10, true), code(&some, 4, false), code(&some, 9, false)], [None; 3]);
        let full = year(2, &[10, 14, 15], vec![chosen(14, 0), chosen(15, 0)]);
        assert_eq!(code(&full, 10, false), Some("holiday-choice.none-left"));
        assert_eq!(code(&year(0, &[10], Vec::new()), 10, true), Some("holiday-choice.none-left"));
    }

    #[test]
    fn lapsed_choices_make_room_the_oldest_first() {
        // Two of three have lapsed; with room for three, one goes.
        let some = year(3, &[14], vec![chosen(14, 0), chosen(21, 2), chosen(22, 1)]);
        assert_eq!(some.replaced(3), [chosen(22, 1)]);
        assert_eq!(some.replaced(4), []);
        assert_eq!(some.replaced(1), [chosen(22, 1), chosen(21, 2)]);
    }
}
