//! What a working pattern says of a day: a pure function of the date.

use jiff::civil::{Date, Weekday, date};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::employment::coded;
use crate::validate::Check;

/// The most weeks of one cycle.
pub const MAX_WEEKS: usize = 53;

/// The most minutes of one day.
const MAX_MINUTES: i64 = 1440;

/// The least minutes of a whole working day.
const LEAST_STANDARD: i64 = 60;

/// Some Monday, to number weeks by.
const MONDAY: Date = date(1900, 1, 1);

coded! {
    /// A day of the week.
    DayOfWeek {
        /// Monday.
        Monday = "monday",
        /// Tuesday.
        Tuesday = "tuesday",
        /// Wednesday.
        Wednesday = "wednesday",
        /// Thursday.
        Thursday = "thursday",
        /// Friday.
        Friday = "friday",
        /// Saturday.
        Saturday = "saturday",
        /// Sunday.
        Sunday = "sunday",
    }
}

impl From<Weekday> for DayOfWeek {
    fn from(day: Weekday) -> Self {
        match day {
            Weekday::Monday => Self::Monday,
            Weekday::Tuesday => Self::Tuesday,
            Weekday::Wednesday => Self::Wednesday,
            Weekday::Thursday => Self::Thursday,
            Weekday::Friday => Self::Friday,
            Weekday::Saturday => Self::Saturday,
            Weekday::Sunday => Self::Sunday,
        }
    }
}

/// The minutes that are worked on each day of a week; 0 for a day off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct WorkWeek {
    /// On Monday.
    pub monday: i64,
    /// On Tuesday.
    pub tuesday: i64,
    /// On Wednesday.
    pub wednesday: i64,
    /// On Thursday.
    pub thursday: i64,
    /// On Friday.
    pub friday: i64,
    /// On Saturday.
    pub saturday: i64,
    /// On Sunday.
    pub sunday: i64,
}

impl WorkWeek {
    /// The same minutes from Monday to Friday.
    #[must_use]
    pub const fn monday_to_friday(minutes: i64) -> Self {
        Self {
            monday: minutes,
            tuesday: minutes,
            wednesday: minutes,
            thursday: minutes,
            friday: minutes,
            saturday: 0,
            sunday: 0,
        }
    }

    /// The minutes of a day of the week.
    #[must_use]
    pub const fn minutes_on(self, day: DayOfWeek) -> i64 {
        match day {
            DayOfWeek::Monday => self.monday,
            DayOfWeek::Tuesday => self.tuesday,
            DayOfWeek::Wednesday => self.wednesday,
            DayOfWeek::Thursday => self.thursday,
            DayOfWeek::Friday => self.friday,
            DayOfWeek::Saturday => self.saturday,
            DayOfWeek::Sunday => self.sunday,
        }
    }
}

/// A day of the week counted within its month, such as the second Saturday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NthWeekday {
    /// Which day of the week.
    pub weekday: DayOfWeek,
    /// Which one of its month: 1 to 5, or -1 for the last.
    pub nth: i64,
    /// The minutes that are worked then. Default 0: a day off.
    #[serde(default)]
    pub minutes: i64,
}

impl NthWeekday {
    fn is_on(self, on: Date) -> bool {
        let nth = i64::from(on.day() - 1) / 7 + 1;
        let last = on.day() + 7 > on.days_in_month();
        self.weekday == on.weekday().into() && (self.nth == nth || (self.nth == -1 && last))
    }
}

/// Which days are worked, and how much of each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct WorkRule {
    /// The minutes of a whole working day.
    pub standard_minutes: i64,
    /// The weeks of the cycle.
    pub weeks: Vec<WorkWeek>,
    /// A day in the first week of a cycle of several weeks.
    pub first_week: Option<Date>,
    /// Days of a month that are worked otherwise; of two that name the same day the later one is right.
    pub nth_weekdays: Vec<NthWeekday>,
}

impl Default for WorkRule {
    /// Eight hours from Monday to Friday: what holds for whoever has no pattern.
    fn default() -> Self {
        Self {
            standard_minutes: 480,
            weeks: vec![WorkWeek::monday_to_friday(480)],
            first_week: None,
            nth_weekdays: Vec::new(),
        }
    }
}

impl WorkRule {
    /// What is worked on a day.
    #[must_use]
    pub fn on(&self, day: Date) -> WorkingTime {
        let exception = self.nth_weekdays.iter().rev().find(|one| one.is_on(day));
        let minutes = exception.map_or_else(
            || self.week_of(day).map_or(0, |week| week.minutes_on(day.weekday().into())),
            |exception| exception.minutes,
        );
        WorkingTime { minutes, standard_minutes: self.standard_minutes }
    }

    fn week_of(&self, day: Date) -> Option<&WorkWeek> {
        let weeks = i64::try_from(self.weeks.len()).ok().filter(|weeks| *weeks > 0)?;
        let since_first = week_number(day) - self.first_week.map_or(0, week_number);
        self.weeks.get(usize::try_from(since_first.rem_euclid(weeks)).ok()?)
    }

    /// Collects what is wrong with it.
    pub(crate) fn check(&self, check: &mut Check) {
        let minutes = 0..=MAX_MINUTES;
        if !(LEAST_STANDARD..=MAX_MINUTES).contains(&self.standard_minutes) {
            // A day of eight hours would be 480 days of leave where one minute is a whole one.
            check.fault("/standard_minutes", "out-of-range", "a whole working day has 60 to 1440 minutes");
        }
        if !(1..=MAX_WEEKS).contains(&self.weeks.len()) {
            check.fault("/weeks", "out-of-range", format!("a cycle has 1 to {MAX_WEEKS} weeks"));
        }
        let days =
            || self.weeks.iter().flat_map(|week| DayOfWeek::ALL.iter().map(move |day| week.minutes_on(*day)));
        if !days().all(|day| minutes.contains(&day)) {
            check.fault("/weeks", "out-of-range", "a day has 0 to 1440 minutes");
        } else if !self.weeks.is_empty() && days().all(|day| day == 0) {
            check.fault("/weeks", "no-working-day", "at least one day must be worked");
        }
        match self.first_week {
            None if self.weeks.len() > 1 => {
                check.fault("/first_week", "required", "say in which week a cycle of several weeks begins");
            }
            Some(day) => check.date("/first_week", day),
            None => {}
        }
        let fine = |one: &NthWeekday| (1..=5).contains(&one.nth) || one.nth == -1;
        if !self.nth_weekdays.iter().all(fine) {
            check.fault("/nth_weekdays", "out-of-range", "nth is 1 to 5, or -1 for the last");
        }
        if !self.nth_weekdays.iter().all(|one| minutes.contains(&one.minutes)) {
            check.fault("/nth_weekdays", "out-of-range", "a day has 0 to 1440 minutes");
        }
        let mut named: Vec<_> = self.nth_weekdays.iter().map(|one| (one.weekday.code(), one.nth)).collect();
        named.sort_unstable();
        if named.windows(2).any(|pair| pair.first() == pair.last()) {
            check.fault("/nth_weekdays", "duplicate", "one day is named twice");
        }
    }
}

/// The number of a day's week; weeks begin on Monday.
fn week_number(day: Date) -> i64 {
    (MONDAY.duration_until(day).as_hours() / 24).div_euclid(7)
}

/// What is worked on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkingTime {
    /// The minutes that are worked; 0 on a day off.
    pub minutes: i64,
    /// The minutes of a whole working day.
    pub standard_minutes: i64,
}

impl WorkingTime {
    /// Whether nothing is worked.
    #[must_use]
    pub const fn is_off(self) -> bool {
        self.minutes == 0
    }

    /// The part of a whole day that is worked, of an amount that stands for a whole day; half a minute counts as one.
    #[must_use]
    pub const fn share_of(self, whole: i64) -> i64 {
        if self.standard_minutes <= 0 {
            return 0;
        }
        (2 * whole * self.minutes + self.standard_minutes) / (2 * self.standard_minutes)
    }

    /// The part of a whole day that is worked, as a decimal number with at most four decimals; `None` for a whole
    /// day.
    #[must_use]
    pub fn fraction(self) -> Option<String> {
        if self.minutes == self.standard_minutes {
            return None;
        }
        let fraction = Decimal::from(self.minutes).checked_div(Decimal::from(self.standard_minutes));
        Some(fraction.unwrap_or_default().round_dp(4).normalize().to_string())
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use proptest::prelude::*;

    use super::*;

    fn rule(weeks: Vec<WorkWeek>, nth: &[(DayOfWeek, i64, i64)]) -> WorkRule {
        let nth = nth.iter().map(|&(weekday, nth, minutes)| NthWeekday { weekday, nth, minutes });
        WorkRule {
            standard_minutes: 480,
            weeks,
            first_week: Some(date(2026, 6, 3)),
            nth_weekdays: nth.collect(),
        }
    }

    const SIX_DAYS: WorkWeek = WorkWeek { saturday: 480, ..WorkWeek::monday_to_friday(480) };

    fn codes(rule: &WorkRule) -> Vec<String> {
        let mut check = Check::new();
        rule.check(&mut check);
        match check.done() {
            Err(crate::error::CommonError::Invalid(faults)) => {
                faults.iter().map(|fault| format!("{} {}", fault.pointer, fault.code)).collect()
            }
            _ => Vec::new(),
        }
    }

    #[test]
    fn second_and_fourth_saturdays_are_off() {
        let saturdays = [(DayOfWeek::Saturday, 2, 0), (DayOfWeek::Saturday, 4, 0)];
        let rule = rule(vec![SIX_DAYS], &saturdays);
        assert_eq!(codes(&rule), [""; 0]);
        let worked: Vec<i64> = (0..5).map(|n| rule.on(date(2026, 5, 2) + (7 * n).days()).minutes).collect();
        assert_eq!(worked, [480, 0, 480, 0, 480], "Saturdays of May 2026");
        assert_eq!(rule.on(date(2026, 5, 11)).minutes, 480, "a Monday");
    }

    #[test]
    fn the_last_one_of_a_month_beats_its_number_when_it_is_named_later() {
        let rule = rule(vec![SIX_DAYS], &[(DayOfWeek::Saturday, 4, 0), (DayOfWeek::Saturday, -1, 240)]);
        assert_eq!(rule.on(date(2026, 6, 27)).minutes, 240, "the fourth is the last");
        assert_eq!(rule.on(date(2026, 5, 23)).minutes, 0, "the fourth of five");
        assert_eq!(rule.on(date(2026, 5, 30)).minutes, 240, "the fifth");
        assert_eq!(rule.on(date(2026, 2, 28)).minutes, 240, "the last day of a month");
    }

    #[test]
    fn weeks_take_turns_before_the_first_one_too() {
        let other = WorkWeek { monday: 480, ..WorkWeek::default() };
        let rule = rule(vec![WorkWeek::monday_to_friday(480), other], &[]);
        let tuesdays = [date(2026, 5, 26), date(2026, 6, 2), date(2026, 6, 9), date(2026, 6, 16)];
        assert_eq!(tuesdays.map(|day| rule.on(day).minutes), [0, 480, 0, 480]);
        // The week of Wednesday 3 June begins on Monday 1 June and ends on Sunday 7 June.
        assert_eq!(rule.on(date(2026, 6, 5)).minutes, 480);
        assert_eq!(rule.on(date(2026, 6, 8)).minutes, 480, "the Monday of the second week");
    }

    #[test]
    fn a_share_is_the_part_that_is_worked() {
        let day = |minutes| WorkingTime { minutes, standard_minutes: 480 };
        assert_eq!((day(240).share_of(480), day(240).fraction().as_deref()), (240, Some("0.5")));
        assert_eq!((day(480).share_of(450), day(480).fraction()), (450, None));
        assert_eq!((day(0).share_of(480), day(0).fraction().as_deref()), (0, Some("0")));
        assert_eq!((day(600).share_of(480), day(600).fraction().as_deref()), (600, Some("1.25")));
        assert_eq!(day(240).share_of(455), 228, "half a minute counts as one");
        assert_eq!(WorkingTime { minutes: 1, standard_minutes: 0 }.share_of(480), 0);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let fine = WorkRule::default();
        assert_eq!(codes(&fine), [""; 0]);
        let week = |monday| WorkWeek { monday, ..WorkWeek::default() };
        let bad = [
            (WorkRule { standard_minutes: 0, ..fine.clone() }, "/standard_minutes out-of-range"),
            (WorkRule { standard_minutes: 59, ..fine.clone() }, "/standard_minutes out-of-range"),
            (WorkRule { standard_minutes: 1441, ..fine.clone() }, "/standard_minutes out-of-range"),
            (WorkRule { weeks: vec![], ..fine.clone() }, "/weeks out-of-range"),
            (WorkRule { weeks: vec![week(1); 54], ..rule(vec![], &[]) }, "/weeks out-of-range"),
            (WorkRule { weeks: vec![week(0)], ..fine.clone() }, "/weeks no-working-day"),
            (WorkRule { weeks: vec![week(-1)], ..fine.clone() }, "/weeks out-of-range"),
            (WorkRule { weeks: vec![week(1441)], ..fine.clone() }, "/weeks out-of-range"),
            (WorkRule { weeks: vec![week(i64::MAX)], ..fine.clone() }, "/weeks out-of-range"),
            (WorkRule { weeks: vec![week(1); 2], ..fine.clone() }, "/first_week required"),
            (WorkRule { first_week: Some(date(9999, 1, 1)), ..fine }, "/first_week out-of-range"),
            (rule(vec![SIX_DAYS], &[(DayOfWeek::Sunday, 0, 0)]), "/nth_weekdays out-of-range"),
            (rule(vec![SIX_DAYS], &[(DayOfWeek::Sunday, 6, 0)]), "/nth_weekdays out-of-range"),
            (rule(vec![SIX_DAYS], &[(DayOfWeek::Sunday, 1, -5)]), "/nth_weekdays out-of-range"),
            (rule(vec![SIX_DAYS], &[(DayOfWeek::Sunday, 1, 0); 2]), "/nth_weekdays duplicate"),
        ];
        for (rule, fault) in bad {
            assert!(codes(&rule).contains(&fault.to_owned()), "{fault}: {:?}", codes(&rule));
        }
    }

    proptest! {
        /// A cycle repeats after as many weeks as it has, whenever it began.
        #[test]
        fn a_cycle_repeats(weeks in 1usize..9, day in 0i64..40_000, first in 0i64..40_000) {
            let week = |n: usize| WorkWeek { tuesday: n as i64, ..WorkWeek::monday_to_friday(1) };
            let rule = WorkRule {
                standard_minutes: 480,
                weeks: (0..weeks).map(week).collect(),
                first_week: Some(MONDAY + first.days()),
                nth_weekdays: Vec::new(),
            };
            let day = MONDAY + day.days();
            prop_assert_eq!(rule.on(day), rule.on(day + (7 * weeks as i64).days()));
        }
    }
}
