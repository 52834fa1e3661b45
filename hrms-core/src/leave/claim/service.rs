//! Claiming, and seeing claims.

use std::collections::HashMap;

use jiff::ToSpan;

use super::super::amount::amount_of;
use super::super::service::check_note;
use super::super::standing::{Standing, resources_of};
use super::super::{
    EncashmentLimits, LeaveError, LeaveService, LeaveType, MAX_MINUTES, RequestStatus, days_text,
};
use super::book::{check_day_off, compensatory_rules, encashable, encashment_rules, sum};
use super::decide::{emit, subject_of};
use super::{ClaimKind, LeaveClaim, LeaveClaimFilter, LeaveClaimQuery, NewLeaveClaim};
use crate::actor::Actor;
use crate::approval::{Engine, is_asked};
use crate::audit::Change;
use crate::error::CommonError;
use crate::hrms::Work;
use crate::id::LeaveClaimId;
use crate::page::{Filling, Page, PageRequest, Position};
use crate::policy::{Decision, Permission};
use crate::store::Version;
use crate::validate::Check;

const NOT_FOUND: CommonError = CommonError::NotFound { what: "leave claim" };
const HIDDEN: CommonError = CommonError::Hidden { what: "leave claim" };

impl LeaveService<'_> {
    /// Claims compensatory leave for work on a day off, or asks for leave to be paid out.
    ///
    /// Of an encashment, what can't be paid out is cut: what the rules keep, what is above the most of a leave year, and what
    /// other encashments that are pending ask for.
    ///
    /// # Errors
    /// [`LeaveError::NotClaimable`], [`LeaveError::NotADayOff`], [`LeaveError::NotEmployed`], [`LeaveError::ClaimTooLate`],
    /// [`LeaveError::ClaimedAlready`], [`LeaveError::NothingToEncash`]; faulty fields.
    pub async fn claim(&self, actor: &Actor, new: NewLeaveClaim) -> Result<LeaveClaim, LeaveError> {
        self.0.visibility(actor, Permission::LeaveSubmit)?;
        check_form(&new)?;
        let missing = || CommonError::invalid("/employee_id", "required", "say whose leave it is");
        let employee_id = new.employee_id.or(actor.employee()).ok_or_else(missing)?;
        let unknown = || CommonError::unknown_reference("/employee_id");
        let mut work = self.0.begin(actor).await?;
        work.work_patterns().hold_working_days().await?;
        work.employees().get_for_change(employee_id).await?;
        let now = work.now();
        let standing = Standing::load(self.0, &mut *work, actor, employee_id, now).await?;
        let standing = standing.ok_or_else(unknown)?;
        let resource = standing.resource(new.worked_on.unwrap_or(standing.today));
        if self.0.policy().decide(actor, Permission::LeaveSubmit, &resource) == Decision::Deny {
            return Err(unknown().into());
        }
        let leave_type = work.leave_types().get(new.leave_type_id).await?;
        let leave_type = leave_type.ok_or_else(|| CommonError::unknown_reference("/leave_type_id"))?;
        work.leave_ledger().lock_account(employee_id, leave_type.id).await?;
        let most = if new.kind == ClaimKind::Compensatory { leave_type.minutes_per_day } else { MAX_MINUTES };
        let asked_minutes = amount_of(new.days.as_deref(), new.minutes, leave_type.minutes_per_day, most)?;
        let minutes = match new.worked_on {
            Some(worked_on) => {
                self.check_work(&mut work, &standing, &leave_type, worked_on).await?;
                asked_minutes
            }
            None => self.cut(&mut work, &standing, &leave_type, asked_minutes).await?,
        };
        let claim = LeaveClaim {
            id: LeaveClaimId::from_uuid(self.0.ids().next()),
            kind: new.kind,
            employee_id,
            leave_type_id: leave_type.id,
            worked_on: new.worked_on,
            asked_minutes,
            minutes,
            days: days_text(minutes, leave_type.minutes_per_day),
            status: RequestStatus::Pending,
            note: new.note,
            submitted_by: actor.user_id(),
            submitted_on: standing.today,
            decided_by: None,
            decided_at: None,
            decision_note: None,
            lot_id: None,
            posting_ids: Vec::new(),
            created_at: now,
            updated_at: now,
            version: Version::FIRST,
        };
        work.leave_claims().insert(&claim).await?;
        Engine(&mut work).start(&subject_of(&claim, &standing)).await?;
        emit(&mut work, "leave_claim.submitted", &claim, &standing, Change::created(&claim));
        Ok(work.commit(claim).await?)
    }

    /// Whether work on a day can be claimed for.
    async fn check_work(
        &self,
        work: &mut Work,
        standing: &Standing,
        leave_type: &LeaveType,
        worked_on: jiff::civil::Date,
    ) -> Result<(), LeaveError> {
        let rules = compensatory_rules(&mut **work, standing.employee(), leave_type.id, worked_on).await?;
        check_day_off(&mut **work, standing, worked_on).await?;
        if worked_on > standing.today {
            let detail = "work is claimed for when it is done";
            return Err(CommonError::invalid("/worked_on", "in-future", detail).into());
        }
        let last = rules.claim_within_days.map(|days| worked_on.saturating_add(i64::from(days).days()));
        match last.filter(|last| standing.today > *last) {
            Some(last) => Err(LeaveError::ClaimTooLate { last }),
            None => Ok(()),
        }
    }

    /// What of an amount can be paid out.
    async fn cut(
        &self,
        work: &mut Work,
        standing: &Standing,
        leave_type: &LeaveType,
        asked: i64,
    ) -> Result<i64, LeaveError> {
        let (employee, today) = (standing.employee(), standing.today);
        let (rules, year_from) = encashment_rules(&mut **work, standing, leave_type.id, today).await?;
        let ledger = self.shown(&mut **work, employee, leave_type, today, Vec::new()).await?;
        let free = sum(&encashable(&ledger, &rules, leave_type, today));
        let since = crate::validate::FIRST_DATE;
        let others = work.leave_claims().encashments(employee, leave_type.id, since).await?;
        let waiting = others.iter().filter(|one| one.status == RequestStatus::Pending);
        let waiting: i64 = waiting.map(|one| one.minutes).sum();
        let of_year = others.iter().filter(|one| one.submitted_on >= year_from);
        let of_year: i64 = of_year.map(|one| one.minutes).sum();
        let most = rules.most_minutes(leave_type.minutes_per_day);
        let limits = EncashmentLimits { keep: waiting, most: most.map(|most| most - of_year), step: None };
        match limits.of(free, Some(asked)).minutes {
            0 => Err(LeaveError::NothingToEncash),
            minutes => Ok(minutes),
        }
    }

    /// One claim.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get_claim(&self, actor: &Actor, id: LeaveClaimId) -> Result<LeaveClaim, LeaveError> {
        let visible = self.0.visibility(actor, Permission::LeaveRead);
        let mut tx = self.0.read(actor).await?;
        let claim = tx.leave_claims().get(id).await?.ok_or(NOT_FOUND)?;
        let now = self.0.clock().now();
        let standing = Standing::load(self.0, &mut *tx, actor, claim.employee_id, now).await?;
        let about = subject_of(&claim, &standing.ok_or(NOT_FOUND)?);
        let sees = visible.is_ok() && self.may_see(actor, &about.resource);
        if !sees && !is_asked(&mut *tx, actor, &about).await? {
            visible?;
            return Err(HIDDEN.into());
        }
        Ok(claim)
    }

    /// A page of the claims that the actor may see, by the instant of submission.
    ///
    /// # Errors
    /// When none may be seen at all.
    pub async fn claims(
        &self,
        actor: &Actor,
        query: &LeaveClaimQuery,
        page: &PageRequest<()>,
    ) -> Result<Page<LeaveClaim>, LeaveError> {
        let filter = LeaveClaimFilter {
            visible: self.0.visibility(actor, Permission::LeaveRead)?,
            // One date for rows of all zones; the single row is judged by its own zone.
            today: self.0.today(),
            kind: query.kind,
            employee_id: query.employee_id,
            status: query.status,
            leave_type_id: query.leave_type_id,
            updated_after: query.updated_after,
        };
        let mut tx = self.0.read(actor).await?;
        let sifts = self.0.policy().narrows(actor, Permission::LeaveRead);
        let mut filling = Filling::new(page, sifts);
        loop {
            let rows = tx.leave_claims().list(&filter, filling.request()).await?;
            let owners = rows.iter().map(|row| (row.employee_id, row.day()));
            let resources = match sifts {
                true => resources_of(self.0, &mut *tx, actor, owners, filter.today).await?,
                false => HashMap::new(),
            };
            let may = |row: &LeaveClaim| {
                let resource = resources.get(&row.employee_id).cloned();
                resource.is_some_and(|resource| self.may_see(actor, &resource.with_details(row.details())))
            };
            let position =
                |row: &LeaveClaim| Position { key: row.created_at.to_string(), id: row.id.as_uuid() };
            if let Some(page) = filling.take(rows, may, position) {
                return Ok(page);
            }
        }
    }
}

fn check_form(new: &NewLeaveClaim) -> Result<(), CommonError> {
    let mut check = Check::new();
    match (new.kind, new.worked_on) {
        (ClaimKind::Compensatory, None) => check.fault("/worked_on", "required", "say which day was worked"),
        (ClaimKind::Encashment, Some(_)) => {
            check.fault("/worked_on", "contradicts", "leave is paid out for no day of work");
        }
        _ => {}
    }
    if let Some(day) = new.worked_on {
        check.date("/worked_on", day);
    }
    check_note(&mut check, new.note.as_deref());
    check.done()
}
