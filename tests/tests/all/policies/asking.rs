//! Trying changes, and asking why.

use hrms_store::SqlStore;
use hrms_tests::{Client, on_every_engine};
use serde_json::{Value, json};

use super::refused;
use super::world::World;

const LONG: &str = r#"forbid (principal is User, action == Action::"leave.decide", resource)
when { principal.roles.contains("manager") && resource.days > 5 };"#;

struct Office {
    world: World,
    manager: String,
    five: String,
    six: String,
    own: String,
}

impl Office {
    async fn new(store: &SqlStore) -> Self {
        let world = World::new(store).await;
        let boss = world.hire("Mia", json!({})).await;
        let report = world.hire("Rob", json!({ "manager_id": boss })).await;
        let email = format!("mia-{}@acme.example", world.tenant);
        let user = json!({
            "email": email, "name": "Mia", "roles": ["manager", "employee"], "employee_id": boss,
            "password": "seven anvils on a roof",
        });
        let manager = world.add("users", user).await;
        let five = world.ask_for_leave(&report, "2026-12-01", "2026-12-07").await;
        let six = world.ask_for_leave(&report, "2026-12-08", "2026-12-15").await;
        let own = world.ask_for_leave(&boss, "2026-12-01", "2026-12-01").await;
        Self { world, manager, five, six, own }
    }

    async fn explain(&self, more: Value) -> Value {
        let mut ask = json!({ "user_id": self.manager, "permission": "leave.decide" });
        ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.world.role("auditor").post("/api/v1/policies/explain", &ask).await.expect(200).json()
    }
}

async fn a_decision_is_explained(store: &SqlStore) {
    let office = Office::new(store).await;
    let before = office.explain(json!({ "leave_request_id": office.six })).await;
    assert_eq!(
        (&before["decision"], &before["allowed_by_roles"], &before["verdict"], &before["scopes"]),
        (&json!("allow"), &json!(true), &json!("silent"), &json!(["reports"]))
    );
    let id = office.world.write("Five days", LONG).await;
    let after = office.explain(json!({ "leave_request_id": office.six })).await;
    assert_eq!((&after["decision"], &after["verdict"]), (&json!("deny"), &json!("forbid")), "{after}");
    assert_eq!(after["policies"], json!([{ "id": id, "name": "Five days" }]));
    assert_eq!(after["allowed_by_roles"], true);
    assert_eq!(office.explain(json!({ "leave_request_id": office.five })).await["decision"], "allow");
    // Without a request the attribute is missing, and what is missing forbids.
    let missing = office.explain(json!({})).await;
    assert_eq!(missing["verdict"], "forbid");
    assert!(missing["errors"][0]["detail"].as_str().unwrap().contains("days"), "{missing}");
    assert_eq!(missing["errors"][0]["policy_id"], json!(id));
    let own = office.explain(json!({ "leave_request_id": office.own })).await;
    assert_eq!((&own["decision"], &own["hard_rule"]), (&json!("deny"), &json!("leave.self-approval")));

    let hours =
        r#"forbid (principal, action == Action::"org-chart.read", resource) when { context.hour < 8 };"#;
    office.world.write("Office hours", hours).await;
    for (at, decision) in [("2026-11-21T07:59:59Z", "deny"), ("2026-11-21T08:00:00Z", "allow")] {
        let asked = json!({ "permission": "org-chart.read", "context": { "at": at } });
        assert_eq!(office.explain(asked).await["decision"], decision, "{at}");
    }
}

async fn explanations_leak_nothing(store: &SqlStore) {
    let (office, other) = (Office::new(store).await, Office::new(store).await);
    let ask = |user: &str, more: Value| {
        let mut ask = json!({ "user_id": user, "permission": "employee.read" });
        ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        ask
    };
    let auditor = office.world.role("auditor");
    let random = "019a0000-0000-7000-8000-000000000000";
    let mut answers = Vec::new();
    for user in [other.manager.as_str(), random] {
        let reply = auditor.post("/api/v1/policies/explain", &ask(user, json!({}))).await;
        answers.push(refused(reply, 422, "common.invalid")["errors"].clone());
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0][0]["pointer"], "/user_id");
    // Somebody whom the auditor may not see.
    let hidden = office.world.hire("Hid", json!({})).await;
    let text = format!(
        r#"forbid (principal is User, action == Action::"employee.read", resource == Employee::"{hidden}")
when {{ principal.roles.contains("auditor") }};"#
    );
    office.world.write("Hidden", &text).await;
    for employee in [hidden.as_str(), random] {
        let asked = ask(&office.manager, json!({ "employee_id": employee }));
        let reply = auditor.post("/api/v1/policies/explain", &asked).await;
        assert_eq!(refused(reply, 422, "common.invalid")["errors"][0]["pointer"], "/employee_id");
    }
    let asked = ask(&office.manager, json!({ "employee_id": hidden }));
    office.world.role("owner").post("/api/v1/policies/explain", &asked).await.expect(200);
    refused(office.world.role("hr").post("/api/v1/policies/explain", &asked).await, 403, "common.forbidden");
    let tried = json!({ "changes": [{ "text": LONG }], "employees": [hidden] });
    let reply = auditor.post("/api/v1/policies/dry-run", &tried).await;
    assert_eq!(refused(reply, 422, "common.invalid")["errors"][0]["pointer"], "/employees/0");
}

async fn a_dry_run_tells_what_would_change_and_changes_nothing(store: &SqlStore) {
    let office = Office::new(store).await;
    let admin = office.world.role("admin");
    let tried = json!({
        "changes": [{ "text": LONG }], "users": [office.manager],
        "leave_requests": [office.five, office.six, office.own],
    });
    let result = admin.post("/api/v1/policies/dry-run", &tried).await.expect(200).json();
    assert_eq!(
        (&result["decisions"], &result["lost"], &result["gained"]),
        (&json!(3), &json!(1), &json!(0)),
        "{result}"
    );
    let flip = &result["flips"][0];
    assert_eq!((&flip["user_id"], &flip["leave_request_id"]), (&json!(office.manager), &json!(office.six)));
    assert_eq!((&flip["before"], &flip["after"]), (&json!("allow"), &json!("deny")));
    assert_eq!(admin.get("/api/v1/policies").await.expect(200).json()["items"], json!([]));

    let id = office.world.write("Five days", LONG).await;
    let gone = json!({ "changes": [{ "policy_id": id }], "users": [office.manager] });
    let result = admin.post("/api/v1/policies/dry-run", &gone).await.expect(200).json();
    assert_eq!((&result["lost"], &result["gained"]), (&json!(0), &json!(1)), "{result}");
    let looser = LONG.replace("> 5", "> 3");
    let stricter = json!({ "changes": [{ "policy_id": id, "text": looser }], "users": [office.manager] });
    let result = admin.post("/api/v1/policies/dry-run", &stricter).await.expect(200).json();
    assert_eq!((&result["lost"], &result["gained"]), (&json!(1), &json!(0)), "{result}");

    for (changes, pointer) in [
        (json!([]), "/changes"),
        (json!([{}]), "/changes/0"),
        (json!([{ "text": LONG }, { "text": "forbid" }]), "/changes/1/text"),
        (json!([{ "policy_id": office.manager, "text": LONG }]), "/changes/0/policy_id"),
    ] {
        let reply = admin.post("/api/v1/policies/dry-run", &json!({ "changes": changes })).await;
        assert_eq!(refused(reply, 422, "common.invalid")["errors"][0]["pointer"], pointer);
    }
    let users = vec![json!(office.manager); 200];
    let all = json!({ "changes": [{ "text": "permit (principal, action, resource);" }], "users": users });
    refused(admin.post("/api/v1/policies/dry-run", &all).await, 422, "policy.dry-run-too-large");
}

/// What policies say of somebody tells where they work: only to who may see that.
async fn questions_are_no_way_to_somebodys_employment(store: &SqlStore) {
    let world = World::new(store).await;
    let munich = world.location("muc").await;
    let hidden = world.hire("Hid", json!({ "location_id": munich })).await;
    let user = json!({
        "email": format!("hid-{}@acme.example", world.tenant), "name": "Hid", "roles": ["employee"],
        "employee_id": hidden, "password": "seven anvils on a roof",
    });
    let user = world.add("users", user).await;
    let request = world.ask_for_leave(&hidden, "2026-12-01", "2026-12-01").await;
    let text = format!(
        r#"forbid (principal is User, action == Action::"employee.read", resource == Employee::"{hidden}")
when {{ principal.roles.contains("auditor") }};"#
    );
    world.write("Hidden", &text).await;
    let guess = format!(
        r#"permit (principal is User, action == Action::"location.manage", resource)
when {{ principal has location && principal.location == Location::"{munich}" }};"#
    );
    let owner_of = r#"forbid (principal, action == Action::"leave.read", resource is LeaveRequest)
when { resource.owner has location };"#;
    let (auditor, owner) = (world.role("auditor"), world.role("owner"));
    let explain = json!({ "user_id": user, "permission": "location.manage" });
    let of_request = json!({ "user_id": user, "permission": "leave.read", "leave_request_id": request });
    let named = json!({ "changes": [{ "text": guess }], "users": [user] });
    let requests = json!({ "changes": [{ "text": owner_of }], "users": [], "leave_requests": [request] });
    for (path, body, pointer, code) in [
        ("explain", &explain, "/user_id", "employee-not-visible"),
        ("explain", &of_request, "/user_id", "employee-not-visible"),
        ("dry-run", &named, "/users/0", "employee-not-visible"),
        ("dry-run", &requests, "/leave_requests/0", "unknown-reference"),
    ] {
        let path = format!("/api/v1/policies/{path}");
        let fault = refused(auditor.post(&path, body).await, 422, "common.invalid")["errors"][0].clone();
        assert_eq!((&fault["pointer"], &fault["code"]), (&json!(pointer), &json!(code)));
        owner.post(&path, body).await.expect(200);
    }
    // A sample has only whom one may see.
    let sample = json!({ "changes": [{ "text": guess }] });
    let try_it = async |by: &Client| by.post("/api/v1/policies/dry-run", &sample).await.expect(200).json();
    let (seen, all) = (try_it(&auditor).await, try_it(&owner).await);
    assert_eq!((&seen["decisions"], &seen["gained"]), (&json!(0), &json!(0)), "{seen}");
    assert_eq!((&all["decisions"], &all["gained"]), (&json!(1), &json!(1)), "{all}");
}

async fn integrations_are_asked_about_too(store: &SqlStore) {
    let world = World::new(store).await;
    let account = json!({ "name": "Sync", "permissions": ["leave.read", "location.read"] });
    let account = world.add("service-accounts", account).await;
    let text = r#"forbid (principal is ServiceAccount, action == Action::"location.read", resource);"#;
    let tried = json!({ "changes": [{ "text": text }], "users": [], "service_accounts": [account] });
    let result = world.role("admin").post("/api/v1/policies/dry-run", &tried).await.expect(200).json();
    let flip = json!({
        "user_id": null, "service_account_id": account, "permission": "location.read", "employee_id": null,
        "leave_request_id": null, "before": "allow", "after": "deny",
    });
    assert_eq!((&result["lost"], &result["flips"]), (&json!(1), &json!([flip])), "{result}");
    let id = world.write("No places for programs", text).await;
    let explain = async |more: Value| {
        let mut ask = json!({ "service_account_id": account });
        ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.role("admin").post("/api/v1/policies/explain", &ask).await
    };
    let answer = explain(json!({ "permission": "location.read" })).await.expect(200).json();
    assert_eq!(
        (&answer["decision"], &answer["allowed_by_roles"]),
        (&json!("deny"), &json!(true)),
        "{answer}"
    );
    assert_eq!(answer["policies"][0]["id"], json!(id));
    // What is for people only stays so.
    world
        .write("Programs decide", r#"permit (principal, action == Action::"leave.decide", resource);"#)
        .await;
    let answer = explain(json!({ "permission": "leave.decide" })).await.expect(200).json();
    let rule = (&answer["decision"], &answer["hard_rule"]);
    assert_eq!(rule, (&json!("deny"), &json!("not-for-programs")), "{answer}");
    // One of the two, that is there, and that one may see.
    let random = "019a0000-0000-7000-8000-000000000000";
    for (more, pointer) in [
        (json!({ "user_id": random }), "/user_id"),
        (json!({ "service_account_id": null }), "/user_id"),
        (json!({ "service_account_id": random }), "/service_account_id"),
    ] {
        let mut ask = json!({ "permission": "location.read" });
        ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let body = refused(explain(ask).await, 422, "common.invalid");
        assert_eq!(body["errors"][0]["pointer"], pointer, "{body}");
    }
}

/// Derived structs would take an array as their fields in order.
async fn objects_are_objects(store: &SqlStore) {
    let world = World::new(store).await;
    let owner = world.role("owner");
    let text = "forbid (principal, action, resource);";
    for (path, body, pointer) in [
        ("policies/dry-run", json!({ "changes": [[null, text]] }), "/changes/0"),
        ("policies/dry-run", json!({ "changes": [{ "text": [text] }] }), "/changes/0/text"),
        ("policies/dry-run", json!({ "changes": [{ "text": text }], "context": [] }), "/context"),
        (
            "policies/dry-run",
            json!({ "changes": [{ "text": text }], "context": { "at": {} } }),
            "/context/at",
        ),
        ("policies/dry-run", json!({ "changes": [{ "text": text }], "users": [[]] }), "/users/0"),
        (
            "policies/explain",
            json!({ "user_id": world.tenant, "permission": "leave.read", "context": [null, null, true] }),
            "/context",
        ),
        ("policies/explain", json!({ "user_id": {}, "permission": "leave.read" }), "/user_id"),
        ("roles", json!({ "code": "x1", "name": "X", "grants": [["leave.read", "own"]] }), "/grants/0"),
    ] {
        let reply = owner.post(&format!("/api/v1/{path}"), &body).await;
        let fault = refused(reply, 422, "common.invalid")["errors"][0].clone();
        assert_eq!(fault["pointer"], pointer, "{body}: {fault}");
    }
}

async fn an_organisation_asks_one_thing_at_a_time(store: &SqlStore) {
    let (office, other) = (Office::new(store).await, World::new(store).await);
    let admin = office.world.role("admin");
    let users = vec![json!(office.manager); 100];
    let text = "forbid (principal, action, resource is LeaveRequest) when { resource.days > 5 };";
    let tried = json!({ "changes": [{ "text": text }], "users": users });
    let ask = || admin.post("/api/v1/policies/dry-run", &tried);
    let elsewhere = other.role("admin");
    let small = json!({ "changes": [{ "text": text }] });
    let (one, two, three, four, far) =
        tokio::join!(ask(), ask(), ask(), ask(), elsewhere.post("/api/v1/policies/dry-run", &small));
    far.expect(200);
    let (mut answered, mut refusals) = (0, 0);
    for reply in [one, two, three, four] {
        if reply.status == 200 {
            answered += 1;
        } else {
            assert_eq!(reply.header("retry-after"), Some("1"));
            refused(reply, 429, "policy.asking");
            refusals += 1;
        }
    }
    assert!(answered >= 1 && refusals >= 1, "{answered} answered, {refusals} refused");
    // The turn is given back, after a fault too.
    let faulty = json!({ "changes": [{ "text": "forbid" }] });
    refused(admin.post("/api/v1/policies/dry-run", &faulty).await, 422, "common.invalid");
    ask().await.expect(200);
}

/// The second worked example of the guide does what the guide says.
async fn the_worked_example_works(store: &SqlStore) {
    let guide = include_str!("../../../../docs/policies.md");
    let section = guide.split("## A worked example").nth(1).unwrap();
    let text = section.split("```cedar\n").nth(1).unwrap().split("```").next().unwrap();
    let world = World::new(store).await;
    let (munich, berlin) = (world.location("muc").await, world.location("ber").await);
    let here = world.hire("Here", json!({ "location_id": munich })).await;
    let there = world.hire("There", json!({ "location_id": berlin })).await;
    let clerk = world.hire("Clerk", json!({ "location_id": munich })).await;
    let payroll = world.on(&world.here, "payroll", &clerk, &munich);
    let pay = |of: &str| format!("/api/v1/employees/{of}/compensation");
    payroll.get(&pay(&there)).await.expect(200);
    let tried = json!({ "changes": [{ "text": text }], "permissions": ["employee.read-compensation"] });
    world.role("owner").post("/api/v1/policies/dry-run", &tried).await.expect(200);
    world.write("Pay stays at the place", text).await;
    payroll.get(&pay(&here)).await.expect(200);
    refused(payroll.get(&pay(&there)).await, 403, "common.forbidden");
    // Whoever works nowhere sees nobody's, and everybody still sees their own.
    refused(world.role("payroll").get(&pay(&here)).await, 403, "common.forbidden");
    world.on(&world.here, "employee", &there, &berlin).get(&pay(&there)).await.expect(200);
}

on_every_engine! {
    a_decision_is_explained,
    explanations_leak_nothing,
    a_dry_run_tells_what_would_change_and_changes_nothing,
    questions_are_no_way_to_somebodys_employment,
    integrations_are_asked_about_too,
    objects_are_objects,
    an_organisation_asks_one_thing_at_a_time,
    the_worked_example_works,
}
