//! What an entry says, before it has its place in the chain.

use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::actor::{Actor, Cause, Who};
use crate::audit::Act;
use crate::id::{AuditEntryId, IdSource, RequestId, SessionId, UserId};
use crate::operator::Operator;

/// Longer reasons, names and subjects are cut after so many characters.
const LONGEST: usize = 1000;

/// What kind of author an entry has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthorKind {
    /// A person who logged in.
    User,
    /// A program of the organisation, by an API key.
    Service,
    /// The system itself.
    System,
    /// Somebody who operates the platform.
    Operator,
    /// Nobody who is known, as at a failed log-in.
    Anonymous,
}

impl AuthorKind {
    /// The stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Service => "service",
            Self::System => "system",
            Self::Operator => "operator",
            Self::Anonymous => "anonymous",
        }
    }
}

/// How what was tried ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    #[default]
    Succeeded,
    /// It didn't work, as a log-in with the wrong password.
    Failed,
    /// It wasn't allowed.
    Denied,
}

impl Outcome {
    /// The stable name.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Denied => "denied",
        }
    }
}

/// Who did something, on whose behalf, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// What kind of author.
    pub kind: AuthorKind,
    /// Their id, if they have one.
    pub id: Option<Uuid>,
    /// What they are called, for those without an id.
    pub name: Option<String>,
    /// Their log-in.
    pub session: Option<SessionId>,
    /// The user on whose behalf it was done.
    pub on_behalf_of: Option<UserId>,
    /// The operator of the platform who did it inside an organisation.
    pub operator: Option<UserId>,
    /// What made them act.
    pub cause: Cause,
    /// The request that it was part of.
    pub request: RequestId,
    /// The client's address, as far as it is known for certain.
    pub address: Option<IpAddr>,
}

impl Author {
    /// Nobody who is known.
    #[must_use]
    pub fn anonymous(request: RequestId, address: Option<IpAddr>) -> Self {
        Self {
            kind: AuthorKind::Anonymous,
            id: None,
            name: None,
            session: None,
            on_behalf_of: None,
            operator: None,
            cause: Cause::Request,
            request,
            address,
        }
    }

    /// A user, by their id alone.
    #[must_use]
    pub fn user(
        user: UserId,
        session: Option<SessionId>,
        request: RequestId,
        address: Option<IpAddr>,
    ) -> Self {
        let id = Some(user.as_uuid());
        Self { kind: AuthorKind::User, id, session, ..Self::anonymous(request, address) }
    }
}

impl From<&Actor> for Author {
    fn from(actor: &Actor) -> Self {
        let mut author = Self::anonymous(actor.request(), actor.context().address);
        author.cause = actor.cause();
        author.session = actor.session();
        match actor.who() {
            Who::User { user, .. } => {
                author.kind = AuthorKind::User;
                author.id = Some(user.as_uuid());
            }
            Who::Service { account, .. } => {
                author.kind = AuthorKind::Service;
                author.id = Some(account.as_uuid());
            }
            Who::System { name } => {
                author.kind = AuthorKind::System;
                author.name = Some((*name).to_owned());
            }
        }
        if let Some(support) = actor.support() {
            author.on_behalf_of = actor.user_id();
            author.operator = Some(support.operator);
            author.kind = AuthorKind::Operator;
            author.id = Some(support.operator.as_uuid());
        }
        author
    }
}

impl From<&Operator> for Author {
    fn from(operator: &Operator) -> Self {
        let mut author = Self::anonymous(operator.request(), operator.address());
        author.kind = AuthorKind::Operator;
        author.id = operator.user_id().map(UserId::as_uuid);
        author.session = operator.session();
        author.cause = operator.cause();
        author
    }
}

/// What an entry says. Stored column by column; everything of it is part of the entry's hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// The entry's id.
    pub id: AuditEntryId,
    /// When it happened.
    #[serde(rename = "occurred_at")]
    pub time: Timestamp,
    /// Stable name of an [`AuthorKind`].
    pub author_kind: String,
    /// Who did it, if they have an id.
    pub author_id: Option<Uuid>,
    /// What they are called, for those without an id.
    pub author_name: Option<String>,
    /// Their log-in.
    #[serde(rename = "session_id")]
    pub session: Option<SessionId>,
    /// The user on whose behalf it was done.
    pub on_behalf_of: Option<UserId>,
    /// The operator of the platform who did it inside an organisation.
    #[serde(rename = "operator_id")]
    pub operator: Option<UserId>,
    /// What made them act: `request`, `job`, `command` or `embedder`.
    pub cause: String,
    /// The job that did it, if one did.
    #[serde(rename = "job_id")]
    pub job: Option<Uuid>,
    /// What was done, such as `leave_request.approved`.
    pub action: String,
    /// What it was done to, as in `leave-requests/<id>`.
    pub subject: String,
    /// JSON object of the values before, by field.
    pub before: Option<String>,
    /// JSON object of the values after, by field.
    pub after: Option<String>,
    /// Why, in the author's words.
    pub why: Option<String>,
    /// The request that it was part of.
    #[serde(rename = "request_id")]
    pub request: RequestId,
    /// The client's address.
    pub address: Option<String>,
    /// Stable name of an [`Outcome`].
    pub outcome: String,
}

impl Draft {
    /// What somebody did, at an instant.
    pub(crate) fn new(ids: &dyn IdSource, now: Timestamp, author: &Author, act: Act) -> Self {
        let (cause, job) = match author.cause {
            Cause::Request => ("request", None),
            Cause::Job(job) => ("job", Some(job.as_uuid())),
            Cause::OperatorCommand => ("command", None),
            Cause::Embedder => ("embedder", None),
        };
        let json = |fields: Option<&Map<String, Value>>| {
            fields.map(|fields| Value::from(fields.clone()).to_string())
        };
        Self {
            id: AuditEntryId::from_uuid(ids.next()),
            time: now,
            author_kind: author.kind.code().to_owned(),
            author_id: author.id,
            author_name: author.name.as_deref().map(storable),
            session: author.session,
            on_behalf_of: author.on_behalf_of,
            operator: author.operator,
            cause: cause.to_owned(),
            job,
            action: act.action.into_owned(),
            subject: storable(&act.subject),
            before: json(act.change.before()),
            after: json(act.change.after()),
            why: None,
            request: author.request,
            address: author.address.map(|address| address.to_canonical().to_string()),
            outcome: Outcome::Succeeded.code().to_owned(),
        }
    }

    /// The same, with the author's reason.
    pub(crate) fn because(mut self, why: Option<&str>) -> Self {
        self.why = why.map(storable);
        self
    }

    /// The same, with another end than success.
    pub(crate) fn ended(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome.code().to_owned();
        self
    }
}

/// Text of bounded length without what databases or terminals take amiss.
fn storable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).take(LONGEST).collect()
}
