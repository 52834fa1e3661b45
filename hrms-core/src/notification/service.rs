//! What people can do with what they were told, and administrators with what was sent.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::actor::{Actor, Cause, Context};
use crate::audit::{Act, Change};
use crate::error::CommonError;
use crate::event::subject;
use crate::hrms::{Hrms, Work};
use crate::id::{NotificationDeliveryId, NotificationId, RequestId, UserId};
use crate::notification::fan_out::enqueue;
use crate::notification::settings::{default_mode, is_fixed};
use crate::notification::{
    DeliveryFilter, DeliverySort, INBOX, InboxFilter, InboxSort, Mode, Notification, NotificationDelivery,
    NotificationDeliveryState, NotificationError, NotificationSettings, NotificationSettingsPatch,
    NotificationView, unsubscribe,
};
use crate::page::{Page, PageRequest, Position};
use crate::store::{Tx, Version};

/// What can be done with notifications.
#[derive(Clone, Copy, Debug)]
pub struct NotificationService<'a>(pub(super) &'a Hrms);

impl Hrms {
    /// Notifications.
    #[must_use]
    pub fn notifications(&self) -> NotificationService<'_> {
        NotificationService(self)
    }
}

/// How many notifications weren't read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Unread {
    /// How many.
    pub unread: i64,
}

/// A type of notifications, and what holds for whoever asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NotificationTypeView {
    /// The type's name, as in `leave_request.approved`.
    pub r#type: &'static str,
    /// When somebody is told.
    pub about: &'static str,
    /// What holds by each channel.
    pub channels: Vec<ChannelView>,
}

/// What holds for a type by a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ChannelView {
    /// The channel, as in `email`.
    pub channel: String,
    /// What holds.
    pub mode: Mode,
    /// What holds unless one chooses.
    pub default: Mode,
    /// Whether nobody can choose otherwise, because it is about security.
    pub fixed: bool,
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "notification" };
const NO_DELIVERY: CommonError = CommonError::NotFound { what: "delivery" };

/// The person whose inbox it is: nobody else, not even the service's operators through their rights.
fn owner(actor: &Actor) -> Result<UserId, NotificationError> {
    actor.user_id().filter(|_| actor.support().is_none()).ok_or(NotificationError::NotYours)
}

fn position(key: Timestamp, id: uuid::Uuid) -> Position {
    Position { key: key.to_string(), id }
}

impl NotificationService<'_> {
    /// A page of one's inbox.
    ///
    /// # Errors
    /// [`NotificationError::NotYours`] for whoever has none.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &InboxFilter,
        page: &PageRequest<InboxSort>,
    ) -> Result<Page<Notification>, NotificationError> {
        let user = owner(actor)?;
        let mut tx = self.0.read(actor).await?;
        let rows = tx.notifications().list(user, filter, page).await?;
        Ok(Page::from_rows(rows, page.limit, |last| position(last.created_at, last.id.as_uuid())))
    }

    /// How many of one's inbox weren't read.
    ///
    /// # Errors
    /// [`NotificationError::NotYours`] for whoever has none.
    pub async fn unread(&self, actor: &Actor) -> Result<Unread, NotificationError> {
        let user = owner(actor)?;
        let mut tx = self.0.read(actor).await?;
        Ok(Unread { unread: tx.notifications().unread(user).await? })
    }

    /// One of one's notifications, with what became of it by other channels.
    ///
    /// # Errors
    /// When it isn't there, or is somebody else's.
    pub async fn get(
        &self,
        actor: &Actor,
        id: NotificationId,
    ) -> Result<NotificationView, NotificationError> {
        let user = owner(actor)?;
        let mut tx = self.0.read(actor).await?;
        let notification = tx.notifications().get(user, id).await?.ok_or(NOT_FOUND)?;
        let deliveries = tx.notification_deliveries().of(id).await?;
        Ok(NotificationView { notification, deliveries })
    }

    /// Notes that one of one's notifications was read, or wasn't. Doing it again does nothing.
    ///
    /// # Errors
    /// When it isn't there, or is somebody else's.
    pub async fn set_read(
        &self,
        actor: &Actor,
        id: NotificationId,
        read: bool,
    ) -> Result<Notification, NotificationError> {
        let user = owner(actor)?;
        let mut work = self.0.begin(actor).await?;
        let now = work.now();
        let mut notification = work.notifications().get(user, id).await?.ok_or(NOT_FOUND)?;
        if notification.read_at.is_some() != read {
            notification.read_at = read.then_some(now);
            notification.updated_at = now;
            work.notifications().set_read(user, id, notification.read_at, now).await?;
        }
        Ok(work.commit(notification).await?)
    }

    /// Notes that all of one's inbox that were told at or before an instant were read: what came since then nobody has
    /// seen. Answers how many are left.
    ///
    /// # Errors
    /// [`NotificationError::NotYours`] for whoever has none.
    pub async fn read_all(
        &self,
        actor: &Actor,
        until: Option<Timestamp>,
    ) -> Result<Unread, NotificationError> {
        let user = owner(actor)?;
        let mut work = self.0.begin(actor).await?;
        let now = work.now();
        work.notifications().read_all(user, until.unwrap_or(now), now).await?;
        let unread = work.notifications().unread(user).await?;
        Ok(work.commit(Unread { unread }).await?)
    }

    /// How one wants to be told.
    ///
    /// # Errors
    /// [`NotificationError::NotYours`] for whoever has no inbox.
    pub async fn settings(&self, actor: &Actor) -> Result<NotificationSettings, NotificationError> {
        let user = owner(actor)?;
        let now = self.0.clock().now();
        let mut tx = self.0.read(actor).await?;
        let settings = tx.notification_settings().get(user).await?;
        Ok(settings.unwrap_or_else(|| NotificationSettings::of(user, now)))
    }

    /// Changes how one wants to be told, if that is still at version `expected`.
    ///
    /// # Errors
    /// [`CommonError::Stale`]; faulty fields.
    pub async fn change_settings(
        &self,
        actor: &Actor,
        expected: Version,
        patch: NotificationSettingsPatch,
    ) -> Result<NotificationSettings, NotificationError> {
        let user = owner(actor)?;
        let mut work = self.0.begin(actor).await?;
        let now = work.now();
        let before = work.notification_settings().hold(user, now).await?;
        if before.version != expected {
            return Err(CommonError::Stale.into());
        }
        let mut settings = before.clone();
        let channels = choices(self.0, &mut *work).await?;
        settings.apply(self.0, &channels, patch)?;
        Ok(write(work, &before, settings).await?)
    }

    /// Every type of notification, and what holds for whoever asks.
    ///
    /// # Errors
    /// [`NotificationError::NotYours`] for whoever has no inbox.
    pub async fn types(&self, actor: &Actor) -> Result<Vec<NotificationTypeView>, NotificationError> {
        let settings = self.settings(actor).await?;
        let mut tx = self.0.read(actor).await?;
        let channels = choices(self.0, &mut *tx).await?;
        let view = |kind: &'static crate::notification::NotificationType| {
            let channel = |channel: &String| ChannelView {
                channel: channel.clone(),
                mode: settings.mode(kind, channel),
                default: default_mode(kind, channel),
                fixed: is_fixed(kind, channel),
            };
            NotificationTypeView {
                r#type: kind.name,
                about: kind.about,
                channels: channels.iter().map(channel).collect(),
            }
        };
        Ok(self.0.notification_types().map(view).collect())
    }

    /// Stops messages of a type by a channel, as a link in one of them says. Doing it again does nothing.
    ///
    /// # Errors
    /// [`NotificationError::BadLink`].
    pub async fn unsubscribe(
        &self,
        token: &str,
        request: RequestId,
        context: Context,
    ) -> Result<(), NotificationError> {
        let stop = unsubscribe::open(self.0, token).ok_or(NotificationError::BadLink)?;
        let kind = self.0.notification_type(&stop.kind).ok_or(NotificationError::BadLink)?;
        let actor = Actor::system(stop.tenant, "unsubscribe", &[], Cause::Request, request);
        let actor = actor.with_context(context);
        let mut work = self.0.begin(&actor).await?;
        if work.users().get(stop.user).await?.is_none() || is_fixed(kind, &stop.channel) {
            return Err(NotificationError::BadLink);
        }
        let now = work.now();
        let before = work.notification_settings().hold(stop.user, now).await?;
        let mut settings = before.clone();
        settings.preferences.entry(stop.kind).or_default().insert(stop.channel, Mode::Off);
        write(work, &before, settings).await?;
        Ok(())
    }

    /// A page of what was sent, or is to be, to anybody.
    ///
    /// # Errors
    /// When it may not be seen.
    pub async fn deliveries(
        &self,
        actor: &Actor,
        filter: &DeliveryFilter,
        page: &PageRequest<DeliverySort>,
    ) -> Result<Page<NotificationDelivery>, NotificationError> {
        self.manage(actor)?;
        let mut tx = self.0.read(actor).await?;
        let rows = tx.notification_deliveries().list(filter, page).await?;
        Ok(Page::from_rows(rows, page.limit, |last| position(last.created_at, last.id.as_uuid())))
    }

    /// Sends again what failed or was dropped, as if it hadn't been tried.
    ///
    /// # Errors
    /// [`NotificationError::Waiting`]; [`NotificationError::Sent`]; when it isn't there.
    pub async fn resend(
        &self,
        actor: &Actor,
        id: NotificationDeliveryId,
    ) -> Result<NotificationDelivery, NotificationError> {
        self.manage(actor)?;
        let mut work = self.0.begin(actor).await?;
        let now = work.now();
        let user = work.notification_deliveries().get(id).await?.ok_or(NO_DELIVERY)?.user_id;
        work.notification_settings().hold(user, now).await?;
        let mut delivery = work.notification_deliveries().get(id).await?.ok_or(NO_DELIVERY)?;
        match delivery.state {
            NotificationDeliveryState::Waiting => return Err(NotificationError::Waiting),
            NotificationDeliveryState::Sent => return Err(NotificationError::Sent),
            NotificationDeliveryState::Failed | NotificationDeliveryState::Dropped => {}
        }
        delivery.state = NotificationDeliveryState::Waiting;
        delivery.digest = false;
        delivery.attempts = 0;
        delivery.due_at = Some(now);
        delivery.error = None;
        delivery.updated_at = now;
        work.notification_deliveries().update(&delivery).await?;
        enqueue(&mut work, &delivery).await?;
        work.record(Act {
            action: "notification_delivery.resent".into(),
            subject: subject("notification-deliveries", id.as_uuid()),
            change: Change::none(),
        });
        Ok(work.commit(delivery).await?)
    }
}

/// The channels that can be chosen: the inbox, those of the service, the organisation's own.
async fn choices(hrms: &Hrms, tx: &mut dyn Tx) -> Result<Vec<String>, CommonError> {
    let mut names = vec![INBOX.to_owned()];
    names.extend(sendable(hrms, tx).await?);
    Ok(names)
}

/// The channels by which anything can be sent at present.
pub(super) async fn sendable(hrms: &Hrms, tx: &mut dyn Tx) -> Result<Vec<String>, CommonError> {
    let ours = hrms.notification_channels().iter().filter(|channel| channel.is_configured(hrms));
    let mut names: Vec<String> = ours.map(|channel| channel.name().to_owned()).collect();
    names.extend(tx.notification_channels().all().await?.into_iter().map(|channel| channel.name));
    Ok(names)
}

/// Writes settings that were held, unless nothing changed.
async fn write(
    mut work: Work,
    before: &NotificationSettings,
    mut settings: NotificationSettings,
) -> Result<NotificationSettings, CommonError> {
    if settings == *before {
        return work.commit(settings).await;
    }
    settings.updated_at = work.now();
    settings.version = before.version.next();
    work.notification_settings().update(&settings, before.version).await?;
    work.record(Act {
        action: "notification_settings.changed".into(),
        subject: subject("notification-settings", settings.user_id.as_uuid()),
        change: Change::changed(before, &settings),
    });
    work.commit(settings).await
}
