//! Delegations: somebody decides in somebody else's place for a time (P15).

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::ApprovalError;
use super::resolve::able;
use crate::actor::Actor;
use crate::audit::{Audited, Change};
use crate::error::CommonError;
use crate::event::{NewEvent, subject};
use crate::hrms::Hrms;
use crate::id::{ApprovalDelegationId, EmployeeId};
use crate::page::{Page, PageRequest, Position};
use crate::period::Period;
use crate::policy::{Permission, Resource};
use crate::validate::{Check, LAST_DATE};

/// Longest delegation, in days.
const MAX_DAYS: i32 = 366;

/// Somebody decides in somebody else's place for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApprovalDelegation {
    /// Its id.
    pub id: ApprovalDelegationId,
    /// In whose place.
    pub delegator_id: EmployeeId,
    /// Who decides; the delegator still can, too.
    pub delegate_id: EmployeeId,
    /// The first day.
    pub from: Date,
    /// The day after the last one.
    pub to: Date,
    /// What it is for.
    pub note: Option<String>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// When it was written.
    pub created_at: Timestamp,
}

impl Audited for ApprovalDelegation {}

/// What a new delegation needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewApprovalDelegation {
    /// In whose place; without it one's own. For others, whoever may write chains.
    #[serde(default)]
    pub delegator_id: Option<EmployeeId>,
    /// Who is to decide.
    pub delegate_id: EmployeeId,
    /// The first day, at the workplace of whom it is decided about.
    #[serde(deserialize_with = "crate::date::strict")]
    pub from: Date,
    /// The day after the last one; at most 366 days later.
    #[serde(deserialize_with = "crate::date::strict")]
    pub to: Date,
    /// What it is for, at most 200 characters.
    #[serde(default)]
    pub note: Option<String>,
}

/// What can be done with delegations.
#[derive(Clone, Copy, Debug)]
pub struct ApprovalDelegationService<'a>(&'a Hrms);

impl Hrms {
    /// Who decides in whose place when.
    #[must_use]
    pub fn approval_delegations(&self) -> ApprovalDelegationService<'_> {
        ApprovalDelegationService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "delegation" };

impl ApprovalDelegationService<'_> {
    /// What somebody gave and got, newest first; for those who may write chains, also everybody's.
    ///
    /// # Errors
    /// When it is about others than may be seen.
    pub async fn list(
        &self,
        actor: &Actor,
        employee: Option<EmployeeId>,
        page: &PageRequest<()>,
    ) -> Result<Page<ApprovalDelegation>, ApprovalError> {
        let sees_all = self.0.require(actor, Permission::ApprovalChainManage, &Resource::organization());
        let of = match (sees_all, employee.or(actor.employee())) {
            (Ok(()), _) => employee,
            (Err(_), Some(own)) if actor.employee() == Some(own) => Some(own),
            (Err(refused), _) => return Err(refused.into()),
        };
        let mut tx = self.0.read(actor).await?;
        let rows = tx.approval_delegations().list(of, page).await?;
        Ok(Page::from_rows(rows, page.limit, |last| Position {
            key: last.created_at.to_string(),
            id: last.id.as_uuid(),
        }))
    }

    /// One delegation.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(
        &self,
        actor: &Actor,
        id: ApprovalDelegationId,
    ) -> Result<ApprovalDelegation, ApprovalError> {
        let mut tx = self.0.read(actor).await?;
        let found = tx.approval_delegations().get(id).await?.ok_or(NOT_FOUND)?;
        self.require(actor, &found)?;
        Ok(found)
    }

    /// Lets somebody decide in somebody's place for a time.
    ///
    /// # Errors
    /// [`ApprovalError::OwnDelegate`]; [`ApprovalError::CannotDecide`] for a delegate who can't log in or isn't
    /// employed; faulty fields.
    pub async fn create(
        &self,
        actor: &Actor,
        new: NewApprovalDelegation,
    ) -> Result<ApprovalDelegation, ApprovalError> {
        let delegator = match new.delegator_id.or(actor.employee()) {
            // Operators of the service hand on nobody's decisions.
            Some(own) if actor.employee() == Some(own) && actor.support().is_none() => own,
            other => {
                self.0.require(actor, Permission::ApprovalChainManage, &Resource::organization())?;
                other.ok_or_else(|| {
                    CommonError::invalid(
                        "/delegator_id",
                        "required",
                        "say in whose place: you are no employee",
                    )
                })?
            }
        };
        let mut check = Check::new();
        let period = check.period("/from", new.from, "/to", Some(new.to));
        if let Some(note) = &new.note {
            check.text("/note", note, 1..=200);
        }
        if new.to <= LAST_DATE && new.from.saturating_add(jiff::Span::new().days(MAX_DAYS)) < new.to {
            check.fault("/to", "out-of-range", "a delegation is for at most 366 days");
        }
        check.done()?;
        let mut work = self.0.begin(actor).await?;
        let today = self.0.today();
        let others = actor.employee() != Some(delegator);
        // Nobody makes themselves somebody's delegate, nor hands on the decisions about themselves (P16).
        if delegator == new.delegate_id || (others && actor.counts_as(new.delegate_id)) {
            return Err(ApprovalError::OwnDelegate);
        }
        if let Some(own) = actor.employee().filter(|_| others) {
            let above = work.employment().managers_above(&[own], today).await?;
            if above.get(&own).is_some_and(|above| above.contains(&delegator)) {
                return Err(ApprovalError::OwnDelegate);
            }
        }
        let known = work.employment().timelines_of(&[delegator, new.delegate_id]).await?;
        for (pointer, one) in [("/delegator_id", delegator), ("/delegate_id", new.delegate_id)] {
            if !known.contains_key(&one) {
                return Err(CommonError::unknown_reference(pointer).into());
            }
        }
        if !able(&mut *work, &[new.delegate_id], today).await?.contains(&new.delegate_id) {
            return Err(ApprovalError::CannotDecide);
        }
        if period.and_then(Period::to).is_some_and(|to| to <= today) {
            return Err(ApprovalError::DelegationOver);
        }
        let delegation = ApprovalDelegation {
            id: ApprovalDelegationId::from_uuid(self.0.ids().next()),
            delegator_id: delegator,
            delegate_id: new.delegate_id,
            from: new.from,
            to: new.to,
            note: new.note,
            revoked_at: None,
            created_at: work.now(),
        };
        work.approval_delegations().insert(&delegation).await?;
        work.emit(event("approval_delegation.created", &delegation, Change::created(&delegation)));
        Ok(work.commit(delegation).await?)
    }

    /// Takes a delegation back: from now on nobody decides by it.
    ///
    /// # Errors
    /// [`ApprovalError::DelegationOver`].
    pub async fn revoke(&self, actor: &Actor, id: ApprovalDelegationId) -> Result<(), ApprovalError> {
        let mut work = self.0.begin(actor).await?;
        let before = work.approval_delegations().get(id).await?.ok_or(NOT_FOUND)?;
        self.require(actor, &before)?;
        let now = work.now();
        if !work.approval_delegations().revoke(id, now).await? {
            return Err(ApprovalError::DelegationOver);
        }
        let after = ApprovalDelegation { revoked_at: Some(now), ..before.clone() };
        work.emit(event("approval_delegation.revoked", &after, Change::changed(&before, &after)));
        Ok(work.commit(()).await?)
    }

    /// Whoever gave or got it, and whoever may write chains.
    fn require(&self, actor: &Actor, delegation: &ApprovalDelegation) -> Result<(), ApprovalError> {
        let own = [delegation.delegator_id, delegation.delegate_id].map(Some).contains(&actor.employee())
            && actor.support().is_none();
        let manages = self.0.require(actor, Permission::ApprovalChainManage, &Resource::organization());
        if own || manages.is_ok() { Ok(()) } else { Err(NOT_FOUND.into()) }
    }
}

fn event(kind: &'static str, delegation: &ApprovalDelegation, change: Change) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("approval-delegations", delegation.id.as_uuid()),
        data: serde_json::json!({
            "approval_delegation_id": delegation.id,
            "delegator_id": delegation.delegator_id,
            "delegate_id": delegation.delegate_id,
        }),
        change,
        permission: Permission::ApprovalChainManage,
        resource: Resource::organization(),
    }
}
