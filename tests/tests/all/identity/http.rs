//! Identity over HTTP, on every engine.

mod second_users;

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hrms_core::contract::{at, id};
use hrms_core::jiff::{SignedDuration, Timestamp};
use hrms_core::operator::NewOperator;
use hrms_core::{Clock, FixedClock, Hrms, Operator, RequestId, Secret};
use hrms_http::{BearerAuth, Config, Server, Tokens};
use hrms_store::SqlStore;
use hrms_tests::{Client, Fresh, Reply};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::all::sweep::world::Letterbox;

const PASSWORD: &str = "seven anvils on a roof";

#[derive(Clone, Debug)]
struct Clockwork(Arc<FixedClock>);

impl Clock for Clockwork {
    fn now(&self) -> Timestamp {
        self.0.now()
    }
}

struct Service {
    hrms: Hrms,
    client: Client,
    operator: Client,
    clock: Clockwork,
    letterbox: Letterbox,
}

pub(super) fn key(seed: u8) -> String {
    let mut der = STANDARD.decode("MC4CAQAwBQYDK2VwBCIEIA==").unwrap();
    der.extend_from_slice(&[seed; 32]);
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
}

async fn service(store: &Fresh) -> Service {
    let clock = Clockwork(Arc::new(FixedClock::at(at(0))));
    let letterbox = Letterbox::default();
    let hrms = Hrms::builder(SqlStore::clone(store)).clock(clock.clone()).mailer(letterbox.clone()).build();
    let by = Operator::command(RequestId::from_uuid(id()));
    let olga = NewOperator {
        email: "olga@service.example".into(),
        name: "Olga".into(),
        password: Secret::new(PASSWORD),
    };
    hrms.operators().create(&by, olga).await.unwrap();
    let tokens = Tokens::from_pem(key(1).as_bytes(), "hrms").unwrap();
    let server =
        Server::new(hrms.clone(), BearerAuth::new(hrms.clone(), tokens), Config::new([7; 32])).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(&format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(server.serve(listener, std::future::pending()));
    let body = json!({ "email": "olga@service.example", "password": PASSWORD });
    let tokens = client.post("/api/v1/auth/login", &body).await.expect(200).json();
    let operator = client.with_token(tokens["access_token"].as_str().unwrap());
    Service { hrms, client, operator, clock, letterbox }
}

impl Service {
    /// An organisation, and its admin's client.
    async fn organization(&self, slug: &str) -> (Value, Client) {
        let admin = json!({ "email": format!("admin@{slug}.example"), "name": "Ada", "password": PASSWORD });
        let body = json!({ "slug": slug, "name": slug.to_uppercase(), "admin": admin });
        let made = self.operator.post("/api/v1/platform/organizations", &body).await.expect(201).json();
        let tokens = self.log_in(slug, &format!("admin@{slug}.example"), PASSWORD).await.expect(200).json();
        (made, self.with(&tokens))
    }

    async fn log_in(&self, slug: &str, email: &str, password: &str) -> Reply {
        let body = json!({ "organization": slug, "email": email, "password": password });
        self.client.post("/api/v1/auth/login", &body).await
    }

    async fn refresh(&self, tokens: &Value) -> Reply {
        self.client.post("/api/v1/auth/refresh", &json!({ "refresh_token": tokens["refresh_token"] })).await
    }

    fn with(&self, tokens: &Value) -> Client {
        self.client.with_token(tokens["access_token"].as_str().unwrap())
    }

    /// The token of the message for whoever has forgotten their password, as soon as it is there.
    async fn forgotten(&self, email: &str) -> String {
        while !self.letterbox.last_to(email).await.text.contains("forgotten") {
            tokio::task::yield_now().await;
        }
        self.letterbox.token_to(email).await
    }

    /// Whoever reads the mail of an address chooses a new password for its account.
    async fn reset(&self, email: &str, password: &str) {
        self.client.post("/api/v1/auth/password-resets", &json!({ "email": email })).await.expect(202);
        let token = self.forgotten(email).await;
        let body = json!({ "token": token, "new_password": password });
        self.client.post("/api/v1/auth/password-resets/confirm", &body).await.expect(204);
    }

    fn advance(&self, by: Duration) {
        self.clock.0.advance(SignedDuration::try_from(by).unwrap());
    }
}

fn new_user(name: &str, role: &str) -> Value {
    json!({ "email": format!("{name}@acme.example"), "name": name, "roles": [role], "password": PASSWORD })
}

fn code(reply: &Reply) -> String {
    reply.json()["code"].as_str().unwrap_or_default().to_owned()
}

async fn from_operator_to_employee(store: &Fresh) {
    let service = service(store).await;
    let me = service.operator.get("/api/v1/auth/me").await.expect(200).json();
    assert_eq!((&me["operator"], &me["organization"]), (&json!(true), &Value::Null));

    // Without a password one is made up, and works.
    let body =
        json!({ "slug": "first", "name": "First", "admin": { "email": "a@first.example", "name": "A" } });
    let made = service.operator.post("/api/v1/platform/organizations", &body).await.expect(201);
    let location = made.header("location").unwrap().to_owned();
    let made = made.json();
    let password = made["admin"]["password"].as_str().unwrap();
    service.log_in("first", "a@first.example", password).await.expect(200);
    let shown = service.operator.get(&location).await.expect(200);
    assert!(!shown.text().contains(password));
    service.operator.post("/api/v1/platform/organizations", &body).await.expect(409);

    let (_, admin) = service.organization("acme").await;
    let own = admin.get("/api/v1/organization").await.expect(200);
    let headers = [("if-match", own.header("etag").unwrap())];
    let patch = json!({ "name": "Acme Ltd" });
    let renamed = admin.call(http::Method::PATCH, "/api/v1/organization", &headers, Some(&patch)).await;
    assert_eq!(renamed.expect(200).json()["name"], "Acme Ltd");

    let made = admin.post("/api/v1/users", &new_user("jane", "employee")).await.expect(201);
    assert!(!made.text().contains("password") && !made.text().contains(PASSWORD));
    let tokens = service.log_in("acme", "jane@acme.example", PASSWORD).await.expect(200);
    assert_eq!(tokens.header("cache-control"), Some("no-store"));
    let tokens = tokens.json();
    assert_eq!((&tokens["token_type"], &tokens["expires_in"]), (&json!("Bearer"), &json!(300)));
    let jane = service.with(&tokens);
    let me = jane.get("/api/v1/auth/me").await.expect(200).json();
    assert_eq!(me["user"]["email"], "jane@acme.example");
    assert_eq!(me["organization"]["slug"], "acme");
    assert_eq!(me["roles"], json!(["employee"]));
    let permissions = me["permissions"].as_array().unwrap();
    assert!(permissions.contains(&json!({ "permission": "leave.submit", "scope": "own" })), "{me}");
    jane.get("/api/v1/users").await.expect(403);
    jane.post("/api/v1/users", &new_user("x", "employee")).await.expect(403);
    let users = admin.get("/api/v1/users?sort=email").await.expect(200).json();
    assert_eq!(users["items"].as_array().unwrap().len(), 2);

    // Operators stay outside, users inside.
    for path in ["/api/v1/users", "/api/v1/organization"] {
        service.operator.get(path).await.expect(403);
    }
    admin.get("/api/v1/platform/organizations").await.expect(403);
    service.client.get("/api/v1/platform/organizations").await.expect(401);
    let all = service.operator.get("/api/v1/platform/organizations?status=active").await.expect(200).json();
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
}

async fn tokens_end(store: &Fresh) {
    let service = service(store).await;
    service.organization("acme").await;
    let tokens = service.log_in("acme", "admin@acme.example", PASSWORD).await.expect(200).json();
    let admin = service.with(&tokens);
    admin.get("/api/v1/auth/me").await.expect(200);
    service.advance(Duration::from_secs(306));
    let expired = admin.get("/api/v1/auth/me").await.expect(401);
    assert_eq!(code(&expired), "auth.token-expired");
    assert!(expired.header("www-authenticate").unwrap().starts_with("Bearer"));

    let next = service.refresh(&tokens).await.expect(200).json();
    let admin = service.with(&next);
    admin.get("/api/v1/auth/me").await.expect(200);
    admin.post("/api/v1/auth/logout", &json!({})).await.expect(204);
    let ended = admin.get("/api/v1/auth/me").await.expect(401);
    assert_eq!(code(&ended), "auth.session-ended");
    assert_eq!(code(&service.refresh(&next).await.expect(401)), "auth.invalid-refresh-token");

    // Reuse ends the family, and its access tokens within 5 seconds.
    let tokens = service.log_in("acme", "admin@acme.example", PASSWORD).await.expect(200).json();
    let next = service.refresh(&tokens).await.expect(200).json();
    let admin = service.with(&next);
    admin.get("/api/v1/auth/me").await.expect(200);
    service.refresh(&tokens).await.expect(401);
    service.refresh(&next).await.expect(401);
    service.advance(Duration::from_secs(3));
    admin.get("/api/v1/auth/me").await.expect(401);
}

async fn changes_of_rights_take_effect(store: &Fresh) {
    let service = service(store).await;
    let (made, admin) = service.organization("acme").await;
    let jane = admin.post("/api/v1/users", &new_user("jane", "employee")).await.expect(201);
    let etag = jane.header("etag").unwrap().to_owned();
    let path = format!("/api/v1/users/{}", jane.json()["id"].as_str().unwrap());
    let tokens = service.log_in("acme", "jane@acme.example", PASSWORD).await.expect(200).json();
    let jane = service.with(&tokens);
    jane.get("/api/v1/users").await.expect(403);
    let patch = json!({ "roles": ["hr"] });
    admin.call(http::Method::PATCH, &path, &[], Some(&patch)).await.expect(428);
    let changed =
        admin.call(http::Method::PATCH, &path, &[("if-match", &etag)], Some(&patch)).await.expect(200);
    admin.call(http::Method::PATCH, &path, &[("if-match", &etag)], Some(&patch)).await.expect(412);
    service.advance(Duration::from_secs(3));
    jane.get("/api/v1/users").await.expect(200);
    let disable = json!({ "status": "disabled" });
    let etag = changed.header("etag").unwrap().to_owned();
    admin.call(http::Method::PATCH, &path, &[("if-match", &etag)], Some(&disable)).await.expect(200);
    service.advance(Duration::from_secs(3));
    jane.get("/api/v1/users").await.expect(401);
    service.refresh(&tokens).await.expect(401);
    service.log_in("acme", "jane@acme.example", PASSWORD).await.expect(401);

    let path = format!("/api/v1/platform/organizations/{}", made["id"].as_str().unwrap());
    service.operator.post(&format!("{path}/suspend"), &json!({})).await.expect(200);
    service.advance(Duration::from_secs(3));
    admin.get("/api/v1/organization").await.expect(401);
    service.log_in("acme", "admin@acme.example", PASSWORD).await.expect(401);
    service.operator.post(&format!("{path}/resume"), &json!({})).await.expect(200);
    service.advance(Duration::from_secs(3));
    admin.get("/api/v1/organization").await.expect(200);
}

async fn bad_credentials_are_refused(store: &Fresh) {
    let service = service(store).await;
    service.organization("acme").await;
    let tokens = service.log_in("acme", "admin@acme.example", PASSWORD).await.expect(200).json();
    let good = tokens["access_token"].as_str().unwrap();
    let parts: Vec<&str> = good.split('.').collect();
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"at+jwt"}"#);
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let forged = [
        format!("{none}.{}.", parts[1]),
        format!("{none}.{}.{}", parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], "A".repeat(86)),
        refresh.to_owned(),
        "x".into(),
        "a.b.c".into(),
        good.repeat(8),
    ];
    for token in forged {
        let refused = service.client.with_token(&token).get("/api/v1/auth/me").await.expect(401);
        assert_eq!(code(&refused), "auth.token-invalid", "{token}");
    }
    for header in ["Basic YTpi", "Bearer", "Bearer ", good] {
        let headers = [("authorization", header)];
        service.client.call(http::Method::GET, "/api/v1/auth/me", &headers, None).await.expect(401);
    }
    let twice = format!("bearer {good}");
    let headers = [("authorization", twice.as_str())];
    service.client.call(http::Method::GET, "/api/v1/auth/me", &headers, None).await.expect(200);
    let headers = [("authorization", twice.as_str()), ("authorization", twice.as_str())];
    service.client.call(http::Method::GET, "/api/v1/auth/me", &headers, None).await.expect(401);

    for (body, expected) in [
        (json!({ "email": "a@b.c" }), 422),
        (json!({ "email": "a@b.c", "password": 5 }), 422),
        (json!({ "email": "a@b.c", "password": "x", "remember": true }), 422),
        (json!({ "email": "a@b.c", "password": "x", "otp": "123456" }), 401),
        (
            json!({ "organization": "acme", "email": "admin@acme.example", "password": PASSWORD, "otp": "123456" }),
            422,
        ),
        (json!({ "email": "a@b.c", "password": "x".repeat(100_000) }), 401),
        (json!({ "organization": "acme", "email": "admin@acme.example", "password": "wrong" }), 401),
        (json!({ "email": "admin@acme.example", "password": PASSWORD }), 401),
    ] {
        let answer = service.client.post("/api/v1/auth/login", &body).await.expect(expected);
        assert!(!answer.text().contains(PASSWORD));
    }
    for token in [refresh.replace(&refresh[..4], "AAAA"), "x".into(), good.to_owned()] {
        service.refresh(&json!({ "refresh_token": token })).await.expect(401);
    }
    service.refresh(&tokens).await.expect(200);

    let mut last = service.log_in("acme", "guess@acme.example", "guess").await;
    for _ in 0..30 {
        last = service.log_in("acme", "guess@acme.example", "guess").await;
    }
    let last = last.expect(429);
    let wait: u32 = last.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");

    let keys = service.client.get("/api/v1/auth/jwks").await.expect(200).json();
    assert_eq!(keys["keys"][0]["crv"], "Ed25519");
    assert!(keys["keys"][0].get("d").is_none());
}

hrms_tests::on_every_engine!(
    from_operator_to_employee,
    tokens_end,
    changes_of_rights_take_effect,
    bad_credentials_are_refused,
);
