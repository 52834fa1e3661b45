//! Jobs, imports and exports over HTTP.

use async_trait::async_trait;
use bytes::Bytes;
use hrms_core::contract::{id, tenant};
use hrms_core::job::{JobRegistry, run_until_idle};
use hrms_core::{Actor, Cause, EmployeeId, Hrms, RequestId, Role, TenantId, UserId, Who};
use hrms_http::{AuthError, Authenticate, Caller, Config, Server};
use hrms_store::SqlStore;
use hrms_tests::{Client, Reply, on_every_engine};
use http::Request;
use http::header::AUTHORIZATION;
use http::request::Parts;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Takes the token `<role> <tenant>` at its word.
struct AtItsWord;

#[async_trait]
impl Authenticate for AtItsWord {
    async fn authenticate(&self, parts: &Parts, request: RequestId) -> Result<Caller, AuthError> {
        let Some(header) = parts.headers.get(AUTHORIZATION) else { return Ok(Caller::Anonymous) };
        let words: Vec<&str> = header.to_str().unwrap().split(' ').collect();
        let [_, role, tenant] = words.as_slice() else { panic!("{words:?}") };
        let tenant: TenantId = tenant.parse().unwrap();
        let employee = Some(EmployeeId::from_uuid(id()));
        // One user for each role.
        let user = UserId::from_uuid(uuid::Uuid::from_u128(role.bytes().map(u128::from).sum()));
        let who = Who::User { user, session: None, employee };
        let roles = [Role::from_code(role).unwrap()];
        Ok(Caller::User(Actor::user(tenant, who, &roles, Cause::Request, request)))
    }
}

struct Api {
    hrms: Hrms,
    url: String,
    hr: Client,
    employee: Client,
    foreign: Client,
}

impl Api {
    async fn start(store: &SqlStore) -> Self {
        let hrms = Hrms::new(store.clone());
        let mut config = Config::new([7; 32]);
        config.upload_limit = 4096;
        let server = Server::new(hrms.clone(), AtItsWord, config).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(server.serve(listener, std::future::pending()));
        let client = Client::new(&url);
        let (mine, other) = (tenant(store).await, tenant(store).await);
        let token = |role: &str, tenant: TenantId| client.with_token(&format!("{role} {tenant}"));
        let (hr, employee, foreign) = (token("hr", mine), token("employee", mine), token("hr", other));
        Self { hrms, url, hr, employee, foreign }
    }

    async fn upload(&self, query: &str, kind: &str, body: impl Into<Bytes>) -> Reply {
        let request =
            Request::post(format!("{}/api/v1/imports{query}", self.url)).header("content-type", kind);
        self.hr.send(request.body(body.into()).unwrap()).await
    }

    async fn work(&self) {
        run_until_idle(&self.hrms, &JobRegistry::standard()).await.unwrap();
    }
}

#[track_caller]
fn code(reply: Reply, status: u16) -> String {
    reply.expect(status).json()["code"].as_str().unwrap().to_owned()
}

const FILE: &str = "code,name\r\neng,Engineer\r\n,Nobody\r\n";

async fn a_file_becomes_a_job_with_a_result_and_a_list_of_errors(store: &SqlStore) {
    let api = Api::start(store).await;
    let accepted = api.upload("?kind=designations", "text/csv", FILE).await.expect(202);
    let import = accepted.json();
    let address = accepted.header("location").unwrap().to_owned();
    assert_eq!(address, format!("/api/v1/jobs/{}", import["job_id"].as_str().unwrap()));
    assert_eq!((&import["kind"], &import["job"]["state"]), (&json!("designations"), &json!("queued")));
    assert_eq!(import["bytes"], FILE.len());

    api.work().await;
    let job = api.hr.get(&address).await.expect(200).json();
    assert_eq!(
        (&job["state"], &job["progress"]),
        (&json!("succeeded"), &json!({ "done": 2, "total": 2, "message": null }))
    );
    let result = &job["result"];
    assert_eq!((&result["created"], &result["failed"], &result["rows"]), (&json!(1), &json!(1), &json!(2)));
    assert_eq!((&result["errors"][0]["row"], &result["errors"][0]["column"]), (&json!(3), &json!("code")));
    let errors = api.hr.get(result["errors_url"].as_str().unwrap()).await.expect(200);
    assert_eq!(errors.header("content-type"), Some("text/csv; charset=utf-8"));
    assert!(
        errors.text().starts_with("row,column,severity,code,detail\r\n3,code,error,too-short,"),
        "{}",
        errors.text()
    );
    let shown =
        api.hr.get(&format!("/api/v1/imports/{}", import["id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!(shown["job"]["state"], "succeeded");

    let exported = api.hr.get("/api/v1/exports/designations").await.expect(200);
    assert_eq!(exported.text(), "code,name\r\neng,Engineer\r\n");
    let template = api.hr.get("/api/v1/imports/templates/employees").await.expect(200).text();
    assert!(template.starts_with("number,email,given_name,"), "{template}");
}

async fn forms_and_parameters_say_the_same_things(store: &SqlStore) {
    let api = Api::start(store).await;
    let mapping = json!({ "Kurz": "code", "Lang": "name", "Farbe": null }).to_string();
    let form = |fields: &[(&str, &str)]| {
        let mut body = String::new();
        for (name, value) in fields {
            body.push_str(&format!(
                "--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            ));
        }
        body.push_str("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"titel.csv\"\r\n\r\n");
        body.push_str("Kurz;Lang;Farbe\r\neng;Engineer;blue\r\n\r\n--x--\r\n");
        body
    };
    let kind = "multipart/form-data; boundary=x";
    let fields = [("kind", "designations"), ("mapping", mapping.as_str()), ("dry_run", "true")];
    let import = api.upload("", kind, form(&fields)).await.expect(202).json();
    assert_eq!((&import["file_name"], &import["dry_run"]), (&json!("titel.csv"), &json!(true)));
    api.work().await;
    let job = api.hr.get(&format!("/api/v1/jobs/{}", import["job_id"].as_str().unwrap())).await.json();
    assert_eq!((&job["result"]["created"], &job["result"]["applied"]), (&json!(1), &json!(false)));
    assert_eq!(api.hr.get("/api/v1/designations").await.expect(200).json()["items"], json!([]));

    let twice = api.upload("?kind=designations", kind, form(&fields)).await;
    assert_eq!(code(twice, 422), "common.invalid");
    for (name, value) in [("colour", "blue"), ("dry_run", "maybe"), ("kind", "people"), ("mapping", "[]")] {
        let query = if name == "kind" { "" } else { "?kind=designations" };
        let refused = api.upload(query, kind, form(&[(name, value)])).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], format!("/{name}"), "{refused}");
    }
    assert_eq!(
        code(api.upload("?kind=designations&mode=some", "text/csv", FILE).await, 422),
        "common.invalid"
    );
    assert_eq!(code(api.upload("", "text/csv", FILE).await, 422), "common.invalid");
    assert_eq!(code(api.upload("?kind=designations&color=1", "text/csv", FILE).await, 422), "common.invalid");
}

async fn files_that_cant_be_are_refused_at_once(store: &SqlStore) {
    let api = Api::start(store).await;
    for (file, expected) in [
        (&b""[..], "import.empty-file"),
        (b"code\n", "import.missing-columns"),
        (b"code,name,colour\n", "import.unknown-columns"),
        (b"code,name,name\n", "import.duplicate-column"),
        (b"code,n\xe4me\n", "import.not-utf8"),
    ] {
        assert_eq!(code(api.upload("?kind=designations", "text/csv", file).await, 422), expected);
    }
    let big = vec![b'a'; 5000];
    assert_eq!(code(api.upload("?kind=designations", "text/csv", big).await, 413), "http.body-too-large");
    assert_eq!(
        code(api.upload("?kind=designations", "text/plain", FILE).await, 415),
        "http.unsupported-media-type"
    );
    assert_eq!(api.hr.get("/api/v1/jobs").await.expect(200).json()["items"], json!([]));
}

async fn jobs_are_listed_cancelled_and_hidden_from_others(store: &SqlStore) {
    let api = Api::start(store).await;
    let submitted = api.upload("?kind=designations", "text/csv", FILE).await.expect(202);
    let address = submitted.header("location").unwrap().to_owned();
    let import = format!("/api/v1/imports/{}", submitted.json()["id"].as_str().unwrap());
    for (client, status) in [(&api.employee, 404), (&api.foreign, 404)] {
        client.get(&address).await.expect(status);
        client.post(&format!("{address}/cancel"), &json!({})).await.expect(status);
        assert_eq!(client.get("/api/v1/jobs").await.expect(200).json()["items"], json!([]));
    }
    api.employee.get(&import).await.expect(403);
    api.foreign.get(&import).await.expect(404);
    api.foreign.get(&format!("{import}/errors")).await.expect(404);
    api.employee.get("/api/v1/exports/employees").await.expect(403);

    let list = |query: &'static str| {
        let hr = api.hr.clone();
        async move {
            hr.get(&format!("/api/v1/jobs{query}")).await.expect(200).json()["items"]
                .as_array()
                .unwrap()
                .len()
        }
    };
    assert_eq!((list("?state=queued&kind=import.run").await, list("?state=failed").await), (1, 0));
    api.hr.get("/api/v1/jobs?state=lost").await.expect(422);
    let cancelled = api.hr.post(&format!("{address}/cancel"), &json!({})).await.expect(200).json();
    assert_eq!(cancelled["state"], "cancelled");
    assert_eq!(code(api.hr.post(&format!("{address}/cancel"), &json!({})).await, 409), "job.ended");
    api.work().await;
    let nothing: Value = api.hr.get("/api/v1/designations").await.json();
    assert_eq!(nothing["items"], json!([]));
}

async fn opening_balances_come_from_a_file(store: &SqlStore) {
    let api = Api::start(store).await;
    let template = api.hr.get("/api/v1/imports/templates/opening_balances").await.expect(200).text();
    assert_eq!(
        template,
        "employee,leave_type,as_of,days,minutes,valid_to\r\nE-00001,annual,2026-04-01,12.5,,\r\n"
    );
    let person = json!({ "given_name": "Asha", "hired_on": "2020-01-01" });
    let person = api.hr.post("/api/v1/employees", &person).await.expect(201).json();
    let leave_type = json!({ "code": "annual", "name": "Annual leave" });
    let leave_type = api.hr.post("/api/v1/leave-types", &leave_type).await.expect(201).json();
    let number = person["number"].as_str().unwrap();
    // Saved by a spreadsheet: a mark in front, semicolons.
    let good = format!("\u{feff}employee;leave_type;as_of;days\r\n{number};annual;2026-04-01;7.5\r\n");
    let bad = format!("{good}E-77777;annual;2026-04-01;7.5\r\n");
    let query = "?kind=opening_balances";
    let work = async |query: &str, file: &str| {
        let import = api.upload(query, "text/csv", file.to_owned()).await.expect(202).json();
        api.work().await;
        let job = import["job_id"].as_str().unwrap();
        (import["mode"].clone(), api.hr.get(&format!("/api/v1/jobs/{job}")).await.expect(200).json())
    };
    let balance = async || {
        let (employee, leave_type) = (person["id"].as_str().unwrap(), leave_type["id"].as_str().unwrap());
        let path = format!("/api/v1/leave-balances/{employee}/{leave_type}?as_of=2026-12-01");
        api.hr.get(&path).await.expect(200).json()["available"].clone()
    };
    let (mode, job) = work(query, &bad).await;
    assert_eq!((&mode, &job["state"]), (&json!("all_or_nothing"), &json!("failed")));
    assert_eq!(job["result"]["errors"][0]["row"], 3);
    let (_, job) = work(&format!("{query}&dry_run=true"), &bad).await;
    assert_eq!((&job["result"]["created"], &job["result"]["applied"]), (&json!(1), &json!(false)));
    assert_eq!(balance().await, "0");
    let (_, job) = work(&format!("{query}&mode=per_row"), &bad).await;
    assert_eq!((&job["result"]["created"], &job["result"]["failed"]), (&json!(1), &json!(1)));
    let (_, job) = work(query, &good).await;
    assert_eq!((&job["result"]["unchanged"], &job["result"]["failed"]), (&json!(1), &json!(0)));
    assert_eq!(balance().await, "7.5");
    let exported = api.hr.get("/api/v1/exports/opening_balances").await.expect(200).text();
    assert!(exported.ends_with(",annual,2026-04-01,3600,\r\n"), "{exported}");
    assert_eq!(code(api.employee.get("/api/v1/exports/opening_balances").await, 403), "common.forbidden");
    let other = api.foreign.get("/api/v1/exports/opening_balances").await.expect(200).text();
    assert_eq!(other.lines().count(), 1);
}

on_every_engine!(
    a_file_becomes_a_job_with_a_result_and_a_list_of_errors,
    forms_and_parameters_say_the_same_things,
    files_that_cant_be_are_refused_at_once,
    jobs_are_listed_cancelled_and_hidden_from_others,
    opening_balances_come_from_a_file,
);
