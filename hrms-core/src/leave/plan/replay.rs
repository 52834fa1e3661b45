//! What should stand in the ledger by the policies, replayed in order of time, and what it lacks of it.
//!
//! On one date: expiry, a new employment, carry-over, change of level, credit, leave (P12). What the policies wrote before is not
//! looked at, so the answer is the same however often, late or never it was written (P6).

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use jiff::civil::Date;
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use super::books::Books;
use super::calendar::next_of;
use super::credit::{Credit, credits};
use super::rules::{AboveNewCap, CarryLimit, CarryOver, Excess, OpenGrants};
use super::service::PlanFacts;
use crate::id::{EmployeeId, LeaveLotId, LeavePostingId, LeaveTypeId};
use crate::leave::ledger::{LeaveLot, LeavePosting, Ledger, LotSource, PostingKind};

/// Whose ledger, and when it is replayed.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// Whose leave.
    pub employee_id: EmployeeId,
    /// What kind of leave.
    pub leave_type_id: LeaveTypeId,
    /// The instant of what is added.
    pub now: Timestamp,
}

/// A ledger as it should stand, and what the stored one lacks.
#[derive(Clone, Debug, Default)]
pub struct Replayed {
    /// The stored ledger with everything that it lacks.
    pub ledger: Ledger,
    /// Lots that it lacks.
    pub lots: Vec<LeaveLot>,
    /// Postings by policies that it lacks.
    pub postings: Vec<LeavePosting>,
    /// Postings that link leave to other lots than before: what was taken in advance is paid from lots that came
    /// later, and what lots don't give any more is taken in advance.
    pub links: Vec<LeavePosting>,
    /// Every credit, with what was cut.
    pub credits: Vec<Credit>,
}

/// What policies want to stand in the ledger: minutes of one kind on one lot, under one name.
type Wanted = HashMap<(String, LeaveLotId, PostingKind), (i64, Date)>;

/// Replays an account up to and including a day, or further where leave is booked or asked for.
///
/// `ids` gives ids to postings; those of lots follow from their names.
pub fn replay(
    facts: &PlanFacts<'_>,
    account: &Account,
    mut stored: Ledger,
    until: Date,
    ids: &mut dyn FnMut() -> Uuid,
) -> Replayed {
    stored.planned = true;
    let until = horizon(&stored, until);
    let mut gone = BTreeSet::new();
    loop {
        let mut run = Run {
            facts,
            account,
            books: Books::of(&stored, &gone),
            wanted: Wanted::new(),
            lots: Vec::new(),
            open: Vec::new(),
            opens_on: stored.opens_on,
            lost: HashMap::new(),
        };
        let credits = run.through(until);
        // Leave on lots that aren't wanted any more is paid from others, in order of time: once more from the start.
        let unknown = run.books.unknown();
        if unknown.is_empty() {
            return run.compare(stored, credits, ids);
        }
        gone.extend(unknown);
    }
}

/// The last day that matters: leave that is booked or asked for may use what is credited until then.
fn horizon(stored: &Ledger, until: Date) -> Date {
    let written = stored.lots.iter().filter(|lot| lot.plan_key.is_some());
    let begins: HashMap<LeaveLotId, Date> = written.map(|lot| (lot.id, lot.valid_from)).collect();
    let leave = stored.live().filter(|posting| posting.kind == PostingKind::Consumption);
    let booked = leave.map(|posting| {
        let begin = posting.lot_id.and_then(|lot| begins.get(&lot)).copied();
        begin.unwrap_or(until).max(posting.effective_on)
    });
    let asked = stored.pending.iter().map(|demand| demand.day);
    booked.chain(asked).fold(until, Date::max)
}

/// One step; on one date in this order.
#[derive(Debug)]
enum Step {
    NewEmployment,
    CarryOver,
    LevelChange(i64),
    Credit(Box<Credit>),
}

impl Step {
    const fn order(&self) -> u8 {
        match self {
            Self::NewEmployment => 0,
            Self::CarryOver => 1,
            Self::LevelChange(_) => 2,
            Self::Credit(_) => 3,
        }
    }
}

struct Run<'a> {
    facts: &'a PlanFacts<'a>,
    account: &'a Account,
    books: Books,
    wanted: Wanted,
    lots: Vec<LeaveLot>,
    /// Lots that the next carry-over is about.
    open: Vec<LeaveLotId>,
    /// What policies did before is part of the opening balance.
    opens_on: Option<Date>,
    /// Minutes that balance caps cut, by the first day of the leave year.
    lost: HashMap<Date, i64>,
}

impl Run<'_> {
    fn through(&mut self, until: Date) -> Vec<Credit> {
        let credits = credits(self.facts, until);
        let mut fresh: HashMap<Date, i64> = HashMap::new();
        for credit in &credits {
            *fresh.entry(credit.on).or_default() += credit.minutes;
        }
        let mut steps: Vec<(Date, Step)> =
            credits.into_iter().map(|one| (one.on, Step::Credit(Box::new(one)))).collect();
        steps.extend(self.level_changes(until));
        let spells = self.facts.employment.spells();
        let again = spells.iter().skip(1).map(|spell| spell.period.from()).filter(|from| *from <= until);
        steps.extend(again.map(|from| (from, Step::NewEmployment)));
        let first = self.facts.employment.first_day().unwrap_or(until);
        let mut carry = self.next_carry(first);
        while let Some(day) = carry.filter(|day| *day <= until) {
            steps.push((day, Step::CarryOver));
            carry = self.next_carry(day);
        }
        steps.retain(|(day, _)| self.opens_on.is_none_or(|opens_on| opens_on <= *day));
        steps.sort_by_key(|(day, step)| (*day, step.order()));
        let mut credits = Vec::new();
        for (day, step) in steps {
            self.books.adopt_before(day);
            match step {
                Step::NewEmployment => self.begin_anew(day),
                Step::CarryOver => self.carry_over(day, fresh.get(&day).copied().unwrap_or_default()),
                Step::LevelChange(cap) => self.cut_to(cap, day),
                Step::Credit(credit) => credits.push(self.credit(*credit)),
            }
        }
        self.books.adopt_before(Date::MAX);
        credits
    }

    /// What policies had credited in an earlier employment lapses when somebody is employed again: it was settled when
    /// they left. Until then it is shown, for the settlement.
    fn begin_anew(&mut self, day: Date) {
        self.books.reserve_before(day);
        for lot in self.books.by_policies(self.opens_on, day) {
            self.books.release(lot, day);
            let left = self.books.spare(lot);
            if left > 0 {
                self.want(&key("lapse", day, day, None), lot, PostingKind::Lapse, -left, day);
            }
        }
        self.open.clear();
    }

    /// Days on which a level with a cap begins above which leave in hand lapses, with the cap.
    fn level_changes(&self, until: Date) -> Vec<(Date, Step)> {
        let spans = self.facts.spans();
        let begins = spans.iter().filter(|span| span.index > 0 && span.days.from <= until);
        begins
            .filter_map(|span| {
                let plan = span.term.rules.accrual.as_ref()?;
                let cap = span.level.balance_cap?.minutes(self.facts.minutes_per_day);
                let lapses = plan.above_new_cap == AboveNewCap::Lapses;
                lapses.then(|| (span.days.from, Step::LevelChange(super::amount::whole(cap))))
            })
            .collect()
    }

    /// The first day after `day` on which leave is carried over by the rules in force then.
    fn next_carry(&self, day: Date) -> Option<Date> {
        self.facts.terms.iter().filter_map(|term| self.carry_in(term, day)).min()
    }

    fn carry_in(&self, term: &super::service::Term<'_>, day: Date) -> Option<Date> {
        let carry = term.rules.carry_over.as_ref()?;
        let before = term.period.from().yesterday().ok()?.max(day);
        let joined = self.facts.joined(before.max(self.facts.employment.first_day()?))?;
        let next = next_of(carry.day(term.rules.leave_year, joined), before);
        term.period.contains(next).then_some(next)
    }

    /// What is carried over on a day, by the level of the day before (P12).
    fn carry_rule(&self, day: Date) -> Option<(CarryOver, CarryLimit)> {
        let carry = self.facts.term(day)?.rules.carry_over?;
        let spans = self.facts.spans();
        let level = spans.iter().rfind(|span| span.days.from < day).map(|span| span.level);
        Some((carry, level.and_then(|level| level.carry_over).unwrap_or(carry.limit)))
    }

    /// Carries over to a day on which so many minutes are credited afterwards.
    fn carry_over(&mut self, day: Date, fresh: i64) {
        let Some((carry, limit)) = self.carry_rule(day) else { return };
        self.books.reserve_before(day);
        let mut from = std::mem::take(&mut self.open);
        from.extend(match carry.open_grants {
            OpenGrants::Join => self.books.open_grants(day),
            // What policies had credited before is carried over like what they credit since.
            _ => self.books.openings(self.opens_on, day),
        });
        let most = limit.most.map(|most| super::amount::whole(most.minutes(self.facts.minutes_per_day)));
        let next = self.next_carry(day);
        let until = limit.valid_for.map(|length| length.after(day));
        let mut left_to_carry = most.unwrap_or(i64::MAX);
        if let Some(total) = limit.total {
            let total = super::amount::whole(total.minutes(self.facts.minutes_per_day));
            let there = self.books.in_hand(day);
            let joining = from.iter().filter(|lot| self.books.never_expires(**lot));
            let joining: i64 = joining.map(|lot| self.books.spare(*lot).max(0)).sum();
            left_to_carry = left_to_carry.min((total - fresh - (there - joining)).max(0));
        }
        let name = key("carry", day, day, until.or(next));
        let to = self.lot_id(&name);
        let mut carried = 0;
        for lot in from {
            let left = self.books.spare(lot).max(0);
            let part = left.min(left_to_carry);
            if part > 0 {
                self.want(&name, lot, PostingKind::Transfer, -part, day);
                carried += part;
                left_to_carry -= part;
            }
            let excess = left - part;
            if excess > 0 && limit.excess == Excess::Encashed {
                self.want(&key("encash", day, day, None), lot, PostingKind::Encashment, -excess, day);
            } else if excess > 0 && self.books.never_expires(lot) {
                self.want(&key("lapse", day, day, None), lot, PostingKind::Lapse, -excess, day);
            }
        }
        if carried > 0 {
            self.open_lot(&name, LotSource::CarryOver, carried, day, until.or(next));
            self.want(&name, to, PostingKind::Transfer, carried, day);
            self.books.arrived(to, day);
            if until.is_none() {
                self.open.push(to);
            }
        }
    }

    /// Leave in hand above a cap lapses, from the lot that expires first.
    fn cut_to(&mut self, cap: i64, day: Date) {
        self.books.reserve_before(day);
        let mut excess = self.books.in_hand(day) - cap;
        for lot in self.books.in_order(day) {
            let part = self.books.spare(lot).min(excess);
            if part > 0 {
                self.want(&key("lapse", day, day, None), lot, PostingKind::Lapse, -part, day);
                excess -= part;
            }
        }
    }

    fn credit(&mut self, mut credit: Credit) -> Credit {
        let year = self.lost.entry(credit.derivation.leave_year_from).or_default();
        // What was lost to the balance cap wasn't credited: the yearly cap leaves room for as much later.
        let again = credit.derivation.cut_by_yearly_cap.min(*year);
        credit.derivation.cut_by_yearly_cap -= again;
        credit.minutes += again;
        *year -= again;
        if let Some(cap) = credit.balance_cap {
            let room = (cap - self.books.in_hand(credit.on)).max(0);
            let minutes = credit.minutes.min(room);
            credit.derivation.cut_by_balance_cap = credit.minutes - minutes;
            *year += credit.derivation.cut_by_balance_cap;
            credit.minutes = minutes;
        }
        if credit.minutes > 0 {
            let valid_to = self.next_carry(credit.on);
            let name = key("accrual", credit.served_from, credit.on, valid_to);
            let lot = self.open_lot(&name, LotSource::Accrual, credit.minutes, credit.on, valid_to);
            self.want(&name, lot, PostingKind::Grant, credit.minutes, credit.on);
            self.books.arrived(lot, credit.on);
            self.open.push(lot);
        }
        credit
    }

    fn open_lot(
        &mut self,
        name: &str,
        source: LotSource,
        minutes: i64,
        from: Date,
        to: Option<Date>,
    ) -> LeaveLotId {
        let lot = LeaveLot {
            id: self.lot_id(name),
            employee_id: self.account.employee_id,
            leave_type_id: self.account.leave_type_id,
            source,
            minutes,
            valid_from: from,
            valid_to: to,
            granted_on: from,
            note: None,
            plan_key: Some(name.to_owned()),
            created_at: self.account.now,
        };
        let id = lot.id;
        self.books.open(lot.clone());
        self.lots.push(lot);
        id
    }

    fn want(&mut self, name: &str, lot: LeaveLotId, kind: PostingKind, minutes: i64, on: Date) {
        let wanted = self.wanted.entry((name.to_owned(), lot, kind)).or_insert((0, on));
        wanted.0 += minutes;
        self.books.change(lot, minutes);
    }

    /// The id of a lot follows from its account and name: two nodes can't write it twice.
    fn lot_id(&self, name: &str) -> LeaveLotId {
        let mut hash = Sha256::new();
        hash.update(self.account.employee_id.as_uuid().as_bytes());
        hash.update(self.account.leave_type_id.as_uuid().as_bytes());
        hash.update(name.as_bytes());
        let mut bytes = [0; 16];
        for (byte, hashed) in bytes.iter_mut().zip(hash.finalize()) {
            *byte = hashed;
        }
        LeaveLotId::from_uuid(Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// What the stored ledger lacks of what is wanted.
    fn compare(self, stored: Ledger, credits: Vec<Credit>, ids: &mut dyn FnMut() -> Uuid) -> Replayed {
        let mut missing = self.wanted;
        let mut written: Vec<(String, LeaveLotId, PostingKind)> = Vec::new();
        for posting in &stored.postings {
            if let (Some(name), Some(lot)) = (&posting.plan_key, posting.lot_id) {
                let kind = match posting.kind {
                    PostingKind::Adjustment => PostingKind::Grant,
                    kind => kind,
                };
                let entry = missing.entry((name.clone(), lot, kind)).or_insert((0, posting.effective_on));
                entry.0 -= posting.minutes;
                written.push((name.clone(), lot, kind));
            }
        }
        written
            .sort_unstable_by(|one, two| (&one.0, one.1, one.2.code()).cmp(&(&two.0, two.1, two.2.code())));
        let is_written = |key: &(String, LeaveLotId, PostingKind)| {
            let order = |one: &(String, LeaveLotId, PostingKind)| {
                (one.0.as_str(), one.1, one.2.code()).cmp(&(key.0.as_str(), key.1, key.2.code()))
            };
            written.binary_search_by(order).is_ok()
        };
        let mut missing: Vec<_> = missing.into_iter().filter(|(_, (minutes, _))| *minutes != 0).collect();
        missing.sort_by(|((one, lot, kind), (_, on)), ((two, lot2, kind2), (_, on2))| {
            (on, one, lot, kind.code()).cmp(&(on2, two, lot2, kind2.code()))
        });
        let posting = |name: String, lot: LeaveLotId, kind: PostingKind, minutes: i64, on: Date, id: Uuid| {
            LeavePosting {
                id: LeavePostingId::from_uuid(id),
                employee_id: self.account.employee_id,
                leave_type_id: self.account.leave_type_id,
                lot_id: Some(lot),
                request_id: None,
                kind,
                minutes,
                effective_on: on,
                booked_on: on,
                posted_at: self.account.now,
                posted_by: None,
                reverses_id: None,
                plan_key: Some(name),
                closed_through: stored.closed_through,
            }
        };
        let postings: Vec<LeavePosting> = missing
            .into_iter()
            .map(|(key, (minutes, on))| {
                let corrects = key.2 == PostingKind::Grant && is_written(&key);
                let kind = if corrects { PostingKind::Adjustment } else { key.2 };
                posting(key.0, key.1, kind, minutes, on, ids())
            })
            .collect();
        let known: HashSet<LeaveLotId> = stored.lots.iter().map(|lot| lot.id).collect();
        let lots: Vec<LeaveLot> = self.lots.into_iter().filter(|lot| !known.contains(&lot.id)).collect();
        let mut links = self.books.links(self.account.now, ids);
        for link in &mut links {
            link.closed_through = stored.closed_through;
        }
        let mut ledger = stored;
        ledger.lots.extend(lots.iter().cloned());
        ledger.postings.extend(postings.iter().cloned());
        ledger.postings.extend(links.iter().cloned());
        Replayed { ledger, lots, postings, links, credits }
    }
}

/// The name of what a policy writes: everything about a lot that never changes.
fn key(what: &str, about: Date, from: Date, to: Option<Date>) -> String {
    let to = to.map_or_else(|| "open".to_owned(), |to| to.to_string());
    format!("{what}:{about}:{from}:{to}")
}
