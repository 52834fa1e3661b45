//! Checking stored logs, and anchoring them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::chain::{Fault, FaultKind, Verifier};
use super::{Anchor, AuditLog, AuditService, Head, hex};
use crate::actor::Actor;
use crate::error::{CommonError, StoreError};
use crate::id::TenantId;
use crate::organization::{OrganizationFilter, OrganizationSort};
use crate::page::{MAX_LIMIT, PageRequest, Position};
use crate::policy::{Permission, Resource};

/// So many entries are read at once.
const CHUNK: u16 = 1000;

/// So many entries a request checks at most.
const BOUND: i64 = 10_000;

/// A log that grew is anchored after so long…
const ANCHOR_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// …or after so many writes, whichever comes first.
const ANCHOR_EVERY: u32 = 1000;

/// What a check of a log came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Verification {
    /// Whether what was checked is as it was written.
    pub intact: bool,
    /// The first entry that isn't as it was written.
    pub faulty_sequence: Option<i64>,
    /// What is wrong with it.
    pub fault: Option<String>,
    /// The entry behind which the check began; 0 for the whole log.
    pub from: i64,
    /// The last entry that was found good.
    pub sequence: i64,
    /// Its hash, in hexadecimal digits.
    pub hash: String,
    /// The last entry of the log, by the log's own counter.
    pub last_sequence: i64,
    /// The last anchor: what to compare with those that were kept elsewhere.
    pub last_anchor: Option<Anchor>,
}

/// Logs that grew in this process since they were anchored: how often, and since when.
#[derive(Debug, Default)]
pub(crate) struct Growth(Mutex<HashMap<Option<TenantId>, (u32, Timestamp)>>);

impl AuditService<'_> {
    /// Checks the end of the organisation's log: from the last anchor on, at most 10,000 entries. The whole log is
    /// checked by the server's command `audit verify`, and by anybody who has an export of it.
    ///
    /// # Errors
    /// When the log may not be read.
    pub async fn verify_recent(&self, actor: &Actor) -> Result<Verification, CommonError> {
        self.0.require(actor, Permission::AuditRead, &Resource::organization())?;
        let tenant = Some(actor.tenant());
        let mut tx = self.0.read(actor).await?;
        let log = tx.audit();
        let (head, last_anchor) = (log.head().await?, log.last_anchor().await?);
        let start = match &last_anchor {
            Some(anchor) if head.sequence - anchor.sequence <= BOUND => {
                Head { sequence: anchor.sequence - 1, hash: Vec::new() }
            }
            _ => Head { sequence: head.sequence - BOUND, hash: Vec::new() },
        };
        let anchors = last_anchor.iter().cloned().collect();
        self.check(tenant, log, start, anchors, last_anchor).await
    }

    /// Checks a whole log, `None` for the platform's, against its counter, its own anchors and `exported` ones.
    ///
    /// Nobody is asked whether they may: for the person who operates the server, at its command line.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn verify(
        &self,
        tenant: Option<TenantId>,
        exported: &[Anchor],
    ) -> Result<Verification, CommonError> {
        match tenant {
            Some(tenant) => {
                let mut tx = self.0.store().read(tenant).await?;
                self.verify_log(Some(tenant), tx.audit(), exported).await
            }
            None => {
                let mut tx = self.0.directory().read_platform().await?;
                self.verify_log(None, tx.audit(), exported).await
            }
        }
    }

    async fn verify_log(
        &self,
        tenant: Option<TenantId>,
        log: &mut dyn AuditLog,
        exported: &[Anchor],
    ) -> Result<Verification, CommonError> {
        let mut anchors: Vec<Anchor> =
            exported.iter().filter(|anchor| anchor.tenant == tenant).cloned().collect();
        let mut last = None;
        loop {
            let after = last.as_ref().map_or(0, |last: &Anchor| last.sequence);
            let more = log.anchors(after, CHUNK).await?;
            let Some(newest) = more.last() else { break };
            last = Some(newest.clone());
            anchors.extend(more);
        }
        self.check(tenant, log, Head::default(), anchors, last).await
    }

    /// Checks a log behind `start`; a start without hash is taken from the first entry found.
    async fn check(
        &self,
        tenant: Option<TenantId>,
        log: &mut dyn AuditLog,
        start: Head,
        anchors: Vec<Anchor>,
        last_anchor: Option<Anchor>,
    ) -> Result<Verification, CommonError> {
        let head = log.head().await?;
        let from = start.sequence.max(0);
        let unsigned = self.0.anchor_signer().and_then(|signer| {
            let bad = |anchor: &&Anchor| !signer.verify(&anchor.key, &anchor.message(), &anchor.signature);
            anchors.iter().filter(bad).map(|anchor| anchor.sequence).min()
        });
        let mut verifier = Verifier::new(tenant, anchors);
        if from > 0 {
            let before = log.after(from - 1, 1).await?.pop().filter(|entry| entry.sequence == from);
            verifier.start_behind(Head {
                sequence: from,
                hash: before.map(|entry| entry.hash).unwrap_or_default(),
            });
        }
        let mut fault = walk(log, &mut verifier).await?;
        let at = verifier.at().clone();
        if fault.is_none() {
            fault = verifier.finish(&head).err();
        }
        if let Some(sequence) = unsigned
            && fault.as_ref().is_none_or(|fault| fault.sequence > sequence)
        {
            fault = Some(Fault { sequence, what: FaultKind::BadAnchor });
        }
        Ok(Verification {
            intact: fault.is_none(),
            faulty_sequence: fault.as_ref().map(|fault| fault.sequence),
            fault: fault.map(|fault| fault.what.to_string()),
            from,
            sequence: at.sequence,
            hash: hex(&at.hash),
            last_sequence: head.sequence,
            last_anchor,
        })
    }

    /// Remembers that a log grew.
    pub(crate) fn grown(&self, tenant: Option<TenantId>) {
        let now = self.0.clock().now();
        let mut growth = self.0.audit_growth().0.lock().unwrap_or_else(PoisonError::into_inner);
        growth.entry(tenant).or_insert((0, now)).0 += 1;
    }

    /// Anchors the logs that grew in this process and whose time has come; all that grew if `all`. How many.
    ///
    /// To be called every few seconds. Without an [`AnchorSigner`](super::AnchorSigner) nothing happens.
    ///
    /// # Errors
    /// When storage fails; the logs are tried again at the next call.
    pub async fn anchor_grown(&self, all: bool) -> Result<usize, CommonError> {
        if self.0.anchor_signer().is_none() {
            return Ok(0);
        }
        let now = self.0.clock().now();
        let due: Vec<Option<TenantId>> = {
            let growth = self.0.audit_growth().0.lock().unwrap_or_else(PoisonError::into_inner);
            let due = |(_, (writes, since)): &(&Option<TenantId>, &(u32, Timestamp))| {
                all || *writes >= ANCHOR_EVERY || now.duration_since(*since) >= ANCHOR_AFTER
            };
            growth.iter().filter(due).map(|(tenant, _)| *tenant).collect()
        };
        let mut count = 0;
        for tenant in due {
            self.0.audit_growth().0.lock().unwrap_or_else(PoisonError::into_inner).remove(&tenant);
            count += usize::from(self.anchor(tenant).await.inspect_err(|_| self.grown(tenant))?);
        }
        Ok(count)
    }

    /// Anchors every log that has entries behind its last anchor: what other processes left. How many.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn anchor_everything(&self) -> Result<usize, CommonError> {
        let mut count = usize::from(self.anchor(None).await?);
        let filter = OrganizationFilter::default();
        let mut page =
            PageRequest { sort: OrganizationSort::Slug, descending: false, limit: MAX_LIMIT, after: None };
        loop {
            let mut rows = self.0.directory().organizations(&filter, &page).await?;
            let more = rows.len() > usize::from(MAX_LIMIT);
            rows.truncate(usize::from(MAX_LIMIT));
            page.after = rows.last().map(|last| Position { key: last.slug.clone(), id: last.id.as_uuid() });
            for organization in rows {
                count += usize::from(self.anchor(Some(organization.id)).await?);
            }
            if !more {
                return Ok(count);
            }
        }
    }

    /// Anchors a log if it has entries behind its last anchor, and these are intact; whether it did.
    async fn anchor(&self, tenant: Option<TenantId>) -> Result<bool, CommonError> {
        match tenant {
            Some(id) => {
                let mut tx = self.0.store().begin(id).await?;
                let anchored = self.anchor_log(tenant, tx.audit()).await?;
                tx.commit().await?;
                Ok(anchored)
            }
            None => {
                let mut tx = self.0.directory().platform().await?;
                let anchored = self.anchor_log(tenant, tx.audit()).await?;
                tx.commit().await?;
                Ok(anchored)
            }
        }
    }

    async fn anchor_log(
        &self,
        tenant: Option<TenantId>,
        log: &mut dyn AuditLog,
    ) -> Result<bool, CommonError> {
        let Some(signer) = self.0.anchor_signer() else { return Ok(false) };
        let (last, head) = (log.last_anchor().await?, log.head().await?);
        let from = last.as_ref().map_or(0, |last| last.sequence);
        if head.sequence < from {
            tracing::error!(?tenant, "an audit log is shorter than its last anchor says: it isn't anchored");
            return Ok(false);
        }
        if head.sequence == from {
            return Ok(false);
        }
        // An anchor that isn't ours, or by a former key, proves nothing: all is checked again.
        let last = last.filter(|last| signer.verify(&last.key, &last.message(), &last.signature));
        let mut verifier = Verifier::new(tenant, Vec::new());
        verifier.start_behind(
            last.map_or_else(Head::default, |last| Head { sequence: last.sequence, hash: last.hash }),
        );
        // Others go on writing while we read: their entries are beyond the head that we saw.
        if let Some(fault) =
            walk_to(log, &mut verifier, head.sequence).await?.or(verifier.finish(&head).err())
        {
            tracing::error!(?tenant, %fault, "an audit log isn't as it was written: it isn't anchored");
            return Ok(false);
        }
        let mut anchor = Anchor {
            tenant,
            sequence: head.sequence,
            hash: head.hash,
            time: self.0.clock().now(),
            key: signer.key(),
            signature: Vec::new(),
        };
        anchor.signature = signer.sign(&anchor.message());
        log.insert_anchor(&anchor).await?;
        let line = serde_json::to_string(&anchor)?;
        tracing::info!(anchor = line, "audit anchor");
        Ok(true)
    }
}

async fn walk(log: &mut dyn AuditLog, verifier: &mut Verifier) -> Result<Option<Fault>, CommonError> {
    walk_to(log, verifier, i64::MAX).await
}

/// Reads on to an entry, or to the end; the first fault.
async fn walk_to(
    log: &mut dyn AuditLog,
    verifier: &mut Verifier,
    last: i64,
) -> Result<Option<Fault>, CommonError> {
    let mut chunk = CHUNK;
    while verifier.at().sequence < last {
        let entries = match log.after(verifier.at().sequence, chunk).await {
            Ok(entries) => entries,
            Err(error @ StoreError::Unavailable(_)) => return Err(error.into()),
            // One by one, to find the one that can't be read.
            Err(_) if chunk > 1 => {
                chunk = 1;
                continue;
            }
            Err(_) => {
                let sequence = verifier.at().sequence.saturating_add(1);
                return Ok(Some(Fault { sequence, what: FaultKind::Unreadable }));
            }
        };
        if entries.is_empty() {
            return Ok(None);
        }
        for entry in entries.iter().filter(|entry| entry.sequence <= last) {
            if let Err(fault) = verifier.push(entry) {
                return Ok(Some(fault));
            }
        }
        if entries.last().is_some_and(|entry| entry.sequence > last) {
            return Ok(None);
        }
    }
    Ok(None)
}
