//! An organisation in Pune with an owner, a manager and two people who report to them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hrms_core::contract::id;
use hrms_core::hrms::Builder;
use hrms_core::jiff::{SignedDuration, Timestamp};
use hrms_core::job::{JobRegistry, run_until_idle};
use hrms_core::operator::NewOperator;
use hrms_core::sealed::KeyBox;
use hrms_core::{FixedClock, Hrms, Operator, RequestId, Secret};
use hrms_http::{BearerAuth, Config, Server, Tokens};
use hrms_server::mail::Post;
use hrms_store::SqlStore;
use hrms_tests::{Client, Fresh, Received, SmtpSink};
use http::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

const PASSWORD: &str = "seven anvils on a roof";

/// Somebody with a log-in.
pub(in crate::all) struct Person {
    pub(in crate::all) client: Client,
    pub(in crate::all) token: String,
    pub(in crate::all) user: String,
    pub(in crate::all) employee: String,
    pub(in crate::all) email: String,
}

pub(in crate::all) struct World {
    pub(in crate::all) hrms: Hrms,
    pub(in crate::all) clock: Arc<FixedClock>,
    pub(in crate::all) sink: SmtpSink,
    pub(in crate::all) nobody: Client,
    pub(in crate::all) operator: Client,
    pub(in crate::all) owner: Client,
    pub(in crate::all) meera: Person,
    pub(in crate::all) ravi: Person,
    pub(in crate::all) asha: Person,
    pub(in crate::all) leave_type: String,
}

/// Monday 23 November 2026, 09:30 in Kolkata.
pub(in crate::all) fn now() -> Timestamp {
    "2026-11-23T04:00:00Z".parse().unwrap()
}

pub(in crate::all) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn key() -> String {
    let mut der = STANDARD.decode("MC4CAQAwBQYDK2VwBCIEIA==").unwrap();
    der.extend_from_slice(&[1; 32]);
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
}

/// The mailer that a configuration like this has.
fn post(url: &str) -> Post {
    let variables = [("HRMS_MAIL_URL", url), ("HRMS_MAIL_FROM", "HR <hr@service.example>")];
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    let loaded = hrms_server::config::Config::load_from(None, variables).unwrap();
    Post::new(&loaded.config.mail.unwrap()).unwrap()
}

async fn log_in(client: &Client, slug: Option<&str>, email: &str) -> (Client, String) {
    let body = json!({ "organization": slug, "email": email, "password": PASSWORD });
    let tokens = client.post("/api/v1/auth/login", &body).await.expect(200).json();
    let token = text(&tokens["access_token"]);
    (client.with_token(&token), token)
}

impl World {
    pub(in crate::all) async fn new(store: &Fresh) -> Self {
        Self::with(store, |builder| builder).await
    }

    pub(in crate::all) async fn with(store: &Fresh, more: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = Arc::new(FixedClock::at(now()));
        let sink = SmtpSink::start().await;
        let builder = Hrms::builder(SqlStore::clone(store))
            .clock(clock.clone())
            .mailer(post(&sink.url()))
            .secret_box(KeyBox::new([3; 32]))
            .public_url("https://hr.service.example");
        let hrms = more(builder).build();
        let by = Operator::command(RequestId::from_uuid(id()));
        let olga = NewOperator {
            email: "olga@service.example".into(),
            name: "Olga".into(),
            password: Secret::new(PASSWORD),
        };
        hrms.operators().create(&by, olga).await.unwrap();
        let nobody = serve(hrms.clone()).await;
        let (operator, _) = log_in(&nobody, None, "olga@service.example").await;
        let admin = json!({ "email": "owner@acme.example", "name": "Ada", "password": PASSWORD });
        let body = json!({ "slug": "acme", "name": "Äcme <b>Ltd</b>", "admin": admin });
        operator.post("/api/v1/platform/organizations", &body).await.expect(201);
        let (owner, _) = log_in(&nobody, Some("acme"), "owner@acme.example").await;
        let place = json!({ "code": "PNQ", "name": "Pune", "time_zone": "Asia/Kolkata" });
        let place = text(&owner.post("/api/v1/locations", &place).await.expect(201).json()["id"]);
        let meera = Person::new(&nobody, &owner, "Meera", &place, None, &["manager", "employee"]).await;
        let manager = Some(meera.employee.as_str());
        let ravi = Person::new(&nobody, &owner, "Ravi", &place, manager, &["employee"]).await;
        let asha = Person::new(&nobody, &owner, "Asha", &place, manager, &["employee"]).await;
        let kind = json!({ "code": "AL", "name": "Annual leave" });
        let leave_type = text(&owner.post("/api/v1/leave-types", &kind).await.expect(201).json()["id"]);
        for person in [&ravi, &asha, &meera] {
            let grant = json!({ "employee_id": person.employee, "leave_type_id": leave_type, "days": "20",
                "valid_from": "2026-01-01" });
            owner.post("/api/v1/leave-grants", &grant).await.expect(201);
        }
        let world = Self { hrms, clock, sink, nobody, operator, owner, meera, ravi, asha, leave_type };
        world.deliver().await;
        world
    }

    /// Runs the jobs that are due, and gives the messages that came.
    pub(in crate::all) async fn deliver(&self) -> Vec<Received> {
        run_until_idle(&self.hrms, &JobRegistry::standard()).await.unwrap();
        self.sink.take()
    }

    /// Lets time go by, does what is due then, and gives the messages that came.
    pub(in crate::all) async fn after(&self, wait: SignedDuration) -> Vec<Received> {
        self.clock.advance(wait);
        self.deliver().await
    }

    /// Somebody asks for a day of leave; the request's address.
    pub(in crate::all) async fn ask(&self, by: &Person, day: &str) -> String {
        let ask = json!({ "leave_type_id": self.leave_type, "starts_on": day, "ends_on": day });
        let asked = by.client.post("/api/v1/leave-requests", &ask).await.expect(201);
        asked.header("location").unwrap().to_owned()
    }

    /// A log-in that lasts for what comes after a long wait.
    pub(in crate::all) async fn again(&self, person: &Person) -> Client {
        log_in(&self.nobody, Some("acme"), &person.email).await.0
    }

    pub(in crate::all) async fn owner_again(&self) -> Client {
        log_in(&self.nobody, Some("acme"), "owner@acme.example").await.0
    }
}

async fn serve(hrms: Hrms) -> Client {
    let tokens = Tokens::from_pem(key().as_bytes(), "hrms").unwrap();
    let server = Server::new(hrms.clone(), BearerAuth::new(hrms, tokens), Config::new([7; 32])).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(&format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(server.serve(listener, std::future::pending()));
    client
}

impl Person {
    pub(in crate::all) async fn new(
        nobody: &Client,
        owner: &Client,
        name: &str,
        place: &str,
        manager: Option<&str>,
        roles: &[&str],
    ) -> Self {
        let email = format!("{}@acme.example", name.to_lowercase());
        let new = json!({ "given_name": name, "family_name": "Rao", "hired_on": "2020-01-01",
            "location_id": place, "manager_id": manager });
        let employee = text(&owner.post("/api/v1/employees", &new).await.expect(201).json()["id"]);
        let new = json!({ "email": email, "name": format!("{name} Rao"), "roles": roles,
            "employee_id": employee, "password": PASSWORD });
        let user = text(&owner.post("/api/v1/users", &new).await.expect(201).json()["id"]);
        let (client, token) = log_in(nobody, Some("acme"), &email).await;
        Self { client, token, user, employee, email }
    }

    /// Changes how they want to be told.
    pub(in crate::all) async fn choose(&self, patch: &Value) {
        choose(&self.client, patch).await;
    }
}

pub(in crate::all) async fn choose(by: &Client, patch: &Value) {
    let path = "/api/v1/notification-settings";
    let tag = by.get(path).await.expect(200).header("etag").unwrap().to_owned();
    by.call(Method::PATCH, path, &[("if-match", &tag)], Some(patch)).await.expect(200);
}

/// The inbox, newest first.
pub(in crate::all) async fn inbox(by: &Client) -> Vec<Value> {
    let page = by.get("/api/v1/notifications").await.expect(200).json();
    page["items"].as_array().unwrap().clone()
}

/// The titles of an inbox, newest first.
pub(in crate::all) async fn titles(by: &Client) -> Vec<String> {
    inbox(by).await.iter().map(|one| text(&one["title"])).collect()
}

/// The deliveries of the newest in an inbox.
pub(in crate::all) async fn deliveries(by: &Client) -> Vec<Value> {
    let newest = text(&inbox(by).await[0]["id"]);
    let one = by.get(&format!("/api/v1/notifications/{newest}")).await.expect(200).json();
    one["deliveries"].as_array().unwrap().clone()
}
