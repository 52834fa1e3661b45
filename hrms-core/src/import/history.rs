//! Importing facts of employments, each for a period. The rows of one employee are one unit: they are set on
//! the timeline together, without those that can't be.

use std::collections::HashMap;

use jiff::civil::Date;

use crate::audit;
use crate::employee::audit::OnRecord;
use crate::employee::{Employee, is_barred_from};
use crate::employment::{Change, ReportingLine, Timeline};
use crate::error::StoreError;
use crate::hrms::Work;
use crate::id::EmployeeId;
use crate::import::codes::{Codes, by_number, try_line};
use crate::import::employees::event;
use crate::import::job::Chunk;
use crate::import::report::Report;
use crate::import::table::{Layout, Row, Table};
use crate::import::{ImportKind, NewImport, RowError};
use crate::patch::Patch;
use crate::period::Period;

/// The days that a whole file says each employee is employed on: managers may come later in the file than
/// those who report to them.
#[derive(Debug, Default)]
pub(crate) struct Covered(HashMap<String, Vec<Period>>);

impl Covered {
    pub(crate) fn of(table: &Table, new: &NewImport) -> Self {
        let layout = &table.layout;
        let mut covered: HashMap<String, Vec<Period>> = HashMap::new();
        if new.kind == ImportKind::EmploymentHistory && layout.has("manager") {
            for row in &table.rows {
                if let (Some(number), Ok(period)) = (layout.filled(row, "employee"), period_of(layout, row)) {
                    covered.entry(number.to_owned()).or_default().push(period);
                }
            }
        }
        Self(covered)
    }

    fn contains(&self, number: &str, day: Date) -> bool {
        self.0.get(number).is_some_and(|periods| periods.iter().any(|period| period.contains(day)))
    }
}

struct Known {
    codes: Codes,
    people: HashMap<String, Employee>,
    ids: HashMap<String, EmployeeId>,
    timelines: HashMap<EmployeeId, Timeline>,
}

/// What a row states.
struct Stated<'a> {
    row: &'a Row,
    period: Period,
    change: Change,
}

pub(crate) async fn apply(
    work: &mut Work,
    chunk: &Chunk<'_>,
    covered: &Covered,
    report: &mut Report,
) -> Result<(), StoreError> {
    let layout = &chunk.table.layout;
    let mut line = if layout.has("manager") {
        // Before any row of an employee: nobody else changes the line until we commit.
        work.employment().lock_reporting_line().await?;
        Some(work.employment().reporting_line().await?)
    } else {
        None
    };
    let known = Known::load(work, chunk).await?;
    let mut people = Vec::new();
    let mut timelines = Vec::new();
    for unit in &chunk.units {
        let Some(employee) =
            layout.filled_first(unit, "employee").and_then(|number| known.people.get(number))
        else {
            for row in unit {
                let detail = "there is no employee with this number";
                report.fail(vec![layout.fault(row, "employee", "unknown-reference", detail)]);
            }
            continue;
        };
        if is_barred_from(work.hrms(), work.actor(), employee.id) {
            for row in unit {
                let detail = "somebody else has to change your own employment record";
                report.fail(vec![layout.fault(row, "employee", "own-record", detail)]);
            }
            continue;
        }
        let stated = judge(layout, unit, employee, &known, &mut line, covered, report);
        let mut after = known.timelines.get(&employee.id).cloned().unwrap_or_default();
        let mut changed = false;
        for one in &stated {
            let before = after.clone();
            after.assign(one.period, &one.change);
            changed |= after != before;
            let count =
                if after == before { &mut report.counts.unchanged } else { &mut report.counts.updated };
            *count += 1;
        }
        if changed {
            people.push(Employee {
                version: employee.version.next(),
                updated_at: work.now(),
                ..employee.clone()
            });
            timelines.push((employee.id, after));
        }
    }
    known.codes.add_missing(work, &timelines).await?;
    if !people.is_empty() {
        work.employees().update_many(&people).await?;
        work.employment().replace_timelines(&timelines).await?;
        let nobody = Timeline::default();
        let moved = timelines
            .iter()
            .map(|(employee, after)| (*employee, known.timelines.get(employee).unwrap_or(&nobody), after));
        work.recount_leave_of_moved(moved).await?;
    }
    for (employee, timeline) in &timelines {
        let before = known.timelines.get(employee);
        let change =
            audit::Change::changed(&OnRecord::employment(before), &OnRecord::employment(Some(timeline)));
        let event = event(work, "employee.changed", *employee, Some(timeline), chunk.import, change);
        work.emit(event);
    }
    Ok(())
}

impl Known {
    async fn load(work: &mut Work, chunk: &Chunk<'_>) -> Result<Self, StoreError> {
        let codes = Codes::load(work, chunk).await?;
        let people = work.employees().find_by_numbers(&chunk.texts(&["employee", "manager"])).await?;
        let ids: Vec<EmployeeId> = people.iter().map(|one| one.id).collect();
        let timelines = work.employment().timelines_of(&ids).await?;
        let ids = by_number(&people);
        let people = people.into_iter().map(|one| (one.number.clone(), one)).collect();
        Ok(Self { codes, people, ids, timelines })
    }
}

/// The rows that can be imported; the others are reported.
fn judge<'a>(
    layout: &Layout,
    unit: &[&'a Row],
    employee: &Employee,
    known: &Known,
    line: &mut Option<ReportingLine>,
    covered: &Covered,
    report: &mut Report,
) -> Vec<Stated<'a>> {
    let timeline = known.timelines.get(&employee.id);
    let mut stated = Vec::new();
    for row in unit {
        let judged = period_of(layout, row).map_err(|fault| vec![fault]).and_then(|period| {
            within_employment(layout, row, employee, timeline, period)?;
            let change = known.codes.change(layout, row, &known.ids)?;
            if !goes_on(layout, row, period, &change, timeline, unit) {
                check_manager(layout, row, employee, period, &change, known, covered)?;
            }
            Ok(Stated { row, period, change })
        });
        match judged {
            Ok(one) => stated.push(one),
            Err(faults) => report.fail(faults),
        }
    }
    let mut faults: HashMap<u32, Vec<RowError>> = HashMap::new();
    for fault in conflicts(layout, &stated) {
        faults.entry(fault.row).or_default().push(fault);
    }
    stated.retain(|one| !faults.contains_key(&one.row.line));
    if let Some(line) = line {
        for fault in cycle(layout, &stated, employee, timeline, line) {
            faults.entry(fault.row).or_default().push(fault);
        }
        stated.retain(|one| !faults.contains_key(&one.row.line));
    }
    let mut faults: Vec<_> = faults.into_values().collect();
    faults.sort_by_key(|faults| faults.first().map(|fault| fault.row));
    faults.into_iter().for_each(|faults| report.fail(faults));
    stated
}

/// The period of a row: `to` is exclusive, and open when empty or in the year 9999.
pub(crate) fn period_of(layout: &Layout, row: &Row) -> Result<Period, RowError> {
    let from = layout.date(row, "from")?;
    let to = layout.end(row, "to")?;
    Period::new(from, to).ok_or_else(|| {
        let detail = match to {
            Some(to) if to == from => "this period has no day: its end is exclusive",
            _ => "this period ends before it begins",
        };
        layout.fault(row, "to", "empty-period", detail)
    })
}

fn within_employment(
    layout: &Layout,
    row: &Row,
    employee: &Employee,
    timeline: Option<&Timeline>,
    period: Period,
) -> Result<(), Vec<RowError>> {
    if period.from() < employee.hired_on {
        let detail = format!("this employee was hired on {}", employee.hired_on);
        return Err(vec![layout.fault(row, "from", "outside-employment", detail)]);
    }
    // An end with a reason is a decision, which imported facts don't overrule.
    let history = timeline.map(Timeline::history).unwrap_or_default();
    for (at, record) in history.iter().enumerate() {
        let Some(end) = record.end_reason.and(record.period.to()) else { continue };
        let gap = Period::new(end, history.get(at + 1).map(|next| next.period.from()));
        if gap.is_some_and(|gap| gap.intersect(period).is_some()) {
            let detail = format!("this employment ended before {end}");
            return Err(vec![layout.fault(row, "to", "outside-employment", detail)]);
        }
    }
    Ok(())
}

/// Whether the employee reports to the row's manager already, so that the row begins no relation: by their
/// record, or by another row of theirs. (A manager may leave before those who report to them.)
fn goes_on(
    layout: &Layout,
    row: &Row,
    period: Period,
    change: &Change,
    timeline: Option<&Timeline>,
    unit: &[&Row],
) -> bool {
    let (Some(manager), Ok(before)) = (change.manager_id.value(), period.from().yesterday()) else {
        return false;
    };
    let stored = |day| timeline.and_then(|known| known.at(day)).and_then(|record| record.facts.manager_id);
    let number = layout.filled(row, "manager");
    let said = |other: &&Row| {
        layout.filled(other, "manager") == number
            && period_of(layout, other).is_ok_and(|period| period.contains(before))
    };
    [period.from(), before].into_iter().any(|day| stored(day) == Some(*manager)) || unit.iter().any(said)
}

fn check_manager(
    layout: &Layout,
    row: &Row,
    employee: &Employee,
    period: Period,
    change: &Change,
    known: &Known,
    covered: &Covered,
) -> Result<(), Vec<RowError>> {
    let Some(manager) = change.manager_id.value() else { return Ok(()) };
    if *manager == employee.id {
        return Err(vec![layout.fault(row, "manager", "own-manager", "nobody is their own manager")]);
    }
    let on = period.from();
    let stored = known.timelines.get(manager).is_some_and(|timeline| timeline.at(on).is_some());
    let number = layout.filled(row, "manager").unwrap_or_default();
    if !stored && !covered.contains(number, on) {
        let detail = format!("this employee isn't employed on {on}");
        return Err(vec![layout.fault(row, "manager", "not-employed", detail)]);
    }
    Ok(())
}

/// Rows that state different values of one fact for the same day: nobody can tell which of them is right.
fn conflicts(layout: &Layout, stated: &[Stated<'_>]) -> Vec<RowError> {
    let mut faults = Vec::new();
    for (at, later) in stated.iter().enumerate() {
        for earlier in stated.iter().take(at) {
            if later.period.intersect(earlier.period).is_none() {
                continue;
            }
            if let Some(field) = differing(&earlier.change, &later.change) {
                for (one, other) in [(earlier, later), (later, earlier)] {
                    let detail = format!("row {} says otherwise about some of the same days", other.row.line);
                    faults.push(layout.fault(one.row, field, "conflict", detail));
                }
            }
        }
    }
    faults
}

fn differing(one: &Change, two: &Change) -> Option<&'static str> {
    fn patch<T: PartialEq>(one: &Patch<T>, two: &Patch<T>) -> bool {
        one.value().is_some() && two.value().is_some() && one != two
    }
    fn option<T: PartialEq>(one: &Option<T>, two: &Option<T>) -> bool {
        one.is_some() && two.is_some() && one != two
    }
    let fields = [
        ("department", patch(&one.department_id, &two.department_id)),
        ("designation", patch(&one.designation_id, &two.designation_id)),
        ("location", patch(&one.location_id, &two.location_id)),
        ("manager", patch(&one.manager_id, &two.manager_id)),
        ("employment_type", option(&one.employment_type, &two.employment_type)),
        ("status", option(&one.status, &two.status)),
    ];
    fields.iter().find(|(_, differs)| *differs).map(|(field, _)| *field)
}

/// The faults of the rows with a manager, should the reporting line go round in a circle with them.
fn cycle(
    layout: &Layout,
    stated: &[Stated<'_>],
    employee: &Employee,
    timeline: Option<&Timeline>,
    line: &mut ReportingLine,
) -> Vec<RowError> {
    let with_manager: Vec<_> = stated.iter().filter(|one| one.change.manager_id.value().is_some()).collect();
    if with_manager.is_empty() {
        return Vec::new();
    }
    let before = timeline.cloned().unwrap_or_default();
    let mut after = before.clone();
    for one in stated {
        after.assign(one.period, &one.change);
    }
    let Some(cycle) = try_line(line, employee.id, &before, &after) else { return Vec::new() };
    let detail = format!("on {} that employee reports, directly or not, to this one", cycle.on);
    with_manager.into_iter().map(|one| layout.fault(one.row, "manager", "cycle", detail.clone())).collect()
}
