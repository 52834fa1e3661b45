//! The change feed, and the types of events.

use hrms_core::event::{COMMON_DATA, EventFrame, FeedQuery, Since};
use hrms_core::page::{DEFAULT_LIMIT, MAX_LIMIT};
use hrms_core::uuid::Uuid;
use hrms_core::{CommonError, FieldError, Permission, Position};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::answer::Found;
use crate::cursor::Seal;
use crate::extract::{Extract, Query};
use crate::openapi::Operation;
use crate::problem::Problem;
use crate::request::{Cx, Input};

/// What to read of the feed.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct LogQuery {
    /// Begin behind this: the id of an event, the `next_cursor` of a page, or `latest` for the newest event. Left out:
    /// begin with the oldest event that is kept.
    since: Option<String>,
    /// Only events of these types, separated by commas.
    types: Option<String>,
    /// Only events about this, as in `leave-requests/<id>`.
    subject: Option<String>,
    /// How many events at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u16>,
}

/// Seals places in the log of the caller's organisation. Which events are asked for is free to change from page to page.
#[derive(Debug)]
pub(super) struct LogSeal(Seal);

impl Extract for LogSeal {
    fn extract(input: &mut Input) -> Result<Self, Problem> {
        let key = &input.shared.config.cursor_key;
        Ok(Self(Seal::new(key, input.tenant, input.parts.uri.path(), &mut [])))
    }

    fn describe(_: &mut Operation<'_>) {}
}

impl LogSeal {
    fn close(&self, position: i64) -> String {
        self.0.close(&Position { key: position.to_string(), id: Uuid::nil() })
    }

    fn since(&self, given: Option<&str>) -> Result<Since, Problem> {
        let given = match given {
            None => return Ok(Since::Beginning),
            Some("latest") => return Ok(Since::Latest),
            Some(given) => given,
        };
        // As ids are written here; a cursor never looks like that.
        if let Ok(event) = given.parse() {
            return Ok(Since::Event(event));
        }
        let position = self.0.open(given)?;
        position.key.parse().map(Since::Position).map_err(Problem::internal)
    }
}

/// A page of the change feed.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventLogPage {
    /// The events, oldest first.
    items: Vec<EventFrame>,
    /// Where to go on: give it as `since`, at once if there is more, or later. It moves on even if no event
    /// on this page was for the caller.
    next_cursor: String,
    /// Whether there is more to read now.
    more: bool,
}

pub(super) async fn log(
    cx: Cx,
    Query(query): Query<LogQuery>,
    seal: LogSeal,
) -> Result<Found<EventLogPage>, Problem> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        let detail = format!("this must be a whole number from 1 to {MAX_LIMIT}");
        return Err(Problem::invalid(vec![FieldError::new("/limit", "out-of-range", detail)]));
    }
    let types = query.types.map(|types| types.split(',').map(|kind| kind.trim().to_owned()).collect());
    let since = seal.since(query.since.as_deref())?;
    let query = FeedQuery { since, types, subject: query.subject, limit };
    let page = cx.hrms.events().feed(&cx.actor, &query).await?.ok_or_else(unknown_position)?;
    let tenant = cx.actor.tenant();
    Ok(Found(EventLogPage {
        items: page.events.iter().map(|event| EventFrame::new(tenant, event)).collect(),
        next_cursor: seal.close(page.position),
        more: page.more,
    }))
}

/// The place to begin isn't in the log, or not any more.
pub(super) fn unknown_position() -> Problem {
    let detail = "the event isn't in the log: read the state anew and begin without since";
    Problem::new(StatusCode::GONE, "event.unknown-position", detail)
}

/// The types of events.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct EventTypeList {
    /// The types, in order of their names.
    items: Vec<EventTypeView>,
}

/// A type of event.
#[derive(Debug, Serialize, ToSchema)]
struct EventTypeView {
    /// Its name, as in `leave_request.approved`.
    r#type: &'static str,
    /// What has happened.
    description: &'static str,
    /// The form of the subject, as in `leave-requests/{leave_request_id}`.
    subject: &'static str,
    /// The permission that a receiver needs on what it is about: one of these, by the data. None where each event is for
    /// one user and nobody else.
    permissions: &'static [Permission],
    /// What the data holds, as JSON Schema.
    #[schema(value_type = Object)]
    data_schema: serde_json::Value,
}

pub(super) async fn types(cx: Cx) -> Result<Found<EventTypeList>, CommonError> {
    let view = |known: &hrms_core::event::EventType| EventTypeView {
        r#type: known.name,
        description: known.about,
        subject: known.subject,
        permissions: known.permissions,
        data_schema: super::schema::data(known, COMMON_DATA),
    };
    let mut items: Vec<_> = cx.hrms.event_types().all().map(view).collect();
    items.sort_by_key(|item| item.r#type);
    Ok(Found(EventTypeList { items }))
}
