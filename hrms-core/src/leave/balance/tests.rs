use jiff::civil::date;
use jiff::{Span, Timestamp, ToSpan};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::id::{EmployeeId, LeavePostingId, LeaveRequestId, LeaveTypeId};
use crate::leave::{Demand, LeaveLot, LotSource, NewPosting};

/// A ledger that grows as the services make it grow.
#[derive(Default, Debug)]
struct Book {
    ledger: Ledger,
    ids: u128,
    approved: Vec<LeaveRequestId>,
}

impl Book {
    fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    fn post(&mut self, booked_on: Date, new: Vec<NewPosting>) {
        for one in new {
            let posting = LeavePosting {
                id: LeavePostingId::from_uuid(self.id()),
                employee_id: EmployeeId::from_uuid(Uuid::nil()),
                leave_type_id: LeaveTypeId::from_uuid(Uuid::nil()),
                lot_id: one.lot_id,
                request_id: one.request_id,
                kind: one.kind,
                minutes: one.minutes,
                effective_on: one.effective_on,
                booked_on: one.booked_on.unwrap_or(booked_on),
                posted_at: Timestamp::UNIX_EPOCH,
                posted_by: None,
                reverses_id: one.reverses_id,
                plan_key: None,
                closed_through: None,
            };
            self.ledger.postings.push(posting);
        }
    }

    fn grant(&mut self, on: Date, minutes: i64, valid_from: Date, valid_to: Option<Date>) -> LeaveLotId {
        let id = LeaveLotId::from_uuid(self.id());
        self.ledger.lots.push(LeaveLot {
            id,
            employee_id: EmployeeId::from_uuid(Uuid::nil()),
            leave_type_id: LeaveTypeId::from_uuid(Uuid::nil()),
            source: LotSource::Grant,
            minutes,
            valid_from,
            valid_to,
            granted_on: on,
            note: None,
            plan_key: None,
            created_at: Timestamp::UNIX_EPOCH,
        });
        let grant = NewPosting {
            lot_id: Some(id),
            request_id: None,
            kind: PostingKind::Grant,
            minutes,
            effective_on: valid_from,
            reverses_id: None,
            booked_on: None,
        };
        self.post(on, vec![grant]);
        self.post(on, self.ledger.settle());
        id
    }

    /// Asks for whole days, unless more than `floor` minutes would stay uncovered.
    fn submit(&mut self, on: Date, first: Date, days: i64, floor: i64) -> Option<LeaveRequestId> {
        let request_id = LeaveRequestId::from_uuid(self.id());
        for day in first.series(1.day()).take(usize::try_from(days).unwrap()) {
            self.ledger.pending.push(Demand { request_id, day, asked_on: on, minutes: 480 });
        }
        let uncovered = self.ledger.uncovered(request_id);
        if uncovered.all > floor {
            self.ledger.pending.retain(|demand| demand.request_id != request_id);
            return None;
        }
        Some(request_id)
    }

    fn approve(&mut self, on: Date, request: LeaveRequestId) {
        let booked = self.ledger.book(request);
        self.ledger.pending.retain(|demand| demand.request_id != request);
        self.post(on, booked);
        self.approved.push(request);
    }

    fn cancel(&mut self, on: Date, request: LeaveRequestId) {
        self.ledger.pending.retain(|demand| demand.request_id != request);
        self.approved.retain(|other| *other != request);
        self.post(on, self.ledger.undo(request));
        self.post(on, self.ledger.settle());
    }

    fn balance(&self, as_of: Date) -> BalanceMinutes {
        BalanceMinutes::of(&self.ledger, as_of)
    }
}

const DAY: i64 = 480;

#[test]
fn carried_days_are_used_first_and_the_rest_lapses() {
    let mut book = Book::default();
    let new_year = date(2026, 1, 1);
    book.grant(new_year, 5 * DAY, new_year, Some(date(2026, 4, 1)));
    book.grant(new_year, 9 * DAY / 2, new_year, None);
    let request = book.submit(new_year, date(2026, 2, 10), 3, 0).unwrap();
    book.approve(new_year, request);
    let after = book.balance(date(2026, 4, 1));
    assert_eq!((after.expired, after.available), (2 * DAY, 9 * DAY / 2));
    // Cancelled after the expiry: the days go back to their lot, which has expired.
    book.cancel(date(2026, 4, 10), request);
    let after = book.balance(date(2026, 4, 10));
    assert_eq!((after.expired, after.available, after.taken), (5 * DAY, 9 * DAY / 2, 0));
}

#[test]
fn a_negative_floor_lends_and_the_next_grant_pays_back() {
    let mut book = Book::default();
    let today = date(2026, 1, 1);
    book.grant(today, DAY, today, None);
    assert_eq!(book.submit(today, date(2026, 3, 2), 4, 2 * DAY), None);
    let request = book.submit(today, date(2026, 3, 2), 3, 2 * DAY).unwrap();
    book.approve(today, request);
    assert_eq!(book.balance(today).available, -2 * DAY);
    assert_eq!(book.ledger.advanced(), 2 * DAY);
    book.grant(date(2026, 5, 1), 10 * DAY, date(2026, 5, 1), None);
    assert_eq!(book.balance(date(2026, 4, 30)).available, -2 * DAY);
    assert_eq!(book.balance(date(2026, 5, 1)).available, 8 * DAY);
    assert_eq!(book.ledger.advanced(), 0);
}

/// A lot that gives less than was taken of it: what is missing is owed, and nothing of it expires.
#[test]
fn what_a_lot_lacks_when_it_expires_is_owed() {
    let mut book = Book::default();
    let (today, end) = (date(2026, 1, 1), date(2026, 4, 1));
    let lot = book.grant(today, 2 * DAY, today, Some(end));
    let request = book.submit(today, date(2026, 2, 2), 2, 0).unwrap();
    book.approve(today, request);
    let less = NewPosting {
        lot_id: Some(lot),
        request_id: None,
        kind: PostingKind::Adjustment,
        minutes: -DAY,
        effective_on: today,
        reverses_id: None,
        booked_on: None,
    };
    book.post(today, vec![less]);
    for as_of in [date(2026, 3, 31), end] {
        let b = book.balance(as_of);
        assert_eq!((b.granted, b.taken, b.expired, b.available), (DAY, 2 * DAY, 0, -DAY), "{as_of}");
    }
}

/// P14: what is undone is there once more with the opposite sign, on the same lot and day, and counts no more.
#[test]
fn p14_a_reversal_is_on_the_lot_that_it_gives_back_to() {
    let mut book = Book::default();
    let today = date(2026, 1, 1);
    let lot = book.grant(today, 2 * DAY, today, None);
    let request = book.submit(today, date(2026, 2, 2), 2, 0).unwrap();
    book.approve(today, request);
    let taken: Vec<_> = book.ledger.live().filter(|one| one.request_id.is_some()).cloned().collect();
    let undone = book.ledger.undo(request);
    assert_eq!((taken.len(), undone.len()), (2, 2));
    for (before, after) in taken.iter().zip(&undone) {
        assert_eq!((after.lot_id, after.minutes, after.reverses_id), (Some(lot), DAY, Some(before.id)));
        assert_eq!((after.kind, after.effective_on), (PostingKind::Reversal, before.effective_on));
    }
    book.cancel(today, request);
    let on_lot = book.ledger.postings.iter().filter(|one| one.lot_id == Some(lot));
    assert_eq!(on_lot.map(|one| one.minutes).sum::<i64>(), 2 * DAY, "the rows of a lot add up");
}

#[test]
fn next_years_leave_does_not_touch_this_years_balance() {
    let mut book = Book::default();
    let today = date(2026, 11, 21);
    book.grant(today, 10 * DAY, date(2026, 1, 1), Some(date(2027, 1, 1)));
    book.grant(today, 10 * DAY, date(2027, 1, 1), Some(date(2028, 1, 1)));
    let request = book.submit(today, date(2027, 2, 1), 4, 0).unwrap();
    book.approve(today, request);
    assert_eq!(book.balance(today).available, 10 * DAY);
    let next = book.balance(date(2027, 1, 1));
    assert_eq!(
        (next.granted, next.taken, next.expired, next.available),
        (20 * DAY, 4 * DAY, 10 * DAY, 6 * DAY)
    );
}

#[test]
fn an_earlier_day_may_use_what_a_pending_later_day_need_not() {
    let mut book = Book::default();
    let today = date(2026, 1, 1);
    book.grant(today, DAY, date(2026, 1, 1), Some(date(2026, 1, 25)));
    book.grant(today, DAY, date(2026, 1, 15), None);
    assert!(book.submit(today, date(2026, 1, 20), 1, 0).is_some());
    assert!(book.submit(today, date(2026, 1, 10), 1, 0).is_some());
}

#[derive(Clone, Debug)]
enum Step {
    Grant { from: i64, valid: Option<i64>, minutes: i64 },
    Submit { from: i64, days: i64 },
    Approve(prop::sample::Index),
    Cancel(prop::sample::Index),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0i64..700, prop::option::of(1i64..400), 1i64..5000).prop_map(|(from, valid, minutes)| Step::Grant {
            from,
            valid,
            minutes
        }),
        (0i64..900, 1i64..12).prop_map(|(from, days)| Step::Submit { from, days }),
        any::<prop::sample::Index>().prop_map(Step::Approve),
        any::<prop::sample::Index>().prop_map(Step::Cancel),
    ]
}

fn pending(book: &Book) -> Vec<LeaveRequestId> {
    let mut all: Vec<_> = book.ledger.pending.iter().map(|demand| demand.request_id).collect();
    all.dedup();
    all
}

proptest! {
    /// P1, P2, P3, P14 on random histories, checked at every month of them and after every step.
    #[test]
    fn the_balance_adds_up_at_every_date(steps in prop::collection::vec(step(), 1..40), floor in 0i64..2000) {
        let start = date(2026, 1, 1);
        let mut book = Book::default();
        for (index, step) in steps.into_iter().enumerate() {
            let today = start + Span::new().days(index as i64 * 10);
            let rows = book.ledger.postings.len();
            match step {
                Step::Grant { from, valid, minutes } => {
                    let from = start + from.days();
                    let lot = book.grant(today, minutes, from, valid.map(|days| from + days.days()));
                    prop_assert!(book.ledger.lots.iter().any(|known| known.id == lot));
                }
                Step::Submit { from, days } => {
                    let before = book.balance(date(2030, 1, 1));
                    match book.submit(today, start + from.days(), days, floor) {
                        Some(_) => prop_assert!(book.ledger.advanced() <= floor),
                        None => prop_assert_eq!(book.balance(date(2030, 1, 1)), before),
                    }
                }
                Step::Approve(which) => {
                    let pending = pending(&book);
                    if !pending.is_empty() {
                        let before = book.balance(date(2030, 1, 1));
                        book.approve(today, *which.get(&pending));
                        let after = book.balance(date(2030, 1, 1));
                        // Approving moves pending to taken and changes nothing else.
                        prop_assert_eq!(before.pending + before.taken, after.pending + after.taken);
                        prop_assert_eq!((before.available, before.expired), (after.available, after.expired));
                    }
                }
                Step::Cancel(which) => {
                    let mut all = pending(&book);
                    all.extend(&book.approved);
                    if !all.is_empty() {
                        let request = *which.get(&all);
                        book.cancel(today, request);
                        prop_assert!(book.ledger.live().all(|posting| posting.request_id != Some(request)));
                    }
                }
            }
            // P14: the ledger only grows.
            prop_assert!(book.ledger.postings.len() >= rows);
            let mut granted_before = 0;
            for month in 0..60 {
                let as_of = start + Span::new().months(month);
                let b = book.balance(as_of);
                // P1
                prop_assert_eq!(b.granted, b.available + b.taken + b.pending + b.expired + b.encashed);
                prop_assert!(b.taken >= 0 && b.pending >= 0 && b.expired >= 0);
                // Granted never shrinks as time goes by.
                prop_assert!(b.granted >= granted_before);
                granted_before = b.granted;
            }
            // P2: no lot gives more than it has; consumption is on days that its lot covers, or was an advance.
            for (_, left) in book.ledger.free() {
                prop_assert!(left >= 0);
            }
            for posting in book.ledger.live().filter(|posting| posting.kind == PostingKind::Consumption) {
                let lot = book.ledger.lots.iter().find(|lot| Some(lot.id) == posting.lot_id);
                prop_assert!(lot.is_none_or(|lot| !lot.expired_at(posting.effective_on)));
            }
        }
    }
}

/// leave-cf-007 and what is around it: a day fits on each day of the calendar, or only on some.
#[test]
fn what_can_be_used_before_it_expires_depends_on_the_days() {
    let mut book = Book::default();
    book.grant(date(2024, 2, 7), 15 * 480, date(2024, 2, 7), Some(date(2024, 5, 7)));
    book.grant(date(2024, 2, 7), 15 * 480, date(2024, 2, 7), Some(date(2024, 8, 10)));
    let usable =
        |book: &Book, on, fits: &dyn Fn(Date) -> i64| usable_until_expiry(&book.ledger, on, fits) / 480;
    let every_day = |_: Date| 480;
    let on = date(2024, 5, 1);
    assert_eq!(usable(&book, on, &every_day), 21);
    assert_eq!(usable(&book, date(2024, 4, 22), &every_day), 30);
    assert_eq!(usable(&book, date(2024, 5, 6), &every_day), 16);
    assert_eq!(usable(&book, date(2024, 5, 7), &every_day), 15);
    // Near the end of both, days are shared: 6 of the calendar, and of the later lot what is left of August.
    assert_eq!(usable(&book, date(2024, 8, 5), &every_day), 5);
    // From Wednesday 1 to Monday 6 May, three working days and a Monday.
    let office = |day: Date| if day.weekday().to_monday_zero_offset() < 5 { 480 } else { 0 };
    assert_eq!(usable(&book, on, &office), 19);
    assert_eq!(usable(&book, on, &|_| 0), 0);
    // What never expires, or only in many years, can always be used; never more than there is.
    book.grant(on, 4 * 480, date(2024, 2, 7), None);
    book.grant(on, 2 * 480, date(2024, 2, 7), Some(date(2040, 1, 1)));
    assert_eq!(usable(&book, on, &|_| 0), 6);
    let id = book.submit(on, date(2024, 5, 6), 2, 0).unwrap();
    book.approve(on, id);
    // One day of the leave is of the first lot and one, when that has expired, of the second; no other leave fits on them.
    let besides = |day: Date| if [date(2024, 5, 6), date(2024, 5, 7)].contains(&day) { 0 } else { 480 };
    assert_eq!(usable(&book, on, &besides), 5 + 14 + 6);
    let mut advance = Book::default();
    let id = advance.submit(on, on, 2, 2 * 480).unwrap();
    advance.approve(on, id);
    assert!(usable(&advance, on, &every_day) < 0);
}
