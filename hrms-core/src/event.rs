//! Domain events: written in the transaction of the change, ordered per tenant, delivered afterwards.

mod feed;
mod kind;
pub(crate) mod relay;
pub(crate) mod subscriber;

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::actor::{Actor, Cause};
use crate::audit::{Act, Change};
use crate::error::{CommonError, StoreError};
use crate::hrms::Hrms;
use crate::id::{EventId, IdSource, RequestId, TenantId, UserId};
use crate::policy::{Permission, Resource};

pub use feed::{FeedPage, FeedQuery, Since};
pub use kind::{COMMON_DATA, DataField, DataForm, EVENT_TYPES, EventType, EventTypes};
pub use relay::Relay;
pub use subscriber::{EventConsumers, EventDirectory, Growth, Start, Subscriber};

/// Something that happened, as the service that did it says it.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Type such as `leave_request.approved`.
    pub kind: &'static str,
    /// What it happened to, as in `leave-requests/<id>`.
    pub subject: String,
    /// Ids; never values that need their own permission. The names of changed fields come from `change`, as
    /// `changed`.
    pub data: Value,
    /// What it did to which fields: goes into the audit log, nowhere else.
    pub change: Change,
    /// The permission that a receiver needs…
    pub permission: Permission,
    /// …on this resource.
    pub resource: Resource,
}

impl NewEvent {
    /// Takes what goes into the audit log out of it.
    pub(crate) fn take_act(&mut self) -> Act {
        if let (Some(names), Value::Object(data)) = (self.change.names(), &mut self.data) {
            data.insert("changed".to_owned(), names.into());
        }
        let change = std::mem::take(&mut self.change);
        Act { action: self.kind.into(), subject: self.subject.clone(), change }
    }

    /// Gives it id, time, author and request.
    ///
    /// What an operator of the service did through somebody's rights says so.
    pub(crate) fn stamp(mut self, ids: &dyn IdSource, actor: &Actor, now: Timestamp) -> Event {
        if let (Some(support), Value::Object(data)) = (actor.support(), &mut self.data) {
            data.insert("operator_id".to_owned(), support.operator.to_string().into());
            data.insert("support_grant_id".to_owned(), support.grant.to_string().into());
        }
        Event {
            sequence: 0,
            id: EventId::from_uuid(ids.next()),
            kind: self.kind.to_owned(),
            time: now,
            subject: self.subject,
            data: self.data,
            permission: self.permission,
            resource: self.resource,
            caused_by: actor.user_id(),
            request: actor.request(),
        }
    }
}

/// A row of the tenant's event log.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Position in the tenant's log: gap-free, in commit order. Assigned by the store.
    pub sequence: i64,
    /// The event's id; also a resume token.
    pub id: EventId,
    /// Type such as `leave_request.approved`.
    pub kind: String,
    /// When it happened.
    pub time: Timestamp,
    /// What it happened to.
    pub subject: String,
    /// Ids and names of changed fields.
    pub data: Value,
    /// The permission that a receiver needs…
    pub permission: Permission,
    /// …on this resource, as it was at the time.
    pub resource: Resource,
    /// The user who caused it, if a user did.
    pub caused_by: Option<UserId>,
    /// The request that caused it.
    pub request: RequestId,
}

/// The wire form of an event: a CloudEvent, version 1.0, as JSON.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventFrame {
    /// The version of CloudEvents: `1.0`.
    pub specversion: &'static str,
    /// The event's id; reconnect with `?since=<id>` to get what came after it.
    pub id: EventId,
    /// The organisation that it happened in, as in `/organizations/<id>`.
    pub source: String,
    /// Type such as `leave_request.approved`.
    pub r#type: String,
    /// When it happened.
    pub time: Timestamp,
    /// What it happened to, as in `leave-requests/<id>`.
    pub subject: String,
    /// What the data is written in: `application/json`.
    pub datacontenttype: &'static str,
    /// Ids and names of changed fields.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub data: Value,
    /// Only in webhooks: the event's place in the organisation's log, in digits whose order as text is the order in
    /// which things happened (the CloudEvents extension `sequence`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<String>,
}

impl EventFrame {
    /// The frame of a tenant's event for those who may see only part of the log: without its number, whose gaps
    /// would tell them how much they don't see.
    #[must_use]
    pub fn new(tenant: TenantId, event: &Event) -> Self {
        Self {
            specversion: "1.0",
            id: event.id,
            source: format!("/organizations/{tenant}"),
            r#type: event.kind.clone(),
            time: event.time,
            subject: event.subject.clone(),
            datacontenttype: "application/json",
            data: event.data.clone(),
            sequence: None,
        }
    }

    /// The same with its number.
    #[must_use]
    pub fn numbered(tenant: TenantId, event: &Event) -> Self {
        Self { sequence: Some(format!("{:019}", event.sequence)), ..Self::new(tenant, event) }
    }
}

/// The tenant's append-only event log.
#[async_trait]
pub trait EventLog: Send {
    /// Appends events in order, giving each the tenant's next sequence number.
    async fn append(&mut self, events: Vec<Event>) -> Result<(), StoreError>;

    /// Up to `limit` events behind a sequence number, oldest first.
    async fn after(&mut self, sequence: i64, limit: u16) -> Result<Vec<Event>, StoreError>;

    /// The sequence number of the oldest event that is kept, if any is.
    async fn first(&mut self) -> Result<Option<i64>, StoreError>;

    /// The sequence number of an event, if it is in this tenant's log.
    async fn sequence_of(&mut self, event: EventId) -> Result<Option<i64>, StoreError>;

    /// The last sequence number; 0 for an empty log.
    async fn last(&mut self) -> Result<i64, StoreError>;
}

/// Tells listeners in this process which tenant's log has grown; the log itself holds the truth.
pub struct EventBus(broadcast::Sender<TenantId>);

impl Default for EventBus {
    fn default() -> Self {
        Self(broadcast::channel(1024).0)
    }
}

impl fmt::Debug for EventBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EventBus").field(&self.0.receiver_count()).finish()
    }
}

impl EventBus {
    /// Says that a tenant's log has grown.
    pub fn wake(&self, tenant: TenantId) {
        // No receivers is not an error: nobody is listening.
        let _ = self.0.send(tenant);
    }

    /// Hears which tenants' logs grow from now on. A lagging listener reads the log, so it loses nothing.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<TenantId> {
        self.0.subscribe()
    }
}

/// Delivery: reading a tenant's log from outside a service. What is read is for nobody's eyes until
/// [`EventService::may_receive`] says so for the receiver.
#[derive(Clone, Copy, Debug)]
pub struct EventService<'a>(&'a Hrms);

impl Hrms {
    /// The event logs, for delivery.
    #[must_use]
    pub fn events(&self) -> EventService<'_> {
        EventService(self)
    }
}

impl EventService<'_> {
    /// Up to `limit` events of a tenant behind a sequence number, oldest first, unfiltered.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn after(
        &self,
        tenant: TenantId,
        sequence: i64,
        limit: u16,
    ) -> Result<Vec<Event>, CommonError> {
        let mut tx = self.0.read(&self.reader(tenant)).await?;
        Ok(tx.events().after(sequence, limit).await?)
    }

    /// The sequence number of a tenant's last event; 0 when there is none.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn last(&self, tenant: TenantId) -> Result<i64, CommonError> {
        let mut tx = self.0.read(&self.reader(tenant)).await?;
        Ok(tx.events().last().await?)
    }

    /// The sequence number of an event, if it is in the tenant's log.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn position(&self, tenant: TenantId, event: EventId) -> Result<Option<i64>, CommonError> {
        let mut tx = self.0.read(&self.reader(tenant)).await?;
        Ok(tx.events().sequence_of(event).await?)
    }

    /// Somebody without any right, to open the tenant's store with.
    fn reader(&self, tenant: TenantId) -> Actor {
        let request = RequestId::from_uuid(self.0.ids().next());
        Actor::system(tenant, "event delivery", &[], Cause::Request, request)
    }
}

/// A subject string such as `leave-requests/<id>`.
#[must_use]
pub fn subject(collection: &str, id: Uuid) -> String {
    format!("{collection}/{id}")
}
