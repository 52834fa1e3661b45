//! Webhooks over real TLS, with an authority of the test's own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hrms_core::actor::{Actor, Cause, Who};
use hrms_core::contract::{id, tenant};
use hrms_core::id::{RequestId, UserId};
use hrms_core::job::{JobRegistry, run_until_idle};
use hrms_core::location::NewLocation;
use hrms_core::webhook::{
    DeliveryFilter, DeliverySort, DeliveryState, NewWebhook, WebhookFault, WebhookSender,
};
use hrms_core::{Hrms, PageRequest, Role, WebhookId};
use hrms_http::HttpWebhookSender;
use hrms_server::config::Config;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use super::network::{Names, policy, to};
use super::receiver::Receiver;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Authority::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// What a server shows that has a certificate of this authority for a name, good for these years.
fn server(authority: &Authority, name: &str, years: [i32; 2]) -> ServerConfig {
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_before = date_time_ymd(years[0], 1, 1);
    params.not_after = date_time_ymd(years[1], 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap()
}

const GOOD: [i32; 2] = [2020, 2090];

fn written(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn sender(ca_file: Option<PathBuf>) -> HttpWebhookSender {
    let mut policy = policy(true);
    policy.ca_file = ca_file;
    HttpWebhookSender::new(policy).unwrap().with_resolver(Names)
}

#[tokio::test]
async fn only_those_who_prove_who_they_are_get_messages() {
    let dir = tempfile::tempdir().unwrap();
    let (ours, others) = (authority(), authority());
    // One of several in the file.
    let both = format!("{}\n{}", authority().pem(), ours.pem());
    let trusting = sender(Some(written(dir.path(), "ca.pem", &both)));
    let url = |receiver: &Receiver| format!("https://inside.example.com:{}/hook", receiver.port);

    let good = Receiver::start_tls(server(&ours, "inside.example.com", GOOD)).await;
    good.then_say(202, "thank you");
    let answer = trusting.send(to(&url(&good))).await.unwrap();
    assert_eq!((answer.status, answer.excerpt.as_str()), (202, "thank you"));
    let received = good.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].header("webhook-id"), "msg_1");
    assert_eq!(received[0].header("host"), format!("inside.example.com:{}", good.port));
    assert_eq!(sender(None).send(to(&url(&good))).await, Err(WebhookFault::Tls), "nobody trusts it");
    // It is the name that counts, not the address.
    let by_address = format!("https://127.0.0.1:{}/", good.port);
    assert_eq!(trusting.send(to(&by_address)).await, Err(WebhookFault::Tls));

    for (why, bad) in [
        ("another's name", server(&ours, "other.example.com", GOOD)),
        ("another authority", server(&others, "inside.example.com", GOOD)),
        ("too old", server(&ours, "inside.example.com", [2020, 2021])),
        ("not yet", server(&ours, "inside.example.com", [2089, 2090])),
    ] {
        let receiver = Receiver::start_tls(bad).await;
        assert_eq!(trusting.send(to(&url(&receiver))).await, Err(WebhookFault::Tls), "{why}");
        assert!(receiver.received().is_empty(), "{why}");
    }
    assert_eq!(good.received().len(), 1);
}

fn config(dir: &Path, ca_file: Option<&Path>) -> Config {
    let mut variables = vec![
        ("HRMS_DATA_DIR".into(), dir.into()),
        ("HRMS_WEBHOOK_ALLOW_PRIVATE_NETWORKS".into(), "true".into()),
    ];
    variables.extend(ca_file.map(|path| ("HRMS_WEBHOOK_CA_FILE".into(), path.into())));
    Config::load_from(None, variables).unwrap().config
}

#[tokio::test]
async fn a_server_trusts_the_certificates_that_it_is_told_to() {
    let dir = tempfile::tempdir().unwrap();
    let ours = authority();
    let receiver = Receiver::start_tls(server(&ours, "localhost", GOOD)).await;
    let (hrms, store) = hrms_server::start::hrms(&config(dir.path(), None)).await.unwrap();
    let who = Who::User { user: UserId::from_uuid(id()), session: None, employee: None };
    let request = RequestId::from_uuid(id());
    let owner = Actor::user(tenant(&store).await, who, &[Role::Owner], Cause::Request, request);
    let new = NewWebhook {
        url: format!("https://localhost:{}/hook", receiver.port),
        description: None,
        types: vec!["location.created".to_owned()],
    };
    let issued = hrms.webhooks().create(&owner, new).await.unwrap();
    let place = NewLocation { code: "pune".into(), name: "Pune".into(), time_zone: "UTC".into() };
    hrms.locations().create(&owner, place).await.unwrap();
    run_until_idle(&hrms, &JobRegistry::standard()).await.unwrap();
    let (state, error) = delivery(&hrms, &owner, issued.webhook.id).await;
    assert_eq!((state, error.as_deref()), (DeliveryState::Waiting, Some("tls")));
    assert!(receiver.received().is_empty());

    store.close().await;
    let ca_file = written(dir.path(), "ca.pem", &ours.pem());
    let (hrms, _store) = hrms_server::start::hrms(&config(dir.path(), Some(&ca_file))).await.unwrap();
    let waiting = deliveries(&hrms, &owner, issued.webhook.id).await;
    hrms.webhooks().resend(&owner, issued.webhook.id, waiting[0].id).await.unwrap();
    run_until_idle(&hrms, &JobRegistry::standard()).await.unwrap();
    assert_eq!(delivery(&hrms, &owner, issued.webhook.id).await, (DeliveryState::Succeeded, None));
    let received = receiver.received();
    let verifier = standardwebhooks::Webhook::new(&issued.secret.unwrap()).unwrap();
    verifier.verify(&received[0].body, &received[0].headers).unwrap();
}

async fn deliveries(hrms: &Hrms, by: &Actor, webhook: WebhookId) -> Vec<hrms_core::webhook::WebhookDelivery> {
    let page = PageRequest { sort: DeliverySort::CreatedAt, ..PageRequest::default() };
    hrms.webhooks().deliveries(by, webhook, &DeliveryFilter::default(), &page).await.unwrap().items
}

/// State and error of the only one.
async fn delivery(hrms: &Hrms, by: &Actor, webhook: WebhookId) -> (DeliveryState, Option<String>) {
    let deliveries = deliveries(hrms, by, webhook).await;
    let [one] = deliveries.as_slice() else { panic!("{deliveries:?}") };
    (one.state, one.error.clone())
}

#[tokio::test]
async fn a_file_without_certificates_is_refused_at_start() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing.pem");
    let empty = written(dir.path(), "empty.pem", "nothing\n");
    let torn = written(dir.path(), "torn.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    let odd =
        written(dir.path(), "odd.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    for path in [missing, empty, torn, odd] {
        let refused = hrms_server::start::hrms(&config(dir.path(), Some(&path))).await;
        let said = refused.err().unwrap_or_else(|| panic!("{} is taken", path.display())).to_string();
        assert!(said.starts_with("webhooks: "), "{said}");
    }
}
