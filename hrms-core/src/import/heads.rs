//! Importing who heads which department when. The rows of one department are one unit.

use std::collections::HashMap;

use crate::audit;
use crate::department::{self, Head, Heads};
use crate::employee::Employee;
use crate::employee::audit::OnRecord;
use crate::employment::{Change, ReportingLine, Timeline};
use crate::error::StoreError;
use crate::hrms::Work;
use crate::id::{DepartmentId, EmployeeId};
use crate::import::RowError;
use crate::import::codes::{Codes, try_line};
use crate::import::employees::event;
use crate::import::history::period_of;
use crate::import::job::Chunk;
use crate::import::report::Report;
use crate::import::table::{Layout, Row};
use crate::patch::Patch;
use crate::period::Period;

/// A row that is imported.
struct Stated<'a> {
    row: &'a Row,
    head: Head,
}

pub(crate) async fn apply(work: &mut Work, chunk: &Chunk<'_>, report: &mut Report) -> Result<(), StoreError> {
    let layout = &chunk.table.layout;
    let mut line = None;
    if chunk.new.assign_managers {
        // Before any row of an employee: nobody else changes the line until we commit.
        work.employment().lock_reporting_line().await?;
        line = Some(work.employment().reporting_line().await?);
    }
    let codes = Codes::load(work, chunk).await?;
    let people = work.employees().find_by_numbers(&chunk.texts(&["employee"])).await?;
    let ids: Vec<EmployeeId> = people.iter().map(|one| one.id).collect();
    let mut timelines = work.employment().timelines_of(&ids).await?;
    let people: HashMap<String, Employee> = people.into_iter().map(|one| (one.number.clone(), one)).collect();
    for unit in &chunk.units {
        let code = layout.filled_first(unit, "department");
        let Some(department) = code.and_then(|code| codes.department(code)) else {
            for row in unit {
                let detail = "there is no department with this code";
                report.fail(vec![layout.fault(row, "department", "unknown-reference", detail)]);
            }
            continue;
        };
        let stated = store_heads(work, layout, department, unit, &people, report).await?;
        for one in &stated {
            warn_of_absence(layout, one, timelines.get(&one.head.employee_id), report);
        }
        if let Some(line) = &mut line {
            assign_managers(work, chunk, department, &stated, line, &mut timelines, report).await?;
        }
    }
    Ok(())
}

/// Writes the head facts of one department; the rows that are fine.
async fn store_heads<'a>(
    work: &mut Work,
    layout: &Layout,
    department: DepartmentId,
    unit: &[&'a Row],
    people: &HashMap<String, Employee>,
    report: &mut Report,
) -> Result<Vec<Stated<'a>>, StoreError> {
    let before = work.departments().heads_of(&[department]).await?.remove(&department).unwrap_or_default();
    let mut heads = before.clone();
    let mut stated: Vec<Stated<'a>> = Vec::new();
    for row in unit {
        let head = match head_of(layout, row, people) {
            Ok(head) => head,
            Err(fault) => {
                report.fail(vec![fault]);
                continue;
            }
        };
        // The same person from the same day on: the row says it anew.
        let same =
            |known: &Head| known.employee_id == head.employee_id && known.period.from() == head.period.from();
        let overlaps = |known: &&Head| !same(known) && known.period.intersect(head.period).is_some();
        if heads.iter().any(|known| overlaps(&known)) {
            let detail = "the department has another head on some of these days";
            report.fail(vec![layout.fault(row, "from", "overlaps", detail)]);
            continue;
        }
        match heads.iter_mut().find(|known| same(known)) {
            Some(known) if *known == head => report.counts.unchanged += 1,
            Some(known) => {
                *known = head;
                report.counts.updated += 1;
            }
            None => {
                heads.push(head);
                report.counts.created += 1;
            }
        }
        stated.push(Stated { row, head });
    }
    heads.sort_by_key(|head| head.period.from());
    if heads != before {
        let change = audit::Change::changed(&Heads(&before), &Heads(&heads));
        work.departments().replace_heads(&[(department, heads)]).await?;
        if let Some(department) = work.departments().get(department).await? {
            work.emit(department::event("department.head-named", &department, change));
        }
    }
    Ok(stated)
}

fn head_of(layout: &Layout, row: &Row, people: &HashMap<String, Employee>) -> Result<Head, RowError> {
    let number = layout.filled(row, "employee").unwrap_or_default();
    let employee = people.get(number).ok_or_else(|| {
        layout.fault(row, "employee", "unknown-reference", "there is no employee with this number")
    })?;
    Ok(Head { employee_id: employee.id, period: period_of(layout, row)? })
}

/// A head may be named for days on which they aren't employed; that is kept as stated, and told.
fn warn_of_absence(layout: &Layout, stated: &Stated<'_>, timeline: Option<&Timeline>, report: &mut Report) {
    let days = employed(timeline, stated.head.period);
    let all = matches!(days.as_slice(), [one] if *one == stated.head.period);
    if !all {
        let detail = match days.first() {
            None => "this employee isn't employed on any of these days".to_owned(),
            Some(first) => {
                format!("this employee isn't employed on all of these days, first on {}", first.from())
            }
        };
        report.warn(stated.row.line, Some(layout.name_of("employee")), "head-not-employed", detail);
    }
}

/// The days of `period` on which somebody is employed; neighbouring records are joined.
fn employed(timeline: Option<&Timeline>, period: Period) -> Vec<Period> {
    let mut days: Vec<Period> = Vec::new();
    for record in timeline.into_iter().flat_map(Timeline::history) {
        let Some(part) = record.period.intersect(period) else { continue };
        match days.last_mut() {
            Some(last) if last.to() == Some(part.from()) => {
                *last = Period::new(last.from(), part.to()).unwrap_or(*last);
            }
            _ => days.push(part),
        }
    }
    days
}

/// Makes the heads the managers of the department's members who have none, on the days of both.
async fn assign_managers(
    work: &mut Work,
    chunk: &Chunk<'_>,
    department: DepartmentId,
    stated: &[Stated<'_>],
    line: &mut ReportingLine,
    timelines: &mut HashMap<EmployeeId, Timeline>,
    report: &mut Report,
) -> Result<(), StoreError> {
    let members = work.employment().members_of(department).await?;
    let unknown: Vec<EmployeeId> =
        members.iter().copied().filter(|member| !timelines.contains_key(member)).collect();
    timelines.extend(work.employment().timelines_of(&unknown).await?);
    let mut written = Vec::new();
    for member in members {
        let Some(before) = timelines.get(&member) else { continue };
        let mut after = before.clone();
        for one in stated.iter().filter(|one| one.head.employee_id != member) {
            let with = managed(&after, department, one.head, timelines.get(&one.head.employee_id));
            if with == after {
                continue;
            }
            match try_line(line, member, &after, &with) {
                None => after = with,
                Some(cycle) => {
                    let detail = format!(
                        "employee {member} can't report to this head: on {} the head reports, directly or not, to them",
                        cycle.on
                    );
                    let column = chunk.table.layout.name_of("employee");
                    report.warn(one.row.line, Some(column), "cycle", detail);
                }
            }
        }
        if after != *before {
            written.push((member, after));
        }
    }
    let ids: Vec<EmployeeId> = written.iter().map(|(member, _)| *member).collect();
    let mut people = work.employees().find_by_ids(&ids).await?;
    for employee in &mut people {
        employee.version = employee.version.next();
        employee.updated_at = work.now();
    }
    work.employees().update_many(&people).await?;
    work.employment().replace_timelines(&written).await?;
    for (member, timeline) in written {
        let change = audit::Change::changed(
            &OnRecord::employment(timelines.get(&member)),
            &OnRecord::employment(Some(&timeline)),
        );
        let event = event(work, "employee.changed", member, Some(&timeline), chunk.import, change);
        work.emit(event);
        timelines.insert(member, timeline);
    }
    Ok(())
}

/// The timeline with the head as manager where the member is in the department without one.
fn managed(
    member: &Timeline,
    department: DepartmentId,
    head: Head,
    heads_own: Option<&Timeline>,
) -> Timeline {
    let change = Change { manager_id: Patch::Set(head.employee_id), ..Change::default() };
    let mut after = member.clone();
    for record in member.history() {
        let facts = record.facts;
        if facts.department_id != Some(department) || facts.manager_id.is_some() {
            continue;
        }
        let Some(days) = record.period.intersect(head.period) else { continue };
        for days in employed(heads_own, days) {
            after.assign(days, &change);
        }
    }
    after
}
