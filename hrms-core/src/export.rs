//! Exports: CSV files in the form that imports take, so that importing one again changes nothing.
//!
//! The same policy applies as to the records themselves (P30): columns and rows that the actor may not read
//! aren't in the file.

use std::collections::HashMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::actor::Actor;
use crate::audit::{Act, Change};
use crate::department::{Department, DepartmentFilter, DepartmentSort};
use crate::designation::{Designation, DesignationFilter, DesignationSort};
use crate::employee::{EmployeeFilter, EmployeeRow, EmployeeSort};
use crate::error::{CommonError, StoreError};
use crate::hrms::Hrms;
use crate::id::{DepartmentId, EmployeeId};
use crate::import::{ImportKind, escape};
use crate::leave::stored_openings;
use crate::location::{Location, LocationFilter, LocationSort};
use crate::page::{PageRequest, Position};
use crate::policy::{Decision, Details, Permission, Resource, Visibility};
use crate::store::Tx;

/// So many rows are read at once.
const BATCH: u16 = 5_000;

/// What can be exported.
#[derive(Clone, Copy, Debug)]
pub struct ExportService<'a>(&'a Hrms);

impl Hrms {
    /// Exports.
    #[must_use]
    pub fn exports(&self) -> ExportService<'_> {
        ExportService(self)
    }
}

impl ExportService<'_> {
    /// Everything of a kind that the actor may read, as CSV (UTF-8, with CRLF).
    ///
    /// Birth date and gender are columns only for actors who may read personal data of the whole
    /// organisation. History and heads need to see every employee.
    ///
    /// # Errors
    /// When exports or the things themselves may not be read.
    pub async fn csv(&self, actor: &Actor, kind: ImportKind) -> Result<Vec<u8>, CommonError> {
        let hrms = self.0;
        let file = Resource::organization().with_details(Details::Data(kind));
        hrms.require(actor, Permission::ExportRun, &file)?;
        let today = hrms.clock().today(&TimeZone::UTC);
        let whole = |permission| hrms.require(actor, permission, &Resource::organization());
        match kind {
            ImportKind::Locations => whole(Permission::LocationRead)?,
            ImportKind::Departments => whole(Permission::DepartmentRead)?,
            ImportKind::Designations => whole(Permission::DesignationRead)?,
            ImportKind::DepartmentHeads => {
                whole(Permission::DepartmentRead)?;
                whole(Permission::EmployeeRead)?;
            }
            ImportKind::EmploymentHistory => whole(Permission::EmployeeRead)?,
            ImportKind::OpeningBalances => {
                whole(Permission::EmployeeRead)?;
                whole(Permission::LeaveRead)?;
            }
            ImportKind::Employees => {}
        }
        let mut file = File::new();
        match kind {
            ImportKind::Locations => {
                let mut tx = hrms.read(actor).await?;
                file.row(["code", "name", "time_zone"])?;
                for one in locations(&mut *tx).await? {
                    file.row([&one.code, &one.name, &one.time_zone])?;
                }
            }
            ImportKind::Designations => {
                let mut tx = hrms.read(actor).await?;
                file.row(["code", "name"])?;
                for one in designations(&mut *tx).await? {
                    file.row([&one.code, &one.name])?;
                }
            }
            ImportKind::Departments => {
                let mut tx = hrms.read(actor).await?;
                file.departments(&departments(&mut *tx).await?)?;
            }
            ImportKind::Employees => {
                let visible = hrms.visibility(actor, Permission::EmployeeRead)?;
                let personal = whole(Permission::EmployeeReadPersonal).is_ok();
                let mut tx = hrms.read(actor).await?;
                let mut people = employees(&mut *tx, visible, today).await?;
                self.sift(actor, &mut *tx, &mut people, today).await?;
                if personal {
                    self.mask(actor, &mut people);
                }
                file.employees(&people, personal)?;
            }
            ImportKind::EmploymentHistory => {
                let mut tx = hrms.read(actor).await?;
                let mut people = employees(&mut *tx, Visibility::ALL, today).await?;
                self.sift(actor, &mut *tx, &mut people, today).await?;
                file.history(&mut *tx, &people).await?;
            }
            ImportKind::DepartmentHeads => {
                let mut tx = hrms.read(actor).await?;
                let mut people = employees(&mut *tx, Visibility::ALL, today).await?;
                self.sift(actor, &mut *tx, &mut people, today).await?;
                file.heads(&mut *tx, &people).await?;
            }
            ImportKind::OpeningBalances => {
                let mut tx = hrms.read(actor).await?;
                let mut people = employees(&mut *tx, Visibility::ALL, today).await?;
                self.sift(actor, &mut *tx, &mut people, today).await?;
                let policy = hrms.policy();
                if policy.narrows(actor, Permission::LeaveRead) {
                    hrms.complete(&mut *tx, actor, people.iter_mut().map(|row| &mut row.resource), today)
                        .await?;
                    people.retain(|row| {
                        policy.decide(actor, Permission::LeaveRead, &row.resource) == Decision::Allow
                    });
                }
                file.openings(&mut *tx, &people).await?;
            }
        }
        let file = file.done()?;
        self.put_on_record(actor, kind.code()).await?;
        Ok(file)
    }

    /// Puts an export on record, before anybody gets it.
    pub(crate) async fn put_on_record(&self, actor: &Actor, what: &str) -> Result<(), CommonError> {
        let mut work = self.0.begin(actor).await?;
        let subject = format!("exports/{what}");
        work.record(Act { action: "export.made".into(), subject, change: Change::none() });
        work.commit(()).await
    }

    /// Leaves out whom the organisation's own policies hide.
    async fn sift(
        &self,
        actor: &Actor,
        tx: &mut dyn Tx,
        people: &mut Vec<EmployeeRow>,
        today: Date,
    ) -> Result<(), CommonError> {
        let policy = self.0.policy();
        if policy.narrows(actor, Permission::EmployeeRead) {
            self.0.complete(tx, actor, people.iter_mut().map(|row| &mut row.resource), today).await?;
            people.retain(|row| {
                policy.decide(actor, Permission::EmployeeRead, &row.resource) == Decision::Allow
            });
        }
        Ok(())
    }

    /// Leaves out the personal data that the organisation's own policies hide.
    fn mask(&self, actor: &Actor, people: &mut [EmployeeRow]) {
        let (policy, personal) = (self.0.policy(), Permission::EmployeeReadPersonal);
        if policy.narrows(actor, personal) {
            for row in people {
                if policy.decide(actor, personal, &row.resource) == Decision::Deny {
                    row.view = row.view.clone().without_personal_data();
                }
            }
        }
    }
}

/// Reads a whole collection in batches, in one consistent snapshot.
macro_rules! every {
    ($tx:expr, $repo:ident, $filter:expr, $sort:expr, $key:expr, $id:expr) => {{
        let mut all = Vec::new();
        let mut page = PageRequest { sort: $sort, descending: false, limit: BATCH, after: None };
        loop {
            let mut rows = $tx.$repo().list(&$filter, &page).await?;
            let more = rows.len() > usize::from(BATCH);
            rows.truncate(usize::from(BATCH));
            page.after = rows.last().map(|last| Position { key: $key(last), id: $id(last) });
            all.append(&mut rows);
            if !more {
                break all;
            }
        }
    }};
}

async fn locations(tx: &mut dyn Tx) -> Result<Vec<Location>, StoreError> {
    let filter = LocationFilter::default();
    Ok(every!(
        tx,
        locations,
        filter,
        LocationSort::Code,
        |one: &Location| one.code.clone(),
        |one: &Location| one.id.as_uuid()
    ))
}

async fn departments(tx: &mut dyn Tx) -> Result<Vec<Department>, StoreError> {
    let filter = DepartmentFilter::default();
    Ok(every!(
        tx,
        departments,
        filter,
        DepartmentSort::Code,
        |one: &Department| one.code.clone(),
        |one: &Department| one.id.as_uuid()
    ))
}

async fn designations(tx: &mut dyn Tx) -> Result<Vec<Designation>, StoreError> {
    let filter = DesignationFilter::default();
    Ok(every!(
        tx,
        designations,
        filter,
        DesignationSort::Code,
        |one: &Designation| one.code.clone(),
        |one: &Designation| one.id.as_uuid()
    ))
}

async fn employees(
    tx: &mut dyn Tx,
    visible: Visibility,
    today: Date,
) -> Result<Vec<EmployeeRow>, StoreError> {
    let filter = EmployeeFilter::everybody(visible, today);
    Ok(every!(
        tx,
        employees,
        filter,
        EmployeeSort::Number,
        |one: &EmployeeRow| one.view.number.clone(),
        |one: &EmployeeRow| one.view.id.as_uuid()
    ))
}

/// A CSV file in the making.
pub(crate) struct File(csv::Writer<Vec<u8>>);

fn failed(error: csv::Error) -> CommonError {
    CommonError::Encode(serde::ser::Error::custom(error))
}

fn text<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

impl File {
    pub(crate) fn new() -> Self {
        Self(csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new()))
    }

    /// Adds a row; what a spreadsheet would take for a formula is quoted.
    pub(crate) fn row<T: AsRef<str>>(
        &mut self,
        cells: impl IntoIterator<Item = T>,
    ) -> Result<(), CommonError> {
        for cell in cells {
            self.0.write_field(&*escape(cell.as_ref())).map_err(failed)?;
        }
        self.0.write_record(None::<&[u8]>).map_err(failed)
    }

    /// The same, in which numbers below zero stay numbers.
    pub(crate) fn cells(&mut self, cells: impl IntoIterator<Item = String>) -> Result<(), CommonError> {
        for cell in cells {
            let is_number = cell.parse::<rust_decimal::Decimal>().is_ok();
            let cell = if is_number { std::borrow::Cow::Borrowed(&*cell) } else { escape(&cell) };
            self.0.write_field(&*cell).map_err(failed)?;
        }
        self.0.write_record(None::<&[u8]>).map_err(failed)
    }

    pub(crate) fn done(self) -> Result<Vec<u8>, CommonError> {
        self.0.into_inner().map_err(|error| CommonError::Encode(serde::ser::Error::custom(error)))
    }

    fn departments(&mut self, all: &[Department]) -> Result<(), CommonError> {
        let codes: HashMap<DepartmentId, &str> = all.iter().map(|one| (one.id, one.code.as_str())).collect();
        self.row(["code", "name", "parent"])?;
        for one in all {
            let parent = one.parent_id.and_then(|parent| codes.get(&parent)).copied().unwrap_or_default();
            self.row([one.code.as_str(), &one.name, parent])?;
        }
        Ok(())
    }

    fn employees(&mut self, rows: &[EmployeeRow], personal: bool) -> Result<(), CommonError> {
        let plain = ["number", "given_name", "family_name", "email", "hired_on"];
        self.row(plain.iter().chain(if personal { &["birth_date", "gender"][..] } else { &[] }))?;
        for EmployeeRow { view, .. } in rows {
            let mut cells = vec![
                view.number.clone(),
                view.given_name.clone(),
                view.family_name.clone(),
                text(view.email.as_ref()),
                view.hired_on.to_string(),
            ];
            if personal {
                cells.push(text(view.birth_date.flatten()));
                cells.push(text(view.gender.flatten().map(crate::employee::Gender::code)));
            }
            self.row(cells)?;
        }
        Ok(())
    }

    async fn history(&mut self, tx: &mut dyn Tx, people: &[EmployeeRow]) -> Result<(), CommonError> {
        let numbers = numbers(people);
        let departments: HashMap<_, _> =
            departments(tx).await?.into_iter().map(|one| (one.id, one.code)).collect();
        let designations: HashMap<_, _> =
            designations(tx).await?.into_iter().map(|one| (one.id, one.code)).collect();
        let locations: HashMap<_, _> =
            locations(tx).await?.into_iter().map(|one| (one.id, one.code)).collect();
        self.row([
            "employee",
            "from",
            "to",
            "department",
            "designation",
            "location",
            "manager",
            "employment_type",
            "status",
        ])?;
        for people in people.chunks(usize::from(BATCH)) {
            let ids: Vec<EmployeeId> = people.iter().map(|one| one.view.id).collect();
            let timelines = tx.employment().timelines_of(&ids).await?;
            for person in people {
                let Some(timeline) = timelines.get(&person.view.id) else { continue };
                for record in timeline.history() {
                    let facts = record.facts;
                    self.row([
                        person.view.number.clone(),
                        record.period.from().to_string(),
                        text(record.period.to()),
                        text(facts.department_id.and_then(|id| departments.get(&id))),
                        text(facts.designation_id.and_then(|id| designations.get(&id))),
                        text(facts.location_id.and_then(|id| locations.get(&id))),
                        text(facts.manager_id.and_then(|id| numbers.get(&id))),
                        facts.employment_type.code().to_owned(),
                        facts.status.code().to_owned(),
                    ])?;
                }
            }
        }
        Ok(())
    }

    async fn heads(&mut self, tx: &mut dyn Tx, people: &[EmployeeRow]) -> Result<(), CommonError> {
        let numbers = numbers(people);
        let all = departments(tx).await?;
        let ids: Vec<DepartmentId> = all.iter().map(|one| one.id).collect();
        let heads = tx.departments().heads_of(&ids).await?;
        self.row(["department", "employee", "from", "to"])?;
        for department in &all {
            for head in heads.get(&department.id).into_iter().flatten() {
                let Some(number) = numbers.get(&head.employee_id) else { continue };
                self.row([
                    department.code.clone(),
                    (*number).to_owned(),
                    head.period.from().to_string(),
                    text(head.period.to()),
                ])?;
            }
        }
        Ok(())
    }

    async fn openings(&mut self, tx: &mut dyn Tx, people: &[EmployeeRow]) -> Result<(), CommonError> {
        let numbers = numbers(people);
        let types: HashMap<_, _> =
            tx.leave_types().all().await?.into_iter().map(|one| (one.id, one.code)).collect();
        self.row(["employee", "leave_type", "as_of", "minutes", "valid_to"])?;
        for people in people.chunks(usize::from(BATCH)) {
            let ids: Vec<EmployeeId> = people.iter().map(|one| one.view.id).collect();
            let mut openings = stored_openings(tx, &ids).await?;
            openings.sort_by_key(|one| (numbers.get(&one.employee_id), types.get(&one.leave_type_id)));
            for one in openings {
                let (Some(number), Some(code)) =
                    (numbers.get(&one.employee_id), types.get(&one.leave_type_id))
                else {
                    continue;
                };
                for part in &one.parts {
                    self.row([
                        (*number).to_owned(),
                        code.clone(),
                        one.as_of.to_string(),
                        part.minutes.to_string(),
                        text(part.valid_to),
                    ])?;
                }
            }
        }
        Ok(())
    }
}

fn numbers(people: &[EmployeeRow]) -> HashMap<EmployeeId, &str> {
    people.iter().map(|one| (one.view.id, one.view.number.as_str())).collect()
}
