//! A server with two organisations that have one of everything, and somebody who may do all in each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use hrms_core::contract::{at, id};
use hrms_core::jiff::SignedDuration;
use hrms_core::job::{JobRegistry, run_until_idle};
use hrms_core::mail::{MailError, Mailer, Message};
use hrms_core::notification::Notifications;
use hrms_core::operator::NewOperator;
use hrms_core::sealed::KeyBox;
use hrms_core::webhook::Webhooks;
use hrms_core::{FixedClock, Hrms, Operator, RequestId, Secret};
use hrms_http::{BearerAuth, Config, HttpWebhookSender, Resolve, Server, Tokens, WebhookPolicy};
use hrms_store::SqlStore;
use hrms_tests::{Client, Fresh, Reply};
use http::{Method, Request};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::operation::Operation;

mod more;

use more::{leave_claims, programs};

pub(in crate::all) const PASSWORD: &str = "seven anvils on a roof";

/// One organisation: somebody with all roles, and an id of each collection.
#[derive(Clone)]
pub(in crate::all) struct Tenant {
    pub(in crate::all) client: Client,
    pub(in crate::all) token: String,
    /// A program whose key may do nothing.
    pub(in crate::all) powerless: Client,
    /// A program that may see locations.
    pub(in crate::all) reader: Client,
    pub(in crate::all) ids: BTreeMap<&'static str, String>,
}

pub(in crate::all) struct World {
    pub(in crate::all) hrms: Hrms,
    pub(in crate::all) clock: Arc<FixedClock>,
    pub(in crate::all) letterbox: Letterbox,
    pub(in crate::all) nobody: Client,
    pub(in crate::all) operator: Client,
    pub(in crate::all) acme: Tenant,
    pub(in crate::all) other: Tenant,
    /// A token of somebody in `acme` that was good once.
    pub(in crate::all) expired: String,
    pub(in crate::all) operations: Vec<Operation>,
    /// What broke a promise so far.
    faults: Vec<String>,
}

/// Knows no host, so that nothing leaves.
#[derive(Debug)]
struct Nowhere;

#[async_trait::async_trait]
impl Resolve for Nowhere {
    async fn resolve(&self, _: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
        Ok(Vec::new())
    }
}

impl World {
    pub(in crate::all) async fn new(store: &Fresh) -> Self {
        let clock = Arc::new(FixedClock::at(at(0)));
        let letterbox = Letterbox::default();
        let hrms = Hrms::builder(SqlStore::clone(store))
            .clock(clock.clone())
            .mailer(letterbox.clone())
            .secret_box(KeyBox::new([3; 32]))
            .public_url("https://hr.service.example")
            .webhook_sender(HttpWebhookSender::new(WebhookPolicy::default()).unwrap().with_resolver(Nowhere))
            .build();
        for name in ["olga", "otto"] {
            let new = NewOperator {
                email: format!("{name}@service.example"),
                name: name.into(),
                password: Secret::new(PASSWORD),
            };
            hrms.operators().create(&Operator::command(RequestId::from_uuid(id())), new).await.unwrap();
        }
        let tokens = Tokens::from_pem(key().as_bytes(), "hrms").unwrap();
        let auth = BearerAuth::new(hrms.clone(), tokens);
        let server = Server::new(hrms.clone(), auth, Config::new([7; 32])).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(server.serve(listener, std::future::pending()));

        let nobody = Client::new(&base_url);
        let document = nobody.get("/api/openapi.json").await.expect(200).json();
        let (operator, _) = log_in(&nobody, None, "olga@service.example").await;
        let acme = Tenant::new(&nobody, &operator, "acme").await;
        let expired = acme.token.clone();
        clock.advance(SignedDuration::from_mins(6));
        let (operator, _) = log_in(&nobody, None, "olga@service.example").await;
        let other = Tenant::new(&nobody, &operator, "other").await;
        let (client, token) = log_in(&nobody, Some("acme"), "all@acme.example").await;
        let mut acme = Tenant { client, token, ..acme };
        let mut other = other;
        acme.webhooks(&hrms).await;
        other.webhooks(&hrms).await;
        acme.notifications().await;
        other.notifications().await;
        let operations = Operation::all(&document);
        assert!(operations.len() > 10, "{document}");
        let faults = Vec::new();
        Self { hrms, clock, letterbox, nobody, operator, acme, other, expired, operations, faults }
    }

    /// Somebody who may call an operation.
    pub(in crate::all) fn caller(&self, operation: &Operation) -> &Client {
        if operation.is_platform() { &self.operator } else { &self.acme.client }
    }

    /// Sends a request; what holds for every answer is checked here.
    pub(in crate::all) async fn ask(
        &mut self,
        by: &Client,
        method: &Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(self.nobody.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let reply = by.send(request.body(body.into()).unwrap()).await;
        if let Err(fault) = form(&reply, path) {
            self.fault(format!("{method} {path}: {fault}: {} {}", reply.status, reply.text()));
        }
        reply
    }

    /// Notes what breaks a promise.
    pub(in crate::all) fn fault(&mut self, fault: String) {
        self.faults.push(fault);
    }

    /// Expects a status, and a code of the problem or of its first field.
    pub(in crate::all) fn expect(&mut self, what: &str, reply: &Reply, status: u16, code: &str) {
        let problem: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let codes = [&problem["code"], &problem["errors"][0]["code"]];
        if reply.status.as_u16() != status || !(code.is_empty() || codes.contains(&&json!(code))) {
            self.fault(format!("{what}: {status} {code} expected: {} {}", reply.status, reply.text()));
        }
    }

    /// Expects 422 about one field or parameter.
    pub(in crate::all) fn expect_field(&mut self, what: &str, reply: &Reply, pointer: &str) {
        self.expect(what, reply, 422, "");
        let problem: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        if problem["errors"][0]["pointer"] != pointer {
            self.fault(format!("{what}: {pointer} isn't named: {} {}", reply.status, reply.text()));
        }
    }

    /// Fails when any promise was broken.
    pub(in crate::all) fn done(self) {
        let faults = self.faults;
        assert!(faults.is_empty(), "{} broken promises:\n{}", faults.len(), faults.join("\n"));
    }
}

/// Keeps every message.
#[derive(Clone, Debug, Default)]
pub(in crate::all) struct Letterbox(Arc<Mutex<Vec<Message>>>);

impl Letterbox {
    /// What came last for this address, as soon as it is there: some messages go out after the answer.
    pub(in crate::all) async fn last_to(&self, address: &str) -> Message {
        for _ in 0..1000 {
            let last = self.0.lock().unwrap().iter().rev().find(|message| message.to == address).cloned();
            if let Some(message) = last {
                return message;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no message to {address}");
    }

    /// The token in the last message to an address: its longest word.
    pub(in crate::all) async fn token_to(&self, address: &str) -> String {
        let message = self.last_to(address).await;
        let words = message.text.split(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)));
        words.max_by_key(|word| word.len()).unwrap().to_owned()
    }

    /// The link in the last message that has one to stop messages like it.
    pub(in crate::all) fn stopping(&self) -> Option<String> {
        self.0.lock().unwrap().iter().rev().find_map(|message| message.unsubscribe.clone())
    }
}

#[async_trait::async_trait]
impl Mailer for Letterbox {
    async fn send(&self, message: Message) -> Result<(), MailError> {
        self.0.lock().unwrap().push(message);
        Ok(())
    }
}

/// What holds for every answer.
fn form(reply: &Reply, path: &str) -> Result<(), &'static str> {
    let request_id = reply.header("x-request-id").ok_or("no X-Request-Id")?;
    if reply.status.is_server_error() {
        return Err("a server error");
    }
    if !reply.status.is_client_error() {
        return Ok(());
    }
    if reply.header("content-type") != Some("application/problem+json") {
        return Err("not application/problem+json");
    }
    let problem: Value = serde_json::from_slice(&reply.body).map_err(|_| "not JSON")?;
    let code = problem["code"].as_str().ok_or("no code")?;
    let instance = path.split('?').next().unwrap_or_default();
    let right = problem["status"] == reply.status.as_u16()
        && problem["type"] == format!("/problems/{code}")
        && problem["request_id"] == request_id
        && problem["instance"] == instance
        && problem["title"].is_string()
        && problem["detail"].is_string();
    if right { Ok(()) } else { Err("not a problem as documented") }
}

/// An Ed25519 key of known bytes, as PEM.
fn key() -> String {
    let mut der = STANDARD.decode("MC4CAQAwBQYDK2VwBCIEIA==").unwrap();
    der.extend_from_slice(&[1; 32]);
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
}

pub(in crate::all) async fn log_in(
    nobody: &Client,
    organization: Option<&str>,
    email: &str,
) -> (Client, String) {
    let body = json!({ "organization": organization, "email": email, "password": PASSWORD });
    let tokens = nobody.post("/api/v1/auth/login", &body).await.expect(200).json();
    let token = tokens["access_token"].as_str().unwrap().to_owned();
    (nobody.with_token(&token), token)
}

/// The claims of a token, unchecked.
pub(in crate::all) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

impl Tenant {
    async fn new(nobody: &Client, operator: &Client, slug: &str) -> Self {
        let admin = json!({ "email": format!("admin@{slug}.example"), "name": "Ada", "password": PASSWORD });
        let body = json!({ "slug": slug, "name": slug.to_uppercase(), "admin": admin });
        let made = operator.post("/api/v1/platform/organizations", &body).await.expect(201);
        let mut ids = BTreeMap::new();
        ids.insert("platform/organizations", text(&made.json()["id"]));
        let (client, _) = log_in(nobody, Some(slug), &format!("admin@{slug}.example")).await;

        // Two of each, so that lists have a second page.
        for code in ["B", "A"] {
            let new = json!({ "code": code, "name": code, "time_zone": "Asia/Kolkata" });
            create(&mut ids, &client, "locations", &new).await;
            create(&mut ids, &client, "departments", &json!({ "code": code, "name": code })).await;
            create(&mut ids, &client, "designations", &json!({ "code": code, "name": code })).await;
            let place = (&ids["locations"], &ids["departments"]);
            let new = json!({
                "given_name": code, "hired_on": "2020-01-01", "location_id": place.0, "department_id": place.1,
            });
            let made = create(&mut ids, &client, "employees", &new).await;
            ids.entry("own-employee").or_insert(made);
        }
        for code in ["bb", "aa"] {
            let grants = json!([{ "permission": "leave.read", "scope": "organization" }]);
            let new = json!({ "code": code, "name": code, "grants": grants });
            create(&mut ids, &client, "roles", &new).await;
        }
        let employee = ids["employees"].clone();
        let gone = json!({ "given_name": "Gone", "hired_on": "2020-01-01" });
        let gone = create(&mut ids, &client, "employees", &gone).await;
        let end = json!({ "last_day": "2025-12-31" });
        client.post(&format!("/api/v1/employees/{gone}/end"), &end).await.expect(200);
        ids.extend([("employees", employee), ("former-employees", gone)]);
        for name in ["B", "A"] {
            let text = "forbid (principal is ServiceAccount, action == Action::\"export.run\", resource);";
            create(&mut ids, &client, "policies", &json!({ "name": name, "text": text })).await;
        }
        // Its history gets a second row.
        let path = format!("/api/v1/policies/{}", ids["policies"]);
        let tag = text(&json!(client.get(&path).await.expect(200).header("etag").unwrap()));
        let patch = json!({ "description": "Integrations don't export." });
        client.call(Method::PATCH, &path, &[("if-match", &tag)], Some(&patch)).await.expect(200);
        // Somebody who can decide in another's place.
        let deputy = json!({ "given_name": "Deputy", "hired_on": "2020-01-01" });
        let employee = ids["employees"].clone();
        let deputy = create(&mut ids, &client, "employees", &deputy).await;
        let new = json!({
            "email": format!("deputy@{slug}.example"), "name": "Deputy", "roles": ["employee"],
            "employee_id": deputy, "password": PASSWORD,
        });
        create(&mut ids, &client, "users", &new).await;
        ids.extend([("employees", employee), ("deputies", deputy)]);
        let roles = ["owner", "manager", "employee"];
        let email = format!("all@{slug}.example");
        let new = json!({
            "email": email, "name": "All", "roles": roles, "employee_id": ids["own-employee"], "password": PASSWORD,
        });
        create(&mut ids, &client, "users", &new).await;
        let (client, token) = log_in(nobody, Some(slug), &email).await;
        // Somebody else, to be changed: who is linked can't change which employee they are.
        let other = json!({
            "email": format!("other@{slug}.example"), "name": "Other", "roles": ["employee"], "password": PASSWORD,
        });
        create(&mut ids, &client, "users", &other).await;
        let (other, _) = log_in(nobody, Some(slug), &format!("other@{slug}.example")).await;
        for (name, of) in [("auth/sessions", &client), ("user-sessions", &other)] {
            let sessions = of.get("/api/v1/auth/sessions").await.expect(200).json();
            ids.insert(name, text(&sessions["items"][0]["id"]));
        }
        let (powerless, reader) = programs(&mut ids, &client, nobody).await;
        let mut tenant = Self { client, token, powerless, reader, ids };
        tenant.details().await;
        tenant.leave().await;
        tenant.feed().await;
        tenant.imports().await;
        tenant.invitations().await;
        tenant.schedules().await;
        let entries = tenant.client.get("/api/v1/audit-log?limit=1").await.expect(200).json();
        tenant.ids.insert("audit-log", text(&entries["items"][0]["id"]));
        tenant.support(operator).await;
        tenant
    }

    /// Each group of an employee's data at its first version.
    async fn details(&mut self) {
        for (group, fields) in [
            ("personal", json!({ "private_phone": "1" })),
            ("compensation", json!({ "pay_grade": "1" })),
            ("bank", json!({ "bank_name": "1" })),
            ("identity", json!({ "tax_number": "1" })),
            ("medical", json!({ "blood_group": "A" })),
        ] {
            let path = format!("/api/v1/employees/{}/{group}", self.ids["employees"]);
            let tag = self.client.get(&path).await.expect(200).header("etag").unwrap().to_owned();
            let headers = [("if-match", tag.as_str())];
            self.client.call(Method::PATCH, &path, &headers, Some(&fields)).await.expect(200);
        }
    }

    async fn leave(&mut self) {
        let Self { client, ids, .. } = self;
        for code in ["B", "A"] {
            create(ids, client, "leave-types", &json!({ "code": code, "name": code })).await;
            let weeks = json!([{ "monday": 480, "tuesday": 240 }]);
            create(ids, client, "work-patterns", &json!({ "code": code, "name": code, "weeks": weeks }))
                .await;
        }
        let (employee, leave_type) = (ids["employees"].clone(), ids["leave-types"].clone());
        let grant = json!({
            "employee_id": employee, "leave_type_id": leave_type, "days": "20", "valid_from": "2026-01-01",
        });
        create(ids, client, "leave-grants", &grant).await;
        for code in ["B", "A"] {
            let new = json!({
                "leave_type_id": leave_type, "code": code, "name": code, "effective_from": "2026-01-01", "rules": {},
            });
            create(ids, client, "leave-policies", &new).await;
        }
        for through in ["1999-12-31", "2000-12-31"] {
            create(ids, client, "leave-closings", &json!({ "through": through })).await;
        }
        for (from, to) in [("2027-01-01", "2028-01-01"), ("2028-01-01", "2029-01-01")] {
            let new = json!({
                "employee_id": employee, "leave_policy_id": ids["leave-policies"], "valid_from": from, "valid_to": to,
            });
            create(ids, client, "leave-policy-assignments", &new).await;
        }
        // Two people who are away today.
        for person in [employee.clone(), ids["deputies"].clone()] {
            let grant = json!({
                "employee_id": person, "leave_type_id": leave_type, "days": "1", "valid_from": "2026-01-01",
            });
            create(ids, client, "leave-grants", &grant).await;
            let ask = json!({
                "employee_id": person, "leave_type_id": leave_type, "starts_on": "2026-09-21", "ends_on": "2026-09-21",
            });
            let asked = create(ids, client, "leave-requests", &ask).await;
            let path = format!("/api/v1/leave-requests/{asked}/approve");
            client.post(&path, &json!({})).await.expect(200);
        }
        for day in ["2026-11-24", "2026-11-25"] {
            // For somebody else: nobody grants leave to themselves, or decides on their own.
            let ask = json!({
                "employee_id": employee, "leave_type_id": leave_type, "starts_on": day, "ends_on": day,
            });
            create(ids, client, "leave-requests", &ask).await;
        }
        let path = format!("/api/v1/leave-requests/{}/attachments", ids["leave-requests"]);
        let file = client.upload_form(&path, "note.pdf", b"%PDF-1.7").await.expect(201).json();
        ids.insert("leave-attachments", text(&file["id"]));
        leave_claims(client, ids).await;
        for code in ["B", "A"] {
            create(ids, client, "holiday-calendars", &json!({ "code": code, "name": code })).await;
        }
        let feast = json!({ "on_date": "2026-12-25", "name": "Feast" });
        let path = format!("/api/v1/holiday-calendars/{}/holidays", ids["holiday-calendars"]);
        client.post(&path, &feast).await.expect(201);
        for day in ["2026-12-29", "2026-12-30"] {
            let feast = json!({ "on_date": day, "name": "Feast", "kind": "restricted" });
            client.post(&path, &feast).await.expect(201);
        }
        let path = format!("/api/v1/holiday-calendars/{}/choice-limits", ids["holiday-calendars"]);
        client.post(&path, &json!({ "from_year": 2026, "most": 9 })).await.expect(200);
        let here = json!({ "holiday_calendar_id": ids["holiday-calendars"], "from": "2026-01-01", "to": "2029-01-01" });
        let path = format!("/api/v1/locations/{}/holiday-calendars", ids["locations"]);
        client.post(&path, &here).await.expect(200);
        for code in ["B", "A"] {
            let levels = json!([{ "approvers": [{ "type": "manager" }] }]);
            let new = json!({
                "kind": "leave_request", "code": code, "name": code, "levels": levels, "active": false,
            });
            create(ids, client, "approval-chains", &new).await;
            let new = json!({
                "delegate_id": ids["deputies"], "from": "2026-11-01", "to": "2027-11-01",
            });
            create(ids, client, "approval-delegations", &new).await;
        }
    }

    /// A feed for calendar programs, and the end of its address.
    async fn feed(&mut self) {
        let made =
            self.client.post("/api/v1/calendar-feeds", &json!({ "kind": "personal" })).await.expect(201);
        let made = made.json();
        self.ids.insert("calendar-feeds", text(&made["id"]));
        self.ids.insert("calendars", text(&made["url"]).rsplit('/').next().unwrap().to_owned());
    }

    async fn invitations(&mut self) {
        let Self { client, ids, .. } = self;
        for name in ["b", "a"] {
            let email = format!("{name}@invited.example");
            let new = json!({ "email": email, "name": name, "roles": ["employee"] });
            create(ids, client, "invitations", &new).await;
        }
    }

    /// Two schedules.
    async fn schedules(&mut self) {
        let Self { client, ids, .. } = self;
        for name in ["b", "a"] {
            let new = json!({ "name": name, "kind": "audit.verify", "cron": "0 3 * * *" });
            create(ids, client, "schedules", &new).await;
        }
    }

    /// Two imports, and with them two jobs.
    async fn imports(&mut self) {
        for _ in 0..2 {
            let request = Request::builder()
                .method(Method::POST)
                .uri(self.client.url("/api/v1/imports?kind=designations"))
                .header("content-type", "text/csv");
            let file = Bytes::from_static(b"code,name\nX,X\n");
            let made = self.client.send(request.body(file).unwrap()).await.expect(202);
            self.ids.insert("imports", text(&made.json()["id"]));
            let job = made.header("location").unwrap().rsplit('/').next().unwrap();
            self.ids.insert("jobs", job.to_owned());
        }
    }

    /// Two webhooks, the second with two deliveries, which nobody makes.
    async fn webhooks(&mut self, hrms: &Hrms) {
        let Self { client, ids, .. } = self;
        for name in ["b", "a"] {
            let url = format!("https://hooks.example.com/{name}");
            create(ids, client, "webhooks", &json!({ "url": url, "types": ["location.created"] })).await;
        }
        let path = format!("/api/v1/webhooks/{}", ids["webhooks"]);
        for _ in 0..2 {
            client.call(Method::POST, &format!("{path}/test"), &[], None).await.expect(200);
        }
        let registry = JobRegistry::empty().with_subscriber(Notifications).with_subscriber(Webhooks);
        run_until_idle(hrms, &registry).await.unwrap();
        let deliveries = client.get(&format!("{path}/deliveries")).await.expect(200).json();
        ids.insert("webhook-deliveries", text(&deliveries["items"][0]["id"]));
    }

    /// Two accesses of operators, and the operator with a session.
    async fn support(&mut self, operator: &Client) {
        let path =
            format!("/api/v1/platform/organizations/{}/support-grants", self.ids["platform/organizations"]);
        for reason in ["ticket 1: something is stuck", "ticket 2: it still is"] {
            let new = json!({ "user_id": self.ids["users"], "reason": reason, "minutes": 240 });
            let made = operator.post(&path, &new).await.expect(201).json();
            self.ids.insert("support-access", text(&made["id"]));
        }
        let operators = "/api/v1/platform/operators";
        let olga = text(&operator.get(operators).await.expect(200).json()["items"][0]["id"]);
        let sessions = operator.get(&format!("{operators}/{olga}/sessions")).await.expect(200).json();
        self.ids.insert("platform/operators", olga);
        self.ids.insert("operator-sessions", text(&sessions["items"][0]["id"]));
    }

    /// What somebody was told when operators came, on its way by e-mail, where it stays.
    async fn notifications(&mut self) {
        for name in ["bb", "aa"] {
            let new = json!({ "name": name, "url": "https://hooks.example.com/sms" });
            create(&mut self.ids, &self.client, "notification-channels", &new).await;
        }
        for collection in ["notifications", "notification-deliveries"] {
            let list = self.client.get(&format!("/api/v1/{collection}")).await.expect(200).json();
            self.ids.insert(collection, text(&list["items"][0]["id"]));
        }
    }

    fn id_in(&self, collection: &str) -> String {
        self.ids.get(collection).cloned().unwrap_or_else(|| {
            panic!("let `Tenant` in sweep/world.rs make one of `{collection}` and keep its id")
        })
    }

    /// The id of something that a field (or variable) of this name refers to.
    pub(in crate::all) fn referenced(&self, field: &str) -> String {
        self.id_in(match field {
            "employee_id" | "manager_id" => "employees",
            "department_id" | "parent_id" => "departments",
            "designation_id" => "designations",
            "location_id" => "locations",
            "holiday_calendar_id" => "holiday-calendars",
            "leave_type_id" => "leave-types",
            "leave_policy_id" => "leave-policies",
            "work_pattern_id" => "work-patterns",
            "leave_request_id" => "leave-requests",
            "leave_claim_id" => "leave-claims",
            "delegator_id" => "employees",
            "delegate_id" => "deputies",
            "approval_chain_id" => "approval-chains",
            "schedule_id" => "schedules",
            "user_id" => "users",
            "service_account_id" => "service-accounts",
            _ => panic!("say in `referenced` of sweep/world.rs what `{field}` refers to"),
        })
    }

    /// The value of a path's variable, such that the path leads to something of this organisation.
    pub(in crate::all) fn variable(&self, collection: &str, name: &str) -> String {
        match (collection, name) {
            ("leave-balances", "employee_id" | "leave_type_id") => self.referenced(name),
            ("platform/organizations", "grant_id") => self.id_in("support-access"),
            ("platform/operators", "session_id") => self.id_in("operator-sessions"),
            (_, "attachment_id") => self.id_in("leave-attachments"),
            (_, "delivery_id") => self.id_in("webhook-deliveries"),
            (_, "session_id") => self.id_in("user-sessions"),
            ("calendars", "token") => self.id_in("calendars"),
            ("notifications/unsubscribe", "token") => "x".into(),
            ("notification-templates", "type") => "import.finished".into(),
            ("notification-templates", "language") => "en".into(),
            (_, "kind") => "locations".into(),
            (_, "on_date") => "2026-12-25".into(),
            (_, "revision") => "1".into(),
            (collection, "id") => self.id_in(collection),
            _ => panic!("say in sweep/world.rs what the variable {{{name}}} of `{collection}` can be"),
        }
    }
}

async fn create(
    ids: &mut BTreeMap<&'static str, String>,
    by: &Client,
    collection: &'static str,
    new: &Value,
) -> String {
    let made = by.post(&format!("/api/v1/{collection}"), new).await.expect(201).json();
    ids.insert(collection, text(&made["id"]));
    text(&made["id"])
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
