//! Slows down guessing of passwords without locking the owner out.
//!
//! Every attempt counts until its password proves right: otherwise many at the same time would all be let through.
//! It counts for its address, for its account, and for both together. Guessing from many addresses uses up what the
//! account has; then addresses are slowed down from which its owner has never logged in, and the owner's own
//! go on.

use std::net::IpAddr;

use jiff::Timestamp;
use uuid::Uuid;

use super::IdentityError;
use crate::error::StoreError;
use crate::hrms::Hrms;
use crate::id::{TenantId, UserId};
use crate::rate_limit::{AccountDigest, Charge, Network, Quota, RateKey, Taken};

/// One account from one address: what a person who forgot a password needs, and a burst of log-ins at once.
const ACCOUNT_FROM_ADDRESS: Quota = Quota::new(30, 900);
/// One account from everywhere.
const ACCOUNT: Quota = Quota::new(100, 1000);
/// One address, whatever the account: an office behind one address still gets in.
const ADDRESS: Quota = Quota::new(100, 200);

/// Whose password is guessed, from where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guess<'a> {
    /// The organisation's short name; `None` for operators.
    pub(crate) organization: Option<&'a str>,
    /// The account's address.
    pub(crate) email: &'a str,
    /// From where, if it is known.
    pub(crate) address: Option<IpAddr>,
}

/// One attempt, and what it was charged.
#[derive(Debug)]
pub(crate) struct Attempt(Vec<Charge>);

impl Attempt {
    /// Takes it back: it turned out to be the owner's, or was never tried.
    pub(crate) async fn forgive(self, hrms: &Hrms) {
        hrms.rate_limits().give_back(&self.0, hrms.clock().now()).await;
    }
}

/// Lets an attempt through, and counts it.
///
/// # Errors
/// [`IdentityError::TooManyAttempts`]; an unavailable service when a limiter that is shared can't tell.
pub(crate) async fn admit(hrms: &Hrms, guess: Guess<'_>) -> Result<Attempt, IdentityError> {
    let now = hrms.clock().now();
    let account = AccountDigest::of(guess.organization, guess.email);
    let mut charges = Vec::with_capacity(3);
    if let Some(network) = guess.address.map(Network::of) {
        charges.push(Charge { key: RateKey::LogInFrom(network), quota: ADDRESS });
        charges.push(Charge { key: RateKey::LogInToFrom(account, network), quota: ACCOUNT_FROM_ADDRESS });
    }
    let own = charges.len();
    charges.push(Charge { key: RateKey::LogInTo(account), quota: ACCOUNT });
    let limits = hrms.rate_limits();
    let mut taken = limits.take_strictly(&charges, now).await?;
    if matches!(taken, Taken::Nothing { short, .. } if short == own) && is_known(hrms, guess, now).await? {
        charges.truncate(own);
        taken = limits.take_strictly(&charges, now).await?;
    }
    match taken {
        Taken::All(_) => Ok(Attempt(charges)),
        Taken::Nothing { wait, .. } => Err(IdentityError::TooManyAttempts { seconds: wait }),
    }
}

/// Whether the account's owner has logged in from there before.
async fn is_known(hrms: &Hrms, guess: Guess<'_>, now: Timestamp) -> Result<bool, StoreError> {
    let Some(network) = guess.address.map(Network::of) else { return Ok(false) };
    let directory = hrms.directory();
    let candidate = directory.candidate(guess.organization, guess.email).await?;
    // Somebody who isn't there is looked for all the same.
    let nobody =
        (guess.organization.map(|_| TenantId::from_uuid(Uuid::nil())), UserId::from_uuid(Uuid::nil()));
    let (tenant, user) = candidate.map_or(nobody, |candidate| (candidate.tenant, candidate.user));
    let addresses = directory.log_in_addresses(tenant, user, now - super::LASTS_FOR).await?;
    Ok(addresses.into_iter().any(|address| Network::of(address) == network))
}
