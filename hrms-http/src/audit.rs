//! `/api/v1/audit-log`: who did what, provably.

use futures_util::stream;
use hrms_core::audit::{AuditEntry, AuditFilter, AuditSort, Outcome, Verification};
use hrms_core::jiff::Timestamp;
use hrms_core::uuid::Uuid;
use hrms_core::{AuditEntryId, CommonError, RequestId};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Found, Lines, Listed};
use crate::endpoints;
use crate::extract::{Id, List, ListQuery};
use crate::request::{Cx, PlatformCx};

endpoints! {
    tag = "audit-log";

    /// List the audit log, newest first.
    ///
    /// Each entry names the hash of the one before it: nothing can be changed, taken out or put in between
    /// without a trace. Values of special groups of data are masked.
    GET "/api/v1/audit-log" => list, requires AuditRead;

    /// Check the end of the audit log.
    ///
    /// From the last anchor on, at most 10,000 entries; the server's command `audit verify` checks whole logs.
    GET "/api/v1/audit-log/verification" => verification, requires AuditRead;

    /// Read an entry of the audit log.
    GET "/api/v1/audit-log/{id}" => get, requires AuditRead;

    /// Export the whole audit log as lines of JSON.
    ///
    /// Each line is an entry with all columns that its hash is made of, and the hashes; the last line says where the
    /// log ended. `hrms-server audit verify --file` checks it anywhere. Needs `export.run` too.
    GET "/api/v1/exports/audit-log" => export, requires AuditRead, confirmed;

    /// List the platform's own audit log, newest first: what operators of the service do.
    GET "/api/v1/platform/audit-log" => platform_list, platform;
}

/// The filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct AuditQuery {
    /// Only what this user, service account or operator did.
    author_id: Option<Uuid>,
    /// Only actions that begin like this, as `leave_request.`.
    action: Option<String>,
    /// Only what was done to this, as `leave-requests/<id>`.
    subject: Option<String>,
    /// Only at or after this instant.
    from: Option<Timestamp>,
    /// Only before this instant.
    until: Option<Timestamp>,
    /// Only what ended like this.
    #[param(inline)]
    outcome: Option<Outcome>,
    /// Only what was part of this request.
    request_id: Option<RequestId>,
}

impl ListQuery for AuditQuery {
    type Sort = AuditSort;
    const SORTS: &'static [(&'static str, AuditSort)] = &[("sequence", AuditSort::Sequence)];
    const DEFAULT_SORT: &'static str = "-sequence";
}

impl AuditQuery {
    fn filter(&self) -> AuditFilter {
        AuditFilter {
            author: self.author_id,
            action: self.action.clone(),
            subject: self.subject.clone(),
            from: self.from,
            until: self.until,
            outcome: self.outcome,
            request: self.request_id,
        }
    }
}

async fn list(cx: Cx, list: List<AuditQuery>) -> Result<Listed<AuditEntry>, CommonError> {
    let page = cx.hrms.audit().list(&cx.actor, &list.filter.filter(), &list.page).await?;
    Ok(list.answer(page))
}

async fn get(cx: Cx, Id(id): Id<AuditEntryId>) -> Result<Found<AuditEntry>, CommonError> {
    cx.hrms.audit().get(&cx.actor, id).await.map(Found)
}

async fn verification(cx: Cx) -> Result<Found<Verification>, CommonError> {
    cx.hrms.audit().verify_recent(&cx.actor).await.map(Found)
}

async fn export(cx: Cx) -> Result<Lines, CommonError> {
    let export = cx.hrms.audit().export(&cx.actor).await?;
    let pieces = stream::try_unfold(export, |mut export| async move {
        Ok::<_, CommonError>(export.next().await?.map(|lines| (lines, export)))
    });
    Ok(Lines::new("audit-log.ndjson", pieces))
}

async fn platform_list(cx: PlatformCx, list: List<AuditQuery>) -> Result<Listed<AuditEntry>, CommonError> {
    let by = cx.operator.operator();
    let page = cx.hrms.audit().list_platform(&by, &list.filter.filter(), &list.page).await?;
    Ok(list.answer(page))
}
