//! `hrms-server audit verify` and the anchoring of `serve`, by the real program, against somebody who owns the
//! database file.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test: what does not work fails it")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

/// What the server's log says of an anchor.
const ANCHOR: &str = "\"audit anchor\"";

/// An installation in a directory of its own.
struct Installation {
    directory: tempfile::TempDir,
    /// Of the first user of the last organisation.
    password: String,
}

impl Installation {
    /// With three organisations: the log of each has two entries, that of the platform three.
    fn new() -> Self {
        let mut this = Self { directory: tempfile::tempdir().unwrap(), password: String::new() };
        for slug in ["acme", "bolt", "cogs"] {
            let admin = format!("ada@{slug}.example");
            let create = ["organization", "create", "--slug", slug, "--name", slug, "--admin-email", &admin];
            let (code, text) = this.run(&create);
            assert_eq!(code, 0, "{text}");
            this.password =
                text.split("password").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        }
        this
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hrms-server"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HRMS_")) {
            command.env_remove(name);
        }
        command.args(arguments).env("HRMS_DATA_DIR", self.directory.path());
        command.env("HRMS_DATABASE_URL", format!("sqlite:{}", self.path("hrms.db")));
        command.env("HRMS_BIND", "127.0.0.1:0").env("HRMS_LOG_FORMAT", "json");
        command
    }

    fn run(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.command(arguments).output().unwrap();
        let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    }

    fn verify(&self, more: &[&str]) -> (i32, String) {
        self.run(&[&["audit", "verify"], more].concat())
    }

    /// What somebody does who owns the file: the triggers don't stop them.
    fn tamper(&self, sql: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut file = SqliteConnection::connect(&self.path("hrms.db")).await.unwrap();
            let triggers = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE '%audit%'";
            for name in sqlx::query_scalar::<_, String>(triggers).fetch_all(&mut file).await.unwrap() {
                let drop = format!("DROP TRIGGER {name}");
                sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut file).await.unwrap();
            }
            sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut file).await.unwrap();
            file.close().await.unwrap();
        });
    }

    /// Serves, calls `visit` with the address once `line` was logged so many times, ends, and gives all log lines.
    fn serve(&self, line: &str, times: usize, visit: impl FnOnce(&str)) -> String {
        let mut server = Ended(self.command(&["serve"]).stderr(Stdio::piped()).spawn().unwrap());
        let mut lines = BufReader::new(server.0.stderr.take().unwrap());
        let (mut text, mut address) = (String::new(), String::new());
        while address.is_empty() || text.matches(line).count() < times {
            let start = text.len();
            assert!(lines.read_line(&mut text).unwrap() > 0, "it ended: {text}");
            if let Some((_, found)) = text[start..].split_once("listening on http://") {
                address = found.split('"').next().unwrap().to_owned();
            }
        }
        visit(&address);
        let ended = Command::new("kill").arg(server.0.id().to_string()).status().unwrap();
        assert!(ended.success());
        lines.read_to_string(&mut text).unwrap();
        assert!(server.0.wait().unwrap().success(), "{text}");
        text
    }
}

/// The whole answer to a request; HTTP/1.0, so that nothing is cut into chunks.
fn ask(address: &str, what: &str, header: &str, body: &str) -> String {
    let mut http = TcpStream::connect(address).unwrap();
    let head = format!("{what} HTTP/1.0\r\nhost: {address}\r\n{header}content-type: application/json\r\n");
    write!(http, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    http.read_to_string(&mut answer).unwrap();
    answer
}

/// A process that doesn't outlive the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asserts that the log named so is broken at an entry, and says so with exit code 1.
fn broken(found: &(i32, String), log: &str, sequence: i64) {
    assert_eq!(found.0, 1, "{}", found.1);
    let line = format!("{log}: BROKEN at entry {sequence}: ");
    assert!(found.1.contains(&line), "{line} expected: {}", found.1);
    assert!(found.1.contains("1 audit log isn't as it was written"), "{}", found.1);
}

#[test]
fn a_log_as_it_was_written_is_intact() {
    let installation = Installation::new();
    let (code, text) = installation.verify(&["--all"]);
    assert_eq!(code, 0, "{text}");
    for (log, entries) in [("the platform", 3), ("acme", 2), ("bolt", 2), ("cogs", 2)] {
        assert!(text.contains(&format!("{log}: intact, {entries} entries, anchored up to 0")), "{text}");
    }
    let (code, text) = installation.verify(&["--organization", "nobody"]);
    assert_eq!((code, text.contains("there is no organisation nobody")), (1, true), "{text}");
    // What is to be checked has to be said, and anchors that can't be read are no anchors.
    assert_eq!(installation.verify(&[]).0, 2);
    let empty = installation.path("empty.jsonl");
    std::fs::write(&empty, "no anchors here\n").unwrap();
    assert_eq!(installation.verify(&["--all", "--anchors", &empty]).0, 1);
}

#[test]
fn what_was_done_to_the_file_is_found() {
    let acme = "tenant_id = (SELECT id FROM organization WHERE slug = 'acme')";
    for (log, sequence, sql) in [
        ("acme", 1, format!("UPDATE audit_entry SET subject = 'users/x' WHERE sequence = 1 AND {acme}")),
        ("acme", 1, format!("DELETE FROM audit_entry WHERE sequence = 1 AND {acme}")),
        ("acme", 2, format!("DELETE FROM audit_entry WHERE sequence = 2 AND {acme}")),
        (
            "acme",
            1,
            // Swapped.
            format!(
                "UPDATE audit_entry SET sequence = 9 WHERE sequence = 1 AND {acme};
                 UPDATE audit_entry SET sequence = 1 WHERE sequence = 2 AND {acme};
                 UPDATE audit_entry SET sequence = 2 WHERE sequence = 9 AND {acme}"
            ),
        ),
        ("the platform", 2, "UPDATE platform_audit_entry SET after = '{}' WHERE sequence = 2".into()),
        ("the platform", 2, "DELETE FROM platform_audit_entry WHERE sequence = 2".into()),
    ] {
        let installation = Installation::new();
        installation.tamper(&sql);
        broken(&installation.verify(&["--all"]), log, sequence);
        assert_eq!(installation.verify(&["--organization", "bolt"]).0, 0, "the others are as they were");
    }
}

/// Cuts the platform's log after an entry so that nothing in the database shows it.
fn cut(installation: &Installation, after: i64) {
    installation.tamper(&format!(
        "DELETE FROM platform_audit_entry WHERE sequence > {after};
         DELETE FROM platform_audit_anchor WHERE sequence > {after};
         UPDATE platform_counter SET value = {after},
             hash = (SELECT hash FROM platform_audit_entry WHERE sequence = {after}) WHERE name = 'audit'"
    ));
}

#[test]
fn a_cut_that_nothing_in_the_database_shows_is_found_by_anchors_that_were_kept() {
    let installation = Installation::new();
    let kept = installation.path("anchors.jsonl");
    // All of the server's log, as somebody may keep it.
    std::fs::write(&kept, installation.serve(ANCHOR, 4, |_| ())).unwrap();
    let (code, text) = installation.verify(&["--all", "--anchors", &kept]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("the platform: intact, 3 entries, anchored up to 3"), "{text}");
    cut(&installation, 2);
    let (code, text) = installation.verify(&["--platform"]);
    assert_eq!(code, 0, "no trace is left: {text}");
    broken(&installation.verify(&["--platform", "--anchors", &kept]), "the platform", 3);

    // By another key, these are nobody's anchors; by the former one, they are.
    let text = std::fs::read_to_string(&kept).unwrap();
    std::fs::remove_file(Path::new(&installation.path("signing-key.pem"))).unwrap();
    let whole = ["--organization", "acme", "--anchors", &kept];
    assert_eq!(installation.verify(&whole).0, 1);
    let key = text.split("\\\"key\\\":\\\"").nth(1).unwrap().split('\\').next().unwrap();
    let (code, text) = installation.verify(&[&whole[..], &["--trust-key", key]].concat());
    assert_eq!(code, 0, "{text}");
}

#[test]
fn a_server_anchors_what_grew_when_it_stops_and_nothing_that_was_tampered_with() {
    let installation = Installation::new();
    let text = installation.serve(ANCHOR, 4, |address| {
        let body = r#"{"organization":"bolt","email":"ada@bolt.example","password":"not the one it is"}"#;
        let answer = ask(address, "POST /api/v1/auth/login", "", body);
        assert!(answer.starts_with("HTTP/1.0 401 "), "{answer}");
    });
    assert_eq!(text.matches(ANCHOR).count(), 5, "{text}");
    let (code, text) = installation.verify(&["--organization", "bolt"]);
    assert_eq!((code, text.contains("intact, 3 entries, anchored up to 3")), (0, true), "{text}");

    // What comes behind the last anchor is checked before it is signed.
    let acme = "tenant_id = (SELECT id FROM organization WHERE slug = 'acme')";
    installation.tamper(&format!(
        "DELETE FROM audit_anchor; UPDATE audit_entry SET why = 'x' WHERE sequence = 2 AND {acme}"
    ));
    let text = installation.serve(ANCHOR, 2, |_| ());
    assert!(text.contains("isn't as it was written: it isn't anchored"), "{text}");
    assert_eq!(text.matches(ANCHOR).count(), 2, "{text}");
    broken(&installation.verify(&["--organization", "acme"]), "acme", 2);
    // Nor is a log that is shorter than an anchor says.
    cut(&installation, 2);
    installation.tamper(
        "INSERT INTO platform_audit_anchor VALUES (9, x'00', '2026-01-01T00:00:00.000000Z', x'00', x'00')",
    );
    let text = installation.serve("is shorter than its last anchor says", 1, |_| ());
    assert_eq!(text.matches(ANCHOR).count(), 0, "{text}");
}

#[test]
fn an_exported_log_is_checked_without_the_installation() {
    let installation = Installation::new();
    let (mut export, password) = (String::new(), installation.password.clone());
    let kept = installation.serve(ANCHOR, 4, |address| {
        let body =
            serde_json::json!({ "organization": "cogs", "email": "ada@cogs.example", "password": password });
        let tokens = ask(address, "POST /api/v1/auth/login", "", &body.to_string());
        let token = tokens.split("\"access_token\":\"").nth(1).unwrap().split('"').next().unwrap();
        let header = format!("authorization: Bearer {token}\r\n");
        let answer = ask(address, "GET /api/v1/exports/audit-log", &header, "");
        export = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
    });
    let elsewhere = tempfile::tempdir().unwrap();
    let path = |name: &str| elsewhere.path().join(name).to_str().unwrap().to_owned();
    let (file, anchors) = (path("export.ndjson"), path("anchors.jsonl"));
    let offline = |text: &str, more: &[&str]| {
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_hrms-server"));
        // Nothing can be opened or made there.
        command.env("HRMS_DATA_DIR", "/nonexistent/at/all").args(["audit", "verify", "--file", &file]);
        let output = command.args(more).output().unwrap();
        let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    };
    // The export is on record itself.
    let (code, text) = offline(&export, &[]);
    assert_eq!((code, text.contains("intact, 4 entries")), (0, true), "{text}");
    let edited = export.replacen("auth.logged-in", "auth.logged-on", 1);
    assert_ne!(edited, export);
    broken(&offline(&edited, &[]), &file, 3);
    let first = export.lines().next().unwrap();
    broken(&offline(first, &[]), &file, 2);

    // Against anchors, by a key that is named.
    std::fs::write(&anchors, &kept).unwrap();
    let key = kept.split("\\\"key\\\":\\\"").nth(1).unwrap().split('\\').next().unwrap();
    assert_eq!(offline(&export, &["--anchors", &anchors]).0, 1, "no key is named");
    let (code, text) = offline(&export, &["--anchors", &anchors, "--trust-key", key]);
    assert_eq!(code, 0, "{text}");
}
