//! Who is away when, as those see it who may know why, and as colleagues do.

mod coverage;
mod feeds;
mod reports;
mod world;

use hrms_core::contract::tenant;
use hrms_store::SqlStore;
use hrms_tests::{Client, on_every_engine};
use serde_json::{Value, json};

use crate::all::people::http::problem;
use world::{Person, World, text};

const DECEMBER: &str = "from=2026-12-01&to=2026-12-31";

async fn rows(by: &Client, query: &str) -> Vec<Value> {
    let path = format!("/api/v1/leave-calendar?{query}");
    by.get(&path).await.expect(200).json()["items"].as_array().unwrap().clone()
}

/// The row of somebody, if the caller sees one.
async fn row(by: &Client, query: &str, of: &Person) -> Option<Value> {
    rows(by, query).await.into_iter().find(|row| row["employee"]["id"] == of.id.as_str())
}

fn names(rows: &[Value]) -> Vec<String> {
    rows.iter().map(|row| text(&row["employee"]["name"])).collect()
}

async fn absences(by: &Client, of: &Person) -> Option<Value> {
    row(by, DECEMBER, of).await.map(|row| row["absences"].clone())
}

/// Sick from Monday to Tuesday, on holiday from Wednesday to Friday, away on a morning, and asking for more.
async fn december(w: &World) -> Vec<String> {
    vec![
        w.leave(&w.asha, &w.sick, "2026-12-07", "2026-12-08", json!({})).await,
        w.leave(&w.asha, &w.annual, "2026-12-09", "2026-12-11", json!({})).await,
        w.leave(&w.asha, &w.annual, "2026-12-15", "2026-12-15", json!({ "start_part": "first_half" })).await,
        w.ask(&w.asha, &w.annual, "2026-12-21", "2026-12-22", json!({ "note": "surgery" })).await,
    ]
}

async fn colleagues_see_that_somebody_is_away_and_not_why(store: &SqlStore) {
    let w = World::new(store).await;
    w.holiday("2026-12-25", "Christmas").await;
    let requests = december(&w).await;
    let bare = json!([
        { "starts_on": "2026-12-07", "ends_on": "2026-12-11", "leave": null },
        { "starts_on": "2026-12-15", "ends_on": "2026-12-15", "leave": null },
    ]);
    let seen = row(&w.bela.client, DECEMBER, &w.asha).await.unwrap();
    assert_eq!(seen["absences"], bare);
    let told = seen.to_string().to_lowercase();
    for secret in ["sick", "annual", "half", "pending", "approved", "surgery", "2026-12-21"]
        .into_iter()
        .chain(requests.iter().map(String::as_str))
    {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
    assert_eq!(seen["department"]["name"], "Engineering");
    let off = seen["days_off"].as_array().unwrap();
    assert_eq!(off.len(), 9, "four weekends and Christmas: {off:?}");
    assert_eq!(off[6], json!({ "date": "2026-12-25", "reason": "holiday", "holiday": "Christmas" }));
    assert_eq!(off[0], json!({ "date": "2026-12-05", "reason": "weekly_off", "holiday": null }));

    // Who reads the leave sees each request.
    for by in [&w.lead.client, &w.asha.client, &w.hr] {
        let all = absences(by, &w.asha).await.unwrap();
        let all = all.as_array().unwrap();
        let kinds: Vec<_> = all.iter().map(|one| text(&one["leave"]["leave_type"]["name"])).collect();
        assert_eq!(kinds, ["Sick leave", "Annual leave", "Annual leave", "Annual leave"]);
        let ids: Vec<_> = all.iter().map(|one| text(&one["leave"]["leave_request_id"])).collect();
        assert_eq!(ids, requests);
        assert_eq!(all[2]["leave"]["start_part"], "first_half");
        assert_eq!((&all[3]["leave"]["status"], &all[3]["leave"]["days"]), (&json!("pending"), &json!("2")));
    }
    // The department and those below it, not above and not beside.
    assert_eq!(
        names(&rows(&w.bela.client, DECEMBER).await),
        ["Asha Rao", "Bela Rao", "Chen Rao", "Lead Rao"]
    );
    assert_eq!(names(&rows(&w.chen.client, DECEMBER).await), ["Chen Rao"]);
    assert_eq!(names(&rows(&w.dora.client, DECEMBER).await), ["Dora Rao"]);
    assert_eq!(absences(&w.dora.client, &w.asha).await, None);
    // What is cancelled isn't there.
    w.cancel(&requests[1]).await;
    assert_eq!(absences(&w.bela.client, &w.asha).await.unwrap()[0]["ends_on"], "2026-12-08");
}

/// Which of the restricted holidays somebody chose is nobody's business.
async fn a_chosen_holiday_is_a_day_away(store: &SqlStore) {
    let w = World::new(store).await;
    let calendar = w.holiday("2026-12-25", "Christmas").await;
    let path = format!("/api/v1/holiday-calendars/{calendar}");
    let new = json!({ "on_date": "2026-12-16", "name": "Feast of one faith", "kind": "restricted" });
    w.hr.post(&format!("{path}/holidays"), &new).await.expect(201);
    w.hr.post(&format!("{path}/choice-limits"), &json!({ "from_year": 2026, "most": 2 })).await.expect(200);
    let choose = json!({ "on_date": "2026-12-16" });
    let path = format!("/api/v1/employees/{}/holiday-choices", w.asha.id);
    w.asha.client.post(&path, &choose).await.expect(201);
    w.leave(&w.asha, &w.annual, "2026-12-17", "2026-12-17", json!({})).await;
    let seen = row(&w.bela.client, DECEMBER, &w.asha).await.unwrap();
    assert_eq!(
        seen["absences"],
        json!([{ "starts_on": "2026-12-16", "ends_on": "2026-12-17", "leave": null }])
    );
    assert_eq!(seen["days_off"].as_array().unwrap().len(), 9);
    assert!(!seen.to_string().contains("faith"), "{seen}");
    let own = row(&w.asha.client, DECEMBER, &w.asha).await.unwrap();
    assert_eq!(own["days_off"].as_array().unwrap().len(), 10);
    assert!(own.to_string().contains("faith"));
    assert_eq!(own["absences"].as_array().unwrap().len(), 1);
}

async fn the_calendar_filters_and_pages(store: &SqlStore) {
    let w = World::new(store).await;
    for (query, expected) in [
        (String::new(), &["Asha Rao", "Bela Rao", "Chen Rao", "Dora Rao", "Lead Rao"][..]),
        (format!("department_id={}", w.engineering), &["Asha Rao", "Bela Rao", "Lead Rao"]),
        (
            format!("department_id={}&include_subdepartments=true", w.engineering),
            &["Asha Rao", "Bela Rao", "Chen Rao", "Lead Rao"],
        ),
        (format!("department_id={}", w.api_team), &["Chen Rao"]),
        (format!("department_id={}", w.sales), &["Dora Rao"]),
        (format!("location_id={}", w.angeles), &["Dora Rao"]),
        (format!("manager_id={}", w.lead.id), &["Asha Rao", "Bela Rao", "Chen Rao"]),
        (format!("manager_id={}&location_id={}", w.lead.id, w.angeles), &[]),
        ("from=2019-01-01&to=2019-02-01".into(), &[]),
    ] {
        assert_eq!(names(&rows(&w.hr, &query).await), expected, "{query}");
    }
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page =
            w.bela.client.get(&format!("/api/v1/leave-calendar?limit=1{cursor}")).await.expect(200).json();
        seen.extend(names(page["items"].as_array().unwrap()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, ["Asha Rao", "Bela Rao", "Chen Rao", "Lead Rao"]);
    for (query, pointer) in [
        ("from=2026-01-01&to=2026-04-03", "/to"),
        ("from=2026-01-02&to=2026-01-01", "/to"),
        ("from=9999-12-31", "/from"),
        ("from=1800-01-01&to=1800-01-02", "/from"),
        ("from=tomorrow", "/from"),
        ("department_id=x", "/department_id"),
        ("include_subdepartments=perhaps", "/include_subdepartments"),
    ] {
        let refused = w.hr.get(&format!("/api/v1/leave-calendar?{query}")).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
    }
    let refused = w.hr.get("/api/v1/leave-calendar/away?on=9999-12-31").await;
    problem(refused, 422, "common.invalid", &["/on"]);
}

async fn nobody_else_sees_anything(store: &SqlStore) {
    let w = World::new(store).await;
    december(&w).await;
    // Another organisation.
    let other = tenant(store).await;
    let theirs = w.anonymous.with_token(&format!("owner {other}"));
    for query in
        [DECEMBER.to_owned(), format!("{DECEMBER}&department_id={}&manager_id={}", w.engineering, w.lead.id)]
    {
        assert!(rows(&theirs, &query).await.is_empty());
    }
    let away = theirs.get("/api/v1/leave-calendar/away?on=2026-12-07").await.expect(200).json();
    assert_eq!(away["items"], json!([]));
    // Suspended users, and nobody.
    assert!(absences(&w.bela.client, &w.asha).await.is_some());
    let path = format!("/api/v1/users/{}", w.bela.user);
    let tag = w.owner.get(&path).await.expect(200).header("etag").unwrap().to_owned();
    let headers = [("if-match", tag.as_str())];
    let suspend = json!({ "status": "disabled" });
    w.owner.call(http::Method::PATCH, &path, &headers, Some(&suspend)).await.expect(200);
    for by in [&w.bela.client, &w.anonymous] {
        by.get("/api/v1/leave-calendar").await.expect(401);
        by.get("/api/v1/leave-calendar/away").await.expect(401);
    }
    // Who moved to another department sees that one from then on.
    let moved = json!({ "from": "2026-11-23", "department_id": w.sales });
    w.hr.post(&format!("/api/v1/employees/{}/changes", w.chen.id), &moved).await.expect(200);
    assert_eq!(names(&rows(&w.dora.client, DECEMBER).await), ["Chen Rao", "Dora Rao"]);
}

async fn policies_narrow_and_widen_what_is_seen(store: &SqlStore) {
    let w = World::new(store).await;
    december(&w).await;
    assert_eq!(absences(&w.dora.client, &w.asha).await, None);
    w.policy(r#"permit (principal is User, action == Action::"employee.read-absence", resource);"#).await;
    let seen = absences(&w.dora.client, &w.asha).await.unwrap();
    assert_eq!(seen.as_array().unwrap().len(), 2);
    assert!(seen.as_array().unwrap().iter().all(|one| one["leave"].is_null()), "{seen}");
    // The manager isn't to know who is ill: only that they are away.
    let sick = &w.sick;
    w.policy(&format!(
        r#"forbid (principal is User, action == Action::"leave.read", resource is LeaveRequest)
when {{ principal.roles.contains("manager") && resource.leave_type == LeaveType::"{sick}" }};"#
    ))
    .await;
    let seen = absences(&w.lead.client, &w.asha).await.unwrap();
    assert_eq!(seen[0], json!({ "starts_on": "2026-12-07", "ends_on": "2026-12-08", "leave": null }));
    assert_eq!(seen[1]["leave"]["leave_type"]["name"], "Annual leave");
    // Whom somebody mustn't see, of them nothing is there.
    let asha = &w.asha.id;
    w.policy(&format!(
        r#"forbid (principal is User, action == Action::"employee.read", resource == Employee::"{asha}")
unless {{ principal.roles.contains("hr") || principal.roles.contains("manager") }};"#
    ))
    .await;
    assert_eq!(
        names(&rows(&w.bela.client, DECEMBER).await),
        ["Bela Rao", "Chen Rao", "Dora Rao", "Lead Rao"]
    );
    assert_eq!(names(&rows(&w.bela.client, &format!("{DECEMBER}&limit=3")).await).len(), 3);
    let away = w.bela.client.get("/api/v1/leave-calendar/away?on=2026-12-07").await.expect(200).json();
    assert_eq!(away["items"], json!([]));
    assert!(absences(&w.hr, &w.asha).await.is_some());
}

async fn who_is_away_and_back_when(store: &SqlStore) {
    let w = World::new(store).await;
    w.holiday("2026-12-25", "Christmas").await;
    let away = async |by: &Client, query: &str| {
        by.get(&format!("/api/v1/leave-calendar/away{query}")).await.expect(200).json()["items"].clone()
    };
    // From Friday over the weekend to a morning, in two requests; 25 December is a holiday.
    w.leave(&w.asha, &w.sick, "2026-12-22", "2026-12-22", json!({})).await;
    w.leave(&w.asha, &w.annual, "2026-12-23", "2026-12-24", json!({})).await;
    w.leave(&w.asha, &w.annual, "2026-12-28", "2026-12-28", json!({ "start_part": "first_half" })).await;
    w.ask(&w.bela, &w.annual, "2026-12-23", "2026-12-23", json!({})).await;
    w.ask(&w.asha, &w.annual, "2026-12-21", "2026-12-21", json!({})).await;
    let seen = away(&w.bela.client, "?on=2026-12-23").await;
    let expected = json!([{
        "employee": { "id": w.asha.id, "name": "Asha Rao" },
        "department": { "id": w.engineering, "name": "Engineering" },
        "location": { "id": w.pune, "name": "pune" },
        "on": "2026-12-23", "away_from": "2026-12-22", "back_on": "2026-12-28", "leaves": [],
    }]);
    assert_eq!(seen, expected, "half a day off is a day back, and who only asked isn't away");
    let seen = away(&w.lead.client, "?on=2026-12-23").await;
    assert_eq!(seen[0]["leaves"][0]["leave_type"]["name"], "Annual leave");
    assert_eq!(seen[0]["leaves"].as_array().unwrap().len(), 1);
    assert_eq!(seen[0]["away_from"], "2026-12-22", "the day before is only asked for");
    assert_eq!(away(&w.bela.client, "?on=2026-12-25").await, json!([]), "nobody is away from a holiday");
    assert_eq!(away(&w.dora.client, "?on=2026-12-23").await, json!([]));

    // Today is Monday in Pune, and Sunday in Los Angeles.
    w.leave(&w.chen, &w.annual, "2026-11-23", "2026-11-24", json!({})).await;
    w.leave(&w.dora, &w.annual, "2026-11-23", "2026-11-23", json!({})).await;
    let seen = away(&w.hr, "").await;
    assert_eq!(names(seen.as_array().unwrap()), ["Chen Rao"]);
    assert_eq!((&seen[0]["on"], &seen[0]["back_on"]), (&json!("2026-11-23"), &json!("2026-11-25")));
    w.clock.advance(jiff::SignedDuration::from_hours(24));
    let seen = away(&w.hr, "").await;
    assert_eq!(names(seen.as_array().unwrap()), ["Chen Rao", "Dora Rao"]);
    assert_eq!((&seen[1]["on"], &seen[1]["back_on"]), (&json!("2026-11-23"), &json!("2026-11-24")));
    assert_eq!(
        names(away(&w.hr, &format!("?location_id={}", w.angeles)).await.as_array().unwrap()),
        ["Dora Rao"]
    );
    assert_eq!(names(away(&w.hr, "?limit=1").await.as_array().unwrap()), ["Chen Rao"]);
    // Whoever has left isn't back.
    w.leave(&w.dora, &w.annual, "2026-12-01", "2026-12-02", json!({})).await;
    let end = json!({ "last_day": "2026-12-02" });
    w.hr.post(&format!("/api/v1/employees/{}/end", w.dora.id), &end).await.expect(200);
    assert_eq!(away(&w.hr, "?on=2026-12-01").await[0]["back_on"], json!(null));
}

on_every_engine!(
    colleagues_see_that_somebody_is_away_and_not_why,
    a_chosen_holiday_is_a_day_away,
    the_calendar_filters_and_pages,
    nobody_else_sees_anything,
    policies_narrow_and_widen_what_is_seen,
    who_is_away_and_back_when,
);
