//! Finding the leave of several people, and what belongs to it.

use jiff::civil::{Date, date};

use crate::contract::fixture::{Subject, at, id, tenant};
use crate::contract::leave::{account, leave_lot, leave_posting, leave_request, recount};
use crate::contract::leave_claim::leave_claim;
use crate::error::StoreError;
use crate::id::{EmployeeId, LeaveAttachmentId, LeaveClosingId, LeaveRequestId};
use crate::leave::{
    AttachmentType, DayPart, LeaveAttachment, LeaveClosing, LeaveRequest, LeaveRequestView, LeaveType,
    PostingKind, RequestStatus, Whose,
};

fn ids(found: &[LeaveRequestView]) -> Vec<LeaveRequestId> {
    found.iter().map(|view| view.request.id).collect()
}

/// Leave is found by its first and last day, both included, while it is pending or approved; another organisation's never is.
pub async fn leave_is_found_by_days_and_status(store: &impl Subject) {
    let (here, there) = (tenant(store).await, tenant(store).await);
    let mut tx = store.begin(here).await.unwrap();
    let (employee, annual) = account(&mut *tx).await;
    let made = |first: Date, last: Date| {
        let (request, days) = leave_request(employee, &annual, first, DayPart::Full);
        (LeaveRequest { ends_on: last, ..request }, days)
    };
    let (third, fifth) = (date(2026, 3, 3), date(2026, 3, 5));
    let [pending, approved, rejected] = [made(third, fifth), made(third, fifth), made(third, fifth)];
    for (month, (request, days), status) in [
        (3, &pending, RequestStatus::Pending),
        (4, &approved, RequestStatus::Approved),
        (5, &rejected, RequestStatus::Rejected),
    ] {
        let (starts_on, ends_on) = (date(2026, month, 3), date(2026, month, 5));
        let asked = LeaveRequest { starts_on, ends_on, ..request.clone() };
        tx.leave_requests().insert(&asked, days).await.unwrap();
        if status != RequestStatus::Pending {
            let decided = LeaveRequest { status, version: asked.version.next(), ..asked.clone() };
            tx.leave_requests().decide(&decided, asked.version).await.unwrap();
        }
    }
    tx.commit().await.unwrap();
    let [pending, approved, rejected] = [pending, approved, rejected].map(|(request, _)| request.id);

    let mut tx = store.begin(here).await.unwrap();
    let whose = Whose::Employees(vec![employee]);
    for (month, live) in [(3, vec![pending]), (4, vec![approved]), (5, vec![])] {
        for (from, last, is_there) in [(1, 2, false), (1, 3, true), (4, 4, true), (5, 9, true), (6, 9, false)]
        {
            let (from, last) = (date(2026, month, from), date(2026, month, last));
            let expected = if is_there { live.clone() } else { vec![] };
            let found = tx.leave_requests().live_between(&[employee], from, last).await.unwrap();
            assert_eq!(ids(&found), expected, "{from} {last}");
            let people = tx.leave_requests().on_leave(&whose, from, last, None, 10).await.unwrap();
            assert_eq!(people.len(), expected.len(), "{from} {last}");
        }
    }
    let year = (date(2026, 1, 1), date(2026, 12, 31));
    let after = tx.leave_requests().on_leave(&whose, year.0, year.1, Some(employee), 10).await.unwrap();
    assert_eq!(after, Vec::<EmployeeId>::new(), "after the last one there is nobody");
    assert_eq!(ids(&tx.leave_requests().pending_of(&[employee]).await.unwrap()), [pending]);
    let of_type = tx.leave_requests().pending(employee, Some(annual.id)).await.unwrap();
    assert_eq!(ids(&of_type), [pending]);
    drop(tx);

    let mut tx = store.begin(there).await.unwrap();
    assert!(tx.leave_requests().live_between(&[employee], year.0, year.1).await.unwrap().is_empty());
    assert!(tx.leave_requests().pending_of(&[employee]).await.unwrap().is_empty());
    assert!(tx.leave_requests().on_leave(&whose, year.0, year.1, None, 10).await.unwrap().is_empty());
    assert!(tx.leave_requests().get(rejected).await.unwrap().is_none());
}

/// Files and counts of requests, lots, postings, claims and closings of one organisation are nothing to another, and what was edited
/// counts as it was edited.
pub async fn what_belongs_to_leave_never_crosses_tenants(store: &impl Subject) {
    let (here, there) = (tenant(store).await, tenant(store).await);
    let mut tx = store.begin(here).await.unwrap();
    let (employee, annual) = account(&mut *tx).await;
    let (request, days) = leave_request(employee, &annual, date(2026, 3, 3), DayPart::Full);
    tx.leave_requests().insert(&request, &days).await.unwrap();
    let file = LeaveAttachment {
        id: LeaveAttachmentId::from_uuid(id()),
        leave_request_id: request.id,
        name: "Note 🩺.pdf".into(),
        media_type: AttachmentType::Pdf,
        bytes: 5,
        sha256: "00".repeat(32),
        added_by: None,
        created_at: at(1),
    };
    tx.leave_requests().attach(&file, b"%PDF-".to_vec()).await.unwrap();
    let counted = LeaveRequest { minutes: 0, version: request.version.next(), ..request.clone() };
    let trail = recount(&request, &counted, &days);
    tx.leave_requests().recount(&counted, &days, request.version, &trail).await.unwrap();
    let lot = leave_lot(employee, &annual);
    tx.leave_ledger().insert_lots(std::slice::from_ref(&lot)).await.unwrap();
    let claim = leave_claim(employee, &annual, None);
    tx.leave_claims().insert(&claim).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin(there).await.unwrap();
    assert_eq!(tx.leave_requests().attachments(request.id).await.unwrap(), []);
    assert_eq!(tx.leave_requests().attachment(file.id).await.unwrap(), None);
    assert_eq!(tx.leave_requests().recounts(request.id).await.unwrap(), []);
    assert_eq!(tx.leave_ledger().lots_of(&[employee]).await.unwrap(), []);
    let year = date(2026, 1, 1);
    assert_eq!(tx.leave_claims().encashments(employee, annual.id, year).await.unwrap(), []);
    tx.leave_requests().detach(file.id).await.unwrap();
    let closing = LeaveClosing {
        id: LeaveClosingId::from_uuid(id()),
        leave_type_id: None,
        through: date(2026, 6, 30),
        note: None,
        closed_at: at(2),
        closed_by: None,
        reopened_at: None,
        reopened_by: None,
        reopen_note: None,
    };
    tx.leave_closings().insert(&closing).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin(here).await.unwrap();
    assert_eq!(tx.leave_requests().attachment(file.id).await.unwrap(), Some((file, b"%PDF-".to_vec())));
    let posting = leave_posting(&lot, PostingKind::Grant, 900, None);
    tx.leave_ledger().append(std::slice::from_ref(&posting)).await.unwrap();
    let postings = tx.leave_ledger().postings_of(&[employee]).await.unwrap();
    assert_eq!(postings, [posting], "nothing is closed here");
    let edited =
        LeaveRequest { minutes: 225, days: "0.5".into(), version: counted.version.next(), ..counted.clone() };
    tx.leave_requests().change(&edited, &days, counted.version).await.unwrap();
    let view = tx.leave_requests().get(request.id).await.unwrap().unwrap();
    assert_eq!(view.request, edited, "not what was counted before");
    assert_eq!(
        tx.leave_claims().encashments(employee, annual.id, claim.submitted_on).await.unwrap(),
        [claim]
    );
    tx.commit().await.unwrap();

    let mut tx = store.begin(there).await.unwrap();
    assert_eq!(tx.leave_ledger().postings_of(&[employee]).await.unwrap(), []);
    drop(tx);
    let mut tx = store.begin(here).await.unwrap();
    let renamed = LeaveType { name: "Holidays".into(), version: annual.version.next(), ..annual.clone() };
    let stale = tx.leave_types().update(&renamed, renamed.version).await;
    assert!(matches!(stale, Err(StoreError::Stale)), "{stale:?}");
}
