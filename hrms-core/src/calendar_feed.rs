//! Calendar feeds: addresses from which calendar programs read who is away, without a log-in.
//!
//! An address ends with a secret, which is shown once and kept as a hash only. It stands for one user and one kind of
//! feed. What is read by it is looked up with the rights that the user has at that moment; when they have none any
//! more, there is nothing at the address. What leaves the service this way is little: the feeds of a team name people
//! and days, never kinds of leave, as many calendar programs keep what they read elsewhere.

mod service;

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::audit::Audited;
use crate::employment::coded;
use crate::error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};
use crate::id::{CalendarFeedId, DepartmentId, UserId};

pub use service::CalendarFeedService;

/// The most feeds of a user.
pub const MOST_FEEDS: usize = 10;

coded! {
    /// What a feed is of.
    CalendarFeedKind {
        /// The user's own leave.
        Personal = "personal",
        /// When those who report to the user are away.
        Reports = "reports",
        /// When people of a department are away, those below it included.
        Department = "department",
    }
}

/// A calendar feed, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CalendarFeed {
    /// Its id.
    pub id: CalendarFeedId,
    /// Whose rights it is read with.
    pub user_id: UserId,
    /// What it is of.
    pub kind: CalendarFeedKind,
    /// The department; `null` for the user's own at that moment, and for other kinds.
    pub department_id: Option<DepartmentId>,
    /// Name shown to people, and by calendar programs.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it got the address that is good now, if not from the beginning.
    pub renewed_at: Option<Timestamp>,
}

impl Audited for CalendarFeed {}

/// A feed with its address.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct IssuedCalendarFeed {
    /// The feed.
    #[serde(flatten)]
    pub feed: CalendarFeed,
    /// Where calendar programs read it. Whoever knows it reads it. Shown this once: `null` when the same request is repeated with its
    /// `Idempotency-Key`.
    pub url: Option<String>,
}

impl fmt::Debug for IssuedCalendarFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedCalendarFeed").field("feed", &self.feed).finish_non_exhaustive()
    }
}

/// What a new feed needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewCalendarFeed {
    /// What it is of.
    pub kind: CalendarFeedKind,
    /// The department, for a feed of a department; one's own at that moment when absent.
    #[serde(default)]
    pub department_id: Option<DepartmentId>,
    /// Name shown to people, at most 100 characters.
    #[serde(default)]
    pub name: Option<String>,
}

/// Why something about a feed was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CalendarFeedError {
    /// The user has as many as anybody may have.
    #[error("a user has at most {MOST_FEEDS} calendar feeds")]
    TooMany,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

crate::lift_common_errors!(CalendarFeedError);

impl DomainError for CalendarFeedError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::TooMany => ErrorKind::Conflict,
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::TooMany => "calendar-feed.too-many",
            Self::Common(common) => common.code(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::Common(common) => common.fields(),
            Self::TooMany => &[],
        }
    }
}

/// Feeds in storage.
#[async_trait]
pub trait CalendarFeedRepo: Send {
    /// The feed with this id.
    async fn get(&mut self, id: CalendarFeedId) -> Result<Option<CalendarFeed>, StoreError>;
    /// The feeds of a user, oldest first.
    async fn of_user(&mut self, user: UserId) -> Result<Vec<CalendarFeed>, StoreError>;
    /// The feed with this id and the hash of its secret.
    async fn with_hash(&mut self, id: CalendarFeedId)
    -> Result<Option<(CalendarFeed, [u8; 32])>, StoreError>;
    /// Adds a feed; `calendar_feed_user_fkey` wants a member of the organisation.
    async fn insert(&mut self, feed: &CalendarFeed, secret_hash: &[u8; 32]) -> Result<(), StoreError>;
    /// Gives a feed another secret.
    async fn renew(&mut self, feed: &CalendarFeed, secret_hash: &[u8; 32]) -> Result<(), StoreError>;
    /// Removes a feed.
    async fn remove(&mut self, id: CalendarFeedId) -> Result<(), StoreError>;
}
