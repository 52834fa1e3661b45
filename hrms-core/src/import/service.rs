//! What users can do with imports.

use crate::actor::Actor;
use crate::audit::{Act, Change};
use crate::error::CommonError;
use crate::event::subject;
use crate::hrms::Hrms;
use crate::id::{ImportId, JobId};
use crate::import::table::Layout;
use crate::import::{
    ImportError, ImportJob, ImportRecord, ImportState, ImportView, NewImport, RowError, escape,
};
use crate::job::{EnqueueOptions, JobView};
use crate::policy::{Decision, Details, Permission, Resource, Verdict};

/// What can be done with imports.
#[derive(Clone, Copy, Debug)]
pub struct ImportService<'a>(&'a Hrms);

impl Hrms {
    /// Imports.
    #[must_use]
    pub fn imports(&self) -> ImportService<'_> {
        ImportService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "import" };

/// At most so many remarks are kept of one import; all are counted.
pub(crate) const MAX_ERRORS: u32 = 100_000;

impl ImportService<'_> {
    /// Stores a CSV file and the job that will import it. Columns and settings are checked at once.
    ///
    /// # Errors
    /// A file that is refused as a whole; lacking permissions.
    pub async fn submit(
        &self,
        actor: &Actor,
        new: NewImport,
        file: &[u8],
    ) -> Result<ImportView, ImportError> {
        require(self.0, actor, &new)?;
        Layout::of(file, &new)?;
        if new.file_name.as_ref().is_some_and(|name| name.len() > 255 || name.chars().any(char::is_control)) {
            return Err(CommonError::invalid("/file_name", "malformed", "this is no file name").into());
        }
        let mut work = self.0.begin(actor).await?;
        let id = ImportId::from_uuid(self.0.ids().next());
        let job = work.enqueue(&ImportJob { import_id: id }, EnqueueOptions::default()).await?;
        let import = ImportRecord {
            id,
            job,
            requested_by: actor.user_id(),
            settings: new,
            bytes: u64::try_from(file.len()).unwrap_or(u64::MAX),
            state: ImportState::default(),
            created_at: work.now(),
            updated_at: work.now(),
        };
        work.imports().insert(&import, file).await?;
        let (subject, change) = (subject("imports", id.as_uuid()), Change::created(&import.settings));
        work.record(Act { action: "import.requested".into(), subject, change });
        let job = work.jobs().get(job).await?.ok_or(NOT_FOUND)?;
        Ok(work.commit(ImportView::of(import, JobView::from(job))).await?)
    }

    /// One import, with its job.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(&self, actor: &Actor, id: ImportId) -> Result<ImportView, ImportError> {
        let mut tx = self.0.read(actor).await?;
        let import = tx.imports().get(id).await?.ok_or(NOT_FOUND)?;
        self.require_seen(actor, &import)?;
        let job: JobId = import.job;
        let job = tx.jobs().get(job).await?.ok_or(NOT_FOUND)?;
        Ok(ImportView::of(import, JobView::from(job)))
    }

    /// All remarks about the rows of an import, as CSV: `row,column,severity,code,detail`.
    ///
    /// # Errors
    /// When the import isn't there or may not be seen.
    pub async fn errors_csv(&self, actor: &Actor, id: ImportId) -> Result<Vec<u8>, ImportError> {
        let mut tx = self.0.read(actor).await?;
        let import = tx.imports().get(id).await?.ok_or(NOT_FOUND)?;
        self.require_seen(actor, &import)?;
        let errors = tx.imports().errors(id, MAX_ERRORS).await?;
        Ok(errors_csv(&errors).map_err(CommonError::from)?)
    }

    fn require_seen(&self, actor: &Actor, import: &ImportRecord) -> Result<(), CommonError> {
        let mine = actor.user_id().is_some() && actor.user_id() == import.requested_by;
        let seen = self.0.visibility(actor, Permission::ImportRun)?;
        let whole = Resource::organization().with_details(Details::Data(import.settings.kind));
        let permission = Permission::ImportRun;
        if self.0.policy().decide(actor, permission, &whole) == Decision::Allow {
            return Ok(());
        }
        let forbidden =
            actor.rules().is_some_and(|rules| rules.judge(actor, permission, &whole) == Verdict::Forbid);
        if mine && !forbidden && !seen.is_nothing() {
            Ok(())
        } else {
            Err(CommonError::Hidden { what: "import" })
        }
    }
}

/// Refuses unless the actor may run such an import. Asked when it is submitted and again when it runs.
pub(crate) fn require(hrms: &Hrms, actor: &Actor, new: &NewImport) -> Result<(), CommonError> {
    let file = Resource::organization().with_details(Details::Data(new.kind));
    hrms.require(actor, Permission::ImportRun, &file)?;
    for permission in new.permissions() {
        hrms.require(actor, permission, &Resource::organization())?;
        // Rows aren't asked about one by one, so a policy that tells them apart must stop all of them.
        if actor.rules().is_some_and(|rules| rules.tells_apart(permission)) {
            return Err(CommonError::Forbidden { permission });
        }
    }
    Ok(())
}

fn errors_csv(errors: &[RowError]) -> Result<Vec<u8>, serde_json::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let failed = |error: csv::Error| serde::ser::Error::custom(error);
    writer.write_record(["row", "column", "severity", "code", "detail"]).map_err(failed)?;
    for error in errors {
        let row = error.row.to_string();
        let column = escape(error.column.as_deref().unwrap_or_default());
        let detail = escape(&error.detail);
        writer
            .write_record([&row, &*column, error.severity.code(), &error.code, &*detail])
            .map_err(failed)?;
    }
    writer.into_inner().map_err(serde::ser::Error::custom)
}
