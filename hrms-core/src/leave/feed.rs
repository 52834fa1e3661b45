//! Leave as calendar programs read it.

use std::collections::HashMap;

use jiff::civil::{Date, time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use sha2::{Digest, Sha256};

use super::LeaveService;
use super::calendar::{counted_span, full_name};
use super::day_count::DayPart;
use super::request::{LeaveRequest, LeaveRequestView, RequestStatus};
use crate::actor::Actor;
use crate::calendar_feed::CalendarFeed;
use crate::employee::{EmployeeFilter, EmployeeRow, EmployeeSort};
use crate::employment::Timeline;
use crate::error::CommonError;
use crate::icalendar::Calendar;
use crate::id::{DepartmentId, EmployeeId, LeaveTypeId, LocationId};
use crate::page::{PageRequest, Position};
use crate::policy::{Decision, Permission, Visibility};
use crate::store::Tx;
use crate::validate::time_zone;

/// How many days back and ahead a feed goes.
const BACK: i32 = 90;
const AHEAD: i32 = 400;
/// For how many days what was cancelled is told as cancelled, so that calendars remove it.
const TOLD_AS_CANCELLED: i64 = 30;
/// The most people of a feed.
const MOST_PEOPLE: usize = 2000;
/// So many people are read at once.
const BATCH: u16 = 500;
/// Half of a usual working day in hours: where a half day begins or ends, as patterns know no times.
const HALF_DAY: i8 = 4;
const MIDDAY: i8 = 12;

/// Whose leave a feed is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FeedOf {
    /// Nobody's.
    Nobody,
    /// One's own.
    Own(EmployeeId),
    /// Of those who report to somebody.
    Reports(EmployeeId),
    /// Of a department and those below it.
    Department(DepartmentId),
}

/// Something in a feed.
struct Entry {
    view: LeaveRequestView,
    /// Whether more may be seen of it than from when to when.
    whole: bool,
    /// Whose, with a colon; nothing in one's own feed.
    name: String,
    zone: TimeZone,
}

/// When something is.
#[derive(Debug, PartialEq, Eq)]
enum When {
    /// From a day up to, but not including, another.
    Days(Date, Date),
    /// From an instant to another.
    Instants(Timestamp, Timestamp),
}

impl LeaveService<'_> {
    /// A feed as the actor may see it now.
    pub(crate) async fn feed(
        &self,
        actor: &Actor,
        feed: &CalendarFeed,
        of: FeedOf,
    ) -> Result<String, CommonError> {
        let mut calendar = Calendar::new("Leave", &feed.name);
        calendar.line("REFRESH-INTERVAL;VALUE=DURATION:PT1H");
        calendar.line("X-PUBLISHED-TTL:PT1H");
        let mut entries = Vec::new();
        let mut types = HashMap::new();
        if of != FeedOf::Nobody && self.absences_visible(actor).is_ok() {
            let mut tx = self.0.read(actor).await?;
            types = self.type_names(&mut *tx).await?;
            let people = self.people(&mut *tx, actor, of).await?;
            for people in people.chunks(usize::from(BATCH)) {
                entries.extend(self.entries(&mut *tx, actor, people, of).await?);
            }
        }
        entries.sort_by_key(|one| (one.view.request.starts_on, one.view.request.id));
        for entry in &entries {
            write(&mut calendar, feed, entry, matches!(of, FeedOf::Own(_)), &types);
        }
        Ok(calendar.end())
    }

    /// The people of a feed of whom the actor may see something.
    async fn people(
        &self,
        tx: &mut dyn Tx,
        actor: &Actor,
        of: FeedOf,
    ) -> Result<Vec<EmployeeRow>, CommonError> {
        let today = self.0.today();
        let (visible, _) = self.absences_visible(actor)?;
        let everybody = EmployeeFilter { employed: Some(true), ..EmployeeFilter::everybody(visible, today) };
        let filter = match of {
            FeedOf::Nobody => return Ok(Vec::new()),
            FeedOf::Own(me) => {
                EmployeeFilter { visible: Visibility { own: Some(me), ..Visibility::default() }, ..everybody }
            }
            FeedOf::Reports(me) => EmployeeFilter { manager_id: Some(me), ..everybody },
            FeedOf::Department(top) => {
                let departments = tx.departments().tree().await?.subtree(top);
                EmployeeFilter { departments: Some(departments), ..everybody }
            }
        };
        let mut found: Vec<EmployeeRow> = Vec::new();
        let mut page = PageRequest { sort: EmployeeSort::Name, descending: false, limit: BATCH, after: None };
        loop {
            let mut rows = tx.employees().list(&filter, &page).await?;
            let more = rows.len() > usize::from(BATCH);
            rows.truncate(usize::from(BATCH));
            page.after = rows
                .last()
                .map(|row| Position { key: row.view.sort_key(page.sort), id: row.view.id.as_uuid() });
            let resources = rows.iter_mut().map(|row| &mut row.resource);
            self.0.complete_for_all(tx, actor, resources, today).await?;
            rows.retain(|row| self.may_see_absence(actor, &row.resource));
            found.append(&mut rows);
            if !more || found.len() >= MOST_PEOPLE {
                found.truncate(MOST_PEOPLE);
                return Ok(found);
            }
        }
    }

    /// What is, was or was to be of some people's leave, as far as the actor may see it.
    async fn entries(
        &self,
        tx: &mut dyn Tx,
        actor: &Actor,
        people: &[EmployeeRow],
        of: FeedOf,
    ) -> Result<Vec<Entry>, CommonError> {
        let (now, today) = (self.0.clock().now(), self.0.today());
        let (from, last) = (today.saturating_sub(BACK.days()), today.saturating_add(AHEAD.days()));
        let ids: Vec<EmployeeId> = people.iter().map(|row| row.view.id).collect();
        let timelines = tx.employment().timelines_of(&ids).await?;
        let mut views = tx.leave_requests().live_between(&ids, from, last).await?;
        let since = now.saturating_sub((TOLD_AS_CANCELLED * 24).hours()).unwrap_or(now);
        views.extend(tx.leave_requests().ended_since(&ids, since).await?);
        let rows: HashMap<EmployeeId, &EmployeeRow> = people.iter().map(|row| (row.view.id, row)).collect();
        let mut zones: HashMap<LocationId, TimeZone> = HashMap::new();
        let mut entries = Vec::new();
        for view in views {
            let Some(row) = rows.get(&view.request.employee_id) else { continue };
            let Some(whole) = self.seen_in_feed(actor, row, &view) else { continue };
            let timeline = timelines.get(&view.request.employee_id);
            let zone = zone_of(tx, &mut zones, timeline, view.request.starts_on).await?;
            let name = match of {
                FeedOf::Own(_) => String::new(),
                _ => format!("{}: ", full_name(&row.view.given_name, &row.view.family_name)),
            };
            entries.push(Entry { view, whole, name, zone });
        }
        Ok(entries)
    }

    /// Whether the actor may see all of a request (`true`), or that the employee is or was to be away (`false`).
    fn seen_in_feed(&self, actor: &Actor, row: &EmployeeRow, view: &LeaveRequestView) -> Option<bool> {
        let resource = row.resource.clone().with_details(view.request.details());
        if self.may_see(actor, &resource) {
            return Some(true);
        }
        let was_approved = matches!(view.request.status, RequestStatus::Approved | RequestStatus::Cancelled);
        let permission = Permission::EmployeeReadAbsence;
        let peer = self.0.policy().decide(actor, permission, &row.resource) == Decision::Allow;
        (peer && was_approved && counted_span(view).is_some()).then_some(false)
    }
}

/// The zone where somebody works on a day.
async fn zone_of(
    tx: &mut dyn Tx,
    known: &mut HashMap<LocationId, TimeZone>,
    timeline: Option<&Timeline>,
    day: Date,
) -> Result<TimeZone, CommonError> {
    let place = timeline.and_then(|timeline| timeline.at(day)).and_then(|record| record.facts.location_id);
    let Some(place) = place else { return Ok(TimeZone::UTC) };
    if let Some(zone) = known.get(&place) {
        return Ok(zone.clone());
    }
    let location = tx.locations().get(place).await?;
    let zone = location.and_then(|one| time_zone(&one.time_zone)).unwrap_or(TimeZone::UTC);
    known.insert(place, zone.clone());
    Ok(zone)
}

fn write(
    calendar: &mut Calendar,
    feed: &CalendarFeed,
    entry: &Entry,
    own: bool,
    types: &HashMap<LeaveTypeId, String>,
) {
    let request = &entry.view.request;
    let Some(when) = when(entry) else { return };
    let what = match types.get(&request.leave_type_id) {
        Some(kind) if own && entry.whole => kind.clone(),
        _ if own => "Away".to_owned(),
        _ => format!("{}away", entry.name),
    };
    let status = match request.status {
        RequestStatus::Approved => "CONFIRMED",
        RequestStatus::Pending => "TENTATIVE",
        _ => "CANCELLED",
    };
    calendar.line("BEGIN:VEVENT");
    calendar.line(&format!("UID:{}", uid(feed, request)));
    // When leave was asked for tells something of why: those who may not know that get a day instead.
    if entry.whole {
        calendar.instant("DTSTAMP", request.updated_at);
        calendar.instant("LAST-MODIFIED", request.updated_at);
    } else {
        let midnight = request.starts_on.to_zoned(TimeZone::UTC).map(|day| day.timestamp());
        calendar.instant("DTSTAMP", midnight.unwrap_or(Timestamp::UNIX_EPOCH));
    }
    calendar.line(&format!("SEQUENCE:{}", request.version.as_i64() - 1));
    match when {
        When::Days(first, end) => {
            calendar.date("DTSTART", first);
            calendar.date("DTEND", end);
        }
        When::Instants(start, end) => {
            calendar.instant("DTSTART", start);
            calendar.instant("DTEND", end);
        }
    }
    let asked = if request.status == RequestStatus::Pending { " (asked for)" } else { "" };
    calendar.text("SUMMARY", &format!("{what}{asked}"));
    calendar.line(&format!("STATUS:{status}"));
    let busy = own && request.status == RequestStatus::Approved;
    calendar.line(if busy { "TRANSP:OPAQUE" } else { "TRANSP:TRANSPARENT" });
    if own {
        calendar.line("CLASS:PRIVATE");
    }
    calendar.line("END:VEVENT");
}

/// By what calendars know a request, each feed by another name: ids of requests tell when they were made.
fn uid(feed: &CalendarFeed, request: &LeaveRequest) -> String {
    let mut hasher = Sha256::new();
    hasher.update(feed.id.as_uuid().as_bytes());
    hasher.update(request.id.as_uuid().as_bytes());
    let digest: [u8; 32] = hasher.finalize().into();
    let half: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{half}@leave.hrms")
}

/// When an entry is: whole days, unless more may be seen and parts of days or hours are known.
fn when(entry: &Entry) -> Option<When> {
    let request = &entry.view.request;
    if !entry.whole {
        let (first, last) = counted_span(&entry.view)?;
        return Some(When::Days(first, last.tomorrow().ok()?));
    }
    let at = |day: Date, minutes: i64| {
        let midnight = day.to_datetime(time(0, 0, 0, 0));
        let there = midnight.checked_add(minutes.minutes()).ok()?;
        Some(there.to_zoned(entry.zone.clone()).ok()?.timestamp())
    };
    let (first, last) = (request.starts_on, request.ends_on);
    if let Some(hours) = request.hours {
        return match (hours.start_time, hours.end_time) {
            (Some(start), Some(end)) => {
                Some(When::Instants(at(first, start.minutes())?, at(last, end.minutes())?))
            }
            _ => Some(When::Days(first, last.tomorrow().ok()?)),
        };
    }
    if request.start_part == DayPart::Full && request.end_part == DayPart::Full {
        return Some(When::Days(first, last.tomorrow().ok()?));
    }
    let hour = |hour: i8| i64::from(hour) * 60;
    let start = match request.start_part {
        DayPart::SecondHalf => hour(MIDDAY),
        _ => hour(MIDDAY - HALF_DAY),
    };
    let end = match request.end_part {
        DayPart::FirstHalf => hour(MIDDAY),
        _ => hour(MIDDAY + HALF_DAY),
    };
    Some(When::Instants(at(first, start)?, at(last, end)?))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use uuid::Uuid;

    use super::*;
    use crate::id::{LeaveRequestId, UserId};
    use crate::leave::{CountedDay, DayHours, DayReason, TimeOfDay};
    use crate::store::Version;

    fn entry(
        zone: &str,
        start_part: DayPart,
        end_part: DayPart,
        hours: Option<DayHours>,
        whole: bool,
    ) -> Entry {
        let (starts_on, ends_on) = (date(2026, 3, 7), date(2026, 3, 9));
        let ends_on = if hours.is_some() { starts_on } else { ends_on };
        let id = Uuid::nil;
        let request = LeaveRequest {
            id: LeaveRequestId::from_uuid(id()),
            employee_id: EmployeeId::from_uuid(id()),
            leave_type_id: LeaveTypeId::from_uuid(id()),
            starts_on,
            ends_on,
            start_part,
            end_part,
            hours,
            minutes: 480,
            days: "1".into(),
            status: RequestStatus::Approved,
            note: None,
            submitted_by: Some(UserId::from_uuid(id())),
            submitted_on: starts_on,
            decided_by: None,
            decided_at: None,
            decision_note: None,
            asked_at: Timestamp::UNIX_EPOCH,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            version: Version::FIRST,
        };
        let counted = CountedDay {
            date: date(2026, 3, 9),
            part: DayPart::Full,
            minutes: 480,
            reason: DayReason::WorkingDay,
            holiday: None,
            working_fraction: None,
            beside: None,
        };
        let view = LeaveRequestView { request, day_count: vec![counted] };
        Entry { view, whole, name: String::new(), zone: time_zone(zone).unwrap() }
    }

    fn between(entry: &Entry) -> (String, String) {
        match when(entry).unwrap() {
            When::Days(first, end) => (first.to_string(), end.to_string()),
            When::Instants(start, end) => (start.to_string(), end.to_string()),
        }
    }

    #[test]
    fn parts_of_days_are_times_and_whole_days_are_dates() {
        let (full, first, second) = (DayPart::Full, DayPart::FirstHalf, DayPart::SecondHalf);
        let la = "America/Los_Angeles";
        let pair = |one: &str, two: &str| (one.to_owned(), two.to_owned());
        assert_eq!(between(&entry(la, full, full, None, true)), pair("2026-03-07", "2026-03-10"));
        // The clock is put forward on 8 March: eight hours behind UTC before, seven after.
        assert_eq!(
            between(&entry(la, second, first, None, true)),
            pair("2026-03-07T20:00:00Z", "2026-03-09T19:00:00Z")
        );
        assert_eq!(
            between(&entry("Asia/Kolkata", second, full, None, true)),
            pair("2026-03-07T06:30:00Z", "2026-03-09T10:30:00Z")
        );
        let at = |minutes| TimeOfDay::from_minutes(minutes);
        let evening = DayHours { start_time: at(22 * 60), end_time: at(24 * 60), minutes: None };
        assert_eq!(
            between(&entry("Asia/Kolkata", full, full, Some(evening), true)),
            pair("2026-03-07T16:30:00Z", "2026-03-07T18:30:00Z")
        );
        let amount = DayHours { minutes: Some(90), ..DayHours::default() };
        assert_eq!(
            between(&entry(la, full, full, Some(amount), true)),
            pair("2026-03-07", "2026-03-08"),
            "nobody knows when"
        );
        // Others see the days that count, as days.
        assert_eq!(between(&entry(la, second, first, None, false)), pair("2026-03-09", "2026-03-10"));
    }
}
