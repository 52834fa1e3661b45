//! Where somebody stands towards what is decided on: what they may decide, and whose tasks are theirs.

use std::collections::HashSet;

use uuid::Uuid;

use super::resolve::able;
use super::{
    ApprovalCase, ApprovalCaseView, ApprovalKind, ApprovalTask as Task, ApprovalTaskStatus, Assignee, Subject,
};
use crate::actor::Actor;
use crate::error::{CommonError, StoreError};
use crate::hrms::Hrms;
use crate::id::{EmployeeId, UserId};
use crate::policy::{Permission, RoleName, Scope, Verdict};
use crate::store::Tx;

/// What somebody may decide by their roles and the organisation's policies, whatever chains say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Right {
    /// On somebody's.
    pub(crate) somewhere: bool,
    /// On this thing.
    pub(crate) here: bool,
    /// On everybody's.
    pub(crate) everywhere: bool,
}

impl Right {
    /// What the actor may decide.
    ///
    /// # Errors
    /// When a policy of the organisation forbids it, whatever chains say.
    pub(crate) fn of(hrms: &Hrms, actor: &Actor, about: &Subject) -> Result<Self, CommonError> {
        let permission = about.kind.permission();
        let here = hrms.require(actor, permission, &about.resource);
        if forbids(actor, permission, about) {
            here?;
            return Err(CommonError::Forbidden { permission });
        }
        let scopes = || actor.grants().iter().filter(|grant| grant.permission == permission);
        let everywhere = here.is_ok() && scopes().any(|grant| grant.scope == Scope::Organization);
        Ok(Self { somewhere: here.is_ok() || scopes().next().is_some(), here: here.is_ok(), everywhere })
    }
}

fn forbids(actor: &Actor, permission: Permission, about: &Subject) -> bool {
    actor.rules().is_some_and(|rules| rules.judge(actor, permission, &about.resource) == Verdict::Forbid)
}

/// As whom somebody decides: as themselves, with their roles, and for those whose delegate they are.
#[derive(Debug)]
pub(super) struct Standpoint {
    user: UserId,
    employee: Option<EmployeeId>,
    roles: Vec<RoleName>,
    delegators: HashSet<EmployeeId>,
}

impl Standpoint {
    /// That of the actor; `None` for programs and operators of the service, who are no approvers, and for whoever has left,
    /// is suspended, or can't log in.
    pub(super) async fn of(
        tx: &mut dyn Tx,
        actor: &Actor,
        about: &Subject,
    ) -> Result<Option<Self>, StoreError> {
        let (Some(user), None) = (actor.user_id(), actor.support()) else { return Ok(None) };
        let mut delegators = HashSet::new();
        if let Some(own) = actor.employee() {
            if !able(tx, &[own], about.today).await?.contains(&own) {
                return Ok(None);
            }
            delegators.extend(tx.approval_delegations().delegators(own, about.today).await?);
        }
        Ok(Some(Self { user, employee: actor.employee(), roles: actor.roles().to_vec(), delegators }))
    }

    /// Whether a task is theirs. Without a chain, only those are asked who may decide on somebody's (`somewhere`).
    pub(super) fn owns(&self, case: &ApprovalCase, task: &Task, somewhere: bool) -> bool {
        match &task.assignee {
            Assignee::Employee { employee_id } => {
                self.employee == Some(*employee_id)
                    && (case.chain_id.is_some() || task.forwarded || somewhere)
            }
            Assignee::User { user_id } => self.user == *user_id,
            Assignee::Role { role } => self.roles.contains(role),
            Assignee::Organization => false,
        }
    }

    /// In whose place they may decide on a task, as a delegate.
    pub(super) fn stands_in(&self, task: &Task) -> Option<EmployeeId> {
        match task.assignee {
            Assignee::Employee { employee_id } => {
                Some(employee_id).filter(|one| self.delegators.contains(one))
            }
            _ => None,
        }
    }

    /// The tasks that are theirs, and as whom they decide on them: their own, or else those of people whose delegate they
    /// are.
    pub(super) fn held(
        &self,
        case: &ApprovalCase,
        open: &[Task],
        right: Right,
    ) -> Vec<(Task, Option<EmployeeId>)> {
        let mine = |task: &&Task| match task.assignee {
            Assignee::Organization => right.everywhere,
            _ => self.owns(case, task, right.somewhere),
        };
        let own: Vec<_> = open.iter().filter(mine).map(|task| (task.clone(), None)).collect();
        if !own.is_empty() {
            return own;
        }
        let of_others = |task: &Task| Some((task.clone(), Some(self.stands_in(task)?)));
        open.iter().filter_map(of_others).collect()
    }
}

/// Whether somebody is, or was, asked to decide, unless a policy of the organisation forbids to read it.
pub(crate) async fn is_asked(tx: &mut dyn Tx, actor: &Actor, about: &Subject) -> Result<bool, StoreError> {
    if forbids(actor, about.kind.reads(), about) {
        return Ok(false);
    }
    let Some(case) = tx.approvals().of(about.kind, about.subject_id).await? else { return Ok(false) };
    let Some(standpoint) = Standpoint::of(tx, actor, about).await? else { return Ok(false) };
    let somewhere = actor.grants().iter().any(|grant| grant.permission == about.kind.permission());
    let tasks = tx.approvals().tasks(case.id).await?;
    Ok(tasks.iter().any(|task| {
        let open = task.status == ApprovalTaskStatus::Open;
        let of_employee = matches!(task.assignee, Assignee::Employee { .. });
        let named = standpoint.owns(&case, task, somewhere)
            // A delegate sees what waits, and what they decided themselves.
            || (open && standpoint.stands_in(task).is_some())
            || (of_employee && task.decided_by == Some(standpoint.user));
        // What went to somebody else because people changed isn't theirs to see any more.
        named && task.status != ApprovalTaskStatus::Moved
    }))
}

/// Refuses whoever neither may decide on something nor is, or was, asked to.
pub(crate) async fn require_say(
    tx: &mut dyn Tx,
    actor: &Actor,
    about: &Subject,
    right: Right,
) -> Result<(), CommonError> {
    if right.here || is_asked(tx, actor, about).await? {
        return Ok(());
    }
    Err(CommonError::Forbidden { permission: about.kind.permission() })
}

/// Whether somebody whose roles let them decide on something does so under its chain: who is asked, and who decides in
/// the whole organisation.
pub(crate) async fn has_say(
    hrms: &Hrms,
    tx: &mut dyn Tx,
    actor: &Actor,
    about: &Subject,
) -> Result<bool, CommonError> {
    let case = tx.approvals().of(about.kind, about.subject_id).await?;
    let by_chain = case.is_some_and(|case| case.chain_id.is_some());
    Ok(!by_chain || Right::of(hrms, actor, about)?.everywhere || is_asked(tx, actor, about).await?)
}

/// The case of a thing with its tasks and all that happened to it.
///
/// # Errors
/// When it has none: things from before there were approvals begin one with the first decision.
pub(crate) async fn approval_of(
    tx: &mut dyn Tx,
    kind: ApprovalKind,
    subject: Uuid,
) -> Result<ApprovalCaseView, CommonError> {
    let case = tx.approvals().of(kind, subject).await?.ok_or(CommonError::NotFound { what: "approval" })?;
    let (tasks, trail) = (tx.approvals().tasks(case.id).await?, tx.approvals().trail(case.id).await?);
    Ok(ApprovalCaseView { case, tasks, trail })
}
