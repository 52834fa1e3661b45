//! How many people have to be there.

use jiff::civil::date;

use crate::contract::fixture::{Subject, at, id, location, tenant};
use crate::contract::{department, hired};
use crate::employment::{Facts, Timeline};
use crate::id::{CoverageMinimumId, DepartmentId, EmployeeId, LocationId, UserId};
use crate::leave::{CoverageMinimum, CoverageRule};

fn minimum(
    department_id: DepartmentId,
    location_id: Option<LocationId>,
    day: i8,
    seconds: i64,
) -> CoverageMinimum {
    CoverageMinimum {
        id: CoverageMinimumId::from_uuid(id()),
        department_id,
        location_id,
        effective_from: date(2026, 1, day),
        people: location_id.is_none().then_some(3),
        percent: location_id.is_some().then_some(50),
        rule: if seconds % 2 == 0 { CoverageRule::Warn } else { CoverageRule::Block },
        created_at: at(seconds),
        created_by: Some(UserId::from_uuid(id())),
    }
}

/// Minimums come back as they went in, later ones behind earlier ones; another tenant sees nothing of them.
pub async fn coverage_minimums_are_read_back_as_written(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let (one, two, place) = (department("one", None), department("two", None), location("pune"));
    let mut tx = store.begin(mine).await.unwrap();
    tx.departments().insert_many(&[one.clone(), two.clone()]).await.unwrap();
    tx.locations().insert(&place).await.unwrap();
    let late = minimum(one.id, None, 2, 1);
    let early = minimum(one.id, Some(place.id), 1, 3);
    let again = minimum(one.id, None, 2, 4);
    let other = CoverageMinimum { people: None, ..minimum(two.id, None, 3, 0) };
    tx.coverage().lock().await.unwrap();
    for one in [&again, &late, &other, &early] {
        tx.coverage().insert(one).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut tx = store.begin(mine).await.unwrap();
    let of_one = vec![early, late, again];
    assert_eq!(tx.coverage().minimums(Some(one.id)).await.unwrap(), of_one);
    assert_eq!(tx.coverage().minimums(None).await.unwrap(), [of_one, vec![other]].concat());
    drop(tx);
    let mut tx = store.begin(theirs).await.unwrap();
    assert!(tx.coverage().minimums(None).await.unwrap().is_empty());
    assert!(tx.coverage().minimums(Some(one.id)).await.unwrap().is_empty());
    let stray = tx.coverage().insert(&minimum(one.id, None, 1, 0)).await;
    // SQLite may look only at the end.
    let stray = if stray.is_ok() { tx.commit().await } else { stray };
    assert!(stray.is_err(), "a minimum is of a department of its own organisation");
}

/// Members of departments are found by the days on which they are in them.
pub async fn members_of_departments_are_found_by_day(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let (one, two) = (department("one", None), department("two", None));
    let mut tx = store.begin(mine).await.unwrap();
    tx.departments().insert_many(&[one.clone(), two.clone()]).await.unwrap();
    let within = |department: DepartmentId| Facts { department_id: Some(department), ..Facts::default() };
    let stays = hired(&mut *tx, "1", within(one.id)).await.id;
    let moves = hired(&mut *tx, "2", Facts::default()).await.id;
    let mut timeline = Timeline::hired(date(2020, 1, 1), within(one.id));
    timeline.change_from(date(2026, 6, 1), &(&within(two.id)).into()).unwrap();
    tx.employment().replace_timelines(&[(moves, timeline)]).await.unwrap();
    let days = |month: i8, day: i8| date(2026, month, day);
    for (departments, from, last, mut expected) in [
        (vec![one.id], days(5, 1), days(5, 31), vec![stays, moves]),
        (vec![one.id], days(6, 1), days(6, 30), vec![stays]),
        (vec![two.id], days(5, 1), days(5, 31), vec![]),
        (vec![two.id], days(5, 31), days(6, 1), vec![moves]),
        (vec![one.id, two.id], days(5, 31), days(6, 1), vec![stays, moves]),
        (vec![one.id], date(2019, 1, 1), date(2019, 12, 31), vec![]),
        (vec![], days(1, 1), days(12, 31), vec![]),
    ] {
        let mut found: Vec<EmployeeId> =
            tx.employment().members_between(&departments, from, last).await.unwrap();
        found.sort_unstable();
        expected.sort_unstable();
        assert_eq!(found, expected, "{from} {last}");
    }
    tx.commit().await.unwrap();
    let mut tx = store.begin(theirs).await.unwrap();
    assert!(tx.employment().members_between(&[one.id], days(1, 1), days(12, 31)).await.unwrap().is_empty());
}
