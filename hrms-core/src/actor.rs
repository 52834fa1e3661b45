//! Who acts, in which tenant, with which grants, and why: the first argument of every service method.

use std::sync::Arc;

use crate::id::{DepartmentId, EmployeeId, JobId, RequestId, SessionId, TenantId, UserId};
use crate::idempotency::IdempotencyKey;
use crate::policy::{Grant, Permission, Role, Scope};

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Who {
    /// A person who logged in.
    User {
        /// The user.
        user: UserId,
        /// The log-in that this is part of.
        session: Option<SessionId>,
        /// The employee that the user is, in this tenant.
        employee: Option<EmployeeId>,
        /// That employee's department by the record in force.
        department: Option<DepartmentId>,
    },
    /// The system itself, for a named internal cause; there is no all-powerful "root".
    System {
        /// What in the system acts, as in `demo`.
        name: &'static str,
    },
}

/// What made the actor act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// A request to the HTTP API.
    Request,
    /// A background job.
    Job(JobId),
    /// A command of the person who operates the server.
    OperatorCommand,
    /// Code that embeds this library.
    Embedder,
}

/// The acting subject. There is no default actor: each constructor names where it comes from.
#[derive(Clone, Debug)]
pub struct Actor {
    tenant: TenantId,
    who: Who,
    roles: Arc<[Role]>,
    grants: Arc<[Grant]>,
    cause: Cause,
    request: RequestId,
    idempotency: Option<IdempotencyKey>,
}

impl Actor {
    /// A user of the tenant with the union of what `roles` grant.
    ///
    /// For HTTP authentication, for job workers acting for a user, and for embedders who have
    /// authenticated the user themselves.
    #[must_use]
    pub fn user(tenant: TenantId, who: Who, roles: &[Role], cause: Cause, request: RequestId) -> Self {
        let mut grants: Vec<Grant> = roles.iter().flat_map(|role| role.grants()).collect();
        grants.sort_unstable();
        grants.dedup();
        Self { tenant, who, roles: roles.into(), grants: grants.into(), cause, request, idempotency: None }
    }

    /// The system acting in a tenant for a named internal cause, with the listed permissions on the
    /// whole organisation.
    #[must_use]
    pub fn system(
        tenant: TenantId,
        name: &'static str,
        permissions: &[Permission],
        cause: Cause,
        request: RequestId,
    ) -> Self {
        let grants = permissions.iter().map(|&permission| Grant { permission, scope: Scope::Organization });
        Self {
            tenant,
            who: Who::System { name },
            roles: Arc::default(),
            grants: grants.collect(),
            cause,
            request,
            idempotency: None,
        }
    }

    /// The same actor, whose next change is remembered under an idempotency key.
    #[must_use]
    pub fn with_idempotency(mut self, key: IdempotencyKey) -> Self {
        self.idempotency = Some(key);
        self
    }

    /// The same actor in another request.
    #[must_use]
    pub fn in_request(mut self, request: RequestId) -> Self {
        self.request = request;
        self.idempotency = None;
        self
    }

    /// The tenant acted in.
    #[must_use]
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Who acts.
    #[must_use]
    pub fn who(&self) -> &Who {
        &self.who
    }

    /// The acting user, if a user acts.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        match self.who {
            Who::User { user, .. } => Some(user),
            Who::System { .. } => None,
        }
    }

    /// The log-in behind the actor, if there is one.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        match self.who {
            Who::User { session, .. } => session,
            Who::System { .. } => None,
        }
    }

    /// The employee that the acting user is.
    #[must_use]
    pub fn employee(&self) -> Option<EmployeeId> {
        match self.who {
            Who::User { employee, .. } => employee,
            Who::System { .. } => None,
        }
    }

    /// The department of the employee that the acting user is.
    #[must_use]
    pub fn department(&self) -> Option<DepartmentId> {
        match self.who {
            Who::User { department, .. } => department,
            Who::System { .. } => None,
        }
    }

    /// The roles that the grants come from; empty for the system.
    #[must_use]
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// Everything granted, each once, in order.
    #[must_use]
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// What made the actor act.
    #[must_use]
    pub fn cause(&self) -> Cause {
        self.cause
    }

    /// Ties together the logs, events and jobs of one request.
    #[must_use]
    pub fn request(&self) -> RequestId {
        self.request
    }

    /// The idempotency key of the request, if it carries one.
    #[must_use]
    pub fn idempotency(&self) -> Option<&IdempotencyKey> {
        self.idempotency.as_ref()
    }
}
