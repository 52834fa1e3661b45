//! How fast leave is on both engines: what the job writes for a month of many employees, and reading balances.
//!
//! Run it with `tests/run.sh --with cargo run --release -p hrms-tests --bin leave_speed`, or with a server of your own in
//! `HRMS_TEST_PG_URL`. `HRMS_TEST_EMPLOYEES` says how many employees (100,000).
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::allow_attributes,
    clippy::indexing_slicing,
    reason = "a measurement tells what it measured, and a broken assumption panics"
)]

use std::future::Future;
use std::time::Instant;

use hrms_core::contract::{id, location, tenant};
use hrms_core::employee::Employee;
use hrms_core::employment::{Facts, Timeline};
use hrms_core::jiff::civil::{Date, date};
use hrms_core::jiff::tz::TimeZone;
use hrms_core::jiff::{Timestamp, ToSpan};
use hrms_core::leave::{Accrued, AppliesTo, DayPart, NewLeavePolicy, NewLeaveType, SubmitLeave};
use hrms_core::{
    Actor, Cause, EmployeeId, FixedClock, Hrms, LeaveTypeId, Permission, RequestId, Role, Store, TenantId,
    UserId, Version, Who,
};
use hrms_store::SqlStore;
use hrms_tests::{Fresh, postgres, sqlite_file};

/// 18 days a year, month by month, of which five are carried over for three months.
const MONTHLY: &str = r#"{"accrual": {"levels": [{"earn": {"per_year": {"days": "18"}}, "every": "monthly"}]},
    "carry_over": {"limit": {"most": {"days": "5"}, "valid_for": {"months": 3}}}}"#;

fn employees() -> usize {
    std::env::var("HRMS_TEST_EMPLOYEES").ok().and_then(|text| text.parse().ok()).unwrap_or(100_000)
}

fn noon(day: Date) -> Timestamp {
    day.at(12, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp()
}

fn on(store: &SqlStore, day: Date) -> Hrms {
    Hrms::builder(store.clone()).clock(FixedClock::at(noon(day))).build()
}

fn person(number: usize) -> Employee {
    Employee {
        id: EmployeeId::from_uuid(id()),
        number: format!("{number:06}"),
        given_name: "Some".into(),
        family_name: "Body".into(),
        email: None,
        email_changed_by: None,
        birth_date: None,
        gender: None,
        hired_on: date(2026, 1, 1),
        created_at: Timestamp::UNIX_EPOCH,
        updated_at: Timestamp::UNIX_EPOCH,
        version: Version::FIRST,
    }
}

struct World {
    tenant: TenantId,
    people: Vec<EmployeeId>,
    annual: LeaveTypeId,
}

impl World {
    async fn new(store: &Fresh, count: usize) -> Self {
        let tenant = tenant(&**store).await;
        let office = location("pune");
        let mut tx = store.begin(tenant).await.unwrap();
        tx.locations().insert(&office).await.unwrap();
        let mut people = Vec::with_capacity(count);
        for numbers in (0..count).collect::<Vec<_>>().chunks(2_000) {
            let some: Vec<Employee> = numbers.iter().map(|number| person(*number)).collect();
            let facts = Facts { location_id: Some(office.id), ..Facts::default() };
            let hired: Vec<_> =
                some.iter().map(|one| (one.id, Timeline::hired(date(2026, 1, 1), facts))).collect();
            tx.employees().insert_many(&some).await.unwrap();
            tx.employment().replace_timelines(&hired).await.unwrap();
            people.extend(some.iter().map(|one| one.id));
        }
        tx.commit().await.unwrap();
        let world = Self { tenant, people, annual: LeaveTypeId::from_uuid(id()) };
        let hrms = on(store, date(2026, 1, 1));
        let new = NewLeaveType {
            code: "annual".into(),
            name: "Annual leave".into(),
            paid: true,
            allow_negative_minutes: 0,
            minutes_per_day: 480,
        };
        let annual = hrms.leave_types().create(&world.hr(), new).await.unwrap().id;
        let policy = NewLeavePolicy {
            leave_type_id: annual,
            code: "annual".into(),
            name: "Annual leave".into(),
            applies_to: AppliesTo::Everyone,
            effective_from: date(2026, 1, 1),
            rules: serde_json::from_str(MONTHLY).unwrap(),
        };
        hrms.leave_policies().create(&world.hr(), policy).await.unwrap();
        Self { annual, ..world }
    }

    fn hr(&self) -> Actor {
        let who = Who::User { user: UserId::from_uuid(id()), session: None, employee: None };
        Actor::user(self.tenant, who, &[Role::Hr], Cause::Request, RequestId::from_uuid(id()))
    }

    fn system(&self) -> Actor {
        let may = [Permission::LeaveGrant];
        Actor::system(self.tenant, "speed", &may, Cause::Embedder, RequestId::from_uuid(id()))
    }

    async fn accrue(&self, name: &str, what: &str, hrms: &Hrms) -> Accrued {
        let from = Instant::now();
        let done = hrms.leave().accrue(&self.system()).await.unwrap();
        let took = from.elapsed().as_secs_f64();
        println!(
            "{name}: {what}: {took:.1} s, {:.0} employees/s ({} lots, {} postings)",
            done.employees as f64 / took,
            done.lots,
            done.postings
        );
        done
    }
}

/// The median of so many, in milliseconds.
async fn median<T, F: Future<Output = T>>(count: usize, mut run: impl FnMut(usize) -> F) -> f64 {
    let mut times = Vec::with_capacity(count);
    for index in 0..count {
        let from = Instant::now();
        std::hint::black_box(run(index).await);
        times.push(from.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    times[count / 2]
}

async fn measure(name: &str, store: Fresh) {
    let count = employees();
    let from = Instant::now();
    let w = World::new(&store, count).await;
    println!("{name}: {count} employees added in {:.1} s", from.elapsed().as_secs_f64());
    let done = w.accrue(name, "ten months, never run before", &on(&store, date(2026, 10, 31))).await;
    assert_eq!((done.employees, done.lots), (count, 10 * count));
    let november = on(&store, date(2026, 11, 30));
    let done = w.accrue(name, "a month", &november).await;
    assert_eq!((done.employees, done.lots, done.postings), (count, count, count));
    let done = w.accrue(name, "nothing due", &november).await;
    assert_eq!((done.lots, done.postings), (0, 0));

    let (leave, hr) = (november.leave(), w.hr());
    let somebody = |index: usize| w.people[index * 7919 % count];
    let read = median(500, |index| leave.balances(&hr, Some(somebody(index)), None)).await;
    println!("{name}: the balances of an employee: p50 {read:.2} ms");
    let ask = |index| SubmitLeave {
        employee_id: Some(somebody(index)),
        leave_type_id: w.annual,
        starts_on: date(2026, 12, 7),
        ends_on: date(2026, 12, 11),
        start_part: DayPart::Full,
        end_part: None,
        hours: None,
        note: None,
    };
    let preview = median(300, |index| leave.preview(&hr, ask(index))).await;
    println!("{name}: a preview of a week: p50 {preview:.2} ms");
    let from = Instant::now();
    for day in date(2026, 1, 1).series(1.day()).take(365) {
        leave.account(&hr, w.people[0], w.annual, Some(day)).await.unwrap();
    }
    println!("{name}: as of each day of a year: {:.0} ms", from.elapsed().as_secs_f64() * 1e3);
}

#[tokio::main]
async fn main() {
    measure("PostgreSQL", postgres().await).await;
    measure("SQLite", sqlite_file().await).await;
}
