//! Claims, and what payroll has to know of leave.

use jiff::civil::{Date, date};

use crate::contract::fixture::{Subject, at, id, tenant};
use crate::contract::leave::leave_type;
use crate::contract::people::hired;
use crate::employment::Facts;
use crate::id::{EmployeeId, LeaveClaimId, LeaveLotId, LeavePostingId, TenantId, UserId};
use crate::leave::{
    ClaimKind, LeaveClaim, LeaveClaimFilter, LeaveLot, LeavePosting, LeaveType, LotSource, PayrollFactFilter,
    PayrollFactKind, PostingKind, RequestStatus,
};
use crate::page::{Page, PageRequest, Position};
use crate::policy::Visibility;
use crate::store::Version;

/// A pending claim that isn't stored yet: for work on a day, or without one for encashment.
#[must_use]
pub fn leave_claim(employee_id: EmployeeId, of: &LeaveType, worked_on: Option<Date>) -> LeaveClaim {
    LeaveClaim {
        id: LeaveClaimId::from_uuid(id()),
        kind: if worked_on.is_some() { ClaimKind::Compensatory } else { ClaimKind::Encashment },
        employee_id,
        leave_type_id: of.id,
        worked_on,
        asked_minutes: 900,
        minutes: 450,
        days: "1".into(),
        status: RequestStatus::Pending,
        note: Some("Stocktaking 📦".into()),
        submitted_by: Some(UserId::from_uuid(id())),
        submitted_on: date(2026, 11, 23),
        decided_by: None,
        decided_at: None,
        decision_note: None,
        lot_id: None,
        posting_ids: Vec::new(),
        created_at: at(0),
        updated_at: at(0),
        version: Version::FIRST,
    }
}

async fn setting(store: &impl Subject) -> (TenantId, EmployeeId, LeaveType, LeaveType) {
    let tenant = tenant(store).await;
    let mut tx = store.begin(tenant).await.unwrap();
    let employee = hired(&mut *tx, "1", Facts::default()).await.id;
    let (unpaid, paid) = (leave_type("unpaid"), LeaveType { paid: true, ..leave_type("paid") });
    for one in [&unpaid, &paid] {
        tx.leave_types().insert(one).await.unwrap();
    }
    tx.commit().await.unwrap();
    (tenant, employee, unpaid, paid)
}

fn everything(today: Date) -> LeaveClaimFilter {
    LeaveClaimFilter {
        visible: Visibility::ALL,
        today,
        kind: None,
        employee_id: None,
        status: None,
        leave_type_id: None,
        updated_after: None,
    }
}

/// Claims come back as they went in; lists filter and page; one claim for a day; stale versions change nothing.
pub async fn leave_claims_are_read_back_as_written(store: &impl Subject) {
    let (tenant, employee, one, other) = setting(store).await;
    let sunday = date(2026, 11, 22);
    let mut tx = store.begin(tenant).await.unwrap();
    let claims = [
        leave_claim(employee, &one, Some(sunday)),
        LeaveClaim { created_at: at(1), ..leave_claim(employee, &one, None) },
        LeaveClaim { created_at: at(2), updated_at: at(9), ..leave_claim(employee, &other, None) },
    ];
    for claim in &claims {
        tx.leave_claims().insert(claim).await.unwrap();
    }
    tx.commit().await.unwrap();
    let [worked, encashed, last] = &claims;
    let mut tx = store.begin(tenant).await.unwrap();
    let twice = tx.leave_claims().insert(&leave_claim(employee, &other, Some(sunday))).await.unwrap_err();
    assert_eq!(twice.constraint(), Some("leave_claim_worked_on_key"));
    drop(tx);

    let mut tx = store.begin(tenant).await.unwrap();
    let lot = LeaveLot {
        id: LeaveLotId::from_uuid(id()),
        employee_id: employee,
        leave_type_id: one.id,
        source: LotSource::Compensatory,
        minutes: 450,
        valid_from: sunday,
        valid_to: None,
        granted_on: sunday,
        note: None,
        plan_key: None,
        created_at: at(0),
    };
    tx.leave_ledger().lock_account(employee, one.id).await.unwrap();
    tx.leave_ledger().insert_lots(std::slice::from_ref(&lot)).await.unwrap();
    let decided = LeaveClaim {
        status: RequestStatus::Rejected,
        decided_by: Some(UserId::from_uuid(id())),
        decided_at: Some(at(5)),
        decision_note: Some("नहीं".into()),
        lot_id: Some(lot.id),
        posting_ids: vec![LeavePostingId::from_uuid(id()), LeavePostingId::from_uuid(id())],
        updated_at: at(5),
        version: worked.version.next(),
        ..worked.clone()
    };
    tx.leave_claims().decide(&decided, worked.version).await.unwrap();
    assert!(tx.leave_claims().decide(&decided, worked.version).await.is_err(), "it is stale");
    assert_eq!(tx.leave_claims().get(worked.id).await.unwrap().as_ref(), Some(&decided));
    // What was rejected can be claimed again.
    let again = LeaveClaim { created_at: at(3), ..leave_claim(employee, &one, Some(sunday)) };
    tx.leave_claims().insert(&again).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin(tenant).await.unwrap();
    let mut page = PageRequest { limit: 3, ..PageRequest::default() };
    let mut seen = Vec::new();
    loop {
        let rows = tx.leave_claims().list(&everything(sunday), &page).await.unwrap();
        let found = Page::from_rows(rows, 3, |row| Position {
            key: row.created_at.to_string(),
            id: row.id.as_uuid(),
        });
        seen.extend(found.items.iter().map(|one| one.id));
        page.after = found.next;
        if page.after.is_none() {
            break;
        }
    }
    assert_eq!(seen, [worked.id, encashed.id, last.id, again.id]);
    for (filter, found) in [
        (LeaveClaimFilter { kind: Some(ClaimKind::Encashment), ..everything(sunday) }, 2),
        (LeaveClaimFilter { status: Some(RequestStatus::Rejected), ..everything(sunday) }, 1),
        (LeaveClaimFilter { leave_type_id: Some(other.id), ..everything(sunday) }, 1),
        (LeaveClaimFilter { employee_id: Some(employee), ..everything(sunday) }, 4),
        (LeaveClaimFilter { updated_after: Some(at(5)), ..everything(sunday) }, 2),
        (LeaveClaimFilter { visible: Visibility::default(), ..everything(sunday) }, 0),
    ] {
        let rows = tx.leave_claims().list(&filter, &PageRequest::default()).await.unwrap();
        assert_eq!(rows.len(), found, "{filter:?}");
    }
    let since = date(2026, 11, 23);
    let all = tx.leave_claims().encashments(employee, one.id, since).await.unwrap();
    assert_eq!(all, std::slice::from_ref(encashed));
    let later = tx.leave_claims().encashments(employee, one.id, since.tomorrow().unwrap()).await.unwrap();
    assert_eq!(later, []);
}

/// Payroll sees unpaid leave and encashment, and with an instant what undoes them; another organisation nothing.
pub async fn payroll_facts_are_those_of_the_ledger(store: &impl Subject) {
    let (tenant, employee, unpaid, paid) = setting(store).await;
    let day = date(2026, 12, 1);
    let posting = |of: &LeaveType, kind, minutes, at_second, reverses_id| LeavePosting {
        id: LeavePostingId::from_uuid(id()),
        employee_id: employee,
        leave_type_id: of.id,
        lot_id: None,
        request_id: None,
        kind,
        minutes,
        effective_on: day,
        booked_on: day,
        posted_at: at(at_second),
        posted_by: None,
        reverses_id,
        plan_key: None,
        closed_through: None,
    };
    let stands = posting(&unpaid, PostingKind::Consumption, -450, 1, None);
    let gone = posting(&unpaid, PostingKind::Consumption, -225, 1, None);
    let back = posting(&unpaid, PostingKind::Reversal, 225, 5, Some(gone.id));
    let sold = posting(&paid, PostingKind::Encashment, -900, 2, None);
    let sold_back = posting(&paid, PostingKind::Encashment, -60, 2, None);
    let unsold = posting(&paid, PostingKind::Reversal, 60, 6, Some(sold_back.id));
    let taken = posting(&paid, PostingKind::Consumption, -450, 1, None);
    let mut tx = store.begin(tenant).await.unwrap();
    for of in [&unpaid, &paid] {
        tx.leave_ledger().lock_account(employee, of.id).await.unwrap();
    }
    let all = [&stands, &gone, &back, &sold, &sold_back, &unsold, &taken].map(Clone::clone);
    tx.leave_ledger().append(&all).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin(tenant).await.unwrap();
    let page = PageRequest::default();
    let filter = PayrollFactFilter::default();
    let facts = tx.payroll_facts().list(&filter, &page).await.unwrap();
    let shown: Vec<_> = facts.iter().map(|fact| (fact.id, fact.kind, fact.minutes)).collect();
    let (unpaid_kind, encashed) = (PayrollFactKind::Unpaid, PayrollFactKind::Encashed);
    assert_eq!(shown, [(stands.id, unpaid_kind, 450), (sold.id, encashed, 900)]);
    let since = PayrollFactFilter { recorded_after: Some(at(1)), ..filter.clone() };
    let facts = tx.payroll_facts().list(&since, &page).await.unwrap();
    let mut shown: Vec<_> = facts.iter().map(|fact| (fact.kind, fact.minutes, fact.undoes_id)).collect();
    shown.sort_by_key(|(_, minutes, _)| *minutes);
    assert_eq!(
        shown,
        [
            (unpaid_kind, -225, Some(gone.id)),
            (encashed, -60, Some(sold_back.id)),
            (encashed, 60, None),
            (encashed, 900, None),
        ]
    );
    for (filter, count) in [
        (PayrollFactFilter { kind: Some(unpaid_kind), ..since.clone() }, 1),
        (PayrollFactFilter { kind: Some(encashed), ..filter.clone() }, 1),
        (PayrollFactFilter { kind: Some(unpaid_kind), ..filter.clone() }, 1),
        (PayrollFactFilter { from: Some(day), to: Some(day), ..filter.clone() }, 2),
        (PayrollFactFilter { from: day.tomorrow().ok(), ..filter.clone() }, 0),
        (PayrollFactFilter { to: day.yesterday().ok(), ..filter.clone() }, 0),
        (PayrollFactFilter { employee_id: Some(EmployeeId::from_uuid(id())), ..filter.clone() }, 0),
    ] {
        assert_eq!(tx.payroll_facts().list(&filter, &page).await.unwrap().len(), count, "{filter:?}");
    }
    let first = PageRequest { limit: 1, ..page.clone() };
    let rows = tx.payroll_facts().list(&filter, &first).await.unwrap();
    let found = Page::from_rows(rows, 1, |row| Position { key: row.date.to_string(), id: row.id.as_uuid() });
    let rest = PageRequest { after: found.next, ..first };
    let rows = tx.payroll_facts().list(&filter, &rest).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [sold.id]);
}

/// Another organisation sees nothing of it, and can't claim for whom it doesn't have.
pub async fn leave_claims_never_cross_tenants(store: &impl Subject) {
    let (theirs, employee, of, _) = setting(store).await;
    let (mine, ..) = setting(store).await;
    let claim = leave_claim(employee, &of, Some(date(2026, 11, 22)));
    let posting = LeavePosting {
        id: LeavePostingId::from_uuid(id()),
        employee_id: employee,
        leave_type_id: of.id,
        lot_id: None,
        request_id: None,
        kind: PostingKind::Consumption,
        minutes: -450,
        effective_on: date(2026, 12, 1),
        booked_on: date(2026, 12, 1),
        posted_at: at(0),
        posted_by: None,
        reverses_id: None,
        plan_key: None,
        closed_through: None,
    };
    let mut tx = store.begin(theirs).await.unwrap();
    tx.leave_claims().insert(&claim).await.unwrap();
    tx.leave_ledger().lock_account(employee, of.id).await.unwrap();
    tx.leave_ledger().append(&[posting]).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin(mine).await.unwrap();
    assert_eq!(tx.leave_claims().get(claim.id).await.unwrap(), None);
    let page = PageRequest::default();
    assert_eq!(tx.leave_claims().list(&everything(date(2026, 11, 23)), &page).await.unwrap(), []);
    let encashments = tx.leave_claims().encashments(employee, of.id, date(2026, 1, 1)).await.unwrap();
    assert_eq!(encashments, []);
    assert_eq!(tx.payroll_facts().list(&PayrollFactFilter::default(), &page).await.unwrap(), []);
    let changed = LeaveClaim { version: claim.version.next(), ..claim.clone() };
    assert!(tx.leave_claims().decide(&changed, claim.version).await.is_err());
    drop(tx);
    let mut tx = store.begin(mine).await.unwrap();
    let own = LeaveClaim { id: LeaveClaimId::from_uuid(id()), ..claim.clone() };
    let refused = match tx.leave_claims().insert(&own).await {
        // One engine refuses at once, the other when it commits.
        Ok(()) => tx.commit().await.is_err(),
        Err(_) => {
            drop(tx);
            true
        }
    };
    assert!(refused);
    let mut tx = store.begin(theirs).await.unwrap();
    assert_eq!(tx.leave_claims().get(claim.id).await.unwrap(), Some(claim));
}
