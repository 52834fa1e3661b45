//! New passwords: by somebody who knows the old one, and by somebody who reads the account's mail.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization;

use crate::audit::Author;
use crate::email;
use crate::error::CommonError;
use crate::hrms::Hrms;
use crate::identity::credential::{AccountFacts, NewPassword};
use crate::identity::session::SessionStatus;
use crate::identity::throttle::{self, Guess};
use crate::identity::{Client, IdentityError, IdentityService, Subject};
use crate::mail::Message;
use crate::password;
use crate::secret::{Secret, random};

/// How long a reset token is good for.
const RESET_FOR: SignedDuration = SignedDuration::from_hours(1);
/// One message an account in this time, however often somebody asks.
const RESET_SPACING: SignedDuration = SignedDuration::from_mins(2);
/// Requests for a reset that are worked on or wait; more are dropped.
const RESETS_AT_ONCE: usize = 64;

pub(super) const TOKEN: usize = 32;

/// A change of one's own password.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The password so far.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Password))]
    pub current_password: Secret,
    /// The new one: 15 to 256 characters, or 8 to 256 with a second factor.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Password))]
    pub new_password: Secret,
}

/// Somebody forgot their password.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PasswordForgotten {
    /// The account's address.
    pub email: String,
}

/// A new password with the token of a message.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PasswordReset {
    /// The token of the message.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub token: Secret,
    /// The new password: 15 to 256 characters, or 8 to 256 with a second factor.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Password))]
    pub new_password: Secret,
}

/// Room for requests for a reset in this process.
#[derive(Clone, Debug)]
pub(super) struct ResetQueue(Arc<Semaphore>);

impl Default for ResetQueue {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(RESETS_AT_ONCE)))
    }
}

/// What is kept of a reset token: it has 256 random bits, so one pass will do.
pub(super) fn token_hash(token: &Secret) -> Option<[u8; 32]> {
    let mut bytes = [0; TOKEN];
    let length = URL_SAFE_NO_PAD.decode_slice(token.expose(), &mut bytes).ok()?;
    (length == TOKEN).then(|| Sha256::digest(bytes).into())
}

impl IdentityService<'_> {
    /// Changes one's own password. All other sessions of the account end, in every organisation.
    ///
    /// # Errors
    /// Faulty fields, among them a wrong current password; [`IdentityError::TooManyAttempts`];
    /// [`IdentityError::SessionEnded`] after the last of a few wrong ones; [`CommonError::Busy`].
    pub async fn change_password(
        &self,
        of: &Subject,
        change: PasswordChange,
        client: Client,
    ) -> Result<SessionStatus, IdentityError> {
        let same = change.current_password.expose().nfc().eq(change.new_password.expose().nfc());
        let old = self.prove_password(of, change.current_password, "/current_password", &client).await?;
        if same {
            let detail = "the new password must be another one";
            return Err(CommonError::invalid("/new_password", "same-password", detail).into());
        }
        let account = self.0.directory().account(of.user).await?.ok_or(IdentityError::SessionEnded)?;
        let needs_factor = accept(&account, &change.new_password)?;
        let hash = self.0.hashing().hash(change.new_password).await?;
        let (new, now) = (NewPassword { hash: &hash, needs_factor }, self.0.clock().now());
        let directory = self.account_record(of, &client, "auth.password-changed");
        if !directory.change_password(of.user, &old, new, of, now).await? {
            // Somebody else changed it since we looked: then this isn't the current one any more.
            let detail = "the password was changed meanwhile";
            return Err(CommonError::invalid("/current_password", "wrong-password", detail).into());
        }
        tracing::info!(user = %of.user, session = %of.session, "password changed");
        self.settle(of).await
    }

    /// Takes a request for a reset. Whoever calls runs what is handed back after they have answered, so that
    /// the answer tells nothing about the account, not even by the time it takes. `None` when there is too
    /// much to do: the request is dropped then, and that is no secret.
    ///
    /// # Errors
    /// [`IdentityError::TooManyAttempts`], from one address or about one account.
    pub async fn forgot_password(
        &self,
        forgotten: &PasswordForgotten,
        client: &Client,
    ) -> Result<Option<impl Future<Output = ()> + Send + 'static + use<>>, IdentityError> {
        let email = email::normalize("/email", &forgotten.email).unwrap_or_default();
        // Counted apart from log-ins: no organisation has this name.
        let guess = Guess { organization: Some("(reset)"), email: &email, address: client.address };
        throttle::admit(self.0, guess).await.inspect_err(|error| {
            if matches!(error, IdentityError::TooManyAttempts { .. }) {
                self.note_throttled(None, "password reset", client);
            }
        })?;
        let Ok(place) = Arc::clone(&self.0.identity_state().resets.0).try_acquire_owned() else {
            tracing::warn!("too many requests for password resets at once: one was dropped");
            return Ok(None);
        };
        let (hrms, client) = (self.0.clone(), client.clone());
        Ok(Some(async move {
            if let Err(error) = send_reset(&hrms, &email, &client).await {
                tracing::error!(%error, "a password reset was not sent");
            }
            drop(place);
        }))
    }

    /// Sets a new password with the token of a message. All sessions of the account end; nobody is logged in
    /// by it, and a second factor stays.
    ///
    /// # Errors
    /// [`IdentityError::ResetRefused`]; faulty fields, which don't use the token up; [`CommonError::Busy`].
    pub async fn reset_password(&self, reset: PasswordReset, client: &Client) -> Result<(), IdentityError> {
        let (directory, now) = (self.0.directory(), self.0.clock().now());
        let token = token_hash(&reset.token).ok_or(IdentityError::ResetRefused)?;
        let user = directory.resettable(token, now).await?.ok_or(IdentityError::ResetRefused)?;
        let account = directory.account(user).await?.ok_or(IdentityError::ResetRefused)?;
        let needs_factor = accept(&account, &reset.new_password)?;
        let hash = self.0.hashing().hash(reset.new_password).await?;
        let new = NewPassword { hash: &hash, needs_factor };
        // Once more by the clock: hashing may have waited.
        let author = Author::user(user, None, self.request(client), client.address);
        let directory = self.account_record_everywhere(author, user, "auth.password-reset", None).await?;
        if !directory.reset_password(token, new, self.0.clock().now()).await? {
            return Err(IdentityError::ResetRefused);
        }
        tracing::info!(%user, "password reset");
        Ok(())
    }
}

/// Refuses what may not become the account's password; whether it needs a second factor beside it.
fn accept(account: &AccountFacts, new: &Secret) -> Result<bool, CommonError> {
    let context = [account.email.as_str(), account.name.as_str()];
    password::check_new("/new_password", new, account.enrolled, &context)
        .map_err(|fault| CommonError::Invalid(vec![fault]))
}

/// Makes a token for the account, if there is one, and sends it.
async fn send_reset(
    hrms: &Hrms,
    email: &str,
    client: &Client,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if !hrms.mailer().is_configured() {
        tracing::warn!("a password reset was asked for, but no mailer is configured: it is dropped");
        return Ok(());
    }
    let now = hrms.clock().now();
    let token = Secret::new(URL_SAFE_NO_PAD.encode(random::<TOKEN>()?));
    let Some(hash) = token_hash(&token) else { return Ok(()) };
    let Some(known) = hrms.directory().account_by_email(email).await? else { return Ok(()) };
    // By nobody who is known: whoever asks needn't be the owner.
    let author = Author::anonymous(hrms.identity().request(client), client.address);
    let user = known.account.id;
    let identity = hrms.identity();
    let action = "auth.password-reset-asked";
    let directory = identity.account_record_everywhere(author, user, action, None).await?;
    if directory.start_reset(email, hash, now - RESET_SPACING, now, now + RESET_FOR).await? {
        hrms.mailer().send(message(email, &token, hrms.public_url())).await?;
    }
    Ok(())
}

fn message(email: &str, token: &Secret, public_url: Option<&str>) -> Message {
    let token = token.expose();
    // Behind a '#': what follows it is never sent to a server, and so isn't in anybody's log.
    let how = match public_url {
        Some(url) => format!("Open this link to set a new one:\n\n{url}/reset-password#token={token}"),
        None => format!("Set a new one with this code:\n\n{token}"),
    };
    let text = format!(
        "Somebody, probably you, has forgotten the password of this account.\n\n{how}\n\n\
         It is good once, within one hour. If it wasn't you, do nothing: your password stays as it is.\n"
    );
    Message::plain(email, "Set a new password", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_token_has_no_hash() {
        let good = URL_SAFE_NO_PAD.encode([7; TOKEN]);
        assert!(token_hash(&Secret::new(good.clone())).is_some());
        for text in ["", "x", &good[1..], &format!("{good}A"), &format!("{good}="), &"A".repeat(1 << 20)] {
            assert!(token_hash(&Secret::new(text)).is_none());
        }
    }

    #[test]
    fn the_link_begins_with_what_is_configured() {
        let token = Secret::new("T0ken");
        let with = message("a@example.com", &token, Some("https://hr.example.com"));
        assert!(with.text.contains("\nhttps://hr.example.com/reset-password#token=T0ken\n"), "{}", with.text);
        let without = message("a@example.com", &token, None);
        assert!(without.text.contains("\nT0ken\n") && !without.text.contains("http"));
        assert!(!format!("{with:?}{without:?}").contains("T0ken"));
    }
}
