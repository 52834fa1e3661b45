//! The part of the configuration that is about mail.

use std::path::PathBuf;

use lettre::message::Mailbox;
use url::{Host, Url};

use super::read::Reader;
use super::{Fault, Secret};

/// How messages leave, and whose they are.
#[derive(Clone, Debug)]
pub struct Mail {
    /// `mail_url`: where they go.
    pub transport: MailTransport,
    /// `mail_from`: the sender, as in `HR <hr@example.com>`.
    pub from: Mailbox,
    /// `mail_username` and `mail_password` (or `mail_password_file`), if the server asks for them.
    pub credentials: Option<(String, Secret)>,
}

/// Where messages go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailTransport {
    /// To a mail server.
    Smtp {
        /// Its name, which its certificate must carry.
        host: String,
        /// Its port.
        port: u16,
        /// How the connection is protected.
        tls: MailTls,
    },
    /// Into files of this directory; for development.
    Directory(PathBuf),
}

/// How a connection to the mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// TLS from the first byte (RFC 8314).
    Implicit,
    /// TLS after `STARTTLS`; a server that doesn't offer it gets nothing.
    StartTls,
    /// Not at all: on this machine only.
    None,
}

/// `None` where no mail is configured, or not well; the reader knows the problems.
pub(super) fn read(reader: &mut Reader) -> Option<Mail> {
    let transport = reader.value("mail_url", parse_url);
    let from = reader.value("mail_from", parse_from);
    let username = reader.value("mail_username", |text| Ok(text.to_owned()));
    let password = reader.secret("mail_password", |text| Ok(Secret::new(text.to_owned())));
    if transport.is_none() && !reader.has("mail_url") {
        return None;
    }
    if !reader.has("mail_from") {
        let fix = "set mail_from to the sender's address, for example HR <hr@example.com>";
        reader.problem("mail_url", "it is set, but nobody is named as the sender", fix);
    }
    let credentials = match (username, password) {
        (Some(username), Some(password)) => Some((username, password)),
        (None, None) => None,
        _ => {
            let fix = "set both or neither";
            reader.problem(
                "mail_url",
                "one of mail_username and mail_password is set without the other",
                fix,
            );
            None
        }
    };
    Some(Mail { transport: transport?, from: from?, credentials })
}

fn parse_url(text: &str) -> Result<MailTransport, Fault> {
    let fix = "write smtps://HOST (TLS), smtp://HOST (STARTTLS), smtp-plain://127.0.0.1:PORT (this machine only) or \
               file:DIRECTORY";
    if let Some(path) = text.strip_prefix("file:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() {
            return Err(("the address names no directory".to_owned(), fix));
        }
        return Ok(MailTransport::Directory(PathBuf::from(path)));
    }
    let url = Url::parse(text).map_err(|error| (format!("not a mail address: {error}"), fix))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err((
            "the address holds a user name or a password".to_owned(),
            "put them into mail_username and mail_password",
        ));
    }
    let (tls, port) = match url.scheme() {
        "smtps" => (MailTls::Implicit, 465),
        "smtp" => (MailTls::StartTls, 587),
        "smtp-plain" => (MailTls::None, 25),
        _ => return Err(("this kind of mail address is not supported".to_owned(), fix)),
    };
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    if bare.is_empty() || !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some()
    {
        return Err(("the address is not a host with a port".to_owned(), fix));
    }
    if tls == MailTls::None && !is_loopback(&bare) {
        return Err((
            "without TLS, messages and passwords could be read on their way".to_owned(),
            "use smtps:// or smtp://; smtp-plain:// is for 127.0.0.1, [::1] and localhost",
        ));
    }
    Ok(MailTransport::Smtp { host: bare, port: url.port().unwrap_or(port), tls })
}

fn is_loopback(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Ipv4(address)) => address.is_loopback(),
        Ok(Host::Ipv6(address)) => address.is_loopback(),
        _ => {
            host == "localhost" || host.parse().is_ok_and(|address: std::net::Ipv6Addr| address.is_loopback())
        }
    }
}

fn parse_from(text: &str) -> Result<Mailbox, Fault> {
    text.parse().map_err(|_| {
        (format!("'{text}' is not a sender"), "write an address, for example HR <hr@example.com>")
    })
}
