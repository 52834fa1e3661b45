//! The stored accounts of many employees, read with a few statements.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::LeaveType;
use super::account::demands;
use super::ledger::Ledger;
use super::plan::Replayed;
use super::planned::{Planning, shown_at, shown_ids};
use crate::employee::{EmployeeFilter, EmployeeSort};
use crate::error::StoreError;
use crate::id::{EmployeeId, LeaveTypeId};
use crate::page::{PageRequest, Position};
use crate::policy::Visibility;
use crate::store::Tx;
use crate::validate::time_zone;

/// Employees that are looked at at once.
pub(super) const BATCH: u16 = 500;

/// Accounts that are written in one unit of work, about: where one writes, others may have to wait.
const WRITTEN: usize = 2000;

/// Employees of a unit of work that writes accounts of so many types.
pub(super) fn employees_for(types: usize) -> u16 {
    u16::try_from(WRITTEN / types.max(1)).unwrap_or(BATCH).clamp(10, BATCH)
}

/// Whose leave of which kind.
pub(super) type Account = (EmployeeId, LeaveTypeId);

/// The next employees of the organisation by number, with today at their workplace; how far that came, if there are more.
pub(super) async fn next_employees(
    tx: &mut dyn Tx,
    after: Option<Position>,
    limit: u16,
    now: Timestamp,
) -> Result<(Vec<(EmployeeId, Date)>, Option<Position>), StoreError> {
    let filter = EmployeeFilter::everybody(Visibility::ALL, now.to_zoned(TimeZone::UTC).date());
    let page = PageRequest { sort: EmployeeSort::Number, limit, after, descending: false };
    let mut rows = tx.employees().list(&filter, &page).await?;
    let more = rows.len() > usize::from(limit);
    rows.truncate(usize::from(limit));
    let last = rows.last().filter(|_| more);
    let next = last.map(|row| Position { key: row.view.number.clone(), id: row.view.id.as_uuid() });
    let zone = |name: &Option<String>| name.as_deref().and_then(time_zone).unwrap_or(TimeZone::UTC);
    let today = rows.iter().map(|row| (row.view.id, now.to_zoned(zone(&row.time_zone)).date()));
    Ok((today.collect(), next))
}

/// Accounts, and what they depend on.
pub(super) struct Accounts {
    pub(super) types: Vec<LeaveType>,
    planning: Planning,
    stored: HashMap<Account, Ledger>,
}

impl Accounts {
    /// Reads the accounts of some employees.
    pub(super) async fn load(tx: &mut dyn Tx, employees: &[EmployeeId]) -> Result<Self, StoreError> {
        let types = tx.leave_types().all().await?;
        let planning = Planning::load(tx, employees).await?;
        let mut stored: HashMap<Account, Ledger> = HashMap::new();
        for lot in tx.leave_ledger().lots_of(employees).await? {
            stored.entry((lot.employee_id, lot.leave_type_id)).or_default().lots.push(lot);
        }
        for posting in tx.leave_ledger().postings_of(employees).await? {
            stored.entry((posting.employee_id, posting.leave_type_id)).or_default().postings.push(posting);
        }
        for view in tx.leave_requests().pending_of(employees).await? {
            let key = (view.request.employee_id, view.request.leave_type_id);
            stored.entry(key).or_default().pending.extend(demands(&view));
        }
        Ok(Self { types, planning, stored })
    }

    /// An account as it should stand on a day, and what it lacks. To be asked for once: it gives away what is stored.
    pub(super) fn replayed(
        &mut self,
        employee: EmployeeId,
        leave_type: &LeaveType,
        until: Date,
        now: Timestamp,
        ids: &mut dyn FnMut() -> uuid::Uuid,
    ) -> Replayed {
        let stored = self.stored.remove(&(employee, leave_type.id)).unwrap_or_default();
        self.planning.replayed(employee, leave_type, stored, until, now, ids)
    }

    /// An account as it should stand on a day, for those who only look.
    pub(super) fn on(
        &self,
        employee: EmployeeId,
        leave_type: &LeaveType,
        as_of: Date,
        today: Date,
    ) -> Ledger {
        let stored = self.stored.get(&(employee, leave_type.id)).cloned().unwrap_or_default();
        let mut ids = shown_ids(employee, leave_type.id);
        self.planning.replayed(employee, leave_type, stored, as_of, shown_at(today), &mut ids).ledger
    }
}
