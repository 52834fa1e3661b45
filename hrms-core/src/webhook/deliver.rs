//! Sending what waits in one lane of an endpoint, one message after the other.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::audit::Change;
use crate::error::CommonError;
use crate::event::{Event, EventFrame};
use crate::hrms::{Hrms, Work};
use crate::id::{TenantId, WebhookId};
use crate::job::{Finish, Job, JobContext, JobError, Outcome};
use crate::webhook::fan_out::{enqueue, enqueue_waiting};
use crate::webhook::service::bound_to;
use crate::webhook::{
    DeliveryState, DisabledReason, FAILING_FOR, SigningSecret, Webhook, WebhookAnswer, WebhookDelivery,
    WebhookFault, WebhookRequest, WebhookStatus, asks_for, event, sign, wait,
};

/// Sends the deliveries that wait in one lane of an endpoint: those about one thing in the order of the log.
///
/// There is one such job at a time for each lane, and what concerns one thing always takes the same
/// [`lane`](crate::webhook::lane). So a message is never overtaken by a later one about the same thing, nor sent by two workers at once, and an
/// endpoint has at most [`LANES`](crate::webhook::LANES) messages under way from all nodes together. What is to be tried
/// again later holds up nothing but what concerns the same thing. A crash between sending and noting it sends the same
/// message again, with the same `webhook-id`.
///
/// Nothing is left lying: whoever adds a delivery holds the endpoint's row first, then adds, then enqueues this job.
/// A job that ends holds the row too, looks for what waits, and only then ends. So either it sees
/// the delivery, or its end is committed before the delivery is added, and a new job comes. A job whose attempts are used
/// up is replaced by [`rescue`](crate::webhook::WebhookService::rescue).
#[derive(Debug, Serialize, Deserialize)]
pub struct DeliverWebhooks {
    /// The endpoint.
    pub webhook_id: WebhookId,
    /// The lane; none in jobs from before there were any.
    pub lane: Option<u16>,
}

/// A job gives way to others when it has sent for so long, or so many.
const TURN: (SignedDuration, usize) = (SignedDuration::from_secs(1), 100);

/// A job that failed, for lack of storage say, is tried again so soon: deliveries have a schedule of their own.
const AGAIN: SignedDuration = SignedDuration::from_secs(10);

/// Everything that one attempt needs.
struct Attempt {
    webhook: Webhook,
    delivery: WebhookDelivery,
    /// The event, or why there is nothing to send.
    event: Result<Event, &'static str>,
    secrets: Vec<SigningSecret>,
}

/// What came of an attempt, or why there was none.
type Attempted = Result<Result<WebhookAnswer, WebhookFault>, &'static str>;

impl Job for DeliverWebhooks {
    const KIND: &'static str = "webhook.deliver";
    /// 1: one job for each endpoint and subject. 2: for each lane.
    const VERSION: u16 = 2;
    /// Of the job, when storage fails; those of a delivery are counted with it.
    const MAX_ATTEMPTS: u16 = 25;

    fn upgrade(payload: Value, _: u16) -> Result<Value, JobError> {
        Ok(json!({ "webhook_id": payload.get("webhook_id"), "lane": null }))
    }

    async fn run(&self, cx: &JobContext) -> Result<Outcome, JobError> {
        self.deliver(cx).await.map_err(|error| error.after(AGAIN))
    }
}

impl DeliverWebhooks {
    async fn deliver(&self, cx: &JobContext) -> Result<Outcome, JobError> {
        let mut work = cx.hrms().begin(cx.actor()).await?;
        let began = work.now();
        let webhook = work.webhooks().hold(self.webhook_id).await?;
        let Some(lane) = self.lane else {
            enqueue_waiting(&mut work, self.webhook_id).await?;
            return cx.commit_done(work, Value::Null).await;
        };
        let mut next = self.next(cx, work, webhook, lane, true).await?;
        let mut sent = 0;
        while let Some(attempt) = next {
            let at = cx.hrms().clock().now();
            let answer = match &attempt.event {
                Ok(event) => Ok(send(cx.hrms(), cx.actor().tenant(), &attempt, event, at).await?),
                Err(reason) => Err(*reason),
            };
            sent += 1;
            let mut work = cx.hrms().begin(cx.actor()).await?;
            let more = sent < TURN.1 && work.now().duration_since(began) < TURN.0;
            let mut webhook = work.webhooks().hold(self.webhook_id).await?;
            record(&mut work, webhook.as_mut(), attempt.delivery, &answer, at).await?;
            next = self.next(cx, work, webhook, lane, more).await?;
        }
        Ok(Outcome::Recorded)
    }

    /// What is to be sent now. When there is nothing, or no `more` is to be sent, ends the job and leaves the rest to a
    /// later one. Commits; the endpoint must be held.
    async fn next(
        &self,
        cx: &JobContext,
        mut work: Work,
        webhook: Option<Webhook>,
        lane: u16,
        more: bool,
    ) -> Result<Option<Attempt>, JobError> {
        let webhook = webhook.filter(|webhook| webhook.status == WebhookStatus::Enabled);
        let first = match &webhook {
            Some(webhook) => first(&mut work, webhook.id, lane).await?,
            None => None,
        };
        let (Some(webhook), Some(delivery)) = (webhook, first) else {
            return cx.commit_done(work, Value::Null).await.map(|_| None);
        };
        let wait = until_due(&delivery, work.now());
        if !more || wait > SignedDuration::ZERO {
            cx.finish_in(&mut work, &Finish::Succeeded(Value::Null)).await?;
            enqueue(&mut work, webhook.id, lane, wait).await?;
            work.commit(()).await?;
            return Ok(None);
        }
        let attempt = prepare(&mut work, webhook, delivery).await?;
        cx.hold_in(&mut work).await?;
        work.commit(()).await?;
        Ok(Some(attempt))
    }
}

/// For how long a delivery waits still; zero when it is due.
pub(super) fn until_due(delivery: &WebhookDelivery, now: Timestamp) -> SignedDuration {
    delivery
        .next_attempt_at
        .map_or(SignedDuration::ZERO, |at| at.duration_since(now))
        .max(SignedDuration::ZERO)
}

/// The delivery of a lane that is due first, of those that have none about the same thing before them.
async fn first(
    work: &mut Work,
    webhook: WebhookId,
    lane: u16,
) -> Result<Option<WebhookDelivery>, CommonError> {
    let now = work.now();
    loop {
        let Some(early) = work.webhook_deliveries().first(webhook, lane).await? else { return Ok(None) };
        let head = work.webhook_deliveries().next(webhook, &early.subject).await?;
        match head {
            // It has to wait for one that is to be tried later. So that it isn't looked at again and again until then,
            // that is its time too.
            Some(WebhookDelivery { id, next_attempt_at: Some(at), .. }) if id != early.id && at > now => {
                work.webhook_deliveries().move_waiting(webhook, &early.subject, at, now).await?;
            }
            head => return Ok(head),
        }
    }
}

/// Gets what an attempt needs.
async fn prepare(
    work: &mut Work,
    webhook: Webhook,
    delivery: WebhookDelivery,
) -> Result<Attempt, CommonError> {
    let (hrms, now) = (work.hrms().clone(), work.now());
    let mut secrets = Vec::new();
    if let Some(stored) = work.webhooks().secrets(webhook.id).await? {
        secrets.push(open(&hrms, webhook.id, &stored.current)?);
        if let Some((former, _)) = stored.former.filter(|(_, until)| *until > now) {
            secrets.push(open(&hrms, webhook.id, &former)?);
        }
    }
    let before = delivery.sequence.saturating_sub(1);
    let event = work.events().after(before, 1).await?.into_iter().next();
    let event = match event.filter(|event| event.id == delivery.event_id) {
        _ if !asks_for(&webhook, &delivery.r#type) => Err("not-wanted"),
        Some(event) => Ok(event),
        None => Err("event-gone"),
    };
    Ok(Attempt { webhook, delivery, event, secrets })
}

/// Writes down what came of an attempt that was made at this time. Whatever somebody made of the delivery meanwhile holds.
async fn record(
    work: &mut Work,
    webhook: Option<&mut Webhook>,
    mut delivery: WebhookDelivery,
    answer: &Attempted,
    at: Timestamp,
) -> Result<(), JobError> {
    let stored = work.webhook_deliveries().get(delivery.id).await?;
    let (Some(webhook), true) = (webhook, stored.as_ref() == Some(&delivery)) else { return Ok(()) };
    let now = work.now();
    delivery.attempts = delivery.attempts.saturating_add(1);
    delivery.updated_at = now;
    delivery.duration_ms = i64::try_from(now.duration_since(at).as_millis()).ok();
    note(&mut delivery, answer);
    let taken = delivery.error.is_none();
    if taken {
        delivery.state = DeliveryState::Succeeded;
        delivery.next_attempt_at = None;
    } else {
        // The low bits of a UUIDv7 are random.
        let [.., high, low] = *work.hrms().ids().next().as_bytes();
        let pause = wait(delivery.attempts, u16::from_be_bytes([high, low])).filter(|_| answer.is_ok());
        delivery.next_attempt_at = pause.and_then(|pause| now.checked_add(pause).ok());
        if delivery.next_attempt_at.is_none() {
            delivery.state = DeliveryState::Failed;
        }
    }
    work.webhook_deliveries().update(&delivery).await?;
    if answer.is_ok() {
        let gone = delivery.response_status == Some(410);
        judge(work, webhook, taken, gone).await?;
    }
    Ok(())
}

fn open(hrms: &Hrms, id: WebhookId, sealed: &[u8]) -> Result<SigningSecret, CommonError> {
    Ok(SigningSecret::from_bytes(hrms.secret_box().open(sealed, &bound_to(id))?))
}

async fn send(
    hrms: &Hrms,
    tenant: TenantId,
    attempt: &Attempt,
    event: &Event,
    now: Timestamp,
) -> Result<Result<WebhookAnswer, WebhookFault>, CommonError> {
    let body = serde_json::to_vec(&EventFrame::numbered(tenant, event))?;
    let (id, timestamp) = (event.id.to_string(), now.as_second());
    let signature = sign(&attempt.secrets, &id, timestamp, &body);
    let request = WebhookRequest { url: attempt.webhook.url.clone(), id, timestamp, signature, body };
    Ok(hrms.webhook_sender().send(request).await)
}

/// Writes into a delivery what was answered.
fn note(delivery: &mut WebhookDelivery, answer: &Attempted) {
    delivery.response_status = None;
    delivery.response_excerpt = None;
    delivery.error = match answer {
        Ok(Ok(answer)) => {
            delivery.response_status = Some(answer.status);
            delivery.response_excerpt = Some(answer.excerpt.clone());
            (!(200..300).contains(&answer.status)).then(|| "status".to_owned())
        }
        Ok(Err(fault)) => Some(fault.code().to_owned()),
        Err(reason) => Some((*reason).to_owned()),
    };
}

/// Notes whether an endpoint works, and disables one that is gone or hasn't worked for long.
async fn judge(work: &mut Work, webhook: &mut Webhook, taken: bool, gone: bool) -> Result<(), JobError> {
    let now = work.now();
    if webhook.status != WebhookStatus::Enabled {
        return Ok(());
    }
    let since = match taken {
        true => None,
        false => Some(webhook.failing_since.unwrap_or(now)),
    };
    if since != webhook.failing_since {
        work.webhooks().note_failing(webhook.id, since).await?;
        webhook.failing_since = since;
    }
    let reason = if gone {
        DisabledReason::Gone
    } else if since.is_some_and(|since| now.duration_since(since) >= FAILING_FOR) {
        DisabledReason::Failing
    } else {
        return Ok(());
    };
    disable(work, webhook, reason).await?;
    Ok(())
}

/// Disables an endpoint that is held: nothing that waits is sent any more.
pub(super) async fn disable(
    work: &mut Work,
    webhook: &mut Webhook,
    reason: DisabledReason,
) -> Result<(), CommonError> {
    let before = webhook.clone();
    let now = work.now();
    webhook.status = WebhookStatus::Disabled;
    webhook.disabled_reason = Some(reason);
    webhook.disabled_at = Some(now);
    webhook.updated_at = now;
    webhook.version = before.version.next();
    work.webhooks().update(webhook, before.version).await?;
    work.webhook_deliveries().fail_waiting(webhook.id, "webhook-disabled", now).await?;
    work.emit(event("webhook.disabled", webhook, Change::changed(&before, webhook)));
    Ok(())
}
