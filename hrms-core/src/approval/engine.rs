//! From level to level: opening tasks, following changes of people, ending what was taken back.

use super::chain::all_hold;
use super::resolve::{People, able, may_decide};
use super::{
    ApprovalCase, ApprovalCaseStatus, ApprovalError, ApprovalTask as Task, ApprovalTaskStatus, Assignee,
    Level, Subject, TrailAct, TrailEntry,
};
use crate::actor::Actor;
use crate::audit::Change;
use crate::error::StoreError;
use crate::event::{NewEvent, subject};
use crate::hrms::Work;
use crate::id::{ApprovalCaseId, ApprovalTaskId, EmployeeId, TrailEntryId, UserId};
use crate::store::Version;

/// The engine in a unit of work. What is decided on must be locked.
pub(crate) struct Engine<'a>(pub(crate) &'a mut Work);

impl Engine<'_> {
    /// Begins a case: picks its chain and asks the first level.
    pub(crate) async fn start(&mut self, about: &Subject) -> Result<ApprovalCase, ApprovalError> {
        let mut case = ApprovalCase {
            id: ApprovalCaseId::from_uuid(self.0.hrms().ids().next()),
            kind: about.kind,
            subject_id: about.subject_id,
            employee_id: about.employee_id,
            chain_id: None,
            levels: Vec::new(),
            level: 0,
            status: ApprovalCaseStatus::Open,
            created_at: self.0.now(),
            updated_at: self.0.now(),
            version: Version::FIRST,
        };
        let mut trail = vec![self.entry(&case, TrailAct::Started)];
        self.choose(&mut case, about, &mut trail).await?;
        self.0.approvals().insert(&case).await?;
        self.0.approvals().append(&trail).await?;
        self.ask(&case, about).await?;
        Ok(case)
    }

    /// Begins a case anew, as something else is asked for than what was agreed to.
    pub(crate) async fn restart(&mut self, actor: &Actor, about: &Subject) -> Result<(), ApprovalError> {
        let Some(mut case) = self.0.approvals().of(about.kind, about.subject_id).await? else {
            self.start(about).await?;
            return Ok(());
        };
        self.close_tasks(&case).await?;
        let mut trail = vec![TrailEntry { user_id: actor.user_id(), ..self.entry(&case, TrailAct::Changed) }];
        self.choose(&mut case, about, &mut trail).await?;
        let expected = case.version;
        case.version = expected.next();
        case.updated_at = self.0.now();
        self.0.approvals().update(&case, expected).await?;
        self.0.approvals().append(&trail).await?;
        self.ask(&case, about).await
    }

    /// Picks the chain of a case and the first level whose conditions hold.
    async fn choose(
        &mut self,
        case: &mut ApprovalCase,
        about: &Subject,
        trail: &mut Vec<TrailEntry>,
    ) -> Result<(), ApprovalError> {
        let chains = self.0.approval_chains().active(about.kind).await?;
        let known = |name: &str| about.known(name);
        let chain = chains.into_iter().find(|chain| all_hold(&chain.conditions, &known));
        (case.chain_id, case.levels) = match chain {
            Some(chain) => (Some(chain.id), chain.levels),
            None => (None, vec![Level::manager()]),
        };
        let first = self.next_level(case, about, 0, trail);
        if first.is_none() {
            // A chain none of whose levels is for this: somebody has to decide all the same.
            case.levels.push(Level::manager());
        }
        case.level = first.unwrap_or_else(|| at_level(case.levels.len().saturating_sub(1)));
        Ok(())
    }

    async fn close_tasks(&mut self, case: &ApprovalCase) -> Result<(), StoreError> {
        for task in self.0.approvals().tasks(case.id).await? {
            if task.status == ApprovalTaskStatus::Open {
                self.end(&task, ApprovalTaskStatus::Closed, None, None).await?;
            }
        }
        Ok(())
    }

    /// The case of a thing, begun if it wasn't, with its tasks by today's record.
    pub(crate) async fn case(&mut self, about: &Subject) -> Result<(ApprovalCase, Vec<Task>), ApprovalError> {
        let case = match self.0.approvals().of(about.kind, about.subject_id).await? {
            Some(case) => case,
            None => self.start(about).await?,
        };
        if case.status == ApprovalCaseStatus::Open {
            self.follow(&case, about).await?;
        }
        let tasks = self.0.approvals().tasks(case.id).await?;
        Ok((case, tasks))
    }

    /// Ends a case whose thing was taken back.
    pub(crate) async fn withdraw(&mut self, actor: &Actor, about: &Subject) -> Result<(), ApprovalError> {
        let Some(mut case) = self.0.approvals().of(about.kind, about.subject_id).await? else {
            return Ok(());
        };
        let expected = case.version;
        case.status = ApprovalCaseStatus::Withdrawn;
        case.updated_at = self.0.now();
        case.version = expected.next();
        self.0.approvals().update(&case, expected).await?;
        self.close_tasks(&case).await?;
        let entry = TrailEntry { user_id: actor.user_id(), ..self.entry(&case, TrailAct::Withdrawn) };
        Ok(self.0.approvals().append(&[entry]).await?)
    }

    /// Adds what somebody said to the trail.
    pub(crate) async fn comment(
        &mut self,
        actor: &Actor,
        about: &Subject,
        text: &str,
    ) -> Result<(), ApprovalError> {
        let (case, _) = self.case(about).await?;
        let entry = TrailEntry {
            user_id: actor.user_id(),
            note: Some(text.to_owned()),
            ..self.entry(&case, TrailAct::Commented)
        };
        self.0.emit(NewEvent {
            kind: "approval.commented",
            subject: subject("approval-cases", case.id.as_uuid()),
            data: serde_json::json!({
                "approval_case_id": case.id,
                "kind": about.kind,
                "subject_id": about.subject_id,
                "employee_id": about.employee_id,
            }),
            change: Change::created(&entry),
            permission: about.kind.reads(),
            resource: about.resource.clone(),
        });
        Ok(self.0.approvals().append(&[entry]).await?)
    }

    /// Asks the approvers of the level that a case stands at, and tells them.
    pub(super) async fn ask(&mut self, case: &ApprovalCase, about: &Subject) -> Result<(), ApprovalError> {
        let mut tasks: Vec<Task> = Vec::new();
        // One for each approver, also where two are one person: who they are can change.
        for (approver, assignee) in self.assignees(case, about).await? {
            tasks.push(self.task(case, approver, assignee));
        }
        let asked = |task: &Task| TrailEntry {
            assignee: Some(task.assignee.clone()),
            ..self.entry(case, TrailAct::Asked)
        };
        let entries: Vec<TrailEntry> = tasks.iter().map(asked).collect();
        self.0.approvals().append(&entries).await?;
        // Without a chain, that it was asked for tells the manager.
        self.open(case, about, &tasks, case.chain_id.is_some()).await
    }

    /// Opens tasks, and lets somebody look at them again when their time is up.
    pub(super) async fn open(
        &mut self,
        case: &ApprovalCase,
        about: &Subject,
        tasks: &[Task],
        tell: bool,
    ) -> Result<(), ApprovalError> {
        self.0.approvals().insert_tasks(tasks).await?;
        for task in tasks {
            if tell {
                self.tell("approval.asked", about, task, Change::created(task));
            }
            self.limit(case, about, task).await?;
        }
        Ok(())
    }

    /// Tells of a task.
    pub(super) fn tell(&mut self, kind: &'static str, about: &Subject, task: &Task, change: Change) {
        self.0.emit(NewEvent {
            kind,
            subject: subject("approval-tasks", task.id.as_uuid()),
            data: serde_json::json!({
                "approval_task_id": task.id,
                "approval_case_id": task.case_id,
                "kind": about.kind,
                "subject_id": about.subject_id,
                "employee_id": about.employee_id,
            }),
            change,
            permission: about.kind.reads(),
            resource: about.resource.clone(),
        });
    }

    /// Moves open tasks to whom they belong by today's record.
    pub(crate) async fn follow(&mut self, case: &ApprovalCase, about: &Subject) -> Result<(), ApprovalError> {
        let tasks = self.0.approvals().tasks(case.id).await?;
        let assignees = self.assignees(case, about).await?;
        let forwarded: Vec<EmployeeId> = tasks
            .iter()
            .filter(|task| task.forwarded && task.status == ApprovalTaskStatus::Open)
            .filter_map(|task| match task.assignee {
                Assignee::Employee { employee_id } => Some(employee_id),
                _ => None,
            })
            .collect();
        let still_able = able(&mut **self.0, &forwarded, about.today).await?;
        for task in tasks.iter().filter(|task| task.status == ApprovalTaskStatus::Open) {
            let stays = match (&task.assignee, task.forwarded) {
                (Assignee::Employee { employee_id }, true) => still_able.contains(employee_id),
                (Assignee::Organization, true) => true,
                _ => false,
            };
            let now = assignees.iter().find(|(approver, _)| *approver == task.approver);
            let Some((_, assignee)) = now.filter(|(_, assignee)| !stays && *assignee != task.assignee) else {
                continue;
            };
            self.end(task, ApprovalTaskStatus::Moved, None, None).await?;
            let new = self.task(case, task.approver, assignee.clone());
            self.open(case, about, &[new], true).await?;
            let entry = TrailEntry { assignee: Some(assignee.clone()), ..self.entry(case, TrailAct::Moved) };
            self.0.approvals().append(&[entry]).await?;
        }
        Ok(())
    }

    /// Whose decisions the level is that a case stands at: by number of the approver.
    async fn assignees(
        &mut self,
        case: &ApprovalCase,
        about: &Subject,
    ) -> Result<Vec<(i32, Assignee)>, StoreError> {
        let level = usize::try_from(case.level).ok().and_then(|level| case.levels.get(level));
        let approvers = level.map(|level| level.approvers.clone()).unwrap_or_default();
        let people =
            People::load(self.0, about.employee_id, &about.resource.facts, about.today, &approvers).await?;
        let mut found = Vec::new();
        for (at, approver) in approvers.iter().enumerate() {
            let mut assignee = people.assignee(approver);
            if let (None, Assignee::Employee { employee_id }) = (case.chain_id, &assignee)
                && !may_decide(self.0, *employee_id, case.kind, about.today).await?
            {
                assignee = Assignee::Organization;
            }
            found.push((at_level(at), assignee));
        }
        Ok(found)
    }

    /// The next level from `from` on whose conditions hold; those passed over go to the trail.
    pub(super) fn next_level(
        &self,
        case: &ApprovalCase,
        about: &Subject,
        from: usize,
        trail: &mut Vec<TrailEntry>,
    ) -> Option<i32> {
        let known = |name: &str| about.known(name);
        for (at, level) in case.levels.iter().enumerate().skip(from) {
            if all_hold(&level.conditions, &known) {
                return Some(at_level(at));
            }
            trail.push(TrailEntry { level: at_level(at), ..self.entry(case, TrailAct::PassedOver) });
        }
        None
    }

    pub(super) async fn end(
        &mut self,
        task: &Task,
        status: ApprovalTaskStatus,
        decided_by: Option<UserId>,
        on_behalf_of: Option<EmployeeId>,
    ) -> Result<Task, StoreError> {
        let ended_at = Some(self.0.now());
        let ended = Task { status, decided_by, on_behalf_of, ended_at, ..task.clone() };
        self.0.approvals().end_task(&ended).await?;
        Ok(ended)
    }

    pub(super) fn task(&self, case: &ApprovalCase, approver: i32, assignee: Assignee) -> Task {
        Task {
            id: ApprovalTaskId::from_uuid(self.0.hrms().ids().next()),
            case_id: case.id,
            level: case.level,
            approver,
            assignee,
            forwarded: false,
            status: ApprovalTaskStatus::Open,
            decided_by: None,
            on_behalf_of: None,
            ended_at: None,
            created_at: self.0.now(),
        }
    }

    pub(super) fn entry(&self, case: &ApprovalCase, act: TrailAct) -> TrailEntry {
        TrailEntry {
            id: TrailEntryId::from_uuid(self.0.hrms().ids().next()),
            case_id: case.id,
            at: self.0.now(),
            act,
            level: case.level,
            user_id: None,
            on_behalf_of: None,
            in_place: false,
            assignee: None,
            note: None,
        }
    }
}

fn at_level(at: usize) -> i32 {
    i32::try_from(at).unwrap_or(i32::MAX)
}
