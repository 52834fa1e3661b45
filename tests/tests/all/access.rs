//! Who may do what to whom, as the API answers: every endpoint × role × relation, against a file.
//!
//! The roles are the built-in ones, and one for each scope that grants everything within that scope. Each of
//! them is tried on somebody's own things, those of a report, of a report's report, of a colleague in the same
//! department, of somebody else, and of somebody in another organisation. After a change that is meant:
//! `HRMS_BLESS=1 cargo test -p hrms-tests access`, and look at the difference.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use async_trait::async_trait;
use hrms_core::contract::at;
use hrms_core::employment::Facts;
use hrms_core::{
    Actor, Cause, EmployeeId, FixedClock, Grant, Hrms, Permission, RequestId, Role, Scope, TenantId, UserId,
    Who,
};
use hrms_http::{AuthError, Authenticate, Caller, Config, Server};
use hrms_store::SqlStore;
use hrms_tests::{Client, Fresh, Reply};
use http::Method;
use http::header::AUTHORIZATION;
use http::request::Parts;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::sweep::bodies::body_of;
use super::sweep::operation::Operation;
use super::sweep::world::{Tenant, World};
use super::sweep::{CSV, JSON};

/// Whose things are tried, in the order of the letters of a cell.
const RELATIONS: [&str; 6] = ["own", "report", "indirect", "department", "other", "elsewhere"];

/// A version that nothing has, so that nothing is changed or removed on the way.
const NO_VERSION: (&str, &str) = ("if-match", "\"999-x\"");

/// Takes the name of a column as a token.
#[derive(Clone)]
struct Columns {
    tenant: TenantId,
    me: EmployeeId,
    facts: Facts,
}

impl Columns {
    fn names() -> Vec<String> {
        let roles = Role::ALL.iter().map(|role| role.code().to_owned());
        let scopes = Scope::ALL.iter().map(|scope| format!("@{}", scope.code()));
        roles.chain(scopes).collect()
    }

    fn grants(name: &str) -> Vec<Grant> {
        if let Some(role) = Role::from_code(name) {
            return role.grants();
        }
        let scope = Scope::ALL.iter().copied().find(|scope| name.ends_with(&format!("@{}", scope.code())));
        let scope = scope.unwrap();
        Permission::ALL.iter().map(|&permission| Grant { permission, scope }).collect()
    }
}

#[async_trait]
impl Authenticate for Columns {
    async fn authenticate(&self, parts: &Parts, request: RequestId) -> Result<Caller, AuthError> {
        let Some(header) = parts.headers.get(AUTHORIZATION) else { return Ok(Caller::Anonymous) };
        let name = header.to_str().unwrap().strip_prefix("Bearer ").unwrap();
        let user = UserId::from_uuid(self.me.as_uuid());
        let who = Who::User { user, session: None, employee: Some(self.me) };
        let grants = Self::grants(name);
        let roles = Role::from_code(name).map(Into::into).into_iter().collect();
        let actor = Actor::with_grants(self.tenant, who, roles, grants, Cause::Request, request);
        Ok(Caller::User(actor.with_facts(self.facts)))
    }
}

/// The organisation, as seen from each relation: the ids of things of that person.
struct Setting {
    url: String,
    seen: Vec<Tenant>,
    operations: Vec<Operation>,
}

async fn made(by: &Client, collection: &str, body: Value) -> String {
    let made = by.post(&format!("/api/v1/{collection}"), &body).await.expect(201).json();
    made["id"].as_str().unwrap().to_owned()
}

impl Setting {
    async fn new(store: &Fresh) -> Self {
        let world = World::new(store).await;
        let owner = &world.acme.client;
        let top = made(owner, "departments", json!({ "code": "top", "name": "Top" })).await;
        let inner = made(owner, "departments", json!({ "code": "in", "name": "In", "parent_id": top })).await;
        let far = made(owner, "departments", json!({ "code": "far", "name": "Far" })).await;
        let mut places = Vec::new();
        for code in ["here", "there"] {
            let new = json!({ "code": code, "name": code, "time_zone": "UTC" });
            places.push(made(owner, "locations", new).await);
        }
        let hire = async |name: &str, department: &str, place: &str, manager: Option<&str>| {
            let new = json!({
                "given_name": name, "hired_on": "2020-01-01", "department_id": department,
                "location_id": place, "manager_id": manager,
            });
            made(owner, "employees", new).await
        };
        let me = hire("Me", &top, &places[0], None).await;
        let report = hire("Report", &inner, &places[1], Some(&me)).await;
        let indirect = hire("Indirect", &far, &places[1], Some(&report)).await;
        let colleague = hire("Colleague", &top, &places[1], None).await;
        let other = hire("Other", &far, &places[0], None).await;
        let mut seen = Vec::new();
        for person in [&me, &report, &indirect, &colleague, &other] {
            seen.push(of(&world.acme, owner, person).await);
        }
        seen.push(world.other.clone());

        let parse = |id: &str| id.parse().unwrap();
        let columns = Columns {
            tenant: owner.get("/api/v1/organization").await.json()["id"].as_str().unwrap().parse().unwrap(),
            me: me.parse().unwrap(),
            facts: Facts {
                department_id: Some(top.parse().unwrap()),
                location_id: Some(parse(&places[0])),
                ..Facts::default()
            },
        };
        let hrms = Hrms::builder(SqlStore::clone(store)).clock(FixedClock::at(at(0))).build();
        let server = Server::new(hrms, columns, Config::new([7; 32])).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(server.serve(listener, std::future::pending()));
        let operations = world.operations.clone();
        world.done();
        Self { url, seen, operations }
    }
}

/// The organisation, with things of this person in the place of anybody's.
async fn of(tenant: &Tenant, owner: &Client, person: &str) -> Tenant {
    let mut tenant = tenant.clone();
    let leave_type = tenant.referenced("leave_type_id");
    let grant = json!({
        "employee_id": person, "leave_type_id": leave_type, "days": "5", "valid_from": "2026-01-01",
    });
    let ask = json!({
        "employee_id": person, "leave_type_id": leave_type, "starts_on": "2026-11-24", "ends_on": "2026-11-24",
    });
    let assignment = json!({
        "employee_id": person, "leave_policy_id": tenant.referenced("leave_policy_id"), "valid_from": "2027-01-01",
        "valid_to": "2028-01-01",
    });
    let claim = json!({
        "kind": "compensatory", "employee_id": person, "leave_type_id": tenant.ids["compensatory-types"],
        "worked_on": "2026-09-12", "days": "1",
    });
    let ids = [
        ("leave-claims", made(owner, "leave-claims", claim).await),
        ("leave-policy-assignments", made(owner, "leave-policy-assignments", assignment).await),
        ("leave-grants", made(owner, "leave-grants", grant).await),
        ("leave-requests", made(owner, "leave-requests", ask).await),
        ("employees", person.to_owned()),
        ("former-employees", person.to_owned()),
    ];
    tenant.ids.extend(ids);
    tenant
}

/// A body that gets as far as asking for rights, and no further.
fn body(operation: &Operation, tenant: &Tenant) -> String {
    if !operation.takes_body() {
        return String::new();
    }
    let mut body = match operation.path.as_str() {
        // Days before anybody was employed.
        "/api/v1/employees/{id}/changes" | "/api/v1/employees/{id}/corrections" => {
            json!({ "from": "1950-01-01", "status": "on_notice" })
        }
        "/api/v1/designations" | "/api/v1/leave-types" => json!({ "code": "A", "name": "Taken" }),
        "/api/v1/locations" => json!({ "code": "A", "name": "Taken", "time_zone": "UTC" }),
        "/api/v1/schedules" if operation.method == Method::POST => {
            json!({ "name": "a", "kind": "audit.verify", "cron": "0 3 * * *" })
        }
        "/api/v1/employees/{id}/end" => json!({ "last_day": "1950-01-01" }),
        _ if !operation.takes_json() => return "code,name\nX,X\n".to_owned(),
        // Of what names nothing, the permission is asked for before the body is read.
        _ if operation.variables().is_empty() && operation.references().is_empty() => json!({}),
        _ => body_of(operation, tenant),
    };
    if operation.references().contains(&"employee_id") && operation.method == Method::POST {
        body["employee_id"] = json!(tenant.referenced("employee_id"));
    }
    body.to_string()
}

/// `+` it was for the caller to do, `-` it was barred, `.` to the caller there was no such thing.
fn letter(what: &str, reply: &Reply) -> char {
    let problem: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    match (reply.status.as_u16(), problem["errors"][0]["code"].as_str()) {
        (401 | 500.., _) => panic!("{what}: {} {}", reply.status, reply.text()),
        (403, _) => '-',
        (404, _) | (422, Some("unknown-reference")) => '.',
        _ => '+',
    }
}

/// What a list shows of each person, where it lists things of people.
async fn listed(by: &Client, operation: &Operation, seen: &[Tenant]) -> Option<String> {
    let collection = operation.path.rsplit('/').next().unwrap_or_default();
    if !operation.is_list() || !["employees", "leave-requests"].contains(&collection) {
        return None;
    }
    let reply = by.get(&format!("{}?limit=200", operation.path)).await;
    if reply.status != 200 {
        return None;
    }
    let page = reply.json();
    let ids: Vec<&str> =
        page["items"].as_array().unwrap().iter().filter_map(|one| one["id"].as_str()).collect();
    let shown = |one: &Tenant| ids.contains(&one.ids[collection].as_str());
    Some(seen.iter().map(|one| if shown(one) { '+' } else { '.' }).collect())
}

async fn cell(by: &Client, column: &str, operation: &Operation, seen: &[Tenant]) -> String {
    if let Some(cell) = listed(by, operation, seen).await {
        return cell;
    }
    let mut letters = String::new();
    for tenant in seen {
        let path = match operation.path.as_str() {
            "/api/v1/leave-balances" | "/api/v1/leave-policy-assignments"
                if operation.method == Method::GET =>
            {
                format!("{}?employee_id={}", operation.path, tenant.referenced("employee_id"))
            }
            _ => operation.path_in(tenant),
        };
        let content = if operation.takes_json() { JSON } else { CSV };
        let path = if operation.path == "/api/v1/imports" && operation.takes_body() {
            format!("{path}?kind=designations")
        } else {
            path
        };
        let body = body(operation, tenant);
        let headers = if body.is_empty() { vec![NO_VERSION] } else { vec![content, NO_VERSION] };
        let mut request = http::Request::builder().method(&operation.method).uri(by.url(&path));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let reply = by.send(request.body(body.into()).unwrap()).await;
        letters.push(letter(&format!("{column}: {} {path}", operation.method), &reply));
    }
    let first = letters.chars().next().unwrap_or_default();
    let same = letters.chars().all(|letter| letter == first);
    // What doesn't depend on whose it is; of what names nothing by an id, there is no elsewhere.
    if same { first.to_string() } else { letters }
}

/// Rows are endpoints, columns roles and scopes.
async fn render(setting: &Setting) -> String {
    let names = Columns::names();
    let nobody = Client::new(&setting.url);
    let mut rows: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // From the narrowest to the widest, so that what somebody may do is done by few before the others ask.
    for name in names.iter().rev() {
        let by = nobody.with_token(name);
        for operation in &setting.operations {
            // One's own log-in is the same for every role, and tried elsewhere.
            let own = operation.path.starts_with("/api/v1/auth/");
            if own || operation.is_public() || operation.is_platform() || operation.is_websocket() {
                continue;
            }
            let cell = cell(&by, name, operation, &setting.seen).await;
            rows.entry(format!("{} {}", operation.path, operation.method)).or_default().insert(0, cell);
        }
    }
    let mut text =
        format!("+ may, - may not, . sees no such thing; {}\n\n{:<62}", RELATIONS.join(", "), "endpoint");
    for name in &names {
        let _ = write!(text, " {name:<16}");
    }
    for (operation, cells) in rows {
        text = format!("{}\n{operation:<62}", text.trim_end());
        for cell in cells {
            let _ = write!(text, " {cell:<16}");
        }
    }
    format!("{}\n", text.trim_end())
}

async fn every_endpoint_answers_each_role_as_the_file_says(store: &Fresh) {
    let setting = Setting::new(store).await;
    let text = render(&setting).await;
    if std::env::var_os("HRMS_BLESS").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all/access/matrix.txt"), &text).unwrap();
    } else {
        let expected = include_str!("access/matrix.txt");
        let differing: Vec<String> = lines_that_differ(expected, &text);
        assert!(
            differing.is_empty(),
            "access has changed, see the head of this file:\n{}",
            differing.join("\n")
        );
    }
    // Whatever the file says: nothing of another organisation is ever there.
    for line in text.lines().skip(3) {
        for cell in line.split_whitespace().skip(2).filter(|cell| cell.chars().count() == RELATIONS.len()) {
            assert!(!cell.ends_with('+'), "reaches another organisation: {line}");
        }
    }
}

fn lines_that_differ(expected: &str, got: &str) -> Vec<String> {
    let gone = expected.lines().filter(|line| !got.lines().any(|one| one == *line));
    let come = got.lines().filter(|line| !expected.lines().any(|one| one == *line));
    gone.map(|line| format!("- {line}")).chain(come.map(|line| format!("+ {line}"))).collect()
}

hrms_tests::on_every_engine!(every_endpoint_answers_each_role_as_the_file_says,);
