//! What the sender reaches, and what it doesn't.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use hrms_core::webhook::{WebhookFault, WebhookRequest, WebhookSender};
use hrms_http::{HttpWebhookSender, Resolve, WebhookPolicy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::receiver::Receiver;

/// Knows some names by heart.
#[derive(Debug)]
pub(super) struct Names;

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let addresses: &[&str] = match host {
            "inside.example.com" => &["127.0.0.1"],
            "metadata.example.com" => &["169.254.169.254", "fd00:ec2::254", "::ffff:10.0.0.1"],
            "mixed.example.com" => &["10.1.2.3", "127.0.0.1", "::1"],
            "nowhere.example.com" => &[],
            _ => return Err(io::Error::other("no such host")),
        };
        Ok(addresses.iter().map(|address| address.parse().unwrap()).collect())
    }
}

pub(super) fn policy(open: bool) -> WebhookPolicy {
    let mut policy = WebhookPolicy::default();
    policy.allow_http = true;
    policy.allow_private_networks = open;
    policy.total_timeout = Duration::from_secs(5);
    policy
}

fn sender(open: bool) -> HttpWebhookSender {
    HttpWebhookSender::new(policy(open)).unwrap().with_resolver(Names)
}

pub(super) fn to(url: &str) -> WebhookRequest {
    WebhookRequest {
        url: url.into(),
        id: "msg_1".into(),
        timestamp: 1,
        signature: "v1,x".into(),
        body: b"{\"subject\":\"x\"}".to_vec(),
    }
}

#[tokio::test]
async fn names_that_lead_inside_are_not_followed() {
    let receiver = Receiver::start().await;
    let port = receiver.port;
    for (host, fault) in [
        ("inside.example.com", WebhookFault::ForbiddenNetwork),
        ("metadata.example.com", WebhookFault::ForbiddenNetwork),
        ("mixed.example.com", WebhookFault::ForbiddenNetwork),
        ("nowhere.example.com", WebhookFault::Unresolved),
        ("unknown.example.com", WebhookFault::Unresolved),
        ("127.0.0.1", WebhookFault::Refused),
        ("[::1]", WebhookFault::Refused),
        ("[::ffff:127.0.0.1]", WebhookFault::Refused),
        ("0.0.0.0", WebhookFault::Refused),
        // The same address, dressed up.
        ("0x7f.1", WebhookFault::Refused),
        ("2130706433", WebhookFault::Refused),
        ("017700000001", WebhookFault::Refused),
    ] {
        let sent = sender(false).send(to(&format!("http://{host}:{port}/hook"))).await;
        assert_eq!(sent, Err(fault), "{host}");
    }
    assert!(receiver.received().is_empty(), "nothing came");

    // The guard is what kept it out: without it the same names lead there, to the address that was found.
    for host in ["inside.example.com", "127.0.0.1"] {
        let sent = sender(true).send(to(&format!("http://{host}:{port}/hook?a=b"))).await.unwrap();
        assert_eq!(sent.status, 200);
    }
    let received = receiver.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].path, "/hook?a=b");
    assert_eq!(received[0].header("host"), format!("inside.example.com:{port}"));
}

#[test]
fn addresses_are_checked_when_they_are_set() {
    let strict = HttpWebhookSender::new(WebhookPolicy::default()).unwrap();
    assert!(strict.check("https://hooks.example.com/a?b=c").is_ok());
    assert!(strict.check("https://hooks.example.com:8443/").is_ok());
    assert!(strict.check("https://[2606:4700::1111]/").is_ok());
    for (url, code) in [
        ("http://hooks.example.com/", "https-required"),
        ("ftp://hooks.example.com/", "https-required"),
        ("file:///etc/passwd", "https-required"),
        ("gopher://hooks.example.com/", "https-required"),
        ("hooks.example.com", "not-a-url"),
        ("https://", "not-a-url"),
        ("", "not-a-url"),
        ("https://user@hooks.example.com/", "credentials"),
        ("https://user:secret@hooks.example.com/", "credentials"),
        ("https://hooks.example.com/#part", "fragment"),
        ("https://127.0.0.1/", "forbidden-network"),
        ("https://10.0.0.1:8443/", "forbidden-network"),
        ("https://169.254.169.254/latest/meta-data", "forbidden-network"),
        ("https://[::1]/", "forbidden-network"),
        ("https://[::ffff:192.168.0.1]/", "forbidden-network"),
        ("https://[fd00::1]/", "forbidden-network"),
        ("https://2130706433/", "forbidden-network"),
        ("https://0x7f000001/", "forbidden-network"),
        ("https://127.1/", "forbidden-network"),
        ("https://１２７.０.０.１/", "forbidden-network"),
    ] {
        assert_eq!(strict.check(url).unwrap_err().code, code, "{url}");
    }
    let mut ports = WebhookPolicy::default();
    ports.ports = vec![443];
    let ports = HttpWebhookSender::new(ports).unwrap();
    assert!(ports.check("https://hooks.example.com/").is_ok());
    assert_eq!(ports.check("https://hooks.example.com:22/").unwrap_err().code, "forbidden-port");
}

#[tokio::test]
async fn redirects_are_not_followed_and_answers_are_bounded() {
    let receiver = Receiver::start().await;
    receiver.then(&[302, 307]);
    for status in [302, 307] {
        assert_eq!(sender(true).send(to(&receiver.url("/"))).await.unwrap().status, status);
    }
    assert_eq!(receiver.received().len(), 2, "nobody went elsewhere");
    let long = format!("\0{}\u{1F600}", "x".repeat(1 << 20));
    receiver.then_say(500, &long);
    let answer = sender(true).send(to(&receiver.url("/"))).await.unwrap();
    assert_eq!((answer.status, answer.excerpt), (500, "x".repeat(500)));
}

#[tokio::test]
async fn what_is_no_answer_is_named() {
    let receiver = Receiver::start().await;
    receiver.slow(Duration::from_secs(60));
    let mut hasty = policy(true);
    hasty.total_timeout = Duration::from_millis(200);
    let hasty = HttpWebhookSender::new(hasty).unwrap();
    assert_eq!(hasty.send(to(&receiver.url("/"))).await, Err(WebhookFault::Timeout));

    let url = format!("https://127.0.0.1:{}/", receiver.port);
    assert_eq!(sender(true).send(to(&url)).await, Err(WebhookFault::Tls));
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = closed.local_addr().unwrap().port();
    drop(closed);
    let url = format!("http://127.0.0.1:{port}/");
    assert_eq!(sender(true).send(to(&url)).await, Err(WebhookFault::Unreachable));

    let rude = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", rude.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = rude.accept().await {
            let _ = stream.read(&mut [0; 64]).await;
            let _ = stream.write_all(b"220 mail.example.com ESMTP\r\n").await;
        }
    });
    assert_eq!(sender(true).send(to(&url)).await, Err(WebhookFault::Protocol));
}
