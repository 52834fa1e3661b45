//! Why something about webhooks was refused.

use crate::error::{CommonError, DomainError, ErrorKind, FieldError};

/// Why something about a webhook was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// There are as many endpoints as an organisation can have.
    #[error("an organisation has at most {} webhooks", super::MOST_WEBHOOKS)]
    TooMany,
    /// It is disabled.
    #[error("the webhook is disabled: enable it first")]
    Disabled,
    /// The event is no longer in the log.
    #[error("the event is no longer kept")]
    EventGone,
    /// The endpoint doesn't ask for events of this type any more.
    #[error("the webhook doesn't ask for events of this type any more")]
    NotWanted,
    /// Nothing can be sent from here.
    #[error("this service sends no webhooks")]
    NotConfigured,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

crate::lift_common_errors!(WebhookError);

impl DomainError for WebhookError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::TooMany | Self::Disabled | Self::EventGone | Self::NotWanted | Self::NotConfigured => {
                ErrorKind::Conflict
            }
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::TooMany => "webhook.too-many",
            Self::Disabled => "webhook.disabled",
            Self::EventGone => "webhook.event-gone",
            Self::NotWanted => "webhook.not-wanted",
            Self::NotConfigured => "webhook.not-configured",
            Self::Common(common) => common.code(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::Common(common) => common.fields(),
            _ => &[],
        }
    }
}
