//! Messages that leave the system: what a message is, and the trait behind which it is sent.
//!
//! Who sends them is for the builder: [`Builder::mailer`](crate::hrms::Builder::mailer). Without a mailer nothing
//! is sent, and each message that would have been is a line in the log, with neither its text nor its address.

mod letter;

use std::fmt;

use async_trait::async_trait;
use uuid::Uuid;

pub use letter::Language;
pub(crate) use letter::Letter;

/// A message to one person.
///
/// Text and HTML may hold secrets, such as the link of a password reset: neither is ever printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The address, in its normal form (see [`email::normalize`](crate::email::normalize)).
    pub to: String,
    /// The subject: one line without secrets.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The same once more as HTML, for those who want it.
    pub html: Option<String>,
    /// What the `Message-ID` is made of: the same for what may be sent twice. Without it, each is new.
    pub id: Option<Uuid>,
    /// Where one click stops messages like this (RFC 8058).
    pub unsubscribe: Option<String>,
}

impl Message {
    /// A message of text only.
    pub fn plain(to: impl Into<String>, subject: impl Into<String>, text: impl Into<String>) -> Self {
        let (to, subject, text) = (to.into(), subject.into(), text.into());
        Self { to, subject, text, html: None, id: None, unsubscribe: None }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Why a message wasn't handed over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// It will never be taken: a faulty address, a message that the server refuses for good.
    #[error("the message was refused")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It may be taken later: the server can't be reached or is busy.
    #[error("the mail server is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Sends messages.
#[async_trait]
pub trait Mailer: Send + Sync + fmt::Debug {
    /// Hands a message over. Once this is done, it is no longer our affair.
    ///
    /// # Errors
    /// [`MailError`]. Neither it nor a log line of the implementation may hold the message's text.
    async fn send(&self, message: Message) -> Result<(), MailError>;

    /// Whether messages are sent at all; what isn't is not even put together.
    fn is_configured(&self) -> bool {
        true
    }
}

/// Sends nothing: the mailer when none is configured.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMailer;

#[async_trait]
impl Mailer for NoMailer {
    async fn send(&self, message: Message) -> Result<(), MailError> {
        tracing::warn!(subject = message.subject, "no mailer is configured: a message was dropped");
        Ok(())
    }

    fn is_configured(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_shows_its_subject_only() {
        let message = Message {
            to: "jane@example.com".into(),
            subject: "Hello".into(),
            text: "the secret".into(),
            html: Some("<b>the secret</b>".into()),
            id: None,
            unsubscribe: Some("the secret".into()),
        };
        assert_eq!(format!("{message:?}"), "Message { subject: \"Hello\", .. }");
    }
}
