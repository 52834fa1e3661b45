//! Whom a job acts for: stored with the job, and made an actor again when it runs.

use serde::{Deserialize, Serialize};

use crate::actor::{Actor, Cause, Who};
use crate::error::CommonError;
use crate::hrms::Hrms;
use crate::id::{DepartmentId, EmployeeId, TenantId, UserId};
use crate::job::record::JobRecord;
use crate::policy::{Permission, Role};

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
        /// The department that they were in.
        department: Option<DepartmentId>,
        /// The roles that they had.
        roles: Vec<Role>,
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
            Who::User { user, employee, department, .. } => {
                Self::User { user, employee, department, roles: actor.roles().to_vec() }
            }
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
            Self::System { .. } => None,
        }
    }
}

/// The actor that a job runs as. The one place where jobs get their rights.
pub(crate) async fn actor_of(_hrms: &Hrms, tenant: TenantId, job: &JobRecord) -> Result<Actor, CommonError> {
    let cause = Cause::Job(job.id);
    Ok(match &job.requester {
        Requester::User { user, employee, department, roles } => {
            let who = Who::User { user: *user, session: None, employee: *employee, department: *department };
            Actor::user(tenant, who, roles, cause, job.request)
        }
        Requester::System { permissions } => Actor::system(tenant, "job", permissions, cause, job.request),
    })
}
