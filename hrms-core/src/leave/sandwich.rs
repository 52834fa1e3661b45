//! The sandwich rule: days off that lie between days of leave, in one request or in two.

use std::ops::ControlFlow;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::coded;
use super::day_count::{
    CountedDay, DayFacts, DayPart, DayReason, InclusiveDays, count_hours, count_working_days,
};
use super::hours::{DayHours, Room};
use crate::id::{LeaveRequestId, LeaveTypeId};

/// The most days off that are a gap in a leave. Longer ones never count.
pub(super) const LONGEST_GAP: usize = 60;

coded! {
    /// Which days off count as leave when there is leave on both sides of them.
    #[derive(Default)]
    SandwichRule {
        /// None.
        #[default]
        None = "none",
        /// Days that aren't worked by the pattern, such as weekends.
        Weekends = "weekends",
        /// Holidays.
        Holidays = "holidays",
        /// Both.
        WeekendsAndHolidays = "weekends_and_holidays",
        /// Every day of the leave, also at its ends: leave that is counted in days of the calendar. Days between two requests
        /// don't count.
        CalendarDays = "calendar_days",
    }
}

impl SandwichRule {
    /// As what a day off counts between days of leave.
    fn counted(self, off: DayReason) -> Option<DayReason> {
        match (self, off) {
            (Self::Weekends | Self::WeekendsAndHolidays | Self::CalendarDays, DayReason::WeeklyOff) => {
                Some(DayReason::WeeklyOffBetween)
            }
            (Self::Holidays | Self::WeekendsAndHolidays | Self::CalendarDays, DayReason::Holiday) => {
                Some(DayReason::HolidayBetween)
            }
            _ => None,
        }
    }
}

/// Leave that an employee has or asks for, as far as the count of other leave depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    /// The request.
    pub request_id: LeaveRequestId,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// What kind of leave.
    pub leave_type_id: LeaveTypeId,
    /// Its days.
    pub days: InclusiveDays,
    /// The hours of its only day, when it isn't for whole or half days. Nobody is away for a whole half day then: it makes
    /// no gap and ends a run.
    pub hours: Option<DayHours>,
}

impl Absence {
    /// Whether it covers this half of a day.
    pub(super) fn covers(&self, on: Date, half: i64) -> bool {
        self.hours.is_none() && self.days.part_of(on).is_some_and(|part| part.halves().contains(&half))
    }

    /// Of two requests on both sides of a gap, the one that was made later pays for it: by then it was clear that
    /// there would be a gap.
    pub(super) fn made(&self) -> (Timestamp, LeaveRequestId) {
        (self.asked_at, self.request_id)
    }
}

/// Counts the days of a leave with the days off around and inside it that the rule makes leave.
///
/// - Days off count only between two days of leave; at the ends of a leave they never do.
/// - The leave on the other side may be another request of the employee (`others`), of any type. The request that was made
///   later pays, by its own rule; days that it pays for outside its own period are part of its count.
/// - A half day beside the gap counts as being on leave when it is the half on that side.
/// - Each day off is judged by itself: a rule for weekends lets the holiday of a long weekend be.
/// - Such a day counts as a whole one.
/// - Hours and half days count for no more than what leave that was asked for earlier leaves of the day.
///
/// So what a leave comes to doesn't change when it is split into several requests, in whatever order they are made.
pub fn count_leave<'a>(
    ask: &Absence,
    rule: SandwichRule,
    others: &[Absence],
    minutes_per_day: i64,
    mut facts_of: impl FnMut(Date) -> DayFacts<'a>,
) -> Vec<CountedDay> {
    // Who asked first has it.
    let room = |day: Date, working| {
        let earlier = others.iter().filter(|one| one.made() < ask.made());
        Room::beside(earlier, day, working, minutes_per_day)
    };
    if let Some(hours) = ask.hours {
        let facts = facts_of(ask.days.starts_on);
        let room = room(ask.days.starts_on, facts.working);
        return count_hours(ask.days.starts_on, hours, room, minutes_per_day, facts);
    }
    let mut days = count_working_days(ask.days, minutes_per_day, &mut facts_of);
    for half in days.iter_mut().filter(|day| day.part != DayPart::Full) {
        half.minutes = half.minutes.min(room(half.date, facts_of(half.date).working).charge);
    }
    if rule == SandwichRule::None {
        return days;
    }
    if rule == SandwichRule::CalendarDays {
        for day in &mut days {
            if let Some(reason) = rule.counted(day.reason) {
                (day.minutes, day.reason) = (day.part.minutes(minutes_per_day), reason);
            }
        }
        return days;
    }
    let mut gaps = Vec::new();
    let mut gap = Gap::default();
    walk(ask.days, &mut facts_of, |date, facts| {
        match DayReason::of(facts) {
            DayReason::WorkingDay => {
                gaps.extend(std::mem::take(&mut gap).closed(date));
                gap.after = Some(date);
            }
            DayReason::NotEmployed => gap = Gap::default(),
            off => gap.days.push((date, off, facts.holiday)),
        };
    });
    for gap in gaps {
        let Some(beside) = gap.paid_by(ask, others) else { continue };
        for (date, off, holiday) in gap.days {
            let Some(reason) = rule.counted(off) else { continue };
            let counted = CountedDay {
                date,
                part: DayPart::Full,
                minutes: minutes_per_day,
                reason,
                holiday: holiday.map(str::to_owned),
                working_fraction: None,
                beside,
            };
            match days.binary_search_by_key(&date, |day| day.date) {
                Ok(at) => days.splice(at..=at, [counted]).for_each(drop),
                Err(at) => days.insert(at, counted),
            }
        }
    }
    days
}

/// The count of a request without what it paid for because of another request, which is gone.
///
/// What is left is what it would have been had the other one never been.
#[must_use]
pub fn count_without(days: &[CountedDay], own: InclusiveDays, gone: LeaveRequestId) -> Vec<CountedDay> {
    let mut left = Vec::with_capacity(days.len());
    for day in days {
        match (day.beside == Some(gone), own.part_of(day.date)) {
            (false, _) => left.push(day.clone()),
            (true, None) => {}
            (true, Some(part)) => left.push(CountedDay {
                part,
                minutes: 0,
                reason: day.reason.alone(),
                beside: None,
                ..day.clone()
            }),
        }
    }
    left
}

/// Days off between two working days.
#[derive(Default)]
struct Gap<'a> {
    /// The working day before it.
    after: Option<Date>,
    days: Vec<(Date, DayReason, Option<&'a str>)>,
    /// The working day after it.
    before: Option<Date>,
}

impl Gap<'_> {
    /// The gap, if it is one, now that a working day comes.
    fn closed(self, before: Date) -> Option<Self> {
        let is_gap = self.after.is_some() && (1..=LONGEST_GAP).contains(&self.days.len());
        is_gap.then_some(Self { before: Some(before), ..self })
    }

    /// Whether a request pays for the gap: because of another one, or (`Some(None)`) of itself alone.
    fn paid_by(&self, ask: &Absence, others: &[Absence]) -> Option<Option<LeaveRequestId>> {
        let on_leave = |date: Option<Date>, half| {
            let date = date?;
            std::iter::once(ask).chain(others).find(|one| one.covers(date, half))
        };
        let (one, two) = (on_leave(self.after, 2)?, on_leave(self.before, 1)?);
        let other = match (one.request_id == ask.request_id, two.request_id == ask.request_id) {
            (true, true) => return Some(None),
            (true, false) => two,
            (false, true) => one,
            // A leave of nothing but days off, or other people's gap.
            (false, false) => return None,
        };
        (other.made() < ask.made()).then_some(Some(other.request_id))
    }
}

/// Shows every day of a leave and of the days off around it, up to the next working day on each side.
fn walk<'a>(
    leave: InclusiveDays,
    mut facts_of: impl FnMut(Date) -> DayFacts<'a>,
    mut see: impl FnMut(Date, DayFacts<'a>),
) {
    let mut first = leave.starts_on;
    for _ in 0..=LONGEST_GAP {
        let Ok(before) = first.yesterday() else { break };
        first = before;
        if !DayReason::of(facts_of(first)).is_off() {
            break;
        }
    }
    let mut beyond = 0;
    let _ = first.series(jiff::Span::new().days(1)).try_for_each(|day| {
        let facts = facts_of(day);
        see(day, facts);
        if day > leave.ends_on {
            beyond += 1;
            if !DayReason::of(facts).is_off() || beyond > LONGEST_GAP {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    });
}

#[cfg(test)]
mod tests;
