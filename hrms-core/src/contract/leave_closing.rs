//! Closed periods of leave, and accounts that begin with an opening balance.

use std::collections::HashMap;

use jiff::civil::date;

use crate::contract::fixture::{Subject, at, id, tenant};
use crate::contract::leave::{account, leave_lot, leave_posting, leave_type};
use crate::error::StoreError;
use crate::id::{EmployeeId, LeaveClosingId};
use crate::leave::{
    BalanceMinutes, ClosedBalance, LeaveClosing, LeavePosting, LeaveType, OpenedAccount, PostingKind,
};

/// Closings come back as written; postings say what was closed when they were made; other organisations see nothing of it.
pub async fn closed_leave_periods_are_kept(store: &impl Subject) {
    let (here, there) = (tenant(store).await, tenant(store).await);
    let mut tx = store.begin(here).await.unwrap();
    let (employee_id, annual) = account(&mut *tx).await;
    let sick = leave_type("sick");
    tx.leave_types().insert(&sick).await.unwrap();
    let lot = leave_lot(employee_id, &annual);
    tx.leave_ledger().insert_lots(std::slice::from_ref(&lot)).await.unwrap();
    let closing = |leave_type_id, through, seconds| LeaveClosing {
        id: LeaveClosingId::from_uuid(id()),
        leave_type_id,
        through,
        note: Some("Year".into()),
        closed_at: at(seconds),
        closed_by: None,
        reopened_at: None,
        reopened_by: None,
        reopen_note: None,
    };
    let post = |minutes| leave_posting(&lot, PostingKind::Adjustment, minutes, None);
    let first = post(1);
    tx.leave_ledger().append(std::slice::from_ref(&first)).await.unwrap();
    let mut posted = vec![(first, None)];
    // Another kind of leave, this one, all.
    let (march, april, may) = (date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31));
    let all = [closing(Some(sick.id), may, 1), closing(Some(annual.id), march, 2), closing(None, april, 3)];
    tx.leave_closings().lock().await.unwrap();
    for (one, expected) in all.iter().zip([None, Some(march), Some(april)]) {
        tx.leave_closings().insert(one).await.unwrap();
        let new = post(2);
        tx.leave_ledger().append(std::slice::from_ref(&new)).await.unwrap();
        posted.push((new, expected));
    }
    let opened =
        LeaveClosing { reopened_at: Some(at(4)), reopen_note: Some("A mistake".into()), ..all[2].clone() };
    tx.leave_closings().reopen(&opened).await.unwrap();
    assert!(matches!(tx.leave_closings().reopen(&opened).await, Err(StoreError::Stale)));
    let new = LeavePosting { closed_through: Some(may), ..post(3) };
    tx.leave_ledger().append(std::slice::from_ref(&new)).await.unwrap();
    posted.push((new, Some(march)));
    let balance = ClosedBalance {
        employee_id,
        leave_type_id: annual.id,
        minutes: BalanceMinutes { granted: 15, taken: 1, pending: 0, expired: 2, encashed: 3, available: 9 },
    };
    tx.leave_closings().insert_balances(all[0].id, &[balance]).await.unwrap();
    tx.leave_closings().insert_balances(all[0].id, &[]).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.read(here).await.unwrap();
    assert_eq!(tx.leave_closings().all().await.unwrap(), [all[0].clone(), all[1].clone(), opened]);
    assert_eq!(tx.leave_closings().balances(all[0].id).await.unwrap(), [balance]);
    assert_eq!(tx.leave_closings().balances(all[1].id).await.unwrap(), []);
    let postings = tx.leave_ledger().postings(employee_id, None).await.unwrap();
    let said: Vec<_> = postings.iter().map(|one| one.closed_through).collect();
    assert_eq!(said, posted.iter().map(|(_, expected)| *expected).collect::<Vec<_>>());
    drop(tx);
    let mut tx = store.begin(there).await.unwrap();
    assert_eq!(tx.leave_closings().all().await.unwrap(), []);
    assert_eq!(tx.leave_closings().balances(all[0].id).await.unwrap(), []);
    assert!(matches!(tx.leave_closings().reopen(&all[0]).await, Err(StoreError::Stale)));
    assert!(tx.leave_closings().insert_balances(all[0].id, &[balance]).await.is_err());
}

/// Accounts keep the day of their opening balance; other organisations see nothing of it.
pub async fn leave_accounts_are_opened(store: &impl Subject) {
    let (here, there) = (tenant(store).await, tenant(store).await);
    let mut tx = store.begin(here).await.unwrap();
    let (employee_id, annual) = account(&mut *tx).await;
    let sick = leave_type("sick");
    tx.leave_types().insert(&sick).await.unwrap();
    tx.leave_ledger().lock_accounts(&[(employee_id, sick.id)]).await.unwrap();
    assert_eq!(tx.leave_ledger().opened(&[employee_id]).await.unwrap(), []);
    let open = |of: &LeaveType, opens_on| OpenedAccount { employee_id, leave_type_id: of.id, opens_on };
    let (first, second) = (open(&annual, date(2026, 4, 1)), open(&sick, date(2026, 4, 1)));
    tx.leave_ledger().open_accounts(&[first, second]).await.unwrap();
    let corrected = open(&sick, date(2026, 5, 1));
    tx.leave_ledger().open_accounts(&[corrected]).await.unwrap();
    tx.leave_ledger().open_accounts(&[]).await.unwrap();
    // Locking again changes nothing of it.
    tx.leave_ledger().lock_account(employee_id, annual.id).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin(here).await.unwrap();
    let opened = tx.leave_ledger().opened(&[employee_id, EmployeeId::from_uuid(id())]).await.unwrap();
    let mut expected = [first, corrected];
    expected.sort_by_key(|one| one.leave_type_id);
    assert_eq!(opened, expected);
    assert_eq!(tx.leave_ledger().opened(&[]).await.unwrap(), []);
    // The first was locked once when it was made, and again.
    let locked = tx.leave_ledger().locked(&[employee_id]).await.unwrap();
    assert_eq!(locked, HashMap::from([((employee_id, annual.id), 2), ((employee_id, sick.id), 1)]));
    drop(tx);
    let mut tx = store.begin(there).await.unwrap();
    assert_eq!(tx.leave_ledger().opened(&[employee_id]).await.unwrap(), []);
    assert!(tx.leave_ledger().locked(&[employee_id]).await.unwrap().is_empty());
    assert!(tx.leave_ledger().open_accounts(&[first]).await.is_err());
}
