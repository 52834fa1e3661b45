//! When something is due, as cron says it: five fields of wall-clock time, read in a time zone.

use std::fmt;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};

/// Minute, hour, day of the month, month, day of the week, as in `30 8 1 * *`.
///
/// If both days are restricted, either will do, as in Vixie cron. Days of the week are 0 to 7 or names; 0 and 7 are Sunday.
#[derive(Clone, PartialEq, Eq)]
pub struct CronRule(Cron);

/// Why a text is no rule, for people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadRule(String);

/// The longest rule.
const LONGEST: usize = 100;

/// A wall clock shows no time so often more than once.
const MOST_REPEATED: usize = 2 * 24 * 60;

impl CronRule {
    /// Reads a rule.
    ///
    /// # Errors
    /// When it isn't one.
    pub fn parse(text: &str) -> Result<Self, BadRule> {
        if text.len() > LONGEST {
            return Err(BadRule(format!("this may have at most {LONGEST} characters")));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        parser.parse(text).map(Self).map_err(|error| BadRule(error.to_string()))
    }

    /// The first instant behind `after` at which it is due; `None` if that is never.
    ///
    /// A time that the zone's clocks skip is due at the moment at which they skip it, together with all others
    /// skipped then. A time that they show twice is due once, the first time.
    #[must_use]
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut shown: DateTime = after.to_zoned(zone.clone()).datetime();
        for _ in 0..MOST_REPEATED {
            shown = self.0.find_next_occurrence(&shown, false).ok()?;
            let due = instant(zone, shown)?;
            // Earlier if the clocks show this for the second time.
            if due > after {
                return Some(due);
            }
        }
        None
    }
}

impl fmt::Debug for CronRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.as_str())
    }
}

/// The first instant at which clocks in `zone` show this time, or skip it.
fn instant(zone: &TimeZone, shown: DateTime) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(shown);
    match ambiguous.offset() {
        AmbiguousOffset::Gap { after, .. } => {
            // By the later offset the time falls before the gap.
            let before = after.to_timestamp(shown).ok()?;
            zone.following(before).next().map(|transition| transition.timestamp())
        }
        _ => ambiguous.earlier().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first so many times at which `rule` is due behind `after`.
    fn due(rule: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let (rule, zone) = (CronRule::parse(rule).unwrap(), TimeZone::get(zone).unwrap());
        let mut at: Timestamp = after.parse().unwrap();
        let mut all = Vec::new();
        for _ in 0..count {
            at = rule.next(at, &zone).unwrap();
            all.push(at.to_string());
        }
        all
    }

    #[test]
    fn a_rule_is_read_in_its_zone() {
        assert_eq!(
            due("30 8 1 * *", "Asia/Kolkata", "2026-01-15T00:00:00Z", 2),
            ["2026-02-01T03:00:00Z", "2026-03-01T03:00:00Z"]
        );
        // Either day will do.
        assert_eq!(
            due("0 0 13 * FRI", "UTC", "2026-02-12T12:00:00Z", 3),
            ["2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z", "2026-02-27T00:00:00Z"]
        );
        assert_eq!(
            due("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", 2),
            ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]
        );
    }

    #[test]
    fn a_skipped_time_is_due_once_right_after_the_gap() {
        // Clocks in New York go from 2:00 to 3:00 on 8 March 2026, at 7:00 UTC.
        assert_eq!(
            due("30 2 * * *", "America/New_York", "2026-03-07T08:00:00Z", 2),
            ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"]
        );
        assert_eq!(
            due("*/20 * * * *", "America/New_York", "2026-03-08T06:30:00Z", 3),
            ["2026-03-08T06:40:00Z", "2026-03-08T07:00:00Z", "2026-03-08T07:20:00Z"]
        );
        // Half an hour on Lord Howe Island, at midnight in Havana, a whole day in Samoa.
        assert_eq!(
            due("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2),
            ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"]
        );
        assert_eq!(
            due("0 0 * * *", "America/Havana", "2026-03-07T12:00:00Z", 2),
            ["2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"]
        );
        assert_eq!(
            due("0 9 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z", 3),
            ["2011-12-29T19:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T19:00:00Z"]
        );
    }

    #[test]
    fn a_repeated_time_is_due_once_at_first() {
        // Clocks in Berlin go from 3:00 back to 2:00 on 25 October 2026, at 1:00 UTC.
        assert_eq!(
            due("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
        assert_eq!(
            due("*/30 * * * *", "Europe/Berlin", "2026-10-25T00:10:00Z", 3),
            ["2026-10-25T00:30:00Z", "2026-10-25T02:00:00Z", "2026-10-25T02:30:00Z"]
        );
        // Also if one asks while the hour goes by for the second time.
        assert_eq!(due("45 2 * * *", "Europe/Berlin", "2026-10-25T01:15:00Z", 1), ["2026-10-26T01:45:00Z"]);
    }

    #[test]
    fn what_is_never_due_says_so() {
        let never = CronRule::parse("0 0 30 2 *").unwrap();
        assert_eq!(never.next(Timestamp::UNIX_EPOCH, &TimeZone::UTC), None);
        let last = CronRule::parse("* * * * *").unwrap();
        assert_eq!(last.next(Timestamp::MAX, &TimeZone::UTC), None);
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        for text in [
            "",
            "*",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "a b c d e",
            "😀 * * * *",
            "*/0 * * * *",
            "5-1 * * * *",
        ] {
            assert!(CronRule::parse(text).is_err(), "{text}");
        }
        assert!(CronRule::parse(&"1,".repeat(500)).is_err());
    }

    proptest::proptest! {
        #[test]
        fn times_always_go_on_and_match(minute in 0u8..60, hour in 0u8..24, from in 0i64..4_000_000_000, zone in 0usize..5) {
            let zone = ["Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"][zone];
            let zone = TimeZone::get(zone).unwrap();
            let rule = CronRule::parse(&format!("{minute} {hour} * * *")).unwrap();
            let after = Timestamp::from_second(from).unwrap();
            let next = rule.next(after, &zone).unwrap();
            proptest::prop_assert!(next > after);
            proptest::prop_assert!(next.duration_since(after) <= jiff::SignedDuration::from_hours(49));
        }
    }
}
