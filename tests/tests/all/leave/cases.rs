//! Cases of counting and overlap by their ids, through the services. The figures are restated from the collections of
//! cases; those of sandwich rules, limits and patterns are with the tests of what they are about.

use hrms_core::leave::LeaveTypePatch;
use hrms_core::location::NewLocation;
use jiff::ToSpan;

use super::*;

fn days(
    starts_on: Date,
    start_part: DayPart,
    ends_on: Date,
    end_part: Option<DayPart>,
    w: &World,
) -> SubmitLeave {
    SubmitLeave { start_part, end_part, ..w.ask(starts_on, ends_on) }
}

impl World {
    async fn preview(&self, ask: SubmitLeave) -> (String, Vec<Date>) {
        let shown = self.hrms.leave().preview(&self.employee(self.asha), ask).await.unwrap();
        let worked = shown.day_count.iter().filter(|day| day.minutes > 0).map(|day| day.date);
        (shown.days, worked.collect())
    }

    async fn ask_as(&self, ask: SubmitLeave) -> Result<LeaveRequestView, LeaveError> {
        self.hrms.leave().submit(&self.employee(self.asha), ask).await
    }
}

/// LV-27: Monday afternoon to Wednesday. LV-39, LV-41: holidays of the calendar, and a substitute day.
async fn halves_and_holidays(store: &support::Fresh) {
    let w = World::new(store).await;
    let (full, second) = (DayPart::Full, DayPart::SecondHalf);
    let lv_27 = days(date(2026, 6, 8), second, date(2026, 6, 10), Some(full), &w);
    assert_eq!(w.preview(lv_27).await.0, "2.5", "LV-27");
    for (on_date, name) in [
        (date(2026, 6, 4), "Corpus Christi"),
        (date(2026, 12, 25), "Christmas Day"),
        (date(2026, 12, 28), "Boxing Day (substitute day)"),
    ] {
        w.holiday(on_date, name).await;
    }
    let friday = date(2026, 6, 5);
    assert_eq!(w.preview(w.ask(date(2026, 6, 4), friday)).await, ("1".into(), vec![friday]), "LV-39");
    let (eve, after) = (date(2026, 12, 24), date(2026, 12, 29));
    assert_eq!(w.preview(w.ask(eve, after)).await, ("2".into(), vec![eve, after]), "LV-41");
}

/// LV-31, LV-33, leave-app-005: halves that don't overlap, and those that do.
async fn overlaps(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "20").await;
    let (full, first, second) = (DayPart::Full, DayPart::FirstHalf, DayPart::SecondHalf);
    let one = |part| days(MONDAY, part, MONDAY, None, &w);
    let id = w.ask_as(one(first)).await.unwrap().request.id;
    w.approve(&w.manager(w.manager), id).await.unwrap();
    assert_eq!(code(w.ask_as(one(full)).await), "leave.overlaps", "LV-33");
    w.ask_as(one(second)).await.unwrap();
    assert_eq!(w.balance(w.asha, None).await, ["20", "0.5", "0.5", "0", "19"], "LV-31: one day together");
    // leave-app-005, on other days of the week: Tuesday to Saturday, the last day until midday.
    let (tuesday, saturday) = (date(2026, 12, 15), date(2026, 12, 19));
    w.ask_as(days(tuesday, full, saturday, Some(first), &w)).await.unwrap();
    let over = days(saturday.yesterday().unwrap(), full, date(2026, 12, 21), None, &w);
    assert_eq!(code(w.ask_as(over).await), "leave.overlaps", "leave-app-005");
    let touching = days(saturday, second, date(2026, 12, 21), None, &w);
    assert_eq!(w.ask_as(touching).await.unwrap().request.days, "1", "leave-app-005");
}

/// LV-35: a floor of two days below zero, with one day in hand: three can be taken, and no fourth.
async fn a_negative_floor(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "1").await;
    let floor = LeaveTypePatch { allow_negative_minutes: hrms_core::Patch::Set(960), ..Default::default() };
    w.hrms.leave_types().change(&w.hr(), w.annual.id, w.annual.version, floor).await.unwrap();
    let wednesday = MONDAY + 2.days();
    assert_eq!(code(w.submit(w.asha, MONDAY, MONDAY + 3.days()).await), "leave.insufficient-balance");
    w.submit(w.asha, MONDAY, wednesday).await.unwrap();
    assert_eq!(w.balance(w.asha, None).await, ["1", "0", "3", "0", "-2"], "LV-35");
}

/// att-tz-002: a Tuesday is one day wherever it is.
async fn zones_do_not_enter_the_count(store: &support::Fresh) {
    let w = World::new(store).await;
    let tahiti =
        NewLocation { code: "ppt".into(), name: "Papeete".into(), time_zone: "Pacific/Tahiti".into() };
    let tahiti = w.hrms.locations().create(&w.hr(), tahiti).await.unwrap();
    let mut tx = w.store.begin(w.tenant).await.unwrap();
    let mut timeline = tx.employment().timelines_of(&[w.asha]).await.unwrap().remove(&w.asha).unwrap();
    let move_there =
        hrms_core::employment::Change { location_id: hrms_core::Patch::Set(tahiti.id), ..Default::default() };
    timeline.change_from(date(2026, 1, 1), &move_there).unwrap();
    tx.employment().replace_timelines(&[(w.asha, timeline)]).await.unwrap();
    tx.commit().await.unwrap();
    let tuesday = MONDAY.tomorrow().unwrap();
    assert_eq!(w.preview(w.ask(tuesday, tuesday)).await, ("1".into(), vec![tuesday]), "att-tz-002");
    // There it is still Sunday: the request is of that day.
    w.grant(w.asha, "1").await;
    let asked = w.submit(w.asha, tuesday, tuesday).await.unwrap();
    assert_eq!(asked.request.submitted_on, date(2026, 11, 22));
}

hrms_tests::on_every_engine!(halves_and_holidays, overlaps, a_negative_floor, zones_do_not_enter_the_count,);
