//! P9: the longest run of leave, measured half day by half day, and days counted by themselves.

use jiff::civil::{Date, date};
use jiff::{Timestamp, ToSpan};
use proptest::prelude::*;
use rust_decimal::Decimal;
use uuid::Uuid;

use super::DAY;
use super::random::{holidays, pattern};
use crate::id::{EmployeeId, LeaveRequestId, LeaveTypeId};
use crate::leave::{
    Absence, Case, CountedLeave, DayFacts, DayPart, InclusiveDays, RequestRules, Violation,
    count_working_days, total_minutes,
};

const FIRST: Date = date(2020, 3, 2);
/// How many days there are.
const DAYS: i64 = 50;

/// From one half day to (not including) another, counted from the first day on.
fn halves(from: i64, to: i64) -> InclusiveDays {
    let (first, last) = (FIRST + (from / 2).days(), FIRST + ((to - 1) / 2).days());
    let late = from % 2 == 1;
    let early = to % 2 == 1;
    let (start_part, end_part) = match (first == last, late, early) {
        (true, true, _) => (DayPart::SecondHalf, DayPart::SecondHalf),
        (true, _, true) => (DayPart::FirstHalf, DayPart::FirstHalf),
        (_, late, early) => {
            let part = |half, is_half| if is_half { half } else { DayPart::Full };
            (part(DayPart::SecondHalf, late), part(DayPart::FirstHalf, early))
        }
    };
    InclusiveDays { starts_on: first, ends_on: last, start_part, end_part }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// P9: limits are evaluated over the merged run: all leave of this type with nothing but days off between, in however many
    /// requests it was asked for, and whatever half of a day of work or of other leave ends it.
    #[test]
    fn p9_a_run_is_measured_however_it_was_asked_for(
        pattern in pattern(), holidays in holidays(), borders in prop::collection::btree_set(0i64..2 * DAYS, 4..14),
        kinds in prop::collection::vec(0u8..4, 14), which in any::<prop::sample::Index>(), limit in 1i64..30,
    ) {
        let facts = |day: Date| DayFacts {
            employed: true,
            working: pattern.on(day),
            holiday: holidays.contains(&day).then_some("Feast"),
        };
        let borders: Vec<i64> = borders.into_iter().collect();
        // Between two borders there is leave of this type, of another, or none.
        let mut leave = Vec::new();
        for ((from, to), kind) in borders.iter().zip(borders.iter().skip(1)).zip(&kinds) {
            let absence = Absence {
                request_id: LeaveRequestId::from_uuid(Uuid::from_u128(leave.len() as u128 + 1)),
                asked_at: Timestamp::UNIX_EPOCH,
                leave_type_id: LeaveTypeId::from_uuid(Uuid::from_u128((*kind).min(1).into())),
                days: halves(*from, *to),
                hours: None,
            };
            let days = count_working_days(absence.days, DAY, facts);
            if *kind < 3 {
                leave.push((*from, *to, CountedLeave { absence, days, not_beside: Vec::new() }));
            }
        }
        prop_assume!(!leave.is_empty());
        let (from, to, ask) = leave.remove(which.index(leave.len()));
        // Half days that belong to the run, to both sides of what is asked for.
        let belongs = |half: i64| {
            let day = facts(FIRST + half.div_euclid(2).days());
            let is_off = day.holiday.is_some() || day.working.is_off();
            is_off || leave.iter().any(|(from, to, one)| {
                (*from..*to).contains(&half) && one.absence.leave_type_id == ask.absence.leave_type_id
            })
        };
        let first = (-400..from).rev().take_while(|half| belongs(*half)).last().unwrap_or(from);
        let last = (to..600).take_while(|half| belongs(*half)).last().map_or(to, |half| half + 1);
        let in_run = leave.iter().filter(|(from, to, one)| {
            one.absence.leave_type_id == ask.absence.leave_type_id && *from < last && *to > first
        });
        // A leave of nothing but days off, and one that reaches into the run, count with all of their days.
        let minutes = total_minutes(&ask.days) + in_run.map(|(_, _, one)| total_minutes(&one.days)).sum::<i64>();
        let rules = RequestRules { max_consecutive_days: Some(Decimal::from(limit)), ..RequestRules::default() };
        let others: Vec<CountedLeave> = leave.iter().map(|(_, _, one)| one.clone()).collect();
        let case = Case {
            employee_id: EmployeeId::from_uuid(Uuid::from_u128(1)),
            ask: &ask,
            others: &others,
            minutes_per_day: DAY,
            asked_on: FIRST,
            joined_on: None,
            leave_years: &[],
        };
        let broken = rules.violations(&case, facts);
        let expected = (minutes > limit * DAY).then(|| Violation::TooManyConsecutive {
            most: Decimal::from(limit),
            would_be: (Decimal::from(minutes) / Decimal::from(DAY)).round_dp(4).normalize(),
        });
        prop_assert_eq!(broken.first(), expected.as_ref());
    }

    /// P9 and P10: each day counts once, for the part of it that is worked and asked for; two halves are the whole.
    #[test]
    fn p9_each_day_counts_for_what_is_worked_of_it(
        pattern in pattern(), holidays in holidays(), from in 0i64..40, length in 1i64..60, cut in 0i64..60, minutes_per_day in 1i64..1000,
    ) {
        let facts = |day: Date| DayFacts {
            employed: true,
            working: pattern.on(day),
            holiday: holidays.contains(&day).then_some("Feast"),
        };
        let count = |from, to| total_minutes(&count_working_days(halves(from, to), minutes_per_day, facts));
        let (to, cut) = (from + length, from + cut.clamp(1, length));
        let whole = count(from, to);
        let parts = count(from, cut) + if cut < to { count(cut, to) } else { 0 };
        prop_assert_eq!(whole, parts);
        let days = super::days(FIRST + from.div_euclid(2).days(), FIRST + (to - 1).div_euclid(2).days() + 1.days(), 1);
        let most: i64 = days.map(|day| if facts(day).holiday.is_some() { 0 } else { facts(day).working.share_of(minutes_per_day) }).sum();
        prop_assert!(0 <= whole && whole <= most);
        if from % 2 == 0 && to % 2 == 0 {
            prop_assert_eq!(whole, most);
        }
    }
}
