//! What can be done with employees.

mod record;

pub(crate) use record::is_barred_from;

use jiff::civil::Date;

use crate::actor::Actor;
use crate::audit::Change;
use crate::employee::audit::OnRecord;
use crate::employee::{
    Employee, EmployeeError, EmployeeFilter, EmployeePatch, EmployeeRow, EmployeeSearch, EmployeeSort,
    EmployeeView, EmploymentHistory, NewEmployee, drawn_number,
};
use crate::employment::Timeline;
use crate::error::CommonError;
use crate::event::{NewEvent, subject};
use crate::hrms::{Hrms, Work};
use crate::id::EmployeeId;
use crate::page::{Filling, Page, PageRequest, Position};
use crate::policy::{Decision, Permission, Resource};
use crate::store::{Tx, Version};
use crate::validate::{Check, fold, time_zone};

/// What can be done with employees.
#[derive(Clone, Copy, Debug)]
pub struct EmployeeService<'a>(&'a Hrms);

impl Hrms {
    /// Employees.
    #[must_use]
    pub fn employees(&self) -> EmployeeService<'_> {
        EmployeeService(self)
    }
}

const NOT_FOUND: CommonError = CommonError::NotFound { what: "employee" };
const HIDDEN: CommonError = CommonError::Hidden { what: "employee" };

/// How often a drawn number may turn out to be in use before we give up.
const DRAWS: usize = 100;

impl EmployeeService<'_> {
    /// One employee, with the record in force on `as_of`; when that is absent, on today's date at the
    /// employee's location (UTC without one). One statement, in the hours when that date differs from
    /// UTC's a second one.
    ///
    /// # Errors
    /// When they aren't there or may not be seen.
    pub async fn get(
        &self,
        actor: &Actor,
        id: EmployeeId,
        as_of: Option<Date>,
    ) -> Result<EmployeeView, EmployeeError> {
        self.0.visibility(actor, Permission::EmployeeRead)?;
        check_as_of(as_of)?;
        let today = self.0.today();
        let mut tx = self.0.read(actor).await?;
        let mut row = tx.employees().view(id, as_of.unwrap_or(today), today).await?.ok_or(NOT_FOUND)?;
        self.see(&mut *tx, actor, &mut row).await?;
        if as_of.is_none()
            && let Some(zone) = row.time_zone.as_deref().and_then(time_zone)
        {
            let there = self.0.clock().today(&zone);
            if there != today {
                let resource = row.resource;
                row = tx.employees().view(id, there, today).await?.ok_or(NOT_FOUND)?;
                row.resource = resource;
            }
        }
        Ok(self.shown(actor, row))
    }

    /// A page of employees: two statements, three when departments below count too.
    ///
    /// # Errors
    /// When none may be seen; faulty filters.
    pub async fn list(
        &self,
        actor: &Actor,
        search: &EmployeeSearch,
        page: &PageRequest<EmployeeSort>,
    ) -> Result<Page<EmployeeView>, EmployeeError> {
        let visible = self.0.visibility(actor, Permission::EmployeeRead)?;
        check_as_of(search.as_of)?;
        let words = words(search.q.as_deref().unwrap_or_default())?;
        let today = self.0.today();
        let mut tx = self.0.read(actor).await?;
        let departments = match search.department_id {
            Some(top) if search.include_subdepartments => Some(tx.departments().tree().await?.subtree(top)),
            other => other.map(|only| vec![only]),
        };
        let filter = EmployeeFilter {
            today,
            words,
            departments,
            designation_id: search.designation_id,
            location_id: search.location_id,
            manager_id: search.manager_id,
            status: search.status,
            employment_type: search.employment_type,
            employed: search.employed,
            updated_after: search.updated_after,
            ..EmployeeFilter::everybody(visible, search.as_of.unwrap_or(today))
        };
        let policy = self.0.policy();
        let mut filling = Filling::new(page, policy.narrows(actor, Permission::EmployeeRead));
        loop {
            let mut rows = tx.employees().list(&filter, filling.request()).await?;
            self.0.complete(&mut *tx, actor, rows.iter_mut().map(|row| &mut row.resource), today).await?;
            let may = |row: &EmployeeRow| {
                policy.decide(actor, Permission::EmployeeRead, &row.resource) == Decision::Allow
            };
            let position =
                |row: &EmployeeRow| Position { key: row.view.sort_key(page.sort), id: row.view.id.as_uuid() };
            if let Some(page) = filling.take(rows, may, position) {
                return Ok(page.map(|row| self.shown(actor, row)));
            }
        }
    }

    /// Every employment record of an employee, oldest first: two statements.
    ///
    /// # Errors
    /// When they aren't there or may not be seen.
    pub async fn history(&self, actor: &Actor, id: EmployeeId) -> Result<EmploymentHistory, EmployeeError> {
        self.0.visibility(actor, Permission::EmployeeRead)?;
        let today = self.0.today();
        let mut tx = self.0.read(actor).await?;
        let mut row = tx.employees().view(id, today, today).await?.ok_or(NOT_FOUND)?;
        self.see(&mut *tx, actor, &mut row).await?;
        Ok(EmploymentHistory { items: tx.employees().history(id).await? })
    }

    /// Hires somebody. Shown as of the first day.
    ///
    /// # Errors
    /// [`EmployeeError::NumberTaken`]; [`EmployeeError::EmailTaken`];
    /// [`EmployeeError::ManagerNotEmployed`]; faulty fields.
    pub async fn hire(&self, actor: &Actor, new: NewEmployee) -> Result<EmployeeView, EmployeeError> {
        self.0.require(actor, Permission::EmployeeManage, &Resource::organization())?;
        if new.birth_date.is_some() || new.gender.is_some() {
            self.0.require(actor, Permission::EmployeeManagePersonal, &Resource::organization())?;
        }
        let facts = new.facts();
        let id = EmployeeId::from_uuid(self.0.ids().next());
        // Policies of the organisation may look at where the new one is going to work.
        self.0.require(actor, Permission::EmployeeManage, &Resource::of(id, facts))?;
        let mut employee = Employee {
            id,
            number: new.number.clone().unwrap_or_else(|| drawn_number(0)),
            given_name: new.given_name,
            family_name: new.family_name,
            email: new.email,
            email_changed_by: None,
            birth_date: new.birth_date,
            gender: new.gender,
            hired_on: new.hired_on,
            created_at: self.0.clock().now(),
            updated_at: self.0.clock().now(),
            version: Version::FIRST,
        };
        check(&employee)?;
        let mut work = self.0.begin(actor).await?;
        (employee.created_at, employee.updated_at) = (work.now(), work.now());
        record::check_references(&mut work, &facts).await?;
        if let Some(manager) = facts.manager_id {
            // Nobody reports to a new employee, so this can't close a cycle.
            record::check_manager(&mut work, manager, new.hired_on).await?;
        }
        if new.number.is_none() {
            employee.number = draw_number(&mut work).await?;
        }
        let hired_on = employee.hired_on;
        work.employees().insert_many(std::slice::from_ref(&employee)).await?;
        let timeline = Timeline::hired(hired_on, facts);
        let hired = Change::created(&OnRecord { employee: Some(&employee), timeline: Some(&timeline) });
        work.employment().replace_timelines(&[(id, timeline)]).await?;
        self.finish(actor, work, id, "employee.hired", hired_on, hired).await
    }

    /// Changes personal data of an employee who is still at version `expected`.
    ///
    /// # Errors
    /// [`CommonError::Stale`]; [`EmployeeError::NumberTaken`]; [`EmployeeError::EmailTaken`]; faulty fields;
    /// [`CommonError::Unconfirmed`] for another e-mail address.
    pub async fn change(
        &self,
        actor: &Actor,
        id: EmployeeId,
        expected: Version,
        patch: EmployeePatch,
    ) -> Result<EmployeeView, EmployeeError> {
        let mut work = self.0.begin(actor).await?;
        let resource = self.manage(actor, &mut work, id).await?;
        if !patch.birth_date.is_keep() || !patch.gender.is_keep() {
            self.0.require(actor, Permission::EmployeeManagePersonal, &resource)?;
        }
        let before = work.employees().get_for_change(id).await?.ok_or(NOT_FOUND)?;
        if before.version != expected {
            return Err(CommonError::Stale.into());
        }
        let mut employee = before.clone();
        patch.number.required("/number", &mut employee.number)?;
        patch.given_name.required("/given_name", &mut employee.given_name)?;
        patch.family_name.required("/family_name", &mut employee.family_name)?;
        patch.email.apply(&mut employee.email);
        patch.birth_date.apply(&mut employee.birth_date);
        patch.gender.apply(&mut employee.gender);
        let today = self.0.today();
        if employee == before {
            let row = work.employees().view(id, today, today).await?.ok_or(NOT_FOUND)?;
            return Ok(work.commit(self.shown(actor, row)).await?);
        }
        check(&employee)?;
        if employee.email != before.email {
            // It is where an invitation goes that makes somebody this employee.
            self.0.require_confirmed(actor)?;
        }
        employee.note_email_change(&before, actor);
        employee.updated_at = work.now();
        employee.version = expected.next();
        work.employees().update_many(std::slice::from_ref(&employee)).await?;
        let change = Change::changed(&OnRecord::person(&before), &OnRecord::person(&employee));
        self.finish(actor, work, id, "employee.changed", today, change).await
    }

    /// Announces a change and shows the employee as of a date.
    async fn finish(
        &self,
        actor: &Actor,
        mut work: Work,
        id: EmployeeId,
        kind: &'static str,
        as_of: Date,
        change: Change,
    ) -> Result<EmployeeView, EmployeeError> {
        let today = self.0.today();
        let mut row = work.employees().view(id, as_of, today).await?.ok_or(NOT_FOUND)?;
        self.0.complete(&mut *work, actor, [&mut row.resource], today).await?;
        work.emit(NewEvent {
            kind,
            subject: subject("employees", id.as_uuid()),
            data: serde_json::json!({ "employee_id": id, "from": as_of }),
            change,
            permission: Permission::EmployeeRead,
            resource: row.resource.clone(),
        });
        let view = self.shown(actor, row);
        Ok(work.commit(view).await?)
    }

    /// Refuses, as not found, whoever may not see the employee.
    async fn see(&self, tx: &mut dyn Tx, actor: &Actor, row: &mut EmployeeRow) -> Result<(), CommonError> {
        self.0.complete(tx, actor, [&mut row.resource], self.0.today()).await?;
        match self.0.policy().decide(actor, Permission::EmployeeRead, &row.resource) {
            Decision::Allow => Ok(()),
            Decision::Deny => Err(HIDDEN),
        }
    }

    /// Refuses whoever may not manage the employee: as not found, when they may not even see them.
    async fn manage(
        &self,
        actor: &Actor,
        work: &mut Work,
        id: EmployeeId,
    ) -> Result<Resource, EmployeeError> {
        self.0.visibility(actor, Permission::EmployeeManage)?;
        let today = self.0.today();
        let mut row = work.employees().view(id, today, today).await?.ok_or(NOT_FOUND)?;
        self.see(&mut **work, actor, &mut row).await?;
        self.0.require(actor, Permission::EmployeeManage, &row.resource)?;
        Ok(row.resource)
    }

    fn shown(&self, actor: &Actor, row: EmployeeRow) -> EmployeeView {
        match self.0.policy().decide(actor, Permission::EmployeeReadPersonal, &row.resource) {
            Decision::Allow => row.view,
            Decision::Deny => row.view.without_personal_data(),
        }
    }
}

/// Numbers may also be given by hand, so a drawn one can be in use already; gaps don't matter (P25).
async fn draw_number(work: &mut Work) -> Result<String, EmployeeError> {
    for _ in 0..DRAWS {
        let number = drawn_number(work.employees().draw_numbers(1).await?);
        if work.employees().find_by_numbers(std::slice::from_ref(&number)).await?.is_empty() {
            return Ok(number);
        }
    }
    Err(EmployeeError::NumberTaken)
}

/// The folded words of a search text.
fn words(q: &str) -> Result<Vec<String>, CommonError> {
    let words: Vec<String> = fold(q).split_whitespace().map(str::to_owned).collect();
    if q.chars().count() > 200 || words.len() > 10 || q.chars().any(char::is_control) {
        let detail = "search for at most 10 words and 200 characters, without control characters";
        return Err(CommonError::invalid("/q", "not-searchable", detail));
    }
    Ok(words)
}

fn check_as_of(as_of: Option<Date>) -> Result<(), CommonError> {
    let mut check = Check::new();
    if let Some(as_of) = as_of {
        check.date("/as_of", as_of);
    }
    check.done()
}

/// Checks what doesn't depend on other rows. Imports call it too.
///
/// # Errors
/// [`CommonError::Invalid`] with every fault.
pub fn check(employee: &Employee) -> Result<(), CommonError> {
    let mut check = Check::new();
    check.code("/number", &employee.number);
    check.text("/given_name", &employee.given_name, 1..=100);
    check.text("/family_name", &employee.family_name, 0..=100);
    if let Some(email) = &employee.email {
        check.email("/email", email);
    }
    check.date("/hired_on", employee.hired_on);
    if let Some(birth_date) = employee.birth_date {
        check.date("/birth_date", birth_date);
        if birth_date >= employee.hired_on {
            check.fault("/birth_date", "not-before-hire", "this must lie before the day of hiring");
        }
    }
    check.done()
}
