//! The second factor of an account: passing it, setting it up, recovery codes, removing it.
//!
//! It belongs to the account, not to an organisation: whoever has it is asked for it wherever they log in.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::audit::{Author, Change};
use crate::email;
use crate::error::CommonError;
use crate::event::{NewEvent, subject};
use crate::id::UserId;
use crate::identity::credential::Pending;
use crate::identity::session::SessionStatus;
use crate::identity::totp::{self, SECRET_BYTES};
use crate::identity::{Client, IdentityError, IdentityService, Subject};
use crate::operator::Operator;
use crate::policy::{Permission, Resource};
use crate::secret::{Secret, random};
use crate::validate::Check;

/// Wrong codes that an account may have at once…
const FREE_TRIES: i64 = 10;
/// …and how long after each further one the next may come. Recovery codes are good meanwhile, so that the owner
/// isn't locked out by somebody who knows the password.
const PAUSE: SignedDuration = SignedDuration::from_secs(60);
/// How long a secret waits for its first code.
const ENROL_WITHIN: SignedDuration = SignedDuration::from_mins(30);

/// What the second factor is passed with: one of the two.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SecondFactor {
    /// A one-time code.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub otp: Option<Secret>,
    /// A recovery code, which is used up.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub recovery_code: Option<Secret>,
}

/// The first code of a new authenticator.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct FirstCode {
    /// The one-time code that the authenticator shows.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub otp: Secret,
}

/// A secret for an authenticator app, to be shown once.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TotpEnrolment {
    /// Base 32, to be typed by hand.
    pub secret: String,
    /// The same as an `otpauth:` address.
    pub uri: String,
    /// The address as a QR code: an SVG image in a `data:` address.
    pub qr: String,
}

impl std::fmt::Debug for TotpEnrolment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TotpEnrolment([redacted])")
    }
}

/// Whose second factor an operator removes, and why.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SecondFactorReset {
    /// The account's address to log in with.
    pub email: String,
    /// Why, and how the owner was known: 10 to 500 characters. The account's organisations read it.
    pub reason: String,
}

/// Recovery codes, to be shown once. Each is good once.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecoveryCodes {
    /// Ten codes.
    pub recovery_codes: Vec<String>,
}

impl std::fmt::Debug for RecoveryCodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryCodes([redacted])")
    }
}

/// What a sealed secret is bound to.
fn bound_to(user: UserId) -> Vec<u8> {
    [b"totp secret of ", &user.as_uuid().as_bytes()[..]].concat()
}

fn wrong_code(pointer: &'static str) -> CommonError {
    CommonError::invalid(pointer, "wrong-code", "this code isn't good, or was used already")
}

/// Ten new codes for a user, and what is kept of them.
fn new_codes(user: UserId) -> Result<(RecoveryCodes, Vec<[u8; 32]>), CommonError> {
    let codes = totp::recovery_codes()?;
    let hashes = codes.iter().filter_map(|code| totp::recovery_hash(user, code)).collect();
    let recovery_codes = codes.iter().map(|code| code.expose().to_owned()).collect();
    Ok((RecoveryCodes { recovery_codes }, hashes))
}

impl IdentityService<'_> {
    /// Takes an account's one-time code, if it is good: whether it is. Each is taken once.
    pub(super) async fn take_otp(&self, user: UserId, otp: &Secret) -> Result<bool, IdentityError> {
        let (directory, now) = (self.0.directory(), self.0.clock().now());
        let Some(sealed) = directory.totp(user).await?.secret else {
            return Err(IdentityError::OtpNotEnrolled);
        };
        if !directory.charge_totp(user, FREE_TRIES, now - PAUSE, now).await? {
            let seconds = u32::try_from(PAUSE.as_secs()).unwrap_or_default();
            return Err(IdentityError::TooManyAttempts { seconds });
        }
        let secret = self.0.secret_box().open(&sealed, &bound_to(user))?;
        match totp::step_of(&secret, otp, now)? {
            Some(step) => Ok(directory.use_totp_step(user, step).await?),
            None => Ok(false),
        }
    }

    /// Takes a one-time code in a session, where wrong ones are counted.
    pub(super) async fn prove_otp(
        &self,
        of: &Subject,
        otp: &Secret,
        client: &Client,
    ) -> Result<(), IdentityError> {
        if self.take_otp(of.user, otp).await? {
            return Ok(());
        }
        tracing::info!(user = %of.user, session = %of.session, "one-time code refused");
        Err(self.failed(of, client, wrong_code("/otp")).await)
    }

    /// Passes the second factor, for a session that lacks it.
    ///
    /// # Errors
    /// Faulty fields; [`IdentityError::NothingPending`]; [`IdentityError::TooManyAttempts`];
    /// [`IdentityError::SessionEnded`] after the last of a few wrong tries.
    pub async fn second_factor(
        &self,
        of: &Subject,
        with: SecondFactor,
        client: &Client,
    ) -> Result<SessionStatus, IdentityError> {
        if !self.living(of).await?.pending().contains(&Pending::Otp) {
            return Err(IdentityError::NothingPending);
        }
        match (with.otp, with.recovery_code) {
            (Some(otp), None) => self.prove_otp(of, &otp, client).await?,
            (None, Some(code)) => self.prove_recovery_code(of, &code, client).await?,
            _ => {
                let detail = "send either a one-time code or a recovery code";
                return Err(CommonError::invalid("/otp", "one-of", detail).into());
            }
        }
        let now = self.0.clock().now();
        let directory = self.session_record(of, client, of.session, "auth.second-factor-passed");
        directory.confirm_session(of, true, now).await?;
        tracing::info!(user = %of.user, session = %of.session, "second factor passed");
        self.settle(of).await
    }

    async fn prove_recovery_code(
        &self,
        of: &Subject,
        code: &Secret,
        client: &Client,
    ) -> Result<(), IdentityError> {
        let now = self.0.clock().now();
        let directory = self.account_record(of, client, "auth.recovery-code-used");
        if let Some(hash) = totp::recovery_hash(of.user, code)
            && directory.use_recovery_code(of.user, hash, now).await?
        {
            tracing::warn!(user = %of.user, session = %of.session, "a recovery code was used");
            return Ok(());
        }
        Err(self.failed(of, client, wrong_code("/recovery_code")).await)
    }

    /// Makes a new secret for an authenticator app. It is put to use with the first code that the app shows;
    /// until then a former one stays in use.
    ///
    /// # Errors
    /// [`IdentityError::TotpUnavailable`]; [`IdentityError::SessionEnded`].
    pub async fn start_totp(&self, of: &Subject, client: &Client) -> Result<TotpEnrolment, IdentityError> {
        if !self.0.secret_box().is_configured() {
            return Err(IdentityError::TotpUnavailable);
        }
        let account = self.0.directory().account(of.user).await?.ok_or(IdentityError::SessionEnded)?;
        let secret: [u8; SECRET_BYTES] = random()?;
        let sealed = self.0.secret_box().seal(&secret, &bound_to(of.user))?;
        let directory = self.account_record(of, client, "auth.second-factor-started");
        directory.start_totp(of.user, &sealed, self.0.clock().now()).await?;
        let shown = totp::show(&secret, "HRMS", &account.email)?;
        Ok(TotpEnrolment { secret: shown.secret, uri: shown.uri, qr: shown.qr })
    }

    /// Puts the new secret to use. Other sessions of the account have to pass the second factor now.
    ///
    /// # Errors
    /// [`IdentityError::TotpNotStarted`]; a faulty code; [`IdentityError::SessionEnded`] after the last of a few
    /// wrong ones.
    pub async fn confirm_totp(
        &self,
        of: &Subject,
        with: FirstCode,
        client: &Client,
    ) -> Result<RecoveryCodes, IdentityError> {
        let (directory, now) = (self.0.directory(), self.0.clock().now());
        let stored = directory.totp(of.user).await?;
        let in_time = |since: &Timestamp| now.duration_since(*since) < ENROL_WITHIN;
        let pending = stored.pending.filter(|(_, since)| in_time(since));
        let (sealed, _) = pending.ok_or(IdentityError::TotpNotStarted)?;
        let secret = self.0.secret_box().open(&sealed, &bound_to(of.user))?;
        let Some(step) = totp::step_of(&secret, &with.otp, now)? else {
            return Err(self.failed(of, client, wrong_code("/otp")).await);
        };
        let (codes, hashes) = new_codes(of.user)?;
        let directory = self.account_record(of, client, "auth.second-factor-set-up");
        if !directory.enrol_totp(of, &sealed, step, &hashes, now).await? {
            return Err(IdentityError::TotpNotStarted);
        }
        tracing::info!(user = %of.user, session = %of.session, "second factor set up");
        self.settle(of).await?;
        Ok(codes)
    }

    /// Makes ten new recovery codes; the former ones are good no more.
    ///
    /// # Errors
    /// [`IdentityError::OtpNotEnrolled`].
    pub async fn renew_recovery_codes(
        &self,
        of: &Subject,
        client: &Client,
    ) -> Result<RecoveryCodes, IdentityError> {
        if !self.living(of).await?.demands.enrolled {
            return Err(IdentityError::OtpNotEnrolled);
        }
        let (codes, hashes) = new_codes(of.user)?;
        let directory = self.account_record(of, client, "auth.recovery-codes-renewed");
        directory.replace_recovery_codes(of.user, &hashes, self.0.clock().now()).await?;
        tracing::info!(user = %of.user, session = %of.session, "new recovery codes");
        Ok(codes)
    }

    /// Removes one's own second factor.
    ///
    /// # Errors
    /// [`IdentityError::SecondFactorRequired`] when an organisation requires it;
    /// [`IdentityError::PasswordNeedsFactor`] when the password is too short without it;
    /// [`IdentityError::OtpNotEnrolled`].
    pub async fn remove_totp(&self, of: &Subject, client: &Client) -> Result<(), IdentityError> {
        let directory = self.0.directory();
        let account = directory.account(of.user).await?.ok_or(IdentityError::SessionEnded)?;
        if !account.enrolled {
            return Err(IdentityError::OtpNotEnrolled);
        }
        let as_operator = account.operator && self.0.operators_need_second_factor();
        if as_operator || directory.second_factor_required_anywhere(of.user).await? {
            return Err(IdentityError::SecondFactorRequired);
        }
        if account.password_needs_factor {
            return Err(IdentityError::PasswordNeedsFactor);
        }
        self.account_record(of, client, "auth.second-factor-removed").remove_totp(of.user).await?;
        tracing::warn!(user = %of.user, session = %of.session, "second factor removed");
        Ok(())
    }

    /// Removes the second factor of a user who lost it, and ends their sessions. Only of an account that belongs
    /// to this organisation alone: nobody weakens what protects others too.
    ///
    /// # Errors
    /// [`IdentityError::AccountShared`]; [`IdentityError::OwnSecondFactor`]; [`IdentityError::OtpNotEnrolled`];
    /// when the user isn't there or holds more than the actor could hand out.
    pub async fn reset_second_factor(&self, actor: &Actor, user: UserId) -> Result<(), IdentityError> {
        self.0.require(actor, Permission::UserManage, &Resource::organization())?;
        self.0.require_confirmed(actor)?;
        if actor.user_id() == Some(user) {
            return Err(IdentityError::OwnSecondFactor);
        }
        self.managed(actor, user).await?;
        let account =
            self.0.directory().account(user).await?.ok_or(CommonError::NotFound { what: "user" })?;
        if account.operator || account.memberships != 1 {
            return Err(IdentityError::AccountShared);
        }
        let mut work = self.0.begin(actor).await?;
        if !work.users().remove_second_factor(user).await? {
            return Err(IdentityError::OtpNotEnrolled);
        }
        let now = work.now();
        work.users().end_sessions(user, now).await?;
        work.emit(NewEvent {
            kind: "user.second-factor-reset",
            subject: subject("users", user.as_uuid()),
            data: serde_json::json!({ "user_id": user }),
            change: Change::none(),
            permission: Permission::UserRead,
            resource: Resource::organization(),
        });
        work.commit(()).await?;
        tracing::warn!(%user, by = ?actor.user_id(), request_id = %actor.request(), "second factor reset");
        Ok(())
    }

    /// Removes the second factor of any account and ends its sessions, for an operator of the service who made sure
    /// of the owner. It is on record before it happens: with the platform, and in each of the account's
    /// organisations.
    ///
    /// # Errors
    /// Faulty fields, among them an address without an active account; [`IdentityError::OwnSecondFactor`];
    /// [`IdentityError::OtpNotEnrolled`].
    pub async fn reset_second_factor_of_account(
        &self,
        by: &Operator,
        reset: SecondFactorReset,
    ) -> Result<(), IdentityError> {
        let mut check = Check::new();
        check.text("/reason", &reset.reason, 10..=500);
        check.done()?;
        let email =
            email::normalize("/email", &reset.email).map_err(|fault| CommonError::Invalid(vec![fault]))?;
        let directory = self.0.directory();
        let known = directory.account_by_email(&email).await?.filter(|known| known.active);
        let user = known.ok_or_else(|| CommonError::unknown_reference("/email"))?.account.id;
        if by.user_id() == Some(user) {
            return Err(IdentityError::OwnSecondFactor);
        }
        let (author, why) = (Author::from(by), Some(reset.reason.as_str()));
        let directory = self.account_record_everywhere(author, user, "user.second-factor-reset", why).await?;
        if !directory.reset_totp(user, self.0.clock().now()).await? {
            return Err(IdentityError::OtpNotEnrolled);
        }
        tracing::warn!(%user, by = ?by.user_id(), request_id = %by.request(), "second factor reset by an operator");
        Ok(())
    }
}
