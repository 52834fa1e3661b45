//! Leave years and periods: where they begin and end.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};

use super::rules::{AccrualLevel, Earning, Frequency, LeaveYear, MonthDay, PeriodStart};
use crate::work_pattern::DayOfWeek;

/// Days from `from` up to but not including `to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Days {
    pub from: Date,
    pub to: Date,
}

impl Days {
    /// How many; 0 for a period that ends before it begins.
    pub(super) fn count(self) -> i128 {
        days_between(self.from, self.to).max(0)
    }

    /// The days in both, if any.
    pub(super) fn intersect(self, other: Self) -> Option<Self> {
        let both = Self { from: self.from.max(other.from), to: self.to.min(other.to) };
        (both.from < both.to).then_some(both)
    }

    pub(super) fn contains(self, day: Date) -> bool {
        self.from <= day && day < self.to
    }

    /// The last day.
    pub(super) fn last(self) -> Date {
        self.to.saturating_sub(1.day())
    }

    /// Each day.
    pub(super) fn iter(self) -> impl Iterator<Item = Date> {
        self.from.series(1.day()).take_while(move |day| *day < self.to)
    }

    /// The months that it is made of, counted from its first day.
    pub(super) fn months(self) -> impl Iterator<Item = Self> {
        let start = move |month: i32| self.from.saturating_add(month.months());
        (0..)
            .map(move |month| Self { from: start(month), to: start(month + 1).min(self.to) })
            .take_while(move |month| month.from < self.to)
    }
}

pub(super) fn days_between(from: Date, to: Date) -> i128 {
    i128::from(from.duration_until(to).as_hours() / 24)
}

/// The leave year that a day is in, for somebody who joined on a day.
pub(super) fn leave_year(rule: LeaveYear, joined: Date, day: Date) -> Days {
    year_around(begin(rule, joined), day)
}

/// The first days of the leave years that days from `from` to `last` are in.
pub(in crate::leave) fn year_starts(rule: LeaveYear, joined: Date, from: Date, last: Date) -> Vec<Date> {
    let mut starts = Vec::new();
    let mut year = leave_year(rule, joined, from);
    while year.from <= last && year.to > year.from {
        starts.push(year.from);
        year = leave_year(rule, joined, year.to);
    }
    starts
}

fn begin(rule: LeaveYear, joined: Date) -> MonthDay {
    match rule {
        LeaveYear::On(day) => day,
        LeaveYear::Anniversary => MonthDay::of(joined),
    }
}

/// The year from one such day of a year to the next that a day is in.
pub(super) fn year_around(begin: MonthDay, day: Date) -> Days {
    let year = day.year();
    let this = begin.in_year(year);
    if this <= day {
        Days { from: this, to: begin.in_year(year.saturating_add(1)) }
    } else {
        Days { from: begin.in_year(year.saturating_sub(1)), to: this }
    }
}

/// The first day after `day` that is this day of a year.
pub(super) fn next_of(begin: MonthDay, day: Date) -> Date {
    year_around(begin, day).to
}

/// The periods of a level that touch some days, in order.
pub(super) fn periods(level: &AccrualLevel, rule: LeaveYear, joined: Date, within: Days) -> Vec<Days> {
    let periods = match level.every {
        Frequency::Daily => within.iter().map(|day| Days { from: day, to: next(day) }).collect(),
        Frequency::Weekly => {
            let first = match level.begins {
                PeriodStart::Weekday(day) => weekday(day),
                _ => Weekday::Monday,
            };
            let weeks = weeks(first, within);
            // A part of a yearly amount belongs to one leave year.
            if matches!(level.earn, Earning::PerYear(_)) { cut_at_years(weeks, rule, joined) } else { weeks }
        }
        _ => between(&starts(level, rule, joined), within),
    };
    periods.into_iter().filter(|period| period.intersect(within).is_some()).collect()
}

fn next(day: Date) -> Date {
    day.saturating_add(1.day())
}

const fn weekday(day: DayOfWeek) -> Weekday {
    match day {
        DayOfWeek::Monday => Weekday::Monday,
        DayOfWeek::Tuesday => Weekday::Tuesday,
        DayOfWeek::Wednesday => Weekday::Wednesday,
        DayOfWeek::Thursday => Weekday::Thursday,
        DayOfWeek::Friday => Weekday::Friday,
        DayOfWeek::Saturday => Weekday::Saturday,
        DayOfWeek::Sunday => Weekday::Sunday,
    }
}

fn weeks(first: Weekday, within: Days) -> Vec<Days> {
    let back = i64::from(within.from.weekday().since(first));
    let start = within.from.saturating_sub(back.days());
    let starts = start.series(1.week()).take_while(|start| *start < within.to);
    starts.map(|from| Days { from, to: from.saturating_add(1.week()) }).collect()
}

fn cut_at_years(weeks: Vec<Days>, rule: LeaveYear, joined: Date) -> Vec<Days> {
    let mut cut = Vec::with_capacity(weeks.len());
    for week in weeks {
        let year = leave_year(rule, joined, week.from);
        cut.extend(week.intersect(year));
        if year.to < week.to {
            cut.push(Days { from: year.to, to: week.to });
        }
    }
    cut
}

/// On which days of a year periods of months begin.
fn starts(level: &AccrualLevel, rule: LeaveYear, joined: Date) -> Vec<MonthDay> {
    let periods = level.every.periods_a_year().unwrap_or(1);
    let spread = |first: MonthDay| -> Vec<MonthDay> {
        (0..periods.min(12)).map(|index| first.plus_months(index * (12 / periods.min(12)))).collect()
    };
    match level.begins {
        PeriodStart::Date(day) => vec![day],
        PeriodStart::HalfYears(days) => days.to_vec(),
        PeriodStart::Quarters(days) => days.to_vec(),
        PeriodStart::Day(day) => spread(MonthDay::NEW_YEAR.with_day(day)),
        PeriodStart::JoiningDay => spread(MonthDay::of(joined)),
        PeriodStart::Days(days) => twice(&spread(MonthDay::NEW_YEAR), days),
        PeriodStart::LeaveYear | PeriodStart::Weekday(_) if level.every == Frequency::TwiceMonthly => {
            twice(&spread(MonthDay::NEW_YEAR), [1, 16])
        }
        PeriodStart::LeaveYear | PeriodStart::Weekday(_) => spread(begin(rule, joined)),
    }
}

fn twice(months: &[MonthDay], days: [i8; 2]) -> Vec<MonthDay> {
    months.iter().flat_map(|month| days.map(|day| month.with_day(day))).collect()
}

fn between(starts: &[MonthDay], within: Days) -> Vec<Days> {
    let first = within.from.year().saturating_sub(1);
    let last = within.to.year().saturating_add(1);
    let mut dates: Vec<Date> =
        (first..=last).flat_map(|year| starts.iter().map(move |start| start.in_year(year))).collect();
    dates.sort_unstable();
    dates.dedup();
    dates.iter().zip(dates.iter().skip(1)).map(|(from, to)| Days { from: *from, to: *to }).collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn level(text: &str) -> AccrualLevel {
        serde_json::from_str(&format!(r#"{{"earn":{{"per_year":{{"days":"12"}}}},{text}}}"#)).unwrap()
    }

    fn firsts(text: &str, joined: Date, from: Date, to: Date) -> Vec<String> {
        let rule = LeaveYear::On(MonthDay::NEW_YEAR);
        let periods = periods(&level(text), rule, joined, Days { from, to });
        periods.iter().map(|period| period.from.to_string()).collect()
    }

    #[test]
    fn the_joining_day_is_clamped_and_comes_back() {
        let months = firsts(
            r#""every":"monthly","begins":"joining_day""#,
            date(2026, 8, 31),
            date(2027, 1, 31),
            date(2027, 5, 1),
        );
        assert_eq!(months, ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30"]);
    }

    #[test]
    fn weeks_of_a_yearly_amount_are_cut_at_the_year() {
        let weeks = firsts(r#""every":"weekly""#, date(2020, 1, 1), date(2026, 12, 28), date(2027, 1, 5));
        assert_eq!(weeks, ["2026-12-28", "2027-01-01", "2027-01-04"]);
    }

    #[test]
    fn quarters_follow_the_leave_year() {
        let rule = LeaveYear::On(MonthDay::parse("04-01").unwrap());
        let within = Days { from: date(2026, 2, 1), to: date(2026, 8, 1) };
        let quarters = periods(&level(r#""every":"quarterly""#), rule, date(2020, 1, 1), within);
        let firsts: Vec<Date> = quarters.iter().map(|quarter| quarter.from).collect();
        assert_eq!(firsts, [date(2026, 1, 1), date(2026, 4, 1), date(2026, 7, 1)]);
        assert_eq!(leave_year(rule, date(2020, 1, 1), date(2026, 3, 31)).from, date(2025, 4, 1));
    }

    #[test]
    fn months_of_a_period_are_counted_from_its_first_day() {
        let period = Days { from: date(2026, 1, 31), to: date(2026, 4, 30) };
        let months: Vec<Date> = period.months().map(|month| month.from).collect();
        assert_eq!(months, [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31)]);
    }
}
