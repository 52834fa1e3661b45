//! Trying changes, and asking why.

use hrms_store::SqlStore;
use hrms_tests::on_every_engine;
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

on_every_engine! {
    a_decision_is_explained,
    explanations_leak_nothing,
    a_dry_run_tells_what_would_change_and_changes_nothing,
}
