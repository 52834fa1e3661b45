//! Working patterns over HTTP: what they say of days, whose they are when, and how leave is counted by them.

use hrms_core::Store as _;
use hrms_core::contract::{all_at_once, id};
use hrms_core::event::Event;
use hrms_tests::{Client, Fresh};
use serde_json::{Value, json};

use crate::all::people::http::{Api, problem};

/// An organisation with an office, somebody who works there, and a kind of leave.
struct World {
    api: Api,
    office: String,
    employee: Value,
    annual: Value,
}

impl World {
    async fn new(store: &Fresh) -> Self {
        let api = Api::start(store).await;
        let office = json!({ "code": "pnq", "name": "Pune", "time_zone": "Asia/Kolkata" });
        let office = text(&api.add("locations", office).await["id"]);
        let employee = api.hire("Asha", json!({ "location_id": office })).await["id"].clone();
        let annual =
            api.add("leave-types", json!({ "code": "annual", "name": "Annual" })).await["id"].clone();
        Self { api, office, employee, annual }
    }

    fn hr(&self) -> &Client {
        &self.api.hr
    }

    async fn pattern(&self, code: &str, more: Value) -> String {
        let mut new = json!({ "code": code, "name": code });
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        text(&self.api.add("work-patterns", new).await["id"])
    }

    fn of_office(&self) -> String {
        format!("/api/v1/locations/{}/work-patterns", self.office)
    }

    fn of_employee(&self) -> String {
        format!("/api/v1/employees/{}/work-patterns", text(&self.employee))
    }

    async fn assign(&self, path: &str, pattern: impl Into<Value>, from: &str, to: Option<&str>) -> Value {
        let body = json!({ "work_pattern_id": pattern.into(), "from": from, "to": to });
        self.hr().post(path, &body).await.expect(200).json()["items"].clone()
    }

    /// What leave would come to: the days, and the reason of each day.
    async fn count(&self, first: &str, last: &str) -> (String, Vec<String>) {
        let shown = self.preview(json!({ "starts_on": first, "ends_on": last })).await;
        let reasons = shown["day_count"].as_array().unwrap().iter().map(|day| text(&day["reason"]));
        (text(&shown["days"]), reasons.collect())
    }

    async fn preview(&self, more: Value) -> Value {
        let mut ask = json!({ "employee_id": self.employee, "leave_type_id": self.annual });
        ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.hr().post("/api/v1/leave-requests/preview", &ask).await.expect(200).json()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Monday to Saturday, as many minutes on Saturday.
fn six_days(saturday: i64) -> Value {
    json!([{
        "monday": 480, "tuesday": 480, "wednesday": 480, "thursday": 480, "friday": 480, "saturday": saturday,
    }])
}

/// LV-29, LV-43 and their likes: the figures of the day count, each under the pattern of the office.
async fn leave_is_counted_by_the_pattern_of_the_location(store: &Fresh) {
    let w = World::new(store).await;
    let nth = |nth: &[i64]| {
        json!(nth.iter().map(|nth| json!({ "weekday": "saturday", "nth": nth })).collect::<Vec<_>>())
    };
    let sundays = json!([{
        "monday": 480, "tuesday": 480, "wednesday": 480, "thursday": 480, "friday": 480, "saturday": 480,
    }]);
    let cases = [
        // (case, pattern, first day, last day, days)
        (
            "LV-27",
            json!({ "weeks": [{ "monday": 480, "tuesday": 480, "wednesday": 480 }] }),
            "2026-06-08",
            "2026-06-10",
            "3",
        ),
        ("LV-29", json!({ "weeks": six_days(240) }), "2026-06-06", "2026-06-06", "0.5"),
        ("LV-29, a week", json!({ "weeks": six_days(240) }), "2026-06-01", "2026-06-07", "5.5"),
        (
            "LV-43",
            json!({ "weeks": six_days(480), "nth_weekdays": nth(&[2, 4]) }),
            "2026-06-12",
            "2026-06-15",
            "2",
        ),
        (
            "LV-43, the third",
            json!({ "weeks": six_days(480), "nth_weekdays": nth(&[2, 4]) }),
            "2026-06-19",
            "2026-06-22",
            "3",
        ),
        (
            "the last one",
            json!({ "weeks": six_days(480), "nth_weekdays": nth(&[-1]) }),
            "2026-05-30",
            "2026-05-30",
            "0",
        ),
        ("leave-app-002", json!({ "weeks": sundays }), "2024-05-05", "2024-05-08", "3"),
        // Part time: three days a week.
        (
            "part time",
            json!({ "weeks": [{ "monday": 480, "tuesday": 480, "wednesday": 480 }] }),
            "2026-06-01",
            "2026-06-14",
            "6",
        ),
        // Part time: half a day each day. A day of it is half a day of leave.
        (
            "half time",
            json!({ "weeks": [{ "monday": 240, "tuesday": 240, "wednesday": 240, "thursday": 240, "friday": 240 }] }),
            "2026-06-01",
            "2026-06-05",
            "2.5",
        ),
        // Another standard day: 7.5 hours are a whole one.
        (
            "37.5 hours",
            json!({ "standard_minutes": 450, "weeks": [{ "monday": 450, "friday": 225 }] }),
            "2026-06-01",
            "2026-06-07",
            "1.5",
        ),
        // Four long days: each takes more than a day.
        (
            "compressed",
            json!({ "weeks": [{ "monday": 600, "tuesday": 600, "wednesday": 600, "thursday": 600 }] }),
            "2026-06-01",
            "2026-06-07",
            "5",
        ),
    ];
    for (case, pattern, first, last, days) in cases {
        let id = w.pattern(&case.replace([' ', ','], "-"), pattern).await;
        w.assign(&w.of_office(), id, "2020-01-01", None).await;
        assert_eq!(w.count(first, last).await.0, days, "{case}");
    }
}

async fn each_day_says_why_it_counts(store: &Fresh) {
    let w = World::new(store).await;
    let pattern = json!({ "weeks": six_days(240), "nth_weekdays": [{ "weekday": "saturday", "nth": 2 }] });
    let id = w.pattern("five-and-a-half", pattern).await;
    w.assign(&w.of_office(), id, "2020-01-01", None).await;
    let (_, reasons) = w.count("2026-06-12", "2026-06-15").await;
    assert_eq!(reasons, ["working_day", "weekly_off", "weekly_off", "working_day"]);
    // The first Saturday, and what was asked for on it: it is in the trace.
    let half = json!({ "starts_on": "2026-06-06", "ends_on": "2026-06-06", "start_part": "first_half" });
    let shown = w.preview(half).await;
    assert_eq!((&shown["minutes"], &shown["days"]), (&json!(120), &json!("0.25")));
    let day = &shown["day_count"][0];
    assert_eq!((&day["working_fraction"], &day["part"]), (&json!("0.5"), &json!("first_half")));
    let whole = w.preview(json!({ "starts_on": "2026-06-05", "ends_on": "2026-06-05" })).await;
    assert_eq!(whole["day_count"][0].get("working_fraction"), None);
    // What the request says when it is made is what the preview said.
    let ask = json!({
        "employee_id": w.employee, "leave_type_id": w.annual, "starts_on": "2026-06-04", "ends_on": "2026-06-06",
    });
    let grant = json!({
        "employee_id": w.employee, "leave_type_id": w.annual, "days": "5", "valid_from": "2026-01-01",
    });
    w.api.add("leave-grants", grant).await;
    let made = w.api.add("leave-requests", ask).await;
    assert_eq!((&made["days"], &made["day_count"][2]["working_fraction"]), (&json!("2.5"), &json!("0.5")));
    let balances = format!("/api/v1/leave-balances?as_of=2026-06-30&employee_id={}", text(&w.employee));
    assert_eq!(w.hr().get(&balances).await.expect(200).json()["items"][0]["pending"], "2.5");
}

/// P20: each day by the pattern in force on it, the employee's own before the location's.
async fn each_day_is_counted_by_what_was_in_force_on_it(store: &Fresh) {
    let w = World::new(store).await;
    let six = w.pattern("six", json!({ "weeks": six_days(480) })).await;
    let three = json!({ "weeks": [{ "monday": 480, "tuesday": 480, "wednesday": 480 }] });
    let three = w.pattern("three", three).await;
    let other = json!({ "code": "osl", "name": "Oslo", "time_zone": "Europe/Oslo" });
    let other = w.api.add("locations", other).await;
    assert_eq!(w.count("2026-06-01", "2026-06-14").await.0, "10", "Monday to Friday without a pattern");
    // The office has six days from the second week on.
    let items = w.assign(&w.of_office(), six.clone(), "2026-06-08", None).await;
    assert_eq!(items, json!([{ "work_pattern_id": six, "from": "2026-06-08", "to": null }]));
    assert_eq!(w.count("2026-06-01", "2026-06-14").await.0, "11");
    // One's own from Thursday of that week on, for a week.
    w.assign(&w.of_employee(), three.clone(), "2026-06-11", Some("2026-06-18")).await;
    assert_eq!(w.count("2026-06-08", "2026-06-14").await.0, "3");
    assert_eq!(w.count("2026-06-15", "2026-06-21").await.0, "6", "Monday to Wednesday, then the office's");
    // The middle of it is taken away again; the same pattern at both ends stays apart.
    let items = w.assign(&w.of_employee(), Value::Null, "2026-06-12", Some("2026-06-14")).await;
    assert_eq!(items.as_array().unwrap().len(), 2, "{items}");
    assert_eq!(w.count("2026-06-12", "2026-06-13").await.0, "2");
    assert_eq!(w.hr().get(&w.of_employee()).await.expect(200).json()["items"], items);
    // Whoever moves works by the pattern of the new place from then on.
    let changes = format!("/api/v1/employees/{}/changes", text(&w.employee));
    let moved = json!({ "from": "2026-07-06", "location_id": other["id"] });
    w.hr().post(&changes, &moved).await.expect(200);
    assert_eq!(w.count("2026-06-29", "2026-07-12").await.0, "11", "six days, then five");
    // Nobody else's days are touched.
    let colleague = w.api.hire("Bina", json!({ "location_id": other["id"] })).await;
    let ask = json!({
        "employee_id": colleague["id"], "leave_type_id": w.annual, "starts_on": "2026-06-08", "ends_on": "2026-06-14",
    });
    let shown = w.hr().post("/api/v1/leave-requests/preview", &ask).await.expect(200).json();
    assert_eq!(shown["days"], "5");
}

async fn a_pattern_has_a_life(store: &Fresh) {
    let w = World::new(store).await;
    let hr = w.hr();
    let new = json!({
        "code": "2w", "name": "Two weeks 🌗", "standard_minutes": 450, "first_week": "2026-06-01",
        "weeks": [{ "monday": 450 }, { "tuesday": 225 }], "nth_weekdays": [{ "weekday": "friday", "nth": -1, "minutes": 60 }],
    });
    let made = hr.post("/api/v1/work-patterns", &new).await.expect(201);
    let path = made.header("location").unwrap().to_owned();
    let shown = made.json();
    let week = |day: &str, minutes: i64| {
        let mut week = json!({
            "monday": 0, "tuesday": 0, "wednesday": 0, "thursday": 0, "friday": 0, "saturday": 0, "sunday": 0,
        });
        week[day] = json!(minutes);
        week
    };
    assert_eq!(shown["weeks"], json!([week("monday", 450), week("tuesday", 225)]));
    assert_eq!((&shown["standard_minutes"], &shown["first_week"]), (&json!(450), &json!("2026-06-01")));
    assert_eq!(hr.get(&path).await.expect(200).json(), shown);
    problem(hr.post("/api/v1/work-patterns", &new).await, 409, "work-pattern.code-taken", &[]);

    let tag = hr.get(&path).await.header("etag").unwrap().to_owned();
    let patch = |body: Value, tag: String| {
        let (hr, path) = (hr.clone(), path.clone());
        async move { hr.call(http::Method::PATCH, &path, &[("if-match", &tag)], Some(&body)).await }
    };
    // What it says of days stays.
    let fixed = patch(json!({ "weeks": [{ "monday": 1 }] }), tag.clone()).await;
    problem(fixed, 422, "common.invalid", &["/weeks"]);
    let renamed = patch(json!({ "name": "By turns" }), tag.clone()).await.expect(200).json();
    assert_eq!((&renamed["name"], &renamed["weeks"]), (&json!("By turns"), &shown["weeks"]));
    problem(patch(json!({ "name": "Late" }), tag).await, 412, "common.stale", &[]);

    // Whoever has it, or had it once, keeps it from being removed.
    let id = text(&shown["id"]);
    w.assign(&w.of_employee(), id.clone(), "2020-01-01", Some("2020-02-01")).await;
    let remove = || async {
        let tag = hr.get(&path).await.header("etag").unwrap().to_owned();
        hr.call(http::Method::DELETE, &path, &[("if-match", &tag)], None).await
    };
    problem(remove().await, 409, "work-pattern.in-use", &[]);
    let items = w.assign(&w.of_employee(), Value::Null, "2020-01-01", None).await;
    assert_eq!(items, json!([]));
    remove().await.expect(204);
    hr.get(&path).await.expect(404);

    let mut tx = store.read(w.api.tenant()).await.unwrap();
    let events: Vec<Event> = tx.events().after(0, 100).await.unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).skip(3).collect();
    let assigned = "employee.work-pattern-assigned";
    assert_eq!(
        kinds,
        ["work_pattern.created", "work_pattern.changed", assigned, assigned, "work_pattern.removed"]
    );
}

async fn bad_input_is_named_and_changes_nothing(store: &Fresh) {
    let w = World::new(store).await;
    let hr = w.hr();
    let week = json!([{ "monday": 480 }]);
    let fifty_four = json!(vec![json!({ "monday": 480 }); 54]);
    for (more, pointer) in [
        (json!({ "weeks": [] }), "/weeks"),
        (json!({ "weeks": fifty_four, "first_week": "2026-01-01" }), "/weeks"),
        (json!({ "weeks": [{}] }), "/weeks"),
        (json!({ "weeks": [{ "monday": -1 }] }), "/weeks"),
        (json!({ "weeks": [{ "monday": 1441 }] }), "/weeks"),
        (json!({ "weeks": [{ "monday": 1e20 }] }), "/weeks/0/monday"),
        (json!({ "weeks": [{ "monday": "8h" }] }), "/weeks/0/monday"),
        (json!({ "weeks": [{ "mon": 1 }] }), "/weeks/0/mon"),
        (json!({ "weeks": [{ "monday": 1 }, { "monday": 1 }] }), "/first_week"),
        (json!({ "weeks": week, "first_week": "9999-12-31" }), "/first_week"),
        (json!({ "weeks": week, "standard_minutes": 0 }), "/standard_minutes"),
        (json!({ "weeks": week, "name": "" }), "/name"),
        (json!({ "weeks": week, "code": "a b" }), "/code"),
        (json!({ "weeks": week, "nth_weekdays": [{ "weekday": "saturday", "nth": 6 }] }), "/nth_weekdays"),
        (
            json!({ "weeks": week, "nth_weekdays": [{ "weekday": "caturday", "nth": 1 }] }),
            "/nth_weekdays/0/weekday",
        ),
    ] {
        let mut new = json!({ "code": "bad", "name": "Bad" });
        new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        problem(hr.post("/api/v1/work-patterns", &new).await, 422, "common.invalid", &[pointer]);
    }
    assert_eq!(hr.get("/api/v1/work-patterns").await.expect(200).json()["items"], json!([]));

    let pattern = w.pattern("fine", json!({ "weeks": week })).await;
    for path in [w.of_office(), w.of_employee()] {
        for (body, pointer) in [
            (json!({ "work_pattern_id": pattern, "from": "2026-01-01", "to": "2026-01-01" }), "/to"),
            (json!({ "work_pattern_id": pattern, "from": "9999-01-01" }), "/from"),
            (json!({ "work_pattern_id": pattern, "from": "2026-01-01T00:00Z" }), "/from"),
            (json!({ "work_pattern_id": id(), "from": "2026-01-01" }), "/work_pattern_id"),
            (json!({ "from": "2026-01-01" }), "/work_pattern_id"),
        ] {
            problem(hr.post(&path, &body).await, 422, "common.invalid", &[pointer]);
        }
        assert_eq!(hr.get(&path).await.expect(200).json()["items"], json!([]));
    }
    hr.get(&format!("/api/v1/employees/{}/work-patterns", id())).await.expect(404);
    hr.get(&format!("/api/v1/locations/{}/work-patterns", id())).await.expect(404);
}

/// Everybody knows the patterns; who works when is changed by those who manage people, and never by oneself.
async fn nobody_changes_when_they_work_themselves(store: &Fresh) {
    let w = World::new(store).await;
    let pattern = w.pattern("one", json!({ "weeks": [{ "monday": 480 }] })).await;
    let body = json!({ "work_pattern_id": pattern, "from": "2026-01-01" });
    let me = w.api.as_role("employee", &w.employee);
    me.get("/api/v1/work-patterns").await.expect(200);
    me.get(&w.of_employee()).await.expect(200);
    problem(me.post(&w.of_employee(), &body).await, 403, "common.forbidden", &[]);
    problem(me.post(&w.of_office(), &body).await, 403, "common.forbidden", &[]);
    let new = json!({ "code": "x", "name": "X", "weeks": [{ "monday": 1 }] });
    problem(me.post("/api/v1/work-patterns", &new).await, 403, "common.forbidden", &[]);
    let in_hr = w.api.as_role("hr", &w.employee);
    problem(in_hr.post(&w.of_employee(), &body).await, 403, "work-pattern.own", &[]);
    // What a colleague works is hidden, as the colleague is.
    let colleague = w.api.hire("Bina", json!({})).await;
    let path = format!("/api/v1/employees/{}/work-patterns", text(&colleague["id"]));
    me.get(&path).await.expect(404);
    in_hr.post(&path, &body).await.expect(200);
}

/// P22 under parallel changes: one after the other, and no day has two patterns.
async fn parallel_assignments_take_turns(store: &Fresh) {
    let w = World::new(store).await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(w.pattern(&format!("p{n}"), json!({ "weeks": [{ "monday": 480 }] })).await);
    }
    let path = w.of_employee();
    let asks = ids.iter().enumerate().map(|(n, id)| {
        let body = json!({ "work_pattern_id": id, "from": format!("2026-0{}-01", n + 1) });
        let (hr, path) = (w.hr().clone(), path.clone());
        async move { hr.post(&path, &body).await.expect(200) }
    });
    all_at_once(asks).await;
    let items = w.hr().get(&path).await.expect(200).json()["items"].clone();
    let ends: Vec<_> = items.as_array().unwrap().iter().map(|one| (&one["from"], &one["to"])).collect();
    for pair in ends.windows(2) {
        assert_eq!(pair[0].1, pair[1].0, "{items}");
    }
    assert_eq!(ends.last().unwrap().1, &Value::Null);
}

hrms_tests::on_every_engine!(
    leave_is_counted_by_the_pattern_of_the_location,
    each_day_says_why_it_counts,
    each_day_is_counted_by_what_was_in_force_on_it,
    a_pattern_has_a_life,
    bad_input_is_named_and_changes_nothing,
    nobody_changes_when_they_work_themselves,
    parallel_assignments_take_turns,
);
