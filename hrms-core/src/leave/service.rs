//! Asking for leave and deciding on it.

use std::collections::HashMap;

use jiff::civil::Date;
use serde::Serialize;

use super::account::{AccountKey, demands, read_ledger};
use super::day_count::{CountedDay, InclusiveDays, total_minutes};
use super::ledger::{Ledger, Uncovered};
use super::repo::{LeaveRequestFilter, LeaveRequestSort};
use super::request::{DecisionNote, LeaveRequest, LeaveRequestView, RequestStatus, SubmitLeave};
use super::standing::{Standing, resources};
use super::{BalanceMinutes, LeaveError, LeaveService, LeaveType, days_text};
use crate::actor::Actor;
use crate::audit::Change;
use crate::error::{CommonError, DomainError, StoreError};
use crate::event::{NewEvent, subject};
use crate::hrms::Work;
use crate::id::{EmployeeId, LeaveRequestId};
use crate::page::{Filling, Page, PageRequest, Position};
use crate::policy::{Decision, Details, LeaveDetails, Permission, Resource, Verdict};
use crate::store::{Tx, Version};

const NOT_FOUND: CommonError = CommonError::NotFound { what: "leave request" };
const HIDDEN: CommonError = CommonError::Hidden { what: "leave request" };

/// What a request would take, before anybody asks for it. Nothing is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeavePreview {
    /// Working time that it takes, in minutes.
    pub minutes: i64,
    /// The same in days, as a decimal number.
    pub days: String,
    /// Each day, what it counts for, and why.
    pub day_count: Vec<CountedDay>,
    /// Days available on the last day without this request.
    pub available_before: String,
    /// Days available on the last day with this request.
    pub available_after: String,
    /// Why it would be refused; `null` when it would be taken.
    pub refusal: Option<LeaveRefusal>,
}

/// Why a request would be refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaveRefusal {
    /// A stable machine-readable name such as `leave.insufficient-balance`.
    pub code: String,
    /// One sentence for a person.
    pub detail: String,
}

/// Which requests a caller wants to see.
#[derive(Clone, Debug, Default)]
pub struct LeaveRequestQuery {
    /// Only this employee's.
    pub employee_id: Option<EmployeeId>,
    /// Only those that stand like this.
    pub status: Option<RequestStatus>,
    /// Only of this kind of leave.
    pub leave_type_id: Option<crate::id::LeaveTypeId>,
    /// Only those with a day at or after this one.
    pub from: Option<Date>,
    /// Only those with a day at or before this one.
    pub to: Option<Date>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<jiff::Timestamp>,
    /// Only those that wait for a decision which the actor may make.
    pub decidable_by_me: bool,
}

/// A request that was counted but not stored.
struct Plan {
    employee_id: EmployeeId,
    standing: Standing,
    leave_type: LeaveType,
    period: InclusiveDays,
    days: Vec<CountedDay>,
}

impl Plan {
    /// Why it would be refused whatever the balance says.
    fn refusal(&self) -> Option<LeaveError> {
        if let Some(on) = self.standing.first_day_outside(self.period) {
            return Some(LeaveError::NotEmployed { on });
        }
        (total_minutes(&self.days) == 0).then_some(LeaveError::NoWorkingDay)
    }

    fn key(&self) -> AccountKey {
        AccountKey { employee_id: self.employee_id, leave_type_id: self.leave_type.id }
    }

    /// The request that is going to be stored.
    fn into_view(
        self,
        id: LeaveRequestId,
        actor: &Actor,
        note: Option<String>,
        now: jiff::Timestamp,
    ) -> (LeaveRequestView, Standing, LeaveType) {
        let minutes = total_minutes(&self.days);
        let request = LeaveRequest {
            id,
            employee_id: self.employee_id,
            leave_type_id: self.leave_type.id,
            starts_on: self.period.starts_on,
            ends_on: self.period.ends_on,
            start_part: self.period.start_part,
            end_part: self.period.end_part,
            minutes,
            days: days_text(minutes, self.leave_type.minutes_per_day),
            status: RequestStatus::Pending,
            note,
            submitted_by: actor.user_id(),
            submitted_on: self.standing.today,
            decided_by: None,
            decided_at: None,
            decision_note: None,
            created_at: now,
            updated_at: now,
            version: Version::FIRST,
        };
        (LeaveRequestView { request, day_count: self.days }, self.standing, self.leave_type)
    }
}

impl LeaveService<'_> {
    /// Asks for leave. What is pending already counts against what this request may use.
    ///
    /// # Errors
    /// [`LeaveError::InsufficientBalance`], [`LeaveError::Overlaps`], [`LeaveError::NoWorkingDay`],
    /// [`LeaveError::NotEmployed`], [`LeaveError::TooLong`]; faulty fields.
    pub async fn submit(&self, actor: &Actor, ask: SubmitLeave) -> Result<LeaveRequestView, LeaveError> {
        let period = ask.period()?;
        let mut work = self.0.begin(actor).await?;
        let now = work.now();
        let plan = self.plan(&mut *work, actor, &ask, period, now).await?;
        if let Some(refusal) = plan.refusal() {
            return Err(refusal);
        }
        let key = plan.key();
        let id = LeaveRequestId::from_uuid(self.0.ids().next());
        let (view, standing, leave_type) = plan.into_view(id, actor, ask.note, now);
        work.leave_ledger().lock_account(key.employee_id, key.leave_type_id).await?;
        work.leave_requests().insert(&view.request, &view.day_count).await?;
        let ledger = read_ledger(&mut *work, key.employee_id, key.leave_type_id).await?;
        check_covered(&ledger, &view.request, &leave_type, |uncovered| uncovered.all)?;
        let change = Change::created(&view.request);
        emit(&mut work, "leave_request.submitted", &view.request, &standing, change);
        Ok(work.commit(view).await?)
    }

    /// What asking for leave would come to. Nothing is stored.
    ///
    /// # Errors
    /// Faulty fields; [`LeaveError::TooLong`]. Other refusals are part of the answer.
    pub async fn preview(&self, actor: &Actor, ask: SubmitLeave) -> Result<LeavePreview, LeaveError> {
        let period = ask.period()?;
        let now = self.0.clock().now();
        let mut tx = self.0.read(actor).await?;
        let plan = self.plan(&mut *tx, actor, &ask, period, now).await?;
        let mut refusal = plan.refusal();
        let key = plan.key();
        let slots: Vec<(Date, i64)> = slots(&plan.days).collect();
        if refusal.is_none() && tx.leave_requests().is_occupied(key.employee_id, &slots).await? {
            refusal = Some(LeaveError::Overlaps);
        }
        let mut ledger = read_ledger(&mut *tx, key.employee_id, key.leave_type_id).await?;
        let before = BalanceMinutes::of(&ledger, period.ends_on).available;
        let id = LeaveRequestId::from_uuid(self.0.ids().next());
        let (view, _, leave_type) = plan.into_view(id, actor, None, now);
        ledger.pending.extend(demands(&view));
        let after = BalanceMinutes::of(&ledger, period.ends_on).available;
        let uncovered = check_covered(&ledger, &view.request, &leave_type, |uncovered| uncovered.all);
        let refusal = refusal.or(uncovered.err());
        Ok(LeavePreview {
            minutes: view.request.minutes,
            days: view.request.days,
            day_count: view.day_count,
            available_before: days_text(before, leave_type.minutes_per_day),
            available_after: days_text(after, leave_type.minutes_per_day),
            refusal: refusal.map(|why| LeaveRefusal { code: why.code().to_owned(), detail: why.to_string() }),
        })
    }

    /// One request with the count of its days.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(&self, actor: &Actor, id: LeaveRequestId) -> Result<LeaveRequestView, LeaveError> {
        self.0.visibility(actor, Permission::LeaveRead)?;
        let mut tx = self.0.read(actor).await?;
        let view = tx.leave_requests().get(id).await?.ok_or(NOT_FOUND)?;
        let standing =
            Standing::load(self.0, &mut *tx, actor, view.request.employee_id, self.0.clock().now()).await?;
        let standing = standing.ok_or(NOT_FOUND)?;
        let resource = standing.resource(view.request.starts_on).with_details(view.request.details());
        if !self.may_see(actor, &resource) {
            return Err(HIDDEN.into());
        }
        Ok(view)
    }

    /// A page of the requests that the actor may see.
    ///
    /// # Errors
    /// When none may be seen at all.
    pub async fn list(
        &self,
        actor: &Actor,
        query: &LeaveRequestQuery,
        page: &PageRequest<LeaveRequestSort>,
    ) -> Result<Page<LeaveRequest>, LeaveError> {
        let permission = if query.decidable_by_me { Permission::LeaveDecide } else { Permission::LeaveRead };
        let mut filter = LeaveRequestFilter {
            visible: self.0.visibility(actor, permission)?,
            not_of: None,
            // One date for rows of all zones; the single row is judged by its own zone.
            today: self.0.clock().today(&jiff::tz::TimeZone::UTC),
            employee_id: query.employee_id,
            status: query.status,
            leave_type_id: query.leave_type_id,
            from: query.from,
            to: query.to,
            updated_after: query.updated_after,
        };
        if query.decidable_by_me {
            if query.status.is_some_and(|status| status != RequestStatus::Pending) {
                let detail = "only pending requests can be decided";
                return Err(CommonError::invalid("/status", "contradicts", detail).into());
            }
            filter.status = Some(RequestStatus::Pending);
            filter.not_of = actor.employee();
        }
        let mut tx = self.0.read(actor).await?;
        let policy = self.0.policy();
        let sifts = policy.narrows(actor, permission) || policy.narrows(actor, Permission::LeaveRead);
        let mut filling = Filling::new(page, sifts);
        loop {
            let rows = tx.leave_requests().list(&filter, filling.request()).await?;
            let resources = match sifts {
                true => resources(self.0, &mut *tx, actor, &rows, filter.today).await?,
                false => HashMap::new(),
            };
            let may = |row: &LeaveRequest| {
                resources.get(&row.id).is_some_and(|resource| {
                    policy.decide(actor, permission, resource) == Decision::Allow
                        && self.may_see(actor, resource)
                })
            };
            let position = |row: &LeaveRequest| Position {
                key: match page.sort {
                    LeaveRequestSort::StartsOn => row.starts_on.to_string(),
                    LeaveRequestSort::CreatedAt => row.created_at.to_string(),
                },
                id: row.id.as_uuid(),
            };
            if let Some(page) = filling.take(rows, may, position) {
                return Ok(page);
            }
        }
    }

    /// Approves a pending request: the leave is taken from the ledger.
    ///
    /// For the manager by the record in force today at the employee's workplace (or, for somebody who
    /// hasn't joined or has left, by the one nearest to the first day of leave), and for those who may
    /// decide in the whole organisation. Never for the employee, by whatever right (P16).
    ///
    /// # Errors
    /// [`LeaveError::NotPending`], [`LeaveError::SelfApproval`], [`LeaveError::InsufficientBalance`];
    /// [`LeaveError::NotEmployed`] when the employment doesn't cover every day of it any more.
    pub async fn approve(
        &self,
        actor: &Actor,
        id: LeaveRequestId,
        decision: DecisionNote,
    ) -> Result<LeaveRequestView, LeaveError> {
        self.decide(actor, id, RequestStatus::Approved, decision).await
    }

    /// Rejects a pending request. See [`LeaveService::approve`] for who may.
    ///
    /// # Errors
    /// [`LeaveError::NotPending`], [`LeaveError::SelfApproval`].
    pub async fn reject(
        &self,
        actor: &Actor,
        id: LeaveRequestId,
        decision: DecisionNote,
    ) -> Result<LeaveRequestView, LeaveError> {
        self.decide(actor, id, RequestStatus::Rejected, decision).await
    }

    async fn decide(
        &self,
        actor: &Actor,
        id: LeaveRequestId,
        status: RequestStatus,
        decision: DecisionNote,
    ) -> Result<LeaveRequestView, LeaveError> {
        decision.check()?;
        let mut work = self.0.begin(actor).await?;
        let (mut view, standing, resource) = self.request_for_change(&mut work, actor, id).await?;
        if actor.counts_as(view.request.employee_id) {
            return Err(LeaveError::SelfApproval);
        }
        self.0.require(actor, Permission::LeaveDecide, &resource)?;
        if view.request.status != RequestStatus::Pending {
            return Err(LeaveError::NotPending);
        }
        let key =
            AccountKey { employee_id: view.request.employee_id, leave_type_id: view.request.leave_type_id };
        work.leave_ledger().lock_account(key.employee_id, key.leave_type_id).await?;
        let before = view.request.clone();
        let expected = settle(&mut view.request, actor, &mut work, status, decision);
        match work.leave_requests().decide(&view.request, expected).await {
            // Somebody else was faster.
            Err(StoreError::Stale) => return Err(LeaveError::NotPending),
            other => other?,
        }
        if status == RequestStatus::Approved {
            // The employment may have ended since the request was made.
            if let Some(on) = standing.first_day_outside(view.request.period()) {
                return Err(LeaveError::NotEmployed { on });
            }
            let no_type = CommonError::unknown_reference("/leave_type_id");
            let leave_type = work.leave_types().get(key.leave_type_id).await?.ok_or(no_type)?;
            let mut ledger = read_ledger(&mut *work, key.employee_id, key.leave_type_id).await?;
            // Not among the pending ones any more, as it was decided above.
            ledger.pending.extend(demands(&view));
            check_covered(&ledger, &view.request, &leave_type, |uncovered| match uncovered.request {
                0 => 0,
                own => own + uncovered.advanced,
            })?;
            let booked = ledger.book(id);
            let postings = self.post(actor, &mut work, &standing, &key, &mut ledger, booked);
            work.leave_ledger().append(&postings).await?;
        }
        let kind = match status {
            RequestStatus::Approved => "leave_request.approved",
            _ => "leave_request.rejected",
        };
        let change = Change::changed(&before, &view.request);
        emit(&mut work, kind, &view.request, &standing, change);
        Ok(work.commit(view).await?)
    }

    /// Takes a request back: a pending one is withdrawn, an approved one cancelled, and what it took is
    /// given back by reversal postings to the lots that it came from (P14).
    ///
    /// Open to the employee until the leave begins, and to those who may decide on it also later.
    ///
    /// # Errors
    /// [`LeaveError::NotCancellable`].
    pub async fn cancel(
        &self,
        actor: &Actor,
        id: LeaveRequestId,
        decision: DecisionNote,
    ) -> Result<LeaveRequestView, LeaveError> {
        decision.check()?;
        let mut work = self.0.begin(actor).await?;
        let (mut view, standing, resource) = self.request_for_change(&mut work, actor, id).await?;
        let own = actor.counts_as(view.request.employee_id);
        let policy = self.0.policy();
        let decides = !own && policy.decide(actor, Permission::LeaveDecide, &resource) == Decision::Allow;
        if !decides {
            self.0.require(actor, Permission::LeaveSubmit, &resource)?;
        }
        let begun = view.request.starts_on <= standing.today;
        let status = match view.request.status {
            RequestStatus::Pending => RequestStatus::Withdrawn,
            RequestStatus::Approved if decides || !begun => RequestStatus::Cancelled,
            _ => return Err(LeaveError::NotCancellable),
        };
        let key =
            AccountKey { employee_id: view.request.employee_id, leave_type_id: view.request.leave_type_id };
        work.leave_ledger().lock_account(key.employee_id, key.leave_type_id).await?;
        let before = view.request.clone();
        let expected = settle(&mut view.request, actor, &mut work, status, decision);
        match work.leave_requests().decide(&view.request, expected).await {
            Err(StoreError::Stale) => return Err(LeaveError::NotCancellable),
            other => other?,
        }
        if status == RequestStatus::Cancelled {
            let mut ledger = read_ledger(&mut *work, key.employee_id, key.leave_type_id).await?;
            let undone = ledger.undo(id);
            let postings = self.post(actor, &mut work, &standing, &key, &mut ledger, undone);
            work.leave_ledger().append(&postings).await?;
        }
        let change = Change::changed(&before, &view.request);
        emit(&mut work, "leave_request.cancelled", &view.request, &standing, change);
        Ok(work.commit(view).await?)
    }

    /// Whether the actor may see an employee's leave: whoever may read it or decide on it, unless a policy
    /// of the organisation forbids to read it.
    pub(super) fn may_see(&self, actor: &Actor, resource: &Resource) -> bool {
        let read = Permission::LeaveRead;
        if actor.rules().is_some_and(|rules| rules.judge(actor, read, resource) == Verdict::Forbid) {
            return false;
        }
        let policy = self.0.policy();
        let allows = |permission| policy.decide(actor, permission, resource) == Decision::Allow;
        allows(Permission::LeaveRead) || allows(Permission::LeaveDecide)
    }

    /// A request that the actor may see, with what decisions about it rest on.
    async fn request_for_change(
        &self,
        work: &mut Work,
        actor: &Actor,
        id: LeaveRequestId,
    ) -> Result<(LeaveRequestView, Standing, Resource), LeaveError> {
        let view = work.leave_requests().get(id).await?.ok_or(NOT_FOUND)?;
        let now = work.now();
        let standing = Standing::load(self.0, &mut **work, actor, view.request.employee_id, now).await?;
        let standing = standing.ok_or(NOT_FOUND)?;
        let resource = standing.resource(view.request.starts_on).with_details(view.request.details());
        if !self.may_see(actor, &resource) {
            return Err(HIDDEN.into());
        }
        Ok((view, standing, resource))
    }

    /// Counts the days of a request that the actor may make.
    async fn plan(
        &self,
        tx: &mut dyn Tx,
        actor: &Actor,
        ask: &SubmitLeave,
        period: InclusiveDays,
        now: jiff::Timestamp,
    ) -> Result<Plan, LeaveError> {
        self.0.visibility(actor, Permission::LeaveSubmit)?;
        let missing = || CommonError::invalid("/employee_id", "required", "say whose leave it is");
        let employee_id = ask.employee_id.or(actor.employee()).ok_or_else(missing)?;
        // The same answer whether the employee isn't there or isn't the actor's to act for.
        let unknown = || CommonError::unknown_reference("/employee_id");
        let standing = Standing::load(self.0, tx, actor, employee_id, now).await?.ok_or_else(unknown)?;
        let mut resource = standing.resource(period.starts_on);
        let leave_type = tx.leave_types().get(ask.leave_type_id).await?;
        let mut days = Vec::new();
        if let Some(leave_type) = &leave_type {
            days = standing.count(tx, period, leave_type.minutes_per_day).await?;
            resource.details = details(ask, &days, leave_type);
        }
        // Before anything is said about the leave type: whose leave it is may be nobody's business.
        if self.0.policy().decide(actor, Permission::LeaveSubmit, &resource) == Decision::Deny {
            return Err(unknown().into());
        }
        let leave_type = leave_type.ok_or_else(|| CommonError::unknown_reference("/leave_type_id"))?;
        Ok(Plan { employee_id, standing, leave_type, period, days })
    }
}

/// The half days that a request occupies: days off inside it too, as nobody is on leave twice.
pub fn slots(days: &[CountedDay]) -> impl Iterator<Item = (Date, i64)> + '_ {
    days.iter().flat_map(|day| day.part.halves().iter().map(move |half| (day.date, *half)))
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

/// Writes a decision into a request; the version that it had.
fn settle(
    request: &mut LeaveRequest,
    actor: &Actor,
    work: &mut Work,
    status: RequestStatus,
    decision: DecisionNote,
) -> Version {
    let expected = request.version;
    request.status = status;
    request.decided_by = actor.user_id();
    request.decided_at = Some(work.now());
    if let Some(note) = &decision.note {
        work.because(note);
    }
    request.decision_note = decision.note;
    request.updated_at = work.now();
    request.version = expected.next();
    expected
}

/// Refuses when more is uncovered than may be taken in advance.
fn check_covered(
    ledger: &Ledger,
    request: &LeaveRequest,
    leave_type: &LeaveType,
    measure: impl Fn(Uncovered) -> i64,
) -> Result<(), LeaveError> {
    let excess = measure(ledger.uncovered(request.id)) - leave_type.allow_negative_minutes;
    if excess <= 0 {
        return Ok(());
    }
    Err(LeaveError::InsufficientBalance {
        asked: request.minutes,
        left: (request.minutes - excess).max(0),
        minutes_per_day: leave_type.minutes_per_day,
    })
}

fn emit(work: &mut Work, kind: &'static str, request: &LeaveRequest, standing: &Standing, change: Change) {
    work.emit(NewEvent {
        kind,
        subject: subject("leave-requests", request.id.as_uuid()),
        data: serde_json::json!({
            "leave_request_id": request.id,
            "employee_id": request.employee_id,
            "leave_type_id": request.leave_type_id,
            "status": request.status,
        }),
        change,
        permission: Permission::LeaveRead,
        resource: standing.resource(request.starts_on).with_details(request.details()),
    });
}
