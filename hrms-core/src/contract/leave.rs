//! Leave: types, the ledger, requests and the half days that they occupy.

use jiff::ToSpan;
use jiff::civil::{Date, date};

use crate::contract::fixture::{Subject, at, id, tenant};
use crate::contract::people::hired;
use crate::employment::Facts;
use crate::error::StoreError;
use crate::id::{
    EmployeeId, LeaveLotId, LeavePostingId, LeaveRequestId, LeaveRulesId, LeaveTypeId, TenantId, UserId,
};
use crate::leave::{
    BlockedDates, CountedDay, DayHours, DayPart, DayReason, LeaveLot, LeavePosting, LeaveRecount,
    LeaveRequest, LeaveRequestFilter, LeaveRequestSort, LeaveRulesVersion, LeaveType, LimitPeriod, LotSource,
    PeriodLimit, PostingKind, RecountCause, RecountedDay, RequestRules, RequestStatus, SandwichRule,
    TimeOfDay, days_text,
};
use crate::page::{Page, PageRequest, Position};
use crate::policy::Visibility;
use crate::store::{Tx, Version};

/// A leave type that isn't stored yet.
#[must_use]
pub fn leave_type(code: &str) -> LeaveType {
    LeaveType {
        id: LeaveTypeId::from_uuid(id()),
        code: code.into(),
        name: format!("Leave {code}"),
        paid: false,
        allow_negative_minutes: 60,
        minutes_per_day: 450,
        created_at: at(0),
        updated_at: at(0),
        version: Version::FIRST,
    }
}

/// A pending request for one part of one day that isn't stored yet, and its count.
#[must_use]
pub fn leave_request(
    employee_id: EmployeeId,
    of: &LeaveType,
    day: Date,
    part: DayPart,
) -> (LeaveRequest, Vec<CountedDay>) {
    let minutes = part.minutes(of.minutes_per_day);
    let request = LeaveRequest {
        id: LeaveRequestId::from_uuid(id()),
        employee_id,
        leave_type_id: of.id,
        starts_on: day,
        ends_on: day,
        start_part: part,
        end_part: part,
        hours: None,
        minutes,
        days: days_text(minutes, of.minutes_per_day),
        status: RequestStatus::Pending,
        note: Some("Beach 🏖️".into()),
        submitted_by: Some(UserId::from_uuid(id())),
        submitted_on: date(2026, 1, 1),
        decided_by: None,
        decided_at: None,
        decision_note: None,
        asked_at: at(0),
        created_at: at(0),
        updated_at: at(0),
        version: Version::FIRST,
    };
    let counted = CountedDay {
        date: day,
        part,
        minutes,
        reason: DayReason::WorkingDay,
        holiday: None,
        working_fraction: None,
        beside: None,
    };
    (request, vec![counted])
}

/// The trail of a count that isn't stored yet.
pub(super) fn recount(before: &LeaveRequest, after: &LeaveRequest, days: &[CountedDay]) -> LeaveRecount {
    let added = |day: &CountedDay| RecountedDay { date: day.date, before: None, after: Some(day.clone()) };
    LeaveRecount {
        version: after.version,
        recounted_at: at(9),
        recounted_by: Some(UserId::from_uuid(id())),
        because: RecountCause::Neighbour { leave_request_id: before.id },
        minutes_before: before.minutes,
        minutes_after: after.minutes,
        changes: days.iter().map(added).collect(),
    }
}

/// A lot that isn't stored yet.
#[must_use]
pub fn leave_lot(employee_id: EmployeeId, of: &LeaveType) -> LeaveLot {
    LeaveLot {
        id: LeaveLotId::from_uuid(id()),
        employee_id,
        leave_type_id: of.id,
        source: LotSource::CarryOver,
        minutes: 900,
        valid_from: date(2026, 1, 1),
        valid_to: Some(date(2026, 4, 1)),
        granted_on: date(2025, 12, 31),
        note: None,
        plan_key: None,
        created_at: at(0),
    }
}

/// A posting on a lot that isn't stored yet.
#[must_use]
pub fn leave_posting(
    lot: &LeaveLot,
    kind: PostingKind,
    minutes: i64,
    undoes: Option<LeavePostingId>,
) -> LeavePosting {
    LeavePosting {
        id: LeavePostingId::from_uuid(id()),
        employee_id: lot.employee_id,
        leave_type_id: lot.leave_type_id,
        lot_id: Some(lot.id),
        request_id: None,
        kind,
        minutes,
        effective_on: date(2026, 2, 2),
        booked_on: date(2026, 2, 1),
        posted_at: at(1),
        posted_by: None,
        reverses_id: undoes,
        plan_key: None,
        closed_through: None,
    }
}

/// An employee with an open account of a new leave type.
pub(super) async fn account(tx: &mut dyn Tx) -> (EmployeeId, LeaveType) {
    let employee = hired(tx, "1", Facts::default()).await.id;
    let annual = leave_type("annual");
    tx.leave_types().insert(&annual).await.unwrap();
    tx.leave_ledger().lock_account(employee, annual.id).await.unwrap();
    (employee, annual)
}

fn everything() -> LeaveRequestFilter {
    LeaveRequestFilter {
        visible: Visibility::ALL,
        not_of: None,
        today: date(2026, 1, 1),
        employee_id: None,
        status: None,
        leave_type_id: None,
        from: None,
        to: None,
        updated_after: None,
    }
}

/// Types, lots, postings and requests come back as they went in.
pub async fn leave_is_read_back_as_it_was_written(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut tx = store.begin(tenant).await.unwrap();
    let (employee, annual) = account(&mut *tx).await;
    let lot = leave_lot(employee, &annual);
    tx.leave_ledger().insert_lots(std::slice::from_ref(&lot)).await.unwrap();
    let grant = leave_posting(&lot, PostingKind::Grant, 900, None);
    let taken = leave_posting(&lot, PostingKind::Consumption, -450, None);
    let undone = leave_posting(&lot, PostingKind::Reversal, 450, Some(taken.id));
    let postings = vec![grant, taken, undone];
    assert!(!tx.leave_types().is_taken(annual.id).await.unwrap());
    tx.leave_ledger().append(&postings).await.unwrap();
    assert!(tx.leave_types().is_taken(annual.id).await.unwrap());
    assert!(!tx.leave_types().is_taken(LeaveTypeId::from_uuid(id())).await.unwrap());
    let (request, days) = leave_request(employee, &annual, date(2026, 2, 2), DayPart::FirstHalf);
    tx.leave_requests().insert(&request, &days).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.read(tenant).await.unwrap();
    assert_eq!(tx.leave_types().get(annual.id).await.unwrap().as_ref(), Some(&annual));
    assert_eq!(tx.leave_types().all().await.unwrap(), vec![annual.clone()]);
    assert_eq!(tx.leave_ledger().lot(lot.id).await.unwrap().as_ref(), Some(&lot));
    assert_eq!(tx.leave_ledger().lots(employee, None).await.unwrap(), vec![lot]);
    assert_eq!(tx.leave_ledger().postings(employee, Some(annual.id)).await.unwrap(), postings);
    let view = tx.leave_requests().get(request.id).await.unwrap().unwrap();
    assert_eq!((view.request, view.day_count), (request.clone(), days));
    let pending = tx.leave_requests().pending(employee, Some(annual.id)).await.unwrap();
    assert_eq!(pending.into_iter().map(|view| view.request).collect::<Vec<_>>(), vec![request]);
}

/// A half day belongs to one pending or approved request of an employee; the constraint says so by name.
pub async fn leave_requests_never_overlap(store: &impl Subject) {
    let tenant = tenant(store).await;
    let day = date(2026, 2, 2);
    let mut tx = store.begin(tenant).await.unwrap();
    let (employee, annual) = account(&mut *tx).await;
    let (first, days) = leave_request(employee, &annual, day, DayPart::FirstHalf);
    tx.leave_requests().insert(&first, &days).await.unwrap();
    let (second, days) = leave_request(employee, &annual, day, DayPart::SecondHalf);
    tx.leave_requests().insert(&second, &days).await.unwrap();
    assert!(tx.leave_requests().is_occupied(employee, &second.occupied()).await.unwrap());
    let (free, _) = leave_request(employee, &annual, day.tomorrow().unwrap(), DayPart::FirstHalf);
    assert!(!tx.leave_requests().is_occupied(employee, &free.occupied()).await.unwrap());
    tx.commit().await.unwrap();

    for part in [DayPart::Full, DayPart::FirstHalf, DayPart::SecondHalf] {
        let mut tx = store.begin(tenant).await.unwrap();
        let (third, days) = leave_request(employee, &annual, day, part);
        let refused = tx.leave_requests().insert(&third, &days).await.unwrap_err();
        assert_eq!(refused.constraint(), Some("leave_request_no_overlap"), "{part:?}");
    }
    let mut tx = store.begin(tenant).await.unwrap();
    let rejected = LeaveRequest { status: RequestStatus::Rejected, version: first.version.next(), ..first };
    tx.leave_requests().decide(&rejected, first.version).await.unwrap();
    let stale = tx.leave_requests().decide(&rejected, first.version).await;
    assert!(matches!(stale, Err(StoreError::Stale)));
    let (third, days) = leave_request(employee, &annual, day, DayPart::FirstHalf);
    tx.leave_requests().insert(&third, &days).await.unwrap();
    tx.commit().await.unwrap();
}

/// Hours of a day belong to one request as half days do, and both know of each other: by the same constraint.
pub async fn hours_of_leave_never_overlap(store: &impl Subject) {
    let tenant = tenant(store).await;
    let day = date(2026, 2, 2);
    let mut tx = store.begin(tenant).await.unwrap();
    let (employee, annual) = account(&mut *tx).await;
    tx.commit().await.unwrap();
    let time = |text| TimeOfDay::parse(text);
    let between = |start, end| {
        let (request, days) = leave_request(employee, &annual, day, DayPart::Full);
        let hours = DayHours { start_time: time(start), end_time: time(end), minutes: None };
        (LeaveRequest { hours: Some(hours), ..request }, days)
    };
    let amount = || {
        let (request, days) = leave_request(employee, &annual, day, DayPart::Full);
        let hours = DayHours { minutes: Some(90), ..DayHours::default() };
        (LeaveRequest { hours: Some(hours), ..request }, days)
    };
    let half = |part| leave_request(employee, &annual, day, part);
    let mut tx = store.begin(tenant).await.unwrap();
    let (first, days) = between("09:00", "10:30");
    tx.leave_requests().insert(&first, &days).await.unwrap();
    for (other, days) in [between("10:30", "11:00"), half(DayPart::SecondHalf)] {
        tx.leave_requests().insert(&other, &days).await.unwrap();
    }
    tx.commit().await.unwrap();
    let refused = [
        between("10:00", "10:31"),
        between("08:00", "09:01"),
        between("09:30", "10:00"),
        between("00:00", "24:00"),
        between("11:30", "12:01"),
        half(DayPart::FirstHalf),
        half(DayPart::Full),
        amount(),
    ];
    for (other, days) in refused {
        let mut tx = store.begin(tenant).await.unwrap();
        assert!(
            tx.leave_requests().is_occupied(employee, &other.occupied()).await.unwrap(),
            "{:?}",
            other.hours
        );
        let refused = tx.leave_requests().insert(&other, &days).await.unwrap_err();
        assert_eq!(refused.constraint(), Some("leave_request_no_overlap"), "{:?}", other.hours);
    }
    let mut tx = store.begin(tenant).await.unwrap();
    let (fits, days) = between("11:00", "12:00");
    assert!(!tx.leave_requests().is_occupied(employee, &fits.occupied()).await.unwrap());
    tx.leave_requests().insert(&fits, &days).await.unwrap();
    let alone = LeaveRequest { starts_on: day + 1.days(), ends_on: day + 1.days(), ..amount().0 };
    tx.leave_requests().insert(&alone, &days).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.read(tenant).await.unwrap();
    for written in [first, fits, alone] {
        let view = tx.leave_requests().get(written.id).await.unwrap().unwrap();
        assert_eq!(view.request.hours, written.hours);
    }
}

/// What is asked for can be replaced, at the version that was read, and keeps its new time from others instead of the old.
pub async fn a_leave_request_is_edited(store: &impl Subject) {
    let tenant = tenant(store).await;
    let day = date(2026, 2, 2);
    let mut tx = store.begin(tenant).await.unwrap();
    let (employee, annual) = account(&mut *tx).await;
    let (first, days) = leave_request(employee, &annual, day, DayPart::Full);
    let (other, other_days) = leave_request(employee, &annual, day + 3.days(), DayPart::Full);
    tx.leave_requests().insert(&first, &days).await.unwrap();
    tx.leave_requests().insert(&other, &other_days).await.unwrap();
    let (wanted, days) = leave_request(employee, &annual, day + 1.days(), DayPart::SecondHalf);
    let edited = LeaveRequest {
        id: first.id,
        note: None,
        submitted_on: day,
        asked_at: at(60),
        updated_at: at(60),
        version: first.version.next(),
        submitted_by: first.submitted_by,
        ..wanted
    };
    tx.leave_requests().change(&edited, &days, first.version).await.unwrap();
    let stale = tx.leave_requests().change(&edited, &days, first.version).await;
    assert!(matches!(stale, Err(StoreError::Stale)));
    tx.commit().await.unwrap();

    let mut tx = store.begin(tenant).await.unwrap();
    let view = tx.leave_requests().get(first.id).await.unwrap().unwrap();
    assert_eq!((view.request, view.day_count), (edited.clone(), days.clone()));
    for (part, after, occupied) in [
        (DayPart::Full, 0, false),
        (DayPart::FirstHalf, 1, false),
        (DayPart::SecondHalf, 1, true),
        (DayPart::Full, 3, true),
    ] {
        let (some, _) = leave_request(employee, &annual, day + after.days(), part);
        let found = tx.leave_requests().is_occupied(employee, &some.occupied()).await.unwrap();
        assert_eq!(found, occupied, "{after} {part:?}");
    }
    let (starts_on, ends_on) = (other.starts_on, other.ends_on);
    let over = LeaveRequest { starts_on, ends_on, version: edited.version.next(), ..edited.clone() };
    let overlaps = tx.leave_requests().change(&over, &days, edited.version).await;
    assert_eq!(overlaps.unwrap_err().constraint(), Some("leave_request_no_overlap"));
}

/// What a request takes can be counted anew, at the version that was read; the request keeps its period.
pub async fn a_leave_request_is_counted_anew(store: &impl Subject) {
    let tenant = tenant(store).await;
    let day = date(2026, 2, 2);
    let mut tx = store.begin(tenant).await.unwrap();
    let (employee, annual) = account(&mut *tx).await;
    let sick = leave_type("sick");
    tx.leave_types().insert(&sick).await.unwrap();
    tx.leave_ledger().lock_account(employee, sick.id).await.unwrap();
    let (first, mut days) = leave_request(employee, &annual, day, DayPart::Full);
    let (other, other_days) = leave_request(employee, &sick, day + 3.days(), DayPart::Full);
    tx.leave_requests().insert(&first, &days).await.unwrap();
    tx.leave_requests().insert(&other, &other_days).await.unwrap();
    // A day outside the period that it pays for because of the other one: it isn't occupied.
    days.push(CountedDay {
        date: day + 1.days(),
        part: DayPart::Full,
        minutes: 450,
        reason: DayReason::HolidayBetween,
        holiday: Some("Feast".into()),
        working_fraction: None,
        beside: Some(other.id),
    });
    let minutes = first.minutes + 450;
    let anew = LeaveRequest { minutes, days: "2".into(), version: first.version.next(), ..first.clone() };
    let trail = recount(&first, &anew, &days);
    tx.leave_requests().recount(&anew, &days, first.version, &trail).await.unwrap();
    let stale = tx.leave_requests().recount(&anew, &days, first.version, &trail).await;
    assert!(matches!(stale, Err(StoreError::Stale)));
    tx.commit().await.unwrap();

    let mut tx = store.begin(tenant).await.unwrap();
    let view = tx.leave_requests().get(first.id).await.unwrap().unwrap();
    assert_eq!((view.request, view.day_count), (anew.clone(), days));
    assert_eq!(tx.leave_requests().recounts(first.id).await.unwrap(), [trail]);
    assert_eq!(tx.leave_requests().recounts(other.id).await.unwrap(), []);
    let (free, _) = leave_request(employee, &annual, day + 1.days(), DayPart::FirstHalf);
    assert!(!tx.leave_requests().is_occupied(employee, &free.occupied()).await.unwrap());
    for (from, last, expected) in [(0, 3, 2), (0, 2, 1), (1, 3, 1), (1, 2, 0), (-9, 0, 1), (4, 99, 0)] {
        let found = tx.leave_requests().live_between(&[employee], day + from.days(), day + last.days()).await;
        assert_eq!(found.unwrap().len(), expected, "{from} to {last}");
    }
    let gone =
        LeaveRequest { status: RequestStatus::Cancelled, version: other.version.next(), ..other.clone() };
    tx.leave_requests().decide(&gone, other.version).await.unwrap();
    assert_eq!(tx.leave_requests().live_between(&[employee], day, day + 9.days()).await.unwrap().len(), 1);
}

/// Versions of the rules of a leave type come back by the day from which they are in force.
pub async fn leave_rules_are_read_back_as_written(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut tx = store.begin(tenant).await.unwrap();
    let (employee, annual) = account(&mut *tx).await;
    let rules = RequestRules {
        sandwich: SandwichRule::WeekendsAndHolidays,
        half_days: false,
        minimum_notice_days: Some(3),
        max_consecutive_days: Some("2.5".parse().unwrap()),
        max_per_period: vec![PeriodLimit { per: LimitPeriod::Quarter, days: "4".parse().unwrap() }],
        blocked: vec![BlockedDates {
            starts_on: date(2026, 3, 1),
            ends_on: date(2026, 3, 2),
            reason: Some("Stock-taking 📦".into()),
            allowed: vec![employee],
        }],
        not_beside: vec![annual.id],
        ..RequestRules::default()
    };
    let version = |effective_from, rules| LeaveRulesVersion {
        id: LeaveRulesId::from_uuid(id()),
        leave_type_id: annual.id,
        effective_from,
        rules,
        recorded_at: at(3),
        recorded_by: Some(UserId::from_uuid(id())),
    };
    let (late, early) = (version(date(2027, 1, 1), rules.clone()), version(date(2026, 1, 1), rules));
    let corrected = version(date(2026, 1, 1), RequestRules::default());
    for one in [&late, &early, &corrected] {
        tx.leave_types().insert_rules(one).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut tx = store.read(tenant).await.unwrap();
    assert_eq!(tx.leave_types().rules(annual.id).await.unwrap(), [early, corrected, late]);
    drop(tx);
    let other = self::tenant(store).await;
    let mut tx = store.begin(other).await.unwrap();
    assert!(tx.leave_types().rules(annual.id).await.unwrap().is_empty());
    let refused = tx.leave_types().insert_rules(&version(date(2026, 1, 1), RequestRules::default())).await;
    let refused = if refused.is_ok() { tx.commit().await } else { refused };
    assert!(refused.unwrap_err().constraint().is_some());
}

/// A posting is undone at most once.
pub async fn a_leave_posting_is_undone_once(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut tx = store.begin(tenant).await.unwrap();
    let (employee, annual) = account(&mut *tx).await;
    let lot = leave_lot(employee, &annual);
    tx.leave_ledger().insert_lots(std::slice::from_ref(&lot)).await.unwrap();
    let taken = leave_posting(&lot, PostingKind::Consumption, -450, None);
    let undo = || leave_posting(&lot, PostingKind::Reversal, 450, Some(taken.id));
    tx.leave_ledger().append(&[taken.clone(), undo()]).await.unwrap();
    let again = tx.leave_ledger().append(&[undo()]).await.unwrap_err();
    assert_eq!(again.constraint(), Some("leave_posting_undone_once"));
}

/// What policies write is named: each lot once in an account, and its postings come back as they went in.
pub async fn leave_of_policies_is_written_once(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut tx = store.begin(tenant).await.unwrap();
    let (employee, annual) = account(&mut *tx).await;
    let name = Some("accrual:2026-01-01:2026-01-31:open".to_owned());
    let earned =
        LeaveLot { source: LotSource::Accrual, plan_key: name.clone(), ..leave_lot(employee, &annual) };
    let carried = LeaveLot {
        plan_key: Some("carry:2026-01-01:2026-01-01:open".to_owned()),
        ..leave_lot(employee, &annual)
    };
    let lots =
        vec![earned.clone(), carried.clone(), leave_lot(employee, &annual), leave_lot(employee, &annual)];
    tx.leave_ledger().insert_lots(&lots).await.unwrap();
    let kinds = [
        PostingKind::Grant,
        PostingKind::Transfer,
        PostingKind::Lapse,
        PostingKind::Encashment,
        PostingKind::Adjustment,
    ];
    let postings: Vec<LeavePosting> = kinds
        .iter()
        .map(|kind| LeavePosting { plan_key: name.clone(), ..leave_posting(&earned, *kind, 30, None) })
        .collect();
    tx.leave_ledger().append(&postings).await.unwrap();
    assert_eq!(tx.leave_ledger().lots(employee, None).await.unwrap(), lots);
    assert_eq!(tx.leave_ledger().postings(employee, None).await.unwrap(), postings);
    tx.commit().await.unwrap();

    let mut tx = store.begin(tenant).await.unwrap();
    let again = LeaveLot { id: LeaveLotId::from_uuid(id()), ..earned };
    let refused = tx.leave_ledger().insert_lots(&[again]).await.unwrap_err();
    assert_eq!(refused.constraint(), Some("leave_lot_plan_key"));
}

/// No tenant's leave is found, listed, decided or referred to by another.
pub async fn leave_of_tenants_never_meets(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let mut tx = store.begin(theirs).await.unwrap();
    let (employee, annual) = account(&mut *tx).await;
    let lot = leave_lot(employee, &annual);
    tx.leave_ledger().insert_lots(std::slice::from_ref(&lot)).await.unwrap();
    tx.leave_ledger().append(&[leave_posting(&lot, PostingKind::Grant, 900, None)]).await.unwrap();
    let (request, days) = leave_request(employee, &annual, date(2026, 2, 2), DayPart::Full);
    tx.leave_requests().insert(&request, &days).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin(mine).await.unwrap();
    assert_eq!(tx.leave_types().get(annual.id).await.unwrap(), None);
    assert_eq!(tx.leave_ledger().lot(lot.id).await.unwrap(), None);
    assert!(tx.leave_ledger().lots(employee, None).await.unwrap().is_empty());
    assert!(tx.leave_ledger().postings(employee, None).await.unwrap().is_empty());
    assert!(tx.leave_requests().get(request.id).await.unwrap().is_none());
    assert!(tx.leave_requests().pending(employee, None).await.unwrap().is_empty());
    assert!(tx.leave_requests().list(&everything(), &PageRequest::default()).await.unwrap().is_empty());
    assert!(!tx.leave_requests().is_occupied(employee, &request.occupied()).await.unwrap());
    let around = (request.starts_on - 9.days(), request.starts_on + 9.days());
    assert!(tx.leave_requests().live_between(&[employee], around.0, around.1).await.unwrap().is_empty());
    let next = LeaveRequest { version: request.version.next(), ..request.clone() };
    let decided = tx.leave_requests().decide(&next, request.version).await;
    assert!(matches!(decided, Err(StoreError::Stale)));
    let edited = tx.leave_requests().change(&next, &[], request.version).await;
    assert!(matches!(edited, Err(StoreError::Stale)));
    let trail = recount(&request, &next, &[]);
    let counted = tx.leave_requests().recount(&next, &[], request.version, &trail).await;
    assert!(matches!(counted, Err(StoreError::Stale)));
    drop(tx);
    refuses_to_refer_to_others(store, mine, employee, &annual).await;
}

async fn refuses_to_refer_to_others(
    store: &impl Subject,
    mine: TenantId,
    employee: EmployeeId,
    annual: &LeaveType,
) {
    let mut tx = store.begin(mine).await.unwrap();
    let refused = tx.leave_ledger().lock_account(employee, annual.id).await.unwrap_err();
    assert!(refused.constraint().is_some(), "{refused:?}");
    drop(tx);
    let mut tx = store.begin(mine).await.unwrap();
    let refused = tx.leave_ledger().insert_lots(&[leave_lot(employee, annual)]).await;
    // SQLite may look only at the end.
    let refused = if refused.is_ok() { tx.commit().await } else { refused };
    assert!(refused.unwrap_err().constraint().is_some());
}

/// The list filters, and its pages visit every request once in order.
pub async fn the_list_of_leave_requests_filters_and_pages(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut tx = store.begin(tenant).await.unwrap();
    let (employee, annual) = account(&mut *tx).await;
    let manager = hired(&mut *tx, "2", Facts::default()).await.id;
    let report = hired(&mut *tx, "3", Facts { manager_id: Some(manager), ..Facts::default() }).await.id;
    tx.leave_ledger().lock_account(report, annual.id).await.unwrap();
    let first = date(2026, 3, 2);
    for index in 0..5 {
        let (mut request, days) = leave_request(employee, &annual, first + index.days(), DayPart::Full);
        request.created_at = at(i64::from(index) / 2);
        tx.leave_requests().insert(&request, &days).await.unwrap();
    }
    let (of_report, days) = leave_request(report, &annual, first, DayPart::Full);
    tx.leave_requests().insert(&of_report, &days).await.unwrap();

    for sort in [LeaveRequestSort::StartsOn, LeaveRequestSort::CreatedAt] {
        let mut page = PageRequest { sort, descending: false, limit: 2, after: None };
        let mut seen = Vec::new();
        loop {
            let rows = tx.leave_requests().list(&everything(), &page).await.unwrap();
            let got = Page::from_rows(rows, page.limit, |last| Position {
                key: match sort {
                    LeaveRequestSort::StartsOn => last.starts_on.to_string(),
                    LeaveRequestSort::CreatedAt => last.created_at.to_string(),
                },
                id: last.id.as_uuid(),
            });
            seen.extend(got.items.into_iter().map(|row| match sort {
                LeaveRequestSort::StartsOn => (row.starts_on.to_string(), row.id),
                LeaveRequestSort::CreatedAt => (format!("{:.6}", row.created_at), row.id),
            }));
            match got.next {
                Some(next) => page.after = Some(next),
                None => break,
            }
        }
        assert_eq!(seen.len(), 6);
        assert!(seen.is_sorted());
    }
    let page = PageRequest::default();
    let reports = Visibility { reports_of: Some(manager), ..Visibility::default() };
    let narrowed = [
        (LeaveRequestFilter { visible: reports, ..everything() }, 1),
        (LeaveRequestFilter { visible: Visibility { own: Some(employee), ..reports }, ..everything() }, 6),
        (LeaveRequestFilter { visible: Visibility::default(), ..everything() }, 0),
        (LeaveRequestFilter { not_of: Some(employee), ..everything() }, 1),
        (LeaveRequestFilter { employee_id: Some(employee), ..everything() }, 5),
        (LeaveRequestFilter { status: Some(RequestStatus::Approved), ..everything() }, 0),
        (LeaveRequestFilter { from: Some(first + 3.days()), ..everything() }, 2),
        (LeaveRequestFilter { to: Some(first), ..everything() }, 2),
        (LeaveRequestFilter { updated_after: Some(at(1)), ..everything() }, 0),
        (LeaveRequestFilter { leave_type_id: Some(annual.id), ..everything() }, 6),
    ];
    for (filter, expected) in narrowed {
        let rows = tx.leave_requests().list(&filter, &page).await.unwrap();
        assert_eq!(rows.len(), expected, "{filter:?}");
    }
}
