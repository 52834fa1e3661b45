//! `/api/v1/policies`: policies that the organisation writes itself.

use hrms_core::PolicyId;
use hrms_core::jiff::Timestamp;
use hrms_core::policy::cedar;
use hrms_core::policy::written::{
    DryRun, DryRunResult, ExplainDecision, Explanation, NewPolicy, PolicyError, PolicyFilter, PolicyPatch,
    PolicySort, PolicyVersion, PolicyVersionSort, WrittenPolicy,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::{Created, Deleted, Found, Listed};
use crate::endpoints;
use crate::extract::{Id, IfMatch, Json, List, ListQuery, MergePatch};
use crate::request::Cx;

endpoints! {
    tag = "policies";

    /// List policies.
    GET "/api/v1/policies" => list, requires PolicyRead;

    /// Write a policy.
    ///
    /// It is one `permit` or `forbid` in the Cedar language, checked against the schema before it is taken;
    /// faults name line and column. It applies within five seconds, everywhere. A `forbid` overrides whatever
    /// roles and other policies allow; a `permit` allows what no role does. What can't be evaluated denies.
    POST "/api/v1/policies" => create, requires PolicyManage, confirmed;

    /// Read the schema of policies.
    ///
    /// Who acts, on what, and in which circumstances, in Cedar's own notation.
    GET "/api/v1/policies/schema" => schema, requires PolicyRead;

    /// Try changes of policies without making them.
    ///
    /// Tells which decisions would change, for the users, permissions, employees and requests that are named or for
    /// a sample of them.
    POST "/api/v1/policies/dry-run" => dry_run, requires PolicyRead;

    /// Ask why something is decided as it is.
    POST "/api/v1/policies/explain" => explain, requires PolicyRead;

    /// Read a policy.
    GET "/api/v1/policies/{id}" => get, requires PolicyRead;

    /// Change a policy.
    PATCH "/api/v1/policies/{id}" => change, requires PolicyManage, confirmed;

    /// Remove a policy; its history stays.
    DELETE "/api/v1/policies/{id}" => remove, requires PolicyManage, confirmed;

    /// List what a policy was over time, also after it was removed.
    GET "/api/v1/policies/{id}/versions" => versions, requires PolicyRead;
}

/// The filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct PolicyQuery {
    /// Only the one with this name.
    name: Option<String>,
    /// Only those that are enabled, or not.
    enabled: Option<bool>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
}

impl ListQuery for PolicyQuery {
    type Sort = PolicySort;
    const SORTS: &'static [(&'static str, PolicySort)] = &[("name", PolicySort::Name)];
    const DEFAULT_SORT: &'static str = "name";
}

/// No filters.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct VersionQuery {}

impl ListQuery for VersionQuery {
    type Sort = PolicyVersionSort;
    const SORTS: &'static [(&'static str, PolicyVersionSort)] = &[("version", PolicyVersionSort::Version)];
    const DEFAULT_SORT: &'static str = "-version";
}

/// What policies are written against.
#[derive(Debug, Serialize, ToSchema)]
struct PolicySchema {
    /// The schema, in Cedar's own notation.
    schema: &'static str,
}

async fn schema(_: Cx) -> Result<Found<PolicySchema>, PolicyError> {
    Ok(Found(PolicySchema { schema: cedar::SCHEMA }))
}

async fn list(cx: Cx, list: List<PolicyQuery>) -> Result<Listed<WrittenPolicy>, PolicyError> {
    let filter = PolicyFilter {
        name: list.filter.name.clone(),
        enabled: list.filter.enabled,
        updated_after: list.filter.updated_after,
    };
    let page = cx.hrms.policies().list(&cx.actor, &filter, &list.page).await?;
    Ok(list.answer(page))
}

async fn create(cx: Cx, Json(new): Json<NewPolicy>) -> Result<Created<WrittenPolicy>, PolicyError> {
    cx.hrms.policies().create(&cx.actor, new).await.map(Created)
}

async fn dry_run(cx: Cx, Json(ask): Json<DryRun>) -> Result<Found<DryRunResult>, PolicyError> {
    cx.hrms.policies().dry_run(&cx.actor, ask).await.map(Found)
}

async fn explain(cx: Cx, Json(ask): Json<ExplainDecision>) -> Result<Found<Explanation>, PolicyError> {
    cx.hrms.policies().explain(&cx.actor, ask).await.map(Found)
}

async fn get(cx: Cx, Id(id): Id<PolicyId>) -> Result<Found<WrittenPolicy>, PolicyError> {
    cx.hrms.policies().get(&cx.actor, id).await.map(Found)
}

async fn change(
    cx: Cx,
    Id(id): Id<PolicyId>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<PolicyPatch>,
) -> Result<Found<WrittenPolicy>, PolicyError> {
    cx.hrms.policies().change(&cx.actor, id, version, patch).await.map(Found)
}

async fn remove(cx: Cx, Id(id): Id<PolicyId>, IfMatch(version): IfMatch) -> Result<Deleted, PolicyError> {
    cx.hrms.policies().remove(&cx.actor, id, version).await?;
    Ok(Deleted)
}

async fn versions(
    cx: Cx,
    Id(id): Id<PolicyId>,
    list: List<VersionQuery>,
) -> Result<Listed<PolicyVersion>, PolicyError> {
    let page = cx.hrms.policies().versions(&cx.actor, id, &list.page).await?;
    Ok(list.answer(page))
}
