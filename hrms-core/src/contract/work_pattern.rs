//! Working patterns, and who has which when.

use jiff::civil::date;

use crate::contract::fixture::{Subject, at, id, location, tenant};
use crate::contract::people::hired;
use crate::employment::Facts;
use crate::error::StoreError;
use crate::id::{LocationId, WorkPatternId};
use crate::page::{Page, PageRequest, Position};
use crate::period::Period;
use crate::store::Version;
use crate::work_pattern::{
    Assignment, DayOfWeek, NthWeekday, WorkPattern, WorkPatternFilter, WorkPatternSort, WorkRule, WorkWeek,
};

/// A working pattern that isn't stored yet: two weeks by turns, the last Friday half worked.
#[must_use]
pub fn work_pattern(code: &str) -> WorkPattern {
    WorkPattern {
        id: WorkPatternId::from_uuid(id()),
        code: code.into(),
        name: format!("Pattern {code} 🕗"),
        rule: WorkRule {
            standard_minutes: 450,
            weeks: vec![WorkWeek::monday_to_friday(450), WorkWeek { saturday: 225, ..WorkWeek::default() }],
            first_week: Some(date(2026, 1, 5)),
            nth_weekdays: vec![NthWeekday { weekday: DayOfWeek::Friday, nth: -1, minutes: 225 }],
        },
        created_at: at(0),
        updated_at: at(0),
        version: Version::FIRST,
    }
}

fn during(work_pattern_id: WorkPatternId, from: i16, to: Option<i16>) -> Assignment {
    let period = Period::new(date(from, 1, 1), to.map(|to| date(to, 1, 1))).unwrap();
    Assignment { work_pattern_id, period }
}

/// Patterns and who has them come back as they went in; lists filter and page; stale versions change nothing.
pub async fn work_patterns_are_read_back_as_written(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut tx = store.begin(tenant).await.unwrap();
    let patterns = ["c", "a", "b"].map(work_pattern);
    for pattern in &patterns {
        tx.work_patterns().insert(pattern).await.unwrap();
    }
    let [one, two, three] = &patterns;
    let office = location("pune");
    tx.locations().insert(&office).await.unwrap();
    let employee = hired(&mut *tx, "1", Facts::default()).await.id;
    let there = vec![during(one.id, 2020, Some(2022)), during(two.id, 2023, None)];
    let own = vec![during(two.id, 2021, Some(2022))];
    tx.work_patterns().lock_working_days().await.unwrap();
    for _ in 0..2 {
        tx.work_patterns().replace_of_location(office.id, &there).await.unwrap();
        tx.work_patterns().replace_of_employee(employee, &own).await.unwrap();
    }
    tx.commit().await.unwrap();

    let mut tx = store.begin(tenant).await.unwrap();
    assert_eq!(tx.work_patterns().get(one.id).await.unwrap().as_ref(), Some(one));
    let rules = tx.work_patterns().rules(&[one.id, two.id]).await.unwrap();
    assert_eq!((rules.len(), rules.get(&two.id)), (2, Some(&two.rule)));
    assert!(tx.work_patterns().rules(&[]).await.unwrap().is_empty());
    let places = tx.work_patterns().of_locations(&[office.id, LocationId::from_uuid(id())]).await.unwrap();
    assert_eq!((places.len(), places.get(&office.id)), (1, Some(&there)));
    let people = tx.work_patterns().of_employees(&[employee]).await.unwrap();
    assert_eq!(people.get(&employee), Some(&own));

    for (sort, expected) in
        [(WorkPatternSort::Code, ["a", "b", "c"]), (WorkPatternSort::Name, ["a", "b", "c"])]
    {
        let mut page = PageRequest { sort, descending: false, limit: 2, after: None };
        let mut seen = Vec::new();
        loop {
            let rows = tx.work_patterns().list(&WorkPatternFilter::default(), &page).await.unwrap();
            let got = Page::from_rows(rows, page.limit, |last| Position {
                key: if sort == WorkPatternSort::Code { last.code.clone() } else { last.name.clone() },
                id: last.id.as_uuid(),
            });
            seen.extend(got.items.into_iter().map(|pattern| pattern.code));
            match got.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        assert_eq!(seen, expected);
    }
    for (filter, expected) in [
        (WorkPatternFilter { code: Some("b".into()), updated_after: None }, 1),
        (WorkPatternFilter { code: None, updated_after: Some(at(1)) }, 0),
    ] {
        let rows = tx.work_patterns().list(&filter, &PageRequest::default()).await.unwrap();
        assert_eq!(rows.len(), expected, "{filter:?}");
    }

    let renamed = WorkPattern { name: "Other".into(), version: one.version.next(), ..one.clone() };
    tx.work_patterns().update(&renamed, one.version).await.unwrap();
    assert_eq!(tx.work_patterns().get(one.id).await.unwrap().as_ref(), Some(&renamed));
    assert!(matches!(tx.work_patterns().update(&renamed, one.version).await, Err(StoreError::Stale)));
    assert!(matches!(tx.work_patterns().remove(one.id, one.version).await, Err(StoreError::Stale)));
    tx.work_patterns().remove(three.id, three.version).await.unwrap();
    assert_eq!(tx.work_patterns().get(three.id).await.unwrap(), None);
    tx.commit().await.unwrap();
    let mut tx = store.begin(tenant).await.unwrap();
    let taken = tx.work_patterns().insert(&work_pattern("a")).await.unwrap_err();
    assert_eq!(taken.constraint(), Some("work_pattern_code_key"));
    drop(tx);
    let mut tx = store.begin(tenant).await.unwrap();
    let used = tx.work_patterns().remove(two.id, two.version).await;
    // SQLite may look only at the end.
    let used = if used.is_ok() { tx.commit().await } else { used };
    assert!(matches!(used, Err(StoreError::Conflict { .. })), "a pattern that somebody has stays");
}

/// P22: neither a location nor an employee has two patterns on one day; the constraints say so by name.
pub async fn p22_work_patterns_never_overlap(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut tx = store.begin(tenant).await.unwrap();
    let pattern = work_pattern("a");
    tx.work_patterns().insert(&pattern).await.unwrap();
    let offices = ["pune", "oslo"].map(location);
    for office in &offices {
        tx.locations().insert(office).await.unwrap();
    }
    let people = [hired(&mut *tx, "1", Facts::default()).await, hired(&mut *tx, "2", Facts::default()).await];
    tx.commit().await.unwrap();

    let touching = [during(pattern.id, 2020, Some(2022)), during(pattern.id, 2022, None)];
    let overlapping = [during(pattern.id, 2020, Some(2023)), during(pattern.id, 2022, None)];
    let endless = [during(pattern.id, 2020, None), during(pattern.id, 2022, Some(2023))];
    let mut tx = store.begin(tenant).await.unwrap();
    for (office, person) in offices.iter().zip(&people) {
        // The others' periods are the others'.
        tx.work_patterns().replace_of_location(office.id, &touching).await.unwrap();
        tx.work_patterns().replace_of_employee(person.id, &touching).await.unwrap();
    }
    tx.commit().await.unwrap();
    for bad in [&overlapping, &endless] {
        let mut tx = store.begin(tenant).await.unwrap();
        let refused = tx.work_patterns().replace_of_location(offices[0].id, bad).await.unwrap_err();
        assert_eq!(refused.constraint(), Some("location_work_pattern_no_overlap"));
        drop(tx);
        let mut tx = store.begin(tenant).await.unwrap();
        let refused = tx.work_patterns().replace_of_employee(people[0].id, bad).await.unwrap_err();
        assert_eq!(refused.constraint(), Some("employee_work_pattern_no_overlap"));
    }
}

/// No tenant's patterns are found, listed, changed or assigned by another.
pub async fn work_patterns_never_cross_tenants(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let mut tx = store.begin(theirs).await.unwrap();
    let pattern = work_pattern("a");
    tx.work_patterns().insert(&pattern).await.unwrap();
    let office = location("pune");
    tx.locations().insert(&office).await.unwrap();
    let employee = hired(&mut *tx, "1", Facts::default()).await.id;
    let always = vec![during(pattern.id, 2020, None)];
    tx.work_patterns().replace_of_location(office.id, &always).await.unwrap();
    tx.work_patterns().replace_of_employee(employee, &always).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin(mine).await.unwrap();
    assert_eq!(tx.work_patterns().get(pattern.id).await.unwrap(), None);
    assert!(tx.work_patterns().rules(&[pattern.id]).await.unwrap().is_empty());
    let all = WorkPatternFilter::default();
    assert!(tx.work_patterns().list(&all, &PageRequest::default()).await.unwrap().is_empty());
    assert!(tx.work_patterns().of_locations(&[office.id]).await.unwrap().is_empty());
    assert!(tx.work_patterns().of_employees(&[employee]).await.unwrap().is_empty());
    assert!(matches!(tx.work_patterns().update(&pattern, pattern.version).await, Err(StoreError::Stale)));
    assert!(matches!(tx.work_patterns().remove(pattern.id, pattern.version).await, Err(StoreError::Stale)));
    // Taking away what isn't ours takes nothing away.
    tx.work_patterns().replace_of_location(office.id, &[]).await.unwrap();
    tx.work_patterns().replace_of_employee(employee, &[]).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin(mine).await.unwrap();
    let own = hired(&mut *tx, "1", Facts::default()).await.id;
    tx.commit().await.unwrap();
    // Neither their pattern for our employee, nor our transaction for theirs.
    for owner in [own, employee] {
        let mut tx = store.begin(mine).await.unwrap();
        let refused = tx.work_patterns().replace_of_employee(owner, &always).await;
        let refused = if refused.is_ok() { tx.commit().await } else { refused };
        assert!(refused.unwrap_err().constraint().is_some());
    }
    let mut tx = store.read(theirs).await.unwrap();
    assert_eq!(tx.work_patterns().of_locations(&[office.id]).await.unwrap().len(), 1);
    assert_eq!(tx.work_patterns().of_employees(&[employee]).await.unwrap().get(&employee), Some(&always));
}
