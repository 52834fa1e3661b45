//! `hrms-server migrate`: bring the database up to date, or say what is missing.

use hrms_store::{SqlStore, migrate};

use crate::cli::Failure;
use crate::config::{Config, Database};
use crate::start;

/// Options of `migrate`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Only list the migrations and whether the database has them.
    #[arg(long, conflicts_with = "check")]
    list: bool,
    /// Only fail when the database lacks any.
    #[arg(long)]
    check: bool,
}

/// Runs it.
///
/// # Errors
/// When the database refuses; with `--check` also when a migration is missing.
#[expect(clippy::print_stdout, reason = "the list is what the command is for")]
pub async fn run(config: &Config, options: &Options) -> Result<(), Failure> {
    if !options.list && !options.check {
        apply(config).await?;
    }
    let steps = steps(config).await?;
    let missing = steps.iter().filter(|step| !step.applied).count();
    if options.list {
        for step in &steps {
            println!(
                "{:04} {:<10} {}",
                step.version,
                if step.applied { "applied" } else { "missing" },
                step.description
            );
        }
    } else if missing > 0 {
        return Err(Failure::new(format!("{missing} of {} migrations are missing", steps.len())));
    } else {
        println!("the database is up to date ({} migrations)", steps.len());
    }
    Ok(())
}

async fn apply(config: &Config) -> Result<(), Failure> {
    match &config.database {
        Database::Sqlite(_) => drop(start::store(config).await?),
        Database::Postgres(application) => {
            let owner = config.migration_database_url.as_ref().ok_or_else(|| {
                Failure::new(
                    "migrations need the owner's connection: set HRMS_MIGRATION_DATABASE_URL to the same database \
                     with a role that may create roles, such as postgres",
                )
            })?;
            migrate::postgres(owner.expose(), Some(application.expose())).await?;
            // Proves that the application's own role can work with what is there now.
            SqlStore::postgres(application.expose()).await?.close().await;
        }
    }
    Ok(())
}

async fn steps(config: &Config) -> Result<Vec<migrate::Step>, Failure> {
    Ok(match (&config.database, &config.migration_database_url) {
        (Database::Sqlite(path), _) => migrate::sqlite_steps(path).await?,
        (Database::Postgres(_), Some(owner)) => migrate::postgres_steps(owner.expose()).await?,
        (Database::Postgres(application), None) => migrate::postgres_steps(application.expose()).await?,
    })
}
