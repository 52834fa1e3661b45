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

/// The action of each day, by date.
fn actions(plan: &Value) -> Vec<String> {
    let row =
        |row: &Value| format!("{} {} {}", text(&row["on_date"]), text(&row["action"]), text(&row["name"]));
    plan["rows"].as_array().unwrap().iter().map(row).collect()
}

const FEED: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:xmas@gov\r\nDTSTART;VALUE=DATE:20261225\r\n\
    DTEND;VALUE=DATE:20261227\r\nSUMMARY:Christmas\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:eid@gov\r\n\
    DTSTART;VALUE=DATE:20260320\r\nSUMMARY:Eid\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

async fn files_are_taken_as_a_whole_and_once(store: &Fresh) {
    let w = &World::new(store).await;
    let import = |file: Value| async move { w.hr().post(&w.path("/import"), &file).await };
    w.add("2026-12-25", "Christmas", json!({})).await;
    w.add("2026-05-01", "Labour Day", json!({})).await;
    let dry = json!({ "format": "icalendar", "content": FEED, "observe": "next_working_day" });
    let plan = import(dry.clone()).await.expect(200).json();
    assert_eq!((&plan["applied"], &plan["revision"]), (&json!(false), &json!(2)));
    // Saturday 26 December: Monday is off for it.
    let first = [
        "2026-03-20 add Eid",
        "2026-12-25 change Christmas",
        "2026-12-26 add Christmas",
        "2026-12-28 add Christmas",
    ];
    assert_eq!(actions(&plan), first, "the first has another UID now");
    assert_eq!((&plan["rows"][2]["line"], &plan["rows"][3]["line"]), (&json!(3), &Value::Null));
    assert_eq!(plan["rows"][3]["observed_for"], "2026-12-26");
    assert_eq!(w.days().await.len(), 2, "nothing was done");

    let real = |content: &str| json!({ "format": "icalendar", "content": content, "observe": "next_working_day", "dry_run": false });
    let done = import(real(FEED)).await.expect(200).json();
    assert_eq!(
        (&done["applied"], &done["revision"], actions(&done)),
        (&json!(true), &json!(3), first.map(str::to_owned).to_vec())
    );
    assert_eq!(w.days().await.len(), 5);
    let again = import(real(FEED)).await.expect(200).json();
    assert_eq!(again["revision"], 3, "{again}");
    assert!(actions(&again).iter().all(|one| one.contains(" unchanged ")), "{again}");
    // The moon was seen a day later, and Christmas is called off.
    let moved = FEED.replace("20260320", "20260321").replace("SUMMARY:Christmas", "STATUS:CANCELLED");
    let done = import(real(&moved)).await.expect(200).json();
    assert_eq!(
        actions(&done),
        [
            "2026-03-20 remove Eid",
            "2026-03-21 add Eid",
            "2026-03-23 add Eid",
            "2026-12-25 remove Christmas",
            "2026-12-26 remove Christmas",
            "2026-12-28 remove Christmas",
        ],
    );

    // One bad line, and nothing is taken.
    let before = w.days().await;
    let bad = "date,name\n2027-01-26,Republic Day\n26 January,Again\n2027-01-27,\n";
    let file = |dry_run: bool| json!({ "format": "csv", "content": bad, "dry_run": dry_run });
    let plan = import(file(true)).await.expect(200).json();
    let faults: Vec<_> = plan["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["line"].as_u64().unwrap(), text(&one["code"])))
        .collect();
    assert_eq!(faults, [(3, "not-a-date".to_owned()), (4, "too-short".to_owned())], "{plan}");
    problem(import(file(false)).await, 422, "common.invalid", &["/content", "/content"]);
    assert_eq!(w.days().await, before);
    let unknown = json!({ "format": "xlsx", "content": "" });
    problem(import(unknown).await, 422, "common.invalid", &["/format"]);
}

/// Nobody is off for a holiday that there isn't.
async fn a_substitute_goes_with_its_holiday(store: &Fresh) {
    let w = World::new(store).await;
    let real =
        json!({ "format": "icalendar", "content": FEED, "observe": "next_working_day", "dry_run": false });
    w.hr().post(&w.path("/import"), &real).await.expect(200);
    w.add("2026-12-29", "Company day", json!({ "kind": "company", "observed_for": "2026-12-26" })).await;
    w.hr().call(Method::DELETE, &w.path("/holidays/2026-12-26"), &[], None).await.expect(204);
    let days: Vec<String> = w.days().await.into_iter().map(|(day, _)| day).collect();
    assert_eq!(days, ["2026-03-20", "2026-12-25", "2026-12-29"], "but not what people added by hand");
}

/// Publishers who give a holiday the same UID in all years: a file of one year says nothing of others.
async fn other_years_keep_their_days(store: &Fresh) {
    let w = World::new(store).await;
    let before = "date,name,uid\n2026-01-01,New Year,new-year@gov\n2027-01-01,New Year,new-year@gov\n";
    let before = json!({ "format": "csv", "content": before, "dry_run": false });
    w.hr().post(&w.path("/import"), &before).await.expect(200);
    let csv = json!({ "format": "csv", "content": "date,name,uid\n2028-01-03,New Year,new-year@gov\n" });
    let plan = w.hr().post(&w.path("/import"), &csv).await.expect(200).json();
    assert_eq!(actions(&plan), ["2028-01-03 add New Year"]);
    let event = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:new-year@gov\r\n\
        DTSTART;VALUE=DATE:20270102\r\nSUMMARY:New Year\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
    let plan = json!({ "format": "icalendar", "content": event });
    let plan = w.hr().post(&w.path("/import"), &plan).await.expect(200).json();
    assert_eq!(actions(&plan), ["2027-01-01 remove New Year", "2027-01-02 add New Year"]);
}

async fn what_is_exported_is_imported_as_unchanged(store: &Fresh) {
    let w = World::new(store).await;
    w.add("2026-11-09", "Diwali; lights, and more", json!({})).await;
    w.add("2026-08-17", "Independence Day", json!({ "repeats": "fixed_date", "observed_for": "2026-08-15" }))
        .await;
    w.add("2026-11-10", "Bhai Dooj", json!({ "kind": "restricted" })).await;
    for (name, format, kind) in [
        ("holidays.csv", "csv", "text/csv; charset=utf-8"),
        ("holidays.ics", "icalendar", "text/calendar; charset=utf-8"),
    ] {
        let file = w.hr().get(&w.path(&format!("/{name}"))).await.expect(200);
        assert_eq!(file.header("content-type"), Some(kind));
        let content = String::from_utf8(file.body.to_vec()).unwrap();
        let import = json!({ "format": format, "content": content, "dry_run": false });
        let plan = w.hr().post(&w.path("/import"), &import).await.expect(200).json();
        assert_eq!(plan["rows"].as_array().unwrap().len(), 3, "{content}");
        assert!(actions(&plan).iter().all(|one| one.contains(" unchanged ")), "{plan} {content}");
        // Another calendar takes it, too, and says the same.
        let other = w.api.add("holiday-calendars", json!({ "code": name, "name": name })).await;
        let path = format!("/api/v1/holiday-calendars/{}", text(&other["id"]));
        w.hr().post(&format!("{path}/import"), &import).await.expect(200);
        let there = w.hr().get(&format!("{path}/{name}")).await.expect(200);
        let there = String::from_utf8(there.body.to_vec()).unwrap();
        let without = |file: &str| {
            let varies =
                |line: &&str| !["SEQUENCE", "DTSTAMP", "X-WR"].iter().any(|name| line.starts_with(name));
            file.lines().filter(varies).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(without(&there), without(&content));
    }
    let some = w.hr().get(&w.path("/holidays.csv?from=2026-11-10&to=2026-11-10")).await.expect(200);
    assert_eq!(String::from_utf8_lossy(&some.body).lines().count(), 2);
}

async fn a_year_is_copied_as_far_as_it_is_known(store: &Fresh) {
    let w = World::new(store).await;
    let fixed = || json!({ "repeats": "fixed_date" });
    w.add("2026-01-26", "Republic Day", fixed()).await;
    w.add("2026-05-01", "Labour Day", fixed()).await;
    w.add("2026-08-15", "Independence Day", fixed()).await;
    w.add("2026-08-17", "Independence Day", json!({ "observed_for": "2026-08-15" })).await;
    w.add("2026-11-08", "Diwali", json!({})).await;
    w.add("2027-05-01", "Maharashtra Day", json!({})).await;
    let copy =
        |dry_run: bool| json!({ "from_year": 2026, "observe": "next_working_day", "dry_run": dry_run });
    let expected = [
        "2026-11-08 to_confirm Diwali",
        "2027-01-26 add Republic Day",
        "2027-05-01 taken Labour Day",
        "2027-08-15 add Independence Day",
        "2027-08-16 add Independence Day",
    ];
    for dry_run in [true, false] {
        let plan = w.hr().post(&w.path("/copy"), &copy(dry_run)).await.expect(200).json();
        assert_eq!(
            (actions(&plan), &plan["applied"]),
            (expected.map(str::to_owned).to_vec(), &json!(!dry_run))
        );
    }
    let again = w.hr().post(&w.path("/copy"), &copy(false)).await.expect(200).json();
    assert!(!actions(&again).iter().any(|one| one.contains(" add ")), "{again}");
    assert_eq!(w.days().await.len(), 9);
    // What was taken there is nothing of the file's: it isn't moved either.
    for (year, to) in [(2026, json!(2026)), (9999, Value::Null), (-5, Value::Null), (1800, json!(2026))] {
        let bad = json!({ "from_year": year, "to_year": to });
        w.hr().post(&w.path("/copy"), &bad).await.expect(422);
    }
}

hrms_tests::on_every_engine!(
    files_are_taken_as_a_whole_and_once,
    a_substitute_goes_with_its_holiday,
    other_years_keep_their_days,
    what_is_exported_is_imported_as_unchanged,
    a_year_is_copied_as_far_as_it_is_known,
    offices_share_a_calendar,
    every_revision_can_be_seen,
    bad_holidays_change_nothing,
);
