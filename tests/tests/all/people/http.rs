//! People over HTTP: the real API on a socket, with a credential that names the caller outright.

mod details;

use async_trait::async_trait;
use hrms_core::contract::{id, tenant};
use hrms_core::{Actor, Cause, EmployeeId, Hrms, RequestId, Role, TenantId, UserId, Who};
use hrms_http::{AuthError, Authenticate, Caller, Config, Server};
use hrms_store::SqlStore;
use hrms_tests::{Client, Reply, on_every_engine};
use http::Method;
use http::header::AUTHORIZATION;
use http::request::Parts;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Takes the token `<role> <tenant> <employee or ->` at its word.
struct AtItsWord;

#[async_trait]
impl Authenticate for AtItsWord {
    async fn authenticate(&self, parts: &Parts, request: RequestId) -> Result<Caller, AuthError> {
        let Some(header) = parts.headers.get(AUTHORIZATION) else { return Ok(Caller::Anonymous) };
        let words: Vec<&str> = header.to_str().unwrap().split(' ').collect();
        let [_, role, tenant, employee] = words.as_slice() else { panic!("{words:?}") };
        let who = Who::User {
            user: UserId::from_uuid(tenant.parse().unwrap()),
            session: None,
            employee: employee.parse().ok(),
        };
        let roles = [Role::from_code(role).unwrap()];
        let tenant: TenantId = tenant.parse().unwrap();
        Ok(Caller::User(Actor::user(tenant, who, &roles, Cause::Request, request)))
    }
}

/// The API of one organisation, and somebody in human resources.
pub(in crate::all) struct Api {
    anonymous: Client,
    tenant: TenantId,
    pub(in crate::all) hr: Client,
}

impl Api {
    pub(in crate::all) async fn start(store: &SqlStore) -> Self {
        let server = Server::new(Hrms::new(store.clone()), AtItsWord, Config::new([7; 32])).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(server.serve(listener, std::future::pending()));
        let anonymous = Client::new(&format!("http://{address}"));
        let tenant = tenant(store).await;
        let hr = anonymous.with_token(&format!("hr {tenant} -"));
        Self { anonymous, tenant, hr }
    }

    pub(in crate::all) fn tenant(&self) -> TenantId {
        self.tenant
    }

    pub(in crate::all) fn as_role(&self, role: &str, employee: &Value) -> Client {
        self.anonymous.with_token(&format!("{role} {} {}", self.tenant, employee.as_str().unwrap()))
    }

    pub(in crate::all) async fn add(&self, collection: &str, body: Value) -> Value {
        self.hr.post(&format!("/api/v1/{collection}"), &body).await.expect(201).json()
    }

    pub(in crate::all) async fn hire(&self, name: &str, more: Value) -> Value {
        let mut body = json!({ "given_name": name, "family_name": "Test", "hired_on": "2020-01-01" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.add("employees", body).await
    }
}

#[track_caller]
pub(in crate::all) fn problem(reply: Reply, status: u16, code: &str, pointers: &[&str]) {
    let body = reply.expect(status).json();
    assert_eq!(body["code"], code, "{body}");
    let named: Vec<&str> = body["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|error| error["pointer"].as_str())
        .collect();
    assert_eq!(named, pointers, "{body}");
}

async fn people_go_through_their_whole_life_over_http(store: &SqlStore) {
    let api = Api::start(store).await;
    let hr = &api.hr;
    let place = json!({ "code": "pnq", "name": "Pune", "time_zone": "Asia/Kolkata" });
    let place = api.add("locations", place).await;
    let title = api.add("designations", json!({ "code": "dev", "name": "Developer" })).await;
    let top = api.add("departments", json!({ "code": "it", "name": "IT" })).await;
    let part = api.add("departments", json!({ "code": "dev", "name": "Dev", "parent_id": top["id"] })).await;
    let boss = api.hire("Boss", json!({ "number": "B-1", "department_id": top["id"] })).await;
    let worker = api
        .hire(
            "Asha",
            json!({
                "email": "Asha@example.org", "birth_date": "1990-02-28", "gender": "female",
                "department_id": part["id"], "designation_id": title["id"],
                "location_id": place["id"], "manager_id": boss["id"]
            }),
        )
        .await;
    assert_eq!(worker["number"], "E-00001");
    assert_eq!(worker["employment"]["department"], json!({ "id": part["id"], "name": "Dev" }));
    assert_eq!(worker["employment"]["manager"]["name"], "Boss Test");
    let path = format!("/api/v1/employees/{}", worker["id"].as_str().unwrap());
    let got = hr.get(&path).await.expect(200);
    assert_eq!(got.json(), worker);
    let etag = got.header("etag").unwrap().to_owned();
    let unchanged = hr.call(Method::GET, &path, &[("if-none-match", &etag)], None).await;
    unchanged.expect(304);

    // Personal data: a merge patch with If-Match.
    let rename = json!({ "family_name": "Rao", "email": null });
    problem(hr.patch(&path, &rename).await, 428, "http.if-match-required", &[]);
    let patched =
        hr.call(Method::PATCH, &path, &[("if-match", &etag)], Some(&rename)).await.expect(200).json();
    assert_eq!((&patched["family_name"], &patched["email"]), (&json!("Rao"), &json!(null)));
    let stale = hr.call(Method::PATCH, &path, &[("if-match", &etag)], Some(&rename)).await;
    problem(stale, 412, "common.stale", &[]);

    // The employment: change, correct, end, rehire.
    let moved = json!({ "from": "2021-01-01", "department_id": top["id"], "manager_id": null });
    let moved = hr.post(&format!("{path}/changes"), &moved).await.expect(200).json();
    assert_eq!(moved["employment"]["valid_from"], "2021-01-01");
    assert_eq!(moved["employment"]["designation"]["name"], "Developer");
    let then = hr.get(&format!("{path}?as_of=2020-12-31")).await.expect(200).json();
    assert_eq!(then["employment"]["department"]["name"], "Dev");
    let fixed = json!({ "from": "2020-06-01", "to": "2020-07-01", "employment_type": "part_time" });
    let fixed = hr.post(&format!("{path}/corrections"), &fixed).await.expect(200).json();
    assert_eq!(fixed["employment"]["corrected"], true);
    let ended = json!({ "last_day": "2022-06-30", "reason": "resignation" });
    let ended = hr.post(&format!("{path}/end"), &ended).await.expect(200).json();
    assert_eq!(ended["employment"]["end_reason"], "resignation");
    assert_eq!(hr.get(&path).await.expect(200).json()["employment"], json!(null));
    let again = hr.post(&format!("{path}/rehire"), &json!({ "from": "2022-06-30" })).await;
    problem(again, 409, "employee.still-employed", &[]);
    let again = json!({ "from": "2024-01-01", "manager_id": boss["id"], "department_id": part["id"] });
    hr.post(&format!("{path}/rehire"), &again).await.expect(200);
    let history = hr.get(&format!("{path}/history")).await.expect(200).json();
    let periods: Vec<_> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| (r["valid_from"].as_str().unwrap(), r["valid_to"].as_str()))
        .collect();
    assert_eq!(
        periods,
        [
            ("2020-01-01", Some("2020-06-01")),
            ("2020-06-01", Some("2020-07-01")),
            ("2020-07-01", Some("2021-01-01")),
            ("2021-01-01", Some("2022-07-01")),
            ("2024-01-01", None)
        ]
    );

    // Lists, heads, chart.
    let list = async |query: &str| {
        let body = hr.get(&format!("/api/v1/employees?{query}")).await.expect(200).json();
        let items = body["items"].as_array().unwrap().clone();
        items.iter().map(|item| item["number"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list("sort=-number").await, ["E-00001", "B-1"]);
    assert_eq!(list("q=RAO%20ash").await, ["E-00001"]);
    let top_id = top["id"].as_str().unwrap();
    assert_eq!(list(&format!("department_id={top_id}")).await, ["B-1"]);
    assert_eq!(list(&format!("department_id={top_id}&include_subdepartments=true")).await.len(), 2);
    assert_eq!(list(&format!("department_id={top_id}&as_of=2021-06-01")).await.len(), 2);
    assert_eq!(list(&format!("manager_id={}", boss["id"].as_str().unwrap())).await, ["E-00001"]);
    let heads = format!("/api/v1/departments/{top_id}/heads");
    hr.post(&heads, &json!({ "employee_id": boss["id"], "from": "2020-01-01" })).await.expect(200);
    let named = hr.post(&heads, &json!({ "employee_id": worker["id"], "from": "2024-02-01" })).await;
    assert_eq!(named.expect(200).json()["items"][0]["to"], "2024-02-01");
    assert_eq!(hr.get(&heads).await.expect(200).json()["items"][1]["employee"]["name"], "Asha Rao");
    let chart = api.as_role("employee", &worker["id"]).get("/api/v1/org-chart?depth=2").await;
    let chart = chart.expect(200).json();
    assert_eq!(chart["items"][0]["reports"][0]["id"], worker["id"]);
    assert_eq!(chart["next_cursor"], json!(null));

    // What the caller may not see isn't there; what needs a permission of its own is left out.
    let manager = api.as_role("manager", &boss["id"]);
    let seen = manager.get(&path).await.expect(200).json();
    assert!(seen.get("birth_date").is_none() && seen.get("gender").is_none(), "{seen}");
    let own = api.as_role("employee", &worker["id"]).get(&path).await.expect(200).json();
    assert_eq!((&own["birth_date"], &own["gender"]), (&json!("1990-02-28"), &json!("female")));
    let boss_path = format!("/api/v1/employees/{}", boss["id"].as_str().unwrap());
    problem(api.as_role("employee", &worker["id"]).get(&boss_path).await, 404, "common.not-found", &[]);
    let refused = manager.post(&format!("{path}/end"), &json!({ "last_day": "2025-01-01" })).await;
    problem(refused, 403, "common.forbidden", &[]);

    // Departments and designations.
    let department = format!("/api/v1/departments/{top_id}");
    let tag = hr.get(&department).await.header("etag").unwrap().to_owned();
    let cycle = json!({ "parent_id": part["id"] });
    let cycle = hr.call(Method::PATCH, &department, &[("if-match", &tag)], Some(&cycle)).await;
    problem(cycle, 422, "department.cycle", &["/parent_id"]);
    let used = hr.call(Method::DELETE, &department, &[("if-match", &tag)], None).await;
    problem(used, 409, "department.in-use", &[]);
    let title_path = format!("/api/v1/designations/{}", title["id"].as_str().unwrap());
    let tag = hr.get(&title_path).await.header("etag").unwrap().to_owned();
    let used = hr.call(Method::DELETE, &title_path, &[("if-match", &tag)], None).await;
    problem(used, 409, "designation.in-use", &[]);
    let parts = hr.get(&format!("/api/v1/departments?parent_id={top_id}")).await.expect(200).json();
    assert_eq!(parts["items"][0]["code"], "dev");
}

async fn bad_input_gets_a_clear_problem_and_changes_nothing(store: &SqlStore) {
    let api = Api::start(store).await;
    let foreign = tenant(store).await;
    let stranger = api.anonymous.with_token(&format!("hr {foreign} -"));
    let body = json!({ "code": "x", "name": "X" });
    let foreign_unit = stranger.post("/api/v1/departments", &body).await.expect(201).json();
    let foreign_title = stranger.post("/api/v1/designations", &body).await.expect(201).json();
    let body = json!({ "given_name": "F", "hired_on": "2020-01-01" });
    let foreign_boss = stranger.post("/api/v1/employees", &body).await.expect(201).json();

    let worker = api.hire("Asha", json!({ "number": "1", "email": "a@example.org" })).await;
    let with = |more: Value| {
        let mut body = json!({ "given_name": "N", "hired_on": "2020-01-01" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (more, status, code, pointers) in [
        (json!({ "salary": 1 }), 422, "common.invalid", &["/salary"][..]),
        (json!({ "tenant_id": foreign.to_string() }), 422, "common.invalid", &["/tenant_id"]),
        (json!({ "given_name": 7 }), 422, "common.invalid", &["/given_name"]),
        (json!({ "given_name": "" }), 422, "common.invalid", &["/given_name"]),
        (json!({ "given_name": "x".repeat(500_000) }), 422, "common.invalid", &["/given_name"]),
        (json!({ "hired_on": "9999-01-01" }), 422, "common.invalid", &["/hired_on"]),
        (json!({ "hired_on": "2020-02-30" }), 422, "common.invalid", &["/hired_on"]),
        (json!({ "birth_date": "2020-01-01" }), 422, "common.invalid", &["/birth_date"]),
        (json!({ "email": "nobody" }), 422, "common.invalid", &["/email"]),
        (json!({ "number": "1" }), 409, "employee.number-taken", &[]),
        (json!({ "email": "A@EXAMPLE.ORG" }), 409, "employee.email-taken", &[]),
        (json!({ "department_id": foreign_unit["id"] }), 422, "common.invalid", &["/department_id"]),
        (json!({ "designation_id": foreign_title["id"] }), 422, "common.invalid", &["/designation_id"]),
        (json!({ "location_id": id().to_string() }), 422, "common.invalid", &["/location_id"]),
        (json!({ "manager_id": foreign_boss["id"] }), 422, "common.invalid", &["/manager_id"]),
        (
            json!({ "hired_on": "2019-01-01", "manager_id": worker["id"] }),
            422,
            "employee.manager-not-employed",
            &["/manager_id"],
        ),
    ] {
        problem(api.hr.post("/api/v1/employees", &with(more)).await, status, code, pointers);
    }
    let path = format!("/api/v1/employees/{}", worker["id"].as_str().unwrap());
    for (what, body, status, code, pointers) in [
        (
            "changes",
            json!({ "from": "2019-01-01", "status": "suspended" }),
            409,
            "employee.not-employed",
            &[][..],
        ),
        ("changes", json!({ "from": "2021-01-01" }), 422, "common.invalid", &[""]),
        ("changes", json!({ "from": "9999-01-01", "status": "active" }), 422, "common.invalid", &["/from"]),
        ("changes", json!({ "from": "2021-01-01", "status": null }), 422, "common.invalid", &["/status"]),
        (
            "changes",
            json!({ "from": "2021-01-01", "manager_id": worker["id"] }),
            422,
            "employee.reporting-cycle",
            &["/manager_id"],
        ),
        (
            "corrections",
            json!({ "from": "2021-01-01", "to": "2020-12-31", "status": "active" }),
            422,
            "common.invalid",
            &["/to"],
        ),
        ("end", json!({ "last_day": "2019-12-31" }), 409, "employee.not-employed", &[]),
        ("rehire", json!({ "from": "2030-01-01" }), 409, "employee.still-employed", &[]),
    ] {
        let reply = api.hr.post(&format!("{path}/{what}"), &body).await;
        problem(reply, status, code, pointers);
    }
    for (query, pointer) in [
        ("sort=birth_date", "/sort"),
        ("gender=female", "/gender"),
        ("limit=0", "/limit"),
        ("as_of=9999-01-01", "/as_of"),
        ("status=gone", "/status"),
    ] {
        let reply = api.hr.get(&format!("/api/v1/employees?{query}")).await;
        problem(reply, 422, "common.invalid", &[pointer]);
    }
    problem(api.hr.get("/api/v1/org-chart?depth=21").await, 422, "common.invalid", &["/depth"]);
    let nobody = EmployeeId::from_uuid(id());
    problem(api.hr.get(&format!("/api/v1/org-chart?root_id={nobody}")).await, 404, "common.not-found", &[]);
    problem(stranger.get(&path).await, 404, "common.not-found", &[]);
    // Nothing of all this has left a trace.
    let list = api.hr.get("/api/v1/employees").await.expect(200).json();
    assert_eq!(list["items"], json!([worker]));
    assert_eq!(api.hr.get(&path).await.expect(200).json(), worker);
}

on_every_engine!(
    people_go_through_their_whole_life_over_http,
    bad_input_gets_a_clear_problem_and_changes_nothing,
);
