//! Filling the example organisation through the same services that the API uses.

use std::collections::HashMap;

use hrms_core::actor::{Cause, Who};
use hrms_core::department::NewDepartment;
use hrms_core::designation::NewDesignation;
use hrms_core::employee::NewEmployee;
use hrms_core::employment::{EmploymentStatus, EmploymentType};
use hrms_core::jiff::civil::Date;
use hrms_core::jiff::{ToSpan, tz::TimeZone};
use hrms_core::leave::{DayPart, DecisionNote, GrantLeave, LotSource, NewLeaveType, SubmitLeave};
use hrms_core::location::NewLocation;
use hrms_core::operator::Operator;
use hrms_core::organization::{NewAdmin, NewOrganization};
use hrms_core::user::{NewUser, UserPatch};
use hrms_core::{
    Actor, DomainError, EmployeeId, Hrms, LeaveTypeId, Patch, Permission, RequestId, Role, TenantId, password,
};

use super::{Account, cast};
use crate::cli::Failure;

/// Positions of the people to log in as.
const CHIEF: usize = 0;
const HEAD_OF_PEOPLE: usize = 3;
const TEAM_LEAD: usize = 5;

/// Makes the organisation with everything in it, and says whom to log in as.
pub(super) async fn organization(hrms: &Hrms, slug: &str) -> Result<Vec<Account>, Failure> {
    let request = RequestId::from_uuid(hrms.ids().next());
    let admin =
        NewAdmin { email: "admin@demo.example".into(), name: "Demo administrator".into(), password: None };
    let new = NewOrganization { slug: slug.into(), name: "Demo Industries".into(), admin };
    let made = hrms.organizations().create(&Operator::command(request), new).await.map_err(failed)?;
    let tenant = made.organization.id;
    let actor = Actor::system(tenant, "demo", Permission::ALL, Cause::OperatorCommand, request);

    let staff = people(hrms, &actor).await?;
    let leave = leave_types(hrms, &actor, &staff).await?;

    let admin_password = made.admin.password.unwrap_or_default();
    let chief = *staff.get(CHIEF).ok_or_else(missing)?;
    let change = UserPatch {
        employee_id: Patch::Set(chief),
        roles: Patch::Set(vec![Role::Admin.into(), Role::Employee.into(), Role::Owner.into()]),
        ..Default::default()
    };
    let admin = hrms.users().get(&actor, made.admin.id).await.map_err(failed)?;
    hrms.users().change(&actor, admin.id, admin.version, change).await.map_err(failed)?;
    let mut accounts = vec![Account {
        role: "admin".into(),
        email: made.admin.email,
        password: admin_password,
        employee_id: chief,
    }];
    let member =
        cast::positions().iter().position(|one| one.manager == Some(TEAM_LEAD)).ok_or_else(missing)?;
    for (role, index, roles) in [
        ("hr", HEAD_OF_PEOPLE, vec![Role::Hr, Role::Employee]),
        ("manager", TEAM_LEAD, vec![Role::Manager, Role::Employee]),
        ("employee", member, vec![Role::Employee]),
    ] {
        let employee = *staff.get(index).ok_or_else(missing)?;
        accounts.push(account(hrms, &actor, role, index, employee, roles).await?);
    }
    requests(hrms, tenant, &actor, &staff, &leave).await?;
    Ok(accounts)
}

fn failed(error: impl DomainError) -> Failure {
    Failure::domain(error)
}

fn missing() -> Failure {
    Failure::new("the example organisation is incomplete; remove its directory and start again")
}

fn email(index: usize) -> String {
    let (given, family) = cast::name(index);
    let plain = |name: &str| name.to_lowercase().replace('ü', "ue");
    format!("{}.{}@demo.example", plain(given), plain(family))
}

async fn account(
    hrms: &Hrms,
    actor: &Actor,
    role: &str,
    index: usize,
    employee: EmployeeId,
    roles: Vec<Role>,
) -> Result<Account, Failure> {
    let secret = password::generate().map_err(failed)?;
    let (given, family) = cast::name(index);
    let new = NewUser {
        must_change_password: false,
        email: email(index),
        name: format!("{given} {family}"),
        roles: roles.into_iter().map(Into::into).collect(),
        employee_id: Some(employee),
        password: secret.clone(),
    };
    let user = hrms.users().create(actor, new).await.map_err(failed)?;
    Ok(Account {
        role: role.into(),
        email: user.email,
        password: secret.expose().to_owned(),
        employee_id: employee,
    })
}

/// Locations, departments, designations, and everybody hired; in the order of the positions.
async fn people(hrms: &Hrms, actor: &Actor) -> Result<Vec<EmployeeId>, Failure> {
    let mut locations = HashMap::new();
    for (code, name, time_zone) in cast::LOCATIONS {
        let new = NewLocation { code: code.into(), name: name.into(), time_zone: time_zone.into() };
        locations.insert(code, hrms.locations().create(actor, new).await.map_err(failed)?.id);
    }
    let mut departments = HashMap::new();
    for (code, name, above) in cast::DEPARTMENTS {
        let parent_id = above.and_then(|above| departments.get(above).copied());
        let new = NewDepartment { code: code.into(), name: name.into(), parent_id };
        departments.insert(code, hrms.departments().create(actor, new).await.map_err(failed)?.id);
    }
    let mut designations = HashMap::new();
    for (code, name) in cast::DESIGNATIONS {
        let new = NewDesignation { code: code.into(), name: name.into() };
        designations.insert(code, hrms.designations().create(actor, new).await.map_err(failed)?.id);
    }
    let year = hrms.clock().today(&TimeZone::UTC).year();
    let mut staff: Vec<EmployeeId> = Vec::new();
    for (index, position) in cast::positions().iter().enumerate() {
        let (given, family) = cast::name(index);
        // Managers come first and have been there longest.
        let back = 8_i16.saturating_sub(i16::try_from(index / 8).unwrap_or(0)).max(1);
        let month = i8::try_from(index % 12 + 1).unwrap_or(1);
        let hired_on = Date::new(year - back, month, 1).map_err(|error| Failure::new(error.to_string()))?;
        let new = NewEmployee {
            number: None,
            given_name: given.into(),
            family_name: family.into(),
            email: Some(email(index)),
            birth_date: Date::new(1970 + i16::try_from(index % 30).unwrap_or(0), month, 15).ok(),
            gender: None,
            hired_on: if index == CHIEF { hired_on.saturating_sub(1.year()) } else { hired_on },
            department_id: departments.get(position.department).copied(),
            designation_id: designations.get(position.designation).copied(),
            location_id: locations.get(position.location).copied(),
            manager_id: position.manager.and_then(|manager| staff.get(manager).copied()),
            employment_type: if position.designation == "WORK" {
                EmploymentType::PartTime
            } else {
                EmploymentType::FullTime
            },
            status: EmploymentStatus::Active,
        };
        staff.push(hrms.employees().hire(actor, new).await.map_err(failed)?.id);
    }
    Ok(staff)
}

struct LeaveTypes {
    annual: LeaveTypeId,
    sick: LeaveTypeId,
}

/// Leave types, and this year's grants for everybody.
async fn leave_types(hrms: &Hrms, actor: &Actor, staff: &[EmployeeId]) -> Result<LeaveTypes, Failure> {
    let mut made = Vec::new();
    for (code, name) in [("ANNUAL", "Annual leave"), ("SICK", "Sick leave")] {
        let new = NewLeaveType {
            code: code.into(),
            name: name.into(),
            paid: true,
            allow_negative_minutes: 0,
            minutes_per_day: 480,
        };
        made.push(hrms.leave_types().create(actor, new).await.map_err(failed)?.id);
    }
    let &[annual, sick] = made.as_slice() else { return Err(missing()) };
    let year = hrms.clock().today(&TimeZone::UTC).year();
    let first = |year: i16| Date::new(year, 1, 1).map_err(|error| Failure::new(error.to_string()));
    for &employee_id in staff {
        // Both this year's and the next one's, so that requests over the new year work in December.
        for (leave_type_id, days, year) in
            [(annual, "24", year), (annual, "24", year + 1), (sick, "12", year), (sick, "12", year + 1)]
        {
            let grant = GrantLeave {
                employee_id,
                leave_type_id,
                days: Some(days.into()),
                minutes: None,
                valid_from: first(year)?,
                valid_to: Some(first(year + 1)?),
                source: LotSource::default(),
                note: None,
                refuse_overlap: false,
            };
            hrms.leave().grant(actor, grant).await.map_err(failed)?;
        }
    }
    Ok(LeaveTypes { annual, sick })
}

/// Some requests: approved, rejected and still open ones.
async fn requests(
    hrms: &Hrms,
    tenant: TenantId,
    actor: &Actor,
    staff: &[EmployeeId],
    leave: &LeaveTypes,
) -> Result<(), Failure> {
    let today = hrms.clock().today(&TimeZone::UTC);
    // From the Monday after next on, so that nothing of it has begun.
    let to_monday = 7 - i32::from(today.weekday().to_monday_zero_offset());
    let monday = today.saturating_add((to_monday + 7).days());
    let lead = *staff.get(TEAM_LEAD).ok_or_else(missing)?;
    let manager = as_manager(hrms, tenant, lead);
    let positions = cast::positions();
    let team =
        positions.iter().zip(staff).filter(|(one, _)| one.manager == Some(TEAM_LEAD)).map(|(_, id)| *id);
    for (index, employee_id) in team.enumerate() {
        let starts_on = monday.saturating_add((7 * i64::try_from(index).unwrap_or(0)).days());
        let ask = SubmitLeave {
            employee_id: Some(employee_id),
            leave_type_id: if index % 3 == 2 { leave.sick } else { leave.annual },
            starts_on,
            ends_on: starts_on.saturating_add((i64::try_from(index % 4).unwrap_or(0)).days()),
            start_part: DayPart::default(),
            end_part: None,
            hours: None,
            note: Some("Entered for the example".into()),
        };
        let request = hrms.leave().submit(actor, ask).await.map_err(failed)?.request;
        let note = DecisionNote::default();
        match index % 3 {
            1 => drop(hrms.leave().approve(&manager, request.id, note).await.map_err(failed)?),
            2 => drop(hrms.leave().reject(&manager, request.id, note).await.map_err(failed)?),
            _ => {}
        }
    }
    Ok(())
}

/// The team lead, deciding.
fn as_manager(hrms: &Hrms, tenant: TenantId, employee: EmployeeId) -> Actor {
    let request = RequestId::from_uuid(hrms.ids().next());
    let user = hrms_core::UserId::from_uuid(hrms.ids().next());
    let who = Who::User { user, session: None, employee: Some(employee) };
    Actor::user(tenant, who, &[Role::Manager], Cause::OperatorCommand, request)
}
