//! In which words people are told.

use hrms_tests::Fresh;
use http::Method;
use serde_json::json;

use super::world::{World, inbox, titles};

const APPROVED: &str = "/api/v1/notification-templates/leave_request.submitted";

async fn people_are_told_in_their_language(store: &Fresh) {
    let world = World::new(store).await;
    world.meera.choose(&json!({ "language": "de-CH" })).await;
    world.ask(&world.ravi, "2026-12-21").await;
    let [message] = &world.deliver().await[..] else { panic!("not one message") };
    assert_eq!(message.subject(), "Ravi Rao bittet um Urlaub: Annual leave, 21. Dezember 2026");
    assert!(message.html().contains("<html lang=\"de\">"), "{}", message.html());
    assert!(message.text().contains("Keine Nachrichten dieser Art mehr:"), "{}", message.text());
    assert_eq!(inbox(&world.meera.client).await[0]["language"], "de");

    // The organisation's language is for those who chose none.
    let path = "/api/v1/organization";
    let tag = world.owner.get(path).await.expect(200).header("etag").unwrap().to_owned();
    for (language, status) in [("Deutsch", 422), ("de", 200)] {
        let patch = json!({ "language": language });
        world.owner.call(Method::PATCH, path, &[("if-match", &tag)], Some(&patch)).await.expect(status);
    }
    world.meera.choose(&json!({ "language": null })).await;
    world.ask(&world.ravi, "2026-12-22").await;
    assert!(world.deliver().await[0].subject().contains("bittet um Urlaub"));
    // Where there are no texts in a language, the organisation's goes before English.
    world.meera.choose(&json!({ "language": "mr" })).await;
    world.ask(&world.ravi, "2026-12-23").await;
    assert!(world.deliver().await[0].subject().contains("bittet um Urlaub"));
}

async fn an_organization_writes_its_own_texts(store: &Fresh) {
    let world = World::new(store).await;
    let owner = &world.owner;
    let list = owner.get("/api/v1/notification-templates").await.expect(200).json();
    let of_type =
        list["items"].as_array().unwrap().iter().find(|one| one["type"] == "leave_request.submitted");
    let languages: Vec<_> =
        of_type.unwrap()["templates"].as_array().unwrap().iter().map(|one| one["language"].clone()).collect();
    assert_eq!(languages, ["de", "en"]);

    let own = json!({
        "subject": "[{{organization}}] {{employee}}: {{days}}",
        "body": "Dear {{recipient}},\n\n{{employee}} <b>asks</b>{{#leave_type}} for {{leave_type}}{{/leave_type}}.\nSee {{starts_on}}.",
    });
    let preview = json!({ "type": "leave_request.submitted", "language": "en",
        "subject": own["subject"], "body": own["body"] });
    let shown = owner.post("/api/v1/notification-templates/preview", &preview).await.expect(200).json();
    assert_eq!(shown["subject"], "[Äcme <b>Ltd</b>] Ravi Kumar: 3");
    assert!(shown["text"].as_str().unwrap().contains("See 21 December 2026."), "{shown}");
    assert!(shown["html"].as_str().unwrap().contains("&lt;b&gt;asks&lt;/b&gt;"), "{shown}");
    let put =
        async |path: &str, body: &serde_json::Value| owner.call(Method::PUT, path, &[], Some(body)).await;
    put(&format!("{APPROVED}/en"), &own).await.expect(200);
    world.ask(&world.ravi, "2026-12-21").await;
    let [message] = &world.deliver().await[..] else { panic!("not one message") };
    assert_eq!(message.subject(), "[Äcme <b>Ltd</b>] Ravi Rao: 1");
    let text = message.text().replace("\r\n", "\n");
    assert!(
        text.contains("Dear Meera Rao,\n\nRavi Rao <b>asks</b> for Annual leave.\nSee 21 December 2026.\n"),
        "{text}"
    );
    assert!(message.html().contains("&lt;b&gt;asks&lt;/b&gt;"), "{}", message.html());

    // A language of their own.
    let marathi = json!({ "subject": "{{employee}} यांची रजा", "body": "{{starts_on}}" });
    put(&format!("{APPROVED}/mr"), &marathi).await.expect(200);
    world.meera.choose(&json!({ "language": "mr-IN" })).await;
    world.ask(&world.ravi, "2026-12-22").await;
    world.deliver().await;
    assert_eq!(titles(&world.meera.client).await[0], "Ravi Rao यांची रजा");
    assert_eq!(inbox(&world.meera.client).await[0]["body"], "2026-12-22");

    for (path, body, pointer, code) in [
        ("en", json!({ "subject": "{{salary}}", "body": "x" }), "/subject", "unknown-variable"),
        ("en", json!({ "subject": "x", "body": "{{#days}}" }), "/body", "unclosed-section"),
        ("en", json!({ "subject": "x\ny", "body": "x" }), "/subject", "control-character"),
        ("en", json!({ "subject": "", "body": "x" }), "/subject", "too-short"),
        ("en", json!({ "subject": "x", "body": "y".repeat(5001) }), "/body", "too-long"),
        ("english", json!({ "subject": "x", "body": "y" }), "/language", "unknown-language"),
    ] {
        let problem = put(&format!("{APPROVED}/{path}"), &body).await.expect(422).json();
        let fault = &problem["errors"][0];
        assert_eq!((&fault["pointer"], &fault["code"]), (&json!(pointer), &json!(code)), "{problem}");
    }
    put("/api/v1/notification-templates/no.such-type/en", &own).await.expect(404);
    let refused = world.meera.client.call(Method::PUT, &format!("{APPROVED}/en"), &[], Some(&own)).await;
    assert_eq!(refused.expect(403).json()["code"], "common.forbidden");

    owner.call(Method::DELETE, &format!("{APPROVED}/mr"), &[], None).await.expect(204);
    owner.call(Method::DELETE, &format!("{APPROVED}/mr"), &[], None).await.expect(404);
    owner.call(Method::DELETE, &format!("{APPROVED}/en"), &[], None).await.expect(204);
    world.ask(&world.ravi, "2026-12-23").await;
    assert!(world.deliver().await[0].subject().contains("asks for leave"));
}

hrms_tests::on_every_engine!(people_are_told_in_their_language, an_organization_writes_its_own_texts,);
