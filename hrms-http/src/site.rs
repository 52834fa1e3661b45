//! What is served beside the endpoint tables: the OpenAPI document, its two readers, the catalogue of
//! problems, health.
//!
//! The pages work without internet access, and their content security policy allows no other host.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderValue, Method, StatusCode};
use utoipa::openapi::OpenApi;

use crate::answer::{BoxError, Reply, empty, full};
use crate::etag;
use crate::problem::{self, Problem};

/// Tells whether the service can do its work.
pub(crate) type ReadyCheck =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>> + Send + Sync>;

/// The pages, ready to be sent.
pub(crate) struct Site {
    openapi: Page,
    problems: Page,
    pub(crate) ready: ReadyCheck,
}

/// A page and what goes with it.
struct Page {
    content_type: HeaderValue,
    policy: &'static str,
    etag: HeaderValue,
    body: Bytes,
}

/// Both readers put styles into the page; ReDoc searches in a worker made from a blob.
const READER_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self' data:; connect-src 'self'; worker-src blob:; base-uri 'none'; \
    form-action 'self'; frame-ancestors 'none'";

/// For everything that isn't a page: nothing may be loaded or run, should a browser show it.
pub(crate) const API_POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Where it is asked whether the process lives. Costs nothing.
pub(crate) const ALIVE: &str = "/health/live";

impl Page {
    fn new(content_type: &str, policy: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let content_type = match content_type {
            text if text.starts_with("text/") => HeaderValue::try_from(format!("{text}; charset=utf-8")),
            other => HeaderValue::try_from(other),
        };
        Self {
            content_type: content_type.unwrap_or(HeaderValue::from_static("application/octet-stream")),
            policy,
            etag: etag::of(&body, None),
            body,
        }
    }

    fn reply(&self) -> Reply {
        let mut reply = Reply::new(full(self.body.clone()));
        let headers = reply.headers_mut();
        headers.insert(CONTENT_TYPE, self.content_type.clone());
        headers.insert(ETAG, self.etag.clone());
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(self.policy));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        reply
    }
}

impl Site {
    pub(crate) fn new(document: &OpenApi) -> Result<Self, serde_json::Error> {
        let problems = serde_json::to_vec(&serde_json::json!({ "items": problem::catalogue() }))?;
        Ok(Self {
            openapi: Page::new("application/json", API_POLICY, serde_json::to_vec(document)?),
            problems: Page::new("application/json", API_POLICY, problems),
            ready: Box::new(|| Box::pin(async { Ok(()) })),
        })
    }

    /// The answer to a request for something beside the tables.
    pub(crate) async fn answer(&self, method: &Method, path: &str) -> Result<Reply, Problem> {
        let reply = match path {
            ALIVE => alive(),
            "/health/ready" => match (self.ready)().await {
                Ok(()) => alive(),
                Err(cause) => return Err(Problem::unavailable(cause)),
            },
            "/api/openapi.json" => self.openapi.reply(),
            "/problems" => self.problems.reply(),
            "/api/docs" => moved("/api/docs/"),
            "/api/redoc" => moved("/api/redoc/"),
            _ => match path.strip_prefix("/problems/") {
                Some(code) => explained(code)?,
                None => READERS.get(path).ok_or_else(Problem::not_found)?.reply(),
            },
        };
        const ALLOWED: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");
        match *method {
            Method::GET | Method::HEAD => Ok(reply),
            Method::OPTIONS => Ok(allowed(&ALLOWED)),
            _ => Err(Problem::method_not_allowed(&ALLOWED)),
        }
    }
}

/// The answer to OPTIONS.
pub(crate) fn allowed(allow: &HeaderValue) -> Reply {
    let mut reply = Reply::new(empty());
    *reply.status_mut() = StatusCode::NO_CONTENT;
    reply.headers_mut().insert(ALLOW, allow.clone());
    reply
}

fn alive() -> Reply {
    let mut reply = Reply::new(full("{\"status\":\"ok\"}"));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

fn moved(to: &'static str) -> Reply {
    let mut reply = Reply::new(empty());
    *reply.status_mut() = StatusCode::PERMANENT_REDIRECT;
    reply.headers_mut().insert(LOCATION, HeaderValue::from_static(to));
    reply
}

fn explained(code: &str) -> Result<Reply, Problem> {
    let entry = problem::catalogue().iter().find(|entry| entry.code == code);
    let entry = entry.ok_or_else(Problem::not_found)?;
    let json = serde_json::to_vec(entry).map_err(Problem::internal)?;
    Ok(Page::new("application/json", API_POLICY, json).reply())
}

/// Swagger UI and ReDoc, by path. Made when somebody first looks.
static READERS: LazyLock<BTreeMap<String, Page>> = LazyLock::new(|| {
    let mut pages = BTreeMap::new();
    swagger_ui(&mut pages);
    redoc(&mut pages);
    pages
});

/// The files that Swagger UI's page loads.
const SWAGGER_FILES: [&str; 8] = [
    "",
    "index.css",
    "swagger-ui.css",
    "swagger-ui-bundle.js",
    "swagger-ui-standalone-preset.js",
    "swagger-initializer.js",
    "favicon-16x16.png",
    "favicon-32x32.png",
];

fn swagger_ui(pages: &mut BTreeMap<String, Page>) {
    // "none" keeps it from sending the document to a validator on the internet.
    let config = utoipa_swagger_ui::Config::from("/api/openapi.json").validator_url("none");
    let config = Arc::new(config);
    for name in SWAGGER_FILES {
        match utoipa_swagger_ui::serve(name, Arc::clone(&config)) {
            Ok(Some(file)) => {
                let page = Page::new(&file.content_type, READER_POLICY, file.bytes.into_owned());
                pages.insert(format!("/api/docs/{name}"), page);
            }
            Ok(None) => tracing::warn!(name, "Swagger UI has no such file any more"),
            Err(error) => tracing::warn!(name, %error, "Swagger UI can't be served"),
        }
    }
}

/// The one outside address that ReDoc would load (the maker's logo); the policy forbids it too.
const REDOC_LOGO: &str = "https://cdn.redoc.ly/redoc/logo-mini.svg";

fn redoc(pages: &mut BTreeMap<String, Page>) {
    let script = include_str!("../assets/redoc/redoc.standalone.js").replace(REDOC_LOGO, "data:,");
    let files: [(&str, &str, Bytes); 3] = [
        ("", "text/html", include_str!("../assets/redoc/index.html").into()),
        ("redoc.css", "text/css", include_str!("../assets/redoc/redoc.css").into()),
        ("redoc.standalone.js", "text/javascript", script.into()),
    ];
    for (name, content_type, body) in files {
        pages.insert(format!("/api/redoc/{name}"), Page::new(content_type, READER_POLICY, body));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_name_no_other_host() {
        let redoc = &READERS["/api/redoc/redoc.standalone.js"].body;
        let redoc = std::str::from_utf8(redoc).unwrap();
        assert!(!redoc.contains(REDOC_LOGO));
        for marker in ["fonts.googleapis", "cdn.redoc", "unpkg.com", "jsdelivr"] {
            assert!(!redoc.contains(marker), "{marker}");
        }
        for page in ["/api/docs/", "/api/redoc/", "/api/docs/swagger-initializer.js"] {
            let body = std::str::from_utf8(&READERS[page].body).unwrap();
            assert!(!body.contains("https://") && !body.contains("http://"), "{page}: {body}");
        }
    }

    #[test]
    fn every_file_that_a_reader_loads_is_there() {
        for name in SWAGGER_FILES {
            assert!(READERS.contains_key(&format!("/api/docs/{name}")), "{name}");
        }
        let page = std::str::from_utf8(&READERS["/api/docs/"].body).unwrap();
        let loaded = page.split(['"']).filter(|text| text.ends_with(".js") || text.ends_with(".css"));
        for file in loaded {
            let path = format!("/api/docs/{}", file.trim_start_matches("./"));
            assert!(READERS.contains_key(&path), "{path}");
        }
        let start = std::str::from_utf8(&READERS["/api/docs/swagger-initializer.js"].body).unwrap();
        assert!(start.contains("/api/openapi.json") && !start.contains("petstore"), "{start}");
    }
}
