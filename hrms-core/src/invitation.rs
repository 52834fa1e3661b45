//! Invitations: how somebody becomes a user of an organisation.
//!
//! An invitation goes to an e-mail address. Whoever reads the mail there accepts it: with a new account, or by proving
//! that the account of that address is theirs. Whoever invites learns nothing of accounts. The token in the mail is
//! made when the mail is sent; stored is its hash alone.

mod accept;
mod link;
mod mail;
mod token;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::actor::{Actor, Who};
use crate::audit::{Audited, Change};
use crate::email;
use crate::error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};
use crate::event::{NewEvent, subject};
use crate::hrms::{Hrms, Work};
use crate::id::{EmployeeId, InvitationId, UserId};
use crate::identity::IdentityError;
use crate::job::{EnqueueOptions, Requester};
use crate::page::{Page, PageRequest, Position};
use crate::policy::{Permission, Resource, RoleName};
use crate::store::{Version, Versioned};
use crate::user::{UserError, rights};
use crate::validate::Check;

pub use accept::{Accept, InvitationPreview, InvitationToken, Joined};
pub use mail::InvitationMail;

/// How long an invitation can be accepted after it was last sent.
pub const GOOD_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The time between two messages of one invitation.
const SPACING: SignedDuration = SignedDuration::from_mins(1);

/// What has become of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum InvitationStatus {
    /// It can be accepted.
    Pending,
    /// It was, and is used up.
    Accepted,
    /// It was taken back.
    Revoked,
    /// Nobody accepted it in time.
    Expired,
}

impl InvitationStatus {
    /// The stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }

    /// The status with this stable name.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Pending, Self::Accepted, Self::Revoked, Self::Expired]
            .into_iter()
            .find(|status| status.code() == code)
    }
}

/// How far the message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// It is on its way to the mail server.
    Queued,
    /// The mail server took it.
    Sent,
    /// The mail server refused it, or couldn't be reached for too long.
    Failed,
}

impl Delivery {
    /// The stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Failed => "failed",
        }
    }

    /// The state with this stable name.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        [Self::Queued, Self::Sent, Self::Failed].into_iter().find(|state| state.code() == code)
    }
}

/// An invitation as the organisation sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Where it went, in its normal form.
    pub email: String,
    /// Name of the person, which they can change when they accept.
    pub name: String,
    /// What they will be able to do.
    pub roles: Vec<RoleName>,
    /// The employee that they are.
    pub employee_id: Option<EmployeeId>,
    /// What has become of it.
    pub status: InvitationStatus,
    /// How far the latest message has come.
    pub delivery: Delivery,
    /// The user who invited.
    pub invited_by: Option<UserId>,
    /// The user who accepted.
    pub accepted_by: Option<UserId>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was last asked to be sent.
    pub requested_at: Timestamp,
    /// Until when it can be accepted.
    pub expires_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Audited for Invitation {}

impl Versioned for Invitation {
    fn version(&self) -> Version {
        self.version
    }
}

impl Invitation {
    fn at(mut self, now: Timestamp) -> Self {
        if self.status == InvitationStatus::Pending && self.expires_at <= now {
            self.status = InvitationStatus::Expired;
        }
        self
    }
}

/// An invitation as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredInvitation {
    /// What the organisation sees. Whether it has expired is in `expires_at` alone.
    pub invitation: Invitation,
    /// Who invited: it can be accepted only while they could still invite.
    pub inviter: Requester,
    /// Hash of the token in the latest message; none until that is sent.
    pub token_hash: Option<[u8; 32]>,
    /// Counts the requests to send it: only the latest one is worked on.
    pub generation: i64,
}

/// What a new invitation needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewInvitation {
    /// Where it goes; the address to log in with.
    pub email: String,
    /// Name of the person, at most 200 characters.
    pub name: String,
    /// What they will be able to do; at least one role.
    pub roles: Vec<RoleName>,
    /// The employee that they are.
    #[serde(default)]
    pub employee_id: Option<EmployeeId>,
}

/// Which invitations to list.
#[derive(Clone, Debug, Default)]
pub struct InvitationFilter {
    /// Only those to this address.
    pub email: Option<String>,
    /// Only those with this status at this moment.
    pub status: Option<(InvitationStatus, Timestamp)>,
}

/// Orders of a list of invitations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InvitationSort {
    /// By the time they were made.
    #[default]
    CreatedAt,
}

/// Why something about an invitation was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvitationError {
    /// No mail is configured, so that it could never arrive.
    #[error("mail isn't set up on this installation")]
    MailNotConfigured,
    /// An invitation to this address is waiting.
    #[error("an invitation to this address is waiting; send it again, or revoke it")]
    AlreadyInvited,
    /// Somebody with this address is a user here.
    #[error("this address is a user's already")]
    AlreadyMember,
    /// It was accepted, revoked, or has expired for what was asked.
    #[error("this invitation isn't waiting any more")]
    NotPending,
    /// It was sent a moment ago.
    #[error("it was sent a moment ago; try again in {seconds} seconds")]
    TooSoon {
        /// How long to wait.
        seconds: u32,
    },
    /// The token isn't good, or not any more.
    #[error("this invitation isn't good any more; ask for a new one")]
    InvalidToken,
    /// Whoever invited couldn't any more.
    #[error("whoever invited you can't do so any more; ask for a new invitation")]
    InviterGone,
    /// The address has an account: whoever accepts must prove that it is theirs.
    #[error("there is an account with this address: send its password, or accept while logged in")]
    ProofRequired,
    /// The caller is logged in with another account than the one invited.
    #[error("this invitation is for another account than the one you are logged in with")]
    OtherAccount,
    /// What holds for users, too.
    #[error(transparent)]
    User(#[from] UserError),
    /// What holds for log-ins, too.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

impl DomainError for InvitationError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::MailNotConfigured
            | Self::AlreadyInvited
            | Self::AlreadyMember
            | Self::NotPending
            | Self::InviterGone
            | Self::ProofRequired => ErrorKind::Conflict,
            Self::TooSoon { .. } => ErrorKind::Throttled,
            Self::InvalidToken => ErrorKind::Invalid,
            Self::OtherAccount => ErrorKind::Forbidden,
            Self::User(error) => error.kind(),
            Self::Identity(error) => error.kind(),
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::MailNotConfigured => "mail.not-configured",
            Self::AlreadyInvited => "invitation.already-invited",
            Self::AlreadyMember => "invitation.already-member",
            Self::NotPending => "invitation.not-pending",
            Self::TooSoon { .. } => "invitation.too-soon",
            Self::InvalidToken => "invitation.invalid-token",
            Self::InviterGone => "invitation.inviter-gone",
            Self::ProofRequired => "invitation.proof-required",
            Self::OtherAccount => "invitation.other-account",
            Self::User(error) => error.code(),
            Self::Identity(error) => error.code(),
            Self::Common(common) => common.code(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::User(error) => error.fields(),
            Self::Identity(error) => error.fields(),
            Self::Common(common) => common.fields(),
            _ => &[],
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::TooSoon { seconds } => Some(*seconds),
            Self::Identity(error) => error.retry_after(),
            _ => None,
        }
    }
}

impl From<CommonError> for InvitationError {
    fn from(error: CommonError) -> Self {
        Self::Common(error)
    }
}

impl From<StoreError> for InvitationError {
    fn from(error: StoreError) -> Self {
        match error.constraint() {
            Some("invitation_pending_key") => Self::AlreadyInvited,
            Some("membership_email_key" | "membership_pkey") => Self::AlreadyMember,
            Some("membership_employee_key") => Self::User(UserError::EmployeeTaken),
            // The only reference that comes from outside.
            Some("invitation_employee_fkey" | "membership_employee_fkey" | "foreign_key") => {
                Self::Common(CommonError::unknown_reference("/employee_id"))
            }
            _ => Self::Common(error.into()),
        }
    }
}

/// The organisation's invitations in storage.
#[async_trait]
pub trait InvitationRepo: Send {
    /// The invitation with this id.
    async fn get(&mut self, id: InvitationId) -> Result<Option<StoredInvitation>, StoreError>;

    /// The invitation with this id, which stays as it is until we commit: nobody else can change it meanwhile.
    async fn hold(&mut self, id: InvitationId) -> Result<Option<StoredInvitation>, StoreError>;

    /// Up to `limit + 1` invitations in the order asked for.
    async fn list(
        &mut self,
        filter: &InvitationFilter,
        page: &PageRequest<InvitationSort>,
    ) -> Result<Vec<Invitation>, StoreError>;

    /// Adds an invitation. Those to the same address that have expired at its time stop waiting.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with `invitation_pending_key`, `invitation_employee_fkey`, or `foreign_key`.
    async fn insert(&mut self, invitation: &StoredInvitation) -> Result<(), StoreError>;

    /// Writes an invitation if its stored version is still `expected`.
    async fn update(&mut self, invitation: &StoredInvitation, expected: Version) -> Result<(), StoreError>;
}

/// What can be done with invitations.
#[derive(Clone, Copy, Debug)]
pub struct InvitationService<'a>(&'a Hrms);

impl Hrms {
    /// Invitations to an organisation.
    #[must_use]
    pub fn invitations(&self) -> InvitationService<'_> {
        InvitationService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "invitation" };

impl InvitationService<'_> {
    /// One invitation.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(&self, actor: &Actor, id: InvitationId) -> Result<Invitation, InvitationError> {
        self.0.require(actor, Permission::UserRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        let stored = tx.invitations().get(id).await?.ok_or(NOT_FOUND)?;
        Ok(stored.invitation.at(self.0.clock().now()))
    }

    /// A page of invitations.
    ///
    /// # Errors
    /// When they may not be seen.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &InvitationFilter,
        page: &PageRequest<InvitationSort>,
    ) -> Result<Page<Invitation>, InvitationError> {
        self.0.require(actor, Permission::UserRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        let rows = tx.invitations().list(filter, page).await?;
        let now = self.0.clock().now();
        let page = Page::from_rows(rows, page.limit, |last| Position {
            key: last.created_at.to_string(),
            id: last.id.as_uuid(),
        });
        Ok(page.map(|invitation| invitation.at(now)))
    }

    /// Invites somebody. The answer is the same whether their address has an account or not.
    ///
    /// # Errors
    /// [`InvitationError::MailNotConfigured`]; [`InvitationError::AlreadyInvited`];
    /// [`InvitationError::AlreadyMember`]; [`UserError::RoleNotYours`]; [`UserError::LinkNotYours`];
    /// [`UserError::EmployeeTaken`]; faulty fields.
    pub async fn create(&self, actor: &Actor, new: NewInvitation) -> Result<Invitation, InvitationError> {
        self.require_inviter(actor)?;
        self.require_mail()?;
        let email = email::normalize("/email", &new.email);
        let roles = rights::normal(new.roles);
        let mut check = Check::new();
        check.add(email.as_ref().map(|_| ()).map_err(Clone::clone));
        check.text("/name", &new.name, 1..=200);
        rights::check(&mut check, &roles);
        check.done()?;
        let email = email.map_err(|fault| CommonError::Invalid(vec![fault]))?;
        let mut work = self.0.begin(actor).await?;
        let granted = rights::of_new(&mut *work, &roles).await?;
        rights::require_grantable(actor, &granted)?;
        let now = work.now();
        let invitation = Invitation {
            id: InvitationId::from_uuid(self.0.ids().next()),
            email,
            name: new.name,
            roles,
            employee_id: new.employee_id,
            status: InvitationStatus::Pending,
            delivery: Delivery::Queued,
            invited_by: actor.user_id(),
            accepted_by: None,
            created_at: now,
            updated_at: now,
            requested_at: now,
            expires_at: now + GOOD_FOR,
            version: Version::FIRST,
        };
        link::require_linkable(&mut *work, actor, &invitation, &granted).await?;
        link::require_free(&mut *work, &invitation.email, invitation.employee_id).await?;
        let stored =
            StoredInvitation { invitation, inviter: Requester::of(actor), token_hash: None, generation: 1 };
        work.invitations().insert(&stored).await?;
        send(&mut work, &stored).await?;
        let invitation = stored.invitation;
        work.emit(event("invitation.created", &invitation, Change::created(&invitation)));
        Ok(work.commit(invitation).await?)
    }

    /// Sends an invitation again: the former message is worthless from now on, and it can be accepted for another
    /// seven days. Whoever sends it again is who invites: they need the rights for it.
    ///
    /// # Errors
    /// [`InvitationError::NotPending`]; [`InvitationError::TooSoon`]; what [`InvitationService::create`] refuses.
    pub async fn resend(&self, actor: &Actor, id: InvitationId) -> Result<Invitation, InvitationError> {
        self.require_inviter(actor)?;
        let mut work = self.0.begin(actor).await?;
        let mut stored = work.invitations().hold(id).await?.ok_or(NOT_FOUND)?;
        self.require_mail()?;
        let before = stored.invitation.clone();
        if before.status != InvitationStatus::Pending {
            return Err(InvitationError::NotPending);
        }
        let granted = rights::of_new(&mut *work, &before.roles).await?;
        rights::require_grantable(actor, &granted)?;
        link::require_linkable(&mut *work, actor, &before, &granted).await?;
        link::require_free(&mut *work, &before.email, before.employee_id).await?;
        let now = work.now();
        let wait = (before.requested_at + SPACING).duration_since(now);
        if wait.is_positive() {
            // Rounded up: at most the spacing.
            let seconds = u32::try_from((wait.as_millis() + 999) / 1000).unwrap_or(u32::MAX);
            return Err(InvitationError::TooSoon { seconds });
        }
        stored.token_hash = None;
        stored.generation = stored.generation.saturating_add(1);
        stored.inviter = Requester::of(actor);
        let invitation = &mut stored.invitation;
        invitation.delivery = Delivery::Queued;
        invitation.invited_by = actor.user_id();
        invitation.requested_at = now;
        invitation.expires_at = now + GOOD_FOR;
        write(&mut work, &mut stored).await?;
        send(&mut work, &stored).await?;
        let invitation = stored.invitation;
        work.emit(event("invitation.resent", &invitation, Change::changed(&before, &invitation)));
        Ok(work.commit(invitation).await?)
    }

    /// Takes an invitation back: nobody can accept it any more. Taking back a revoked one changes nothing.
    ///
    /// # Errors
    /// [`InvitationError::NotPending`] when it was accepted; when it isn't there.
    pub async fn revoke(&self, actor: &Actor, id: InvitationId) -> Result<Invitation, InvitationError> {
        self.0.require(actor, Permission::UserManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let mut stored = work.invitations().hold(id).await?.ok_or(NOT_FOUND)?;
        let before = stored.invitation.clone();
        match before.status {
            InvitationStatus::Accepted => return Err(InvitationError::NotPending),
            InvitationStatus::Revoked => return Ok(work.commit(before).await?),
            InvitationStatus::Pending | InvitationStatus::Expired => {}
        }
        stored.invitation.status = InvitationStatus::Revoked;
        stored.token_hash = None;
        write(&mut work, &mut stored).await?;
        let invitation = stored.invitation;
        work.emit(event("invitation.revoked", &invitation, Change::changed(&before, &invitation)));
        Ok(work.commit(invitation).await?)
    }

    fn require_inviter(&self, actor: &Actor) -> Result<(), InvitationError> {
        const PERMISSION: Permission = Permission::UserManage;
        self.0.require(actor, PERMISSION, &Resource::organization())?;
        // Whoever helps out for a while brings nobody in who stays, and neither does a key that may get lost.
        if actor.support().is_some() || matches!(actor.who(), Who::Service { .. }) {
            return Err(CommonError::Forbidden { permission: PERMISSION }.into());
        }
        Ok(())
    }

    fn require_mail(&self) -> Result<(), InvitationError> {
        if self.0.mailer().is_configured() { Ok(()) } else { Err(InvitationError::MailNotConfigured) }
    }
}

/// Writes an invitation that is held.
async fn write(work: &mut Work, stored: &mut StoredInvitation) -> Result<(), StoreError> {
    let expected = stored.invitation.version;
    stored.invitation.version = expected.next();
    stored.invitation.updated_at = work.now();
    work.invitations().update(stored, expected).await
}

/// The message goes out if and only if the change commits.
async fn send(work: &mut Work, stored: &StoredInvitation) -> Result<(), CommonError> {
    let job = InvitationMail { invitation: stored.invitation.id, generation: stored.generation };
    work.enqueue(&job, EnqueueOptions::default()).await?;
    Ok(())
}

fn event(kind: &'static str, invitation: &Invitation, change: Change) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("invitations", invitation.id.as_uuid()),
        data: serde_json::json!({ "invitation_id": invitation.id }),
        change,
        permission: Permission::UserRead,
        resource: Resource::organization(),
    }
}
