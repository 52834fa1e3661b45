//! What holds under load, over time and on open sockets.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::StreamExt;
use hrms_core::contract::all_at_once;
use hrms_core::mail::{MailError, Mailer, Message};
use hrms_core::{Hrms, Operator, RequestId};
use hrms_store::SqlStore;
use hrms_tests::{Client, Fresh};
use http::Method;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::world::{OTHER, PASSWORD, World, change, node};

pub(in crate::all) type Socket =
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

pub(in crate::all) async fn socket(at: &Client, tokens: &Value) -> Socket {
    let address = at.url("/api/v1/events").replace("http://", "ws://");
    let mut request = address.into_client_request().unwrap();
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    request.headers_mut().insert("authorization", bearer.parse().unwrap());
    tokio_tungstenite::connect_async(request).await.unwrap().0
}

pub(in crate::all) async fn close_code(mut socket: Socket) -> u16 {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(30), socket.next()).await;
        let message = next.expect("it stays open").expect("it ended without a word").unwrap();
        if let tungstenite::Message::Close(Some(frame)) = message {
            return frame.code.into();
        }
    }
}

/// Whatever ends a session, or makes it lack something, closes its sockets on the other node.
async fn what_ends_a_session_closes_its_sockets_everywhere(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let mut sockets = Vec::new();
    let mut people = Vec::new();
    for name in ["out", "disabled", "changed", "reset", "ended", "due", "enrolled"] {
        let (path, email) = world.user(&admin, name).await;
        let tokens = world.log_in(&email, PASSWORD).await;
        sockets.push((name, socket(&world.there, &tokens).await));
        people.push((path, email, tokens));
    }
    let [out, disabled, changed, reset, ended, due, enrolled] = &people[..] else { panic!() };
    world.with(&out.2).post("/api/v1/auth/logout", &json!({})).await.expect(204);
    change(&admin, &disabled.0, &json!({ "status": "disabled" })).await.expect(200);
    let body = json!({ "current_password": PASSWORD, "new_password": OTHER });
    let another = world.with(&world.log_in(&changed.1, PASSWORD).await);
    another.post("/api/v1/auth/password", &body).await.expect(200);
    world.here.post("/api/v1/auth/password-resets", &json!({ "email": reset.1 })).await.expect(202);
    let token = world.messages(1).await[0].text.clone();
    let token = token.split("token=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let body = json!({ "token": token, "new_password": OTHER });
    world.here.post("/api/v1/auth/password-resets/confirm", &body).await.expect(204);
    admin.delete(&format!("{}/sessions", ended.0)).await.expect(204);
    change(&admin, &due.0, &json!({ "must_change_password": true })).await.expect(200);
    world.enrol(&world.with(&world.log_in(&enrolled.1, PASSWORD).await)).await;
    // Past what a node remembers; the sockets ask within five seconds of their own.
    world.a_moment_later();
    let closing = sockets.into_iter().map(|(name, socket)| async move { (name, close_code(socket).await) });
    for (name, code) in all_at_once(closing).await {
        assert_eq!(code, 4401, "{name}");
    }

    // The whole organisation.
    let tokens = world.log_in("admin@acme.example", PASSWORD).await;
    let ear = socket(&world.there, &tokens).await;
    let by = Operator::command(RequestId::from_uuid(hrms_core::contract::id()));
    let acme = world.with(&tokens).get("/api/v1/organization").await.expect(200).json();
    let acme = serde_json::from_value::<uuid::Uuid>(acme["id"].clone()).unwrap();
    world.hrms.organizations().suspend(&by, hrms_core::TenantId::from_uuid(acme)).await.unwrap();
    world.a_moment_later();
    assert_eq!(close_code(ear).await, 4401);
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// By its time an answer tells as little as by its text: the medians of interleaved tries stay within a factor of
/// two. (Without the hashing for absent accounts it would be twenty and more.) A busy machine gets three rounds.
async fn nobody_learns_by_the_clock_who_has_an_account(store: &Fresh) {
    let (world, admin) = World::new(store).await;
    let (path, disabled) = world.user(&admin, "disabled").await;
    change(&admin, &path, &json!({ "status": "disabled" })).await.expect(200);
    let emails = ["admin@acme.example", "nobody@acme.example", disabled.as_str()];
    let mut seen = Vec::new();
    for _ in 0..3 {
        let mut times = [const { Vec::new() }; 3];
        for _ in 0..9 {
            for (email, times) in emails.iter().zip(&mut times) {
                let start = Instant::now();
                let refused = world.log_in_with(Some("acme"), email, "not the password at all", None).await;
                times.push(start.elapsed());
                refused.expect(401);
            }
        }
        let medians = times.map(median);
        let (least, most) = (medians.iter().min().unwrap(), medians.iter().max().unwrap());
        if *most < *least * 2 {
            return;
        }
        seen.push(medians);
        // Past what failed tries are held against anybody.
        world.advance(3600);
    }
    panic!("existing, absent, disabled: {seen:?}");
}

/// Sends nothing before it is told to.
#[derive(Clone, Debug, Default)]
struct Reluctant {
    go: Arc<Notify>,
    sent: Arc<Notify>,
}

#[async_trait]
impl Mailer for Reluctant {
    async fn send(&self, _: Message) -> Result<(), MailError> {
        self.go.notified().await;
        self.sent.notify_one();
        Ok(())
    }
}

/// A reset is answered before anything is looked up or sent.
async fn a_reset_is_answered_before_the_work(store: &Fresh) {
    let (_world, _) = World::new(store).await;
    let mailer = Reluctant::default();
    let hrms = Hrms::builder(SqlStore::clone(store)).mailer(mailer.clone()).build();
    let client = node(&hrms).await;
    let ask = json!({ "email": "admin@acme.example" });
    client.post("/api/v1/auth/password-resets", &ask).await.expect(202);
    mailer.go.notify_one();
    tokio::time::timeout(Duration::from_secs(20), mailer.sent.notified()).await.expect("nothing was sent");
}

/// More passwords at once than can be hashed in time are told to come back; the others are answered.
async fn a_flood_of_log_ins_is_told_to_wait(store: &Fresh) {
    let (world, _) = World::new(store).await;
    let places = 17 * std::thread::available_parallelism().map_or(1, usize::from);
    let tries = (0..places + 30).map(|n| {
        let (here, email) = (world.here.clone(), format!("flood{n}@acme.example"));
        async move {
            let body = json!({ "organization": "acme", "email": email, "password": "not the password" });
            here.post("/api/v1/auth/login", &body).await
        }
    });
    let answers = all_at_once(tries).await;
    let busy: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert!(!busy.is_empty(), "nobody had to wait");
    for answer in &busy {
        assert_eq!(answer.json()["code"], "common.busy");
        assert!(answer.header("retry-after").unwrap().parse::<u32>().unwrap() > 0);
    }
    assert!(answers.iter().any(|answer| answer.status == 401));
    assert!(answers.iter().all(|answer| [401, 429, 503].contains(&answer.status.as_u16())));
    world.log_in("admin@acme.example", PASSWORD).await;
}

/// One kind of token is never taken for another.
async fn tokens_are_of_one_kind(store: &Fresh) {
    let (world, _) = World::new(store).await;
    let tokens = world.log_in("admin@acme.example", PASSWORD).await;
    let me = world.with(&tokens);
    let ticket = me.post("/api/v1/events/tickets", &json!({})).await.expect(200).json();
    world
        .here
        .post("/api/v1/auth/password-resets", &json!({ "email": "admin@acme.example" }))
        .await
        .expect(202);
    let reset = world.messages(1).await[0].text.clone();
    let reset = reset.split("token=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let access = tokens["access_token"].as_str().unwrap();
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let ticket = ticket["ticket"].as_str().unwrap();
    for token in [refresh, ticket, &reset] {
        let refused = world.here.with_token(token).get("/api/v1/auth/me").await.expect(401);
        assert_eq!(refused.json()["code"], "auth.token-invalid");
    }
    for token in [access, ticket, &reset] {
        world.here.post("/api/v1/auth/refresh", &json!({ "refresh_token": token })).await.expect(401);
        let path = format!("/api/v1/events?ticket={token}");
        if token != ticket {
            world.here.get(&path).await.expect(401);
        }
    }
    for token in [access, refresh, ticket] {
        let body = json!({ "token": token, "new_password": OTHER });
        world.here.post("/api/v1/auth/password-resets/confirm", &body).await.expect(422);
    }
    // None of it did harm, and tokens in other places than their own are none.
    me.get("/api/v1/auth/me").await.expect(200);
    let query = format!("/api/v1/auth/me?access_token={access}");
    world.here.get(&query).await.expect(401);
    let cookie = format!("access_token={access}; Authorization=Bearer {access}");
    world.here.call(Method::GET, "/api/v1/auth/me", &[("cookie", &cookie)], None).await.expect(401);
}

hrms_tests::on_every_engine!(
    what_ends_a_session_closes_its_sockets_everywhere,
    nobody_learns_by_the_clock_who_has_an_account,
    a_reset_is_answered_before_the_work,
    a_flood_of_log_ins_is_told_to_wait,
    tokens_are_of_one_kind,
);
