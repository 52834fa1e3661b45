//! Opening balances replace what policies would have done before.

use super::ledger::Book;
use super::*;

const MONTHLY_18: &str = r#""earn":{"per_year":{"days":"18"}},"every":"monthly""#;

/// The figures of docs/leave-policies.md.
#[test]
fn nothing_of_earlier_days_is_credited_on_top() {
    let mut book = Book::new(plan(MONTHLY_18, ""), hired(date(2024, 1, 1)));
    assert_eq!(book.days(date(2026, 6, 30)), 45);
    book.grant(4 * DAY, date(2026, 4, 1), None);
    book.stored.opens_on = Some(date(2026, 4, 1));
    for (as_of, half_days) in [
        (date(2026, 3, 31), 0),
        (date(2026, 4, 1), 8),
        (date(2026, 4, 30), 11),
        (date(2026, 6, 30), 17),
        (date(2026, 12, 31), 35),
    ] {
        assert_eq!(book.balance(as_of).available, half_days * DAY / 2, "{as_of}");
    }
}

/// What is credited on the day itself comes on top; what is credited later does so as a whole, though it was earned before, too.
#[test]
fn the_day_of_a_credit_decides() {
    let yearly = r#""earn":{"per_year":{"days":"20"}},"every":"up_front","credit":"start""#;
    for (opens_on, days) in [(date(2026, 1, 1), 23), (date(2026, 1, 2), 3)] {
        let mut book = Book::new(plan(yearly, ""), hired(date(2020, 1, 1)));
        book.grant(3 * DAY, opens_on, None);
        book.stored.opens_on = Some(opens_on);
        assert_eq!(book.days(date(2026, 12, 31)), days, "{opens_on}");
    }
    let quarterly = r#""earn":{"per_year":{"days":"20"}},"every":"quarterly""#;
    let mut book = Book::new(plan(quarterly, ""), hired(date(2020, 1, 1)));
    book.grant(3 * DAY, date(2026, 2, 1), None);
    book.stored.opens_on = Some(date(2026, 2, 1));
    assert_eq!(book.days(date(2026, 3, 31)), 8);
}

/// What was written before the opening balance was known is corrected to nothing, and leave on it is paid from the opening.
#[test]
fn what_was_written_before_is_taken_back() {
    let mut book = Book::new(plan(MONTHLY_18, ""), hired(date(2026, 1, 1)));
    book.job(date(2026, 5, 31));
    assert_eq!(book.balance(date(2026, 5, 31)).available, 15 * DAY / 2);
    let leave = book.take(date(2026, 5, 31), date(2026, 5, 4), 2);
    book.grant(6 * DAY, date(2026, 4, 1), None);
    book.stored.opens_on = Some(date(2026, 4, 1));
    let balance = book.balance(date(2026, 5, 31));
    assert_eq!((balance.granted, balance.taken, balance.available), (9 * DAY, 2 * DAY, 7 * DAY));
    book.cancel(date(2026, 5, 31), leave);
    assert_eq!(book.balance(date(2026, 5, 31)).available, 9 * DAY);
}

/// An opening without an end is carried over like what the policy credits: at most five days.
#[test]
fn an_opening_is_carried_over_like_credits() {
    let rules = rules(&format!(
        r#"{{"accrual": {{"levels": [{{{MONTHLY_18}}}]}}, "carry_over": {{"limit": {{"most": {{"days": "5"}}}}}}}}"#
    ));
    let mut book = Book::new(rules.clone(), hired(date(2020, 1, 1)));
    book.grant(10 * DAY, date(2026, 10, 1), None);
    book.stored.opens_on = Some(date(2026, 10, 1));
    assert_eq!(book.balance(date(2026, 12, 31)).available, 29 * DAY / 2);
    assert_eq!(book.balance(date(2027, 1, 1)).available, 5 * DAY);
    assert_eq!(book.balance(date(2028, 1, 1)).available, 5 * DAY);
    // Without that day it is a grant by hand, which stays.
    let mut book = Book::new(rules, hired(date(2026, 10, 1)));
    book.grant(10 * DAY, date(2026, 10, 1), None);
    assert_eq!(book.balance(date(2027, 1, 1)).available, 29 * DAY / 2);
}
