//! Editing what is asked for, and giving up a part of it.

use jiff::civil::Date;
use serde::Deserialize;

use super::account::AccountKey;
use super::ask::Purpose;
use super::day_count::{DayPart, InclusiveDays};
use super::decide::subject_of;
use super::hours::DayHours;
use super::recount::{RecountCause, RecountLeave, Whose};
use super::request::{LeaveRequest, LeaveRequestView, RequestStatus, SubmitLeave};
use super::rules::notice;
use super::rules_version::rules_on;
use super::service::{check_covered, emit};
use super::standing::Standing;
use super::{LeaveError, LeaveService};
use crate::actor::Actor;
use crate::approval::{Engine, has_say};
use crate::audit::Change;
use crate::error::CommonError;
use crate::hrms::Work;
use crate::id::{LeaveRequestId, LeaveTypeId};
use crate::patch::Patch;
use crate::policy::{Decision, Permission, Resource};
use crate::store::Version;

/// What can be changed of a pending request.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct LeaveRequestPatch {
    /// Another kind of leave.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<LeaveTypeId>))]
    pub leave_type_id: Patch<LeaveTypeId>,
    /// Another first day.
    #[serde(deserialize_with = "crate::date::strict")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Date>))]
    pub starts_on: Patch<Date>,
    /// Another last day.
    #[serde(deserialize_with = "crate::date::strict")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Date>))]
    pub ends_on: Patch<Date>,
    /// Another part of the first day.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<DayPart>))]
    pub start_part: Patch<DayPart>,
    /// Another part of the last day; of a leave of one day, `start_part` says it all.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<DayPart>))]
    pub end_part: Patch<DayPart>,
    /// Other hours, or `null` for whole or half days.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<DayHours>))]
    pub hours: Patch<DayHours>,
    /// Another note, or `null` for none.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub note: Patch<String>,
}

impl LeaveRequestPatch {
    /// What is asked for with it.
    fn applied_to(self, request: &LeaveRequest) -> Result<SubmitLeave, CommonError> {
        let mut ask = SubmitLeave {
            employee_id: Some(request.employee_id),
            leave_type_id: request.leave_type_id,
            starts_on: request.starts_on,
            ends_on: request.ends_on,
            start_part: request.start_part,
            end_part: None,
            hours: request.hours,
            note: request.note.clone(),
        };
        self.leave_type_id.required("/leave_type_id", &mut ask.leave_type_id)?;
        self.starts_on.required("/starts_on", &mut ask.starts_on)?;
        self.ends_on.required("/ends_on", &mut ask.ends_on)?;
        // The part of an only day is that of the day, not of its end.
        let whole_days = request.starts_on != request.ends_on && ask.starts_on != ask.ends_on;
        ask.end_part = Some(request.end_part).filter(|_| whole_days);
        self.start_part.required("/start_part", &mut ask.start_part)?;
        self.end_part.apply(&mut ask.end_part);
        self.hours.apply(&mut ask.hours);
        self.note.apply(&mut ask.note);
        Ok(ask)
    }
}

/// What remains of approved leave.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ShortenLeave {
    /// The first day that remains.
    #[serde(deserialize_with = "crate::date::strict")]
    pub starts_on: Date,
    /// The last day that remains.
    #[serde(deserialize_with = "crate::date::strict")]
    pub ends_on: Date,
    /// Which part of the first day remains.
    #[serde(default)]
    pub start_part: DayPart,
    /// Which part of the last day remains; of an only day, `start_part` says it all.
    #[serde(default)]
    pub end_part: Option<DayPart>,
    /// Why, at most 1000 characters.
    #[serde(default)]
    pub note: Option<String>,
}

impl ShortenLeave {
    /// The days that remain, and the first one of which something is given up.
    fn rest_of(&self, request: &LeaveRequest) -> Result<(InclusiveDays, Date), LeaveError> {
        let rest = SubmitLeave {
            employee_id: None,
            leave_type_id: request.leave_type_id,
            starts_on: self.starts_on,
            ends_on: self.ends_on,
            start_part: self.start_part,
            end_part: self.end_part,
            hours: None,
            note: self.note.clone(),
        };
        let rest = rest.period()?;
        let halves = |period: InclusiveDays| -> Vec<(Date, DayPart)> {
            let both = [DayPart::FirstHalf, DayPart::SecondHalf];
            let halves = |(day, part)| {
                both.into_iter()
                    .filter(move |half| part == DayPart::Full || part == *half)
                    .map(move |half| (day, half))
            };
            period.days().flat_map(halves).collect()
        };
        let (before, after) = (halves(request.period()), halves(rest));
        if request.hours.is_some() || after.iter().any(|half| !before.contains(half)) {
            return Err(LeaveError::NotWithin);
        }
        let given_up = before.iter().find(|half| !after.contains(half));
        given_up.map(|(day, _)| (rest, *day)).ok_or(LeaveError::NotWithin)
    }
}

impl LeaveService<'_> {
    /// Changes a pending request that is still at version `expected`. It is counted and judged anew as if it were asked for
    /// now, and whoever agreed to it already is asked again.
    ///
    /// # Errors
    /// [`LeaveError::NotPending`]; [`CommonError::Stale`]; all that [`LeaveService::submit`] refuses.
    pub async fn change(
        &self,
        actor: &Actor,
        id: LeaveRequestId,
        expected: Version,
        patch: LeaveRequestPatch,
    ) -> Result<LeaveRequestView, LeaveError> {
        let mut work = self.0.begin(actor).await?;
        work.work_patterns().hold_working_days().await?;
        let (before, _, resource) = self.request_for_change(&mut work, actor, id).await?;
        self.0.require(actor, Permission::LeaveSubmit, &resource)?;
        if before.request.version != expected {
            return Err(CommonError::Stale.into());
        }
        if before.request.status != RequestStatus::Pending {
            return Err(LeaveError::NotPending);
        }
        let ask = patch.applied_to(&before.request)?;
        let now = work.now();
        let asked = self.weigh(&mut *work, actor, &ask, now, Purpose::Change(id)).await?;
        if let Some(refusal) = asked.refusal() {
            return Err(refusal);
        }
        let too_much = asked.too_much();
        let (mut view, standing, leave_type) = asked.into_view(actor, ask.note, now);
        if is_same(&view.request, &before.request) {
            return Ok(work.commit(before).await?);
        }
        view.request.submitted_by = before.request.submitted_by;
        view.request.created_at = before.request.created_at;
        view.request.version = expected.next();
        self.replace(&mut work, &before.request, &view).await?;
        if let Some(refusal) = too_much {
            return Err(refusal);
        }
        self.require_coverage(&mut *work, &standing, &view, false).await?;
        Engine(&mut work).restart(actor, &subject_of(&view.request, &standing)).await?;
        let employee = view.request.employee_id;
        let ledger = self.shown(&mut *work, employee, &leave_type, standing.today, Vec::new()).await?;
        check_covered(&ledger, &view.request, &leave_type, |uncovered| uncovered.all)?;
        let change = Change::changed(&before.request, &view.request);
        emit(&mut work, "leave_request.changed", &view.request, &standing, change);
        let because = RecountCause::Neighbour { leave_request_id: id };
        self.recount_around(&mut work, &before.request, because).await?;
        Ok(work.commit(view).await?)
    }

    /// Gives up days at the beginning or the end of approved leave: what they took is given back by reversal postings (P5, P14), and
    /// leave beside it is counted anew (P9).
    ///
    /// For those who may cancel it on the first day that is given up; see [`LeaveService::cancel`].
    ///
    /// # Errors
    /// [`LeaveError::NotWithin`] when something else would remain than a part of it; [`LeaveError::NoWorkingDay`] when no working day
    /// would; [`LeaveError::NotCancellable`].
    pub async fn shorten(
        &self,
        actor: &Actor,
        id: LeaveRequestId,
        rest: ShortenLeave,
    ) -> Result<LeaveRequestView, LeaveError> {
        let mut work = self.0.begin(actor).await?;
        work.work_patterns().hold_working_days().await?;
        let (before, standing, resource) = self.request_for_change(&mut work, actor, id).await?;
        let in_time = self.may_give_up(&mut work, actor, &before.request, &standing, &resource).await?;
        if before.request.status != RequestStatus::Approved {
            return Err(LeaveError::NotCancellable);
        }
        if before.request.minutes == 0 {
            return Err(LeaveError::NoWorkingDay);
        }
        let (period, given_up) = rest.rest_of(&before.request)?;
        if !in_time(given_up) {
            return Err(LeaveError::NotCancellable);
        }
        let (employee, leave_type) = (before.request.employee_id, before.request.leave_type_id);
        let no_type = CommonError::NotFound { what: "leave type" };
        let leave_type = work.leave_types().get(leave_type).await?.ok_or(no_type)?;
        let ledger = self.shown(&mut *work, employee, &leave_type, standing.today, Vec::new()).await?;
        // Days that took nothing can be given up whenever they were.
        let took = before.day_count.iter().find(|day| given_up <= day.date && day.minutes > 0);
        Self::check_open(&ledger, took.map_or(given_up, |day| day.date))?;
        if let Some(note) = &rest.note {
            work.because(note);
        }
        let mut view = before.clone();
        let request = &mut view.request;
        (request.starts_on, request.ends_on) = (period.starts_on, period.ends_on);
        (request.start_part, request.end_part) = (period.start_part, period.end_part);
        request.updated_at = work.now();
        request.version = before.request.version.next();
        self.replace(&mut work, &before.request, &view).await?;
        self.recount_around(&mut work, &before.request, RecountCause::Shortened).await?;
        let no_request = CommonError::NotFound { what: "leave request" };
        let view = work.leave_requests().get(id).await?.ok_or(no_request)?;
        if view.request.minutes == 0 {
            return Err(LeaveError::NoWorkingDay);
        }
        let change = Change::changed(&before.request, &view.request);
        emit(&mut work, "leave_request.shortened", &view.request, &standing, change);
        Ok(work.commit(view).await?)
    }

    /// Writes another period, kind or count of a request.
    async fn replace(
        &self,
        work: &mut Work,
        before: &LeaveRequest,
        view: &LeaveRequestView,
    ) -> Result<(), LeaveError> {
        let key = |request: &LeaveRequest| AccountKey {
            employee_id: request.employee_id,
            leave_type_id: request.leave_type_id,
        };
        let mut accounts = [before, &view.request].map(|request| {
            let key = key(request);
            (key.employee_id, key.leave_type_id)
        });
        accounts.sort_unstable();
        work.leave_ledger().lock_accounts(&accounts).await?;
        Ok(work.leave_requests().change(&view.request, &view.day_count, before.version).await?)
    }

    /// Counts anew what lies around a request that was for these days.
    async fn recount_around(
        &self,
        work: &mut Work,
        before: &LeaveRequest,
        because: RecountCause,
    ) -> Result<(), LeaveError> {
        let employee = before.employee_id;
        let around = RecountLeave {
            whose: Whose::Employees(vec![employee]),
            from: before.starts_on,
            last: before.ends_on,
            because,
        };
        self.recount_employee(work, employee, &around).await?;
        Ok(())
    }

    /// Whether the actor may give up days of a request, from a first one on: the employee as the rules of the leave type say, and those who
    /// may decide on it always.
    ///
    /// # Errors
    /// For whoever may neither decide on it nor ask for it.
    pub(super) async fn may_give_up(
        &self,
        work: &mut Work,
        actor: &Actor,
        request: &LeaveRequest,
        standing: &Standing,
        resource: &Resource,
    ) -> Result<impl Fn(Date) -> bool + use<>, LeaveError> {
        let decides = !actor.counts_as(request.employee_id)
            && self.0.policy().decide(actor, Permission::LeaveDecide, resource) == Decision::Allow
            && has_say(self.0, &mut **work, actor, &subject_of(request, standing)).await?;
        if !decides {
            self.0.require(actor, Permission::LeaveSubmit, resource)?;
        }
        let least = rules_on(&mut **work, request.leave_type_id, request.starts_on).await?.cancel_notice_days;
        let today = standing.today;
        Ok(move |first: Date| decides || notice(today, first) >= least)
    }
}

/// Whether two requests ask for the same.
fn is_same(one: &LeaveRequest, other: &LeaveRequest) -> bool {
    one.leave_type_id == other.leave_type_id
        && one.period() == other.period()
        && one.hours == other.hours
        && one.note == other.note
}
