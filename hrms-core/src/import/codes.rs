//! What the codes and numbers in a chunk stand for.

use std::collections::{HashMap, HashSet};

use crate::designation::{self, Designation};
use crate::employee::Employee;
use crate::employment::{Change, Cycle, EmploymentStatus, EmploymentType, ReportingLine, Timeline};
use crate::error::StoreError;
use crate::hrms::Work;
use crate::id::{DepartmentId, DesignationId, EmployeeId, LocationId};
use crate::import::RowError;
use crate::import::job::Chunk;
use crate::import::places::{insert_designations, new_designation};
use crate::import::table::{Layout, Row};
use crate::patch::Patch;

/// Look-ups for the rows of one chunk, loaded with one query for each sort of thing.
pub(crate) struct Codes {
    departments: HashMap<String, DepartmentId>,
    designations: HashMap<String, Designation>,
    locations: HashMap<String, LocationId>,
    /// Designations that are to be added if a row that names them is imported, by code.
    missing: HashMap<String, Designation>,
    create_missing: bool,
}

/// The code that a designation gets from its name: lower case, words joined by hyphens.
pub(crate) fn code_of(name: &str) -> String {
    let lower: String = name
        .chars()
        .flat_map(char::to_lowercase)
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .collect();
    lower.split_whitespace().collect::<Vec<_>>().join("-")
}

impl Codes {
    pub(crate) async fn load(work: &mut Work, chunk: &Chunk<'_>) -> Result<Self, StoreError> {
        let create_missing = chunk.new.create_missing_designations;
        let departments = work.departments().find_by_codes(&chunk.texts(&["department"])).await?;
        let locations = work.locations().find_by_codes(&chunk.texts(&["location"])).await?;
        let titles = chunk.texts(&["designation"]);
        let mut codes = titles.clone();
        if create_missing {
            codes.extend(titles.iter().map(|title| code_of(title)));
        }
        let designations = work.designations().find_by_codes(&codes).await?;
        let designations: HashMap<String, Designation> =
            designations.into_iter().map(|one| (one.code.clone(), one)).collect();
        let mut missing = HashMap::new();
        for title in titles.iter().filter(|_| create_missing) {
            let code = code_of(title);
            if !designations.contains_key(title) && !designations.contains_key(&code) {
                let new = new_designation(work, code.clone(), title.clone());
                missing.entry(code).or_insert(new);
            }
        }
        Ok(Self {
            departments: departments.into_iter().map(|one| (one.code, one.id)).collect(),
            locations: locations.into_iter().map(|one| (one.code, one.id)).collect(),
            designations,
            missing,
            create_missing,
        })
    }

    pub(crate) fn department(&self, code: &str) -> Option<DepartmentId> {
        self.departments.get(code).copied()
    }

    /// The change of facts that a row states; empty cells leave a fact as it is.
    pub(crate) fn change(
        &self,
        layout: &Layout,
        row: &Row,
        people: &HashMap<String, EmployeeId>,
    ) -> Result<Change, Vec<RowError>> {
        let mut change = Change::default();
        let mut faults = Vec::new();
        let unknown = |field: &str, what: &str| {
            layout.fault(row, field, "unknown-reference", format!("there is no {what} like this"))
        };
        if let Some(code) = layout.filled(row, "department") {
            match self.departments.get(code) {
                Some(id) => change.department_id = Patch::Set(*id),
                None => faults.push(unknown("department", "department")),
            }
        }
        if let Some(code) = layout.filled(row, "location") {
            match self.locations.get(code) {
                Some(id) => change.location_id = Patch::Set(*id),
                None => faults.push(unknown("location", "location")),
            }
        }
        if let Some(number) = layout.filled(row, "manager") {
            match people.get(number) {
                Some(id) => change.manager_id = Patch::Set(*id),
                None => faults.push(unknown("manager", "employee")),
            }
        }
        if let Some(title) = layout.filled(row, "designation") {
            match self.designation(layout, row, title) {
                Ok(id) => change.designation_id = Patch::Set(id),
                Err(mut found) => faults.append(&mut found),
            }
        }
        if let Some(code) = layout.filled(row, "employment_type") {
            change.employment_type = EmploymentType::from_code(code);
            if change.employment_type.is_none() {
                faults.push(one_of(
                    layout,
                    row,
                    "employment_type",
                    EmploymentType::ALL.iter().map(|one| one.code()),
                ));
            }
        }
        if let Some(code) = layout.filled(row, "status") {
            change.status = EmploymentStatus::from_code(code);
            if change.status.is_none() {
                faults.push(one_of(
                    layout,
                    row,
                    "status",
                    EmploymentStatus::ALL.iter().map(|one| one.code()),
                ));
            }
        }
        if faults.is_empty() { Ok(change) } else { Err(faults) }
    }

    fn designation(&self, layout: &Layout, row: &Row, title: &str) -> Result<DesignationId, Vec<RowError>> {
        if let Some(known) = self.designations.get(title) {
            return Ok(known.id);
        }
        let fault = |code: &str, detail: String| vec![layout.fault(row, "designation", code, detail)];
        if !self.create_missing {
            return Err(fault("unknown-reference", "there is no designation like this".to_owned()));
        }
        let code = code_of(title);
        match self.designations.get(&code).or_else(|| self.missing.get(&code)) {
            Some(same) if same.name == title => match designation::check(same) {
                Ok(()) => Ok(same.id),
                Err(_) => Err(fault("not-a-title", "this can't be the name of a designation".to_owned())),
            },
            Some(other) => Err(fault("ambiguous", format!("this is too similar to {:?}", other.name))),
            None => Err(fault("unknown-reference", "there is no designation like this".to_owned())),
        }
    }

    /// Adds the missing designations that these timelines name.
    pub(crate) async fn add_missing(
        &self,
        work: &mut Work,
        timelines: &[(EmployeeId, Timeline)],
    ) -> Result<(), StoreError> {
        let records = timelines.iter().flat_map(|(_, timeline)| timeline.history());
        let used: HashSet<DesignationId> = records.filter_map(|record| record.facts.designation_id).collect();
        let mut added: Vec<Designation> =
            self.missing.values().filter(|new| used.contains(&new.id)).cloned().collect();
        added.sort_by(|one, two| one.code.cmp(&two.code));
        insert_designations(work, &added).await
    }
}

pub(crate) fn one_of(
    layout: &Layout,
    row: &Row,
    field: &str,
    values: impl Iterator<Item = &'static str>,
) -> RowError {
    let values: Vec<_> = values.collect();
    layout.fault(row, field, "unknown-value", format!("this must be one of {}", values.join(", ")))
}

/// The cycle that a new timeline would close; the line keeps the new timeline unless there is one.
pub(crate) fn try_line(
    line: &mut ReportingLine,
    employee: EmployeeId,
    before: &Timeline,
    after: &Timeline,
) -> Option<Cycle> {
    line.set(employee, after);
    let cycle = line.cycle_through(employee);
    if cycle.is_some() {
        line.set(employee, before);
    }
    cycle
}

/// Employees by number.
pub(crate) fn by_number(employees: &[Employee]) -> HashMap<String, EmployeeId> {
    employees.iter().map(|one| (one.number.clone(), one.id)).collect()
}

#[cfg(test)]
mod tests {
    use super::code_of;

    #[test]
    fn codes_are_made_from_names() {
        assert_eq!(code_of("Senior Engineer"), "senior-engineer");
        assert_eq!(code_of("  R&D – Größe (2) "), "r-d-größe-2");
        assert_eq!(code_of("!!"), "");
    }
}
