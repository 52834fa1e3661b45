//! What this library tells people about.

use async_trait::async_trait;
use serde_json::Value;
use uuid::Uuid;

use crate::approval::{ApprovalKind, ApprovalTask, ApprovalTaskStatus, Assignee};
use crate::error::CommonError;
use crate::event::Event;
use crate::hrms::Work;
use crate::id::{
    EmployeeId, ImportId, InvitationId, LeaveClaimId, LeaveRequestId, SupportGrantId, UserId, WebhookId,
};
use crate::leave::{LeaveClaim, LeaveRequest, RecountCause, RequestStatus, days_text};
use crate::notification::{NOTIFICATION_TYPES, Notice, NotificationType, Notifier, To};
use crate::policy::Permission;

/// The notifier of this library.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standard;

#[async_trait]
impl Notifier for Standard {
    fn types(&self) -> &'static [NotificationType] {
        NOTIFICATION_TYPES
    }

    async fn notices(&self, work: &mut Work, event: &Event) -> Result<Vec<Notice>, CommonError> {
        let notice = match event.kind.as_str() {
            "leave_request.submitted"
            | "leave_request.changed"
            | "leave_request.approved"
            | "leave_request.rejected" => leave(work, event).await?,
            "approval.asked" => asked(work, event, None).await?,
            "approval.reminded" => asked(work, event, Some("approval.reminder")).await?,
            "leave_claim.submitted" | "leave_claim.approved" | "leave_claim.rejected" => {
                claim(work, event).await?
            }
            "leave_claim.cancelled" => return cancelled_claim(work, event).await,
            "leave_request.cancelled" => return taken_back(work, event, "leave_request.cancelled").await,
            "leave_request.shortened" => return taken_back(work, event, "leave_request.shortened").await,
            "leave_request.recounted" => return recounted_leave(work, event).await,
            "employee_detail.changed" => bank_details(event),
            "import.finished" => import(work, event).await?,
            "invitation.accepted" => invitation(work, event).await?,
            "support_access.started" => support(work, event).await?,
            "user.second-factor-reset" => {
                user_of(event).map(|user| Notice::new("user.second-factor-reset", To::Users(vec![user])))
            }
            "webhook.disabled" => webhook(work, event).await?,
            _ => None,
        };
        Ok(notice.into_iter().collect())
    }
}

fn text<'e>(event: &'e Event, name: &str) -> Option<&'e str> {
    event.data.get(name).and_then(Value::as_str)
}

fn id(event: &Event, name: &str) -> Option<Uuid> {
    text(event, name)?.parse().ok()
}

fn user_of(event: &Event) -> Option<UserId> {
    id(event, "user_id").map(UserId::from_uuid)
}

async fn name_of(work: &mut Work, user: Option<UserId>) -> Result<Option<String>, CommonError> {
    match user {
        Some(user) => Ok(work.users().get(user).await?.map(|user| user.name)),
        None => Ok(None),
    }
}

/// The request that an event is about, and a notice that says what it asks for.
async fn about_leave(
    work: &mut Work,
    event: &Event,
    kind: &'static str,
    to: To,
) -> Result<Option<(LeaveRequest, Notice)>, CommonError> {
    let Some(request) = id(event, "leave_request_id") else { return Ok(None) };
    about_request(work, LeaveRequestId::from_uuid(request), kind, to).await
}

async fn about_request(
    work: &mut Work,
    request: LeaveRequestId,
    kind: &'static str,
    to: To,
) -> Result<Option<(LeaveRequest, Notice)>, CommonError> {
    let Some(view) = work.leave_requests().get(request).await? else { return Ok(None) };
    let request = view.request;
    let Some(employee) = work.employees().get(request.employee_id).await? else { return Ok(None) };
    let leave_type = work.leave_types().get(request.leave_type_id).await?;
    let name = format!("{} {}", employee.given_name, employee.family_name);
    let notice = Notice::new(kind, to)
        .with("employee", name.trim())
        .with("leave_type", leave_type.map(|known| known.name).unwrap_or_default())
        .with("starts_on", request.starts_on)
        .with("ends_on", request.ends_on)
        .with("days", &request.days);
    Ok(Some((request, notice)))
}

/// The manager; without one who can log in, whoever may decide on everybody's leave.
fn deciders(event: &Event) -> (To, To) {
    let manager = event.resource.facts.manager_id.filter(|manager| Some(*manager) != event.resource.owner);
    (To::Employees(manager.into_iter().collect()), To::Holders(Permission::LeaveDecide))
}

/// Whoever is asked for a decision, and who may decide in their place today.
async fn asked(
    work: &mut Work,
    event: &Event,
    reminder: Option<&'static str>,
) -> Result<Option<Notice>, CommonError> {
    let Some(kind) = text(event, "kind").and_then(ApprovalKind::from_code) else { return Ok(None) };
    let Some(subject) = id(event, "subject_id") else { return Ok(None) };
    let Some(task) = id(event, "approval_task_id") else { return Ok(None) };
    let Some(case) = work.approvals().of(kind, subject).await? else { return Ok(None) };
    let tasks = work.approvals().tasks(case.id).await?;
    let open = |one: &&ApprovalTask| one.id.as_uuid() == task && one.status == ApprovalTaskStatus::Open;
    let Some(task) = tasks.iter().find(open) else { return Ok(None) };
    let to = match &task.assignee {
        Assignee::Employee { employee_id } => {
            let today = work.hrms().today();
            let mut all = work.approval_delegations().delegates(&[*employee_id], today).await?;
            all.push(*employee_id);
            To::Employees(all)
        }
        Assignee::User { user_id } => To::Users(vec![*user_id]),
        Assignee::Role { role } => To::Roles(vec![role.clone()]),
        Assignee::Organization => To::Holders(Permission::LeaveDecide),
    };
    let told = match kind {
        ApprovalKind::LeaveRequest => {
            let request = LeaveRequestId::from_uuid(subject);
            let told =
                about_request(work, request, reminder.unwrap_or("leave_request.submitted"), to).await?;
            told.map(|(request, notice)| (request.status, notice))
        }
        ApprovalKind::CompensatoryClaim | ApprovalKind::LeaveEncashment => {
            let claim = LeaveClaimId::from_uuid(subject);
            let told = about_claim(work, claim, reminder.unwrap_or("leave_claim.submitted"), to).await?;
            told.map(|(claim, notice)| (claim.status, notice))
        }
    };
    let pending = told.filter(|(status, _)| *status == RequestStatus::Pending);
    Ok(pending.map(|(_, notice)| Notice { not_to: Some(case.employee_id), asks: true, ..notice }))
}

async fn leave(work: &mut Work, event: &Event) -> Result<Option<Notice>, CommonError> {
    let Some(owner) = event.resource.owner else { return Ok(None) };
    let employee = To::Employees(vec![owner]);
    let (kind, status, to) = match event.kind.as_str() {
        "leave_request.submitted" | "leave_request.changed" => {
            ("leave_request.submitted", RequestStatus::Pending, deciders(event).0)
        }
        "leave_request.approved" => ("leave_request.approved", RequestStatus::Approved, employee),
        _ => ("leave_request.rejected", RequestStatus::Rejected, employee),
    };
    let Some((request, mut notice)) = about_leave(work, event, kind, to).await? else { return Ok(None) };
    if request.status != status {
        // Something else has become of it, and that is told.
        return Ok(None);
    }
    if status == RequestStatus::Pending {
        let case = work.approvals().of(ApprovalKind::LeaveRequest, request.id.as_uuid()).await?;
        if case.is_some_and(|case| case.chain_id.is_some()) {
            // Whoever the chain asks is told of that.
            return Ok(None);
        }
        notice = notice.or(deciders(event).1);
        notice.not_to = Some(owner);
        notice.needs = Some(Permission::LeaveDecide);
    } else {
        let decided_by = name_of(work, request.decided_by).await?.unwrap_or_default();
        notice =
            notice.with("decided_by", decided_by).with("note", request.decision_note.unwrap_or_default());
    }
    Ok(Some(notice))
}

/// A claim, and a notice that says what it asks for.
async fn about_claim(
    work: &mut Work,
    claim: LeaveClaimId,
    kind: &'static str,
    to: To,
) -> Result<Option<(LeaveClaim, Notice)>, CommonError> {
    let Some(claim) = work.leave_claims().get(claim).await? else { return Ok(None) };
    let Some(employee) = work.employees().get(claim.employee_id).await? else { return Ok(None) };
    let leave_type = work.leave_types().get(claim.leave_type_id).await?;
    let name = format!("{} {}", employee.given_name, employee.family_name);
    let notice = Notice::new(kind, to)
        .with("employee", name.trim())
        .with("leave_type", leave_type.map(|known| known.name).unwrap_or_default())
        .with("days", &claim.days)
        .with("worked_on", claim.worked_on.map(|day| day.to_string()).unwrap_or_default())
        .with("paid_out", if claim.worked_on.is_none() { claim.days.as_str() } else { "" });
    Ok(Some((claim, notice)))
}

async fn claim(work: &mut Work, event: &Event) -> Result<Option<Notice>, CommonError> {
    let (Some(owner), Some(claim)) = (event.resource.owner, id(event, "leave_claim_id")) else {
        return Ok(None);
    };
    let employee = To::Employees(vec![owner]);
    let (kind, status, to) = match event.kind.as_str() {
        "leave_claim.submitted" => ("leave_claim.submitted", RequestStatus::Pending, deciders(event).0),
        "leave_claim.approved" => ("leave_claim.approved", RequestStatus::Approved, employee),
        _ => ("leave_claim.rejected", RequestStatus::Rejected, employee),
    };
    let told = about_claim(work, LeaveClaimId::from_uuid(claim), kind, to).await?;
    let Some((claim, notice)) = told.filter(|(claim, _)| claim.status == status) else { return Ok(None) };
    if status != RequestStatus::Pending {
        let decided_by = name_of(work, claim.decided_by).await?.unwrap_or_default();
        let note = claim.decision_note.unwrap_or_default();
        return Ok(Some(notice.with("decided_by", decided_by).with("note", note)));
    }
    let case = work.approvals().of(claim.kind.approval(), claim.id.as_uuid()).await?;
    if case.is_some_and(|case| case.chain_id.is_some()) {
        // Whoever the chain asks is told of that.
        return Ok(None);
    }
    let needs = Some(Permission::LeaveDecide);
    Ok(Some(Notice { not_to: Some(owner), needs, ..notice.or(deciders(event).1) }))
}

/// Both the employee and whoever decides, as far as they didn't do it.
async fn cancelled_claim(work: &mut Work, event: &Event) -> Result<Vec<Notice>, CommonError> {
    let (Some(owner), Some(claim)) = (event.resource.owner, id(event, "leave_claim_id")) else {
        return Ok(Vec::new());
    };
    let (manager, others) = deciders(event);
    let told = about_claim(work, LeaveClaimId::from_uuid(claim), "leave_claim.cancelled", manager).await?;
    let Some((_, notice)) = told else { return Ok(Vec::new()) };
    let to_employee = Notice { to: vec![To::Employees(vec![owner])], ..notice.clone() };
    Ok(vec![to_employee, Notice { not_to: Some(owner), ..notice.or(others) }])
}

/// Both the employee and whoever decides, as far as they didn't do it.
async fn taken_back(work: &mut Work, event: &Event, kind: &'static str) -> Result<Vec<Notice>, CommonError> {
    let Some(owner) = event.resource.owner else { return Ok(Vec::new()) };
    let (manager, others) = deciders(event);
    let Some((_, notice)) = about_leave(work, event, kind, manager).await? else {
        return Ok(Vec::new());
    };
    let to_employee = Notice { to: vec![To::Employees(vec![owner])], ..notice.clone() };
    Ok(vec![to_employee, Notice { not_to: Some(owner), ..notice.or(others) }])
}

/// The employee, and while the request waits for a decision whoever decides: unless it takes as much as before.
async fn recounted_leave(work: &mut Work, event: &Event) -> Result<Vec<Notice>, CommonError> {
    let Some(owner) = event.resource.owner else { return Ok(Vec::new()) };
    let (manager, others) = deciders(event);
    let told = about_leave(work, event, "leave_request.recounted", manager).await?;
    let Some((request, notice)) = told else { return Ok(Vec::new()) };
    let version = event.data.get("version").and_then(Value::as_i64);
    let trail = work.leave_requests().recounts(request.id).await?;
    let Some(recount) = trail.iter().find(|one| Some(one.version.as_i64()) == version) else {
        return Ok(Vec::new());
    };
    let told = matches!(recount.because, RecountCause::Shortened);
    if told || recount.minutes_before == recount.minutes_after || !request.status.occupies_days() {
        return Ok(Vec::new());
    }
    let Some(leave_type) = work.leave_types().get(request.leave_type_id).await? else {
        return Ok(Vec::new());
    };
    let names = recount.changes.iter().filter_map(|day| day.after.as_ref()?.holiday.clone());
    let days = |minutes| days_text(minutes, leave_type.minutes_per_day);
    let notice = notice
        .with("days", days(recount.minutes_after))
        .with("days_before", days(recount.minutes_before))
        .with("holidays", names.collect::<Vec<_>>().join(", "));
    let to_employee = Notice { to: vec![To::Employees(vec![owner])], ..notice.clone() };
    if request.status != RequestStatus::Pending {
        return Ok(vec![to_employee]);
    }
    let needs = Some(Permission::LeaveDecide);
    Ok(vec![to_employee, Notice { not_to: Some(owner), needs, ..notice.or(others) }])
}

fn bank_details(event: &Event) -> Option<Notice> {
    let employee = id(event, "employee_id").map(EmployeeId::from_uuid)?;
    let bank = text(event, "group") == Some("bank");
    bank.then(|| Notice::new("bank_details.changed", To::Employees(vec![employee])))
}

async fn import(work: &mut Work, event: &Event) -> Result<Option<Notice>, CommonError> {
    let Some(import) = id(event, "import_id") else { return Ok(None) };
    let Some(import) = work.imports().get(ImportId::from_uuid(import)).await? else { return Ok(None) };
    let Some(user) = import.requested_by else { return Ok(None) };
    let counts = import.state.counts;
    let refused = if counts.failed == 0 { String::new() } else { counts.failed.to_string() };
    let mut notice = Notice::new("import.finished", To::Users(vec![user]))
        .with("kind", import.settings.kind.code())
        .with("file", import.settings.file_name.unwrap_or_default())
        .with("imported", counts.created + counts.updated + counts.unchanged)
        .with("refused", refused);
    notice.to_causer = true;
    Ok(Some(notice))
}

async fn invitation(work: &mut Work, event: &Event) -> Result<Option<Notice>, CommonError> {
    let Some(invitation) = id(event, "invitation_id") else { return Ok(None) };
    let stored = work.invitations().get(InvitationId::from_uuid(invitation)).await?;
    let Some(invitation) = stored.map(|stored| stored.invitation) else { return Ok(None) };
    let Some(inviter) = invitation.invited_by else { return Ok(None) };
    let notice = Notice::new("invitation.accepted", To::Users(vec![inviter]));
    Ok(Some(notice.with("name", invitation.name).with("email", invitation.email)))
}

async fn support(work: &mut Work, event: &Event) -> Result<Option<Notice>, CommonError> {
    let Some(grant) = id(event, "support_grant_id") else { return Ok(None) };
    let Some(grant) = work.support_grants().get(SupportGrantId::from_uuid(grant)).await? else {
        return Ok(None);
    };
    let notice = Notice::new("support_access.started", To::Holders(Permission::SupportAccessRead));
    Ok(Some(notice.with("operator", grant.operator_name).with("reason", grant.reason)))
}

async fn webhook(work: &mut Work, event: &Event) -> Result<Option<Notice>, CommonError> {
    let reason = text(event, "reason").unwrap_or_default();
    if reason == "manual" {
        return Ok(None);
    }
    let Some(webhook) = id(event, "webhook_id") else { return Ok(None) };
    let Some(webhook) = work.webhooks().get(WebhookId::from_uuid(webhook)).await? else { return Ok(None) };
    let notice = Notice::new("webhook.disabled", To::Holders(Permission::WebhookManage));
    // What follows a `?` can be a key.
    let url = webhook.url.split('?').next().unwrap_or_default();
    Ok(Some(notice.with("url", url).with("reason", reason)))
}
