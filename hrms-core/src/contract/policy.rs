//! Written policies in storage.

use crate::contract::fixture::{Subject, at, id, tenant};
use crate::error::StoreError;
use crate::id::PolicyId;
use crate::page::{PageRequest, Position};
use crate::policy::written::{PolicyFilter, PolicyVersion, WrittenPolicy};
use crate::store::Version;

fn policy(name: &str) -> WrittenPolicy {
    WrittenPolicy {
        id: PolicyId::from_uuid(id()),
        name: name.to_owned(),
        description: Some("🦀 what for".to_owned()),
        text: "permit (principal, action, resource);".to_owned(),
        enabled: true,
        valid_from: Some(at(1)),
        valid_to: None,
        created_at: at(0),
        updated_at: at(0),
        version: Version::FIRST,
    }
}

/// Policies are read back as they were written, counted by one revision, and unique by name.
pub async fn policies_are_read_back_as_written(store: &impl Subject) {
    let mine = tenant(store).await;
    let (one, two) = (policy("one"), policy("two"));
    let mut tx = store.begin(mine).await.unwrap();
    assert_eq!(tx.policies().revision().await.unwrap(), 0);
    tx.policies().next_revision().await.unwrap();
    let first = tx.policies().revision().await.unwrap();
    assert!(first > 0);
    tx.policies().insert(&one).await.unwrap();
    tx.policies().insert(&two).await.unwrap();
    assert_eq!(tx.policies().get(one.id).await.unwrap(), Some(one.clone()));
    let changed = WrittenPolicy {
        name: "three".to_owned(),
        description: None,
        text: "forbid (principal, action, resource);".to_owned(),
        enabled: false,
        valid_from: None,
        valid_to: Some(at(9)),
        updated_at: at(2),
        version: one.version.next(),
        ..one.clone()
    };
    tx.policies().next_revision().await.unwrap();
    assert!(tx.policies().revision().await.unwrap() > first);
    tx.policies().update(&changed, one.version).await.unwrap();
    assert!(matches!(tx.policies().update(&changed, one.version).await, Err(StoreError::Stale)));
    tx.commit().await.unwrap();
    let mut tx = store.read(mine).await.unwrap();
    assert_eq!(tx.policies().all().await.unwrap(), [changed.clone(), two.clone()]);
    let filter = PolicyFilter { enabled: Some(false), updated_after: Some(at(2)), ..PolicyFilter::default() };
    let found = tx.policies().list(&filter, &PageRequest::default()).await.unwrap();
    assert_eq!(found, std::slice::from_ref(&changed));
    let filter = PolicyFilter { name: Some("two".to_owned()), ..PolicyFilter::default() };
    assert_eq!(
        tx.policies().list(&filter, &PageRequest::default()).await.unwrap(),
        std::slice::from_ref(&two)
    );
    drop(tx);
    let mut tx = store.begin(mine).await.unwrap();
    let refused = tx.policies().insert(&policy("two")).await.unwrap_err();
    assert_eq!(refused.constraint(), Some("policy_name_key"));
    drop(tx);
    let mut tx = store.begin(mine).await.unwrap();
    assert!(matches!(tx.policies().remove(two.id, two.version.next()).await, Err(StoreError::Stale)));
    tx.policies().remove(two.id, two.version).await.unwrap();
    assert_eq!(tx.policies().get(two.id).await.unwrap(), None);
}

/// A policy's history outlives it, page by page; no version is written twice.
pub async fn the_history_of_a_policy_outlives_it(store: &impl Subject) {
    let mine = tenant(store).await;
    let mut one = policy("one");
    let mut tx = store.begin(mine).await.unwrap();
    tx.policies().insert(&one).await.unwrap();
    let mut written = Vec::new();
    for _ in 0..3 {
        let version = PolicyVersion::of(&one, None);
        tx.policies().record(one.id, &version).await.unwrap();
        written.push(version);
        one.version = one.version.next();
    }
    tx.policies().remove(one.id, Version::FIRST).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.read(mine).await.unwrap();
    let mut page = PageRequest { limit: 2, ..PageRequest::default() };
    let rows = tx.policies().versions(one.id, &page).await.unwrap();
    assert_eq!(rows, written);
    page.after = Some(Position { key: "2".to_owned(), id: one.id.as_uuid() });
    let rows = tx.policies().versions(one.id, &page).await.unwrap();
    assert_eq!(rows.first().map(|row| row.version.as_i64()), Some(3));
    drop(tx);
    let mut tx = store.begin(mine).await.unwrap();
    let again = written.first().unwrap();
    assert!(matches!(tx.policies().record(one.id, again).await, Err(StoreError::Conflict { .. })));
}

/// Another organisation sees and touches nothing of it.
pub async fn policies_never_cross_tenants(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let one = policy("one");
    let mut tx = store.begin(mine).await.unwrap();
    tx.policies().next_revision().await.unwrap();
    tx.policies().insert(&one).await.unwrap();
    tx.policies().record(one.id, &PolicyVersion::of(&one, None)).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin(theirs).await.unwrap();
    assert_eq!(tx.policies().revision().await.unwrap(), 0);
    assert_eq!(tx.policies().get(one.id).await.unwrap(), None);
    assert!(tx.policies().all().await.unwrap().is_empty());
    assert!(tx.policies().list(&PolicyFilter::default(), &PageRequest::default()).await.unwrap().is_empty());
    assert!(tx.policies().versions(one.id, &PageRequest::default()).await.unwrap().is_empty());
    assert!(matches!(tx.policies().update(&one, one.version).await, Err(StoreError::Stale)));
    assert!(matches!(tx.policies().remove(one.id, one.version).await, Err(StoreError::Stale)));
    // The same name is nobody else's business.
    tx.policies().insert(&policy("one")).await.unwrap();
}
