//! Approvals over HTTP: who is asked, who may decide, and what is told and kept of it.

use hrms_core::contract::all_at_once;
use hrms_core::jiff::SignedDuration;
use hrms_tests::{Client, Fresh};
use http::Method;
use serde_json::{Value, json};

use crate::all::notifications::world::{Person, World, text, titles};
use crate::all::people::http::problem;

/// Meera manages Ravi and Asha; Uma is above Meera and heads their department; Hari is in human resources.
struct Office {
    w: World,
    uma: Person,
    hari: Person,
}

impl Office {
    async fn new(store: &Fresh) -> Self {
        let w = World::new(store).await;
        let place = text(&w.owner.get("/api/v1/locations").await.expect(200).json()["items"][0]["id"]);
        let uma = Person::new(&w.nobody, &w.owner, "Uma", &place, None, &["employee"]).await;
        let hari = Person::new(&w.nobody, &w.owner, "Hari", &place, None, &["hr", "employee"]).await;
        let department = json!({ "code": "dev", "name": "Dev" });
        let made = w.owner.post("/api/v1/departments", &department).await.expect(201).json();
        let department = text(&made["id"]);
        let head = json!({ "employee_id": uma.employee, "from": "2020-01-01" });
        w.owner.post(&format!("/api/v1/departments/{department}/heads"), &head).await.expect(200);
        let office = Self { w, uma, hari };
        let w = &office.w;
        office
            .change(&w.meera, json!({ "manager_id": office.uma.employee, "department_id": department }))
            .await;
        for person in [&w.ravi, &w.asha] {
            office.change(person, json!({ "department_id": department })).await;
        }
        w.deliver().await;
        office
    }

    /// Changes somebody's employment from some years ago on.
    async fn change(&self, person: &Person, mut fields: Value) {
        fields["from"] = json!("2021-01-01");
        let path = format!("/api/v1/employees/{}/changes", person.employee);
        self.w.owner.post(&path, &fields).await.expect(200);
    }

    async fn chain(&self, code: &str, more: Value) -> Value {
        let mut new = json!({ "kind": "leave_request", "code": code, "name": code });
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.hari.client.post("/api/v1/approval-chains", &new).await.expect(201).json()
    }

    /// The manager, and for three days or more the head of the department.
    async fn two_levels(&self) -> Value {
        let long = json!([{ "attribute": "days", "at_least": 3 }]);
        self.chain(
            "usual",
            json!({ "levels": [
                { "approvers": [{ "type": "manager" }] },
                { "name": "Head", "approvers": [{ "type": "department_head" }], "conditions": long },
            ] }),
        )
        .await
    }

    /// Somebody asks for the days from `first` to `last` of December; the request's address.
    async fn ask(&self, by: &Person, first: u8, last: u8) -> String {
        let ask = json!({
            "leave_type_id": self.w.leave_type,
            "starts_on": format!("2026-12-{first:02}"), "ends_on": format!("2026-12-{last:02}"),
        });
        let asked = by.client.post("/api/v1/leave-requests", &ask).await.expect(201);
        asked.header("location").unwrap().to_owned()
    }

    async fn delegate(&self, from: &Person, to: &Person, first: &str, end: &str) -> String {
        let new = json!({ "delegate_id": to.employee, "from": first, "to": end });
        let made = from.client.post("/api/v1/approval-delegations", &new).await.expect(201);
        made.header("location").unwrap().to_owned()
    }
}

async fn approve(by: &Client, path: &str) -> String {
    let done = by.post(&format!("{path}/approve"), &json!({ "note": "Enjoy" })).await.expect(200).json();
    text(&done["status"])
}

/// What happened to a request, and who was asked or did it.
async fn trail(by: &Client, path: &str) -> Vec<String> {
    let case = by.get(&format!("{path}/approval")).await.expect(200).json();
    case["trail"].as_array().unwrap().iter().map(|entry| text(&entry["act"])).collect()
}

/// What waits for somebody: of which request, and how it is theirs.
async fn waiting(by: &Client) -> Vec<(String, String)> {
    let page = by.get("/api/v1/approval-tasks").await.expect(200).json();
    let items = page["items"].as_array().unwrap();
    items
        .iter()
        .map(|task| {
            (format!("/api/v1/leave-requests/{}", text(&task["subject_id"])), text(&task["assignee"]["type"]))
        })
        .collect()
}

async fn levels_are_asked_one_after_the_other(store: &Fresh) {
    let o = Office::new(store).await;
    o.two_levels().await;
    let (asha, meera, uma) = (&o.w.asha, &o.w.meera, &o.uma);
    let long = o.ask(asha, 1, 3).await;
    o.w.deliver().await;
    assert_eq!(waiting(&meera.client).await, [(long.clone(), "employee".to_owned())]);
    assert!(waiting(&uma.client).await.is_empty());
    assert_eq!(titles(&meera.client).await.len(), 1);
    // Uma's roles show her nothing of Asha's; what she is asked about they do.
    uma.client.get(&long).await.expect(404);
    problem(uma.client.post(&format!("{long}/approve"), &json!({})).await, 404, "common.not-found", &[]);

    assert_eq!(approve(&meera.client, &long).await, "pending");
    assert!(waiting(&meera.client).await.is_empty());
    assert_eq!(waiting(&uma.client).await, [(long.clone(), "employee".to_owned())]);
    // The same once more isn't a decision on the next level.
    let twice = meera.client.post(&format!("{long}/approve"), &json!({})).await;
    problem(twice, 409, "approval.another-level", &[]);
    let next = meera.client.post(&format!("{long}/approve"), &json!({ "level": 1 })).await;
    problem(next, 403, "approval.not-yours", &[]);
    o.w.deliver().await;
    let told = titles(&uma.client).await;
    assert!(told.len() == 1 && told[0].contains("asks for leave"), "{told:?}");
    let balance = format!("/api/v1/leave-balances?employee_id={}", asha.employee);
    let pending = |balance: Value| text(&balance["items"][0]["pending"]);
    assert_eq!(pending(asha.client.get(&balance).await.expect(200).json()), "3", "it isn't taken yet");
    assert_eq!(approve(&uma.client, &long).await, "approved");
    assert_eq!(pending(asha.client.get(&balance).await.expect(200).json()), "0");
    assert_eq!(trail(&asha.client, &long).await, ["started", "asked", "approved", "asked", "approved"]);
    problem(uma.client.post(&format!("{long}/approve"), &json!({})).await, 409, "leave.not-pending", &[]);

    // A short one doesn't go to the head, and what isn't asked for is on record.
    let short = o.ask(asha, 7, 8).await;
    assert_eq!(approve(&meera.client, &short).await, "approved");
    assert_eq!(trail(&meera.client, &short).await, ["started", "asked", "approved", "passed_over"]);
    let case = asha.client.get(&format!("{short}/approval")).await.expect(200).json();
    assert_eq!((&case["status"], &case["trail"][2]["note"]), (&json!("approved"), &json!("Enjoy")));

    // One rejection is enough, and nothing is taken.
    let long = o.ask(asha, 14, 16).await;
    assert_eq!(approve(&meera.client, &long).await, "pending");
    let rejected = uma.client.post(&format!("{long}/reject"), &json!({})).await.expect(200).json();
    assert_eq!(rejected["status"], "rejected");
    assert_eq!(pending(asha.client.get(&balance).await.expect(200).json()), "0");
    // What is taken back waits for nobody.
    let gone = o.ask(asha, 21, 23).await;
    asha.client.post(&format!("{gone}/cancel"), &json!({})).await.expect(200);
    assert!(waiting(&meera.client).await.is_empty());
    assert_eq!(trail(&asha.client, &gone).await, ["started", "asked", "withdrawn"]);
}

/// P15: a delegation has dates, and what is decided by it is recorded as on behalf of the delegator.
async fn p15_a_delegate_decides_on_behalf_of_somebody(store: &Fresh) {
    let o = Office::new(store).await;
    let (asha, ravi, meera) = (&o.w.asha, &o.w.ravi, &o.w.meera);
    let early = o.ask(asha, 1, 1).await;
    o.delegate(meera, ravi, "2026-11-24", "2026-11-26").await;
    ravi.client.get(&early).await.expect(404);
    assert!(waiting(&ravi.client).await.is_empty(), "it begins tomorrow");
    o.w.after(SignedDuration::from_hours(24)).await;
    let (ravi_client, asha_client) = (o.w.again(ravi).await, o.w.again(asha).await);
    assert_eq!(waiting(&ravi_client).await, [(early.clone(), "employee".to_owned())]);
    let asked =
        json!({ "leave_type_id": o.w.leave_type, "starts_on": "2026-12-02", "ends_on": "2026-12-02" });
    let own = ravi_client.post("/api/v1/leave-requests", &asked).await.expect(201);
    let own = own.header("location").unwrap().to_owned();
    problem(ravi_client.post(&format!("{own}/approve"), &json!({})).await, 403, "leave.self-approval", &[]);
    assert_eq!(waiting(&ravi_client).await.len(), 1, "his own isn't his to decide");
    o.w.deliver().await;

    assert_eq!(approve(&ravi_client, &early).await, "approved");
    let case = asha_client.get(&format!("{early}/approval")).await.expect(200).json();
    let decided = &case["trail"][2];
    assert_eq!(
        (&decided["act"], &decided["user_id"], &decided["on_behalf_of"]),
        (&json!("approved"), &json!(ravi.user), &json!(meera.employee))
    );
    let task = &case["tasks"][0];
    assert_eq!((&task["decided_by"], &task["on_behalf_of"]), (&json!(ravi.user), &json!(meera.employee)));

    // When it is over, it is over.
    let late = asha_client.post("/api/v1/leave-requests", &asked).await.expect(201);
    let late = late.header("location").unwrap().to_owned();
    o.w.after(SignedDuration::from_hours(48)).await;
    let ravi_client = o.w.again(ravi).await;
    ravi_client.get(&late).await.expect(404);
    problem(ravi_client.post(&format!("{late}/approve"), &json!({})).await, 404, "common.not-found", &[]);
    assert_eq!(approve(&o.w.again(meera).await, &late).await, "approved");
}

async fn a_delegation_is_given_and_taken_back(store: &Fresh) {
    let o = Office::new(store).await;
    let (asha, ravi, meera) = (&o.w.asha, &o.w.ravi, &o.w.meera);
    let path = o.delegate(meera, ravi, "2026-11-01", "2026-12-01").await;
    let request = o.ask(asha, 1, 1).await;
    ravi.client.get(&request).await.expect(200);
    for (by, status) in [(meera, 200), (ravi, 200), (asha, 404), (&o.hari, 200)] {
        by.client.get(&path).await.expect(status);
        let list = by.client.get("/api/v1/approval-delegations").await.expect(200).json();
        assert_eq!(list["items"].as_array().unwrap().len(), usize::from(status == 200));
    }
    let others = format!("/api/v1/approval-delegations?employee_id={}", meera.employee);
    problem(asha.client.get(&others).await, 403, "common.forbidden", &[]);
    problem(asha.client.delete(&path).await, 404, "common.not-found", &[]);
    meera.client.delete(&path).await.expect(204);
    problem(meera.client.delete(&path).await, 409, "approval-delegation.over", &[]);
    ravi.client.get(&request).await.expect(404);
    problem(ravi.client.post(&format!("{request}/approve"), &json!({})).await, 404, "common.not-found", &[]);

    let days = json!({ "from": "2026-12-01", "to": "2026-12-08" });
    let with = |more: Value| {
        let mut new = days.clone();
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        new
    };
    let (to_ravi, post) = (json!({ "delegate_id": ravi.employee }), "/api/v1/approval-delegations");
    for (new, status, code, pointer) in [
        (with(json!({ "delegate_id": meera.employee })), 409, "approval-delegation.own", &[][..]),
        (with(json!({ "delegate_id": o.w.leave_type })), 422, "common.invalid", &["/delegate_id"]),
        (with(json!({ "delegate_id": ravi.employee, "to": "2026-12-01" })), 422, "common.invalid", &["/to"]),
        (with(json!({ "delegate_id": ravi.employee, "to": "2028-12-01" })), 422, "common.invalid", &["/to"]),
        (with(json!({ "delegate_id": ravi.employee, "to": "9999-12-01" })), 422, "common.invalid", &["/to"]),
        (with(json!({ "delegate_id": ravi.employee, "note": "" })), 422, "common.invalid", &["/note"]),
        (
            with(json!({ "delegate_id": ravi.employee, "from": "2026-01-01", "to": "2026-02-01" })),
            409,
            "approval-delegation.over",
            &[],
        ),
        (
            with(json!({ "delegate_id": ravi.employee, "delegator_id": asha.employee })),
            403,
            "common.forbidden",
            &[],
        ),
    ] {
        problem(meera.client.post(post, &new).await, status, code, pointer);
    }
    // Nobody who can't log in is a delegate.
    let new = json!({ "given_name": "Nobody", "hired_on": "2020-01-01" });
    let nobody = o.w.owner.post("/api/v1/employees", &new).await.expect(201).json();
    let new = with(json!({ "delegate_id": nobody["id"] }));
    problem(meera.client.post(post, &new).await, 409, "approval.cannot-decide", &[]);
    let for_meera = with(json!({ "delegator_id": meera.employee, "delegate_id": ravi.employee }));
    o.hari.client.post(post, &for_meera).await.expect(201);
    problem(o.w.owner.post(post, &with(to_ravi)).await, 422, "common.invalid", &["/delegator_id"]);
}

async fn all_of_a_level_have_to_agree(store: &Fresh) {
    let o = Office::new(store).await;
    let approvers = json!([
        { "type": "manager" }, { "type": "role", "role": "hr" }, { "type": "user", "user_id": o.uma.user },
    ]);
    o.chain("all", json!({ "levels": [{ "approvers": approvers, "needed": "all" }] })).await;
    let (asha, meera) = (&o.w.asha, &o.w.meera);
    let request = o.ask(asha, 1, 1).await;
    assert_eq!(waiting(&o.hari.client).await, [(request.clone(), "role".to_owned())]);
    assert_eq!(approve(&o.uma.client, &request).await, "pending");
    problem(
        o.uma.client.post(&format!("{request}/approve"), &json!({})).await,
        403,
        "approval.not-yours",
        &[],
    );
    assert_eq!(approve(&meera.client, &request).await, "pending");
    assert_eq!(approve(&o.hari.client, &request).await, "approved");
    // One who rejects is enough; the others aren't asked any more.
    let request = o.ask(asha, 2, 2).await;
    o.uma.client.post(&format!("{request}/reject"), &json!({})).await.expect(200);
    for person in [&o.hari, meera, &o.uma] {
        assert!(waiting(&person.client).await.is_empty());
    }
    // Of any, one is enough.
    o.chain("any", json!({ "position": -1, "levels": [{ "approvers": approvers }] })).await;
    let request = o.ask(asha, 3, 3).await;
    assert_eq!(approve(&o.uma.client, &request).await, "approved");
    assert!(waiting(&meera.client).await.is_empty());
}

async fn a_new_manager_gets_what_waits(store: &Fresh) {
    let o = Office::new(store).await;
    o.two_levels().await;
    let (asha, ravi, meera) = (&o.w.asha, &o.w.ravi, &o.w.meera);
    let [now, later] = [o.ask(asha, 1, 1).await, o.ask(asha, 2, 2).await];
    let path = format!("/api/v1/employees/{}/changes", asha.employee);
    let new = json!({ "from": "2026-11-23", "manager_id": ravi.employee });
    o.w.owner.post(&path, &new).await.expect(200);
    // Nobody decides who shouldn't, even before anything was moved.
    problem(meera.client.post(&format!("{now}/approve"), &json!({})).await, 404, "common.not-found", &[]);
    o.w.deliver().await;
    meera.client.get(&now).await.expect(404);
    assert!(waiting(&meera.client).await.is_empty());
    assert_eq!(waiting(&ravi.client).await.len(), 2);
    assert!(titles(&ravi.client).await[0].contains("asks for leave"));
    assert_eq!(trail(&ravi.client, &now).await, ["started", "asked", "moved"]);
    assert_eq!(approve(&ravi.client, &now).await, "approved");
    // A change that takes effect later moves it on its day.
    let new = json!({ "from": "2026-11-25", "manager_id": meera.employee });
    o.w.owner.post(&path, &new).await.expect(200);
    o.w.deliver().await;
    assert_eq!(waiting(&ravi.client).await.len(), 1);
    o.w.after(SignedDuration::from_hours(48)).await;
    assert!(waiting(&o.w.again(ravi).await).await.is_empty());
    assert_eq!(waiting(&o.w.again(meera).await).await, [(later, "employee".to_owned())]);
}

/// P15: whoever can't decide is replaced by the one above, at last by those who decide in the whole organisation.
async fn p15_no_case_lacks_an_approver(store: &Fresh) {
    let o = Office::new(store).await;
    o.chain("head", json!({ "levels": [{ "approvers": [{ "type": "department_head" }] }] })).await;
    // P16: the head's own goes further up, where there is nobody, and so to the organisation.
    let ask = json!({ "employee_id": o.uma.employee, "leave_type_id": o.w.leave_type, "starts_on": "2026-12-01",
        "ends_on": "2026-12-01" });
    let grant = json!({ "employee_id": o.uma.employee, "leave_type_id": o.w.leave_type, "days": "5",
        "valid_from": "2026-01-01" });
    o.w.owner.post("/api/v1/leave-grants", &grant).await.expect(201);
    let department = json!({ "from": "2021-01-01", "department_id": o.department().await });
    let path = format!("/api/v1/employees/{}/changes", o.uma.employee);
    o.w.owner.post(&path, &department).await.expect(200);
    let own = o.uma.client.post("/api/v1/leave-requests", &ask).await.expect(201);
    let own = own.header("location").unwrap().to_owned();
    problem(o.uma.client.post(&format!("{own}/approve"), &json!({})).await, 403, "leave.self-approval", &[]);
    assert_eq!(waiting(&o.hari.client).await, [(own.clone(), "organization".to_owned())]);
    assert_eq!(approve(&o.hari.client, &own).await, "approved");

    // Whoever can't log in any more can't decide: the manager of whom it is about is asked.
    let request = o.ask(&o.w.asha, 1, 1).await;
    assert_eq!(waiting(&o.uma.client).await.len(), 1);
    let user = format!("/api/v1/users/{}", o.uma.user);
    let tag = o.w.owner.get(&user).await.expect(200).header("etag").unwrap().to_owned();
    let off = json!({ "status": "disabled" });
    o.w.owner.call(Method::PATCH, &user, &[("if-match", &tag)], Some(&off)).await.expect(200);
    o.w.deliver().await;
    assert_eq!(waiting(&o.w.meera.client).await, [(request.clone(), "employee".to_owned())]);
    assert_eq!(approve(&o.w.meera.client, &request).await, "approved");
}

impl Office {
    async fn department(&self) -> String {
        text(&self.w.owner.get("/api/v1/departments").await.expect(200).json()["items"][0]["id"])
    }
}

/// Whoever is between the employee and the one who is asked matters, too, and each approver of a level is one of their own.
async fn changes_further_up_are_followed(store: &Fresh) {
    let o = Office::new(store).await;
    let (asha, meera) = (&o.w.asha, &o.w.meera);
    o.chain("second", json!({ "levels": [{ "approvers": [{ "type": "manager", "above": 2 }] }] })).await;
    let request = o.ask(asha, 1, 1).await;
    assert_eq!(waiting(&o.uma.client).await.len(), 1);
    o.change(meera, json!({ "manager_id": o.hari.employee })).await;
    // At once for whoever comes first, and for all when it was followed.
    o.hari.client.get(&request).await.expect(200);
    o.w.deliver().await;
    assert!(waiting(&o.uma.client).await.is_empty());
    assert_eq!(waiting(&o.hari.client).await, [(request.clone(), "employee".to_owned())]);
    assert_eq!(approve(&o.hari.client, &request).await, "approved");

    let both = json!([{ "type": "manager" }, { "type": "department_head" }]);
    o.chain("both", json!({ "position": -1, "levels": [{ "approvers": both, "needed": "all" }] })).await;
    let head = |person: &Person, from: &str| json!({ "employee_id": person.employee, "from": from });
    let heads = format!("/api/v1/departments/{}/heads", o.department().await);
    o.w.owner.post(&heads, &head(meera, "2021-01-01")).await.expect(200);
    let request = o.ask(asha, 2, 2).await;
    assert_eq!(waiting(&meera.client).await.len(), 2, "as manager and as head");
    o.w.owner.post(&heads, &head(&o.uma, "2022-01-01")).await.expect(200);
    o.w.deliver().await;
    assert_eq!(approve(&meera.client, &request).await, "pending");
    assert_eq!(approve(&o.uma.client, &request).await, "approved");
}

/// Who is asked decides, whatever their roles show them; who is suspended doesn't.
async fn who_is_asked_decides_whatever_their_roles(store: &Fresh) {
    let o = Office::new(store).await;
    let role = json!({ "code": "nora", "name": "Nora", "grants": [{ "permission": "location.read", "scope": "organization" }] });
    o.w.owner.post("/api/v1/roles", &role).await.expect(201);
    let place = text(&o.w.owner.get("/api/v1/locations").await.expect(200).json()["items"][0]["id"]);
    let nora = Person::new(&o.w.nobody, &o.w.owner, "Nora", &place, None, &["nora"]).await;
    o.chain("nora", json!({ "levels": [{ "approvers": [{ "type": "user", "user_id": nora.user }] }] })).await;
    let [first, second] = [o.ask(&o.w.asha, 1, 1).await, o.ask(&o.w.asha, 2, 2).await];
    nora.client.get(&first).await.expect(200);
    assert_eq!(approve(&nora.client, &first).await, "approved");
    // Her delegate sees what waits, not what she decided before.
    o.delegate(&nora, &o.uma, "2026-11-23", "2026-12-23").await;
    o.uma.client.get(&first).await.expect(404);
    o.uma.client.get(&second).await.expect(200);
    o.change(&o.uma, json!({ "status": "suspended" })).await;
    o.uma.client.get(&second).await.expect(404);
    assert!(waiting(&o.uma.client).await.is_empty());
    problem(o.uma.client.post(&format!("{second}/approve"), &json!({})).await, 404, "common.not-found", &[]);
}

/// Also where no chain says who is asked.
async fn who_is_suspended_decides_on_nothing(store: &Fresh) {
    let o = Office::new(store).await;
    let request = o.ask(&o.w.asha, 1, 1).await;
    o.change(&o.w.meera, json!({ "status": "suspended" })).await;
    for act in ["approve", "reject"] {
        let refused = o.w.meera.client.post(&format!("{request}/{act}"), &json!({})).await;
        problem(refused, 403, "approval.not-yours", &[]);
    }
    assert_eq!(o.w.owner.get(&request).await.expect(200).json()["status"], "pending");
    o.change(&o.w.meera, json!({ "status": "active" })).await;
    assert_eq!(approve(&o.w.meera.client, &request).await, "approved");
}

async fn a_task_is_given_to_somebody_else(store: &Fresh) {
    let o = Office::new(store).await;
    let (asha, ravi, meera) = (&o.w.asha, &o.w.ravi, &o.w.meera);
    let request = o.ask(asha, 1, 1).await;
    let forward = format!("{request}/forward");
    let to = |person: &Person| json!({ "employee_id": person.employee, "note": "You know better" });
    problem(asha.client.post(&forward, &to(ravi)).await, 403, "leave.self-approval", &[]);
    problem(ravi.client.post(&forward, &to(ravi)).await, 404, "common.not-found", &[]);
    problem(meera.client.post(&forward, &to(asha)).await, 409, "approval.cannot-decide", &[]);
    // It would only stay hers when people change.
    problem(meera.client.post(&forward, &to(meera)).await, 409, "approval.already-theirs", &[]);
    let nobody = json!({ "employee_id": o.w.leave_type });
    problem(meera.client.post(&forward, &nobody).await, 422, "common.invalid", &["/employee_id"]);
    meera.client.post(&forward, &to(ravi)).await.expect(200);
    o.w.deliver().await;
    assert_eq!(waiting(&ravi.client).await, [(request.clone(), "employee".to_owned())]);
    assert!(titles(&ravi.client).await[0].contains("asks for leave"));
    let comment = json!({ "text": "Who stands in?\nRavi?" });
    ravi.client.post(&format!("{request}/comments"), &comment).await.expect(200);
    asha.client.post(&format!("{request}/comments"), &json!({ "text": "Yes 🙂" })).await.expect(200);
    problem(
        asha.client.post(&format!("{request}/comments"), &json!({ "text": "" })).await,
        422,
        "common.invalid",
        &["/text"],
    );
    assert_eq!(approve(&ravi.client, &request).await, "approved");
    assert_eq!(
        trail(&meera.client, &request).await,
        ["started", "asked", "forwarded", "commented", "commented", "approved"]
    );
}

async fn several_are_decided_at_once(store: &Fresh) {
    let o = Office::new(store).await;
    let (asha, ravi, meera) = (&o.w.asha, &o.w.ravi, &o.w.meera);
    let ids = [o.ask(asha, 1, 1).await, o.ask(ravi, 1, 1).await, o.ask(asha, 2, 2).await];
    let ids = ids.map(|path| path.rsplit('/').next().unwrap().to_owned());
    let one = |id: &str, decision: &str| json!({ "leave_request_id": id, "decision": decision });
    let all = json!({ "decisions": [
        one(&ids[0], "approve"), one(&ids[1], "reject"), one(&o.w.leave_type, "approve"), one(&ids[2], "approve"),
    ] });
    let path = "/api/v1/leave-requests/decide";
    let headers = [("idempotency-key", "monday")];
    let answer = meera.client.call(Method::POST, path, &headers, Some(&all)).await.expect(200).json();
    let items = answer["items"].as_array().unwrap();
    let got: Vec<_> = items.iter().map(|item| (&item["status"], &item["refusal"]["code"])).collect();
    let (none, approved) = (Value::Null, json!("approved"));
    assert_eq!(
        got,
        [
            (&approved, &none),
            (&json!("rejected"), &none),
            (&none, &json!("common.not-found")),
            (&approved, &none),
        ]
    );
    let again = meera.client.call(Method::POST, path, &headers, Some(&all)).await.expect(200).json();
    assert_eq!(again, answer, "the same answer under the same key");
    let own = json!({ "decisions": [one(&ids[2], "approve")] });
    let refused = asha.client.post(path, &own).await.expect(200).json();
    assert_eq!(refused["items"][0]["refusal"]["code"], "leave.self-approval");
    problem(
        meera.client.post(path, &json!({ "decisions": [] })).await,
        422,
        "common.invalid",
        &["/decisions"],
    );
    let twice = json!({ "decisions": [one(&ids[0], "approve"), one(&ids[0], "reject")] });
    problem(meera.client.post(path, &twice).await, 422, "common.invalid", &["/decisions"]);
    let again = json!({ "decisions": [one(&ids[0], "reject")] });
    let refused = meera.client.post(path, &again).await.expect(200).json();
    assert_eq!(refused["items"][0]["refusal"]["code"], "leave.not-pending");
    let many = json!({ "decisions": vec![one(&ids[0], "approve"); 101] });
    problem(meera.client.post(path, &many).await, 422, "common.invalid", &["/decisions"]);
}

/// What somebody may decide by their role isn't theirs where a chain asks others; human resources stand in for anybody.
async fn a_chain_goes_before_roles(store: &Fresh) {
    let o = Office::new(store).await;
    o.chain("uma", json!({ "levels": [{ "approvers": [{ "type": "user", "user_id": o.uma.user }] }] })).await;
    let request = o.ask(&o.w.asha, 1, 1).await;
    for action in ["approve", "reject", "forward"] {
        let body = if action == "forward" { json!({ "employee_id": o.w.ravi.employee }) } else { json!({}) };
        let refused = o.w.meera.client.post(&format!("{request}/{action}"), &body).await;
        problem(refused, 403, "approval.not-yours", &[]);
    }
    // Nor does she take back for Asha what she may not decide on.
    problem(
        o.w.meera.client.post(&format!("{request}/cancel"), &json!({})).await,
        403,
        "common.forbidden",
        &[],
    );
    let hari = &o.hari.client;
    problem(hari.post(&format!("{request}/approve"), &json!({})).await, 403, "approval.not-asked", &[]);
    let instead =
        hari.post(&format!("{request}/approve"), &json!({ "in_place": true })).await.expect(200).json();
    assert_eq!(instead["status"], "approved");
    let case = o.w.asha.client.get(&format!("{request}/approval")).await.expect(200).json();
    let decided = &case["trail"][2];
    assert_eq!((&decided["in_place"], &decided["user_id"]), (&json!(true), &json!(o.hari.user)));
}

async fn parallel_decisions_take_one_level(store: &Fresh) {
    let o = Office::new(store).await;
    o.two_levels().await;
    let request = o.ask(&o.w.asha, 1, 3).await;
    let asks = (0..8).map(|_| {
        let (by, path) = (o.w.meera.client.clone(), format!("{request}/approve"));
        async move { by.post(&path, &json!({})).await }
    });
    let answers = all_at_once(asks).await;
    let mut taken = 0;
    for answer in answers {
        if answer.status.is_success() {
            taken += 1;
            assert_eq!(answer.json()["status"], "pending");
        } else {
            problem(answer, 409, "approval.another-level", &[]);
        }
    }
    assert_eq!(taken, 1);
    assert_eq!(waiting(&o.uma.client).await.len(), 1);
}

hrms_tests::on_every_engine!(
    levels_are_asked_one_after_the_other,
    p15_a_delegate_decides_on_behalf_of_somebody,
    a_delegation_is_given_and_taken_back,
    all_of_a_level_have_to_agree,
    a_new_manager_gets_what_waits,
    p15_no_case_lacks_an_approver,
    changes_further_up_are_followed,
    who_is_asked_decides_whatever_their_roles,
    who_is_suspended_decides_on_nothing,
    a_task_is_given_to_somebody_else,
    several_are_decided_at_once,
    a_chain_goes_before_roles,
    parallel_decisions_take_one_level,
);

mod chains;
mod edited;
mod entitled;
mod limits;
