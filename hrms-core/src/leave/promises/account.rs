//! An account that is kept as the services keep it, step by step, without a store.

use std::collections::{BTreeSet, HashMap};

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use uuid::Uuid;

use super::DAY;
use super::random::{History, Step};
use crate::employment::{Facts, Timeline};
use crate::id::{EmployeeId, LeaveLotId, LeavePolicyVersionId, LeavePostingId, LeaveRequestId, LeaveTypeId};
use crate::leave::plan::{Account, Credit, DayWork, PlanFacts, PolicyRules, Replayed, Term, credits, replay};
use crate::leave::{
    Absence, BalanceMinutes, CountedDay, DayFacts, DayPart, Demand, InclusiveDays, LeaveLot, LeavePosting,
    Ledger, LotSource, NewPosting, PostingKind, SandwichRule, count_leave, count_without, total_minutes,
};
use crate::period::{Period, assign};
use crate::work_pattern::WorkRule;

const EMPLOYEE: EmployeeId = EmployeeId::from_uuid(Uuid::from_u128(1));
const TYPE: LeaveTypeId = LeaveTypeId::from_uuid(Uuid::from_u128(2));

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Pending,
    Approved,
    Gone,
}

/// A request, and what it was counted as.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) absence: Absence,
    pub(super) days: Vec<CountedDay>,
    pub(super) asked_on: Date,
    pub(super) status: Status,
}

/// One employee's account and everything that it depends on.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) stored: Ledger,
    pub(super) requests: Vec<Request>,
    pub(super) employment: Timeline,
    pub(super) today: Date,
    /// Each with the number of its version.
    rules: Vec<PolicyRules>,
    terms: Vec<(usize, Period)>,
    pattern: WorkRule,
    holidays: BTreeSet<Date>,
    sandwich: SandwichRule,
    floor: i64,
    paid: bool,
    ids: u128,
}

impl Kept {
    pub(super) fn new(history: &History) -> Self {
        Self {
            stored: Ledger::default(),
            requests: Vec::new(),
            employment: history.employment.clone(),
            today: history.employment.first_day().unwrap(),
            rules: vec![history.rules.clone()],
            terms: vec![(0, Period::since(Date::constant(1900, 1, 1)))],
            pattern: history.pattern.clone(),
            holidays: history.holidays.iter().copied().collect(),
            sandwich: history.sandwich,
            floor: history.floor,
            paid: history.paid,
            ids: 1000,
        }
    }

    fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    fn facts(&self, day: Date) -> DayFacts<'static> {
        DayFacts {
            employed: self.employment.at(day).is_some(),
            working: self.pattern.on(day),
            holiday: self.holidays.contains(&day).then_some("Feast"),
        }
    }

    /// The account as it should stand.
    pub(super) fn replayed(&self, until: Date) -> Replayed {
        let account = Account { employee_id: EMPLOYEE, leave_type_id: TYPE, now: Timestamp::UNIX_EPOCH };
        let mut next = self.ids + 1_000_000;
        let mut ids = || {
            next += 1;
            Uuid::from_u128(next)
        };
        self.with_facts(|facts| replay(facts, &account, self.stored.clone(), until, &mut ids))
    }

    fn with_facts<T>(&self, ask: impl FnOnce(&PlanFacts<'_>) -> T) -> T {
        let number = |index: usize| LeavePolicyVersionId::from_uuid(Uuid::from_u128(index as u128 + 1));
        let term = |(index, period): &(usize, Period)| Term {
            period: *period,
            version: number(*index),
            rules: &self.rules[*index],
        };
        let terms: Vec<Term<'_>> = self.terms.iter().map(term).collect();
        let mut away: HashMap<Date, i64> = HashMap::new();
        for taken in self.stored.live().filter(|one| one.kind == PostingKind::Consumption) {
            *away.entry(taken.effective_on).or_default() -= taken.minutes;
        }
        let work = |day: Date| {
            if self.holidays.contains(&day) {
                return DayWork::default();
            }
            let scheduled = self.pattern.on(day).share_of(DAY);
            let away = away.get(&day).copied().unwrap_or_default();
            let unpaid = if self.paid { 0 } else { away.min(scheduled) };
            DayWork { scheduled, worked: (scheduled - away).max(0), unpaid }
        };
        ask(&PlanFacts {
            terms: &terms,
            employment: &self.employment,
            gender: None,
            minutes_per_day: DAY,
            work: &work,
        })
    }

    /// What is earned until a day, before it is cut because of what is in hand.
    pub(super) fn earned(&self, until: Date) -> Vec<Credit> {
        self.with_facts(|facts| credits(facts, until))
    }

    /// Other rules for all days.
    pub(super) fn rules_for_ever(&mut self, rules: PolicyRules) {
        self.rules.push(rules);
        self.terms = vec![(self.rules.len() - 1, Period::since(Date::constant(1900, 1, 1)))];
    }

    pub(super) fn balance(&self, as_of: Date) -> BalanceMinutes {
        BalanceMinutes::of(&self.replayed(as_of).ledger, as_of)
    }

    /// Writes what is missing: all of it before a booking, what has come due in the job.
    fn write(&mut self, replayed: &Replayed, due: Option<Date>) {
        let is_due = |on: Date| due.is_none_or(|due| on <= due);
        self.stored.lots.extend(replayed.lots.iter().filter(|lot| is_due(lot.valid_from)).cloned());
        let postings = replayed.postings.iter().filter(|one| is_due(one.effective_on));
        self.stored.postings.extend(postings.cloned());
        if due.is_none() {
            self.stored.postings.extend(replayed.links.iter().cloned());
        }
        self.ids += 10_000_000;
    }

    /// The job on a day.
    pub(super) fn job(&mut self, today: Date) {
        let replayed = self.replayed(today);
        self.write(&replayed, Some(today));
    }

    /// The job twice: the second run finds nothing that has come due.
    pub(super) fn two_jobs(&mut self, today: Date) {
        self.job(today);
        let again = self.replayed(today);
        let due = |on: Date| on <= today;
        assert!(!again.lots.iter().any(|lot| due(lot.valid_from)), "{:?}", again.lots);
        assert!(!again.postings.iter().any(|one| due(one.effective_on)), "{:?}", again.postings);
        self.job(today);
    }

    fn written(&mut self) -> Ledger {
        let replayed = self.replayed(self.today);
        self.write(&replayed, None);
        replayed.ledger
    }

    /// Posts on the ledger in memory and on the stored one.
    fn post(&mut self, ledger: &mut Ledger, new: Vec<NewPosting>) {
        for one in new {
            let posting = LeavePosting {
                id: LeavePostingId::from_uuid(self.id()),
                employee_id: EMPLOYEE,
                leave_type_id: TYPE,
                lot_id: one.lot_id,
                request_id: one.request_id,
                kind: one.kind,
                minutes: one.minutes,
                effective_on: one.effective_on,
                booked_on: one.booked_on.unwrap_or(self.today),
                posted_at: Timestamp::UNIX_EPOCH,
                posted_by: None,
                reverses_id: one.reverses_id,
                plan_key: None,
                closed_through: None,
            };
            self.stored.postings.push(posting.clone());
            ledger.postings.push(posting);
        }
    }

    fn post_and_settle(&mut self, ledger: &mut Ledger, new: Vec<NewPosting>) {
        self.post(ledger, new);
        let settled = ledger.settle();
        self.post(ledger, settled);
    }

    /// Requests that are neither rejected nor taken back.
    pub(super) fn live(&self) -> impl Iterator<Item = &Request> {
        self.requests.iter().filter(|one| one.status != Status::Gone)
    }

    fn demand(&mut self) {
        let pending = self.requests.iter().filter(|one| one.status == Status::Pending);
        self.stored.pending = pending.flat_map(demands).collect();
    }

    /// Asks for leave: whether it was taken.
    pub(super) fn submit(&mut self, days: InclusiveDays) -> bool {
        let number = self.requests.len() as u128 + 1;
        let absence = Absence {
            request_id: LeaveRequestId::from_uuid(Uuid::from_u128(number)),
            asked_at: Timestamp::from_second(i64::try_from(number).unwrap()).unwrap(),
            leave_type_id: TYPE,
            days,
            hours: None,
        };
        let clashes = |other: &Request| {
            days.days().any(|(day, part)| part.halves().iter().any(|half| other.absence.covers(day, *half)))
        };
        if self.live().any(clashes) || days.days().any(|(day, _)| self.employment.at(day).is_none()) {
            return false;
        }
        let others: Vec<Absence> = self.live().map(|one| one.absence.clone()).collect();
        let counted = count_leave(&absence, self.sandwich, &others, DAY, |day| self.facts(day));
        if total_minutes(&counted) == 0 {
            return false;
        }
        let id = absence.request_id;
        let status = Status::Pending;
        self.requests.push(Request { absence, days: counted, asked_on: self.today, status });
        self.demand();
        if self.replayed(self.today).ledger.uncovered(id).all > self.floor {
            self.requests.pop();
            self.demand();
            return false;
        }
        true
    }

    /// Approves a pending request, unless the balance or the employment don't allow it any more.
    pub(super) fn approve(&mut self, index: usize) -> bool {
        let request = self.requests[index].clone();
        let id = request.absence.request_id;
        if request.absence.days.days().any(|(day, _)| self.employment.at(day).is_none()) {
            return false;
        }
        let uncovered = self.replayed(self.today).ledger.uncovered(id);
        let lacks = if uncovered.request == 0 { 0 } else { uncovered.request + uncovered.advanced };
        if lacks > self.floor {
            return false;
        }
        let mut ledger = self.written();
        let booked = ledger.book(id);
        self.requests[index].status = Status::Approved;
        self.demand();
        ledger.pending.clone_from(&self.stored.pending);
        self.post_and_settle(&mut ledger, booked);
        true
    }

    /// Rejects, withdraws or cancels a request, and counts those anew that paid for days off because of it.
    fn end(&mut self, index: usize) {
        let id = self.requests[index].absence.request_id;
        let was = std::mem::replace(&mut self.requests[index].status, Status::Gone);
        self.demand();
        if was == Status::Approved {
            let mut ledger = self.written();
            let undone = ledger.undo(id);
            self.post_and_settle(&mut ledger, undone);
        }
        for other in 0..self.requests.len() {
            let one = &self.requests[other];
            if one.status != Status::Gone && one.days.iter().any(|day| day.beside == Some(id)) {
                let days = count_without(&one.days, one.absence.days, id);
                self.recount(other, days);
            }
        }
    }

    /// Writes another count of a request.
    fn recount(&mut self, index: usize, days: Vec<CountedDay>) {
        let before = std::mem::replace(&mut self.requests[index].days, days);
        self.demand();
        let request = self.requests[index].clone();
        if request.status != Status::Approved {
            return;
        }
        let on =
            |days: &[CountedDay], date| days.iter().find(|day| day.date == date).map_or(0, |day| day.minutes);
        let mut freed: Vec<Date> = before.iter().chain(&request.days).map(|day| day.date).collect();
        freed.retain(|date| on(&before, *date) != on(&request.days, *date));
        let mut ledger = self.written();
        let undone = ledger.undo_days(request.absence.request_id, &freed);
        self.post(&mut ledger, undone);
        ledger.pending = demands(&request).filter(|demand| freed.contains(&demand.day)).collect();
        let booked = ledger.book(request.absence.request_id);
        ledger.pending.clear();
        self.post_and_settle(&mut ledger, booked);
    }

    /// Counts all requests anew that come to something else now.
    fn recount_all(&mut self) {
        let live: Vec<Absence> = self.live().map(|one| one.absence.clone()).collect();
        for index in 0..self.requests.len() {
            let one = &self.requests[index];
            if one.status == Status::Gone {
                continue;
            }
            let earlier: Vec<Absence> =
                live.iter().filter(|other| other.made() < one.absence.made()).cloned().collect();
            let days = count_leave(&one.absence, self.sandwich, &earlier, DAY, |day| self.facts(day));
            if days != one.days {
                self.recount(index, days);
            }
        }
    }

    /// The count of each request that stands, and what it would be counted as beside those that stand.
    pub(super) fn counted_anew(&self) -> Vec<(Vec<CountedDay>, Vec<CountedDay>)> {
        let anew = |one: &Request| {
            let earlier = self.live().map(|other| other.absence.clone());
            let earlier: Vec<Absence> = earlier.filter(|other| other.made() < one.absence.made()).collect();
            let days = count_leave(&one.absence, self.sandwich, &earlier, DAY, |day| self.facts(day));
            (one.days.clone(), days)
        };
        self.live().map(anew).collect()
    }

    pub(super) fn grant(&mut self, minutes: i64, valid_from: Date, valid_to: Option<Date>) {
        let id = LeaveLotId::from_uuid(self.id());
        let lot = LeaveLot {
            id,
            employee_id: EMPLOYEE,
            leave_type_id: TYPE,
            source: LotSource::Grant,
            minutes,
            valid_from,
            valid_to,
            granted_on: self.today,
            note: None,
            plan_key: None,
            created_at: Timestamp::UNIX_EPOCH,
        };
        self.stored.lots.push(lot);
        let mut ledger = self.written();
        let grant = NewPosting {
            lot_id: Some(id),
            request_id: None,
            kind: PostingKind::Grant,
            minutes,
            effective_on: valid_from,
            reverses_id: None,
            booked_on: None,
        };
        self.post_and_settle(&mut ledger, vec![grant]);
    }

    /// What happened, as it is said: the same must be said whatever the job did.
    pub(super) fn apply(&mut self, step: &Step) -> String {
        let today = self.today;
        let nth = |this: &Self, index: &proptest::sample::Index, wanted: &[Status]| {
            let fits: Vec<usize> =
                (0..this.requests.len()).filter(|at| wanted.contains(&this.requests[*at].status)).collect();
            (!fits.is_empty()).then(|| *index.get(&fits))
        };
        match step {
            Step::Submit { ahead, days, start, end } => {
                let starts_on = (today + ahead.days()).max(self.employment.first_day().unwrap());
                let ends_on = starts_on + (days - 1).days();
                // A first half is followed by work, a second half of the last day isn't part of a longer leave.
                let (start, end) = match (*days, *start, *end) {
                    (1, start, _) => (start, start),
                    (_, DayPart::FirstHalf, end) => (DayPart::SecondHalf, end),
                    (_, start, end) => (start, end),
                };
                let end = if *days > 1 && end == DayPart::SecondHalf { DayPart::FirstHalf } else { end };
                let asked =
                    self.submit(InclusiveDays { starts_on, ends_on, start_part: start, end_part: end });
                format!("asked {asked}")
            }
            Step::Approve(index) => match nth(self, index, &[Status::Pending]) {
                Some(at) => format!("approved {}", self.approve(at)),
                None => String::new(),
            },
            Step::Reject(index) => {
                let at = nth(self, index, &[Status::Pending]);
                at.map(|at| self.end(at)).map_or_else(String::new, |()| "rejected".into())
            }
            Step::Cancel(index) => {
                let at = nth(self, index, &[Status::Pending, Status::Approved]);
                at.map(|at| self.end(at)).map_or_else(String::new, |()| "cancelled".into())
            }
            Step::Grant { ahead, valid, minutes } => {
                let from = today + ahead.days();
                self.grant(*minutes, from, valid.map(|days| from + days.days()));
                "granted".into()
            }
            Step::Rules { ahead, length, rules } => {
                let from = today + ahead.days();
                let period = Period::new(from, length.map(|days| from + days.days())).unwrap();
                self.rules.push((**rules).clone());
                let terms = std::mem::take(&mut self.terms);
                self.terms = assign(terms, Some(self.rules.len() - 1), period);
                format!("rules from {from}")
            }
            Step::Holiday { ahead } => {
                let day = today + ahead.days();
                if !self.holidays.remove(&day) {
                    self.holidays.insert(day);
                }
                self.recount_all();
                "holiday".into()
            }
            Step::Leave { ahead } => {
                let ended = self.employment.end(today + ahead.days(), None);
                self.recount_all();
                format!("left {}", ended.is_ok())
            }
            Step::Rehire { ahead } => {
                let back = self.employment.rehire(today + ahead.days(), Facts::default());
                self.recount_all();
                format!("back {}", back.is_ok())
            }
        }
    }
}

/// What a request asks for, day by day.
fn demands(request: &Request) -> impl Iterator<Item = Demand> + '_ {
    let counted = request.days.iter().filter(|day| day.minutes > 0);
    counted.map(|day| Demand {
        request_id: request.absence.request_id,
        day: day.date,
        asked_on: request.asked_on,
        minutes: day.minutes,
    })
}
