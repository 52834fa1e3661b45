//! Schedules: what an organisation wants to happen again and again, in its time zone.
//!
//! A schedule is data: a kind of job, its payload, and a [`CronRule`]. When it is due, the job is enqueued in the same
//! unit of work in which the next time is written, so that however many nodes look, each time has one job. What was
//! missed, because nobody ran or the organisation wasn't in use, is caught up once.

mod cron;
mod service;

use async_trait::async_trait;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::audit::Audited;
use crate::error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};
use crate::id::{JobId, ScheduleId, UserId};
use crate::job::Requester;
use crate::page::PageRequest;
use crate::patch::Patch;
use crate::store::{Version, Versioned};

pub use cron::{BadRule, CronRule};
pub use service::ScheduleService;
pub(crate) use service::UsualSchedule;

/// A schedule as stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Its id.
    pub id: ScheduleId,
    /// Name shown to people; unique.
    pub name: String,
    /// Which [`crate::job::Job`] it starts.
    pub kind: String,
    /// Which version of that job wrote the payload.
    pub kind_version: u16,
    /// That job's fields.
    pub payload: Value,
    /// When, as [`CronRule`] reads it.
    pub cron: String,
    /// The IANA time zone that the rule is read in; `None`: the organisation's.
    pub time_zone: Option<String>,
    /// Whether it happens at all.
    pub enabled: bool,
    /// Whom its jobs act for: whoever changed it last.
    pub requester: Requester,
    /// When it is due next; `None` while it is disabled, or if that is never.
    pub next_at: Option<Timestamp>,
    /// When it last started a job.
    pub last_at: Option<Timestamp>,
    /// The job that it last started.
    pub last_job: Option<JobId>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When somebody last changed it.
    pub updated_at: Timestamp,
    /// Counts changes; starting a job is none.
    pub version: Version,
}

/// A schedule as shown to people.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ScheduleView {
    /// Its id.
    pub id: ScheduleId,
    /// Name shown to people; unique.
    pub name: String,
    /// What sort of job it starts, as in `audit.verify`.
    pub kind: String,
    /// What the job is given.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub payload: Value,
    /// When: minute, hour, day of the month, month, day of the week, as cron reads them.
    pub cron: String,
    /// The IANA time zone that `cron` is read in; `null`: the organisation's.
    pub time_zone: Option<String>,
    /// Whether it happens at all.
    pub enabled: bool,
    /// The user who changed it last: its jobs act for them, with the rights they have then.
    pub requested_by: Option<UserId>,
    /// When it is due next.
    pub next_at: Option<Timestamp>,
    /// When it last started a job.
    pub last_at: Option<Timestamp>,
    /// The job that it last started.
    pub last_job_id: Option<JobId>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When somebody last changed it.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Audited for ScheduleView {
    /// Whatever a job may be given.
    const MASKED: &'static [&'static str] = &["payload"];
}

impl Versioned for ScheduleView {
    fn version(&self) -> Version {
        self.version
    }
}

impl From<Schedule> for ScheduleView {
    fn from(schedule: Schedule) -> Self {
        Self {
            id: schedule.id,
            name: schedule.name,
            kind: schedule.kind,
            payload: schedule.payload,
            cron: schedule.cron,
            time_zone: schedule.time_zone,
            enabled: schedule.enabled,
            requested_by: schedule.requester.user_id(),
            next_at: schedule.next_at,
            last_at: schedule.last_at,
            last_job_id: schedule.last_job,
            created_at: schedule.created_at,
            updated_at: schedule.updated_at,
            version: schedule.version,
        }
    }
}

/// What a new schedule needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewSchedule {
    /// Name shown to people, at most 200 characters; unique.
    pub name: String,
    /// What sort of job it starts: one that may be put on a schedule, as `audit.verify`.
    pub kind: String,
    /// What the job is given; an empty object when nothing is said.
    #[serde(default = "nothing")]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub payload: Value,
    /// When: minute, hour, day of the month, month, day of the week, as in `30 8 1 * *`.
    pub cron: String,
    /// The IANA time zone that `cron` is read in; the organisation's when nothing is said.
    pub time_zone: Option<String>,
    /// Whether it happens at all; `true` when nothing is said.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn nothing() -> Value {
    Value::Object(serde_json::Map::new())
}

const fn yes() -> bool {
    true
}

/// What can be changed of a schedule. Its jobs act for whoever changes it from then on.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct SchedulePatch {
    /// New name.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Patch<String>,
    /// What the job is given from now on.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub payload: Patch<Value>,
    /// New rule.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub cron: Patch<String>,
    /// New time zone; `null` for the organisation's.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub time_zone: Patch<String>,
    /// Whether it happens at all.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<bool>))]
    pub enabled: Patch<bool>,
}

/// Which schedules to list.
#[derive(Clone, Debug, Default)]
pub struct ScheduleFilter {
    /// Only those that start jobs of this kind.
    pub kind: Option<String>,
    /// Only those that are, or aren't, enabled.
    pub enabled: Option<bool>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Orders of a list of schedules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScheduleSort {
    /// By name.
    #[default]
    Name,
}

/// What a schedule that was due did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    /// When it was due: only if that is still so, it is written.
    pub due_at: Timestamp,
    /// When it is due next.
    pub next_at: Option<Timestamp>,
    /// The present.
    pub now: Timestamp,
    /// The job that it started.
    pub job: JobId,
}

/// Why something about a schedule was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// The name is another schedule's.
    #[error("another schedule has this name")]
    NameTaken,
    /// The organisation has as many as there may be.
    #[error("the organisation has as many schedules as there may be")]
    TooMany,
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

impl DomainError for ScheduleError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NameTaken | Self::TooMany => ErrorKind::Conflict,
            Self::Common(common) => common.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NameTaken => "schedule.name-taken",
            Self::TooMany => "schedule.too-many",
            Self::Common(common) => common.code(),
        }
    }

    fn fields(&self) -> &[FieldError] {
        match self {
            Self::Common(common) => common.fields(),
            _ => &[],
        }
    }
}

impl From<CommonError> for ScheduleError {
    fn from(error: CommonError) -> Self {
        Self::Common(error)
    }
}

impl From<StoreError> for ScheduleError {
    fn from(error: StoreError) -> Self {
        match error.constraint() {
            Some("job_schedule_name_key") => Self::NameTaken,
            _ => Self::Common(error.into()),
        }
    }
}

/// The tenant's schedules in storage.
#[async_trait]
pub trait ScheduleRepo: Send {
    /// The schedule with this id.
    async fn get(&mut self, id: ScheduleId) -> Result<Option<Schedule>, StoreError>;
    /// Up to `limit + 1` schedules in the order asked for.
    async fn list(
        &mut self,
        filter: &ScheduleFilter,
        page: &PageRequest<ScheduleSort>,
    ) -> Result<Vec<Schedule>, StoreError>;
    /// How many there are.
    async fn count(&mut self) -> Result<u64, StoreError>;
    /// Adds a schedule; `job_schedule_name_key` keeps names unique.
    async fn insert(&mut self, schedule: &Schedule) -> Result<(), StoreError>;
    /// Writes a schedule if its stored version is still `expected`.
    async fn update(&mut self, schedule: &Schedule, expected: Version) -> Result<(), StoreError>;
    /// Writes what a due schedule did, and keeps others from it until the commit.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when it isn't due at that instant any more.
    async fn tick(&mut self, id: ScheduleId, tick: &Tick) -> Result<(), StoreError>;
    /// Removes a schedule if its stored version is still `expected`.
    async fn remove(&mut self, id: ScheduleId, expected: Version) -> Result<(), StoreError>;
}
