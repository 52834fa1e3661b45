//! Compensatory leave, leave that is paid out, and what payroll has to know, over HTTP.

use hrms_core::contract::all_at_once;
use hrms_core::jiff::SignedDuration;
use hrms_tests::{Fresh, Reply};
use serde_json::{Value, json};

use crate::all::notifications::world::{Person, World, text, titles};
use crate::all::people::http::problem;

/// Today is Monday 23 November 2026; Asha reports to Meera, and works from Monday to Friday.
struct Office {
    w: World,
}

impl Office {
    async fn new(store: &Fresh) -> Self {
        Self { w: World::new(store).await }
    }

    /// A leave type with a policy for everyone, and days in hand for Asha.
    async fn kind(&self, code: &str, rules: Value, days: &str) -> String {
        let new = json!({ "code": code, "name": format!("Leave {code}") });
        let leave_type = self.create("leave-types", new).await;
        let new = json!({
            "leave_type_id": leave_type, "code": code, "name": code, "applies_to": "everyone",
            "effective_from": "2020-01-01", "rules": rules,
        });
        self.create("leave-policies", new).await;
        if days != "0" {
            self.grant(&leave_type, days, None).await;
        }
        leave_type
    }

    async fn create(&self, collection: &str, new: Value) -> String {
        text(&self.w.owner.post(&format!("/api/v1/{collection}"), &new).await.expect(201).json()["id"])
    }

    async fn grant(&self, leave_type: &str, days: &str, valid_to: Option<&str>) -> String {
        let new = json!({
            "employee_id": self.w.asha.employee, "leave_type_id": leave_type, "days": days, "valid_from": "2026-01-01",
            "valid_to": valid_to,
        });
        self.create("leave-grants", new).await
    }

    /// (granted, taken, encashed, available) of Asha's on a day.
    async fn balance(&self, leave_type: &str, as_of: &str) -> [String; 4] {
        let path = format!("/api/v1/leave-balances/{}/{leave_type}?as_of={as_of}", self.w.asha.employee);
        let one = self.w.owner.get(&path).await.expect(200).json();
        ["granted", "taken", "encashed", "available"].map(|name| text(&one[name]))
    }

    /// Asha asks for leave, and Meera agrees.
    async fn leave(&self, leave_type: &str, first: &str, last: &str) -> String {
        let ask = json!({ "leave_type_id": leave_type, "starts_on": first, "ends_on": last });
        let asked = self.w.asha.client.post("/api/v1/leave-requests", &ask).await.expect(201);
        let path = asked.header("location").unwrap().to_owned();
        act(&self.w.meera, &path, "approve").await.expect(200);
        path
    }

    async fn facts(&self, query: &str) -> Vec<Value> {
        let path = format!("/api/v1/leave-payroll-facts?limit=200{query}");
        self.w.owner.get(&path).await.expect(200).json()["items"].as_array().unwrap().clone()
    }
}

async fn worked(by: &Person, leave_type: &str, on: &str) -> Reply {
    let new = json!({ "kind": "compensatory", "leave_type_id": leave_type, "worked_on": on, "days": "1" });
    by.client.post("/api/v1/leave-claims", &new).await
}

async fn sell(by: &Person, leave_type: &str, days: &str) -> Reply {
    let new = json!({ "kind": "encashment", "leave_type_id": leave_type, "days": days });
    by.client.post("/api/v1/leave-claims", &new).await
}

/// The address of what was made.
fn at(reply: Reply) -> String {
    reply.expect(201).header("location").unwrap().to_owned()
}

async fn act(by: &Person, path: &str, what: &str) -> Reply {
    by.client.post(&format!("{path}/{what}"), &json!({})).await
}

const TODAY: &str = "2026-11-23";

async fn work_on_days_off_is_leave(store: &Fresh) {
    let o = Office::new(store).await;
    let (asha, ravi, meera) = (&o.w.asha, &o.w.ravi, &o.w.meera);
    let rules = json!({ "compensatory": { "claim_within_days": 30, "valid_for": { "days": 90 } } });
    let comp = o.kind("CO", rules, "0").await;
    o.w.deliver().await;
    let made = worked(asha, &comp, "2026-11-22").await.expect(201);
    let (claim, path) = (made.json(), made.header("location").unwrap().to_owned());
    assert_eq!(
        (&claim["status"], &claim["minutes"], &claim["days"]),
        (&json!("pending"), &json!(480), &json!("1"))
    );
    o.w.deliver().await;
    let told = titles(&meera.client).await;
    assert!(told[0].contains("Asha Rao has a claim"), "{told:?}");
    let tasks = meera.client.get("/api/v1/approval-tasks").await.expect(200).json();
    let task = &tasks["items"][0];
    assert_eq!((&task["kind"], &task["subject_id"]), (&json!("compensatory_claim"), &claim["id"]));
    // Nobody decides on their own; nobody else learns of it.
    problem(act(asha, &path, "approve").await, 403, "leave.self-approval", &[]);
    for what in ["approve", "reject", "cancel", "approval"] {
        let reply = match what {
            "approval" => ravi.client.get(&format!("{path}/approval")).await,
            _ => act(ravi, &path, what).await,
        };
        problem(reply, 404, "common.not-found", &[]);
    }
    assert_eq!(o.balance(&comp, TODAY).await, ["0", "0", "0", "0"]);
    let done = act(meera, &path, "approve").await.expect(200).json();
    assert_eq!(done["status"], "approved");
    let lot = o.w.owner.get(&format!("/api/v1/leave-grants/{}", text(&done["lot_id"]))).await.expect(200);
    let lot = lot.json();
    assert_eq!((&lot["valid_from"], &lot["valid_to"]), (&json!("2026-11-23"), &json!("2027-02-21")));
    assert_eq!((&lot["source"], &lot["days"]), (&json!("compensatory"), &json!("1")));
    assert_eq!(o.balance(&comp, TODAY).await, ["1", "0", "0", "1"]);
    o.w.deliver().await;
    assert!(titles(&asha.client).await[0].contains("Your claim was approved"));
    problem(act(meera, &path, "approve").await, 409, "leave.not-pending", &[]);

    // It can be taken back while nothing of it is used or asked for.
    act(asha, &path, "cancel").await.expect(200);
    assert_eq!(o.balance(&comp, TODAY).await, ["0", "0", "0", "0"]);
    problem(act(asha, &path, "cancel").await, 409, "leave.not-cancellable", &[]);
    let path = at(worked(asha, &comp, "2026-11-22").await);
    act(meera, &path, "approve").await.expect(200);
    let ask = json!({ "leave_type_id": comp, "starts_on": "2026-12-01", "ends_on": "2026-12-01" });
    let asked = at(asha.client.post("/api/v1/leave-requests", &ask).await);
    problem(act(asha, &path, "cancel").await, 409, "leave-claim.used", &[]);
    act(meera, &asked, "approve").await.expect(200);
    problem(act(meera, &path, "cancel").await, 409, "leave-claim.used", &[]);
    assert_eq!(o.balance(&comp, TODAY).await, ["1", "1", "0", "0"]);
    // What was rejected or withdrawn gave nothing.
    for (by, what) in [(meera, "reject"), (asha, "cancel")] {
        let path = at(worked(asha, &comp, "2026-11-21").await);
        act(by, &path, what).await.expect(200);
        problem(act(meera, &path, "approve").await, 409, "leave.not-pending", &[]);
    }
    assert_eq!(o.balance(&comp, TODAY).await, ["1", "1", "0", "0"]);
    let list = asha.client.get("/api/v1/leave-claims?status=rejected").await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let others = ravi.client.get("/api/v1/leave-claims").await.expect(200).json();
    assert_eq!(others["items"], json!([]));
}

async fn bad_claims_change_nothing(store: &Fresh) {
    let o = Office::new(store).await;
    let asha = &o.w.asha;
    let comp = o.kind("CO", json!({ "compensatory": { "claim_within_days": 30 } }), "0").await;
    problem(worked(asha, &comp, "2026-11-20").await, 422, "leave-claim.not-a-day-off", &[]);
    problem(worked(asha, &comp, "2026-11-29").await, 422, "common.invalid", &["/worked_on"]);
    problem(worked(asha, &comp, "2026-10-18").await, 409, "leave-claim.too-late", &[]);
    problem(worked(asha, &comp, "2019-12-29").await, 409, "leave-claim.not-allowed", &[]);
    problem(worked(asha, &o.w.leave_type, "2026-11-22").await, 409, "leave-claim.not-allowed", &[]);
    problem(sell(asha, &comp, "1").await, 409, "leave-claim.not-allowed", &[]);
    worked(asha, &comp, "2026-11-22").await.expect(201);
    problem(worked(asha, &comp, "2026-11-22").await, 409, "leave-claim.claimed-already", &[]);
    let claim = |more: Value| {
        let mut new = json!({ "kind": "compensatory", "leave_type_id": comp, "worked_on": "2026-11-21" });
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        async move { asha.client.post("/api/v1/leave-claims", &new).await }
    };
    for (more, pointer) in [
        (json!({}), "/days"),
        (json!({ "days": "1", "minutes": 480 }), "/days"),
        (json!({ "days": "1.5" }), "/days"),
        (json!({ "days": "0" }), "/days"),
        (json!({ "days": "-1" }), "/days"),
        (json!({ "days": "🏖️" }), "/days"),
        (json!({ "minutes": 481 }), "/minutes"),
        (json!({ "minutes": 9_223_372_036_854_775_807_i64 }), "/minutes"),
        (json!({ "days": "1", "worked_on": null }), "/worked_on"),
        (json!({ "days": "1", "worked_on": "9999-12-31" }), "/worked_on"),
        (json!({ "days": "1", "kind": "encashment" }), "/worked_on"),
        (json!({ "days": "1", "note": "x".repeat(1001) }), "/note"),
        (json!({ "days": "1", "employee_id": o.w.ravi.employee }), "/employee_id"),
        (json!({ "days": "1", "leave_type_id": asha.employee }), "/leave_type_id"),
    ] {
        let refused = claim(more.clone()).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{more}: {refused}");
    }
    let all = asha.client.get("/api/v1/leave-claims").await.expect(200).json();
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
    // Thirty days ago is in time.
    worked(asha, &comp, "2026-10-24").await.expect(201);
    // Rules that make no sense.
    for (rules, pointer) in [
        (json!({ "compensatory": { "valid_for": { "days": 0 } } }), "/rules/compensatory/valid_for"),
        (json!({ "compensatory": { "claim_within_days": 9999 } }), "/rules/compensatory/claim_within_days"),
        (json!({ "encashment": { "keep": { "days": "1001" } } }), "/rules/encashment/keep"),
        (json!({ "encashment": { "most_per_year": { "days": "-1" } } }), "/rules"),
    ] {
        let new = json!({
            "leave_type_id": comp, "code": "X", "name": "X", "effective_from": "2020-01-01", "rules": rules,
        });
        let refused = o.w.owner.post("/api/v1/leave-policies", &new).await.expect(422).json();
        let named = text(&refused["errors"][0]["pointer"]);
        assert!(named.starts_with(pointer), "{named}: {refused}");
    }
}

/// leave-comp-002: what is earned on the last day of a leave year belongs to the next.
async fn work_on_the_last_day_belongs_to_what_follows(store: &Fresh) {
    let o = Office::new(store).await;
    let comp = o.create("leave-types", json!({ "code": "CO", "name": "CO" })).await;
    let new = json!({
        "leave_type_id": comp, "code": "CO", "name": "CO", "applies_to": "assigned", "effective_from": "2020-01-01",
        "rules": { "compensatory": { "begins": "approval", "valid_for": { "months": 1 } } },
    });
    let policy = o.create("leave-policies", new).await;
    let assign = async |from: &str, to: &str| {
        let new = json!({
            "employee_id": o.w.asha.employee, "leave_policy_id": policy, "valid_from": from, "valid_to": to,
        });
        o.create("leave-policy-assignments", new).await
    };
    assign("2023-01-01", "2024-01-01").await;
    let sunday = "2023-12-31";
    problem(worked(&o.w.asha, &comp, sunday).await, 409, "leave-claim.not-allowed", &[]);
    worked(&o.w.asha, &comp, "2023-12-30").await.expect(201);
    assign("2024-01-01", "2025-01-01").await;
    let path = at(worked(&o.w.asha, &comp, sunday).await);
    let done = act(&o.w.meera, &path, "approve").await.expect(200).json();
    let lot = o.w.owner.get(&format!("/api/v1/leave-grants/{}", text(&done["lot_id"]))).await.expect(200);
    let lot = lot.json();
    assert_eq!((&lot["valid_from"], &lot["valid_to"]), (&json!(TODAY), &json!("2026-12-23")));
}

/// LV-45: 20 in hand, 15 to keep, 8 asked for: 5. leave-encash-001c: 7 in hand, at most 3 a year: 3.
async fn leave_is_paid_out(store: &Fresh) {
    let o = Office::new(store).await;
    let (asha, meera) = (&o.w.asha, &o.w.meera);
    let rules = json!({ "encashment": { "keep": { "days": "15" }, "most_per_year": { "days": "6" } } });
    let leave = o.kind("PL", rules, "20").await;
    o.w.deliver().await;
    let made = sell(asha, &leave, "8").await.expect(201);
    let claim = made.json();
    assert_eq!(
        (&claim["asked_minutes"], &claim["minutes"], &claim["days"]),
        (&json!(3840), &json!(2400), &json!("5"))
    );
    // What waits is nobody's twice.
    problem(sell(asha, &leave, "1").await, 409, "leave-claim.nothing-to-encash", &[]);
    let path = at(made);
    o.w.deliver().await;
    assert!(titles(&meera.client).await[0].contains("Asha Rao has a claim"));
    assert_eq!(o.balance(&leave, TODAY).await, ["20", "0", "0", "20"]);
    act(meera, &path, "approve").await.expect(200);
    assert_eq!(o.balance(&leave, TODAY).await, ["20", "0", "5", "15"]);
    let facts = o.facts("").await;
    assert_eq!(facts.len(), 1);
    assert_eq!(
        (&facts[0]["kind"], &facts[0]["minutes"], &facts[0]["date"], &facts[0]["employee_id"]),
        (&json!("encashed"), &json!(2400), &json!(TODAY), &json!(asha.employee))
    );
    assert_eq!(o.facts("&from=2026-11-24").await.len(), 0);
    assert_eq!(o.facts("&kind=unpaid").await.len(), 0);
    for person in [asha, meera] {
        problem(person.client.get("/api/v1/leave-payroll-facts").await, 403, "common.forbidden", &[]);
    }
    // One more day of the six of this leave year, when more is in hand.
    o.grant(&leave, "10", None).await;
    assert_eq!(sell(asha, &leave, "3").await.expect(201).json()["days"], "1");
    // Whoever gets the money doesn't undo it.
    problem(act(asha, &path, "cancel").await, 409, "leave.not-cancellable", &[]);
    act(meera, &path, "cancel").await.expect(200);
    assert_eq!(o.balance(&leave, TODAY).await, ["30", "0", "0", "30"]);
    assert_eq!(o.facts("").await.len(), 0);
    let all = o.facts("&recorded_after=2026-01-01T00:00:00Z").await;
    let minutes: Vec<i64> = all.iter().map(|fact| fact["minutes"].as_i64().unwrap()).collect();
    assert_eq!((minutes.len(), minutes.iter().sum::<i64>()), (2, 0));
    assert!(all.iter().all(|fact| fact["kind"] == "encashed"));

    let other = o.kind("EL", json!({ "encashment": { "most_per_year": { "days": "3" } } }), "7").await;
    let path = at(sell(asha, &other, "7").await);
    act(meera, &path, "approve").await.expect(200);
    assert_eq!(o.balance(&other, TODAY).await, ["7", "0", "3", "4"]);
    problem(sell(asha, &other, "1").await, 409, "leave-claim.nothing-to-encash", &[]);
    // Another leave year, another three.
    o.w.after(SignedDuration::from_hours(24 * 40)).await;
    let new = json!({ "kind": "encashment", "leave_type_id": other, "days": "4" });
    let later = o.w.again(asha).await.post("/api/v1/leave-claims", &new).await.expect(201).json();
    assert_eq!(later["days"], "3");
}

/// Work on a public holiday counts, though it is a Friday; what it gave is given back only until it expires.
async fn work_on_a_holiday_is_leave_for_a_while(store: &Fresh) {
    let o = Office::new(store).await;
    let comp = o.kind("CO", json!({ "compensatory": { "valid_for": { "months": 1 } } }), "0").await;
    let calendar = o.create("holiday-calendars", json!({ "code": "PNQ", "name": "Pune" })).await;
    let friday = json!({ "on_date": "2026-11-20", "name": "Feast" });
    let holidays = format!("/api/v1/holiday-calendars/{calendar}/holidays");
    o.w.owner.post(&holidays, &friday).await.expect(201);
    let place = text(&o.w.owner.get("/api/v1/locations").await.expect(200).json()["items"][0]["id"]);
    let assign = json!({ "holiday_calendar_id": calendar, "from": "2020-01-01" });
    o.w.owner.post(&format!("/api/v1/locations/{place}/holiday-calendars"), &assign).await.expect(200);
    problem(worked(&o.w.asha, &comp, "2026-11-19").await, 422, "leave-claim.not-a-day-off", &[]);
    let path = at(worked(&o.w.asha, &comp, "2026-11-20").await);
    act(&o.w.meera, &path, "approve").await.expect(200);
    o.w.after(SignedDuration::from_hours(24 * 40)).await;
    let late = o.w.again(&o.w.meera).await.post(&format!("{path}/cancel"), &json!({})).await;
    problem(late, 409, "leave-claim.used", &[]);
}

/// Lots are paid out in the order in which leave uses them up; what pending requests need stays; and what isn't there any more
/// when somebody agrees isn't paid out.
async fn what_is_paid_out_is_there(store: &Fresh) {
    let o = Office::new(store).await;
    let (asha, meera) = (&o.w.asha, &o.w.meera);
    let leave = o.kind("PL", json!({ "encashment": {} }), "5").await;
    let first = o.grant(&leave, "3", Some("2027-03-01")).await;
    o.grant(&leave, "9", Some("2026-11-01")).await;
    let path = at(sell(asha, &leave, "4").await);
    act(meera, &path, "approve").await.expect(200);
    let account = format!("/api/v1/leave-balances/{}/{leave}", asha.employee);
    let account = o.w.owner.get(&account).await.expect(200).json();
    let postings = account["postings"].as_array().unwrap().iter();
    let sold: Vec<(bool, i64)> = postings
        .filter(|one| one["kind"] == "encashment")
        .map(|one| (one["lot_id"] == json!(first), one["minutes"].as_i64().unwrap()))
        .collect();
    assert_eq!(sold, [(true, -3 * 480), (false, -480)]);
    assert_eq!(o.balance(&leave, TODAY).await[3], "4");
    // Of four days, three are asked for.
    let ask = json!({ "leave_type_id": leave, "starts_on": "2026-12-07", "ends_on": "2026-12-09" });
    let asked = at(asha.client.post("/api/v1/leave-requests", &ask).await);
    let made = sell(asha, &leave, "4").await.expect(201);
    assert_eq!(made.json()["days"], "1");
    let path = at(made);
    // Somebody was faster with the last one.
    o.leave(&leave, "2026-12-14", "2026-12-14").await;
    problem(act(meera, &path, "approve").await, 409, "leave.insufficient-balance", &[]);
    act(meera, &asked, "reject").await.expect(200);
    act(meera, &path, "approve").await.expect(200);
    assert_eq!(o.balance(&leave, TODAY).await, ["17", "1", "5", "2"]);
}

/// What was credited before isn't more, because there is room below the cap now.
async fn paying_out_makes_room_from_then_on(store: &Fresh) {
    let o = Office::new(store).await;
    let level = json!({
        "earn": { "per_period": { "days": "2" } }, "every": "monthly", "credit": "start", "balance_cap": { "days": "10" },
    });
    let rules = json!({ "accrual": { "levels": [level] }, "encashment": {} });
    let leave = o.kind("PL", rules, "0").await;
    assert_eq!(o.balance(&leave, "2026-12-01").await, ["10", "0", "0", "10"]);
    let path = at(sell(&o.w.asha, &leave, "4").await);
    act(&o.w.meera, &path, "approve").await.expect(200);
    assert_eq!(o.balance(&leave, TODAY).await, ["10", "0", "4", "6"]);
    assert_eq!(o.balance(&leave, "2026-12-01").await, ["12", "0", "4", "8"]);
    assert_eq!(o.balance(&leave, "2027-03-01").await, ["14", "0", "4", "10"]);
}

/// Days of unpaid leave are facts for payroll; cancelled ones aren't any more.
async fn unpaid_leave_is_told_to_payroll(store: &Fresh) {
    let o = Office::new(store).await;
    let new = json!({ "code": "LOP", "name": "Unpaid", "paid": false, "allow_negative_minutes": 9600 });
    let unpaid = o.create("leave-types", new).await;
    o.leave(&o.w.leave_type, "2026-11-30", "2026-11-30").await;
    let path = o.leave(&unpaid, "2026-12-04", "2026-12-07").await;
    let facts = o.facts("").await;
    let days: Vec<(String, i64)> =
        facts.iter().map(|fact| (text(&fact["date"]), fact["minutes"].as_i64().unwrap())).collect();
    assert_eq!(days, [("2026-12-04".into(), 480), ("2026-12-07".into(), 480)]);
    assert!(facts.iter().all(|fact| path.ends_with(&text(&fact["leave_request_id"]))));
    assert_eq!(o.facts("&from=2026-12-05&to=2026-12-07").await.len(), 1);
    let refused = o.w.owner.get("/api/v1/leave-payroll-facts?from=2026-12-05&to=2026-12-04").await;
    problem(refused, 422, "common.invalid", &["/to"]);
    // Payroll was told: what it was told stays.
    let kind = format!("/api/v1/leave-types/{unpaid}");
    let tag = o.w.owner.get(&kind).await.expect(200).header("etag").unwrap().to_owned();
    let patch = async |body: Value| {
        o.w.owner.call(http::Method::PATCH, &kind, &[("if-match", tag.as_str())], Some(&body)).await
    };
    problem(patch(json!({ "paid": true })).await, 409, "leave-type.taken", &[]);
    patch(json!({ "name": "Loss of pay" })).await.expect(200);
    assert_eq!(o.facts("").await.len(), 2);
    act(&o.w.meera, &path, "cancel").await.expect(200);
    assert_eq!(o.facts("").await.len(), 0);
    let all = o.facts("&recorded_after=2026-01-01T00:00:00Z&from=2026-12-07").await;
    let minutes: Vec<i64> = all.iter().map(|fact| fact["minutes"].as_i64().unwrap()).collect();
    assert_eq!(minutes, [480, -480]);
    assert_eq!(all[1]["undoes_id"], all[0]["id"]);
}

/// Chains, conditions, delegates, forwarding and comments are for claims what they are for requests.
async fn claims_go_the_way_of_their_chain(store: &Fresh) {
    let o = Office::new(store).await;
    let (asha, ravi, meera) = (&o.w.asha, &o.w.ravi, &o.w.meera);
    let leave = o.kind("PL", json!({ "encashment": {}, "compensatory": {} }), "20").await;
    let long = json!([{ "attribute": "days", "at_least": 3 }]);
    let chain = json!({
        "kind": "leave_encashment", "code": "sold", "name": "Manager, then owner",
        "levels": [
            { "approvers": [{ "type": "manager" }] },
            { "approvers": [{ "type": "role", "role": "owner" }], "conditions": long },
        ],
    });
    o.create("approval-chains", chain).await;
    o.w.deliver().await;
    let path = at(sell(asha, &leave, "5").await);
    o.w.deliver().await;
    assert_eq!(titles(&meera.client).await.len(), 1, "{:?}", titles(&meera.client).await);
    let said = json!({ "text": "For the new roof" });
    asha.client.post(&format!("{path}/comments"), &said).await.expect(200);
    assert_eq!(act(meera, &path, "approve").await.expect(200).json()["status"], "pending");
    assert_eq!(o.balance(&leave, TODAY).await[2], "0");
    problem(act(meera, &path, "approve").await, 409, "approval.another-level", &[]);
    let done = o.w.owner.post(&format!("{path}/approve"), &json!({})).await.expect(200).json();
    assert_eq!(done["status"], "approved");
    assert_eq!(o.balance(&leave, TODAY).await[2], "5");
    let case = asha.client.get(&format!("{path}/approval")).await.expect(200).json();
    let acts: Vec<String> = case["trail"].as_array().unwrap().iter().map(|one| text(&one["act"])).collect();
    assert_eq!(acts, ["started", "asked", "commented", "approved", "asked", "approved"]);
    // Another kind has no chain; a short one ends with the manager, and a delegate decides in her place.
    let comp = at(worked(asha, &leave, "2026-11-22").await);
    act(meera, &comp, "approve").await.expect(200);
    let delegate = json!({ "delegate_id": ravi.employee, "from": TODAY, "to": "2026-11-30" });
    meera.client.post("/api/v1/approval-delegations", &delegate).await.expect(201);
    let short = at(sell(asha, &leave, "2").await);
    assert_eq!(act(ravi, &short, "approve").await.expect(200).json()["status"], "approved");
    let case = asha.client.get(&format!("{short}/approval")).await.expect(200).json();
    assert_eq!(case["tasks"][0]["on_behalf_of"], json!(meera.employee));
    // Forwarded to somebody else, and moved when a manager changes.
    let given = at(sell(asha, &leave, "1").await);
    let to = json!({ "employee_id": ravi.employee });
    meera.client.post(&format!("{given}/forward"), &to).await.expect(200);
    let tasks = ravi.client.get("/api/v1/approval-tasks").await.expect(200).json();
    assert_eq!(tasks["items"][0]["kind"], "leave_encashment");
    act(ravi, &given, "reject").await.expect(200);
    let moved = at(sell(asha, &leave, "1").await);
    let change = json!({ "from": "2026-11-01", "manager_id": ravi.employee });
    let employment = format!("/api/v1/employees/{}/changes", asha.employee);
    o.w.owner.post(&employment, &change).await.expect(200);
    o.w.deliver().await;
    let case = asha.client.get(&format!("{moved}/approval")).await.expect(200).json();
    let tasks = case["tasks"].as_array().unwrap();
    let open: Vec<&Value> = tasks.iter().filter(|task| task["status"] == "open").collect();
    assert_eq!(open[0]["assignee"]["employee_id"], json!(ravi.employee));
}

/// Many at once: one claim for a day, one lot for a claim, and no more paid out than there is.
async fn many_at_once(store: &Fresh) {
    let o = Office::new(store).await;
    let (asha, meera) = (&o.w.asha, &o.w.meera);
    let leave = o.kind("PL", json!({ "encashment": {}, "compensatory": {} }), "2").await;
    let replies = all_at_once((0..8).map(|_| worked(asha, &leave, "2026-11-22"))).await;
    let mut made = Vec::new();
    for reply in replies {
        match reply.status.as_u16() {
            201 => made.push(at(reply)),
            _ => problem(reply, 409, "leave-claim.claimed-already", &[]),
        }
    }
    assert_eq!(made.len(), 1);
    let replies = all_at_once((0..8).map(|_| act(meera, &made[0], "approve"))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1);
    assert_eq!(o.balance(&leave, TODAY).await, ["3", "0", "0", "3"]);
    let replies = all_at_once((0..8).map(|_| sell(asha, &leave, "1"))).await;
    let mut made = Vec::new();
    for reply in replies {
        match reply.status.as_u16() {
            201 => made.push(at(reply)),
            _ => problem(reply, 409, "leave-claim.nothing-to-encash", &[]),
        }
    }
    assert_eq!(made.len(), 3);
    let replies = all_at_once(made.iter().chain(&made).map(|path| act(meera, path, "approve"))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 3);
    assert_eq!(o.balance(&leave, TODAY).await, ["3", "0", "3", "0"]);
}

hrms_tests::on_every_engine!(
    work_on_days_off_is_leave,
    bad_claims_change_nothing,
    work_on_the_last_day_belongs_to_what_follows,
    leave_is_paid_out,
    work_on_a_holiday_is_leave_for_a_while,
    what_is_paid_out_is_there,
    paying_out_makes_room_from_then_on,
    unpaid_leave_is_told_to_payroll,
    claims_go_the_way_of_their_chain,
    many_at_once,
);
