//! Whose account an address is, and where its owner is a member: the few questions about memberships that cross
//! organisations. Nobody asks them about somebody else.

use async_trait::async_trait;
use serde::Serialize;

use crate::error::StoreError;
use crate::id::{TenantId, UserId};
use crate::identity::{IdentityError, IdentityService, MyOrganization};
use crate::user::Account;

/// An account, and whether it is in use.
#[derive(Clone, Debug)]
pub struct KnownAccount {
    /// The account.
    pub account: Account,
    /// Whether it can log in anywhere.
    pub active: bool,
    /// Who chose the password, as long as nobody who reads the account's mail has chosen another one since.
    pub password_chosen_by: Option<UserId>,
}

/// Accounts and memberships, across tenants.
#[async_trait]
pub trait MembershipDirectory: Send + Sync {
    /// The account with this address.
    async fn account_by_email(&self, email: &str) -> Result<Option<KnownAccount>, StoreError>;

    /// The active organisations in which this account is an active member, by name; at most 1000.
    async fn organizations_of(&self, user: UserId) -> Result<Vec<MyOrganization>, StoreError>;

    /// Every organisation that has a membership of this account, in use or disabled, and not removed.
    async fn memberships_of(&self, user: UserId) -> Result<Vec<TenantId>, StoreError>;
}

/// The organisations that I can log in to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MyOrganizations {
    /// By name.
    pub items: Vec<MyOrganization>,
}

impl IdentityService<'_> {
    /// The organisations that somebody can log in to. For their own eyes.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn organizations(&self, user: UserId) -> Result<MyOrganizations, IdentityError> {
        Ok(MyOrganizations { items: self.0.directory().organizations_of(user).await? })
    }
}
