//! Which policies somebody could evade by giving what is forbidden to them to somebody else.
//!
//! Only policies that forbid are looked at: a `permit` forbids only where it can't be evaluated.

use cedar_policy::{
    PartialEntities, PartialEntityUid, PartialRequest, Policy, PolicySet, PrincipalConstraint,
};

use crate::actor::Actor;
use crate::policy::Permission;
use crate::policy::cedar::COMPILED;
use crate::policy::cedar::mentions::conditions_mention;
use crate::policy::cedar::question::{self, Failure};

/// Whether a policy could strike one person and not another. Who names only the kind of who acts strikes all people.
pub(super) fn tells_people_apart(policy: &Policy) -> bool {
    let head = matches!(policy.principal_constraint(), PrincipalConstraint::Any | PrincipalConstraint::Is(_));
    !head || conditions_mention(policy, "principal")
}

/// Whether a policy could strike a person and not a program.
pub(super) fn tells_programs_apart(policy: &Policy) -> bool {
    let head = matches!(policy.principal_constraint(), PrincipalConstraint::Any);
    !head || conditions_mention(policy, "principal")
}

/// Whether one of the policies, all of which forbid, could apply to the actor: on whatever thing, in whatever
/// circumstances. Guesses yes where it can't be known.
pub(super) fn could_forbid(policies: &PolicySet, actor: &Actor, permission: Permission) -> bool {
    permission.kinds().iter().any(|kind| {
        // What can't be asked forbids, as everywhere.
        left_of(policies, actor, permission, kind.type_name()).unwrap_or(true)
    })
}

/// Whether anything is left of the policies once it is known who acts and nothing else.
fn left_of(
    policies: &PolicySet,
    actor: &Actor,
    permission: Permission,
    kind: &'static str,
) -> Result<bool, Failure> {
    let schema = COMPILED.as_ref().map_err(String::as_str)?;
    let (who, entities) = question::who(actor)?;
    let entities = PartialEntities::from_concrete(entities, schema)?;
    let request = PartialRequest::new(
        PartialEntityUid::from_concrete(who),
        question::action(permission)?,
        PartialEntityUid::new(question::type_name(kind)?, None),
        None,
        schema,
    )?;
    let response = policies.tpe(&request, &entities, schema)?;
    let never = response.false_forbids().count();
    Ok(never < policies.policies().count())
}
