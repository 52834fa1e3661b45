//! How invitations end without being accepted, and how members are removed and come back.

use hrms_core::contract::all_at_once;
use hrms_core::jiff::SignedDuration;
use hrms_tests::Fresh;
use http::Method;
use serde_json::json;

use super::{PASSWORD, delete, log_in, new, refused, service, text, try_log_in, users};

const GONE: &str = "invitation.invalid-token";

async fn invitations_expire_are_revoked_and_replaced(store: &Fresh) {
    let service = service(store).await;
    let owner = service.organization("acme", "Acme").await;
    let (made, token) = service.invite(&owner, &new("zoe@acme.example", &["employee"])).await;
    let path = format!("/api/v1/invitations/{}", text(&made["id"]));
    let act = async |what: &str| owner.call(Method::POST, &format!("{path}/{what}"), &[], None).await;
    let soon = act("resend").await.expect(429);
    assert!((1..=60).contains(&soon.header("retry-after").unwrap().parse::<u32>().unwrap()));
    service.advance(SignedDuration::from_mins(2));
    let owner = log_in(&service.client, Some("acme"), "owner@acme.example").await;
    let act = async |what: &str| owner.call(Method::POST, &format!("{path}/{what}"), &[], None).await;
    act("resend").await.expect(200);
    // The old one is worthless at once, and not only when the new one arrives.
    refused(service.accept(&json!({ "token": token, "password": PASSWORD })).await, 422, GONE);
    let [message] = &service.deliver().await[..] else { panic!("not one message") };
    let second = message.token();
    refused(service.accept(&json!({ "token": token, "password": PASSWORD })).await, 422, GONE);

    service.advance(SignedDuration::from_hours(7 * 24) - SignedDuration::from_secs(1));
    let preview = json!({ "token": second });
    service.client.post("/api/v1/auth/invitations/preview", &preview).await.expect(200);
    service.advance(SignedDuration::from_secs(1));
    refused(service.accept(&json!({ "token": second, "password": PASSWORD })).await, 422, GONE);
    refused(service.client.post("/api/v1/auth/invitations/preview", &preview).await, 422, GONE);
    let owner = log_in(&service.client, Some("acme"), "owner@acme.example").await;
    assert_eq!(owner.get(&path).await.expect(200).json()["status"], "expired");
    for (status, count) in [("pending", 0), ("expired", 1), ("revoked", 0)] {
        let list = owner.get(&format!("/api/v1/invitations?status={status}")).await.expect(200).json();
        assert_eq!(list["items"].as_array().unwrap().len(), count, "{status}");
    }

    // An expired one gives way to a new one, and that can be taken back.
    let (made, token) = service.invite(&owner, &new("zoe@acme.example", &["employee"])).await;
    let path = format!("/api/v1/invitations/{}", text(&made["id"]));
    for _ in 0..2 {
        let revoked = owner.call(Method::POST, &format!("{path}/revoke"), &[], None).await.expect(200).json();
        assert_eq!(revoked["status"], "revoked");
    }
    refused(service.accept(&json!({ "token": token, "password": PASSWORD })).await, 422, GONE);
    let resend = owner.call(Method::POST, &format!("{path}/resend"), &[], None).await;
    refused(resend, 409, "invitation.not-pending");
    // One letter of a good token wrong, another's token, none at all.
    let (_, good) = service.invite(&owner, &new("zoe@acme.example", &["employee"])).await;
    let swapped = format!("{}{}", &good[..good.len() - 2], if good.ends_with("AA") { "BA" } else { "AA" });
    for wrong in [swapped, good[1..].to_owned(), String::new(), "A".repeat(good.len()), "x".repeat(100_000)] {
        refused(service.accept(&json!({ "token": wrong, "password": PASSWORD })).await, 422, GONE);
    }
    service.accept(&json!({ "token": good, "password": PASSWORD })).await.expect(200);
}

/// Whoever invited must still be able to when it is accepted, and the organisation in use.
async fn rights_are_looked_at_again(store: &Fresh) {
    let service = service(store).await;
    let owner = service.organization("acme", "Acme").await;
    let (admin_id, admin) = service.member(&owner, "acme", "admin@acme.example", &["admin"]).await;
    let (_, token) = service.invite(&admin, &new("zoe@acme.example", &["hr"])).await;
    let body = json!({ "token": token, "password": PASSWORD });
    let path = format!("/api/v1/users/{admin_id}");
    for (patch, back) in [
        (json!({ "roles": ["hr"] }), json!({ "roles": ["admin"] })),
        (json!({ "status": "disabled" }), json!({ "status": "active" })),
    ] {
        for (patch, gone) in [(patch, true), (back, false)] {
            let tag = owner.get(&path).await.expect(200).header("etag").unwrap().to_owned();
            let headers = [("if-match", tag.as_str()), ("content-type", "application/merge-patch+json")];
            owner.call(Method::PATCH, &path, &headers, Some(&patch)).await.expect(200);
            let preview = json!({ "token": token });
            let preview = service.client.post("/api/v1/auth/invitations/preview", &preview).await;
            if gone {
                refused(preview, 409, "invitation.inviter-gone");
                refused(service.accept(&body).await, 409, "invitation.inviter-gone");
            } else {
                preview.expect(200);
            }
        }
    }
    let organizations = service.operator.get("/api/v1/platform/organizations?slug=acme").await.json();
    let acme = format!("/api/v1/platform/organizations/{}", text(&organizations["items"][0]["id"]));
    service.operator.call(Method::POST, &format!("{acme}/suspend"), &[], None).await.expect(200);
    refused(service.accept(&body).await, 422, GONE);
    service.operator.call(Method::POST, &format!("{acme}/resume"), &[], None).await.expect(200);
    delete(&owner, &path).await.expect(204);
    refused(service.accept(&body).await, 409, "invitation.inviter-gone");
    assert_eq!(users(&owner).await, 1);
}

/// Two people can't be one employee, whichever way they come.
async fn an_employee_is_one_user(store: &Fresh) {
    let service = service(store).await;
    let owner = service.organization("acme", "Acme").await;
    let person = json!({ "given_name": "Zoë", "hired_on": "2020-01-01" });
    let employee = text(&owner.post("/api/v1/employees", &person).await.expect(201).json()["id"]);
    let with = |email: &str| {
        let mut invite = new(email, &["employee"]);
        invite["employee_id"] = json!(employee);
        invite
    };
    let (_, one) = service.invite(&owner, &with("one@acme.example")).await;
    let (_, two) = service.invite(&owner, &with("two@acme.example")).await;
    service.accept(&json!({ "token": one, "password": PASSWORD })).await.expect(200);
    refused(service.accept(&json!({ "token": two, "password": PASSWORD })).await, 409, "user.employee-taken");
    refused(owner.post("/api/v1/invitations", &with("x@acme.example")).await, 409, "user.employee-taken");
    // Nothing of the refused one is left: neither account nor use of the invitation.
    assert_eq!(users(&owner).await, 2);
    let found = owner.get("/api/v1/users?email=one@acme.example").await.json();
    delete(&owner, &format!("/api/v1/users/{}", text(&found["items"][0]["id"]))).await.expect(204);
    service.accept(&json!({ "token": two, "password": PASSWORD })).await.expect(200);
}

async fn the_removed_are_out_and_can_come_back(store: &Fresh) {
    let service = service(store).await;
    let acme = service.organization("acme", "Acme").await;
    let other = service.organization("other", "Other").await;
    let (id, zoe) = service.member(&acme, "acme", "zoe@acme.example", &["hr"]).await;
    let (_, token) = service.invite(&other, &new("zoe@acme.example", &["hr"])).await;
    service.accept(&json!({ "token": token, "password": PASSWORD })).await.expect(200);
    let path = format!("/api/v1/users/{id}");
    refused(zoe.delete(&path).await, 403, "common.forbidden");
    delete(&acme, &path).await.expect(204);
    assert_eq!(users(&acme).await, 1);
    let shown = acme.get(&path).await.expect(200).json();
    assert_eq!((&shown["status"], &shown["name"]), (&json!("removed"), &json!("Zoë")));
    refused(delete(&acme, &path).await, 409, "user.removed");
    refused(
        try_log_in(&service.client, Some("acme"), "zoe@acme.example", PASSWORD).await,
        401,
        "auth.invalid-credentials",
    );
    service.advance(SignedDuration::from_secs(4));
    refused(zoe.get("/api/v1/auth/me").await, 401, "auth.session-ended");
    // The account is theirs, elsewhere.
    let there = log_in(&service.client, Some("other"), "zoe@acme.example").await;
    let mine = there.get("/api/v1/auth/organizations").await.expect(200).json();
    assert_eq!(mine["items"].as_array().unwrap().len(), 1);
    // A foreign organisation's user is nobody.
    refused(
        other.delete(&format!("/api/v1/users/{}", hrms_core::contract::id())).await,
        428,
        "http.if-match-required",
    );

    let (_, token) = service.invite(&acme, &new("zoe@acme.example", &["employee"])).await;
    let joined = service.accept(&json!({ "token": token, "password": PASSWORD })).await.expect(200).json();
    assert_eq!(joined["user_id"], json!(id));
    let back = log_in(&service.client, Some("acme"), "zoe@acme.example").await;
    assert_eq!(back.get("/api/v1/auth/me").await.json()["roles"], json!(["employee"]));
}

async fn the_last_owner_stays(store: &Fresh) {
    let service = service(store).await;
    let owner = service.organization("acme", "Acme").await;
    let me = text(&owner.get("/api/v1/auth/me").await.json()["user"]["id"]);
    refused(delete(&owner, &format!("/api/v1/users/{me}")).await, 409, "user.last-owner");
    let (second_id, second) = service.member(&owner, "acme", "second@acme.example", &["owner"]).await;
    // Each removes the other at the same moment.
    let paths = [format!("/api/v1/users/{second_id}"), format!("/api/v1/users/{me}")];
    let mut tags = Vec::new();
    for path in &paths {
        // Before they race: whoever was removed first can't read any more.
        tags.push(owner.get(path).await.expect(200).header("etag").unwrap().to_owned());
    }
    let both = [(&owner, &paths[0], &tags[0]), (&second, &paths[1], &tags[1])];
    let answers =
        all_at_once(both.map(async |(by, path, tag)| {
            by.call(http::Method::DELETE, path, &[("if-match", tag)], None).await
        }))
        .await;
    let removed = answers.iter().filter(|answer| answer.status.as_u16() == 204).count();
    assert_eq!(removed, 1, "{:?}", answers.iter().map(hrms_tests::Reply::text).collect::<Vec<_>>());
}

hrms_tests::on_every_engine!(
    invitations_expire_are_revoked_and_replaced,
    rights_are_looked_at_again,
    an_employee_is_one_user,
    the_removed_are_out_and_can_come_back,
    the_last_owner_stays,
);
