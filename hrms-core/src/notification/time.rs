//! When somebody is to be left alone, and when what has gathered is told.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use serde::{Deserialize, Serialize};

/// Hours of every day in which nothing is sent, in the person's own zone. They may go over midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct QuietHours {
    /// Their beginning, as in `22:00`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "22:00:00"))]
    pub from: Time,
    /// Their end, as in `07:00`: from then on things are sent. Not the beginning.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "07:00:00"))]
    pub to: Time,
}

impl QuietHours {
    /// Whether they last a minute at least, and leave an hour of the day.
    pub(super) fn leave_an_hour(self) -> bool {
        let seconds = self.from.duration_until(self.to).as_secs().rem_euclid(24 * 3600);
        (60..=23 * 3600).contains(&seconds)
    }

    /// Whether a time of day lies in them.
    #[must_use]
    pub fn hold(self, at: Time) -> bool {
        if self.from <= self.to { self.from <= at && at < self.to } else { self.from <= at || at < self.to }
    }
}

/// The first instant that isn't before `now` and outside quiet hours.
///
/// By the clock on the wall: where it is put forward over the end of the quiet hours, they end with that.
#[must_use]
pub fn after_quiet(now: Timestamp, zone: &TimeZone, quiet: Option<QuietHours>) -> Timestamp {
    let Some(quiet) = quiet else { return now };
    let local = now.to_zoned(zone.clone());
    if !quiet.hold(local.time()) {
        return now;
    }
    at_next(&local, quiet.to).unwrap_or(now)
}

/// The first instant behind `now` at which clocks in the zone show this time of day.
#[must_use]
pub fn next_time(now: Timestamp, zone: &TimeZone, at: Time) -> Timestamp {
    let local = now.to_zoned(zone.clone());
    at_next(&local, at).unwrap_or(now)
}

/// `None` at the end of time. A time of day that a day doesn't have counts as the one after the gap.
fn at_next(local: &Zoned, at: Time) -> Option<Timestamp> {
    let zone = local.time_zone();
    (0..=2).find_map(|days| {
        let date = local.date().checked_add(days.days()).ok()?;
        let then = date.to_datetime(at).to_zoned(zone.clone()).ok()?;
        (then.timestamp() > local.timestamp()).then_some(then.timestamp())
    })
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use jiff::civil::time;
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    const NIGHT: QuietHours = QuietHours { from: time(22, 0, 0, 0), to: time(7, 0, 0, 0) };

    #[test]
    fn nights_are_quiet_where_somebody_is() {
        let kolkata = zone("Asia/Kolkata");
        // 23:30 there: until 07:00 there.
        assert_eq!(
            after_quiet(at("2026-03-01T18:00:00Z"), &kolkata, Some(NIGHT)),
            at("2026-03-02T01:30:00Z")
        );
        // 06:59:59 and 07:00 there.
        assert_eq!(
            after_quiet(at("2026-03-01T01:29:59Z"), &kolkata, Some(NIGHT)),
            at("2026-03-01T01:30:00Z")
        );
        assert_eq!(
            after_quiet(at("2026-03-01T01:30:00Z"), &kolkata, Some(NIGHT)),
            at("2026-03-01T01:30:00Z")
        );
        assert_eq!(after_quiet(at("2026-03-01T18:00:00Z"), &kolkata, None), at("2026-03-01T18:00:00Z"));
    }

    #[test]
    fn clocks_that_change_in_the_night_end_it_by_what_they_show() {
        let berlin = zone("Europe/Berlin");
        let quiet = |from, to| Some(QuietHours { from, to });
        // Put forward from 02:00 to 03:00 on 29 March 2026: the night is an hour shorter.
        assert_eq!(after_quiet(at("2026-03-28T22:00:00Z"), &berlin, Some(NIGHT)), at("2026-03-29T05:00:00Z"));
        // An end that the day doesn't have is the end of the gap.
        let gap = quiet(time(22, 0, 0, 0), time(2, 30, 0, 0));
        assert_eq!(after_quiet(at("2026-03-28T22:00:00Z"), &berlin, gap), at("2026-03-29T01:30:00Z"));
    }

    #[test]
    fn the_next_time_is_today_or_tomorrow() {
        let new_york = zone("America/New_York");
        let eight = time(8, 0, 0, 0);
        assert_eq!(next_time(at("2026-06-01T11:59:59Z"), &new_york, eight), at("2026-06-01T12:00:00Z"));
        assert_eq!(next_time(at("2026-06-01T12:00:00Z"), &new_york, eight), at("2026-06-02T12:00:00Z"));
    }

    proptest! {
        #[test]
        fn quiet_hours_end(
            seconds in 0i64..4_000_000_000,
            from in (0i8..24, 0i8..60),
            to in (0i8..24, 0i8..60),
            zone in prop::sample::select(&["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe"][..]),
        ) {
            prop_assume!(from != to);
            let zone = TimeZone::get(zone).unwrap();
            let now = Timestamp::from_second(seconds).unwrap();
            let quiet = QuietHours { from: time(from.0, from.1, 0, 0), to: time(to.0, to.1, 0, 0) };
            let then = after_quiet(now, &zone, Some(quiet));
            prop_assert!(then >= now);
            prop_assert!(then.duration_since(now) <= SignedDuration::from_hours(50));
            if !quiet.hold(now.to_zoned(zone.clone()).time()) {
                prop_assert_eq!(then, now);
            }
            let next = next_time(now, &zone, quiet.from);
            prop_assert!(next > now && next.duration_since(now) <= SignedDuration::from_hours(50));
        }
    }
}
