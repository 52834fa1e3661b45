//! Two nodes over one store, and an organisation in it.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use hrms_core::contract::{at, tenant};
use hrms_core::employment::Facts;
use hrms_core::{Actor, Cause, Clock, FixedClock, Hrms, RequestId, Role, TenantId, UserId, Who};
use hrms_http::{AuthError, Authenticate, Caller, Config, Server};
use hrms_store::SqlStore;
use hrms_tests::Client;
use http::header::AUTHORIZATION;
use http::request::Parts;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Takes the token `<role> <tenant> <employee or -> <location or ->` at its word.
struct AtItsWord;

#[async_trait]
impl Authenticate for AtItsWord {
    async fn authenticate(&self, parts: &Parts, request: RequestId) -> Result<Caller, AuthError> {
        let Some(header) = parts.headers.get(AUTHORIZATION) else { return Ok(Caller::Anonymous) };
        let words: Vec<&str> = header.to_str().unwrap().split(' ').collect();
        let [_, role, tenant, employee, location] = words.as_slice() else { panic!("{words:?}") };
        let user = employee.parse().unwrap_or_else(|_| tenant.parse().unwrap());
        let who = Who::User { user: UserId::from_uuid(user), session: None, employee: employee.parse().ok() };
        let roles = [Role::from_code(role).unwrap()];
        let tenant: TenantId = tenant.parse().unwrap();
        let facts = Facts { location_id: location.parse().ok(), ..Facts::default() };
        let actor = Actor::user(tenant, who, &roles, Cause::Request, request).with_facts(facts);
        Ok(Caller::User(actor))
    }
}

pub(super) struct Node {
    pub(super) hrms: Hrms,
    client: Client,
}

impl Node {
    async fn start(store: &SqlStore, clock: Arc<FixedClock>) -> Self {
        let hrms = Hrms::builder(store.clone()).clock(clock).build();
        let mut config = Config::new([7; 32]);
        config.trusted_proxies = vec![IpAddr::from([127, 0, 0, 1]).into()];
        let server = Server::new(hrms.clone(), AtItsWord, config).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = Client::new(&format!("http://{}", listener.local_addr().unwrap()));
        tokio::spawn(server.serve(listener, std::future::pending()));
        Self { hrms, client }
    }
}

pub(super) struct World {
    pub(super) here: Node,
    pub(super) there: Node,
    pub(super) tenant: TenantId,
    pub(super) clock: Arc<FixedClock>,
    leave_type: String,
}

impl World {
    pub(super) async fn new(store: &SqlStore) -> Self {
        let clock = Arc::new(FixedClock::at(at(0)));
        let here = Node::start(store, clock.clone()).await;
        let there = Node::start(store, clock.clone()).await;
        let tenant = tenant(store).await;
        let mut world = Self { here, there, tenant, clock, leave_type: String::new() };
        world.leave_type = world.add("leave-types", json!({ "code": "A", "name": "Annual" })).await;
        world
    }

    /// Moves the clock to an instant.
    pub(super) fn set(&self, to: &str) {
        let to: hrms_core::jiff::Timestamp = to.parse().unwrap();
        self.clock.advance(to.duration_since(self.clock.now()));
    }

    /// Somebody with a role, as an employee at a location.
    pub(super) fn on(&self, node: &Node, role: &str, employee: &str, location: &str) -> Client {
        node.client.with_token(&format!("{role} {} {employee} {location}", self.tenant))
    }

    /// Somebody with a role who is no employee.
    pub(super) fn role(&self, role: &str) -> Client {
        self.on(&self.here, role, "-", "-")
    }

    pub(super) async fn add(&self, collection: &str, body: Value) -> String {
        let made = self.role("owner").post(&format!("/api/v1/{collection}"), &body).await.expect(201).json();
        made["id"].as_str().unwrap().to_owned()
    }

    pub(super) async fn location(&self, code: &str) -> String {
        self.add("locations", json!({ "code": code, "name": code, "time_zone": "Europe/Berlin" })).await
    }

    pub(super) async fn hire(&self, name: &str, more: Value) -> String {
        let mut body = json!({ "given_name": name, "family_name": "Test", "hired_on": "2020-01-01" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.add("employees", body).await
    }

    /// A request for leave that there is a balance for.
    pub(super) async fn ask_for_leave(&self, employee: &str, starts_on: &str, ends_on: &str) -> String {
        let grant = json!({
            "employee_id": employee, "leave_type_id": self.leave_type, "days": "30", "valid_from": "2026-01-01",
        });
        self.add("leave-grants", grant).await;
        let ask = json!({
            "employee_id": employee, "leave_type_id": self.leave_type,
            "starts_on": starts_on, "ends_on": ends_on,
        });
        self.add("leave-requests", ask).await
    }

    /// The id of a new policy.
    pub(super) async fn write(&self, name: &str, text: &str) -> String {
        self.add("policies", json!({ "name": name, "text": text })).await
    }
}
