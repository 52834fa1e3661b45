//! Which reach makes sense for which permission, and what a program may be allowed.

use crate::policy::{Permission, Scope};

/// What belongs to an employee, the actor included.
const ANYBODY: &[Scope] = Scope::ALL;

/// What is done to others: nobody hires, pays or judges themselves.
const OTHERS: &[Scope] =
    &[Scope::Reports, Scope::ReportsTree, Scope::DepartmentTree, Scope::Location, Scope::Organization];

/// What is asked for by somebody, who may be the actor.
const OWN_OR_ALL: &[Scope] = &[Scope::Own, Scope::Organization];

/// What belongs to the organisation as a whole.
const WHOLE: &[Scope] = &[Scope::Organization];

impl Permission {
    /// The scopes that it can be granted with; narrow ones first.
    #[must_use]
    pub const fn scopes(self) -> &'static [Scope] {
        match self {
            Self::EmployeeRead
            | Self::EmployeeReadPersonal
            | Self::EmployeeManagePersonal
            | Self::EmployeeReadCompensation
            | Self::EmployeeReadBank
            | Self::EmployeeManageBank
            | Self::EmployeeReadIdentity
            | Self::EmployeeReadMedical
            | Self::EmployeeReadAbsence
            | Self::LeaveRead
            | Self::LeaveSubmit => ANYBODY,
            Self::EmployeeManage
            | Self::EmployeeManageCompensation
            | Self::EmployeeManageIdentity
            | Self::EmployeeManageMedical
            | Self::LeaveDecide
            | Self::LeaveGrant => OTHERS,
            Self::JobRead => OWN_OR_ALL,
            _ => WHOLE,
        }
    }

    /// The permission without which this one makes no sense on the same thing: a policy that forbids that one forbids
    /// this one too. Whoever mustn't see somebody mustn't see, or change, anything of their record either.
    #[must_use]
    pub const fn presupposes(self) -> Option<Self> {
        match self {
            Self::EmployeeManage
            | Self::EmployeeReadPersonal
            | Self::EmployeeManagePersonal
            | Self::EmployeeReadCompensation
            | Self::EmployeeManageCompensation
            | Self::EmployeeReadBank
            | Self::EmployeeManageBank
            | Self::EmployeeReadIdentity
            | Self::EmployeeManageIdentity
            | Self::EmployeeReadMedical
            | Self::EmployeeManageMedical
            | Self::EmployeeReadAbsence => Some(Self::EmployeeRead),
            _ => None,
        }
    }

    /// Whether a program with an API key may be allowed it. Who gets in and what they may do is for people.
    #[must_use]
    pub const fn is_for_programs(self) -> bool {
        !matches!(
            self,
            Self::OrganizationManage
                | Self::UserManage
                | Self::RoleManage
                | Self::PolicyManage
                | Self::ApiKeyManage
                | Self::WebhookManage
                | Self::NotificationManage
                | Self::SupportAccessManage
                // What nobody does for themselves: a program has no self to compare with.
                | Self::LeaveDecide
                | Self::LeaveGrant
                | Self::EmployeeManageCompensation
                | Self::EmployeeManageBank
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Role;

    #[test]
    fn what_built_in_roles_grant_makes_sense() {
        for &role in Role::ALL {
            for grant in role.grants() {
                assert!(grant.permission.scopes().contains(&grant.scope), "{role:?} {grant:?}");
            }
        }
    }

    #[test]
    fn every_permission_can_be_granted_on_the_whole_organisation_and_says_what_it_is() {
        for permission in Permission::ALL {
            assert!(permission.scopes().contains(&Scope::Organization));
            assert!(permission.description().ends_with('.') && !permission.description().starts_with(' '));
        }
    }

    #[test]
    fn whatever_is_about_an_employee_presupposes_to_see_them() {
        for permission in Permission::ALL {
            let about = permission.code().starts_with("employee.") && *permission != Permission::EmployeeRead;
            assert_eq!(permission.presupposes(), about.then_some(Permission::EmployeeRead), "{permission:?}");
        }
    }

    #[test]
    fn programs_manage_nothing_that_lets_others_in() {
        let barred: Vec<_> =
            Permission::ALL.iter().filter(|one| !one.is_for_programs()).map(|one| one.code()).collect();
        let expected = [
            "organization.manage",
            "user.manage",
            "role.manage",
            "policy.manage",
            "api-key.manage",
            "webhook.manage",
            "notification.manage",
            "support-access.manage",
            "employee.manage-compensation",
            "employee.manage-bank",
            "leave.decide",
            "leave.grant",
        ];
        assert_eq!(barred, expected);
    }
}
