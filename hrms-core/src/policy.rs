//! Who may do what to whom: permissions, scopes, roles, and the policy that decides.
//!
//! Deciding is pure: a function of the actor, a permission and a few facts of the resource.
//! Nothing is allowed unless a grant says so.

#[cfg(test)]
mod matrix;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::id::{DepartmentId, EmployeeId};

macro_rules! permissions {
    ($($(#[$meta:meta])* $name:ident = $code:literal;)+) => {
        /// Something an actor may be allowed to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[non_exhaustive]
        pub enum Permission {
            $($(#[$meta])* #[serde(rename = $code)] $name,)+
        }

        impl Permission {
            /// Every permission there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable name, as in `leave.decide`.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// The permission with this stable name.
            #[must_use]
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

permissions! {
    /// See the organisation's own settings.
    OrganizationRead = "organization.read";
    /// Change the organisation's own settings.
    OrganizationManage = "organization.manage";
    /// See who can log in.
    UserRead = "user.read";
    /// Add users, change their roles, disable them.
    UserManage = "user.manage";
    /// See locations.
    LocationRead = "location.read";
    /// Add and change locations.
    LocationManage = "location.manage";
    /// See departments.
    DepartmentRead = "department.read";
    /// Add and change departments.
    DepartmentManage = "department.manage";
    /// See designations.
    DesignationRead = "designation.read";
    /// Add and change designations.
    DesignationManage = "designation.manage";
    /// See employees and their employment record.
    EmployeeRead = "employee.read";
    /// See birth date, gender and private contact.
    EmployeeReadPersonal = "employee.read-personal";
    /// Hire, change, correct, end, rehire.
    EmployeeManage = "employee.manage";
    /// See names, titles and the reporting line of everybody.
    OrgChartRead = "org-chart.read";
    /// See leave types.
    LeaveTypeRead = "leave-type.read";
    /// Add and change leave types.
    LeaveTypeManage = "leave-type.manage";
    /// See requests and balances.
    LeaveRead = "leave.read";
    /// Ask for leave, and cancel one's request.
    LeaveSubmit = "leave.submit";
    /// Approve and reject requests; never one's own.
    LeaveDecide = "leave.decide";
    /// Grant leave by hand.
    LeaveGrant = "leave.grant";
    /// Run imports.
    ImportRun = "import.run";
    /// Run exports.
    ExportRun = "export.run";
    /// See background jobs.
    JobRead = "job.read";
}

/// How far a granted permission reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// What belongs to the actor's own employee.
    Own,
    /// What belongs to an employee who reports to the actor, by the record in force.
    Reports,
    /// What belongs to an employee of the actor's department.
    Department,
    /// Everything in the organisation.
    Organization,
}

/// A permission with its reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Grant {
    /// What is allowed.
    pub permission: Permission,
    /// On whose things.
    pub scope: Scope,
}

/// A named set of grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// Runs the organisation's account: everything except deciding on leave.
    Admin,
    /// Human resources: people, leave and imports of the whole organisation.
    Hr,
    /// Sees direct reports and decides on their leave.
    Manager,
    /// Sees their own things and asks for leave.
    Employee,
}

impl Role {
    /// Every built-in role.
    pub const ALL: &'static [Self] = &[Self::Admin, Self::Hr, Self::Manager, Self::Employee];

    /// The stable name, as in `hr`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Hr => "hr",
            Self::Manager => "manager",
            Self::Employee => "employee",
        }
    }

    /// The role with this stable name.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.code() == code)
    }

    /// What the role grants.
    #[must_use]
    pub fn grants(self) -> Vec<Grant> {
        use Permission as P;
        let at = |scope: Scope, permissions: &[Permission]| -> Vec<Grant> {
            permissions.iter().map(|&permission| Grant { permission, scope }).collect()
        };
        let directory = [
            P::OrganizationRead,
            P::LocationRead,
            P::DepartmentRead,
            P::DesignationRead,
            P::OrgChartRead,
            P::LeaveTypeRead,
        ];
        match self {
            Self::Admin => {
                let all = Permission::ALL.iter().copied();
                all.filter(|p| !matches!(p, P::LeaveDecide | P::LeaveSubmit))
                    .map(|permission| Grant { permission, scope: Scope::Organization })
                    .collect()
            }
            Self::Hr => {
                let all = Permission::ALL.iter().copied();
                all.filter(|p| !matches!(p, P::OrganizationManage | P::UserManage))
                    .map(|permission| Grant { permission, scope: Scope::Organization })
                    .collect()
            }
            Self::Manager => [
                at(Scope::Organization, &directory),
                at(Scope::Reports, &[P::EmployeeRead, P::LeaveRead, P::LeaveDecide]),
            ]
            .concat(),
            Self::Employee => [
                at(Scope::Organization, &directory),
                at(
                    Scope::Own,
                    &[P::EmployeeRead, P::EmployeeReadPersonal, P::LeaveRead, P::LeaveSubmit, P::JobRead],
                ),
            ]
            .concat(),
        }
    }
}

/// The facts of a thing that decisions rest on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resource {
    /// The employee it belongs to; `None` for things of the organisation.
    pub owner: Option<EmployeeId>,
    /// The owner's manager by the record in force at the date of the fact.
    pub manager: Option<EmployeeId>,
    /// The owner's department by the record in force at the date of the fact.
    pub department: Option<DepartmentId>,
}

impl Resource {
    /// A thing of the organisation as a whole, such as a location.
    #[must_use]
    pub const fn organization() -> Self {
        Self { owner: None, manager: None, department: None }
    }

    /// A thing that belongs to an employee.
    #[must_use]
    pub const fn of(
        owner: EmployeeId,
        manager: Option<EmployeeId>,
        department: Option<DepartmentId>,
    ) -> Self {
        Self { owner: Some(owner), manager, department }
    }
}

/// The answer to "may this actor do this to that?".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A grant allows it.
    Allow,
    /// Nothing allows it, or something forbids it.
    Deny,
}

/// Which rows of a collection an actor may see: the union of the parts that are set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Visibility {
    /// All rows of the organisation.
    pub organization: bool,
    /// Rows of this employee.
    pub own: Option<EmployeeId>,
    /// Rows of employees who report to this one.
    pub reports_of: Option<EmployeeId>,
    /// Rows of employees in this department.
    pub department: Option<DepartmentId>,
}

impl Visibility {
    /// Sees every row.
    pub const ALL: Self = Self { organization: true, own: None, reports_of: None, department: None };

    /// Whether nothing can be seen.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a thing is inside.
    #[must_use]
    pub fn includes(&self, resource: &Resource) -> bool {
        let same = |mine: Option<EmployeeId>, theirs: Option<EmployeeId>| mine.is_some() && mine == theirs;
        self.organization
            || same(self.own, resource.owner)
            || (same(self.reports_of, resource.manager) && self.reports_of != resource.owner)
            || (self.department.is_some() && self.department == resource.department)
    }
}

/// Decides. Replace it to narrow what roles allow (see the `custom_policy` example).
///
/// The two methods must agree: a row that `visibility` includes is one that `decide` allows to read.
pub trait Policy: Send + Sync + fmt::Debug {
    /// May `actor` use `permission` on `resource`?
    fn decide(&self, actor: &Actor, permission: Permission, resource: &Resource) -> Decision {
        if self.visibility(actor, permission).includes(resource) { Decision::Allow } else { Decision::Deny }
    }

    /// Which rows of a collection `permission` opens to `actor`.
    fn visibility(&self, actor: &Actor, permission: Permission) -> Visibility;
}

/// The default policy: what the actor's roles grant, and nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub struct RolePolicy;

impl Policy for RolePolicy {
    fn visibility(&self, actor: &Actor, permission: Permission) -> Visibility {
        let mut seen = Visibility::default();
        for grant in actor.grants().iter().filter(|grant| grant.permission == permission) {
            match grant.scope {
                Scope::Organization => seen.organization = true,
                Scope::Own => seen.own = actor.employee(),
                Scope::Reports => seen.reports_of = actor.employee(),
                Scope::Department => seen.department = actor.department(),
            }
        }
        seen
    }
}
