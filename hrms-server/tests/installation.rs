//! Commands that look after an installation, by the real program with an embedded database.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test: what does not work fails it")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use sqlx::{AssertSqlSafe, Connection, SqliteConnection};

const LONG_AGO: &str = "2020-01-01T00:00:00.000000Z";

struct Installation(tempfile::TempDir);

/// A process that doesn't outlive the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Installation {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hrms-server"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HRMS_")) {
            command.env_remove(name);
        }
        command.args(arguments).env("HRMS_DATA_DIR", self.0.path());
        command.env("HRMS_DATABASE_URL", format!("sqlite:{}", self.path("hrms.db")));
        command.env("HRMS_BIND", "127.0.0.1:0").env("HRMS_LOG_FORMAT", "json");
        command
    }

    /// Whether it ended well, and its answer.
    fn run(&self, arguments: &[&str], input: &str) -> (bool, String) {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Whoever reads no input may be gone by now.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let good = output.status.success();
        // The log is beside the point of what went well.
        let text = if good { output.stdout } else { [output.stdout, output.stderr].concat() };
        (good, String::from_utf8(text).unwrap())
    }

    #[track_caller]
    fn expect(&self, arguments: &[&str]) -> String {
        let (good, text) = self.run(arguments, "");
        assert!(good, "{text}");
        text
    }

    fn organization(&self, slug: &str) {
        let admin = format!("ada@{slug}.example");
        self.expect(&["organization", "create", "--slug", slug, "--name", slug, "--admin-email", &admin]);
    }

    fn close(&self, slug: &str) {
        let why = "The contract has ended.";
        self.expect(&["organization", "close", "--slug", slug, "--reason", why, "--hold-days", "30"]);
    }

    /// Says something to the database itself, and gives the first number that it answers.
    fn sql(&self, sql: &str) -> i64 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut file = SqliteConnection::connect(&self.path("hrms.db")).await.unwrap();
            let number: Option<i64> =
                sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_optional(&mut file).await.unwrap();
            file.close().await.unwrap();
            number.unwrap_or_default()
        })
    }

    fn count(&self, table: &str) -> i64 {
        self.sql(&format!("SELECT count(*) FROM {table}"))
    }

    fn hold_is_over(&self, slug: &str) {
        self.sql(&format!("UPDATE organization SET purge_after = '{LONG_AGO}' WHERE slug = '{slug}'"));
    }
}

#[test]
fn the_database_is_nobody_elses_business() {
    let installation = Installation::new();
    installation.organization("acme");
    let mut server = Ended(installation.command(&["serve"]).stderr(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(server.0.stderr.take().unwrap()).lines();
    let listening = lines.any(|line| line.unwrap().contains("listening on"));
    // While it is open, the journal and what is shared lie beside it.
    let mut seen = 0;
    for file in std::fs::read_dir(installation.0.path()).unwrap() {
        let file = file.unwrap();
        let (name, mode) = (file.file_name(), file.metadata().unwrap().permissions().mode() & 0o777);
        if name.to_string_lossy().starts_with("hrms.db") {
            seen += 1;
            assert_eq!(mode, 0o600, "{}", name.display());
        }
    }
    drop(server);
    assert!(listening && seen >= 2, "{seen}");
}

#[test]
fn purge_deletes_those_whose_hold_is_over_and_no_others() {
    let installation = Installation::new();
    for slug in ["acme", "bolt", "cogs"] {
        installation.organization(slug);
    }
    assert_eq!(installation.expect(&["organization", "purge"]), "0 organisations purged\n");
    installation.close("acme");
    installation.close("bolt");
    assert_eq!(installation.expect(&["organization", "purge"]), "0 organisations purged\n");
    assert_eq!((installation.count("membership"), installation.count("user_account")), (3, 3));
    installation.hold_is_over("acme");
    let text = installation.expect(&["organization", "purge"]);
    assert!(text.starts_with("purged ") && text.ends_with("\n1 organisations purged\n"), "{text}");
    assert_eq!(installation.count("membership"), 2);
    assert_eq!(installation.count("organization WHERE slug IN ('bolt', 'cogs')"), 2);
    installation.expect(&["organization", "reopen", "--slug", "bolt"]);
    let (good, text) = installation.run(&["organization", "reopen", "--slug", "acme"], "");
    assert!(!good, "{text}");
}

#[test]
fn a_server_purges_by_itself() {
    let installation = Installation::new();
    installation.organization("acme");
    installation.organization("bolt");
    installation.close("acme");
    installation.hold_is_over("acme");
    let mut server = Ended(installation.command(&["serve"]).stderr(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(server.0.stderr.take().unwrap()).lines();
    let purged = lines.any(|line| line.unwrap().contains("organisation purged"));
    drop(server);
    assert!(purged);
    assert_eq!(installation.count("membership"), 1);
}

#[test]
fn a_lost_second_factor_is_reset_with_a_reason() {
    let installation = Installation::new();
    let email = "olga@service.example";
    let (good, text) = installation.run(&["admin", "create", "--email", email], "seven anvils on a roof\n");
    assert!(good, "{text}");
    let reset = |email: &str, reason: &str| {
        installation.run(&["admin", "reset-second-factor", "--email", email, "--reason", reason], "")
    };
    let why = "Lost her phone; known by voice and by her badge.";
    let (good, text) = reset(email, why);
    assert!(!good, "she has none: {text}");
    installation.sql(&format!(
        "INSERT INTO account_totp (user_id, secret, enrolled_at, last_step, failures) \
         SELECT id, x'00', '{LONG_AGO}', 0, 0 FROM user_account"
    ));
    for (who, reason) in [(email, "short"), ("nobody@service.example", why)] {
        let (good, text) = reset(who, reason);
        assert!(!good, "{text}");
    }
    let enrolled = "account_totp WHERE secret IS NOT NULL";
    assert_eq!(installation.count(enrolled), 1);
    let (good, text) = reset(email, why);
    assert!(good && text.starts_with("olga@service.example has no second factor any more"), "{text}");
    assert_eq!(installation.count(enrolled), 0);
    assert_eq!(installation.count("platform_audit_entry WHERE why LIKE '%by her badge.'"), 1);
}
