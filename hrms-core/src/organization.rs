//! Organisations: the tenants of the service.

mod lifecycle;

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::audit::{Act, Audited, Author, Change, Record};
use crate::email;
use crate::error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};
use crate::event::{NewEvent, subject};
use crate::hrms::Hrms;
use crate::id::{TenantId, UserId};
use crate::operator::Operator;
use crate::page::{Page, PageRequest, Position};
use crate::password;
use crate::patch::Patch;
use crate::policy::{Permission, Resource, Role, RoleName};
use crate::secret::Secret;
use crate::store::{Version, Versioned};
use crate::user::{User, UserStatus, rights};
use crate::validate::Check;

/// Whether an organisation can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum OrganizationStatus {
    /// In use.
    Active,
    /// Nobody can log in.
    Suspended,
    /// Nobody can log in, and everything is deleted for good when the hold is over.
    Closed,
}

/// How an organisation was closed, and until when that can be undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Closing {
    /// When it was closed.
    pub closed_at: Timestamp,
    /// The end of the hold: from then on it is purged, and can't be reopened.
    pub purge_after: Timestamp,
    /// Why.
    pub reason: String,
}

/// One customer of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Organization {
    /// The tenant.
    pub id: TenantId,
    /// Unique name for log-in and addresses: lower-case letters, digits and hyphens.
    pub slug: String,
    /// Name shown to people.
    pub name: String,
    /// Whether it can be used.
    pub status: OrganizationStatus,
    /// Names of roles whose holders need a second factor.
    pub second_factor_required_for: Vec<RoleName>,
    /// How it was closed; `null` while it isn't.
    pub closing: Option<Closing>,
    /// Whether operators of the service may be given access inside it, for a while and with a reason.
    pub support_access_allowed: bool,
    /// IANA time zone, such as `Asia/Kolkata`: by it policies tell the time.
    pub time_zone: String,
    /// The language in which people are told things unless they choose another: a BCP 47 tag, such as `de`.
    pub language: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Audited for Organization {}

impl Versioned for Organization {
    fn version(&self) -> Version {
        self.version
    }
}

/// What a new organisation needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewOrganization {
    /// Unique name for log-in: 2 to 63 lower-case letters, digits and inner hyphens.
    pub slug: String,
    /// Name shown to people, at most 200 characters.
    pub name: String,
    /// Its first user, who is admin.
    pub admin: NewAdmin,
}

/// The first user of an organisation.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewAdmin {
    /// The address to log in with.
    pub email: String,
    /// Name shown to people, at most 200 characters.
    pub name: String,
    /// The password, 15 to 256 characters; without one, one is made up and shown once.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    pub password: Option<Secret>,
}

/// An organisation that was just created.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedOrganization {
    /// The organisation.
    #[serde(flatten)]
    pub organization: Organization,
    /// Its first user.
    pub admin: CreatedAdmin,
}

/// The first user of an organisation that was just created.
#[derive(Clone, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedAdmin {
    /// The user.
    pub id: UserId,
    /// The address to log in with, in its normal form.
    pub email: String,
    /// The password that was made up, if none was given. It is shown here and never again.
    pub password: Option<String>,
}

impl fmt::Debug for CreatedAdmin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreatedAdmin")
            .field("id", &self.id)
            .field("email", &self.email)
            .finish_non_exhaustive()
    }
}

/// What an organisation can change of itself.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct OrganizationPatch {
    /// New name.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Patch<String>,
    /// New IANA time zone.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub time_zone: Patch<String>,
    /// The language in which people are told things unless they choose another: a BCP 47 tag, such as `de`.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub language: Patch<String>,
    /// All roles whose holders need a second factor from now on.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<RoleName>>))]
    pub second_factor_required_for: Patch<Vec<RoleName>>,
    /// Whether operators of the service may be given access inside the organisation; `false` ends what there is.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<bool>))]
    pub support_access_allowed: Patch<bool>,
}

/// Why an organisation is closed, and how long that can be undone.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CloseOrganization {
    /// Why: 3 to 500 characters.
    pub reason: String,
    /// For how many days it can be reopened, 1 to 365. Without it, as the installation says (30).
    #[serde(default)]
    pub hold_days: Option<u16>,
}

/// Which organisations to list.
#[derive(Clone, Debug, Default)]
pub struct OrganizationFilter {
    /// Only the one with this slug.
    pub slug: Option<String>,
    /// Only those with this status.
    pub status: Option<OrganizationStatus>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Orders of a list of organisations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OrganizationSort {
    /// By slug.
    #[default]
    Slug,
}

/// Why something about an organisation was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OrganizationError {
    /// The slug is another organisation's.
    #[error("another organisation has this short name")]
    SlugTaken,
    /// The first user's e-mail address is another account's.
    #[error("another account has this e-mail address")]
    EmailTaken,
    /// It is closed; reopen it first.
    #[error("the organisation is closed")]
    Closed,
    /// It isn't closed.
    #[error("the organisation isn't closed")]
    NotClosed,
    /// It was closed too long ago, and is about to be purged.
    #[error("the hold is over: the organisation can't be reopened any more")]
    HoldOver,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

impl DomainError for OrganizationError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::SlugTaken | Self::EmailTaken | Self::Closed | Self::NotClosed | Self::HoldOver => {
                ErrorKind::Conflict
            }
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::SlugTaken => "organization.slug-taken",
            Self::EmailTaken => "user.email-taken",
            Self::Closed => "organization.closed",
            Self::NotClosed => "organization.not-closed",
            Self::HoldOver => "organization.hold-over",
            Self::Common(common) => common.code(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::Common(common) => common.fields(),
            _ => &[],
        }
    }
}

impl From<CommonError> for OrganizationError {
    fn from(error: CommonError) -> Self {
        Self::Common(error)
    }
}

impl From<StoreError> for OrganizationError {
    fn from(error: StoreError) -> Self {
        match error.constraint() {
            Some("organization_slug_key") => Self::SlugTaken,
            Some("user_account_email_key") => Self::EmailTaken,
            _ => Self::Common(error.into()),
        }
    }
}

/// The tenant's own row, seen from inside.
#[async_trait]
pub trait OrganizationRepo: Send {
    /// The organisation that this unit of work is bound to.
    async fn get(&mut self) -> Result<Option<Organization>, StoreError>;

    /// Writes name, settings and `updated_at` if the stored version is still `expected`.
    async fn update(&mut self, organization: &Organization, expected: Version) -> Result<(), StoreError>;
}

/// The registry of organisations, across tenants.
#[async_trait]
pub trait OrganizationDirectory: Send + Sync {
    /// Registers a new organisation.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with `organization_slug_key` when the slug is taken.
    async fn insert_organization(&self, organization: &Organization) -> Result<(), StoreError>;

    /// Registers a new organisation together with the account and membership of its first user.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with `organization_slug_key` or `user_account_email_key`.
    async fn insert_organization_with_admin(
        &self,
        organization: &Organization,
        admin: &User,
        password_hash: &str,
    ) -> Result<(), StoreError>;

    /// The organisation with this id.
    async fn organization(&self, id: TenantId) -> Result<Option<Organization>, StoreError>;

    /// The organisation with this slug.
    async fn organization_by_slug(&self, slug: &str) -> Result<Option<Organization>, StoreError>;

    /// Up to `limit + 1` organisations in the order asked for.
    async fn organizations(
        &self,
        filter: &OrganizationFilter,
        page: &PageRequest<OrganizationSort>,
    ) -> Result<Vec<Organization>, StoreError>;

    /// Writes status, closing and `updated_at` if the stored version is still `expected`.
    async fn update_organization_status(
        &self,
        organization: &Organization,
        expected: Version,
    ) -> Result<(), StoreError>;

    /// Up to `limit` closed organisations whose hold is over, the longest ago first.
    async fn organizations_to_purge(&self, now: Timestamp, limit: u16) -> Result<Vec<TenantId>, StoreError>;

    /// Removes every row of a closed organisation whose hold is over at `now`, in one transaction, and the
    /// accounts of those who are members of no other; whether there was such an organisation.
    async fn purge_organization(&self, id: TenantId, now: Timestamp) -> Result<bool, StoreError>;
}

/// What can be done with organisations: their own affairs by a member, their being by an operator.
#[derive(Clone, Copy, Debug)]
pub struct OrganizationService<'a>(&'a Hrms);

impl Hrms {
    /// Organisations.
    #[must_use]
    pub fn organizations(&self) -> OrganizationService<'_> {
        OrganizationService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "organisation" };

impl OrganizationService<'_> {
    /// The actor's own organisation.
    ///
    /// # Errors
    /// When it may not be seen.
    pub async fn own(&self, actor: &Actor) -> Result<Organization, OrganizationError> {
        self.0.require(actor, Permission::OrganizationRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        Ok(tx.organization().get().await?.ok_or(NOT_FOUND)?)
    }

    /// Changes the actor's own organisation if it is still at version `expected`.
    ///
    /// # Errors
    /// [`CommonError::Stale`]; faulty fields.
    pub async fn change_own(
        &self,
        actor: &Actor,
        expected: Version,
        patch: OrganizationPatch,
    ) -> Result<Organization, OrganizationError> {
        self.0.require(actor, Permission::OrganizationManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let before = work.organization().get().await?.ok_or(NOT_FOUND)?;
        if before.version != expected {
            return Err(CommonError::Stale.into());
        }
        let mut organization = before.clone();
        patch.name.required("/name", &mut organization.name)?;
        let roles = &mut organization.second_factor_required_for;
        patch.second_factor_required_for.required(SECOND_FACTOR, roles)?;
        roles.sort_unstable();
        roles.dedup();
        patch
            .support_access_allowed
            .required("/support_access_allowed", &mut organization.support_access_allowed)?;
        patch.time_zone.required("/time_zone", &mut organization.time_zone)?;
        patch.language.required("/language", &mut organization.language)?;
        if organization == before {
            return Ok(work.commit(organization).await?);
        }
        let mut check = Check::new();
        check.text("/name", &organization.name, 1..=200);
        if !rights::exist(&mut *work, &organization.second_factor_required_for).await? {
            check.fault(SECOND_FACTOR, "unknown-role", "there is no such role");
        }
        check.zone("/time_zone", &organization.time_zone);
        check.language("/language", &organization.language);
        check.done()?;
        if organization.time_zone != before.time_zone {
            // Policies tell the time by it.
            work.policies().next_revision().await?;
        }
        if organization.second_factor_required_for != before.second_factor_required_for {
            self.0.require_confirmed(actor)?;
        }
        organization.updated_at = work.now();
        organization.version = expected.next();
        work.organization().update(&organization, expected).await?;
        work.emit(NewEvent {
            kind: "organization.changed",
            subject: "organization".into(),
            data: serde_json::json!({}),
            change: Change::changed(&before, &organization),
            permission: Permission::OrganizationRead,
            resource: Resource::organization(),
        });
        Ok(work.commit(organization).await?)
    }

    /// Creates an organisation with its first user, both or neither.
    ///
    /// # Errors
    /// [`OrganizationError::SlugTaken`], [`OrganizationError::EmailTaken`]; faulty fields; [`CommonError::Busy`].
    pub async fn create(
        &self,
        by: &Operator,
        new: NewOrganization,
    ) -> Result<CreatedOrganization, OrganizationError> {
        let mut check = Check::new();
        check_slug(&mut check, &new.slug);
        check.text("/name", &new.name, 1..=200);
        check.text("/admin/name", &new.admin.name, 1..=200);
        let email = email::normalize("/admin/email", &new.admin.email);
        let about = [email.as_deref().unwrap_or_default(), &new.admin.name, &new.slug, &new.name];
        if let Some(given) = &new.admin.password {
            check.add(password::check(given, &about).map_err(|mut fault| {
                fault.pointer = "/admin/password".into();
                fault
            }));
        }
        check.add(email.as_ref().map(|_| ()).map_err(Clone::clone));
        check.done()?;
        let email = email.map_err(|fault| CommonError::Invalid(vec![fault]))?;
        let generated = if new.admin.password.is_none() { Some(password::generate()?) } else { None };
        let Some(secret) = new.admin.password.or_else(|| generated.clone()) else {
            return Err(CommonError::invalid("/admin/password", "required", "this is needed").into());
        };
        let password_hash = self.0.hashing().hash(secret).await?;
        let now = self.0.clock().now();
        let organization = Organization {
            id: TenantId::from_uuid(self.0.ids().next()),
            slug: new.slug,
            name: new.name,
            status: OrganizationStatus::Active,
            second_factor_required_for: Vec::new(),
            closing: None,
            support_access_allowed: true,
            time_zone: "UTC".to_owned(),
            language: "en".to_owned(),
            created_at: now,
            updated_at: now,
            version: Version::FIRST,
        };
        let admin = User {
            id: UserId::from_uuid(self.0.ids().next()),
            email,
            name: new.admin.name,
            roles: vec![Role::Admin.into(), Role::Owner.into()],
            employee_id: None,
            former_employee_id: None,
            status: UserStatus::Active,
            created_by: None,
            counts_as: None,
            created_at: now,
            updated_at: now,
            version: Version::FIRST,
        };
        let (change, first) = (Change::created(&organization), Change::created(&admin));
        let subject = subject("users", admin.id.as_uuid());
        let act = Act { action: "user.created".into(), subject, change: first };
        let record = self.record(by, organization.id, "organization.created", change);
        let directory = record.entry(Some(organization.id), act).directory();
        directory.insert_organization_with_admin(&organization, &admin, &password_hash).await?;
        log(by, &organization, "organisation created");
        let password = generated.map(|secret| secret.expose().to_owned());
        let admin = CreatedAdmin { id: admin.id, email: admin.email, password };
        Ok(CreatedOrganization { organization, admin })
    }

    /// A page of all organisations.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn list(
        &self,
        _by: &Operator,
        filter: &OrganizationFilter,
        page: &PageRequest<OrganizationSort>,
    ) -> Result<Page<Organization>, OrganizationError> {
        let rows = self.0.directory().organizations(filter, page).await?;
        Ok(Page::from_rows(rows, page.limit, |last| Position {
            key: last.slug.clone(),
            id: last.id.as_uuid(),
        }))
    }

    /// Any organisation.
    ///
    /// # Errors
    /// When it isn't there.
    pub async fn get(&self, _by: &Operator, id: TenantId) -> Result<Organization, OrganizationError> {
        Ok(self.0.directory().organization(id).await?.ok_or(NOT_FOUND)?)
    }

    /// What an operator does to an organisation, for the record of the platform and for the organisation's own.
    fn record(&self, by: &Operator, id: TenantId, action: &'static str, change: Change) -> Record<'_> {
        let act = Act { action: action.into(), subject: subject("organizations", id.as_uuid()), change };
        self.0.audit().record(Author::from(by)).entry(None, act.clone()).entry(Some(id), act)
    }
}

/// The field of the setting.
const SECOND_FACTOR: &str = "/second_factor_required_for";

fn log(by: &Operator, organization: &Organization, what: &'static str) {
    tracing::info!(
        organization = %organization.id,
        status = ?organization.status,
        by = ?by.user_id(),
        request_id = %by.request(),
        what
    );
}

/// A slug is part of addresses one day, so it is a DNS label.
fn check_slug(check: &mut Check, slug: &str) {
    let fine = slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !fine || !(2..=63).contains(&slug.len()) || slug.starts_with('-') || slug.ends_with('-') {
        check.fault(
            "/slug",
            "not-a-slug",
            "this needs 2 to 63 lower-case letters, digits and hyphens, without a hyphen at its ends",
        );
    }
}
