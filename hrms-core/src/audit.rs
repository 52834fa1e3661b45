//! The audit log: who did what to what, from which value to which, and why.

mod change;

pub use change::{Audited, Change};

use std::borrow::Cow;

/// Something that somebody did, as the service that did it says it: an entry of the audit log to be.
///
/// Every [`NewEvent`](crate::event::NewEvent) carries one. What is no news to anybody, and yet has to be on
/// record, is said with [`Work::record`](crate::Work::record).
#[derive(Clone, Debug)]
pub struct Act {
    /// What was done, such as `leave_request.approved`.
    pub action: Cow<'static, str>,
    /// What it was done to, as in `leave-requests/<id>`.
    pub subject: String,
    /// From which values to which.
    pub change: Change,
}
