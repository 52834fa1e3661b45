//! Departments, designations, employees and their employment records.

use jiff::civil::{Date, date};

use crate::contract::fixture::{Subject, at, id, location, tenant};
use crate::department::{Department, DepartmentFilter, Head};
use crate::designation::{Designation, DesignationFilter};
use crate::employee::{Employee, EmployeeFilter, EmployeeRow, EmployeeSort, Gender, drawn_number};
use crate::employment::{Change, EndReason, Facts, Record, Timeline};
use crate::error::StoreError;
use crate::id::{DepartmentId, DesignationId, EmployeeId, TenantId};
use crate::page::{Page, PageRequest, Position};
use crate::patch::Patch;
use crate::period::Period;
use crate::policy::Visibility;
use crate::store::{Tx, Version};

/// The first day of employment of those made here.
const START: Date = date(2020, 1, 1);

/// A department that isn't stored yet.
#[must_use]
pub fn department(code: &str, parent_id: Option<DepartmentId>) -> Department {
    Department {
        id: DepartmentId::from_uuid(id()),
        code: code.into(),
        name: format!("Department {code}"),
        parent_id,
        created_at: at(0),
        updated_at: at(0),
        version: Version::FIRST,
    }
}

/// A designation that isn't stored yet.
#[must_use]
pub fn designation(code: &str) -> Designation {
    Designation {
        id: DesignationId::from_uuid(id()),
        code: code.into(),
        name: format!("Title {code}"),
        created_at: at(0),
        updated_at: at(0),
        version: Version::FIRST,
    }
}

/// An employee that isn't stored yet, hired on 2020-01-01.
#[must_use]
pub fn employee(number: &str) -> Employee {
    Employee {
        id: EmployeeId::from_uuid(id()),
        number: number.into(),
        given_name: format!("Given {number}"),
        family_name: "Family".into(),
        email: Some(format!("{number}@example.org")),
        email_changed_by: None,
        birth_date: Some(date(1990, 2, 28)),
        gender: Some(Gender::Other),
        hired_on: START,
        created_at: at(0),
        updated_at: at(0),
        version: Version::FIRST,
    }
}

/// Adds an employee who is hired on 2020-01-01 with these facts.
pub async fn hired(tx: &mut dyn Tx, number: &str, facts: Facts) -> Employee {
    let employee = employee(number);
    tx.employees().insert_many(std::slice::from_ref(&employee)).await.unwrap();
    tx.employment().replace_timelines(&[(employee.id, Timeline::hired(START, facts))]).await.unwrap();
    employee
}

async fn names(tx: &mut dyn Tx, filter: &EmployeeFilter) -> Vec<String> {
    let rows = tx.employees().list(filter, &PageRequest::default()).await.unwrap();
    rows.into_iter().map(|row| row.view.number).collect()
}

/// What was written of people is read back equal, in every form.
pub async fn people_are_read_back_with_their_records(store: &impl Subject) {
    let tenant = tenant(store).await;
    let (top, title, place) = (department("top", None), designation("dev"), location("pune"));
    let below = department("below", Some(top.id));
    let mut tx = store.begin(tenant).await.unwrap();
    tx.departments().insert_many(&[top.clone(), below.clone()]).await.unwrap();
    tx.designations().insert_many(std::slice::from_ref(&title)).await.unwrap();
    tx.locations().insert(&place).await.unwrap();
    let boss = hired(&mut *tx, "1", Facts::default()).await;
    let facts = Facts {
        department_id: Some(below.id),
        designation_id: Some(title.id),
        location_id: Some(place.id),
        manager_id: Some(boss.id),
        ..Facts::default()
    };
    let worker = hired(&mut *tx, "2", facts).await;
    let worker = Employee { email_changed_by: Some(id()), version: worker.version.next(), ..worker };
    tx.employees().update_many(std::slice::from_ref(&worker)).await.unwrap();
    let mut timeline = Timeline::hired(START, facts);
    let up = Change { department_id: Patch::Set(top.id), manager_id: Patch::Clear, ..Change::default() };
    timeline.change_from(date(2021, 1, 1), &up).unwrap();
    timeline.correct(Period::since(date(2021, 6, 1)), &(&facts).into(), false).unwrap();
    timeline.end(date(2021, 12, 31), Some(EndReason::Retirement)).unwrap();
    tx.employment().replace_timelines(&[(worker.id, timeline.clone())]).await.unwrap();
    let head = Head { employee_id: boss.id, period: Period::since(START) };
    tx.departments().replace_heads(&[(top.id, vec![head])]).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.read(tenant).await.unwrap();
    assert_eq!(tx.departments().get(below.id).await.unwrap(), Some(below.clone()));
    assert_eq!(tx.departments().find_by_codes(&["below".into()]).await.unwrap(), vec![below.clone()]);
    let parts = DepartmentFilter { parent_id: Some(top.id), ..Default::default() };
    assert_eq!(tx.departments().list(&parts, &PageRequest::default()).await.unwrap(), vec![below.clone()]);
    assert!(tx.departments().tree().await.unwrap().is_within(below.id, top.id));
    assert_eq!(tx.departments().heads_of(&[top.id, below.id]).await.unwrap().get(&top.id), Some(&vec![head]));
    let heads = tx.departments().list_heads(top.id).await.unwrap();
    assert_eq!(heads.first().map(|head| head.employee.name.as_str()), Some("Given 1 Family"));
    assert_eq!(tx.designations().get(title.id).await.unwrap(), Some(title.clone()));
    assert_eq!(tx.designations().find_by_codes(&["dev".into()]).await.unwrap(), vec![title.clone()]);
    assert_eq!(tx.employees().get(worker.id).await.unwrap(), Some(worker.clone()));
    assert_eq!(tx.employees().find_by_numbers(&["2".into()]).await.unwrap(), vec![worker.clone()]);
    let shouted = ["2@EXAMPLE.org".to_owned()];
    assert_eq!(tx.employees().find_by_emails(&shouted).await.unwrap(), vec![worker.clone()]);
    let timelines = tx.employment().timelines_of(&[boss.id, worker.id]).await.unwrap();
    assert_eq!(timelines.get(&worker.id), Some(&timeline));
    let line = tx.employment().reporting_line().await.unwrap();
    assert_eq!(line.managers_of(worker.id).collect::<Vec<_>>(), [boss.id, boss.id]);

    let then = tx.employees().view(worker.id, START, date(2021, 2, 1)).await.unwrap().unwrap();
    let shown = then.view.employment.unwrap();
    assert_eq!((shown.valid_from, shown.valid_to), (START, Some(date(2021, 1, 1))));
    assert_eq!(shown.department.map(|named| named.name), Some(below.name));
    assert_eq!(shown.designation.map(|named| named.name), Some(title.name));
    assert_eq!(shown.location.map(|named| named.name), Some(place.name));
    assert_eq!(shown.manager.map(|manager| manager.name), Some("Given 1 Family".into()));
    assert_eq!((then.resource.facts.manager_id, then.resource.facts.department_id), (None, Some(top.id)));
    let gone = tx.employees().view(worker.id, date(2022, 1, 1), date(2022, 1, 1)).await.unwrap().unwrap();
    assert_eq!((gone.view.employment, gone.view.birth_date), (None, Some(worker.birth_date)));
    let history = tx.employees().history(worker.id).await.unwrap();
    assert_eq!(history.iter().map(|record| record.corrected).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(history.last().unwrap().end_reason, Some(EndReason::Retirement));
}

/// A record that names another tenant's department, designation, location or employee is refused.
pub async fn a_record_of_another_tenants_thing_is_refused(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let (unit, title, place) = (department("d", None), designation("t"), location("l"));
    let mut tx = store.begin(theirs).await.unwrap();
    tx.departments().insert_many(std::slice::from_ref(&unit)).await.unwrap();
    tx.designations().insert_many(std::slice::from_ref(&title)).await.unwrap();
    tx.locations().insert(&place).await.unwrap();
    let stranger = hired(&mut *tx, "1", Facts::default()).await;
    tx.commit().await.unwrap();

    let none = Facts::default();
    let foreign = [
        Facts { department_id: Some(unit.id), ..none },
        Facts { designation_id: Some(title.id), ..none },
        Facts { location_id: Some(place.id), ..none },
        Facts { manager_id: Some(stranger.id), ..none },
    ];
    for facts in foreign {
        let mut tx = store.begin(mine).await.unwrap();
        let own = hired(&mut *tx, "1", none).await;
        let refused = tx.employment().replace_timelines(&[(own.id, Timeline::hired(START, facts))]).await;
        assert!(refused.as_ref().is_err_and(|e| e.constraint().is_some()), "{facts:?}: {refused:?}");
    }
    let mut tx = store.begin(mine).await.unwrap();
    let refused = tx.departments().insert_many(&[department("d", Some(unit.id))]).await;
    assert!(refused.is_err_and(|e| e.constraint().is_some()));
    drop(tx);
    let mut tx = store.begin(mine).await.unwrap();
    let own = department("d", None);
    tx.departments().insert_many(std::slice::from_ref(&own)).await.unwrap();
    let head = Head { employee_id: stranger.id, period: Period::since(START) };
    let refused = tx.departments().replace_heads(&[(own.id, vec![head])]).await;
    assert!(refused.is_err_and(|e| e.constraint().is_some()));
}

/// No read or write of people reaches another tenant's rows, also with their ids and numbers in hand.
pub async fn people_of_tenants_never_meet(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let (unit, title) = (department("d", None), designation("t"));
    let mut tx = store.begin(theirs).await.unwrap();
    tx.departments().insert_many(std::slice::from_ref(&unit)).await.unwrap();
    tx.designations().insert_many(std::slice::from_ref(&title)).await.unwrap();
    let facts = Facts { department_id: Some(unit.id), designation_id: Some(title.id), ..Facts::default() };
    let stranger = hired(&mut *tx, "1", facts).await;
    let head = Head { employee_id: stranger.id, period: Period::since(START) };
    tx.departments().replace_heads(&[(unit.id, vec![head])]).await.unwrap();
    assert_eq!(tx.employees().draw_numbers(5).await.unwrap(), 5);
    tx.commit().await.unwrap();

    let mut tx = store.begin(mine).await.unwrap();
    let page = PageRequest::default();
    assert_eq!(tx.departments().get(unit.id).await.unwrap(), None);
    assert!(tx.departments().find_by_codes(&["d".into()]).await.unwrap().is_empty());
    assert!(tx.departments().list(&DepartmentFilter::default(), &page).await.unwrap().is_empty());
    assert!(!tx.departments().tree().await.unwrap().contains(unit.id));
    assert!(tx.departments().heads_of(&[unit.id]).await.unwrap().is_empty());
    assert!(tx.departments().list_heads(unit.id).await.unwrap().is_empty());
    tx.departments().replace_heads(&[(unit.id, vec![])]).await.unwrap();
    assert!(matches!(tx.departments().update(&unit, unit.version).await, Err(StoreError::Stale)));
    assert!(matches!(tx.departments().remove(unit.id, unit.version).await, Err(StoreError::Stale)));
    assert_eq!(tx.designations().get(title.id).await.unwrap(), None);
    assert!(tx.designations().find_by_codes(&["t".into()]).await.unwrap().is_empty());
    assert!(
        tx.designations()
            .list(&DesignationFilter::default(), &PageRequest::default())
            .await
            .unwrap()
            .is_empty()
    );
    assert!(matches!(tx.designations().update(&title, title.version).await, Err(StoreError::Stale)));
    assert!(matches!(tx.designations().remove(title.id, title.version).await, Err(StoreError::Stale)));
    let id = stranger.id;
    assert_eq!(tx.employees().get(id).await.unwrap(), None);
    assert_eq!(tx.employees().get_for_change(id).await.unwrap(), None);
    assert_eq!(tx.employees().view(id, START, START).await.unwrap(), None);
    assert!(tx.employees().history(id).await.unwrap().is_empty());
    assert!(tx.employees().existing(&[id]).await.unwrap().is_empty());
    assert!(tx.employees().find_by_numbers(&["1".into()]).await.unwrap().is_empty());
    assert!(tx.employees().find_by_emails(&["1@example.org".into()]).await.unwrap().is_empty());
    let everybody = EmployeeFilter::everybody(Visibility::ALL, START);
    assert!(tx.employees().list(&everybody, &PageRequest::default()).await.unwrap().is_empty());
    assert!(tx.employment().timelines_of(&[id]).await.unwrap().is_empty());
    assert_eq!(tx.employment().reporting_line().await.unwrap().managers_of(id).count(), 0);
    tx.employment().replace_timelines(&[(id, Timeline::default())]).await.unwrap();
    // Numbers, addresses and counters are this tenant's own.
    assert_eq!(tx.employees().draw_numbers(1).await.unwrap(), 1);
    hired(&mut *tx, "1", Facts::default()).await;
    tx.commit().await.unwrap();

    let mut tx = store.read(theirs).await.unwrap();
    assert_eq!(tx.employees().get(id).await.unwrap(), Some(stranger));
    assert_eq!(tx.employment().timelines_of(&[id]).await.unwrap().len(), 1);
    assert_eq!(tx.departments().heads_of(&[unit.id]).await.unwrap().len(), 1);
}

/// Two records of one employee on the same day are refused by name, whatever the code above does.
pub async fn p22_records_of_an_employee_never_overlap(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut tx = store.begin(tenant).await.unwrap();
    let own = hired(&mut *tx, "1", Facts::default()).await;
    tx.commit().await.unwrap();
    // One timeline can't overlap, so two of them are written for the same employee.
    let until = |from: Date, to| {
        let period = Period::new(from, to).unwrap();
        let record = Record { period, facts: Facts::default(), corrected: false, end_reason: None };
        (own.id, Timeline::from_records(vec![record]).unwrap())
    };
    let first = until(START, Some(date(2021, 1, 1)));
    for (second, overlaps) in [
        (until(date(2020, 12, 31), Some(date(2020, 12, 31).tomorrow().unwrap())), true),
        (until(date(2019, 1, 1), None), true),
        (until(date(2019, 1, 1), Some(date(2020, 1, 2))), true),
        (until(date(2020, 2, 1), Some(date(2020, 3, 1))), true),
        (until(date(2021, 1, 1), None), false),
        (until(date(2019, 1, 1), Some(START)), false),
    ] {
        let mut tx = store.begin(tenant).await.unwrap();
        let written = tx.employment().replace_timelines(&[first.clone(), second.clone()]).await;
        match written {
            Ok(()) => assert!(!overlaps, "{second:?}"),
            Err(error) => {
                assert_eq!(error.constraint(), Some("employment_record_no_overlap"), "{error:?}");
                assert!(overlaps, "{second:?}");
            }
        }
    }
}

/// Two heads of one department on the same day are refused by name.
pub async fn heads_of_a_department_never_overlap(store: &impl Subject) {
    let tenant = tenant(store).await;
    let unit = department("d", None);
    let mut tx = store.begin(tenant).await.unwrap();
    tx.departments().insert_many(std::slice::from_ref(&unit)).await.unwrap();
    let own = hired(&mut *tx, "1", Facts::default()).await;
    let head = |from, to| Head { employee_id: own.id, period: Period::new(from, to).unwrap() };
    let next = date(2021, 1, 1);
    let fine = vec![head(START, Some(next)), head(next, None)];
    tx.departments().replace_heads(&[(unit.id, fine)]).await.unwrap();
    let both = vec![head(START, Some(next.tomorrow().unwrap())), head(next, None)];
    let refused = tx.departments().replace_heads(&[(unit.id, both)]).await.unwrap_err();
    assert_eq!(refused.constraint(), Some("department_head_no_overlap"), "{refused:?}");
}

/// A second employee with the same number or (folded) e-mail address is refused by name.
pub async fn numbers_and_emails_are_unique_in_an_organization(store: &impl Subject) {
    let tenant = tenant(store).await;
    let number = employee("1");
    let email = Employee { email: Some("1@EXAMPLE.ORG".into()), ..employee("2") };
    for (second, name) in [
        (Employee { email: None, ..employee("1") }, "employee_number_key"),
        (email.clone(), "employee_email_key"),
    ] {
        let mut tx = store.begin(tenant).await.unwrap();
        let refused = tx.employees().insert_many(&[number.clone(), second]).await.unwrap_err();
        assert_eq!(refused.constraint(), Some(name), "{refused:?}");
    }
    let mut tx = store.begin(tenant).await.unwrap();
    let none = |n| Employee { email: None, ..employee(n) };
    tx.employees().insert_many(&[number, none("2"), none("3")]).await.unwrap();
    assert_eq!(drawn_number(tx.employees().draw_numbers(2).await.unwrap()), "E-00002");
}

/// Employees are written in bulk only when each is one version ahead.
pub async fn a_stale_employee_is_not_written(store: &impl Subject) {
    let tenant = tenant(store).await;
    let (one, two) = (employee("1"), employee("2"));
    let mut tx = store.begin(tenant).await.unwrap();
    tx.employees().insert_many(&[one.clone(), two.clone()]).await.unwrap();
    tx.commit().await.unwrap();
    let next =
        |of: &Employee| Employee { family_name: "New".into(), version: of.version.next(), ..of.clone() };
    let mut tx = store.begin(tenant).await.unwrap();
    tx.employees().update_many(&[next(&one), next(&two)]).await.unwrap();
    assert_eq!(tx.employees().get_for_change(one.id).await.unwrap(), Some(next(&one)));
    let stale = tx.employees().update_many(&[next(&one), next(&next(&two))]).await;
    assert!(matches!(stale, Err(StoreError::Stale)), "{stale:?}");
}

/// Filters, sort orders and pages of the list agree with each other.
pub async fn the_list_of_employees_filters_sorts_and_pages(store: &impl Subject) {
    let tenant = tenant(store).await;
    let (unit, title, place) = (department("d", None), designation("t"), location("l"));
    let mut tx = store.begin(tenant).await.unwrap();
    tx.departments().insert_many(std::slice::from_ref(&unit)).await.unwrap();
    tx.designations().insert_many(std::slice::from_ref(&title)).await.unwrap();
    tx.locations().insert(&place).await.unwrap();
    let mut people = Vec::new();
    for (number, given, family) in [
        ("1", "Anna Maria", "Ångström"),
        ("2", "Bo", "Zed"),
        ("3", "Ann", "Miller"),
        ("4", "Dan", "100%_sure"),
        ("5", "Eve", "miller"),
    ] {
        let person = Employee { given_name: given.into(), family_name: family.into(), ..employee(number) };
        people.push(person);
    }
    tx.employees().insert_many(&people).await.unwrap();
    let ids: Vec<EmployeeId> = people.iter().map(|person| person.id).collect();
    let [one, two, three, ..] = ids.as_slice() else { panic!("five people") };
    let facts = Facts {
        department_id: Some(unit.id),
        designation_id: Some(title.id),
        location_id: Some(place.id),
        manager_id: Some(*one),
        ..Facts::default()
    };
    let mut left = Timeline::hired(START, facts);
    left.end(date(2020, 12, 31), None).unwrap();
    tx.employment()
        .replace_timelines(&[(*two, Timeline::hired(START, facts)), (*three, left)])
        .await
        .unwrap();

    let now = date(2021, 6, 1);
    let all = EmployeeFilter::everybody(Visibility::ALL, now);
    let words = |words: &[&str]| EmployeeFilter {
        words: words.iter().map(|word| (*word).to_owned()).collect(),
        ..all.clone()
    };
    assert_eq!(names(&mut *tx, &all).await, ["4", "3", "5", "2", "1"]);
    assert_eq!(names(&mut *tx, &words(&["ann"])).await, ["3", "1"]);
    assert_eq!(names(&mut *tx, &words(&["ang"])).await, [] as [&str; 0]);
    assert_eq!(names(&mut *tx, &words(&["mar", "ångs"])).await, ["1"]);
    assert_eq!(names(&mut *tx, &words(&["2@ex"])).await, ["2"]);
    assert_eq!(names(&mut *tx, &words(&["100%_"])).await, ["4"]);
    assert_eq!(names(&mut *tx, &words(&["1%"])).await, [] as [&str; 0]);
    assert_eq!(names(&mut *tx, &words(&["_"])).await, [] as [&str; 0]);
    assert_eq!(names(&mut *tx, &words(&["\\"])).await, [] as [&str; 0]);
    let unit_filter = EmployeeFilter { departments: Some(vec![unit.id]), ..all.clone() };
    assert_eq!(names(&mut *tx, &unit_filter).await, ["2"]);
    let then = EmployeeFilter { as_of: date(2020, 6, 1), ..unit_filter };
    assert_eq!(names(&mut *tx, &then).await, ["3", "2"]);
    let none = EmployeeFilter { departments: Some(vec![]), ..all.clone() };
    assert_eq!(names(&mut *tx, &none).await, [] as [&str; 0]);
    for filter in [
        EmployeeFilter { designation_id: Some(title.id), ..all.clone() },
        EmployeeFilter { location_id: Some(place.id), ..all.clone() },
        EmployeeFilter { manager_id: Some(*one), ..all.clone() },
        EmployeeFilter { status: Some(Default::default()), ..all.clone() },
        EmployeeFilter { employment_type: Some(Default::default()), ..all.clone() },
        EmployeeFilter { employed: Some(true), ..all.clone() },
    ] {
        assert_eq!(names(&mut *tx, &filter).await, ["2"], "{filter:?}");
    }
    let unemployed = EmployeeFilter { employed: Some(false), ..all.clone() };
    assert_eq!(names(&mut *tx, &unemployed).await.len(), 4);
    let changed = EmployeeFilter { updated_after: Some(at(1)), ..all.clone() };
    assert_eq!(names(&mut *tx, &changed).await, [] as [&str; 0]);

    for sort in [EmployeeSort::Name, EmployeeSort::Number, EmployeeSort::HiredOn] {
        for descending in [false, true] {
            let mut page = PageRequest { sort, descending, limit: 2, after: None };
            let mut seen = Vec::new();
            loop {
                let rows = tx.employees().list(&all, &page).await.unwrap();
                let got = Page::from_rows(rows, page.limit, |last: &EmployeeRow| Position {
                    key: last.view.sort_key(sort),
                    id: last.view.id.as_uuid(),
                });
                seen.extend(got.items.into_iter().map(|row| row.view.id));
                match got.next {
                    Some(next) => page.after = Some(next),
                    None => break,
                }
            }
            let mut distinct = seen.clone();
            distinct.sort_unstable();
            distinct.dedup();
            assert_eq!((seen.len(), distinct.len()), (5, 5), "{sort:?} {descending}");
        }
    }
}

/// Each scope shows exactly its rows, by the record in force on the day.
pub async fn visibility_narrows_the_list_by_the_record_in_force(store: &impl Subject) {
    let tenant = tenant(store).await;
    let unit = department("d", None);
    let mut tx = store.begin(tenant).await.unwrap();
    tx.departments().insert_many(std::slice::from_ref(&unit)).await.unwrap();
    let boss = hired(&mut *tx, "1", Facts::default()).await;
    let report = hired(&mut *tx, "2", Facts { manager_id: Some(boss.id), ..Facts::default() }).await;
    let mut timeline = Timeline::hired(START, Facts { manager_id: Some(boss.id), ..Facts::default() });
    let away = Change { manager_id: Patch::Clear, department_id: Patch::Set(unit.id), ..Change::default() };
    timeline.change_from(date(2021, 1, 1), &away).unwrap();
    tx.employment().replace_timelines(&[(report.id, timeline)]).await.unwrap();
    let seen = |visible, today| EmployeeFilter { today, ..EmployeeFilter::everybody(visible, START) };
    let own = Visibility { own: Some(report.id), ..Visibility::default() };
    let reports = Visibility { reports_of: Some(boss.id), ..Visibility::default() };
    let within = Visibility { department_tree: Some(unit.id), ..Visibility::default() };
    let both = Visibility { own: Some(boss.id), ..reports };
    let (before, after) = (date(2020, 6, 1), date(2021, 6, 1));
    for (visible, today, expected) in [
        (Visibility::ALL, before, &["1", "2"][..]),
        (Visibility::default(), before, &[]),
        (own, before, &["2"]),
        (reports, before, &["2"]),
        (reports, after, &[]),
        (within, before, &[]),
        (within, after, &["2"]),
        (both, before, &["1", "2"]),
    ] {
        assert_eq!(names(&mut *tx, &seen(visible, today)).await, expected, "{visible:?} {today}");
    }
}

/// As many people and records as a large import has are written and changed with few statements.
pub async fn ten_thousand_people_are_written_in_bulk(store: &impl Subject) {
    let tenant: TenantId = tenant(store).await;
    let mut tx = store.begin(tenant).await.unwrap();
    let people: Vec<Employee> = (0..10_000).map(|n| employee(&format!("{n:05}"))).collect();
    tx.employees().insert_many(&people).await.unwrap();
    let first = people.first().unwrap().id;
    let timelines: Vec<(EmployeeId, Timeline)> = people
        .iter()
        .skip(1)
        .map(|person| {
            let mut timeline = Timeline::hired(START, Facts::default());
            let managed = Change { manager_id: Patch::Set(first), ..Change::default() };
            timeline.change_from(date(2021, 1, 1), &managed).unwrap();
            timeline.end(date(2022, 1, 1), None).unwrap();
            (person.id, timeline)
        })
        .collect();
    tx.employment().replace_timelines(&timelines).await.unwrap();
    tx.employment().replace_timelines(&timelines).await.unwrap();
    let newer: Vec<Employee> =
        people.iter().map(|person| Employee { version: person.version.next(), ..person.clone() }).collect();
    tx.employees().update_many(&newer).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.read(tenant).await.unwrap();
    let numbers: Vec<String> = people.iter().map(|person| person.number.clone()).collect();
    assert_eq!(tx.employees().find_by_numbers(&numbers).await.unwrap().len(), 10_000);
    let ids: Vec<EmployeeId> = people.iter().map(|person| person.id).collect();
    assert_eq!(tx.employees().existing(&ids).await.unwrap().len(), 10_000);
    assert_eq!(tx.employment().timelines_of(&ids).await.unwrap().len(), 9_999);
    let line = tx.employment().reporting_line().await.unwrap();
    assert_eq!(line.cycle(), None);
    assert_eq!(line.managers_of(ids.last().copied().unwrap()).collect::<Vec<_>>(), [first]);
}
