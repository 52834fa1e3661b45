//! Chains as data: written, read, changed, removed, and refused.

use super::*;

async fn chains_are_data(store: &Fresh) {
    let o = Office::new(store).await;
    let made = o.two_levels().await;
    let path = format!("/api/v1/approval-chains/{}", text(&made["id"]));
    assert_eq!(o.w.asha.client.get(&path).await.expect(200).json(), made);
    let post = "/api/v1/approval-chains";
    problem(o.w.meera.client.post(post, &made).await, 403, "common.forbidden", &[]);
    let levels = json!([{ "approvers": [{ "type": "manager" }] }]);
    let new = |more: Value| {
        let mut new = json!({ "kind": "leave_request", "code": "x", "name": "X", "levels": levels });
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        new
    };
    let level = |more: Value| {
        let mut level = levels[0].clone();
        level.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "levels": [level] })
    };
    let of = |condition: Value| json!({ "conditions": [condition] });
    for (more, pointer) in [
        (json!({ "code": "" }), "/code"),
        (json!({ "name": "" }), "/name"),
        (json!({ "levels": [] }), "/levels"),
        (json!({ "levels": vec![levels[0].clone(); 11] }), "/levels"),
        (level(json!({ "approvers": [] })), "/levels"),
        (level(json!({ "approvers": [{ "type": "manager", "above": 0 }] })), "/levels"),
        (level(json!({ "approvers": [{ "type": "role", "role": "wizard" }] })), "/levels"),
        (level(json!({ "approvers": [{ "type": "user", "user_id": o.w.leave_type }] })), "/levels"),
        (level(of(json!({ "attribute": "mood", "one_of": ["good"] }))), "/levels"),
        (of(json!({ "attribute": "days" })), "/conditions"),
        (of(json!({ "attribute": "days", "one_of": ["3"] })), "/conditions"),
        (of(json!({ "attribute": "days", "at_least": 5, "at_most": 4 })), "/conditions"),
        (of(json!({ "attribute": "location_id", "at_least": 5 })), "/conditions"),
        (of(json!({ "attribute": "location_id", "one_of": [] })), "/conditions"),
    ] {
        problem(o.hari.client.post(post, &new(more)).await, 422, "common.invalid", &[pointer]);
    }
    problem(
        o.hari.client.post(post, &new(json!({ "code": "usual" }))).await,
        409,
        "approval-chain.code-taken",
        &[],
    );

    // What waits already goes on as it began, whatever becomes of the chain.
    let waits = o.ask(&o.w.asha, 1, 3).await;
    let tag = o.hari.client.get(&path).await.expect(200).header("etag").unwrap().to_owned();
    let off = json!({ "active": false });
    o.hari.client.call(Method::PATCH, &path, &[("if-match", &tag)], Some(&off)).await.expect(200);
    assert_eq!(approve(&o.w.meera.client, &waits).await, "pending");
    let tag = o.hari.client.get(&path).await.expect(200).header("etag").unwrap().to_owned();
    o.hari.client.call(Method::DELETE, &path, &[("if-match", &tag)], None).await.expect(204);
    assert_eq!(approve(&o.uma.client, &waits).await, "approved");
    let new = o.ask(&o.w.asha, 7, 9).await;
    assert_eq!(approve(&o.w.meera.client, &new).await, "approved", "there is no chain any more");
}

hrms_tests::on_every_engine!(chains_are_data);
