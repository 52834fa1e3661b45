//! Calendar feeds, and who is found to be on leave.

use jiff::civil::date;

use crate::calendar_feed::{CalendarFeed, CalendarFeedKind};
use crate::contract::fixture::{Subject, at, id, tenant};
use crate::contract::{hired, leave_request, leave_type, stored_user};
use crate::employee::EmployeeFilter;
use crate::employment::Facts;
use crate::id::{CalendarFeedId, DepartmentId, UserId};
use crate::leave::{DayPart, RequestStatus};
use crate::page::PageRequest;
use crate::policy::{Role, Visibility};
use crate::store::Tx;

fn feed(user_id: UserId, kind: CalendarFeedKind, seconds: i64) -> CalendarFeed {
    let department = DepartmentId::from_uuid(id());
    CalendarFeed {
        id: CalendarFeedId::from_uuid(id()),
        user_id,
        kind,
        department_id: (kind == CalendarFeedKind::Department).then_some(department),
        name: "Team 🌴".into(),
        created_at: at(seconds),
        renewed_at: None,
    }
}

/// Feeds come back as they went in, with the hash of their secret; another tenant sees and changes nothing of them.
pub async fn calendar_feeds_are_read_back_as_written(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let user = stored_user(store, mine, &[Role::Employee]).await.id;
    let other = stored_user(store, mine, &[Role::Employee]).await.id;
    let late = feed(user, CalendarFeedKind::Department, 2);
    let early = feed(user, CalendarFeedKind::Personal, 1);
    let not_theirs = feed(other, CalendarFeedKind::Reports, 0);
    let mut tx = store.begin(mine).await.unwrap();
    for (number, one) in [&late, &early, &not_theirs].into_iter().enumerate() {
        tx.calendar_feeds().insert(one, &[u8::try_from(number).unwrap(); 32]).await.unwrap();
    }
    tx.commit().await.unwrap();

    let mut tx = store.begin(mine).await.unwrap();
    assert_eq!(tx.calendar_feeds().get(late.id).await.unwrap().as_ref(), Some(&late));
    assert_eq!(tx.calendar_feeds().of_user(user).await.unwrap(), [early.clone(), late.clone()]);
    assert_eq!(tx.calendar_feeds().with_hash(late.id).await.unwrap(), Some((late.clone(), [0; 32])));
    let renewed = CalendarFeed { renewed_at: Some(at(9)), ..late.clone() };
    tx.calendar_feeds().renew(&renewed, &[9; 32]).await.unwrap();
    assert_eq!(tx.calendar_feeds().with_hash(late.id).await.unwrap(), Some((renewed.clone(), [9; 32])));
    assert_eq!(tx.calendar_feeds().with_hash(early.id).await.unwrap(), Some((early.clone(), [1; 32])));
    tx.commit().await.unwrap();

    let mut tx = store.begin(theirs).await.unwrap();
    assert_eq!(tx.calendar_feeds().get(late.id).await.unwrap(), None);
    assert_eq!(tx.calendar_feeds().with_hash(late.id).await.unwrap(), None);
    assert!(tx.calendar_feeds().of_user(user).await.unwrap().is_empty());
    tx.calendar_feeds().remove(late.id).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin(theirs).await.unwrap();
    assert!(tx.calendar_feeds().renew(&renewed, &[8; 32]).await.is_err());
    drop(tx);
    {
        let mut tx = store.begin(theirs).await.unwrap();
        let stray = tx.calendar_feeds().insert(&feed(user, CalendarFeedKind::Personal, 3), &[1; 32]).await;
        // SQLite may look only at the end.
        let stray = if stray.is_ok() { tx.commit().await } else { stray };
        assert!(stray.is_err(), "a feed belongs to a member of its own organisation");
    }

    let mut tx = store.begin(mine).await.unwrap();
    assert_eq!(tx.calendar_feeds().with_hash(late.id).await.unwrap(), Some((renewed, [9; 32])));
    tx.calendar_feeds().remove(late.id).await.unwrap();
    assert_eq!(tx.calendar_feeds().get(late.id).await.unwrap(), None);
    assert_eq!(tx.calendar_feeds().of_user(user).await.unwrap(), [early]);
}

async fn on_leave(tx: &mut dyn Tx, first: i8, last: i8) -> Vec<String> {
    let days = (date(2026, 6, first), date(2026, 6, last));
    let everybody = EmployeeFilter::everybody(Visibility::ALL, date(2026, 6, 1));
    let filter = EmployeeFilter { on_leave: Some(days), ..everybody };
    let rows = tx.employees().list(&filter, &PageRequest::default()).await.unwrap();
    rows.into_iter().map(|row| row.view.number).collect()
}

/// The list of employees finds who has approved leave on a day; what ended lately is found by whose it was and since when.
pub async fn who_is_on_leave_is_found(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let mut tx = store.begin(mine).await.unwrap();
    let annual = leave_type("annual");
    tx.leave_types().insert(&annual).await.unwrap();
    let one = hired(&mut *tx, "1", Facts::default()).await.id;
    let two = hired(&mut *tx, "2", Facts::default()).await.id;
    tx.leave_ledger().lock_accounts(&[(one, annual.id), (two, annual.id)]).await.unwrap();
    let mut ended = Vec::new();
    for (employee, day, status, decided) in [
        (one, 3, RequestStatus::Approved, 1),
        (one, 5, RequestStatus::Pending, 0),
        (two, 4, RequestStatus::Approved, 1),
        (two, 8, RequestStatus::Cancelled, 20),
        (two, 9, RequestStatus::Rejected, 10),
        (one, 10, RequestStatus::Withdrawn, 30),
    ] {
        let (mut request, days) = leave_request(employee, &annual, date(2026, 6, day), DayPart::Full);
        tx.leave_requests().insert(&request, &days).await.unwrap();
        if status == RequestStatus::Pending {
            continue;
        }
        let expected = request.version;
        request.status = status;
        request.decided_at = Some(at(decided));
        request.version = expected.next();
        tx.leave_requests().decide(&request, expected).await.unwrap();
        if !status.occupies_days() {
            ended.push((request.id, decided));
        }
    }
    for (days, expected) in
        [((3, 3), &["1"][..]), ((3, 4), &["1", "2"]), ((4, 30), &["2"]), ((5, 30), &[]), ((1, 2), &[])]
    {
        assert_eq!(on_leave(&mut *tx, days.0, days.1).await, expected, "{days:?}");
    }
    for (employees, since, expected) in [
        (vec![one, two], 0, 3),
        (vec![one, two], 20, 2),
        (vec![two], 11, 1),
        (vec![one], 31, 0),
        (vec![], 0, 0),
    ] {
        let found = tx.leave_requests().ended_since(&employees, at(since)).await.unwrap();
        assert_eq!(found.len(), expected, "{since}");
        assert!(found.iter().all(|view| ended.iter().any(|(id, _)| *id == view.request.id)));
        assert!(found.iter().all(|view| !view.day_count.is_empty()));
    }
    tx.commit().await.unwrap();
    let mut tx = store.begin(theirs).await.unwrap();
    assert!(on_leave(&mut *tx, 1, 30).await.is_empty());
    assert!(tx.leave_requests().ended_since(&[one, two], at(0)).await.unwrap().is_empty());
}
