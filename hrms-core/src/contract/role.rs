//! The organisation's own roles.

use jiff::civil::date;

use crate::contract::fixture::{Subject, all_at_once, at, id, tenant};
use crate::contract::{stored_user, user};
use crate::error::StoreError;
use crate::id::{RoleId, TenantId};
use crate::page::{PageRequest, Position};
use crate::policy::{Grant, Permission, Role, RoleName, Scope};
use crate::role::{CustomRole, RoleFilter, RoleSort};
use crate::store::Version;
use crate::user::User;

/// A role that isn't stored yet: deciding on the leave of reports.
#[must_use]
pub fn custom_role(code: &str) -> CustomRole {
    CustomRole {
        id: RoleId::from_uuid(id()),
        code: RoleName::new(code.to_owned()),
        name: format!("Role {code}"),
        description: "„what for“ 👩‍💼".into(),
        grants: vec![Grant { permission: Permission::LeaveDecide, scope: Scope::Reports }],
        created_at: at(0),
        updated_at: at(0),
        version: Version::FIRST,
    }
}

async fn stored(store: &impl Subject, tenant: TenantId, code: &str) -> CustomRole {
    let role = custom_role(code);
    let mut tx = store.begin(tenant).await.unwrap();
    tx.roles().insert(&role).await.unwrap();
    tx.commit().await.unwrap();
    role
}

fn with_role(user: &User, role: &RoleName) -> User {
    let mut roles = user.roles.clone();
    roles.push(role.clone());
    User { roles, version: user.version.next(), ..user.clone() }
}

/// Roles read back as they were written, in every order, by every filter; a stale write does nothing, a
/// second role with the code is refused, and another tenant sees none of it.
pub async fn roles_read_back_as_written(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let (first, second) = (stored(store, mine, "aa").await, stored(store, mine, "bb").await);
    stored(store, theirs, "aa").await;
    let mut tx = store.begin(mine).await.unwrap();
    assert_eq!(tx.roles().get(first.id).await.unwrap(), Some(first.clone()));
    let mut changed = first.clone();
    changed.name = "Z".into();
    changed.grants.push(Grant { permission: Permission::LeaveRead, scope: Scope::Organization });
    changed.updated_at = at(5);
    changed.version = first.version.next();
    tx.roles().update(&changed, first.version).await.unwrap();
    assert!(matches!(tx.roles().update(&changed, first.version).await, Err(StoreError::Stale)));
    assert!(matches!(tx.roles().remove(&changed, first.version).await, Err(StoreError::Stale)));
    let by_code = PageRequest { sort: RoleSort::Code, ..Default::default() };
    let behind = Position { key: "aa".into(), id: first.id.as_uuid() };
    for (filter, page, expected) in [
        (RoleFilter::default(), PageRequest::default(), vec![second.clone(), changed.clone()]),
        (RoleFilter::default(), by_code.clone(), vec![changed.clone(), second.clone()]),
        (RoleFilter::default(), PageRequest { after: Some(behind), ..by_code.clone() }, vec![second.clone()]),
        (RoleFilter { code: Some("bb".into()), ..Default::default() }, by_code.clone(), vec![second.clone()]),
        (RoleFilter { updated_after: Some(at(5)), ..Default::default() }, by_code, vec![changed.clone()]),
    ] {
        assert_eq!(tx.roles().list(&filter, &page).await.unwrap(), expected, "{filter:?}");
    }
    let found = tx.roles().find_by_codes(&["bb".into(), "cc".into()]).await.unwrap();
    assert_eq!(found, [second]);
    tx.commit().await.unwrap();

    let mut tx = store.begin(theirs).await.unwrap();
    assert_eq!(tx.roles().get(first.id).await.unwrap(), None);
    assert!(tx.roles().find_by_codes(&["bb".into()]).await.unwrap().is_empty());
    assert!(matches!(tx.roles().update(&changed, changed.version).await, Err(StoreError::Stale)));
    assert!(matches!(tx.roles().remove(&changed, changed.version).await, Err(StoreError::Stale)));
    let taken = tx.roles().insert(&custom_role("aa")).await.unwrap_err();
    assert_eq!(taken.constraint(), Some("role_code_key"));
}

/// A role that somebody has isn't removed; one that isn't there, or is another tenant's, is given to nobody.
pub async fn a_role_in_use_stays(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let (used, other) = (stored(store, mine, "used").await, stored(store, theirs, "other").await);
    let longer = stored(store, mine, "used-too").await;
    let jane = stored_user(store, mine, &[Role::Employee]).await;
    let mut tx = store.begin(mine).await.unwrap();
    tx.users().update(&with_role(&jane, &used.code), jane.version).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin(mine).await.unwrap();
    let refused = tx.roles().remove(&used, used.version).await.unwrap_err();
    assert_eq!(refused.constraint(), Some("membership_role_fkey"));
    tx.roles().remove(&longer, longer.version).await.unwrap();
    tx.commit().await.unwrap();
    for role in [&longer.code, &other.code] {
        let mut tx = store.begin(mine).await.unwrap();
        let (before, after) = (with_role(&jane, &used.code), with_role(&jane, role));
        let refused = tx.users().update(&after, before.version).await.unwrap_err();
        assert_eq!(refused.constraint(), Some("membership_role_fkey"));
        let refused = tx.users().insert(&with_role(&user(&[]), role), "hash", None).await.unwrap_err();
        assert_eq!(refused.constraint(), Some("membership_role_fkey"));
    }
}

/// Whoever gives a role and whoever removes it at the same time: one of them is refused.
pub async fn a_role_is_given_or_removed_but_not_both(store: &impl Subject) {
    let tenant = tenant(store).await;
    for round in 0..10 {
        let role = stored(store, tenant, &format!("r{round}")).await;
        let jane = stored_user(store, tenant, &[Role::Employee]).await;
        let (mut role_gone, mut role_given) = (false, false);
        let steps = [true, false].map(|removes| {
            let (role, jane) = (role.clone(), jane.clone());
            async move {
                let mut tx = store.begin(tenant).await.unwrap();
                let done = match removes {
                    true => tx.roles().remove(&role, role.version).await,
                    false => tx.users().update(&with_role(&jane, &role.code), jane.version).await,
                };
                match done {
                    Ok(()) => tx.commit().await.map(|()| removes),
                    Err(error) => Err(error),
                }
            }
        });
        for done in all_at_once(steps).await {
            match done {
                Ok(true) => role_gone = true,
                Ok(false) => role_given = true,
                Err(error) => assert_eq!(error.constraint(), Some("membership_role_fkey"), "{error:?}"),
            }
        }
        assert!(role_gone != role_given, "round {round}: gone {role_gone}, given {role_given}");
    }
}

/// What somebody may do follows what the organisation's own roles grant, and only their own organisation's.
pub async fn grants_follow_the_organizations_own_roles(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let lead = stored(store, mine, "lead").await;
    let mut foreign = custom_role("lead");
    foreign.grants = vec![Grant { permission: Permission::UserManage, scope: Scope::Organization }];
    let mut tx = store.begin(theirs).await.unwrap();
    tx.roles().insert(&foreign).await.unwrap();
    tx.commit().await.unwrap();
    let jane = stored_user(store, mine, &[Role::Employee]).await;
    let mut tx = store.begin(mine).await.unwrap();
    tx.users().update(&with_role(&jane, &lead.code), jane.version).await.unwrap();
    let day = date(2026, 11, 21);
    let standing = tx.users().rights(jane.id, day).await.unwrap().unwrap();
    let mut expected = Role::Employee.grants();
    expected.extend(lead.grants.iter().copied());
    assert_eq!(standing.grants, expected);
    assert_eq!(standing.roles, [Role::Employee.into(), lead.code.clone()]);
    let wider = Grant { permission: Permission::LeaveRead, scope: Scope::ReportsTree };
    let changed = CustomRole { grants: vec![wider], version: lead.version.next(), ..lead.clone() };
    tx.roles().update(&changed, lead.version).await.unwrap();
    let standing = tx.users().rights(jane.id, day).await.unwrap().unwrap();
    assert!(standing.grants.contains(&wider) && !standing.grants.contains(lead.grants.first().unwrap()));
}
