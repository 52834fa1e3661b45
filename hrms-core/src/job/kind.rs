//! What is known of a kind of job before any is run.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::job::Job;
use crate::rate_limit::Quota;

/// Which jobs of a tenant run first. It says nothing about other tenants' jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Before all others: somebody waits for it.
    High,
    /// In the order of time.
    #[default]
    Normal,
    /// When nothing else is due.
    Low,
}

impl Priority {
    /// Every priority, the first to run first.
    pub const ALL: &'static [Self] = &[Self::High, Self::Normal, Self::Low];

    /// The number that is stored; smaller runs first.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::High => 0,
            Self::Normal => 1,
            Self::Low => 2,
        }
    }

    /// The priority with this number.
    #[must_use]
    pub fn from_number(number: i64) -> Option<Self> {
        Self::ALL.iter().copied().find(|priority| priority.number() == number)
    }
}

/// What a [`Job`] says of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobKind {
    /// Its stable name.
    pub name: &'static str,
    /// The newest version of its payload that is understood.
    pub version: u16,
    /// How often a job is tried before it counts as failed.
    pub max_attempts: u16,
    /// Which jobs of the tenant it goes before.
    pub priority: Priority,
    /// After so long a run is stopped.
    pub timeout: SignedDuration,
    /// So many run at the same time, on all nodes together.
    pub concurrency: Option<u16>,
    /// So many are started, on all nodes together.
    pub rate: Option<Quota>,
    /// Whether an organisation may put it on a schedule.
    pub schedulable: bool,
}

impl JobKind {
    /// The kind of `J`.
    #[must_use]
    pub const fn of<J: Job>() -> Self {
        Self {
            name: J::KIND,
            version: J::VERSION,
            max_attempts: J::MAX_ATTEMPTS,
            priority: J::PRIORITY,
            timeout: J::TIMEOUT,
            concurrency: J::CONCURRENCY,
            rate: J::RATE,
            schedulable: J::SCHEDULABLE,
        }
    }

    /// A kind of this name with the defaults of [`Job`]: no limits.
    #[must_use]
    pub const fn unlimited(name: &'static str) -> Self {
        Self {
            name,
            version: 1,
            max_attempts: 5,
            priority: Priority::Normal,
            timeout: SignedDuration::from_mins(15),
            concurrency: None,
            rate: None,
            schedulable: false,
        }
    }

    /// Whether claims of it have to be counted.
    #[must_use]
    pub const fn is_limited(&self) -> bool {
        self.concurrency.is_some() || self.rate.is_some()
    }
}
