//! `/api/v1/leave-closings`: periods of leave that are closed.

use hrms_core::LeaveClosingId;
use hrms_core::leave::{CloseLeave, LeaveClosing, LeaveClosingPreview, LeaveError, ReopenLeave};
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::{Created, Download, Found};
use crate::endpoints;
use crate::extract::{Id, Json};
use crate::request::Cx;

endpoints! {
    tag = "leave-closings";

    /// List closed periods of leave, in the order of closing.
    GET "/api/v1/leave-closings" => list, requires LeaveTypeRead;

    /// Close a period of leave.
    ///
    /// Balances as of its days stay what they are then. What is found out later counts from the first open day on. Leave of closed days is
    /// neither asked for, approved nor cancelled, and nothing is granted from a closed day on.
    POST "/api/v1/leave-closings" => close, requires LeaveGrant;

    /// Say what closing a period of leave would do.
    POST "/api/v1/leave-closings/preview" => preview, requires LeaveGrant;

    /// Read a closed period of leave.
    GET "/api/v1/leave-closings/{id}" => get, requires LeaveTypeRead;

    /// Download what accounts came to when a period was closed, in minutes, as CSV.
    GET "/api/v1/leave-closings/{id}/balances" => balances, requires ExportRun;

    /// Open a period of leave again: the last one that is closed.
    ///
    /// For owners. What was posted meanwhile stays where it is.
    POST "/api/v1/leave-closings/{id}/reopen" => reopen, requires PolicyManage;
}

/// Closed periods; all of them, so there is no further page.
#[derive(Debug, Serialize, ToSchema)]
struct LeaveClosingList {
    /// The closings, in the order of closing.
    items: Vec<LeaveClosing>,
    /// Always null.
    next_cursor: Option<String>,
}

async fn list(cx: Cx) -> Result<Found<LeaveClosingList>, LeaveError> {
    let items = cx.hrms.leave_closings().list(&cx.actor).await?;
    Ok(Found(LeaveClosingList { items, next_cursor: None }))
}

async fn close(cx: Cx, Json(new): Json<CloseLeave>) -> Result<Created<LeaveClosing>, LeaveError> {
    cx.hrms.leave_closings().close(&cx.actor, new).await.map(Created)
}

async fn preview(cx: Cx, Json(new): Json<CloseLeave>) -> Result<Found<LeaveClosingPreview>, LeaveError> {
    cx.hrms.leave_closings().preview(&cx.actor, new).await.map(Found)
}

async fn get(cx: Cx, Id(id): Id<LeaveClosingId>) -> Result<Found<LeaveClosing>, LeaveError> {
    cx.hrms.leave_closings().get(&cx.actor, id).await.map(Found)
}

async fn balances(cx: Cx, Id(id): Id<LeaveClosingId>) -> Result<Download, LeaveError> {
    let csv = cx.hrms.leave_closings().balances_csv(&cx.actor, id).await?;
    Ok(Download::csv(&format!("leave-closing-{id}.csv"), csv))
}

async fn reopen(
    cx: Cx,
    Id(id): Id<LeaveClosingId>,
    Json(reopen): Json<ReopenLeave>,
) -> Result<Found<LeaveClosing>, LeaveError> {
    cx.hrms.leave_closings().reopen(&cx.actor, id, reopen).await.map(Found)
}
