//! The unit of work: a change in progress, with its events and its audit entries.

use std::fmt;
use std::ops::{Deref, DerefMut};

use jiff::Timestamp;
use serde::Serialize;

use crate::actor::Actor;
use crate::audit::{Act, Author, Draft};
use crate::error::{CommonError, StoreError};
use crate::event::NewEvent;
use crate::hint::Hint;
use crate::hrms::Hrms;
use crate::idempotency::KEPT_FOR;
use crate::store::Tx;

impl Hrms {
    /// Opens a unit of work for a change by `actor`.
    ///
    /// # Errors
    /// When storage can't be reached.
    pub async fn begin(&self, actor: &Actor) -> Result<Work, CommonError> {
        let tx = self.0.store.begin(actor.tenant()).await?;
        Ok(Work {
            tx,
            hrms: self.clone(),
            actor: actor.clone(),
            now: self.0.clock.now(),
            events: Vec::new(),
            acts: Vec::new(),
            why: None,
            ring: false,
        })
    }
}

/// A change in progress: repositories, the events it will cause, and one commit at the end.
///
/// Dropping it undoes everything. Read repositories through it directly: `work.locations()`.
pub struct Work {
    tx: Box<dyn Tx>,
    hrms: Hrms,
    actor: Actor,
    now: Timestamp,
    events: Vec<NewEvent>,
    acts: Vec<Act>,
    why: Option<String>,
    ring: bool,
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Work").field("actor", &self.actor).finish_non_exhaustive()
    }
}

impl Deref for Work {
    type Target = dyn Tx;

    fn deref(&self) -> &Self::Target {
        &*self.tx
    }
}

impl DerefMut for Work {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut *self.tx
    }
}

impl Work {
    /// The instant of this change; the same for everything that it writes.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Who makes the change.
    #[must_use]
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The system that the change is made in.
    #[must_use]
    pub fn hrms(&self) -> &Hrms {
        &self.hrms
    }

    /// Wakes workers after the commit.
    pub(crate) fn ring_for_workers(&mut self) {
        self.ring = true;
    }

    /// Records a domain event, to be written with the change. It goes into the audit log too.
    pub fn emit(&mut self, mut event: NewEvent) {
        self.acts.push(event.take_act());
        self.events.push(event);
    }

    /// Emits an event that the audit log says nothing about: what the system does by itself about something that is in
    /// the log.
    pub(crate) fn tell(&mut self, event: NewEvent) {
        self.events.push(event);
    }

    /// Puts something in the audit log that is no event, to be written with the change.
    pub fn record(&mut self, act: Act) {
        self.acts.push(act);
    }

    /// Says why the change is made: the audit log keeps it.
    pub fn because(&mut self, why: impl Into<String>) {
        self.why = Some(why.into());
    }

    /// Writes events, audit entries and the answer of an idempotent request, commits, and wakes listeners.
    ///
    /// `answer` is what the front end will show; it is handed back.
    ///
    /// # Errors
    /// [`CommonError::IdempotencyKeyTaken`] when the same request was accepted meanwhile;
    /// [`CommonError::UndeclaredEvent`]; any storage failure. Nothing is written then.
    pub async fn commit<T: Serialize>(mut self, answer: T) -> Result<T, CommonError> {
        let types = self.hrms.event_types();
        if let Some(fault) = self.events.iter().find_map(|event| types.fault(event.kind, &event.data)) {
            return Err(CommonError::UndeclaredEvent(fault));
        }
        if let (Some(key), Some(principal)) = (self.actor.idempotency(), self.actor.principal()) {
            let stored = serde_json::to_string(&answer)?;
            let expired = self.now - KEPT_FOR;
            match self.tx.idempotency().insert(principal, key, &stored, self.now, expired).await {
                Err(StoreError::Conflict { .. }) => return Err(CommonError::IdempotencyKeyTaken),
                other => other?,
            }
        }
        let wake = !self.events.is_empty();
        let grown = !self.acts.is_empty();
        if wake || grown {
            // Last, because taking sequence numbers locks the tenant's counters until we commit.
            let (events, acts) = (std::mem::take(&mut self.events), std::mem::take(&mut self.acts));
            let (ids, why) = (self.hrms.ids(), self.why.as_deref());
            let events = events.into_iter().map(|event| event.stamp(ids, &self.actor, self.now)).collect();
            let author = Author::from(&self.actor);
            let draft = |act| Draft::new(ids, self.now, &author, act).because(why);
            let drafts = acts.into_iter().map(draft).collect();
            self.tx.audit().append(drafts, events).await?;
        }
        self.tx.commit().await?;
        if grown {
            self.hrms.audit().grown(Some(self.actor.tenant()));
        }
        if wake {
            self.hrms.hint(Hint::Events(self.actor.tenant()));
        }
        if self.ring {
            self.hrms.hint(Hint::Jobs);
        }
        Ok(answer)
    }
}
