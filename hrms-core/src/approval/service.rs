//! What an organisation can do with its chains.

use super::{
    ApprovalChain, ApprovalChainFilter, ApprovalChainPatch, ApprovalChainSort, ApprovalError, Approver,
    NewApprovalChain,
};
use crate::actor::Actor;
use crate::audit::Change;
use crate::error::CommonError;
use crate::event::{NewEvent, subject};
use crate::hrms::{Hrms, Work};
use crate::id::ApprovalChainId;
use crate::page::{Page, PageRequest, Position};
use crate::policy::{Permission, Resource};
use crate::store::Version;
use crate::validate::Check;

/// What can be done with chains.
#[derive(Clone, Copy, Debug)]
pub struct ApprovalChainService<'a>(&'a Hrms);

impl Hrms {
    /// Who decides on what, in which order.
    #[must_use]
    pub fn approval_chains(&self) -> ApprovalChainService<'_> {
        ApprovalChainService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "approval chain" };

impl ApprovalChainService<'_> {
    /// One chain.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(&self, actor: &Actor, id: ApprovalChainId) -> Result<ApprovalChain, ApprovalError> {
        self.0.require(actor, Permission::ApprovalChainRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        Ok(tx.approval_chains().get(id).await?.ok_or(NOT_FOUND)?)
    }

    /// A page of chains.
    ///
    /// # Errors
    /// When they may not be seen.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &ApprovalChainFilter,
        page: &PageRequest<ApprovalChainSort>,
    ) -> Result<Page<ApprovalChain>, ApprovalError> {
        self.0.require(actor, Permission::ApprovalChainRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        let rows = tx.approval_chains().list(filter, page).await?;
        Ok(Page::from_rows(rows, page.limit, |last| Position {
            key: match page.sort {
                ApprovalChainSort::Code => last.code.clone(),
                ApprovalChainSort::Name => last.name.clone(),
            },
            id: last.id.as_uuid(),
        }))
    }

    /// Adds a chain. What waits for a decision already goes on as it began.
    ///
    /// # Errors
    /// [`ApprovalError::CodeTaken`]; faulty fields.
    pub async fn create(&self, actor: &Actor, new: NewApprovalChain) -> Result<ApprovalChain, ApprovalError> {
        self.0.require(actor, Permission::ApprovalChainManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let chain = ApprovalChain {
            id: ApprovalChainId::from_uuid(self.0.ids().next()),
            kind: new.kind,
            code: new.code,
            name: new.name,
            position: new.position,
            conditions: new.conditions,
            levels: new.levels,
            active: new.active,
            created_at: work.now(),
            updated_at: work.now(),
            version: Version::FIRST,
        };
        check(&mut work, &chain).await?;
        work.approval_chains().insert(&chain).await?;
        work.emit(event("approval_chain.created", &chain, Change::created(&chain)));
        Ok(work.commit(chain).await?)
    }

    /// Changes a chain that is still at version `expected`. What waits for a decision already goes on as it began.
    ///
    /// # Errors
    /// [`CommonError::Stale`]; [`ApprovalError::CodeTaken`]; faulty fields.
    pub async fn change(
        &self,
        actor: &Actor,
        id: ApprovalChainId,
        expected: Version,
        patch: ApprovalChainPatch,
    ) -> Result<ApprovalChain, ApprovalError> {
        self.0.require(actor, Permission::ApprovalChainManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let before = work.approval_chains().get(id).await?.ok_or(NOT_FOUND)?;
        if before.version != expected {
            return Err(CommonError::Stale.into());
        }
        let mut chain = before.clone();
        patch.code.required("/code", &mut chain.code)?;
        patch.name.required("/name", &mut chain.name)?;
        patch.position.required("/position", &mut chain.position)?;
        patch.conditions.required("/conditions", &mut chain.conditions)?;
        patch.levels.required("/levels", &mut chain.levels)?;
        patch.active.required("/active", &mut chain.active)?;
        if chain == before {
            return Ok(work.commit(chain).await?);
        }
        check(&mut work, &chain).await?;
        chain.updated_at = work.now();
        chain.version = expected.next();
        work.approval_chains().update(&chain, expected).await?;
        work.emit(event("approval_chain.changed", &chain, Change::changed(&before, &chain)));
        Ok(work.commit(chain).await?)
    }

    /// Removes a chain that is still at version `expected`. What waits for a decision already goes on as it began.
    ///
    /// # Errors
    /// [`CommonError::Stale`].
    pub async fn remove(
        &self,
        actor: &Actor,
        id: ApprovalChainId,
        expected: Version,
    ) -> Result<(), ApprovalError> {
        self.0.require(actor, Permission::ApprovalChainManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let chain = work.approval_chains().get(id).await?.ok_or(NOT_FOUND)?;
        work.approval_chains().remove(id, expected).await?;
        work.emit(event("approval_chain.removed", &chain, Change::removed(&chain)));
        Ok(work.commit(()).await?)
    }
}

/// Whether a chain makes sense, and names only whom there is.
async fn check(work: &mut Work, chain: &ApprovalChain) -> Result<(), CommonError> {
    let mut check = Check::new();
    chain.check(&mut check);
    check.done()?;
    for approver in chain.levels.iter().flat_map(|level| &level.approvers) {
        let known = match approver {
            Approver::User { user_id } => work.users().get(*user_id).await?.is_some(),
            Approver::Role { role } => {
                role.built_in().is_some()
                    || !work.roles().find_by_codes(&[role.to_string()]).await?.is_empty()
            }
            Approver::Manager { .. } | Approver::DepartmentHead {} => true,
        };
        if !known {
            return Err(CommonError::unknown_reference("/levels"));
        }
    }
    Ok(())
}

fn event(kind: &'static str, chain: &ApprovalChain, change: Change) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("approval-chains", chain.id.as_uuid()),
        data: serde_json::json!({ "approval_chain_id": chain.id }),
        change,
        permission: Permission::ApprovalChainRead,
        resource: Resource::organization(),
    }
}
