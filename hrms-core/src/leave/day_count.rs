//! Which days of a leave count, and why: a named rule with a trace (P9).

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::coded;
use super::hours::{DayHours, Room};
use crate::id::LeaveRequestId;
use crate::work_pattern::WorkingTime;

coded! {
    /// Which part of a day.
    #[derive(Default)]
    DayPart {
        /// All of it.
        #[default]
        Full = "full",
        /// The half before the break.
        FirstHalf = "first_half",
        /// The half after the break.
        SecondHalf = "second_half",
    }
}

impl DayPart {
    /// The minutes of this part of a working day.
    #[must_use]
    pub const fn minutes(self, minutes_per_day: i64) -> i64 {
        let first = minutes_per_day / 2;
        match self {
            Self::Full => minutes_per_day,
            Self::FirstHalf => first,
            Self::SecondHalf => minutes_per_day - first,
        }
    }

    /// The numbers of the halves that it covers.
    #[must_use]
    pub const fn halves(self) -> &'static [i64] {
        match self {
            Self::Full => &[1, 2],
            Self::FirstHalf => &[1],
            Self::SecondHalf => &[2],
        }
    }
}

/// The days of a leave as people say them: the last day is included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InclusiveDays {
    /// The first day.
    pub starts_on: Date,
    /// The last day.
    pub ends_on: Date,
    /// Which part of the first day.
    pub start_part: DayPart,
    /// Which part of the last day; for a leave of one day the same as `start_part`.
    pub end_part: DayPart,
}

impl InclusiveDays {
    /// Every day with the part of it that is meant.
    pub fn days(self) -> impl Iterator<Item = (Date, DayPart)> {
        let every = self.starts_on.series(jiff::Span::new().days(1));
        every.map_while(move |day| self.part_of(day).map(|part| (day, part)))
    }

    /// Which part of a day is meant; `None` for a day outside.
    #[must_use]
    pub fn part_of(self, day: Date) -> Option<DayPart> {
        if day < self.starts_on || day > self.ends_on {
            None
        } else if day == self.starts_on {
            Some(self.start_part)
        } else if day == self.ends_on {
            Some(self.end_part)
        } else {
            Some(DayPart::Full)
        }
    }
}

coded! {
    /// Why a day counts or doesn't.
    DayReason {
        /// It is worked, so it counts.
        WorkingDay = "working_day",
        /// A day that isn't worked by the pattern in force then.
        WeeklyOff = "weekly_off",
        /// A holiday of the location.
        Holiday = "holiday",
        /// A day that isn't worked but counts, as there is leave on both sides of it.
        WeeklyOffBetween = "weekly_off_between",
        /// A holiday that counts, as there is leave on both sides of it.
        HolidayBetween = "holiday_between",
        /// The employee isn't employed then.
        NotEmployed = "not_employed",
    }
}

impl DayReason {
    /// What a day is by itself.
    #[must_use]
    pub const fn of(facts: DayFacts<'_>) -> Self {
        if !facts.employed {
            Self::NotEmployed
        } else if facts.holiday.is_some() {
            Self::Holiday
        } else if facts.working.is_off() {
            Self::WeeklyOff
        } else {
            Self::WorkingDay
        }
    }

    /// Whether it is a day off by itself.
    pub(super) const fn is_off(self) -> bool {
        matches!(self, Self::WeeklyOff | Self::Holiday)
    }

    /// What the day is without the leave around it.
    pub(super) const fn alone(self) -> Self {
        match self {
            Self::WeeklyOffBetween => Self::WeeklyOff,
            Self::HolidayBetween => Self::Holiday,
            other => other,
        }
    }
}

/// One day of a leave: what it counts for, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CountedDay {
    /// The day.
    pub date: Date,
    /// Which part of it was asked for; `full` for leave in hours.
    pub part: DayPart,
    /// Minutes that it counts for.
    pub minutes: i64,
    /// Why.
    pub reason: DayReason,
    /// Name of the holiday, when it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holiday: Option<String>,
    /// The part of a whole day that is worked on it, as a decimal number such as `0.5`, when it isn't a whole one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_fraction: Option<String>,
    /// The employee's other request because of which it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<LeaveRequestId>,
}

/// What is known of one day at the employee's workplace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayFacts<'a> {
    /// Whether the employee is employed then.
    pub employed: bool,
    /// What is worked then, by the pattern in force.
    pub working: WorkingTime,
    /// The name of the holiday, when it is one.
    pub holiday: Option<&'a str>,
}

/// Counts working days of the employee: days off and holidays inside a leave don't count, and a day that is worked in part
/// counts for that part.
///
/// A holiday is named as such also when it falls on a day off.
pub fn count_working_days<'a>(
    days: InclusiveDays,
    minutes_per_day: i64,
    mut facts_of: impl FnMut(Date) -> DayFacts<'a>,
) -> Vec<CountedDay> {
    days.days()
        .map(|(date, part)| {
            let facts = facts_of(date);
            let reason = DayReason::of(facts);
            let works = reason == DayReason::WorkingDay;
            CountedDay {
                date,
                part,
                minutes: if works { part.minutes(facts.working.share_of(minutes_per_day)) } else { 0 },
                reason,
                holiday: facts.holiday.filter(|_| reason == DayReason::Holiday).map(str::to_owned),
                working_fraction: if works { facts.working.fraction() } else { None },
                beside: None,
            }
        })
        .collect()
}

/// Counts a leave of some hours of one day, which takes no more than other leave leaves of it.
pub(super) fn count_hours(
    date: Date,
    hours: DayHours,
    room: Room,
    minutes_per_day: i64,
    facts: DayFacts<'_>,
) -> Vec<CountedDay> {
    let day =
        InclusiveDays { starts_on: date, ends_on: date, start_part: DayPart::Full, end_part: DayPart::Full };
    let mut counted = count_working_days(day, minutes_per_day, |_| facts);
    for day in counted.iter_mut().filter(|day| day.reason == DayReason::WorkingDay) {
        day.minutes = room.charge(hours, facts.working, minutes_per_day);
    }
    counted
}

/// The minutes of a count.
#[must_use]
pub fn total_minutes(days: &[CountedDay]) -> i64 {
    days.iter().map(|day| day.minutes).sum()
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use jiff::civil::{Weekday, date};
    use proptest::prelude::*;

    use super::*;
    use crate::work_pattern::{DayOfWeek, NthWeekday, WorkRule, WorkWeek};

    /// Monday to Friday.
    fn plain(day: Date) -> DayFacts<'static> {
        DayFacts { employed: true, working: WorkRule::default().on(day), holiday: None }
    }

    fn days(starts_on: Date, start_part: DayPart, ends_on: Date, end_part: DayPart) -> InclusiveDays {
        InclusiveDays { starts_on, ends_on, start_part, end_part }
    }

    #[test]
    fn a_weekend_inside_does_not_count() {
        let friday_to_monday = days(date(2026, 6, 5), DayPart::Full, date(2026, 6, 8), DayPart::Full);
        let trace = count_working_days(friday_to_monday, 480, plain);
        let reasons: Vec<_> = trace.iter().map(|day| (day.minutes, day.reason.code())).collect();
        assert_eq!(
            reasons,
            [(480, "working_day"), (0, "weekly_off"), (0, "weekly_off"), (480, "working_day")]
        );
    }

    #[test]
    fn halves_at_both_ends_count_half() {
        // Monday afternoon to Wednesday: 0.5 + 1 + 1.
        let some = days(date(2026, 6, 8), DayPart::SecondHalf, date(2026, 6, 10), DayPart::Full);
        assert_eq!(total_minutes(&count_working_days(some, 480, plain)), 1200);
        let morning = days(date(2026, 6, 8), DayPart::FirstHalf, date(2026, 6, 8), DayPart::FirstHalf);
        assert_eq!(total_minutes(&count_working_days(morning, 480, plain)), 240);
        // An odd number of minutes is split without loss.
        assert_eq!(DayPart::FirstHalf.minutes(455) + DayPart::SecondHalf.minutes(455), 455);
    }

    #[test]
    fn holidays_and_days_outside_employment_are_named() {
        let week = days(date(2026, 6, 4), DayPart::Full, date(2026, 6, 8), DayPart::Full);
        let trace = count_working_days(week, 480, |day| DayFacts {
            employed: day < date(2026, 6, 8),
            holiday: (day == date(2026, 6, 4)).then_some("Corpus Christi"),
            ..plain(day)
        });
        assert_eq!(trace.first().and_then(|day| day.holiday.as_deref()), Some("Corpus Christi"));
        assert_eq!(trace.last().map(|day| day.reason), Some(DayReason::NotEmployed));
        assert_eq!(total_minutes(&trace), 480);
    }

    /// LV-29: a whole day of leave on a half-working Saturday takes half a day; half of it a quarter.
    #[test]
    fn a_half_working_day_counts_by_its_fraction() {
        let week = WorkWeek { saturday: 240, ..WorkWeek::monday_to_friday(480) };
        let rule = WorkRule { weeks: vec![week], ..WorkRule::default() };
        let facts = |day| DayFacts { working: rule.on(day), ..plain(day) };
        let saturday = |part| days(date(2026, 6, 6), part, date(2026, 6, 6), part);
        let trace = count_working_days(saturday(DayPart::Full), 480, facts);
        assert_eq!(total_minutes(&trace), 240);
        assert_eq!(trace[0].working_fraction.as_deref(), Some("0.5"));
        let half = count_working_days(saturday(DayPart::FirstHalf), 480, facts);
        assert_eq!(total_minutes(&half), 120);
        // Two halves are the whole, whatever the day and the type stand for.
        for minutes_per_day in [449, 450, 451, 452] {
            let parts = [DayPart::FirstHalf, DayPart::SecondHalf, DayPart::Full];
            let [first, second, whole] =
                parts.map(|part| total_minutes(&count_working_days(saturday(part), minutes_per_day, facts)));
            assert_eq!(first + second, whole);
        }
    }

    /// LV-43: Friday 12 June to Monday 15 June where the second Saturday and Sundays are off: two days.
    #[test]
    fn the_second_saturday_is_off() {
        let week = WorkWeek { saturday: 480, ..WorkWeek::monday_to_friday(480) };
        let off = |nth| NthWeekday { weekday: DayOfWeek::Saturday, nth, minutes: 0 };
        let rule = WorkRule { weeks: vec![week], nth_weekdays: vec![off(2), off(4)], ..WorkRule::default() };
        let facts = |day| DayFacts { working: rule.on(day), ..plain(day) };
        let four = days(date(2026, 6, 12), DayPart::Full, date(2026, 6, 15), DayPart::Full);
        assert_eq!(total_minutes(&count_working_days(four, 480, facts)), 2 * 480);
        let week_later = days(date(2026, 6, 19), DayPart::Full, date(2026, 6, 22), DayPart::Full);
        assert_eq!(total_minutes(&count_working_days(week_later, 480, facts)), 3 * 480);
    }

    proptest! {
        #[test]
        fn every_day_is_traced_once_in_order(start in 0i64..3000, length in 0i64..400) {
            let first = date(2020, 1, 1) + start.days();
            let last = first + length.days();
            let trace = count_working_days(days(first, DayPart::Full, last, DayPart::Full), 480, plain);
            prop_assert_eq!(trace.len() as i64, length + 1);
            for (index, day) in trace.iter().enumerate() {
                prop_assert_eq!(day.date, first + (index as i64).days());
                let works = !matches!(day.date.weekday(), Weekday::Saturday | Weekday::Sunday);
                prop_assert_eq!(day.minutes, if works { 480 } else { 0 });
            }
        }
    }
}
