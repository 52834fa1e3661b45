//! Importing people, optionally with the first record of their employment.

use std::collections::HashMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::json;

use crate::audit;
use crate::employee::audit::OnRecord;
use crate::employee::{Employee, Gender, check, drawn_number, is_barred_from};
use crate::employment::{Change, Facts, ReportingLine, Timeline};
use crate::error::StoreError;
use crate::event::{NewEvent, subject};
use crate::hrms::Work;
use crate::id::{EmployeeId, ImportId};
use crate::import::RowError;
use crate::import::codes::{Codes, by_number, one_of, try_line};
use crate::import::fields::FACTS;
use crate::import::job::Chunk;
use crate::import::report::Report;
use crate::import::table::{Layout, Row};
use crate::policy::{Permission, Resource};
use crate::store::Version;
use crate::validate::{LAST_DATE, fold};

/// What is known when the rows of a chunk are judged, one after the other.
struct Known {
    codes: Codes,
    /// Employees by key, number or folded e-mail address, as stored.
    stored: HashMap<String, Employee>,
    /// Who has which number, with those added by this chunk.
    numbers: HashMap<String, EmployeeId>,
    /// Who has which folded e-mail address, with those added by this chunk.
    emails: HashMap<String, EmployeeId>,
    timelines: HashMap<EmployeeId, Timeline>,
    line: ReportingLine,
}

/// What is to be written.
#[derive(Default)]
struct Writes {
    added: Vec<Employee>,
    /// Before and after.
    changed: Vec<(Employee, Employee)>,
    timelines: Vec<(EmployeeId, Timeline)>,
}

pub(crate) async fn apply(work: &mut Work, chunk: &Chunk<'_>, report: &mut Report) -> Result<(), StoreError> {
    let layout = &chunk.table.layout;
    // With a column for a fact of the employment, each new employee gets a first record.
    let with_record = FACTS.iter().any(|fact| layout.has(fact));
    let mut known = Known::load(work, chunk).await?;
    let mut drawn = Numbers::draw(work, chunk, &known).await?;
    let mut writes = Writes::default();
    for row in chunk.rows() {
        let before = known.existing(chunk, row).cloned();
        let new_id = EmployeeId::from_uuid(work.hrms().ids().next());
        let judged = judge(work, chunk, row, before.as_ref(), new_id, &mut drawn)
            .and_then(|after| known.require_unique(layout, row, after))
            .and_then(|after| known.require_hired_first(layout, row, after))
            .and_then(|after| {
                let record = if with_record { known.first_record(layout, row, &after)? } else { None };
                if record.is_some() && is_barred_from(work.hrms(), work.actor(), after.id) {
                    let detail = "somebody else has to add your own employment record";
                    return Err(vec![layout.fault(row, "hired_on", "own-record", detail)]);
                }
                Ok((after, record))
            });
        let (mut after, record) = match judged {
            Ok(judged) => judged,
            Err(faults) => {
                report.fail(faults);
                continue;
            }
        };
        known.remember(&after);
        match before {
            Some(before) if before == after && record.is_none() => report.counts.unchanged += 1,
            Some(before) => {
                after.version = before.version.next();
                after.updated_at = work.now();
                after.note_email_change(&before, work.actor());
                writes.changed.push((before, after.clone()));
                report.counts.updated += 1;
            }
            None => {
                writes.added.push(after.clone());
                report.counts.created += 1;
            }
        }
        if let Some(timeline) = record {
            known.timelines.insert(after.id, timeline.clone());
            writes.timelines.push((after.id, timeline));
        }
    }
    writes.write(work, chunk.import, &known).await
}

impl Known {
    async fn load(work: &mut Work, chunk: &Chunk<'_>) -> Result<Self, StoreError> {
        let mut line = ReportingLine::default();
        if chunk.table.layout.has("manager") {
            // Before any row of an employee: nobody else changes the line until we commit.
            work.employment().lock_reporting_line().await?;
            line = work.employment().reporting_line().await?;
        }
        let codes = Codes::load(work, chunk).await?;
        let by_numbers = work.employees().find_by_numbers(&chunk.texts(&["number", "manager"])).await?;
        let by_emails = work.employees().find_by_emails(&chunk.texts(&["email"])).await?;
        let all: Vec<Employee> = by_numbers.into_iter().chain(by_emails).collect();
        let ids: Vec<EmployeeId> = all.iter().map(|employee| employee.id).collect();
        let timelines = work.employment().timelines_of(&ids).await?;
        let by_email = chunk.new.by_email();
        let key = |employee: &Employee| {
            if by_email { employee.email_key() } else { Some(employee.number.clone()) }
        };
        let emails = all.iter().filter_map(|one| Some((one.email_key()?, one.id))).collect();
        let numbers = by_number(&all);
        let stored = all.into_iter().filter_map(|one| Some((key(&one)?, one))).collect();
        Ok(Self { codes, stored, numbers, emails, timelines, line })
    }

    fn existing(&self, chunk: &Chunk<'_>, row: &Row) -> Option<&Employee> {
        let layout = &chunk.table.layout;
        if chunk.new.by_email() {
            self.stored.get(&fold(layout.filled(row, "email")?))
        } else {
            self.stored.get(layout.filled(row, "number")?)
        }
    }

    fn require_unique(
        &self,
        layout: &Layout,
        row: &Row,
        employee: Employee,
    ) -> Result<Employee, Vec<RowError>> {
        let others = |id: Option<&EmployeeId>| id.is_some_and(|id| *id != employee.id);
        let mut faults = Vec::new();
        if others(self.numbers.get(&employee.number)) {
            faults.push(layout.fault(row, "number", "number-taken", "another employee has this number"));
        }
        if others(employee.email_key().and_then(|email| self.emails.get(&email))) {
            let detail = "another employee has this e-mail address";
            faults.push(layout.fault(row, "email", "email-taken", detail));
        }
        if faults.is_empty() { Ok(employee) } else { Err(faults) }
    }

    /// Nobody has an employment record before they were hired.
    fn require_hired_first(
        &self,
        layout: &Layout,
        row: &Row,
        employee: Employee,
    ) -> Result<Employee, Vec<RowError>> {
        let first = self.timelines.get(&employee.id).and_then(Timeline::first_day);
        match first.filter(|first| *first < employee.hired_on) {
            None => Ok(employee),
            Some(first) => {
                let detail = format!("the employment record begins on {first}, before this day");
                Err(vec![layout.fault(row, "hired_on", "record-differs", detail)])
            }
        }
    }

    fn remember(&mut self, employee: &Employee) {
        self.numbers.insert(employee.number.clone(), employee.id);
        if let Some(email) = employee.email_key() {
            self.emails.insert(email, employee.id);
        }
    }

    /// The timeline with the first record that the row states; `None` when it is there already.
    fn first_record(
        &mut self,
        layout: &Layout,
        row: &Row,
        employee: &Employee,
    ) -> Result<Option<Timeline>, Vec<RowError>> {
        let change = self.codes.change(layout, row, &self.numbers)?;
        let hired_on = employee.hired_on;
        if let Some(timeline) = self.timelines.get(&employee.id) {
            let facts = timeline.at(hired_on).map(|record| record.facts);
            if facts.is_some_and(|facts| change.applied_to(&facts) == facts) {
                return Ok(None);
            }
            let detail = "the employment record says otherwise: import employment history to change it";
            return Err(vec![layout.fault(row, "hired_on", "record-differs", detail)]);
        }
        let timeline = Timeline::hired(hired_on, change.applied_to(&Facts::default()));
        self.check_manager(layout, row, employee.id, &change, hired_on)?;
        if change.manager_id.value().is_some()
            && let Some(cycle) = try_line(&mut self.line, employee.id, &Timeline::default(), &timeline)
        {
            let detail = format!("on {} that employee reports, directly or not, to this one", cycle.on);
            return Err(vec![layout.fault(row, "manager", "cycle", detail)]);
        }
        Ok(Some(timeline))
    }

    fn check_manager(
        &self,
        layout: &Layout,
        row: &Row,
        employee: EmployeeId,
        change: &Change,
        on: Date,
    ) -> Result<(), Vec<RowError>> {
        let Some(manager) = change.manager_id.value() else { return Ok(()) };
        if *manager == employee {
            return Err(vec![layout.fault(row, "manager", "own-manager", "nobody is their own manager")]);
        }
        if self.timelines.get(manager).is_none_or(|timeline| timeline.at(on).is_none()) {
            let detail = format!("this employee isn't employed on {on}");
            return Err(vec![layout.fault(row, "manager", "not-employed", detail)]);
        }
        Ok(())
    }
}

/// Numbers drawn from the organisation's counter for new employees who come without one.
struct Numbers {
    next: i64,
}

impl Numbers {
    async fn draw(work: &mut Work, chunk: &Chunk<'_>, known: &Known) -> Result<Self, StoreError> {
        let layout = &chunk.table.layout;
        let without = chunk
            .rows()
            .filter(|row| layout.filled(row, "number").is_none() && known.existing(chunk, row).is_none())
            .count();
        let without = i64::try_from(without).unwrap_or(i64::MAX);
        if without == 0 || !chunk.new.by_email() {
            return Ok(Self { next: 0 });
        }
        Ok(Self { next: work.employees().draw_numbers(without).await? - without + 1 })
    }

    fn take(&mut self) -> String {
        let number = drawn_number(self.next);
        self.next += 1;
        number
    }
}

/// The employee as the row states them.
fn judge(
    work: &Work,
    chunk: &Chunk<'_>,
    row: &Row,
    before: Option<&Employee>,
    new_id: EmployeeId,
    drawn: &mut Numbers,
) -> Result<Employee, Vec<RowError>> {
    let layout = &chunk.table.layout;
    let mut faults = Vec::new();
    let hired_on = layout.date(row, "hired_on").unwrap_or_else(|fault| {
        faults.push(fault);
        // Whatever else is wrong with the row is told too.
        LAST_DATE
    });
    let mut employee = before.cloned().unwrap_or_else(|| Employee {
        id: new_id,
        number: String::new(),
        given_name: String::new(),
        family_name: String::new(),
        email: None,
        email_changed_by: None,
        birth_date: None,
        gender: None,
        hired_on,
        created_at: work.now(),
        updated_at: work.now(),
        version: Version::FIRST,
    });
    employee.hired_on = hired_on;
    let text = |field: &str| layout.cell(row, field).map(str::to_owned);
    match text("number") {
        Some(number) if !number.is_empty() => employee.number = number,
        _ if before.is_none() && chunk.new.by_email() => employee.number = drawn.take(),
        _ => {}
    }
    employee.given_name = text("given_name").unwrap_or(employee.given_name);
    employee.family_name = text("family_name").unwrap_or(employee.family_name);
    if let Some(email) = text("email") {
        employee.email = Some(email).filter(|email| !email.is_empty());
    }
    if chunk.new.by_email() && employee.email.is_none() {
        faults.push(layout.fault(row, "email", "missing", "this must not be empty: it is the key"));
    }
    if layout.has("birth_date") {
        match layout.optional_date(row, "birth_date") {
            Ok(date) => employee.birth_date = date,
            Err(fault) => faults.push(fault),
        }
    }
    match layout.cell(row, "gender") {
        None => {}
        Some("") => employee.gender = None,
        Some(text) => match gender(text) {
            Some(gender) => employee.gender = Some(gender),
            None => {
                let values = Gender::ALL.iter().map(|one| one.code()).chain(["M", "F"]);
                faults.push(one_of(layout, row, "gender", values));
            }
        },
    }
    if let Err(error) = check(&employee) {
        faults.extend(layout.refusal(row, &error));
    }
    if faults.is_empty() { Ok(employee) } else { Err(faults) }
}

fn gender(text: &str) -> Option<Gender> {
    match text {
        "M" => Some(Gender::Male),
        "F" => Some(Gender::Female),
        other => Gender::from_code(other),
    }
}

impl Writes {
    async fn write(self, work: &mut Work, import: ImportId, known: &Known) -> Result<(), StoreError> {
        known.codes.add_missing(work, &self.timelines).await?;
        if !self.added.is_empty() {
            work.employees().insert_many(&self.added).await?;
        }
        if !self.changed.is_empty() {
            let after: Vec<Employee> = self.changed.iter().map(|(_, after)| after.clone()).collect();
            work.employees().update_many(&after).await?;
        }
        if !self.timelines.is_empty() {
            work.employment().replace_timelines(&self.timelines).await?;
        }
        // Records are only added here, never changed: a timeline that is written is somebody's first.
        let written: HashMap<EmployeeId, &Timeline> =
            self.timelines.iter().map(|(id, timeline)| (*id, timeline)).collect();
        let on_record = |employee, timeline| OnRecord { employee: Some(employee), timeline };
        for employee in &self.added {
            let timeline = written.get(&employee.id).copied();
            let change = audit::Change::created(&on_record(employee, timeline));
            let mut event = event(work, "employee.hired", employee.id, timeline, import, change);
            event.data =
                json!({ "employee_id": employee.id, "from": employee.hired_on, "import_id": import });
            work.emit(event);
        }
        for (before, after) in &self.changed {
            let timeline = written.get(&after.id).copied();
            let change = audit::Change::changed(&on_record(before, None), &on_record(after, timeline));
            let timeline = known.timelines.get(&after.id);
            let event = event(work, "employee.changed", after.id, timeline, import, change);
            work.emit(event);
        }
        Ok(())
    }
}

/// What is told of an employee whom an import added or changed.
pub(crate) fn event(
    work: &Work,
    kind: &'static str,
    employee: EmployeeId,
    timeline: Option<&Timeline>,
    import: ImportId,
    change: audit::Change,
) -> NewEvent {
    let today = work.now().to_zoned(TimeZone::UTC).date();
    let facts =
        timeline.and_then(|timeline| timeline.at(today)).map(|record| record.facts).unwrap_or_default();
    NewEvent {
        kind,
        subject: subject("employees", employee.as_uuid()),
        data: json!({ "employee_id": employee, "import_id": import }),
        change,
        permission: Permission::EmployeeRead,
        resource: Resource::of(employee, facts),
    }
}
