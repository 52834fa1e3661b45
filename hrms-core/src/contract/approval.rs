//! Chains, what waits for decisions, and who decides in whose place.

use jiff::civil::date;
use uuid::Uuid;

use crate::approval::{
    ApprovalCase, ApprovalCaseStatus, ApprovalChain, ApprovalChainFilter, ApprovalDelegation, ApprovalKind,
    ApprovalTask, ApprovalTaskStatus, Approver, Assignee, Condition, Level, TasksOf, TrailAct, TrailEntry,
};
use crate::contract::fixture::{Subject, at, id, tenant};
use crate::contract::people::hired;
use crate::employment::Facts;
use crate::error::StoreError;
use crate::id::{
    ApprovalCaseId, ApprovalChainId, ApprovalDelegationId, ApprovalTaskId, EmployeeId, TrailEntryId, UserId,
};
use crate::page::{PageRequest, Position};
use crate::policy::Role;
use crate::store::Version;

/// A chain that isn't stored yet.
#[must_use]
pub fn approval_chain(code: &str, position: i32) -> ApprovalChain {
    let long = Condition { attribute: "days".into(), at_least: Some(3), at_most: None, one_of: None };
    let head = Level { conditions: vec![long.clone()], name: Some("Head 👤".into()), ..Level::manager() };
    ApprovalChain {
        id: ApprovalChainId::from_uuid(id()),
        kind: ApprovalKind::LeaveRequest,
        code: code.into(),
        name: format!("Chain {code}"),
        position,
        conditions: vec![long],
        levels: vec![Level::manager(), Level { approvers: vec![Approver::DepartmentHead {}], ..head }],
        active: true,
        created_at: at(0),
        updated_at: at(0),
        version: Version::FIRST,
    }
}

/// A case that isn't stored yet.
#[must_use]
pub fn approval_case(employee_id: EmployeeId) -> ApprovalCase {
    ApprovalCase {
        id: ApprovalCaseId::from_uuid(id()),
        kind: ApprovalKind::LeaveRequest,
        subject_id: id(),
        employee_id,
        chain_id: None,
        levels: vec![Level::manager()],
        level: 0,
        status: ApprovalCaseStatus::Open,
        created_at: at(0),
        updated_at: at(0),
        version: Version::FIRST,
    }
}

/// An open task that isn't stored yet.
#[must_use]
pub fn approval_task(case: &ApprovalCase, assignee: Assignee, second: i64) -> ApprovalTask {
    ApprovalTask {
        id: ApprovalTaskId::from_uuid(id()),
        case_id: case.id,
        level: 0,
        approver: 0,
        assignee,
        forwarded: false,
        status: ApprovalTaskStatus::Open,
        decided_by: None,
        on_behalf_of: None,
        ended_at: None,
        created_at: at(second),
    }
}

fn entry(case: &ApprovalCase, act: TrailAct, second: i64) -> TrailEntry {
    TrailEntry {
        id: TrailEntryId::from_uuid(id()),
        case_id: case.id,
        at: at(second),
        act,
        level: 0,
        user_id: Some(UserId::from_uuid(id())),
        on_behalf_of: None,
        in_place: true,
        assignee: Some(Assignee::Role { role: Role::Hr.into() }),
        note: Some("Fine 👍".into()),
    }
}

/// Chains come back as they went in, the active ones in the order in which they are tried; stale versions change nothing.
pub async fn approval_chains_are_read_back_as_written(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut tx = store.begin(tenant).await.unwrap();
    let (late, early) = (approval_chain("a", 5), approval_chain("b", -5));
    let idle = ApprovalChain { active: false, ..approval_chain("c", 0) };
    for chain in [&late, &early, &idle] {
        tx.approval_chains().insert(chain).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut tx = store.begin(tenant).await.unwrap();
    assert_eq!(tx.approval_chains().get(late.id).await.unwrap().as_ref(), Some(&late));
    let tried = tx.approval_chains().active(ApprovalKind::LeaveRequest).await.unwrap();
    assert_eq!(tried, [early.clone(), late.clone()]);
    assert!(tx.approval_chains().active(ApprovalKind::LeaveEncashment).await.unwrap().is_empty());
    let filter = ApprovalChainFilter { active: Some(false), ..ApprovalChainFilter::default() };
    let page = PageRequest::default();
    assert_eq!(tx.approval_chains().list(&filter, &page).await.unwrap(), [idle]);
    let changed = ApprovalChain { position: 9, version: late.version.next(), ..late.clone() };
    tx.approval_chains().update(&changed, late.version).await.unwrap();
    assert_eq!(tx.approval_chains().get(late.id).await.unwrap(), Some(changed.clone()));
    tx.commit().await.unwrap();

    let mut tx = store.begin(tenant).await.unwrap();
    let stale = tx.approval_chains().update(&changed, late.version).await;
    assert!(matches!(stale, Err(StoreError::Stale)), "{stale:?}");
    drop(tx);
    let mut tx = store.begin(tenant).await.unwrap();
    let taken = tx.approval_chains().insert(&approval_chain("a", 0)).await.unwrap_err();
    assert_eq!(taken.constraint(), Some("approval_chain_code_key"));
    drop(tx);
    let mut tx = store.begin(tenant).await.unwrap();
    let stale = tx.approval_chains().remove(early.id, early.version.next()).await;
    assert!(matches!(stale, Err(StoreError::Stale)), "{stale:?}");
    drop(tx);
    let mut tx = store.begin(tenant).await.unwrap();
    tx.approval_chains().remove(early.id, early.version).await.unwrap();
    assert_eq!(tx.approval_chains().get(early.id).await.unwrap(), None);
}

/// Cases with their tasks and trail come back as they went in; one for each thing; open tasks are found by whose they are.
pub async fn approval_cases_are_read_back_as_written(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut tx = store.begin(tenant).await.unwrap();
    let owner = hired(&mut *tx, "1", Facts::default()).await.id;
    let boss = hired(&mut *tx, "2", Facts::default()).await.id;
    let case = approval_case(owner);
    tx.approvals().insert(&case).await.unwrap();
    let user = UserId::from_uuid(id());
    let tasks = [
        approval_task(&case, Assignee::Employee { employee_id: boss }, 1),
        approval_task(&case, Assignee::User { user_id: user }, 2),
        approval_task(&case, Assignee::Role { role: Role::Hr.into() }, 3),
        approval_task(&case, Assignee::Organization, 4),
    ];
    tx.approvals().insert_tasks(&tasks).await.unwrap();
    tx.approvals().insert_tasks(&[]).await.unwrap();
    let trail = [entry(&case, TrailAct::Started, 1), entry(&case, TrailAct::Asked, 2)];
    tx.approvals().append(&trail).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin(tenant).await.unwrap();
    let kind = ApprovalKind::LeaveRequest;
    assert_eq!(tx.approvals().of(kind, case.subject_id).await.unwrap().as_ref(), Some(&case));
    assert_eq!(tx.approvals().of(kind, Uuid::nil()).await.unwrap(), None);
    assert_eq!(tx.approvals().of(ApprovalKind::LeaveEncashment, case.subject_id).await.unwrap(), None);
    assert_eq!(tx.approvals().tasks(case.id).await.unwrap(), tasks);
    assert_eq!(tx.approvals().trail(case.id).await.unwrap(), trail);
    assert_eq!(tx.approvals().open(None, 10).await.unwrap(), std::slice::from_ref(&case));
    assert!(tx.approvals().open(Some(case.id), 10).await.unwrap().is_empty());
    for employee in [owner, boss] {
        assert_eq!(tx.approvals().concerning(&[employee]).await.unwrap(), std::slice::from_ref(&case));
    }
    let all = TasksOf {
        employees: vec![boss],
        user: Some(user),
        roles: vec![Role::Hr.into()],
        organization: true,
        not_about: Vec::new(),
    };
    let none = TasksOf::default();
    for (of, expected) in [
        (all.clone(), vec![0, 1, 2, 3]),
        (TasksOf { employees: vec![boss], ..none.clone() }, vec![0]),
        (TasksOf { user: Some(user), ..none.clone() }, vec![1]),
        (TasksOf { roles: vec![Role::Hr.into(), Role::Owner.into()], ..none.clone() }, vec![2]),
        (TasksOf { organization: true, ..none.clone() }, vec![3]),
        (TasksOf { not_about: vec![owner], ..all.clone() }, vec![]),
        (none, vec![]),
    ] {
        let mut page = PageRequest { limit: 3, ..PageRequest::default() };
        let mut seen = Vec::new();
        loop {
            let mut rows = tx.approvals().waiting(&of, &page).await.unwrap();
            let more = rows.len() > 3;
            rows.truncate(3);
            page.after =
                rows.last().map(|last| Position { key: last.created_at.to_string(), id: last.id.as_uuid() });
            seen.extend(rows.into_iter().map(|row| (row.id, row.subject_id, row.employee_id, row.assignee)));
            if !more {
                break;
            }
        }
        let expected: Vec<_> = expected
            .into_iter()
            .filter_map(|at: usize| tasks.get(at))
            .map(|task| (task.id, case.subject_id, owner, task.assignee.clone()))
            .collect();
        assert_eq!(seen, expected, "{of:?}");
    }
    let [first, ..] = tasks;
    let ended = ApprovalTask {
        status: ApprovalTaskStatus::Approved,
        decided_by: Some(user),
        on_behalf_of: Some(boss),
        ended_at: Some(at(9)),
        ..first
    };
    tx.approvals().end_task(&ended).await.unwrap();
    assert_eq!(tx.approvals().tasks(case.id).await.unwrap().first(), Some(&ended));
    let after = ApprovalCase {
        level: 1,
        status: ApprovalCaseStatus::Approved,
        version: case.version.next(),
        ..case.clone()
    };
    tx.approvals().update(&after, case.version).await.unwrap();
    assert_eq!(tx.approvals().of(kind, case.subject_id).await.unwrap(), Some(after.clone()));
    assert!(tx.approvals().concerning(&[owner, boss]).await.unwrap().is_empty(), "it is over");
    assert!(tx.approvals().open(None, 10).await.unwrap().is_empty());
    tx.commit().await.unwrap();

    let mut tx = store.begin(tenant).await.unwrap();
    assert!(matches!(tx.approvals().end_task(&ended).await, Err(StoreError::Stale)), "it ended before");
    drop(tx);
    let mut tx = store.begin(tenant).await.unwrap();
    assert!(matches!(tx.approvals().update(&after, case.version).await, Err(StoreError::Stale)));
    drop(tx);
    let mut tx = store.begin(tenant).await.unwrap();
    let second = ApprovalCase { id: ApprovalCaseId::from_uuid(id()), ..case };
    let twice = tx.approvals().insert(&second).await.unwrap_err();
    assert_eq!(twice.constraint(), Some("approval_case_subject_key"));
}

/// Delegations come back as they went in, and are in force from their first day until the one after their last.
pub async fn p15_approval_delegations_have_dates(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut tx = store.begin(tenant).await.unwrap();
    let [boss, other, deputy] = ["1", "2", "3"];
    let boss = hired(&mut *tx, boss, Facts::default()).await.id;
    let other = hired(&mut *tx, other, Facts::default()).await.id;
    let deputy = hired(&mut *tx, deputy, Facts::default()).await.id;
    let given = |delegator_id, second| ApprovalDelegation {
        id: ApprovalDelegationId::from_uuid(id()),
        delegator_id,
        delegate_id: deputy,
        from: date(2026, 3, 1),
        to: date(2026, 3, 8),
        note: Some("Away 🏝".into()),
        revoked_at: None,
        created_at: at(second),
    };
    let (first, second) = (given(boss, 1), given(other, 2));
    for one in [&first, &second] {
        tx.approval_delegations().insert(one).await.unwrap();
    }
    assert_eq!(tx.approval_delegations().get(first.id).await.unwrap().as_ref(), Some(&first));
    let mut of_both = [boss, other];
    of_both.sort_unstable();
    for (day, expected) in [(1, of_both.as_slice()), (7, of_both.as_slice()), (8, &[])] {
        let on = date(2026, 3, day);
        assert_eq!(tx.approval_delegations().delegators(deputy, on).await.unwrap(), expected, "{on}");
        let delegates = tx.approval_delegations().delegates(&[boss, other], on).await.unwrap();
        assert_eq!(delegates.len(), usize::from(!expected.is_empty()), "{on}");
    }
    let on = date(2026, 3, 2);
    assert!(tx.approval_delegations().delegators(boss, on).await.unwrap().is_empty());
    assert_eq!(tx.approval_delegations().delegates(&[boss, other], on).await.unwrap(), [deputy]);
    assert!(tx.approval_delegations().delegates(&[deputy], on).await.unwrap().is_empty());
    let page = PageRequest { descending: true, ..PageRequest::default() };
    assert_eq!(tx.approval_delegations().list(None, &page).await.unwrap(), [second.clone(), first.clone()]);
    assert_eq!(
        tx.approval_delegations().list(Some(boss), &page).await.unwrap(),
        std::slice::from_ref(&first)
    );
    assert_eq!(tx.approval_delegations().list(Some(deputy), &page).await.unwrap().len(), 2);
    assert!(tx.approval_delegations().revoke(first.id, at(5)).await.unwrap());
    assert!(!tx.approval_delegations().revoke(first.id, at(6)).await.unwrap(), "it is over");
    assert_eq!(tx.approval_delegations().delegators(deputy, on).await.unwrap(), [other]);
    assert!(tx.approval_delegations().delegates(&[boss], on).await.unwrap().is_empty());
}

/// Another tenant's approvals aren't there: not to be read, changed, or decided.
pub async fn approvals_never_cross_tenants(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let mut tx = store.begin(mine).await.unwrap();
    let owner = hired(&mut *tx, "1", Facts::default()).await.id;
    let deputy = hired(&mut *tx, "2", Facts::default()).await.id;
    let (chain, case) = (approval_chain("a", 0), approval_case(owner));
    tx.approval_chains().insert(&chain).await.unwrap();
    tx.approvals().insert(&case).await.unwrap();
    let task = approval_task(&case, Assignee::Organization, 1);
    tx.approvals().insert_tasks(std::slice::from_ref(&task)).await.unwrap();
    tx.approvals().append(&[entry(&case, TrailAct::Started, 1)]).await.unwrap();
    let delegation = ApprovalDelegation {
        id: ApprovalDelegationId::from_uuid(id()),
        delegator_id: owner,
        delegate_id: deputy,
        from: date(2026, 3, 1),
        to: date(2026, 3, 8),
        note: None,
        revoked_at: None,
        created_at: at(0),
    };
    tx.approval_delegations().insert(&delegation).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin(theirs).await.unwrap();
    let kind = ApprovalKind::LeaveRequest;
    assert_eq!(tx.approval_chains().get(chain.id).await.unwrap(), None);
    assert!(tx.approval_chains().active(kind).await.unwrap().is_empty());
    assert_eq!(tx.approvals().of(kind, case.subject_id).await.unwrap(), None);
    assert!(tx.approvals().tasks(case.id).await.unwrap().is_empty());
    assert!(tx.approvals().trail(case.id).await.unwrap().is_empty());
    assert!(tx.approvals().concerning(&[owner]).await.unwrap().is_empty());
    assert!(tx.approvals().open(None, 10).await.unwrap().is_empty());
    let all = TasksOf { organization: true, ..TasksOf::default() };
    assert!(tx.approvals().waiting(&all, &PageRequest::default()).await.unwrap().is_empty());
    assert_eq!(tx.approval_delegations().get(delegation.id).await.unwrap(), None);
    assert!(tx.approval_delegations().list(None, &PageRequest::default()).await.unwrap().is_empty());
    let on = date(2026, 3, 2);
    assert!(tx.approval_delegations().delegators(deputy, on).await.unwrap().is_empty());
    assert!(tx.approval_delegations().delegates(&[owner], on).await.unwrap().is_empty());
    assert!(!tx.approval_delegations().revoke(delegation.id, at(5)).await.unwrap());
    let ended = ApprovalTask { status: ApprovalTaskStatus::Closed, ended_at: Some(at(9)), ..task };
    assert!(matches!(tx.approvals().end_task(&ended).await, Err(StoreError::Stale)));
    assert!(matches!(tx.approvals().update(&case, case.version).await, Err(StoreError::Stale)));
    assert!(matches!(tx.approval_chains().update(&chain, chain.version).await, Err(StoreError::Stale)));
    assert!(matches!(tx.approval_chains().remove(chain.id, chain.version).await, Err(StoreError::Stale)));
    drop(tx);
    for what in ["case", "task", "delegation"] {
        let mut tx = store.begin(theirs).await.unwrap();
        let refused = match what {
            "case" => tx.approvals().insert(&approval_case(owner)).await,
            "task" => tx.approvals().insert_tasks(&[approval_task(&case, Assignee::Organization, 1)]).await,
            _ => {
                let new =
                    ApprovalDelegation { id: ApprovalDelegationId::from_uuid(id()), ..delegation.clone() };
                tx.approval_delegations().insert(&new).await
            }
        };
        // One engine refuses at once, the other when it commits.
        assert!(refused.is_err() || tx.commit().await.is_err(), "{what}");
    }
}
