//! What is asked of storage.

use async_trait::async_trait;
use jiff::Timestamp;

use crate::error::StoreError;
use crate::id::{EventId, TenantId, WebhookDeliveryId, WebhookId};
use crate::page::PageRequest;
use crate::store::Version;
use crate::webhook::{DeliveryState, Webhook, WebhookDelivery, WebhookStatus};

/// The secrets of an endpoint as they are stored: sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSecrets {
    /// The present one.
    pub current: Vec<u8>,
    /// The one before it, and until when it signs too.
    pub former: Option<(Vec<u8>, Timestamp)>,
}

/// Which endpoints to list.
#[derive(Clone, Debug, Default)]
pub struct WebhookFilter {
    /// Only those in this state.
    pub status: Option<WebhookStatus>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Orders of a list of endpoints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WebhookSort {
    /// By when they were added.
    #[default]
    CreatedAt,
}

/// Which deliveries to list.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Only those in this state.
    pub state: Option<DeliveryState>,
    /// Only those of this event.
    pub event: Option<EventId>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Orders of a list of deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliverySort {
    /// By when the event reached them.
    #[default]
    CreatedAt,
}

/// The tenant's endpoints in storage.
#[async_trait]
pub trait WebhookRepo: Send {
    /// The endpoint with this id.
    async fn get(&mut self, id: WebhookId) -> Result<Option<Webhook>, StoreError>;
    /// The endpoint with this id, which stays as it is until we end. Whoever adds to, or decides about, what
    /// it is sent holds it first.
    async fn hold(&mut self, id: WebhookId) -> Result<Option<Webhook>, StoreError>;
    /// All that are enabled, held, in order of their ids.
    async fn hold_enabled(&mut self) -> Result<Vec<Webhook>, StoreError>;
    /// Up to `limit + 1` endpoints in the order asked for.
    async fn list(
        &mut self,
        filter: &WebhookFilter,
        page: &PageRequest<WebhookSort>,
    ) -> Result<Vec<Webhook>, StoreError>;
    /// How many there are; the number stays the same until we end, but for what we add.
    async fn count(&mut self) -> Result<usize, StoreError>;
    /// Whether any is enabled.
    async fn is_any_enabled(&mut self) -> Result<bool, StoreError>;
    /// Adds an endpoint with its sealed secret.
    async fn insert(&mut self, webhook: &Webhook, secret: &[u8]) -> Result<(), StoreError>;
    /// Writes an endpoint if its stored version is still `expected`.
    async fn update(&mut self, webhook: &Webhook, expected: Version) -> Result<(), StoreError>;
    /// Removes an endpoint with its deliveries if its stored version is still `expected`.
    async fn remove(&mut self, id: WebhookId, expected: Version) -> Result<(), StoreError>;
    /// The secrets of an endpoint.
    async fn secrets(&mut self, id: WebhookId) -> Result<Option<StoredSecrets>, StoreError>;
    /// Replaces the secrets of an endpoint.
    async fn set_secrets(&mut self, id: WebhookId, secrets: &StoredSecrets) -> Result<(), StoreError>;
    /// Notes since when an endpoint fails; no change that anybody made.
    async fn note_failing(&mut self, id: WebhookId, since: Option<Timestamp>) -> Result<(), StoreError>;
}

/// What is, or was, sent to the tenant's endpoints.
#[async_trait]
pub trait WebhookDeliveryRepo: Send {
    /// The delivery with this id.
    async fn get(&mut self, id: WebhookDeliveryId) -> Result<Option<WebhookDelivery>, StoreError>;
    /// Up to `limit + 1` deliveries of an endpoint in the order asked for.
    async fn list(
        &mut self,
        webhook: WebhookId,
        filter: &DeliveryFilter,
        page: &PageRequest<DeliverySort>,
    ) -> Result<Vec<WebhookDelivery>, StoreError>;
    /// Adds deliveries; `webhook_delivery_event_key` keeps them to one for each endpoint and event.
    async fn insert_many(&mut self, deliveries: &[WebhookDelivery]) -> Result<(), StoreError>;
    /// Writes how a delivery stands.
    async fn update(&mut self, delivery: &WebhookDelivery) -> Result<(), StoreError>;
    /// The delivery that is to be made next about one thing: of those that wait, the one of the oldest event.
    async fn next(
        &mut self,
        webhook: WebhookId,
        subject: &str,
    ) -> Result<Option<WebhookDelivery>, StoreError>;
    /// Of the deliveries that wait in a lane, the one with the earliest time; of the same time, that of the oldest event.
    async fn first(&mut self, webhook: WebhookId, lane: u16) -> Result<Option<WebhookDelivery>, StoreError>;
    /// The lanes of an endpoint in which deliveries wait, each with the earliest time of one.
    async fn waiting_lanes(&mut self, webhook: WebhookId) -> Result<Vec<(u16, Timestamp)>, StoreError>;
    /// Sets the time of all deliveries that wait about one thing.
    async fn move_waiting(
        &mut self,
        webhook: WebhookId,
        subject: &str,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Ends all that wait at an endpoint as failed, for this reason.
    async fn fail_waiting(
        &mut self,
        webhook: WebhookId,
        error: &str,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// Removes up to `limit` deliveries that ended before an instant.
    async fn forget(&mut self, before: Timestamp, limit: u16) -> Result<(), StoreError>;
}

/// What the keeper of the deliveries needs across tenants.
#[async_trait]
pub trait WebhookDirectory: Send + Sync {
    /// Up to `limit` endpoints behind `after` with deliveries that should have been tried before an instant, in order.
    async fn overdue_webhooks(
        &self,
        before: Timestamp,
        after: Option<(TenantId, WebhookId)>,
        limit: u16,
    ) -> Result<Vec<(TenantId, WebhookId)>, StoreError>;
}
