use jiff::ToSpan;
use jiff::civil::date;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::leave::hours::{TimeOfDay, first_full_day};
use crate::leave::total_minutes;
use crate::work_pattern::{WorkRule, WorkingTime};

const RULES: [SandwichRule; 4] =
    [SandwichRule::None, SandwichRule::Weekends, SandwichRule::Holidays, SandwichRule::WeekendsAndHolidays];

/// The request that was made as the `n`th.
fn absence(n: u32, days: InclusiveDays) -> Absence {
    Absence {
        request_id: LeaveRequestId::from_uuid(Uuid::from_u128(n.into())),
        asked_at: Timestamp::from_second(n.into()).unwrap(),
        leave_type_id: LeaveTypeId::from_uuid(Uuid::nil()),
        days,
        hours: None,
    }
}

fn days(starts_on: Date, start_part: DayPart, ends_on: Date, end_part: DayPart) -> InclusiveDays {
    InclusiveDays { starts_on, ends_on, start_part, end_part }
}

fn whole(starts_on: Date, ends_on: Date) -> InclusiveDays {
    days(starts_on, DayPart::Full, ends_on, DayPart::Full)
}

fn one(on: Date, part: DayPart) -> InclusiveDays {
    days(on, part, on, part)
}

/// Monday to Friday with these holidays.
fn facts(holidays: &[Date]) -> impl Fn(Date) -> DayFacts<'static> {
    move |day| DayFacts {
        employed: true,
        working: WorkRule::default().on(day),
        holiday: holidays.contains(&day).then_some("Feast"),
    }
}

/// What requests come to, made one after the other, in half days.
fn half_days(rule: SandwichRule, holidays: &[Date], requests: &[InclusiveDays]) -> Vec<i64> {
    let mut made: Vec<Absence> = Vec::new();
    let mut counts = Vec::new();
    for (n, period) in (1..).zip(requests) {
        let ask = absence(n, *period);
        counts.push(total_minutes(&count_leave(&ask, rule, &made, 480, facts(holidays))) / 240);
        made.push(ask);
    }
    counts
}

const FRIDAY: Date = date(2026, 6, 5);
const MONDAY: Date = date(2026, 6, 8);

#[test]
fn days_off_between_days_of_leave_count_by_the_rule() {
    use SandwichRule::{Holidays, None, Weekends, WeekendsAndHolidays as Both};
    let christmas = date(2026, 12, 25);
    let apart = [date(2026, 12, 24), date(2026, 12, 28)];
    let (tuesday, wednesday) = (date(2024, 5, 7), date(2024, 5, 8));
    let (friday, monday) = (date(2024, 5, 3), date(2024, 5, 6));
    // (case, rule, holidays, first and last day, half days)
    let cases = [
        ("LV-21 in one", None, vec![], [FRIDAY, MONDAY], 4),
        ("a weekend", Weekends, vec![], [FRIDAY, MONDAY], 8),
        ("a weekend is no holiday", Holidays, vec![], [FRIDAY, MONDAY], 4),
        ("LV-23", Both, vec![christmas], apart, 10),
        ("LV-23, weekends only", Weekends, vec![christmas], apart, 8),
        ("LV-23, holidays only", Holidays, vec![christmas], apart, 6),
        ("LV-23, none", None, vec![christmas], apart, 4),
        ("leave-sandwich-003", Both, vec![wednesday], [tuesday, wednesday], 2),
        ("leave-sandwich-006", Weekends, vec![friday], [friday, monday], 2),
        ("trimmed at the end", Both, vec![], [FRIDAY, date(2026, 6, 7)], 2),
        ("trimmed at the start", Both, vec![], [date(2026, 6, 6), MONDAY], 2),
        ("nothing but days off", Both, vec![], [date(2026, 6, 6), date(2026, 6, 7)], 0),
    ];
    for (case, rule, holidays, [first, last], expected) in cases {
        assert_eq!(half_days(rule, &holidays, &[whole(first, last)]), [expected], "{case}");
        // In two requests, in whichever order, the sum is the same: the second one pays.
        if first < last && facts(&holidays)(first).holiday.is_none() {
            let two = [one(first, DayPart::Full), whole(first.tomorrow().unwrap(), last)];
            assert_eq!(half_days(rule, &holidays, &two).iter().sum::<i64>(), expected, "{case}, split");
            let two = [two[1], two[0]];
            assert_eq!(half_days(rule, &holidays, &two).iter().sum::<i64>(), expected, "{case}, turned");
        }
    }
    // LV-21 and LV-23 as they are told: one request for each day.
    let two = |days: [Date; 2]| days.map(|day| one(day, DayPart::Full));
    assert_eq!(half_days(None, &[], &two([FRIDAY, MONDAY])), [2, 2]);
    assert_eq!(half_days(Both, &[christmas], &two(apart)), [2, 8]);
}

/// LV-25: a half day beside the gap counts as leave on that side, when it is the half on that side.
#[test]
fn a_half_day_beside_the_gap_is_leave_on_its_own_side() {
    let afternoon = one(FRIDAY, DayPart::SecondHalf);
    let monday = one(MONDAY, DayPart::Full);
    assert_eq!(half_days(SandwichRule::Weekends, &[], &[afternoon, monday]), [1, 6], "3.5 days");
    let morning = one(FRIDAY, DayPart::FirstHalf);
    assert_eq!(
        half_days(SandwichRule::Weekends, &[], &[morning, monday]),
        [1, 2],
        "worked on Friday afternoon"
    );
    let late = one(MONDAY, DayPart::SecondHalf);
    assert_eq!(
        half_days(SandwichRule::Weekends, &[], &[afternoon, late]),
        [1, 1],
        "worked on Monday morning"
    );
    // The same in one request.
    let long = days(FRIDAY, DayPart::SecondHalf, MONDAY, DayPart::FirstHalf);
    assert_eq!(half_days(SandwichRule::Weekends, &[], &[long]), [6]);
}

#[test]
fn the_trace_names_the_other_request_and_days_outside() {
    let friday = absence(1, one(FRIDAY, DayPart::Full));
    let monday = absence(2, one(MONDAY, DayPart::Full));
    let both = SandwichRule::WeekendsAndHolidays;
    let sunday = date(2026, 6, 7);
    let trace = count_leave(&monday, both, std::slice::from_ref(&friday), 480, facts(&[sunday]));
    let shown: Vec<_> = trace.iter().map(|day| (day.date.day(), day.reason.code(), day.beside)).collect();
    let other = Some(friday.request_id);
    assert_eq!(
        shown,
        [(6, "weekly_off_between", other), (7, "holiday_between", other), (8, "working_day", None)]
    );
    assert_eq!(trace[1].holiday.as_deref(), Some("Feast"));
    // The earlier one isn't counted anew.
    let first = count_leave(&friday, both, std::slice::from_ref(&monday), 480, facts(&[sunday]));
    assert_eq!(total_minutes(&first), 480);
    // When Friday is gone, Monday is what it would have been without it.
    let left = count_without(&trace, monday.days, friday.request_id);
    assert_eq!(left, count_leave(&monday, both, &[], 480, facts(&[sunday])));
}

/// Hours take what they are, make no gap, and are no leave beside one.
#[test]
fn hours_are_counted_by_themselves() {
    let between = |start, end| DayHours {
        start_time: super::super::TimeOfDay::parse(start),
        end_time: super::super::TimeOfDay::parse(end),
        minutes: None,
    };
    let hours = |on, hours| Absence { hours: Some(hours), ..absence(1, one(on, DayPart::Full)) };
    let count = |ask: &Absence, others: &[Absence]| {
        total_minutes(&count_leave(ask, SandwichRule::WeekendsAndHolidays, others, 480, facts(&[])))
    };
    let late = hours(FRIDAY, between("15:00", "24:00"));
    assert_eq!(count(&late, &[]), 480, "no more than is worked");
    assert_eq!(count(&hours(FRIDAY, between("15:00", "17:30")), &[]), 150);
    assert_eq!(count(&hours(date(2026, 6, 6), between("15:00", "17:30")), &[]), 0, "a Saturday");
    let monday = absence(2, one(MONDAY, DayPart::Full));
    assert_eq!(count(&monday, &[late]), 480);
}

#[test]
fn days_without_employment_end_a_gap_and_long_gaps_are_none() {
    let both = SandwichRule::WeekendsAndHolidays;
    let left = |day: Date| DayFacts { employed: day.day() != 7, ..facts(&[])(day) };
    let ask = absence(1, whole(FRIDAY, MONDAY));
    assert_eq!(total_minutes(&count_leave(&ask, both, &[], 480, left)), 960);
    let off = |length: i64| {
        move |day: Date| DayFacts {
            employed: true,
            working: WorkRule::default().on(FRIDAY),
            holiday: (day > FRIDAY && day <= FRIDAY + length.days()).then_some("Shut down"),
        }
    };
    for (length, expected) in [(60, 62), (61, 2)] {
        let (first, last) = (one(FRIDAY, DayPart::Full), FRIDAY + (length + 1).days());
        let two = absence(2, one(last, DayPart::Full));
        let both_sides = count_leave(&two, both, &[absence(1, first)], 480, off(length));
        assert_eq!(total_minutes(&both_sides) / 480 + 1, expected, "in two requests");
        let whole = count_leave(&absence(1, whole(FRIDAY, last)), both, &[], 480, off(length));
        assert_eq!(total_minutes(&whole) / 480, expected, "in one");
    }
}

const FIRST: Date = date(2026, 1, 1);

/// Some weeks of days that are worked, worked in part, off, holidays, or before the employment.
fn calendars() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0u8, 0, 0, 1, 2, 2, 3, 4]), 30)
}

fn random_facts(calendar: &[u8]) -> impl Fn(Date) -> DayFacts<'static> {
    move |day| {
        let at = FIRST.duration_until(day).as_hours() / 24;
        let kind = usize::try_from(at).ok().and_then(|at| calendar.get(at).copied()).unwrap_or_default();
        DayFacts {
            employed: kind != 4,
            working: WorkingTime {
                minutes: [480, 240, 0, 480, 480][usize::from(kind)],
                standard_minutes: 480,
            },
            holiday: (kind == 3).then_some("Feast"),
        }
    }
}

/// The leave from one half day to (not including) another.
fn halves(from: i64, to: i64) -> InclusiveDays {
    let (first, last) = (FIRST + (from / 2).days(), FIRST + ((to - 1) / 2).days());
    let start = if from % 2 == 1 { DayPart::SecondHalf } else { DayPart::Full };
    let end = if to % 2 == 1 { DayPart::FirstHalf } else { DayPart::Full };
    match (first == last, to - from) {
        (true, 1) => one(first, if from % 2 == 1 { DayPart::SecondHalf } else { DayPart::FirstHalf }),
        (true, _) => one(first, DayPart::Full),
        (false, _) => days(first, start, last, end),
    }
}

proptest! {
    /// P9: splitting a leave into requests, made in any order, never changes what it comes to, under any rule.
    #[test]
    fn p9_splitting_a_leave_changes_nothing(
        calendar in calendars(), from in 0i64..50, length in 1i64..40, cuts in prop::collection::vec(0i64..60, 0..5),
        order in any::<[u8; 8]>(), minutes_per_day in prop::sample::select(vec![480i64, 455, 1]),
    ) {
        let to = (from + length).min(60);
        let mut borders: Vec<i64> = cuts.into_iter().filter(|cut| *cut > from && *cut < to).chain([from, to]).collect();
        borders.sort_unstable();
        borders.dedup();
        let mut parts: Vec<InclusiveDays> = borders.windows(2).map(|pair| halves(pair[0], pair[1])).collect();
        let mut turn = 0;
        parts.sort_by_key(|_| { turn += 1; order[turn % 8] });
        for rule in RULES {
            let alone = absence(99, halves(from, to));
            let expected = total_minutes(&count_leave(&alone, rule, &[], minutes_per_day, random_facts(&calendar)));
            let mut made = Vec::new();
            let mut sum = 0;
            for (n, part) in (1..).zip(&parts) {
                let ask = absence(n, *part);
                sum += total_minutes(&count_leave(&ask, rule, &made, minutes_per_day, random_facts(&calendar)));
                made.push(ask);
            }
            prop_assert_eq!(sum, expected, "{:?} {:?}", rule, parts);
        }
    }

    /// P9: after some requests are gone, each of the others counts as if those had never been; and every day of a leave is
    /// traced once, in order.
    #[test]
    fn p9_a_cancelled_neighbour_leaves_no_trace(
        calendar in calendars(), borders in prop::collection::btree_set(0i64..60, 2..9),
        order in any::<[u8; 8]>(), gone in any::<[bool; 8]>(), rule in prop::sample::select(RULES.to_vec()),
    ) {
        let borders: Vec<i64> = borders.into_iter().collect();
        let mut periods: Vec<InclusiveDays> = borders.windows(2).map(|pair| halves(pair[0], pair[1])).collect();
        let mut turn = 0;
        periods.sort_by_key(|_| { turn += 1; order[turn % 8] });
        let mut live: Vec<(Absence, Vec<CountedDay>)> = Vec::new();
        for (n, period) in (1..).zip(&periods) {
            let ask = absence(n, *period);
            let others: Vec<Absence> = live.iter().map(|(one, _)| one.clone()).collect();
            let days = count_leave(&ask, rule, &others, 480, random_facts(&calendar));
            prop_assert!(days.windows(2).all(|pair| pair[0].date < pair[1].date));
            for (day, _) in period.days() {
                prop_assert_eq!(days.iter().filter(|counted| counted.date == day).count(), 1);
            }
            live.push((ask, days));
            // Now and then one is cancelled, the others go on.
            let n = usize::try_from(n).unwrap();
            if gone[n % 8] && n.is_multiple_of(2) {
                let (cancelled, _) = live.remove(usize::from(order[n % 8]) % live.len());
                for (one, days) in &mut live {
                    *days = count_without(days, one.days, cancelled.request_id);
                }
            }
        }
        let all: Vec<Absence> = live.iter().map(|(one, _)| one.clone()).collect();
        for (one, days) in &live {
            let others: Vec<Absence> = all.iter().filter(|other| *other != one).cloned().collect();
            let expected = count_leave(one, rule, &others, 480, random_facts(&calendar));
            prop_assert_eq!(days, &expected);
        }
    }

    /// All leave of a day together, of whatever kind and in whatever order, is never more than the day.
    #[test]
    fn a_day_is_taken_once(
        asks in prop::collection::vec((0i64..24 * 60, 1i64..800, 0u8..5), 1..12),
        (worked, standard) in (1i64..900, 1i64..900), minutes_per_day in 1i64..1000,
    ) {
        let facts = |_: Date| DayFacts {
            employed: true,
            working: WorkingTime { minutes: worked, standard_minutes: standard },
            holiday: None,
        };
        let mut made: Vec<Absence> = Vec::new();
        let mut sum = 0;
        for (n, (start, length, kind)) in (1..).zip(asks) {
            let part = match kind { 0 => DayPart::FirstHalf, 1 => DayPart::SecondHalf, _ => DayPart::Full };
            let mut ask = absence(n, one(FRIDAY, part));
            if part == DayPart::Full {
                let (start, end) = (start, (start + length).min(24 * 60));
                let time = TimeOfDay::from_minutes;
                ask.hours = Some(DayHours { start_time: time(start), end_time: time(end), minutes: None });
            }
            let half_again = made.iter().any(|one| one.hours.is_none() && ask.hours.is_none() && one.days == ask.days);
            let charged = total_minutes(&count_leave(&ask, SandwichRule::None, &made, minutes_per_day, facts));
            match first_full_day(&ask, &made, facts) {
                _ if half_again => {}
                Some((_, left)) => prop_assert!(left < worked),
                None => { sum += charged; made.push(ask); }
            }
        }
        let whole = WorkingTime { minutes: worked, standard_minutes: standard }.share_of(minutes_per_day);
        prop_assert!(sum <= whole, "{} of {}: {:?}", sum, whole, made);
    }
}

/// leave-app-002 with holidays included, and maternity leave: every day counts, also at the ends, and none between two requests.
#[test]
fn leave_can_be_counted_in_days_of_the_calendar() {
    let rule = SandwichRule::CalendarDays;
    let sunday = date(2024, 5, 5);
    assert_eq!(half_days(rule, &[], &[whole(sunday, date(2024, 5, 8))]), [8]);
    let from_afternoon = days(FRIDAY, DayPart::SecondHalf, MONDAY, DayPart::Full);
    assert_eq!(half_days(rule, &[MONDAY], &[from_afternoon]), [7]);
    assert_eq!(half_days(rule, &[], &[whole(FRIDAY, FRIDAY), whole(MONDAY, MONDAY)]), [2, 2]);
    let ask = absence(1, whole(FRIDAY, MONDAY));
    let counted = count_leave(&ask, rule, &[], 480, facts(&[MONDAY]));
    let reasons: Vec<&str> = counted.iter().map(|day| day.reason.code()).collect();
    assert_eq!(reasons, ["working_day", "weekly_off_between", "weekly_off_between", "holiday_between"]);
}
