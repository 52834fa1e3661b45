//! The job that runs an import.

use std::collections::HashSet;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::audit;
use crate::error::StoreError;
use crate::event::{NewEvent, subject};
use crate::hrms::Work;
use crate::id::ImportId;
use crate::import::plan::Plan;
use crate::import::report::Report;
use crate::import::service::{MAX_ERRORS, require};
use crate::import::table::{Row, Table};
use crate::import::{
    ImportKind, ImportMode, ImportRecord, ImportResult, ImportState, NewImport, RowError, employees, heads,
    history, openings, places,
};
use crate::job::{Job, JobContext, JobError, JobFault, Outcome, Progress};
use crate::policy::{Permission, Resource};

/// About so many rows are one unit of work.
const CHUNK_ROWS: usize = 500;

/// The first remarks that a job's result shows.
const SHOWN_ERRORS: u32 = 100;

/// Imports a stored file.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ImportJob {
    /// The import.
    pub import_id: ImportId,
}

/// Part of a file, to be imported in one unit of work.
pub(crate) struct Chunk<'a> {
    pub(crate) import: ImportId,
    pub(crate) new: &'a NewImport,
    pub(crate) table: &'a Table,
    /// Rows that belong together, in order.
    pub(crate) units: Vec<Vec<&'a Row>>,
}

impl<'a> Chunk<'a> {
    /// Every row, in order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &'a Row> {
        self.units.iter().flatten().copied()
    }

    /// The different texts in some fields.
    pub(crate) fn texts(&self, fields: &[&str]) -> Vec<String> {
        let layout = &self.table.layout;
        let cells = self.rows().flat_map(|row| fields.iter().filter_map(|field| layout.filled(row, field)));
        let different: HashSet<&str> = cells.collect();
        different.into_iter().map(str::to_owned).collect()
    }
}

/// What the units of work of one run have in common.
struct Run<'a> {
    cx: &'a JobContext,
    import: &'a ImportRecord,
    table: &'a Table,
    plan: &'a Plan,
    covered: history::Covered,
}

impl Job for ImportJob {
    const KIND: &'static str = "import.run";
    /// Each goes on behind the last chunk that was written, and killed workers and outages of storage count too.
    const MAX_ATTEMPTS: u16 = 25;
    /// A large file takes its time; each chunk shows that it goes on.
    const TIMEOUT: SignedDuration = SignedDuration::from_hours(12);

    async fn run(&self, cx: &JobContext) -> Result<Outcome, JobError> {
        let (import, file) = {
            let mut tx = cx.hrms().read(cx.actor()).await?;
            let import = tx.imports().get(self.import_id).await?;
            let import = import.ok_or(crate::CommonError::NotFound { what: "import" })?;
            (import, tx.imports().file(self.import_id).await?)
        };
        require(cx.hrms(), cx.actor(), &import.settings)?;
        let table = Table::read(&file, &import.settings)?;
        drop(file);
        let plan = Plan::of(&table, &import.settings);
        let covered = history::Covered::of(&table, &import.settings);
        let run = Run { cx, import: &import, table: &table, plan: &plan, covered };
        if import.settings.dry_run || import.settings.mode == ImportMode::AllOrNothing {
            run.whole().await
        } else {
            run.in_chunks().await
        }
    }
}

impl Run<'_> {
    /// Chunk by chunk, each with its progress in its own unit of work.
    async fn in_chunks(&self) -> Result<Outcome, JobError> {
        let mut state = self.import.state;
        if state.units_done.is_none() {
            let mut report = self.unreadable();
            state = self.after(&ImportState::default(), 0, 0, &report);
            let mut work = self.begin(&state).await?;
            self.record(&mut work, &mut state, &mut report).await?;
            work.commit(()).await?;
        }
        while let Some((chunk, units, rows)) = self.chunk(&state) {
            let mut report = Report::default();
            // Progress first: it makes sure that the job is still ours, and keeps it so until the commit.
            let planned = ImportState { rows_done: state.rows_done + rows, ..state };
            let mut work = self.begin(&planned).await?;
            self.apply(&mut work, &chunk, &mut report).await?;
            state = self.after(&state, units, rows, &report);
            self.record(&mut work, &mut state, &mut report).await?;
            work.commit(()).await?;
        }
        let work = self.cx.hrms().begin(self.cx.actor()).await?;
        self.finish(work, &state, true).await
    }

    /// Everything in one unit of work, which is dropped if nothing is to be written.
    async fn whole(&self) -> Result<Outcome, JobError> {
        let mut report = self.unreadable();
        let mut state = self.after(&ImportState::default(), 0, 0, &report);
        let mut work = self.cx.hrms().begin(self.cx.actor()).await?;
        while let Some((chunk, units, rows)) = self.chunk(&state) {
            let mut part = Report::default();
            self.apply(&mut work, &chunk, &mut part).await?;
            state = self.after(&state, units, rows, &part);
            report.errors.extend(part.errors);
        }
        let applied = !self.import.settings.dry_run && state.counts.failed == 0;
        if !applied {
            drop(work);
            work = self.cx.hrms().begin(self.cx.actor()).await?;
        }
        self.cx.progress_in(&mut work, &self.progress(&state)).await?;
        self.record(&mut work, &mut state, &mut report).await?;
        self.finish(work, &state, applied).await
    }

    async fn begin(&self, state: &ImportState) -> Result<Work, JobError> {
        // Rights that were taken away meanwhile end the import here.
        let actor = self.cx.actor_now().await?;
        require(self.cx.hrms(), &actor, &self.import.settings)?;
        let mut work = self.cx.hrms().begin(&actor).await?;
        self.cx.progress_in(&mut work, &self.progress(state)).await?;
        Ok(work)
    }

    fn progress(&self, state: &ImportState) -> Progress {
        Progress { done: state.rows_done, total: Some(self.table.count()), message: None }
    }

    /// The rows that can't be imported whatever is stored already.
    fn unreadable(&self) -> Report {
        let mut report = Report::default();
        for faults in self.table.unreadable.iter().chain(&self.plan.faulty) {
            report.fail(faults.clone());
        }
        report
    }

    fn after(&self, before: &ImportState, units: u32, rows: u32, report: &Report) -> ImportState {
        let first = before.units_done.is_none();
        let unreadable = if first { report.counts.failed } else { 0 };
        let mut counts = before.counts;
        counts.add(report.counts);
        ImportState {
            units_done: Some(before.units_done.unwrap_or(0) + units),
            rows_done: before.rows_done + rows + unreadable,
            counts,
            remarks: before.remarks,
        }
    }

    /// The next rows, with the number of their units and of themselves.
    fn chunk(&self, state: &ImportState) -> Option<(Chunk<'_>, u32, u32)> {
        let done = usize::try_from(state.units_done.unwrap_or(0)).unwrap_or(usize::MAX);
        let mut units = Vec::new();
        let mut rows = 0;
        for unit in self.plan.units.iter().skip(done) {
            if rows >= CHUNK_ROWS {
                break;
            }
            rows += unit.len();
            units.push(unit.iter().filter_map(|&index| self.table.rows.get(index)).collect());
        }
        if units.is_empty() {
            return None;
        }
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let (unit_count, rows) = (count(units.len()), count(rows));
        let chunk = Chunk { import: self.import.id, new: &self.import.settings, table: self.table, units };
        Some((chunk, unit_count, rows))
    }

    async fn apply(&self, work: &mut Work, chunk: &Chunk<'_>, report: &mut Report) -> Result<(), JobError> {
        let applied = match chunk.new.kind {
            ImportKind::Locations => places::locations(work, chunk, report).await,
            ImportKind::Departments => places::departments(work, chunk, report).await,
            ImportKind::Designations => places::designations(work, chunk, report).await,
            ImportKind::Employees => employees::apply(work, chunk, report).await,
            ImportKind::EmploymentHistory => history::apply(work, chunk, &self.covered, report).await,
            ImportKind::DepartmentHeads => heads::apply(work, chunk, report).await,
            ImportKind::OpeningBalances => openings::apply(work, chunk, report).await,
        };
        applied.map_err(passing)
    }

    async fn record(
        &self,
        work: &mut Work,
        state: &mut ImportState,
        report: &mut Report,
    ) -> Result<(), JobError> {
        let mut errors = std::mem::take(&mut report.errors);
        let room = MAX_ERRORS.saturating_sub(state.remarks);
        errors.truncate(usize::try_from(room).unwrap_or(usize::MAX));
        work.imports().add_errors(self.import.id, state.remarks, &errors).await?;
        state.remarks += u32::try_from(errors.len()).unwrap_or(room);
        let now = work.now();
        work.imports().set_state(self.import.id, state, now).await?;
        Ok(())
    }

    async fn finish(&self, mut work: Work, state: &ImportState, applied: bool) -> Result<Outcome, JobError> {
        let settings = &self.import.settings;
        let shown: Vec<RowError> = work.imports().errors(self.import.id, SHOWN_ERRORS).await?;
        work.imports().drop_file(self.import.id).await?;
        let result = ImportResult {
            import_id: self.import.id,
            kind: settings.kind,
            mode: settings.mode,
            dry_run: settings.dry_run,
            applied,
            rows: self.table.count(),
            counts: state.counts,
            errors: shown,
            errors_url: format!("/api/v1/imports/{}/errors", self.import.id),
        };
        work.emit(NewEvent {
            kind: "import.finished",
            subject: subject("imports", self.import.id.as_uuid()),
            data: serde_json::json!({ "import_id": self.import.id, "job_id": self.cx.id(), "applied": applied }),
            change: audit::Change::created(&result),
            permission: Permission::ImportRun,
            resource: Resource::organization(),
        });
        if !applied && !settings.dry_run {
            let detail = format!("{} rows have errors, so nothing was imported", state.counts.failed);
            let fault = JobFault { code: "import.rows-failed".to_owned(), detail };
            return self.cx.commit_failed(work, fault, result).await;
        }
        self.cx.commit_done(work, result).await
    }
}

/// A write that clashed with somebody else's may succeed when everything is read again.
fn passing(error: StoreError) -> JobError {
    match error {
        StoreError::Conflict { .. } | StoreError::Stale => JobError::Retry(JobFault {
            code: "import.concurrent-change".to_owned(),
            detail: format!("something was changed by somebody else at the same time ({error})"),
        }),
        other => other.into(),
    }
}
