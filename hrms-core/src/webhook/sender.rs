//! Sending: what a message is, and the trait behind which it leaves.

use std::fmt;

use async_trait::async_trait;

use crate::error::FieldError;

/// A message to an endpoint.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookRequest {
    /// Where to: checked by [`WebhookSender::check`] when it was set.
    pub url: String,
    /// The header `webhook-id`: the same at every attempt.
    pub id: String,
    /// The header `webhook-timestamp`: seconds since 1970, of this attempt.
    pub timestamp: i64,
    /// The header `webhook-signature`.
    pub signature: String,
    /// The body: a CloudEvent as JSON.
    pub body: Vec<u8>,
}

impl fmt::Debug for WebhookRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookRequest").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What an endpoint answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookAnswer {
    /// The status.
    pub status: u16,
    /// The beginning of the body, at most 500 characters.
    pub excerpt: String,
}

/// Why nothing was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookFault {
    /// The address may not be used.
    #[error("the address may not be used")]
    Refused,
    /// The host has no address.
    #[error("the host has no address")]
    Unresolved,
    /// All of the host's addresses are in networks that nothing is sent to.
    #[error("the host is in a network that nothing is sent to")]
    ForbiddenNetwork,
    /// Nobody takes the connection.
    #[error("nobody takes the connection")]
    Unreachable,
    /// The other side couldn't prove who it is.
    #[error("the encrypted connection failed")]
    Tls,
    /// It took too long.
    #[error("it took too long")]
    Timeout,
    /// The other side doesn't speak HTTP.
    #[error("the answer isn't HTTP")]
    Protocol,
    /// Nothing can be sent from here.
    #[error("this service sends no webhooks")]
    NotConfigured,
}

impl WebhookFault {
    /// The stable name, as in `timeout`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unresolved => "unresolved",
            Self::ForbiddenNetwork => "forbidden-network",
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Protocol => "protocol",
            Self::NotConfigured => "not-configured",
        }
    }
}

/// Sends messages to endpoints. It must not be talked into reaching what only this machine or its network can.
#[async_trait]
pub trait WebhookSender: Send + Sync + fmt::Debug {
    /// Sends a message once, without following redirects, in bounded time.
    ///
    /// # Errors
    /// [`WebhookFault`] when there was no answer.
    async fn send(&self, request: WebhookRequest) -> Result<WebhookAnswer, WebhookFault>;

    /// Whether an address can be one of an endpoint, as far as it tells by itself.
    ///
    /// # Errors
    /// What is wrong with it, for the field `/url`.
    fn check(&self, url: &str) -> Result<(), FieldError>;

    /// Whether anything is sent at all.
    fn is_configured(&self) -> bool {
        true
    }
}

/// Sends nothing: the sender when none is configured. No endpoints can be added then.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoWebhookSender;

#[async_trait]
impl WebhookSender for NoWebhookSender {
    async fn send(&self, _: WebhookRequest) -> Result<WebhookAnswer, WebhookFault> {
        Err(WebhookFault::NotConfigured)
    }

    fn check(&self, _: &str) -> Result<(), FieldError> {
        Err(FieldError::new("/url", "refused", "this service sends no webhooks"))
    }

    fn is_configured(&self) -> bool {
        false
    }
}
