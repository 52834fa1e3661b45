//! Secrets stay where they belong: not in logs, errors, the database, or anything else that is kept.
//!
//! The real server, as talkative as it can be, gets every secret that a client may send it: right and wrong ones, where
//! they belong and where they don't. Then everything that it wrote is searched for them.

use std::path::Path;

use futures_util::StreamExt;
use hrms_core::contract::id;
use hrms_core::operator::NewOperator;
use hrms_core::organization::{NewAdmin, NewOrganization};
use hrms_core::{Hrms, Operator, RequestId, Secret};
use hrms_store::SqlStore;
use hrms_tests::{Client, Reply, Server};
use http::Method;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio_tungstenite::tungstenite::Error;

/// A secret that nothing else looks like.
fn canary(kind: &str) -> String {
    format!("canary-{kind}-{}", id().simple())
}

/// Everything that was refused, as it came over the wire, and every secret there is.
#[derive(Default)]
struct Seen {
    refused: Vec<String>,
    secrets: Vec<(&'static str, String)>,
}

impl Seen {
    fn secret(&mut self, what: &'static str, secret: impl Into<String>) -> String {
        let secret = secret.into();
        assert!(secret.len() >= 8, "{what}");
        self.secrets.push((what, secret.clone()));
        secret
    }

    /// A request that must fail.
    fn refused(&mut self, reply: Reply) {
        assert!(reply.status.is_client_error(), "{} {}", reply.status, reply.text());
        self.refused.push(format!("{:?}\n{}", reply.headers, reply.text()));
    }

    fn tokens(&mut self, reply: Reply) -> Value {
        let tokens = reply.expect(200).json();
        self.secret("access token", tokens["access_token"].as_str().unwrap());
        self.secret("refresh token", tokens["refresh_token"].as_str().unwrap());
        tokens
    }

    #[track_caller]
    fn assert_absent_from(&self, place: &str, bytes: &[u8]) {
        for (what, secret) in &self.secrets {
            let found = |needle: &[u8]| bytes.windows(needle.len()).position(|window| window == needle);
            if let Some(at) = found(secret.as_bytes()) {
                let from = at.saturating_sub(200);
                let around = String::from_utf8_lossy(&bytes[from..bytes.len().min(at + 120)]).into_owned();
                panic!("the {what} is in {place}: …{around}…");
            }
            // As PostgreSQL shows bytes.
            let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
            assert!(found(hex.as_bytes()).is_none(), "the {what} is in {place}, in hexadecimal");
        }
    }
}

/// Somebody to log in as.
struct People {
    admin_password: String,
    operator_password: String,
}

async fn people(store: SqlStore, seen: &mut Seen) -> People {
    let hrms = Hrms::new(store.clone());
    let by = Operator::command(RequestId::from_uuid(id()));
    let admin_password = seen.secret("admin's password", canary("admin-password"));
    let operator_password = seen.secret("operator's password", canary("operator-password"));
    let operator = NewOperator {
        email: "olga@service.example".into(),
        name: "Olga".into(),
        password: Secret::new(operator_password.clone()),
    };
    hrms.operators().create(&by, operator).await.unwrap();
    let organization = NewOrganization {
        slug: "acme".into(),
        name: "Acme".into(),
        admin: NewAdmin {
            email: "admin@acme.example".into(),
            name: "Ada".into(),
            password: Some(Secret::new(admin_password.clone())),
        },
    };
    hrms.organizations().create(&by, organization).await.unwrap();
    store.close().await;
    People { admin_password, operator_password }
}

/// Log-in, refresh and log-out, right and wrong.
async fn sessions(client: &Client, people: &People, seen: &mut Seen) -> (Client, Client) {
    let log_in = |password: &str| json!({ "organization": "acme", "email": "admin@acme.example", "password": password });
    let path = "/api/v1/auth/login";
    let tokens = seen.tokens(client.post(path, &log_in(&people.admin_password)).await);
    let wrong = seen.secret("wrong password", canary("wrong-password"));
    for body in [
        log_in(&wrong),
        json!({ "organization": "nowhere", "email": "admin@acme.example", "password": wrong }),
        json!({ "organization": wrong, "email": wrong, "password": wrong }),
        json!({ "email": "admin@acme.example", "password": [wrong] }),
        json!({ "email": { "x": wrong }, "password": wrong }),
        json!({ "email": 1, "password": wrong }),
        json!({ "email": "admin@acme.example", "password": wrong, "more": wrong }),
        json!({ "organization": "acme", "email": "admin@acme.example", "password": people.admin_password, "otp": wrong }),
        json!([wrong]),
        json!(wrong),
    ] {
        seen.refused(client.post(path, &body).await);
    }
    let number = seen.secret("password that is a number", "90210733158842113");
    let body = json!({ "email": "a@b.example", "password": number.parse::<u64>().unwrap() });
    seen.refused(client.post(path, &body).await);
    for broken in
        [format!("{{\"password\":\"{wrong}"), format!("{{\"password\":\"{wrong}\"}} {wrong}"), wrong.clone()]
    {
        seen.refused(client.upload(path, "application/json", broken.clone().into_bytes()).await);
        seen.refused(client.upload(path, &format!("text/{wrong}"), broken.into_bytes()).await);
    }

    let refresh = "/api/v1/auth/refresh";
    let old = tokens["refresh_token"].as_str().unwrap();
    let made_up = seen.secret("made-up refresh token", canary("refresh"));
    for body in [
        json!({ "refresh_token": made_up }),
        json!({ "refresh_token": [made_up] }),
        json!({ "token": made_up }),
    ] {
        seen.refused(client.post(refresh, &body).await);
    }
    let tokens = seen.tokens(client.post(refresh, &json!({ "refresh_token": old })).await);
    seen.refused(client.post(refresh, &json!({ "refresh_token": old })).await);
    drop(tokens);

    let again = seen.tokens(client.post(path, &log_in(&people.admin_password)).await);
    let ended = seen.tokens(client.post(path, &log_in(&people.admin_password)).await);
    let gone = client.with_token(ended["access_token"].as_str().unwrap());
    gone.call(Method::POST, "/api/v1/auth/logout", &[], None).await.expect(204);
    seen.refused(gone.get("/api/v1/auth/me").await);

    let bearer = seen.secret("made-up bearer", canary("bearer"));
    for credential in [format!("Bearer {bearer}"), format!("Basic {bearer}"), bearer.clone()] {
        let headers = [("authorization", &*credential)];
        seen.refused(client.call(Method::GET, "/api/v1/auth/me", &headers, None).await);
    }
    let body = json!({ "email": "olga@service.example", "password": people.operator_password });
    let operator = seen.tokens(client.post(path, &body).await);
    let with = |tokens: &Value| client.with_token(tokens["access_token"].as_str().unwrap());
    (with(&again), with(&operator))
}

/// Secrets in addresses, headers, and in what is kept.
async fn elsewhere(client: &Client, admin: &Client, operator: &Client, seen: &mut Seen) {
    let reset = seen.secret("reset token", canary("reset"));
    for path in [
        "/api/v1/auth/me?token=",
        "/api/v1/users?token=",
        "/api/v1/auth/nothing-here?token=",
        "/nowhere?token=",
    ] {
        seen.refused(admin.get(&format!("{path}{reset}")).await);
    }
    seen.refused(client.post("/api/v1/auth/nothing-here", &json!({ "token": reset })).await);

    // A new user's password and an idempotency key, with an answer that is kept.
    let key = seen.secret("idempotency key", canary("key"));
    let password = seen.secret("new user's password", canary("new-password"));
    let headers = [("idempotency-key", &*key)];
    let user =
        json!({ "email": "jane@acme.example", "name": "Jane", "roles": ["employee"], "password": password });
    let made = admin.call(Method::POST, "/api/v1/users", &headers, Some(&user)).await.expect(201);
    let replayed = admin.call(Method::POST, "/api/v1/users", &headers, Some(&user)).await.expect(201);
    assert_eq!((replayed.header("idempotency-replayed"), &replayed.body), (Some("true"), &made.body));
    seen.refused(admin.call(Method::POST, "/api/v1/users", &headers, Some(&json!({}))).await);
    seen.refused(admin.post("/api/v1/users", &user).await);

    // The password that is made up for a new organisation's admin is shown once and not kept.
    let organization =
        json!({ "slug": "made", "name": "Made", "admin": { "email": "a@made.example", "name": "A" } });
    let path = "/api/v1/platform/organizations";
    let made = operator.call(Method::POST, path, &headers, Some(&organization)).await.expect(201).json();
    seen.secret("made-up password", made["admin"]["password"].as_str().unwrap());
    seen.refused(operator.call(Method::POST, path, &headers, Some(&organization)).await);

    let ticket = admin.post("/api/v1/events/tickets", &json!({})).await.expect(200).json();
    let ticket = seen.secret("ticket", ticket["ticket"].as_str().unwrap());
    let address = |ticket: &str| {
        let url = admin.url("/api/v1/events").replace("http://", "ws://");
        format!("{url}?ticket={ticket}")
    };
    let (mut socket, _) = tokio_tungstenite::connect_async(address(&ticket)).await.unwrap();
    let wrong = seen.secret("wrong ticket", canary("ticket"));
    for ticket in [&ticket, &wrong] {
        match tokio_tungstenite::connect_async(address(ticket)).await {
            Err(Error::Http(answer)) => seen.refused.push(format!("{answer:?}")),
            other => panic!("{other:?}"),
        }
    }
    let location = json!({ "code": "PUN", "name": "Pune", "time_zone": "Asia/Kolkata" });
    admin.post("/api/v1/locations", &location).await.expect(201);
    drop(socket.next().await);
    for page in ["/metrics", "/health/ready", "/problems", "/api/openapi.json"] {
        let shown = client.get(page).await;
        seen.refused.push(shown.text());
    }
}

/// Lets a server go through all of it, and searches what it says.
async fn goes_through(url: &str, seen: &mut Seen, people: &People) {
    let server = Server::start(&[("HRMS_DATABASE_URL", url), ("HRMS_LOG_LEVEL", "trace")]).await;
    let client = server.client();
    let (admin, operator) = sessions(&client, people, seen).await;
    elsewhere(&client, &admin, &operator, seen).await;
    let (status, log) = server.terminate();
    assert!(status.success(), "{status}");
    assert!(log.contains("TRACE") && log.contains("/api/v1/auth/login"), "the log says too little: {log}");
    seen.assert_absent_from("the log", log.as_bytes());
    for refused in &seen.refused {
        seen.assert_absent_from("an answer", refused.as_bytes());
    }
}

#[tokio::test]
async fn secrets_are_in_nothing_that_is_written_with_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hrms.db");
    let mut seen = Seen::default();
    let people = people(SqlStore::sqlite(&path).await.unwrap(), &mut seen).await;
    goes_through(&format!("sqlite:{}", path.display()), &mut seen, &people).await;
    let mut all = Vec::new();
    for file in std::fs::read_dir(Path::new(dir.path())).unwrap() {
        all.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    assert!(all.windows(4).any(|window| window == b"Pune"), "the right file is searched");
    seen.assert_absent_from("the database", &all);
}

#[tokio::test]
async fn secrets_are_in_nothing_that_is_written_with_postgresql() {
    let fresh = hrms_tests::postgres().await;
    let (admin, application) = fresh.urls.clone().unwrap();
    let mut seen = Seen::default();
    let people = people(SqlStore::postgres(&application).await.unwrap(), &mut seen).await;
    goes_through(&application, &mut seen, &people).await;
    let mut conn = PgConnection::connect(&admin).await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables \
         WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
    )
    .fetch_all(&mut conn)
    .await
    .unwrap();
    let mut all = String::new();
    for table in tables {
        let rows: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT t::text FROM {table} AS t")))
                .fetch_all(&mut conn)
                .await
                .unwrap();
        all.extend(rows);
    }
    assert!(all.contains("Pune"), "the right tables are searched");
    seen.assert_absent_from("the database", all.as_bytes());
}
