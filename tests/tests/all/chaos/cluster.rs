//! A PostgreSQL server of a test's own, to crash.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};

/// A running server. Killed when dropped.
pub(super) struct Cluster {
    programs: PathBuf,
    dir: tempfile::TempDir,
    port: u16,
    child: Child,
}

impl Cluster {
    /// Makes and starts one; `None` when its programs aren't on this machine.
    pub(super) async fn start() -> Option<Self> {
        let programs = programs()?;
        let dir = tempfile::tempdir().unwrap();
        if let Some((user, group)) = server_user() {
            chown(dir.path(), Some(user), Some(group)).unwrap();
        }
        let made = program(&programs, "initdb", dir.path())
            .args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(dir.path().join("data"))
            .status()
            .unwrap();
        assert!(made.success(), "initdb failed: {}", fs::read_to_string(dir.path().join("log")).unwrap());
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = spawn(&programs, dir.path(), port);
        let cluster = Self { programs, dir, port, child };
        cluster.ready().await;
        Some(cluster)
    }

    /// The superuser's URL.
    pub(super) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// Ends it like a crash: every connection is cut, and nothing is written that wasn't.
    pub(super) fn crash(&mut self) {
        let signalled = Command::new("kill").arg("-QUIT").arg(self.child.id().to_string()).status().unwrap();
        assert!(signalled.success());
        self.child.wait().unwrap();
    }

    /// Starts it again after a crash.
    pub(super) async fn start_again(&mut self) {
        self.child = spawn(&self.programs, self.dir.path(), self.port);
        self.ready().await;
    }

    async fn ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while PgConnection::connect(&self.url()).await.is_err() {
            assert!(Instant::now() < deadline, "PostgreSQL doesn't answer");
            // Another process: there is nothing to be woken by.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg("-QUIT").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

fn spawn(programs: &Path, dir: &Path, port: u16) -> Child {
    program(programs, "postgres", dir)
        .arg("-D")
        .arg(dir.join("data"))
        .args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="])
        // What was answered must be there after a crash of the server; the machine doesn't crash.
        .args(["-c", "fsync=off", "-c", "synchronous_commit=on", "-c", &format!("port={port}")])
        .spawn()
        .unwrap()
}

/// A program of PostgreSQL, which refuses to run as root.
fn program(programs: &Path, name: &str, dir: &Path) -> Command {
    let log = File::options().create(true).append(true).open(dir.join("log")).unwrap();
    let mut command = Command::new(programs.join(name));
    command.current_dir(dir).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    if let Some((user, group)) = server_user() {
        command.uid(user).gid(group);
    }
    command
}

/// User and group to run it as, where this is root.
fn server_user() -> Option<(u32, u32)> {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let of = |name: &str| {
        let mut fields = users.lines().find(|line| line.split(':').next() == Some(name))?.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    of("postgres").or_else(|| of("nobody"))
}

fn programs() -> Option<PathBuf> {
    if let Some(dir) = std::env::var_os("HRMS_TEST_PG_BIN") {
        return Some(dir.into());
    }
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let found =
        installed.map(|version| version.path().join("bin")).filter(|dir| dir.join("initdb").is_file());
    let version = |dir: &PathBuf| dir.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    found.max_by_key(version).or_else(|| {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path)
            .find(|dir| dir.join("initdb").is_file() && dir.join("postgres").is_file())
    })
}
