//! `/api/v1/platform`: what operators of the service do.

use hrms_core::jiff::Timestamp;
use hrms_core::job::JobQueuesView;
use hrms_core::organization::{
    CloseOrganization, CreatedOrganization, NewOrganization, Organization, OrganizationError,
    OrganizationFilter, OrganizationSort, OrganizationStatus,
};
use hrms_core::{CommonError, TenantId};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Created, Found, Listed};
use crate::endpoints;
use crate::extract::{Id, Json, List, ListQuery};
use crate::request::PlatformCx;

endpoints! {
    tag = "platform";

    /// List organisations.
    GET "/api/v1/platform/organizations" => list, platform;

    /// Create an organisation with its first user, who is admin.
    ///
    /// Without a password one is made up, and shown in this answer only.
    POST "/api/v1/platform/organizations" => create, platform, confirmed;

    /// Read an organisation.
    GET "/api/v1/platform/organizations/{id}" => get, platform;

    /// Close an organisation: within seconds nobody in it gets in, and after the hold everything of it is deleted.
    ///
    /// The hold is `hold_days` long (30 when nothing is said); until then it can be reopened.
    POST "/api/v1/platform/organizations/{id}/close" => close, platform, confirmed;

    /// Reopen a closed organisation, as long as the hold lasts.
    POST "/api/v1/platform/organizations/{id}/reopen" => reopen, platform, confirmed;

    /// Suspend an organisation: within seconds nobody in it gets in. Its data stays.
    POST "/api/v1/platform/organizations/{id}/suspend" => suspend, platform, confirmed;

    /// Let a suspended organisation in again.
    POST "/api/v1/platform/organizations/{id}/resume" => resume, platform, confirmed;

    /// Read how the queues of background jobs stand: how much waits, runs, has failed and was done of late.
    ///
    /// Numbers for each kind of job, of all organisations together.
    GET "/api/v1/platform/queues" => queues, platform;
}

/// The filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct OrganizationQuery {
    /// Only the one with this short name.
    slug: Option<String>,
    /// Only those with this status.
    status: Option<OrganizationStatus>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
}

impl ListQuery for OrganizationQuery {
    type Sort = OrganizationSort;
    const SORTS: &'static [(&'static str, OrganizationSort)] = &[("slug", OrganizationSort::Slug)];
    const DEFAULT_SORT: &'static str = "slug";
}

async fn list(
    cx: PlatformCx,
    list: List<OrganizationQuery>,
) -> Result<Listed<Organization>, OrganizationError> {
    let filter = OrganizationFilter {
        slug: list.filter.slug.clone(),
        status: list.filter.status,
        updated_after: list.filter.updated_after,
    };
    let page = cx.hrms.organizations().list(&cx.operator.operator(), &filter, &list.page).await?;
    Ok(list.answer(page))
}

async fn create(
    cx: PlatformCx,
    Json(new): Json<NewOrganization>,
) -> Result<Created<CreatedOrganization>, OrganizationError> {
    cx.hrms.organizations().create(&cx.operator.operator(), new).await.map(Created)
}

async fn get(cx: PlatformCx, Id(id): Id<TenantId>) -> Result<Found<Organization>, OrganizationError> {
    cx.hrms.organizations().get(&cx.operator.operator(), id).await.map(Found)
}

async fn suspend(cx: PlatformCx, Id(id): Id<TenantId>) -> Result<Found<Organization>, OrganizationError> {
    cx.hrms.organizations().suspend(&cx.operator.operator(), id).await.map(Found)
}

async fn resume(cx: PlatformCx, Id(id): Id<TenantId>) -> Result<Found<Organization>, OrganizationError> {
    cx.hrms.organizations().resume(&cx.operator.operator(), id).await.map(Found)
}

async fn close(
    cx: PlatformCx,
    Id(id): Id<TenantId>,
    Json(close): Json<CloseOrganization>,
) -> Result<Found<Organization>, OrganizationError> {
    cx.hrms.organizations().close(&cx.operator.operator(), id, close).await.map(Found)
}

async fn reopen(cx: PlatformCx, Id(id): Id<TenantId>) -> Result<Found<Organization>, OrganizationError> {
    cx.hrms.organizations().reopen(&cx.operator.operator(), id).await.map(Found)
}

async fn queues(cx: PlatformCx) -> Result<Found<JobQueuesView>, CommonError> {
    cx.hrms.jobs().queues(&cx.operator.operator()).await.map(Found)
}
