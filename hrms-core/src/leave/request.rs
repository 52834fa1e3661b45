//! Requests for leave: what is asked, how it stands, what is shown.

use jiff::civil::Date;
use jiff::{Timestamp, Unit};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use super::coded;
use super::day_count::{CountedDay, DayPart, InclusiveDays};
use super::error::LeaveError;
use super::hours::{DayHours, OccupiedTime};
use crate::audit::Audited;
use crate::error::CommonError;
use crate::id::{EmployeeId, LeaveRequestId, LeaveTypeId, UserId};
use crate::policy::{Details, LeaveDetails};
use crate::store::{Version, Versioned};
use crate::validate::Check;

/// Most days of one request, first and last included.
pub const MAX_DAYS: i64 = 366;

coded! {
    /// How a request stands.
    RequestStatus {
        /// Waits for a decision; counts against what further requests may use.
        Pending = "pending",
        /// Approved; the leave is taken from the ledger.
        Approved = "approved",
        /// Rejected.
        Rejected = "rejected",
        /// Approved once, then cancelled; the ledger has the reversal.
        Cancelled = "cancelled",
        /// Taken back before it was decided.
        Withdrawn = "withdrawn",
    }
}

impl RequestStatus {
    /// Whether the request keeps its days from other requests.
    #[must_use]
    pub const fn occupies_days(self) -> bool {
        matches!(self, Self::Pending | Self::Approved)
    }
}

/// A request for leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaveRequest {
    /// Its id.
    pub id: LeaveRequestId,
    /// Whose leave.
    pub employee_id: EmployeeId,
    /// What kind of leave.
    pub leave_type_id: LeaveTypeId,
    /// The first day.
    pub starts_on: Date,
    /// The last day: it belongs to the leave.
    pub ends_on: Date,
    /// Which part of the first day.
    pub start_part: DayPart,
    /// Which part of the last day.
    pub end_part: DayPart,
    /// The hours of its only day that were asked for; `null` when it is for whole or half days.
    pub hours: Option<DayHours>,
    /// Working time that it takes, in minutes: exact.
    pub minutes: i64,
    /// The same in days, as a decimal number.
    pub days: String,
    /// How it stands.
    pub status: RequestStatus,
    /// What the employee said about it.
    pub note: Option<String>,
    /// The user who asked, if a user did.
    pub submitted_by: Option<UserId>,
    /// The day on which it was asked for as it is, in the employee's work zone.
    pub submitted_on: Date,
    /// The user who decided or cancelled, if a user did.
    pub decided_by: Option<UserId>,
    /// When it was decided or cancelled.
    pub decided_at: Option<Timestamp>,
    /// What was said about the decision.
    pub decision_note: Option<String>,
    /// When it was asked for as it is: when it was made, or last edited.
    pub asked_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl LeaveRequest {
    /// The days that it covers.
    #[must_use]
    pub fn period(&self) -> InclusiveDays {
        InclusiveDays {
            starts_on: self.starts_on,
            ends_on: self.ends_on,
            start_part: self.start_part,
            end_part: self.end_part,
        }
    }

    /// The time that it keeps from other requests: days off inside it too, as nobody is on leave twice.
    #[must_use]
    pub fn occupied(&self) -> Vec<OccupiedTime> {
        OccupiedTime::of(self.period(), self.hours)
    }
}

impl LeaveRequest {
    /// What decisions may look at.
    pub(crate) fn details(&self) -> Details {
        let whole = self.days.parse::<Decimal>().ok().and_then(|days| days.ceil().to_i64());
        Details::LeaveRequest(LeaveDetails {
            id: Some(self.id),
            leave_type_id: self.leave_type_id,
            minutes: self.minutes,
            days: whole.unwrap_or(i64::MAX),
            starts_on: self.starts_on,
            ends_on: self.ends_on,
            status: self.status,
        })
    }
}

impl Audited for LeaveRequest {
    // What people write about leave can be about their health.
    const MASKED: &'static [&'static str] = &["note", "decision_note"];
}

impl Versioned for LeaveRequest {
    fn version(&self) -> Version {
        self.version
    }
}

/// A request with the count of its days as it was made when it was submitted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaveRequestView {
    /// The request.
    #[serde(flatten)]
    pub request: LeaveRequest,
    /// Each day, what it counts for, and why.
    pub day_count: Vec<CountedDay>,
}

impl Versioned for LeaveRequestView {
    fn version(&self) -> Version {
        self.request.version
    }
}

/// What asking for leave needs.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SubmitLeave {
    /// Whose leave; without it one's own.
    #[serde(default)]
    pub employee_id: Option<EmployeeId>,
    /// What kind of leave.
    pub leave_type_id: LeaveTypeId,
    /// The first day.
    #[serde(deserialize_with = "crate::date::strict")]
    pub starts_on: Date,
    /// The last day: it belongs to the leave.
    #[serde(deserialize_with = "crate::date::strict")]
    pub ends_on: Date,
    /// Which part of the first day. `second_half` begins a longer leave at midday.
    #[serde(default)]
    pub start_part: DayPart,
    /// Which part of the last day. `first_half` ends a longer leave at midday; for a leave of one day
    /// `start_part` says it all.
    #[serde(default)]
    pub end_part: Option<DayPart>,
    /// Some hours of one day, instead of all or half of it.
    #[serde(default)]
    pub hours: Option<DayHours>,
    /// Anything to say about it, at most 1000 characters.
    #[serde(default)]
    pub note: Option<String>,
}

impl SubmitLeave {
    /// The days meant, if they make sense.
    pub(crate) fn period(&self) -> Result<InclusiveDays, LeaveError> {
        let mut check = Check::new();
        check.date("/starts_on", self.starts_on);
        check.date("/ends_on", self.ends_on);
        if self.ends_on < self.starts_on {
            check.fault("/ends_on", "before-start", "the last day is before the first");
        }
        if let Some(note) = &self.note {
            check.text("/note", note, 1..=1000);
        }
        let end_part = self.end_part.unwrap_or_default();
        if let Some(hours) = self.hours {
            hours.check(&mut check);
            let whole = self.start_part == DayPart::Full && end_part == DayPart::Full;
            if self.starts_on != self.ends_on || !whole {
                check.fault("/hours", "contradicts", "hours are of one day, without a part of it");
            }
        }
        if self.starts_on == self.ends_on {
            if self.end_part.is_some() && end_part != self.start_part {
                check.fault(
                    "/end_part",
                    "contradicts",
                    "a leave of one day has one part: say it in start_part",
                );
            }
        } else {
            if self.start_part == DayPart::FirstHalf {
                check.fault(
                    "/start_part",
                    "leaves-a-gap",
                    "a longer leave begins in the morning or at midday",
                );
            }
            if end_part == DayPart::SecondHalf {
                check.fault("/end_part", "leaves-a-gap", "a longer leave ends at midday or in the evening");
            }
        }
        check.done()?;
        if days_between(self.starts_on, self.ends_on) >= MAX_DAYS {
            return Err(LeaveError::TooLong { most: MAX_DAYS });
        }
        let end_part = if self.starts_on == self.ends_on { self.start_part } else { end_part };
        let (starts_on, ends_on) = (self.starts_on, self.ends_on);
        Ok(InclusiveDays { starts_on, ends_on, start_part: self.start_part, end_part })
    }
}

fn days_between(first: Date, last: Date) -> i64 {
    // Dates are at most a few centuries apart here, so this can't fail.
    first.until((Unit::Day, last)).map_or(i64::MAX, |span| i64::from(span.get_days()))
}

/// A decision: nothing but a note, never another amount (P18).
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct DecisionNote {
    /// The level of the approval chain that is meant, from 0. Needed by whoever has decided on an earlier one, so that
    /// a decision sent twice isn't one on the next level, too.
    pub level: Option<i32>,
    /// Whether it is made in place of those whom an approval chain asks, by somebody who decides in the whole
    /// organisation.
    pub in_place: bool,
    /// The request's `version` that is meant: when it has changed since, nothing is decided.
    pub version: Option<Version>,
    /// Anything to say about it, at most 1000 characters.
    pub note: Option<String>,
}

impl DecisionNote {
    pub(crate) fn check(&self) -> Result<(), CommonError> {
        let mut check = Check::new();
        if let Some(note) = &self.note {
            check.text("/note", note, 1..=1000);
        }
        check.done()
    }
}
