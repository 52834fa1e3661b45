//! `/api/v1/webhooks`: where the organisation has events sent.

mod network;
mod sender;

use hrms_core::EventId;
use hrms_core::WebhookDeliveryId;
use hrms_core::WebhookId;
use hrms_core::jiff::Timestamp;
use hrms_core::webhook::{
    DeliveryFilter, DeliverySort, DeliveryState, IssuedWebhook, NewWebhook, RotateSecret, Webhook,
    WebhookDelivery, WebhookError, WebhookFilter, WebhookPatch, WebhookSort, WebhookStatus,
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Deleted, Found, Listed, Shown};
use crate::endpoints;
use crate::extract::{Id, IfMatch, Json, JsonOrNothing, List, ListQuery, MergePatch, Path};
use crate::request::Cx;

pub use sender::{HttpWebhookSender, Resolve, SystemResolver, WebhookPolicy, WebhookSetupError};

endpoints! {
    tag = "webhooks";

    /// List webhooks, without their secrets.
    GET "/api/v1/webhooks" => list, requires WebhookRead;

    /// Add a webhook.
    ///
    /// Events of the given types are sent to the address by POST, signed as the Standard Webhooks say; the messages
    /// are those of the section `webhooks` of this document. The answer shows the secret, once. Nobody has
    /// events sent whose objects they may not read themselves, everywhere in the organisation.
    POST "/api/v1/webhooks" => create, requires WebhookManage, confirmed;

    /// Read a webhook, without its secret.
    GET "/api/v1/webhooks/{id}" => get, requires WebhookRead;

    /// Change a webhook.
    PATCH "/api/v1/webhooks/{id}" => change, requires WebhookManage, confirmed;

    /// Remove a webhook with the log of its deliveries.
    DELETE "/api/v1/webhooks/{id}" => remove, requires WebhookManage, confirmed;

    /// Replace the secret of a webhook.
    ///
    /// The answer shows the new one, once. Messages are signed with both for a day, or for as many hours as asked for.
    POST "/api/v1/webhooks/{id}/rotate-secret" => rotate_secret, requires WebhookManage, confirmed;

    /// Enable a webhook: events are sent again from now on.
    POST "/api/v1/webhooks/{id}/enable" => enable, requires WebhookManage, confirmed;

    /// Disable a webhook: nothing is sent any more, not even what waits to be tried again.
    POST "/api/v1/webhooks/{id}/disable" => disable, requires WebhookManage, confirmed;

    /// Test a webhook.
    ///
    /// Sends an event of type `webhook.tested`, whatever types it asks for; the list of deliveries tells what came of it.
    POST "/api/v1/webhooks/{id}/test" => test, requires WebhookManage, confirmed;

    /// List what was sent, or is to be, to a webhook: 30 days back.
    GET "/api/v1/webhooks/{id}/deliveries" => deliveries, requires WebhookRead;

    /// Send an event again, with the same `webhook-id`.
    ///
    /// One that waits to be tried again is tried now, after what concerns the same thing and comes before it.
    POST "/api/v1/webhooks/{id}/deliveries/{delivery_id}/resend" => resend, requires WebhookManage, confirmed;
}

/// The filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct WebhookQuery {
    /// Only those that are enabled, or disabled.
    #[param(inline)]
    status: Option<WebhookStatus>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
}

impl ListQuery for WebhookQuery {
    type Sort = WebhookSort;
    const SORTS: &'static [(&'static str, WebhookSort)] = &[("created_at", WebhookSort::CreatedAt)];
    const DEFAULT_SORT: &'static str = "created_at";
}

/// The filters of the deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct DeliveryQuery {
    /// Only those in this state.
    #[param(inline)]
    state: Option<DeliveryState>,
    /// Only those of this event.
    event_id: Option<EventId>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
}

impl ListQuery for DeliveryQuery {
    type Sort = DeliverySort;
    const SORTS: &'static [(&'static str, DeliverySort)] = &[("created_at", DeliverySort::CreatedAt)];
    const DEFAULT_SORT: &'static str = "-created_at";
}

async fn list(cx: Cx, list: List<WebhookQuery>) -> Result<Listed<Webhook>, WebhookError> {
    let filter = WebhookFilter { status: list.filter.status, updated_after: list.filter.updated_after };
    let page = cx.hrms.webhooks().list(&cx.actor, &filter, &list.page).await?;
    Ok(list.answer(page))
}

async fn create(cx: Cx, Json(new): Json<NewWebhook>) -> Result<Shown<IssuedWebhook>, WebhookError> {
    cx.hrms.webhooks().create(&cx.actor, new).await.map(Shown)
}

async fn get(cx: Cx, Id(id): Id<WebhookId>) -> Result<Found<Webhook>, WebhookError> {
    cx.hrms.webhooks().get(&cx.actor, id).await.map(Found)
}

async fn change(
    cx: Cx,
    Id(id): Id<WebhookId>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<WebhookPatch>,
) -> Result<Found<Webhook>, WebhookError> {
    cx.hrms.webhooks().change(&cx.actor, id, version, patch).await.map(Found)
}

async fn remove(cx: Cx, Id(id): Id<WebhookId>, IfMatch(version): IfMatch) -> Result<Deleted, WebhookError> {
    cx.hrms.webhooks().remove(&cx.actor, id, version).await?;
    Ok(Deleted)
}

async fn rotate_secret(
    cx: Cx,
    Id(id): Id<WebhookId>,
    JsonOrNothing(how): JsonOrNothing<RotateSecret>,
) -> Result<Shown<IssuedWebhook>, WebhookError> {
    cx.hrms.webhooks().rotate_secret(&cx.actor, id, how).await.map(Shown)
}

async fn enable(cx: Cx, Id(id): Id<WebhookId>) -> Result<Found<Webhook>, WebhookError> {
    cx.hrms.webhooks().enable(&cx.actor, id).await.map(Found)
}

async fn disable(cx: Cx, Id(id): Id<WebhookId>) -> Result<Found<Webhook>, WebhookError> {
    cx.hrms.webhooks().disable(&cx.actor, id).await.map(Found)
}

async fn test(cx: Cx, Id(id): Id<WebhookId>) -> Result<Found<Webhook>, WebhookError> {
    cx.hrms.webhooks().test(&cx.actor, id).await.map(Found)
}

async fn deliveries(
    cx: Cx,
    Id(id): Id<WebhookId>,
    list: List<DeliveryQuery>,
) -> Result<Listed<WebhookDelivery>, WebhookError> {
    let filter = DeliveryFilter {
        state: list.filter.state,
        event: list.filter.event_id,
        updated_after: list.filter.updated_after,
    };
    let page = cx.hrms.webhooks().deliveries(&cx.actor, id, &filter, &list.page).await?;
    Ok(list.answer(page))
}

/// A delivery's address.
#[derive(Debug, Deserialize, IntoParams)]
struct DeliveryPath {
    /// The webhook.
    id: WebhookId,
    /// The delivery.
    delivery_id: WebhookDeliveryId,
}

async fn resend(cx: Cx, Path(path): Path<DeliveryPath>) -> Result<Found<WebhookDelivery>, WebhookError> {
    cx.hrms.webhooks().resend(&cx.actor, path.id, path.delivery_id).await.map(Found)
}
