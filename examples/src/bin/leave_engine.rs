//! The leave engine alone: rules, an employment and days of leave go in, a balance with its derivation comes out. There is no
//! storage, no clock and no server: whoever has employees and calendars of their own calls these functions.
//!
//! Run it with `cargo run -p hrms-examples --bin leave_engine`.
#![expect(clippy::print_stdout, reason = "an example tells its story")]

use std::error::Error;

use hrms_core::employment::{Facts, Timeline};
use hrms_core::jiff::Timestamp;
use hrms_core::jiff::civil::{Date, Weekday, date};
use hrms_core::leave::plan::{Account, DayWork, PlanFacts, PolicyRules, Replayed, Term, replay};
use hrms_core::leave::{
    DayFacts, DayPart, Demand, InclusiveDays, LeaveExplanation, LeavePosting, LeaveType, Ledger,
    count_working_days, total_minutes,
};
use hrms_core::uuid::Uuid;
use hrms_core::work_pattern::WorkingTime;
use hrms_core::{
    EmployeeId, LeavePolicyVersionId, LeavePostingId, LeaveRequestId, LeaveTypeId, Period, Version,
};

/// 18 days a year, month by month; at most five are carried into the next year, for three months.
const RULES: &str = r#"{
    "accrual": { "levels": [{ "earn": { "per_year": { "days": "18" } }, "every": "monthly" }] },
    "carry_over": { "limit": { "most": { "days": "5" }, "valid_for": { "months": 3 } } }
}"#;

const DAY: i64 = 480;
const ARUN: EmployeeId = EmployeeId::from_uuid(Uuid::from_u128(1));
const ANNUAL: LeaveTypeId = LeaveTypeId::from_uuid(Uuid::from_u128(2));
const LEAVE: LeaveRequestId = LeaveRequestId::from_uuid(Uuid::from_u128(3));

fn main() -> Result<(), Box<dyn Error>> {
    let rules: PolicyRules = serde_json::from_str(RULES)?;
    let employment = Timeline::hired(date(2026, 3, 16), Facts::default());

    // From Friday to Wednesday, with a holiday on Monday: which days count, and why.
    let days = InclusiveDays {
        starts_on: date(2026, 8, 14),
        ends_on: date(2026, 8, 19),
        start_part: DayPart::Full,
        end_part: DayPart::FirstHalf,
    };
    let counted = count_working_days(days, DAY, calendar);
    for day in &counted {
        println!("{}: {} minutes, {}", day.date, day.minutes, day.reason.code());
    }
    println!("together {} minutes", total_minutes(&counted));

    // Asked for on 3 August: what it will leave at the end of the year. Nothing is booked by asking.
    let asked_on = date(2026, 8, 3);
    let asked = counted.iter().filter(|day| day.minutes > 0);
    let asked = asked.map(|day| Demand { request_id: LEAVE, day: day.date, asked_on, minutes: day.minutes });
    let ledger = Ledger { pending: asked.collect(), ..Ledger::default() };
    let account = replayed(&rules, &employment, ledger, date(2026, 12, 31));
    tell(&account, date(2026, 12, 31));

    // Approved: postings, each linked to the credit that it draws on. The program stores lots and postings as it likes.
    let mut account = replayed(&rules, &employment, account.ledger, asked_on);
    let taken = account.ledger.book(LEAVE);
    println!("approving writes {} postings", taken.len());
    for (number, new) in (1000..).zip(taken) {
        account.ledger.postings.push(LeavePosting {
            id: LeavePostingId::from_uuid(Uuid::from_u128(number)),
            employee_id: ARUN,
            leave_type_id: ANNUAL,
            lot_id: new.lot_id,
            request_id: new.request_id,
            kind: new.kind,
            minutes: new.minutes,
            effective_on: new.effective_on,
            booked_on: asked_on,
            posted_at: Timestamp::UNIX_EPOCH,
            posted_by: None,
            reverses_id: None,
            plan_key: None,
            closed_through: None,
        });
    }
    account.ledger.pending.clear();
    for as_of in [date(2026, 8, 31), date(2026, 12, 31), date(2027, 1, 1), date(2027, 4, 1)] {
        tell(&replayed(&rules, &employment, account.ledger.clone(), as_of), as_of);
    }
    let as_of = date(2026, 3, 31);
    let why = LeaveExplanation::of(
        &replayed(&rules, &employment, Ledger::default(), as_of),
        ARUN,
        &annual(),
        as_of,
        &|_| DAY,
    );
    for lot in why.lots {
        println!("{}", lot.sentence);
    }
    Ok(())
}

/// What is worked on a day, and which days are holidays.
fn calendar(day: Date) -> DayFacts<'static> {
    let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
    let working = WorkingTime { minutes: if weekend { 0 } else { DAY }, standard_minutes: DAY };
    let holiday = (day == date(2026, 8, 17)).then_some("Independence Day (observed)");
    DayFacts { employed: true, working, holiday }
}

fn annual() -> LeaveType {
    LeaveType {
        id: ANNUAL,
        code: "annual".into(),
        name: "Annual leave".into(),
        paid: true,
        allow_negative_minutes: 0,
        minutes_per_day: DAY,
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
        version: Version::FIRST,
    }
}

/// The account as it stands on a day: what the rules credit, carry over and let lapse is added to what is there.
fn replayed(rules: &PolicyRules, employment: &Timeline, ledger: Ledger, until: Date) -> Replayed {
    let version = LeavePolicyVersionId::from_uuid(Uuid::from_u128(4));
    let terms = [Term { period: Period::since(date(2026, 1, 1)), version, rules }];
    let facts = PlanFacts {
        terms: &terms,
        employment,
        gender: None,
        minutes_per_day: DAY,
        work: &|_| DayWork::default(), // looked at by rules that credit by work
    };
    let account = Account { employee_id: ARUN, leave_type_id: ANNUAL, now: Timestamp::UNIX_EPOCH };
    let mut next = 1_000_000_u128;
    let mut ids = || {
        next += 1;
        Uuid::from_u128(next)
    };
    replay(&facts, &account, ledger, until, &mut ids)
}

fn tell(account: &Replayed, as_of: Date) {
    println!("{}", LeaveExplanation::of(account, ARUN, &annual(), as_of, &|_| DAY).sentence);
}
