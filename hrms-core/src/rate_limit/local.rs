//! Rate limits that are counted in this process, in a bounded amount of memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;

use super::{Charge, Left, RateKey, RateLimiter, Taken};
use crate::error::StoreError;

/// Keys of one kind that are remembered at most. Beyond that, keys with nothing to their account are forgotten; when
/// all have something, new ones aren't counted.
const MOST: usize = 50_000;

/// Microseconds between two looks for keys that can be forgotten: looking at all of them takes time.
const SWEEP_EVERY: i64 = 250_000;

/// Counts in this process. Each node of an installation counts for itself.
#[derive(Debug, Default)]
pub struct InProcess(Mutex<[Table; RateKey::KINDS]>);

/// The instant (microseconds since 1970) up to which each key is paid.
#[derive(Debug, Default)]
struct Table {
    paid_until: HashMap<RateKey, i64>,
    swept_at: i64,
}

impl Table {
    fn pay(&mut self, charge: &Charge, now: i64) -> Left {
        if self.paid_until.len() >= MOST && now.saturating_sub(self.swept_at).abs() >= SWEEP_EVERY {
            self.paid_until.retain(|_, paid| *paid > now);
            self.swept_at = now;
        }
        let paid = self.paid(charge, now) + charge.quota.interval();
        if self.paid_until.len() < MOST || self.paid_until.contains_key(&charge.key) {
            self.paid_until.insert(charge.key, paid);
        }
        charge.quota.left(paid - now)
    }

    /// Up to when the key is paid: from now on, and by a whole window at most. More than that would be left by a
    /// clock that was set back.
    fn paid(&self, Charge { key, quota }: &Charge, now: i64) -> i64 {
        let paid = self.paid_until.get(key).copied().unwrap_or(now);
        paid.clamp(now, now.saturating_add(quota.window()))
    }
}

impl InProcess {
    /// Takes a token for each charge, or none at all.
    pub fn take_now(&self, charges: &[Charge], now: Timestamp) -> Taken {
        let now = now.as_microsecond();
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (at, charge) in charges.iter().enumerate() {
            let ahead = tables.get(charge.key.kind()).map_or(0, |table| table.paid(charge, now) - now);
            let wait = charge.quota.wait(ahead);
            if wait > 0 {
                return Taken::Nothing { short: at, wait };
            }
        }
        let pay = |charge: &Charge| Some(tables.get_mut(charge.key.kind())?.pay(charge, now));
        Taken::All(charges.iter().filter_map(pay).collect())
    }

    /// Gives tokens back.
    pub fn give_back_now(&self, charges: &[Charge]) {
        let mut tables = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for Charge { key, quota } in charges {
            let paid = tables.get_mut(key.kind()).and_then(|table| table.paid_until.get_mut(key));
            if let Some(paid) = paid {
                *paid -= quota.interval();
            }
        }
    }
}

#[async_trait]
impl RateLimiter for InProcess {
    async fn take(&self, charges: &[Charge], now: Timestamp) -> Result<Taken, StoreError> {
        Ok(self.take_now(charges, now))
    }

    async fn give_back(&self, charges: &[Charge], _: Timestamp) -> Result<(), StoreError> {
        self.give_back_now(charges);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use jiff::SignedDuration;

    use super::*;
    use crate::rate_limit::{Network, Quota};

    fn start() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn key(number: u32) -> RateKey {
        RateKey::Address(Network::of(IpAddr::V4(Ipv4Addr::from_bits(number))))
    }

    fn charge(number: u32, tokens: u32, seconds: u32) -> Charge {
        Charge { key: key(number), quota: Quota::new(tokens, seconds) }
    }

    #[test]
    fn a_burst_then_one_per_interval() {
        let limiter = InProcess::default();
        let one = [charge(1, 3, 30)];
        for left in (0..3).rev() {
            let Taken::All(all) = limiter.take_now(&one, start()) else { panic!("refused") };
            assert_eq!(all, [Left { remaining: left, reset: (3 - left) * 10 }]);
        }
        assert_eq!(limiter.take_now(&one, start()), Taken::Nothing { short: 0, wait: 10 });
        let later = start() + SignedDuration::from_secs(10);
        assert!(matches!(limiter.take_now(&one, later), Taken::All(_)));
        assert!(matches!(limiter.take_now(&one, later), Taken::Nothing { .. }));
    }

    #[test]
    fn all_or_nothing_and_each_key_for_itself() {
        let limiter = InProcess::default();
        limiter.take_now(&[charge(2, 1, 60)], start());
        let both = [charge(1, 1, 60), charge(2, 1, 60)];
        assert_eq!(limiter.take_now(&both, start()), Taken::Nothing { short: 1, wait: 60 });
        assert!(matches!(limiter.take_now(&both[..1], start()), Taken::All(_)), "nothing was taken of it");
    }

    #[test]
    fn what_is_given_back_was_never_taken() {
        let limiter = InProcess::default();
        for _ in 0..1000 {
            assert!(matches!(limiter.take_now(&[charge(1, 1, 60)], start()), Taken::All(_)));
            limiter.give_back_now(&[charge(1, 1, 60)]);
        }
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nobody_out_for_long() {
        let limiter = InProcess::default();
        limiter.take_now(&[charge(1, 1, 60)], start() + SignedDuration::from_hours(1000));
        assert_eq!(limiter.take_now(&[charge(1, 1, 60)], start()), Taken::Nothing { short: 0, wait: 60 });
    }

    #[test]
    fn memory_is_bounded_and_a_flood_of_one_kind_leaves_the_others_alone() {
        let limiter = InProcess::default();
        for number in 0..=u32::try_from(MOST).unwrap() {
            limiter.take_now(&[charge(number, 1, 60)], start());
        }
        let count = || limiter.0.lock().unwrap()[0].paid_until.len();
        assert_eq!(count(), MOST);
        let user = RateKey::Organization(crate::id::TenantId::from_uuid(uuid::Uuid::nil()));
        let user = [Charge { key: user, quota: Quota::new(1, 60) }];
        limiter.take_now(&user, start());
        assert!(matches!(limiter.take_now(&user, start()), Taken::Nothing { .. }), "it is counted");
        limiter.take_now(&[charge(1, 1, 60)], start() + SignedDuration::from_hours(1));
        assert_eq!(count(), 1);
    }
}
