//! `/api/v1/events`: live events over a WebSocket.
//!
//! The tenant's log in the database is the truth. One task per tenant reads it when it grows and hands
//! each event, written as a frame once, to all sockets of the tenant; each socket passes on what its user
//! may read. What was missed while away is replayed from the log.

mod hub;
mod log;
pub(crate) mod schema;
mod seats;
mod socket;
mod ticket;

use std::net::IpAddr;
use std::sync::Arc;

use hrms_core::actor::Channel;
use hrms_core::event::EventFrame;
use hrms_core::{Actor, EventId};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderValue, Request, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::Found;
use crate::auth::{AuthError, Caller};
use crate::dispatch::{Shared, identify};
use crate::endpoints;
use crate::extract::{Extract, Query};
use crate::openapi::Operation;
use crate::problem::Problem;
use crate::request::{Cx, Input};
use crate::websocket::{Switching, Upgrade};

use hub::Hub;
use log::{log, types};
use seats::Seats;
use socket::Listening;
use ticket::Tickets;

endpoints! {
    tag = "events";

    /// Listen to live events over a WebSocket.
    ///
    /// Each text frame is one event as JSON (schema `EventFrame`), in the order in which
    /// things happened. Only events come whose object the user may read. Reconnect with `since=<id of the
    /// last event>` to get what was missed; an id that isn't in the log is answered with 410
    /// `event.unknown-position`: read the state anew and connect without `since`.
    ///
    /// The server pings; clients need not send anything. It closes the connection with code 1001 when it
    /// stops, 4001 when the client reads too slowly or doesn't answer pings (reconnect with `since`), 4401
    /// when the credential has expired or lost its worth (log in again), and 1003 when the client sends data.
    GET "/api/v1/events" => listen, insider;

    /// Get a ticket to connect with from a browser, which can't send headers with a WebSocket.
    ///
    /// Good for one connection with `?ticket=` within 30 seconds, as the user who asked for it.
    POST "/api/v1/events/tickets" => take_ticket, signed_in;

    /// Read what happened, page by page.
    ///
    /// The change feed: events in the order in which things happened, those only whose object the caller may read. Give
    /// `next_cursor` as `since` to go on; when `more` is false, come back later with it. A place that isn't in the log, or
    /// not any more, is answered with 410 `event.unknown-position`: read the state anew, and begin with `since=latest`.
    GET "/api/v1/events/log" => log, insider;

    /// List the types of events.
    ///
    /// With what their data holds. Their messages are in the section `webhooks` of this document.
    GET "/api/v1/events/types" => types, insider;
}

/// The address that tickets are good for.
const ADDRESS: &str = "/api/v1/events";

/// Seconds after which it makes sense to ask for a live connection again.
const SEAT_FREE: u32 = 10;

/// The live part of a server: readers of the tenants' logs, and tickets.
#[derive(Debug, Default)]
pub(crate) struct Live {
    hub: Arc<Hub>,
    seats: Arc<Seats>,
    tickets: Tickets,
}

impl Live {
    /// Turns the ticket in a request for live events into the credential that it was given for.
    pub(crate) fn redeem_ticket(&self, parts: &mut Parts) -> Result<(), Problem> {
        if parts.uri.path() != ADDRESS {
            return Ok(());
        }
        let query = parts.uri.query().unwrap_or_default();
        let Some(ticket) = query.split('&').find_map(|pair| pair.strip_prefix("ticket=")) else {
            return Ok(());
        };
        let credential = self.tickets.redeem(ticket).ok_or_else(|| {
            let detail = "the ticket was used, has expired, or never was one";
            Problem::unauthenticated("event.ticket-refused", detail)
        })?;
        parts.headers.insert(AUTHORIZATION, credential);
        Ok(())
    }
}

/// What the request was authenticated by, to ask again later what it is worth.
#[derive(Clone, Debug)]
struct Credential {
    shared: Arc<Shared>,
    header: HeaderValue,
    /// From where the connection came: that stays true for as long as it lives.
    address: Option<IpAddr>,
}

impl Extract for Credential {
    fn extract(input: &mut Input) -> Result<Self, Problem> {
        let header = input.parts.headers.get(AUTHORIZATION).cloned();
        let header = header.ok_or_else(crate::request::credential_missing)?;
        // A copy: the value of the request is a part of the buffer that all of the request was read into, and would keep it
        // for as long as the connection lives.
        let header = HeaderValue::from_bytes(header.as_bytes()).map_err(Problem::internal)?;
        Ok(Self { shared: Arc::clone(&input.shared), header, address: input.client_address() })
    }

    fn describe(operation: &mut Operation<'_>) {
        // What comes over the WebSocket is no answer of HTTP, but belongs into the document.
        operation.schema::<EventFrame>();
    }
}

impl Credential {
    /// The user as they stand now; `None` when the credential has lost its worth.
    async fn actor(&self) -> Result<Option<Actor>, AuthError> {
        let request = Request::builder().uri(ADDRESS).header(AUTHORIZATION, self.header.clone()).body(());
        let Ok(request) = request else { return Ok(None) };
        let id = hrms_core::RequestId::from_uuid(self.shared.hrms.ids().next());
        let (parts, ()) = request.into_parts();
        match identify(&self.shared, &parts, id, Channel::Socket).await {
            Ok(Caller::User(actor)) => {
                let mut context = *actor.context();
                context.address = self.address;
                Ok(Some(actor.with_context(context)))
            }
            Ok(_) | Err(AuthError::Refused { .. }) => Ok(None),
            Err(failed) => Err(failed),
        }
    }
}

/// What to listen to.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct EventQuery {
    /// Begin behind this event instead of with what happens next.
    since: Option<EventId>,
    /// Only events of these types, separated by commas.
    types: Option<String>,
    /// Only events about this, as in `leave-requests/<id>`.
    subject: Option<String>,
    /// A ticket, instead of the `Authorization` header.
    ticket: Option<String>,
}

async fn listen(
    cx: Cx,
    Query(query): Query<EventQuery>,
    credential: Credential,
    upgrade: Upgrade,
) -> Result<Switching, Problem> {
    // Redeemed before the request was authenticated.
    drop(query.ticket);
    let tenant = cx.actor.tenant();
    let after = match query.since {
        None => None,
        Some(event) => match cx.hrms.events().position(tenant, event).await? {
            Some(position) => Some(position),
            None => return Err(log::unknown_position()),
        },
    };
    let config = &credential.shared.config;
    let (per_user, per_organization) = (config.max_sockets_per_user, config.max_sockets_per_organization);
    let seat = credential.shared.live.seats.take(&cx.actor, per_user, per_organization);
    let seat = seat.ok_or_else(|| {
        let detail = "there are as many live connections as there may be: close one";
        Problem::new(StatusCode::TOO_MANY_REQUESTS, "event.too-many-connections", detail)
            .with_retry_after(SEAT_FREE)
    })?;
    let subscription = credential.shared.live.hub.subscribe(&cx.hrms, tenant, after).await?;
    let types = query.types.map(|types| types.split(',').map(|kind| kind.trim().to_owned()).collect());
    let mut context = *cx.actor.context();
    context.channel = Channel::Socket;
    let (ping, patience) = (config.event_ping, config.event_patience);
    let listening = Box::new(Listening {
        hrms: cx.hrms,
        actor: cx.actor.with_context(context),
        credential,
        subscription,
        types,
        subject: query.subject,
        ping,
        patience,
    });
    Ok(upgrade.run(|socket, stopping| async move {
        listening.serve(socket, stopping).await;
        drop(seat);
    }))
}

/// A ticket to live events.
#[derive(Debug, Serialize, ToSchema)]
struct EventTicket {
    /// The ticket: connect with `?ticket=`, once.
    ticket: String,
    /// Seconds that it is good for.
    expires_in: u64,
}

async fn take_ticket(_: Cx, credential: Credential) -> Result<Found<EventTicket>, Problem> {
    let ticket = credential.shared.live.tickets.issue(credential.header)?;
    Ok(Found(EventTicket { ticket, expires_in: ticket::GOOD_FOR.as_secs() }))
}
