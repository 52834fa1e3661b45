//! Access of operators inside an organisation: through the rights of one member, by a grant with a reason and
//! an end, and with the organisation watching.
//!
//! A grant opens nothing by itself: the operator who has it takes short access tokens from it, which are worth what
//! [`SupportService::standing`] says at that moment, less what
//! [is barred](crate::policy::Permission::is_barred_to_support).

use async_trait::async_trait;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::actor::{Actor, Context, Support};
use crate::audit::{Act, Audited, Author, Change};
use crate::email;
use crate::error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};
use crate::event::{NewEvent, subject};
use crate::hrms::{Hrms, Work};
use crate::id::{SessionId, SupportGrantId, TenantId, UserId};
use crate::identity::Subject;
use crate::operator::Operator;
use crate::organization::OrganizationStatus;
use crate::page::{Page, PageRequest, Position};
use crate::policy::{Permission, Resource};
use crate::store::{Tx, Version, Versioned};
use crate::user::{Standing, User, UserFilter, UserStatus};
use crate::validate::Check;

/// An operator's access to one organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SupportGrant {
    /// Its id.
    pub id: SupportGrantId,
    /// The operator who has it.
    pub operator_id: UserId,
    /// What the operator was called then.
    pub operator_name: String,
    /// The member whose rights are used.
    pub user_id: UserId,
    /// The session of its tokens.
    #[serde(skip)]
    pub session: SessionId,
    /// Why it was needed, in the operator's words.
    pub reason: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When somebody ended it before that.
    pub ended_at: Option<Timestamp>,
    /// Who did: a user of the organisation, or an operator.
    pub ended_by: Option<UserId>,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Audited for SupportGrant {}

impl Versioned for SupportGrant {
    fn version(&self) -> Version {
        self.version
    }
}

impl SupportGrant {
    /// Whether it opens anything at `now`.
    #[must_use]
    pub fn is_alive(&self, now: Timestamp) -> bool {
        self.ended_at.is_none() && now < self.expires_at
    }
}

/// What an operator needs access for. Exactly one of `user_id` and `email` names the member.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewSupportGrant {
    /// The member whose rights are used.
    #[serde(default)]
    pub user_id: Option<UserId>,
    /// The member's address to log in with.
    #[serde(default)]
    pub email: Option<String>,
    /// Why: 10 to 500 characters. The organisation reads it.
    pub reason: String,
    /// For how long, 5 to 240 minutes.
    pub minutes: u16,
}

/// Which grants to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct SupportGrantFilter {
    /// Only those alive at this instant.
    pub alive_at: Option<Timestamp>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Orders of a list of grants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SupportGrantSort {
    /// By when they began.
    #[default]
    CreatedAt,
}

/// What an access token is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupportAccess {
    /// The member, in the grant's own session.
    pub subject: Subject,
    /// The operator and the grant.
    pub support: Support,
    /// When the grant ends: no token lives longer.
    pub expires_at: Timestamp,
}

/// Why something about support access was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SupportError {
    /// The organisation wants no operators inside.
    #[error("the organisation doesn't allow support access")]
    NotAllowed,
    /// The organisation is suspended or closed.
    #[error("the organisation isn't in use")]
    OrganizationInactive,
    /// The grant is another operator's.
    #[error("this grant is another operator's")]
    NotYours,
    /// The grant has ended.
    #[error("this grant has ended")]
    Ended,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

crate::lift_common_errors!(SupportError);

impl DomainError for SupportError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotAllowed | Self::OrganizationInactive | Self::Ended => ErrorKind::Conflict,
            Self::NotYours => ErrorKind::Forbidden,
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotAllowed => "support.not-allowed",
            Self::OrganizationInactive => "support.organization-inactive",
            Self::NotYours => "support.not-yours",
            Self::Ended => "support.ended",
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

/// The organisation's grants in storage.
#[async_trait]
pub trait SupportGrantRepo: Send {
    /// The grant with this id.
    async fn get(&mut self, id: SupportGrantId) -> Result<Option<SupportGrant>, StoreError>;

    /// Up to `limit + 1` grants in the order asked for.
    async fn list(
        &mut self,
        filter: &SupportGrantFilter,
        page: &PageRequest<SupportGrantSort>,
    ) -> Result<Vec<SupportGrant>, StoreError>;

    /// Adds a grant.
    async fn insert(&mut self, grant: &SupportGrant) -> Result<(), StoreError>;

    /// Writes the end if the stored version is still `expected`.
    async fn update(&mut self, grant: &SupportGrant, expected: Version) -> Result<(), StoreError>;
}

/// What can be done about support access.
#[derive(Clone, Copy, Debug)]
pub struct SupportService<'a>(&'a Hrms);

impl Hrms {
    /// Access of operators inside organisations.
    #[must_use]
    pub fn support(&self) -> SupportService<'_> {
        SupportService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "support grant" };
const NO_ORGANIZATION: CommonError = CommonError::NotFound { what: "organisation" };
const NO_OPERATOR: CommonError = CommonError::NotFound { what: "operator" };

/// What the organisation sees.
impl SupportService<'_> {
    /// A page of the accesses to the actor's organisation.
    ///
    /// # Errors
    /// When they may not be seen.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &SupportGrantFilter,
        page: &PageRequest<SupportGrantSort>,
    ) -> Result<Page<SupportGrant>, SupportError> {
        self.0.require(actor, Permission::SupportAccessRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        list(&mut *tx, filter, page).await
    }

    /// One access to the actor's organisation.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(&self, actor: &Actor, id: SupportGrantId) -> Result<SupportGrant, SupportError> {
        self.0.require(actor, Permission::SupportAccessRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        Ok(tx.support_grants().get(id).await?.ok_or(NOT_FOUND)?)
    }

    /// Ends an access to the actor's organisation: within seconds its tokens are worth nothing.
    ///
    /// # Errors
    /// When it isn't there; [`SupportError::Ended`].
    pub async fn end(&self, actor: &Actor, id: SupportGrantId) -> Result<SupportGrant, SupportError> {
        self.0.require(actor, Permission::SupportAccessManage, &Resource::organization())?;
        let work = self.0.begin(actor).await?;
        self.end_in(work, (actor.tenant(), id), actor.user_id(), &Author::from(actor)).await
    }
}

/// What operators do.
impl SupportService<'_> {
    /// Grants an operator access to an organisation, through the rights of one of its members.
    ///
    /// # Errors
    /// [`SupportError::NotAllowed`], [`SupportError::OrganizationInactive`]; faulty fields; a member who isn't
    /// there or can't log in.
    pub async fn grant(
        &self,
        by: &Operator,
        tenant: TenantId,
        new: NewSupportGrant,
    ) -> Result<SupportGrant, SupportError> {
        let mut check = Check::new();
        check.text("/reason", &new.reason, 10..=500);
        if !(5..=240).contains(&new.minutes) {
            check.fault("/minutes", "out-of-range", "this needs 5 to 240 minutes");
        }
        if new.user_id.is_some() == new.email.is_some() {
            check.fault("/user_id", "one-of", "this needs either user_id or email");
        }
        check.done()?;
        let operator = by.user_id().ok_or(NO_OPERATOR)?;
        let account = self.0.directory().operator_account(operator).await?.ok_or(NO_OPERATOR)?;
        let organization = self.0.directory().organization(tenant).await?.ok_or(NO_ORGANIZATION)?;
        if organization.status != OrganizationStatus::Active {
            return Err(SupportError::OrganizationInactive);
        }
        if !organization.support_access_allowed {
            return Err(SupportError::NotAllowed);
        }
        let id = SupportGrantId::from_uuid(self.0.ids().next());
        let mut work = self.0.begin(&actor(by, tenant, id)).await?;
        let member = member(&mut *work, &new).await?;
        let now = work.now();
        let grant = SupportGrant {
            id,
            operator_id: operator,
            operator_name: account.name,
            user_id: member.id,
            session: SessionId::from_uuid(self.0.ids().next()),
            reason: new.reason,
            created_at: now,
            expires_at: now + SignedDuration::from_mins(i64::from(new.minutes)),
            ended_at: None,
            ended_by: None,
            updated_at: now,
            version: Version::FIRST,
        };
        work.support_grants().insert(&grant).await?;
        work.because(grant.reason.as_str());
        work.emit(event("support_access.started", &grant, Change::created(&grant)));
        tracing::info!(%operator, %tenant, grant = %id, member = %member.id, "support access granted");
        let grant = work.commit(grant).await?;
        self.on_record(tenant, &Author::from(by), "support_access.started", id, Change::created(&grant))
            .await?;
        Ok(grant)
    }

    /// A page of the grants for an organisation.
    ///
    /// # Errors
    /// When the organisation isn't there.
    pub async fn list_for(
        &self,
        _by: &Operator,
        tenant: TenantId,
        filter: &SupportGrantFilter,
        page: &PageRequest<SupportGrantSort>,
    ) -> Result<Page<SupportGrant>, SupportError> {
        self.0.directory().organization(tenant).await?.ok_or(NO_ORGANIZATION)?;
        let mut tx = self.0.store().read(tenant).await?;
        list(&mut *tx, filter, page).await
    }

    /// One grant for an organisation.
    ///
    /// # Errors
    /// When it isn't there.
    pub async fn get_for(
        &self,
        _by: &Operator,
        tenant: TenantId,
        id: SupportGrantId,
    ) -> Result<SupportGrant, SupportError> {
        let mut tx = self.0.store().read(tenant).await?;
        Ok(tx.support_grants().get(id).await?.ok_or(NOT_FOUND)?)
    }

    /// Ends a grant, whichever operator's it is.
    ///
    /// # Errors
    /// When it isn't there; [`SupportError::Ended`].
    pub async fn end_for(
        &self,
        by: &Operator,
        tenant: TenantId,
        id: SupportGrantId,
    ) -> Result<SupportGrant, SupportError> {
        // Also: no organisation, no unit of work that could write into its log.
        self.get_for(by, tenant, id).await?;
        let work = self.0.begin(&actor(by, tenant, id)).await?;
        self.end_in(work, (tenant, id), by.user_id(), &Author::from(by)).await
    }

    /// Ends every grant of an operator, in whichever organisation.
    pub(crate) async fn end_all(&self, by: &Operator, operator: UserId) -> Result<(), CommonError> {
        let now = self.0.clock().now();
        for (tenant, id) in self.0.directory().living_grants(operator, now).await? {
            let work = self.0.begin(&actor(by, tenant, id)).await?;
            match self.end_in(work, (tenant, id), by.user_id(), &Author::from(by)).await {
                // Somebody else was quicker, or the organisation is gone.
                Err(SupportError::Common(CommonError::NotFound { .. } | CommonError::Stale)) => {}
                Err(SupportError::Common(error)) => return Err(error),
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }

    /// Ends a grant, and puts that on the platform's record too.
    async fn end_in(
        &self,
        work: Work,
        (tenant, id): (TenantId, SupportGrantId),
        by: Option<UserId>,
        author: &Author,
    ) -> Result<SupportGrant, SupportError> {
        let (before, grant) = end(work, id, by).await?;
        let change = Change::changed(&before, &grant);
        self.on_record(tenant, author, "support_access.ended", id, change).await?;
        Ok(grant)
    }

    /// Puts what became of a grant on the platform's record; the organisation's has it already.
    async fn on_record(
        &self,
        tenant: TenantId,
        author: &Author,
        action: &'static str,
        id: SupportGrantId,
        change: Change,
    ) -> Result<(), CommonError> {
        let organization = subject("organizations", tenant.as_uuid());
        let subject = format!("{organization}/{}", subject("support-grants", id.as_uuid()));
        self.0.audit().record_apart(None, author, Act { action: action.into(), subject, change }).await
    }

    /// What a token of a grant is made from, for the operator whose grant it is.
    ///
    /// # Errors
    /// When it isn't there; [`SupportError::NotYours`]; [`SupportError::Ended`], also when the member, the
    /// organisation or its consent is gone.
    pub async fn access(
        &self,
        by: &Operator,
        tenant: TenantId,
        id: SupportGrantId,
    ) -> Result<SupportAccess, SupportError> {
        let grant = self.get_for(by, tenant, id).await?;
        if by.user_id() != Some(grant.operator_id) {
            return Err(SupportError::NotYours);
        }
        let subject = Subject { tenant: Some(tenant), user: grant.user_id, session: grant.session };
        let support = Support { operator: grant.operator_id, grant: id };
        if self.standing(&subject, support).await?.is_none() {
            return Err(SupportError::Ended);
        }
        let mut work = self.0.begin(&actor(by, tenant, id)).await?;
        let change = Change::none();
        let of = crate::event::subject("support-access", id.as_uuid());
        work.record(Act { action: "support_access.used".into(), subject: of, change });
        work.commit(()).await?;
        tracing::info!(operator = %grant.operator_id, %tenant, grant = %id, "support access used");
        Ok(SupportAccess { subject, support, expires_at: grant.expires_at })
    }

    /// What a token of a grant is worth at this moment; `None` when it is worth nothing (any more), or when
    /// member, operator, session and grant don't belong together.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn standing(
        &self,
        subject: &Subject,
        support: Support,
    ) -> Result<Option<Standing>, CommonError> {
        let Some(tenant) = subject.tenant else { return Ok(None) };
        let operator = self.0.directory().operator_account(support.operator).await?;
        if operator.is_none_or(|operator| operator.status != UserStatus::Active) {
            return Ok(None);
        }
        let clock = self.0.clock();
        let mut tx = self.0.store().read(tenant).await?;
        let Some(grant) = tx.support_grants().get(support.grant).await? else { return Ok(None) };
        let together = grant.operator_id == support.operator
            && grant.user_id == subject.user
            && grant.session == subject.session;
        let allowed = tx.organization().get().await?.is_some_and(|own| own.support_access_allowed);
        if !together || !allowed || !grant.is_alive(clock.now()) {
            return Ok(None);
        }
        let standing = tx.users().rights(subject.user, clock.today(&TimeZone::UTC)).await?;
        Ok(standing.map(barred))
    }
}

/// The operator inside the organisation, with no right at all: what the grant itself is written as.
fn actor(by: &Operator, tenant: TenantId, grant: SupportGrantId) -> Actor {
    let context = Context { address: by.address(), ..Context::default() };
    let actor = Actor::system(tenant, "support access", &[], by.cause(), by.request()).with_context(context);
    match by.user_id() {
        Some(operator) => actor.with_support(Support { operator, grant }),
        None => actor,
    }
}

/// What of a member's rights an operator may use.
pub(crate) fn barred(mut standing: Standing) -> Standing {
    standing.grants.retain(|grant| !grant.permission.is_barred_to_support());
    standing
}

async fn list(
    tx: &mut dyn Tx,
    filter: &SupportGrantFilter,
    page: &PageRequest<SupportGrantSort>,
) -> Result<Page<SupportGrant>, SupportError> {
    let rows = tx.support_grants().list(filter, page).await?;
    Ok(Page::from_rows(rows, page.limit, |last| Position {
        key: last.created_at.to_string(),
        id: last.id.as_uuid(),
    }))
}

/// The member who was named. Somebody else's, nobody's and a disabled one's id are answered alike.
async fn member(tx: &mut dyn Tx, new: &NewSupportGrant) -> Result<User, SupportError> {
    let (pointer, found) = match (new.user_id, &new.email) {
        (Some(id), _) => ("/user_id", tx.users().get(id).await?),
        (None, email) => {
            let email = email::normalize("/email", email.as_deref().unwrap_or_default())
                .map_err(|fault| CommonError::Invalid(vec![fault]))?;
            let filter = UserFilter { email: Some(email), ..UserFilter::default() };
            ("/email", tx.users().list(&filter, &PageRequest::default()).await?.pop())
        }
    };
    let active = found.filter(|user| user.status == UserStatus::Active);
    Ok(active.ok_or_else(|| CommonError::unknown_reference(pointer))?)
}

/// Ends a grant; what it was before, and what it is now.
async fn end(
    mut work: Work,
    id: SupportGrantId,
    by: Option<UserId>,
) -> Result<(SupportGrant, SupportGrant), SupportError> {
    let before = work.support_grants().get(id).await?.ok_or(NOT_FOUND)?;
    let now = work.now();
    if !before.is_alive(now) {
        return Err(SupportError::Ended);
    }
    let expected = before.version;
    let grant = SupportGrant {
        ended_at: Some(now),
        ended_by: by,
        updated_at: now,
        version: expected.next(),
        ..before.clone()
    };
    work.support_grants().update(&grant, expected).await?;
    work.emit(event("support_access.ended", &grant, Change::changed(&before, &grant)));
    let grant = work.commit(grant).await?;
    Ok((before, grant))
}

fn event(kind: &'static str, grant: &SupportGrant, change: Change) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("support-access", grant.id.as_uuid()),
        data: json!({
            "operator_id": grant.operator_id,
            "user_id": grant.user_id,
            "expires_at": grant.expires_at,
        }),
        change,
        permission: Permission::SupportAccessRead,
        resource: Resource::organization(),
    }
}
