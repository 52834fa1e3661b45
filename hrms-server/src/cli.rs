//! The command line.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hrms_core::DomainError;

use crate::check;
use crate::command::{self, admin, audit, demo, import, migrate, organization, serve};
use crate::config::{Config, Loaded};
use crate::start::{self, StartError};

/// The HRMS server.
#[derive(Debug, Parser)]
#[command(name = "hrms-server", version, about)]
pub struct Cli {
    /// TOML file with the configuration (else the one that HRMS_CONFIG names); HRMS_… variables win over it.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do; `serve` when nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Serve the API and run background jobs (what happens when no command is given).
    Serve,
    /// Run background jobs, without serving the API.
    Worker,
    /// Make an example organisation in a database of its own, say whom to log in as, and serve it.
    Demo(demo::Options),
    /// Bring the database up to date.
    Migrate(migrate::Options),
    /// Operators of the platform.
    #[command(subcommand)]
    Admin(admin::Admin),
    /// Organisations.
    #[command(subcommand)]
    Organization(organization::OrganizationCommand),
    /// Audit logs.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Import a CSV file into an organisation.
    Import(import::Options),
    /// Print the OpenAPI document of the API.
    Openapi,
    /// Say what of the configuration is unsafe in production, and fail if anything is.
    Check {
        /// Ask instead whether the server of this configuration is running and answers.
        #[arg(long)]
        live: bool,
    },
}

/// Why a command failed, in words for the person at the terminal.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    message: String,
}

impl Failure {
    /// A failure in these words.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }

    /// A refusal of the domain, with every field at fault.
    pub fn domain(error: impl DomainError) -> Self {
        let mut message = format!("{error} ({})", error.code());
        for field in error.fields() {
            message.push_str(&format!("\n  {}: {}", field.pointer, field.detail));
        }
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            message.push_str(&format!("\n  because: {cause}"));
            source = cause.source();
        }
        Self { message }
    }

    /// The system refused to read or write.
    #[must_use]
    pub fn io(error: io::Error) -> Self {
        Self::new(error.to_string())
    }
}

impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        Self::new(error.to_string())
    }
}

impl From<hrms_store::OpenError> for Failure {
    fn from(error: hrms_store::OpenError) -> Self {
        StartError::from(error).into()
    }
}

impl From<hrms_store::migrate::Error> for Failure {
    fn from(error: hrms_store::migrate::Error) -> Self {
        Self::new(error.to_string())
    }
}

/// Runs the program with the arguments of this process.
#[must_use]
#[expect(clippy::print_stderr, reason = "errors of a command belong on the terminal")]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let loaded = match Config::load(cli.config.as_deref()) {
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!("hrms-server: {error}");
            return ExitCode::from(2);
        }
    };
    match run(cli.command.unwrap_or(Command::Serve), loaded) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("hrms-server: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, loaded: Loaded) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Failure::io)?;
    let config = loaded.config;
    if let Command::Check { live } = command {
        return if live { ask(&config) } else { runtime.block_on(report(&config, &loaded.warnings)) };
    }
    start::logs(&config)?;
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    match command {
        Command::Serve => runtime.block_on(serve::run(config)),
        Command::Worker => runtime.block_on(command::worker::run(config)),
        Command::Demo(options) => runtime.block_on(demo::run(config, options)),
        Command::Migrate(options) => runtime.block_on(migrate::run(&config, &options)),
        Command::Admin(admin) => runtime.block_on(admin::run(&config, admin)),
        Command::Organization(command) => runtime.block_on(organization::run(&config, command)),
        Command::Audit(command) => runtime.block_on(audit::run(&config, command)),
        Command::Import(options) => runtime.block_on(import::run(&config, options)),
        Command::Openapi => openapi(),
        Command::Check { .. } => Ok(()),
    }
}

fn openapi() -> Result<(), Failure> {
    let document = hrms_http::openapi().map_err(|error| Failure::new(error.to_string()))?;
    let text = document.to_pretty_json().map_err(|error| Failure::new(error.to_string()))?;
    match writeln!(io::stdout(), "{text}") {
        // Whoever reads it has seen enough, as `head` does.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(Failure::io),
    }
}

fn ask(config: &Config) -> Result<(), Failure> {
    check::live(config.bind)
        .map_err(|error| Failure::new(format!("no healthy answer at {}: {error}", config.bind)))
}

#[expect(clippy::print_stdout, reason = "the findings are what the command is for")]
async fn report(config: &Config, warnings: &[String]) -> Result<(), Failure> {
    for warning in warnings {
        println!("warning: {warning}");
    }
    let mut findings = check::configuration(config);
    findings.extend(check::database(config).await);
    for finding in &findings {
        println!("unsafe: {finding}");
    }
    match findings.len() {
        0 => {
            println!("the configuration is fit for production");
            Ok(())
        }
        count => Err(Failure::new(format!("{count} findings"))),
    }
}
