//! How many live connections one caller, and one organisation, have open.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use hrms_core::{Actor, TenantId};
use uuid::Uuid;

/// The live connections of this process.
#[derive(Debug, Default)]
pub(super) struct Seats(Mutex<Taken>);

#[derive(Debug, Default)]
struct Taken {
    organizations: HashMap<TenantId, usize>,
    callers: HashMap<(TenantId, Option<Uuid>), usize>,
}

/// One live connection; free again when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    seats: Arc<Seats>,
    tenant: TenantId,
    caller: Option<Uuid>,
}

impl Seats {
    /// Takes one, unless the caller or the organisation has as many as they may.
    pub(super) fn take(
        self: &Arc<Self>,
        actor: &Actor,
        per_caller: usize,
        per_organization: usize,
    ) -> Option<Seat> {
        let (tenant, caller) = (actor.tenant(), actor.principal());
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |count: Option<&usize>| count.copied().unwrap_or_default();
        if of(taken.organizations.get(&tenant)) >= per_organization
            || of(taken.callers.get(&(tenant, caller))) >= per_caller
        {
            return None;
        }
        *taken.organizations.entry(tenant).or_default() += 1;
        *taken.callers.entry((tenant, caller)).or_default() += 1;
        Some(Seat { seats: Arc::clone(self), tenant, caller })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.lock().unwrap_or_else(PoisonError::into_inner);
        release(&mut taken.organizations, &self.tenant);
        release(&mut taken.callers, &(self.tenant, self.caller));
    }
}

/// One less; who has none is forgotten.
fn release<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}
