//! A small bounded cache whose readers don't wait for each other.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{PoisonError, RwLock};

use hrms_core::jiff::Timestamp;

const SHARDS: usize = 16;

type Shard<K, V> = RwLock<HashMap<K, Entry<V>>>;

/// A value that is good for a while.
struct Entry<V> {
    value: V,
    from: Timestamp,
    until: Timestamp,
}

impl<V> Entry<V> {
    /// A clock that was set back makes nothing live longer.
    fn is_good(&self, now: Timestamp) -> bool {
        self.from <= now && now < self.until
    }
}

/// Values by key, each until its own instant, at most so many.
pub(crate) struct Cache<K, V> {
    shards: Vec<Shard<K, V>>,
    per_shard: usize,
    hasher: RandomState,
}

impl<K, V> fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("per_shard", &self.per_shard).finish_non_exhaustive()
    }
}

impl<K: Hash + Eq, V: Clone> Cache<K, V> {
    /// Room for about `most` values.
    pub(crate) fn new(most: usize) -> Self {
        let shards = (0..SHARDS).map(|_| RwLock::default()).collect();
        Self { shards, per_shard: most.div_ceil(SHARDS), hasher: RandomState::new() }
    }

    fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> Option<&Shard<K, V>> {
        let hash = self.hasher.hash_one(key);
        self.shards.get(usize::try_from(hash % SHARDS as u64).unwrap_or_default())
    }

    /// The value under a key, if it is still good.
    pub(crate) fn get<Q>(&self, key: &Q, now: Timestamp) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let shard = self.shard(key)?.read().unwrap_or_else(PoisonError::into_inner);
        shard.get(key).filter(|entry| entry.is_good(now)).map(|entry| entry.value.clone())
    }

    /// Keeps a value until an instant.
    pub(crate) fn insert(&self, key: K, value: V, now: Timestamp, until: Timestamp) {
        let Some(shard) = self.shard(&key) else { return };
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        if shard.len() >= self.per_shard && !shard.contains_key(&key) {
            shard.retain(|_, entry| entry.is_good(now));
        }
        if shard.len() >= self.per_shard && !shard.contains_key(&key) {
            // All of it is good: every other one has to be found out anew.
            let mut keep = false;
            shard.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
        shard.insert(key, Entry { value, from: now, until });
    }

    /// Forgets a value.
    pub(crate) fn remove<Q>(&self, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some(shard) = self.shard(key) {
            shard.write().unwrap_or_else(PoisonError::into_inner).remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hrms_core::contract::at;

    #[test]
    fn a_value_is_good_for_its_time() {
        let cache = Cache::new(100);
        cache.insert("a".to_owned(), 1, at(0), at(3));
        assert_eq!(cache.get("a", at(2)), Some(1));
        assert_eq!(cache.get("a", at(3)), None);
        assert_eq!(cache.get("a", at(-1)), None, "the clock was set back");
        assert_eq!(cache.get("b", at(0)), None);
        cache.remove("a");
        assert_eq!(cache.get("a", at(2)), None);
    }

    #[test]
    fn it_stays_small() {
        let cache = Cache::new(160);
        for number in 0..10_000 {
            cache.insert(number, number, at(0), at(3));
            assert_eq!(cache.get(&number, at(0)), Some(number));
        }
        let all: usize = cache.shards.iter().map(|shard| shard.read().unwrap().len()).sum();
        assert!(all <= 160, "{all}");
    }
}
