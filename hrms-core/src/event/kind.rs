//! Types of events: every type that is emitted is declared here, with what it means and what its data holds.
//!
//! An event of a type that nobody declared, or with other data than declared, can't be committed. Whoever embeds the
//! library declares types of their own with [`Builder::event_type`](crate::hrms::Builder::event_type).

use serde_json::Value;

use crate::policy::Permission;

/// A type of event.
#[derive(Clone, Copy, Debug)]
pub struct EventType {
    /// The type's name, as in `leave_request.approved`.
    pub name: &'static str,
    /// What has happened, in a sentence.
    pub about: &'static str,
    /// The form of its subject, as in `leave-requests/{leave_request_id}`.
    pub subject: &'static str,
    /// The permission that a receiver needs on what it is about: one of these, by the data. None for a type whose events
    /// are each for one user and nobody else.
    pub permissions: &'static [Permission],
    /// What the data holds.
    pub data: &'static [DataField],
}

impl EventType {
    /// Whether each event of it is for one user and nobody else: no permission opens it, and no webhook gets it.
    #[must_use]
    pub const fn is_addressed(&self) -> bool {
        self.permissions.is_empty()
    }
}

/// A field of an event's data.
#[derive(Clone, Copy, Debug)]
pub struct DataField {
    /// Its name.
    pub name: &'static str,
    /// What its value looks like.
    pub form: DataForm,
    /// Whether it may be left out, or null.
    pub optional: bool,
}

/// What a value of an event's data looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DataForm {
    /// A UUID.
    Id,
    /// A text, such as a status.
    Text,
    /// A date, as in `2026-11-21`.
    Date,
    /// An instant (RFC 3339, UTC).
    Instant,
    /// A number.
    Number,
    /// True or false.
    Flag,
    /// Several texts, such as the names of fields.
    Texts,
}

/// What the data of any event may hold besides.
pub const COMMON_DATA: &[DataField] = &[
    DataField { name: "changed", form: DataForm::Texts, optional: true },
    DataField { name: "operator_id", form: DataForm::Id, optional: true },
    DataField { name: "support_grant_id", form: DataForm::Id, optional: true },
];

macro_rules! event_types {
    ($($(#[doc = $about:literal])+ $name:literal on $subject:literal $(for $($permission:ident)|+)? {
        $($field:ident: $form:ident $($optional:ident)?),* $(,)?
    })+) => {
        /// Every type of event that this library emits, in order of their names.
        pub const EVENT_TYPES: &[EventType] = &[$(EventType {
            name: $name,
            about: concat!($($about),+).trim_ascii(),
            subject: $subject,
            permissions: &[$($(Permission::$permission),+)?],
            data: &[$(DataField {
                name: stringify!($field),
                form: DataForm::$form,
                optional: event_types!(@optional $($optional)?),
            }),*],
        }),+];
    };
    (@optional) => { false };
    (@optional optional) => { true };
}

event_types! {
    /// An API key was made.
    "api_key.created" on "api-keys/{api_key_id}" for ApiKeyRead { api_key_id: Id, service_account_id: Id }
    /// An API key was replaced by a new one; it is good for a while yet.
    "api_key.replaced" on "api-keys/{api_key_id}" for ApiKeyRead { api_key_id: Id, service_account_id: Id }
    /// An API key was revoked.
    "api_key.revoked" on "api-keys/{api_key_id}" for ApiKeyRead { api_key_id: Id, service_account_id: Id }
    /// Somebody is asked for a decision.
    "approval.asked" on "approval-tasks/{approval_task_id}" for LeaveRead {
        approval_task_id: Id, approval_case_id: Id, kind: Text, subject_id: Id, employee_id: Id,
    }
    /// Somebody said something about what waits for a decision.
    "approval.commented" on "approval-cases/{approval_case_id}" for LeaveRead {
        approval_case_id: Id, kind: Text, subject_id: Id, employee_id: Id,
    }
    /// Somebody decided, and others have to decide still.
    "approval.decided" on "approval-tasks/{approval_task_id}" for LeaveRead {
        approval_task_id: Id, approval_case_id: Id, kind: Text, subject_id: Id, employee_id: Id,
    }
    /// Somebody was reminded of a decision that waits for them.
    "approval.reminded" on "approval-tasks/{approval_task_id}" for LeaveRead {
        approval_task_id: Id, approval_case_id: Id, kind: Text, subject_id: Id, employee_id: Id,
    }
    /// An approval chain was changed.
    "approval_chain.changed" on "approval-chains/{approval_chain_id}" for ApprovalChainRead { approval_chain_id: Id }
    /// An approval chain was added.
    "approval_chain.created" on "approval-chains/{approval_chain_id}" for ApprovalChainRead { approval_chain_id: Id }
    /// An approval chain was removed.
    "approval_chain.removed" on "approval-chains/{approval_chain_id}" for ApprovalChainRead { approval_chain_id: Id }
    /// Somebody may decide in somebody else's place.
    "approval_delegation.created" on "approval-delegations/{approval_delegation_id}" for ApprovalChainManage {
        approval_delegation_id: Id, delegator_id: Id, delegate_id: Id,
    }
    /// Somebody may not decide in somebody else's place any more.
    "approval_delegation.revoked" on "approval-delegations/{approval_delegation_id}" for ApprovalChainManage {
        approval_delegation_id: Id, delegator_id: Id, delegate_id: Id,
    }
    /// A department was changed.
    "department.changed" on "departments/{department_id}" for DepartmentRead { department_id: Id }
    /// A department was added.
    "department.created" on "departments/{department_id}" for DepartmentRead { department_id: Id }
    /// A department got a head, or other heads.
    "department.head-named" on "departments/{department_id}" for DepartmentRead { department_id: Id }
    /// A department was removed.
    "department.removed" on "departments/{department_id}" for DepartmentRead { department_id: Id }
    /// A designation was changed.
    "designation.changed" on "designations/{designation_id}" for DesignationRead { designation_id: Id }
    /// A designation was added.
    "designation.created" on "designations/{designation_id}" for DesignationRead { designation_id: Id }
    /// A designation was removed.
    "designation.removed" on "designations/{designation_id}" for DesignationRead { designation_id: Id }
    /// An employee or their employment record was changed.
    "employee.changed" on "employees/{employee_id}" for EmployeeRead {
        employee_id: Id, from: Date optional, import_id: Id optional,
    }
    /// A mistake in an employee's employment record was corrected.
    "employee.corrected" on "employees/{employee_id}" for EmployeeRead { employee_id: Id, from: Date optional }
    /// An employment was ended, or its end was set.
    "employee.ended" on "employees/{employee_id}" for EmployeeRead { employee_id: Id, from: Date optional }
    /// An employee was added who hadn't been there before: hired on that day, one by one or by an import.
    "employee.hired" on "employees/{employee_id}" for EmployeeRead {
        employee_id: Id, from: Date optional, import_id: Id optional,
    }
    /// A restricted holiday that an employee chose is a working day for them again.
    "employee.holiday-choice-removed" on "employees/{employee_id}" for LeaveRead { employee_id: Id, on_date: Date }
    /// An employee chose a restricted holiday.
    "employee.holiday-chosen" on "employees/{employee_id}" for LeaveRead { employee_id: Id, on_date: Date }
    /// A former employee was hired again.
    "employee.rehired" on "employees/{employee_id}" for EmployeeRead { employee_id: Id, from: Date optional }
    /// An employee got a working pattern of their own from a day on, or lost it.
    "employee.work-pattern-assigned" on "employees/{employee_id}" for EmployeeRead { employee_id: Id, from: Date }
    /// A group of an employee's data that needs a permission of its own was changed.
    "employee_detail.changed" on "employees/{employee_id}/{group}" for
        EmployeeReadPersonal | EmployeeReadCompensation | EmployeeReadBank | EmployeeReadIdentity | EmployeeReadMedical
    { employee_id: Id, group: Text }
    /// A holiday was added to a calendar.
    "holiday.added" on "holiday-calendars/{holiday_calendar_id}" for LocationRead {
        holiday_calendar_id: Id, on_date: Date,
    }
    /// A holiday of a calendar was changed. One that is moved is removed and added.
    "holiday.changed" on "holiday-calendars/{holiday_calendar_id}" for LocationRead {
        holiday_calendar_id: Id, on_date: Date,
    }
    /// A holiday was removed from a calendar.
    "holiday.removed" on "holiday-calendars/{holiday_calendar_id}" for LocationRead {
        holiday_calendar_id: Id, on_date: Date,
    }
    /// A holiday calendar got another code or name.
    "holiday_calendar.changed" on "holiday-calendars/{holiday_calendar_id}" for LocationRead { holiday_calendar_id: Id }
    /// How many restricted holidays of a calendar can be chosen was set.
    "holiday_calendar.choice-limit-set" on "holiday-calendars/{holiday_calendar_id}" for LocationRead {
        holiday_calendar_id: Id,
    }
    /// A holiday calendar was added.
    "holiday_calendar.created" on "holiday-calendars/{holiday_calendar_id}" for LocationRead { holiday_calendar_id: Id }
    /// A holiday calendar was removed.
    "holiday_calendar.removed" on "holiday-calendars/{holiday_calendar_id}" for LocationRead { holiday_calendar_id: Id }
    /// An import has ended.
    "import.finished" on "imports/{import_id}" for ImportRun { import_id: Id, job_id: Id, applied: Flag }
    /// An invitation was accepted.
    "invitation.accepted" on "invitations/{invitation_id}" for UserRead { invitation_id: Id }
    /// Somebody was invited.
    "invitation.created" on "invitations/{invitation_id}" for UserRead { invitation_id: Id }
    /// An invitation was sent again.
    "invitation.resent" on "invitations/{invitation_id}" for UserRead { invitation_id: Id }
    /// An invitation was revoked.
    "invitation.revoked" on "invitations/{invitation_id}" for UserRead { invitation_id: Id }
    /// What was granted was corrected by an opening balance with another amount.
    "leave.corrected" on "leave-grants/{leave_grant_id}" for LeaveRead {
        leave_grant_id: Id, employee_id: Id, leave_type_id: Id,
    }
    /// Leave was taken away by hand.
    "leave.deducted" on "employees/{employee_id}" for LeaveRead {
        employee_id: Id, leave_type_id: Id, minutes: Number, on: Date,
    }
    /// A grant of leave got another amount.
    "leave.grant-adjusted" on "leave-grants/{leave_grant_id}" for LeaveRead {
        leave_grant_id: Id, employee_id: Id, leave_type_id: Id,
    }
    /// Leave was granted.
    "leave.granted" on "leave-grants/{leave_grant_id}" for LeaveRead {
        leave_grant_id: Id, employee_id: Id, leave_type_id: Id,
    }
    /// A file was added to a request for leave.
    "leave_attachment.added" on "leave-requests/{leave_request_id}" for LeaveRead {
        leave_request_id: Id, leave_attachment_id: Id,
    }
    /// A file of a request for leave was removed.
    "leave_attachment.removed" on "leave-requests/{leave_request_id}" for LeaveRead {
        leave_request_id: Id, leave_attachment_id: Id,
    }
    /// A claim was approved: compensatory leave was granted, or leave paid out.
    "leave_claim.approved" on "leave-claims/{leave_claim_id}" for LeaveRead {
        leave_claim_id: Id, kind: Text, employee_id: Id, leave_type_id: Id, minutes: Number, status: Text,
    }
    /// A claim was taken back; what was posted for it is undone.
    "leave_claim.cancelled" on "leave-claims/{leave_claim_id}" for LeaveRead {
        leave_claim_id: Id, kind: Text, employee_id: Id, leave_type_id: Id, minutes: Number, status: Text,
    }
    /// A claim was rejected.
    "leave_claim.rejected" on "leave-claims/{leave_claim_id}" for LeaveRead {
        leave_claim_id: Id, kind: Text, employee_id: Id, leave_type_id: Id, minutes: Number, status: Text,
    }
    /// Somebody claimed compensatory leave, or that leave is paid out.
    "leave_claim.submitted" on "leave-claims/{leave_claim_id}" for LeaveRead {
        leave_claim_id: Id, kind: Text, employee_id: Id, leave_type_id: Id, minutes: Number, status: Text,
    }
    /// A period of leave was closed.
    "leave_closing.created" on "leave-closings/{leave_closing_id}" for LeaveTypeRead {
        leave_closing_id: Id, through: Date,
    }
    /// A closed period of leave was opened again.
    "leave_closing.reopened" on "leave-closings/{leave_closing_id}" for LeaveTypeRead {
        leave_closing_id: Id, through: Date,
    }
    /// A leave policy got new rules.
    "leave_policy.changed" on "leave-policies/{leave_policy_id}" for LeaveTypeRead {
        leave_policy_id: Id, leave_type_id: Id,
    }
    /// A leave policy was added.
    "leave_policy.created" on "leave-policies/{leave_policy_id}" for LeaveTypeRead {
        leave_policy_id: Id, leave_type_id: Id,
    }
    /// A leave policy was assigned to somebody.
    "leave_policy_assignment.created" on "leave-policy-assignments/{leave_policy_assignment_id}" for LeaveRead {
        leave_policy_assignment_id: Id, employee_id: Id, leave_policy_id: Id, leave_type_id: Id,
    }
    /// The assignment of a leave policy to somebody got an end.
    "leave_policy_assignment.ended" on "leave-policy-assignments/{leave_policy_assignment_id}" for LeaveRead {
        leave_policy_assignment_id: Id, employee_id: Id, leave_policy_id: Id, leave_type_id: Id,
    }
    /// The assignment of a leave policy to somebody was taken back: it was never in force.
    "leave_policy_assignment.voided" on "leave-policy-assignments/{leave_policy_assignment_id}" for LeaveRead {
        leave_policy_assignment_id: Id, employee_id: Id, leave_policy_id: Id, leave_type_id: Id,
    }
    /// A request for leave was approved.
    "leave_request.approved" on "leave-requests/{leave_request_id}" for LeaveRead {
        leave_request_id: Id, employee_id: Id, leave_type_id: Id, status: Text,
    }
    /// A request for leave was cancelled.
    "leave_request.cancelled" on "leave-requests/{leave_request_id}" for LeaveRead {
        leave_request_id: Id, employee_id: Id, leave_type_id: Id, status: Text,
    }
    /// A pending request for leave was changed: those who decide are asked anew.
    "leave_request.changed" on "leave-requests/{leave_request_id}" for LeaveRead {
        leave_request_id: Id, employee_id: Id, leave_type_id: Id, status: Text,
    }
    /// What a request takes was counted anew: a holiday, a working pattern or the workplace has changed, or another request
    /// beside it is gone. `GET /api/v1/leave-requests/{id}/recounts` says why.
    "leave_request.recounted" on "leave-requests/{leave_request_id}" for LeaveRead {
        leave_request_id: Id, employee_id: Id, leave_type_id: Id, status: Text, version: Number,
    }
    /// A request for leave was rejected.
    "leave_request.rejected" on "leave-requests/{leave_request_id}" for LeaveRead {
        leave_request_id: Id, employee_id: Id, leave_type_id: Id, status: Text,
    }
    /// Days of approved leave were given up.
    "leave_request.shortened" on "leave-requests/{leave_request_id}" for LeaveRead {
        leave_request_id: Id, employee_id: Id, leave_type_id: Id, status: Text,
    }
    /// Somebody asked for leave.
    "leave_request.submitted" on "leave-requests/{leave_request_id}" for LeaveRead {
        leave_request_id: Id, employee_id: Id, leave_type_id: Id, status: Text,
    }
    /// A kind of leave was changed.
    "leave_type.changed" on "leave-types/{leave_type_id}" for LeaveTypeRead { leave_type_id: Id }
    /// A kind of leave was added.
    "leave_type.created" on "leave-types/{leave_type_id}" for LeaveTypeRead { leave_type_id: Id }
    /// Rules for requests were set from a day on.
    "leave_type.rules-set" on "leave-types/{leave_type_id}" for LeaveTypeRead {
        leave_type_id: Id, effective_from: Date,
    }
    /// A location was changed.
    "location.changed" on "locations/{location_id}" for LocationRead { location_id: Id }
    /// A location was added.
    "location.created" on "locations/{location_id}" for LocationRead { location_id: Id }
    /// A location got a holiday calendar from a day on, or lost it.
    "location.holiday-calendar-assigned" on "locations/{location_id}" for LocationRead { location_id: Id, from: Date }
    /// A location was removed.
    "location.removed" on "locations/{location_id}" for LocationRead { location_id: Id }
    /// A location got a working pattern from a day on, or lost it.
    "location.work-pattern-assigned" on "locations/{location_id}" for LocationRead { location_id: Id, from: Date }
    /// Somebody was told something, or told again. Only they hear of it, and no webhook.
    "notification.created" on "notifications/{notification_id}" {
        notification_id: Id, user_id: Id, type: Text,
    }
    /// The organisation's own settings were changed.
    "organization.changed" on "organization" for OrganizationRead {}
    /// A policy was changed.
    "policy.changed" on "policies/{policy_id}" for PolicyRead { policy_id: Id }
    /// A policy was written.
    "policy.created" on "policies/{policy_id}" for PolicyRead { policy_id: Id }
    /// A policy was removed.
    "policy.removed" on "policies/{policy_id}" for PolicyRead { policy_id: Id }
    /// A role was changed.
    "role.changed" on "roles/{role_id}" for RoleRead { role_id: Id }
    /// A role was added.
    "role.created" on "roles/{role_id}" for RoleRead { role_id: Id }
    /// A role was removed.
    "role.removed" on "roles/{role_id}" for RoleRead { role_id: Id }
    /// A service account was changed.
    "service_account.changed" on "service-accounts/{service_account_id}" for ApiKeyRead { service_account_id: Id }
    /// A service account was added.
    "service_account.created" on "service-accounts/{service_account_id}" for ApiKeyRead { service_account_id: Id }
    /// A service account was removed with its keys.
    "service_account.removed" on "service-accounts/{service_account_id}" for ApiKeyRead { service_account_id: Id }
    /// The access of an operator of the service ended.
    "support_access.ended" on "support-access/{support_grant_id}" for SupportAccessRead {
        operator_id: Id, user_id: Id, expires_at: Instant,
    }
    /// An operator of the service began to act inside the organisation.
    "support_access.started" on "support-access/{support_grant_id}" for SupportAccessRead {
        operator_id: Id, user_id: Id, expires_at: Instant,
    }
    /// A user was changed, disabled or enabled.
    "user.changed" on "users/{user_id}" for UserRead { user_id: Id }
    /// Somebody became a user of the organisation.
    "user.created" on "users/{user_id}" for UserRead { user_id: Id }
    /// A user was removed.
    "user.removed" on "users/{user_id}" for UserRead { user_id: Id }
    /// The second factor of a user was removed by somebody else.
    "user.second-factor-reset" on "users/{user_id}" for UserRead { user_id: Id }
    /// Sessions of a user were ended by somebody else.
    "user.sessions-ended" on "users/{user_id}" for UserRead { user_id: Id, session_id: Id optional }
    /// A webhook was changed.
    "webhook.changed" on "webhooks/{webhook_id}" for WebhookRead { webhook_id: Id, reason: Text optional }
    /// A webhook was added.
    "webhook.created" on "webhooks/{webhook_id}" for WebhookRead { webhook_id: Id }
    /// A webhook was disabled: by somebody, or because its endpoint is gone or fails for days, as `reason` says.
    "webhook.disabled" on "webhooks/{webhook_id}" for WebhookRead { webhook_id: Id, reason: Text }
    /// A webhook was enabled.
    "webhook.enabled" on "webhooks/{webhook_id}" for WebhookRead { webhook_id: Id }
    /// A webhook was removed.
    "webhook.removed" on "webhooks/{webhook_id}" for WebhookRead { webhook_id: Id, reason: Text optional }
    /// The secret of a webhook was replaced.
    "webhook.secret-rotated" on "webhooks/{webhook_id}" for WebhookRead { webhook_id: Id, reason: Text optional }
    /// Somebody tests a webhook. It is sent to that one, whatever types it asks for.
    "webhook.tested" on "webhooks/{webhook_id}" for WebhookRead { webhook_id: Id }
    /// Code or name of a working pattern was changed.
    "work_pattern.changed" on "work-patterns/{work_pattern_id}" for WorkPatternRead { work_pattern_id: Id }
    /// A working pattern was added.
    "work_pattern.created" on "work-patterns/{work_pattern_id}" for WorkPatternRead { work_pattern_id: Id }
    /// A working pattern was removed.
    "work_pattern.removed" on "work-patterns/{work_pattern_id}" for WorkPatternRead { work_pattern_id: Id }
}

/// The types of events of one system: those of the library and those that were added.
#[derive(Clone, Debug, Default)]
pub struct EventTypes {
    added: Vec<EventType>,
}

impl EventTypes {
    /// Adds a type.
    pub(crate) fn add(&mut self, event_type: EventType) {
        self.added.push(event_type);
    }

    /// Every type.
    pub fn all(&self) -> impl Iterator<Item = &EventType> {
        EVENT_TYPES.iter().chain(&self.added)
    }

    /// The type of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&EventType> {
        match EVENT_TYPES.binary_search_by(|known| known.name.cmp(name)) {
            Ok(at) => EVENT_TYPES.get(at),
            Err(_) => self.added.iter().find(|added| added.name == name),
        }
    }

    /// What about an event is not as declared.
    pub(crate) fn fault(&self, name: &'static str, data: &Value) -> Option<String> {
        let Some(declared) = self.get(name) else {
            return Some(format!("nobody declared events of type {name}"));
        };
        let Value::Object(fields) = data else {
            return Some(format!("the data of {name} is no object"));
        };
        for field in declared.data {
            match fields.get(field.name) {
                None | Some(Value::Null) if field.optional => {}
                Some(value) if field.form.fits(value) => {}
                value => return Some(format!("{name}: {} is {value:?}", field.name)),
            }
        }
        let known = |name: &str| declared.data.iter().chain(COMMON_DATA).any(|field| field.name == name);
        fields.keys().find(|field| !known(field)).map(|field| format!("{name}: {field} isn't declared"))
    }
}

impl DataForm {
    /// Whether a value looks like this, as far as its JSON type tells.
    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Id | Self::Text | Self::Date | Self::Instant => value.is_string(),
            Self::Number => value.is_number(),
            Self::Flag => value.is_boolean(),
            Self::Texts => value.as_array().is_some_and(|texts| texts.iter().all(Value::is_string)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_are_in_order_and_their_subjects_name_what_the_data_holds() {
        assert!(EVENT_TYPES.is_sorted_by(|a, b| a.name < b.name));
        for event_type in EVENT_TYPES {
            assert!(event_type.about.ends_with('.'), "{}", event_type.name);
            let variables = event_type.subject.split('{').skip(1).filter_map(|rest| rest.split('}').next());
            for variable in variables {
                let known = event_type.data.iter().chain(COMMON_DATA).any(|field| field.name == variable);
                assert!(known, "{}: {variable}", event_type.name);
            }
        }
    }

    #[test]
    fn data_is_as_declared() {
        let types = EventTypes::default();
        let id = "0199f0d0-0000-7000-8000-000000000000";
        assert_eq!(types.fault("location.created", &json!({ "location_id": id })), None);
        let changed = json!({ "location_id": id, "changed": ["name"], "operator_id": id });
        assert_eq!(types.fault("location.changed", &changed), None);
        for (name, data) in [
            ("location.painted", json!({ "location_id": id })),
            ("location.created", json!({})),
            ("location.created", json!({ "location_id": null })),
            ("location.created", json!({ "location_id": 7 })),
            ("location.created", json!({ "location_id": id, "name": "Pune" })),
            ("location.created", json!([])),
        ] {
            assert!(types.fault(name, &data).is_some(), "{name} {data}");
        }
        assert_eq!(types.fault("user.sessions-ended", &json!({ "user_id": id, "session_id": null })), None);
    }
}
