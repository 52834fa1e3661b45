//! Corrections by hand: another amount for a grant, and leave that is taken away.

use std::collections::HashMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::account::{AccountKey, check_amount, granted_by_hand};
use super::ledger::{Demand, LeavePosting, Ledger, NewPosting, PostingKind};
use super::standing::Standing;
use super::{LeaveBalance, LeaveError, LeaveLotView, LeaveService, LeaveType, days_text};
use crate::actor::Actor;
use crate::audit::{Audited, Change};
use crate::error::CommonError;
use crate::event::{NewEvent, subject};
use crate::hrms::Work;
use crate::id::{EmployeeId, LeaveLotId, LeaveRequestId, LeaveTypeId};
use crate::policy::Permission;
use crate::validate::Check;

/// What a grant by hand is to give from now on: an amount in days or in minutes.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AdjustLeaveGrant {
    /// How much, as a decimal number of days such as `"32"`; `"0"` takes the grant back. Either this or `minutes`.
    #[serde(default)]
    pub days: Option<String>,
    /// How much, in minutes. Either this or `days`.
    #[serde(default)]
    pub minutes: Option<i64>,
    /// Why, at most 1000 characters; in the audit log only.
    #[serde(default)]
    pub note: Option<String>,
}

/// A grant by hand with what it gives after a correction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AdjustedLeaveGrant {
    /// The grant as it was made.
    #[serde(flatten)]
    pub grant: LeaveLotView,
    /// What it gives by now, as a decimal number of days.
    pub current_days: String,
    /// The same in minutes: exact.
    pub current_minutes: i64,
}

impl Audited for AdjustedLeaveGrant {
    // What people write about leave can be about their health.
    const MASKED: &'static [&'static str] = &["note"];
}

/// Leave that is taken away by hand: an amount in days or in minutes.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DeductLeave {
    /// How much, as a decimal number of days such as `"1.5"`. Either this or `minutes`.
    #[serde(default)]
    pub days: Option<String>,
    /// How much, in minutes. Either this or `days`.
    #[serde(default)]
    pub minutes: Option<i64>,
    /// The day that it counts for; without it today at the employee's workplace. Leave that can be used on this day is taken first.
    #[serde(default, deserialize_with = "crate::date::strict")]
    pub on: Option<Date>,
    /// Why, at most 1000 characters; in the audit log only.
    #[serde(default)]
    pub note: Option<String>,
}

const NO_GRANT: CommonError = CommonError::NotFound { what: "leave grant" };

impl LeaveService<'_> {
    /// Gives a grant by hand another amount: an adjustment posting for the difference, never one's own (P16). Approved leave keeps
    /// its cover, or nothing changes.
    ///
    /// # Errors
    /// [`LeaveError::SelfGrant`], [`LeaveError::GrantByPolicy`], [`LeaveError::GrantInUse`]; faulty fields; when it isn't there or
    /// may not be seen or changed.
    pub async fn adjust_grant(
        &self,
        actor: &Actor,
        id: LeaveLotId,
        new: AdjustLeaveGrant,
    ) -> Result<AdjustedLeaveGrant, LeaveError> {
        self.0.visibility(actor, Permission::LeaveRead)?;
        let mut work = self.0.begin(actor).await?;
        let lot = work.leave_ledger().lot(id).await?.ok_or(NO_GRANT)?;
        let (standing, leave_type) =
            self.for_correction(&mut work, actor, lot.employee_id, lot.leave_type_id, "leave grant").await?;
        let mut check = Check::new();
        let to = check_amount(&mut check, new.days.as_deref(), new.minutes, &leave_type, 0);
        check_note(&mut check, new.note.as_deref());
        check.done()?;
        if lot.plan_key.is_some() {
            return Err(LeaveError::GrantByPolicy);
        }
        let key = AccountKey { employee_id: lot.employee_id, leave_type_id: lot.leave_type_id };
        work.leave_ledger().lock_account(key.employee_id, key.leave_type_id).await?;
        let mut ledger =
            self.written(&mut work, key.employee_id, &leave_type, standing.today, Vec::new()).await?;
        let (before, lent) = (granted_by_hand(&ledger, id), lent_by(&ledger));
        let shown = |minutes: i64| AdjustedLeaveGrant {
            grant: LeaveLotView::of(&lot, leave_type.minutes_per_day),
            current_days: days_text(minutes, leave_type.minutes_per_day),
            current_minutes: minutes,
        };
        if to == before {
            return Ok(work.commit(shown(to)).await?);
        }
        let adjustment = NewPosting {
            lot_id: Some(id),
            request_id: None,
            kind: PostingKind::Adjustment,
            minutes: to - before,
            effective_on: lot.valid_from,
            reverses_id: None,
            booked_on: None,
        };
        let postings = self.post(actor, &mut work, &standing, &key, &mut ledger, vec![adjustment]);
        work.leave_ledger().append(&postings).await?;
        // What is carried over, cut or lapses because of it: as policies say. Then approved leave has to be covered as before.
        let after = self.written(&mut work, key.employee_id, &leave_type, standing.today, Vec::new()).await?;
        if lent_by(&after) > lent || after.free().iter().any(|(lot, left)| lot.id == id && *left < 0) {
            return Err(LeaveError::GrantInUse);
        }
        let view = shown(to);
        if let Some(note) = &new.note {
            work.because(note);
        }
        work.emit(NewEvent {
            kind: "leave.grant-adjusted",
            subject: subject("leave-grants", id.as_uuid()),
            data: serde_json::json!({
                "leave_grant_id": id,
                "employee_id": key.employee_id,
                "leave_type_id": key.leave_type_id,
            }),
            change: Change::changed(&shown(before), &view),
            permission: Permission::LeaveRead,
            resource: standing.resource(lot.valid_from),
        });
        Ok(work.commit(view).await?)
    }

    /// Takes leave away by hand, never one's own (P16): from the lots that can be used on the day, and beyond them as far below zero
    /// as the leave type allows; lots that come later pay that back. Counts as less granted, not as taken.
    ///
    /// # Errors
    /// [`LeaveError::SelfGrant`], [`LeaveError::InsufficientBalance`], [`LeaveError::TooFarAhead`]; faulty fields; when the employee or
    /// leave type isn't there or the leave may not be seen or changed.
    pub async fn deduct(
        &self,
        actor: &Actor,
        employee: EmployeeId,
        leave_type: LeaveTypeId,
        new: DeductLeave,
    ) -> Result<LeaveBalance, LeaveError> {
        self.0.visibility(actor, Permission::LeaveRead)?;
        let mut work = self.0.begin(actor).await?;
        let (standing, leave_type) =
            self.for_correction(&mut work, actor, employee, leave_type, "employee").await?;
        let on = super::account::as_of_or(standing.today, new.on)?;
        let mut check = Check::new();
        let minutes = check_amount(&mut check, new.days.as_deref(), new.minutes, &leave_type, 1);
        check_note(&mut check, new.note.as_deref());
        check.done()?;
        let key = AccountKey { employee_id: employee, leave_type_id: leave_type.id };
        work.leave_ledger().lock_account(key.employee_id, key.leave_type_id).await?;
        // Booked like a request that nobody made.
        let request_id = LeaveRequestId::from_uuid(self.0.ids().next());
        let demand = Demand { request_id, day: on, asked_on: standing.today, minutes };
        let mut ledger = self.written(&mut work, employee, &leave_type, standing.today, vec![demand]).await?;
        let excess = ledger.uncovered(request_id).all - leave_type.allow_negative_minutes;
        if excess > 0 {
            return Err(LeaveError::InsufficientBalance {
                asked: minutes,
                left: (minutes - excess).max(0),
                minutes_per_day: leave_type.minutes_per_day,
            });
        }
        let before =
            self.balance_of(&mut work, &standing, &leave_type, &without(&ledger, request_id)).await?;
        let booked = ledger.book(request_id);
        let booked = booked.into_iter().map(|one| NewPosting { request_id: None, ..one }).collect();
        ledger = without(&ledger, request_id);
        let postings = self.post(actor, &mut work, &standing, &key, &mut ledger, booked);
        work.leave_ledger().append(&postings).await?;
        ledger.postings.extend(postings);
        let after = self.balance_of(&mut work, &standing, &leave_type, &ledger).await?;
        if let Some(note) = &new.note {
            work.because(note);
        }
        work.emit(NewEvent {
            kind: "leave.deducted",
            subject: subject("employees", employee.as_uuid()),
            data: serde_json::json!({
                "employee_id": employee,
                "leave_type_id": leave_type.id,
                "minutes": minutes,
                "on": on,
            }),
            change: Change::changed(&before, &after),
            permission: Permission::LeaveRead,
            resource: standing.resource(on),
        });
        Ok(work.commit(after).await?)
    }

    /// Whose account it is and of what, if the actor may correct it.
    async fn for_correction(
        &self,
        work: &mut Work,
        actor: &Actor,
        employee: EmployeeId,
        leave_type: LeaveTypeId,
        what: &'static str,
    ) -> Result<(Standing, LeaveType), LeaveError> {
        let standing = self.visible(&mut **work, actor, employee, what).await?;
        self.0.require(actor, Permission::LeaveGrant, &standing.resource(standing.today))?;
        if actor.counts_as(employee) {
            return Err(LeaveError::SelfGrant);
        }
        let no_type = CommonError::NotFound { what: "leave type" };
        let leave_type = work.leave_types().get(leave_type).await?.ok_or(no_type)?;
        Ok((standing, leave_type))
    }

    async fn balance_of(
        &self,
        work: &mut Work,
        standing: &Standing,
        leave_type: &LeaveType,
        ledger: &Ledger,
    ) -> Result<LeaveBalance, LeaveError> {
        let (today, ledgers) = (standing.today, std::slice::from_ref(ledger));
        let free = super::usable::FreeDays::load(&mut **work, standing, today, ledgers).await?;
        let fits = |day: Date| free.fits(day, leave_type);
        Ok(LeaveBalance::of(ledger, standing.employee(), leave_type, today, &fits))
    }
}

impl Audited for LeaveBalance {}

/// A ledger without what one request asks for.
fn without(ledger: &Ledger, request_id: LeaveRequestId) -> Ledger {
    let mut ledger = ledger.clone();
    ledger.pending.retain(|demand| demand.request_id != request_id);
    ledger
}

/// Minutes of leave that was taken before there was a lot for it, whether or not a later one has paid for it.
fn lent_by(ledger: &Ledger) -> i64 {
    let begins: HashMap<LeaveLotId, Date> = ledger.lots.iter().map(|lot| (lot.id, lot.valid_from)).collect();
    let is_lent = |one: &&LeavePosting| {
        let begin = one.lot_id.and_then(|lot| begins.get(&lot));
        one.kind == PostingKind::Consumption && begin.is_none_or(|begin| *begin > one.effective_on)
    };
    ledger.live().filter(is_lent).map(|one| -one.minutes).sum()
}

fn check_note(check: &mut Check, note: Option<&str>) {
    if let Some(note) = note {
        check.text("/note", note, 1..=1000);
    }
}
