//! Asking for leave and deciding on it.

use std::collections::HashMap;

use jiff::civil::Date;
use serde::Serialize;

use super::account::{AccountKey, demands};
use super::ask::Purpose;
use super::coverage::{CoverageDay, too_low};
use super::day_count::CountedDay;
use super::decide::subject_of;
use super::ledger::{Ledger, Uncovered};
use super::repo::{LeaveRequestFilter, LeaveRequestSort};
use super::request::{DecisionNote, LeaveRequest, LeaveRequestView, RequestStatus, SubmitLeave};
use super::standing::{Standing, resources};
use super::{BalanceMinutes, LeaveError, LeaveService, LeaveType, days_text};
use crate::actor::Actor;
use crate::approval::{Engine, is_asked};
use crate::audit::Change;
use crate::error::{CommonError, DomainError, StoreError};
use crate::event::{NewEvent, subject};
use crate::hrms::Work;
use crate::id::{EmployeeId, LeaveRequestId};
use crate::page::{Filling, Page, PageRequest, Position};
use crate::policy::{Decision, Permission, Resource, Verdict};
use crate::store::Version;
use crate::validate::Check;

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
    /// Every rule of the leave type that it breaks.
    pub violations: Vec<LeaveRefusal>,
    /// How many people would be there on its days, for each minimum of the employee's departments.
    pub coverage: Vec<CoverageDay>,
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

impl LeaveRefusal {
    pub(crate) fn of(why: &impl DomainError) -> Self {
        Self { code: why.code().to_owned(), detail: why.to_string() }
    }
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

impl LeaveService<'_> {
    /// Asks for leave. What is pending already counts against what this request may use.
    ///
    /// # Errors
    /// [`LeaveError::InsufficientBalance`], [`LeaveError::Overlaps`], [`LeaveError::DayFull`], [`LeaveError::NoWorkingDay`],
    /// [`LeaveError::NotEmployed`], [`LeaveError::TooLong`], [`LeaveError::TooFarAhead`], [`LeaveError::AgainstRules`];
    /// faulty fields.
    pub async fn submit(&self, actor: &Actor, ask: SubmitLeave) -> Result<LeaveRequestView, LeaveError> {
        let mut work = self.0.begin(actor).await?;
        let now = work.now();
        let asked = self.weigh(&mut *work, actor, &ask, now, Purpose::Submit).await?;
        if let Some(refusal) = asked.refusal() {
            return Err(refusal);
        }
        let (key, too_much) = (asked.key(), asked.too_much());
        let (view, standing, leave_type) = asked.into_view(actor, ask.note, now);
        work.leave_ledger().lock_account(key.employee_id, key.leave_type_id).await?;
        if let Some(refusal) = too_much {
            let occupied =
                work.leave_requests().is_occupied(key.employee_id, &view.request.occupied()).await?;
            return Err(if occupied { LeaveError::Overlaps } else { refusal });
        }
        self.require_coverage(&mut *work, &standing, &view, false).await?;
        work.leave_requests().insert(&view.request, &view.day_count).await?;
        Engine(&mut work).start(&subject_of(&view.request, &standing)).await?;
        let ledger = self.shown(&mut *work, key.employee_id, &leave_type, standing.today, Vec::new()).await?;
        check_covered(&ledger, &view.request, &leave_type, |uncovered| uncovered.all)?;
        let change = Change::created(&view.request);
        emit(&mut work, "leave_request.submitted", &view.request, &standing, change);
        Ok(work.commit(view).await?)
    }

    /// What asking for leave would come to. Nothing is stored.
    ///
    /// # Errors
    /// Faulty fields; [`LeaveError::TooLong`], [`LeaveError::TooFarAhead`]. Other refusals are part of the answer.
    pub async fn preview(&self, actor: &Actor, ask: SubmitLeave) -> Result<LeavePreview, LeaveError> {
        let now = self.0.clock().now();
        let mut tx = self.0.read(actor).await?;
        let asked = self.weigh(&mut *tx, actor, &ask, now, Purpose::Look).await?;
        let mut refusal = asked.refusal();
        let violations = asked.violations.iter().map(LeaveRefusal::of).collect();
        let (key, period, too_much) = (asked.key(), asked.period, asked.too_much());
        let (view, standing, leave_type) = asked.into_view(actor, None, now);
        let wanted = view.request.occupied();
        if refusal.is_none() && tx.leave_requests().is_occupied(key.employee_id, &wanted).await? {
            refusal = Some(LeaveError::Overlaps);
        }
        let refusal = refusal.or(too_much);
        let coverage = self.coverage_with(&mut *tx, &standing, &view.day_count).await?;
        let refusal = refusal.or(too_low(&coverage));
        let today = standing.today.max(period.ends_on);
        let ledger = self.shown(&mut *tx, key.employee_id, &leave_type, today, Vec::new()).await?;
        let before = BalanceMinutes::of(&ledger, period.ends_on).available;
        let ledger = self.shown(&mut *tx, key.employee_id, &leave_type, today, demands(&view)).await?;
        let after = BalanceMinutes::of(&ledger, period.ends_on).available;
        let uncovered = check_covered(&ledger, &view.request, &leave_type, |uncovered| uncovered.all);
        let refusal = refusal.or(uncovered.err());
        Ok(LeavePreview {
            minutes: view.request.minutes,
            days: view.request.days,
            day_count: view.day_count,
            available_before: days_text(before, leave_type.minutes_per_day),
            available_after: days_text(after, leave_type.minutes_per_day),
            refusal: refusal.as_ref().map(LeaveRefusal::of),
            violations,
            coverage,
        })
    }

    /// One request with the count of its days.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(&self, actor: &Actor, id: LeaveRequestId) -> Result<LeaveRequestView, LeaveError> {
        let visible = self.0.visibility(actor, Permission::LeaveRead);
        let mut tx = self.0.read(actor).await?;
        let view = tx.leave_requests().get(id).await?.ok_or(NOT_FOUND)?;
        let standing =
            Standing::load(self.0, &mut *tx, actor, view.request.employee_id, self.0.clock().now()).await?;
        let standing = standing.ok_or(NOT_FOUND)?;
        let resource = standing.resource(view.request.starts_on).with_details(view.request.details());
        let sees = visible.is_ok() && self.may_see(actor, &resource);
        if !sees && !is_asked(&mut *tx, actor, &subject_of(&view.request, &standing)).await? {
            visible?;
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

    /// Takes a request back: a pending one is withdrawn, an approved one cancelled, and what it took is
    /// given back by reversal postings to the lots that it came from (P14). Requests that paid for days off because of
    /// it are counted anew (P9).
    ///
    /// Open to the employee until the leave begins (or as the rules of the leave type say), and to those who may decide on it also
    /// later.
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
        let in_time = self.may_give_up(&mut work, actor, &view.request, &standing, &resource).await?;
        let status = match view.request.status {
            RequestStatus::Pending => RequestStatus::Withdrawn,
            RequestStatus::Approved if in_time(view.request.starts_on) => RequestStatus::Cancelled,
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
        if status == RequestStatus::Withdrawn {
            Engine(&mut work).withdraw(actor, &subject_of(&before, &standing)).await?;
        }
        if status == RequestStatus::Cancelled {
            let no_type = CommonError::unknown_reference("/leave_type_id");
            let leave_type = work.leave_types().get(key.leave_type_id).await?.ok_or(no_type)?;
            let mut ledger =
                self.written(&mut work, key.employee_id, &leave_type, standing.today, Vec::new()).await?;
            Self::check_open(&ledger, view.request.starts_on)?;
            let undone = ledger.undo(id);
            let postings = self.post(actor, &mut work, &standing, &key, &mut ledger, undone);
            work.leave_ledger().append(&postings).await?;
        }
        let change = Change::changed(&before, &view.request);
        emit(&mut work, "leave_request.cancelled", &view.request, &standing, change);
        self.release_neighbours(actor, &mut work, &standing, &view.request).await?;
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
    pub(super) async fn request_for_change(
        &self,
        work: &mut Work,
        actor: &Actor,
        id: LeaveRequestId,
    ) -> Result<(LeaveRequestView, Standing, Resource), LeaveError> {
        let view = work.leave_requests().get(id).await?.ok_or(NOT_FOUND)?;
        // As it is when nobody else can change it any more: what others of the employee's requests take depends on it.
        work.employees().get_for_change(view.request.employee_id).await?;
        let view = work.leave_requests().get(id).await?.ok_or(NOT_FOUND)?;
        let now = work.now();
        let standing = Standing::load(self.0, &mut **work, actor, view.request.employee_id, now).await?;
        let standing = standing.ok_or(NOT_FOUND)?;
        let resource = standing.resource(view.request.starts_on).with_details(view.request.details());
        if !self.may_see(actor, &resource) {
            let about = subject_of(&view.request, &standing);
            // Who is asked is told by today's record, whoever was asked before.
            if view.request.status == RequestStatus::Pending {
                Engine(work).case(&about).await?;
            }
            if !is_asked(&mut **work, actor, &about).await? {
                return Err(HIDDEN.into());
            }
        }
        Ok((view, standing, resource))
    }
}

/// Checks what somebody wants to say about it.
pub(super) fn check_note(check: &mut Check, note: Option<&str>) {
    if let Some(note) = note {
        check.text("/note", note, 1..=1000);
    }
}

/// Writes a decision into a request; the version that it had.
pub(super) fn settle(
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

/// Refuses when more is uncovered than may be taken in advance, or it is about days before the opening balance.
pub(super) fn check_covered(
    ledger: &Ledger,
    request: &LeaveRequest,
    leave_type: &LeaveType,
    measure: impl Fn(Uncovered) -> i64,
) -> Result<(), LeaveError> {
    LeaveService::check_open(ledger, request.starts_on)?;
    if let Some(opens_on) = ledger.opens_on.filter(|opens_on| request.starts_on < *opens_on) {
        return Err(LeaveError::BeforeOpening { opens_on });
    }
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

pub(super) fn emit(
    work: &mut Work,
    kind: &'static str,
    request: &LeaveRequest,
    standing: &Standing,
    change: Change,
) {
    emit_with(work, kind, request, standing, change, &[]);
}

/// The same with more in its data.
pub(super) fn emit_with(
    work: &mut Work,
    kind: &'static str,
    request: &LeaveRequest,
    standing: &Standing,
    change: Change,
    more: &[(&str, serde_json::Value)],
) {
    let mut data = serde_json::json!({
        "leave_request_id": request.id,
        "employee_id": request.employee_id,
        "leave_type_id": request.leave_type_id,
        "status": request.status,
    });
    if let serde_json::Value::Object(data) = &mut data {
        data.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    }
    work.emit(NewEvent {
        kind,
        subject: subject("leave-requests", request.id.as_uuid()),
        data,
        change,
        permission: Permission::LeaveRead,
        resource: standing.resource(request.starts_on).with_details(request.details()),
    });
}
