//! `/api/v1/auth/organizations`: the organisations that I can log in to.

use hrms_core::membership::MyOrganizations;

use crate::answer::Found;
use crate::auth::Caller;
use crate::endpoints;
use crate::problem::Problem;
use crate::request::{AnyCx, credential_missing, wrong_caller};

endpoints! {
    tag = "auth";

    /// The organisations that I can log in to.
    ///
    /// Nobody else is shown them, not even the organisations themselves.
    GET "/api/v1/auth/organizations" => organizations, known;
}

async fn organizations(cx: AnyCx) -> Result<Found<MyOrganizations>, Problem> {
    let user = match &cx.caller {
        // Whoever acts through the rights of a user isn't that person.
        Caller::User(actor) if actor.support().is_some() => return Err(wrong_caller()),
        Caller::User(actor) => actor.user_id().ok_or_else(wrong_caller)?,
        Caller::Operator(operator) => operator.user,
        _ => return Err(credential_missing()),
    };
    Ok(Found(cx.hrms.identity().organizations(user).await?))
}
