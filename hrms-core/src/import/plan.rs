//! In which order the rows of a file are imported, and which belong together.
//!
//! Pure and repeatable: a resumed import makes the same plan again.

use std::collections::HashMap;
use std::collections::VecDeque;

use crate::import::table::{Layout, Row, Table};
use crate::import::{ImportKind, NewImport, RowError};
use crate::validate::fold;

/// Units of work in order, each a list of indexes into the table's rows.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) units: Vec<Vec<usize>>,
    /// One list for each row that can't be imported whatever is stored already.
    pub(crate) faulty: Vec<Vec<RowError>>,
}

impl Plan {
    pub(crate) fn of(table: &Table, new: &NewImport) -> Self {
        let mut plan = Self::default();
        match new.kind {
            ImportKind::EmploymentHistory | ImportKind::OpeningBalances => plan.group(table, "employee"),
            ImportKind::DepartmentHeads => plan.group(table, "department"),
            ImportKind::Locations | ImportKind::Designations => {
                let rows = plan.unique(table, &["code"]);
                plan.units = rows.into_iter().map(|row| vec![row]).collect();
            }
            ImportKind::Departments => {
                let rows = plan.unique(table, &["code"]);
                plan.after_parents(table, rows, "code", "parent");
            }
            ImportKind::Employees => {
                let rows = plan.unique(table, &["number", "email"]);
                plan.after_parents(table, rows, "number", "manager");
            }
        }
        plan
    }

    /// Rows with the same text in a field belong together, in the order of their first row.
    fn group(&mut self, table: &Table, field: &str) {
        let mut at: HashMap<&str, usize> = HashMap::new();
        for (index, row) in table.rows.iter().enumerate() {
            let Some(key) = table.layout.filled(row, field) else {
                self.faulty.push(vec![table.layout.fault(row, field, "missing", "this must not be empty")]);
                continue;
            };
            let unit = *at.entry(key).or_insert_with(|| {
                self.units.push(Vec::new());
                self.units.len() - 1
            });
            if let Some(unit) = self.units.get_mut(unit) {
                unit.push(index);
            }
        }
    }

    /// The rows that have no earlier row with the same text in one of the fields.
    fn unique(&mut self, table: &Table, fields: &'static [&'static str]) -> Vec<usize> {
        let mut seen: HashMap<(&str, String), u32> = HashMap::new();
        let mut rows = Vec::new();
        for (index, row) in table.rows.iter().enumerate() {
            let mut faults = Vec::new();
            for field in fields {
                let Some(text) = table.layout.filled(row, field) else { continue };
                let key = if *field == "email" { fold(text) } else { text.to_owned() };
                match seen.get(&(*field, key.clone())) {
                    Some(line) => faults.push(twice(&table.layout, row, field, *line)),
                    None => {
                        seen.insert((field, key), row.line);
                    }
                }
            }
            if faults.is_empty() {
                rows.push(index);
            } else {
                self.faulty.push(faults);
            }
        }
        rows
    }

    /// Each row on its own, behind the row that its `parent` field names, if that is in the file.
    fn after_parents(&mut self, table: &Table, rows: Vec<usize>, key: &str, parent: &str) {
        let text =
            |index: usize, field: &str| table.rows.get(index).and_then(|row| table.layout.filled(row, field));
        let by_key: HashMap<&str, usize> =
            rows.iter().filter_map(|&index| Some((text(index, key)?, index))).collect();
        let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
        let mut ready = VecDeque::new();
        for &index in &rows {
            match text(index, parent).and_then(|parent| by_key.get(parent)) {
                Some(&above) => children.entry(above).or_default().push(index),
                None => ready.push_back(index),
            }
        }
        while let Some(index) = ready.pop_front() {
            self.units.push(vec![index]);
            ready.extend(children.remove(&index).unwrap_or_default());
        }
        // Whoever is left has themselves above them, or somebody who has.
        let mut left: Vec<usize> = children.into_values().flatten().collect();
        left.sort_unstable();
        for row in left.into_iter().filter_map(|index| table.rows.get(index)) {
            let detail = "following this upwards through the file leads round in a circle";
            self.faulty.push(vec![table.layout.fault(row, parent, "cycle", detail)]);
        }
    }
}

fn twice(layout: &Layout, row: &Row, field: &str, line: u32) -> RowError {
    layout.fault(row, field, "duplicate", format!("row {line} has the same"))
}
