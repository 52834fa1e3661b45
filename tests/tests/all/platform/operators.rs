//! Operators among themselves: what is asked of them, and what becomes of what they had, over real sockets.

use async_trait::async_trait;
use hrms_core::contract::all_at_once;
use hrms_core::identity::Subject;
use hrms_core::sealed::KeyBox;
use hrms_core::{Clock, RequestId, Store, TenantId, UserId};
use hrms_http::{AuthError, Authenticate, BearerAuth, Caller, Tokens};
use hrms_tests::{Client, Fresh, Reply};
use http::Method;
use http::request::Parts;
use serde_json::{Value, json};
use tokio::sync::Barrier;

use super::http::{
    OPERATORS, ORGANIZATIONS, PASSWORD, REASON, Service, claims, log_in, service, service_with, text,
};

const RESETS: &str = "/api/v1/platform/second-factor-resets";
const OLGA: &str = "olga@service.example";
const OTTO: &str = "otto@service.example";

fn code_of(reply: &Reply) -> String {
    text(&reply.json()["code"])
}

/// The entries of the platform's log about this, newest first.
async fn on_record(by: &Client, action: &str) -> Vec<Value> {
    let path = format!("/api/v1/platform/audit-log?action={action}");
    by.get(&path).await.expect(200).json()["items"].as_array().unwrap().clone()
}

/// Knows who calls like any other server, but lets requests that say so go on only two at a time.
struct Together {
    auth: BearerAuth,
    two: Barrier,
}

#[async_trait]
impl Authenticate for Together {
    async fn authenticate(&self, parts: &Parts, request: RequestId) -> Result<Caller, AuthError> {
        let caller = self.auth.authenticate(parts, request).await;
        if parts.headers.contains_key("x-together") {
            self.two.wait().await;
        }
        caller
    }

    fn tokens(&self) -> Option<&Tokens> {
        self.auth.tokens()
    }

    fn forget(&self, subject: &Subject) {
        self.auth.forget(subject);
    }
}

async fn operators_look_after_each_other(store: &Fresh) {
    let together = |hrms, tokens| Together { auth: BearerAuth::new(hrms, tokens), two: Barrier::new(2) };
    let service = service_with(store, |builder| builder, together).await;
    let otto = log_in(&service.nobody, None, OTTO).await;
    let listed = service.operator.get(OPERATORS).await.expect(200).json();
    let ids: Vec<String> = listed["items"].as_array().unwrap().iter().map(|one| text(&one["id"])).collect();
    assert_eq!(ids.len(), 2);
    assert!(listed["items"][0].get("password_hash").is_none());
    let sessions = service.operator.get(&format!("{OPERATORS}/{}/sessions", ids[1])).await.expect(200).json();
    let session = text(&sessions["items"][0]["id"]);
    service.operator.delete(&format!("{OPERATORS}/{}/sessions/{session}", ids[0])).await.expect(404);
    service.operator.delete(&format!("{OPERATORS}/{}/sessions/{session}", ids[1])).await.expect(204);
    service.operator.delete(&format!("{OPERATORS}/{}/sessions/{session}", ids[1])).await.expect(404);
    service.pass(4);
    otto.get(OPERATORS).await.expect(401);

    // Each disables the other, and both are known when the first does: one stays.
    let otto = log_in(&service.nobody, None, OTTO).await;
    let disable = async |by: &Client, id: &str| {
        by.call(Method::POST, &format!("{OPERATORS}/{id}/disable"), &[("x-together", "1")], None).await
    };
    let (one, two) = tokio::join!(disable(&service.operator, &ids[1]), disable(&otto, &ids[0]));
    let (stays, gone, refused) =
        if one.status == 200 { (&service.operator, 1, two) } else { (&otto, 0, one) };
    assert_eq!(code_of(&refused.expect(409)), "operator.last");
    service.pass(4);
    let left = stays.get(&format!("{OPERATORS}?status=active")).await.expect(200).json();
    assert_eq!(left["items"].as_array().unwrap().len(), 1);
    let last = stays.post(&format!("{OPERATORS}/{}/disable", ids[1 - gone]), &json!({})).await.expect(409);
    assert_eq!(code_of(&last), "operator.last");
    let email = [OLGA, OTTO][gone];
    let body = json!({ "email": email, "password": PASSWORD });
    service.nobody.post("/api/v1/auth/login", &body).await.expect(401);
    stays.post(&format!("{OPERATORS}/{}/enable", ids[gone]), &json!({})).await.expect(200);
    log_in(&service.nobody, None, email).await;
}

/// Whatever an operator changes wants a fresh proof, and is undone by none that is old.
async fn what_operators_change_wants_a_fresh_proof(store: &Fresh) {
    let service = service(store).await;
    let document = service.nobody.get("/api/openapi.json").await.expect(200).json();
    let mut tokens = try_log_in(&service, None, OLGA).await.expect(200).json();
    for _ in 0..2 {
        service.pass(300);
        let refresh = json!({ "refresh_token": tokens["refresh_token"] });
        tokens = service.nobody.post("/api/v1/auth/refresh", &refresh).await.expect(200).json();
    }
    let olga = service.nobody.with_token(tokens["access_token"].as_str().unwrap());
    olga.get(OPERATORS).await.expect(200);
    let mut tried = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let methods = operations.as_object().unwrap().keys().filter(|method| *method != "get");
        for method in methods.filter(|_| path.starts_with("/api/v1/platform/")) {
            tried += 1;
            let address = path.replace("{id}", &hrms_core::contract::id().to_string());
            let method: Method = method.to_uppercase().parse().unwrap();
            let refused = olga.call(method, &address, &[], None).await.expect(401);
            assert_eq!(code_of(&refused), "auth.step-up-required", "{path}");
            assert!(refused.header("www-authenticate").unwrap().contains("insufficient_user_authentication"));
        }
    }
    assert!(tried >= 12, "{tried}");
    assert_eq!(on_record(&olga, "operator.").await.len(), 2, "only the two that there are");
    olga.post("/api/v1/auth/step-up", &json!({ "password": PASSWORD })).await.expect(200);
    let new = json!({ "email": "oda@service.example", "name": "Oda", "password": PASSWORD });
    olga.post(OPERATORS, &new).await.expect(201);
}

async fn support_access_ends_for_good_with_its_operator(store: &Fresh) {
    let service = service(store).await;
    let (one, two) = (service.organization("one").await, service.organization("two").await);
    let (first, second) = (service.access(&one, 240).await, service.access(&two, 240).await);
    let otto = log_in(&service.nobody, None, OTTO).await;
    let body = json!({ "user_id": one.owner_id, "reason": REASON, "minutes": 60 });
    let path = format!("{ORGANIZATIONS}/{}/support-grants", one.id);
    let ottos = text(&otto.post(&path, &body).await.expect(201).json()["id"]);
    let ottos_id = text(&otto.get("/api/v1/auth/me").await.expect(200).json()["user"]["id"]);
    let olgas_id = text(&service.operator.get("/api/v1/auth/me").await.expect(200).json()["user"]["id"]);

    otto.post(&format!("{OPERATORS}/{olgas_id}/disable"), &json!({})).await.expect(200);
    service.pass(4);
    for (organization, access) in [(&one, &first), (&two, &second)] {
        access.client.get("/api/v1/locations").await.expect(401);
        // The organisation sees who ended it, and has it on record.
        let seen = organization.owner.get(&format!("/api/v1/support-access/{}", access.grant)).await;
        let seen = seen.expect(200).json();
        assert_eq!(seen["ended_by"], json!(ottos_id), "{seen}");
        let path = "/api/v1/audit-log?action=support_access.ended";
        let entries = organization.owner.get(path).await.expect(200).json();
        assert_eq!(entries["items"].as_array().unwrap().len(), 1, "{entries}");
        assert_eq!(entries["items"][0]["author"]["kind"], "operator");
        assert_eq!(entries["items"][0]["author"]["id"], json!(ottos_id));
        assert_eq!(entries["items"][0]["subject"], json!(format!("support-access/{}", access.grant)));
    }
    // Another operator's goes on.
    otto.post(&format!("{path}/{ottos}/token"), &json!({})).await.expect(200);

    // Enabling doesn't bring them back.
    otto.post(&format!("{OPERATORS}/{olgas_id}/enable"), &json!({})).await.expect(200);
    service.pass(4);
    let olga = log_in(&service.nobody, None, OLGA).await;
    first.client.get("/api/v1/locations").await.expect(401);
    let refused = olga.post(&format!("{path}/{}/token", first.grant), &json!({})).await.expect(409);
    assert_eq!(code_of(&refused), "support.ended");
    // Nor does enabling somebody who is enabled end anything.
    olga.post(&format!("{OPERATORS}/{ottos_id}/enable"), &json!({})).await.expect(200);
    otto.post(&format!("{path}/{ottos}/token"), &json!({})).await.expect(200);

    // The platform's log knows who began and ended what; also what the organisation ends.
    one.owner.post(&format!("/api/v1/support-access/{ottos}/end"), &json!({})).await.expect(200);
    let started = on_record(&otto, "support_access.started").await;
    let authors: Vec<_> = started.iter().map(|entry| entry["author"]["id"].clone()).collect();
    assert_eq!(authors, [json!(ottos_id), json!(olgas_id), json!(olgas_id)]);
    let subject = format!("organizations/{}/support-grants/{ottos}", one.id);
    assert_eq!((&started[0]["subject"], &started[0]["after"]["reason"]), (&json!(subject), &json!(REASON)));
    let ended = on_record(&otto, "support_access.ended").await;
    let authors: Vec<_> = ended.iter().map(|entry| entry["author"].clone()).collect();
    assert_eq!((&authors[0]["kind"], &authors[0]["id"]), (&json!("user"), &json!(one.owner_id)));
    for author in &authors[1..] {
        assert_eq!((&author["kind"], &author["id"]), (&json!("operator"), &json!(ottos_id)));
    }
    assert_eq!(authors.len(), 3);
}

/// Two operators disable a third one, whose grants end once.
async fn grants_end_once_however_many_disable(store: &Fresh) {
    let service = service(store).await;
    let one = service.organization("one").await;
    let access = service.access(&one, 240).await;
    let olga = text(&claims(&access.token)["act"]["sub"]);
    let new = json!({ "email": "oda@service.example", "name": "Oda", "password": PASSWORD });
    service.operator.post(OPERATORS, &new).await.expect(201);
    let (otto, oda) = (
        log_in(&service.nobody, None, OTTO).await,
        log_in(&service.nobody, None, "oda@service.example").await,
    );
    let path = format!("{OPERATORS}/{olga}/disable");
    let body = json!({});
    let answers = all_at_once([&otto, &oda].map(|by| by.post(&path, &body))).await;
    assert!(answers.iter().any(|reply| reply.status == 200), "{answers:?}");
    let ended = one.owner.get("/api/v1/audit-log?action=support_access.ended").await.expect(200).json();
    assert_eq!(ended["items"].as_array().unwrap().len(), 1, "{ended}");
}

/// The present code of an authenticator.
fn code(service: &Service, secret: &str) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
    let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    totp.generate(u64::try_from(service.clock.now().as_second()).unwrap()).to_string()
}

/// Sets up a second factor; its secret.
async fn enrol(service: &Service, who: &Client) -> String {
    let secret = text(&who.post("/api/v1/auth/totp", &json!({})).await.expect(200).json()["secret"]);
    let first = json!({ "otp": code(service, &secret) });
    who.post("/api/v1/auth/totp/confirm", &first).await.expect(200);
    secret
}

async fn try_log_in(service: &Service, organization: Option<&str>, email: &str) -> Reply {
    let body = json!({ "organization": organization, "email": email, "password": PASSWORD });
    service.nobody.post("/api/v1/auth/login", &body).await
}

async fn operators_can_be_required_to_have_a_second_factor(store: &Fresh) {
    let with = |builder: hrms_core::hrms::Builder| {
        builder.secret_box(KeyBox::new([3; 32])).operators_need_second_factor(true)
    };
    let service = service_with(store, with, BearerAuth::new).await;
    let tokens = try_log_in(&service, None, OLGA).await.expect(200).json();
    assert_eq!(tokens["pending"], json!(["enrol-second-factor"]));
    let olga = &service.operator;
    for path in [OPERATORS, ORGANIZATIONS, "/api/v1/auth/me"] {
        assert_eq!(code_of(&olga.get(path).await.expect(403)), "auth.incomplete");
    }
    let new = json!({ "email": "oda@service.example", "name": "Oda", "password": PASSWORD });
    assert_eq!(code_of(&olga.post(OPERATORS, &new).await.expect(403)), "auth.incomplete");
    enrol(&service, olga).await;
    let listed = olga.get(OPERATORS).await.expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 2);
    assert_eq!(code_of(&olga.delete("/api/v1/auth/totp").await.expect(409)), "auth.second-factor-needed");
    let tokens = try_log_in(&service, None, OLGA).await.expect(200).json();
    assert_eq!(tokens["pending"], json!(["otp"]));
    // Members of organisations aren't meant.
    let one = service.organization("one").await;
    one.owner.get("/api/v1/auth/me").await.expect(200);
}

async fn a_lost_second_factor_is_reset_by_another_operator(store: &Fresh) {
    let with = |builder: hrms_core::hrms::Builder| builder.secret_box(KeyBox::new([3; 32]));
    let service = service_with(store, with, BearerAuth::new).await;
    let otto = log_in(&service.nobody, None, OTTO).await;
    enrol(&service, &otto).await;
    let (one, two) = (service.organization("one").await, service.organization("two").await);
    // Somebody who belongs to both.
    let [first, second] = [&one, &two].map(|own| TenantId::from_uuid(own.id.parse().unwrap()));
    let ada = UserId::from_uuid(one.owner_id.parse().unwrap());
    let member = store.read(first).await.unwrap().users().get(ada).await.unwrap().unwrap();
    let mut tx = store.begin(second).await.unwrap();
    tx.users().insert_membership(&member).await.unwrap();
    tx.commit().await.unwrap();
    enrol(&service, &one.owner).await;

    let olga = &service.operator;
    for (email, reason, pointer) in [
        ("nobody@one.example", REASON, "/email"),
        ("not an address", REASON, "/email"),
        ("", REASON, "/email"),
        (OTTO, "short", "/reason"),
        (OTTO, "", "/reason"),
    ] {
        let body = json!({ "email": email, "reason": reason });
        let refused = olga.post(RESETS, &body).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{body}");
    }
    let reset = |email: &str| json!({ "email": email, "reason": REASON });
    assert_eq!(code_of(&olga.post(RESETS, &reset(OLGA)).await.expect(403)), "user.own-second-factor");
    let none = olga.post(RESETS, &reset("owner@two.example")).await.expect(422);
    assert_eq!(code_of(&none), "auth.otp-not-enrolled");
    one.owner.post(RESETS, &reset(OTTO)).await.expect(403);
    assert!(on_record(olga, "user.second-factor-reset").await.is_empty());

    olga.post(RESETS, &reset("OTTO@service.example")).await.expect(204);
    olga.post(RESETS, &reset("owner@one.example")).await.expect(204);
    service.pass(4);
    otto.get(OPERATORS).await.expect(401);
    one.owner.get("/api/v1/auth/me").await.expect(401);
    for (organization, email) in
        [(None, OTTO), (Some("one"), "owner@one.example"), (Some("two"), "owner@one.example")]
    {
        let tokens = try_log_in(&service, organization, email).await.expect(200).json();
        assert_eq!(tokens["pending"], json!([]), "{email}");
    }
    // On record with the platform, and where the account belongs.
    let olgas_id = olga.get("/api/v1/auth/me").await.expect(200).json()["user"]["id"].clone();
    let about = |entries: &[Value]| -> Vec<Value> {
        let known =
            |entry: &&Value| entry["author"]["kind"] == "operator" && entry["author"]["id"] == olgas_id;
        let entries = entries.iter().filter(known).filter(|entry| entry["why"] == REASON);
        entries.map(|entry| entry["subject"].clone()).collect()
    };
    let of_ada = json!(format!("users/{ada}"));
    let platform = about(&on_record(olga, "user.second-factor-reset").await);
    assert_eq!((platform.len(), &platform[0]), (2, &of_ada), "{platform:?}");
    let again = log_in(&service.nobody, Some("one"), "owner@one.example").await;
    for owner in [&again, &two.owner] {
        let path = "/api/v1/audit-log?action=user.second-factor-reset";
        let entries = owner.get(path).await.expect(200).json();
        assert_eq!(about(entries["items"].as_array().unwrap()), std::slice::from_ref(&of_ada));
    }
}

hrms_tests::on_every_engine!(
    operators_look_after_each_other,
    what_operators_change_wants_a_fresh_proof,
    support_access_ends_for_good_with_its_operator,
    grants_end_once_however_many_disable,
    operators_can_be_required_to_have_a_second_factor,
    a_lost_second_factor_is_reset_by_another_operator,
);
