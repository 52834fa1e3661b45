//! Webhooks: events sent to programs of an organisation's choice, signed as the Standard Webhooks say.
//!
//! A subscriber to events ([`Webhooks`]) writes a delivery for each event that an endpoint wants; a job for each of the
//! [`LANES`] of an endpoint ([`DeliverWebhooks`]) sends them one after the other, so that what concerns one thing arrives
//! in order. What isn't taken is sent again over three days. Who sends is for the builder:
//! [`Builder::webhook_sender`](crate::hrms::Builder::webhook_sender).

mod deliver;
mod error;
mod fan_out;
mod repo;
mod rescue;
mod schedule;
mod sender;
mod service;
mod signature;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::audit::{Audited, Change};
use crate::event::{NewEvent, subject};
use crate::id::{EventId, WebhookDeliveryId, WebhookId};
use crate::patch::Patch;
use crate::policy::{Permission, Resource};
use crate::store::{Version, Versioned};

pub use deliver::DeliverWebhooks;
pub use error::WebhookError;
pub use fan_out::Webhooks;
pub use repo::{
    DeliveryFilter, DeliverySort, StoredSecrets, WebhookDeliveryRepo, WebhookDirectory, WebhookFilter,
    WebhookRepo, WebhookSort,
};
pub use schedule::{ATTEMPTS, FAILING_FOR, wait};
pub use sender::{NoWebhookSender, WebhookAnswer, WebhookFault, WebhookRequest, WebhookSender};
pub use service::WebhookService;
pub use signature::{SigningSecret, sign};

/// How many endpoints an organisation can have.
pub const MOST_WEBHOOKS: usize = 20;

/// For how many hours both secrets sign after a rotation, when nobody says; and at most.
pub const OVERLAP_HOURS: (u16, u16) = (24, 7 * 24);

/// For how many days deliveries that have ended stay in the log.
pub const DELIVERIES_KEPT_DAYS: i64 = 30;

/// So many messages are under way to one endpoint at a time, from all nodes together.
pub const LANES: u16 = 4;

/// The lane that messages about a thing take. Always the same one, from whatever node and version: what is in another lane
/// isn't waited for.
#[must_use]
pub fn lane(subject: &str) -> u16 {
    let hash = Sha256::digest(subject.as_bytes());
    u16::from(hash.first().copied().unwrap_or_default()) % LANES
}

/// An endpoint that events are sent to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// Where events are sent, by POST.
    pub url: String,
    /// What it is for.
    pub description: Option<String>,
    /// The types of events that are sent, in order, as in `leave_request.approved`.
    pub types: Vec<String>,
    /// Whether events are sent.
    pub status: WebhookStatus,
    /// Why it is disabled.
    pub disabled_reason: Option<DisabledReason>,
    /// Since when it is disabled.
    pub disabled_at: Option<Timestamp>,
    /// When the first of the deliveries failed that have failed since one succeeded.
    pub failing_since: Option<Timestamp>,
    /// Until when the secret before the present one signs too.
    pub former_secret_until: Option<Timestamp>,
    /// When it was added. It gets what happens from then on.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Audited for Webhook {}

impl Versioned for Webhook {
    fn version(&self) -> Version {
        self.version
    }
}

/// Whether events are sent to an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum WebhookStatus {
    /// They are.
    Enabled,
    /// They aren't; what happens meanwhile isn't sent later.
    Disabled,
}

impl WebhookStatus {
    /// The stable name, as in `enabled`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
        }
    }
}

/// Why an endpoint is disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DisabledReason {
    /// Somebody disabled it.
    Manual,
    /// It answered 410 Gone.
    Gone,
    /// Nothing that was sent in five days was taken.
    Failing,
}

impl DisabledReason {
    /// Every reason.
    pub const ALL: &'static [Self] = &[Self::Manual, Self::Gone, Self::Failing];

    /// The stable name, as in `gone`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Manual => "manual",
            Self::Gone => "gone",
            Self::Failing => "failing",
        }
    }
}

/// An endpoint with a secret that was just made.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IssuedWebhook {
    /// The endpoint.
    #[serde(flatten)]
    pub webhook: Webhook,
    /// What messages are signed with, as in `whsec_…`. Shown this once: `null` when the same request is repeated
    /// with its `Idempotency-Key`.
    pub secret: Option<String>,
}

impl fmt::Debug for IssuedWebhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedWebhook").field("webhook", &self.webhook).finish_non_exhaustive()
    }
}

/// What a new endpoint needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// Where events are to be sent: an `https` address, at most 2000 characters.
    pub url: String,
    /// What it is for, at most 500 characters.
    #[serde(default)]
    pub description: Option<String>,
    /// The types of events to send, 1 to 200; see `GET /api/v1/events/types`.
    pub types: Vec<String>,
}

/// What can be changed of an endpoint.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct WebhookPatch {
    /// New address.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub url: Patch<String>,
    /// What it is for.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub description: Patch<String>,
    /// The types of events to send.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<String>>))]
    pub types: Patch<Vec<String>>,
}

/// How to replace a secret.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RotateSecret {
    /// For how many hours the old secret signs too: 24 unless said, at most 168, 0 for not at all.
    pub overlap_hours: Option<u16>,
}

/// What became of sending an event to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WebhookDelivery {
    /// Its id.
    pub id: WebhookDeliveryId,
    /// The endpoint.
    pub webhook_id: WebhookId,
    /// The event: what is sent as `webhook-id`.
    pub event_id: EventId,
    /// The event's place in the log: deliveries about one thing are made in this order.
    #[serde(skip)]
    pub sequence: i64,
    /// The [`lane`] of its subject.
    #[serde(skip)]
    pub lane: u16,
    /// The event's type.
    pub r#type: String,
    /// What the event is about.
    pub subject: String,
    /// How it stands.
    pub state: DeliveryState,
    /// How often it was tried.
    pub attempts: u16,
    /// When it is tried next, if what concerns the same thing and comes before it has ended by then.
    pub next_attempt_at: Option<Timestamp>,
    /// The status of the last answer.
    pub response_status: Option<u16>,
    /// The beginning of the last answer's body.
    pub response_excerpt: Option<String>,
    /// Why the last attempt failed, as in `timeout`.
    pub error: Option<String>,
    /// How long the last attempt took, in milliseconds.
    pub duration_ms: Option<i64>,
    /// When the event reached it.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeliveryState {
    /// It is to be sent.
    Waiting,
    /// It was taken.
    Succeeded,
    /// It wasn't, and isn't tried any more.
    Failed,
}

impl DeliveryState {
    /// Every state.
    pub const ALL: &'static [Self] = &[Self::Waiting, Self::Succeeded, Self::Failed];

    /// The stable name, as in `waiting`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

/// The event that the test button makes: it is sent to the endpoint that it is about, whatever that wants.
const TESTED: &str = "webhook.tested";

/// Whether an endpoint asks for events of a type now. It is asked before each attempt too: whoever narrows what is sent
/// to an endpoint, and moves it, gets nothing that was on its way to where it was.
fn asks_for(webhook: &Webhook, kind: &str) -> bool {
    kind == TESTED || webhook.types.iter().any(|wanted| wanted == kind)
}

fn event(kind: &'static str, webhook: &Webhook, change: Change) -> NewEvent {
    let mut data = serde_json::json!({ "webhook_id": webhook.id });
    if let (Some(reason), Some(fields)) = (webhook.disabled_reason, data.as_object_mut()) {
        fields.insert("reason".to_owned(), reason.code().into());
    }
    NewEvent {
        kind,
        subject: subject("webhooks", webhook.id.as_uuid()),
        data,
        change,
        permission: Permission::WebhookRead,
        resource: Resource::organization(),
    }
}
