//! `/api/v1/auth`: log-in, refresh, log-out, who am I.

pub(crate) mod email_change;
pub(crate) mod member;
pub(crate) mod password;
pub(crate) mod second_factor;
pub(crate) mod session;

use hrms_core::identity::{Client, IdentityError, LogIn, Me, Opened, Pending, Switch};
use hrms_core::{CommonError, Hrms, Secret};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answer::{Done, Found, Issued};
use crate::auth::Caller;
use crate::endpoints;
use crate::extract::Json;
use crate::problem::Problem;
use crate::request::{AnyCx, PublicCx, credential_missing, incomplete, wrong_caller};
use crate::token::{KeySet, Tokens};

endpoints! {
    tag = "auth";

    /// Log in.
    ///
    /// A member names the organisation; operators of the service leave it out. Whatever is wrong, the answer
    /// is the same. After too many failed attempts: 429 with `Retry-After`.
    ///
    /// `pending` names what the session lacks, in this order: `otp` (pass the second factor: the one-time code
    /// wasn't sent along), `enrol-second-factor` (the organisation requires one), `change-password`. Until then it
    /// can do nothing else, and it lives for ten minutes. A session that is open can come to lack something too.
    POST "/api/v1/auth/login" => log_in, public;

    /// Refresh the access token.
    ///
    /// A refresh token works once and is answered with the next one. Presenting an old one again ends the
    /// session; so does repeating a request whose answer was lost on the way: log in again then.
    /// A session ends when it isn't refreshed for 30 days, and after 90 days in any case.
    POST "/api/v1/auth/refresh" => refresh, public;

    /// Change to another organisation of mine, with the session that I have: `GET /api/v1/auth/organizations` names them.
    ///
    /// The present session ends, and the answer is one there: it lasts no longer than the present one would have. Its
    /// refresh token is asked for and used up, as by a refresh. `pending` names what the other organisation asks for
    /// beyond that. Where I can't log in is answered like what doesn't exist.
    POST "/api/v1/auth/switch" => switch, known;

    /// Log out: end the session that the access token belongs to.
    POST "/api/v1/auth/logout" => log_out, incomplete LogOut;

    /// Who am I, and what may I do?
    GET "/api/v1/auth/me" => me, known;

    /// The public keys of access tokens (JWKS).
    GET "/api/v1/auth/jwks" => jwks, public;
}

/// Tokens of a session.
#[derive(Serialize, ToSchema)]
struct SessionTokens {
    /// For the `Authorization` header.
    access_token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Seconds that the access token lives.
    expires_in: i64,
    /// What the session is refreshed with, once.
    refresh_token: String,
    /// What the session lacks; until then it can do nothing else.
    pending: Vec<Pending>,
}

/// A session to be refreshed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RefreshRequest {
    /// The refresh token of the last log-in or refresh.
    #[schema(value_type = String)]
    refresh_token: Secret,
}

/// What issues tokens; a server with another kind of authentication has no log-in.
fn tokens(cx: &PublicCx) -> Result<&Tokens, Problem> {
    cx.shared.authenticate.tokens().ok_or_else(Problem::not_found)
}

fn issue(hrms: &Hrms, tokens: &Tokens, opened: &Opened) -> Result<Issued<SessionTokens>, Problem> {
    let access_token = tokens.issue(&opened.subject, hrms.clock().now(), hrms.ids().next());
    Ok(Issued(SessionTokens {
        access_token: access_token.map_err(Problem::internal)?,
        token_type: "Bearer",
        expires_in: tokens.life_seconds(),
        refresh_token: opened.refresh_token.expose().to_owned(),
        pending: opened.pending.clone(),
    }))
}

/// Whoever asks.
pub(crate) fn client(cx: &PublicCx) -> Client {
    Client { address: cx.address, user_agent: cx.user_agent.clone(), request: Some(cx.request) }
}

async fn log_in(cx: PublicCx, Json(with): Json<LogIn>) -> Result<Issued<SessionTokens>, Problem> {
    let tokens = tokens(&cx)?;
    let opened = cx.hrms.identity().log_in(with, client(&cx)).await?;
    issue(&cx.hrms, tokens, &opened)
}

async fn refresh(
    cx: PublicCx,
    Json(request): Json<RefreshRequest>,
) -> Result<Issued<SessionTokens>, Problem> {
    let tokens = tokens(&cx)?;
    let opened = cx.hrms.identity().refresh(&request.refresh_token, client(&cx)).await?;
    issue(&cx.hrms, tokens, &opened)
}

async fn switch(cx: AnyCx, Json(with): Json<Switch>) -> Result<Issued<SessionTokens>, Problem> {
    let Caller::User(_) = &cx.caller else { return Err(wrong_caller()) };
    let tokens = cx.shared.authenticate.tokens().ok_or_else(Problem::not_found)?;
    let subject = cx.subject()?;
    let opened = cx.hrms.identity().switch(&subject, with, cx.client()).await;
    cx.forget(&subject);
    issue(&cx.hrms, tokens, &opened?)
}

async fn log_out(cx: AnyCx) -> Result<Done, Problem> {
    let subject = cx.subject()?;
    cx.hrms.identity().log_out(&subject, cx.client()).await?;
    cx.forget(&subject);
    Ok(Done)
}

async fn me(cx: AnyCx) -> Result<Found<Me>, Problem> {
    let identity = cx.hrms.identity();
    let me: Result<Me, IdentityError> = match &cx.caller {
        Caller::User(actor) => identity.me(actor).await,
        Caller::Operator(operator) => identity.me_operator(&operator.operator()).await,
        Caller::Incomplete(caller) => return Err(incomplete(&caller.pending)),
        Caller::Anonymous => return Err(credential_missing()),
    };
    match me {
        // Removed since the credential was checked.
        Err(IdentityError::Common(CommonError::NotFound { .. })) => {
            Err(Problem::unauthenticated("auth.session-ended", "the session has ended; log in again"))
        }
        other => Ok(Found(other?)),
    }
}

async fn jwks(cx: PublicCx) -> Result<Found<KeySet>, Problem> {
    Ok(Found(tokens(&cx)?.key_set()))
}
