//! Users of an organisation: who can log in, with which roles, as which employee.
//!
//! The account (address, password) belongs to the platform; what an organisation sees and manages is its
//! *membership*. Nobody hands out what they don't hold, and an organisation always keeps an owner.

mod error;
pub(crate) mod lineage;
pub(crate) mod rights;

use std::fmt;

use async_trait::async_trait;
use jiff::{Timestamp, civil::Date};
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::audit::{Audited, Change};
use crate::email;
use crate::employment::Facts;
use crate::error::{CommonError, StoreError};
use crate::event::{NewEvent, subject};
use crate::hrms::Hrms;
use crate::id::{EmployeeId, SessionId, UserId};
use crate::page::{Page, PageRequest, Position};
use crate::password;
use crate::patch::Patch;
use crate::policy::{Grant, Permission, Resource, Role, RoleName};
use crate::secret::Secret;
use crate::store::{Version, Versioned};
use crate::validate::Check;

pub use error::UserError;
pub use lineage::Lineage;

/// Whether a user can use the organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum UserStatus {
    /// Can log in.
    Active,
    /// Can't log in, and whatever was open has ended.
    Disabled,
    /// No user any more; kept so that what they did stays readable. They can be invited again.
    Removed,
}

impl UserStatus {
    /// The stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Removed => "removed",
        }
    }

    /// The status with this stable name.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Active, Self::Disabled, Self::Removed].into_iter().find(|status| status.code() == code)
    }
}

/// A user as their organisation sees them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// The address they log in with, in its normal form.
    pub email: String,
    /// Name shown to people.
    pub name: String,
    /// What they may do.
    pub roles: Vec<RoleName>,
    /// The employee that they are; at most one user is a given employee.
    pub employee_id: Option<EmployeeId>,
    /// Whether they can log in.
    pub status: UserStatus,
    /// The employee that they were last, if they aren't any more.
    pub former_employee_id: Option<EmployeeId>,
    /// The user who added or invited them, if a user did.
    pub created_by: Option<UserId>,
    /// The user as whom they count, too, when it comes to deciding on somebody's leave or changing their pay:
    /// whoever made them, as long as nobody else has linked them to an employee.
    pub counts_as: Option<UserId>,
    /// When they were added.
    pub created_at: Timestamp,
    /// When they last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Audited for User {}

impl Versioned for User {
    fn version(&self) -> Version {
        self.version
    }
}

impl User {
    fn is_active_owner(&self) -> bool {
        self.status == UserStatus::Active && self.roles.iter().any(|role| *role == Role::Owner)
    }
}

/// A log-in of the platform.
#[derive(Clone)]
pub struct Account {
    /// The user.
    pub id: UserId,
    /// The address to log in with, in its normal form; unique on the platform.
    pub email: String,
    /// Name shown to people.
    pub name: String,
    /// The password's hash, with its parameters.
    pub password_hash: String,
    /// When it was created.
    pub created_at: Timestamp,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What a new user needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The address to log in with.
    pub email: String,
    /// Name shown to people, at most 200 characters.
    pub name: String,
    /// What they may do; at least one role.
    pub roles: Vec<RoleName>,
    /// The employee that they are.
    #[serde(default)]
    pub employee_id: Option<EmployeeId>,
    /// Their first password, 15 to 256 characters.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = Password))]
    pub password: Secret,
    /// Whether they have to change it before they can do anything else. Default no.
    #[serde(default)]
    pub must_change_password: bool,
}

/// What can be changed of a user.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct UserPatch {
    /// New name.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Patch<String>,
    /// All roles from now on.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<RoleName>>))]
    pub roles: Patch<Vec<RoleName>>,
    /// The employee that they are; `null` for none.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<EmployeeId>))]
    pub employee_id: Patch<EmployeeId>,
    /// Whether they can log in.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<UserStatus>))]
    pub status: Patch<UserStatus>,
    /// `true`: they have to change their password before they can do anything else, here and now too.
    /// `false`: that is taken back. It is never shown.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<bool>))]
    pub must_change_password: Patch<bool>,
}

/// Which users to list.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// Only the one with this address.
    pub email: Option<String>,
    /// Only the one who is this employee.
    pub employee: Option<EmployeeId>,
    /// Only those with this status. Without one, all but the removed.
    pub status: Option<UserStatus>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Orders of a list of users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UserSort {
    /// By name.
    #[default]
    Name,
    /// By address.
    Email,
}

/// What a user may rely on at this moment: the answer to "who is this session?".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The user's roles.
    pub roles: Vec<RoleName>,
    /// What these grant.
    pub grants: Vec<Grant>,
    /// The employee that the user is.
    pub employee: Option<EmployeeId>,
    /// That employee's record in force.
    pub facts: Facts,
    /// The employees as whom the user counts besides, because those made them or they were them.
    pub counts_as: Vec<EmployeeId>,
}

/// The organisation's users in storage.
#[async_trait]
pub trait UserRepo: Send {
    /// The user with this id.
    async fn get(&mut self, id: UserId) -> Result<Option<User>, StoreError>;

    /// Up to `limit + 1` users in the order asked for.
    async fn list(
        &mut self,
        filter: &UserFilter,
        page: &PageRequest<UserSort>,
    ) -> Result<Vec<User>, StoreError>;

    /// Adds a new account and its membership here; `chosen_by` chose its password, if that isn't whoever reads the
    /// account's mail.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with `user_account_email_key`, `membership_employee_key`,
    /// `membership_role_fkey` when the organisation has no such role, or a foreign key.
    async fn insert(
        &mut self,
        user: &User,
        password_hash: &str,
        chosen_by: Option<UserId>,
    ) -> Result<(), StoreError>;

    /// Adds a membership of an account that is there.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with `membership_pkey`, `membership_email_key`, `membership_employee_key`, or a
    /// foreign key.
    async fn insert_membership(&mut self, user: &User) -> Result<(), StoreError>;

    /// Writes the membership if its stored version is still `expected`.
    ///
    /// # Errors
    /// As [`UserRepo::insert`].
    async fn update(&mut self, user: &User, expected: Version) -> Result<(), StoreError>;

    /// Active users with the role, who stay so until we commit: nobody else can change them meanwhile.
    async fn hold_active_with_role(&mut self, role: Role) -> Result<Vec<UserId>, StoreError>;

    /// Says since when a user's password must be changed to go on here, or that it needn't.
    async fn set_password_due(&mut self, user: UserId, since: Option<Timestamp>) -> Result<(), StoreError>;

    /// Removes the second factor of a user's account, and its recovery codes; whether there was one. The account
    /// isn't the organisation's: it is the caller's to make sure that nobody else uses it.
    async fn remove_second_factor(&mut self, user: UserId) -> Result<bool, StoreError>;

    /// Ends a log-in of a user in this organisation; whether there is one, ended before or not.
    async fn end_session(
        &mut self,
        user: UserId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Ends all log-ins of a user in this organisation; how many there were.
    async fn end_sessions(&mut self, user: UserId, now: Timestamp) -> Result<u64, StoreError>;

    /// Whom a user counts as; nobody when there is no such user.
    async fn lineage(&mut self, user: UserId) -> Result<Lineage, StoreError>;

    /// What a user may do in the organisation, as of the record in force `today`; `None` unless they are an
    /// active member of an active organisation. Whoever's employment has ended has no rights left, except
    /// for an owner.
    async fn rights(&mut self, user: UserId, today: Date) -> Result<Option<Standing>, StoreError>;

    /// What a session stands for, in one statement; `None` unless session, membership and organisation
    /// are all alive at `now`. `today` picks the employment record in force.
    async fn standing(
        &mut self,
        user: UserId,
        session: SessionId,
        now: Timestamp,
        today: Date,
    ) -> Result<Option<Standing>, StoreError>;
}

/// What can be done with users.
#[derive(Clone, Copy, Debug)]
pub struct UserService<'a>(&'a Hrms);

impl Hrms {
    /// Users of an organisation.
    #[must_use]
    pub fn users(&self) -> UserService<'_> {
        UserService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "user" };

impl UserService<'_> {
    /// One user.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(&self, actor: &Actor, id: UserId) -> Result<User, UserError> {
        self.0.require(actor, Permission::UserRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        Ok(tx.users().get(id).await?.ok_or(NOT_FOUND)?)
    }

    /// A page of users.
    ///
    /// # Errors
    /// When they may not be seen.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &UserFilter,
        page: &PageRequest<UserSort>,
    ) -> Result<Page<User>, UserError> {
        self.0.require(actor, Permission::UserRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        let rows = tx.users().list(filter, page).await?;
        Ok(Page::from_rows(rows, page.limit, |last| Position {
            key: match page.sort {
                UserSort::Name => last.name.clone(),
                UserSort::Email => last.email.clone(),
            },
            id: last.id.as_uuid(),
        }))
    }

    /// Adds a user with a new account.
    ///
    /// # Errors
    /// [`UserError::EmailTaken`], also when the address has an account in another organisation;
    /// [`UserError::RoleNotYours`]; [`UserError::EmployeeTaken`]; faulty fields; [`CommonError::Busy`].
    pub async fn create(&self, actor: &Actor, new: NewUser) -> Result<User, UserError> {
        self.0.require(actor, Permission::UserManage, &Resource::organization())?;
        let email =
            email::normalize("/email", &new.email).map_err(|fault| CommonError::Invalid(vec![fault]))?;
        let roles = rights::normal(new.roles);
        let mut tx = self.0.read(actor).await?;
        let organization = tx.organization().get().await?;
        let granted = rights::of_new(&mut *tx, &roles).await?;
        drop(tx);
        let (slug, title) = organization.map(|own| (own.slug, own.name)).unwrap_or_default();
        let mut check = Check::new();
        check.text("/name", &new.name, 1..=200);
        rights::check(&mut check, &roles);
        check.add(password::check(&new.password, &[&email, &new.name, &slug, &title]));
        check.done()?;
        rights::require_grantable(actor, &granted)?;
        if new.employee_id.is_some() {
            rights::require_linkable(actor, &granted)?;
        }
        // Before the unit of work: hashing takes long, and a change holds locks.
        let password_hash = self.0.hashing().hash(new.password).await?;
        let mut work = self.0.begin(actor).await?;
        let user = User {
            id: UserId::from_uuid(self.0.ids().next()),
            email,
            name: new.name,
            roles,
            employee_id: new.employee_id,
            former_employee_id: None,
            status: UserStatus::Active,
            created_by: actor.user_id(),
            // Linked or not: whoever made them knows their password.
            counts_as: actor.user_id(),
            created_at: work.now(),
            updated_at: work.now(),
            version: Version::FIRST,
        };
        work.users().insert(&user, &password_hash, actor.user_id()).await?;
        if new.must_change_password {
            let now = work.now();
            work.users().set_password_due(user.id, Some(now)).await?;
        }
        work.emit(event("user.created", &user, Change::created(&user)));
        Ok(work.commit(user).await?)
    }

    /// Changes a user who is still at version `expected`. Disabling ends all their log-ins.
    ///
    /// # Errors
    /// [`CommonError::Stale`]; [`UserError::RoleNotYours`]; [`UserError::OwnEmployee`];
    /// [`UserError::LastOwner`]; [`UserError::EmployeeTaken`]; [`UserError::PasswordNotTheirs`]; faulty fields.
    pub async fn change(
        &self,
        actor: &Actor,
        id: UserId,
        expected: Version,
        patch: UserPatch,
    ) -> Result<User, UserError> {
        self.0.require(actor, Permission::UserManage, &Resource::organization())?;
        // Before the unit of work: accounts are the platform's. Once their owner chose it, it stays theirs.
        let chosen_by = match patch.employee_id {
            Patch::Set(_) => self.0.directory().account(id).await?.and_then(|known| known.password_chosen_by),
            _ => None,
        };
        let mut work = self.0.begin(actor).await?;
        let before = work.users().get(id).await?.ok_or(NOT_FOUND)?;
        if before.version != expected {
            return Err(CommonError::Stale.into());
        }
        if before.status == UserStatus::Removed {
            return Err(UserError::Removed);
        }
        let mut user = before.clone();
        patch.name.required("/name", &mut user.name)?;
        patch.roles.required("/roles", &mut user.roles)?;
        patch.status.required("/status", &mut user.status)?;
        patch.employee_id.apply(&mut user.employee_id);
        user.roles = rights::normal(user.roles);
        let mut must_change = None;
        if let Patch::Set(must) = patch.must_change_password {
            must_change = Some(must.then_some(work.now()));
        }
        if user == before && must_change.is_none() {
            return Ok(work.commit(user).await?);
        }
        let mut check = Check::new();
        check.text("/name", &user.name, 1..=200);
        rights::check(&mut check, &user.roles);
        if user.status == UserStatus::Removed {
            check.fault("/status", "unknown-value", "a user is removed with DELETE");
        }
        check.done()?;
        let same_reach = (&user.roles, user.status, user.employee_id)
            == (&before.roles, before.status, before.employee_id);
        // The name too: people know by it who the most powerful are.
        if !same_reach || must_change.is_some() || user.name != before.name {
            rights::require_reach(&mut work, actor, &before, &user).await?;
        }
        if user.employee_id != before.employee_id {
            user.former_employee_id = before.employee_id.or(before.former_employee_id);
            if user.employee_id.is_some() {
                if let Some(by) = chosen_by
                    && !lineage::counts_as(&mut *work, actor, by).await?
                {
                    return Err(UserError::PasswordNotTheirs);
                }
                lineage::vouch(&mut *work, actor, &mut user).await?;
            }
        }
        if before.is_active_owner() && !user.is_active_owner() {
            rights::keep_an_owner(&mut work, id).await?;
        }
        user.updated_at = work.now();
        user.version = expected.next();
        work.users().update(&user, expected).await?;
        if let Some(since) = must_change {
            work.users().set_password_due(id, since).await?;
        }
        if user.status == UserStatus::Disabled {
            let now = work.now();
            work.users().end_sessions(id, now).await?;
        }
        work.emit(event("user.changed", &user, Change::changed(&before, &user)));
        Ok(work.commit(user).await?)
    }

    /// Removes a user who is still at version `expected` from the organisation, and ends their log-ins here.
    ///
    /// Their account stays theirs, for other organisations. What they did stays on record, and so does who they
    /// were: [`UserService::get`] still shows them, as removed. They are no employee any more for log-in, so that
    /// somebody else can be.
    ///
    /// # Errors
    /// [`CommonError::Stale`]; [`UserError::Removed`]; [`UserError::RoleNotYours`]; [`UserError::OwnEmployee`];
    /// [`UserError::LastOwner`].
    pub async fn remove(&self, actor: &Actor, id: UserId, expected: Version) -> Result<(), UserError> {
        self.0.require(actor, Permission::UserManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let before = work.users().get(id).await?.ok_or(NOT_FOUND)?;
        if before.version != expected {
            return Err(CommonError::Stale.into());
        }
        if before.status == UserStatus::Removed {
            return Err(UserError::Removed);
        }
        let now = work.now();
        let mut user = before.clone();
        user.status = UserStatus::Removed;
        user.former_employee_id = before.employee_id.or(before.former_employee_id);
        user.employee_id = None;
        // So that a role of the organisation that only they had can go.
        user.roles = Vec::new();
        user.updated_at = now;
        user.version = expected.next();
        rights::require_reach(&mut work, actor, &before, &user).await?;
        if before.is_active_owner() {
            rights::keep_an_owner(&mut work, id).await?;
        }
        work.users().update(&user, expected).await?;
        work.users().end_sessions(id, now).await?;
        work.emit(event("user.removed", &user, Change::removed(&before)));
        work.commit(()).await?;
        Ok(())
    }
}

pub(crate) fn event(kind: &'static str, user: &User, change: Change) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("users", user.id.as_uuid()),
        data: serde_json::json!({ "user_id": user.id }),
        change,
        permission: Permission::UserRead,
        resource: Resource::organization(),
    }
}
