//! HRMS inside an application of yours: services over SQLite in memory, no server, no network.
//!
//! An organisation gets a location, a department and two people; one of them changes department from a later
//! date; reads then say what was, is and will be true.
//!
//! Run it with `cargo run -p hrms-examples --bin embed_core`.
#![expect(clippy::print_stdout, reason = "an example tells its story")]

use std::error::Error;

use hrms_core::department::NewDepartment;
use hrms_core::employee::{ChangeEmployment, NewEmployee};
use hrms_core::jiff::civil::date;
use hrms_core::location::NewLocation;
use hrms_core::organization::{NewAdmin, NewOrganization};
use hrms_core::{Actor, Cause, DepartmentId, Hrms, Operator, Patch, RequestId, Role, Who};
use hrms_store::SqlStore;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // `SqlStore::sqlite(path)` keeps the data in a file, `SqlStore::postgres(url)` on a server.
    let hrms = Hrms::new(SqlStore::sqlite_memory().await?);
    let admin = organization(&hrms).await?;

    // Every service takes first who acts. What their roles don't grant is refused.
    let pune = NewLocation { code: "PUN".into(), name: "Pune".into(), time_zone: "Asia/Kolkata".into() };
    let pune = hrms.locations().create(&admin, pune).await?;
    let engineering = department(&hrms, &admin, "ENG", "Engineering").await?;
    let support = department(&hrms, &admin, "SUP", "Support").await?;

    let mira = NewEmployee {
        department_id: Some(engineering),
        location_id: Some(pune.id),
        ..NewEmployee::new("Mira", "Patil", date(2024, 1, 15))
    };
    let mira = hrms.employees().hire(&admin, mira).await?;
    let arun = NewEmployee {
        department_id: Some(engineering),
        location_id: Some(pune.id),
        manager_id: Some(mira.id),
        ..NewEmployee::new("Arun", "Rao", date(2024, 3, 1))
    };
    let arun = hrms.employees().hire(&admin, arun).await?;
    println!(
        "hired {} {} as {} and {} {} as {}",
        mira.given_name, mira.family_name, mira.number, arun.given_name, arun.family_name, arun.number
    );

    // A change has a first day. The record before that day ends there and stays readable.
    let move_to_support = ChangeEmployment {
        department_id: Patch::Set(support),
        ..ChangeEmployment::from_day(date(2025, 7, 1))
    };
    hrms.employees().change_employment(&admin, arun.id, move_to_support).await?;

    for on in [date(2024, 2, 29), date(2025, 6, 30), date(2025, 7, 1)] {
        let employment = hrms.employees().get(&admin, arun.id, Some(on)).await?.employment;
        let department = employment.and_then(|record| record.department).map(|department| department.name);
        println!("{on}: Arun is in {}", department.as_deref().unwrap_or("no department: not employed"));
    }
    for record in hrms.employees().history(&admin, arun.id).await?.items {
        let until = record.valid_to.map_or("further notice".to_owned(), |day| day.to_string());
        let manager = record.manager.map_or("nobody".to_owned(), |manager| manager.name);
        println!("record from {} until {until}: reports to {manager}", record.valid_from);
    }
    Ok(())
}

/// Creates an organisation; gives its first user, as an actor.
async fn organization(hrms: &Hrms) -> Result<Actor, Box<dyn Error>> {
    let request = RequestId::from_uuid(hrms.ids().next());
    let new = NewOrganization {
        slug: "acme".into(),
        name: "Acme Ltd".into(),
        // Without a password one is generated: `created.admin.password`.
        admin: NewAdmin { email: "admin@acme.example".into(), name: "Ada Min".into(), password: None },
    };
    let created = hrms.organizations().create(&Operator::command(request), new).await?;
    // Your application has authenticated this person by its own means.
    let who = Who::User { user: created.admin.id, session: None, employee: None };
    Ok(Actor::user(created.organization.id, who, &[Role::Admin], Cause::Embedder, request))
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
