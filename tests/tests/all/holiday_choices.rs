//! Restricted holidays over HTTP: employees choose n of m, and what becomes of their leave.

use hrms_core::contract::all_at_once;
use hrms_core::jiff::SignedDuration;
use hrms_tests::{Client, Fresh, Reply};
use http::Method;
use serde_json::{Value, json};

use crate::all::notifications::world::{Person, World, text};
use crate::all::people::http::problem;

/// Pune has a calendar with four restricted holidays, of which two can be chosen in 2026; today is Monday 23 November.
struct Office {
    w: World,
    place: String,
    calendar: String,
}

const DAYS: [&str; 4] = ["2026-11-24", "2026-12-07", "2026-12-09", "2026-12-14"];

impl Office {
    async fn new(store: &Fresh) -> Self {
        let w = World::new(store).await;
        let place = text(&w.owner.get("/api/v1/locations").await.expect(200).json()["items"][0]["id"]);
        let new = json!({ "code": "MH", "name": "Maharashtra" });
        let calendar = text(&w.owner.post("/api/v1/holiday-calendars", &new).await.expect(201).json()["id"]);
        let office = Self { w, place, calendar };
        office.assign(&office.place, &office.calendar).await;
        for day in DAYS {
            office.holiday(day, "restricted").await;
        }
        office.limit(2026, 2, 0).await;
        office.w.deliver().await;
        office
    }

    fn of_calendar(&self, rest: &str) -> String {
        format!("/api/v1/holiday-calendars/{}/{rest}", self.calendar)
    }

    async fn assign(&self, place: &str, calendar: &str) {
        let path = format!("/api/v1/locations/{place}/holiday-calendars");
        let body = json!({ "holiday_calendar_id": calendar, "from": "2025-01-01" });
        self.w.owner.post(&path, &body).await.expect(200);
    }

    async fn holiday(&self, on: &str, kind: &str) {
        let body = json!({ "on_date": on, "name": format!("Feast of {on}"), "kind": kind });
        self.w.owner.post(&self.of_calendar("holidays"), &body).await.expect(201);
    }

    async fn remove(&self, on: &str) {
        let path = self.of_calendar(&format!("holidays/{on}"));
        self.w.owner.call(Method::DELETE, &path, &[], None).await.expect(204);
        self.w.deliver().await;
    }

    async fn limit(&self, from_year: i16, most: u16, notice_days: u16) -> Value {
        let body = json!({ "from_year": from_year, "most": most, "notice_days": notice_days });
        self.w.owner.post(&self.of_calendar("choice-limits"), &body).await.expect(200).json()
    }

    /// Asha's choices as somebody sees them.
    async fn choices(&self, by: &Client, year: &str) -> Value {
        by.get(&format!("{}{year}", of(&self.w.asha))).await.expect(200).json()
    }

    /// How many Asha has chosen, and how many are left.
    async fn numbers(&self) -> (i64, i64) {
        let seen = self.choices(&self.w.owner, "?year=2026").await;
        (seen["chosen"].as_i64().unwrap(), seen["left"].as_i64().unwrap())
    }

    /// What leave of Asha's in December would come to.
    async fn preview(&self, first: &str, last: &str) -> Value {
        let ask = json!({
            "employee_id": self.w.asha.employee, "leave_type_id": self.w.leave_type,
            "starts_on": first, "ends_on": last,
        });
        self.w.owner.post("/api/v1/leave-requests/preview", &ask).await.expect(200).json()
    }

    async fn days(&self, first: &str, last: &str) -> String {
        text(&self.preview(first, last).await["days"])
    }
}

fn of(person: &Person) -> String {
    format!("/api/v1/employees/{}/holiday-choices", person.employee)
}

async fn choose(by: &Client, whose: &Person, on: &str) -> Reply {
    by.post(&of(whose), &json!({ "on_date": on })).await
}

async fn give_back(by: &Client, whose: &Person, on: &str) -> Reply {
    by.call(Method::DELETE, &format!("{}/{on}", of(whose)), &[], None).await
}

async fn each_employee_chooses_some(store: &Fresh) {
    let o = Office::new(store).await;
    let (asha, ravi) = (&o.w.asha, &o.w.ravi);
    assert_eq!(o.days("2026-12-07", "2026-12-11").await, "5");
    let seen = o.choices(&asha.client, "").await;
    assert_eq!((&seen["year"], &seen["most"], &seen["left"]), (&json!(2026), &json!(2), &json!(2)));
    assert_eq!(seen["items"][1]["name"], "Feast of 2026-12-07");
    assert_eq!(seen["items"].as_array().unwrap().len(), 4);
    assert!(seen["items"].as_array().unwrap().iter().all(|one| one["refusal"].is_null()), "{seen}");

    let made = choose(&asha.client, asha, "2026-12-07").await.expect(201).json();
    assert_eq!((&made["on_date"], &made["chosen_by"]), (&json!("2026-12-07"), &json!(asha.user)));
    problem(choose(&asha.client, asha, "2026-12-07").await, 409, "holiday-choice.taken", &[]);
    choose(&asha.client, asha, "2026-12-09").await.expect(201);
    problem(choose(&asha.client, asha, "2026-12-14").await, 409, "holiday-choice.none-left", &[]);
    assert_eq!(o.numbers().await, (2, 0));
    let seen = o.choices(&asha.client, "?year=2026").await;
    let counts = seen["items"].as_array().unwrap().iter().map(|one| one["counts"].clone());
    assert_eq!(counts.collect::<Vec<_>>(), [false, true, true, false]);
    assert_eq!(seen["items"][3]["refusal"]["code"], "holiday-choice.none-left");

    // They are her holidays, and nobody else's.
    let count = o.preview("2026-12-07", "2026-12-11").await;
    assert_eq!(count["days"], "3");
    let day = &count["day_count"][0];
    assert_eq!((&day["reason"], &day["holiday"]), (&json!("holiday"), &json!("Feast of 2026-12-07")));
    let ask = json!({ "leave_type_id": o.w.leave_type, "starts_on": "2026-12-07", "ends_on": "2026-12-11" });
    let preview = ravi.client.post("/api/v1/leave-requests/preview", &ask).await.expect(200).json();
    assert_eq!(preview["days"], "5");
    // One that is given back makes room for another.
    give_back(&asha.client, asha, "2026-12-07").await.expect(204);
    problem(give_back(&asha.client, asha, "2026-12-07").await, 404, "common.not-found", &[]);
    choose(&asha.client, asha, "2026-12-14").await.expect(201);
    assert_eq!(o.days("2026-12-07", "2026-12-11").await, "4");
    // Another year has its own choices, by the limit that holds then; none before the first one.
    o.holiday("2027-01-15", "restricted").await;
    o.limit(2027, 1, 0).await;
    choose(&asha.client, asha, "2027-01-15").await.expect(201);
    let next = o.choices(&asha.client, "?year=2027").await;
    assert_eq!((&next["most"], &next["chosen"], &next["left"]), (&json!(1), &json!(1), &json!(0)));
    o.holiday("2025-12-26", "restricted").await;
    problem(choose(&o.w.owner, asha, "2025-12-26").await, 409, "holiday-choice.none-left", &[]);
    // Fewer from now on: what was chosen stays.
    let limits = o.limit(2026, 1, 0).await;
    assert_eq!(
        limits["items"],
        json!([
            { "from_year": 2026, "most": 1, "notice_days": 0 },
            { "from_year": 2027, "most": 1, "notice_days": 0 },
        ])
    );
    assert_eq!(o.numbers().await, (2, 0));
}

async fn bad_choices_change_nothing(store: &Fresh) {
    let o = Office::new(store).await;
    let asha = &o.w.asha;
    o.holiday("2026-12-25", "public").await;
    for day in ["2026-12-25", "2026-12-08", "2027-12-07"] {
        problem(choose(&asha.client, asha, day).await, 422, "holiday-choice.not-restricted", &[]);
    }
    for (body, pointer) in [
        (json!({ "on_date": "9999-12-31" }), "/on_date"),
        (json!({ "on_date": "2026-12-32" }), "/on_date"),
        (json!({ "on_date": 7 }), "/on_date"),
        (json!({}), "/on_date"),
    ] {
        problem(asha.client.post(&of(asha), &body).await, 422, "common.invalid", &[pointer]);
    }
    for (body, pointer) in [
        (json!({ "from_year": 1899, "most": 1 }), "/from_year"),
        (json!({ "from_year": 9999, "most": 1 }), "/from_year"),
        (json!({ "from_year": 2026, "most": 367 }), "/most"),
        (json!({ "from_year": 2026, "most": -1 }), "/most"),
        (json!({ "from_year": 2026, "most": 1, "notice_days": 367 }), "/notice_days"),
    ] {
        let reply = o.w.owner.post(&o.of_calendar("choice-limits"), &body).await;
        problem(reply, 422, "common.invalid", &[pointer]);
    }
    for year in ["1899", "2200", "x", "99999"] {
        let reply = asha.client.get(&format!("{}?year={year}", of(asha))).await;
        problem(reply, 422, "common.invalid", &["/year"]);
    }
    assert_eq!(o.numbers().await, (0, 2));
}

/// The day has to be ahead, and the notice kept, for the employee; human resources can correct that.
async fn employees_choose_before_the_day(store: &Fresh) {
    let o = Office::new(store).await;
    let asha = &o.w.asha;
    // The second is two weeks ahead, which is just enough.
    o.limit(2026, 2, 14).await;
    let (first, second) = ("2026-11-24", "2026-12-07");
    problem(choose(&asha.client, asha, first).await, 409, "holiday-choice.notice-too-short", &[]);
    choose(&asha.client, asha, second).await.expect(201);
    o.w.after(SignedDuration::from_hours(14 * 24)).await;
    let (mine, hr) = (o.w.again(asha).await, o.w.owner_again().await);
    // It is the day now.
    problem(give_back(&mine, asha, second).await, 409, "holiday-choice.past", &[]);
    problem(choose(&mine, asha, first).await, 409, "holiday-choice.past", &[]);
    give_back(&hr, asha, second).await.expect(204);
    problem(choose(&mine, asha, second).await, 409, "holiday-choice.past", &[]);
    choose(&hr, asha, first).await.expect(201);
    let seen = mine.get(&of(asha)).await.expect(200).json();
    assert_eq!((&seen["items"][0]["counts"], &seen["items"][1]["counts"]), (&json!(true), &json!(false)));
}

/// What is chosen is one's own business, and that of whoever sees one's leave; only human resources choose for others.
async fn one_chooses_for_oneself(store: &Fresh) {
    let o = Office::new(store).await;
    let (asha, ravi, meera) = (&o.w.asha, &o.w.ravi, &o.w.meera);
    choose(&o.w.owner, asha, "2026-12-07").await.expect(201);
    problem(choose(&meera.client, asha, "2026-12-09").await, 403, "common.forbidden", &[]);
    problem(give_back(&meera.client, asha, "2026-12-07").await, 403, "common.forbidden", &[]);
    assert_eq!(o.choices(&meera.client, "").await["chosen"], 1);
    problem(ravi.client.get(&of(asha)).await, 404, "common.not-found", &[]);
    problem(choose(&ravi.client, asha, "2026-12-09").await, 404, "common.not-found", &[]);
    problem(give_back(&ravi.client, asha, "2026-12-07").await, 404, "common.not-found", &[]);
    let limits = ravi.client.get(&o.of_calendar("choice-limits")).await.expect(200).json();
    assert_eq!(limits["items"][0]["most"], 2);
    let body = json!({ "from_year": 2026, "most": 9 });
    let refused = ravi.client.post(&o.of_calendar("choice-limits"), &body).await;
    problem(refused, 403, "common.forbidden", &[]);
    assert_eq!(o.numbers().await, (1, 1));
    // Events of it are for those who see her leave.
    let log = |by: Client| async move {
        let page = by.get("/api/v1/events/log?limit=200").await.expect(200).json();
        let items = page["items"].as_array().unwrap().clone();
        items.iter().filter(|one| one["type"] == "employee.holiday-chosen").count()
    };
    assert_eq!(log(asha.client.clone()).await, 1);
    assert_eq!(log(ravi.client.clone()).await, 0);
}

/// P5: leave that is approved over a chosen day gives it back, and takes it again.
async fn leave_over_a_chosen_day_is_counted_anew(store: &Fresh) {
    let o = Office::new(store).await;
    let (asha, hr) = (&o.w.asha, &o.w.owner);
    let ask = json!({ "leave_type_id": o.w.leave_type, "starts_on": "2026-12-07", "ends_on": "2026-12-11" });
    let asked = asha.client.post("/api/v1/leave-requests", &ask).await.expect(201);
    let leave = asked.header("location").unwrap().to_owned();
    hr.post(&format!("{leave}/approve"), &json!({})).await.expect(200);
    let taken = || async {
        let path = format!("/api/v1/leave-balances?employee_id={}", asha.employee);
        text(&hr.get(&path).await.expect(200).json()["items"][0]["taken"])
    };
    choose(&asha.client, asha, "2026-12-09").await.expect(201);
    assert_eq!(taken().await, "5", "until the job has run");
    o.w.deliver().await;
    assert_eq!(taken().await, "4");
    let recounts = hr.get(&format!("{leave}/recounts")).await.expect(200).json();
    let because = json!({ "kind": "holiday_choice", "on_date": "2026-12-09" });
    assert_eq!(recounts["items"][0]["because"], because);
    // Nobody makes their leave longer than the balance by giving a day back under it.
    problem(give_back(&asha.client, asha, "2026-12-09").await, 409, "holiday-choice.on-leave", &[]);
    give_back(hr, asha, "2026-12-09").await.expect(204);
    o.w.deliver().await;
    assert_eq!(taken().await, "5");
    choose(&asha.client, asha, "2026-12-09").await.expect(201);
    o.w.deliver().await;
    asha.client.post(&format!("{leave}/cancel"), &json!({})).await.expect(200);
    give_back(&asha.client, asha, "2026-12-09").await.expect(204);
    assert_eq!(taken().await, "0");
}

/// A chosen day is a day off for a sandwich rule as any holiday.
async fn a_chosen_day_between_days_of_leave_counts_by_the_rule(store: &Fresh) {
    let o = Office::new(store).await;
    let rules = json!({ "effective_from": "2026-01-01", "rules": { "sandwich": "weekends_and_holidays" } });
    let path = format!("/api/v1/leave-types/{}/rules", o.w.leave_type);
    o.w.owner.post(&path, &rules).await.expect(200);
    choose(&o.w.asha.client, &o.w.asha, "2026-12-07").await.expect(201);
    let count = o.preview("2026-12-04", "2026-12-08").await;
    assert_eq!(count["days"], "5");
    assert_eq!(count["day_count"][3]["reason"], "holiday_between");
}

/// What was chosen lapses with the holiday and comes back with it; meanwhile it makes room, and never is there more than n.
async fn choices_lapse_with_their_holidays(store: &Fresh) {
    let o = Office::new(store).await;
    let asha = &o.w.asha;
    for day in ["2026-12-07", "2026-12-09"] {
        choose(&asha.client, asha, day).await.expect(201);
    }
    let ask = json!({ "leave_type_id": o.w.leave_type, "starts_on": "2026-12-07", "ends_on": "2026-12-11" });
    let asked = asha.client.post("/api/v1/leave-requests", &ask).await.expect(201);
    let leave = asked.header("location").unwrap().to_owned();
    let days = || async { text(&o.w.owner.get(&leave).await.expect(200).json()["days"]) };
    assert_eq!(days().await, "3");
    o.remove("2026-12-09").await;
    assert_eq!((o.numbers().await, days().await), ((1, 1), "4".into()));
    let lapsed = &o.choices(&asha.client, "").await["items"][2];
    assert_eq!((&lapsed["counts"], &lapsed["name"]), (&json!(false), &json!(null)));
    assert!(lapsed["chosen_at"].is_string());
    o.holiday("2026-12-09", "restricted").await;
    o.w.deliver().await;
    assert_eq!((o.numbers().await, days().await), ((2, 0), "3".into()));
    // A holiday for everybody is nobody's choice.
    o.remove("2026-12-09").await;
    o.holiday("2026-12-09", "public").await;
    o.w.deliver().await;
    assert_eq!((o.numbers().await, days().await), ((1, 1), "3".into()));
    // What takes its place keeps it from coming back as a third.
    choose(&asha.client, asha, "2026-12-14").await.expect(201);
    o.remove("2026-12-09").await;
    o.holiday("2026-12-09", "restricted").await;
    o.w.deliver().await;
    assert_eq!((o.numbers().await, days().await), ((2, 0), "4".into()));
    // Nothing of it counts elsewhere.
    let there = json!({ "code": "BLR", "name": "Bengaluru", "time_zone": "Asia/Kolkata" });
    let there = text(&o.w.owner.post("/api/v1/locations", &there).await.expect(201).json()["id"]);
    let moved = json!({ "from": "2026-12-01", "location_id": there });
    let path = format!("/api/v1/employees/{}/changes", asha.employee);
    o.w.owner.post(&path, &moved).await.expect(200);
    o.w.deliver().await;
    assert_eq!(days().await, "5");
    assert_eq!(o.choices(&asha.client, "").await["chosen"], 0);
    problem(choose(&asha.client, asha, "2026-12-07").await, 422, "holiday-choice.not-restricted", &[]);
    // An office that shares the calendar shares the choices.
    o.assign(&there, &o.calendar).await;
    o.w.deliver().await;
    assert_eq!((o.numbers().await, days().await), ((2, 0), "4".into()));
}

/// Eight at once for the last one: one wins.
async fn the_last_choice_has_one_winner(store: &Fresh) {
    let o = Office::new(store).await;
    let asha = &o.w.asha;
    for day in 15..=22 {
        o.holiday(&format!("2026-12-{day}"), "restricted").await;
    }
    choose(&asha.client, asha, "2026-12-07").await.expect(201);
    let days: Vec<String> = (15..=22).map(|day| format!("2026-12-{day}")).collect();
    let replies = all_at_once(days.iter().map(|day| choose(&asha.client, asha, day))).await;
    let mut won = 0;
    for reply in replies {
        match reply.status.as_u16() {
            201 => won += 1,
            _ => problem(reply, 409, "holiday-choice.none-left", &[]),
        }
    }
    assert_eq!((won, o.numbers().await), (1, (2, 0)));
    // The same day twice at once is one choice.
    o.limit(2026, 9, 0).await;
    let replies = all_at_once((0..6).map(|_| choose(&asha.client, asha, "2026-12-09"))).await;
    let made = replies.iter().filter(|reply| reply.status == 201).count();
    assert_eq!((made, o.numbers().await), (1, (3, 6)));
}

hrms_tests::on_every_engine!(
    each_employee_chooses_some,
    bad_choices_change_nothing,
    employees_choose_before_the_day,
    one_chooses_for_oneself,
    leave_over_a_chosen_day_is_counted_anew,
    a_chosen_day_between_days_of_leave_counts_by_the_rule,
    choices_lapse_with_their_holidays,
    the_last_choice_has_one_winner,
);
