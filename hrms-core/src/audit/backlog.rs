//! Entries of what changes nothing: refusals and failed log-ins. They are written a moment later, many at a time,
//! so that whoever is refused neither waits for the log nor learns from the time it takes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, Notify, mpsc};

use super::{Act, AuditService, Author, Change, Draft, Outcome};
use crate::actor::Cause;
use crate::error::CommonError;
use crate::id::{RequestId, TenantId};

/// So many wait at most; what comes on top is counted, and the count goes on record.
const MOST: usize = 10_000;

/// So many are written in one unit of work at most.
const BATCH: usize = 500;

/// Whose log an entry belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Log {
    /// An organisation's.
    Tenant(TenantId),
    /// That of the organisation with this short name, if there is one; nobody's otherwise.
    Slug(String),
    /// The platform's.
    Platform,
}

/// What waits to be written.
#[derive(Debug)]
pub(crate) struct Backlog {
    enter: mpsc::Sender<(Log, Draft)>,
    leave: Mutex<mpsc::Receiver<(Log, Draft)>>,
    lost: AtomicU64,
    bell: Notify,
}

impl Default for Backlog {
    fn default() -> Self {
        let (enter, leave) = mpsc::channel(MOST);
        Self { enter, leave: Mutex::new(leave), lost: AtomicU64::new(0), bell: Notify::new() }
    }
}

impl AuditService<'_> {
    /// Puts on record, a moment later, that something was tried and didn't succeed. Never waits.
    ///
    /// Needs somebody who calls [`flush`](Self::flush) whenever [`noted`](Self::noted) is ready; hrms-http's
    /// server does.
    pub fn note(&self, log: Log, author: &Author, act: Act, outcome: Outcome, why: Option<&str>) {
        let now = self.0.clock().now();
        let draft = Draft::new(self.0.ids(), now, author, act).because(why).ended(outcome);
        let backlog = self.0.audit_backlog();
        if backlog.enter.try_send((log, draft)).is_err() {
            backlog.lost.fetch_add(1, Ordering::Relaxed);
        }
        backlog.bell.notify_one();
    }

    /// Waits until something was noted since the last call.
    pub async fn noted(&self) {
        self.0.audit_backlog().bell.notified().await;
    }

    /// Writes everything that was noted until now. What can't be written is logged and lost: nothing depends on it,
    /// and it must not pile up.
    pub async fn flush(&self) {
        let mut leave = self.0.audit_backlog().leave.lock().await;
        loop {
            let mut batch = Vec::new();
            while batch.len() < BATCH
                && let Ok(one) = leave.try_recv()
            {
                batch.push(one);
            }
            if batch.is_empty() {
                return;
            }
            self.write(batch).await;
        }
    }

    async fn write(&self, batch: Vec<(Log, Draft)>) {
        let mut logs: HashMap<Log, Vec<Draft>> = HashMap::new();
        for (log, draft) in batch {
            logs.entry(log).or_default().push(draft);
        }
        let lost = self.0.audit_backlog().lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            logs.entry(Log::Platform).or_default().push(self.lost(lost));
        }
        for (log, drafts) in logs {
            let count = drafts.len();
            if let Err(error) = self.write_to(&log, drafts).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    ?log,
                    count,
                    "audit entries are lost"
                );
            }
        }
    }

    async fn write_to(&self, log: &Log, drafts: Vec<Draft>) -> Result<(), CommonError> {
        let tenant = match log {
            Log::Platform => {
                let mut tx = self.0.directory().platform().await?;
                tx.audit().append(drafts, Vec::new()).await?;
                tx.commit().await?;
                self.grown(None);
                return Ok(());
            }
            Log::Tenant(tenant) => *tenant,
            Log::Slug(slug) => match self.0.directory().organization_by_slug(slug).await? {
                Some(organization) => organization.id,
                None => return Ok(()),
            },
        };
        let mut tx = self.0.store().begin(tenant).await?;
        tx.audit().append(drafts, Vec::new()).await?;
        tx.commit().await?;
        self.grown(Some(tenant));
        Ok(())
    }

    /// Puts something on record at once, in a unit of work of its own, before the caller goes on.
    pub(crate) async fn record(
        &self,
        tenant: Option<TenantId>,
        author: &Author,
        act: Act,
    ) -> Result<(), CommonError> {
        self.record_because(tenant, author, act, None).await
    }

    /// The same, with the author's reason.
    pub(crate) async fn record_because(
        &self,
        tenant: Option<TenantId>,
        author: &Author,
        act: Act,
        why: Option<&str>,
    ) -> Result<(), CommonError> {
        let draft = Draft::new(self.0.ids(), self.0.clock().now(), author, act).because(why);
        self.write_to(&tenant.map_or(Log::Platform, Log::Tenant), vec![draft]).await
    }

    fn lost(&self, count: u64) -> Draft {
        let mut author = Author::anonymous(RequestId::from_uuid(self.0.ids().next()), None);
        author.kind = super::AuthorKind::System;
        author.name = Some("audit".to_owned());
        author.cause = Cause::Embedder;
        let act =
            Act { action: "audit.overflowed".into(), subject: "audit".to_owned(), change: Change::none() };
        let why = format!("{count} refusals and failed log-ins came too fast to be kept");
        Draft::new(self.0.ids(), self.0.clock().now(), &author, act)
            .because(Some(&why))
            .ended(Outcome::Failed)
    }
}
