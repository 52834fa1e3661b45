//! What was refused is on record, too.

use super::*;

/// Whoever asks for what they may not see is told that there is nothing, and it is on record. Whoever asks for what
/// isn't there leaves nothing; and many denials are one entry, and then a number.
async fn what_is_hidden_is_on_record_as_denied(store: &Fresh) {
    let world = World::new(store).await;
    let hired = json!({ "given_name": "Jane", "hired_on": "2020-01-01" });
    let hired = world.acme.client.post("/api/v1/employees", &hired).await.expect(201).json();
    let new = json!({
        "email": "jane@acme.example", "name": "Jane", "roles": ["employee"], "password": PASSWORD,
        "employee_id": hired["id"],
    });
    let id = text(&world.acme.client.post("/api/v1/users", &new).await.expect(201).json()["id"]);
    let (jane, _) = log_in(&world.nobody, Some("acme"), "jane@acme.example").await;
    let employee = world.acme.referenced("employee_id");
    let nothing =
        jane.get(&format!("/api/v1/leave-requests/{}", hrms_core::contract::id())).await.expect(404);
    let request = world.acme.ids["leave-requests"].clone();
    let mut hidden = Vec::new();
    for _ in 0..5 {
        hidden.push(jane.get(&format!("/api/v1/leave-requests/{request}")).await.expect(404));
    }
    let first = wait_for(&world.acme.client, &format!("author_id={id}&outcome=denied"), 1).await;
    assert_eq!(first[0]["subject"], "GET /api/v1/leave-requests/{id}");
    assert_eq!(first[0]["request_id"], hidden[0].header("x-request-id").unwrap());
    assert!(!first[0].to_string().contains(&request), "not what was asked for");
    let none = format!("request_id={}", nothing.header("x-request-id").unwrap());
    wait_for(&world.acme.client, &none, 0).await;
    // A minute later, the number of the others.
    world.clock.advance(SignedDuration::from_secs(61));
    jane.get(&format!("/api/v1/leave-balances/{employee}/{}", world.acme.referenced("leave_type_id")))
        .await
        .expect(404);
    let all = wait_for(&world.acme.client, &format!("author_id={id}&outcome=denied"), 3).await;
    assert!(all.iter().any(|entry| entry["why"] == "4 times more in the same minute"), "{all:?}");
    world.done();
}

/// A log-in that was turned away untried is on record, once for an address and a minute.
async fn throttled_log_ins_are_on_record(store: &Fresh) {
    let world = World::new(store).await;
    let body =
        json!({ "organization": "acme", "email": "all@acme.example", "password": "wrong wrong wrong" });
    let mut throttled = Vec::new();
    for _ in 0..40 {
        let reply = world.nobody.post("/api/v1/auth/login", &body).await;
        if reply.status == 429 {
            throttled.push(reply);
        }
    }
    assert!(throttled.len() > 3, "{}", throttled.len());
    let entries = wait_for(&world.acme.client, "action=auth.throttled", 1).await;
    assert_eq!(entries[0]["request_id"], throttled[0].header("x-request-id").unwrap());
    assert_eq!((&entries[0]["outcome"], &entries[0]["address"]), (&json!("denied"), &json!("127.0.0.1")));
    world.done();
}

hrms_tests::on_every_engine!(what_is_hidden_is_on_record_as_denied, throttled_log_ins_are_on_record);
