//! `/api/v1/service-accounts`: programs of the organisation.

use hrms_core::ServiceAccountId;
use hrms_core::jiff::Timestamp;
use hrms_core::service_account::{
    NewServiceAccount, ServiceAccount, ServiceAccountError, ServiceAccountFilter, ServiceAccountPatch,
    ServiceAccountSort, ServiceAccountStatus,
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Created, Deleted, Found, Listed};
use crate::endpoints;
use crate::extract::{Id, IfMatch, Json, List, ListQuery, MergePatch};
use crate::request::Cx;

endpoints! {
    tag = "service-accounts";

    /// List service accounts.
    GET "/api/v1/service-accounts" => list, requires ApiKeyRead;

    /// Add a service account.
    ///
    /// It acts by API keys, on the whole organisation, within its permissions. Nobody gives it what they don't
    /// hold; managing users, roles, policies, keys and the account itself is for people only.
    POST "/api/v1/service-accounts" => create, requires ApiKeyManage, confirmed;

    /// Read a service account.
    GET "/api/v1/service-accounts/{id}" => get, requires ApiKeyRead;

    /// Change a service account's name, description, permissions or status.
    ///
    /// Its keys follow within 5 seconds.
    PATCH "/api/v1/service-accounts/{id}" => change, requires ApiKeyManage, confirmed;

    /// Remove a service account and all its keys.
    DELETE "/api/v1/service-accounts/{id}" => remove, requires ApiKeyManage, confirmed;
}

/// The filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ServiceAccountQuery {
    /// Only those with this status.
    #[param(inline)]
    status: Option<ServiceAccountStatus>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
}

impl ListQuery for ServiceAccountQuery {
    type Sort = ServiceAccountSort;
    const SORTS: &'static [(&'static str, ServiceAccountSort)] =
        &[("name", ServiceAccountSort::Name), ("created_at", ServiceAccountSort::CreatedAt)];
    const DEFAULT_SORT: &'static str = "name";
}

async fn list(
    cx: Cx,
    list: List<ServiceAccountQuery>,
) -> Result<Listed<ServiceAccount>, ServiceAccountError> {
    let filter =
        ServiceAccountFilter { status: list.filter.status, updated_after: list.filter.updated_after };
    let page = cx.hrms.service_accounts().list(&cx.actor, &filter, &list.page).await?;
    Ok(list.answer(page))
}

async fn create(
    cx: Cx,
    Json(new): Json<NewServiceAccount>,
) -> Result<Created<ServiceAccount>, ServiceAccountError> {
    cx.hrms.service_accounts().create(&cx.actor, new).await.map(Created)
}

async fn get(cx: Cx, Id(id): Id<ServiceAccountId>) -> Result<Found<ServiceAccount>, ServiceAccountError> {
    cx.hrms.service_accounts().get(&cx.actor, id).await.map(Found)
}

async fn change(
    cx: Cx,
    Id(id): Id<ServiceAccountId>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<ServiceAccountPatch>,
) -> Result<Found<ServiceAccount>, ServiceAccountError> {
    cx.hrms.service_accounts().change(&cx.actor, id, version, patch).await.map(Found)
}

async fn remove(
    cx: Cx,
    Id(id): Id<ServiceAccountId>,
    IfMatch(version): IfMatch,
) -> Result<Deleted, ServiceAccountError> {
    cx.hrms.service_accounts().remove(&cx.actor, id, version).await?;
    Ok(Deleted)
}
