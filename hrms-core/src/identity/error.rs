//! Why something about identity was refused.

use crate::error::{CommonError, DomainError, ErrorKind, FieldError};

/// Why a log-in or a refresh was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Organisation, address or password is wrong, or log-in isn't possible; nobody is told which.
    #[error("the organisation, the e-mail address or the password is wrong")]
    InvalidCredentials,
    /// Too many failed attempts from there, or for that account.
    #[error("too many attempts; try again in {seconds} seconds")]
    TooManyAttempts {
        /// How long to wait.
        seconds: u32,
    },
    /// The refresh token isn't good, or not any more.
    #[error("this refresh token is not valid any more; log in again")]
    RefreshRefused,
    /// The password is right, but the one-time code isn't.
    #[error("the one-time code isn't good, or was used already")]
    InvalidOtp,
    /// The password is right, and the account has a second factor that wasn't shown.
    #[error("this account has a second factor: send a one-time code too")]
    OtpRequired,
    /// A one-time code was sent for an account without second factor.
    #[error("no second factor is set up for this account")]
    OtpNotEnrolled,
    /// The session has ended, just now or before.
    #[error("the session has ended; log in again")]
    SessionEnded,
    /// There is nothing that the session lacks.
    #[error("this session has passed the second factor, or needs none")]
    NothingPending,
    /// Second factors can't be set up here: there is no key to keep their secrets with.
    #[error("second factors can't be set up on this installation")]
    TotpUnavailable,
    /// No second factor is being set up, or not any more.
    #[error("start to set up the second factor first")]
    TotpNotStarted,
    /// An organisation requires the second factor, or the service does of its operators.
    #[error(
        "an organisation that you belong to, or the service that you operate, requires the second factor"
    )]
    SecondFactorRequired,
    /// The password is too short without a second factor.
    #[error("your password is long enough only with a second factor; change it first")]
    PasswordNeedsFactor,
    /// One's own second factor is removed in another way.
    #[error("somebody else has to reset your second factor")]
    OwnSecondFactor,
    /// The account belongs to other organisations, too.
    #[error("this account is used elsewhere too; an operator of the service has to do that")]
    AccountShared,
    /// The reset token isn't good, or not any more.
    #[error("this token is not valid any more; ask for a new one")]
    ResetRefused,
    /// The token of a change of address isn't good, or not any more.
    #[error("this token is not valid any more; ask for the change again")]
    EmailChangeRefused,
    /// No mail is configured, so that nothing could arrive.
    #[error("mail isn't set up on this installation")]
    MailNotConfigured,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

crate::lift_common_errors!(IdentityError);

impl DomainError for IdentityError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::InvalidCredentials
            | Self::InvalidOtp
            | Self::OtpRequired
            | Self::RefreshRefused
            | Self::SessionEnded => ErrorKind::Unauthenticated,
            Self::TooManyAttempts { .. } => ErrorKind::Throttled,
            Self::OtpNotEnrolled | Self::ResetRefused | Self::EmailChangeRefused => ErrorKind::Invalid,
            Self::NothingPending
            | Self::TotpUnavailable
            | Self::TotpNotStarted
            | Self::SecondFactorRequired
            | Self::PasswordNeedsFactor
            | Self::MailNotConfigured
            | Self::AccountShared => ErrorKind::Conflict,
            Self::OwnSecondFactor => ErrorKind::Forbidden,
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::InvalidCredentials => "auth.invalid-credentials",
            Self::TooManyAttempts { .. } => "auth.too-many-attempts",
            Self::RefreshRefused => "auth.invalid-refresh-token",
            Self::InvalidOtp => "auth.invalid-otp",
            Self::OtpRequired => "auth.otp-required",
            Self::OtpNotEnrolled => "auth.otp-not-enrolled",
            Self::SessionEnded => "auth.session-ended",
            Self::NothingPending => "auth.nothing-pending",
            Self::TotpUnavailable => "auth.totp-unavailable",
            Self::TotpNotStarted => "auth.totp-not-started",
            Self::SecondFactorRequired => "auth.second-factor-needed",
            Self::PasswordNeedsFactor => "auth.password-needs-factor",
            Self::OwnSecondFactor => "user.own-second-factor",
            Self::AccountShared => "user.account-shared",
            Self::ResetRefused => "auth.invalid-reset-token",
            Self::EmailChangeRefused => "auth.invalid-email-token",
            Self::MailNotConfigured => "mail.not-configured",
            Self::Common(common) => common.code(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::Common(common) => common.fields(),
            _ => &[],
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::TooManyAttempts { seconds } => Some(*seconds),
            _ => None,
        }
    }
}
