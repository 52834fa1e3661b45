//! Webhooks and what is sent to them.

use crate::contract::fixture::{Subject, at, event, id, tenant};
use crate::error::StoreError;
use crate::id::{EventId, TenantId, WebhookDeliveryId, WebhookId};
use crate::page::{PageRequest, Position};
use crate::store::Version;
use crate::webhook::{
    DeliveryFilter, DeliveryState, DisabledReason, StoredSecrets, Webhook, WebhookDelivery, WebhookFilter,
    WebhookStatus, lane,
};

/// An endpoint that isn't stored yet.
#[must_use]
pub fn webhook() -> Webhook {
    Webhook {
        id: WebhookId::from_uuid(id()),
        url: "https://hooks.example.com/π".into(),
        description: Some("for \u{1F600}".into()),
        types: vec!["employee.hired".into(), "location.created".into()],
        status: WebhookStatus::Enabled,
        disabled_reason: None,
        disabled_at: None,
        failing_since: None,
        former_secret_until: None,
        created_at: at(0),
        updated_at: at(0),
        version: Version::FIRST,
    }
}

/// A delivery that isn't stored yet, of an event with this number.
#[must_use]
pub fn delivery(webhook: WebhookId, subject: &str, sequence: i64) -> WebhookDelivery {
    WebhookDelivery {
        id: WebhookDeliveryId::from_uuid(id()),
        webhook_id: webhook,
        event_id: EventId::from_uuid(id()),
        sequence,
        lane: lane(subject),
        r#type: "location.created".into(),
        subject: subject.into(),
        state: DeliveryState::Waiting,
        attempts: 0,
        next_attempt_at: Some(at(0)),
        response_status: None,
        response_excerpt: None,
        error: None,
        duration_ms: None,
        created_at: at(sequence),
        updated_at: at(sequence),
    }
}

async fn added(store: &impl Subject, tenant: TenantId, webhook: &Webhook) {
    let mut tx = store.begin(tenant).await.unwrap();
    tx.webhooks().insert(webhook, b"sealed").await.unwrap();
    tx.commit().await.unwrap();
}

/// Endpoints read back as written; a stale one isn't written; secrets are apart.
pub async fn webhooks_read_back_as_written(store: &impl Subject) {
    let tenant = tenant(store).await;
    let first = webhook();
    added(store, tenant, &first).await;
    let mut tx = store.begin(tenant).await.unwrap();
    assert_eq!(tx.webhooks().count().await.unwrap(), 1);
    assert_eq!(tx.webhooks().get(first.id).await.unwrap(), Some(first.clone()));
    assert_eq!(tx.webhooks().hold_enabled().await.unwrap(), std::slice::from_ref(&first));
    assert!(tx.webhooks().is_any_enabled().await.unwrap());
    let stored = StoredSecrets { current: b"sealed".to_vec(), former: None };
    assert_eq!(tx.webhooks().secrets(first.id).await.unwrap(), Some(stored));
    let secrets = StoredSecrets { current: b"new".to_vec(), former: Some((b"sealed".to_vec(), at(9))) };
    tx.webhooks().set_secrets(first.id, &secrets).await.unwrap();
    assert_eq!(tx.webhooks().secrets(first.id).await.unwrap(), Some(secrets));
    let changed = Webhook {
        url: "https://elsewhere.example.com/".into(),
        description: None,
        types: vec!["employee.hired".into()],
        status: WebhookStatus::Disabled,
        disabled_reason: Some(DisabledReason::Gone),
        disabled_at: Some(at(5)),
        failing_since: Some(at(1)),
        former_secret_until: Some(at(9)),
        updated_at: at(5),
        version: Version::FIRST.next(),
        ..first.clone()
    };
    tx.webhooks().update(&changed, Version::FIRST).await.unwrap();
    let stale = tx.webhooks().update(&changed, Version::FIRST).await;
    assert!(matches!(stale, Err(StoreError::Stale)));
    assert_eq!(tx.webhooks().hold(first.id).await.unwrap(), Some(changed.clone()));
    assert!(tx.webhooks().hold_enabled().await.unwrap().is_empty());
    assert!(!tx.webhooks().is_any_enabled().await.unwrap());
    tx.webhooks().note_failing(first.id, None).await.unwrap();
    let noted = Webhook { failing_since: None, ..changed };
    assert_eq!(tx.webhooks().get(first.id).await.unwrap(), Some(noted));
    tx.commit().await.unwrap();

    let second = Webhook { created_at: at(1), updated_at: at(1), ..webhook() };
    added(store, tenant, &second).await;
    let mut tx = store.begin(tenant).await.unwrap();
    let list =
        |filter: WebhookFilter, after| (filter, PageRequest { after, limit: 1, ..PageRequest::default() });
    let (filter, page) = list(WebhookFilter::default(), None);
    let rows = tx.webhooks().list(&filter, &page).await.unwrap();
    assert_eq!(rows.iter().map(|one| one.id).collect::<Vec<_>>(), [first.id, second.id], "and one more");
    let after = Position { key: first.created_at.to_string(), id: first.id.as_uuid() };
    let (filter, page) = list(WebhookFilter::default(), Some(after));
    assert_eq!(tx.webhooks().list(&filter, &page).await.unwrap().len(), 1);
    let only = WebhookFilter { status: Some(WebhookStatus::Disabled), updated_after: Some(at(5)) };
    let (filter, page) = list(only, None);
    let rows = tx.webhooks().list(&filter, &page).await.unwrap();
    assert_eq!(rows.iter().map(|one| one.id).collect::<Vec<_>>(), [first.id]);
    tx.webhook_deliveries().insert_many(&[delivery(second.id, "a", 1)]).await.unwrap();
    assert!(tx.webhooks().remove(second.id, Version::FIRST).await.is_ok());
    assert_eq!(tx.webhooks().count().await.unwrap(), 1);
}

/// Deliveries are made in the order of their events, one lane for each subject, once for each event.
pub async fn deliveries_wait_in_the_order_of_events(store: &impl Subject) {
    let tenant = tenant(store).await;
    let (webhook, other) = (webhook(), webhook());
    added(store, tenant, &webhook).await;
    added(store, tenant, &other).await;
    let (late, early) = (delivery(webhook.id, "a", 7), delivery(webhook.id, "a", 3));
    let (elsewhere, others) = (delivery(webhook.id, "b", 1), delivery(other.id, "a", 1));
    let mut tx = store.begin(tenant).await.unwrap();
    let all = [late.clone(), early.clone(), elsewhere.clone(), others.clone()];
    tx.webhook_deliveries().insert_many(&all).await.unwrap();
    tx.webhook_deliveries().insert_many(&[]).await.unwrap();
    assert_eq!(tx.webhook_deliveries().next(webhook.id, "a").await.unwrap(), Some(early.clone()));
    let ended = WebhookDelivery {
        state: DeliveryState::Succeeded,
        attempts: 3,
        next_attempt_at: None,
        response_status: Some(204),
        response_excerpt: Some("π".into()),
        error: Some("status".into()),
        duration_ms: Some(12),
        updated_at: at(20),
        ..early.clone()
    };
    tx.webhook_deliveries().update(&ended).await.unwrap();
    assert_eq!(tx.webhook_deliveries().get(early.id).await.unwrap(), Some(ended.clone()));
    assert_eq!(tx.webhook_deliveries().next(webhook.id, "a").await.unwrap(), Some(late.clone()));
    assert_eq!(tx.webhook_deliveries().next(webhook.id, "c").await.unwrap(), None);
    tx.webhook_deliveries().fail_waiting(webhook.id, "why", at(30)).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin(tenant).await.unwrap();
    let failed = tx.webhook_deliveries().get(late.id).await.unwrap().unwrap();
    assert_eq!(
        (failed.state, failed.next_attempt_at, failed.error.as_deref()),
        (DeliveryState::Failed, None, Some("why"))
    );
    assert_eq!(tx.webhook_deliveries().next(other.id, "a").await.unwrap(), Some(others.clone()), "another's");
    let page = PageRequest { descending: true, ..PageRequest::default() };
    let everything = DeliveryFilter::default();
    let ids: Vec<_> = tx.webhook_deliveries().list(webhook.id, &everything, &page).await.unwrap();
    assert_eq!(ids.iter().map(|one| one.id).collect::<Vec<_>>(), [late.id, early.id, elsewhere.id]);
    let succeeded = DeliveryFilter {
        state: Some(DeliveryState::Succeeded),
        event: Some(early.event_id),
        updated_after: Some(at(20)),
    };
    assert_eq!(tx.webhook_deliveries().list(webhook.id, &succeeded, &page).await.unwrap(), [ended]);
    tx.webhook_deliveries().forget(at(25), 10).await.unwrap();
    assert_eq!(tx.webhook_deliveries().get(early.id).await.unwrap(), None);
    assert!(tx.webhook_deliveries().get(late.id).await.unwrap().is_some(), "not old enough");
    assert!(tx.webhook_deliveries().get(others.id).await.unwrap().is_some(), "it waits");
    tx.commit().await.unwrap();
    let mut tx = store.begin(tenant).await.unwrap();
    let doubled = WebhookDelivery { id: WebhookDeliveryId::from_uuid(id()), ..late };
    let refused = tx.webhook_deliveries().insert_many(&[doubled]).await.unwrap_err();
    assert_eq!(refused.constraint(), Some("webhook_delivery_event_key"));
}

/// Another tenant's webhooks, secrets and deliveries are out of reach.
pub async fn webhooks_of_tenants_never_meet(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let webhook = webhook();
    added(store, mine, &webhook).await;
    let sent = delivery(webhook.id, "a", 1);
    let mut tx = store.begin(mine).await.unwrap();
    tx.webhook_deliveries().insert_many(std::slice::from_ref(&sent)).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin(theirs).await.unwrap();
    assert_eq!(tx.webhooks().get(webhook.id).await.unwrap(), None);
    assert_eq!(tx.webhooks().hold(webhook.id).await.unwrap(), None);
    assert_eq!(tx.webhooks().secrets(webhook.id).await.unwrap(), None);
    assert!(tx.webhooks().hold_enabled().await.unwrap().is_empty());
    assert!(!tx.webhooks().is_any_enabled().await.unwrap());
    assert_eq!(tx.webhooks().count().await.unwrap(), 0);
    assert!(tx.webhooks().list(&WebhookFilter::default(), &PageRequest::default()).await.unwrap().is_empty());
    assert!(tx.webhooks().update(&webhook, Version::FIRST).await.is_err());
    assert!(tx.webhooks().note_failing(webhook.id, None).await.is_err());
    assert_eq!(tx.webhook_deliveries().get(sent.id).await.unwrap(), None);
    assert_eq!(tx.webhook_deliveries().next(webhook.id, "a").await.unwrap(), None);
    assert!(tx.webhook_deliveries().update(&sent).await.is_err());
    tx.webhook_deliveries().fail_waiting(webhook.id, "why", at(1)).await.unwrap();
    tx.webhook_deliveries().forget(at(1000), 10).await.unwrap();
    tx.events().append(vec![event("a")]).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin(theirs).await.unwrap();
    assert!(tx.webhooks().remove(webhook.id, Version::FIRST).await.is_err());
    drop(tx);
    let mut tx = store.begin(theirs).await.unwrap();
    let crossing = tx.webhook_deliveries().insert_many(&[delivery(webhook.id, "a", 2)]).await;
    assert!(crossing.is_err(), "a delivery to another tenant's endpoint");
    drop(tx);
    let mut tx = store.read(mine).await.unwrap();
    assert_eq!(tx.webhook_deliveries().get(sent.id).await.unwrap(), Some(sent));
}

/// Lanes are apart; the earliest of one is found, and what waits about one thing can be given another time. What should
/// have been sent is found in all organisations.
pub async fn deliveries_wait_in_lanes(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let (webhook, other, another) = (webhook(), webhook(), webhook());
    added(store, mine, &webhook).await;
    added(store, mine, &other).await;
    added(store, theirs, &another).await;
    let of = |webhook: &Webhook, lane, subject, sequence, time| {
        let next_attempt_at = Some(at(time));
        WebhookDelivery { lane, next_attempt_at, ..delivery(webhook.id, subject, sequence) }
    };
    let (late, early, same) =
        (of(&webhook, 1, "a", 1, 9), of(&webhook, 1, "b", 3, 5), of(&webhook, 1, "c", 2, 5));
    let elsewhere = of(&webhook, 2, "d", 4, 1);
    let mut tx = store.begin(mine).await.unwrap();
    let all = [late.clone(), early.clone(), same.clone(), elsewhere.clone(), of(&other, 1, "a", 1, 2)];
    tx.webhook_deliveries().insert_many(&all).await.unwrap();
    assert_eq!(tx.webhook_deliveries().first(webhook.id, 1).await.unwrap(), Some(same.clone()));
    assert_eq!(tx.webhook_deliveries().first(webhook.id, 2).await.unwrap(), Some(elsewhere.clone()));
    assert_eq!(tx.webhook_deliveries().first(webhook.id, 0).await.unwrap(), None);
    let lanes = tx.webhook_deliveries().waiting_lanes(webhook.id).await.unwrap();
    assert_eq!(lanes, [(1, at(5)), (2, at(1))]);
    let ended = WebhookDelivery { state: DeliveryState::Succeeded, next_attempt_at: None, ..same };
    tx.webhook_deliveries().update(&ended).await.unwrap();
    tx.webhook_deliveries().move_waiting(webhook.id, "b", at(20), at(6)).await.unwrap();
    tx.webhook_deliveries().move_waiting(webhook.id, "c", at(20), at(6)).await.unwrap();
    assert_eq!(tx.webhook_deliveries().first(webhook.id, 1).await.unwrap(), Some(late));
    let moved = WebhookDelivery { next_attempt_at: Some(at(20)), updated_at: at(6), ..early };
    assert_eq!(tx.webhook_deliveries().get(moved.id).await.unwrap(), Some(moved));
    assert_eq!(tx.webhook_deliveries().get(ended.id).await.unwrap(), Some(ended), "it has ended");
    tx.commit().await.unwrap();
    let mut tx = store.begin(theirs).await.unwrap();
    tx.webhook_deliveries().insert_many(&[of(&another, 0, "a", 1, 3)]).await.unwrap();
    tx.webhook_deliveries().move_waiting(webhook.id, "a", at(50), at(6)).await.unwrap();
    assert_eq!(tx.webhook_deliveries().first(webhook.id, 1).await.unwrap(), None, "another tenant's");
    assert!(tx.webhook_deliveries().waiting_lanes(webhook.id).await.unwrap().is_empty());
    tx.commit().await.unwrap();

    let ours = [(mine, webhook.id), (mine, other.id), (theirs, another.id)];
    let find = async |before, after, limit| {
        let mut found = store.overdue_webhooks(at(before), after, limit).await.unwrap();
        found.retain(|one| ours.contains(one));
        found
    };
    let mut sorted = ours.to_vec();
    sorted.sort_unstable();
    assert_eq!(find(4, None, 1000).await, sorted, "each once");
    let (first, rest) = sorted.split_first().unwrap();
    assert_eq!(find(4, Some(*first), 1000).await, rest);
    assert_eq!(find(4, Some(*first), 1).await.len(), 1);
    sorted.retain(|one| one.1 == webhook.id);
    assert_eq!(find(2, None, 1000).await, sorted, "those whose time has come");
}
