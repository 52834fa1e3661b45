//! Importing locations, departments and designations.

use std::collections::HashMap;

use serde_json::json;

use crate::department::Department;
use crate::designation::Designation;
use crate::error::{CommonError, StoreError};
use crate::event::{NewEvent, subject};
use crate::hrms::Work;
use crate::id::{DepartmentId, DesignationId, LocationId};
use crate::import::job::Chunk;
use crate::import::report::Report;
use crate::import::table::Row;
use crate::location::{self, Location};
use crate::policy::{Permission, Resource};
use crate::store::Version;
use crate::validate::Check;

/// A cell that must be there; checks of the content come later.
fn text(chunk: &Chunk<'_>, row: &Row, field: &str) -> String {
    chunk.table.layout.cell(row, field).unwrap_or_default().to_owned()
}

/// Checks what departments and designations have in common.
pub(crate) fn check_code_and_name(code: &str, name: &str) -> Result<(), CommonError> {
    let mut check = Check::new();
    check.code("/code", code);
    check.text("/name", name, 1..=200);
    check.done()
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
            work.emit(location::event("location.changed", &after));
            report.counts.updated += 1;
        } else {
            work.locations().insert(&after).await?;
            work.emit(location::event("location.created", &after));
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
        if before.is_some_and(|before| before.name == name) {
            report.counts.unchanged += 1;
            continue;
        }
        if let Err(error) = check_code_and_name(&code, &name) {
            report.fail(layout.refusal(row, &error));
            continue;
        }
        if let Some(before) = before {
            let version = before.version.next();
            let after = Designation { name, updated_at: work.now(), version, ..before.clone() };
            work.designations().update(&after, before.version).await?;
            work.emit(designation_event("designation.changed", &after));
            report.counts.updated += 1;
        } else {
            added.push(new_designation(work, code, name));
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
        work.emit(designation_event("designation.created", designation));
    }
    Ok(())
}

fn designation_event(kind: &'static str, designation: &Designation) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("designations", designation.id.as_uuid()),
        data: json!({ "designation_id": designation.id }),
        permission: Permission::DesignationRead,
        resource: Resource::organization(),
    }
}

fn department_event(kind: &'static str, department: &Department) -> NewEvent {
    NewEvent {
        kind,
        subject: subject("departments", department.id.as_uuid()),
        data: json!({ "department_id": department.id }),
        permission: Permission::DepartmentRead,
        resource: Resource::organization(),
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
        if before.is_some_and(|before| before.name == name && before.parent_id == parent_id) {
            report.counts.unchanged += 1;
            continue;
        }
        if let Err(error) = check_code_and_name(&code, &name) {
            report.fail(layout.refusal(row, &error));
            continue;
        }
        if let Some(before) = before {
            if parent_id.is_some_and(|parent| tree.is_within(parent, before.id)) {
                let detail = "that department is part of this one";
                report.fail(vec![layout.fault(row, "parent", "cycle", detail)]);
                continue;
            }
            tree.set_parent(before.id, parent_id);
            let version = before.version.next();
            changed.push(Department { name, parent_id, updated_at: work.now(), version, ..before.clone() });
            report.counts.updated += 1;
        } else {
            let id = DepartmentId::from_uuid(work.hrms().ids().next());
            let now = work.now();
            ids.insert(code.clone(), id);
            tree.set_parent(id, parent_id);
            added.push(Department {
                id,
                code,
                name,
                parent_id,
                created_at: now,
                updated_at: now,
                version: Version::FIRST,
            });
            report.counts.created += 1;
        }
    }
    if !added.is_empty() {
        work.departments().insert_many(&added).await?;
    }
    for department in &added {
        work.emit(department_event("department.created", department));
    }
    for department in &changed {
        let expected = Version::from_i64(department.version.as_i64() - 1);
        work.departments().update(department, expected).await?;
        work.emit(department_event("department.changed", department));
    }
    Ok(())
}
