//! Importing opening balances. The rows of one employee are one unit, and those about one leave type say all of its opening balance.

use std::collections::{BTreeMap, HashMap};

use crate::error::StoreError;
use crate::hrms::Work;
use crate::id::{EmployeeId, LeaveTypeId};
use crate::import::RowError;
use crate::import::job::Chunk;
use crate::import::report::Report;
use crate::import::table::{Layout, Row};
use crate::leave::{
    LeaveType, MAX_MINUTES, Opening, OpeningFault, OpeningPart, PartOutcome, days_text, minutes_of_days,
};

/// The rows about one account that are fine, and what they say together.
struct Stated<'a> {
    rows: Vec<&'a Row>,
    opening: Opening,
    minutes_per_day: i64,
}

pub(crate) async fn apply(work: &mut Work, chunk: &Chunk<'_>, report: &mut Report) -> Result<(), StoreError> {
    let layout = &chunk.table.layout;
    let people = work.employees().find_by_numbers(&chunk.texts(&["employee"])).await?;
    let people: HashMap<String, EmployeeId> = people.into_iter().map(|one| (one.number, one.id)).collect();
    let types = work.leave_types().all().await?;
    let types: HashMap<String, LeaveType> = types.into_iter().map(|one| (one.code.clone(), one)).collect();
    let mut stated = Vec::new();
    for unit in &chunk.units {
        let employee = layout.filled_first(unit, "employee").and_then(|number| people.get(number));
        let refusal = match employee {
            None => Some(("unknown-reference", "there is no employee with this number")),
            Some(employee) if work.actor().counts_as(*employee) => {
                Some(("own-leave", "nobody grants leave to themselves: somebody else has to import this"))
            }
            Some(_) => None,
        };
        match (employee, refusal) {
            (Some(employee), None) => stated.extend(judge(layout, unit, *employee, &types, report)),
            (_, refusal) => {
                let (code, detail) = refusal.unwrap_or_default();
                for row in unit {
                    report.fail(vec![layout.fault(row, "employee", code, detail)]);
                }
            }
        }
    }
    let openings: Vec<Opening> = stated.iter().map(|one| one.opening.clone()).collect();
    let hrms = work.hrms().clone();
    let results = hrms.leave().open_accounts(work, &openings).await?;
    for (one, result) in stated.iter().zip(results) {
        match result {
            Err(fault) => {
                for row in &one.rows {
                    report.fail(vec![refused(layout, row, fault)]);
                }
            }
            Ok(opened) => {
                for (row, part) in one.rows.iter().zip(opened.parts) {
                    tell(layout, row, part, one.minutes_per_day, report);
                }
                if let Some(row) = one.rows.first().filter(|_| opened.dropped != 0) {
                    let days = days_text(opened.dropped, one.minutes_per_day);
                    let detail = format!(
                        "{days} days with another end of validity, which the file doesn't say any more, are corrected to nothing"
                    );
                    report.warn(row.line, Some(layout.name_of("valid_to")), "dropped", detail);
                }
            }
        }
    }
    Ok(())
}

fn tell(layout: &Layout, row: &Row, part: PartOutcome, minutes_per_day: i64, report: &mut Report) {
    match part {
        PartOutcome::Granted => report.counts.created += 1,
        PartOutcome::Unchanged => report.counts.unchanged += 1,
        PartOutcome::Corrected(by) => {
            report.counts.updated += 1;
            let detail =
                format!("what was granted before is corrected by {} days", days_text(by, minutes_per_day));
            let column = if layout.filled(row, "minutes").is_some() { "minutes" } else { "days" };
            report.warn(row.line, Some(layout.name_of(column)), "corrected", detail);
        }
    }
}

fn refused(layout: &Layout, row: &Row, fault: OpeningFault) -> RowError {
    let (code, detail) = match fault {
        OpeningFault::NotEmployed => ("outside-employment", "this employee wasn't employed yet".to_owned()),
        OpeningFault::TooFarAhead(last) => ("too-far-ahead", format!("this can be {last} at most")),
        OpeningFault::OtherDay(day) => (
            "other-day",
            format!(
                "there is an opening balance as of {day}: correct that one, or import it as 0 days first"
            ),
        ),
        OpeningFault::Closed(through) => ("closed", format!("days up to {through} are closed")),
        OpeningFault::LeaveBefore(day) => (
            "leave-before",
            format!(
                "there is leave on {day}, before the opening balance, which would be part of it: cancel it, or use an earlier day"
            ),
        ),
    };
    layout.fault(row, "as_of", code, detail)
}

/// What the rows of one employee say, by leave type. A faulty row keeps out the others about the same leave type: together they say
/// what there was.
fn judge<'a>(
    layout: &Layout,
    unit: &[&'a Row],
    employee: EmployeeId,
    types: &HashMap<String, LeaveType>,
    report: &mut Report,
) -> Vec<Stated<'a>> {
    let mut by_type: BTreeMap<&str, Vec<&'a Row>> = BTreeMap::new();
    for row in unit {
        by_type.entry(layout.filled(row, "leave_type").unwrap_or_default()).or_default().push(row);
    }
    let mut stated = Vec::new();
    for (code, rows) in by_type {
        let Some(leave_type) = types.get(code) else {
            for row in rows {
                let detail = "there is no leave type with this code";
                report.fail(vec![layout.fault(row, "leave_type", "unknown-reference", detail)]);
            }
            continue;
        };
        match together(layout, &rows, employee, leave_type) {
            Ok(opening) => {
                stated.push(Stated { rows, opening, minutes_per_day: leave_type.minutes_per_day });
            }
            Err(faults) => {
                for (row, faults) in rows.iter().zip(faults) {
                    report.fail(if faults.is_empty() {
                        let detail = "another row about this employee and leave type is faulty";
                        vec![layout.fault(row, "leave_type", "incomplete", detail)]
                    } else {
                        faults
                    });
                }
            }
        }
    }
    stated
}

/// What the rows about one account say; or what is wrong, by row.
fn together(
    layout: &Layout,
    rows: &[&Row],
    employee_id: EmployeeId,
    leave_type: &LeaveType,
) -> Result<Opening, Vec<Vec<RowError>>> {
    let mut opening: Option<Opening> = None;
    let mut faults: Vec<Vec<RowError>> = Vec::new();
    let leave_type_id: LeaveTypeId = leave_type.id;
    for row in rows {
        let (as_of, part) = match read(layout, row, leave_type.minutes_per_day) {
            Ok(read) => read,
            Err(wrong) => {
                faults.push(wrong);
                continue;
            }
        };
        let opening = opening.get_or_insert(Opening { employee_id, leave_type_id, as_of, parts: Vec::new() });
        faults.push(if opening.as_of != as_of {
            let detail = format!("another row about this employee and leave type is as of {}", opening.as_of);
            vec![layout.fault(row, "as_of", "two-days", detail)]
        } else if opening.parts.iter().any(|one| one.valid_to == part.valid_to) {
            let detail = "another row says the same leave type with the same end of validity";
            vec![layout.fault(row, "leave_type", "duplicate", detail)]
        } else {
            opening.parts.push(part);
            Vec::new()
        });
    }
    match opening {
        Some(opening) if faults.iter().all(Vec::is_empty) => Ok(opening),
        _ => Err(faults),
    }
}

/// What a row says.
fn read(
    layout: &Layout,
    row: &Row,
    minutes_per_day: i64,
) -> Result<(jiff::civil::Date, OpeningPart), Vec<RowError>> {
    let as_of = layout.date(row, "as_of");
    let valid_to = layout.end(row, "valid_to");
    let minutes = amount(layout, row, minutes_per_day);
    match (as_of, valid_to, minutes) {
        (Ok(as_of), Ok(Some(to)), Ok(_)) if to <= as_of => {
            let detail = "it must be after as_of: it is the first day without validity";
            Err(vec![layout.fault(row, "valid_to", "before-start", detail)])
        }
        (Ok(as_of), Ok(valid_to), Ok(minutes)) => Ok((as_of, OpeningPart { minutes, valid_to })),
        (as_of, valid_to, minutes) => {
            Err([as_of.err(), valid_to.err(), minutes.err()].into_iter().flatten().collect())
        }
    }
}

/// The minutes of a row.
fn amount(layout: &Layout, row: &Row, minutes_per_day: i64) -> Result<i64, RowError> {
    let (column, minutes) = match (layout.filled(row, "days"), layout.filled(row, "minutes")) {
        (Some(days), None) => ("days", minutes_of_days(days, minutes_per_day)),
        (None, Some(minutes)) => ("minutes", minutes_of_days(minutes, 1)),
        (None, None) => {
            return Err(layout.fault(row, "days", "missing", "say how much, in days or in minutes"));
        }
        (Some(_), Some(_)) => {
            let detail = "say the amount either in days or in minutes";
            return Err(layout.fault(row, "days", "one-of", detail));
        }
    };
    let minutes = minutes.ok_or_else(|| {
        let detail = "this is not a decimal number such as 12.5 that makes whole minutes";
        layout.fault(row, column, "not-an-amount", detail)
    })?;
    if (0..=MAX_MINUTES).contains(&minutes) {
        return Ok(minutes);
    }
    let most = days_text(MAX_MINUTES, minutes_per_day);
    let detail = format!("this is at least 0, and at most {MAX_MINUTES} minutes, here {most} days");
    Err(layout.fault(row, column, "out-of-range", detail))
}
