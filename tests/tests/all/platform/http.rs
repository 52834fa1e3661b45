//! Organisations, operators and support access over real sockets.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hrms_core::contract::{at, id};
use hrms_core::hrms::Builder;
use hrms_core::jiff::SignedDuration;
use hrms_core::operator::NewOperator;
use hrms_core::{FixedClock, Hrms, Operator, Permission, RequestId, Secret};
use hrms_http::{Authenticate, BearerAuth, Config, Server, Tokens};
use hrms_store::SqlStore;
use hrms_tests::{Client, Fresh};
use http::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub(super) const PASSWORD: &str = "seven anvils on a roof";
pub(super) const ORGANIZATIONS: &str = "/api/v1/platform/organizations";
pub(super) const OPERATORS: &str = "/api/v1/platform/operators";
pub(super) const REASON: &str = "ticket 4711: leave request is stuck";

pub(super) struct Service {
    pub(super) nobody: Client,
    /// Olga; there is Otto, too.
    pub(super) operator: Client,
    pub(super) clock: Arc<FixedClock>,
}

pub(super) async fn service(store: &Fresh) -> Service {
    service_with(store, |builder| builder, BearerAuth::new).await
}

/// A service that is built and asks who calls in a way of its own.
pub(super) async fn service_with<A: Authenticate + 'static>(
    store: &Fresh,
    with: impl FnOnce(Builder) -> Builder,
    authenticate: impl FnOnce(Hrms, Tokens) -> A,
) -> Service {
    let clock = Arc::new(FixedClock::at(at(0)));
    let hrms = with(Hrms::builder(SqlStore::clone(store)).clock(clock.clone())).build();
    let by = Operator::command(RequestId::from_uuid(id()));
    for name in ["olga", "otto"] {
        let new = NewOperator {
            email: format!("{name}@service.example"),
            name: name.into(),
            password: Secret::new(PASSWORD),
        };
        hrms.operators().create(&by, new).await.unwrap();
    }
    let tokens = Tokens::with_new_key("hrms").unwrap();
    let server = Server::new(hrms.clone(), authenticate(hrms, tokens), Config::new([7; 32])).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = Client::new(&format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(server.serve(listener, std::future::pending()));
    let operator = log_in(&nobody, None, "olga@service.example").await;
    Service { nobody, operator, clock }
}

pub(super) async fn log_in(nobody: &Client, organization: Option<&str>, email: &str) -> Client {
    let body = json!({ "organization": organization, "email": email, "password": PASSWORD });
    let tokens = nobody.post("/api/v1/auth/login", &body).await.expect(200).json();
    nobody.with_token(tokens["access_token"].as_str().unwrap())
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

pub(super) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

pub(super) struct Organization {
    pub(super) id: String,
    pub(super) owner: Client,
    pub(super) owner_id: String,
}

pub(super) struct Access {
    pub(super) grant: String,
    pub(super) token: String,
    pub(super) client: Client,
}

impl Service {
    pub(super) fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
    }

    pub(super) async fn organization(&self, slug: &str) -> Organization {
        let email = format!("owner@{slug}.example");
        let admin = json!({ "email": email, "name": "Ada", "password": PASSWORD });
        let body = json!({ "slug": slug, "name": slug, "admin": admin });
        let made = self.operator.post(ORGANIZATIONS, &body).await.expect(201).json();
        let owner = log_in(&self.nobody, Some(slug), &email).await;
        Organization { id: text(&made["id"]), owner, owner_id: text(&made["admin"]["id"]) }
    }

    async fn grant(&self, of: &Organization, minutes: u16) -> String {
        let body = json!({ "user_id": of.owner_id, "reason": REASON, "minutes": minutes });
        let path = format!("{ORGANIZATIONS}/{}/support-grants", of.id);
        text(&self.operator.post(&path, &body).await.expect(201).json()["id"])
    }

    pub(super) async fn access(&self, of: &Organization, minutes: u16) -> Access {
        let grant = self.grant(of, minutes).await;
        let path = format!("{ORGANIZATIONS}/{}/support-grants/{grant}/token", of.id);
        let token = text(&self.operator.post(&path, &json!({})).await.expect(200).json()["access_token"]);
        Access { client: self.nobody.with_token(&token), grant, token }
    }
}

async fn an_organisation_is_closed_and_reopened(store: &Fresh) {
    let service = service(store).await;
    let one = service.organization("one").await;
    let path = format!("{ORGANIZATIONS}/{}", one.id);
    let post = async |what: &str, body: Value| service.operator.post(&format!("{path}/{what}"), &body).await;
    for (body, pointer) in [
        (json!({ "reason": "x" }), "/reason"),
        (json!({ "reason": "no more", "hold_days": 0 }), "/hold_days"),
        (json!({ "reason": "no more", "hold_days": 366 }), "/hold_days"),
        (json!({ "reason": "no more", "hold_days": -1 }), "/hold_days"),
    ] {
        assert_eq!(post("close", body).await.expect(422).json()["errors"][0]["pointer"], pointer);
    }
    assert_eq!(post("reopen", json!({})).await.expect(409).json()["code"], "organization.not-closed");
    let closed = post("close", json!({ "reason": "no more", "hold_days": 1 })).await.expect(200).json();
    assert_eq!(closed["status"], "closed");
    assert_eq!(closed["closing"]["purge_after"], (at(0) + SignedDuration::from_hours(24)).to_string());
    service.pass(4);
    one.owner.get("/api/v1/auth/me").await.expect(401);
    let body = json!({ "organization": "one", "email": "owner@one.example", "password": PASSWORD });
    service.nobody.post("/api/v1/auth/login", &body).await.expect(401);
    for what in ["suspend", "resume"] {
        assert_eq!(post(what, json!({})).await.expect(409).json()["code"], "organization.closed");
    }
    let again = post("close", json!({ "reason": "no more" })).await.expect(409).json();
    assert_eq!(again["code"], "organization.closed");
    let found = service.operator.get(&format!("{ORGANIZATIONS}?status=closed")).await.json();
    assert_eq!(found["items"][0]["id"], json!(one.id));
    assert_eq!(post("reopen", json!({})).await.expect(200).json()["status"], "active");
    log_in(&service.nobody, Some("one"), "owner@one.example").await;

    post("close", json!({ "reason": "no more", "hold_days": 1 })).await.expect(200);
    service.pass(24 * 60 * 60);
    let operator = log_in(&service.nobody, None, "olga@service.example").await;
    let late = operator.post(&format!("{path}/reopen"), &json!({})).await.expect(409).json();
    assert_eq!(late["code"], "organization.hold-over");
}

async fn support_access_from_beginning_to_end(store: &Fresh) {
    let service = service(store).await;
    let one = service.organization("one").await;
    let access = service.access(&one, 30).await;
    let said = claims(&access.token);
    assert_eq!(said["sub"], json!(one.owner_id));
    assert_eq!(said["support_grant"], json!(access.grant));
    let operator = text(&said["act"]["sub"]);
    assert_ne!(operator, one.owner_id);
    assert!(said["exp"].as_i64().unwrap() - said["iat"].as_i64().unwrap() <= 600);

    // The member's rights, and the organisation sees it.
    assert_eq!(
        access.client.get("/api/v1/auth/me").await.expect(200).json()["user"]["id"],
        json!(one.owner_id)
    );
    let place = json!({ "code": "P", "name": "Pune", "time_zone": "Asia/Kolkata" });
    access.client.post("/api/v1/locations", &place).await.expect(201);
    let seen = one.owner.get("/api/v1/support-access").await.expect(200).json();
    assert_eq!(seen["items"][0]["reason"], REASON);
    assert_eq!(seen["items"][0]["operator_name"], "olga");
    assert!(seen["items"][0].get("session").is_none());
    let tenant = hrms_core::TenantId::from_uuid(one.id.parse().unwrap());
    let mut tx = hrms_core::Store::read(&**store, tenant).await.unwrap();
    let events = tx.events().after(0, 100).await.unwrap();
    let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["support_access.started", "location.created"]);
    for event in &events {
        assert_eq!(event.data["operator_id"], json!(operator), "{event:?}");
        assert_eq!(event.data["support_grant_id"], json!(access.grant), "{event:?}");
    }
    assert_eq!(events[1].caused_by.unwrap().to_string(), one.owner_id);
    let entries = tx.audit().after(0, 100).await.unwrap();
    let last = &entries.last().unwrap().draft;
    assert_eq!(last.operator.unwrap().to_string(), operator);
    assert_eq!(last.on_behalf_of.unwrap().to_string(), one.owner_id);
    drop(tx);

    // Another organisation knows nothing of it; this one ends it.
    let two = service.organization("two").await;
    let path = format!("/api/v1/support-access/{}", access.grant);
    two.owner.get(&path).await.expect(404);
    two.owner.post(&format!("{path}/end"), &json!({})).await.expect(404);
    access.client.post(&format!("{path}/end"), &json!({})).await.expect(403);
    let ended = one.owner.post(&format!("{path}/end"), &json!({})).await.expect(200).json();
    assert_eq!(ended["ended_by"], json!(one.owner_id));
    one.owner.post(&format!("{path}/end"), &json!({})).await.expect(409);
    service.pass(4);
    let refused = access.client.get("/api/v1/locations").await.expect(401).json();
    assert_eq!(refused["code"], "auth.session-ended");
    let path = format!("{ORGANIZATIONS}/{}/support-grants/{}/token", one.id, access.grant);
    let refused = service.operator.post(&path, &json!({})).await.expect(409).json();
    assert_eq!(refused["code"], "support.ended");
}

async fn support_access_has_its_time(store: &Fresh) {
    let service = service(store).await;
    let one = service.organization("one").await;
    let grant = service.grant(&one, 5).await;
    service.pass(270);
    let path = format!("{ORGANIZATIONS}/{}/support-grants/{grant}/token", one.id);
    let answer = service.operator.post(&path, &json!({})).await.expect(200).json();
    assert_eq!(answer["expires_in"], 30);
    assert!(answer.get("refresh_token").is_none());
    let client = service.nobody.with_token(answer["access_token"].as_str().unwrap());
    service.pass(27);
    client.get("/api/v1/locations").await.expect(200);
    service.pass(4);
    client.get("/api/v1/locations").await.expect(401);
    service.operator.post(&path, &json!({})).await.expect(409);
}

async fn support_access_ends_with_what_it_rests_on(store: &Fresh) {
    let service = service(store).await;
    let otto = log_in(&service.nobody, None, "otto@service.example").await;
    let one = service.organization("one").await;
    let access = service.access(&one, 240).await;
    access.client.get("/api/v1/locations").await.expect(200);
    let olga = text(&claims(&access.token)["act"]["sub"]);
    otto.post(&format!("{OPERATORS}/{olga}/disable"), &json!({})).await.expect(200);
    service.pass(4);
    access.client.get("/api/v1/locations").await.expect(401);
    rest(&service, &otto).await;
}

/// The other things, each with an organisation of its own.
async fn rest(service: &Service, operator: &Client) {
    for (slug, what) in [("b", "member"), ("c", "suspend"), ("d", "close"), ("e", "consent"), ("f", "end")] {
        let admin = json!({ "email": format!("o@{slug}.example"), "name": "Ada", "password": PASSWORD });
        let body = json!({ "slug": format!("org-{slug}"), "name": slug, "admin": admin });
        let made = operator.post(ORGANIZATIONS, &body).await.expect(201).json();
        let owner = log_in(&service.nobody, Some(&format!("org-{slug}")), &format!("o@{slug}.example")).await;
        let new = json!({
            "email": format!("s@{slug}.example"), "name": "S", "roles": ["owner"], "password": PASSWORD,
        });
        let member = owner.post("/api/v1/users", &new).await.expect(201);
        let path = format!("{ORGANIZATIONS}/{}", text(&made["id"]));
        let body = json!({ "email": format!("S@{slug}.example"), "reason": REASON, "minutes": 60 });
        let grant = operator.post(&format!("{path}/support-grants"), &body).await.expect(201).json();
        let grant = format!("{path}/support-grants/{}", text(&grant["id"]));
        let token = operator.post(&format!("{grant}/token"), &json!({})).await.expect(200).json();
        let client = service.nobody.with_token(token["access_token"].as_str().unwrap());
        client.get("/api/v1/locations").await.expect(200);
        let change = async |path: &str, tag: &str, body: Value| {
            let headers = [("if-match", tag)];
            owner.call(Method::PATCH, path, &headers, Some(&body)).await.expect(200);
        };
        match what {
            "member" => {
                let path = format!("/api/v1/users/{}", text(&member.json()["id"]));
                change(&path, member.header("etag").unwrap(), json!({ "status": "disabled" })).await;
            }
            "suspend" => drop(operator.post(&format!("{path}/suspend"), &json!({})).await.expect(200)),
            "close" => {
                let body = json!({ "reason": "left us" });
                operator.post(&format!("{path}/close"), &body).await.expect(200);
            }
            "consent" => {
                let own = owner.get("/api/v1/organization").await;
                let body = json!({ "support_access_allowed": false });
                change("/api/v1/organization", own.header("etag").unwrap(), body).await;
                let body = json!({ "email": format!("s@{slug}.example"), "reason": REASON, "minutes": 60 });
                let no = operator.post(&format!("{path}/support-grants"), &body).await.expect(409).json();
                assert_eq!(no["code"], "support.not-allowed");
            }
            _ => drop(operator.post(&format!("{grant}/end"), &json!({})).await.expect(200)),
        }
        service.pass(4);
        let refused = client.get("/api/v1/locations").await;
        assert_eq!(refused.status, 401, "{what}: {}", refused.text());
        operator.post(&format!("{grant}/token"), &json!({})).await.expect(409);
    }
}

async fn bad_grants_are_refused(store: &Fresh) {
    let service = service(store).await;
    let (one, two) = (service.organization("one").await, service.organization("two").await);
    let path = format!("{ORGANIZATIONS}/{}/support-grants", one.id);
    let random = id().to_string();
    for (body, pointer) in [
        (json!({ "user_id": one.owner_id, "reason": "short", "minutes": 30 }), "/reason"),
        (json!({ "user_id": one.owner_id, "reason": REASON, "minutes": 4 }), "/minutes"),
        (json!({ "user_id": one.owner_id, "reason": REASON, "minutes": 241 }), "/minutes"),
        (json!({ "user_id": one.owner_id, "reason": REASON, "minutes": 70000 }), "/minutes"),
        (json!({ "reason": REASON, "minutes": 30 }), "/user_id"),
        (
            json!({ "user_id": one.owner_id, "email": "owner@one.example", "reason": REASON, "minutes": 30 }),
            "/user_id",
        ),
        (json!({ "email": "owner@two.example", "reason": REASON, "minutes": 30 }), "/email"),
        (json!({ "email": "nobody@one.example", "reason": REASON, "minutes": 30 }), "/email"),
        (json!({ "user_id": random, "reason": REASON, "minutes": 30 }), "/user_id"),
        (json!({ "user_id": two.owner_id, "reason": REASON, "minutes": 30 }), "/user_id"),
    ] {
        let refused = service.operator.post(&path, &body).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}");
    }
    let tell = async |user: &str| {
        let body = json!({ "user_id": user, "reason": REASON, "minutes": 30 });
        let mut told = service.operator.post(&path, &body).await.expect(422).json();
        told["request_id"] = Value::Null;
        told
    };
    assert_eq!(tell(&random).await, tell(&two.owner_id).await);
    assert_eq!(one.owner.get("/api/v1/support-access").await.json()["items"], json!([]));

    // Tokens are for the operator whose grant it is, in the organisation that it is for.
    let grant = service.grant(&one, 30).await;
    let otto = log_in(&service.nobody, None, "otto@service.example").await;
    let refused = otto.post(&format!("{path}/{grant}/token"), &json!({})).await.expect(403).json();
    assert_eq!(refused["code"], "support.not-yours");
    let elsewhere = format!("{ORGANIZATIONS}/{}/support-grants/{grant}/token", two.id);
    service.operator.post(&elsewhere, &json!({})).await.expect(404);
    service.operator.post(&format!("{ORGANIZATIONS}/{}/suspend", one.id), &json!({})).await.expect(200);
    let body = json!({ "user_id": one.owner_id, "reason": REASON, "minutes": 30 });
    let refused = service.operator.post(&path, &body).await.expect(409).json();
    assert_eq!(refused["code"], "support.organization-inactive");
}

/// Through the rights of an owner, who may do everything: every endpoint that there is.
async fn what_is_barred_is_barred_at_every_endpoint(store: &Fresh) {
    let service = service(store).await;
    let one = service.organization("one").await;
    let access = service.access(&one, 240).await;
    let document = service.nobody.get("/api/openapi.json").await.expect(200).json();
    let (mut open, mut shut) = (0, 0);
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            if operation["security"] == json!([{}]) || operation["x-websocket"] == true {
                continue;
            }
            let name = format!("{method} {path}");
            let address = path
                .split('/')
                .map(|part| if part.starts_with('{') { id().to_string() } else { part.into() });
            let address = address.collect::<Vec<String>>().join("/");
            let method: Method = method.to_uppercase().parse().unwrap();
            let reply = access.client.call(method, &address, &[], None).await;
            let permission =
                operation["x-permission"].as_str().map(|code| Permission::from_code(code).unwrap());
            // Nobody proves through a grant who they are.
            let confirmed = operation["responses"]["401"].is_object();
            let barred = match permission {
                _ if confirmed => true,
                // What a schedule starts would act on after the grant has ended. (The others want a body first.)
                _ if name.starts_with("get /api/v1/schedules") => true,
                Some(permission) => permission.is_barred_to_support(),
                None => !["get /api/v1/auth/me", "post /api/v1/events/tickets"].contains(&name.as_str()),
            };
            if barred {
                shut += 1;
                assert_eq!(reply.status, 403, "{name}: {}", reply.text());
            } else {
                open += 1;
                assert!(![401, 403].contains(&reply.status.as_u16()), "{name}: {}", reply.text());
            }
        }
    }
    assert!(open > 20 && shut > 20, "{open} open, {shut} barred");
    // Nothing of it gets a session, or a longer life.
    let token = json!({ "refresh_token": access.token });
    service.nobody.post("/api/v1/auth/refresh", &token).await.expect(401);
}

hrms_tests::on_every_engine!(
    an_organisation_is_closed_and_reopened,
    support_access_from_beginning_to_end,
    support_access_has_its_time,
    support_access_ends_with_what_it_rests_on,
    bad_grants_are_refused,
    what_is_barred_is_barred_at_every_endpoint,
);
