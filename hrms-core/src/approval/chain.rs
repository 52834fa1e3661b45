//! Chains as data: who has to agree, in which order, to what.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::Audited;
use crate::employment::coded;
use crate::id::{ApprovalChainId, UserId};
use crate::patch::Patch;
use crate::policy::{Permission, RoleName};
use crate::store::{Version, Versioned};
use crate::validate::Check;

/// Most levels of a chain.
pub(super) const MAX_LEVELS: usize = 10;
/// Most approvers of a level.
pub(super) const MAX_APPROVERS: usize = 10;
/// Most conditions of a chain or a level.
pub(super) const MAX_CONDITIONS: usize = 10;

coded! {
    /// What kind of thing is decided on.
    ApprovalKind {
        /// A request for leave.
        LeaveRequest = "leave_request",
        /// A claim for compensatory leave.
        CompensatoryClaim = "compensatory_claim",
        /// A claim that leave is paid out.
        LeaveEncashment = "leave_encashment",
    }
}

impl ApprovalKind {
    /// What lets somebody decide without being asked by a chain.
    #[must_use]
    pub const fn permission(self) -> Permission {
        match self {
            Self::LeaveRequest | Self::CompensatoryClaim | Self::LeaveEncashment => Permission::LeaveDecide,
        }
    }

    /// What opens such a thing to readers.
    pub(super) const fn reads(self) -> Permission {
        match self {
            Self::LeaveRequest | Self::CompensatoryClaim | Self::LeaveEncashment => Permission::LeaveRead,
        }
    }

    /// What conditions may look at.
    #[must_use]
    pub const fn attributes(self) -> &'static [(&'static str, Attribute)] {
        match self {
            Self::LeaveRequest | Self::CompensatoryClaim | Self::LeaveEncashment => &[
                ("days", Attribute::Number),
                ("minutes", Attribute::Number),
                ("leave_type_id", Attribute::Text),
                ("location_id", Attribute::Text),
                ("department_id", Attribute::Text),
                ("designation_id", Attribute::Text),
                ("employment_type", Attribute::Text),
            ],
        }
    }
}

/// Of what an attribute is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attribute {
    /// A whole number.
    Number,
    /// A text: a name or an id.
    Text,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    Number(i64),
    Text(String),
}

/// What must hold of what is asked for. Something that isn't known holds of nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// What is looked at. Of requests for leave and claims: `days` (part of a day counts as a whole one), `minutes`,
    /// `leave_type_id`, and the employee's `location_id`, `department_id`, `designation_id` and `employment_type`.
    pub attribute: String,
    /// A number that it isn't less than.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<i64>,
    /// A number that it isn't more than.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<i64>,
    /// Texts or ids of which it is one; at most 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<String>>,
}

impl Condition {
    fn holds(&self, known: &impl Fn(&str) -> Option<Known>) -> bool {
        match known(&self.attribute) {
            Some(Known::Number(number)) => {
                self.at_least.is_none_or(|least| number >= least)
                    && self.at_most.is_none_or(|most| number <= most)
                    && self.one_of.is_none()
            }
            Some(Known::Text(text)) => {
                self.at_least.is_none()
                    && self.at_most.is_none()
                    && self.one_of.as_ref().is_some_and(|all| all.contains(&text))
            }
            None => false,
        }
    }

    fn check(&self, check: &mut Check, pointer: &'static str, kind: ApprovalKind) {
        let Some((_, of)) = kind.attributes().iter().find(|(name, _)| *name == self.attribute) else {
            check.fault(pointer, "unknown-value", "conditions look at no such attribute");
            return;
        };
        let (limits, list) = (self.at_least.is_some() || self.at_most.is_some(), self.one_of.is_some());
        match of {
            Attribute::Number if list => {
                check.fault(pointer, "contradicts", "this is a number: it has limits")
            }
            Attribute::Text if limits => {
                check.fault(pointer, "contradicts", "this has no limits: it is one of some")
            }
            _ if !limits && !list => check.fault(pointer, "required", "a condition says what must hold"),
            _ => {}
        }
        if self.at_least.zip(self.at_most).is_some_and(|(least, most)| least > most) {
            check.fault(pointer, "contradicts", "no number is between these limits");
        }
        if let Some(all) = &self.one_of
            && !((1..=100).contains(&all.len()) && all.iter().all(|one| (1..=100).contains(&one.len())))
        {
            check.fault(pointer, "length", "a condition lists 1 to 100 texts of at most 100 bytes");
        }
    }
}

/// Whether all conditions hold; where there are none, they do.
pub(crate) fn all_hold(conditions: &[Condition], known: &impl Fn(&str) -> Option<Known>) -> bool {
    conditions.iter().all(|one| one.holds(known))
}

/// Who has to agree. Whoever isn't there, can't log in, is suspended or is the employee themselves is replaced by
/// the next one above, at last by those who decide in the whole organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Approver {
    /// A manager by the record in force.
    Manager {
        /// How far above: 1, the default, is the employee's own manager, 2 the manager's manager; at most 10.
        #[serde(default = "one")]
        above: u8,
    },
    /// The head of the employee's department; without one, of the department above it.
    DepartmentHead {},
    /// Anybody who has a role.
    Role {
        /// The role's name, as in `hr`.
        role: RoleName,
    },
    /// A user of the organisation.
    User {
        /// Who.
        user_id: UserId,
    },
}

const fn one() -> u8 {
    1
}

coded! {
    /// How many approvers of a level have to agree. One who rejects is always enough to reject.
    #[derive(Default)]
    NeededApprovals {
        /// One of them.
        #[default]
        Any = "any",
        /// All of them.
        All = "all",
    }
}

/// A level of a chain: it is over when enough of its approvers have agreed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// What people call it, at most 100 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who has to agree; 1 to 10.
    pub approvers: Vec<Approver>,
    /// How many of them.
    #[serde(default)]
    pub needed: NeededApprovals,
    /// When it is asked at all: all of these must hold. A level that isn't asked is passed over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// After how many working hours whoever is asked is reminded, and again after as many, at most ten times; 1 to 2000. Working hours
    /// are those of the approver: by their working pattern, from 09:00 on at their workplace, without its holidays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_after_hours: Option<u16>,
    /// After how many working hours the decision goes to the one above the approver, at last to those who decide in the whole
    /// organisation; 1 to 2000. Nothing is ever approved by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalate_after_hours: Option<u16>,
}

impl Level {
    /// What is asked where no chain says anything: the employee's manager.
    #[must_use]
    pub fn manager() -> Self {
        let approvers = vec![Approver::Manager { above: 1 }];
        Self {
            name: None,
            approvers,
            needed: NeededApprovals::Any,
            conditions: Vec::new(),
            remind_after_hours: None,
            escalate_after_hours: None,
        }
    }
}

impl Level {
    fn check_limits(&self, check: &mut Check) {
        let limits = [self.remind_after_hours, self.escalate_after_hours];
        if limits.into_iter().flatten().any(|hours| !(1..=2000).contains(&hours)) {
            check.fault("/levels", "out-of-range", "a time limit is 1 to 2000 working hours");
        }
        if self.remind_after_hours.zip(self.escalate_after_hours).is_some_and(|(remind, end)| remind >= end) {
            check.fault("/levels", "contradicts", "it would have gone to somebody else before the reminder");
        }
    }
}

/// Who decides on a kind of thing, where its conditions hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApprovalChain {
    /// Its id.
    pub id: ApprovalChainId,
    /// What is decided on.
    pub kind: ApprovalKind,
    /// The organisation's own short name for it; unique for each kind.
    pub code: String,
    /// Name shown to people.
    pub name: String,
    /// Chains are tried in this order, those with the same by code; the first whose conditions hold is taken.
    pub position: i32,
    /// When it is taken: all of these must hold.
    pub conditions: Vec<Condition>,
    /// The levels, in order.
    pub levels: Vec<Level>,
    /// Whether it is taken at all.
    pub active: bool,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Audited for ApprovalChain {}

impl Versioned for ApprovalChain {
    fn version(&self) -> Version {
        self.version
    }
}

impl ApprovalChain {
    pub(super) fn check(&self, check: &mut Check) {
        check.code("/code", &self.code);
        check.text("/name", &self.name, 1..=200);
        if self.conditions.len() > MAX_CONDITIONS {
            check.fault("/conditions", "length", "a chain has at most 10 conditions");
        }
        if !(1..=MAX_LEVELS).contains(&self.levels.len()) {
            check.fault("/levels", "length", "a chain has 1 to 10 levels");
        }
        for condition in self.conditions.iter().take(MAX_CONDITIONS) {
            condition.check(check, "/conditions", self.kind);
        }
        for level in self.levels.iter().take(MAX_LEVELS) {
            if let Some(name) = &level.name {
                check.text("/levels", name, 1..=100);
            }
            if !(1..=MAX_APPROVERS).contains(&level.approvers.len()) {
                check.fault("/levels", "length", "a level has 1 to 10 approvers");
            }
            let far =
                |one: &Approver| matches!(one, Approver::Manager { above } if !(1..=10).contains(above));
            if level.approvers.iter().any(far) {
                check.fault("/levels", "out-of-range", "a manager is 1 to 10 above");
            }
            level.check_limits(check);
            if level.conditions.len() > MAX_CONDITIONS {
                check.fault("/levels", "length", "a level has at most 10 conditions");
            }
            for condition in level.conditions.iter().take(MAX_CONDITIONS) {
                condition.check(check, "/levels", self.kind);
            }
        }
    }
}

/// What a new chain needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewApprovalChain {
    /// What is decided on.
    pub kind: ApprovalKind,
    /// The organisation's own short name for it; unique for each kind, at most 64 characters.
    pub code: String,
    /// Name shown to people, at most 200 characters.
    pub name: String,
    /// Chains are tried in this order; default 0.
    #[serde(default)]
    pub position: i32,
    /// When it is taken; without any, always. At most 10.
    #[serde(default)]
    pub conditions: Vec<Condition>,
    /// The levels, in order; 1 to 10.
    pub levels: Vec<Level>,
    /// Whether it is taken at all; default true.
    #[serde(default = "yes")]
    #[cfg_attr(feature = "openapi", schema(default = true))]
    pub active: bool,
}

const fn yes() -> bool {
    true
}

/// What can be changed of a chain. Cases that wait already go on as they began.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ApprovalChainPatch {
    /// New code.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub code: Patch<String>,
    /// New name.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Patch<String>,
    /// New position.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<i32>))]
    pub position: Patch<i32>,
    /// New conditions, instead of all.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<Condition>>))]
    pub conditions: Patch<Vec<Condition>>,
    /// New levels, instead of all.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<Level>>))]
    pub levels: Patch<Vec<Level>>,
    /// Whether it is taken at all.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<bool>))]
    pub active: Patch<bool>,
}

/// Which chains to list.
#[derive(Clone, Debug, Default)]
pub struct ApprovalChainFilter {
    /// Only for this kind of thing.
    pub kind: Option<ApprovalKind>,
    /// Only the one with this code.
    pub code: Option<String>,
    /// Only those that are taken, or aren't.
    pub active: Option<bool>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Orders of a list of chains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApprovalChainSort {
    /// By code.
    #[default]
    Code,
    /// By name.
    Name,
}
