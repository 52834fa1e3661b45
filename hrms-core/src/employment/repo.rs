//! What is asked of storage for employment records.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::civil::Date;

use crate::employment::{ReportingLine, Timeline};
use crate::error::StoreError;
use crate::id::{DepartmentId, EmployeeId};

/// Employment records in storage; `employment_record_no_overlap` keeps the periods of an employee apart.
#[async_trait]
pub trait EmploymentRepo: Send {
    /// The timelines of these employees; those without any record are absent.
    async fn timelines_of(
        &mut self,
        employees: &[EmployeeId],
    ) -> Result<HashMap<EmployeeId, Timeline>, StoreError>;

    /// Replaces the whole timeline of each of these employees, with a few statements for all of them.
    async fn replace_timelines(&mut self, timelines: &[(EmployeeId, Timeline)]) -> Result<(), StoreError>;

    /// Everybody who is in this department on some day.
    async fn members_of(&mut self, department: DepartmentId) -> Result<Vec<EmployeeId>, StoreError>;

    /// Everybody who is in one of these departments on some day from `from` to `last`, both included.
    async fn members_between(
        &mut self,
        departments: &[DepartmentId],
        from: Date,
        last: Date,
    ) -> Result<Vec<EmployeeId>, StoreError>;

    /// The managers of these employees on a day, nearest first, up to the top: one statement.
    async fn managers_above(
        &mut self,
        employees: &[EmployeeId],
        on: Date,
    ) -> Result<HashMap<EmployeeId, Vec<EmployeeId>>, StoreError>;

    /// Waits until no other unit of work of the tenant is changing the reporting line, and keeps it that
    /// way until this one ends. Take it before the rows of employees.
    async fn lock_reporting_line(&mut self) -> Result<(), StoreError>;

    /// Every manager relation of the tenant, past and future.
    async fn reporting_line(&mut self) -> Result<ReportingLine, StoreError>;
}
