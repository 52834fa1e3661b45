//! `/api/v1/invitations`: how somebody becomes a user; and `/api/v1/auth/invitations`: how they accept.

use hrms_core::InvitationId;
use hrms_core::identity::Client;
use hrms_core::invitation::{
    Accept, Invitation, InvitationError, InvitationFilter, InvitationPreview, InvitationSort,
    InvitationStatus, InvitationToken, Joined, NewInvitation,
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Created, Found, Listed};
use crate::endpoints;
use crate::extract::{Id, Json, List, ListQuery};
use crate::request::{Cx, PublicCx};

endpoints! {
    tag = "invitations";

    /// List invitations.
    GET "/api/v1/invitations" => list, requires UserRead;

    /// Invite somebody to become a user.
    ///
    /// A message with a link goes to the address; it can be accepted once, within seven days. The answer is the same
    /// whether the address has an account or not. Nobody can give a role that holds more than they do, and the
    /// invitation is good only as long as whoever invited could still invite. Without mail: 409 `mail.not-configured`.
    POST "/api/v1/invitations" => create, requires UserManage, confirmed;

    /// Read an invitation.
    GET "/api/v1/invitations/{id}" => get, requires UserRead;

    /// Send an invitation again, at most once a minute.
    ///
    /// The link of the former message is worthless from now on; the new one is good for another seven days. The caller
    /// counts as whoever invited.
    POST "/api/v1/invitations/{id}/resend" => resend, requires UserManage, confirmed;

    /// Take an invitation back.
    POST "/api/v1/invitations/{id}/revoke" => revoke, requires UserManage;

    /// What an invitation is about, for whoever holds its token.
    POST "/api/v1/auth/invitations/preview" => preview, public;

    /// Accept an invitation.
    ///
    /// Whoever's address has no account yet chooses a password. If it has one, send its password, and a one-time code
    /// if it has a second factor; or use `/api/v1/auth/invitations/join`. Log in afterwards. The token is good once.
    POST "/api/v1/auth/invitations/accept" => accept, public;

    /// Accept an invitation with the account that I am logged in with.
    POST "/api/v1/auth/invitations/join" => join, signed_in;
}

/// The filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct InvitationQuery {
    /// Only those to this address, in its normal form.
    email: Option<String>,
    /// Only those with this status.
    #[param(inline)]
    status: Option<InvitationStatus>,
}

impl ListQuery for InvitationQuery {
    type Sort = InvitationSort;
    const SORTS: &'static [(&'static str, InvitationSort)] = &[("created_at", InvitationSort::CreatedAt)];
    const DEFAULT_SORT: &'static str = "-created_at";
}

async fn list(cx: Cx, list: List<InvitationQuery>) -> Result<Listed<Invitation>, InvitationError> {
    let now = cx.hrms.clock().now();
    let filter = InvitationFilter {
        email: list.filter.email.clone(),
        status: list.filter.status.map(|status| (status, now)),
    };
    let page = cx.hrms.invitations().list(&cx.actor, &filter, &list.page).await?;
    Ok(list.answer(page))
}

async fn create(cx: Cx, Json(new): Json<NewInvitation>) -> Result<Created<Invitation>, InvitationError> {
    cx.hrms.invitations().create(&cx.actor, new).await.map(Created)
}

async fn get(cx: Cx, Id(id): Id<InvitationId>) -> Result<Found<Invitation>, InvitationError> {
    cx.hrms.invitations().get(&cx.actor, id).await.map(Found)
}

async fn resend(cx: Cx, Id(id): Id<InvitationId>) -> Result<Found<Invitation>, InvitationError> {
    cx.hrms.invitations().resend(&cx.actor, id).await.map(Found)
}

async fn revoke(cx: Cx, Id(id): Id<InvitationId>) -> Result<Found<Invitation>, InvitationError> {
    cx.hrms.invitations().revoke(&cx.actor, id).await.map(Found)
}

async fn preview(
    cx: PublicCx,
    Json(with): Json<InvitationToken>,
) -> Result<Found<InvitationPreview>, InvitationError> {
    cx.hrms.invitations().preview(&with.token, cx.request).await.map(Found)
}

async fn accept(cx: PublicCx, Json(with): Json<Accept>) -> Result<Found<Joined>, InvitationError> {
    let client = Client { address: cx.address, user_agent: None, request: Some(cx.request) };
    cx.hrms.invitations().accept(with, client, cx.request).await.map(Found)
}

async fn join(cx: Cx, Json(with): Json<InvitationToken>) -> Result<Found<Joined>, InvitationError> {
    cx.hrms.invitations().join(&cx.actor, &with.token).await.map(Found)
}
