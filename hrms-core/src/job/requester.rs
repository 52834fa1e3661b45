//! Whom a job acts for: stored with the job, and made an actor again when it runs.

use serde::{Deserialize, Serialize};

use crate::actor::{Actor, Cause, Who};
use crate::hrms::Hrms;
use crate::id::{DepartmentId, EmployeeId, TenantId, UserId};
use crate::job::{JobError, JobFault, JobRecord};
use crate::policy::{Permission, Role};
use crate::user::UserStatus;

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
///
/// A member of the organisation gets the roles, employee and department that they have now, so that rights
/// taken away meanwhile are gone. Users whom the organisation doesn't know belong to an embedder who
/// manages them: they keep what they had.
pub(crate) async fn actor_of(hrms: &Hrms, tenant: TenantId, job: &JobRecord) -> Result<Actor, JobError> {
    let cause = Cause::Job(job.id);
    let (user, employee, department, roles) = match &job.requester {
        Requester::System { permissions } => {
            return Ok(Actor::system(tenant, "job", permissions, cause, job.request));
        }
        Requester::User { user, employee, department, roles } => (*user, *employee, *department, roles),
    };
    let mut tx = hrms.store().read(tenant).await?;
    let as_user = |employee, department, roles: &[Role]| {
        let who = Who::User { user, session: None, employee, department };
        Actor::user(tenant, who, roles, cause, job.request)
    };
    let Some(member) = tx.users().get(user).await? else {
        return Ok(as_user(employee, department, roles));
    };
    if member.status != UserStatus::Active {
        return Err(JobError::GiveUp(JobFault {
            code: "job.requester-disabled".to_owned(),
            detail: "the user who asked for this can't log in any more".to_owned(),
        }));
    }
    let mut department = None;
    if let Some(employee) = member.employee_id {
        let timelines = tx.employment().timelines_of(&[employee]).await?;
        let record = timelines.get(&employee).and_then(|timeline| timeline.at(hrms.today()));
        department = record.and_then(|record| record.facts.department_id);
    }
    Ok(as_user(member.employee_id, department, &member.roles))
}
