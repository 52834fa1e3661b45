//! How far rights reach, as storage sees it.

use jiff::civil::{Date, date};

use crate::contract::fixture::{Subject, location, tenant};
use crate::contract::{department, hired, stored_user};
use crate::employee::EmployeeFilter;
use crate::employment::{Facts, Timeline};
use crate::id::EmployeeId;
use crate::page::PageRequest;
use crate::policy::{Role, Visibility};
use crate::store::Tx;
use crate::user::{Standing, User};

const DAY: Date = date(2020, 6, 1);

async fn seen(tx: &mut dyn Tx, visible: Visibility) -> Vec<String> {
    let filter = EmployeeFilter { today: DAY, ..EmployeeFilter::everybody(visible, DAY) };
    let rows = tx.employees().list(&filter, &PageRequest::default()).await.unwrap();
    for row in &rows {
        // The rows tell what the tree scopes look at only when asked; the others must agree by themselves.
        let narrow = visible.reports_tree_of.is_none() && visible.department_tree.is_none();
        assert!(!narrow || visible.includes(&row.resource), "{visible:?} {:?}", row.resource);
    }
    rows.into_iter().map(|row| row.view.number).collect()
}

/// Scopes reach down the reporting line and the department tree, to a location, and no further.
pub async fn scopes_reach_down_the_tree_and_no_further(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let place = location("x");
    let top = department("top", None);
    let inner = department("inner", Some(top.id));
    let mut tx = store.begin(mine).await.unwrap();
    tx.locations().insert(&place).await.unwrap();
    tx.departments().insert_many(std::slice::from_ref(&top)).await.unwrap();
    tx.departments().insert_many(std::slice::from_ref(&inner)).await.unwrap();
    let under = |manager: EmployeeId| Facts { manager_id: Some(manager), ..Facts::default() };
    let chief = hired(&mut *tx, "1", Facts { department_id: Some(top.id), ..Facts::default() }).await;
    let lead = hired(&mut *tx, "2", Facts { department_id: Some(inner.id), ..under(chief.id) }).await;
    let member = hired(&mut *tx, "3", under(lead.id)).await;
    let other = hired(&mut *tx, "4", Facts { location_id: Some(place.id), ..Facts::default() }).await;
    let none = Visibility::default();
    for (visible, expected) in [
        (Visibility { reports_of: Some(chief.id), ..none }, &["2"][..]),
        (Visibility { reports_tree_of: Some(chief.id), ..none }, &["2", "3"]),
        (Visibility { reports_tree_of: Some(lead.id), own: Some(other.id), ..none }, &["3", "4"]),
        (Visibility { department_tree: Some(top.id), ..none }, &["1", "2"]),
        (Visibility { department_tree: Some(inner.id), ..none }, &["2"]),
        (Visibility { location: Some(place.id), ..none }, &["4"]),
    ] {
        assert_eq!(seen(&mut *tx, visible).await, expected, "{visible:?}");
    }
    let above = tx.employment().managers_above(&[member.id, chief.id, lead.id], DAY).await.unwrap();
    assert_eq!(above.get(&member.id), Some(&vec![lead.id, chief.id]));
    assert_eq!(above.get(&lead.id), Some(&vec![chief.id]));
    assert_eq!(above.get(&chief.id), None);
    let before = tx.employment().managers_above(&[member.id], date(2019, 1, 1)).await.unwrap();
    assert!(before.is_empty());
    tx.commit().await.unwrap();

    let mut tx = store.begin(theirs).await.unwrap();
    assert!(tx.employment().managers_above(&[member.id], DAY).await.unwrap().is_empty());
    for visible in [
        Visibility { reports_tree_of: Some(chief.id), ..none },
        Visibility { department_tree: Some(top.id), ..none },
        Visibility { location: Some(place.id), ..none },
    ] {
        assert!(seen(&mut *tx, visible).await.is_empty());
    }
}

async fn member(store: &impl Subject, tx: crate::TenantId, role: Role, employee: EmployeeId) -> User {
    let mut user = stored_user(store, tx, &[role, Role::Employee]).await;
    let expected = user.version;
    user.employee_id = Some(employee);
    user.version = expected.next();
    let mut work = store.begin(tx).await.unwrap();
    work.users().update(&user, expected).await.unwrap();
    work.commit().await.unwrap();
    user
}

/// Whoever's employment has ended has no rights left, from the second day after; except an owner.
pub async fn whoever_left_has_no_rights(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut tx = store.begin(tenant).await.unwrap();
    let mut people = Vec::new();
    for number in ["1", "2"] {
        let person = hired(&mut *tx, number, Facts::default()).await;
        let mut timeline = Timeline::hired(date(2020, 1, 1), Facts::default());
        timeline.end(date(2020, 12, 31), None).unwrap();
        tx.employment().replace_timelines(&[(person.id, timeline)]).await.unwrap();
        people.push(person.id);
    }
    tx.commit().await.unwrap();
    let [one, two] = people[..] else { panic!() };
    let manager = member(store, tenant, Role::Hr, one).await;
    let owner = member(store, tenant, Role::Owner, two).await;
    let unlinked = stored_user(store, tenant, &[Role::Hr]).await;
    let mut tx = store.read(tenant).await.unwrap();
    let mut rights =
        async |user: &User, on: Date| -> Standing { tx.users().rights(user.id, on).await.unwrap().unwrap() };
    let working = rights(&manager, date(2020, 12, 31)).await;
    assert_eq!(working.roles, manager.roles);
    assert_eq!(rights(&manager, date(2021, 1, 1)).await.roles, manager.roles, "still that day somewhere");
    let gone = rights(&manager, date(2021, 1, 2)).await;
    assert!(gone.roles.is_empty() && gone.grants.is_empty());
    assert_eq!(rights(&owner, date(2021, 1, 2)).await.roles, [Role::Owner]);
    assert_eq!(rights(&unlinked, date(2021, 1, 2)).await.roles, [Role::Hr]);
}

/// Who is no employee counts as the employee who made them, or made whoever made them; people who made each other
/// as nobody.
pub async fn second_users_count_as_whoever_made_them(store: &impl Subject) {
    let (tenant, other) = (tenant(store).await, tenant(store).await);
    let mut tx = store.begin(tenant).await.unwrap();
    let employee = hired(&mut *tx, "1", Facts::default()).await.id;
    tx.commit().await.unwrap();
    let ada = member(store, tenant, Role::Hr, employee).await;
    let mut made = Vec::new();
    for by in 0..3 {
        let mut user = stored_user(store, tenant, &[Role::Hr]).await;
        user.created_by = Some(made.last().map_or(ada.id, |maker: &User| maker.id)).filter(|_| by < 2);
        made.push(user);
    }
    let [second, third, alone] = &made[..] else { panic!() };
    let mut tx = store.begin(tenant).await.unwrap();
    for user in [second, third] {
        tx.users()
            .update(&User { version: user.version.next(), ..user.clone() }, user.version)
            .await
            .unwrap();
    }
    let today = date(2026, 1, 1);
    let kept = tx.users().get(third.id).await.unwrap().unwrap();
    assert_eq!(kept.created_by, Some(second.id));
    for (user, maker) in [(&ada, None), (second, Some(employee)), (third, Some(employee)), (alone, None)] {
        assert_eq!(tx.users().rights(user.id, today).await.unwrap().unwrap().maker, maker);
    }
    // An employee of their own: nobody's second user any more.
    let own = hired(&mut *tx, "2", Facts::default()).await.id;
    let linked = User { employee_id: Some(own), version: kept.version.next(), ..kept.clone() };
    tx.users().update(&linked, kept.version).await.unwrap();
    assert_eq!(tx.users().rights(third.id, today).await.unwrap().unwrap().maker, None);
    // Two who made each other.
    let version = tx.users().get(second.id).await.unwrap().unwrap().version;
    let (one, two) = (alone.clone(), second.clone());
    let one = User { created_by: Some(two.id), version: one.version.next(), ..one };
    let two = User { created_by: Some(one.id), version: version.next(), ..two };
    tx.users().update(&one, alone.version).await.unwrap();
    tx.users().update(&two, version).await.unwrap();
    assert_eq!(tx.users().rights(two.id, today).await.unwrap().unwrap().maker, None);
    tx.commit().await.unwrap();
    // Nobody elsewhere is anybody here.
    let stranger = stored_user(store, other, &[Role::Hr]).await;
    let stranger = User { created_by: Some(ada.id), ..stranger };
    let mut tx = store.begin(other).await.unwrap();
    let changed = User { version: stranger.version.next(), ..stranger.clone() };
    tx.users().update(&changed, stranger.version).await.unwrap();
    assert_eq!(tx.users().rights(stranger.id, today).await.unwrap().unwrap().maker, None);
}
