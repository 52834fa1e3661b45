//! What has to be there before a call can succeed.

use hrms_core::import::ImportJob;
use hrms_core::job::{JobRegistry, run_until_idle};
use hrms_core::notification::Notifications;
use hrms_tests::Client;
use http::{Method, Request};
use serde_json::{Value, json};

use crate::all::sweep::world::{PASSWORD, World, log_in};

/// What is made on the way to a success gets a name of its own.
pub(super) struct Names(pub(super) usize);

impl Names {
    pub(super) fn next(&mut self) -> String {
        self.0 += 1;
        format!("n{}", self.0)
    }
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

impl World {
    /// Somebody new in `acme`: their id and address, and a client of theirs.
    pub(super) async fn somebody(&self, names: &mut Names) -> (String, String, Client) {
        let email = format!("{}@acme.example", names.next());
        let new = json!({ "email": email, "name": "Jane", "roles": ["employee"], "password": PASSWORD });
        let made = self.acme.client.post("/api/v1/users", &new).await.expect(201).json();
        let (client, _) = log_in(&self.nobody, Some("acme"), &email).await;
        (text(&made["id"]), email, client)
    }

    /// Somebody new in the other organisation: their address, and a client of theirs.
    pub(super) async fn outsider(&self, names: &mut Names) -> (String, Client) {
        let email = format!("{}@other.example", names.next());
        let new = json!({ "email": email, "name": "Omar", "roles": ["employee"], "password": PASSWORD });
        self.other.client.post("/api/v1/users", &new).await.expect(201);
        let (client, _) = log_in(&self.nobody, Some("other"), &email).await;
        (email, client)
    }

    /// Somebody new with a second factor, and their recovery codes.
    pub(super) async fn enrolled(&self, names: &mut Names) -> (String, String, Client, Value) {
        let (id, email, client) = self.somebody(names).await;
        let shown = client.post("/api/v1/auth/totp", &json!({})).await.expect(200).json();
        let first = json!({ "otp": self.code(&shown["secret"]) });
        let codes = client.post("/api/v1/auth/totp/confirm", &first).await.expect(200).json();
        (id, email, client, codes["recovery_codes"].clone())
    }

    pub(super) fn code(&self, secret: &Value) -> String {
        let secret = totp_rs::Secret::try_from_base32(secret.as_str().unwrap()).unwrap();
        let totp = totp_rs::Builder::new().with_secret(secret).build().unwrap();
        totp.generate(u64::try_from(hrms_core::Clock::now(&*self.clock).as_second()).unwrap()).to_string()
    }

    /// An invitation to `acme`, and the token of its message.
    pub(super) async fn invited(&self, email: &str) -> String {
        let new = json!({ "email": email, "name": "Zoë", "roles": ["employee"] });
        self.acme.client.post("/api/v1/invitations", &new).await.expect(201);
        run_until_idle(&self.hrms, &JobRegistry::standard()).await.unwrap();
        self.token_to(email).await
    }

    pub(super) async fn token_to(&self, email: &str) -> String {
        self.letterbox.token_to(email).await
    }

    /// An import that has ended, of which the caller was told; the notification's id.
    async fn told(&self) -> String {
        let acme = &self.acme.client;
        let request = Request::builder()
            .method(Method::POST)
            .uri(acme.url("/api/v1/imports?kind=designations"))
            .header("content-type", "text/csv");
        let file = bytes::Bytes::from_static(b"code,name\nQ,Q\n");
        acme.send(request.body(file).unwrap()).await.expect(202);
        let registry = JobRegistry::empty().with::<ImportJob>().with_subscriber(Notifications);
        run_until_idle(&self.hrms, &registry).await.unwrap();
        let list = acme.get("/api/v1/notifications?type=import.finished").await.expect(200).json();
        text(&list["items"][0]["id"])
    }

    /// The link in a message that stops messages of its type.
    pub(super) async fn stopping(&self) -> String {
        self.told().await;
        run_until_idle(&self.hrms, &JobRegistry::standard()).await.unwrap();
        self.letterbox.stopping().expect("no message with a link")
    }

    /// A delivery that nobody wanted any more; its id.
    pub(super) async fn dropped(&self) -> String {
        let settings = "/api/v1/notification-settings";
        let tag = self.acme.client.get(settings).await.expect(200).header("etag").unwrap().to_owned();
        let all = json!({ "preferences": null });
        self.acme.client.call(Method::PATCH, settings, &[("if-match", &tag)], Some(&all)).await.expect(200);
        let id = self.told().await;
        let one = format!("/api/v1/notifications/{id}");
        self.acme.client.call(Method::POST, &format!("{one}/read"), &[], None).await.expect(200);
        run_until_idle(&self.hrms, &JobRegistry::standard()).await.unwrap();
        text(&self.acme.client.get(&one).await.expect(200).json()["deliveries"][0]["id"])
    }

    /// An access of an operator that is open.
    pub(super) async fn access(&self) -> String {
        let path = format!(
            "/api/v1/platform/organizations/{}/support-grants",
            self.acme.ids["platform/organizations"]
        );
        let body =
            json!({ "user_id": self.acme.ids["users"], "reason": "ticket 3: look again", "minutes": 30 });
        text(&self.operator.post(&path, &body).await.expect(201).json()["id"])
    }

    /// A request for a day of leave.
    pub(super) async fn leave_request(&self, day: &str) -> String {
        let body = json!({
            "employee_id": self.acme.referenced("employee_id"), "starts_on": day, "ends_on": day,
            "leave_type_id": self.acme.referenced("leave_type_id"),
        });
        text(&self.acme.client.post("/api/v1/leave-requests", &body).await.expect(201).json()["id"])
    }

    /// A claim of somebody else's for work on a day.
    pub(super) async fn leave_claim(&self, day: &str) -> String {
        let body = json!({
            "kind": "compensatory", "employee_id": self.acme.referenced("employee_id"), "worked_on": day,
            "leave_type_id": self.acme.ids["compensatory-types"], "days": "1",
        });
        text(&self.acme.client.post("/api/v1/leave-claims", &body).await.expect(201).json()["id"])
    }

    /// A webhook of its own, with a delivery that has failed; its address, and the delivery's id.
    pub(super) async fn webhook(&self) -> (String, String) {
        let acme = &self.acme.client;
        let new = json!({ "url": "https://hooks.example.com/spare", "types": ["location.created"] });
        let made = acme.post("/api/v1/webhooks", &new).await.expect(201);
        let path = made.header("location").unwrap().to_owned();
        acme.call(Method::POST, &format!("{path}/test"), &[], None).await.expect(200);
        run_until_idle(&self.hrms, &JobRegistry::standard()).await.unwrap();
        acme.call(Method::POST, &format!("{path}/disable"), &[], None).await.expect(200);
        let deliveries = acme.get(&format!("{path}/deliveries")).await.expect(200).json();
        (path, text(&deliveries["items"][0]["id"]))
    }

    /// Something new to be removed.
    pub(super) async fn spare(&self, collection: &str, names: &mut Names) -> String {
        let name = names.next();
        let text_of = "forbid (principal is ServiceAccount, action, resource);";
        let body = match collection {
            "roles" => {
                json!({ "code": name, "name": name, "grants": [{ "permission": "leave.read", "scope": "reports" }] })
            }
            "policies" => json!({ "name": name, "text": text_of }),
            "locations" => json!({ "code": name, "name": name, "time_zone": "UTC" }),
            "service-accounts" => json!({ "name": name, "permissions": [] }),
            "approval-chains" => {
                let levels = json!([{ "approvers": [{ "type": "manager" }] }]);
                json!({ "kind": "leave_request", "code": name, "name": name, "levels": levels, "active": false })
            }
            "approval-delegations" => {
                json!({
                    "delegate_id": self.acme.referenced("delegate_id"), "from": "2026-11-01", "to": "2027-11-01",
                })
            }
            "calendar-feeds" => json!({ "kind": "personal" }),
            "work-patterns" => json!({ "code": name, "name": name, "weeks": [{ "monday": 480 }] }),
            _ => json!({ "code": name, "name": name }),
        };
        let made = self.acme.client.post(&format!("/api/v1/{collection}"), &body).await.expect(201);
        format!("/api/v1/{collection}/{}", text(&made.json()["id"]))
    }
}
