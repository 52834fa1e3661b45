//! A server on a free port, and a client that shows what came over the wire.

use std::net::SocketAddr;

use async_trait::async_trait;
use bytes::Bytes;
use hrms_core::hrms::Builder;
use hrms_core::organization::{Organization, OrganizationDirectory, OrganizationStatus};
use hrms_core::{Actor, Cause, Hrms, RequestId, Role, TenantId, UserId, Version, Who};
use hrms_store::SqlStore;
use http::request::Parts;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::things;
use crate::{AuthError, Authenticate, Caller, Config, OperatorCaller, Server};

pub(super) const TENANT: TenantId = TenantId::from_uuid(Uuid::from_u128(0xa));
pub(super) const OTHER_TENANT: TenantId = TenantId::from_uuid(Uuid::from_u128(0xb));

/// Takes the credential at its word: `Bearer hr`, `Bearer employee`, `Bearer other`, `Bearer operator`.
struct Believes;

#[async_trait]
impl Authenticate for Believes {
    async fn authenticate(&self, parts: &Parts, request: RequestId) -> Result<Caller, AuthError> {
        let Some(credential) = parts.headers.get("authorization") else {
            return Ok(Caller::Anonymous);
        };
        let user = UserId::from_uuid(Uuid::from_u128(1));
        let actor = |tenant, role| {
            let who = Who::User { user, session: None, employee: None };
            Ok(Caller::User(Actor::user(tenant, who, &[role], Cause::Request, request)))
        };
        match credential.to_str().unwrap_or_default() {
            "Bearer hr" => actor(TENANT, Role::Hr),
            "Bearer employee" => actor(TENANT, Role::Employee),
            "Bearer other" => actor(OTHER_TENANT, Role::Hr),
            "Bearer operator" => Ok(Caller::Operator(OperatorCaller {
                user,
                session: None,
                confirmed_at: None,
                request,
                address: None,
            })),
            _ => Err(AuthError::Refused { code: "auth.invalid-token", detail: "the token isn't good" }),
        }
    }
}

/// A running server.
pub(super) struct Running {
    pub(super) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: tokio::task::JoinHandle<()>,
}

pub(super) fn config() -> Config {
    Config::new([7; 32])
}

pub(super) async fn start() -> Running {
    start_with(config()).await
}

pub(super) async fn start_with(config: Config) -> Running {
    start_as(config, |hrms| hrms).await
}

/// A server over an HR system that is put together in another way.
pub(super) async fn start_as(config: Config, change: impl FnOnce(Builder) -> Builder) -> Running {
    let store = SqlStore::sqlite_memory().await.unwrap();
    for (id, slug) in [(TENANT, "a"), (OTHER_TENANT, "b")] {
        let at = hrms_core::jiff::Timestamp::UNIX_EPOCH;
        let organization = Organization {
            id,
            slug: slug.to_owned(),
            name: slug.to_owned(),
            status: OrganizationStatus::Active,
            second_factor_required_for: Vec::new(),
            closing: None,
            support_access_allowed: true,
            time_zone: "UTC".into(),
            language: "en".into(),
            created_at: at,
            updated_at: at,
            version: Version::FIRST,
        };
        store.insert_organization(&organization).await.unwrap();
    }
    let hrms = change(Hrms::builder(store)).build();
    let tables = [things::ENDPOINTS, crate::location::ENDPOINTS];
    let server = Server::with_tables(hrms, Believes, config, tables).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(server.serve(listener, async move {
        let _ = stopped.await;
    }));
    Running { address, stop: Some(stop), served }
}

impl Running {
    /// Stops the server and waits until it has drained.
    pub(super) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.served.await.unwrap();
    }

    /// Sends a request over HTTP/1.1, by HR unless it has another `authorization`; `-` stands for none.
    pub(super) async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Got {
        let has = headers.iter().any(|(name, _)| *name == "authorization");
        let hr = [("authorization", "Bearer hr")];
        let headers: Vec<_> = headers.iter().chain(hr.iter().filter(|_| !has)).copied().collect();
        let headers: Vec<_> =
            headers.into_iter().filter(|header| *header != ("authorization", "-")).collect();
        let request = request(method, path, &headers, body);
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Got::from(sender.send_request(request).await.unwrap()).await
    }

    pub(super) async fn get(&self, path: &str) -> Got {
        self.send(Method::GET, path, &[], "").await
    }

    pub(super) async fn post(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Got {
        let headers: Vec<_> = [("content-type", "application/json")].iter().chain(headers).copied().collect();
        self.send(Method::POST, path, &headers, body).await
    }

    pub(super) async fn get_h2(&self, path: &str) -> Got {
        self.send_h2(Method::GET, path).await
    }

    pub(super) async fn send_h2(&self, method: Method, path: &str) -> Got {
        let path = format!("http://{}{path}", self.address);
        let mut request = request(method, &path, &[("authorization", "Bearer hr")], "");
        // `:authority` says it.
        request.headers_mut().remove("host");
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Got::from(sender.send_request(request).await.unwrap()).await
    }
}

fn request(method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> Request<Full<Bytes>> {
    let mut request = Request::builder().method(method).uri(path);
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", "test");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Full::from(body.to_owned())).unwrap()
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Got {
    pub(super) version: http::Version,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Got {
    async fn from(response: http::Response<hyper::body::Incoming>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self { version: parts.version, status: parts.status, headers: parts.headers, body }
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}")).to_str().unwrap()
    }

    /// Checks that this is a problem of the right shape, and gives its JSON.
    pub(super) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("/problems/{code}"));
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        assert!(
            problem["title"].is_string() && problem["detail"].is_string() && problem["instance"].is_string()
        );
        problem
    }

    /// Checks that this is a 422 about one field.
    pub(super) fn fault(&self, pointer: &str, code: &str) {
        let problem = self.problem(422, "common.invalid");
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
        assert_eq!(problem["errors"][0]["code"], code, "{problem}");
    }
}
