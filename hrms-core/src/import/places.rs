//! Importing locations, departments and designations.

use std::collections::HashMap;

use crate::audit::Change;
use crate::department::{self, Department};
use crate::designation::{self, Designation};
use crate::error::StoreError;
use crate::hrms::Work;
use crate::id::{DepartmentId, DesignationId, LocationId};
use crate::import::job::Chunk;
use crate::import::report::Report;
use crate::import::table::Row;
use crate::location::{self, Location};
use crate::store::Version;

/// A cell that must be there; checks of the content come later.
fn text(chunk: &Chunk<'_>, row: &Row, field: &str) -> String {
    chunk.table.layout.cell(row, field).unwrap_or_default().to_owned()
}

pub(crate) async fn locations(
    work: &mut Work,
    chunk: &Chunk<'_>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let layout = &chunk.table.layout;
    let known = work.locations().find_by_codes(&chunk.texts(&["code"])).await?;
    let known: HashMap<String, Location> = known.into_iter().map(|one| (one.code.clone(), one)).collect();
    for row in chunk.rows() {
        let (code, name, time_zone) =
            (text(chunk, row, "code"), text(chunk, row, "name"), text(chunk, row, "time_zone"));
        let before = known.get(&code);
        let mut after = match before {
            Some(before) => Location { name, time_zone, ..before.clone() },
            None => Location {
                id: LocationId::from_uuid(work.hrms().ids().next()),
                code,
                name,
                time_zone,
                created_at: work.now(),
                updated_at: work.now(),
                version: Version::FIRST,
            },
        };
        if before == Some(&after) {
            report.counts.unchanged += 1;
            continue;
        }
        if let Err(error) = location::check(&after) {
            report.fail(layout.refusal(row, &error));
            continue;
        }
        if let Some(before) = before {
            after.updated_at = work.now();
            after.version = before.version.next();
            work.locations().update(&after, before.version).await?;
            work.emit(location::event("location.changed", &after, Change::changed(before, &after)));
            report.counts.updated += 1;
        } else {
            work.locations().insert(&after).await?;
            work.emit(location::event("location.created", &after, Change::created(&after)));
            report.counts.created += 1;
        }
    }
    Ok(())
}

pub(crate) async fn designations(
    work: &mut Work,
    chunk: &Chunk<'_>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let layout = &chunk.table.layout;
    let known = work.designations().find_by_codes(&chunk.texts(&["code"])).await?;
    let known: HashMap<String, Designation> = known.into_iter().map(|one| (one.code.clone(), one)).collect();
    let mut added = Vec::new();
    for row in chunk.rows() {
        let (code, name) = (text(chunk, row, "code"), text(chunk, row, "name"));
        let before = known.get(&code);
        let mut after = match before {
            Some(before) => Designation { name, ..before.clone() },
            None => new_designation(work, code, name),
        };
        if before == Some(&after) {
            report.counts.unchanged += 1;
            continue;
        }
        if let Err(error) = designation::check(&after) {
            report.fail(layout.refusal(row, &error));
            continue;
        }
        if let Some(before) = before {
            after.version = before.version.next();
            after.updated_at = work.now();
            work.designations().update(&after, before.version).await?;
            work.emit(designation::event("designation.changed", &after, Change::changed(before, &after)));
            report.counts.updated += 1;
        } else {
            added.push(after);
            report.counts.created += 1;
        }
    }
    insert_designations(work, &added).await
}

pub(crate) fn new_designation(work: &Work, code: String, name: String) -> Designation {
    Designation {
        id: DesignationId::from_uuid(work.hrms().ids().next()),
        code,
        name,
        created_at: work.now(),
        updated_at: work.now(),
        version: Version::FIRST,
    }
}

pub(crate) async fn insert_designations(work: &mut Work, added: &[Designation]) -> Result<(), StoreError> {
    if !added.is_empty() {
        work.designations().insert_many(added).await?;
    }
    for designation in added {
        work.emit(designation::event("designation.created", designation, Change::created(designation)));
    }
    Ok(())
}

fn new_department(work: &Work, code: String, name: String, parent_id: Option<DepartmentId>) -> Department {
    Department {
        id: DepartmentId::from_uuid(work.hrms().ids().next()),
        code,
        name,
        parent_id,
        created_at: work.now(),
        updated_at: work.now(),
        version: Version::FIRST,
    }
}

pub(crate) async fn departments(
    work: &mut Work,
    chunk: &Chunk<'_>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let layout = &chunk.table.layout;
    // The tree must stay as we judge it until we commit.
    work.departments().lock_tree().await?;
    let mut tree = work.departments().tree().await?;
    let known = work.departments().find_by_codes(&chunk.texts(&["code", "parent"])).await?;
    let known: HashMap<String, Department> = known.into_iter().map(|one| (one.code.clone(), one)).collect();
    let mut ids: HashMap<String, DepartmentId> =
        known.values().map(|one| (one.code.clone(), one.id)).collect();
    let (mut added, mut changed) = (Vec::new(), Vec::new());
    for row in chunk.rows() {
        let (code, name) = (text(chunk, row, "code"), text(chunk, row, "name"));
        let before = known.get(&code);
        let parent_id = match layout.cell(row, "parent") {
            None => before.and_then(|before| before.parent_id),
            Some("") => None,
            Some(parent) => match ids.get(parent) {
                Some(id) => Some(*id),
                None => {
                    let detail = "there is no department with this code";
                    report.fail(vec![layout.fault(row, "parent", "unknown-reference", detail)]);
                    continue;
                }
            },
        };
        let mut after = match before {
            Some(before) => Department { name, parent_id, ..before.clone() },
            None => new_department(work, code, name, parent_id),
        };
        if before == Some(&after) {
            report.counts.unchanged += 1;
            continue;
        }
        if let Err(error) = department::check(&after) {
            report.fail(layout.refusal(row, &error));
            continue;
        }
        if parent_id.is_some_and(|parent| tree.is_within(parent, after.id)) {
            report.fail(vec![layout.fault(row, "parent", "cycle", "that department is part of this one")]);
            continue;
        }
        tree.set_parent(after.id, parent_id);
        if let Some(before) = before {
            after.version = before.version.next();
            after.updated_at = work.now();
            changed.push((before, after));
            report.counts.updated += 1;
        } else {
            ids.insert(after.code.clone(), after.id);
            added.push(after);
            report.counts.created += 1;
        }
    }
    if !added.is_empty() {
        work.departments().insert_many(&added).await?;
    }
    for department in &added {
        work.emit(department::event("department.created", department, Change::created(department)));
    }
    for (before, after) in &changed {
        work.departments().update(after, before.version).await?;
        work.emit(department::event("department.changed", after, Change::changed(*before, after)));
    }
    Ok(())
}
