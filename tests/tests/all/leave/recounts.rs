//! P5: leave is counted anew when holidays, working patterns or workplaces change after it was asked for.

use hrms_core::contract::all_at_once;
use hrms_core::employee::{ChangeEmployment, EndEmployment};
use hrms_core::holiday::{AssignHolidayCalendar, HolidayKind, HolidayPatch, NewHolidayCalendar};
use hrms_core::job::{JobRegistry, run_until_idle};
use hrms_core::leave::{LeaveRecount, RecountCause, SandwichRule};
use hrms_core::work_pattern::{AssignWorkPattern, NewWorkPattern, WorkWeek};
use hrms_core::{Patch, Store as _, WorkPatternId};
use jiff::ToSpan;

use super::*;

const WEDNESDAY: Date = date(2026, 12, 9);
const NEXT_MONDAY: Date = date(2026, 12, 14);

impl World {
    async fn feast(&self, on_date: Date) {
        self.holiday(on_date, "Feast").await;
    }

    async fn no_holiday(&self, on: Date) {
        self.hrms.holidays().remove(&self.hr(), self.calendar, on).await.unwrap();
    }

    async fn run_jobs(&self) {
        run_until_idle(&self.hrms, &JobRegistry::standard()).await.unwrap();
    }

    async fn request(&self, id: LeaveRequestId) -> LeaveRequestView {
        self.hrms.leave().get(&self.hr(), id).await.unwrap()
    }

    async fn trail(&self, id: LeaveRequestId) -> Vec<LeaveRecount> {
        self.hrms.leave().recounts(&self.hr(), id).await.unwrap()
    }

    async fn pattern(&self, code: &str, week: WorkWeek) -> WorkPatternId {
        let new = NewWorkPattern {
            code: code.into(),
            name: code.into(),
            standard_minutes: 480,
            weeks: vec![week],
            first_week: None,
            nth_weekdays: Vec::new(),
        };
        self.hrms.work_patterns().create(&self.hr(), new).await.unwrap().id
    }

    async fn postings(&self) -> usize {
        let account = self.hrms.leave().account(&self.hr(), self.asha, self.annual.id, None).await.unwrap();
        account.postings.len()
    }
}

/// P5, P14: approved leave gets reversals, pending requests new minutes; the trail says what, why and when.
async fn a_holiday_announced_late_gives_days_back(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "10").await;
    let taken = w.approved(MONDAY, FRIDAY).await;
    let asked = w.submit(w.asha, NEXT_MONDAY, NEXT_MONDAY + 2.days()).await.unwrap().request.id;
    assert_eq!(w.balance(w.asha, None).await, ["10", "5", "3", "0", "2"]);
    let before = w.request(taken).await;
    w.feast(WEDNESDAY).await;
    w.feast(NEXT_MONDAY).await;
    assert_eq!(w.days(taken).await, "5", "until the job has run");
    w.run_jobs().await;
    assert_eq!((w.days(taken).await, w.days(asked).await), ("4".into(), "2".into()));
    assert_eq!(w.balance(w.asha, None).await, ["10", "4", "2", "0", "4"]);
    assert_eq!(w.taken().await, 4 * 480);
    let view = w.request(taken).await;
    assert_eq!(view.request.status, RequestStatus::Approved);
    assert_eq!(view.day_count[2].holiday.as_deref(), Some("Feast"));
    let trail = w.trail(taken).await;
    assert_eq!(trail.len(), 1);
    let [recount] = &trail[..] else { panic!("{trail:?}") };
    assert_eq!((recount.minutes_before, recount.minutes_after), (5 * 480, 4 * 480));
    assert_eq!(recount.version, view.request.version);
    let because = RecountCause::HolidayCalendar { holiday_calendar_id: w.calendar, revision: 1 };
    assert_eq!(recount.because, because);
    let [day] = &recount.changes[..] else { panic!("{recount:?}") };
    assert_eq!((day.before.as_ref(), day.after.as_ref()), (before.day_count.get(2), view.day_count.get(2)));
    let events = w.events().await;
    let told = events.iter().filter(|event| event.kind == "leave_request.recounted");
    assert_eq!(told.count(), 2);
    let count = w.postings().await;

    // Running again changes nothing; what it was before comes back the same way.
    w.no_holiday(WEDNESDAY).await;
    w.run_jobs().await;
    assert_eq!(w.request(taken).await.day_count, before.day_count);
    assert_eq!(w.balance(w.asha, None).await, ["10", "5", "2", "0", "3"]);
    assert_eq!((w.postings().await, w.trail(taken).await.len()), (count + 1, 2));
    w.cancel(&w.employee(w.asha), taken).await.unwrap();
    assert_eq!(w.taken().await, 0);
    assert_eq!(w.balance(w.asha, None).await, ["10", "0", "2", "0", "8"]);
}

/// Leave of which nothing is left stays, and is there again when the holiday was a mistake: then it may be leave in advance.
async fn leave_may_come_to_nothing_and_back(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "1").await;
    let id = w.approved(WEDNESDAY, WEDNESDAY).await;
    w.feast(WEDNESDAY).await;
    w.run_jobs().await;
    let view = w.request(id).await;
    assert_eq!((view.request.minutes, view.request.days.as_str()), (0, "0"));
    assert_eq!(view.request.status, RequestStatus::Approved);
    assert_eq!(w.balance(w.asha, None).await, ["1", "0", "0", "0", "1"]);
    let listed = w.hrms.leave().list(&w.hr(), &LeaveRequestQuery::default(), &PageRequest::default()).await;
    assert_eq!(listed.unwrap().items[0].days, "0");
    w.approved(FRIDAY, FRIDAY).await;
    w.no_holiday(WEDNESDAY).await;
    w.run_jobs().await;
    assert_eq!(w.days(id).await, "1");
    assert_eq!(w.taken().await, 960);
    assert_eq!(w.balance(w.asha, None).await, ["1", "2", "0", "0", "-1"]);
    // A pending one can be approved with nothing in it.
    w.grant(w.asha, "5").await;
    let asked = w.submit(w.asha, NEXT_MONDAY, NEXT_MONDAY).await.unwrap().request.id;
    w.feast(NEXT_MONDAY).await;
    w.run_jobs().await;
    w.approve(&w.manager(w.manager), asked).await.unwrap();
    assert_eq!((w.days(asked).await, w.taken().await), ("0".into(), 960));
    w.no_holiday(NEXT_MONDAY).await;
    w.run_jobs().await;
    assert_eq!((w.days(asked).await, w.taken().await), ("1".into(), 3 * 480));
}

async fn other_patterns_and_workplaces_count(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "10").await;
    let id = w.approved(MONDAY, FRIDAY).await;
    let short = w.pattern("short", WorkWeek { friday: 240, ..WorkWeek::monday_to_friday(480) }).await;
    let four = w.pattern("four", WorkWeek { monday: 0, friday: 0, ..WorkWeek::monday_to_friday(480) }).await;
    let patterns = w.hrms.work_patterns();
    let from = |work_pattern_id, from| AssignWorkPattern { work_pattern_id, from, to: None };
    patterns.assign_to_location(&w.hr(), w.office, from(Some(short), date(2026, 12, 1))).await.unwrap();
    w.run_jobs().await;
    assert_eq!((w.days(id).await, w.taken().await), ("4.5".into(), 4 * 480 + 240));
    patterns.assign_to_employee(&w.hr(), w.asha, from(Some(four), WEDNESDAY)).await.unwrap();
    w.run_jobs().await;
    assert_eq!((w.days(id).await, w.taken().await), ("4".into(), 4 * 480));
    let trail = w.trail(id).await;
    assert_eq!(trail.last().map(|one| &one.because), Some(&RecountCause::EmployeeWorkPattern));
    // A leave that is over before the change is none of it.
    patterns.assign_to_employee(&w.hr(), w.asha, from(None, NEXT_MONDAY)).await.unwrap();
    w.run_jobs().await;
    assert_eq!(w.trail(id).await.len(), 2);

    let mut tx = store.begin(w.tenant).await.unwrap();
    let chennai = location("chennai");
    tx.locations().insert(&chennai).await.unwrap();
    tx.commit().await.unwrap();
    let new = NewHolidayCalendar { code: "chennai".into(), name: "Chennai".into() };
    let there = w.hrms.holidays().create(&w.hr(), new).await.unwrap().id;
    let (kind, repeats) = Default::default();
    let on_date = MONDAY + 1.day();
    let feast = NewHoliday { on_date, name: "Feast".into(), kind, repeats, observed_for: None };
    w.hrms.holidays().add(&w.hr(), there, feast).await.unwrap();
    let assign = AssignHolidayCalendar { holiday_calendar_id: Some(there), from: on_date, to: None };
    w.hrms.holidays().assign_to_location(&w.hr(), chennai.id, assign).await.unwrap();
    let moved = ChangeEmployment {
        from: MONDAY,
        department_id: Patch::Keep,
        designation_id: Patch::Keep,
        location_id: Patch::Set(chennai.id),
        manager_id: Patch::Keep,
        employment_type: Patch::Keep,
        status: Patch::Keep,
    };
    w.hrms.employees().change_employment(&w.hr(), w.asha, moved).await.unwrap();
    w.run_jobs().await;
    assert_eq!((w.days(id).await, w.taken().await), ("3".into(), 3 * 480), "a feast there, no short Friday");
    let ended = EndEmployment { last_day: WEDNESDAY, reason: None };
    w.hrms.employees().end_employment(&w.hr(), w.asha, ended).await.unwrap();
    w.run_jobs().await;
    assert_eq!((w.days(id).await, w.taken().await), ("2".into(), 2 * 480));
    assert_eq!(w.trail(id).await.last().map(|one| &one.because), Some(&RecountCause::Employment));
}

/// A holiday in the gap beside a leave changes what the leave pays for, whoever counts first.
async fn days_off_between_are_counted_again(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "20").await;
    w.sandwich(SandwichRule::WeekendsAndHolidays).await;
    let friday = w.approved(FRIDAY, FRIDAY).await;
    let tuesday = w.approved(NEXT_MONDAY + 1.day(), NEXT_MONDAY + 2.days()).await;
    assert_eq!((w.days(friday).await, w.days(tuesday).await), ("1".into(), "2".into()), "Monday is worked");
    w.feast(NEXT_MONDAY).await;
    w.run_jobs().await;
    assert_eq!((w.days(friday).await, w.days(tuesday).await), ("1".into(), "5".into()));
    assert_eq!(w.taken().await, 6 * 480);
    w.cancel(&w.employee(w.asha), friday).await.unwrap();
    assert_eq!((w.days(tuesday).await, w.taken().await), ("2".into(), 2 * 480));
    let causes: Vec<_> = w.trail(tuesday).await.into_iter().map(|one| one.because).collect();
    assert!(
        matches!(causes[..], [RecountCause::HolidayCalendar { .. }, RecountCause::Neighbour { .. }]),
        "{causes:?}"
    );
}

/// Rules stay those that were known when the request was made; what nobody changed comes to the same.
async fn counting_again_without_a_change_changes_nothing(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "60").await;
    w.sandwich(SandwichRule::Weekends).await;
    let mut ids = Vec::new();
    for (first, last) in [(4, 4), (7, 9), (11, 14), (16, 16), (21, 24)] {
        let day = |day| date(2026, 12, day);
        ids.push(w.approved(day(first), day(last)).await);
    }
    let half =
        SubmitLeave { start_part: DayPart::SecondHalf, ..w.ask(date(2026, 12, 18), date(2026, 12, 18)) };
    ids.push(w.hrms.leave().submit(&w.employee(w.asha), half).await.unwrap().request.id);
    let counts = |w: &World| {
        let (hrms, hr, ids) = (w.hrms.clone(), w.hr(), ids.clone());
        async move {
            let mut all = Vec::new();
            for id in ids {
                all.push(hrms.leave().get(&hr, id).await.unwrap().day_count);
            }
            all
        }
    };
    let (before, taken) = (counts(&w).await, w.taken().await);
    w.sandwich(SandwichRule::None).await;
    let feasts = [7, 8, 11, 15, 17, 25].map(|day| date(2026, 12, day));
    for feast in feasts {
        w.feast(feast).await;
    }
    w.run_jobs().await;
    assert_ne!(counts(&w).await, before);
    for feast in feasts {
        w.no_holiday(feast).await;
    }
    w.run_jobs().await;
    assert_eq!((counts(&w).await, w.taken().await), (before, taken));
}

/// Two nodes run the jobs while requests are being made: nobody's leave is counted by a calendar that isn't so.
async fn nodes_and_requests_at_once(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "100").await;
    let days: Vec<Date> =
        (0..8).map(|week| MONDAY + (7 * week).days()).filter(|day| day.year() == 2026).collect();
    for day in &days {
        let (asked, ()) = tokio::join!(w.submit(w.asha, *day, *day + 1.day()), w.feast(*day));
        let id = asked.unwrap().request.id;
        let manager = w.manager(w.manager);
        let node = || w.run_jobs();
        let ((), (), approved) = tokio::join!(node(), node(), w.approve(&manager, id));
        approved.unwrap();
        w.run_jobs().await;
        assert_eq!(w.days(id).await, "1", "{day}");
    }
    assert_eq!(w.taken().await, 480 * i64::try_from(days.len()).unwrap());
    let w = &w;
    // The same holiday is recounted by many at once.
    w.feast(MONDAY + 1.day()).await;
    w.no_holiday(MONDAY + 1.day()).await;
    w.feast(MONDAY + 1.day()).await;
    all_at_once((0..4).map(|_| w.run_jobs())).await;
    assert_eq!(w.taken().await, 480 * (i64::try_from(days.len()).unwrap() - 1));
}

/// Another calendar at the workplace, a holiday that is moved, renamed or chosen only: each counts as it says.
async fn calendars_of_the_workplace_count(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "10").await;
    let id = w.approved(MONDAY, FRIDAY).await;
    let (holidays, hr) = (w.hrms.holidays(), w.hr());
    w.feast(WEDNESDAY).await;
    w.run_jobs().await;
    let w = &w;
    let change = |patch| async move {
        let on = holidays.list(&w.hr(), w.calendar, None, None).await.unwrap().remove(0);
        holidays.change_holiday(&w.hr(), w.calendar, on.on_date, on.version, patch).await.unwrap()
    };
    // Moved to another day of the leave, then renamed, then out of it.
    change(HolidayPatch { on_date: Patch::Set(FRIDAY), ..HolidayPatch::default() }).await;
    w.run_jobs().await;
    let view = w.request(id).await;
    assert_eq!((view.request.days.as_str(), w.taken().await), ("4", 4 * 480));
    assert_eq!((view.day_count[2].minutes, view.day_count[4].minutes), (480, 0));
    let count = w.postings().await;
    change(HolidayPatch { name: Patch::Set("Fête".into()), ..HolidayPatch::default() }).await;
    w.run_jobs().await;
    assert_eq!(w.request(id).await.day_count[4].holiday.as_deref(), Some("Fête"));
    assert_eq!(w.postings().await, count, "another name takes nothing");
    change(HolidayPatch { kind: Patch::Set(HolidayKind::Restricted), ..HolidayPatch::default() }).await;
    w.run_jobs().await;
    assert_eq!(w.days(id).await, "5", "a working day for whoever doesn't choose it");
    change(HolidayPatch { kind: Patch::Set(HolidayKind::Company), ..HolidayPatch::default() }).await;
    w.run_jobs().await;
    assert_eq!(w.days(id).await, "4");
    let none = AssignHolidayCalendar { holiday_calendar_id: None, from: WEDNESDAY, to: Some(NEXT_MONDAY) };
    holidays.assign_to_location(&hr, w.office, none).await.unwrap();
    w.run_jobs().await;
    assert_eq!((w.days(id).await, w.taken().await), ("5".into(), 5 * 480));
    let because = w.trail(id).await.pop().unwrap().because;
    assert_eq!(because, RecountCause::LocationHolidayCalendar { location_id: w.office });
}

/// P5, P14: leave of days after the last one of an employment is given back, whether the end comes or moves; when the end was a
/// mistake, it is taken again.
async fn leave_after_the_last_day_is_given_back(store: &support::Fresh) {
    let w = World::new(store).await;
    // What the world did before has been looked at: the first job that finds a difference names itself as the cause.
    w.run_jobs().await;
    w.grant(w.asha, "10").await;
    let week = w.approved(MONDAY, FRIDAY).await;
    let later = w.approved(NEXT_MONDAY, NEXT_MONDAY + 1.day()).await;
    let asked = w.submit(w.asha, NEXT_MONDAY + 2.days(), NEXT_MONDAY + 2.days()).await.unwrap().request.id;
    let wr = &w;
    let ends = |last_day| async move {
        let end = EndEmployment { last_day, reason: None };
        wr.hrms.employees().end_employment(&wr.hr(), wr.asha, end).await.unwrap();
        wr.run_jobs().await;
        let days = [wr.days(week).await, wr.days(later).await, wr.days(asked).await];
        (days.join(" "), wr.taken().await / 480)
    };
    assert_eq!(w.balance(w.asha, None).await, ["10", "7", "1", "0", "2"]);
    assert_eq!(ends(WEDNESDAY).await, ("3 0 0".into(), 3));
    assert_eq!(w.balance(w.asha, None).await, ["10", "3", "0", "0", "7"]);
    assert_eq!(ends(MONDAY).await, ("1 0 0".into(), 1));
    let trail = w.trail(week).await;
    assert_eq!(trail.len(), 2);
    assert!(trail.iter().all(|one| one.because == RecountCause::Employment), "{trail:?}");
    assert_eq!(w.request(later).await.day_count[0].reason, hrms_core::leave::DayReason::NotEmployed);
    let told = w.events().await.into_iter().filter(|event| event.kind == "leave_request.recounted");
    assert_eq!(told.count(), 4);
    // Nobody approves what is asked for days without employment; what was approved stays so.
    assert_eq!(code(w.approve(&w.manager(w.manager), asked).await), "leave.not-employed");
    assert_eq!(w.request(later).await.request.status, RequestStatus::Approved);
    // The end was a mistake.
    let text = serde_json::json!({ "from": MONDAY + 1.day(), "extend": true, "location_id": w.office });
    let back = serde_json::from_value(text).unwrap();
    w.hrms.employees().correct_employment(&w.hr(), w.asha, back).await.unwrap();
    w.run_jobs().await;
    assert_eq!((w.days(week).await, w.days(later).await), ("5".into(), "2".into()));
    assert_eq!(
        (w.balance(w.asha, None).await, w.taken().await / 480),
        (["10", "7", "1", "0", "2"].map(Into::into), 7)
    );
}

hrms_tests::on_every_engine!(
    calendars_of_the_workplace_count,
    a_holiday_announced_late_gives_days_back,
    leave_may_come_to_nothing_and_back,
    other_patterns_and_workplaces_count,
    days_off_between_are_counted_again,
    counting_again_without_a_change_changes_nothing,
    nodes_and_requests_at_once,
    leave_after_the_last_day_is_given_back,
);
