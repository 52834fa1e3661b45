//! `/api/v1/users`: who can log in to the organisation.

use hrms_core::jiff::Timestamp;
use hrms_core::user::{NewUser, User, UserError, UserFilter, UserPatch, UserSort, UserStatus};
use hrms_core::{EmployeeId, UserId};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Created, Deleted, Found, Listed};
use crate::endpoints;
use crate::extract::{Id, IfMatch, Json, List, ListQuery, MergePatch};
use crate::request::Cx;

endpoints! {
    tag = "users";

    /// List users.
    GET "/api/v1/users" => list, requires UserRead;

    /// Add a user with a new account.
    ///
    /// Nobody can give a role that holds more than their own, except an admin. An e-mail address has one
    /// account on the whole platform.
    POST "/api/v1/users" => create, requires UserManage, confirmed;

    /// Read a user.
    GET "/api/v1/users/{id}" => get, requires UserRead;

    /// Change a user's name, roles, employee or status.
    ///
    /// Disabling a user ends their sessions. An organisation always keeps an active admin.
    PATCH "/api/v1/users/{id}" => change, requires UserManage, confirmed;

    /// Remove a user from the organisation.
    ///
    /// Their sessions here end; their account stays theirs, for other organisations. What they did stays on record:
    /// they can still be read, as `removed`, and they can be invited again.
    DELETE "/api/v1/users/{id}" => remove, requires UserManage, confirmed;
}

/// The filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct UserQuery {
    /// Only the one with this address, in its normal form.
    email: Option<String>,
    /// Only the one who is this employee.
    employee_id: Option<EmployeeId>,
    /// Only those with this status. Without it, all but the removed.
    status: Option<UserStatus>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
}

impl ListQuery for UserQuery {
    type Sort = UserSort;
    const SORTS: &'static [(&'static str, UserSort)] =
        &[("name", UserSort::Name), ("email", UserSort::Email)];
    const DEFAULT_SORT: &'static str = "name";
}

async fn list(cx: Cx, list: List<UserQuery>) -> Result<Listed<User>, UserError> {
    let filter = UserFilter {
        email: list.filter.email.clone(),
        employee: list.filter.employee_id,
        status: list.filter.status,
        updated_after: list.filter.updated_after,
    };
    let page = cx.hrms.users().list(&cx.actor, &filter, &list.page).await?;
    Ok(list.answer(page))
}

async fn create(cx: Cx, Json(new): Json<NewUser>) -> Result<Created<User>, UserError> {
    cx.hrms.users().create(&cx.actor, new).await.map(Created)
}

async fn get(cx: Cx, Id(id): Id<UserId>) -> Result<Found<User>, UserError> {
    cx.hrms.users().get(&cx.actor, id).await.map(Found)
}

async fn change(
    cx: Cx,
    Id(id): Id<UserId>,
    IfMatch(version): IfMatch,
    MergePatch(patch): MergePatch<UserPatch>,
) -> Result<Found<User>, UserError> {
    cx.hrms.users().change(&cx.actor, id, version, patch).await.map(Found)
}

async fn remove(cx: Cx, Id(id): Id<UserId>, IfMatch(version): IfMatch) -> Result<Deleted, UserError> {
    cx.hrms.users().remove(&cx.actor, id, version).await?;
    Ok(Deleted)
}
