//! `/api/v1/auth/second-factor`, `/totp`, `/recovery-codes`: the second factor of one's account.

use hrms_core::identity::{FirstCode, RecoveryCodes, SecondFactor, SessionStatus, TotpEnrolment};

use crate::answer::{Deleted, Found, Issued};
use crate::endpoints;
use crate::extract::Json;
use crate::problem::Problem;
use crate::request::AnyCx;

endpoints! {
    tag = "auth";

    /// Pass the second factor, when a log-in named it as pending.
    ///
    /// Send a one-time code, or a recovery code, which is used up. Each one-time code is taken once. The fifth
    /// wrong try in a row ends the session; too many for one account are answered with 429, and recovery codes
    /// are still good then.
    POST "/api/v1/auth/second-factor" => pass, incomplete SecondFactor;

    /// Start to set up a second factor: a secret for an authenticator app, shown once.
    ///
    /// It is in use as soon as its first code is confirmed, within 30 minutes; a former one stays in use until then.
    POST "/api/v1/auth/totp" => start, incomplete Enrol, confirmed;

    /// Put the new second factor to use with the first code that it shows.
    ///
    /// Answers with ten recovery codes, shown once, each good once. Other sessions of the account have to pass
    /// the second factor from now on.
    POST "/api/v1/auth/totp/confirm" => confirm, incomplete Enrol;

    /// Remove my second factor, unless an organisation requires it.
    DELETE "/api/v1/auth/totp" => remove, known, confirmed;

    /// Get ten new recovery codes; the former ones are good no more.
    POST "/api/v1/auth/recovery-codes" => renew_codes, known, confirmed;
}

async fn pass(cx: AnyCx, Json(with): Json<SecondFactor>) -> Result<Found<SessionStatus>, Problem> {
    let subject = cx.subject()?;
    let status = cx.hrms.identity().second_factor(&subject, with, &cx.client()).await;
    cx.forget(&subject);
    Ok(Found(status?))
}

async fn start(cx: AnyCx) -> Result<Issued<TotpEnrolment>, Problem> {
    Ok(Issued(cx.hrms.identity().start_totp(&cx.subject()?, &cx.client()).await?))
}

async fn confirm(cx: AnyCx, Json(with): Json<FirstCode>) -> Result<Issued<RecoveryCodes>, Problem> {
    let subject = cx.subject()?;
    let codes = cx.hrms.identity().confirm_totp(&subject, with, &cx.client()).await;
    cx.forget(&subject);
    Ok(Issued(codes?))
}

async fn remove(cx: AnyCx) -> Result<Deleted, Problem> {
    let subject = cx.subject()?;
    cx.hrms.identity().remove_totp(&subject, &cx.client()).await?;
    cx.forget(&subject);
    Ok(Deleted)
}

async fn renew_codes(cx: AnyCx) -> Result<Issued<RecoveryCodes>, Problem> {
    Ok(Issued(cx.hrms.identity().renew_recovery_codes(&cx.subject()?, &cx.client()).await?))
}
