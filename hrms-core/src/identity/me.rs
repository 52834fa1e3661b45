//! Who is behind a credential, as they see it themselves.

use serde::Serialize;

use crate::actor::Actor;
use crate::error::CommonError;
use crate::id::{EmployeeId, TenantId, UserId};
use crate::identity::{IdentityError, IdentityService};
use crate::operator::Operator;
use crate::policy::{Permission, RoleName, Scope};

/// Who I am, and what I may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Me {
    /// Me.
    pub user: MyUser,
    /// My organisation; `null` for an operator of the service.
    pub organization: Option<MyOrganization>,
    /// Whether I operate the service.
    pub operator: bool,
    /// My roles in the organisation.
    pub roles: Vec<RoleName>,
    /// What the roles grant, each once.
    pub permissions: Vec<MyPermission>,
    /// The employee that I am.
    pub employee_id: Option<EmployeeId>,
}

/// Me, as a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MyUser {
    /// My id.
    pub id: UserId,
    /// The address I log in with.
    pub email: String,
    /// My name.
    pub name: String,
}

/// My organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MyOrganization {
    /// Its id.
    pub id: TenantId,
    /// Its short name, to log in with.
    pub slug: String,
    /// Its name.
    pub name: String,
}

/// Something I may do, and on whose things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MyPermission {
    /// What.
    pub permission: Permission,
    /// On whose things.
    pub scope: Scope,
}

impl IdentityService<'_> {
    /// Who the actor is and what they may do.
    ///
    /// # Errors
    /// When the actor isn't a user of the organisation.
    pub async fn me(&self, actor: &Actor) -> Result<Me, IdentityError> {
        const NOT_FOUND: CommonError = CommonError::NotFound { what: "user" };
        let id = actor.user_id().ok_or(NOT_FOUND)?;
        let mut tx = self.0.read(actor).await?;
        let user = tx.users().get(id).await?.ok_or(NOT_FOUND)?;
        let organization = tx.organization().get().await?.ok_or(NOT_FOUND)?;
        let permissions = actor.grants().iter();
        Ok(Me {
            user: MyUser { id, email: user.email, name: user.name },
            organization: Some(MyOrganization {
                id: organization.id,
                slug: organization.slug,
                name: organization.name,
            }),
            operator: false,
            roles: actor.roles().to_vec(),
            permissions: permissions
                .map(|grant| MyPermission { permission: grant.permission, scope: grant.scope })
                .collect(),
            employee_id: actor.employee(),
        })
    }

    /// Who the operator is.
    ///
    /// # Errors
    /// When it isn't somebody who logged in.
    pub async fn me_operator(&self, by: &Operator) -> Result<Me, IdentityError> {
        const NOT_FOUND: CommonError = CommonError::NotFound { what: "operator" };
        let (Some(user), Some(session)) = (by.user_id(), by.session()) else {
            return Err(NOT_FOUND.into());
        };
        let account = self.operator(user, session).await?.ok_or(NOT_FOUND)?;
        Ok(Me {
            user: MyUser { id: account.id, email: account.email, name: account.name },
            organization: None,
            operator: true,
            roles: Vec::new(),
            permissions: Vec::new(),
            employee_id: None,
        })
    }
}
