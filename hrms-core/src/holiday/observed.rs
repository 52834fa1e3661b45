//! Substitutes for holidays that fall on days off: a pure function of dates.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::employment::coded;

/// The farthest that a substitute lies from its holiday, in days.
const FARTHEST: usize = 14;

coded! {
    /// What becomes of a holiday that falls on a day off.
    #[derive(Default)]
    Observe {
        /// Nothing: it is lost.
        #[default]
        None = "none",
        /// The next day that is worked is off for it.
        NextWorkingDay = "next_working_day",
        /// The last day before it that is worked is off for it.
        PreviousWorkingDay = "previous_working_day",
        /// The nearest day that is worked; of two the later one. Saturday goes to Friday, Sunday to Monday.
        NearestWorkingDay = "nearest_working_day",
    }
}

/// The day that is off in the place of a holiday on a day off; `None` when it needs no substitute, or there is none within two
/// weeks.
///
/// `is_off` says which days aren't worked anyway, other holidays among them: two holidays never share a substitute.
#[must_use]
pub fn observed_on(holiday: Date, rule: Observe, is_off: impl Fn(Date) -> bool) -> Option<Date> {
    if !is_off(holiday) {
        return None;
    }
    let find = |days: jiff::Span| {
        let free = |(_, day): &(usize, Date)| !is_off(*day);
        holiday.series(days).enumerate().skip(1).take(FARTHEST).find(free)
    };
    let next = || find(jiff::Span::new().days(1));
    let previous = || find(jiff::Span::new().days(-1));
    let found = match rule {
        Observe::None => None,
        Observe::NextWorkingDay => next(),
        Observe::PreviousWorkingDay => previous(),
        Observe::NearestWorkingDay => match (next(), previous()) {
            (Some(next), Some(previous)) => Some(if previous.0 < next.0 { previous } else { next }),
            (next, previous) => next.or(previous),
        },
    };
    found.map(|(_, day)| day)
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Weekday, date};
    use proptest::prelude::*;

    use super::*;

    fn weekend(day: Date) -> bool {
        matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
    }

    #[test]
    fn weekends_get_substitutes() {
        // 26 December 2026 is a Saturday, 15 August a Saturday, 1 November a Sunday.
        let saturday = date(2026, 12, 26);
        assert_eq!(observed_on(saturday, Observe::NextWorkingDay, weekend), Some(date(2026, 12, 28)));
        assert_eq!(observed_on(saturday, Observe::PreviousWorkingDay, weekend), Some(date(2026, 12, 25)));
        assert_eq!(observed_on(saturday, Observe::NearestWorkingDay, weekend), Some(date(2026, 12, 25)));
        let sunday = date(2026, 11, 1);
        assert_eq!(observed_on(sunday, Observe::NearestWorkingDay, weekend), Some(date(2026, 11, 2)));
        assert_eq!(observed_on(sunday, Observe::None, weekend), None);
        assert_eq!(observed_on(date(2026, 12, 25), Observe::NextWorkingDay, weekend), None, "a Friday");
        // The Friday before is a holiday itself, so is the Monday after.
        let christmas = |day| weekend(day) || day == date(2026, 12, 25) || day == date(2026, 12, 28);
        assert_eq!(observed_on(saturday, Observe::PreviousWorkingDay, christmas), Some(date(2026, 12, 24)));
        assert_eq!(observed_on(saturday, Observe::NextWorkingDay, christmas), Some(date(2026, 12, 29)));
        assert_eq!(observed_on(saturday, Observe::NextWorkingDay, |_| true), None);
    }

    proptest! {
        #[test]
        fn a_substitute_is_worked_and_nothing_nearer_is(offset in 0i64..3000, off in prop::collection::vec(any::<bool>(), 40)) {
            let day = date(2024, 1, 1) + jiff::Span::new().days(offset);
            let middle = 20;
            let is_off = |other: Date| {
                let at = middle + (other - day).get_days() as isize;
                at == middle || usize::try_from(at).ok().and_then(|at| off.get(at)).copied().unwrap_or(true)
            };
            for (rule, sign) in [(Observe::NextWorkingDay, 1), (Observe::PreviousWorkingDay, -1)] {
                let found = observed_on(day, rule, is_off);
                let expected = (1..=14).map(|n| day + jiff::Span::new().days(sign * n)).find(|day| !is_off(*day));
                prop_assert_eq!(found, expected);
            }
        }
    }
}
