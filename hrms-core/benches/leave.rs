//! Replays of leave accounts: what every read of a balance costs.
//!
//! `cargo bench -p hrms-core --bench leave`. The plan credits each day, which is the most that an account can have to
//! replay, and three weeks of leave are taken each year.

use std::hint::black_box;

use criterion::{BatchSize, Criterion};
use hrms_core::employment::{Facts, Timeline};
use hrms_core::jiff::civil::{Date, date};
use hrms_core::jiff::{Timestamp, ToSpan};
use hrms_core::leave::plan::{Account, DayWork, PlanFacts, PolicyRules, Replayed, Term, replay};
use hrms_core::leave::{BalanceMinutes, LeaveExplanation, LeavePosting, LeaveType, Ledger, PostingKind};
use hrms_core::uuid::Uuid;
use hrms_core::{
    EmployeeId, LeavePolicyVersionId, LeavePostingId, LeaveRequestId, LeaveTypeId, Period, Version,
};

/// 18 days a year in daily parts; never more than 45 days in hand.
const DAILY: &str = r#"{"accrual": {"levels": [
    {"earn": {"per_year": {"days": "18"}}, "every": "daily", "balance_cap": {"days": "45"}}]}}"#;
/// The same, with at most 10 days carried into the next year.
const DAILY_CARRIED: &str = r#"{"accrual": {"levels": [{"earn": {"per_year": {"days": "18"}}, "every": "daily"}]},
    "carry_over": {"limit": {"most": {"days": "10"}}}}"#;
const LAST: Date = date(2026, 12, 31);

fn main() {
    let mut criterion = Criterion::default().configure_from_args().sample_size(10);
    for (name, text) in [("daily", DAILY), ("daily, carried over", DAILY_CARRIED)] {
        for years in [10, 30] {
            let world = World::new(text, years);
            let unwritten = world.ledger();
            let written = world.replayed(unwritten.clone(), LAST).ledger;
            for (what, stored) in [("nothing written", unwritten), ("all written", written)] {
                let name = format!("leave/replay {years} years of {name}, {what}");
                criterion.bench_function(&name, |bench| {
                    let ledger = || stored.clone();
                    bench.iter_batched(ledger, |ledger| world.replayed(ledger, LAST), BatchSize::LargeInput);
                });
            }
        }
    }
    let world = World::new(DAILY, 10);
    let stored = world.replayed(world.ledger(), LAST).ledger;
    let replayed = world.replayed(stored.clone(), LAST);
    criterion.bench_function("leave/explain 10 years of daily", |bench| {
        bench.iter(|| {
            LeaveExplanation::of(black_box(&replayed), world.employee, &world.leave_type, LAST, &|_| 480)
        });
    });
    criterion.bench_function("leave/as of each day of a year, 10 years of daily", |bench| {
        bench.iter(|| {
            let days = date(2026, 1, 1).series(1.day()).take_while(|day| *day <= LAST);
            let of = |day| BalanceMinutes::of(&world.replayed(stored.clone(), day).ledger, day).available;
            days.map(of).sum::<i64>()
        });
    });
    criterion.final_summary();
}

/// One employee with one leave policy.
struct World {
    rules: PolicyRules,
    employment: Timeline,
    employee: EmployeeId,
    leave_type: LeaveType,
    years: i16,
}

impl World {
    #[expect(clippy::expect_used, reason = "a bench has nobody to tell")]
    fn new(rules: &str, years: i16) -> Self {
        let leave_type = LeaveType {
            id: LeaveTypeId::from_uuid(Uuid::from_u128(2)),
            code: "annual".into(),
            name: "Annual leave".into(),
            paid: true,
            allow_negative_minutes: 0,
            minutes_per_day: 480,
            created_at: Timestamp::UNIX_EPOCH,
            updated_at: Timestamp::UNIX_EPOCH,
            version: Version::FIRST,
        };
        Self {
            rules: serde_json::from_str(rules).expect("rules"),
            employment: Timeline::hired(date(2027 - years, 1, 1), Facts::default()),
            employee: EmployeeId::from_uuid(Uuid::from_u128(1)),
            leave_type,
            years,
        }
    }

    /// Fifteen days of leave in each November, not linked to lots yet.
    fn ledger(&self) -> Ledger {
        let years = (2027 - self.years)..2027;
        let days = years.flat_map(|year| date(year, 11, 1).series(1.day()).take(15));
        let taken = |(number, day): (u128, Date)| LeavePosting {
            id: LeavePostingId::from_uuid(Uuid::from_u128(number)),
            employee_id: self.employee,
            leave_type_id: self.leave_type.id,
            lot_id: None,
            request_id: Some(LeaveRequestId::from_uuid(Uuid::from_u128(number))),
            kind: PostingKind::Consumption,
            minutes: -480,
            effective_on: day,
            booked_on: day,
            posted_at: Timestamp::UNIX_EPOCH,
            posted_by: None,
            reverses_id: None,
            plan_key: None,
            closed_through: None,
        };
        Ledger { postings: (1..).zip(days).map(taken).collect(), ..Ledger::default() }
    }

    fn replayed(&self, stored: Ledger, until: Date) -> Replayed {
        let terms = [Term {
            period: Period::since(date(1900, 1, 1)),
            version: LeavePolicyVersionId::from_uuid(Uuid::from_u128(3)),
            rules: &self.rules,
        }];
        let facts = PlanFacts {
            terms: &terms,
            employment: &self.employment,
            gender: None,
            minutes_per_day: 480,
            work: &|_| DayWork::default(),
        };
        let account = Account {
            employee_id: self.employee,
            leave_type_id: self.leave_type.id,
            now: Timestamp::UNIX_EPOCH,
        };
        let mut next = 1_u128 << 64;
        let mut ids = || {
            next += 1;
            Uuid::from_u128(next)
        };
        replay(&facts, &account, stored, until, &mut ids)
    }
}
