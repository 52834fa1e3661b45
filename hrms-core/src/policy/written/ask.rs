//! Asking about policies: why something is decided as it is, and what a change would change.

use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::actor::{Actor, Cause, Channel, Context, Who};
use crate::error::{CommonError, FieldError};
use crate::id::{EmployeeId, LeaveRequestId, PolicyId, UserId};
use crate::import::ImportKind;
use crate::leave::resource_of_request;
use crate::page::PageRequest;
use crate::policy::cedar::{CedarRules, Source};
use crate::policy::written::PolicyService;
use crate::policy::written::{PolicyError, WrittenPolicy, zone};
use crate::policy::{Decision, Details, Kind, Permission, Resource, Rules, Scope, Verdict};
use crate::store::Tx;
use crate::user::{UserFilter, UserStatus};

/// The most decisions of one dry run, each made twice.
const MOST_DECISIONS: usize = 10_000;
/// The most flips that a dry run tells one by one.
const MOST_FLIPS: usize = 200;
/// How many users and things a dry run looks at when none are named.
const SAMPLE: (u16, u16) = (25, 10);

/// A question about one decision.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ExplainDecision {
    /// Who would act.
    pub user_id: UserId,
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
    #[serde(default)]
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
    pub changes: Vec<TriedChange>,
    /// For whom; a sample of 25 users, when absent.
    #[serde(default)]
    pub users: Option<Vec<UserId>>,
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
    #[serde(default)]
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
}

/// A decision that would change.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Flip {
    /// Who acts.
    pub user_id: UserId,
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
        let mut tx = self.0.read(actor).await?;
        let at = ask.context.at.unwrap_or_else(|| self.0.clock().now());
        let subject = self.subject(actor, &mut *tx, ask.user_id, &ask.context, at).await?;
        let mut thing = self.thing(actor, &mut *tx, &ask).await?;
        self.0.complete(&mut *tx, &subject, [&mut thing.resource], self.0.today()).await?;
        let all = tx.policies().all().await?;
        let in_force: Vec<_> = all.iter().filter(|policy| policy.is_in_force(at)).collect();
        let sources = in_force.iter().map(|policy| Source { id: policy.id, text: &policy.text });
        let answer = match CedarRules::compile(sources, zone(&mut *tx).await?) {
            Ok(rules) => rules.ask(&subject, ask.permission, &thing.resource),
            Err(faults) => crate::policy::cedar::Answer {
                verdict: crate::policy::rules::Locked.judge(&subject, ask.permission, &thing.resource),
                decided: Vec::new(),
                errors: faults.into_iter().map(|(id, fault)| (Some(id), fault.to_string())).collect(),
            },
        };
        let policy = self.0.policy();
        let allowed_by_roles = policy.decide(&subject, ask.permission, &thing.resource) == Decision::Allow;
        let hard_rule = hard_rule(&subject, ask.permission, &thing.resource);
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
        let scopes = subject.grants().iter().filter(|grant| grant.permission == ask.permission);
        Ok(Explanation {
            decision,
            allowed_by_roles,
            scopes: scopes.map(|grant| grant.scope).collect(),
            verdict: answer.verdict,
            policies: answer.decided.iter().filter_map(named).collect(),
            errors: answer
                .errors
                .into_iter()
                .map(|(policy_id, detail)| EvaluationError { policy_id, detail })
                .collect(),
            hard_rule,
        })
    }

    /// What changes would change, without making them.
    ///
    /// # Errors
    /// When policies may not be seen; [`PolicyError::TooMuch`]; faulty texts, with their place; users,
    /// employees or requests that aren't there or that the actor may not see.
    pub async fn dry_run(&self, actor: &Actor, ask: DryRun) -> Result<DryRunResult, PolicyError> {
        self.0.require(actor, Permission::PolicyRead, &Resource::organization())?;
        let sample = self.sample(actor, &ask).await?;
        let mut tx = self.0.read(actor).await?;
        let at = ask.context.at.unwrap_or_else(|| self.0.clock().now());
        let all = tx.policies().all().await?;
        let now: Vec<Source<'_>> = all.iter().filter(|one| one.is_in_force(at)).map(source).collect();
        let then = changed(&all, &now, &ask.changes)?;
        let zone = zone(&mut *tx).await?;
        let permissions = match &ask.permissions {
            Some(named) => named.clone(),
            None => concerned(&all, &ask.changes),
        };
        let (now, then) = (compiled(now, &zone), compiled(then, &zone));
        let users = self.users(actor, &mut *tx, &ask, at).await?;
        let people = self.people(actor, &mut *tx, ask.employees.as_ref().unwrap_or(&sample.0)).await?;
        let requests =
            self.requests(actor, &mut *tx, ask.leave_requests.as_ref().unwrap_or(&sample.1)).await?;
        let whole = [Thing::default()];
        let mut pairs = Vec::new();
        for &permission in &permissions {
            for kind in permission.kinds() {
                let things: &[Thing] = match kind {
                    Kind::Employee | Kind::LeaveBalance => &people,
                    Kind::LeaveRequest => &requests,
                    _ => &whole,
                };
                pairs.extend(things.iter().map(|thing| (permission, thing)));
            }
        }
        let asked = users.len().saturating_mul(pairs.len());
        if asked > MOST_DECISIONS {
            return Err(PolicyError::TooMuch { asked, most: MOST_DECISIONS });
        }
        let mut result = DryRunResult { decisions: asked, ..DryRunResult::default() };
        for user in &users {
            let mut resources: Vec<Resource> =
                pairs.iter().map(|(_, thing)| thing.resource.clone()).collect();
            self.0.complete(&mut *tx, user, &mut resources, self.0.today()).await?;
            for ((permission, thing), resource) in pairs.iter().zip(&resources) {
                let decide = |rules: &Arc<dyn Rules>| {
                    let user = user.clone().with_rules(Arc::clone(rules));
                    match hard_rule(&user, *permission, resource) {
                        Some(_) => Decision::Deny,
                        None => self.0.policy().decide(&user, *permission, resource),
                    }
                };
                result.note(user, *permission, thing, decide(&now), decide(&then));
            }
        }
        Ok(result)
    }

    /// A user as they would act, if the asker may see them.
    async fn subject(
        &self,
        actor: &Actor,
        tx: &mut dyn Tx,
        user: UserId,
        context: &AssumedContext,
        at: Timestamp,
    ) -> Result<Actor, PolicyError> {
        let unknown = || CommonError::unknown_reference("/user_id");
        self.0.require(actor, Permission::UserRead, &Resource::organization()).map_err(|_| unknown())?;
        tx.users().get(user).await?.ok_or_else(unknown)?;
        let standing = tx.users().rights(user, self.0.today()).await?;
        let (employee, roles, grants, facts) = match standing {
            Some(standing) => (standing.employee, standing.roles, standing.grants, standing.facts),
            // Disabled: nothing is left to them.
            None => Default::default(),
        };
        let who = Who::User { user, session: None, employee };
        let subject = Actor::with_grants(actor.tenant(), who, roles, grants, Cause::Request, actor.request());
        Ok(subject.with_facts(facts).with_context(Context {
            at: Some(at),
            address: context.address,
            channel: Channel::Api,
            second_factor: context.second_factor,
            ..Context::default()
        }))
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
        let seen = self.0.policy().decide(actor, Permission::LeaveRead, &resource) == Decision::Allow;
        Ok(seen.then_some(Thing { employee: resource.owner, request: Some(id), resource }))
    }

    async fn users(
        &self,
        actor: &Actor,
        tx: &mut dyn Tx,
        ask: &DryRun,
        at: Timestamp,
    ) -> Result<Vec<Actor>, PolicyError> {
        self.0.require(actor, Permission::UserRead, &Resource::organization())?;
        let ids = match &ask.users {
            Some(named) => named.clone(),
            None => {
                let filter = UserFilter { status: Some(UserStatus::Active), ..UserFilter::default() };
                let page = PageRequest { limit: SAMPLE.0, ..PageRequest::default() };
                let users = tx.users().list(&filter, &page).await?;
                users.into_iter().take(SAMPLE.0.into()).map(|user| user.id).collect()
            }
        };
        within("/users", ids.len())?;
        let mut users = Vec::new();
        for (at_place, id) in ids.into_iter().enumerate() {
            let subject = self.subject(actor, tx, id, &ask.context, at).await;
            users.push(subject.map_err(|error| match error {
                PolicyError::Common(CommonError::Invalid(_)) => {
                    CommonError::unknown_reference(format!("/users/{at_place}")).into()
                }
                other => other,
            })?);
        }
        Ok(users)
    }

    /// Employees and requests to try changes on, of those that the asker may see, where none are named.
    async fn sample(
        &self,
        actor: &Actor,
        ask: &DryRun,
    ) -> Result<(Vec<EmployeeId>, Vec<LeaveRequestId>), PolicyError> {
        let (mut people, mut requests) = (Vec::new(), Vec::new());
        let may = |permission| self.0.visibility(actor, permission).is_ok();
        if ask.employees.is_none() && may(Permission::EmployeeRead) {
            let page = PageRequest { limit: SAMPLE.1, ..PageRequest::default() };
            let sample = self.0.employees().list(actor, &Default::default(), &page).await;
            let sample = sample.map_err(|_| CommonError::Busy)?;
            people.extend(sample.items.into_iter().map(|one| one.id));
        }
        if ask.leave_requests.is_none() && may(Permission::LeaveRead) {
            let page = PageRequest { limit: SAMPLE.1, ..PageRequest::default() };
            let sample = self.0.leave().list(actor, &Default::default(), &page).await;
            let sample = sample.map_err(|_| CommonError::Busy)?;
            requests.extend(sample.items.into_iter().map(|one| one.id));
        }
        Ok((people, requests))
    }

    async fn people(
        &self,
        actor: &Actor,
        tx: &mut dyn Tx,
        named: &[EmployeeId],
    ) -> Result<Vec<Thing>, PolicyError> {
        let mut people = Vec::new();
        within("/employees", named.len())?;
        for (at, id) in named.iter().enumerate() {
            let unknown = || CommonError::unknown_reference(format!("/employees/{at}"));
            people.push(self.person(actor, tx, *id).await?.ok_or_else(unknown)?);
        }
        Ok(people)
    }

    async fn requests(
        &self,
        actor: &Actor,
        tx: &mut dyn Tx,
        named: &[LeaveRequestId],
    ) -> Result<Vec<Thing>, PolicyError> {
        let mut requests = Vec::new();
        within("/leave_requests", named.len())?;
        for (at, id) in named.iter().enumerate() {
            let unknown = || CommonError::unknown_reference(format!("/leave_requests/{at}"));
            requests.push(self.request(actor, tx, *id).await?.ok_or_else(unknown)?);
        }
        Ok(requests)
    }
}

impl DryRunResult {
    fn note(
        &mut self,
        user: &Actor,
        permission: Permission,
        thing: &Thing,
        before: Decision,
        after: Decision,
    ) {
        match (before, after) {
            (Decision::Deny, Decision::Allow) => self.gained += 1,
            (Decision::Allow, Decision::Deny) => self.lost += 1,
            _ => return,
        }
        if let (Some(user_id), true) = (user.user_id(), self.flips.len() < MOST_FLIPS) {
            let (employee_id, leave_request_id) = (thing.employee, thing.request);
            self.flips.push(Flip { user_id, permission, employee_id, leave_request_id, before, after });
        }
    }
}

fn source(policy: &WrittenPolicy) -> Source<'_> {
    Source { id: policy.id, text: &policy.text }
}

fn within(pointer: &'static str, count: usize) -> Result<(), CommonError> {
    if count > 200 {
        return Err(CommonError::invalid(pointer, "too-long", "this may have at most 200 items"));
    }
    Ok(())
}

/// What nobody can do, whatever roles and policies say.
fn hard_rule(subject: &Actor, permission: Permission, resource: &Resource) -> Option<&'static str> {
    let own = subject.employee().is_some() && subject.employee() == resource.owner;
    match permission {
        Permission::LeaveDecide if own => Some("leave.self-approval"),
        Permission::LeaveGrant if own => Some("leave.self-grant"),
        _ => None,
    }
}

/// The policies with the changes made.
fn changed<'a>(
    all: &[WrittenPolicy],
    now: &[Source<'a>],
    changes: &'a [TriedChange],
) -> Result<Vec<Source<'a>>, CommonError> {
    if changes.is_empty() || changes.len() > 50 {
        return Err(CommonError::invalid("/changes", "out-of-range", "try 1 to 50 changes at once"));
    }
    let mut then = now.to_vec();
    let mut faults = Vec::new();
    for (at, change) in changes.iter().enumerate() {
        let id = match change.policy_id {
            Some(id) if all.iter().any(|policy| policy.id == id) => id,
            Some(_) => {
                faults.push(FieldError::unknown_reference(format!("/changes/{at}/policy_id")));
                continue;
            }
            // Told apart from each other and from every real one.
            None => PolicyId::from_uuid(uuid::Uuid::from_u128(at as u128)),
        };
        then.retain(|source| source.id != id);
        if let Some(text) = &change.text {
            for fault in crate::policy::cedar::check(text).err().into_iter().flatten() {
                faults.push(FieldError::new(format!("/changes/{at}/text"), fault.code, fault.to_string()));
            }
            then.push(Source { id, text });
        } else if change.policy_id.is_none() {
            let detail = "say which policy to remove, or what to add";
            faults.push(FieldError::new(format!("/changes/{at}"), "required", detail));
        }
    }
    if faults.is_empty() { Ok(then) } else { Err(CommonError::Invalid(faults)) }
}

/// The permissions that the changed policies are about, before or after.
fn concerned(all: &[WrittenPolicy], changes: &[TriedChange]) -> Vec<Permission> {
    let old = changes.iter().filter_map(|change| {
        let policy = all.iter().find(|policy| Some(policy.id) == change.policy_id)?;
        Some(policy.text.as_str())
    });
    let texts: Vec<&str> = changes.iter().filter_map(|change| change.text.as_deref()).chain(old).collect();
    let about = |permission: &Permission| {
        texts.iter().any(|text| crate::policy::cedar::concerns_text(text, *permission))
    };
    Permission::ALL.iter().copied().filter(about).collect()
}

fn compiled(sources: Vec<Source<'_>>, zone: &jiff::tz::TimeZone) -> Arc<dyn Rules> {
    match CedarRules::compile(sources, zone.clone()) {
        Ok(rules) => Arc::new(rules),
        Err(_) => Arc::new(crate::policy::rules::Locked),
    }
}
