//! Kinds of things that permissions are about, and what of them decisions may look at.
//!
//! What belongs to the organisation as a whole, such as its locations, is decided as a whole: those kinds have names in
//! the plural, and no policy can single one out.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::id::{LeaveRequestId, LeaveTypeId, UserId};
use crate::import::ImportKind;
use crate::leave::RequestStatus;
use crate::policy::{Permission, Resource};

macro_rules! kinds {
    ($($(#[$meta:meta])* $name:ident = $code:literal;)+) => {
        /// A kind of thing that permissions are about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum Kind {
            $($(#[$meta])* $name,)+
        }

        impl Kind {
            /// Every kind there is.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name in policies, as in `LeaveRequest`.
            #[must_use]
            pub const fn type_name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// The part of the permissions' names before the dot.
            const fn prefix(self) -> &'static str {
                match self { $(Self::$name => $code,)+ }
            }
        }
    };
}

kinds! {
    /// The organisation itself.
    Organization = "organization";
    /// Who can log in.
    Users = "user";
    /// The roles.
    Roles = "role";
    /// The policies that the organisation wrote.
    Policies = "policy";
    /// Service accounts and their keys.
    ApiKeys = "api-key";
    /// The webhooks.
    Webhooks = "webhook";
    /// What people are told, by which channels.
    Notifications = "notification";
    /// The access of operators of the service.
    SupportAccess = "support-access";
    /// The audit log.
    AuditLog = "audit";
    /// The workplaces.
    Locations = "location";
    /// The departments.
    Departments = "department";
    /// The job titles.
    Designations = "designation";
    /// An employee with everything about them.
    Employee = "employee";
    /// The org chart.
    OrgChart = "org-chart";
    /// The working patterns.
    WorkPatterns = "work-pattern";
    /// The approval chains.
    ApprovalChains = "approval-chain";
    /// The kinds of leave.
    LeaveTypes = "leave-type";
    /// A request for leave.
    LeaveRequest = "leave";
    /// A leave account.
    LeaveBalance = "leave-balance";
    /// An import.
    Import = "import";
    /// An export.
    Export = "export";
    /// The background jobs.
    Jobs = "job";
}

impl Permission {
    /// The kinds of things that it is about: one, or for leave requests and balances.
    #[must_use]
    pub fn kinds(self) -> &'static [Kind] {
        match self {
            Self::LeaveRead => &[Kind::LeaveRequest, Kind::LeaveBalance],
            Self::LeaveGrant => &[Kind::LeaveBalance],
            _ => {
                let (prefix, _) = self.code().split_once('.').unwrap_or_default();
                let at = Kind::ALL.iter().position(|kind| kind.prefix() == prefix);
                at.and_then(|at| Kind::ALL.get(at..=at)).unwrap_or_default()
            }
        }
    }

    /// The kind of thing that it is about, where `resource` is the thing.
    #[must_use]
    pub fn kind_of(self, resource: &Resource) -> Kind {
        match (self, &resource.details) {
            (Self::LeaveRead, Details::None) => Kind::LeaveBalance,
            _ => self.kinds().first().copied().unwrap_or(Kind::Organization),
        }
    }
}

/// What decisions may look at besides the owner, where a service has it at hand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Details {
    /// Nothing.
    #[default]
    None,
    /// Of a request for leave.
    LeaveRequest(LeaveDetails),
    /// Of an import or export: what it moves.
    Data(ImportKind),
    /// Of what is for one user and nobody else: no permission opens it to others.
    User(UserId),
}

/// What decisions may look at of a request for leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaveDetails {
    /// Which one; `None` for one that is only being asked for.
    pub id: Option<LeaveRequestId>,
    /// What kind of leave.
    pub leave_type_id: LeaveTypeId,
    /// Working time that it takes, in minutes.
    pub minutes: i64,
    /// The same in days, part of a day counted as a whole one.
    pub days: i64,
    /// The first day.
    pub starts_on: Date,
    /// The last day: it belongs to the leave.
    pub ends_on: Date,
    /// How it stands.
    pub status: RequestStatus,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_is_about_some_kind() {
        for &permission in Permission::ALL {
            assert!(!permission.kinds().is_empty(), "{}: add its kind", permission.code());
        }
    }
}
