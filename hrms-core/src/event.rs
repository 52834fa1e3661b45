//! Domain events: written in the transaction of the change, ordered per tenant, delivered afterwards.

mod kind;
pub(crate) mod relay;
pub(crate) mod subscriber;

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::actor::{Actor, Cause};
use crate::audit::{Act, Change};
use crate::error::{CommonError, StoreError};
use crate::hrms::Hrms;
use crate::id::{EventId, IdSource, RequestId, TenantId, UserId};
use crate::policy::{Decision, Grant, Permission, Resource, Scope};

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

/// The wire form of an event (CloudEvents attribute names).
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EventFrame {
    /// The event's id; reconnect with `?since=<id>` to get what came after it.
    pub id: EventId,
    /// Type such as `leave_request.approved`.
    pub r#type: String,
    /// When it happened.
    pub time: Timestamp,
    /// What it happened to, as in `leave-requests/<id>`.
    pub subject: String,
    /// Ids and names of changed fields.
    pub data: Value,
}

impl From<&Event> for EventFrame {
    fn from(event: &Event) -> Self {
        Self {
            id: event.id,
            r#type: event.kind.clone(),
            time: event.time,
            subject: event.subject.clone(),
            data: event.data.clone(),
        }
    }
}

/// The tenant's append-only event log.
#[async_trait]
pub trait EventLog: Send {
    /// Appends events in order, giving each the tenant's next sequence number.
    async fn append(&mut self, events: Vec<Event>) -> Result<(), StoreError>;

    /// Up to `limit` events behind a sequence number, oldest first.
    async fn after(&mut self, sequence: i64, limit: u16) -> Result<Vec<Event>, StoreError>;

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
    /// Whether an actor may receive an event: when they may read what it is about.
    ///
    /// Asks storage only for an actor whose grants reach further than the event tells by itself.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn may_receive(&self, actor: &Actor, event: &Event) -> Result<bool, CommonError> {
        let policy = self.0.policy();
        let narrow = policy.decide(actor, event.permission, &event.resource);
        let wide = |grant: &Grant| {
            grant.permission == event.permission
                && matches!(grant.scope, Scope::ReportsTree | Scope::DepartmentTree)
        };
        if narrow == Decision::Allow || !actor.grants().iter().any(wide) {
            return Ok(narrow == Decision::Allow);
        }
        let mut resource = event.resource.clone();
        let on = event.time.to_zoned(TimeZone::UTC).date();
        let mut tx = self.0.read(actor).await?;
        self.0.complete(&mut *tx, actor, [&mut resource], on).await?;
        Ok(policy.decide(actor, event.permission, &resource) == Decision::Allow)
    }

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
