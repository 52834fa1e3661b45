//! What can be done with designations.

use crate::actor::Actor;
use crate::audit::Change;
use crate::designation::{
    Designation, DesignationError, DesignationFilter, DesignationPatch, DesignationSort, NewDesignation,
};
use crate::error::{CommonError, StoreError};
use crate::event::{NewEvent, subject};
use crate::hrms::Hrms;
use crate::id::DesignationId;
use crate::page::{Page, PageRequest, Position};
use crate::policy::{Permission, Resource};
use crate::store::Version;
use crate::validate::Check;

/// What can be done with designations.
#[derive(Clone, Copy, Debug)]
pub struct DesignationService<'a>(&'a Hrms);

impl Hrms {
    /// Designations.
    #[must_use]
    pub fn designations(&self) -> DesignationService<'_> {
        DesignationService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "designation" };

impl DesignationService<'_> {
    /// One designation.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(&self, actor: &Actor, id: DesignationId) -> Result<Designation, DesignationError> {
        self.0.require(actor, Permission::DesignationRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        Ok(tx.designations().get(id).await?.ok_or(NOT_FOUND)?)
    }

    /// A page of designations.
    ///
    /// # Errors
    /// When they may not be seen.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &DesignationFilter,
        page: &PageRequest<DesignationSort>,
    ) -> Result<Page<Designation>, DesignationError> {
        self.0.require(actor, Permission::DesignationRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        let rows = tx.designations().list(filter, page).await?;
        Ok(Page::from_rows(rows, page.limit, |last| Position {
            key: match page.sort {
                DesignationSort::Name => last.name.clone(),
                DesignationSort::Code => last.code.clone(),
            },
            id: last.id.as_uuid(),
        }))
    }

    /// Adds a designation.
    ///
    /// # Errors
    /// [`DesignationError::CodeTaken`]; faulty fields.
    pub async fn create(&self, actor: &Actor, new: NewDesignation) -> Result<Designation, DesignationError> {
        self.0.require(actor, Permission::DesignationManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let designation = Designation {
            id: DesignationId::from_uuid(self.0.ids().next()),
            code: new.code,
            name: new.name,
            created_at: work.now(),
            updated_at: work.now(),
            version: Version::FIRST,
        };
        check(&designation)?;
        work.designations().insert_many(std::slice::from_ref(&designation)).await?;
        work.emit(event("designation.created", &designation, Change::created(&designation)));
        Ok(work.commit(designation).await?)
    }

    /// Changes a designation that is still at version `expected`.
    ///
    /// # Errors
    /// [`CommonError::Stale`]; [`DesignationError::CodeTaken`]; faulty fields.
    pub async fn change(
        &self,
        actor: &Actor,
        id: DesignationId,
        expected: Version,
        patch: DesignationPatch,
    ) -> Result<Designation, DesignationError> {
        self.0.require(actor, Permission::DesignationManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let before = work.designations().get(id).await?.ok_or(NOT_FOUND)?;
        if before.version != expected {
            return Err(CommonError::Stale.into());
        }
        let mut designation = before.clone();
        patch.code.required("/code", &mut designation.code)?;
        patch.name.required("/name", &mut designation.name)?;
        if designation == before {
            return Ok(work.commit(designation).await?);
        }
        check(&designation)?;
        designation.updated_at = work.now();
        designation.version = expected.next();
        work.designations().update(&designation, expected).await?;
        work.emit(event("designation.changed", &designation, Change::changed(&before, &designation)));
        Ok(work.commit(designation).await?)
    }

    /// Removes a designation that no employment record names and that is still at version `expected`.
    ///
    /// # Errors
    /// [`DesignationError::InUse`]; [`CommonError::Stale`].
    pub async fn remove(
        &self,
        actor: &Actor,
        id: DesignationId,
        expected: Version,
    ) -> Result<(), DesignationError> {
        self.0.require(actor, Permission::DesignationManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let designation = work.designations().get(id).await?.ok_or(NOT_FOUND)?;
        match work.designations().remove(id, expected).await {
            Err(StoreError::Conflict { .. }) => return Err(DesignationError::InUse),
            other => other?,
        }
        work.emit(event("designation.removed", &designation, Change::removed(&designation)));
        Ok(work.commit(()).await?)
    }
}

pub(crate) fn check(designation: &Designation) -> Result<(), CommonError> {
    let mut check = Check::new();
    check.code("/code", &designation.code);
    check.text("/name", &designation.name, 1..=200);
    check.done()
}

pub(crate) fn event(kind: &'static str, designation: &Designation, change: Change) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("designations", designation.id.as_uuid()),
        data: serde_json::json!({ "designation_id": designation.id }),
        change,
        permission: Permission::DesignationRead,
        resource: Resource::organization(),
    }
}
