//! How many connections there are from each address.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use hrms_core::rate_limit::Network;

/// Connections by address, at most so many of each.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    taken: Arc<Mutex<HashMap<Network, usize>>>,
    most: usize,
}

/// One connection's place; free again when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    address: Network,
}

impl Places {
    pub(crate) fn new(most: usize) -> Self {
        Self { taken: Arc::default(), most }
    }

    /// A place for a connection from an address, if there is one.
    pub(crate) fn enter(&self, address: Network) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.get(&address).copied().unwrap_or_default();
        if count >= self.most {
            return None;
        }
        taken.insert(address, count.saturating_add(1));
        Some(Place { places: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                taken.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_has_its_places_and_nothing_stays_behind() {
        let places = Places::new(2);
        let [one, other] = [1, 2].map(|last| Network::of([192, 0, 2, last].into()));
        let first = places.enter(one).unwrap();
        let second = places.enter(one).unwrap();
        assert!(places.enter(one).is_none());
        assert!(places.enter(other).is_some());
        drop(first);
        let third = places.enter(one).unwrap();
        drop((second, third));
        assert!(places.taken.lock().unwrap().is_empty());
    }
}
