//! What of a configuration is unsafe in production, and whether the server runs.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use url::Url;

use crate::config::{Config, Database, MailTransport, Secret};

/// Everything in `config` that is fine on a desk and not in production, one sentence each.
#[must_use]
pub fn configuration(config: &Config) -> Vec<String> {
    let mut findings = Vec::new();
    let mut find = |wrong: bool, finding: &str| {
        if wrong {
            findings.push(finding.to_owned());
        }
    };
    find(
        config.allow_unsafe_database_role,
        "allow_unsafe_database_role is on: nothing below the application keeps tenants apart; remove it and \
         connect with the application's role",
    );
    match &config.public_url {
        None => find(true, "public_url is not set; write the https:// address that clients use"),
        Some(url) => find(url.scheme() != "https", "public_url is not https: put TLS in front of the server"),
    }
    find(
        config.cors_origins.iter().any(|origin| !origin.starts_with("https://")),
        "cors_origins has an origin without https: its pages can be changed on the way",
    );
    find(
        config.allowed_hosts.is_empty(),
        "allowed_hosts allows any host, so links and caches can be led astray; name the hosts that clients use",
    );
    match &config.mail {
        None => find(true, "mail_url is not set: nobody can be invited, and nobody can reset their password"),
        Some(mail) => find(
            matches!(mail.transport, MailTransport::Directory(_)),
            "mail_url writes messages to a directory: nobody receives them",
        ),
    }
    if let (Database::Postgres(application), Some(owner)) = (&config.database, &config.migration_database_url)
    {
        find(
            user(application).is_some() && user(application) == user(owner),
            "database_url and migration_database_url use the same role, so the application owns the tables and \
             can drop their row-level security; give it a role of its own",
        );
    }
    for path in [&config.data_dir, &config.signing_key_file] {
        if open_to_others(path) {
            findings.push(format!("{} is open to other users: take their permissions away", path.display()));
        }
    }
    findings
}

/// What of the database is unsafe: its role, or migrations that are missing. One sentence each.
pub async fn database(config: &Config) -> Vec<String> {
    let Database::Postgres(url) = &config.database else {
        return Vec::new();
    };
    match hrms_store::SqlStore::postgres(url.expose()).await {
        Ok(store) => {
            store.close().await;
            Vec::new()
        }
        Err(error) => vec![error.to_string()],
    }
}

/// How long one step of [`live`] may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Asks the server that is bound to `bind` for its health. For containers, which have no other client.
///
/// # Errors
/// If nobody answers there within a few seconds, or the answer isn't 200.
pub fn live(bind: SocketAddr) -> io::Result<()> {
    let ip = match bind.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let mut stream = TcpStream::connect_timeout(&SocketAddr::new(ip, bind.port()), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    // The status stands in the first twelve bytes: `HTTP/1.1 200`.
    let mut start = [0; 12];
    stream.read_exact(&mut start)?;
    match &start {
        b"HTTP/1.1 200" => Ok(()),
        other => {
            Err(io::Error::other(format!("the answer starts with {:?}", String::from_utf8_lossy(other))))
        }
    }
}

fn user(url: &Secret) -> Option<String> {
    let url = Url::parse(url.expose()).ok()?;
    Some(url.username().to_owned()).filter(|user| !user.is_empty())
}

#[cfg(unix)]
fn open_to_others(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o027 != 0)
}

#[cfg(not(unix))]
fn open_to_others(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn findings(variables: &[(&str, &str)]) -> Vec<String> {
        let variables = variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        configuration(&Config::load_from(None, variables).unwrap().config)
    }

    const SAFE: [(&str, &str); 6] = [
        ("HRMS_MAIL_URL", "smtps://mail.example.com"),
        ("HRMS_MAIL_FROM", "hr@example.com"),
        ("HRMS_PUBLIC_URL", "https://hr.example.com"),
        ("HRMS_DATABASE_URL", "postgres://app:secret@db/hrms"),
        ("HRMS_MIGRATION_DATABASE_URL", "postgres://owner:secret@db/hrms"),
        ("HRMS_DATA_DIR", "/nonexistent"),
    ];

    #[test]
    fn a_safe_configuration_has_no_findings() {
        assert_eq!(findings(&SAFE), Vec::<String>::new());
    }

    #[test]
    fn without_a_public_url_any_host_is_served() {
        let mut variables = SAFE.to_vec();
        variables.retain(|(known, _)| *known != "HRMS_PUBLIC_URL");
        let found = findings(&variables);
        assert!(
            found.len() == 2 && found[0].contains("not set") && found[1].contains("any host"),
            "{found:?}"
        );
    }

    #[test]
    fn only_a_200_is_alive() {
        for (answer, alive) in
            [("HTTP/1.1 200 OK\r\n\r\n", true), ("HTTP/1.1 503 Busy\r\n\r\n", false), ("", false)]
        {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let port = listener.local_addr().unwrap().port();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    request.extend(byte);
                }
                assert!(request.starts_with(b"GET /health/live HTTP/1.1\r\n"));
                stream.write_all(answer.as_bytes()).unwrap();
            });
            assert_eq!(live(([0, 0, 0, 0], port).into()).is_ok(), alive, "{answer:?}");
            server.join().unwrap();
            assert!(live(([127, 0, 0, 1], port).into()).is_err(), "nobody listens any more");
        }
    }

    #[test]
    fn each_unsafe_setting_is_found() {
        for (name, value, expected) in [
            ("HRMS_ALLOW_UNSAFE_DATABASE_ROLE", "true", "keeps tenants apart"),
            ("HRMS_PUBLIC_URL", "http://hr.example.com", "not https"),
            ("HRMS_ALLOWED_HOSTS", "*", "any host"),
            ("HRMS_CORS_ORIGINS", "http://localhost:3000", "without https"),
            ("HRMS_MAIL_URL", "", "nobody can be invited"),
            ("HRMS_MAIL_URL", "file:mail", "nobody receives them"),
            ("HRMS_DATABASE_URL", "postgres://owner@db/hrms", "same role"),
            #[cfg(unix)]
            ("HRMS_DATA_DIR", "/", "open to other users"),
        ] {
            let mut variables = SAFE.to_vec();
            variables.retain(|(known, _)| *known != name);
            variables.push((name, value));
            let found = findings(&variables);
            assert_eq!(found.len(), 1, "{name}={value}: {found:?}");
            assert!(found[0].contains(expected), "{found:?}");
        }
    }
}
