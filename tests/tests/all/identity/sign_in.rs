//! Second factors, step-up and sessions over HTTP, on every engine.

use hrms_core::contract::{all_at_once, id};
use hrms_core::jiff::SignedDuration;
use hrms_tests::Fresh;
use http::Method;
use serde_json::json;

use super::world::{PASSWORD, World, change, code_of, field_of};

async fn a_half_session_can_do_nothing_else(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let before = world.log_in("admin@acme.example", PASSWORD).await;
    assert_eq!(before["pending"], json!([]));
    let (secret, _) = world.enrol(&admin).await;
    admin.get("/api/v1/auth/me").await.expect(200);

    // Also a session that was open before.
    world.a_moment_later();
    let refused = world.elsewhere(&before).get("/api/v1/auth/me").await.expect(403);
    assert_eq!(code_of(&refused), "auth.second-factor-required");

    let tokens = world.log_in("admin@acme.example", PASSWORD).await;
    assert_eq!(tokens["pending"], json!(["otp"]));
    let half = world.with(&tokens);
    for (method, path) in [
        (Method::GET, "/api/v1/auth/me"),
        (Method::GET, "/api/v1/organization"),
        (Method::GET, "/api/v1/auth/sessions"),
        (Method::DELETE, "/api/v1/auth/sessions"),
        (Method::GET, "/api/v1/events"),
        (Method::POST, "/api/v1/events/tickets"),
        (Method::POST, "/api/v1/auth/totp"),
        (Method::POST, "/api/v1/auth/totp/confirm"),
        (Method::DELETE, "/api/v1/auth/totp"),
        (Method::POST, "/api/v1/auth/recovery-codes"),
        (Method::POST, "/api/v1/auth/password"),
        (Method::POST, "/api/v1/auth/step-up"),
        (Method::GET, "/api/v1/exports/locations"),
        (Method::GET, "/api/v1/platform/organizations"),
    ] {
        let refused = half.call(method.clone(), path, &[], None).await.expect(403);
        assert_eq!(code_of(&refused), "auth.second-factor-required", "{method} {path}");
    }
    // Refreshing changes nothing about it.
    let refresh = json!({ "refresh_token": tokens["refresh_token"] });
    let tokens = world.here.post("/api/v1/auth/refresh", &refresh).await.expect(200).json();
    assert_eq!(tokens["pending"], json!(["otp"]));
    let half = world.with(&tokens);
    half.get("/api/v1/auth/me").await.expect(403);
    world.advance(30);
    let passed = half.post("/api/v1/auth/second-factor", &json!({ "otp": world.code(&secret) })).await;
    assert_eq!(passed.expect(200).json()["pending"], json!([]));
    half.get("/api/v1/auth/me").await.expect(200);
    // Nothing of it is remembered as half on the other node.
    world.elsewhere(&tokens).get("/api/v1/auth/me").await.expect(200);
    let again = half.post("/api/v1/auth/second-factor", &json!({ "otp": "000000" })).await.expect(409);
    assert_eq!(code_of(&again), "auth.nothing-pending");
    // It lives on like any other: beyond the ten minutes of a half one.
    world.advance(3600);
    let refresh = json!({ "refresh_token": tokens["refresh_token"] });
    let tokens = world.here.post("/api/v1/auth/refresh", &refresh).await.expect(200).json();
    world.with(&tokens).get("/api/v1/auth/me").await.expect(200);

    // With the code at log-in it is whole at once; a wrong one is refused.
    let wrong =
        world.log_in_with(Some("acme"), "admin@acme.example", PASSWORD, Some("000000")).await.expect(401);
    assert_eq!(code_of(&wrong), "auth.invalid-otp");
    let otp = world.code(&secret);
    let whole = world.log_in_with(Some("acme"), "admin@acme.example", PASSWORD, Some(&otp)).await.expect(200);
    assert_eq!(whole.json()["pending"], json!([]));
    world.with(&whole.json()).get("/api/v1/auth/me").await.expect(200);
}

async fn a_half_session_ends_after_ten_minutes(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (secret, _) = world.enrol(&admin).await;
    let mut tokens = world.log_in("admin@acme.example", PASSWORD).await;
    for _ in 0..2 {
        world.advance(290);
        let refresh = json!({ "refresh_token": tokens["refresh_token"] });
        tokens = world.here.post("/api/v1/auth/refresh", &refresh).await.expect(200).json();
    }
    world.advance(20);
    let refresh = json!({ "refresh_token": tokens["refresh_token"] });
    world.here.post("/api/v1/auth/refresh", &refresh).await.expect(401);
    let otp = json!({ "otp": world.code(&secret) });
    world.with(&tokens).post("/api/v1/auth/second-factor", &otp).await.expect(401);
}

async fn codes_are_taken_once(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (secret, recovery) = world.enrol(&admin).await;
    assert_eq!(recovery.len(), 10);
    world.advance(30);
    let mut halves = Vec::new();
    for _ in 0..4 {
        halves.push(world.with(&world.log_in("admin@acme.example", PASSWORD).await));
    }
    let otp = json!({ "otp": world.code(&secret) });
    let tries = halves.iter().map(|half| half.post("/api/v1/auth/second-factor", &otp));
    let passed: Vec<_> = all_at_once(tries).await.iter().map(|reply| reply.status.as_u16()).collect();
    assert_eq!(passed.iter().filter(|status| **status == 200).count(), 1, "{passed:?}");
    assert_eq!(passed.iter().filter(|status| **status == 422).count(), 3, "{passed:?}");
    // Nor is the code of a step before the last one taken.
    world.clock.advance(SignedDuration::from_secs(-30));
    let earlier = json!({ "otp": world.code(&secret) });
    world.clock.advance(SignedDuration::from_secs(30));
    let half = world.with(&world.log_in("admin@acme.example", PASSWORD).await);
    let refused = half.post("/api/v1/auth/second-factor", &earlier).await.expect(422);
    assert_eq!(field_of(&refused), ("/otp".into(), "wrong-code".into()));

    let mut halves = Vec::new();
    for _ in 0..4 {
        halves.push(world.with(&world.log_in("admin@acme.example", PASSWORD).await));
    }
    let code = json!({ "recovery_code": recovery[0].to_uppercase() });
    let tries = halves.iter().map(|half| half.post("/api/v1/auth/second-factor", &code));
    let passed: Vec<_> = all_at_once(tries).await.iter().map(|reply| reply.status.as_u16()).collect();
    assert_eq!(passed.iter().filter(|status| **status == 200).count(), 1, "{passed:?}");
    // New ones take the place of the old ones.
    let renewed = admin.post("/api/v1/auth/recovery-codes", &json!({})).await.expect(200).json();
    assert_eq!(renewed["recovery_codes"].as_array().unwrap().len(), 10);
    let half = world.with(&world.log_in("admin@acme.example", PASSWORD).await);
    half.post("/api/v1/auth/second-factor", &json!({ "recovery_code": recovery[1] })).await.expect(422);
    let code = json!({ "recovery_code": renewed["recovery_codes"][1] });
    half.post("/api/v1/auth/second-factor", &code).await.expect(200);
    half.post("/api/v1/auth/second-factor", &code).await.expect(409);
}

async fn guessing_codes_ends_the_session_and_is_slowed_down(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (secret, recovery) = world.enrol(&admin).await;
    world.advance(30);
    let wrong = |n: usize| json!({ "otp": format!("{n:06}") });
    for round in 0..2 {
        let half = world.with(&world.log_in("admin@acme.example", PASSWORD).await);
        for n in 0..4 {
            half.post("/api/v1/auth/second-factor", &wrong(n)).await.expect(422);
        }
        let ended = half.post("/api/v1/auth/second-factor", &wrong(5)).await.expect(401);
        assert_eq!(code_of(&ended), "auth.session-ended", "round {round}");
        let otp = json!({ "otp": world.code(&secret) });
        half.post("/api/v1/auth/second-factor", &otp).await.expect(401);
    }
    // Ten wrong codes of the account: the next one has to wait, whoever sends it. A recovery code is good.
    let half = world.with(&world.log_in("admin@acme.example", PASSWORD).await);
    let otp = json!({ "otp": world.code(&secret) });
    let slow = half.post("/api/v1/auth/second-factor", &otp).await.expect(429);
    assert_eq!(slow.header("retry-after"), Some("60"));
    half.post("/api/v1/auth/second-factor", &json!({ "recovery_code": recovery[0] })).await.expect(200);
    world.advance(61);
    let half = world.with(&world.log_in("admin@acme.example", PASSWORD).await);
    let otp = json!({ "otp": world.code(&secret) });
    half.post("/api/v1/auth/second-factor", &otp).await.expect(200);
}

async fn dangerous_things_want_a_fresh_proof(store: &Fresh) {
    let (world, _) = World::new(store).await;
    let tokens = world.log_in("admin@acme.example", PASSWORD).await;
    let admin = world.with(&tokens);
    admin.get("/api/v1/exports/locations").await.expect(200);
    let mut tokens = tokens;
    for _ in 0..3 {
        world.advance(250);
        let refresh = json!({ "refresh_token": tokens["refresh_token"] });
        tokens = world.here.post("/api/v1/auth/refresh", &refresh).await.expect(200).json();
    }
    let admin = world.with(&tokens);
    let new = json!({ "email": "x@acme.example", "name": "X", "roles": ["employee"], "password": PASSWORD });
    for (method, path, body) in [
        (Method::GET, "/api/v1/exports/locations", None),
        (Method::POST, "/api/v1/users", Some(&new)),
        (Method::POST, "/api/v1/auth/totp", None),
        (Method::DELETE, "/api/v1/auth/totp", None),
        (Method::POST, "/api/v1/auth/recovery-codes", None),
        (Method::PATCH, "/api/v1/employees/00000000-0000-7000-8000-000000000000/compensation", Some(&new)),
        (Method::PATCH, "/api/v1/employees/00000000-0000-7000-8000-000000000000/bank", Some(&new)),
        (Method::POST, "/api/v1/schedules", Some(&new)),
        (Method::PATCH, "/api/v1/schedules/00000000-0000-7000-8000-000000000000", Some(&new)),
        (Method::DELETE, "/api/v1/schedules/00000000-0000-7000-8000-000000000000", None),
        (Method::DELETE, "/api/v1/users/00000000-0000-7000-8000-000000000000/sessions", None),
        (
            Method::DELETE,
            "/api/v1/users/00000000-0000-7000-8000-000000000000/sessions/00000000-0000-7000-8000-000000000000",
            None,
        ),
    ] {
        let refused = admin.call(method, path, &[], body).await.expect(401);
        assert_eq!(code_of(&refused), "auth.step-up-required", "{path}");
        let challenge = "Bearer error=\"insufficient_user_authentication\", max_age=\"600\"";
        assert_eq!(refused.header("www-authenticate"), Some(challenge));
    }
    let policy = json!({ "second_factor_required_for": ["admin"] });
    let refused = change(&admin, "/api/v1/organization", &policy).await.expect(401);
    assert_eq!(code_of(&refused), "auth.step-up-required");
    change(&admin, "/api/v1/organization", &json!({ "name": "Acme Ltd" })).await.expect(200);
    // Of an employee, only another address does.
    let person = "/api/v1/employees";
    let hire = json!({ "given_name": "Bob", "hired_on": "2020-01-01", "email": "bob@acme.example" });
    let person =
        format!("{person}/{}", admin.post(person, &hire).await.expect(201).json()["id"].as_str().unwrap());
    for patch in [json!({ "email": "eve@acme.example" }), json!({ "email": null, "given_name": "Eve" })] {
        let refused = change(&admin, &person, &patch).await.expect(401);
        assert_eq!(code_of(&refused), "auth.step-up-required");
    }
    let same = json!({ "given_name": "Rob", "email": "bob@acme.example" });
    assert_eq!(change(&admin, &person, &same).await.expect(200).json()["given_name"], "Rob");

    let wrong = admin.post("/api/v1/auth/step-up", &json!({ "password": "x" })).await.expect(422);
    assert_eq!(field_of(&wrong), ("/password".into(), "wrong-password".into()));
    admin.post("/api/v1/auth/step-up", &json!({})).await.expect(422);
    admin.post("/api/v1/auth/step-up", &json!({ "password": PASSWORD })).await.expect(200);
    // On every node at once.
    world.elsewhere(&tokens).get("/api/v1/exports/locations").await.expect(200);
    admin.post("/api/v1/users", &new).await.expect(201);
    change(&admin, &person, &json!({ "email": "eve@acme.example" })).await.expect(200);

    // With a second factor the password isn't enough any more.
    let (secret, _) = world.enrol(&admin).await;
    world.advance(200);
    let without = admin.post("/api/v1/auth/step-up", &json!({ "password": PASSWORD })).await.expect(422);
    assert_eq!(field_of(&without), ("/otp".into(), "required".into()));
    admin.post("/api/v1/auth/step-up", &json!({ "otp": world.code(&secret) })).await.expect(200);
    // The fifth wrong password or code in a row ends the session.
    for _ in 0..4 {
        admin.post("/api/v1/auth/step-up", &json!({ "otp": "000000" })).await.expect(422);
    }
    admin.post("/api/v1/auth/step-up", &json!({ "otp": "000000" })).await.expect(401);
    admin.get("/api/v1/auth/me").await.expect(401);
}

async fn an_organisation_can_require_a_second_factor(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (_, jane) = world.user(&admin, "jane").await;
    let tokens = world.log_in(&jane, PASSWORD).await;
    world.elsewhere(&tokens).get("/api/v1/auth/me").await.expect(200);
    let wrong = json!({ "second_factor_required_for": ["emperor"] });
    let refused = change(&admin, "/api/v1/organization", &wrong).await.expect(422);
    assert_eq!(field_of(&refused), ("/second_factor_required_for".into(), "unknown-role".into()));
    let policy = json!({ "second_factor_required_for": ["employee"] });
    let set = change(&admin, "/api/v1/organization", &policy).await.expect(200).json();
    assert_eq!(set["second_factor_required_for"], json!(["employee"]));

    world.a_moment_later();
    let refused = world.elsewhere(&tokens).get("/api/v1/auth/me").await.expect(403);
    assert_eq!(code_of(&refused), "auth.incomplete");
    admin.get("/api/v1/auth/me").await.expect(200);
    let fresh = world.log_in(&jane, PASSWORD).await;
    assert_eq!(fresh["pending"], json!(["enrol-second-factor"]));
    let half = world.with(&fresh);
    half.get("/api/v1/organization").await.expect(403);
    half.post("/api/v1/auth/second-factor", &json!({ "otp": "000000" })).await.expect(403);
    half.post("/api/v1/auth/password", &json!({})).await.expect(403);
    let (secret, _) = world.enrol(&half).await;
    half.get("/api/v1/organization").await.expect(200);
    // The session that was open before has to pass it.
    let refused = world.elsewhere(&tokens).get("/api/v1/auth/me").await.expect(403);
    assert_eq!(code_of(&refused), "auth.second-factor-required");
    let needed = half.delete("/api/v1/auth/totp").await.expect(409);
    assert_eq!(code_of(&needed), "auth.second-factor-needed");
    // Another device is possible; the first one is good until the new one's first code.
    world.advance(30);
    let (other, _) = world.enrol(&half).await;
    world.advance(30);
    let old = world.log_in_with(Some("acme"), &jane, PASSWORD, Some(&world.code(&secret))).await;
    assert_eq!(code_of(&old.expect(401)), "auth.invalid-otp");
    world.log_in_with(Some("acme"), &jane, PASSWORD, Some(&world.code(&other))).await.expect(200);
    change(&admin, "/api/v1/organization", &json!({ "second_factor_required_for": [] })).await.expect(200);
    half.delete("/api/v1/auth/totp").await.expect(204);
    assert_eq!(world.log_in(&jane, PASSWORD).await["pending"], json!([]));
    half.delete("/api/v1/auth/totp").await.expect(422);
}

async fn a_lost_second_factor_is_reset_by_an_admin(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (path, jane) = world.user(&admin, "jane").await;
    let tokens = world.log_in(&jane, PASSWORD).await;
    admin.delete(&format!("{path}/second-factor")).await.expect(422);
    world.enrol(&world.with(&tokens)).await;
    world.with(&tokens).delete(&format!("{path}/second-factor")).await.expect(403);
    admin.delete(&format!("{path}/second-factor")).await.expect(204);
    world.a_moment_later();
    world.with(&tokens).get("/api/v1/auth/me").await.expect(401);
    assert_eq!(world.log_in(&jane, PASSWORD).await["pending"], json!([]));
    // Not one's own.
    let me = admin.get("/api/v1/auth/me").await.expect(200).json();
    let own = format!("/api/v1/users/{}/second-factor", me["user"]["id"].as_str().unwrap());
    assert_eq!(code_of(&admin.delete(&own).await.expect(403)), "user.own-second-factor");
}

async fn sessions_are_listed_and_ended(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (path, jane) = world.user(&admin, "jane").await;
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(world.log_in(&jane, PASSWORD).await);
        world.advance(1);
    }
    let [one, two, three, four] = &all[..] else { panic!() };
    let sessions = world.with(one).get("/api/v1/auth/sessions").await.expect(200).json();
    let items = sessions["items"].as_array().unwrap();
    assert_eq!(items.len(), 4);
    assert_eq!(items.iter().filter(|item| item["current"] == true).count(), 1);
    assert_eq!((&items[3]["current"], &items[3]["address"]), (&json!(true), &json!("127.0.0.1")));
    let second = format!("/api/v1/auth/sessions/{}", items[2]["id"].as_str().unwrap());
    // Nobody else's, not even for an admin, in this place.
    admin.delete(&second).await.expect(404);
    world.elsewhere(two).get("/api/v1/auth/me").await.expect(200);
    world.with(one).delete(&second).await.expect(204);
    world.with(one).delete(&second).await.expect(204);
    world.with(one).delete(&format!("/api/v1/auth/sessions/{}", id())).await.expect(404);
    world.a_moment_later();
    world.elsewhere(two).get("/api/v1/auth/me").await.expect(401);

    let shown = admin.get(&format!("{path}/sessions")).await.expect(200).json();
    assert_eq!(shown["items"].as_array().unwrap().len(), 3);
    assert!(shown["items"].as_array().unwrap().iter().all(|item| item["current"] == false));
    world.with(three).get(&format!("{path}/sessions")).await.expect(403);
    let third = shown["items"][1]["id"].as_str().unwrap();
    admin.delete(&format!("{path}/sessions/{third}")).await.expect(204);
    admin.delete(&format!("{path}/sessions/{}", id())).await.expect(404);
    world.with(one).delete("/api/v1/auth/sessions").await.expect(204);
    world.a_moment_later();
    world.elsewhere(three).get("/api/v1/auth/me").await.expect(401);
    world.elsewhere(four).get("/api/v1/auth/me").await.expect(401);
    world.elsewhere(one).get("/api/v1/auth/me").await.expect(200);
    admin.delete(&format!("{path}/sessions")).await.expect(204);
    world.a_moment_later();
    world.elsewhere(one).get("/api/v1/auth/me").await.expect(401);
}

async fn operators_have_second_factors_too(store: &Fresh) {
    let (world, _) = World::new(store).await;
    let operator = world.sign_in(None, "olga@service.example", PASSWORD).await;
    let (secret, recovery) = world.enrol(&operator).await;
    operator.get("/api/v1/platform/organizations").await.expect(200);
    let tokens = world.log_in_with(None, "olga@service.example", PASSWORD, None).await.expect(200).json();
    assert_eq!(tokens["pending"], json!(["otp"]));
    let half = world.with(&tokens);
    half.get("/api/v1/platform/organizations").await.expect(403);
    half.post("/api/v1/auth/second-factor", &json!({ "recovery_code": recovery[3] })).await.expect(200);
    half.get("/api/v1/platform/organizations").await.expect(200);
    assert_eq!(
        half.get("/api/v1/auth/sessions").await.expect(200).json()["items"].as_array().unwrap().len(),
        3
    );
    half.delete("/api/v1/auth/sessions").await.expect(204);
    world.a_moment_later();
    operator.get("/api/v1/platform/organizations").await.expect(401);
    world.advance(30);
    half.post("/api/v1/auth/step-up", &json!({ "otp": world.code(&secret) })).await.expect(200);
    half.delete("/api/v1/auth/totp").await.expect(204);
}

hrms_tests::on_every_engine!(
    a_half_session_can_do_nothing_else,
    a_half_session_ends_after_ten_minutes,
    codes_are_taken_once,
    guessing_codes_ends_the_session_and_is_slowed_down,
    dangerous_things_want_a_fresh_proof,
    an_organisation_can_require_a_second_factor,
    a_lost_second_factor_is_reset_by_an_admin,
    sessions_are_listed_and_ended,
    operators_have_second_factors_too,
);
