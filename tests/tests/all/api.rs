//! A server on a real socket with one organisation, and people in it to log in as.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hrms_core::contract::{at, id};
use hrms_core::jiff::SignedDuration;
use hrms_core::organization::{CreatedOrganization, NewAdmin, NewOrganization};
use hrms_core::{FixedClock, Hrms, Operator, RequestId, Secret};
use hrms_http::{BearerAuth, Config, Server, Tokens};
use hrms_store::SqlStore;
use hrms_tests::{Client, Fresh, Reply};
use http::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(super) const PASSWORD: &str = "seven anvils on a roof";

pub(super) struct Api {
    pub(super) hrms: Hrms,
    pub(super) organization: CreatedOrganization,
    pub(super) clock: Arc<FixedClock>,
    pub(super) nobody: Client,
    /// The owner.
    pub(super) owner: Client,
}

impl Api {
    pub(super) async fn new(store: &Fresh) -> Self {
        let clock = Arc::new(FixedClock::at(at(0)));
        let hrms = Hrms::builder(SqlStore::clone(store)).clock(clock.clone()).build();
        let organization = organization(&hrms, "acme").await;
        let mut der = STANDARD.decode("MC4CAQAwBQYDK2VwBCIEIA==").unwrap();
        der.extend_from_slice(&[1; 32]);
        let pem =
            format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der));
        let tokens = Tokens::from_pem(pem.as_bytes(), "hrms").unwrap();
        let auth = BearerAuth::new(hrms.clone(), tokens);
        let server = Server::new(hrms.clone(), auth, Config::new([7; 32])).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let nobody = Client::new(&format!("http://{}", listener.local_addr().unwrap()));
        tokio::spawn(server.serve(listener, std::future::pending()));
        let owner = log_in(&nobody, "acme", "admin@acme.example").await;
        Self { hrms, organization, clock, nobody, owner }
    }

    /// Adds somebody with these roles, and logs in as them.
    pub(super) async fn person(&self, name: &str, roles: &[&str]) -> (Value, Client) {
        let email = format!("{name}@acme.example");
        let new = json!({ "email": email, "name": name, "roles": roles, "password": PASSWORD });
        let made = self.owner.post("/api/v1/users", &new).await.expect(201).json();
        (made, log_in(&self.nobody, "acme", &email).await)
    }

    /// Lets what is remembered of credentials run out.
    pub(super) fn wait(&self) {
        self.clock.advance(SignedDuration::from_secs(5));
    }
}

pub(super) async fn organization(hrms: &Hrms, slug: &str) -> CreatedOrganization {
    let new = NewOrganization {
        slug: slug.into(),
        name: slug.to_uppercase(),
        admin: NewAdmin {
            email: format!("admin@{slug}.example"),
            name: "Ada".into(),
            password: Some(Secret::new(PASSWORD)),
        },
    };
    hrms.organizations().create(&Operator::command(RequestId::from_uuid(id())), new).await.unwrap()
}

pub(super) async fn log_in(nobody: &Client, slug: &str, email: &str) -> Client {
    let body = json!({ "organization": slug, "email": email, "password": PASSWORD });
    let tokens = nobody.post("/api/v1/auth/login", &body).await.expect(200).json();
    nobody.with_token(tokens["access_token"].as_str().unwrap())
}

/// Changes (or, without a body, removes) what was read at a path.
pub(super) async fn change(by: &Client, reader: &Client, path: &str, patch: Option<&Value>) -> Reply {
    let read = reader.get(path).await.expect(200);
    let headers = [("if-match", read.header("etag").unwrap())];
    let method = if patch.is_some() { Method::PATCH } else { Method::DELETE };
    by.call(method, path, &headers, patch).await
}

pub(super) fn code(reply: &Reply) -> String {
    reply.json()["code"].as_str().unwrap_or_default().to_owned()
}
