//! `/api/v1/notification-templates`: the words of notifications.

use hrms_core::notification::{
    NewTemplate, NotificationError, NotificationTemplate, PreviewTemplate, TemplatePreview, TemplatesOfType,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::{Deleted, Found};
use crate::extract::{Json, Path};
use crate::request::Cx;

/// The texts of every type.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TemplateList {
    /// The types with their texts.
    items: Vec<TemplatesOfType>,
}

/// A text's address.
#[derive(Debug, Deserialize, IntoParams)]
pub(super) struct TemplatePath {
    /// The type of notification, as in `leave_request.approved`.
    r#type: String,
    /// The language: a BCP 47 tag, as in `de`.
    language: String,
}

pub(super) async fn list(cx: Cx) -> Result<Found<TemplateList>, NotificationError> {
    let items = cx.hrms.notifications().templates(&cx.actor).await?;
    Ok(Found(TemplateList { items }))
}

pub(super) async fn change(
    cx: Cx,
    Path(path): Path<TemplatePath>,
    Json(new): Json<NewTemplate>,
) -> Result<Found<NotificationTemplate>, NotificationError> {
    cx.hrms.notifications().put_template(&cx.actor, &path.r#type, &path.language, new).await.map(Found)
}

pub(super) async fn remove(cx: Cx, Path(path): Path<TemplatePath>) -> Result<Deleted, NotificationError> {
    cx.hrms.notifications().remove_template(&cx.actor, &path.r#type, &path.language).await?;
    Ok(Deleted)
}

pub(super) async fn preview(
    cx: Cx,
    Json(preview): Json<PreviewTemplate>,
) -> Result<Found<TemplatePreview>, NotificationError> {
    cx.hrms.notifications().preview_template(&cx.actor, preview).await.map(Found)
}
