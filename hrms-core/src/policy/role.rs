//! Roles: named sets of permissions with a reach.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::policy::Permission;

/// How far a granted permission reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// What belongs to the actor's own employee.
    Own,
    /// What belongs to an employee who reports to the actor, by the record in force.
    Reports,
    /// What belongs to an employee who reports to the actor directly or through others.
    ReportsTree,
    /// What belongs to an employee of the actor's department or one below it.
    DepartmentTree,
    /// What belongs to an employee at the actor's location.
    Location,
    /// Everything in the organisation.
    Organization,
}

impl Scope {
    /// Every scope, narrow ones first.
    pub const ALL: &'static [Self] = &[
        Self::Own,
        Self::Reports,
        Self::ReportsTree,
        Self::DepartmentTree,
        Self::Location,
        Self::Organization,
    ];

    /// The stable name, as in `reports_tree`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Reports => "reports",
            Self::ReportsTree => "reports_tree",
            Self::DepartmentTree => "department_tree",
            Self::Location => "location",
            Self::Organization => "organization",
        }
    }

    /// Whether whoever holds this reach holds the other one too, whoever they are.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self == other || self == Self::Organization || (self == Self::ReportsTree && other == Self::Reports)
    }
}

/// A permission with its reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// What is allowed.
    pub permission: Permission,
    /// On whose things.
    pub scope: Scope,
}

impl Grant {
    /// Whether somebody with the grants `held` holds this one too.
    #[must_use]
    pub fn is_within(&self, held: &[Self]) -> bool {
        held.iter().any(|own| own.permission == self.permission && own.scope.covers(self.scope))
    }
}

/// A role that every organisation has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Owns the organisation's account: everything. There is always one.
    Owner,
    /// Runs the organisation's account: everything but pay, bank, medical data and writing policies.
    Admin,
    /// Human resources: people, leave and imports of the whole organisation.
    Hr,
    /// Pay and bank details of the whole organisation.
    Payroll,
    /// Sees direct reports and decides on their leave.
    Manager,
    /// Sees their own things and asks for leave.
    Employee,
    /// Looks at everything that is done and changes nothing.
    Auditor,
}

impl Role {
    /// Every built-in role.
    pub const ALL: &'static [Self] =
        &[Self::Owner, Self::Admin, Self::Hr, Self::Payroll, Self::Manager, Self::Employee, Self::Auditor];

    /// The stable name, as in `hr`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Hr => "hr",
            Self::Payroll => "payroll",
            Self::Manager => "manager",
            Self::Employee => "employee",
            Self::Auditor => "auditor",
        }
    }

    /// What people call it.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::Admin => "Administrator",
            Self::Hr => "Human resources",
            Self::Payroll => "Payroll",
            Self::Manager => "Manager",
            Self::Employee => "Employee",
            Self::Auditor => "Auditor",
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
        let everywhere = |permissions: &[Permission]| at(Scope::Organization, permissions);
        let all_but = |barred: &[Permission]| {
            let kept = Permission::ALL.iter().copied().filter(|permission| !barred.contains(permission));
            at(Scope::Organization, &kept.collect::<Vec<_>>())
        };
        match self {
            Self::Owner => all_but(&[]),
            Self::Admin => all_but(&[&[P::PolicyManage][..], PAY_AND_HEALTH].concat()),
            Self::Hr => all_but(&[ACCOUNT, PAY_AND_HEALTH].concat()),
            Self::Payroll => [
                everywhere(DIRECTORY),
                everywhere(&[P::EmployeeRead, P::EmployeeReadCompensation, P::EmployeeManageCompensation]),
                everywhere(&[P::EmployeeReadBank, P::EmployeeManageBank, P::EmployeeReadIdentity]),
                everywhere(&[P::EmployeeReadAbsence, P::LeaveRead, P::ExportRun, P::JobRead]),
            ]
            .concat(),
            Self::Manager => [
                everywhere(DIRECTORY),
                at(Scope::Reports, &[P::EmployeeRead, P::EmployeeReadAbsence, P::LeaveRead, P::LeaveDecide]),
            ]
            .concat(),
            Self::Employee => [
                everywhere(DIRECTORY),
                at(Scope::DepartmentTree, &[P::EmployeeReadAbsence]),
                at(Scope::Own, &[P::EmployeeRead, P::LeaveRead, P::LeaveSubmit, P::JobRead]),
                at(Scope::Own, &[P::EmployeeReadPersonal, P::EmployeeReadCompensation]),
                at(Scope::Own, &[P::EmployeeReadBank, P::EmployeeReadIdentity, P::EmployeeReadMedical]),
            ]
            .concat(),
            Self::Auditor => [
                everywhere(DIRECTORY),
                everywhere(&[P::AuditRead, P::UserRead, P::RoleRead, P::PolicyRead, P::ApiKeyRead]),
                everywhere(&[P::SupportAccessRead, P::EmployeeRead, P::EmployeeReadAbsence, P::LeaveRead]),
                everywhere(&[P::JobRead, P::ExportRun]),
            ]
            .concat(),
        }
    }
}

/// What everybody in an organisation may look up.
const DIRECTORY: &[Permission] = &[
    Permission::OrganizationRead,
    Permission::LocationRead,
    Permission::DepartmentRead,
    Permission::DesignationRead,
    Permission::OrgChartRead,
    Permission::WorkPatternRead,
    Permission::ApprovalChainRead,
    Permission::LeaveTypeRead,
];

/// The organisation's account: who gets in, and what they may do.
const ACCOUNT: &[Permission] = &[
    Permission::OrganizationManage,
    Permission::UserManage,
    Permission::RoleManage,
    Permission::PolicyRead,
    Permission::PolicyManage,
    Permission::ApiKeyRead,
    Permission::ApiKeyManage,
    Permission::WebhookRead,
    Permission::WebhookManage,
    Permission::NotificationManage,
    Permission::SupportAccessRead,
    Permission::SupportAccessManage,
    Permission::AuditRead,
];

/// What is nobody's business but payroll's, a doctor's, and one's own.
const PAY_AND_HEALTH: &[Permission] = &[
    Permission::EmployeeReadCompensation,
    Permission::EmployeeManageCompensation,
    Permission::EmployeeReadBank,
    Permission::EmployeeManageBank,
    Permission::EmployeeReadMedical,
    Permission::EmployeeManageMedical,
];

fn at(scope: Scope, permissions: &[Permission]) -> Vec<Grant> {
    permissions.iter().map(|&permission| Grant { permission, scope }).collect()
}

/// The name of a role: a built-in one, or one that the organisation made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, example = "hr"))]
#[serde(transparent)]
pub struct RoleName(Cow<'static, str>);

impl RoleName {
    /// The role with this code, whether there is one or not.
    #[must_use]
    pub fn new(code: impl Into<Cow<'static, str>>) -> Self {
        Self(code.into())
    }

    /// The code, as in `hr`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The built-in role of this name; `None` for the organisation's own.
    #[must_use]
    pub fn built_in(&self) -> Option<Role> {
        Role::from_code(&self.0)
    }
}

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        Self(Cow::Borrowed(role.code()))
    }
}

impl PartialEq<Role> for RoleName {
    fn eq(&self, role: &Role) -> bool {
        self.0 == role.code()
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
