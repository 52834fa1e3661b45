//! What an organisation's own policies say to a decision, seen from where decisions are made.

use std::fmt;

use crate::actor::Actor;
use crate::policy::{Permission, Resource};

/// What an organisation's own policies say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: roles decide.
    Silent,
    /// A policy permits it, and none forbids it.
    Permit,
    /// A policy forbids it, or couldn't be evaluated.
    Forbid,
}

/// The policies of one organisation that are in force, ready to be asked. Pure: the same question gets the
/// same answer.
pub trait Rules: Send + Sync + fmt::Debug {
    /// Whether any policy could say something to this permission.
    fn concern(&self, permission: Permission) -> bool;

    /// Whether any policy could permit it to somebody whom no role allows it.
    fn may_permit(&self, permission: Permission) -> bool;

    /// What the policies say.
    fn judge(&self, actor: &Actor, permission: Permission, resource: &Resource) -> Verdict;
}
