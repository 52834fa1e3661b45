//! Leave beside other leave: days off between, rules, and what becomes of the others when one is gone.

use hrms_core::Store as _;
use hrms_core::leave::{
    BlockedDates, DayHours, DayReason, LimitPeriod, PeriodLimit, PostingKind, RequestRules, SandwichRule,
    SetLeaveRules, TimeOfDay,
};
use jiff::ToSpan;

use super::*;

const NEXT_MONDAY: Date = date(2026, 12, 14);

impl World {
    pub(super) async fn rules(&self, rules: RequestRules) {
        self.rules_from(date(2026, 1, 1), rules).await;
    }

    async fn rules_from(&self, effective_from: Date, rules: RequestRules) {
        let new = SetLeaveRules { effective_from, rules };
        self.hrms.leave_types().set_rules(&self.hr(), self.annual.id, new).await.unwrap();
    }

    pub(super) async fn sandwich(&self, sandwich: SandwichRule) {
        self.rules(RequestRules { sandwich, ..RequestRules::default() }).await;
    }

    pub(super) async fn days(&self, id: LeaveRequestId) -> String {
        self.hrms.leave().get(&self.hr(), id).await.unwrap().request.days
    }

    pub(super) async fn approved(&self, first: Date, last: Date) -> LeaveRequestId {
        let id = self.submit(self.asha, first, last).await.unwrap().request.id;
        self.approve(&self.manager(self.manager), id).await.unwrap();
        id
    }

    async fn reject(&self, id: LeaveRequestId) {
        let note = DecisionNote::default();
        self.hrms.leave().reject(&self.manager(self.manager), id, note).await.unwrap();
    }

    /// Minutes that were taken and not given back, by the ledger itself.
    pub(super) async fn taken(&self) -> i64 {
        let account = self.hrms.leave().account(&self.hr(), self.asha, self.annual.id, None).await.unwrap();
        let drawn = account.postings.iter().filter(|one| {
            matches!(one.kind, PostingKind::Consumption | PostingKind::Reversal) && one.request_id.is_some()
        });
        -drawn.map(|one| one.minutes).sum::<i64>()
    }
}

/// P9, P5, P14: the weekend between two requests is paid by the second one, and given back when the first one is gone.
async fn a_weekend_between_two_requests_is_given_back_with_the_first(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "10").await;
    w.sandwich(SandwichRule::Weekends).await;
    let friday = w.approved(FRIDAY, FRIDAY).await;
    let preview = w.hrms.leave().preview(&w.employee(w.asha), w.ask(NEXT_MONDAY, NEXT_MONDAY)).await.unwrap();
    assert_eq!((preview.days.as_str(), preview.refusal), ("3", None));
    let reasons: Vec<_> = preview.day_count.iter().map(|day| (day.reason, day.beside)).collect();
    let between = (DayReason::WeeklyOffBetween, Some(friday));
    assert_eq!(reasons, [between, between, (DayReason::WorkingDay, None)]);
    let monday = w.approved(NEXT_MONDAY, NEXT_MONDAY).await;
    assert_eq!((w.days(friday).await, w.days(monday).await), ("1".into(), "3".into()));
    assert_eq!(w.balance(w.asha, None).await, ["10", "4", "0", "0", "6"]);
    assert_eq!(w.taken().await, 4 * 480);

    w.cancel(&w.employee(w.asha), friday).await.unwrap();
    assert_eq!(w.balance(w.asha, None).await, ["10", "1", "0", "0", "9"]);
    assert_eq!(w.taken().await, 480);
    let left = w.hrms.leave().get(&w.hr(), monday).await.unwrap();
    assert_eq!((left.request.minutes, left.request.days.as_str(), left.day_count.len()), (480, "1", 1));
    assert_eq!(left.request.status, RequestStatus::Approved);
    let events = w.events().await;
    let last: Vec<_> = events.iter().rev().take(2).map(|event| event.kind.as_str()).collect();
    assert_eq!(last, ["leave_request.recounted", "leave_request.cancelled"]);
    assert_eq!(events.last().unwrap().data["leave_request_id"], monday.to_string());
    // What is left can be cancelled as ever, and everything is back.
    w.cancel(&w.employee(w.asha), monday).await.unwrap();
    assert_eq!(w.balance(w.asha, None).await, ["10", "0", "0", "0", "10"]);
    assert_eq!(w.taken().await, 0);
}

/// It is the same for what waits for a decision, whichever is decided first, and when the second one goes.
async fn rejected_and_withdrawn_neighbours_are_gone_too(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "10").await;
    w.sandwich(SandwichRule::Weekends).await;
    let wr = &w;
    let pending = |day| async move {
        let w = wr;
        w.submit(w.asha, day, day).await.unwrap().request.id
    };
    let (friday, monday) = (pending(FRIDAY).await, pending(NEXT_MONDAY).await);
    assert_eq!(w.balance(w.asha, None).await, ["10", "0", "4", "0", "6"]);
    w.reject(friday).await;
    assert_eq!(w.balance(w.asha, None).await, ["10", "0", "1", "0", "9"]);
    assert_eq!(w.days(monday).await, "1");
    // The other way round: the one that is there pays nothing for one that comes later.
    let friday = pending(FRIDAY).await;
    assert_eq!((w.days(friday).await, w.days(monday).await), ("3".into(), "1".into()));
    w.approve(&w.manager(w.manager), friday).await.unwrap();
    w.cancel(&w.employee(w.asha), monday).await.unwrap();
    assert_eq!(w.days(friday).await, "1");
    assert_eq!(w.balance(w.asha, None).await, ["10", "1", "0", "0", "9"]);
    assert_eq!(w.taken().await, 480);
    // One that pays goes itself: nothing is left of it anywhere.
    let monday = pending(NEXT_MONDAY).await;
    assert_eq!(w.days(monday).await, "3");
    w.cancel(&w.employee(w.asha), monday).await.unwrap();
    assert_eq!(w.balance(w.asha, None).await, ["10", "1", "0", "0", "9"]);
}

/// Leave of another kind on the other side makes a gap as well; the later request pays, by its own rule.
async fn another_kind_of_leave_is_leave_too(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "10").await;
    w.sandwich(SandwichRule::WeekendsAndHolidays).await;
    let unpaid = NewLeaveType { allow_negative_minutes: 480_000, ..new_type("unpaid") };
    let unpaid = w.hrms.leave_types().create(&w.hr(), unpaid).await.unwrap();
    let ask = SubmitLeave { leave_type_id: unpaid.id, ..w.ask(FRIDAY, FRIDAY) };
    let friday = w.hrms.leave().submit(&w.employee(w.asha), ask).await.unwrap().request.id;
    w.approve(&w.manager(w.manager), friday).await.unwrap();
    let monday = w.approved(NEXT_MONDAY, NEXT_MONDAY).await;
    assert_eq!((w.days(friday).await, w.days(monday).await), ("1".into(), "3".into()));
    w.cancel(&w.employee(w.asha), friday).await.unwrap();
    assert_eq!(w.days(monday).await, "1");
    assert_eq!(w.balance(w.asha, None).await, ["10", "1", "0", "0", "9"]);
}

/// A day off that a request pays for outside its period isn't occupied by it.
async fn paid_days_outside_are_not_occupied(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "10").await;
    w.sandwich(SandwichRule::Weekends).await;
    w.approved(FRIDAY, FRIDAY.tomorrow().unwrap()).await;
    // Saturday is the first one's, and paid for by the second one, which begins on Sunday.
    let monday = w.approved(date(2026, 12, 13), NEXT_MONDAY).await;
    assert_eq!(w.days(monday).await, "3");
    assert_eq!(code(w.submit(w.asha, date(2026, 12, 12), date(2026, 12, 12)).await), "leave.no-working-day");
}

/// Two requests at the same moment, on both sides of a weekend: one of them pays, whoever is faster.
async fn parallel_neighbours_pay_once(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "20").await;
    w.sandwich(SandwichRule::Weekends).await;
    for week in 0..4 {
        let days = [FRIDAY, NEXT_MONDAY].map(|day| day + (14 * week).days());
        let asks = days.map(|day| {
            let (hrms, actor, ask) = (w.hrms.clone(), w.employee(w.asha), w.ask(day, day));
            tokio::spawn(async move { hrms.leave().submit(&actor, ask).await.unwrap().request.minutes })
        });
        let mut sum = 0;
        for ask in asks {
            sum += ask.await.unwrap();
        }
        assert_eq!(sum, 4 * 480, "week {week}");
    }
}

/// LV-49 and its likes: what is against the rules is refused by name, and previews name all of it.
async fn rules_are_kept(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "40").await;
    w.approved(MONDAY, date(2026, 12, 18)).await;
    let days = |days: &str| days.parse().unwrap();
    w.rules(RequestRules {
        max_consecutive_days: Some(days("15")),
        max_per_period: vec![PeriodLimit { per: LimitPeriod::Month, days: days("17") }],
        minimum_notice_days: Some(14),
        waiting_days: Some(30),
        blocked: vec![BlockedDates {
            starts_on: date(2027, 1, 4),
            ends_on: date(2027, 1, 8),
            reason: Some("Stock-taking".into()),
            allowed: vec![w.colleague],
        }],
        half_days: false,
        ..RequestRules::default()
    })
    .await;
    let w = &w;
    let refused = |first, last| async move { code(w.submit(w.asha, first, last).await) };
    // Ten days, then six more right after the weekend.
    assert_eq!(refused(date(2026, 12, 21), date(2026, 12, 28)).await, "leave.max-consecutive");
    assert_eq!(refused(date(2026, 11, 27), date(2026, 11, 27)).await, "leave.notice-too-short");
    assert_eq!(refused(date(2027, 1, 8), date(2027, 1, 11)).await, "leave.blocked");
    let half = SubmitLeave { start_part: DayPart::FirstHalf, ..w.ask(date(2027, 2, 1), date(2027, 2, 1)) };
    let preview = w.hrms.leave().preview(&w.employee(w.asha), half.clone()).await.unwrap();
    assert_eq!(preview.refusal.map(|why| why.code).as_deref(), Some("leave.no-half-days"));
    let error = w.hrms.leave().submit(&w.employee(w.asha), half).await.unwrap_err();
    assert_eq!((error.code(), error.kind()), ("leave.no-half-days", ErrorKind::Invalid));
    // Everything at once.
    let much = w.ask(date(2026, 12, 21), date(2027, 1, 4));
    let preview = w.hrms.leave().preview(&w.employee(w.asha), much).await.unwrap();
    let codes: Vec<&str> = preview.violations.iter().map(|one| one.code.as_str()).collect();
    assert_eq!(codes, ["leave.blocked", "leave.max-consecutive", "leave.max-per-period"]);
    assert_eq!(preview.refusal.as_ref(), preview.violations.first());
    assert!(preview.violations[1].detail.contains("at most 15 days"), "{}", preview.violations[1].detail);
    // Up to the limits it is fine, and the allowed may.
    w.submit(w.asha, date(2026, 12, 21), date(2026, 12, 25)).await.unwrap();
    w.grant(w.colleague, "5").await;
    w.submit(w.colleague, date(2027, 1, 8), date(2027, 1, 8)).await.unwrap();
    // December is full.
    assert_eq!(refused(date(2026, 12, 29), date(2027, 1, 1)).await, "leave.max-per-period");
    w.submit(w.asha, date(2026, 12, 30), date(2027, 1, 1)).await.unwrap();
    assert_eq!(w.balance(w.asha, None).await[2], "8");
}

/// A ban of one kind beside another holds whichever is asked for first, and for the halves of a day.
async fn bans_hold_from_both_sides(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "20").await;
    let sick = NewLeaveType { allow_negative_minutes: 480_000, ..new_type("sick") };
    let sick = w.hrms.leave_types().create(&w.hr(), sick).await.unwrap().id;
    // Only one of the two says so.
    w.rules(RequestRules { not_beside: vec![sick], ..RequestRules::default() }).await;
    let me = w.employee(w.asha);
    let ill = |ask| SubmitLeave { leave_type_id: sick, ..ask };
    w.approved(FRIDAY, FRIDAY).await;
    let monday = w.ask(NEXT_MONDAY, NEXT_MONDAY);
    let morning = SubmitLeave { start_part: DayPart::FirstHalf, ..monday.clone() };
    for ask in [monday.clone(), morning] {
        assert_eq!(code(w.hrms.leave().submit(&me, ill(ask)).await), "leave.not-beside");
    }
    let afternoon = SubmitLeave { start_part: DayPart::SecondHalf, ..monday };
    w.hrms.leave().submit(&me, ill(afternoon.clone())).await.unwrap();
    let morning = SubmitLeave { start_part: DayPart::FirstHalf, ..afternoon };
    assert_eq!(code(w.hrms.leave().submit(&me, morning).await), "leave.not-beside");
    // What was in force on the first day of the other leave counts.
    w.rules_from(date(2027, 1, 1), RequestRules::default()).await;
    let wednesday = date(2027, 1, 6);
    w.approved(wednesday, wednesday).await;
    let next = ill(w.ask(wednesday + 1.day(), wednesday + 1.day()));
    w.hrms.leave().submit(&me, next).await.unwrap();
}

/// P8, P20: the rules of the first day of leave; of two versions for one day the later one; nothing is counted anew.
async fn rules_are_those_of_the_first_day(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "20").await;
    let weekend = [FRIDAY, NEXT_MONDAY];
    let long = w.approved(weekend[0], weekend[1]).await;
    assert_eq!(w.days(long).await, "2");
    let sandwich = |sandwich| RequestRules { sandwich, ..RequestRules::default() };
    w.rules_from(date(2027, 1, 1), sandwich(SandwichRule::Weekends)).await;
    let w = &w;
    let count = |first: Date| async move {
        let ask = w.ask(first, first + 3.days());
        w.hrms.leave().preview(&w.employee(w.asha), ask).await.unwrap().days
    };
    assert_eq!(count(date(2026, 12, 18)).await, "2");
    // It begins in the old year.
    let across = w.ask(date(2026, 12, 31), date(2027, 1, 4));
    assert_eq!(w.hrms.leave().preview(&w.employee(w.asha), across).await.unwrap().days, "3");
    assert_eq!(count(date(2027, 1, 15)).await, "4");
    // A correction for the same day.
    w.rules_from(date(2027, 1, 1), sandwich(SandwichRule::Holidays)).await;
    assert_eq!(count(date(2027, 1, 15)).await, "2");
    assert_eq!(w.days(long).await, "2");
    let all = w.hrms.leave_types().rules(&w.employee(w.asha), w.annual.id).await.unwrap();
    assert_eq!(all.len(), 2, "both stay for the record");
    let mine = SetLeaveRules { effective_from: date(2026, 1, 1), rules: RequestRules::default() };
    let denied = w.hrms.leave_types().set_rules(&w.employee(w.asha), w.annual.id, mine).await;
    assert_eq!(denied.unwrap_err().kind(), ErrorKind::Forbidden);
    let mut tx = w.store.read(w.tenant).await.unwrap();
    let events = tx.events().after(0, 100).await.unwrap();
    assert_eq!(events.iter().filter(|event| event.kind == "leave_type.rules-set").count(), 2);
}

/// From a time to a time, or an amount of minutes: charged as asked, and never over other leave of the day.
async fn hours_are_taken_within_a_day(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "5").await;
    let between = |start, end| DayHours {
        start_time: TimeOfDay::parse(start),
        end_time: TimeOfDay::parse(end),
        minutes: None,
    };
    let ask = |hours| SubmitLeave { hours: Some(hours), ..w.ask(MONDAY, MONDAY) };
    let me = w.employee(w.asha);
    let leave = w.hrms.leave();
    let submit = |ask| leave.submit(&me, ask);
    assert_eq!(code(submit(ask(between("10:00", "12:00"))).await), "leave.no-hours");
    w.rules(RequestRules { hours: true, ..RequestRules::default() }).await;
    let made = submit(ask(between("10:00", "12:00"))).await.unwrap();
    assert_eq!((made.request.minutes, made.request.days.as_str()), (120, "0.25"));
    assert_eq!(w.hrms.leave().get(&me, made.request.id).await.unwrap(), made);
    for hours in [between("11:59", "13:00"), between("00:00", "24:00"), between("10:30", "10:31")] {
        assert_eq!(code(submit(ask(hours)).await), "leave.overlaps", "{hours:?}");
        let preview = w.hrms.leave().preview(&me, ask(hours)).await.unwrap();
        assert_eq!(preview.refusal.map(|why| why.code).as_deref(), Some("leave.overlaps"));
    }
    let half = |part| SubmitLeave { start_part: part, ..w.ask(MONDAY, MONDAY) };
    assert_eq!(code(submit(half(DayPart::FirstHalf)).await), "leave.overlaps");
    submit(half(DayPart::SecondHalf)).await.unwrap();
    submit(ask(between("09:00", "10:00"))).await.unwrap();
    assert_eq!(w.balance(w.asha, None).await, ["5", "0", "0.875", "0", "4.125"]);
    w.approve(&w.manager(w.manager), made.request.id).await.unwrap();
    w.cancel(&me, made.request.id).await.unwrap();
    submit(ask(between("10:00", "11:30"))).await.unwrap();
    // An amount takes the day for itself, whenever it will be.
    let amount = DayHours { minutes: Some(90), ..DayHours::default() };
    assert_eq!(code(submit(ask(amount)).await), "leave.overlaps");
    let on_friday = SubmitLeave { starts_on: FRIDAY, ends_on: FRIDAY, ..ask(amount) };
    assert_eq!(submit(on_friday.clone()).await.unwrap().request.minutes, 90);
    assert_eq!(code(w.submit(w.asha, FRIDAY, FRIDAY).await), "leave.overlaps");
    let saturday = date(2026, 12, 12);
    let off = SubmitLeave { starts_on: saturday, ends_on: saturday, ..on_friday };
    assert_eq!(code(submit(off).await), "leave.no-working-day");

    let next = NEXT_MONDAY;
    for (hours, last, part, pointer) in [
        (between("12:00", "12:00"), next, DayPart::Full, "/hours/end_time"),
        (DayHours { end_time: None, ..between("12:00", "13:00") }, next, DayPart::Full, "/hours"),
        (DayHours { minutes: Some(60), ..between("12:00", "13:00") }, next, DayPart::Full, "/hours"),
        (DayHours::default(), next, DayPart::Full, "/hours"),
        (DayHours { minutes: Some(0), ..amount }, next, DayPart::Full, "/hours/minutes"),
        (DayHours { minutes: Some(i64::MAX), ..amount }, next, DayPart::Full, "/hours/minutes"),
        (amount, next + 1.days(), DayPart::Full, "/hours"),
        (amount, next, DayPart::FirstHalf, "/hours"),
    ] {
        let bad = SubmitLeave { hours: Some(hours), start_part: part, ..w.ask(next, last) };
        let error = submit(bad).await.unwrap_err();
        assert_eq!(error.fields().first().map(|field| field.pointer.as_ref()), Some(pointer), "{hours:?}");
    }
}

/// Hours, half days and other kinds of leave of one day are together no more than the day, in whatever order.
async fn a_day_is_charged_once(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "9").await;
    w.rules(RequestRules { hours: true, ..RequestRules::default() }).await;
    let unpaid = NewLeaveType { allow_negative_minutes: 480_000, minutes_per_day: 240, ..new_type("unpaid") };
    let unpaid = w.hrms.leave_types().create(&w.hr(), unpaid).await.unwrap();
    let set = SetLeaveRules {
        effective_from: date(2026, 1, 1),
        rules: RequestRules { hours: true, ..RequestRules::default() },
    };
    w.hrms.leave_types().set_rules(&w.hr(), unpaid.id, set).await.unwrap();
    let between = |start, end| DayHours {
        start_time: TimeOfDay::parse(start),
        end_time: TimeOfDay::parse(end),
        minutes: None,
    };
    let ask = |day, hours| SubmitLeave { hours: Some(hours), ..w.ask(day, day) };
    let me = w.employee(w.asha);
    let leave = w.hrms.leave();
    let submit = |ask| leave.submit(&me, ask);

    // Three times eight hours.
    let first = submit(ask(MONDAY, between("00:00", "08:00"))).await.unwrap().request;
    assert_eq!(first.minutes, 480);
    for hours in [between("08:00", "16:00"), between("16:00", "24:00"), between("12:00", "12:01")] {
        let error = submit(ask(MONDAY, hours)).await.unwrap_err();
        assert_eq!((error.code(), error.kind()), ("leave.day-full", ErrorKind::Conflict));
        assert_eq!(error.to_string(), "0 minutes of the work of 2026-12-07 are left beside other leave");
        let preview = leave.preview(&me, ask(MONDAY, hours)).await.unwrap();
        assert_eq!(preview.refusal.map(|why| why.code).as_deref(), Some("leave.day-full"));
    }
    // Of another kind, too, also when the first is approved; and it is free again when the first is gone.
    w.approve(&w.manager(w.manager), first.id).await.unwrap();
    let other = SubmitLeave { leave_type_id: unpaid.id, ..ask(MONDAY, between("08:00", "09:00")) };
    assert_eq!(code(submit(other.clone()).await), "leave.day-full");
    w.cancel(&me, first.id).await.unwrap();
    assert_eq!(submit(other).await.unwrap().request.minutes, 30);
    let rest = submit(ask(MONDAY, between("09:00", "16:00"))).await.unwrap().request;
    assert_eq!(rest.minutes, 420);

    // A half day and hours: the other half is left, and no more, whichever was first.
    let friday = |part| SubmitLeave { start_part: part, ..w.ask(FRIDAY, FRIDAY) };
    submit(friday(DayPart::FirstHalf)).await.unwrap();
    assert_eq!(code(submit(ask(FRIDAY, between("12:00", "20:00"))).await), "leave.day-full");
    assert_eq!(submit(ask(FRIDAY, between("13:00", "17:00"))).await.unwrap().request.minutes, 240);
    assert_eq!(code(submit(ask(FRIDAY, between("17:00", "17:30"))).await), "leave.day-full");
    submit(ask(NEXT_MONDAY, between("06:00", "11:00"))).await.unwrap();
    let half = |first, part, last| SubmitLeave { start_part: part, ..w.ask(first, last) };
    let afternoon = half(NEXT_MONDAY, DayPart::SecondHalf, NEXT_MONDAY);
    assert_eq!(code(submit(afternoon).await), "leave.day-full");
    let longer = half(NEXT_MONDAY, DayPart::SecondHalf, NEXT_MONDAY + 2.days());
    assert_eq!(code(submit(longer).await), "leave.day-full");
    assert_eq!(w.balance(w.asha, None).await, ["9", "0", "2.5", "0", "6.5"]);
}

/// Of many requests for the same hour at once one is made.
async fn parallel_hours_have_one_winner(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "5").await;
    w.rules(RequestRules { hours: true, ..RequestRules::default() }).await;
    let mut tasks = Vec::new();
    for minute in 0..12 {
        let hours = DayHours {
            start_time: TimeOfDay::from_minutes(600 + minute),
            end_time: TimeOfDay::from_minutes(660),
            minutes: None,
        };
        let ask = SubmitLeave { hours: Some(hours), ..w.ask(MONDAY, MONDAY) };
        let (hrms, actor) = (w.hrms.clone(), w.employee(w.asha));
        tasks.push(tokio::spawn(async move { hrms.leave().submit(&actor, ask).await }));
    }
    let mut won = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => won += 1,
            refused => assert_eq!(code(refused), "leave.overlaps"),
        }
    }
    assert_eq!(won, 1);
}

/// The rules over HTTP: what is wrong with them is named.
async fn bad_rules_are_named(store: &support::Fresh) {
    let api = crate::all::people::http::Api::start(store).await;
    let annual = api.add("leave-types", serde_json::json!({ "code": "annual", "name": "Annual" })).await;
    let path = format!("/api/v1/leave-types/{}/rules", annual["id"].as_str().unwrap());
    let nobody = hrms_core::contract::id();
    let dates = |first, last| serde_json::json!([{ "starts_on": first, "ends_on": last }]);
    for (rules, pointer) in [
        (serde_json::json!({ "sandwich": "toast" }), "/rules/sandwich"),
        (serde_json::json!({ "no_such_rule": 1 }), "/rules/no_such_rule"),
        (serde_json::json!({ "minimum_notice_days": -1 }), "/rules/minimum_notice_days"),
        (serde_json::json!({ "waiting_days": 1e30 }), "/rules/waiting_days"),
        (serde_json::json!({ "max_consecutive_days": "0" }), "/rules/max_consecutive_days"),
        (serde_json::json!({ "max_consecutive_days": "many 🌴" }), "/rules/max_consecutive_days"),
        (
            serde_json::json!({ "max_per_period": [{ "per": "week", "days": "1" }] }),
            "/rules/max_per_period/0/per",
        ),
        (serde_json::json!({ "blocked": dates("2026-01-02", "2026-01-01") }), "/rules/blocked"),
        (
            serde_json::json!({ "blocked": dates("2026-01-02", "2026-01-02T00:00Z") }),
            "/rules/blocked/0/ends_on",
        ),
        (serde_json::json!({ "not_beside": [nobody] }), "/rules/not_beside"),
        (
            serde_json::json!({ "minimum_notice_days": 8, "latest_notice_days": 7 }),
            "/rules/latest_notice_days",
        ),
        (serde_json::json!({ "minimum_notice_days": 0, "back_dated_days": 1 }), "/rules/back_dated_days"),
        (
            serde_json::json!({ "max_per_period": [{ "per": "month", "days": "1" }, { "per": "month", "days": "2" }] }),
            "/rules/max_per_period",
        ),
    ] {
        let body = serde_json::json!({ "effective_from": "2026-01-01", "rules": rules });
        let reply = api.hr.post(&path, &body).await;
        crate::all::people::http::problem(reply, 422, "common.invalid", &[pointer]);
    }
    assert_eq!(api.hr.get(&path).await.expect(200).json()["items"], serde_json::json!([]));
    let rules = serde_json::json!({
        "sandwich": "weekends_and_holidays", "max_consecutive_days": "15", "not_beside": [annual["id"]],
        "max_per_period": [{ "per": "month", "days": "2.5" }], "waiting_days": 90,
    });
    let body = serde_json::json!({ "effective_from": "2026-01-01", "rules": rules });
    let shown = api.hr.post(&path, &body).await.expect(200).json();
    let back = &shown["items"][0]["rules"];
    for (name, value) in rules.as_object().unwrap() {
        assert_eq!(&back[name], value, "{name}");
    }
    assert_eq!((&back["half_days"], &back["blocked"]), (&true.into(), &serde_json::json!([])));
}

hrms_tests::on_every_engine!(
    a_weekend_between_two_requests_is_given_back_with_the_first,
    rejected_and_withdrawn_neighbours_are_gone_too,
    another_kind_of_leave_is_leave_too,
    paid_days_outside_are_not_occupied,
    parallel_neighbours_pay_once,
    rules_are_kept,
    bans_hold_from_both_sides,
    rules_are_those_of_the_first_day,
    hours_are_taken_within_a_day,
    a_day_is_charged_once,
    parallel_hours_have_one_winner,
    bad_rules_are_named,
);
