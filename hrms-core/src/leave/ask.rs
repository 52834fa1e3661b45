//! What a request would come to: its days counted, and the rules that it breaks.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};

use super::account::{AccountKey, check_ahead};
use super::day_count::{CountedDay, InclusiveDays, total_minutes};
use super::hours::{DayHours, first_full_day};
use super::planned::leave_years;
use super::request::{LeaveRequest, LeaveRequestView, RequestStatus, SubmitLeave};
use super::rules::{Case, CountedLeave, HORIZON, LimitPeriod, Violation};
use super::rules_version::{in_force, rules_on};
use super::sandwich::{Absence, count_leave};
use super::standing::Standing;
use super::{LeaveError, LeaveService, LeaveType, days_text};
use crate::actor::Actor;
use crate::error::CommonError;
use crate::id::{EmployeeId, LeaveRequestId};
use crate::policy::{Decision, Details, LeaveDetails, Permission};
use crate::store::{Tx, Version};

/// What a request is counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To see what it would come to.
    Look,
    /// To make it.
    Submit,
    /// To make another one of this request.
    Change(LeaveRequestId),
}

/// A request that was counted but not stored.
pub(super) struct Asked {
    pub(super) id: LeaveRequestId,
    pub(super) employee_id: EmployeeId,
    pub(super) standing: Standing,
    pub(super) leave_type: LeaveType,
    pub(super) period: InclusiveDays,
    hours: Option<DayHours>,
    pub(super) days: Vec<CountedDay>,
    /// The rules of the leave type that it breaks.
    pub(super) violations: Vec<Violation>,
    /// The first day on which it doesn't fit beside other leave, and the minutes of work that are left then.
    full: Option<(Date, i64)>,
}

impl Asked {
    /// Why it would be refused whatever the balance says.
    pub(super) fn refusal(&self) -> Option<LeaveError> {
        let is_full = self.full.is_some();
        refusal(&self.standing, self.period, total_minutes(&self.days), is_full, &self.violations)
    }

    /// Why it would be refused even though it overlaps with nothing.
    pub(super) fn too_much(&self) -> Option<LeaveError> {
        self.full.map(|(on, left)| LeaveError::DayFull { on, left })
    }

    pub(super) fn key(&self) -> AccountKey {
        AccountKey { employee_id: self.employee_id, leave_type_id: self.leave_type.id }
    }

    /// The request that is going to be stored.
    pub(super) fn into_view(
        self,
        actor: &Actor,
        note: Option<String>,
        now: Timestamp,
    ) -> (LeaveRequestView, Standing, LeaveType) {
        let minutes = total_minutes(&self.days);
        let request = LeaveRequest {
            id: self.id,
            employee_id: self.employee_id,
            leave_type_id: self.leave_type.id,
            starts_on: self.period.starts_on,
            ends_on: self.period.ends_on,
            start_part: self.period.start_part,
            end_part: self.period.end_part,
            hours: self.hours,
            minutes,
            days: days_text(minutes, self.leave_type.minutes_per_day),
            status: RequestStatus::Pending,
            note,
            submitted_by: actor.user_id(),
            submitted_on: self.standing.today,
            decided_by: None,
            decided_at: None,
            decision_note: None,
            asked_at: now,
            created_at: now,
            updated_at: now,
            version: Version::FIRST,
        };
        (LeaveRequestView { request, day_count: self.days }, self.standing, self.leave_type)
    }
}

/// Why a request would be refused whatever the balance says.
pub(super) fn refusal(
    standing: &Standing,
    period: InclusiveDays,
    minutes: i64,
    is_full: bool,
    violations: &[Violation],
) -> Option<LeaveError> {
    if let Some(on) = standing.first_day_outside(period) {
        return Some(LeaveError::NotEmployed { on });
    }
    if minutes == 0 && !is_full {
        return Some(LeaveError::NoWorkingDay);
    }
    violations.first().cloned().map(LeaveError::AgainstRules)
}

impl LeaveService<'_> {
    /// Counts the days of a request that the actor may make, and says which rules it breaks.
    ///
    /// Unless it is only for a look, no other request of the employee changes until the unit of work ends: the count
    /// depends on them.
    pub(super) async fn weigh(
        &self,
        tx: &mut dyn Tx,
        actor: &Actor,
        ask: &SubmitLeave,
        now: Timestamp,
        purpose: Purpose,
    ) -> Result<Asked, LeaveError> {
        let period = ask.period()?;
        self.0.visibility(actor, Permission::LeaveSubmit)?;
        let missing = || CommonError::invalid("/employee_id", "required", "say whose leave it is");
        let employee_id = ask.employee_id.or(actor.employee()).ok_or_else(missing)?;
        // The same answer whether the employee isn't there or isn't the actor's to act for.
        let unknown = || CommonError::unknown_reference("/employee_id");
        if purpose != Purpose::Look {
            // Nobody changes what days of work are, or other requests of the employee, until this one is there.
            tx.work_patterns().hold_working_days().await?;
            tx.employees().get_for_change(employee_id).await?;
        }
        let standing = Standing::load(self.0, tx, actor, employee_id, now).await?.ok_or_else(unknown)?;
        let mut resource = standing.resource(period.starts_on);
        let leave_type = tx.leave_types().get(ask.leave_type_id).await?;
        let id = match purpose {
            Purpose::Change(id) => id,
            Purpose::Look | Purpose::Submit => LeaveRequestId::from_uuid(self.0.ids().next()),
        };
        let (mut days, mut violations, mut full) = (Vec::new(), Vec::new(), None);
        if let Some(leave_type) = &leave_type {
            let absence = Absence {
                request_id: id,
                // Whatever clocks say: what is there already was made before.
                asked_at: Timestamp::MAX,
                leave_type_id: leave_type.id,
                days: period,
                hours: ask.hours,
            };
            (days, violations, full) = count(tx, &standing, leave_type, absence, &[]).await?;
            resource.details = details(ask, &days, leave_type);
        }
        // Before anything is said about the leave type: whose leave it is may be nobody's business.
        if self.0.policy().decide(actor, Permission::LeaveSubmit, &resource) == Decision::Deny {
            return Err(unknown().into());
        }
        check_ahead(standing.today, period.ends_on)?;
        let leave_type = leave_type.ok_or_else(|| CommonError::unknown_reference("/leave_type_id"))?;
        Ok(Asked { id, employee_id, standing, leave_type, period, hours: ask.hours, days, violations, full })
    }
}

/// Counts the days of a request beside what else the employee has asked for, or is supposed to have, under the rules in force
/// on its first day.
pub(super) async fn count(
    tx: &mut dyn Tx,
    standing: &Standing,
    leave_type: &LeaveType,
    absence: Absence,
    supposed: &[CountedLeave],
) -> Result<(Vec<CountedDay>, Vec<Violation>, Option<(Date, i64)>), LeaveError> {
    let (starts_on, ends_on) = (absence.days.starts_on, absence.days.ends_on);
    let (from, last) = (starts_on.saturating_sub(HORIZON.days()), ends_on.saturating_add(HORIZON.days()));
    let work = standing.work_days(tx, from, last).await?;
    let rules = rules_on(tx, leave_type.id, starts_on).await?;
    let near = tx.leave_requests().live_between(&[standing.employee()], from, last).await?;
    // A request that is edited isn't beside itself.
    let others = near.into_iter().filter(|view| view.request.id != absence.request_id);
    let mut others: Vec<CountedLeave> = others.map(Into::into).collect();
    let mut versions = HashMap::new();
    for other in &mut others {
        let (of, on) = (other.absence.leave_type_id, other.absence.days.starts_on);
        if let Entry::Vacant(unknown) = versions.entry(of) {
            unknown.insert(tx.leave_types().rules(of).await?);
        }
        other.not_beside =
            versions.get(&of).map(|all| in_force(all.clone(), on).not_beside).unwrap_or_default();
    }
    others.extend(supposed.iter().cloned());
    let leave_years = match rules.max_per_period.iter().any(|limit| limit.per == LimitPeriod::LeaveYear) {
        true => leave_years(tx, standing.employee(), leave_type.id, starts_on, (from, last)).await?,
        false => Vec::new(),
    };
    let absences: Vec<Absence> = others.iter().map(|one| one.absence.clone()).collect();
    let facts_of = |day: Date| work.on(day);
    let days = count_leave(&absence, rules.sandwich, &absences, leave_type.minutes_per_day, facts_of);
    let full = first_full_day(&absence, &absences, facts_of);
    let ask = CountedLeave { absence, days, not_beside: rules.not_beside.clone() };
    let case = Case {
        employee_id: standing.employee(),
        ask: &ask,
        others: &others,
        minutes_per_day: leave_type.minutes_per_day,
        asked_on: standing.today,
        joined_on: standing.joined_on(starts_on),
        leave_years: &leave_years,
    };
    let violations = rules.violations(&case, facts_of);
    Ok((ask.days, violations, full))
}

impl From<LeaveRequestView> for CountedLeave {
    fn from(view: LeaveRequestView) -> Self {
        let request = &view.request;
        let absence = Absence {
            request_id: request.id,
            asked_at: request.asked_at,
            leave_type_id: request.leave_type_id,
            days: request.period(),
            hours: request.hours,
        };
        Self { absence, days: view.day_count, not_beside: Vec::new() }
    }
}

/// What decisions may look at of a request that is being made.
fn details(ask: &SubmitLeave, days: &[CountedDay], leave_type: &LeaveType) -> Details {
    let minutes = total_minutes(days);
    let per_day = leave_type.minutes_per_day.max(1);
    Details::LeaveRequest(LeaveDetails {
        id: None,
        leave_type_id: leave_type.id,
        minutes,
        days: minutes / per_day + i64::from(minutes % per_day > 0),
        starts_on: ask.starts_on,
        ends_on: ask.ends_on,
        status: RequestStatus::Pending,
    })
}
