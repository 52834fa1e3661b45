//! Sending what waits about one thing at one endpoint, one after the other.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::audit::Change;
use crate::error::CommonError;
use crate::event::{Event, EventFrame};
use crate::hrms::{Hrms, Work};
use crate::id::{TenantId, WebhookId};
use crate::job::{Finish, Job, JobContext, JobError, Outcome};
use crate::webhook::fan_out::enqueue;
use crate::webhook::service::bound_to;
use crate::webhook::{
    DeliveryState, DisabledReason, FAILING_FOR, SigningSecret, Webhook, WebhookAnswer, WebhookDelivery,
    WebhookFault, WebhookRequest, WebhookStatus, asks_for, event, sign, wait,
};

/// Sends the deliveries that wait about one thing at one endpoint, in the order of the log.
///
/// There is one such job at a time for an endpoint and a subject, so that a message is never overtaken by a later one,
/// nor sent by two workers at once. A crash between sending and noting it sends the same
/// message again, with the same `webhook-id`.
///
/// Nothing is left lying: whoever adds a delivery holds the endpoint's row first, then adds, then enqueues this job.
/// A job that ends holds the row too, looks for what waits, and only then ends. So either it sees
/// the delivery, or its end is committed before the delivery is added, and a new job comes.
#[derive(Debug, Serialize, Deserialize)]
pub struct DeliverWebhooks {
    /// The endpoint.
    pub webhook_id: WebhookId,
    /// What the events are about.
    pub subject: String,
}

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
    /// Of the job, when storage fails; those of a delivery are counted with it.
    const MAX_ATTEMPTS: u16 = 25;

    async fn run(&self, cx: &JobContext) -> Result<Outcome, JobError> {
        loop {
            let ended = match self.due(cx).await? {
                Some(attempt) => self.attempt(cx, attempt).await?,
                None => {
                    let mut work = cx.hrms().begin(cx.actor()).await?;
                    let webhook = work.webhooks().hold(self.webhook_id).await?;
                    self.settle(cx, work, webhook.as_ref()).await?
                }
            };
            if let Some(outcome) = ended {
                return Ok(outcome);
            }
        }
    }
}

impl DeliverWebhooks {
    /// What is to be sent now, if anything is.
    async fn due(&self, cx: &JobContext) -> Result<Option<Attempt>, JobError> {
        let mut tx = cx.hrms().read(cx.actor()).await?;
        let now = cx.hrms().clock().now();
        let Some(webhook) = tx.webhooks().get(self.webhook_id).await? else { return Ok(None) };
        let delivery = tx.webhook_deliveries().next(self.webhook_id, &self.subject).await?;
        let Some(delivery) = delivery.filter(|one| is_due(one, now)) else { return Ok(None) };
        if webhook.status != WebhookStatus::Enabled {
            return Ok(None);
        }
        let mut secrets = Vec::new();
        if let Some(stored) = tx.webhooks().secrets(self.webhook_id).await? {
            secrets.push(open(cx.hrms(), self.webhook_id, &stored.current)?);
            if let Some((former, _)) = stored.former.filter(|(_, until)| *until > now) {
                secrets.push(open(cx.hrms(), self.webhook_id, &former)?);
            }
        }
        let before = delivery.sequence.saturating_sub(1);
        let event = tx.events().after(before, 1).await?.into_iter().next();
        let event = match event.filter(|event| event.id == delivery.event_id) {
            _ if !asks_for(&webhook, &delivery.r#type) => Err("not-wanted"),
            Some(event) => Ok(event),
            None => Err("event-gone"),
        };
        Ok(Some(Attempt { webhook, delivery, event, secrets }))
    }

    /// Sends one message and writes down what came of it.
    async fn attempt(&self, cx: &JobContext, attempt: Attempt) -> Result<Option<Outcome>, JobError> {
        let began = cx.hrms().clock().now();
        let answer = match &attempt.event {
            Ok(event) => Ok(send(cx.hrms(), cx.actor().tenant(), &attempt, event, began).await?),
            Err(reason) => Err(*reason),
        };
        let mut work = cx.hrms().begin(cx.actor()).await?;
        let now = work.now();
        let webhook = work.webhooks().hold(self.webhook_id).await?;
        let stored = work.webhook_deliveries().get(attempt.delivery.id).await?;
        // Whatever somebody made of it meanwhile holds.
        let (Some(mut webhook), true) = (webhook, stored.as_ref() == Some(&attempt.delivery)) else {
            return self.settle(cx, work, None).await;
        };
        let mut delivery = attempt.delivery;
        delivery.attempts = delivery.attempts.saturating_add(1);
        delivery.updated_at = now;
        delivery.duration_ms = i64::try_from(now.duration_since(began).as_millis()).ok();
        note(&mut delivery, &answer);
        let taken = delivery.error.is_none();
        if taken {
            delivery.state = DeliveryState::Succeeded;
            delivery.next_attempt_at = None;
        } else {
            // The low bits of a UUIDv7 are random.
            let [.., high, low] = *cx.hrms().ids().next().as_bytes();
            let pause = wait(delivery.attempts, u16::from_be_bytes([high, low])).filter(|_| answer.is_ok());
            delivery.next_attempt_at = pause.and_then(|pause| now.checked_add(pause).ok());
            if delivery.next_attempt_at.is_none() {
                delivery.state = DeliveryState::Failed;
            }
        }
        work.webhook_deliveries().update(&delivery).await?;
        if answer.is_ok() {
            let gone = delivery.response_status == Some(410);
            judge(&mut work, &mut webhook, taken, gone).await?;
        }
        self.settle(cx, work, Some(&webhook)).await
    }

    /// Goes on, ends, or leaves the rest to a later job; commits. The endpoint must be held.
    async fn settle(
        &self,
        cx: &JobContext,
        mut work: Work,
        webhook: Option<&Webhook>,
    ) -> Result<Option<Outcome>, JobError> {
        let now = work.now();
        let enabled = webhook.is_some_and(|webhook| webhook.status == WebhookStatus::Enabled);
        let next = match enabled {
            true => work.webhook_deliveries().next(self.webhook_id, &self.subject).await?,
            false => None,
        };
        let pause = match &next {
            Some(next) if is_due(next, now) => {
                cx.hold_in(&mut work).await?;
                work.commit(()).await?;
                return Ok(None);
            }
            Some(next) => next.next_attempt_at.map(|at| at.duration_since(now)),
            None => None,
        };
        cx.finish_in(&mut work, &Finish::Succeeded(Value::Null)).await?;
        if let Some(pause) = pause {
            enqueue(&mut work, self.webhook_id, &self.subject, pause.max(SignedDuration::ZERO)).await?;
        }
        work.commit(()).await?;
        Ok(Some(Outcome::Recorded))
    }
}

fn is_due(delivery: &WebhookDelivery, now: Timestamp) -> bool {
    delivery.next_attempt_at.is_none_or(|at| at <= now)
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
