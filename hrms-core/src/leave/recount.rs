//! Counting requests anew when holidays, working patterns or workplaces change (P5).
//!
//! What a request comes to is a pure function of its days, the calendar and the other requests. When the calendar changes, a job
//! compares that with what is stored, batch by batch, and makes it equal: so it may run late, twice, on two nodes or be dropped
//! anywhere, and the answer is the same. What was posted is never changed: days that come to something else are reversed and posted
//! again.

use std::collections::HashMap;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::account::AccountKey;
use super::day_count::{CountedDay, total_minutes};
use super::ledger::Demand;
use super::request::{LeaveRequestView, RequestStatus};
use super::rules::{CountedLeave, HORIZON, RequestRules};
use super::rules_version::{LeaveRulesVersion, in_force};
use super::sandwich::{Absence, LONGEST_GAP, count_leave};
use super::service::emit_with;
use super::standing::{DaysOfMany, Standing};
use super::{LeaveError, LeaveService, days_text};
use crate::actor::Actor;
use crate::audit::Change;
use crate::employment::Timeline;
use crate::error::{CommonError, StoreError};
use crate::hrms::Work;
use crate::id::{EmployeeId, HolidayCalendarId, LeaveRequestId, LeaveTypeId, LocationId, UserId};
use crate::job::{EnqueueOptions, Job, JobContext, JobError, Outcome, Progress, Requester};
use crate::period::Period;
use crate::store::{Tx, Version};
use crate::validate::{FIRST_DATE, LAST_DATE};

/// Employees who are looked at with a few statements.
const BATCH: u16 = 500;

/// Why a request was counted anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum RecountCause {
    /// Holidays of the workplace's calendar were added, changed or removed.
    HolidayCalendar {
        /// The calendar.
        holiday_calendar_id: HolidayCalendarId,
        /// The revision, which says what was done by whom.
        revision: i64,
    },
    /// The workplace got another holiday calendar.
    LocationHolidayCalendar {
        /// The workplace.
        location_id: LocationId,
    },
    /// The workplace got another working pattern.
    LocationWorkPattern {
        /// The workplace.
        location_id: LocationId,
    },
    /// The employee got a working pattern of their own, or lost it.
    EmployeeWorkPattern,
    /// The employee chose a restricted holiday, or gave one back.
    HolidayChoice {
        /// The day.
        on_date: Date,
    },
    /// The employee's workplace changed, or the days on which they are employed.
    Employment,
    /// Another request beside it is gone, or is for other days.
    Neighbour {
        /// The other request.
        leave_request_id: LeaveRequestId,
    },
    /// Some of its days were given up.
    Shortened,
}

/// A day that came to something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RecountedDay {
    /// The day.
    pub date: Date,
    /// What it was; `null` when it wasn't part of the count.
    pub before: Option<CountedDay>,
    /// What it is; `null` when it isn't part of the count any more.
    pub after: Option<CountedDay>,
}

impl RecountedDay {
    fn minutes(day: Option<&CountedDay>) -> i64 {
        day.map_or(0, |day| day.minutes)
    }
}

/// That a request was counted anew: what it was, what it is, and why. Never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaveRecount {
    /// The version of the request that has the new count.
    pub version: Version,
    /// When it was counted.
    pub recounted_at: Timestamp,
    /// The user who caused it, if a user did so at once; `because` leads to who changed a calendar.
    pub recounted_by: Option<UserId>,
    /// Why.
    pub because: RecountCause,
    /// Minutes that it took.
    pub minutes_before: i64,
    /// Minutes that it takes.
    pub minutes_after: i64,
    /// The days that came to something else.
    pub changes: Vec<RecountedDay>,
}

/// Whose requests are counted anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// Those of everybody who works at one of these locations on some of the days.
    Locations(Vec<LocationId>),
    /// Those of these employees.
    Employees(Vec<EmployeeId>),
}

/// Counts requests anew that are about days whose calendar has changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecountLeave {
    /// Whose requests.
    pub whose: Whose,
    /// The first day that may be another one.
    pub from: Date,
    /// The last day that may be another one.
    pub last: Date,
    /// What changed.
    pub because: RecountCause,
}

/// What a run found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Recounted {
    /// Employees looked at.
    pub employees: usize,
    /// Requests that came to something else.
    pub requests: usize,
}

impl RecountLeave {
    /// The days of requests that can be concerned: a gap between days of leave may reach up to the day that changed.
    fn reach(&self) -> (Date, Date) {
        let reach = i64::try_from(LONGEST_GAP).unwrap_or_default() + 1;
        let from = self.from.saturating_sub(reach.days()).max(FIRST_DATE);
        (from, self.last.saturating_add(reach.days()).min(LAST_DATE))
    }
}

impl Work {
    /// Lets the requests be counted anew that are about days from `from` to `last`, once this change is committed.
    pub(crate) async fn recount_leave(&mut self, job: &RecountLeave) -> Result<(), StoreError> {
        let payload = serde_json::to_value(job).map_err(|error| StoreError::Backend(Box::new(error)))?;
        let requester = Requester::System { permissions: Vec::new() };
        let options =
            EnqueueOptions { max_attempts: Some(RecountLeave::MAX_ATTEMPTS), ..EnqueueOptions::default() };
        let (kind, version) = (RecountLeave::KIND, RecountLeave::VERSION);
        self.enqueue_as(requester, kind, version, payload, options).await?;
        Ok(())
    }

    /// The same for employees whose timelines were replaced, if days of work are others now.
    pub(crate) async fn recount_leave_of_moved<'a>(
        &mut self,
        moved: impl IntoIterator<Item = (EmployeeId, &'a Timeline, &'a Timeline)>,
    ) -> Result<(), StoreError> {
        let mut all: Option<RecountLeave> = None;
        for (employee, before, after) in moved {
            let Some(period) = moved_days(before, after) else { continue };
            let last = last_of(period);
            match &mut all {
                Some(RecountLeave { whose: Whose::Employees(ids), from, last: until, .. }) => {
                    ids.push(employee);
                    *from = period.from().min(*from);
                    *until = last.max(*until);
                }
                _ => {
                    all = Some(RecountLeave {
                        whose: Whose::Employees(vec![employee]),
                        from: period.from(),
                        last,
                        because: RecountCause::Employment,
                    });
                }
            }
        }
        match all {
            Some(job) => self.recount_leave(&job).await,
            None => Ok(()),
        }
    }
}

/// The last day of a period, or of all time.
pub(crate) fn last_of(period: Period) -> Date {
    period.to().and_then(|to| to.yesterday().ok()).unwrap_or(LAST_DATE)
}

/// The days around all those on which somebody is employed, or works, elsewhere than before.
fn moved_days(before: &Timeline, after: &Timeline) -> Option<Period> {
    let records = || before.history().iter().chain(after.history());
    let mut edges: Vec<Date> =
        records().flat_map(|record| [Some(record.period.from()), record.period.to()]).flatten().collect();
    edges.sort_unstable();
    edges.dedup();
    let place = |timeline: &Timeline, day| timeline.at(day).map(|record| record.facts.location_id);
    let differs = |day: &Date| place(before, *day) != place(after, *day);
    let first = edges.iter().position(differs)?;
    let last = edges.iter().rposition(differs)?;
    Period::new(*edges.get(first)?, edges.get(last + 1).copied())
}

impl Job for RecountLeave {
    const KIND: &'static str = "leave.recount";
    const MAX_ATTEMPTS: u16 = 25;
    const TIMEOUT: SignedDuration = SignedDuration::from_hours(1);

    async fn run(&self, cx: &JobContext) -> Result<Outcome, JobError> {
        let leave = cx.hrms().leave();
        let (mut sum, mut after) = (Recounted::default(), None);
        loop {
            // A defect in one account must not end the job for all others.
            let batch = leave.off_count(cx.actor(), self, after).await.map_err(JobError::retry)?;
            for employee in batch.off {
                let mut work = cx.hrms().begin(cx.actor()).await?;
                let done = u32::try_from(sum.employees).unwrap_or(u32::MAX);
                cx.progress_in(&mut work, &Progress { done, total: None, message: None }).await?;
                let requests = leave.recount_employee(&mut work, employee, self).await;
                sum.requests += requests.map_err(JobError::retry)?;
                work.commit(()).await?;
            }
            sum.employees += batch.seen;
            after = batch.last;
            if after.is_none() {
                return Outcome::done(sum);
            }
        }
    }
}

/// A batch of employees with requests about days that may have changed.
struct Batch {
    /// Those of them whose requests come to something else than what is stored.
    off: Vec<EmployeeId>,
    seen: usize,
    /// The last one, if there may be more.
    last: Option<EmployeeId>,
}

impl LeaveService<'_> {
    /// Looks at the next batch of employees, with a few statements for all of them. Nothing is written.
    async fn off_count(
        &self,
        actor: &Actor,
        job: &RecountLeave,
        after: Option<EmployeeId>,
    ) -> Result<Batch, LeaveError> {
        let (from, last) = job.reach();
        let mut tx = self.0.read(actor).await?;
        let employees = tx.leave_requests().on_leave(&job.whose, from, last, after, BATCH).await?;
        let next = employees.last().copied().filter(|_| employees.len() == usize::from(BATCH));
        let all = Counting::load(&mut *tx, &employees, from, last).await?;
        let off = employees.iter().copied().filter(|employee| all.off(*employee).next().is_some());
        Ok(Batch { off: off.collect(), seen: employees.len(), last: next })
    }

    /// Makes the requests of an employee what they come to now; how many were something else.
    pub(super) async fn recount_employee(
        &self,
        work: &mut Work,
        employee: EmployeeId,
        job: &RecountLeave,
    ) -> Result<usize, LeaveError> {
        // What one request comes to depends on the others.
        work.employees().get_for_change(employee).await?;
        let (actor, now) = (work.actor().clone(), work.now());
        let Some(standing) = Standing::load(self.0, &mut **work, &actor, employee, now).await? else {
            return Ok(0);
        };
        let (from, last) = job.reach();
        let all = Counting::load(&mut **work, &[employee], from, last).await?;
        let mut count = 0;
        for (view, days) in all.off(employee) {
            self.apply_count(&actor, work, &standing, view, days, &job.because).await?;
            count += 1;
        }
        Ok(count)
    }

    /// Writes another count of a request, the trail of it, and what an approved one takes differently.
    ///
    /// The employee's requests must be locked. Balances don't stand in its way: what no lot covers is taken in advance. A request may
    /// come to nothing: it stays as it is, so that it is there again when a holiday was a mistake.
    pub(super) async fn apply_count(
        &self,
        actor: &Actor,
        work: &mut Work,
        standing: &Standing,
        view: &LeaveRequestView,
        days: Vec<CountedDay>,
        because: &RecountCause,
    ) -> Result<(), LeaveError> {
        let before = &view.request;
        let key = AccountKey { employee_id: before.employee_id, leave_type_id: before.leave_type_id };
        work.leave_ledger().lock_account(key.employee_id, key.leave_type_id).await?;
        let no_type = CommonError::NotFound { what: "leave type" };
        let leave_type = work.leave_types().get(key.leave_type_id).await?.ok_or(no_type)?;
        let mut request = before.clone();
        request.minutes = total_minutes(&days);
        request.days = days_text(request.minutes, leave_type.minutes_per_day);
        request.updated_at = work.now();
        request.version = before.version.next();
        let trail = LeaveRecount {
            version: request.version,
            recounted_at: work.now(),
            recounted_by: actor.user_id(),
            because: because.clone(),
            minutes_before: before.minutes,
            minutes_after: request.minutes,
            changes: changes(&view.day_count, &days),
        };
        work.leave_requests().recount(&request, &days, before.version, &trail).await?;
        if before.status == RequestStatus::Approved {
            // Days may be closed (P17): what is posted now isn't seen as of them.
            let differ = |day: &&RecountedDay| {
                RecountedDay::minutes(day.before.as_ref()) != RecountedDay::minutes(day.after.as_ref())
            };
            let (mut freed, mut asked) = (Vec::new(), Vec::new());
            for day in trail.changes.iter().filter(differ) {
                freed.push(day.date);
                asked.push(Demand {
                    request_id: before.id,
                    day: day.date,
                    asked_on: before.submitted_on,
                    minutes: RecountedDay::minutes(day.after.as_ref()),
                });
            }
            asked.retain(|demand| demand.minutes > 0);
            let mut ledger =
                self.written(work, key.employee_id, &leave_type, standing.today, Vec::new()).await?;
            let undone = ledger.undo_days(before.id, &freed);
            let mut postings = self.stamp(actor, work, standing, &key, undone);
            ledger.postings.extend(postings.iter().cloned());
            // What is approved goes before what only waits.
            ledger.pending = asked;
            let booked = ledger.book(before.id);
            ledger.pending.clear();
            postings.extend(self.post(actor, work, standing, &key, &mut ledger, booked));
            work.leave_ledger().append(&postings).await?;
        }
        let change = Change::changed(before, &request);
        let version = ("version", request.version.as_i64().into());
        emit_with(work, "leave_request.recounted", &request, standing, change, &[version]);
        Ok(())
    }

    /// How often a request was counted anew, and why, oldest first.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn recounts(&self, actor: &Actor, id: LeaveRequestId) -> Result<Vec<LeaveRecount>, LeaveError> {
        self.get(actor, id).await?;
        let mut tx = self.0.read(actor).await?;
        Ok(tx.leave_requests().recounts(id).await?)
    }
}

/// What the requests of some employees come to, read with a few statements.
struct Counting {
    /// All that are around, by employee: they count as neighbours.
    near: HashMap<EmployeeId, Vec<LeaveRequestView>>,
    /// Those with a day within this.
    from: Date,
    last: Date,
    days: DaysOfMany,
    rules: HashMap<LeaveTypeId, Vec<LeaveRulesVersion>>,
    minutes_per_day: HashMap<LeaveTypeId, i64>,
}

impl Counting {
    async fn load(
        tx: &mut dyn Tx,
        employees: &[EmployeeId],
        from: Date,
        last: Date,
    ) -> Result<Self, StoreError> {
        let (wide_from, wide_last) =
            (from.saturating_sub(HORIZON.days()), last.saturating_add(HORIZON.days()));
        let mut near: HashMap<EmployeeId, Vec<LeaveRequestView>> = HashMap::new();
        for view in tx.leave_requests().live_between(employees, wide_from, wide_last).await? {
            near.entry(view.request.employee_id).or_default().push(view);
        }
        let days = |view: &LeaveRequestView| (view.request.starts_on, view.request.ends_on);
        let span = || near.values().flatten().map(days);
        let first = span().map(|(first, _)| first).min().unwrap_or(from).saturating_sub(HORIZON.days());
        let end = span().map(|(_, end)| end).max().unwrap_or(from).saturating_add(HORIZON.days());
        let timelines = tx.employment().timelines_of(employees).await?;
        let days = DaysOfMany::load(tx, timelines, first, end).await?;
        let types = tx.leave_types().all().await?;
        let mut rules = HashMap::new();
        for one in &types {
            rules.insert(one.id, tx.leave_types().rules(one.id).await?);
        }
        let minutes_per_day = types.into_iter().map(|one| (one.id, one.minutes_per_day)).collect();
        Ok(Self { near, from, last, days, rules, minutes_per_day })
    }

    /// The requests of an employee that come to something else than what is stored, and what.
    fn off(&self, employee: EmployeeId) -> impl Iterator<Item = (&LeaveRequestView, Vec<CountedDay>)> {
        let near = self.near.get(&employee).map_or(&[][..], Vec::as_slice);
        let absences: Vec<Absence> =
            near.iter().map(|view| CountedLeave::from(view.clone()).absence).collect();
        near.iter().filter_map(move |view| {
            let request = &view.request;
            if request.ends_on < self.from || request.starts_on > self.last {
                return None;
            }
            let minutes_per_day = *self.minutes_per_day.get(&request.leave_type_id)?;
            let own = absences.iter().find(|one| one.request_id == request.id)?;
            // As when it was made: what came later pays for itself.
            let others: Vec<Absence> =
                absences.iter().filter(|one| one.made() < own.made()).cloned().collect();
            let sandwich = self.rules_of(view).sandwich;
            let facts_of = |day| self.days.on(employee, day);
            let days = count_leave(own, sandwich, &others, minutes_per_day, facts_of);
            (days != view.day_count).then_some((view, days))
        })
    }

    /// The rules that were known when the request was made: it stays with them.
    fn rules_of(&self, view: &LeaveRequestView) -> RequestRules {
        let versions = self.rules.get(&view.request.leave_type_id);
        // Ids tell what came first within one instant.
        let made = (view.request.asked_at, view.request.id.as_uuid());
        let known = versions.into_iter().flatten().filter(|one| (one.recorded_at, one.id.as_uuid()) < made);
        in_force(known.cloned().collect(), view.request.starts_on)
    }
}

/// The days that two counts of a request see differently, by date.
fn changes(before: &[CountedDay], after: &[CountedDay]) -> Vec<RecountedDay> {
    let at = |days: &[CountedDay], date| days.iter().find(|day| day.date == date).cloned();
    let mut dates: Vec<Date> = before.iter().chain(after).map(|day| day.date).collect();
    dates.sort_unstable();
    dates.dedup();
    let both =
        dates.into_iter().map(|date| RecountedDay { date, before: at(before, date), after: at(after, date) });
    both.filter(|day| day.before != day.after).collect()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use uuid::Uuid;

    use super::*;
    use crate::employment::{Change, Facts};
    use crate::patch::Patch;

    fn place(n: u128) -> LocationId {
        LocationId::from_uuid(Uuid::from_u128(n))
    }

    #[test]
    fn only_days_at_another_place_or_without_work_have_moved() {
        let facts = |n| Facts { location_id: Some(place(n)), ..Facts::default() };
        let before = Timeline::hired(date(2020, 1, 1), facts(1));
        assert_eq!(moved_days(&before, &before), None);
        let mut after = before.clone();
        let move_to = Change { location_id: Patch::Set(place(2)), ..Change::default() };
        let summer = Period::new(date(2026, 6, 1), Some(date(2026, 9, 1))).unwrap();
        after.assign(summer, &move_to);
        assert_eq!(moved_days(&before, &after), Some(summer));
        let mut ended = before.clone();
        ended.end(date(2026, 5, 31), None).unwrap();
        assert_eq!(moved_days(&before, &ended), Some(Period::since(date(2026, 6, 1))));
        // Another manager is nothing to leave.
        let mut managed = before.clone();
        let manager = Patch::Set(EmployeeId::from_uuid(Uuid::from_u128(9)));
        managed.change_from(date(2026, 6, 1), &Change { manager_id: manager, ..Change::default() }).unwrap();
        assert_eq!(moved_days(&before, &managed), None);
    }
}
