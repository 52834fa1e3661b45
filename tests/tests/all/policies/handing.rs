//! What is forbidden to somebody isn't theirs to hand on.

use hrms_store::SqlStore;
use hrms_tests::{Client, on_every_engine};
use http::Method;
use serde_json::{Value, json};

use super::refused;
use super::world::World;

async fn patch(client: &Client, path: &str, body: Value) -> hrms_tests::Reply {
    let tag = client.get(path).await.expect(200).header("etag").unwrap().to_owned();
    client.call(Method::PATCH, path, &[("if-match", tag.as_str())], Some(&body)).await
}

fn user(world: &World, name: &str, role: &str) -> Value {
    json!({
        "email": format!("{name}-{}@acme.example", world.tenant), "name": name, "roles": [role],
        "password": "seven anvils on a roof",
    })
}

async fn what_is_forbidden_is_not_handed_on(store: &SqlStore) {
    let world = World::new(store).await;
    let munich = world.location("muc").await;
    let ada = world.hire("Ada", json!({ "location_id": munich })).await;
    let role = |code: &str| {
        json!({
            "code": code, "name": code, "grants": [{ "permission": "leave.decide", "scope": "reports" }],
        })
    };
    let held = world.add("roles", role("deciders")).await;
    let plain = world.add("users", user(&world, "plain", "employee")).await;
    let manager = world.add("users", user(&world, "manager", "manager")).await;
    let text = format!(
        r#"forbid (principal is User, action == Action::"leave.decide", resource)
when {{ principal has location && principal.location == Location::"{munich}" }}
when {{ resource.days > 5 }};"#
    );
    world.write("Munich: five days", &text).await;
    let there = world.on(&world.here, "admin", &ada, &munich);
    // To somebody new, to somebody who is there, with a role of their own, through what others have.
    refused(
        there.post("/api/v1/users", &user(&world, "puppet", "manager")).await,
        403,
        "user.role-not-yours",
    );
    let giving = json!({ "roles": ["employee", "manager"] });
    refused(patch(&there, &format!("/api/v1/users/{plain}"), giving).await, 403, "user.role-not-yours");
    let off = json!({ "status": "disabled" });
    refused(patch(&there, &format!("/api/v1/users/{manager}"), off).await, 403, "user.role-not-yours");
    refused(there.post("/api/v1/roles", &role("copy")).await, 403, "role.not-yours");
    let wider = json!({ "description": "Now with more" });
    refused(patch(&there, &format!("/api/v1/roles/{held}"), wider).await, 403, "role.not-yours");
    // What isn't forbidden still is.
    there.post("/api/v1/users", &user(&world, "clerk", "employee")).await.expect(201);
    // Whom it doesn't strike hands it on, and so does who could change the policy.
    let elsewhere = world.on(&world.here, "admin", &ada, "-");
    elsewhere.post("/api/v1/users", &user(&world, "second", "manager")).await.expect(201);
    elsewhere.post("/api/v1/roles", &role("theirs")).await.expect(201);
    let owner = world.on(&world.here, "owner", &ada, &munich);
    owner.post("/api/v1/users", &user(&world, "third", "manager")).await.expect(201);
}

async fn a_key_is_no_way_round_what_is_forbidden_to_people(store: &SqlStore) {
    let world = World::new(store).await;
    let account = |name: &str| json!({ "name": name, "permissions": ["leave.read", "location.read"] });
    let old = world.add("service-accounts", account("Before")).await;
    let text = r#"forbid (principal is User, action == Action::"leave.read", resource)
unless { context.second_factor };"#;
    let policy = world.write("Leave needs a second factor", text).await;
    let admin = world.role("admin");
    // It strikes everybody whom a role is given to.
    admin.post("/api/v1/users", &user(&world, "hr", "hr")).await.expect(201);
    // But no program.
    let made = admin.post("/api/v1/service-accounts", &account("Way round")).await;
    refused(made, 403, "service-account.not-yours");
    let key = |permission: &str| json!({ "service_account_id": old, "name": permission, "permissions": [permission] });
    refused(admin.post("/api/v1/api-keys", &key("leave.read")).await, 403, "api-key.not-yours");
    admin.post("/api/v1/api-keys", &key("location.read")).await.expect(201);
    // Written for programs too, it is no reason any more.
    let owner = world.role("owner");
    let all = json!({ "text": text.replace("principal is User", "principal") });
    patch(&owner, &format!("/api/v1/policies/{policy}"), all).await.expect(200);
    admin.post("/api/v1/api-keys", &key("leave.read")).await.expect(201);
}

on_every_engine! {
    what_is_forbidden_is_not_handed_on,
    a_key_is_no_way_round_what_is_forbidden_to_people,
}
