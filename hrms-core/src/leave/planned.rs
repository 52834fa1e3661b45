//! Accounts as they should stand by the policies: what replaying needs, read with a few statements.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};
use uuid::Builder;

use super::closing::closed_through;
use super::ledger::{Demand, LeavePosting, Ledger, PostingKind};
use super::plan::{
    Account, DayWork, Earning, LossOfPay, PlanFacts, PolicyRules, Proration, Replayed, Term, replay,
    year_starts,
};
use super::policy::in_force;
use super::standing::HolidaysOfMany;
use super::{AppliesTo, LeaveClosing, LeavePolicyAssignment, LeavePolicyVersion, LeaveType};
use crate::employee::Gender;
use crate::employment::Timeline;
use crate::error::StoreError;
use crate::id::{EmployeeId, LeavePolicyId, LeaveTypeId, LocationId};
use crate::period::Period;
use crate::store::Tx;
use crate::validate::{FIRST_DATE, LAST_DATE};
use crate::work_pattern::WorkTimes;

/// The leave policies of an organisation and of some of its employees.
#[derive(Debug, Default)]
pub(super) struct Policies {
    /// The policy for everyone, by leave type.
    everyone: HashMap<LeaveTypeId, LeavePolicyId>,
    /// Versions in force, by policy, each list by day.
    versions: HashMap<LeavePolicyId, Vec<LeavePolicyVersion>>,
    assignments: HashMap<(EmployeeId, LeaveTypeId), Vec<LeavePolicyAssignment>>,
}

impl Policies {
    /// Reads them with three statements, however many employees there are.
    pub(super) async fn load(tx: &mut dyn Tx, employees: &[EmployeeId]) -> Result<Self, StoreError> {
        let policies = tx.leave_policies().all(None).await?;
        if policies.is_empty() {
            return Ok(Self::default());
        }
        let mut found = Self::default();
        for policy in policies.iter().filter(|policy| policy.applies_to == AppliesTo::Everyone) {
            found.everyone.insert(policy.leave_type_id, policy.id);
        }
        let ids: Vec<LeavePolicyId> = policies.iter().map(|policy| policy.id).collect();
        let mut versions: HashMap<LeavePolicyId, Vec<LeavePolicyVersion>> = HashMap::new();
        for version in tx.leave_policies().versions(&ids).await? {
            versions.entry(version.policy_id).or_default().push(version);
        }
        found.versions = versions.into_iter().map(|(id, versions)| (id, in_force(versions))).collect();
        for one in tx.leave_policies().assignments(employees).await? {
            found.assignments.entry((one.employee_id, one.leave_type_id)).or_default().push(one);
        }
        Ok(found)
    }

    /// The rules that an employee has for a leave type, by period.
    pub(super) fn terms(&self, employee: EmployeeId, leave_type: LeaveTypeId) -> Vec<Term<'_>> {
        let mut terms = Vec::new();
        let mut rest = Some(Period::since(FIRST_DATE));
        for one in self.assignments.get(&(employee, leave_type)).into_iter().flatten() {
            let Some(period) = one.period() else { continue };
            if let (Some(open), Some(everyone)) = (rest, self.everyone.get(&leave_type)) {
                terms.extend(
                    open.before(period.from()).map(|gap| self.of(*everyone, gap)).into_iter().flatten(),
                );
            }
            terms.extend(self.of(one.policy_id, period));
            rest = rest.and_then(|open| open.starting(period.to()?));
        }
        if let (Some(open), Some(everyone)) = (rest, self.everyone.get(&leave_type)) {
            terms.extend(self.of(*everyone, open));
        }
        terms
    }

    /// The versions of a policy within a period.
    fn of(&self, policy: LeavePolicyId, within: Period) -> Vec<Term<'_>> {
        let versions = self.versions.get(&policy).map_or(&[][..], Vec::as_slice);
        let ends = versions.iter().skip(1).map(|next| Some(next.effective_from)).chain([None]);
        versions
            .iter()
            .zip(ends)
            .filter_map(|(version, end)| {
                let period = Period::new(version.effective_from, end)?.intersect(within)?;
                Some(Term { period, version: version.id, rules: &version.rules })
            })
            .collect()
    }

    /// Every rule that somebody may have, to see what must be read for them.
    fn rules(&self) -> impl Iterator<Item = &PolicyRules> {
        self.versions.values().flatten().map(|version| &version.rules)
    }

    fn need_gender(&self) -> bool {
        self.rules().any(|rules| rules.eligibility.genders.is_some())
    }

    fn need_work(&self) -> bool {
        self.rules().filter_map(|rules| rules.accrual.as_ref()).any(|plan| {
            plan.loss_of_pay == LossOfPay::Reduces
                || plan.proration == Proration::WorkedTime
                || plan
                    .levels
                    .iter()
                    .any(|level| matches!(level.earn, Earning::WorkedDays(_) | Earning::WorkedHours(_)))
        })
    }
}

/// Everything besides the ledger that accounts of some employees depend on (P6).
#[derive(Debug, Default)]
pub(super) struct Planning {
    policies: Policies,
    timelines: HashMap<EmployeeId, Timeline>,
    genders: HashMap<EmployeeId, Gender>,
    work: Option<Work>,
    closings: Vec<LeaveClosing>,
    /// The days of opening balances.
    opened: HashMap<(EmployeeId, LeaveTypeId), Date>,
}

/// What was and is to be worked.
#[derive(Debug)]
struct Work {
    times: WorkTimes,
    holidays: HolidaysOfMany,
    leave: HashMap<(EmployeeId, Date), Vec<Away>>,
}

/// A part of a day on leave.
#[derive(Clone, Copy, Debug)]
struct Away {
    minutes: i64,
    /// The minutes of a day of its leave type.
    of_day: i64,
    paid: bool,
}

impl Planning {
    /// Reads it with a few statements, however many employees there are.
    pub(super) async fn load(tx: &mut dyn Tx, employees: &[EmployeeId]) -> Result<Self, StoreError> {
        let policies = Policies::load(tx, employees).await?;
        let opened = tx.leave_ledger().opened(employees).await?;
        let opened =
            opened.into_iter().map(|one| ((one.employee_id, one.leave_type_id), one.opens_on)).collect();
        let closings = tx.leave_closings().all().await?;
        if policies.versions.is_empty() {
            return Ok(Self { policies, opened, closings, ..Self::default() });
        }
        let timelines = tx.employment().timelines_of(employees).await?;
        let mut genders = HashMap::new();
        if policies.need_gender() {
            for employee in tx.employees().find_by_ids(employees).await? {
                genders.extend(employee.gender.map(|gender| (employee.id, gender)));
            }
        }
        let work =
            if policies.need_work() { Some(Work::load(tx, employees, &timelines).await?) } else { None };
        Ok(Self { policies, timelines, genders, work, closings, opened })
    }

    /// An account as it should stand on a day, from what is stored of it.
    pub(super) fn replayed(
        &self,
        employee: EmployeeId,
        leave_type: &LeaveType,
        mut stored: Ledger,
        until: Date,
        now: Timestamp,
        ids: &mut dyn FnMut() -> uuid::Uuid,
    ) -> Replayed {
        stored.closed_through = closed_through(&self.closings, leave_type.id);
        stored.opens_on = self.opened.get(&(employee, leave_type.id)).copied();
        let terms = self.policies.terms(employee, leave_type.id);
        let nobody = Timeline::default();
        let employment = self.timelines.get(&employee).unwrap_or(&nobody);
        let is_planned = !terms.is_empty() || stored.lots.iter().any(|lot| lot.plan_key.is_some());
        if !is_planned {
            return Replayed { ledger: stored, ..Replayed::default() };
        }
        let day_work = |day: Date| match &self.work {
            Some(work) => work.on(employee, employment, day, leave_type.minutes_per_day),
            None => DayWork::default(),
        };
        let facts = PlanFacts {
            terms: &terms,
            employment,
            gender: self.genders.get(&employee).copied(),
            minutes_per_day: leave_type.minutes_per_day,
            work: &day_work,
        };
        let account = Account { employee_id: employee, leave_type_id: leave_type.id, now };
        replay(&facts, &account, stored, until.min(LAST_DATE), ids)
    }
}

impl Work {
    async fn load(
        tx: &mut dyn Tx,
        employees: &[EmployeeId],
        timelines: &HashMap<EmployeeId, Timeline>,
    ) -> Result<Self, StoreError> {
        let records = timelines.values().flat_map(Timeline::history);
        let mut places: Vec<LocationId> = records.filter_map(|record| record.facts.location_id).collect();
        places.sort_unstable();
        places.dedup();
        let times = WorkTimes::load(tx, employees, &places).await?;
        let holidays = HolidaysOfMany::load(tx, employees, &places, FIRST_DATE, LAST_DATE).await?;
        let types = tx.leave_types().all().await?;
        let types: BTreeMap<LeaveTypeId, (i64, bool)> =
            types.into_iter().map(|one| (one.id, (one.minutes_per_day, one.paid))).collect();
        let mut leave: HashMap<(EmployeeId, Date), Vec<Away>> = HashMap::new();
        for posting in taken(tx.leave_ledger().postings_of(employees).await?) {
            if let Some((of_day, paid)) = types.get(&posting.leave_type_id).copied() {
                let key = (posting.employee_id, posting.effective_on);
                leave.entry(key).or_default().push(Away { minutes: -posting.minutes, of_day, paid });
            }
        }
        Ok(Self { times, holidays, leave })
    }

    /// What a day was for, in minutes of a day of so many.
    fn on(&self, employee: EmployeeId, employment: &Timeline, day: Date, whole: i64) -> DayWork {
        let place = employment.at(day).and_then(|record| record.facts.location_id);
        if self.holidays.on(employee, place, day).is_some() {
            return DayWork::default();
        }
        let scheduled = self.times.on(employee, place, day).share_of(whole);
        let (mut away, mut unpaid) = (0, 0);
        for one in self.leave.get(&(employee, day)).into_iter().flatten() {
            let part = one.minutes * whole / one.of_day.max(1);
            away += part;
            unpaid += if one.paid { 0 } else { part };
        }
        DayWork { scheduled, worked: (scheduled - away).max(0), unpaid: unpaid.min(scheduled) }
    }
}

/// The first days of the leave years from one day to another, by the rules that an employee has on a day.
pub(super) async fn leave_years(
    tx: &mut dyn Tx,
    employee: EmployeeId,
    leave_type: LeaveTypeId,
    on: Date,
    (from, last): (Date, Date),
) -> Result<Vec<Date>, StoreError> {
    let policies = Policies::load(tx, &[employee]).await?;
    let terms = policies.terms(employee, leave_type);
    let rule = terms.iter().find(|term| term.period.contains(on)).map(|term| term.rules.leave_year);
    let timelines = tx.employment().timelines_of(&[employee]).await?;
    let spells = timelines.get(&employee).map(Timeline::spells).unwrap_or_default();
    let joined =
        spells.iter().rfind(|spell| spell.period.from() <= on).map_or(on, |spell| spell.period.from());
    Ok(year_starts(rule.unwrap_or_default(), joined, from, last))
}

/// Leave that stands.
fn taken(postings: Vec<LeavePosting>) -> Vec<LeavePosting> {
    let ledger = Ledger { postings, ..Ledger::default() };
    // What was taken away by hand was no absence.
    let is_leave = |one: &&LeavePosting| one.kind == PostingKind::Consumption && one.request_id.is_some();
    let live = ledger.live().filter(is_leave);
    live.cloned().collect()
}

/// Ids for what is shown but not stored: the same whenever it is shown.
pub(super) fn shown_ids(employee: EmployeeId, leave_type: LeaveTypeId) -> impl FnMut() -> uuid::Uuid {
    let seed = employee.as_uuid().as_u128() ^ leave_type.as_uuid().as_u128().rotate_left(64);
    let mut count = 0_u128;
    move || {
        count += 1;
        Builder::from_custom_bytes((seed.wrapping_add(count)).to_be_bytes()).into_uuid()
    }
}

/// The instant of what is shown but not stored: the beginning of the day.
pub(super) fn shown_at(today: Date) -> Timestamp {
    today.to_zoned(TimeZone::UTC).map_or(Timestamp::UNIX_EPOCH, |zoned| zoned.timestamp())
}

/// A ledger with more that is asked for.
pub(super) fn asking(mut ledger: Ledger, demands: impl IntoIterator<Item = Demand>) -> Ledger {
    ledger.pending.extend(demands);
    ledger
}

#[cfg(test)]
mod tests;
