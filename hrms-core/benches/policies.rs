//! A decision under policies that an organisation wrote.
//!
//! `cargo bench -p hrms-core --features cedar --bench policies`.

use std::hint::black_box;
use std::sync::Arc;

use criterion::Criterion;
use hrms_core::actor::Context;
use hrms_core::employment::Facts;
use hrms_core::jiff::Timestamp;
use hrms_core::jiff::civil::date;
use hrms_core::jiff::tz::TimeZone;
use hrms_core::leave::RequestStatus;
use hrms_core::policy::cedar::{CedarRules, Source};
use hrms_core::policy::{Details, LeaveDetails};
use hrms_core::uuid::Uuid;
use hrms_core::{
    Actor, Cause, EmployeeId, LeaveTypeId, LocationId, Permission, Policy, PolicyId, RequestId, Resource,
    Role, RolePolicy, TenantId, UserId, Who,
};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    decision(&mut criterion);
    criterion.final_summary();
}

/// Policies like those in the guide, all about one permission.
fn texts(count: usize) -> Vec<String> {
    let text = |number: usize| match number % 3 {
        0 => format!(
            "forbid (principal is User, action == Action::\"leave.decide\", resource) \
             when {{ principal has location && principal.location == Location::\"{}\" }} \
             when {{ resource.days > {number} }};",
            Uuid::from_u128(number as u128)
        ),
        1 => format!(
            "forbid (principal is User, action == Action::\"leave.decide\", resource) \
             when {{ principal.roles.contains(\"role-{number}\") && context.hour > 18 }};"
        ),
        _ => format!(
            "permit (principal is User, action == Action::\"leave.decide\", resource) \
             when {{ resource.owner has level && resource.owner.level == Designation::\"{}\" }};",
            Uuid::from_u128(number as u128)
        ),
    };
    (0..count).map(text).collect()
}

fn decision(criterion: &mut Criterion) {
    let manager = EmployeeId::from_uuid(Uuid::from_u128(1));
    let who =
        Who::User { user: UserId::from_uuid(Uuid::from_u128(2)), session: None, employee: Some(manager) };
    let place = LocationId::from_uuid(Uuid::from_u128(1000));
    let facts = Facts { location_id: Some(place), ..Facts::default() };
    let mut context = Context::default();
    context.at = Some(Timestamp::UNIX_EPOCH);
    context.address = "10.1.2.3".parse().ok();
    let roles = [Role::Manager, Role::Employee];
    let tenant = TenantId::from_uuid(Uuid::from_u128(3));
    let request = RequestId::from_uuid(Uuid::from_u128(4));
    let actor = Actor::user(tenant, who, &roles, Cause::Request, request).with_facts(facts);
    let actor = actor.with_context(context);
    let owner = EmployeeId::from_uuid(Uuid::from_u128(5));
    let resource = Resource::of(owner, Facts { manager_id: Some(manager), ..facts });
    let resource = resource.with_details(Details::LeaveRequest(LeaveDetails {
        id: None,
        leave_type_id: LeaveTypeId::from_uuid(Uuid::from_u128(6)),
        minutes: 480,
        days: 1,
        starts_on: date(2026, 12, 1),
        ends_on: date(2026, 12, 1),
        status: RequestStatus::Pending,
    }));
    for count in [0, 1, 10, 50, 200] {
        let texts = texts(count);
        let sources = || {
            texts
                .iter()
                .enumerate()
                .map(|(at, text)| Source { id: PolicyId::from_uuid(Uuid::from_u128(at as u128)), text })
        };
        let Ok(rules) = CedarRules::compile(sources(), TimeZone::UTC) else { return };
        let actor = actor.clone().with_rules(Arc::new(rules));
        criterion.bench_function(&format!("policies/decision with {count}"), |bench| {
            bench
                .iter(|| RolePolicy.decide(black_box(&actor), Permission::LeaveDecide, black_box(&resource)));
        });
        if count == 50 {
            criterion.bench_function("policies/compile 50", |bench| {
                bench.iter(|| CedarRules::compile(sources(), TimeZone::UTC).is_ok());
            });
        }
    }
}
