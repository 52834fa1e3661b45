//! From events to notifications: who is told, in which words, by which channels.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::actor::{Actor, Cause};
use crate::audit::Change;
use crate::error::CommonError;
use crate::event::{Event, NewEvent, Subscriber, subject};
use crate::hrms::{Hrms, Work};
use crate::id::{NotificationDeliveryId, NotificationId, RequestId, TenantId};
use crate::job::requester::actor_in;
use crate::job::{EnqueueOptions, Job, JobError, Requester};
use crate::notification::service::sendable;
use crate::notification::texts::{Told, choose, fill};
use crate::notification::{
    DeliverNotifications, INBOX, KEPT_DAYS, Mode, Notice, Notification, NotificationDelivery,
    NotificationDeliveryState, NotificationSettings, NotificationTemplate, NotificationType,
    REPEATED_MINUTES, Recipient, Recipients, To, after_quiet, next_time,
};
use crate::organization::Organization;
use crate::page::{MAX_LIMIT, PageRequest, Position};
use crate::policy::{Decision, Details, Permission, Resource, Role, RoleName, Rules, Scope, Verdict};
use crate::role::{RoleFilter, RoleSort};
use crate::store::Tx;
use crate::validate::time_zone;

/// The event that says that somebody was told something. It is for nobody else.
const CREATED: &str = "notification.created";

/// The subscriber that turns events into notifications.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notifications;

/// Old notifications removed along with a batch of new ones.
const FORGOTTEN_AT_ONCE: u16 = 1000;

impl Subscriber for Notifications {
    const NAME: &'static str = "notification.fan-out";

    async fn handle(&self, work: &mut Work, events: &[Event]) -> Result<(), JobError> {
        let Some(organization) = work.organization().get().await? else { return Ok(()) };
        let notifiers = work.hrms().notifiers();
        let addressed = |event: &Event| matches!(event.resource.details, Details::User(_));
        for event in events.iter().filter(|event| !addressed(event)) {
            for notifier in notifiers.iter() {
                for notice in notifier.notices(work, event).await? {
                    tell(work, &organization, event, &notice).await?;
                }
            }
        }
        if let Ok(before) = work.now().checked_sub(SignedDuration::from_hours(24 * KEPT_DAYS)) {
            work.notifications().forget(before, FORGOTTEN_AT_ONCE).await?;
        }
        Ok(())
    }
}

/// What is the same for everybody who is told of a notice.
struct Telling<'a> {
    organization: &'a Organization,
    event: &'a Event,
    kind: &'static NotificationType,
    /// The channels by which anything can be sent at present.
    channels: Vec<String>,
    /// The organisation's own texts of the type.
    texts: Vec<NotificationTemplate>,
}

/// Tells a notice to everybody whom it is for and who may know.
async fn tell(
    work: &mut Work,
    organization: &Organization,
    event: &Event,
    notice: &Notice,
) -> Result<(), CommonError> {
    let hrms = work.hrms().clone();
    let Some(kind) = hrms.notification_type(notice.kind) else {
        tracing::error!(kind = notice.kind, "a notifier told something of a type that it doesn't declare");
        return Ok(());
    };
    let channels = sendable(&hrms, &mut **work).await?;
    let texts = work.notification_templates().of(kind.name).await?;
    let telling = Telling { organization, event, kind, channels, texts };
    for to in &notice.to {
        let mut told = false;
        for recipient in whom(work, to).await? {
            let Some(notice) = for_one(work, event, notice, kind, &recipient).await? else { continue };
            tell_one(work, &telling, &notice, &recipient).await?;
            told = true;
        }
        if told {
            break;
        }
    }
    Ok(())
}

async fn whom(work: &mut Work, to: &To) -> Result<Vec<Recipient>, CommonError> {
    let today = work.hrms().today();
    let whom = match to {
        To::Users(users) => Recipients::Users(users.clone()),
        To::Employees(employees) => Recipients::Employees(employees.clone()),
        To::Roles(roles) => Recipients::Roles(roles.clone()),
        To::Holders(permission) => Recipients::Roles(roles_granting(work, *permission).await?),
    };
    Ok(work.notifications().recipients(&whom, today).await?)
}

/// The roles that grant something in the whole organisation.
async fn roles_granting(work: &mut Work, permission: Permission) -> Result<Vec<RoleName>, CommonError> {
    let grants = |grants: &[crate::policy::Grant]| {
        grants.iter().any(|grant| grant.permission == permission && grant.scope == Scope::Organization)
    };
    let built_in = Role::ALL.iter().filter(|role| grants(&role.grants()));
    let mut roles: Vec<RoleName> = built_in.map(|role| RoleName::from(*role)).collect();
    let mut page = PageRequest { sort: RoleSort::Code, limit: MAX_LIMIT, ..PageRequest::default() };
    loop {
        let mut own = work.roles().list(&RoleFilter::default(), &page).await?;
        let more = own.len() > usize::from(MAX_LIMIT);
        own.truncate(usize::from(MAX_LIMIT));
        page.after = own.last().map(|role| Position { key: role.code.to_string(), id: role.id.as_uuid() });
        roles.extend(own.into_iter().filter(|role| grants(&role.grants)).map(|role| role.code));
        if !more {
            return Ok(roles);
        }
    }
}

/// What somebody may be told of a notice, if anything: what concerns the security of their own account and money they
/// always may.
async fn for_one(
    work: &mut Work,
    event: &Event,
    notice: &Notice,
    kind: &NotificationType,
    recipient: &Recipient,
) -> Result<Option<Notice>, CommonError> {
    let (hrms, tenant) = (work.hrms().clone(), work.actor().tenant());
    let id = |name: &str| event.data.get(name).and_then(|id| id.as_str());
    let own = id("user_id") == Some(&*recipient.user_id.to_string())
        || recipient.employee_id.is_some_and(|employee| id("employee_id") == Some(&*employee.to_string()));
    if kind.security && own {
        return Ok(Some(notice.clone()));
    }
    let causer = event.caused_by == Some(recipient.user_id);
    if causer && !kind.security {
        // What they asked for themselves they may hear of, whatever has become of their rights.
        return Ok(notice.to_causer.then(|| notice.clone()));
    }
    let Some(actor) = acting(&hrms, &mut **work, tenant, recipient, event.request).await? else {
        return Ok(None);
    };
    if notice.not_to.is_some_and(|employee| actor.counts_as(employee))
        || !may_hear(work, &actor, event, notice).await?
    {
        return Ok(None);
    }
    let mut resource = event.resource.clone();
    hrms.complete(&mut **work, &actor, [&mut resource], hrms.today()).await?;
    let may = |permission| hrms.policy().decide(&actor, permission, &resource) == Decision::Allow;
    if !notice.needs.is_none_or(may) {
        return Ok(None);
    }
    let mut notice = notice.clone();
    let person = Resource { details: Details::None, ..resource.clone() };
    let sees = || hrms.policy().decide(&actor, Permission::EmployeeRead, &person) == Decision::Allow;
    if person.owner.is_some() && notice.values.contains_key("employee") && !sees() {
        notice.values.insert("employee", "\u{2014}".to_owned());
    }
    Ok(Some(notice))
}

/// Whether somebody may hear of an event: whoever may read of it, and whoever is asked for something, unless a policy of
/// the organisation forbids them to read it.
async fn may_hear(
    work: &mut Work,
    actor: &Actor,
    event: &Event,
    notice: &Notice,
) -> Result<bool, CommonError> {
    if notice.asks {
        let forbids =
            |rules: &dyn Rules| rules.judge(actor, event.permission, &event.resource) == Verdict::Forbid;
        return Ok(!actor.rules().is_some_and(forbids));
    }
    let hrms = work.hrms().clone();
    hrms.events().may_receive_in(&mut **work, actor, event).await
}

/// Somebody with the rights that they have now; `None` when they can't act any more.
pub(super) async fn acting(
    hrms: &Hrms,
    tx: &mut dyn Tx,
    tenant: TenantId,
    recipient: &Recipient,
    request: RequestId,
) -> Result<Option<Actor>, CommonError> {
    let requester = Requester::User {
        user: recipient.user_id,
        employee: recipient.employee_id,
        roles: Vec::new(),
        grants: Vec::new(),
        support: None,
    };
    let Some(actor) = actor_in(hrms, tx, tenant, &requester, Cause::Request, request).await? else {
        return Ok(None);
    };
    Ok(Some(match hrms.rules_of(tenant).await? {
        Some(rules) => actor.with_rules(rules),
        None => actor,
    }))
}

/// Writes what one person is told.
async fn tell_one(
    work: &mut Work,
    telling: &Telling<'_>,
    notice: &Notice,
    recipient: &Recipient,
) -> Result<(), CommonError> {
    let (now, event, kind) = (work.now(), telling.event, telling.kind);
    let settings = work.notification_settings().hold(recipient.user_id, now).await?;
    let text = in_words(telling, notice, recipient, &settings);
    let since = now.checked_sub(SignedDuration::from_mins(REPEATED_MINUTES)).unwrap_or(now);
    let user = recipient.user_id;
    let repeated = match kind.security {
        true => None,
        false => work.notifications().repeated(user, kind.name, &event.subject, since).await?,
    };
    if let Some(mut again) = repeated {
        if again.event_id != event.id {
            (again.title, again.body, again.language) = (text.title, text.body, text.language);
            again.event_id = event.id;
            again.times = again.times.saturating_add(1);
            again.updated_at = now;
            work.notifications().update(&again).await?;
            announce(work, &again);
        }
        return Ok(());
    }
    let notification = Notification {
        id: NotificationId::from_uuid(work.hrms().ids().next()),
        user_id: user,
        r#type: kind.name.to_owned(),
        title: text.title,
        body: text.body,
        language: text.language,
        subject: event.subject.clone(),
        event_id: event.id,
        times: 1,
        in_inbox: settings.mode(kind, INBOX) != Mode::Off,
        read_at: None,
        created_at: now,
        updated_at: now,
    };
    let zone = zone_of(telling.organization, recipient, &settings);
    let deliveries = deliveries(work, telling, &notification, &settings, &zone);
    if (!notification.in_inbox && deliveries.is_empty())
        || !work.notifications().insert(&notification).await?
    {
        return Ok(());
    }
    work.notification_deliveries().insert_many(&deliveries).await?;
    for delivery in &deliveries {
        enqueue(work, delivery).await?;
    }
    if notification.in_inbox {
        announce(work, &notification);
    }
    Ok(())
}

/// Says it to those who listen, if they are the one who was told.
fn announce(work: &mut Work, notification: &Notification) {
    let resource = Resource::organization().with_details(Details::User(notification.user_id));
    work.tell(NewEvent {
        kind: CREATED,
        subject: subject("notifications", notification.id.as_uuid()),
        data: serde_json::json!({
            "notification_id": notification.id,
            "user_id": notification.user_id,
            "type": notification.r#type,
        }),
        change: Change::none(),
        permission: Permission::OrganizationRead,
        resource,
    });
}

/// One for each channel that is there and wanted.
fn deliveries(
    work: &Work,
    telling: &Telling<'_>,
    notification: &Notification,
    settings: &NotificationSettings,
    zone: &TimeZone,
) -> Vec<NotificationDelivery> {
    let (kind, now) = (telling.kind, notification.created_at);
    let wanted = telling.channels.iter().map(|channel| (channel, settings.mode(kind, channel)));
    let delivery = |(channel, mode): (&String, Mode)| NotificationDelivery {
        id: NotificationDeliveryId::from_uuid(work.hrms().ids().next()),
        notification_id: notification.id,
        user_id: notification.user_id,
        r#type: notification.r#type.clone(),
        channel: channel.clone(),
        state: NotificationDeliveryState::Waiting,
        digest: mode == Mode::Digest,
        attempts: 0,
        due_at: Some(due(now, kind, mode, settings, zone)),
        error: None,
        sent_at: None,
        created_at: now,
        updated_at: now,
    };
    wanted.filter(|(_, mode)| *mode != Mode::Off).map(delivery).collect()
}

/// When something is sent that was told now.
fn due(
    now: Timestamp,
    kind: &NotificationType,
    mode: Mode,
    settings: &NotificationSettings,
    zone: &TimeZone,
) -> Timestamp {
    match mode {
        _ if kind.security => now,
        Mode::Digest => after_quiet(next_time(now, zone, settings.digest_at), zone, settings.quiet_hours),
        _ => after_quiet(now, zone, settings.quiet_hours),
    }
}

/// The zone of somebody's quiet hours: their own, their workplace's, or the organisation's.
pub(super) fn zone_of(
    organization: &Organization,
    recipient: &Recipient,
    settings: &NotificationSettings,
) -> TimeZone {
    let names = [settings.time_zone.as_deref(), recipient.time_zone.as_deref()];
    let chosen = names.into_iter().flatten().find_map(time_zone);
    chosen.or_else(|| time_zone(&organization.time_zone)).unwrap_or(TimeZone::UTC)
}

/// What somebody is told, in their language, or else in the organisation's.
fn in_words(
    telling: &Telling<'_>,
    notice: &Notice,
    recipient: &Recipient,
    settings: &NotificationSettings,
) -> Told {
    let (kind, organization) = (telling.kind, telling.organization);
    let languages = settings.language.iter().chain([&organization.language]).map(String::as_str);
    let template = choose(kind, &telling.texts, languages);
    let mut values: BTreeMap<&str, String> =
        notice.values.iter().map(|(name, value)| (*name, value.clone())).collect();
    values.insert("organization", organization.name.clone());
    values.insert("recipient", recipient.name.clone());
    fill(kind, &template, &values).unwrap_or_else(|(_, fault)| {
        // Texts are checked when they are written.
        tracing::error!(kind = kind.name, %fault, "a text can't be filled in");
        let (title, body) = (kind.name.to_owned(), kind.about.to_owned());
        Told { language: "en".to_owned(), title, body }
    })
}

/// Writes the job that makes a delivery when it is due, unless there is one. What is gathered has one together.
pub(super) async fn enqueue(work: &mut Work, delivery: &NotificationDelivery) -> Result<(), CommonError> {
    let due = delivery.due_at.unwrap_or(work.now());
    let (user_id, channel) = (delivery.user_id, delivery.channel.clone());
    let unique_key = match delivery.digest {
        true => format!("{user_id}/{channel}/{due}"),
        false => delivery.id.to_string(),
    };
    let delivery_id = (!delivery.digest).then_some(delivery.id);
    let job = DeliverNotifications { user_id, channel, delivery_id };
    let options = EnqueueOptions {
        unique_key: Some(unique_key),
        delay: due.duration_since(work.now()).max(SignedDuration::ZERO),
        max_attempts: Some(DeliverNotifications::MAX_ATTEMPTS),
        ..EnqueueOptions::default()
    };
    let requester = Requester::System { permissions: Vec::new() };
    let (kind, version) = (DeliverNotifications::KIND, DeliverNotifications::VERSION);
    work.enqueue_as(requester, kind, version, serde_json::to_value(&job)?, options).await?;
    Ok(())
}
