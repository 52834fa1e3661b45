//! A valid body for every endpoint that takes one.

use http::Method;
use serde_json::{Value, json};

use super::operation::Operation;
use super::world::Tenant;

/// A body with which an operation gets as far as looking for what its path and its body name.
pub(crate) fn body_of(operation: &Operation, tenant: &Tenant) -> Value {
    let (employee, leave_type) = (tenant.referenced("employee_id"), tenant.referenced("leave_type_id"));
    match operation.path.as_str() {
        _ if operation.method == Method::PATCH => json!({}),
        "/api/v1/calendar-feeds" => {
            json!({ "kind": "department", "department_id": tenant.referenced("department_id") })
        }
        "/api/v1/departments" => json!({ "code": "C", "name": "C" }),
        "/api/v1/departments/{id}/coverage-minimums" => {
            json!({ "effective_from": "2026-01-01", "people": 1, "location_id": tenant.referenced("location_id") })
        }
        "/api/v1/departments/{id}/heads" => json!({ "employee_id": employee, "from": "2026-01-01" }),
        "/api/v1/employees" => json!({ "given_name": "C", "hired_on": "2026-01-01" }),
        "/api/v1/employees/{id}/changes" | "/api/v1/employees/{id}/corrections" => {
            json!({ "from": "2026-01-01", "status": "on_notice" })
        }
        "/api/v1/employees/{id}/end" => json!({ "last_day": "2026-01-01" }),
        "/api/v1/employees/{id}/rehire" => json!({ "from": "2030-01-01" }),
        "/api/v1/holiday-calendars" => json!({ "code": "C", "name": "C" }),
        "/api/v1/holiday-calendars/{id}/holidays" => json!({ "on_date": "2026-12-24", "name": "Feast" }),
        "/api/v1/holiday-calendars/{id}/import" => json!({ "format": "csv", "content": "date,name" }),
        "/api/v1/holiday-calendars/{id}/choice-limits" => json!({ "from_year": 2030, "most": 2 }),
        "/api/v1/employees/{id}/holiday-choices" => json!({ "on_date": "2026-12-29" }),
        "/api/v1/holiday-calendars/{id}/copy" => json!({ "from_year": 2026 }),
        "/api/v1/locations/{id}/holiday-calendars" => {
            json!({ "holiday_calendar_id": tenant.referenced("holiday_calendar_id"), "from": "2030-01-01" })
        }
        "/api/v1/leave-grants" => {
            json!({
                "employee_id": employee, "leave_type_id": leave_type, "days": "1", "valid_from": "2026-01-01",
            })
        }
        "/api/v1/leave-grants/{id}/adjust" => json!({ "days": "30" }),
        "/api/v1/leave-balances/{employee_id}/{leave_type_id}/project" => {
            json!({ "requests": [{ "starts_on": "2026-12-01", "ends_on": "2026-12-01" }] })
        }
        "/api/v1/leave-balances/{employee_id}/{leave_type_id}/deduct" => json!({ "minutes": 1 }),
        "/api/v1/leave-policies" => {
            json!({
                "leave_type_id": leave_type, "code": "CC", "name": "C", "effective_from": "2026-01-01", "rules": {},
            })
        }
        "/api/v1/approval-chains" => {
            let levels = json!([{ "approvers": [{ "type": "department_head" }], "needed": "all" }]);
            json!({ "kind": "leave_request", "code": "C", "name": "C", "levels": levels, "active": false })
        }
        "/api/v1/approval-delegations" => {
            json!({
                "delegate_id": tenant.referenced("delegate_id"), "from": "2026-11-01", "to": "2027-11-01",
            })
        }
        "/api/v1/leave-requests/decide" => {
            let id = tenant.referenced("leave_request_id");
            json!({ "decisions": [{ "leave_request_id": id, "decision": "approve" }] })
        }
        "/api/v1/leave-requests/{id}/forward" => json!({ "employee_id": tenant.referenced("delegate_id") }),
        "/api/v1/leave-requests/{id}/shorten" => {
            json!({ "starts_on": "2026-12-01", "ends_on": "2026-12-01" })
        }
        "/api/v1/leave-requests/{id}/comments" => json!({ "text": "Who stands in?" }),
        "/api/v1/leave-claims" => {
            json!({
                "kind": "compensatory", "employee_id": employee, "leave_type_id": tenant.ids["compensatory-types"],
                "worked_on": "2026-09-13", "days": "1",
            })
        }
        "/api/v1/leave-claims/{id}/forward" => json!({ "employee_id": tenant.referenced("delegate_id") }),
        "/api/v1/leave-claims/{id}/comments" => json!({ "text": "Who called you in?" }),
        "/api/v1/leave-policies/{id}/versions" => json!({ "effective_from": "2026-01-01", "rules": {} }),
        "/api/v1/leave-policy-assignments" => {
            json!({
                "employee_id": employee, "leave_policy_id": tenant.referenced("leave_policy_id"),
                "valid_from": "2030-01-01",
            })
        }
        "/api/v1/leave-closings" | "/api/v1/leave-closings/preview" => json!({ "through": "2001-12-31" }),
        "/api/v1/leave-closings/{id}/reopen" => json!({ "note": "A mistake" }),
        "/api/v1/leave-policy-assignments/{id}/end" => json!({ "valid_to": "2029-01-01" }),
        "/api/v1/leave-requests" | "/api/v1/leave-requests/preview" => {
            json!({ "leave_type_id": leave_type, "starts_on": "2026-12-01", "ends_on": "2026-12-01" })
        }
        "/api/v1/notification-templates/{type}/{language}" => json!({ "subject": "C", "body": "C" }),
        "/api/v1/notification-channels" => json!({ "name": "cc", "url": "https://hooks.example.com/c" }),
        "/api/v1/notification-templates/preview" => {
            json!({ "type": "import.finished", "language": "en", "subject": "C", "body": "C" })
        }
        "/api/v1/policies/dry-run" => {
            json!({ "changes": [{ "text": "forbid (principal is ServiceAccount, action, resource);" }] })
        }
        "/api/v1/policies/explain" => {
            json!({ "user_id": tenant.referenced("user_id"), "permission": "leave.read" })
        }
        "/api/v1/policies" => {
            json!({ "name": "C", "text": "forbid (principal is ServiceAccount, action, resource);" })
        }
        "/api/v1/roles" => {
            let grants = json!([{ "permission": "leave.read", "scope": "reports" }]);
            json!({ "code": "cc", "name": "C", "grants": grants })
        }
        "/api/v1/api-keys" => {
            json!({
                "service_account_id": tenant.referenced("service_account_id"), "name": "C",
                "permissions": ["location.read"],
            })
        }
        "/api/v1/schedules" => json!({ "name": "C", "kind": "audit.verify", "cron": "0 3 * * *" }),
        "/api/v1/service-accounts" => json!({ "name": "C", "permissions": ["location.read"] }),
        "/api/v1/auth/invitations/join" => json!({ "token": "x" }),
        "/api/v1/invitations" => json!({ "email": "d@acme.example", "name": "D", "roles": ["employee"] }),
        "/api/v1/leave-types/{id}/rules" => json!({ "effective_from": "2030-01-01", "rules": {} }),
        "/api/v1/work-patterns" => json!({ "code": "C", "name": "C", "weeks": [{ "monday": 480 }] }),
        "/api/v1/locations/{id}/work-patterns" | "/api/v1/employees/{id}/work-patterns" => {
            json!({ "work_pattern_id": tenant.referenced("work_pattern_id"), "from": "2030-01-01" })
        }
        "/api/v1/webhooks" => {
            json!({ "url": "https://hooks.example.com/c", "types": ["location.created"] })
        }
        "/api/v1/platform/operators" => {
            json!({ "email": "c@service.example", "name": "C", "password": "nine kettles in a row" })
        }
        "/api/v1/platform/second-factor-resets" => {
            json!({ "email": "d@service.example", "reason": "ticket 4711: lost the phone" })
        }
        "/api/v1/platform/organizations/{id}/support-grants" => {
            let user = tenant.referenced("user_id");
            json!({ "user_id": user, "reason": "ticket 4711: something is stuck", "minutes": 30 })
        }
        "/api/v1/platform/organizations/{id}/close" => json!({ "reason": "left us" }),
        "/api/v1/users" => {
            let password = "nine kettles in a row";
            json!({ "email": "c@acme.example", "name": "C", "roles": ["employee"], "password": password })
        }
        // Decisions without a note.
        _ if operation.may_be_empty() => json!({}),
        _ => panic!("{} needs a valid body in sweep/bodies.rs", operation.name()),
    }
}
