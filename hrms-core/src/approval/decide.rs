//! Taking decisions, and giving them to others.

use super::engine::Engine;
use super::resolve::{able, working};
use super::standpoint::{Right, Standpoint};
use super::{
    ApprovalCase, ApprovalCaseStatus, ApprovalError, ApprovalTask as Task, ApprovalTaskStatus, Assignee,
    NeededApprovals, Subject, TrailAct, TrailEntry,
};
use crate::actor::Actor;
use crate::audit::Change;
use crate::id::EmployeeId;

/// A decision.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) approve: bool,
    /// The level that is meant, from 0.
    pub(crate) level: Option<i32>,
    /// Whether it is meant to be made in place of those who are asked.
    pub(crate) in_place: bool,
    pub(crate) note: Option<&'a str>,
}

/// What became of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Others have to decide still.
    Waits,
    /// Everybody has agreed.
    Approved,
    /// Somebody rejected.
    Rejected,
}

/// The tasks on which somebody decides, and as whom.
struct Taken {
    tasks: Vec<(Task, Option<EmployeeId>)>,
    /// Whether they are those of others, decided in their place.
    in_place: bool,
}

impl Engine<'_> {
    /// Takes a decision of the actor's.
    ///
    /// # Errors
    /// [`ApprovalError::NotOpen`]; [`ApprovalError::AnotherLevel`]; [`ApprovalError::NotYours`];
    /// [`ApprovalError::NotAsked`].
    pub(crate) async fn decide(
        &mut self,
        actor: &Actor,
        about: &Subject,
        right: Right,
        ask: Ask<'_>,
    ) -> Result<Progress, ApprovalError> {
        let (case, tasks) = self.case(about).await?;
        if case.status != ApprovalCaseStatus::Open {
            return Err(ApprovalError::NotOpen);
        }
        check_level(actor, &case, &tasks, ask.level)?;
        let open: Vec<Task> =
            tasks.into_iter().filter(|task| task.status == ApprovalTaskStatus::Open).collect();
        let taken = self.taken(actor, &case, about, &open, right, ask.in_place).await?;
        let (ended, mut trail) = self.end_taken(actor, &case, &taken, ask).await?;
        let left: Vec<&Task> = open
            .iter()
            .filter(|task| !taken.tasks.iter().any(|(decided, _)| decided.id == task.id))
            .collect();
        let level = case.level;
        let case = if ask.approve && !left.is_empty() && needs_all(&case) {
            case
        } else {
            for task in left {
                self.end(task, ApprovalTaskStatus::Closed, None, None).await?;
            }
            self.advance(case, about, ask.approve, &mut trail).await?
        };
        self.0.approvals().append(&trail).await?;
        match case.status {
            ApprovalCaseStatus::Approved => return Ok(Progress::Approved),
            ApprovalCaseStatus::Rejected | ApprovalCaseStatus::Withdrawn => return Ok(Progress::Rejected),
            ApprovalCaseStatus::Open => {}
        }
        // The last decision is told by what it is about.
        for ((before, _), after) in taken.tasks.iter().zip(&ended) {
            self.tell("approval.decided", about, after, Change::changed(before, after));
        }
        if case.level != level {
            self.ask(&case, about).await?;
        }
        Ok(Progress::Waits)
    }

    /// The open tasks on which a decision of the actor's is.
    async fn taken(
        &mut self,
        actor: &Actor,
        case: &ApprovalCase,
        about: &Subject,
        open: &[Task],
        right: Right,
        instead: bool,
    ) -> Result<Taken, ApprovalError> {
        let standpoint = Standpoint::of(&mut **self.0, actor, about).await?;
        // Who is suspended or has left decides on nothing, whatever their roles.
        if let Some(own) = actor.employee()
            && working(&mut **self.0, &[own], about.today).await?.is_empty()
        {
            return Err(ApprovalError::NotYours);
        }
        let held = standpoint.map(|standpoint| standpoint.held(case, open, right)).unwrap_or_default();
        if !held.is_empty() {
            return Ok(Taken { tasks: held, in_place: false });
        }
        // Without a chain it is the manager's, and that of everybody who may decide on it.
        let by_role = right.here && case.chain_id.is_none();
        if by_role || (right.everywhere && instead) {
            return Ok(Taken {
                tasks: open.iter().cloned().map(|task| (task, None)).collect(),
                in_place: true,
            });
        }
        Err(if right.everywhere { ApprovalError::NotAsked } else { ApprovalError::NotYours })
    }

    /// Ends the tasks on which somebody decides: as they are now, and what the trail says of it.
    async fn end_taken(
        &mut self,
        actor: &Actor,
        case: &ApprovalCase,
        taken: &Taken,
        ask: Ask<'_>,
    ) -> Result<(Vec<Task>, Vec<TrailEntry>), ApprovalError> {
        let (status, act) = match ask.approve {
            true => (ApprovalTaskStatus::Approved, TrailAct::Approved),
            false => (ApprovalTaskStatus::Rejected, TrailAct::Rejected),
        };
        let (mut ended, mut trail) = (Vec::new(), Vec::new());
        for (task, on_behalf_of) in &taken.tasks {
            ended.push(self.end(task, status, actor.user_id(), *on_behalf_of).await?);
            trail.push(TrailEntry {
                user_id: actor.user_id(),
                on_behalf_of: *on_behalf_of,
                in_place: taken.in_place,
                assignee: Some(task.assignee.clone()),
                note: ask.note.map(str::to_owned),
                ..self.entry(case, act)
            });
        }
        Ok((ended, trail))
    }

    /// Takes a case whose level is decided to the next one, or to its end.
    async fn advance(
        &mut self,
        mut case: ApprovalCase,
        about: &Subject,
        approve: bool,
        trail: &mut Vec<TrailEntry>,
    ) -> Result<ApprovalCase, ApprovalError> {
        let after = usize::try_from(case.level).unwrap_or_default() + 1;
        let next = if approve { self.next_level(&case, about, after, trail) } else { None };
        case.status = match (next, approve) {
            (Some(_), _) => ApprovalCaseStatus::Open,
            (None, true) => ApprovalCaseStatus::Approved,
            (None, false) => ApprovalCaseStatus::Rejected,
        };
        let expected = case.version;
        case.level = next.unwrap_or(case.level);
        case.version = expected.next();
        case.updated_at = self.0.now();
        self.0.approvals().update(&case, expected).await?;
        Ok(case)
    }

    /// Gives the actor's task to another employee.
    ///
    /// # Errors
    /// [`ApprovalError::NotOpen`]; [`ApprovalError::NotYours`]; [`ApprovalError::CannotDecide`];
    /// [`ApprovalError::AlreadyTheirs`].
    pub(crate) async fn forward(
        &mut self,
        actor: &Actor,
        about: &Subject,
        right: Right,
        to: EmployeeId,
        note: Option<&str>,
    ) -> Result<(), ApprovalError> {
        let (case, tasks) = self.case(about).await?;
        if case.status != ApprovalCaseStatus::Open {
            return Err(ApprovalError::NotOpen);
        }
        let open: Vec<Task> =
            tasks.into_iter().filter(|task| task.status == ApprovalTaskStatus::Open).collect();
        // Nothing shows that it is meant in somebody's place: where there is no other way, it is.
        let taken = self.taken(actor, &case, about, &open, Right { here: false, ..right }, true).await?;
        let (task, on_behalf_of) = taken.tasks.into_iter().next().ok_or(ApprovalError::NotYours)?;
        // To oneself it would only stay when people change.
        let assignee = Assignee::Employee { employee_id: to };
        if actor.employee() == Some(to) || open.iter().any(|task| task.assignee == assignee) {
            return Err(ApprovalError::AlreadyTheirs);
        }
        if to == about.employee_id || !able(&mut **self.0, &[to], about.today).await?.contains(&to) {
            return Err(ApprovalError::CannotDecide);
        }
        self.end(&task, ApprovalTaskStatus::Forwarded, actor.user_id(), on_behalf_of).await?;
        let new = Task { forwarded: true, ..self.task(&case, task.approver, assignee.clone()) };
        self.open(&case, about, &[new], true).await?;
        let entry = TrailEntry {
            user_id: actor.user_id(),
            on_behalf_of,
            in_place: taken.in_place,
            assignee: Some(assignee),
            note: note.map(str::to_owned),
            ..self.entry(&case, TrailAct::Forwarded)
        };
        Ok(self.0.approvals().append(&[entry]).await?)
    }
}

/// Refuses a decision that is meant for another level than the case stands at. Whoever decided on an earlier level has
/// to say which one is meant.
fn check_level(
    actor: &Actor,
    case: &ApprovalCase,
    tasks: &[Task],
    level: Option<i32>,
) -> Result<(), ApprovalError> {
    let before = tasks.iter().any(|task| {
        task.level < case.level && task.decided_by.is_some() && task.decided_by == actor.user_id()
    });
    if level.is_some_and(|level| level != case.level) || (before && level.is_none()) {
        return Err(ApprovalError::AnotherLevel { level: case.level });
    }
    Ok(())
}

/// Whether all approvers of the level that a case stands at have to agree.
fn needs_all(case: &ApprovalCase) -> bool {
    let level = usize::try_from(case.level).ok().and_then(|level| case.levels.get(level));
    level.is_some_and(|level| level.needed == NeededApprovals::All)
}
