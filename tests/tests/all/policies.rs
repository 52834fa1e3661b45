//! Policies that organisations write, over HTTP, on every engine.

mod asking;
mod handing;
mod lists;
mod world;

use hrms_core::jiff::SignedDuration;
use hrms_core::policy::written::{PolicyVersion, WrittenPolicy};
use hrms_core::{Clock, Hrms, PolicyId, Store, Version};
use hrms_store::SqlStore;
use hrms_tests::{Reply, on_every_engine};
use http::Method;
use serde_json::{Value, json};

use world::World;

#[track_caller]
fn refused(reply: Reply, status: u16, code: &str) -> Value {
    let body = reply.expect(status).json();
    assert_eq!(body["code"], code, "{body}");
    body
}

async fn a_forbid_takes_effect_on_every_node_within_seconds(store: &SqlStore) {
    let world = World::new(store).await;
    let other = World::new(store).await;
    let munich = world.location("muc").await;
    let manager = world.hire("Mia", json!({ "location_id": munich })).await;
    let report = world.hire("Rob", json!({ "manager_id": manager })).await;
    let five = world.ask_for_leave(&report, "2026-12-01", "2026-12-07").await;
    let six = world.ask_for_leave(&report, "2026-12-08", "2026-12-15").await;
    let text = format!(
        r#"forbid (principal is User, action == Action::"leave.decide", resource)
when {{ principal has location && principal.location == Location::"{munich}" }}
when {{ resource.days > 5 }};"#
    );
    // Both nodes have looked before there was a policy.
    for node in [&world.here, &world.there] {
        let mia = world.on(node, "manager", &manager, &munich);
        mia.get(&format!("/api/v1/leave-requests/{six}")).await.expect(200);
    }
    world.write("Munich: five days", &text).await;
    let here = world.on(&world.here, "manager", &manager, &munich);
    let approve = |id: &str| format!("/api/v1/leave-requests/{id}/approve");
    refused(here.post(&approve(&six), &json!({})).await, 403, "common.forbidden");
    world.clock.advance(SignedDuration::from_secs(1));
    let there = world.on(&world.there, "manager", &manager, &munich);
    refused(there.post(&approve(&six), &json!({})).await, 403, "common.forbidden");
    there.post(&approve(&five), &json!({})).await.expect(200);

    // Nobody else is touched: not a manager elsewhere, not another organisation.
    world.on(&world.there, "manager", &manager, "-").post(&approve(&six), &json!({})).await.expect(200);
    let boss = other.hire("Bea", json!({})).await;
    let report = other.hire("Ron", json!({ "manager_id": boss })).await;
    let long = other.ask_for_leave(&report, "2026-12-08", "2026-12-15").await;
    other.on(&other.here, "manager", &boss, &munich).post(&approve(&long), &json!({})).await.expect(200);
}

async fn an_owner_cant_be_locked_out(store: &SqlStore) {
    let world = World::new(store).await;
    let made = world.write("Nobody does anything", "forbid (principal, action, resource);").await;
    let places = "/api/v1/locations";
    for (role, path) in [("hr", places), ("owner", places), ("auditor", "/api/v1/policies")] {
        refused(world.role(role).get(path).await, 403, "common.forbidden");
    }
    let owner = world.role("owner");
    owner.get("/api/v1/policies").await.expect(200);
    let path = format!("/api/v1/policies/{made}");
    let tag = owner.get(&path).await.expect(200).header("etag").unwrap().to_owned();
    let headers = [("if-match", tag.as_str())];
    let off = json!({ "enabled": false });
    owner.call(Method::PATCH, &path, &headers, Some(&off)).await.expect(200);
    world.role("hr").get(places).await.expect(200);
}

async fn what_cant_be_compiled_denies_everything_until_an_owner_removes_it(store: &SqlStore) {
    let world = World::new(store).await;
    let now = world.clock.now();
    let broken = WrittenPolicy {
        id: PolicyId::from_uuid(hrms_core::contract::id()),
        name: "Of an older schema".into(),
        description: None,
        text: "forbid (principal, action, resource) when { principal.shoe_size > 45 };".into(),
        enabled: true,
        valid_from: None,
        valid_to: None,
        created_at: now,
        updated_at: now,
        version: Version::FIRST,
    };
    let mut tx = store.begin(world.tenant).await.unwrap();
    tx.policies().next_revision().await.unwrap();
    tx.policies().insert(&broken).await.unwrap();
    tx.policies().record(broken.id, &PolicyVersion::of(&broken, None)).await.unwrap();
    tx.commit().await.unwrap();
    world.clock.advance(SignedDuration::from_secs(1));
    refused(world.role("hr").get("/api/v1/locations").await, 403, "common.forbidden");
    let owner = world.role("owner");
    refused(owner.get("/api/v1/locations").await, 403, "common.forbidden");
    let path = format!("/api/v1/policies/{}", broken.id);
    let tag = owner.get(&path).await.expect(200).header("etag").unwrap().to_owned();
    owner.call(Method::DELETE, &path, &[("if-match", tag.as_str())], None).await.expect(204);
    world.role("hr").get("/api/v1/locations").await.expect(200);
}

async fn faults_name_their_place(store: &SqlStore) {
    let world = World::new(store).await;
    let owner = world.role("owner");
    for (text, code, at) in [
        ("permit (principal, action, resource)", "syntax", "line 1"),
        (
            "permit (principal,\n  action == Action::\"leave.aprove\", resource);",
            "schema-mismatch",
            "line 2, column 13",
        ),
        (
            "forbid (principal, action == Action::\"leave.decide\", resource)\nwhen { resource.day > 5 };",
            "schema-mismatch",
            "line 2, column 8",
        ),
        ("permit (principal == ?principal, action, resource);", "syntax", "template"),
        ("permit (principal, action, resource); permit (principal, action, resource);", "syntax", "line 1"),
        (
            "permit (principal, action == Action::\"leave.decide\", resource is Employee);",
            "suspicious",
            "line 1",
        ),
        (
            "permit (principal, action == Action::\"export.run\", resource == Export::\"salaries\");",
            "schema-mismatch",
            "",
        ),
        ("permit (principal, action == Action::\"location.read\", resource == Location::\"x\");", "", ""),
        ("", "syntax", ""),
        ("👩‍💼", "syntax", ""),
    ] {
        let body = refused(
            owner.post("/api/v1/policies", &json!({ "name": "X", "text": text })).await,
            422,
            "common.invalid",
        );
        let first = &body["errors"][0];
        assert_eq!(first["pointer"], "/text", "{text}: {body}");
        assert!(code.is_empty() || first["code"] == code, "{text}: {body}");
        assert!(first["detail"].as_str().unwrap().contains(at), "{text}: {body}");
    }
    let deep = |open: &str, close: &str| {
        format!(
            "permit (principal, action, resource) when {{ {}true{} }};",
            open.repeat(5000),
            close.repeat(5000)
        )
    };
    for text in [deep("(", ")"), deep("!", ""), deep("[", "]"), deep("if ", " then true else true")] {
        refused(
            owner.post("/api/v1/policies", &json!({ "name": "X", "text": text })).await,
            422,
            "common.invalid",
        );
    }
    let long = format!("permit (principal, action, resource); //{}", "x".repeat(16 * 1024));
    let body = refused(
        owner.post("/api/v1/policies", &json!({ "name": "X", "text": long })).await,
        422,
        "common.invalid",
    );
    assert_eq!(body["errors"][0]["code"], "too-long");
    assert_eq!(owner.get("/api/v1/policies").await.expect(200).json()["items"], json!([]));
    let text = "permit (principal, action, resource);";
    refused(
        world.role("admin").post("/api/v1/policies", &json!({ "name": "X", "text": text })).await,
        403,
        "common.forbidden",
    );
}

async fn what_was_saved_is_kept(store: &SqlStore) {
    let world = World::new(store).await;
    let owner = world.role("owner");
    let made = world.write("One", "forbid (principal is ServiceAccount, action, resource);").await;
    let path = format!("/api/v1/policies/{made}");
    let again = json!({ "name": "One", "text": "permit (principal, action, resource);" });
    refused(owner.post("/api/v1/policies", &again).await, 409, "policy.name-taken");
    let patch = json!({ "text": "forbid (principal is ServiceAccount, action == Action::\"export.run\", resource);" });
    refused(owner.patch(&path, &patch).await, 428, "http.if-match-required");
    let first = owner.get(&path).await.expect(200).header("etag").unwrap().to_owned();
    let first = [("if-match", first.as_str())];
    let changed = owner.call(Method::PATCH, &path, &first, Some(&patch)).await.expect(200);
    assert_eq!(changed.json()["version"], 2);
    refused(owner.call(Method::PATCH, &path, &first, Some(&patch)).await, 412, "common.stale");
    let second = [("if-match", changed.header("etag").unwrap())];
    owner.call(Method::DELETE, &path, &second, None).await.expect(204);
    let versions = owner.get(&format!("{path}/versions?limit=2")).await.expect(200).json();
    let of = |page: &Value| -> Vec<(i64, bool)> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|one| (one["version"].as_i64().unwrap(), one["removed"].as_bool().unwrap())).collect()
    };
    assert_eq!(of(&versions), [(3, true), (2, false)]);
    let next = versions["next_cursor"].as_str().unwrap();
    let rest = owner.get(&format!("{path}/versions?limit=2&cursor={next}")).await.expect(200).json();
    assert_eq!(of(&rest), [(1, false)]);
    let other = World::new(store).await;
    refused(other.role("owner").get(&format!("{path}/versions")).await, 404, "common.not-found");
}

async fn time_and_place_count(store: &SqlStore) {
    let world = World::new(store).await;
    let owner = world.role("owner");
    let own = owner.get("/api/v1/organization").await.expect(200);
    let headers = [("if-match", own.header("etag").unwrap())];
    let zone = json!({ "time_zone": "Asia/Kolkata" });
    owner.call(Method::PATCH, "/api/v1/organization", &headers, Some(&zone)).await.expect(200);
    world
        .write(
            "Nobody exports outside office hours",
            r#"forbid (principal, action == Action::"export.run", resource) unless { context.hour >= 9 && context.hour < 18 };"#,
        )
        .await;
    world
        .write(
            "Auditors from the office",
            r#"forbid (principal is User, action, resource) when { principal.roles.contains("auditor") }
unless { context has address && context.address.isInRange(ip("10.9.0.0/16")) };"#,
        )
        .await;
    let hr = world.role("hr");
    // 2026-11-21 is a Saturday; the clock begins at noon UTC, which is 17:30 in Kolkata.
    world.set("2026-11-21T12:00:00Z");
    hr.get("/api/v1/exports/locations").await.expect(200);
    world.set("2026-11-21T12:30:00Z");
    refused(hr.get("/api/v1/exports/locations").await, 403, "common.forbidden");
    hr.get("/api/v1/locations").await.expect(200);
    let auditor = world.role("auditor");
    refused(auditor.get("/api/v1/locations").await, 403, "common.forbidden");
    for (address, status) in
        [("10.9.1.1", 200), ("10.8.1.1", 403), ("::ffff:10.9.1.1", 200), ("not one", 403)]
    {
        let headers = [("x-forwarded-for", address)];
        auditor.call(Method::GET, "/api/v1/locations", &headers, None).await.expect(status);
    }
}

async fn policies_begin_and_end_by_themselves(store: &SqlStore) {
    let world = World::new(store).await;
    let owner = world.role("owner");
    world.set("2026-11-21T12:00:00Z");
    let new = json!({
        "name": "Freeze", "text": r#"forbid (principal, action == Action::"location.read", resource);"#,
        "valid_from": "2026-12-01T00:00:00Z", "valid_to": "2026-12-02T00:00:00Z",
    });
    owner.post("/api/v1/policies", &new).await.expect(201);
    let hr = world.role("hr");
    for (at, status) in [
        ("2026-11-30T23:59:59Z", 200),
        ("2026-12-01T00:00:00Z", 403),
        ("2026-12-01T23:59:59Z", 403),
        ("2026-12-02T00:00:00Z", 200),
    ] {
        world.set(at);
        hr.get("/api/v1/locations").await.expect(status);
    }
    let mut backwards = new.clone();
    backwards["name"] = json!("Backwards");
    backwards["valid_to"] = json!("2026-11-30T00:00:00Z");
    let body = refused(owner.post("/api/v1/policies", &backwards).await, 422, "common.invalid");
    assert_eq!(body["errors"][0]["pointer"], "/valid_to");
}

async fn a_permit_reaches_no_further_than_the_hard_rules(store: &SqlStore) {
    let world = World::new(store).await;
    let me = world.hire("Eve", json!({})).await;
    let colleague = world.hire("Col", json!({})).await;
    let mine = world.ask_for_leave(&me, "2026-12-01", "2026-12-01").await;
    let theirs = world.ask_for_leave(&colleague, "2026-12-01", "2026-12-01").await;
    let eve = world.on(&world.here, "employee", &me, "-");
    let approve = |id: &str| format!("/api/v1/leave-requests/{id}/approve");
    refused(eve.post(&approve(&theirs), &json!({})).await, 404, "common.not-found");
    world.write("Everybody does everything", "permit (principal, action, resource);").await;
    eve.post(&approve(&theirs), &json!({})).await.expect(200);
    refused(eve.post(&approve(&mine), &json!({})).await, 403, "leave.self-approval");
    // What a policy permits isn't theirs to hand out.
    let user = json!({
        "email": "new@acme.example", "name": "New", "roles": ["hr"], "password": "seven anvils on a roof",
    });
    refused(eve.post("/api/v1/users", &user).await, 403, "user.role-not-yours");
    let other = World::new(store).await;
    let hidden = other.hire("Far", json!({})).await;
    refused(eve.get(&format!("/api/v1/employees/{hidden}")).await, 404, "common.not-found");
}

async fn rules_of_an_organisation_are_compiled_once(store: &SqlStore) {
    let world = World::new(store).await;
    let hrms: &Hrms = &world.here.hrms;
    assert!(hrms.rules_of(world.tenant).await.unwrap().is_none());
    world.write("One", "forbid (principal is ServiceAccount, action, resource);").await;
    let first = hrms.rules_of(world.tenant).await.unwrap().unwrap();
    world.clock.advance(SignedDuration::from_secs(2));
    let second = hrms.rules_of(world.tenant).await.unwrap().unwrap();
    assert!(std::sync::Arc::ptr_eq(&first, &second));
}

on_every_engine! {
    a_forbid_takes_effect_on_every_node_within_seconds,
    an_owner_cant_be_locked_out,
    what_cant_be_compiled_denies_everything_until_an_owner_removes_it,
    faults_name_their_place,
    what_was_saved_is_kept,
    time_and_place_count,
    policies_begin_and_end_by_themselves,
    a_permit_reaches_no_further_than_the_hard_rules,
    rules_of_an_organisation_are_compiled_once,
}
