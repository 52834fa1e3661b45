//! One request: routing, access, decoding, answers, problems.

use http::{Method, StatusCode};

use super::support::{Got, start};
use super::things;
use crate::BuildError;
use crate::api::Api;

const THING: &str = "/t/things/00000000-0000-0000-0000-000000000077";

#[tokio::test]
async fn nothing_there_is_404_and_other_methods_are_405() {
    let server = start().await;
    let nothing = server.get("/nowhere?secret=1").await.problem(404, "common.not-found");
    assert_eq!(nothing["instance"], "/nowhere");

    let wrong = server.send(Method::DELETE, THING, &[], "").await;
    wrong.problem(405, "http.method-not-allowed");
    assert_eq!(wrong.header("allow"), "PATCH, GET, HEAD, OPTIONS");

    let options = server.send(Method::OPTIONS, THING, &[], "").await;
    assert_eq!(
        (options.status, options.header("allow")),
        (StatusCode::NO_CONTENT, "PATCH, GET, HEAD, OPTIONS")
    );

    let wrong = server.post("/api/openapi.json", &[], "").await;
    wrong.problem(405, "http.method-not-allowed");
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let server = start().await;
    let get = server.get("/t/open").await;
    let head = server.send(Method::HEAD, "/t/open", &[], "").await;
    assert_eq!(head.status, StatusCode::OK);
    assert!(head.body.is_empty());
    for name in ["etag", "content-length", "content-type"] {
        assert_eq!(head.header(name), get.header(name));
    }
}

#[tokio::test]
async fn access_is_decided_before_the_body_is_looked_at() {
    let server = start().await;
    let with = |token: &'static str| [("authorization", token), ("content-type", "application/json")];
    let bad = server.send(Method::POST, "/t/things", &with("Bearer bad"), "{").await;
    bad.problem(401, "auth.invalid-token");
    assert_eq!(bad.header("www-authenticate"), "Bearer error=\"invalid_token\"");
    for path in ["/t/mine", "/t/platform", "/api/v1/locations"] {
        let nobody = server.send(Method::GET, path, &with("-"), "").await;
        nobody.problem(401, "auth.credential-missing");
        assert_eq!(nobody.header("www-authenticate"), "Bearer");
    }
    let forbidden = server.send(Method::POST, "/t/things", &with("Bearer employee"), "{").await;
    forbidden.problem(403, "common.forbidden");
    let operator = server.send(Method::POST, "/t/things", &with("Bearer operator"), "{").await;
    operator.problem(403, "common.forbidden");
    let allowed = server.send(Method::POST, "/t/things", &with("Bearer hr"), "{").await;
    allowed.problem(400, "http.malformed-json");

    server.get("/t/platform").await.problem(403, "common.forbidden");
    let operator = server.send(Method::GET, "/t/platform", &with("Bearer operator"), "").await;
    assert_eq!(operator.status, StatusCode::OK);
    // A public endpoint doesn't care about credentials.
    let bad = server.send(Method::GET, "/t/open", &with("Bearer bad"), "").await;
    assert_eq!(bad.status, StatusCode::OK);
}

#[tokio::test]
async fn bodies_are_decoded_strictly_and_faults_name_the_field() {
    let server = start().await;
    let post = async |body: &str| -> Got { server.post("/t/things", &[], body).await };

    let created = post(r#"{"name":"n","parts":[{"size":1},{"size":2}],"on":"2026-11-21"}"#).await;
    assert_eq!(created.status, StatusCode::CREATED);
    assert_eq!(created.header("location"), THING);
    assert!(created.header("etag").starts_with("\"3-"), "{created:?}");

    post(r#"{"name":"n","role":"admin"}"#).await.fault("/role", "unknown-field");
    post(r#"{}"#).await.fault("/name", "missing");
    post(r#"{"name":7}"#).await.fault("/name", "wrong-type");
    post(r#"{"name":"n","name":"m"}"#).await.fault("/name", "duplicate");
    post(r#"{"name":"n","parts":[{"size":1},{"size":999}]}"#).await.fault("/parts/1/size", "invalid-value");
    post(r#"{"name":"n","parts":[{"size":1,"a/b~c":1}]}"#).await.fault("/parts/0/a~1b~0c", "unknown-field");
    post(r#"{"name":"n","parts":[{}]}"#).await.fault("/parts/0/size", "missing");
    post(r#"{"name":"n","on":"2026-02-30"}"#).await.fault("/on", "invalid-value");
    post(r#"["n",[],null]"#).await.fault("", "wrong-type");
    let deep = format!(r#"{{"name":"n","notes":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    post(&deep).await.problem(400, "http.json-too-deep");
    // Brackets in texts are no nesting; the object itself is the first level.
    let brackets =
        format!(r#"{{"name":"\"{}","notes":{}{}}}"#, "[".repeat(200), "[".repeat(31), "]".repeat(31));
    assert_eq!(post(&brackets).await.status, StatusCode::CREATED);
    let one_more = format!(r#"{{"name":"n","notes":{}{}}}"#, "[".repeat(32), "]".repeat(32));
    post(&one_more).await.problem(400, "http.json-too-deep");
    for broken in ["", "{", r#"{"name":"n"} x"#, "{\"name\":\"\u{0}\"}"] {
        post(broken).await.problem(400, "http.malformed-json");
    }
    let large = format!(r#"{{"name":"{}"}}"#, "x".repeat(1 << 20));
    post(&large).await.problem(413, "http.body-too-large");

    let text = [("content-type", "text/plain")];
    let text = server.send(Method::POST, "/t/things", &text, "{}").await;
    text.problem(415, "http.unsupported-media-type");
    let none = server.send(Method::POST, "/t/things", &[], "{}").await;
    none.problem(415, "http.unsupported-media-type");
    let charset = [("content-type", "application/json; charset=utf-8")];
    let charset = server.send(Method::POST, "/t/things", &charset, r#"{"name":"n"}"#).await;
    assert_eq!(charset.status, StatusCode::CREATED);
}

#[tokio::test]
async fn queries_are_decoded_strictly() {
    let server = start().await;
    let fine = server.get("/t/query?count=5&yes=true&id=00000000-0000-0000-0000-000000000001").await;
    assert!(fine.json()["name"].as_str().unwrap().starts_with("Some(5) Some(true) Some(0000"), "{fine:?}");
    server.get("/t/query?size=1").await.fault("/size", "unknown-field");
    server.get("/t/query?count=1&count=2").await.fault("/count", "duplicate");
    server.get("/t/query?count=x").await.fault("/count", "invalid-value");
    server.get("/t/query?count=70000").await.fault("/count", "invalid-value");
    server.get("/t/query?id=x").await.fault("/id", "invalid-value");
    let many = vec!["x=1"; 101].join("&");
    server.get(&format!("/t/query?{many}")).await.problem(414, "http.query-too-long");
    let long = format!("/t/query?count={}", "1".repeat(8 << 10));
    server.get(&long).await.problem(414, "http.query-too-long");
    // An endpoint without parameters takes none.
    server.get("/t/mine?x=1").await.fault("/x", "unknown-field");
}

#[tokio::test]
async fn paths_that_cannot_be_read_lead_nowhere() {
    let server = start().await;
    assert_eq!(server.get("/t/words/a%20b%C3%A9/7").await.json()["name"], "a bé-7");
    for path in ["/t/words/a/x", "/t/words/a/300", "/t/words/%ff/7", "/t/words/%2/7", "/t/things/7"] {
        server.get(path).await.problem(404, "common.not-found");
    }
}

#[tokio::test]
async fn etags_and_preconditions() {
    let server = start().await;
    let got = server.get(THING).await;
    let etag = got.header("etag").to_owned();
    let conditional =
        async |value: &str| server.send(Method::GET, THING, &[("if-none-match", value)], "").await;
    for value in [&etag, &format!("W/{etag}"), &format!("\"x\", {etag}"), "*"] {
        let unchanged = conditional(value).await;
        assert_eq!(unchanged.status, StatusCode::NOT_MODIFIED, "{value}");
        assert_eq!(unchanged.header("etag"), etag);
        assert!(unchanged.body.is_empty());
    }
    assert_eq!(conditional("\"3-other\"").await.status, StatusCode::OK);

    let patch = async |headers: &[(&str, &str)]| {
        let merge = [("content-type", "application/merge-patch+json")];
        let headers: Vec<_> = merge.iter().chain(headers).copied().collect();
        server.send(Method::PATCH, THING, &headers, r#"{"name":"new"}"#).await
    };
    patch(&[]).await.problem(428, "http.if-match-required");
    assert_eq!(patch(&[("if-match", &etag)]).await.status, StatusCode::OK);
    assert_eq!(patch(&[("if-match", &format!("W/{etag}"))]).await.status, StatusCode::OK);
    assert_eq!(patch(&[("if-match", "\"3-ofanotherbody\"")]).await.status, StatusCode::OK);
    patch(&[("if-match", "\"2-abc\"")]).await.problem(412, "common.stale");
    patch(&[("if-match", "\"abc\"")]).await.problem(412, "common.stale");
    for bad in ["*", "3", "\"1\", \"2\"", "\"", ""] {
        patch(&[("if-match", bad)]).await.problem(422, "http.if-match-invalid");
    }
    patch(&[("if-match", &etag), ("if-match", &etag)]).await.problem(422, "http.if-match-invalid");
}

#[tokio::test]
async fn answers_without_content_and_of_jobs() {
    let server = start().await;
    let act = format!("{THING}/act");
    let done = server.send(Method::POST, &act, &[], "").await;
    assert_eq!((done.status, done.body.len()), (StatusCode::NO_CONTENT, 0));
    assert_eq!(server.post(&act, &[], " {} ").await.status, StatusCode::NO_CONTENT);
    server.post(&act, &[], r#"{"status":"approved"}"#).await.fault("", "unexpected-body");

    let job = server.post("/t/jobs", &[], "").await;
    assert_eq!(job.status, StatusCode::ACCEPTED);
    assert_eq!(job.header("location"), "/api/v1/jobs/00000000-0000-0000-0000-000000000099");

    let file = server.get("/t/files").await;
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"all__things_.csv\"");
    assert_eq!(&file.body[..], b"a,b\r\n");
}

#[tokio::test]
async fn failures_of_ours_show_nothing() {
    let server = start().await;
    for path in ["/t/fails", "/t/panics"] {
        let got = server.get(path).await;
        got.problem(500, "common.internal");
        assert!(!String::from_utf8_lossy(&got.body).contains("secret"), "{got:?}");
    }
    // The server is still there.
    assert_eq!(server.get("/t/open").await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_answer_has_a_request_id_of_its_own_and_safe_headers() {
    let server = start().await;
    let mut ids = std::collections::HashSet::new();
    for path in ["/t/open", "/nowhere", "/t/panics", "/api/openapi.json", "/health/live"] {
        let got = server.send(Method::GET, path, &[("x-request-id", "mine")], "").await;
        let id = uuid::Uuid::parse_str(got.header("x-request-id")).unwrap();
        assert_eq!(id.get_version_num(), 7);
        assert!(ids.insert(id));
        assert_eq!(got.header("x-content-type-options"), "nosniff");
        assert!(got.header("content-security-policy").contains("default-src 'none'"));
        assert!(!got.headers.contains_key("access-control-allow-origin"));
    }
}

#[tokio::test]
async fn documents_are_served_with_a_tag() {
    let server = start().await;
    let document = server.get("/api/openapi.json").await;
    assert_eq!(document.json()["openapi"], "3.1.0");
    let again = [("if-none-match", document.header("etag"))];
    let again = server.send(Method::GET, "/api/openapi.json", &again, "").await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    for page in ["/api/docs/", "/api/redoc/"] {
        let got = server.get(page).await;
        assert_eq!((got.status, got.header("content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
        let moved = server.get(page.trim_end_matches('/')).await;
        assert_eq!((moved.status.as_u16(), moved.header("location")), (308, page));
    }
    let code = server.get("/problems/cursor.invalid").await;
    assert_eq!(code.json()["code"], "cursor.invalid");
    assert!(server.get("/problems").await.json()["items"].as_array().unwrap().len() > 20);
}

#[test]
fn tables_that_contradict_themselves_make_no_api() {
    let build = |tables: Vec<&'static [crate::endpoint::Endpoint]>| Api::new(tables).map(|_| ()).unwrap_err();
    let clash = build(vec![things::clash::ENDPOINTS]);
    assert!(matches!(&clash, BuildError::AmbiguousSchema { name } if name == "Same"), "{clash}");
    let dangling = build(vec![things::dangling::ENDPOINTS]);
    assert!(matches!(dangling, BuildError::DanglingReference { .. }), "{dangling}");
    let unread = build(vec![things::unread::ENDPOINTS]);
    assert!(matches!(unread, BuildError::PathVariables { handler: "forgets", .. }), "{unread}");
    let twice = build(vec![things::ENDPOINTS, things::ENDPOINTS]);
    assert!(matches!(twice, BuildError::DuplicateRoute { .. }), "{twice}");
}

#[tokio::test]
async fn the_document_says_what_the_endpoints_do() {
    let server = start().await;
    let document = server.get("/api/openapi.json").await.json();
    let create = &document["paths"]["/api/v1/locations"]["post"];
    assert_eq!(create["operationId"], "locations_create");
    assert_eq!(create["summary"], "Add a location");
    assert_eq!(create["x-permission"], "location.manage");
    assert_eq!(create["security"][0], serde_json::json!({ "bearer": [] }));
    let body = &create["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(body["$ref"], "#/components/schemas/NewLocation");
    let created = &create["responses"]["201"];
    assert_eq!(created["content"]["application/json"]["schema"]["$ref"], "#/components/schemas/Location");
    assert!(created["headers"]["Location"].is_object() && created["headers"]["ETag"].is_object());
    let problem = &create["responses"]["default"]["content"]["application/problem+json"]["schema"];
    assert_eq!(problem["$ref"], "#/components/schemas/Problem");

    let names = |operation: &serde_json::Value| -> Vec<String> {
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        parameters
            .iter()
            .map(|one| format!("{}:{}", one["in"].as_str().unwrap(), one["name"].as_str().unwrap()))
            .collect()
    };
    assert_eq!(names(create), ["header:Idempotency-Key"]);
    assert_eq!(names(&document["paths"]["/api/v1/locations/{id}"]["patch"]), ["path:id", "header:If-Match"]);
    let list = &document["paths"]["/api/v1/locations"]["get"];
    assert_eq!(
        names(list),
        ["query:limit", "query:cursor", "query:sort", "query:code", "query:updated_after"]
    );
    assert_eq!(document["paths"]["/t/open"]["get"]["security"], serde_json::json!([{}]));
    assert_eq!(document["paths"]["/t/echo"]["get"]["x-websocket"], true);

    // Every schema is one that a client generator can name: no property without a type.
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for (property, of) in schema["properties"].as_object().into_iter().flatten() {
            let said = ["type", "$ref", "oneOf", "allOf", "anyOf"].iter().any(|key| !of[key].is_null());
            assert!(said || name == "NewThing" && property == "notes", "{name}.{property}: {of}");
        }
    }
}
