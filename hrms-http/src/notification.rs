//! `/api/v1/notifications` and what belongs to it: the inbox, how people want to be told, and what was sent.

mod channel;
mod page;
mod template;

use hrms_core::actor::Context;
use hrms_core::jiff::Timestamp;
use hrms_core::notification::{
    DeliveryFilter, DeliverySort, InboxFilter, InboxSort, Notification, NotificationDelivery,
    NotificationDeliveryState, NotificationError, NotificationSettings, NotificationSettingsPatch,
    NotificationTypeView, NotificationView, Unread,
};
use hrms_core::{NotificationDeliveryId, NotificationId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::{Found, Listed};
use crate::endpoints;
use crate::extract::{AnyForm, Id, IfMatch, JsonOrNothing, List, ListQuery, MergePatch, Path};
use crate::request::{Cx, PublicCx};

use channel::{
    change as change_channel, create as create_channel, get as get_channel, list as channels,
    remove as remove_channel, rotate_secret as rotate_channel_secret,
};
use page::WebPage;
use template::{
    change as put_template, list as templates, preview as preview_template, remove as remove_template,
};

endpoints! {
    tag = "notifications";

    /// List my inbox, newest first.
    ///
    /// It goes back 180 days. Whoever listens at `GET /api/v1/events` hears of each that comes by `notification.created`.
    GET "/api/v1/notifications" => list, signed_in;

    /// How many of my inbox are unread?
    GET "/api/v1/notifications/unread-count" => unread, signed_in;

    /// Mark all of my inbox as read, as it was at an instant.
    ///
    /// Give as `until` when the newest was made that was shown, so that what came since then stays unread. The answer tells
    /// how many are left.
    POST "/api/v1/notifications/read-all" => read_all, signed_in;

    /// The page to which messages link that stops messages of their type.
    ///
    /// It changes nothing: only what its button sends does, as mail readers and scanners follow links.
    GET "/api/v1/notifications/unsubscribe/{token}" => unsubscribe_page, public;

    /// Stop messages of a type, by the link that came with one.
    ///
    /// One click, as RFC 8058 says: no log-in is needed, and the body doesn't matter. `PATCH /api/v1/notification-settings`
    /// lets them come again.
    POST "/api/v1/notifications/unsubscribe/{token}" => unsubscribe, public;

    /// Read one of my notifications, with what became of it by other channels.
    GET "/api/v1/notifications/{id}" => get, signed_in;

    /// Mark one of my notifications as read.
    POST "/api/v1/notifications/{id}/read" => read, signed_in;

    /// Mark one of my notifications as unread.
    POST "/api/v1/notifications/{id}/unread" => mark_unread, signed_in;

    /// How do I want to be told?
    GET "/api/v1/notification-settings" => settings, signed_in;

    /// Change how I want to be told.
    ///
    /// `{"preferences": {"leave_request.approved": {"email": "digest"}}}` changes one choice, `null` undoes it. What concerns the
    /// security of my account is always told at once, by e-mail and in the inbox.
    PATCH "/api/v1/notification-settings" => change_settings, signed_in;

    /// The types of notifications, and how I am told of each.
    GET "/api/v1/notification-types" => types, signed_in;

    /// List the texts of notifications: the organisation's own, and the others that are used.
    GET "/api/v1/notification-templates" => templates, requires NotificationManage;

    /// Show a text with examples filled in. Nothing is stored or sent.
    POST "/api/v1/notification-templates/preview" => preview_template, requires NotificationManage;

    /// Write the organisation's own text of a type in a language.
    ///
    /// A text names values by `{{name}}`; `{{#name}}…{{/name}}` is shown if there is such a value, `{{^name}}…{{/name}}` if
    /// there is none. The HTML of messages is made from it.
    PUT "/api/v1/notification-templates/{type}/{language}" => put_template, requires NotificationManage;

    /// Remove the organisation's own text: the one that came with the service is used again.
    DELETE "/api/v1/notification-templates/{type}/{language}" => remove_template, requires NotificationManage;

    /// List the organisation's own channels, without their secrets.
    GET "/api/v1/notification-channels" => channels, requires NotificationManage;

    /// Add a channel: a program elsewhere that passes messages on as SMS, in a chat, to phones.
    ///
    /// Messages are sent to the address by POST, signed as webhooks are, to those who choose the channel by its name. The
    /// answer shows the secret, once.
    POST "/api/v1/notification-channels" => create_channel, requires NotificationManage, confirmed;

    /// Read one of the organisation's own channels, without its secret.
    GET "/api/v1/notification-channels/{id}" => get_channel, requires NotificationManage;

    /// Change one of the organisation's own channels.
    PATCH "/api/v1/notification-channels/{id}" => change_channel, requires NotificationManage, confirmed;

    /// Remove one of the organisation's own channels: what waits for it fails.
    DELETE "/api/v1/notification-channels/{id}" => remove_channel, requires NotificationManage, confirmed;

    /// Replace the secret of a channel, at once. The answer shows the new one, once.
    POST "/api/v1/notification-channels/{id}/rotate-secret" => rotate_channel_secret, requires NotificationManage, confirmed;

    /// List what was sent to people, or is to be, by other channels than the inbox: not its text.
    GET "/api/v1/notification-deliveries" => deliveries, requires NotificationManage;

    /// Send again what failed or was dropped.
    POST "/api/v1/notification-deliveries/{id}/resend" => resend, requires NotificationManage;
}

/// The filters of the inbox.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct InboxQuery {
    /// Only those that were read, or weren't.
    read: Option<bool>,
    /// Only of this type.
    r#type: Option<String>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
}

impl ListQuery for InboxQuery {
    type Sort = InboxSort;
    const SORTS: &'static [(&'static str, InboxSort)] = &[("created_at", InboxSort::CreatedAt)];
    const DEFAULT_SORT: &'static str = "-created_at";
}

/// The filters of deliveries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct DeliveryQuery {
    /// Only those in this state.
    #[param(inline)]
    state: Option<NotificationDeliveryState>,
    /// Only those by this channel, as in `email`.
    channel: Option<String>,
    /// Only those to this user.
    user_id: Option<UserId>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
}

impl ListQuery for DeliveryQuery {
    type Sort = DeliverySort;
    const SORTS: &'static [(&'static str, DeliverySort)] = &[("created_at", DeliverySort::CreatedAt)];
    const DEFAULT_SORT: &'static str = "-created_at";
}

/// What to mark as read.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
struct ReadAll {
    /// What was made at or before this instant: now unless said.
    until: Option<Timestamp>,
}

/// Every type of notification.
#[derive(Debug, Serialize, ToSchema)]
struct NotificationTypeList {
    /// The types.
    items: Vec<NotificationTypeView>,
}

/// The token of a link.
#[derive(Debug, Deserialize, IntoParams)]
struct Link {
    /// What came with the message.
    token: String,
}

async fn list(cx: Cx, list: List<InboxQuery>) -> Result<Listed<Notification>, NotificationError> {
    let filter = InboxFilter {
        read: list.filter.read,
        kind: list.filter.r#type.clone(),
        updated_after: list.filter.updated_after,
    };
    let page = cx.hrms.notifications().list(&cx.actor, &filter, &list.page).await?;
    Ok(list.answer(page))
}

async fn unread(cx: Cx) -> Result<Found<Unread>, NotificationError> {
    cx.hrms.notifications().unread(&cx.actor).await.map(Found)
}

async fn read_all(
    cx: Cx,
    JsonOrNothing(what): JsonOrNothing<ReadAll>,
) -> Result<Found<Unread>, NotificationError> {
    cx.hrms.notifications().read_all(&cx.actor, what.until).await.map(Found)
}

async fn get(cx: Cx, Id(id): Id<NotificationId>) -> Result<Found<NotificationView>, NotificationError> {
    cx.hrms.notifications().get(&cx.actor, id).await.map(Found)
}

async fn read(cx: Cx, Id(id): Id<NotificationId>) -> Result<Found<Notification>, NotificationError> {
    cx.hrms.notifications().set_read(&cx.actor, id, true).await.map(Found)
}

async fn mark_unread(cx: Cx, Id(id): Id<NotificationId>) -> Result<Found<Notification>, NotificationError> {
    cx.hrms.notifications().set_read(&cx.actor, id, false).await.map(Found)
}

async fn settings(cx: Cx) -> Result<Found<NotificationSettings>, NotificationError> {
    cx.hrms.notifications().settings(&cx.actor).await.map(Found)
}

async fn change_settings(
    cx: Cx,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<NotificationSettingsPatch>,
) -> Result<Found<NotificationSettings>, NotificationError> {
    cx.hrms.notifications().change_settings(&cx.actor, version, patch).await.map(Found)
}

async fn types(cx: Cx) -> Result<Found<NotificationTypeList>, NotificationError> {
    let items = cx.hrms.notifications().types(&cx.actor).await?;
    Ok(Found(NotificationTypeList { items }))
}

async fn unsubscribe_page(_: PublicCx, Path(_): Path<Link>) -> Result<WebPage, NotificationError> {
    Ok(WebPage::ask())
}

async fn unsubscribe(
    cx: PublicCx,
    Path(link): Path<Link>,
    AnyForm: AnyForm,
) -> Result<WebPage, NotificationError> {
    let mut context = Context::default();
    context.address = cx.address;
    cx.hrms.notifications().unsubscribe(&link.token, cx.request, context).await?;
    Ok(WebPage::done())
}

async fn deliveries(
    cx: Cx,
    list: List<DeliveryQuery>,
) -> Result<Listed<NotificationDelivery>, NotificationError> {
    let filter = DeliveryFilter {
        state: list.filter.state,
        channel: list.filter.channel.clone(),
        user: list.filter.user_id,
        updated_after: list.filter.updated_after,
    };
    let page = cx.hrms.notifications().deliveries(&cx.actor, &filter, &list.page).await?;
    Ok(list.answer(page))
}

async fn resend(
    cx: Cx,
    Id(id): Id<NotificationDeliveryId>,
) -> Result<Found<NotificationDelivery>, NotificationError> {
    cx.hrms.notifications().resend(&cx.actor, id).await.map(Found)
}
