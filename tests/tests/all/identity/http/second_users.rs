//! Second users of one's own are no second pair of eyes.

use http::Method;

use super::*;

/// Ada, of human resources, makes a second user, and that one a third: none of them decides on Ada's things.
async fn second_users_are_no_second_pair_of_eyes(store: &Fresh) {
    let service = service(store).await;
    let (_, owner) = service.organization("acme").await;
    let id = async |by: &Client, collection: &str, body: Value| {
        let made = by.post(&format!("/api/v1/{collection}"), &body).await.expect(201).json();
        made["id"].as_str().unwrap().to_owned()
    };
    let hire = |name: &str| json!({ "given_name": name, "family_name": "Test", "hired_on": "2020-01-01" });
    let ada = id(&owner, "employees", hire("Ada")).await;
    let bob = id(&owner, "employees", hire("Bob")).await;
    let kind = id(&owner, "leave-types", json!({ "code": "A", "name": "Annual" })).await;
    let powers = json!({
        "code": "everything", "name": "People and users", "grants": [
            { "permission": "user.manage", "scope": "organization" },
            { "permission": "leave.decide", "scope": "organization" },
            { "permission": "leave.read", "scope": "organization" },
            { "permission": "leave.submit", "scope": "organization" },
            { "permission": "leave.grant", "scope": "organization" },
            { "permission": "employee.read", "scope": "organization" },
            { "permission": "employee.read-compensation", "scope": "organization" },
            { "permission": "employee.manage-compensation", "scope": "organization" },
        ],
    });
    id(&owner, "roles", powers).await;
    let mut user = new_user("ada", "everything");
    user["employee_id"] = json!(ada);
    id(&owner, "users", user).await;
    let log_in = async |name: &str| {
        let tokens =
            service.log_in("acme", &format!("{name}@acme.example"), PASSWORD).await.expect(200).json();
        service.with(&tokens)
    };
    let herself = log_in("ada").await;
    let made = herself.post("/api/v1/users", &new_user("second", "everything")).await.expect(201).json();
    let me = owner.get("/api/v1/users?email=ada@acme.example").await.expect(200).json();
    assert_eq!(made["created_by"], me["items"][0]["id"]);
    let second = log_in("second").await;
    second.post("/api/v1/users", &new_user("third", "everything")).await.expect(201);
    let third = log_in("third").await;

    let lot = |whose: &str| json!({ "employee_id": whose, "leave_type_id": kind, "days": "30", "valid_from": "2026-01-01" });
    for whose in [&ada, &bob] {
        id(&owner, "leave-grants", lot(whose)).await;
    }
    let ask = |whose: &str, on: &str| json!({ "employee_id": whose, "leave_type_id": kind, "starts_on": on, "ends_on": on });
    let raise = json!({ "base_pay": { "amount": "1000000", "currency": "INR" } });
    for by in [&herself, &second, &third] {
        let request = id(&herself, "leave-requests", ask(&ada, "2026-12-01")).await;
        let approve = by.post(&format!("/api/v1/leave-requests/{request}/approve"), &json!({})).await;
        assert_eq!((approve.status.as_u16(), code(&approve).as_str()), (403, "leave.self-approval"));
        let granted = by.post("/api/v1/leave-grants", &lot(&ada)).await;
        assert_eq!((granted.status.as_u16(), code(&granted).as_str()), (403, "leave.self-grant"));
        let path = format!("/api/v1/employees/{ada}/compensation");
        let tag = by.get(&path).await.expect(200).header("etag").unwrap().to_owned();
        let headers = [("if-match", tag.as_str())];
        let paid = by.call(http::Method::PATCH, &path, &headers, Some(&raise)).await;
        assert_eq!((paid.status.as_u16(), code(&paid).as_str()), (403, "employee.own-details"));
        // Withdrawn, so that the next one can ask for the day.
        herself.post(&format!("/api/v1/leave-requests/{request}/cancel"), &json!({})).await.expect(200);
    }
    // Nor do they make her somebody else for a while.
    let path = format!("/api/v1/users/{}", made["created_by"].as_str().unwrap());
    for by in [&herself, &second, &third] {
        let tag = owner.get(&path).await.expect(200).header("etag").unwrap().to_owned();
        let headers = [("if-match", tag.as_str())];
        let nobody = json!({ "employee_id": null });
        let freed = by.call(http::Method::PATCH, &path, &headers, Some(&nobody)).await;
        assert_eq!((freed.status.as_u16(), code(&freed).as_str()), (403, "user.own-employee"));
        let removed = by.call(http::Method::DELETE, &path, &headers, None).await;
        assert_eq!((removed.status.as_u16(), code(&removed).as_str()), (403, "user.own-employee"));
    }
    // Whoever may not see everybody's pay links nobody to an employee, whatever the roles are now.
    owner.post("/api/v1/users", &new_user("admin2", "admin")).await.expect(201);
    let admin = log_in("admin2").await;
    let mut puppet = new_user("puppet", "manager");
    puppet["employee_id"] = json!(bob);
    let refused = admin.post("/api/v1/users", &puppet).await.expect(403);
    assert_eq!(code(&refused), "user.link-not-yours");
    // On others they decide, and on Ada's leave whoever she didn't make.
    let request = id(&owner, "leave-requests", ask(&bob, "2026-12-01")).await;
    third.post(&format!("/api/v1/leave-requests/{request}/approve"), &json!({})).await.expect(200);
    let request = id(&herself, "leave-requests", ask(&ada, "2026-12-02")).await;
    owner.post(&format!("/api/v1/leave-requests/{request}/approve"), &json!({})).await.expect(200);
}

/// What there is to decide in an organisation.
struct Office {
    service: Service,
    owner: Client,
    ada: String,
    bob: String,
    kind: String,
}

impl Office {
    /// The first owner, who is nobody, has hired Ada and Bob and made Ada an owner too.
    async fn new(store: &Fresh) -> Self {
        let service = service(store).await;
        let (_, owner) = service.organization("acme").await;
        let hire = |name: &str| json!({ "given_name": name, "hired_on": "2020-01-01" });
        let ada = made(&owner, "employees", &hire("Ada")).await;
        let bob = made(&owner, "employees", &hire("Bob")).await;
        let kind = made(&owner, "leave-types", &json!({ "code": "A", "name": "Annual" })).await;
        let lot =
            json!({ "employee_id": ada, "leave_type_id": kind, "days": "30", "valid_from": "2026-01-01" });
        made(&owner, "leave-grants", &lot).await;
        let office = Self { service, owner, ada, bob, kind };
        let mut user = new_user("ada", "owner");
        user["employee_id"] = json!(office.ada);
        office.owner.post("/api/v1/users", &user).await.expect(201);
        office
    }

    async fn log_in(&self, name: &str) -> Client {
        let reply = self.service.log_in("acme", &format!("{name}@acme.example"), PASSWORD).await;
        self.service.with(&reply.expect(200).json())
    }

    async fn path(&self, name: &str) -> String {
        let found =
            self.owner.get(&format!("/api/v1/users?email={name}@acme.example")).await.expect(200).json();
        format!("/api/v1/users/{}", found["items"][0]["id"].as_str().unwrap())
    }

    /// Why somebody may not approve leave of Ada's; nothing when they may.
    async fn approve(&self, by: &Client, day: &str) -> String {
        let asked =
            json!({ "employee_id": self.ada, "leave_type_id": self.kind, "starts_on": day, "ends_on": day });
        let request = made(&self.owner, "leave-requests", &asked).await;
        let path = format!("/api/v1/leave-requests/{request}");
        let reply = by.post(&format!("{path}/approve"), &json!({})).await;
        // Withdrawn, so that the next one can ask for the day.
        self.owner.post(&format!("{path}/cancel"), &json!({})).await.expect(200);
        if reply.status == 200 { String::new() } else { code(&reply) }
    }
}

async fn made(by: &Client, collection: &str, body: &Value) -> String {
    let made = by.post(&format!("/api/v1/{collection}"), body).await.expect(201).json();
    made["id"].as_str().unwrap().to_owned()
}

async fn change(by: &Client, method: Method, path: &str, body: Option<&Value>) -> Reply {
    let tag = by.get(path).await.expect(200).header("etag").unwrap().to_owned();
    by.call(method, path, &[("if-match", &tag)], body).await
}

/// Ada, an owner, makes another owner, who makes themselves an employee.
async fn a_puppet_stays_one_when_it_is_linked(store: &Fresh) {
    let office = Office::new(store).await;
    let ada = office.log_in("ada").await;
    ada.post("/api/v1/users", &new_user("puppet", "owner")).await.expect(201);
    let puppet = office.log_in("puppet").await;
    assert_eq!(office.approve(&puppet, "2026-12-01").await, "leave.self-approval");
    let path = office.path("puppet").await;
    let as_bob = json!({ "employee_id": office.bob });
    change(&puppet, Method::PATCH, &path, Some(&as_bob)).await.expect(200);
    let puppet = office.log_in("puppet").await;
    assert_eq!(office.approve(&puppet, "2026-12-02").await, "leave.self-approval");
    // One that was linked at once, at an address and with a password that she chose.
    let carl = made(&ada, "employees", &json!({ "given_name": "Carl", "hired_on": "2020-01-01" })).await;
    let mut linked = new_user("linked", "owner");
    linked["employee_id"] = json!(carl);
    ada.post("/api/v1/users", &linked).await.expect(201);
    let linked = office.log_in("linked").await;
    assert_eq!(office.approve(&linked, "2026-12-03").await, "leave.self-approval");
    // None of hers links another anew so that it counts, nor frees Ada.
    for by in [&ada, &linked] {
        change(by, Method::PATCH, &path, Some(&json!({ "employee_id": null }))).await.expect(200);
        change(by, Method::PATCH, &path, Some(&as_bob)).await.expect(200);
        let puppet = office.log_in("puppet").await;
        assert_eq!(office.approve(&puppet, "2026-12-04").await, "leave.self-approval");
        let herself = office.path("ada").await;
        let freed = change(&puppet, Method::PATCH, &herself, Some(&json!({ "employee_id": null }))).await;
        assert_eq!(code(&freed.expect(403)), "user.own-employee");
        let removed = change(&puppet, Method::DELETE, &herself, None).await;
        assert_eq!(code(&removed.expect(403)), "user.own-employee");
    }
    // Somebody else vouches for them: that does it.
    let owner = &office.owner;
    change(owner, Method::PATCH, &path, Some(&json!({ "employee_id": null }))).await.expect(200);
    let puppet = office.log_in("puppet").await;
    assert_eq!(office.approve(&puppet, "2026-12-07").await, "leave.self-approval");
    office.service.reset("puppet@acme.example", PASSWORD).await;
    change(owner, Method::PATCH, &path, Some(&as_bob)).await.expect(200);
    let puppet = office.log_in("puppet").await;
    assert_eq!(office.approve(&puppet, "2026-12-08").await, "");
}

/// An administrator adds an account under Bob's address and waits until somebody links it, or invites it as Bob.
async fn whoever_chose_the_password_is_not_let_in(store: &Fresh) {
    let office = Office::new(store).await;
    let owner = &office.owner;
    owner.post("/api/v1/users", &new_user("admin2", "admin")).await.expect(201);
    let admin = office.log_in("admin2").await;
    admin.post("/api/v1/users", &new_user("bob", "employee")).await.expect(201);
    let path = office.path("bob").await;
    let as_bob = json!({ "employee_id": office.bob });
    let ada = office.log_in("ada").await;
    for by in [owner, &ada] {
        let refused = change(by, Method::PATCH, &path, Some(&as_bob)).await.expect(409);
        assert_eq!(code(&refused), "user.password-not-theirs");
    }
    // The rest of what they are is no way round, and no longer theirs to know after the change that they make themselves.
    let bob = office.log_in("bob").await;
    let other = json!({ "current_password": PASSWORD, "new_password": "eight anvils on a roof" });
    bob.post("/api/v1/auth/password", &other).await.expect(200);
    let refused = change(owner, Method::PATCH, &path, Some(&as_bob)).await.expect(409);
    assert_eq!(code(&refused), "user.password-not-theirs");
    assert_eq!(owner.get(&path).await.expect(200).json()["employee_id"], Value::Null);
    // Nor by an invitation from elsewhere, which takes the account's password.
    let (_, elsewhere) = office.service.organization("globex").await;
    let eve = made(&elsewhere, "employees", &json!({ "given_name": "Bob", "hired_on": "2020-01-01" })).await;
    let invitation =
        json!({ "email": "bob@acme.example", "name": "Bob", "roles": ["employee"], "employee_id": eve });
    made(&elsewhere, "invitations", &invitation).await;
    let registry = hrms_core::job::JobRegistry::standard();
    hrms_core::job::run_until_idle(&office.service.hrms, &registry).await.unwrap();
    let token = office.service.letterbox.token_to("bob@acme.example").await;
    let accept = json!({ "token": token, "password": "eight anvils on a roof" });
    let refused = office.service.client.post("/api/v1/auth/invitations/accept", &accept).await.expect(409);
    assert_eq!(code(&refused), "user.password-not-theirs");
    let refused = bob.post("/api/v1/auth/invitations/join", &json!({ "token": token })).await.expect(409);
    assert_eq!(code(&refused), "user.password-not-theirs");
    // Bob reads his mail: now it is his account, and nobody else's.
    office.service.advance(std::time::Duration::from_secs(1));
    office.service.reset("bob@acme.example", "nine anvils on a roof").await;
    let linked = change(owner, Method::PATCH, &path, Some(&as_bob)).await.expect(200).json();
    assert_eq!(linked["employee_id"], json!(office.bob));
    let login = |password: &'static str| office.service.log_in("acme", "bob@acme.example", password);
    login("eight anvils on a roof").await.expect(401);
    login("nine anvils on a roof").await.expect(200);
}

/// That whoever made them was unlinked or removed makes nobody another person.
async fn a_puppet_outlives_its_maker(store: &Fresh) {
    let office = Office::new(store).await;
    let ada = office.log_in("ada").await;
    ada.post("/api/v1/users", &new_user("puppet", "owner")).await.expect(201);
    let path = office.path("ada").await;
    change(&office.owner, Method::PATCH, &path, Some(&json!({ "employee_id": null }))).await.expect(200);
    for who in ["puppet", "ada"] {
        let by = office.log_in(who).await;
        assert_eq!(office.approve(&by, "2026-12-01").await, "leave.self-approval", "{who}");
    }
    change(&office.owner, Method::DELETE, &path, None).await.expect(204);
    let gone = office.owner.get(&path).await.expect(200).json();
    assert_eq!((&gone["employee_id"], &gone["former_employee_id"]), (&Value::Null, &json!(office.ada)));
    let puppet = office.log_in("puppet").await;
    assert_eq!(office.approve(&puppet, "2026-12-02").await, "leave.self-approval");
    assert_eq!(office.approve(&office.owner, "2026-12-03").await, "");
}

/// Ida, of human resources, doesn't move herself to where her rights, or policies, reach further.
async fn nobody_moves_themselves(store: &Fresh) {
    let office = Office::new(store).await;
    let owner = &office.owner;
    let place = json!({ "code": "x", "name": "X", "time_zone": "UTC" });
    let place = made(owner, "locations", &place).await;
    let ida = json!({ "number": "I-1", "given_name": "Ida", "hired_on": "2020-01-01" });
    let ida = made(owner, "employees", &ida).await;
    let mut user = new_user("ida", "hr");
    user["employee_id"] = json!(ida);
    owner.post("/api/v1/users", &user).await.expect(201);
    let hr = office.log_in("ida").await;
    let path = |who: &str, what: &str| format!("/api/v1/employees/{who}/{what}");
    let changes = [
        ("changes", json!({ "from": "2026-01-01", "location_id": place })),
        ("changes", json!({ "from": "2026-01-01", "manager_id": office.bob })),
        ("corrections", json!({ "from": "2020-01-01", "location_id": place })),
        ("end", json!({ "last_day": "2026-12-31" })),
    ];
    for (what, body) in &changes {
        let refused = hr.post(&path(&ida, what), body).await;
        assert_eq!(code(&refused.expect(403)), "employee.own-details", "{what}");
    }
    let shown = hr.get(&format!("/api/v1/employees/{ida}")).await.expect(200).json();
    assert_eq!(shown["employment"]["location"], Value::Null, "{shown}");
    assert_eq!(shown["employment"]["manager"], Value::Null, "{shown}");
    // Nor by a file. Others she does move.
    let file = "employee,from,location\nI-1,2026-01-01,x\n";
    let import = "/api/v1/imports?kind=employment_history";
    let import = hr.upload(import, "text/csv", file.into()).await.expect(202).json();
    hrms_core::job::run_until_idle(&office.service.hrms, &hrms_core::job::JobRegistry::standard())
        .await
        .unwrap();
    let job =
        hr.get(&format!("/api/v1/jobs/{}", import["job_id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!((&job["result"]["updated"], &job["result"]["failed"]), (&json!(0), &json!(1)), "{job}");
    assert_eq!(job["result"]["errors"][0]["code"], "own-record", "{job}");
    for (what, body) in &changes {
        hr.post(&path(&office.bob, what), body)
            .await
            .expect(if what == &"changes" && body.get("manager_id").is_some() { 422 } else { 200 });
    }
    // Somebody else moves her; an owner, who could write any policy, themselves.
    let ada = office.log_in("ada").await;
    for who in [&ida, &office.ada] {
        ada.post(&path(who, "changes"), &changes[0].1).await.expect(200);
    }
}

hrms_tests::on_every_engine!(
    second_users_are_no_second_pair_of_eyes,
    a_puppet_stays_one_when_it_is_linked,
    a_puppet_outlives_its_maker,
    whoever_chose_the_password_is_not_let_in,
    nobody_moves_themselves,
);
