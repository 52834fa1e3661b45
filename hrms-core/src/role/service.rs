//! What can be done with roles.

use crate::actor::Actor;
use crate::audit::Change;
use crate::error::CommonError;
use crate::event::{NewEvent, subject};
use crate::hrms::Hrms;
use crate::id::RoleId;
use crate::page::{Page, PageRequest, Position};
use crate::policy::{Permission, Receiver, Resource, Role, RoleName};
use crate::role::{
    CustomRole, NewRole, PermissionList, RoleError, RoleFilter, RolePatch, RoleSort, RoleView, built_in,
    check, faults_of, normal,
};
use crate::store::Version;
use crate::user::rights;

/// What can be done with roles.
#[derive(Clone, Copy, Debug)]
pub struct RoleService<'a>(&'a Hrms);

impl Hrms {
    /// Roles.
    #[must_use]
    pub fn roles(&self) -> RoleService<'_> {
        RoleService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "role" };

impl RoleService<'_> {
    /// Every permission there is, for whoever makes roles.
    ///
    /// # Errors
    /// When roles may not be seen.
    pub fn permissions(&self, actor: &Actor) -> Result<PermissionList, RoleError> {
        self.0.require(actor, Permission::RoleRead, &Resource::organization())?;
        Ok(PermissionList::all())
    }

    /// One role.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(&self, actor: &Actor, id: RoleId) -> Result<RoleView, RoleError> {
        self.0.require(actor, Permission::RoleRead, &Resource::organization())?;
        if let Some(role) = built_in(id) {
            return Ok(role.into());
        }
        let mut tx = self.0.read(actor).await?;
        Ok(tx.roles().get(id).await?.ok_or(NOT_FOUND)?.into())
    }

    /// A page of roles, built-in ones among the others.
    ///
    /// # Errors
    /// When they may not be seen.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &RoleFilter,
        page: &PageRequest<RoleSort>,
    ) -> Result<Page<RoleView>, RoleError> {
        self.0.require(actor, Permission::RoleRead, &Resource::organization())?;
        let mut rows: Vec<RoleView> = Vec::new();
        if filter.built_in != Some(true) {
            let mut tx = self.0.read(actor).await?;
            rows.extend(tx.roles().list(filter, page).await?.into_iter().map(Into::into));
        }
        if filter.built_in != Some(false) && filter.updated_after.is_none() {
            let built_in = Role::ALL.iter().map(|&role| RoleView::from(role));
            rows.extend(built_in.filter(|role| {
                filter.code.as_ref().is_none_or(|code| role.code.as_str() == code) && is_behind(page, role)
            }));
        }
        rows.sort_by(|a, b| page.sort.key(a).cmp(&page.sort.key(b)));
        if page.descending {
            rows.reverse();
        }
        rows.truncate(usize::from(page.limit) + 1);
        Ok(Page::from_rows(rows, page.limit, |last| {
            let (key, id) = page.sort.key(last);
            Position { key: key.to_owned(), id }
        }))
    }

    /// Makes a role.
    ///
    /// # Errors
    /// [`RoleError::NotYours`] when it would hold what the actor doesn't; [`RoleError::CodeTaken`]; faulty fields.
    pub async fn create(&self, actor: &Actor, new: NewRole) -> Result<RoleView, RoleError> {
        self.0.require(actor, Permission::RoleManage, &Resource::organization())?;
        refuse_nonsense(&new.grants)?;
        let mut work = self.0.begin(actor).await?;
        let role = CustomRole {
            id: RoleId::from_uuid(self.0.ids().next()),
            code: RoleName::new(new.code),
            name: new.name,
            description: new.description,
            grants: normal(new.grants),
            created_at: work.now(),
            updated_at: work.now(),
            version: Version::FIRST,
        };
        check(&role)?;
        require_held(actor, &role)?;
        work.roles().insert(&role).await?;
        work.emit(event("role.created", &role, Change::created(&role)));
        Ok(work.commit(role.into()).await?)
    }

    /// Changes a role that is still at version `expected`. Whoever has it has what it allows from now on:
    /// within 5 seconds.
    ///
    /// # Errors
    /// [`RoleError::NotYours`] when it holds, or would hold, what the actor doesn't; [`RoleError::BuiltIn`];
    /// [`CommonError::Stale`]; faulty fields.
    pub async fn change(
        &self,
        actor: &Actor,
        id: RoleId,
        expected: Version,
        patch: RolePatch,
    ) -> Result<RoleView, RoleError> {
        self.0.require(actor, Permission::RoleManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let before = match built_in(id) {
            Some(role) if RoleView::from(role).version == expected => return Err(RoleError::BuiltIn),
            Some(_) => return Err(CommonError::Stale.into()),
            None => work.roles().get(id).await?.ok_or(NOT_FOUND)?,
        };
        if before.version != expected {
            return Err(CommonError::Stale.into());
        }
        let mut role = before.clone();
        patch.name.required("/name", &mut role.name)?;
        patch.description.required("/description", &mut role.description)?;
        patch.grants.required("/grants", &mut role.grants)?;
        refuse_nonsense(&role.grants)?;
        role.grants = normal(role.grants);
        if role == before {
            return Ok(work.commit(role.into()).await?);
        }
        check(&role)?;
        require_held(actor, &before)?;
        require_held(actor, &role)?;
        role.updated_at = work.now();
        role.version = expected.next();
        work.roles().update(&role, expected).await?;
        work.emit(event("role.changed", &role, Change::changed(&before, &role)));
        Ok(work.commit(role.into()).await?)
    }

    /// Removes a role that nobody has and that is still at version `expected`.
    ///
    /// # Errors
    /// [`RoleError::InUse`]; [`RoleError::NotYours`] when it holds what the actor doesn't;
    /// [`RoleError::BuiltIn`]; [`CommonError::Stale`].
    pub async fn remove(&self, actor: &Actor, id: RoleId, expected: Version) -> Result<(), RoleError> {
        self.0.require(actor, Permission::RoleManage, &Resource::organization())?;
        if built_in(id).is_some() {
            return Err(if expected == Version::FIRST {
                RoleError::BuiltIn
            } else {
                CommonError::Stale.into()
            });
        }
        let mut work = self.0.begin(actor).await?;
        let role = work.roles().get(id).await?.ok_or(NOT_FOUND)?;
        if role.version != expected {
            return Err(CommonError::Stale.into());
        }
        require_held(actor, &role)?;
        work.roles().remove(&role, expected).await?;
        work.emit(event("role.removed", &role, Change::removed(&role)));
        Ok(work.commit(()).await?)
    }
}

/// Whether a role comes after the position that a page starts behind.
fn is_behind(page: &PageRequest<RoleSort>, role: &RoleView) -> bool {
    let Some(after) = &page.after else { return true };
    let (own, after) = (page.sort.key(role), (after.key.as_str(), after.id));
    if page.descending { own < after } else { own > after }
}

/// Named by their places in the request, so before they are put in order.
fn refuse_nonsense(grants: &[crate::policy::Grant]) -> Result<(), CommonError> {
    let faults: Vec<_> = faults_of(grants).collect();
    if faults.is_empty() { Ok(()) } else { Err(CommonError::Invalid(faults)) }
}

/// Nobody makes, changes or removes what holds more than they do.
fn require_held(actor: &Actor, role: &CustomRole) -> Result<(), RoleError> {
    if rights::holds(actor, &role.grants, Receiver::User) { Ok(()) } else { Err(RoleError::NotYours) }
}

fn event(kind: &'static str, role: &CustomRole, change: Change) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("roles", role.id.as_uuid()),
        data: serde_json::json!({ "role_id": role.id }),
        change,
        permission: Permission::RoleRead,
        resource: Resource::organization(),
    }
}
