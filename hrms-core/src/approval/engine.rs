//! From level to level: opening tasks, taking decisions, following changes of people.

use jiff::civil::Date;
use uuid::Uuid;

use super::chain::{Known, all_hold};
use super::resolve::{People, able, may_decide};
use super::{
    ApprovalCase, ApprovalCaseStatus, ApprovalError, ApprovalKind, ApprovalTask as Task, ApprovalTaskStatus,
    Assignee, Level, NeededApprovals, TrailAct, TrailEntry,
};
use crate::actor::Actor;
use crate::audit::Change;
use crate::error::StoreError;
use crate::event::{NewEvent, subject};
use crate::hrms::Work;
use crate::id::{ApprovalCaseId, ApprovalTaskId, EmployeeId, TrailEntryId, UserId};
use crate::policy::Resource;
use crate::store::Version;

/// What is decided on, as its module knows it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) kind: ApprovalKind,
    pub(crate) subject_id: Uuid,
    pub(crate) employee_id: EmployeeId,
    /// The employee by the record in force, and what conditions look at besides.
    pub(crate) resource: Resource,
    pub(crate) numbers: Vec<(&'static str, i64)>,
    pub(crate) texts: Vec<(&'static str, String)>,
    /// Today at the employee's workplace.
    pub(crate) today: Date,
}

impl Case {
    fn known(&self, name: &str) -> Option<Known> {
        let number = self.numbers.iter().find(|(known, _)| *known == name);
        if let Some((_, number)) = number {
            return Some(Known::Number(*number));
        }
        if let Some((_, text)) = self.texts.iter().find(|(known, _)| *known == name) {
            return Some(Known::Text(text.clone()));
        }
        let facts = &self.resource.facts;
        let text = match name {
            "location_id" => facts.location_id?.to_string(),
            "department_id" => facts.department_id?.to_string(),
            "designation_id" => facts.designation_id?.to_string(),
            "employment_type" => facts.employment_type.code().to_owned(),
            _ => return None,
        };
        Some(Known::Text(text))
    }
}

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

/// The engine in a unit of work. What is decided on must be locked.
pub(crate) struct Engine<'a>(pub(crate) &'a mut Work);

impl Engine<'_> {
    /// Begins a case: picks its chain and asks the first level.
    pub(crate) async fn start(&mut self, about: &Case) -> Result<ApprovalCase, ApprovalError> {
        let chains = self.0.approval_chains().active(about.kind).await?;
        let known = |name: &str| about.known(name);
        let chain = chains.into_iter().find(|chain| all_hold(&chain.conditions, &known));
        let (chain_id, levels) = match chain {
            Some(chain) => (Some(chain.id), chain.levels),
            None => (None, vec![Level::manager()]),
        };
        let mut case = ApprovalCase {
            id: ApprovalCaseId::from_uuid(self.0.hrms().ids().next()),
            kind: about.kind,
            subject_id: about.subject_id,
            employee_id: about.employee_id,
            chain_id,
            levels,
            level: 0,
            status: ApprovalCaseStatus::Open,
            created_at: self.0.now(),
            updated_at: self.0.now(),
            version: Version::FIRST,
        };
        let mut trail = vec![self.entry(&case, TrailAct::Started)];
        let first = self.next_level(&case, about, 0, &mut trail);
        if first.is_none() {
            // A chain none of whose levels is for this: somebody has to decide all the same.
            case.levels.push(Level::manager());
        }
        case.level = first.unwrap_or_else(|| at_level(case.levels.len().saturating_sub(1)));
        self.0.approvals().insert(&case).await?;
        self.0.approvals().append(&trail).await?;
        for task in self.ask(&case, about).await? {
            // Without a chain, that it was asked for tells the manager.
            if case.chain_id.is_some() {
                self.tell("approval.asked", about, &task, Change::created(&task));
            }
        }
        Ok(case)
    }

    /// The case of a thing, begun if it wasn't, with its tasks by today's record.
    pub(crate) async fn case(&mut self, about: &Case) -> Result<(ApprovalCase, Vec<Task>), ApprovalError> {
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

    /// Takes a decision of the actor's.
    ///
    /// # Errors
    /// [`ApprovalError::NotOpen`]; [`ApprovalError::NotYours`].
    pub(crate) async fn decide(
        &mut self,
        actor: &Actor,
        about: &Case,
        right: Right,
        Ask { approve, level, in_place: instead, note }: Ask<'_>,
    ) -> Result<Progress, ApprovalError> {
        let (mut case, tasks) = self.case(about).await?;
        if case.status != ApprovalCaseStatus::Open {
            return Err(ApprovalError::NotOpen);
        }
        let before = tasks.iter().any(|task| {
            task.level < case.level && task.decided_by.is_some() && task.decided_by == actor.user_id()
        });
        if level.is_some_and(|level| level != case.level) || (before && level.is_none()) {
            return Err(ApprovalError::AnotherLevel { level: case.level });
        }
        let open: Vec<Task> =
            tasks.into_iter().filter(|task| task.status == ApprovalTaskStatus::Open).collect();
        let held = self.held(actor, &case, about, &open, right).await?;
        let in_place = held.is_empty();
        // Without a chain it is the manager's, and that of everybody who may decide on it.
        let by_role = right.here && case.chain_id.is_none();
        if in_place && !by_role && !(right.everywhere && instead) {
            return Err(if right.everywhere { ApprovalError::NotAsked } else { ApprovalError::NotYours });
        }
        let status = if approve { ApprovalTaskStatus::Approved } else { ApprovalTaskStatus::Rejected };
        let act = if approve { TrailAct::Approved } else { TrailAct::Rejected };
        let mine: Vec<(Task, Option<EmployeeId>)> =
            if in_place { open.iter().cloned().map(|task| (task, None)).collect() } else { held };
        let (mut trail, mut ended) = (Vec::new(), Vec::new());
        for (task, on_behalf_of) in &mine {
            ended.push(self.end(task, status, actor.user_id(), *on_behalf_of).await?);
            trail.push(TrailEntry {
                user_id: actor.user_id(),
                on_behalf_of: *on_behalf_of,
                in_place,
                assignee: Some(task.assignee.clone()),
                note: note.map(str::to_owned),
                ..self.entry(&case, act)
            });
        }
        let left: Vec<&Task> =
            open.iter().filter(|task| !mine.iter().any(|(decided, _)| decided.id == task.id)).collect();
        let level = usize::try_from(case.level).unwrap_or_default();
        let all = case.levels.get(level).is_some_and(|level| level.needed == NeededApprovals::All);
        if approve && all && !left.is_empty() {
            self.0.approvals().append(&trail).await?;
            self.tell_decided(about, &mine, &ended);
            return Ok(Progress::Waits);
        }
        for task in left {
            self.end(task, ApprovalTaskStatus::Closed, None, None).await?;
        }
        let next = if approve { self.next_level(&case, about, level + 1, &mut trail) } else { None };
        self.0.approvals().append(&trail).await?;
        let expected = case.version;
        case.version = expected.next();
        case.updated_at = self.0.now();
        let progress = match (next, approve) {
            (Some(next), _) => {
                case.level = next;
                Progress::Waits
            }
            (None, true) => {
                case.status = ApprovalCaseStatus::Approved;
                Progress::Approved
            }
            (None, false) => {
                case.status = ApprovalCaseStatus::Rejected;
                Progress::Rejected
            }
        };
        self.0.approvals().update(&case, expected).await?;
        if next.is_some() {
            // The last decision is told by what it is about.
            self.tell_decided(about, &mine, &ended);
            for task in self.ask(&case, about).await? {
                self.tell("approval.asked", about, &task, Change::created(&task));
            }
        }
        Ok(progress)
    }

    /// Ends a case whose thing was taken back.
    pub(crate) async fn withdraw(&mut self, actor: &Actor, about: &Case) -> Result<(), ApprovalError> {
        let Some(mut case) = self.0.approvals().of(about.kind, about.subject_id).await? else {
            return Ok(());
        };
        let expected = case.version;
        case.status = ApprovalCaseStatus::Withdrawn;
        case.updated_at = self.0.now();
        case.version = expected.next();
        self.0.approvals().update(&case, expected).await?;
        for task in self.0.approvals().tasks(case.id).await? {
            if task.status == ApprovalTaskStatus::Open {
                self.end(&task, ApprovalTaskStatus::Closed, None, None).await?;
            }
        }
        let entry = TrailEntry { user_id: actor.user_id(), ..self.entry(&case, TrailAct::Withdrawn) };
        Ok(self.0.approvals().append(&[entry]).await?)
    }

    /// Gives the actor's task to another employee.
    ///
    /// # Errors
    /// [`ApprovalError::NotOpen`]; [`ApprovalError::NotYours`]; [`ApprovalError::CannotDecide`];
    /// [`ApprovalError::AlreadyTheirs`].
    pub(crate) async fn forward(
        &mut self,
        actor: &Actor,
        about: &Case,
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
        let held = self.held(actor, &case, about, &open, right).await?;
        let first = held.into_iter().next();
        let in_place = first.is_none();
        let override_first = || open.first().filter(|_| right.everywhere).map(|task| (task.clone(), None));
        let (task, on_behalf_of) = first.or_else(override_first).ok_or(ApprovalError::NotYours)?;
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
        self.0.approvals().insert_tasks(std::slice::from_ref(&new)).await?;
        self.tell("approval.asked", about, &new, Change::created(&new));
        let entry = TrailEntry {
            user_id: actor.user_id(),
            on_behalf_of,
            in_place,
            assignee: Some(assignee),
            note: note.map(str::to_owned),
            ..self.entry(&case, TrailAct::Forwarded)
        };
        Ok(self.0.approvals().append(&[entry]).await?)
    }

    /// Adds what somebody said to the trail.
    pub(crate) async fn comment(
        &mut self,
        actor: &Actor,
        about: &Case,
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

    /// The open tasks that the actor decides on as whom: their own, or else those of people whose delegate they are.
    async fn held(
        &mut self,
        actor: &Actor,
        case: &ApprovalCase,
        about: &Case,
        open: &[Task],
        right: Right,
    ) -> Result<Vec<(Task, Option<EmployeeId>)>, StoreError> {
        // Programs and operators of the service are no approvers; they may have rights.
        let (Some(user), None) = (actor.user_id(), actor.support()) else { return Ok(Vec::new()) };
        if let Some(own) = actor.employee()
            && !able(&mut **self.0, &[own], about.today).await?.contains(&own)
        {
            return Ok(Vec::new());
        }
        // A chain says who decides; without one, only those do who may decide on somebody's.
        let named = case.chain_id.is_some() || right.somewhere;
        let own = |task: &&Task| match &task.assignee {
            Assignee::Employee { employee_id } => {
                actor.employee() == Some(*employee_id) && (named || task.forwarded)
            }
            Assignee::User { user_id } => *user_id == user,
            Assignee::Role { role } => actor.roles().contains(role),
            Assignee::Organization => right.everywhere,
        };
        let held: Vec<_> = open.iter().filter(own).map(|task| (task.clone(), None)).collect();
        let Some(employee) = actor.employee().filter(|_| held.is_empty()) else { return Ok(held) };
        let delegators = self.0.approval_delegations().delegators(employee, about.today).await?;
        let of_others = open.iter().filter_map(|task| match task.assignee {
            Assignee::Employee { employee_id } if delegators.contains(&employee_id) => {
                Some((task.clone(), Some(employee_id)))
            }
            _ => None,
        });
        Ok(of_others.collect())
    }

    /// Opens the tasks of the level that a case stands at.
    async fn ask(&mut self, case: &ApprovalCase, about: &Case) -> Result<Vec<Task>, ApprovalError> {
        let mut tasks: Vec<Task> = Vec::new();
        // One for each approver, also where two are one person: who they are can change.
        for (approver, assignee) in self.assignees(case, about).await? {
            tasks.push(self.task(case, approver, assignee));
        }
        self.0.approvals().insert_tasks(&tasks).await?;
        let entries: Vec<TrailEntry> = tasks
            .iter()
            .map(|task| TrailEntry {
                assignee: Some(task.assignee.clone()),
                ..self.entry(case, TrailAct::Asked)
            })
            .collect();
        self.0.approvals().append(&entries).await?;
        Ok(tasks)
    }

    /// Tells of a task.
    fn tell(&mut self, kind: &'static str, about: &Case, task: &Task, change: Change) {
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

    fn tell_decided(&mut self, about: &Case, before: &[(Task, Option<EmployeeId>)], after: &[Task]) {
        for ((before, _), after) in before.iter().zip(after) {
            self.tell("approval.decided", about, after, Change::changed(before, after));
        }
    }

    /// Moves open tasks to whom they belong by today's record.
    pub(crate) async fn follow(&mut self, case: &ApprovalCase, about: &Case) -> Result<(), ApprovalError> {
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
                _ => false,
            };
            let now = assignees.iter().find(|(approver, _)| *approver == task.approver);
            let Some((_, assignee)) = now.filter(|(_, assignee)| !stays && *assignee != task.assignee) else {
                continue;
            };
            self.end(task, ApprovalTaskStatus::Moved, None, None).await?;
            let new = self.task(case, task.approver, assignee.clone());
            self.0.approvals().insert_tasks(std::slice::from_ref(&new)).await?;
            self.tell("approval.asked", about, &new, Change::created(&new));
            let entry = TrailEntry { assignee: Some(assignee.clone()), ..self.entry(case, TrailAct::Moved) };
            self.0.approvals().append(&[entry]).await?;
        }
        Ok(())
    }

    /// Whose decisions the level is that a case stands at: by number of the approver.
    async fn assignees(
        &mut self,
        case: &ApprovalCase,
        about: &Case,
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
    fn next_level(
        &self,
        case: &ApprovalCase,
        about: &Case,
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

    async fn end(
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

    fn task(&self, case: &ApprovalCase, approver: i32, assignee: Assignee) -> Task {
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

    fn entry(&self, case: &ApprovalCase, act: TrailAct) -> TrailEntry {
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
