//! `hrms-server organization`: a new organisation with its first user, closing one, and purging closed ones.

use hrms_core::operator::Operator;
use hrms_core::organization::{CloseOrganization, CreatedOrganization, NewAdmin, NewOrganization};
use hrms_core::{CommonError, Hrms, RequestId, TenantId};

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
    /// Close an organisation: nobody gets in, and after the hold everything of it is deleted.
    Close {
        /// Its unique name.
        #[arg(long)]
        slug: String,
        /// Why.
        #[arg(long)]
        reason: String,
        /// For how many days it can be reopened, 1 to 365; else as the configuration says.
        #[arg(long)]
        hold_days: Option<u16>,
    },
    /// Reopen a closed organisation whose hold isn't over.
    Reopen {
        /// Its unique name.
        #[arg(long)]
        slug: String,
    },
    /// Delete everything of closed organisations whose hold is over. The server does it by itself, too.
    Purge,
}

/// Runs it.
///
/// # Errors
/// When the slug or the address is taken, a field is at fault, or the database refuses.
#[expect(clippy::print_stdout, reason = "the answer of a command")]
pub async fn run(config: &Config, command: OrganizationCommand) -> Result<(), Failure> {
    let (hrms, store) = start::hrms(config).await?;
    let by = Operator::command(RequestId::from_uuid(hrms.ids().next()));
    let organizations = hrms.organizations();
    match command {
        OrganizationCommand::Create { slug, name, admin_email, admin_name, json } => {
            let admin = NewAdmin { email: admin_email, name: admin_name, password: None };
            let new = NewOrganization { slug, name, admin };
            show(&organizations.create(&by, new).await.map_err(Failure::domain)?, json)?;
        }
        OrganizationCommand::Close { slug, reason, hold_days } => {
            let id = find(&hrms, &slug).await?;
            let close = CloseOrganization { reason, hold_days };
            let closed = organizations.close(&by, id, close).await.map_err(Failure::domain)?;
            let until = closed.closing.map(|closing| closing.purge_after.to_string()).unwrap_or_default();
            println!("{slug} ({id}) is closed, and deleted for good after {until}");
        }
        OrganizationCommand::Reopen { slug } => {
            let id = find(&hrms, &slug).await?;
            organizations.reopen(&by, id).await.map_err(Failure::domain)?;
            println!("{slug} ({id}) is open again");
        }
        OrganizationCommand::Purge => {
            let mut total = 0;
            loop {
                let purged = organizations.purge_due(&by).await.map_err(Failure::domain)?;
                purged.iter().for_each(|id| println!("purged {id}"));
                total += purged.len();
                if purged.is_empty() {
                    break;
                }
            }
            println!("{total} organisations purged");
        }
    }
    store.close().await;
    Ok(())
}

async fn find(hrms: &Hrms, slug: &str) -> Result<TenantId, Failure> {
    let found = hrms.directory().organization_by_slug(slug).await;
    let found = found.map_err(|error| Failure::domain(CommonError::from(error)))?;
    Ok(found.ok_or_else(|| Failure::new(format!("there is no organisation {slug}")))?.id)
}

#[expect(clippy::print_stdout, reason = "the answer of a command")]
fn show(made: &CreatedOrganization, json: bool) -> Result<(), Failure> {
    if json {
        println!("{}", serde_json::to_string(made).map_err(|error| Failure::new(error.to_string()))?);
        return Ok(());
    }
    println!("organisation {} ({})", made.organization.slug, made.organization.id);
    println!("log in as    {}", made.admin.email);
    println!("password     {}", made.admin.password.as_deref().unwrap_or_default());
    println!("The password isn't stored and won't be shown again.");
    Ok(())
}
