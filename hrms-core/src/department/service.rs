//! What can be done with departments.

use crate::actor::Actor;
use crate::audit::Change;
use crate::department::{
    Department, DepartmentError, DepartmentFilter, DepartmentHeads, DepartmentPatch, DepartmentSort, Head,
    Heads, NewDepartment, NewHead, assign_head,
};
use crate::error::{CommonError, StoreError};
use crate::event::{NewEvent, subject};
use crate::hrms::{Hrms, Work};
use crate::id::DepartmentId;
use crate::page::{Page, PageRequest, Position};
use crate::period::Period;
use crate::policy::{Permission, Resource};
use crate::store::Version;
use crate::validate::Check;

/// What can be done with departments.
#[derive(Clone, Copy, Debug)]
pub struct DepartmentService<'a>(&'a Hrms);

impl Hrms {
    /// Departments.
    #[must_use]
    pub fn departments(&self) -> DepartmentService<'_> {
        DepartmentService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "department" };

impl DepartmentService<'_> {
    /// One department.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(&self, actor: &Actor, id: DepartmentId) -> Result<Department, DepartmentError> {
        self.0.require(actor, Permission::DepartmentRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        Ok(tx.departments().get(id).await?.ok_or(NOT_FOUND)?)
    }

    /// A page of departments.
    ///
    /// # Errors
    /// When they may not be seen.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &DepartmentFilter,
        page: &PageRequest<DepartmentSort>,
    ) -> Result<Page<Department>, DepartmentError> {
        self.0.require(actor, Permission::DepartmentRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        let rows = tx.departments().list(filter, page).await?;
        Ok(Page::from_rows(rows, page.limit, |last| Position {
            key: match page.sort {
                DepartmentSort::Name => last.name.clone(),
                DepartmentSort::Code => last.code.clone(),
            },
            id: last.id.as_uuid(),
        }))
    }

    /// Adds a department.
    ///
    /// # Errors
    /// [`DepartmentError::CodeTaken`]; faulty fields.
    pub async fn create(&self, actor: &Actor, new: NewDepartment) -> Result<Department, DepartmentError> {
        self.0.require(actor, Permission::DepartmentManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let department = Department {
            id: DepartmentId::from_uuid(self.0.ids().next()),
            code: new.code,
            name: new.name,
            parent_id: new.parent_id,
            created_at: work.now(),
            updated_at: work.now(),
            version: Version::FIRST,
        };
        check(&department)?;
        if let Some(parent) = department.parent_id {
            // Nothing is part of a new department, so it can't close a cycle.
            known(&mut work, parent).await?;
        }
        work.departments().insert_many(std::slice::from_ref(&department)).await?;
        work.emit(event("department.created", &department, Change::created(&department)));
        Ok(work.commit(department).await?)
    }

    /// Changes a department that is still at version `expected`.
    ///
    /// # Errors
    /// [`CommonError::Stale`]; [`DepartmentError::CodeTaken`]; [`DepartmentError::Cycle`]; faulty fields.
    pub async fn change(
        &self,
        actor: &Actor,
        id: DepartmentId,
        expected: Version,
        patch: DepartmentPatch,
    ) -> Result<Department, DepartmentError> {
        self.0.require(actor, Permission::DepartmentManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        if patch.parent_id.value().is_some() {
            work.departments().lock_tree().await?;
        }
        let before = work.departments().get(id).await?.ok_or(NOT_FOUND)?;
        if before.version != expected {
            return Err(CommonError::Stale.into());
        }
        let mut department = before.clone();
        patch.code.required("/code", &mut department.code)?;
        patch.name.required("/name", &mut department.name)?;
        patch.parent_id.apply(&mut department.parent_id);
        if department == before {
            return Ok(work.commit(department).await?);
        }
        check(&department)?;
        if let Some(parent) = department.parent_id.filter(|_| department.parent_id != before.parent_id) {
            let tree = work.departments().tree().await?;
            if !tree.contains(parent) {
                return Err(CommonError::unknown_reference("/parent_id").into());
            }
            if tree.is_within(parent, id) {
                return Err(DepartmentError::cycle());
            }
        }
        department.updated_at = work.now();
        department.version = expected.next();
        work.departments().update(&department, expected).await?;
        work.emit(event("department.changed", &department, Change::changed(&before, &department)));
        Ok(work.commit(department).await?)
    }

    /// Removes a department that nothing names and that is still at version `expected`.
    ///
    /// # Errors
    /// [`DepartmentError::InUse`]; [`CommonError::Stale`].
    pub async fn remove(
        &self,
        actor: &Actor,
        id: DepartmentId,
        expected: Version,
    ) -> Result<(), DepartmentError> {
        self.0.require(actor, Permission::DepartmentManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let department = work.departments().get(id).await?.ok_or(NOT_FOUND)?;
        match work.departments().remove(id, expected).await {
            Err(StoreError::Conflict { .. }) => return Err(DepartmentError::InUse),
            other => other?,
        }
        work.emit(event("department.removed", &department, Change::removed(&department)));
        Ok(work.commit(()).await?)
    }

    /// Who headed, heads and will head a department, oldest first.
    ///
    /// # Errors
    /// When the department isn't there or may not be seen.
    pub async fn heads(&self, actor: &Actor, id: DepartmentId) -> Result<DepartmentHeads, DepartmentError> {
        self.0.require(actor, Permission::DepartmentRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        tx.departments().get(id).await?.ok_or(NOT_FOUND)?;
        Ok(DepartmentHeads { items: tx.departments().list_heads(id).await? })
    }

    /// Names the head of a department for a period; whoever had days of it loses those.
    ///
    /// # Errors
    /// [`DepartmentError::HeadNotEmployed`]; faulty fields.
    pub async fn name_head(
        &self,
        actor: &Actor,
        id: DepartmentId,
        new: NewHead,
    ) -> Result<DepartmentHeads, DepartmentError> {
        self.0.require(actor, Permission::DepartmentManage, &Resource::organization())?;
        let mut check = Check::new();
        let period = check.period("/from", new.from, "/to", new.to);
        check.done()?;
        let mut work = self.0.begin(actor).await?;
        // Two heads named at once: the second one sees the first one's period.
        work.departments().lock_tree().await?;
        let department = work.departments().get(id).await?.ok_or(NOT_FOUND)?;
        if work.employees().existing(&[new.employee_id]).await?.is_empty() {
            return Err(CommonError::unknown_reference("/employee_id").into());
        }
        let timelines = work.employment().timelines_of(&[new.employee_id]).await?;
        if timelines.get(&new.employee_id).and_then(|timeline| timeline.at(new.from)).is_none() {
            return Err(DepartmentError::head_not_employed());
        }
        let mut heads = work.departments().heads_of(&[id]).await?.remove(&id).unwrap_or_default();
        let period = period.unwrap_or(Period::since(new.from));
        let before = heads.clone();
        assign_head(&mut heads, Head { employee_id: new.employee_id, period });
        let change = Change::changed(&Heads(&before), &Heads(&heads));
        work.departments().replace_heads(&[(id, heads)]).await?;
        let heads = DepartmentHeads { items: work.departments().list_heads(id).await? };
        work.emit(event("department.head-named", &department, change));
        Ok(work.commit(heads).await?)
    }
}

async fn known(work: &mut Work, parent: DepartmentId) -> Result<(), DepartmentError> {
    match work.departments().get(parent).await? {
        Some(_) => Ok(()),
        None => Err(CommonError::unknown_reference("/parent_id").into()),
    }
}

pub(crate) fn check(department: &Department) -> Result<(), CommonError> {
    let mut check = Check::new();
    check.code("/code", &department.code);
    check.text("/name", &department.name, 1..=200);
    check.done()
}

pub(crate) fn event(kind: &'static str, department: &Department, change: Change) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("departments", department.id.as_uuid()),
        data: serde_json::json!({ "department_id": department.id }),
        change,
        permission: Permission::DepartmentRead,
        resource: Resource::organization(),
    }
}
