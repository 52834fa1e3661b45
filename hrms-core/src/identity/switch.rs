//! From one's organisation into another one of one's own, without logging in anew.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::Deserialize;

use crate::audit::Author;
use crate::error::CommonError;
use crate::id::{SessionId, TenantId, UserId};
use crate::identity::refresh::RefreshToken;
use crate::identity::{
    Client, IDLE_FOR, INCOMPLETE_FOR, IdentityError, IdentityService, Opened, Rotation, Subject, act,
};
use crate::secret::Secret;
use crate::validate::fold;

/// Where to go, and with what.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// The other organisation's short name.
    pub organization: String,
    /// The present session's refresh token, which is used up: an access token alone opens nothing that lives longer.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub refresh_token: Secret,
}

/// A session that takes another one's place, to be stored.
#[derive(Clone, Debug)]
pub struct Switched {
    /// The organisation.
    pub tenant: TenantId,
    /// The user, who is the other session's.
    pub user: UserId,
    /// The session.
    pub session: SessionId,
    /// Hash of the part of the refresh token that stays.
    pub family_hash: [u8; 32],
    /// Hash of the part that changes.
    pub refresh_hash: [u8; 32],
    /// When it ends unless it is refreshed; the other session's last day comes first.
    pub expires_at: Timestamp,
    /// When it ends in any case; the other session's last day comes first.
    pub ends_at: Timestamp,
    /// From where.
    pub address: Option<IpAddr>,
}

impl IdentityService<'_> {
    /// Ends a member's session, and opens one in another organisation of the same account. The new one lasts no longer
    /// than the old one would have, and has proved what that has proved; if that isn't enough there, it lacks something
    /// like a log-in ([`Opened::pending`]).
    ///
    /// # Errors
    /// [`IdentityError::RefreshRefused`]; a fault of `/organization` where the account can't log in, whatever the reason;
    /// [`IdentityError::SessionEnded`].
    pub async fn switch(&self, of: &Subject, with: Switch, client: Client) -> Result<Opened, IdentityError> {
        let token = RefreshToken::read(&with.refresh_token)
            .filter(|token| (token.tenant, token.session) == (of.tenant, of.session))
            .ok_or(IdentityError::RefreshRefused)?;
        let directory = self.0.directory();
        let account = directory.account(of.user).await?.ok_or(IdentityError::SessionEnded)?;
        let organization = fold(with.organization.trim());
        let candidate = directory.candidate(Some(&organization), &account.email).await?;
        let candidate = candidate.filter(|candidate| candidate.user == of.user);
        let (tenant, demands) = candidate
            .and_then(|candidate| Some((candidate.tenant?, candidate.demands)))
            .ok_or_else(|| CommonError::unknown_reference("/organization"))?;

        let place = self.0.identity_state().refreshing.enter(token.session);
        let _turn = place.wait().await;
        let state = self.living(of).await?;
        let pending = self.asked(Some(tenant), demands).pending(state.second_factor_at.is_some());
        let now = self.0.clock().now();
        let (idle, ends_at) = match pending.is_empty() {
            true => (IDLE_FOR, state.ends_at()),
            false => (INCOMPLETE_FOR, now + INCOMPLETE_FOR),
        };
        let session = SessionId::from_uuid(self.0.ids().next());
        let next = RefreshToken::first(Some(tenant), session)?;
        let from = Rotation {
            tenant: token.tenant,
            session: token.session,
            family_hash: token.family_hash(),
            presented: token.hash(),
            next: next.hash(),
            now,
            expires_at: now + idle,
        };
        let to = Switched {
            tenant,
            user: of.user,
            session,
            family_hash: next.family_hash(),
            refresh_hash: next.hash(),
            expires_at: now + idle,
            ends_at,
            address: client.address,
        };
        // Each organisation's log says what it may know: that somebody left, or came.
        let request = self.request(&client);
        let author = |session| Author::user(of.user, Some(session), request, client.address);
        let record = self.0.audit().record(author(of.session));
        let record = record.entry(of.tenant, act("auth.logged-out", "sessions", of.session.as_uuid()));
        let record = record.by(author(session));
        let record = record.entry(Some(tenant), act("auth.logged-in", "sessions", session.as_uuid()));
        if !record.directory().switch_session(&from, &to).await? {
            if !place.was_overtaken() {
                self.end_reused(&from, &client).await?;
            }
            return Err(IdentityError::RefreshRefused);
        }
        place.rotated();
        let subject = Subject { tenant: Some(tenant), user: of.user, session };
        tracing::info!(user = %of.user, from = %of.session, %session, ?pending, "changed organisation");
        Ok(Opened { subject, refresh_token: next.to_secret(), pending })
    }
}
