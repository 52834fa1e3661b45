//! Problem details (RFC 9457): the one shape of every error, and the one mapping from the domain's
//! kinds of error to HTTP statuses.

mod catalogue;

use std::borrow::Cow;

use hrms_core::identity::Pending;
use hrms_core::{CommonError, DomainError, ErrorKind, FieldError, RequestId};
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::{Reply, full};

pub(crate) use catalogue::catalogue;

/// Content type of every error.
pub(crate) const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A refusal on its way to the caller.
///
/// Any [`DomainError`] turns into one with `?`. What a caller must not see (the cause of a 5xx) is
/// kept apart and only logged.
#[derive(Debug)]
pub(crate) struct Problem(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    fields: Vec<FieldError>,
    pending: Vec<Pending>,
    headers: HeaderMap,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    /// It is there, and this caller may not know. Nothing in the answer says so.
    hidden: bool,
}

impl Problem {
    /// A problem with a status, a stable code and one sentence for a person.
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            status,
            code,
            detail: detail.into(),
            fields: Vec::new(),
            pending: Vec::new(),
            headers: HeaderMap::new(),
            cause: None,
            hidden: false,
        }))
    }

    /// 422 that names the fields at fault.
    pub(crate) fn invalid(fields: Vec<FieldError>) -> Self {
        CommonError::Invalid(fields).into()
    }

    /// 404 for a thing that isn't there, as far as this caller may know.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "common.not-found", "there is nothing at this address")
    }

    /// 401 with the challenge that RFC 9110 asks for.
    pub(crate) fn unauthenticated(code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, detail)
            .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    /// 500 whose cause is logged and never shown.
    pub(crate) fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        let mut problem = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "common.internal",
            "something went wrong on our side; the request id helps to find out what",
        );
        problem.0.cause = Some(cause.into());
        problem
    }

    /// 503 whose cause is logged and never shown.
    pub(crate) fn unavailable(cause: Box<dyn std::error::Error + Send + Sync>) -> Self {
        let mut problem =
            Self::new(StatusCode::SERVICE_UNAVAILABLE, "common.unavailable", "the service is unavailable");
        problem.0.cause = Some(cause);
        problem.with_retry_after(UNAVAILABLE_RETRY)
    }

    /// 405 that names the methods that are allowed.
    pub(crate) fn method_not_allowed(allow: &HeaderValue) -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "http.method-not-allowed",
            "this address doesn't take this method; see the Allow header",
        )
        .with_header(ALLOW, allow.clone())
    }

    /// The same problem with another header in the answer.
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    /// The same problem, telling the caller to wait this many seconds.
    pub(crate) fn with_retry_after(self, seconds: u32) -> Self {
        self.with_header(RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// The same problem, naming what the session lacks.
    pub(crate) fn with_pending(mut self, pending: &[Pending]) -> Self {
        self.0.pending = pending.to_vec();
        self
    }

    /// The same problem, after which an HTTP/1.1 connection is closed.
    pub(crate) fn closing(self) -> Self {
        self.with_header(CONNECTION, HeaderValue::from_static("close"))
    }

    /// Whether the caller was kept from something: not told, not let in, or told to wait.
    pub(crate) fn is_denial(&self) -> bool {
        self.0.hidden || [StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS].contains(&self.0.status)
    }

    /// Code and detail, on one line.
    pub(crate) fn summary(&self) -> String {
        format!("{}: {}", self.0.code, self.0.detail)
    }

    /// Logs what the caller must not see, and makes the answer.
    pub(crate) fn into_reply(self, request: RequestId, instance: &str) -> Reply {
        let inner = *self.0;
        if inner.status.is_server_error() {
            let cause = inner.cause.as_deref().map(chain).unwrap_or_default();
            tracing::error!(request_id = %request, code = inner.code, cause, "request failed");
        }
        let body = ProblemBody {
            r#type: format!("/problems/{}", inner.code),
            title: title(inner.status),
            status: inner.status.as_u16(),
            detail: &inner.detail,
            instance,
            code: inner.code,
            request_id: request,
            errors: &inner.fields,
            pending: &inner.pending,
        };
        // Text and numbers only: writing them can't fail.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut reply = Reply::new(full(body));
        *reply.status_mut() = inner.status;
        *reply.headers_mut() = inner.headers;
        reply.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
        reply
    }
}

/// An error and what caused it, on one line.
fn chain(error: &(dyn std::error::Error + Send + Sync + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

/// The status of each kind of domain error. The only place that says so.
pub(crate) fn status_of(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::NotFound | ErrorKind::Hidden => StatusCode::NOT_FOUND,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::Stale => StatusCode::PRECONDITION_FAILED,
        ErrorKind::Unauthenticated | ErrorKind::Unconfirmed => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::Throttled => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        // A kind that this version doesn't know is a defect of ours.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// RFC 9470: the token is good, but the proof of who it is for too old.
const INSUFFICIENT: HeaderValue =
    HeaderValue::from_static("Bearer error=\"insufficient_user_authentication\", max_age=\"600\"");

/// Seconds to wait when an error doesn't say.
const THROTTLED_RETRY: u32 = 30;
const UNAVAILABLE_RETRY: u32 = 2;

impl<E: DomainError> From<E> for Problem {
    fn from(error: E) -> Self {
        let status = status_of(error.kind());
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            return Self::internal(error);
        }
        let retry_after = error.retry_after();
        let mut problem = Self::new(status, error.code(), error.to_string());
        problem.0.fields = error.fields().to_vec();
        problem.0.hidden = error.kind() == ErrorKind::Hidden;
        match status {
            StatusCode::UNAUTHORIZED if error.kind() == ErrorKind::Unconfirmed => {
                problem.with_header(WWW_AUTHENTICATE, INSUFFICIENT)
            }
            StatusCode::UNAUTHORIZED => {
                problem.with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
            }
            StatusCode::TOO_MANY_REQUESTS => problem.with_retry_after(retry_after.unwrap_or(THROTTLED_RETRY)),
            StatusCode::SERVICE_UNAVAILABLE => {
                problem.0.cause = Some(error.into());
                problem.with_retry_after(retry_after.unwrap_or(UNAVAILABLE_RETRY))
            }
            _ => problem,
        }
    }
}

fn title(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Error")
}

#[derive(Serialize)]
struct ProblemBody<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    instance: &'a str,
    code: &'static str,
    request_id: RequestId,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pending: &'a [Pending],
}

/// An error (RFC 9457).
#[derive(ToSchema)]
#[schema(as = Problem)]
#[expect(dead_code, reason = "describes `ProblemBody` in the OpenAPI document")]
pub(crate) struct ProblemSchema {
    /// Where the code is explained, relative to this server.
    r#type: String,
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// One sentence about this occurrence.
    detail: String,
    /// The path of the request.
    instance: String,
    /// A stable machine-readable name such as `leave.insufficient-balance`.
    code: String,
    /// The request's id, as in the `X-Request-Id` header.
    request_id: RequestId,
    /// The fields at fault, when the input is.
    errors: Option<Vec<FieldError>>,
    /// What the session lacks, when that is why.
    pending: Option<Vec<Pending>>,
}
