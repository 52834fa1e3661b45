//! The job that writes down what leave policies credit, carry over and let lapse.
//!
//! Balances don't wait for it: they are replayed whenever they are read. It makes the ledger complete for those who
//! read the ledger itself, and can be put on a schedule.

use std::collections::{BTreeMap, HashMap};

use jiff::SignedDuration;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::accounts::{Account, Accounts, employees_for, next_employees};
use super::ledger::{LeaveLot, LeavePosting};
use super::plan::Replayed;
use super::{LeaveError, LeaveService, LeaveType};
use crate::actor::Actor;
use crate::error::StoreError;
use crate::hrms::Work;
use crate::id::{EmployeeId, LeaveTypeId};
use crate::job::{Job, JobContext, JobError, Outcome, Progress};
use crate::page::Position;
use crate::policy::{Permission, Resource};
use crate::schedule::UsualSchedule;
use crate::store::Tx;

/// Writes down what leave policies credited, carried over and let lapse until today, for the whole organisation.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccrueLeave {}

/// What organisations with leave policies have: each night what came due is written.
pub(super) const USUAL_ACCRUAL: UsualSchedule = UsualSchedule {
    name: "Leave accrual",
    kind: AccrueLeave::KIND,
    cron: "30 0 * * *",
    permissions: &[Permission::LeaveGrant],
};

/// What a run wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Accrued {
    /// Employees looked at.
    pub employees: usize,
    /// Lots that were added.
    pub lots: usize,
    /// Postings that were added.
    pub postings: usize,
}

impl Accrued {
    fn add(&mut self, more: Self) {
        self.employees += more.employees;
        self.lots += more.lots;
        self.postings += more.postings;
    }
}

impl Job for AccrueLeave {
    const KIND: &'static str = "leave.accrue";
    const TIMEOUT: SignedDuration = SignedDuration::from_hours(1);
    const SCHEDULABLE: bool = true;

    async fn run(&self, cx: &JobContext) -> Result<Outcome, JobError> {
        let mut sum = Accrued::default();
        let mut after = None;
        loop {
            let actor = cx.actor_now().await?;
            let leave = cx.hrms().leave();
            cx.hrms().require(&actor, Permission::LeaveGrant, &Resource::organization())?;
            let mut work = cx.hrms().begin(&actor).await?;
            let done = u32::try_from(sum.employees).unwrap_or(u32::MAX);
            cx.progress_in(&mut work, &Progress { done, total: None, message: None }).await?;
            let (written, next) = leave.accrue_batch(&mut work, None, after).await?;
            work.commit(()).await?;
            sum.add(written);
            if next.is_none() {
                return Outcome::done(sum);
            }
            after = next;
        }
    }
}

/// What accounts of a batch of employees lack.
#[derive(Default)]
struct Missing {
    lots: Vec<LeaveLot>,
    postings: Vec<LeavePosting>,
}

impl LeaveService<'_> {
    /// Writes down what leave policies credited, carried over and let lapse until today, for the whole
    /// organisation: what the job does, for programs without jobs. Repeating it changes nothing.
    ///
    /// # Errors
    /// When the actor may not grant leave in the whole organisation.
    pub async fn accrue(&self, actor: &Actor) -> Result<Accrued, LeaveError> {
        self.accrue_of(actor, None).await
    }

    /// The same of one kind of leave, or of all.
    pub(super) async fn accrue_of(
        &self,
        actor: &Actor,
        only: Option<LeaveTypeId>,
    ) -> Result<Accrued, LeaveError> {
        self.0.require(actor, Permission::LeaveGrant, &Resource::organization())?;
        let mut sum = Accrued::default();
        let mut after = None;
        loop {
            let mut work = self.0.begin(actor).await?;
            let (written, next) = self.accrue_batch(&mut work, only, after).await?;
            work.commit(()).await?;
            sum.add(written);
            if next.is_none() {
                return Ok(sum);
            }
            after = next;
        }
    }

    /// Writes what the accounts of the next batch of employees lack today; how far it came, if there are more.
    async fn accrue_batch(
        &self,
        work: &mut Work,
        only: Option<LeaveTypeId>,
        after: Option<Position>,
    ) -> Result<(Accrued, Option<Position>), LeaveError> {
        let now = work.now();
        let mut types = work.leave_types().all().await?;
        types.retain(|one| only.is_none_or(|only| one.id == only));
        let limit = employees_for(types.len());
        let (people, next) = next_employees(&mut **work, after, limit, now).await?;
        let today: BTreeMap<EmployeeId, Date> = people.into_iter().collect();
        let mut written = Accrued { employees: today.len(), ..Accrued::default() };
        let employees: Vec<EmployeeId> = today.keys().copied().collect();
        let before = work.leave_ledger().locked(&employees).await?;
        // Most days nothing is missing: only accounts that lack something are locked.
        let mut all = self.missing(&mut **work, &types, &today, now).await?;
        if all.is_empty() {
            return Ok((written, next));
        }
        let accounts: Vec<Account> = all.keys().copied().collect();
        work.leave_ledger().lock_accounts(&accounts).await?;
        let locked = work.leave_ledger().locked(&employees).await?;
        // What somebody else changed meanwhile is looked at again.
        let count =
            |of: &HashMap<Account, i64>, account: &Account| of.get(account).copied().unwrap_or_default();
        let changed: Vec<_> =
            accounts.into_iter().filter(|one| count(&locked, one) != count(&before, one) + 1).collect();
        if !changed.is_empty() {
            let today = changed.iter().filter_map(|(id, _)| Some((*id, *today.get(id)?))).collect();
            let mut now_missing = self.missing(&mut **work, &types, &today, now).await?;
            for account in changed {
                all.insert(account, now_missing.remove(&account).unwrap_or_default());
            }
        }
        let (mut lots, mut postings) = (Vec::new(), Vec::new());
        for missing in all.into_values() {
            lots.extend(missing.lots);
            postings.extend(missing.postings);
        }
        work.leave_ledger().insert_lots(&lots).await?;
        work.leave_ledger().append(&postings).await?;
        written.lots = lots.len();
        written.postings = postings.len();
        Ok((written, next))
    }

    /// What has come due and isn't written, by account; a few statements for all of them.
    async fn missing(
        &self,
        tx: &mut dyn Tx,
        types: &[LeaveType],
        today: &BTreeMap<EmployeeId, Date>,
        now: jiff::Timestamp,
    ) -> Result<BTreeMap<Account, Missing>, StoreError> {
        let employees: Vec<EmployeeId> = today.keys().copied().collect();
        let mut accounts = Accounts::load(tx, &employees).await?;
        // In one order, so that the same clock and ids write the same rows.
        let mut missing = BTreeMap::new();
        let mut ids = || self.0.ids().next();
        for (employee, today) in today {
            for leave_type in types {
                let replayed = accounts.replayed(*employee, leave_type, *today, now, &mut ids);
                let due = Missing::of(replayed, *today);
                if !due.lots.is_empty() || !due.postings.is_empty() {
                    missing.insert((*employee, leave_type.id), due);
                }
            }
        }
        Ok(missing)
    }
}

impl Missing {
    /// What an account lacks by a day. Which lots pay for leave in advance is left to bookings, so that it
    /// doesn't depend on when this ran.
    fn of(replayed: Replayed, today: Date) -> Self {
        Self {
            lots: replayed.lots.into_iter().filter(|lot| lot.valid_from <= today).collect(),
            postings: replayed.postings.into_iter().filter(|one| one.effective_on <= today).collect(),
        }
    }
}
