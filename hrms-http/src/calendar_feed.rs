//! `/api/v1/calendar-feeds`, and what calendar programs read under `/api/v1/calendars`.

use bytes::Bytes;
use hrms_core::CalendarFeedId;
use hrms_core::actor::{Channel, Context};
use hrms_core::calendar_feed::{CalendarFeed, CalendarFeedError, IssuedCalendarFeed, NewCalendarFeed};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, REFERRER_POLICY};
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::{IntoParams, ToSchema};

use crate::answer::{Answer, Deleted, Found, Reply, Shown, full, not_replayable};
use crate::endpoints;
use crate::etag;
use crate::extract::{Id, Json, Path};
use crate::openapi::Operation;
use crate::problem::Problem;
use crate::request::{Cx, PublicCx};

endpoints! {
    tag = "calendar-feeds";

    /// List one's own calendar feeds.
    GET "/api/v1/calendar-feeds" => list, signed_in;

    /// Make a calendar feed: an address for calendar programs.
    ///
    /// Of one's own leave, or of when one's reports or people of a department are away. Whoever knows the address reads
    /// it, with the rights that its user has at that moment. It is shown this once.
    POST "/api/v1/calendar-feeds" => create, signed_in;

    /// Read one of one's own calendar feeds, without its address.
    GET "/api/v1/calendar-feeds/{id}" => get, signed_in;

    /// Give a calendar feed another address. There is nothing at the old one from then on.
    POST "/api/v1/calendar-feeds/{id}/renew" => renew, signed_in;

    /// Revoke a calendar feed. There is nothing at its address from then on.
    DELETE "/api/v1/calendar-feeds/{id}" => revoke, signed_in;

    /// Read a calendar feed (iCalendar, RFC 5545).
    ///
    /// For calendar programs, which have nothing to show but the address.
    GET "/api/v1/calendars/{token}" => read, public;
}

/// A user's feeds; all of them, so there is no further page.
#[derive(Debug, Serialize, ToSchema)]
struct CalendarFeedList {
    /// The feeds, oldest first.
    items: Vec<CalendarFeed>,
    /// Always null.
    next_cursor: Option<String>,
}

async fn list(cx: Cx) -> Result<Found<CalendarFeedList>, CalendarFeedError> {
    let items = cx.hrms.calendar_feeds().list(&cx.actor).await?;
    Ok(Found(CalendarFeedList { items, next_cursor: None }))
}

async fn create(
    cx: Cx,
    Json(new): Json<NewCalendarFeed>,
) -> Result<Shown<IssuedCalendarFeed>, CalendarFeedError> {
    cx.hrms.calendar_feeds().create(&cx.actor, new).await.map(Shown)
}

async fn get(cx: Cx, Id(id): Id<CalendarFeedId>) -> Result<Found<CalendarFeed>, CalendarFeedError> {
    cx.hrms.calendar_feeds().get(&cx.actor, id).await.map(Found)
}

async fn renew(cx: Cx, Id(id): Id<CalendarFeedId>) -> Result<Shown<IssuedCalendarFeed>, CalendarFeedError> {
    cx.hrms.calendar_feeds().renew(&cx.actor, id).await.map(Shown)
}

async fn revoke(cx: Cx, Id(id): Id<CalendarFeedId>) -> Result<Deleted, CalendarFeedError> {
    cx.hrms.calendar_feeds().revoke(&cx.actor, id).await?;
    Ok(Deleted)
}

/// The end of a feed's address.
#[derive(Debug, Deserialize, IntoParams)]
struct FeedPath {
    /// The secret of the feed, with `.ics` behind it.
    token: String,
}

async fn read(cx: PublicCx, Path(path): Path<FeedPath>) -> Result<FeedFile, CalendarFeedError> {
    let mut context = Context::default();
    context.address = cx.address;
    context.channel = Channel::Api;
    cx.hrms.calendar_feeds().read(&path.token, cx.request, context).await.map(FeedFile)
}

/// 200 with a calendar that the program which reads it may keep and nobody else.
#[derive(Debug)]
struct FeedFile(String);

impl Answer for FeedFile {
    const STATUS: StatusCode = StatusCode::OK;

    fn into_reply(self, _: &str) -> Result<Reply, Problem> {
        let content = Bytes::from(self.0);
        let tag = etag::of(&content, None);
        let mut reply = Reply::new(full(content));
        let headers = reply.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/calendar; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(ETAG, tag);
        Ok(reply)
    }

    fn replay(_: &str, _: &str) -> Result<Reply, Problem> {
        Err(not_replayable())
    }

    fn describe(operation: &mut Operation<'_>) {
        let text = ObjectBuilder::new().schema_type(Type::String).into();
        operation.response(Self::STATUS, "The calendar.", Some(("text/calendar", text)), &["ETag"]);
    }
}
