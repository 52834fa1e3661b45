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
use super::service::{PlanFacts, Span};
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

/// What policies call what they write: a name, a lot and a kind.
type Name = (String, LeaveLotId, PostingKind);

/// What policies want to stand in the ledger: minutes, and from which day on.
type Wanted = HashMap<Name, (i64, Date)>;

/// Replays an account up to and including a day, or further where leave is booked or asked for.
///
/// `ids` gives ids to postings; those of lots follow from their names.
pub fn replay(
    facts: &PlanFacts<'_>,
    account: &Account,
    stored: Ledger,
    until: Date,
    ids: &mut dyn FnMut() -> Uuid,
) -> Replayed {
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
            // What somebody had when they left stays for the settlement.
            if self.facts.employment.at(day).is_some() {
                steps.push((day, Step::CarryOver));
            }
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
        for lot in self.books.in_order(day) {
            let left = self.books.spare(lot);
            let lapses =
                self.books.is_by_policy(lot) || self.books.openings(self.opens_on, day).contains(&lot);
            if left > 0 && lapses {
                self.want(&key("lapse", day, day, None), lot, PostingKind::Lapse, -left, day);
            }
        }
        self.open.clear();
    }

    /// Days from which on a lower cap is in force above which leave in hand lapses, with the cap.
    fn level_changes(&self, until: Date) -> Vec<(Date, Step)> {
        let spans = self.facts.spans();
        let cap_of = |span: &Span<'_>| {
            let cap = span.level.balance_cap?.minutes(self.facts.minutes_per_day);
            Some(super::amount::whole(cap))
        };
        let pairs = spans.iter().zip(spans.iter().skip(1));
        let changes = pairs.filter(|(old, new)| old.employed == new.employed && new.days.from <= until);
        changes
            .filter_map(|(old, new)| {
                let plan = new.term.rules.accrual.as_ref()?;
                let cap = cap_of(new).filter(|cap| cap_of(old).is_none_or(|before| *cap < before))?;
                let lapses = plan.above_new_cap == AboveNewCap::Lapses;
                lapses.then_some((new.days.from, Step::LevelChange(cap)))
            })
            .collect()
    }

    /// The first day after `day` on which leave is carried over by the rules in force then.
    fn next_carry(&self, day: Date) -> Option<Date> {
        self.facts.terms.iter().filter_map(|term| self.carry_in(term, day)).min()
    }

    /// When something that begins on a day ends, if it is to end on another: never, when the employment ends before.
    fn ends(&self, from: Date, to: Option<Date>) -> Option<Date> {
        let spells = self.facts.employment.spells();
        let spell = spells.iter().rfind(|spell| spell.period.from() <= from)?;
        to.filter(|to| spell.period.to().is_none_or(|left| *to < left))
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
        let next = self.ends(day, self.next_carry(day));
        let own_end = limit.valid_for.map(|length| self.ends(day, Some(length.after(day))));
        let valid_to = own_end.unwrap_or(next);
        let mut left_to_carry = most.unwrap_or(i64::MAX);
        if let Some(total) = limit.total {
            let total = super::amount::whole(total.minutes(self.facts.minutes_per_day));
            let there = self.books.in_hand(day);
            let joining = from.iter().filter(|lot| self.books.never_expires(**lot));
            let joining: i64 = joining.map(|lot| self.books.spare(*lot).max(0)).sum();
            left_to_carry = left_to_carry.min((total - fresh - (there - joining)).max(0));
        }
        let name = key("carry", day, day, valid_to);
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
            self.open_lot(&name, LotSource::CarryOver, carried, day, valid_to);
            self.want(&name, to, PostingKind::Transfer, carried, day);
            self.books.arrived(to);
            if own_end.is_none() {
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
            let valid_to = self.ends(credit.on, self.next_carry(credit.on));
            let name = key("accrual", credit.served_from, credit.on, valid_to);
            let lot = self.open_lot(&name, LotSource::Accrual, credit.minutes, credit.on, valid_to);
            self.want(&name, lot, PostingKind::Grant, credit.minutes, credit.on);
            self.books.arrived(lot);
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
    fn compare(mut self, stored: Ledger, credits: Vec<Credit>, ids: &mut dyn FnMut() -> Uuid) -> Replayed {
        let mut missing = std::mem::take(&mut self.wanted);
        let mut written: HashMap<Name, Vec<&LeavePosting>> = HashMap::new();
        for posting in stored.live() {
            if let (Some(name), Some(lot)) = (&posting.plan_key, posting.lot_id) {
                let kind = match posting.kind {
                    PostingKind::Adjustment => PostingKind::Grant,
                    kind => kind,
                };
                let name = (name.clone(), lot, kind);
                missing.entry(name.clone()).or_insert((0, posting.effective_on)).0 -= posting.minutes;
                written.entry(name).or_default().push(posting);
            }
        }
        let mut missing: Vec<_> = missing.into_iter().filter(|(_, (minutes, _))| *minutes != 0).collect();
        missing.sort_by(|((one, lot, kind), (_, on)), ((two, lot2, kind2), (_, on2))| {
            (on, one, lot, kind.code()).cmp(&(on2, two, lot2, kind2.code()))
        });
        let mut postings: Vec<LeavePosting> = Vec::new();
        for (name, (lacking, on)) in missing {
            let before = written.get(&name).map(Vec::as_slice).unwrap_or_default();
            let (kind, minutes) = match name.2 {
                PostingKind::Grant if !before.is_empty() => (PostingKind::Adjustment, lacking),
                // What payroll was told isn't corrected but undone, and told anew.
                PostingKind::Encashment => {
                    postings.extend(before.iter().map(|one| self.undoing(one, ids())));
                    (name.2, lacking + before.iter().map(|one| one.minutes).sum::<i64>())
                }
                kind => (kind, lacking),
            };
            if minutes != 0 {
                postings.push(self.posting(name, kind, minutes, on, ids()));
            }
        }
        for posting in &mut postings {
            posting.closed_through = stored.closed_through;
        }
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

impl Run<'_> {
    fn posting(&self, name: Name, kind: PostingKind, minutes: i64, on: Date, id: Uuid) -> LeavePosting {
        LeavePosting {
            id: LeavePostingId::from_uuid(id),
            employee_id: self.account.employee_id,
            leave_type_id: self.account.leave_type_id,
            lot_id: Some(name.1),
            request_id: None,
            kind,
            minutes,
            effective_on: on,
            booked_on: on,
            posted_at: self.account.now,
            posted_by: None,
            reverses_id: None,
            plan_key: Some(name.0),
            closed_through: None,
        }
    }

    /// Takes back what a policy wrote.
    fn undoing(&self, written: &LeavePosting, id: Uuid) -> LeavePosting {
        LeavePosting {
            id: LeavePostingId::from_uuid(id),
            kind: PostingKind::Reversal,
            minutes: -written.minutes,
            reverses_id: Some(written.id),
            posted_at: self.account.now,
            posted_by: None,
            plan_key: None,
            ..written.clone()
        }
    }
}

/// The name of what a policy writes: everything about a lot that never changes.
fn key(what: &str, about: Date, from: Date, to: Option<Date>) -> String {
    let to = to.map_or_else(|| "open".to_owned(), |to| to.to_string());
    format!("{what}:{about}:{from}:{to}")
}
