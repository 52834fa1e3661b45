//! Slows down guessing of passwords without locking anybody out for long.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// Who is remembered at most; beyond that those who have nothing against them are forgotten first.
const MOST: usize = 50_000;

/// So many attempts at once, and one more after each pause.
#[derive(Clone, Copy)]
struct Allowance {
    burst: i64,
    pause_seconds: i64,
}

/// One account from one address: what a person who forgot a password needs, and a burst of log-ins at once
/// (each counts until its password proves right).
const ACCOUNT_FROM_ADDRESS: Allowance = Allowance { burst: 30, pause_seconds: 30 };
/// One account from everywhere. Wider, so that somebody else's guessing hardly holds up the owner.
const ACCOUNT: Allowance = Allowance { burst: 100, pause_seconds: 10 };
/// One address, whatever the account: an office behind one address still gets in.
const ADDRESS: Allowance = Allowance { burst: 100, pause_seconds: 2 };

/// Failed attempts by account and by address, in a bounded amount of memory.
///
/// Each key has an instant up to which its attempts are "paid"; an attempt moves it one pause ahead, and is
/// refused when it is more than the burst ahead of now. Nothing needs to be reset by a timer.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    paid_until: Mutex<HashMap<u64, i64>>,
    hasher: RandomState,
}

/// One attempt, under the keys that it counts for.
#[derive(Debug)]
pub(crate) struct Attempt(Vec<(u64, Allowance)>);

impl std::fmt::Debug for Allowance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} then 1 per {} s", self.burst, self.pause_seconds)
    }
}

impl Throttle {
    /// Lets an attempt through and counts it, before it is known whether it fails: otherwise many at the
    /// same time would all be let through.
    ///
    /// # Errors
    /// Seconds to wait.
    pub(crate) fn admit(
        &self,
        account: (&str, &str),
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Attempt, u32> {
        let mut keys = vec![(self.hasher.hash_one(("account", account)), ACCOUNT)];
        if let Some(address) = address.map(network) {
            keys.push((self.hasher.hash_one(("address", address)), ADDRESS));
            keys.push((self.hasher.hash_one(("both", account, address)), ACCOUNT_FROM_ADDRESS));
        }
        let now = now.as_second();
        let mut paid_until = self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = keys.iter().map(|(key, allowance)| {
            let paid = paid_until.get(key).copied().unwrap_or(now).max(now);
            paid - now - (allowance.burst - 1) * allowance.pause_seconds
        });
        let wait = wait.max().unwrap_or_default();
        if wait > 0 {
            return Err(u32::try_from(wait).unwrap_or(u32::MAX));
        }
        if paid_until.len() + keys.len() > MOST {
            paid_until.retain(|_, paid| *paid > now);
        }
        for (key, allowance) in &keys {
            // Full of living entries: the flood is the problem of those who are in it already.
            if paid_until.len() < MOST || paid_until.contains_key(key) {
                let paid = paid_until.entry(*key).or_insert(now);
                *paid = (*paid).max(now) + allowance.pause_seconds;
            }
        }
        Ok(Attempt(keys))
    }

    /// Takes an attempt back that turned out to be the owner's.
    pub(crate) fn forgive(&self, attempt: &Attempt) {
        let mut paid_until = self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, allowance) in &attempt.0 {
            if let Some(paid) = paid_until.get_mut(key) {
                *paid -= allowance.pause_seconds;
            }
        }
    }
}

/// What one client has at its disposal: an IPv4 address, or an IPv6 /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;

    const JANE: (&str, &str) = ("acme", "jane@example.com");

    fn start() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_burst_then_one_per_pause() {
        let throttle = Throttle::default();
        let from = Some("192.0.2.1".parse().unwrap());
        for _ in 0..30 {
            throttle.admit(JANE, from, start()).unwrap();
        }
        let wait = throttle.admit(JANE, from, start()).unwrap_err();
        assert_eq!(wait, 30);
        let later = start() + SignedDuration::from_secs(30);
        throttle.admit(JANE, from, later).unwrap();
        assert!(throttle.admit(JANE, from, later).is_err());
    }

    #[test]
    fn the_owner_elsewhere_is_not_locked_out() {
        let throttle = Throttle::default();
        let (attacker, owner) = ("192.0.2.1".parse().unwrap(), "198.51.100.7".parse().unwrap());
        for second in 0..600 {
            let _ = throttle.admit(JANE, Some(attacker), start() + SignedDuration::from_secs(second));
        }
        assert!(throttle.admit(JANE, Some(owner), start() + SignedDuration::from_secs(600)).is_ok());
    }

    #[test]
    fn one_address_cannot_try_every_account() {
        let throttle = Throttle::default();
        let from = Some("2001:db8::1".parse().unwrap());
        let neighbour = Some("2001:db8::2".parse().unwrap());
        for account in 0..100 {
            throttle.admit(("acme", &account.to_string()), from, start()).unwrap();
        }
        assert!(throttle.admit(("acme", "another"), neighbour, start()).is_err());
    }

    #[test]
    fn success_costs_nothing() {
        let throttle = Throttle::default();
        for _ in 0..1000 {
            let attempt = throttle.admit(JANE, None, start()).unwrap();
            throttle.forgive(&attempt);
        }
    }

    #[test]
    fn memory_is_bounded() {
        let throttle = Throttle::default();
        for account in 0..MOST + 10 {
            throttle.admit(("acme", &account.to_string()), None, start()).unwrap();
        }
        assert!(throttle.paid_until.lock().unwrap().len() <= MOST);
        throttle.admit(JANE, None, start() + SignedDuration::from_hours(1)).unwrap();
        assert_eq!(throttle.paid_until.lock().unwrap().len(), 1);
    }
}
