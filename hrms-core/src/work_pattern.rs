//! Working patterns: which days are worked, and how much of each.
//!
//! A *pattern* is a cycle of weeks with exceptions such as the second and fourth Saturday. A location has a pattern
//! from a date on, and an employee may have one of their own; without either, Monday to Friday are worked. What a
//! pattern says is fixed once it exists: other hours are another pattern from a date on, so that no day of the past
//! changes (P8, P20).

mod assignment;
mod error;
mod rule;
mod service;
mod times;

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::audit::Audited;
use crate::error::StoreError;
use crate::id::{EmployeeId, LocationId, WorkPatternId};
use crate::page::PageRequest;
use crate::patch::Patch;
use crate::store::{Version, Versioned};

pub use assignment::{AssignWorkPattern, Assignment, WorkPatternPeriod, WorkPatternPeriods, assign};
pub use error::WorkPatternError;
pub use rule::{DayOfWeek, MAX_WEEKS, NthWeekday, WorkRule, WorkWeek, WorkingTime};
pub use service::WorkPatternService;
pub use times::WorkTimes;

/// A working pattern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WorkPattern {
    /// Its id.
    pub id: WorkPatternId,
    /// The organisation's own short name for it; unique.
    pub code: String,
    /// Name shown to people.
    pub name: String,
    /// Which days are worked. Fixed once the pattern exists.
    #[serde(flatten)]
    pub rule: WorkRule,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Audited for WorkPattern {}

impl Versioned for WorkPattern {
    fn version(&self) -> Version {
        self.version
    }
}

/// What a new working pattern needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewWorkPattern {
    /// The organisation's own short name for it; unique, at most 64 characters.
    pub code: String,
    /// Name shown to people, at most 200 characters.
    pub name: String,
    /// The minutes of a whole working day, 1 to 1440: a day with half as many is a half-working day. Default 480.
    #[serde(default = "default_standard_minutes")]
    #[cfg_attr(feature = "openapi", schema(default = 480))]
    pub standard_minutes: i64,
    /// The weeks of the cycle, at most 53; one for a pattern that is the same each week.
    pub weeks: Vec<WorkWeek>,
    /// A day in the first week of a cycle of several weeks.
    #[serde(default, deserialize_with = "crate::date::strict")]
    pub first_week: Option<Date>,
    /// Days of a month that are worked otherwise, such as the second and fourth Saturday.
    #[serde(default)]
    pub nth_weekdays: Vec<NthWeekday>,
}

const fn default_standard_minutes() -> i64 {
    480
}

/// What can be changed of a working pattern. Not the days: those have been counted by it.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct WorkPatternPatch {
    /// New code.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub code: Patch<String>,
    /// New name.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub name: Patch<String>,
}

/// Which working patterns to list.
#[derive(Clone, Debug, Default)]
pub struct WorkPatternFilter {
    /// Only the one with this code.
    pub code: Option<String>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Orders of a list of working patterns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WorkPatternSort {
    /// By name.
    #[default]
    Name,
    /// By code.
    Code,
}

/// Working patterns in storage, and who has which when.
#[async_trait]
pub trait WorkPatternRepo: Send {
    /// The pattern with this id.
    async fn get(&mut self, id: WorkPatternId) -> Result<Option<WorkPattern>, StoreError>;
    /// What the patterns with these ids say.
    async fn rules(&mut self, ids: &[WorkPatternId]) -> Result<HashMap<WorkPatternId, WorkRule>, StoreError>;
    /// Up to `limit + 1` patterns in the order asked for.
    async fn list(
        &mut self,
        filter: &WorkPatternFilter,
        page: &PageRequest<WorkPatternSort>,
    ) -> Result<Vec<WorkPattern>, StoreError>;
    /// Adds a pattern; `work_pattern_code_key` keeps codes unique.
    async fn insert(&mut self, pattern: &WorkPattern) -> Result<(), StoreError>;
    /// Writes code and name of a pattern if its stored version is still `expected`.
    async fn update(&mut self, pattern: &WorkPattern, expected: Version) -> Result<(), StoreError>;
    /// Removes a pattern if its stored version is still `expected`.
    async fn remove(&mut self, id: WorkPatternId, expected: Version) -> Result<(), StoreError>;

    /// Waits until no other unit of work of the tenant is changing which days are worked (patterns, holidays) or counts on it,
    /// and keeps it that way until this one ends.
    async fn lock_working_days(&mut self) -> Result<(), StoreError>;
    /// Waits until no other unit of work of the tenant is changing which days are worked, and keeps it that way until this
    /// one ends. Others may count on it at the same time.
    async fn hold_working_days(&mut self) -> Result<(), StoreError>;
    /// The patterns that these locations have over all time, oldest first; those without any are absent.
    async fn of_locations(
        &mut self,
        locations: &[LocationId],
    ) -> Result<HashMap<LocationId, Vec<Assignment>>, StoreError>;
    /// The patterns that these employees have of their own over all time, oldest first; those without any are absent.
    async fn of_employees(
        &mut self,
        employees: &[EmployeeId],
    ) -> Result<HashMap<EmployeeId, Vec<Assignment>>, StoreError>;
    /// Replaces the patterns of a location; `location_work_pattern_no_overlap` keeps periods apart (P22).
    async fn replace_of_location(
        &mut self,
        location: LocationId,
        assignments: &[Assignment],
    ) -> Result<(), StoreError>;
    /// Replaces an employee's own patterns; `employee_work_pattern_no_overlap` keeps periods apart (P22).
    async fn replace_of_employee(
        &mut self,
        employee: EmployeeId,
        assignments: &[Assignment],
    ) -> Result<(), StoreError>;
}
