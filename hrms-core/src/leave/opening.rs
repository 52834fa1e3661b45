//! Opening balances: how much leave people brought along when this system was introduced.
//!
//! An opening balance says what was left at the beginning of a day, so it replaces whatever was before: what policies would have
//! credited, carried over or let lapse on earlier days isn't written, and leave of earlier days is part of it. What policies credit on
//! the day itself or later comes on top. Saying the same again changes nothing; another amount is a correction of what was granted.

use std::collections::HashMap;

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::account::{AccountKey, YEARS_AHEAD, demands};
use super::closing::closed_through;
use super::ledger::{LeaveLot, LeavePosting, Ledger, LotSource, NewPosting, PostingKind};
use super::planned::Planning;
use super::repo::OpenedAccount;
use super::{LeaveClosing, LeaveLotView, LeaveService, LeaveType};
use crate::audit::Change;
use crate::employment::Timeline;
use crate::error::StoreError;
use crate::event::{NewEvent, subject};
use crate::hrms::Work;
use crate::id::{EmployeeId, LeaveLotId, LeaveTypeId, LocationId};
use crate::policy::{Permission, Resource};
use crate::store::Tx;
use crate::validate::{FIRST_DATE, time_zone};

/// What somebody brought along of one leave type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opening {
    pub(crate) employee_id: EmployeeId,
    pub(crate) leave_type_id: LeaveTypeId,
    /// What was left at the beginning of this day.
    pub(crate) as_of: Date,
    /// Each with an end of validity of its own.
    pub(crate) parts: Vec<OpeningPart>,
}

/// A part of an opening balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpeningPart {
    /// Not below zero.
    pub(crate) minutes: i64,
    /// The first day that it can't be used for any more; `None` when it never expires by itself.
    pub(crate) valid_to: Option<Date>,
}

/// Why an opening balance isn't taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpeningFault {
    /// The employee isn't employed on the day, or their first day is later.
    NotEmployed,
    /// The day is later than this one.
    TooFarAhead(Date),
    /// There is an opening balance of another day.
    OtherDay(Date),
    /// There is leave of this day, before the opening balance.
    LeaveBefore(Date),
    /// Days up to this one are closed.
    Closed(Date),
}

/// What becomes of a part of an opening balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartOutcome {
    Granted,
    /// By so many minutes.
    Corrected(i64),
    Unchanged,
}

/// What becomes of an opening balance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Opened {
    /// By part.
    pub(crate) parts: Vec<PartOutcome>,
    /// Minutes of parts that aren't said any more, which are corrected to nothing.
    pub(crate) dropped: i64,
}

/// What the accounts of some employees hold as opening balances.
pub(crate) async fn stored_openings(
    tx: &mut dyn Tx,
    employees: &[EmployeeId],
) -> Result<Vec<Opening>, StoreError> {
    let opened = tx.leave_ledger().opened(employees).await?;
    let with: Vec<EmployeeId> = opened.iter().map(|one| one.employee_id).collect();
    let mut ledgers = ledgers(tx, &with).await?;
    let opening = |one: OpenedAccount| {
        let ledger = ledgers.remove(&(one.employee_id, one.leave_type_id)).unwrap_or_default();
        let mut parts: Vec<OpeningPart> = granted(&ledger, one.opens_on)
            .into_iter()
            .map(|(lot, minutes)| OpeningPart { minutes, valid_to: lot.valid_to })
            .filter(|part| part.minutes > 0)
            .collect();
        if parts.is_empty() {
            parts.push(OpeningPart { minutes: 0, valid_to: None });
        }
        parts.sort_by_key(|part| part.valid_to);
        let (employee_id, leave_type_id) = (one.employee_id, one.leave_type_id);
        Opening { employee_id, leave_type_id, as_of: one.opens_on, parts }
    };
    Ok(opened.into_iter().map(opening).collect())
}

/// The lots of an opening balance, and what each grants by now.
fn granted(ledger: &Ledger, as_of: Date) -> Vec<(&LeaveLot, i64)> {
    let mut minutes: HashMap<LeaveLotId, i64> = HashMap::new();
    for one in ledger.live().filter(|one| one.plan_key.is_none()) {
        if let (Some(lot), PostingKind::Grant | PostingKind::Adjustment) = (one.lot_id, one.kind) {
            *minutes.entry(lot).or_default() += one.minutes;
        }
    }
    let lots = ledger.lots.iter().filter(|lot| lot.opens(Some(as_of)));
    lots.map(|lot| (lot, minutes.get(&lot.id).copied().unwrap_or_default())).collect()
}

/// The stored accounts of some employees, with a few statements.
async fn ledgers(
    tx: &mut dyn Tx,
    employees: &[EmployeeId],
) -> Result<HashMap<(EmployeeId, LeaveTypeId), Ledger>, StoreError> {
    let mut ledgers: HashMap<(EmployeeId, LeaveTypeId), Ledger> = HashMap::new();
    for lot in tx.leave_ledger().lots_of(employees).await? {
        ledgers.entry((lot.employee_id, lot.leave_type_id)).or_default().lots.push(lot);
    }
    for posting in tx.leave_ledger().postings_of(employees).await? {
        ledgers.entry((posting.employee_id, posting.leave_type_id)).or_default().postings.push(posting);
    }
    for view in tx.leave_requests().pending_of(employees).await? {
        let key = (view.request.employee_id, view.request.leave_type_id);
        ledgers.entry(key).or_default().pending.extend(demands(&view));
    }
    Ok(ledgers)
}

/// What an opening balance changes of an account: lots to be added, and corrections of lots that are there.
#[derive(Debug, Default)]
struct Changes {
    outcome: Opened,
    /// Parts that get a lot of their own.
    grants: Vec<OpeningPart>,
    corrections: Vec<(LeaveLot, i64, i64)>,
}

impl Changes {
    /// A pure function of the account and what is said of it.
    fn of(ledger: &Ledger, opening: &Opening) -> Self {
        let mut there = granted(ledger, opening.as_of);
        there.sort_by_key(|(lot, _)| lot.id);
        let is_new = ledger.opens_on != Some(opening.as_of);
        let mut changes = Self::default();
        for part in &opening.parts {
            let (same, others) = there.into_iter().partition(|(lot, _)| lot.valid_to == part.valid_to);
            let same: Vec<(&LeaveLot, i64)> = same;
            there = others;
            let by = part.minutes - same.iter().map(|(_, minutes)| minutes).sum::<i64>();
            let outcome = if by == 0 {
                if is_new { PartOutcome::Granted } else { PartOutcome::Unchanged }
            } else if same.is_empty() {
                changes.grants.push(*part);
                PartOutcome::Granted
            } else {
                changes.correct(&same, by);
                PartOutcome::Corrected(by)
            };
            changes.outcome.parts.push(outcome);
        }
        let dropped: i64 = there.iter().map(|(_, minutes)| minutes).sum();
        changes.outcome.dropped = dropped;
        changes.correct(&there, -dropped);
        changes
    }

    /// Corrects lots by so much together, none to less than nothing.
    fn correct(&mut self, lots: &[(&LeaveLot, i64)], by: i64) {
        let mut open = by;
        for (lot, minutes) in lots {
            let part = open.max(-minutes);
            if part != 0 {
                self.corrections.push(((*lot).clone(), *minutes, part));
                open -= part;
            }
        }
    }

    fn is_nothing(&self) -> bool {
        self.grants.is_empty() && self.corrections.is_empty()
    }
}

/// An account that is to begin with an opening balance, or to be corrected.
struct Due<'a> {
    opening: &'a Opening,
    ledger: Ledger,
    changes: Changes,
    today: Date,
}

/// What is known of the employees of some opening balances.
struct Known {
    timelines: HashMap<EmployeeId, Timeline>,
    ledgers: HashMap<(EmployeeId, LeaveTypeId), Ledger>,
    types: HashMap<LeaveTypeId, LeaveType>,
    zones: HashMap<LocationId, TimeZone>,
    closings: Vec<LeaveClosing>,
    /// The first day of leave, pending or approved, of each account.
    first_leave: HashMap<(EmployeeId, LeaveTypeId), Date>,
}

impl Known {
    async fn load(work: &mut Work, openings: &[Opening]) -> Result<Self, StoreError> {
        let mut employees: Vec<EmployeeId> = openings.iter().map(|one| one.employee_id).collect();
        employees.sort_unstable();
        employees.dedup();
        let mut ledgers = ledgers(&mut **work, &employees).await?;
        for one in work.leave_ledger().opened(&employees).await? {
            ledgers.entry((one.employee_id, one.leave_type_id)).or_default().opens_on = Some(one.opens_on);
        }
        let timelines = work.employment().timelines_of(&employees).await?;
        let mut zones = HashMap::new();
        for place in timelines.values().flat_map(Timeline::history).filter_map(|one| one.facts.location_id) {
            if zones.contains_key(&place) {
                continue;
            }
            let location = work.locations().get(place).await?;
            let zone = location.and_then(|location| time_zone(&location.time_zone));
            zones.insert(place, zone.unwrap_or(TimeZone::UTC));
        }
        let types = work.leave_types().all().await?.into_iter().map(|one| (one.id, one)).collect();
        let last = openings.iter().map(|one| one.as_of).max().unwrap_or(FIRST_DATE);
        let mut first_leave: HashMap<(EmployeeId, LeaveTypeId), Date> = HashMap::new();
        for view in work.leave_requests().live_between(&employees, FIRST_DATE, last).await? {
            let (key, day) = ((view.request.employee_id, view.request.leave_type_id), view.request.starts_on);
            let first = first_leave.entry(key).or_insert(day);
            *first = day.min(*first);
        }
        let closings = work.leave_closings().all().await?;
        Ok(Self { timelines, ledgers, types, zones, closings, first_leave })
    }

    fn today(&self, employee: EmployeeId, now: jiff::Timestamp) -> Date {
        let utc = now.to_zoned(TimeZone::UTC).date();
        let record = self.timelines.get(&employee).and_then(|timeline| timeline.at(utc));
        let place = record.and_then(|record| record.facts.location_id);
        let zone = place.and_then(|place| self.zones.get(&place)).cloned().unwrap_or(TimeZone::UTC);
        now.to_zoned(zone).date()
    }

    fn resource(&self, employee: EmployeeId, today: Date) -> Resource {
        let record = self.timelines.get(&employee).and_then(|timeline| timeline.at(today));
        Resource::of(employee, record.map(|record| record.facts).unwrap_or_default())
    }

    fn fault(&self, opening: &Opening, today: Date) -> Option<OpeningFault> {
        let key = (opening.employee_id, opening.leave_type_id);
        let ledger = self.ledgers.get(&key);
        let last = today.saturating_add(YEARS_AHEAD.years());
        if opening.as_of > last {
            return Some(OpeningFault::TooFarAhead(last));
        }
        let closed = closed_through(&self.closings, opening.leave_type_id);
        let changes = ledger.is_none_or(|ledger| {
            ledger.opens_on != Some(opening.as_of) || !Changes::of(ledger, opening).is_nothing()
        });
        if let Some(through) = closed.filter(|through| opening.as_of <= *through && changes) {
            return Some(OpeningFault::Closed(through));
        }
        let first = self.timelines.get(&opening.employee_id).and_then(Timeline::first_day);
        if first.is_none_or(|first| opening.as_of < first) {
            return Some(OpeningFault::NotEmployed);
        }
        let other = ledger.and_then(|ledger| ledger.opens_on).filter(|day| *day != opening.as_of);
        if let (Some(day), Some(ledger)) = (other, ledger)
            && granted(ledger, day).iter().any(|(_, minutes)| *minutes != 0)
        {
            return Some(OpeningFault::OtherDay(day));
        }
        let leave = self.first_leave.get(&key).copied().filter(|day| *day < opening.as_of);
        leave.map(OpeningFault::LeaveBefore)
    }
}

impl LeaveService<'_> {
    /// Makes accounts begin with opening balances, all in this unit of work and with a few statements; what becomes of each, in order.
    ///
    /// Each account may be named once. Whether the actor may grant leave is asked before.
    pub(crate) async fn open_accounts(
        &self,
        work: &mut Work,
        openings: &[Opening],
    ) -> Result<Vec<Result<Opened, OpeningFault>>, StoreError> {
        let keys: Vec<(EmployeeId, LeaveTypeId)> =
            openings.iter().map(|one| (one.employee_id, one.leave_type_id)).collect();
        work.leave_ledger().lock_accounts(&keys).await?;
        let mut known = Known::load(work, openings).await?;
        let now = work.now();
        let (mut results, mut changed, mut opened) = (Vec::new(), Vec::new(), Vec::new());
        for opening in openings {
            let today = known.today(opening.employee_id, now);
            if let Some(fault) = known.fault(opening, today) {
                results.push(Err(fault));
                continue;
            }
            let (employee_id, leave_type_id) = (opening.employee_id, opening.leave_type_id);
            let ledger = known.ledgers.remove(&(employee_id, leave_type_id)).unwrap_or_default();
            let changes = Changes::of(&ledger, opening);
            results.push(Ok(changes.outcome.clone()));
            let is_new = ledger.opens_on != Some(opening.as_of);
            if is_new {
                opened.push(OpenedAccount { employee_id, leave_type_id, opens_on: opening.as_of });
            }
            if is_new || !changes.is_nothing() {
                changed.push(Due { opening, ledger, changes, today });
            }
        }
        work.leave_ledger().open_accounts(&opened).await?;
        let employees: Vec<EmployeeId> = changed.iter().map(|due| due.opening.employee_id).collect();
        let planning = Planning::load(&mut **work, &employees).await?;
        let (mut lots, mut postings) = (Vec::new(), Vec::new());
        for due in changed {
            let Some(leave_type) = known.types.get(&due.opening.leave_type_id) else { continue };
            let resource = known.resource(due.opening.employee_id, due.today);
            let corrections = due.changes.corrections.clone();
            let (new_lots, new_postings) = self.write_opening(work, &planning, leave_type, due);
            announce(work, leave_type, &new_lots, &corrections, &resource);
            lots.extend(new_lots);
            postings.extend(new_postings);
        }
        work.leave_ledger().insert_lots(&lots).await?;
        work.leave_ledger().append(&postings).await?;
        Ok(results)
    }

    /// The lots and postings by which an account begins with an opening balance, and what follows from that.
    fn write_opening(
        &self,
        work: &Work,
        planning: &Planning,
        leave_type: &LeaveType,
        due: Due<'_>,
    ) -> (Vec<LeaveLot>, Vec<LeavePosting>) {
        let Due { opening, mut ledger, changes, today } = due;
        let (actor, now) = (work.actor(), work.now());
        let account = AccountKey { employee_id: opening.employee_id, leave_type_id: opening.leave_type_id };
        let (lots_before, postings_before) = (ledger.lots.len(), ledger.postings.len());
        let on_lot = |lot: LeaveLotId, kind: PostingKind, minutes: i64| NewPosting {
            lot_id: Some(lot),
            request_id: None,
            kind,
            minutes,
            effective_on: opening.as_of,
            reverses_id: None,
            booked_on: None,
        };
        let corrected = changes.corrections.iter();
        let mut new: Vec<NewPosting> =
            corrected.map(|(lot, _, by)| on_lot(lot.id, PostingKind::Adjustment, *by)).collect();
        for part in &changes.grants {
            let lot = LeaveLot {
                id: LeaveLotId::from_uuid(self.0.ids().next()),
                employee_id: opening.employee_id,
                leave_type_id: opening.leave_type_id,
                source: LotSource::Opening,
                minutes: part.minutes,
                valid_from: opening.as_of,
                valid_to: part.valid_to,
                granted_on: today,
                note: None,
                plan_key: None,
                created_at: now,
            };
            new.push(on_lot(lot.id, PostingKind::Grant, lot.minutes));
            ledger.lots.push(lot);
        }
        ledger.postings.extend(self.stamp_on(actor, work, today, &account, new));
        // What has been taken of a lot that gives less now is leave in advance.
        for (lot, ..) in &changes.corrections {
            let shed = ledger.shed(lot.id);
            ledger.postings.extend(self.stamp_on(actor, work, today, &account, shed));
        }
        let mut ids = || self.0.ids().next();
        let replayed = planning.replayed(opening.employee_id, leave_type, ledger, today, now, &mut ids);
        let mut ledger = replayed.ledger;
        let settled = ledger.settle();
        ledger.postings.extend(self.stamp_on(actor, work, today, &account, settled));
        let mut postings = ledger.postings.split_off(postings_before);
        postings.retain(|one| !one.is_later_payout(today));
        (ledger.lots.split_off(lots_before), postings)
    }
}

/// Tells of what was granted and corrected.
fn announce(
    work: &mut Work,
    leave_type: &LeaveType,
    lots: &[LeaveLot],
    corrections: &[(LeaveLot, i64, i64)],
    resource: &Resource,
) {
    let of = |lot: &LeaveLot, minutes| {
        LeaveLotView::of(&LeaveLot { minutes, ..lot.clone() }, leave_type.minutes_per_day)
    };
    let granted = lots.iter().filter(|lot| lot.plan_key.is_none());
    let granted = granted.map(|lot| ("leave.granted", lot, Change::created(&of(lot, lot.minutes))));
    let corrected = corrections.iter().map(|(lot, minutes, by)| {
        ("leave.corrected", lot, Change::changed(&of(lot, *minutes), &of(lot, minutes + by)))
    });
    for (kind, lot, change) in granted.chain(corrected) {
        work.emit(NewEvent {
            kind,
            subject: subject("leave-grants", lot.id.as_uuid()),
            data: serde_json::json!({
                "leave_grant_id": lot.id,
                "employee_id": lot.employee_id,
                "leave_type_id": lot.leave_type_id,
            }),
            change,
            permission: Permission::LeaveRead,
            resource: resource.clone(),
        });
    }
}
