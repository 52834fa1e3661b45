//! Moving what waits when people change: managers, heads of departments, who left, who can't log in.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::{ApprovalCase, ApprovalKind, Approver};
use crate::error::CommonError;
use crate::event::{Event, Subscriber};
use crate::hrms::Work;
use crate::id::{ApprovalTaskId, DepartmentId, EmployeeId, LeaveClaimId, LeaveRequestId, UserId};
use crate::job::{EnqueueOptions, Job, JobContext, JobError, Outcome, Requester};

/// Moves open tasks to whom they belong, when people change.
///
/// A change that takes effect later moves them on its day. A task that hasn't been moved yet is moved before anybody
/// decides on it, so that nobody decides who shouldn't.
#[derive(Clone, Copy, Debug)]
pub struct FollowPeople;

impl Subscriber for FollowPeople {
    const NAME: &'static str = "approval.follow-people";
    const TYPES: Option<&'static [&'static str]> = Some(&[
        "department.changed",
        "department.head-named",
        "employee.changed",
        "employee.corrected",
        "employee.ended",
        "employee.rehired",
        "role.changed",
        "user.changed",
        "user.removed",
    ]);

    async fn handle(&self, work: &mut Work, events: &[Event]) -> Result<(), JobError> {
        let mut people: Vec<EmployeeId> = Vec::new();
        let today = work.hrms().today();
        for event in events {
            let concerned = concerned(work, event).await?;
            let from: Option<Date> = text(event, "from").and_then(|from| from.parse().ok());
            if let Some(from) = from.filter(|from| *from > today) {
                for employee in &concerned {
                    later(work, *employee, from).await?;
                }
            }
            people.extend(concerned);
        }
        let employment = |event: &Event| event.kind.starts_with("employee.");
        Ok(follow(work, people, !events.iter().all(employment)).await?)
    }
}

/// Moves the open tasks of, and about, an employee: on the day on which a change takes effect.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowEmployee {
    /// Who.
    pub employee_id: EmployeeId,
}

impl Job for FollowEmployee {
    const KIND: &'static str = "approval.follow-employee";
    const MAX_ATTEMPTS: u16 = 25;

    async fn run(&self, cx: &JobContext) -> Result<Outcome, JobError> {
        let mut work = cx.hrms().begin(cx.actor()).await?;
        follow(&mut work, vec![self.employee_id], true).await?;
        work.commit(()).await?;
        Outcome::done(())
    }
}

/// Looks at a case again: whom its open tasks belong to, and whether they have waited for too long.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowCase {
    /// What is decided on.
    pub kind: ApprovalKind,
    /// Which one.
    pub subject_id: Uuid,
}

impl Job for FollowCase {
    const KIND: &'static str = "approval.follow-case";
    const MAX_ATTEMPTS: u16 = 25;

    async fn run(&self, cx: &JobContext) -> Result<Outcome, JobError> {
        let mut work = cx.hrms().begin(cx.actor()).await?;
        follow_up(&mut work, self.kind, self.subject_id).await?;
        work.commit(()).await?;
        Outcome::done(())
    }
}

impl FollowCase {
    /// Has it looked at when the time of a task is up.
    pub(super) async fn at(
        self,
        work: &mut Work,
        at: Timestamp,
        task: ApprovalTaskId,
    ) -> Result<(), CommonError> {
        let options = EnqueueOptions {
            unique_key: Some(format!("{task} {at}")),
            delay: work.now().duration_until(at).max(SignedDuration::ZERO),
            max_attempts: Some(Self::MAX_ATTEMPTS),
            ..EnqueueOptions::default()
        };
        let requester = Requester::System { permissions: Vec::new() };
        let payload = serde_json::to_value(self)?;
        work.enqueue_as(requester, Self::KIND, Self::VERSION, payload, options).await?;
        Ok(())
    }
}

/// Looks at a case again, whatever it is about.
async fn follow_up(work: &mut Work, kind: ApprovalKind, subject_id: Uuid) -> Result<(), CommonError> {
    let hrms = work.hrms().clone();
    match kind {
        ApprovalKind::LeaveRequest => {
            hrms.leave().follow_approvers(work, LeaveRequestId::from_uuid(subject_id)).await
        }
        ApprovalKind::CompensatoryClaim | ApprovalKind::LeaveEncashment => {
            hrms.leave().follow_claim(work, LeaveClaimId::from_uuid(subject_id)).await
        }
    }
}

/// Has an employee's tasks moved on a day: from midnight on, where it comes last.
async fn later(work: &mut Work, employee_id: EmployeeId, on: Date) -> Result<(), CommonError> {
    let (kind, version) = (FollowEmployee::KIND, FollowEmployee::VERSION);
    let payload = serde_json::to_value(FollowEmployee { employee_id })?;
    // Midnight comes first in the east, and twelve hours after UTC at the latest.
    for hours in [-14, 0, 12] {
        let at = on.to_zoned(TimeZone::UTC).ok().map(|midnight| midnight.timestamp());
        let at = at.and_then(|at| at.checked_add(SignedDuration::from_hours(hours)).ok());
        let Some(at) = at.filter(|at| *at > work.now()) else { continue };
        let options = EnqueueOptions {
            unique_key: Some(format!("{employee_id} {at}")),
            delay: work.now().duration_until(at),
            max_attempts: Some(FollowEmployee::MAX_ATTEMPTS),
            ..EnqueueOptions::default()
        };
        let requester = Requester::System { permissions: Vec::new() };
        work.enqueue_as(requester, kind, version, payload.clone(), options).await?;
    }
    Ok(())
}

/// So many open cases are looked at with a few statements.
const PAGE: u16 = 500;

fn text<'e>(event: &'e Event, name: &str) -> Option<&'e str> {
    event.data.get(name).and_then(Value::as_str)
}

/// Whose tasks an event can concern.
async fn concerned(work: &mut Work, event: &Event) -> Result<Vec<EmployeeId>, CommonError> {
    if let Some(employee) = text(event, "employee_id").and_then(|id| id.parse().ok()) {
        return Ok(vec![EmployeeId::from_uuid(employee)]);
    }
    if let Some(department) = text(event, "department_id").and_then(|id| id.parse().ok()) {
        return Ok(work.employment().members_of(DepartmentId::from_uuid(department)).await?);
    }
    let Some(user) = text(event, "user_id").and_then(|id| id.parse().ok()) else { return Ok(Vec::new()) };
    let user = work.users().get(UserId::from_uuid(user)).await?;
    Ok(user.into_iter().flat_map(|user| [user.employee_id, user.former_employee_id]).flatten().collect())
}

/// Follows changes of these people, and of whatever heads, roles and users stand for.
async fn follow(work: &mut Work, mut people: Vec<EmployeeId>, all_kinds: bool) -> Result<(), CommonError> {
    people.sort_unstable();
    people.dedup();
    let today = work.hrms().today();
    let mut cases = work.approvals().concerning(&people).await?;
    let mut after = None;
    loop {
        let open = work.approvals().open(after, PAGE).await?;
        after = open.last().map(|case| case.id).filter(|_| open.len() == usize::from(PAGE));
        let owners: Vec<EmployeeId> = open.iter().map(|case| case.employee_id).collect();
        let above = work.employment().managers_above(&owners, today).await?;
        // Whoever is between the employee and the one who is asked matters, too.
        let below = |case: &ApprovalCase| {
            let above = above.get(&case.employee_id).map(Vec::as_slice).unwrap_or_default();
            above.iter().any(|manager| people.binary_search(manager).is_ok())
        };
        cases.extend(open.into_iter().filter(|case| below(case) || (all_kinds && by_name(case))));
        if after.is_none() {
            break;
        }
    }
    // In one order, as others lock the same employees.
    cases.sort_unstable_by_key(|case| (case.employee_id, case.id));
    cases.dedup_by_key(|case| case.id);
    for case in cases {
        follow_up(work, case.kind, case.subject_id).await?;
    }
    Ok(())
}

/// Whether a case stands at a level that asks somebody else than a manager.
fn by_name(case: &ApprovalCase) -> bool {
    let level = usize::try_from(case.level).ok().and_then(|level| case.levels.get(level));
    let other = |approver: &Approver| !matches!(approver, Approver::Manager { .. });
    level.is_none_or(|level| level.approvers.iter().any(other)) || case.chain_id.is_none()
}
