//! What is decided on.

use jiff::civil::Date;
use uuid::Uuid;

use super::ApprovalKind;
use super::chain::Known;
use crate::id::EmployeeId;
use crate::policy::Resource;

/// What is decided on, as its module knows it.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) kind: ApprovalKind,
    pub(crate) subject_id: Uuid,
    pub(crate) employee_id: EmployeeId,
    /// The employee by the record in force, and what conditions look at besides.
    pub(crate) resource: Resource,
    pub(crate) numbers: Vec<(&'static str, i64)>,
    pub(crate) texts: Vec<(&'static str, String)>,
    /// Today at the employee's workplace.
    pub(crate) today: Date,
}

impl Subject {
    pub(super) fn known(&self, name: &str) -> Option<Known> {
        let number = self.numbers.iter().find(|(known, _)| *known == name);
        if let Some((_, number)) = number {
            return Some(Known::Number(*number));
        }
        if let Some((_, text)) = self.texts.iter().find(|(known, _)| *known == name) {
            return Some(Known::Text(text.clone()));
        }
        let facts = &self.resource.facts;
        let text = match name {
            "location_id" => facts.location_id?.to_string(),
            "department_id" => facts.department_id?.to_string(),
            "designation_id" => facts.designation_id?.to_string(),
            "employment_type" => facts.employment_type.code().to_owned(),
            _ => return None,
        };
        Some(Known::Text(text))
    }
}
