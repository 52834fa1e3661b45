//! Webhooks over the API: who may have what sent where.

use std::collections::BTreeSet;

use hrms_core::contract::tenant;
use hrms_core::sealed::KeyBox;
use hrms_core::webhook::MOST_WEBHOOKS;
use hrms_core::{Hrms, Role};
use hrms_http::{HttpWebhookSender, WebhookPolicy};
use hrms_store::SqlStore;
use hrms_tests::{Client, Fresh, Reply};
use http::Method;
use serde_json::{Value, json};

use crate::all::leave::actor;
use crate::all::live::Api;

const PATH: &str = "/api/v1/webhooks";

struct World {
    api: Api,
    owner: Client,
    admin: Client,
    hr: Client,
}

async fn world(store: &Fresh, configured: bool) -> World {
    let mut hrms = Hrms::builder(SqlStore::clone(store));
    if configured {
        let sender = HttpWebhookSender::new(WebhookPolicy::default()).unwrap();
        hrms = hrms.webhook_sender(sender).secret_box(KeyBox::new([5; 32]));
    }
    let api = Api::start(&hrms.build()).await;
    let tenant = tenant(&**store).await;
    let client = |role| api.acting(actor(tenant, None, &[role])).0;
    World { owner: client(Role::Owner), admin: client(Role::Admin), hr: client(Role::Hr), api }
}

/// A POST without a body.
async fn press(by: &Client, path: &str) -> Reply {
    by.call(Method::POST, path, &[], None).await
}

fn new(types: &[&str]) -> Value {
    json!({ "url": "https://hooks.example.com/hrms", "types": types })
}

async fn secrets_are_shown_once(store: &Fresh) {
    let w = world(store, true).await;
    let made = w.admin.post(PATH, &new(&["location.created"])).await.expect(201);
    assert_eq!(made.header("cache-control"), Some("no-store"));
    let (id, secret) = (made.json()["id"].clone(), made.json()["secret"].clone());
    let path = format!("{PATH}/{}", id.as_str().unwrap());
    assert_eq!(made.header("location"), Some(path.as_str()));
    let secret = secret.as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_") && secret.len() > 40);
    let rotated = press(&w.admin, &format!("{path}/rotate-secret")).await.expect(201);
    assert_eq!(rotated.header("location"), Some(path.as_str()));
    let newer = rotated.json()["secret"].as_str().unwrap().to_owned();
    let repeated = [("idempotency-key", "one")];
    let again = format!("{path}/rotate-secret");
    let first = w.admin.call(Method::POST, &again, &repeated, Some(&json!({}))).await.expect(201).json();
    let second = w.admin.call(Method::POST, &again, &repeated, Some(&json!({}))).await.expect(201).json();
    assert!(first["secret"].is_string() && second["secret"].is_null());
    for shown in [
        w.admin.get(&path).await.expect(200),
        w.admin.get(PATH).await.expect(200),
        w.owner.get("/api/v1/audit-log?limit=200").await.expect(200),
        w.owner.get("/api/v1/events/log").await.expect(200),
    ] {
        for secret in [&secret, &newer, &first["secret"].as_str().unwrap().to_owned()] {
            assert!(!shown.text().contains(secret.as_str()) && !shown.text().contains(&secret[6..]));
        }
    }
    let actions = w.owner.get("/api/v1/audit-log?action=webhook").await.expect(200).json();
    let actions: BTreeSet<&str> =
        actions["items"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, BTreeSet::from(["webhook.created", "webhook.secret-rotated"]));
}

async fn nobody_sends_what_they_may_not_read(store: &Fresh) {
    let w = world(store, true).await;
    let all = ["employee.hired", "employee_detail.changed"];
    let refused = w.admin.post(PATH, &new(&all)).await.expect(422).json();
    assert_eq!(
        (&refused["errors"][0]["pointer"], &refused["errors"][0]["code"]),
        (&json!("/types/1"), &json!("not-yours"))
    );
    let made = w.owner.post(PATH, &new(&all)).await.expect(201).json();
    let path = format!("{PATH}/{}", made["id"].as_str().unwrap());
    // Nor do they move it elsewhere, or switch it on.
    let tag = w.admin.get(&path).await.expect(200).header("etag").unwrap().to_owned();
    let headers = [("if-match", tag.as_str())];
    let patch = json!({ "url": "https://elsewhere.example.com/" });
    w.admin.call(Method::PATCH, &path, &headers, Some(&patch)).await.expect(422);
    press(&w.admin, &format!("{path}/disable")).await.expect(200);
    press(&w.admin, &format!("{path}/disable")).await.expect(200);
    press(&w.admin, &format!("{path}/enable")).await.expect(422);
    let enabled = press(&w.owner, &format!("{path}/enable")).await.expect(200).json();
    assert_eq!((&enabled["status"], &enabled["disabled_reason"]), (&json!("enabled"), &Value::Null));

    w.hr.get(PATH).await.expect(403);
    w.hr.post(PATH, &new(&["location.created"])).await.expect(403);
    press(&w.hr, &format!("{path}/test")).await.expect(403);
    w.hr.get(&format!("{path}/deliveries")).await.expect(403);
}

async fn bad_input_is_named(store: &Fresh) {
    let w = world(store, true).await;
    let long = format!("https://hooks.example.com/{}", "x".repeat(2000));
    for (url, code) in [
        ("http://hooks.example.com/", "https-required"),
        ("https://10.0.0.1/", "forbidden-network"),
        ("https://user:pw@hooks.example.com/", "credentials"),
        ("nonsense", "not-a-url"),
        ("\u{1F600}", "not-a-url"),
        (long.as_str(), "too-long"),
    ] {
        let body = json!({ "url": url, "types": ["location.created"] });
        let refused = w.owner.post(PATH, &body).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], "/url");
        assert_eq!(refused["errors"][0]["code"], code, "{url:.40}");
    }
    for (types, pointer, code) in [
        (json!([]), "/types", "out-of-range"),
        (json!(["location.painted"]), "/types/0", "unknown-type"),
        (json!(["*"]), "/types/0", "unknown-type"),
        (json!([""]), "/types/0", "unknown-type"),
    ] {
        let body = json!({ "url": "https://hooks.example.com/", "types": types });
        let refused = w.owner.post(PATH, &body).await.expect(422).json();
        assert_eq!(
            (&refused["errors"][0]["pointer"], &refused["errors"][0]["code"]),
            (&json!(pointer), &json!(code))
        );
    }
    let twice = new(&["location.created", "employee.hired", "location.created"]);
    let made = w.owner.post(PATH, &twice).await.expect(201).json();
    assert_eq!(made["types"], json!(["employee.hired", "location.created"]), "in order, each once");
    for _ in 1..MOST_WEBHOOKS {
        w.owner.post(PATH, &new(&["location.created"])).await.expect(201);
    }
    let refused = w.owner.post(PATH, &new(&["location.created"])).await.expect(409).json();
    assert_eq!(refused["code"], "webhook.too-many");

    let unable = world(store, false).await;
    let refused = unable.owner.post(PATH, &new(&["location.created"])).await.expect(409).json();
    assert_eq!(refused["code"], "webhook.not-configured");
    drop(w.api);
}

hrms_tests::on_every_engine!(secrets_are_shown_once, nobody_sends_what_they_may_not_read, bad_input_is_named);
