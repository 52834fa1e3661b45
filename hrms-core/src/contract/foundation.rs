//! Units of work, isolation, versions, pages, events and kept answers.

use crate::contract::fixture::{Subject, at, event, id, location, tenant};
use crate::error::StoreError;
use crate::idempotency::IdempotencyKey;
use crate::location::{LocationFilter, LocationSort};
use crate::page::{Page, PageRequest, Position};

/// What was committed is read back equal.
pub async fn committed_rows_are_read_back(store: &impl Subject) {
    let tenant = tenant(store).await;
    let pune = location("pune");
    let mut tx = store.begin(tenant).await.unwrap();
    tx.locations().insert(&pune).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.read(tenant).await.unwrap();
    assert_eq!(tx.locations().get(pune.id).await.unwrap(), Some(pune));
}

/// Work that is dropped undoes everything.
pub async fn dropped_work_leaves_no_trace(store: &impl Subject) {
    let tenant = tenant(store).await;
    let pune = location("pune");
    {
        let mut tx = store.begin(tenant).await.unwrap();
        tx.locations().insert(&pune).await.unwrap();
        tx.events().append(vec![event("a")]).await.unwrap();
    }
    let mut tx = store.read(tenant).await.unwrap();
    assert_eq!(tx.locations().get(pune.id).await.unwrap(), None);
    assert_eq!(tx.events().last().await.unwrap(), 0);
}

/// No read, change or removal reaches another tenant's rows, also with their ids in hand.
pub async fn tenants_never_see_each_other(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let pune = location("pune");
    let happened = event("a");
    let mut tx = store.begin(theirs).await.unwrap();
    tx.locations().insert(&pune).await.unwrap();
    tx.events().append(vec![happened.clone()]).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin(mine).await.unwrap();
    assert_eq!(tx.organization().get().await.unwrap().map(|own| own.id), Some(mine));
    assert_eq!(tx.locations().get(pune.id).await.unwrap(), None);
    let page = PageRequest::default();
    assert!(tx.locations().list(&LocationFilter::default(), &page).await.unwrap().is_empty());
    assert_eq!(tx.events().sequence_of(happened.id).await.unwrap(), None);
    assert!(tx.events().after(0, 10).await.unwrap().is_empty());
    let update = tx.locations().update(&pune, pune.version).await;
    assert!(matches!(update, Err(StoreError::Stale)), "{update:?}");
    let remove = tx.locations().remove(pune.id, pune.version).await;
    assert!(matches!(remove, Err(StoreError::Stale)), "{remove:?}");
    // The same code is free here: uniqueness is per tenant.
    tx.locations().insert(&location("pune")).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.read(theirs).await.unwrap();
    assert_eq!(tx.locations().get(pune.id).await.unwrap(), Some(pune));
}

/// A broken uniqueness rule is reported by the constraint's name on every engine.
pub async fn a_duplicate_code_names_its_constraint(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut tx = store.begin(tenant).await.unwrap();
    tx.locations().insert(&location("pune")).await.unwrap();
    let second = tx.locations().insert(&location("pune")).await.unwrap_err();
    assert_eq!(second.constraint(), Some("location_code_key"), "{second:?}");
}

/// An update or removal that expects another version is stale and does nothing.
pub async fn a_stale_version_changes_nothing(store: &impl Subject) {
    let tenant = tenant(store).await;
    let first = location("pune");
    let mut second = first.clone();
    second.name = "Moved".into();
    second.version = first.version.next();
    let mut tx = store.begin(tenant).await.unwrap();
    tx.locations().insert(&first).await.unwrap();
    tx.locations().update(&second, first.version).await.unwrap();
    assert!(matches!(tx.locations().update(&first, first.version).await, Err(StoreError::Stale)));
    assert!(matches!(tx.locations().remove(first.id, first.version).await, Err(StoreError::Stale)));
    assert_eq!(tx.locations().get(first.id).await.unwrap(), Some(second));
}

/// Walking the pages visits every row once, in order, in both directions, with equal keys among them.
pub async fn pages_visit_every_row_once_in_order(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut tx = store.begin(tenant).await.unwrap();
    for index in 0..7 {
        let mut row = location(&format!("c{index}"));
        row.name = format!("name {}", index / 3);
        tx.locations().insert(&row).await.unwrap();
    }
    for descending in [false, true] {
        let mut page = PageRequest { sort: LocationSort::Name, descending, limit: 2, after: None };
        let mut seen = Vec::new();
        loop {
            let rows = tx.locations().list(&LocationFilter::default(), &page).await.unwrap();
            let got = Page::from_rows(rows, page.limit, |last| Position {
                key: last.name.clone(),
                id: last.id.as_uuid(),
            });
            seen.extend(got.items.into_iter().map(|row| (row.name, row.id)));
            match got.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        let mut sorted = seen.clone();
        sorted.sort();
        sorted.dedup();
        if descending {
            sorted.reverse();
        }
        assert_eq!(sorted.len(), 7);
        assert_eq!(seen, sorted);
    }
}

/// A read-only unit of work can't write. Stores in memory may have one connection for all, and are let off.
pub async fn read_work_refuses_writes(store: &impl Subject) {
    let tenant = tenant(store).await;
    let pune = location("pune");
    {
        let mut tx = store.read(tenant).await.unwrap();
        if tx.locations().insert(&pune).await.is_err() {
            return;
        }
    }
    let mut tx = store.read(tenant).await.unwrap();
    assert_eq!(tx.locations().get(pune.id).await.unwrap(), None, "a read was committed");
}

/// Emoji, quotes, combining characters and microseconds come back as they went in.
pub async fn instants_and_text_survive_unchanged(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut odd = location("o'; DROP TABLE location; --");
    odd.name = "Zürich 🏔️ \"quoted\" e\u{301} \u{10ffff}".into();
    odd.updated_at = at(0).checked_add(jiff::SignedDuration::from_micros(1)).unwrap();
    let mut tx = store.begin(tenant).await.unwrap();
    tx.locations().insert(&odd).await.unwrap();
    assert_eq!(tx.locations().get(odd.id).await.unwrap(), Some(odd.clone()));
    let filter = LocationFilter { updated_after: Some(odd.updated_at), ..Default::default() };
    assert_eq!(tx.locations().list(&filter, &PageRequest::default()).await.unwrap(), vec![odd]);
    let filter = LocationFilter { updated_after: Some(at(1)), ..Default::default() };
    assert!(tx.locations().list(&filter, &PageRequest::default()).await.unwrap().is_empty());
}

/// Sequence numbers follow the commits, without gaps, per tenant; rolled-back events take none.
pub async fn events_are_numbered_in_commit_order_without_gaps(store: &impl Subject) {
    let (one, two) = (tenant(store).await, tenant(store).await);
    for round in 0..3 {
        let mut tx = store.begin(one).await.unwrap();
        tx.events().append(vec![event("a"), event("b")]).await.unwrap();
        if round == 1 {
            continue;
        }
        tx.commit().await.unwrap();
    }
    let mut tx = store.begin(two).await.unwrap();
    tx.events().append(vec![event("c")]).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.read(one).await.unwrap();
    let all = tx.events().after(0, 10).await.unwrap();
    assert_eq!(
        all.iter().map(|e| (e.sequence, e.kind.as_str())).collect::<Vec<_>>(),
        [(1, "a"), (2, "b"), (3, "a"), (4, "b")]
    );
    let third = all.get(2).unwrap();
    assert_eq!(tx.events().sequence_of(third.id).await.unwrap(), Some(3));
    assert_eq!(tx.events().after(3, 10).await.unwrap().len(), 1);
    assert_eq!(tx.events().last().await.unwrap(), 4);
}

/// A kept answer is found under its key, refuses a second one, and gives way once it has expired.
pub async fn kept_answers_are_found_once_and_expire(store: &impl Subject) {
    let tenant = tenant(store).await;
    let user = id();
    let key = IdempotencyKey { key: "k".into(), fingerprint: [7; 32] };
    let mut tx = store.begin(tenant).await.unwrap();
    tx.idempotency().insert(user, &key, "{\"a\":1}", at(0), at(-10)).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.read(tenant).await.unwrap();
    let stored = tx.idempotency().get(user, "k", at(0)).await.unwrap().unwrap();
    assert_eq!((stored.answer.get(), stored.fingerprint), ("{\"a\":1}", [7; 32]));
    assert!(tx.idempotency().get(user, "k", at(1)).await.unwrap().is_none());
    assert!(tx.idempotency().get(id(), "k", at(0)).await.unwrap().is_none());
    drop(tx);

    let mut tx = store.begin(tenant).await.unwrap();
    let again = tx.idempotency().insert(user, &key, "{}", at(5), at(-10)).await.unwrap_err();
    assert_eq!(again.constraint(), Some("idempotency_key_pkey"));
    drop(tx);
    let mut tx = store.begin(tenant).await.unwrap();
    tx.idempotency().insert(user, &key, "{}", at(100), at(50)).await.unwrap();
    tx.commit().await.unwrap();
}
