//! Leave policies through their services: versions by date, assignments, and who may do what.

use hrms_core::actor::{Actor, Cause, Who};
use hrms_core::contract::id;
use hrms_core::leave::{
    AppliesTo, AssignLeavePolicy, EndLeavePolicyAssignment, LeavePolicyPatch, LeavePolicyView,
    NewLeavePolicy, NewLeavePolicyVersion,
};
use hrms_core::policy::{Grant, Permission, Scope};
use hrms_core::{DomainError, EmployeeId, ErrorKind, LeavePolicyId, RequestId, Role};
use jiff::civil::{Date, date};

use super::{World, actor, code};
use crate::all::support;

pub(super) const MONTHLY_18: &str =
    r#"{"accrual": {"levels": [{"earn": {"per_year": {"days": "18"}}, "every": "monthly"}]}}"#;

impl World {
    pub(super) fn new_policy(
        &self,
        name: &str,
        applies_to: AppliesTo,
        from: Date,
        rules: &str,
    ) -> NewLeavePolicy {
        NewLeavePolicy {
            leave_type_id: self.annual.id,
            code: name.into(),
            name: name.into(),
            applies_to,
            effective_from: from,
            rules: serde_json::from_str(rules).unwrap(),
        }
    }

    pub(super) async fn policy(&self, name: &str, applies_to: AppliesTo, rules: &str) -> LeavePolicyView {
        let new = self.new_policy(name, applies_to, date(2026, 1, 1), rules);
        self.hrms.leave_policies().create(&self.hr(), new).await.unwrap()
    }
}

fn assign(employee_id: EmployeeId, leave_policy_id: LeavePolicyId, valid_from: Date) -> AssignLeavePolicy {
    AssignLeavePolicy { employee_id, leave_policy_id, valid_from, valid_to: None }
}

async fn policies_have_versions_by_date_and_a_history(store: &support::Fresh) {
    let w = World::new(store).await;
    let policies = w.hrms.leave_policies();
    let first = w.policy("first", AppliesTo::Everyone, MONTHLY_18).await;
    let rules = |days: &str| serde_json::from_str(&MONTHLY_18.replace("18", days)).unwrap();
    let add = |effective_from: Date, days: &str| NewLeavePolicyVersion { effective_from, rules: rules(days) };
    let id = first.policy.id;
    policies.add_version(&w.hr(), id, add(date(2026, 7, 1), "20")).await.unwrap();
    let corrected = policies.add_version(&w.hr(), id, add(date(2026, 7, 1), "21")).await.unwrap();
    let in_force: Vec<_> = corrected.versions.iter().map(|one| (one.effective_from, &one.rules)).collect();
    assert_eq!(in_force, [(date(2026, 1, 1), &rules("18")), (date(2026, 7, 1), &rules("21"))]);
    assert_eq!(policies.get(&w.employee(w.asha), id).await.unwrap(), corrected);
    // What others took the place of stays on record.
    let history = policies.history(&w.hr(), id).await.unwrap();
    assert_eq!(
        history.iter().map(|one| &one.rules).collect::<Vec<_>>(),
        [&rules("18"), &rules("20"), &rules("21")]
    );

    let again = w.new_policy("first", AppliesTo::Assigned, date(2026, 1, 1), "{}");
    assert_eq!(code(policies.create(&w.hr(), again).await), "leave-policy.code-taken");
    let second = w.new_policy("second", AppliesTo::Everyone, date(2026, 1, 1), "{}");
    assert_eq!(code(policies.create(&w.hr(), second).await), "leave-policy.everyone-has-one");
    let by_employee = w.new_policy("third", AppliesTo::Assigned, date(2026, 1, 1), "{}");
    assert_eq!(code(policies.create(&w.employee(w.asha), by_employee).await), "common.forbidden");
    let events = w.events().await;
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event.kind.as_str())
        .filter(|kind| kind.starts_with("leave_policy"))
        .collect();
    assert_eq!(kinds, ["leave_policy.created", "leave_policy.changed", "leave_policy.changed"]);
}

async fn code_name_and_who_has_a_policy_can_change(store: &support::Fresh) {
    let w = World::new(store).await;
    let policies = w.hrms.leave_policies();
    let patch = |text: &str| serde_json::from_str::<LeavePolicyPatch>(text).unwrap();
    let first = w.policy("first", AppliesTo::Everyone, MONTHLY_18).await.policy;
    let other = w.policy("other", AppliesTo::Assigned, "{}").await.policy;
    let end = Some(date(2026, 10, 31));
    assert_eq!(w.balance(w.asha, end).await[0], "15");
    let renamed = patch(r#"{"code": "yearly", "name": "Every year"}"#);
    let renamed = policies.change(&w.hr(), first.id, first.version, renamed).await.unwrap().policy;
    assert_eq!((renamed.code.as_str(), renamed.name.as_str()), ("yearly", "Every year"));
    assert_eq!(policies.get(&w.hr(), first.id).await.unwrap().policy, renamed);
    assert_eq!(code(policies.change(&w.hr(), first.id, first.version, patch("{}")).await), "common.stale");
    let now = renamed.version;
    for (text, refused) in [
        (r#"{"code": "other"}"#, "leave-policy.code-taken"),
        (r#"{"name": ""}"#, "common.invalid"),
        (r#"{"applies_to": null}"#, "common.invalid"),
    ] {
        assert_eq!(code(policies.change(&w.hr(), first.id, now, patch(text)).await), refused, "{text}");
    }
    let for_all = r#"{"applies_to": "everyone"}"#;
    let second = policies.change(&w.hr(), other.id, other.version, patch(for_all)).await;
    assert_eq!(code(second), "leave-policy.everyone-has-one");
    // Who has it decides who earns by it: nothing that whoever would earn by it changes.
    let assigned = r#"{"applies_to": "assigned"}"#;
    let hr_person = actor(w.tenant, Some(w.colleague), &[Role::Hr]);
    assert_eq!(code(policies.change(&hr_person, first.id, now, patch(assigned)).await), "leave-policy.own");
    assert_eq!(
        code(policies.change(&w.employee(w.asha), first.id, now, patch("{}")).await),
        "common.forbidden"
    );
    w.hrms.leave().accrue(&w.hr()).await.unwrap();
    let changed = policies.change(&w.hr(), first.id, now, patch(assigned)).await.unwrap().policy;
    assert_eq!(changed.applies_to, AppliesTo::Assigned);
    assert_eq!(w.balance(w.asha, end).await[0], "0", "what was credited is corrected (P5)");
    let back = policies.change(&hr_person, first.id, changed.version, patch(for_all)).await;
    assert_eq!(code(back), "leave-policy.own");
    policies.change(&w.hr(), first.id, changed.version, patch(for_all)).await.unwrap();
    assert_eq!(w.balance(w.asha, end).await[0], "15");
}

async fn faulty_rules_are_pointed_at_and_change_nothing(store: &support::Fresh) {
    let w = World::new(store).await;
    let faulty = r#"{"eligibility": {"locations": ["019ff000-0000-7000-8000-000000000000"]}, "accrual": {"levels": [
        {"earn": {"per_year": {"days": "0"}}, "every": "up_front"}]}}"#;
    let new = w.new_policy("a", AppliesTo::Everyone, date(2026, 1, 1), faulty);
    let error = w.hrms.leave_policies().create(&w.hr(), new).await.unwrap_err();
    let faults: Vec<_> =
        error.fields().iter().map(|fault| format!("{} {}", fault.pointer, fault.code)).collect();
    assert_eq!(
        faults,
        [
            "/rules/accrual/levels/0/earn/per_year out-of-range",
            "/rules/accrual/levels/0/credit contradicts",
            "/rules/eligibility/locations/0 unknown-reference",
        ]
    );
    let far = w.new_policy("a", AppliesTo::Everyone, date(9999, 1, 1), "{}");
    assert_eq!(code(w.hrms.leave_policies().create(&w.hr(), far).await), "common.invalid");
    w.policy("a", AppliesTo::Everyone, "{}").await;
}

async fn assignments_follow_each_other_and_are_never_ones_own(store: &support::Fresh) {
    let w = World::new(store).await;
    let assignments = w.hrms.leave_policy_assignments();
    let (one, two) =
        (w.policy("one", AppliesTo::Assigned, "{}").await, w.policy("two", AppliesTo::Assigned, "{}").await);
    let (one, two) = (one.policy.id, two.policy.id);
    let first = assignments.assign(&w.hr(), assign(w.asha, one, date(2026, 1, 1))).await.unwrap();
    let second = assignments.assign(&w.hr(), assign(w.asha, two, date(2026, 7, 1))).await.unwrap();
    let listed = assignments.list(&w.employee(w.asha), None).await.unwrap();
    let periods: Vec<_> = listed.iter().map(|one| (one.policy_id, one.valid_from, one.valid_to)).collect();
    assert_eq!(periods, [(one, date(2026, 1, 1), Some(date(2026, 7, 1))), (two, date(2026, 7, 1), None)]);
    // One that would run into the next is refused.
    assert_eq!(
        code(assignments.assign(&w.hr(), assign(w.asha, one, date(2025, 1, 1))).await),
        "leave-policy-assignment.overlaps"
    );
    let longer = EndLeavePolicyAssignment { valid_to: date(2026, 8, 1) };
    assert_eq!(
        code(assignments.end(&w.hr(), first.id, longer.clone()).await),
        "leave-policy-assignment.overlaps"
    );
    let ended = assignments.end(&w.hr(), second.id, longer).await.unwrap();
    assert_eq!(ended.valid_to, Some(date(2026, 8, 1)));
    let early = EndLeavePolicyAssignment { valid_to: date(2026, 6, 30) };
    assert_eq!(code(assignments.end(&w.hr(), second.id, early).await), "common.invalid");

    // Nobody gives leave to themselves, and managers don't either; colleagues don't know of it.
    let hr_person = actor(w.tenant, Some(w.colleague), &[Role::Hr]);
    let own = assign(w.colleague, one, date(2026, 1, 1));
    assert_eq!(code(assignments.assign(&hr_person, own).await), "leave.self-grant");
    let by_manager = assign(w.asha, one, date(2027, 1, 1));
    assert_eq!(code(assignments.assign(&w.manager(w.manager), by_manager).await), "common.forbidden");
    assert_eq!(assignments.list(&w.manager(w.manager), Some(w.asha)).await.unwrap().len(), 2);
    assert_eq!(code(assignments.list(&w.employee(w.colleague), Some(w.asha)).await), "common.not-found");
    assert_eq!(code(assignments.get(&w.employee(w.colleague), first.id).await), "common.not-found");
    assert_eq!(
        assignments.get(&w.employee(w.asha), first.id).await.unwrap().valid_to,
        Some(date(2026, 7, 1))
    );
}

/// What was a mistake is taken back, by an end on the first day or by another one from the same day; what it credited is
/// corrected (P5).
async fn a_mistaken_assignment_is_void(store: &support::Fresh) {
    let w = World::new(store).await;
    let assignments = w.hrms.leave_policy_assignments();
    let much = w.policy("much", AppliesTo::Assigned, &MONTHLY_18.replace("18", "36")).await.policy.id;
    let right = w.policy("right", AppliesTo::Assigned, MONTHLY_18).await.policy.id;
    let (new_year, may) = (date(2026, 1, 1), date(2026, 5, 1));
    let granted = || async { w.balance(w.asha, Some(date(2026, 10, 31))).await[0].clone() };
    let mistake = assignments.assign(&w.hr(), assign(w.asha, much, new_year)).await.unwrap();
    w.hrms.leave().accrue(&w.hr()).await.unwrap();
    assert_eq!(granted().await, "30");
    // Another one from the same day takes its place.
    let first = assignments.assign(&w.hr(), assign(w.asha, right, new_year)).await.unwrap();
    assert_eq!(code(assignments.get(&w.hr(), mistake.id).await), "common.not-found");
    assert_eq!(granted().await, "15");
    // One that begins within ends it there; it is void by itself, and the first one doesn't come back.
    let second = assignments.assign(&w.hr(), assign(w.asha, much, may)).await.unwrap();
    assert_eq!(assignments.get(&w.hr(), first.id).await.unwrap().valid_to, Some(may));
    assert_eq!(granted().await, "24");
    let on_first_day = EndLeavePolicyAssignment { valid_to: may };
    let hr_person = actor(w.tenant, Some(w.asha), &[Role::Hr]);
    assert_eq!(code(assignments.end(&hr_person, second.id, on_first_day.clone()).await), "leave.self-grant");
    let void = assignments.end(&w.hr(), second.id, on_first_day.clone()).await.unwrap();
    assert_eq!((void.valid_from, void.valid_to), (may, Some(may)));
    assert_eq!(code(assignments.end(&w.hr(), second.id, on_first_day).await), "common.not-found");
    assert_eq!(assignments.list(&w.hr(), Some(w.asha)).await.unwrap().len(), 1);
    assert_eq!(granted().await, "6");
    w.hrms.leave().accrue(&w.hr()).await.unwrap();
    assert_eq!(granted().await, "6");
    assignments.assign(&w.hr(), assign(w.asha, right, may)).await.unwrap();
    assert_eq!(granted().await, "15");
    let kinds: Vec<String> = w.events().await.into_iter().map(|event| event.kind).collect();
    let of_assignments: Vec<&str> =
        kinds.iter().filter_map(|kind| kind.strip_prefix("leave_policy_assignment.")).collect();
    assert_eq!(of_assignments, ["created", "voided", "created", "ended", "created", "voided", "created"]);
}

/// P16: nobody writes the rules by which they earn leave: not as a second user of their own and not by a program. Owners
/// may, as somebody has to.
async fn nobody_writes_their_own_policy(store: &support::Fresh) {
    let w = World::new(store).await;
    let policies = w.hrms.leave_policies();
    let everyone = w.new_policy("everyone", AppliesTo::Everyone, date(2026, 1, 1), MONTHLY_18);
    let version = || NewLeavePolicyVersion {
        effective_from: date(2026, 1, 1),
        rules: serde_json::from_str(&MONTHLY_18.replace("18", "360")).unwrap(),
    };
    let hr_person = actor(w.tenant, Some(w.colleague), &[Role::Hr, Role::Admin]);
    let second_user = actor(w.tenant, None, &[Role::Hr]).also_counting_as(vec![w.colleague]);
    let key = Who::Service {
        account: hrms_core::ServiceAccountId::from_uuid(id()),
        key: hrms_core::ApiKeyId::from_uuid(id()),
    };
    let grant = Grant { permission: Permission::LeaveTypeManage, scope: Scope::Organization };
    let request = RequestId::from_uuid(id());
    let program = Actor::with_grants(w.tenant, key, vec![], vec![grant], Cause::Request, request);
    let refusals = [
        (&hr_person, "leave-policy.own"),
        (&second_user, "leave-policy.own"),
        (&program, "common.forbidden"),
    ];
    for (who, refusal) in refusals {
        let error = policies.create(who, everyone.clone()).await.unwrap_err();
        assert_eq!((error.code(), error.kind()), (refusal, ErrorKind::Forbidden));
    }
    let everyone = w.policy("everyone", AppliesTo::Everyone, MONTHLY_18).await.policy.id;
    let assigned = w.new_policy("some", AppliesTo::Assigned, date(2026, 1, 1), MONTHLY_18);
    let some = policies.create(&hr_person, assigned).await.unwrap().policy.id;
    // Nobody has it yet, and later somebody else does: it isn't theirs. Once they had it, it is for good.
    policies.add_version(&hr_person, some, version()).await.unwrap();
    let assignments = w.hrms.leave_policy_assignments();
    assignments.assign(&w.hr(), assign(w.asha, some, date(2026, 1, 1))).await.unwrap();
    policies.add_version(&hr_person, some, version()).await.unwrap();
    let own = assignments.assign(&w.hr(), assign(w.colleague, some, date(2025, 1, 1))).await.unwrap();
    assignments.end(&w.hr(), own.id, EndLeavePolicyAssignment { valid_to: date(2025, 2, 1) }).await.unwrap();
    for policy in [everyone, some] {
        for (who, refusal) in refusals {
            assert_eq!(code(policies.add_version(who, policy, version()).await), refusal);
        }
    }
    assert_eq!(w.balance(w.colleague, Some(date(2026, 10, 31))).await[0], "15", "nothing changed");
    // One person in human resources who is an employee: the owner does it, an employee or not.
    let owner = actor(w.tenant, Some(w.manager), &[Role::Owner]);
    policies.add_version(&owner, everyone, version()).await.unwrap();
    policies.add_version(&w.hr(), some, version()).await.unwrap();
}

hrms_tests::on_every_engine!(
    code_name_and_who_has_a_policy_can_change,
    policies_have_versions_by_date_and_a_history,
    faulty_rules_are_pointed_at_and_change_nothing,
    assignments_follow_each_other_and_are_never_ones_own,
    a_mistaken_assignment_is_void,
    nobody_writes_their_own_policy,
);
