//! `/api/v1/users/{id}/…`: sessions and second factors of an organisation's users.

use hrms_core::identity::Sessions;
use hrms_core::{SessionId, UserId};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Deleted, Found};
use crate::endpoints;
use crate::extract::{Id, Path};
use crate::problem::Problem;
use crate::request::Cx;

endpoints! {
    tag = "users";

    /// A user's sessions in the organisation, the newest first (at most 200).
    GET "/api/v1/users/{id}/sessions" => sessions, requires UserManage;

    /// End all of a user's sessions in the organisation.
    DELETE "/api/v1/users/{id}/sessions" => end_sessions, requires UserManage, confirmed;

    /// End one of a user's sessions.
    DELETE "/api/v1/users/{id}/sessions/{session_id}" => end_session, requires UserManage, confirmed;

    /// Remove the second factor of a user who lost it, and end their sessions.
    ///
    /// Only of an account that is used in this organisation alone; otherwise an operator of the service has to do it.
    DELETE "/api/v1/users/{id}/second-factor" => reset_second_factor, requires UserManage, confirmed;
}

/// Which session of whom.
#[derive(Debug, Deserialize, IntoParams)]
struct SessionPath {
    /// The user.
    id: UserId,
    /// The session.
    session_id: SessionId,
}

async fn sessions(cx: Cx, Id(user): Id<UserId>) -> Result<Found<Sessions>, Problem> {
    Ok(Found(cx.hrms.identity().sessions_of(&cx.actor, user).await?))
}

async fn end_sessions(cx: Cx, Id(user): Id<UserId>) -> Result<Deleted, Problem> {
    cx.hrms.identity().end_session_of(&cx.actor, user, None).await?;
    Ok(Deleted)
}

async fn end_session(cx: Cx, Path(path): Path<SessionPath>) -> Result<Deleted, Problem> {
    cx.hrms.identity().end_session_of(&cx.actor, path.id, Some(path.session_id)).await?;
    Ok(Deleted)
}

async fn reset_second_factor(cx: Cx, Id(user): Id<UserId>) -> Result<Deleted, Problem> {
    cx.hrms.identity().reset_second_factor(&cx.actor, user).await?;
    Ok(Deleted)
}
