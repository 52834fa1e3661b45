//! Sends messages: to a mail server, or into files for development.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use hrms_core::mail::{MailError, Mailer, Message};
use hrms_core::{IdSource, RandomIds};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use crate::config::{Mail, MailTls, MailTransport};

/// How long one command of the mail server may take.
const COMMAND: Duration = Duration::from_secs(20);
/// How long it may take to hand a message over.
const HAND_OVER: Duration = Duration::from_secs(60);
/// Connections to the mail server that are kept open, and open at the same time.
const CONNECTIONS: (u32, u32) = (0, 4);
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(30);

/// Answers of a mail server that are about our log-in or its settings and not about the message (RFC 4954): what
/// is wrong can be put right, and the message sent then.
const NOT_ABOUT_THE_MESSAGE: [u16; 5] = [421, 454, 530, 534, 535];

/// Hands messages over to what the configuration names.
#[derive(Clone, Debug)]
pub struct Post {
    from: Mailbox,
    way: Way,
}

#[derive(Clone)]
enum Way {
    Smtp(AsyncSmtpTransport<Tokio1Executor>),
    Directory(PathBuf),
}

impl std::fmt::Debug for Way {
    // The transport would show its credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Smtp(_) => "Smtp",
            Self::Directory(_) => "Directory",
        })
    }
}

impl Post {
    /// What the configuration names. Nothing is connected to yet.
    ///
    /// # Errors
    /// When TLS can't be set up, or the directory can't be made.
    pub fn new(mail: &Mail) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let way = match &mail.transport {
            MailTransport::Directory(path) => {
                crate::start::data_dir(path)?;
                Way::Directory(path.clone())
            }
            MailTransport::Smtp { host, port, tls } => {
                let parameters = || TlsParameters::new(host.clone());
                let tls = match tls {
                    MailTls::Implicit => Tls::Wrapper(parameters()?),
                    MailTls::StartTls => Tls::Required(parameters()?),
                    MailTls::None => Tls::None,
                };
                let (idle, most) = CONNECTIONS;
                let pool = PoolConfig::new().min_idle(idle).max_size(most).idle_timeout(IDLE);
                let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
                    .port(*port)
                    .tls(tls)
                    .timeout(Some(COMMAND))
                    .pool_config(pool);
                if let Some((username, password)) = &mail.credentials {
                    let credentials = Credentials::new(username.clone(), password.expose().to_owned());
                    transport = transport.credentials(credentials);
                }
                Way::Smtp(transport.build())
            }
        };
        Ok(Self { from: mail.from.clone(), way })
    }

    fn compose(&self, message: Message) -> Result<lettre::Message, MailError> {
        let refused = |error: Box<dyn std::error::Error + Send + Sync>| MailError::Refused(error);
        // Parsed, so that nothing in it can become a header.
        let to: Address = message.to.parse().map_err(|error| refused(Box::new(error)))?;
        let subject: String = message.subject.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        // What looks like an encoded word (RFC 2047) would be decoded by whoever reads it.
        let subject = subject.replace("=?", "= ?");
        let id = message.id.unwrap_or_else(|| RandomIds.next());
        let id = format!("<{id}@{}>", self.from.email.domain());
        let mut builder = lettre::Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .message_id(Some(id))
            .date_now()
            // RFC 3834: nobody's holiday notice is to answer it.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        if let Some(url) = message.unsubscribe {
            let header = |name, value| HeaderValue::new(HeaderName::new_from_ascii_str(name), value);
            // RFC 2369 and RFC 8058.
            builder = builder.raw_header(header("List-Unsubscribe", format!("<{url}>")));
            let one_click = "List-Unsubscribe=One-Click".to_owned();
            builder = builder.raw_header(header("List-Unsubscribe-Post", one_click));
        }
        let composed = match message.html {
            Some(html) => builder.multipart(MultiPart::alternative_plain_html(message.text, html)),
            None => builder.singlepart(SinglePart::plain(message.text)),
        };
        composed.map_err(|error| refused(Box::new(error)))
    }
}

#[async_trait]
impl Mailer for Post {
    async fn send(&self, message: Message) -> Result<(), MailError> {
        let message = self.compose(message)?;
        match &self.way {
            Way::Smtp(transport) => {
                let sent = tokio::time::timeout(HAND_OVER, transport.send(message)).await;
                let sent = sent.map_err(|elapsed| MailError::Unavailable(Box::new(elapsed)))?;
                sent.map(|_| ()).map_err(sorted)
            }
            Way::Directory(path) => {
                let path = path.clone();
                let written = tokio::task::spawn_blocking(move || write(&path, &message.formatted())).await;
                written
                    .map_err(std::io::Error::other)
                    .and_then(|written| written)
                    .map_err(|error| MailError::Unavailable(Box::new(error)))
            }
        }
    }
}

/// Whether another try can help.
fn sorted(error: lettre::transport::smtp::Error) -> MailError {
    let about_message = error.status().is_some_and(|code| !NOT_ABOUT_THE_MESSAGE.contains(&u16::from(code)));
    if error.is_permanent() && about_message {
        MailError::Refused(Box::new(error))
    } else {
        MailError::Unavailable(Box::new(error))
    }
}

/// One file for each message, readable for this user only, in the order of their names.
fn write(directory: &std::path::Path, message: &[u8]) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(directory)?; // mode 0600
    file.write_all(message)?;
    file.persist(directory.join(format!("{}.eml", RandomIds.next()))).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post() -> Post {
        Post { from: "HR <hr@example.com>".parse().unwrap(), way: Way::Directory(PathBuf::new()) }
    }

    fn message(to: &str, subject: &str) -> Message {
        let text = "Hällo\r\n.\r\nBcc: x@evil.example";
        Message { html: Some("<p>Hällo</p>".into()), ..Message::plain(to, subject, text) }
    }

    #[test]
    fn what_can_be_stopped_says_how() {
        let id = hrms_core::RandomIds.next();
        let unsubscribe = Some("https://hr.example.com/api/v1/x?token=AbC-_".to_owned());
        let message = Message { id: Some(id), unsubscribe, ..message("jane@example.com", "x") };
        let text = String::from_utf8(post().compose(message).unwrap().formatted()).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        let head = head.replace("\r\n ", " ");
        assert!(
            head.contains("\r\nList-Unsubscribe: <https://hr.example.com/api/v1/x?token=AbC-_>\r\n"),
            "{head}"
        );
        assert!(head.contains("\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"), "{head}");
        assert!(head.contains(&format!("\r\nMessage-ID: <{id}@example.com>\r\n")), "{head}");
    }

    #[test]
    fn nothing_in_a_message_becomes_a_header() {
        let subject = "Welcome\r\nBcc: victim@evil.example\r\n\r\nbody to Zoë";
        let composed = post().compose(message("jane@example.com", subject)).unwrap();
        let text = String::from_utf8(composed.formatted()).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        assert!(!head.lines().any(|line| line.to_lowercase().starts_with("bcc")), "{head}");
        assert!(head.contains("=?utf-8?b?Wm/Dqw==?=") && !head.contains('ë'), "{head}");
        assert!(head.contains("\r\nAuto-Submitted: auto-generated\r\n"), "{head}");
        assert!(head.contains("@example.com>\r\n"), "{head}");
        assert_eq!(composed.envelope().to(), ["jane@example.com".parse::<Address>().unwrap()]);
        let encoded = post().compose(message("jane@example.com", "=?utf-8?q?=0D=0ABcc:_x?= a")).unwrap();
        let encoded = String::from_utf8(encoded.formatted()).unwrap();
        assert!(!encoded.contains("Subject: =?"), "{encoded}");
        for to in ["jane@example.com\r\nBcc: x@evil.example", "a@b.c, d@e.f", "<a@b.c>", "", "a"] {
            assert!(matches!(post().compose(message(to, "x")), Err(MailError::Refused(_))), "{to:?}");
        }
    }
}
