//! The service of an employee as plans see it: which rules and level are in force on which days.

use jiff::civil::{Date, date};

use super::calendar::{Days, leave_year, next_of, periods};
use super::rules::{AccrualLevel, Eligibility, LevelChange, PolicyRules};
use crate::employee::Gender;
use crate::employment::{Record, Timeline};
use crate::id::LeavePolicyVersionId;
use crate::period::Period;

/// After every day that can be stored, so that an open period has an end.
pub(super) const END_OF_TIME: Date = date(2300, 1, 1);

/// Rules that an employee has during a period.
#[derive(Clone, Copy, Debug)]
pub struct Term<'a> {
    /// When.
    pub period: Period,
    /// The version of the policy that says so.
    pub version: LeavePolicyVersionId,
    /// What it says.
    pub rules: &'a PolicyRules,
}

/// What one day of an employee's calendar was for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayWork {
    /// Minutes that are worked on this day by the working pattern.
    pub scheduled: i64,
    /// Minutes of them that were worked.
    pub worked: i64,
    /// Minutes of unpaid absence.
    pub unpaid: i64,
}

/// Everything that accrual depends on (P6). It looks at nothing else, not even a clock.
#[derive(Clone, Copy)]
pub struct PlanFacts<'a> {
    /// The rules in force, by period; periods don't overlap.
    pub terms: &'a [Term<'a>],
    /// The employment.
    pub employment: &'a Timeline,
    /// The employee's gender, as far as a law wants to know.
    pub gender: Option<Gender>,
    /// The minutes that one day of leave stands for.
    pub minutes_per_day: i64,
    /// What the days of the employee's calendar were for.
    pub work: &'a (dyn Fn(Date) -> DayWork + Sync),
}

impl std::fmt::Debug for PlanFacts<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlanFacts").field("terms", &self.terms).finish_non_exhaustive()
    }
}

/// Days on which one level of one version of a policy is in force for somebody who is employed and eligible.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span<'a> {
    pub days: Days,
    pub term: &'a Term<'a>,
    pub level: &'a AccrualLevel,
    /// Its number, from 0.
    pub index: usize,
    /// The first day of this employment.
    pub joined: Date,
    /// The days of this employment.
    pub employed: Days,
}

fn days(period: Period) -> Days {
    Days { from: period.from(), to: period.to().unwrap_or(END_OF_TIME) }
}

impl<'a> PlanFacts<'a> {
    /// Every span, in order.
    pub(super) fn spans(&self) -> Vec<Span<'a>> {
        let mut spans = Vec::new();
        for employed in self.employment.spells().into_iter().map(|spell| days(spell.period)) {
            for term in self.terms {
                let Some(within) = days(term.period).intersect(employed) else { continue };
                for (index, level, of_level) in levels(term.rules, employed.from, within) {
                    for days in self.eligible(&term.rules.eligibility, employed.from, of_level) {
                        spans.push(Span { days, term, level, index, joined: employed.from, employed });
                    }
                }
            }
        }
        spans.sort_by_key(|span| span.days);
        spans
    }

    /// The parts of `within` on which somebody who joined on a day is eligible.
    fn eligible(&self, rule: &Eligibility, joined: Date, within: Days) -> Vec<Days> {
        let from = rule.after.after(joined);
        let fits =
            rule.genders.as_ref().is_none_or(|list| self.gender.is_some_and(|one| list.contains(&one)));
        let Some(within) = within.intersect(Days { from, to: END_OF_TIME }).filter(|_| fits) else {
            return Vec::new();
        };
        if rule.employment_types.is_none() && rule.locations.is_none() {
            return vec![within];
        }
        let records = self.employment.history().iter().filter(|record| allows(rule, record));
        let mut parts: Vec<Days> = Vec::new();
        for part in records.filter_map(|record| days(record.period).intersect(within)) {
            match parts.last_mut() {
                Some(last) if last.to == part.from => last.to = part.to,
                _ => parts.push(part),
            }
        }
        parts
    }

    /// The term in force on a day.
    pub(super) fn term(&self, day: Date) -> Option<&'a Term<'a>> {
        self.terms.iter().find(|term| term.period.contains(day))
    }

    /// The first day of the employment that covers a day, or of the last one before it.
    pub(super) fn joined(&self, day: Date) -> Option<Date> {
        let spells = self.employment.spells();
        let before = spells.iter().rfind(|spell| spell.period.from() <= day);
        before.or(spells.first()).map(|spell| spell.period.from())
    }
}

fn allows(rule: &Eligibility, record: &Record) -> bool {
    let kind = record.facts.employment_type;
    let place = record.facts.location_id;
    rule.employment_types.as_ref().is_none_or(|list| list.contains(&kind))
        && rule.locations.as_ref().is_none_or(|list| place.is_some_and(|place| list.contains(&place)))
}

/// The days of `within` on which each level is in force.
pub(super) fn levels(
    rules: &PolicyRules,
    joined: Date,
    within: Days,
) -> impl Iterator<Item = (usize, &AccrualLevel, Days)> {
    let plan = rules.accrual.as_ref();
    let levels = plan.map_or(&[][..], |plan| &plan.levels);
    let mut begins: Vec<Date> = Vec::with_capacity(levels.len() + 1);
    for (index, level) in levels.iter().enumerate() {
        let reached = level.after.after(joined);
        let before = index.checked_sub(1).and_then(|before| levels.get(before));
        let begin = match (plan.map(|plan| plan.level_change), before) {
            (Some(LevelChange::NextLeaveYear), Some(_)) => {
                let year = leave_year(rules.leave_year, joined, reached);
                if year.from == reached { reached } else { year.to }
            }
            (Some(LevelChange::NextPeriod), Some(before)) => next_period(before, rules, joined, reached),
            _ => reached,
        };
        // Two levels that begin with the same period: the later one counts.
        begins.push(begin.max(begins.last().copied().unwrap_or(begin)));
    }
    begins.push(END_OF_TIME);
    let spans: Vec<Days> =
        begins.iter().zip(begins.iter().skip(1)).map(|(from, to)| Days { from: *from, to: *to }).collect();
    levels
        .iter()
        .enumerate()
        .zip(spans)
        .filter_map(move |((index, level), span)| Some((index, level, span.intersect(within)?)))
}

/// The first day on or after `reached` on which a period of the level before begins.
fn next_period(before: &AccrualLevel, rules: &PolicyRules, joined: Date, reached: Date) -> Date {
    let ahead = Days { from: reached, to: next_of(super::rules::MonthDay::of(reached), reached) };
    let periods = periods(before, rules.leave_year, joined, ahead);
    periods.iter().map(|period| period.from).find(|from| *from >= reached).unwrap_or(ahead.to)
}
