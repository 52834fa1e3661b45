//! What the audit log keeps of an employee: the person, and each fact of the employment over time.

use jiff::civil::Date;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use crate::audit::Audited;
use crate::employee::Employee;
use crate::employment::{Facts, Record, Timeline};

/// An employee, or their employment alone, as the audit log shows them.
pub(crate) struct OnRecord<'a> {
    pub(crate) employee: Option<&'a Employee>,
    pub(crate) timeline: Option<&'a Timeline>,
}

impl<'a> OnRecord<'a> {
    pub(crate) fn person(employee: &'a Employee) -> Self {
        Self { employee: Some(employee), timeline: None }
    }

    pub(crate) fn employment(timeline: Option<&'a Timeline>) -> Self {
        Self { employee: None, timeline }
    }
}

impl Audited for OnRecord<'_> {
    const MASKED: &'static [&'static str] = &["birth_date", "gender"];
}

impl Serialize for OnRecord<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(employee) = self.employee {
            // By name, so that a new field needs a decision: on record, masked, or none of its business.
            let Employee {
                id: _,
                number,
                given_name,
                family_name,
                email,
                email_changed_by: _,
                birth_date,
                gender,
                hired_on,
                created_at: _,
                updated_at: _,
                version: _,
            } = employee;
            map.serialize_entry("number", number)?;
            map.serialize_entry("given_name", given_name)?;
            map.serialize_entry("family_name", family_name)?;
            map.serialize_entry("email", email)?;
            map.serialize_entry("birth_date", birth_date)?;
            map.serialize_entry("gender", gender)?;
            map.serialize_entry("hired_on", hired_on)?;
        }
        if let Some(timeline) = self.timeline {
            let records = timeline.history();
            map.serialize_entry("department_id", &spans(records, |facts| facts.department_id))?;
            map.serialize_entry("designation_id", &spans(records, |facts| facts.designation_id))?;
            map.serialize_entry("location_id", &spans(records, |facts| facts.location_id))?;
            map.serialize_entry("manager_id", &spans(records, |facts| facts.manager_id))?;
            map.serialize_entry("employment_type", &spans(records, |facts| Some(facts.employment_type)))?;
            map.serialize_entry("status", &spans(records, |facts| Some(facts.status)))?;
            let ended = |record: &Record| Some(Span::new(record, record.end_reason?));
            map.serialize_entry("end_reason", &records.iter().filter_map(ended).collect::<Vec<_>>())?;
        }
        map.end()
    }
}

/// A value and the days that it is true on; without `to`, for good.
#[derive(Serialize)]
struct Span<T> {
    from: Date,
    to: Option<Date>,
    value: T,
}

impl<T> Span<T> {
    fn new(record: &Record, value: T) -> Self {
        Self { from: record.period.from(), to: record.period.to(), value }
    }
}

/// One fact over time; neighbours with the same value are joined.
fn spans<T: PartialEq>(records: &[Record], fact: impl Fn(&Facts) -> Option<T>) -> Vec<Span<T>> {
    let mut spans: Vec<Span<T>> = Vec::new();
    for record in records {
        let Some(value) = fact(&record.facts) else { continue };
        match spans.last_mut() {
            Some(last) if last.value == value && last.to == Some(record.period.from()) => {
                last.to = record.period.to();
            }
            _ => spans.push(Span::new(record, value)),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use uuid::Uuid;

    use super::*;
    use crate::audit::Change;
    use crate::employment::{self, EmploymentStatus};
    use crate::id::EmployeeId;
    use crate::patch::Patch;

    #[test]
    fn only_the_facts_that_changed_are_on_record() {
        let manager = EmployeeId::from_uuid(Uuid::from_u128(7));
        let before = Timeline::hired(date(2020, 1, 1), Facts::default());
        let mut after = before.clone();
        let change = employment::Change {
            manager_id: Patch::Set(manager),
            status: Some(EmploymentStatus::Active),
            ..employment::Change::default()
        };
        after.change_from(date(2021, 1, 1), &change).unwrap();
        let change =
            Change::changed(&OnRecord::employment(Some(&before)), &OnRecord::employment(Some(&after)));
        assert_eq!(change.names().unwrap(), ["manager_id"]);
        assert_eq!(change.before().unwrap()["manager_id"], serde_json::json!([]));
        let span = serde_json::json!([{ "from": "2021-01-01", "to": null, "value": manager }]);
        assert_eq!(change.after().unwrap()["manager_id"], span);
    }
}
