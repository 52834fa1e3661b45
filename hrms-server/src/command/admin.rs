//! `hrms-server admin`: those who operate the platform.

use std::io::{self, BufRead, IsTerminal};

use hrms_core::identity::SecondFactorReset;
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
    /// Remove the second factor of an account whose owner lost it, and end its sessions. For the last operator; others
    /// are helped by another one.
    ResetSecondFactor {
        /// The account's address to log in with.
        #[arg(long)]
        email: String,
        /// Why, and how the owner was known: 10 to 500 characters. It goes on record.
        #[arg(long)]
        reason: String,
    },
}

/// Runs it.
///
/// # Errors
/// When the password is too weak, the address taken or nobody's, there is no second factor, or the database
/// refuses.
#[expect(clippy::print_stdout, reason = "the answer of a command")]
pub async fn run(config: &Config, admin: Admin) -> Result<(), Failure> {
    let (hrms, store) = start::hrms(config).await?;
    let by = Operator::command(RequestId::from_uuid(hrms.ids().next()));
    match admin {
        Admin::Create { email, name } => {
            let new = NewOperator { email, name, password: read_password()? };
            let made = hrms.operators().create(&by, new).await.map_err(Failure::domain)?;
            println!("operator {} can log in (without an organisation)", made.email);
        }
        Admin::ResetSecondFactor { email, reason } => {
            let reset = SecondFactorReset { email: email.clone(), reason };
            hrms.identity().reset_second_factor_of_account(&by, reset).await.map_err(Failure::domain)?;
            println!("{email} has no second factor any more, and has to log in anew");
        }
    }
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
