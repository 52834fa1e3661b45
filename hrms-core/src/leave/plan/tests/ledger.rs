//! An account that is kept as the services keep it: for the tests of replaying.

use jiff::Timestamp;
use jiff::ToSpan;

use super::*;
use crate::id::{EmployeeId, LeaveLotId, LeavePostingId, LeaveRequestId, LeaveTypeId};
use crate::leave::{
    BalanceMinutes, Demand, LeaveLot, LeavePosting, Ledger, LotSource, NewPosting, PostingKind,
};

const EMPLOYEE: EmployeeId = EmployeeId::from_uuid(Uuid::from_u128(1));
const TYPE: LeaveTypeId = LeaveTypeId::from_uuid(Uuid::from_u128(2));

/// One employee's account and what it depends on.
#[derive(Clone, Debug)]
pub(super) struct Book {
    pub(super) stored: Ledger,
    pub(super) terms: Vec<(Period, PolicyRules)>,
    pub(super) employment: Timeline,
    ids: u128,
}

impl Book {
    pub(super) fn new(rules: PolicyRules, employment: Timeline) -> Self {
        let terms = vec![(Period::since(date(1900, 1, 1)), rules)];
        Self { stored: Ledger::default(), terms, employment, ids: 1000 }
    }

    /// New rules from a day on.
    pub(super) fn change_rules(&mut self, on: Date, rules: PolicyRules) {
        self.terms =
            self.terms.drain(..).filter_map(|(period, old)| Some((period.before(on)?, old))).collect();
        self.terms.push((Period::since(on), rules));
    }

    fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    /// The account as it should stand.
    pub(super) fn replayed(&self, until: Date) -> Replayed {
        let terms: Vec<Term<'_>> = self
            .terms
            .iter()
            .zip(1..)
            .map(|((period, rules), number)| Term { period: *period, version: version(number), rules })
            .collect();
        let facts = PlanFacts {
            terms: &terms,
            employment: &self.employment,
            gender: None,
            minutes_per_day: DAY,
            work: &office,
        };
        let account = Account { employee_id: EMPLOYEE, leave_type_id: TYPE, now: Timestamp::UNIX_EPOCH };
        let mut next = self.ids + 1_000_000;
        let mut ids = || {
            next += 1;
            Uuid::from_u128(next)
        };
        replay(&facts, &account, self.stored.clone(), until, &mut ids)
    }

    fn post(&mut self, new: Vec<NewPosting>, booked_on: Date) {
        for one in new {
            let id = LeavePostingId::from_uuid(self.id());
            self.stored.postings.push(LeavePosting {
                id,
                employee_id: EMPLOYEE,
                leave_type_id: TYPE,
                lot_id: one.lot_id,
                request_id: one.request_id,
                kind: one.kind,
                minutes: one.minutes,
                effective_on: one.effective_on,
                booked_on: one.booked_on.unwrap_or(booked_on),
                posted_at: Timestamp::UNIX_EPOCH,
                posted_by: None,
                reverses_id: one.reverses_id,
                plan_key: None,
                closed_through: None,
            });
        }
    }

    /// Takes some days from one on, each of its own request, in advance of any lot.
    pub(super) fn take_in_advance(&mut self, first: Date, days: usize) {
        for day in first.series(1.day()).take(days) {
            let taken = NewPosting {
                lot_id: None,
                request_id: Some(LeaveRequestId::from_uuid(self.id())),
                kind: PostingKind::Consumption,
                minutes: -DAY,
                effective_on: day,
                reverses_id: None,
                booked_on: None,
            };
            self.post(vec![taken], day);
        }
    }

    /// Pays out what is left of a lot.
    pub(super) fn pay_out(&mut self, lot: LeaveLotId, minutes: i64, today: Date) {
        let paid = NewPosting {
            lot_id: Some(lot),
            request_id: None,
            kind: PostingKind::Encashment,
            minutes: -minutes,
            effective_on: today,
            reverses_id: None,
            booked_on: None,
        };
        self.post(vec![paid], today);
    }

    /// Grants by hand.
    pub(super) fn grant(&mut self, minutes: i64, valid_from: Date, valid_to: Option<Date>) -> LeaveLotId {
        let id = LeaveLotId::from_uuid(self.id());
        self.stored.lots.push(LeaveLot {
            id,
            employee_id: EMPLOYEE,
            leave_type_id: TYPE,
            source: LotSource::Opening,
            minutes,
            valid_from,
            valid_to,
            granted_on: valid_from,
            note: None,
            plan_key: None,
            created_at: Timestamp::UNIX_EPOCH,
        });
        let grant = NewPosting {
            lot_id: Some(id),
            request_id: None,
            kind: PostingKind::Grant,
            minutes,
            effective_on: valid_from,
            reverses_id: None,
            booked_on: None,
        };
        self.post(vec![grant], valid_from);
        id
    }

    /// Writes what is missing: all of it before a booking, what has come due in the job.
    fn write(&mut self, replayed: &Replayed, due: Option<Date>) {
        let is_due = |on: Date| due.is_none_or(|due| on <= due);
        let now_stored: Vec<LeavePosting> =
            replayed.postings.iter().filter(|one| is_due(one.effective_on)).cloned().collect();
        let lots = replayed.lots.iter().filter(|lot| is_due(lot.valid_from));
        self.stored.lots.extend(lots.cloned());
        self.stored.postings.extend(now_stored);
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

    /// Asks for whole working days; `None` when more than `floor` minutes would be without cover.
    pub(super) fn submit(
        &mut self,
        today: Date,
        first: Date,
        days: i64,
        floor: i64,
    ) -> Option<LeaveRequestId> {
        let request_id = LeaveRequestId::from_uuid(self.id());
        for day in first.series(1.day()).take(usize::try_from(days).unwrap()) {
            self.stored.pending.push(Demand { request_id, day, asked_on: today, minutes: DAY });
        }
        if self.replayed(today).ledger.uncovered(request_id).all > floor {
            self.stored.pending.retain(|demand| demand.request_id != request_id);
            return None;
        }
        Some(request_id)
    }

    pub(super) fn approve(&mut self, today: Date, request: LeaveRequestId) {
        let replayed = self.replayed(today);
        self.write(&replayed, None);
        let booked = replayed.ledger.book(request);
        self.stored.pending.retain(|demand| demand.request_id != request);
        self.post(booked, today);
    }

    pub(super) fn cancel(&mut self, today: Date, request: LeaveRequestId) {
        let replayed = self.replayed(today);
        self.write(&replayed, None);
        self.stored.pending.retain(|demand| demand.request_id != request);
        let undone = self.stored.undo(request);
        self.post(undone, today);
    }

    /// Takes whole days, which must be covered.
    pub(super) fn take(&mut self, today: Date, first: Date, days: i64) -> LeaveRequestId {
        let request = self.submit(today, first, days, 0).unwrap();
        self.approve(today, request);
        request
    }

    pub(super) fn balance(&self, as_of: Date) -> BalanceMinutes {
        BalanceMinutes::of(&self.replayed(as_of).ledger, as_of)
    }

    /// Days available on a day.
    pub(super) fn days(&self, as_of: Date) -> i64 {
        self.balance(as_of).available / DAY
    }
}
