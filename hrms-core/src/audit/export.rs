//! A whole log as lines of JSON: every column that is hashed, exactly as stored, so that anybody can check it.
//!
//! Each entry is a line. The last line says where the log ended: without it, the file isn't whole.

use std::io::{self, BufRead};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::chain::{Fault, FaultKind, Verifier};
use super::{Anchor, AuditService, Entry, Head, Verification, hex};
use crate::actor::Actor;
use crate::error::CommonError;
use crate::hrms::Hrms;
use crate::id::TenantId;
use crate::policy::{Permission, Resource};

/// So many entries are read at once.
const BATCH: u16 = 1000;

/// The last line of an export.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct End {
    tenant_id: Option<TenantId>,
    /// The last entry; 0 for an empty log.
    last_sequence: i64,
    #[serde(with = "super::hexadecimal")]
    last_hash: Vec<u8>,
}

/// An export under way. It is read in batches, each in a unit of work of its own: nothing is held while whoever
/// takes it is slow, and as nothing in a log changes, it is the log at one instant all the same.
#[derive(Debug)]
pub struct AuditExport {
    hrms: Hrms,
    actor: Actor,
    at: i64,
    end: Option<End>,
}

impl AuditService<'_> {
    /// Begins an export of the organisation's log as it stands now.
    ///
    /// # Errors
    /// When the log may not be read, or exports may not be made.
    pub async fn export(&self, actor: &Actor) -> Result<AuditExport, CommonError> {
        self.0.require(actor, Permission::AuditRead, &Resource::organization())?;
        self.0.require(actor, Permission::ExportRun, &Resource::organization())?;
        // The file holds its own entry.
        self.0.exports().put_on_record(actor, "audit-log").await?;
        let mut tx = self.0.read(actor).await?;
        let head = tx.audit().head().await?;
        let tenant_id = Some(actor.tenant());
        let end = Some(End { tenant_id, last_sequence: head.sequence, last_hash: head.hash });
        Ok(AuditExport { hrms: self.0.clone(), actor: actor.clone(), at: 0, end })
    }
}

impl AuditExport {
    /// The next lines; `None` behind the last.
    ///
    /// # Errors
    /// When storage fails, or an entry can't be read any more.
    pub async fn next(&mut self) -> Result<Option<Vec<u8>>, CommonError> {
        let Some(end) = &self.end else { return Ok(None) };
        let mut tx = self.hrms.read(&self.actor).await?;
        let mut entries = tx.audit().after(self.at, BATCH).await?;
        entries.retain(|entry| entry.sequence <= end.last_sequence);
        let mut lines = Vec::new();
        for entry in &entries {
            self.at = entry.sequence;
            serde_json::to_writer(&mut lines, entry)?;
            lines.push(b'\n');
        }
        if entries.is_empty() {
            serde_json::to_writer(&mut lines, end)?;
            lines.push(b'\n');
            self.end = None;
        }
        Ok(Some(lines))
    }
}

/// A line that was written by an export: one that says more, or the same in another way, isn't.
fn read<T: Serialize + DeserializeOwned>(line: &str) -> Option<T> {
    let value: T = serde_json::from_str(line).ok()?;
    (serde_json::to_string(&value).ok()? == line).then_some(value)
}

/// Checks an exported log, without the installation that it comes from, against its last line and anchors that
/// were kept elsewhere. The signatures of `anchors` are the caller's to check.
///
/// # Errors
/// When the file can't be read.
pub fn verify_export(file: impl BufRead, anchors: &[Anchor]) -> io::Result<Verification> {
    let mut verifier: Option<Verifier> = None;
    let mut end: Option<End> = None;
    let mut fault = None;
    for line in file.lines() {
        let line = line?;
        let next = verifier.as_ref().map_or(1, |verifier| verifier.at().sequence.saturating_add(1));
        if end.is_some() {
            fault = Some(Fault { sequence: next, what: FaultKind::Continued });
        } else if let Some(entry) = read::<Entry>(&line) {
            let verifier = verifier.get_or_insert_with(|| Verifier::new(entry.tenant, anchors.to_vec()));
            fault = verifier.push(&entry).err();
        } else if let Some(found) = read::<End>(&line) {
            end = Some(found);
        } else {
            fault = Some(Fault { sequence: next, what: FaultKind::Unreadable });
        }
        if fault.is_some() {
            break;
        }
    }
    let tenant = end.as_ref().and_then(|end| end.tenant_id);
    let verifier = verifier.unwrap_or_else(|| Verifier::new(tenant, anchors.to_vec()));
    let at = verifier.at().clone();
    let fault = fault.or_else(|| {
        let Some(end) = end else {
            return Some(Fault { sequence: at.sequence.saturating_add(1), what: FaultKind::CutOff });
        };
        verifier.finish(&Head { sequence: end.last_sequence, hash: end.last_hash }).err()
    });
    Ok(Verification {
        intact: fault.is_none(),
        faulty_sequence: fault.as_ref().map(|fault| fault.sequence),
        fault: fault.map(|fault| fault.what.to_string()),
        from: 0,
        sequence: at.sequence,
        hash: hex(&at.hash),
        last_sequence: at.sequence,
        last_anchor: None,
    })
}
