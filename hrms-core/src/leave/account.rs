//! Grants and balances.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::day_count::CountedDay;
use super::ledger::{Demand, LeaveLot, LeavePosting, Ledger, LotSource, NewPosting, PostingKind};
use super::planned::{Planning, asking, shown_at, shown_ids};
use super::request::LeaveRequestView;
use super::standing::Standing;
use super::usable::FreeDays;
use super::{
    BalanceMinutes, LeaveError, LeaveService, LeaveType, MAX_MINUTES, days_text, minutes_of_days,
    usable_until_expiry,
};
use crate::actor::Actor;
use crate::audit::{Audited, Change};
use crate::error::{CommonError, StoreError};
use crate::event::{NewEvent, subject};
use crate::hrms::Work;
use crate::id::{EmployeeId, LeaveLotId, LeavePostingId, LeaveRequestId, LeaveTypeId};
use crate::policy::{Decision, Permission};
use crate::store::Tx;
use crate::validate::Check;

/// How many years ahead of today balances are shown and leave is asked for.
pub const YEARS_AHEAD: i64 = 5;

/// What a grant of leave needs: an amount in days or in minutes, and when it can be used.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct GrantLeave {
    /// Whose leave.
    pub employee_id: EmployeeId,
    /// What kind of leave.
    pub leave_type_id: LeaveTypeId,
    /// How much, as a decimal number of days such as `"1.5"`. Either this or `minutes`.
    #[serde(default)]
    pub days: Option<String>,
    /// How much, in minutes. Either this or `days`.
    #[serde(default)]
    pub minutes: Option<i64>,
    /// The first day that it can be used for.
    #[serde(deserialize_with = "crate::date::strict")]
    pub valid_from: Date,
    /// The first day that it can't be used for any more; without it, it never expires.
    #[serde(default, deserialize_with = "crate::date::strict")]
    pub valid_to: Option<Date>,
    /// Where it comes from.
    #[serde(default)]
    pub source: LotSource,
    /// Anything to say about it, at most 1000 characters.
    #[serde(default)]
    pub note: Option<String>,
    /// Refuses it when another grant by hand of the same source can be used on some of the same days: for allocations of which
    /// there is to be one for a period.
    #[serde(default)]
    pub refuse_overlap: bool,
}

/// A lot of leave as shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaveLotView {
    /// Its id.
    pub id: LeaveLotId,
    /// Whose leave.
    pub employee_id: EmployeeId,
    /// What kind of leave.
    pub leave_type_id: LeaveTypeId,
    /// Where it comes from.
    pub source: LotSource,
    /// How much was granted, as a decimal number of days.
    pub days: String,
    /// How much was granted, in minutes: exact.
    pub minutes: i64,
    /// The first day that it can be used for.
    pub valid_from: Date,
    /// The first day that it can't be used for any more; `null` when it never expires.
    pub valid_to: Option<Date>,
    /// The day on which it was granted, in the employee's work zone.
    pub granted_on: Date,
    /// What was said about it.
    pub note: Option<String>,
    /// When it was recorded.
    pub created_at: Timestamp,
}

impl Audited for LeaveLotView {
    // What people write about leave can be about their health.
    const MASKED: &'static [&'static str] = &["note"];
}

impl LeaveLotView {
    pub(super) fn of(lot: &LeaveLot, minutes_per_day: i64) -> Self {
        Self {
            id: lot.id,
            employee_id: lot.employee_id,
            leave_type_id: lot.leave_type_id,
            source: lot.source,
            days: days_text(lot.minutes, minutes_per_day),
            minutes: lot.minutes,
            valid_from: lot.valid_from,
            valid_to: lot.valid_to,
            granted_on: lot.granted_on,
            note: lot.note.clone(),
            created_at: lot.created_at,
        }
    }
}

/// A balance as shown: decimal days, and the exact minutes beside them.
///
/// `granted = available + taken + pending + expired + encashed`, on every day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaveBalance {
    /// Whose leave.
    pub employee_id: EmployeeId,
    /// What kind of leave.
    pub leave_type_id: LeaveTypeId,
    /// The day.
    pub as_of: Date,
    /// Days granted by lots in force by then.
    pub granted: String,
    /// Days of approved leave.
    pub taken: String,
    /// Days asked for and not decided yet.
    pub pending: String,
    /// Days left of lots when they expired.
    pub expired: String,
    /// Days paid out.
    pub encashed: String,
    /// Days that can still be asked for.
    pub available: String,
    /// Days of them that can be used before they expire: on working days of the employee without other leave.
    pub usable_until_expiry: String,
    /// The same in exact minutes.
    pub minutes: BalanceMinutes,
    /// The exact minutes of `usable_until_expiry`.
    pub usable_until_expiry_minutes: i64,
}

impl LeaveBalance {
    /// `fits` says how many minutes of leave fit on a day, see [`usable_until_expiry`].
    pub(super) fn of(
        ledger: &Ledger,
        employee_id: EmployeeId,
        leave_type: &LeaveType,
        as_of: Date,
        fits: &dyn Fn(Date) -> i64,
    ) -> Self {
        let minutes = BalanceMinutes::of(ledger, as_of);
        let usable = usable_until_expiry(ledger, as_of, fits);
        let days = |minutes| days_text(minutes, leave_type.minutes_per_day);
        Self {
            employee_id,
            leave_type_id: leave_type.id,
            as_of,
            granted: days(minutes.granted),
            taken: days(minutes.taken),
            pending: days(minutes.pending),
            expired: days(minutes.expired),
            encashed: days(minutes.encashed),
            available: days(minutes.available),
            usable_until_expiry: days(usable),
            minutes,
            usable_until_expiry_minutes: usable,
        }
    }
}

/// A balance with everything that it is made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaveAccount {
    /// The balance.
    #[serde(flatten)]
    pub balance: LeaveBalance,
    /// Every lot.
    pub lots: Vec<LeaveLotView>,
    /// Every posting, in the order of posting.
    pub postings: Vec<LeavePosting>,
}

impl LeaveService<'_> {
    /// Grants leave by hand, never to oneself (P16). Leave that was taken in advance is paid from it first.
    ///
    /// # Errors
    /// [`CommonError::Forbidden`]; [`LeaveError::SelfGrant`], [`LeaveError::GrantOverlaps`]; faulty fields, an unknown employee or leave type among them.
    pub async fn grant(&self, actor: &Actor, new: GrantLeave) -> Result<LeaveLotView, LeaveError> {
        let unknown = || CommonError::unknown_reference("/employee_id");
        let mut work = self.0.begin(actor).await?;
        let now = work.now();
        let standing = Standing::load(self.0, &mut *work, actor, new.employee_id, now).await?;
        let standing = standing.ok_or_else(unknown)?;
        let resource = standing.resource(new.valid_from);
        if self.0.policy().decide(actor, Permission::LeaveGrant, &resource) == Decision::Deny {
            return Err(unknown().into());
        }
        if actor.counts_as(new.employee_id) {
            return Err(LeaveError::SelfGrant);
        }
        let leave_type = work.leave_types().get(new.leave_type_id).await?;
        let leave_type = leave_type.ok_or_else(|| CommonError::unknown_reference("/leave_type_id"))?;
        let lot = LeaveLot {
            id: LeaveLotId::from_uuid(self.0.ids().next()),
            employee_id: new.employee_id,
            leave_type_id: new.leave_type_id,
            source: new.source,
            minutes: check(&new, &leave_type)?,
            valid_from: new.valid_from,
            valid_to: new.valid_to,
            granted_on: standing.today,
            note: new.note.clone(),
            plan_key: None,
            created_at: now,
        };
        work.leave_ledger().lock_account(lot.employee_id, lot.leave_type_id).await?;
        if new.refuse_overlap {
            let there = read_ledger(&mut *work, lot.employee_id, lot.leave_type_id).await?;
            check_no_overlap(&there, &lot)?;
        }
        work.leave_ledger().insert_lots(std::slice::from_ref(&lot)).await?;
        let mut ledger =
            self.written(&mut work, lot.employee_id, &leave_type, standing.today, Vec::new()).await?;
        Self::check_open(&ledger, lot.valid_from)?;
        let grant = NewPosting {
            lot_id: Some(lot.id),
            request_id: None,
            kind: PostingKind::Grant,
            minutes: lot.minutes,
            effective_on: lot.valid_from,
            reverses_id: None,
            booked_on: None,
        };
        let postings = self.post(actor, &mut work, &standing, &lot.key(), &mut ledger, vec![grant]);
        work.leave_ledger().append(&postings).await?;
        let view = LeaveLotView::of(&lot, leave_type.minutes_per_day);
        work.emit(NewEvent {
            kind: "leave.granted",
            subject: subject("leave-grants", lot.id.as_uuid()),
            data: serde_json::json!({
                "leave_grant_id": lot.id,
                "employee_id": lot.employee_id,
                "leave_type_id": lot.leave_type_id,
            }),
            change: Change::created(&view),
            permission: Permission::LeaveRead,
            resource,
        });
        Ok(work.commit(view).await?)
    }

    /// A lot of leave.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn lot(&self, actor: &Actor, id: LeaveLotId) -> Result<LeaveLotView, LeaveError> {
        const NOT_FOUND: CommonError = CommonError::NotFound { what: "leave grant" };
        self.0.visibility(actor, Permission::LeaveRead)?;
        let mut tx = self.0.read(actor).await?;
        let lot = tx.leave_ledger().lot(id).await?.ok_or(NOT_FOUND)?;
        self.visible(&mut *tx, actor, lot.employee_id, "leave grant").await?;
        let leave_type = tx.leave_types().get(lot.leave_type_id).await?.ok_or(NOT_FOUND)?;
        Ok(LeaveLotView::of(&lot, leave_type.minutes_per_day))
    }

    /// The balances of an employee (without one: of the actor's own), one for each leave type, as of a day
    /// (without one: today at the workplace).
    ///
    /// # Errors
    /// [`LeaveError::TooFarAhead`]; when the employee isn't there or their leave may not be seen.
    pub async fn balances(
        &self,
        actor: &Actor,
        employee: Option<EmployeeId>,
        as_of: Option<Date>,
    ) -> Result<Vec<LeaveBalance>, LeaveError> {
        self.0.visibility(actor, Permission::LeaveRead)?;
        let missing = || CommonError::invalid("/employee_id", "required", "say whose balance");
        let employee = employee.or(actor.employee()).ok_or_else(missing)?;
        let mut tx = self.0.read(actor).await?;
        let standing = self.visible(&mut *tx, actor, employee, "employee").await?;
        let as_of = as_of_or(standing.today, as_of)?;
        let types = tx.leave_types().all().await?;
        let lots = tx.leave_ledger().lots(employee, None).await?;
        let postings = tx.leave_ledger().postings(employee, None).await?;
        let pending = tx.leave_requests().pending(employee, None).await?;
        let planning = Planning::load(&mut *tx, &[employee]).await?;
        let replayed = |leave_type: &LeaveType| {
            let id = leave_type.id;
            let of_type = |one: &&LeaveRequestView| one.request.leave_type_id == id;
            let ledger = Ledger {
                lots: lots.iter().filter(|one| one.leave_type_id == id).cloned().collect(),
                postings: postings.iter().filter(|one| one.leave_type_id == id).cloned().collect(),
                pending: pending.iter().filter(of_type).flat_map(demands).collect(),
                ..Ledger::default()
            };
            let mut ids = shown_ids(employee, id);
            let now = shown_at(standing.today);
            planning.replayed(employee, leave_type, ledger, as_of, now, &mut ids).ledger
        };
        let ledgers: Vec<Ledger> = types.iter().map(replayed).collect();
        let free = FreeDays::load(&mut *tx, &standing, as_of, &ledgers).await?;
        let balance = |(leave_type, ledger): (&LeaveType, &Ledger)| {
            LeaveBalance::of(ledger, employee, leave_type, as_of, &|day| free.fits(day, leave_type))
        };
        Ok(types.iter().zip(&ledgers).map(balance).collect())
    }

    /// One balance with the lots and postings that it is made from.
    ///
    /// # Errors
    /// [`LeaveError::TooFarAhead`]; when the employee or leave type isn't there or the leave may not be seen.
    pub async fn account(
        &self,
        actor: &Actor,
        employee: EmployeeId,
        leave_type: LeaveTypeId,
        as_of: Option<Date>,
    ) -> Result<LeaveAccount, LeaveError> {
        self.0.visibility(actor, Permission::LeaveRead)?;
        let mut tx = self.0.read(actor).await?;
        let standing = self.visible(&mut *tx, actor, employee, "employee").await?;
        let no_type = CommonError::NotFound { what: "leave type" };
        let leave_type = tx.leave_types().get(leave_type).await?.ok_or(no_type)?;
        let as_of = as_of_or(standing.today, as_of)?;
        let ledger = read_ledger(&mut *tx, employee, leave_type.id).await?;
        let planning = Planning::load(&mut *tx, &[employee]).await?;
        let mut ids = shown_ids(employee, leave_type.id);
        let now = shown_at(standing.today);
        let ledger = planning.replayed(employee, &leave_type, ledger, as_of, now, &mut ids).ledger;
        let free = FreeDays::load(&mut *tx, &standing, as_of, std::slice::from_ref(&ledger)).await?;
        let fits = |day: Date| free.fits(day, &leave_type);
        Ok(LeaveAccount {
            balance: LeaveBalance::of(&ledger, employee, &leave_type, as_of, &fits),
            lots: ledger.lots.iter().map(|lot| LeaveLotView::of(lot, leave_type.minutes_per_day)).collect(),
            postings: ledger.postings,
        })
    }

    /// The employee's standing, if the actor may see their leave; otherwise there is no such `what`.
    pub(super) async fn visible(
        &self,
        tx: &mut dyn Tx,
        actor: &Actor,
        employee: EmployeeId,
        what: &'static str,
    ) -> Result<Standing, CommonError> {
        let standing = Standing::load(self.0, tx, actor, employee, self.0.clock().now()).await?;
        let standing = standing.ok_or(CommonError::NotFound { what })?;
        if self.may_see(actor, &standing.resource(standing.today)) {
            Ok(standing)
        } else {
            Err(CommonError::Hidden { what })
        }
    }

    /// An account as it should stand today, or on the days that are asked for; nothing is written.
    pub(super) async fn shown(
        &self,
        tx: &mut dyn Tx,
        employee: EmployeeId,
        leave_type: &LeaveType,
        today: Date,
        more: Vec<Demand>,
    ) -> Result<Ledger, StoreError> {
        let stored = asking(read_ledger(tx, employee, leave_type.id).await?, more);
        let planning = Planning::load(tx, &[employee]).await?;
        let mut ids = shown_ids(employee, leave_type.id);
        Ok(planning.replayed(employee, leave_type, stored, today, shown_at(today), &mut ids).ledger)
    }

    /// The same, and what the stored account lacks of it is written. To be called under its lock, before anything is
    /// booked on it.
    pub(super) async fn written(
        &self,
        work: &mut Work,
        employee: EmployeeId,
        leave_type: &LeaveType,
        today: Date,
        more: Vec<Demand>,
    ) -> Result<Ledger, StoreError> {
        let now = work.now();
        let stored = asking(read_ledger(&mut **work, employee, leave_type.id).await?, more);
        let planning = Planning::load(&mut **work, &[employee]).await?;
        let mut ids = || self.0.ids().next();
        let replayed = planning.replayed(employee, leave_type, stored, today, now, &mut ids);
        work.leave_ledger().insert_lots(&replayed.lots).await?;
        let due: Vec<_> = replayed.postings.into_iter().filter(|one| !one.is_later_payout(today)).collect();
        work.leave_ledger().append(&due).await?;
        work.leave_ledger().append(&replayed.links).await?;
        Ok(replayed.ledger)
    }

    /// Makes postings of what is to be posted and of what lots can pay back then, and adds them to the
    /// ledger in memory. Storing them is left to the caller.
    pub(super) fn post(
        &self,
        actor: &Actor,
        work: &mut Work,
        standing: &Standing,
        account: &AccountKey,
        ledger: &mut Ledger,
        new: Vec<NewPosting>,
    ) -> Vec<LeavePosting> {
        let before = ledger.postings.len();
        ledger.postings.extend(self.stamp(actor, work, standing, account, new));
        let settled = ledger.settle();
        ledger.postings.extend(self.stamp(actor, work, standing, account, settled));
        ledger.postings.split_off(before)
    }

    /// Makes postings of what is to be posted.
    pub(super) fn stamp(
        &self,
        actor: &Actor,
        work: &Work,
        standing: &Standing,
        account: &AccountKey,
        new: Vec<NewPosting>,
    ) -> Vec<LeavePosting> {
        self.stamp_on(actor, work, standing.today, account, new)
    }

    /// The same for somebody at whose workplace it is `today`.
    pub(super) fn stamp_on(
        &self,
        actor: &Actor,
        work: &Work,
        today: Date,
        account: &AccountKey,
        new: Vec<NewPosting>,
    ) -> Vec<LeavePosting> {
        let posted_at = work.now();
        let stamp = |new: NewPosting| LeavePosting {
            id: LeavePostingId::from_uuid(self.0.ids().next()),
            employee_id: account.employee_id,
            leave_type_id: account.leave_type_id,
            lot_id: new.lot_id,
            request_id: new.request_id,
            kind: new.kind,
            minutes: new.minutes,
            effective_on: new.effective_on,
            booked_on: new.booked_on.unwrap_or(today),
            posted_at,
            posted_by: actor.user_id(),
            reverses_id: new.reverses_id,
            plan_key: None,
            closed_through: None,
        };
        new.into_iter().map(stamp).collect()
    }
}

/// Whose account a posting belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct AccountKey {
    pub(super) employee_id: EmployeeId,
    pub(super) leave_type_id: LeaveTypeId,
}

impl LeaveLot {
    fn key(&self) -> AccountKey {
        AccountKey { employee_id: self.employee_id, leave_type_id: self.leave_type_id }
    }
}

/// Reads everything about one employee's leave of one type.
pub(super) async fn read_ledger(
    tx: &mut dyn Tx,
    employee: EmployeeId,
    leave_type: LeaveTypeId,
) -> Result<Ledger, StoreError> {
    let lots = tx.leave_ledger().lots(employee, Some(leave_type)).await?;
    let postings = tx.leave_ledger().postings(employee, Some(leave_type)).await?;
    let pending = tx.leave_requests().pending(employee, Some(leave_type)).await?;
    let pending = pending.iter().flat_map(demands).collect();
    Ok(Ledger { lots, postings, pending, ..Ledger::default() })
}

/// What a request asks for, day by day.
pub(super) fn demands(view: &LeaveRequestView) -> Vec<Demand> {
    demands_of(view.request.id, view.request.submitted_on, &view.day_count)
}

/// What counted days ask for.
pub(super) fn demands_of(request_id: LeaveRequestId, asked_on: Date, days: &[CountedDay]) -> Vec<Demand> {
    let counted = days.iter().filter(|day| day.minutes > 0);
    counted.map(|day| Demand { request_id, day: day.date, asked_on, minutes: day.minutes }).collect()
}

/// The day that is asked about, by default today. Not far ahead: a balance is replayed until that day.
pub(super) fn as_of_or(today: Date, as_of: Option<Date>) -> Result<Date, LeaveError> {
    let as_of = as_of.unwrap_or(today);
    let mut check = Check::new();
    check.date("/as_of", as_of);
    check.done()?;
    check_ahead(today, as_of)?;
    Ok(as_of)
}

/// Refuses days further ahead than [`YEARS_AHEAD`].
pub(super) fn check_ahead(today: Date, day: Date) -> Result<(), LeaveError> {
    let last = today.saturating_add(YEARS_AHEAD.years());
    if day > last { Err(LeaveError::TooFarAhead { last }) } else { Ok(()) }
}

/// The minutes of a grant, if it makes sense.
fn check(new: &GrantLeave, leave_type: &LeaveType) -> Result<i64, CommonError> {
    let mut check = Check::new();
    check.date("/valid_from", new.valid_from);
    if let Some(to) = new.valid_to {
        check.date("/valid_to", to);
        if to <= new.valid_from {
            check.fault(
                "/valid_to",
                "before-start",
                "it must be after valid_from: it is the first day without validity",
            );
        }
    }
    if matches!(new.source, LotSource::Accrual | LotSource::CarryOver) {
        let detail = "this comes from a leave policy, not by hand; what was there before is an opening";
        check.fault("/source", "not-by-hand", detail);
    }
    if let Some(note) = &new.note {
        check.text("/note", note, 1..=1000);
    }
    let minutes = check_amount(&mut check, new.days.as_deref(), new.minutes, leave_type, 1);
    check.done()?;
    Ok(minutes)
}

/// Minutes of an amount that is said in days or in minutes, from `least` on; 0 when it is faulty.
pub(super) fn check_amount(
    check: &mut Check,
    days: Option<&str>,
    minutes: Option<i64>,
    leave_type: &LeaveType,
    least: i64,
) -> i64 {
    let (pointer, minutes) = match (days, minutes) {
        (Some(days), None) => {
            let minutes = minutes_of_days(days, leave_type.minutes_per_day);
            if minutes.is_none() {
                let detail = "this is not a decimal number of days that makes whole minutes";
                check.fault("/days", "not-an-amount", detail);
            }
            ("/days", minutes)
        }
        (None, Some(minutes)) => ("/minutes", Some(minutes)),
        _ => {
            check.fault("/days", "one-of", "say the amount either in days or in minutes");
            ("/days", None)
        }
    };
    if minutes.is_some_and(|minutes| !(least..=MAX_MINUTES).contains(&minutes)) {
        let most = days_text(MAX_MINUTES, leave_type.minutes_per_day);
        let from = if least == 0 { "nothing" } else { "a minute" };
        let detail =
            format!("a grant is at least {from}, and at most {MAX_MINUTES} minutes, here {most} days");
        check.fault(pointer, "out-of-range", detail);
    }
    minutes.unwrap_or_default()
}

/// Refuses a grant by hand beside another one of the same source for some of the same days.
fn check_no_overlap(there: &Ledger, new: &LeaveLot) -> Result<(), LeaveError> {
    let of_kind = there.lots.iter().filter(|lot| lot.plan_key.is_none() && lot.source == new.source);
    let mut same_days = of_kind.filter(|lot| {
        let begins_in_time = new.valid_to.is_none_or(|to| lot.valid_from < to);
        begins_in_time && lot.valid_to.is_none_or(|to| new.valid_from < to)
    });
    // One that was corrected to nothing isn't there any more.
    match same_days.find(|lot| granted_by_hand(there, lot.id) > 0) {
        Some(other) => Err(LeaveError::GrantOverlaps { from: other.valid_from }),
        None => Ok(()),
    }
}

/// What a grant by hand gives by now: what was granted, with its corrections.
pub(super) fn granted_by_hand(ledger: &Ledger, lot: LeaveLotId) -> i64 {
    let gives = |one: &&LeavePosting| {
        let is_grant = matches!(one.kind, PostingKind::Grant | PostingKind::Adjustment);
        is_grant && one.lot_id == Some(lot) && one.plan_key.is_none()
    };
    ledger.live().filter(gives).map(|one| one.minutes).sum()
}
