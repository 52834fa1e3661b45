//! The command line.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::check;
use crate::config::{Config, Loaded};

/// The HRMS server.
#[derive(Debug, Parser)]
#[command(name = "hrms-server", version, about)]
pub struct Cli {
    /// TOML file with the configuration (else the one that HRMS_CONFIG names); HRMS_… variables win over it.
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
#[non_exhaustive]
pub enum Command {
    /// Say what of the configuration is unsafe in production, and fail if anything is.
    Check {
        /// Ask instead whether the server of this configuration is running and answers.
        #[arg(long)]
        live: bool,
    },
}

/// Runs the program with the arguments of this process.
#[must_use]
#[expect(clippy::print_stderr, reason = "errors of a command belong on the terminal")]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match Config::load(cli.config.as_deref()) {
        Ok(loaded) => run(&cli.command, &loaded),
        Err(error) => {
            eprintln!("hrms-server: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(command: &Command, loaded: &Loaded) -> ExitCode {
    match command {
        Command::Check { live: true } => ask(loaded),
        Command::Check { live: false } => report(loaded),
    }
}

#[expect(clippy::print_stderr, reason = "errors of a command belong on the terminal")]
fn ask(loaded: &Loaded) -> ExitCode {
    match check::live(loaded.config.bind) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hrms-server: no healthy answer at {}: {error}", loaded.config.bind);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the findings are what the command is for")]
fn report(loaded: &Loaded) -> ExitCode {
    for warning in &loaded.warnings {
        println!("warning: {warning}");
    }
    let findings = check::configuration(&loaded.config);
    for finding in &findings {
        println!("unsafe: {finding}");
    }
    if findings.is_empty() {
        println!("the configuration is fit for production");
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
