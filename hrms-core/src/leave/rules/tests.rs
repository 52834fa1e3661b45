use jiff::Timestamp;
use jiff::civil::date;
use uuid::Uuid;

use super::*;
use crate::id::LeaveRequestId;
use crate::leave::DayHours;
use crate::leave::day_count::{InclusiveDays, count_working_days};
use crate::work_pattern::WorkRule;

const ANNUAL: u128 = 1;
const SICK: u128 = 2;

fn facts(day: Date) -> DayFacts<'static> {
    DayFacts { employed: true, working: WorkRule::default().on(day), holiday: None }
}

fn of_type(n: u128) -> LeaveTypeId {
    LeaveTypeId::from_uuid(Uuid::from_u128(n))
}

fn me() -> EmployeeId {
    EmployeeId::from_uuid(Uuid::from_u128(7))
}

fn leave(n: u128, of: u128, starts_on: Date, ends_on: Date) -> CountedLeave {
    parts(n, of, InclusiveDays { starts_on, ends_on, start_part: DayPart::Full, end_part: DayPart::Full })
}

fn parts(n: u128, of: u128, days: InclusiveDays) -> CountedLeave {
    let absence = Absence {
        request_id: LeaveRequestId::from_uuid(Uuid::from_u128(n)),
        asked_at: Timestamp::UNIX_EPOCH,
        leave_type_id: of_type(of),
        days,
        hours: None,
    };
    CountedLeave { absence, days: count_working_days(days, 480, facts), not_beside: Vec::new() }
}

fn half(n: u128, of: u128, on: Date, part: DayPart) -> CountedLeave {
    parts(n, of, InclusiveDays { starts_on: on, ends_on: on, start_part: part, end_part: part })
}

fn violations(rules: &RequestRules, ask: &CountedLeave, others: &[CountedLeave]) -> Vec<Violation> {
    let case = Case {
        employee_id: me(),
        ask,
        others,
        minutes_per_day: 480,
        asked_on: date(2026, 5, 20),
        joined_on: Some(date(2026, 5, 1)),
        leave_years: &[date(2025, 4, 1), date(2026, 4, 1), date(2027, 4, 1)],
    };
    rules.violations(&case, facts)
}

fn codes(rules: &RequestRules, ask: &CountedLeave, others: &[CountedLeave]) -> Vec<&'static str> {
    violations(rules, ask, others).iter().map(DomainError::code).collect()
}

fn none() -> RequestRules {
    RequestRules::default()
}

/// LV-49: ten days approved, six more right after the weekend: a stretch of 16 where 15 are the most.
#[test]
fn the_merged_run_is_measured() {
    let existing = leave(1, ANNUAL, date(2026, 6, 1), date(2026, 6, 12));
    let ask = leave(2, ANNUAL, date(2026, 6, 15), date(2026, 6, 22));
    let rules = RequestRules { max_consecutive_days: Some(Decimal::from(15)), ..none() };
    let (most, would_be) = (Decimal::from(15), Decimal::from(16));
    let others = [existing];
    assert_eq!(violations(&rules, &ask, &others), [Violation::TooManyConsecutive { most, would_be }]);
    // Alone, up to the limit, or with a day of work between, it is fine; in front it counts as well.
    assert_eq!(codes(&rules, &ask, &[]), [""; 0]);
    let shorter = leave(2, ANNUAL, date(2026, 6, 15), date(2026, 6, 19));
    assert_eq!(codes(&rules, &shorter, &others), [""; 0]);
    assert_eq!(codes(&rules, &leave(2, ANNUAL, date(2026, 6, 16), date(2026, 6, 23)), &others), [""; 0]);
    assert_eq!(codes(&rules, &leave(2, ANNUAL, date(2026, 5, 25), date(2026, 5, 31)), &others), [""; 0]);
    assert_eq!(codes(&rules, &leave(2, ANNUAL, date(2026, 5, 22), date(2026, 5, 31)), &others).len(), 1);
    // Through several requests on both sides.
    let around = [others[0].clone(), leave(3, ANNUAL, date(2026, 6, 16), date(2026, 6, 19))];
    assert_eq!(codes(&rules, &leave(2, ANNUAL, date(2026, 6, 15), date(2026, 6, 15)), &around), [""; 0]);
    let longer = [others[0].clone(), leave(3, ANNUAL, date(2026, 6, 16), date(2026, 6, 22))];
    let bridge = leave(2, ANNUAL, date(2026, 6, 15), date(2026, 6, 15));
    assert_eq!(codes(&rules, &bridge, &longer), ["leave.max-consecutive"]);
    // Half a day of work ends the run.
    let afternoon = half(2, ANNUAL, date(2026, 6, 15), DayPart::SecondHalf);
    assert_eq!(codes(&rules, &afternoon, &longer), [""; 0]);
    // Other kinds of leave aren't this one.
    let sick = [leave(1, SICK, date(2026, 6, 1), date(2026, 6, 12))];
    assert_eq!(codes(&rules, &ask, &sick), [""; 0]);
}

#[test]
fn dates_are_checked_against_the_day_of_asking() {
    let on = |day| leave(1, ANNUAL, day, day);
    let notice = RequestRules { minimum_notice_days: Some(7), ..none() };
    assert_eq!(codes(&notice, &on(date(2026, 5, 27)), &[]), [""; 0], "seven days before");
    assert_eq!(codes(&notice, &on(date(2026, 5, 26)), &[]), ["leave.notice-too-short"]);
    assert_eq!(codes(&notice, &on(date(2026, 5, 19)), &[]), ["leave.notice-too-short"]);
    let back = RequestRules { back_dated_days: Some(2), ..none() };
    assert_eq!(codes(&back, &on(date(2026, 5, 18)), &[]), [""; 0]);
    assert_eq!(codes(&back, &on(date(2026, 5, 15)), &[]), ["leave.back-dated"]);
    let early = RequestRules { latest_notice_days: Some(10), ..none() };
    assert_eq!(codes(&early, &on(date(2026, 6, 1)), &[]), ["leave.too-early"]);
    assert_eq!(codes(&none(), &on(date(2020, 5, 15)), &[]), [""; 0], "nothing is said");
    // leave-app-011: nobody takes it in their first days.
    let waiting = RequestRules { waiting_days: Some(15), ..none() };
    let first = leave(1, ANNUAL, date(2026, 5, 1), date(2026, 5, 5));
    let from = date(2026, 5, 16);
    assert_eq!(violations(&waiting, &first, &[]), [Violation::WaitingPeriod { from }]);
    assert_eq!(codes(&waiting, &on(date(2026, 5, 15)), &[]), ["leave.waiting-period"]);
    assert_eq!(codes(&waiting, &on(from), &[]), [""; 0], "the fifteen days are over");
    assert_eq!(codes(&waiting, &on(date(2026, 5, 18)), &[]), [""; 0]);
}

#[test]
fn blocked_days_are_for_the_allowed_only() {
    let blocked = |allowed| RequestRules {
        blocked: vec![BlockedDates {
            starts_on: date(2026, 6, 10),
            ends_on: date(2026, 6, 13),
            reason: Some("Stock-taking".into()),
            allowed,
        }],
        ..none()
    };
    let ask = leave(1, ANNUAL, date(2026, 6, 8), date(2026, 6, 12));
    let broken = violations(&blocked(vec![]), &ask, &[]);
    assert_eq!(broken[0].to_string(), "this leave can't be taken on 2026-06-10: Stock-taking");
    assert_eq!(codes(&blocked(vec![me()]), &ask, &[]), [""; 0]);
    let after = leave(1, ANNUAL, date(2026, 6, 13), date(2026, 6, 15));
    assert_eq!(codes(&blocked(vec![]), &after, &[]), [""; 0], "Saturday isn't worked anyway");
    // The first and the last day are blocked, the ones around them aren't.
    for (day, is_blocked) in [(9, false), (10, true), (11, true), (12, false)] {
        let mut rules = blocked(vec![]);
        rules.blocked[0].ends_on = date(2026, 6, 11);
        let on = date(2026, 6, day);
        assert_eq!(codes(&rules, &leave(1, ANNUAL, on, on), &[]).len(), usize::from(is_blocked), "{on}");
    }
}

#[test]
fn a_period_has_so_many_days() {
    let limit = |per, days: &str| RequestRules {
        max_per_period: vec![PeriodLimit { per, days: days.parse().unwrap() }],
        ..none()
    };
    let taken = [
        leave(1, ANNUAL, date(2026, 6, 1), date(2026, 6, 2)),
        leave(2, SICK, date(2026, 6, 3), date(2026, 6, 5)),
    ];
    let one = half(3, ANNUAL, date(2026, 6, 30), DayPart::SecondHalf);
    assert_eq!(codes(&limit(LimitPeriod::Month, "2.5"), &one, &taken), [""; 0]);
    assert_eq!(codes(&limit(LimitPeriod::Month, "2"), &one, &taken), ["leave.max-per-period"]);
    // Each month by itself; a quarter together.
    let across = leave(3, ANNUAL, date(2026, 6, 30), date(2026, 7, 2));
    assert_eq!(codes(&limit(LimitPeriod::Month, "3"), &across, &taken), [""; 0]);
    assert_eq!(codes(&limit(LimitPeriod::Quarter, "3"), &across, &taken), [""; 0]);
    assert_eq!(codes(&limit(LimitPeriod::Year, "4.5"), &across, &taken), ["leave.max-per-period"]);
    assert_eq!(codes(&limit(LimitPeriod::Month, "1.5"), &across, &[]), ["leave.max-per-period"]);
}

#[test]
fn some_kinds_are_not_taken_beside_others() {
    let rules = RequestRules { not_beside: vec![of_type(SICK)], ..none() };
    let sick = [leave(1, SICK, date(2026, 6, 3), date(2026, 6, 5))];
    let ask = |starts_on, ends_on| leave(2, ANNUAL, starts_on, ends_on);
    let monday = ask(date(2026, 6, 8), date(2026, 6, 8));
    assert_eq!(violations(&rules, &monday, &sick), [Violation::NotBeside { on: date(2026, 6, 5) }]);
    assert_eq!(codes(&rules, &ask(date(2026, 6, 1), date(2026, 6, 2)), &sick), ["leave.not-beside"]);
    assert_eq!(codes(&rules, &ask(date(2026, 6, 9), date(2026, 6, 9)), &sick), [""; 0], "Monday is worked");
    let afternoon = half(2, ANNUAL, date(2026, 6, 8), DayPart::SecondHalf);
    assert_eq!(codes(&rules, &afternoon, &sick), [""; 0], "Monday morning is worked");
    // Through other leave of the same kind too.
    let chain = [sick[0].clone(), leave(3, ANNUAL, date(2026, 6, 8), date(2026, 6, 9))];
    assert_eq!(codes(&rules, &ask(date(2026, 6, 10), date(2026, 6, 10)), &chain), ["leave.not-beside"]);
}

/// A ban holds from both sides, and for halves of the same day.
#[test]
fn the_ban_of_the_other_kind_counts_too() {
    let (on, bans) = (date(2026, 6, 5), vec![of_type(ANNUAL)]);
    let sick = |days| [CountedLeave { not_beside: bans.clone(), ..days }];
    let friday = sick(leave(1, SICK, date(2026, 6, 3), on));
    let monday = leave(2, ANNUAL, date(2026, 6, 8), date(2026, 6, 8));
    assert_eq!(violations(&none(), &monday, &friday), [Violation::NotBeside { on }]);
    assert_eq!(codes(&none(), &leave(2, ANNUAL, date(2026, 6, 9), date(2026, 6, 9)), &friday), [""; 0]);
    let other_kind = [CountedLeave { not_beside: vec![of_type(3)], ..friday[0].clone() }];
    assert_eq!(codes(&none(), &monday, &other_kind), [""; 0]);
    // The two halves of a day, in both orders.
    let (first, second) = (DayPart::FirstHalf, DayPart::SecondHalf);
    for (own, theirs) in [(first, second), (second, first)] {
        let other = sick(half(1, SICK, on, theirs));
        assert_eq!(codes(&none(), &half(2, ANNUAL, on, own), &other), ["leave.not-beside"], "{own:?}");
    }
    // The morning of one day: what is before it is the day before, not the afternoon.
    let morning = half(2, ANNUAL, date(2026, 6, 8), first);
    assert_eq!(violations(&none(), &morning, &friday), [Violation::NotBeside { on }]);
    let afternoon = half(2, ANNUAL, on, second);
    let next = sick(leave(1, SICK, date(2026, 6, 8), date(2026, 6, 8)));
    assert_eq!(codes(&none(), &afternoon, &next), ["leave.not-beside"]);
    assert_eq!(codes(&none(), &half(2, ANNUAL, on, first), &next), [""; 0], "Friday afternoon is worked");
}

#[test]
fn half_days_can_be_refused() {
    let rules = RequestRules { half_days: false, ..none() };
    let on = date(2026, 6, 8);
    assert_eq!(codes(&rules, &half(1, ANNUAL, on, DayPart::FirstHalf), &[]), ["leave.no-half-days"]);
    assert_eq!(codes(&rules, &leave(1, ANNUAL, on, on), &[]), [""; 0]);
    let mut hours = leave(1, ANNUAL, on, on);
    hours.absence.hours = Some(DayHours { minutes: Some(60), ..DayHours::default() });
    assert_eq!(codes(&none(), &hours, &[]), ["leave.no-hours"]);
    assert_eq!(codes(&RequestRules { hours: true, half_days: false, ..none() }, &hours, &[]), [""; 0]);
    assert_eq!(codes(&RequestRules { hours: true, ..none() }, &hours, &[]), [""; 0]);
}

#[test]
fn rules_themselves_are_checked() {
    let faults = |rules: RequestRules| {
        let mut check = Check::new();
        rules.check(&mut check);
        check.done().is_err()
    };
    assert!(!faults(none()));
    let days = |days: &str| Some(days.parse().unwrap());
    assert!(!faults(RequestRules { max_consecutive_days: days("2.5"), ..none() }));
    for bad in ["0", "-1", "367", "0.00001"] {
        assert!(faults(RequestRules { max_consecutive_days: days(bad), ..none() }), "{bad}");
    }
    assert!(faults(RequestRules { minimum_notice_days: Some(-1), ..none() }));
    assert!(faults(RequestRules { waiting_days: Some(i64::MAX), ..none() }));
    let notice = |least, most, back| RequestRules {
        minimum_notice_days: least,
        latest_notice_days: most,
        back_dated_days: back,
        ..none()
    };
    assert!(faults(notice(Some(8), Some(7), None)));
    assert!(!faults(notice(Some(7), Some(7), Some(0))));
    assert!(faults(notice(Some(0), None, Some(1))));
    assert!(!faults(notice(None, Some(7), Some(1))));
    let limit = |per| PeriodLimit { per, days: Decimal::ONE };
    let limits = |all: &[LimitPeriod]| RequestRules {
        max_per_period: all.iter().copied().map(limit).collect(),
        ..none()
    };
    assert!(faults(limits(&[LimitPeriod::Month, LimitPeriod::Year, LimitPeriod::Month])));
    assert!(!faults(limits(&[LimitPeriod::Month, LimitPeriod::Year])));
    assert!(faults(RequestRules { not_beside: vec![of_type(1); 201], ..none() }));
    let blocked = |starts_on, ends_on| {
        let one = BlockedDates { starts_on, ends_on, reason: None, allowed: vec![] };
        RequestRules { blocked: vec![one], ..none() }
    };
    assert!(faults(blocked(date(2026, 1, 2), date(2026, 1, 1))));
    assert!(faults(blocked(date(2026, 1, 2), date(9999, 1, 1))));
}

/// A leave year that begins in April: March and April are of two, and December and January of one.
#[test]
fn a_limit_can_be_for_the_leave_year() {
    let limit = |per, days: i64| RequestRules {
        max_per_period: vec![PeriodLimit { per, days: days.into() }],
        ..RequestRules::default()
    };
    let march = leave(1, ANNUAL, date(2026, 3, 30), date(2026, 3, 31));
    let april = leave(2, ANNUAL, date(2026, 4, 1), date(2026, 4, 2));
    let december = leave(3, ANNUAL, date(2026, 12, 30), date(2026, 12, 31));
    let january = leave(4, ANNUAL, date(2027, 1, 4), date(2027, 1, 5));
    for (one, two, leave_year, year) in [(&march, &april, false, true), (&december, &january, true, false)] {
        let others = std::slice::from_ref(one);
        let broken = |per| codes(&limit(per, 3), two, others) == ["leave.max-per-period"];
        assert_eq!((broken(LimitPeriod::LeaveYear), broken(LimitPeriod::Year)), (leave_year, year));
        assert_eq!(codes(&limit(LimitPeriod::LeaveYear, 4), two, others), [""; 0]);
    }
}

/// leave-app-011: joined on Friday 1 May 2026; after 15 days of work it is Friday 22 May.
#[test]
fn somebody_waits_for_working_days() {
    let rules = RequestRules { waiting_working_days: Some(15), ..RequestRules::default() };
    let on = |day| leave(1, ANNUAL, day, day);
    let broken = violations(&rules, &on(date(2026, 5, 21)), &[]);
    assert_eq!(broken, [Violation::WaitingPeriod { from: date(2026, 5, 22) }]);
    assert_eq!(codes(&rules, &on(date(2026, 5, 22)), &[]), [""; 0]);
    assert_eq!(codes(&rules, &on(date(2027, 12, 1)), &[]), [""; 0]);
    let none = RequestRules { waiting_working_days: Some(0), ..RequestRules::default() };
    assert_eq!(codes(&none, &on(date(2026, 5, 1)), &[]), [""; 0]);
    let mut check = Check::new();
    RequestRules { waiting_working_days: Some(251), ..RequestRules::default() }.check(&mut check);
    check.done().unwrap_err();
}
