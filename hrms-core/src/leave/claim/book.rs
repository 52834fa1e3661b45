//! What claims come to by the rules, and what is posted for them.

use jiff::civil::Date;

use super::super::ledger::{LeaveLot, Ledger, LotSource, NewPosting, PostingKind};
use super::super::plan::{CompensatoryRules, CompensatoryStart, EncashmentRules, PolicyRules};
use super::super::planned::Policies;
use super::super::standing::Standing;
use super::super::{BalanceMinutes, LeaveError, LeaveType};
use super::LeaveClaim;
use crate::error::StoreError;
use crate::id::{EmployeeId, LeaveLotId, LeaveTypeId};
use crate::store::Tx;

/// The rules that an employee has for a leave type on a day.
pub(super) async fn rules_on(
    tx: &mut dyn Tx,
    employee: EmployeeId,
    leave_type: LeaveTypeId,
    day: Date,
) -> Result<Option<PolicyRules>, StoreError> {
    let policies = Policies::load(tx, &[employee]).await?;
    let terms = policies.terms(employee, leave_type);
    Ok(terms.iter().find(|term| term.period.contains(day)).map(|term| term.rules.clone()))
}

/// The rules for work on a day: leave earned on the last day of a leave year, or of a policy, belongs to what follows.
pub(super) async fn compensatory_rules(
    tx: &mut dyn Tx,
    employee: EmployeeId,
    leave_type: LeaveTypeId,
    worked_on: Date,
) -> Result<CompensatoryRules, LeaveError> {
    let next = worked_on.tomorrow().unwrap_or(worked_on);
    let rules = rules_on(tx, employee, leave_type, next).await?;
    rules.and_then(|rules| rules.compensatory).ok_or(LeaveError::NotClaimable)
}

/// The rules for paying leave out on a day, and the first day of the leave year that it is in.
pub(super) async fn encashment_rules(
    tx: &mut dyn Tx,
    standing: &Standing,
    leave_type: LeaveTypeId,
    day: Date,
) -> Result<(EncashmentRules, Date), LeaveError> {
    let rules = rules_on(tx, standing.employee(), leave_type, day).await?.unwrap_or_default();
    let encashment = rules.encashment.ok_or(LeaveError::NotClaimable)?;
    let joined = standing.joined_on(day).ok_or(LeaveError::NotEmployed { on: day })?;
    Ok((encashment, rules.leave_year_from(joined, day)))
}

/// Whether a day was one off for the employee, on which they are employed.
pub(super) async fn check_day_off(tx: &mut dyn Tx, standing: &Standing, day: Date) -> Result<(), LeaveError> {
    let days = standing.work_days(tx, day, day).await?;
    let facts = days.on(day);
    if !facts.employed {
        return Err(LeaveError::NotEmployed { on: day });
    }
    if facts.holiday.is_none() && !facts.working.is_off() {
        return Err(LeaveError::NotADayOff { on: day });
    }
    Ok(())
}

/// The lot that an approved claim grants, by the rules and the day of approval.
pub(super) fn lot_of(
    claim: &LeaveClaim,
    rules: &CompensatoryRules,
    id: LeaveLotId,
    today: Date,
    now: jiff::Timestamp,
) -> LeaveLot {
    let valid_from = match rules.begins {
        CompensatoryStart::DayAfter => claim.day().tomorrow().unwrap_or(claim.day()),
        CompensatoryStart::Approval => today,
    };
    LeaveLot {
        id,
        employee_id: claim.employee_id,
        leave_type_id: claim.leave_type_id,
        source: LotSource::Compensatory,
        minutes: claim.minutes,
        valid_from,
        valid_to: rules.valid_for.map(|length| length.after(valid_from)),
        granted_on: today,
        note: None,
        plan_key: None,
        created_at: now,
    }
}

/// What can be paid out on a day, lot by lot in the order in which leave uses them up: neither what pending requests will use,
/// nor the balance that the rules keep.
pub(super) fn encashable(
    ledger: &Ledger,
    rules: &EncashmentRules,
    leave_type: &LeaveType,
    today: Date,
) -> Vec<(LeaveLotId, i64)> {
    let shares = ledger.allocate();
    let reserved = |lot: LeaveLotId| -> i64 {
        shares.iter().filter(|share| share.lot_id == Some(lot)).map(|share| share.minutes).sum()
    };
    let free = ledger.free();
    let valid = free.iter().filter(|(lot, left)| *left > 0 && lot.covers(today));
    let valid: Vec<(LeaveLotId, i64)> =
        valid.map(|(lot, left)| (lot.id, (left - reserved(lot.id)).max(0))).collect();
    // Less is in hand than in the lots where leave was taken in advance.
    let available = BalanceMinutes::of(ledger, today).available.max(0);
    draw(&valid, (available - rules.keep_minutes(leave_type.minutes_per_day)).max(0))
}

/// So many minutes from lots in their order, or all that they have.
pub(super) fn draw(from: &[(LeaveLotId, i64)], minutes: i64) -> Vec<(LeaveLotId, i64)> {
    let mut open = minutes;
    let mut parts = Vec::new();
    for (lot, left) in from {
        let part = open.min(*left);
        if part > 0 {
            parts.push((*lot, part));
            open -= part;
        }
    }
    parts
}

/// The postings that pay out parts of lots on a day.
pub(super) fn pay_out(parts: &[(LeaveLotId, i64)], today: Date) -> Vec<NewPosting> {
    let posting = |(lot, minutes): &(LeaveLotId, i64)| NewPosting {
        lot_id: Some(*lot),
        request_id: None,
        kind: PostingKind::Encashment,
        minutes: -minutes,
        effective_on: today,
        reverses_id: None,
        booked_on: None,
    };
    parts.iter().map(posting).collect()
}

/// The sum of parts.
pub(super) fn sum(parts: &[(LeaveLotId, i64)]) -> i64 {
    parts.iter().map(|(_, minutes)| minutes).sum()
}

/// The postings that undo what an approved claim booked.
///
/// # Errors
/// [`LeaveError::ClaimUsed`] for compensatory leave of which something was used, has lapsed or was moved.
pub(super) fn undo(ledger: &Ledger, claim: &LeaveClaim, today: Date) -> Result<Vec<NewPosting>, LeaveError> {
    if let Some(id) = claim.lot_id {
        let expired = ledger.lots.iter().any(|lot| lot.id == id && lot.expired_at(today));
        let on_lot = ledger.live().filter(|posting| posting.lot_id == Some(id));
        if expired || on_lot.into_iter().any(|posting| posting.kind != PostingKind::Grant) {
            return Err(LeaveError::ClaimUsed);
        }
    }
    let own = ledger.live().filter(|posting| claim.posting_ids.contains(&posting.id));
    Ok(own.map(NewPosting::undoing).collect())
}
