//! Nobody becomes an employee by inviting themselves at an address that they gave that employee.

use hrms_core::job::run_until_idle;
use http::Method;

use super::*;

const USERS: &str = "/api/v1/users";
const MAIL: &str = "/api/v1/invitations";

/// Hires somebody with a work address; the path to them.
async fn hire(by: &Client, name: &str, email: Option<&str>) -> (String, String) {
    let new = json!({ "given_name": name, "hired_on": "2020-01-01", "email": email });
    let id = text(&by.post("/api/v1/employees", &new).await.expect(201).json()["id"]);
    (format!("/api/v1/employees/{id}"), id)
}

async fn patch(by: &Client, path: &str, patch: &Value) -> Reply {
    let tag = by.get(path).await.expect(200).header("etag").unwrap().to_owned();
    by.call(Method::PATCH, path, &[("if-match", &tag)], Some(patch)).await
}

async fn readdress(by: &Client, person: &(String, String), email: &str) {
    patch(by, &person.0, &json!({ "email": email })).await.expect(200);
}

fn linked(email: &str, person: &(String, String)) -> Value {
    json!({ "email": email, "name": "Jane", "roles": ["employee"], "employee_id": person.1 })
}

/// Somebody who was invited as an employee, at their own address.
async fn colleague(service: &Service, owner: &Client, email: &str, role: &str) -> Client {
    let person = hire(owner, "Hanna", Some(email)).await;
    let new = json!({ "email": email, "name": "Hanna", "roles": [role], "employee_id": person.1 });
    let (_, token) = service.invite(owner, &new).await;
    service.accept(&json!({ "token": token, "password": PASSWORD })).await.expect(200);
    log_in(&service.client, Some("acme"), email).await
}

/// Takes an invitation back that was made.
async fn invites(by: &Client, new: &Value) {
    let made = by.post(MAIL, new).await.expect(201).json();
    by.post(&format!("{MAIL}/{}/revoke", text(&made["id"])), &json!({})).await.expect(200);
}

async fn an_address_of_the_inviters_making_proves_nothing(store: &Fresh) {
    let service = service(store).await;
    let owner = service.organization("acme", "Acme").await;
    let (_, admin) = service.member(&owner, "acme", "admin@acme.example", &["admin"]).await;
    let hr = colleague(&service, &owner, "hr@acme.example", "hr").await;
    let refuse = async |by: &Client, new: &Value| {
        refused(by.post(MAIL, new).await, 403, "user.link-not-yours");
    };

    // As they were hired with it, by whomever: this is how people join.
    let jane = hire(&admin, "Jane", Some("jane@acme.example")).await;
    invites(&admin, &linked("jane@acme.example", &jane)).await;
    let bob = hire(&owner, "Bob", Some("bob@acme.example")).await;
    patch(&admin, &bob.0, &json!({ "family_name": "Builder", "email": "BOB@acme.example" }))
        .await
        .expect(200);
    invites(&admin, &linked("bob@acme.example", &bob)).await;
    refuse(&admin, &linked("admin.too@acme.example", &bob)).await;
    // As the inviter changed it, or set it first: no. Whoever may read everything anyway may.
    readdress(&admin, &bob, "admin.too@acme.example").await;
    refuse(&admin, &linked("admin.too@acme.example", &bob)).await;
    invites(&owner, &linked("admin.too@acme.example", &bob)).await;
    let eve = hire(&owner, "Eve", None).await;
    readdress(&admin, &eve, "eve@acme.example").await;
    refuse(&admin, &linked("eve@acme.example", &eve)).await;
    // A change of something else by somebody else doesn't make it theirs.
    patch(&hr, &eve.0, &json!({ "family_name": "Else" })).await.expect(200);
    refuse(&admin, &linked("eve@acme.example", &eve)).await;
    // As somebody else set it.
    readdress(&hr, &eve, "eve.else@acme.example").await;
    invites(&admin, &linked("eve.else@acme.example", &eve)).await;
    // Unless both count as the same, being nobody's employees.
    let (_, temp) = service.member(&owner, "acme", "temp@acme.example", &["hr"]).await;
    readdress(&temp, &eve, "eve.temp@acme.example").await;
    refuse(&admin, &linked("eve.temp@acme.example", &eve)).await;
    // An import says who it was, too.
    let file = "number,given_name,family_name,hired_on,email\nE-9,Ida,Ives,2020-01-01,ida@acme.example\n";
    upload(&service, &admin, file).await;
    let found = admin.get("/api/v1/employees?q=ida").await.expect(200).json();
    let ida = (String::new(), text(&found["items"][0]["id"]));
    invites(&admin, &linked("ida@acme.example", &ida)).await;
    upload(&service, &admin, &file.replace("ida@", "ida2@")).await;
    refuse(&admin, &linked("ida2@acme.example", &ida)).await;

    // Nor do second users of one's own, whichever does what.
    let new =
        json!({ "email": "second@acme.example", "name": "Second", "roles": ["admin"], "password": PASSWORD });
    admin.post(USERS, &new).await.expect(201);
    let second = log_in(&service.client, Some("acme"), "second@acme.example").await;
    readdress(&second, &eve, "eve3@acme.example").await;
    refuse(&admin, &linked("eve3@acme.example", &eve)).await;
    refuse(&second, &linked("eve3@acme.example", &eve)).await;
    readdress(&admin, &eve, "eve4@acme.example").await;
    refuse(&second, &linked("eve4@acme.example", &eve)).await;
    // Nor a program: whoever made its key has it.
    let account = json!({ "name": "Directory", "permissions": ["employee.read", "employee.manage"] });
    let account = admin.post("/api/v1/service-accounts", &account).await.expect(201).json();
    let key = json!({ "service_account_id": account["id"], "name": "Nightly", "permissions": ["employee.read", "employee.manage"] });
    let key = admin.post("/api/v1/api-keys", &key).await.expect(201).json();
    let program = service.client.with_token(key["secret"].as_str().unwrap());
    readdress(&program, &eve, "eve5@acme.example").await;
    refuse(&admin, &linked("eve5@acme.example", &eve)).await;
}

async fn upload(service: &Service, by: &Client, file: &str) {
    let made = by.upload("/api/v1/imports?kind=employees", "text/csv", file.into()).await.expect(202).json();
    run_until_idle(&service.hrms, &registry()).await.unwrap();
    let done = by.get(&format!("/api/v1/jobs/{}", text(&made["job_id"]))).await.expect(200).json();
    assert_eq!((&done["state"], &done["result"]["failed"]), (&json!("succeeded"), &json!(0)), "{done}");
}

/// What was proof when the invitation was sent has to be when it is sent again and accepted.
async fn the_address_is_looked_at_again(store: &Fresh) {
    let service = service(store).await;
    let owner = service.organization("acme", "Acme").await;
    let (_, admin) = service.member(&owner, "acme", "admin@acme.example", &["admin"]).await;
    let hr = colleague(&service, &owner, "hr@acme.example", "hr").await;
    let jane = hire(&hr, "Jane", Some("jane@acme.example")).await;
    let (_, token) = service.invite(&admin, &linked("jane@acme.example", &jane)).await;
    let accept = json!({ "token": token, "password": PASSWORD });
    readdress(&hr, &jane, "jane.doe@acme.example").await;
    let preview = service.client.post("/api/v1/auth/invitations/preview", &json!({ "token": token })).await;
    refused(preview, 409, "invitation.inviter-gone");
    refused(service.accept(&accept).await, 409, "invitation.inviter-gone");
    assert_eq!(users(&owner).await, 3);
    // What the owner sends anywhere isn't for everybody to send again.
    let private = hire(&hr, "Kim", None).await;
    let (made, token) = service.invite(&owner, &linked("kim@private.example", &private)).await;
    service.advance(SignedDuration::from_mins(2));
    let resend = format!("{MAIL}/{}/resend", text(&made["id"]));
    let admin = log_in(&service.client, Some("acme"), "admin@acme.example").await;
    refused(admin.call(Method::POST, &resend, &[], None).await, 403, "user.link-not-yours");
    service.accept(&json!({ "token": token, "password": PASSWORD })).await.expect(200);
    // Only who was reached at their own address stands for themselves alone.
    readdress(&hr, &jane, "jane@acme.example").await;
    service.accept(&accept).await.expect(200);
    let owner_id = owner.get("/api/v1/auth/me").await.expect(200).json()["user"]["id"].clone();
    let found = owner.get("/api/v1/users?email=kim@private.example").await.expect(200).json();
    assert_eq!(found["items"][0]["counts_as"], owner_id, "{found}");
    let found = owner.get("/api/v1/users?email=jane@acme.example").await.expect(200).json();
    assert_eq!(found["items"][0]["counts_as"], Value::Null, "{found}");
}

/// What a policy forbids whoever invites, nobody gets by their invitation, also when it was written later.
async fn what_is_forbidden_is_not_handed_on_by_mail(store: &Fresh) {
    let service = service(store).await;
    let owner = service.organization("acme", "Acme").await;
    let (id, admin) = service.member(&owner, "acme", "admin@acme.example", &["admin"]).await;
    let (_, token) = service.invite(&admin, &new("early@acme.example", &["hr"])).await;
    let (_, harmless) = service.invite(&admin, &new("emp@acme.example", &["employee"])).await;
    let text = format!("forbid (principal == User::\"{id}\", action == Action::\"leave.decide\", resource);");
    let policy = json!({ "name": "Not the admin", "text": text });
    let policy = text_of(&owner.post("/api/v1/policies", &policy).await.expect(201));
    service.advance(SignedDuration::from_secs(10));
    let admin = log_in(&service.client, Some("acme"), "admin@acme.example").await;
    refused(admin.post(MAIL, &new("late@acme.example", &["hr"])).await, 403, "user.role-not-yours");
    let accept = |token: &str| json!({ "token": token, "password": PASSWORD });
    refused(service.accept(&accept(&token)).await, 409, "invitation.inviter-gone");
    // What the policy says nothing about goes on, and so does everything once it is gone.
    service.accept(&accept(&harmless)).await.expect(200);
    delete(&owner, &format!("/api/v1/policies/{policy}")).await.expect(204);
    service.advance(SignedDuration::from_secs(10));
    service.accept(&accept(&token)).await.expect(200);
}

fn text_of(made: &Reply) -> String {
    text(&made.json()["id"])
}

hrms_tests::on_every_engine!(
    what_is_forbidden_is_not_handed_on_by_mail,
    an_address_of_the_inviters_making_proves_nothing,
    the_address_is_looked_at_again
);
