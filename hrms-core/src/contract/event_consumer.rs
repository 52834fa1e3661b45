//! Consumers of events: positions that hold, and logs that are marked until everybody was told.

use crate::contract::audit::draft;
use crate::contract::fixture::{Subject, at, event, id, tenant};
use crate::event::{Event, Growth};
use crate::id::TenantId;
use crate::store::Tx;

async fn append(store: &impl Subject, tenant: TenantId, count: usize) -> Vec<Event> {
    let mut tx = store.begin(tenant).await.unwrap();
    tx.events().append((0..count).map(|_| event("a")).collect()).await.unwrap();
    tx.commit().await.unwrap();
    store.read(tenant).await.unwrap().events().after(0, 1000).await.unwrap()
}

/// Marked logs among these tenants: other clauses may share the store.
async fn grown(store: &impl Subject, of: &[TenantId]) -> Vec<TenantId> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = store.grown_logs(after, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(*last);
        all.extend(page.into_iter().filter(|tenant| of.contains(tenant)));
    }
    assert!(all.is_sorted());
    all
}

async fn positions(store: &impl Subject, tenant: TenantId) -> Vec<(String, i64)> {
    store.read(tenant).await.unwrap().event_consumers().positions().await.unwrap()
}

async fn commit(tx: Box<dyn Tx>) {
    tx.commit().await.unwrap();
}

/// A consumer's position moves forwards only, survives, and is nobody else's.
pub async fn consumers_keep_their_positions(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let mut tx = store.begin(mine).await.unwrap();
    assert_eq!(tx.event_consumers().hold("a").await.unwrap(), None);
    assert!(tx.event_consumers().advance("a", 1, at(0)).await.is_err(), "it hasn't begun");
    drop(tx);
    let mut tx = store.begin(mine).await.unwrap();
    tx.event_consumers().start("a", 3, at(0)).await.unwrap();
    tx.event_consumers().start("b", 0, at(0)).await.unwrap();
    commit(tx).await;
    let mut tx = store.begin(mine).await.unwrap();
    tx.event_consumers().start("a", 9, at(1)).await.unwrap();
    assert_eq!(tx.event_consumers().hold("a").await.unwrap(), Some(3), "it had begun");
    tx.event_consumers().advance("a", 5, at(1)).await.unwrap();
    tx.event_consumers().skip("b", 4, at(1)).await.unwrap();
    tx.event_consumers().skip("b", 2, at(1)).await.unwrap();
    tx.event_consumers().skip("c", 4, at(1)).await.unwrap();
    commit(tx).await;
    assert_eq!(positions(store, mine).await, [("a".to_owned(), 5), ("b".to_owned(), 4)]);
    {
        let mut tx = store.begin(mine).await.unwrap();
        tx.event_consumers().advance("a", 7, at(2)).await.unwrap();
    }
    let mut tx = store.begin(mine).await.unwrap();
    assert!(tx.event_consumers().advance("a", 5, at(2)).await.is_err(), "not forwards");
    drop(tx);
    assert_eq!(positions(store, mine).await.first().unwrap().1, 5, "what was dropped left nothing");

    let mut tx = store.begin(theirs).await.unwrap();
    assert_eq!(tx.event_consumers().hold("a").await.unwrap(), None);
    assert!(tx.event_consumers().advance("a", 9, at(2)).await.is_err());
    drop(tx);
    assert!(positions(store, theirs).await.is_empty());
}

/// A log is marked from the commit of an event on, until consumers have been told up to its end.
pub async fn a_log_that_grew_is_marked_until_consumers_are_told(store: &impl Subject) {
    let (one, two, quiet) = (tenant(store).await, tenant(store).await, tenant(store).await);
    let all = [one, two, quiet];
    assert!(grown(store, &all).await.is_empty());
    append(store, one, 2).await;
    append(store, two, 1).await;
    {
        let mut tx = store.begin(quiet).await.unwrap();
        tx.events().append(vec![event("a")]).await.unwrap();
    }
    let draft = draft("a", id());
    let mut tx = store.begin(quiet).await.unwrap();
    tx.audit().append(vec![draft.clone()], Vec::new()).await.unwrap();
    commit(tx).await;
    let mut expected = [one, two];
    expected.sort();
    assert_eq!(grown(store, &all).await, expected);

    append(store, one, 1).await;
    let mut tx = store.begin(one).await.unwrap();
    assert_eq!(tx.event_consumers().growth().await.unwrap(), Growth { last: 3, relayed: 0 });
    tx.event_consumers().relayed(2).await.unwrap();
    commit(tx).await;
    assert_eq!(grown(store, &all).await, expected, "it has grown since");
    let mut tx = store.begin(one).await.unwrap();
    tx.event_consumers().relayed(3).await.unwrap();
    commit(tx).await;
    assert_eq!(grown(store, &all).await, [two]);
    let mut tx = store.begin(one).await.unwrap();
    tx.event_consumers().relayed(1).await.unwrap();
    assert_eq!(
        tx.event_consumers().growth().await.unwrap(),
        Growth { last: 3, relayed: 3 },
        "never backwards"
    );
    // What goes into the audit log beside an event doesn't take the mark away.
    tx.audit().append(vec![draft], vec![event("a")]).await.unwrap();
    commit(tx).await;
    assert_eq!(grown(store, &all).await, expected);
}

/// Whoever hasn't read the whole log is found, by name.
pub async fn consumers_that_lag_are_found(store: &impl Subject) {
    let (one, two) = (tenant(store).await, tenant(store).await);
    for tenant in [one, two] {
        append(store, tenant, 2).await;
        let mut tx = store.begin(tenant).await.unwrap();
        tx.event_consumers().start("a", if tenant == one { 1 } else { 2 }, at(0)).await.unwrap();
        tx.event_consumers().start("b", 0, at(0)).await.unwrap();
        commit(tx).await;
    }
    assert_eq!(store.lagging_logs(&["a"], None, 10).await.unwrap(), [one]);
    assert_eq!(store.lagging_logs(&["a", "b"], None, 10).await.unwrap().len(), 2);
    assert_eq!(store.lagging_logs(&["a"], Some(one.max(two)), 10).await.unwrap(), []);
    assert_eq!(store.lagging_logs(&["nobody"], None, 10).await.unwrap(), []);
    assert_eq!(store.lagging_logs(&[], None, 10).await.unwrap(), []);
}

/// The oldest events go, when they are old enough and every consumer has read them; numbers are never used again.
pub async fn old_events_are_forgotten_once_everybody_read_them(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let mut tx = store.begin(mine).await.unwrap();
    let of = |second| Event { time: at(second), ..event("a") };
    tx.events().append(vec![of(0), of(1), of(2), of(100)]).await.unwrap();
    tx.event_consumers().start("a", 2, at(0)).await.unwrap();
    tx.event_consumers().start("gone", 0, at(0)).await.unwrap();
    commit(tx).await;
    append(store, theirs, 2).await;

    assert_eq!(
        store.forget_events(mine, &["a", "gone"], at(50), 10).await.unwrap(),
        0,
        "one hasn't read any"
    );
    assert_eq!(store.forget_events(mine, &["a"], at(1), 10).await.unwrap(), 1, "not old enough");
    assert_eq!(store.forget_events(mine, &["a"], at(50), 10).await.unwrap(), 1, "not read");
    assert_eq!(store.forget_events(mine, &[], at(50), 1).await.unwrap(), 1, "no consumers");
    assert_eq!(store.forget_events(mine, &[], at(50), 10).await.unwrap(), 0);
    let left = append(store, mine, 1).await;
    assert_eq!(left.iter().map(|event| event.sequence).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(append(store, theirs, 0).await.len(), 2, "another's log is as it was");
}
