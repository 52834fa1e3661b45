//! The audit log: who did what to what, from which value to which, and why; provable afterwards.
//!
//! Entries are written in the unit of work of the change. Each names the hash of the one before it, so that a
//! log is a chain: [`chain`] says how, and finds what was done to it. What a chain can't show by itself (that its
//! end was cut off, or all of it written anew) is shown by [`anchor`]s that were signed and kept elsewhere.

pub mod anchor;
mod backlog;
pub mod chain;
mod change;
mod draft;
mod export;
mod job;
mod record;
mod repo;
mod service;
mod verify;

pub use anchor::{Anchor, AnchorSigner};
pub(crate) use backlog::Backlog;
pub use backlog::Log;
pub use change::{Audited, Change};
pub use draft::{Author, AuthorKind, Draft, Outcome};
pub use export::{AuditExport, verify_export};
pub use job::AuditVerifyJob;
pub(crate) use record::Record;
pub use repo::{AuditDirectory, AuditFilter, AuditLog, AuditSort, Head, PlatformTx};
pub use service::{AuditEntry, AuditService, EntryAuthor};
pub(crate) use verify::Growth;
pub use verify::Verification;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::id::{AuditEntryId, TenantId};

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

/// A row of an audit log, exactly as it is stored: also what somebody tampered with can be read.
///
/// As JSON, it has the names of the columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The organisation whose log it is; `None` for the platform's.
    #[serde(rename = "tenant_id")]
    pub tenant: Option<TenantId>,
    /// Position in the log: gap-free, from 1 on.
    pub sequence: i64,
    /// What is on record.
    #[serde(flatten)]
    pub draft: Draft,
    /// The hash of the entry before; 32 zero bytes for the first.
    #[serde(with = "hexadecimal")]
    pub prev_hash: Vec<u8>,
    /// SHA-256 of everything above, in the encoding that `format` says.
    #[serde(with = "hexadecimal")]
    pub hash: Vec<u8>,
    /// The number of the encoding; see [`chain`].
    pub format: i64,
}

impl Entry {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> AuditEntryId {
        self.draft.id
    }
}

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a string can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of hexadecimal digits; `None` for anything else.
#[must_use]
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.bytes().map(|digit| (digit as char).to_digit(16)).collect::<Option<Vec<u32>>>()?;
    if digits.len() % 2 != 0 {
        return None;
    }
    let byte =
        |pair: &[u32]| pair.iter().try_fold(0_u8, |byte, digit| Some(byte << 4 | u8::try_from(*digit).ok()?));
    digits.chunks(2).map(byte).collect()
}

/// Bytes in JSON, as hexadecimal digits.
mod hexadecimal {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::hex(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::unhex(&text).ok_or_else(|| de::Error::custom("not hexadecimal digits"))
    }
}
