//! The real data set, on both engines: 10,000 people with their history, and what must hold afterwards.

use std::path::Path;

use hrms_core::actor::{Actor, Cause};
use hrms_core::contract::{id, tenant};
use hrms_core::employee::{EmployeeFilter, EmployeeSort};
use hrms_core::id::RequestId;
use hrms_core::import::{ImportKind, NewImport};
use hrms_core::jiff::civil::date;
use hrms_core::job::{JobRegistry, JobState, run_until_idle};
use hrms_core::{Hrms, PageRequest, Permission, Visibility};
use hrms_store::SqlStore;
use hrms_tests::shared_dir;
use serde_json::Value;

use crate::all::imports::counts;
use crate::all::support::{Fresh, postgres, sqlite_file};

struct Organization {
    hrms: Hrms,
    actor: Actor,
}

impl Organization {
    async fn new(fresh: &Fresh) -> Self {
        let tenant = tenant(&**fresh).await;
        let request = RequestId::from_uuid(id());
        let actor = Actor::system(tenant, "test", Permission::ALL, Cause::OperatorCommand, request);
        Self { hrms: Hrms::new(SqlStore::clone(fresh)), actor }
    }

    async fn import(&self, folder: &Path, file: &str, columns: &[(&str, &str)], mut new: NewImport) -> Value {
        new.mapping = columns.iter().map(|(from, to)| ((*from).into(), Some((*to).into()))).collect();
        let bytes = std::fs::read(folder.join(file)).unwrap();
        let view = self.hrms.imports().submit(&self.actor, new, &bytes).await.unwrap();
        run_until_idle(&self.hrms, &JobRegistry::standard()).await.unwrap();
        let job = self.hrms.jobs().get(&self.actor, view.job_id).await.unwrap();
        assert_eq!(job.state, JobState::Succeeded, "{:?}", job.error);
        job.result.unwrap()
    }

    /// Imports everything; counts of departments, employees, department history, titles and heads.
    async fn import_all(&self, folder: &Path) -> [Value; 5] {
        let of = NewImport::of;
        let titles = NewImport { create_missing_designations: true, ..of(ImportKind::EmploymentHistory) };
        let heads = NewImport { assign_managers: true, ..of(ImportKind::DepartmentHeads) };
        let departments = [("dept_no", "code"), ("dept_name", "name")];
        let employees = [
            ("emp_no", "number"),
            ("first_name", "given_name"),
            ("last_name", "family_name"),
            ("hire_date", "hired_on"),
        ];
        let period = [("emp_no", "employee"), ("from_date", "from"), ("to_date", "to")];
        let [number, from, to] = period;
        let dept = [number, from, to, ("dept_no", "department")];
        let title = [number, from, to, ("title", "designation")];
        [
            self.import(folder, "departments.csv", &departments, of(ImportKind::Departments)).await,
            self.import(folder, "employees.csv", &employees, of(ImportKind::Employees)).await,
            self.import(folder, "dept_emp.csv", &dept, of(ImportKind::EmploymentHistory)).await,
            self.import(folder, "titles.csv", &title, titles).await,
            self.import(folder, "dept_manager.csv", &dept, heads).await,
        ]
    }

    async fn facts_hold(&self) {
        let mut tx = self.hrms.read(&self.actor).await.unwrap();
        let filter = EmployeeFilter::everybody(Visibility::ALL, date(2100, 1, 1));
        let page = PageRequest { sort: EmployeeSort::Number, descending: false, limit: 20_000, after: None };
        let people = tx.employees().list(&filter, &page).await.unwrap();
        assert_eq!(people.len(), 10_000);
        let open = people.iter().filter_map(|one| one.view.employment.as_ref());
        let open = open.filter(|record| record.valid_to.is_none());
        assert_eq!(open.filter(|one| one.department.is_some() && one.designation.is_some()).count(), 8_064);

        let ids: Vec<_> = people.iter().map(|one| one.view.id).collect();
        let timelines = tx.employment().timelines_of(&ids).await.unwrap();
        let (mut moved, mut gaps, mut managed) = (0, 0, 0);
        for person in &people {
            let Some(timeline) = timelines.get(&person.view.id) else {
                // Hired and gone on the same day: a period without a day can't be stored.
                assert_eq!(person.view.number, "14539");
                gaps += 1;
                continue;
            };
            let mut departments: Vec<_> =
                timeline.history().iter().map(|record| record.facts.department_id.unwrap()).collect();
            departments.dedup();
            moved += usize::from(departments.len() == 2);
            assert!(departments.len() <= 2);
            gaps += usize::from(timeline.first_day().unwrap() > person.view.hired_on);
            managed += usize::from(timeline.managers().next().is_some());
        }
        assert_eq!(moved, 1_051);
        assert_eq!(gaps, 4_999);
        assert!(managed > 5_000, "{managed}");
        assert_eq!(tx.employment().reporting_line().await.unwrap().cycle(), None);
    }
}

async fn all_of_it_goes_in_and_the_facts_hold(fresh: Fresh) {
    let Some(shared) = shared_dir() else { return };
    let folder = shared.join("data/employees");
    let organization = Organization::new(&fresh).await;
    let results = organization.import_all(&folder).await;
    let [departments, employees, history, titles, heads] = results.each_ref().map(counts);
    assert_eq!(departments, [9, 0, 0, 0, 0]);
    assert_eq!(employees, [10_000, 0, 0, 0, 0]);
    assert_eq!(history, [0, 11_050, 0, 1, 0], "one row has no day");
    assert_eq!(titles, [0, 14_780, 0, 2, 0], "two rows have no day");
    assert_eq!((heads[0], heads[3]), (24, 0));
    organization.facts_hold().await;

    let again = organization.import_all(&folder).await.map(|result| counts(&result));
    let unchanged =
        again.map(|[created, updated, unchanged, failed, _]| [created, updated, unchanged, failed]);
    assert_eq!(unchanged[..2], [[0, 0, 9, 0], [0, 0, 10_000, 0]]);
    assert_eq!(unchanged[2..], [[0, 0, 11_050, 1], [0, 0, 14_780, 2], [0, 0, 24, 0]]);
    organization.facts_hold().await;
}

#[tokio::test]
async fn on_sqlite() {
    all_of_it_goes_in_and_the_facts_hold(sqlite_file().await).await;
}

#[tokio::test]
async fn on_postgres() {
    all_of_it_goes_in_and_the_facts_hold(postgres().await).await;
}
