//! Deciding on claims, and what a decision does.

use super::super::account::AccountKey;
use super::super::ledger::{NewPosting, PostingKind};
use super::super::standing::Standing;
use super::super::{Comment, DecisionNote, ForwardLeave, LeaveError, LeaveService, LeaveType, RequestStatus};
use super::book::{compensatory_rules, draw, encashable, encashment_rules, lot_of, pay_out, sum, undo};
use super::{ClaimKind, LeaveClaim};
use crate::actor::Actor;
use crate::approval::{
    ApprovalCaseView, ApprovalError, Ask, Engine, Progress, Subject, approval_of, comment_on, entitled,
    forward_to, has_say, is_asked,
};
use crate::audit::Change;
use crate::error::{CommonError, StoreError};
use crate::event::{NewEvent, subject};
use crate::hrms::Work;
use crate::id::{LeaveClaimId, LeaveLotId, LeaveRequestId};
use crate::policy::{Decision, Permission};

const NOT_FOUND: CommonError = CommonError::NotFound { what: "leave claim" };
const HIDDEN: CommonError = CommonError::Hidden { what: "leave claim" };
const NO_TYPE: CommonError = CommonError::NotFound { what: "leave type" };

/// What approvals know of a claim.
pub(super) fn subject_of(claim: &LeaveClaim, standing: &Standing) -> Subject {
    let details = claim.details();
    let days = match &details {
        crate::policy::Details::LeaveRequest(details) => details.days,
        _ => i64::MAX,
    };
    Subject {
        kind: claim.kind.approval(),
        subject_id: claim.id.as_uuid(),
        employee_id: claim.employee_id,
        resource: standing.resource(claim.day()).with_details(details),
        numbers: vec![("days", days), ("minutes", claim.minutes)],
        texts: vec![("leave_type_id", claim.leave_type_id.to_string())],
        today: standing.today,
    }
}

impl LeaveService<'_> {
    /// Agrees to a pending claim. When nobody else has to agree, compensatory leave is granted, or leave paid out.
    ///
    /// Who may is told by the approval chain for its kind, as for requests for leave. Never the employee (P16).
    ///
    /// # Errors
    /// [`LeaveError::NotPending`], [`LeaveError::SelfApproval`], [`ApprovalError::NotYours`];
    /// [`LeaveError::InsufficientBalance`] when less can be paid out by now; [`LeaveError::NotClaimable`].
    pub async fn approve_claim(
        &self,
        actor: &Actor,
        id: LeaveClaimId,
        note: DecisionNote,
    ) -> Result<LeaveClaim, LeaveError> {
        self.decide_claim(actor, id, RequestStatus::Approved, note).await
    }

    /// Rejects a pending claim, whoever has agreed before.
    ///
    /// # Errors
    /// [`LeaveError::NotPending`], [`LeaveError::SelfApproval`], [`ApprovalError::NotYours`].
    pub async fn reject_claim(
        &self,
        actor: &Actor,
        id: LeaveClaimId,
        note: DecisionNote,
    ) -> Result<LeaveClaim, LeaveError> {
        self.decide_claim(actor, id, RequestStatus::Rejected, note).await
    }

    async fn decide_claim(
        &self,
        actor: &Actor,
        id: LeaveClaimId,
        status: RequestStatus,
        note: DecisionNote,
    ) -> Result<LeaveClaim, LeaveError> {
        note.check()?;
        let mut work = self.0.begin(actor).await?;
        let (mut claim, standing, about) = self.claim_for_change(&mut work, actor, id).await?;
        let right = entitled(self.0, &mut *work, actor, &about).await?;
        if claim.status != RequestStatus::Pending {
            return Err(LeaveError::NotPending);
        }
        let approve = status == RequestStatus::Approved;
        let ask = Ask { approve, level: note.level, in_place: note.in_place, note: note.note.as_deref() };
        if Engine(&mut work).decide(actor, &about, right, ask).await? == Progress::Waits {
            return Ok(work.commit(claim).await?);
        }
        let before = claim.clone();
        if approve {
            self.book_claim(actor, &mut work, &standing, &mut claim).await?;
        }
        settle(&mut claim, actor, &mut work, status, note).await?;
        let kind = if approve { "leave_claim.approved" } else { "leave_claim.rejected" };
        emit(&mut work, kind, &claim, &standing, Change::changed(&before, &claim));
        Ok(work.commit(claim).await?)
    }

    /// Takes a claim back: a pending one is withdrawn, an approved one cancelled, and what was posted is undone (P14).
    ///
    /// The employee may cancel compensatory leave of which nothing was used; that leave is paid out, only those undo who decide
    /// on it.
    ///
    /// # Errors
    /// [`LeaveError::NotCancellable`], [`LeaveError::ClaimUsed`].
    pub async fn cancel_claim(
        &self,
        actor: &Actor,
        id: LeaveClaimId,
        note: DecisionNote,
    ) -> Result<LeaveClaim, LeaveError> {
        note.check()?;
        let mut work = self.0.begin(actor).await?;
        let (mut claim, standing, about) = self.claim_for_change(&mut work, actor, id).await?;
        let decides = !actor.counts_as(claim.employee_id)
            && self.0.policy().decide(actor, Permission::LeaveDecide, &about.resource) == Decision::Allow
            && has_say(self.0, &mut *work, actor, &about).await?;
        if !decides {
            self.0.require(actor, Permission::LeaveSubmit, &about.resource)?;
        }
        let status = match (claim.status, claim.kind) {
            (RequestStatus::Pending, _) => RequestStatus::Withdrawn,
            (RequestStatus::Approved, ClaimKind::Compensatory) => RequestStatus::Cancelled,
            (RequestStatus::Approved, ClaimKind::Encashment) if decides => RequestStatus::Cancelled,
            _ => return Err(LeaveError::NotCancellable),
        };
        let before = claim.clone();
        if status == RequestStatus::Cancelled {
            self.undo_claim(actor, &mut work, &standing, &claim).await?;
        } else {
            Engine(&mut work).withdraw(actor, &about).await?;
        }
        settle(&mut claim, actor, &mut work, status, note).await?;
        emit(&mut work, "leave_claim.cancelled", &claim, &standing, Change::changed(&before, &claim));
        Ok(work.commit(claim).await?)
    }

    /// Posts what an approved claim comes to.
    async fn book_claim(
        &self,
        actor: &Actor,
        work: &mut Work,
        standing: &Standing,
        claim: &mut LeaveClaim,
    ) -> Result<(), LeaveError> {
        let leave_type = work.leave_types().get(claim.leave_type_id).await?.ok_or(NO_TYPE)?;
        let (employee, today) = (claim.employee_id, standing.today);
        let new = match claim.worked_on {
            Some(worked_on) => {
                let rules = compensatory_rules(&mut **work, employee, leave_type.id, worked_on).await?;
                let id = LeaveLotId::from_uuid(self.0.ids().next());
                let lot = lot_of(claim, &rules, id, today, work.now());
                work.leave_ledger().insert_lots(std::slice::from_ref(&lot)).await?;
                claim.lot_id = Some(id);
                vec![NewPosting {
                    lot_id: Some(id),
                    request_id: None,
                    kind: PostingKind::Grant,
                    minutes: lot.minutes,
                    effective_on: lot.valid_from,
                    reverses_id: None,
                    booked_on: None,
                }]
            }
            None => {
                let (rules, _) = encashment_rules(&mut **work, standing, leave_type.id, today).await?;
                let ledger = self.written(work, employee, &leave_type, today, Vec::new()).await?;
                let parts = draw(&encashable(&ledger, &rules, &leave_type, today), claim.minutes);
                if sum(&parts) < claim.minutes {
                    return Err(LeaveError::InsufficientBalance {
                        asked: claim.minutes,
                        left: sum(&parts),
                        minutes_per_day: leave_type.minutes_per_day,
                    });
                }
                pay_out(&parts, today)
            }
        };
        let ids = self.post_claim(actor, work, standing, &leave_type, claim, new).await?;
        claim.posting_ids = ids;
        Ok(())
    }

    /// Undoes what an approved claim posted.
    async fn undo_claim(
        &self,
        actor: &Actor,
        work: &mut Work,
        standing: &Standing,
        claim: &LeaveClaim,
    ) -> Result<(), LeaveError> {
        let leave_type = work.leave_types().get(claim.leave_type_id).await?.ok_or(NO_TYPE)?;
        let mut ledger =
            self.written(work, claim.employee_id, &leave_type, standing.today, Vec::new()).await?;
        let undone = undo(&ledger, claim, standing.today)?;
        // Whatever waits may count on it.
        let uncovered = |ledger: &super::super::Ledger| {
            ledger.uncovered(LeaveRequestId::from_uuid(uuid::Uuid::nil())).all
        };
        let before = uncovered(&ledger);
        let account = AccountKey { employee_id: claim.employee_id, leave_type_id: claim.leave_type_id };
        ledger.postings.extend(self.stamp(actor, work, standing, &account, undone.clone()));
        let after = uncovered(&ledger);
        if after > before && after > leave_type.allow_negative_minutes {
            return Err(LeaveError::ClaimUsed);
        }
        self.post_claim(actor, work, standing, &leave_type, claim, undone).await?;
        Ok(())
    }

    /// Stores postings of a claim, and what lots pay back then; the ids of its own.
    async fn post_claim(
        &self,
        actor: &Actor,
        work: &mut Work,
        standing: &Standing,
        leave_type: &LeaveType,
        claim: &LeaveClaim,
        new: Vec<NewPosting>,
    ) -> Result<Vec<crate::id::LeavePostingId>, LeaveError> {
        let account = AccountKey { employee_id: claim.employee_id, leave_type_id: claim.leave_type_id };
        let mut ledger =
            self.written(work, claim.employee_id, leave_type, standing.today, Vec::new()).await?;
        let own = new.len();
        let postings = self.post(actor, work, standing, &account, &mut ledger, new);
        work.leave_ledger().append(&postings).await?;
        Ok(postings.iter().take(own).map(|posting| posting.id).collect())
    }

    /// Who decides on a claim, and what happened to it.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn claim_approval(
        &self,
        actor: &Actor,
        id: LeaveClaimId,
    ) -> Result<ApprovalCaseView, LeaveError> {
        let claim = self.get_claim(actor, id).await?;
        let mut tx = self.0.read(actor).await?;
        Ok(approval_of(&mut *tx, claim.kind.approval(), id.as_uuid()).await?)
    }

    /// Gives one's decision on a claim to another employee.
    ///
    /// # Errors
    /// As [`LeaveService::forward`].
    pub async fn forward_claim(
        &self,
        actor: &Actor,
        id: LeaveClaimId,
        to: ForwardLeave,
    ) -> Result<ApprovalCaseView, LeaveError> {
        DecisionNote { note: to.note.clone(), ..DecisionNote::default() }.check()?;
        let mut work = self.0.begin(actor).await?;
        let (_, _, about) = self.claim_for_change(&mut work, actor, id).await?;
        let view = forward_to(self.0, &mut work, actor, &about, to.employee_id, to.note.as_deref()).await?;
        Ok(work.commit(view).await?)
    }

    /// Says something about a claim, to all who see it.
    ///
    /// # Errors
    /// As [`LeaveService::comment`].
    pub async fn comment_claim(
        &self,
        actor: &Actor,
        id: LeaveClaimId,
        comment: Comment,
    ) -> Result<ApprovalCaseView, LeaveError> {
        comment.check()?;
        let mut work = self.0.begin(actor).await?;
        let (_, _, about) = self.claim_for_change(&mut work, actor, id).await?;
        let view = comment_on(self.0, &mut work, actor, &about, &comment.text).await?;
        Ok(work.commit(view).await?)
    }

    /// Moves the open tasks of a pending claim to those who decide by today's record.
    pub(crate) async fn follow_claim(&self, work: &mut Work, id: LeaveClaimId) -> Result<(), CommonError> {
        let actor = work.actor().clone();
        let Some((claim, standing)) = self.locked_claim(work, &actor, id).await? else { return Ok(()) };
        if claim.status != RequestStatus::Pending {
            return Ok(());
        }
        match Engine(work).follow_up(&subject_of(&claim, &standing)).await {
            // It refuses nothing but for storage.
            Err(ApprovalError::Common(failed)) => Err(failed),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// A claim that nobody else changes until the unit of work ends, and its employee.
    async fn locked_claim(
        &self,
        work: &mut Work,
        actor: &Actor,
        id: LeaveClaimId,
    ) -> Result<Option<(LeaveClaim, Standing)>, CommonError> {
        let Some(claim) = work.leave_claims().get(id).await? else { return Ok(None) };
        work.employees().get_for_change(claim.employee_id).await?;
        work.leave_ledger().lock_account(claim.employee_id, claim.leave_type_id).await?;
        let Some(claim) = work.leave_claims().get(id).await? else { return Ok(None) };
        let now = work.now();
        let standing = Standing::load(self.0, &mut **work, actor, claim.employee_id, now).await?;
        Ok(standing.map(|standing| (claim, standing)))
    }

    /// The same, if the actor may see it, and what approvals know of it.
    async fn claim_for_change(
        &self,
        work: &mut Work,
        actor: &Actor,
        id: LeaveClaimId,
    ) -> Result<(LeaveClaim, Standing, Subject), LeaveError> {
        let (claim, standing) = self.locked_claim(work, actor, id).await?.ok_or(NOT_FOUND)?;
        let about = subject_of(&claim, &standing);
        if !self.may_see(actor, &about.resource) {
            // Who is asked is told by today's record, whoever was asked before.
            if claim.status == RequestStatus::Pending {
                Engine(work).case(&about).await?;
            }
            if !is_asked(&mut **work, actor, &about).await? {
                return Err(HIDDEN.into());
            }
        }
        Ok((claim, standing, about))
    }
}

/// Writes a decision into a claim, and stores it.
async fn settle(
    claim: &mut LeaveClaim,
    actor: &Actor,
    work: &mut Work,
    status: RequestStatus,
    decision: DecisionNote,
) -> Result<(), LeaveError> {
    let expected = claim.version;
    claim.status = status;
    claim.decided_by = actor.user_id();
    claim.decided_at = Some(work.now());
    if let Some(note) = &decision.note {
        work.because(note);
    }
    claim.decision_note = decision.note;
    claim.updated_at = work.now();
    claim.version = expected.next();
    match work.leave_claims().decide(claim, expected).await {
        // Somebody else was faster.
        Err(StoreError::Stale) => Err(LeaveError::NotPending),
        other => Ok(other?),
    }
}

pub(super) fn emit(
    work: &mut Work,
    kind: &'static str,
    claim: &LeaveClaim,
    standing: &Standing,
    change: Change,
) {
    work.emit(NewEvent {
        kind,
        subject: subject("leave-claims", claim.id.as_uuid()),
        data: serde_json::json!({
            "leave_claim_id": claim.id,
            "kind": claim.kind,
            "employee_id": claim.employee_id,
            "leave_type_id": claim.leave_type_id,
            "minutes": claim.minutes,
            "status": claim.status,
        }),
        change,
        permission: Permission::LeaveRead,
        resource: standing.resource(claim.day()).with_details(claim.details()),
    });
}
