//! An organisation with departments, and its API, to which everybody comes with the rights that they have at that moment.

use std::sync::Arc;

use async_trait::async_trait;
use hrms_core::contract::tenant;
use hrms_core::{Actor, Cause, Clock, FixedClock, Hrms, RequestId, Role, Store, TenantId, UserId, Who};
use hrms_http::{AuthError, Authenticate, Caller, Config, Server};
use hrms_store::SqlStore;
use hrms_tests::Client;
use http::header::AUTHORIZATION;
use http::request::Parts;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Takes the token `<role> <tenant>` at its word, and for `<tenant>/<user> -` looks up what the user may do.
struct AsTheyStand(SqlStore, Arc<FixedClock>);

#[async_trait]
impl Authenticate for AsTheyStand {
    async fn authenticate(&self, parts: &Parts, request: RequestId) -> Result<Caller, AuthError> {
        let Some(header) = parts.headers.get(AUTHORIZATION) else { return Ok(Caller::Anonymous) };
        let words: Vec<&str> = header.to_str().unwrap().split(' ').collect();
        let [_, first, second] = words.as_slice() else { panic!("{words:?}") };
        if let Some((tenant, user)) = first.split_once('/') {
            let (tenant, user) = (tenant.parse().unwrap(), user.parse().unwrap());
            let mut tx = self.0.read(tenant).await.unwrap();
            let standing = tx.users().rights(user, self.1.today(&TimeZone::UTC)).await.unwrap();
            let Some(standing) = standing else { return Ok(Caller::Anonymous) };
            let who = Who::User { user, session: None, employee: standing.employee };
            let actor =
                Actor::with_grants(tenant, who, standing.roles, standing.grants, Cause::Request, request);
            return Ok(Caller::User(actor.with_facts(standing.facts)));
        }
        let tenant: TenantId = second.parse().unwrap();
        let who = Who::User { user: UserId::from_uuid(tenant.as_uuid()), session: None, employee: None };
        Ok(Caller::User(Actor::user(
            tenant,
            who,
            &[Role::from_code(first).unwrap()],
            Cause::Request,
            request,
        )))
    }
}

pub(super) struct World {
    pub(super) clock: Arc<FixedClock>,
    pub(super) anonymous: Client,
    pub(super) hr: Client,
    pub(super) owner: Client,
    pub(super) pune: String,
    pub(super) angeles: String,
    pub(super) engineering: String,
    pub(super) api_team: String,
    pub(super) sales: String,
    pub(super) annual: String,
    pub(super) sick: String,
    /// In engineering; the others there report to her.
    pub(super) lead: Person,
    pub(super) asha: Person,
    pub(super) bela: Person,
    /// In the team below engineering.
    pub(super) chen: Person,
    /// In sales, in Los Angeles.
    pub(super) dora: Person,
}

/// An employee, and their user.
pub(super) struct Person {
    pub(super) id: String,
    pub(super) user: String,
    pub(super) client: Client,
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

async fn add(by: &Client, collection: &str, body: Value) -> String {
    text(&by.post(&format!("/api/v1/{collection}"), &body).await.expect(201).json()["id"])
}

impl World {
    /// Monday 23 November 2026, 09:30 in Pune; Sunday evening in Los Angeles.
    pub(super) async fn new(store: &SqlStore) -> Self {
        let clock = Arc::new(FixedClock::at("2026-11-23T04:00:00Z".parse().unwrap()));
        let hrms =
            Hrms::builder(store.clone()).clock(clock.clone()).public_url("https://hr.example.com").build();
        let server = Server::new(hrms, AsTheyStand(store.clone(), clock.clone()), Config::new([7; 32]));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let anonymous = Client::new(&format!("http://{}", listener.local_addr().unwrap()));
        tokio::spawn(server.unwrap().serve(listener, std::future::pending()));
        let tenant = tenant(store).await;
        let hr = anonymous.with_token(&format!("hr {tenant}"));
        let owner = anonymous.with_token(&format!("owner {tenant}"));
        let place = |code: &str, zone: &str| json!({ "code": code, "name": code, "time_zone": zone });
        let pune = add(&hr, "locations", place("pune", "Asia/Kolkata")).await;
        let angeles = add(&hr, "locations", place("la", "America/Los_Angeles")).await;
        let engineering = add(&hr, "departments", json!({ "code": "eng", "name": "Engineering" })).await;
        let team = json!({ "code": "api", "name": "API", "parent_id": engineering });
        let api_team = add(&hr, "departments", team).await;
        let sales = add(&hr, "departments", json!({ "code": "sales", "name": "Sales" })).await;
        let annual = add(&hr, "leave-types", json!({ "code": "annual", "name": "Annual leave" })).await;
        let sick = add(&hr, "leave-types", json!({ "code": "sick", "name": "Sick leave" })).await;
        for leave_type in [&annual, &sick] {
            let rules = json!({ "effective_from": "2020-01-01", "rules": { "hours": true } });
            hr.post(&format!("/api/v1/leave-types/{leave_type}/rules"), &rules).await.expect(200);
        }
        let hire = async |name: &str,
                          department: &str,
                          place: &str,
                          manager: Option<&str>,
                          roles: &[&str]| {
            let new = json!({
                "given_name": name, "family_name": "Rao", "hired_on": "2020-01-01",
                "department_id": department, "location_id": place, "manager_id": manager,
            });
            let id = add(&hr, "employees", new).await;
            for leave_type in [&annual, &sick] {
                let grant = json!({
                    "employee_id": id, "leave_type_id": leave_type, "days": "60", "valid_from": "2026-01-01",
                });
                add(&hr, "leave-grants", grant).await;
            }
            let new = json!({
                "email": format!("{name}@acme.example"), "name": name, "roles": roles, "employee_id": id,
                "password": "seven anvils on a roof",
            });
            let user = add(&owner, "users", new).await;
            let client = anonymous.with_token(&format!("{tenant}/{user} -"));
            Person { id, user, client }
        };
        let lead = hire("Lead", &engineering, &pune, None, &["employee", "manager"]).await;
        let asha = hire("Asha", &engineering, &pune, Some(&lead.id), &["employee"]).await;
        let bela = hire("Bela", &engineering, &pune, Some(&lead.id), &["employee"]).await;
        let chen = hire("Chen", &api_team, &pune, Some(&lead.id), &["employee"]).await;
        let dora = hire("Dora", &sales, &angeles, None, &["employee"]).await;
        Self {
            clock,
            anonymous,
            hr,
            owner,
            pune,
            angeles,
            engineering,
            api_team,
            sales,
            annual,
            sick,
            lead,
            asha,
            bela,
            chen,
            dora,
        }
    }

    pub(super) async fn ask(&self, who: &Person, kind: &str, first: &str, last: &str, more: Value) -> String {
        let mut ask = json!({
            "employee_id": who.id, "leave_type_id": kind, "starts_on": first, "ends_on": last,
        });
        ask.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        add(&self.hr, "leave-requests", ask).await
    }

    pub(super) async fn approve(&self, request: &str) {
        self.hr.post(&format!("/api/v1/leave-requests/{request}/approve"), &json!({})).await.expect(200);
    }

    pub(super) async fn cancel(&self, request: &str) {
        self.hr.post(&format!("/api/v1/leave-requests/{request}/cancel"), &json!({})).await.expect(200);
    }

    /// Leave that was approved.
    pub(super) async fn leave(
        &self,
        who: &Person,
        kind: &str,
        first: &str,
        last: &str,
        more: Value,
    ) -> String {
        let request = self.ask(who, kind, first, last, more).await;
        self.approve(&request).await;
        request
    }

    /// A calendar with a holiday, for Pune.
    pub(super) async fn holiday(&self, on_date: &str, name: &str) -> String {
        let calendar = add(&self.hr, "holiday-calendars", json!({ "code": on_date, "name": "MH" })).await;
        let new = json!({ "on_date": on_date, "name": name });
        self.hr.post(&format!("/api/v1/holiday-calendars/{calendar}/holidays"), &new).await.expect(201);
        let assign = json!({ "holiday_calendar_id": calendar, "from": "2026-01-01" });
        self.hr
            .post(&format!("/api/v1/locations/{}/holiday-calendars", self.pune), &assign)
            .await
            .expect(200);
        calendar
    }

    pub(super) async fn policy(&self, body: &str) {
        let text = json!({ "name": body.chars().take(60).collect::<String>().replace('\n', " ").trim(), "text": body });
        self.owner.post("/api/v1/policies", &text).await.expect(201);
    }
}
