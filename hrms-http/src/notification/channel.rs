//! `/api/v1/notification-channels`: programs elsewhere that pass notifications on.

use hrms_core::NotificationChannelId;
use hrms_core::notification::{
    IssuedNotificationChannel, NewNotificationChannel, NotificationChannel, NotificationChannelPatch,
    NotificationError,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::{Deleted, Found, Shown};
use crate::extract::{Id, IfMatch, Json, MergePatch};
use crate::request::Cx;

/// The organisation's own channels.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ChannelList {
    /// The channels, by name.
    items: Vec<NotificationChannel>,
}

pub(super) async fn list(cx: Cx) -> Result<Found<ChannelList>, NotificationError> {
    let items = cx.hrms.notifications().channels(&cx.actor).await?;
    Ok(Found(ChannelList { items }))
}

pub(super) async fn create(
    cx: Cx,
    Json(new): Json<NewNotificationChannel>,
) -> Result<Shown<IssuedNotificationChannel>, NotificationError> {
    cx.hrms.notifications().create_channel(&cx.actor, new).await.map(Shown)
}

pub(super) async fn get(
    cx: Cx,
    Id(id): Id<NotificationChannelId>,
) -> Result<Found<NotificationChannel>, NotificationError> {
    cx.hrms.notifications().channel(&cx.actor, id).await.map(Found)
}

pub(super) async fn change(
    cx: Cx,
    Id(id): Id<NotificationChannelId>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<NotificationChannelPatch>,
) -> Result<Found<NotificationChannel>, NotificationError> {
    cx.hrms.notifications().change_channel(&cx.actor, id, version, patch).await.map(Found)
}

pub(super) async fn remove(
    cx: Cx,
    Id(id): Id<NotificationChannelId>,
    IfMatch(version): IfMatch,
) -> Result<Deleted, NotificationError> {
    cx.hrms.notifications().remove_channel(&cx.actor, id, version).await?;
    Ok(Deleted)
}

pub(super) async fn rotate_secret(
    cx: Cx,
    Id(id): Id<NotificationChannelId>,
) -> Result<Shown<IssuedNotificationChannel>, NotificationError> {
    cx.hrms.notifications().rotate_channel_secret(&cx.actor, id).await.map(Shown)
}
