//! When messages go out, and what becomes of those that don't.

use hrms_core::Clock;
use hrms_core::jiff::{SignedDuration, Timestamp};
use hrms_core::job::{Job, JobContext, JobError, JobFault, JobRegistry, Outcome, run_until_idle};
use hrms_tests::{Fresh, Mood, Received};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::world::{World, choose, deliveries, inbox, text, titles};

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

fn header(message: &Received, name: &str) -> Option<String> {
    let (head, _) = message.raw.split_once("\r\n\r\n").unwrap();
    let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned))
}

/// What wasn't taken never counts as sent.
async fn what_fails_is_tried_again_and_shown(store: &Fresh) {
    let world = World::new(store).await;
    world.sink.mood(Mood::Busy);
    world.ask(&world.ravi, "2026-12-21").await;
    assert_eq!(world.deliver().await.len(), 0);
    let [waiting] = &deliveries(&world.meera.client).await[..] else { panic!() };
    assert_eq!((&waiting["state"], &waiting["error"]), (&json!("waiting"), &json!("unavailable")));
    assert_eq!((&waiting["attempts"], &waiting["sent_at"]), (&json!(1), &Value::Null));
    assert_eq!(world.after(SignedDuration::from_secs(6)).await.len(), 0);
    world.sink.mood(Mood::Takes);
    assert_eq!(world.after(SignedDuration::from_mins(4)).await.len(), 0);
    let [message] = &world.after(SignedDuration::from_mins(2)).await[..] else { panic!("not one message") };
    let meera = world.again(&world.meera).await;
    let [sent] = &deliveries(&meera).await[..] else { panic!() };
    assert_eq!(
        (&sent["state"], &sent["error"], &sent["attempts"]),
        (&json!("sent"), &Value::Null, &json!(3))
    );
    assert!(sent["sent_at"].is_string());
    let message_id = format!("<{}@service.example>", sent["id"].as_str().unwrap());
    assert_eq!(header(message, "Message-ID"), Some(message_id));

    // Refused for good.
    world.sink.mood(Mood::Refuses);
    let ravi = world.again(&world.ravi).await;
    let asked =
        json!({ "leave_type_id": world.leave_type, "starts_on": "2026-12-22", "ends_on": "2026-12-22" });
    ravi.post("/api/v1/leave-requests", &asked).await.expect(201);
    assert_eq!(world.sink.take().len(), 0);
    run_until_idle(&world.hrms, &JobRegistry::standard()).await.unwrap();
    let [failed] = &deliveries(&meera).await[..] else { panic!() };
    assert_eq!((&failed["state"], &failed["error"]), (&json!("failed"), &json!("refused")));
    assert_eq!((&failed["sent_at"], &failed["due_at"]), (&Value::Null, &Value::Null));
    let owner = world.owner_again().await;
    let list = owner.get("/api/v1/notification-deliveries?state=failed").await.expect(200).json();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(list["items"][0]["id"], failed["id"]);
    assert!(!list.to_string().contains("asks for"), "{list}");
    let resend = format!("/api/v1/notification-deliveries/{}/resend", failed["id"].as_str().unwrap());
    meera.post(&resend, &json!({})).await.expect(403);
    world.sink.mood(Mood::Takes);
    owner.post(&resend, &json!({})).await.expect(200);
    assert_eq!(owner.post(&resend, &json!({})).await.expect(409).json()["code"], "notification.waiting");
    run_until_idle(&world.hrms, &JobRegistry::standard()).await.unwrap();
    assert_eq!(world.sink.take().len(), 1);
    assert_eq!(owner.post(&resend, &json!({})).await.expect(409).json()["code"], "notification.sent");
}

/// Ten attempts in three days, and then it has failed.
async fn an_attempt_has_an_end(store: &Fresh) {
    let world = World::new(store).await;
    world.sink.mood(Mood::HangsUp);
    world.ask(&world.ravi, "2026-12-21").await;
    world.deliver().await;
    for _ in 0..20 {
        world.after(hours(25)).await;
    }
    let meera = world.again(&world.meera).await;
    let [failed] = &deliveries(&meera).await[..] else { panic!() };
    assert_eq!((&failed["state"], &failed["error"]), (&json!("failed"), &json!("unavailable")));
    assert_eq!(failed["attempts"], 10);
}

/// What delivers, as it might be on a node that can't.
#[derive(Serialize, Deserialize)]
struct Broken {}

impl Job for Broken {
    const KIND: &'static str = "notification.deliver";

    async fn run(&self, _: &JobContext) -> Result<Outcome, JobError> {
        Err(JobError::GiveUp(JobFault { code: "test.broken".into(), detail: "it can't".into() }))
    }
}

/// A delivery outlives its job: what should have been under way for a minute gets another one.
async fn what_waits_without_a_job_is_sent(store: &Fresh) {
    let world = World::new(store).await;
    world.sink.mood(Mood::HangsUp);
    world.ask(&world.ravi, "2026-12-21").await;
    world.deliver().await;
    let due: Timestamp = text(&deliveries(&world.meera.client).await[0]["due_at"]).parse().unwrap();
    world.clock.advance(due.duration_since(world.clock.now()));
    assert_eq!(run_until_idle(&world.hrms, &JobRegistry::default().with::<Broken>()).await.unwrap(), 1);
    world.sink.mood(Mood::Takes);
    assert_eq!(world.deliver().await.len(), 0, "its job has failed for good");
    assert_eq!(world.after(SignedDuration::from_secs(60)).await.len(), 0);
    assert_eq!(world.after(SignedDuration::from_secs(1)).await.len(), 1);
    assert_eq!(deliveries(&world.again(&world.meera).await).await[0]["state"], "sent");
    assert_eq!(world.after(hours(25)).await.len(), 0);
}

/// 09:30 in Kolkata is the middle of the night for somebody who says so.
async fn nights_are_quiet(store: &Fresh) {
    let world = World::new(store).await;
    world.meera.choose(&json!({ "quiet_hours": { "from": "20:00", "to": "10:00" } })).await;
    world.ask(&world.ravi, "2026-12-21").await;
    assert_eq!(world.deliver().await.len(), 0);
    // The inbox is never quiet.
    assert_eq!(titles(&world.meera.client).await.len(), 1);
    assert_eq!(deliveries(&world.meera.client).await[0]["due_at"], "2026-11-23T04:30:00Z");
    assert_eq!(world.after(SignedDuration::from_mins(29)).await.len(), 0);
    assert_eq!(world.after(SignedDuration::from_mins(1)).await.len(), 1);

    // What concerns security comes at once.
    let owner = world.owner_again().await;
    let ravi = world.again(&world.ravi).await;
    choose(&ravi, &json!({ "quiet_hours": { "from": "00:00", "to": "23:00" } })).await;
    let path = format!("/api/v1/employees/{}/bank", world.ravi.employee);
    let tag = owner.get(&path).await.expect(200).header("etag").unwrap().to_owned();
    owner
        .call(Method::PATCH, &path, &[("if-match", &tag)], Some(&json!({ "bank_name": "X" })))
        .await
        .expect(200);
    assert_eq!(world.deliver().await.len(), 1);

    // In their own zone, not in that of the workplace: 10:00 in Kolkata is 05:30 in Berlin.
    let meera = world.again(&world.meera).await;
    choose(
        &meera,
        &json!({ "time_zone": "Europe/Berlin", "quiet_hours": { "from": "22:00", "to": "06:00" } }),
    )
    .await;
    let asked =
        json!({ "leave_type_id": world.leave_type, "starts_on": "2026-12-22", "ends_on": "2026-12-22" });
    ravi.post("/api/v1/leave-requests", &asked).await.expect(201);
    assert_eq!(world.deliver().await.len(), 0);
    assert_eq!(deliveries(&meera).await[0]["due_at"], "2026-11-23T05:00:00Z");
    // Hours that begin meanwhile hold too.
    choose(&meera, &json!({ "quiet_hours": { "from": "22:00", "to": "07:00" } })).await;
    assert_eq!(world.after(SignedDuration::from_mins(30)).await.len(), 0);
    assert_eq!(world.after(hours(1)).await.len(), 1);
}

/// What is gathered is one message at the time that somebody chose.
async fn a_day_is_gathered_into_one_message(store: &Fresh) {
    let world = World::new(store).await;
    let patch =
        json!({ "digest_at": "18:00", "preferences": { "leave_request.submitted": { "email": "digest" } } });
    world.meera.choose(&patch).await;
    for (person, day) in
        [(&world.ravi, "2026-12-21"), (&world.asha, "2026-12-21"), (&world.ravi, "2026-12-23")]
    {
        world.ask(person, day).await;
        assert_eq!(world.deliver().await.len(), 0);
    }
    // The first was seen already, so it needn't be sent.
    let oldest = inbox(&world.meera.client).await.pop().unwrap();
    let read = format!("/api/v1/notifications/{}/read", oldest["id"].as_str().unwrap());
    world.meera.client.post(&read, &json!({})).await.expect(200);
    assert_eq!(world.after(hours(8)).await.len(), 0);
    let [message] = &world.after(SignedDuration::from_mins(30)).await[..] else { panic!("not one message") };
    assert_eq!(message.subject(), "2 notifications");
    let (text, html) = (message.text(), message.html());
    assert!(text.contains("== Asha Rao asks for leave: Annual leave, 21 December 2026"), "{text}");
    assert!(text.contains("== Ravi Rao asks for leave: Annual leave, 23 December 2026"), "{text}");
    assert!(html.contains("<h2>Asha Rao asks for leave: Annual leave, 21 December 2026</h2>"), "{html}");
    assert!(!text.contains("Ravi Rao asks for leave: Annual leave, 21 December 2026"), "{text}");
    let meera = world.again(&world.meera).await;
    assert_eq!(deliveries(&meera).await[0]["state"], "sent");
    let first = meera.get(read.trim_end_matches("/read")).await.expect(200).json();
    let dropped = &first["deliveries"][0];
    assert_eq!((&dropped["state"], &dropped["error"]), (&json!("dropped"), &json!("read")));
    assert_eq!(world.after(hours(24)).await.len(), 0);
}

/// A mail server that is down when the day is gathered loses none of it.
async fn a_gathered_message_that_fails_comes_later(store: &Fresh) {
    let world = World::new(store).await;
    world.meera.choose(&json!({ "preferences": { "leave_request.submitted": { "email": "digest" } } })).await;
    world.ask(&world.ravi, "2026-12-21").await;
    world.ask(&world.asha, "2026-12-22").await;
    world.deliver().await;
    world.sink.mood(Mood::Busy);
    assert_eq!(world.after(hours(24)).await.len(), 0);
    world.sink.mood(Mood::Takes);
    let [message] = &world.after(SignedDuration::from_mins(1)).await[..] else { panic!("not one message") };
    assert_eq!(message.subject(), "2 notifications");
}

async fn one_click_stops_messages_of_a_type(store: &Fresh) {
    let world = World::new(store).await;
    world.ask(&world.ravi, "2026-12-21").await;
    let [message] = &world.deliver().await[..] else { panic!("not one message") };
    let link = header(message, "List-Unsubscribe").unwrap();
    let link = link.trim_matches(['<', '>']).to_owned();
    assert_eq!(header(message, "List-Unsubscribe-Post").unwrap(), "List-Unsubscribe=One-Click");
    assert!(message.text().replace("\r\n", "\n").contains(&link), "{}", message.text());
    let path = link.strip_prefix("https://hr.service.example").unwrap();
    // Whatever opens links changes nothing.
    let page = world.nobody.get(path).await.expect(200);
    assert!(
        page.text().contains("<form method=\"post\"")
            && page.header("content-type").unwrap().starts_with("text/html")
    );
    world.ask(&world.ravi, "2026-12-22").await;
    assert_eq!(world.deliver().await.len(), 1);
    for _ in 0..2 {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let request = http::Request::builder()
            .method(Method::POST)
            .uri(world.nobody.url(path))
            .header(form[0].0, form[0].1);
        let body = bytes::Bytes::from_static(b"List-Unsubscribe=One-Click");
        world.nobody.send(request.body(body).unwrap()).await.expect(200);
    }
    world.ask(&world.ravi, "2026-12-23").await;
    assert_eq!(world.deliver().await.len(), 0);
    assert_eq!(titles(&world.meera.client).await.len(), 3);
    let settings = world.meera.client.get("/api/v1/notification-settings").await.expect(200).json();
    assert_eq!(settings["preferences"], json!({ "leave_request.submitted": { "email": "off" } }));
    world.meera.choose(&json!({ "preferences": { "leave_request.submitted": { "email": null } } })).await;
    world.ask(&world.ravi, "2026-12-24").await;
    assert_eq!(world.deliver().await.len(), 1);

    let token = path.rsplit('/').next().unwrap();
    for bad in ["x", "%00", &"A".repeat(2000), &token[1..], &format!("{token}AAAA")] {
        let path = format!("/api/v1/notifications/unsubscribe/{bad}");
        let refused = world.nobody.call(Method::POST, &path, &[], None).await.expect(404);
        assert_eq!(refused.json()["code"], "notification.bad-link", "{bad}");
        let page = world.nobody.get(&path).await.expect(200);
        assert!(bad == "x" || !page.text().contains(bad), "{}", page.text());
    }
}

async fn what_was_turned_off_while_it_waited_is_not_sent(store: &Fresh) {
    let world = World::new(store).await;
    world.sink.mood(Mood::Busy);
    world.ask(&world.ravi, "2026-12-21").await;
    world.deliver().await;
    world.meera.choose(&json!({ "preferences": { "leave_request.submitted": { "email": "off" } } })).await;
    world.sink.mood(Mood::Takes);
    assert_eq!(world.after(SignedDuration::from_mins(1)).await.len(), 0);
    let [dropped] = &deliveries(&world.meera.client).await[..] else { panic!() };
    assert_eq!((&dropped["state"], &dropped["error"]), (&json!("dropped"), &json!("turned-off")));
}

async fn faulty_settings_change_nothing(store: &Fresh) {
    let world = World::new(store).await;
    let path = "/api/v1/notification-settings";
    let meera = &world.meera.client;
    let before = meera.get(path).await.expect(200);
    let tag = before.header("etag").unwrap().to_owned();
    let on = |kind: &str, channel: &str, mode: &str| json!({ "preferences": { kind: { channel: mode } } });
    for (patch, pointer, code) in [
        (json!({ "language": "Deutsch" }), "/language", "unknown-language"),
        (json!({ "time_zone": "Mars/Olympus" }), "/time_zone", "unknown-zone"),
        (json!({ "quiet_hours": { "from": "08:00", "to": "08:00" } }), "/quiet_hours", "out-of-range"),
        (on("x/y~z", "email", "off"), "/preferences/x~1y~0z", "unknown-type"),
        (
            on("leave_request.approved", "fax", "off"),
            "/preferences/leave_request.approved/fax",
            "unknown-channel",
        ),
        (on("bank_details.changed", "email", "off"), "/preferences/bank_details.changed/email", "fixed"),
        (on("bank_details.changed", "in_app", "off"), "/preferences/bank_details.changed/in_app", "fixed"),
        (
            on("leave_request.approved", "in_app", "digest"),
            "/preferences/leave_request.approved/in_app",
            "not-gathered",
        ),
    ] {
        let refused = meera.call(Method::PATCH, path, &[("if-match", &tag)], Some(&patch)).await;
        let problem = refused.expect(422).json();
        let fault = &problem["errors"][0];
        assert_eq!((&fault["pointer"], &fault["code"]), (&json!(pointer), &json!(code)), "{problem}");
    }
    for patch in [
        json!({ "quiet_hours": { "from": "25:00", "to": "08:00" } }),
        json!({ "digest_at": 8 }),
        on("leave_request.approved", "email", "sometimes"),
        json!({ "colour": "red" }),
    ] {
        meera.call(Method::PATCH, path, &[("if-match", &tag)], Some(&patch)).await.expect(422);
    }
    let after = meera.get(path).await.expect(200).json();
    assert_eq!(after["preferences"], before.json()["preferences"]);
    assert_eq!(after["version"], before.json()["version"]);
    let patch = json!({ "language": "de" });
    meera.call(Method::PATCH, path, &[("if-match", &tag)], Some(&patch)).await.expect(200);
    meera.call(Method::PATCH, path, &[("if-match", &tag)], Some(&patch)).await.expect(412);
}

hrms_tests::on_every_engine!(
    what_fails_is_tried_again_and_shown,
    an_attempt_has_an_end,
    what_waits_without_a_job_is_sent,
    nights_are_quiet,
    a_day_is_gathered_into_one_message,
    a_gathered_message_that_fails_comes_later,
    one_click_stops_messages_of_a_type,
    what_was_turned_off_while_it_waited_is_not_sent,
    faulty_settings_change_nothing,
);
