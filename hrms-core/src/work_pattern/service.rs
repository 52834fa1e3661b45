//! What can be done with working patterns.

use super::{
    AssignWorkPattern, NewWorkPattern, WorkPattern, WorkPatternError, WorkPatternFilter, WorkPatternPatch,
    WorkPatternPeriods, WorkPatternSort, WorkRule, assign,
};
use crate::actor::Actor;
use crate::audit::Change;
use crate::employee::is_barred_from;
use crate::error::{CommonError, StoreError};
use crate::event::{NewEvent, subject};
use crate::hrms::{Hrms, Work};
use crate::id::{EmployeeId, LocationId, WorkPatternId};
use crate::leave::{RecountCause, RecountLeave, Whose, last_of};
use crate::page::{Page, PageRequest, Position};
use crate::period::Period;
use crate::policy::{Decision, Permission, Resource};
use crate::store::{Tx, Version};
use crate::validate::Check;

/// What can be done with working patterns.
#[derive(Clone, Copy, Debug)]
pub struct WorkPatternService<'a>(&'a Hrms);

impl Hrms {
    /// Working patterns, and who has which when.
    #[must_use]
    pub fn work_patterns(&self) -> WorkPatternService<'_> {
        WorkPatternService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "working pattern" };
const NO_LOCATION: CommonError = CommonError::NotFound { what: "location" };
const NO_EMPLOYEE: CommonError = CommonError::NotFound { what: "employee" };
const HIDDEN_EMPLOYEE: CommonError = CommonError::Hidden { what: "employee" };

impl WorkPatternService<'_> {
    /// One working pattern.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(&self, actor: &Actor, id: WorkPatternId) -> Result<WorkPattern, WorkPatternError> {
        self.0.require(actor, Permission::WorkPatternRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        Ok(tx.work_patterns().get(id).await?.ok_or(NOT_FOUND)?)
    }

    /// A page of working patterns.
    ///
    /// # Errors
    /// When they may not be seen.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &WorkPatternFilter,
        page: &PageRequest<WorkPatternSort>,
    ) -> Result<Page<WorkPattern>, WorkPatternError> {
        self.0.require(actor, Permission::WorkPatternRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        let rows = tx.work_patterns().list(filter, page).await?;
        Ok(Page::from_rows(rows, page.limit, |last| Position {
            key: match page.sort {
                WorkPatternSort::Name => last.name.clone(),
                WorkPatternSort::Code => last.code.clone(),
            },
            id: last.id.as_uuid(),
        }))
    }

    /// Adds a working pattern.
    ///
    /// # Errors
    /// [`WorkPatternError::CodeTaken`]; faulty fields.
    pub async fn create(&self, actor: &Actor, new: NewWorkPattern) -> Result<WorkPattern, WorkPatternError> {
        self.0.require(actor, Permission::WorkPatternManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let pattern = WorkPattern {
            id: WorkPatternId::from_uuid(self.0.ids().next()),
            code: new.code,
            name: new.name,
            rule: WorkRule {
                standard_minutes: new.standard_minutes,
                weeks: new.weeks,
                first_week: new.first_week,
                nth_weekdays: new.nth_weekdays,
            },
            created_at: work.now(),
            updated_at: work.now(),
            version: Version::FIRST,
        };
        check(&pattern)?;
        work.work_patterns().insert(&pattern).await?;
        work.emit(event("work_pattern.created", &pattern, Change::created(&pattern)));
        Ok(work.commit(pattern).await?)
    }

    /// Changes code and name of a working pattern that is still at version `expected`.
    ///
    /// # Errors
    /// [`CommonError::Stale`]; [`WorkPatternError::CodeTaken`]; faulty fields.
    pub async fn change(
        &self,
        actor: &Actor,
        id: WorkPatternId,
        expected: Version,
        patch: WorkPatternPatch,
    ) -> Result<WorkPattern, WorkPatternError> {
        self.0.require(actor, Permission::WorkPatternManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let before = work.work_patterns().get(id).await?.ok_or(NOT_FOUND)?;
        if before.version != expected {
            return Err(CommonError::Stale.into());
        }
        let mut pattern = before.clone();
        patch.code.required("/code", &mut pattern.code)?;
        patch.name.required("/name", &mut pattern.name)?;
        if pattern == before {
            return Ok(work.commit(pattern).await?);
        }
        check(&pattern)?;
        pattern.updated_at = work.now();
        pattern.version = expected.next();
        work.work_patterns().update(&pattern, expected).await?;
        work.emit(event("work_pattern.changed", &pattern, Change::changed(&before, &pattern)));
        Ok(work.commit(pattern).await?)
    }

    /// Removes a working pattern that nobody has or had and that is still at version `expected`.
    ///
    /// # Errors
    /// [`WorkPatternError::InUse`]; [`CommonError::Stale`].
    pub async fn remove(
        &self,
        actor: &Actor,
        id: WorkPatternId,
        expected: Version,
    ) -> Result<(), WorkPatternError> {
        self.0.require(actor, Permission::WorkPatternManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let pattern = work.work_patterns().get(id).await?.ok_or(NOT_FOUND)?;
        match work.work_patterns().remove(id, expected).await {
            Err(StoreError::Conflict { .. }) => return Err(WorkPatternError::InUse),
            other => other?,
        }
        work.emit(event("work_pattern.removed", &pattern, Change::removed(&pattern)));
        Ok(work.commit(()).await?)
    }

    /// The patterns that a location had, has and will have, oldest first.
    ///
    /// # Errors
    /// When the location isn't there or may not be seen.
    pub async fn of_location(
        &self,
        actor: &Actor,
        location: LocationId,
    ) -> Result<WorkPatternPeriods, WorkPatternError> {
        self.0.require(actor, Permission::LocationRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        tx.locations().get(location).await?.ok_or(NO_LOCATION)?;
        let all = tx.work_patterns().of_locations(&[location]).await?.remove(&location);
        Ok(WorkPatternPeriods::of(&all.unwrap_or_default()))
    }

    /// Gives a location a pattern for a period; what it had for days of that period, it loses.
    ///
    /// # Errors
    /// Faulty fields, an unknown pattern among them.
    pub async fn assign_to_location(
        &self,
        actor: &Actor,
        location: LocationId,
        new: AssignWorkPattern,
    ) -> Result<WorkPatternPeriods, WorkPatternError> {
        self.0.require(actor, Permission::LocationManage, &Resource::organization())?;
        let period = period(&new)?;
        let mut work = self.0.begin(actor).await?;
        work.work_patterns().lock_working_days().await?;
        work.locations().get(location).await?.ok_or(NO_LOCATION)?;
        known(&mut work, new.work_pattern_id).await?;
        let mut all = work.work_patterns().of_locations(&[location]).await?.remove(&location);
        let mut all = all.take().unwrap_or_default();
        let before = all.clone();
        assign(&mut all, new.work_pattern_id, period);
        let shown = WorkPatternPeriods::of(&all);
        if all != before {
            work.work_patterns().replace_of_location(location, &all).await?;
            let (whose, because) = (
                Whose::Locations(vec![location]),
                RecountCause::LocationWorkPattern { location_id: location },
            );
            let (from, last) = (period.from(), last_of(period));
            work.recount_leave(&RecountLeave { whose, from, last, because }).await?;
            work.emit(NewEvent {
                kind: "location.work-pattern-assigned",
                subject: subject("locations", location.as_uuid()),
                data: serde_json::json!({ "location_id": location, "from": new.from }),
                change: Change::changed(&WorkPatternPeriods::of(&before), &shown),
                permission: Permission::LocationRead,
                resource: Resource::organization(),
            });
        }
        Ok(work.commit(shown).await?)
    }

    /// The patterns of their own that an employee had, has and will have, oldest first.
    ///
    /// # Errors
    /// When the employee isn't there or may not be seen.
    pub async fn of_employee(
        &self,
        actor: &Actor,
        employee: EmployeeId,
    ) -> Result<WorkPatternPeriods, WorkPatternError> {
        self.0.visibility(actor, Permission::EmployeeRead)?;
        let mut tx = self.0.read(actor).await?;
        self.seen(&mut *tx, actor, employee).await?;
        let all = tx.work_patterns().of_employees(&[employee]).await?.remove(&employee);
        Ok(WorkPatternPeriods::of(&all.unwrap_or_default()))
    }

    /// Gives an employee a pattern of their own for a period; what they had for days of that period, they lose.
    ///
    /// # Errors
    /// [`WorkPatternError::Own`]; faulty fields, an unknown pattern among them.
    pub async fn assign_to_employee(
        &self,
        actor: &Actor,
        employee: EmployeeId,
        new: AssignWorkPattern,
    ) -> Result<WorkPatternPeriods, WorkPatternError> {
        self.0.visibility(actor, Permission::EmployeeManage)?;
        let period = period(&new)?;
        let mut work = self.0.begin(actor).await?;
        let resource = self.seen(&mut *work, actor, employee).await?;
        self.0.require(actor, Permission::EmployeeManage, &resource)?;
        if is_barred_from(self.0, actor, employee) {
            return Err(WorkPatternError::Own);
        }
        work.work_patterns().lock_working_days().await?;
        known(&mut work, new.work_pattern_id).await?;
        let all = work.work_patterns().of_employees(&[employee]).await?.remove(&employee);
        let mut all = all.unwrap_or_default();
        let before = all.clone();
        assign(&mut all, new.work_pattern_id, period);
        let shown = WorkPatternPeriods::of(&all);
        if all != before {
            work.work_patterns().replace_of_employee(employee, &all).await?;
            let (whose, because) = (Whose::Employees(vec![employee]), RecountCause::EmployeeWorkPattern);
            let (from, last) = (period.from(), last_of(period));
            work.recount_leave(&RecountLeave { whose, from, last, because }).await?;
            work.emit(NewEvent {
                kind: "employee.work-pattern-assigned",
                subject: subject("employees", employee.as_uuid()),
                data: serde_json::json!({ "employee_id": employee, "from": new.from }),
                change: Change::changed(&WorkPatternPeriods::of(&before), &shown),
                permission: Permission::EmployeeRead,
                resource,
            });
        }
        Ok(work.commit(shown).await?)
    }

    /// What decisions about an employee rest on, if the actor may see them.
    async fn seen(
        &self,
        tx: &mut dyn Tx,
        actor: &Actor,
        employee: EmployeeId,
    ) -> Result<Resource, CommonError> {
        let today = self.0.today();
        let mut resource = tx.employees().view(employee, today, today).await?.ok_or(NO_EMPLOYEE)?.resource;
        self.0.complete(tx, actor, [&mut resource], today).await?;
        match self.0.policy().decide(actor, Permission::EmployeeRead, &resource) {
            Decision::Allow => Ok(resource),
            Decision::Deny => Err(HIDDEN_EMPLOYEE),
        }
    }
}

fn period(new: &AssignWorkPattern) -> Result<Period, CommonError> {
    let mut check = Check::new();
    let period = check.period("/from", new.from, "/to", new.to);
    check.done()?;
    Ok(period.unwrap_or(Period::since(new.from)))
}

async fn known(work: &mut Work, pattern: Option<WorkPatternId>) -> Result<(), WorkPatternError> {
    let Some(pattern) = pattern else { return Ok(()) };
    match work.work_patterns().get(pattern).await? {
        Some(_) => Ok(()),
        None => Err(CommonError::unknown_reference("/work_pattern_id").into()),
    }
}

fn check(pattern: &WorkPattern) -> Result<(), CommonError> {
    let mut check = Check::new();
    check.code("/code", &pattern.code);
    check.text("/name", &pattern.name, 1..=200);
    pattern.rule.check(&mut check);
    check.done()
}

fn event(kind: &'static str, pattern: &WorkPattern, change: Change) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("work-patterns", pattern.id.as_uuid()),
        data: serde_json::json!({ "work_pattern_id": pattern.id }),
        change,
        permission: Permission::WorkPatternRead,
        resource: Resource::organization(),
    }
}
