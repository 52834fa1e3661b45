//! `/api/v1/leave-claims` and `/api/v1/leave-payroll-facts`: compensatory leave, leave that is paid out, and what payroll has to
//! know.

use hrms_core::approval::ApprovalCaseView;
use hrms_core::jiff::Timestamp;
use hrms_core::jiff::civil::Date;
use hrms_core::leave::{
    ClaimKind, Comment, DecisionNote, ForwardLeave, LeaveClaim, LeaveClaimQuery, LeaveError, NewLeaveClaim,
    PayrollFact, PayrollFactFilter, PayrollFactKind, RequestStatus,
};
use hrms_core::{EmployeeId, LeaveClaimId, LeaveTypeId};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Created, Found, Listed};
use crate::endpoints;
use crate::extract::{Id, Json, JsonOrNothing, List, ListQuery};
use crate::request::Cx;

endpoints! {
    tag = "leave-claims";

    /// List claims: one's own, those of one's reports, or all, as far as one may see.
    GET "/api/v1/leave-claims" => list, requires LeaveRead;

    /// Claim compensatory leave for work on a day off, or ask for leave to be paid out.
    ///
    /// The leave policy says whether and how. Of an encashment, what can't be paid out is cut: `minutes` says what is left of
    /// `asked_minutes`. The claim starts as pending and goes to whom the approval chain for its kind says.
    POST "/api/v1/leave-claims" => claim, requires LeaveSubmit;

    /// Read a claim.
    GET "/api/v1/leave-claims/{id}" => get, asked LeaveRead;

    /// Agree to a pending claim; it is approved when nobody else has to agree.
    ///
    /// Then compensatory leave is granted, or leave is paid out: never by the employee.
    POST "/api/v1/leave-claims/{id}/approve" => approve, asked LeaveRead;

    /// Reject a pending claim, whoever agreed to it before.
    POST "/api/v1/leave-claims/{id}/reject" => reject, asked LeaveRead;

    /// Take a claim back.
    ///
    /// A pending claim is withdrawn. An approved one is cancelled and what was posted is undone: compensatory leave as long as
    /// nothing of it was used, and leave that was paid out only by those who decide on it.
    POST "/api/v1/leave-claims/{id}/cancel" => cancel, requires LeaveRead;

    /// Read who decides on a claim, and all that happened to it.
    GET "/api/v1/leave-claims/{id}/approval" => approval, asked LeaveRead;

    /// Give one's decision on a claim to another employee.
    POST "/api/v1/leave-claims/{id}/forward" => forward, asked LeaveRead;

    /// Say something about a claim, to all who see it.
    POST "/api/v1/leave-claims/{id}/comments" => comment, asked LeaveRead;

    /// List what payroll has to know of leave: days of unpaid leave, and leave that was paid out, by date.
    ///
    /// What was cancelled isn't there any more. With `recorded_after`, everything that was recorded since, and what undoes earlier
    /// facts with the opposite sign. For those who may see the leave of the whole organisation.
    GET "/api/v1/leave-payroll-facts" => payroll_facts, requires LeaveRead;
}

/// The filters of claims.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ClaimQuery {
    /// Only of this kind.
    kind: Option<ClaimKind>,
    /// Only this employee's.
    employee_id: Option<EmployeeId>,
    /// Only those that stand like this.
    status: Option<RequestStatus>,
    /// Only of this kind of leave.
    leave_type_id: Option<LeaveTypeId>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
}

impl ListQuery for ClaimQuery {
    type Sort = ();
    const SORTS: &'static [(&'static str, ())] = &[("created_at", ())];
    const DEFAULT_SORT: &'static str = "-created_at";
}

async fn list(cx: Cx, list: List<ClaimQuery>) -> Result<Listed<LeaveClaim>, LeaveError> {
    let filter = &list.filter;
    let query = LeaveClaimQuery {
        kind: filter.kind,
        employee_id: filter.employee_id,
        status: filter.status,
        leave_type_id: filter.leave_type_id,
        updated_after: filter.updated_after,
    };
    let page = cx.hrms.leave().claims(&cx.actor, &query, &list.page).await?;
    Ok(list.answer(page))
}

async fn claim(cx: Cx, Json(new): Json<NewLeaveClaim>) -> Result<Created<LeaveClaim>, LeaveError> {
    cx.hrms.leave().claim(&cx.actor, new).await.map(Created)
}

async fn get(cx: Cx, Id(id): Id<LeaveClaimId>) -> Result<Found<LeaveClaim>, LeaveError> {
    cx.hrms.leave().get_claim(&cx.actor, id).await.map(Found)
}

async fn approve(
    cx: Cx,
    Id(id): Id<LeaveClaimId>,
    JsonOrNothing(decision): JsonOrNothing<DecisionNote>,
) -> Result<Found<LeaveClaim>, LeaveError> {
    cx.hrms.leave().approve_claim(&cx.actor, id, decision).await.map(Found)
}

async fn reject(
    cx: Cx,
    Id(id): Id<LeaveClaimId>,
    JsonOrNothing(decision): JsonOrNothing<DecisionNote>,
) -> Result<Found<LeaveClaim>, LeaveError> {
    cx.hrms.leave().reject_claim(&cx.actor, id, decision).await.map(Found)
}

async fn cancel(
    cx: Cx,
    Id(id): Id<LeaveClaimId>,
    JsonOrNothing(decision): JsonOrNothing<DecisionNote>,
) -> Result<Found<LeaveClaim>, LeaveError> {
    cx.hrms.leave().cancel_claim(&cx.actor, id, decision).await.map(Found)
}

async fn approval(cx: Cx, Id(id): Id<LeaveClaimId>) -> Result<Found<ApprovalCaseView>, LeaveError> {
    cx.hrms.leave().claim_approval(&cx.actor, id).await.map(Found)
}

async fn forward(
    cx: Cx,
    Id(id): Id<LeaveClaimId>,
    Json(to): Json<ForwardLeave>,
) -> Result<Found<ApprovalCaseView>, LeaveError> {
    cx.hrms.leave().forward_claim(&cx.actor, id, to).await.map(Found)
}

async fn comment(
    cx: Cx,
    Id(id): Id<LeaveClaimId>,
    Json(comment): Json<Comment>,
) -> Result<Found<ApprovalCaseView>, LeaveError> {
    cx.hrms.leave().comment_claim(&cx.actor, id, comment).await.map(Found)
}

/// Which facts to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct FactQuery {
    /// Only those of this day or later ones.
    #[serde(default, deserialize_with = "hrms_core::date::strict")]
    from: Option<Date>,
    /// Only those of this day or earlier ones.
    #[serde(default, deserialize_with = "hrms_core::date::strict")]
    to: Option<Date>,
    /// Only this employee's.
    employee_id: Option<EmployeeId>,
    /// Only of this kind.
    kind: Option<PayrollFactKind>,
    /// All that were recorded after this instant, with what undoes others; without it those that stand.
    recorded_after: Option<Timestamp>,
}

impl ListQuery for FactQuery {
    type Sort = ();
    const SORTS: &'static [(&'static str, ())] = &[("date", ())];
    const DEFAULT_SORT: &'static str = "date";
}

async fn payroll_facts(cx: Cx, list: List<FactQuery>) -> Result<Listed<PayrollFact>, LeaveError> {
    let filter = PayrollFactFilter {
        from: list.filter.from,
        to: list.filter.to,
        employee_id: list.filter.employee_id,
        kind: list.filter.kind,
        recorded_after: list.filter.recorded_after,
    };
    let page = cx.hrms.leave().payroll_facts(&cx.actor, &filter, &list.page).await?;
    Ok(list.answer(page))
}
