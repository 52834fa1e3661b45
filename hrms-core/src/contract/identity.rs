//! Accounts, memberships and sessions.

use crate::contract::fixture::{Subject as Store, all_at_once, at, id, tenant};
use crate::error::StoreError;
use crate::id::{EmployeeId, SessionId, TenantId, UserId};
use crate::identity::{NewSession, Proof, Rotation, Subject, Switched};
use crate::organization::{Organization, OrganizationFilter, OrganizationSort, OrganizationStatus};
use crate::page::PageRequest;
use crate::policy::Role;
use crate::store::Version;
use crate::user::{Account, User, UserFilter, UserSort, UserStatus};

/// A user that isn't stored yet.
#[must_use]
pub fn user(roles: &[Role]) -> User {
    let id = UserId::from_uuid(id());
    User {
        id,
        email: format!("{}@example.com", id.as_uuid().simple()),
        name: "Jane Doe".into(),
        roles: roles.iter().map(|&role| role.into()).collect(),
        employee_id: None,
        former_employee_id: None,
        status: UserStatus::Active,
        created_by: None,
        counts_as: None,
        created_at: at(0),
        updated_at: at(0),
        version: Version::FIRST,
    }
}

/// A user in the store.
pub async fn stored_user(store: &impl Store, tenant: TenantId, roles: &[Role]) -> User {
    let user = user(roles);
    let mut tx = store.begin(tenant).await.unwrap();
    tx.users().insert(&user, "hash", None).await.unwrap();
    tx.commit().await.unwrap();
    user
}

/// A session of a user in the store, opened at second 0, refreshed with the token of hash 1.
pub async fn stored_session(store: &impl Store, tenant: Option<TenantId>, user: UserId) -> Subject {
    let subject = Subject { tenant, user, session: SessionId::from_uuid(id()) };
    let session = NewSession {
        subject,
        family_hash: [9; 32],
        refresh_hash: [1; 32],
        created_at: at(0),
        expires_at: at(100),
        ends_at: at(150),
        address: Some([192, 0, 2, 1].into()),
        user_agent: Some("contract".into()),
        confirmed: true,
        second_factor: false,
    };
    let hash = if tenant.is_some() { "hash" } else { "operator's" };
    assert!(store.insert_session(&session, Proof { hash, renewed: None }).await.unwrap());
    subject
}

fn rotation(of: &Subject, presented: u8, next: u8, seconds: i64) -> Rotation {
    Rotation {
        tenant: of.tenant,
        session: of.session,
        family_hash: [9; 32],
        presented: [presented; 32],
        next: [next; 32],
        now: at(seconds),
        expires_at: at(seconds + 100),
    }
}

async fn standing(store: &impl Store, of: &Subject, seconds: i64) -> Option<crate::user::Standing> {
    let mut tx = store.read(of.tenant.unwrap()).await.unwrap();
    let today = jiff::civil::date(2026, 11, 21);
    tx.users().standing(of.user, of.session, at(seconds), today).await.unwrap()
}

async fn operator(store: &impl Store) -> Account {
    let id = UserId::from_uuid(id());
    let account = Account {
        id,
        email: format!("{}@example.com", id.as_uuid().simple()),
        name: "Olga".into(),
        password_hash: "operator's".into(),
        created_at: at(0),
    };
    store.insert_operator(&account).await.unwrap();
    account
}

/// Users read back as they were written, in every order, by every filter; a stale write does nothing.
pub async fn users_read_back_as_written(store: &impl Store) {
    let tenant = tenant(store).await;
    let first = stored_user(store, tenant, &[Role::Admin, Role::Employee]).await;
    let second = stored_user(store, tenant, &[Role::Hr]).await;
    let mut tx = store.begin(tenant).await.unwrap();
    assert_eq!(tx.users().get(first.id).await.unwrap(), Some(first.clone()));
    let mut changed = first.clone();
    changed.roles = vec![Role::Manager.into()];
    changed.status = UserStatus::Disabled;
    changed.name = "A".into();
    changed.version = first.version.next();
    changed.updated_at = at(5);
    tx.users().update(&changed, first.version).await.unwrap();
    assert!(matches!(tx.users().update(&changed, first.version).await, Err(StoreError::Stale)));
    for (filter, expected) in [
        (UserFilter::default(), vec![changed.clone(), second.clone()]),
        (UserFilter { email: Some(second.email.clone()), ..Default::default() }, vec![second.clone()]),
        (UserFilter { status: Some(UserStatus::Disabled), ..Default::default() }, vec![changed.clone()]),
        (UserFilter { updated_after: Some(at(5)), ..Default::default() }, vec![changed.clone()]),
        (UserFilter { employee: Some(EmployeeId::from_uuid(id())), ..Default::default() }, vec![]),
    ] {
        assert_eq!(tx.users().list(&filter, &PageRequest::default()).await.unwrap(), expected);
    }
    let by_email = PageRequest { sort: UserSort::Email, ..Default::default() };
    assert_eq!(tx.users().list(&UserFilter::default(), &by_email).await.unwrap().len(), 2);
    tx.commit().await.unwrap();
}

/// An address has one account on the whole platform; the second one is refused and leaves nothing behind.
pub async fn an_email_has_one_account(store: &impl Store) {
    let (one, two) = (tenant(store).await, tenant(store).await);
    let taken = stored_user(store, one, &[Role::Admin]).await;
    let second = User { email: taken.email.clone(), ..user(&[Role::Admin]) };
    let mut tx = store.begin(two).await.unwrap();
    let refused = tx.users().insert(&second, "hash", None).await.unwrap_err();
    assert_eq!(refused.constraint(), Some("user_account_email_key"), "{refused:?}");
    drop(tx);
    let mut tx = store.read(two).await.unwrap();
    assert_eq!(tx.users().get(second.id).await.unwrap(), None);
}

/// Rolled-back work leaves no account either, although it is kept outside the tenant.
pub async fn dropped_work_leaves_no_account(store: &impl Store) {
    let tenant = tenant(store).await;
    let user = user(&[Role::Admin]);
    {
        let mut tx = store.begin(tenant).await.unwrap();
        tx.users().insert(&user, "hash", None).await.unwrap();
        // What follows an account is the tenant's own work again.
        assert!(tx.organization().get().await.unwrap().is_some());
    }
    let mut tx = store.begin(tenant).await.unwrap();
    tx.users().insert(&user, "hash", None).await.unwrap();
    tx.commit().await.unwrap();
}

/// No look, change or session reaches another tenant's users.
pub async fn memberships_never_cross_tenants(store: &impl Store) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let other = stored_user(store, theirs, &[Role::Admin]).await;
    let session = stored_session(store, Some(theirs), other.id).await;
    let mut tx = store.begin(mine).await.unwrap();
    assert_eq!(tx.users().get(other.id).await.unwrap(), None);
    assert!(tx.users().list(&UserFilter::default(), &PageRequest::default()).await.unwrap().is_empty());
    assert!(matches!(tx.users().update(&other, other.version).await, Err(StoreError::Stale)));
    assert!(tx.users().hold_active_with_role(Role::Admin).await.unwrap().is_empty());
    assert_eq!(tx.users().end_sessions(other.id, at(1)).await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert_eq!(standing(store, &Subject { tenant: Some(mine), ..session }, 1).await, None);
    assert!(standing(store, &session, 1).await.is_some());
    let stray = rotation(&Subject { tenant: Some(mine), ..session }, 1, 2, 1);
    assert_eq!(store.rotate_session(&stray).await.unwrap(), None);
    assert!(!store.end_reused_session(&Rotation { presented: [7; 32], ..stray }).await.unwrap());
    store.end_session(&Subject { tenant: Some(mine), ..session }, at(1)).await.unwrap();
    assert!(standing(store, &session, 1).await.is_some());
}

/// A membership can't name an employee who isn't there.
pub async fn a_membership_names_a_real_employee(store: &impl Store) {
    let tenant = tenant(store).await;
    let user = User { employee_id: Some(EmployeeId::from_uuid(id())), ..user(&[Role::Employee]) };
    let mut tx = store.begin(tenant).await.unwrap();
    let refused = match tx.users().insert(&user, "hash", None).await {
        Err(refused) => refused,
        Ok(()) => tx.commit().await.unwrap_err(),
    };
    let name = refused.constraint();
    assert!(matches!(name, Some("membership_employee_fkey" | "foreign_key")), "{refused:?}");
}

/// Somebody can log in where account, membership and organisation are active, and nowhere else.
pub async fn only_the_active_can_log_in(store: &impl Store) {
    let (home, elsewhere) = (tenant(store).await, tenant(store).await);
    let mut user = stored_user(store, home, &[Role::Admin]).await;
    let mut organization = store.organization(home).await.unwrap().unwrap();
    let slug = organization.slug.clone();
    let other = store.organization(elsewhere).await.unwrap().unwrap().slug;
    let found = store.candidate(Some(&slug), &user.email).await.unwrap().unwrap();
    assert_eq!((found.tenant, found.user, found.password_hash.as_str()), (Some(home), user.id, "hash"));
    for (organization, email) in
        [(Some(other.as_str()), user.email.as_str()), (None, &user.email), (Some(&slug), "x@example.com")]
    {
        assert!(store.candidate(organization, email).await.unwrap().is_none());
    }

    organization.status = OrganizationStatus::Suspended;
    organization.version = organization.version.next();
    store.update_organization_status(&organization, Version::FIRST).await.unwrap();
    let stale = store.update_organization_status(&organization, Version::FIRST).await;
    assert!(matches!(stale, Err(StoreError::Stale)));
    assert!(store.candidate(Some(&slug), &user.email).await.unwrap().is_none());
    organization.status = OrganizationStatus::Active;
    store.update_organization_status(&organization, organization.version).await.unwrap();

    user.status = UserStatus::Disabled;
    let mut tx = store.begin(home).await.unwrap();
    tx.users().update(&user, user.version).await.unwrap();
    tx.commit().await.unwrap();
    assert!(store.candidate(Some(&slug), &user.email).await.unwrap().is_none());
}

/// An operator logs in without an organisation, and has a session of its own kind.
pub async fn operators_stand_outside_tenants(store: &impl Store) {
    let account = operator(store).await;
    let found = store.candidate(None, &account.email).await.unwrap().unwrap();
    assert_eq!((found.tenant, found.user), (None, account.id));
    let refused = store.insert_operator(&Account { id: UserId::from_uuid(id()), ..account.clone() }).await;
    assert_eq!(refused.unwrap_err().constraint(), Some("user_account_email_key"));
    let session = stored_session(store, None, account.id).await;
    let behind = store.operator(account.id, session.session, at(1)).await.unwrap().unwrap();
    assert_eq!((behind.id, behind.email), (account.id, account.email.clone()));
    assert!(store.operator(account.id, session.session, at(100)).await.unwrap().is_none());
    assert!(store.operator(UserId::from_uuid(id()), session.session, at(1)).await.unwrap().is_none());
    assert_eq!(store.rotate_session(&rotation(&session, 1, 2, 1)).await.unwrap(), Some(account.id));
    assert_eq!(store.rotate_session(&rotation(&session, 1, 3, 2)).await.unwrap(), None);
    assert!(store.end_reused_session(&rotation(&session, 1, 3, 2)).await.unwrap());
    assert!(store.operator(account.id, session.session, at(3)).await.unwrap().is_none());
    let session = stored_session(store, None, account.id).await;
    store.end_session(&session, at(1)).await.unwrap();
    assert!(store.operator(account.id, session.session, at(1)).await.unwrap().is_none());
}

/// Of many callers with the same refresh token one wins; the others change nothing.
pub async fn a_refresh_token_is_used_once(store: &impl Store) {
    let tenant = tenant(store).await;
    let user = stored_user(store, tenant, &[Role::Employee]).await;
    let session = stored_session(store, Some(tenant), user.id).await;
    let callers = (10..18).map(async |next| {
        let rotated = store.rotate_session(&rotation(&session, 1, next, 1)).await.unwrap();
        rotated.map(|_| next)
    });
    let winners: Vec<u8> = all_at_once(callers).await.into_iter().flatten().collect();
    let [winner] = winners[..] else { panic!("winners: {winners:?}") };
    assert_eq!(store.rotate_session(&rotation(&session, winner, 50, 2)).await.unwrap(), Some(user.id));
}

/// An old token ends the session, an invented one doesn't.
pub async fn reuse_ends_the_session(store: &impl Store) {
    let tenant = tenant(store).await;
    let user = stored_user(store, tenant, &[Role::Employee]).await;
    let session = stored_session(store, Some(tenant), user.id).await;
    assert_eq!(store.rotate_session(&rotation(&session, 1, 2, 1)).await.unwrap(), Some(user.id));
    let invented = Rotation { family_hash: [8; 32], ..rotation(&session, 5, 6, 2) };
    assert_eq!(store.rotate_session(&invented).await.unwrap(), None);
    assert!(!store.end_reused_session(&invented).await.unwrap());
    assert!(standing(store, &session, 2).await.is_some());
    assert!(!store.end_reused_session(&rotation(&session, 2, 3, 2)).await.unwrap(), "2 is the present one");
    assert!(store.end_reused_session(&rotation(&session, 1, 3, 2)).await.unwrap());
    assert_eq!(standing(store, &session, 2).await, None);
    assert_eq!(store.rotate_session(&rotation(&session, 2, 3, 3)).await.unwrap(), None);
}

/// A session takes another one's place once, with what that has proved, and lasts no longer.
pub async fn a_session_is_switched_once(store: &impl Store) {
    let (one, two) = (tenant(store).await, tenant(store).await);
    let user = stored_user(store, one, &[Role::Employee]).await;
    let mut tx = store.begin(two).await.unwrap();
    tx.users().insert_membership(&user).await.unwrap();
    tx.commit().await.unwrap();
    let session = stored_session(store, Some(one), user.id).await;
    let to = || Switched {
        tenant: two,
        user: user.id,
        session: SessionId::from_uuid(id()),
        family_hash: [7; 32],
        refresh_hash: [1; 32],
        expires_at: at(500),
        ends_at: at(600),
        address: None,
    };
    let stale = rotation(&session, 2, 3, 1);
    assert!(!store.switch_session(&stale, &to()).await.unwrap(), "not its present token");
    let (first, second) = (to(), to());
    let from = rotation(&session, 1, 2, 1);
    let tries = [&first, &second].map(|to| store.switch_session(&from, to));
    let done: Vec<bool> = all_at_once(tries).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(done.iter().filter(|done| **done).count(), 1, "{done:?}");
    assert_eq!(standing(store, &session, 2).await, None);
    let of = |to: &Switched| Subject { tenant: Some(two), user: user.id, session: to.session };
    let new = of(if done == [true, false] { &first } else { &second });
    let state = store.session(&new, at(2)).await.unwrap().unwrap();
    assert_eq!((state.created_at, state.confirmed_at), (at(0), Some(at(0))));
    assert!(standing(store, &new, 149).await.is_some());
    assert!(standing(store, &new, 150).await.is_none(), "the former one's last day");
}

/// A session ends when it isn't refreshed in time, and on its last day in any case.
pub async fn sessions_expire(store: &impl Store) {
    let tenant = tenant(store).await;
    let user = stored_user(store, tenant, &[Role::Employee]).await;
    let session = stored_session(store, Some(tenant), user.id).await;
    assert!(standing(store, &session, 99).await.is_some());
    assert!(standing(store, &session, 100).await.is_none());
    assert_eq!(store.rotate_session(&rotation(&session, 1, 2, 100)).await.unwrap(), None);
    assert_eq!(store.rotate_session(&rotation(&session, 1, 2, 90)).await.unwrap(), Some(user.id));
    assert!(standing(store, &session, 149).await.is_some());
    assert!(standing(store, &session, 150).await.is_none(), "the last day comes before the idle time");
}

/// What a session stands for is what membership and organisation are worth at that moment.
pub async fn standing_follows_membership_and_organization(store: &impl Store) {
    let tenant = tenant(store).await;
    let mut user = stored_user(store, tenant, &[Role::Employee]).await;
    let session = stored_session(store, Some(tenant), user.id).await;
    assert_eq!(standing(store, &session, 1).await.unwrap().roles, [Role::Employee]);
    assert!(standing(store, &Subject { user: UserId::from_uuid(id()), ..session }, 1).await.is_none());

    user.roles = vec![Role::Hr.into()];
    let mut tx = store.begin(tenant).await.unwrap();
    tx.users().update(&user, user.version).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(standing(store, &session, 1).await.unwrap().roles, [Role::Hr]);

    let mut organization = store.organization(tenant).await.unwrap().unwrap();
    for (status, alive) in [(OrganizationStatus::Suspended, false), (OrganizationStatus::Active, true)] {
        organization.status = status;
        store.update_organization_status(&organization, organization.version).await.unwrap();
        assert_eq!(standing(store, &session, 1).await.is_some(), alive);
        let rotated = store.rotate_session(&rotation(&session, 1, 1, 1)).await.unwrap();
        assert_eq!(rotated.is_some(), alive);
    }

    user.status = UserStatus::Disabled;
    let mut tx = store.begin(tenant).await.unwrap();
    tx.users().update(&user, user.version).await.unwrap();
    tx.commit().await.unwrap();
    assert!(standing(store, &session, 1).await.is_none());
    assert_eq!(store.rotate_session(&rotation(&session, 1, 2, 1)).await.unwrap(), None);

    user.status = UserStatus::Active;
    let mut tx = store.begin(tenant).await.unwrap();
    tx.users().update(&user, user.version).await.unwrap();
    assert_eq!(tx.users().end_sessions(user.id, at(1)).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert!(standing(store, &session, 1).await.is_none());
}

/// Of two admins who step down at the same moment, the second sees that the first is gone.
pub async fn admins_are_held_until_commit(store: &impl Store) {
    let tenant = tenant(store).await;
    let mut admins = Vec::new();
    for _ in 0..2 {
        admins.push(stored_user(store, tenant, &[Role::Admin, Role::Employee]).await);
    }
    stored_user(store, tenant, &[Role::Employee]).await;
    let steps = admins.into_iter().map(async |mut admin| {
        let mut tx = store.begin(tenant).await.unwrap();
        let held = tx.users().hold_active_with_role(Role::Admin).await.unwrap();
        if held.iter().all(|&other| other == admin.id) {
            return false;
        }
        admin.roles = vec![Role::Employee.into()];
        tx.users().update(&admin, admin.version).await.unwrap();
        tx.commit().await.unwrap();
        true
    });
    let stepped_down = all_at_once(steps).await.into_iter().filter(|&done| done).count();
    assert_eq!(stepped_down, 1);
}

/// An organisation comes with its first user, or not at all.
pub async fn an_organization_comes_with_its_admin(store: &impl Store) {
    let organization = |id: TenantId| Organization {
        id,
        slug: format!("org-{}", id.as_uuid().simple()),
        name: "New Ltd".into(),
        status: OrganizationStatus::Active,
        second_factor_required_for: Vec::new(),
        closing: None,
        support_access_allowed: true,
        time_zone: "UTC".to_owned(),
        language: "en".to_owned(),
        created_at: at(0),
        updated_at: at(0),
        version: Version::FIRST,
    };
    let (one, two) = (TenantId::from_uuid(id()), TenantId::from_uuid(id()));
    let admin = user(&[Role::Admin]);
    store.insert_organization_with_admin(&organization(one), &admin, "hash").await.unwrap();
    let mut tx = store.read(one).await.unwrap();
    assert_eq!(tx.users().get(admin.id).await.unwrap(), Some(admin.clone()));
    drop(tx);
    let again = User { id: UserId::from_uuid(id()), ..admin };
    let refused = store.insert_organization_with_admin(&organization(two), &again, "hash").await.unwrap_err();
    assert_eq!(refused.constraint(), Some("user_account_email_key"));
    assert!(store.organization(two).await.unwrap().is_none());

    let filter = OrganizationFilter { slug: Some(organization(one).slug), ..Default::default() };
    let page = PageRequest { sort: OrganizationSort::Slug, ..Default::default() };
    assert_eq!(store.organizations(&filter, &page).await.unwrap(), vec![organization(one)]);
    let filter = OrganizationFilter { status: Some(OrganizationStatus::Suspended), ..filter };
    assert!(store.organizations(&filter, &page).await.unwrap().is_empty());
}

/// Log-ins are remembered by where they came from, each user's apart; ended sessions, too.
pub async fn log_ins_are_remembered_by_address(store: &impl Store) {
    let (one, two) = (tenant(store).await, tenant(store).await);
    let user = stored_user(store, one, &[Role::Admin]).await;
    let colleague = stored_user(store, one, &[Role::Admin]).await;
    let session = stored_session(store, Some(one), user.id).await;
    stored_session(store, Some(one), user.id).await;
    store.end_session(&session, at(1)).await.unwrap();
    let from = [std::net::IpAddr::from([192, 0, 2, 1])];
    assert_eq!(store.log_in_addresses(Some(one), user.id, at(-1)).await.unwrap(), from);
    for (tenant, user, since) in [
        (Some(one), user.id, at(0)),
        (Some(one), colleague.id, at(-1)),
        (Some(two), user.id, at(-1)),
        (None, user.id, at(-1)),
    ] {
        assert!(store.log_in_addresses(tenant, user, since).await.unwrap().is_empty());
    }
    let operator = operator(store).await;
    stored_session(store, None, operator.id).await;
    assert_eq!(store.log_in_addresses(None, operator.id, at(-1)).await.unwrap(), from);
}
