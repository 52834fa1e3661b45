//! Living sessions: what they lack, proving anew who one is, listing and ending them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::audit::{Act, Change, Log, Outcome};
use crate::error::CommonError;
use crate::event::{NewEvent, subject};
use crate::id::{SessionId, TenantId, UserId};
use crate::identity::credential::{
    CONFIRMED_FOR, Demands, MOST_FAILURES, Pending, SessionInfo, SessionState,
};
use crate::identity::throttle::{self, Guess};
use crate::identity::{Client, IDLE_FOR, IdentityError, IdentityService, Subject, act};
use crate::password::Verdict;
use crate::policy::{Permission, Resource};
use crate::secret::Secret;
use crate::user::rights;

/// What somebody proves anew who they are with.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct StepUp {
    /// The password, for accounts without second factor.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    pub password: Option<Secret>,
    /// A one-time code, for accounts with one.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub otp: Option<Secret>,
}

/// Where a session stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionStatus {
    /// What it lacks; until then it can do nothing else.
    pub pending: Vec<Pending>,
    /// Until when it may do what needs a fresh proof of who one is.
    pub confirmed_until: Option<Timestamp>,
}

impl From<SessionState> for SessionStatus {
    fn from(state: SessionState) -> Self {
        let confirmed_until = state.confirmed_at.map(|at| at + CONFIRMED_FOR);
        Self { pending: state.pending(), confirmed_until }
    }
}

/// Sessions of one user, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sessions {
    /// The sessions, at most 200.
    pub items: Vec<SessionInfo>,
}

/// A wrong password or code of somebody who is logged in.
fn act_failed(of: &Subject) -> Act {
    act("auth.proof-failed", "users", of.user.as_uuid())
}

const NO_SESSION: CommonError = CommonError::NotFound { what: "session" };
const NO_USER: CommonError = CommonError::NotFound { what: "user" };

impl IdentityService<'_> {
    /// A session as it stands; `None` when it has ended, or its account, membership or organisation isn't in use.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn session(&self, of: &Subject) -> Result<Option<SessionState>, CommonError> {
        let state = self.0.directory().session(of, self.0.clock().now()).await?;
        Ok(state.map(|state| SessionState { demands: self.asked(of.tenant, state.demands), ..state }))
    }

    /// What is asked of an account, with what the service asks of its operators.
    pub(super) fn asked(&self, tenant: Option<TenantId>, demands: Demands) -> Demands {
        let of_operator = tenant.is_none() && self.0.operators_need_second_factor();
        Demands { required: demands.required || of_operator, ..demands }
    }

    /// The same for somebody who is known to have it.
    pub(super) async fn living(&self, of: &Subject) -> Result<SessionState, IdentityError> {
        self.session(of).await?.ok_or(IdentityError::SessionEnded)
    }

    /// Where a session stands after it proved something. One that lacked something since its log-in, and
    /// doesn't any more, lives on as long as any other.
    pub(super) async fn settle(&self, of: &Subject) -> Result<SessionStatus, IdentityError> {
        let state = self.living(of).await?;
        if state.pending().is_empty() {
            let expires_at = state.ends_at().min(self.0.clock().now() + IDLE_FOR);
            self.0.directory().prolong_session(of, expires_at, state.ends_at()).await?;
        }
        Ok(state.into())
    }

    /// Counts a wrong try in a session: with the last one it ends, otherwise `refusal` is the answer.
    pub(super) async fn failed(&self, of: &Subject, client: &Client, refusal: CommonError) -> IdentityError {
        let act = act("auth.session-ended-by-wrong-tries", "sessions", of.session.as_uuid());
        let record = self.0.audit().record(self.author(of, client));
        let directory = record.entry_ended(of.tenant, act, Outcome::Denied).directory();
        match directory.count_failure(of, MOST_FAILURES, self.0.clock().now()).await {
            Ok(false) => {
                let act = act_failed(of);
                let log = of.tenant.map_or(Log::Platform, Log::Tenant);
                self.0.audit().note(log, &self.author(of, client), act, Outcome::Failed, None);
                refusal.into()
            }
            Ok(true) => {
                tracing::warn!(user = %of.user, session = %of.session, "too many wrong tries: the session is ended");
                IdentityError::SessionEnded
            }
            Err(error) => error.into(),
        }
    }

    /// Proves anew who one is: with a one-time code where the account has a second factor, otherwise with
    /// the password. It counts for ten minutes.
    ///
    /// # Errors
    /// Faulty fields; [`IdentityError::TooManyAttempts`]; [`IdentityError::SessionEnded`] after the last of a
    /// few wrong tries.
    pub async fn step_up(
        &self,
        of: &Subject,
        with: StepUp,
        client: Client,
    ) -> Result<SessionStatus, IdentityError> {
        let state = self.living(of).await?;
        if state.demands.enrolled {
            let otp = with.otp.ok_or_else(|| {
                CommonError::invalid(
                    "/otp",
                    "required",
                    "this account has a second factor: send a one-time code",
                )
            })?;
            self.prove_otp(of, &otp, &client).await?;
        } else {
            let password = with.password.ok_or_else(|| {
                CommonError::invalid("/password", "required", "send the account's password")
            })?;
            self.prove_password(of, password, "/password", &client).await?;
        }
        let now = self.0.clock().now();
        let directory = self.session_record(of, &client, of.session, "auth.confirmed");
        directory.confirm_session(of, state.demands.enrolled, now).await?;
        tracing::info!(user = %of.user, session = %of.session, "proved anew who they are");
        self.settle(of).await
    }

    /// Checks the account's own password in a session; hands back its stored hash.
    pub(super) async fn prove_password(
        &self,
        of: &Subject,
        password: Secret,
        pointer: &'static str,
        client: &Client,
    ) -> Result<String, IdentityError> {
        // Counted apart from log-ins: no organisation has this name.
        let account = of.user.to_string();
        let guess = Guess { organization: Some("(session)"), email: &account, address: client.address };
        let attempt = throttle::admit(self.0, guess).await?;
        let account = self.0.directory().account(of.user).await?.ok_or(IdentityError::SessionEnded)?;
        let stored = account.password_hash;
        let verdict = match self.0.hashing().verify(password, Some(stored.clone())).await {
            Ok(verdict) => verdict,
            Err(trouble) => {
                attempt.forgive(self.0).await;
                return Err(trouble.into());
            }
        };
        match verdict {
            Verdict::Wrong => {
                let wrong = CommonError::invalid(pointer, "wrong-password", "this isn't your password");
                Err(self.failed(of, client, wrong).await)
            }
            Verdict::Right | Verdict::RightButStale(_) => {
                attempt.forgive(self.0).await;
                Ok(stored)
            }
        }
    }

    /// The living sessions of the subject's user in the same organisation.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn sessions(&self, of: &Subject) -> Result<Sessions, IdentityError> {
        let items = self.0.directory().sessions(of, self.0.clock().now()).await?;
        Ok(Sessions { items })
    }

    /// Ends one of the subject's user's sessions in the same organisation.
    ///
    /// # Errors
    /// [`CommonError::NotFound`] when it isn't one of theirs. Ending one that has ended does nothing.
    pub async fn end_session(
        &self,
        of: &Subject,
        session: SessionId,
        client: &Client,
    ) -> Result<(), IdentityError> {
        let other = Subject { session, ..*of };
        let directory = self.session_record(of, client, session, "auth.session-ended");
        if directory.end_session(&other, self.0.clock().now()).await? {
            tracing::info!(user = %of.user, session = %session, by = %of.session, "session ended");
            return Ok(());
        }
        Err(NO_SESSION.into())
    }

    /// Ends the subject's user's other sessions in the same organisation.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn end_other_sessions(&self, of: &Subject, client: &Client) -> Result<(), IdentityError> {
        let directory = self.account_record(of, client, "auth.other-sessions-ended");
        let ended = directory.end_other_sessions(of, self.0.clock().now()).await?;
        tracing::info!(user = %of.user, ended, by = %of.session, "other sessions ended");
        Ok(())
    }

    /// The living sessions of a user of the actor's organisation.
    ///
    /// # Errors
    /// When the user isn't there, or the actor may not manage users.
    pub async fn sessions_of(&self, actor: &Actor, user: UserId) -> Result<Sessions, IdentityError> {
        let of = self.managed(actor, user).await?;
        self.sessions(&of).await
    }

    /// Ends a session of a user of the actor's organisation, or all of them.
    ///
    /// # Errors
    /// When the user or the session isn't there, or the actor may not manage users.
    pub async fn end_session_of(
        &self,
        actor: &Actor,
        user: UserId,
        session: Option<SessionId>,
    ) -> Result<(), IdentityError> {
        self.managed(actor, user).await?;
        let mut work = self.0.begin(actor).await?;
        let now = work.now();
        match session {
            Some(session) if work.users().end_session(user, session, now).await? => {}
            Some(_) => return Err(NO_SESSION.into()),
            None => {
                work.users().end_sessions(user, now).await?;
            }
        }
        work.emit(NewEvent {
            kind: "user.sessions-ended",
            subject: subject("users", user.as_uuid()),
            data: serde_json::json!({ "user_id": user, "session_id": session }),
            change: Change::none(),
            permission: Permission::UserRead,
            resource: Resource::organization(),
        });
        Ok(work.commit(()).await?)
    }

    /// A user of the actor's organisation, whom the actor may manage.
    pub(super) async fn managed(&self, actor: &Actor, user: UserId) -> Result<Subject, IdentityError> {
        self.0.require(actor, Permission::UserManage, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        let member = tx.users().get(user).await?.ok_or(NO_USER)?;
        rights::require_reach_to(&mut *tx, actor, &member)
            .await
            .map_err(|_| CommonError::Forbidden { permission: Permission::UserManage })?;
        // No session of the user's own is meant: theirs are asked about, not with one of them.
        let session = actor.session().unwrap_or(SessionId::from_uuid(uuid::Uuid::nil()));
        Ok(Subject { tenant: Some(actor.tenant()), user, session })
    }
}
