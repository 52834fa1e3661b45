//! How many people have to be there, and what becomes of leave by which fewer would be.

use hrms_core::contract::all_at_once;
use hrms_store::SqlStore;
use hrms_tests::{Client, on_every_engine};
use http::Method;
use serde_json::{Value, json};

use super::world::{Person, World, text};
use crate::all::people::http::problem;

async fn set(w: &World, department: &str, new: Value) -> Value {
    let mut body = json!({ "effective_from": "2026-01-01" });
    body.as_object_mut().unwrap().extend(new.as_object().unwrap().clone());
    let path = format!("/api/v1/departments/{department}/coverage-minimums");
    w.hr.post(&path, &body).await.expect(200).json()["items"].clone()
}

/// Date, minimum, scheduled, away, present and whether it is too few.
fn told(days: &Value) -> Vec<(String, [i64; 4], bool)> {
    let days = days.as_array().unwrap().iter();
    days.map(|day| {
        let numbers = ["minimum", "scheduled", "away", "present"].map(|name| day[name].as_i64().unwrap());
        (text(&day["date"]), numbers, day["below"].as_bool().unwrap())
    })
    .collect()
}

async fn coverage(by: &Client, query: &str) -> Value {
    by.get(&format!("/api/v1/leave-coverage?{query}")).await.expect(200).json()["items"].clone()
}

async fn preview(by: &Client, who: &Person, kind: &str, first: &str, last: &str) -> Value {
    let ask = json!({
        "employee_id": who.id, "leave_type_id": kind, "starts_on": first, "ends_on": last,
    });
    by.post("/api/v1/leave-requests/preview", &ask).await.expect(200).json()
}

fn row(date: &str, numbers: [i64; 4], below: bool) -> (String, [i64; 4], bool) {
    (date.to_owned(), numbers, below)
}

async fn who_asks_and_who_decides_are_told(store: &SqlStore) {
    let w = World::new(store).await;
    w.holiday("2026-12-09", "Feast").await;
    // Lead, Asha and Bela, and Chen in the team below: three have to be there.
    set(&w, &w.engineering, json!({ "people": 3 })).await;
    set(&w, &w.sales, json!({ "people": 1 })).await;
    w.leave(&w.bela, &w.sick, "2026-12-08", "2026-12-08", json!({ "start_part": "first_half" })).await;
    let seen = preview(&w.asha.client, &w.asha, &w.annual, "2026-12-07", "2026-12-10").await;
    // Nobody works on the ninth.
    let expected = [
        row("2026-12-07", [3, 4, 1, 3], false),
        row("2026-12-08", [3, 4, 2, 2], true),
        row("2026-12-10", [3, 4, 1, 3], false),
    ];
    assert_eq!(told(&seen["coverage"]), expected);
    assert_eq!(seen["refusal"], json!(null), "it is only pointed out");
    assert_eq!(seen["coverage"][0]["department"]["name"], "Engineering");
    assert!(!seen["coverage"].to_string().contains("Bela"));
    let asked = w.ask(&w.asha, &w.annual, "2026-12-07", "2026-12-10", json!({})).await;
    let path = format!("/api/v1/leave-requests/{asked}/coverage");
    for by in [&w.lead.client, &w.hr, &w.asha.client] {
        assert_eq!(told(&by.get(&path).await.expect(200).json()["items"]), expected);
    }
    problem(w.bela.client.get(&path).await, 404, "common.not-found", &[]);
    problem(w.dora.client.get(&path).await, 404, "common.not-found", &[]);
    w.approve(&asked).await;
    assert_eq!(told(&w.lead.client.get(&path).await.expect(200).json()["items"]), expected);
    // The department as it is.
    let days = "from=2026-12-04&to=2026-12-09";
    let own = coverage(&w.bela.client, days).await;
    let expected = [
        row("2026-12-04", [3, 4, 0, 4], false),
        row("2026-12-07", [3, 4, 1, 3], false),
        row("2026-12-08", [3, 4, 2, 2], true),
    ];
    assert_eq!(told(&own), expected);
    assert_eq!(coverage(&w.hr, &format!("{days}&department_id={}", w.engineering)).await, own);
    // The team below doesn't see the whole, and sales not the others.
    assert_eq!(coverage(&w.chen.client, days).await, json!([]));
    let sales = told(&coverage(&w.dora.client, "from=2026-12-08&to=2026-12-08").await);
    assert_eq!(sales, [row("2026-12-08", [1, 1, 0, 1], false)]);
    assert_eq!(coverage(&w.dora.client, &format!("{days}&department_id={}", w.engineering)).await, json!([]));
    let preview = preview(&w.dora.client, &w.dora, &w.annual, "2026-12-08", "2026-12-08").await;
    assert_eq!(told(&preview["coverage"]), [row("2026-12-08", [1, 1, 1, 0], true)]);
    w.policy(r#"forbid (principal is User, action == Action::"employee.read-absence", resource);"#).await;
    assert_eq!(coverage(&w.bela.client, days).await, json!([]));
}

async fn minimums_have_dates_places_and_shares(store: &SqlStore) {
    let w = World::new(store).await;
    let all = set(&w, &w.engineering, json!({ "percent": 60, "location_id": w.pune })).await;
    assert_eq!(
        (&all[0]["percent"], &all[0]["people"], &all[0]["rule"]),
        (&json!(60), &json!(null), &json!("warn"))
    );
    set(&w, &w.engineering, json!({ "people": 2, "location_id": w.angeles })).await;
    set(&w, &w.engineering, json!({ "location_id": w.pune, "effective_from": "2026-12-09" })).await;
    set(&w, &w.engineering, json!({ "location_id": w.pune, "effective_from": "2026-12-10", "people": 9 }))
        .await;
    let all = set(
        &w,
        &w.engineering,
        json!({ "location_id": w.pune, "effective_from": "2026-12-10", "people": 1 }),
    )
    .await;
    assert_eq!(all.as_array().unwrap().len(), 5);
    // 60 of each hundred of four are three; none on the ninth; of two for the tenth the later one counts. Nobody of them works in Los Angeles.
    let seen = told(&coverage(&w.hr, "from=2026-12-08&to=2026-12-10").await);
    assert_eq!(seen, [row("2026-12-08", [3, 4, 0, 4], false), row("2026-12-10", [1, 4, 0, 4], false)]);
    // Who isn't to work isn't counted on.
    let suspended = json!({ "from": "2026-12-08", "status": "suspended" });
    w.hr.post(&format!("/api/v1/employees/{}/changes", w.chen.id), &suspended).await.expect(200);
    let seen = told(&coverage(&w.hr, "from=2026-12-08&to=2026-12-08").await);
    assert_eq!(seen, [row("2026-12-08", [2, 3, 0, 3], false)]);
    let path = format!("/api/v1/departments/{}/coverage-minimums", w.engineering);
    assert_eq!(w.asha.client.get(&path).await.expect(200).json()["items"].as_array().unwrap().len(), 5);
    for (new, pointer) in [
        (json!({ "people": 0 }), "/people"),
        (json!({ "people": 100_001 }), "/people"),
        (json!({ "people": "three" }), "/people"),
        (json!({ "percent": 101 }), "/percent"),
        (json!({ "percent": -1 }), "/percent"),
        (json!({ "people": 1, "percent": 1 }), "/percent"),
        (json!({ "people": 1, "effective_from": "9999-12-31" }), "/effective_from"),
        (json!({ "people": 1, "location_id": w.engineering }), "/location_id"),
        (json!({ "people": 1, "rule": "scream" }), "/rule"),
    ] {
        let mut body = json!({ "effective_from": "2026-01-01" });
        body.as_object_mut().unwrap().extend(new.as_object().unwrap().clone());
        let refused = w.hr.post(&path, &body).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
    }
    problem(
        w.asha.client.post(&path, &json!({ "effective_from": "2026-01-01", "people": 1 })).await,
        403,
        "common.forbidden",
        &[],
    );
    problem(
        w.hr.get("/api/v1/leave-coverage?from=2026-01-01&to=2026-12-31").await,
        422,
        "common.invalid",
        &["/to"],
    );
}

/// Three of four have to be there: of three who ask for the same day, one gets it, however many decide at once.
async fn a_minimum_that_blocks_refuses(store: &SqlStore) {
    let w = World::new(store).await;
    set(&w, &w.engineering, json!({ "people": 3, "rule": "block" })).await;
    let mut asked = Vec::new();
    for who in [&w.asha, &w.bela, &w.chen] {
        asked.push(w.ask(who, &w.annual, "2026-12-07", "2026-12-07", json!({})).await);
    }
    let decide = async |request: &String| {
        w.hr.post(&format!("/api/v1/leave-requests/{request}/approve"), &json!({})).await
    };
    let replies = all_at_once(asked.iter().map(decide)).await;
    let mut codes: Vec<u16> = replies.iter().map(|reply| reply.status.as_u16()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [200, 409, 409]);
    for refused in replies.into_iter().filter(|reply| reply.status != 200) {
        problem(refused, 409, "leave.coverage-too-low", &[]);
    }
    assert_eq!(
        told(&coverage(&w.hr, "from=2026-12-07&to=2026-12-07").await),
        [row("2026-12-07", [3, 4, 1, 3], false)]
    );
    // Nor can anybody ask for it any more; the day after they can.
    let ask = json!({
        "employee_id": w.lead.id, "leave_type_id": w.annual, "starts_on": "2026-12-07", "ends_on": "2026-12-07",
    });
    problem(w.hr.post("/api/v1/leave-requests", &ask).await, 409, "leave.coverage-too-low", &[]);
    let seen = preview(&w.hr, &w.lead, &w.annual, "2026-12-07", "2026-12-07").await;
    assert_eq!(seen["refusal"]["code"], "leave.coverage-too-low");
    w.leave(&w.lead, &w.annual, "2026-12-08", "2026-12-08", json!({})).await;
    // Nor is another day moved there.
    let other = w.ask(&w.lead, &w.annual, "2026-12-10", "2026-12-10", json!({})).await;
    let path = format!("/api/v1/leave-requests/{other}");
    let tag = w.lead.client.get(&path).await.expect(200).header("etag").unwrap().to_owned();
    let moved = json!({ "starts_on": "2026-12-07", "ends_on": "2026-12-07" });
    let refused = w.lead.client.call(Method::PATCH, &path, &[("if-match", &tag)], Some(&moved)).await;
    problem(refused, 409, "leave.coverage-too-low", &[]);
    assert_eq!(w.lead.client.get(&path).await.expect(200).json()["starts_on"], "2026-12-10");
}

on_every_engine!(
    who_asks_and_who_decides_are_told,
    minimums_have_dates_places_and_shares,
    a_minimum_that_blocks_refuses,
);
