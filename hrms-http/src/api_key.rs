//! `/api/v1/api-keys`: what the organisation's programs prove themselves with.

use hrms_core::api_key::{
    ApiKey, ApiKeyError, ApiKeyFilter, ApiKeySort, IssuedApiKey, NewApiKey, RotateApiKey,
};
use hrms_core::jiff::Timestamp;
use hrms_core::{ApiKeyId, ServiceAccountId};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Deleted, Found, Listed, Shown};
use crate::endpoints;
use crate::extract::{Id, Json, JsonOrNothing, List, ListQuery};
use crate::request::Cx;

endpoints! {
    tag = "api-keys";

    /// List API keys, without their secrets.
    GET "/api/v1/api-keys" => list, requires ApiKeyRead;

    /// Make an API key of a service account.
    ///
    /// The answer shows its text, once: send it as `Authorization: Bearer …`. A request that is repeated with its
    /// `Idempotency-Key` makes no second key and is answered without the text. Nobody makes a key that could
    /// do what they don't hold.
    POST "/api/v1/api-keys" => create, requires ApiKeyManage, confirmed;

    /// Read an API key, without its secret.
    GET "/api/v1/api-keys/{id}" => get, requires ApiKeyRead;

    /// Replace an API key by a new one that may do the same.
    ///
    /// Both are good for a day, or for as many hours as asked for.
    POST "/api/v1/api-keys/{id}/rotate" => rotate, requires ApiKeyManage, confirmed;

    /// Revoke an API key, for good; within 5 seconds it opens nothing any more.
    DELETE "/api/v1/api-keys/{id}" => revoke, requires ApiKeyManage;
}

/// The filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ApiKeyQuery {
    /// Only those of this service account.
    service_account_id: Option<ServiceAccountId>,
    /// Only those that can, or can't, be used any more.
    usable: Option<bool>,
    /// Only those that stop being good before this instant.
    expires_before: Option<Timestamp>,
}

impl ListQuery for ApiKeyQuery {
    type Sort = ApiKeySort;
    const SORTS: &'static [(&'static str, ApiKeySort)] =
        &[("name", ApiKeySort::Name), ("expires_at", ApiKeySort::ExpiresAt)];
    const DEFAULT_SORT: &'static str = "name";
}

async fn list(cx: Cx, list: List<ApiKeyQuery>) -> Result<Listed<ApiKey>, ApiKeyError> {
    let filter = ApiKeyFilter {
        service_account: list.filter.service_account_id,
        usable: list.filter.usable,
        expires_before: list.filter.expires_before,
    };
    let page = cx.hrms.api_keys().list(&cx.actor, &filter, &list.page).await?;
    Ok(list.answer(page))
}

async fn create(cx: Cx, Json(new): Json<NewApiKey>) -> Result<Shown<IssuedApiKey>, ApiKeyError> {
    cx.hrms.api_keys().create(&cx.actor, new).await.map(Shown)
}

async fn get(cx: Cx, Id(id): Id<ApiKeyId>) -> Result<Found<ApiKey>, ApiKeyError> {
    cx.hrms.api_keys().get(&cx.actor, id).await.map(Found)
}

async fn rotate(
    cx: Cx,
    Id(id): Id<ApiKeyId>,
    JsonOrNothing(how): JsonOrNothing<RotateApiKey>,
) -> Result<Shown<IssuedApiKey>, ApiKeyError> {
    cx.hrms.api_keys().rotate(&cx.actor, id, how).await.map(Shown)
}

async fn revoke(cx: Cx, Id(id): Id<ApiKeyId>) -> Result<Deleted, ApiKeyError> {
    cx.hrms.api_keys().revoke(&cx.actor, id).await?;
    Ok(Deleted)
}
