//! Two nodes over one database, a clock that is set, and what they send.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hrms_core::contract::{at, id};
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
    pub(super) clock: Arc<FixedClock>,
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

    pub(super) async fn sign_in(&self, organization: Option<&str>, email: &str, password: &str) -> Client {
        let tokens = self.log_in_with(organization, email, password, None).await.expect(200).json();
        self.with(&tokens)
    }

    pub(super) fn with(&self, tokens: &Value) -> Client {
        self.here.with_token(tokens["access_token"].as_str().unwrap())
    }

    pub(super) fn elsewhere(&self, tokens: &Value) -> Client {
        self.there.with_token(tokens["access_token"].as_str().unwrap())
    }

    pub(super) async fn user(&self, admin: &Client, name: &str) -> (String, String) {
        let email = format!("{name}@acme.example");
        let new = json!({ "email": email, "name": name, "roles": ["employee"], "password": PASSWORD });
        let made = admin.post("/api/v1/users", &new).await.expect(201);
        (format!("/api/v1/users/{}", made.json()["id"].as_str().unwrap()), email)
    }

    /// The present code of an authenticator.
    pub(super) fn code(&self, secret: &str) -> String {
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

pub(super) fn code_of(reply: &Reply) -> String {
    reply.json()["code"].as_str().unwrap_or_default().to_owned()
}

pub(super) fn field_of(reply: &Reply) -> (String, String) {
    let field = &reply.json()["errors"][0];
    (field["pointer"].as_str().unwrap_or_default().into(), field["code"].as_str().unwrap_or_default().into())
}

pub(super) async fn change(by: &Client, path: &str, patch: &Value) -> Reply {
    let tag = by.get(path).await.expect(200).header("etag").unwrap().to_owned();
    by.call(Method::PATCH, path, &[("if-match", &tag)], Some(patch)).await
}
