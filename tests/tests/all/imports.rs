//! Imports from upload to timelines, on every engine; the odd files are tested beside the reader.
//! Over HTTP: `imports/http.rs`.

mod http;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hrms_core::actor::{Actor, Cause, Who};
use hrms_core::contract::{at, id, tenant};
use hrms_core::employee::{EmployeeFilter, EmployeeRow, EmployeeSort, EndEmployment};
use hrms_core::employment::EndReason;
use hrms_core::id::{RequestId, UserId};
use hrms_core::import::{ImportJob, ImportKind, ImportMode, ImportView, NewImport};
use hrms_core::jiff::civil::{Date, date};
use hrms_core::jiff::{SignedDuration, Timestamp};
use hrms_core::job::{Claim, JobKind, JobRegistry, JobState, Slots, Worker, run_until_idle};
use hrms_core::{Clock, DomainError, FixedClock, Hrms, PageRequest, Role, Visibility};
use hrms_store::SqlStore;
use serde_json::Value;

use crate::all::support::{Fresh, postgres, sqlite_file, sqlite_memory};

/// The jobs of imports: whom they are told of is tested elsewhere.
fn registry() -> JobRegistry {
    JobRegistry::empty().with::<ImportJob>()
}

/// A clock that the test and the system share. Each unit of work looks at it once, so its looks can be
/// counted to know how far an import has come.
#[derive(Clone, Debug)]
struct Shared(Arc<FixedClock>, Arc<AtomicUsize>);

impl Clock for Shared {
    fn now(&self) -> Timestamp {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.now()
    }
}

pub(crate) struct Setting {
    pub(crate) hrms: Hrms,
    clock: Arc<FixedClock>,
    looks: Arc<AtomicUsize>,
    pub(crate) actor: Actor,
    fresh: Fresh,
}

pub(crate) fn user(setting_of: hrms_core::TenantId, roles: &[Role]) -> Actor {
    let employee = Some(hrms_core::EmployeeId::from_uuid(id()));
    let who = Who::User { user: UserId::from_uuid(id()), session: None, employee };
    Actor::user(setting_of, who, roles, Cause::Request, RequestId::from_uuid(id()))
}

pub(crate) async fn setting(fresh: Fresh) -> Setting {
    let clock = Arc::new(FixedClock::at(at(0)));
    let looks = Arc::new(AtomicUsize::new(0));
    let shared = Shared(clock.clone(), looks.clone());
    let hrms = Hrms::builder(SqlStore::clone(&fresh)).clock(shared).build();
    let tenant = tenant(&*fresh).await;
    Setting { hrms, clock, looks, actor: user(tenant, &[Role::Hr]), fresh }
}

impl Setting {
    async fn submit(&self, new: NewImport, file: &str) -> ImportView {
        self.hrms.imports().submit(&self.actor, new, file.as_bytes()).await.unwrap()
    }

    /// Imports a file and gives the job's state and result.
    pub(crate) async fn import(&self, new: NewImport, file: &str) -> (JobState, Value) {
        let view = self.submit(new, file).await;
        run_until_idle(&self.hrms, &registry()).await.unwrap();
        let job = self.hrms.jobs().get(&self.actor, view.job_id).await.unwrap();
        (job.state, job.result.unwrap_or_else(|| panic!("no result: {:?}", job.error)))
    }

    async fn counts(&self, new: NewImport, file: &str) -> [u64; 5] {
        let (state, result) = self.import(new, file).await;
        assert_eq!(state, JobState::Succeeded, "{result}");
        counts(&result)
    }

    pub(crate) async fn people(&self, on: Date) -> Vec<EmployeeRow> {
        let mut tx = self.hrms.read(&self.actor).await.unwrap();
        let filter = EmployeeFilter::everybody(Visibility::ALL, on);
        let page = PageRequest { sort: EmployeeSort::Number, descending: false, limit: 20_000, after: None };
        tx.employees().list(&filter, &page).await.unwrap()
    }

    /// The data of all events of a type, oldest first.
    async fn events(&self, kind: &str) -> Vec<Value> {
        let mut tx = self.hrms.read(&self.actor).await.unwrap();
        let events = tx.events().after(0, 1000).await.unwrap();
        events.into_iter().filter(|event| event.kind == kind).map(|event| event.data).collect()
    }

    async fn base(&self) {
        let of = NewImport::of;
        self.counts(of(ImportKind::Locations), "code,name,time_zone\npune,Pune,Asia/Kolkata\n").await;
        let departments = "code,name,parent\ndev,Development,all\nall,Everything,\nops,Operations,all\n";
        assert_eq!(self.counts(of(ImportKind::Departments), departments).await, [3, 0, 0, 0, 0]);
        self.counts(of(ImportKind::Designations), "code,name\nengineer,Engineer\n").await;
    }
}

/// Created, updated, unchanged, failed, warnings.
pub(crate) fn counts(result: &Value) -> [u64; 5] {
    ["created", "updated", "unchanged", "failed", "warnings"]
        .map(|name| result.get(name).and_then(Value::as_u64).unwrap())
}

fn errors(result: &Value) -> Vec<(u64, String, String)> {
    let text = |error: &Value, name: &str| error.get(name).and_then(Value::as_str).unwrap_or("-").to_owned();
    let errors = result.get("errors").and_then(Value::as_array).unwrap();
    let row = |error: &Value| error.get("row").and_then(Value::as_u64).unwrap();
    errors.iter().map(|error| (row(error), text(error, "column"), text(error, "code"))).collect()
}

fn expected(errors: &[(u64, &str, &str)]) -> Vec<(u64, String, String)> {
    errors.iter().map(|(row, column, code)| (*row, (*column).to_owned(), (*code).to_owned())).collect()
}

const PEOPLE: &str = "number,given_name,family_name,email,birth_date,gender,hired_on,department,manager\n\
    2,Bo,Berg,bo@example.com,1990-01-02,M,2020-02-01,dev,1\n\
    1,Asha,Rao,asha@example.com,1980-01-01,female,2019-01-01,all,\n\
    3,=cmd,'t Hooft,,,,2020-03-01,dev,2\n";

async fn an_import_adds_changes_and_leaves_alone(fresh: Fresh) {
    let s = setting(fresh).await;
    s.base().await;
    let people = || NewImport::of(ImportKind::Employees);
    assert_eq!(s.counts(people(), PEOPLE).await, [3, 0, 0, 0, 0], "managers may come later in the file");
    let hired = s.events("employee.hired").await;
    assert_eq!(hired.len(), 3, "told as if they had been hired one by one");
    assert_eq!(hired[0]["from"], "2019-01-01", "managers first");
    assert!(hired[0]["import_id"].is_string() && hired[0]["employee_id"].is_string());
    assert_eq!(s.counts(people(), PEOPLE).await, [0, 0, 3, 0, 0]);
    let moved = "number,given_name,family_name,email,hired_on\n2,Bo,Bergström,,2020-02-01\n3,=cmd,'t Hooft,,2020-03-01\n";
    assert_eq!(s.counts(people(), moved).await, [0, 1, 1, 0, 0]);
    let rows = s.people(date(2021, 1, 1)).await;
    let bo = &rows.get(1).unwrap().view;
    assert_eq!((bo.family_name.as_str(), &bo.email), ("Bergström", &None));
    assert_eq!(bo.birth_date, Some(Some(date(1990, 1, 2))), "not in the file, not touched");
    let employment = bo.employment.as_ref().unwrap();
    assert_eq!(employment.manager.as_ref().unwrap().number, "1");
    assert_eq!(employment.valid_from, date(2020, 2, 1));
}

/// A later day of hiring would leave records of days before it.
async fn a_day_of_hiring_after_the_first_record_is_refused(fresh: Fresh) {
    let s = setting(fresh).await;
    s.base().await;
    s.counts(NewImport::of(ImportKind::Employees), PEOPLE).await;
    let people = "number,given_name,family_name,hired_on\n1,Asha,Rao,2019-01-02\n2,Bo,Berg,2020-01-31\n";
    for file in [
        people,
        &people
            .replace("hired_on", "hired_on,department")
            .replace("\n2,", ",all\n2,")
            .replace("31\n", "31,\n"),
    ] {
        let (_, result) = s.import(NewImport::of(ImportKind::Employees), file).await;
        assert!(errors(&result).contains(&(2, "hired_on".into(), "record-differs".into())), "{result}");
    }
    let rows = s.people(date(2021, 1, 1)).await;
    let hired: Vec<Date> = rows.iter().map(|row| row.view.hired_on).collect();
    assert_eq!(hired, [date(2019, 1, 1), date(2020, 1, 31), date(2020, 3, 1)]);
}

async fn bad_rows_are_told_by_row_and_column_and_the_good_ones_stay(fresh: Fresh) {
    let s = setting(fresh).await;
    s.base().await;
    let file = "number,given_name,family_name,email,gender,hired_on,department,manager\n\
        1,Asha,Rao,asha@example.com,x,2019-01-01,all,\n\
        2,Bo,Berg,bo@,male,2020-13-01,dev,\n\
        3,Cy,Cox,cy@example.com,,2020-01-01,nowhere,9\n\
        4,Di,Day,CY@example.com,,2020-01-01,,\n\
        5,,Eve,eve@example.com,,2020-01-01,,5\n\
        6,Fay,Fox,fay@example.com,,2020-01-01,,7\n\
        7,Gus,Gray,gus@example.com,,2021-01-01,,\n\
        7,Gus,Gray,gus2@example.com,,2021-01-01,,\n";
    let new = NewImport::of(ImportKind::Employees);
    let (state, result) = s.import(new.clone(), file).await;
    assert_eq!((state, counts(&result)), (JobState::Succeeded, [1, 0, 0, 7, 0]));
    assert_eq!(
        errors(&result),
        expected(&[
            (2, "gender", "unknown-value"),
            (3, "hired_on", "not-a-date"),
            (3, "email", "not-an-email"),
            (4, "department", "unknown-reference"),
            (4, "manager", "unknown-reference"),
            (5, "email", "duplicate"),
            (6, "manager", "cycle"),
            (7, "manager", "not-employed"),
            (9, "number", "duplicate"),
        ])
    );
    let view = s.submit(new, file).await;
    run_until_idle(&s.hrms, &registry()).await.unwrap();
    let csv = String::from_utf8(s.hrms.imports().errors_csv(&s.actor, view.id).await.unwrap()).unwrap();
    assert_eq!(csv.lines().count(), 10, "{csv}");
    assert!(csv.contains("9,number,error,duplicate,row 8 has the same"), "{csv}");
}

async fn all_or_nothing_and_dry_runs_write_nothing(fresh: Fresh) {
    let s = setting(fresh).await;
    s.base().await;
    let new = NewImport { mode: ImportMode::AllOrNothing, ..NewImport::of(ImportKind::Employees) };
    let dry = NewImport { dry_run: true, ..new.clone() };
    let (state, result) = s.import(dry, PEOPLE).await;
    assert_eq!((state, counts(&result)), (JobState::Succeeded, [3, 0, 0, 0, 0]));
    assert!(s.people(date(2021, 1, 1)).await.is_empty());

    let bad = format!("{PEOPLE}4,Di,Day,,,,soon,,\n");
    let (state, result) = s.import(new.clone(), &bad).await;
    assert_eq!((state, counts(&result)), (JobState::Failed, [3, 0, 0, 1, 0]));
    assert_eq!(result.get("applied"), Some(&Value::Bool(false)));
    assert_eq!(errors(&result), expected(&[(5, "hired_on", "not-a-date")]));
    assert!(s.people(date(2021, 1, 1)).await.is_empty());

    let (state, result) = s.import(new, PEOPLE).await;
    assert_eq!((state, counts(&result)), (JobState::Succeeded, [3, 0, 0, 0, 0]));
    assert_eq!(s.people(date(2021, 1, 1)).await.len(), 3);
}

async fn history_sets_facts_for_periods_and_refuses_what_cant_be(fresh: Fresh) {
    let s = setting(fresh).await;
    s.base().await;
    let people = "number,given_name,family_name,hired_on\n1,Asha,Rao,2019-01-01\n2,Bo,Berg,2020-01-01\n\
        3,Cy,Cox,2020-01-01\n4,Di,Day,2020-01-01\n";
    s.counts(NewImport::of(ImportKind::Employees), people).await;
    let titles =
        NewImport { create_missing_designations: true, ..NewImport::of(ImportKind::EmploymentHistory) };
    let file = "employee,from,to,department,designation,manager\n\
        1,2019-02-01,2020-01-01,dev,Engineer,\n\
        2,2020-01-01,,dev,Senior Engineer,1\n\
        1,2020-01-01,9999-01-01,ops,,\n\
        3,2020-05-01,2020-05-01,dev,,\n\
        3,2020-06-01,,dev,,\n\
        4,2019-12-31,,dev,,\n\
        5,2020-01-01,,dev,,\n";
    let (_, result) = s.import(titles.clone(), file).await;
    assert_eq!(counts(&result), [0, 4, 0, 3, 0], "{result}");
    assert_eq!(
        errors(&result),
        expected(&[
            (5, "to", "empty-period"),
            (7, "from", "outside-employment"),
            (8, "employee", "unknown-reference"),
        ])
    );
    let rows = s.people(date(2019, 1, 15)).await;
    assert!(rows.first().unwrap().view.employment.is_none(), "the gap after hiring is explicit");
    let rows = s.people(date(2020, 3, 1)).await;
    let of = |at: usize| rows.get(at).unwrap().view.employment.as_ref();
    assert_eq!(of(0).unwrap().department.as_ref().unwrap().name, "Operations");
    assert_eq!(of(1).unwrap().designation.as_ref().unwrap().name, "Senior Engineer");
    assert_eq!(of(1).unwrap().manager.as_ref().unwrap().number, "1");
    assert!(of(2).is_none());

    let conflict = "employee,from,to,department,manager\n3,2020-05-01,2020-07-01,dev,\n3,2020-06-01,,ops,\n\
        1,2020-02-01,2020-03-01,,2\n";
    let (_, result) = s.import(titles.clone(), conflict).await;
    assert_eq!(
        errors(&result),
        expected(&[(2, "department", "conflict"), (3, "department", "conflict"), (4, "manager", "cycle")])
    );
    let csv = s.hrms.exports().csv(&s.actor, ImportKind::EmploymentHistory).await.unwrap();
    let again = String::from_utf8(csv).unwrap();
    assert_eq!(s.counts(titles, &again).await, [0, 0, 4, 0, 0], "{again}");
}

/// An end that was recorded with its reason stays, also when the person came back.
async fn history_does_not_overrule_an_end_with_a_reason(fresh: Fresh) {
    let s = setting(fresh).await;
    s.base().await;
    let people = "number,given_name,family_name,hired_on,department\n1,Asha,Rao,2019-01-01,dev\n";
    s.counts(NewImport::of(ImportKind::Employees), people).await;
    let asha = s.people(date(2019, 1, 1)).await.remove(0).view.id;
    let end = EndEmployment { last_day: date(2020, 12, 31), reason: Some(EndReason::Retirement) };
    s.hrms.employees().end_employment(&s.actor, asha, end).await.unwrap();
    let history = || NewImport::of(ImportKind::EmploymentHistory);
    let refused = async |file: &str| {
        let (_, result) = s.import(history(), file).await;
        assert_eq!(errors(&result), expected(&[(2, "to", "outside-employment")]), "{file}: {result}");
    };
    refused("employee,from,to,department\n1,2020-06-01,,ops\n").await;
    let back = r#"{"from": "2022-01-01"}"#;
    s.hrms.employees().rehire(&s.actor, asha, serde_json::from_str(back).unwrap()).await.unwrap();
    refused("employee,from,to,department\n1,2021-01-01,2022-01-01,ops\n").await;
    refused("employee,from,to,department\n1,2020-06-01,,ops\n").await;
    let fits = "employee,from,to,department\n1,2020-06-01,2021-01-01,ops\n1,2022-01-01,,ops\n";
    assert_eq!(s.counts(history(), fits).await, [0, 2, 0, 0, 0]);
}

async fn heads_become_managers_where_that_can_be(fresh: Fresh) {
    let s = setting(fresh).await;
    s.base().await;
    let people = "number,given_name,family_name,hired_on,department\n1,Asha,Rao,2019-01-01,dev\n\
        2,Bo,Berg,2020-01-01,dev\n3,Cy,Cox,2020-06-01,ops\n4,Di,Day,2020-01-01,ops\n";
    s.counts(NewImport::of(ImportKind::Employees), people).await;
    let new = NewImport { assign_managers: true, ..NewImport::of(ImportKind::DepartmentHeads) };
    let file = "department,employee,from,to\n\
        dev,3,2020-03-01,\n\
        ops,1,2020-01-01,2020-04-01\n\
        ops,2,2020-03-01,\n\
        ops,1,2020-08-01,\n";
    let (_, result) = s.import(new.clone(), file).await;
    // Cy heads dev, where Asha is; so Asha can't be above Cy as the head of ops.
    assert_eq!(counts(&result), [3, 0, 0, 1, 2], "{result}");
    assert_eq!(
        errors(&result),
        expected(&[(2, "employee", "head-not-employed"), (4, "from", "overlaps"), (5, "employee", "cycle"),])
    );
    let manager = async |on: Date, at: usize| {
        let rows = s.people(on).await;
        let employment = rows.get(at).unwrap().view.employment.clone();
        employment.and_then(|employment| employment.manager).map(|manager| manager.number)
    };
    assert_eq!(manager(date(2020, 3, 15), 0).await, None, "the head isn't employed yet");
    assert_eq!(manager(date(2020, 7, 1), 0).await.as_deref(), Some("3"));
    assert_eq!(manager(date(2020, 3, 1), 3).await.as_deref(), Some("1"));
    assert_eq!(manager(date(2020, 9, 1), 3).await.as_deref(), Some("1"));
    assert_eq!(manager(date(2020, 9, 1), 2).await, None, "would be a circle");
    let csv = s.hrms.exports().csv(&s.actor, ImportKind::DepartmentHeads).await.unwrap();
    let again = String::from_utf8(csv).unwrap();
    assert_eq!(
        s.counts(NewImport::of(ImportKind::DepartmentHeads), &again).await,
        [0, 0, 3, 0, 1],
        "{again}"
    );
}

async fn what_is_exported_imports_as_unchanged_here_and_equal_elsewhere(fresh: Fresh) {
    let s = setting(fresh).await;
    s.base().await;
    s.counts(NewImport::of(ImportKind::Employees), PEOPLE).await;
    // The manager leaves, and the one who reports to them changes departments later.
    let boss = s.people(date(2021, 1, 1)).await.remove(0).view.id;
    let end = EndEmployment { last_day: date(2021, 12, 31), reason: None };
    s.hrms.employees().end_employment(&s.actor, boss, end).await.unwrap();
    let later = "employee,from,department\n2,2022-06-01,ops\n";
    assert_eq!(s.counts(NewImport::of(ImportKind::EmploymentHistory), later).await, [0, 1, 0, 0, 0]);
    let other = Setting {
        hrms: s.hrms.clone(),
        clock: s.clock.clone(),
        looks: s.looks.clone(),
        actor: user(tenant(&*s.fresh).await, &[Role::Hr]),
        fresh: sqlite_memory().await,
    };
    for kind in ImportKind::ALL {
        let csv = String::from_utf8(s.hrms.exports().csv(&s.actor, *kind).await.unwrap()).unwrap();
        let rows = u64::try_from(csv.lines().count() - 1).unwrap();
        assert_eq!(s.counts(NewImport::of(*kind), &csv).await, [0, 0, rows, 0, 0], "{csv}");
        other.counts(NewImport::of(*kind), &csv).await;
        let copy = other.hrms.exports().csv(&other.actor, *kind).await.unwrap();
        assert_eq!(String::from_utf8(copy).unwrap(), csv);
    }
    let csv =
        String::from_utf8(s.hrms.exports().csv(&s.actor, ImportKind::Employees).await.unwrap()).unwrap();
    assert!(csv.contains("'=cmd,'t Hooft"), "{csv}");
}

/// How often a worker looks at the clock until it is in its third chunk: for each, the requester's rights and
/// policies, and the unit of work itself.
const LOOKS_BEFORE_THIRD_CHUNK: usize = 14;

async fn a_killed_import_goes_on_behind_the_last_chunk(fresh: Fresh) {
    let s = setting(fresh).await;
    let mut file = "number,given_name,family_name,hired_on\n".to_owned();
    for n in 0..1_700 {
        file.push_str(&format!("{n:05},Given,Family,2020-01-01\n"));
    }
    file.push_str("00000,Given,Family,2020-01-01\nnot,a,good\n");
    let view = s.submit(NewImport::of(ImportKind::Employees), &file).await;
    let worker = Worker::new(s.hrms.clone(), registry(), "dies");
    let claimed = worker.claim(1).await.unwrap().remove(0);
    // The worker dies in the third chunk: its future is dropped when that one has begun.
    {
        let start = s.looks.load(Ordering::Relaxed);
        let run = worker.run(claimed);
        tokio::pin!(run);
        while s.looks.load(Ordering::Relaxed) < start + LOOKS_BEFORE_THIRD_CHUNK {
            tokio::select! {
                biased;
                done = &mut run => panic!("it ended before it could be killed: {done:?}"),
                () = tokio::task::yield_now() => {}
            }
        }
    }
    assert_eq!(s.people(date(2021, 1, 1)).await.len(), 1_000);
    s.clock.advance(SignedDuration::from_secs(120));
    assert_eq!(run_until_idle(&s.hrms, &registry()).await.unwrap(), 1);
    let job = s.hrms.jobs().get(&s.actor, view.job_id).await.unwrap();
    assert_eq!((job.state, job.attempts), (JobState::Succeeded, 2));
    assert_eq!((job.progress.done, job.progress.total), (1_702, Some(1_702)));
    let result = job.result.unwrap();
    assert_eq!(counts(&result), [1_700, 0, 0, 2, 0]);
    assert_eq!(errors(&result).len(), 2, "told once: {result}");
    assert_eq!(s.people(date(2021, 1, 1)).await.len(), 1_700);
}

async fn rights_are_needed_when_submitting_and_when_running(fresh: Fresh) {
    let s = setting(fresh).await;
    let file = b"code,name\na,A\n";
    let new = NewImport::of(ImportKind::Designations);
    let employee = user(s.actor.tenant(), &[Role::Employee]);
    let refused = s.hrms.imports().submit(&employee, new.clone(), file).await.unwrap_err();
    assert_eq!(refused.code(), "common.forbidden");
    assert!(s.hrms.exports().csv(&employee, ImportKind::Designations).await.is_err());

    let view = s.hrms.imports().submit(&s.actor, new, file).await.unwrap();
    assert!(s.hrms.imports().get(&employee, view.id).await.is_err());
    assert!(s.hrms.imports().errors_csv(&employee, view.id).await.is_err());
    let stranger = user(tenant(&*s.fresh).await, &[Role::Hr]);
    assert_eq!(s.hrms.imports().get(&stranger, view.id).await.unwrap_err().code(), "common.not-found");
    assert!(s.hrms.jobs().get(&stranger, view.job_id).await.is_err());
}

async fn a_refused_file_leaves_no_job(fresh: Fresh) {
    let s = setting(fresh).await;
    for file in ["", "code\n", "code,name,x\n"] {
        let new = NewImport::of(ImportKind::Designations);
        assert!(s.hrms.imports().submit(&s.actor, new, file.as_bytes()).await.is_err());
    }
    assert_eq!(run_until_idle(&s.hrms, &registry()).await.unwrap(), 0);
    let (kinds, slots) = ([JobKind::unlimited("import.run")], Slots::unreserved(9));
    let none = Claim { worker: "w", kinds: &kinds, slots: &slots, now: at(99), until: at(99), after: None };
    use hrms_core::job::JobDirectory;
    assert!(s.fresh.claim_jobs(&none).await.unwrap().is_empty());
}

macro_rules! on_every_engine {
    ($($story:ident),+ $(,)?) => {
        mod on_sqlite_memory { $(#[tokio::test] async fn $story() { super::$story(super::sqlite_memory().await).await; })+ }
        mod on_sqlite_file { $(#[tokio::test] async fn $story() { super::$story(super::sqlite_file().await).await; })+ }
        mod on_postgres { $(#[tokio::test] async fn $story() { super::$story(super::postgres().await).await; })+ }
    };
}
on_every_engine!(
    an_import_adds_changes_and_leaves_alone,
    a_day_of_hiring_after_the_first_record_is_refused,
    bad_rows_are_told_by_row_and_column_and_the_good_ones_stay,
    all_or_nothing_and_dry_runs_write_nothing,
    history_sets_facts_for_periods_and_refuses_what_cant_be,
    history_does_not_overrule_an_end_with_a_reason,
    heads_become_managers_where_that_can_be,
    what_is_exported_imports_as_unchanged_here_and_equal_elsewhere,
    a_killed_import_goes_on_behind_the_last_chunk,
    rights_are_needed_when_submitting_and_when_running,
    a_refused_file_leaves_no_job,
);
