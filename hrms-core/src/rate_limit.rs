//! Rate limits: how often somebody may do something, in this process or across nodes.
//!
//! The rule is the generic cell rate algorithm (GCRA, as in ITU-T I.371): a key that has used nothing has its
//! whole quota at once, and gets it back evenly over the quota's window. The whole state of a key is one instant,
//! and nothing has to be reset by a timer.
//!
//! [`InProcess`] is the default. A [`RateLimiter`] that several nodes share is handed to
//! [`Builder::rate_limiter`](crate::hrms::Builder::rate_limiter).

mod local;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::error::StoreError;
use crate::id::{ApiKeyId, TenantId, UserId};

pub use local::InProcess;

/// So many tokens at once, coming back evenly over so many seconds.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Quota {
    tokens: u32,
    seconds: u32,
}

impl Quota {
    /// `tokens` per `seconds`; zero counts as one, and more than a token per microsecond as that.
    #[must_use]
    pub const fn new(tokens: u32, seconds: u32) -> Self {
        let seconds = if seconds == 0 { 1 } else { seconds };
        let most = seconds.saturating_mul(1_000_000);
        let tokens = if tokens == 0 { 1 } else { tokens };
        Self { tokens: if tokens < most { tokens } else { most }, seconds }
    }

    /// How many there are at once.
    #[must_use]
    pub const fn tokens(self) -> u32 {
        self.tokens
    }

    /// Seconds until all of them are back.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        self.seconds
    }

    /// Microseconds until all of them are back.
    #[must_use]
    pub const fn window(self) -> i64 {
        self.seconds as i64 * 1_000_000
    }

    /// Microseconds until one is back.
    #[must_use]
    pub const fn interval(self) -> i64 {
        self.window() / self.tokens as i64
    }

    /// What is left of it for a key that is paid up to `ahead` microseconds from now.
    #[must_use]
    pub fn left(self, ahead: i64) -> Left {
        let free = (self.window() - ahead).max(0) / self.interval();
        Left { remaining: u32::try_from(free).unwrap_or(u32::MAX).min(self.tokens), reset: seconds(ahead) }
    }

    /// Seconds to wait with a key that is paid up to `ahead` microseconds from now; zero when a token is there.
    #[must_use]
    pub fn wait(self, ahead: i64) -> u32 {
        seconds(ahead - (self.window() - self.interval()))
    }
}

impl fmt::Debug for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}s", self.tokens, self.seconds)
    }
}

/// Whole seconds, rounded up.
fn seconds(micros: i64) -> u32 {
    let whole = (micros.max(0) as u64).div_ceil(1_000_000);
    u32::try_from(whole).unwrap_or(u32::MAX)
}

/// What one client has at its disposal: an IPv4 address, or an IPv6 /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network(IpAddr);

impl Network {
    /// The network of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
            v4 => v4,
        })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A log-in name that can't be read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AccountDigest([u8; 16]);

impl AccountDigest {
    /// The digest of an organisation's short name and an address; both normalised.
    #[must_use]
    pub fn of(organization: Option<&str>, email: &str) -> Self {
        let mut digest = Sha256::new();
        digest.update(organization.unwrap_or_default());
        digest.update([0]);
        digest.update(email);
        let digest: [u8; 32] = digest.finalize().into();
        let mut half = [0; 16];
        half.copy_from_slice(digest.first_chunk::<16>().unwrap_or(&[0; 16]));
        Self(half)
    }
}

impl fmt::Display for AccountDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a quota is counted for. Its text is its name in a store that is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RateKey {
    /// Requests from a network.
    Address(Network),
    /// Requests of a user; without a tenant: of an operator.
    User(Option<TenantId>, UserId),
    /// Requests with an API key.
    ApiKey(TenantId, ApiKeyId),
    /// Requests of everybody in an organisation.
    Organization(TenantId),
    /// Failed log-ins from a network.
    LogInFrom(Network),
    /// Failed log-ins to an account.
    LogInTo(AccountDigest),
    /// Failed log-ins to an account from a network.
    LogInToFrom(AccountDigest, Network),
}

impl RateKey {
    /// Keys of different kinds have memory of their own, so that a flood of one kind pushes out no other.
    fn kind(self) -> usize {
        match self {
            Self::Address(_) => 0,
            Self::User(..) => 1,
            Self::Organization(_) => 2,
            Self::LogInFrom(_) => 3,
            Self::LogInTo(_) => 4,
            Self::LogInToFrom(..) => 5,
            Self::ApiKey(..) => 6,
        }
    }

    /// How many kinds there are.
    const KINDS: usize = 7;
}

impl fmt::Display for RateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(network) => write!(f, "address:{network}"),
            Self::User(Some(tenant), user) => write!(f, "tenant:{tenant}:user:{user}"),
            Self::User(None, user) => write!(f, "operator:{user}"),
            Self::ApiKey(tenant, key) => write!(f, "tenant:{tenant}:key:{key}"),
            Self::Organization(tenant) => write!(f, "tenant:{tenant}"),
            Self::LogInFrom(network) => write!(f, "log-in:address:{network}"),
            Self::LogInTo(account) => write!(f, "log-in:account:{account}"),
            Self::LogInToFrom(account, network) => write!(f, "log-in:account:{account}:address:{network}"),
        }
    }
}

/// One token of a key's quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Whose.
    pub key: RateKey,
    /// Of what.
    pub quota: Quota,
}

/// What a key has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Tokens that could be taken right now.
    pub remaining: u32,
    /// Seconds until the whole quota is back, if nothing is taken.
    pub reset: u32,
}

/// What came of asking for tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// All were taken; what each key has left, in the order of the charges.
    All(Vec<Left>),
    /// None was taken, because one key has no token left.
    Nothing {
        /// Which of the charges it was; the first one, when there are several.
        short: usize,
        /// Seconds until it has one again; at least 1.
        wait: u32,
    },
}

/// Counts tokens.
#[async_trait]
pub trait RateLimiter: fmt::Debug + Send + Sync {
    /// Takes a token for each charge, or none at all, as one step.
    ///
    /// `now` is the caller's clock. A limiter that several nodes share should go by one clock instead.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it can't tell, within a time that a request can wait.
    async fn take(&self, charges: &[Charge], now: Timestamp) -> Result<Taken, StoreError>;

    /// Gives tokens back that were taken and turned out not to count.
    ///
    /// # Errors
    /// As [`RateLimiter::take`].
    async fn give_back(&self, charges: &[Charge], now: Timestamp) -> Result<(), StoreError>;
}

/// The limiter of an HR system, and what stands in for it.
#[derive(Debug, Default)]
pub struct RateLimits {
    shared: Option<Arc<dyn RateLimiter>>,
    local: InProcess,
}

impl RateLimits {
    pub(crate) fn share(&mut self, limiter: Arc<dyn RateLimiter>) {
        self.shared = Some(limiter);
    }

    /// Takes the tokens. While a shared limiter can't tell, this process counts by itself.
    pub async fn take(&self, charges: &[Charge], now: Timestamp) -> Taken {
        match &self.shared {
            Some(shared) => match shared.take(charges, now).await {
                Ok(taken) => taken,
                Err(_) => self.local.take_now(charges, now),
            },
            None => self.local.take_now(charges, now),
        }
    }

    /// Takes the tokens, for what mustn't go on uncounted: guesses of passwords and other credentials.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when a shared limiter can't tell.
    pub async fn take_strictly(&self, charges: &[Charge], now: Timestamp) -> Result<Taken, StoreError> {
        match &self.shared {
            Some(shared) => shared.take(charges, now).await,
            None => Ok(self.local.take_now(charges, now)),
        }
    }

    /// Gives tokens back; where that isn't possible they come back with time.
    pub async fn give_back(&self, charges: &[Charge], now: Timestamp) {
        match &self.shared {
            Some(shared) => {
                let _ = shared.give_back(charges, now).await;
            }
            None => self.local.give_back_now(charges),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_makes_sense_whatever_it_is_made_of() {
        assert_eq!(Quota::new(0, 0), Quota::new(1, 1));
        assert_eq!(Quota::new(u32::MAX, 1).tokens(), 1_000_000);
        assert!(Quota::new(u32::MAX, u32::MAX).interval() >= 1);
        let quota = Quota::new(10, 60);
        assert_eq!((quota.interval(), quota.window()), (6_000_000, 60_000_000));
        assert_eq!(quota.left(0), Left { remaining: 10, reset: 0 });
        assert_eq!(quota.left(quota.interval()), Left { remaining: 9, reset: 6 });
        assert_eq!(quota.left(quota.window()), Left { remaining: 0, reset: 60 });
        assert_eq!((quota.wait(54_000_000), quota.wait(54_000_001), quota.wait(60_000_000)), (0, 1, 6));
    }

    #[test]
    fn names_tell_keys_and_tenants_apart_and_show_no_account() {
        let (tenant, user) = (TenantId::from_uuid(uuid::Uuid::max()), UserId::from_uuid(uuid::Uuid::nil()));
        let one = RateKey::User(Some(tenant), user).to_string();
        assert!(one.contains(&tenant.to_string()) && one.contains(&user.to_string()));
        assert_ne!(one, RateKey::User(None, user).to_string());
        let account = RateKey::LogInTo(AccountDigest::of(Some("acme"), "jane@example.com")).to_string();
        assert!(!account.contains("jane") && !account.contains("acme"), "{account}");
        assert_ne!(AccountDigest::of(Some("a"), "b"), AccountDigest::of(None, "ab"));
    }

    #[test]
    fn neighbours_in_a_64_are_one() {
        let network = |text: &str| Network::of(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:2"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }
}
