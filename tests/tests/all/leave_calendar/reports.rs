//! What leave is owed, and leave as files.

use hrms_store::SqlStore;
use hrms_tests::{Client, on_every_engine};
use serde_json::{Value, json};

use super::world::{World, text};
use crate::all::people::http::problem;

/// The rows of a CSV file by the names of its columns.
fn table(file: &str) -> Vec<Value> {
    assert!(file.split_inclusive('\n').all(|line| line.ends_with("\r\n")), "{file:?}");
    let mut lines = file.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().unwrap();
    lines
        .map(|cells| {
            assert_eq!(cells.len(), header.len());
            header
                .iter()
                .cloned()
                .zip(cells.into_iter().map(Value::from))
                .collect::<serde_json::Map<_, _>>()
                .into()
        })
        .collect()
}

async fn export(by: &Client, what: &str) -> Vec<Value> {
    let reply = by.get(&format!("/api/v1/exports/{what}")).await.expect(200);
    assert_eq!(reply.header("content-type"), Some("text/csv; charset=utf-8"));
    table(&reply.text())
}

async fn what_is_owed_is_what_was_granted_and_not_taken(store: &SqlStore) {
    let w = World::new(store).await;
    // 60 days of each kind. On 10 December two are taken, one is approved for later, two are asked for.
    w.leave(&w.asha, &w.annual, "2026-12-07", "2026-12-08", json!({})).await;
    w.leave(&w.asha, &w.annual, "2026-12-14", "2026-12-14", json!({})).await;
    w.ask(&w.asha, &w.annual, "2026-12-21", "2026-12-22", json!({})).await;
    w.clock.advance(jiff::SignedDuration::from_hours(24 * 17));
    let all = w.hr.get("/api/v1/leave-liability?as_of=2026-12-10").await.expect(200).json();
    let rows = all["items"].as_array().unwrap();
    assert_eq!(rows.len(), 5);
    let asha = rows.iter().find(|row| row["employee"]["id"] == w.asha.id.as_str()).unwrap();
    assert_eq!((&asha["department"]["name"], &asha["as_of"]), (&json!("Engineering"), &json!("2026-12-10")));
    let annual = &asha["leaves"][0];
    assert_eq!(annual["leave_type"]["name"], "Annual leave");
    let expected = json!({ "available": 55 * 480, "pending": 960, "approved_ahead": 480, "owed": 58 * 480 });
    assert_eq!((&annual["minutes"], &annual["owed"]), (&expected, &json!("58")));
    assert_eq!(asha["leaves"][1]["owed"], "60");
    // Before she took any; and before anything was granted.
    let before = w.hr.get("/api/v1/leave-liability?as_of=2026-12-06").await.expect(200).json();
    let asha =
        before["items"].as_array().unwrap().iter().find(|row| row["employee"]["id"] == w.asha.id.as_str());
    assert_eq!(asha.unwrap()["leaves"][0]["owed"], "60");
    let nothing = w.hr.get("/api/v1/leave-liability?as_of=2025-12-31").await.expect(200).json();
    assert!(nothing["items"].as_array().unwrap().iter().all(|row| row["leaves"] == json!([])), "{nothing}");

    let totals = w.hr.get("/api/v1/leave-liability/totals?as_of=2026-12-10").await.expect(200).json();
    assert_eq!(totals["employees"], 5);
    let told = |rows: &Value| -> Vec<(Value, String, Value, String)> {
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| {
            let of = row["of"]["name"].clone();
            (of, text(&row["leave_type"]["name"]), row["employees"].clone(), text(&row["owed"]))
        })
        .collect()
    };
    let row = |of: Value, kind: &str, people: i64, owed: &str| {
        (of, kind.to_owned(), json!(people), owed.to_owned())
    };
    assert_eq!(
        told(&totals["by_leave_type"]),
        [row(Value::Null, "Annual leave", 5, "298"), row(Value::Null, "Sick leave", 5, "300")]
    );
    assert_eq!(
        told(&totals["by_department"]),
        [
            row(json!("API"), "Annual leave", 1, "60"),
            row(json!("API"), "Sick leave", 1, "60"),
            row(json!("Engineering"), "Annual leave", 3, "178"),
            row(json!("Engineering"), "Sick leave", 3, "180"),
            row(json!("Sales"), "Annual leave", 1, "60"),
            row(json!("Sales"), "Sick leave", 1, "60"),
        ]
    );
    assert_eq!(told(&totals["by_location"]).len(), 4);
    // A manager sees the reports', an employee their own.
    for (by, path, people) in [
        (&w.lead.client, "", 4),
        (&w.asha.client, "", 1),
        (&w.hr, &*format!("?department_id={}", w.sales), 1),
        (&w.hr, &*format!("?department_id={}&include_subdepartments=true", w.engineering), 4),
        (&w.hr, &*format!("?location_id={}", w.angeles), 1),
        (&w.lead.client, &*format!("?department_id={}", w.sales), 0),
    ] {
        let totals = by.get(&format!("/api/v1/leave-liability/totals{path}")).await.expect(200).json();
        assert_eq!(totals["employees"], people, "{path}");
        let list = by.get(&format!("/api/v1/leave-liability{path}")).await.expect(200).json();
        assert_eq!(list["items"].as_array().unwrap().len(), people, "{path}");
    }
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = w.hr.get(&format!("/api/v1/leave-liability?limit=2{cursor}")).await.expect(200).json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|row| text(&row["employee"]["number"])));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, ["E-00001", "E-00002", "E-00003", "E-00004", "E-00005"]);
    problem(w.hr.get("/api/v1/leave-liability?as_of=9999-12-31").await, 422, "common.invalid", &["/as_of"]);
    problem(w.hr.get("/api/v1/leave-liability?as_of=2040-01-01").await, 422, "leave.too-far-ahead", &[]);

    let file = export(&w.hr, "leave-liability?as_of=2026-12-10").await;
    assert_eq!(file.len(), 10);
    let asha =
        file.iter().find(|row| row["name"] == "Asha Rao" && row["leave_type"] == "Annual leave").unwrap();
    assert_eq!((&asha["owed_minutes"], &asha["owed_days"]), (&json!("27840"), &json!("58")));
    let file = export(&w.hr, "leave-balances?as_of=2026-12-10").await;
    let asha = file.iter().find(|row| row["name"] == "Asha Rao" && row["leave_type"] == "annual").unwrap();
    assert_eq!((&asha["available_minutes"], &asha["taken_minutes"]), (&json!("26400"), &json!("1440")));
}

async fn files_have_what_may_be_read_and_no_formulas(store: &SqlStore) {
    let w = World::new(store).await;
    let new = json!({
        "given_name": "=cmd|' /C calc'!A0", "number": "@SUM", "hired_on": "2020-01-01", "manager_id": w.lead.id,
    });
    let evil = text(&w.hr.post("/api/v1/employees", &new).await.expect(201).json()["id"]);
    let grant = json!({
        "employee_id": evil, "leave_type_id": w.annual, "days": "9", "valid_from": "2026-01-01",
    });
    w.hr.post("/api/v1/leave-grants", &grant).await.expect(201);
    let first = w.leave(&w.asha, &w.annual, "2026-12-07", "2026-12-08", json!({ "note": "surgery" })).await;
    let second = w.ask(&w.dora, &w.sick, "2026-12-21", "2026-12-22", json!({})).await;
    let requests = export(&w.hr, "leave-requests").await;
    assert_eq!(requests.iter().map(|row| text(&row["id"])).collect::<Vec<_>>(), [first.clone(), second]);
    assert_eq!(
        (&requests[0]["leave_type"], &requests[0]["status"], &requests[0]["days"]),
        (&json!("annual"), &json!("approved"), &json!("2"))
    );
    assert!(!w.hr.get("/api/v1/exports/leave-requests").await.text().contains("surgery"));
    assert_eq!(export(&w.hr, "leave-requests?from=2026-12-09").await.len(), 1);
    assert_eq!(export(&w.hr, "leave-requests?to=2026-12-06").await.len(), 0);
    // Two days are two postings below zero, which stay numbers; what looks like a formula isn't one.
    let postings = export(&w.hr, "leave-postings?from=2026-12-07&to=2026-12-07").await;
    assert_eq!(postings.len(), 1);
    assert_eq!((&postings[0]["minutes"], &postings[0]["kind"]), (&json!("-480"), &json!("consumption")));
    assert_eq!(postings[0]["leave_request_id"], first.as_str());
    let all = export(&w.hr, "leave-postings").await;
    assert_eq!(all.len(), 5 * 2 + 1 + 2);
    for file in ["leave-balances", "leave-liability", "leave-postings"] {
        let rows = export(&w.hr, file).await;
        let evil = rows.iter().find(|row| row["employee"] == "'@SUM").unwrap();
        assert_eq!(evil["name"], "'=cmd|' /C calc'!A0", "{file}");
    }
    // Who may not export gets nothing, and others what they may read.
    for by in [&w.asha.client, &w.lead.client] {
        for file in ["leave-balances", "leave-liability", "leave-requests", "leave-postings"] {
            problem(by.get(&format!("/api/v1/exports/{file}")).await, 403, "common.forbidden", &[]);
        }
    }
    let asha = &w.asha.id;
    w.policy(&format!(
        r#"forbid (principal is User, action == Action::"leave.read", resource)
when {{ resource.owner == Employee::"{asha}" }};"#
    ))
    .await;
    for file in ["leave-balances", "leave-liability", "leave-requests", "leave-postings"] {
        let text = w.hr.get(&format!("/api/v1/exports/{file}")).await.expect(200).text();
        assert!(!text.contains("Asha") && text.contains("Dora"), "{file}: {text}");
    }
    problem(
        w.hr.get("/api/v1/exports/leave-requests?from=2026-02-02&to=2026-02-01").await,
        422,
        "common.invalid",
        &["/to"],
    );
    let log = w.owner.get("/api/v1/audit-log?action=export.made").await.expect(200).json();
    assert!(
        log["items"].as_array().unwrap().iter().any(|one| one["subject"] == "exports/leave-postings"),
        "{log}"
    );
}

on_every_engine!(what_is_owed_is_what_was_granted_and_not_taken, files_have_what_may_be_read_and_no_formulas,);
