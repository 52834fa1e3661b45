//! The timeline of one employee's employment records, and the changes that keep it in order.

use jiff::civil::Date;

use crate::employment::{Change, EndReason, Facts};
use crate::period::Period;

/// What is true of an employment during one period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// When it is true.
    pub period: Period,
    /// What is true.
    pub facts: Facts,
    /// Whether it was set by a correction rather than by a change.
    pub corrected: bool,
    /// Why the employment ended with this record; `None` when it went on or nobody said why.
    pub end_reason: Option<EndReason>,
}

impl Record {
    /// The part inside `period`. The reason of an end stays with the part that has the end.
    fn within(&self, period: Option<Period>) -> Option<Self> {
        let period = self.period.intersect(period?)?;
        let end_reason = if period.to() == self.period.to() { self.end_reason } else { None };
        Some(Self { period, end_reason, ..*self })
    }
}

/// An uninterrupted employment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spell {
    /// Its days.
    pub period: Period,
    /// Why it ended, if it did and somebody said why.
    pub end_reason: Option<EndReason>,
}

/// Why a timeline can't be changed like this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimelineError {
    /// There is no employment on a day that the change is about.
    #[error("not employed on {on}")]
    NotEmployed {
        /// The day.
        on: Date,
    },
    /// An employment already covers the day or begins later.
    #[error("an employment already covers {on} or begins after it")]
    StillEmployed {
        /// The day.
        on: Date,
    },
    /// Two records are true on the same day.
    #[error("two records cover {on}")]
    Overlap {
        /// The day.
        on: Date,
    },
}

/// An employee's employment records: in order of time, never overlapping, equal neighbours merged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline(Vec<Record>);

impl Timeline {
    /// The timeline of somebody who is hired on a day.
    #[must_use]
    pub fn hired(on: Date, facts: Facts) -> Self {
        Self(vec![Record { period: Period::since(on), facts, corrected: false, end_reason: None }])
    }

    /// Puts stored records in order.
    ///
    /// # Errors
    /// [`TimelineError::Overlap`].
    pub fn from_records(mut records: Vec<Record>) -> Result<Self, TimelineError> {
        records.sort_by_key(|record| record.period.from());
        for (one, two) in records.iter().zip(records.iter().skip(1)) {
            if let Some(both) = one.period.intersect(two.period) {
                return Err(TimelineError::Overlap { on: both.from() });
            }
        }
        Ok(Self(records))
    }

    /// Every record, oldest first.
    #[must_use]
    pub fn history(&self) -> &[Record] {
        &self.0
    }

    /// The record in force on a day; `None` when not employed then.
    #[must_use]
    pub fn at(&self, day: Date) -> Option<&Record> {
        self.0.iter().find(|record| record.period.contains(day))
    }

    /// The first day of the first employment.
    #[must_use]
    pub fn first_day(&self) -> Option<Date> {
        self.0.first().map(|record| record.period.from())
    }

    /// Every uninterrupted employment, oldest first.
    #[must_use]
    pub fn spells(&self) -> Vec<Spell> {
        let mut spells: Vec<Spell> = Vec::new();
        for record in &self.0 {
            match spells.last_mut() {
                Some(last) if last.end_reason.is_none() && last.period.to() == Some(record.period.from()) => {
                    last.period = last.period.before(record.period.from()).map_or(record.period, |period| {
                        Period::new(period.from(), record.period.to()).unwrap_or(period)
                    });
                    last.end_reason = record.end_reason;
                }
                _ => spells.push(Spell { period: record.period, end_reason: record.end_reason }),
            }
        }
        spells
    }

    /// Sets the facts that `change` names on every day of `period`; days without employment become days
    /// of employment. All other days stay as they are. For imported history.
    pub fn assign(&mut self, period: Period, change: &Change) {
        self.rewrite(period, |record| {
            record.facts = change.applied_to(&record.facts);
        });
        self.fill(period, change, false);
        self.merge();
    }

    /// Sets the facts that `change` names from a day on: each until the day on which a change of that same
    /// fact is already planned, or else until the employment ends.
    ///
    /// # Errors
    /// [`TimelineError::NotEmployed`] when there is no employment on that day.
    pub fn change_from(&mut self, day: Date, change: &Change) -> Result<(), TimelineError> {
        let old = self.at(day).ok_or(TimelineError::NotEmployed { on: day })?.facts;
        for single in change.single_facts() {
            let until = self.end_of_run(day, |facts| single.names_equal_facts_of(facts, &old));
            if let Some(period) = Period::new(day, until) {
                self.rewrite(period, |record| record.facts = single.applied_to(&record.facts));
            }
        }
        self.merge();
        Ok(())
    }

    /// Sets the facts that `change` names on every day of `period` and marks what differs as corrected.
    ///
    /// With `extend`, days without employment become days of employment (a hiring date that was too late,
    /// an end that was too early).
    ///
    /// # Errors
    /// [`TimelineError::NotEmployed`] with the first day without employment, unless `extend`.
    pub fn correct(&mut self, period: Period, change: &Change, extend: bool) -> Result<(), TimelineError> {
        if !extend && let Some(gap) = self.gaps(period).first() {
            return Err(TimelineError::NotEmployed { on: gap.from() });
        }
        self.rewrite(period, |record| {
            let facts = change.applied_to(&record.facts);
            record.corrected |= facts != record.facts;
            record.facts = facts;
        });
        self.fill(period, change, true);
        self.merge();
        Ok(())
    }

    /// Ends the employment that covers `last_day` after that day, and drops what was planned for it later.
    ///
    /// # Errors
    /// [`TimelineError::NotEmployed`] when there is none on that day.
    pub fn end(&mut self, last_day: Date, reason: Option<EndReason>) -> Result<(), TimelineError> {
        let not_employed = TimelineError::NotEmployed { on: last_day };
        let spells = self.spells();
        let spell = spells.iter().find(|spell| spell.period.contains(last_day)).ok_or(not_employed)?.period;
        let end = last_day.tomorrow().map_err(|_| not_employed)?;
        let records = std::mem::take(&mut self.0);
        for mut record in records {
            if spell.intersect(record.period).is_some() {
                match record.period.before(end) {
                    Some(period) => record.period = period,
                    None => continue,
                }
                if record.period.contains(last_day) {
                    record.end_reason = reason;
                }
            }
            self.0.push(record);
        }
        Ok(())
    }

    /// Begins a new employment on a day after all former ones.
    ///
    /// # Errors
    /// [`TimelineError::StillEmployed`] when an employment covers that day or begins later.
    pub fn rehire(&mut self, on: Date, facts: Facts) -> Result<(), TimelineError> {
        if self.0.last().is_some_and(|last| last.period.to().is_none_or(|to| to > on)) {
            return Err(TimelineError::StillEmployed { on });
        }
        self.0.push(Record { period: Period::since(on), facts, corrected: false, end_reason: None });
        Ok(())
    }

    /// Every period with a manager, as (period, manager).
    pub fn managers(&self) -> impl Iterator<Item = (Period, crate::id::EmployeeId)> + '_ {
        self.0.iter().filter_map(|record| Some((record.period, record.facts.manager_id?)))
    }

    /// Splits records at the borders of `period` and changes the parts inside.
    fn rewrite(&mut self, period: Period, mut change: impl FnMut(&mut Record)) {
        let mut records = Vec::with_capacity(self.0.len() + 2);
        for record in &self.0 {
            let Some(mut inside) = record.within(Some(period)) else {
                records.push(*record);
                continue;
            };
            change(&mut inside);
            records.extend(record.within(record.period.before(period.from())));
            records.push(inside);
            records.extend(period.to().and_then(|to| record.within(record.period.starting(to))));
        }
        self.0 = records;
    }

    /// The days of `period` without employment.
    fn gaps(&self, period: Period) -> Vec<Period> {
        let mut gaps = Vec::new();
        let mut rest = Some(period);
        for record in &self.0 {
            let Some(open) = rest else { break };
            if record.period.intersect(open).is_some() {
                gaps.extend(open.before(record.period.from()));
                rest = record.period.to().and_then(|to| open.starting(to));
            }
        }
        gaps.extend(rest);
        gaps
    }

    /// Makes the days of `period` without employment days of employment.
    fn fill(&mut self, period: Period, change: &Change, corrected: bool) {
        let facts = change.applied_to(&Facts::default());
        for gap in self.gaps(period) {
            // The employment goes on where it had ended.
            for record in self.0.iter_mut().filter(|record| record.period.to() == Some(gap.from())) {
                record.end_reason = None;
            }
            self.0.push(Record { period: gap, facts, corrected, end_reason: None });
        }
        self.0.sort_by_key(|record| record.period.from());
    }

    /// The end of the uninterrupted employment from `day` on in which `same` holds.
    fn end_of_run(&self, day: Date, same: impl Fn(&Facts) -> bool) -> Option<Date> {
        let mut end = None;
        for record in self.0.iter().filter(|record| record.period.starting(day).is_some()) {
            let joined = record.period.contains(day) || end == Some(record.period.from());
            if !joined || !same(&record.facts) {
                break;
            }
            end = record.period.to();
            if end.is_none() || record.end_reason.is_some() {
                break;
            }
        }
        end
    }

    fn merge(&mut self) {
        self.0.dedup_by(|next, last| {
            let mergeable = last.period.to() == Some(next.period.from())
                && last.end_reason.is_none()
                && last.facts == next.facts
                && last.corrected == next.corrected;
            if mergeable && let Some(period) = Period::new(last.period.from(), next.period.to()) {
                last.period = period;
                last.end_reason = next.end_reason;
            }
            mergeable
        });
    }
}

#[cfg(test)]
mod tests;
