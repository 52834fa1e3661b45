//! Service accounts and their keys.

use crate::api_key::{ApiKey, ApiKeyFilter, ApiKeySort, public_part};
use crate::contract::fixture::{Subject, at, id, tenant};
use crate::error::StoreError;
use crate::id::{ApiKeyId, ServiceAccountId, TenantId, UserId};
use crate::organization::OrganizationStatus;
use crate::page::{PageRequest, Position};
use crate::policy::Permission;
use crate::service_account::{
    ServiceAccount, ServiceAccountFilter, ServiceAccountSort, ServiceAccountStatus,
};
use crate::store::{Tx, Version};

const HASH: [u8; 32] = [7; 32];

/// A service account that isn't stored yet; it may see employees and run imports.
#[must_use]
pub fn service_account(name: &str) -> ServiceAccount {
    ServiceAccount {
        id: ServiceAccountId::from_uuid(id()),
        name: name.into(),
        description: "„Brücke“ 🌉".into(),
        permissions: vec![Permission::EmployeeRead, Permission::ImportRun],
        status: ServiceAccountStatus::Active,
        created_at: at(0),
        updated_at: at(0),
        version: Version::FIRST,
    }
}

/// A key that isn't stored yet, good until second 100; it is for employees and locations.
#[must_use]
pub fn api_key(tenant: TenantId, account: &ServiceAccount, name: &str) -> ApiKey {
    let id = ApiKeyId::from_uuid(id());
    ApiKey {
        id,
        service_account_id: account.id,
        name: name.into(),
        prefix: public_part(tenant, id),
        permissions: vec![Permission::LocationRead, Permission::EmployeeRead],
        created_by: Some(UserId::from_uuid(crate::contract::id())),
        created_at: at(0),
        expires_at: at(100),
        last_used_at: None,
        last_used_address: None,
        revoked_at: None,
    }
}

async fn stored(store: &impl Subject, tenant: TenantId, name: &str) -> (ServiceAccount, ApiKey) {
    let account = service_account(name);
    let key = api_key(tenant, &account, name);
    let mut tx = store.begin(tenant).await.unwrap();
    tx.service_accounts().insert(&account).await.unwrap();
    tx.api_keys().insert(&key, &HASH).await.unwrap();
    tx.commit().await.unwrap();
    (account, key)
}

async fn keys(tx: &mut dyn Tx, filter: ApiKeyFilter) -> Vec<ApiKeyId> {
    let found = tx.api_keys().list(&filter, &PageRequest::default(), at(50)).await.unwrap();
    found.into_iter().map(|key| key.id).collect()
}

/// Accounts and keys read back as they were written, in every order, by every filter, a stale write does
/// nothing, and another tenant sees none of it.
pub async fn keys_and_their_accounts_read_back_as_written(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let (first, key) = stored(store, mine, "A").await;
    let (second, late) = stored(store, mine, "B").await;
    let mut tx = store.begin(mine).await.unwrap();
    assert_eq!(tx.service_accounts().get(first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(tx.api_keys().get(key.id).await.unwrap(), Some(key.clone()));
    let mut changed = first.clone();
    changed.status = ServiceAccountStatus::Disabled;
    changed.permissions = vec![];
    changed.name = "Z".into();
    changed.updated_at = at(5);
    changed.version = first.version.next();
    tx.service_accounts().update(&changed, first.version).await.unwrap();
    let stale = tx.service_accounts().update(&changed, first.version).await;
    assert!(matches!(stale, Err(StoreError::Stale)));
    let behind = Position { key: first.created_at.to_string(), id: first.id.as_uuid() };
    let by_age = PageRequest { sort: ServiceAccountSort::CreatedAt, ..Default::default() };
    for (filter, page, expected) in [
        (ServiceAccountFilter::default(), PageRequest::default(), vec![&second, &changed]),
        (ServiceAccountFilter::default(), by_age.clone(), vec![&changed, &second]),
        (
            ServiceAccountFilter::default(),
            PageRequest { after: Some(behind), ..by_age.clone() },
            vec![&second],
        ),
        (
            ServiceAccountFilter { status: Some(ServiceAccountStatus::Disabled), updated_after: None },
            by_age.clone(),
            vec![&changed],
        ),
        (ServiceAccountFilter { updated_after: Some(at(5)), status: None }, by_age, vec![&changed]),
    ] {
        let found = tx.service_accounts().list(&filter, &page).await.unwrap();
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{filter:?}");
    }
    let ended = ApiKey { revoked_at: Some(at(3)), expires_at: at(60), ..key.clone() };
    tx.api_keys().end(&ended).await.unwrap();
    // What has ended doesn't begin again.
    tx.api_keys().end(&ApiKey { revoked_at: None, expires_at: at(900), ..key.clone() }).await.unwrap();
    assert_eq!(tx.api_keys().get(key.id).await.unwrap(), Some(ended));
    for (filter, expected) in [
        (ApiKeyFilter::default(), vec![key.id, late.id]),
        (ApiKeyFilter { service_account: Some(second.id), ..Default::default() }, vec![late.id]),
        (ApiKeyFilter { usable: Some(true), ..Default::default() }, vec![late.id]),
        (ApiKeyFilter { usable: Some(false), ..Default::default() }, vec![key.id]),
        (ApiKeyFilter { expires_before: Some(at(61)), ..Default::default() }, vec![key.id]),
    ] {
        assert_eq!(keys(&mut *tx, filter.clone()).await, expected, "{filter:?}");
    }
    let by_end = PageRequest { sort: ApiKeySort::ExpiresAt, ..Default::default() };
    let behind = Position { key: at(60).to_string(), id: key.id.as_uuid() };
    let by_end = PageRequest { after: Some(behind), ..by_end };
    assert_eq!(
        tx.api_keys().list(&ApiKeyFilter::default(), &by_end, at(0)).await.unwrap(),
        std::slice::from_ref(&late)
    );
    tx.commit().await.unwrap();

    let mut tx = store.begin(theirs).await.unwrap();
    assert_eq!(tx.service_accounts().get(first.id).await.unwrap(), None);
    assert_eq!(tx.api_keys().get(late.id).await.unwrap(), None);
    assert_eq!(tx.api_keys().standing(late.id, at(1)).await.unwrap(), None);
    assert!(keys(&mut *tx, ApiKeyFilter::default()).await.is_empty());
    assert!(matches!(tx.service_accounts().remove(second.id, second.version).await, Err(StoreError::Stale)));
    tx.api_keys().end(&ApiKey { revoked_at: Some(at(1)), ..late.clone() }).await.unwrap();
    tx.api_keys().used(late.id, at(1), at(0), None).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin(mine).await.unwrap();
    assert_eq!(tx.api_keys().get(late.id).await.unwrap(), Some(late));
    drop(tx);
    let mut tx = store.begin(theirs).await.unwrap();
    let refused = match tx.api_keys().insert(&api_key(theirs, &second, "x"), &HASH).await {
        Err(refused) => refused,
        Ok(()) => tx.commit().await.unwrap_err(),
    };
    assert!(matches!(refused.constraint(), Some("api_key_account_fkey" | "foreign_key")), "{refused:?}");
}

/// A key stands for what both it and its account may do, while key, account and organisation are alive; a
/// use is noted now and then.
pub async fn a_key_stands_for_what_is_alive(store: &impl Subject) {
    let tenant = tenant(store).await;
    let (account, key) = stored(store, tenant, "A").await;
    let standing = async |seconds: i64| {
        let mut tx = store.read(tenant).await.unwrap();
        tx.api_keys().standing(key.id, at(seconds)).await.unwrap()
    };
    let found = standing(99).await.unwrap();
    assert_eq!((found.account, found.secret_hash, found.last_used_at), (account.id, HASH, None));
    assert_eq!(found.permissions, [Permission::EmployeeRead]);
    assert_eq!(standing(100).await, None, "expired");

    let address = Some([192, 0, 2, 1].into());
    for (now, address, noted) in [(10, address, 10), (60, None, 10), (80, None, 80)] {
        let mut tx = store.begin(tenant).await.unwrap();
        tx.api_keys().used(key.id, at(now), at(now - 60), address).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(standing(90).await.unwrap().last_used_at, Some(at(noted)));
    }
    let mut tx = store.read(tenant).await.unwrap();
    assert_eq!(tx.api_keys().get(key.id).await.unwrap().unwrap().last_used_address, address);
    drop(tx);

    let set = async |status, permissions: Vec<Permission>| {
        let mut tx = store.begin(tenant).await.unwrap();
        let before = tx.service_accounts().get(account.id).await.unwrap().unwrap();
        let after = ServiceAccount { status, permissions, version: before.version.next(), ..before.clone() };
        tx.service_accounts().update(&after, before.version).await.unwrap();
        tx.commit().await.unwrap();
    };
    set(ServiceAccountStatus::Disabled, account.permissions.clone()).await;
    assert_eq!(standing(1).await, None, "disabled");
    // Even if somebody wrote it there: what is for people isn't for programs.
    set(ServiceAccountStatus::Active, vec![Permission::LocationRead, Permission::UserManage]).await;
    assert_eq!(standing(1).await.unwrap().permissions, [Permission::LocationRead]);

    let mut organization = store.organization(tenant).await.unwrap().unwrap();
    for (status, alive) in [(OrganizationStatus::Suspended, false), (OrganizationStatus::Active, true)] {
        organization.status = status;
        store.update_organization_status(&organization, organization.version).await.unwrap();
        assert_eq!(standing(1).await.is_some(), alive);
    }
    let mut tx = store.begin(tenant).await.unwrap();
    tx.api_keys().end(&ApiKey { revoked_at: Some(at(1)), ..key.clone() }).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(standing(1).await, None, "revoked");
}

/// Removing an account removes its keys, and no other's.
pub async fn an_account_is_removed_with_its_keys(store: &impl Subject) {
    let tenant = tenant(store).await;
    let (account, key) = stored(store, tenant, "A").await;
    let (_, kept) = stored(store, tenant, "B").await;
    let mut tx = store.begin(tenant).await.unwrap();
    let stale = tx.service_accounts().remove(account.id, account.version.next()).await;
    assert!(matches!(stale, Err(StoreError::Stale)));
    tx.service_accounts().remove(account.id, account.version).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.read(tenant).await.unwrap();
    assert_eq!(tx.service_accounts().get(account.id).await.unwrap(), None);
    assert_eq!(tx.api_keys().standing(key.id, at(1)).await.unwrap(), None);
    assert_eq!(keys(&mut *tx, ApiKeyFilter::default()).await, [kept.id]);
}
