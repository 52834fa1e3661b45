//! What is asked of storage.

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::error::StoreError;
use crate::id::{EmployeeId, NotificationDeliveryId, NotificationId, TenantId, UserId};
use crate::notification::{
    Notification, NotificationDelivery, NotificationDeliveryState, NotificationSettings,
};
use crate::page::PageRequest;
use crate::policy::RoleName;
use crate::store::Version;

/// Somebody who can be told something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The user.
    pub user_id: UserId,
    /// The address they log in with, in its normal form.
    pub email: String,
    /// Name shown to people.
    pub name: String,
    /// The employee that they are.
    pub employee_id: Option<EmployeeId>,
    /// The time zone of their workplace.
    pub time_zone: Option<String>,
}

/// Of whom recipients are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// These users.
    Users(Vec<UserId>),
    /// The users who are these employees.
    Employees(Vec<EmployeeId>),
    /// The users with any of these roles.
    Roles(Vec<RoleName>),
}

/// Which notifications of an inbox to list.
#[derive(Clone, Debug, Default)]
pub struct InboxFilter {
    /// Only those that were read, or weren't.
    pub read: Option<bool>,
    /// Only of this type.
    pub kind: Option<String>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Orders of an inbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InboxSort {
    /// By when they were first told.
    #[default]
    CreatedAt,
}

/// Which deliveries to list.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Only those in this state.
    pub state: Option<NotificationDeliveryState>,
    /// Only those by this channel.
    pub channel: Option<String>,
    /// Only those to this user.
    pub user: Option<UserId>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Orders of a list of deliveries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliverySort {
    /// By when they were written.
    #[default]
    CreatedAt,
}

/// The tenant's notifications in storage, each in one user's inbox.
#[async_trait]
pub trait NotificationRepo: Send {
    /// Active users, in order of their ids, with the workplace of the record in force `today`.
    async fn recipients(&mut self, whom: &Recipients, today: Date) -> Result<Vec<Recipient>, StoreError>;

    /// A notification of a user's, in the inbox or not.
    async fn get(&mut self, user: UserId, id: NotificationId) -> Result<Option<Notification>, StoreError>;

    /// Those of a user's with these ids, oldest first.
    async fn of(&mut self, user: UserId, ids: &[NotificationId]) -> Result<Vec<Notification>, StoreError>;

    /// Up to `limit + 1` notifications of a user's inbox in the order asked for.
    async fn list(
        &mut self,
        user: UserId,
        filter: &InboxFilter,
        page: &PageRequest<InboxSort>,
    ) -> Result<Vec<Notification>, StoreError>;

    /// How many of a user's inbox weren't read.
    async fn unread(&mut self, user: UserId) -> Result<i64, StoreError>;

    /// The latest of a user's of a type and about a thing, first told at or after an instant and not read.
    async fn repeated(
        &mut self,
        user: UserId,
        kind: &str,
        subject: &str,
        since: Timestamp,
    ) -> Result<Option<Notification>, StoreError>;

    /// Adds a notification; whether there wasn't one of this user, event and type before.
    async fn insert(&mut self, notification: &Notification) -> Result<bool, StoreError>;

    /// Writes a notification anew that was told again.
    async fn update(&mut self, notification: &Notification) -> Result<(), StoreError>;

    /// Notes when one of a user's was read, or that it wasn't.
    async fn set_read(
        &mut self,
        user: UserId,
        id: NotificationId,
        read_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Notes that all of a user's inbox that were first told at or before an instant were read; how many weren't.
    async fn read_all(&mut self, user: UserId, until: Timestamp, now: Timestamp) -> Result<u64, StoreError>;

    /// Removes up to `limit` notifications from before an instant, with their deliveries.
    async fn forget(&mut self, before: Timestamp, limit: u16) -> Result<(), StoreError>;
}

/// How the tenant's users want to be told, in storage.
#[async_trait]
pub trait NotificationSettingsRepo: Send {
    /// Those of a user, if they chose anything or were told anything.
    async fn get(&mut self, user: UserId) -> Result<Option<NotificationSettings>, StoreError>;

    /// Those of a user, which stay as they are until we end. Whoever adds to, or decides about, what
    /// somebody is sent holds them first.
    async fn hold(&mut self, user: UserId, now: Timestamp) -> Result<NotificationSettings, StoreError>;

    /// Writes settings if their stored version is still `expected`.
    async fn update(&mut self, settings: &NotificationSettings, expected: Version) -> Result<(), StoreError>;
}

/// What the keeper of the deliveries needs across tenants.
#[async_trait]
pub trait NotificationDirectory: Send + Sync {
    /// Up to `limit` deliveries behind `after` that should have been made before an instant, in order.
    async fn overdue_notifications(
        &self,
        before: Timestamp,
        after: Option<(TenantId, NotificationDeliveryId)>,
        limit: u16,
    ) -> Result<Vec<(TenantId, NotificationDeliveryId)>, StoreError>;
}

/// What is, or was, sent to the tenant's users.
#[async_trait]
pub trait NotificationDeliveryRepo: Send {
    /// The delivery with this id.
    async fn get(&mut self, id: NotificationDeliveryId) -> Result<Option<NotificationDelivery>, StoreError>;

    /// Those of a notification, by channel.
    async fn of(&mut self, notification: NotificationId) -> Result<Vec<NotificationDelivery>, StoreError>;

    /// Up to `limit + 1` deliveries in the order asked for.
    async fn list(
        &mut self,
        filter: &DeliveryFilter,
        page: &PageRequest<DeliverySort>,
    ) -> Result<Vec<NotificationDelivery>, StoreError>;

    /// Adds deliveries.
    async fn insert_many(&mut self, deliveries: &[NotificationDelivery]) -> Result<(), StoreError>;

    /// Writes how a delivery stands.
    async fn update(&mut self, delivery: &NotificationDelivery) -> Result<(), StoreError>;

    /// Up to `limit` that are gathered for somebody by a channel and due at an instant, oldest first.
    async fn gathered(
        &mut self,
        user: UserId,
        channel: &str,
        due: Timestamp,
        limit: u16,
    ) -> Result<Vec<NotificationDelivery>, StoreError>;
}
