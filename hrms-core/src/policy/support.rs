//! What operators of the service may not do inside an organisation, whoever's rights they use.

use crate::policy::Permission;

/// Barred to operators: who gets in and what they may do, credentials, pay and whatever leads to it, the most
/// personal data, decisions about people, and taking data away in bulk.
///
/// Support looks at what a member sees, and repairs it; it doesn't run the organisation.
const BARRED: &[Permission] = &[
    Permission::OrganizationManage,
    Permission::UserManage,
    Permission::RoleManage,
    Permission::PolicyManage,
    Permission::ApiKeyManage,
    Permission::WebhookManage,
    Permission::NotificationManage,
    Permission::SupportAccessManage,
    Permission::EmployeeReadCompensation,
    Permission::EmployeeManageCompensation,
    Permission::EmployeeReadBank,
    Permission::EmployeeManageBank,
    Permission::EmployeeReadIdentity,
    Permission::EmployeeManageIdentity,
    Permission::EmployeeReadMedical,
    Permission::EmployeeManageMedical,
    Permission::ApprovalChainManage,
    // Days of leave are paid, or paid out.
    Permission::LeaveDecide,
    Permission::LeaveGrant,
    Permission::ExportRun,
];

impl Permission {
    /// Whether operators of the service may not use it inside an organisation, whoever's rights they use and
    /// whatever the organisation's own policies permit.
    #[must_use]
    pub fn is_barred_to_support(self) -> bool {
        BARRED.contains(&self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A new permission shows up here: is it one for operators? If not, bar it.
    #[test]
    fn what_is_open_to_operators_is_listed() {
        let open: Vec<&str> = Permission::ALL
            .iter()
            .filter(|permission| !permission.is_barred_to_support())
            .map(|permission| permission.code())
            .collect();
        let expected = [
            "organization.read",
            "user.read",
            "role.read",
            "policy.read",
            "api-key.read",
            "webhook.read",
            "support-access.read",
            "audit.read",
            "location.read",
            "location.manage",
            "department.read",
            "department.manage",
            "designation.read",
            "designation.manage",
            "employee.read",
            "employee.manage",
            "employee.read-personal",
            "employee.manage-personal",
            "employee.read-absence",
            "org-chart.read",
            "work-pattern.read",
            "work-pattern.manage",
            "approval-chain.read",
            "leave-type.read",
            "leave-type.manage",
            "leave.read",
            "leave.submit",
            "import.run",
            "job.read",
            "job.manage",
        ];
        assert_eq!(open, expected);
    }
}
