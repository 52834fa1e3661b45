//! `hrms-server demo`: an example organisation in a database of its own, ready to be tried.

mod cast;
mod seed;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use hrms_core::EmployeeId;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;

use crate::cli::Failure;
use crate::command::serve;
use crate::config::{Config, Database};
use crate::start;

/// The log-in name of the example organisation.
const SLUG: &str = "demo";

/// Options of `demo`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Print one line of JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// The port to listen on; 0 picks a free one. Without it 8080, or a free one when that is taken.
    #[arg(long)]
    port: Option<u16>,
    /// Where the example's files go.
    #[arg(long, default_value = "hrms-demo", value_name = "DIR")]
    data_dir: PathBuf,
}

/// Somebody to log in as.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Account {
    role: String,
    email: String,
    password: String,
    employee_id: EmployeeId,
}

/// Runs it.
///
/// # Errors
/// When the directory or the port can't be used.
pub async fn run(mut config: Config, options: Options) -> Result<(), Failure> {
    let dir = &options.data_dir;
    start::data_dir(dir)?;
    config.data_dir.clone_from(dir);
    config.database = Database::Sqlite(dir.join("hrms.db"));
    config.signing_key_file = dir.join("signing-key.pem");
    // Only this machine reaches it, by whatever name.
    config.allowed_hosts.clear();
    config.former_signing_key_file = None;
    config.bind = ([127, 0, 0, 1], options.port.unwrap_or(8080)).into();

    // Two demos that start together make one organisation: the second waits and finds it made.
    let lock = File::create(dir.join("lock")).map_err(Failure::io)?;
    lock.lock().map_err(Failure::io)?;
    let accounts = match saved(dir)? {
        Some(accounts) => accounts,
        None => seed_anew(&config, dir).await?,
    };
    lock.unlock().map_err(Failure::io)?;

    let keys = start::keys(&config)?;
    let (hrms, store) = start::hrms(&config).await?;
    let stop = serve::stopped();
    let listener = bind(&mut config, options.port.is_none()).await?;
    let base_url = format!("http://{}", listener.local_addr().map_err(Failure::io)?);
    if options.json {
        print_json(&base_url, &accounts)?
    } else {
        print_table(&base_url, &accounts)
    }
    serve::serve(&config, &keys, hrms, store, listener, stop).await
}

/// The accounts of a demo that was made before. Their passwords open nothing but this example.
fn saved(dir: &Path) -> Result<Option<Vec<Account>>, Failure> {
    match fs::read(dir.join("accounts.json")) {
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::io(error)),
    }
}

/// Makes the organisation. The list of accounts is written last: without it, what is there is
/// left over from a start that was broken off, and goes.
async fn seed_anew(config: &Config, dir: &Path) -> Result<Vec<Account>, Failure> {
    for leftover in ["hrms.db", "hrms.db-wal", "hrms.db-shm"] {
        match fs::remove_file(dir.join(leftover)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Failure::io(error)),
            _ => {}
        }
    }
    let (hrms, store) = start::hrms(config).await?;
    let accounts = seed::organization(&hrms, SLUG).await?;
    store.close().await;
    let text = serde_json::to_vec_pretty(&accounts).map_err(|error| Failure::new(error.to_string()))?;
    let mut file = tempfile::NamedTempFile::new_in(dir).map_err(Failure::io)?; // mode 0600
    file.write_all(&text).map_err(Failure::io)?;
    file.persist(dir.join("accounts.json")).map_err(|error| Failure::io(error.error))?;
    Ok(accounts)
}

async fn bind(config: &mut Config, elsewhere: bool) -> Result<TcpListener, Failure> {
    match serve::bind(config).await {
        Err(_) if elsewhere => {
            config.bind.set_port(0);
            serve::bind(config).await
        }
        other => other,
    }
}

#[derive(Serialize)]
struct Line<'a> {
    base_url: &'a str,
    organization: &'a str,
    accounts: &'a [Account],
}

#[expect(clippy::print_stdout, reason = "the answer of a command")]
fn print_json(base_url: &str, accounts: &[Account]) -> Result<(), Failure> {
    let line = Line { base_url, organization: SLUG, accounts };
    println!("{}", serde_json::to_string(&line).map_err(|error| Failure::new(error.to_string()))?);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the answer of a command")]
fn print_table(base_url: &str, accounts: &[Account]) {
    println!("The example organisation is ready. Open");
    println!(
        "  {base_url}/api/docs/    interactive documentation: log in there with POST /api/v1/auth/login"
    );
    println!("  {base_url}/api/redoc/   reference");
    println!();
    println!("Log in to organization \"{SLUG}\" as");
    for account in accounts {
        println!("  {:<9} {:<32} {}", account.role, account.email, account.password);
    }
    println!();
    println!("Ctrl-C ends it; the next start finds everything as it was left.");
}
