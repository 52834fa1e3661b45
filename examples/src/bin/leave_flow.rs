//! Leave from grant to balance: who may ask, who may decide, and what the ledger says afterwards.
//!
//! Run it with `cargo run -p hrms-examples --bin leave_flow`.
#![expect(clippy::print_stdout, reason = "an example tells its story")]

use std::error::Error;

use hrms_core::employee::NewEmployee;
use hrms_core::jiff::Timestamp;
use hrms_core::jiff::civil::date;
use hrms_core::leave::{DayPart, DecisionNote, GrantLeave, LotSource, NewLeaveType, SubmitLeave};
use hrms_core::location::NewLocation;
use hrms_core::organization::{NewAdmin, NewOrganization};
use hrms_core::{
    Actor, Cause, DomainError, EmployeeId, FixedClock, Hrms, LocationId, Operator, RequestId, Role, TenantId,
    UserId, Who,
};
use hrms_store::SqlStore;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // A clock that stands still: the story is the same on every day that you run it.
    let monday: Timestamp = "2026-06-01T04:30:00Z".parse()?;
    let hrms = Hrms::builder(SqlStore::sqlite_memory().await?).clock(FixedClock::at(monday)).build();
    let tenant = organization(&hrms).await?;
    let hr = actor(&hrms, tenant, None, &[Role::Hr]);

    // Days are counted at the workplace: its time zone, its weekends, its holidays.
    let pune = NewLocation { code: "PUN".into(), name: "Pune".into(), time_zone: "Asia/Kolkata".into() };
    let pune = hrms.locations().create(&hr, pune).await?;
    let mira = hire(&hrms, &hr, "Mira", pune.id, None).await?;
    let arun = hire(&hrms, &hr, "Arun", pune.id, Some(mira)).await?;

    let annual = NewLeaveType {
        code: "annual".into(),
        name: "Annual leave".into(),
        paid: true,
        allow_negative_minutes: 0,
        minutes_per_day: 480,
    };
    let annual = hrms.leave_types().create(&hr, annual).await?;
    for employee_id in [mira, arun] {
        let grant = GrantLeave {
            employee_id,
            leave_type_id: annual.id,
            days: Some("20".into()),
            minutes: None,
            valid_from: date(2026, 1, 1),
            valid_to: Some(date(2027, 4, 1)), // the first day after it
            source: LotSource::Grant,
            note: None,
            refuse_overlap: false,
        };
        hrms.leave().grant(&hr, grant).await?;
    }

    // Thursday to Tuesday: four working days, because the weekend inside doesn't count.
    let ask = SubmitLeave {
        employee_id: None, // for oneself
        leave_type_id: annual.id,
        starts_on: date(2026, 6, 11),
        ends_on: date(2026, 6, 16),
        start_part: DayPart::Full,
        end_part: None,
        hours: None,
        note: Some("Wedding".into()),
    };
    let as_arun = actor(&hrms, tenant, Some(arun), &[Role::Employee]);
    let as_mira = actor(&hrms, tenant, Some(mira), &[Role::Employee, Role::Manager]);
    let request = hrms.leave().submit(&as_arun, ask.clone()).await?.request;
    println!("Arun asks for {} to {}: {} days", request.starts_on, request.ends_on, request.days);
    balance(&hrms, &as_arun).await?;

    let approved = hrms.leave().approve(&as_mira, request.id, DecisionNote::default()).await?;
    println!("Mira approves: {}", approved.request.status.code());
    balance(&hrms, &as_arun).await?;

    // Nobody decides on their own leave, whatever their roles are. Errors have stable codes.
    let own = hrms.leave().submit(&as_mira, ask).await?.request;
    match hrms.leave().approve(&as_mira, own.id, DecisionNote::default()).await {
        Ok(_) => Err("nobody may approve their own leave".into()),
        Err(refusal) => {
            println!("Mira tries to approve her own: {} ({})", refusal, refusal.code());
            Ok(())
        }
    }
}

/// Prints the actor's own balances.
async fn balance(hrms: &Hrms, actor: &Actor) -> Result<(), Box<dyn Error>> {
    for one in hrms.leave().balances(actor, None, None).await? {
        println!(
            "  balance: {} granted, {} taken, {} pending, {} available",
            one.granted, one.taken, one.pending, one.available
        );
    }
    Ok(())
}

async fn organization(hrms: &Hrms) -> Result<TenantId, Box<dyn Error>> {
    let operator = Operator::command(RequestId::from_uuid(hrms.ids().next()));
    let admin = NewAdmin { email: "admin@acme.example".into(), name: "Ada Min".into(), password: None };
    let new = NewOrganization { slug: "acme".into(), name: "Acme Ltd".into(), admin };
    Ok(hrms.organizations().create(&operator, new).await?.organization.id)
}

/// Somebody whom your application has authenticated; each request gets an id of its own.
fn actor(hrms: &Hrms, tenant: TenantId, employee: Option<EmployeeId>, roles: &[Role]) -> Actor {
    let user = UserId::from_uuid(hrms.ids().next());
    let who = Who::User { user, session: None, employee };
    Actor::user(tenant, who, roles, Cause::Embedder, RequestId::from_uuid(hrms.ids().next()))
}

async fn hire(
    hrms: &Hrms,
    hr: &Actor,
    given_name: &str,
    location: LocationId,
    manager_id: Option<EmployeeId>,
) -> Result<EmployeeId, Box<dyn Error>> {
    let new = NewEmployee {
        location_id: Some(location),
        manager_id,
        ..NewEmployee::new(given_name, "", date(2024, 1, 15))
    };
    Ok(hrms.employees().hire(hr, new).await?.id)
}
