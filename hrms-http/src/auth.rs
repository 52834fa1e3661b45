//! Who calls: the credential of a request, turned into a caller by an [`Authenticate`].

use std::net::IpAddr;

use async_trait::async_trait;
use hrms_core::identity::{Pending, Subject};
use hrms_core::jiff::Timestamp;
use hrms_core::{Actor, CommonError, Operator, RequestId, SessionId, StoreError, UserId};
use http::HeaderValue;
use http::header::WWW_AUTHENTICATE;
use http::request::Parts;

use crate::problem::Problem;
use crate::token::Tokens;

/// Who sent a request.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "one a request; a box would be in the way of every `Authenticate`"
)]
pub enum Caller {
    /// Nobody: the request carries no credential.
    Anonymous,
    /// A user of an organisation.
    User(Actor),
    /// Somebody who operates the service; acts in no tenant.
    Operator(OperatorCaller),
    /// Somebody who logged in, with something still to be done first: a second factor, a new password.
    /// Nothing else is open to them.
    Incomplete(IncompleteCaller),
}

/// Somebody whose session lacks something.
#[derive(Clone, Debug)]
pub struct IncompleteCaller {
    /// Who, and which session.
    pub subject: Subject,
    /// What it lacks.
    pub pending: Vec<Pending>,
    /// When they last proved who they are.
    pub confirmed_at: Option<Timestamp>,
    /// The request.
    pub request: RequestId,
}

/// Somebody who operates the service.
#[derive(Clone, Debug)]
pub struct OperatorCaller {
    /// The operator's user.
    pub user: UserId,
    /// The log-in that the request is part of.
    pub session: Option<SessionId>,
    /// When they last proved who they are; `None` for those who aren't to be asked.
    pub confirmed_at: Option<Timestamp>,
    /// The request.
    pub request: RequestId,
    /// The client's address; set by the server.
    pub address: Option<IpAddr>,
}

impl OperatorCaller {
    /// As the services know it.
    pub(crate) fn operator(&self) -> Operator {
        Operator::user(self.user, self.session, self.request).from_address(self.address)
    }
}

/// Why a credential was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// A credential is there, but it isn't good: forged, expired, revoked, for somebody disabled.
    #[error("{detail}")]
    Refused {
        /// A stable machine-readable name such as `auth.token-expired`.
        code: &'static str,
        /// One sentence for a person; says nothing that helps to guess credentials.
        detail: &'static str,
    },
    /// It couldn't be checked.
    #[error(transparent)]
    Failed(#[from] CommonError),
}

impl From<StoreError> for AuthError {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Refused { code, detail } => {
                // RFC 6750, section 3.1: a token was there, so say what is wrong with it.
                let challenge = HeaderValue::from_static("Bearer error=\"invalid_token\"");
                Self::unauthenticated(code, detail).with_header(WWW_AUTHENTICATE, challenge)
            }
            AuthError::Failed(common) => common.into(),
        }
    }
}

/// Turns the credential of a request into a caller.
///
/// Asked for every endpoint that isn't public, before the body is read. Public endpoints don't ask.
#[async_trait]
pub trait Authenticate: Send + Sync {
    /// The caller that the request's headers (or, for a WebSocket, its ticket) prove.
    ///
    /// `request` goes into the [`Actor`], so that logs, events and jobs can be tied together.
    ///
    /// # Errors
    /// A credential that is there but isn't good is refused; it never makes the caller anonymous.
    async fn authenticate(&self, parts: &Parts, request: RequestId) -> Result<Caller, AuthError>;

    /// What makes access tokens at log-in. Without it there is no log-in over HTTP.
    fn tokens(&self) -> Option<&Tokens> {
        None
    }

    /// Forgets what is remembered of a session: it has just ended.
    fn forget(&self, _: &Subject) {}
}
