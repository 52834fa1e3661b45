//! Who has which leave policy, and when.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::audit::{Audited, Change};
use crate::error::CommonError;
use crate::event::{NewEvent, subject};
use crate::hrms::{Hrms, Work};
use crate::id::{EmployeeId, LeavePolicyAssignmentId, LeavePolicyId, LeaveTypeId};
use crate::leave::LeaveError;
use crate::leave::standing::Standing;
use crate::period::Period;
use crate::policy::{Decision, Permission, Resource};
use crate::store::{Version, Versioned};
use crate::validate::Check;

/// An employee's leave policy during a period. Periods of one leave type never overlap (P22).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeavePolicyAssignment {
    /// Its id.
    pub id: LeavePolicyAssignmentId,
    /// Whose policy.
    pub employee_id: EmployeeId,
    /// For what kind of leave: the policy's.
    pub leave_type_id: LeaveTypeId,
    /// Which policy.
    pub policy_id: LeavePolicyId,
    /// The first day.
    pub valid_from: Date,
    /// The first day after it; `null` when it never ends.
    pub valid_to: Option<Date>,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Audited for LeavePolicyAssignment {}

impl Versioned for LeavePolicyAssignment {
    fn version(&self) -> Version {
        self.version
    }
}

impl LeavePolicyAssignment {
    /// When it is in force.
    #[must_use]
    pub fn period(&self) -> Option<Period> {
        Period::new(self.valid_from, self.valid_to)
    }
}

/// What assigning a leave policy needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AssignLeavePolicy {
    /// To whom.
    pub employee_id: EmployeeId,
    /// Which policy.
    pub leave_policy_id: LeavePolicyId,
    /// The first day. One that begins while another of the leave type is in force ends that one; one that begins on the same
    /// day takes its place.
    #[serde(deserialize_with = "crate::date::strict")]
    pub valid_from: Date,
    /// The first day after it; without it, it never ends.
    #[serde(default, deserialize_with = "crate::date::strict")]
    pub valid_to: Option<Date>,
}

/// The end of an assignment.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EndLeavePolicyAssignment {
    /// The first day without it. With its first day it is void, as if it had never been.
    #[serde(deserialize_with = "crate::date::strict")]
    pub valid_to: Date,
}

/// What can be done with assignments of leave policies.
#[derive(Clone, Copy, Debug)]
pub struct LeavePolicyAssignmentService<'a>(&'a Hrms);

impl Hrms {
    /// Who has which leave policy.
    #[must_use]
    pub fn leave_policy_assignments(&self) -> LeavePolicyAssignmentService<'_> {
        LeavePolicyAssignmentService(self)
    }
}

const WHAT: &str = "leave policy assignment";
const NOT_FOUND: CommonError = CommonError::NotFound { what: WHAT };

impl LeavePolicyAssignmentService<'_> {
    /// The assignments of an employee (without one: the actor's own), by first day.
    ///
    /// # Errors
    /// When the employee isn't there or their leave may not be seen.
    pub async fn list(
        &self,
        actor: &Actor,
        employee: Option<EmployeeId>,
    ) -> Result<Vec<LeavePolicyAssignment>, LeaveError> {
        self.0.visibility(actor, Permission::LeaveRead)?;
        let missing = || CommonError::invalid("/employee_id", "required", "say whose");
        let employee = employee.or(actor.employee()).ok_or_else(missing)?;
        let mut tx = self.0.read(actor).await?;
        self.0.leave().visible(&mut *tx, actor, employee, "employee").await?;
        Ok(tx.leave_policies().assignments(&[employee]).await?)
    }

    /// One assignment.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(
        &self,
        actor: &Actor,
        id: LeavePolicyAssignmentId,
    ) -> Result<LeavePolicyAssignment, LeaveError> {
        self.0.visibility(actor, Permission::LeaveRead)?;
        let mut tx = self.0.read(actor).await?;
        let assignment = tx.leave_policies().assignment(id).await?.ok_or(NOT_FOUND)?;
        self.0.leave().visible(&mut *tx, actor, assignment.employee_id, WHAT).await?;
        Ok(assignment)
    }

    /// Gives an employee a leave policy, never oneself (P16): it grants leave.
    ///
    /// An assignment of the same leave type that is in force on the first day ends there; one that begins on the same day is
    /// void.
    ///
    /// # Errors
    /// [`CommonError::Forbidden`]; [`LeaveError::SelfGrant`]; [`LeaveError::AssignmentOverlaps`] when another begins
    /// later within the period: which of the two is meant, nobody can tell; faulty fields.
    pub async fn assign(
        &self,
        actor: &Actor,
        new: AssignLeavePolicy,
    ) -> Result<LeavePolicyAssignment, LeaveError> {
        self.0.visibility(actor, Permission::LeaveGrant)?;
        let mut check = Check::new();
        check.period("/valid_from", new.valid_from, "/valid_to", new.valid_to);
        check.done()?;
        let mut work = self.0.begin(actor).await?;
        let unknown = || CommonError::unknown_reference("/employee_id");
        let now = work.now();
        let standing = Standing::load(self.0, &mut *work, actor, new.employee_id, now).await?;
        let resource = standing.ok_or_else(unknown)?.resource(new.valid_from);
        if self.0.policy().decide(actor, Permission::LeaveGrant, &resource) == Decision::Deny {
            return Err(unknown().into());
        }
        if actor.counts_as(new.employee_id) {
            return Err(LeaveError::SelfGrant);
        }
        let policy = work.leave_policies().get(new.leave_policy_id).await?;
        let policy = policy.ok_or_else(|| CommonError::unknown_reference("/leave_policy_id"))?;
        let before = work.leave_policies().assignments(&[new.employee_id]).await?;
        let current = before.into_iter().find(|one| {
            one.leave_type_id == policy.leave_type_id
                && one.period().is_some_and(|period| period.contains(new.valid_from))
        });
        if let Some(current) = current {
            end(&mut work, &current, new.valid_from, resource.clone()).await?;
        }
        let assignment = LeavePolicyAssignment {
            id: LeavePolicyAssignmentId::from_uuid(self.0.ids().next()),
            employee_id: new.employee_id,
            leave_type_id: policy.leave_type_id,
            policy_id: policy.id,
            valid_from: new.valid_from,
            valid_to: new.valid_to,
            created_at: now,
            updated_at: now,
            version: Version::FIRST,
        };
        work.leave_policies().assign(&assignment).await?;
        let change = Change::created(&assignment);
        work.emit(event("leave_policy_assignment.created", &assignment, change, resource));
        Ok(work.commit(assignment).await?)
    }

    /// Ends an assignment, also in the past; never one's own (P16).
    ///
    /// On its own first day it is void: it never was in force, and what was credited by it is corrected by postings (P5). It
    /// isn't there any more then; the audit log has it.
    ///
    /// # Errors
    /// [`CommonError::Forbidden`]; [`LeaveError::SelfGrant`]; [`LeaveError::AssignmentOverlaps`] when it is made
    /// longer and meets the next one; faulty fields.
    pub async fn end(
        &self,
        actor: &Actor,
        id: LeavePolicyAssignmentId,
        new: EndLeavePolicyAssignment,
    ) -> Result<LeavePolicyAssignment, LeaveError> {
        self.0.visibility(actor, Permission::LeaveGrant)?;
        let mut work = self.0.begin(actor).await?;
        let before = work.leave_policies().assignment(id).await?.ok_or(NOT_FOUND)?;
        let standing = self.0.leave().visible(&mut *work, actor, before.employee_id, WHAT).await?;
        let resource = standing.resource(standing.today);
        self.0.require(actor, Permission::LeaveGrant, &resource)?;
        if actor.counts_as(before.employee_id) {
            return Err(LeaveError::SelfGrant);
        }
        let mut check = Check::new();
        check.date("/valid_to", new.valid_to);
        if new.valid_to < before.valid_from {
            let detail = "it can't end before it began; on its first day it is void";
            check.fault("/valid_to", "before-start", detail);
        }
        check.done()?;
        let ended = end(&mut work, &before, new.valid_to, resource).await?;
        Ok(work.commit(ended).await?)
    }
}

/// Ends an assignment; on its first day, it is void.
async fn end(
    work: &mut Work,
    before: &LeavePolicyAssignment,
    valid_to: Date,
    resource: Resource,
) -> Result<LeavePolicyAssignment, LeaveError> {
    let ended = LeavePolicyAssignment {
        valid_to: Some(valid_to),
        updated_at: work.now(),
        version: before.version.next(),
        ..before.clone()
    };
    let (kind, change) = if valid_to == before.valid_from {
        work.leave_policies().void_assignment(before.id, before.version).await?;
        ("leave_policy_assignment.voided", Change::removed(before))
    } else {
        work.leave_policies().end_assignment(&ended, before.version).await?;
        ("leave_policy_assignment.ended", Change::changed(before, &ended))
    };
    work.emit(event(kind, &ended, change, resource));
    Ok(ended)
}

fn event(
    kind: &'static str,
    assignment: &LeavePolicyAssignment,
    change: Change,
    resource: Resource,
) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("leave-policy-assignments", assignment.id.as_uuid()),
        data: serde_json::json!({
            "leave_policy_assignment_id": assignment.id,
            "employee_id": assignment.employee_id,
            "leave_policy_id": assignment.policy_id,
            "leave_type_id": assignment.leave_type_id,
        }),
        change,
        permission: Permission::LeaveRead,
        resource,
    }
}
