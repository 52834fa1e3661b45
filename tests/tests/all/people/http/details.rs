//! Groups of an employee's data: who sees and changes which, and where nothing of them is seen.

use hrms_store::SqlStore;
use hrms_tests::{Client, Reply, on_every_engine};
use http::Method;
use serde_json::{Value, json};

use super::{Api, problem};

/// A value of each group that must appear nowhere else.
const GROUPS: [(&str, &str, &str); 5] = [
    ("personal", "private_email", "canary-personal@example.org"),
    ("compensation", "pay_grade", "canary-compensation"),
    ("bank", "account_number", "CANARYBANK123"),
    ("identity", "passport_number", "canary-identity"),
    ("medical", "allergies", "canary-medical"),
];

async fn change(by: &Client, path: &str, tag: &str, body: &Value) -> Reply {
    by.call(Method::PATCH, path, &[("if-match", tag)], Some(body)).await
}

fn tag(reply: &Reply) -> String {
    reply.header("etag").unwrap().to_owned()
}

/// Each role sees and changes exactly the groups that the matrix says, of exactly the people it reaches.
async fn each_role_reaches_its_groups(store: &SqlStore) {
    let api = Api::start(store).await;
    let boss = api.hire("Boss", json!({})).await;
    let asha = api.hire("Asha", json!({ "manager_id": boss["id"] })).await;
    let mira = api.hire("Mira", json!({ "manager_id": boss["id"] })).await;
    let nobody = json!("-");
    let owner = api.as_role("owner", &nobody);
    for (group, field, canary) in GROUPS {
        let path = format!("/api/v1/employees/{}/{group}", asha["id"].as_str().unwrap());
        let empty = owner.get(&path).await.expect(200);
        assert_eq!((&empty.json()["version"], &empty.json()[field]), (&json!(0), &Value::Null));
        let set = change(&owner, &path, &tag(&empty), &json!({ field: canary })).await.expect(200);
        assert_eq!((&set.json()["version"], &set.json()[field]), (&json!(1), &json!(canary)));
        problem(change(&owner, &path, &tag(&empty), &json!({ field: null })).await, 412, "common.stale", &[]);
        let same = change(&owner, &path, &tag(&set), &json!({ field: canary })).await.expect(200);
        assert_eq!(same.json()["version"], 1, "nothing changed");

        let readers: &[&str] = match group {
            "personal" => &["admin", "hr"],
            "identity" => &["admin", "hr", "payroll"],
            "compensation" | "bank" => &["payroll"],
            _ => &[],
        };
        for role in ["admin", "hr", "payroll", "manager", "employee", "auditor"] {
            // Whoever manages Asha, and a colleague.
            for (by, reaches) in [(&boss, role == "manager"), (&mira, false)] {
                let client = api.as_role(role, &by["id"]);
                let reply = client.get(&path).await;
                if readers.contains(&role) {
                    assert_eq!(reply.expect(200).json()[field], canary, "{role} {group}");
                    continue;
                }
                let body = reply.json();
                // To a colleague she isn't there at all; a manager learns that this is barred.
                let held = role == "employee" && !reaches;
                let expected = if held { (404, "common.not-found") } else { (403, "common.forbidden") };
                assert_eq!((body["status"].as_u64(), &body["code"]), (Some(expected.0), &json!(expected.1)));
                assert!(!body.to_string().contains("canary"), "{role} {group}: {body}");
            }
        }
        let own = api.as_role("employee", &asha["id"]);
        assert_eq!(own.get(&path).await.expect(200).json()[field], canary);
        problem(change(&own, &path, &tag(&set), &json!({ field: null })).await, 403, "common.forbidden", &[]);
        let auditor = api.as_role("auditor", &nobody);
        problem(
            change(&auditor, &path, &tag(&set), &json!({ field: null })).await,
            403,
            "common.forbidden",
            &[],
        );
    }
    // Nobody changes their own pay, by whatever right.
    let own = api.as_role("owner", &asha["id"]);
    let path = format!("/api/v1/employees/{}/compensation", asha["id"].as_str().unwrap());
    let read = own.get(&path).await.expect(200);
    let raise = json!({ "base_pay": { "amount": "1000000", "currency": "INR" } });
    problem(change(&own, &path, &tag(&read), &raise).await, 403, "employee.own-details", &[]);
    assert_eq!(own.get(&path).await.json()["base_pay"], Value::Null);
}

/// No list, search, single read, export, event or record of what was done shows a value of any group.
async fn what_is_apart_shows_nowhere_else(store: &SqlStore) {
    let api = Api::start(store).await;
    let asha = api.hire("Asha", json!({ "birth_date": "1990-02-28", "gender": "female" })).await;
    let owner = api.as_role("owner", &json!("-"));
    for (group, field, canary) in GROUPS {
        let path = format!("/api/v1/employees/{}/{group}", asha["id"].as_str().unwrap());
        let empty = owner.get(&path).await.expect(200);
        change(&owner, &path, &tag(&empty), &json!({ field: canary })).await.expect(200);
    }
    let id = asha["id"].as_str().unwrap();
    for path in [
        "/api/v1/employees".to_owned(),
        "/api/v1/employees?q=canary".to_owned(),
        format!("/api/v1/employees/{id}"),
        format!("/api/v1/employees/{id}/history"),
        "/api/v1/org-chart".to_owned(),
        "/api/v1/exports/employees".to_owned(),
    ] {
        let text = owner.get(&path).await.expect(200).text();
        assert!(!text.to_lowercase().contains("canary"), "{path}: {text}");
    }
    for query in ["private_email=x", "pay_grade=x", "account_number=x", "sort=pay_grade", "sort=-birth_date"]
    {
        let refused = owner.get(&format!("/api/v1/employees?{query}")).await.expect(422).json();
        assert_eq!(refused["errors"].as_array().unwrap().len(), 1, "{refused}");
    }
    use hrms_core::Store;
    let mut tx = store.read(api.tenant).await.unwrap();
    let events = tx.events().after(0, 200).await.unwrap();
    let of_details: Vec<_> = events.iter().filter(|one| one.kind == "employee_detail.changed").collect();
    assert_eq!(of_details.len(), GROUPS.len());
    let text = format!("{events:?}").to_lowercase();
    assert!(!text.contains("canary") && !text.contains("1990-02-28"), "{text}");
}

async fn faulty_values_are_named(store: &SqlStore) {
    let api = Api::start(store).await;
    let asha = api.hire("Asha", json!({})).await;
    let owner = api.as_role("owner", &json!("-"));
    let long = "x".repeat(501);
    for (group, body, pointer) in [
        ("personal", json!({ "private_email": "no address" }), "/private_email"),
        ("personal", json!({ "home_address": long }), "/home_address"),
        ("personal", json!({ "private_phone": "" }), "/private_phone"),
        ("bank", json!({ "account_number": "DE 12" }), "/account_number"),
        ("bank", json!({ "account_number": "DÉ12" }), "/account_number"),
        ("compensation", json!({ "base_pay": { "amount": "-1", "currency": "INR" } }), "/base_pay"),
        ("compensation", json!({ "base_pay": { "amount": "1.00001", "currency": "INR" } }), "/base_pay"),
        ("compensation", json!({ "base_pay": { "amount": "1", "currency": "inr" } }), "/base_pay"),
        ("compensation", json!({ "base_pay": { "amount": 1.5, "currency": "INR" } }), "/base_pay/amount"),
        ("compensation", json!({ "pay_period": "decade" }), "/pay_period"),
        ("medical", json!({ "blood_group": "x".repeat(11) }), "/blood_group"),
        ("identity", json!({ "no_such_number": "1" }), "/no_such_number"),
    ] {
        let path = format!("/api/v1/employees/{}/{group}", asha["id"].as_str().unwrap());
        let tag = tag(&owner.get(&path).await.expect(200));
        let refused = change(&owner, &path, &tag, &body).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
        assert_eq!(owner.get(&path).await.json()["version"], 0, "nothing was written");
    }
}

on_every_engine!(each_role_reaches_its_groups, what_is_apart_shows_nowhere_else, faulty_values_are_named,);
