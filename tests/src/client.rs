//! A small JSON client over real sockets.

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client as Connections, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Talks to one server, as one user. Cheap to clone; clones share connections.
#[derive(Clone, Debug)]
pub struct Client {
    base_url: String,
    token: Option<String>,
    connections: Connections<HttpConnector, Full<Bytes>>,
}

/// What the server answered.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

impl Client {
    /// A client without credentials; `base_url` as in `http://127.0.0.1:8080`.
    #[must_use]
    pub fn new(base_url: &str) -> Self {
        Self {
            base_url: base_url.trim_end_matches('/').to_owned(),
            token: None,
            connections: Connections::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// The same client with this bearer token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The absolute address of a path, for [`Client::send`].
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base_url)
    }

    /// `GET path`.
    pub async fn get(&self, path: &str) -> Reply {
        self.call(Method::GET, path, &[], None).await
    }

    /// `POST path` with a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.call(Method::POST, path, &[], Some(body)).await
    }

    /// `PATCH path` with a merge patch.
    pub async fn patch(&self, path: &str, body: &Value) -> Reply {
        let headers = [("content-type", "application/merge-patch+json")];
        self.call(Method::PATCH, path, &headers, Some(body)).await
    }

    /// `DELETE path`.
    pub async fn delete(&self, path: &str) -> Reply {
        self.call(Method::DELETE, path, &[], None).await
    }

    /// Any call with more headers; a body is JSON unless the headers say another content type.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base_url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let bytes = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        self.send(request.body(bytes).unwrap()).await
    }

    /// `POST path` with a body of any kind.
    pub async fn upload(&self, path: &str, content_type: &str, body: Vec<u8>) -> Reply {
        let request = Request::post(format!("{}{path}", self.base_url)).header(CONTENT_TYPE, content_type);
        self.send(request.body(body.into()).unwrap()).await
    }

    /// `POST path` with a form that has one file.
    pub async fn upload_form(&self, path: &str, name: &str, file: &[u8]) -> Reply {
        let head =
            format!("--limit\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n");
        let body = [head.as_bytes(), file, b"\r\n--limit--\r\n"].concat();
        self.upload(path, "multipart/form-data; boundary=limit", body).await
    }

    /// Sends a request as it is, with the token if it has no credentials of its own.
    ///
    /// The URI must be absolute.
    pub async fn send(&self, request: Request<Bytes>) -> Reply {
        self.try_send(request).await.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Like [`Client::send`], where the server may be gone: what went wrong, as text.
    pub async fn try_send(&self, request: Request<Bytes>) -> Result<Reply, String> {
        let mut request = request.map(Full::new);
        if let Some(token) = &self.token {
            let bearer = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().entry(AUTHORIZATION).or_insert(bearer);
        }
        let what = format!("{} {}", request.method(), request.uri());
        let answer = self.connections.request(request).await;
        let (parts, body) = answer.map_err(|error| format!("{what}: {error:?}"))?.into_parts();
        let body = body.collect().await.map_err(|error| format!("{what}: {error:?}"))?.to_bytes();
        Ok(Reply { status: parts.status, headers: parts.headers, body })
    }
}

impl Reply {
    /// The body as JSON.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("no JSON ({error}): {} {}", self.status, self.text()),
        }
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The header's text, if there is one.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// Insists on the status, showing the body otherwise.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self
    }
}
