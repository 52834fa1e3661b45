//! Schedules: what an organisation sets up over HTTP, and what starts when the clock goes on.

use std::sync::Arc;

use bytes::Bytes;
use hrms_core::audit::AuditVerifyJob;
use hrms_core::contract::all_at_once;
use hrms_core::jiff::SignedDuration;
use hrms_core::job::{JobRegistry, run_until_idle};
use hrms_core::leave::AccrueLeave;
use hrms_core::{Clock, Hrms};
use hrms_store::SqlStore;
use hrms_tests::{Client, Fresh};
use http::{Method, Request};
use serde_json::{Value, json};

use crate::all::api::{Api, change, code, log_in};
use crate::all::support::{postgres, sqlite_file, sqlite_memory};

async fn create(by: &Client, new: &Value) -> (String, Value) {
    let made = by.post("/api/v1/schedules", new).await.expect(201);
    (made.header("location").unwrap().to_owned(), made.json())
}

fn nightly(name: &str) -> Value {
    json!({ "name": name, "kind": "audit.verify", "cron": "30 2 * * *" })
}

async fn run(api: &Api) -> usize {
    run_until_idle(&api.hrms, &JobRegistry::empty().with::<AuditVerifyJob>()).await.unwrap()
}

/// The jobs that a schedule started, newest first.
async fn started(by: &Client, schedule: &Value) -> Vec<Value> {
    let id = schedule["id"].as_str().unwrap();
    let jobs = by.get(&format!("/api/v1/jobs?schedule_id={id}")).await.expect(200).json();
    jobs["items"].as_array().unwrap().clone()
}

async fn a_schedule_starts_jobs_in_its_zone_and_catches_up_once(store: &Fresh) {
    let api = Api::new(store).await;
    let mut new = nightly("Nightly");
    new["time_zone"] = json!("Asia/Kolkata");
    let (path, schedule) = create(&api.owner, &new).await;
    let next = schedule["next_at"].as_str().unwrap().to_owned();
    assert!(next.ends_with("T21:00:00Z"), "half past two in India: {next}");
    assert_eq!(run(&api).await, 0, "not due yet");
    api.clock.set(next.parse().unwrap());
    assert_eq!(run(&api).await, 1);
    assert_eq!(run(&api).await, 0, "once for each time");
    let owner = log_in(&api.nobody, "acme", "admin@acme.example").await;
    let jobs = started(&owner, &schedule).await;
    assert_eq!(
        (jobs.len(), &jobs[0]["state"], &jobs[0]["kind"]),
        (1, &json!("succeeded"), &json!("audit.verify"))
    );
    assert_eq!(jobs[0]["result"]["intact"], true);
    assert_eq!(jobs[0]["requested_by"], schedule["requested_by"]);

    // Five nights without anybody at work, and one job for them.
    api.clock.advance(SignedDuration::from_hours(5 * 24 + 1));
    assert_eq!(run(&api).await, 1);
    let owner = log_in(&api.nobody, "acme", "admin@acme.example").await;
    assert_eq!(started(&owner, &schedule).await.len(), 2);
    let now = owner.get(&path).await.expect(200).json();
    assert_eq!((&now["version"], &now["last_at"]), (&json!(1), &json!(api.clock.now().to_string())));

    // Disabled it is never due; enabled again it doesn't catch up.
    let off = change(&owner, &owner, &path, Some(&json!({ "enabled": false }))).await.expect(200).json();
    assert_eq!(off["next_at"], Value::Null);
    api.clock.advance(SignedDuration::from_hours(48));
    assert_eq!(run(&api).await, 0);
    let owner = log_in(&api.nobody, "acme", "admin@acme.example").await;
    change(&owner, &owner, &path, Some(&json!({ "enabled": true }))).await.expect(200);
    assert_eq!(run(&api).await, 0);
    change(&owner, &owner, &path, None).await.expect(204);
    api.clock.advance(SignedDuration::from_hours(48));
    assert_eq!(run(&api).await, 0);
    let owner = log_in(&api.nobody, "acme", "admin@acme.example").await;
    assert_eq!(started(&owner, &schedule).await.len(), 2, "jobs stay");
}

async fn several_schedulers_start_each_job_once(store: &Fresh) {
    let api = Api::new(store).await;
    let mut schedules = Vec::new();
    for n in 0..7 {
        schedules.push(create(&api.owner, &nightly(&n.to_string())).await.1);
    }
    api.clock.advance(SignedDuration::from_hours(25));
    let clock = Arc::clone(&api.clock);
    let nodes = (0..4).map(|_| Hrms::builder(SqlStore::clone(store)).clock(clock.clone()).build());
    let nodes: Vec<_> = nodes.collect();
    let started_by =
        all_at_once(nodes.iter().map(async |node| node.schedules().run_due().await.unwrap())).await;
    assert_eq!(started_by.iter().sum::<usize>(), 7, "{started_by:?}");
    let owner = log_in(&api.nobody, "acme", "admin@acme.example").await;
    for schedule in &schedules {
        assert_eq!(started(&owner, schedule).await.len(), 1);
    }
}

/// A schedule is nobody's way to rights that they don't have (any more).
async fn its_jobs_have_the_rights_of_who_changed_it_last(store: &Fresh) {
    let api = Api::new(store).await;
    let (ada, admin) = api.person("ada", &["admin"]).await;
    let (bob, auditless) = api.person("bob", &["admin"]).await;
    let (path, schedule) = create(&admin, &nightly("Nightly")).await;
    assert_eq!(schedule["requested_by"], ada["id"]);
    let taken =
        change(&auditless, &auditless, &path, Some(&json!({ "cron": "0 4 * * *" }))).await.expect(200).json();
    assert_eq!(taken["requested_by"], bob["id"]);
    // An employee may not even look.
    let (_, employee) = api.person("eve", &["employee"]).await;
    for reply in [
        employee.get("/api/v1/schedules").await,
        employee.get(&path).await,
        employee.post("/api/v1/schedules", &nightly("x")).await,
    ] {
        assert_eq!(code(&reply.expect(403)), "common.forbidden");
    }
    let user = format!("/api/v1/users/{}", bob["id"].as_str().unwrap());
    change(&api.owner, &api.owner, &user, Some(&json!({ "roles": ["employee"] }))).await.expect(200);
    api.clock.advance(SignedDuration::from_hours(30));
    assert_eq!(run(&api).await, 1);
    let owner = log_in(&api.nobody, "acme", "admin@acme.example").await;
    let jobs = started(&owner, &schedule).await;
    assert_eq!(
        (&jobs[0]["state"], &jobs[0]["error"]["code"]),
        (&json!("failed"), &json!("common.forbidden"))
    );
}

async fn bad_schedules_are_refused_and_change_nothing(store: &Fresh) {
    let api = Api::new(store).await;
    let long = "x".repeat(201);
    for (new, pointer) in [
        (json!({ "name": "", "kind": "audit.verify", "cron": "0 0 * * *" }), "/name"),
        (json!({ "name": long, "kind": "audit.verify", "cron": "0 0 * * *" }), "/name"),
        (json!({ "name": "a", "kind": "import.run", "cron": "0 0 * * *" }), "/kind"),
        (json!({ "name": "a", "kind": "😀", "cron": "0 0 * * *" }), "/kind"),
        (json!({ "name": "a", "kind": "audit.verify", "cron": "0 0 * *" }), "/cron"),
        (json!({ "name": "a", "kind": "audit.verify", "cron": "* * * * * *" }), "/cron"),
        (json!({ "name": "a", "kind": "audit.verify", "cron": "0 0 30 2 *" }), "/cron"),
        (
            json!({ "name": "a", "kind": "audit.verify", "cron": "0 0 * * *", "time_zone": "Mars/Base" }),
            "/time_zone",
        ),
        (
            json!({ "name": "a", "kind": "audit.verify", "cron": "0 0 * * *", "payload": { "x": 1 } }),
            "/payload",
        ),
        (json!({ "name": "a", "kind": "audit.verify", "cron": "0 0 * * *", "payload": [] }), "/payload"),
    ] {
        let refused = api.owner.post("/api/v1/schedules", &new).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{new}: {refused}");
    }
    let all = async || {
        api.owner.get("/api/v1/schedules").await.expect(200).json()["items"].as_array().unwrap().len()
    };
    assert_eq!(all().await, 0);
    let (path, _) = create(&api.owner, &nightly("a")).await;
    let twin = api.owner.post("/api/v1/schedules", &nightly("a")).await;
    assert_eq!(code(&twin.expect(409)), "schedule.name-taken");
    let bad = change(&api.owner, &api.owner, &path, Some(&json!({ "cron": "x" }))).await;
    assert_eq!(bad.expect(422).json()["errors"][0]["pointer"], "/cron");
    let stale =
        api.owner.call(Method::PATCH, &path, &[("if-match", "\"7-x\"")], Some(&json!({ "name": "b" }))).await;
    assert_eq!(stale.status, 412);
    for n in 1..100 {
        create(&api.owner, &nightly(&format!("n{n}"))).await;
    }
    let more = api.owner.post("/api/v1/schedules", &nightly("one too many")).await;
    assert_eq!(code(&more.expect(409)), "schedule.too-many");
}

/// What the caller calls its trace stays with the job; what makes no sense doesn't.
async fn a_job_keeps_the_trace_of_its_request(store: &Fresh) {
    let api = Api::new(store).await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    for (headers, expected) in [
        (vec![("traceparent", trace)], json!(trace)),
        (vec![("traceparent", "00-nonsense-01")], Value::Null),
        (vec![("traceparent", trace), ("traceparent", trace)], Value::Null),
        (vec![], Value::Null),
    ] {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(api.owner.url("/api/v1/imports?kind=designations"))
            .header("content-type", "text/csv");
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        let file = Bytes::from_static(b"code,name\nX,X\n");
        let made = api.owner.send(request.body(file).unwrap()).await.expect(202);
        let job = api.owner.get(made.header("location").unwrap()).await.expect(200).json();
        assert_eq!(job["trace"], expected, "{headers:?}");
        assert_eq!(job["request_id"], made.header("x-request-id").unwrap());
    }
}

/// Who adds a leave policy has a schedule for it; what was missed is made up for, and two nodes write it once.
async fn leave_accrues_without_being_asked_to(store: &Fresh) {
    let api = Api::new(store).await;
    let schedules = || async {
        let owner = log_in(&api.nobody, "acme", "admin@acme.example").await;
        owner.get("/api/v1/schedules").await.expect(200).json()["items"].as_array().unwrap().clone()
    };
    assert_eq!(schedules().await, Vec::<Value>::new());
    let person = json!({ "given_name": "Asha", "hired_on": "2020-01-01" });
    let person = api.owner.post("/api/v1/employees", &person).await.expect(201).json();
    let leave_type = json!({ "code": "annual", "name": "Annual leave" });
    let leave_type = api.owner.post("/api/v1/leave-types", &leave_type).await.expect(201).json();
    let policy = |code: &str, applies_to: &str| {
        json!({
            "leave_type_id": leave_type["id"], "code": code, "name": code, "applies_to": applies_to,
            "effective_from": "2020-01-01",
            "rules": { "accrual": { "levels": [{ "earn": { "per_year": { "days": "12" } }, "every": "monthly" }] } },
        })
    };
    api.owner.post("/api/v1/leave-policies", &policy("annual", "everyone")).await.expect(201);
    let all = schedules().await;
    let schedule = &all[0];
    assert_eq!(
        (all.len(), &schedule["kind"], &schedule["requested_by"], &schedule["enabled"]),
        (1, &json!("leave.accrue"), &json!(null), &json!(true))
    );
    let next = schedule["next_at"].as_str().unwrap().to_owned();
    assert!(next.ends_with("T00:30:00Z"), "{next}");
    let registry = JobRegistry::empty().with::<AccrueLeave>();
    assert_eq!(run_until_idle(&api.hrms, &registry).await.unwrap(), 0, "not due yet");
    // Two nodes, forty nights later.
    api.clock.set(next.parse().unwrap());
    api.clock.advance(SignedDuration::from_hours(40 * 24));
    let (one, two) = tokio::join!(run_until_idle(&api.hrms, &registry), run_until_idle(&api.hrms, &registry));
    assert_eq!(one.unwrap() + two.unwrap(), 1);
    let owner = log_in(&api.nobody, "acme", "admin@acme.example").await;
    let jobs = started(&owner, schedule).await;
    assert_eq!((jobs.len(), &jobs[0]["state"]), (1, &json!("succeeded")), "{jobs:?}");
    let lots = jobs[0]["result"]["lots"].as_u64().unwrap();
    let account = format!(
        "/api/v1/leave-balances/{}/{}",
        person["id"].as_str().unwrap(),
        leave_type["id"].as_str().unwrap()
    );
    let account = owner.get(&account).await.expect(200).json();
    assert_eq!(account["lots"].as_array().unwrap().len() as u64, lots);
    assert!(lots > 12, "months that nobody wrote before");
    // Each night once; who removes it doesn't get it back with the next policy.
    api.clock.advance(SignedDuration::from_hours(24));
    assert_eq!(run_until_idle(&api.hrms, &registry).await.unwrap(), 1);
    let owner = log_in(&api.nobody, "acme", "admin@acme.example").await;
    owner.post("/api/v1/leave-policies", &policy("more", "assigned")).await.expect(201);
    assert_eq!(schedules().await.len(), 1);
    let path = format!("/api/v1/schedules/{}", schedule["id"].as_str().unwrap());
    change(&owner, &owner, &path, None).await.expect(204);
    owner.post("/api/v1/leave-policies", &policy("more-yet", "assigned")).await.expect(201);
    assert_eq!(schedules().await.len(), 0);
}

macro_rules! on_every_engine {
    ($($story:ident),+ $(,)?) => {
        mod on_sqlite_memory { $(#[tokio::test] async fn $story() { super::$story(&super::sqlite_memory().await).await; })+ }
        mod on_sqlite_file { $(#[tokio::test] async fn $story() { super::$story(&super::sqlite_file().await).await; })+ }
        mod on_postgres { $(#[tokio::test] async fn $story() { super::$story(&super::postgres().await).await; })+ }
    };
}
on_every_engine!(
    a_schedule_starts_jobs_in_its_zone_and_catches_up_once,
    several_schedulers_start_each_job_once,
    its_jobs_have_the_rights_of_who_changed_it_last,
    bad_schedules_are_refused_and_change_nothing,
    a_job_keeps_the_trace_of_its_request,
    leave_accrues_without_being_asked_to,
);
