//! Operators of the service: they run organisations from outside and see nothing inside them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::actor::Cause;
use crate::audit::{Act, Audited, Author, Change};
use crate::email;
use crate::error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};
use crate::event::subject;
use crate::hrms::Hrms;
use crate::id::{RequestId, SessionId, UserId};
use crate::password;
use crate::secret::Secret;
use crate::user::Account;
use crate::validate::Check;

/// The acting operator: the first argument of every method that works on the platform.
///
/// It is no [`Actor`](crate::Actor): it belongs to no tenant and opens none.
#[derive(Clone, Debug)]
pub struct Operator {
    user: Option<UserId>,
    session: Option<SessionId>,
    cause: Cause,
    request: RequestId,
}

impl Operator {
    /// An operator who logged in. For HTTP authentication, and embedders who authenticate by themselves.
    #[must_use]
    pub fn user(user: UserId, session: Option<SessionId>, request: RequestId) -> Self {
        Self { user: Some(user), session, cause: Cause::Request, request }
    }

    /// The person who runs the server, at its command line.
    #[must_use]
    pub fn command(request: RequestId) -> Self {
        Self { user: None, session: None, cause: Cause::OperatorCommand, request }
    }

    /// The operator's user; `None` at the command line.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        self.user
    }

    /// The log-in behind it, if there is one.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        self.session
    }

    /// What made the operator act.
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// The request that this is part of.
    #[must_use]
    pub fn request(&self) -> RequestId {
        self.request
    }
}

/// What a new operator needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewOperator {
    /// The address to log in with; no other account may have it.
    pub email: String,
    /// Name shown to people, at most 200 characters.
    pub name: String,
    /// The password, 15 to 256 characters.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Password))]
    pub password: Secret,
}

/// Somebody who may act as [`Operator`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OperatorAccount {
    /// The user.
    pub id: UserId,
    /// The address to log in with.
    pub email: String,
    /// Name shown to people.
    pub name: String,
    /// When the account was created.
    pub created_at: Timestamp,
}

impl Audited for OperatorAccount {}

/// Why something about an operator was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// The e-mail address is another account's.
    #[error("another account has this e-mail address")]
    EmailTaken,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

impl DomainError for OperatorError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::EmailTaken => ErrorKind::Conflict,
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::EmailTaken => "operator.email-taken",
            Self::Common(common) => common.code(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::EmailTaken => &[],
            Self::Common(common) => common.fields(),
        }
    }
}

impl From<CommonError> for OperatorError {
    fn from(error: CommonError) -> Self {
        Self::Common(error)
    }
}

impl From<StoreError> for OperatorError {
    fn from(error: StoreError) -> Self {
        match error.constraint() {
            Some("user_account_email_key") => Self::EmailTaken,
            _ => Self::Common(error.into()),
        }
    }
}

/// What can be done with operators.
#[derive(Clone, Copy, Debug)]
pub struct OperatorService<'a>(&'a Hrms);

impl Hrms {
    /// Operators of the service.
    #[must_use]
    pub fn operators(&self) -> OperatorService<'_> {
        OperatorService(self)
    }
}

impl OperatorService<'_> {
    /// Adds an operator.
    ///
    /// # Errors
    /// [`OperatorError::EmailTaken`]; faulty fields; [`CommonError::Busy`].
    pub async fn create(&self, by: &Operator, new: NewOperator) -> Result<OperatorAccount, OperatorError> {
        let email =
            email::normalize("/email", &new.email).map_err(|fault| CommonError::Invalid(vec![fault]))?;
        let mut check = Check::new();
        check.text("/name", &new.name, 1..=200);
        check.add(password::check(&new.password, &[&email, &new.name]));
        check.done()?;
        let account = Account {
            id: UserId::from_uuid(self.0.ids().next()),
            email,
            name: new.name,
            password_hash: self.0.hashing().hash(new.password).await?,
            created_at: self.0.clock().now(),
        };
        self.0.directory().insert_operator(&account).await?;
        tracing::info!(operator = %account.id, by = ?by.user_id(), request_id = %by.request(), "operator created");
        let Account { id, email, name, created_at, .. } = account;
        let account = OperatorAccount { id, email, name, created_at };
        let subject = subject("operators", id.as_uuid());
        let act = Act { action: "operator.created".into(), subject, change: Change::created(&account) };
        self.0.audit().record(None, &Author::from(by), act).await?;
        Ok(account)
    }
}
