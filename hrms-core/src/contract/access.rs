//! How far rights reach, as storage sees it.

use jiff::civil::{Date, date};

use crate::contract::fixture::{Subject, id, location, tenant};
use crate::contract::{department, hired, stored_user};
use crate::employee::EmployeeFilter;
use crate::employment::{Facts, Timeline};
use crate::id::{EmployeeId, UserId};
use crate::page::PageRequest;
use crate::policy::{Role, Visibility};
use crate::store::Tx;
use crate::user::{Lineage, Standing, User, UserStatus};

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

/// Who was made by somebody counts as that person's employee, now and after that one was unlinked or removed, and
/// after they were linked to one of their own, until `counts_as` says otherwise.
pub async fn second_users_count_as_whoever_made_them(store: &impl Subject) {
    let (tenant, other) = (tenant(store).await, tenant(store).await);
    let mut tx = store.begin(tenant).await.unwrap();
    let employee = hired(&mut *tx, "1", Facts::default()).await.id;
    let own = hired(&mut *tx, "2", Facts::default()).await.id;
    tx.commit().await.unwrap();
    let ada = member(store, tenant, Role::Hr, employee).await;
    let mut made = Vec::new();
    for by in 0..3 {
        let mut user = stored_user(store, tenant, &[Role::Hr]).await;
        user.counts_as = Some(made.last().map_or(ada.id, |maker: &User| maker.id)).filter(|_| by < 2);
        user.created_by = user.counts_as;
        made.push(user);
    }
    let [second, third, alone] = &made[..] else { panic!() };
    let mut tx = store.begin(tenant).await.unwrap();
    for user in [second, third] {
        rewrite(&mut *tx, user, |stored| {
            (stored.created_by, stored.counts_as) = (user.created_by, user.counts_as);
        })
        .await;
    }
    let kept = tx.users().get(third.id).await.unwrap().unwrap();
    assert_eq!((kept.created_by, kept.counts_as), (Some(second.id), Some(second.id)));
    assert_eq!(counting(&mut *tx, second).await, [employee]);
    assert_eq!(counting(&mut *tx, third).await, [employee]);
    assert_eq!(counting(&mut *tx, alone).await, []);
    let line = tx.users().lineage(third.id).await.unwrap();
    assert_eq!(line.users, [third.id, second.id, ada.id]);
    assert!(line.meets(&tx.users().lineage(second.id).await.unwrap()));
    assert!(!line.meets(&tx.users().lineage(alone.id).await.unwrap()));
    assert_eq!(tx.users().lineage(UserId::from_uuid(id())).await.unwrap(), Lineage::default());
    // An employee of their own changes nothing by itself.
    rewrite(&mut *tx, second, |user| user.employee_id = Some(own)).await;
    assert_eq!(counting(&mut *tx, second).await, sorted([employee, own]));
    assert_eq!(counting(&mut *tx, third).await, sorted([employee, own]));
    // Nor does it that whoever made them is gone.
    rewrite(&mut *tx, &ada, |user| {
        (user.status, user.employee_id, user.former_employee_id) =
            (UserStatus::Removed, None, Some(employee));
    })
    .await;
    let gone = tx.users().get(ada.id).await.unwrap().unwrap();
    assert_eq!((gone.employee_id, gone.former_employee_id), (None, Some(employee)));
    assert_eq!(counting(&mut *tx, third).await, sorted([employee, own]));
    // Somebody else has vouched for them.
    rewrite(&mut *tx, third, |user| user.counts_as = None).await;
    assert_eq!(counting(&mut *tx, third).await, []);
    rewrite(&mut *tx, third, |user| user.former_employee_id = Some(own)).await;
    assert_eq!(counting(&mut *tx, third).await, [own]);
    // Two who made each other.
    rewrite(&mut *tx, alone, |user| user.counts_as = Some(third.id)).await;
    rewrite(&mut *tx, third, |user| user.counts_as = Some(alone.id)).await;
    assert_eq!(counting(&mut *tx, alone).await, [own]);
    tx.commit().await.unwrap();
    // Nobody elsewhere is anybody here.
    let stranger = stored_user(store, other, &[Role::Hr]).await;
    let mut tx = store.begin(other).await.unwrap();
    rewrite(&mut *tx, &stranger, |user| user.counts_as = Some(second.id)).await;
    assert_eq!(counting(&mut *tx, &stranger).await, []);
    assert_eq!(tx.users().lineage(second.id).await.unwrap(), Lineage::default());
}

/// Writes a user with a change.
async fn rewrite(tx: &mut dyn Tx, of: &User, change: impl FnOnce(&mut User)) {
    let stored = tx.users().get(of.id).await.unwrap().unwrap();
    let mut user = User { version: stored.version.next(), ..stored.clone() };
    change(&mut user);
    tx.users().update(&user, stored.version).await.unwrap();
}

/// As whom a user counts besides, as their rights say.
async fn counting(tx: &mut dyn Tx, user: &User) -> Vec<EmployeeId> {
    let standing = tx.users().rights(user.id, date(2026, 1, 1)).await.unwrap().unwrap();
    sorted(standing.counts_as)
}

fn sorted(employees: impl IntoIterator<Item = EmployeeId>) -> Vec<EmployeeId> {
    let mut sorted: Vec<_> = employees.into_iter().collect();
    sorted.sort_unstable();
    sorted
}
