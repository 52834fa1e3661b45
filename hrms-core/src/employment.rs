//! The effective-dated employment record: what was, is and will be true of an employee's job.
//!
//! A [`Timeline`] is a sequence of records with half-open periods that never overlap (P22). A day without a
//! record is a day without employment. A change ends the old record and starts a new one, a correction is
//! marked as such (P23), and nothing is read as of "today" inside: every look-up takes a date (P20).

mod facts;
mod repo;
mod reporting;
mod timeline;

pub(crate) use facts::coded;
pub use facts::{Change, EmploymentStatus, EmploymentType, EndReason, Facts};
pub use repo::EmploymentRepo;
pub use reporting::{Cycle, ReportingLine};
pub use timeline::{Record, Spell, Timeline, TimelineError};
