//! Leave policies: rules for one leave type, with versions by date, and who has which.

mod assignment;
mod repo;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::accrue::USUAL_ACCRUAL;
use super::plan::PolicyRules;
use super::{LeaveError, coded};
use crate::actor::{Actor, Who};
use crate::audit::{Audited, Change};
use crate::error::{CommonError, FieldError};
use crate::event::{NewEvent, subject};
use crate::hrms::Hrms;
use crate::id::{EmployeeId, LeavePolicyId, LeavePolicyVersionId, LeaveTypeId, UserId};
use crate::page::{Page, PageRequest, Position};
use crate::patch::Patch;
use crate::policy::{Permission, Resource};
use crate::store::{Tx, Version, Versioned};
use crate::validate::Check;

pub use assignment::{
    AssignLeavePolicy, EndLeavePolicyAssignment, LeavePolicyAssignment, LeavePolicyAssignmentService,
};
pub use repo::{LeavePolicyFilter, LeavePolicyRepo, LeavePolicySort};

coded! {
    /// Who has a leave policy.
    #[derive(Default)]
    AppliesTo {
        /// Everybody without an assignment of their own for its leave type.
        Everyone = "everyone",
        /// Whoever it is assigned to.
        #[default]
        Assigned = "assigned",
    }
}

/// Rules by which leave of one type is earned and kept. At most one of a leave type is for everyone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeavePolicy {
    /// Its id.
    pub id: LeavePolicyId,
    /// What kind of leave.
    pub leave_type_id: LeaveTypeId,
    /// The organisation's own short name for it; unique.
    pub code: String,
    /// Name shown to people.
    pub name: String,
    /// Who has it.
    pub applies_to: AppliesTo,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last got new rules.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Versioned for LeavePolicy {
    fn version(&self) -> Version {
        self.version
    }
}

/// The rules of a leave policy from a day on. Never changed: a later one for the same day takes its place, and
/// both stay on record (P8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeavePolicyVersion {
    /// Its id.
    pub id: LeavePolicyVersionId,
    /// Of which policy.
    pub policy_id: LeavePolicyId,
    /// The first day on which it is in force, until the next version is.
    pub effective_from: Date,
    /// What it says.
    pub rules: PolicyRules,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// The user who recorded it, if a user did.
    pub recorded_by: Option<UserId>,
}

/// A leave policy with its rules, by date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeavePolicyView {
    /// The policy.
    #[serde(flatten)]
    pub policy: LeavePolicy,
    /// The versions that are, were or will be in force, by day; without those that others took the place of.
    pub versions: Vec<LeavePolicyVersion>,
}

impl Audited for LeavePolicyView {}

impl Versioned for LeavePolicyView {
    fn version(&self) -> Version {
        self.policy.version
    }
}

/// What a new leave policy needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewLeavePolicy {
    /// What kind of leave.
    pub leave_type_id: LeaveTypeId,
    /// The organisation's own short name for it; unique, at most 64 characters.
    pub code: String,
    /// Name shown to people, at most 200 characters.
    pub name: String,
    /// Who has it. Default: whoever it is assigned to.
    #[serde(default)]
    pub applies_to: AppliesTo,
    /// The first day on which its rules are in force.
    #[serde(deserialize_with = "crate::date::strict")]
    pub effective_from: Date,
    /// What it says.
    pub rules: PolicyRules,
}

/// New rules of a leave policy.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewLeavePolicyVersion {
    /// The first day on which they are in force. With the day of a version that there is, they take its place.
    #[serde(deserialize_with = "crate::date::strict")]
    pub effective_from: Date,
    /// What they say.
    pub rules: PolicyRules,
}

/// What can be changed of a leave policy. Not its rules: those have versions.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct LeavePolicyPatch {
    /// New code.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub code: Patch<String>,
    /// New name.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Patch<String>,
    /// Who has it. What it credited to whoever hasn't any more is corrected.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<AppliesTo>))]
    pub applies_to: Patch<AppliesTo>,
}

/// What can be done with leave policies.
#[derive(Clone, Copy, Debug)]
pub struct LeavePolicyService<'a>(&'a Hrms);

impl Hrms {
    /// Leave policies.
    #[must_use]
    pub fn leave_policies(&self) -> LeavePolicyService<'_> {
        LeavePolicyService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "leave policy" };

impl LeavePolicyService<'_> {
    /// One leave policy with its rules.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(&self, actor: &Actor, id: LeavePolicyId) -> Result<LeavePolicyView, LeaveError> {
        self.0.require(actor, Permission::LeaveTypeRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        view(&mut *tx, id).await
    }

    /// Every version that was ever recorded, by day and then by time of recording.
    ///
    /// # Errors
    /// When the policy isn't there or may not be seen.
    pub async fn history(
        &self,
        actor: &Actor,
        id: LeavePolicyId,
    ) -> Result<Vec<LeavePolicyVersion>, LeaveError> {
        self.0.require(actor, Permission::LeaveTypeRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        tx.leave_policies().get(id).await?.ok_or(NOT_FOUND)?;
        Ok(tx.leave_policies().versions(&[id]).await?)
    }

    /// A page of leave policies.
    ///
    /// # Errors
    /// When they may not be seen.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &LeavePolicyFilter,
        page: &PageRequest<LeavePolicySort>,
    ) -> Result<Page<LeavePolicy>, LeaveError> {
        self.0.require(actor, Permission::LeaveTypeRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        let rows = tx.leave_policies().list(filter, page).await?;
        Ok(Page::from_rows(rows, page.limit, |last| Position {
            key: match page.sort {
                LeavePolicySort::Name => last.name.clone(),
                LeavePolicySort::Code => last.code.clone(),
            },
            id: last.id.as_uuid(),
        }))
    }

    /// Adds a leave policy with its first rules. Nobody writes what they earn themselves (P16): one for everyone is for
    /// owners, and for whoever isn't an employee.
    ///
    /// # Errors
    /// [`LeaveError::OwnPolicy`], [`LeaveError::PolicyCodeTaken`], [`LeaveError::EveryoneHasPolicy`]; faulty fields and rules.
    pub async fn create(&self, actor: &Actor, new: NewLeavePolicy) -> Result<LeavePolicyView, LeaveError> {
        self.0.require(actor, Permission::LeaveTypeManage, &Resource::organization())?;
        check_names(&new.code, &new.name)?;
        let mut work = self.0.begin(actor).await?;
        let policy = LeavePolicy {
            id: LeavePolicyId::from_uuid(self.0.ids().next()),
            leave_type_id: new.leave_type_id,
            code: new.code,
            name: new.name,
            applies_to: new.applies_to,
            created_at: work.now(),
            updated_at: work.now(),
            version: Version::FIRST,
        };
        let version = self.recorded(actor, policy.id, new.effective_from, new.rules, work.now());
        check_rules(&mut *work, &version).await?;
        let leave_type = work.leave_types().get(policy.leave_type_id).await?;
        leave_type.ok_or_else(|| CommonError::unknown_reference("/leave_type_id"))?;
        if policy.applies_to == AppliesTo::Everyone {
            self.check_not_own(&mut *work, actor, &policy).await?;
        }
        // With the first one: who removes the schedule later doesn't get it back.
        if work.leave_policies().all(None).await?.is_empty() {
            self.0.schedules().provide(&mut work, USUAL_ACCRUAL).await?;
        }
        work.leave_policies().insert(&policy).await?;
        work.leave_policies().add_version(&version).await?;
        let view = LeavePolicyView { policy, versions: vec![version] };
        work.emit(event("leave_policy.created", &view, Change::created(&view)));
        Ok(work.commit(view).await?)
    }

    /// Changes code, name or who has a policy that is still at version `expected`. Who has it is nothing that anybody decides for
    /// themselves (P16), unless they are an owner.
    ///
    /// # Errors
    /// [`CommonError::Stale`]; [`LeaveError::OwnPolicy`], [`LeaveError::PolicyCodeTaken`], [`LeaveError::EveryoneHasPolicy`];
    /// faulty fields; when the policy isn't there.
    pub async fn change(
        &self,
        actor: &Actor,
        id: LeavePolicyId,
        expected: Version,
        patch: LeavePolicyPatch,
    ) -> Result<LeavePolicyView, LeaveError> {
        self.0.require(actor, Permission::LeaveTypeManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let before = view(&mut *work, id).await?;
        if before.policy.version != expected {
            return Err(CommonError::Stale.into());
        }
        let mut policy = before.policy.clone();
        patch.code.required("/code", &mut policy.code)?;
        patch.name.required("/name", &mut policy.name)?;
        patch.applies_to.required("/applies_to", &mut policy.applies_to)?;
        if policy == before.policy {
            return Ok(work.commit(before).await?);
        }
        check_names(&policy.code, &policy.name)?;
        if policy.applies_to != before.policy.applies_to {
            self.check_not_own(&mut *work, actor, &before.policy).await?;
            self.check_not_own(&mut *work, actor, &policy).await?;
        }
        policy.updated_at = work.now();
        policy.version = expected.next();
        work.leave_policies().update(&policy, expected).await?;
        let after = LeavePolicyView { policy, versions: before.versions.clone() };
        work.emit(event("leave_policy.changed", &after, Change::changed(&before, &after)));
        Ok(work.commit(after).await?)
    }

    /// Adds rules that are in force from a day on, also one in the past: what was credited by the old ones since is
    /// corrected by postings (P5). Not those of a policy that the actor has or had (P16), unless they are an owner.
    ///
    /// # Errors
    /// [`LeaveError::OwnPolicy`]; faulty rules; when the policy isn't there.
    pub async fn add_version(
        &self,
        actor: &Actor,
        id: LeavePolicyId,
        new: NewLeavePolicyVersion,
    ) -> Result<LeavePolicyView, LeaveError> {
        self.0.require(actor, Permission::LeaveTypeManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let before = view(&mut *work, id).await?;
        let version = self.recorded(actor, id, new.effective_from, new.rules, work.now());
        check_rules(&mut *work, &version).await?;
        self.check_not_own(&mut *work, actor, &before.policy).await?;
        let expected = before.policy.version;
        let policy =
            LeavePolicy { updated_at: work.now(), version: expected.next(), ..before.policy.clone() };
        work.leave_policies().update(&policy, expected).await?;
        work.leave_policies().add_version(&version).await?;
        let after = view(&mut *work, id).await?;
        work.emit(event("leave_policy.changed", &after, Change::changed(&before, &after)));
        Ok(work.commit(after).await?)
    }

    /// Refuses rules that grant leave to whoever writes them: of a policy for everyone, or one that the actor, or somebody
    /// as whom they count, has or had.
    ///
    /// Owners answer for the organisation, and somebody has to be able to give it rules: where everybody in
    /// human resources is an employee, nobody else could.
    async fn check_not_own(
        &self,
        tx: &mut dyn Tx,
        actor: &Actor,
        policy: &LeavePolicy,
    ) -> Result<(), LeaveError> {
        if matches!(actor.who(), Who::Service { .. }) {
            // It would grant leave, and a program has no self to compare with.
            return Err(CommonError::Forbidden { permission: Permission::LeaveGrant }.into());
        }
        let own: Vec<EmployeeId> = actor.employees_counted_as().collect();
        let is_own = match policy.applies_to {
            AppliesTo::Everyone => !own.is_empty(),
            AppliesTo::Assigned => {
                let assigned = tx.leave_policies().assignments(&own).await?;
                assigned.iter().any(|one| one.policy_id == policy.id)
            }
        };
        let is_owner = || self.0.require(actor, Permission::PolicyManage, &Resource::organization()).is_ok();
        if is_own && !is_owner() { Err(LeaveError::OwnPolicy) } else { Ok(()) }
    }

    fn recorded(
        &self,
        actor: &Actor,
        policy_id: LeavePolicyId,
        effective_from: Date,
        rules: PolicyRules,
        recorded_at: Timestamp,
    ) -> LeavePolicyVersion {
        let id = LeavePolicyVersionId::from_uuid(self.0.ids().next());
        LeavePolicyVersion { id, policy_id, effective_from, rules, recorded_at, recorded_by: actor.user_id() }
    }
}

fn check_names(code: &str, name: &str) -> Result<(), CommonError> {
    let mut check = Check::new();
    check.code("/code", code);
    check.text("/name", name, 1..=200);
    check.done()
}

async fn view(tx: &mut dyn Tx, id: LeavePolicyId) -> Result<LeavePolicyView, LeaveError> {
    let policy = tx.leave_policies().get(id).await?.ok_or(NOT_FOUND)?;
    let versions = in_force(tx.leave_policies().versions(&[id]).await?);
    Ok(LeavePolicyView { policy, versions })
}

/// Of several versions of one policy for the same day, the last that was recorded.
pub(super) fn in_force(mut versions: Vec<LeavePolicyVersion>) -> Vec<LeavePolicyVersion> {
    versions.sort_by_key(|one| (one.effective_from, std::cmp::Reverse((one.recorded_at, one.id))));
    versions.dedup_by_key(|one| one.effective_from);
    versions
}

async fn check_rules(tx: &mut dyn Tx, version: &LeavePolicyVersion) -> Result<(), LeaveError> {
    let mut check = Check::new();
    check.date("/effective_from", version.effective_from);
    check.done()?;
    let mut faults = version.rules.check("/rules");
    for (index, place) in version.rules.eligibility.locations.iter().flatten().take(1000).enumerate() {
        if tx.locations().get(*place).await?.is_none() {
            faults.push(FieldError::unknown_reference(format!("/rules/eligibility/locations/{index}")));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(CommonError::Invalid(faults).into()) }
}

fn event(kind: &'static str, view: &LeavePolicyView, change: Change) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("leave-policies", view.policy.id.as_uuid()),
        data: serde_json::json!({
            "leave_policy_id": view.policy.id,
            "leave_type_id": view.policy.leave_type_id,
        }),
        change,
        permission: Permission::LeaveTypeRead,
        resource: Resource::organization(),
    }
}
