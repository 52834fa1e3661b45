//! `hrms-server import`: a CSV file into an organisation, from the command line.

use std::path::PathBuf;

use hrms_core::actor::Cause;
use hrms_core::import::{ImportKind, ImportMode, ImportView, NewImport};
use hrms_core::job::{JobState, run_until_idle};
use hrms_core::{Actor, Hrms, Permission, RequestId};

use crate::cli::Failure;
use crate::config::Config;
use crate::start;

/// Options of `import`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// The organisation's short name.
    #[arg(long)]
    organization: String,
    /// What the file is about: locations, departments, designations, employees, employment_history or
    /// department_heads.
    #[arg(long, value_parser = kind)]
    kind: ImportKind,
    /// Write nothing unless every row is good.
    #[arg(long)]
    all_or_nothing: bool,
    /// Check everything and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// The field by which an existing row is recognised.
    #[arg(long)]
    key: Option<String>,
    /// A column of the file and the field it stands for, as in `--map emp_no=number`; `--map notes=` leaves
    /// a column out. May be given many times.
    #[arg(long = "map", value_name = "COLUMN=FIELD", value_parser = pair)]
    mapping: Vec<(String, String)>,
    /// A field and its value where the file has none, as in `--default employment_type=full_time`.
    #[arg(long = "default", value_name = "FIELD=VALUE", value_parser = pair)]
    defaults: Vec<(String, String)>,
    /// Employment history: add designations that don't exist.
    #[arg(long)]
    create_missing_designations: bool,
    /// Department heads: make the head the manager of members who have none.
    #[arg(long)]
    assign_managers: bool,
    /// Print the result as one line of JSON.
    #[arg(long)]
    json: bool,
    /// The CSV file.
    file: PathBuf,
}

fn kind(text: &str) -> Result<ImportKind, String> {
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (left, right) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    Ok((left.to_owned(), right.to_owned()))
}

/// Runs it.
///
/// # Errors
/// When the file can't be read, the organisation isn't there, or the import is refused or has bad rows.
#[expect(clippy::print_stdout, reason = "the answer of a command")]
pub async fn run(config: &Config, options: Options) -> Result<(), Failure> {
    let file = std::fs::read(&options.file)
        .map_err(|error| Failure::new(format!("{}: {error}", options.file.display())))?;
    let (hrms, store) = start::hrms(config).await?;
    let organization = hrms.directory().organization_by_slug(&options.organization).await;
    let organization = organization
        .map_err(|error| Failure::domain(hrms_core::CommonError::from(error)))?
        .ok_or_else(|| Failure::new(format!("there is no organisation {}", options.organization)))?;
    let request = RequestId::from_uuid(hrms.ids().next());
    let actor = Actor::system(organization.id, "import", Permission::ALL, Cause::OperatorCommand, request);
    let mut new = NewImport::of(options.kind);
    new.mode = if options.all_or_nothing { ImportMode::AllOrNothing } else { ImportMode::PerRow };
    new.dry_run = options.dry_run;
    new.key = options.key;
    new.mapping = options
        .mapping
        .into_iter()
        .map(|(column, field)| (column, Some(field).filter(|field| !field.is_empty())))
        .collect();
    new.defaults = options.defaults.into_iter().collect();
    new.create_missing_designations = options.create_missing_designations;
    new.assign_managers = options.assign_managers;
    new.file_name = options.file.file_name().map(|name| name.to_string_lossy().into_owned());
    let import = hrms.imports().submit(&actor, new, &file).await.map_err(Failure::domain)?;
    let import = finish(&hrms, &actor, import).await?;
    if options.json {
        println!("{}", serde_json::to_string(&import).map_err(|error| Failure::new(error.to_string()))?);
    } else {
        println!("{}", summary(&import));
    }
    store.close().await;
    let failed = import.job.result.as_ref().and_then(|result| result.get("failed")).and_then(|n| n.as_u64());
    match (import.job.state, failed) {
        (JobState::Succeeded, Some(0)) => Ok(()),
        (JobState::Succeeded, rows) => {
            Err(Failure::new(format!("{} rows were kept out", rows.unwrap_or_default())))
        }
        _ => Err(Failure::new(
            import.job.error.map_or("the import didn't finish".to_owned(), |fault| fault.detail),
        )),
    }
}

/// Runs the import here, or waits for the server that took it.
async fn finish(hrms: &Hrms, actor: &Actor, import: ImportView) -> Result<ImportView, Failure> {
    let registry = start::jobs();
    loop {
        run_until_idle(hrms, &registry).await.map_err(Failure::domain)?;
        let import = hrms.imports().get(actor, import.id).await.map_err(Failure::domain)?;
        if import.job.finished_at.is_some() {
            return Ok(import);
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

/// The result in a few lines for a person.
fn summary(import: &ImportView) -> String {
    let result = import.job.result.clone().unwrap_or_default();
    let mut text = format!("{}:", import.kind.code());
    for count in ["rows", "created", "updated", "unchanged", "failed", "warnings"] {
        if let Some(number) = result.get(count) {
            text.push_str(&format!(" {count} {number}"));
        }
    }
    for remark in result.get("errors").and_then(|errors| errors.as_array()).into_iter().flatten().take(20) {
        let field = |name: &str| remark.get(name).map(ToString::to_string).unwrap_or_default();
        text.push_str(&format!("\n  line {} {}: {}", field("row"), field("column"), field("detail")));
    }
    text
}
