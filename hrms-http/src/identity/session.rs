//! `/api/v1/auth/sessions` and `/api/v1/auth/step-up`: one's own sessions, and a fresh proof of who one is.

use hrms_core::SessionId;
use hrms_core::identity::{SessionStatus, Sessions, StepUp};

use crate::answer::{Deleted, Found};
use crate::endpoints;
use crate::extract::{Id, Json};
use crate::problem::Problem;
use crate::request::AnyCx;

endpoints! {
    tag = "auth";

    /// Prove anew who you are.
    ///
    /// Some endpoints want a proof that isn't older than ten minutes; they answer 401
    /// `auth.step-up-required` with a challenge of RFC 9470 otherwise. Send a one-time code if the account has a
    /// second factor, the password if not. A log-in counts too. Wrong tries are counted; the fifth in a row ends
    /// the session.
    POST "/api/v1/auth/step-up" => step_up, incomplete Confirm;

    /// My sessions in this organisation, the newest first (at most 200).
    GET "/api/v1/auth/sessions" => list, known;

    /// End one of my sessions.
    DELETE "/api/v1/auth/sessions/{id}" => end, known;

    /// End all my other sessions in this organisation.
    DELETE "/api/v1/auth/sessions" => end_others, known;
}

async fn step_up(cx: AnyCx, Json(with): Json<StepUp>) -> Result<Found<SessionStatus>, Problem> {
    let subject = cx.subject()?;
    let status = cx.hrms.identity().step_up(&subject, with, cx.client()).await;
    cx.forget(&subject);
    Ok(Found(status?))
}

async fn list(cx: AnyCx) -> Result<Found<Sessions>, Problem> {
    Ok(Found(cx.hrms.identity().sessions(&cx.subject()?).await?))
}

async fn end(cx: AnyCx, Id(session): Id<SessionId>) -> Result<Deleted, Problem> {
    let subject = cx.subject()?;
    cx.hrms.identity().end_session(&subject, session, &cx.client()).await?;
    cx.forget(&hrms_core::identity::Subject { session, ..subject });
    Ok(Deleted)
}

async fn end_others(cx: AnyCx) -> Result<Deleted, Problem> {
    cx.hrms.identity().end_other_sessions(&cx.subject()?, &cx.client()).await?;
    Ok(Deleted)
}
