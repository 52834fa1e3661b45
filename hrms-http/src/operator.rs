//! `/api/v1/platform/operators`: who operates the service.

use hrms_core::identity::{IdentityError, SecondFactorReset};
use hrms_core::jiff::Timestamp;
use hrms_core::operator::{
    NewOperator, OperatorAccount, OperatorError, OperatorFilter, OperatorSession, OperatorSessionSort,
    OperatorSort,
};
use hrms_core::user::UserStatus;
use hrms_core::{SessionId, UserId};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Created, Deleted, Done, Found, Listed};
use crate::endpoints;
use crate::extract::{Id, Json, List, ListQuery, Path};
use crate::request::PlatformCx;

endpoints! {
    tag = "operators";

    /// List operators of the service.
    GET "/api/v1/platform/operators" => list, platform;

    /// Add an operator with a new account.
    POST "/api/v1/platform/operators" => create, platform, confirmed;

    /// Read an operator.
    GET "/api/v1/platform/operators/{id}" => get, platform;

    /// Stop an operator's account: whatever it had open ends within seconds, support access too.
    ///
    /// There is always an operator who can log in.
    POST "/api/v1/platform/operators/{id}/disable" => disable, platform, confirmed;

    /// Let a disabled operator log in again.
    POST "/api/v1/platform/operators/{id}/enable" => enable, platform, confirmed;

    /// Remove the second factor of an account whose owner lost it, and end all of its sessions.
    ///
    /// Of any account but your own: another operator's, or one that is used in several organisations. Make sure of the
    /// owner first: the reason is on record with the platform and in each of the account's organisations.
    POST "/api/v1/platform/second-factor-resets" => reset_second_factor, platform, confirmed;

    /// List the living sessions of an operator.
    GET "/api/v1/platform/operators/{id}/sessions" => sessions, platform;

    /// End a session of an operator.
    DELETE "/api/v1/platform/operators/{id}/sessions/{session_id}" => end_session, platform, confirmed;
}

/// The filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct OperatorQuery {
    /// Only those with this status.
    status: Option<UserStatus>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
}

impl ListQuery for OperatorQuery {
    type Sort = OperatorSort;
    const SORTS: &'static [(&'static str, OperatorSort)] = &[("email", OperatorSort::Email)];
    const DEFAULT_SORT: &'static str = "email";
}

/// No filters.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct OperatorSessionQuery {}

impl ListQuery for OperatorSessionQuery {
    type Sort = OperatorSessionSort;
    const SORTS: &'static [(&'static str, OperatorSessionSort)] =
        &[("created_at", OperatorSessionSort::CreatedAt)];
    const DEFAULT_SORT: &'static str = "-created_at";
}

/// A session of an operator.
#[derive(Debug, Deserialize, IntoParams)]
struct SessionPath {
    /// The operator.
    id: UserId,
    /// The session.
    session_id: SessionId,
}

async fn list(cx: PlatformCx, list: List<OperatorQuery>) -> Result<Listed<OperatorAccount>, OperatorError> {
    let filter = OperatorFilter { status: list.filter.status, updated_after: list.filter.updated_after };
    let page = cx.hrms.operators().list(&cx.operator.operator(), &filter, &list.page).await?;
    Ok(list.answer(page))
}

async fn create(
    cx: PlatformCx,
    Json(new): Json<NewOperator>,
) -> Result<Created<OperatorAccount>, OperatorError> {
    cx.hrms.operators().create(&cx.operator.operator(), new).await.map(Created)
}

async fn get(cx: PlatformCx, Id(id): Id<UserId>) -> Result<Found<OperatorAccount>, OperatorError> {
    cx.hrms.operators().get(&cx.operator.operator(), id).await.map(Found)
}

async fn disable(cx: PlatformCx, Id(id): Id<UserId>) -> Result<Found<OperatorAccount>, OperatorError> {
    cx.hrms.operators().disable(&cx.operator.operator(), id).await.map(Found)
}

async fn enable(cx: PlatformCx, Id(id): Id<UserId>) -> Result<Found<OperatorAccount>, OperatorError> {
    cx.hrms.operators().enable(&cx.operator.operator(), id).await.map(Found)
}

async fn sessions(
    cx: PlatformCx,
    Id(id): Id<UserId>,
    list: List<OperatorSessionQuery>,
) -> Result<Listed<OperatorSession>, OperatorError> {
    let page = cx.hrms.operators().sessions(&cx.operator.operator(), id, &list.page).await?;
    Ok(list.answer(page))
}

async fn reset_second_factor(
    cx: PlatformCx,
    Json(reset): Json<SecondFactorReset>,
) -> Result<Done, IdentityError> {
    cx.hrms.identity().reset_second_factor_of_account(&cx.operator.operator(), reset).await?;
    Ok(Done)
}

async fn end_session(cx: PlatformCx, Path(path): Path<SessionPath>) -> Result<Deleted, OperatorError> {
    cx.hrms.operators().end_session(&cx.operator.operator(), path.id, path.session_id).await?;
    Ok(Deleted)
}
