//! Who is away when: the calendar of a team, and who is away on a day.
//!
//! Whoever may read somebody's leave sees their requests here. Everybody else sees, with
//! [`Permission::EmployeeReadAbsence`], from which day to which somebody is away, once that is approved: no kind of
//! leave, no request, no part of a day, and no border between two requests that touch.

use std::collections::HashMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::Serialize;

use super::day_count::{DayPart, DayReason};
use super::hours::DayHours;
use super::request::{LeaveRequestView, RequestStatus};
use super::standing::DaysOfMany;
use super::{LeaveError, LeaveService};
use crate::actor::Actor;
use crate::employee::{EmployeeFilter, EmployeeRow, EmployeeSort, Named};
use crate::error::CommonError;
use crate::id::{DepartmentId, EmployeeId, LeaveRequestId, LeaveTypeId, LocationId};
use crate::page::{Filling, Page, PageRequest, Position};
use crate::policy::{Decision, Permission, Resource, Visibility};
use crate::store::Tx;
use crate::validate::{Check, time_zone};

/// The most days of a calendar.
pub const MAX_CALENDAR_DAYS: i32 = 92;
/// The days of a calendar when nobody says until when.
const USUAL_DAYS: i32 = 31;
/// How many days ahead somebody's next day of work is looked for, and how many days back the first day of an absence.
const BACK_WITHIN: i32 = 400;

/// Of whom to see when they are away.
#[derive(Clone, Copy, Debug, Default)]
pub struct AbsenceSearch {
    /// Only those in this department.
    pub department_id: Option<DepartmentId>,
    /// Those in departments below it, too.
    pub include_subdepartments: bool,
    /// Only those at this location.
    pub location_id: Option<LocationId>,
    /// Only those who report to this employee.
    pub manager_id: Option<EmployeeId>,
}

/// When an employee is away and which days they don't work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaveCalendarRow {
    /// Whose.
    pub employee: Named<EmployeeId>,
    /// Their department.
    pub department: Option<Named<DepartmentId>>,
    /// Their location.
    pub location: Option<Named<LocationId>>,
    /// Leave with a day in the calendar, by first day.
    pub absences: Vec<AbsenceView>,
    /// The days of the calendar on which they don't work anyway.
    pub days_off: Vec<DayOff>,
}

/// Somebody's being away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AbsenceView {
    /// The first day.
    pub starts_on: Date,
    /// The last day: it belongs to it.
    pub ends_on: Date,
    /// What it is; `null` unless the caller may read the employee's leave.
    pub leave: Option<AbsenceLeave>,
}

/// What an absence is, for those who may read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AbsenceLeave {
    /// The request.
    pub leave_request_id: LeaveRequestId,
    /// The kind of leave.
    pub leave_type: Named<LeaveTypeId>,
    /// How it stands: `pending` or `approved`.
    pub status: RequestStatus,
    /// Which part of the first day.
    pub start_part: DayPart,
    /// Which part of the last day.
    pub end_part: DayPart,
    /// The hours of its only day; `null` when it is for whole or half days.
    pub hours: Option<DayHours>,
    /// How much it takes, as a decimal number of days.
    pub days: String,
}

/// A day on which somebody doesn't work anyway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DayOff {
    /// The day.
    pub date: Date,
    /// Why: `weekly_off` or `holiday`.
    pub reason: DayReason,
    /// Name of the holiday, when it is one.
    pub holiday: Option<String>,
}

/// Somebody who is away on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AwayPerson {
    /// Who.
    pub employee: Named<EmployeeId>,
    /// Their department.
    pub department: Option<Named<DepartmentId>>,
    /// Their location.
    pub location: Option<Named<LocationId>>,
    /// The day: today where they work, unless another one was asked for.
    pub on: Date,
    /// The first day of this absence.
    pub away_from: Date,
    /// The next day on which they work again; `null` when none is known within 400 days.
    pub back_on: Option<Date>,
    /// The leave of that day, as far as the caller may read it.
    pub leaves: Vec<AbsenceLeave>,
}

/// What of somebody's leave may be seen.
pub(super) struct Seen {
    /// Requests that may be read.
    pub(super) whole: Vec<LeaveRequestView>,
    /// The first and last days of being away of which nothing else may be seen, by day; what touches is one.
    pub(super) spans: Vec<(Date, Date)>,
}

impl LeaveService<'_> {
    /// A page of the calendar from `from` to `to`, both included: 31 days from today (UTC) when nobody says. People employed on the day of it that is
    /// nearest to today, by name.
    ///
    /// # Errors
    /// When nothing of it may be seen; when it would be longer than [`MAX_CALENDAR_DAYS`].
    pub async fn calendar(
        &self,
        actor: &Actor,
        search: &AbsenceSearch,
        (from, to): (Option<Date>, Option<Date>),
        page: &PageRequest<EmployeeSort>,
    ) -> Result<Page<LeaveCalendarRow>, LeaveError> {
        let today = self.0.today();
        let (from, to) = range(today, from, to)?;
        let (visible, sifts) = self.absences_visible(actor)?;
        let mut tx = self.0.read(actor).await?;
        let filter = absence_filter(&mut *tx, search, visible, today, today.clamp(from, to)).await?;
        let mut filling = Filling::new(page, sifts);
        let people = loop {
            let mut rows = tx.employees().list(&filter, filling.request()).await?;
            let resources = rows.iter_mut().map(|row| &mut row.resource);
            self.0.complete_for_all(&mut *tx, actor, resources, today).await?;
            let may = |row: &EmployeeRow| self.may_see_absence(actor, &row.resource);
            if let Some(page) = filling.take(rows, may, |row| position(row, page.sort)) {
                break page;
            }
        };
        let days = days_of(&mut *tx, &people.items, from, to).await?;
        let mut live = live_of(&mut *tx, &people.items, from, to).await?;
        let types = self.type_names(&mut *tx).await?;
        Ok(people.map(|row| {
            let requests = live.remove(&row.view.id).unwrap_or_default();
            let mut seen = self.seen(actor, &row.resource, requests);
            let mut days_off = days_off(&days, row.view.id, from, to);
            if !self.may_see(actor, &row.resource) {
                // Which of the restricted holidays somebody chose is often a matter of religion: to colleagues they are away.
                let chosen =
                    |day: &DayOff| day.reason == DayReason::Holiday && days.is_chosen(row.view.id, day.date);
                seen.spans.extend(days_off.iter().filter(|day| chosen(day)).map(|day| (day.date, day.date)));
                seen.spans = joined(seen.spans);
                days_off.retain(|day| !chosen(day));
            }
            let (employee, department, location) = named(row);
            LeaveCalendarRow { employee, department, location, absences: shown(seen, &types), days_off }
        }))
    }

    /// A page of those who are away on a day, by name: today where each of them works when nobody says. Only approved leave counts.
    ///
    /// # Errors
    /// When nothing of it may be seen; faulty fields.
    pub async fn away(
        &self,
        actor: &Actor,
        search: &AbsenceSearch,
        on: Option<Date>,
        page: &PageRequest<EmployeeSort>,
    ) -> Result<Page<AwayPerson>, LeaveError> {
        let mut check = Check::new();
        on.iter().for_each(|on| check.date("/on", *on));
        check.done()?;
        let (now, today) = (self.0.clock().now(), self.0.today());
        let (visible, _) = self.absences_visible(actor)?;
        let mut tx = self.0.read(actor).await?;
        // Somewhere it is a day earlier, elsewhere a day later.
        let days = on.map_or((today.saturating_sub(1.day()), today.saturating_add(1.day())), |on| (on, on));
        let filter = absence_filter(&mut *tx, search, visible, today, on.unwrap_or(today)).await?;
        let filter = EmployeeFilter { on_leave: Some(days), ..filter };
        let mut filling = Filling::new(page, true);
        let mut away: HashMap<EmployeeId, AwayPerson> = HashMap::new();
        loop {
            let mut rows = tx.employees().list(&filter, filling.request()).await?;
            let resources = rows.iter_mut().map(|row| &mut row.resource);
            self.0.complete_for_all(&mut *tx, actor, resources, today).await?;
            let on_of = |row: &EmployeeRow| on.unwrap_or_else(|| today_of(row, now));
            away.extend(self.away_among(&mut *tx, actor, &rows, days, on_of).await?);
            let may = |row: &EmployeeRow| away.contains_key(&row.view.id);
            if let Some(page) = filling.take(rows, may, |row| position(row, page.sort)) {
                let items = page.items.iter().filter_map(|row| away.remove(&row.view.id)).collect();
                return Ok(Page { items, next: page.next });
            }
        }
    }

    /// Those of some people who are away, as far as the actor may see it.
    async fn away_among(
        &self,
        tx: &mut dyn Tx,
        actor: &Actor,
        rows: &[EmployeeRow],
        (from, to): (Date, Date),
        on_of: impl Fn(&EmployeeRow) -> Date + Sync,
    ) -> Result<HashMap<EmployeeId, AwayPerson>, LeaveError> {
        let last = to.saturating_add(BACK_WITHIN.days());
        let days = days_of(tx, rows, from, last).await?;
        let mut live = live_of(tx, rows, from.saturating_sub(BACK_WITHIN.days()), last).await?;
        let types = self.type_names(tx).await?;
        let mut away = HashMap::new();
        for row in rows {
            let (id, on) = (row.view.id, on_of(row));
            let mut requests = live.remove(&id).unwrap_or_default();
            requests.retain(|view| view.request.status == RequestStatus::Approved);
            let back_on = back_on(&days, id, on, &requests);
            let Seen { whole, mut spans } = self.seen(actor, &row.resource, requests);
            spans.extend(whole.iter().filter_map(counted_span));
            let spans = joined(spans);
            let Some((away_from, _)) = spans.into_iter().find(|(first, last)| (*first..=*last).contains(&on))
            else {
                continue;
            };
            let today = whole.iter().filter(|view| view.request.period().part_of(on).is_some());
            let leaves = today.map(|view| leave_of(view, &types)).collect();
            let (employee, department, location) = named(row.clone());
            let person = AwayPerson { employee, department, location, on, away_from, back_on, leaves };
            away.insert(id, person);
        }
        Ok(away)
    }

    /// Whose absence the actor may see something of, and whether each has to be asked about still.
    pub(super) fn absences_visible(&self, actor: &Actor) -> Result<(Visibility, bool), CommonError> {
        let mut visible = self.0.visibility(actor, Permission::EmployeeReadAbsence)?;
        let mut sifts = self.0.policy().narrows(actor, Permission::EmployeeReadAbsence);
        for permission in [Permission::LeaveRead, Permission::LeaveDecide] {
            let Ok(more) = self.0.visibility(actor, permission) else { continue };
            let joined = visible.or(more);
            sifts |= self.0.policy().narrows(actor, permission)
                || (joined.organization && !visible.organization && !more.organization);
            visible = joined;
        }
        Ok((visible, sifts))
    }

    /// Whether the actor may see that an employee is away.
    pub(super) fn may_see_absence(&self, actor: &Actor, resource: &Resource) -> bool {
        self.0.policy().decide(actor, Permission::EmployeeReadAbsence, resource) == Decision::Allow
            || self.may_see(actor, resource)
    }

    /// What of an employee's pending and approved requests the actor may see.
    pub(super) fn seen(&self, actor: &Actor, resource: &Resource, requests: Vec<LeaveRequestView>) -> Seen {
        let reads = |view: &LeaveRequestView| {
            self.may_see(actor, &resource.clone().with_details(view.request.details()))
        };
        let (whole, others): (Vec<_>, Vec<_>) = requests.into_iter().partition(reads);
        let peer =
            self.0.policy().decide(actor, Permission::EmployeeReadAbsence, resource) == Decision::Allow;
        let approved = others.iter().filter(|view| peer && view.request.status == RequestStatus::Approved);
        Seen { whole, spans: joined(approved.filter_map(counted_span).collect()) }
    }

    /// The leave types by id.
    pub(super) async fn type_names(
        &self,
        tx: &mut dyn Tx,
    ) -> Result<HashMap<LeaveTypeId, String>, CommonError> {
        let types = tx.leave_types().all().await?;
        Ok(types.into_iter().map(|one| (one.id, one.name)).collect())
    }
}

/// The days of a calendar, if they make sense.
pub(super) fn range(today: Date, from: Option<Date>, to: Option<Date>) -> Result<(Date, Date), CommonError> {
    let from = from.unwrap_or(today);
    let to = to.unwrap_or_else(|| from.saturating_add((USUAL_DAYS - 1).days()));
    let mut check = Check::new();
    check.date("/from", from);
    check.date("/to", to);
    if to < from {
        check.fault("/to", "before-start", "the last day is before the first");
    } else if (to - from).get_days() >= MAX_CALENDAR_DAYS {
        check.fault("/to", "out-of-range", format!("at most {MAX_CALENDAR_DAYS} days are shown at once"));
    }
    check.done()?;
    Ok((from, to))
}

async fn absence_filter(
    tx: &mut dyn Tx,
    search: &AbsenceSearch,
    visible: Visibility,
    today: Date,
    as_of: Date,
) -> Result<EmployeeFilter, CommonError> {
    let departments = match search.department_id {
        Some(top) if search.include_subdepartments => Some(tx.departments().tree().await?.subtree(top)),
        other => other.map(|only| vec![only]),
    };
    Ok(EmployeeFilter {
        today,
        departments,
        location_id: search.location_id,
        manager_id: search.manager_id,
        employed: Some(true),
        ..EmployeeFilter::everybody(visible, as_of)
    })
}

fn position(row: &EmployeeRow, sort: EmployeeSort) -> Position {
    Position { key: row.view.sort_key(sort), id: row.view.id.as_uuid() }
}

/// Today where somebody works.
pub(super) fn today_of(row: &EmployeeRow, now: Timestamp) -> Date {
    let zone = row.time_zone.as_deref().and_then(time_zone).unwrap_or(TimeZone::UTC);
    now.to_zoned(zone).date()
}

/// Name, department and place of somebody, as everybody in the organisation may know them.
fn named(row: EmployeeRow) -> (Named<EmployeeId>, Option<Named<DepartmentId>>, Option<Named<LocationId>>) {
    let view = row.view;
    let name = full_name(&view.given_name, &view.family_name);
    let (department, location) = view.employment.map(|one| (one.department, one.location)).unzip();
    (Named { id: view.id, name }, department.flatten(), location.flatten())
}

pub(super) fn full_name(given: &str, family: &str) -> String {
    format!("{given} {family}").trim().to_owned()
}

async fn days_of(
    tx: &mut dyn Tx,
    people: &[EmployeeRow],
    from: Date,
    last: Date,
) -> Result<DaysOfMany, CommonError> {
    let ids: Vec<EmployeeId> = people.iter().map(|row| row.view.id).collect();
    let timelines = tx.employment().timelines_of(&ids).await?;
    Ok(DaysOfMany::load(tx, timelines, from, last).await?)
}

/// The pending and approved requests of some people, by whose they are.
async fn live_of(
    tx: &mut dyn Tx,
    people: &[EmployeeRow],
    from: Date,
    last: Date,
) -> Result<HashMap<EmployeeId, Vec<LeaveRequestView>>, CommonError> {
    let ids: Vec<EmployeeId> = people.iter().map(|row| row.view.id).collect();
    let mut found: HashMap<EmployeeId, Vec<LeaveRequestView>> = HashMap::new();
    for view in tx.leave_requests().live_between(&ids, from, last).await? {
        found.entry(view.request.employee_id).or_default().push(view);
    }
    Ok(found)
}

fn days_off(days: &DaysOfMany, employee: EmployeeId, from: Date, to: Date) -> Vec<DayOff> {
    let every = from.series(1.day()).take_while(|day| *day <= to);
    every
        .filter_map(|date| {
            let facts = days.on(employee, date);
            let reason = DayReason::of(facts);
            let holiday = facts.holiday.filter(|_| reason == DayReason::Holiday).map(str::to_owned);
            reason.is_off().then_some(DayOff { date, reason, holiday })
        })
        .collect()
}

fn shown(seen: Seen, types: &HashMap<LeaveTypeId, String>) -> Vec<AbsenceView> {
    let whole = seen.whole.iter().map(|view| AbsenceView {
        starts_on: view.request.starts_on,
        ends_on: view.request.ends_on,
        leave: Some(leave_of(view, types)),
    });
    let spans = seen.spans.into_iter();
    let spans = spans.map(|(starts_on, ends_on)| AbsenceView { starts_on, ends_on, leave: None });
    let mut all: Vec<AbsenceView> = whole.chain(spans).collect();
    all.sort_by_key(|one| (one.starts_on, one.ends_on));
    all
}

fn leave_of(view: &LeaveRequestView, types: &HashMap<LeaveTypeId, String>) -> AbsenceLeave {
    let request = &view.request;
    let id = request.leave_type_id;
    AbsenceLeave {
        leave_request_id: request.id,
        leave_type: Named { id, name: types.get(&id).cloned().unwrap_or_default() },
        status: request.status,
        start_part: request.start_part,
        end_part: request.end_part,
        hours: request.hours,
        days: request.days.clone(),
    }
}

/// The first and the last day of a request that take something.
pub(super) fn counted_span(view: &LeaveRequestView) -> Option<(Date, Date)> {
    let mut counted = view.day_count.iter().filter(|day| day.minutes > 0).map(|day| day.date);
    let first = counted.next()?;
    Some((first, counted.next_back().unwrap_or(first)))
}

/// Spans of days by day, those that overlap or touch as one.
fn joined(mut spans: Vec<(Date, Date)>) -> Vec<(Date, Date)> {
    spans.sort_unstable();
    let mut all: Vec<(Date, Date)> = Vec::with_capacity(spans.len());
    for (first, last) in spans {
        match all.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1.day()) => *end = last.max(*end),
            _ => all.push((first, last)),
        }
    }
    all
}

/// The next day after `on` that somebody works, by their pattern, the holidays and their approved leave.
fn back_on(days: &DaysOfMany, employee: EmployeeId, on: Date, approved: &[LeaveRequestView]) -> Option<Date> {
    let halves = |day: Date| -> usize {
        let whole = approved.iter().filter(|view| view.request.hours.is_none());
        whole.filter_map(|view| view.request.period().part_of(day)).map(|part| part.halves().len()).sum()
    };
    let ahead = on.series(1.day()).skip(1).take(usize::try_from(BACK_WITHIN).unwrap_or_default());
    ahead
        .take_while(|day| days.on(employee, *day).employed)
        .find(|day| DayReason::of(days.on(employee, *day)) == DayReason::WorkingDay && halves(*day) < 2)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn spans_that_touch_are_one() {
        let day = |day| date(2026, 12, day);
        let spans =
            vec![(day(9), day(11)), (day(1), day(2)), (day(3), day(3)), (day(5), day(7)), (day(6), day(6))];
        assert_eq!(joined(spans), [(day(1), day(3)), (day(5), day(7)), (day(9), day(11))]);
        assert!(joined(Vec::new()).is_empty());
    }

    #[test]
    fn a_calendar_has_at_most_92_days() {
        let today = date(2026, 11, 23);
        assert_eq!(range(today, None, None).unwrap(), (today, date(2026, 12, 23)));
        assert!(range(today, Some(date(2026, 1, 1)), Some(date(2026, 4, 2))).is_ok());
        for (from, to) in [
            (date(2026, 1, 1), date(2026, 4, 3)),
            (date(2026, 1, 2), date(2026, 1, 1)),
            (date(1899, 12, 31), date(1900, 1, 1)),
            (date(9999, 12, 31), date(9999, 12, 31)),
            (Date::MIN, Date::MAX),
        ] {
            assert!(range(today, Some(from), Some(to)).is_err(), "{from} {to}");
        }
        assert!(range(today, Some(Date::MAX), None).is_err());
    }
}
