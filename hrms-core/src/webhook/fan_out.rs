//! From the log to deliveries: one for each endpoint that wants an event.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use crate::error::CommonError;
use crate::event::{Event, Subscriber};
use crate::hrms::Work;
use crate::id::{JobId, WebhookDeliveryId, WebhookId};
use crate::job::{EnqueueOptions, Job, JobError, Requester};
use crate::webhook::{
    DELIVERIES_KEPT_DAYS, DeliverWebhooks, DeliveryState, TESTED, Webhook, WebhookDelivery, lane,
};

/// The subscriber that turns events into deliveries.
#[derive(Clone, Copy, Debug, Default)]
pub struct Webhooks;

/// Old deliveries removed along with a batch of new ones.
const FORGOTTEN_AT_ONCE: u16 = 1000;

impl Subscriber for Webhooks {
    const NAME: &'static str = "webhook.fan-out";

    async fn is_needed(&self, work: &mut Work) -> Result<bool, CommonError> {
        Ok(work.webhooks().is_any_enabled().await?)
    }

    async fn handle(&self, work: &mut Work, events: &[Event]) -> Result<(), JobError> {
        // Held before anything is added: see `DeliverWebhooks`.
        let webhooks = work.webhooks().hold_enabled().await?;
        let now = work.now();
        let mut deliveries = Vec::new();
        for event in events {
            for webhook in webhooks.iter().filter(|webhook| wants(webhook, event)) {
                deliveries.push(WebhookDelivery {
                    id: WebhookDeliveryId::from_uuid(work.hrms().ids().next()),
                    webhook_id: webhook.id,
                    event_id: event.id,
                    sequence: event.sequence,
                    lane: lane(&event.subject),
                    r#type: event.kind.clone(),
                    subject: event.subject.clone(),
                    state: DeliveryState::Waiting,
                    attempts: 0,
                    next_attempt_at: Some(now),
                    response_status: None,
                    response_excerpt: None,
                    error: None,
                    duration_ms: None,
                    created_at: now,
                    updated_at: now,
                });
            }
        }
        work.webhook_deliveries().insert_many(&deliveries).await?;
        let lanes: BTreeSet<_> = deliveries.into_iter().map(|one| (one.webhook_id, one.lane)).collect();
        for (webhook, lane) in lanes {
            enqueue(work, webhook, lane, SignedDuration::ZERO).await?;
        }
        if let Ok(before) = now.checked_sub(SignedDuration::from_hours(24 * DELIVERIES_KEPT_DAYS)) {
            work.webhook_deliveries().forget(before, FORGOTTEN_AT_ONCE).await?;
        }
        Ok(())
    }
}

/// Whether an endpoint is to get an event: of a type that it asked for, and not from before its time.
fn wants(webhook: &Webhook, event: &Event) -> bool {
    if event.kind == TESTED {
        return event.data.get("webhook_id").and_then(|id| id.as_str()) == Some(&webhook.id.to_string());
    }
    event.time >= webhook.created_at && webhook.types.contains(&event.kind)
}

/// Writes the job that sends what waits in a lane, after this wait. If there is one already, it is to run
/// no later than that. The endpoint must be held.
pub(super) async fn enqueue(
    work: &mut Work,
    webhook: WebhookId,
    lane: u16,
    delay: SignedDuration,
) -> Result<(), CommonError> {
    let id = enqueue_unless_there(work, webhook, lane, delay).await?;
    let at = work.now().checked_add(delay).unwrap_or(work.now());
    work.jobs().bring_forward(id, at).await?;
    Ok(())
}

/// It acts for the system: whoever caused the event may be gone when the last attempt is made.
async fn enqueue_unless_there(
    work: &mut Work,
    webhook_id: WebhookId,
    lane: u16,
    delay: SignedDuration,
) -> Result<JobId, CommonError> {
    let job = DeliverWebhooks { webhook_id, lane: Some(lane) };
    let options = EnqueueOptions {
        unique_key: Some(format!("{webhook_id}/{lane}")),
        delay,
        max_attempts: Some(DeliverWebhooks::MAX_ATTEMPTS),
        ..EnqueueOptions::default()
    };
    let requester = Requester::System { permissions: Vec::new() };
    let (kind, version) = (DeliverWebhooks::KIND, DeliverWebhooks::VERSION);
    Ok(work.enqueue_as(requester, kind, version, serde_json::to_value(&job)?, options).await?)
}

/// Writes a job for each lane of an endpoint in which something waits and that has none, for when it is due. A job that is
/// to be tried again keeps its time. The endpoint must be held.
pub(super) async fn enqueue_waiting(work: &mut Work, webhook: WebhookId) -> Result<(), CommonError> {
    for (lane, at) in work.webhook_deliveries().waiting_lanes(webhook).await? {
        let wait = at.duration_since(work.now()).max(SignedDuration::ZERO);
        enqueue_unless_there(work, webhook, lane, wait).await?;
    }
    Ok(())
}
