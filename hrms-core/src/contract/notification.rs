//! Notifications, how people want to be told, and what is sent.

use crate::contract::fixture::{Subject, at, id, tenant};
use crate::contract::identity::stored_user;
use crate::error::StoreError;
use crate::id::{EventId, NotificationChannelId, NotificationDeliveryId, NotificationId, TenantId, UserId};
use crate::notification::{
    InboxFilter, Mode, Notification, NotificationChannel, NotificationDelivery, NotificationDeliveryState,
    NotificationSettings, NotificationTemplate, QuietHours, Recipients,
};
use crate::page::{PageRequest, Position};
use crate::policy::Role;
use crate::store::Version;

/// A notification that isn't stored yet, told so many seconds after the beginning.
#[must_use]
pub fn notification(user_id: UserId, second: i64) -> Notification {
    Notification {
        id: NotificationId::from_uuid(id()),
        user_id,
        r#type: "import.finished".into(),
        title: "Fertig \u{1F600}".into(),
        body: "one\n\ntwo".into(),
        language: "de-CH".into(),
        subject: format!("imports/{second}"),
        event_id: EventId::from_uuid(id()),
        times: 1,
        in_inbox: true,
        read_at: None,
        created_at: at(second),
        updated_at: at(second),
    }
}

/// A delivery of it that isn't stored yet.
#[must_use]
pub fn notification_delivery(of: &Notification, channel: &str, digest: bool) -> NotificationDelivery {
    NotificationDelivery {
        id: NotificationDeliveryId::from_uuid(id()),
        notification_id: of.id,
        user_id: of.user_id,
        r#type: of.r#type.clone(),
        channel: channel.into(),
        state: NotificationDeliveryState::Waiting,
        digest,
        attempts: 0,
        due_at: Some(of.created_at),
        error: None,
        sent_at: None,
        created_at: of.created_at,
        updated_at: of.created_at,
    }
}

async fn told(store: &impl Subject, tenant: TenantId, one: &Notification) -> bool {
    let mut tx = store.begin(tenant).await.unwrap();
    let new = tx.notifications().insert(one).await.unwrap();
    tx.commit().await.unwrap();
    new
}

/// Each event is told to somebody once; an inbox is read, counted and paged; old ones are forgotten.
pub async fn each_event_is_told_once(store: &impl Subject) {
    let tenant = tenant(store).await;
    let user = stored_user(store, tenant, &[Role::Hr]).await.id;
    let other = stored_user(store, tenant, &[Role::Employee]).await.id;
    let all: Vec<Notification> = (0..5).map(|second| notification(user, second)).collect();
    for one in &all {
        assert!(told(store, tenant, one).await);
        assert!(
            !told(store, tenant, &Notification { id: NotificationId::from_uuid(id()), ..one.clone() }).await
        );
    }
    assert!(told(store, tenant, &Notification { in_inbox: false, ..notification(user, 6) }).await);
    let [first, second, third, ..] = &*all else { panic!("five") };
    let mut tx = store.begin(tenant).await.unwrap();
    let notifications = tx.notifications();
    assert_eq!(notifications.get(user, first.id).await.unwrap().as_ref(), Some(first));
    assert_eq!(notifications.get(other, first.id).await.unwrap(), None);
    assert_eq!(notifications.unread(user).await.unwrap(), 5);
    let mut page = PageRequest { limit: 2, ..PageRequest::default() };
    let mut seen = Vec::new();
    loop {
        let mut rows = notifications.list(user, &InboxFilter::default(), &page).await.unwrap();
        let more = rows.len() > 2;
        rows.truncate(2);
        page.after =
            rows.last().map(|last| Position { key: last.created_at.to_string(), id: last.id.as_uuid() });
        seen.extend(rows);
        if !more {
            break;
        }
    }
    assert_eq!(seen, all);
    assert!(notifications.list(other, &InboxFilter::default(), &page).await.unwrap().is_empty());

    notifications.set_read(user, second.id, Some(at(9)), at(9)).await.unwrap();
    let foreign = notifications.set_read(other, first.id, Some(at(9)), at(9)).await;
    assert!(matches!(foreign, Err(StoreError::Stale)), "{foreign:?}");
    assert_eq!(notifications.read_all(user, at(3), at(10)).await.unwrap(), 3);
    assert_eq!(notifications.unread(user).await.unwrap(), 1);
    assert_eq!(notifications.get(user, second.id).await.unwrap().unwrap().read_at, Some(at(9)));
    let kind = "import.finished";
    assert!(notifications.repeated(user, kind, "imports/4", at(4)).await.unwrap().is_some());
    assert!(notifications.repeated(user, kind, "imports/4", at(5)).await.unwrap().is_none(), "too old");
    assert!(notifications.repeated(user, kind, "imports/3", at(0)).await.unwrap().is_none(), "read");
    assert!(notifications.repeated(other, kind, "imports/4", at(4)).await.unwrap().is_none());

    let delivery = notification_delivery(first, "email", false);
    tx.notification_deliveries().insert_many(std::slice::from_ref(&delivery)).await.unwrap();
    tx.notifications().forget(at(2), 100).await.unwrap();
    assert_eq!(tx.notifications().get(user, second.id).await.unwrap(), None);
    assert!(tx.notifications().get(user, third.id).await.unwrap().is_some());
    assert_eq!(tx.notification_deliveries().get(delivery.id).await.unwrap(), None);
}

/// What is gathered for somebody comes when it is due; what has ended doesn't come again.
pub async fn what_is_gathered_comes_when_it_is_due(store: &impl Subject) {
    let tenant = tenant(store).await;
    let user = stored_user(store, tenant, &[Role::Hr]).await.id;
    let mut deliveries = Vec::new();
    for second in 0..4 {
        let one = notification(user, second);
        told(store, tenant, &one).await;
        deliveries.push(notification_delivery(&one, "email", second != 0));
    }
    let [single, second, third, _] = &*deliveries else { panic!("four") };
    let mut tx = store.begin(tenant).await.unwrap();
    tx.notification_deliveries().insert_many(&deliveries).await.unwrap();
    let sent = NotificationDelivery {
        state: NotificationDeliveryState::Sent,
        due_at: None,
        sent_at: Some(at(9)),
        attempts: 1,
        updated_at: at(9),
        ..second.clone()
    };
    tx.notification_deliveries().update(&sent).await.unwrap();
    assert_eq!(tx.notification_deliveries().get(sent.id).await.unwrap(), Some(sent));
    let gathered = tx.notification_deliveries().gathered(user, "email", at(2), 9).await.unwrap();
    assert_eq!(gathered, std::slice::from_ref(third));
    assert!(tx.notification_deliveries().gathered(user, "sms", at(9), 9).await.unwrap().is_empty());
    tx.commit().await.unwrap();
    // What has ended and what isn't due yet isn't overdue; others' things are none of ours.
    let overdue = async |before, after, limit| {
        let mut found = store.overdue_notifications(at(before), after, limit).await.unwrap();
        found.retain(|(one, _)| *one == tenant);
        found
    };
    let mut ours = vec![(tenant, single.id), (tenant, third.id)];
    ours.sort_unstable();
    assert_eq!(overdue(3, None, 1000).await, ours);
    let (first, rest) = ours.split_first().unwrap();
    assert_eq!(overdue(3, Some(*first), 1000).await, rest);
    assert_eq!(overdue(3, Some(*first), 1).await.len(), 1);
    assert_eq!(overdue(2, None, 1000).await, [(tenant, single.id)]);
    let mut tx = store.begin(tenant).await.unwrap();
    assert_eq!(
        tx.notification_deliveries().of(single.notification_id).await.unwrap(),
        std::slice::from_ref(single)
    );
}

/// Settings are there from the first time that somebody holds them, and a stale change isn't written.
pub async fn notification_settings_read_back_as_written(store: &impl Subject) {
    let tenant = tenant(store).await;
    let user = stored_user(store, tenant, &[Role::Hr]).await.id;
    let mut tx = store.begin(tenant).await.unwrap();
    assert_eq!(tx.notification_settings().get(user).await.unwrap(), None);
    let first = tx.notification_settings().hold(user, at(0)).await.unwrap();
    assert_eq!(first, NotificationSettings::of(user, at(0)));
    let mut changed = first.clone();
    changed.language = Some("pt-BR".into());
    changed.time_zone = Some("Asia/Kolkata".into());
    let time = |text: &str| text.parse().unwrap();
    changed.quiet_hours = Some(QuietHours { from: time("22:00"), to: time("06:30") });
    changed.digest_at = time("17:15");
    changed.preferences.entry("import.finished".into()).or_default().insert("email".into(), Mode::Digest);
    changed.version = first.version.next();
    tx.notification_settings().update(&changed, first.version).await.unwrap();
    assert_eq!(tx.notification_settings().hold(user, at(5)).await.unwrap(), changed);
    let stale = tx.notification_settings().update(&changed, first.version).await;
    assert!(matches!(stale, Err(StoreError::Stale)), "{stale:?}");
}

/// Recipients are active, and found by who they are, what they are and what they may do.
pub async fn recipients_are_active_members(store: &impl Subject) {
    let tenant = tenant(store).await;
    let hr = stored_user(store, tenant, &[Role::Hr]).await.id;
    let employee = stored_user(store, tenant, &[Role::Employee]).await.id;
    let mut tx = store.begin(tenant).await.unwrap();
    let today = "2026-11-23".parse().unwrap();
    let by_role = Recipients::Roles(vec![Role::Hr.into(), Role::Owner.into()]);
    let found = tx.notifications().recipients(&by_role, today).await.unwrap();
    assert_eq!(found.iter().map(|one| one.user_id).collect::<Vec<_>>(), [hr]);
    for nobody in
        [Recipients::Roles(Vec::new()), Recipients::Users(Vec::new()), Recipients::Employees(Vec::new())]
    {
        assert!(tx.notifications().recipients(&nobody, today).await.unwrap().is_empty(), "{nobody:?}");
    }
    let mut user = tx.users().get(employee).await.unwrap().unwrap();
    let by_id = Recipients::Users(vec![employee, hr]);
    assert_eq!(tx.notifications().recipients(&by_id, today).await.unwrap().len(), 2);
    user.status = crate::user::UserStatus::Disabled;
    let expected = user.version;
    user.version = expected.next();
    tx.users().update(&user, expected).await.unwrap();
    let found = tx.notifications().recipients(&by_id, today).await.unwrap();
    assert_eq!(found.iter().map(|one| one.user_id).collect::<Vec<_>>(), [hr]);
}

/// Texts and channels of an organisation, and what its people were told, are no other's.
pub async fn notifications_of_tenants_never_meet(store: &impl Subject) {
    let (one, other) = (tenant(store).await, tenant(store).await);
    let user = stored_user(store, one, &[Role::Hr]).await.id;
    let told_one = notification(user, 0);
    told(store, one, &told_one).await;
    let delivery = notification_delivery(&told_one, "email", true);
    let text = NotificationTemplate {
        r#type: "import.finished".into(),
        language: "de".into(),
        subject: "x".into(),
        body: "y".into(),
        updated_at: Some(at(0)),
    };
    let channel = NotificationChannel {
        id: NotificationChannelId::from_uuid(id()),
        name: "sms".into(),
        url: "https://a.example/".into(),
        description: None,
        created_at: at(0),
        updated_at: at(0),
        version: Version::FIRST,
    };
    let mut tx = store.begin(one).await.unwrap();
    tx.notification_deliveries().insert_many(std::slice::from_ref(&delivery)).await.unwrap();
    tx.notification_settings().hold(user, at(0)).await.unwrap();
    tx.notification_templates().put(&text).await.unwrap();
    tx.notification_channels().insert(&channel, b"sealed").await.unwrap();
    let again = NotificationChannel { id: NotificationChannelId::from_uuid(id()), ..channel.clone() };
    tx.commit().await.unwrap();
    let mut tx = store.begin(one).await.unwrap();
    let taken = tx.notification_channels().insert(&again, b"x").await.unwrap_err();
    assert_eq!(taken.constraint(), Some("notification_channel_name_key"));
    drop(tx);

    let mut tx = store.begin(other).await.unwrap();
    assert_eq!(tx.notifications().get(user, told_one.id).await.unwrap(), None);
    assert_eq!(tx.notifications().unread(user).await.unwrap(), 0);
    assert!(tx.notifications().of(user, &[told_one.id]).await.unwrap().is_empty());
    assert_eq!(tx.notifications().read_all(user, at(9), at(9)).await.unwrap(), 0);
    let today = "2026-11-23".parse().unwrap();
    assert!(tx.notifications().recipients(&Recipients::Users(vec![user]), today).await.unwrap().is_empty());
    assert_eq!(tx.notification_settings().get(user).await.unwrap(), None);
    assert_eq!(tx.notification_deliveries().get(delivery.id).await.unwrap(), None);
    assert!(tx.notification_deliveries().of(told_one.id).await.unwrap().is_empty());
    assert!(tx.notification_deliveries().gathered(user, "email", at(9), 9).await.unwrap().is_empty());
    assert!(tx.notification_templates().all().await.unwrap().is_empty());
    assert!(tx.notification_templates().of("import.finished").await.unwrap().is_empty());
    assert!(!tx.notification_templates().remove("import.finished", "de").await.unwrap());
    assert!(tx.notification_channels().all().await.unwrap().is_empty());
    assert_eq!(tx.notification_channels().secret(channel.id).await.unwrap(), None);
    assert!(tx.notification_channels().set_secret(channel.id, b"mine").await.is_err());
    assert!(tx.notification_channels().remove(channel.id, Version::FIRST, at(9)).await.is_err());
}
