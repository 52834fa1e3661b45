//! Who is asked where it isn't plain, and who can't be.

use super::*;

/// P15: a chain none of whose levels is for a request leaves it to the manager.
async fn without_a_level_the_manager_is_asked(store: &Fresh) {
    let o = Office::new(store).await;
    let long = json!([{ "attribute": "days", "at_least": 3 }]);
    let level = json!({ "approvers": [{ "type": "department_head" }], "conditions": long });
    o.chain("long", json!({ "levels": [level] })).await;
    let request = o.ask(&o.w.asha, 1, 2).await;
    assert!(waiting(&o.uma.client).await.is_empty());
    assert_eq!(waiting(&o.w.meera.client).await, [(request.clone(), "employee".to_owned())]);
    assert_eq!(trail(&o.w.asha.client, &request).await, ["started", "passed_over", "asked"]);
    assert_eq!(approve(&o.w.meera.client, &request).await, "approved");
}

/// Without a chain nobody is asked whose roles don't let them decide, and of a role not the employee alone.
async fn who_may_not_decide_is_not_asked(store: &Fresh) {
    let o = Office::new(store).await;
    let role = json!({ "code": "plain", "name": "Plain", "grants": [{ "permission": "location.read", "scope": "organization" }] });
    o.w.owner.post("/api/v1/roles", &role).await.expect(201);
    let place = text(&o.w.owner.get("/api/v1/locations").await.expect(200).json()["items"][0]["id"]);
    let nora = Person::new(&o.w.nobody, &o.w.owner, "Nora", &place, None, &["plain"]).await;
    o.change(&o.w.asha, json!({ "manager_id": nora.employee })).await;
    let request = o.ask(&o.w.asha, 1, 1).await;
    assert_eq!(waiting(&o.hari.client).await, [(request.clone(), "organization".to_owned())]);
    assert_eq!(approve(&o.hari.client, &request).await, "approved");

    o.chain("hr", json!({ "levels": [{ "approvers": [{ "type": "role", "role": "hr" }] }] })).await;
    let grant = json!({ "employee_id": o.hari.employee, "leave_type_id": o.w.leave_type, "days": "5",
        "valid_from": "2026-01-01" });
    o.w.owner.post("/api/v1/leave-grants", &grant).await.expect(201);
    let own = o.ask(&o.hari, 1, 1).await;
    assert_eq!(waiting(&o.w.owner).await, [(own.clone(), "organization".to_owned())]);
    assert_eq!(approve(&o.w.owner, &own).await, "approved");
}

/// Of a named user who can't decide, the one above them is asked.
async fn the_one_above_a_named_user_stands_in(store: &Fresh) {
    let o = Office::new(store).await;
    let ravi = &o.w.ravi;
    o.chain("ravi", json!({ "levels": [{ "approvers": [{ "type": "user", "user_id": ravi.user }] }] })).await;
    o.change(ravi, json!({ "status": "suspended" })).await;
    let request = o.ask(&o.w.asha, 1, 1).await;
    assert_eq!(waiting(&o.w.meera.client).await, [(request.clone(), "employee".to_owned())]);
    assert_eq!(approve(&o.w.meera.client, &request).await, "approved");
}

/// Whoever says a level decides on that one only.
async fn a_decision_is_for_the_level_that_it_names(store: &Fresh) {
    let o = Office::new(store).await;
    o.two_levels().await;
    let request = o.ask(&o.w.asha, 1, 3).await;
    let path = format!("{request}/approve");
    let [meera, uma] = [&o.w.meera.client, &o.uma.client];
    problem(meera.post(&path, &json!({ "level": 1 })).await, 409, "approval.another-level", &[]);
    meera.post(&path, &json!({ "level": 0 })).await.expect(200);
    problem(uma.post(&path, &json!({ "level": 0 })).await, 409, "approval.another-level", &[]);
    uma.post(&path, &json!({ "level": 1 })).await.expect(200);
}

/// A task isn't given to who has one already or can't decide; who got it and can't any more gives it back.
async fn a_task_is_given_only_to_who_can_decide(store: &Fresh) {
    let o = Office::new(store).await;
    let (ravi, meera) = (&o.w.ravi, &o.w.meera);
    let both = json!([{ "type": "manager" }, { "type": "user", "user_id": o.uma.user }]);
    o.chain("both", json!({ "levels": [{ "approvers": both, "needed": "all" }] })).await;
    let request = o.ask(&o.w.asha, 1, 1).await;
    let forward = format!("{request}/forward");
    let to = |employee: &Value| json!({ "employee_id": employee });
    let taken = meera.client.post(&forward, &to(&json!(o.uma.employee))).await;
    problem(taken, 409, "approval.already-theirs", &[]);
    let new = json!({ "given_name": "Nobody", "hired_on": "2020-01-01" });
    let nobody = o.w.owner.post("/api/v1/employees", &new).await.expect(201).json();
    problem(meera.client.post(&forward, &to(&nobody["id"])).await, 409, "approval.cannot-decide", &[]);
    // A delegate decides: there is nothing to be given to them.
    let delegation = o.delegate(meera, ravi, "2026-11-23", "2026-12-23").await;
    let own = ravi.client.post(&forward, &to(&json!(ravi.employee))).await;
    problem(own, 409, "approval.already-theirs", &[]);
    meera.client.delete(&delegation).await.expect(204);

    meera.client.post(&forward, &to(&json!(ravi.employee))).await.expect(200);
    assert_eq!(waiting(&ravi.client).await.len(), 1);
    assert!(waiting(&meera.client).await.is_empty());
    o.change(ravi, json!({ "status": "suspended" })).await;
    o.w.deliver().await;
    assert_eq!(waiting(&meera.client).await, [(request.clone(), "employee".to_owned())]);
}

/// P16: nobody makes themselves a delegate, nor hands on what is decided about them; and a delegation has a day to come.
async fn delegations_are_not_for_oneself(store: &Fresh) {
    let o = Office::new(store).await;
    let path = "/api/v1/approval-delegations";
    let new = |from: &Person, to: &Person, end: &str| json!({ "delegator_id": from.employee, "delegate_id": to.employee, "from": "2026-11-01", "to": end });
    let (meera, ravi, hari) = (&o.w.meera, &o.w.ravi, &o.hari);
    let own = hari.client.post(path, &new(meera, hari, "2026-12-01")).await;
    problem(own, 409, "approval-delegation.own", &[]);
    o.change(hari, json!({ "manager_id": meera.employee })).await;
    let above = hari.client.post(path, &new(meera, ravi, "2026-12-01")).await;
    problem(above, 409, "approval-delegation.own", &[]);
    // Today is the day after its last one.
    let over = meera.client.post(path, &new(meera, ravi, "2026-11-23")).await;
    problem(over, 409, "approval-delegation.over", &[]);
    meera.client.post(path, &new(meera, ravi, "2026-11-24")).await.expect(201);
}

/// A delegate goes on seeing what they decided, when the delegation is over and others have to agree.
async fn a_delegate_sees_what_they_decided(store: &Fresh) {
    let o = Office::new(store).await;
    o.two_levels().await;
    let (ravi, meera) = (&o.w.ravi, &o.w.meera);
    let delegation = o.delegate(meera, ravi, "2026-11-23", "2026-12-23").await;
    let [decided, waits] = [o.ask(&o.w.asha, 1, 3).await, o.ask(&o.w.asha, 7, 9).await];
    assert_eq!(approve(&ravi.client, &decided).await, "pending");
    meera.client.delete(&delegation).await.expect(204);
    ravi.client.get(&decided).await.expect(200);
    ravi.client.get(&waits).await.expect(404);
}

hrms_tests::on_every_engine!(
    without_a_level_the_manager_is_asked,
    who_may_not_decide_is_not_asked,
    the_one_above_a_named_user_stands_in,
    a_decision_is_for_the_level_that_it_names,
    a_task_is_given_only_to_who_can_decide,
    delegations_are_not_for_oneself,
    a_delegate_sees_what_they_decided,
);
