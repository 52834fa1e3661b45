//! What becomes of messages when the mail server is in a bad mood, and without one.

use hrms_core::Hrms;
use hrms_core::jiff::SignedDuration;
use hrms_store::SqlStore;
use hrms_tests::{Fresh, Mood, Server, SmtpSink, server_command};
use http::Method;
use serde_json::{Value, json};

use super::{PASSWORD, log_in, new, refused, serve, service, text};

async fn a_busy_mail_server_is_tried_again(store: &Fresh) {
    let service = service(store).await;
    let owner = service.organization("acme", "Acme").await;
    for mood in [Mood::Busy, Mood::HangsUp] {
        service.sink.mood(mood);
        let email = format!("{mood:?}@acme.example");
        let made = owner.post("/api/v1/invitations", &new(&email, &["employee"])).await.expect(201).json();
        let path = format!("/api/v1/invitations/{}", text(&made["id"]));
        let before = service.sink.attempts();
        assert!(service.deliver().await.is_empty());
        assert_eq!(service.sink.attempts(), before + 1, "{mood:?}");
        assert_eq!(owner.get(&path).await.expect(200).json()["delivery"], "queued");
        let jobs = owner.get("/api/v1/jobs?limit=1").await.expect(200).json();
        let job = &jobs["items"][0];
        assert_eq!(
            (&job["state"], &job["error"]["code"]),
            (&json!("queued"), &json!("mail.failed")),
            "{job}"
        );
        assert!(!job.to_string().contains("acme.example"), "{job}");
        service.sink.mood(Mood::Takes);
        service.advance(SignedDuration::from_secs(3));
        let [message] = &service.deliver().await[..] else { panic!("not one message") };
        assert_eq!(owner.get(&path).await.expect(200).json()["delivery"], "sent");
        service.advance(SignedDuration::from_mins(1));
        assert!(service.deliver().await.is_empty(), "sent twice");
        service.accept(&json!({ "token": message.token(), "password": PASSWORD })).await.expect(200);
    }
}

async fn a_refused_message_shows_and_can_be_sent_again(store: &Fresh) {
    let service = service(store).await;
    let owner = service.organization("acme", "Acme").await;
    service.sink.mood(Mood::Refuses);
    let made =
        owner.post("/api/v1/invitations", &new("zoe@acme.example", &["employee"])).await.expect(201).json();
    let path = format!("/api/v1/invitations/{}", text(&made["id"]));
    assert!(service.deliver().await.is_empty());
    assert_eq!(owner.get(&path).await.expect(200).json()["delivery"], "failed");
    service.sink.mood(Mood::Takes);
    service.advance(SignedDuration::from_mins(2));
    assert!(service.deliver().await.is_empty(), "it was given up");
    owner.call(Method::POST, &format!("{path}/resend"), &[], None).await.expect(200);
    assert_eq!(service.deliver().await.len(), 1);
    // A server that stays away for too long.
    service.sink.mood(Mood::Busy);
    service.advance(SignedDuration::from_mins(2));
    owner.call(Method::POST, &format!("{path}/resend"), &[], None).await.expect(200);
    for _ in 0..20 {
        service.deliver().await;
        service.advance(SignedDuration::from_hours(1));
    }
    let owner = log_in(&service.client, Some("acme"), "owner@acme.example").await;
    assert_eq!(owner.get(&path).await.expect(200).json()["delivery"], "failed");
}

/// Nothing pretends to be on its way that could never arrive.
async fn without_mail_nobody_is_invited(store: &Fresh) {
    let service = service(store).await;
    let owner = service.organization("acme", "Acme").await;
    let made =
        owner.post("/api/v1/invitations", &new("zoe@acme.example", &["employee"])).await.expect(201).json();
    let mute = serve(Hrms::builder(SqlStore::clone(store)).clock(service.clock.clone()).build()).await;
    let owner = log_in(&mute, Some("acme"), "owner@acme.example").await;
    let refusal = owner.post("/api/v1/invitations", &new("x@acme.example", &["employee"])).await;
    refused(refusal, 409, "mail.not-configured");
    service.advance(SignedDuration::from_mins(2));
    let resend = format!("/api/v1/invitations/{}/resend", text(&made["id"]));
    refused(owner.call(Method::POST, &resend, &[], None).await, 409, "mail.not-configured");
    owner.get("/api/v1/invitations").await.expect(200);
}

/// A server that offers no TLS gets nothing when TLS was asked for.
#[tokio::test]
async fn no_tls_no_mail() {
    use hrms_core::mail::{MailError, Mailer, Message};
    let sink = SmtpSink::start().await;
    for scheme in ["smtp://", "smtps://"] {
        let post = super::post(&sink.url().replace("smtp-plain://", scheme));
        let message = Message::plain("a@b.example", "x", "secret");
        if scheme == "smtps://" {
            sink.mood(Mood::HangsUp);
        }
        assert!(matches!(post.send(message).await, Err(MailError::Unavailable(_))), "{scheme}");
    }
    assert!(sink.take().is_empty());
}

/// The program as it is run: a mail server named in its environment, and its own workers.
#[tokio::test]
async fn the_server_sends_by_itself() {
    let sink = SmtpSink::start().await;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let url = sink.url();
    let variables = [
        ("HRMS_DATA_DIR", data.to_str().unwrap()),
        ("HRMS_MAIL_URL", url.as_str()),
        ("HRMS_MAIL_FROM", "HR <hr@service.example>"),
        ("HRMS_PUBLIC_URL", "https://hr.service.example"),
        ("HRMS_ALLOWED_HOSTS", "*"),
    ];
    let create = [
        "organization",
        "create",
        "--slug",
        "acme",
        "--name",
        "Acme",
        "--admin-email",
        "a@acme.example",
        "--json",
    ];
    let made = server_command(&create).envs(variables).output().unwrap();
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    let server = Server::start(&variables).await;
    let client = server.client();
    let body =
        json!({ "organization": "acme", "email": "a@acme.example", "password": made["admin"]["password"] });
    let tokens = client.post("/api/v1/auth/login", &body).await.expect(200).json();
    let admin = client.with_token(tokens["access_token"].as_str().unwrap());
    admin.post("/api/v1/invitations", &new("zoe@acme.example", &["employee"])).await.expect(201);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    let message = loop {
        if let Some(message) = sink.take().pop() {
            break message;
        }
        assert!(std::time::Instant::now() < deadline, "no message came");
        // Another process: there is nothing to be woken by.
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    let token = message.token();
    assert!(
        message.raw.contains("From: HR <hr@service.example>")
            || message.raw.contains("From: \"HR\" <hr@service.example>"),
        "{}",
        message.raw
    );
    let accept = json!({ "token": token, "password": PASSWORD });
    client.post("/api/v1/auth/invitations/accept", &accept).await.expect(200);
    log_in(&client, Some("acme"), "zoe@acme.example").await;
    let (status, log) = server.terminate();
    assert!(status.success(), "{log}");
    assert!(!log.contains(&token) && !log.contains(PASSWORD), "{log}");
}

hrms_tests::on_every_engine!(
    a_busy_mail_server_is_tried_again,
    a_refused_message_shows_and_can_be_sent_again,
    without_mail_nobody_is_invited,
);
