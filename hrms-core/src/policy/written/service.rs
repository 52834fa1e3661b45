//! What can be done with written policies.

use crate::actor::Actor;
use crate::audit::Change;
use crate::error::{CommonError, FieldError};
use crate::event::{NewEvent, subject};
use crate::hrms::{Hrms, Work};
use crate::id::PolicyId;
use crate::page::{Page, PageRequest, Position};
use crate::policy::cedar;
use crate::policy::written::{
    MAX_POLICIES, NewPolicy, PolicyError, PolicyFilter, PolicyPatch, PolicySort, PolicyVersion,
    PolicyVersionSort, WrittenPolicy,
};
use crate::policy::{Permission, Resource};
use crate::store::Version;
use crate::validate::Check;

/// What can be done with written policies.
#[derive(Clone, Copy, Debug)]
pub struct PolicyService<'a>(pub(super) &'a Hrms);

impl Hrms {
    /// Policies that an organisation writes itself.
    #[must_use]
    pub fn policies(&self) -> PolicyService<'_> {
        PolicyService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "policy" };

impl PolicyService<'_> {
    /// One policy.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(&self, actor: &Actor, id: PolicyId) -> Result<WrittenPolicy, PolicyError> {
        self.0.require(actor, Permission::PolicyRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        Ok(tx.policies().get(id).await?.ok_or(NOT_FOUND)?)
    }

    /// A page of policies.
    ///
    /// # Errors
    /// When they may not be seen.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &PolicyFilter,
        page: &PageRequest<PolicySort>,
    ) -> Result<Page<WrittenPolicy>, PolicyError> {
        self.0.require(actor, Permission::PolicyRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        let rows = tx.policies().list(filter, page).await?;
        Ok(Page::from_rows(rows, page.limit, |last| Position {
            key: last.name.clone(),
            id: last.id.as_uuid(),
        }))
    }

    /// A page of what a policy was over time; also of one that was removed.
    ///
    /// # Errors
    /// When it never was there or may not be seen.
    pub async fn versions(
        &self,
        actor: &Actor,
        id: PolicyId,
        page: &PageRequest<PolicyVersionSort>,
    ) -> Result<Page<PolicyVersion>, PolicyError> {
        self.0.require(actor, Permission::PolicyRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        let rows = tx.policies().versions(id, page).await?;
        if rows.is_empty() && page.after.is_none() {
            return Err(NOT_FOUND.into());
        }
        Ok(Page::from_rows(rows, page.limit, |last| Position {
            key: last.version.as_i64().to_string(),
            id: id.as_uuid(),
        }))
    }

    /// Writes a policy. It applies within seconds, everywhere.
    ///
    /// # Errors
    /// [`PolicyError::NameTaken`], [`PolicyError::TooMany`]; faulty fields, with the place in the text.
    pub async fn create(&self, actor: &Actor, new: NewPolicy) -> Result<WrittenPolicy, PolicyError> {
        self.0.require(actor, Permission::PolicyManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let policy = WrittenPolicy {
            id: PolicyId::from_uuid(self.0.ids().next()),
            name: new.name,
            description: new.description,
            text: new.text,
            enabled: new.enabled,
            valid_from: new.valid_from,
            valid_to: new.valid_to,
            created_at: work.now(),
            updated_at: work.now(),
            version: Version::FIRST,
        };
        check(&policy)?;
        work.policies().next_revision().await?;
        if work.policies().all().await?.len() >= MAX_POLICIES {
            return Err(PolicyError::TooMany);
        }
        work.policies().insert(&policy).await?;
        let version = PolicyVersion::of(&policy, actor.user_id());
        self.finish(work, "policy.created", policy, version, Change::created).await
    }

    /// Changes a policy that is still at version `expected`.
    ///
    /// # Errors
    /// [`CommonError::Stale`]; [`PolicyError::NameTaken`]; faulty fields, with the place in the text.
    pub async fn change(
        &self,
        actor: &Actor,
        id: PolicyId,
        expected: Version,
        patch: PolicyPatch,
    ) -> Result<WrittenPolicy, PolicyError> {
        self.0.require(actor, Permission::PolicyManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        work.policies().next_revision().await?;
        let before = work.policies().get(id).await?.ok_or(NOT_FOUND)?;
        if before.version != expected {
            return Err(CommonError::Stale.into());
        }
        let mut policy = before.clone();
        patch.name.required("/name", &mut policy.name)?;
        patch.description.apply(&mut policy.description);
        patch.text.required("/text", &mut policy.text)?;
        patch.enabled.required("/enabled", &mut policy.enabled)?;
        patch.valid_from.apply(&mut policy.valid_from);
        patch.valid_to.apply(&mut policy.valid_to);
        if policy == before {
            return Ok(work.commit(policy).await?);
        }
        // What is switched off may be broken: so a policy that an upgrade broke can be put aside.
        if policy.enabled || policy.text != before.text {
            check(&policy)?;
        }
        policy.updated_at = work.now();
        policy.version = expected.next();
        work.policies().update(&policy, expected).await?;
        let version = PolicyVersion::of(&policy, actor.user_id());
        self.finish(work, "policy.changed", policy, version, |after| Change::changed(&before, after)).await
    }

    /// Removes a policy that is still at version `expected`. Its history stays.
    ///
    /// # Errors
    /// [`CommonError::Stale`]; when it isn't there.
    pub async fn remove(&self, actor: &Actor, id: PolicyId, expected: Version) -> Result<(), PolicyError> {
        self.0.require(actor, Permission::PolicyManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        work.policies().next_revision().await?;
        let policy = work.policies().get(id).await?.ok_or(NOT_FOUND)?;
        work.policies().remove(id, expected).await?;
        let version = PolicyVersion {
            removed: true,
            version: policy.version.next(),
            changed_at: work.now(),
            ..PolicyVersion::of(&policy, actor.user_id())
        };
        self.finish(work, "policy.removed", policy, version, Change::removed).await?;
        Ok(())
    }

    async fn finish(
        &self,
        mut work: Work,
        kind: &'static str,
        policy: WrittenPolicy,
        version: PolicyVersion,
        change: impl FnOnce(&WrittenPolicy) -> Change,
    ) -> Result<WrittenPolicy, PolicyError> {
        work.policies().record(policy.id, &version).await?;
        work.emit(NewEvent {
            kind,
            subject: subject("policies", policy.id.as_uuid()),
            data: serde_json::json!({ "policy_id": policy.id }),
            change: change(&policy),
            permission: Permission::PolicyRead,
            resource: Resource::organization(),
        });
        let tenant = work.actor().tenant();
        let policy = work.commit(policy).await?;
        self.0.written_policies().forget(tenant);
        Ok(policy)
    }
}

pub(super) fn check(policy: &WrittenPolicy) -> Result<(), CommonError> {
    let mut check = Check::new();
    check.text("/name", &policy.name, 1..=200);
    if let Some(description) = &policy.description {
        check.text("/description", description, 1..=1000);
    }
    if let (Some(from), Some(to)) = (policy.valid_from, policy.valid_to)
        && to <= from
    {
        check.fault("/valid_to", "not-after-start", "this must lie after the beginning");
    }
    for fault in cedar::check(&policy.text).err().into_iter().flatten() {
        check.add(Err(FieldError::new("/text", fault.code, fault.to_string())));
    }
    check.done()
}
