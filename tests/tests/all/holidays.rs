//! Holiday calendars over HTTP: shared by locations, with revisions.

use hrms_tests::{Client, Fresh};
use http::Method;
use serde_json::{Value, json};

use crate::all::people::http::{Api, problem};

struct World {
    api: Api,
    calendar: String,
    offices: [String; 2],
    annual: Value,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

impl World {
    /// Two offices that share a calendar from 2026 on.
    async fn new(store: &Fresh) -> Self {
        let api = Api::start(store).await;
        let calendar =
            text(&api.add("holiday-calendars", json!({ "code": "MH", "name": "Maharashtra" })).await["id"]);
        let mut offices = Vec::new();
        for code in ["pnq", "bom"] {
            let new = json!({ "code": code, "name": code, "time_zone": "Asia/Kolkata" });
            let office = text(&api.add("locations", new).await["id"]);
            let assign = json!({ "holiday_calendar_id": calendar, "from": "2026-01-01" });
            let path = format!("/api/v1/locations/{office}/holiday-calendars");
            api.hr.post(&path, &assign).await.expect(200);
            offices.push(office);
        }
        let annual =
            api.add("leave-types", json!({ "code": "annual", "name": "Annual" })).await["id"].clone();
        let offices = offices.try_into().unwrap();
        Self { api, calendar, offices, annual }
    }

    fn hr(&self) -> &Client {
        &self.api.hr
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/v1/holiday-calendars/{}{rest}", self.calendar)
    }

    async fn add(&self, on_date: &str, name: &str, more: Value) -> Value {
        let mut new = json!({ "on_date": on_date, "name": name });
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.hr().post(&self.path("/holidays"), &new).await.expect(201).json()
    }

    async fn days(&self) -> Vec<(String, String)> {
        let all = self.hr().get(&self.path("/holidays")).await.expect(200).json();
        all["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (text(&one["on_date"]), text(&one["name"])))
            .collect()
    }

    async fn patch(&self, on_date: &str, patch: Value) -> Value {
        let path = self.path(&format!("/holidays/{on_date}"));
        let tag = self.hr().get(&path).await.expect(200).header("etag").unwrap().to_owned();
        self.hr().call(Method::PATCH, &path, &[("if-match", &tag)], Some(&patch)).await.expect(200).json()
    }

    /// What leave of somebody who works at an office would come to.
    async fn preview(&self, employee: &Value, first: &str, last: &str) -> String {
        let ask = json!({
            "employee_id": employee, "leave_type_id": self.annual, "starts_on": first, "ends_on": last,
        });
        text(&self.hr().post("/api/v1/leave-requests/preview", &ask).await.expect(200).json()["days"])
    }
}

async fn offices_share_a_calendar(store: &Fresh) {
    let w = World::new(store).await;
    let mut people = Vec::new();
    for office in &w.offices {
        people.push(w.api.hire("Asha", json!({ "location_id": office })).await["id"].clone());
    }
    let made = w.add("2026-11-10", "Diwali", json!({})).await;
    assert_eq!((&made["kind"], &made["repeats"]), (&json!("public"), &json!("movable")));
    w.add("2026-11-11", "Bhai Dooj", json!({ "kind": "restricted" })).await;
    w.add("2026-11-12", "Outing", json!({ "kind": "company" })).await;
    for person in &people {
        assert_eq!(w.preview(person, "2026-11-09", "2026-11-13").await, "3");
    }
    // One office leaves the state for some days, and has no calendar then; days before aren't concerned.
    let [pune, mumbai] = &w.offices;
    let none = json!({ "holiday_calendar_id": null, "from": "2026-11-12", "to": "2026-11-13" });
    let path = format!("/api/v1/locations/{mumbai}/holiday-calendars");
    let periods = w.hr().post(&path, &none).await.expect(200).json();
    assert_eq!(
        periods["items"],
        json!([
            { "holiday_calendar_id": w.calendar, "from": "2026-01-01", "to": "2026-11-12" },
            { "holiday_calendar_id": w.calendar, "from": "2026-11-13", "to": null },
        ])
    );
    assert_eq!(w.preview(&people[0], "2026-11-09", "2026-11-13").await, "3");
    assert_eq!(w.preview(&people[1], "2026-11-09", "2026-11-13").await, "4");
    let path = format!("/api/v1/locations/{pune}/holiday-calendars");
    let unknown = json!({ "holiday_calendar_id": pune, "from": "2026-01-01" });
    let refused = w.hr().post(&path, &unknown).await.expect(422).json();
    assert_eq!(refused["errors"][0]["pointer"], "/holiday_calendar_id");
    problem(
        w.hr().post(&path, &json!({ "from": "2026-01-01" })).await,
        422,
        "common.invalid",
        &["/holiday_calendar_id"],
    );
}

async fn every_revision_can_be_seen(store: &Fresh) {
    let w = World::new(store).await;
    w.add("2026-08-15", "Independance Day", json!({ "repeats": "fixed_date" })).await;
    w.patch("2026-08-15", json!({ "name": "Independence Day" })).await;
    let moved = w.patch("2026-08-15", json!({ "on_date": "2026-08-17", "observed_for": "2026-08-15" })).await;
    assert_eq!((&moved["on_date"], &moved["observed_for"]), (&json!("2026-08-17"), &json!("2026-08-15")));
    w.add("2026-10-02", "Gandhi Jayanti", json!({})).await;
    // What changes nothing is no revision.
    w.patch("2026-10-02", json!({ "name": "Gandhi Jayanti" })).await;
    let revisions = w.hr().get(&w.path("/revisions")).await.expect(200).json()["items"].clone();
    let numbers: Vec<i64> =
        revisions.as_array().unwrap().iter().map(|one| one["revision"].as_i64().unwrap()).collect();
    assert_eq!(numbers, [4, 3, 2, 1]);
    assert!(revisions[0]["changed_by"].is_string());
    assert_eq!(revisions[1]["changes"].as_array().unwrap().len(), 2, "there and away");
    let mut seen = Vec::new();
    for revision in 1..=4 {
        let path = w.path(&format!("/revisions/{revision}"));
        let as_of = w.hr().get(&path).await.expect(200).json();
        assert_eq!(as_of["revision"], revision);
        let days = as_of["holidays"].as_array().unwrap().iter();
        seen.push(
            days.map(|one| format!("{} {}", text(&one["on_date"]), text(&one["name"]))).collect::<Vec<_>>(),
        );
    }
    let (kept, gandhi) = ("2026-08-17 Independence Day", "2026-10-02 Gandhi Jayanti");
    assert_eq!(
        seen,
        [
            vec!["2026-08-15 Independance Day"],
            vec!["2026-08-15 Independence Day"],
            vec![kept],
            vec![kept, gandhi],
        ]
    );
    assert_eq!(w.days().await.len(), 2);
    for revision in ["0", "5", "-1", "9223372036854775807"] {
        w.hr().get(&w.path(&format!("/revisions/{revision}"))).await.expect(404);
    }
}

async fn bad_holidays_change_nothing(store: &Fresh) {
    let w = World::new(store).await;
    w.add("2026-08-15", "Independence Day", json!({})).await;
    w.add("2026-10-02", "Gandhi Jayanti", json!({})).await;
    let path = w.path("/holidays");
    for (new, pointer) in [
        (json!({ "on_date": "2026-13-01", "name": "x" }), "/on_date"),
        (json!({ "on_date": "9999-12-31", "name": "x" }), "/on_date"),
        (json!({ "on_date": "2026-12-25", "name": "" }), "/name"),
        (json!({ "on_date": "2026-12-25", "name": "x".repeat(201) }), "/name"),
        (json!({ "on_date": "2026-12-25", "name": "x", "kind": "half" }), "/kind"),
        (json!({ "on_date": "2026-12-25", "name": "x", "observed_for": "2026-12-25" }), "/observed_for"),
        (json!({ "on_date": "2026-12-25", "name": "x", "location_id": w.offices[0] }), "/location_id"),
    ] {
        let refused = w.hr().post(&path, &new).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{new}: {refused}");
    }
    let taken = json!({ "on_date": "2026-10-02", "name": "x" });
    problem(w.hr().post(&path, &taken).await, 409, "holiday.taken", &[]);
    let day = w.path("/holidays/2026-08-15");
    let tag = w.hr().get(&day).await.expect(200).header("etag").unwrap().to_owned();
    let to = json!({ "on_date": "2026-10-02" });
    problem(
        w.hr().call(Method::PATCH, &day, &[("if-match", &tag)], Some(&to)).await,
        409,
        "holiday.taken",
        &[],
    );
    w.patch("2026-08-15", json!({ "kind": "company" })).await;
    let stale = w.hr().call(Method::PATCH, &day, &[("if-match", &tag)], Some(&json!({ "name": "x" }))).await;
    problem(stale, 412, "common.stale", &[]);
    w.hr().get(&w.path("/holidays/2026-08-16")).await.expect(404);
    let same = json!({ "code": "MH", "name": "Another" });
    problem(w.hr().post("/api/v1/holiday-calendars", &same).await, 409, "holiday-calendar.code-taken", &[]);
    // A calendar that anybody has, or that had a holiday, stays.
    let tag = w.hr().get(&w.path("")).await.expect(200).header("etag").unwrap().to_owned();
    let used = w.hr().call(Method::DELETE, &w.path(""), &[("if-match", &tag)], None).await;
    problem(used, 409, "holiday-calendar.in-use", &[]);
    assert_eq!(w.days().await.len(), 2);
    let other = w.api.add("holiday-calendars", json!({ "code": "X", "name": "X" })).await;
    let path = format!("/api/v1/holiday-calendars/{}", text(&other["id"]));
    let tag = w.hr().get(&path).await.expect(200).header("etag").unwrap().to_owned();
    w.hr().call(Method::DELETE, &path, &[("if-match", &tag)], None).await.expect(204);
    w.hr().get(&path).await.expect(404);
}

hrms_tests::on_every_engine!(
    offices_share_a_calendar,
    every_revision_can_be_seen,
    bad_holidays_change_nothing,
);
