//! The ledger while it is replayed: what each lot gives, and what leave is linked to it.
//!
//! Plans that credit each day make thousands of lots, so nothing here looks at all of them at each step.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use crate::id::{LeaveLotId, LeavePostingId};
use crate::leave::ledger::{Demand, LeaveLot, LeavePosting, Ledger, NewPosting, PostingKind, UseOrder};

/// A lot and what is booked on it.
#[derive(Debug)]
struct Lot {
    lot: LeaveLot,
    /// What it gives: grants, corrections, transfers, without leave.
    gives: i64,
    /// Leave on it.
    used: i64,
    /// What pending requests will take from it.
    reserved: i64,
    /// By the day of [`Hand`].
    age: Age,
}

impl Lot {
    const fn free(&self) -> i64 {
        self.gives - self.used
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    Ahead,
    Valid,
    Expired,
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

/// What is in hand, carried along from day to day.
#[derive(Debug, Default)]
struct Hand {
    /// Lots by the day on which they begin, as far as they haven't.
    ahead: BTreeMap<Date, Vec<usize>>,
    /// Valid lots by the day on which they expire.
    ending: BTreeMap<Date, Vec<usize>>,
    /// What valid lots give.
    gives: i64,
    /// Leave on lots that have expired: all of it was before that.
    spent: i64,
    /// How many parts of leave are of earlier days.
    passed: usize,
    /// Their minutes.
    taken: i64,
}

/// Lots and leave while a ledger is replayed.
#[derive(Debug)]
pub(super) struct Books {
    lots: Vec<Lot>,
    place: HashMap<LeaveLotId, usize>,
    /// Lots of which something is free, in the order in which they are used up (P11).
    open: BTreeSet<(UseOrder, usize)>,
    /// In order of day and posting.
    taken: Vec<Taken>,
    /// Which of `taken` are or were linked to each lot.
    linked: HashMap<LeaveLotId, Vec<usize>>,
    /// Which of `taken` no lot pays for, or not for all of it.
    advances: BTreeSet<usize>,
    /// Which of them had a lot that doesn't give it any more: another one pays when their day has come, in the order in which lots
    /// are used up (P11).
    orphans: BTreeSet<usize>,
    pending: Vec<Demand>,
    /// What was paid out on request, of which lot and when: it was in hand until then.
    paid_out: Vec<(LeaveLotId, Date, i64)>,
    /// What people changed of lots that policies have yet to write.
    changes: HashMap<LeaveLotId, i64>,
    hand: Hand,
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
            open: BTreeSet::new(),
            taken: Vec::new(),
            linked: HashMap::new(),
            advances: BTreeSet::new(),
            orphans: BTreeSet::new(),
            pending,
            paid_out: Vec::new(),
            changes: HashMap::new(),
            hand: Hand::default(),
        };
        for posting in stored.live().filter(|posting| posting.plan_key.is_none()) {
            match posting.kind {
                PostingKind::Consumption => books.taken.push(Taken { posting: posting.clone(), now: None }),
                PostingKind::Reversal => {}
                _ => {
                    if let Some(lot) = posting.lot_id {
                        books.change(lot, posting.minutes);
                        if posting.kind == PostingKind::Encashment {
                            books.paid_out.push((lot, posting.effective_on, -posting.minutes));
                        }
                    }
                }
            }
        }
        books.taken.sort_by_key(|one| (one.posting.effective_on, one.posting.id));
        for (index, one) in books.taken.iter().enumerate() {
            match one.posting.lot_id {
                Some(lot) => books.linked.entry(lot).or_default().push(index),
                None => drop(books.advances.insert(index)),
            }
        }
        for lot in stored.lots.iter().filter(|lot| lot.plan_key.is_none()) {
            books.open(lot.clone());
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
        let linked = self.linked.keys().filter(|lot| !self.place.contains_key(lot));
        linked.copied().filter(|lot| self.linked_to(*lot) > 0).collect()
    }

    /// Leave on a lot, whether or not there is one.
    fn linked_to(&self, lot: LeaveLotId) -> i64 {
        let linked = self.linked.get(&lot).into_iter().flatten();
        linked.filter_map(|index| self.taken.get(*index)).map(|one| one.minutes(Some(lot))).sum()
    }

    /// Adds a lot that gives nothing yet but what people changed of it.
    pub(super) fn open(&mut self, lot: LeaveLot) {
        let gives = self.changes.remove(&lot.id).unwrap_or_default();
        let (index, used) = (self.lots.len(), self.linked_to(lot.id));
        self.place.insert(lot.id, index);
        self.hand.ahead.entry(lot.valid_from).or_default().push(index);
        self.lots.push(Lot { lot, gives, used, reserved: 0, age: Age::Ahead });
        self.list(index);
    }

    fn at(&self, lot: LeaveLotId) -> Option<&Lot> {
        self.place.get(&lot).and_then(|index| self.lots.get(*index))
    }

    /// Lists a lot among the open ones, or not any more.
    fn list(&mut self, index: usize) {
        let Some(one) = self.lots.get(index) else { return };
        let key = (one.lot.order(), index);
        if one.free() > 0 {
            self.open.insert(key);
        } else {
            self.open.remove(&key);
        }
    }

    /// Changes what a lot gives.
    pub(super) fn change(&mut self, lot: LeaveLotId, minutes: i64) {
        let Some(index) = self.place.get(&lot).copied() else {
            *self.changes.entry(lot).or_default() += minutes;
            return;
        };
        if let Some(one) = self.lots.get_mut(index) {
            one.gives += minutes;
            if one.age == Age::Valid {
                self.hand.gives += minutes;
            }
        }
        self.list(index);
    }

    /// Changes how much leave is on a lot, if there is one.
    fn burden(&mut self, lot: LeaveLotId, minutes: i64) {
        let Some(index) = self.place.get(&lot).copied() else { return };
        if let Some(one) = self.lots.get_mut(index) {
            one.used += minutes;
            if one.age == Age::Expired {
                self.hand.spent += minutes;
            }
        }
        self.list(index);
    }

    /// Moves a part of leave from one lot to another; without one, it is leave in advance.
    fn shift(&mut self, index: usize, from: Option<LeaveLotId>, to: Option<LeaveLotId>, minutes: i64) {
        let Some(taken) = self.taken.get_mut(index) else { return };
        taken.shift(from, to, minutes);
        if taken.minutes(None) > 0 {
            self.advances.insert(index);
        } else {
            self.advances.remove(&index);
        }
        if let Some(from) = from {
            self.burden(from, -minutes);
        }
        if let Some(to) = to {
            let list = self.linked.entry(to).or_default();
            if let Err(place) = list.binary_search(&index) {
                list.insert(place, index);
            }
            self.burden(to, minutes);
        }
    }

    fn free(&self, lot: LeaveLotId) -> i64 {
        self.at(lot).map_or(0, Lot::free)
    }

    /// What of a lot neither leave nor pending requests use.
    pub(super) fn spare(&self, lot: LeaveLotId) -> i64 {
        self.at(lot).map_or(0, |one| one.free() - one.reserved)
    }

    pub(super) fn is_by_policy(&self, lot: LeaveLotId) -> bool {
        self.at(lot).is_some_and(|one| one.lot.plan_key.is_some())
    }

    pub(super) fn never_expires(&self, lot: LeaveLotId) -> bool {
        self.at(lot).is_some_and(|one| one.lot.valid_to.is_none())
    }

    /// Leave in hand at the beginning of a day: what valid lots give, less leave of earlier days. To be asked in order of
    /// time.
    ///
    /// What was taken in advance counts whether or not a later lot has paid for it.
    pub(super) fn in_hand(&mut self, day: Date) -> i64 {
        let paid_out = self.paid_out_later(day);
        let hand = &mut self.hand;
        while let Some(begun) = hand.ahead.first_entry().filter(|entry| *entry.key() <= day) {
            for index in begun.remove() {
                let Some(one) = self.lots.get_mut(index) else { continue };
                one.age = Age::Valid;
                hand.gives += one.gives;
                if let Some(to) = one.lot.valid_to {
                    hand.ending.entry(to).or_default().push(index);
                }
            }
        }
        while let Some(ended) = hand.ending.first_entry().filter(|entry| *entry.key() <= day) {
            for one in ended.remove() {
                let Some(one) = self.lots.get_mut(one) else { continue };
                one.age = Age::Expired;
                hand.gives -= one.gives;
                hand.spent += one.used;
            }
        }
        let rest = self.taken.get(hand.passed..).into_iter().flatten();
        for one in rest.take_while(|one| one.posting.effective_on < day) {
            hand.passed += 1;
            hand.taken -= one.posting.minutes;
        }
        hand.gives + paid_out - (hand.taken - hand.spent)
    }

    /// What was paid out on a day or later, of lots that had begun by then. Lots are paid out while they are valid.
    fn paid_out_later(&self, day: Date) -> i64 {
        let later = self.paid_out.iter().filter(|(_, on, _)| *on >= day);
        let begun = |lot: LeaveLotId| self.at(lot).is_some_and(|one| one.lot.valid_from <= day);
        later.filter(|(lot, ..)| begun(*lot)).map(|(.., minutes)| minutes).sum()
    }

    /// Lots of which something is free and that haven't expired on a day, in the order in which they are used up (P11).
    fn unexpired(&self, day: Date) -> impl Iterator<Item = &Lot> {
        let first = (UseOrder::after_expiry_on(day), 0);
        self.open.range(first..).filter_map(|(_, index)| self.lots.get(*index))
    }

    /// Lots that are valid on a day and of which something is free, in the order in which they are used up (P11).
    pub(super) fn in_order(&self, day: Date) -> Vec<LeaveLotId> {
        self.unexpired(day).filter(|one| one.lot.covers(day)).map(|one| one.lot.id).collect()
    }

    /// Lots granted by hand before a day that never expire.
    pub(super) fn open_grants(&self, day: Date) -> Vec<LeaveLotId> {
        let lots = self.lots.iter().map(|one| &one.lot);
        let open =
            lots.filter(|lot| lot.plan_key.is_none() && lot.valid_to.is_none() && lot.valid_from < day);
        open.map(|lot| lot.id).collect()
    }

    /// What of the opening balance never expires by itself, as far as it began before a day.
    pub(super) fn openings(&self, opens_on: Option<Date>, day: Date) -> Vec<LeaveLotId> {
        let lots = self.lots.iter().map(|one| &one.lot);
        let open = lots.filter(|lot| lot.opens(opens_on) && lot.valid_to.is_none() && lot.valid_from < day);
        open.map(|lot| lot.id).collect()
    }

    /// Reserves what pending requests ask for on days before one, so that it isn't carried over.
    pub(super) fn reserve_before(&mut self, day: Date) {
        let (now, later) = self.pending.iter().partition(|demand| demand.day < day);
        self.pending = later;
        let now: Vec<Demand> = now;
        for demand in now {
            let valid = self.unexpired(demand.day).filter(|one| one.lot.covers(demand.day));
            let room = valid.map(|one| (one.lot.id, one.free() - one.reserved));
            for (lot, part) in parts(room, demand.minutes) {
                if let Some(one) = self.place.get(&lot).and_then(|index| self.lots.get_mut(*index)) {
                    one.reserved += part;
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

    /// Makes leave on a lot leave that waits for its day, the latest first: up to so many minutes, or all that is meant.
    fn shed(&mut self, lot: LeaveLotId, meant: impl Fn(&LeavePosting) -> bool, most: Option<i64>) {
        let mut left = most.unwrap_or(i64::MAX);
        for index in self.linked.get(&lot).cloned().unwrap_or_default().into_iter().rev() {
            let Some(taken) = self.taken.get(index) else { continue };
            let part = taken.minutes(Some(lot)).min(left);
            if part > 0 && meant(&taken.posting) {
                self.shift(index, Some(lot), None, part);
                self.orphans.insert(index);
                left -= part;
            }
        }
    }

    /// Leave of days before one that lost its lot gets others that are valid on its day; what they lack is leave in advance.
    pub(super) fn adopt_before(&mut self, day: Date) {
        while let Some(index) = self.orphans.first().copied() {
            let Some(taken) = self.taken.get(index).filter(|one| one.posting.effective_on < day) else {
                break;
            };
            self.orphans.remove(&index);
            let on = taken.posting.effective_on;
            let valid = self.unexpired(on).filter(|one| one.lot.covers(on));
            let parts = parts(valid.map(|one| (one.lot.id, one.free())), taken.minutes(None));
            for (lot, part) in parts {
                self.shift(index, None, Some(lot), part);
            }
        }
        self.settle();
    }

    /// Lots pay for leave that was taken in advance of them, unless they had expired on the day of leave.
    pub(super) fn settle(&mut self) {
        let mut from = 0;
        while let Some(index) = self.advances.range(from..).next().copied() {
            from = index + 1;
            if self.orphans.contains(&index) {
                continue;
            }
            let Some(taken) = self.taken.get(index) else { continue };
            let room = self.unexpired(taken.posting.effective_on).map(|one| (one.lot.id, one.free()));
            let parts = parts(room, taken.minutes(None));
            if parts.is_empty() {
                // Nor is there any for leave of later days.
                return;
            }
            for (lot, part) in parts {
                self.shift(index, None, Some(lot), part);
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
                    closed_through: None,
                });
            }
        }
        postings
    }
}

/// How an amount is drawn from lots with so much room each, in their order.
fn parts(room: impl Iterator<Item = (LeaveLotId, i64)>, minutes: i64) -> Vec<(LeaveLotId, i64)> {
    let mut open = minutes;
    let mut parts = Vec::new();
    for (lot, room) in room {
        if open <= 0 {
            break;
        }
        let part = open.min(room);
        if part > 0 {
            parts.push((lot, part));
            open -= part;
        }
    }
    parts
}
