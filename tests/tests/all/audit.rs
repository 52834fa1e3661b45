//! The audit log through the services and over HTTP, and against somebody with rights on the database.

use hrms_core::audit::{Anchor, AnchorSigner, Entry, verify_export};
use hrms_core::contract::{draft, id, tenant};
use hrms_core::{Hrms, Store, TenantId};
use hrms_store::SqlStore;
use hrms_tests::on_every_engine;
use http::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::all::support;
use crate::all::sweep::world::World;

#[tokio::test]
async fn on_postgres_the_application_may_only_append() {
    let fresh = support::postgres().await;
    let (_, app) = fresh.urls.clone().unwrap();
    let tenant = written(&fresh).await;
    for table in ["audit_entry", "audit_anchor", "platform_audit_entry", "platform_audit_anchor"] {
        let role = if table.starts_with("platform") { "hrms_directory" } else { "hrms_app" };
        for change in ["UPDATE {} SET sequence = 9", "DELETE FROM {}", "TRUNCATE {}"] {
            let mut conn = PgConnection::connect(&app).await.unwrap();
            let mut tx = conn.begin().await.unwrap();
            let set = format!("SET LOCAL ROLE {role}; SET LOCAL hrms.tenant_id = '{}'", tenant.as_uuid());
            sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut *tx).await.unwrap();
            let change = change.replace("{}", table);
            let refused = sqlx::raw_sql(AssertSqlSafe(change.clone())).execute(&mut *tx).await.unwrap_err();
            assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some("42501"), "{change}");
        }
    }
}

#[tokio::test]
async fn on_sqlite_triggers_refuse_all_but_appending() {
    let (_dir, path, store) = sqlite().await;
    let tenant = written(&store).await;
    let mut conn = SqliteConnection::connect(&path).await.unwrap();
    for change in [
        "UPDATE audit_entry SET why = 'x'",
        "DELETE FROM audit_entry",
        "INSERT OR REPLACE INTO audit_entry SELECT * FROM audit_entry",
    ] {
        let refused = sqlx::raw_sql(change).execute(&mut conn).await.unwrap_err();
        assert!(refused.to_string().contains("audit_entry_"), "{change}: {refused}");
    }
    assert_eq!(entries(&store, tenant).await.len(), 3);
    // The one way out: the log of an organisation that is marked for it.
    let mark =
        "INSERT INTO audit_purge SELECT tenant_id, '2026-01-01T00:00:00.000000Z' FROM audit_entry LIMIT 1";
    sqlx::raw_sql(mark).execute(&mut conn).await.unwrap();
    sqlx::raw_sql("DELETE FROM audit_entry").execute(&mut conn).await.unwrap();
}

/// The columns of an entry, and what somebody with all rights may put there.
const EDITS: [&str; 8] = [
    "action = 'other'",
    "why = NULL",
    "after = '{ }'",
    "occurred_at = '2020-01-01T00:00:00.000000Z'",
    "author_id = NULL",
    "hash = prev_hash",
    "prev_hash = hash",
    "format = 2",
];

#[tokio::test]
async fn on_postgres_tampering_is_found() {
    let fresh = support::postgres().await;
    let (admin, _) = fresh.urls.clone().unwrap();
    let mut owner = PgConnection::connect(&admin).await.unwrap();
    for edit in EDITS {
        let tenant = written(&fresh).await;
        let edit = format!(
            "UPDATE audit_entry SET {edit} WHERE tenant_id = '{}' AND sequence = 2",
            tenant.as_uuid()
        );
        sqlx::raw_sql(AssertSqlSafe(edit.clone())).execute(&mut owner).await.unwrap();
        assert_eq!(first_fault(&fresh, tenant).await, Some(2), "{edit}");
    }
    for (sequence, cut) in [(2, "sequence = 2"), (1, "true"), (3, "sequence = 3")] {
        let tenant = written(&fresh).await;
        let delete = format!("DELETE FROM audit_entry WHERE tenant_id = '{}' AND {cut}", tenant.as_uuid());
        sqlx::raw_sql(AssertSqlSafe(delete)).execute(&mut owner).await.unwrap();
        assert_eq!(first_fault(&fresh, tenant).await, Some(sequence), "{cut}");
    }
}

#[tokio::test]
async fn on_sqlite_tampering_is_found() {
    let (_dir, path, store) = sqlite().await;
    let mut conn = SqliteConnection::connect(&path).await.unwrap();
    for trigger in ["audit_entry_append_only_update", "audit_entry_append_only_delete"] {
        sqlx::raw_sql(AssertSqlSafe(format!("DROP TRIGGER {trigger}"))).execute(&mut conn).await.unwrap();
    }
    // What PostgreSQL's types don't allow: columns that can't be read any more.
    for edit in EDITS.iter().chain(&["occurred_at = 'never'", "id = x'00'", "request_id = x''"]) {
        let tenant = written(&store).await;
        let hex = tenant.as_uuid().simple().to_string();
        let edit = format!("UPDATE audit_entry SET {edit} WHERE tenant_id = x'{hex}' AND sequence = 2");
        sqlx::raw_sql(AssertSqlSafe(edit.clone())).execute(&mut conn).await.unwrap();
        assert_eq!(first_fault(&store, tenant).await, Some(2), "{edit}");
    }
}

/// A signer for tests: not a signature at all, but nobody else knows the rule.
#[derive(Debug)]
struct Signer;

impl AnchorSigner for Signer {
    fn key(&self) -> Vec<u8> {
        vec![1; 32]
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        message.iter().rev().copied().collect()
    }

    fn verify(&self, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        key == self.key() && signature == self.sign(message)
    }
}

#[tokio::test]
async fn a_log_written_anew_is_found_by_anchors_that_were_kept() {
    let fresh = support::postgres().await;
    let (admin, _) = fresh.urls.clone().unwrap();
    let mut owner = PgConnection::connect(&admin).await.unwrap();
    let hrms = Hrms::builder(SqlStore::clone(&fresh)).anchor_signer(Signer).build();
    let tenant = written(&fresh).await;
    assert_eq!(hrms.audit().anchor_everything().await.unwrap(), 1);
    assert_eq!(hrms.audit().anchor_everything().await.unwrap(), 0, "nothing is new");
    let kept = hrms.audit().verify(Some(tenant), &[]).await.unwrap().last_anchor.unwrap();
    assert_eq!(kept.sequence, 3);
    // Everything of the log is gone, anchors and counter too, and another one stands there.
    for table in ["audit_entry", "audit_anchor", "tenant_counter"] {
        let delete = format!("DELETE FROM {table} WHERE tenant_id = '{}'", tenant.as_uuid());
        sqlx::raw_sql(AssertSqlSafe(delete)).execute(&mut owner).await.unwrap();
    }
    append(&fresh, tenant).await;
    let without = hrms.audit().verify(Some(tenant), &[]).await.unwrap();
    assert!(without.intact, "a perfect chain: {without:?}");
    let with = hrms.audit().verify(Some(tenant), std::slice::from_ref(&kept)).await.unwrap();
    assert_eq!((with.intact, with.faulty_sequence), (false, Some(3)), "{with:?}");
    // Nor can an anchor be made up.
    let forged = Anchor { sequence: 2, ..kept };
    let forged = hrms.audit().verify(Some(tenant), &[forged]).await.unwrap();
    assert!(!forged.intact);
}

/// An organisation whose log has three entries.
async fn written(store: &SqlStore) -> TenantId {
    let tenant = tenant(store).await;
    append(store, tenant).await;
    tenant
}

async fn append(store: &SqlStore, tenant: TenantId) {
    let mut tx = store.begin(tenant).await.unwrap();
    tx.audit().append(["a", "b", "c"].map(|action| draft(action, id())).into(), Vec::new()).await.unwrap();
    tx.commit().await.unwrap();
}

async fn sqlite() -> (tempfile::TempDir, String, SqlStore) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hrms.db");
    let store = SqlStore::sqlite(&path).await.unwrap();
    (dir, path.to_str().unwrap().to_owned(), store)
}

async fn entries(store: &SqlStore, tenant: TenantId) -> Vec<Entry> {
    store.read(tenant).await.unwrap().audit().after(0, 10_000).await.unwrap()
}

async fn first_fault(store: &SqlStore, tenant: TenantId) -> Option<i64> {
    Hrms::new(store.clone()).audit().verify(Some(tenant), &[]).await.unwrap().faulty_sequence
}

async fn changes_refusals_and_log_ins_are_on_record(store: &support::Fresh) {
    let world = World::new(store).await;
    let client = &world.acme.client;
    let me = client.get("/api/v1/auth/me").await.expect(200).json()["user"]["id"].clone();
    let new = json!({ "code": "Q", "name": "Quay", "time_zone": "Asia/Kolkata" });
    let made = client.post("/api/v1/locations", &new).await.expect(201);
    let request = made.header("x-request-id").unwrap().to_owned();
    let page = client.get(&format!("/api/v1/audit-log?request_id={request}")).await.expect(200).json();
    let entry = &page["items"][0];
    assert_eq!(page["items"].as_array().unwrap().len(), 1, "{page}");
    assert_eq!(entry["action"], "location.created");
    assert_eq!(entry["author"]["id"], me);
    assert_eq!(entry["after"], json!({ "code": "Q", "name": "Quay", "time_zone": "Asia/Kolkata" }));
    let alone = client.get(&format!("/api/v1/audit-log/{}", entry["id"].as_str().unwrap())).await;
    assert_eq!(alone.expect(200).json(), *entry);
    let theirs =
        world.other.client.get(&format!("/api/v1/audit-log/{}", entry["id"].as_str().unwrap())).await;
    assert_eq!(theirs.status, 404);

    // A change names the fields that it changed; personal data is masked.
    let employee = world.acme.referenced("employee_id");
    let path = format!("/api/v1/employees/{employee}");
    let tag = client.get(&path).await.expect(200).header("etag").unwrap().to_owned();
    let patch = json!({ "given_name": "Canary-name", "birth_date": "1981-02-03" });
    client.call(Method::PATCH, &path, &[("if-match", &tag)], Some(&patch)).await.expect(200);
    let page = client.get(&format!("/api/v1/audit-log?subject=employees/{employee}&limit=1")).await;
    let entry = page.expect(200).json()["items"][0].clone();
    assert_eq!(entry["after"], json!({ "given_name": "Canary-name", "birth_date": { "masked": true } }));
    let tenant: TenantId =
        client.get("/api/v1/organization").await.expect(200).json()["id"].as_str().unwrap().parse().unwrap();
    let raw = format!("{:?}", entries(store, tenant).await);
    assert!(raw.contains("Canary-name") && !raw.contains("1981-02-03"));

    // Refusals are written a moment later: the log is asked until they are there.
    let wrong =
        json!({ "organization": "acme", "email": "all@acme.example", "password": "wrong wrong wrong" });
    let refused = world.nobody.post("/api/v1/auth/login", &wrong).await.expect(401);
    on_record(client, refused.header("x-request-id").unwrap(), "auth.log-in-failed", "failed").await;
    let nobody =
        json!({ "organization": "acme", "email": "ghost@acme.example", "password": "wrong wrong wrong" });
    let refused = world.nobody.post("/api/v1/auth/login", &nobody).await.expect(401);
    let entry =
        on_record(client, refused.header("x-request-id").unwrap(), "auth.log-in-failed", "failed").await;
    assert!(!entry.to_string().contains("ghost"), "{entry}");
    let denied = client.get("/api/v1/platform/organizations").await.expect(403);
    let entry = on_record(client, denied.header("x-request-id").unwrap(), "access.denied", "denied").await;
    assert_eq!(entry["subject"], "GET /api/v1/platform/organizations");

    let verified = client.get("/api/v1/audit-log/verification").await.expect(200).json();
    assert_eq!(verified["intact"], true, "{verified}");
    let actions = client.get("/api/v1/audit-log?action=auth.logged-in").await.expect(200).json();
    assert!(!actions["items"].as_array().unwrap().is_empty());
    let platform =
        world.operator.get("/api/v1/platform/audit-log?action=organization.").await.expect(200).json();
    assert_eq!(platform["items"][0]["action"], "organization.created", "{platform}");
    assert!(Hrms::new(SqlStore::clone(store)).audit().verify(None, &[]).await.unwrap().intact);
}

async fn what_ends_a_session_is_on_record_with_its_request(store: &support::Fresh) {
    let world = World::new(store).await;
    let body =
        json!({ "organization": "acme", "email": "all@acme.example", "password": "seven anvils on a roof" });
    let log_in = async || world.nobody.post("/api/v1/auth/login", &body).await.expect(200).json();
    let client = &world.acme.client;
    let me = client.get("/api/v1/auth/me").await.expect(200).json()["user"]["id"].clone();

    let tokens = log_in().await;
    let leaving = world.nobody.with_token(tokens["access_token"].as_str().unwrap());
    let gone = leaving.call(Method::POST, "/api/v1/auth/logout", &[], None).await.expect(204);
    let request = gone.header("x-request-id").unwrap();
    let entry = on_record(client, request, "auth.logged-out", "succeeded").await;
    assert_eq!((&entry["author"]["id"], &entry["address"]), (&me, &json!("127.0.0.1")), "{entry}");

    let old = json!({ "refresh_token": log_in().await["refresh_token"] });
    let new = world.nobody.post("/api/v1/auth/refresh", &old).await.expect(200).json();
    let refused = world.nobody.post("/api/v1/auth/refresh", &old).await.expect(401);
    let request = refused.header("x-request-id").unwrap();
    let entry = on_record(client, request, "auth.refresh-reused", "denied").await;
    assert_eq!((&entry["author"]["kind"], &entry["address"]), (&json!("anonymous"), &json!("127.0.0.1")));
    let new = json!({ "refresh_token": new["refresh_token"] });
    world.nobody.post("/api/v1/auth/refresh", &new).await.expect(401);
}

/// The first fault of an exported log.
fn exported_fault(file: &str, anchors: &[Anchor]) -> Option<i64> {
    verify_export(file.as_bytes(), anchors).unwrap().faulty_sequence
}

async fn an_export_is_exact_and_shows_what_was_done_to_it(store: &support::Fresh) {
    let world = World::new(store).await;
    let client = &world.acme.client;
    let tenant: TenantId =
        client.get("/api/v1/organization").await.expect(200).json()["id"].as_str().unwrap().parse().unwrap();
    // More than a batch, and values that JSON and databases could write in other ways.
    let mut odd = draft("a", id());
    odd.before = Some("{\"b\": 1.0,  \"a\":\"\\u00e9é😀\"}".into());
    let mut tx = store.begin(tenant).await.unwrap();
    let many = (0..1100).map(|_| draft("b", id()));
    tx.audit().append(std::iter::once(odd).chain(many).collect(), Vec::new()).await.unwrap();
    tx.commit().await.unwrap();

    let reply = client.get("/api/v1/exports/audit-log").await.expect(200);
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    let file = reply.text();
    let all = entries(store, tenant).await;
    assert!(all.len() > 1100);
    let read: Vec<Entry> = file.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(read, all);
    let found = verify_export(file.as_bytes(), &[]).unwrap();
    assert!(found.intact, "{found:?}");
    assert_eq!(usize::try_from(found.sequence).unwrap(), all.len());

    let lines: Vec<&str> = file.lines().collect();
    let with = |lines: &[&str]| lines.join("\n");
    let edited = lines[2].replace("\"outcome\":\"succeeded\"", "\"outcome\":\"denied\"");
    let more = lines[2].replacen('{', "{\"note\":1,", 1);
    for line in [&edited, &more] {
        assert_ne!(line, lines[2]);
        assert_eq!(exported_fault(&with(&[&lines[..2], &[line], &lines[3..]].concat()), &[]), Some(3));
    }
    assert_eq!(exported_fault(&with(&[&lines[..2], &lines[3..]].concat()), &[]), Some(3), "deleted");
    let end = i64::try_from(lines.len()).unwrap();
    assert_eq!(exported_fault(&with(&lines[..lines.len() - 1]), &[]), Some(end), "no last line");
    let cut = [&lines[..lines.len() - 2], &lines[lines.len() - 1..]].concat();
    assert_eq!(exported_fault(&with(&cut), &[]), Some(end - 1), "cut");
    // The end written anew, too: an anchor shows it.
    let last = &all[all.len() - 2];
    let end_line = json!({
        "tenant_id": tenant, "last_sequence": last.sequence, "last_hash": hrms_core::audit::hex(&last.hash),
    });
    let text = format!(
        "{{\"tenant_id\":{},\"last_sequence\":{},\"last_hash\":{}}}",
        end_line["tenant_id"], end_line["last_sequence"], end_line["last_hash"]
    );
    let forged = with(&[&lines[..lines.len() - 2], &[&text]].concat());
    assert_eq!(exported_fault(&forged, &[]), None);
    let last = all.last().unwrap();
    let (sequence, hash, time) = (last.sequence, last.hash.clone(), last.draft.time);
    let anchor = Anchor { tenant: Some(tenant), sequence, hash, time, key: vec![], signature: vec![] };
    assert_eq!(exported_fault(&forged, &[anchor]), Some(sequence));

    // Both permissions are needed: payroll may export, but not read the log; roles of one's own have the other alone.
    for (code, permissions) in [("reads", ["audit.read"]), ("exports", ["export.run"])] {
        let grants = json!([{ "permission": permissions[0], "scope": "organization" }]);
        client
            .post("/api/v1/roles", &json!({ "code": code, "name": code, "grants": grants }))
            .await
            .expect(201);
        let password = "seven anvils on a roof";
        let email = format!("{code}@acme.example");
        let new = json!({ "email": email, "name": code, "roles": [code], "password": password });
        client.post("/api/v1/users", &new).await.expect(201);
        let body = json!({ "organization": "acme", "email": email, "password": password });
        let tokens = world.nobody.post("/api/v1/auth/login", &body).await.expect(200).json();
        let one = world.nobody.with_token(tokens["access_token"].as_str().unwrap());
        one.get("/api/v1/exports/audit-log").await.expect(403);
    }
}

async fn on_record(client: &hrms_tests::Client, request: &str, action: &str, outcome: &str) -> Value {
    let path = format!("/api/v1/audit-log?request_id={request}");
    for _ in 0..1000 {
        let page = client.get(&path).await.expect(200).json();
        if let Some(entry) = page["items"].get(0) {
            assert_eq!((&entry["action"], &entry["outcome"]), (&json!(action), &json!(outcome)));
            return entry.clone();
        }
        tokio::task::yield_now().await;
    }
    panic!("{action} of request {request} isn't on record");
}

on_every_engine!(
    changes_refusals_and_log_ins_are_on_record,
    what_ends_a_session_is_on_record_with_its_request,
    an_export_is_exact_and_shows_what_was_done_to_it,
);
