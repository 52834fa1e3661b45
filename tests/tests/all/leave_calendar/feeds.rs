//! Feeds for calendar programs: what is in them, who gets in, and whether they are iCalendar.

use std::collections::BTreeMap;

use hrms_store::SqlStore;
use hrms_tests::{Client, on_every_engine};
use http::Method;
use serde_json::{Value, json};

use super::world::{Person, World, text};
use crate::all::people::http::problem;

/// The path of an address that was shown.
fn path_of(issued: &Value) -> String {
    let url = text(&issued["url"]);
    url.strip_prefix("https://hr.example.com").expect(&url).to_owned()
}

async fn make(by: &Client, new: Value) -> Value {
    by.post("/api/v1/calendar-feeds", &new).await.expect(201).json()
}

/// The events of a calendar as an independent reader takes them: names and values of properties, by UID.
fn events(file: &[u8]) -> BTreeMap<String, BTreeMap<String, String>> {
    let calendars: Vec<_> = ical::IcalParser::new(file).collect::<Result<_, _>>().unwrap();
    assert_eq!(calendars.len(), 1);
    let mut all = BTreeMap::new();
    for event in &calendars[0].events {
        let properties: BTreeMap<String, String> = event
            .properties
            .iter()
            .map(|one| {
                let kind = one.params.iter().flatten().find(|(name, _)| name == "VALUE");
                let kind = kind.map(|(_, values)| format!("{}:", values[0])).unwrap_or_default();
                (one.name.clone(), format!("{kind}{}", one.value.clone().unwrap_or_default()))
            })
            .collect();
        assert_eq!(properties.len(), event.properties.len(), "each property once: {properties:?}");
        for needed in ["UID", "DTSTAMP", "DTSTART", "DTEND", "SEQUENCE", "SUMMARY", "STATUS", "TRANSP"] {
            assert!(properties.contains_key(needed), "{needed}: {properties:?}");
        }
        assert!(all.insert(properties["UID"].clone(), properties).is_none(), "a UID twice");
    }
    all
}

/// What holds for every line of a calendar.
fn well_formed(file: &str) {
    assert!(file.ends_with("END:VCALENDAR\r\n"));
    for line in file.split_inclusive('\n') {
        assert!(line.ends_with("\r\n") && line.len() <= 77, "{line:?}");
    }
}

async fn read(w: &World, path: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let reply = w.anonymous.get(path).await.expect(200);
    assert_eq!(reply.header("content-type"), Some("text/calendar; charset=utf-8"));
    assert_eq!(reply.header("cache-control"), Some("private, no-cache"));
    well_formed(&reply.text());
    events(&reply.body)
}

/// Summary, start, end, status and sequence of each event, by start.
fn told(events: &BTreeMap<String, BTreeMap<String, String>>) -> Vec<[String; 5]> {
    let names = ["DTSTART", "DTEND", "SUMMARY", "STATUS", "SEQUENCE"];
    let mut all: Vec<_> = events.values().map(|event| names.map(|name| event[name].clone())).collect();
    all.sort();
    all
}

fn rows(rows: &[[&str; 5]]) -> Vec<[String; 5]> {
    rows.iter().map(|row| row.map(str::to_owned)).collect()
}

async fn ones_own_leave_is_in_ones_own_feed(store: &SqlStore) {
    let w = World::new(store).await;
    let path = path_of(&make(&w.asha.client, json!({ "kind": "personal" })).await);
    assert!(read(&w, &path).await.is_empty());
    let whole = w.leave(&w.asha, &w.sick, "2026-12-07", "2026-12-08", json!({})).await;
    w.leave(&w.asha, &w.annual, "2026-12-15", "2026-12-15", json!({ "start_part": "first_half" })).await;
    let hours = json!({ "hours": { "start_time": "16:00", "end_time": "17:30" } });
    w.leave(&w.asha, &w.annual, "2026-12-16", "2026-12-16", hours).await;
    w.ask(&w.asha, &w.annual, "2026-12-21", "2026-12-22", json!({ "end_part": "first_half" })).await;
    // Somebody else's isn't there.
    w.leave(&w.bela, &w.annual, "2026-12-09", "2026-12-09", json!({})).await;
    let before = read(&w, &path).await;
    // All-day ends are exclusive; times are UTC, five and a half hours behind Pune.
    let expected = rows(&[
        ["20261215T023000Z", "20261215T063000Z", "Annual leave", "CONFIRMED", "1"],
        ["20261216T103000Z", "20261216T120000Z", "Annual leave", "CONFIRMED", "1"],
        ["20261221T023000Z", "20261222T063000Z", "Annual leave (asked for)", "TENTATIVE", "0"],
        ["DATE:20261207", "DATE:20261209", "Sick leave", "CONFIRMED", "1"],
    ]);
    assert_eq!(told(&before), expected);
    assert!(before.values().all(|event| event["CLASS"] == "PRIVATE"));
    let tag = w.anonymous.get(&path).await.expect(200).header("etag").unwrap().to_owned();
    w.anonymous.call(Method::GET, &path, &[("if-none-match", &tag)], None).await.expect(304);

    // What is cancelled is told as cancelled, under the same UID and with a higher SEQUENCE, for 30 days.
    w.cancel(&whole).await;
    let after = read(&w, &path).await;
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    let cancelled = ["DATE:20261207", "DATE:20261209", "Sick leave", "CANCELLED", "2"].map(str::to_owned);
    assert!(told(&after).contains(&cancelled), "{after:?}");
    w.anonymous.call(Method::GET, &path, &[("if-none-match", &tag)], None).await.expect(200);
    w.clock.advance(jiff::SignedDuration::from_hours(24 * 31));
    assert_eq!(read(&w, &path).await.len(), 3);
}

async fn a_teams_feed_names_people_and_days_and_no_kinds(store: &SqlStore) {
    let w = World::new(store).await;
    let sick = w.leave(&w.asha, &w.sick, "2026-12-07", "2026-12-08", json!({})).await;
    w.leave(&w.bela, &w.annual, "2026-12-15", "2026-12-15", json!({ "start_part": "first_half" })).await;
    w.leave(&w.chen, &w.annual, "2026-12-18", "2026-12-21", json!({})).await;
    w.ask(&w.bela, &w.annual, "2026-12-22", "2026-12-22", json!({})).await;
    w.leave(&w.dora, &w.annual, "2026-12-09", "2026-12-09", json!({})).await;
    let reports = path_of(&make(&w.lead.client, json!({ "kind": "reports" })).await);
    let department = path_of(&make(&w.asha.client, json!({ "kind": "department", "name": "Wir; 🌴" })).await);
    let seen = read(&w, &reports).await;
    let expected = rows(&[
        ["20261215T023000Z", "20261215T063000Z", "Bela Rao: away", "CONFIRMED", "1"],
        ["DATE:20261207", "DATE:20261209", "Asha Rao: away", "CONFIRMED", "1"],
        ["DATE:20261218", "DATE:20261222", "Chen Rao: away", "CONFIRMED", "1"],
        ["DATE:20261222", "DATE:20261223", "Bela Rao: away (asked for)", "TENTATIVE", "0"],
    ]);
    assert_eq!(told(&seen), expected);
    let free = seen.values().all(|event| event["TRANSP"] == "TRANSPARENT");
    assert!(free, "leave of others doesn't fill one's own calendar");
    // A colleague gets whole days, nothing that is only asked for, and not when it was asked for.
    let colleagues = read(&w, &department).await;
    let expected = rows(&[
        ["DATE:20261207", "DATE:20261209", "Asha Rao: away", "CONFIRMED", "1"],
        ["DATE:20261215", "DATE:20261216", "Bela Rao: away", "CONFIRMED", "1"],
        ["DATE:20261218", "DATE:20261222", "Chen Rao: away", "CONFIRMED", "1"],
    ]);
    assert_eq!(told(&colleagues), expected);
    let bela = colleagues.values().find(|event| event["SUMMARY"].starts_with("Bela")).unwrap();
    assert_eq!((&*bela["DTSTAMP"], bela.get("LAST-MODIFIED")), ("20261215T000000Z", None));
    let file = w.anonymous.get(&department).await.expect(200).text();
    assert!(file.contains("X-WR-CALNAME:Wir\\; 🌴\r\n"), "{file}");
    for file in [&file, &w.anonymous.get(&reports).await.expect(200).text()] {
        for secret in ["Sick", "Annual", &sick, &w.asha.id, &w.sick] {
            assert!(!file.contains(secret), "{secret}: {file}");
        }
    }
    // Names of events don't tell from one feed what is in another.
    assert!(seen.keys().all(|uid| !colleagues.contains_key(uid)));
    w.cancel(&sick).await;
    let told_of = told(&read(&w, &department).await);
    assert!(told_of.contains(
        &["DATE:20261207", "DATE:20261209", "Asha Rao: away", "CANCELLED", "2"].map(str::to_owned)
    ));
}

async fn long_names_are_folded_and_read_back_whole(store: &SqlStore) {
    let w = World::new(store).await;
    let name = "Grußwort, 🧘🏽‍♀️; ".repeat(5);
    let name = name.trim();
    let new = json!({
        "given_name": name, "family_name": "திருநாவுக்கரசு", "hired_on": "2020-01-01", "department_id": w.engineering,
        "location_id": w.pune, "manager_id": w.lead.id,
    });
    let id = text(&w.hr.post("/api/v1/employees", &new).await.expect(201).json()["id"]);
    let grant = json!({
        "employee_id": id, "leave_type_id": w.annual, "days": "9", "valid_from": "2026-01-01",
    });
    w.hr.post("/api/v1/leave-grants", &grant).await.expect(201);
    let person = Person { id, user: String::new(), client: w.anonymous.clone() };
    w.leave(&person, &w.annual, "2026-12-07", "2026-12-07", json!({})).await;
    let path = path_of(&make(&w.lead.client, json!({ "kind": "reports" })).await);
    let file = w.anonymous.get(&path).await.expect(200).text();
    well_formed(&file);
    assert!(file.contains("\r\n "), "it is long enough to be folded");
    let seen = read(&w, &path).await;
    let summary = &seen.values().next().unwrap()["SUMMARY"];
    let unescaped = summary.replace("\\,", ",").replace("\\;", ";");
    assert_eq!(unescaped, format!("{name} திருநாவுக்கரசு: away"));
}

async fn feeds_show_what_their_user_may_see_now(store: &SqlStore) {
    let w = World::new(store).await;
    w.leave(&w.bela, &w.sick, "2026-12-07", "2026-12-08", json!({})).await;
    w.leave(&w.chen, &w.annual, "2026-12-09", "2026-12-09", json!({})).await;
    let path = path_of(&make(&w.asha.client, json!({ "kind": "department" })).await);
    let other = json!({ "kind": "department", "department_id": w.sales });
    let sales = path_of(&make(&w.asha.client, other).await);
    w.leave(&w.dora, &w.annual, "2026-12-09", "2026-12-09", json!({})).await;
    assert_eq!(read(&w, &path).await.len(), 2);
    assert!(read(&w, &sales).await.is_empty(), "colleagues in sales are no business of hers");
    // A policy hides somebody.
    let chen = &w.chen.id;
    w.policy(&format!(
        r#"forbid (principal is User, action == Action::"employee.read-absence", resource == Employee::"{chen}");"#
    ))
    .await;
    assert_eq!(read(&w, &path).await.len(), 1);
    // She moves to sales: nothing of engineering any more, by the same address.
    let moved = json!({ "from": "2026-11-23", "department_id": w.sales });
    w.hr.post(&format!("/api/v1/employees/{}/changes", w.asha.id), &moved).await.expect(200);
    for path in [&path, &sales] {
        let seen = read(&w, path).await;
        assert_eq!(seen.len(), 1);
        assert_eq!(seen.values().next().unwrap()["SUMMARY"], "Dora Rao: away");
    }
    // The role that lets her see is taken away.
    let user = format!("/api/v1/users/{}", w.asha.user);
    let change = async |patch: Value| {
        let tag = w.owner.get(&user).await.expect(200).header("etag").unwrap().to_owned();
        w.owner.call(Method::PATCH, &user, &[("if-match", &tag)], Some(&patch)).await.expect(200);
    };
    let new = json!({
        "code": "guest", "name": "Guest", "grants": [{ "permission": "location.read", "scope": "organization" }],
    });
    w.owner.post("/api/v1/roles", &new).await.expect(201);
    change(json!({ "roles": ["guest"] })).await;
    assert!(read(&w, &path).await.is_empty());
    // Suspended, and back.
    change(json!({ "status": "disabled", "roles": ["employee"] })).await;
    problem(w.anonymous.get(&path).await, 404, "common.not-found", &[]);
    change(json!({ "status": "active" })).await;
    assert_eq!(read(&w, &path).await.len(), 1);
    // The employment ends.
    let end = json!({ "last_day": "2026-11-20" });
    w.hr.post(&format!("/api/v1/employees/{}/end", w.dora.id), &end).await.expect(200);
    assert!(read(&w, &path).await.is_empty());
    w.hr.post(&format!("/api/v1/employees/{}/end", w.asha.id), &end).await.expect(200);
    problem(w.anonymous.get(&path).await, 404, "common.not-found", &[]);
}

async fn addresses_are_secret_renewed_and_revoked(store: &SqlStore) {
    let w = World::new(store).await;
    w.leave(&w.asha, &w.annual, "2026-12-09", "2026-12-09", json!({})).await;
    let by = &w.asha.client;
    let key = [("idempotency-key", "once")];
    let new = json!({ "kind": "personal" });
    let issued = by.call(Method::POST, "/api/v1/calendar-feeds", &key, Some(&new)).await.expect(201);
    assert_eq!(issued.header("cache-control"), Some("no-store"));
    let issued = issued.json();
    let again = by.call(Method::POST, "/api/v1/calendar-feeds", &key, Some(&new)).await.expect(201).json();
    assert_eq!((&again["id"], &again["url"]), (&issued["id"], &json!(null)));
    let (path, feed) = (path_of(&issued), format!("/api/v1/calendar-feeds/{}", text(&issued["id"])));
    // Nothing shows it again.
    let list = by.get("/api/v1/calendar-feeds").await.expect(200);
    let secret = path.rsplit('/').next().unwrap().strip_suffix(".ics").unwrap().to_owned();
    let log = w.owner.get("/api/v1/audit-log").await.expect(200);
    assert!(log.text().contains("calendar_feed.created"));
    for shown in [&list, &by.get(&feed).await.expect(200), &log] {
        assert!(!shown.text().contains(&secret[secret.len() - 50..]), "{}", shown.text());
    }
    assert_eq!(list.json()["items"].as_array().unwrap().len(), 1);
    // Anything else is nowhere, whatever is wrong with it.
    let before = read(&w, &path).await;
    for wrong in [
        "x.ics".to_owned(),
        ".ics".to_owned(),
        "%F0%9F%8C%B4.ics".to_owned(),
        format!("{}0.ics", &secret[..secret.len() - 1]),
        format!("{secret}0.ics"),
        secret.replace("hrmscal_", "hrms_"),
        "a".repeat(4000),
    ] {
        problem(w.anonymous.get(&format!("/api/v1/calendars/{wrong}")).await, 404, "common.not-found", &[]);
    }
    assert_eq!(read(&w, path.strip_suffix(".ics").unwrap()).await, before);
    // It is no credential for anything else.
    w.anonymous.get(&format!("/api/v1/calendar-feeds?token={secret}")).await.expect(401);
    // Others see and change nothing of it.
    for other in [&w.bela.client, &w.owner, &w.hr] {
        assert_eq!(other.get("/api/v1/calendar-feeds").await.expect(200).json()["items"], json!([]));
        problem(other.get(&feed).await, 404, "common.not-found", &[]);
        problem(other.delete(&feed).await, 404, "common.not-found", &[]);
        problem(other.post(&format!("{feed}/renew"), &json!({})).await, 404, "common.not-found", &[]);
    }
    // Another address for the same feed: the events keep their names.
    let renewed = by.post(&format!("{feed}/renew"), &json!({})).await.expect(201).json();
    assert_eq!(renewed["id"], issued["id"]);
    problem(w.anonymous.get(&path).await, 404, "common.not-found", &[]);
    let path = path_of(&renewed);
    assert_eq!(read(&w, &path).await, before);
    by.delete(&feed).await.expect(204);
    problem(w.anonymous.get(&path).await, 404, "common.not-found", &[]);
    problem(by.get(&feed).await, 404, "common.not-found", &[]);

    for (new, pointer) in [
        (json!({ "kind": "everything" }), "/kind"),
        (json!({ "kind": "personal", "department_id": w.sales }), "/department_id"),
        (json!({ "kind": "department", "department_id": w.asha.id }), "/department_id"),
        (json!({ "kind": "personal", "name": "" }), "/name"),
        (json!({ "kind": "personal", "name": "a\r\nBEGIN:VEVENT" }), "/name"),
        (json!({ "kind": "personal", "name": "🌴".repeat(101) }), "/name"),
    ] {
        let refused = by.post("/api/v1/calendar-feeds", &new).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
    }
    for _ in 0..10 {
        make(by, json!({ "kind": "personal" })).await;
    }
    problem(by.post("/api/v1/calendar-feeds", &new).await, 409, "calendar-feed.too-many", &[]);
}

on_every_engine!(
    ones_own_leave_is_in_ones_own_feed,
    a_teams_feed_names_people_and_days_and_no_kinds,
    long_names_are_folded_and_read_back_whole,
    feeds_show_what_their_user_may_see_now,
    addresses_are_secret_renewed_and_revoked,
);
