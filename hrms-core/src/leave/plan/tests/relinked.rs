//! Leave whose lots are gone, or give less, because rules were changed for the past: which lots pay for it then (P5, P11).

use super::ledger::Book;
use super::*;
use crate::leave::LotSource;

fn until(lapse: &str, days_a_year: u8) -> PolicyRules {
    rules(&format!(
        r#"{{"accrual": {{"levels": [{{"earn": {{"per_year": {{"days": "{days_a_year}"}}}}, "every": "monthly"}}]}},
            "carry_over": {{"on": {{"date": "{lapse}"}}, "limit": {{"most": {{"days": "0"}}}}}}}}"#
    ))
}

/// Five days that never expire, and three taken from the credits of the year, which expire.
fn with_three_taken() -> Book {
    let mut book = Book::new(until("01-01", 12), hired(date(2026, 1, 1)));
    book.grant(5 * DAY, date(2026, 1, 1), None);
    book.take(date(2026, 7, 1), date(2026, 7, 6), 3);
    book.job(date(2026, 8, 1));
    assert_eq!(book.days(date(2027, 1, 1)), 5);
    book
}

/// Credits are other lots now, as they expire on another day. They pay before what never expires, though that was there first.
#[test]
fn p11_leave_that_loses_its_lots_is_paid_by_those_that_expire_first() {
    let mut book = with_three_taken();
    book.change_rules(date(2026, 1, 1), until("12-01", 12));
    for _ in 0..2 {
        assert_eq!(book.balance(date(2026, 11, 30)).expired, 0);
        let december = book.balance(date(2026, 12, 1));
        assert_eq!((december.available, december.expired, december.taken), (5 * DAY, 8 * DAY, 3 * DAY));
        // Written with the next booking, it is the same.
        book.take(date(2026, 12, 2), date(2026, 12, 7), 1);
        book.stored.pending.clear();
        let last = book.stored.live().filter(|one| one.request_id.is_some()).map(|one| one.request_id).last();
        book.cancel(date(2026, 12, 3), last.flatten().unwrap());
    }
    let lots = book.replayed(date(2026, 12, 31)).ledger;
    let by_hand = lots.lots.iter().find(|lot| lot.source == LotSource::Opening).unwrap();
    assert!(
        lots.live().all(|one| one.lot_id != Some(by_hand.id) || one.minutes > 0),
        "nothing was taken of it"
    );
}

/// Credits are half of what they were, so that the later ones pay too, before what never expires.
#[test]
fn p11_what_a_lot_lacks_is_paid_by_the_next() {
    let mut book = with_three_taken();
    book.change_rules(date(2026, 1, 1), until("01-01", 6));
    let after = book.balance(date(2027, 1, 1));
    assert_eq!((after.available, after.expired, after.taken), (5 * DAY, 3 * DAY, 3 * DAY));
}

/// What was carried over for a year and what comes with the year expire on one day: the carried days are used first, whoever it is
/// about, and the rest is carried over.
#[test]
fn p11_of_lots_that_expire_together_the_carried_one_is_used_first() {
    let plan = rules(
        r#"{"accrual": {"levels": [{"earn": {"per_year": {"days": "10"}}, "every": "up_front", "credit": "start"}]},
            "carry_over": {"limit": {"valid_for": {"years": 1}}}}"#,
    );
    for year in 2001..2020 {
        let mut book = Book::new(plan.clone(), hired(date(year, 1, 1)));
        book.take(date(year + 1, 3, 1), date(year + 1, 3, 1), 4);
        // Of twenty days ten were carried; four of those were taken, six lapse, and the ten of the year are carried.
        let after = book.balance(date(year + 2, 1, 1));
        assert_eq!((after.available, after.expired), (20 * DAY, 6 * DAY), "{year}");
    }
}

/// What was paid out and turned out not to be earned is made good before anything else is taken.
#[test]
fn what_is_owed_is_no_leave_to_be_taken() {
    let monthly =
        |days: u8| plan(&format!(r#""earn":{{"per_year":{{"days":"{days}"}}}},"every":"monthly""#), "");
    let mut book = Book::new(monthly(12), hired(date(2026, 1, 1)));
    let today = date(2026, 11, 20);
    book.job(today);
    let lots: Vec<_> = book.stored.lots.iter().take(8).map(|lot| lot.id).collect();
    for lot in lots {
        book.pay_out(lot, DAY, today);
    }
    assert_eq!(book.days(today), 2);
    book.terms = vec![(Period::since(date(1900, 1, 1)), monthly(6))];
    assert_eq!(book.days(today), -3);
    assert_eq!(book.submit(today, date(2026, 11, 23), 1, 0), None);
    let request = book.submit(today, date(2026, 11, 23), 1, 4 * DAY).unwrap();
    assert_eq!(book.replayed(today).ledger.uncovered(request).all, 4 * DAY);
}

/// Leave of July whose credits there never were: it is paid by what there was in July, before that lapses.
#[test]
fn p12_leave_finds_another_lot_before_that_lapses() {
    let join = r#""carry_over": {"limit": {"most": {"days": "0"}}, "open_grants": "join"}"#;
    let monthly = r#"{"earn": {"per_year": {"days": "12"}}, "every": "monthly"}"#;
    let credits = rules(&format!(r#"{{"accrual": {{"levels": [{monthly}]}}, {join}}}"#));
    let mut book = Book::new(credits, hired(date(2026, 1, 1)));
    book.grant(5 * DAY, date(2026, 1, 1), None);
    book.take(date(2026, 7, 1), date(2026, 7, 6), 3);
    book.change_rules(date(2026, 1, 1), rules(&format!("{{{join}}}")));
    let august = book.replayed(date(2026, 8, 3)).ledger;
    assert_eq!(august.advanced(), 0, "the grant pays, though policies do nothing until August");
    assert_eq!(book.days(date(2026, 8, 3)), 2);
    let new_year = book.balance(date(2027, 1, 1));
    assert_eq!((new_year.available, new_year.expired, new_year.taken), (0, 2 * DAY, 3 * DAY));
}

/// Leave of the day on which a lot expires isn't on it, whatever is written.
#[test]
fn leave_of_the_day_of_expiry_is_paid_by_what_follows() {
    let yearly = r#""earn":{"per_year":{"days":"20"}},"every":"up_front","credit":"start""#;
    let none = r#""carry_over":{"limit":{"most":{"days":"0"}}}"#;
    let plan = rules(&format!(r#"{{"accrual":{{"levels":[{{{yearly}}}]}},{none}}}"#));
    let mut book = Book::new(plan, hired(date(2026, 1, 1)));
    book.job(date(2026, 1, 1));
    let first = book.stored.lots[0].clone();
    let new_year = date(2027, 1, 1);
    assert_eq!(first.valid_to, Some(new_year));
    book.take_in_advance(new_year, 1);
    book.stored.postings.last_mut().unwrap().lot_id = Some(first.id);
    let after = book.balance(new_year);
    assert_eq!((after.available, after.expired, after.taken), (19 * DAY, 20 * DAY, DAY));
}

/// A cap counts leave on what has expired as used up, also where it came there only now.
///
/// Leave of January was paid by the credit of its last day. That gives half now, and two days that were valid until the 20th have
/// become known: they pay for the other half.
#[test]
fn a_cap_counts_leave_that_moved_to_an_expired_lot() {
    let monthly = |days: u8| {
        let level = format!(
            r#""earn":{{"per_period":{{"days":"{days}"}}}},"every":"monthly","balance_cap":{{"days":"2"}}"#
        );
        plan(&level, "")
    };
    let mut book = Book::new(monthly(2), hired(date(2026, 1, 1)));
    book.take_in_advance(date(2026, 1, 12), 2);
    let asked = book.submit(date(2026, 1, 31), date(2026, 4, 1), 1, 10 * DAY).unwrap();
    book.cancel(date(2026, 1, 31), asked);
    book.grant(2 * DAY, date(2026, 1, 1), Some(date(2026, 1, 20)));
    book.change_rules(date(2026, 1, 1), monthly(1));
    let april = book.balance(date(2026, 4, 30));
    assert_eq!((april.available, april.expired, april.taken), (2 * DAY, DAY, 2 * DAY));
}

/// P12: what is carried over is told before leave of the day, which only waits: five of ten days, and one of those is asked for.
#[test]
fn p12_a_request_for_the_day_keeps_nothing_from_the_carry_over() {
    let five = r#"{"carry_over":{"limit":{"most":{"days":"5"}},"open_grants":"join"}}"#;
    let mut book = Book::new(rules(five), hired(date(2026, 1, 1)));
    book.grant(10 * DAY, date(2026, 1, 1), None);
    let new_year = date(2027, 1, 1);
    book.submit(date(2026, 11, 2), new_year, 1, 0).unwrap();
    let after = book.balance(new_year);
    assert_eq!((after.available, after.pending, after.expired), (4 * DAY, DAY, 5 * DAY));
}
