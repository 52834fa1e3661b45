//! Cases of accrual with figures, and properties on random plans.

mod cases;
mod ledger;
mod openings;
mod properties;
mod relinked;
mod replayed;
mod settled;

use jiff::civil::{Date, date};
use uuid::Uuid;

use super::*;
use crate::employment::{Facts, Timeline};
use crate::id::LeavePolicyVersionId;
use crate::period::Period;

pub(super) const DAY: i64 = 480;

pub(super) fn rules(text: &str) -> PolicyRules {
    let rules: PolicyRules = serde_json::from_str(text).unwrap();
    assert_eq!(rules.check("/rules"), []);
    rules
}

/// Rules with one level and more of the plan, for a calendar year.
pub(super) fn plan(level: &str, more: &str) -> PolicyRules {
    rules(&format!(r#"{{"accrual": {{"levels": [{{{level}}}]{more}}}}}"#))
}

pub(super) fn hired(on: Date) -> Timeline {
    Timeline::hired(on, Facts::default())
}

pub(super) fn left(on: Date, last_day: Date) -> Timeline {
    let mut timeline = hired(on);
    timeline.end(last_day, None).unwrap();
    timeline
}

/// Works eight hours from Monday to Friday.
pub(super) fn office(day: Date) -> DayWork {
    let works = day.weekday().to_monday_zero_offset() < 5;
    let minutes = if works { DAY } else { 0 };
    DayWork { scheduled: minutes, worked: minutes, unpaid: 0 }
}

pub(super) fn version(number: u128) -> LeavePolicyVersionId {
    LeavePolicyVersionId::from_uuid(Uuid::from_u128(number))
}

pub(super) fn credited_by(
    rules: &PolicyRules,
    employment: &Timeline,
    work: &(dyn Fn(Date) -> DayWork + Sync),
    until: Date,
) -> Vec<Credit> {
    let terms = [Term { period: Period::since(date(1900, 1, 1)), version: version(1), rules }];
    credits(&PlanFacts { terms: &terms, employment, gender: None, minutes_per_day: DAY, work }, until)
}

/// Credits as (date, minutes).
pub(super) fn schedule(rules: &PolicyRules, employment: &Timeline, until: Date) -> Vec<(Date, i64)> {
    credited_by(rules, employment, &office, until).iter().map(|one| (one.on, one.minutes)).collect()
}

pub(super) fn total(rules: &PolicyRules, employment: &Timeline, until: Date) -> i64 {
    schedule(rules, employment, until).iter().map(|(_, minutes)| minutes).sum()
}
