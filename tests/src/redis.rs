//! A Redis server of a test's own, that can be stopped.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running `redis-server` (or `valkey-server`) that keeps nothing. Killed when dropped.
#[derive(Debug)]
pub struct Redis {
    child: Child,
    port: u16,
    dir: Option<tempfile::TempDir>,
}

impl Redis {
    /// Starts one on a free port, and waits until it answers.
    pub async fn start() -> Self {
        for _ in 0..3 {
            if let Some(redis) = Self::try_start().await {
                return redis;
            }
        }
        panic!("three ports were taken by others, one after the other");
    }

    async fn try_start() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::start_at(port, dir).await
    }

    async fn start_at(port: u16, dir: tempfile::TempDir) -> Option<Self> {
        let start = |program: &str| {
            Command::new(program)
                .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
                .args(["--save", "", "--appendonly", "no", "--dir"])
                .arg(dir.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .spawn()
        };
        let child = start("redis-server").or_else(|_| start("valkey-server"));
        let child = child.expect("neither redis-server nor valkey-server is installed");
        let mut redis = Self { child, port, dir: Some(dir) };
        let deadline = Instant::now() + Duration::from_secs(30);
        while redis.ask("PING").is_none_or(|answer| !answer.contains("PONG")) {
            if redis.child.try_wait().unwrap().is_some() {
                return None;
            }
            assert!(Instant::now() < deadline, "Redis doesn't answer");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Some(redis)
    }

    /// As in `redis://127.0.0.1:6379/`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// What an inline command is answered with, as it comes over the wire; `None` when nobody is there.
    #[must_use]
    pub fn ask(&self, command: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// Starts it again, empty, on the same port.
    pub async fn start_again(&mut self) {
        self.stop();
        let dir = self.dir.take().unwrap();
        *self = Self::start_at(self.port, dir).await.expect("its port was taken meanwhile");
    }

    /// Stops it without a warning.
    pub fn stop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.stop();
    }
}
