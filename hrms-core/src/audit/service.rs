//! What can be done with audit logs: reading and checking them.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::{AuditFilter, AuditSort, Entry, Outcome, hex};
use crate::actor::Actor;
use crate::error::CommonError;
use crate::hrms::Hrms;
use crate::id::{AuditEntryId, JobId, RequestId, SessionId, UserId};
use crate::operator::Operator;
use crate::page::{Page, PageRequest, Position};
use crate::policy::{Permission, Resource};
use crate::validate::Check;

/// An entry of an audit log as shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEntry {
    /// Its id.
    pub id: AuditEntryId,
    /// Position in the log: gap-free, from 1 on.
    pub sequence: i64,
    /// When it happened.
    pub time: Timestamp,
    /// Who did it.
    pub author: EntryAuthor,
    /// The user on whose behalf it was done.
    pub on_behalf_of: Option<UserId>,
    /// The operator of the platform who did it inside the organisation.
    pub operator_id: Option<UserId>,
    /// What made them act: `request`, `job`, `command` or `embedder`.
    pub cause: String,
    /// The job that did it, if one did.
    pub job_id: Option<JobId>,
    /// What was done, such as `leave_request.approved`.
    pub action: String,
    /// What it was done to, as in `leave-requests/<id>`.
    pub subject: String,
    /// The values before, by field; `{"masked": true}` stands for what nobody may read here.
    pub before: Option<Value>,
    /// The values after, by field.
    pub after: Option<Value>,
    /// Why, in the author's words.
    pub why: Option<String>,
    /// The request that it was part of.
    pub request_id: RequestId,
    /// The client's address, as far as it is known for certain.
    pub address: Option<String>,
    /// How it ended: `succeeded`, `failed` or `denied`.
    pub outcome: String,
    /// The hash of the entry before, in hexadecimal digits.
    pub prev_hash: String,
    /// The entry's hash, in hexadecimal digits.
    pub hash: String,
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EntryAuthor {
    /// What kind of author: `user`, `service`, `system`, `operator` or `anonymous`.
    pub kind: String,
    /// Their id, if they have one.
    pub id: Option<Uuid>,
    /// What they are called, for those without an id.
    pub name: Option<String>,
    /// Their log-in.
    pub session_id: Option<SessionId>,
}

impl From<Entry> for AuditEntry {
    fn from(entry: Entry) -> Self {
        let draft = entry.draft;
        // What isn't JSON any more is shown as it is.
        let json = |text: Option<String>| {
            text.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)))
        };
        Self {
            id: draft.id,
            sequence: entry.sequence,
            time: draft.time,
            author: EntryAuthor {
                kind: draft.author_kind,
                id: draft.author_id,
                name: draft.author_name,
                session_id: draft.session,
            },
            on_behalf_of: draft.on_behalf_of,
            operator_id: draft.operator,
            cause: draft.cause,
            job_id: draft.job.map(JobId::from_uuid),
            action: draft.action,
            subject: draft.subject,
            before: json(draft.before),
            after: json(draft.after),
            why: draft.why,
            request_id: draft.request,
            address: draft.address,
            outcome: draft.outcome,
            prev_hash: hex(&entry.prev_hash),
            hash: hex(&entry.hash),
        }
    }
}

/// What can be done with audit logs.
#[derive(Clone, Copy, Debug)]
pub struct AuditService<'a>(pub(super) &'a Hrms);

impl Hrms {
    /// Audit logs.
    #[must_use]
    pub fn audit(&self) -> AuditService<'_> {
        AuditService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "audit entry" };

impl AuditService<'_> {
    /// One entry of the organisation's log.
    ///
    /// # Errors
    /// When it isn't there, or the log may not be read.
    pub async fn get(&self, actor: &Actor, id: AuditEntryId) -> Result<AuditEntry, CommonError> {
        self.0.require(actor, Permission::AuditRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        Ok(tx.audit().get(id).await?.ok_or(NOT_FOUND)?.into())
    }

    /// A page of the organisation's log.
    ///
    /// # Errors
    /// When it may not be read.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &AuditFilter,
        page: &PageRequest<AuditSort>,
    ) -> Result<Page<AuditEntry>, CommonError> {
        self.0.require(actor, Permission::AuditRead, &Resource::organization())?;
        check(filter)?;
        let mut tx = self.0.read(actor).await?;
        let rows = tx.audit().list(filter, page).await?;
        Ok(shown(rows, page.limit))
    }

    /// A page of the platform's log.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn list_platform(
        &self,
        _by: &Operator,
        filter: &AuditFilter,
        page: &PageRequest<AuditSort>,
    ) -> Result<Page<AuditEntry>, CommonError> {
        check(filter)?;
        let mut tx = self.0.directory().read_platform().await?;
        Ok(shown(tx.audit().list(filter, page).await?, page.limit))
    }
}

/// Refuses texts that can't be in a log: databases take some of them amiss.
fn check(filter: &AuditFilter) -> Result<(), CommonError> {
    let mut check = Check::new();
    for (pointer, text) in [("/action", &filter.action), ("/subject", &filter.subject)] {
        if let Some(text) = text {
            check.text(pointer, text, 1..=1000);
        }
    }
    check.done()
}

/// A page of entries.
pub(super) fn shown(rows: Vec<Entry>, limit: u16) -> Page<AuditEntry> {
    let position = |last: &Entry| Position { key: last.sequence.to_string(), id: last.id().as_uuid() };
    Page::from_rows(rows, limit, position).map(Into::into)
}

impl Outcome {
    /// Every way to end.
    pub const ALL: [Self; 3] = [Self::Succeeded, Self::Failed, Self::Denied];
}
