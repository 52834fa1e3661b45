//! What is shown of an employee.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use crate::employee::{EmployeeSort, Gender, name_key};
use crate::employment::{EmploymentStatus, EmploymentType, EndReason};
use crate::id::{DepartmentId, DesignationId, EmployeeId, LocationId};
use crate::store::{Version, Versioned};

/// The id and name of something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Named<Id> {
    /// Its id.
    pub id: Id,
    /// Its name, shown to people.
    pub name: String,
}

/// Id, number and name of an employee.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EmployeeRef {
    /// Their id.
    pub id: EmployeeId,
    /// Their number.
    pub number: String,
    /// Their full name.
    pub name: String,
}

/// One record of an employment, with the names of what it refers to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EmploymentView {
    /// First day on which this is true.
    pub valid_from: Date,
    /// First day on which it isn't any more; `null` until further notice.
    pub valid_to: Option<Date>,
    /// Department.
    pub department: Option<Named<DepartmentId>>,
    /// Designation (job title).
    pub designation: Option<Named<DesignationId>>,
    /// Location.
    pub location: Option<Named<LocationId>>,
    /// Whom the employee reports to.
    pub manager: Option<EmployeeRef>,
    /// Kind of contract.
    pub employment_type: EmploymentType,
    /// How the employment stands.
    pub status: EmploymentStatus,
    /// Whether this was set by a correction.
    pub corrected: bool,
    /// Why the employment ends with this record; `null` when it goes on or nobody said why.
    pub end_reason: Option<EndReason>,
}

/// Every employment record of an employee, oldest first. A day in none of them is one without employment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EmploymentHistory {
    /// The records.
    pub items: Vec<EmploymentView>,
}

/// An employee with the employment record in force on a date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EmployeeView {
    /// The employee's id.
    pub id: EmployeeId,
    /// The number shown to people.
    pub number: String,
    /// Given names.
    pub given_name: String,
    /// Family names.
    pub family_name: String,
    /// Work e-mail address.
    pub email: Option<String>,
    /// Date of birth; absent unless the caller may see personal data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Date>, required = false))]
    pub birth_date: Option<Option<Date>>,
    /// Gender; absent unless the caller may see personal data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Gender>, required = false))]
    pub gender: Option<Option<Gender>>,
    /// First day of the first employment.
    pub hired_on: Date,
    /// The record in force on the date asked for; `null` when not employed then.
    pub employment: Option<EmploymentView>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Counts changes.
    pub version: Version,
}

impl Versioned for EmployeeView {
    fn version(&self) -> Version {
        self.version
    }
}

impl EmployeeView {
    /// The text form of what a list in this order is sorted by.
    #[must_use]
    pub fn sort_key(&self, sort: EmployeeSort) -> String {
        match sort {
            EmployeeSort::Name => name_key(&self.given_name, &self.family_name),
            EmployeeSort::Number => self.number.clone(),
            EmployeeSort::HiredOn => self.hired_on.to_string(),
        }
    }

    /// The same without what needs a permission of its own.
    #[must_use]
    pub fn without_personal_data(mut self) -> Self {
        self.birth_date = None;
        self.gender = None;
        self
    }
}
