//! Lists under policies: rows that may not be seen aren't there, and pages are full all the same.

use std::collections::HashMap;

use hrms_store::SqlStore;
use hrms_tests::{Client, on_every_engine};
use http::Method;
use serde_json::{Value, json};

use super::world::World;

/// Every item of a list, page by page; all pages but the last one are full.
async fn all(client: &Client, path: &str, limit: usize) -> Vec<Value> {
    let mut items = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("{path}limit={limit}{cursor}")).await.expect(200).json();
        let found = page["items"].as_array().unwrap().clone();
        let Some(next) = page["next_cursor"].as_str() else {
            assert!(found.len() <= limit);
            items.extend(found);
            return items;
        };
        assert_eq!(found.len(), limit, "a page that isn't the last one is full");
        items.extend(found);
        cursor = format!("&cursor={next}");
    }
}

async fn hidden_people_are_nowhere_and_pages_stay_full(store: &SqlStore) {
    let world = World::new(store).await;
    let (open, secret) = (world.location("open").await, world.location("secret").await);
    let mut hidden = Vec::new();
    for number in 0..30 {
        // Two of three are hidden.
        let place = if number % 3 == 0 { &open } else { &secret };
        let id = world.hire(&format!("P{number:02}"), json!({ "location_id": place })).await;
        if number % 3 != 0 {
            hidden.push(id);
        }
    }
    let hr = world.role("hr");
    assert_eq!(all(&hr, "/api/v1/employees?", 7).await.len(), 30);
    let text = format!(
        r#"forbid (principal is User, action == Action::"employee.read", resource)
when {{ resource has location && resource.location == Location::"{secret}" }}
unless {{ principal.roles.contains("owner") }};"#
    );
    world.write("Hidden people", &text).await;
    for limit in [1, 3, 4, 10, 200] {
        let seen = all(&hr, "/api/v1/employees?", limit).await;
        assert_eq!(seen.len(), 10, "limit {limit}");
        assert!(seen.iter().all(|one| one["employment"]["location"]["id"] == json!(open)), "{seen:?}");
        let seen = all(&hr, "/api/v1/employees?sort=-hired_on&", limit).await;
        assert_eq!(seen.len(), 10, "limit {limit}");
    }
    assert_eq!(all(&hr, "/api/v1/employees?q=P01&", 5).await, Vec::<Value>::new());
    hr.get(&format!("/api/v1/employees/{}", hidden[0])).await.expect(404);
    let patch = json!({ "given_name": "X" });
    let path = format!("/api/v1/employees/{}", hidden[0]);
    let tag = world.role("owner").get(&path).await.expect(200).header("etag").unwrap().to_owned();
    let headers = [("if-match", tag.as_str())];
    hr.call(http::Method::PATCH, &path, &headers, Some(&patch)).await.expect(404);
    let file = hr.get("/api/v1/exports/employees").await.expect(200).text();
    assert_eq!(file.lines().count(), 11, "{file}");
    assert!(!file.contains("P01"), "{file}");
    assert_eq!(all(&world.role("owner"), "/api/v1/employees?", 7).await.len(), 30);
}

/// Whom somebody mustn't see, of them nothing is to be seen or changed, whatever permits it.
async fn of_hidden_people_every_group_is_hidden(store: &SqlStore) {
    let world = World::new(store).await;
    let (seen, hidden) = (world.hire("Seen", json!({})).await, world.hire("Hidden", json!({})).await);
    world.write("All", "permit (principal, action, resource);").await;
    let at = |id: &str, part: &str| format!("/api/v1/employees/{id}{part}");
    let owner = world.role("owner");
    let parts = ["", "/history", "/personal", "/compensation", "/bank", "/identity", "/medical"];
    let mut tags = HashMap::new();
    for part in parts {
        let tag = owner.get(&at(&hidden, part)).await.expect(200).header("etag").map(str::to_owned);
        tags.extend(tag.map(|tag| (part, tag)));
    }
    let change = async |by: &Client, id: &str, part: &str, tag: &str| {
        let body = match part {
            "/personal" => json!({ "private_phone": "+49 30 1" }),
            "/compensation" => json!({ "base_pay": { "amount": "1", "currency": "EUR" } }),
            "/bank" => json!({ "bank_name": "Bank" }),
            _ => json!({ "given_name": "New" }),
        };
        by.call(Method::PATCH, &at(id, part), &[("if-match", tag)], Some(&body)).await
    };
    let text = format!(
        "forbid (principal, action == Action::\"employee.read\", resource) when {{ resource == Employee::\"{hidden}\" }};"
    );
    world.write("Nobody sees them", &text).await;
    for role in ["owner", "hr", "payroll"] {
        let by = world.role(role);
        for part in parts {
            let gone = by.get(&at(&hidden, part)).await.expect(404).json();
            assert_eq!(gone["code"], "common.not-found", "{role} {part}");
            by.get(&at(&seen, part)).await.expect(200);
        }
        for part in ["", "/personal", "/compensation", "/bank"] {
            let refused = change(&by, &hidden, part, &tags[part]).await;
            assert_eq!(refused.expect(404).json()["code"], "common.not-found", "{role} {part}");
        }
    }
    // Nor by a file, row by row.
    let file = "number,given_name,family_name,hired_on\nE-1,A,B,2020-01-01\n";
    let refused = owner.upload("/api/v1/imports?kind=employees", "text/csv", file.into()).await.expect(403);
    assert_eq!(refused.json()["code"], "common.forbidden");
}

async fn hidden_requests_are_nowhere_and_pages_stay_full(store: &SqlStore) {
    let world = World::new(store).await;
    let employee = world.hire("Ann", json!({})).await;
    let mut long = String::new();
    for week in 0..6 {
        // Every other request is for two days.
        let first = 7 + week * 2;
        let last = first + week % 2;
        let (first, last) = (format!("2026-12-{first:02}"), format!("2026-12-{last:02}"));
        let made = world.ask_for_leave(&employee, &first, &last).await;
        if first != last {
            long = made;
        }
    }
    world
        .write(
            "Short ones only",
            r#"forbid (principal is User, action == Action::"leave.read", resource is LeaveRequest)
when { resource.days > 1 } unless { principal.roles.contains("owner") };"#,
        )
        .await;
    let hr = world.role("hr");
    for limit in [1, 2, 50] {
        let seen = all(&hr, "/api/v1/leave-requests?", limit).await;
        assert!(!seen.is_empty() && seen.len() < 6, "{seen:?}");
        assert!(seen.iter().all(|one| one["days"] == "1" || one["days"] == "0"), "{seen:?}");
        let seen = all(&hr, "/api/v1/leave-requests?decidable_by_me=true&", limit).await;
        assert!(seen.iter().all(|one| one["days"] == "1"), "{seen:?}");
    }
    hr.get(&format!("/api/v1/leave-requests/{long}")).await.expect(404);
    hr.post(&format!("/api/v1/leave-requests/{long}/approve"), &json!({})).await.expect(404);
    hr.get(&format!("/api/v1/leave-balances?employee_id={employee}")).await.expect(200);
    assert_eq!(all(&world.role("owner"), "/api/v1/leave-requests?", 4).await.len(), 6);
}

async fn a_permit_shows_what_no_role_does(store: &SqlStore) {
    let world = World::new(store).await;
    let (here, there) = (world.location("here").await, world.location("there").await);
    let me = world.hire("Me", json!({ "location_id": here })).await;
    for number in 0..4 {
        let place = if number % 2 == 0 { &here } else { &there };
        world.hire(&format!("P{number}"), json!({ "location_id": place })).await;
    }
    let employee = world.on(&world.here, "employee", &me, &here);
    assert_eq!(all(&employee, "/api/v1/employees?", 2).await.len(), 1, "only oneself");
    world
        .write(
            "Colleagues at the same place",
            r#"permit (principal is User, action == Action::"employee.read", resource)
when { principal has location && resource has location && principal.location == resource.location };"#,
        )
        .await;
    assert_eq!(all(&employee, "/api/v1/employees?", 2).await.len(), 3);
}

on_every_engine! {
    hidden_people_are_nowhere_and_pages_stay_full,
    of_hidden_people_every_group_is_hidden,
    hidden_requests_are_nowhere_and_pages_stay_full,
    a_permit_shows_what_no_role_does,
}
