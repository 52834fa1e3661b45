//! `/api/v1/auth/email-changes`: another address to log in with.

use hrms_core::identity::{Client, EmailChange, EmailConfirmation};
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::{Done, Taken};
use crate::endpoints;
use crate::extract::Json;
use crate::problem::Problem;
use crate::request::{AnyCx, PublicCx};

endpoints! {
    tag = "auth";

    /// Ask for another address to log in with.
    ///
    /// A message goes to it, with which the change is confirmed within an hour; asking again makes a former one
    /// worthless. The answer is the same for an address that another account has; the present address is told in any case.
    /// Once in two minutes.
    POST "/api/v1/auth/email-changes" => ask_email_change, known, confirmed;

    /// Change the address with the token of the message.
    ///
    /// In every organisation of the account. All of its sessions end but the one that asked, and the former address
    /// is told.
    POST "/api/v1/auth/email-changes/confirm" => confirm_email_change, public;
}

/// What is answered in any case.
#[derive(Debug, Serialize, ToSchema)]
struct EmailChangeAsked {
    /// What happens now.
    detail: &'static str,
}

async fn ask_email_change(
    cx: AnyCx,
    Json(change): Json<EmailChange>,
) -> Result<Taken<EmailChangeAsked>, Problem> {
    let subject = cx.subject()?;
    let asked = cx.hrms.identity().ask_email_change(&subject, change, &cx.client()).await;
    cx.forget(&subject);
    // Nobody waits for it: how long it takes says whether another account has the address.
    tokio::spawn(asked?);
    Ok(Taken(EmailChangeAsked { detail: "if the address can be yours, a message to it is on its way" }))
}

async fn confirm_email_change(cx: PublicCx, Json(with): Json<EmailConfirmation>) -> Result<Done, Problem> {
    let client = Client { address: cx.address, user_agent: None, request: Some(cx.request) };
    tokio::spawn(cx.hrms.identity().confirm_email_change(&with, &client).await?);
    Ok(Done)
}
