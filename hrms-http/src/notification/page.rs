//! The page that stops messages: for people who follow the link in one.

use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use http::{HeaderValue, StatusCode};
use utoipa::openapi::schema::{ObjectBuilder, Type};

use crate::answer::{Answer, Reply, full, not_replayable};
use crate::openapi::Operation;
use crate::problem::Problem;

/// It loads and runs nothing; its form goes where it came from.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);

/// 200 with a page for people.
#[derive(Debug)]
pub(super) struct WebPage(String);

impl WebPage {
    /// Asks whether to stop.
    pub(super) fn ask() -> Self {
        let form = "<form method=\"post\">\n\
            <p>You will get no more messages of this kind by this way. The inbox isn't touched.</p>\n\
            <button name=\"List-Unsubscribe\" value=\"One-Click\">Stop them</button>\n</form>\n";
        Self::of("Stop these messages?", form)
    }

    /// Says that it is done.
    pub(super) fn done() -> Self {
        let text = "<p>You get no more messages of this kind by this way. Your settings for notifications bring them back.</p>\n";
        Self::of("Done", text)
    }

    fn of(title: &str, body: &str) -> Self {
        Self(format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title}</title>\n\
             <meta name=\"viewport\" content=\"width=device-width\"><meta name=\"robots\" content=\"noindex\"></head>\n\
             <body>\n<h1>{title}</h1>\n{body}</body>\n</html>\n"
        ))
    }
}

impl Answer for WebPage {
    const STATUS: StatusCode = StatusCode::OK;

    fn into_reply(self, _: &str) -> Result<Reply, Problem> {
        let mut reply = Reply::new(full(self.0));
        let headers = reply.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CONTENT_SECURITY_POLICY, POLICY);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        Ok(reply)
    }

    fn replay(_: &str, _: &str) -> Result<Reply, Problem> {
        Err(not_replayable())
    }

    fn describe(operation: &mut Operation<'_>) {
        let text = ObjectBuilder::new().schema_type(Type::String).into();
        operation.response(Self::STATUS, "A page for people.", Some(("text/html", text)), &[]);
    }
}
