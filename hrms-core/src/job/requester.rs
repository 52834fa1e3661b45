//! Whom a job acts for: stored with the job, and made an actor again when it runs.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::actor::{Actor, Cause, Channel, Context, Support, Who};
use crate::api_key::KeyHolder;
use crate::error::CommonError;
use crate::hrms::Hrms;
use crate::id::{ApiKeyId, EmployeeId, RequestId, ServiceAccountId, TenantId, UserId};
use crate::identity::Subject;
use crate::job::{JobError, JobFault, JobRecord};
use crate::organization::OrganizationStatus;
use crate::policy::{Grant, Permission, RoleName};
use crate::store::Tx;

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
        /// The operator of the service who acted through them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        support: Option<Support>,
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
                let (roles, grants) = (actor.roles().to_vec(), actor.grants().to_vec());
                Self::User { user, employee, roles, grants, support: actor.support() }
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

/// The actor that a job runs as. The organisation's own policies bind it like a request.
///
/// # Errors
/// When the user may do nothing here any more, or storage fails.
pub(crate) async fn actor_of(hrms: &Hrms, tenant: TenantId, job: &JobRecord) -> Result<Actor, JobError> {
    if let Requester::User { user, support: Some(support), .. } = &job.requester {
        return supported(hrms, tenant, job, *user, *support).await;
    }
    let cause = Cause::Job(job.id);
    if let Requester::System { permissions } = &job.requester {
        let actor = Actor::system(tenant, "job", permissions, cause, job.request);
        return Ok(in_job(hrms, tenant, job, actor).await?);
    }
    let mut tx = hrms.store().read(tenant).await?;
    let Some(actor) = actor_in(hrms, &mut *tx, tenant, &job.requester, cause, job.request).await? else {
        require_open(&mut *tx).await?;
        return Err(JobError::GiveUp(JobFault {
            code: "job.requester-disabled".to_owned(),
            detail: "whoever asked for this, a user or an API key, is no good any more".to_owned(),
        }));
    };
    drop(tx);
    Ok(in_job(hrms, tenant, job, actor).await?)
}

fn context(hrms: &Hrms, job: &JobRecord) -> Context {
    Context { at: Some(hrms.clock().now()), channel: Channel::Job, trace: job.trace, ..Context::default() }
}

/// The requesters of late, so that thousands of jobs of one don't ask for the same rights each.
#[derive(Debug)]
pub(crate) struct Requesters {
    keep: SignedDuration,
    known: Mutex<HashMap<(TenantId, Uuid), Known>>,
}

#[derive(Debug)]
struct Known {
    requester: Requester,
    actor: Actor,
    asked_at: Timestamp,
}

/// So many requesters are remembered.
const MOST: usize = 10_000;

impl Requesters {
    /// Remembers what it was told for so long.
    pub(crate) fn keeping(keep: SignedDuration) -> Self {
        Self { keep, known: Mutex::default() }
    }

    /// The actor that a job runs as, with rights that were looked up a moment ago.
    ///
    /// # Errors
    /// As [`actor_of`].
    pub(crate) async fn actor_of(
        &self,
        hrms: &Hrms,
        tenant: TenantId,
        job: &JobRecord,
    ) -> Result<Actor, JobError> {
        let key = match &job.requester {
            Requester::User { user, support: None, .. } => (tenant, user.as_uuid()),
            Requester::Service { key, .. } => (tenant, key.as_uuid()),
            _ => return actor_of(hrms, tenant, job).await,
        };
        let now = hrms.clock().now();
        if let Some(actor) = self.known(key, &job.requester, now) {
            return Ok(actor.acting_for(Cause::Job(job.id), job.request, context(hrms, job)));
        }
        let actor = actor_of(hrms, tenant, job).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        let entry = Known { requester: job.requester.clone(), actor: actor.clone(), asked_at: now };
        known.insert(key, entry);
        Ok(actor)
    }

    fn known(&self, key: (TenantId, Uuid), requester: &Requester, now: Timestamp) -> Option<Actor> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get(&key).filter(|known| known.requester == *requester)?;
        let age = now.duration_since(known.asked_at);
        (SignedDuration::ZERO <= age && age < self.keep).then(|| known.actor.clone())
    }
}

/// The actor bound by the organisation's own policies, in the circumstances of a job.
async fn in_job(hrms: &Hrms, tenant: TenantId, job: &JobRecord, actor: Actor) -> Result<Actor, CommonError> {
    let actor = actor.with_context(context(hrms, job));
    Ok(match hrms.rules_of(tenant).await? {
        Some(rules) => actor.with_rules(rules),
        None => actor,
    })
}

/// Whoever asked for something earlier, with the rights they have now; `None` when they can't act any more. The
/// one place where what is done later gets its rights.
///
/// A member of the organisation gets the roles, employee and employment that they have now, so that rights
/// taken away meanwhile are gone. Users whom the organisation doesn't know belong to an embedder who
/// manages them: they keep what they had. What an operator asked for through somebody is none of that
/// person's asking.
pub(crate) async fn actor_in(
    hrms: &Hrms,
    tx: &mut dyn Tx,
    tenant: TenantId,
    requester: &Requester,
    cause: Cause,
    request: RequestId,
) -> Result<Option<Actor>, CommonError> {
    let (user, employee, roles, grants) = match requester {
        Requester::System { permissions } => {
            return Ok(Some(Actor::system(tenant, "job", permissions, cause, request)));
        }
        Requester::Service { account, key, .. } => {
            let standing = tx.api_keys().standing(*key, hrms.clock().now()).await?;
            let standing = standing.filter(|standing| standing.account == *account);
            return Ok(standing.map(|standing| {
                let permissions = standing.permissions;
                KeyHolder { tenant, account: *account, key: *key, permissions }.actor(cause, request)
            }));
        }
        Requester::User { support: Some(_), .. } => return Ok(None),
        Requester::User { user, employee, roles, grants, .. } => (*user, *employee, roles, grants),
    };
    let as_user = |employee, roles: &[RoleName], grants: Vec<Grant>| {
        let who = Who::User { user, session: None, employee };
        Actor::with_grants(tenant, who, roles.to_vec(), grants, cause, request)
    };
    if tx.users().get(user).await?.is_none() {
        return Ok(Some(as_user(employee, roles, grants.clone())));
    }
    let standing = tx.users().rights(user, hrms.today()).await?;
    Ok(standing.map(|standing| {
        as_user(standing.employee, &standing.roles, standing.grants)
            .with_facts(standing.facts)
            .also_counting_as(standing.counts_as)
    }))
}

/// What an operator of the service asked for through somebody's rights ends with the grant.
async fn supported(
    hrms: &Hrms,
    tenant: TenantId,
    job: &JobRecord,
    user: UserId,
    support: Support,
) -> Result<Actor, JobError> {
    let mut tx = hrms.store().read(tenant).await?;
    require_open(&mut *tx).await?;
    let grant = tx.support_grants().get(support.grant).await?;
    drop(tx);
    let standing = match grant {
        Some(grant) => {
            let subject = Subject { tenant: Some(tenant), user, session: grant.session };
            hrms.support().standing(&subject, support).await?
        }
        None => None,
    };
    let Some(standing) = standing else {
        return Err(JobError::GiveUp(JobFault {
            code: "job.support-ended".to_owned(),
            detail: "the support access under which this was asked for has ended".to_owned(),
        }));
    };
    let who = Who::User { user, session: None, employee: standing.employee };
    let cause = Cause::Job(job.id);
    let actor = Actor::with_grants(tenant, who, standing.roles, standing.grants, cause, job.request);
    let actor = actor.with_facts(standing.facts).also_counting_as(standing.counts_as);
    Ok(in_job(hrms, tenant, job, actor.with_support(support)).await?)
}

/// Jobs of an organisation that isn't in use wait until it is again.
async fn require_open(tx: &mut dyn Tx) -> Result<(), JobError> {
    match tx.organization().get().await? {
        Some(organization) if organization.status != OrganizationStatus::Active => {
            Err(JobError::Retry(JobFault {
                code: "job.organization-inactive".to_owned(),
                detail: "the organisation isn't in use".to_owned(),
            }))
        }
        _ => Ok(()),
    }
}
