//! Channels and notices of whoever embeds the library.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hrms_core::event::Event;
use hrms_core::hrms::Work;
use hrms_core::notification::{
    Channel, ChannelFault, Mode, Notice, NotificationType, Notifier, Outgoing, Recipient, Text, To, Variable,
};
use hrms_core::{CommonError, Hrms, Permission, SystemClock};
use hrms_http::{HttpWebhookSender, WebhookPolicy};
use hrms_tests::Fresh;
use serde_json::json;

use crate::all::webhooks::receiver::Receiver;

use super::world::{World, deliveries, inbox, text, titles};

/// Keeps what it is given, or refuses it.
#[derive(Clone, Debug, Default)]
struct Sms {
    taken: Arc<Mutex<Vec<(String, String)>>>,
    broken: Arc<Mutex<bool>>,
}

#[async_trait]
impl Channel for Sms {
    fn name(&self) -> &str {
        "sms"
    }

    async fn send(&self, _: &Hrms, to: &Recipient, message: &Outgoing) -> Result<(), ChannelFault> {
        if *self.broken.lock().unwrap() {
            return Err(ChannelFault { code: "no-credit".into(), permanent: true });
        }
        let title = message.items[0].title.clone();
        self.taken.lock().unwrap().push((to.name.clone(), title));
        Ok(())
    }
}

/// Tells administrators of new workplaces.
#[derive(Debug)]
struct Workplaces;

#[async_trait]
impl Notifier for Workplaces {
    fn types(&self) -> &'static [NotificationType] {
        &[NotificationType {
            name: "workplace.opened",
            about: "A workplace was opened.",
            security: false,
            default: Mode::Off,
            variables: &[Variable { name: "place", example: "Pune", date: false }],
            texts: &[("en", Text { subject: "{{place}} was opened", body: "Welcome to {{place}}." })],
        }]
    }

    async fn notices(&self, work: &mut Work, event: &Event) -> Result<Vec<Notice>, CommonError> {
        if !["location.created", "location.changed"].contains(&event.kind.as_str()) {
            return Ok(Vec::new());
        }
        let id = event.data["location_id"].as_str().and_then(|id| id.parse().ok());
        let Some(place) = work.locations().get(id.unwrap()).await? else { return Ok(Vec::new()) };
        let mut notice = Notice::new("workplace.opened", To::Holders(Permission::LocationManage));
        notice.to_causer = true;
        Ok(vec![notice.with("place", place.name)])
    }
}

async fn embedders_add_channels_and_notices(store: &Fresh) {
    let sms = Sms::default();
    let world =
        World::with(store, |builder| builder.notification_channel(sms.clone()).notifier(Workplaces)).await;
    assert_eq!(titles(&world.owner).await, ["Pune was opened"]);
    // The same about the same thing, again and again, is one thing to be told.
    let place = world.owner.get("/api/v1/locations").await.expect(200).json()["items"][0].clone();
    let path = format!("/api/v1/locations/{}", text(&place["id"]));
    for name in ["Poona", "Punawadi"] {
        let tag = world.owner.get(&path).await.expect(200).header("etag").unwrap().to_owned();
        let patch = json!({ "name": name });
        world.owner.call(http::Method::PATCH, &path, &[("if-match", &tag)], Some(&patch)).await.expect(200);
        world.deliver().await;
    }
    let [told] = &inbox(&world.owner).await[..] else { panic!("not one notification") };
    assert_eq!((text(&told["title"]), &told["times"]), ("Punawadi was opened".to_owned(), &json!(3)));
    // Nobody gets anything by a channel that they didn't ask for.
    world.ask(&world.ravi, "2026-12-21").await;
    assert_eq!(world.deliver().await.len(), 1);
    assert_eq!(sms.taken.lock().unwrap().len(), 0);
    let choice =
        json!({ "preferences": { "leave_request.submitted": { "sms": "immediate", "email": "off" } } });
    world.meera.choose(&choice).await;
    world.ask(&world.ravi, "2026-12-22").await;
    assert_eq!(world.deliver().await.len(), 0);
    let taken = std::mem::take(&mut *sms.taken.lock().unwrap());
    let title = "Ravi Rao asks for leave: Annual leave, 22 December 2026";
    assert_eq!(taken, [("Meera Rao".to_owned(), title.to_owned())]);
    *sms.broken.lock().unwrap() = true;
    world.ask(&world.ravi, "2026-12-23").await;
    world.deliver().await;
    let [failed] = &deliveries(&world.meera.client).await[..] else { panic!() };
    assert_eq!((text(&failed["channel"]), text(&failed["error"])), ("sms".into(), "no-credit".into()));
    assert_eq!(failed["state"], "failed");
    let types = world.meera.client.get("/api/v1/notification-types").await.expect(200).json();
    let opened = types["items"].as_array().unwrap().iter().find(|one| one["type"] == "workplace.opened");
    let channels: Vec<String> =
        opened.unwrap()["channels"].as_array().unwrap().iter().map(|one| text(&one["channel"])).collect();
    assert_eq!(channels, ["in_app", "email", "sms"]);
}

/// A program elsewhere takes what people want by it, signed.
async fn an_organization_has_channels_of_its_own(store: &Fresh) {
    let receiver = Receiver::start().await;
    let mut policy = WebhookPolicy::default();
    (policy.allow_http, policy.allow_private_networks) = (true, true);
    let sender = HttpWebhookSender::new(policy).unwrap();
    // Signatures are checked by the real clock.
    let world = World::with(store, |builder| builder.webhook_sender(sender).clock(SystemClock)).await;
    let channels = "/api/v1/notification-channels";
    for (name, url, pointer) in [
        ("email", "https://a.example/", "/name"),
        ("in_app", "https://a.example/", "/name"),
        ("SMS", "https://a.example/", "/name"),
        ("s", "https://a.example/", "/name"),
        ("sms", "ftp://a.example/", "/url"),
        ("sms", "", "/url"),
    ] {
        let refused =
            world.owner.post(channels, &json!({ "name": name, "url": url })).await.expect(422).json();
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{name} {url}: {refused}");
    }
    let new = json!({ "name": "sms", "url": receiver.url("/sms") });
    world.meera.client.post(channels, &new).await.expect(403);
    let made = world.owner.post(channels, &new).await.expect(201).json();
    let secret = text(&made["secret"]);
    assert_eq!(
        world.owner.post(channels, &new).await.expect(409).json()["code"],
        "notification.channel-taken"
    );
    assert!(!world.owner.get(channels).await.expect(200).text().contains(&secret));
    world.ask(&world.ravi, "2027-12-21").await;
    world.deliver().await;
    assert_eq!(receiver.received().len(), 0);
    world
        .meera
        .choose(&json!({ "preferences": { "leave_request.submitted": { "sms": "immediate" } } }))
        .await;
    world.ask(&world.ravi, "2027-12-22").await;
    assert_eq!(world.deliver().await.len(), 1);
    let [message] = &receiver.received()[..] else { panic!("not one message") };
    let verifier = standardwebhooks::Webhook::new(&secret).unwrap();
    verifier.verify(&message.body, &message.headers).unwrap();
    let body: serde_json::Value = serde_json::from_slice(&message.body).unwrap();
    assert_eq!(body["recipient"]["email"], "meera@acme.example");
    assert_eq!(body["notifications"][0]["title"], "Ravi Rao asks for leave: Annual leave, 22 December 2027");
    let [_, sent] = &deliveries(&world.meera.client).await[..] else { panic!() };
    assert_eq!((text(&sent["channel"]), text(&sent["state"])), ("sms".into(), "sent".into()));

    // What it refuses has failed; what it can't take now is tried again.
    for (status, state) in [(422, "failed"), (503, "waiting"), (429, "waiting")] {
        receiver.then(&[status]);
        let day = format!("2027-11-{}", 10 + status % 13);
        world.ask(&world.ravi, &day).await;
        world.deliver().await;
        let [_, sms] = &deliveries(&world.meera.client).await[..] else { panic!() };
        assert_eq!((text(&sms["state"]), text(&sms["error"])), (state.into(), "status".into()), "{status}");
    }
    let path = format!("{channels}/{}", text(&made["id"]));
    let rotated =
        world.owner.call(http::Method::POST, &format!("{path}/rotate-secret"), &[], None).await.expect(201);
    assert_ne!(text(&rotated.json()["secret"]), secret);
    let tag = world.owner.get(&path).await.expect(200).header("etag").unwrap().to_owned();
    world.owner.call(http::Method::DELETE, &path, &[("if-match", &tag)], None).await.expect(204);
    // Nobody who chose it is told things by another.
    let again = world.owner.post(channels, &new).await.expect(409).json();
    assert_eq!(again["code"], "notification.channel-taken");
    let types = world.meera.client.get("/api/v1/notification-types").await.expect(200).text();
    assert!(!types.contains("sms"), "{types}");
}

hrms_tests::on_every_engine!(embedders_add_channels_and_notices, an_organization_has_channels_of_its_own,);
