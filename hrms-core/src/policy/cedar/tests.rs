use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::actor::{Cause, Context, Who};
use crate::employment::Facts;
use crate::id::{EmployeeId, LeaveTypeId, LocationId, RequestId, TenantId, UserId};
use crate::leave::RequestStatus;
use crate::policy::{Decision, Details, LeaveDetails, Policy as _, Role, RolePolicy};

const MUNICH: Uuid = Uuid::from_u128(77);

fn actor(roles: &[Role]) -> Actor {
    let who = Who::User {
        user: UserId::from_uuid(Uuid::from_u128(1)),
        session: None,
        employee: Some(EmployeeId::from_uuid(Uuid::from_u128(2))),
    };
    let tenant = TenantId::from_uuid(Uuid::from_u128(3));
    let request = RequestId::from_uuid(Uuid::from_u128(4));
    let at: Timestamp = "2026-11-21T14:30:00Z".parse().unwrap();
    Actor::user(tenant, who, roles, Cause::Request, request)
        .with_facts(Facts { location_id: Some(LocationId::from_uuid(MUNICH)), ..Facts::default() })
        .with_context(Context { at: Some(at), address: "10.1.2.3".parse().ok(), ..Context::default() })
}

fn leave(days: i64) -> Resource {
    let facts = Facts { manager_id: Some(EmployeeId::from_uuid(Uuid::from_u128(2))), ..Facts::default() };
    Resource::of(EmployeeId::from_uuid(Uuid::from_u128(9)), facts).with_details(Details::LeaveRequest(
        LeaveDetails {
            id: None,
            leave_type_id: LeaveTypeId::from_uuid(Uuid::from_u128(10)),
            minutes: days * 480,
            days,
            starts_on: jiff::civil::date(2026, 12, 1),
            ends_on: jiff::civil::date(2026, 12, 1),
            status: RequestStatus::Pending,
        },
    ))
}

fn rules(texts: &[&str]) -> CedarRules {
    let sources = texts
        .iter()
        .enumerate()
        .map(|(at, text)| Source { id: PolicyId::from_uuid(Uuid::from_u128(at as u128 + 1)), text });
    CedarRules::compile(sources, TimeZone::UTC).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn decide(texts: &[&str], roles: &[Role], permission: Permission, resource: &Resource) -> Decision {
    let actor = actor(roles).with_rules(Arc::new(rules(texts)));
    RolePolicy.decide(&actor, permission, resource)
}

const MUNICH_FIVE_DAYS: &str = r#"forbid (principal is User, action == Action::"leave.decide", resource)
when { principal has location && principal.location == Location::"00000000-0000-0000-0000-00000000004d" }
when { resource.days > 5 };"#;

#[test]
fn a_forbid_overrides_a_role() {
    let may = |days| decide(&[MUNICH_FIVE_DAYS], &[Role::Manager], Permission::LeaveDecide, &leave(days));
    assert_eq!(may(5), Decision::Allow);
    assert_eq!(may(6), Decision::Deny);
    let read = decide(&[MUNICH_FIVE_DAYS], &[Role::Manager], Permission::LeaveRead, &leave(6));
    assert_eq!(read, Decision::Allow, "it says nothing about reading");
}

#[test]
fn who_mustnt_see_somebody_sees_nothing_of_them() {
    let hidden = r#"forbid (principal, action == Action::"employee.read", resource)
when { resource == Employee::"00000000-0000-0000-0000-000000000009" };"#;
    let permit = "permit (principal, action, resource);";
    let they = |id: u128| Resource::of(EmployeeId::from_uuid(Uuid::from_u128(id)), Facts::default());
    let may = |texts: &[&str], permission, resource: &Resource| {
        decide(texts, &[Role::Owner], permission, resource) == Decision::Allow
    };
    for permission in Permission::ALL.iter().copied().filter(|one| one.presupposes().is_some()) {
        for texts in [&[hidden][..], &[permit, hidden]] {
            assert!(!may(texts, permission, &they(9)), "{permission:?}");
            assert!(may(texts, permission, &they(8)), "{permission:?}");
        }
        let rules = rules(&[hidden]);
        assert!(rules.concern(permission) && rules.tells_apart(permission) && !rules.may_permit(permission));
        assert!(rules.count(permission) == 1 && concerns_text(hidden, permission));
    }
    assert!(may(&[hidden], Permission::LeaveRead, &leave(1)), "leave has permissions of its own");
    assert!(!concerns_text(hidden, Permission::LeaveRead));
    assert!(
        may(&[hidden], Permission::EmployeeManage, &Resource::organization()),
        "somebody new is nobody yet"
    );
}

#[test]
fn what_isnt_there_denies() {
    let facts = leave(1);
    let bare = Resource { details: Details::None, ..facts };
    let decided = rules(&[MUNICH_FIVE_DAYS]).ask(&actor(&[Role::Manager]), Permission::LeaveDecide, &bare);
    assert_eq!(decided.verdict, Verdict::Forbid);
    assert!(decided.errors[0].1.contains("days"), "{:?}", decided.errors);
    let hours = r#"forbid (principal, action == Action::"export.run", resource) when { context.hour < 8 };"#;
    let mut nowhen = actor(&[Role::Hr]);
    nowhen = nowhen.with_context(Context::default());
    let decided = rules(&[hours]).ask(&nowhen, Permission::ExportRun, &Resource::organization());
    assert_eq!(decided.verdict, Verdict::Forbid);
}

#[test]
fn the_examples_of_the_guide_compile() {
    let guide = include_str!("../../../../docs/policies.md");
    let examples: Vec<&str> =
        guide.split("```cedar\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 6);
    for example in &examples {
        check(example).unwrap_or_else(|faults| panic!("{example}: {faults:?}"));
    }
    rules(&examples);
}

#[test]
fn the_head_of_a_policy_says_what_it_is_about() {
    let about = |text: &str| -> Vec<&str> {
        let all = Permission::ALL.iter().filter(|one| concerns_text(text, **one));
        all.map(|one| one.code()).collect()
    };
    assert_eq!(about(MUNICH_FIVE_DAYS), ["leave.decide"]);
    assert_eq!(
        about("permit (principal, action in [Action::\"job.read\", Action::\"audit.read\"], resource);"),
        ["audit.read", "job.read"]
    );
    assert_eq!(about("permit (principal, action, resource is LeaveBalance);"), ["leave.read", "leave.grant"]);
    assert_eq!(about("permit (principal, action, resource);").len(), Permission::ALL.len());
}

#[test]
fn a_policy_that_looks_at_the_thing_tells_things_apart() {
    let tells = |text: &str| rules(&[text]).tells_apart(Permission::EmployeeManage);
    assert!(!tells("forbid (principal, action, resource) when { context.hour < 8 };"));
    assert!(!tells(
        "permit (principal, action == Action::\"employee.manage\", resource) when { resource has manager };"
    ));
    assert!(tells(
        "forbid (principal, action == Action::\"employee.manage\", resource) when { resource has manager };"
    ));
    assert!(tells(
        "forbid (principal, action == Action::\"employee.manage\", \
         resource == Employee::\"00000000-0000-0000-0000-000000000001\");"
    ));
}

#[test]
fn an_operator_inside_gets_nothing_on_top() {
    let permit = rules(&["permit (principal, action, resource);"]);
    let support = crate::actor::Support {
        operator: UserId::from_uuid(Uuid::from_u128(50)),
        grant: crate::id::SupportGrantId::from_uuid(Uuid::from_u128(51)),
    };
    let helper = actor(&[Role::Employee]);
    assert_eq!(permit.judge(&helper, Permission::UserRead, &Resource::organization()), Verdict::Permit);
    let helper = helper.with_support(support);
    assert_eq!(permit.judge(&helper, Permission::UserRead, &Resource::organization()), Verdict::Silent);
    let forbid = rules(&["forbid (principal, action, resource);"]);
    assert_eq!(forbid.judge(&helper, Permission::UserRead, &Resource::organization()), Verdict::Forbid);
}

/// Policies of which some are right, some fail, and some depend on the thing.
fn any_policy() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let head = prop_oneof![
        Just("principal, action, resource"),
        Just("principal is User, action == Action::\"leave.decide\", resource"),
        Just("principal, action in [Action::\"leave.decide\", Action::\"employee.read\"], resource"),
        Just("principal is ServiceAccount, action, resource"),
    ];
    let condition = prop_oneof![
        Just("true || false".to_owned()),
        (0..24_i64).prop_map(|hour| format!("context.hour < {hour}")),
        (1..8_i64).prop_map(|day| format!("context.weekday >= {day}")),
        Just("principal.roles.contains(\"manager\")".to_owned()),
        Just("9223372036854775807 + context.hour > 0".to_owned()),
        Just("context has address && context.address.isInRange(ip(\"10.0.0.0/8\"))".to_owned()),
    ];
    (head, condition).prop_map(|(head, condition)| format!("({head}) when {{ {condition} }};"))
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]

    #[test]
    fn a_forbid_takes_and_a_permit_gives(
        policies in proptest::collection::vec((proptest::bool::ANY, any_policy()), 0..5),
        more in any_policy(),
        manager in proptest::bool::ANY,
    ) {
        let texts: Vec<String> = policies
            .iter()
            .map(|(permit, rest)| format!("{} {rest}", if *permit { "permit" } else { "forbid" }))
            .collect();
        let with = |more: Option<String>| -> Vec<Decision> {
            let all: Vec<&str> = texts.iter().chain(&more).map(String::as_str).collect();
            let rules = Arc::new(rules(&all));
            let role = if manager { Role::Manager } else { Role::Employee };
            let actor = actor(&[role]).with_rules(rules);
            let employee = Resource { details: Details::None, ..leave(3) };
            [
                (Permission::LeaveDecide, leave(3)),
                (Permission::EmployeeRead, employee),
                (Permission::ExportRun, Resource::organization()),
            ]
            .iter()
            .map(|(permission, resource)| RolePolicy.decide(&actor, *permission, resource))
            .collect()
        };
        let before = with(None);
        let forbidden = with(Some(format!("forbid {more}")));
        // One that can't be evaluated denies, whatever it is.
        let permitted = with(Some(format!("permit {more}")));
        let fails = more.contains("9223372036854775807");
        for ((before, forbidden), permitted) in before.iter().zip(&forbidden).zip(&permitted) {
            proptest::prop_assert!(*before == Decision::Allow || *forbidden == Decision::Deny);
            proptest::prop_assert!(fails || *before == Decision::Deny || *permitted == Decision::Allow);
            proptest::prop_assert!(!fails || *before == Decision::Allow || *permitted == Decision::Deny);
        }
    }
}

/// Policies about a decision on leave: with and without clauses, some of which can't be evaluated by chance.
fn any_of_leave() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let head = prop_oneof![
        Just("principal, action, resource"),
        Just("principal is User, action == Action::\"leave.decide\", resource"),
        Just(
            "principal, action in [Action::\"leave.decide\", Action::\"leave.read\"], resource is LeaveRequest"
        ),
        Just(
            "principal == User::\"00000000-0000-0000-0000-000000000001\", action == Action::\"leave.decide\", resource"
        ),
        Just("principal is ServiceAccount, action == Action::\"leave.decide\", resource"),
    ];
    let of_leave = "resource is LeaveRequest && resource.";
    let of_people = "principal is User && principal has location && principal.location";
    let condition = prop_oneof![
        Just("9223372036854775807 + context.weekday > 0 || context.hour == 3".to_owned()),
        (0..24_i64).prop_map(|hour| format!("context.hour < {hour}")),
        (1..8_i64).prop_map(move |days| format!("{of_leave}days > {days}")),
        Just(format!("{of_leave}starts_on == datetime(\"2026-12-01\")")),
        Just(format!(
            "{of_leave}owner has manager && {of_leave}owner.manager == Employee::\"00000000-0000-0000-0000-000000000002\""
        )),
        Just(format!("{of_people} == Location::\"00000000-0000-0000-0000-00000000004d\"")),
        Just("principal.roles.contains(\"manager\")".to_owned()),
        Just("context has address && context.address.isInRange(ip(\"10.0.0.0/8\"))".to_owned()),
    ];
    let clause = (any::<bool>(), condition)
        .prop_map(|(when, condition)| format!(" {} {{ {condition} }}", if when { "when" } else { "unless" }));
    (any::<bool>(), head, prop::collection::vec(clause, 0..3))
        .prop_map(|(permit, head, clauses)| {
            format!("{} ({head}){};", if permit { "permit" } else { "forbid" }, clauses.concat())
        })
        .prop_filter("what could never apply is refused", |text| check(text).is_ok())
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]

    #[test]
    fn merged_policies_say_what_they_say_one_by_one(
        texts in proptest::collection::vec(any_of_leave(), 1..8),
        (days, known, manager) in (1..8_i64, proptest::bool::weighted(0.8), proptest::bool::ANY),
    ) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let rules = rules(&texts);
        let mut who = actor(&[if manager { Role::Manager } else { Role::Employee }]);
        if !known {
            who = who.with_context(Context::default());
        }
        let thing = leave(days);
        for permission in [Permission::LeaveDecide, Permission::LeaveRead] {
            let one_by_one = rules.ask(&who, permission, &thing);
            proptest::prop_assert_eq!(rules.judge(&who, permission, &thing), one_by_one.verdict, "{:?}", one_by_one);
        }
        // Nor does it change anything that what nobody asks for isn't told.
        let mut told = rules.clone();
        told.slices.iter_mut().flatten().for_each(|slice| slice.mentions = Mentions::all());
        let (some, all) = (&rules, &told);
        let ask = |rules: &CedarRules| rules.ask(&who, Permission::LeaveDecide, &thing);
        proptest::prop_assert_eq!(ask(some).verdict, ask(all).verdict);
    }
}

#[test]
fn policies_with_the_same_head_are_asked_as_one() {
    let texts: Vec<String> = (1..=20)
        .map(|day| {
            format!("forbid (principal is User, action == Action::\"leave.decide\", resource) when {{ resource.days == {day} }};")
        })
        .collect();
    let rules = rules(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    let slice = rules.slice(Permission::LeaveDecide).unwrap();
    assert_eq!(slice.merged().policies().count(), 1);
    let forbidden = |days| rules.judge(&actor(&[Role::Manager]), Permission::LeaveDecide, &leave(days));
    assert_eq!((forbidden(20), forbidden(21)), (Verdict::Forbid, Verdict::Silent));
}

/// Policies that forbid, and look at who acts, at the thing, or at the circumstances.
fn any_forbid() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::*;
    let head = prop_oneof![
        Just("principal"),
        Just("principal is User"),
        Just("principal == User::\"00000000-0000-0000-0000-000000000001\""),
        Just("principal is ServiceAccount"),
    ];
    let of_people = "principal is User && principal has location && principal.location";
    let condition = prop_oneof![
        Just(format!("{of_people} == Location::\"00000000-0000-0000-0000-00000000004d\"")),
        (1..8_i64).prop_map(|days| format!("resource.days > {days}")),
        Just("context.second_factor".to_owned()),
        Just("principal.roles.contains(\"manager\")".to_owned()),
        Just("resource.owner has manager && principal is User && principal has employee && principal.employee == resource.owner.manager".to_owned()),
    ];
    let conditions = prop::collection::vec((prop::bool::ANY, condition), 0..3);
    (head, conditions)
        .prop_map(|(head, conditions)| {
            let clause = |(when, condition): (bool, String)| {
                format!(" {} {{ {condition} }}", if when { "when" } else { "unless" })
            };
            let clauses: String = conditions.into_iter().map(clause).collect();
            format!("forbid ({head}, action == Action::\"leave.read\", resource is LeaveRequest){clauses};")
        })
        .prop_filter("what could never apply is refused", |text| check(text).is_ok())
}

/// Whether each of two people, and a program, are forbidden to read a request.
fn forbidden(rules: &CedarRules, who: &Actor, days: i64, second_factor: bool) -> bool {
    let context = Context { second_factor, ..*who.context() };
    let who = who.clone().with_context(context);
    rules.judge(&who, Permission::LeaveRead, &leave(days)) == Verdict::Forbid
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn what_can_be_handed_on_is_no_less_forbidden_there(
        texts in proptest::collection::vec(any_forbid(), 1..4),
        (days, second_factor) in (1..8_i64, proptest::bool::ANY),
        (manager, there) in (proptest::bool::ANY, proptest::bool::ANY),
    ) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let rules = rules(&texts);
        let role = if manager { Role::Manager } else { Role::Employee };
        let place = there.then(|| LocationId::from_uuid(MUNICH));
        let giver = actor(&[role]).with_facts(Facts { location_id: place, ..Facts::default() });
        let request = RequestId::from_uuid(Uuid::from_u128(4));
        let who = Who::User { user: UserId::from_uuid(Uuid::from_u128(70)), session: None, employee: None };
        let person = Actor::user(giver.tenant(), who, &[Role::Hr], Cause::Request, request);
        let who = Who::Service {
            account: crate::id::ServiceAccountId::from_uuid(Uuid::from_u128(71)),
            key: crate::id::ApiKeyId::from_uuid(Uuid::from_u128(72)),
        };
        let program = Actor::user(giver.tenant(), who, &[], Cause::Request, request);
        for (receiver, to) in [(Receiver::User, person), (Receiver::Program, program)] {
            if !rules.could_be_evaded(&giver, Permission::LeaveRead, receiver) {
                let bound = forbidden(&rules, &to, days, second_factor);
                proptest::prop_assert!(bound || !forbidden(&rules, &giver, days, second_factor), "{texts:?} {receiver:?}");
            }
        }
    }
}

#[test]
fn only_what_could_strike_the_giver_keeps_them_from_giving() {
    let could = |text: &str, receiver| {
        let giver = actor(&[Role::Manager]);
        let kept = rules(&[text]).could_be_evaded(&giver, Permission::LeaveDecide, receiver);
        (
            kept,
            rules(&[text]).could_be_evaded(
                &giver.with_facts(Facts::default()),
                Permission::LeaveDecide,
                receiver,
            ),
        )
    };
    let user = Receiver::User;
    assert_eq!(could(MUNICH_FIVE_DAYS, user), (true, false), "only who is in Munich");
    let backwards = r#"forbid (principal is User, action == Action::"leave.decide", resource)
        when { resource.days > 5 && principal has location
            && principal.location == Location::"00000000-0000-0000-0000-00000000004d" };"#;
    assert_eq!(could(backwards, user), (true, true), "a thing that can't be known comes first");
    let factor = r#"forbid (principal is User, action, resource) unless { context.second_factor };"#;
    assert_eq!(could(factor, user), (false, false), "it strikes everybody");
    assert_eq!(could(factor, Receiver::Program), (true, true), "it spares programs");
    let all = "forbid (principal, action, resource) unless { context.second_factor };";
    assert_eq!(could(all, Receiver::Program), (false, false));
    let other = r#"forbid (principal is User, action == Action::"leave.read", resource) when { principal.roles.contains("manager") };"#;
    assert_eq!(could(other, user), (false, false), "another permission");
}
