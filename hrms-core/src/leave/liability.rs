//! What of leave is owed: balances of many employees as of a day, and their totals.
//!
//! Leave that was granted and not taken yet is owed, whether it was asked for, approved for later, or neither. Amounts are minutes and days; money is
//! payroll's.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;
use serde::Serialize;

use super::account::as_of_or;
use super::accounts::{Accounts, BATCH};
use super::balance::{BalanceMinutes, approved_ahead};
use super::calendar::AbsenceSearch;
use super::{LeaveError, LeaveService, days_text};
use crate::actor::Actor;
use crate::employee::{EmployeeFilter, EmployeeRef, EmployeeRow, EmployeeSort, Named};
use crate::error::CommonError;
use crate::id::{DepartmentId, EmployeeId, LeaveTypeId, LocationId};
use crate::page::{Filling, Page, PageRequest, Position};
use crate::policy::Permission;
use crate::store::Tx;

/// What of one kind of leave is owed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OwedMinutes {
    /// What can still be asked for; below zero when leave was taken in advance.
    pub available: i64,
    /// Asked for and not decided yet.
    pub pending: i64,
    /// Approved for days after the day of the report.
    pub approved_ahead: i64,
    /// All of it.
    pub owed: i64,
}

impl OwedMinutes {
    fn add(&mut self, more: &Self) {
        self.available += more.available;
        self.pending += more.pending;
        self.approved_ahead += more.approved_ahead;
        self.owed += more.owed;
    }
}

/// What of one kind of leave an employee is owed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OwedLeave {
    /// The kind of leave.
    pub leave_type: Named<LeaveTypeId>,
    /// In days, as a decimal number.
    pub owed: String,
    /// In minutes: exact.
    pub minutes: OwedMinutes,
}

/// What leave an employee is owed on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaveLiability {
    /// Whose.
    pub employee: EmployeeRef,
    /// The department on the day.
    pub department: Option<Named<DepartmentId>>,
    /// The location on the day.
    pub location: Option<Named<LocationId>>,
    /// The day.
    pub as_of: Date,
    /// By name of the leave type; kinds of which there is nothing are left out.
    pub leaves: Vec<OwedLeave>,
}

/// What of one kind of leave is owed to some people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LiabilityTotal<Id> {
    /// Where they are; `null` for those who are nowhere.
    pub of: Option<Named<Id>>,
    /// The kind of leave.
    pub leave_type: Named<LeaveTypeId>,
    /// How many have some of it, or took some in advance.
    pub employees: i64,
    /// In days, as a decimal number.
    pub owed: String,
    /// In minutes: exact.
    pub minutes: OwedMinutes,
}

/// What leave is owed to all whose leave the caller may read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LiabilityTotals {
    /// The day.
    pub as_of: Date,
    /// How many employees were looked at.
    pub employees: i64,
    /// All together: `of` is `null`.
    pub by_leave_type: Vec<LiabilityTotal<LeaveTypeId>>,
    /// By department on the day.
    pub by_department: Vec<LiabilityTotal<DepartmentId>>,
    /// By location on the day.
    pub by_location: Vec<LiabilityTotal<LocationId>>,
}

impl LeaveService<'_> {
    /// A page of what leave employees are owed on a day (without one: today, UTC), by number.
    ///
    /// # Errors
    /// When no leave may be read; [`LeaveError::TooFarAhead`].
    pub async fn liability(
        &self,
        actor: &Actor,
        search: &AbsenceSearch,
        as_of: Option<Date>,
        page: &PageRequest<EmployeeSort>,
    ) -> Result<Page<LeaveLiability>, LeaveError> {
        let today = self.0.today();
        let as_of = as_of_or(today, as_of)?;
        let mut tx = self.0.read(actor).await?;
        let filter = self.owed_to(&mut *tx, actor, search, as_of).await?;
        let mut filling = Filling::new(page, true);
        let people = loop {
            let rows = self.readable(&mut *tx, actor, &filter, filling.request()).await?;
            let may = |row: &(EmployeeRow, bool)| row.1;
            if let Some(page) = filling.take(rows, may, |row| at(&row.0, page.sort)) {
                break page.map(|row| row.0);
            }
        };
        let ids: Vec<EmployeeId> = people.items.iter().map(|row| row.view.id).collect();
        let accounts = Accounts::load(&mut *tx, &ids).await?;
        Ok(people.map(|row| owed(row, &accounts, as_of, today)))
    }

    /// What leave is owed to all whose leave the actor may read, on a day (without one: today, UTC). It looks at each account.
    ///
    /// # Errors
    /// As [`LeaveService::liability`].
    pub async fn liability_totals(
        &self,
        actor: &Actor,
        search: &AbsenceSearch,
        as_of: Option<Date>,
    ) -> Result<LiabilityTotals, LeaveError> {
        let today = self.0.today();
        let as_of = as_of_or(today, as_of)?;
        let (mut sums, mut after) = (Sums::default(), None);
        loop {
            let (rows, next) = self.liability_batch(actor, search, as_of, after).await?;
            rows.iter().for_each(|row| sums.add(row));
            if next.is_none() {
                break;
            }
            after = next;
        }
        let mut tx = self.0.read(actor).await?;
        let per_day =
            tx.leave_types().all().await?.into_iter().map(|one| (one.id, one.minutes_per_day)).collect();
        Ok(sums.shown(as_of, &per_day))
    }

    /// What is owed to the next employees, and where to go on.
    pub(super) async fn liability_batch(
        &self,
        actor: &Actor,
        search: &AbsenceSearch,
        as_of: Date,
        after: Option<Position>,
    ) -> Result<(Vec<LeaveLiability>, Option<Position>), LeaveError> {
        let mut tx = self.0.read(actor).await?;
        let filter = self.owed_to(&mut *tx, actor, search, as_of).await?;
        let (people, next) = self.batch(&mut *tx, actor, &filter, after).await?;
        let ids: Vec<EmployeeId> = people.iter().map(|row| row.view.id).collect();
        let accounts = Accounts::load(&mut *tx, &ids).await?;
        let today = self.0.today();
        Ok((people.into_iter().map(|row| owed(row, &accounts, as_of, today)).collect(), next))
    }

    /// The next employees whose leave the actor may read, by number, and where to go on.
    pub(super) async fn batch(
        &self,
        tx: &mut dyn Tx,
        actor: &Actor,
        filter: &EmployeeFilter,
        after: Option<Position>,
    ) -> Result<(Vec<EmployeeRow>, Option<Position>), CommonError> {
        let page = PageRequest { sort: EmployeeSort::Number, descending: false, limit: BATCH, after };
        let mut rows = self.readable(tx, actor, filter, &page).await?;
        let more = rows.len() > usize::from(BATCH);
        rows.truncate(usize::from(BATCH));
        let next = rows.last().filter(|_| more).map(|(row, _)| at(row, page.sort));
        Ok((rows.into_iter().filter(|(_, may)| *may).map(|(row, _)| row).collect(), next))
    }

    async fn readable(
        &self,
        tx: &mut dyn Tx,
        actor: &Actor,
        filter: &EmployeeFilter,
        page: &PageRequest<EmployeeSort>,
    ) -> Result<Vec<(EmployeeRow, bool)>, CommonError> {
        let mut rows = tx.employees().list(filter, page).await?;
        self.0.complete(tx, actor, rows.iter_mut().map(|row| &mut row.resource), filter.today).await?;
        let may = |row: EmployeeRow| {
            let may = self.may_see(actor, &row.resource);
            (row, may)
        };
        Ok(rows.into_iter().map(may).collect())
    }

    /// The employees whose leave the actor may read.
    pub(super) async fn owed_to(
        &self,
        tx: &mut dyn Tx,
        actor: &Actor,
        search: &AbsenceSearch,
        as_of: Date,
    ) -> Result<EmployeeFilter, CommonError> {
        let visible = self.0.visibility(actor, Permission::LeaveRead)?;
        let departments = match search.department_id {
            Some(top) if search.include_subdepartments => Some(tx.departments().tree().await?.subtree(top)),
            other => other.map(|only| vec![only]),
        };
        Ok(EmployeeFilter {
            today: self.0.today(),
            departments,
            location_id: search.location_id,
            manager_id: search.manager_id,
            ..EmployeeFilter::everybody(visible, as_of)
        })
    }
}

fn at(row: &EmployeeRow, sort: EmployeeSort) -> Position {
    Position { key: row.view.sort_key(sort), id: row.view.id.as_uuid() }
}

fn owed(row: EmployeeRow, accounts: &Accounts, as_of: Date, today: Date) -> LeaveLiability {
    let view = row.view;
    let leaves = accounts.types.iter().filter_map(|leave_type| {
        let ledger = accounts.on(view.id, leave_type, as_of, today);
        let balance = BalanceMinutes::of(&ledger, as_of);
        let ahead = approved_ahead(&ledger, as_of);
        let minutes = OwedMinutes {
            available: balance.available,
            pending: balance.pending,
            approved_ahead: ahead,
            owed: balance.available + balance.pending + ahead,
        };
        (minutes != OwedMinutes::default()).then(|| OwedLeave {
            leave_type: Named { id: leave_type.id, name: leave_type.name.clone() },
            owed: days_text(minutes.owed, leave_type.minutes_per_day),
            minutes,
        })
    });
    let leaves = leaves.collect();
    let name = super::calendar::full_name(&view.given_name, &view.family_name);
    let (department, location) = view.employment.map(|one| (one.department, one.location)).unzip();
    LeaveLiability {
        employee: EmployeeRef { id: view.id, number: view.number, name },
        department: department.flatten(),
        location: location.flatten(),
        as_of,
        leaves,
    }
}

/// Sums by name of the place, its id, name of the leave type and its id: in the order in which they are shown.
type By<Id> = BTreeMap<(Option<(String, Id)>, String, LeaveTypeId), (i64, OwedMinutes)>;

#[derive(Default)]
struct Sums {
    employees: i64,
    all: By<LeaveTypeId>,
    departments: By<DepartmentId>,
    locations: By<LocationId>,
}

impl Sums {
    fn add(&mut self, row: &LeaveLiability) {
        fn add<Id: Ord>(by: &mut By<Id>, place: Option<(String, Id)>, leave: &OwedLeave) {
            let kind = &leave.leave_type;
            let (employees, sum) = by.entry((place, kind.name.clone(), kind.id)).or_default();
            *employees += 1;
            sum.add(&leave.minutes);
        }
        self.employees += 1;
        for leave in &row.leaves {
            add(&mut self.all, None, leave);
            add(&mut self.departments, row.department.as_ref().map(|one| (one.name.clone(), one.id)), leave);
            add(&mut self.locations, row.location.as_ref().map(|one| (one.name.clone(), one.id)), leave);
        }
    }

    fn shown(self, as_of: Date, per_day: &HashMap<LeaveTypeId, i64>) -> LiabilityTotals {
        fn shown<Id>(by: By<Id>, per_day: &HashMap<LeaveTypeId, i64>) -> Vec<LiabilityTotal<Id>> {
            let total = |((place, name, id), (employees, minutes)): (_, (i64, OwedMinutes))| LiabilityTotal {
                of: Option::map(place, |(name, id)| Named { id, name }),
                leave_type: Named { id, name },
                employees,
                owed: days_text(minutes.owed, per_day.get(&id).copied().unwrap_or(480)),
                minutes,
            };
            by.into_iter().map(total).collect()
        }
        LiabilityTotals {
            as_of,
            employees: self.employees,
            by_leave_type: shown(self.all, per_day),
            by_department: shown(self.departments, per_day),
            by_location: shown(self.locations, per_day),
        }
    }
}
