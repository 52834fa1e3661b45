//! What an audit log asks of storage.

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use super::chain::GENESIS;
use super::{Anchor, Draft, Entry, Outcome};
use crate::error::StoreError;
use crate::event::Event;
use crate::id::{AuditEntryId, RequestId, TenantId};
use crate::page::PageRequest;
use crate::store::Directory;

/// Where a log stands: its last entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its sequence number; 0 for an empty log.
    pub sequence: i64,
    /// Its hash.
    pub hash: Vec<u8>,
}

impl Default for Head {
    /// An empty log.
    fn default() -> Self {
        Self { sequence: 0, hash: GENESIS.to_vec() }
    }
}

/// Which entries to list.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Only what this author did, or an operator with this id.
    pub author: Option<Uuid>,
    /// Only actions that begin like this, as `leave_request.`.
    pub action: Option<String>,
    /// Only what was done to this.
    pub subject: Option<String>,
    /// Only at or after this instant.
    pub from: Option<Timestamp>,
    /// Only before this instant.
    pub until: Option<Timestamp>,
    /// Only what ended like this.
    pub outcome: Option<Outcome>,
    /// Only what was part of this request.
    pub request: Option<RequestId>,
}

/// Orders of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuditSort {
    /// In the order of writing.
    #[default]
    Sequence,
}

/// An audit log: an organisation's, or the platform's. Nothing in it is ever changed or deleted.
#[async_trait]
pub trait AuditLog: Send {
    /// Appends entries, and events, in order, giving each the next number of its log, and chains the entries.
    ///
    /// Both logs are locked from here to the commit, in one statement: call it last. The platform has no events.
    async fn append(&mut self, drafts: Vec<Draft>, events: Vec<Event>) -> Result<(), StoreError>;

    /// The entry with this id.
    async fn get(&mut self, id: AuditEntryId) -> Result<Option<Entry>, StoreError>;

    /// Up to `limit + 1` entries in the order asked for.
    async fn list(
        &mut self,
        filter: &AuditFilter,
        page: &PageRequest<AuditSort>,
    ) -> Result<Vec<Entry>, StoreError>;

    /// Up to `limit` entries behind a sequence number, oldest first.
    async fn after(&mut self, sequence: i64, limit: u16) -> Result<Vec<Entry>, StoreError>;

    /// Where the log's counter says that the log ends.
    async fn head(&mut self) -> Result<Head, StoreError>;

    /// Keeps an anchor; one is kept for each sequence number, the first.
    async fn insert_anchor(&mut self, anchor: &Anchor) -> Result<(), StoreError>;

    /// Up to `limit` anchors behind a sequence number, oldest first.
    async fn anchors(&mut self, after: i64, limit: u16) -> Result<Vec<Anchor>, StoreError>;

    /// The last anchor.
    async fn last_anchor(&mut self) -> Result<Option<Anchor>, StoreError>;
}

/// A unit of work on the platform's own log. Dropping it undoes it.
#[async_trait]
pub trait PlatformTx: Send {
    /// The platform's log.
    fn audit(&mut self) -> &mut dyn AuditLog;

    /// Makes the work durable and visible.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}

/// The platform's own log, outside all tenants.
#[async_trait]
pub trait AuditDirectory: Send + Sync {
    /// Opens a unit of work on the platform's log.
    async fn platform(&self) -> Result<Box<dyn PlatformTx>, StoreError>;

    /// Opens a read-only unit of work on the platform's log.
    async fn read_platform(&self) -> Result<Box<dyn PlatformTx>, StoreError>;

    /// The same directory; each change made through it also appends these entries, in its own transaction, to the
    /// log of their organisation (`None`: the platform's). A change that finds nothing to change appends none.
    fn recording(&self, entries: Vec<(Option<TenantId>, Draft)>) -> Box<dyn Directory + Send + Sync>;
}
