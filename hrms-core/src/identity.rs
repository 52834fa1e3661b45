//! Log-in, refresh, log-out: who is behind a request, and for how long.
//!
//! A log-in opens a *session*: the family of one refresh token, rotated at each use. Access tokens are the
//! front end's affair; whatever it hands out stands for the session and is worth what
//! [`IdentityService::standing`] says at that moment.

mod credential;
mod email_change;
mod error;
mod me;
mod new_password;
mod proof;
mod refresh;
mod second_factor;
mod session;
mod switch;
mod throttle;
mod totp;

use std::fmt;
use std::net::IpAddr;
use std::sync::OnceLock;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use uuid::Uuid;

use crate::audit::{Act, Author, Change, Log, Outcome};
use crate::email;
use crate::error::{CommonError, StoreError};
use crate::hrms::Hrms;
use crate::id::{RequestId, SessionId, TenantId, UserId};
use crate::operator::OperatorAccount;
use crate::password::{HashingPool, Verdict};
use crate::secret::Secret;
use crate::store::Directory;
use crate::user::{Account, Standing};
use crate::validate::fold;

use new_password::ResetQueue;
use refresh::{RefreshToken, Refreshing};
use throttle::Guess;

pub use credential::{
    AccountFacts, CONFIRMED_FOR, CredentialDirectory, Demands, INCOMPLETE_FOR, MOST_FAILURES, NewPassword,
    Pending, SessionInfo, SessionState, StoredTotp, is_confirmed,
};
pub use email_change::{
    EmailChange, EmailChangeDirectory, EmailConfirmation, NewEmailChange, WaitingEmailChange,
};
pub use error::IdentityError;
pub use me::{Me, MyOrganization, MyPermission, MyUser};
pub use new_password::{PasswordChange, PasswordForgotten, PasswordReset};
pub use second_factor::{FirstCode, RecoveryCodes, SecondFactor, SecondFactorReset, TotpEnrolment};
pub use session::{SessionStatus, Sessions, StepUp};
pub use switch::{Switch, Switched};
pub use totp::RECOVERY_CODES;

/// A session ends when it isn't refreshed for this long…
pub const IDLE_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
/// …and this long after the log-in in any case.
pub const LASTS_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);

/// What the service remembers in this process.
#[derive(Debug, Default)]
pub(crate) struct State {
    hashing: OnceLock<HashingPool>,
    refreshing: Refreshing,
    resets: ResetQueue,
}

impl State {
    pub(crate) fn hashing(&self) -> &HashingPool {
        self.hashing.get_or_init(HashingPool::start)
    }
}

/// What somebody logs in with.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    /// The organisation's short name; operators of the service leave it out.
    #[serde(default)]
    pub organization: Option<String>,
    /// The account's address.
    pub email: String,
    /// The password.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Password))]
    pub password: Secret,
    /// A one-time code, for accounts with a second factor.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub otp: Option<Secret>,
}

/// From where somebody logs in.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// Their network address, as far as it is known for certain.
    pub address: Option<IpAddr>,
    /// What their program calls itself.
    pub user_agent: Option<String>,
    /// The request that it is part of.
    pub request: Option<RequestId>,
}

/// Who a session is for. Without a tenant: an operator of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The organisation.
    pub tenant: Option<TenantId>,
    /// The user.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
}

/// A session that was opened or refreshed.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Who it is for.
    pub subject: Subject,
    /// What it is refreshed with, once.
    pub refresh_token: Secret,
    /// What it lacks; until then it can do nothing else.
    pub pending: Vec<Pending>,
}

/// Somebody who could log in, if the password is right.
#[derive(Clone)]
pub struct Candidate {
    /// The organisation; `None` for an operator.
    pub tenant: Option<TenantId>,
    /// The user.
    pub user: UserId,
    /// The password's hash.
    pub password_hash: String,
    /// What is asked of the account there.
    pub demands: Demands,
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate")
            .field("tenant", &self.tenant)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// A session to be stored.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Who it is for.
    pub subject: Subject,
    /// Hash of the part of the refresh token that stays.
    pub family_hash: [u8; 32],
    /// Hash of the part that changes.
    pub refresh_hash: [u8; 32],
    /// Now.
    pub created_at: Timestamp,
    /// When it ends unless it is refreshed.
    pub expires_at: Timestamp,
    /// When it ends in any case.
    pub ends_at: Timestamp,
    /// From where.
    pub address: Option<IpAddr>,
    /// With what; at most 200 characters.
    pub user_agent: Option<String>,
    /// Whether everything that the account has to show was shown.
    pub confirmed: bool,
    /// Whether a second factor was.
    pub second_factor: bool,
}

/// The stored hash of a password that was right.
#[derive(Clone, Copy)]
pub struct Proof<'a> {
    /// The hash that was compared with.
    pub hash: &'a str,
    /// A better one to be stored in its place.
    pub renewed: Option<&'a str>,
}

impl fmt::Debug for Proof<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof([redacted])")
    }
}

/// One use of a refresh token.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// The organisation; `None` for an operator.
    pub tenant: Option<TenantId>,
    /// The session.
    pub session: SessionId,
    /// Hash of the part that stays.
    pub family_hash: [u8; 32],
    /// Hash of the part that was presented.
    pub presented: [u8; 32],
    /// Hash of the part that takes its place.
    pub next: [u8; 32],
    /// Now.
    pub now: Timestamp,
    /// When the session ends unless it is refreshed again; its own last day comes first.
    pub expires_at: Timestamp,
}

/// Accounts and sessions, across tenants.
#[async_trait]
pub trait IdentityDirectory: Send + Sync {
    /// Who may log in under this address: a member of the organisation with this slug, or an operator.
    /// Only where account, membership and organisation are all active.
    async fn candidate(
        &self,
        organization: Option<&str>,
        email: &str,
    ) -> Result<Option<Candidate>, StoreError>;

    /// From where a user has logged in since then: each address once, of the last 200 log-ins.
    /// Without a tenant: an operator.
    async fn log_in_addresses(
        &self,
        tenant: Option<TenantId>,
        user: UserId,
        since: Timestamp,
    ) -> Result<Vec<IpAddr>, StoreError>;

    /// Stores a session, and the password's new hash if it was renewed; nothing if the password was changed
    /// since it was compared. Whether it was stored.
    async fn insert_session(&self, session: &NewSession, proof: Proof<'_>) -> Result<bool, StoreError>;

    /// Puts `next` in the place of `presented`, in one atomic statement: of any number of callers with the
    /// same token, one gets the user. Nobody does when session, account, membership or organisation have ended.
    async fn rotate_session(&self, rotation: &Rotation) -> Result<Option<UserId>, StoreError>;

    /// Ends the session if the token belongs to it but isn't its present one; whether it did.
    async fn end_reused_session(&self, rotation: &Rotation) -> Result<bool, StoreError>;

    /// Ends a member's session, if the presented token is its present one, and opens another one of the same account
    /// in its place, in one transaction: never are there two. What the one has proved and when it began is true of the
    /// other. Of any number of callers one gets it. Whether it was done.
    async fn switch_session(&self, from: &Rotation, to: &Switched) -> Result<bool, StoreError>;

    /// Ends a session of this subject; whether there is one, ended before or not.
    async fn end_session(&self, subject: &Subject, now: Timestamp) -> Result<bool, StoreError>;

    /// The operator behind a session, if both are alive at `now`.
    async fn operator(
        &self,
        user: UserId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<Option<OperatorAccount>, StoreError>;

    /// Adds an account that operates the service.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with `user_account_email_key`.
    async fn insert_operator(&self, account: &Account) -> Result<(), StoreError>;
}

/// What was done to a session or an account, without values.
fn act(action: &'static str, collection: &str, id: Uuid) -> Act {
    Act { action: action.into(), subject: crate::event::subject(collection, id), change: Change::none() }
}

/// What can be done about one's identity.
#[derive(Clone, Copy, Debug)]
pub struct IdentityService<'a>(pub(crate) &'a Hrms);

impl Hrms {
    /// Log-in, refresh, log-out.
    #[must_use]
    pub fn identity(&self) -> IdentityService<'_> {
        IdentityService(self)
    }
}

impl IdentityService<'_> {
    /// Opens a session.
    ///
    /// Takes the same steps and the same work whether the account exists or not. A session that lacks something
    /// (see [`Opened::pending`]) lives for ten minutes.
    ///
    /// # Errors
    /// [`IdentityError::InvalidCredentials`], [`IdentityError::InvalidOtp`], [`IdentityError::OtpNotEnrolled`],
    /// [`IdentityError::TooManyAttempts`], [`CommonError::Busy`].
    pub async fn log_in(&self, with: LogIn, client: Client) -> Result<Opened, IdentityError> {
        let now = self.0.clock().now();
        let organization = with.organization.as_deref().map(|slug| fold(slug.trim()));
        // What can't be an address is looked up all the same, and not found.
        let email = email::normalize("/email", &with.email).unwrap_or_default();
        let guess = Guess { organization: organization.as_deref(), email: &email, address: client.address };
        let attempt = throttle::admit(self.0, guess).await.inspect_err(|error| {
            if matches!(error, IdentityError::TooManyAttempts { .. }) {
                self.note_throttled(organization.as_deref(), "log-in", &client);
            }
        })?;
        let candidate = self.0.directory().candidate(organization.as_deref(), &email).await?;
        let stored = candidate.as_ref().map(|candidate| candidate.password_hash.clone());
        let verdict = match self.0.hashing().verify(with.password, stored).await {
            Ok(verdict) => verdict,
            Err(trouble) => {
                // Ours, not a wrong guess.
                attempt.forgive(self.0).await;
                return Err(trouble.into());
            }
        };
        let (candidate, renewed) = match (candidate, verdict) {
            (Some(candidate), Verdict::Right) => (candidate, None),
            (Some(candidate), Verdict::RightButStale(hash)) => (candidate, Some(hash)),
            (candidate, _) => {
                self.note_refused(organization, candidate.as_ref(), &client);
                let user = candidate.map(|candidate| candidate.user);
                tracing::info!(?user, address = ?client.address, "log-in refused");
                return Err(IdentityError::InvalidCredentials);
            }
        };
        let demands = self.asked(candidate.tenant, candidate.demands);
        // A wrong code isn't forgiven: it counts like a wrong password.
        let second_factor = match with.otp {
            Some(otp) if demands.enrolled => {
                if !self.take_otp(candidate.user, &otp).await? {
                    self.note_refused(organization, Some(&candidate), &client);
                    tracing::info!(user = %candidate.user, address = ?client.address, "one-time code refused");
                    return Err(IdentityError::InvalidOtp);
                }
                true
            }
            Some(_) => return Err(IdentityError::OtpNotEnrolled),
            None => false,
        };
        attempt.forgive(self.0).await;
        let session = SessionId::from_uuid(self.0.ids().next());
        let subject = Subject { tenant: candidate.tenant, user: candidate.user, session };
        let token = RefreshToken::first(subject.tenant, session)?;
        let pending = demands.pending(second_factor);
        let (idle, lasts) =
            if pending.is_empty() { (IDLE_FOR, LASTS_FOR) } else { (INCOMPLETE_FOR, INCOMPLETE_FOR) };
        let session = NewSession {
            subject,
            family_hash: token.family_hash(),
            refresh_hash: token.hash(),
            created_at: now,
            expires_at: now + idle,
            ends_at: now + lasts,
            address: client.address,
            user_agent: client
                .user_agent
                .as_deref()
                .map(|agent| agent.chars().filter(|c| !c.is_control()).take(200).collect()),
            confirmed: !pending.contains(&Pending::Otp),
            second_factor,
        };
        let proof = Proof { hash: &candidate.password_hash, renewed: renewed.as_deref() };
        let directory = self.session_record(&subject, &client, subject.session, "auth.logged-in");
        if !directory.insert_session(&session, proof).await? {
            return Err(IdentityError::InvalidCredentials);
        }
        tracing::info!(user = %subject.user, session = %subject.session, ?pending, "logged in");
        Ok(Opened { subject, refresh_token: token.to_secret(), pending })
    }

    /// The request that a client's wish is part of; a new one where there is none.
    fn request(&self, client: &Client) -> RequestId {
        client.request.unwrap_or_else(|| RequestId::from_uuid(self.0.ids().next()))
    }

    /// Somebody who logged in.
    fn author(&self, of: &Subject, client: &Client) -> Author {
        Author::user(of.user, Some(of.session), self.request(client), client.address)
    }

    /// The directory to change a session through: what somebody did to it goes on record with the change.
    fn session_record(
        &self,
        of: &Subject,
        client: &Client,
        session: SessionId,
        action: &'static str,
    ) -> Box<dyn Directory + Send + Sync> {
        let act = act(action, "sessions", session.as_uuid());
        self.0.audit().record(self.author(of, client)).entry(of.tenant, act).directory()
    }

    /// The directory to change an account through: what its owner did to its credentials goes on record with the
    /// change, in the log of the organisation where they did it, or of the platform.
    fn account_record(
        &self,
        of: &Subject,
        client: &Client,
        action: &'static str,
    ) -> Box<dyn Directory + Send + Sync> {
        let act = act(action, "users", of.user.as_uuid());
        self.0.audit().record(self.author(of, client)).entry(of.tenant, act).directory()
    }

    /// The directory to change an account through that isn't changed from within an organisation: it goes on record
    /// in the log of each where the account has a membership, and in the platform's.
    async fn account_record_everywhere(
        &self,
        author: Author,
        user: UserId,
        action: &'static str,
        why: Option<&str>,
    ) -> Result<Box<dyn Directory + Send + Sync>, CommonError> {
        let act = act(action, "users", user.as_uuid());
        let mut record = self.0.audit().record(author).because(why).entry(None, act.clone());
        for tenant in self.0.directory().memberships_of(user).await? {
            record = record.entry(Some(tenant), act.clone());
        }
        Ok(record.directory())
    }

    /// Puts a refused log-in on record, later and in the background: whoever guesses learns nothing from it. An
    /// address that nobody has isn't kept: it may be somebody's password, or somebody else's address.
    fn note_refused(&self, organization: Option<String>, candidate: Option<&Candidate>, client: &Client) {
        let request = self.request(client);
        let author = Author::anonymous(request, client.address);
        let log = match candidate {
            Some(Candidate { tenant: Some(tenant), .. }) => Log::Tenant(*tenant),
            _ => organization.map_or(Log::Platform, Log::Slug),
        };
        let subject = candidate.map_or_else(
            || "users".to_owned(),
            |candidate| crate::event::subject("users", candidate.user.as_uuid()),
        );
        let act = Act { action: "auth.log-in-failed".into(), subject, change: Change::none() };
        self.0.audit().note(log, &author, act, Outcome::Failed, None);
    }

    /// Puts on record that a log-in, or a request for a reset, was turned away untried. Not whose it was: nobody
    /// was looked up.
    fn note_throttled(&self, organization: Option<&str>, what: &'static str, client: &Client) {
        let author = Author::anonymous(self.request(client), client.address);
        let log = organization.map_or(Log::Platform, |slug| Log::Slug(slug.to_owned()));
        let act = Act { action: "auth.throttled".into(), subject: what.to_owned(), change: Change::none() };
        self.0.audit().note_denial(log, &author, act, None);
    }

    /// Exchanges a refresh token for a new one. Each token works once; presenting an old one again ends
    /// the session, because one of its two holders must have stolen it.
    ///
    /// # Errors
    /// [`IdentityError::RefreshRefused`].
    pub async fn refresh(&self, token: &Secret, client: Client) -> Result<Opened, IdentityError> {
        let token = RefreshToken::read(token).ok_or(IdentityError::RefreshRefused)?;
        let place = self.0.identity_state().refreshing.enter(token.session);
        let _turn = place.wait().await;
        let next = token.next()?;
        let now = self.0.clock().now();
        let rotation = Rotation {
            tenant: token.tenant,
            session: token.session,
            family_hash: token.family_hash(),
            presented: token.hash(),
            next: next.hash(),
            now,
            expires_at: now + IDLE_FOR,
        };
        if let Some(user) = self.0.directory().rotate_session(&rotation).await? {
            place.rotated();
            let subject = Subject { tenant: token.tenant, user, session: token.session };
            let pending = self.living(&subject).await?.pending();
            return Ok(Opened { subject, refresh_token: next.to_secret(), pending });
        }
        if !place.was_overtaken() {
            self.end_reused(&rotation, &client).await?;
        }
        Err(IdentityError::RefreshRefused)
    }

    /// Ends a session whose token was once good and is presented again.
    async fn end_reused(&self, rotation: &Rotation, client: &Client) -> Result<(), IdentityError> {
        let author = Author::anonymous(self.request(client), client.address);
        let act = act("auth.refresh-reused", "sessions", rotation.session.as_uuid());
        let record = self.0.audit().record(author).entry_ended(rotation.tenant, act, Outcome::Denied);
        if record.directory().end_reused_session(rotation).await? {
            tracing::warn!(session = %rotation.session, "an old refresh token was presented: the session is ended");
        }
        Ok(())
    }

    /// Ends a session. Ending one that has ended does nothing.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn log_out(&self, subject: &Subject, client: Client) -> Result<(), IdentityError> {
        let directory = self.session_record(subject, &client, subject.session, "auth.logged-out");
        directory.end_session(subject, self.0.clock().now()).await?;
        tracing::info!(user = %subject.user, session = %subject.session, "logged out");
        Ok(())
    }

    /// What a member's session is worth at this moment; `None` when it is worth nothing (any more).
    ///
    /// # Errors
    /// When storage fails.
    pub async fn standing(
        &self,
        tenant: TenantId,
        user: UserId,
        session: SessionId,
    ) -> Result<Option<Standing>, CommonError> {
        let clock = self.0.clock();
        let mut tx = self.0.store().read(tenant).await?;
        Ok(tx.users().standing(user, session, clock.now(), clock.today(&TimeZone::UTC)).await?)
    }

    /// The operator behind a session; `None` when either is gone.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn operator(
        &self,
        user: UserId,
        session: SessionId,
    ) -> Result<Option<OperatorAccount>, CommonError> {
        Ok(self.0.directory().operator(user, session, self.0.clock().now()).await?)
    }
}
