//! Who has which working pattern when.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::audit::Audited;
use crate::id::WorkPatternId;
use crate::period::{self, Period};

/// A pattern that a location or an employee has during a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The pattern.
    pub work_pattern_id: WorkPatternId,
    /// When.
    pub period: Period,
}

/// A pattern that a location or an employee has during a period, as shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkPatternPeriod {
    /// The pattern.
    pub work_pattern_id: WorkPatternId,
    /// First day.
    pub from: Date,
    /// First day after it; `null` until further notice.
    pub to: Option<Date>,
}

/// The patterns that a location or an employee had, has and will have, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkPatternPeriods {
    /// The patterns.
    pub items: Vec<WorkPatternPeriod>,
}

impl WorkPatternPeriods {
    pub(crate) fn of(assignments: &[Assignment]) -> Self {
        let show = |one: &Assignment| WorkPatternPeriod {
            work_pattern_id: one.work_pattern_id,
            from: one.period.from(),
            to: one.period.to(),
        };
        Self { items: assignments.iter().map(show).collect() }
    }
}

impl Audited for WorkPatternPeriods {}

/// Gives a location or an employee a pattern for a period.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AssignWorkPattern {
    /// The pattern; `null` for none: an employee then works by the pattern of the location, and a location from Monday
    /// to Friday.
    // Said, not left out: forgetting it is no way to take a pattern away.
    #[serde(deserialize_with = "Option::deserialize")]
    #[cfg_attr(feature = "openapi", schema(required))]
    pub work_pattern_id: Option<WorkPatternId>,
    /// First day.
    #[serde(deserialize_with = "crate::date::strict")]
    pub from: Date,
    /// First day after it; until further notice when absent.
    #[serde(default, deserialize_with = "crate::date::strict")]
    pub to: Option<Date>,
}

/// Makes a pattern (or none) the one of a period: what others had of that period, they lose.
pub fn assign(assignments: &mut Vec<Assignment>, pattern: Option<WorkPatternId>, period: Period) {
    let pairs = assignments.iter().map(|one| (one.work_pattern_id, one.period)).collect();
    let kept = period::assign(pairs, pattern, period);
    *assignments =
        kept.into_iter().map(|(work_pattern_id, period)| Assignment { work_pattern_id, period }).collect();
}

/// The pattern of a day.
pub(super) fn at(assignments: &[Assignment], day: Date) -> Option<WorkPatternId> {
    assignments.iter().find(|one| one.period.contains(day)).map(|one| one.work_pattern_id)
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use jiff::civil::date;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn pattern(n: u128) -> WorkPatternId {
        WorkPatternId::from_uuid(Uuid::from_u128(n))
    }

    fn on(day: i64) -> Date {
        date(2026, 1, 1) + day.days()
    }

    proptest! {
        /// P22: the pattern of a day is the one that was assigned to it last, and periods never overlap or touch
        /// without need.
        #[test]
        fn p22_the_last_word_on_a_day_counts(
            steps in prop::collection::vec((0u128..4, 0i64..30, prop::option::of(1i64..20)), 1..12)
        ) {
            let mut assignments = Vec::new();
            let mut days: Vec<Option<WorkPatternId>> = vec![None; 60];
            for (n, from, length) in steps {
                let wanted = (n > 0).then(|| pattern(n));
                let period = Period::new(on(from), length.map(|length| on(from + length))).unwrap();
                assign(&mut assignments, wanted, period);
                for (day, slot) in days.iter_mut().enumerate() {
                    if period.contains(on(day as i64)) {
                        *slot = wanted;
                    }
                }
                for (day, wanted) in days.iter().enumerate() {
                    prop_assert_eq!(at(&assignments, on(day as i64)), *wanted);
                }
                for pair in assignments.windows(2) {
                    let end = pair[0].period.to().unwrap();
                    prop_assert!(end <= pair[1].period.from());
                    let same = pair[0].work_pattern_id == pair[1].work_pattern_id;
                    prop_assert!(!(same && end == pair[1].period.from()), "neighbours are merged");
                }
            }
        }
    }
}
