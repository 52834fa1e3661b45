//! Leave of some hours of a day.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::day_count::{DayFacts, DayPart, DayReason, InclusiveDays};
use super::sandwich::Absence;
use crate::validate::Check;
use crate::work_pattern::WorkingTime;

/// The minutes of a day.
const DAY: i64 = 24 * 60;

/// The border between the two halves of a day, where hours and half days meet.
const MIDDAY: i64 = DAY / 2;

/// A time of the day on the clock of the workplace, in whole minutes: `00:00` to `24:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, example = "13:30"))]
pub struct TimeOfDay(i64);

impl TimeOfDay {
    /// The time so many minutes after midnight; `None` beyond the day.
    #[must_use]
    pub fn from_minutes(minutes: i64) -> Option<Self> {
        (0..=DAY).contains(&minutes).then_some(Self(minutes))
    }

    /// The minutes since midnight.
    #[must_use]
    pub const fn minutes(self) -> i64 {
        self.0
    }

    /// The time that this text is: `HH:MM` and nothing else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (hours, minutes) = text.split_once(':')?;
        let number = |part: &str| {
            let digits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            if digits { part.parse::<i64>().ok() } else { None }
        };
        let (hours, minutes) = (number(hours)?, number(minutes)?);
        if minutes < 60 { Self::from_minutes(hours * 60 + minutes) } else { None }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl Serialize for TimeOfDay {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("this is not a time of the day such as 13:30"))
    }
}

/// Some hours of one day: from a time to a time, or an amount of minutes without saying when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct DayHours {
    /// When it begins, on the clock of the workplace, as in `13:30`.
    pub start_time: Option<TimeOfDay>,
    /// When it ends: up to but not including this minute; `24:00` is the end of the day.
    pub end_time: Option<TimeOfDay>,
    /// The minutes, for an amount without times. The employee has no other leave on that day then.
    pub minutes: Option<i64>,
}

impl DayHours {
    /// The minutes asked for.
    #[must_use]
    pub fn asked(self) -> i64 {
        match (self.start_time, self.end_time, self.minutes) {
            (Some(start), Some(end), _) => end.0 - start.0,
            (_, _, minutes) => minutes.unwrap_or_default(),
        }
    }

    /// The part of a day that this is, if nothing else is taken of it: no more than is worked then.
    pub(super) fn of(self, working: WorkingTime) -> WorkingTime {
        WorkingTime { minutes: self.asked().min(working.minutes), ..working }
    }

    /// The minutes of the day that it occupies.
    pub(super) fn range(self) -> (i64, i64) {
        match (self.start_time, self.end_time) {
            (Some(start), Some(end)) => (start.0, end.0),
            // Nobody knows when.
            _ => (0, DAY),
        }
    }

    /// Collects what is wrong with it.
    pub(super) fn check(self, check: &mut Check) {
        match (self.start_time, self.end_time, self.minutes) {
            (Some(start), Some(end), None) if end <= start => {
                check.fault("/hours/end_time", "not-after-start", "this must lie after the start");
            }
            (Some(_), Some(_), None) => {}
            (None, None, Some(minutes)) if (1..=DAY).contains(&minutes) => {}
            (None, None, Some(_)) => {
                check.fault("/hours/minutes", "out-of-range", "a day has 1 to 1440 minutes");
            }
            _ => check.fault("/hours", "one-of", "say either from when to when or how many minutes"),
        }
    }
}

/// What other leave leaves of a working day. Patterns know no times of the day, so amounts are all there is to compare: all
/// leave of a day together is never more than the day.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Minutes of work.
    pub(super) minutes: i64,
    /// The same in minutes of the leave type that is asked for.
    pub(super) charge: i64,
}

impl Room {
    /// The room beside these requests of the employee, of whatever type.
    pub(super) fn beside<'a>(
        others: impl IntoIterator<Item = &'a Absence>,
        day: jiff::civil::Date,
        working: WorkingTime,
        minutes_per_day: i64,
    ) -> Self {
        let mut room = Self { minutes: working.minutes, charge: working.share_of(minutes_per_day) };
        for (part, hours) in others.into_iter().filter_map(|one| Some((one.days.part_of(day)?, one.hours))) {
            let (minutes, charge) = match hours.map(|hours| hours.of(working)) {
                Some(hours) => (hours.minutes, hours.share_of(minutes_per_day)),
                None => (part.minutes(working.minutes), part.minutes(working.share_of(minutes_per_day))),
            };
            room = Self { minutes: room.minutes - minutes, charge: room.charge - charge };
        }
        Self { minutes: room.minutes.max(0), charge: room.charge.max(0) }
    }

    /// What hours of the day come to within this room, in minutes of the leave type.
    pub(super) fn charge(self, hours: DayHours, working: WorkingTime, minutes_per_day: i64) -> i64 {
        let minutes = hours.of(working).minutes.min(self.minutes);
        WorkingTime { minutes, ..working }.share_of(minutes_per_day).min(self.charge)
    }
}

/// The first day on which a request doesn't fit beside other leave, with the minutes of work that are left of it.
///
/// Alone, hours beyond the working day do no harm: they are charged as a whole one.
pub(super) fn first_full_day<'f>(
    ask: &Absence,
    others: &[Absence],
    facts_of: impl Fn(jiff::civil::Date) -> DayFacts<'f>,
) -> Option<(jiff::civil::Date, i64)> {
    ask.days.days().find_map(|(day, part)| {
        let facts = facts_of(day);
        let wanted = match ask.hours {
            Some(hours) => hours.of(facts.working).minutes,
            None => part.minutes(facts.working.minutes),
        };
        let room = Room::beside(others, day, facts.working, 1);
        let is_full = DayReason::of(facts) == DayReason::WorkingDay && wanted > room.minutes;
        is_full.then_some((day, room.minutes))
    })
}

/// Minutes of a day that a request keeps from others of the employee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OccupiedTime {
    /// The day.
    pub day: jiff::civil::Date,
    /// The half of the day in which it begins: 1 or 2.
    pub half: i64,
    /// The first minute since midnight.
    pub from_minute: i64,
    /// The first minute after it.
    pub to_minute: i64,
}

impl OccupiedTime {
    /// What a leave keeps from others: days off inside it too, as nobody is on leave twice.
    pub(super) fn of(days: InclusiveDays, hours: Option<DayHours>) -> Vec<Self> {
        match hours {
            Some(hours) => vec![Self::hours(days.starts_on, hours)],
            None => days.days().flat_map(|(day, part)| Self::halves(day, part)).collect(),
        }
    }

    /// Whether both keep a minute.
    pub(super) fn overlaps(self, other: Self) -> bool {
        self.day == other.day && self.from_minute < other.to_minute && other.from_minute < self.to_minute
    }

    pub(super) fn hours(day: jiff::civil::Date, hours: DayHours) -> Self {
        let (from_minute, to_minute) = hours.range();
        Self { day, half: if from_minute < MIDDAY { 1 } else { 2 }, from_minute, to_minute }
    }

    pub(super) fn halves(day: jiff::civil::Date, part: DayPart) -> impl Iterator<Item = Self> {
        part.halves().iter().map(move |half| match half {
            1 => Self { day, half: 1, from_minute: 0, to_minute: MIDDAY },
            _ => Self { day, half: 2, from_minute: MIDDAY, to_minute: DAY },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_hours_and_minutes() {
        for good in ["00:00", "09:05", "13:30", "23:59", "24:00"] {
            assert_eq!(TimeOfDay::parse(good).map(|time| time.to_string()).as_deref(), Some(good));
        }
        for bad in
            ["", "9:05", "09:5", "09:60", "24:01", "25:00", "-1:00", "+9:00", "09:00:00", "9am", "０９:00"]
        {
            assert_eq!(TimeOfDay::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn hours_take_no_more_than_is_worked() {
        let working = WorkingTime { minutes: 480, standard_minutes: 480 };
        let between = |start, end| DayHours {
            start_time: TimeOfDay::parse(start),
            end_time: TimeOfDay::parse(end),
            minutes: None,
        };
        assert_eq!(between("10:00", "12:30").of(working).share_of(480), 150);
        assert_eq!(between("00:00", "24:00").of(working).share_of(480), 480);
        // A day of 450 minutes of which each whole one takes 480.
        let short = WorkingTime { minutes: 450, standard_minutes: 450 };
        assert_eq!(between("10:00", "11:00").of(short).share_of(480), 64);
        assert_eq!(between("10:00", "11:00").of(WorkingTime { minutes: 0, ..short }).share_of(480), 0);
    }
}
