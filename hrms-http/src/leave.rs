//! `/api/v1/leave-requests`, `/api/v1/leave-grants` and `/api/v1/leave-balances`.

use hrms_core::approval::ApprovalCaseView;
use hrms_core::jiff::Timestamp;
use hrms_core::jiff::civil::Date;
use hrms_core::leave::{
    AdjustLeaveGrant, AdjustedLeaveGrant, Comment, DecideLeave, DecidedLeaves, DecisionNote, DeductLeave,
    ForwardLeave, GrantLeave, LeaveAccount, LeaveAttachment, LeaveBalance, LeaveError, LeaveExplanation,
    LeaveLotView, LeavePreview, LeaveProjection, LeaveRecount, LeaveRequest, LeaveRequestPatch,
    LeaveRequestQuery, LeaveRequestSort, LeaveRequestView, ProjectLeave, RequestStatus, ShortenLeave,
    SubmitLeave,
};
use hrms_core::{EmployeeId, LeaveAttachmentId, LeaveLotId, LeaveRequestId, LeaveTypeId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::{Created, Deleted, FileDownload, Found, Listed};
use crate::endpoints;
use crate::extract::{Id, IfMatch, Json, JsonOrNothing, List, ListQuery, MergePatch, Path, Query, Upload};
use crate::problem::Problem;
use crate::request::Cx;

endpoints! {
    tag = "leave";

    /// List requests for leave: one's own, those of one's reports, or all, as far as one may see.
    GET "/api/v1/leave-requests" => list, requires LeaveRead;

    /// Ask for time off.
    ///
    /// For oneself, or with the right to submit for the whole organisation for anybody. The request starts
    /// as pending, counts against the balance at once, and goes to the employee's manager.
    POST "/api/v1/leave-requests" => submit, requires LeaveSubmit;

    /// Count the days of a request without making it.
    ///
    /// Says for each day whether it counts and why, what is available, and why it would be refused.
    POST "/api/v1/leave-requests/preview" => preview, requires LeaveSubmit;

    /// Read a request and the count of its days.
    GET "/api/v1/leave-requests/{id}" => get, asked LeaveRead;

    /// Read how often a request was counted anew, and why.
    ///
    /// What it takes changes when a holiday is added or removed, when the working pattern or the workplace changes, or when another
    /// request beside it is gone.
    GET "/api/v1/leave-requests/{id}/recounts" => recounts, requires LeaveRead;

    /// Change a pending request.
    ///
    /// It is counted and judged anew as if it were asked for now, and whoever agreed to it already is asked again.
    PATCH "/api/v1/leave-requests/{id}" => change, requires LeaveSubmit;

    /// Give up days at the beginning or the end of approved leave.
    ///
    /// Says what remains. What the other days took is given back by reversal postings.
    POST "/api/v1/leave-requests/{id}/shorten" => shorten, requires LeaveRead;

    /// Agree to a pending request; it is approved when nobody else has to agree.
    ///
    /// For those whom the approval chain asks, or without one for the manager at the day of the decision; for their
    /// delegates, and for those who decide in the whole organisation; never for the employee. While others have to
    /// decide still, the request stays pending.
    POST "/api/v1/leave-requests/{id}/approve" => approve, asked LeaveRead;

    /// Reject a pending request, whoever agreed to it before.
    POST "/api/v1/leave-requests/{id}/reject" => reject, asked LeaveRead;

    /// Decide on up to 100 requests.
    ///
    /// Each by itself: the answer says for each what became of it.
    POST "/api/v1/leave-requests/decide" => decide_many, asked LeaveRead;

    /// Read who decides on a request, and all that happened to it.
    GET "/api/v1/leave-requests/{id}/approval" => approval, asked LeaveRead;

    /// Give one's decision on a request to another employee.
    POST "/api/v1/leave-requests/{id}/forward" => forward, asked LeaveRead;

    /// Say something about a request, to all who see it.
    POST "/api/v1/leave-requests/{id}/comments" => comment, asked LeaveRead;

    /// Add a file to a request: PDF, JPEG or PNG, at most 10 MiB.
    ///
    /// As a form with one file. What it is is told by its content. Rules of the leave type can ask for one.
    POST "/api/v1/leave-requests/{id}/attachments" => attach, requires LeaveSubmit;

    /// List the files of a request.
    GET "/api/v1/leave-requests/{id}/attachments" => attachments, asked LeaveRead;

    /// Download a file of a request.
    GET "/api/v1/leave-requests/{id}/attachments/{attachment_id}" => attachment, asked LeaveRead;

    /// Remove a file of a pending request.
    DELETE "/api/v1/leave-requests/{id}/attachments/{attachment_id}" => detach, requires LeaveSubmit;

    /// Take a request back.
    ///
    /// A pending request is withdrawn. An approved one is cancelled, and what it took is given back by
    /// reversal postings: by the employee until it begins, or as the leave type's rules say, by those who decide on it also
    /// later.
    POST "/api/v1/leave-requests/{id}/cancel" => cancel, requires LeaveRead;

    /// Grant leave to an employee.
    POST "/api/v1/leave-grants" => grant, requires LeaveGrant;

    /// Read a grant of leave.
    GET "/api/v1/leave-grants/{id}" => get_grant, requires LeaveRead;

    /// Give a grant another amount.
    ///
    /// The difference is posted as an adjustment. Refused when approved leave needs more of it, and for what leave policies credit.
    POST "/api/v1/leave-grants/{id}/adjust" => adjust, requires LeaveGrant;

    /// Read an employee's balances, one for each leave type.
    ///
    /// On every day `granted = available + taken + pending + expired + encashed`. Approved leave counts as
    /// taken as soon as it is approved.
    GET "/api/v1/leave-balances" => balances, requires LeaveRead;

    /// Read one balance with the lots and the ledger's postings that it is made from.
    GET "/api/v1/leave-balances/{employee_id}/{leave_type_id}" => account, requires LeaveRead;

    /// Explain one balance: where every minute of it comes from, in words and in data.
    ///
    /// Each lot with what stands on it, and for what a leave policy credited the version of its rules, the period,
    /// proration, rounding and cuts.
    GET "/api/v1/leave-balances/{employee_id}/{leave_type_id}/explain" => explain, requires LeaveRead;

    /// Project a balance: what would be there on a day if some leave was taken besides.
    ///
    /// The leave is counted and covered as if it was asked for today, one after the other; the answer says of each whether there is
    /// enough for it and why it would be refused. Nothing is stored.
    POST "/api/v1/leave-balances/{employee_id}/{leave_type_id}/project" => project, requires LeaveRead;

    /// Take leave away by hand.
    ///
    /// From the lots that can be used on the day, and beyond them as far below zero as the leave type allows. Counts as less granted,
    /// not as taken.
    POST "/api/v1/leave-balances/{employee_id}/{leave_type_id}/deduct" => deduct, requires LeaveGrant;
}

/// The filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct RequestQuery {
    /// Only this employee's.
    employee_id: Option<EmployeeId>,
    /// Only those that stand like this.
    status: Option<RequestStatus>,
    /// Only of this kind of leave.
    leave_type_id: Option<LeaveTypeId>,
    /// Only those with a day on or after this one.
    #[serde(default, deserialize_with = "hrms_core::date::strict")]
    from: Option<Date>,
    /// Only those with a day on or before this one.
    #[serde(default, deserialize_with = "hrms_core::date::strict")]
    to: Option<Date>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
    /// Only those that wait for a decision which the caller's roles let them make. What approval chains ask of them is in
    /// `/api/v1/approval-tasks`.
    decidable_by_me: Option<bool>,
}

impl ListQuery for RequestQuery {
    type Sort = LeaveRequestSort;
    const SORTS: &'static [(&'static str, LeaveRequestSort)] =
        &[("starts_on", LeaveRequestSort::StartsOn), ("created_at", LeaveRequestSort::CreatedAt)];
    const DEFAULT_SORT: &'static str = "starts_on";
}

async fn list(cx: Cx, list: List<RequestQuery>) -> Result<Listed<LeaveRequest>, LeaveError> {
    let filter = &list.filter;
    let query = LeaveRequestQuery {
        employee_id: filter.employee_id,
        status: filter.status,
        leave_type_id: filter.leave_type_id,
        from: filter.from,
        to: filter.to,
        updated_after: filter.updated_after,
        decidable_by_me: filter.decidable_by_me.unwrap_or(false),
    };
    let page = cx.hrms.leave().list(&cx.actor, &query, &list.page).await?;
    Ok(list.answer(page))
}

async fn submit(cx: Cx, Json(ask): Json<SubmitLeave>) -> Result<Created<LeaveRequestView>, LeaveError> {
    cx.hrms.leave().submit(&cx.actor, ask).await.map(Created)
}

async fn preview(cx: Cx, Json(ask): Json<SubmitLeave>) -> Result<Found<LeavePreview>, LeaveError> {
    cx.hrms.leave().preview(&cx.actor, ask).await.map(Found)
}

async fn get(cx: Cx, Id(id): Id<LeaveRequestId>) -> Result<Found<LeaveRequestView>, LeaveError> {
    cx.hrms.leave().get(&cx.actor, id).await.map(Found)
}

async fn change(
    cx: Cx,
    Id(id): Id<LeaveRequestId>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<LeaveRequestPatch>,
) -> Result<Found<LeaveRequestView>, LeaveError> {
    cx.hrms.leave().change(&cx.actor, id, version, patch).await.map(Found)
}

async fn shorten(
    cx: Cx,
    Id(id): Id<LeaveRequestId>,
    Json(rest): Json<ShortenLeave>,
) -> Result<Found<LeaveRequestView>, LeaveError> {
    cx.hrms.leave().shorten(&cx.actor, id, rest).await.map(Found)
}

async fn approve(
    cx: Cx,
    Id(id): Id<LeaveRequestId>,
    JsonOrNothing(decision): JsonOrNothing<DecisionNote>,
) -> Result<Found<LeaveRequestView>, LeaveError> {
    cx.hrms.leave().approve(&cx.actor, id, decision).await.map(Found)
}

async fn reject(
    cx: Cx,
    Id(id): Id<LeaveRequestId>,
    JsonOrNothing(decision): JsonOrNothing<DecisionNote>,
) -> Result<Found<LeaveRequestView>, LeaveError> {
    cx.hrms.leave().reject(&cx.actor, id, decision).await.map(Found)
}

/// Decisions on several requests.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LeaveDecisions {
    /// What is decided; 1 to 100.
    decisions: Vec<DecideLeave>,
}

async fn decide_many(
    cx: Cx,
    Json(LeaveDecisions { decisions }): Json<LeaveDecisions>,
) -> Result<Found<DecidedLeaves>, LeaveError> {
    cx.hrms.leave().decide_many(&cx.actor, decisions).await.map(Found)
}

async fn approval(cx: Cx, Id(id): Id<LeaveRequestId>) -> Result<Found<ApprovalCaseView>, LeaveError> {
    cx.hrms.leave().approval(&cx.actor, id).await.map(Found)
}

async fn forward(
    cx: Cx,
    Id(id): Id<LeaveRequestId>,
    Json(to): Json<ForwardLeave>,
) -> Result<Found<ApprovalCaseView>, LeaveError> {
    cx.hrms.leave().forward(&cx.actor, id, to).await.map(Found)
}

async fn comment(
    cx: Cx,
    Id(id): Id<LeaveRequestId>,
    Json(comment): Json<Comment>,
) -> Result<Found<ApprovalCaseView>, LeaveError> {
    cx.hrms.leave().comment(&cx.actor, id, comment).await.map(Found)
}

async fn attach(
    cx: Cx,
    Id(id): Id<LeaveRequestId>,
    upload: Upload,
) -> Result<Created<LeaveAttachment>, Problem> {
    let uploaded = upload.read().await?;
    let name = uploaded.file_name.as_deref().unwrap_or("file");
    Ok(Created(cx.hrms.leave().attach(&cx.actor, id, name, uploaded.file.into()).await?))
}

/// The files of a request; all of them, so there is no further page.
#[derive(Debug, Serialize, ToSchema)]
struct LeaveAttachmentList {
    /// The files, in the order in which they were added.
    items: Vec<LeaveAttachment>,
    /// Always null.
    next_cursor: Option<String>,
}

async fn attachments(cx: Cx, Id(id): Id<LeaveRequestId>) -> Result<Found<LeaveAttachmentList>, LeaveError> {
    let items = cx.hrms.leave().attachments(&cx.actor, id).await?;
    Ok(Found(LeaveAttachmentList { items, next_cursor: None }))
}

/// A file of a request, in the path.
#[derive(Debug, Deserialize, IntoParams)]
struct AttachmentPath {
    /// The request.
    id: LeaveRequestId,
    /// The file.
    attachment_id: LeaveAttachmentId,
}

async fn attachment(cx: Cx, Path(path): Path<AttachmentPath>) -> Result<FileDownload, LeaveError> {
    let (file, content) = cx.hrms.leave().attachment(&cx.actor, path.id, path.attachment_id).await?;
    Ok(FileDownload::new(&file.name, file.media_type.media_type(), content))
}

async fn detach(cx: Cx, Path(path): Path<AttachmentPath>) -> Result<Deleted, LeaveError> {
    cx.hrms.leave().detach(&cx.actor, path.id, path.attachment_id).await?;
    Ok(Deleted)
}

async fn cancel(
    cx: Cx,
    Id(id): Id<LeaveRequestId>,
    JsonOrNothing(decision): JsonOrNothing<DecisionNote>,
) -> Result<Found<LeaveRequestView>, LeaveError> {
    cx.hrms.leave().cancel(&cx.actor, id, decision).await.map(Found)
}

async fn grant(cx: Cx, Json(new): Json<GrantLeave>) -> Result<Created<LeaveLotView>, LeaveError> {
    cx.hrms.leave().grant(&cx.actor, new).await.map(Created)
}

async fn get_grant(cx: Cx, Id(id): Id<LeaveLotId>) -> Result<Found<LeaveLotView>, LeaveError> {
    cx.hrms.leave().lot(&cx.actor, id).await.map(Found)
}

async fn adjust(
    cx: Cx,
    Id(id): Id<LeaveLotId>,
    Json(new): Json<AdjustLeaveGrant>,
) -> Result<Found<AdjustedLeaveGrant>, LeaveError> {
    cx.hrms.leave().adjust_grant(&cx.actor, id, new).await.map(Found)
}

/// The recounts of a request; all of them, so there is no further page.
#[derive(Debug, Serialize, ToSchema)]
struct LeaveRecountList {
    /// The recounts, oldest first.
    items: Vec<LeaveRecount>,
    /// Always null.
    next_cursor: Option<String>,
}

async fn recounts(cx: Cx, Id(id): Id<LeaveRequestId>) -> Result<Found<LeaveRecountList>, LeaveError> {
    let items = cx.hrms.leave().recounts(&cx.actor, id).await?;
    Ok(Found(LeaveRecountList { items, next_cursor: None }))
}

/// Whose balances, and when.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct BalanceQuery {
    /// Whose; without it one's own.
    employee_id: Option<EmployeeId>,
    /// The day, past or future; without it today at the employee's workplace.
    #[serde(default, deserialize_with = "hrms_core::date::strict")]
    as_of: Option<Date>,
}

/// Balances of an employee; all of them, so there is no further page.
#[derive(Debug, Serialize, ToSchema)]
struct LeaveBalanceList {
    /// The balances, by name of the leave type.
    items: Vec<LeaveBalance>,
    /// Always null.
    next_cursor: Option<String>,
}

async fn balances(cx: Cx, Query(query): Query<BalanceQuery>) -> Result<Found<LeaveBalanceList>, LeaveError> {
    let items = cx.hrms.leave().balances(&cx.actor, query.employee_id, query.as_of).await?;
    Ok(Found(LeaveBalanceList { items, next_cursor: None }))
}

/// Whose balance of what.
#[derive(Debug, Deserialize, IntoParams)]
struct AccountPath {
    /// Whose.
    employee_id: EmployeeId,
    /// What kind of leave.
    leave_type_id: LeaveTypeId,
}

/// When.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct AsOf {
    /// The day, past or future; without it today at the employee's workplace.
    #[serde(default, deserialize_with = "hrms_core::date::strict")]
    as_of: Option<Date>,
}

async fn account(
    cx: Cx,
    Path(path): Path<AccountPath>,
    Query(query): Query<AsOf>,
) -> Result<Found<LeaveAccount>, LeaveError> {
    cx.hrms.leave().account(&cx.actor, path.employee_id, path.leave_type_id, query.as_of).await.map(Found)
}

async fn explain(
    cx: Cx,
    Path(path): Path<AccountPath>,
    Query(query): Query<AsOf>,
) -> Result<Found<LeaveExplanation>, LeaveError> {
    cx.hrms.leave().explain(&cx.actor, path.employee_id, path.leave_type_id, query.as_of).await.map(Found)
}

async fn project(
    cx: Cx,
    Path(path): Path<AccountPath>,
    Json(ask): Json<ProjectLeave>,
) -> Result<Found<LeaveProjection>, LeaveError> {
    cx.hrms.leave().project(&cx.actor, path.employee_id, path.leave_type_id, ask).await.map(Found)
}

async fn deduct(
    cx: Cx,
    Path(path): Path<AccountPath>,
    Json(new): Json<DeductLeave>,
) -> Result<Found<LeaveBalance>, LeaveError> {
    cx.hrms.leave().deduct(&cx.actor, path.employee_id, path.leave_type_id, new).await.map(Found)
}
