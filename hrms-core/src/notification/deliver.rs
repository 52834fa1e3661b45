//! Handing over what waits for one person by one channel.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::CommonError;
use crate::hrms::{Hrms, Work};
use crate::id::{NotificationDeliveryId, NotificationId, UserId};
use crate::job::{Finish, Job, JobContext, JobError, Outcome};
use crate::notification::Channel as _;
use crate::notification::channel::OutgoingItem;
use crate::notification::fan_out::{acting, enqueue, zone_of};
use crate::notification::http_channel::{self, HttpChannel};
use crate::notification::{
    ChannelFault, Mode, Notification, NotificationDelivery, NotificationDeliveryState, NotificationSettings,
    Outgoing, Recipient, Recipients, after_quiet,
};
use crate::store::Tx;
use crate::webhook;

/// Notifications that one message holds at most.
const GATHERED: u16 = 100;

/// Makes one delivery, or all that are gathered for somebody and due.
///
/// A message is handed over at least once: after a crash between that and noting it the same comes
/// again, with the same id.
///
/// Nothing is left lying: whoever adds a delivery holds the person's settings first, then adds, then enqueues this job. A
/// job that ends holds them too, looks for what is due, and only then ends. So either it sees the delivery, or its
/// end is committed before the delivery is added, and a new job comes.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeliverNotifications {
    /// To whom.
    pub user_id: UserId,
    /// By which channel.
    pub channel: String,
    /// Which one; none for what is gathered.
    pub delivery_id: Option<NotificationDeliveryId>,
}

/// What was told within this time needn't be asked about again.
const JUST_NOW: SignedDuration = SignedDuration::from_secs(60);

/// What one attempt needs.
struct Attempt {
    recipient: Recipient,
    deliveries: Vec<NotificationDelivery>,
    message: Outgoing,
    /// The organisation's own channel, if it is one.
    own: Option<HttpChannel>,
}

/// What is to be done about deliveries that are due.
enum Due {
    Nothing,
    /// They aren't wanted any more, for this reason.
    Drop(Vec<NotificationDelivery>, &'static str),
    /// It is quiet until then.
    Wait(Vec<NotificationDelivery>, Timestamp),
    Send(Box<Attempt>),
}

impl Job for DeliverNotifications {
    const KIND: &'static str = "notification.deliver";
    /// Of the job, when storage fails; those of a delivery are counted with it.
    const MAX_ATTEMPTS: u16 = 25;

    async fn run(&self, cx: &JobContext) -> Result<Outcome, JobError> {
        loop {
            let changed = match self.due(cx).await? {
                Due::Nothing => Vec::new(),
                Due::Drop(deliveries, reason) => {
                    let now = cx.hrms().clock().now();
                    changed(deliveries, |one| end(one, NotificationDeliveryState::Dropped, Some(reason), now))
                }
                Due::Wait(deliveries, until) => changed(deliveries, |one| one.due_at = Some(until)),
                Due::Send(attempt) => attempt.make(cx, &self.channel).await?,
            };
            if let Some(outcome) = self.settle(cx, changed).await? {
                return Ok(outcome);
            }
        }
    }
}

/// Deliveries as they were, and as they are to be.
type Changed = Vec<(NotificationDelivery, NotificationDelivery)>;

fn changed(deliveries: Vec<NotificationDelivery>, change: impl Fn(&mut NotificationDelivery)) -> Changed {
    let with_change = |before: NotificationDelivery| {
        let mut after = before.clone();
        change(&mut after);
        (before, after)
    };
    deliveries.into_iter().map(with_change).collect()
}

fn end(
    one: &mut NotificationDelivery,
    state: NotificationDeliveryState,
    error: Option<&str>,
    now: Timestamp,
) {
    one.state = state;
    one.due_at = None;
    one.error = error.map(str::to_owned);
    one.updated_at = now;
    if state == NotificationDeliveryState::Sent {
        one.sent_at = Some(now);
    }
}

impl DeliverNotifications {
    /// What is due now, and what is to be done about it.
    async fn due(&self, cx: &JobContext) -> Result<Due, JobError> {
        let hrms = cx.hrms();
        let mut tx = hrms.read(cx.actor()).await?;
        let now = hrms.clock().now();
        let due = match self.delivery_id {
            Some(id) => tx.notification_deliveries().get(id).await?.into_iter().collect(),
            None => tx.notification_deliveries().gathered(self.user_id, &self.channel, now, GATHERED).await?,
        };
        let due: Vec<NotificationDelivery> = due.into_iter().filter(|one| is_due(one, now)).collect();
        if due.is_empty() {
            return Ok(Due::Nothing);
        }
        let whom = Recipients::Users(vec![self.user_id]);
        let recipient = tx.notifications().recipients(&whom, hrms.today()).await?.pop();
        let (Some(recipient), Some(organization)) = (recipient, tx.organization().get().await?) else {
            return Ok(Due::Drop(due, "recipient-gone"));
        };
        let settings = tx.notification_settings().get(self.user_id).await?;
        let settings = settings.unwrap_or_else(|| NotificationSettings::of(self.user_id, now));
        if let Some(unwanted) = unwanted(hrms, &settings, &due) {
            return Ok(unwanted);
        }
        let ids: Vec<NotificationId> = due.iter().map(|one| one.notification_id).collect();
        let told = tx.notifications().of(self.user_id, &ids).await?;
        let security =
            |one: &Notification| hrms.notification_type(&one.r#type).is_some_and(|kind| kind.security);
        let read: Vec<NotificationId> =
            told.iter().filter(|one| one.read_at.is_some() && !security(one)).map(|one| one.id).collect();
        let (read, due): (Vec<_>, Vec<_>) =
            due.into_iter().partition(|one| read.contains(&one.notification_id));
        if !read.is_empty() {
            return Ok(Due::Drop(read, "read"));
        }
        if let Some(hidden) = self.hidden(cx, &mut *tx, &recipient, &told, &due, now).await? {
            return Ok(hidden);
        }
        let until = after_quiet(now, &zone_of(&organization, &recipient, &settings), settings.quiet_hours);
        if until > now && !told.iter().any(security) {
            return Ok(Due::Wait(due, until));
        }
        let Some(message) = self.message(cx, organization.name, &due, told, now)? else {
            return Ok(Due::Drop(due, "notification-gone"));
        };
        let own = http_channel::load(&mut *tx, hrms, &self.channel).await?;
        Ok(Due::Send(Box::new(Attempt { recipient, deliveries: due, message, own })))
    }

    /// What waited, and which they may not know of any more. An event that isn't kept any more tells nothing.
    async fn hidden(
        &self,
        cx: &JobContext,
        tx: &mut dyn Tx,
        recipient: &Recipient,
        told: &[Notification],
        due: &[NotificationDelivery],
        now: Timestamp,
    ) -> Result<Option<Due>, JobError> {
        let (hrms, tenant) = (cx.hrms(), cx.actor().tenant());
        let security =
            |one: &Notification| hrms.notification_type(&one.r#type).is_some_and(|kind| kind.security);
        let waited = |one: &&Notification| now.duration_since(one.updated_at) > JUST_NOW && !security(one);
        let mut events = Vec::new();
        for one in told.iter().filter(waited) {
            let Some(sequence) = tx.events().sequence_of(one.event_id).await? else { continue };
            let event = tx.events().after(sequence.saturating_sub(1), 1).await?.into_iter().next();
            events.extend(
                event.filter(|event| event.caused_by != Some(self.user_id)).map(|event| (one.id, event)),
            );
        }
        let Some((_, first)) = events.first() else { return Ok(None) };
        let actor = acting(hrms, tx, tenant, recipient, first.request).await?;
        let mut hidden = Vec::new();
        for (id, event) in &events {
            let may = match &actor {
                Some(actor) => hrms.events().may_receive_in(tx, actor, event).await?,
                None => false,
            };
            hidden.extend((!may).then_some(*id));
        }
        let gone: Vec<_> = due.iter().filter(|one| hidden.contains(&one.notification_id)).cloned().collect();
        Ok((!gone.is_empty()).then_some(Due::Drop(gone, "not-permitted")))
    }

    fn message(
        &self,
        cx: &JobContext,
        organization: String,
        due: &[NotificationDelivery],
        told: Vec<Notification>,
        now: Timestamp,
    ) -> Result<Option<Outgoing>, CommonError> {
        let hrms = cx.hrms();
        let (Some(first), Some(latest)) = (due.first(), told.last()) else { return Ok(None) };
        let kind = hrms.notification_type(&latest.r#type);
        let can_stop = kind.is_some_and(|kind| !super::settings::is_fixed(kind, &self.channel));
        let unsubscribe = match (&*told, can_stop) {
            ([one], true) => {
                super::unsubscribe::link(hrms, cx.actor().tenant(), self.user_id, &one.r#type, &self.channel)?
            }
            _ => None,
        };
        Ok(Some(Outgoing {
            id: first.id,
            tenant: cx.actor().tenant(),
            organization,
            language: latest.language.clone(),
            items: told.into_iter().map(|one| item(hrms, one)).collect(),
            unsubscribe,
            now,
        }))
    }

    /// Writes what became of deliveries, unless somebody made something else of them meanwhile; ends the job when
    /// there is nothing more to be done now.
    async fn settle(&self, cx: &JobContext, changed: Changed) -> Result<Option<Outcome>, JobError> {
        let mut work = cx.hrms().begin(cx.actor()).await?;
        let now = work.now();
        work.notification_settings().hold(self.user_id, now).await?;
        let mut later = Vec::new();
        for (before, after) in changed {
            let stored = work.notification_deliveries().get(before.id).await?;
            if stored.as_ref() == Some(&before) {
                work.notification_deliveries().update(&after).await?;
                later.extend((after.state == NotificationDeliveryState::Waiting).then_some(after));
            }
        }
        if self.is_more_due(&mut work, now).await? {
            schedule(&mut work, &later).await?;
            cx.hold_in(&mut work).await?;
            work.commit(()).await?;
            return Ok(None);
        }
        // First the end, so that the key is free for what comes later.
        cx.finish_in(&mut work, &Finish::Succeeded(Value::Null)).await?;
        schedule(&mut work, &later).await?;
        work.commit(()).await?;
        Ok(Some(Outcome::Recorded))
    }

    async fn is_more_due(&self, work: &mut Work, now: Timestamp) -> Result<bool, CommonError> {
        let due = match self.delivery_id {
            Some(id) => work.notification_deliveries().get(id).await?.is_some_and(|one| is_due(&one, now)),
            None => {
                let user = self.user_id;
                let more = work.notification_deliveries().gathered(user, &self.channel, now, 1).await?;
                !more.is_empty()
            }
        };
        Ok(due)
    }
}

fn is_due(delivery: &NotificationDelivery, now: Timestamp) -> bool {
    delivery.state == NotificationDeliveryState::Waiting && delivery.due_at.is_none_or(|at| at <= now)
}

/// What was turned off since it was written.
fn unwanted(hrms: &Hrms, settings: &NotificationSettings, due: &[NotificationDelivery]) -> Option<Due> {
    let is_off = |one: &NotificationDelivery| {
        let kind = hrms.notification_type(&one.r#type);
        kind.is_none_or(|kind| settings.mode(kind, &one.channel) == Mode::Off)
    };
    let off: Vec<_> = due.iter().filter(|one| is_off(one)).cloned().collect();
    (!off.is_empty()).then_some(Due::Drop(off, "turned-off"))
}

fn item(hrms: &Hrms, told: Notification) -> OutgoingItem {
    OutgoingItem {
        link: hrms.public_url().map(|url| format!("{url}/notifications/{}", told.id)),
        id: told.id,
        r#type: told.r#type,
        title: told.title,
        body: told.body,
        subject: told.subject,
        created_at: told.created_at,
    }
}

async fn schedule(work: &mut Work, later: &[NotificationDelivery]) -> Result<(), CommonError> {
    for delivery in later {
        enqueue(work, delivery).await?;
    }
    Ok(())
}

impl Attempt {
    /// Hands the message over; what becomes of the deliveries by that.
    async fn make(self, cx: &JobContext, channel: &str) -> Result<Changed, JobError> {
        let hrms = cx.hrms();
        let known = hrms.notification_channels().iter().find(|known| known.name() == channel);
        let result = match (known, &self.own) {
            (Some(known), _) => known.send(hrms, &self.recipient, &self.message).await,
            (None, Some(own)) => own.send(hrms, &self.recipient, &self.message).await,
            (None, None) => Err(ChannelFault { code: "channel-gone".to_owned(), permanent: true }),
        };
        let now = hrms.clock().now();
        // The low bits of a UUIDv7 are random.
        let [.., high, low] = *hrms.ids().next().as_bytes();
        Ok(changed(self.deliveries, |one| {
            one.attempts = one.attempts.saturating_add(1);
            one.updated_at = now;
            match &result {
                Ok(()) => end(one, NotificationDeliveryState::Sent, None, now),
                Err(fault) => {
                    let pause = webhook::wait(one.attempts, u16::from_be_bytes([high, low]));
                    let next =
                        pause.filter(|_| !fault.permanent).and_then(|pause| now.checked_add(pause).ok());
                    one.error = Some(fault.code.clone());
                    match next {
                        Some(next) => one.due_at = Some(next),
                        None => end(one, NotificationDeliveryState::Failed, Some(&fault.code), now),
                    }
                }
            }
        }))
    }
}
