//! API keys over HTTP: from their making to their end, and what they never open or show.

use hrms_core::api_key::RotateApiKey;
use hrms_core::contract::id;
use hrms_core::jiff::SignedDuration;
use hrms_core::job::{JobRegistry, run_until_idle};
use hrms_core::{Actor, Cause, DomainError, Operator, RequestId, Role, Who};
use hrms_tests::{Client, Fresh};
use http::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::all::api::{Api, change, code, log_in, organization};

async fn account(by: &Client, permissions: &[&str]) -> String {
    let new = json!({ "name": "Payroll bridge", "permissions": permissions });
    by.post("/api/v1/service-accounts", &new).await.expect(201).header("location").unwrap().to_owned()
}

fn new_key(account: &str, permissions: &[&str]) -> Value {
    let account = account.rsplit('/').next().unwrap();
    json!({ "service_account_id": account, "name": "Nightly", "permissions": permissions })
}

/// The key's address and its text.
async fn key(by: &Client, account: &str, permissions: &[&str]) -> (String, String) {
    let made = by.post("/api/v1/api-keys", &new_key(account, permissions)).await.expect(201);
    assert_eq!((made.header("cache-control"), made.header("etag")), (Some("no-store"), None));
    let path = made.header("location").unwrap().to_owned();
    (path, made.json()["secret"].as_str().unwrap().to_owned())
}

async fn opens(client: &Client) -> bool {
    let reply = client.get("/api/v1/locations").await;
    if reply.status != 200 {
        assert_eq!(code(&reply.expect(401)), "auth.api-key-invalid");
        return false;
    }
    true
}

async fn a_key_lives_and_ends(store: &Fresh) {
    let mut api = Api::new(store).await;
    let bridge = account(&api.owner, &["location.read", "location.manage", "employee.read"]).await;
    let (path, text) = key(&api.owner, &bridge, &["location.read", "location.manage", "location.read"]).await;
    let program = api.nobody.with_token(&text);
    let new = json!({ "code": "p", "name": "Pune", "time_zone": "Asia/Kolkata" });
    program.post("/api/v1/locations", &new).await.expect(201);
    // What the key isn't for, what is for people, and what is about a person.
    for path in ["/api/v1/employees", "/api/v1/api-keys", "/api/v1/users", "/api/v1/auth/me"] {
        assert_eq!(code(&program.get(path).await.expect(403)), "common.forbidden", "{path}");
    }
    let shown = api.owner.get(&path).await.expect(200).json();
    assert_eq!(shown["permissions"], json!(["location.read", "location.manage"]));
    assert_eq!(shown["last_used_address"], "127.0.0.1");
    assert!(shown["last_used_at"].is_string() && text.starts_with(shown["prefix"].as_str().unwrap()));
    assert_eq!(shown["secret"], Value::Null);

    // Less for the account is less for its keys.
    change(&api.owner, &api.owner, &bridge, Some(&json!({ "permissions": ["employee.read"] })))
        .await
        .expect(200);
    api.wait();
    program.get("/api/v1/locations").await.expect(403);
    let all = json!({ "permissions": ["location.read"], "status": "disabled" });
    change(&api.owner, &api.owner, &bridge, Some(&all)).await.expect(200);
    api.wait();
    assert!(!opens(&program).await);
    let refused = api.owner.post("/api/v1/api-keys", &new_key(&bridge, &["location.read"])).await;
    assert_eq!(code(&refused.expect(409)), "api-key.account-disabled");
    change(&api.owner, &api.owner, &bridge, Some(&json!({ "status": "active" }))).await.expect(200);
    assert!(opens(&program).await);

    let operator = Operator::command(RequestId::from_uuid(id()));
    let tenant = api.organization.organization.id;
    api.hrms.organizations().suspend(&operator, tenant).await.unwrap();
    api.wait();
    assert!(!opens(&program).await);
    api.hrms.organizations().resume(&operator, tenant).await.unwrap();
    assert!(opens(&program).await);

    // Both are good for an hour, then the new one only.
    let rotate = format!("{path}/rotate");
    let made = api.owner.post(&rotate, &json!({ "overlap_hours": 1 })).await.expect(201);
    let renewed_path = made.header("location").unwrap().to_owned();
    let renewed = api.nobody.with_token(made.json()["secret"].as_str().unwrap());
    assert!(opens(&program).await && opens(&renewed).await);
    api.clock.advance(SignedDuration::from_hours(1));
    assert!(!opens(&program).await && opens(&renewed).await);
    api.owner = log_in(&api.nobody, "acme", "admin@acme.example").await;
    assert_eq!(code(&api.owner.post(&rotate, &json!({})).await.expect(409)), "api-key.ended");

    for _ in 0..2 {
        api.owner.call(Method::DELETE, &renewed_path, &[], None).await.expect(204);
    }
    api.wait();
    assert!(!opens(&renewed).await);
    let usable = api.owner.get("/api/v1/api-keys?usable=true").await.expect(200).json();
    assert_eq!(usable["items"], json!([]));
    // A year later it ends by itself.
    let (_, text) = key(&api.owner, &bridge, &["location.read"]).await;
    let program = api.nobody.with_token(&text);
    api.clock.advance(SignedDuration::from_hours(365 * 24 - 1));
    assert!(opens(&program).await);
    api.clock.advance(SignedDuration::from_hours(1));
    assert!(!opens(&program).await);
}

/// A text with the right checksum behind it.
fn summed(text: &str) -> String {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let digest = Sha256::digest(text);
    let mut sum = u32::from_be_bytes(digest[..4].try_into().unwrap()) as usize;
    let mut digits = Vec::new();
    for _ in 0..6 {
        digits.push(char::from(DIGITS[sum % 62]));
        sum /= 62;
    }
    text.chars().chain(digits.into_iter().rev()).collect()
}

async fn what_is_no_key_opens_nothing(store: &Fresh) {
    let api = Api::new(store).await;
    organization(&api.hrms, "other").await;
    let other = log_in(&api.nobody, "other", "admin@other.example").await;
    let mine = account(&api.owner, &["location.read"]).await;
    let (path, text) = key(&api.owner, &mine, &["location.read"]).await;
    let (_, theirs) = key(&other, &account(&other, &["location.read"]).await, &["location.read"]).await;
    assert!(opens(&api.nobody.with_token(&text)).await);
    let mut wrong = vec!["hrms_".to_owned(), text[..text.len() - 1].to_owned(), format!("{text}0")];
    // My key's place with their secret, and the other way round: the checksums are theirs, or made anew.
    wrong.push(format!("{}{}", &text[..50], &theirs[50..]));
    wrong.push(format!("{}{}", &theirs[..50], &text[50..]));
    wrong.push(summed(&format!("{}{}", &text[..50], &theirs[50..94])));
    wrong.push(summed(&format!("{}{}", &theirs[..50], &text[50..94])));
    assert_eq!(summed(&text[..94]), text, "the sums are made as they should be");
    let mut told = Vec::new();
    for text in &wrong {
        let reply = api.nobody.with_token(text).get("/api/v1/locations").await.expect(401);
        assert!(reply.header("www-authenticate").is_some());
        let mut problem = reply.json();
        problem["request_id"] = Value::Null;
        told.push(problem);
    }
    // Nobody learns why: a revoked key answers like one that never was.
    api.owner.call(Method::DELETE, &path, &[], None).await.expect(204);
    api.wait();
    let mut revoked = api.nobody.with_token(&text).get("/api/v1/locations").await.expect(401).json();
    revoked["request_id"] = Value::Null;
    told.push(revoked);
    assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{told:?}");
    // Their account is nowhere to me.
    let refused = api.owner.post("/api/v1/api-keys", &new_key(&id().to_string(), &[])).await.expect(422);
    assert_eq!(refused.json()["errors"][0]["code"], "unknown-reference");
}

async fn nobody_gives_programs_what_they_lack(store: &Fresh) {
    let api = Api::new(store).await;
    let grants = [
        ("api-key.read", "organization"),
        ("api-key.manage", "organization"),
        ("leave.read", "reports"),
        ("location.manage", "organization"),
    ];
    let grants = grants.map(|(what, scope)| json!({ "permission": what, "scope": scope }));
    let role = json!({ "code": "keeper", "name": "Keeper", "grants": grants });
    api.owner.post("/api/v1/roles", &role).await.expect(201);
    let (_, keeper) = api.person("keeper", &["keeper"]).await;
    let strong = account(&api.owner, &["location.manage", "employee.read"]).await;
    let (path, _) = key(&api.owner, &strong, &["employee.read"]).await;
    for (permissions, status, refusal) in [
        (json!(["location.manage"]), 201, ""),
        (json!(["employee.read"]), 403, "service-account.not-yours"),
        (json!(["leave.read"]), 403, "service-account.not-yours"),
        (json!(["api-key.manage"]), 422, "common.invalid"),
        (json!(["fly"]), 422, "common.invalid"),
        (json!([{ "permission": "leave.read", "scope": "own" }]), 422, "common.invalid"),
    ] {
        let new = json!({ "name": "x", "permissions": permissions });
        let reply = keeper.post("/api/v1/service-accounts", &new).await.expect(status);
        assert!(refusal.is_empty() || code(&reply) == refusal, "{permissions}: {}", reply.text());
    }
    let made = keeper.post("/api/v1/api-keys", &new_key(&strong, &["employee.read"])).await;
    assert_eq!(code(&made.expect(403)), "api-key.not-yours");
    // By replacing it they would hold its text.
    let made = keeper.post(&format!("{path}/rotate"), &json!({})).await;
    assert_eq!(code(&made.expect(403)), "api-key.not-yours");
    keeper.post("/api/v1/api-keys", &new_key(&strong, &["location.manage"])).await.expect(201);
    let beyond = api.owner.post("/api/v1/api-keys", &new_key(&strong, &["leave.read"])).await.expect(422);
    assert_eq!(beyond.json()["errors"][0]["pointer"], "/permissions/0");
    // Taking away and stopping is open to them, giving back isn't.
    change(&keeper, &keeper, &strong, Some(&json!({ "status": "disabled" }))).await.expect(200);
    let back = change(&keeper, &keeper, &strong, Some(&json!({ "status": "active" }))).await;
    assert_eq!(code(&back.expect(403)), "service-account.not-yours");
    keeper.call(Method::DELETE, &path, &[], None).await.expect(204);
    for (field, value) in [
        ("expires_at", json!("2020-01-01T00:00:00Z")),
        ("expires_at", json!("9999-01-01T00:00:00Z")),
        ("name", json!("")),
        ("name", json!("x".repeat(201))),
    ] {
        let mut new = new_key(&strong, &[]);
        new[field] = value;
        let refused = api.owner.post("/api/v1/api-keys", &new).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], format!("/{field}"));
    }
    let long = api.owner.post(&format!("{path}/rotate"), &json!({ "overlap_hours": 169 })).await.expect(422);
    assert_eq!(long.json()["errors"][0]["pointer"], "/overlap_hours");
    // A program's own right to manage keys wouldn't count, even if it had it.
    let actor = Actor::with_grants(
        api.organization.organization.id,
        Who::Service {
            account: hrms_core::ServiceAccountId::from_uuid(id()),
            key: hrms_core::ApiKeyId::from_uuid(id()),
        },
        Vec::new(),
        Role::Owner.grants(),
        Cause::Request,
        RequestId::from_uuid(id()),
    );
    let key = hrms_core::ApiKeyId::from_uuid(id());
    let refused = api.hrms.api_keys().rotate(&actor, key, RotateApiKey::default()).await.unwrap_err();
    assert_eq!(refused.code(), "common.forbidden");
}

/// The text of a key is in one answer, and in no table, no later answer, no event.
async fn the_secret_is_shown_once(store: &Fresh) {
    let api = Api::new(store).await;
    let bridge = account(&api.owner, &["location.read"]).await;
    let headers = [("idempotency-key", "k-1")];
    let body = new_key(&bridge, &["location.read"]);
    let first = api.owner.call(Method::POST, "/api/v1/api-keys", &headers, Some(&body)).await.expect(201);
    let secret = first.json()["secret"].as_str().unwrap().to_owned();
    let again = api.owner.call(Method::POST, "/api/v1/api-keys", &headers, Some(&body)).await.expect(201);
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_eq!((&again.json()["id"], &again.json()["secret"]), (&first.json()["id"], &Value::Null));
    assert_eq!(again.header("location"), first.header("location"));
    let program = api.nobody.with_token(&secret);
    assert!(opens(&program).await);
    // The part behind the place, as text and as what it spells.
    let hidden = &secret[50..];
    for path in ["/api/v1/api-keys", first.header("location").unwrap()] {
        assert!(!api.owner.get(path).await.expect(200).text().contains(hidden));
    }
    let Some((admin, _)) = &store.urls else { return };
    let mut conn = PgConnection::connect(admin).await.unwrap();
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'")
            .fetch_all(&mut conn)
            .await
            .unwrap();
    let mut rows = 0;
    for table in tables {
        let dump = format!("SELECT t::text FROM {table} AS t");
        let dump: Vec<String> = sqlx::query_scalar(AssertSqlSafe(dump)).fetch_all(&mut conn).await.unwrap();
        rows += dump.len();
        assert!(dump.iter().all(|row| !row.contains(hidden)), "{table} holds the secret");
    }
    assert!(rows > 10);
}

/// A job that a program asked for runs with what its key is worth then.
async fn a_job_of_a_revoked_key_gives_up(store: &Fresh) {
    let api = Api::new(store).await;
    let bridge =
        account(&api.owner, &["import.run", "job.read", "designation.manage", "designation.read"]).await;
    let (path, text) =
        key(&api.owner, &bridge, &["import.run", "job.read", "designation.manage", "designation.read"]).await;
    let request = http::Request::builder()
        .method(Method::POST)
        .uri(api.nobody.url("/api/v1/imports?kind=designations"))
        .header("content-type", "text/csv");
    let program = api.nobody.with_token(&text);
    let file = bytes::Bytes::from_static(b"code,name\nX,X\n");
    let made = program.send(request.body(file).unwrap()).await.expect(202);
    let job = made.header("location").unwrap().to_owned();
    api.owner.call(Method::DELETE, &path, &[], None).await.expect(204);
    run_until_idle(&api.hrms, &JobRegistry::standard()).await.unwrap();
    let job = api.owner.get(&job).await.expect(200).json();
    assert_eq!(
        (&job["state"], &job["error"]["code"]),
        (&json!("failed"), &json!("job.requester-disabled")),
        "{job}"
    );
}

hrms_tests::on_every_engine!(
    a_key_lives_and_ends,
    what_is_no_key_opens_nothing,
    nobody_gives_programs_what_they_lack,
    the_secret_is_shown_once,
    a_job_of_a_revoked_key_gives_up,
);
