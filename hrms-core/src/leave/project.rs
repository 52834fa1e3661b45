//! Projections: what will be there on a day, if.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::account::{as_of_or, check_ahead, demands_of, read_ledger};
use super::ask::{count, refusal};
use super::day_count::{CountedDay, DayPart, total_minutes};
use super::hours::{DayHours, OccupiedTime};
use super::ledger::{Demand, Ledger};
use super::planned::{Planning, asking, shown_at, shown_ids};
use super::request::SubmitLeave;
use super::rules::CountedLeave;
use super::sandwich::Absence;
use super::usable::FreeDays;
use super::{BalanceMinutes, LeaveBalance, LeaveError, LeaveRefusal, LeaveService, days_text};
use crate::actor::Actor;
use crate::error::{CommonError, FieldError};
use crate::id::{EmployeeId, LeaveRequestId, LeaveTypeId};
use crate::policy::Permission;

/// Most leave that is supposed at once.
const MAX_SUPPOSED: usize = 50;

/// What is asked of a projection.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ProjectLeave {
    /// The day; without it today at the employee's workplace.
    #[serde(default, deserialize_with = "crate::date::strict")]
    pub as_of: Option<Date>,
    /// Leave that is supposed to be taken besides, in the order of asking: at most 50.
    #[serde(default)]
    pub requests: Vec<SupposedLeave>,
}

/// Leave that nobody has asked for.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SupposedLeave {
    /// The first day.
    #[serde(deserialize_with = "crate::date::strict")]
    pub starts_on: Date,
    /// The last day: it belongs to the leave.
    #[serde(deserialize_with = "crate::date::strict")]
    pub ends_on: Date,
    /// Which part of the first day.
    #[serde(default)]
    pub start_part: DayPart,
    /// Which part of the last day.
    #[serde(default)]
    pub end_part: Option<DayPart>,
    /// Some hours of one day, instead of all or half of it.
    #[serde(default)]
    pub hours: Option<DayHours>,
}

/// What would be there on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaveProjection {
    /// The balance of that day, with supposed leave as if it was asked for: it is part of `pending`.
    #[serde(flatten)]
    pub balance: LeaveBalance,
    /// Days available on that day without it.
    pub available_without: String,
    /// What becomes of each.
    pub requests: Vec<ProjectedRequest>,
}

/// What would become of leave that is supposed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProjectedRequest {
    /// Working time that it takes, in minutes.
    pub minutes: i64,
    /// The same in days, as a decimal number.
    pub days: String,
    /// Each day, what it counts for, and why.
    pub day_count: Vec<CountedDay>,
    /// Whether there is enough for it on its days, beside what is supposed before it: lots, or what may be taken in advance.
    pub covered: bool,
    /// Minutes of it that would be taken in advance of any lot.
    pub in_advance_minutes: i64,
    /// Why it would be refused; `null` when it would be taken.
    pub refusal: Option<LeaveRefusal>,
    /// Every rule of the leave type that it breaks.
    pub violations: Vec<LeaveRefusal>,
}

impl SupposedLeave {
    fn ask(&self, employee: EmployeeId, leave_type: LeaveTypeId) -> SubmitLeave {
        SubmitLeave {
            employee_id: Some(employee),
            leave_type_id: leave_type,
            starts_on: self.starts_on,
            ends_on: self.ends_on,
            start_part: self.start_part,
            end_part: self.end_part,
            hours: self.hours,
            note: None,
        }
    }
}

impl LeaveService<'_> {
    /// The balance of a day if some leave was taken besides, counted and covered as if it was asked for today. Nothing is stored.
    ///
    /// # Errors
    /// [`LeaveError::TooFarAhead`], [`LeaveError::TooLong`]; faulty fields; when the employee or leave type isn't there or the leave
    /// may not be seen. Other refusals are part of the answer.
    pub async fn project(
        &self,
        actor: &Actor,
        employee: EmployeeId,
        leave_type: LeaveTypeId,
        ask: ProjectLeave,
    ) -> Result<LeaveProjection, LeaveError> {
        self.0.visibility(actor, Permission::LeaveRead)?;
        let mut tx = self.0.read(actor).await?;
        let standing = self.visible(&mut *tx, actor, employee, "employee").await?;
        let no_type = CommonError::NotFound { what: "leave type" };
        let leave_type = tx.leave_types().get(leave_type).await?.ok_or(no_type)?;
        let as_of = as_of_or(standing.today, ask.as_of)?;
        if ask.requests.len() > MAX_SUPPOSED {
            let detail = format!("this may have at most {MAX_SUPPOSED} entries");
            return Err(CommonError::invalid("/requests", "too-many", detail).into());
        }
        let stored = read_ledger(&mut *tx, employee, leave_type.id).await?;
        let planning = Planning::load(&mut *tx, &[employee]).await?;
        let replayed = |more: &[Demand], until: Date| {
            let mut ids = shown_ids(employee, leave_type.id);
            let (stored, now) = (asking(stored.clone(), more.iter().copied()), shown_at(standing.today));
            planning.replayed(employee, &leave_type, stored, until, now, &mut ids).ledger
        };
        let (mut supposed, mut demands) = (Vec::<CountedLeave>::new(), Vec::new());
        let (mut occupied, mut requests) = (Vec::<OccupiedTime>::new(), Vec::new());
        for (index, one) in ask.requests.iter().enumerate() {
            let asked = one.ask(employee, leave_type.id);
            let period = asked.period().map_err(|error| within(index, error))?;
            check_ahead(standing.today, period.ends_on)?;
            let absence = Absence {
                request_id: LeaveRequestId::from_uuid(self.0.ids().next()),
                asked_at: Timestamp::MAX,
                leave_type_id: leave_type.id,
                days: period,
                hours: one.hours,
            };
            let wanted = OccupiedTime::of(period, one.hours);
            let (days, broken, full) =
                count(&mut *tx, &standing, &leave_type, absence.clone(), &supposed).await?;
            let (id, minutes) = (absence.request_id, total_minutes(&days));
            let overlaps = occupied.iter().any(|one| wanted.iter().any(|two| one.overlaps(*two)))
                || tx.leave_requests().is_occupied(employee, &wanted).await?;
            demands.extend(demands_of(id, standing.today, &days));
            let ledger = replayed(&demands, standing.today.max(period.ends_on));
            let uncovered = ledger.uncovered(id);
            let excess = uncovered.all - leave_type.allow_negative_minutes;
            let too_little = (excess > 0).then(|| LeaveError::InsufficientBalance {
                asked: minutes,
                left: (minutes - excess).max(0),
                minutes_per_day: leave_type.minutes_per_day,
            });
            let refused = refusal(&standing, period, minutes, full.is_some(), &broken)
                .or(overlaps.then_some(LeaveError::Overlaps))
                .or(full.map(|(on, left)| LeaveError::DayFull { on, left }))
                .or(too_little);
            requests.push(ProjectedRequest {
                minutes,
                days: days_text(minutes, leave_type.minutes_per_day),
                day_count: days.clone(),
                covered: excess <= 0,
                in_advance_minutes: uncovered.request,
                refusal: refused.as_ref().map(LeaveRefusal::of),
                violations: broken.iter().map(LeaveRefusal::of).collect(),
            });
            occupied.extend(wanted);
            // It is there before what is supposed after it.
            let absence = Absence { asked_at: shown_at(standing.today), ..absence };
            supposed.push(CountedLeave { absence, days, not_beside: Vec::new() });
        }
        let until = standing.today.max(as_of);
        let ledger: Ledger = replayed(&demands, until);
        let free = FreeDays::load(&mut *tx, &standing, as_of, std::slice::from_ref(&ledger)).await?;
        let free = free.without(&leave_type, supposed.iter().flat_map(|one| &one.days));
        let fits = |day: Date| free.fits(day, &leave_type);
        let without = BalanceMinutes::of(&replayed(&[], until), as_of).available;
        Ok(LeaveProjection {
            balance: LeaveBalance::of(&ledger, employee, &leave_type, as_of, &fits),
            available_without: days_text(without, leave_type.minutes_per_day),
            requests,
        })
    }
}

/// An error about one of the requests: its fields are below that one.
fn within(index: usize, error: LeaveError) -> LeaveError {
    match error {
        LeaveError::Common(CommonError::Invalid(faults)) => {
            let below = |fault: FieldError| {
                FieldError::new(format!("/requests/{index}{}", fault.pointer), fault.code, fault.detail)
            };
            CommonError::Invalid(faults.into_iter().map(below).collect()).into()
        }
        other => other,
    }
}
