//! The ledger while it is replayed: what each lot gives, and what leave is linked to it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use crate::id::{LeaveLotId, LeavePostingId};
use crate::leave::ledger::{Demand, LeaveLot, LeavePosting, Ledger, NewPosting, PostingKind};

/// A lot and what is booked on it.
#[derive(Debug)]
struct Lot {
    lot: LeaveLot,
    /// What it gives: grants, corrections, transfers, without leave.
    gives: i64,
    /// What pending requests will take from it.
    reserved: i64,
}

/// A part of leave that was taken, and what of it still stands as it was stored.
#[derive(Debug)]
struct Taken {
    posting: LeavePosting,
    /// Where its minutes are now, when that has changed.
    now: Option<BTreeMap<Option<LeaveLotId>, i64>>,
}

impl Taken {
    fn minutes(&self, lot: Option<LeaveLotId>) -> i64 {
        match &self.now {
            Some(now) => now.get(&lot).copied().unwrap_or_default(),
            None if self.posting.lot_id == lot => -self.posting.minutes,
            None => 0,
        }
    }

    fn shift(&mut self, from: Option<LeaveLotId>, to: Option<LeaveLotId>, minutes: i64) {
        let stored = (self.posting.lot_id, -self.posting.minutes);
        let now = self.now.get_or_insert_with(|| BTreeMap::from([stored]));
        *now.entry(from).or_default() -= minutes;
        *now.entry(to).or_default() += minutes;
        now.retain(|_, minutes| *minutes != 0);
    }
}

/// Lots and leave while a ledger is replayed.
#[derive(Debug)]
pub(super) struct Books {
    lots: Vec<Lot>,
    place: HashMap<LeaveLotId, usize>,
    /// In order of day and posting.
    taken: Vec<Taken>,
    /// Which of `taken` were linked to each lot at first.
    linked: HashMap<Option<LeaveLotId>, Vec<usize>>,
    pending: Vec<Demand>,
    /// What people changed of lots that policies have yet to write.
    changes: HashMap<LeaveLotId, i64>,
}

impl Books {
    /// Lots granted by hand, and all leave. What policies wrote is left out: the replay writes it anew.
    ///
    /// Leave on lots that are `gone` is leave in advance.
    pub(super) fn of(stored: &Ledger, gone: &BTreeSet<LeaveLotId>) -> Self {
        let mut pending = stored.pending.clone();
        pending.sort_by_key(|demand| (demand.day, demand.request_id));
        let mut books = Self {
            lots: Vec::new(),
            place: HashMap::new(),
            taken: Vec::new(),
            linked: HashMap::new(),
            pending,
            changes: HashMap::new(),
        };
        for lot in stored.lots.iter().filter(|lot| lot.plan_key.is_none()) {
            books.open(lot.clone());
        }
        for posting in stored.live().filter(|posting| posting.plan_key.is_none()) {
            match posting.kind {
                PostingKind::Consumption => books.taken.push(Taken { posting: posting.clone(), now: None }),
                PostingKind::Reversal => {}
                _ => {
                    if let Some(lot) = posting.lot_id {
                        books.change(lot, posting.minutes);
                    }
                }
            }
        }
        books.taken.sort_by_key(|one| (one.posting.effective_on, one.posting.id));
        for (index, one) in books.taken.iter().enumerate() {
            books.linked.entry(one.posting.lot_id).or_default().push(index);
        }
        for lot in gone {
            books.shed(*lot, |_| true, None);
        }
        let lots: Vec<LeaveLotId> = books.lots.iter().map(|one| one.lot.id).collect();
        for lot in lots {
            books.shed(lot, |_| true, Some(-books.free(lot)));
        }
        books.settle();
        books
    }

    /// Lots that leave is linked to and that there aren't.
    pub(super) fn unknown(&self) -> BTreeSet<LeaveLotId> {
        let is_used = |lot: &LeaveLotId| self.used(Some(*lot), None) > 0;
        let linked = self.linked.keys().flatten().filter(|lot| !self.place.contains_key(lot));
        linked.copied().filter(is_used).collect()
    }

    /// Adds a lot that gives nothing yet but what people changed of it.
    pub(super) fn open(&mut self, lot: LeaveLot) {
        let gives = self.changes.remove(&lot.id).unwrap_or_default();
        self.place.insert(lot.id, self.lots.len());
        self.lots.push(Lot { lot, gives, reserved: 0 });
    }

    fn at(&self, lot: LeaveLotId) -> Option<&Lot> {
        self.place.get(&lot).and_then(|index| self.lots.get(*index))
    }

    /// Changes what a lot gives.
    pub(super) fn change(&mut self, lot: LeaveLotId, minutes: i64) {
        match self.place.get(&lot).and_then(|index| self.lots.get_mut(*index)) {
            Some(lot) => lot.gives += minutes,
            None => *self.changes.entry(lot).or_default() += minutes,
        }
    }

    /// Leave on a lot, of days before one (or of all days).
    fn used(&self, lot: Option<LeaveLotId>, before: Option<Date>) -> i64 {
        let Some(linked) = self.linked.get(&lot) else { return 0 };
        let taken = linked.iter().filter_map(|index| self.taken.get(*index));
        let counts = taken.filter(|one| before.is_none_or(|before| one.posting.effective_on < before));
        counts.map(|one| one.minutes(lot)).sum()
    }

    fn free(&self, lot: LeaveLotId) -> i64 {
        self.at(lot).map_or(0, |one| one.gives - self.used(Some(lot), None))
    }

    /// What of a lot neither leave nor pending requests use.
    pub(super) fn spare(&self, lot: LeaveLotId) -> i64 {
        self.free(lot) - self.at(lot).map_or(0, |one| one.reserved)
    }

    pub(super) fn never_expires(&self, lot: LeaveLotId) -> bool {
        self.at(lot).is_some_and(|one| one.lot.valid_to.is_none())
    }

    /// Leave in hand at the beginning of a day: what valid lots give, less leave of earlier days.
    pub(super) fn in_hand(&self, day: Date) -> i64 {
        let valid = self.lots.iter().filter(|one| one.lot.covers(day));
        let lots: i64 = valid.map(|one| one.gives - self.used(Some(one.lot.id), Some(day))).sum();
        // What was taken in advance counts whether or not a later lot has paid for it.
        let is_later = |lot: &LeaveLotId| self.at(*lot).is_none_or(|one| day < one.lot.valid_from);
        let advance = self.linked.keys().filter(|lot| lot.as_ref().is_none_or(is_later));
        lots - advance.map(|lot| self.used(*lot, Some(day))).sum::<i64>()
    }

    /// Lots that are valid on a day, in the order in which they are used up (P11).
    pub(super) fn in_order(&self, day: Date) -> Vec<LeaveLotId> {
        let mut lots: Vec<&LeaveLot> =
            self.lots.iter().map(|one| &one.lot).filter(|lot| lot.covers(day)).collect();
        lots.sort_by_key(|lot| lot.order());
        lots.into_iter().map(|lot| lot.id).collect()
    }

    /// Lots granted by hand before a day that never expire.
    pub(super) fn open_grants(&self, day: Date) -> Vec<LeaveLotId> {
        let lots = self.lots.iter().map(|one| &one.lot);
        let open =
            lots.filter(|lot| lot.plan_key.is_none() && lot.valid_to.is_none() && lot.valid_from < day);
        open.map(|lot| lot.id).collect()
    }

    /// Reserves what pending requests ask for on days before one, so that it isn't carried over.
    pub(super) fn reserve_before(&mut self, day: Date) {
        let (now, later) = self.pending.iter().partition(|demand| demand.day < day);
        self.pending = later;
        let now: Vec<Demand> = now;
        for demand in now {
            let mut open = demand.minutes;
            for lot in self.in_order(demand.day) {
                let part = open.min(self.spare(lot).max(0));
                if let Some(one) = self.place.get(&lot).and_then(|index| self.lots.get_mut(*index)) {
                    one.reserved += part;
                    open -= part;
                }
            }
        }
    }

    /// After a lot has got what it gives: takes from it no more than that, and pays what was taken in advance.
    pub(super) fn arrived(&mut self, lot: LeaveLotId) {
        let valid_to = self.at(lot).and_then(|one| one.lot.valid_to);
        self.shed(lot, |posting| valid_to.is_some_and(|to| to <= posting.effective_on), None);
        let excess = -self.free(lot);
        if excess > 0 {
            self.shed(lot, |_| true, Some(excess));
        }
        self.settle();
    }

    /// Makes leave on a lot leave in advance, the latest first: up to so many minutes, or all that is meant.
    fn shed(&mut self, lot: LeaveLotId, meant: impl Fn(&LeavePosting) -> bool, most: Option<i64>) {
        let mut left = most.unwrap_or(i64::MAX);
        for index in self.linked.get(&Some(lot)).cloned().unwrap_or_default().into_iter().rev() {
            let Some(taken) = self.taken.get_mut(index) else { continue };
            let part = taken.minutes(Some(lot)).min(left);
            if part > 0 && meant(&taken.posting) {
                taken.shift(Some(lot), None, part);
                left -= part;
                link(&mut self.linked, None, index);
            }
        }
    }

    /// Lots pay for leave that was taken in advance of them, unless they had expired on the day of leave.
    pub(super) fn settle(&mut self) {
        let advances = self.linked.get(&None).cloned().unwrap_or_default();
        for index in advances {
            let Some(day) = self.taken.get(index).map(|one| one.posting.effective_on) else { continue };
            let mut open = self.taken.get(index).map_or(0, |one| one.minutes(None));
            if open <= 0 {
                continue;
            }
            let mut lots: Vec<&LeaveLot> =
                self.lots.iter().map(|one| &one.lot).filter(|lot| !lot.expired_at(day)).collect();
            lots.sort_by_key(|lot| lot.order());
            let lots: Vec<LeaveLotId> = lots.into_iter().map(|lot| lot.id).collect();
            for lot in lots {
                let part = open.min(self.free(lot).max(0));
                if let Some(taken) = self.taken.get_mut(index).filter(|_| part > 0) {
                    taken.shift(None, Some(lot), part);
                    link(&mut self.linked, Some(lot), index);
                    open -= part;
                }
            }
        }
    }

    /// The postings by which leave comes to where it is now.
    pub(super) fn links(&self, now: Timestamp, ids: &mut dyn FnMut() -> Uuid) -> Vec<LeavePosting> {
        let mut postings = Vec::new();
        for taken in &self.taken {
            let Some(places) = &taken.now else { continue };
            let unchanged = BTreeMap::from([(taken.posting.lot_id, -taken.posting.minutes)]);
            if *places == unchanged {
                continue;
            }
            let again = places.iter().map(|(lot, part)| NewPosting::again(&taken.posting, *lot, *part));
            for new in std::iter::once(NewPosting::undoing(&taken.posting)).chain(again) {
                postings.push(LeavePosting {
                    id: LeavePostingId::from_uuid(ids()),
                    employee_id: taken.posting.employee_id,
                    leave_type_id: taken.posting.leave_type_id,
                    lot_id: new.lot_id,
                    request_id: new.request_id,
                    kind: new.kind,
                    minutes: new.minutes,
                    effective_on: new.effective_on,
                    booked_on: taken.posting.booked_on,
                    posted_at: now,
                    posted_by: None,
                    reverses_id: new.reverses_id,
                    plan_key: None,
                });
            }
        }
        postings
    }
}

fn link(linked: &mut HashMap<Option<LeaveLotId>, Vec<usize>>, lot: Option<LeaveLotId>, index: usize) {
    let list = linked.entry(lot).or_default();
    if let Err(place) = list.binary_search(&index) {
        list.insert(place, index);
    }
}
