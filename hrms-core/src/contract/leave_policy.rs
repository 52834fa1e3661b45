//! Promises about leave policies and who has which.

use jiff::civil::{Date, date};

use super::fixture::{Subject, at, id, tenant};
use super::leave::account;
use crate::error::StoreError;
use crate::id::{EmployeeId, LeavePolicyAssignmentId, LeavePolicyId, LeavePolicyVersionId, LeaveTypeId};
use crate::leave::plan::PolicyRules;
use crate::leave::{
    AppliesTo, LeavePolicy, LeavePolicyAssignment, LeavePolicyFilter, LeavePolicySort, LeavePolicyVersion,
};
use crate::page::{PageRequest, Position};
use crate::store::Version;

fn policy(leave_type_id: LeaveTypeId, code: &str, applies_to: AppliesTo) -> LeavePolicy {
    LeavePolicy {
        id: LeavePolicyId::from_uuid(id()),
        leave_type_id,
        code: code.into(),
        name: format!("Policy {code}"),
        applies_to,
        created_at: at(0),
        updated_at: at(0),
        version: Version::FIRST,
    }
}

fn version(policy: &LeavePolicy, effective_from: Date, seconds: i64) -> LeavePolicyVersion {
    let rules = r#"{"leave_year": {"on": "04-01"}, "accrual": {"levels":
        [{"earn": {"per_year": {"days": "18.5"}}, "every": "monthly", "begins": {"days": [1, 16]}}]}}"#;
    LeavePolicyVersion {
        id: LeavePolicyVersionId::from_uuid(id()),
        policy_id: policy.id,
        effective_from,
        rules: serde_json::from_str::<PolicyRules>(rules).unwrap(),
        recorded_at: at(seconds),
        recorded_by: None,
    }
}

fn assignment(
    employee_id: EmployeeId,
    policy: &LeavePolicy,
    from: Date,
    to: Option<Date>,
) -> LeavePolicyAssignment {
    LeavePolicyAssignment {
        id: LeavePolicyAssignmentId::from_uuid(id()),
        employee_id,
        leave_type_id: policy.leave_type_id,
        policy_id: policy.id,
        valid_from: from,
        valid_to: to,
        created_at: at(0),
        updated_at: at(0),
        version: Version::FIRST,
    }
}

/// Policies, versions and assignments come back as they went in; lists filter and page.
pub async fn leave_policies_are_read_back_as_they_were_written(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut tx = store.begin(tenant).await.unwrap();
    let (employee, annual) = account(&mut *tx).await;
    let everyone = policy(annual.id, "b", AppliesTo::Everyone);
    let some = policy(annual.id, "a", AppliesTo::Assigned);
    for policy in [&everyone, &some] {
        tx.leave_policies().insert(policy).await.unwrap();
    }
    let versions = [
        version(&some, date(2026, 1, 1), 1),
        version(&some, date(2026, 1, 1), 2),
        version(&some, date(2026, 7, 1), 0),
    ];
    for version in versions.iter().rev() {
        tx.leave_policies().add_version(version).await.unwrap();
    }
    let first = assignment(employee, &some, date(2026, 1, 1), Some(date(2026, 7, 1)));
    let second = assignment(employee, &everyone, date(2026, 7, 1), None);
    tx.leave_policies().assign(&second).await.unwrap();
    tx.leave_policies().assign(&first).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin(tenant).await.unwrap();
    let policies = tx.leave_policies();
    assert_eq!(policies.get(some.id).await.unwrap().as_ref(), Some(&some));
    assert_eq!(policies.versions(&[some.id, everyone.id]).await.unwrap(), versions);
    assert_eq!(policies.versions(&[everyone.id]).await.unwrap(), []);
    assert_eq!(policies.all(Some(annual.id)).await.unwrap(), [some.clone(), everyone.clone()]);
    assert_eq!(policies.all(None).await.unwrap().len(), 2);
    assert_eq!(policies.all(Some(LeaveTypeId::from_uuid(id()))).await.unwrap(), []);
    assert_eq!(policies.assignment(first.id).await.unwrap().as_ref(), Some(&first));
    assert_eq!(policies.assignments(&[employee]).await.unwrap(), [first.clone(), second]);
    let by_code = LeavePolicyFilter { code: Some("a".into()), ..LeavePolicyFilter::default() };
    assert_eq!(policies.list(&by_code, &PageRequest::default()).await.unwrap(), std::slice::from_ref(&some));
    let mut page = PageRequest { sort: LeavePolicySort::Code, limit: 1, ..PageRequest::default() };
    let rows = policies.list(&LeavePolicyFilter::default(), &page).await.unwrap();
    assert_eq!(rows, [some.clone(), everyone.clone()]);
    page.after = Some(Position { key: "a".into(), id: some.id.as_uuid() });
    assert_eq!(policies.list(&LeavePolicyFilter::default(), &page).await.unwrap(), [everyone]);

    let changed = LeavePolicy { version: some.version.next(), updated_at: at(9), ..some.clone() };
    policies.update(&changed, some.version).await.unwrap();
    assert!(matches!(policies.update(&changed, some.version).await, Err(StoreError::Stale)));
    let later = LeavePolicyFilter { updated_after: Some(at(5)), ..LeavePolicyFilter::default() };
    assert_eq!(policies.list(&later, &PageRequest::default()).await.unwrap(), [changed]);
    let ended = LeavePolicyAssignment {
        valid_to: Some(date(2026, 3, 1)),
        version: first.version.next(),
        ..first.clone()
    };
    policies.end_assignment(&ended, first.version).await.unwrap();
    assert!(matches!(policies.end_assignment(&ended, first.version).await, Err(StoreError::Stale)));
    assert_eq!(policies.assignment(first.id).await.unwrap(), Some(ended.clone()));
    assert!(matches!(policies.void_assignment(ended.id, first.version).await, Err(StoreError::Stale)));
    policies.void_assignment(ended.id, ended.version).await.unwrap();
    assert_eq!(policies.assignment(ended.id).await.unwrap(), None);
    assert_eq!(policies.assignments(&[employee]).await.unwrap().len(), 1);
    assert!(matches!(policies.void_assignment(ended.id, ended.version).await, Err(StoreError::Stale)));
}

/// P22: an employee has one policy a day for a leave type, a leave type one for everyone, a code one policy.
pub async fn leave_policies_never_overlap(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut tx = store.begin(tenant).await.unwrap();
    let (employee, annual) = account(&mut *tx).await;
    let everyone = policy(annual.id, "a", AppliesTo::Everyone);
    tx.leave_policies().insert(&everyone).await.unwrap();
    let first = assignment(employee, &everyone, date(2026, 1, 1), Some(date(2026, 7, 1)));
    tx.leave_policies().assign(&first).await.unwrap();
    let next = assignment(employee, &everyone, date(2026, 7, 1), Some(date(2026, 8, 1)));
    tx.leave_policies().assign(&next).await.unwrap();
    tx.commit().await.unwrap();

    let refused = |error: StoreError, name: &str| assert_eq!(error.constraint(), Some(name));
    let mut tx = store.begin(tenant).await.unwrap();
    let again = policy(annual.id, "a", AppliesTo::Assigned);
    refused(tx.leave_policies().insert(&again).await.unwrap_err(), "leave_policy_code_key");
    drop(tx);
    let mut tx = store.begin(tenant).await.unwrap();
    let second = policy(annual.id, "b", AppliesTo::Everyone);
    refused(tx.leave_policies().insert(&second).await.unwrap_err(), "leave_policy_everyone_key");
    drop(tx);
    for (from, to) in [
        (date(2025, 1, 1), None),
        (date(2026, 6, 30), Some(date(2026, 7, 1))),
        (date(2025, 1, 1), Some(date(2026, 1, 2))),
        (date(2026, 7, 31), None),
    ] {
        let mut tx = store.begin(tenant).await.unwrap();
        let overlapping = assignment(employee, &everyone, from, to);
        let error = tx.leave_policies().assign(&overlapping).await.unwrap_err();
        refused(error, "leave_policy_assignment_no_overlap");
    }
    let mut tx = store.begin(tenant).await.unwrap();
    let longer = LeavePolicyAssignment {
        valid_to: Some(date(2026, 7, 2)),
        version: first.version.next(),
        ..first.clone()
    };
    let error = tx.leave_policies().end_assignment(&longer, first.version).await.unwrap_err();
    refused(error, "leave_policy_assignment_no_overlap");
}

/// No tenant's policies are found, listed, changed or referred to by another.
pub async fn leave_policies_of_tenants_never_meet(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let mut tx = store.begin(theirs).await.unwrap();
    let (employee, annual) = account(&mut *tx).await;
    let policy = policy(annual.id, "a", AppliesTo::Everyone);
    tx.leave_policies().insert(&policy).await.unwrap();
    tx.leave_policies().add_version(&version(&policy, date(2026, 1, 1), 0)).await.unwrap();
    let assigned = assignment(employee, &policy, date(2026, 1, 1), None);
    tx.leave_policies().assign(&assigned).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin(mine).await.unwrap();
    let policies = tx.leave_policies();
    assert_eq!(policies.get(policy.id).await.unwrap(), None);
    assert_eq!(policies.all(None).await.unwrap(), []);
    assert_eq!(policies.versions(&[policy.id]).await.unwrap(), []);
    assert_eq!(policies.assignment(assigned.id).await.unwrap(), None);
    assert_eq!(policies.assignments(&[employee]).await.unwrap(), []);
    assert_eq!(policies.list(&LeavePolicyFilter::default(), &PageRequest::default()).await.unwrap(), []);
    assert!(matches!(policies.update(&policy, policy.version).await, Err(StoreError::Stale)));
    assert!(matches!(policies.end_assignment(&assigned, assigned.version).await, Err(StoreError::Stale)));
    drop(tx);

    let mut tx = store.begin(mine).await.unwrap();
    let (me, mine_too) = account(&mut *tx).await;
    tx.commit().await.unwrap();
    for foreign in [
        assignment(me, &policy, date(2026, 1, 1), None),
        LeavePolicyAssignment {
            leave_type_id: mine_too.id,
            ..assignment(me, &policy, date(2026, 1, 1), None)
        },
        assignment(employee, &policy, date(2026, 1, 1), None),
    ] {
        let mut tx = store.begin(mine).await.unwrap();
        let refused = tx.leave_policies().assign(&foreign).await;
        // SQLite may look only at the end.
        let refused = if refused.is_ok() { tx.commit().await } else { refused };
        assert!(refused.unwrap_err().constraint().is_some());
    }
    let mut tx = store.begin(mine).await.unwrap();
    let refused = tx.leave_policies().add_version(&version(&policy, date(2026, 1, 1), 0)).await;
    let refused = if refused.is_ok() { tx.commit().await } else { refused };
    assert!(refused.unwrap_err().constraint().is_some());
}
