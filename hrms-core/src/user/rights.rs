//! Who may give which roles to whom.

use crate::actor::Actor;
use crate::error::{CommonError, FieldError};
use crate::hrms::Work;
use crate::id::UserId;
use crate::policy::{Grant, Permission, Receiver, Resource, Role, RoleName, Rules, Scope, Verdict};
use crate::store::Tx;
use crate::user::{User, UserError};
use crate::validate::Check;

/// A role with what it grants.
pub(crate) type Granted = (RoleName, Vec<Grant>);

/// Each role once, in order.
pub(crate) fn normal(mut roles: Vec<RoleName>) -> Vec<RoleName> {
    roles.sort_unstable();
    roles.dedup();
    roles
}

pub(crate) fn check(check: &mut Check, roles: &[RoleName]) {
    if roles.is_empty() {
        check.fault("/roles", "too-short", "a user needs at least one role");
    }
}

/// What each of these roles grants; those that don't exist are left out.
async fn of(tx: &mut dyn Tx, roles: &[RoleName]) -> Result<Vec<Granted>, CommonError> {
    let built_in = |name: &RoleName| name.built_in().map(|role| (name.clone(), role.grants()));
    let mut granted: Vec<Granted> = roles.iter().filter_map(built_in).collect();
    let own: Vec<String> =
        roles.iter().filter(|name| name.built_in().is_none()).map(ToString::to_string).collect();
    if !own.is_empty() {
        let found = tx.roles().find_by_codes(&own).await?;
        granted.extend(found.into_iter().map(|role| (role.code, role.grants)));
    }
    Ok(granted)
}

/// What each of the roles that somebody is to have grants.
///
/// # Errors
/// A fault for each role that doesn't exist.
pub(crate) async fn of_new(tx: &mut dyn Tx, roles: &[RoleName]) -> Result<Vec<Granted>, CommonError> {
    let granted = of(tx, roles).await?;
    let known = |role: &RoleName| granted.iter().any(|(name, _)| name == role);
    let unknown = roles.iter().enumerate().filter(|(_, role)| !known(role));
    let faults: Vec<_> = unknown
        .map(|(at, _)| FieldError::new(format!("/roles/{at}"), "unknown-value", "there is no such role"))
        .collect();
    if faults.is_empty() { Ok(granted) } else { Err(CommonError::Invalid(faults)) }
}

/// Whether the actor could hand these grants out: those that they hold, and what every employee may do with
/// their own things. What a policy permits them isn't theirs to hand out, and neither is what one could forbid
/// them and not whom they give it to.
pub(crate) fn holds(actor: &Actor, grants: &[Grant], to: Receiver) -> bool {
    let everybody = Role::Employee.grants();
    grants.iter().all(|grant| everybody.contains(grant) || is_theirs(actor, grant, to))
}

fn is_theirs(actor: &Actor, grant: &Grant, to: Receiver) -> bool {
    let evades =
        |rules: &dyn Rules| rules.could_be_evaded(actor, grant.permission, to) && !may_change(rules, actor);
    grant.is_within(actor.grants()) && !actor.rules().is_some_and(evades)
}

/// Whether the actor may change the policies themselves: they needn't go round them.
fn may_change(rules: &dyn Rules, actor: &Actor) -> bool {
    let manage = Grant { permission: Permission::PolicyManage, scope: Scope::Organization };
    let forbidden = || rules.judge(actor, manage.permission, &Resource::organization()) == Verdict::Forbid;
    actor.support().is_none() && manage.is_within(actor.grants()) && !forbidden()
}

/// Nobody hands out what they don't hold.
pub(crate) fn require_grantable(actor: &Actor, roles: &[Granted]) -> Result<(), UserError> {
    match roles.iter().find(|(_, grants)| !holds(actor, grants, Receiver::User)) {
        Some((role, _)) => Err(UserError::RoleNotYours { role: role.clone() }),
        None => Ok(()),
    }
}

/// Refuses to link a user to an employee of whom the user would then see more than the actor may see of
/// everybody: whoever makes the user knows how to become them. What employees may do with their own things counts
/// whatever the roles are, since anybody may give it later.
pub(crate) fn require_linkable(actor: &Actor, roles: &[Granted]) -> Result<(), UserError> {
    let of_employees = Role::Employee.grants();
    let all = roles.iter().flat_map(|(_, grants)| grants).chain(&of_employees);
    let own = all.filter(|grant| grant.scope == Scope::Own);
    let mut everybodys = own.map(|grant| Grant { scope: Scope::Organization, ..*grant });
    if everybodys.all(|grant| is_theirs(actor, &grant, Receiver::User)) {
        Ok(())
    } else {
        Err(UserError::LinkNotYours)
    }
}

/// Refuses to touch somebody who holds more than the actor could hand out, to hand that out, or to stop
/// whoever the actor counts as from being the employee that they are: they would no longer count as the person whose
/// leave they decide on (P16).
pub(crate) async fn require_reach(
    work: &mut Work,
    actor: &Actor,
    before: &User,
    after: &User,
) -> Result<(), UserError> {
    let held = of(&mut **work, &before.roles).await?;
    require_grantable(actor, &held)?;
    let added: Vec<_> = after.roles.iter().filter(|role| !before.roles.contains(role)).cloned().collect();
    let added = of_new(&mut **work, &added).await?;
    require_grantable(actor, &added)?;
    let own = |employee| actor.user_id() == Some(after.id) || actor.counts_as(employee);
    if before.employee_id != after.employee_id && before.employee_id.is_some_and(own) {
        return Err(UserError::OwnEmployee);
    }
    if after.employee_id.is_some() && before.employee_id != after.employee_id {
        let all = of(&mut **work, &after.roles).await?;
        require_linkable(actor, &all)?;
    }
    Ok(())
}

/// Refuses to touch somebody who holds more than the actor could hand out.
pub(crate) async fn require_reach_to(tx: &mut dyn Tx, actor: &Actor, user: &User) -> Result<(), UserError> {
    let held = of(tx, &user.roles).await?;
    require_grantable(actor, &held)
}

/// Whether the organisation has all of these roles.
pub(crate) async fn exist(tx: &mut dyn Tx, roles: &[RoleName]) -> Result<bool, CommonError> {
    Ok(of(tx, roles).await?.len() == roles.len())
}

/// Refuses unless somebody else is an active owner, and stays so until we commit.
pub(crate) async fn keep_an_owner(work: &mut Work, leaving: UserId) -> Result<(), UserError> {
    let owners = work.users().hold_active_with_role(Role::Owner).await?;
    if owners.iter().any(|&owner| owner != leaving) { Ok(()) } else { Err(UserError::LastOwner) }
}
