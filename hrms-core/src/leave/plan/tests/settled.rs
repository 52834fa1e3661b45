//! What is settled: leave of who has left, and leave that is paid out.

use super::ledger::Book;
use super::replayed::{YEARLY_20, carrying};
use super::*;

/// What payroll was told is undone and told anew, so that nobody has to guess what a correction is about.
#[test]
fn what_was_paid_out_is_corrected_by_undoing_it() {
    let carrying =
        |most: u8| carrying(YEARLY_20, &format!(r#""most": {{"days": "{most}"}}, "excess": "encashed""#));
    let mut book = Book::new(carrying(5), hired(date(2025, 1, 1)));
    let today = date(2026, 1, 10);
    book.job(today);
    let paid_out = |book: &Book| -> Vec<i64> {
        let live = book.stored.live().filter(|one| one.kind == crate::leave::PostingKind::Encashment);
        live.map(|one| one.minutes).collect()
    };
    assert_eq!(paid_out(&book), [-15 * DAY]);
    for (most, expected) in [(8, vec![-12 * DAY]), (30, vec![]), (5, vec![-15 * DAY])] {
        book.terms = vec![(Period::since(date(1900, 1, 1)), carrying(most))];
        book.job(today);
        assert_eq!(paid_out(&book), expected);
        assert_eq!(book.balance(today).encashed, -expected.iter().sum::<i64>());
        let count = book.stored.postings.len();
        book.job(today);
        assert_eq!(book.stored.postings.len(), count, "nothing is told twice");
    }
    let undone = book.stored.postings.iter().filter(|one| one.reverses_id.is_some()).count();
    assert_eq!(undone, 2);
}

/// What somebody had on their last day stays, whatever would have been carried over or have expired since.
#[test]
fn leave_of_who_has_left_stays_for_the_settlement() {
    let level = r#""earn":{"per_year":{"days":"12"}},"every":"monthly""#;
    let rules = carrying(level, r#""most": {"days": "5"}, "valid_for": {"months": 3}"#);
    for last_day in [date(2025, 12, 15), date(2025, 12, 31), date(2026, 2, 15)] {
        let gone = Book::new(rules.clone(), left(date(2025, 1, 1), last_day));
        let in_hand = gone.balance(last_day).available;
        assert!(in_hand > 5 * DAY, "{in_hand}");
        for later in [date(2026, 2, 28), date(2026, 4, 1), date(2028, 1, 1)] {
            assert_eq!(gone.balance(later).available, in_hand, "{last_day} {later}");
        }
    }
    // Once it is known that somebody leaves; and once they stay after all.
    let mut book = Book::new(rules, hired(date(2025, 1, 1)));
    book.take(date(2025, 11, 3), date(2025, 11, 3), 2);
    book.job(date(2026, 1, 2));
    assert_eq!(book.days(date(2026, 1, 2)), 5);
    let stays = std::mem::replace(&mut book.employment, left(date(2025, 1, 1), date(2025, 12, 31)));
    book.job(date(2026, 1, 3));
    assert_eq!(book.days(date(2026, 1, 3)), 10);
    book.employment = stays;
    book.job(date(2026, 1, 4));
    assert_eq!((book.days(date(2026, 1, 4)), book.days(date(2026, 4, 1))), (5, 3));
}
