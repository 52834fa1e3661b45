//! What is asked for of an employee.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;

use crate::employee::Gender;
use crate::employment::{Change, EmploymentStatus, EmploymentType, EndReason, Facts};
use crate::error::CommonError;
use crate::id::{DepartmentId, DesignationId, EmployeeId, LocationId};
use crate::patch::Patch;

/// Hires somebody: personal data and the first employment record.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewEmployee {
    /// The number shown to people, unique, at most 64 characters; drawn (as in `E-00042`) when absent.
    #[serde(default)]
    pub number: Option<String>,
    /// Given names, at most 100 characters.
    pub given_name: String,
    /// Family names, at most 100 characters; empty for people who have one name.
    #[serde(default)]
    pub family_name: String,
    /// Work e-mail address; unique.
    #[serde(default)]
    pub email: Option<String>,
    /// Date of birth.
    #[serde(default, deserialize_with = "crate::date::strict")]
    pub birth_date: Option<Date>,
    /// Gender.
    #[serde(default)]
    pub gender: Option<Gender>,
    /// First day of the employment.
    #[serde(deserialize_with = "crate::date::strict")]
    pub hired_on: Date,
    /// Department.
    #[serde(default)]
    pub department_id: Option<DepartmentId>,
    /// Designation (job title).
    #[serde(default)]
    pub designation_id: Option<DesignationId>,
    /// Location.
    #[serde(default)]
    pub location_id: Option<LocationId>,
    /// Whom the employee reports to; employed on the first day.
    #[serde(default)]
    pub manager_id: Option<EmployeeId>,
    /// Kind of contract; `full_time` when absent.
    #[serde(default)]
    pub employment_type: EmploymentType,
    /// How the employment stands; `active` when absent.
    #[serde(default)]
    pub status: EmploymentStatus,
}

impl NewEmployee {
    /// Somebody of this name, employed from a day on; set the other fields as you know them.
    #[must_use]
    pub fn new(given_name: impl Into<String>, family_name: impl Into<String>, hired_on: Date) -> Self {
        Self {
            number: None,
            given_name: given_name.into(),
            family_name: family_name.into(),
            email: None,
            birth_date: None,
            gender: None,
            hired_on,
            department_id: None,
            designation_id: None,
            location_id: None,
            manager_id: None,
            employment_type: EmploymentType::default(),
            status: EmploymentStatus::default(),
        }
    }

    pub(crate) fn facts(&self) -> Facts {
        Facts {
            department_id: self.department_id,
            designation_id: self.designation_id,
            location_id: self.location_id,
            manager_id: self.manager_id,
            employment_type: self.employment_type,
            status: self.status,
        }
    }
}

/// What can be changed of an employee apart from the employment record.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct EmployeePatch {
    /// New number.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub number: Patch<String>,
    /// New given names.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub given_name: Patch<String>,
    /// New family names.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub family_name: Patch<String>,
    /// New work e-mail address.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub email: Patch<String>,
    /// New date of birth.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Date>))]
    #[serde(deserialize_with = "crate::date::strict")]
    pub birth_date: Patch<Date>,
    /// New gender.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Gender>))]
    pub gender: Patch<Gender>,
}

/// The facts of a record that a body names; `null` clears one, absent ones stay.
macro_rules! change_of_facts {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$field_meta])* pub $field: $type,)*
            /// Department.
            #[serde(default)]
            #[cfg_attr(feature = "openapi", schema(value_type = Option<DepartmentId>))]
            pub department_id: Patch<DepartmentId>,
            /// Designation (job title).
            #[serde(default)]
            #[cfg_attr(feature = "openapi", schema(value_type = Option<DesignationId>))]
            pub designation_id: Patch<DesignationId>,
            /// Location.
            #[serde(default)]
            #[cfg_attr(feature = "openapi", schema(value_type = Option<LocationId>))]
            pub location_id: Patch<LocationId>,
            /// Whom the employee reports to; employed on the first day of the relation.
            #[serde(default)]
            #[cfg_attr(feature = "openapi", schema(value_type = Option<EmployeeId>))]
            pub manager_id: Patch<EmployeeId>,
            /// Kind of contract.
            #[serde(default)]
            #[cfg_attr(feature = "openapi", schema(value_type = Option<EmploymentType>))]
            pub employment_type: Patch<EmploymentType>,
            /// How the employment stands.
            #[serde(default)]
            #[cfg_attr(feature = "openapi", schema(value_type = Option<EmploymentStatus>))]
            pub status: Patch<EmploymentStatus>,
        }

        impl $name {
            pub(crate) fn change(&self) -> Result<Change, CommonError> {
                Ok(Change {
                    department_id: self.department_id,
                    designation_id: self.designation_id,
                    location_id: self.location_id,
                    manager_id: self.manager_id,
                    employment_type: always("/employment_type", self.employment_type)?,
                    status: always("/status", self.status)?,
                })
            }
        }
    };
}

fn always<T>(pointer: &'static str, patch: Patch<T>) -> Result<Option<T>, CommonError> {
    match patch {
        Patch::Keep => Ok(None),
        Patch::Clear => Err(CommonError::invalid(pointer, "required", "this can't be cleared")),
        Patch::Set(value) => Ok(Some(value)),
    }
}

change_of_facts! {
    /// Changes facts of an employment from a day on: each until the day on which a change of that same fact
    /// is already planned, or else until the employment ends.
    ChangeEmployment {
        /// First day on which the change is true; may lie in the future.
        #[serde(deserialize_with = "crate::date::strict")]
        from: Date,
    }
}

impl ChangeEmployment {
    /// A change from a day on that says nothing yet; set the facts that change.
    #[must_use]
    pub fn from_day(from: Date) -> Self {
        Self {
            from,
            department_id: Patch::Keep,
            designation_id: Patch::Keep,
            location_id: Patch::Keep,
            manager_id: Patch::Keep,
            employment_type: Patch::Keep,
            status: Patch::Keep,
        }
    }
}

change_of_facts! {
    /// Corrects facts of an employment during a period; the records are marked as corrected.
    CorrectEmployment {
        /// First day.
        #[serde(deserialize_with = "crate::date::strict")]
        from: Date,
        /// First day after it; until the end of time when absent.
        #[serde(default, deserialize_with = "crate::date::strict")]
        to: Option<Date>,
        /// Whether days without employment in the period become days of employment (a hiring date that
        /// was too late, an end that was too early). Otherwise such days are an error.
        #[serde(default)]
        extend: bool,
    }
}

/// Ends an employment.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct EndEmployment {
    /// The last day of the employment; changes planned for later days are dropped.
    #[serde(deserialize_with = "crate::date::strict")]
    pub last_day: Date,
    /// Why it ends.
    #[serde(default)]
    pub reason: Option<EndReason>,
}

/// Employs somebody again who had left.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Rehire {
    /// First day of the new employment, after all former ones.
    #[serde(deserialize_with = "crate::date::strict")]
    pub from: Date,
    /// Department.
    #[serde(default)]
    pub department_id: Option<DepartmentId>,
    /// Designation (job title).
    #[serde(default)]
    pub designation_id: Option<DesignationId>,
    /// Location.
    #[serde(default)]
    pub location_id: Option<LocationId>,
    /// Whom the employee reports to; employed on the first day.
    #[serde(default)]
    pub manager_id: Option<EmployeeId>,
    /// Kind of contract; `full_time` when absent.
    #[serde(default)]
    pub employment_type: EmploymentType,
    /// How the employment stands; `active` when absent.
    #[serde(default)]
    pub status: EmploymentStatus,
}

impl Rehire {
    pub(crate) fn facts(&self) -> Facts {
        Facts {
            department_id: self.department_id,
            designation_id: self.designation_id,
            location_id: self.location_id,
            manager_id: self.manager_id,
            employment_type: self.employment_type,
            status: self.status,
        }
    }
}

/// Which employees to search for. All that is set must hold.
#[derive(Clone, Debug, Default)]
pub struct EmployeeSearch {
    /// Beginnings of words of names, number or e-mail address, separated by blanks.
    pub q: Option<String>,
    /// Only those in this department.
    pub department_id: Option<DepartmentId>,
    /// Whether those in its parts count too.
    pub include_subdepartments: bool,
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
    /// The date of the records shown and filtered by; today when absent.
    pub as_of: Option<Date>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}
