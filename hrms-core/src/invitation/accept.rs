//! Accepting an invitation: by whoever reads the mail that it went to.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::actor::{Actor, Cause, Context, Who};
use crate::audit::Change;
use crate::error::{CommonError, StoreError};
use crate::id::{RequestId, UserId};
use crate::identity::{Client, MyOrganization};
use crate::invitation::token::Token;
use crate::invitation::{
    Invitation, InvitationError, InvitationService, InvitationStatus, StoredInvitation, event, link, write,
};
use crate::job::requester;
use crate::membership::KnownAccount;
use crate::organization::{Organization, OrganizationStatus};
use crate::password;
use crate::policy::{Permission, Resource, Rules};
use crate::secret::Secret;
use crate::store::{Tx, Version};
use crate::user::lineage::is_somebody_else;
use crate::user::{self, User, UserError, UserStatus, rights};
use crate::validate::Check;

/// The token of an invitation.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct InvitationToken {
    /// The token of the message.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub token: Secret,
}

/// Somebody accepts an invitation.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// The token of the message.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub token: Secret,
    /// Name shown to people, if it isn't the one in the invitation; at most 200 characters.
    #[serde(default)]
    pub name: Option<String>,
    /// If the address has an account: its password. If not: the password of the new account, 15 to 256 characters.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = Password))]
    pub password: Option<Secret>,
    /// A one-time code, if the address has an account with a second factor.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub otp: Option<Secret>,
}

/// What the holder of a token may know before they accept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InvitationPreview {
    /// The organisation's name.
    pub organization: String,
    /// The address that is invited.
    pub email: String,
    /// Name of the person, as the organisation knows it.
    pub name: String,
    /// Whether the address has an account: then it takes that account's password to accept.
    pub account_exists: bool,
    /// Until when it can be accepted.
    pub expires_at: jiff::Timestamp,
}

/// An invitation that can be accepted.
struct Good {
    stored: StoredInvitation,
    organization: Organization,
    /// Whoever invited, with the rights that they have now.
    inviter: Actor,
}

/// Somebody is a user of an organisation from now on. They log in as anybody does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Joined {
    /// The organisation.
    pub organization: MyOrganization,
    /// The user.
    pub user_id: UserId,
    /// The address to log in with.
    pub email: String,
}

impl InvitationService<'_> {
    /// What the holder of a token may know.
    ///
    /// # Errors
    /// [`InvitationError::InvalidToken`], [`InvitationError::InviterGone`].
    pub async fn preview(
        &self,
        token: &Secret,
        request: RequestId,
    ) -> Result<InvitationPreview, InvitationError> {
        let token = Token::read(token).ok_or(InvitationError::InvalidToken)?;
        let Good { stored, organization, .. } = self.look(&token, request).await?;
        let invitation = stored.invitation;
        let known = self.0.directory().account_by_email(&invitation.email).await?;
        Ok(InvitationPreview {
            organization: organization.name,
            email: invitation.email,
            name: invitation.name,
            account_exists: known.is_some(),
            expires_at: invitation.expires_at,
        })
    }

    /// Accepts an invitation, with a new account or by proving that the address's account is one's own.
    ///
    /// # Errors
    /// [`InvitationError::InvalidToken`]; [`InvitationError::InviterGone`]; [`InvitationError::ProofRequired`];
    /// [`InvitationError::Identity`] when the proof isn't good; [`InvitationError::AlreadyMember`];
    /// [`UserError::EmployeeTaken`]; [`UserError::PasswordNotTheirs`]; faulty fields; [`CommonError::Busy`].
    pub async fn accept(
        &self,
        with: Accept,
        client: Client,
        request: RequestId,
    ) -> Result<Joined, InvitationError> {
        let token = Token::read(&with.token).ok_or(InvitationError::InvalidToken)?;
        let Good { stored, organization, .. } = self.look(&token, request).await?;
        let invitation = stored.invitation;
        let name = with.name.unwrap_or_else(|| invitation.name.clone());
        let mut check = Check::new();
        check.text("/name", &name, 1..=200);
        if let Some(known) = self.0.directory().account_by_email(&invitation.email).await? {
            check.done()?;
            let password = with.password.ok_or(InvitationError::ProofRequired)?;
            self.0.identity().prove(&known, password, with.otp, &client).await?;
            require_own_password(&known, &invitation)?;
            return self.settle(&token, (known.account.id, client.address), None, name, request).await;
        }
        let Some(password) = with.password else {
            check.fault("/password", "required", "this is needed for a new account");
            check.done()?;
            return Err(InvitationError::InvalidToken);
        };
        let about = [invitation.email.as_str(), &name, &organization.slug, &organization.name];
        check.add(password::check(&password, &about));
        check.done()?;
        // Before the unit of work: hashing takes long, and a change holds locks.
        let hash = self.0.hashing().hash(password).await?;
        let user = UserId::from_uuid(self.0.ids().next());
        self.settle(&token, (user, client.address), Some(&hash), name, request).await
    }

    /// Accepts an invitation as the account that one is logged in with.
    ///
    /// # Errors
    /// [`InvitationError::OtherAccount`]; as [`InvitationService::accept`].
    pub async fn join(&self, by: &Actor, token: &Secret) -> Result<Joined, InvitationError> {
        // Somebody who acts through the rights of a user isn't that person.
        let user = by.user_id().filter(|_| by.support().is_none()).ok_or(InvitationError::OtherAccount)?;
        let token = Token::read(token).ok_or(InvitationError::InvalidToken)?;
        let request = by.request();
        let Good { stored, .. } = self.look(&token, request).await?;
        let known = self.0.directory().account_by_email(&stored.invitation.email).await?;
        let own = known.filter(|known| known.active && known.account.id == user);
        require_own_password(&own.ok_or(InvitationError::OtherAccount)?, &stored.invitation)?;
        let from = by.context().address;
        self.settle(&token, (user, from), None, stored.invitation.name, request).await
    }

    async fn look(&self, token: &Token, request: RequestId) -> Result<Good, InvitationError> {
        let mut tx = self.0.store().read(token.tenant).await?;
        let stored = tx.invitations().get(token.invitation).await?;
        self.check(&mut *tx, token, stored, None, request).await
    }

    /// Refuses an invitation that can't be accepted at this moment, in the unit of work that asks.
    async fn check(
        &self,
        tx: &mut dyn Tx,
        token: &Token,
        stored: Option<StoredInvitation>,
        rules: Option<Arc<dyn Rules>>,
        request: RequestId,
    ) -> Result<Good, InvitationError> {
        let now = self.0.clock().now();
        let good = |stored: &StoredInvitation| {
            stored.token_hash == Some(token.hash())
                && stored.invitation.status == InvitationStatus::Pending
                && stored.invitation.expires_at > now
        };
        let stored = stored.filter(good).ok_or(InvitationError::InvalidToken)?;
        let organization = tx.organization().get().await?;
        let organization = organization
            .filter(|organization| organization.status == OrganizationStatus::Active)
            .ok_or(InvitationError::InvalidToken)?;
        // Whoever lost their rights since, or the account, can't bring anybody in any more.
        let inviter =
            requester::actor_in(self.0, tx, token.tenant, &stored.inviter, Cause::Request, request).await?;
        let inviter = inviter.ok_or(InvitationError::InviterGone)?;
        let granted = match rights::of_new(tx, &stored.invitation.roles).await {
            Err(CommonError::Invalid(_)) => return Err(InvitationError::InviterGone),
            other => other?,
        };
        let may = self.0.require(&inviter, Permission::UserManage, &Resource::organization()).is_ok();
        let inviter = match rules {
            Some(rules) => inviter.with_rules(rules),
            None => inviter,
        };
        if !may || rights::require_grantable(&inviter, &granted).is_err() {
            return Err(InvitationError::InviterGone);
        }
        // The employee may have got another address since.
        match link::require_linkable(tx, &inviter, &stored.invitation, &granted).await {
            Err(InvitationError::User(UserError::LinkNotYours)) => return Err(InvitationError::InviterGone),
            other => other?,
        }
        Ok(Good { stored, organization, inviter })
    }

    /// Uses the invitation up. Everything is checked again while it is held: of any number of callers one gets here.
    async fn settle(
        &self,
        token: &Token,
        (user, address): (UserId, Option<IpAddr>),
        new_account: Option<&str>,
        name: String,
        request: RequestId,
    ) -> Result<Joined, InvitationError> {
        let who = Who::User { user, session: None, employee: None };
        let nothing = (Vec::new(), Vec::new());
        let context = Context { address, ..Context::default() };
        let actor = Actor::with_grants(token.tenant, who, nothing.0, nothing.1, Cause::Request, request)
            .with_context(context);
        let rules = self.0.rules_of(token.tenant).await?;
        let mut work = self.0.begin(&actor).await?;
        let stored = work.invitations().hold(token.invitation).await?;
        let good = self.check(&mut *work, token, stored, rules, request).await?;
        let Good { mut stored, organization, inviter } = good;
        let before = stored.invitation.clone();
        stored.invitation.status = InvitationStatus::Accepted;
        stored.invitation.accepted_by = Some(user);
        stored.token_hash = None;
        write(&mut work, &mut stored).await?;
        let own = link::reaches_the_employee(&mut *work, &inviter, &before).await?;
        let member = work.users().get(user).await?;
        let joined = User {
            id: user,
            email: before.email.clone(),
            name,
            roles: before.roles.clone(),
            employee_id: before.employee_id,
            former_employee_id: None,
            status: UserStatus::Active,
            created_by: before.invited_by,
            counts_as: if own { None } else { before.invited_by },
            created_at: work.now(),
            updated_at: work.now(),
            version: Version::FIRST,
        };
        let joined = match (member, new_account) {
            (Some(was), _) if was.status != UserStatus::Removed => {
                return Err(InvitationError::AlreadyMember);
            }
            (Some(was), _) => {
                let mut again = User { created_at: was.created_at, version: was.version.next(), ..joined };
                if again.employee_id.is_none() || !is_somebody_else(&mut *work, &inviter, user).await? {
                    // Coming back makes nobody another person.
                    again.former_employee_id = was.former_employee_id;
                    again.counts_as = was.counts_as.or(again.counts_as);
                }
                work.users().update(&again, was.version).await?;
                again
            }
            (None, Some(hash)) => {
                work.users().insert(&joined, hash, None).await.map_err(account_came_up)?;
                joined
            }
            (None, None) => {
                work.users().insert_membership(&joined).await?;
                joined
            }
        };
        work.emit(event(
            "invitation.accepted",
            &stored.invitation,
            Change::changed(&before, &stored.invitation),
        ));
        work.emit(user::event("user.created", &joined, Change::created(&joined)));
        let organization =
            MyOrganization { id: organization.id, slug: organization.slug, name: organization.name };
        Ok(work.commit(Joined { organization, user_id: user, email: joined.email }).await?)
    }
}

/// Refuses to make an account that somebody else chose the password of an employee's.
fn require_own_password(known: &KnownAccount, invitation: &Invitation) -> Result<(), InvitationError> {
    match (invitation.employee_id, known.password_chosen_by) {
        (Some(_), Some(_)) => Err(UserError::PasswordNotTheirs.into()),
        _ => Ok(()),
    }
}

/// The address had no account a moment ago.
fn account_came_up(error: StoreError) -> InvitationError {
    match error.constraint() {
        Some("user_account_email_key") => InvitationError::ProofRequired,
        _ => error.into(),
    }
}
