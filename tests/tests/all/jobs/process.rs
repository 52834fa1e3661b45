//! Workers as processes of their own: asked to stop, and killed without a warning.

use std::fs::File;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use hrms_core::import::{ImportKind, NewImport};
use hrms_core::job::{JobState, JobView};
use hrms_core::location::LocationFilter;
use hrms_core::{Actor, Hrms, JobId, PageRequest, Role};
use hrms_store::SqlStore;
use sqlx::{Connection, PgConnection};

use crate::all::imports::{counts, user};
use crate::all::support::{Fresh, postgres};

/// `hrms-server worker`. Killed when dropped.
struct WorkerProcess {
    child: Child,
    dir: tempfile::TempDir,
}

impl WorkerProcess {
    fn start(fresh: &Fresh) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = File::create(dir.path().join("worker.log")).unwrap();
        let (_, url) = fresh.urls.as_ref().unwrap();
        let child = hrms_tests::server_command(&["worker"])
            .env("HRMS_DATABASE_URL", url)
            .env("HRMS_DATA_DIR", dir.path().join("data"))
            .env("HRMS_WORKERS", "1")
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, dir }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("worker.log")).unwrap_or_default()
    }

    /// SIGTERM, and what became of it.
    fn terminate(mut self) -> (ExitStatus, String) {
        let id = self.child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        (self.child.wait().unwrap(), self.log())
    }
}

impl Drop for WorkerProcess {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// So many rows that somebody can see it at work.
const ROWS: u32 = 20_000;

struct Setting {
    hrms: Hrms,
    actor: Actor,
    fresh: Fresh,
}

impl Setting {
    async fn new() -> Self {
        let fresh = postgres().await;
        let tenant = hrms_core::contract::tenant(&*fresh).await;
        Self { hrms: Hrms::new(SqlStore::clone(&fresh)), actor: user(tenant, &[Role::Hr]), fresh }
    }

    async fn import(&self, letter: char) -> JobId {
        let rows = (0..ROWS).map(|n| format!("{letter}{n},Office {n},Asia/Kolkata\n"));
        let file = format!("code,name,time_zone\n{}", rows.collect::<String>());
        let new = NewImport::of(ImportKind::Locations);
        self.hrms.imports().submit(&self.actor, new, file.as_bytes()).await.unwrap().job_id
    }

    async fn view(&self, id: JobId) -> JobView {
        self.hrms.jobs().get(&self.actor, id).await.unwrap()
    }

    /// Looks until the job is so, and is shown so.
    async fn until(&self, id: JobId, what: &str, holds: impl Fn(&JobView) -> bool) -> JobView {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let job = self.view(id).await;
            if holds(&job) {
                return job;
            }
            assert!(Instant::now() < deadline, "{what}: {job:?}");
            // Another process: there is nothing to be woken by.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn locations(&self) -> usize {
        let page = PageRequest { limit: 60_000, ..Default::default() };
        let mut tx = self.hrms.read(&self.actor).await.unwrap();
        tx.locations().list(&LocationFilter::default(), &page).await.unwrap().len()
    }
}

#[tokio::test]
async fn a_worker_that_is_killed_loses_and_doubles_nothing() {
    let s = Setting::new().await;
    let id = s.import('a').await;
    let mut killed = WorkerProcess::start(&s.fresh);
    s.until(id, "it is at work", |job| job.progress.done > 0).await;
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();
    let left = s.view(id).await;
    assert_eq!((left.state, left.attempts), (JobState::Running, 1), "nobody noticed yet");

    // A minute goes by.
    let (admin, _) = s.fresh.urls.as_ref().unwrap();
    let mut owner = PgConnection::connect(admin).await.unwrap();
    let late = "UPDATE job SET lease_until = now() - interval '1 second' WHERE state = 'running'";
    assert_eq!(sqlx::query(late).execute(&mut owner).await.unwrap().rows_affected(), 1);
    let _next = WorkerProcess::start(&s.fresh);
    let done = s.until(id, "another worker finishes it", |job| job.finished_at.is_some()).await;
    assert_eq!((done.state, done.attempts), (JobState::Succeeded, 2), "{:?}", done.error);
    assert_eq!(counts(&done.result.unwrap()), [u64::from(ROWS), 0, 0, 0, 0], "each row once");
    assert_eq!(s.locations().await, ROWS as usize);
}

#[tokio::test]
async fn a_worker_that_is_asked_to_stop_leaves_nothing_running() {
    let s = Setting::new().await;
    let (first, second) = (s.import('a').await, s.import('b').await);
    let asked = WorkerProcess::start(&s.fresh);
    s.until(first, "it is at work", |job| job.progress.done > 0).await;
    let (status, log) = asked.terminate();
    assert!(status.success() && log.contains("stopped"), "{status}: {log}");
    // Drained if that took less than 15 seconds, else handed back.
    let job = s.view(first).await;
    let drained = (job.state, job.attempts) == (JobState::Succeeded, 1);
    assert!(drained || (job.state, job.attempts) == (JobState::Queued, 0), "{job:?}");
    let waits = s.view(second).await;
    assert_eq!((waits.state, waits.attempts), (JobState::Queued, 0), "nothing more was claimed");

    // No lease is waited for.
    let _next = WorkerProcess::start(&s.fresh);
    for id in [first, second] {
        let done = s.until(id, "another worker finishes it", |job| job.finished_at.is_some()).await;
        assert_eq!((done.state, done.attempts), (JobState::Succeeded, 1));
    }
    assert_eq!(s.locations().await, 2 * ROWS as usize);
}
