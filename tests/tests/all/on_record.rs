//! Every change that the API can make is on record: the endpoints of the OpenAPI document, one by one.
//!
//! Each is called such that it succeeds, and then the entry is looked for, by the id of that very request. A new
//! endpoint fails here until [`succeed`] says how it succeeds, or [`NOTHING_TO_RECORD`] why it leaves no entry.

mod denied;
mod made;

use hrms_core::jiff::SignedDuration;
use hrms_tests::{Client, Fresh, Reply};
use http::Method;
use serde_json::{Value, json};

use super::sweep::bodies::body_of;
use super::sweep::operation::Operation;
use super::sweep::world::{PASSWORD, World, log_in};
use made::{Names, text};

const NEW_PASSWORD: &str = "nine kettles in a row";

/// What leaves no entry although it isn't a GET, and why.
const NOTHING_TO_RECORD: [(&str, &str); 12] = [
    ("POST /api/v1/auth/invitations/preview", "shows what an invitation says, and changes nothing"),
    (
        "POST /api/v1/auth/refresh",
        "each session does it every few minutes; its log-in and its reuse are on record",
    ),
    ("POST /api/v1/events/tickets", "good for one connection within seconds, as the caller"),
    (
        "POST /api/v1/leave-balances/{employee_id}/{leave_type_id}/project",
        "says what would be there, and changes nothing",
    ),
    ("POST /api/v1/leave-closings/preview", "says what would be closed, and changes nothing"),
    ("POST /api/v1/leave-requests/preview", "counts days, and changes nothing"),
    ("POST /api/v1/notification-templates/preview", "shows a text, and changes nothing"),
    ("POST /api/v1/notifications/read-all", "what one has read in one's own inbox"),
    ("POST /api/v1/notifications/{id}/read", "what one has read in one's own inbox"),
    ("POST /api/v1/notifications/{id}/unread", "what one has read in one's own inbox"),
    ("POST /api/v1/policies/dry-run", "compares, and changes nothing"),
    ("POST /api/v1/policies/explain", "explains, and changes nothing"),
];

/// A call that succeeded.
struct Done {
    reply: Reply,
    /// The author's id, if the caller is known.
    author: Option<Value>,
}

async fn me(client: &Client) -> Value {
    client.get("/api/v1/auth/me").await.expect(200).json()["user"]["id"].clone()
}

/// Calls with the version that is there now, where one is wanted.
async fn call(by: &Client, operation: &Operation, path: &str, body: Option<&Value>) -> Done {
    let author = Some(me(by).await);
    let tag = match operation.needs_version() {
        true => by.get(path).await.expect(200).header("etag").unwrap().to_owned(),
        false => String::new(),
    };
    let headers: Vec<(&str, &str)> =
        operation.needs_version().then_some(("if-match", tag.as_str())).into_iter().collect();
    Done { reply: by.call(operation.method.clone(), path, &headers, body).await, author }
}

/// A change of a thing's fields, by what its address ends with.
fn patch_of(operation: &Operation) -> Value {
    let path = operation.path.strip_suffix("/{id}").unwrap_or(&operation.path);
    match path.rsplit('/').next().unwrap_or_default() {
        "employees" => json!({ "given_name": "Changed" }),
        "personal" => json!({ "private_phone": "2" }),
        "compensation" => json!({ "pay_grade": "2" }),
        "bank" => json!({ "bank_name": "2" }),
        "identity" => json!({ "tax_number": "2" }),
        "medical" => json!({ "blood_group": "B" }),
        "notification-channels" => json!({ "description": "Changed" }),
        "notification-settings" => json!({ "language": "de" }),
        "webhooks" => json!({ "description": "Changed" }),
        _ => json!({ "name": "Changed" }),
    }
}

/// Calls an operation such that it succeeds.
async fn succeed(world: &World, operation: &Operation, names: &mut Names) -> Done {
    let (acme, nobody) = (&world.acme.client, &world.nobody);
    let name = operation.name();
    let by = world.caller(operation);
    let path = operation.path_in(&world.acme);
    let (method, template) = name.split_once(" /api/v1/").unwrap();
    match (method, template) {
        (_, "auth/login") => {
            let email = "all@acme.example";
            let body = json!({ "organization": "acme", "email": email, "password": PASSWORD });
            let reply = nobody.post(&path, &body).await;
            Done { reply, author: Some(me(acme).await) }
        }
        (_, "auth/password-resets" | "auth/password-resets/confirm") => {
            let (id, email, _) = world.somebody(names).await;
            let asked = nobody.post("/api/v1/auth/password-resets", &json!({ "email": email })).await;
            let token = world.token_to(&email).await;
            if template == "auth/password-resets" {
                return Done { reply: asked, author: None };
            }
            let body = json!({ "token": token, "new_password": NEW_PASSWORD });
            Done { reply: nobody.post(&path, &body).await, author: Some(json!(id)) }
        }
        (_, "auth/invitations/accept") => {
            let token = world.invited(&format!("{}@new.example", names.next())).await;
            let body = json!({ "token": token, "password": PASSWORD });
            let reply = nobody.post(&path, &body).await;
            let author = Some(reply.json()["user_id"].clone());
            Done { reply, author }
        }
        (_, "auth/invitations/join") => {
            let (email, other) = world.outsider(names).await;
            let token = world.invited(&email).await;
            call(&other, operation, &path, Some(&json!({ "token": token }))).await
        }
        (_, "auth/logout" | "auth/sessions") => {
            let (id, _, client) = world.somebody(names).await;
            Done {
                reply: client.call(operation.method.clone(), &path, &[], None).await,
                author: Some(json!(id)),
            }
        }
        (_, "auth/sessions/{id}") => {
            let (_, email, client) = world.somebody(names).await;
            log_in(nobody, Some("acme"), &email).await;
            let sessions = client.get("/api/v1/auth/sessions").await.expect(200).json();
            let other = sessions["items"].as_array().unwrap().iter().find(|one| one["current"] == false);
            let path = format!("/api/v1/auth/sessions/{}", text(&other.unwrap()["id"]));
            call(&client, operation, &path, None).await
        }
        (_, "auth/switch") => {
            let (email, other) = world.outsider(names).await;
            let token = world.invited(&email).await;
            other.post("/api/v1/auth/invitations/join", &json!({ "token": token })).await.expect(200);
            let author = Some(me(&other).await);
            let of = json!({ "organization": "other", "email": email, "password": PASSWORD });
            let tokens = nobody.post("/api/v1/auth/login", &of).await.expect(200).json();
            let body = json!({ "organization": "acme", "refresh_token": tokens["refresh_token"] });
            let reply = nobody.with_token(tokens["access_token"].as_str().unwrap()).post(&path, &body).await;
            Done { reply, author }
        }
        (_, "auth/email-changes" | "auth/email-changes/confirm") => {
            let (id, _, client) = world.somebody(names).await;
            let to = format!("{}@new.example", names.next());
            let body = json!({ "new_email": to, "current_password": PASSWORD });
            let reply = client.post("/api/v1/auth/email-changes", &body).await;
            if template == "auth/email-changes" {
                return Done { reply, author: Some(json!(id)) };
            }
            reply.expect(202);
            let body = json!({ "token": world.token_to(&to).await });
            Done { reply: nobody.post(&path, &body).await, author: Some(json!(id)) }
        }
        (_, "auth/step-up") => {
            let (_, _, client) = world.somebody(names).await;
            call(&client, operation, &path, Some(&json!({ "password": PASSWORD }))).await
        }
        (_, "auth/password") => {
            let (_, _, client) = world.somebody(names).await;
            let body = json!({ "current_password": PASSWORD, "new_password": NEW_PASSWORD });
            call(&client, operation, &path, Some(&body)).await
        }
        ("POST", "auth/totp") => {
            let (_, _, client) = world.somebody(names).await;
            call(&client, operation, &path, Some(&json!({}))).await
        }
        (_, "auth/totp/confirm") => {
            let (_, _, client) = world.somebody(names).await;
            let shown = client.post("/api/v1/auth/totp", &json!({})).await.expect(200).json();
            call(&client, operation, &path, Some(&json!({ "otp": world.code(&shown["secret"]) }))).await
        }
        ("DELETE", "auth/totp") | (_, "auth/recovery-codes") => {
            let (_, _, client, _) = world.enrolled(names).await;
            call(&client, operation, &path, None).await
        }
        (_, "auth/second-factor") => {
            let (id, email, _, codes) = world.enrolled(names).await;
            let (half, _) = log_in(nobody, Some("acme"), &email).await;
            let reply = half.post(&path, &json!({ "recovery_code": codes[0] })).await;
            Done { reply, author: Some(json!(id)) }
        }
        (_, "users/{id}/second-factor") => {
            let (id, ..) = world.enrolled(names).await;
            call(acme, operation, &format!("/api/v1/users/{id}/second-factor"), None).await
        }
        ("DELETE", "users/{id}") => {
            let (id, ..) = world.somebody(names).await;
            call(acme, operation, &format!("/api/v1/users/{id}"), None).await
        }
        (_, "imports") => {
            let path = format!("{path}?kind=designations");
            let reply = acme.upload(&path, "text/csv", b"code,name\nY,Y\n".into()).await;
            Done { reply, author: Some(me(acme).await) }
        }
        (_, "jobs/{id}/cancel") => {
            let file = b"code,name\nZ,Z\n".to_vec();
            let made = acme.upload("/api/v1/imports?kind=designations", "text/csv", file).await.expect(202);
            let path = format!("{}/cancel", made.header("location").unwrap());
            call(acme, operation, &path, None).await
        }
        (_, "jobs/{id}/requeue") => {
            let file = b"code,name\nZ,Z\n".to_vec();
            let made = acme.upload("/api/v1/imports?kind=designations", "text/csv", file).await.expect(202);
            let job = made.header("location").unwrap();
            acme.call(Method::POST, &format!("{job}/cancel"), &[], None).await.expect(200);
            call(acme, operation, &format!("{job}/requeue"), None).await
        }
        ("DELETE", "schedules/{id}") => {
            let new = json!({ "name": names.next(), "kind": "audit.verify", "cron": "0 4 * * *" });
            let made = acme.post("/api/v1/schedules", &new).await.expect(201).json();
            call(acme, operation, &operation.path_with(&text(&made["id"])), None).await
        }
        (_, "leave-requests/{id}/approve" | "leave-requests/{id}/reject" | "leave-requests/{id}/cancel") => {
            let days = [("approve", "2026-12-02"), ("reject", "2026-12-03"), ("cancel", "2026-12-04")];
            let (_, day) = days.iter().find(|(end, _)| template.ends_with(end)).unwrap();
            let id = world.leave_request(day).await;
            call(acme, operation, &operation.path_with(&id), Some(&json!({}))).await
        }
        ("PATCH", "leave-requests/{id}") => {
            let id = world.leave_request("2027-01-04").await;
            call(acme, operation, &operation.path_with(&id), Some(&json!({ "note": "Moving house" }))).await
        }
        (_, "leave-requests/{id}/shorten") => {
            let path = operation.path_with(&world.leave_request("2027-01-05").await);
            let request = path.trim_end_matches("/shorten");
            acme.post(&format!("{request}/approve"), &json!({})).await.expect(200);
            let morning =
                json!({ "starts_on": "2027-01-05", "ends_on": "2027-01-05", "start_part": "first_half" });
            call(acme, operation, &path, Some(&morning)).await
        }
        (_, "leave-requests/{id}/attachments" | "leave-requests/{id}/attachments/{attachment_id}") => {
            let adds = operation.method == Method::POST;
            let id = world.leave_request(if adds { "2027-01-06" } else { "2027-01-07" }).await;
            let path = format!("/api/v1/leave-requests/{id}/attachments");
            let reply = acme.upload_form(&path, "note.pdf", b"%PDF-1.7").await;
            if adds {
                return Done { reply, author: Some(me(acme).await) };
            }
            let id = text(&reply.expect(201).json()["id"]);
            call(acme, operation, &format!("{path}/{id}"), None).await
        }
        (_, "leave-requests/{id}/forward" | "leave-requests/{id}/comments") => {
            let day = if template.ends_with("forward") { "2026-12-07" } else { "2026-12-08" };
            let id = world.leave_request(day).await;
            call(acme, operation, &operation.path_with(&id), Some(&body_of(operation, &world.acme))).await
        }
        (_, "leave-claims/{id}/approve" | "leave-claims/{id}/reject" | "leave-claims/{id}/cancel")
        | (_, "leave-claims/{id}/forward" | "leave-claims/{id}/comments") => {
            let days = ["approve", "reject", "cancel", "forward", "comments"];
            let at = days.iter().position(|end| template.ends_with(end)).unwrap();
            // Sundays.
            let id = world
                .leave_claim(["2026-09-06", "2026-08-30", "2026-08-23", "2026-08-16", "2026-08-09"][at])
                .await;
            let body = if at < 3 { json!({}) } else { body_of(operation, &world.acme) };
            call(acme, operation, &operation.path_with(&id), Some(&body)).await
        }
        (_, "leave-balances/{employee_id}/{leave_type_id}/deduct") => {
            let grant = json!({
                "employee_id": world.acme.referenced("employee_id"),
                "leave_type_id": world.acme.referenced("leave_type_id"),
                "days": "5", "valid_from": "2026-01-01",
            });
            acme.post("/api/v1/leave-grants", &grant).await.expect(201);
            call(acme, operation, &path, Some(&body_of(operation, &world.acme))).await
        }
        (_, "leave-closings/{id}/reopen") => {
            let last = json!({ "through": "2002-12-31" });
            let made = acme.post("/api/v1/leave-closings", &last).await.expect(201).json();
            let path = operation.path_with(&text(&made["id"]));
            call(acme, operation, &path, Some(&body_of(operation, &world.acme))).await
        }
        (_, "leave-requests/decide") => {
            let id = world.leave_request("2026-12-09").await;
            let body = json!({ "decisions": [{ "leave_request_id": id, "decision": "reject" }] });
            call(acme, operation, &path, Some(&body)).await
        }
        (_, "leave-requests") => {
            let mut body = body_of(operation, &world.acme);
            body["employee_id"] = json!(world.acme.referenced("employee_id"));
            call(acme, operation, &path, Some(&body)).await
        }
        (_, "employees/{id}/end") => {
            let new = json!({ "given_name": "Short", "hired_on": "2020-01-01" });
            let made = acme.post("/api/v1/employees", &new).await.expect(201).json();
            let body = json!({ "last_day": "2026-01-31" });
            call(acme, operation, &operation.path_with(&text(&made["id"])), Some(&body)).await
        }
        (_, "employees/{id}/corrections") => {
            let body = json!({ "from": "2020-01-01", "employment_type": "part_time" });
            call(acme, operation, &path, Some(&body)).await
        }
        ("DELETE", "departments/{id}" | "designations/{id}" | "locations/{id}" | "roles/{id}")
        | ("DELETE", "work-patterns/{id}" | "approval-chains/{id}" | "approval-delegations/{id}")
        | ("DELETE", "holiday-calendars/{id}") => {
            let path = world.spare(template.split('/').next().unwrap(), names).await;
            call(acme, operation, &path, None).await
        }
        ("DELETE", "calendar-feeds/{id}") | ("POST", "calendar-feeds/{id}/renew") => {
            let spare = world.spare("calendar-feeds", names).await;
            let path = if template.ends_with("renew") { format!("{spare}/renew") } else { spare };
            call(acme, operation, &path, None).await
        }
        (_, "holiday-calendars/{id}/import" | "holiday-calendars/{id}/copy") => {
            let spare = world.spare("holiday-calendars", names).await;
            let feast = json!({ "on_date": "2026-12-25", "name": "Feast", "repeats": "fixed_date" });
            acme.post(&format!("{spare}/holidays"), &feast).await.expect(201);
            let (what, body) = if template.ends_with("copy") {
                ("copy", json!({ "from_year": 2026, "dry_run": false }))
            } else {
                let file = "date,name\n2026-12-26,Boxing Day\n";
                ("import", json!({ "format": "csv", "content": file, "dry_run": false }))
            };
            call(acme, operation, &format!("{spare}/{what}"), Some(&body)).await
        }
        ("DELETE" | "PATCH", "holiday-calendars/{id}/holidays/{on_date}") => {
            let spare = world.spare("holiday-calendars", names).await;
            let feast = json!({ "on_date": "2026-12-26", "name": "Feast" });
            acme.post(&format!("{spare}/holidays"), &feast).await.expect(201);
            let body = (operation.method == Method::PATCH).then(|| patch_of(operation));
            call(acme, operation, &format!("{spare}/holidays/2026-12-26"), body.as_ref()).await
        }
        ("DELETE", "employees/{id}/holiday-choices/{on_date}") => {
            let path = path.strip_suffix("/2026-12-25").unwrap();
            acme.post(path, &json!({ "on_date": "2026-12-30" })).await.expect(201);
            call(acme, operation, &format!("{path}/2026-12-30"), None).await
        }
        ("DELETE", "policies/{id}" | "service-accounts/{id}") => {
            let path = world.spare(template.split('/').next().unwrap(), names).await;
            call(acme, operation, &path, None).await
        }
        ("DELETE", "webhooks/{id}") | (_, "webhooks/{id}/enable") => {
            let (path, _) = world.webhook().await;
            let path = if template.ends_with("enable") { format!("{path}/enable") } else { path };
            call(acme, operation, &path, None).await
        }
        (_, "webhooks/{id}/disable" | "webhooks/{id}/deliveries/{delivery_id}/resend") => {
            let (path, delivery) = world.webhook().await;
            acme.call(Method::POST, &format!("{path}/enable"), &[], None).await.expect(200);
            let what = if template.ends_with("disable") {
                "disable".into()
            } else {
                format!("deliveries/{delivery}/resend")
            };
            call(acme, operation, &format!("{path}/{what}"), None).await
        }
        (_, "notifications/unsubscribe/{token}") => {
            let link = world.stopping().await;
            let path = link.strip_prefix("https://hr.service.example").unwrap();
            Done { reply: nobody.call(Method::POST, path, &[], None).await, author: None }
        }
        (_, "notification-deliveries/{id}/resend") => {
            let path = operation.path_with(&world.dropped().await);
            call(acme, operation, &path, None).await
        }
        ("DELETE", "notification-channels/{id}") => {
            let new = json!({ "name": names.next(), "url": "https://hooks.example.com/sms" });
            let made = acme.post("/api/v1/notification-channels", &new).await.expect(201).json();
            call(acme, operation, &operation.path_with(&text(&made["id"])), None).await
        }
        ("DELETE", "notification-templates/{type}/{language}") => {
            let new = json!({ "subject": names.next(), "body": "x" });
            acme.call(Method::PUT, &path, &[], Some(&new)).await.expect(200);
            call(acme, operation, &path, None).await
        }
        ("DELETE", "api-keys/{id}") => {
            let body = json!({ "service_account_id": world.acme.ids["service-accounts"], "name": "K", "permissions": [] });
            let made = acme.post("/api/v1/api-keys", &body).await.expect(201).json();
            call(acme, operation, &operation.path_with(&text(&made["id"])), None).await
        }
        (_, "platform/organizations") => {
            let admin = json!({ "email": "a@third.example", "name": "Ada", "password": PASSWORD });
            let body = json!({ "slug": "third", "name": "Third", "admin": admin });
            call(by, operation, &path, Some(&body)).await
        }
        (
            _,
            "platform/organizations/{id}/close"
            | "platform/organizations/{id}/reopen"
            | "platform/organizations/{id}/suspend"
            | "platform/organizations/{id}/resume",
        ) => {
            let slug = names.next();
            let admin = json!({ "email": format!("a@{slug}.example"), "name": "Ada", "password": PASSWORD });
            let body = json!({ "slug": slug, "name": slug, "admin": admin });
            let made = by.post("/api/v1/platform/organizations", &body).await.expect(201).json();
            let at = format!("/api/v1/platform/organizations/{}", text(&made["id"]));
            match template.rsplit('/').next().unwrap() {
                "reopen" => {
                    drop(by.post(&format!("{at}/close"), &json!({ "reason": "left us" })).await.expect(200))
                }
                "resume" => {
                    drop(by.call(Method::POST, &format!("{at}/suspend"), &[], None).await.expect(200))
                }
                _ => {}
            }
            let body = template.ends_with("close").then(|| json!({ "reason": "left us" }));
            call(by, operation, &operation.path_with(&text(&made["id"])), body.as_ref()).await
        }
        (_, "platform/operators/{id}/disable" | "platform/operators/{id}/enable") => {
            let email = format!("{}@service.example", names.next());
            let new = json!({ "email": email, "name": "Orla", "password": PASSWORD });
            let made = by.post("/api/v1/platform/operators", &new).await.expect(201).json();
            let id = text(&made["id"]);
            if template.ends_with("enable") {
                let path = format!("/api/v1/platform/operators/{id}/disable");
                by.call(Method::POST, &path, &[], None).await.expect(200);
            }
            call(by, operation, &operation.path_with(&id), None).await
        }
        (_, "platform/operators/{id}/sessions/{session_id}") => {
            let (_, token) = log_in(nobody, None, "otto@service.example").await;
            let claims = super::sweep::world::claims(&token);
            let (user, session) = (text(&claims["sub"]), text(&claims["sid"]));
            let path = format!("/api/v1/platform/operators/{user}/sessions/{session}");
            call(by, operation, &path, None).await
        }
        (_, "platform/organizations/{id}/support-grants/{grant_id}/end")
        | (_, "platform/organizations/{id}/support-grants/{grant_id}/token") => {
            let path = path.replace(&world.acme.ids["support-access"], &world.access().await);
            call(by, operation, &path, None).await
        }
        (_, "platform/second-factor-resets") => {
            let (_, email, ..) = world.enrolled(names).await;
            let body = json!({ "email": email, "reason": "ticket 4711: lost the phone" });
            call(by, operation, &path, Some(&body)).await
        }
        (_, "support-access/{id}/end") => {
            call(by, operation, &operation.path_with(&world.access().await), None).await
        }
        ("POST", "designations" | "leave-types" | "locations") => {
            let mut body = json!({ "code": "C", "name": "C" });
            if template == "locations" {
                body["time_zone"] = json!("UTC");
            }
            call(acme, operation, &path, Some(&body)).await
        }
        ("PATCH", _) => call(by, operation, &path, Some(&patch_of(operation))).await,
        _ => {
            let body = operation.takes_json().then(|| body_of(operation, &world.acme));
            call(by, operation, &path, body.as_ref()).await
        }
    }
}

/// The entries that a request left: in the log of the organisation, or of the platform.
async fn left(world: &World, request: &str) -> Vec<Value> {
    let query = format!("audit-log?request_id={request}");
    let mut entries = Vec::new();
    for (client, path) in [
        (&world.acme.client, format!("/api/v1/{query}")),
        (&world.operator, format!("/api/v1/platform/{query}")),
    ] {
        let page = client.get(&path).await.expect(200).json();
        entries.extend(page["items"].as_array().unwrap().iter().cloned());
    }
    entries
}

async fn every_change_is_on_record_with_its_request(store: &Fresh) {
    let mut world = World::new(store).await;
    let mut names = Names(0);
    let mut exempt: Vec<&str> = NOTHING_TO_RECORD.iter().map(|(name, _)| *name).collect();
    for operation in world.operations.clone() {
        let name = operation.name();
        if operation.method == Method::GET {
            continue;
        }
        if exempt.contains(&name.as_str()) {
            exempt.retain(|one| *one != name);
            continue;
        }
        // The log-ins stay fresh: a step for codes that are good once, and the proofs that dangerous things want.
        world.clock.advance(SignedDuration::from_millis(10));
        let Done { reply, author } = succeed(&world, &operation, &mut names).await;
        if !reply.status.is_success() {
            world.fault(format!("{name}: say in `succeed` how: {} {}", reply.status, reply.text()));
            continue;
        }
        let request = reply.header("x-request-id").unwrap();
        let mut entries = left(&world, request).await;
        if operation.path == "/api/v1/auth/password-resets" {
            // The message goes out after the answer, which tells nothing.
            entries.retain(|entry| entry["author"]["kind"] == "anonymous");
        }
        if entries.is_empty() {
            world.fault(format!("{name}: nothing on record"));
        }
        for entry in entries {
            let by = [&entry["author"]["id"], &entry["operator_id"], &entry["on_behalf_of"]];
            if author.as_ref().is_some_and(|author| !by.contains(&author)) {
                world.fault(format!("{name}: another author than {author:?}: {entry}"));
            }
            if entry["address"] != "127.0.0.1" || entry["outcome"] != "succeeded" {
                world.fault(format!("{name}: not where from, or another end: {entry}"));
            }
        }
    }
    assert!(exempt.is_empty(), "no such endpoints: {exempt:?}");
    world.done();
}

/// Exports are GETs, and yet they carry everything away.
async fn exports_are_on_record(store: &Fresh) {
    let mut world = World::new(store).await;
    for operation in world.operations.clone().iter().filter(|one| one.path.starts_with("/api/v1/exports/")) {
        let reply = world.acme.client.get(&operation.path_in(&world.acme)).await.expect(200);
        let entries = left(&world, reply.header("x-request-id").unwrap()).await;
        if entries.len() != 1 || entries[0]["action"] != "export.made" {
            world.fault(format!("{}: {entries:?}", operation.name()));
        }
    }
    world.done();
}

/// A reset by link shows in the log of each organisation that the account is a member of, and in the platform's.
async fn a_reset_is_on_record_everywhere(store: &Fresh) {
    let world = World::new(store).await;
    let token = world.invited("other@other.example").await;
    let (other, _) = log_in(&world.nobody, Some("other"), "other@other.example").await;
    other.post("/api/v1/auth/invitations/join", &json!({ "token": token })).await.expect(200);
    let ask = json!({ "email": "other@other.example" });
    world.nobody.post("/api/v1/auth/password-resets", &ask).await.expect(202);
    let mut message = world.letterbox.last_to("other@other.example").await;
    while !message.text.contains("forgotten") {
        tokio::task::yield_now().await;
        message = world.letterbox.last_to("other@other.example").await;
    }
    let token = world.token_to("other@other.example").await;
    let body = json!({ "token": token, "new_password": NEW_PASSWORD });
    let reset = world.nobody.post("/api/v1/auth/password-resets/confirm", &body).await.expect(204);
    let query = format!("audit-log?request_id={}", reset.header("x-request-id").unwrap());
    for (client, path) in [
        (&world.acme.client, format!("/api/v1/{query}")),
        (&world.other.client, format!("/api/v1/{query}")),
        (&world.operator, format!("/api/v1/platform/{query}")),
    ] {
        let page = client.get(&path).await.expect(200).json();
        let entry = &page["items"][0];
        assert_eq!(entry["action"], "auth.password-reset", "{path}: {page}");
        assert_eq!(entry["address"], "127.0.0.1");
    }
    assert!(world.hrms.audit().verify(None, &[]).await.unwrap().intact);
    world.done();
}

/// Waits until a log has this many entries of an action: denials are written a moment later.
async fn wait_for(client: &Client, query: &str, count: usize) -> Vec<Value> {
    let mut items = Vec::new();
    for _ in 0..1000 {
        let page = client.get(&format!("/api/v1/audit-log?{query}")).await.expect(200).json();
        items = page["items"].as_array().unwrap().clone();
        if items.len() >= count {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(items.len(), count, "{query}: {items:?}");
    items
}

hrms_tests::on_every_engine!(
    every_change_is_on_record_with_its_request,
    exports_are_on_record,
    a_reset_is_on_record_everywhere,
);
