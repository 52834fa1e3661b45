//! Answers: what a handler returns decides status, headers and body, and describes itself.
//!
//! A JSON answer is made from the value a handler returns, or, for a repeated request, from the JSON
//! that was stored with the first one's effect. Both go through the same function, so that they can't
//! differ.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use hrms_core::Page;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderValue, Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use uuid::Uuid;

use crate::cursor::Seal;
use crate::etag;
use crate::openapi::Operation;
use crate::problem::Problem;

/// What a body may fail with while it is sent.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// The body of an answer.
pub(crate) type ReplyBody = UnsyncBoxBody<Bytes, BoxError>;
/// An answer, ready to be sent.
pub(crate) type Reply = Response<ReplyBody>;

/// A body that is all there.
pub(crate) fn full(bytes: impl Into<Bytes>) -> ReplyBody {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// No body.
pub(crate) fn empty() -> ReplyBody {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A successful answer: its status is part of its type.
pub(crate) trait Answer: Sized + Send + 'static {
    /// The status.
    const STATUS: StatusCode;

    /// The answer to a request for `path`.
    fn into_reply(self, path: &str) -> Result<Reply, Problem>;

    /// The same answer once more, from the JSON stored with the first one's effect.
    fn replay(stored: &str, path: &str) -> Result<Reply, Problem>;

    /// Says what the answer looks like.
    fn describe(operation: &mut Operation<'_>);
}

/// 200 with an object, and its `ETag`.
#[derive(Debug)]
pub(crate) struct Found<T>(pub(crate) T);

/// 201 with the new object, its `ETag`, and its address: the request's path and the object's `id`.
#[derive(Debug)]
pub(crate) struct Created<T>(pub(crate) T);

/// 202 with an object whose work goes on as a job; `Location` is the job's address, made from the
/// object's `job_id` (or its `id`, when the object is the job).
#[derive(Debug)]
pub(crate) struct Accepted<T>(pub(crate) T);

/// 202 with an answer that says no more than that.
#[derive(Debug)]
pub(crate) struct Taken<T>(pub(crate) T);

/// 204 after something was removed.
#[derive(Debug)]
pub(crate) struct Deleted;

/// 204 after something was done that has nothing to show.
#[derive(Debug)]
pub(crate) struct Done;

/// The fields of an object that its headers are made from.
#[derive(Deserialize)]
struct Head {
    id: Option<Uuid>,
    job_id: Option<Uuid>,
    version: Option<i64>,
}

/// Where `Location` points.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Address {
    None,
    BelowPath,
    Job,
    /// In the collection that the path begins with, as in `/api/v1/api-keys`.
    InCollection,
}

/// Makes the answer with an object from its JSON.
fn object(status: StatusCode, address: Address, json: Bytes, path: &str) -> Result<Reply, Problem> {
    let head = serde_json::from_slice::<Head>(&json).ok();
    let version = head.as_ref().and_then(|head| head.version);
    let etag = etag::of(&json, version);
    let location = match (address, &head) {
        (Address::BelowPath, Some(Head { id: Some(id), .. })) => Some(format!("{path}/{id}")),
        (Address::Job, Some(Head { job_id: Some(id), .. } | Head { id: Some(id), .. })) => {
            Some(format!("/api/v1/jobs/{id}"))
        }
        (Address::InCollection, Some(Head { id: Some(id), .. })) => {
            let collection: Vec<&str> = path.split('/').take(4).collect();
            Some(format!("{}/{id}", collection.join("/")))
        }
        _ => None,
    };
    let mut reply = json_reply(status, json);
    reply.headers_mut().insert(ETAG, etag);
    if let Some(location) = location {
        let location = HeaderValue::try_from(location).map_err(Problem::internal)?;
        reply.headers_mut().insert(LOCATION, location);
    }
    Ok(reply)
}

fn json_reply(status: StatusCode, json: Bytes) -> Reply {
    let mut reply = Reply::new(full(json));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, JSON);
    reply
}

fn encode<T: Serialize>(value: &T) -> Result<Bytes, Problem> {
    match serde_json::to_vec(value) {
        Ok(json) => Ok(json.into()),
        Err(error) => Err(Problem::internal(error)),
    }
}

macro_rules! object_answers {
    ($($name:ident = $status:ident, $address:ident, $description:literal, [$($header:literal),*];)+) => {$(
        impl<T: Serialize + ToSchema + Send + 'static> Answer for $name<T> {
            const STATUS: StatusCode = StatusCode::$status;

            fn into_reply(self, path: &str) -> Result<Reply, Problem> {
                object(Self::STATUS, Address::$address, encode(&self.0)?, path)
            }

            fn replay(stored: &str, path: &str) -> Result<Reply, Problem> {
                object(Self::STATUS, Address::$address, Bytes::copy_from_slice(stored.as_bytes()), path)
            }

            fn describe(operation: &mut Operation<'_>) {
                let schema = operation.schema::<T>();
                operation.response(Self::STATUS, $description, Some(("application/json", schema)), &[$($header),*]);
            }
        }
    )+};
}

object_answers! {
    Found = OK, None, "The object.", ["ETag"];
    Created = CREATED, BelowPath, "The new object.", ["ETag", "Location"];
    Taken = ACCEPTED, None, "Accepted.", [];
    Accepted = ACCEPTED, Job, "Accepted; the work goes on as a job.", ["Location"];
}

macro_rules! empty_answers {
    ($($name:ident, $description:literal;)+) => {$(
        impl Answer for $name {
            const STATUS: StatusCode = StatusCode::NO_CONTENT;

            fn into_reply(self, _: &str) -> Result<Reply, Problem> {
                let mut reply = Reply::new(empty());
                *reply.status_mut() = Self::STATUS;
                Ok(reply)
            }

            fn replay(_: &str, path: &str) -> Result<Reply, Problem> {
                Self.into_reply(path)
            }

            fn describe(operation: &mut Operation<'_>) {
                operation.response(Self::STATUS, $description, None, &[]);
            }
        }
    )+};
}

empty_answers! {
    Deleted, "Removed.";
    Done, "Done.";
}

/// 200 with something secret that no cache may keep: no `ETag`, `Cache-Control: no-store`.
#[derive(Debug)]
pub(crate) struct Issued<T>(pub(crate) T);

impl<T: Serialize + ToSchema + Send + 'static> Answer for Issued<T> {
    const STATUS: StatusCode = StatusCode::OK;

    fn into_reply(self, _: &str) -> Result<Reply, Problem> {
        let mut reply = json_reply(Self::STATUS, encode(&self.0)?);
        reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Ok(reply)
    }

    fn replay(_: &str, _: &str) -> Result<Reply, Problem> {
        Err(not_replayable())
    }

    fn describe(operation: &mut Operation<'_>) {
        let schema = operation.schema::<T>();
        operation.response(Self::STATUS, "The answer.", Some(("application/json", schema)), &[]);
    }
}

/// 201 with a new object and its secret, which no cache may keep: no `ETag`, `Cache-Control: no-store`.
///
/// What is stored for a repeated request lacks the secret, and so does the answer to it.
#[derive(Debug)]
pub(crate) struct Shown<T>(pub(crate) T);

impl<T: Serialize + ToSchema + Send + 'static> Answer for Shown<T> {
    const STATUS: StatusCode = StatusCode::CREATED;

    fn into_reply(self, path: &str) -> Result<Reply, Problem> {
        shown(encode(&self.0)?, path)
    }

    fn replay(stored: &str, path: &str) -> Result<Reply, Problem> {
        shown(Bytes::copy_from_slice(stored.as_bytes()), path)
    }

    fn describe(operation: &mut Operation<'_>) {
        let schema = operation.schema::<T>();
        let description = "The new object, with what is shown this once.";
        operation.response(Self::STATUS, description, Some(("application/json", schema)), &["Location"]);
    }
}

fn shown(json: Bytes, path: &str) -> Result<Reply, Problem> {
    let mut reply = object(StatusCode::CREATED, Address::InCollection, json, path)?;
    reply.headers_mut().remove(ETAG);
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(reply)
}

/// 200 with a page of a collection and the cursor of the next one. Made by
/// [`List::answer`](crate::extract::List::answer).
#[derive(Debug)]
pub(crate) struct Listed<T> {
    page: Page<T>,
    seal: Arc<Seal>,
}

impl<T> Listed<T> {
    /// A page whose next cursor is sealed for the request that asked for it.
    pub(crate) fn new(page: Page<T>, seal: Arc<Seal>) -> Self {
        Self { page, seal }
    }
}

#[derive(Serialize)]
struct ListBody<'a, T> {
    items: &'a [T],
    next_cursor: Option<String>,
}

impl<T: Serialize + ToSchema + Send + 'static> Answer for Listed<T> {
    const STATUS: StatusCode = StatusCode::OK;

    fn into_reply(self, _: &str) -> Result<Reply, Problem> {
        let json = encode(&ListBody {
            items: &self.page.items,
            next_cursor: self.page.next.as_ref().map(|next| self.seal.close(next)),
        })?;
        let etag = etag::of(&json, None);
        let mut reply = json_reply(Self::STATUS, json);
        reply.headers_mut().insert(ETAG, etag);
        Ok(reply)
    }

    fn replay(_: &str, _: &str) -> Result<Reply, Problem> {
        Err(not_replayable())
    }

    fn describe(operation: &mut Operation<'_>) {
        let item = operation.schema::<T>();
        let page = operation.named_schema(&format!("{}Page", T::name()), page_schema(item));
        operation.response(
            Self::STATUS,
            "A page of the collection.",
            Some(("application/json", page)),
            &["ETag"],
        );
    }
}

fn page_schema(item: RefOr<Schema>) -> RefOr<Schema> {
    let cursor = ObjectBuilder::new()
        .schema_type(SchemaType::Array(vec![Type::String, Type::Null]))
        .description(Some("Where the next page starts; null on the last one."));
    ObjectBuilder::new()
        .property("items", ArrayBuilder::new().items(item))
        .required("items")
        .property("next_cursor", cursor)
        .required("next_cursor")
        .description(Some("A page of a collection."))
        .into()
}

/// 200 with a file to save.
#[derive(Debug)]
pub(crate) struct Download {
    content_type: HeaderValue,
    disposition: HeaderValue,
    body: ReplyBody,
}

impl Download {
    /// A CSV file (UTF-8) under a name of letters, digits, dots, hyphens and underscores.
    pub(crate) fn csv(name: &str, content: impl Into<Bytes>) -> Self {
        Self {
            content_type: HeaderValue::from_static("text/csv; charset=utf-8"),
            disposition: disposition(name),
            body: full(content),
        }
    }
}

fn disposition(name: &str) -> HeaderValue {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name: String = name.chars().map(|c| if safe(c) { c } else { '_' }).collect();
    HeaderValue::try_from(format!("attachment; filename=\"{name}\""))
        .unwrap_or(HeaderValue::from_static("attachment"))
}

impl Answer for Download {
    const STATUS: StatusCode = StatusCode::OK;

    fn into_reply(self, _: &str) -> Result<Reply, Problem> {
        let mut reply = Reply::new(self.body);
        reply.headers_mut().insert(CONTENT_TYPE, self.content_type);
        reply.headers_mut().insert(CONTENT_DISPOSITION, self.disposition);
        Ok(reply)
    }

    fn replay(_: &str, _: &str) -> Result<Reply, Problem> {
        Err(not_replayable())
    }

    fn describe(operation: &mut Operation<'_>) {
        let text = ObjectBuilder::new().schema_type(Type::String).into();
        operation.response(Self::STATUS, "The file.", Some(("text/csv", text)), &["Content-Disposition"]);
    }
}

/// 200 with an iCalendar file to save (UTF-8).
#[derive(Debug)]
pub(crate) struct CalendarFile(Download);

impl CalendarFile {
    /// A file under a name of letters, digits, dots, hyphens and underscores.
    pub(crate) fn new(name: &str, content: impl Into<Bytes>) -> Self {
        let content_type = HeaderValue::from_static("text/calendar; charset=utf-8");
        Self(Download { content_type, ..Download::csv(name, content) })
    }
}

impl Answer for CalendarFile {
    const STATUS: StatusCode = StatusCode::OK;

    fn into_reply(self, path: &str) -> Result<Reply, Problem> {
        self.0.into_reply(path)
    }

    fn replay(_: &str, _: &str) -> Result<Reply, Problem> {
        Err(not_replayable())
    }

    fn describe(operation: &mut Operation<'_>) {
        let text = ObjectBuilder::new().schema_type(Type::String).into();
        operation.response(
            Self::STATUS,
            "The file.",
            Some(("text/calendar", text)),
            &["Content-Disposition"],
        );
    }
}

/// 200 with a file to save that somebody has uploaded.
#[derive(Debug)]
pub(crate) struct FileDownload(Download);

impl FileDownload {
    /// A file under a name of letters, digits, dots, hyphens and underscores; others become underscores.
    pub(crate) fn new(name: &str, content_type: &'static str, content: impl Into<Bytes>) -> Self {
        Self(Download {
            content_type: HeaderValue::from_static(content_type),
            ..Download::csv(name, content)
        })
    }
}

impl Answer for FileDownload {
    const STATUS: StatusCode = StatusCode::OK;

    fn into_reply(self, path: &str) -> Result<Reply, Problem> {
        self.0.into_reply(path)
    }

    fn replay(_: &str, _: &str) -> Result<Reply, Problem> {
        Err(not_replayable())
    }

    fn describe(operation: &mut Operation<'_>) {
        let file = ObjectBuilder::new().schema_type(Type::String).into();
        let content = Some(("application/octet-stream", file));
        operation.response(Self::STATUS, "The file.", content, &["Content-Disposition"]);
    }
}

/// 200 with a file to save that is sent as it is read: JSON values, one in a line.
pub(crate) struct Lines {
    disposition: HeaderValue,
    body: ReplyBody,
}

impl Lines {
    /// A file under a name of letters, digits, dots, hyphens and underscores. After an error the connection is
    /// broken off, so that what was sent isn't taken for the whole.
    pub(crate) fn new<E>(name: &str, pieces: impl Stream<Item = Result<Vec<u8>, E>> + Send + 'static) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        let frames = pieces.map(|piece| match piece {
            Ok(bytes) => Ok(Frame::data(Bytes::from(bytes))),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a file can't be sent to its end");
                Err(BoxError::from(error))
            }
        });
        Self { disposition: disposition(name), body: StreamBody::new(frames).boxed_unsync() }
    }
}

impl Answer for Lines {
    const STATUS: StatusCode = StatusCode::OK;

    fn into_reply(self, _: &str) -> Result<Reply, Problem> {
        let mut reply = Reply::new(self.body);
        reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
        reply.headers_mut().insert(CONTENT_DISPOSITION, self.disposition);
        Ok(reply)
    }

    fn replay(_: &str, _: &str) -> Result<Reply, Problem> {
        Err(not_replayable())
    }

    fn describe(operation: &mut Operation<'_>) {
        let text = ObjectBuilder::new().schema_type(Type::String).into();
        let content = Some(("application/x-ndjson", text));
        operation.response(Self::STATUS, "The file.", content, &["Content-Disposition"]);
    }
}

/// 200 with a CSV file (UTF-8) to save that is sent as it is read.
pub(crate) struct CsvLines(Lines);

impl CsvLines {
    /// As [`Lines::new`].
    pub(crate) fn new<E>(name: &str, pieces: impl Stream<Item = Result<Vec<u8>, E>> + Send + 'static) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        Self(Lines::new(name, pieces))
    }
}

impl Answer for CsvLines {
    const STATUS: StatusCode = StatusCode::OK;

    fn into_reply(self, path: &str) -> Result<Reply, Problem> {
        let mut reply = self.0.into_reply(path)?;
        reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
        Ok(reply)
    }

    fn replay(_: &str, _: &str) -> Result<Reply, Problem> {
        Err(not_replayable())
    }

    fn describe(operation: &mut Operation<'_>) {
        let text = ObjectBuilder::new().schema_type(Type::String).into();
        operation.response(Self::STATUS, "The file.", Some(("text/csv", text)), &["Content-Disposition"]);
    }
}

/// For answers of requests that have no effect to store an answer with.
pub(crate) fn not_replayable() -> Problem {
    Problem::internal("an answer of this type can't be stored")
}
