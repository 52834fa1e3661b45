//! What a session has proved, what it still lacks, and what storage must offer for that.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::actor::{Actor, Cause};
use crate::error::{CommonError, StoreError};
use crate::hrms::Hrms;
use crate::id::{SessionId, UserId};
use crate::identity::{LASTS_FOR, Subject};

/// How long a proof of who one is counts for what needs a fresh one.
pub const CONFIRMED_FOR: SignedDuration = SignedDuration::from_mins(10);
/// How long a session lives that lacks something since its log-in.
pub const INCOMPLETE_FOR: SignedDuration = SignedDuration::from_mins(10);
/// Wrong one-time codes and passwords in a row, with the last of which a session ends.
pub const MOST_FAILURES: i64 = 5;

/// What a session lacks; until then it can do nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Pending {
    /// A one-time code, or a recovery code.
    Otp,
    /// The organisation requires a second factor of this user, who has none.
    EnrolSecondFactor,
    /// The password must be changed.
    ChangePassword,
}

/// What is asked of an account where it logs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// The account has a second factor.
    pub enrolled: bool,
    /// The organisation requires one of this user.
    pub required: bool,
    /// The password must be changed: somebody said so, or it is long enough only with the second factor that
    /// the account had.
    pub password_due: bool,
}

impl Demands {
    /// What a session lacks that did or didn't pass the second factor.
    ///
    /// Nothing else is asked for, or may be done, before the second factor.
    #[must_use]
    pub fn pending(&self, second_factor: bool) -> Vec<Pending> {
        if self.enrolled && !second_factor {
            return vec![Pending::Otp];
        }
        let enrol = (self.required && !self.enrolled).then_some(Pending::EnrolSecondFactor);
        let change = self.password_due.then_some(Pending::ChangePassword);
        enrol.into_iter().chain(change).collect()
    }
}

/// A living session in storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionState {
    /// When it was opened.
    pub created_at: Timestamp,
    /// When the person last proved who they are.
    pub confirmed_at: Option<Timestamp>,
    /// When they did with a second factor.
    pub second_factor_at: Option<Timestamp>,
    /// What is asked of the account.
    pub demands: Demands,
}

impl SessionState {
    /// What the session lacks.
    #[must_use]
    pub fn pending(&self) -> Vec<Pending> {
        self.demands.pending(self.second_factor_at.is_some())
    }

    /// Its last day, once it lacks nothing.
    pub(crate) fn ends_at(&self) -> Timestamp {
        self.created_at + LASTS_FOR
    }
}

/// A session as its user sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionInfo {
    /// Its id.
    pub id: SessionId,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last refreshed; exact to the life of an access token.
    pub last_used_at: Timestamp,
    /// From which address it was opened.
    pub address: Option<String>,
    /// What the program that opened it calls itself.
    pub user_agent: Option<String>,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// An account, for what its owner does with it.
#[derive(Clone)]
pub struct AccountFacts {
    /// The address to log in with.
    pub email: String,
    /// Name shown to people.
    pub name: String,
    /// The password's hash.
    pub password_hash: String,
    /// Whether the password is long enough only together with a second factor.
    pub password_needs_factor: bool,
    /// Who chose the password, as long as nobody who reads the account's mail has chosen another one since.
    pub password_chosen_by: Option<UserId>,
    /// Whether it has a second factor.
    pub enrolled: bool,
    /// Whether it operates the service.
    pub operator: bool,
    /// In how many organisations it has a membership, in use or disabled.
    pub memberships: i64,
}

impl std::fmt::Debug for AccountFacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountFacts").field("enrolled", &self.enrolled).finish_non_exhaustive()
    }
}

/// The secrets of a second factor, sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredTotp {
    /// The one in use.
    pub secret: Option<Vec<u8>>,
    /// One whose first code hasn't been seen yet, and since when.
    pub pending: Option<(Vec<u8>, Timestamp)>,
}

/// A new password.
#[derive(Clone, Copy, Debug)]
pub struct NewPassword<'a> {
    /// Its hash.
    pub hash: &'a str,
    /// Whether it is long enough only together with a second factor.
    pub needs_factor: bool,
}

/// Sessions, second factors and passwords of accounts, across tenants.
#[async_trait]
pub trait CredentialDirectory: Send + Sync {
    /// A living session of an active account. For a member, the organisation and the membership are active too.
    async fn session(&self, of: &Subject, now: Timestamp) -> Result<Option<SessionState>, StoreError>;

    /// The living sessions of the subject's user in the subject's organisation, newest first, at most 200.
    async fn sessions(&self, of: &Subject, now: Timestamp) -> Result<Vec<SessionInfo>, StoreError>;

    /// Ends the user's other sessions in the subject's organisation; how many there were.
    async fn end_other_sessions(&self, of: &Subject, now: Timestamp) -> Result<u64, StoreError>;

    /// Notes that the person proved who they are, with a second factor or without; wrong tries are forgotten.
    async fn confirm_session(
        &self,
        of: &Subject,
        second_factor: bool,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Lets a session live on that lacked something since its log-in; of a session that lives until `ends_at`
    /// anyway nothing changes.
    async fn prolong_session(
        &self,
        of: &Subject,
        expires_at: Timestamp,
        ends_at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Counts a wrong try, and ends the session with the last one of `most`; whether it ended.
    async fn count_failure(&self, of: &Subject, most: i64, now: Timestamp) -> Result<bool, StoreError>;

    /// An active account.
    async fn account(&self, user: UserId) -> Result<Option<AccountFacts>, StoreError>;

    /// The secrets of an account's second factor.
    async fn totp(&self, user: UserId) -> Result<StoredTotp, StoreError>;

    /// Counts a try before it is known whether it is good: so many at once, and one more after each pause
    /// (`paused_before` is one pause ago). Whether it may be made; there is no second factor where it mayn't.
    async fn charge_totp(
        &self,
        user: UserId,
        free: i64,
        paused_before: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Takes the code of a time step: each step once, and never one before the last one taken. Of any number
    /// of callers one gets it.
    async fn use_totp_step(&self, user: UserId, step: i64) -> Result<bool, StoreError>;

    /// Keeps a new secret until its first code is seen; it takes the place of an earlier such one.
    async fn start_totp(&self, user: UserId, sealed: &[u8], now: Timestamp) -> Result<(), StoreError>;

    /// Puts the pending secret to use if it is still `sealed`, with `step` as the last one taken, and these
    /// recovery codes. The subject's session has then passed the second factor and no other one has.
    async fn enrol_totp(
        &self,
        by: &Subject,
        sealed: &[u8],
        step: i64,
        recovery_hashes: &[[u8; 32]],
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Removes an account's second factor and its recovery codes; whether there was one.
    async fn remove_totp(&self, user: UserId) -> Result<bool, StoreError>;

    /// The same, and the end of all sessions of the account, in every organisation.
    async fn reset_totp(&self, user: UserId, now: Timestamp) -> Result<bool, StoreError>;

    /// Puts new recovery codes in the place of all earlier ones.
    async fn replace_recovery_codes(
        &self,
        user: UserId,
        hashes: &[[u8; 32]],
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Takes a recovery code, once: of any number of callers one gets it.
    async fn use_recovery_code(
        &self,
        user: UserId,
        hash: [u8; 32],
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Whether an active organisation requires a second factor of an active member with this account.
    async fn second_factor_required_anywhere(&self, user: UserId) -> Result<bool, StoreError>;

    /// Puts a new password in the place of the one with the hash `old`, and ends all of the account's sessions
    /// but `keep`, in every organisation. Nothing happens when the password isn't `old` any more.
    async fn change_password(
        &self,
        user: UserId,
        old: &str,
        new: NewPassword<'_>,
        keep: &Subject,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Ends all sessions of an account, in every organisation.
    async fn end_account_sessions(&self, user: UserId, now: Timestamp) -> Result<(), StoreError>;

    /// Keeps the hash of a reset token for the active account with this address, in the place of an earlier
    /// one; nothing if there is no such account, or the earlier one isn't older than `spaced_from`.
    async fn start_reset(
        &self,
        email: &str,
        token_hash: [u8; 32],
        spaced_from: Timestamp,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool, StoreError>;

    /// The account that a reset token is good for.
    async fn resettable(&self, token_hash: [u8; 32], now: Timestamp) -> Result<Option<UserId>, StoreError>;

    /// Uses up a reset token: the account's new password, and the end of all its sessions. Of any number of
    /// callers one gets it.
    async fn reset_password(
        &self,
        token_hash: [u8; 32],
        new: NewPassword<'_>,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
}

/// Whether a proof of who one is still counts at `now`.
#[must_use]
pub fn is_confirmed(confirmed_at: Option<Timestamp>, now: Timestamp) -> bool {
    confirmed_at.is_some_and(|at| now.duration_since(at) < CONFIRMED_FOR)
}

impl Hrms {
    /// Refuses an actor who logged in but didn't prove lately who they are. Jobs, the system, and users whom
    /// an embedder authenticates in a way of its own aren't asked.
    ///
    /// # Errors
    /// [`CommonError::Unconfirmed`].
    pub fn require_confirmed(&self, actor: &Actor) -> Result<(), CommonError> {
        let asked = actor.session().is_some() && actor.cause() == Cause::Request;
        if !asked || is_confirmed(actor.context().confirmed_at, self.clock().now()) {
            Ok(())
        } else {
            Err(CommonError::Unconfirmed)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_factor_comes_first() {
        let demands = |enrolled, required, password_due| Demands { enrolled, required, password_due };
        for (demands, without, with) in [
            (demands(false, false, false), &[][..], &[][..]),
            (demands(true, false, false), &[Pending::Otp], &[]),
            (demands(true, true, true), &[Pending::Otp], &[Pending::ChangePassword]),
            (
                demands(false, true, true),
                &[Pending::EnrolSecondFactor, Pending::ChangePassword],
                &[Pending::EnrolSecondFactor, Pending::ChangePassword],
            ),
        ] {
            assert_eq!(demands.pending(false), without);
            assert_eq!(demands.pending(true), with);
        }
    }

    #[test]
    fn a_proof_counts_for_ten_minutes() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(!is_confirmed(None, at(0)));
        assert!(is_confirmed(Some(at(0)), at(599)));
        assert!(!is_confirmed(Some(at(0)), at(600)));
    }
}
