//! Why something about notifications was refused.

use crate::error::{CommonError, DomainError, ErrorKind, FieldError};

/// Why something about notifications was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotificationError {
    /// The inbox is somebody's own.
    #[error("an inbox is for the person whose it is")]
    NotYours,
    /// The delivery hasn't ended.
    #[error("the notification is still being sent")]
    Waiting,
    /// It was taken already.
    #[error("the notification was sent")]
    Sent,
    /// There are as many texts as an organisation can have.
    #[error("an organisation has at most 500 texts of its own")]
    TooManyTexts,
    /// It is about security, and whoever would hide something could hide it in other words.
    #[error("what is told about security is always said in the same words")]
    TextFixed,
    /// There are as many channels as an organisation can have.
    #[error("an organisation has at most {} channels of its own", super::MOST_CHANNELS)]
    TooManyChannels,
    /// There is a channel of this name.
    #[error("there is a channel of this name")]
    ChannelTaken,
    /// Nothing can be sent from here.
    #[error("this service sends nothing to programs elsewhere")]
    NotConfigured,
    /// The link to stop messages is no good.
    #[error("this link is no good")]
    BadLink,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

crate::lift_common_errors!(NotificationError);

impl DomainError for NotificationError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotYours => ErrorKind::Forbidden,
            Self::Waiting
            | Self::Sent
            | Self::TooManyTexts
            | Self::TextFixed
            | Self::TooManyChannels
            | Self::ChannelTaken
            | Self::NotConfigured => ErrorKind::Conflict,
            Self::BadLink => ErrorKind::NotFound,
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotYours => "notification.not-yours",
            Self::Waiting => "notification.waiting",
            Self::Sent => "notification.sent",
            Self::TooManyTexts => "notification.too-many-texts",
            Self::TextFixed => "notification.text-fixed",
            Self::TooManyChannels => "notification.too-many-channels",
            Self::ChannelTaken => "notification.channel-taken",
            Self::NotConfigured => "notification.not-configured",
            Self::BadLink => "notification.bad-link",
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
