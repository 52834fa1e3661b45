//! Entries of changes that cross organisations: to an account, a session, an organisation as a whole.

use super::{Act, AuditService, Author, Draft, Outcome};
use crate::hrms::Hrms;
use crate::id::TenantId;
use crate::store::Directory;

/// What a change puts on record, in the log of each organisation that it is about.
#[derive(Debug)]
pub(crate) struct Record<'a> {
    hrms: &'a Hrms,
    author: Author,
    why: Option<String>,
    entries: Vec<(Option<TenantId>, Draft)>,
}

impl<'a> AuditService<'a> {
    /// Begins to say what somebody is about to do.
    pub(crate) fn record(self, author: Author) -> Record<'a> {
        Record { hrms: self.0, author, why: None, entries: Vec::new() }
    }
}

impl Record<'_> {
    /// Somebody else for the entries to come.
    pub(crate) fn by(mut self, author: Author) -> Self {
        self.author = author;
        self
    }

    /// The author's reason, for the entries to come.
    pub(crate) fn because(mut self, why: Option<&str>) -> Self {
        self.why = why.map(str::to_owned);
        self
    }

    /// An entry in a log; without an organisation, the platform's.
    pub(crate) fn entry(self, log: Option<TenantId>, act: Act) -> Self {
        self.entry_ended(log, act, Outcome::Succeeded)
    }

    /// An entry of what ends in another way than success.
    pub(crate) fn entry_ended(mut self, log: Option<TenantId>, act: Act, outcome: Outcome) -> Self {
        let (ids, now) = (self.hrms.ids(), self.hrms.clock().now());
        let draft = Draft::new(ids, now, &self.author, act).because(self.why.as_deref()).ended(outcome);
        self.entries.push((log, draft));
        self
    }

    /// The directory to make the change through: it writes the entries in the transaction of the change.
    pub(crate) fn directory(self) -> Box<dyn Directory + Send + Sync> {
        for (log, _) in &self.entries {
            // Before it is certain: an anchor of what didn't grow after all costs one look.
            self.hrms.audit().grown(*log);
        }
        self.hrms.directory().recording(self.entries)
    }
}
