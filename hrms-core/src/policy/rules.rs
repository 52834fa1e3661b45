//! What an organisation's own policies say to a decision, seen from where decisions are made.

use std::fmt;

use serde::Serialize;

use crate::actor::{Actor, Who};
use crate::policy::{Permission, Resource, Role};

/// What an organisation's own policies say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing: roles decide.
    Silent,
    /// A policy permits it, and none forbids it.
    Permit,
    /// A policy forbids it, or couldn't be evaluated.
    Forbid,
}

/// Who is given a right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// A person.
    User,
    /// An integration with an API key.
    Program,
}

/// The policies of one organisation that are in force, ready to be asked. Pure: the same question gets the
/// same answer.
pub trait Rules: Send + Sync + fmt::Debug {
    /// Whether any policy could say something to this permission.
    fn concern(&self, permission: Permission) -> bool;

    /// Whether any policy could permit it to somebody whom no role allows it.
    fn may_permit(&self, permission: Permission) -> bool;

    /// Whether a policy could forbid it on one thing and not on another.
    fn tells_apart(&self, permission: Permission) -> bool {
        self.concern(permission)
    }

    /// Whether a policy could forbid it to the actor, on something and some day, and leave a receiver alone whom
    /// the actor gave it to. By default: whenever any policy could say something.
    fn could_be_evaded(&self, _actor: &Actor, permission: Permission, _by: Receiver) -> bool {
        self.concern(permission)
    }

    /// What the policies say.
    fn judge(&self, actor: &Actor, permission: Permission, resource: &Resource) -> Verdict;
}

/// What stands where an organisation's policies can't be compiled: nothing is allowed to anybody but owners, and
/// they can only look at policies and change them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Locked;

impl Rules for Locked {
    fn concern(&self, _: Permission) -> bool {
        true
    }

    fn may_permit(&self, _: Permission) -> bool {
        false
    }

    fn judge(&self, actor: &Actor, permission: Permission, _: &Resource) -> Verdict {
        if is_out_of_reach(actor, permission) { Verdict::Silent } else { Verdict::Forbid }
    }
}

/// What no policy can take away: from owners their hand on the policies, so that an organisation can't lock itself
/// out; from the system its own work.
pub(crate) fn is_out_of_reach(actor: &Actor, permission: Permission) -> bool {
    let policies = matches!(permission, Permission::PolicyRead | Permission::PolicyManage);
    let owner = actor.roles().iter().any(|role| *role == Role::Owner);
    (policies && owner) || matches!(actor.who(), Who::System { .. })
}
