//! What can be done with service accounts.

use crate::actor::Actor;
use crate::audit::Change;
use crate::error::{CommonError, FieldError};
use crate::event::{NewEvent, subject};
use crate::hrms::Hrms;
use crate::id::ServiceAccountId;
use crate::page::{Page, PageRequest, Position};
use crate::policy::{Permission, Resource};
use crate::service_account::{
    NewServiceAccount, ServiceAccount, ServiceAccountError, ServiceAccountFilter, ServiceAccountPatch,
    ServiceAccountSort, ServiceAccountStatus, holds, normal,
};
use crate::store::Version;
use crate::validate::Check;

/// What can be done with service accounts.
#[derive(Clone, Copy, Debug)]
pub struct ServiceAccountService<'a>(&'a Hrms);

impl Hrms {
    /// Service accounts.
    #[must_use]
    pub fn service_accounts(&self) -> ServiceAccountService<'_> {
        ServiceAccountService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "service account" };

impl ServiceAccountService<'_> {
    /// One service account.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(
        &self,
        actor: &Actor,
        id: ServiceAccountId,
    ) -> Result<ServiceAccount, ServiceAccountError> {
        self.0.require(actor, Permission::ApiKeyRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        Ok(tx.service_accounts().get(id).await?.ok_or(NOT_FOUND)?)
    }

    /// A page of service accounts.
    ///
    /// # Errors
    /// When they may not be seen.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &ServiceAccountFilter,
        page: &PageRequest<ServiceAccountSort>,
    ) -> Result<Page<ServiceAccount>, ServiceAccountError> {
        self.0.require(actor, Permission::ApiKeyRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        let rows = tx.service_accounts().list(filter, page).await?;
        Ok(Page::from_rows(rows, page.limit, |last| Position {
            key: match page.sort {
                ServiceAccountSort::Name => last.name.clone(),
                ServiceAccountSort::CreatedAt => last.created_at.to_string(),
            },
            id: last.id.as_uuid(),
        }))
    }

    /// Adds a service account. It can do nothing until it has a key.
    ///
    /// # Errors
    /// [`ServiceAccountError::NotYours`] when it could do what the actor doesn't hold; faulty fields.
    pub async fn create(
        &self,
        actor: &Actor,
        new: NewServiceAccount,
    ) -> Result<ServiceAccount, ServiceAccountError> {
        self.0.require(actor, Permission::ApiKeyManage, &Resource::organization())?;
        check(&new.name, &new.description, &new.permissions)?;
        let mut work = self.0.begin(actor).await?;
        let account = ServiceAccount {
            id: ServiceAccountId::from_uuid(self.0.ids().next()),
            name: new.name,
            description: new.description,
            permissions: normal(new.permissions),
            status: ServiceAccountStatus::Active,
            created_at: work.now(),
            updated_at: work.now(),
            version: Version::FIRST,
        };
        require_held(actor, &account.permissions)?;
        work.service_accounts().insert(&account).await?;
        work.emit(event("service_account.created", &account, Change::created(&account)));
        Ok(work.commit(account).await?)
    }

    /// Changes a service account that is still at version `expected`. Its keys follow within 5 seconds.
    ///
    /// Disabling it, and taking permissions away, is open to whoever manages keys.
    ///
    /// # Errors
    /// [`ServiceAccountError::NotYours`] when it is given, or gets back, what the actor doesn't hold;
    /// [`CommonError::Stale`]; faulty fields.
    pub async fn change(
        &self,
        actor: &Actor,
        id: ServiceAccountId,
        expected: Version,
        patch: ServiceAccountPatch,
    ) -> Result<ServiceAccount, ServiceAccountError> {
        self.0.require(actor, Permission::ApiKeyManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let before = work.service_accounts().get(id).await?.ok_or(NOT_FOUND)?;
        if before.version != expected {
            return Err(CommonError::Stale.into());
        }
        let mut account = before.clone();
        patch.name.required("/name", &mut account.name)?;
        patch.description.required("/description", &mut account.description)?;
        patch.permissions.required("/permissions", &mut account.permissions)?;
        patch.status.required("/status", &mut account.status)?;
        check(&account.name, &account.description, &account.permissions)?;
        account.permissions = normal(account.permissions);
        if account == before {
            return Ok(work.commit(account).await?);
        }
        let revived = account.status == ServiceAccountStatus::Active && before.status != account.status;
        let kept = if revived { &[][..] } else { &before.permissions };
        let gained: Vec<_> = account.permissions.iter().filter(|one| !kept.contains(one)).copied().collect();
        require_held(actor, &gained)?;
        account.updated_at = work.now();
        account.version = expected.next();
        work.service_accounts().update(&account, expected).await?;
        work.emit(event("service_account.changed", &account, Change::changed(&before, &account)));
        Ok(work.commit(account).await?)
    }

    /// Removes a service account that is still at version `expected`, with all its keys.
    ///
    /// # Errors
    /// [`CommonError::Stale`]; when it isn't there.
    pub async fn remove(
        &self,
        actor: &Actor,
        id: ServiceAccountId,
        expected: Version,
    ) -> Result<(), ServiceAccountError> {
        self.0.require(actor, Permission::ApiKeyManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let account = work.service_accounts().get(id).await?.ok_or(NOT_FOUND)?;
        work.service_accounts().remove(id, expected).await?;
        work.emit(event("service_account.removed", &account, Change::removed(&account)));
        Ok(work.commit(()).await?)
    }
}

fn check(name: &str, description: &str, permissions: &[Permission]) -> Result<(), CommonError> {
    let mut check = Check::new();
    check.text("/name", name, 1..=200);
    check.text("/description", description, 0..=1000);
    for (at, permission) in permissions.iter().enumerate() {
        if !permission.is_for_programs() {
            let detail = format!("{} is for people only", permission.code());
            check.add(Err(FieldError::new(format!("/permissions/{at}"), "not-for-programs", detail)));
        }
    }
    check.done()
}

/// Nobody hands out what they don't hold, to programs neither.
fn require_held(actor: &Actor, permissions: &[Permission]) -> Result<(), ServiceAccountError> {
    if holds(actor, permissions) { Ok(()) } else { Err(ServiceAccountError::NotYours) }
}

fn event(kind: &'static str, account: &ServiceAccount, change: Change) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("service-accounts", account.id.as_uuid()),
        data: serde_json::json!({ "service_account_id": account.id }),
        change,
        permission: Permission::ApiKeyRead,
        resource: Resource::organization(),
    }
}
