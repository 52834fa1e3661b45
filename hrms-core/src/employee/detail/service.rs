//! What can be done with groups of an employee's data.

use super::{Detail, FieldGroup, StoredDetail, read};
use crate::actor::Actor;
use crate::audit::Change;
use crate::employee::EmployeeError;
use crate::error::CommonError;
use crate::event::NewEvent;
use crate::hrms::Hrms;
use crate::id::EmployeeId;
use crate::policy::{Decision, Permission, Resource};
use crate::store::{Tx, Version};
use crate::validate::Check;

/// What can be done with groups of an employee's data that have permissions of their own.
#[derive(Clone, Copy, Debug)]
pub struct DetailService<'a>(&'a Hrms);

impl Hrms {
    /// Groups of employees' data with permissions of their own.
    #[must_use]
    pub fn employee_details(&self) -> DetailService<'_> {
        DetailService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "employee" };

impl DetailService<'_> {
    /// One group of an employee's data; all `null` when it was never set.
    ///
    /// # Errors
    /// When the employee isn't there or may not be seen; when the group may not be seen.
    pub async fn get<G: FieldGroup>(
        &self,
        actor: &Actor,
        employee: EmployeeId,
    ) -> Result<Detail<G>, EmployeeError> {
        self.0.visibility(actor, G::READ)?;
        let mut tx = self.0.read(actor).await?;
        self.resource(&mut *tx, actor, employee, G::READ).await?;
        Ok(read(employee, tx.employee_details().get(employee, G::CODE).await?)?)
    }

    /// Changes fields of a group that is still at version `expected` (0 when it was never set).
    ///
    /// # Errors
    /// [`CommonError::Stale`]; [`EmployeeError::OwnDetails`]; faulty fields; when the employee or the group
    /// may not be seen or changed.
    pub async fn change<G: FieldGroup>(
        &self,
        actor: &Actor,
        employee: EmployeeId,
        expected: Version,
        patch: G::Patch,
    ) -> Result<Detail<G>, EmployeeError> {
        self.0.visibility(actor, G::MANAGE)?;
        let mut work = self.0.begin(actor).await?;
        let resource = self.resource(&mut *work, actor, employee, G::READ).await?;
        self.0.require(actor, G::MANAGE, &resource)?;
        if !G::OWN && actor.counts_as(employee) {
            return Err(EmployeeError::OwnDetails);
        }
        let before: Detail<G> = read(employee, work.employee_details().get(employee, G::CODE).await?)?;
        if before.version != expected {
            return Err(CommonError::Stale.into());
        }
        let mut fields = before.fields.clone();
        fields.apply(patch);
        if fields == before.fields {
            return Ok(work.commit(before).await?);
        }
        let mut check = Check::new();
        fields.check(&mut check);
        check.done()?;
        let stored = StoredDetail {
            data: serde_json::to_value(&fields).map_err(CommonError::from)?,
            updated_at: work.now(),
            version: expected.next(),
        };
        work.employee_details().put(employee, G::CODE, &stored, expected).await?;
        work.emit(NewEvent {
            kind: "employee_detail.changed",
            subject: format!("employees/{employee}/{}", G::CODE),
            data: serde_json::json!({ "employee_id": employee, "group": G::CODE }),
            change: Change::changed(&before.fields, &fields),
            permission: G::READ,
            resource,
        });
        let (updated_at, version) = (Some(stored.updated_at), stored.version);
        Ok(work.commit(Detail { employee_id: employee, fields, updated_at, version }).await?)
    }

    /// What decisions about the employee rest on, for an actor who may use `permission` on them.
    ///
    /// Whoever may see the employee learns that the group is barred; to others the employee isn't there.
    async fn resource(
        &self,
        tx: &mut dyn Tx,
        actor: &Actor,
        employee: EmployeeId,
        permission: Permission,
    ) -> Result<Resource, CommonError> {
        let today = self.0.today();
        let mut resource = tx.employees().view(employee, today, today).await?.ok_or(NOT_FOUND)?.resource;
        self.0.complete(tx, actor, [&mut resource], today).await?;
        let policy = self.0.policy();
        match policy.decide(actor, permission, &resource) {
            Decision::Allow => Ok(resource),
            Decision::Deny => match policy.decide(actor, Permission::EmployeeRead, &resource) {
                Decision::Allow => Err(CommonError::Forbidden { permission }),
                Decision::Deny => Err(CommonError::Hidden { what: "employee" }),
            },
        }
    }
}
