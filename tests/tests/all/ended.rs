//! What has ended opens nothing: each sort of credential that was good once, on every endpoint and on open sockets.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use hrms_core::contract::all_at_once;
use hrms_core::jiff::SignedDuration;
use hrms_tests::{Client, Fresh};
use http::Method;
use serde_json::{Value, json};

use super::identity::endurance::{Socket, close_code, socket};
use super::sweep::bodies::body_of;
use super::sweep::world::{PASSWORD, World, log_in};
use super::sweep::{CSV, JSON};

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// A member with some roles: the address of the user, and a token.
async fn member(world: &World, name: &str, roles: &[&str]) -> (String, String) {
    let email = format!("{name}@acme.example");
    let new = json!({ "email": email, "name": name, "roles": roles, "password": PASSWORD });
    let made = world.acme.client.post("/api/v1/users", &new).await.expect(201).json();
    let (_, token) = log_in(&world.nobody, Some("acme"), &email).await;
    (format!("/api/v1/users/{}", text(&made["id"])), token)
}

/// A key that may read everything that programs may: its address and its text.
async fn key(world: &World, expires_at: Option<&str>) -> (String, String) {
    let permissions = ["location.read", "employee.read"];
    let mut new = json!({
        "service_account_id": world.acme.ids["service-accounts"], "name": "Key", "permissions": permissions,
    });
    if let Some(expires_at) = expires_at {
        new["expires_at"] = json!(expires_at);
    }
    let made = world.acme.client.post("/api/v1/api-keys", &new).await.expect(201);
    (made.header("location").unwrap().to_owned(), text(&made.json()["secret"]))
}

async fn versioned(by: &Client, method: Method, path: &str, body: Option<&Value>) {
    let tag = by.get(path).await.expect(200).header("etag").unwrap().to_owned();
    let reply = by.call(method, path, &[("if-match", &tag)], body).await;
    assert!(reply.status.is_success(), "{}", reply.text());
}

/// An access of an operator to `acme`: its address for the operator, and a token.
async fn access(world: &World) -> (String, String) {
    let path =
        format!("/api/v1/platform/organizations/{}/support-grants", world.acme.ids["platform/organizations"]);
    let new = json!({ "user_id": world.acme.ids["users"], "reason": "ticket 3: look again", "minutes": 240 });
    let grant = text(&world.operator.post(&path, &new).await.expect(201).json()["id"]);
    let path = format!("{path}/{grant}");
    let token = world.operator.call(Method::POST, &format!("{path}/token"), &[], None).await.expect(200);
    (path, text(&token.json()["access_token"]))
}

/// Tries every endpoint that isn't public with a good body, as an old version of a client would.
async fn opens_nothing(world: &mut World, what: &str, token: &str, code: &str) {
    let by = world.nobody.with_token(token);
    for operation in world.operations.clone() {
        if operation.is_public() {
            continue;
        }
        let path = operation.path_in(&world.acme);
        let (content, body) = match (operation.takes_json(), operation.takes_body()) {
            (true, _) => (JSON, body_of_any(world, &operation)),
            (false, true) => (CSV, "code,name\nX,X\n".to_owned()),
            _ => (JSON, String::new()),
        };
        let reply = world.ask(&by, &operation.method, &path, &[content, ("if-match", "\"1-x\"")], body).await;
        world.expect(&format!("{} with {what}", operation.name()), &reply, 401, code);
    }
}

/// A body that would be good; of what the sweep has none for, an empty object: it mustn't be looked at.
fn body_of_any(world: &World, operation: &super::sweep::operation::Operation) -> String {
    if operation.variables().is_empty() {
        "{}".to_owned()
    } else {
        body_of(operation, &world.acme).to_string()
    }
}

/// How many changes are on record, and the last events' ids: what nobody may add to.
async fn written(world: &World) -> Value {
    let page =
        world.acme.client.get("/api/v1/audit-log?outcome=succeeded&limit=200").await.expect(200).json();
    let own = |entry: &&Value| {
        let action = entry["action"].as_str().unwrap();
        !action.starts_with("organization.") && !action.starts_with("auth.")
    };
    page["items"].as_array().unwrap().iter().filter(own).map(|entry| entry["id"].clone()).collect()
}

async fn no_credential_outlives_what_it_stands_for(store: &Fresh) {
    let mut world = World::new(store).await;
    let owner = world.acme.client.clone();
    let roles = ["owner"];
    let (_, out) = member(&world, "out", &roles).await;
    world.nobody.with_token(&out).post("/api/v1/auth/logout", &json!({})).await.expect(204);
    let (disabled_path, disabled) = member(&world, "disabled", &roles).await;
    versioned(&owner, Method::PATCH, &disabled_path, Some(&json!({ "status": "disabled" }))).await;
    let (removed_path, removed) = member(&world, "removed", &roles).await;
    versioned(&owner, Method::DELETE, &removed_path, None).await;
    let (revoked_path, revoked) = key(&world, None).await;
    owner.delete(&revoked_path).await.expect(204);
    let now = hrms_core::Clock::now(&*world.clock);
    let soon = (now + SignedDuration::from_secs(2)).to_string();
    let (_, expired) = key(&world, Some(&soon)).await;
    let (access_path, support) = access(&world).await;
    world.operator.call(Method::POST, &format!("{access_path}/end"), &[], None).await.expect(200);
    // Past what a node remembers.
    world.clock.advance(SignedDuration::from_secs(4));
    let before = written(&world).await;
    for (what, token, code) in [
        ("a session that was ended", &out, "auth.session-ended"),
        ("a session of somebody disabled", &disabled, "auth.session-ended"),
        ("a session of somebody removed", &removed, "auth.session-ended"),
        ("a revoked key", &revoked, "auth.api-key-invalid"),
        ("an expired key", &expired, "auth.api-key-invalid"),
        ("a support token that was ended", &support, "auth.session-ended"),
    ] {
        opens_nothing(&mut world, what, token, code).await;
    }
    assert_eq!(written(&world).await, before, "nothing was changed");
    world.done();
}

async fn a_suspended_organization_opens_nothing(store: &Fresh) {
    let mut world = World::new(store).await;
    let (_, session) = log_in(&world.nobody, Some("acme"), "all@acme.example").await;
    let (_, key) = key(&world, None).await;
    let (_, support) = access(&world).await;
    let tickets = world.acme.client.post("/api/v1/events/tickets", &json!({})).await.expect(200).json();
    let before = written(&world).await;
    let path = format!("/api/v1/platform/organizations/{}", world.acme.ids["platform/organizations"]);
    world.operator.call(Method::POST, &format!("{path}/suspend"), &[], None).await.expect(200);
    world.clock.advance(SignedDuration::from_secs(4));
    for (what, token, code) in [
        ("a session of a suspended organisation", &session, "auth.session-ended"),
        ("a key of a suspended organisation", &key, "auth.api-key-invalid"),
        ("a support token for a suspended organisation", &support, "auth.session-ended"),
    ] {
        opens_nothing(&mut world, what, token, code).await;
    }
    let again = json!({ "organization": "acme", "email": "all@acme.example", "password": PASSWORD });
    let refused = world.nobody.post("/api/v1/auth/login", &again).await;
    world.expect("a log-in to a suspended organisation", &refused, 401, "auth.invalid-credentials");
    let ticket = format!("/api/v1/events?ticket={}", text(&tickets["ticket"]));
    let refused = world.nobody.get(&ticket).await;
    world.expect("a ticket of a suspended organisation", &refused, 401, "");
    // The other organisation doesn't feel it.
    world.other.client.get("/api/v1/employees").await.expect(200);
    world.operator.call(Method::POST, &format!("{path}/resume"), &[], None).await.expect(200);
    world.clock.advance(SignedDuration::from_secs(4));
    let (client, _) = log_in(&world.nobody, Some("acme"), "all@acme.example").await;
    world.acme.client = client;
    assert_eq!(written(&world).await, before, "nothing was changed");
    world.done();
}

/// Without its second factor a session can do nothing but pass it, or leave.
async fn a_half_session_opens_nothing(store: &Fresh) {
    const OPEN: [&str; 2] = ["POST /api/v1/auth/logout", "POST /api/v1/auth/second-factor"];
    let mut world = World::new(store).await;
    let (_, token) = member(&world, "half", &["owner"]).await;
    let client = world.nobody.with_token(&token);
    let shown = client.post("/api/v1/auth/totp", &json!({})).await.expect(200).json();
    let secret = totp_rs::Secret::try_from_base32(text(&shown["secret"])).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    let now = hrms_core::Clock::now(&*world.clock).as_second();
    let first = json!({ "otp": totp.generate(u64::try_from(now).unwrap()).to_string() });
    client.post("/api/v1/auth/totp/confirm", &first).await.expect(200);
    let (half, _) = log_in(&world.nobody, Some("acme"), "half@acme.example").await;
    let before = written(&world).await;
    for operation in world.operations.clone() {
        if operation.is_public() || OPEN.contains(&operation.name().as_str()) {
            continue;
        }
        let path = operation.path_in(&world.acme);
        let reply = world.ask(&half, &operation.method, &path, &[], "").await;
        let what = format!("{} by a half session", operation.name());
        world.expect(&what, &reply, 403, "auth.second-factor-required");
    }
    assert_eq!(written(&world).await, before, "nothing was changed");
    world.done();
}

/// The types of the events that come within a time.
async fn heard(socket: &mut Socket, until: Instant) -> Vec<String> {
    let mut kinds = Vec::new();
    while let Ok(next) =
        tokio::time::timeout(until.saturating_duration_since(Instant::now()), socket.next()).await
    {
        if let tokio_tungstenite::tungstenite::Message::Text(text) = next.unwrap().unwrap() {
            let event: Value = serde_json::from_str(&text).unwrap();
            kinds.push(event["type"].as_str().unwrap().to_owned());
        }
    }
    kinds
}

/// A revoked key and a removed member lose their sockets within five seconds; fewer rights are fewer events.
async fn open_sockets_feel_it_within_five_seconds(store: &Fresh) {
    let world = World::new(store).await;
    let owner = world.acme.client.clone();
    let (key_path, key) = key(&world, None).await;
    let (removed_path, removed) = member(&world, "removed", &["hr"]).await;
    let (changed_path, changed) = member(&world, "changed", &["hr"]).await;
    let open = async |token: &str| socket(&world.nobody, &json!({ "access_token": token })).await;
    let (program, gone, mut less) = (open(&key).await, open(&removed).await, open(&changed).await);
    let new = json!({ "given_name": "First", "hired_on": "2020-01-01" });
    owner.post("/api/v1/employees", &new).await.expect(201);
    let first = heard(&mut less, Instant::now() + Duration::from_secs(1)).await;
    assert!(first.iter().any(|kind| kind.starts_with("employee.")), "{first:?}");

    let began = Instant::now();
    owner.delete(&key_path).await.expect(204);
    versioned(&owner, Method::DELETE, &removed_path, None).await;
    versioned(&owner, Method::PATCH, &changed_path, Some(&json!({ "roles": ["employee"] }))).await;
    // What a node remembers counts by its clock; the sockets ask by the real one.
    world.clock.advance(SignedDuration::from_secs(4));
    let codes = all_at_once([program, gone].map(close_code)).await;
    assert_eq!(codes, [4401, 4401]);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    heard(&mut less, Instant::now() + Duration::from_secs(2)).await;
    owner.post("/api/v1/employees", &new).await.expect(201);
    let after = heard(&mut less, Instant::now() + Duration::from_secs(1)).await;
    assert_eq!(after, [""; 0], "no longer theirs");
    world.done();
}

hrms_tests::on_every_engine!(
    no_credential_outlives_what_it_stands_for,
    a_suspended_organization_opens_nothing,
    a_half_session_opens_nothing,
    open_sockets_feel_it_within_five_seconds,
);
