//! Every endpoint, swept: what the API promises of all operations is tried on each one in the OpenAPI document.
//!
//! A new endpoint is swept by itself. What the document doesn't tell is in small tables ([`PUBLIC`],
//! [`body_of`], `Tenant::variable`); an endpoint that they lack fails with a message that says what to add.

pub(super) mod bodies;
pub(super) mod operation;
pub(super) mod world;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hrms_core::contract::id;
use hrms_tests::Fresh;
use http::Method;
use serde_json::{Value, json};

use bodies::body_of;
use operation::Operation;
use world::World;

/// What anybody may call. Adding to it opens a door: it has to be a decision.
const PUBLIC: [&str; 11] = [
    "GET /api/v1/auth/jwks",
    "GET /api/v1/calendars/{token}",
    "GET /api/v1/notifications/unsubscribe/{token}",
    "POST /api/v1/auth/email-changes/confirm",
    "POST /api/v1/auth/invitations/accept",
    "POST /api/v1/auth/invitations/preview",
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/password-resets",
    "POST /api/v1/auth/password-resets/confirm",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/notifications/unsubscribe/{token}",
];

pub(super) const JSON: (&str, &str) = ("content-type", "application/json");
pub(super) const CSV: (&str, &str) = ("content-type", "text/csv");
/// Names a version, for requests in which another fault is to be found.
const SOME_VERSION: (&str, &str) = ("if-match", "\"1-x\"");

async fn only_the_listed_endpoints_are_public(store: &Fresh) {
    let world = World::new(store).await;
    let mut public: Vec<String> =
        world.operations.iter().filter(|one| one.is_public()).map(Operation::name).collect();
    public.sort_unstable();
    assert_eq!(public, PUBLIC);
    world.done();
}

async fn every_endpoint_wants_a_good_token(store: &Fresh) {
    let mut world = World::new(store).await;
    let token = world.acme.token.clone();
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt"}"#);
    let swapped = |text: &str| format!("{}{}", if text.starts_with('A') { "B" } else { "A" }, &text[1..]);
    let mut claims = world::claims(&token);
    claims["exp"] = json!(claims["exp"].as_i64().unwrap() + 60);
    let longer = URL_SAFE_NO_PAD.encode(claims.to_string());
    // Signed with what is public, as if it were a shared secret.
    let keys = world.nobody.get("/api/v1/auth/jwks").await.expect(200).json();
    let secret = jsonwebtoken::EncodingKey::from_secret(keys["keys"][0]["x"].as_str().unwrap().as_bytes());
    let confused = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &secret).unwrap();
    let bad = [
        ("garbage", "auth.token-invalid", "Bearer garbage".to_owned()),
        ("no API key", "auth.api-key-invalid", "Bearer hrms_garbage".to_owned()),
        ("another scheme", "auth.token-invalid", format!("Basic {token}")),
        ("unsigned", "auth.token-invalid", format!("Bearer {none}.{payload}.")),
        ("without signature", "auth.token-invalid", format!("Bearer {header}.{payload}.")),
        (
            "another signature",
            "auth.token-invalid",
            format!("Bearer {header}.{payload}.{}", swapped(signature)),
        ),
        ("a longer life", "auth.token-invalid", format!("Bearer {header}.{longer}.{signature}")),
        ("another algorithm", "auth.token-invalid", format!("Bearer {confused}")),
        ("expired", "auth.token-expired", format!("Bearer {}", world.expired)),
    ];
    let nobody = world.nobody.clone();
    for operation in world.operations.clone().iter().filter(|one| !one.is_public()) {
        let path = operation.path_in(&world.acme);
        let reply = world.ask(&nobody, &operation.method, &path, &[], "").await;
        world.expect(&format!("{} by nobody", operation.name()), &reply, 401, "auth.credential-missing");
        for (what, code, credential) in &bad {
            let what = format!("{}, token: {what}", operation.name());
            let headers = [("authorization", credential.as_str())];
            let reply = world.ask(&nobody, &operation.method, &path, &headers, "").await;
            world.expect(&what, &reply, 401, code);
            if reply.header("www-authenticate").is_none() {
                world.fault(format!("{what}: no challenge"));
            }
        }
    }
    world.done();
}

/// Operators of the service see nothing inside organisations, and users nothing of the platform.
async fn platform_and_organisations_stay_apart(store: &Fresh) {
    let mut world = World::new(store).await;
    let (user, operator) = (world.acme.client.clone(), world.operator.clone());
    for operation in world.operations.clone() {
        // For both, and told apart by the answer.
        let own = operation.path.starts_with("/api/v1/auth/");
        if operation.is_public() || own {
            continue;
        }
        let by = if operation.is_platform() { &user } else { &operator };
        let path = operation.path_in(&world.acme);
        let reply = world.ask(by, &operation.method, &path, &[], "").await;
        world.expect(
            &format!("{} by the wrong kind of user", operation.name()),
            &reply,
            403,
            "common.forbidden",
        );
    }
    world.done();
}

/// An API key without permissions opens nothing, and none opens what is about a person.
async fn a_key_opens_what_it_may_and_nothing_of_people(store: &Fresh) {
    let mut world = World::new(store).await;
    let (powerless, reader) = (world.acme.powerless.clone(), world.acme.reader.clone());
    for operation in world.operations.clone() {
        // Live events are for programs too: each event is asked about by itself.
        if operation.is_public() || operation.is_websocket() {
            continue;
        }
        let path = operation.path_in(&world.acme);
        if operation.path.starts_with("/api/v1/events/") && operation.method == Method::GET {
            // So is the feed; and what types there are is in the document anyway.
            // Whoever may read locations may read their holiday calendars, too.
            let of_places = ["location.", "holiday.", "holiday_calendar."];
            for (by, begins) in [(&powerless, &[][..]), (&reader, &of_places)] {
                let reply = world.ask(by, &operation.method, &path, &[], "").await;
                world.expect(&path, &reply, 200, "");
                let items = reply.json()["items"].as_array().unwrap().clone();
                let wanted =
                    |one: &Value| begins.iter().any(|begin| one["type"].as_str().unwrap().starts_with(begin));
                if path.ends_with("/log") && !items.iter().all(wanted) {
                    world.fault(format!("{path} shows more than {begins:?}: {items:?}"));
                }
            }
            continue;
        }
        let reply = world.ask(&powerless, &operation.method, &path, &[], "").await;
        let what = format!("{} by a key without permissions", operation.name());
        world.expect(&what, &reply, 403, "common.forbidden");
        let locations = operation.path.starts_with("/api/v1/locations") && operation.method == Method::GET;
        let holidays = operation.path.starts_with("/api/v1/holiday") && operation.method == Method::GET;
        let reply = world.ask(&reader, &operation.method, &path, &[], "").await;
        let what = format!("{} by a key for locations", operation.name());
        if locations || holidays {
            world.expect(&what, &reply, 200, "");
        } else {
            world.expect(&what, &reply, 403, "common.forbidden");
        }
    }
    world.done();
}

async fn every_read_answers(store: &Fresh) {
    let mut world = World::new(store).await;
    for operation in world.operations.clone() {
        if operation.method != Method::GET || operation.is_websocket() {
            continue;
        }
        let (path, by) = (operation.path_in(&world.acme), world.caller(&operation).clone());
        let reply = world.ask(&by, &Method::GET, &path, &[], "").await;
        world.expect(&operation.name(), &reply, 200, "");
        let Some(tag) = reply.header("etag").map(str::to_owned) else {
            if reply.header("content-type") == Some("application/json") {
                world.fault(format!("{}: no ETag", operation.name()));
            }
            continue;
        };
        let again = world.ask(&by, &Method::GET, &path, &[("if-none-match", &tag)], "").await;
        world.expect(&format!("{} once more", operation.name()), &again, 304, "");
    }
    world.done();
}

async fn unknown_parameters_are_named(store: &Fresh) {
    let mut world = World::new(store).await;
    for operation in world.operations.clone() {
        if operation.is_websocket() {
            continue;
        }
        let by = world.caller(&operation).clone();
        let path = format!("{}?no_such_parameter=1", operation.path_in(&world.acme));
        let headers = match (operation.takes_json(), operation.takes_body()) {
            (false, true) => vec![CSV],
            _ => vec![JSON, SOME_VERSION],
        };
        let reply = world.ask(&by, &operation.method, &path, &headers, "{}").await;
        world.expect_field(&operation.name(), &reply, "/no_such_parameter");
    }
    world.done();
}

async fn lists_refuse_bad_pages(store: &Fresh) {
    let mut world = World::new(store).await;
    let lists: Vec<Operation> = world.operations.iter().filter(|one| one.is_list()).cloned().collect();
    assert!(!lists.is_empty());
    for operation in &lists {
        let (path, by) = (operation.path_in(&world.acme), world.caller(operation).clone());
        for (query, pointer) in [
            ("limit=0", "/limit"),
            ("limit=201", "/limit"),
            ("limit=-1", "/limit"),
            ("limit=abc", "/limit"),
            ("limit=", "/limit"),
            ("sort=no_such_field", "/sort"),
            ("sort=", "/sort"),
            ("limit=1&limit=2", "/limit"),
        ] {
            let reply = world.ask(&by, &Method::GET, &format!("{path}?{query}"), &[], "").await;
            world.expect_field(&format!("{path}?{query}"), &reply, pointer);
        }
        let largest = world.ask(&by, &Method::GET, &format!("{path}?limit=200"), &[], "").await;
        world.expect(&format!("{path}?limit=200"), &largest, 200, "");
    }
    world.done();
}

async fn cursors_are_good_for_one_list_of_one_organisation(store: &Fresh) {
    let mut world = World::new(store).await;
    let lists: Vec<Operation> = world.operations.iter().filter(|one| one.is_list()).cloned().collect();
    let mut before = String::new();
    for operation in &lists {
        let (path, by) = (operation.path_in(&world.acme), world.caller(operation).clone());
        let first = world.ask(&by, &Method::GET, &format!("{path}?limit=1"), &[], "").await;
        let Some(own) = first.json()["next_cursor"].as_str().map(str::to_owned) else {
            panic!("let `Tenant` in sweep/world.rs make two things that {} lists", operation.name());
        };
        let next = world.ask(&by, &Method::GET, &format!("{path}?limit=1&cursor={own}"), &[], "").await;
        world.expect(&format!("{path}: second page"), &next, 200, "");
        if next.json()["items"][0] == first.json()["items"][0] {
            world.fault(format!("{path}: the second page is the first"));
        }
        let mut bad = vec![String::new(), "garbage".to_owned(), "%00".to_owned(), format!("{own}A")];
        if !before.is_empty() {
            bad.push(before);
        }
        if !operation.is_platform() {
            let other = world.other.client.clone();
            // A list below one thing is asked for below one of theirs.
            let path = operation.path_in(&world.other);
            let theirs = world.ask(&other, &Method::GET, &format!("{path}?limit=1"), &[], "").await;
            bad.push(theirs.json()["next_cursor"].as_str().unwrap().to_owned());
        }
        for cursor in bad {
            let path = format!("{path}?limit=1&cursor={cursor}");
            let reply = world.ask(&by, &Method::GET, &path, &[], "").await;
            world.expect(&path, &reply, 422, "cursor.invalid");
        }
        before = own;
    }
    world.done();
}

async fn bodies_are_checked(store: &Fresh) {
    let mut world = World::new(store).await;
    let two_megabytes = format!("{{\"name\":\"{}\"}}", "x".repeat(2 << 20));
    for operation in world.operations.clone() {
        let what = operation.name();
        let (path, by) = (operation.path_in(&world.acme), world.caller(&operation).clone());
        let method = &operation.method;
        if !operation.takes_body() {
            if *method != Method::GET {
                let reply = world.ask(&by, method, &path, &[JSON, SOME_VERSION], "{\"a\":1}").await;
                world.expect(&format!("{what} with a body"), &reply, 422, "unexpected-body");
            }
            continue;
        }
        let plain = [("content-type", "text/plain"), SOME_VERSION];
        let reply = world.ask(&by, method, &path, &plain, "{\"a\":1}").await;
        world.expect(&format!("{what} of another type"), &reply, 415, "http.unsupported-media-type");
        if !operation.takes_json() {
            continue;
        }
        let headers = [JSON, SOME_VERSION];
        let reply = world.ask(&by, method, &path, &headers, "{\"no_such_field\":1}").await;
        world.expect_field(&format!("{what}, unknown field"), &reply, "/no_such_field");
        for (body, status, code) in [
            ("", 400, "http.malformed-json"),
            ("{\"a\":", 400, "http.malformed-json"),
            ("{} {}", 400, "http.malformed-json"),
            ("[]", 422, "wrong-type"),
            ("\"text\"", 422, "wrong-type"),
            ("null", 422, "wrong-type"),
            (two_megabytes.as_str(), 413, "http.body-too-large"),
        ] {
            if body.is_empty() && operation.may_be_empty() {
                continue;
            }
            let reply = world.ask(&by, method, &path, &headers, body.to_owned()).await;
            world.expect(&format!("{what}, body {body:.20}"), &reply, status, code);
        }
    }
    world.done();
}

async fn changes_name_the_version_that_was_read(store: &Fresh) {
    let mut world = World::new(store).await;
    for operation in world.operations.clone() {
        let (path, by) = (operation.path_in(&world.acme), world.caller(&operation).clone());
        if !operation.needs_version() {
            if operation.method == Method::PATCH {
                world.fault(format!("{}: no If-Match", operation.name()));
            }
            continue;
        }
        let body = if operation.takes_body() { "{}" } else { "" };
        for (header, status) in [
            (None, 428),
            (Some("\"999-x\""), 412),
            (Some("\"0-x\""), 412),
            (Some("garbage"), 422),
            (Some("*"), 422),
            (Some("\"\""), 412),
        ] {
            let headers: Vec<_> = [JSON].into_iter().chain(header.map(|tag| ("if-match", tag))).collect();
            let reply = world.ask(&by, &operation.method, &path, &headers, body).await;
            world.expect(&format!("{} of version {header:?}", operation.name()), &reply, status, "");
        }
    }
    world.done();
}

/// Another organisation's id answers like one that nobody has: byte by byte, but for what names the request.
async fn what_is_elsewhere_is_nowhere(store: &Fresh) {
    let mut world = World::new(store).await;
    for operation in world.operations.clone().iter().filter(|one| !one.variables().is_empty()) {
        let (method, by) = (&operation.method, world.caller(operation).clone());
        let (content, body) = match (operation.takes_json(), operation.takes_body()) {
            (false, true) => (CSV, "code,name\nX,X\n".to_owned()),
            (true, _) => (JSON, body_of(operation, &world.acme).to_string()),
            (false, false) => (JSON, String::new()),
        };
        let headers = [content, SOME_VERSION];
        if operation.path.ends_with("/unsubscribe/{token}") {
            // What isn't sealed in a token it doesn't open, to anybody.
            continue;
        }
        let malformed = operation.path_with("not-an-id");
        let reply = world.ask(&by, method, &malformed, &headers, body.clone()).await;
        world.expect(&format!("{method} {malformed}"), &reply, 404, "common.not-found");
        if !operation.has_id() {
            continue;
        }
        let random = operation.path_with_id(&world.acme, &id().to_string());
        let nothing = world.ask(&by, method, &random, &headers, body.clone()).await;
        world.expect(&format!("{method} {random}"), &nothing, 404, "common.not-found");
        if operation.is_platform() {
            continue;
        }
        let foreign = operation.path_in(&world.other);
        let theirs = world.ask(&by, method, &foreign, &headers, body).await;
        if told(&nothing) != told(&theirs) {
            let (nothing, theirs) = (told(&nothing), told(&theirs));
            world.fault(format!("{}: nothing: {nothing:?}, theirs: {theirs:?}", operation.name()));
        }
    }
    world.done();
}

/// What a body refers to must be in the same organisation; elsewhere and nowhere are told apart by nothing.
async fn references_stay_inside(store: &Fresh) {
    let mut world = World::new(store).await;
    let mut tried = 0;
    for operation in world.operations.clone() {
        let (path, by) = (operation.path_in(&world.acme), world.caller(&operation).clone());
        for field in operation.references() {
            tried += 1;
            let tag = match operation.needs_version() {
                true => by.get(&path).await.header("etag").unwrap().to_owned(),
                false => String::new(),
            };
            let headers = [JSON, ("if-match", &tag)];
            let mut told_of = Vec::new();
            for (what, id) in [("nothing", id().to_string()), ("theirs", world.other.referenced(field))] {
                let mut body = body_of(&operation, &world.acme);
                body[field] = json!(id);
                let reply = world.ask(&by, &operation.method, &path, &headers, body.to_string()).await;
                let what = format!("{} with {field} of {what}", operation.name());
                world.expect(&what, &reply, 422, "unknown-reference");
                world.expect_field(&what, &reply, &format!("/{field}"));
                told_of.push(told(&reply));
            }
            if told_of[0] != told_of[1] {
                world.fault(format!("{}: {field}: {told_of:?}", operation.name()));
            }
        }
    }
    assert!(tried > 10);
    world.done();
}

/// A change to what is there already is none: no event, no audit entry, no new version.
async fn what_changes_nothing_leaves_no_trace(store: &Fresh) {
    let mut world = World::new(store).await;
    let mut tried = 0;
    for operation in world.operations.clone() {
        if operation.method != Method::PATCH || operation.is_platform() {
            continue;
        }
        let what = operation.name();
        let (path, by) = (operation.path_in(&world.acme), world.caller(&operation).clone());
        let before = by.get(&path).await.expect(200);
        let (shown, tag) = (before.json(), before.header("etag").unwrap().to_owned());
        let names = operation.field_names();
        let same = names.iter().filter_map(|name| Some((*name, shown.get(*name)?.clone())));
        let same: serde_json::Map<String, Value> =
            same.map(|(name, value)| (name.to_owned(), value)).collect();
        if same.is_empty() {
            world.fault(format!("{what}: nothing that it changes is shown: {names:?} {shown}"));
            continue;
        }
        tried += 1;
        let trace = trace(&by).await;
        let headers = [JSON, ("if-match", tag.as_str())];
        let body = Value::from(same).to_string();
        let reply = world.ask(&by, &operation.method, &path, &headers, body).await;
        world.expect(&what, &reply, 200, "");
        let after = by.get(&path).await.expect(200);
        if after.header("etag") != Some(tag.as_str()) {
            world.fault(format!("{what}: it changed: {} {}", before.text(), after.text()));
        }
        let left = self::trace(&by).await;
        if left != trace {
            world.fault(format!("{what}: it left a trace: {left:?}"));
        }
    }
    assert!(tried > 10, "{tried}");
    world.done();
}

/// The ends of the organisation's event log and audit log.
async fn trace(by: &hrms_tests::Client) -> (Value, Value) {
    let events = by.get("/api/v1/events/log?since=latest").await.expect(200).json();
    let entries = by.get("/api/v1/audit-log?limit=1").await.expect(200).json();
    (events["next_cursor"].clone(), entries["items"][0].clone())
}

/// Everything that an answer tells, but for the name of the request.
fn told(reply: &hrms_tests::Reply) -> (u16, Vec<(String, String)>, Value) {
    let mut headers: Vec<(String, String)> = reply
        .headers
        .iter()
        .filter(|(name, _)| !["x-request-id", "date", "ratelimit"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    headers.sort_unstable();
    let mut problem: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    for name in ["request_id", "instance"] {
        problem[name] = Value::Null;
    }
    (reply.status.as_u16(), headers, problem)
}

async fn other_methods_are_refused(store: &Fresh) {
    let mut world = World::new(store).await;
    let operations = world.operations.clone();
    for operation in &operations {
        let path = operation.path_in(&world.acme);
        let known: Vec<&Method> =
            operations.iter().filter(|one| one.path == operation.path).map(|one| &one.method).collect();
        let by = world.caller(operation).clone();
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            if known.contains(&&method) {
                continue;
            }
            let reply = world.ask(&by, &method, &path, &[JSON], "{}").await;
            let what = format!("{method} {path}");
            world.expect(&what, &reply, 405, "http.method-not-allowed");
            let allow: Vec<&str> = reply.header("allow").unwrap_or_default().split(", ").collect();
            if let Some(missing) = known.iter().find(|method| !allow.contains(&method.as_str())) {
                world.fault(format!("{what}: Allow lacks {missing}: {allow:?}"));
            }
        }
        let nowhere = world.ask(&by, &operation.method, &format!("{path}/no/such/path"), &[], "").await;
        world.expect(&format!("{path}/no/such/path"), &nowhere, 404, "common.not-found");
    }
    world.done();
}

hrms_tests::on_every_engine!(
    only_the_listed_endpoints_are_public,
    every_endpoint_wants_a_good_token,
    platform_and_organisations_stay_apart,
    a_key_opens_what_it_may_and_nothing_of_people,
    every_read_answers,
    unknown_parameters_are_named,
    lists_refuse_bad_pages,
    cursors_are_good_for_one_list_of_one_organisation,
    bodies_are_checked,
    changes_name_the_version_that_was_read,
    what_is_elsewhere_is_nowhere,
    references_stay_inside,
    what_changes_nothing_leaves_no_trace,
    other_methods_are_refused,
);
