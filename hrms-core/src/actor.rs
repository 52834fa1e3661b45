//! Who acts, in which tenant, with which grants, and why: the first argument of every service method.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::employment::Facts;
use crate::id::{
    ApiKeyId, EmployeeId, JobId, RequestId, ServiceAccountId, SessionId, SupportGrantId, TenantId, UserId,
};
use crate::idempotency::IdempotencyKey;
use crate::policy::{Grant, Permission, Role, RoleName, Rules, Scope};
use crate::trace::Trace;

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
    },
    /// An integration with an API key of the organisation.
    Service {
        /// The service account that the key belongs to.
        account: ServiceAccountId,
        /// The key.
        key: ApiKeyId,
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

/// By which way the actor came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Channel {
    /// The HTTP API.
    Api,
    /// A live connection.
    Socket,
    /// A background job.
    Job,
    /// Code of the same process: a command, an embedder.
    #[default]
    Internal,
}

/// The circumstances in which the actor acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context {
    /// When the request came; `None` where nobody said.
    pub at: Option<Timestamp>,
    /// From which network address, as far as it is known for certain.
    pub address: Option<IpAddr>,
    /// By which way.
    pub channel: Channel,
    /// Whether the log-in was proved by a second factor too.
    pub second_factor: bool,
    /// When the person last proved who they are; `None` for an actor who isn't a person at a keyboard.
    pub confirmed_at: Option<Timestamp>,
    /// The distributed trace that the request is part of.
    pub trace: Option<Trace>,
}

/// The operator of the service who acts through the rights of a user, by a grant for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Support {
    /// The operator's user.
    pub operator: UserId,
    /// The reasoned, time-boxed grant.
    pub grant: SupportGrantId,
}

/// The acting subject. There is no default actor: each constructor names where it comes from.
#[derive(Clone, Debug)]
pub struct Actor {
    tenant: TenantId,
    who: Who,
    roles: Arc<[RoleName]>,
    grants: Arc<[Grant]>,
    rules: Option<Arc<dyn Rules>>,
    facts: Facts,
    also: Arc<[EmployeeId]>,
    context: Context,
    support: Option<Support>,
    cause: Cause,
    request: RequestId,
    idempotency: Option<IdempotencyKey>,
}

impl Actor {
    /// A user of the tenant with the union of what built-in `roles` grant.
    ///
    /// For embedders who have authenticated the user themselves.
    #[must_use]
    pub fn user(tenant: TenantId, who: Who, roles: &[Role], cause: Cause, request: RequestId) -> Self {
        let grants = roles.iter().flat_map(|role| role.grants()).collect();
        let roles = roles.iter().map(|&role| role.into()).collect();
        Self::with_grants(tenant, who, roles, grants, cause, request)
    }

    /// A user or service account of the tenant with these grants; `roles` only says where they come from.
    ///
    /// For HTTP authentication and for job workers acting for a user, who look up what the
    /// organisation's own roles grant.
    #[must_use]
    pub fn with_grants(
        tenant: TenantId,
        who: Who,
        roles: Vec<RoleName>,
        mut grants: Vec<Grant>,
        cause: Cause,
        request: RequestId,
    ) -> Self {
        grants.sort_unstable();
        grants.dedup();
        Self {
            tenant,
            who,
            roles: roles.into(),
            grants: grants.into(),
            rules: None,
            facts: Facts::default(),
            also: Arc::new([]),
            context: Context::default(),
            support: None,
            cause,
            request,
            idempotency: None,
        }
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
        Self::with_grants(tenant, Who::System { name }, Vec::new(), grants.collect(), cause, request)
    }

    /// The same actor, whose employee has this record in force: what grants on a department or a
    /// location go by.
    #[must_use]
    pub fn with_facts(mut self, facts: Facts) -> Self {
        self.facts = facts;
        self
    }

    /// The same actor, whose user counts as these employees too: see [`Actor::counts_as`].
    #[must_use]
    pub fn also_counting_as(mut self, employees: Vec<EmployeeId>) -> Self {
        self.also = employees.into();
        self
    }

    /// The same actor, bound by these policies of the organisation too.
    #[must_use]
    pub fn with_rules(mut self, rules: Arc<dyn Rules>) -> Self {
        self.rules = Some(rules);
        self
    }

    /// The same actor in these circumstances.
    #[must_use]
    pub fn with_context(mut self, context: Context) -> Self {
        self.context = context;
        self
    }

    /// The same user, through whose rights an operator of the service acts.
    #[must_use]
    pub fn with_support(mut self, support: Support) -> Self {
        self.support = Some(support);
        self
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

    /// The same actor, acting for another cause in other circumstances.
    #[must_use]
    pub(crate) fn acting_for(mut self, cause: Cause, request: RequestId, context: Context) -> Self {
        self.cause = cause;
        self.context = context;
        self.in_request(request)
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
            Who::Service { .. } | Who::System { .. } => None,
        }
    }

    /// The user or service account, whichever acts: in whose name idempotent answers are kept.
    #[must_use]
    pub fn principal(&self) -> Option<Uuid> {
        match self.who {
            Who::User { user, .. } => Some(user.as_uuid()),
            Who::Service { account, .. } => Some(account.as_uuid()),
            Who::System { .. } => None,
        }
    }

    /// The log-in behind the actor, if there is one.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        match self.who {
            Who::User { session, .. } => session,
            Who::Service { .. } | Who::System { .. } => None,
        }
    }

    /// The employee that the acting user is.
    #[must_use]
    pub fn employee(&self) -> Option<EmployeeId> {
        match self.who {
            Who::User { employee, .. } => employee,
            Who::Service { .. } | Who::System { .. } => None,
        }
    }

    /// Whether the actor counts as an employee in what nobody does for themselves: as the employee that they are,
    /// and as whoever made them and stands behind them. Second users of one's own are no second pair of eyes.
    #[must_use]
    pub fn counts_as(&self, employee: EmployeeId) -> bool {
        self.employee() == Some(employee) || self.also.contains(&employee)
    }

    /// The employees that the actor counts as in what nobody does for themselves.
    pub fn employees_counted_as(&self) -> impl Iterator<Item = EmployeeId> {
        self.employee().into_iter().chain(self.also.iter().copied())
    }

    /// The record in force of the employee that the acting user is.
    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The circumstances in which the actor acts.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The operator of the service who acts through this user's rights, if one does.
    #[must_use]
    pub fn support(&self) -> Option<Support> {
        self.support
    }

    /// The organisation's own policies that bind the actor.
    #[must_use]
    pub fn rules(&self) -> Option<&dyn Rules> {
        self.rules.as_deref()
    }

    /// The roles that the grants come from; empty for the system.
    #[must_use]
    pub fn roles(&self) -> &[RoleName] {
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
