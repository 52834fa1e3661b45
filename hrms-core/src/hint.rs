//! Hints that there is something to look at: rung in this process, and passed on to the other nodes of an
//! installation.
//!
//! The database holds the truth, and everybody who listens looks there now and then without being told. So a hint
//! that gets lost costs time, never data.

use std::fmt;

use crate::hrms::Hrms;
use crate::id::TenantId;

/// What there is to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Hint {
    /// An organisation's event log has grown.
    Events(TenantId),
    /// A job was enqueued.
    Jobs,
}

/// Passes hints on to the other nodes of an installation. What comes from them goes to [`Hrms::hear`].
pub trait Fanout: Send + Sync + fmt::Debug {
    /// Passes a hint on, without waiting; it may get lost.
    fn send(&self, hint: Hint);
}

impl Hrms {
    /// Gives a hint to whoever listens in this process.
    pub fn hear(&self, hint: Hint) {
        match hint {
            Hint::Events(tenant) => self.bus().wake(tenant),
            Hint::Jobs => self.job_bell().notify_one(),
        }
    }

    /// Gives a hint to whoever listens, here and on other nodes.
    pub(crate) fn hint(&self, hint: Hint) {
        self.hear(hint);
        if let Some(fanout) = self.fanout() {
            fanout.send(hint);
        }
    }
}
