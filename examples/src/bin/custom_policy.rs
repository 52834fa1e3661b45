//! A policy of your own: it narrows what roles allow, in one place, for lists and single things alike.
//!
//! Here people in human resources see the employees of their own department, and those below it, only.
//!
//! Run it with `cargo run -p hrms-examples --bin custom_policy`.
#![expect(clippy::print_stdout, reason = "an example tells its story")]

use std::error::Error;

use hrms_core::department::NewDepartment;
use hrms_core::employee::{EmployeeSearch, NewEmployee};
use hrms_core::employment::Facts;
use hrms_core::jiff::civil::date;
use hrms_core::organization::{NewAdmin, NewOrganization};
use hrms_core::{
    Actor, Cause, DepartmentId, DomainError, EmployeeId, Hrms, Operator, PageRequest, Permission, Policy,
    RequestId, Role, RolePolicy, TenantId, UserId, Visibility, Who,
};
use hrms_store::SqlStore;

/// What roles allow; except that HR reads records of people and their leave in their own department
/// and those below it only.
#[derive(Debug)]
struct HrByDepartment;

impl Policy for HrByDepartment {
    fn visibility(&self, actor: &Actor, permission: Permission) -> Visibility {
        // Start from what roles allow and take away from it: a policy that only narrows can't open a hole.
        let mut seen = RolePolicy.visibility(actor, permission);
        let about_people = matches!(
            permission,
            Permission::EmployeeRead | Permission::EmployeeReadPersonal | Permission::LeaveRead
        );
        if about_people && actor.roles() == [Role::Hr] {
            seen.organization = false;
            // An HR user without a department sees nobody: when in doubt, less.
            seen.department_tree = actor.facts().department_id;
        }
        seen
    }

    // `decide` isn't overridden: by default it asks `visibility`. So a list and a single read can't disagree.
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let hrms = Hrms::builder(SqlStore::sqlite_memory().await?).policy(HrByDepartment).build();
    let tenant = organization(&hrms).await?;
    let admin = actor(&hrms, tenant, Role::Admin, None);
    let engineering = department(&hrms, &admin, "ENG", "Engineering").await?;
    let support = department(&hrms, &admin, "SUP", "Support").await?;
    hire(&hrms, &admin, "Mira", engineering).await?;
    let arun = hire(&hrms, &admin, "Arun", support).await?;

    let hr_of_engineering = actor(&hrms, tenant, Role::Hr, Some(engineering));
    for (who, actor) in [("the administrator", &admin), ("HR of Engineering", &hr_of_engineering)] {
        let page = hrms.employees().list(actor, &EmployeeSearch::default(), &PageRequest::default()).await?;
        let names: Vec<String> = page.items.into_iter().map(|employee| employee.given_name).collect();
        println!("{who} sees {}", names.join(" and "));
    }

    // A single read decides alike: not "forbidden", but "not there", because HR may not know of him.
    match hrms.employees().get(&hr_of_engineering, arun, None).await {
        Ok(_) => Err("the policy let HR of Engineering read somebody of Support".into()),
        Err(refusal) => {
            println!("HR of Engineering asks for Arun: {refusal} ({})", refusal.code());
            Ok(())
        }
    }
}

async fn organization(hrms: &Hrms) -> Result<TenantId, Box<dyn Error>> {
    let operator = Operator::command(RequestId::from_uuid(hrms.ids().next()));
    let admin = NewAdmin { email: "admin@acme.example".into(), name: "Ada Min".into(), password: None };
    let new = NewOrganization { slug: "acme".into(), name: "Acme Ltd".into(), admin };
    Ok(hrms.organizations().create(&operator, new).await?.organization.id)
}

/// Somebody whom your application has authenticated.
fn actor(hrms: &Hrms, tenant: TenantId, role: Role, department: Option<DepartmentId>) -> Actor {
    let user = UserId::from_uuid(hrms.ids().next());
    let who = Who::User { user, session: None, employee: None };
    let facts = Facts { department_id: department, ..Facts::default() };
    let request = RequestId::from_uuid(hrms.ids().next());
    Actor::user(tenant, who, &[role], Cause::Embedder, request).with_facts(facts)
}

async fn department(
    hrms: &Hrms,
    actor: &Actor,
    code: &str,
    name: &str,
) -> Result<DepartmentId, Box<dyn Error>> {
    let new = NewDepartment { code: code.into(), name: name.into(), parent_id: None };
    Ok(hrms.departments().create(actor, new).await?.id)
}

async fn hire(
    hrms: &Hrms,
    actor: &Actor,
    name: &str,
    department: DepartmentId,
) -> Result<EmployeeId, Box<dyn Error>> {
    let new =
        NewEmployee { department_id: Some(department), ..NewEmployee::new(name, "", date(2024, 1, 15)) };
    Ok(hrms.employees().hire(actor, new).await?.id)
}
