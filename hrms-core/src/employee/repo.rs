//! What is asked of storage for employees.

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::employee::{Employee, EmployeeView, EmploymentView};
use crate::employment::{EmploymentStatus, EmploymentType};
use crate::error::StoreError;
use crate::id::{DepartmentId, DesignationId, EmployeeId, LocationId};
use crate::page::PageRequest;
use crate::policy::{Resource, Visibility};

/// Which employees to list, and what of them to look at.
#[derive(Clone, Debug)]
pub struct EmployeeFilter {
    /// The rows that the caller may see, by the record in force `today`.
    pub visible: Visibility,
    /// The date for `visible`.
    pub today: Date,
    /// The date of the records shown and filtered by.
    pub as_of: Date,
    /// Folded words; each must begin a word of names, number or e-mail address.
    pub words: Vec<String>,
    /// Only those in one of these departments; `None` for all.
    pub departments: Option<Vec<DepartmentId>>,
    /// Only those with this designation.
    pub designation_id: Option<DesignationId>,
    /// Only those at this location.
    pub location_id: Option<LocationId>,
    /// Only those who report to this employee.
    pub manager_id: Option<EmployeeId>,
    /// Only those whose employment stands like this.
    pub status: Option<EmploymentStatus>,
    /// Only those with this kind of contract.
    pub employment_type: Option<EmploymentType>,
    /// Only those employed (or not) on the date.
    pub employed: Option<bool>,
    /// Only those with approved leave on a day from the first of these to the second.
    pub on_leave: Option<(Date, Date)>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

impl EmployeeFilter {
    /// Everybody whom `visible` shows, as of a date.
    #[must_use]
    pub fn everybody(visible: Visibility, as_of: Date) -> Self {
        Self {
            visible,
            today: as_of,
            as_of,
            words: Vec::new(),
            departments: None,
            designation_id: None,
            location_id: None,
            manager_id: None,
            status: None,
            employment_type: None,
            employed: None,
            on_leave: None,
            updated_after: None,
        }
    }
}

/// Orders of a list of employees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmployeeSort {
    /// By family name, then given name.
    #[default]
    Name,
    /// By number.
    Number,
    /// By first day of the first employment.
    HiredOn,
}

/// An employee as shown, with what decisions about them rest on.
#[derive(Clone, Debug, PartialEq)]
pub struct EmployeeRow {
    /// As shown, with personal data.
    pub view: EmployeeView,
    /// Owner, manager and department by the record in force today.
    pub resource: Resource,
    /// The time zone of the location in the record shown.
    pub time_zone: Option<String>,
}

/// Employees in storage.
#[async_trait]
pub trait EmployeeRepo: Send {
    /// The employee with this id.
    async fn get(&mut self, id: EmployeeId) -> Result<Option<Employee>, StoreError>;
    /// The employee with this id, which nobody else can change until this unit of work ends.
    async fn get_for_change(&mut self, id: EmployeeId) -> Result<Option<Employee>, StoreError>;
    /// An employee with the record in force on `as_of`, judged by the one in force `today`: one statement.
    async fn view(
        &mut self,
        id: EmployeeId,
        as_of: Date,
        today: Date,
    ) -> Result<Option<EmployeeRow>, StoreError>;
    /// Up to `limit + 1` employees in the order asked for: one statement.
    async fn list(
        &mut self,
        filter: &EmployeeFilter,
        page: &PageRequest<EmployeeSort>,
    ) -> Result<Vec<EmployeeRow>, StoreError>;
    /// Every employment record of an employee, oldest first, with names: one statement.
    async fn history(&mut self, id: EmployeeId) -> Result<Vec<EmploymentView>, StoreError>;
    /// Which of these exist.
    async fn existing(&mut self, ids: &[EmployeeId]) -> Result<Vec<EmployeeId>, StoreError>;
    /// The employees with these ids, in no particular order.
    async fn find_by_ids(&mut self, ids: &[EmployeeId]) -> Result<Vec<Employee>, StoreError>;
    /// The employees with these numbers, in no particular order.
    async fn find_by_numbers(&mut self, numbers: &[String]) -> Result<Vec<Employee>, StoreError>;
    /// The employees with these e-mail addresses (compared folded), in no particular order.
    async fn find_by_emails(&mut self, emails: &[String]) -> Result<Vec<Employee>, StoreError>;
    /// Adds employees; `employee_number_key` and `employee_email_key` keep those unique.
    async fn insert_many(&mut self, employees: &[Employee]) -> Result<(), StoreError>;
    /// Writes employees, each of which is one version ahead of the stored one.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when one isn't: the unit of work must then be dropped.
    async fn update_many(&mut self, employees: &[Employee]) -> Result<(), StoreError>;
    /// Counts `count` more employees; the new value of the organisation's counter.
    async fn draw_numbers(&mut self, count: i64) -> Result<i64, StoreError>;
}
