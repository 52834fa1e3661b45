//! Deciding on requests, level by level, and what was said about them.

use serde::{Deserialize, Serialize};

use super::account::{AccountKey, demands};
use super::attachment::check_attached;
use super::request::{DecisionNote, LeaveRequest, LeaveRequestView, RequestStatus};
use super::service::{LeaveRefusal, check_covered, emit, settle};
use super::standing::Standing;
use super::{LeaveError, LeaveService};
use crate::actor::Actor;
use crate::approval::{
    ApprovalCaseView, ApprovalError, ApprovalKind, Ask, Engine, Progress, Subject, approval_of, comment_on,
    entitled, forward_to,
};
use crate::audit::Change;
use crate::employment::coded;
use crate::error::{CommonError, DomainError, ErrorKind, StoreError};
use crate::hrms::Work;
use crate::id::{EmployeeId, LeaveRequestId};
use crate::store::Version;
use crate::validate::Check;

/// Most requests decided at once.
const MOST: usize = 100;

coded! {
    /// A decision on a request.
    LeaveDecision {
        /// Agree.
        Approve = "approve",
        /// Refuse.
        Reject = "reject",
    }
}

/// A decision on one of several requests.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DecideLeave {
    /// Which request.
    pub leave_request_id: LeaveRequestId,
    /// What is decided.
    pub decision: LeaveDecision,
    /// Anything to say about it, at most 1000 characters.
    #[serde(default)]
    pub note: Option<String>,
    /// The level of the approval chain that is meant, from 0.
    #[serde(default)]
    pub level: Option<i32>,
    /// Whether it is made in place of those whom an approval chain asks.
    #[serde(default)]
    pub in_place: bool,
    /// The request's `version` that is meant: when it has changed since, nothing is decided.
    #[serde(default)]
    pub version: Option<Version>,
}

/// What became of one of several decisions.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DecidedLeave {
    /// Which request.
    pub leave_request_id: LeaveRequestId,
    /// How it stands now; `pending` while others have to decide still. `null` when the decision was refused.
    pub status: Option<RequestStatus>,
    /// Why it was refused; `null` when it was taken.
    pub refusal: Option<LeaveRefusal>,
}

/// What became of several decisions.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DecidedLeaves {
    /// One for each decision, in their order.
    pub items: Vec<DecidedLeave>,
}

/// To whom a decision is given.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ForwardLeave {
    /// Who is to decide.
    pub employee_id: EmployeeId,
    /// Anything to say about it, at most 1000 characters.
    #[serde(default)]
    pub note: Option<String>,
}

/// Something to say about a request.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Comment {
    /// The text, at most 1000 characters.
    pub text: String,
}

impl Comment {
    pub(super) fn check(&self) -> Result<(), CommonError> {
        let mut check = Check::new();
        check.lines("/text", &self.text, 1..=1000);
        check.done()
    }
}

/// What approvals know of a request.
pub(super) fn subject_of(request: &LeaveRequest, standing: &Standing) -> Subject {
    let resource = standing.resource(request.starts_on).with_details(request.details());
    let days = match &resource.details {
        crate::policy::Details::LeaveRequest(details) => details.days,
        _ => i64::MAX,
    };
    Subject {
        kind: ApprovalKind::LeaveRequest,
        subject_id: request.id.as_uuid(),
        employee_id: request.employee_id,
        numbers: vec![("days", days), ("minutes", request.minutes)],
        texts: vec![("leave_type_id", request.leave_type_id.to_string())],
        resource,
        today: standing.today,
    }
}

impl LeaveService<'_> {
    /// Agrees to a pending request. When nobody else has to agree it is approved, and the leave taken from the ledger.
    ///
    /// For those whom the organisation's approval chain asks, their delegates, and those who decide in the whole
    /// organisation. Where no chain was written: for the manager by the record in force today at the employee's
    /// workplace (or, for somebody who hasn't joined or has left, by the one nearest to the first day of leave).
    /// Never for the employee, by whatever right (P16).
    ///
    /// # Errors
    /// [`LeaveError::NotPending`], [`LeaveError::SelfApproval`], [`LeaveError::InsufficientBalance`];
    /// [`LeaveError::NotEmployed`] when the employment doesn't cover every day of it any more;
    /// [`ApprovalError::NotYours`] when somebody else has to decide.
    pub async fn approve(
        &self,
        actor: &Actor,
        id: LeaveRequestId,
        decision: DecisionNote,
    ) -> Result<LeaveRequestView, LeaveError> {
        self.decide(actor, id, RequestStatus::Approved, decision).await
    }

    /// Rejects a pending request, whoever has agreed before. See [`LeaveService::approve`] for who may.
    ///
    /// # Errors
    /// [`LeaveError::NotPending`], [`LeaveError::SelfApproval`], [`ApprovalError::NotYours`].
    pub async fn reject(
        &self,
        actor: &Actor,
        id: LeaveRequestId,
        decision: DecisionNote,
    ) -> Result<LeaveRequestView, LeaveError> {
        self.decide(actor, id, RequestStatus::Rejected, decision).await
    }

    /// Decides on up to 100 requests, each by itself: what is refused doesn't keep others from being taken.
    ///
    /// # Errors
    /// When there are too many, or none; when storage fails.
    pub async fn decide_many(
        &self,
        actor: &Actor,
        decisions: Vec<DecideLeave>,
    ) -> Result<DecidedLeaves, LeaveError> {
        if !(1..=MOST).contains(&decisions.len()) {
            return Err(CommonError::invalid(
                "/decisions",
                "length",
                "1 to 100 requests are decided at once",
            )
            .into());
        }
        let mut ids: Vec<LeaveRequestId> = decisions.iter().map(|one| one.leave_request_id).collect();
        ids.sort_unstable();
        if ids.windows(2).any(|pair| pair.first() == pair.last()) {
            let detail = "each request is decided on once";
            return Err(CommonError::invalid("/decisions", "duplicate", detail).into());
        }
        let mut decided = Vec::with_capacity(decisions.len());
        // Each is a change of its own; the answer to all of them is what is remembered under an idempotency key.
        let each = actor.clone().in_request(actor.request());
        for one in decisions {
            let (id, note) = (
                one.leave_request_id,
                DecisionNote {
                    note: one.note,
                    level: one.level,
                    in_place: one.in_place,
                    version: one.version,
                },
            );
            let status = match one.decision {
                LeaveDecision::Approve => RequestStatus::Approved,
                LeaveDecision::Reject => RequestStatus::Rejected,
            };
            let (status, refusal) = match self.decide(&each, id, status, note).await {
                Ok(view) => (Some(view.request.status), None),
                Err(failed) if matches!(failed.kind(), ErrorKind::Internal | ErrorKind::Unavailable) => {
                    return Err(failed);
                }
                Err(refused) => (None, Some(LeaveRefusal::of(&refused))),
            };
            decided.push(DecidedLeave { leave_request_id: id, status, refusal });
        }
        Ok(self.0.begin(actor).await?.commit(DecidedLeaves { items: decided }).await?)
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
        let (mut view, standing, _) = self.request_for_change(&mut work, actor, id).await?;
        let about = subject_of(&view.request, &standing);
        let right = entitled(self.0, &mut *work, actor, &about).await?;
        if view.request.status != RequestStatus::Pending {
            return Err(LeaveError::NotPending);
        }
        if decision.version.is_some_and(|version| version != view.request.version) {
            return Err(CommonError::Stale.into());
        }
        let key =
            AccountKey { employee_id: view.request.employee_id, leave_type_id: view.request.leave_type_id };
        work.leave_ledger().lock_account(key.employee_id, key.leave_type_id).await?;
        let approve = status == RequestStatus::Approved;
        let ask = Ask {
            approve,
            level: decision.level,
            in_place: decision.in_place,
            note: decision.note.as_deref(),
        };
        if approve {
            check_attached(&mut *work, &view.request).await?;
        }
        let progress = Engine(&mut work).decide(actor, &about, right, ask).await?;
        if progress == Progress::Waits {
            return Ok(work.commit(view).await?);
        }
        let before = view.request.clone();
        let expected = settle(&mut view.request, actor, &mut work, status, decision);
        match work.leave_requests().decide(&view.request, expected).await {
            // Somebody else was faster.
            Err(StoreError::Stale) => return Err(LeaveError::NotPending),
            other => other?,
        }
        if approve {
            self.take(actor, &mut work, &standing, &view).await?;
        }
        let kind = if approve { "leave_request.approved" } else { "leave_request.rejected" };
        let change = Change::changed(&before, &view.request);
        emit(&mut work, kind, &view.request, &standing, change);
        if !approve {
            self.release_neighbours(actor, &mut work, &standing, &view.request).await?;
        }
        Ok(work.commit(view).await?)
    }

    /// Takes the leave of a request that has just been approved from the ledger.
    async fn take(
        &self,
        actor: &Actor,
        work: &mut Work,
        standing: &Standing,
        view: &LeaveRequestView,
    ) -> Result<(), LeaveError> {
        let key =
            AccountKey { employee_id: view.request.employee_id, leave_type_id: view.request.leave_type_id };
        // The employment may have ended since the request was made.
        if let Some(on) = standing.first_day_outside(view.request.period()) {
            return Err(LeaveError::NotEmployed { on });
        }
        self.require_coverage(&mut **work, standing, view, true).await?;
        let no_type = CommonError::unknown_reference("/leave_type_id");
        let leave_type = work.leave_types().get(key.leave_type_id).await?.ok_or(no_type)?;
        // Not among the pending ones any more, as it was decided above.
        let asked = demands(view);
        let mut ledger = self.written(work, key.employee_id, &leave_type, standing.today, asked).await?;
        check_covered(&ledger, &view.request, &leave_type, |uncovered| match uncovered.request {
            0 => 0,
            own => own + uncovered.advanced,
        })?;
        let booked = ledger.book(view.request.id);
        let postings = self.post(actor, work, standing, &key, &mut ledger, booked);
        Ok(work.leave_ledger().append(&postings).await?)
    }

    /// Who decides on a request, and what happened to it.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn approval(&self, actor: &Actor, id: LeaveRequestId) -> Result<ApprovalCaseView, LeaveError> {
        let request = self.get(actor, id).await?.request;
        let mut tx = self.0.read(actor).await?;
        Ok(approval_of(&mut *tx, ApprovalKind::LeaveRequest, request.id.as_uuid()).await?)
    }

    /// Moves the open tasks of a pending request to those who decide by today's record, and looks at their time limits.
    pub(crate) async fn follow_approvers(
        &self,
        work: &mut Work,
        id: LeaveRequestId,
    ) -> Result<(), CommonError> {
        let Some(view) = work.leave_requests().get(id).await? else { return Ok(()) };
        // As it is when nobody else can change it any more.
        work.employees().get_for_change(view.request.employee_id).await?;
        let Some(view) = work.leave_requests().get(id).await? else { return Ok(()) };
        if view.request.status != RequestStatus::Pending {
            return Ok(());
        }
        let (actor, now) = (work.actor().clone(), work.now());
        let standing = Standing::load(self.0, &mut **work, &actor, view.request.employee_id, now).await?;
        let Some(standing) = standing else { return Ok(()) };
        match Engine(work).follow_up(&subject_of(&view.request, &standing)).await {
            // It refuses nothing but for storage.
            Err(ApprovalError::Common(failed)) => Err(failed),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Gives one's decision on a request to another employee.
    ///
    /// # Errors
    /// [`LeaveError::NotPending`]; [`LeaveError::SelfApproval`]; [`ApprovalError::NotYours`];
    /// [`ApprovalError::CannotDecide`] for somebody who can't log in, isn't employed or is the employee;
    /// [`ApprovalError::AlreadyTheirs`].
    pub async fn forward(
        &self,
        actor: &Actor,
        id: LeaveRequestId,
        to: ForwardLeave,
    ) -> Result<ApprovalCaseView, LeaveError> {
        DecisionNote { note: to.note.clone(), ..DecisionNote::default() }.check()?;
        let mut work = self.0.begin(actor).await?;
        let (view, standing, _) = self.request_for_change(&mut work, actor, id).await?;
        let about = subject_of(&view.request, &standing);
        let view = forward_to(self.0, &mut work, actor, &about, to.employee_id, to.note.as_deref()).await?;
        Ok(work.commit(view).await?)
    }

    /// Says something about a request, to all who see it: for the employee, and for those who decide.
    ///
    /// # Errors
    /// When it isn't there or may not be seen; [`CommonError::Forbidden`]; a faulty text.
    pub async fn comment(
        &self,
        actor: &Actor,
        id: LeaveRequestId,
        comment: Comment,
    ) -> Result<ApprovalCaseView, LeaveError> {
        comment.check()?;
        let mut work = self.0.begin(actor).await?;
        let (view, standing, _) = self.request_for_change(&mut work, actor, id).await?;
        let about = subject_of(&view.request, &standing);
        let view = comment_on(self.0, &mut work, actor, &about, &comment.text).await?;
        Ok(work.commit(view).await?)
    }
}
