//! The real `hrms-server`, as a process of its own.
//!
//! Cargo tells a test where the binaries of its own package are, not those of others. So the binary is
//! looked for beside the running test (`target/<profile>/hrms-server`) or where `HRMS_TEST_SERVER_BIN`
//! says. `cargo test --workspace` builds it, because `hrms-server` has an integration test of its own;
//! with `cargo test -p hrms-tests` run `cargo build -p hrms-server` first, or a stale one is tested.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::Client;

/// A running server. Killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    dir: tempfile::TempDir,
}

/// The server's binary with these arguments, and with no `HRMS_…` variable of the surroundings.
#[must_use]
pub fn server_command(arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HRMS_") {
            command.env_remove(name);
        }
    }
    command
}

fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("HRMS_TEST_SERVER_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().unwrap();
    // target/<profile>/deps/<test>
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    let binary = profile.join("hrms-server").with_extension(std::env::consts::EXE_EXTENSION);
    assert!(binary.is_file(), "{} is missing: run `cargo build -p hrms-server`", binary.display());
    binary
}

impl Server {
    /// Starts `hrms-server serve` on a free port with a data directory of its own and these `HRMS_…`
    /// variables on top, and waits until it accepts connections.
    ///
    /// Give `HRMS_DATA_DIR` to start again on the same data.
    pub async fn start(variables: &[(&str, &str)]) -> Self {
        for _ in 0..3 {
            if let Some(server) = Self::try_start(variables).await {
                return server;
            }
        }
        panic!("three ports were taken by others, one after the other");
    }

    /// `None` when somebody else took the port in between.
    async fn try_start(variables: &[(&str, &str)]) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let log = File::create(dir.path().join("server.log")).unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let child = server_command(&["serve"])
            .env("HRMS_BIND", address.to_string())
            .env("HRMS_DATA_DIR", dir.path().join("data"))
            .envs(variables.iter().copied())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Self { child, address, dir };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(address).is_err() {
            if let Some(status) = server.child.try_wait().unwrap() {
                let log = server.log();
                assert!(log.contains("in use"), "the server ended with {status}:\n{log}");
                return None;
            }
            assert!(Instant::now() < deadline, "the server doesn't listen:\n{}", server.log());
            // Another process: there is nothing to be woken by.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Some(server)
    }

    /// As in `http://127.0.0.1:41234`.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A client without credentials.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.base_url())
    }

    /// What the server has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("server.log")).unwrap_or_default()
    }

    /// The process, for measurements and signals.
    #[must_use]
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Asks the server to stop (SIGTERM), waits, and says how it ended and what it had printed.
    pub fn terminate(mut self) -> (ExitStatus, String) {
        let kill = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap();
        assert!(kill.success(), "no signal sent");
        let status = self.child.wait().unwrap();
        (status, self.log())
    }

    /// Kills the server without a warning.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
        if std::thread::panicking() {
            eprintln!("log of the server:\n{}", self.log());
        }
    }
}
