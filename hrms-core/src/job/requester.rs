//! Whom a job acts for: stored with the job, and made an actor again when it runs.

use serde::{Deserialize, Serialize};

use crate::actor::{Actor, Cause, Who};
use crate::api_key::KeyHolder;
use crate::hrms::Hrms;
use crate::id::{ApiKeyId, EmployeeId, ServiceAccountId, TenantId, UserId};
use crate::job::{JobError, JobFault, JobRecord};
use crate::policy::{Grant, Permission, RoleName};

/// The actor who enqueued a job, in the form that is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "who", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Requester {
    /// A person.
    User {
        /// The user.
        user: UserId,
        /// The employee that they were.
        employee: Option<EmployeeId>,
        /// The roles that they had.
        roles: Vec<RoleName>,
        /// What they were allowed to do.
        #[serde(default)]
        grants: Vec<Grant>,
    },
    /// An integration with an API key.
    Service {
        /// The service account.
        account: ServiceAccountId,
        /// Its key.
        key: ApiKeyId,
        /// What it was allowed to do.
        grants: Vec<Grant>,
    },
    /// The system, with these permissions.
    System {
        /// What it was allowed to do.
        permissions: Vec<Permission>,
    },
}

impl Requester {
    /// What is stored of an actor.
    #[must_use]
    pub fn of(actor: &Actor) -> Self {
        match *actor.who() {
            Who::User { user, employee, .. } => {
                Self::User { user, employee, roles: actor.roles().to_vec(), grants: actor.grants().to_vec() }
            }
            Who::Service { account, key } => Self::Service { account, key, grants: actor.grants().to_vec() },
            Who::System { .. } => {
                let mut permissions: Vec<_> = actor.grants().iter().map(|grant| grant.permission).collect();
                permissions.dedup();
                Self::System { permissions }
            }
        }
    }

    /// The user, if it was one.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        match self {
            Self::User { user, .. } => Some(*user),
            Self::Service { .. } | Self::System { .. } => None,
        }
    }
}

/// The actor that a job runs as. The one place where jobs get their rights.
///
/// A member of the organisation gets the roles, employee and employment that they have now, so that rights
/// taken away meanwhile are gone. Users whom the organisation doesn't know belong to an embedder who
/// manages them: they keep what they had.
pub(crate) async fn actor_of(hrms: &Hrms, tenant: TenantId, job: &JobRecord) -> Result<Actor, JobError> {
    let cause = Cause::Job(job.id);
    let (user, employee, roles, grants) = match &job.requester {
        Requester::System { permissions } => {
            return Ok(Actor::system(tenant, "job", permissions, cause, job.request));
        }
        Requester::Service { account, key, .. } => {
            let mut tx = hrms.store().read(tenant).await?;
            let standing = tx.api_keys().standing(*key, hrms.clock().now()).await?;
            let standing = standing.filter(|standing| standing.account == *account);
            let Some(standing) = standing else {
                return Err(JobError::GiveUp(JobFault {
                    code: "job.requester-disabled".to_owned(),
                    detail: "the API key that this was asked for with is no good any more".to_owned(),
                }));
            };
            let holder =
                KeyHolder { tenant, account: *account, key: *key, permissions: standing.permissions };
            return Ok(holder.actor(cause, job.request));
        }
        Requester::User { user, employee, roles, grants } => (*user, *employee, roles, grants),
    };
    let mut tx = hrms.store().read(tenant).await?;
    let as_user = |employee, roles: &[RoleName], grants: Vec<Grant>| {
        let who = Who::User { user, session: None, employee };
        Actor::with_grants(tenant, who, roles.to_vec(), grants, cause, job.request)
    };
    if tx.users().get(user).await?.is_none() {
        return Ok(as_user(employee, roles, grants.clone()));
    }
    let Some(standing) = tx.users().rights(user, hrms.today()).await? else {
        return Err(JobError::GiveUp(JobFault {
            code: "job.requester-disabled".to_owned(),
            detail: "the user who asked for this can't log in any more".to_owned(),
        }));
    };
    Ok(as_user(standing.employee, &standing.roles, standing.grants).with_facts(standing.facts))
}
