//! Channels of an organisation's own: another program that takes messages by HTTP, and passes them on as SMS,
//! in a chat, to phones.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::audit::{Act, Audited, Change};
use crate::error::{CommonError, StoreError};
use crate::event::subject;
use crate::hrms::{Hrms, Work};
use crate::id::NotificationChannelId;
use crate::notification::{
    Channel, ChannelFault, EMAIL, INBOX, NotificationError, NotificationService, Outgoing, Recipient,
};
use crate::patch::Patch;
use crate::store::{Version, Versioned};
use crate::validate::Check;
use crate::webhook::{SigningSecret, WebhookRequest, sign};

/// How many channels of its own an organisation can have.
pub const MOST_CHANNELS: usize = 5;

/// A channel of an organisation's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NotificationChannel {
    /// Its id.
    pub id: NotificationChannelId,
    /// What people choose it by, as in `sms`. It never changes.
    pub name: String,
    /// Where messages are sent, by POST.
    pub url: String,
    /// What it is, for people.
    pub description: Option<String>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Audited for NotificationChannel {}

impl Versioned for NotificationChannel {
    fn version(&self) -> Version {
        self.version
    }
}

/// What a new channel needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewNotificationChannel {
    /// What people choose it by: 2 to 32 lower-case letters, digits and `_`, a letter first.
    pub name: String,
    /// Where messages are to be sent: an `https` address, at most 2000 characters.
    pub url: String,
    /// What it is, at most 500 characters.
    #[serde(default)]
    pub description: Option<String>,
}

/// What can be changed of a channel.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct NotificationChannelPatch {
    /// New address.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub url: Patch<String>,
    /// What it is.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub description: Patch<String>,
}

/// A channel with a secret that was just made.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IssuedNotificationChannel {
    /// The channel.
    #[serde(flatten)]
    pub channel: NotificationChannel,
    /// What messages are signed with, as in `whsec_…`. Shown this once: `null` when the same request is repeated
    /// with its `Idempotency-Key`.
    pub secret: Option<String>,
}

impl fmt::Debug for IssuedNotificationChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedNotificationChannel").field("channel", &self.channel).finish_non_exhaustive()
    }
}

/// The tenant's own channels in storage.
#[async_trait]
pub trait NotificationChannelRepo: Send {
    /// All, by name.
    async fn all(&mut self) -> Result<Vec<NotificationChannel>, StoreError>;
    /// How many there are; the number stays the same until we end, but for what we add.
    async fn count(&mut self) -> Result<usize, StoreError>;
    /// Adds a channel with its sealed secret; `notification_channel_name_key` keeps names unique.
    async fn insert(&mut self, channel: &NotificationChannel, secret: &[u8]) -> Result<(), StoreError>;
    /// Writes a channel if its stored version is still `expected`.
    async fn update(&mut self, channel: &NotificationChannel, expected: Version) -> Result<(), StoreError>;
    /// Removes a channel if its stored version is still `expected`. Its name stays taken, so that nobody who chose it
    /// is told things by another.
    async fn remove(
        &mut self,
        id: NotificationChannelId,
        expected: Version,
        now: Timestamp,
    ) -> Result<(), StoreError>;
    /// The sealed secret of a channel.
    async fn secret(&mut self, id: NotificationChannelId) -> Result<Option<Vec<u8>>, StoreError>;
    /// Replaces the sealed secret of a channel.
    async fn set_secret(&mut self, id: NotificationChannelId, secret: &[u8]) -> Result<(), StoreError>;
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "channel" };

/// What a sealed secret belongs to.
fn bound_to(id: NotificationChannelId) -> Vec<u8> {
    [b"notification channel ", id.as_uuid().as_bytes().as_slice()].concat()
}

/// A channel of an organisation's own, ready to send.
pub(super) struct HttpChannel {
    channel: NotificationChannel,
    secret: SigningSecret,
}

impl fmt::Debug for HttpChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpChannel").field(&self.channel.id).finish()
    }
}

/// The body of a message.
#[derive(Serialize)]
struct Body<'m> {
    organization_id: crate::id::TenantId,
    organization: &'m str,
    channel: &'m str,
    recipient: To<'m>,
    language: &'m str,
    notifications: &'m [super::channel::OutgoingItem],
    unsubscribe: Option<&'m str>,
}

#[derive(Serialize)]
struct To<'m> {
    user_id: crate::id::UserId,
    employee_id: Option<crate::id::EmployeeId>,
    name: &'m str,
    email: &'m str,
}

#[async_trait]
impl Channel for HttpChannel {
    fn name(&self) -> &str {
        &self.channel.name
    }

    async fn send(&self, hrms: &Hrms, to: &Recipient, message: &Outgoing) -> Result<(), ChannelFault> {
        let body = Body {
            organization_id: message.tenant,
            organization: &message.organization,
            channel: &self.channel.name,
            recipient: To {
                user_id: to.user_id,
                employee_id: to.employee_id,
                name: &to.name,
                email: &to.email,
            },
            language: &message.language,
            notifications: &message.items,
            unsubscribe: message.unsubscribe.as_deref(),
        };
        let fault = |code: &str, permanent| ChannelFault { code: code.to_owned(), permanent };
        let body = serde_json::to_vec(&body).map_err(|_| fault("not-json", true))?;
        let (id, timestamp) = (message.id.to_string(), message.now.as_second());
        let signature = sign(std::slice::from_ref(&self.secret), &id, timestamp, &body);
        let request = WebhookRequest { url: self.channel.url.clone(), id, timestamp, signature, body };
        match hrms.webhook_sender().send(request).await {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
            // It will say the same of the same message, unless it only wants to be left alone for a while.
            Ok(answer) => {
                let permanent =
                    (400..500).contains(&answer.status) && ![408, 425, 429].contains(&answer.status);
                Err(fault("status", permanent))
            }
            Err(error) => Err(fault(error.code(), false)),
        }
    }
}

/// The organisation's own channel of this name.
pub(super) async fn load(
    work: &mut dyn crate::store::Tx,
    hrms: &Hrms,
    name: &str,
) -> Result<Option<HttpChannel>, CommonError> {
    let found = work.notification_channels().all().await?.into_iter().find(|channel| channel.name == name);
    let Some(channel) = found else { return Ok(None) };
    let Some(sealed) = work.notification_channels().secret(channel.id).await? else { return Ok(None) };
    let secret = SigningSecret::from_bytes(hrms.secret_box().open(&sealed, &bound_to(channel.id))?);
    Ok(Some(HttpChannel { channel, secret }))
}

impl NotificationService<'_> {
    /// The organisation's own channels, by name.
    ///
    /// # Errors
    /// When they may not be seen.
    pub async fn channels(&self, actor: &Actor) -> Result<Vec<NotificationChannel>, NotificationError> {
        self.manage(actor)?;
        let mut tx = self.0.read(actor).await?;
        Ok(tx.notification_channels().all().await?)
    }

    /// One of the organisation's own channels.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn channel(
        &self,
        actor: &Actor,
        id: NotificationChannelId,
    ) -> Result<NotificationChannel, NotificationError> {
        let all = self.channels(actor).await?;
        Ok(all.into_iter().find(|channel| channel.id == id).ok_or(NOT_FOUND)?)
    }

    /// Adds a channel. Its secret is in the answer, and nowhere else. Nobody is told anything by it who doesn't choose it.
    ///
    /// # Errors
    /// [`NotificationError::TooManyChannels`]; [`NotificationError::ChannelTaken`];
    /// [`NotificationError::NotConfigured`]; faulty fields.
    pub async fn create_channel(
        &self,
        actor: &Actor,
        new: NewNotificationChannel,
    ) -> Result<IssuedNotificationChannel, NotificationError> {
        self.manage(actor)?;
        self.require_configured()?;
        let mut work = self.0.begin(actor).await?;
        let now = work.now();
        let channel = NotificationChannel {
            id: NotificationChannelId::from_uuid(self.0.ids().next()),
            name: new.name,
            url: new.url,
            description: new.description,
            created_at: now,
            updated_at: now,
            version: Version::FIRST,
        };
        self.check_channel(&channel)?;
        if work.notification_channels().count().await? >= MOST_CHANNELS {
            return Err(NotificationError::TooManyChannels);
        }
        let secret = SigningSecret::random()?;
        let sealed = self.0.secret_box().seal(secret.as_bytes(), &bound_to(channel.id))?;
        match work.notification_channels().insert(&channel, &sealed).await {
            Err(error) if error.constraint() == Some("notification_channel_name_key") => {
                return Err(NotificationError::ChannelTaken);
            }
            other => other?,
        }
        work.record(act("notification_channel.created", &channel, Change::created(&channel)));
        issue(work, channel, &secret).await
    }

    /// Changes a channel that is still at version `expected`.
    ///
    /// # Errors
    /// [`CommonError::Stale`]; faulty fields.
    pub async fn change_channel(
        &self,
        actor: &Actor,
        id: NotificationChannelId,
        expected: Version,
        patch: NotificationChannelPatch,
    ) -> Result<NotificationChannel, NotificationError> {
        self.manage(actor)?;
        let mut work = self.0.begin(actor).await?;
        let before = stored(&mut work, id).await?;
        if before.version != expected {
            return Err(CommonError::Stale.into());
        }
        let mut channel = before.clone();
        patch.url.required("/url", &mut channel.url)?;
        patch.description.apply(&mut channel.description);
        if channel == before {
            return Ok(work.commit(channel).await?);
        }
        self.check_channel(&channel)?;
        channel.updated_at = work.now();
        channel.version = expected.next();
        work.notification_channels().update(&channel, expected).await?;
        work.record(act("notification_channel.changed", &channel, Change::changed(&before, &channel)));
        Ok(work.commit(channel).await?)
    }

    /// Removes a channel that is still at version `expected`: what waits for it fails, and its name isn't used again.
    ///
    /// # Errors
    /// [`CommonError::Stale`].
    pub async fn remove_channel(
        &self,
        actor: &Actor,
        id: NotificationChannelId,
        expected: Version,
    ) -> Result<(), NotificationError> {
        self.manage(actor)?;
        let mut work = self.0.begin(actor).await?;
        let channel = stored(&mut work, id).await?;
        let now = work.now();
        work.notification_channels().remove(id, expected, now).await?;
        work.record(act("notification_channel.removed", &channel, Change::removed(&channel)));
        Ok(work.commit(()).await?)
    }

    /// Replaces the secret of a channel, at once.
    ///
    /// # Errors
    /// [`NotificationError::NotConfigured`]; when it isn't there.
    pub async fn rotate_channel_secret(
        &self,
        actor: &Actor,
        id: NotificationChannelId,
    ) -> Result<IssuedNotificationChannel, NotificationError> {
        self.manage(actor)?;
        let mut work = self.0.begin(actor).await?;
        let mut channel = stored(&mut work, id).await?;
        self.require_configured()?;
        let secret = SigningSecret::random()?;
        let sealed = self.0.secret_box().seal(secret.as_bytes(), &bound_to(id))?;
        work.notification_channels().set_secret(id, &sealed).await?;
        let expected = channel.version;
        channel.updated_at = work.now();
        channel.version = expected.next();
        work.notification_channels().update(&channel, expected).await?;
        work.record(act("notification_channel.secret-rotated", &channel, Change::none()));
        issue(work, channel, &secret).await
    }

    fn require_configured(&self) -> Result<(), NotificationError> {
        match self.0.webhook_sender().is_configured() && self.0.secret_box().is_configured() {
            true => Ok(()),
            false => Err(NotificationError::NotConfigured),
        }
    }

    fn check_channel(&self, channel: &NotificationChannel) -> Result<(), CommonError> {
        let mut check = Check::new();
        let name = &channel.name;
        let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !plain || !(2..=32).contains(&name.len()) || !name.starts_with(|c: char| c.is_ascii_lowercase()) {
            let detail = "a name is 2 to 32 lower-case letters, digits and _, and begins with a letter";
            check.fault("/name", "malformed-name", detail);
        }
        let known = self.0.notification_channels().iter().any(|known| known.name() == name);
        if known || [INBOX, EMAIL].contains(&name.as_str()) {
            check.fault("/name", "reserved", "there is a channel of this name");
        }
        check.text("/url", &channel.url, 1..=2000);
        check.add(self.0.webhook_sender().check(&channel.url));
        if let Some(description) = &channel.description {
            check.text("/description", description, 1..=500);
        }
        check.done()
    }
}

async fn stored(work: &mut Work, id: NotificationChannelId) -> Result<NotificationChannel, CommonError> {
    let all = work.notification_channels().all().await?;
    all.into_iter().find(|channel| channel.id == id).ok_or(NOT_FOUND)
}

fn act(action: &'static str, channel: &NotificationChannel, change: Change) -> Act {
    Act { action: action.into(), subject: subject("notification-channels", channel.id.as_uuid()), change }
}

/// Commits, and shows the secret. What is kept for a repeated request lacks it.
async fn issue(
    work: Work,
    channel: NotificationChannel,
    secret: &SigningSecret,
) -> Result<IssuedNotificationChannel, NotificationError> {
    let mut issued = work.commit(IssuedNotificationChannel { channel, secret: None }).await?;
    issued.secret = Some(secret.expose());
    Ok(issued)
}
