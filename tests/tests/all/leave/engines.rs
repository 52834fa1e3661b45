//! The same random history through the services of both engines, with the same clock and ids: the same answers, the same rows of the
//! ledger, the same balances and explanations (P4, P5, P6, P14).
//!
//! A failure prints its seed; `HRMS_TEST_SEED` repeats it, and `HRMS_TEST_SEEDS` says how many there are (default 3).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fastrand::Rng;
use hrms_core::employee::{EndEmployment, Rehire};
use hrms_core::holiday::HolidayKind;
use hrms_core::id::IdSource;
use hrms_core::job::{JobRegistry, run_until_idle};
use hrms_core::leave::{
    AppliesTo, AssignLeavePolicy, DayHours, DecideLeave, LeaveDecision, NewLeavePolicy,
    NewLeavePolicyVersion, SetLeaveRules, TimeOfDay,
};
use hrms_core::uuid::{Builder, Uuid};
use hrms_core::work_pattern::{AssignWorkPattern, NewWorkPattern, WorkWeek};
use hrms_core::{LeavePolicyId, LeaveTypeId, WorkPatternId};
use jiff::ToSpan;
use serde::Serialize;
use serde_json::{Value, json};

use super::*;

/// Ids that count up.
#[derive(Clone, Debug, Default)]
struct Counted(Arc<AtomicU64>);

impl IdSource for Counted {
    fn next(&self) -> Uuid {
        let count = self.0.fetch_add(1, Ordering::Relaxed);
        Builder::from_unix_timestamp_millis(count, &[7; 10]).into_uuid()
    }
}

fn nth(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

/// One of the two organisations in which the same happens.
struct Side {
    store: SqlStore,
    hrms: Hrms,
    clock: Arc<FixedClock>,
    ids: Counted,
    tenant: TenantId,
    calendar: HolidayCalendarId,
    office: LocationId,
    people: [EmployeeId; 3],
    types: Vec<LeaveTypeId>,
    policies: Vec<LeavePolicyId>,
    patterns: Vec<WorkPatternId>,
    requests: Vec<LeaveRequestId>,
}

impl Side {
    async fn new(store: &SqlStore) -> Self {
        let tenant = tenant(store).await;
        let (clock, ids) = (Arc::new(FixedClock::at(now())), Counted::default());
        let hrms = Hrms::builder(store.clone()).clock(Arc::clone(&clock)).ids(ids.clone()).build();
        let mut office = location("pune");
        office.id = LocationId::from_uuid(nth(1));
        let mut calendar = holiday_calendar("pune");
        calendar.id = HolidayCalendarId::from_uuid(nth(2));
        let people = [("1", 11), ("2", 12), ("3", 13)].map(|(number, n)| Employee {
            id: EmployeeId::from_uuid(nth(n)),
            hired_on: date(2020, 1, 31),
            ..person(number)
        });
        let ids_of_people = people.each_ref().map(|person| person.id);
        let facts = |manager_id| Facts { location_id: Some(office.id), manager_id, ..Facts::default() };
        let hired = |n: usize| {
            let manager = (n > 0).then_some(ids_of_people[0]);
            (ids_of_people[n], Timeline::hired(date(2020, 1, 31), facts(manager)))
        };
        let mut tx = store.begin(tenant).await.unwrap();
        tx.locations().insert(&office).await.unwrap();
        tx.holidays().insert(&calendar).await.unwrap();
        let period = Period::since(date(2019, 1, 1));
        let assigned = [CalendarAssignment { holiday_calendar_id: calendar.id, period }];
        tx.holidays().replace_of_location(office.id, &assigned).await.unwrap();
        tx.employees().insert_many(&people).await.unwrap();
        tx.employment().replace_timelines(&[hired(0), hired(1), hired(2)]).await.unwrap();
        tx.commit().await.unwrap();
        let mut side = Self {
            store: store.clone(),
            hrms,
            clock,
            ids,
            tenant,
            calendar: calendar.id,
            office: office.id,
            people: ids_of_people,
            types: Vec::new(),
            policies: Vec::new(),
            patterns: Vec::new(),
            requests: Vec::new(),
        };
        side.set_up().await;
        side
    }

    async fn set_up(&mut self) {
        self.turn(date(2021, 1, 4), 1);
        let hr = self.hr();
        for (code, paid, floor) in [("annual", true, 960), ("unpaid", false, 48_000)] {
            let new = NewLeaveType { paid, allow_negative_minutes: floor, ..new_type(code) };
            self.types.push(self.hrms.leave_types().create(&hr, new).await.unwrap().id);
        }
        for (code, applies_to) in [("a", AppliesTo::Everyone), ("b", AppliesTo::Assigned)] {
            let rules =
                r#"{"accrual": {"levels": [{"earn": {"per_year": {"days": "18"}}, "every": "monthly"}]}}"#;
            let new = NewLeavePolicy {
                leave_type_id: self.types[0],
                code: code.into(),
                name: code.into(),
                applies_to,
                effective_from: date(2020, 1, 1),
                rules: serde_json::from_str(rules).unwrap(),
            };
            self.policies.push(self.hrms.leave_policies().create(&hr, new).await.unwrap().policy.id);
        }
        let short = WorkWeek { friday: 240, ..WorkWeek::monday_to_friday(480) };
        let four = WorkWeek { wednesday: 0, ..WorkWeek::monday_to_friday(600) };
        for (code, week) in [("short", short), ("four", four)] {
            let new = NewWorkPattern {
                code: code.into(),
                name: code.into(),
                standard_minutes: 480,
                weeks: vec![week],
                first_week: None,
                nth_weekdays: Vec::new(),
            };
            self.patterns.push(self.hrms.work_patterns().create(&hr, new).await.unwrap().id);
        }
    }

    /// Makes it noon of a day, and ids those of a step: what one engine asks for once more doesn't shift all later ones.
    fn turn(&self, today: Date, step: u64) {
        let noon = today.at(12, 0, 0, 0).to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
        self.clock.set(noon);
        self.ids.0.store(step * 1_000_000, Ordering::Relaxed);
    }

    fn actor(&self, employee: Option<usize>, roles: &[Role]) -> Actor {
        let user = UserId::from_uuid(nth(100 + employee.map_or(0, |n| n as u128 + 1)));
        let who = Who::User { user, session: None, employee: employee.map(|n| self.people[n]) };
        Actor::user(self.tenant, who, roles, Cause::Request, RequestId::from_uuid(nth(99)))
    }

    fn hr(&self) -> Actor {
        self.actor(None, &[Role::Hr])
    }

    /// Does something; what came of it.
    async fn act(&mut self, rng: &mut Rng, today: Date) -> String {
        let (hr, boss) = (self.hr(), self.actor(Some(0), &[Role::Employee, Role::Manager]));
        let who = rng.usize(1..3);
        let me = self.actor(Some(who), &[Role::Employee]);
        let (leave, near) = (self.hrms.leave(), today + rng.i64(-40..120).days());
        let chosen = (!self.requests.is_empty()).then(|| self.requests[rng.usize(..self.requests.len())]);
        let note = DecisionNote::default();
        match (rng.u8(0..30), chosen) {
            (0..9, _) => {
                let of_type = self.types[usize::from(rng.u8(..5) == 0)];
                let ask = random_request(rng, of_type, near);
                let asked = leave.submit(&me, ask).await;
                self.requests.extend(asked.as_ref().ok().map(|view| view.request.id));
                said(asked)
            }
            (9..14, Some(id)) => said(leave.approve(&boss, id, note).await),
            (14, Some(id)) => said(leave.reject(&boss, id, note).await),
            (15..17, Some(id)) => said(leave.cancel(&boss, id, note).await),
            (17, Some(id)) => said(leave.cancel(&me, id, note).await),
            (18, Some(_)) => {
                let mut ids = self.requests.clone();
                rng.shuffle(&mut ids);
                ids.truncate(4);
                let one = |leave_request_id| DecideLeave {
                    version: None,
                    leave_request_id,
                    decision: LeaveDecision::Approve,
                    note: None,
                    level: None,
                    in_place: false,
                };
                said(leave.decide_many(&boss, ids.into_iter().map(one).collect()).await)
            }
            (19, _) => {
                let grant = GrantLeave {
                    refuse_overlap: false,
                    employee_id: self.people[who],
                    leave_type_id: self.types[0],
                    days: None,
                    minutes: Some(rng.i64(1..3000)),
                    valid_from: near,
                    valid_to: rng.bool().then(|| near + rng.i64(1..500).days()),
                    source: LotSource::Grant,
                    note: None,
                };
                said(leave.grant(&hr, grant).await)
            }
            (20, _) => {
                let version = NewLeavePolicyVersion { effective_from: near, rules: random_rules(rng) };
                let policy = self.policies[rng.usize(..2)];
                said(self.hrms.leave_policies().add_version(&hr, policy, version).await)
            }
            (21, _) => {
                let new = AssignLeavePolicy {
                    employee_id: self.people[who],
                    leave_policy_id: self.policies[1],
                    valid_from: near,
                    valid_to: rng.bool().then(|| near + rng.i64(1..300).days()),
                };
                said(self.hrms.leave_policy_assignments().assign(&hr, new).await)
            }
            (22 | 23, _) => {
                let kind = if rng.u8(..4) == 0 { HolidayKind::Restricted } else { HolidayKind::Public };
                let new = NewHoliday {
                    on_date: near,
                    name: "Feast".into(),
                    kind,
                    repeats: Default::default(),
                    observed_for: None,
                };
                match self.hrms.holidays().add(&hr, self.calendar, new).await {
                    Ok(_) => "added".into(),
                    Err(_) => {
                        format!("{:?}", self.hrms.holidays().remove(&hr, self.calendar, near).await.is_ok())
                    }
                }
            }
            (24, _) => {
                let pattern = [None, Some(self.patterns[0]), Some(self.patterns[1])][rng.usize(..3)];
                let to = rng.bool().then(|| near + rng.i64(1..200).days());
                let assign = AssignWorkPattern { work_pattern_id: pattern, from: near, to };
                let patterns = self.hrms.work_patterns();
                if rng.bool() {
                    patterns.assign_to_location(&hr, self.office, assign).await.is_ok().to_string()
                } else {
                    patterns.assign_to_employee(&hr, self.people[who], assign).await.is_ok().to_string()
                }
            }
            (25, _) if rng.u8(..3) == 0 => {
                let end = EndEmployment { last_day: near, reason: None };
                self.hrms.employees().end_employment(&hr, self.people[who], end).await.is_ok().to_string()
            }
            (26, _) => {
                let back = json!({ "from": near, "location_id": self.office, "manager_id": self.people[0] });
                let back: Rehire = serde_json::from_value(back).unwrap();
                self.hrms.employees().rehire(&hr, self.people[who], back).await.is_ok().to_string()
            }
            (27, _) => {
                let sandwich = ["none", "weekends", "holidays", "weekends_and_holidays"][rng.usize(..4)];
                let rules = json!({ "sandwich": sandwich, "hours": true });
                let set =
                    SetLeaveRules { effective_from: near, rules: serde_json::from_value(rules).unwrap() };
                leave_rules(self.hrms.leave_types().set_rules(&hr, self.types[0], set).await)
            }
            _ => {
                let one = leave.accrue(&hr).await.unwrap();
                let two = leave.accrue(&hr).await.unwrap();
                assert_eq!((two.lots, two.postings), (0, 0), "a repeated run changes nothing");
                format!("{one:?}")
            }
        }
    }

    /// Everything there is to see of the accounts, and every row that is stored of them.
    async fn seen(&self, today: Date) -> Vec<(String, Value)> {
        let (hr, leave) = (self.hr(), self.hrms.leave());
        let mut seen = Vec::new();
        for employee in &self.people[1..] {
            let mut tx = self.store.read(self.tenant).await.unwrap();
            let lots = tx.leave_ledger().lots(*employee, None).await.unwrap();
            let postings = tx.leave_ledger().postings(*employee, None).await.unwrap();
            drop(tx);
            seen.push(("lots".to_owned(), format!("{lots:?}").into()));
            seen.push(("postings".to_owned(), serde_json::to_value(postings).unwrap()));
            for days in [-500, 0, 70, 700] {
                let as_of = Some(today + days.days());
                let balances = leave.balances(&hr, Some(*employee), as_of).await.unwrap();
                for one in &balances {
                    let m = one.minutes;
                    let sum = m.available + m.taken + m.pending + m.expired + m.encashed;
                    assert_eq!(m.granted, sum, "P1: {one:?}");
                }
                seen.push((format!("balances as of {as_of:?}"), serde_json::to_value(balances).unwrap()));
            }
            let why = leave.explain(&hr, *employee, self.types[0], Some(today + 100.days())).await.unwrap();
            seen.push(("explained".to_owned(), serde_json::to_value(why).unwrap()));
        }
        for id in &self.requests {
            let view = leave.get(&hr, *id).await.unwrap();
            seen.push((id.to_string(), serde_json::to_value((&view.request, &view.day_count)).unwrap()));
        }
        seen
    }
}

fn said<T: Serialize, E: DomainError>(result: Result<T, E>) -> String {
    match result {
        Ok(done) => serde_json::to_string(&done).unwrap(),
        Err(error) => format!("{} {error}", error.code()),
    }
}

fn leave_rules<T, E: DomainError>(result: Result<Vec<T>, E>) -> String {
    result.map_or_else(|error| error.code().to_owned(), |versions| versions.len().to_string())
}

fn random_request(rng: &mut Rng, leave_type_id: LeaveTypeId, starts_on: Date) -> SubmitLeave {
    let length = rng.i64(0..9);
    let halves = [DayPart::Full, DayPart::FirstHalf, DayPart::SecondHalf];
    let mut ask = SubmitLeave {
        employee_id: None,
        leave_type_id,
        starts_on,
        ends_on: starts_on + length.days(),
        start_part: DayPart::Full,
        end_part: None,
        hours: None,
        note: None,
    };
    match rng.u8(..6) {
        0 if length == 0 => ask.start_part = halves[rng.usize(..3)],
        0 => ask.end_part = Some(DayPart::FirstHalf),
        1 if length > 0 => ask.start_part = DayPart::SecondHalf,
        2 => {
            ask.ends_on = starts_on;
            let start = rng.i64(480..900);
            let time = TimeOfDay::from_minutes;
            ask.hours = Some(DayHours {
                start_time: time(start),
                end_time: time(start + rng.i64(30..300)),
                minutes: None,
            });
        }
        _ => {}
    }
    ask
}

fn random_rules(rng: &mut Rng) -> hrms_core::leave::plan::PolicyRules {
    let one_of = |rng: &mut Rng, all: &[Value]| all[rng.usize(..all.len())].clone();
    let level = |rng: &mut Rng| {
        let every = one_of(rng, &[json!("monthly"), json!("quarterly"), json!("weekly"), json!("yearly")]);
        let earn = match rng.u8(..5) {
            0 => json!({ "per_period": { "days": "1.25" } }),
            1 => json!({ "worked_hours": { "percent": "12.07" } }),
            _ => json!({ "per_year": { "days": rng.u8(5..40).to_string() } }),
        };
        let credit = one_of(rng, &[json!("start"), json!("end"), json!("day_after")]);
        let mut level = json!({ "earn": earn, "every": every, "credit": credit });
        if rng.bool() {
            level["balance_cap"] = json!({ "days": rng.u8(3..40).to_string() });
        }
        level
    };
    let mut levels = vec![level(rng)];
    if rng.bool() {
        let mut next = level(rng);
        next["after"] = json!({ "months": rng.u8(1..30) });
        levels.push(next);
    }
    let mut rules = json!({
        "leave_year": one_of(rng, &[json!({ "on": "01-01" }), json!({ "on": "04-01" }), json!("anniversary")]),
        "accrual": {
            "levels": levels,
            "level_change": one_of(rng, &[json!("immediate"), json!("next_period"), json!("next_leave_year")]),
            "above_new_cap": one_of(rng, &[json!("stays"), json!("lapses")]),
            "proration": one_of(rng, &[json!("days"), json!("none"), json!("worked_time")]),
            "loss_of_pay": one_of(rng, &[json!("ignored"), json!("reduces")]),
        },
    });
    if rng.bool() {
        let mode = one_of(rng, &[json!("nearest"), json!("up"), json!("down")]);
        rules["accrual"]["rounding"] =
            json!({ "mode": mode, "step": { "days": "0.5" }, "of": "running_total" });
    }
    if rng.bool() {
        let mut limit = json!({ "excess": one_of(rng, &[json!("lapses"), json!("encashed")]) });
        if rng.bool() {
            limit["most"] = json!({ "days": rng.u8(0..10).to_string() });
        }
        if rng.bool() {
            limit["valid_for"] = json!({ "months": rng.u8(1..14) });
        }
        rules["carry_over"] =
            json!({ "limit": limit, "open_grants": one_of(rng, &[json!("stay"), json!("join")]) });
    }
    serde_json::from_value(rules).unwrap()
}

/// The same five years on both engines. Jobs run now and then, or not for a long time.
async fn the_same_history(seed: u64, one: &SqlStore, two: &SqlStore) {
    let mut rng = Rng::with_seed(seed);
    let mut sides = [Side::new(one).await, Side::new(two).await];
    let mut today = date(2021, 1, 4);
    for step in 2..62 {
        today += rng.i64(1..60).days();
        let (choices, jobs) = (rng.fork(), rng.bool());
        let looks = step % 3 == 0;
        let mut outcomes = Vec::new();
        for side in &mut sides {
            side.turn(today, step);
            let answer = side.act(&mut choices.clone(), today).await;
            if jobs {
                run_until_idle(&side.hrms, &JobRegistry::standard()).await.unwrap();
            }
            outcomes.push((answer, if looks { side.seen(today).await } else { Vec::new() }));
        }
        let [(answer, seen), (other_answer, other_seen)] = &outcomes[..] else { unreachable!() };
        assert_eq!(answer, other_answer, "HRMS_TEST_SEED={seed}, step {step} on {today}");
        for (one, two) in seen.iter().zip(other_seen) {
            assert_eq!(one, two, "HRMS_TEST_SEED={seed}, step {step} on {today}: {answer}");
        }
        assert_eq!(seen.len(), other_seen.len());
    }
    let mut tx = sides[0].store.read(sides[0].tenant).await.unwrap();
    let rows = tx.leave_ledger().postings(sides[0].people[1], None).await.unwrap();
    assert!(rows.len() > 20, "HRMS_TEST_SEED={seed}: hardly anything happened");
}

#[tokio::test]
async fn the_same_history_gives_the_same_ledger_on_both_engines() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let (sqlite, postgres) = (support::sqlite_memory().await, support::postgres().await);
    let many = number("HRMS_TEST_SEEDS").unwrap_or(3);
    let seeds = match number("HRMS_TEST_SEED") {
        Some(seed) => vec![seed],
        // Some that are always the same, and one that nobody has seen.
        None => (1..many).chain([Rng::new().u64(..)]).collect(),
    };
    for seed in seeds {
        println!("HRMS_TEST_SEED={seed}");
        the_same_history(seed, &sqlite, &postgres).await;
    }
}
