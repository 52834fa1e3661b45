//! Who an approver is, by the record in force.

use std::collections::{HashMap, HashSet};

use jiff::civil::Date;

use super::{ApprovalKind, Approver, Assignee};
use crate::employment::{EmploymentStatus, Facts, Timeline};
use crate::error::StoreError;
use crate::hrms::Work;
use crate::id::{EmployeeId, UserId};
use crate::notification::Recipients;
use crate::store::Tx;

/// Who could be asked about an employee's case on a day.
#[derive(Debug)]
pub(super) struct People {
    employee: EmployeeId,
    /// The managers above, nearest first.
    managers: Vec<EmployeeId>,
    /// The heads of the employee's department and of those above it, nearest first.
    heads: Vec<EmployeeId>,
    /// Users who are named, and the employees that they are.
    users: HashMap<UserId, Option<EmployeeId>>,
    /// The managers above them.
    above_users: HashMap<EmployeeId, Vec<EmployeeId>>,
    /// Roles that somebody has who isn't the employee.
    roles: HashSet<String>,
    /// Employees who can decide: they can log in, and are employed and not suspended on the day.
    able: HashSet<EmployeeId>,
}

impl People {
    /// Reads what these approvers need.
    pub(super) async fn load(
        work: &mut Work,
        employee: EmployeeId,
        facts: &Facts,
        today: Date,
        approvers: &[Approver],
    ) -> Result<Self, StoreError> {
        let mut people = Self {
            employee,
            managers: Vec::new(),
            heads: Vec::new(),
            users: HashMap::new(),
            above_users: HashMap::new(),
            roles: HashSet::new(),
            able: HashSet::new(),
        };
        let mut above = work.employment().managers_above(&[employee], today).await?;
        people.managers = above.remove(&employee).unwrap_or_default();
        if approvers.contains(&Approver::DepartmentHead {}) {
            people.heads = heads(work, facts, today).await?;
        }
        people.load_users(work, today, approvers).await?;
        for approver in approvers {
            let Approver::Role { role } = approver else { continue };
            let holders = Recipients::Roles(vec![role.clone()]);
            let holders = work.notifications().recipients(&holders, today).await?;
            if holders.iter().any(|one| one.employee_id != Some(employee)) {
                people.roles.insert(role.as_str().to_owned());
            }
        }
        let mut candidates: Vec<EmployeeId> = people.managers.clone();
        candidates.extend(&people.heads);
        candidates.extend(people.users.values().flatten());
        candidates.extend(people.above_users.values().flatten());
        people.able = able(&mut **work, &candidates, today).await?;
        Ok(people)
    }

    async fn load_users(
        &mut self,
        work: &mut Work,
        today: Date,
        approvers: &[Approver],
    ) -> Result<(), StoreError> {
        let named: Vec<UserId> = approvers
            .iter()
            .filter_map(|one| match one {
                Approver::User { user_id } => Some(*user_id),
                _ => None,
            })
            .collect();
        if named.is_empty() {
            return Ok(());
        }
        let known = work.notifications().recipients(&Recipients::Users(named.clone()), today).await?;
        self.users = known.into_iter().map(|one| (one.user_id, one.employee_id)).collect();
        let mut employees: Vec<EmployeeId> = self.users.values().flatten().copied().collect();
        // Of somebody who can't log in any more, the one above them is asked.
        for user in named.iter().filter(|user| !self.users.contains_key(user)).copied().collect::<Vec<_>>() {
            let gone =
                work.users().get(user).await?.and_then(|user| user.employee_id.or(user.former_employee_id));
            if let Some(employee) = gone {
                employees.push(employee);
                self.users.insert(user, Some(employee));
            }
        }
        self.above_users = work.employment().managers_above(&employees, today).await?;
        Ok(())
    }

    /// Whose decision an approver's is.
    pub(super) fn assignee(&self, approver: &Approver) -> Assignee {
        let first = |candidates: &[EmployeeId]| {
            let found = candidates.iter().find(|one| self.can(**one)).copied();
            found.map(|employee_id| Assignee::Employee { employee_id })
        };
        let upward = || first(&self.managers);
        let found = match approver {
            Approver::Manager { above } => {
                let from = usize::from(*above).saturating_sub(1);
                first(self.managers.get(from..).unwrap_or_default())
            }
            Approver::DepartmentHead {} => first(&self.heads).or_else(upward),
            Approver::Role { role } if self.roles.contains(role.as_str()) => {
                Some(Assignee::Role { role: role.clone() })
            }
            Approver::Role { .. } => None,
            Approver::User { user_id } => match self.users.get(user_id) {
                Some(None) => Some(Assignee::User { user_id: *user_id }),
                Some(Some(employee)) => {
                    let above = self.above_users.get(employee).map(Vec::as_slice).unwrap_or_default();
                    first(&[*employee]).or_else(|| first(above))
                }
                None => None,
            },
        };
        found.unwrap_or(Assignee::Organization)
    }

    fn can(&self, employee: EmployeeId) -> bool {
        employee != self.employee && self.able.contains(&employee)
    }
}

/// The heads of somebody's department and of those above it on a day, nearest first.
async fn heads(work: &mut Work, facts: &Facts, today: Date) -> Result<Vec<EmployeeId>, StoreError> {
    let Some(department) = facts.department_id else { return Ok(Vec::new()) };
    let mut departments = vec![department];
    departments.extend(work.departments().tree().await?.above(department));
    let heads = work.departments().heads_of(&departments).await?;
    let head = |department| {
        let all = heads.get(department)?;
        all.iter().find(|head| head.period.contains(today)).map(|head| head.employee_id)
    };
    Ok(departments.iter().filter_map(head).collect())
}

/// Those who can decide on a day: they can log in, are employed, and not suspended.
pub(crate) async fn able(
    tx: &mut dyn Tx,
    employees: &[EmployeeId],
    today: Date,
) -> Result<HashSet<EmployeeId>, StoreError> {
    if employees.is_empty() {
        return Ok(HashSet::new());
    }
    let mut employees = employees.to_vec();
    employees.sort_unstable();
    employees.dedup();
    let can_log_in = tx.notifications().recipients(&Recipients::Employees(employees.clone()), today).await?;
    let can_log_in: HashSet<EmployeeId> = can_log_in.iter().filter_map(|one| one.employee_id).collect();
    let working = working(tx, &employees, today).await?;
    Ok(can_log_in.intersection(&working).copied().collect())
}

/// Those of some who are employed on a day, and not suspended.
pub(super) async fn working(
    tx: &mut dyn Tx,
    employees: &[EmployeeId],
    today: Date,
) -> Result<HashSet<EmployeeId>, StoreError> {
    let timelines = tx.employment().timelines_of(employees).await?;
    let works = |timeline: &Timeline| {
        timeline.at(today).is_some_and(|record| record.facts.status != EmploymentStatus::Suspended)
    };
    Ok(timelines.into_iter().filter(|(_, timeline)| works(timeline)).map(|(id, _)| id).collect())
}

/// Whether an employee's roles let them decide on somebody's things of this kind.
pub(super) async fn may_decide(
    work: &mut Work,
    employee: EmployeeId,
    kind: ApprovalKind,
    today: Date,
) -> Result<bool, StoreError> {
    let users = work.notifications().recipients(&Recipients::Employees(vec![employee]), today).await?;
    for user in users {
        let rights = work.users().rights(user.user_id, today).await?;
        if rights.is_some_and(|has| has.grants.iter().any(|grant| grant.permission == kind.permission())) {
            return Ok(true);
        }
    }
    Ok(false)
}
