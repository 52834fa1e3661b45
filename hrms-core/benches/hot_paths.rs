//! The pure functions that nearly every request goes through.
//!
//! `cargo bench -p hrms-core`; one group with `cargo bench -p hrms-core -- timeline`.

use std::hint::black_box;

use criterion::{BatchSize, Criterion};
use hrms_core::employment::{Change, Facts, Timeline};
use hrms_core::jiff::civil::{Date, date};
use hrms_core::jiff::{Timestamp, ToSpan};
use hrms_core::leave::{
    BalanceMinutes, DayFacts, DayPart, Demand, InclusiveDays, LeaveLot, LeavePosting, Ledger, LotSource,
    PostingKind, count_working_days, total_minutes,
};
use hrms_core::uuid::Uuid;
use hrms_core::work_pattern::WorkRule;
use hrms_core::{
    Actor, Cause, DepartmentId, EmployeeId, LeaveLotId, LeavePostingId, LeaveRequestId, LeaveTypeId, Patch,
    Period, Permission, Policy, RequestId, Resource, Role, RolePolicy, TenantId, UserId, Who,
};

const START: Date = date(2020, 1, 1);

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    policy(&mut criterion);
    timeline(&mut criterion);
    day_count(&mut criterion);
    balance(&mut criterion);
    criterion.final_summary();
}

/// The decision that every call of a service begins with.
fn policy(criterion: &mut Criterion) {
    let manager = EmployeeId::from_uuid(Uuid::from_u128(1));
    let who =
        Who::User { user: UserId::from_uuid(Uuid::from_u128(2)), session: None, employee: Some(manager) };
    let actor = Actor::user(
        TenantId::from_uuid(Uuid::from_u128(3)),
        who,
        &[Role::Manager, Role::Employee],
        Cause::Request,
        RequestId::from_uuid(Uuid::from_u128(4)),
    );
    let report = Resource::of(
        EmployeeId::from_uuid(Uuid::from_u128(5)),
        Facts { manager_id: Some(manager), ..Facts::default() },
    );
    criterion.bench_function("policy/manager decides on a report's leave", |bench| {
        bench.iter(|| RolePolicy.decide(black_box(&actor), Permission::LeaveDecide, black_box(&report)));
    });
    criterion.bench_function("policy/rows that a manager sees", |bench| {
        bench.iter(|| RolePolicy.visibility(black_box(&actor), Permission::EmployeeRead));
    });
}

/// Ten years of employment with a change in every quarter.
fn forty_records() -> Timeline {
    let mut timeline = Timeline::hired(START, Facts::default());
    for quarter in 1_i32..40 {
        let from = START.saturating_add((quarter * 3).months());
        timeline.assign(Period::since(from), &to_department(quarter));
    }
    timeline
}

fn to_department(number: i32) -> Change {
    let id = Uuid::from_u128(u128::from(number.unsigned_abs()));
    Change { department_id: Patch::Set(DepartmentId::from_uuid(id)), ..Change::default() }
}

fn timeline(criterion: &mut Criterion) {
    let timeline = forty_records();
    criterion.bench_function("timeline/record in force, of 40", |bench| {
        bench.iter(|| timeline.at(black_box(date(2027, 5, 17))).is_some());
    });
    let Some(period) = Period::new(date(2024, 2, 10), Some(date(2026, 9, 20))) else { return };
    criterion.bench_function("timeline/assign over 10 records of 40", |bench| {
        bench.iter_batched(
            || timeline.clone(),
            |mut timeline| {
                timeline.assign(black_box(period), &to_department(99));
                timeline
            },
            BatchSize::SmallInput,
        );
    });
}

/// A whole year with twelve holidays: the longest request there can be.
fn day_count(criterion: &mut Criterion) {
    let year = InclusiveDays {
        starts_on: date(2026, 1, 1),
        ends_on: date(2026, 12, 31),
        start_part: DayPart::Full,
        end_part: DayPart::Full,
    };
    let rule = WorkRule::default();
    criterion.bench_function("leave/working days of a year", |bench| {
        bench.iter(|| {
            let days = count_working_days(black_box(year), 480, |day| DayFacts {
                employed: true,
                working: rule.on(day),
                holiday: (day.day() == 26).then_some("Holiday"),
            });
            total_minutes(&days)
        });
    });
}

/// Five yearly lots, 195 days taken from them, and a request of ten days that waits for a decision.
fn two_hundred_postings() -> Ledger {
    let employee_id = EmployeeId::from_uuid(Uuid::from_u128(1));
    let leave_type_id = LeaveTypeId::from_uuid(Uuid::from_u128(2));
    let mut ledger = Ledger::default();
    let mut number = 1_000;
    let mut post = |ledger: &mut Ledger, lot_id, kind, minutes, on| {
        number += 1;
        ledger.postings.push(LeavePosting {
            id: LeavePostingId::from_uuid(Uuid::from_u128(number)),
            employee_id,
            leave_type_id,
            lot_id: Some(lot_id),
            request_id: None,
            kind,
            minutes,
            effective_on: on,
            booked_on: on,
            posted_at: Timestamp::UNIX_EPOCH,
            posted_by: None,
            reverses_id: None,
            plan_key: None,
            closed_through: None,
        });
    };
    for year in 0_i32..5 {
        let valid_from = START.saturating_add(year.years());
        let id = LeaveLotId::from_uuid(Uuid::from_u128(u128::from(year.unsigned_abs()) + 10));
        ledger.lots.push(LeaveLot {
            id,
            employee_id,
            leave_type_id,
            source: LotSource::Grant,
            minutes: 45 * 480,
            valid_from,
            valid_to: Some(valid_from.saturating_add(15.months())),
            granted_on: valid_from,
            note: None,
            plan_key: None,
            created_at: Timestamp::UNIX_EPOCH,
        });
        post(&mut ledger, id, PostingKind::Grant, 45 * 480, valid_from);
        for day in 1_i32..40 {
            post(
                &mut ledger,
                id,
                PostingKind::Consumption,
                -480,
                valid_from.saturating_add((day * 8).days()),
            );
        }
    }
    let request_id = LeaveRequestId::from_uuid(Uuid::from_u128(3));
    ledger.pending = (1_i32..=10)
        .map(|day| Demand {
            request_id,
            day: date(2024, 12, 1).saturating_add(day.days()),
            asked_on: date(2024, 11, 1),
            minutes: 480,
        })
        .collect();
    ledger
}

fn balance(criterion: &mut Criterion) {
    let ledger = two_hundred_postings();
    criterion.bench_function("leave/balance from 200 postings", |bench| {
        bench.iter(|| BalanceMinutes::of(black_box(&ledger), date(2024, 12, 31)));
    });
}
