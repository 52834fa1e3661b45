//! The way of a request: route → authenticate → check the row's permission → read the body under a
//! limit → decode → run → answer.
//!
//! Handlers run in tasks of their own: a client that hangs up doesn't stop a change half-way, and a
//! panic ends one request, not the connection's others.

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use hrms_core::actor::Channel;
use hrms_core::audit::{Act, Author, Change, Log};
use hrms_core::identity::is_confirmed;
use hrms_core::trace::Trace;
use hrms_core::{Actor, CommonError, FieldError, Hrms, RequestId, Who};
use http::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, ETAG, EXPECT, IF_NONE_MATCH, STRICT_TRANSPORT_SECURITY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::sync::{Semaphore, watch};
use tracing::Instrument;

use crate::answer::{BoxError, Reply, empty};
use crate::api::Api;
use crate::auth::{AuthError, Authenticate, Caller, IncompleteCaller, OperatorCaller};
use crate::bearer::subject_of;
use crate::config::Config;
use crate::endpoint::{Access, Endpoint};
use crate::etag;
use crate::event::Live;
use crate::extract::BodyUse;
use crate::forwarded::{came_by_tls, client_address};
use crate::host::Hosts;
use crate::idempotency::{self, RunningKeys};
use crate::problem::Problem;
use crate::rate::Meter;
use crate::request::{
    ClientAddress, Input, Peer, barred_to_support, credential_missing, incomplete, peer_address, wrong_caller,
};
use crate::site::{self, Site};

/// Stay with TLS for a year, as OWASP ASVS 5.0 (3.4.1) asks.
pub(crate) const STAY_WITH_TLS: HeaderValue = HeaderValue::from_static("max-age=31536000; includeSubDomains");

/// Parameters that a query may have. Telling them apart takes time that grows with the square.
const PARAMETERS: usize = 100;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// For how long the rest of a refused body is read and thrown away. Closing at once would reset the
/// connection, and the client might never see the refusal.
const LINGER: Duration = Duration::from_secs(10);

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) hrms: Hrms,
    pub(crate) api: Api,
    pub(crate) site: Site,
    pub(crate) authenticate: Box<dyn Authenticate>,
    pub(crate) config: Config,
    /// Whom requests may be for.
    pub(crate) hosts: Hosts,
    pub(crate) running_keys: RunningKeys,
    pub(crate) uploads: Arc<Semaphore>,
    /// The tenants' live events, and the tickets to them.
    pub(crate) live: Live,
    /// Whether the server is about to stop.
    pub(crate) stopping: watch::Sender<bool>,
    /// Each running handler holds a receiver, so that shutdown can wait for them.
    pub(crate) handlers: watch::Sender<()>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Answers a request.
pub(crate) async fn dispatch<B>(shared: &Arc<Shared>, request: Request<B>) -> Reply
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    let (parts, body) = request.into_parts();
    let id = RequestId::from_uuid(shared.hrms.ids().next());
    let span =
        tracing::info_span!("request", id = %id, method = %parts.method, path = told_path(parts.uri.path()));
    let uri = parts.uri.clone();
    let head = parts.method == Method::HEAD;
    let none_match = (head || parts.method == Method::GET).then(|| only(&parts.headers, &IF_NONE_MATCH));

    let trusted = &shared.config.trusted_proxies;
    let peer = parts.extensions.get::<Peer>().map(|Peer(peer)| peer.ip());
    let by_tls = peer.is_some_and(|peer| came_by_tls(peer, &parts.headers, trusted));
    let address = peer.map(|peer| client_address(peer, &parts.headers, trusted));

    let mut meter = Meter::default();
    let mut seen = None;
    let answer = answer(shared, id, address, parts, body, &mut meter, &mut seen).instrument(span.clone());
    // Handlers have tasks of their own; a panic before one starts is answered like theirs.
    let outcome = AssertUnwindSafe(answer).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|_| Err(Problem::internal("a panic outside of a handler")));
    if let (Err(problem), Some(seen)) = (&outcome, seen) {
        seen.note_denial(&shared.hrms, problem);
    }
    let mut reply = outcome.unwrap_or_else(|problem| {
        let _entered = span.enter();
        problem.into_reply(id, uri.path())
    });
    if let Some(none_match) = none_match
        && reply.status() == StatusCode::OK
        && let Some(tag) = reply.headers().get(ETAG)
        && etag::none_match(&none_match, tag)
    {
        *reply.status_mut() = StatusCode::NOT_MODIFIED;
        reply.headers_mut().remove(http::header::CONTENT_TYPE);
        *reply.body_mut() = empty();
    }
    if head {
        if let Some(length) = reply.body().size_hint().exact() {
            reply.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        *reply.body_mut() = empty();
    }
    let headers = reply.headers_mut();
    if let Ok(id) = HeaderValue::try_from(id.to_string()) {
        headers.insert(X_REQUEST_ID, id);
    }
    if by_tls {
        headers.insert(STRICT_TRANSPORT_SECURITY, STAY_WITH_TLS);
    }
    meter.show(headers);
    tracing::debug!(parent: &span, status = reply.status().as_u16(), "answered");
    reply
}

/// A path without the secret that it may end with, for logs.
fn told_path(path: &str) -> &str {
    const SECRET: [&str; 2] = ["/api/v1/calendars/", "/api/v1/notifications/unsubscribe/"];
    SECRET.into_iter().find(|before| path.starts_with(before)).unwrap_or(path)
}

/// The distributed trace that the caller names, if the header makes sense and stands there once.
fn trace_of(headers: &HeaderMap) -> Option<Trace> {
    let mut named = headers.get_all("traceparent").iter();
    match (named.next(), named.next()) {
        (Some(one), None) => one.to_str().ok()?.parse().ok(),
        _ => None,
    }
}

/// The values of one header.
fn only(headers: &HeaderMap, name: &HeaderName) -> HeaderMap {
    let mut found = HeaderMap::new();
    for value in headers.get_all(name) {
        found.append(name, value.clone());
    }
    found
}

async fn answer<B>(
    shared: &Arc<Shared>,
    id: RequestId,
    address: Option<IpAddr>,
    mut parts: Parts,
    mut body: B,
    meter: &mut Meter,
    seen: &mut Option<Seen>,
) -> Result<Reply, Problem>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    if let Some(address) = address {
        parts.extensions.insert(ClientAddress(address));
    }
    let asks_first = parts.headers.contains_key(EXPECT);
    let admitted = match admit(shared, id, address, &mut parts, meter, seen).await {
        Ok(Admission::Handler(admitted)) => admitted,
        Ok(Admission::Answered(reply)) => return Ok(reply),
        Err(problem) => {
            linger(body, asks_first);
            return Err(problem);
        }
    };
    let endpoint = admitted.endpoint;
    let (limit, time) = match endpoint.body {
        BodyUse::Upload => (shared.config.upload_limit, shared.config.upload_timeout),
        BodyUse::None | BodyUse::Whole => (shared.config.body_limit, shared.config.body_timeout),
    };
    let permit = match endpoint.body {
        BodyUse::Upload => Some(Arc::clone(&shared.uploads).try_acquire_owned().map_err(|_| busy())),
        BodyUse::None | BodyUse::Whole => None,
    };
    let permit = match permit.transpose() {
        Ok(permit) => permit,
        Err(problem) => {
            linger(body, asks_first);
            return Err(problem);
        }
    };
    let read = tokio::time::timeout(time, read(&mut body, limit)).await;
    let bytes = match read.unwrap_or_else(|_| Err(too_slow())) {
        Ok(bytes) => bytes,
        Err(problem) => {
            linger(body, asks_first);
            return Err(problem);
        }
    };
    if endpoint.body == BodyUse::None {
        refuse_body(&bytes)?;
    }
    let tenant = match &admitted.caller {
        Caller::User(actor) => Some(actor.tenant()),
        Caller::Anonymous | Caller::Operator(_) | Caller::Incomplete(_) => None,
    };
    let input =
        Input { parts, vars: admitted.vars, body: bytes, request: id, tenant, shared: Arc::clone(shared) };
    let caller = admitted.caller;
    let counted = shared.handlers.subscribe();
    let work = async move {
        // Counts as an upload until its bytes are gone.
        let _held = (permit, counted);
        idempotency::run(endpoint, caller, input).await
    };
    let work = tokio::spawn(work.in_current_span());
    work.await.unwrap_or_else(|error| Err(Problem::internal(error)))
}

/// Somebody who wants something: what the audit log says if it is denied.
struct Seen {
    log: Log,
    author: Author,
    endpoint: &'static Endpoint,
}

impl Seen {
    fn of(caller: &Caller, address: Option<IpAddr>, endpoint: &'static Endpoint) -> Option<Self> {
        let (log, mut author) = match caller {
            Caller::Anonymous => return None,
            Caller::User(actor) => (Log::Tenant(actor.tenant()), Author::from(actor)),
            Caller::Operator(operator) => (Log::Platform, Author::from(&operator.operator())),
            Caller::Incomplete(IncompleteCaller { subject, request, .. }) => (
                subject.tenant.map_or(Log::Platform, Log::Tenant),
                Author::user(subject.user, Some(subject.session), *request, None),
            ),
        };
        author.address = author.address.or(address);
        Some(Self { log, author, endpoint })
    }

    /// Somebody who shows no credential before the body is read.
    fn stranger(request: RequestId, address: IpAddr, endpoint: &'static Endpoint) -> Self {
        Self { log: Log::Platform, author: Author::anonymous(request, Some(address)), endpoint }
    }

    /// Puts a denial on record, by the endpoint's path: not what was asked for, and not the body.
    fn note_denial(self, hrms: &Hrms, problem: &Problem) {
        if !problem.is_denial() {
            return;
        }
        let subject = format!("{} {}", self.endpoint.method, self.endpoint.path);
        let act = Act { action: "access.denied".into(), subject, change: Change::none() };
        hrms.audit().note_denial(self.log, &self.author, act, Some(&problem.summary()));
    }
}

/// A request that may run.
struct Admitted {
    endpoint: &'static Endpoint,
    vars: Vec<(String, String)>,
    caller: Caller,
}

enum Admission {
    Handler(Box<Admitted>),
    Answered(Reply),
}

/// Everything that is decided before the body is read.
async fn admit(
    shared: &Shared,
    id: RequestId,
    address: Option<IpAddr>,
    parts: &mut Parts,
    meter: &mut Meter,
    seen: &mut Option<Seen>,
) -> Result<Admission, Problem> {
    shared.hosts.check(parts)?;
    let path = parts.uri.path();
    if let Some(address) = address
        && path != site::ALIVE
    {
        let endpoint = tries_credential(shared, &parts.method, path);
        let strictly = endpoint.is_some();
        *seen = endpoint.map(|endpoint| Seen::stranger(id, address, endpoint));
        meter.charge_address(&shared.hrms, &shared.config.rates, address, strictly).await?;
    }
    refuse_long_query(shared, parts.uri.query())?;
    shared.live.redeem_ticket(parts)?;
    let Some(found) = shared.api.at(parts.uri.path()) else {
        let page = shared.site.answer(&parts.method, parts.uri.path()).await;
        return page.map(Admission::Answered);
    };
    let Some(endpoint) = found.value.endpoint(&parts.method) else {
        let allow = &found.value.allow;
        return match parts.method {
            Method::OPTIONS => Ok(Admission::Answered(site::allowed(allow))),
            _ => Err(Problem::method_not_allowed(allow)),
        };
    };
    let mut caller = match endpoint.access {
        Access::Public => Caller::Anonymous,
        _ => identify(shared, parts, id, Channel::Api).await?,
    };
    meter.charge_caller(&shared.hrms, &shared.config.rates, &caller).await?;
    *seen = Seen::of(&caller, address, endpoint);
    check_support(endpoint, &caller)?;
    check_access(&shared.hrms, endpoint.access, &caller)?;
    if endpoint.confirmed || (endpoint.access == Access::Platform && endpoint.method != Method::GET) {
        // Not by what is remembered: whoever was disabled a second ago must not undo it, or leave a door open.
        if let Some(subject) = subject_of(&caller) {
            shared.authenticate.forget(&subject);
        }
        caller = identify(shared, parts, id, Channel::Api).await?;
        check_support(endpoint, &caller)?;
        check_access(&shared.hrms, endpoint.access, &caller)?;
        if endpoint.confirmed {
            check_confirmed(&shared.hrms, &caller)?;
        }
    }
    if !endpoint.query {
        refuse_query(parts.uri.query())?;
    }
    refuse_encoded(&parts.headers)?;
    let vars = found.params.iter();
    let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Ok(Admission::Handler(Box::new(Admitted { endpoint, vars, caller })))
}

/// The endpoint of a request that has nothing to show but what its body will prove: log-in, refresh and the like.
fn tries_credential(shared: &Shared, method: &Method, path: &str) -> Option<&'static Endpoint> {
    let found = if method.is_safe() { None } else { shared.api.at(path) };
    let endpoint = found.and_then(|found| found.value.endpoint(method));
    endpoint.filter(|endpoint| matches!(endpoint.access, Access::Public))
}

/// Bodies are taken as they are: what looks small mustn't become large.
fn refuse_encoded(headers: &HeaderMap) -> Result<(), Problem> {
    let identity = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).iter().all(identity) {
        return Ok(());
    }
    let detail = "this doesn't take encoded bodies: send it without Content-Encoding";
    // RFC 9110, section 12.5.3: an answer like this names what would be taken.
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "http.encoding-not-supported", detail)
        .with_header(ACCEPT_ENCODING, HeaderValue::from_static("identity")))
}

fn refuse_long_query(shared: &Shared, query: Option<&str>) -> Result<(), Problem> {
    let (query, most) = (query.unwrap_or_default(), shared.config.max_query_bytes);
    if query.len() <= most && query.split('&').count() <= PARAMETERS {
        return Ok(());
    }
    let detail = format!("the query may have at most {most} bytes and {PARAMETERS} parameters");
    Err(Problem::new(StatusCode::URI_TOO_LONG, "http.query-too-long", detail))
}

/// Whether it is a program with an API key, to which what is about a person isn't open.
fn is_program(actor: &Actor) -> bool {
    matches!(actor.who(), Who::Service { .. })
}

/// What asks for no permission is about the user's own account, and never open to an operator who acts through
/// the user: their password, second factor, sessions, consent. But for these.
const OPEN_TO_SUPPORT: [(Method, &str); 3] = [
    (Method::GET, "/api/v1/auth/me"),
    (Method::GET, "/api/v1/events"),
    (Method::POST, "/api/v1/events/tickets"),
];

/// Narrows what an operator of the service reaches inside an organisation.
fn check_support(endpoint: &Endpoint, caller: &Caller) -> Result<(), Problem> {
    let Caller::User(actor) = caller else { return Ok(()) };
    if actor.support().is_none() {
        return Ok(());
    }
    let open = match endpoint.access {
        // Nobody proves through a grant who they are.
        _ if endpoint.confirmed => false,
        Access::Requires(permission) | Access::Asked(permission) => !permission.is_barred_to_support(),
        _ => {
            OPEN_TO_SUPPORT.iter().any(|(method, path)| *method == endpoint.method && *path == endpoint.path)
        }
    };
    if open { Ok(()) } else { Err(barred_to_support()) }
}

/// Who sent a request, with the policies of their organisation that are in force, and in which circumstances.
pub(crate) async fn identify(
    shared: &Shared,
    parts: &Parts,
    id: RequestId,
    channel: Channel,
) -> Result<Caller, AuthError> {
    let caller = shared.authenticate.authenticate(parts, id).await?;
    let mut actor = match caller {
        Caller::User(actor) => actor,
        Caller::Operator(operator) => {
            let address = peer_address(parts, &shared.config).or(operator.address);
            return Ok(Caller::Operator(OperatorCaller { address, ..operator }));
        }
        Caller::Anonymous | Caller::Incomplete(_) => return Ok(caller),
    };
    let mut context = *actor.context();
    context.at = Some(shared.hrms.clock().now());
    context.channel = channel;
    context.address = peer_address(parts, &shared.config).or(context.address);
    context.trace = trace_of(&parts.headers);
    if let Some(rules) = shared.hrms.rules_of(actor.tenant()).await? {
        actor = actor.with_rules(rules);
    }
    Ok(Caller::User(actor.with_context(context)))
}

fn check_access(hrms: &Hrms, access: Access, caller: &Caller) -> Result<(), Problem> {
    match (access, caller) {
        (Access::SignedIn | Access::Known | Access::Incomplete(_), Caller::User(actor))
            if is_program(actor) =>
        {
            Err(wrong_caller())
        }
        (Access::Public, _)
        | (Access::SignedIn | Access::Insider, Caller::User(_))
        | (Access::Known, Caller::User(_) | Caller::Operator(_))
        | (Access::Platform, Caller::Operator(_)) => Ok(()),
        (Access::Requires(permission), Caller::User(actor)) => {
            hrms.visibility(actor, permission)?;
            Ok(())
        }
        (Access::Asked(permission), Caller::User(actor)) => {
            if is_program(actor) || actor.support().is_some() {
                hrms.visibility(actor, permission)?;
            }
            Ok(())
        }
        (_, Caller::Anonymous) => Err(credential_missing()),
        (Access::Incomplete(_), Caller::User(_) | Caller::Operator(_)) => Ok(()),
        (Access::Incomplete(step), Caller::Incomplete(caller)) if step.is_open(&caller.pending) => Ok(()),
        (_, Caller::Incomplete(caller)) => Err(incomplete(&caller.pending)),
        _ => Err(wrong_caller()),
    }
}

/// Refuses who logged in but didn't prove lately who they are.
fn check_confirmed(hrms: &Hrms, caller: &Caller) -> Result<(), CommonError> {
    let confirmed_at = match caller {
        Caller::User(actor) => return hrms.require_confirmed(actor),
        Caller::Operator(operator) if operator.session.is_some() => operator.confirmed_at,
        Caller::Incomplete(incomplete) => incomplete.confirmed_at,
        Caller::Operator(_) | Caller::Anonymous => return Ok(()),
    };
    if is_confirmed(confirmed_at, hrms.clock().now()) { Ok(()) } else { Err(CommonError::Unconfirmed) }
}

/// For endpoints that read no parameters.
fn refuse_query(query: Option<&str>) -> Result<(), Problem> {
    let Some(query) = query.filter(|query| !query.is_empty()) else {
        return Ok(());
    };
    let unknown = query.split('&').map(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        FieldError::new(format!("/{name}"), "unknown-field", "there is no such parameter")
    });
    Err(Problem::invalid(unknown.collect()))
}

/// For endpoints that take no body: what is sent must say nothing.
fn refuse_body(body: &Bytes) -> Result<(), Problem> {
    match body.trim_ascii() {
        b"" | b"{}" => Ok(()),
        _ => Err(Problem::invalid(vec![FieldError::new("", "unexpected-body", "this takes no body")])),
    }
}

/// Reads a body of at most `limit` bytes.
async fn read<B>(body: &mut B, limit: usize) -> Result<Bytes, Problem>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    // A declared length that is too much is refused before anything is read.
    if body.size_hint().lower() > u64::try_from(limit).unwrap_or(u64::MAX) {
        return Err(too_large(limit));
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            let error: BoxError = error.into();
            let detail = format!("the body ended early: {error}");
            Problem::new(StatusCode::BAD_REQUEST, "http.body-unreadable", detail)
        })?;
        // Trailers say nothing that we know of.
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > limit - whole.len() {
            return Err(too_large(limit));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

/// Reads the rest of a refused body in the background and throws it away; unless the client asks first
/// (`Expect: 100-continue`), because reading would tell it to go on.
fn linger<B>(mut body: B, asks_first: bool)
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BoxError>,
{
    if asks_first || body.is_end_stream() {
        return;
    }
    tokio::spawn(async move {
        let rest = async { while let Some(Ok(_)) = body.frame().await {} };
        // Giving up closes the connection.
        let _ = tokio::time::timeout(LINGER, rest).await;
    });
}

fn too_large(limit: usize) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "http.body-too-large",
        format!("the body may have at most {limit} bytes"),
    )
}

fn too_slow() -> Problem {
    Problem::new(StatusCode::REQUEST_TIMEOUT, "http.body-timeout", "the body took too long to arrive")
        .closing()
}

fn busy() -> Problem {
    CommonError::Busy.into()
}
