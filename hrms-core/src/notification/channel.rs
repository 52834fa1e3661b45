//! Channels: the ways by which people are told besides the inbox.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use crate::hrms::Hrms;
use crate::id::{NotificationDeliveryId, NotificationId, TenantId};
use crate::mail::{Letter, MailError, Message};
use crate::notification::texts::Told;
use crate::notification::words::words;
use crate::notification::{NotificationType, Recipient};

/// The name of the inbox, which is always there.
pub const INBOX: &str = "in_app";

/// The name of the channel by e-mail.
pub const EMAIL: &str = "email";

/// A message to one person, about one notification or several.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// The same at every attempt: whoever takes it can tell a second copy by it.
    pub id: NotificationDeliveryId,
    /// The organisation.
    pub tenant: TenantId,
    /// What it is called.
    pub organization: String,
    /// The language of the texts, as in `en`.
    pub language: String,
    /// What is told: more than one where they were gathered.
    pub items: Vec<OutgoingItem>,
    /// Where one click stops messages of this type by this channel; `None` for what can't be stopped.
    pub unsubscribe: Option<String>,
    /// When this is sent.
    pub now: Timestamp,
}

/// One notification of a message.
#[derive(Clone, Debug, Serialize)]
pub struct OutgoingItem {
    /// Its id.
    pub id: NotificationId,
    /// Its type.
    pub r#type: String,
    /// One line.
    pub title: String,
    /// The rest.
    pub body: String,
    /// What it is about, as in `leave-requests/<id>`.
    pub subject: String,
    /// Where people can open it.
    pub link: Option<String>,
    /// When it happened.
    pub created_at: Timestamp,
}

/// Why a message wasn't taken. Neither may hold its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelFault {
    /// A stable name, as in `unavailable`: people see it.
    pub code: String,
    /// Whether trying again can't help.
    pub permanent: bool,
}

/// A way by which people are told. Add your own with [`Builder::notification_channel`](crate::hrms::Builder::notification_channel).
#[async_trait]
pub trait Channel: Send + Sync + fmt::Debug {
    /// Its name, as in `sms`: lower-case letters, digits and `_`. People choose by it.
    fn name(&self) -> &str;

    /// Whether anything can be sent by it at present; what can't isn't even written down.
    fn is_configured(&self, hrms: &Hrms) -> bool {
        let _ = hrms;
        true
    }

    /// Hands a message over. Only when this is done, it counts as sent. In bounded time.
    ///
    /// # Errors
    /// [`ChannelFault`].
    async fn send(&self, hrms: &Hrms, to: &Recipient, message: &Outgoing) -> Result<(), ChannelFault>;
}

/// E-mail to the address that somebody logs in with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Email;

#[async_trait]
impl Channel for Email {
    fn name(&self) -> &'static str {
        EMAIL
    }

    fn is_configured(&self, hrms: &Hrms) -> bool {
        hrms.mailer().is_configured()
    }

    async fn send(&self, hrms: &Hrms, to: &Recipient, message: &Outgoing) -> Result<(), ChannelFault> {
        hrms.mailer().send(letter(&to.email, message)).await.map_err(|error| {
            // Its text may name the address.
            tracing::warn!(error = &error as &dyn std::error::Error, id = %message.id, "a notification wasn't sent");
            match error {
                MailError::Refused(_) => ChannelFault { code: "refused".to_owned(), permanent: true },
                MailError::Unavailable(_) => ChannelFault { code: "unavailable".to_owned(), permanent: false },
            }
        })
    }
}

/// What a text looks like as a message.
pub(super) fn example(hrms: &Hrms, kind: &NotificationType, organization: String, told: Told) -> Message {
    let nobody = Uuid::nil();
    let link = |path: &str| hrms.public_url().map(|url| format!("{url}/{path}"));
    let item = OutgoingItem {
        id: NotificationId::from_uuid(nobody),
        r#type: kind.name.to_owned(),
        title: told.title,
        body: told.body,
        subject: String::new(),
        link: link("notifications/…"),
        created_at: hrms.clock().now(),
    };
    let message = Outgoing {
        id: NotificationDeliveryId::from_uuid(nobody),
        tenant: TenantId::from_uuid(nobody),
        organization,
        language: told.language,
        unsubscribe: link("api/v1/notifications/unsubscribe/…").filter(|_| !kind.security),
        items: vec![item],
        now: hrms.clock().now(),
    };
    letter("", &message)
}

fn letter(to: &str, message: &Outgoing) -> Message {
    let words = words(&message.language);
    let one = match &*message.items {
        [one] => Some(one),
        _ => None,
    };
    let subject = match one {
        Some(one) => one.title.clone(),
        None => words.digest.replace("{}", &message.items.len().to_string()),
    };
    let mut letter = Letter::new(subject).in_language(&message.language);
    for item in &message.items {
        if one.is_none() {
            letter = letter.heading(&item.title);
        }
        for paragraph in item.body.split("\n\n") {
            letter = letter.paragraph(paragraph);
        }
        if let Some(link) = &item.link {
            letter = letter.paragraph(words.open).line(link);
        }
    }
    letter = letter.paragraph(&format!("{} {}.", words.because, message.organization));
    if let Some(unsubscribe) = &message.unsubscribe {
        letter = letter.paragraph(words.stop).line(unsubscribe);
    }
    let mut mail = letter.to(to);
    mail.id = Some(message.id.as_uuid());
    mail.unsubscribe.clone_from(&message.unsubscribe);
    mail
}
