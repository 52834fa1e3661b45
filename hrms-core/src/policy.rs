//! Who may do what to whom: permissions, scopes, roles, and the policy that decides.
//!
//! Deciding is pure: a function of the actor, a permission and a few facts of the resource.
//! Nothing is allowed unless a grant says so.

#[cfg(feature = "cedar")]
#[cfg_attr(docsrs, doc(cfg(feature = "cedar")))]
pub mod cedar;
mod kind;
#[cfg(test)]
mod matrix;
mod reach;
mod role;
mod rules;
mod support;
pub mod written;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::employment::Facts;
use crate::id::{DepartmentId, EmployeeId, LocationId};

pub use kind::{Details, Kind, LeaveDetails};
pub use role::{Grant, Role, RoleName, Scope};
pub use rules::{Receiver, Rules, Verdict};

macro_rules! permissions {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal;)+) => {
        /// Something an actor may be allowed to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[non_exhaustive]
        pub enum Permission {
            $($(#[doc = $doc])+ #[serde(rename = $code)] $name,)+
        }

        impl Permission {
            /// Every permission there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The stable name, as in `leave.decide`.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }

            /// What it allows, for people.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+).trim_ascii(),)+ }
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
    /// Invite and add users, change their roles, disable and remove them.
    UserManage = "user.manage";
    /// See roles and what they grant.
    RoleRead = "role.read";
    /// Add and change the organisation's own roles.
    RoleManage = "role.manage";
    /// See the policies that the organisation wrote, and why they decide as they do.
    PolicyRead = "policy.read";
    /// Write policies: they can permit anything, so this is for owners.
    PolicyManage = "policy.manage";
    /// See service accounts and their API keys.
    ApiKeyRead = "api-key.read";
    /// Add and revoke service accounts and API keys.
    ApiKeyManage = "api-key.manage";
    /// See webhooks and what was sent to them.
    WebhookRead = "webhook.read";
    /// Have events sent to programs elsewhere.
    WebhookManage = "webhook.manage";
    /// See what was sent to people, send it again, and write its texts.
    NotificationManage = "notification.manage";
    /// See when operators of the service acted inside the organisation.
    SupportAccessRead = "support-access.read";
    /// End the access of operators of the service.
    SupportAccessManage = "support-access.manage";
    /// Read the audit log.
    AuditRead = "audit.read";
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
    /// See employees and their employment record: the public profile.
    EmployeeRead = "employee.read";
    /// Hire, change, correct, end, rehire.
    EmployeeManage = "employee.manage";
    /// See birth date, gender and private contact.
    EmployeeReadPersonal = "employee.read-personal";
    /// Change birth date, gender and private contact.
    EmployeeManagePersonal = "employee.manage-personal";
    /// See pay.
    EmployeeReadCompensation = "employee.read-compensation";
    /// Change pay.
    EmployeeManageCompensation = "employee.manage-compensation";
    /// See bank details.
    EmployeeReadBank = "employee.read-bank";
    /// Change bank details.
    EmployeeManageBank = "employee.manage-bank";
    /// See numbers of identity documents, tax and social security.
    EmployeeReadIdentity = "employee.read-identity";
    /// Change numbers of identity documents, tax and social security.
    EmployeeManageIdentity = "employee.manage-identity";
    /// See medical data.
    EmployeeReadMedical = "employee.read-medical";
    /// Change medical data.
    EmployeeManageMedical = "employee.manage-medical";
    /// See when employees are away, and nothing of why.
    EmployeeReadAbsence = "employee.read-absence";
    /// See names, titles and the reporting line of everybody.
    OrgChartRead = "org-chart.read";
    /// See working patterns.
    WorkPatternRead = "work-pattern.read";
    /// Add and change working patterns.
    WorkPatternManage = "work-pattern.manage";
    /// See approval chains.
    ApprovalChainRead = "approval-chain.read";
    /// Write approval chains, and delegate decisions for others.
    ApprovalChainManage = "approval-chain.manage";
    /// See leave types and leave policies.
    LeaveTypeRead = "leave-type.read";
    /// Add and change leave types and leave policies.
    LeaveTypeManage = "leave-type.manage";
    /// See requests and balances.
    LeaveRead = "leave.read";
    /// Ask for leave, and cancel one's request.
    LeaveSubmit = "leave.submit";
    /// Approve and reject requests; never one's own.
    LeaveDecide = "leave.decide";
    /// Grant leave by hand, and assign leave policies.
    LeaveGrant = "leave.grant";
    /// Run imports.
    ImportRun = "import.run";
    /// Run exports.
    ExportRun = "export.run";
    /// See background jobs.
    JobRead = "job.read";
    /// Cancel and re-queue background jobs of others, which everybody may do with what they asked for; set up schedules.
    JobManage = "job.manage";
}

/// The facts of a thing that decisions rest on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resource {
    /// The employee it belongs to; `None` for things of the organisation.
    pub owner: Option<EmployeeId>,
    /// The owner's employment by the record in force at the date of the fact.
    pub facts: Facts,
    /// The managers of the owner's manager, nearest first. Looked up only for actors with a grant that
    /// reaches so far, by `Hrms::complete`.
    pub managers_above: Vec<EmployeeId>,
    /// The departments above the owner's, nearest first; looked up likewise.
    pub departments_above: Vec<DepartmentId>,
    /// What policies can look at besides.
    pub details: Details,
}

impl Resource {
    /// A thing of the organisation as a whole, such as a location.
    #[must_use]
    pub fn organization() -> Self {
        Self::default()
    }

    /// A thing that belongs to an employee with this record in force.
    #[must_use]
    pub fn of(owner: EmployeeId, facts: Facts) -> Self {
        Self { owner: Some(owner), facts, ..Self::default() }
    }

    /// The same thing with what policies can look at besides.
    #[must_use]
    pub fn with_details(mut self, details: Details) -> Self {
        self.details = details;
        self
    }
}

/// The answer to "may this actor do this to that?".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
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
    /// Rows of employees who report to this one directly or through others.
    pub reports_tree_of: Option<EmployeeId>,
    /// Rows of employees in this department or one below it.
    pub department_tree: Option<DepartmentId>,
    /// Rows of employees at this location.
    pub location: Option<LocationId>,
}

impl Visibility {
    /// Sees every row.
    pub const ALL: Self = Self {
        organization: true,
        own: None,
        reports_of: None,
        reports_tree_of: None,
        department_tree: None,
        location: None,
    };

    /// What either shows. Where a part names one thing here and another one there, it is every row: each has to be
    /// asked about then.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        fn differ<Id: PartialEq>(one: Option<Id>, two: Option<Id>) -> bool {
            one.is_some() && two.is_some() && one != two
        }
        let differ = differ(self.own, other.own)
            || differ(self.reports_of, other.reports_of)
            || differ(self.reports_tree_of, other.reports_tree_of)
            || differ(self.department_tree, other.department_tree)
            || differ(self.location, other.location);
        Self {
            organization: self.organization || other.organization || differ,
            own: self.own.or(other.own),
            reports_of: self.reports_of.or(other.reports_of),
            reports_tree_of: self.reports_tree_of.or(other.reports_tree_of),
            department_tree: self.department_tree.or(other.department_tree),
            location: self.location.or(other.location),
        }
    }

    /// Whether nothing can be seen.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a thing is inside. Nobody is their own report, whatever the record says.
    #[must_use]
    pub fn includes(&self, resource: &Resource) -> bool {
        fn same<Id: PartialEq>(mine: Option<Id>, theirs: Option<Id>) -> bool {
            mine.is_some() && mine == theirs
        }
        let facts = &resource.facts;
        let reports_to =
            |manager: Option<EmployeeId>| same(manager, facts.manager_id) && manager != resource.owner;
        let below = |manager: EmployeeId| resource.managers_above.contains(&manager);
        let within = |department: DepartmentId| resource.departments_above.contains(&department);
        self.organization
            || same(self.own, resource.owner)
            || reports_to(self.reports_of)
            || reports_to(self.reports_tree_of)
            || (self.reports_tree_of.is_some_and(below) && self.reports_tree_of != resource.owner)
            || same(self.department_tree, facts.department_id)
            || self.department_tree.is_some_and(within)
            || same(self.location, facts.location_id)
    }
}

/// Decides. Replace it to narrow what roles allow (see the `custom_policy` example).
///
/// The methods must agree: a row that `visibility` includes is one that `decide` allows to read, unless
/// [`Policy::narrows`] says that rows have to be asked about one by one.
pub trait Policy: Send + Sync + fmt::Debug {
    /// May `actor` use `permission` on `resource`?
    ///
    /// By default: what the visible rows include, less what the organisation's own rules forbid, and
    /// what these permit besides.
    fn decide(&self, actor: &Actor, permission: Permission, resource: &Resource) -> Decision {
        let allowed = || self.visibility(actor, permission).includes(resource);
        if actor.support().is_some() && permission.is_barred_to_support() {
            return Decision::Deny;
        }
        let verdict = actor.rules().map_or(Verdict::Silent, |rules| rules.judge(actor, permission, resource));
        match verdict {
            Verdict::Permit => Decision::Allow,
            Verdict::Silent if allowed() => Decision::Allow,
            Verdict::Silent | Verdict::Forbid => Decision::Deny,
        }
    }

    /// Which rows of a collection `permission` opens to `actor`, before the organisation's own rules.
    fn visibility(&self, actor: &Actor, permission: Permission) -> Visibility;

    /// Whether each row that `visibility` includes has still to be asked about.
    fn narrows(&self, actor: &Actor, permission: Permission) -> bool {
        actor.rules().is_some_and(|rules| rules.concern(permission))
    }
}

/// The default policy: what the actor's roles grant and the organisation's own rules add and take away.
#[derive(Clone, Copy, Debug, Default)]
pub struct RolePolicy;

impl Policy for RolePolicy {
    fn visibility(&self, actor: &Actor, permission: Permission) -> Visibility {
        let mut seen = Visibility::default();
        for grant in actor.grants().iter().filter(|grant| grant.permission == permission) {
            match grant.scope {
                Scope::Own => seen.own = actor.employee(),
                Scope::Reports => seen.reports_of = actor.employee(),
                Scope::ReportsTree => seen.reports_tree_of = actor.employee(),
                Scope::DepartmentTree => seen.department_tree = actor.facts().department_id,
                Scope::Location => seen.location = actor.facts().location_id,
                Scope::Organization => seen.organization = true,
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests;
