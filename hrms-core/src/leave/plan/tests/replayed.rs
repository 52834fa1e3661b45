//! Carry-over, caps, expiry and missed runs: figures of the cases, and P1, P5, P6 and P12 on random histories.

use jiff::ToSpan;
use proptest::prelude::*;

use super::ledger::Book;
use super::*;
use crate::leave::BalanceMinutes;

/// Rules with one level and carry-over on 1 January.
pub(super) fn carrying(level: &str, limit: &str) -> PolicyRules {
    rules(&format!(r#"{{"accrual": {{"levels": [{{{level}}}]}}, "carry_over": {{"limit": {{{limit}}}}}}}"#))
}

pub(super) const YEARLY_20: &str = r#""earn":{"per_year":{"days":"20"}},"every":"up_front","credit":"start""#;

/// LV-15: only up to the cap.
#[test]
fn a_credit_is_cut_at_the_balance_cap() {
    let level = r#""earn":{"per_period":{"days":"1.5"}},"every":"monthly","balance_cap":{"days":"45"}"#;
    let mut book = Book::new(plan(level, ""), hired(date(2026, 1, 1)));
    book.grant(89 * DAY / 2, date(2026, 1, 1), None);
    let credit = book.replayed(date(2026, 1, 31)).credits.pop().unwrap();
    assert_eq!((credit.minutes, credit.derivation.cut_by_balance_cap), (DAY / 2, DAY));
    assert_eq!(book.days(date(2026, 1, 31)), 45);
    // What is taken makes room again; leave of the day itself comes after the credit (P12).
    book.take(date(2026, 2, 1), date(2026, 2, 2), 1);
    assert_eq!(book.days(date(2026, 2, 28)), 45);
    assert_eq!(book.balance(date(2026, 2, 28)).taken, DAY);
}

/// What was never credited doesn't count towards what a year credits.
#[test]
fn what_the_balance_cap_cut_leaves_room_under_the_yearly_cap() {
    let level = r#""earn":{"per_period":{"days":"2"}},"every":"monthly","balance_cap":{"days":"10"},"yearly_cap":{"days":"12"}"#;
    let mut book = Book::new(plan(level, ""), hired(date(2026, 1, 1)));
    assert_eq!(book.days(date(2026, 7, 31)), 10);
    book.take(date(2026, 8, 3), date(2026, 8, 3), 5);
    assert_eq!(book.days(date(2026, 8, 31)), 7);
    // 12 were credited: nothing more comes in this year.
    assert_eq!(book.days(date(2026, 12, 31)), 7);
    assert_eq!(book.days(date(2027, 1, 31)), 9);
}

/// LV-17 and LV-19: carried days are used first, the rest lapses, and cancelling doesn't bring them back.
#[test]
fn carried_days_lapse_and_stay_lapsed() {
    let level = r#""earn":{"per_year":{"days":"18"}},"every":"monthly""#;
    let limit = r#""most":{"days":"5"},"valid_for":{"months":3}"#;
    let mut book = Book::new(carrying(level, limit), hired(date(2025, 1, 1)));
    let leave = book.take(date(2026, 1, 5), date(2026, 2, 10), 3);
    let on = date(2026, 4, 1);
    // The year before: 18 of which 5 were carried. Of those 2 lapse.
    assert_eq!(book.balance(on).expired, 15 * DAY);
    assert_eq!(book.balance(on).available, 9 * DAY / 2);
    book.cancel(date(2026, 4, 10), leave);
    assert_eq!(book.balance(date(2026, 4, 10)).expired, 18 * DAY);
    assert_eq!(book.balance(date(2026, 4, 10)).available, 9 * DAY / 2);
}

/// leave-cf-001: valid for 90 days means up to 6 May. leave-cf-009-8: only what is unused expires.
#[test]
fn carried_days_have_their_own_expiry() {
    let rules = rules(
        r#"{"leave_year": {"on": "02-07"},
            "accrual": {"levels": [{"earn": {"per_year": {"days": "15"}}, "every": "up_front", "credit": "start"}]},
            "carry_over": {"limit": {"valid_for": {"days": 90}}}}"#,
    );
    let mut book = Book::new(rules, hired(date(2023, 2, 7)));
    assert_eq!(book.days(date(2024, 5, 6)), 30);
    assert_eq!(book.days(date(2024, 5, 7)), 15);
    // leave-cf-004: leave across the expiry takes one carried day and three new ones.
    book.take(date(2024, 5, 1), date(2024, 5, 6), 4);
    let after = book.balance(date(2024, 5, 10));
    assert_eq!(
        (after.granted, after.expired, after.taken, after.available),
        (30 * DAY, 14 * DAY, 4 * DAY, 12 * DAY)
    );
}

/// leave-cf-010 and leave-cf-013: at most so much, and nothing that has expired is carried again.
#[test]
fn carry_over_is_limited_and_not_repeated() {
    let limit = r#""most":{"days":"10"},"valid_for":{"days":90}"#;
    let book = Book::new(carrying(YEARLY_20, limit), hired(date(2023, 1, 1)));
    assert_eq!(book.days(date(2024, 1, 1)), 30);
    assert_eq!(book.days(date(2024, 12, 31)), 20);
    assert_eq!(book.days(date(2025, 1, 1)), 30);
}

/// leave-cf-010 and what is beside it: carried leave is cut where it and what is new would be more than so much.
#[test]
fn carried_leave_is_cut_to_a_total() {
    let on = |most: &str, total: &str, new: i64| {
        let level =
            format!(r#""earn":{{"per_year":{{"days":"{new}"}}}},"every":"up_front","credit":"start""#);
        let limit = format!(r#""most":{{"days":"{most}"}},"total":{{"days":"{total}"}}"#);
        let mut book = Book::new(carrying(&level, &limit), hired(date(2024, 1, 1)));
        book.take(date(2024, 1, 2), date(2024, 1, 2), new - 15);
        let replayed = book.replayed(date(2025, 1, 1));
        let carried = replayed.lots.iter().filter(|lot| lot.source == crate::leave::LotSource::CarryOver);
        (carried.map(|lot| lot.minutes / DAY).sum::<i64>(), book.days(date(2025, 1, 1)))
    };
    assert_eq!(on("10", "30", 15), (10, 25));
    assert_eq!(on("10", "30", 25), (5, 30));
    assert_eq!(on("10", "30", 30), (0, 30));
    assert_eq!(on("10", "20", 25), (0, 25), "what is new isn't cut");
    // Grants by hand of that day are new, too; those that join are what is carried.
    let plan = rules(r#"{"carry_over": {"limit": {"total": {"days": "30"}}, "open_grants": "join"}}"#);
    let mut book = Book::new(plan, hired(date(2024, 1, 1)));
    book.grant(15 * DAY, date(2024, 2, 1), None);
    book.grant(22 * DAY, date(2025, 1, 1), Some(date(2026, 1, 1)));
    assert_eq!(book.days(date(2025, 1, 1)), 30);
    assert_eq!(book.balance(date(2025, 1, 1)).expired, 7 * DAY);
}

/// leave-cf-017: a run that was missed is made up, and one that is repeated changes nothing.
#[test]
fn a_missed_reset_is_made_up() {
    let mut book = Book::new(carrying(YEARLY_20, r#""most":{"days":"5"}"#), hired(date(2023, 1, 1)));
    book.job(date(2023, 12, 20));
    book.take(date(2023, 6, 1), date(2023, 6, 5), 13);
    for _ in 0..2 {
        book.job(date(2024, 1, 3));
        assert_eq!(book.balance(date(2024, 1, 3)).available, 25 * DAY);
        let again = book.replayed(date(2024, 1, 3));
        assert!(again.lots.is_empty() && again.postings.is_empty() && again.links.is_empty());
    }
}

/// leave-earn-003: carried days don't count against the year's amount.
#[test]
fn carried_days_are_beside_the_years_amount() {
    let level = r#""earn":{"per_year":{"days":"22"}},"every":"monthly","credit":"start""#;
    let plan = rules(&format!(
        r#"{{"accrual": {{"levels": [{{{level}}}], "rounding": {{"mode": "nearest", "step": {{"days": "1"}}}}}},
            "carry_over": {{"limit": {{"most": {{"days": "5"}}}}}}}}"#
    ));
    let book = Book::new(plan, hired(date(2025, 1, 1)));
    assert_eq!(book.days(date(2026, 11, 1)), 27);
    assert_eq!(book.days(date(2026, 12, 1)), 27);
}

/// leave-accr-009: unused leave is lost on 1 January, what comes on the same day stays (P12).
#[test]
fn the_credit_of_the_day_comes_after_the_carry_over() {
    let plan = rules(
        r#"{"accrual": {"levels": [{"after": {"days": 1}, "earn": {"per_period": {"days": "1"}}, "every": "daily",
              "credit": "day_after", "balance_cap": {"days": "20"}}]},
            "carry_over": {"limit": {"most": {"days": "0"}}, "open_grants": "join"}}"#,
    );
    let mut book = Book::new(plan, hired(date(2021, 12, 15)));
    book.grant(10 * DAY, date(2021, 12, 15), None);
    assert_eq!(book.days(date(2022, 1, 1)), 1);
    assert_eq!(book.days(date(2021, 12, 31)), 20);
}

/// leave-accr-012: 15 a year, at most 7 carried.
#[test]
fn yearly_with_at_most_seven_carried() {
    let level = r#""earn":{"per_period":{"days":"15"}},"every":"yearly","credit":"day_after""#;
    let book = Book::new(carrying(level, r#""most":{"days":"7"}"#), hired(date(2021, 1, 1)));
    assert_eq!(book.days(date(2023, 1, 26)), 22);
}

/// leave-accr-015: lost at the turn of the year, with a change of level after one year.
#[test]
fn lost_at_the_turn_of_the_year() {
    let level = r#""earn":{"per_period":{"days":"1"}},"every":"monthly","credit":"day_after""#;
    let plan = rules(&format!(
        r#"{{"accrual": {{"levels": [{{{level}}}, {{"after": {{"years": 1}}, {level}}}]}},
            "carry_over": {{"limit": {{"most": {{"days": "0"}}}}}}}}"#
    ));
    let book = Book::new(plan, hired(date(2021, 1, 1)));
    assert_eq!(book.days(date(2022, 4, 4)), 4);
}

/// leave-accr-018: a lower cap of a new level: the policy says whether what is above it lapses.
#[test]
fn a_lower_cap_lapses_or_stays() {
    let days = |above: &str, on: Date| {
        let plan = rules(&format!(
            r#"{{"accrual": {{"above_new_cap": "{above}", "levels": [
                {{"earn": {{"per_period": {{"days": "1"}}}}, "every": "weekly", "begins": {{"weekday": "wednesday"}},
                  "credit": "start", "balance_cap": {{"days": "10"}}}},
                {{"after": {{"months": 3}}, "earn": {{"per_period": {{"days": "2"}}}}, "every": "weekly",
                  "begins": {{"weekday": "wednesday"}}, "credit": "start", "balance_cap": {{"days": "5"}}}}
            ]}}}}"#
        ));
        Book::new(plan, hired(date(2023, 4, 26))).balance(on)
    };
    for above in ["lapses", "stays"] {
        assert_eq!(days(above, date(2023, 4, 26)).available, DAY);
        assert_eq!(days(above, date(2023, 7, 5)).available, 10 * DAY);
    }
    let lapsed = days("lapses", date(2023, 8, 2));
    assert_eq!((lapsed.available, lapsed.expired, lapsed.granted), (5 * DAY, 5 * DAY, 10 * DAY));
    assert_eq!(days("stays", date(2023, 8, 2)).available, 10 * DAY);
}

/// A new version of the rules with the same cap takes nothing away, one with a lower cap does.
#[test]
fn only_a_lower_cap_lapses() {
    let levels = |cap: u8| {
        rules(&format!(
            r#"{{"accrual": {{"above_new_cap": "lapses", "levels": [
                {{"earn": {{"per_period": {{"days": "1"}}}}, "every": "monthly"}},
                {{"after": {{"years": 1}}, "earn": {{"per_period": {{"days": "1"}}}}, "every": "monthly",
                  "balance_cap": {{"days": "{cap}"}}}}]}}}}"#
        ))
    };
    for (cap, left) in [(10, 30), (12, 30), (8, 8)] {
        let mut book = Book::new(levels(10), hired(date(2024, 1, 1)));
        book.grant(20 * DAY, date(2026, 3, 1), None);
        assert_eq!(book.days(date(2026, 6, 30)), 30);
        book.change_rules(date(2026, 7, 1), levels(cap));
        assert_eq!(book.days(date(2026, 7, 1)), left, "{cap}");
    }
}

/// leave-accr-021: three levels over three years, 9 opening days.
#[test]
fn three_levels_over_three_years() {
    let plan = rules(
        r#"{"accrual": {"above_new_cap": "lapses", "levels": [
              {"after": {"days": 5}, "earn": {"per_period": {"days": "1"}}, "every": "monthly", "begins": {"day": 9},
               "credit": "day_after", "balance_cap": {"days": "15"}, "carry_over": {"most": {"days": "13"}}},
              {"after": {"months": 9}, "earn": {"per_period": {"days": "2"}}, "every": "half_yearly",
               "begins": {"half_years": ["02-17", "10-29"]}, "credit": "day_after",
               "balance_cap": {"days": "10"}, "carry_over": {"most": {"days": "20"}}},
              {"after": {"months": 17}, "earn": {"per_period": {"days": "12"}}, "every": "yearly",
               "begins": {"date": "07-15"}, "credit": "day_after", "balance_cap": {"days": "21"},
               "carry_over": {"most": {"days": "0"}}}
            ]},
            "carry_over": {"on": {"date": "06-05"}, "open_grants": "join"}}"#,
    );
    let mut book = Book::new(plan, hired(date(2023, 4, 4)));
    book.grant(9 * DAY, date(2023, 4, 4), None);
    assert_eq!(book.days(date(2026, 8, 1)), 12);
}

/// leave-accr-024: the validity of carried days changes with the level.
#[test]
fn validity_follows_the_level() {
    let plan = rules(
        r#"{"accrual": {"levels": [
              {"earn": {"per_period": {"days": "10"}}, "every": "yearly", "credit": "day_after",
               "carry_over": {"valid_for": {"months": 2}}},
              {"after": {"years": 2}, "earn": {"per_period": {"days": "20"}}, "every": "yearly",
               "credit": "day_after", "carry_over": {"valid_for": {"months": 3}}}
            ]},
            "carry_over": {"on": {"date": "04-01"}}}"#,
    );
    let replayed = Book::new(plan, hired(date(2023, 1, 1))).replayed(date(2025, 4, 1));
    let carried: Vec<_> = replayed
        .lots
        .iter()
        .filter(|lot| lot.source == crate::leave::LotSource::CarryOver)
        .map(|lot| lot.valid_to.unwrap())
        .collect();
    assert_eq!(carried, [date(2024, 6, 1), date(2025, 7, 1)][2 - carried.len()..]);
    assert_eq!(carried.last(), Some(&date(2025, 7, 1)));
}

/// leave-accr-030: carrying over credits nothing.
#[test]
fn nothing_accrues_by_carrying_over() {
    let plan = rules(
        r#"{"accrual": {"levels": [{"earn": {"per_period": {"days": "10"}}, "every": "yearly", "credit": "day_after"}]},
            "carry_over": {"on": {"date": "07-01"}}}"#,
    );
    let book = Book::new(plan, hired(date(2024, 1, 1)));
    assert_eq!((book.days(date(2025, 1, 1)), book.days(date(2025, 7, 1))), (10, 10));
    assert_eq!(book.balance(date(2025, 7, 1)).granted, 10 * DAY);
}

/// leave-accr-033: all carried days expire together.
#[test]
fn carried_days_expire_together() {
    let plan = rules(
        r#"{"accrual": {"levels": [{"earn": {"per_period": {"days": "2"}}, "every": "monthly", "credit": "start"}]},
            "carry_over": {"on": "anniversary", "limit": {"valid_for": {"months": 3}}}}"#,
    );
    let book = Book::new(plan, hired(date(2024, 7, 1)));
    assert_eq!(book.days(date(2025, 9, 23)), 30);
    let october = book.balance(date(2025, 10, 1));
    assert_eq!((october.expired, october.available), (24 * DAY, 8 * DAY));
}

/// LV-45, as far as it is about days: what is above the limit is to be paid out.
#[test]
fn excess_can_be_encashed() {
    let limit = r#""most":{"days":"15"},"excess":"encashed""#;
    let book = Book::new(carrying(YEARLY_20, limit), hired(date(2025, 1, 1)));
    let after = book.balance(date(2026, 1, 1));
    assert_eq!((after.encashed, after.expired, after.available), (5 * DAY, 0, 35 * DAY));
    assert_eq!(book.balance(date(2025, 12, 31)).encashed, 0);
}

/// LV-47: nine taken of eight; one day is to be recovered.
#[test]
fn a_leaver_who_took_more_than_was_earned() {
    let level = r#""earn":{"per_year":{"days":"18"}},"every":"monthly""#;
    let plan =
        rules(&format!(r#"{{"leave_year": {{"on": "04-01"}}, "accrual": {{"levels": [{{{level}}}]}}}}"#));
    let mut book = Book::new(plan, hired(date(2026, 4, 1)));
    let request = book.submit(date(2026, 8, 3), date(2026, 8, 3), 9, 3 * DAY).unwrap();
    book.approve(date(2026, 8, 3), request);
    book.job(date(2026, 9, 30));
    // The end of the employment is recorded late: what was credited too much is corrected (P5).
    book.employment.end(date(2026, 9, 10), None).unwrap();
    assert_eq!(book.balance(date(2026, 10, 1)).available, -DAY);
    book.job(date(2026, 10, 1));
    assert_eq!(book.balance(date(2026, 10, 1)).granted, 8 * DAY);
    assert_eq!(book.balance(date(2026, 10, 1)).available, -DAY);
}

#[test]
fn pending_leave_of_the_old_year_is_not_carried_over() {
    let mut book = Book::new(carrying(YEARLY_20, r#""most":{"days":"18"}"#), hired(date(2025, 1, 1)));
    let request = book.submit(date(2025, 12, 1), date(2025, 12, 8), 4, 0).unwrap();
    assert_eq!(book.days(date(2026, 1, 1)), 16 + 20);
    book.job(date(2026, 1, 2));
    book.approve(date(2026, 1, 2), request);
    assert_eq!(book.days(date(2026, 1, 2)), 16 + 20);
    // Cancelled afterwards, it is carried over as far as the limit allows.
    book.cancel(date(2026, 1, 5), request);
    assert_eq!(book.days(date(2026, 1, 5)), 18 + 20);
}

#[derive(Clone, Debug)]
enum Step {
    Submit { ahead: i64, days: i64 },
    Approve(prop::sample::Index),
    Cancel(prop::sample::Index),
    Grant { ahead: i64, valid: Option<i64>, halves: i64 },
    Rules(usize, i64),
    Leave,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (-60i64..400, 1i64..9).prop_map(|(ahead, days)| Step::Submit { ahead, days }),
        4 => any::<prop::sample::Index>().prop_map(Step::Approve),
        2 => any::<prop::sample::Index>().prop_map(Step::Cancel),
        1 => (-30i64..200, prop::option::of(1i64..400), 1i64..20)
            .prop_map(|(ahead, valid, halves)| Step::Grant { ahead, valid, halves }),
        1 => (0usize..6, -200i64..200).prop_map(|(rules, ahead)| Step::Rules(rules, ahead)),
        1 => Just(Step::Leave),
    ]
}

fn some_rules(index: usize) -> PolicyRules {
    let monthly = r#""earn":{"per_year":{"days":"18"}},"every":"monthly""#;
    let capped =
        r#""earn":{"per_period":{"days":"1"}},"every":"weekly","credit":"start","balance_cap":{"days":"8"}"#;
    match index {
        0 => plan(monthly, ""),
        1 => carrying(monthly, r#""most":{"days":"5"},"valid_for":{"months":3}"#),
        2 => carrying(YEARLY_20, r#""most":{"days":"7"},"excess":"encashed""#),
        3 => carrying(capped, r#""most":{"days":"3"}"#),
        4 => rules(
            r#"{"leave_year": "anniversary",
                "accrual": {"above_new_cap": "lapses", "levels": [
                    {"earn": {"per_year": {"days": "24"}}, "every": "twice_monthly", "balance_cap": {"days": "12"}},
                    {"after": {"months": 7}, "earn": {"per_year": {"days": "30"}}, "every": "quarterly",
                     "credit": "day_after", "balance_cap": {"days": "9"}}
                ], "rounding": {"mode": "up", "step": {"days": "0.5"}}},
                "carry_over": {"on": {"date": "06-05"}, "open_grants": "join"}}"#,
        ),
        _ => PolicyRules::default(),
    }
}

/// Does the same on several books, of which each has its own habit of running the job.
struct Books {
    books: [Book; 4],
    approved: Vec<crate::id::LeaveRequestId>,
    today: Date,
}

impl Books {
    fn go_to(&mut self, today: Date) {
        let [_, often, late, twice] = &mut self.books;
        for day in self.today.series(9.days()).take_while(|day| *day < today) {
            often.job(day);
        }
        if today.day() > 20 {
            late.job(today);
        }
        twice.job(today);
        twice.job(today);
        self.today = today;
    }

    fn pending(&self) -> Vec<crate::id::LeaveRequestId> {
        let mut all: Vec<_> = self.books[0].stored.pending.iter().map(|demand| demand.request_id).collect();
        all.dedup();
        all
    }

    fn apply(&mut self, step: &Step) {
        let today = self.today;
        match step {
            Step::Submit { ahead, days } => {
                let first = (today + ahead.days()).max(date(2025, 3, 10));
                let asked: Vec<_> =
                    self.books.iter_mut().map(|book| book.submit(today, first, *days, DAY)).collect();
                assert!(asked.iter().all(|one| one.is_some() == asked[0].is_some()), "{asked:?}");
                // The books count their ids apart; requests are the same one.
                if let Some(id) = asked[0] {
                    for (book, other) in self.books.iter_mut().zip(&asked) {
                        for demand in book.stored.pending.iter_mut() {
                            if Some(demand.request_id) == *other {
                                demand.request_id = id;
                            }
                        }
                    }
                }
            }
            Step::Approve(which) => {
                let pending = self.pending();
                if !pending.is_empty() {
                    let request = *which.get(&pending);
                    self.books.iter_mut().for_each(|book| book.approve(today, request));
                    self.approved.push(request);
                }
            }
            Step::Cancel(which) => {
                let mut all = self.pending();
                all.extend(&self.approved);
                if !all.is_empty() {
                    let request = *which.get(&all);
                    self.approved.retain(|one| *one != request);
                    self.books.iter_mut().for_each(|book| book.cancel(today, request));
                }
            }
            Step::Grant { ahead, valid, halves } => {
                let from = today + ahead.days();
                for book in &mut self.books {
                    book.grant(halves * DAY / 2, from, valid.map(|days| from + days.days()));
                }
            }
            Step::Rules(index, ahead) => {
                let on = today + ahead.days();
                self.books.iter_mut().for_each(|book| book.change_rules(on, some_rules(*index)));
            }
            Step::Leave => {
                for book in &mut self.books {
                    let _ = book.employment.end(today + 40.days(), None);
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// P6: whether the job ran often, late, twice or never, every balance is the same. P1 and P2 hold on all of them,
    /// P5: what was written is corrected by postings, and P14: nothing that was written goes away.
    #[test]
    fn p6_no_run_of_the_job_changes_an_answer(
        first in 0usize..6,
        steps in prop::collection::vec((1i64..60, step()), 1..14),
    ) {
        let book = Book::new(some_rules(first), hired(date(2025, 3, 10)));
        let books = [book.clone(), book.clone(), book.clone(), book];
        let mut books = Books { books, approved: Vec::new(), today: date(2025, 3, 10) };
        for (days, step) in &steps {
            books.go_to(books.today + days.days());
            books.apply(step);
            let [never, often, late, twice] = &books.books;
            for months in [-9, -2, 0, 1, 5, 14] {
                let as_of = books.today + months.months();
                let balance = never.balance(as_of);
                for (name, book) in [("often", often), ("late", late), ("twice", twice)] {
                    prop_assert_eq!(book.balance(as_of), balance, "{} as of {} after {:?}", name, as_of, step);
                }
                let sum = balance.available + balance.taken + balance.pending + balance.expired + balance.encashed;
                prop_assert_eq!(balance.granted, sum);
                prop_assert!(balance.expired >= 0 && balance.encashed >= 0);
                // How far one looks ahead doesn't matter either.
                let far = never.replayed(as_of + 20.months());
                prop_assert_eq!(BalanceMinutes::of(&far.ledger, as_of), balance, "far from {}", as_of);
            }
        }
        // What was replayed lacks nothing when it is replayed again.
        for book in &mut books.books {
            let replayed = book.replayed(books.today);
            book.stored = replayed.ledger;
            let again = book.replayed(books.today);
            prop_assert!(again.lots.is_empty() && again.postings.is_empty() && again.links.is_empty(), "{:?} {:?} {:?}", again.lots, again.postings, again.links);
        }
    }
}

/// Who is employed again begins anew: what policies had credited lapses, what people granted stays.
#[test]
fn a_rehired_employee_begins_anew() {
    let mut employment = left(date(2024, 1, 1), date(2024, 12, 31));
    employment.rehire(date(2025, 7, 1), Facts::default()).unwrap();
    let level = r#""earn":{"per_year":{"days":"12"}},"every":"monthly""#;
    let mut book = Book::new(plan(level, ""), employment.clone());
    book.grant(DAY, date(2024, 1, 1), None);
    book.take(date(2024, 3, 1), date(2024, 6, 3), 2);
    assert_eq!(book.days(date(2024, 12, 31)), 11);
    assert_eq!(book.days(date(2025, 6, 30)), 11, "shown until then, for the settlement");
    // The two days taken came from the grant and the first credit, as the oldest lots are used first.
    assert_eq!(book.days(date(2025, 7, 1)), 0);
    assert_eq!(book.balance(date(2025, 7, 1)).expired, 11 * DAY);
    assert_eq!(book.days(date(2025, 8, 31)), 2);
    let mut granted = Book::new(plan(level, ""), employment);
    granted.grant(DAY, date(2024, 1, 1), None);
    assert_eq!((granted.days(date(2025, 6, 30)), granted.days(date(2025, 7, 1))), (13, 1));
    // A change of contract without a gap is no new employment.
    let mut moved = hired(date(2024, 1, 1));
    let change = crate::employment::Change::default();
    moved.change_from(date(2025, 7, 1), &change).unwrap();
    assert_eq!(Book::new(plan(level, ""), moved).days(date(2025, 7, 1)), 18);
}

/// Thirty years of daily credits, with leave in each: no step looks at everything that came before. What took minutes
/// takes seconds without optimization; the limit leaves room for a slow machine.
#[test]
fn decades_of_daily_credits_are_replayed_in_time() {
    let begun = std::time::Instant::now();
    let level = r#""earn":{"per_year":{"days":"18"}},"every":"daily","balance_cap":{"days":"400"}"#;
    let mut book = Book::new(plan(level, ""), hired(date(1997, 1, 1)));
    for year in 1997..2027 {
        book.take_in_advance(date(year, 11, 1), 15);
    }
    let last = date(2026, 12, 31);
    let replayed = book.replayed(last);
    assert!(replayed.lots.len() > 10_000 && replayed.credits.len() > 10_000);
    assert_eq!(BalanceMinutes::of(&replayed.ledger, last).taken, 30 * 15 * DAY);
    let employee = replayed.lots[0].employee_id;
    let leave_type = crate::leave::LeaveType {
        id: replayed.lots[0].leave_type_id,
        code: "annual".into(),
        name: "Annual leave".into(),
        paid: true,
        allow_negative_minutes: 0,
        minutes_per_day: DAY,
        created_at: jiff::Timestamp::UNIX_EPOCH,
        updated_at: jiff::Timestamp::UNIX_EPOCH,
        version: crate::store::Version::FIRST,
    };
    let why = crate::leave::LeaveExplanation::of(&replayed, employee, &leave_type, last, &|_| DAY);
    assert!(why.lots.iter().all(|lot| lot.credit.is_some()));
    let on_lots: usize = why.lots.iter().map(|lot| lot.postings.len()).sum();
    assert_eq!(on_lots + why.in_advance.len(), replayed.ledger.live().count());
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}
