//! `hrms-server admin create`: somebody who operates the platform.

use std::io::{self, BufRead, IsTerminal};

use hrms_core::operator::{NewOperator, Operator};
use hrms_core::{RequestId, Secret};

use crate::cli::Failure;
use crate::config::Config;
use crate::start;

/// What can be done with operators.
#[derive(Debug, clap::Subcommand)]
pub enum Admin {
    /// Add an operator of the platform. The password is asked for, or read as one line from standard input.
    Create {
        /// The address to log in with.
        #[arg(long)]
        email: String,
        /// Name shown to people.
        #[arg(long, default_value = "Operator")]
        name: String,
    },
}

/// Runs it.
///
/// # Errors
/// When the password is too weak, the address taken, or the database refuses.
#[expect(clippy::print_stdout, reason = "the answer of a command")]
pub async fn run(config: &Config, admin: Admin) -> Result<(), Failure> {
    let Admin::Create { email, name } = admin;
    let (hrms, store) = start::hrms(config).await?;
    let password = read_password()?;
    let by = Operator::command(RequestId::from_uuid(hrms.ids().next()));
    let made =
        hrms.operators().create(&by, NewOperator { email, name, password }).await.map_err(Failure::domain)?;
    println!("operator {} can log in (without an organisation)", made.email);
    store.close().await;
    Ok(())
}

/// One line from standard input; asked for without echo when somebody sits there.
fn read_password() -> Result<Secret, Failure> {
    if io::stdin().is_terminal() {
        let ask = |prompt: &str| rpassword::prompt_password(prompt).map_err(Failure::io);
        let first = ask("Password (15 characters or more): ")?;
        if first != ask("Once more: ")? {
            return Err(Failure::new("the two passwords differ"));
        }
        return Ok(Secret::new(first));
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(Failure::io)?;
    let password = line.strip_suffix('\n').unwrap_or(&line);
    let password = password.strip_suffix('\r').unwrap_or(password);
    if password.is_empty() {
        return Err(Failure::new("no password came from standard input"));
    }
    Ok(Secret::new(password))
}
