//! The rules of a leave type by date: versions that are added and never changed.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{LeaveError, LeaveTypeService, RequestRules};
use crate::actor::Actor;
use crate::audit::{Audited, Change};
use crate::error::{CommonError, StoreError};
use crate::event::{NewEvent, subject};
use crate::hrms::Work;
use crate::id::{LeaveRulesId, LeaveTypeId, UserId};
use crate::policy::{Permission, Resource};
use crate::store::Tx;
use crate::validate::Check;

/// What requests for a kind of leave have to keep to, for leave that begins on a day or later.
///
/// Of two versions for the same day the one that was recorded later is right; the other one stays for the record (P8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaveRulesVersion {
    /// Its id; ids increase in the order of recording.
    pub id: LeaveRulesId,
    /// What kind of leave.
    pub leave_type_id: LeaveTypeId,
    /// The first day of leave that it is for.
    pub effective_from: Date,
    /// The rules.
    pub rules: RequestRules,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// The user who recorded it, if a user did.
    pub recorded_by: Option<UserId>,
}

impl Audited for LeaveRulesVersion {}

/// Sets the rules of a kind of leave from a day on.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetLeaveRules {
    /// The first day of leave that they are for.
    #[serde(deserialize_with = "crate::date::strict")]
    pub effective_from: Date,
    /// All the rules: what isn't named is as for a leave type without rules.
    pub rules: RequestRules,
}

/// The rules for leave that begins on a day.
pub(super) fn in_force(versions: Vec<LeaveRulesVersion>, on: Date) -> RequestRules {
    let known = versions.into_iter().filter(|one| one.effective_from <= on);
    known.max_by_key(|one| (one.effective_from, one.id)).map(|one| one.rules).unwrap_or_default()
}

/// The rules for a kind of leave that begins on a day (P20).
pub(super) async fn rules_on(
    tx: &mut dyn Tx,
    leave_type: LeaveTypeId,
    on: Date,
) -> Result<RequestRules, StoreError> {
    Ok(in_force(tx.leave_types().rules(leave_type).await?, on))
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "leave type" };

impl LeaveTypeService<'_> {
    /// Every version of the rules of a leave type, by the day from which they are in force.
    ///
    /// # Errors
    /// When the leave type isn't there or may not be seen.
    pub async fn rules(
        &self,
        actor: &Actor,
        leave_type: LeaveTypeId,
    ) -> Result<Vec<LeaveRulesVersion>, LeaveError> {
        self.0.require(actor, Permission::LeaveTypeRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        tx.leave_types().get(leave_type).await?.ok_or(NOT_FOUND)?;
        Ok(tx.leave_types().rules(leave_type).await?)
    }

    /// Sets the rules of a leave type for leave that begins on a day or later. Requests that were made before stay as they
    /// are.
    ///
    /// # Errors
    /// Faulty fields, unknown leave types and employees among them.
    pub async fn set_rules(
        &self,
        actor: &Actor,
        leave_type: LeaveTypeId,
        new: SetLeaveRules,
    ) -> Result<Vec<LeaveRulesVersion>, LeaveError> {
        self.0.require(actor, Permission::LeaveTypeManage, &Resource::organization())?;
        let mut check = Check::new();
        check.date("/effective_from", new.effective_from);
        new.rules.check(&mut check);
        check.done()?;
        let mut work = self.0.begin(actor).await?;
        work.leave_types().get(leave_type).await?.ok_or(NOT_FOUND)?;
        check_references(&mut work, &new.rules).await?;
        let version = LeaveRulesVersion {
            id: LeaveRulesId::from_uuid(self.0.ids().next()),
            leave_type_id: leave_type,
            effective_from: new.effective_from,
            rules: new.rules,
            recorded_at: work.now(),
            recorded_by: actor.user_id(),
        };
        work.leave_types().insert_rules(&version).await?;
        work.emit(NewEvent {
            kind: "leave_type.rules-set",
            subject: subject("leave-types", leave_type.as_uuid()),
            data: serde_json::json!({ "leave_type_id": leave_type, "effective_from": version.effective_from }),
            change: Change::created(&version),
            permission: Permission::LeaveTypeRead,
            resource: Resource::organization(),
        });
        let all = work.leave_types().rules(leave_type).await?;
        Ok(work.commit(all).await?)
    }
}

/// Refuses ids of leave types and employees that don't exist here.
async fn check_references(work: &mut Work, rules: &RequestRules) -> Result<(), LeaveError> {
    let types: Vec<LeaveTypeId> = work.leave_types().all().await?.iter().map(|one| one.id).collect();
    if !rules.not_beside.iter().all(|id| types.contains(id)) {
        return Err(CommonError::unknown_reference("/rules/not_beside").into());
    }
    let mut allowed: Vec<_> = rules.blocked.iter().flat_map(|one| one.allowed.iter().copied()).collect();
    allowed.sort_unstable();
    allowed.dedup();
    if work.employees().existing(&allowed).await?.len() < allowed.len() {
        return Err(CommonError::unknown_reference("/rules/blocked").into());
    }
    Ok(())
}
