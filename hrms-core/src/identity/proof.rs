//! Proving that an account is one's own, without logging in anywhere.

use crate::identity::throttle::{self, Guess};
use crate::identity::{Client, IdentityError, IdentityService};
use crate::membership::KnownAccount;
use crate::password::Verdict;
use crate::secret::Secret;

impl IdentityService<'_> {
    /// Refuses unless the password is the account's. Wrong tries count like those of a log-in.
    pub(crate) async fn prove(
        &self,
        known: &KnownAccount,
        password: Secret,
        otp: Option<Secret>,
        client: &Client,
    ) -> Result<(), IdentityError> {
        let account = &known.account;
        let guess = Guess { organization: None, email: &account.email, address: client.address };
        let attempt = throttle::admit(self.0, guess).await?;
        let verdict = match self.0.hashing().verify(password, Some(account.password_hash.clone())).await {
            Ok(verdict) => verdict,
            Err(trouble) => {
                // Ours, not a wrong guess.
                attempt.forgive(self.0).await;
                return Err(trouble.into());
            }
        };
        let right = matches!(verdict, Verdict::Right | Verdict::RightButStale(_));
        if !right || !known.active {
            tracing::info!(user = %account.id, address = ?client.address, "proof of an account refused");
            return Err(IdentityError::InvalidCredentials);
        }
        let facts = self.0.directory().account(account.id).await?;
        match (otp, facts.is_some_and(|facts| facts.enrolled)) {
            (None, false) => {}
            (None, true) => {
                // The password is right: nothing was guessed.
                attempt.forgive(self.0).await;
                return Err(IdentityError::OtpRequired);
            }
            (Some(_), false) => return Err(IdentityError::OtpNotEnrolled),
            (Some(otp), true) if self.take_otp(account.id, &otp).await? => {}
            // It counts like a wrong password.
            (Some(_), true) => return Err(IdentityError::InvalidOtp),
        }
        attempt.forgive(self.0).await;
        Ok(())
    }
}
