//! Who gets the free slots of a worker: tenants evenly, within a tenant what is urgent and old first.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::id::TenantId;
use crate::job::Priority;

/// The slots of a worker, each for one running job.
///
/// Some are for tenants that hold none only. So a tenant whose jobs take long can't take all slots before
/// another one comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slots {
    free: u16,
    reserved: u16,
    held: BTreeMap<TenantId, u16>,
}

impl Slots {
    /// So many free slots, a quarter (but at least one of two) for tenants that hold none.
    #[must_use]
    pub fn new(total: u16) -> Self {
        let reserved = if total < 2 { 0 } else { (total / 4).max(1) };
        Self { free: total, reserved, held: BTreeMap::new() }
    }

    /// So many free slots that anybody may take.
    #[must_use]
    pub fn unreserved(total: u16) -> Self {
        Self { free: total, reserved: 0, held: BTreeMap::new() }
    }

    /// How many are free.
    #[must_use]
    pub fn free(&self) -> u16 {
        self.free
    }

    /// How many a tenant holds.
    #[must_use]
    pub fn held_by(&self, tenant: TenantId) -> u16 {
        self.held.get(&tenant).copied().unwrap_or(0)
    }

    /// Whether a tenant may take one more.
    #[must_use]
    pub fn may_take(&self, tenant: TenantId) -> bool {
        self.free > if self.held_by(tenant) == 0 { 0 } else { self.reserved }
    }

    /// A tenant takes one.
    pub fn take(&mut self, tenant: TenantId) {
        self.free = self.free.saturating_sub(1);
        *self.held.entry(tenant).or_default() += 1;
    }

    /// A tenant gives one back.
    pub fn give_back(&mut self, tenant: TenantId) {
        if let Some(held) = self.held.get_mut(&tenant) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&tenant);
            }
            self.free += 1;
        }
    }
}

/// Jobs of one tenant, kind and priority that are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Whose.
    pub tenant: TenantId,
    /// Of which kind: its index among those that the worker knows.
    pub kind: usize,
    /// Of which priority.
    pub priority: Priority,
    /// Since when the oldest is due.
    pub oldest: Timestamp,
}

/// How many jobs to take from which bucket: handed out round by round, because a bucket may hold fewer than it is
/// asked for.
#[derive(Clone, Debug)]
pub struct Shares {
    slots: Slots,
    /// In the order of turns.
    buckets: Vec<Bucket>,
    /// What the limits of a kind leave; kinds that aren't here have none.
    left: BTreeMap<usize, u16>,
}

impl Shares {
    /// Shares among these buckets, whose tenants stand in the order of their turns.
    #[must_use]
    pub fn new(slots: &Slots, buckets: Vec<Bucket>, left: BTreeMap<usize, u16>) -> Self {
        Self { slots: slots.clone(), buckets, left }
    }

    /// How many to take from each bucket now; empty when nothing is left to take.
    ///
    /// The next slot always goes to the tenant that holds the fewest, and there to the most urgent bucket.
    #[must_use]
    pub fn next_round(&self) -> Vec<(Bucket, u16)> {
        let (mut slots, mut left) = (self.slots.clone(), self.left.clone());
        let mut round: Vec<(Bucket, u16)> = Vec::new();
        let mut tenants: Vec<(TenantId, Vec<&Bucket>)> = Vec::new();
        for bucket in &self.buckets {
            match tenants.iter_mut().find(|(tenant, _)| *tenant == bucket.tenant) {
                Some((_, buckets)) => buckets.push(bucket),
                None => tenants.push((bucket.tenant, vec![bucket])),
            }
        }
        for (_, buckets) in &mut tenants {
            buckets.sort_by_key(|bucket| (bucket.priority, bucket.oldest));
        }
        loop {
            let open = |bucket: &&&Bucket| left.get(&bucket.kind).is_none_or(|left| *left > 0);
            let best = tenants
                .iter()
                .filter(|(tenant, _)| slots.may_take(*tenant))
                .filter_map(|(_, buckets)| buckets.iter().find(open).copied())
                .min_by_key(|bucket| slots.held_by(bucket.tenant));
            let Some(bucket) = best else { return round };
            slots.take(bucket.tenant);
            if let Some(left) = left.get_mut(&bucket.kind) {
                *left -= 1;
            }
            match round.iter_mut().find(|(known, _)| known == bucket) {
                Some((_, jobs)) => *jobs += 1,
                None => round.push((*bucket, 1)),
            }
        }
    }

    /// So many were taken of what the last round gave a bucket; one that had fewer is empty.
    pub fn settle(&mut self, bucket: &Bucket, given: u16, taken: u16) {
        for _ in 0..taken {
            self.slots.take(bucket.tenant);
        }
        if let Some(left) = self.left.get_mut(&bucket.kind) {
            *left = left.saturating_sub(taken);
        }
        if taken < given {
            self.buckets.retain(|known| known != bucket);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn tenant(number: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(number))
    }

    fn bucket(of: u128, kind: usize, priority: Priority, oldest: i64) -> Bucket {
        Bucket { tenant: tenant(of), kind, priority, oldest: Timestamp::from_second(oldest).unwrap() }
    }

    fn round(slots: &Slots, buckets: &[Bucket], left: &[(usize, u16)]) -> Vec<(u128, usize, u16)> {
        let shares = Shares::new(slots, buckets.to_vec(), left.iter().copied().collect());
        let round = shares.next_round();
        round.iter().map(|(b, jobs)| (b.tenant.as_uuid().as_u128(), b.kind, *jobs)).collect()
    }

    const N: Priority = Priority::Normal;

    #[test]
    fn tenants_share_evenly_and_those_who_hold_less_come_first() {
        let buckets = [bucket(1, 0, N, 0), bucket(2, 0, N, 9)];
        assert_eq!(round(&Slots::unreserved(4), &buckets, &[]), [(1, 0, 2), (2, 0, 2)]);
        let mut slots = Slots::unreserved(5);
        slots.take(tenant(1));
        slots.take(tenant(1));
        assert_eq!(round(&slots, &buckets, &[]), [(2, 0, 2), (1, 0, 1)]);
    }

    #[test]
    fn the_last_slots_are_for_tenants_that_hold_none() {
        let mut slots = Slots::new(4);
        assert_eq!(round(&slots, &[bucket(1, 0, N, 0)], &[]), [(1, 0, 3)]);
        (0..3).for_each(|_| slots.take(tenant(1)));
        assert_eq!(round(&slots, &[bucket(1, 0, N, 0)], &[]), []);
        assert_eq!(round(&slots, &[bucket(1, 0, N, 0), bucket(2, 0, N, 5)], &[]), [(2, 0, 1)]);
        assert_eq!(round(&Slots::new(1), &[bucket(1, 0, N, 0)], &[]), [(1, 0, 1)]);
    }

    #[test]
    fn within_a_tenant_priority_goes_before_age() {
        let buckets = [bucket(1, 0, N, 0), bucket(1, 1, Priority::High, 9), bucket(1, 2, N, -5)];
        let mut shares = Shares::new(&Slots::unreserved(3), buckets.to_vec(), BTreeMap::new());
        let first = shares.next_round();
        assert_eq!(first, [(buckets[1], 3)]);
        shares.settle(&buckets[1], 3, 1);
        assert_eq!(shares.next_round(), [(buckets[2], 2)]);
    }

    #[test]
    fn limits_of_a_kind_hold_for_all_tenants_together() {
        let buckets = [bucket(1, 0, N, 0), bucket(2, 0, N, 0), bucket(2, 1, N, 5)];
        assert_eq!(round(&Slots::unreserved(6), &buckets, &[(0, 1)]), [(1, 0, 1), (2, 1, 5)]);
        assert_eq!(round(&Slots::unreserved(6), &buckets, &[(0, 0), (1, 2)]), [(2, 1, 2)]);
    }

    proptest::proptest! {
        #[test]
        fn no_round_gives_more_than_there_is(
            total in 0u16..20,
            held in proptest::collection::vec(1u128..5, 0..20),
            buckets in proptest::collection::vec((1u128..5, 0usize..3, 0i64..50), 0..12),
            left in 0u16..5,
        ) {
            let mut slots = Slots::new(total);
            held.iter().take(usize::from(total)).for_each(|of| slots.take(tenant(*of)));
            let buckets: Vec<_> = buckets.iter().map(|&(of, kind, at)| bucket(of, kind, N, at)).collect();
            let given = round(&slots, &buckets, &[(0, left)]);
            let all: u16 = given.iter().map(|given| given.2).sum();
            proptest::prop_assert!(all <= slots.free());
            let limited: u16 = given.iter().filter(|given| given.1 == 0).map(|given| given.2).sum();
            proptest::prop_assert!(limited <= left);
            for of in 1..5 {
                let one: u16 = given.iter().filter(|given| given.0 == of).map(|given| given.2).sum();
                let others = given.iter().any(|given| given.0 != of);
                proptest::prop_assert!(one <= 1 || total < 2 || others || slots.free() - one >= (total / 4).max(1));
            }
        }
    }
}
