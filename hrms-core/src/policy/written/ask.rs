//! Asking about policies: why something is decided as it is, and what a change would change.

mod trial;
mod turn;

use std::net::IpAddr;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::actor::{Actor, Cause, Channel, Context, Who};
use crate::api_key::KeyHolder;
use crate::error::{CommonError, FieldError};
use crate::hrms::Hrms;
use crate::id::{ApiKeyId, EmployeeId, LeaveRequestId, PolicyId, ServiceAccountId, UserId};
use crate::import::ImportKind;
use crate::leave::resource_of_request;
use crate::object;
use crate::policy::cedar::{Answer, CedarRules, Source};
use crate::policy::rules::Locked;
use crate::policy::written::PolicyService;
use crate::policy::written::{PolicyError, WrittenPolicy, zone};
use crate::policy::{Decision, Details, Kind, Permission, Resource, Rules, Scope, Verdict};
use crate::service_account::ServiceAccountStatus;
use crate::store::Tx;

pub(crate) use turn::Asking;
use turn::Turn;

/// A question about one decision.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ExplainDecision {
    /// Who would act: a user…
    #[serde(default)]
    pub user_id: Option<UserId>,
    /// …or an integration, with any of its keys.
    #[serde(default)]
    pub service_account_id: Option<ServiceAccountId>,
    /// What they would do.
    pub permission: Permission,
    /// To whom, or to whose things; without it, to things of the organisation as a whole.
    #[serde(default)]
    pub employee_id: Option<EmployeeId>,
    /// To which request for leave.
    #[serde(default)]
    pub leave_request_id: Option<LeaveRequestId>,
    /// What would be imported or exported.
    #[serde(default)]
    pub data: Option<ImportKind>,
    /// In which circumstances.
    #[serde(default, deserialize_with = "object::one")]
    pub context: AssumedContext,
}

/// Circumstances to be assumed.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct AssumedContext {
    /// When; now, when absent. Policies count that are in force then.
    pub at: Option<Timestamp>,
    /// From which network address.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub address: Option<IpAddr>,
    /// Whether with a second factor.
    pub second_factor: bool,
}

/// Why something is decided as it is.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Explanation {
    /// The decision.
    pub decision: Decision,
    /// Whether roles alone would allow it.
    pub allowed_by_roles: bool,
    /// The scopes in which the user's roles grant the permission.
    pub scopes: Vec<Scope>,
    /// What the organisation's policies say.
    pub verdict: Verdict,
    /// The policies that say so.
    pub policies: Vec<DecidingPolicy>,
    /// What couldn't be evaluated, missing attributes among it: each of them forbids.
    pub errors: Vec<EvaluationError>,
    /// The rule of the service that no role and no policy overrides, where one decides.
    pub hard_rule: Option<&'static str>,
}

/// A policy that took part in a decision.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DecidingPolicy {
    /// Its id.
    pub id: PolicyId,
    /// What people call it.
    pub name: String,
}

/// Something that couldn't be evaluated.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EvaluationError {
    /// The policy.
    pub policy_id: Option<PolicyId>,
    /// What is wrong.
    pub detail: String,
}

/// A change to be tried without being made.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TriedChange {
    /// The policy that is replaced or removed; without it, one is added.
    #[serde(default)]
    pub policy_id: Option<PolicyId>,
    /// What it says then; without it, it is removed.
    #[serde(default)]
    pub text: Option<String>,
}

/// Changes to be tried, and on what.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DryRun {
    /// What would change, 1 to 50 policies. What is tried counts as enabled and in force.
    #[serde(deserialize_with = "object::list")]
    pub changes: Vec<TriedChange>,
    /// For whom; a sample of 25 users, when absent.
    #[serde(default)]
    pub users: Option<Vec<UserId>>,
    /// For which integrations; none, when absent.
    #[serde(default)]
    pub service_accounts: Vec<ServiceAccountId>,
    /// What they would do; what the changed policies are about, when absent.
    #[serde(default)]
    pub permissions: Option<Vec<Permission>>,
    /// To whom; a sample of 10 employees, when absent.
    #[serde(default)]
    pub employees: Option<Vec<EmployeeId>>,
    /// To which requests for leave; a sample of 10, when absent.
    #[serde(default)]
    pub leave_requests: Option<Vec<LeaveRequestId>>,
    /// In which circumstances.
    #[serde(default, deserialize_with = "object::one")]
    pub context: AssumedContext,
}

/// What changes would change.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DryRunResult {
    /// How many decisions were looked at.
    pub decisions: usize,
    /// How many of them are denied now and would be allowed.
    pub gained: usize,
    /// How many of them are allowed now and would be denied.
    pub lost: usize,
    /// Those that would change, at most 200.
    pub flips: Vec<Flip>,
    /// Whether it took too long to look at all of them. Name fewer users, permissions or resources.
    pub truncated: bool,
}

/// A decision that would change.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Flip {
    /// Who acts, if a user does.
    pub user_id: Option<UserId>,
    /// Which integration acts, if one does.
    pub service_account_id: Option<ServiceAccountId>,
    /// What they do.
    pub permission: Permission,
    /// To whom.
    pub employee_id: Option<EmployeeId>,
    /// To which request for leave.
    pub leave_request_id: Option<LeaveRequestId>,
    /// What is decided now.
    pub before: Decision,
    /// What would be decided.
    pub after: Decision,
}

/// A thing to be decided about, as far as the asker may know of it.
#[derive(Clone, Default)]
struct Thing {
    employee: Option<EmployeeId>,
    request: Option<LeaveRequestId>,
    resource: Resource,
}

impl PolicyService<'_> {
    /// Why something is decided as it is.
    ///
    /// # Errors
    /// When policies may not be seen; a user, employee or request that isn't there or that the actor may not
    /// see; parameters that contradict each other.
    pub async fn explain(&self, actor: &Actor, ask: ExplainDecision) -> Result<Explanation, PolicyError> {
        self.0.require(actor, Permission::PolicyRead, &Resource::organization())?;
        let turn = Turn::take(self.0, actor.tenant())?;
        let mut tx = self.0.read(actor).await?;
        let at = ask.context.at.unwrap_or_else(|| self.0.clock().now());
        let context = &ask.context;
        let subject = match (ask.user_id, ask.service_account_id) {
            (user, Some(account)) => {
                let program =
                    self.program(actor, &mut *tx, account, context, at, "/service_account_id").await?;
                if user.is_some() {
                    let detail = "name either a user or a service account";
                    return Err(CommonError::invalid("/user_id", "contradicts", detail).into());
                }
                program
            }
            (Some(user), None) => self.user(actor, &mut *tx, user, context, at, "/user_id").await?,
            (None, None) => {
                let detail = "name a user or a service account";
                return Err(CommonError::invalid("/user_id", "missing", detail).into());
            }
        };
        let mut thing = self.thing(actor, &mut *tx, &ask).await?;
        self.0.complete_for_all(&mut *tx, &subject, [&mut thing.resource], self.0.today()).await?;
        let all = tx.policies().all().await?;
        let in_force: Vec<_> = all.into_iter().filter(|policy| policy.is_in_force(at)).collect();
        let zone = zone(&mut *tx).await?;
        drop(tx);
        turn.think(move |hrms| explained(hrms, &subject, ask.permission, &thing.resource, &in_force, zone))
            .await
            .map_err(Into::into)
    }
    /// A user as they would act, if the asker may see them, and their employment if they have one: what policies
    /// say of somebody tells where they work.
    async fn user(
        &self,
        actor: &Actor,
        tx: &mut dyn Tx,
        user: UserId,
        context: &AssumedContext,
        at: Timestamp,
        pointer: &str,
    ) -> Result<Actor, CommonError> {
        let unknown = || CommonError::unknown_reference(pointer.to_owned());
        self.0.require(actor, Permission::UserRead, &Resource::organization()).map_err(|_| unknown())?;
        tx.users().get(user).await?.ok_or_else(unknown)?;
        let standing = tx.users().rights(user, self.0.today()).await?;
        let (employee, roles, grants, facts, also) = match standing {
            Some(own) => (own.employee, own.roles, own.grants, own.facts, own.counts_as),
            // Disabled: nothing is left to them.
            None => Default::default(),
        };
        if let Some(employee) = employee
            && self.person(actor, tx, employee).await?.is_none()
        {
            let detail = "policies look at this user's employment, which you may not see";
            return Err(CommonError::invalid(pointer.to_owned(), "employee-not-visible", detail));
        }
        let who = Who::User { user, session: None, employee };
        let subject = Actor::with_grants(actor.tenant(), who, roles, grants, Cause::Request, actor.request());
        Ok(subject.with_facts(facts).also_counting_as(also).with_context(context.assumed(at)))
    }

    /// An integration as it would act, if the asker may see it: with a key that may do all that the account may.
    async fn program(
        &self,
        actor: &Actor,
        tx: &mut dyn Tx,
        account: ServiceAccountId,
        context: &AssumedContext,
        at: Timestamp,
        pointer: &str,
    ) -> Result<Actor, CommonError> {
        let unknown = || CommonError::unknown_reference(pointer.to_owned());
        self.0.require(actor, Permission::ApiKeyRead, &Resource::organization()).map_err(|_| unknown())?;
        let found = tx.service_accounts().get(account).await?.ok_or_else(unknown)?;
        let permissions = match found.status {
            ServiceAccountStatus::Active => found.permissions,
            ServiceAccountStatus::Disabled => Vec::new(),
        };
        // No policy looks at the key.
        let key = ApiKeyId::from_uuid(uuid::Uuid::nil());
        let holder = KeyHolder { tenant: actor.tenant(), account, key, permissions };
        Ok(holder.actor(Cause::Request, actor.request()).with_context(context.assumed(at)))
    }

    /// What a question is about, if the asker may see it.
    async fn thing(
        &self,
        actor: &Actor,
        tx: &mut dyn Tx,
        ask: &ExplainDecision,
    ) -> Result<Thing, PolicyError> {
        let about = |kind: Kind| ask.permission.kinds().contains(&kind);
        let people = about(Kind::Employee) || about(Kind::LeaveBalance);
        let data = about(Kind::Import) || about(Kind::Export);
        let contradictions = [
            ("/leave_request_id", ask.leave_request_id.is_some() && !about(Kind::LeaveRequest)),
            ("/employee_id", ask.employee_id.is_some() && (!people || ask.leave_request_id.is_some())),
            ("/data", ask.data.is_some() && !data),
        ];
        let faults: Vec<_> = contradictions
            .into_iter()
            .filter(|(_, wrong)| *wrong)
            .map(|(at, _)| FieldError::new(at, "contradicts", "the permission isn't about this"))
            .collect();
        if !faults.is_empty() {
            return Err(CommonError::Invalid(faults).into());
        }
        if let Some(request) = ask.leave_request_id {
            let found = self.request(actor, tx, request).await?;
            return Ok(found.ok_or_else(|| CommonError::unknown_reference("/leave_request_id"))?);
        }
        if let Some(employee) = ask.employee_id {
            let found = self.person(actor, tx, employee).await?;
            return Ok(found.ok_or_else(|| CommonError::unknown_reference("/employee_id"))?);
        }
        let details = ask.data.map_or(Details::None, Details::Data);
        Ok(Thing { resource: Resource::organization().with_details(details), ..Thing::default() })
    }

    async fn person(
        &self,
        actor: &Actor,
        tx: &mut dyn Tx,
        id: EmployeeId,
    ) -> Result<Option<Thing>, CommonError> {
        let today = self.0.today();
        let Some(row) = tx.employees().view(id, today, today).await? else { return Ok(None) };
        let mut resource = row.resource;
        self.0.complete(tx, actor, [&mut resource], today).await?;
        let seen = self.0.policy().decide(actor, Permission::EmployeeRead, &resource) == Decision::Allow;
        Ok(seen.then_some(Thing { employee: Some(id), request: None, resource }))
    }

    async fn request(
        &self,
        actor: &Actor,
        tx: &mut dyn Tx,
        id: LeaveRequestId,
    ) -> Result<Option<Thing>, CommonError> {
        let Some(resource) = resource_of_request(self.0, tx, actor, id).await? else { return Ok(None) };
        // What policies say of a request tells where its owner works, too.
        let seen = self.0.policy().decide(actor, Permission::LeaveRead, &resource) == Decision::Allow
            && match resource.owner {
                Some(owner) => self.person(actor, tx, owner).await?.is_some(),
                None => true,
            };
        Ok(seen.then_some(Thing { employee: resource.owner, request: Some(id), resource }))
    }
}

impl AssumedContext {
    fn assumed(&self, at: Timestamp) -> Context {
        Context {
            at: Some(at),
            address: self.address,
            channel: Channel::Api,
            second_factor: self.second_factor,
            ..Context::default()
        }
    }
}

/// The decision and its reasons.
fn explained(
    hrms: &Hrms,
    subject: &Actor,
    permission: Permission,
    resource: &Resource,
    in_force: &[WrittenPolicy],
    zone: TimeZone,
) -> Explanation {
    let answer = match CedarRules::compile(in_force.iter().map(source), zone) {
        Ok(rules) => rules.ask(subject, permission, resource),
        Err(faults) => Answer {
            verdict: Locked.judge(subject, permission, resource),
            decided: Vec::new(),
            errors: faults.into_iter().map(|(id, fault)| (Some(id), fault.to_string())).collect(),
        },
    };
    let allowed_by_roles = hrms.policy().decide(subject, permission, resource) == Decision::Allow;
    let hard_rule = hard_rule(subject, permission, resource);
    let decision = match answer.verdict {
        _ if hard_rule.is_some() => Decision::Deny,
        Verdict::Permit => Decision::Allow,
        Verdict::Silent if allowed_by_roles => Decision::Allow,
        Verdict::Silent | Verdict::Forbid => Decision::Deny,
    };
    let named = |id: &PolicyId| {
        let policy = in_force.iter().find(|policy| policy.id == *id)?;
        Some(DecidingPolicy { id: *id, name: policy.name.clone() })
    };
    let scopes = subject.grants().iter().filter(|grant| grant.permission == permission);
    let errors = answer.errors.into_iter();
    Explanation {
        decision,
        allowed_by_roles,
        scopes: scopes.map(|grant| grant.scope).collect(),
        verdict: answer.verdict,
        policies: answer.decided.iter().filter_map(named).collect(),
        errors: errors.map(|(policy_id, detail)| EvaluationError { policy_id, detail }).collect(),
        hard_rule,
    }
}

fn source(policy: &WrittenPolicy) -> Source<'_> {
    Source { id: policy.id, text: &policy.text }
}

/// What nobody can do, whatever roles and policies say.
fn hard_rule(subject: &Actor, permission: Permission, resource: &Resource) -> Option<&'static str> {
    let own = resource.owner.is_some_and(|owner| subject.counts_as(owner));
    match permission {
        _ if matches!(subject.who(), Who::Service { .. }) && !permission.is_for_programs() => {
            Some("not-for-programs")
        }
        Permission::LeaveDecide if own => Some("leave.self-approval"),
        Permission::LeaveGrant if own => Some("leave.self-grant"),
        Permission::EmployeeManageCompensation if own => Some("employee.own-details"),
        _ => None,
    }
}
