//! `/api/v1/organization`: the caller's own organisation.

use hrms_core::organization::{Organization, OrganizationError, OrganizationPatch};

use crate::answer::Found;
use crate::endpoints;
use crate::extract::{IfMatch, MergePatch};
use crate::request::Cx;

endpoints! {
    tag = "organization";

    /// Read the organisation.
    GET "/api/v1/organization" => get, requires OrganizationRead;

    /// Change the organisation's name and settings.
    ///
    /// Whoever changes of whom a second factor is required must have proved lately who they are. Within seconds
    /// the sessions of those who lack one can do nothing but set one up.
    PATCH "/api/v1/organization" => change, requires OrganizationManage;
}

async fn get(cx: Cx) -> Result<Found<Organization>, OrganizationError> {
    cx.hrms.organizations().own(&cx.actor).await.map(Found)
}

async fn change(
    cx: Cx,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<OrganizationPatch>,
) -> Result<Found<Organization>, OrganizationError> {
    cx.hrms.organizations().change_own(&cx.actor, version, patch).await.map(Found)
}
