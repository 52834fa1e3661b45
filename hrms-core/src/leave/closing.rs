//! Closing a period: what its days said stays as it was (P17).
//!
//! Each posting is written with the last day that was closed then, and isn't seen as of that day or earlier. So a balance as of
//! a closed day is what it was when that day was closed, whatever is found out later; from the first open day on the difference is
//! there. Leave of closed days is neither asked for, approved nor cancelled, and nothing is granted from a closed day on.
//!
//! Whoever books holds the closings of the organisation until the end of the unit of work, and whoever closes waits for them.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::accounts::{Accounts, BATCH, next_employees};
use super::ledger::Ledger;
use super::repo::{LeaveRequestFilter, LeaveRequestSort};
use super::request::RequestStatus;
use super::{BalanceMinutes, LeaveError, LeaveService, LeaveType, days_text};
use crate::actor::Actor;
use crate::audit::{Audited, Change};
use crate::error::{CommonError, StoreError};
use crate::event::{NewEvent, subject};
use crate::hrms::{Hrms, Work};
use crate::id::{EmployeeId, LeaveClosingId, LeaveRequestId, LeaveTypeId, UserId};
use crate::page::{PageRequest, Position};
use crate::policy::{Permission, Resource, Visibility};
use crate::store::Tx;
use crate::validate::Check;

/// Pending requests that a preview names.
const SHOWN: u16 = 100;

/// A period that was closed. Days up to `through` are closed while it isn't reopened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaveClosing {
    /// Its id.
    pub id: LeaveClosingId,
    /// The kind of leave that it is about; `null` for all.
    pub leave_type_id: Option<LeaveTypeId>,
    /// The last day that is closed.
    pub through: Date,
    /// What was said about it.
    pub note: Option<String>,
    /// When it was closed.
    pub closed_at: Timestamp,
    /// The user who closed it, if a user did.
    pub closed_by: Option<UserId>,
    /// When it was opened again.
    pub reopened_at: Option<Timestamp>,
    /// The user who opened it again.
    pub reopened_by: Option<UserId>,
    /// Why it was opened again.
    pub reopen_note: Option<String>,
}

impl Audited for LeaveClosing {}

impl LeaveClosing {
    /// Whether it closes days of a kind of leave.
    fn holds_for(&self, leave_type: LeaveTypeId) -> bool {
        self.reopened_at.is_none() && self.leave_type_id.is_none_or(|of| of == leave_type)
    }
}

/// The last closed day of a kind of leave.
pub(super) fn closed_through(closings: &[LeaveClosing], leave_type: LeaveTypeId) -> Option<Date> {
    closings.iter().filter(|one| one.holds_for(leave_type)).map(|one| one.through).max()
}

/// Closes a period.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CloseLeave {
    /// The last day to be closed: over everywhere, and after those that are closed.
    #[serde(deserialize_with = "crate::date::strict")]
    pub through: Date,
    /// Only this kind of leave; without it all.
    #[serde(default)]
    pub leave_type_id: Option<LeaveTypeId>,
    /// Anything to say about it, at most 1000 characters.
    #[serde(default)]
    pub note: Option<String>,
}

/// Opens a period again.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ReopenLeave {
    /// Why, at most 1000 characters.
    pub note: String,
}

/// What the accounts of one kind of leave come to together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClosedTotals {
    /// The kind of leave.
    pub leave_type_id: LeaveTypeId,
    /// Accounts with anything in them.
    pub accounts: u64,
    /// Days available, as a decimal number.
    pub available: String,
    /// What they come to, in minutes.
    pub minutes: BalanceMinutes,
}

/// What closing a period would do. Nothing is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaveClosingPreview {
    /// The last day to be closed.
    pub through: Date,
    /// The last day that is closed already.
    pub closed_through: Option<Date>,
    /// By kind of leave.
    pub totals: Vec<ClosedTotals>,
    /// Pending requests of days to be closed, at most 100: they have to be decided on before.
    pub pending: Vec<LeaveRequestId>,
}

/// An account as it was when a period was closed. Never changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClosedBalance {
    /// Whose leave.
    pub employee_id: EmployeeId,
    /// What kind of leave.
    pub leave_type_id: LeaveTypeId,
    /// What it came to on the last closed day; nothing is pending.
    pub minutes: BalanceMinutes,
}

/// Closings in storage.
#[async_trait]
pub trait LeaveClosingRepo: Send {
    /// Waits until nobody books leave, and keeps it that way until this unit of work ends.
    async fn lock(&mut self) -> Result<(), StoreError>;
    /// Every closing, in the order of closing.
    async fn all(&mut self) -> Result<Vec<LeaveClosing>, StoreError>;
    /// Adds a closing. From then on, postings are written as made after it.
    async fn insert(&mut self, closing: &LeaveClosing) -> Result<(), StoreError>;
    /// Writes that a closing was opened again.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it was before.
    async fn reopen(&mut self, closing: &LeaveClosing) -> Result<(), StoreError>;
    /// Adds what accounts came to; once for each.
    async fn insert_balances(
        &mut self,
        id: LeaveClosingId,
        balances: &[ClosedBalance],
    ) -> Result<(), StoreError>;
    /// What accounts came to, by employee and leave type.
    async fn balances(&mut self, id: LeaveClosingId) -> Result<Vec<ClosedBalance>, StoreError>;
}

/// What can be done with closings.
#[derive(Clone, Copy, Debug)]
pub struct LeaveClosingService<'a>(&'a Hrms);

impl Hrms {
    /// Closings of leave periods.
    #[must_use]
    pub fn leave_closings(&self) -> LeaveClosingService<'_> {
        LeaveClosingService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "leave closing" };

impl LeaveClosingService<'_> {
    /// Every closing, in the order of closing.
    ///
    /// # Errors
    /// When they may not be seen.
    pub async fn list(&self, actor: &Actor) -> Result<Vec<LeaveClosing>, LeaveError> {
        self.0.require(actor, Permission::LeaveTypeRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        Ok(tx.leave_closings().all().await?)
    }

    /// One closing.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(&self, actor: &Actor, id: LeaveClosingId) -> Result<LeaveClosing, LeaveError> {
        let all = self.list(actor).await?;
        Ok(all.into_iter().find(|one| one.id == id).ok_or(NOT_FOUND)?)
    }

    /// What closing a period would do. Nothing is stored.
    ///
    /// # Errors
    /// [`LeaveError::AlreadyClosed`]; faulty fields.
    pub async fn preview(&self, actor: &Actor, close: CloseLeave) -> Result<LeaveClosingPreview, LeaveError> {
        self.require(actor)?;
        let mut tx = self.0.read(actor).await?;
        let (closed_through, types) = self.check(&mut *tx, &close).await?;
        let pending = pending(&mut *tx, &close).await?;
        let mut sums: BTreeMap<LeaveTypeId, (u64, BalanceMinutes)> = BTreeMap::new();
        let (now, mut after) = (self.0.clock().now(), None);
        loop {
            let (people, next) = next_employees(&mut *tx, after, BATCH, now).await?;
            let employees: Vec<EmployeeId> = people.iter().map(|(id, _)| *id).collect();
            let accounts = Accounts::load(&mut *tx, &employees).await?;
            for (employee, today) in people {
                for leave_type in &types {
                    let ledger = accounts.on(employee, leave_type, today.max(close.through), today);
                    add(&mut sums, leave_type.id, frozen(ledger, close.through));
                }
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
        let total = |leave_type: &LeaveType| {
            let (accounts, minutes) = sums.get(&leave_type.id).copied().unwrap_or_default();
            let available = days_text(minutes.available, leave_type.minutes_per_day);
            ClosedTotals { leave_type_id: leave_type.id, accounts, available, minutes }
        };
        let totals = types.iter().map(total).collect();
        Ok(LeaveClosingPreview { through: close.through, closed_through, totals, pending })
    }

    /// Closes a period: writes what its days still lack, keeps what accounts came to, and closes them, all of it or nothing.
    ///
    /// # Errors
    /// [`LeaveError::PendingRequests`]; [`LeaveError::AlreadyClosed`]; faulty fields.
    pub async fn close(&self, actor: &Actor, close: CloseLeave) -> Result<LeaveClosing, LeaveError> {
        self.require(actor)?;
        {
            let mut tx = self.0.read(actor).await?;
            self.check(&mut *tx, &close).await?;
        }
        // Most of what there is to be written, while others can still book.
        let each = actor.clone().in_request(actor.request());
        self.0.leave().accrue_of(&each, close.leave_type_id).await?;
        let mut work = self.0.begin(actor).await?;
        work.leave_closings().lock().await?;
        let (_, types) = self.check(&mut *work, &close).await?;
        let pending = pending(&mut *work, &close).await?;
        if !pending.is_empty() {
            return Err(LeaveError::PendingRequests { through: close.through });
        }
        let closing = LeaveClosing {
            id: LeaveClosingId::from_uuid(self.0.ids().next()),
            leave_type_id: close.leave_type_id,
            through: close.through,
            note: close.note,
            closed_at: work.now(),
            closed_by: actor.user_id(),
            reopened_at: None,
            reopened_by: None,
            reopen_note: None,
        };
        let mut after = None;
        let mut balances = Vec::new();
        loop {
            after = self.complete(&mut work, &types, after, close.through, &mut balances).await?;
            if after.is_none() {
                break;
            }
        }
        work.leave_closings().insert(&closing).await?;
        work.leave_closings().insert_balances(closing.id, &balances).await?;
        work.emit(event("leave_closing.created", &closing, Change::created(&closing)));
        Ok(work.commit(closing).await?)
    }

    /// Opens a period again: the last one that is closed, for owners. What was posted meanwhile stays where it is.
    ///
    /// # Errors
    /// [`LeaveError::NotLastClosing`]; a faulty note; when it isn't there.
    pub async fn reopen(
        &self,
        actor: &Actor,
        id: LeaveClosingId,
        reopen: ReopenLeave,
    ) -> Result<LeaveClosing, LeaveError> {
        self.require(actor)?;
        // Owners answer for the organisation: it is they who write its policies.
        self.0.require(actor, Permission::PolicyManage, &Resource::organization())?;
        let mut check = Check::new();
        check.lines("/note", &reopen.note, 1..=1000);
        check.done()?;
        let mut work = self.0.begin(actor).await?;
        work.leave_closings().lock().await?;
        let all = work.leave_closings().all().await?;
        let before = all.iter().find(|one| one.id == id).ok_or(NOT_FOUND)?.clone();
        let later = |one: &&LeaveClosing| {
            one.reopened_at.is_none()
                && one.leave_type_id == before.leave_type_id
                && one.through > before.through
        };
        if before.reopened_at.is_some() || all.iter().any(|one| later(&one)) {
            return Err(LeaveError::NotLastClosing);
        }
        let closing = LeaveClosing {
            reopened_at: Some(work.now()),
            reopened_by: actor.user_id(),
            reopen_note: Some(reopen.note),
            ..before.clone()
        };
        work.leave_closings().reopen(&closing).await?;
        work.emit(event("leave_closing.reopened", &closing, Change::changed(&before, &closing)));
        Ok(work.commit(closing).await?)
    }

    /// What accounts came to when a period was closed, with the number of each employee and the code of the leave type.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn balances_csv(&self, actor: &Actor, id: LeaveClosingId) -> Result<Vec<u8>, LeaveError> {
        let whole = Resource::organization();
        for permission in [Permission::LeaveRead, Permission::EmployeeRead, Permission::ExportRun] {
            self.0.require(actor, permission, &whole)?;
            // Rows aren't asked about one by one, so a policy that tells them apart must stop all of them.
            if actor.rules().is_some_and(|rules| rules.tells_apart(permission)) {
                return Err(CommonError::Forbidden { permission }.into());
            }
        }
        self.get(actor, id).await?;
        let mut rows = vec![
            ["employee", "leave_type", "granted", "taken", "expired", "encashed", "available"]
                .map(str::to_owned),
        ];
        {
            let mut tx = self.0.read(actor).await?;
            let balances = tx.leave_closings().balances(id).await?;
            let mut employees: Vec<EmployeeId> = balances.iter().map(|one| one.employee_id).collect();
            employees.dedup();
            let people = tx.employees().find_by_ids(&employees).await?;
            let numbers: HashMap<_, _> = people.into_iter().map(|one| (one.id, one.number)).collect();
            let types = tx.leave_types().all().await?;
            let codes: HashMap<_, _> = types.into_iter().map(|one| (one.id, one.code)).collect();
            for one in balances {
                let minutes = one.minutes;
                let figures =
                    [minutes.granted, minutes.taken, minutes.expired, minutes.encashed, minutes.available];
                let [granted, taken, expired, encashed, available] = figures.map(|figure| figure.to_string());
                let number = numbers.get(&one.employee_id).cloned().unwrap_or_default();
                let code = codes.get(&one.leave_type_id).cloned().unwrap_or_default();
                rows.push([number, code, granted, taken, expired, encashed, available]);
            }
        }
        self.0.exports().put_on_record(actor, &format!("leave-closings/{id}")).await?;
        let failed = |error: csv::Error| CommonError::Encode(serde::ser::Error::custom(error));
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        for row in rows {
            writer
                .write_record(row.iter().map(|cell| crate::import::escape(cell).into_owned()))
                .map_err(failed)?;
        }
        let file = writer.into_inner();
        Ok(file.map_err(|error| CommonError::Encode(serde::ser::Error::custom(error)))?)
    }

    fn require(&self, actor: &Actor) -> Result<(), CommonError> {
        self.0.require(actor, Permission::LeaveGrant, &Resource::organization())
    }

    /// The last day that is closed, and the kinds of leave that it is about.
    async fn check(
        &self,
        tx: &mut dyn Tx,
        close: &CloseLeave,
    ) -> Result<(Option<Date>, Vec<LeaveType>), LeaveError> {
        let mut check = Check::new();
        check.date("/through", close.through);
        if let Some(note) = &close.note {
            check.lines("/note", note, 1..=1000);
        }
        // It is twelve hours earlier than in UTC at most.
        let now = self.0.clock().now();
        let earliest =
            now.checked_sub(SignedDuration::from_hours(12)).unwrap_or(now).to_zoned(TimeZone::UTC).date();
        if close.through >= earliest {
            check.fault(
                "/through",
                "not-past",
                "this day isn't over everywhere: later days can't be closed yet",
            );
        }
        check.done()?;
        let mut types = tx.leave_types().all().await?;
        if let Some(only) = close.leave_type_id {
            types.retain(|one| one.id == only);
            if types.is_empty() {
                return Err(CommonError::unknown_reference("/leave_type_id").into());
            }
        }
        let closings = tx.leave_closings().all().await?;
        let in_force = closings.iter().filter(|one| one.reopened_at.is_none());
        // Of one kind of leave, or all: what is closed for all is closed for each.
        let same =
            in_force.filter(|one| one.leave_type_id.is_none() || one.leave_type_id == close.leave_type_id);
        let through = same.map(|one| one.through).max();
        match through.filter(|through| *through >= close.through) {
            Some(through) => Err(LeaveError::AlreadyClosed { through }),
            None => Ok((through, types)),
        }
    }

    /// Writes what the next batch of accounts lacks, and adds what they come to on a day; how far it came, if there are more.
    async fn complete(
        &self,
        work: &mut Work,
        types: &[LeaveType],
        after: Option<Position>,
        through: Date,
        balances: &mut Vec<ClosedBalance>,
    ) -> Result<Option<Position>, LeaveError> {
        let now = work.now();
        let (people, next) = next_employees(&mut **work, after, BATCH, now).await?;
        let employees: Vec<EmployeeId> = people.iter().map(|(id, _)| *id).collect();
        let mut accounts = Accounts::load(&mut **work, &employees).await?;
        let (mut lots, mut postings, mut links, mut locked) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut ids = || self.0.ids().next();
        for (employee_id, today) in people {
            for leave_type in types {
                let until = today.max(through);
                let replayed = accounts.replayed(employee_id, leave_type, until, now, &mut ids);
                if !(replayed.lots.is_empty() && replayed.postings.is_empty() && replayed.links.is_empty()) {
                    locked.push((employee_id, leave_type.id));
                }
                lots.extend(replayed.lots);
                postings.extend(replayed.postings.into_iter().filter(|one| !one.is_later_payout(today)));
                links.extend(replayed.links);
                let minutes = frozen(replayed.ledger, through);
                if minutes != BalanceMinutes::default() {
                    balances.push(ClosedBalance { employee_id, leave_type_id: leave_type.id, minutes });
                }
            }
        }
        // Nobody else books: accounts needn't be locked before they are read.
        work.leave_ledger().lock_accounts(&locked).await?;
        work.leave_ledger().insert_lots(&lots).await?;
        work.leave_ledger().append(&postings).await?;
        work.leave_ledger().append(&links).await?;
        Ok(next)
    }
}

/// What an account comes to on a day that is being closed: what is only asked for isn't part of it.
fn frozen(mut ledger: Ledger, through: Date) -> BalanceMinutes {
    ledger.pending.clear();
    BalanceMinutes::of(&ledger, through)
}

fn add(sums: &mut BTreeMap<LeaveTypeId, (u64, BalanceMinutes)>, of: LeaveTypeId, one: BalanceMinutes) {
    if one == BalanceMinutes::default() {
        return;
    }
    let (accounts, sum) = sums.entry(of).or_default();
    *accounts += 1;
    sum.granted += one.granted;
    sum.taken += one.taken;
    sum.expired += one.expired;
    sum.encashed += one.encashed;
    sum.available += one.available;
}

/// The pending requests with a day that is to be closed, at most so many.
async fn pending(tx: &mut dyn Tx, close: &CloseLeave) -> Result<Vec<LeaveRequestId>, StoreError> {
    let filter = LeaveRequestFilter {
        visible: Visibility::ALL,
        not_of: None,
        today: close.through,
        employee_id: None,
        status: Some(RequestStatus::Pending),
        leave_type_id: close.leave_type_id,
        from: None,
        to: Some(close.through),
        updated_after: None,
    };
    let page = PageRequest { sort: LeaveRequestSort::StartsOn, limit: SHOWN, after: None, descending: false };
    let rows = tx.leave_requests().list(&filter, &page).await?;
    Ok(rows.into_iter().take(usize::from(SHOWN)).map(|one| one.id).collect())
}

fn event(kind: &'static str, closing: &LeaveClosing, change: Change) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("leave-closings", closing.id.as_uuid()),
        data: serde_json::json!({ "leave_closing_id": closing.id, "through": closing.through }),
        change,
        permission: Permission::LeaveTypeRead,
        resource: Resource::organization(),
    }
}

impl LeaveService<'_> {
    /// Refuses what is about days that are closed.
    pub(super) fn check_open(ledger: &Ledger, first_day: Date) -> Result<(), LeaveError> {
        match ledger.closed_through.filter(|through| first_day <= *through) {
            Some(through) => Err(LeaveError::PeriodClosed { through }),
            None => Ok(()),
        }
    }
}
