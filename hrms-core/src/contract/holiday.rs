//! Holiday calendars, which locations have which when, and choices of restricted holidays.

use jiff::civil::{Date, date};

use crate::contract::fixture::{Subject, at, id, location, tenant};
use crate::contract::people::hired;
use crate::employment::Facts;
use crate::error::StoreError;
use crate::holiday::{
    CalendarAssignment, Holiday, HolidayCalendar, HolidayCalendarFilter, HolidayCalendarSort, HolidayChange,
    HolidayChoice, HolidayChoiceLimit, HolidayFacts, HolidayKind, HolidayRevision, HolidayThere, Repeats,
};
use crate::id::{HolidayCalendarId, UserId};
use crate::page::{Page, PageRequest, Position};
use crate::period::Period;
use crate::store::Version;

/// A calendar that isn't stored yet.
#[must_use]
pub fn holiday_calendar(code: &str) -> HolidayCalendar {
    HolidayCalendar {
        id: HolidayCalendarId::from_uuid(id()),
        code: code.into(),
        name: format!("Holidays {code} 🎆"),
        revision: 0,
        created_at: at(0),
        updated_at: at(0),
        version: Version::FIRST,
    }
}

/// A holiday that isn't stored yet.
#[must_use]
pub fn holiday(calendar: &HolidayCalendar, on_date: Date) -> Holiday {
    Holiday {
        holiday_calendar_id: calendar.id,
        on_date,
        facts: HolidayFacts {
            name: "दीपावली".into(),
            kind: HolidayKind::Restricted,
            repeats: Repeats::FixedDate,
            observed_for: Some(date(2026, 1, 4)),
            uid: format!("{on_date}@example.com"),
        },
        created_at: at(0),
        updated_at: at(1),
        version: Version::FIRST,
    }
}

fn during(calendar: &HolidayCalendar, from: Date, to: Option<Date>) -> CalendarAssignment {
    CalendarAssignment { holiday_calendar_id: calendar.id, period: Period::new(from, to).unwrap() }
}

/// Calendars, holidays and revisions come back as they went in; lists filter and page; stale versions change nothing.
pub async fn holiday_calendars_are_read_back_as_written(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut tx = store.begin(tenant).await.unwrap();
    let calendars = ["c", "a", "b"].map(holiday_calendar);
    for calendar in &calendars {
        tx.holidays().insert(calendar).await.unwrap();
    }
    let [one, _, three] = &calendars;
    let days = [date(2026, 11, 8), date(2026, 11, 9), date(2027, 1, 26)].map(|day| holiday(one, day));
    tx.holidays().put(&days).await.unwrap();
    let facts = HolidayFacts {
        name: "Diwali".into(),
        kind: HolidayKind::Public,
        observed_for: None,
        ..days[0].facts.clone()
    };
    let renamed = Holiday {
        facts: facts.clone(),
        updated_at: at(9),
        version: Version::FIRST.next(),
        ..days[0].clone()
    };
    tx.holidays().put(std::slice::from_ref(&renamed)).await.unwrap();
    let change =
        HolidayChange { on_date: days[0].on_date, before: Some(days[0].facts.clone()), after: Some(facts) };
    let revisions = [2, 1].map(|revision| HolidayRevision {
        revision,
        changed_at: at(revision),
        changed_by: Some(UserId::from_uuid(id())),
        changes: vec![change.clone(), HolidayChange { after: None, ..change.clone() }],
    });
    for revision in &revisions {
        tx.holidays().add_revision(one.id, revision).await.unwrap();
    }
    tx.commit().await.unwrap();

    let mut tx = store.begin(tenant).await.unwrap();
    let (from, last) = (date(2026, 11, 8), date(2026, 12, 31));
    let there = tx.holidays().holidays(one.id, from, last).await.unwrap();
    assert_eq!(there, [renamed, days[1].clone()]);
    assert_eq!(tx.holidays().holidays(three.id, from, last).await.unwrap(), []);
    tx.holidays().remove_days(one.id, &[from, last]).await.unwrap();
    assert_eq!(tx.holidays().holidays(one.id, from, last).await.unwrap(), [days[1].clone()]);
    assert_eq!(tx.holidays().revisions(one.id, 0).await.unwrap(), revisions);
    assert_eq!(tx.holidays().revisions(one.id, 1).await.unwrap(), revisions[..1]);
    assert_eq!(tx.holidays().revisions(three.id, 0).await.unwrap(), []);
    let everything = HolidayCalendarFilter::default();
    let mut page = PageRequest { sort: HolidayCalendarSort::Code, limit: 2, ..PageRequest::default() };
    let mut codes = Vec::new();
    loop {
        let rows = tx.holidays().list(&everything, &page).await.unwrap();
        let found = Page::from_rows(rows, 2, |row| Position { key: row.code.clone(), id: row.id.as_uuid() });
        codes.extend(found.items.into_iter().map(|row| row.code));
        page.after = found.next;
        if page.after.is_none() {
            break;
        }
    }
    assert_eq!(codes, ["a", "b", "c"]);
    let only = HolidayCalendarFilter { code: Some("b".into()), ..everything.clone() };
    let page = PageRequest::default();
    assert_eq!(tx.holidays().list(&only, &page).await.unwrap(), std::slice::from_ref(three));
    let changed =
        HolidayCalendar { revision: 7, updated_at: at(5), version: Version::FIRST.next(), ..three.clone() };
    tx.holidays().update(&changed, Version::FIRST).await.unwrap();
    let stale = tx.holidays().update(&changed, Version::FIRST).await;
    assert!(matches!(stale, Err(StoreError::Stale)));
    let late = HolidayCalendarFilter { updated_after: Some(at(4)), ..everything };
    assert_eq!(tx.holidays().list(&late, &page).await.unwrap(), std::slice::from_ref(&changed));
    tx.commit().await.unwrap();

    let mut tx = store.begin(tenant).await.unwrap();
    let taken = tx.holidays().insert(&holiday_calendar("a")).await.unwrap_err();
    assert_eq!(taken.constraint(), Some("holiday_calendar_code_key"));
    drop(tx);
    let mut tx = store.begin(tenant).await.unwrap();
    tx.holidays().remove(changed.id, changed.version).await.unwrap();
    assert_eq!(tx.holidays().get(changed.id).await.unwrap(), None);
    let used = tx.holidays().remove(one.id, Version::FIRST).await;
    let used = if used.is_ok() { tx.commit().await } else { used };
    assert!(used.unwrap_err().constraint().is_some());
}

/// P20, P22: each day of a location has the holidays of the one calendar that is in force on it.
pub async fn p22_a_location_has_one_calendar_at_a_time(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut tx = store.begin(tenant).await.unwrap();
    let (state, city) = (holiday_calendar("state"), holiday_calendar("city"));
    let offices = ["pune", "thane"].map(location);
    let (spring, autumn, border) = (date(2026, 3, 3), date(2026, 10, 2), date(2026, 7, 1));
    for calendar in [&state, &city] {
        tx.holidays().insert(calendar).await.unwrap();
        tx.holidays().put(&[spring, autumn, border].map(|day| holiday(calendar, day))).await.unwrap();
    }
    for office in &offices {
        tx.locations().insert(office).await.unwrap();
    }
    let [pune, thane] = [offices[0].id, offices[1].id];
    let periods = vec![during(&state, date(2020, 1, 1), Some(border)), during(&city, border, None)];
    for _ in 0..2 {
        tx.holidays().replace_of_location(pune, &periods).await.unwrap();
    }
    let thanes = vec![during(&state, date(2026, 4, 1), Some(date(2026, 12, 1)))];
    tx.holidays().replace_of_location(thane, &thanes).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin(tenant).await.unwrap();
    let assigned = tx.holidays().of_locations(&[pune, thane]).await.unwrap();
    assert_eq!((assigned.get(&pune), assigned.get(&thane)), (Some(&periods), Some(&thanes)));
    let year = (date(2026, 1, 1), date(2026, 12, 31));
    let found = tx.holidays().between(&[pune, thane], year.0, year.1).await.unwrap();
    let mut seen: Vec<_> =
        found.iter().map(|one: &HolidayThere| (one.on_date, one.location_id == pune)).collect();
    seen.sort_unstable();
    assert_eq!(seen, [(spring, true), (border, false), (border, true), (autumn, false), (autumn, true)]);
    assert!(found.iter().all(|one| one.kind == HolidayKind::Restricted && one.name == "दीपावली"));
    let of_city = |one: &&HolidayThere| one.holiday_calendar_id == city.id;
    assert_eq!(found.iter().filter(of_city).map(|one| one.on_date).collect::<Vec<_>>(), [border, autumn]);
    assert_eq!(tx.holidays().between(&[], year.0, year.1).await.unwrap(), []);
    let mut both = vec![pune, thane];
    both.sort_unstable();
    assert_eq!(tx.holidays().locations_with(state.id, spring, border).await.unwrap(), both);
    assert_eq!(tx.holidays().locations_with(state.id, spring, spring).await.unwrap(), [pune]);
    assert_eq!(tx.holidays().locations_with(state.id, border, border).await.unwrap(), [thane]);
    let overlapping = [during(&state, date(2026, 1, 1), None), during(&city, date(2027, 1, 1), None)];
    let refused = tx.holidays().replace_of_location(pune, &overlapping).await.unwrap_err();
    assert_eq!(refused.constraint(), Some("location_holiday_calendar_no_overlap"));
}

/// Another organisation sees nothing of it, and can't refer to it.
pub async fn holiday_calendars_never_cross_tenants(store: &impl Subject) {
    let (theirs, mine) = (tenant(store).await, tenant(store).await);
    let mut tx = store.begin(theirs).await.unwrap();
    let (state, office) = (holiday_calendar("state"), location("pune"));
    let day = date(2026, 10, 2);
    tx.holidays().insert(&state).await.unwrap();
    tx.holidays().put(&[holiday(&state, day)]).await.unwrap();
    let revision = HolidayRevision { revision: 1, changed_at: at(0), changed_by: None, changes: Vec::new() };
    tx.holidays().add_revision(state.id, &revision).await.unwrap();
    tx.locations().insert(&office).await.unwrap();
    let since = [during(&state, date(2020, 1, 1), None)];
    tx.holidays().replace_of_location(office.id, &since).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin(mine).await.unwrap();
    assert_eq!(tx.holidays().get(state.id).await.unwrap(), None);
    let all = tx.holidays().list(&HolidayCalendarFilter::default(), &PageRequest::default()).await.unwrap();
    assert_eq!(all, []);
    assert_eq!(tx.holidays().holidays(state.id, day, day).await.unwrap(), []);
    assert_eq!(tx.holidays().revisions(state.id, 0).await.unwrap(), []);
    assert_eq!(tx.holidays().between(&[office.id], day, day).await.unwrap(), []);
    assert!(tx.holidays().of_locations(&[office.id]).await.unwrap().is_empty());
    assert_eq!(tx.holidays().locations_with(state.id, day, day).await.unwrap(), []);
    let next = HolidayCalendar { version: Version::FIRST.next(), ..state.clone() };
    let stale = tx.holidays().update(&next, Version::FIRST).await;
    assert!(matches!(stale, Err(StoreError::Stale)));
    tx.holidays().remove_days(state.id, &[day]).await.unwrap();
    tx.holidays().replace_of_location(office.id, &[]).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin(mine).await.unwrap();
    let refused = match tx.holidays().put(&[holiday(&state, day)]).await {
        // SQLite may look only at the end.
        Ok(()) => tx.commit().await,
        Err(error) => {
            drop(tx);
            Err(error)
        }
    };
    assert!(refused.unwrap_err().constraint().is_some());
    let mut tx = store.begin(theirs).await.unwrap();
    assert_eq!(tx.holidays().between(&[office.id], day, day).await.unwrap().len(), 1);
}

/// Limits hold from a year on; choices come back by employee and date, and a day is chosen once.
pub async fn holiday_choices_are_read_back_as_written(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut tx = store.begin(tenant).await.unwrap();
    let (state, city) = (holiday_calendar("state"), holiday_calendar("city"));
    for calendar in [&state, &city] {
        tx.holidays().insert(calendar).await.unwrap();
    }
    let limit = |from_year, most| HolidayChoiceLimit { from_year, most, notice_days: 7 };
    for one in [limit(2027, 3), limit(2026, 1), limit(2027, 366)] {
        tx.holiday_choices().put_limit(state.id, &one).await.unwrap();
    }
    let people =
        [hired(&mut *tx, "1", Facts::default()).await.id, hired(&mut *tx, "2", Facts::default()).await.id];
    let choice = |employee_id, on_date| HolidayChoice {
        employee_id,
        on_date,
        chosen_at: at(3),
        chosen_by: Some(UserId::from_uuid(id())),
    };
    let days = [date(2026, 1, 1), date(2026, 6, 1), date(2026, 12, 31)];
    let mut all: Vec<HolidayChoice> =
        people.iter().flat_map(|one| days.map(|day| choice(*one, day))).collect();
    for one in all.iter().rev() {
        tx.holiday_choices().insert(one).await.unwrap();
    }
    tx.commit().await.unwrap();

    let mut tx = store.begin(tenant).await.unwrap();
    let limits = tx.holiday_choices().limits(&[state.id, city.id]).await.unwrap();
    assert_eq!(limits.get(&state.id), Some(&vec![limit(2026, 1), limit(2027, 366)]));
    assert_eq!(limits.get(&city.id), None);
    all.sort_by_key(|one| (one.employee_id, one.on_date));
    assert_eq!(tx.holiday_choices().chosen(&people, days[0], days[2]).await.unwrap(), all);
    assert_eq!(tx.holiday_choices().chosen(&[], days[0], days[2]).await.unwrap(), []);
    let within =
        tx.holiday_choices().chosen(&people[..1], date(2026, 1, 2), date(2026, 12, 30)).await.unwrap();
    assert_eq!(within.iter().map(|one| one.on_date).collect::<Vec<_>>(), [days[1]]);
    tx.holiday_choices().remove(people[0], &[days[0], days[1]]).await.unwrap();
    tx.holiday_choices().remove(people[0], &[]).await.unwrap();
    assert_eq!(tx.holiday_choices().chosen(&people, days[0], days[2]).await.unwrap().len(), 4);
    let again = tx.holiday_choices().insert(&choice(people[1], days[0])).await.unwrap_err();
    assert_eq!(again.constraint(), Some("holiday_choice_pkey"));
}

/// Another organisation sees nothing of it, and can't choose for whom it doesn't have.
pub async fn holiday_choices_never_cross_tenants(store: &impl Subject) {
    let (theirs, mine) = (tenant(store).await, tenant(store).await);
    let mut tx = store.begin(theirs).await.unwrap();
    let state = holiday_calendar("state");
    tx.holidays().insert(&state).await.unwrap();
    let limit = HolidayChoiceLimit { from_year: 2026, most: 2, notice_days: 0 };
    tx.holiday_choices().put_limit(state.id, &limit).await.unwrap();
    let employee_id = hired(&mut *tx, "1", Facts::default()).await.id;
    let day = date(2026, 10, 2);
    let choice = HolidayChoice { employee_id, on_date: day, chosen_at: at(0), chosen_by: None };
    tx.holiday_choices().insert(&choice).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.begin(mine).await.unwrap();
    assert!(tx.holiday_choices().limits(&[state.id]).await.unwrap().is_empty());
    assert_eq!(tx.holiday_choices().chosen(&[employee_id], day, day).await.unwrap(), []);
    tx.holiday_choices().remove(employee_id, &[day]).await.unwrap();
    tx.commit().await.unwrap();
    for what in ["limit", "choice"] {
        let mut tx = store.begin(mine).await.unwrap();
        let refused = match what {
            "limit" => tx.holiday_choices().put_limit(state.id, &limit).await,
            _ => tx.holiday_choices().insert(&choice).await,
        };
        // One engine refuses at once, the other when it commits.
        assert!(refused.is_err() || tx.commit().await.is_err(), "{what}");
    }
    let mut tx = store.begin(theirs).await.unwrap();
    assert_eq!(tx.holiday_choices().chosen(&[employee_id], day, day).await.unwrap(), [choice]);
}
