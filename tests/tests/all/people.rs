//! People through the services, on both engines: the reporting line under concurrency, visibility, tree and
//! chart. Over HTTP: `people/http.rs`.

pub(in crate::all) mod http;

use hrms_core::actor::{Actor, Cause, Who};
use hrms_core::contract::{id, tenant};
use hrms_core::department::{DepartmentError, DepartmentPatch, NewDepartment};
use hrms_core::employee::{
    ChangeEmployment, EmployeeError, EmployeeSearch, EmployeeView, EndEmployment, NewEmployee,
};
use hrms_core::id::{EmployeeId, RequestId, UserId};
use hrms_core::jiff::civil::{Date, date};
use hrms_core::org_chart::{OrgChartNode, OrgChartQuery};
use hrms_core::{CommonError, DomainError, ErrorKind, FixedClock, Hrms, PageRequest, Patch, Role, TenantId};
use hrms_store::SqlStore;
use hrms_tests::on_every_engine;
use jiff::Timestamp;

const START: Date = date(2020, 1, 1);

struct Setting {
    hrms: Hrms,
    tenant: TenantId,
    hr: Actor,
}

fn actor(tenant: TenantId, employee: Option<EmployeeId>, roles: &[Role]) -> Actor {
    let who = Who::User { user: UserId::from_uuid(id()), session: None, employee };
    Actor::user(tenant, who, roles, Cause::Request, RequestId::from_uuid(id()))
}

/// An organisation at 20:00 UTC on 2026-11-20, which is already the 21st in Kolkata.
async fn setting(store: &SqlStore) -> Setting {
    let now: Timestamp = "2026-11-20T20:00:00Z".parse().unwrap();
    let hrms = Hrms::builder(store.clone()).clock(FixedClock::at(now)).build();
    let tenant = tenant(store).await;
    Setting { hrms, tenant, hr: actor(tenant, None, &[Role::Hr]) }
}

fn person(name: &str, manager_id: Option<EmployeeId>) -> NewEmployee {
    NewEmployee {
        number: None,
        given_name: name.into(),
        family_name: String::new(),
        email: None,
        birth_date: Some(date(1990, 5, 5)),
        gender: None,
        hired_on: START,
        department_id: None,
        designation_id: None,
        location_id: None,
        manager_id,
        employment_type: Default::default(),
        status: Default::default(),
    }
}

fn reports_to(manager: EmployeeId, from: Date) -> ChangeEmployment {
    ChangeEmployment {
        from,
        department_id: Patch::Keep,
        designation_id: Patch::Keep,
        location_id: Patch::Keep,
        manager_id: Patch::Set(manager),
        employment_type: Patch::Keep,
        status: Patch::Keep,
    }
}

impl Setting {
    async fn hire(&self, name: &str, manager: Option<EmployeeId>) -> EmployeeView {
        self.hrms.employees().hire(&self.hr, person(name, manager)).await.unwrap()
    }
}

/// P24: of two crossing changes of managers made at the same time, exactly one wins.
async fn p24_of_two_crossing_manager_changes_exactly_one_wins(store: &SqlStore) {
    let s = setting(store).await;
    for round in 0..8 {
        let one = s.hire(&format!("one{round}"), None).await.id;
        let middle = s.hire(&format!("middle{round}"), Some(one)).await.id;
        let two = s.hire(&format!("two{round}"), None).await.id;
        let change = |who, manager, from| {
            let (hrms, hr) = (s.hrms.clone(), s.hr.clone());
            tokio::spawn(async move {
                hrms.employees().change_employment(&hr, who, reports_to(manager, from)).await
            })
        };
        // one ← middle, then two ← middle and one ← two: together a cycle from 2021 on.
        let first = change(two, middle, date(2020, 6, 1));
        let second = change(one, two, date(2021, 1, 1));
        let results = [first.await.unwrap(), second.await.unwrap()];
        let won = results.iter().filter(|result| result.is_ok()).count();
        assert_eq!(won, 1, "{results:?}");
        for lost in results.into_iter().filter_map(Result::err) {
            assert_eq!((lost.kind(), lost.code()), (ErrorKind::Invalid, "employee.reporting-cycle"));
        }
    }
    let mut tx = s.hrms.read(&s.hr).await.unwrap();
    assert_eq!(tx.employment().reporting_line().await.unwrap().cycle(), None);
}

/// The same for the department tree.
async fn of_two_crossing_moves_of_departments_exactly_one_wins(store: &SqlStore) {
    let s = setting(store).await;
    for round in 0..5 {
        let mut both = Vec::new();
        for code in ["a", "b"] {
            let new = NewDepartment { code: format!("{code}{round}"), name: code.into(), parent_id: None };
            both.push(s.hrms.departments().create(&s.hr, new).await.unwrap());
        }
        let [one, two] = both.as_slice() else { panic!("two") };
        let into = |who: &hrms_core::department::Department, parent| {
            let (hrms, hr, id, version) = (s.hrms.clone(), s.hr.clone(), who.id, who.version);
            let patch = DepartmentPatch { parent_id: Patch::Set(parent), ..Default::default() };
            tokio::spawn(async move { hrms.departments().change(&hr, id, version, patch).await })
        };
        let (first, second) = (into(one, two.id), into(two, one.id));
        let results = [first.await.unwrap(), second.await.unwrap()];
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        let lost = results.into_iter().find_map(Result::err).unwrap();
        assert!(matches!(lost, DepartmentError::Cycle(_)), "{lost:?}");
    }
}

/// P24: a cycle is one only on days that all its relations share; a manager is employed on the first one.
async fn p24_a_cycle_needs_a_common_day_and_a_manager_an_employment(store: &SqlStore) {
    let s = setting(store).await;
    let (one, two) = (s.hire("one", None).await.id, s.hire("two", None).await.id);
    let employees = s.hrms.employees();
    let set = |who, manager, from| employees.change_employment(&s.hr, who, reports_to(manager, from));
    set(one, two, date(2021, 1, 1)).await.unwrap();
    let own = set(one, one, date(2021, 1, 1)).await.unwrap_err();
    assert_eq!(own.code(), "employee.reporting-cycle");
    let crossing = set(two, one, date(2020, 6, 1)).await.unwrap_err();
    let EmployeeError::ReportingCycle { on, .. } = &crossing else { panic!("{crossing:?}") };
    assert_eq!(*on, date(2021, 1, 1));
    assert_eq!(crossing.fields().first().map(|field| field.pointer.as_ref()), Some("/manager_id"));
    // Once the first relation is over, the other way round is fine.
    let mut free = reports_to(two, date(2022, 1, 1));
    free.manager_id = Patch::Clear;
    employees.change_employment(&s.hr, one, free).await.unwrap();
    set(two, one, date(2022, 1, 1)).await.unwrap();
    // Before their first day and after their last one nobody manages.
    let early = set(two, one, date(2019, 1, 1)).await.unwrap_err();
    assert_eq!(early.code(), "employee.not-employed");
    let last_day = date(2023, 1, 31);
    employees.end_employment(&s.hr, one, EndEmployment { last_day, reason: None }).await.unwrap();
    let three = s.hire("three", None).await.id;
    let late = set(three, one, date(2023, 2, 1)).await.unwrap_err();
    assert_eq!(late.code(), "employee.manager-not-employed");
    set(three, one, last_day).await.unwrap();
    let unknown = set(three, EmployeeId::from_uuid(id()), last_day).await.unwrap_err();
    assert!(unknown.fields().iter().any(|field| field.code == "unknown-reference"));
}

/// Each role sees whom it may see, and personal data only where granted; others don't exist.
async fn roles_see_their_own_people_and_nobody_else(store: &SqlStore) {
    let s = setting(store).await;
    let boss = s.hire("boss", None).await.id;
    let report = s.hire("report", Some(boss)).await.id;
    let other = s.hire("other", None).await.id;
    let manager = actor(s.tenant, Some(boss), &[Role::Manager]);
    let employee = actor(s.tenant, Some(report), &[Role::Employee]);
    let stranger = actor(tenant(store).await, None, &[Role::Hr]);
    let employees = s.hrms.employees();
    let seen = async |actor: &Actor| {
        let page = employees.list(actor, &EmployeeSearch::default(), &PageRequest::default()).await.unwrap();
        let mut seen = Vec::new();
        for view in page.items {
            let single = employees.get(actor, view.id, None).await.unwrap();
            assert_eq!(single, view);
            seen.push((view.given_name, view.birth_date.is_some()));
        }
        seen
    };
    let own = |name: &str, personal| (name.to_owned(), personal);
    assert_eq!(seen(&s.hr).await, [own("boss", true), own("other", true), own("report", true)]);
    assert_eq!(seen(&manager).await, [own("report", false)]);
    assert_eq!(seen(&employee).await, [own("report", true)]);
    assert_eq!(seen(&stranger).await, []);
    // In another organisation there is nothing to hide.
    for (actor, id, kind) in [
        (&manager, other, ErrorKind::Hidden),
        (&employee, boss, ErrorKind::Hidden),
        (&stranger, report, ErrorKind::NotFound),
    ] {
        let hidden = employees.get(actor, id, None).await.unwrap_err();
        assert_eq!((hidden.kind(), hidden.code()), (kind, "common.not-found"));
        assert_eq!(employees.history(actor, id).await.unwrap_err().kind(), kind);
    }
    let fire = EndEmployment { last_day: START, reason: None };
    for (actor, id, kind) in [
        (&manager, report, ErrorKind::Forbidden),
        (&stranger, report, ErrorKind::NotFound),
        (&employee, boss, ErrorKind::Forbidden),
    ] {
        let refused = employees.end_employment(actor, id, fire.clone()).await.unwrap_err();
        assert_eq!(refused.kind(), kind, "{refused:?}");
    }
    assert_eq!(seen(&s.hr).await.len(), 3);
}

/// P19, P23: a planned change takes effect by itself, on the date at the employee's location.
async fn a_planned_change_takes_effect_on_the_date_at_the_location(store: &SqlStore) {
    let s = setting(store).await;
    let kolkata = hrms_core::location::NewLocation {
        code: "kol".into(),
        name: "Kolkata".into(),
        time_zone: "Asia/Kolkata".into(),
    };
    let kolkata = s.hrms.locations().create(&s.hr, kolkata).await.unwrap().id;
    let boss = s.hire("boss", None).await.id;
    let there = NewEmployee { location_id: Some(kolkata), ..person("there", None) };
    let there = s.hrms.employees().hire(&s.hr, there).await.unwrap().id;
    let here = s.hire("here", None).await.id;
    for who in [there, here] {
        let planned = reports_to(boss, date(2026, 11, 21));
        s.hrms.employees().change_employment(&s.hr, who, planned).await.unwrap();
    }
    let manager = async |who, as_of| {
        let view = s.hrms.employees().get(&s.hr, who, as_of).await.unwrap();
        view.employment.unwrap().manager.map(|manager| manager.id)
    };
    assert_eq!(manager(there, None).await, Some(boss));
    assert_eq!(manager(here, None).await, None);
    assert_eq!(manager(here, Some(date(2026, 11, 21))).await, Some(boss));
    assert_eq!(manager(there, Some(date(2026, 11, 20))).await, None);
}

fn names(nodes: &[OrgChartNode]) -> Vec<String> {
    nodes.iter().map(|node| format!("{}{}", node.name, names(&node.reports).join("").as_str())).collect()
}

/// The org chart shows everybody once, cut off where it says so, and survives managers who left.
async fn the_org_chart_is_a_tree_of_those_employed(store: &SqlStore) {
    let s = setting(store).await;
    let a = s.hire("a", None).await.id;
    let b = s.hire("b", Some(a)).await.id;
    let c = s.hire("c", Some(b)).await.id;
    s.hire("d", Some(c)).await;
    s.hire("e", Some(a)).await;
    s.hire("f", None).await;
    let show = async |query, page: &PageRequest<_>| s.hrms.org_chart().show(&s.hr, query, page).await;
    let all = PageRequest::default();
    let whole = OrgChartQuery { depth: Some(20), ..Default::default() };
    assert_eq!(names(&show(whole, &all).await.unwrap().items), ["abcde", "f"]);
    let cut = show(OrgChartQuery { depth: Some(2), ..Default::default() }, &all).await.unwrap().items;
    assert_eq!(names(&cut), ["abe", "f"]);
    let [top, _] = cut.as_slice() else { panic!("{cut:?}") };
    assert_eq!(top.direct_reports, 2);
    assert_eq!(top.reports.iter().map(|node| node.direct_reports).collect::<Vec<_>>(), [1, 0]);
    let below = OrgChartQuery { below_id: Some(a), ..Default::default() };
    let first = PageRequest { limit: 1, ..PageRequest::default() };
    let page = show(below, &first).await.unwrap();
    assert_eq!(names(&page.items), ["bcd"]);
    let second = PageRequest { after: page.next, ..first };
    let page = show(below, &second).await.unwrap();
    assert_eq!((names(&page.items), page.next), (vec!["e".to_owned()], None));
    let root = OrgChartQuery { root_id: Some(b), ..Default::default() };
    assert_eq!(names(&show(root, &all).await.unwrap().items), ["bcd"]);

    let gone = EndEmployment { last_day: date(2026, 10, 31), reason: None };
    s.hrms.employees().end_employment(&s.hr, b, gone).await.unwrap();
    assert_eq!(names(&show(whole, &all).await.unwrap().items), ["ae", "cd", "f"]);
    let before = OrgChartQuery { as_of: Some(date(2026, 10, 31)), ..whole };
    assert_eq!(names(&show(before, &all).await.unwrap().items), ["abcde", "f"]);
    assert_eq!(show(root, &all).await.unwrap_err().kind(), ErrorKind::NotFound);
    let both = OrgChartQuery { below_id: Some(a), ..root };
    assert_eq!(show(both, &all).await.unwrap_err().kind(), ErrorKind::Invalid);
    // Everybody may look at it, but only at their own organisation's.
    let employee = actor(s.tenant, Some(c), &[Role::Employee]);
    assert_eq!(s.hrms.org_chart().show(&employee, whole, &all).await.unwrap().items.len(), 3);
    let stranger = actor(tenant(store).await, None, &[Role::Hr]);
    assert!(s.hrms.org_chart().show(&stranger, whole, &all).await.unwrap().items.is_empty());
}

/// Numbers are drawn past those that were given by hand (P25); nobody gets a number twice.
async fn p25_drawn_numbers_step_over_given_ones(store: &SqlStore) {
    let s = setting(store).await;
    let given = NewEmployee { number: Some("E-00002".into()), ..person("given", None) };
    s.hrms.employees().hire(&s.hr, given.clone()).await.unwrap();
    assert_eq!(s.hire("first", None).await.number, "E-00001");
    assert_eq!(s.hire("next", None).await.number, "E-00003");
    let twice = s.hrms.employees().hire(&s.hr, given).await.unwrap_err();
    assert!(matches!(twice, EmployeeError::NumberTaken), "{twice:?}");
    let parallel: Vec<_> = (0..6)
        .map(|n| {
            let (hrms, hr) = (s.hrms.clone(), s.hr.clone());
            tokio::spawn(async move {
                hrms.employees().hire(&hr, person(&format!("p{n}"), None)).await.unwrap().number
            })
        })
        .collect();
    let mut numbers = Vec::new();
    for drawn in parallel {
        numbers.push(drawn.await.unwrap());
    }
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 6);
    let no_rights = actor(s.tenant, None, &[Role::Employee]);
    let refused = s.hrms.employees().hire(&no_rights, person("x", None)).await.unwrap_err();
    assert!(matches!(refused, EmployeeError::Common(CommonError::Forbidden { .. })), "{refused:?}");
}

on_every_engine!(
    p24_of_two_crossing_manager_changes_exactly_one_wins,
    of_two_crossing_moves_of_departments_exactly_one_wins,
    p24_a_cycle_needs_a_common_day_and_a_manager_an_employment,
    roles_see_their_own_people_and_nobody_else,
    a_planned_change_takes_effect_on_the_date_at_the_location,
    the_org_chart_is_a_tree_of_those_employed,
    p25_drawn_numbers_step_over_given_ones,
);
