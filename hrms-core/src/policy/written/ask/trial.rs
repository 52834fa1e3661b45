//! What changes of policies would change.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::actor::{Actor, Who};
use crate::error::{CommonError, FieldError};
use crate::id::{EmployeeId, LeaveRequestId, PolicyId};
use crate::page::PageRequest;
use crate::policy::cedar::{CedarRules, Source};
use crate::policy::rules::Locked;
use crate::policy::written::ask::turn::Turn;
use crate::policy::written::ask::{DryRun, DryRunResult, Flip, Thing, TriedChange, hard_rule, source};
use crate::policy::written::{PolicyError, PolicyService, WrittenPolicy, zone};
use crate::policy::{Decision, Kind, Permission, Policy, Resource, Rules, Scope};
use crate::store::Tx;
use crate::user::{UserFilter, UserStatus};

/// The most decisions of one dry run, each made twice.
const MOST_DECISIONS: usize = 10_000;
/// The most policies that all its decisions together look at: about a second's work.
const MOST_EVALUATIONS: usize = 400_000;
/// The most flips that a dry run tells one by one.
const MOST_FLIPS: usize = 200;
/// How many users and things a dry run looks at when none are named.
const SAMPLE: (u16, u16) = (25, 10);

/// What is to be worked out: who would do what to which things, under which policies.
struct Trial {
    all: Vec<WrittenPolicy>,
    changes: Vec<TriedChange>,
    at: Timestamp,
    zone: TimeZone,
    users: Vec<Actor>,
    pairs: Vec<(Permission, Thing)>,
}

/// Policies, compiled.
#[derive(Default)]
struct Compiled(Option<Arc<CedarRules>>);

impl PolicyService<'_> {
    /// What changes would change, without making them.
    ///
    /// # Errors
    /// When policies may not be seen; [`PolicyError::TooMuch`]; [`PolicyError::Asking`]; [`CommonError::Busy`]; faulty
    /// texts, with their place; users, employees or requests that aren't there or that the actor may not see.
    pub async fn dry_run(&self, actor: &Actor, ask: DryRun) -> Result<DryRunResult, PolicyError> {
        self.0.require(actor, Permission::PolicyRead, &Resource::organization())?;
        let turn = Turn::take(self.0, actor.tenant())?;
        let sample = self.sample(actor, &ask).await?;
        let mut tx = self.0.read(actor).await?;
        let at = ask.context.at.unwrap_or_else(|| self.0.clock().now());
        let all = tx.policies().all().await?;
        changed(&all, at, &ask.changes)?;
        let zone = zone(&mut *tx).await?;
        let permissions = match &ask.permissions {
            Some(named) => named.clone(),
            None => concerned(&all, &ask.changes),
        };
        let users = self.users(actor, &mut *tx, &ask, at).await?;
        let people = self.people(actor, &mut *tx, ask.employees.as_ref().unwrap_or(&sample.0)).await?;
        let (named, sampled) = (ask.leave_requests.as_ref(), ask.leave_requests.is_none());
        let requests = self.requests(actor, &mut *tx, named.unwrap_or(&sample.1), sampled).await?;
        let mut pairs = pairs(&permissions, &people, &requests);
        let asked = users.len().saturating_mul(pairs.len());
        if asked > MOST_DECISIONS {
            return Err(PolicyError::TooMuch { asked, most: MOST_DECISIONS });
        }
        // What lies above is the same for everybody: asked once for each kind of reach that somebody has.
        for scope in [Scope::ReportsTree, Scope::DepartmentTree] {
            let reaches = |user: &&Actor| user.grants().iter().any(|grant| grant.scope == scope);
            if let Some(user) = users.iter().find(reaches) {
                let resources = pairs.iter_mut().map(|(_, thing)| &mut thing.resource);
                self.0.complete_for_all(&mut *tx, user, resources, self.0.today()).await?;
            }
        }
        drop(tx);
        let trial = Trial { all, changes: ask.changes, at, zone, users, pairs };
        turn.think(move |hrms| trial.run(hrms.policy(), MOST_EVALUATIONS)).await?.map_err(Into::into)
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
        for (place, id) in ids.into_iter().enumerate() {
            let pointer = format!("/users/{place}");
            match self.user(actor, tx, id, &ask.context, at, &pointer).await {
                Ok(user) => users.push(user),
                // Nobody named them.
                Err(CommonError::Invalid(_)) if ask.users.is_none() => {}
                Err(error) => return Err(error.into()),
            }
        }
        within("/service_accounts", ask.service_accounts.len())?;
        for (place, id) in ask.service_accounts.iter().enumerate() {
            let pointer = format!("/service_accounts/{place}");
            users.push(self.program(actor, tx, *id, &ask.context, at, &pointer).await?);
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
        sampled: bool,
    ) -> Result<Vec<Thing>, PolicyError> {
        let mut requests = Vec::new();
        within("/leave_requests", named.len())?;
        for (at, id) in named.iter().enumerate() {
            let unknown = || CommonError::unknown_reference(format!("/leave_requests/{at}"));
            match self.request(actor, tx, *id).await? {
                Some(request) => requests.push(request),
                None if sampled => {}
                None => return Err(unknown().into()),
            }
        }
        Ok(requests)
    }
}

/// Each permission with each thing that it could be about.
fn pairs(permissions: &[Permission], people: &[Thing], requests: &[Thing]) -> Vec<(Permission, Thing)> {
    let whole = [Thing::default()];
    let mut pairs = Vec::new();
    for &permission in permissions {
        for kind in permission.kinds() {
            let things: &[Thing] = match kind {
                Kind::Employee | Kind::LeaveBalance => people,
                Kind::LeaveRequest => requests,
                _ => &whole,
            };
            pairs.extend(things.iter().map(|thing| (permission, thing.clone())));
        }
    }
    pairs
}

impl Trial {
    /// Makes each decision twice, as far as the budget goes.
    fn run(self, policy: &dyn Policy, budget: usize) -> Result<DryRunResult, CommonError> {
        let now = self.all.iter().filter(|one| one.is_in_force(self.at)).map(source);
        let now = Compiled::new(now.collect(), &self.zone);
        let then = Compiled::new(changed(&self.all, self.at, &self.changes)?, &self.zone);
        let mut result = DryRunResult::default();
        let mut left = budget;
        for user in &self.users {
            let (before, after) = (now.bind(user), then.bind(user));
            for (permission, thing) in &self.pairs {
                let cost = now.cost(*permission) + then.cost(*permission);
                let Some(rest) = left.checked_sub(cost) else {
                    result.truncated = true;
                    return Ok(result);
                };
                left = rest;
                result.decisions += 1;
                let decide = |user: &Actor| match hard_rule(user, *permission, &thing.resource) {
                    Some(_) => Decision::Deny,
                    None => policy.decide(user, *permission, &thing.resource),
                };
                result.note(user, *permission, thing, decide(&before), decide(&after));
            }
        }
        Ok(result)
    }
}

impl Compiled {
    fn new(sources: Vec<Source<'_>>, zone: &TimeZone) -> Self {
        Self(CedarRules::compile(sources, zone.clone()).ok().map(Arc::new))
    }

    fn bind(&self, user: &Actor) -> Actor {
        let rules: Arc<dyn Rules> = match &self.0 {
            Some(rules) => Arc::clone(rules) as Arc<dyn Rules>,
            None => Arc::new(Locked),
        };
        user.clone().with_rules(rules)
    }

    /// What a decision costs: what is paid for every one, and each policy that it looks at.
    fn cost(&self, permission: Permission) -> usize {
        1 + self.0.as_ref().map_or(0, |rules| rules.count(permission))
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
        if self.flips.len() < MOST_FLIPS {
            let service_account_id = match *user.who() {
                Who::Service { account, .. } => Some(account),
                _ => None,
            };
            self.flips.push(Flip {
                user_id: user.user_id(),
                service_account_id,
                permission,
                employee_id: thing.employee,
                leave_request_id: thing.request,
                before,
                after,
            });
        }
    }
}

fn within(pointer: &'static str, count: usize) -> Result<(), CommonError> {
    if count > 200 {
        return Err(CommonError::invalid(pointer, "too-long", "this may have at most 200 items"));
    }
    Ok(())
}

/// The policies in force with the changes made.
fn changed<'a>(
    all: &'a [WrittenPolicy],
    at: Timestamp,
    changes: &'a [TriedChange],
) -> Result<Vec<Source<'a>>, CommonError> {
    if changes.is_empty() || changes.len() > 50 {
        return Err(CommonError::invalid("/changes", "out-of-range", "try 1 to 50 changes at once"));
    }
    let mut then: Vec<Source<'a>> = all.iter().filter(|one| one.is_in_force(at)).map(source).collect();
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::actor::Cause;
    use crate::id::{RequestId, TenantId, UserId};
    use crate::policy::{Role, RolePolicy};

    fn trial(users: u128) -> Trial {
        let user = |number| {
            let user = UserId::from_uuid(Uuid::from_u128(number));
            let who = Who::User { user, session: None, employee: None };
            let tenant = TenantId::from_uuid(Uuid::from_u128(1));
            Actor::user(tenant, who, &[Role::Hr], Cause::Request, RequestId::from_uuid(Uuid::from_u128(2)))
        };
        let text = "forbid (principal, action == Action::\"location.read\", resource);".to_owned();
        Trial {
            all: Vec::new(),
            changes: vec![TriedChange { policy_id: None, text: Some(text) }],
            at: Timestamp::UNIX_EPOCH,
            zone: TimeZone::UTC,
            users: (0..users).map(user).collect(),
            pairs: pairs(&[Permission::LocationRead], &[], &[]),
        }
    }

    #[test]
    fn what_is_beyond_the_budget_is_left_out_and_said_so() {
        // Each decision is made once without and once with one policy.
        let result = trial(10).run(&RolePolicy, 30).unwrap();
        assert_eq!((result.decisions, result.lost, result.truncated), (10, 10, false));
        let result = trial(10).run(&RolePolicy, 14).unwrap();
        assert_eq!((result.decisions, result.lost, result.flips.len(), result.truncated), (4, 4, 4, true));
        assert!(!trial(0).run(&RolePolicy, 0).unwrap().truncated);
    }
}
