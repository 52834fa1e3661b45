//! Locations over the real core and the embedded store, with everything around a change.

use http::{Method, StatusCode};
use serde_json::json;

use super::support::{Got, Running, start};

const PUNE: &str = r#"{"code":"PNQ","name":"Pune","time_zone":"Asia/Kolkata"}"#;

async fn create(server: &Running, body: &str, key: &str) -> Got {
    server.post("/api/v1/locations", &[("idempotency-key", key)], body).await
}

#[tokio::test]
async fn create_read_change_remove() {
    let server = start().await;
    let created = server.post("/api/v1/locations", &[], PUNE).await;
    assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
    let path = created.header("location").to_owned();
    let read = server.get(&path).await;
    assert_eq!((read.body.clone(), read.header("etag")), (created.body.clone(), created.header("etag")));

    let etag = [("if-match", read.header("etag")), ("content-type", "application/merge-patch+json")];
    let changed = server.send(Method::PATCH, &path, &etag, r#"{"name":"Poona"}"#).await;
    assert_eq!((changed.status, &changed.json()["version"]), (StatusCode::OK, &json!(2)));
    server.send(Method::PATCH, &path, &etag, r#"{"name":"Puna"}"#).await.problem(412, "common.stale");
    let cleared = [("if-match", changed.header("etag")), ("content-type", "application/json")];
    server.send(Method::PATCH, &path, &cleared, r#"{"name":null}"#).await.fault("/name", "required");

    let other = [("authorization", "Bearer other")];
    server.send(Method::GET, &path, &other, "").await.problem(404, "common.not-found");
    server.post("/api/v1/locations", &[], PUNE).await.problem(409, "location.code-taken");
    let removed = server.send(Method::DELETE, &path, &[("if-match", changed.header("etag"))], "").await;
    assert_eq!(removed.status, StatusCode::NO_CONTENT);
    server.get(&path).await.problem(404, "common.not-found");
}

#[tokio::test]
async fn a_repeated_post_has_one_effect_and_the_same_answer() {
    let server = start().await;
    let first = create(&server, PUNE, "k1").await;
    assert_eq!(first.status, StatusCode::CREATED, "{first:?}");
    assert!(!first.headers.contains_key("idempotency-replayed"));
    let again = create(&server, PUNE, "k1").await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    for name in ["location", "etag", "content-type"] {
        assert_eq!(again.header(name), first.header(name));
    }
    assert_eq!(server.get("/api/v1/locations").await.json()["items"].as_array().unwrap().len(), 1);

    create(&server, r#"{"code":"B","name":"B","time_zone":"UTC"}"#, "k1")
        .await
        .problem(422, "idempotency.key-reused");
    // A refusal isn't kept: the same key may be used for a corrected request.
    create(&server, r#"{"code":"","name":"B","time_zone":"UTC"}"#, "k2").await.fault("/code", "too-short");
    assert_eq!(
        create(&server, r#"{"code":"B","name":"B","time_zone":"UTC"}"#, "k2").await.status,
        StatusCode::CREATED
    );
    // The key is the caller's own.
    let other = [("authorization", "Bearer other"), ("idempotency-key", "k1")];
    let other = server.post("/api/v1/locations", &other, PUNE).await;
    assert_eq!(other.status, StatusCode::CREATED);
    assert_ne!(other.body, first.body);

    for bad in ["", "a b", "\u{e9}", &"x".repeat(256)] {
        create(&server, PUNE, bad).await.problem(422, "idempotency.key-invalid");
    }
}

#[tokio::test]
async fn the_same_post_twice_at_once_has_one_effect() {
    let server = start().await;
    let (one, two) = tokio::join!(create(&server, PUNE, "k"), create(&server, PUNE, "k"));
    for got in [&one, &two] {
        let fine = got.status == StatusCode::CREATED || got.status == StatusCode::CONFLICT;
        assert!(fine, "{got:?}");
        if got.status == StatusCode::CONFLICT {
            got.problem(409, "idempotency.still-running");
        }
    }
    assert_eq!(server.get("/api/v1/locations").await.json()["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_loser_of_a_race_between_nodes_gets_the_winners_answer() {
    let server = start().await;
    let raced = server.post("/t/raced", &[("idempotency-key", "k")], PUNE).await;
    assert_eq!((raced.status, raced.header("idempotency-replayed")), (StatusCode::CREATED, "true"));
    assert_eq!(raced.json()["code"], "PNQ");
    // Without a key there is nothing to find.
    let body = PUNE.replace("PNQ", "B");
    server.post("/t/raced", &[], &body).await.problem(409, "common.idempotency-key-taken");
}
