//! Leave as CSV files, sent as they are read: balances, requests, postings, and what is owed.

use std::collections::HashMap;

use jiff::civil::Date;

use super::account::as_of_or;
use super::accounts::{Accounts, BATCH};
use super::balance::BalanceMinutes;
use super::calendar::AbsenceSearch;
use super::repo::{LeaveRequestFilter, LeaveRequestSort};
use super::standing::resources;
use super::{LeaveError, LeaveService, days_text};
use crate::actor::Actor;
use crate::employee::EmployeeRow;
use crate::error::CommonError;
use crate::export::File;
use crate::hrms::Hrms;
use crate::id::{EmployeeId, LeaveTypeId};
use crate::page::{PageRequest, Position};
use crate::policy::{Permission, Resource};
use crate::store::Tx;
use crate::validate::Check;

/// What is exported of leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveFile {
    /// Balances as of a day; today (UTC) when nobody says.
    Balances(Option<Date>),
    /// What is owed as of a day; today (UTC) when nobody says.
    Liability(Option<Date>),
    /// Requests with a day from the first of these to the second.
    Requests(Option<Date>, Option<Date>),
    /// Postings of the ledger that take effect from the first of these to the second.
    Postings(Option<Date>, Option<Date>),
}

impl LeaveFile {
    /// The stable name, as in the name of the file.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Balances(_) => "leave-balances",
            Self::Liability(_) => "leave-liability",
            Self::Requests(..) => "leave-requests",
            Self::Postings(..) => "leave-postings",
        }
    }

    const fn header(self) -> &'static [&'static str] {
        match self {
            Self::Balances(_) => &[
                "employee",
                "name",
                "leave_type",
                "as_of",
                "granted_minutes",
                "taken_minutes",
                "pending_minutes",
                "expired_minutes",
                "encashed_minutes",
                "available_minutes",
                "available_days",
            ],
            Self::Liability(_) => &[
                "employee",
                "name",
                "department",
                "location",
                "leave_type",
                "as_of",
                "available_minutes",
                "pending_minutes",
                "approved_ahead_minutes",
                "owed_minutes",
                "owed_days",
            ],
            Self::Requests(..) => &[
                "employee",
                "name",
                "leave_type",
                "starts_on",
                "ends_on",
                "start_part",
                "end_part",
                "minutes",
                "days",
                "status",
                "submitted_on",
                "decided_at",
                "id",
            ],
            Self::Postings(..) => &[
                "employee",
                "name",
                "leave_type",
                "kind",
                "minutes",
                "effective_on",
                "booked_on",
                "posted_at",
                "leave_request_id",
                "leave_grant_id",
                "reverses_id",
                "id",
            ],
        }
    }
}

/// An export under way. It is read in batches, each in a unit of work of its own, so that nothing is held while whoever takes it
/// is slow; each batch with the rights that the actor had at the beginning.
#[derive(Debug)]
pub struct LeaveExport {
    hrms: Hrms,
    actor: Actor,
    file: LeaveFile,
    as_of: Date,
    begun: bool,
    after: Option<Position>,
    done: bool,
}

impl LeaveService<'_> {
    /// Begins an export of the leave that the actor may read, as CSV (UTF-8, with CR LF).
    ///
    /// # Errors
    /// When exports may not be made or no leave may be read; faulty dates.
    pub async fn export(&self, actor: &Actor, file: LeaveFile) -> Result<LeaveExport, LeaveError> {
        self.0.require(actor, Permission::ExportRun, &Resource::organization())?;
        self.0.visibility(actor, Permission::LeaveRead)?;
        let today = self.0.today();
        let as_of = match file {
            LeaveFile::Balances(as_of) | LeaveFile::Liability(as_of) => as_of_or(today, as_of)?,
            LeaveFile::Requests(from, to) | LeaveFile::Postings(from, to) => {
                let mut check = Check::new();
                from.iter().for_each(|from| check.date("/from", *from));
                to.iter().for_each(|to| check.date("/to", *to));
                if from.zip(to).is_some_and(|(from, to)| to < from) {
                    check.fault("/to", "before-start", "the last day is before the first");
                }
                check.done()?;
                today
            }
        };
        self.0.exports().put_on_record(actor, file.code()).await?;
        let (hrms, actor) = (self.0.clone(), actor.clone());
        Ok(LeaveExport { hrms, actor, file, as_of, begun: false, after: None, done: false })
    }
}

impl LeaveExport {
    /// The next piece; `None` behind the last.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, LeaveError> {
        if self.done {
            return Ok(None);
        }
        let mut file = File::new();
        if !std::mem::replace(&mut self.begun, true) {
            file.row(self.file.header())?;
        }
        let after = self.after.take();
        let hrms = self.hrms.clone();
        let leave = hrms.leave();
        let next = match self.file {
            LeaveFile::Liability(_) => {
                let search = AbsenceSearch::default();
                let (rows, next) = leave.liability_batch(&self.actor, &search, self.as_of, after).await?;
                for row in rows {
                    owed(&mut file, &row)?;
                }
                next
            }
            LeaveFile::Balances(_) => self.balances(&leave, &mut file, after).await?,
            LeaveFile::Postings(from, to) => self.postings(&leave, &mut file, (from, to), after).await?,
            LeaveFile::Requests(from, to) => self.requests(&leave, &mut file, (from, to), after).await?,
        };
        self.done = next.is_none();
        self.after = next;
        Ok(Some(file.done()?))
    }

    /// The next employees whose leave may be read.
    async fn people(
        &self,
        tx: &mut dyn Tx,
        leave: &LeaveService<'_>,
        after: Option<Position>,
    ) -> Result<(Vec<EmployeeRow>, Option<Position>), CommonError> {
        let filter = leave.owed_to(tx, &self.actor, &AbsenceSearch::default(), self.hrms.today()).await?;
        leave.batch(tx, &self.actor, &filter, after).await
    }

    async fn balances(
        &self,
        leave: &LeaveService<'_>,
        file: &mut File,
        after: Option<Position>,
    ) -> Result<Option<Position>, LeaveError> {
        let mut tx = self.hrms.read(&self.actor).await?;
        let (people, next) = self.people(&mut *tx, leave, after).await?;
        let ids: Vec<EmployeeId> = people.iter().map(|row| row.view.id).collect();
        let accounts = Accounts::load(&mut *tx, &ids).await?;
        for row in &people {
            for leave_type in &accounts.types {
                let ledger = accounts.on(row.view.id, leave_type, self.as_of, self.hrms.today());
                let balance = BalanceMinutes::of(&ledger, self.as_of);
                if balance == BalanceMinutes::default() {
                    continue;
                }
                file.cells([
                    row.view.number.clone(),
                    name(row),
                    leave_type.code.clone(),
                    self.as_of.to_string(),
                    balance.granted.to_string(),
                    balance.taken.to_string(),
                    balance.pending.to_string(),
                    balance.expired.to_string(),
                    balance.encashed.to_string(),
                    balance.available.to_string(),
                    days_text(balance.available, leave_type.minutes_per_day),
                ])?;
            }
        }
        Ok(next)
    }

    async fn postings(
        &self,
        leave: &LeaveService<'_>,
        file: &mut File,
        (from, to): (Option<Date>, Option<Date>),
        after: Option<Position>,
    ) -> Result<Option<Position>, LeaveError> {
        let mut tx = self.hrms.read(&self.actor).await?;
        let (people, next) = self.people(&mut *tx, leave, after).await?;
        let ids: Vec<EmployeeId> = people.iter().map(|row| row.view.id).collect();
        let codes = codes(&mut *tx).await?;
        let mut of: HashMap<EmployeeId, Vec<_>> = HashMap::new();
        for posting in tx.leave_ledger().postings_of(&ids).await? {
            let on = posting.effective_on;
            if from.is_none_or(|from| on >= from) && to.is_none_or(|to| on <= to) {
                of.entry(posting.employee_id).or_default().push(posting);
            }
        }
        for row in &people {
            for posting in of.remove(&row.view.id).unwrap_or_default() {
                file.cells([
                    row.view.number.clone(),
                    name(row),
                    codes.get(&posting.leave_type_id).cloned().unwrap_or_default(),
                    posting.kind.code().to_owned(),
                    posting.minutes.to_string(),
                    posting.effective_on.to_string(),
                    posting.booked_on.to_string(),
                    posting.posted_at.to_string(),
                    text(posting.request_id),
                    text(posting.lot_id),
                    text(posting.reverses_id),
                    posting.id.to_string(),
                ])?;
            }
        }
        Ok(next)
    }

    async fn requests(
        &self,
        leave: &LeaveService<'_>,
        file: &mut File,
        (from, to): (Option<Date>, Option<Date>),
        after: Option<Position>,
    ) -> Result<Option<Position>, LeaveError> {
        let today = self.hrms.today();
        let filter = LeaveRequestFilter {
            visible: self.hrms.visibility(&self.actor, Permission::LeaveRead)?,
            not_of: None,
            today,
            employee_id: None,
            status: None,
            leave_type_id: None,
            from,
            to,
            updated_after: None,
        };
        let page = PageRequest { sort: LeaveRequestSort::StartsOn, descending: false, limit: BATCH, after };
        let mut tx = self.hrms.read(&self.actor).await?;
        let mut rows = tx.leave_requests().list(&filter, &page).await?;
        let more = rows.len() > usize::from(BATCH);
        rows.truncate(usize::from(BATCH));
        let next = rows.last().filter(|_| more);
        let next = next.map(|last| Position { key: last.starts_on.to_string(), id: last.id.as_uuid() });
        let resources = resources(&self.hrms, &mut *tx, &self.actor, &rows, today).await?;
        rows.retain(|row| {
            resources.get(&row.id).is_some_and(|resource| leave.may_see(&self.actor, resource))
        });
        let codes = codes(&mut *tx).await?;
        let mut owners: Vec<EmployeeId> = rows.iter().map(|row| row.employee_id).collect();
        owners.sort_unstable();
        owners.dedup();
        let people = tx.employees().find_by_ids(&owners).await?;
        let people: HashMap<EmployeeId, _> = people.into_iter().map(|one| (one.id, one)).collect();
        for row in rows {
            let Some(person) = people.get(&row.employee_id) else { continue };
            file.cells([
                person.number.clone(),
                super::calendar::full_name(&person.given_name, &person.family_name),
                codes.get(&row.leave_type_id).cloned().unwrap_or_default(),
                row.starts_on.to_string(),
                row.ends_on.to_string(),
                row.start_part.code().to_owned(),
                row.end_part.code().to_owned(),
                row.minutes.to_string(),
                row.days,
                row.status.code().to_owned(),
                row.submitted_on.to_string(),
                text(row.decided_at),
                row.id.to_string(),
            ])?;
        }
        Ok(next)
    }
}

fn owed(file: &mut File, row: &super::liability::LeaveLiability) -> Result<(), CommonError> {
    for leave in &row.leaves {
        file.cells([
            row.employee.number.clone(),
            row.employee.name.clone(),
            row.department.as_ref().map(|one| one.name.clone()).unwrap_or_default(),
            row.location.as_ref().map(|one| one.name.clone()).unwrap_or_default(),
            leave.leave_type.name.clone(),
            row.as_of.to_string(),
            leave.minutes.available.to_string(),
            leave.minutes.pending.to_string(),
            leave.minutes.approved_ahead.to_string(),
            leave.minutes.owed.to_string(),
            leave.owed.clone(),
        ])?;
    }
    Ok(())
}

async fn codes(tx: &mut dyn Tx) -> Result<HashMap<LeaveTypeId, String>, CommonError> {
    Ok(tx.leave_types().all().await?.into_iter().map(|one| (one.id, one.code)).collect())
}

fn name(row: &EmployeeRow) -> String {
    super::calendar::full_name(&row.view.given_name, &row.view.family_name)
}

fn text<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}
