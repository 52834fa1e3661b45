//! One account in several organisations, and the address it logs in with, over HTTP, on every engine.

use hrms_core::contract::all_at_once;
use hrms_core::{Store, TenantId, UserId};
use hrms_tests::{Client, Fresh, Reply};
use http::Method;
use serde_json::{Value, json};

use super::world::{OTHER, PASSWORD, World, change, code_of, field_of};

const OLGA: &str = "olga@service.example";
const SWITCH: &str = "/api/v1/auth/switch";
const CHANGES: &str = "/api/v1/auth/email-changes";
const CONFIRM: &str = "/api/v1/auth/email-changes/confirm";

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Another organisation, with an owner of its own: its id, and the owner's client.
async fn organization(world: &World, slug: &str) -> (TenantId, Client) {
    let operator = world.sign_in(None, OLGA, PASSWORD).await;
    let email = format!("owner@{slug}.example");
    let admin = json!({ "email": email, "name": "Bo", "password": PASSWORD });
    let new = json!({ "slug": slug, "name": slug, "admin": admin });
    let made = operator.post("/api/v1/platform/organizations", &new).await.expect(201).json();
    let id = TenantId::from_uuid(text(&made["id"]).parse().unwrap());
    (id, world.sign_in(Some(slug), &email, PASSWORD).await)
}

/// Makes the user of one organisation a member of another one.
async fn join(store: &Fresh, by: &Client, to: TenantId) {
    let me = by.get("/api/v1/auth/me").await.expect(200).json();
    let own = TenantId::from_uuid(text(&me["organization"]["id"]).parse().unwrap());
    let user = UserId::from_uuid(text(&me["user"]["id"]).parse().unwrap());
    let member = store.read(own).await.unwrap().users().get(user).await.unwrap().unwrap();
    let mut tx = store.begin(to).await.unwrap();
    tx.users().insert_membership(&member).await.unwrap();
    tx.commit().await.unwrap();
}

fn to(organization: &str, tokens: &Value) -> Value {
    json!({ "organization": organization, "refresh_token": tokens["refresh_token"] })
}

async fn refresh(world: &World, tokens: &Value) -> Reply {
    let body = json!({ "refresh_token": tokens["refresh_token"] });
    world.here.post("/api/v1/auth/refresh", &body).await
}

async fn one_session_takes_the_place_of_another(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (_, jane) = world.user(&admin, "jane").await;
    let (bolt, _) = organization(&world, "bolt").await;
    let tokens = world.log_in(&jane, PASSWORD).await;
    join(store, &world.with(&tokens), bolt).await;
    world.advance(60);

    let moved = world.with(&tokens).post(SWITCH, &to(" BOLT ", &tokens)).await.expect(200);
    assert_eq!(moved.header("cache-control"), Some("no-store"));
    let moved = moved.json();
    assert_eq!(moved["pending"], json!([]));
    let me = world.with(&moved).get("/api/v1/auth/me").await.expect(200).json();
    assert_eq!((&me["organization"]["slug"], &me["user"]["email"]), (&json!("bolt"), &json!(jane)));
    // The former one is over: at once here, within seconds elsewhere, and for good.
    world.with(&tokens).get("/api/v1/auth/me").await.expect(401);
    world.a_moment_later();
    world.elsewhere(&tokens).get("/api/v1/auth/me").await.expect(401);
    refresh(&world, &tokens).await.expect(401);
    // Presenting its token doesn't end the new one, which is another family.
    let moved = refresh(&world, &moved).await.expect(200).json();
    let sessions = world.with(&moved).get("/api/v1/auth/sessions").await.expect(200).json();
    assert_eq!(sessions["items"].as_array().unwrap().len(), 1, "{sessions}");
    // Each organisation knows of its own session only.
    let log = "/api/v1/audit-log?action=auth.logged-";
    let entries = admin.get(log).await.expect(200).json()["items"].clone();
    assert_eq!(entries[0]["action"], "auth.logged-out", "{entries}");

    // It has proved what the former one has, and lasts no longer: 90 days from the log-in.
    world.with(&moved).post("/api/v1/auth/totp", &json!({})).await.expect(200);
    let mut tokens = world.with(&moved).post(SWITCH, &to("acme", &moved)).await.expect(200).json();
    for _ in 0..3 {
        world.advance(29 * 86_400);
        tokens = refresh(&world, &tokens).await.expect(200).json();
        let slug = if text(&world.with(&tokens).get("/api/v1/auth/me").await.json()["organization"]["slug"])
            == "acme"
        {
            "bolt"
        } else {
            "acme"
        };
        let refused = world.with(&tokens).post("/api/v1/auth/totp", &json!({})).await.expect(401);
        assert_eq!(code_of(&refused), "auth.step-up-required");
        tokens = world.with(&tokens).post(SWITCH, &to(slug, &tokens)).await.expect(200).json();
    }
    world.advance(3 * 86_400);
    refresh(&world, &tokens).await.expect(401);
}

async fn there_is_no_way_to_where_one_cannot_log_in(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (_, jane) = world.user(&admin, "jane").await;
    let tokens = world.log_in(&jane, PASSWORD).await;
    let by = world.with(&tokens);
    organization(&world, "foreign").await;
    let operator = world.sign_in(None, OLGA, PASSWORD).await;
    for (slug, what) in [("suspended", "suspend"), ("closed", "close")] {
        let (id, _) = organization(&world, slug).await;
        join(store, &by, id).await;
        let path = format!("/api/v1/platform/organizations/{id}/{what}");
        let body = if what == "close" { json!({ "reason": "left us" }) } else { json!({}) };
        operator.post(&path, &body).await.expect(200);
    }
    let me = text(&by.get("/api/v1/auth/me").await.expect(200).json()["user"]["id"]);
    let (disabled, owner) = organization(&world, "disabled").await;
    join(store, &by, disabled).await;
    change(&owner, &format!("/api/v1/users/{me}"), &json!({ "status": "disabled" })).await.expect(200);
    let (removed, owner) = organization(&world, "removed").await;
    join(store, &by, removed).await;
    let path = format!("/api/v1/users/{me}");
    let tag = owner.get(&path).await.expect(200).header("etag").unwrap().to_owned();
    owner.call(Method::DELETE, &path, &[("if-match", &tag)], None).await.expect(204);

    let told = async |slug: &str| {
        let mut problem = by.post(SWITCH, &to(slug, &tokens)).await.expect(422).json();
        problem["request_id"] = Value::Null;
        problem
    };
    let nothing = told("no-such-organization").await;
    assert_eq!(nothing["errors"][0]["pointer"], "/organization");
    assert_eq!(nothing["errors"][0]["code"], "unknown-reference");
    for slug in ["foreign", "suspended", "closed", "disabled", "removed", "", "\u{1f600}", "a' OR 'a'='a"] {
        assert_eq!(told(slug).await, nothing, "{slug}");
    }
    // None of it used the token up.
    let tokens = refresh(&world, &tokens).await.expect(200).json();
    // Nor do operators, or anybody with another session's token, get anywhere.
    let other = world.log_in(&jane, PASSWORD).await;
    let refused = world.with(&tokens).post(SWITCH, &to("acme", &other)).await.expect(401);
    assert_eq!(code_of(&refused), "auth.invalid-refresh-token");
    for bad in ["", "x", tokens["access_token"].as_str().unwrap()] {
        let body = json!({ "organization": "acme", "refresh_token": bad });
        world.with(&tokens).post(SWITCH, &body).await.expect(401);
    }
    operator.post(SWITCH, &to("acme", &tokens)).await.expect(403);
    world.here.post(SWITCH, &to("acme", &tokens)).await.expect(401);
    refresh(&world, &tokens).await.expect(200);
}

async fn of_parallel_switches_one_wins(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (_, jane) = world.user(&admin, "jane").await;
    let (bolt, _) = organization(&world, "bolt").await;
    let tokens = world.log_in(&jane, PASSWORD).await;
    join(store, &world.with(&tokens), bolt).await;
    world.elsewhere(&tokens).get("/api/v1/auth/me").await.expect(200);
    let tries = (0..6).map(|n| {
        let by = if n % 2 == 0 { world.with(&tokens) } else { world.elsewhere(&tokens) };
        let body = to(["acme", "bolt"][n % 2], &tokens);
        async move { by.post(SWITCH, &body).await }
    });
    let answers = all_at_once(tries).await;
    let good: Vec<_> = answers.iter().filter(|reply| reply.status == 200).collect();
    assert_eq!(good.len(), 1, "{answers:?}");
    assert!(answers.iter().all(|reply| [200, 401].contains(&reply.status.as_u16())), "{answers:?}");
    world.with(&good[0].json()).get("/api/v1/auth/me").await.expect(200);
    // A token of a rotation before ends the session.
    let first = world.log_in(&jane, PASSWORD).await;
    let second = refresh(&world, &first).await.expect(200).json();
    world.with(&second).post(SWITCH, &to("bolt", &first)).await.expect(401);
    refresh(&world, &second).await.expect(401);
}

async fn the_other_organisation_asks_for_its_second_factor(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (_, jane) = world.user(&admin, "jane").await;
    let (bolt, owner) = organization(&world, "bolt").await;
    let tokens = world.log_in(&jane, PASSWORD).await;
    join(store, &world.with(&tokens), bolt).await;
    let policy = json!({ "second_factor_required_for": ["employee"] });
    change(&owner, "/api/v1/organization", &policy).await.expect(200);
    let moved = world.with(&tokens).post(SWITCH, &to("bolt", &tokens)).await.expect(200).json();
    assert_eq!(moved["pending"], json!(["enrol-second-factor"]));
    let half = world.with(&moved);
    assert_eq!(half.get("/api/v1/auth/me").await.expect(403).json()["pending"], moved["pending"]);
    // Nor does a half session get back, and it ends after ten minutes.
    half.post(SWITCH, &to("acme", &moved)).await.expect(403);
    world.enrol(&half).await;
    half.get("/api/v1/auth/me").await.expect(200);
    // What was passed counts there too.
    let back = half.post(SWITCH, &to("acme", &moved)).await.expect(200).json();
    assert_eq!(back["pending"], json!([]));
    world.advance(3600);
    refresh(&world, &back).await.expect(200);
}

fn ask(new_email: &str) -> Value {
    json!({ "new_email": new_email, "current_password": PASSWORD })
}

fn token(text: &str) -> String {
    let (_, rest) = text.split_once("https://hr.example.com/change-email#token=").unwrap();
    rest.split_whitespace().next().unwrap().to_owned()
}

async fn an_address_is_changed(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (path, jane) = world.user(&admin, "jane").await;
    let (bolt, owner) = organization(&world, "bolt").await;
    let (tokens, other) = (world.log_in(&jane, PASSWORD).await, world.log_in(&jane, PASSWORD).await);
    join(store, &world.with(&tokens), bolt).await;
    let by = world.with(&tokens);
    world.here.post("/api/v1/auth/password-resets", &json!({ "email": jane })).await.expect(202);
    let reset = world.messages(1).await[0].text.clone();
    for (body, pointer, code) in [
        (ask("not an address"), "/new_email", "not-an-email"),
        (ask(""), "/new_email", "not-an-email"),
        (ask("p\u{430}ypal@new.example"), "/new_email", "confusable"),
        (ask("JANE@acme.example"), "/new_email", "same-email"),
        (
            json!({ "new_email": "j@new.example", "current_password": OTHER }),
            "/current_password",
            "wrong-password",
        ),
    ] {
        let refused = by.post(CHANGES, &body).await.expect(422);
        assert_eq!(field_of(&refused).0, pointer, "{body}");
        if code != "confusable" {
            assert_eq!(field_of(&refused).1, code, "{body}");
        }
    }
    by.post(CHANGES, &ask("J@NEW.example")).await.expect(202);
    let slow = by.post(CHANGES, &ask("k@new.example")).await.expect(429);
    assert_eq!(slow.header("retry-after"), Some("120"));
    let sent = world.messages(3).await;
    assert_eq!((sent[1].to.as_str(), &sent[2].to), ("j@new.example", &jane));
    // The present address is told at once, and gets neither the token nor the new address.
    let good = token(&sent[1].text);
    assert!(sent[2].text.contains("Nothing has changed yet"), "{}", sent[2].text);
    for secret in ["new.example", &good, "token"] {
        assert!(!sent[2].text.contains(secret) && !sent[2].subject.contains(secret), "{}", sent[2].text);
    }
    // Nothing has changed so far; tokens are of one kind.
    world.log_in_with(Some("acme"), "j@new.example", PASSWORD, None).await.expect(401);
    for bad in ["", "x", &good[1..], &format!("{good}A"), tokens["refresh_token"].as_str().unwrap()] {
        let refused = world.here.post(CONFIRM, &json!({ "token": bad })).await.expect(422);
        assert_eq!(code_of(&refused), "auth.invalid-email-token");
    }
    let body = json!({ "token": good, "new_password": OTHER });
    world.here.post("/api/v1/auth/password-resets/confirm", &body).await.expect(422);
    let tries = (0..4).map(|_| {
        let (here, body) = (world.here.clone(), json!({ "token": good }));
        async move { here.post(CONFIRM, &body).await.status.as_u16() }
    });
    let answers = all_at_once(tries).await;
    assert_eq!(answers.iter().filter(|status| **status == 204).count(), 1, "{answers:?}");

    // The former address is told, and good for nothing any more; others of the sessions are over.
    let told = world.messages(4).await;
    assert_eq!(told[3].to, jane);
    assert!(told[3].text.contains("was changed") && !told[3].text.contains("new.example"));
    world.a_moment_later();
    by.get("/api/v1/auth/me").await.expect(200);
    world.with(&other).get("/api/v1/auth/me").await.expect(401);
    world.log_in_with(Some("acme"), &jane, PASSWORD, None).await.expect(401);
    let (_, reset) = reset.split_once("#token=").unwrap();
    let body = json!({ "token": reset.split_whitespace().next().unwrap(), "new_password": OTHER });
    world.here.post("/api/v1/auth/password-resets/confirm", &body).await.expect(422);
    // In every organisation, and on record in each.
    let id = path.rsplit('/').next().unwrap();
    for (slug, admin) in [("acme", &admin), ("bolt", &owner)] {
        world.log_in_with(Some(slug), "j@new.example", PASSWORD, None).await.expect(200);
        assert_eq!(admin.get(&path).await.expect(200).json()["email"], "j@new.example");
        let log = "/api/v1/audit-log?action=auth.email-changed";
        let entries = admin.get(log).await.expect(200).json()["items"].clone();
        assert_eq!(entries.as_array().unwrap().len(), 1, "those who lost the race changed nothing");
        assert_eq!(entries[0]["author"]["id"], json!(id), "{entries}");
        assert_eq!(
            (&entries[0]["before"]["email"], &entries[0]["after"]["email"]),
            (&json!(jane), &json!("j@new.example"))
        );
    }
}

/// Whoever knew the password, and asked, is out with the log-in that they asked from.
async fn a_change_of_address_ends_with_the_log_in_that_asked(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (path, jane) = world.user(&admin, "jane").await;
    let thief = world.log_in(&jane, PASSWORD).await;
    let owner = world.log_in(&jane, PASSWORD).await;
    world.with(&thief).post(CHANGES, &ask("thief@new.example")).await.expect(202);
    let sent = world.messages(2).await;
    world.with(&owner).call(Method::DELETE, "/api/v1/auth/sessions", &[], None).await;
    let sessions = format!("{path}/sessions");
    admin.call(Method::DELETE, &sessions, &[], None).await.expect(204);
    let confirm = json!({ "token": token(&sent[0].text) });
    let refused = world.here.post(CONFIRM, &confirm).await.expect(422);
    assert_eq!(code_of(&refused), "auth.invalid-email-token");
    world.log_in_with(Some("acme"), &jane, PASSWORD, None).await.expect(200);
    world.log_in_with(Some("acme"), "thief@new.example", PASSWORD, None).await.expect(401);
}

async fn a_taken_address_is_answered_like_a_free_one(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (_, jane) = world.user(&admin, "jane").await;
    let (_, john) = world.user(&admin, "john").await;
    let by = world.with(&world.log_in(&jane, PASSWORD).await);
    let free = by.post(CHANGES, &ask("j@new.example")).await.expect(202);
    let first = token(&world.messages(2).await[0].text);
    world.advance(121);
    let taken = by.post(CHANGES, &ask(&john)).await.expect(202);
    assert_eq!(
        (free.body.clone(), free.header("etag"), free.headers.len()),
        (taken.body.clone(), taken.header("etag"), taken.headers.len())
    );
    // Also what happens to the request before is the same.
    world.here.post(CONFIRM, &json!({ "token": first })).await.expect(422);
    // Taken since: the second one to confirm comes too late.
    world.advance(121);
    by.post(CHANGES, &ask("both@new.example")).await.expect(202);
    world
        .with(&world.log_in(&john, PASSWORD).await)
        .post(CHANGES, &ask("both@new.example"))
        .await
        .expect(202);
    // Two for the first, the warning alone for the second, and two for each of the others.
    let sent = world.messages(7).await;
    let to_john = sent.iter().filter(|message| message.to == john).count();
    assert_eq!(
        to_john, 1,
        "nothing went to the owner of the taken address but the warning that he asked himself"
    );
    assert_eq!(sent.iter().filter(|message| message.to == jane).count(), 3);
    let both: Vec<_> = sent.iter().filter(|message| message.to == "both@new.example").collect();
    let both = [both[0], both[1]].map(|message| json!({ "token": token(&message.text) }));
    let answers = all_at_once(both.iter().map(|body| world.here.post(CONFIRM, body))).await;
    let mut statuses: Vec<_> = answers.iter().map(|reply| reply.status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 422]);
    world.advance(121);
    // After an hour a token is worth nothing. It wants a fresh proof, like everything dangerous.
    let tokens = world.log_in(&still_good(&world, &jane, &john).await, PASSWORD).await;
    world.with(&tokens).post(CHANGES, &ask("late@new.example")).await.expect(202);
    let late = token(&world.messages(10).await.iter().find(|one| one.to == "late@new.example").unwrap().text);
    world.advance(300);
    let tokens = refresh(&world, &tokens).await.expect(200).json();
    world.advance(299);
    let tokens = refresh(&world, &tokens).await.expect(200).json();
    world.advance(2);
    let refused = world.with(&tokens).post(CHANGES, &ask("x@new.example")).await.expect(401);
    assert_eq!(code_of(&refused), "auth.step-up-required");
    world.advance(3000);
    world.here.post(CONFIRM, &json!({ "token": late })).await.expect(422);
}

/// The address of the two that is still good.
async fn still_good(world: &World, one: &str, two: &str) -> String {
    let reply = world.log_in_with(Some("acme"), one, PASSWORD, None).await;
    if reply.status == 200 { one.to_owned() } else { two.to_owned() }
}

hrms_tests::on_every_engine!(
    one_session_takes_the_place_of_another,
    there_is_no_way_to_where_one_cannot_log_in,
    of_parallel_switches_one_wins,
    the_other_organisation_asks_for_its_second_factor,
    an_address_is_changed,
    a_change_of_address_ends_with_the_log_in_that_asked,
    a_taken_address_is_answered_like_a_free_one,
);
