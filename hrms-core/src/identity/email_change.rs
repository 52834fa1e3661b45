//! Another address to log in with: asked for by the account's owner, and said to be theirs by whoever reads its mail.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::audit::{Act, Audited, Author, Change};
use crate::email;
use crate::error::{CommonError, StoreError};
use crate::event::subject;
use crate::hrms::Hrms;
use crate::id::{SessionId, UserId};
use crate::identity::new_password::{TOKEN, token_hash};
use crate::identity::{Client, IdentityError, IdentityService, Subject};
use crate::mail::Message;
use crate::secret::{Secret, random};

/// How long the new address can be confirmed.
const CONFIRM_WITHIN: SignedDuration = SignedDuration::from_hours(1);
/// One request of an account in this time: nobody's mailbox is filled by it.
const SPACING: SignedDuration = SignedDuration::from_mins(2);

/// Another address for one's account.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EmailChange {
    /// The address to log in with from then on.
    pub new_email: String,
    /// The account's password.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Password))]
    pub current_password: Secret,
}

/// Whoever reads the mail of the new address says so.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EmailConfirmation {
    /// The token of the message.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub token: Secret,
}

/// A change of address that waits to be confirmed, to be stored.
#[derive(Clone, Debug)]
pub struct NewEmailChange {
    /// Whose account.
    pub user: UserId,
    /// The address to be, in its normal form.
    pub email: String,
    /// The log-in that asked: it stays when the others end.
    pub session: SessionId,
    /// Hash of the message's token.
    pub token_hash: [u8; 32],
    /// Now.
    pub created_at: Timestamp,
    /// Until when it can be confirmed.
    pub expires_at: Timestamp,
}

/// A change of address that can be confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingEmailChange {
    /// Whose account.
    pub user: UserId,
    /// Its address so far.
    pub from: String,
    /// The address to be.
    pub to: String,
}

/// Changes of address, across tenants.
#[async_trait]
pub trait EmailChangeDirectory: Send + Sync {
    /// Keeps a change of address until it is confirmed, in the place of an earlier one; nothing if that isn't older
    /// than `spaced_from`. Whether it was kept.
    async fn start_email_change(
        &self,
        change: &NewEmailChange,
        spaced_from: Timestamp,
    ) -> Result<bool, StoreError>;

    /// The change of address of an active account that a token is good for. The log-in that asked must still live:
    /// whatever ends it, such as a new password, takes the request back.
    async fn waiting_email_change(
        &self,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<WaitingEmailChange>, StoreError>;

    /// Uses up the token of a change of address: the account has the new one, in all of its organisations; all of
    /// its sessions end but the one that asked, and resets of its password are void. Of any number of callers one
    /// gets it; nobody once the log-in that asked has ended.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with `user_account_email_key` or `membership_email_key`; nothing changes then.
    async fn change_email(&self, token_hash: [u8; 32], now: Timestamp) -> Result<bool, StoreError>;
}

/// What the audit log says about it.
#[derive(Serialize)]
struct Address<'a> {
    email: &'a str,
}

impl Audited for Address<'_> {}

impl IdentityService<'_> {
    /// Asks for another address. Whoever calls runs what is handed back after they have answered: the answer, and how
    /// long it takes, is the same whether the address is free or another account's. Then no token is sent. The present
    /// address is told in any case: whoever reads its mail has an hour to stop a change that they didn't ask for.
    ///
    /// # Errors
    /// Faulty fields, among them a wrong password and the present address; [`IdentityError::TooManyAttempts`], also
    /// for the second request in two minutes; [`IdentityError::MailNotConfigured`]; [`IdentityError::SessionEnded`].
    pub async fn ask_email_change(
        &self,
        of: &Subject,
        change: EmailChange,
        client: &Client,
    ) -> Result<impl Future<Output = ()> + Send + 'static + use<>, IdentityError> {
        let to = email::normalize("/new_email", &change.new_email)
            .map_err(|fault| CommonError::Invalid(vec![fault]))?;
        self.prove_password(of, change.current_password, "/current_password", client).await?;
        let account = self.0.directory().account(of.user).await?.ok_or(IdentityError::SessionEnded)?;
        if account.email == to {
            let detail = "this is your address already";
            return Err(CommonError::invalid("/new_email", "same-email", detail).into());
        }
        if !self.0.mailer().is_configured() {
            return Err(IdentityError::MailNotConfigured);
        }
        let token = Secret::new(URL_SAFE_NO_PAD.encode(random::<TOKEN>()?));
        let token_hash = token_hash(&token).unwrap_or_default();
        let now = self.0.clock().now();
        // Kept also for an address that is taken: so nothing else depends on that either.
        let waiting = NewEmailChange {
            user: of.user,
            email: to.clone(),
            session: of.session,
            token_hash,
            created_at: now,
            expires_at: now + CONFIRM_WITHIN,
        };
        let directory = self.account_record(of, client, "auth.email-change-asked");
        if !directory.start_email_change(&waiting, now - SPACING).await? {
            let seconds = u32::try_from(SPACING.as_secs()).unwrap_or_default();
            return Err(IdentityError::TooManyAttempts { seconds });
        }
        let hrms = self.0.clone();
        Ok(async move {
            if let Err(error) = send_token(&hrms, &to, &token).await {
                tracing::error!(%error, "the message to a new address was not sent");
            }
            if let Err(error) = hrms.mailer().send(warning(&account.email)).await {
                tracing::error!(%error, "the present address was not told of a change that was asked for");
            }
        })
    }

    /// Gives the account its new address, in all of its organisations, with the token of the message. Other sessions
    /// of the account end, and resets of its password that were asked for at the old address are worth nothing. Whoever
    /// calls runs what is handed back: it tells the old address.
    ///
    /// # Errors
    /// [`IdentityError::EmailChangeRefused`], also when somebody else has the address by now.
    pub async fn confirm_email_change(
        &self,
        confirmation: &EmailConfirmation,
        client: &Client,
    ) -> Result<impl Future<Output = ()> + Send + 'static + use<>, IdentityError> {
        let refused = || IdentityError::EmailChangeRefused;
        let (directory, now) = (self.0.directory(), self.0.clock().now());
        let token = token_hash(&confirmation.token).ok_or_else(refused)?;
        let waiting = directory.waiting_email_change(token, now).await?.ok_or_else(refused)?;
        if directory.account_by_email(&waiting.to).await?.is_some() {
            return Err(refused());
        }
        let change = Change::changed(&Address { email: &waiting.from }, &Address { email: &waiting.to });
        let author = Author::user(waiting.user, None, self.request(client), client.address);
        let subject = subject("users", waiting.user.as_uuid());
        let act = |change| Act { action: "auth.email-changed".into(), subject: subject.clone(), change };
        let mut record = self.0.audit().record(author).entry(None, act(Change::none()));
        for tenant in directory.memberships_of(waiting.user).await? {
            record = record.entry(Some(tenant), act(change.clone()));
        }
        let directory = record.directory();
        match directory.change_email(token, now).await {
            Ok(true) => {}
            Ok(false) => return Err(refused()),
            Err(error) if error.constraint().is_some() => return Err(refused()),
            Err(error) => return Err(error.into()),
        }
        tracing::info!(user = %waiting.user, "e-mail address changed");
        let hrms = self.0.clone();
        Ok(async move {
            if let Err(error) = hrms.mailer().send(notice(&waiting.from)).await {
                tracing::error!(%error, "the former address was not told");
            }
        })
    }
}

/// Sends the token to the new address, unless an account has it.
async fn send_token(
    hrms: &Hrms,
    to: &str,
    token: &Secret,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    if hrms.directory().account_by_email(to).await?.is_some() {
        tracing::info!("a change to an address that is taken was asked for: nothing is sent");
        return Ok(());
    }
    hrms.mailer().send(message(to, token, hrms.public_url())).await?;
    Ok(())
}

fn message(to: &str, token: &Secret, public_url: Option<&str>) -> Message {
    let token = token.expose();
    // Behind a '#': what follows it is never sent to a server, and so isn't in anybody's log.
    let how = match public_url {
        Some(url) => format!("Open this link to confirm it:\n\n{url}/change-email#token={token}"),
        None => format!("Confirm it with this code:\n\n{token}"),
    };
    let text = format!(
        "Somebody, probably you, wants to log in with this address from now on.\n\n{how}\n\n\
         It is good once, within one hour. If it wasn't you, do nothing.\n"
    );
    Message::plain(to, "Confirm your new address", text)
}

fn warning(to: &str) -> Message {
    let text = "Somebody, probably you, asked for another address to log in with, in the place of this one. Nothing has \
                changed yet.\n\nIf it wasn't you, somebody knows your password: log in, change it, and end your other \
                sessions. That takes the request back.\n";
    let subject = "Another address for your account was asked for".to_owned();
    Message::plain(to, subject, text)
}

fn notice(to: &str) -> Message {
    let text = "The address of your account was changed: this one isn't good to log in with any more. All other \
                sessions have ended.\n\nIf it wasn't you, tell whoever runs the service at once.\n";
    let subject = "The address of your account was changed".to_owned();
    Message::plain(to, subject, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_begins_with_what_is_configured() {
        let token = Secret::new("T0ken");
        let with = message("a@example.com", &token, Some("https://hr.example.com"));
        assert!(with.text.contains("\nhttps://hr.example.com/change-email#token=T0ken\n"), "{}", with.text);
        let without = message("a@example.com", &token, None);
        assert!(without.text.contains("\nT0ken\n") && !without.text.contains("http"));
        for told in [notice("a@example.com"), warning("a@example.com")] {
            assert!(!told.text.contains('@') && !told.text.contains("token"), "{}", told.text);
        }
    }
}
