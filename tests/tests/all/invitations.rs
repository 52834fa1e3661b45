//! Invitations, memberships in several organisations and removal over HTTP, with a mail server on loopback.

mod ends;
mod links;
mod mail;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hrms_core::contract::{all_at_once, at, id};
use hrms_core::import::ImportJob;
use hrms_core::invitation::InvitationMail;
use hrms_core::jiff::SignedDuration;
use hrms_core::job::{JobRegistry, run_until_idle};
use hrms_core::operator::NewOperator;
use hrms_core::{FixedClock, Hrms, Operator, RequestId, Secret};
use hrms_http::{BearerAuth, Config, Server, Tokens};
use hrms_server::mail::Post;
use hrms_store::SqlStore;
use hrms_tests::{Client, Fresh, Received, Reply, SmtpSink};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const PASSWORD: &str = "seven anvils on a roof";
const NEW_PASSWORD: &str = "nine kettles in a row";

struct Service {
    hrms: Hrms,
    client: Client,
    operator: Client,
    clock: Arc<FixedClock>,
    sink: SmtpSink,
}

fn key() -> String {
    let mut der = STANDARD.decode("MC4CAQAwBQYDK2VwBCIEIA==").unwrap();
    der.extend_from_slice(&[1; 32]);
    format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", STANDARD.encode(der))
}

/// The jobs of invitations and imports: what people are told besides isn't sent.
fn registry() -> JobRegistry {
    JobRegistry::empty().with::<ImportJob>().with::<InvitationMail>()
}

/// The mailer that a configuration like this has.
fn post(url: &str) -> Post {
    let variables = [("HRMS_MAIL_URL", url), ("HRMS_MAIL_FROM", "HR <hr@service.example>")];
    let variables = variables.map(|(name, value)| (name.into(), value.into()));
    let loaded = hrms_server::config::Config::load_from(None, variables).unwrap();
    Post::new(&loaded.config.mail.unwrap()).unwrap()
}

async fn service(store: &Fresh) -> Service {
    let clock = Arc::new(FixedClock::at(at(0)));
    let sink = SmtpSink::start().await;
    let hrms = Hrms::builder(SqlStore::clone(store))
        .clock(clock.clone())
        .mailer(post(&sink.url()))
        .public_url("https://hr.service.example/")
        .build();
    let by = Operator::command(RequestId::from_uuid(id()));
    let olga = NewOperator {
        email: "olga@service.example".into(),
        name: "Olga".into(),
        password: Secret::new(PASSWORD),
    };
    hrms.operators().create(&by, olga).await.unwrap();
    let client = serve(hrms.clone()).await;
    let operator = log_in(&client, None, "olga@service.example").await;
    Service { hrms, client, operator, clock, sink }
}

/// A client of a server over this.
async fn serve(hrms: Hrms) -> Client {
    let tokens = Tokens::from_pem(key().as_bytes(), "hrms").unwrap();
    let server = Server::new(hrms.clone(), BearerAuth::new(hrms, tokens), Config::new([7; 32])).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = Client::new(&format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(server.serve(listener, std::future::pending()));
    client
}

async fn try_log_in(client: &Client, slug: Option<&str>, email: &str, password: &str) -> Reply {
    let body = json!({ "organization": slug, "email": email, "password": password });
    client.post("/api/v1/auth/login", &body).await
}

async fn log_in(client: &Client, slug: Option<&str>, email: &str) -> Client {
    let tokens = try_log_in(client, slug, email, PASSWORD).await.expect(200).json();
    client.with_token(tokens["access_token"].as_str().unwrap())
}

impl Service {
    /// An organisation, and its owner's client.
    async fn organization(&self, slug: &str, name: &str) -> Client {
        let admin = json!({ "email": format!("owner@{slug}.example"), "name": "Ada", "password": PASSWORD });
        let body = json!({ "slug": slug, "name": name, "admin": admin });
        self.operator.post("/api/v1/platform/organizations", &body).await.expect(201);
        log_in(&self.client, Some(slug), &format!("owner@{slug}.example")).await
    }

    /// Runs the jobs, and gives the messages that came.
    async fn deliver(&self) -> Vec<Received> {
        run_until_idle(&self.hrms, &registry()).await.unwrap();
        self.sink.take()
    }

    /// Invites, and gives the invitation and its token.
    async fn invite(&self, by: &Client, new: &Value) -> (Value, String) {
        let made = by.post("/api/v1/invitations", new).await.expect(201).json();
        let [message] = &self.deliver().await[..] else { panic!("not one message") };
        (made, message.token())
    }

    async fn accept(&self, body: &Value) -> Reply {
        self.client.post("/api/v1/auth/invitations/accept", body).await
    }

    /// Somebody new, who accepts at once; their client.
    async fn member(&self, by: &Client, slug: &str, email: &str, roles: &[&str]) -> (String, Client) {
        let (_, token) = self.invite(by, &new(email, roles)).await;
        let joined = self.accept(&json!({ "token": token, "password": PASSWORD })).await.expect(200).json();
        (text(&joined["user_id"]), log_in(&self.client, Some(slug), email).await)
    }

    fn advance(&self, by: SignedDuration) {
        self.clock.advance(by);
    }
}

fn new(email: &str, roles: &[&str]) -> Value {
    json!({ "email": email, "name": "Zoë", "roles": roles })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

#[track_caller]
fn refused(reply: Reply, status: u16, code: &str) {
    let reply = reply.expect(status);
    assert_eq!(reply.json()["code"], code, "{}", reply.text());
}

async fn delete(by: &Client, path: &str) -> Reply {
    let tag = by.get(path).await.expect(200).header("etag").unwrap().to_owned();
    by.call(http::Method::DELETE, path, &[("if-match", &tag)], None).await
}

/// How many users an organisation has, as it sees them.
async fn users(by: &Client) -> usize {
    by.get("/api/v1/users").await.expect(200).json()["items"].as_array().unwrap().len()
}

async fn from_invitation_to_log_in(store: &Fresh) {
    let service = service(store).await;
    let owner = service.organization("acme", "Äcme <b>Ltd</b>").await;
    let person = json!({ "given_name": "Zoë", "hired_on": "2020-01-01" });
    let employee = text(&owner.post("/api/v1/employees", &person).await.expect(201).json()["id"]);
    let mut invite = new(" Zoë@BÜCHER.example ", &["hr"]);
    invite["employee_id"] = json!(employee);
    let made = owner.post("/api/v1/invitations", &invite).await.expect(201);
    let path = made.header("location").unwrap().to_owned();
    let made = made.json();
    assert_eq!(
        (&made["email"], &made["status"], &made["delivery"]),
        (&json!("zoë@xn--bcher-kva.example"), &json!("pending"), &json!("queued"))
    );

    let [message] = &service.deliver().await[..] else { panic!("not one message") };
    assert_eq!(message.to, ["zoë@xn--bcher-kva.example"]);
    assert_eq!(message.subject(), "Your invitation to Äcme <b>Ltd</b>");
    let token = message.token();
    let link = format!("https://hr.service.example/accept-invitation#token={token}");
    assert!(
        message.text().contains(&format!("\r\n{link}\r\n"))
            || message.text().contains(&format!("\n{link}\n"))
    );
    assert!(message.html().contains(&format!("<a href=\"{link}\">")), "{}", message.html());
    assert!(message.html().contains("Äcme &lt;b&gt;Ltd&lt;/b&gt;"), "{}", message.html());
    assert_eq!(owner.get(&path).await.expect(200).json()["delivery"], "sent");
    let jobs = owner.get("/api/v1/jobs").await.expect(200).text();
    assert!(jobs.contains("mail.invitation") && !jobs.contains(&token), "{jobs}");
    assert!(!owner.get("/api/v1/invitations").await.expect(200).text().contains(&token));

    let preview = service.client.post("/api/v1/auth/invitations/preview", &json!({ "token": token })).await;
    let preview = preview.expect(200).json();
    assert_eq!(
        (&preview["organization"], &preview["account_exists"]),
        (&json!("Äcme <b>Ltd</b>"), &json!(false))
    );
    refused(service.accept(&json!({ "token": token })).await, 422, "common.invalid");
    refused(service.accept(&json!({ "token": token, "password": "short" })).await, 422, "common.invalid");
    refused(
        service.accept(&json!({ "token": token, "password": NEW_PASSWORD, "name": "" })).await,
        422,
        "common.invalid",
    );
    let body = json!({ "token": token, "password": NEW_PASSWORD, "name": "Zoë Zett" });
    let joined = service.accept(&body).await.expect(200).json();
    assert_eq!(joined["organization"]["slug"], "acme");
    refused(service.accept(&body).await, 422, "invitation.invalid-token");
    refused(
        service.client.post("/api/v1/auth/invitations/preview", &json!({ "token": token })).await,
        422,
        "invitation.invalid-token",
    );

    // The same person, typing otherwise.
    let tokens = try_log_in(&service.client, Some("acme"), "ZOË@Bücher.Example", NEW_PASSWORD)
        .await
        .expect(200)
        .json();
    let zoe = service.client.with_token(tokens["access_token"].as_str().unwrap());
    let me = zoe.get("/api/v1/auth/me").await.expect(200).json();
    assert_eq!((&me["roles"], &me["employee_id"]), (&json!(["hr"]), &json!(employee)));
    assert_eq!(me["user"]["name"], "Zoë Zett");
    let after = owner.get(&path).await.expect(200).json();
    assert_eq!((&after["status"], &after["accepted_by"]), (&json!("accepted"), &joined["user_id"]));
    refused(owner.post(&format!("{path}/revoke"), &Value::Null).await, 422, "common.invalid");
    refused(
        owner.call(http::Method::POST, &format!("{path}/revoke"), &[], None).await,
        409,
        "invitation.not-pending",
    );
    assert_eq!(users(&owner).await, 2);
}

async fn an_account_elsewhere_is_proved(store: &Fresh) {
    let service = service(store).await;
    let acme = service.organization("acme", "Acme").await;
    let other = service.organization("other", "Other").await;
    let known =
        acme.post("/api/v1/invitations", &new("owner@other.example", &["employee"])).await.expect(201);
    let [message] = &service.deliver().await[..] else { panic!("not one message") };
    let token = message.token();
    let unknown =
        acme.post("/api/v1/invitations", &new("nobody@other.example", &["employee"])).await.expect(201);
    // Whoever invites can't tell the two apart.
    let shape = |reply: &Reply| {
        let mut shown = reply.json();
        for own in ["id", "email"] {
            shown[own] = Value::Null;
        }
        (reply.status, shown)
    };
    assert_eq!(shape(&known), shape(&unknown));
    assert_eq!(service.deliver().await.len(), 1);
    let preview = service.client.post("/api/v1/auth/invitations/preview", &json!({ "token": token })).await;
    assert_eq!(preview.expect(200).json()["account_exists"], true);

    refused(service.accept(&json!({ "token": token })).await, 409, "invitation.proof-required");
    let wrong = json!({ "token": token, "password": NEW_PASSWORD });
    refused(service.accept(&wrong).await, 401, "auth.invalid-credentials");
    let stranger = acme.post("/api/v1/auth/invitations/join", &json!({ "token": token })).await;
    refused(stranger, 403, "invitation.other-account");
    assert_eq!(users(&acme).await, 1);
    service.accept(&json!({ "token": token, "password": PASSWORD })).await.expect(200);

    // One account, two memberships, each organisation with its own view.
    let there = log_in(&service.client, Some("acme"), "owner@other.example").await;
    let me = there.get("/api/v1/auth/me").await.expect(200).json();
    assert_eq!(me["roles"], json!(["employee"]));
    there.get("/api/v1/users").await.expect(403);
    let home = log_in(&service.client, Some("other"), "owner@other.example").await;
    assert_eq!(home.get("/api/v1/auth/me").await.expect(200).json()["user"]["id"], me["user"]["id"]);
    assert_eq!((users(&acme).await, users(&other).await), (2, 1));
    for (by, slugs) in [(&there, &["acme", "other"][..]), (&home, &["acme", "other"]), (&acme, &["acme"])] {
        let mine = by.get("/api/v1/auth/organizations").await.expect(200).json();
        let found: Vec<_> = mine["items"].as_array().unwrap().iter().map(|one| text(&one["slug"])).collect();
        assert_eq!(found, slugs);
    }
    let path = format!("/api/v1/users/{}", text(&me["user"]["id"]));
    for view in [acme.get(&path).await.expect(200), other.get(&path).await.expect(200)] {
        assert!(!view.text().contains("organi"), "{}", view.text());
    }

    // With the account that one is logged in with, no password is needed.
    let third = service.organization("third", "Third").await;
    let (_, token) = service.invite(&third, &new("Owner@Other.example", &["hr"])).await;
    home.post("/api/v1/auth/invitations/join", &json!({ "token": token })).await.expect(200);
    log_in(&service.client, Some("third"), "owner@other.example").await;
    let taken = json!({ "email": "owner@other.example", "name": "X", "roles": ["hr"], "password": PASSWORD });
    refused(
        service.organization("fourth", "Fourth").await.post("/api/v1/users", &taken).await,
        409,
        "user.email-taken",
    );
}

async fn many_accepts_have_one_winner(store: &Fresh) {
    let service = service(store).await;
    let owner = service.organization("acme", "Acme").await;
    let (_, token) = service.invite(&owner, &new("zoe@acme.example", &["employee"])).await;
    let body = json!({ "token": token, "password": PASSWORD });
    let answers = all_at_once((0..6).map(async |_| service.accept(&body).await)).await;
    let codes: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert_eq!(codes.iter().filter(|code| **code == 200).count(), 1, "{codes:?}");
    assert!(codes.iter().all(|code| [200, 409, 422].contains(code)), "{codes:?}");
    assert_eq!(users(&owner).await, 2);
    log_in(&service.client, Some("acme"), "zoe@acme.example").await;
}

/// Nobody gets further by an invitation than whoever invites.
async fn nobody_hands_out_more_by_inviting(store: &Fresh) {
    let service = service(store).await;
    let owner = service.organization("acme", "Acme").await;
    let (_, admin) = service.member(&owner, "acme", "admin@acme.example", &["admin"]).await;
    let (_, hr) = service.member(&owner, "acme", "hr@acme.example", &["hr"]).await;
    let mail = "/api/v1/invitations";
    refused(admin.post(mail, &new("x@acme.example", &["owner"])).await, 403, "user.role-not-yours");
    refused(hr.post(mail, &new("x@acme.example", &["employee"])).await, 403, "common.forbidden");
    refused(owner.post(mail, &new("x@acme.example", &[])).await, 422, "common.invalid");
    refused(owner.post(mail, &new("x@acme.example", &["no-such-role"])).await, 422, "common.invalid");
    refused(owner.post(mail, &new("p\u{430}ypal@acme.example", &["hr"])).await, 422, "common.invalid");
    refused(owner.post(mail, &new("hr@ACME.example", &["hr"])).await, 409, "invitation.already-member");
    owner.post(mail, &new("x@acme.example", &["hr"])).await.expect(201);
    refused(owner.post(mail, &new("X@acme.example", &["hr"])).await, 409, "invitation.already-invited");
    // An invitation that the owner made isn't the admin's to send again if it holds more than they do.
    let made = owner.post(mail, &new("y@acme.example", &["owner"])).await.expect(201).json();
    service.advance(SignedDuration::from_mins(2));
    let resend = format!("{mail}/{}/resend", text(&made["id"]));
    refused(admin.call(http::Method::POST, &resend, &[], None).await, 403, "user.role-not-yours");
}

hrms_tests::on_every_engine!(
    from_invitation_to_log_in,
    an_account_elsewhere_is_proved,
    many_accepts_have_one_winner,
    nobody_hands_out_more_by_inviting,
);
