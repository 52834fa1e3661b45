//! A process of `hrms-server` that is killed and started again, at the same address.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use hrms_tests::{Client, server_command};

/// One node of an installation.
pub(super) struct Node {
    command: &'static str,
    address: String,
    variables: Vec<(String, String)>,
    log: PathBuf,
    child: Option<Child>,
}

impl Node {
    /// Starts `hrms-server <command>` with a folder of its own and these variables.
    pub(super) fn start(command: &'static str, name: &str, dir: &Path, variables: &[(&str, String)]) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut variables: Vec<_> =
            variables.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect();
        variables.push(("HRMS_BIND".to_owned(), address.clone()));
        variables.push(("HRMS_DATA_DIR".to_owned(), dir.join(name).to_str().unwrap().to_owned()));
        let log = dir.join(format!("{name}.log"));
        let mut node = Self { command, address, variables, log, child: None };
        node.start_again();
        node
    }

    pub(super) fn start_again(&mut self) {
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let child = server_command(&[self.command])
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// `kill -9`, in the midst of whatever it does.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn client(&self) -> Client {
        Client::new(&format!("http://{}", self.address))
    }

    /// What it has said, over all its lives.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
