//! Operators of the service: they run organisations from outside and see nothing inside them.

use std::net::IpAddr;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::actor::Cause;
use crate::audit::{Act, Audited, Author, Change};
use crate::email;
use crate::error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};
use crate::event::subject;
use crate::hrms::Hrms;
use crate::id::{RequestId, SessionId, SupportGrantId, TenantId, UserId};
use crate::page::{Page, PageRequest, Position};
use crate::password;
use crate::secret::Secret;
use crate::store::{Directory, Version, Versioned};
use crate::user::{Account, UserStatus};
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
    address: Option<IpAddr>,
}

impl Operator {
    /// An operator who logged in. For HTTP authentication, and embedders who authenticate by themselves.
    #[must_use]
    pub fn user(user: UserId, session: Option<SessionId>, request: RequestId) -> Self {
        Self { user: Some(user), session, cause: Cause::Request, request, address: None }
    }

    /// The person who runs the server, at its command line.
    #[must_use]
    pub fn command(request: RequestId) -> Self {
        Self { user: None, session: None, cause: Cause::OperatorCommand, request, address: None }
    }

    /// The same operator, calling from a network address, as far as it is known for certain.
    #[must_use]
    pub fn from_address(self, address: Option<IpAddr>) -> Self {
        Self { address, ..self }
    }

    /// From where the operator calls, if it is known.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.address
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
    /// Whether they can log in.
    pub status: UserStatus,
    /// When the account was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Versioned for OperatorAccount {
    fn version(&self) -> Version {
        self.version
    }
}

/// A living log-in of an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OperatorSession {
    /// The session.
    pub id: SessionId,
    /// When they logged in.
    pub created_at: Timestamp,
    /// When it was last refreshed.
    pub last_used_at: Timestamp,
    /// When it ends unless it is refreshed.
    pub expires_at: Timestamp,
    /// From which network address.
    pub address: Option<String>,
    /// With what.
    pub user_agent: Option<String>,
}

/// Which operators to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct OperatorFilter {
    /// Only those with this status.
    pub status: Option<UserStatus>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Orders of a list of operators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OperatorSort {
    /// By address.
    #[default]
    Email,
}

/// Orders of a list of an operator's sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OperatorSessionSort {
    /// By when they logged in.
    #[default]
    CreatedAt,
}

/// Operators in storage.
#[async_trait]
pub trait OperatorDirectory: Send + Sync {
    /// The operator with this id, disabled or not.
    async fn operator_account(&self, id: UserId) -> Result<Option<OperatorAccount>, StoreError>;

    /// Up to `limit + 1` operators in the order asked for.
    async fn operators(
        &self,
        filter: &OperatorFilter,
        page: &PageRequest<OperatorSort>,
    ) -> Result<Vec<OperatorAccount>, StoreError>;

    /// Writes the status of an operator's account if its stored version is still `expected`. Disabling ends all
    /// sessions of the account.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with `platform_operator_last` when nobody else would be active, also when others
    /// are disabled at the same moment.
    async fn update_operator(&self, operator: &OperatorAccount, expected: Version) -> Result<(), StoreError>;

    /// Up to `limit + 1` living sessions of an operator in the order asked for.
    async fn operator_sessions(
        &self,
        id: UserId,
        now: Timestamp,
        page: &PageRequest<OperatorSessionSort>,
    ) -> Result<Vec<OperatorSession>, StoreError>;

    /// Ends a living session of an operator; whether there was one.
    async fn end_operator_session(
        &self,
        id: UserId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// The operator's grants of support access that are alive at `now`, and in which organisation each is.
    async fn living_grants(
        &self,
        id: UserId,
        now: Timestamp,
    ) -> Result<Vec<(TenantId, SupportGrantId)>, StoreError>;
}

impl Audited for OperatorAccount {}

/// Why something about an operator was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// The e-mail address is another account's.
    #[error("another account has this e-mail address")]
    EmailTaken,
    /// The platform would be left without an operator.
    #[error("this is the last operator who can log in")]
    LastOperator,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

impl DomainError for OperatorError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::EmailTaken | Self::LastOperator => ErrorKind::Conflict,
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::EmailTaken => "operator.email-taken",
            Self::LastOperator => "operator.last",
            Self::Common(common) => common.code(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::EmailTaken | Self::LastOperator => &[],
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
            Some("platform_operator_last") => Self::LastOperator,
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

const NOT_FOUND: CommonError = CommonError::NotFound { what: "operator" };

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
        let Account { id, email, name, created_at, .. } = account.clone();
        let (status, updated_at, version) = (UserStatus::Active, created_at, Version::FIRST);
        let created = OperatorAccount { id, email, name, status, created_at, updated_at, version };
        let directory = self.recording(by, "operator.created", id, Change::created(&created));
        directory.insert_operator(&account).await?;
        tracing::info!(operator = %id, by = ?by.user_id(), request_id = %by.request(), "operator created");
        Ok(created)
    }

    /// One operator.
    ///
    /// # Errors
    /// When it isn't there.
    pub async fn get(&self, _by: &Operator, id: UserId) -> Result<OperatorAccount, OperatorError> {
        Ok(self.0.directory().operator_account(id).await?.ok_or(NOT_FOUND)?)
    }

    /// A page of operators.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn list(
        &self,
        _by: &Operator,
        filter: &OperatorFilter,
        page: &PageRequest<OperatorSort>,
    ) -> Result<Page<OperatorAccount>, OperatorError> {
        let rows = self.0.directory().operators(filter, page).await?;
        Ok(Page::from_rows(rows, page.limit, |last| Position {
            key: last.email.clone(),
            id: last.id.as_uuid(),
        }))
    }

    /// Stops an operator's account: it can't log in, and whatever was open has ended, as has the support
    /// access that it was granted; enabling doesn't bring that back.
    ///
    /// # Errors
    /// [`OperatorError::LastOperator`]; when it isn't there.
    pub async fn disable(&self, by: &Operator, id: UserId) -> Result<OperatorAccount, OperatorError> {
        self.set_status(by, id, UserStatus::Disabled).await
    }

    /// Lets a disabled operator log in again.
    ///
    /// # Errors
    /// When it isn't there.
    pub async fn enable(&self, by: &Operator, id: UserId) -> Result<OperatorAccount, OperatorError> {
        self.set_status(by, id, UserStatus::Active).await
    }

    /// The directory to change an operator through: what is done goes on the platform's record with the change.
    fn recording(
        &self,
        by: &Operator,
        action: &'static str,
        id: UserId,
        change: Change,
    ) -> Box<dyn Directory + Send + Sync> {
        let act = Act { action: action.into(), subject: subject("operators", id.as_uuid()), change };
        self.0.audit().record(Author::from(by)).entry(None, act).directory()
    }

    async fn set_status(
        &self,
        by: &Operator,
        id: UserId,
        status: UserStatus,
    ) -> Result<OperatorAccount, OperatorError> {
        let before = self.get(by, id).await?;
        if before.status != UserStatus::Active {
            // What was granted at the moment of disabling, or wasn't reached then, isn't to come back.
            self.0.support().end_all(by, id).await?;
        }
        if before.status == status {
            return Ok(before);
        }
        let (expected, updated_at) = (before.version, self.0.clock().now());
        let after = before.clone();
        let account = OperatorAccount { status, updated_at, version: expected.next(), ..after };
        let action = match status {
            UserStatus::Active => "operator.enabled",
            UserStatus::Disabled | UserStatus::Removed => "operator.disabled",
        };
        let directory = self.recording(by, action, id, Change::changed(&before, &account));
        directory.update_operator(&account, expected).await?;
        if status != UserStatus::Active {
            self.0.support().end_all(by, id).await?;
        }
        tracing::info!(operator = %id, ?status, by = ?by.user_id(), request_id = %by.request(), "operator's status changed");
        Ok(account)
    }

    /// A page of an operator's living sessions.
    ///
    /// # Errors
    /// When the operator isn't there.
    pub async fn sessions(
        &self,
        by: &Operator,
        id: UserId,
        page: &PageRequest<OperatorSessionSort>,
    ) -> Result<Page<OperatorSession>, OperatorError> {
        self.get(by, id).await?;
        let rows = self.0.directory().operator_sessions(id, self.0.clock().now(), page).await?;
        Ok(Page::from_rows(rows, page.limit, |last| Position {
            key: last.created_at.to_string(),
            id: last.id.as_uuid(),
        }))
    }

    /// Ends a session of an operator.
    ///
    /// # Errors
    /// When there is no such living session.
    pub async fn end_session(
        &self,
        by: &Operator,
        id: UserId,
        session: SessionId,
    ) -> Result<(), OperatorError> {
        let directory = self.recording(by, "operator.session_ended", id, Change::none());
        if !directory.end_operator_session(id, session, self.0.clock().now()).await? {
            return Err(CommonError::NotFound { what: "session" }.into());
        }
        tracing::info!(operator = %id, %session, by = ?by.user_id(), request_id = %by.request(), "operator's session ended");
        Ok(())
    }
}
