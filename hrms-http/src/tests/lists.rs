//! Lists: pages, orders, cursors.

use http::Method;
use serde_json::Value;

use super::support::{Running, start};

async fn with_locations(count: usize) -> Running {
    let server = start().await;
    for n in 0..count {
        let body = format!(r#"{{"code":"C{n}","name":"N{}","time_zone":"UTC"}}"#, n % 2);
        assert_eq!(server.post("/api/v1/locations", &[], &body).await.status.as_u16(), 201);
    }
    server
}

fn codes(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap().iter();
    items.map(|item| item["code"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pages_hold_every_item_once() {
    let server = with_locations(5).await;
    for sort in ["name", "-name", "code", "-code"] {
        let mut seen = Vec::new();
        let mut path = format!("/api/v1/locations?limit=2&sort={sort}");
        loop {
            let page = server.get(&path).await.json();
            seen.extend(codes(&page));
            match page["next_cursor"].as_str() {
                Some(cursor) => path = format!("/api/v1/locations?limit=2&sort={sort}&cursor={cursor}"),
                None => break,
            }
        }
        if sort == "-code" {
            assert_eq!(seen, ["C4", "C3", "C2", "C1", "C0"]);
        }
        seen.sort_unstable();
        assert_eq!(seen, ["C0", "C1", "C2", "C3", "C4"], "{sort}");
    }
    assert_eq!(codes(&server.get("/api/v1/locations?code=C3").await.json()), ["C3"]);
}

#[tokio::test]
async fn a_cursor_is_good_for_its_list_only() {
    let server = with_locations(3).await;
    let page = server.get("/api/v1/locations?limit=1&updated_after=2020-01-01T00:00:00Z").await.json();
    let cursor = page["next_cursor"].as_str().unwrap();
    let ask = async |query: &str| server.get(&format!("/api/v1/locations?{query}")).await;
    let after = "updated_after=2020-01-01T00:00:00Z";
    // Another page size and another order of parameters are the same list.
    assert_eq!(
        ask(&format!("cursor={cursor}&{after}&limit=7")).await.json()["items"].as_array().unwrap().len(),
        2
    );
    ask(&format!("cursor={cursor}")).await.problem(422, "cursor.invalid");
    ask(&format!("cursor={cursor}&{after}&sort=code")).await.problem(422, "cursor.invalid");
    ask(&format!("cursor={cursor}&updated_after=2021-01-01T00:00:00Z")).await.problem(422, "cursor.invalid");
    for at in 0..cursor.len() {
        let mut tampered = cursor.to_owned().into_bytes();
        tampered[at] = if tampered[at] == b'A' { b'B' } else { b'A' };
        let tampered = String::from_utf8(tampered).unwrap();
        ask(&format!("cursor={tampered}&{after}")).await.problem(422, "cursor.invalid");
    }
    for bad in ["", "x", "AAAA", "%00"] {
        ask(&format!("cursor={bad}&{after}")).await.problem(422, "cursor.invalid");
    }
    let path = format!("/api/v1/locations?{after}&cursor={cursor}");
    let other = server.send(Method::GET, &path, &[("authorization", "Bearer other")], "").await;
    other.problem(422, "cursor.invalid");
}

#[tokio::test]
async fn what_a_list_does_not_know_is_refused() {
    let server = start().await;
    for limit in ["0", "201", "-1", "x", "", "99999999999"] {
        server.get(&format!("/api/v1/locations?limit={limit}")).await.fault("/limit", "out-of-range");
    }
    for sort in ["salary", "--name", "", "Name"] {
        server.get(&format!("/api/v1/locations?sort={sort}")).await.fault("/sort", "unknown-sort");
    }
    server.get("/api/v1/locations?colour=red").await.fault("/colour", "unknown-field");
    server.get("/api/v1/locations?code=A&code=B").await.fault("/code", "duplicate");
    server.get("/api/v1/locations?updated_after=yesterday").await.fault("/updated_after", "invalid-value");
}

#[tokio::test]
async fn an_unchanged_list_is_not_sent_again() {
    let server = with_locations(1).await;
    let list = server.get("/api/v1/locations").await;
    let again = [("if-none-match", list.header("etag"))];
    let again = server.send(Method::GET, "/api/v1/locations", &again, "").await;
    assert_eq!(again.status.as_u16(), 304);
}
