//! `hrms-server organization create`: a new organisation with its first user.

use hrms_core::RequestId;
use hrms_core::operator::Operator;
use hrms_core::organization::{NewAdmin, NewOrganization};

use crate::cli::Failure;
use crate::config::Config;
use crate::start;

/// What can be done with organisations.
#[derive(Debug, clap::Subcommand)]
pub enum OrganizationCommand {
    /// Add an organisation and its first user, whose password is made up and printed once.
    Create {
        /// Unique name for log-in: lower-case letters, digits and hyphens.
        #[arg(long)]
        slug: String,
        /// Name shown to people.
        #[arg(long)]
        name: String,
        /// The first user's address to log in with.
        #[arg(long)]
        admin_email: String,
        /// The first user's name.
        #[arg(long, default_value = "Administrator")]
        admin_name: String,
        /// Print one line of JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs it.
///
/// # Errors
/// When the slug or the address is taken, a field is at fault, or the database refuses.
#[expect(clippy::print_stdout, reason = "the answer of a command")]
pub async fn run(config: &Config, command: OrganizationCommand) -> Result<(), Failure> {
    let OrganizationCommand::Create { slug, name, admin_email, admin_name, json } = command;
    let (hrms, store) = start::hrms(config).await?;
    let by = Operator::command(RequestId::from_uuid(hrms.ids().next()));
    let admin = NewAdmin { email: admin_email, name: admin_name, password: None };
    let made = hrms
        .organizations()
        .create(&by, NewOrganization { slug, name, admin })
        .await
        .map_err(Failure::domain)?;
    if json {
        println!("{}", serde_json::to_string(&made).map_err(|error| Failure::new(error.to_string()))?);
    } else {
        println!("organisation {} ({})", made.organization.slug, made.organization.id);
        println!("log in as    {}", made.admin.email);
        println!("password     {}", made.admin.password.as_deref().unwrap_or_default());
        println!("The password isn't stored and won't be shown again.");
    }
    store.close().await;
    Ok(())
}
