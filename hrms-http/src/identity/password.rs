//! `/api/v1/auth/password` and `/api/v1/auth/password-resets`: a new password.

use hrms_core::identity::{PasswordChange, PasswordForgotten, PasswordReset, SessionStatus};
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::{Done, Found, Taken};
use crate::endpoints;
use crate::extract::Json;
use crate::identity::client;
use crate::problem::Problem;
use crate::request::{AnyCx, PublicCx};

endpoints! {
    tag = "auth";

    /// Change my password.
    ///
    /// All other sessions of the account end, in every organisation. A password has 15 to 256 characters, or 8 to
    /// 256 with a second factor, and isn't easy to guess; there are no rules about which characters it has.
    POST "/api/v1/auth/password" => change, incomplete ChangePassword;

    /// Ask for a message with which a forgotten password can be replaced.
    ///
    /// The answer is the same whether there is such an account or not. The message is good for an hour, once; asking
    /// again makes a former one worthless. One message is sent in two minutes.
    POST "/api/v1/auth/password-resets" => forgot, public;

    /// Set a new password with the token of the message.
    ///
    /// All sessions of the account end. A second factor stays, and is asked for at the next log-in.
    POST "/api/v1/auth/password-resets/confirm" => reset, public;
}

async fn change(cx: AnyCx, Json(change): Json<PasswordChange>) -> Result<Found<SessionStatus>, Problem> {
    let subject = cx.subject()?;
    let status = cx.hrms.identity().change_password(&subject, change, cx.client()).await;
    cx.forget(&subject);
    Ok(Found(status?))
}

/// What is answered in any case.
#[derive(Debug, Serialize, ToSchema)]
struct ResetAsked {
    /// What happens now.
    detail: &'static str,
}

async fn forgot(
    cx: PublicCx,
    Json(forgotten): Json<PasswordForgotten>,
) -> Result<Taken<ResetAsked>, Problem> {
    let client = client(&cx);
    if let Some(work) = cx.hrms.identity().forgot_password(&forgotten, &client).await? {
        // Nobody waits for it: how long it takes says whether there is such an account.
        tokio::spawn(work);
    }
    Ok(Taken(ResetAsked { detail: "if there is an account with this address, a message is on its way" }))
}

async fn reset(cx: PublicCx, Json(reset): Json<PasswordReset>) -> Result<Done, Problem> {
    cx.hrms.identity().reset_password(reset, &client(&cx)).await?;
    Ok(Done)
}
