//! How entries are chained, and how a chain is checked.
//!
//! The hash of an entry is SHA-256 over its columns in the order of `encode`, the last of which is the hash of
//! the entry before it. Each column is a byte that says whether there is a value, and if there is, its length
//! as eight bytes, most significant first, and its bytes: no two different entries have the same encoding. Numbers
//! are eight bytes, two's complement, most significant first; instants are microseconds since 1970; ids their 16 bytes;
//! texts UTF-8 as stored. The encoding is for good: another one gets another number.

#[cfg(test)]
mod tests;

use sha2::{Digest, Sha256};

use super::{Anchor, Draft, Entry, Head};
use crate::id::TenantId;

/// The number of the encoding described above.
pub const FORMAT: i64 = 1;

/// What the first entry names as the hash before it.
pub const GENESIS: [u8; 32] = [0; 32];

/// Starts every encoding, so that no hash of anything else is mistaken for one of an entry.
const DOMAIN: &[u8] = b"hrms audit entry 1";

impl Draft {
    /// The entry that continues a chain, which ends at `head`.
    #[must_use]
    pub fn sealed(self, tenant: Option<TenantId>, head: &Head) -> Entry {
        let mut entry = Entry {
            tenant,
            sequence: head.sequence.saturating_add(1),
            draft: self,
            prev_hash: head.hash.clone(),
            hash: Vec::new(),
            format: FORMAT,
        };
        entry.hash = hash(&entry).to_vec();
        entry
    }
}

/// Hashes an entry's columns, its own hash not among them.
#[must_use]
pub fn hash(entry: &Entry) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(DOMAIN);
    encode(entry, |value| match value {
        None => hasher.update([0]),
        Some(bytes) => {
            hasher.update([1]);
            hasher.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(bytes);
        }
    });
    hasher.finalize().into()
}

/// Gives every column in the order of the encoding.
fn encode(entry: &Entry, mut put: impl FnMut(Option<&[u8]>)) {
    // By name, so that a new column can't be forgotten.
    let Entry { tenant, sequence, draft, prev_hash, hash: _, format } = entry;
    let Draft {
        id,
        time,
        author_kind,
        author_id,
        author_name,
        session,
        on_behalf_of,
        operator,
        cause,
        job,
        action,
        subject,
        before,
        after,
        why,
        request,
        address,
        outcome,
    } = draft;
    put(Some(&format.to_be_bytes()));
    put(tenant.map(TenantId::as_uuid).as_ref().map(|id| id.as_bytes().as_slice()));
    put(Some(&sequence.to_be_bytes()));
    put(Some(id.as_uuid().as_bytes()));
    put(Some(&time.as_microsecond().to_be_bytes()));
    put(Some(author_kind.as_bytes()));
    put(author_id.as_ref().map(|id| id.as_bytes().as_slice()));
    put(author_name.as_deref().map(str::as_bytes));
    put(session.map(|id| id.as_uuid()).as_ref().map(|id| id.as_bytes().as_slice()));
    put(on_behalf_of.map(|id| id.as_uuid()).as_ref().map(|id| id.as_bytes().as_slice()));
    put(operator.map(|id| id.as_uuid()).as_ref().map(|id| id.as_bytes().as_slice()));
    put(Some(cause.as_bytes()));
    put(job.as_ref().map(|id| id.as_bytes().as_slice()));
    put(Some(action.as_bytes()));
    put(Some(subject.as_bytes()));
    put(before.as_deref().map(str::as_bytes));
    put(after.as_deref().map(str::as_bytes));
    put(why.as_deref().map(str::as_bytes));
    put(Some(request.as_uuid().as_bytes()));
    put(address.as_deref().map(str::as_bytes));
    put(Some(outcome.as_bytes()));
    put(Some(prev_hash));
}

/// What is wrong with a log, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("entry {sequence}: {what}")]
pub struct Fault {
    /// The first entry that isn't as it was written.
    pub sequence: i64,
    /// What is wrong with it.
    pub what: FaultKind,
}

/// What can be wrong with a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FaultKind {
    /// There is no such entry, although there are later ones: deleted, or the order was changed.
    #[error("missing")]
    Missing,
    /// It can't be read: a column holds what was never written there.
    #[error("unreadable")]
    Unreadable,
    /// Its columns don't have the hash that stands with them: edited.
    #[error("its contents don't match its hash")]
    Edited,
    /// It doesn't continue the entry before it: deleted, inserted, or swapped.
    #[error("it doesn't continue the entry before it")]
    Unchained,
    /// The log ends before it, although it was written once: the end was cut off.
    #[error("the log ends before it")]
    CutOff,
    /// There are entries that the log's counter doesn't know: added from outside.
    #[error("the log was continued from outside")]
    Continued,
    /// An anchor says that it had another hash: the log was written anew.
    #[error("an anchor says that it was another one")]
    Rewritten,
    /// An anchor here has no good signature.
    #[error("the anchor here isn't signed with a key that we know")]
    BadAnchor,
}

/// Checks a log from its first entry on, piece by piece.
#[derive(Debug)]
pub struct Verifier {
    tenant: Option<TenantId>,
    at: Head,
    /// In order; those passed already are gone.
    anchors: std::collections::VecDeque<Anchor>,
}

impl Verifier {
    /// Nothing is checked yet. The signatures of `anchors` are the caller's to check.
    #[must_use]
    pub fn new(tenant: Option<TenantId>, mut anchors: Vec<Anchor>) -> Self {
        anchors.retain(|anchor| anchor.tenant == tenant);
        anchors.sort_by_key(|anchor| anchor.sequence);
        Self { tenant, at: Head::default(), anchors: anchors.into() }
    }

    /// Takes what was checked elsewhere for granted: goes on behind this entry.
    pub fn start_behind(&mut self, at: Head) {
        self.anchors.retain(|anchor| anchor.sequence > at.sequence);
        self.at = at;
    }

    /// The last entry that was found good.
    #[must_use]
    pub fn at(&self) -> &Head {
        &self.at
    }

    /// Checks the next entry.
    ///
    /// # Errors
    /// The fault.
    pub fn push(&mut self, entry: &Entry) -> Result<(), Fault> {
        let expected = self.at.sequence.saturating_add(1);
        let fault = |what| Err(Fault { sequence: expected, what });
        if entry.sequence != expected {
            return fault(FaultKind::Missing);
        }
        if entry.format != FORMAT || entry.tenant != self.tenant || entry.hash != hash(entry) {
            return fault(FaultKind::Edited);
        }
        if entry.prev_hash != self.at.hash {
            return fault(FaultKind::Unchained);
        }
        self.at = Head { sequence: entry.sequence, hash: entry.hash.clone() };
        while let Some(anchor) = self.anchors.front().filter(|anchor| anchor.sequence <= expected) {
            if anchor.sequence == expected && anchor.hash != entry.hash {
                return fault(FaultKind::Rewritten);
            }
            self.anchors.pop_front();
        }
        Ok(())
    }

    /// Checks the end: `head` is what the log's counter says.
    ///
    /// # Errors
    /// The fault.
    pub fn finish(self, head: &Head) -> Result<Head, Fault> {
        let next = self.at.sequence.saturating_add(1);
        if !self.anchors.is_empty() || head.sequence > self.at.sequence {
            return Err(Fault { sequence: next, what: FaultKind::CutOff });
        }
        if head.sequence < self.at.sequence {
            return Err(Fault { sequence: head.sequence.saturating_add(1), what: FaultKind::Continued });
        }
        if head.hash != self.at.hash {
            return Err(Fault { sequence: head.sequence, what: FaultKind::Rewritten });
        }
        Ok(self.at)
    }
}
