//! Employees: people's employment in an organisation. Nobody is deleted; history stays.

pub(crate) mod audit;
mod detail;
mod error;
mod input;
mod repo;
mod service;
mod view;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::actor::Actor;
use crate::employment::coded;
use crate::id::EmployeeId;
use crate::store::{Version, Versioned};
use crate::validate::fold;

pub use detail::{
    BankDetails, BankDetailsPatch, CompensationDetails, CompensationDetailsPatch, Detail, DetailRepo,
    DetailService, FieldGroup, IdentityDetails, IdentityDetailsPatch, MedicalDetails, MedicalDetailsPatch,
    PayAmount, PayPeriod, PersonalDetails, PersonalDetailsPatch, StoredDetail,
};
pub use error::EmployeeError;
pub use input::{
    ChangeEmployment, CorrectEmployment, EmployeePatch, EmployeeSearch, EndEmployment, NewEmployee, Rehire,
};
pub use repo::{EmployeeFilter, EmployeeRepo, EmployeeRow, EmployeeSort};
pub(crate) use service::is_barred_from;
pub use service::{EmployeeService, check};
pub use view::{EmployeeRef, EmployeeView, EmploymentHistory, EmploymentView, Named};

coded! {
    /// Gender, as the employee gives it.
    Gender {
        /// Male.
        Male = "male",
        /// Female.
        Female = "female",
        /// Neither.
        Other = "other",
        /// The employee would rather not say.
        Undisclosed = "undisclosed",
    }
}

/// A person's employment in an organisation: what doesn't depend on a date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Employee {
    /// Its id.
    pub id: EmployeeId,
    /// The number shown to people; unique, and no identity.
    pub number: String,
    /// Given names.
    pub given_name: String,
    /// Family names; empty for people who have one name.
    pub family_name: String,
    /// Work e-mail address, unique when set; compared folded.
    pub email: Option<String>,
    /// Who set that address since the employee was added, a user or a service account; nil for the system. `None`
    /// as long as it is the one that they came with.
    pub email_changed_by: Option<Uuid>,
    /// Date of birth.
    pub birth_date: Option<Date>,
    /// Gender.
    pub gender: Option<Gender>,
    /// First day of the first employment.
    pub hired_on: Date,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it, or the employment record, last changed.
    pub updated_at: Timestamp,
    /// Counts changes of it and of the employment record.
    pub version: Version,
}

impl Versioned for Employee {
    fn version(&self) -> Version {
        self.version
    }
}

impl Employee {
    /// By what employees are sorted: folded family name, then given name.
    #[must_use]
    pub fn name_key(&self) -> String {
        name_key(&self.given_name, &self.family_name)
    }

    /// Remembers that this actor changed the address, if it isn't the one that `before` had.
    pub(crate) fn note_email_change(&mut self, before: &Self, by: &Actor) {
        if self.email_key() != before.email_key() {
            self.email_changed_by = Some(by.principal().unwrap_or_default());
        }
    }

    /// By what e-mail addresses are compared.
    #[must_use]
    pub fn email_key(&self) -> Option<String> {
        self.email.as_deref().map(fold)
    }

    /// The folded words that a search looks for the beginnings of, each behind a blank.
    #[must_use]
    pub fn search_key(&self) -> String {
        let email = self.email.as_deref().unwrap_or_default();
        let all = format!("{} {} {} {email}", self.given_name, self.family_name, self.number);
        fold(&all).split_whitespace().fold(String::new(), |key, word| key + " " + word)
    }
}

fn name_key(given_name: &str, family_name: &str) -> String {
    fold(format!("{family_name} {given_name}").trim())
}

/// The number of the employee counted `count` by the organisation's counter.
#[must_use]
pub fn drawn_number(count: i64) -> String {
    format!("E-{count:05}")
}
