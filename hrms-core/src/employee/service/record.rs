//! Changes of the employment record: change, correct, end, rehire.

use std::collections::HashMap;

use jiff::civil::Date;

use crate::actor::Actor;
use crate::audit;
use crate::employee::audit::OnRecord;
use crate::employee::service::{EmployeeService, NOT_FOUND};
use crate::employee::{
    ChangeEmployment, CorrectEmployment, EmployeeError, EmployeeView, EndEmployment, Rehire,
};
use crate::employment::{Change, Facts, ReportingLine, Timeline};
use crate::error::{CommonError, FieldError};
use crate::hrms::{Hrms, Work};
use crate::id::EmployeeId;
use crate::period::Period;
use crate::policy::{Permission, Resource};
use crate::validate::Check;

/// One change of a timeline, and what it needs to be checked and announced.
struct Step {
    kind: &'static str,
    /// The first day that it is about.
    on: Date,
    /// The facts that it sets.
    facts: Facts,
}

impl EmployeeService<'_> {
    /// Changes facts of an employment from a day on, which may lie in the future. Shown as of that day.
    ///
    /// # Errors
    /// [`EmployeeError::NotEmployed`]; [`EmployeeError::ReportingCycle`];
    /// [`EmployeeError::ManagerNotEmployed`]; [`EmployeeError::OwnDetails`]; faulty fields.
    pub async fn change_employment(
        &self,
        actor: &Actor,
        id: EmployeeId,
        input: ChangeEmployment,
    ) -> Result<EmployeeView, EmployeeError> {
        let mut check = Check::new();
        check.date("/from", input.from);
        check.done()?;
        let change = named(input.change()?)?;
        let facts = change.applied_to(&Facts::default());
        let step = Step { kind: "employee.changed", on: input.from, facts };
        self.rewrite(actor, id, step, |timeline| Ok(timeline.change_from(input.from, &change)?)).await
    }

    /// Corrects facts of an employment during a period. Shown as of its first day.
    ///
    /// # Errors
    /// Those of [`change_employment`](Self::change_employment).
    pub async fn correct_employment(
        &self,
        actor: &Actor,
        id: EmployeeId,
        input: CorrectEmployment,
    ) -> Result<EmployeeView, EmployeeError> {
        let mut check = Check::new();
        let period = check.period("/from", input.from, "/to", input.to);
        check.done()?;
        let period = period.unwrap_or(Period::since(input.from));
        let change = if input.extend { input.change()? } else { named(input.change()?)? };
        let facts = change.applied_to(&Facts::default());
        let step = Step { kind: "employee.corrected", on: input.from, facts };
        self.rewrite(actor, id, step, |timeline| Ok(timeline.correct(period, &change, input.extend)?)).await
    }

    /// Ends an employment. Shown as of its last day.
    ///
    /// # Errors
    /// [`EmployeeError::NotEmployed`]; faulty fields.
    pub async fn end_employment(
        &self,
        actor: &Actor,
        id: EmployeeId,
        input: EndEmployment,
    ) -> Result<EmployeeView, EmployeeError> {
        let mut check = Check::new();
        check.date("/last_day", input.last_day);
        check.done()?;
        let step = Step { kind: "employee.ended", on: input.last_day, facts: Facts::default() };
        self.rewrite(actor, id, step, |timeline| Ok(timeline.end(input.last_day, input.reason)?)).await
    }

    /// Employs somebody again who had left. Shown as of the first day.
    ///
    /// # Errors
    /// [`EmployeeError::StillEmployed`]; [`EmployeeError::ReportingCycle`];
    /// [`EmployeeError::ManagerNotEmployed`]; faulty fields.
    pub async fn rehire(
        &self,
        actor: &Actor,
        id: EmployeeId,
        input: Rehire,
    ) -> Result<EmployeeView, EmployeeError> {
        let mut check = Check::new();
        check.date("/from", input.from);
        check.done()?;
        let facts = input.facts();
        let step = Step { kind: "employee.rehired", on: input.from, facts };
        self.rewrite(actor, id, step, |timeline| Ok(timeline.rehire(input.from, facts)?)).await
    }

    /// Changes a timeline under the locks that it needs, checks the reporting line, and announces it.
    async fn rewrite(
        &self,
        actor: &Actor,
        id: EmployeeId,
        step: Step,
        change: impl FnOnce(&mut Timeline) -> Result<(), EmployeeError> + Send,
    ) -> Result<EmployeeView, EmployeeError> {
        let mut work = self.0.begin(actor).await?;
        self.manage(actor, &mut work, id).await?;
        if is_barred_from(self.0, actor, id) {
            return Err(EmployeeError::OwnDetails);
        }
        let manager = step.facts.manager_id;
        if manager.is_some() {
            work.employment().lock_reporting_line().await?;
        }
        let mut employee = work.employees().get_for_change(id).await?.ok_or(NOT_FOUND)?;
        let person = employee.clone();
        let before = work.employment().timelines_of(&[id]).await?.remove(&id).unwrap_or_default();
        let mut after = before.clone();
        change(&mut after)?;
        check_references(&mut work, &step.facts).await?;
        if let Some(manager) = manager {
            if manager == id {
                return Err(crate::employment::Cycle { employee: id, on: step.on }.into());
            }
            check_manager(&mut work, manager, step.on).await?;
            check_line(&mut work, id, &after).await?;
        }
        if after == before {
            let row = work.employees().view(id, step.on, self.0.today()).await?.ok_or(NOT_FOUND)?;
            return Ok(work.commit(self.shown(actor, row)).await?);
        }
        // A hiring date before the first record (imported history) stays, unless this moves the first day.
        if let Some(first) = after.first_day().filter(|_| after.first_day() != before.first_day()) {
            employee.hired_on = first;
            super::check(&employee)?;
        }
        employee.updated_at = work.now();
        employee.version = employee.version.next();
        work.employees().update_many(std::slice::from_ref(&employee)).await?;
        let change = audit::Change::changed(
            &OnRecord { employee: Some(&person), timeline: Some(&before) },
            &OnRecord { employee: Some(&employee), timeline: Some(&after) },
        );
        work.recount_leave_of_moved([(id, &before, &after)]).await?;
        work.employment().replace_timelines(&[(id, after)]).await?;
        self.finish(actor, work, id, step.kind, step.on, change).await
    }
}

/// Whether the record is the actor's own, which somebody else has to change: it says whom they reach with what is granted
/// on a department, a location or reports, and policies go by it. Whoever may write policies needn't go that way round.
pub(crate) fn is_barred_from(hrms: &Hrms, actor: &Actor, id: EmployeeId) -> bool {
    let whole = Resource::organization();
    actor.counts_as(id) && hrms.require(actor, Permission::PolicyManage, &whole).is_err()
}

/// Refuses ids of departments, designations and locations that don't exist here.
pub(super) async fn check_references(work: &mut Work, facts: &Facts) -> Result<(), EmployeeError> {
    let mut unknown = Vec::new();
    if let Some(id) = facts.department_id
        && work.departments().get(id).await?.is_none()
    {
        unknown.push("/department_id");
    }
    if let Some(id) = facts.designation_id
        && work.designations().get(id).await?.is_none()
    {
        unknown.push("/designation_id");
    }
    if let Some(id) = facts.location_id
        && work.locations().get(id).await?.is_none()
    {
        unknown.push("/location_id");
    }
    let unknown = unknown.into_iter().map(FieldError::unknown_reference).collect::<Vec<_>>();
    if unknown.is_empty() { Ok(()) } else { Err(CommonError::Invalid(unknown).into()) }
}

/// Refuses a manager who doesn't exist here or isn't employed on the first day of the relation.
pub(super) async fn check_manager(
    work: &mut Work,
    manager: EmployeeId,
    on: Date,
) -> Result<(), EmployeeError> {
    let timelines = work.employment().timelines_of(&[manager]).await?;
    match timelines.get(&manager) {
        Some(timeline) if timeline.at(on).is_some() => Ok(()),
        Some(_) => Err(EmployeeError::manager_not_employed(on)),
        None if work.employees().existing(&[manager]).await?.is_empty() => {
            Err(CommonError::unknown_reference("/manager_id").into())
        }
        None => Err(EmployeeError::manager_not_employed(on)),
    }
}

/// Refuses a timeline that would put the employee above themselves on any day (P24). The reporting line
/// must be locked. One statement for each level above the employee.
async fn check_line(work: &mut Work, id: EmployeeId, timeline: &Timeline) -> Result<(), EmployeeError> {
    let mut line = ReportingLine::default();
    line.set(id, timeline);
    let mut level: Vec<EmployeeId> = line.managers_of(id).collect();
    while !level.is_empty() {
        let known: HashMap<EmployeeId, Timeline> = work.employment().timelines_of(&level).await?;
        let mut next = Vec::new();
        for manager in level {
            line.set(manager, known.get(&manager).unwrap_or(&Timeline::default()));
            next.extend(line.managers_of(manager));
        }
        next.retain(|manager| !line.knows(*manager));
        next.sort_unstable();
        next.dedup();
        level = next;
    }
    line.cycle_through(id).map_or(Ok(()), |cycle| Err(cycle.into()))
}

/// Refuses a change that names nothing.
fn named(change: Change) -> Result<Change, CommonError> {
    if change.is_empty() {
        return Err(CommonError::invalid("", "nothing-to-change", "name at least one fact to change"));
    }
    Ok(change)
}
