//! What leave needs to know of an employee: today at their workplace, who manages them, where they work.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};

use super::LeaveRequest;
use super::day_count::{DayFacts, InclusiveDays};
use crate::actor::Actor;
use crate::employment::{Record, Timeline};
use crate::error::{CommonError, StoreError};
use crate::holiday::{HolidayKind, HolidayThere};
use crate::hrms::Hrms;
use crate::id::{DepartmentId, EmployeeId, LeaveRequestId, LocationId};
use crate::policy::Resource;
use crate::store::Tx;
use crate::validate::time_zone;
use crate::work_pattern::WorkTimes;

/// An employee's employment, and today's date where they work.
#[derive(Debug)]
pub(crate) struct Standing {
    employee: EmployeeId,
    timeline: Timeline,
    /// The facts that only wide grants look at, by the record in force today.
    above: Resource,
    /// Today in the employee's work zone (P19); UTC for somebody without a workplace.
    pub(crate) today: Date,
}

impl Standing {
    /// Reads it; `None` for an employee who isn't there.
    pub(crate) async fn load(
        hrms: &Hrms,
        tx: &mut dyn Tx,
        actor: &Actor,
        employee: EmployeeId,
        now: Timestamp,
    ) -> Result<Option<Self>, CommonError> {
        let mut timelines = tx.employment().timelines_of(&[employee]).await?;
        let Some(timeline) = timelines.remove(&employee) else { return Ok(None) };
        let utc = now.to_zoned(TimeZone::UTC).date();
        let location = nearest(&timeline, utc).and_then(|record| record.facts.location_id);
        let location = match location {
            Some(location) => tx.locations().get(location).await?,
            None => None,
        };
        let zone = location.and_then(|location| time_zone(&location.time_zone)).unwrap_or(TimeZone::UTC);
        let today = now.to_zoned(zone).date();
        let mut standing = Self { employee, timeline, today, above: Resource::default() };
        let mut above = standing.resource(today);
        hrms.complete(tx, actor, [&mut above], today).await?;
        standing.above = above;
        Ok(Some(standing))
    }

    /// What decisions about a leave rest on: manager and department by the record in force today. When
    /// there is none (somebody who hasn't joined yet or has left), by the one nearest to `first_day`.
    ///
    /// So after a change of manager the new one decides on what is still open.
    pub(crate) fn resource(&self, first_day: Date) -> Resource {
        Resource {
            managers_above: self.above.managers_above.clone(),
            departments_above: self.above.departments_above.clone(),
            ..resource(self.employee, &self.timeline, self.today, first_day)
        }
    }

    /// The first of these days without employment.
    pub(crate) fn first_day_outside(&self, days: InclusiveDays) -> Option<Date> {
        days.days().map(|(day, _)| day).find(|day| self.timeline.at(*day).is_none())
    }

    /// The department on a day.
    pub(crate) fn department_on(&self, day: Date) -> Option<DepartmentId> {
        self.timeline.at(day).and_then(|record| record.facts.department_id)
    }

    /// Whose it is.
    pub(crate) fn employee(&self) -> EmployeeId {
        self.employee
    }

    /// Where the employee works on a day.
    pub(crate) fn location_on(&self, day: Date) -> Option<LocationId> {
        self.timeline.at(day).and_then(place)
    }

    /// Every place where the employee works at any time.
    pub(crate) fn locations(&self) -> Vec<LocationId> {
        places([&self.timeline])
    }

    /// The first day of the uninterrupted employment that a day is in.
    pub(crate) fn joined_on(&self, day: Date) -> Option<Date> {
        let spell = self.timeline.spells().into_iter().find(|spell| spell.period.contains(day));
        spell.map(|spell| spell.period.from())
    }

    /// Reads what is known of the employee's days from `from` to `last`.
    pub(crate) async fn work_days(
        &self,
        tx: &mut dyn Tx,
        from: Date,
        last: Date,
    ) -> Result<WorkDays, StoreError> {
        let timelines = HashMap::from([(self.employee, self.timeline.clone())]);
        let days = DaysOfMany::load(tx, timelines, from, last).await?;
        Ok(WorkDays { employee: self.employee, days })
    }
}

/// What is known of an employee's days.
#[derive(Debug)]
pub(crate) struct WorkDays {
    employee: EmployeeId,
    days: DaysOfMany,
}

impl WorkDays {
    /// What is known of a day.
    pub(crate) fn on(&self, day: Date) -> DayFacts<'_> {
        self.days.on(self.employee, day)
    }
}

/// What is known of the days of some employees: each by the pattern in force on it and the holidays of the workplace
/// of that day.
#[derive(Debug)]
pub(crate) struct DaysOfMany {
    timelines: HashMap<EmployeeId, Timeline>,
    holidays: HolidaysOfMany,
    times: WorkTimes,
}

impl DaysOfMany {
    /// Reads it for days from `from` to `last`, with a few statements however many employees there are.
    pub(crate) async fn load(
        tx: &mut dyn Tx,
        timelines: HashMap<EmployeeId, Timeline>,
        from: Date,
        last: Date,
    ) -> Result<Self, StoreError> {
        let employees: Vec<EmployeeId> = timelines.keys().copied().collect();
        let locations = places(timelines.values());
        let holidays = HolidaysOfMany::load(tx, &employees, &locations, from, last).await?;
        let times = WorkTimes::load(tx, &employees, &locations).await?;
        Ok(Self { timelines, holidays, times })
    }

    /// What is known of a day of one of them.
    pub(crate) fn on(&self, employee: EmployeeId, day: Date) -> DayFacts<'_> {
        let record = self.timelines.get(&employee).and_then(|timeline| timeline.at(day));
        let here = record.and_then(place);
        DayFacts {
            employed: record.is_some(),
            working: self.times.on(employee, here, day),
            holiday: self.holidays.on(employee, here, day),
        }
    }

    /// Whether a day is a holiday of an employee only because they chose it.
    pub(crate) fn is_chosen(&self, employee: EmployeeId, day: Date) -> bool {
        let record = self.timelines.get(&employee).and_then(|timeline| timeline.at(day));
        let here = record.and_then(place);
        let of_all = here.is_some_and(|here| self.holidays.off.contains_key(&(here, day)));
        !of_all && self.holidays.on(employee, here, day).is_some()
    }
}

/// The holidays of some employees: those of the place where they work, and of the restricted ones those that they chose.
#[derive(Debug)]
pub(super) struct HolidaysOfMany {
    off: HashMap<(LocationId, Date), String>,
    restricted: HashMap<(LocationId, Date), String>,
    chosen: HashSet<(EmployeeId, Date)>,
}

impl HolidaysOfMany {
    /// Reads those from `from` to `last`, with a few statements however many employees there are.
    pub(super) async fn load(
        tx: &mut dyn Tx,
        employees: &[EmployeeId],
        locations: &[LocationId],
        from: Date,
        last: Date,
    ) -> Result<Self, StoreError> {
        let all = tx.holidays().between(locations, from, last).await?;
        let (restricted, off): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|one| one.kind == HolidayKind::Restricted);
        let named = |all: Vec<HolidayThere>| {
            all.into_iter().map(|one| ((one.location_id, one.on_date), one.name)).collect()
        };
        // Where there is nothing to choose, nobody chose anything that counts.
        let chosen = match restricted.is_empty() {
            true => Vec::new(),
            false => tx.holiday_choices().chosen(employees, from, last).await?,
        };
        let chosen = chosen.into_iter().map(|one| (one.employee_id, one.on_date)).collect();
        Ok(Self { off: named(off), restricted: named(restricted), chosen })
    }

    /// The name of the holiday of an employee who works there on a day.
    pub(super) fn on(&self, employee: EmployeeId, place: Option<LocationId>, day: Date) -> Option<&str> {
        let key = (place?, day);
        let chosen = || self.restricted.get(&key).filter(|_| self.chosen.contains(&(employee, day)));
        self.off.get(&key).or_else(chosen).map(String::as_str)
    }
}

fn resource(employee: EmployeeId, timeline: &Timeline, today: Date, first_day: Date) -> Resource {
    let record = timeline.at(today).or_else(|| nearest(timeline, first_day));
    Resource::of(employee, record.map(|record| record.facts).unwrap_or_default())
}

/// What decisions about requests rest on, by the records in force on one date for all: for lists.
pub(crate) async fn resources(
    hrms: &Hrms,
    tx: &mut dyn Tx,
    actor: &Actor,
    requests: &[LeaveRequest],
    today: Date,
) -> Result<HashMap<LeaveRequestId, Resource>, CommonError> {
    let mut owners: Vec<EmployeeId> = requests.iter().map(|one| one.employee_id).collect();
    owners.sort_unstable();
    owners.dedup();
    let timelines = tx.employment().timelines_of(&owners).await?;
    let mut found = HashMap::new();
    for one in requests {
        if let Some(timeline) = timelines.get(&one.employee_id) {
            let resource = resource(one.employee_id, timeline, today, one.starts_on);
            found.insert(one.id, resource.with_details(one.details()));
        }
    }
    hrms.complete(tx, actor, found.values_mut(), today).await?;
    Ok(found)
}

/// What decisions about leave of some employees rest on, by the records in force on one date for all: for lists. Each with the day
/// that its record is looked up by when there is none.
pub(crate) async fn resources_of(
    hrms: &Hrms,
    tx: &mut dyn Tx,
    actor: &Actor,
    owners: impl Iterator<Item = (EmployeeId, Date)> + Send,
    today: Date,
) -> Result<HashMap<EmployeeId, Resource>, CommonError> {
    let days: HashMap<EmployeeId, Date> = owners.collect();
    let employees: Vec<EmployeeId> = days.keys().copied().collect();
    let timelines = tx.employment().timelines_of(&employees).await?;
    let mut found = HashMap::new();
    for (employee, day) in days {
        if let Some(timeline) = timelines.get(&employee) {
            found.insert(employee, resource(employee, timeline, today, day));
        }
    }
    hrms.complete(tx, actor, found.values_mut(), today).await?;
    Ok(found)
}

/// What decisions about a request rest on; `None` when it isn't there.
#[cfg(feature = "cedar")]
pub(crate) async fn resource_of_request(
    hrms: &Hrms,
    tx: &mut dyn Tx,
    actor: &Actor,
    id: LeaveRequestId,
) -> Result<Option<Resource>, CommonError> {
    let Some(view) = tx.leave_requests().get(id).await? else { return Ok(None) };
    let request = view.request;
    let standing = Standing::load(hrms, tx, actor, request.employee_id, hrms.clock().now()).await?;
    Ok(standing.map(|standing| standing.resource(request.starts_on).with_details(request.details())))
}

/// Every place where somebody works at any time.
fn places<'a>(timelines: impl IntoIterator<Item = &'a Timeline>) -> Vec<LocationId> {
    let mut all: Vec<LocationId> =
        timelines.into_iter().flat_map(Timeline::history).filter_map(place).collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn place(record: &Record) -> Option<LocationId> {
    record.facts.location_id
}

/// The record in force on a day, or else the last one before it, or else the first one.
fn nearest(timeline: &Timeline, day: Date) -> Option<&Record> {
    let history = timeline.history();
    history.iter().rfind(|record| record.period.from() <= day).or_else(|| history.first())
}
