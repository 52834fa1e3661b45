//! Notifications: what people are told about, in an inbox, by e-mail, and by channels of one's own.
//!
//! A subscriber to events ([`Notifications`]) asks [`Notifier`]s who is to be told what ([`Notice`]), writes one
//! [`Notification`] for each person who may see what it is about, in their language, and a [`NotificationDelivery`] for each
//! channel that they want. A job per person and channel ([`DeliverNotifications`]) hands these over, outside quiet hours,
//! gathered once a day where somebody wants that, and again over three days where it failed. What wasn't
//! handed over never counts as sent.

mod channel;
mod deliver;
mod error;
mod fan_out;
mod http_channel;
mod kind;
mod notice;
mod repo;
mod rescue;
mod rules;
mod service;
mod settings;
mod template;
mod texts;
mod time;
mod unsubscribe;
mod words;

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::employment::coded;
use crate::id::{EventId, NotificationDeliveryId, NotificationId, UserId};

pub use channel::{Channel, ChannelFault, EMAIL, INBOX, Outgoing};
pub use deliver::DeliverNotifications;
pub use error::NotificationError;
pub use fan_out::Notifications;
pub use http_channel::{
    IssuedNotificationChannel, MOST_CHANNELS, NewNotificationChannel, NotificationChannel,
    NotificationChannelPatch, NotificationChannelRepo,
};
pub use kind::{COMMON_VARIABLES, Mode, NOTIFICATION_TYPES, NotificationType, Text, Variable};
pub use notice::{Notice, Notifier, To};
pub use repo::{
    DeliveryFilter, DeliverySort, InboxFilter, InboxSort, NotificationDeliveryRepo, NotificationDirectory,
    NotificationRepo, NotificationSettingsRepo, Recipient, Recipients,
};
pub use service::{ChannelView, NotificationService, NotificationTypeView, Unread};
pub use settings::{NotificationSettings, NotificationSettingsPatch, Preferences, PreferencesPatch};
pub use template::{Template, TemplateFault};
pub use texts::{
    NewTemplate, NotificationTemplate, NotificationTemplateRepo, PreviewTemplate, TemplatePreview,
    TemplatesOfType, VariableView,
};
pub use time::{QuietHours, after_quiet, next_time};

/// For how many days notifications stay in the inbox.
pub const KEPT_DAYS: i64 = 180;

/// For how many minutes the same type about the same thing takes the place of a notification that wasn't read.
pub const REPEATED_MINUTES: i64 = 10;

/// What tells people about events when nobody adds anything.
pub(crate) fn standard_notifiers() -> Arc<Vec<Arc<dyn Notifier>>> {
    Arc::new(vec![Arc::new(rules::Standard)])
}

/// The channels that are there when nobody adds any.
pub(crate) fn standard_channels() -> Vec<Arc<dyn Channel>> {
    vec![Arc::new(channel::Email)]
}

/// Something that somebody was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Notification {
    /// Its id.
    pub id: NotificationId,
    /// Who was told.
    #[serde(skip)]
    pub user_id: UserId,
    /// The type, as in `leave_request.approved`.
    pub r#type: String,
    /// One line.
    pub title: String,
    /// The rest, in paragraphs between empty lines.
    pub body: String,
    /// The language of both, as in `en`.
    pub language: String,
    /// What it is about, as in `leave-requests/<id>`.
    pub subject: String,
    /// The event that it tells of: the latest one.
    pub event_id: EventId,
    /// How often it was told before it was read, one after the other.
    pub times: i64,
    /// Whether it is in the inbox.
    #[serde(skip)]
    pub in_inbox: bool,
    /// When it was read.
    pub read_at: Option<Timestamp>,
    /// When it was first told.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

coded! {
    /// How a delivery stands.
    NotificationDeliveryState {
        /// To be sent, or tried again.
        Waiting = "waiting",
        /// Handed over: a mail server or another program took it.
        Sent = "sent",
        /// Given up.
        Failed = "failed",
        /// Not sent, because nobody wanted it any more: `error` says why.
        Dropped = "dropped",
    }
}

/// What became of telling somebody by a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NotificationDelivery {
    /// Its id.
    pub id: NotificationDeliveryId,
    /// What was to be told.
    pub notification_id: NotificationId,
    /// Whom.
    pub user_id: UserId,
    /// The type, as in `leave_request.approved`.
    pub r#type: String,
    /// By which channel, as in `email`.
    pub channel: String,
    /// How it stands.
    pub state: NotificationDeliveryState,
    /// Whether it is gathered with others into one message.
    pub digest: bool,
    /// How often it was tried.
    pub attempts: u16,
    /// When it is tried next; `null` once it has ended.
    pub due_at: Option<Timestamp>,
    /// Why the last attempt failed, or why it was dropped.
    pub error: Option<String>,
    /// When it was handed over.
    pub sent_at: Option<Timestamp>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A notification with what became of it by each channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NotificationView {
    /// The notification.
    #[serde(flatten)]
    pub notification: Notification,
    /// How it was sent besides.
    pub deliveries: Vec<NotificationDelivery>,
}
