//! Organisations that are closed and purged.

use jiff::{SignedDuration, Timestamp};

use crate::contract::fixture::{Subject, all_at_once, at, id, location, tenant};
use crate::contract::{stored_session, stored_user};
use crate::error::StoreError;
use crate::id::{SessionId, SupportGrantId, TenantId, UserId};
use crate::operator::{OperatorAccount, OperatorFilter};
use crate::organization::{Closing, Organization, OrganizationFilter, OrganizationStatus};
use crate::page::PageRequest;
use crate::policy::Role;
use crate::store::Version;
use crate::support::{SupportGrant, SupportGrantFilter};
use crate::user::{Account, UserStatus};

/// A day of long ago, so that a store that goes by a clock of its own too has seen it pass.
fn long_ago(days: i32) -> Timestamp {
    let first: Timestamp = "2020-01-01T00:00:00Z".parse().unwrap();
    first + SignedDuration::from_hours(24) * days
}

async fn close(store: &impl Subject, tenant: TenantId, purge_after: Timestamp) -> Organization {
    let mut organization = store.organization(tenant).await.unwrap().unwrap();
    let expected = organization.version;
    organization.status = OrganizationStatus::Closed;
    organization.closing = Some(Closing { closed_at: long_ago(0), purge_after, reason: "left us".into() });
    organization.version = expected.next();
    store.update_organization_status(&organization, expected).await.unwrap();
    organization
}

/// A closed organisation reads back as closed, nobody gets in, and reopening undoes it.
pub async fn a_closed_organization_lets_nobody_in(store: &impl Subject) {
    let tenant = tenant(store).await;
    let user = stored_user(store, tenant, &[Role::Owner]).await;
    stored_session(store, Some(tenant), user.id).await;
    let mut closed = close(store, tenant, long_ago(30)).await;
    assert_eq!(store.organization(tenant).await.unwrap(), Some(closed.clone()));
    assert_eq!(store.organization_by_slug(&closed.slug).await.unwrap(), Some(closed.clone()));
    assert!(store.candidate(Some(&closed.slug), &user.email).await.unwrap().is_none());
    let today = jiff::civil::date(2020, 1, 1);
    let rights = async || store.read(tenant).await.unwrap().users().rights(user.id, today).await.unwrap();
    assert!(rights().await.is_none());
    for (status, listed) in [
        (OrganizationStatus::Active, false),
        (OrganizationStatus::Suspended, false),
        (OrganizationStatus::Closed, true),
    ] {
        let filter = OrganizationFilter {
            slug: Some(closed.slug.clone()),
            status: Some(status),
            ..OrganizationFilter::default()
        };
        let found = store.organizations(&filter, &PageRequest::default()).await.unwrap();
        assert_eq!(!found.is_empty(), listed, "{status:?}");
    }
    let expected = closed.version;
    closed.status = OrganizationStatus::Active;
    closed.closing = None;
    closed.version = expected.next();
    store.update_organization_status(&closed, expected).await.unwrap();
    assert_eq!(store.organization(tenant).await.unwrap(), Some(closed));
    assert!(rights().await.is_some());
}

/// A purge waits for the hold; then nothing is left, the slug and the address are free, and others keep theirs.
pub async fn a_purge_waits_for_the_hold_and_leaves_nothing(store: &impl Subject) {
    let (gone, other) = (tenant(store).await, tenant(store).await);
    let user = stored_user(store, gone, &[Role::Owner]).await;
    let colleague = stored_user(store, other, &[Role::Owner]).await;
    for tenant in [gone, other] {
        let mut tx = store.begin(tenant).await.unwrap();
        tx.locations().insert(&location("a")).await.unwrap();
        tx.commit().await.unwrap();
    }
    assert!(!store.purge_organization(gone, long_ago(1000)).await.unwrap(), "it is in use");
    assert!(!store.purge_organization(TenantId::from_uuid(id()), long_ago(1000)).await.unwrap());
    let closed = close(store, gone, long_ago(30)).await;
    assert!(!store.organizations_to_purge(long_ago(29), 10).await.unwrap().contains(&gone));
    assert!(!store.purge_organization(gone, long_ago(29)).await.unwrap(), "the hold isn't over");
    assert!(store.organization(gone).await.unwrap().is_some());
    assert!(store.organizations_to_purge(long_ago(30), 10).await.unwrap().contains(&gone));
    assert!(!store.organizations_to_purge(long_ago(1000), 10).await.unwrap().contains(&other));

    assert!(store.purge_organization(gone, long_ago(30)).await.unwrap());
    assert!(!store.purge_organization(gone, long_ago(30)).await.unwrap(), "once");
    assert_eq!(store.organization(gone).await.unwrap(), None);
    let mut tx = store.read(gone).await.unwrap();
    assert_eq!(tx.users().get(user.id).await.unwrap(), None);
    drop(tx);
    let mut tx = store.read(other).await.unwrap();
    assert_eq!(tx.users().get(colleague.id).await.unwrap(), Some(colleague));
    assert_eq!(tx.locations().list(&Default::default(), &PageRequest::default()).await.unwrap().len(), 1);
    drop(tx);

    let again = Organization {
        id: TenantId::from_uuid(id()),
        status: OrganizationStatus::Active,
        closing: None,
        ..closed
    };
    store.insert_organization_with_admin(&again, &user, "hash").await.unwrap();
}

async fn operator(store: &impl Subject) -> OperatorAccount {
    let id = UserId::from_uuid(id());
    let account = Account {
        id,
        email: format!("{}@example.com", id.as_uuid().simple()),
        name: "Otto".into(),
        password_hash: "operator's".into(),
        created_at: at(0),
    };
    store.insert_operator(&account).await.unwrap();
    store.operator_account(id).await.unwrap().unwrap()
}

/// Operators are listed, disabled with their sessions, and enabled; of the last two, one stays whatever happens.
pub async fn the_last_operator_stays(store: &impl Subject) {
    let (one, two) = (operator(store).await, operator(store).await);
    assert_eq!(store.operators(&OperatorFilter::default(), &PageRequest::default()).await.unwrap().len(), 2);
    assert_eq!(store.operator_account(UserId::from_uuid(id())).await.unwrap(), None);
    let session = stored_session(store, None, one.id).await;
    let page = PageRequest::default();
    assert_eq!(
        store.operator_sessions(one.id, at(1), &page).await.unwrap().first().unwrap().id,
        session.session
    );
    assert!(store.operator_sessions(one.id, at(100), &page).await.unwrap().is_empty(), "expired");
    assert!(store.operator_sessions(two.id, at(1), &page).await.unwrap().is_empty());
    assert!(!store.end_operator_session(two.id, session.session, at(1)).await.unwrap());
    let disabled = |operator: &OperatorAccount| OperatorAccount {
        status: UserStatus::Disabled,
        updated_at: at(2),
        version: operator.version.next(),
        ..operator.clone()
    };
    let stale = store.update_operator(&disabled(&one), one.version.next()).await;
    assert!(matches!(stale, Err(StoreError::Stale)), "{stale:?}");
    let steps = [&one, &two].map(|operator| store_update(store, disabled(operator), operator.version));
    let ended = all_at_once(steps).await;
    let refused: Vec<_> = ended.iter().filter_map(|result| result.as_ref().err()).collect();
    assert_eq!(refused.len(), 1, "{ended:?}");
    assert_eq!(refused.first().and_then(|error| error.constraint()), Some("platform_operator_last"));
    let gone = if ended.first().is_some_and(Result::is_ok) { one.id } else { two.id };
    let found = store.operator_account(gone).await.unwrap().unwrap();
    assert_eq!(found.status, UserStatus::Disabled);
    assert!(store.operator_sessions(gone, at(1), &page).await.unwrap().is_empty());
    assert!(store.candidate(None, &found.email).await.unwrap().is_none());
    let filter = OperatorFilter { status: Some(UserStatus::Active), ..OperatorFilter::default() };
    assert_eq!(store.operators(&filter, &PageRequest::default()).await.unwrap().len(), 1);
    let enabled =
        OperatorAccount { status: UserStatus::Active, version: found.version.next(), ..found.clone() };
    store.update_operator(&enabled, found.version).await.unwrap();
    assert!(store.candidate(None, &found.email).await.unwrap().is_some());
}

async fn store_update(
    store: &impl Subject,
    operator: OperatorAccount,
    expected: Version,
) -> Result<(), StoreError> {
    store.update_operator(&operator, expected).await
}

/// Grants of support access read back, are listed while they live, end once, and are one organisation's.
pub async fn support_grants_read_back_and_end_once(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let operator = operator(store).await;
    let user = stored_user(store, mine, &[Role::Owner]).await;
    let grant = |seconds: i64| SupportGrant {
        id: SupportGrantId::from_uuid(id()),
        operator_id: operator.id,
        operator_name: "Otto".into(),
        user_id: user.id,
        session: SessionId::from_uuid(id()),
        reason: "ticket 4711".into(),
        created_at: at(seconds),
        expires_at: at(seconds + 60),
        ended_at: None,
        ended_by: None,
        updated_at: at(seconds),
        version: Version::FIRST,
    };
    let (first, second) = (grant(0), grant(30));
    let mut tx = store.begin(mine).await.unwrap();
    for one in [&first, &second] {
        tx.support_grants().insert(one).await.unwrap();
    }
    let ended = SupportGrant {
        ended_at: Some(at(40)),
        ended_by: Some(user.id),
        updated_at: at(40),
        version: Version::FIRST.next(),
        ..second.clone()
    };
    tx.support_grants().update(&ended, Version::FIRST).await.unwrap();
    let again = tx.support_grants().update(&ended, Version::FIRST).await;
    assert!(matches!(again, Err(StoreError::Stale)), "{again:?}");
    tx.commit().await.unwrap();
    let mut tx = store.read(mine).await.unwrap();
    assert_eq!(tx.support_grants().get(first.id).await.unwrap(), Some(first.clone()));
    for (alive_at, updated_after, expected) in [
        (None, None, vec![first.clone(), ended.clone()]),
        (Some(at(59)), None, vec![first.clone()]),
        (Some(at(60)), None, vec![]),
        (None, Some(at(40)), vec![ended.clone()]),
    ] {
        let filter = SupportGrantFilter { alive_at, updated_after };
        assert_eq!(tx.support_grants().list(&filter, &PageRequest::default()).await.unwrap(), expected);
    }
    drop(tx);
    let mut tx = store.begin(theirs).await.unwrap();
    assert_eq!(tx.support_grants().get(first.id).await.unwrap(), None);
    let all = SupportGrantFilter::default();
    assert!(tx.support_grants().list(&all, &PageRequest::default()).await.unwrap().is_empty());
    let foreign = tx.support_grants().update(&ended, ended.version).await;
    assert!(matches!(foreign, Err(StoreError::Stale)), "{foreign:?}");
}
