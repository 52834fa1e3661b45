//! Access of operators inside an organisation: `/api/v1/platform/organizations/{id}/support-grants` for the
//! operators, `/api/v1/support-access` for the organisation.

use hrms_core::jiff::Timestamp;
use hrms_core::support::{NewSupportGrant, SupportError, SupportGrant, SupportGrantFilter, SupportGrantSort};
use hrms_core::{SupportGrantId, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::{Created, Found, Issued, Listed};
use crate::endpoints;
use crate::extract::{Id, Json, List, ListQuery, Path};
use crate::problem::Problem;
use crate::request::{Cx, PlatformCx};

endpoints! {
    tag = "support";

    /// Give yourself access inside an organisation, through the rights of one of its members, for a while.
    ///
    /// The organisation sees it at once, with the reason, and can end it. Credentials, who may do what, pay, bank
    /// details, identity numbers, medical data, decisions about leave and exports are barred in any case.
    POST "/api/v1/platform/organizations/{id}/support-grants" => grant, platform, confirmed;

    /// List the grants for an organisation.
    GET "/api/v1/platform/organizations/{id}/support-grants" => list_for, platform;

    /// Read a grant.
    GET "/api/v1/platform/organizations/{id}/support-grants/{grant_id}" => get_for, platform;

    /// End a grant: within seconds its tokens are worth nothing.
    POST "/api/v1/platform/organizations/{id}/support-grants/{grant_id}/end" => end_for, platform, confirmed;

    /// Get an access token of a grant of your own. It can't be refreshed; get another one.
    POST "/api/v1/platform/organizations/{id}/support-grants/{grant_id}/token" => token, platform, confirmed;

    /// List when operators of the service had access to the organisation, and why.
    GET "/api/v1/support-access" => list, requires SupportAccessRead;

    /// Read one access of an operator of the service.
    GET "/api/v1/support-access/{id}" => get, requires SupportAccessRead;

    /// End the access of an operator of the service at once.
    POST "/api/v1/support-access/{id}/end" => end, requires SupportAccessManage;
}

/// The filters of the lists.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct SupportGrantQuery {
    /// Only those alive at this instant.
    alive_at: Option<Timestamp>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
}

impl ListQuery for SupportGrantQuery {
    type Sort = SupportGrantSort;
    const SORTS: &'static [(&'static str, SupportGrantSort)] = &[("created_at", SupportGrantSort::CreatedAt)];
    const DEFAULT_SORT: &'static str = "-created_at";
}

impl SupportGrantQuery {
    fn filter(&self) -> SupportGrantFilter {
        SupportGrantFilter { alive_at: self.alive_at, updated_after: self.updated_after }
    }
}

/// A grant of an organisation.
#[derive(Debug, Deserialize, IntoParams)]
struct GrantPath {
    /// The organisation.
    id: TenantId,
    /// The grant.
    grant_id: SupportGrantId,
}

/// An access token of a grant.
#[derive(Serialize, ToSchema)]
struct SupportToken {
    /// For the `Authorization` header.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Seconds that the access token lives.
    expires_in: i64,
}

async fn grant(
    cx: PlatformCx,
    Id(id): Id<TenantId>,
    Json(new): Json<NewSupportGrant>,
) -> Result<Created<SupportGrant>, SupportError> {
    cx.hrms.support().grant(&cx.operator.operator(), id, new).await.map(Created)
}

async fn list_for(
    cx: PlatformCx,
    Id(id): Id<TenantId>,
    list: List<SupportGrantQuery>,
) -> Result<Listed<SupportGrant>, SupportError> {
    let filter = list.filter.filter();
    let page = cx.hrms.support().list_for(&cx.operator.operator(), id, &filter, &list.page).await?;
    Ok(list.answer(page))
}

async fn get_for(cx: PlatformCx, Path(path): Path<GrantPath>) -> Result<Found<SupportGrant>, SupportError> {
    cx.hrms.support().get_for(&cx.operator.operator(), path.id, path.grant_id).await.map(Found)
}

async fn end_for(cx: PlatformCx, Path(path): Path<GrantPath>) -> Result<Found<SupportGrant>, SupportError> {
    cx.hrms.support().end_for(&cx.operator.operator(), path.id, path.grant_id).await.map(Found)
}

async fn token(cx: PlatformCx, Path(path): Path<GrantPath>) -> Result<Issued<SupportToken>, Problem> {
    let tokens = cx.shared.authenticate.tokens().ok_or_else(Problem::not_found)?;
    let access = cx.hrms.support().access(&cx.operator.operator(), path.id, path.grant_id).await?;
    let (now, jti) = (cx.hrms.clock().now(), cx.hrms.ids().next());
    let (access_token, expires_in) = tokens.issue_support(&access, now, jti).map_err(Problem::internal)?;
    Ok(Issued(SupportToken { access_token, token_type: "Bearer", expires_in }))
}

async fn list(cx: Cx, list: List<SupportGrantQuery>) -> Result<Listed<SupportGrant>, SupportError> {
    let page = cx.hrms.support().list(&cx.actor, &list.filter.filter(), &list.page).await?;
    Ok(list.answer(page))
}

async fn get(cx: Cx, Id(id): Id<SupportGrantId>) -> Result<Found<SupportGrant>, SupportError> {
    cx.hrms.support().get(&cx.actor, id).await.map(Found)
}

async fn end(cx: Cx, Id(id): Id<SupportGrantId>) -> Result<Found<SupportGrant>, SupportError> {
    cx.hrms.support().end(&cx.actor, id).await.map(Found)
}
