//! Timelines against a model: one set of facts (or none) for every day.

use jiff::ToSpan;
use jiff::civil::{Date, date};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::employment::EmploymentStatus;
use crate::id::{DepartmentId, DesignationId};
use crate::patch::Patch;

const DAYS: i32 = 40;

fn day(n: i32) -> Date {
    date(2020, 1, 1).saturating_add(n.days())
}

fn period(from: i32, to: Option<i32>) -> Period {
    Period::new(day(from), to.map(day)).unwrap()
}

fn department(n: u128) -> DepartmentId {
    DepartmentId::from_uuid(Uuid::from_u128(n))
}

fn designation(n: u128) -> DesignationId {
    DesignationId::from_uuid(Uuid::from_u128(n))
}

fn facts(of: u128) -> Facts {
    Facts { department_id: Some(department(of)), ..Facts::default() }
}

fn to_department(n: u128) -> Change {
    Change { department_id: Patch::Set(department(n)), ..Change::default() }
}

/// The facts of every day; one more day than any period ends on stands for the open end.
fn days(timeline: &Timeline) -> Vec<Option<Facts>> {
    (0..=DAYS).map(|n| timeline.at(day(n)).map(|record| record.facts)).collect()
}

fn assert_in_order(timeline: &Timeline) {
    for (one, two) in timeline.history().iter().zip(timeline.history().iter().skip(1)) {
        assert!(one.period.to().is_some_and(|to| to <= two.period.from()), "{one:?} {two:?}");
        let mergeable = one.period.to() == Some(two.period.from())
            && (one.facts, one.corrected) == (two.facts, two.corrected)
            && one.end_reason.is_none();
        assert!(!mergeable, "not merged: {one:?} {two:?}");
    }
}

fn changes() -> impl Strategy<Value = Change> {
    let patch = || prop_oneof![Just(None), Just(Some(None)), (1..4_u128).prop_map(|n| Some(Some(n)))];
    let status =
        prop_oneof![Just(None), Just(Some(EmploymentStatus::Active)), Just(Some(EmploymentStatus::OnNotice))];
    fn as_patch<T>(value: Option<Option<u128>>, wrap: impl Fn(u128) -> T) -> Patch<T> {
        match value {
            None => Patch::Keep,
            Some(None) => Patch::Clear,
            Some(Some(n)) => Patch::Set(wrap(n)),
        }
    }
    (patch(), patch(), status).prop_map(|(one, two, status)| Change {
        department_id: as_patch(one, department),
        designation_id: as_patch(two, designation),
        status,
        ..Change::default()
    })
}

fn periods() -> impl Strategy<Value = Period> {
    (0..DAYS, prop::option::of(1..DAYS))
        .prop_map(|(from, length)| period(from, length.map(|n| (from + n).min(DAYS))))
}

proptest! {
    #[test]
    fn p22_assign_sets_the_named_facts_inside_and_nothing_outside(
        steps in prop::collection::vec((periods(), changes()), 1..12)
    ) {
        let mut timeline = Timeline::default();
        let mut model: Vec<Option<Facts>> = vec![None; days(&timeline).len()];
        for (period, change) in steps {
            timeline.assign(period, &change);
            for (n, facts) in model.iter_mut().enumerate() {
                if period.contains(day(i32::try_from(n).unwrap())) {
                    *facts = Some(change.applied_to(&facts.unwrap_or_default()));
                }
            }
            prop_assert_eq!(&days(&timeline), &model);
            assert_in_order(&timeline);
            let mut again = timeline.clone();
            again.assign(period, &change);
            prop_assert_eq!(&again, &timeline);
            prop_assert_eq!(Timeline::from_records(timeline.history().to_vec()), Ok(timeline.clone()));
        }
    }

    #[test]
    fn a_correction_changes_the_same_days_as_an_assignment_and_marks_them(
        steps in prop::collection::vec((periods(), changes()), 1..6), last in periods(), change in changes()
    ) {
        let mut timeline = Timeline::default();
        for (period, change) in steps {
            timeline.assign(period, &change);
        }
        let before = timeline.clone();
        let mut assigned = timeline.clone();
        assigned.assign(last, &change);
        timeline.correct(last, &change, true).unwrap();
        prop_assert_eq!(days(&timeline), days(&assigned));
        assert_in_order(&timeline);
        for n in 0..=DAYS {
            let (old, new) = (before.at(day(n)), timeline.at(day(n)));
            let differs = old.map(|r| r.facts) != new.map(|r| r.facts);
            prop_assert_eq!(new.is_some_and(|r| r.corrected), differs);
        }
    }

    #[test]
    fn a_change_leaves_the_past_and_the_days_without_employment_alone(
        steps in prop::collection::vec((periods(), changes()), 1..6), on in 0..DAYS, change in changes()
    ) {
        let mut timeline = Timeline::default();
        for (period, change) in steps {
            timeline.assign(period, &change);
        }
        let before = days(&timeline);
        match timeline.change_from(day(on), &change) {
            Err(error) => {
                prop_assert_eq!(error, TimelineError::NotEmployed { on: day(on) });
                prop_assert_eq!(days(&timeline), before);
            }
            Ok(()) => {
                let after = days(&timeline);
                for (n, (old, new)) in before.iter().zip(&after).enumerate() {
                    prop_assert_eq!(old.is_some(), new.is_some());
                    if n < usize::try_from(on).unwrap() {
                        prop_assert_eq!(old, new);
                    }
                }
                let now = after.get(usize::try_from(on).unwrap()).unwrap().unwrap();
                prop_assert_eq!(change.applied_to(&now), now);
            }
        }
        assert_in_order(&timeline);
    }

    #[test]
    fn ending_and_rehiring_leave_order(
        steps in prop::collection::vec((periods(), changes()), 1..6), on in 0..DAYS
    ) {
        let mut timeline = Timeline::default();
        for (period, change) in steps {
            timeline.assign(period, &change);
        }
        let before = timeline.clone();
        if timeline.end(day(on), Some(EndReason::Resignation)).is_ok() {
            prop_assert!(timeline.at(day(on)).is_some_and(|r| r.end_reason == Some(EndReason::Resignation)));
            prop_assert_eq!(timeline.at(day(on)).map(|r| r.facts), before.at(day(on)).map(|r| r.facts));
            if timeline.history().len() == 1 {
                prop_assert!(timeline.at(day(on + 1)).is_none());
                timeline.rehire(day(on + 1), facts(9)).unwrap();
                prop_assert_eq!(timeline.spells().len(), 2);
            }
        } else {
            prop_assert_eq!(&timeline, &before);
        }
        assert_in_order(&timeline);
    }
}

#[test]
fn a_change_gives_way_to_a_planned_change_of_the_same_fact_only() {
    let mut timeline = Timeline::hired(day(0), facts(1));
    timeline.change_from(day(20), &to_department(2)).unwrap();
    let promoted = Change { designation_id: Patch::Set(designation(7)), ..to_department(3) };
    timeline.change_from(day(10), &promoted).unwrap();
    let at = |n| timeline.at(day(n)).map(|r| (r.facts.department_id, r.facts.designation_id)).unwrap();
    assert_eq!(at(9), (Some(department(1)), None));
    assert_eq!(at(10), (Some(department(3)), Some(designation(7))));
    assert_eq!(at(20), (Some(department(2)), Some(designation(7))));
    assert_eq!(timeline.history().len(), 3);
    assert_eq!(timeline.spells(), [Spell { period: period(0, None), end_reason: None }]);
}

#[test]
fn an_end_drops_what_was_planned_and_keeps_later_employments() {
    let mut timeline = Timeline::hired(day(0), facts(1));
    timeline.change_from(day(20), &to_department(2)).unwrap();
    timeline.end(day(30), Some(EndReason::Retirement)).unwrap();
    timeline.rehire(day(35), facts(3)).unwrap();
    timeline.end(day(9), Some(EndReason::Resignation)).unwrap();
    assert_eq!(
        timeline.spells(),
        [
            Spell { period: period(0, Some(10)), end_reason: Some(EndReason::Resignation) },
            Spell { period: period(35, None), end_reason: None }
        ]
    );
    assert_eq!(timeline.end(day(10), None), Err(TimelineError::NotEmployed { on: day(10) }));
    assert_eq!(timeline.rehire(day(20), facts(1)), Err(TimelineError::StillEmployed { on: day(20) }));
    let outside = timeline.correct(period(5, Some(12)), &to_department(4), false);
    assert_eq!(outside, Err(TimelineError::NotEmployed { on: day(10) }));
}

#[test]
fn extending_an_employment_forgets_why_it_had_ended() {
    let mut timeline = Timeline::hired(day(5), facts(1));
    timeline.end(day(9), Some(EndReason::Other)).unwrap();
    timeline.correct(period(8, Some(20)), &to_department(2), true).unwrap();
    assert_eq!(timeline.spells(), [Spell { period: period(5, Some(20)), end_reason: None }]);
    timeline.correct(period(0, Some(5)), &to_department(1), true).unwrap();
    assert_eq!(timeline.first_day(), Some(day(0)));
}

#[test]
fn a_rehire_on_the_next_day_is_a_new_employment() {
    let mut timeline = Timeline::hired(day(0), facts(1));
    timeline.end(day(9), Some(EndReason::EndOfContract)).unwrap();
    timeline.rehire(day(10), facts(1)).unwrap();
    assert_eq!(timeline.spells().len(), 2);
    timeline.assign(period(0, None), &to_department(5));
    assert_eq!(timeline.spells().len(), 2);
    // A change ends with the employment in which it began.
    timeline.change_from(day(3), &to_department(6)).unwrap();
    assert_eq!(timeline.at(day(10)).unwrap().facts.department_id, Some(department(5)));
}

#[test]
fn records_that_overlap_are_refused() {
    let record = |period| Record { period, facts: Facts::default(), corrected: false, end_reason: None };
    let overlapping = Timeline::from_records(vec![record(period(5, None)), record(period(0, Some(6)))]);
    assert_eq!(overlapping, Err(TimelineError::Overlap { on: day(5) }));
}
