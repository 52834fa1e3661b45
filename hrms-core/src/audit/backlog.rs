//! Entries of what changes nothing: refusals and failed log-ins. They are written a moment later, many at a time,
//! so that whoever is refused neither waits for the log nor learns from the time it takes.
//!
//! Of the same denial to the same caller, the first one in each minute is an entry, and the number of the others
//! another: a flood can't fill the log.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, Notify, mpsc};
use uuid::Uuid;

use super::{Act, AuditService, Author, AuthorKind, Change, Draft, Outcome};
use crate::actor::Cause;
use crate::error::CommonError;
use crate::id::{RequestId, TenantId};
use crate::rate_limit::Network;

/// So many wait at most; what comes on top is counted, and the count goes on record.
const MOST: usize = 10_000;

/// So many different denials are told apart in a minute; what comes on top is counted like what doesn't fit the queue.
const MOST_DENIALS: usize = 10_000;

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

/// What makes two denials the same one: whose they are, and of what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Denied {
    log: Log,
    kind: AuthorKind,
    id: Option<Uuid>,
    /// Of those without an id.
    network: Option<Network>,
    action: Cow<'static, str>,
    subject: String,
}

/// The denials of one minute.
#[derive(Debug, Default)]
struct Denials {
    /// Since 1970.
    minute: i64,
    /// How often each came again, and who it was.
    again: HashMap<Denied, (u64, Author)>,
}

/// What waits to be written.
#[derive(Debug)]
pub(crate) struct Backlog {
    denials: std::sync::Mutex<Denials>,
    enter: mpsc::Sender<(Log, Draft)>,
    leave: Mutex<mpsc::Receiver<(Log, Draft)>>,
    lost: AtomicU64,
    bell: Notify,
}

impl Default for Backlog {
    fn default() -> Self {
        let (enter, leave) = mpsc::channel(MOST);
        Self {
            denials: std::sync::Mutex::default(),
            enter,
            leave: Mutex::new(leave),
            lost: AtomicU64::new(0),
            bell: Notify::new(),
        }
    }
}

impl AuditService<'_> {
    /// Puts on record, a moment later, that something was tried and didn't succeed. Never waits.
    ///
    /// Needs somebody who calls [`flush`](Self::flush) whenever [`noted`](Self::noted) is ready; hrms-http's
    /// server does.
    pub fn note(&self, log: Log, author: &Author, act: Act, outcome: Outcome, why: Option<&str>) {
        let now = self.0.clock().now();
        self.enter(log, Draft::new(self.0.ids(), now, author, act).because(why).ended(outcome));
    }

    fn enter(&self, log: Log, draft: Draft) {
        let backlog = self.0.audit_backlog();
        if backlog.enter.try_send((log, draft)).is_err() {
            backlog.lost.fetch_add(1, Ordering::Relaxed);
        }
        backlog.bell.notify_one();
    }

    /// Puts a denial on record like [`note`](Self::note), unless the same one is there already for this minute: then
    /// it is counted, and the count goes on record with the next minute's first denial, or when a
    /// server stops ([`end_minute`](Self::end_minute)).
    pub fn note_denial(&self, log: Log, author: &Author, act: Act, why: Option<&str>) {
        let minute = self.0.clock().now().as_second().div_euclid(60);
        let backlog = self.0.audit_backlog();
        let key = Denied {
            log: log.clone(),
            kind: author.kind,
            id: author.id,
            network: author.id.is_none().then_some(author.address).flatten().map(Network::of),
            action: act.action.clone(),
            subject: act.subject.clone(),
        };
        let mut denials = backlog.denials.lock().unwrap_or_else(PoisonError::into_inner);
        let past = if denials.minute == minute {
            HashMap::new()
        } else {
            denials.minute = minute;
            std::mem::take(&mut denials.again)
        };
        let full = denials.again.len() >= MOST_DENIALS;
        let first = match denials.again.get_mut(&key) {
            Some((again, _)) => {
                *again += 1;
                false
            }
            None if full => {
                backlog.lost.fetch_add(1, Ordering::Relaxed);
                false
            }
            None => {
                denials.again.insert(key, (0, author.clone()));
                true
            }
        };
        drop(denials);
        self.tell_of(past);
        if first {
            self.note(log, author, act, Outcome::Denied, why);
        }
    }

    /// Puts on record how often each denial of a minute that is over came again.
    fn tell_of(&self, past: HashMap<Denied, (u64, Author)>) {
        for (denied, (again, author)) in past.into_iter().filter(|(_, (again, _))| *again > 0) {
            let Denied { log, action, subject, .. } = denied;
            let act = Act { action, subject, change: Change::none() };
            let why = format!("{again} times more in the same minute");
            self.note(log, &author, act, Outcome::Denied, Some(&why));
        }
    }

    /// Puts on record how often denials came again, although their minute may not be over: for a server that stops.
    pub fn end_minute(&self) {
        let mut denials = self.0.audit_backlog().denials.lock().unwrap_or_else(PoisonError::into_inner);
        let past = std::mem::take(&mut denials.again);
        drop(denials);
        self.tell_of(past);
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

    /// Puts something on record in a unit of work of its own, after the change.
    pub(crate) async fn record_apart(
        &self,
        tenant: Option<TenantId>,
        author: &Author,
        act: Act,
    ) -> Result<(), CommonError> {
        let draft = Draft::new(self.0.ids(), self.0.clock().now(), author, act);
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
