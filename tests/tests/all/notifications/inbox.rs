//! Who is told what, and what they can do with it.

use std::time::Duration;

use futures_util::StreamExt;
use hrms_core::jiff::SignedDuration;
use hrms_tests::Fresh;
use http::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::world::{Person, World, deliveries, inbox, text, titles};

/// Hears the events of somebody from now on.
async fn listen(world: &World, by: &Person) -> crate::all::live::Socket {
    let address = world.nobody.url("/api/v1/events").replace("http://", "ws://");
    let mut request = address.into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {}", by.token).parse().unwrap());
    tokio_tungstenite::connect_async(request).await.unwrap().0
}

/// The types that came, until one of this type did.
async fn until(socket: &mut crate::all::live::Socket, kind: &str) -> Vec<Value> {
    let mut frames = Vec::new();
    loop {
        let next = tokio::time::timeout(Duration::from_secs(20), socket.next()).await;
        let message = next.expect("nothing came").expect("it ended").unwrap();
        let Ok(text) = message.to_text() else { continue };
        let Ok(frame) = serde_json::from_str::<Value>(text) else { continue };
        let found = frame["type"] == kind;
        frames.push(frame);
        if found {
            return frames;
        }
    }
}

async fn a_request_is_told_to_whoever_decides_and_its_answer_to_whoever_asked(store: &Fresh) {
    let world = World::new(store).await;
    let mut ears = listen(&world, &world.meera).await;
    let mut others = listen(&world, &world.asha).await;
    let path = world.ask(&world.ravi, "2026-12-21").await;
    let [message] = &world.deliver().await[..] else { panic!("not one message") };
    assert_eq!(message.to, ["meera@acme.example"]);
    assert_eq!(message.subject(), "Ravi Rao asks for leave: Annual leave, 21 December 2026");
    let paragraph = "Ravi Rao asks for Annual leave from 21 December 2026 to 21 December 2026 (days: 1).";
    assert!(message.text().contains(paragraph), "{}", message.text());
    assert!(message.html().contains(&format!("<p>{paragraph}</p>")), "{}", message.html());
    assert!(message.html().contains("Äcme &lt;b&gt;Ltd&lt;/b&gt;"), "{}", message.html());

    let [told] = &inbox(&world.meera.client).await[..] else { panic!("not one notification") };
    assert_eq!((&told["type"], &told["read_at"]), (&json!("leave_request.submitted"), &Value::Null));
    assert_eq!((&told["title"], &told["body"]), (&json!(message.subject()), &json!(paragraph)));
    assert_eq!((&told["language"], &told["times"]), (&json!("en"), &json!(1)));
    assert_eq!(format!("/api/v1/{}", text(&told["subject"])), path);
    assert!(
        message.text().contains(&format!("https://hr.service.example/notifications/{}", text(&told["id"])))
    );
    let frames = until(&mut ears, "notification.created").await;
    let frame = frames.last().unwrap();
    assert_eq!(frame["data"]["notification_id"], told["id"]);
    assert_eq!(frame["data"]["user_id"], world.meera.user.as_str());
    assert_eq!(titles(&world.ravi.client).await, [""; 0]);
    assert_eq!(titles(&world.owner).await, [""; 0]);

    let note = json!({ "note": "Enjoy <it>" });
    world.meera.client.post(&format!("{path}/approve"), &note).await.expect(200);
    let [message] = &world.deliver().await[..] else { panic!("not one message") };
    assert_eq!(message.to, ["ravi@acme.example"]);
    assert_eq!(message.subject(), "Your leave was approved: Annual leave, 21 December 2026");
    let said = message.text().replace("\r\n", "\n");
    assert!(said.contains("was approved by Meera Rao.\n\nNote: Enjoy <it>\n"), "{said}");
    assert!(message.html().contains("<p>Note: Enjoy &lt;it&gt;</p>"), "{}", message.html());

    // Whoever does something isn't told of it; whom it concerns is.
    let path = world.ask(&world.asha, "2026-12-22").await;
    world.deliver().await;
    world.asha.client.post(&format!("{path}/cancel"), &json!({})).await.expect(200);
    let [message] = &world.deliver().await[..] else { panic!("not one message") };
    assert_eq!(message.to, ["meera@acme.example"]);
    assert_eq!(message.subject(), "Leave cancelled: Asha Rao, 22 December 2026");
    assert_eq!(titles(&world.asha.client).await, [""; 0]);
    // Asha heard of her own request, and of nobody's notification.
    let heard = until(&mut others, "leave_request.cancelled").await;
    assert!(heard.iter().all(|frame| frame["type"] != "notification.created"), "{heard:?}");
    let log = world.ravi.client.get("/api/v1/events/log?limit=200").await.expect(200).json();
    let mine = log["items"].as_array().unwrap().iter().filter(|one| one["type"] == "notification.created");
    assert!(mine.clone().count() == 1 && mine.clone().all(|one| one["data"]["user_id"] == *world.ravi.user));
    let log = world.owner.get("/api/v1/events/log?types=notification.created").await.expect(200).json();
    assert_eq!(log["items"], json!([]));
}

/// Without a manager who can log in it is for those who decide on everybody's; never for the employee.
async fn without_a_manager_those_are_told_who_decide_for_all(store: &Fresh) {
    let world = World::new(store).await;
    world.ask(&world.meera, "2026-12-21").await;
    let messages = world.deliver().await;
    let to: Vec<&String> = messages.iter().flat_map(|message| &message.to).collect();
    assert_eq!(to, ["owner@acme.example"]);
    // A manager who can't log in is none.
    let path = format!("/api/v1/users/{}", world.meera.user);
    let tag = world.owner.get(&path).await.expect(200).header("etag").unwrap().to_owned();
    let off = json!({ "status": "disabled" });
    world.owner.call(Method::PATCH, &path, &[("if-match", &tag)], Some(&off)).await.expect(200);
    world.ask(&world.ravi, "2026-12-22").await;
    let messages = world.deliver().await;
    let to: Vec<&String> = messages.iter().flat_map(|message| &message.to).collect();
    assert_eq!(to, ["owner@acme.example"]);
}

async fn an_inbox_is_read_and_counted(store: &Fresh) {
    let world = World::new(store).await;
    let meera = &world.meera.client;
    let unread =
        async || meera.get("/api/v1/notifications/unread-count").await.expect(200).json()["unread"].clone();
    assert_eq!(meera.get("/api/v1/notifications").await.expect(200).json()["items"], json!([]));
    assert_eq!(unread().await, 0);
    for day in ["2026-12-21", "2026-12-22", "2026-12-23"] {
        world.ask(&world.ravi, day).await;
        world.after(SignedDuration::from_secs(1)).await;
    }
    assert_eq!(unread().await, 3);
    let first = meera.get("/api/v1/notifications?limit=2").await.expect(200).json();
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let cursor = text(&first["next_cursor"]);
    let second =
        meera.get(&format!("/api/v1/notifications?limit=2&cursor={cursor}")).await.expect(200).json();
    let oldest = &second["items"][0];
    assert_eq!(second["items"].as_array().unwrap().len(), 1);
    assert!(text(&oldest["title"]).ends_with("21 December 2026"));

    let one = format!("/api/v1/notifications/{}", text(&oldest["id"]));
    for _ in 0..2 {
        let read = meera.post(&format!("{one}/read"), &json!({})).await.expect(200).json();
        assert!(read["read_at"].is_string(), "{read}");
        assert_eq!(unread().await, 2);
    }
    let only_read = meera.get("/api/v1/notifications?read=true").await.expect(200).json();
    assert_eq!(only_read["items"].as_array().unwrap().len(), 1);
    meera.post(&format!("{one}/unread"), &json!({})).await.expect(200);
    assert_eq!(unread().await, 3);
    let none = meera.get("/api/v1/notifications?type=import.finished").await.expect(200).json();
    assert_eq!(none["items"], json!([]));

    // What came after what was shown stays unread.
    let shown = &first["items"][1];
    let left = meera.post("/api/v1/notifications/read-all", &json!({ "until": shown["created_at"] })).await;
    assert_eq!(left.expect(200).json()["unread"], 1);
    let left = meera.call(Method::POST, "/api/v1/notifications/read-all", &[], None).await;
    assert_eq!(left.expect(200).json()["unread"], 0);

    // It is theirs and nobody else's.
    for other in [&world.owner, &world.ravi.client] {
        assert_eq!(other.get(&one).await.expect(404).json()["code"], "common.not-found");
        other.post(&format!("{one}/unread"), &json!({})).await.expect(404);
    }
    assert_eq!(unread().await, 0);
}

/// Nothing hides among what concerns security: neither in numbers nor in other words.
async fn each_change_of_bank_details_is_told(store: &Fresh) {
    let world = World::new(store).await;
    let path = format!("/api/v1/employees/{}/bank", world.ravi.employee);
    for number in ["1", "2", "3"] {
        let tag = world.owner.get(&path).await.expect(200).header("etag").unwrap().to_owned();
        let patch = json!({ "bank_name": number });
        world.owner.call(Method::PATCH, &path, &[("if-match", &tag)], Some(&patch)).await.expect(200);
    }
    assert_eq!(world.deliver().await.len(), 3);
    let told = inbox(&world.ravi.client).await;
    assert_eq!(told.len(), 3);
    assert!(told.iter().all(|one| one["times"] == 1 && one["type"] == "bank_details.changed"), "{told:?}");
    let text = json!({ "subject": "Newsletter", "body": "-" });
    let path = "/api/v1/notification-templates/bank_details.changed/en";
    let refused = world.owner.call(Method::PUT, path, &[], Some(&text)).await.expect(409);
    assert_eq!(refused.json()["code"], "notification.text-fixed");
}

/// A manager who may not decide is passed over, so that nobody waits for nothing.
async fn whoever_may_not_decide_is_passed_over(store: &Fresh) {
    let world = World::new(store).await;
    let path = format!("/api/v1/users/{}", world.meera.user);
    let tag = world.owner.get(&path).await.expect(200).header("etag").unwrap().to_owned();
    let roles = json!({ "roles": ["employee"] });
    world.owner.call(Method::PATCH, &path, &[("if-match", &tag)], Some(&roles)).await.expect(200);
    world.ask(&world.ravi, "2026-12-21").await;
    let messages = world.deliver().await;
    let to: Vec<&String> = messages.iter().flat_map(|message| &message.to).collect();
    assert_eq!(to, ["owner@acme.example"]);
}

/// Who loses a right while a message waits doesn't get it.
async fn rights_are_asked_about_again_when_a_message_waited(store: &Fresh) {
    let world = World::new(store).await;
    world.meera.choose(&json!({ "preferences": { "leave_request.submitted": { "email": "digest" } } })).await;
    world.ask(&world.ravi, "2026-12-21").await;
    world.deliver().await;
    let path = format!("/api/v1/users/{}", world.meera.user);
    let tag = world.owner.get(&path).await.expect(200).header("etag").unwrap().to_owned();
    let roles = json!({ "roles": ["employee"] });
    world.owner.call(Method::PATCH, &path, &[("if-match", &tag)], Some(&roles)).await.expect(200);
    // It isn't hers any more, and those are asked who can.
    let messages = world.after(SignedDuration::from_hours(25)).await;
    let to: Vec<&String> = messages.iter().flat_map(|message| &message.to).collect();
    assert_eq!(to, ["owner@acme.example"]);
    let meera = world.again(&world.meera).await;
    let [dropped] = &deliveries(&meera).await[..] else { panic!() };
    assert_eq!((&dropped["state"], &dropped["error"]), (&json!("dropped"), &json!("not-permitted")));
}

/// Whom a policy keeps from seeing something isn't told of it either.
async fn nobody_is_told_of_what_they_may_not_see(store: &Fresh) {
    let world = World::new(store).await;
    let policy = json!({ "name": "Not Ravi", "text": format!(
        "forbid (principal, action == Action::\"leave.read\", resource) when {{ resource.owner == Employee::\"{}\" }};",
        world.ravi.employee
    ) });
    let made = world.owner.post("/api/v1/policies", &policy).await;
    assert_eq!(made.status, 201, "{}", made.text());
    world.ask(&world.asha, "2026-12-21").await;
    assert_eq!(world.deliver().await.len(), 1);
    world.ask(&world.ravi, "2026-12-21").await;
    assert_eq!(world.deliver().await.len(), 0);
    assert_eq!(titles(&world.meera.client).await.len(), 1);
}

/// Operators who act through somebody see nothing of theirs; the organisation is told that they are there.
async fn operators_do_not_read_an_inbox(store: &Fresh) {
    let world = World::new(store).await;
    let organization = world.owner.get("/api/v1/organization").await.expect(200).json();
    let grant = json!({ "user_id": world.meera.user, "reason": "Ticket 4711: nothing comes", "minutes": 30 });
    let path = format!("/api/v1/platform/organizations/{}/support-grants", text(&organization["id"]));
    let access = world.operator.post(&path, &grant).await.expect(201).json();
    let path = format!("{path}/{}/token", text(&access["id"]));
    let token = world.operator.call(Method::POST, &path, &[], None).await;
    let token = text(&token.expect(200).json()["access_token"]);
    let support = world.nobody.with_token(&token);
    support.get("/api/v1/auth/me").await.expect(200);
    for path in ["notifications", "notifications/unread-count", "notification-settings", "notification-types"]
    {
        let refused = support.get(&format!("/api/v1/{path}")).await.expect(403);
        assert_eq!(refused.json()["code"], "support.barred", "{path}");
    }
    let messages = world.deliver().await;
    let to: Vec<&String> = messages.iter().flat_map(|message| &message.to).collect();
    assert_eq!(to, ["owner@acme.example"]);
    assert!(messages[0].text().contains("Ticket 4711"), "{}", messages[0].text());
}

/// P5: whose leave a late holiday changes is told, in their language, and of what waits whoever decides, too.
async fn leave_that_is_counted_anew_is_told(store: &Fresh) {
    let world = World::new(store).await;
    let taken = world.ask(&world.ravi, "2026-12-22").await;
    world.meera.client.post(&format!("{taken}/approve"), &json!({})).await.expect(200);
    let asked = world.ask(&world.asha, "2026-12-22").await;
    world.asha.choose(&json!({ "language": "de" })).await;
    world.deliver().await;
    let office = text(&world.owner.get("/api/v1/locations").await.expect(200).json()["items"][0]["id"]);
    let new = json!({ "code": "MH", "name": "Maharashtra" });
    let calendar = world.owner.post("/api/v1/holiday-calendars", &new).await.expect(201).json();
    let holidays = format!("/api/v1/holiday-calendars/{}/holidays", text(&calendar["id"]));
    let assign = json!({ "holiday_calendar_id": calendar["id"], "from": "2026-01-01" });
    world.owner.post(&format!("/api/v1/locations/{office}/holiday-calendars"), &assign).await.expect(200);
    world.deliver().await;
    let feast = json!({ "on_date": "2026-12-22", "name": "Solstice" });
    world.owner.post(&holidays, &feast).await.expect(201);
    let messages = world.deliver().await;
    let mut told: Vec<_> = messages.iter().map(|one| (one.to[0].clone(), one.subject())).collect();
    told.sort();
    let of = |name: &str| format!("Leave counted anew: {name} Rao, Annual leave, 22 December 2026");
    let german = "Urlaub neu gezählt: Asha Rao, Annual leave, 22. Dezember 2026".to_owned();
    assert_eq!(
        told,
        [
            ("asha@acme.example".to_owned(), german),
            ("meera@acme.example".to_owned(), of("Asha")),
            ("ravi@acme.example".to_owned(), of("Ravi")),
        ]
    );
    let ravi = messages.iter().find(|one| one.to == ["ravi@acme.example"]).unwrap();
    let said = ravi.text().replace("\r\n", "\n");
    assert!(said.contains("takes 0 days now instead of 1"), "{said}");
    assert!(said.contains("\n\nHolidays: Solstice\n"), "{said}");
    let trail = world.ravi.client.get(&format!("{taken}/recounts")).await.expect(200).json();
    let [recount] = &trail["items"].as_array().unwrap()[..] else { panic!("{trail}") };
    assert_eq!((&recount["minutes_before"], &recount["minutes_after"]), (&json!(480), &json!(0)));
    let because = json!({ "kind": "holiday_calendar", "holiday_calendar_id": calendar["id"], "revision": 1 });
    assert_eq!(recount["because"], because);
    assert_eq!(recount["changes"][0]["after"]["holiday"], "Solstice");
    world.ravi.client.get(&format!("{asked}/recounts")).await.expect(404);
    // A holiday on which nothing depends is told to nobody.
    world.owner.post(&holidays, &json!({ "on_date": "2026-12-20", "name": "Sunday" })).await.expect(201);
    assert!(world.deliver().await.is_empty());
}

hrms_tests::on_every_engine!(
    leave_that_is_counted_anew_is_told,
    a_request_is_told_to_whoever_decides_and_its_answer_to_whoever_asked,
    without_a_manager_those_are_told_who_decide_for_all,
    an_inbox_is_read_and_counted,
    each_change_of_bank_details_is_told,
    whoever_may_not_decide_is_passed_over,
    rights_are_asked_about_again_when_a_message_waited,
    nobody_is_told_of_what_they_may_not_see,
    operators_do_not_read_an_inbox,
);
