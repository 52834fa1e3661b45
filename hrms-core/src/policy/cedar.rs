//! An organisation's own policies in the Cedar language, compiled and asked.
//!
//! Policies are checked against a published [`SCHEMA`] when they are saved and when they are compiled. A decision
//! looks only at policies that name its permission or none; a permission that no policy is about costs nothing.
//! Whatever goes wrong in an evaluation forbids.

mod check;
mod evasion;
mod mentions;
mod merged;
mod question;
#[cfg(test)]
mod schema;
#[cfg(test)]
mod tests;

use std::sync::{LazyLock, OnceLock};

use cedar_policy::{
    ActionConstraint, AuthorizationError, Authorizer, Decision, Effect, EntityUid, Policy,
    PolicyId as CedarId, PolicySet, PolicySetError, ResourceConstraint, Schema,
};
use jiff::tz::TimeZone;

use crate::actor::Actor;
use crate::id::PolicyId;
use crate::policy::cedar::mentions::{Mentions, conditions_mention};
use crate::policy::rules::is_out_of_reach;
use crate::policy::{Permission, Receiver, Resource, Rules, Verdict};

pub use check::{Fault, MAX_TEXT, check};

/// The schema of policies, in Cedar's own notation: who acts, on what, in which circumstances.
pub const SCHEMA: &str = include_str!("hrms.cedarschema");

/// The schema, read once; the text of the fault where it can't be.
static COMPILED: LazyLock<Result<Schema, String>> = LazyLock::new(|| {
    Schema::from_cedarschema_str(SCHEMA).map(|(schema, _)| schema).map_err(|error| error.to_string())
});

/// A policy in force, to be compiled.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Which one; answers name it.
    pub id: PolicyId,
    /// What it says.
    pub text: &'a str,
}

/// The policies in force of one organisation, ready to be asked.
#[derive(Clone, Debug)]
pub struct CedarRules {
    /// By the permission's place in [`Permission::ALL`].
    slices: Vec<Option<Slice>>,
    zone: TimeZone,
}

/// The policies that could say something to one permission.
#[derive(Clone, Debug, Default)]
struct Slice {
    policies: PolicySet,
    /// The same with what several of them ask asked once, when first asked.
    merged: OnceLock<PolicySet>,
    mentions: Mentions,
    permits: bool,
    tells_apart: bool,
    /// Those of them that forbid, and one person more than another.
    against_people: PolicySet,
    /// Those that forbid, and people more than programs.
    against_users: PolicySet,
}

/// The policies one by one, or merged.
type Which = fn(&Slice) -> &PolicySet;

/// What policies say to a question, and which of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What they say together.
    pub verdict: Verdict,
    /// The policies that say so.
    pub decided: Vec<PolicyId>,
    /// What couldn't be evaluated, and why.
    pub errors: Vec<(Option<PolicyId>, String)>,
}

impl Answer {
    fn silent() -> Self {
        Self { verdict: Verdict::Silent, decided: Vec::new(), errors: Vec::new() }
    }

    fn failed(error: impl ToString) -> Self {
        Self { verdict: Verdict::Forbid, errors: vec![(None, error.to_string())], ..Self::silent() }
    }
}

/// What is known of a policy before it is asked anything.
struct Traits {
    mentions: Mentions,
    permits: bool,
    /// Whether it forbids, and one thing more than another.
    tells_apart: bool,
    against_people: bool,
    against_users: bool,
}

impl Traits {
    fn of(policy: &Policy) -> Self {
        let forbids = policy.effect() == Effect::Forbid;
        Self {
            mentions: Mentions::of(policy),
            permits: !forbids,
            tells_apart: forbids && looks_at_resource(policy),
            against_people: forbids && evasion::tells_people_apart(policy),
            against_users: forbids && evasion::tells_programs_apart(policy),
        }
    }
}

impl Slice {
    fn add(&mut self, policy: &Policy, traits: &Traits) -> Result<(), Box<PolicySetError>> {
        self.mentions.add(&traits.mentions);
        self.permits |= traits.permits;
        self.tells_apart |= traits.tells_apart;
        if traits.against_people {
            self.against_people.add(policy.clone())?;
        }
        if traits.against_users {
            self.against_users.add(policy.clone())?;
        }
        Ok(self.policies.add(policy.clone())?)
    }

    fn merged(&self) -> &PolicySet {
        // As they are, where they can't be merged: they say the same, if more slowly.
        self.merged.get_or_init(|| merged::merged(&self.policies).unwrap_or_else(|_| self.policies.clone()))
    }
}

impl CedarRules {
    /// Compiles policies. Local times and dates are told in `zone`.
    ///
    /// # Errors
    /// Every fault of every policy that the schema doesn't take.
    pub fn compile<'a>(
        sources: impl IntoIterator<Item = Source<'a>>,
        zone: TimeZone,
    ) -> Result<Self, Vec<(PolicyId, Fault)>> {
        let mut slices = vec![None; Permission::ALL.len()];
        let mut faults = Vec::new();
        for source in sources {
            let policy = match check::policy(source) {
                Ok(policy) => policy,
                Err(found) => {
                    faults.extend(found.into_iter().map(|fault| (source.id, fault)));
                    continue;
                }
            };
            let traits = Traits::of(&policy);
            for (permission, slice) in Permission::ALL.iter().zip(&mut slices) {
                if !concerns(&policy, *permission) {
                    continue;
                }
                let slice: &mut Slice = slice.get_or_insert_default();
                if let Err(error) = slice.add(&policy, &traits) {
                    faults.push((source.id, Fault::whole("malformed", error.to_string())));
                }
            }
        }
        if faults.is_empty() { Ok(Self { slices, zone }) } else { Err(faults) }
    }

    fn slice(&self, permission: Permission) -> Option<&Slice> {
        let at = Permission::ALL.iter().position(|&one| one == permission)?;
        self.slices.get(at)?.as_ref()
    }

    /// The policies about a permission, and those about what it presupposes.
    fn slices(&self, permission: Permission) -> impl Iterator<Item = &Slice> {
        [Some(permission), permission.presupposes()].into_iter().flatten().filter_map(|one| self.slice(one))
    }

    /// How many policies a decision about a permission looks at.
    #[must_use]
    pub fn count(&self, permission: Permission) -> usize {
        self.slices(permission).map(|slice| slice.policies.policies().count()).sum()
    }

    /// What the policies say, and which of them say so. Those that forbid what the permission presupposes forbid it too.
    #[must_use]
    pub fn ask(&self, actor: &Actor, permission: Permission, resource: &Resource) -> Answer {
        self.ask_of(|slice| &slice.policies, actor, permission, resource)
    }

    fn ask_of(&self, which: Which, actor: &Actor, permission: Permission, resource: &Resource) -> Answer {
        let answer = self.ask_only(which, actor, permission, resource);
        let first = permission.presupposes().filter(|_| resource.owner.is_some());
        match first.map(|first| self.ask_only(which, actor, first, resource)) {
            Some(first) if answer.verdict != Verdict::Forbid && first.verdict == Verdict::Forbid => first,
            _ => answer,
        }
    }

    fn ask_only(&self, which: Which, actor: &Actor, permission: Permission, resource: &Resource) -> Answer {
        let Some(slice) = self.slice(permission) else { return Answer::silent() };
        if is_out_of_reach(actor, permission) {
            return Answer::silent();
        }
        let (request, entities) =
            match question::put(actor, permission, resource, &self.zone, &slice.mentions) {
                Ok(question) => question,
                Err(error) => return Answer::failed(error),
            };
        let response = Authorizer::new().is_authorized(&request, which(slice), &entities);
        let said = response.diagnostics();
        let applied = said.reason().next().is_some();
        let decided: Vec<PolicyId> = said.reason().filter_map(id_of).collect();
        let errors: Vec<_> = said.errors().map(failure).collect();
        let verdict = match response.decision() {
            _ if !errors.is_empty() => Verdict::Forbid,
            // An operator of the service acts through somebody's roles, and gets nothing on top.
            Decision::Allow if actor.support().is_some() => Verdict::Silent,
            Decision::Allow => Verdict::Permit,
            Decision::Deny if !applied => Verdict::Silent,
            Decision::Deny => Verdict::Forbid,
        };
        Answer { verdict, decided, errors }
    }
}

impl Rules for CedarRules {
    fn concern(&self, permission: Permission) -> bool {
        self.slices(permission).next().is_some()
    }

    fn may_permit(&self, permission: Permission) -> bool {
        self.slice(permission).is_some_and(|slice| slice.permits)
    }

    fn tells_apart(&self, permission: Permission) -> bool {
        self.slices(permission).any(|slice| slice.tells_apart)
    }

    fn could_be_evaded(&self, actor: &Actor, permission: Permission, by: Receiver) -> bool {
        [Some(permission), permission.presupposes()].into_iter().flatten().any(|permission| {
            let Some(slice) = self.slice(permission) else { return false };
            let policies = match by {
                Receiver::User => &slice.against_people,
                Receiver::Program => &slice.against_users,
            };
            let harmless = policies.is_empty() || is_out_of_reach(actor, permission);
            !harmless && evasion::could_forbid(policies, actor, permission)
        })
    }

    fn judge(&self, actor: &Actor, permission: Permission, resource: &Resource) -> Verdict {
        self.ask_of(Slice::merged, actor, permission, resource).verdict
    }
}

/// Whether a policy could say something to a permission, by its head alone.
fn concerns(policy: &Policy, permission: Permission) -> bool {
    let named = |action: &EntityUid| {
        let id: &str = action.id().unescaped();
        id == permission.code()
    };
    let action = match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::In(actions) => actions.iter().any(named),
        ActionConstraint::Eq(action) => named(&action),
    };
    let about = |name: &str| permission.kinds().iter().any(|kind| kind.type_name() == name);
    let resource = match policy.resource_constraint() {
        ResourceConstraint::Any => true,
        ResourceConstraint::Eq(one) | ResourceConstraint::In(one) => about(one.type_name().basename()),
        ResourceConstraint::Is(name) | ResourceConstraint::IsIn(name, _) => about(name.basename()),
    };
    action && resource
}

/// Whether a text could say something to a permission; no for what is no policy.
pub(crate) fn concerns_text(text: &str, permission: Permission) -> bool {
    Policy::parse(None, text).is_ok_and(|policy| {
        let first = permission.presupposes().filter(|_| policy.effect() == Effect::Forbid);
        concerns(&policy, permission) || first.is_some_and(|first| concerns(&policy, first))
    })
}

/// Whether it depends on the thing, beyond its kind, what a policy says. Guesses yes where it can't be known.
fn looks_at_resource(policy: &Policy) -> bool {
    let head = matches!(policy.resource_constraint(), ResourceConstraint::Any | ResourceConstraint::Is(_));
    !head || conditions_mention(policy, "resource")
}

fn failure(error: &AuthorizationError) -> (Option<PolicyId>, String) {
    match error {
        AuthorizationError::PolicyEvaluationError(error) => {
            (id_of(error.policy_id()), error.inner().to_string())
        }
    }
}

fn id_of(id: &CedarId) -> Option<PolicyId> {
    let id: &str = id.as_ref();
    id.parse().ok()
}
