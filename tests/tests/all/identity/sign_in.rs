//! Second factors, step-up, sessions and passwords over HTTP, on every engine.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hrms_core::contract::{all_at_once, at, id};
use hrms_core::jiff::SignedDuration;
use hrms_core::mail::{MailError, Mailer, Message};
use hrms_core::operator::NewOperator;
use hrms_core::sealed::KeyBox;
use hrms_core::{Clock, FixedClock, Hrms, Operator, RequestId, Secret};
use hrms_http::{BearerAuth, Config, Server, Tokens};
use hrms_store::SqlStore;
use hrms_tests::{Client, Fresh, Reply};
use http::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(super) const PASSWORD: &str = "seven anvils on a roof";
pub(super) const OTHER: &str = "nine kettles in a row";

/// Keeps what is sent.
#[derive(Clone, Debug, Default)]
struct Outbox(Arc<Mutex<Vec<Message>>>);

#[async_trait]
impl Mailer for Outbox {
    async fn send(&self, message: Message) -> Result<(), MailError> {
        self.0.lock().unwrap().push(message);
        Ok(())
    }
}

/// Two nodes over one database, with one clock.
pub(super) struct World {
    pub(super) hrms: Hrms,
    clock: Arc<FixedClock>,
    outbox: Outbox,
    pub(super) here: Client,
    pub(super) there: Client,
}

pub(super) async fn node(hrms: &Hrms) -> Client {
    let tokens = Tokens::from_pem(super::http::key(1).as_bytes(), "hrms").unwrap();
    let server =
        Server::new(hrms.clone(), BearerAuth::new(hrms.clone(), tokens), Config::new([7; 32])).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(&format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(server.serve(listener, std::future::pending()));
    client
}

impl World {
    /// An organisation `acme` with an admin, on two nodes.
    pub(super) async fn new(store: &Fresh) -> (Self, Client) {
        let clock = Arc::new(FixedClock::at(at(0)));
        let outbox = Outbox::default();
        let build = || {
            Hrms::builder(SqlStore::clone(store))
                .clock(clock.clone())
                .secret_box(KeyBox::new([3; 32]))
                .mailer(outbox.clone())
                .public_url("https://hr.example.com/")
                .build()
        };
        let hrms = build();
        let by = Operator::command(RequestId::from_uuid(id()));
        let olga = NewOperator {
            email: "olga@service.example".into(),
            name: "Olga".into(),
            password: Secret::new(PASSWORD),
        };
        hrms.operators().create(&by, olga).await.unwrap();
        let (here, there) = (node(&hrms).await, node(&build()).await);
        let world = Self { hrms, clock, outbox, here, there };
        let operator = world.sign_in(None, "olga@service.example", PASSWORD).await;
        let admin = json!({ "email": "admin@acme.example", "name": "Ada", "password": PASSWORD });
        let acme = json!({ "slug": "acme", "name": "Acme", "admin": admin });
        operator.post("/api/v1/platform/organizations", &acme).await.expect(201);
        let admin = world.sign_in(Some("acme"), "admin@acme.example", PASSWORD).await;
        (world, admin)
    }

    pub(super) fn advance(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    /// Past what one node remembers of another's sessions.
    pub(super) fn a_moment_later(&self) {
        self.advance(4);
    }

    pub(super) async fn log_in_with(
        &self,
        organization: Option<&str>,
        email: &str,
        password: &str,
        otp: Option<&str>,
    ) -> Reply {
        let body = json!({ "organization": organization, "email": email, "password": password, "otp": otp });
        self.here.post("/api/v1/auth/login", &body).await
    }

    pub(super) async fn log_in(&self, email: &str, password: &str) -> Value {
        self.log_in_with(Some("acme"), email, password, None).await.expect(200).json()
    }

    async fn sign_in(&self, organization: Option<&str>, email: &str, password: &str) -> Client {
        let tokens = self.log_in_with(organization, email, password, None).await.expect(200).json();
        self.with(&tokens)
    }

    pub(super) fn with(&self, tokens: &Value) -> Client {
        self.here.with_token(tokens["access_token"].as_str().unwrap())
    }

    fn elsewhere(&self, tokens: &Value) -> Client {
        self.there.with_token(tokens["access_token"].as_str().unwrap())
    }

    pub(super) async fn user(&self, admin: &Client, name: &str) -> (String, String) {
        let email = format!("{name}@acme.example");
        let new = json!({ "email": email, "name": name, "roles": ["employee"], "password": PASSWORD });
        let made = admin.post("/api/v1/users", &new).await.expect(201);
        (format!("/api/v1/users/{}", made.json()["id"].as_str().unwrap()), email)
    }

    /// The present code of an authenticator.
    fn code(&self, secret: &str) -> String {
        let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
        let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
        totp.generate(u64::try_from(self.clock.now().as_second()).unwrap()).to_string()
    }

    /// Sets up a second factor; its secret and the recovery codes.
    pub(super) async fn enrol(&self, who: &Client) -> (String, Vec<String>) {
        let shown = who.post("/api/v1/auth/totp", &json!({})).await.expect(200);
        assert_eq!(shown.header("cache-control"), Some("no-store"));
        let secret = shown.json()["secret"].as_str().unwrap().to_owned();
        assert!(shown.json()["uri"].as_str().unwrap().contains(&secret));
        assert!(shown.json()["qr"].as_str().unwrap().starts_with("data:image/svg+xml;base64,"));
        let codes = who.post("/api/v1/auth/totp/confirm", &json!({ "otp": self.code(&secret) })).await;
        let codes = codes.expect(200).json()["recovery_codes"].clone();
        (secret, serde_json::from_value(codes).unwrap())
    }

    /// Waits until so many messages were sent: they go out after the answer.
    pub(super) async fn messages(&self, count: usize) -> Vec<Message> {
        for _ in 0..500 {
            let sent = self.outbox.0.lock().unwrap().clone();
            if sent.len() >= count {
                return sent;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("only {} messages", self.outbox.0.lock().unwrap().len());
    }
}

fn code_of(reply: &Reply) -> String {
    reply.json()["code"].as_str().unwrap_or_default().to_owned()
}

fn field_of(reply: &Reply) -> (String, String) {
    let field = &reply.json()["errors"][0];
    (field["pointer"].as_str().unwrap_or_default().into(), field["code"].as_str().unwrap_or_default().into())
}

pub(super) async fn change(by: &Client, path: &str, patch: &Value) -> Reply {
    let tag = by.get(path).await.expect(200).header("etag").unwrap().to_owned();
    by.call(Method::PATCH, path, &[("if-match", &tag)], Some(patch)).await
}

async fn a_half_session_can_do_nothing_else(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let before = world.log_in("admin@acme.example", PASSWORD).await;
    assert_eq!(before["pending"], json!([]));
    let (secret, _) = world.enrol(&admin).await;
    admin.get("/api/v1/auth/me").await.expect(200);

    // Also a session that was open before.
    world.a_moment_later();
    let refused = world.elsewhere(&before).get("/api/v1/auth/me").await.expect(403);
    assert_eq!(code_of(&refused), "auth.second-factor-required");

    let tokens = world.log_in("admin@acme.example", PASSWORD).await;
    assert_eq!(tokens["pending"], json!(["otp"]));
    let half = world.with(&tokens);
    for (method, path) in [
        (Method::GET, "/api/v1/auth/me"),
        (Method::GET, "/api/v1/organization"),
        (Method::GET, "/api/v1/auth/sessions"),
        (Method::DELETE, "/api/v1/auth/sessions"),
        (Method::GET, "/api/v1/events"),
        (Method::POST, "/api/v1/events/tickets"),
        (Method::POST, "/api/v1/auth/totp"),
        (Method::POST, "/api/v1/auth/totp/confirm"),
        (Method::DELETE, "/api/v1/auth/totp"),
        (Method::POST, "/api/v1/auth/recovery-codes"),
        (Method::POST, "/api/v1/auth/password"),
        (Method::POST, "/api/v1/auth/step-up"),
        (Method::GET, "/api/v1/exports/locations"),
        (Method::GET, "/api/v1/platform/organizations"),
    ] {
        let refused = half.call(method.clone(), path, &[], None).await.expect(403);
        assert_eq!(code_of(&refused), "auth.second-factor-required", "{method} {path}");
    }
    // Refreshing changes nothing about it.
    let refresh = json!({ "refresh_token": tokens["refresh_token"] });
    let tokens = world.here.post("/api/v1/auth/refresh", &refresh).await.expect(200).json();
    assert_eq!(tokens["pending"], json!(["otp"]));
    let half = world.with(&tokens);
    half.get("/api/v1/auth/me").await.expect(403);
    world.advance(30);
    let passed = half.post("/api/v1/auth/second-factor", &json!({ "otp": world.code(&secret) })).await;
    assert_eq!(passed.expect(200).json()["pending"], json!([]));
    half.get("/api/v1/auth/me").await.expect(200);
    // Nothing of it is remembered as half on the other node.
    world.elsewhere(&tokens).get("/api/v1/auth/me").await.expect(200);
    let again = half.post("/api/v1/auth/second-factor", &json!({ "otp": "000000" })).await.expect(409);
    assert_eq!(code_of(&again), "auth.nothing-pending");
    // It lives on like any other: beyond the ten minutes of a half one.
    world.advance(3600);
    let refresh = json!({ "refresh_token": tokens["refresh_token"] });
    let tokens = world.here.post("/api/v1/auth/refresh", &refresh).await.expect(200).json();
    world.with(&tokens).get("/api/v1/auth/me").await.expect(200);

    // With the code at log-in it is whole at once; a wrong one is refused.
    let wrong =
        world.log_in_with(Some("acme"), "admin@acme.example", PASSWORD, Some("000000")).await.expect(401);
    assert_eq!(code_of(&wrong), "auth.invalid-otp");
    let otp = world.code(&secret);
    let whole = world.log_in_with(Some("acme"), "admin@acme.example", PASSWORD, Some(&otp)).await.expect(200);
    assert_eq!(whole.json()["pending"], json!([]));
    world.with(&whole.json()).get("/api/v1/auth/me").await.expect(200);
}

async fn a_half_session_ends_after_ten_minutes(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (secret, _) = world.enrol(&admin).await;
    let mut tokens = world.log_in("admin@acme.example", PASSWORD).await;
    for _ in 0..2 {
        world.advance(290);
        let refresh = json!({ "refresh_token": tokens["refresh_token"] });
        tokens = world.here.post("/api/v1/auth/refresh", &refresh).await.expect(200).json();
    }
    world.advance(20);
    let refresh = json!({ "refresh_token": tokens["refresh_token"] });
    world.here.post("/api/v1/auth/refresh", &refresh).await.expect(401);
    let otp = json!({ "otp": world.code(&secret) });
    world.with(&tokens).post("/api/v1/auth/second-factor", &otp).await.expect(401);
}

async fn codes_are_taken_once(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (secret, recovery) = world.enrol(&admin).await;
    assert_eq!(recovery.len(), 10);
    world.advance(30);
    let mut halves = Vec::new();
    for _ in 0..4 {
        halves.push(world.with(&world.log_in("admin@acme.example", PASSWORD).await));
    }
    let otp = json!({ "otp": world.code(&secret) });
    let tries = halves.iter().map(|half| half.post("/api/v1/auth/second-factor", &otp));
    let passed: Vec<_> = all_at_once(tries).await.iter().map(|reply| reply.status.as_u16()).collect();
    assert_eq!(passed.iter().filter(|status| **status == 200).count(), 1, "{passed:?}");
    assert_eq!(passed.iter().filter(|status| **status == 422).count(), 3, "{passed:?}");
    // Nor is the code of a step before the last one taken.
    world.clock.advance(SignedDuration::from_secs(-30));
    let earlier = json!({ "otp": world.code(&secret) });
    world.clock.advance(SignedDuration::from_secs(30));
    let half = world.with(&world.log_in("admin@acme.example", PASSWORD).await);
    let refused = half.post("/api/v1/auth/second-factor", &earlier).await.expect(422);
    assert_eq!(field_of(&refused), ("/otp".into(), "wrong-code".into()));

    let mut halves = Vec::new();
    for _ in 0..4 {
        halves.push(world.with(&world.log_in("admin@acme.example", PASSWORD).await));
    }
    let code = json!({ "recovery_code": recovery[0].to_uppercase() });
    let tries = halves.iter().map(|half| half.post("/api/v1/auth/second-factor", &code));
    let passed: Vec<_> = all_at_once(tries).await.iter().map(|reply| reply.status.as_u16()).collect();
    assert_eq!(passed.iter().filter(|status| **status == 200).count(), 1, "{passed:?}");
    // New ones take the place of the old ones.
    let renewed = admin.post("/api/v1/auth/recovery-codes", &json!({})).await.expect(200).json();
    assert_eq!(renewed["recovery_codes"].as_array().unwrap().len(), 10);
    let half = world.with(&world.log_in("admin@acme.example", PASSWORD).await);
    half.post("/api/v1/auth/second-factor", &json!({ "recovery_code": recovery[1] })).await.expect(422);
    let code = json!({ "recovery_code": renewed["recovery_codes"][1] });
    half.post("/api/v1/auth/second-factor", &code).await.expect(200);
    half.post("/api/v1/auth/second-factor", &code).await.expect(409);
}

async fn guessing_codes_ends_the_session_and_is_slowed_down(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (secret, recovery) = world.enrol(&admin).await;
    world.advance(30);
    let wrong = |n: usize| json!({ "otp": format!("{n:06}") });
    for round in 0..2 {
        let half = world.with(&world.log_in("admin@acme.example", PASSWORD).await);
        for n in 0..4 {
            half.post("/api/v1/auth/second-factor", &wrong(n)).await.expect(422);
        }
        let ended = half.post("/api/v1/auth/second-factor", &wrong(5)).await.expect(401);
        assert_eq!(code_of(&ended), "auth.session-ended", "round {round}");
        let otp = json!({ "otp": world.code(&secret) });
        half.post("/api/v1/auth/second-factor", &otp).await.expect(401);
    }
    // Ten wrong codes of the account: the next one has to wait, whoever sends it. A recovery code is good.
    let half = world.with(&world.log_in("admin@acme.example", PASSWORD).await);
    let otp = json!({ "otp": world.code(&secret) });
    let slow = half.post("/api/v1/auth/second-factor", &otp).await.expect(429);
    assert_eq!(slow.header("retry-after"), Some("60"));
    half.post("/api/v1/auth/second-factor", &json!({ "recovery_code": recovery[0] })).await.expect(200);
    world.advance(61);
    let half = world.with(&world.log_in("admin@acme.example", PASSWORD).await);
    let otp = json!({ "otp": world.code(&secret) });
    half.post("/api/v1/auth/second-factor", &otp).await.expect(200);
}

async fn dangerous_things_want_a_fresh_proof(store: &Fresh) {
    let (world, _) = World::new(store).await;
    let tokens = world.log_in("admin@acme.example", PASSWORD).await;
    let admin = world.with(&tokens);
    admin.get("/api/v1/exports/locations").await.expect(200);
    let mut tokens = tokens;
    for _ in 0..3 {
        world.advance(250);
        let refresh = json!({ "refresh_token": tokens["refresh_token"] });
        tokens = world.here.post("/api/v1/auth/refresh", &refresh).await.expect(200).json();
    }
    let admin = world.with(&tokens);
    let new = json!({ "email": "x@acme.example", "name": "X", "roles": ["employee"], "password": PASSWORD });
    for (method, path, body) in [
        (Method::GET, "/api/v1/exports/locations", None),
        (Method::POST, "/api/v1/users", Some(&new)),
        (Method::POST, "/api/v1/auth/totp", None),
        (Method::DELETE, "/api/v1/auth/totp", None),
        (Method::POST, "/api/v1/auth/recovery-codes", None),
    ] {
        let refused = admin.call(method, path, &[], body).await.expect(401);
        assert_eq!(code_of(&refused), "auth.step-up-required", "{path}");
        let challenge = "Bearer error=\"insufficient_user_authentication\", max_age=\"600\"";
        assert_eq!(refused.header("www-authenticate"), Some(challenge));
    }
    let policy = json!({ "second_factor_required_for": ["admin"] });
    let refused = change(&admin, "/api/v1/organization", &policy).await.expect(401);
    assert_eq!(code_of(&refused), "auth.step-up-required");
    change(&admin, "/api/v1/organization", &json!({ "name": "Acme Ltd" })).await.expect(200);

    let wrong = admin.post("/api/v1/auth/step-up", &json!({ "password": "x" })).await.expect(422);
    assert_eq!(field_of(&wrong), ("/password".into(), "wrong-password".into()));
    admin.post("/api/v1/auth/step-up", &json!({})).await.expect(422);
    admin.post("/api/v1/auth/step-up", &json!({ "password": PASSWORD })).await.expect(200);
    // On every node at once.
    world.elsewhere(&tokens).get("/api/v1/exports/locations").await.expect(200);
    admin.post("/api/v1/users", &new).await.expect(201);

    // With a second factor the password isn't enough any more.
    let (secret, _) = world.enrol(&admin).await;
    world.advance(200);
    let without = admin.post("/api/v1/auth/step-up", &json!({ "password": PASSWORD })).await.expect(422);
    assert_eq!(field_of(&without), ("/otp".into(), "required".into()));
    admin.post("/api/v1/auth/step-up", &json!({ "otp": world.code(&secret) })).await.expect(200);
    // The fifth wrong password or code in a row ends the session.
    for _ in 0..4 {
        admin.post("/api/v1/auth/step-up", &json!({ "otp": "000000" })).await.expect(422);
    }
    admin.post("/api/v1/auth/step-up", &json!({ "otp": "000000" })).await.expect(401);
    admin.get("/api/v1/auth/me").await.expect(401);
}

async fn an_organisation_can_require_a_second_factor(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (_, jane) = world.user(&admin, "jane").await;
    let tokens = world.log_in(&jane, PASSWORD).await;
    world.elsewhere(&tokens).get("/api/v1/auth/me").await.expect(200);
    let wrong = json!({ "second_factor_required_for": ["emperor"] });
    let refused = change(&admin, "/api/v1/organization", &wrong).await.expect(422);
    assert_eq!(field_of(&refused), ("/second_factor_required_for".into(), "unknown-role".into()));
    let policy = json!({ "second_factor_required_for": ["employee"] });
    let set = change(&admin, "/api/v1/organization", &policy).await.expect(200).json();
    assert_eq!(set["second_factor_required_for"], json!(["employee"]));

    world.a_moment_later();
    let refused = world.elsewhere(&tokens).get("/api/v1/auth/me").await.expect(403);
    assert_eq!(code_of(&refused), "auth.incomplete");
    admin.get("/api/v1/auth/me").await.expect(200);
    let fresh = world.log_in(&jane, PASSWORD).await;
    assert_eq!(fresh["pending"], json!(["enrol-second-factor"]));
    let half = world.with(&fresh);
    half.get("/api/v1/organization").await.expect(403);
    half.post("/api/v1/auth/second-factor", &json!({ "otp": "000000" })).await.expect(403);
    half.post("/api/v1/auth/password", &json!({})).await.expect(403);
    let (secret, _) = world.enrol(&half).await;
    half.get("/api/v1/organization").await.expect(200);
    // The session that was open before has to pass it.
    let refused = world.elsewhere(&tokens).get("/api/v1/auth/me").await.expect(403);
    assert_eq!(code_of(&refused), "auth.second-factor-required");
    let needed = half.delete("/api/v1/auth/totp").await.expect(409);
    assert_eq!(code_of(&needed), "auth.second-factor-needed");
    // Another device is possible; the first one is good until the new one's first code.
    world.advance(30);
    let (other, _) = world.enrol(&half).await;
    world.advance(30);
    let old = world.log_in_with(Some("acme"), &jane, PASSWORD, Some(&world.code(&secret))).await;
    assert_eq!(code_of(&old.expect(401)), "auth.invalid-otp");
    world.log_in_with(Some("acme"), &jane, PASSWORD, Some(&world.code(&other))).await.expect(200);
    change(&admin, "/api/v1/organization", &json!({ "second_factor_required_for": [] })).await.expect(200);
    half.delete("/api/v1/auth/totp").await.expect(204);
    assert_eq!(world.log_in(&jane, PASSWORD).await["pending"], json!([]));
    half.delete("/api/v1/auth/totp").await.expect(422);
}

async fn a_lost_second_factor_is_reset_by_an_admin(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (path, jane) = world.user(&admin, "jane").await;
    let tokens = world.log_in(&jane, PASSWORD).await;
    admin.delete(&format!("{path}/second-factor")).await.expect(422);
    world.enrol(&world.with(&tokens)).await;
    world.with(&tokens).delete(&format!("{path}/second-factor")).await.expect(403);
    admin.delete(&format!("{path}/second-factor")).await.expect(204);
    world.a_moment_later();
    world.with(&tokens).get("/api/v1/auth/me").await.expect(401);
    assert_eq!(world.log_in(&jane, PASSWORD).await["pending"], json!([]));
    // Not one's own.
    let me = admin.get("/api/v1/auth/me").await.expect(200).json();
    let own = format!("/api/v1/users/{}/second-factor", me["user"]["id"].as_str().unwrap());
    assert_eq!(code_of(&admin.delete(&own).await.expect(403)), "user.own-second-factor");
}

async fn sessions_are_listed_and_ended(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (path, jane) = world.user(&admin, "jane").await;
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(world.log_in(&jane, PASSWORD).await);
        world.advance(1);
    }
    let [one, two, three, four] = &all[..] else { panic!() };
    let sessions = world.with(one).get("/api/v1/auth/sessions").await.expect(200).json();
    let items = sessions["items"].as_array().unwrap();
    assert_eq!(items.len(), 4);
    assert_eq!(items.iter().filter(|item| item["current"] == true).count(), 1);
    assert_eq!((&items[3]["current"], &items[3]["address"]), (&json!(true), &json!("127.0.0.1")));
    let second = format!("/api/v1/auth/sessions/{}", items[2]["id"].as_str().unwrap());
    // Nobody else's, not even for an admin, in this place.
    admin.delete(&second).await.expect(404);
    world.elsewhere(two).get("/api/v1/auth/me").await.expect(200);
    world.with(one).delete(&second).await.expect(204);
    world.with(one).delete(&second).await.expect(204);
    world.with(one).delete(&format!("/api/v1/auth/sessions/{}", id())).await.expect(404);
    world.a_moment_later();
    world.elsewhere(two).get("/api/v1/auth/me").await.expect(401);

    let shown = admin.get(&format!("{path}/sessions")).await.expect(200).json();
    assert_eq!(shown["items"].as_array().unwrap().len(), 3);
    assert!(shown["items"].as_array().unwrap().iter().all(|item| item["current"] == false));
    world.with(three).get(&format!("{path}/sessions")).await.expect(403);
    let third = shown["items"][1]["id"].as_str().unwrap();
    admin.delete(&format!("{path}/sessions/{third}")).await.expect(204);
    admin.delete(&format!("{path}/sessions/{}", id())).await.expect(404);
    world.with(one).delete("/api/v1/auth/sessions").await.expect(204);
    world.a_moment_later();
    world.elsewhere(three).get("/api/v1/auth/me").await.expect(401);
    world.elsewhere(four).get("/api/v1/auth/me").await.expect(401);
    world.elsewhere(one).get("/api/v1/auth/me").await.expect(200);
    admin.delete(&format!("{path}/sessions")).await.expect(204);
    world.a_moment_later();
    world.elsewhere(one).get("/api/v1/auth/me").await.expect(401);
}

async fn a_password_is_changed(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (_, jane) = world.user(&admin, "jane").await;
    let (one, two) = (world.log_in(&jane, PASSWORD).await, world.log_in(&jane, PASSWORD).await);
    world.elsewhere(&two).get("/api/v1/auth/me").await.expect(200);
    let mine = world.with(&one);
    let ask = |current: &str, new: &str| json!({ "current_password": current, "new_password": new });
    for (body, pointer, code) in [
        (ask("wrong", OTHER), "/current_password", "wrong-password"),
        (ask(PASSWORD, PASSWORD), "/new_password", "same-password"),
        (ask(PASSWORD, "too short"), "/new_password", "too-short"),
        (ask(PASSWORD, "passwordpassword"), "/new_password", "common-password"),
        (ask(PASSWORD, "jane@acme.example"), "/new_password", "password-about-you"),
        (ask(PASSWORD, &"x1y2".repeat(65)), "/new_password", "too-long"),
    ] {
        let refused = mine.post("/api/v1/auth/password", &body).await.expect(422);
        assert_eq!(field_of(&refused), (pointer.to_owned(), code.to_owned()));
        assert!(!refused.text().contains(PASSWORD));
    }
    mine.post("/api/v1/auth/password", &ask(PASSWORD, OTHER)).await.expect(200);
    mine.get("/api/v1/auth/me").await.expect(200);
    world.a_moment_later();
    world.elsewhere(&two).get("/api/v1/auth/me").await.expect(401);
    let refresh = json!({ "refresh_token": two["refresh_token"] });
    world.here.post("/api/v1/auth/refresh", &refresh).await.expect(401);
    world.log_in_with(Some("acme"), &jane, PASSWORD, None).await.expect(401);
    world.log_in(&jane, OTHER).await;

    // With a second factor eight characters will do; then it can't be removed without a longer one.
    let (secret, _) = world.enrol(&mine).await;
    mine.post("/api/v1/auth/password", &ask(OTHER, "kx7 vq2")).await.expect(422);
    mine.post("/api/v1/auth/password", &ask(OTHER, "kx7 vq2m")).await.expect(200);
    assert_eq!(code_of(&mine.delete("/api/v1/auth/totp").await.expect(409)), "auth.password-needs-factor");
    mine.post("/api/v1/auth/password", &ask("kx7 vq2m", OTHER)).await.expect(200);
    mine.delete("/api/v1/auth/totp").await.expect(204);
    drop(secret);

    // Two at the same time: one is the new password.
    let news = ["first of two long passwords", "second of two long passwords"];
    let tries = news.iter().map(|new| {
        let (mine, body) = (mine.clone(), ask(OTHER, new));
        async move { mine.post("/api/v1/auth/password", &body).await }
    });
    let answers: Vec<_> = all_at_once(tries).await.iter().map(|reply| reply.status.as_u16()).collect();
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
}

async fn a_password_must_be_changed(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let email = "new@acme.example";
    let new = json!({
        "email": email, "name": "New", "roles": ["employee"], "password": PASSWORD, "must_change_password": true,
    });
    let made = admin.post("/api/v1/users", &new).await.expect(201).json();
    let path = format!("/api/v1/users/{}", made["id"].as_str().unwrap());
    let tokens = world.log_in(email, PASSWORD).await;
    assert_eq!(tokens["pending"], json!(["change-password"]));
    let half = world.with(&tokens);
    assert_eq!(code_of(&half.get("/api/v1/auth/me").await.expect(403)), "auth.incomplete");
    half.post("/api/v1/auth/totp", &json!({})).await.expect(403);
    world.advance(1);
    let body = json!({ "current_password": PASSWORD, "new_password": OTHER });
    let changed = half.post("/api/v1/auth/password", &body).await.expect(200).json();
    assert_eq!(changed["pending"], json!([]));
    half.get("/api/v1/auth/me").await.expect(200);
    world.elsewhere(&tokens).get("/api/v1/auth/me").await.expect(200);
    // On living sessions too, and taken back again.
    world.advance(1);
    for (must, status) in [(true, 403), (false, 200)] {
        change(&admin, &path, &json!({ "must_change_password": must })).await.expect(200);
        world.a_moment_later();
        world.elsewhere(&tokens).get("/api/v1/auth/me").await.expect(status);
    }
}

async fn a_forgotten_password_is_reset(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (_, jane) = world.user(&admin, "jane").await;
    let tokens = world.log_in(&jane, PASSWORD).await;
    world.elsewhere(&tokens).get("/api/v1/auth/me").await.expect(200);
    let (secret, _) = world.enrol(&world.with(&tokens)).await;
    let ask = |email: &str| json!({ "email": email });
    let known = world.here.post("/api/v1/auth/password-resets", &ask("JANE@acme.example")).await.expect(202);
    for email in ["nobody@acme.example", "not an address", ""] {
        let unknown = world.here.post("/api/v1/auth/password-resets", &ask(email)).await.expect(202);
        assert_eq!(
            (unknown.body.clone(), unknown.header("etag")),
            (known.body.clone(), known.header("etag"))
        );
    }
    let first = world.messages(1).await;
    assert_eq!(first[0].to, jane);
    let token = |message: &Message| {
        let (_, rest) = message.text.split_once("https://hr.example.com/reset-password#token=").unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    };
    // Not again at once; later again, and the first one is good no more.
    world.here.post("/api/v1/auth/password-resets", &ask(&jane)).await.expect(202);
    world.advance(121);
    let forged = [("host", "evil.example"), ("x-forwarded-host", "evil.example")];
    world
        .here
        .call(Method::POST, "/api/v1/auth/password-resets", &forged[1..], Some(&ask(&jane)))
        .await
        .expect(202);
    let sent = world.messages(2).await;
    assert_eq!(sent.len(), 2, "one each two minutes");
    assert!(!sent[1].text.contains("evil"));
    let (old, good) = (token(&sent[0]), token(&sent[1]));
    let confirm = |token: &str, new: &str| json!({ "token": token, "new_password": new });
    for bad in [old.as_str(), "x", "", &good[1..], &format!("{good}A")] {
        let refused = world.here.post("/api/v1/auth/password-resets/confirm", &confirm(bad, OTHER)).await;
        assert_eq!(code_of(&refused.expect(422)), "auth.invalid-reset-token");
    }
    // A faulty password doesn't use it up; a token is no access or refresh token.
    let weak =
        world.here.post("/api/v1/auth/password-resets/confirm", &confirm(&good, "short")).await.expect(422);
    assert_eq!(field_of(&weak), ("/new_password".into(), "too-short".into()));
    world.here.with_token(&good).get("/api/v1/auth/me").await.expect(401);
    world.here.post("/api/v1/auth/refresh", &json!({ "refresh_token": good })).await.expect(401);
    let tries = (0..4).map(|n| {
        let (here, body) = (world.here.clone(), confirm(&good, &format!("{OTHER} {n}")));
        async move { here.post("/api/v1/auth/password-resets/confirm", &body).await.status.as_u16() }
    });
    let answers = all_at_once(tries).await;
    assert_eq!(answers.iter().filter(|status| **status == 204).count(), 1, "{answers:?}");
    let winner = answers.iter().position(|status| *status == 204).unwrap();
    // All sessions are over, and the second factor is still asked for.
    world.a_moment_later();
    world.elsewhere(&tokens).get("/api/v1/auth/me").await.expect(401);
    world.log_in_with(Some("acme"), &jane, PASSWORD, None).await.expect(401);
    let again = world.log_in(&jane, &format!("{OTHER} {winner}")).await;
    assert_eq!(again["pending"], json!(["otp"]));
    drop(secret);

    // After an hour a token is worth nothing.
    world.here.post("/api/v1/auth/password-resets", &ask(&jane)).await.expect(202);
    let late = token(&world.messages(3).await[2]);
    world.advance(3600);
    let refused = world.here.post("/api/v1/auth/password-resets/confirm", &confirm(&late, PASSWORD)).await;
    assert_eq!(code_of(&refused.expect(422)), "auth.invalid-reset-token");
}

async fn operators_have_second_factors_too(store: &Fresh) {
    let (world, _) = World::new(store).await;
    let operator = world.sign_in(None, "olga@service.example", PASSWORD).await;
    let (secret, recovery) = world.enrol(&operator).await;
    operator.get("/api/v1/platform/organizations").await.expect(200);
    let tokens = world.log_in_with(None, "olga@service.example", PASSWORD, None).await.expect(200).json();
    assert_eq!(tokens["pending"], json!(["otp"]));
    let half = world.with(&tokens);
    half.get("/api/v1/platform/organizations").await.expect(403);
    half.post("/api/v1/auth/second-factor", &json!({ "recovery_code": recovery[3] })).await.expect(200);
    half.get("/api/v1/platform/organizations").await.expect(200);
    assert_eq!(
        half.get("/api/v1/auth/sessions").await.expect(200).json()["items"].as_array().unwrap().len(),
        3
    );
    half.delete("/api/v1/auth/sessions").await.expect(204);
    world.a_moment_later();
    operator.get("/api/v1/platform/organizations").await.expect(401);
    world.advance(30);
    half.post("/api/v1/auth/step-up", &json!({ "otp": world.code(&secret) })).await.expect(200);
    half.delete("/api/v1/auth/totp").await.expect(204);
}

hrms_tests::on_every_engine!(
    a_half_session_can_do_nothing_else,
    a_half_session_ends_after_ten_minutes,
    codes_are_taken_once,
    guessing_codes_ends_the_session_and_is_slowed_down,
    dangerous_things_want_a_fresh_proof,
    an_organisation_can_require_a_second_factor,
    a_lost_second_factor_is_reset_by_an_admin,
    sessions_are_listed_and_ended,
    a_password_is_changed,
    a_password_must_be_changed,
    a_forgotten_password_is_reset,
    operators_have_second_factors_too,
);
