//! Passwords that are changed, must be changed, and are forgotten, over HTTP, on every engine.

use hrms_core::contract::all_at_once;
use hrms_core::mail::Message;
use hrms_tests::Fresh;
use http::Method;
use serde_json::json;

use super::world::{OTHER, PASSWORD, World, change, code_of, field_of};

async fn a_password_is_changed(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (_, jane) = world.user(&admin, "jane").await;
    let (one, two) = (world.log_in(&jane, PASSWORD).await, world.log_in(&jane, PASSWORD).await);
    world.elsewhere(&two).get("/api/v1/auth/me").await.expect(200);
    let mine = world.with(&one);
    let ask = |current: &str, new: &str| json!({ "current_password": current, "new_password": new });
    for (body, pointer, code) in [
        (ask("wrong", OTHER), "/current_password", "wrong-password"),
        (ask(PASSWORD, PASSWORD), "/new_password", "same-password"),
        (ask(PASSWORD, "too short"), "/new_password", "too-short"),
        (ask(PASSWORD, "passwordpassword"), "/new_password", "common-password"),
        (ask(PASSWORD, "jane@acme.example"), "/new_password", "password-about-you"),
        (ask(PASSWORD, &"x1y2".repeat(65)), "/new_password", "too-long"),
    ] {
        let refused = mine.post("/api/v1/auth/password", &body).await.expect(422);
        assert_eq!(field_of(&refused), (pointer.to_owned(), code.to_owned()));
        assert!(!refused.text().contains(PASSWORD));
    }
    mine.post("/api/v1/auth/password", &ask(PASSWORD, OTHER)).await.expect(200);
    mine.get("/api/v1/auth/me").await.expect(200);
    world.a_moment_later();
    world.elsewhere(&two).get("/api/v1/auth/me").await.expect(401);
    let refresh = json!({ "refresh_token": two["refresh_token"] });
    world.here.post("/api/v1/auth/refresh", &refresh).await.expect(401);
    world.log_in_with(Some("acme"), &jane, PASSWORD, None).await.expect(401);
    world.log_in(&jane, OTHER).await;

    // With a second factor eight characters will do; then it can't be removed without a longer one.
    let (secret, _) = world.enrol(&mine).await;
    mine.post("/api/v1/auth/password", &ask(OTHER, "kx7 vq2")).await.expect(422);
    mine.post("/api/v1/auth/password", &ask(OTHER, "kx7 vq2m")).await.expect(200);
    assert_eq!(code_of(&mine.delete("/api/v1/auth/totp").await.expect(409)), "auth.password-needs-factor");
    mine.post("/api/v1/auth/password", &ask("kx7 vq2m", OTHER)).await.expect(200);
    mine.delete("/api/v1/auth/totp").await.expect(204);
    drop(secret);

    // Two at the same time: one is the new password.
    let news = ["first of two long passwords", "second of two long passwords"];
    let tries = news.iter().map(|new| {
        let (mine, body) = (mine.clone(), ask(OTHER, new));
        async move { mine.post("/api/v1/auth/password", &body).await }
    });
    let answers: Vec<_> = all_at_once(tries).await.iter().map(|reply| reply.status.as_u16()).collect();
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
}

async fn a_password_must_be_changed(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let email = "new@acme.example";
    let new = json!({
        "email": email, "name": "New", "roles": ["employee"], "password": PASSWORD, "must_change_password": true,
    });
    let made = admin.post("/api/v1/users", &new).await.expect(201).json();
    let path = format!("/api/v1/users/{}", made["id"].as_str().unwrap());
    let tokens = world.log_in(email, PASSWORD).await;
    assert_eq!(tokens["pending"], json!(["change-password"]));
    let half = world.with(&tokens);
    let refused = half.get("/api/v1/auth/me").await.expect(403);
    assert_eq!(code_of(&refused), "auth.incomplete");
    assert_eq!(refused.json()["pending"], json!(["change-password"]));
    half.post("/api/v1/auth/totp", &json!({})).await.expect(403);
    world.advance(1);
    let body = json!({ "current_password": PASSWORD, "new_password": OTHER });
    let changed = half.post("/api/v1/auth/password", &body).await.expect(200).json();
    assert_eq!(changed["pending"], json!([]));
    half.get("/api/v1/auth/me").await.expect(200);
    world.elsewhere(&tokens).get("/api/v1/auth/me").await.expect(200);
    // On living sessions too, and taken back again.
    world.advance(1);
    for (must, status) in [(true, 403), (false, 200)] {
        change(&admin, &path, &json!({ "must_change_password": must })).await.expect(200);
        world.a_moment_later();
        world.elsewhere(&tokens).get("/api/v1/auth/me").await.expect(status);
    }
}

async fn a_forgotten_password_is_reset(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (_, jane) = world.user(&admin, "jane").await;
    let tokens = world.log_in(&jane, PASSWORD).await;
    world.elsewhere(&tokens).get("/api/v1/auth/me").await.expect(200);
    let (secret, _) = world.enrol(&world.with(&tokens)).await;
    let ask = |email: &str| json!({ "email": email });
    let known = world.here.post("/api/v1/auth/password-resets", &ask("JANE@acme.example")).await.expect(202);
    for email in ["nobody@acme.example", "not an address", ""] {
        let unknown = world.here.post("/api/v1/auth/password-resets", &ask(email)).await.expect(202);
        assert_eq!(
            (unknown.body.clone(), unknown.header("etag")),
            (known.body.clone(), known.header("etag"))
        );
    }
    let first = world.messages(1).await;
    assert_eq!(first[0].to, jane);
    let token = |message: &Message| {
        let (_, rest) = message.text.split_once("https://hr.example.com/reset-password#token=").unwrap();
        rest.split_whitespace().next().unwrap().to_owned()
    };
    // Not again at once; later again, and the first one is good no more.
    world.here.post("/api/v1/auth/password-resets", &ask(&jane)).await.expect(202);
    world.advance(121);
    let forged = [("host", "evil.example"), ("x-forwarded-host", "evil.example")];
    world
        .here
        .call(Method::POST, "/api/v1/auth/password-resets", &forged[1..], Some(&ask(&jane)))
        .await
        .expect(202);
    let sent = world.messages(2).await;
    assert_eq!(sent.len(), 2, "one each two minutes");
    assert!(!sent[1].text.contains("evil"));
    let (old, good) = (token(&sent[0]), token(&sent[1]));
    let confirm = |token: &str, new: &str| json!({ "token": token, "new_password": new });
    for bad in [old.as_str(), "x", "", &good[1..], &format!("{good}A")] {
        let refused = world.here.post("/api/v1/auth/password-resets/confirm", &confirm(bad, OTHER)).await;
        assert_eq!(code_of(&refused.expect(422)), "auth.invalid-reset-token");
    }
    // A faulty password doesn't use it up; a token is no access or refresh token.
    let weak =
        world.here.post("/api/v1/auth/password-resets/confirm", &confirm(&good, "short")).await.expect(422);
    assert_eq!(field_of(&weak), ("/new_password".into(), "too-short".into()));
    world.here.with_token(&good).get("/api/v1/auth/me").await.expect(401);
    world.here.post("/api/v1/auth/refresh", &json!({ "refresh_token": good })).await.expect(401);
    let tries = (0..4).map(|n| {
        let (here, body) = (world.here.clone(), confirm(&good, &format!("{OTHER} {n}")));
        async move { here.post("/api/v1/auth/password-resets/confirm", &body).await.status.as_u16() }
    });
    let answers = all_at_once(tries).await;
    assert_eq!(answers.iter().filter(|status| **status == 204).count(), 1, "{answers:?}");
    let winner = answers.iter().position(|status| *status == 204).unwrap();
    // All sessions are over, and the second factor is still asked for.
    world.a_moment_later();
    world.elsewhere(&tokens).get("/api/v1/auth/me").await.expect(401);
    world.log_in_with(Some("acme"), &jane, PASSWORD, None).await.expect(401);
    let again = world.log_in(&jane, &format!("{OTHER} {winner}")).await;
    assert_eq!(again["pending"], json!(["otp"]));
    drop(secret);

    // After an hour a token is worth nothing.
    world.here.post("/api/v1/auth/password-resets", &ask(&jane)).await.expect(202);
    let late = token(&world.messages(3).await[2]);
    world.advance(3600);
    let refused = world.here.post("/api/v1/auth/password-resets/confirm", &confirm(&late, PASSWORD)).await;
    assert_eq!(code_of(&refused.expect(422)), "auth.invalid-reset-token");
}

hrms_tests::on_every_engine!(
    a_password_is_changed,
    a_password_must_be_changed,
    a_forgotten_password_is_reset
);
