//! On which days leave fits: what limits how much can be used before it expires.

use std::collections::HashMap;

use jiff::ToSpan;
use jiff::civil::Date;

use super::day_count::{CountedDay, DayReason};
use super::ledger::Ledger;
use super::standing::{Standing, WorkDays};
use super::{LeaveType, YEARS_AHEAD};
use crate::error::StoreError;
use crate::id::LeaveTypeId;
use crate::store::Tx;

/// What leave fits on the days of an employee: what is worked then, less leave that was asked for.
#[derive(Debug, Default)]
pub(super) struct FreeDays {
    work: Option<WorkDays>,
    /// Minutes of leave, and the minutes of a day of its type.
    away: HashMap<Date, Vec<(i64, i64)>>,
}

impl FreeDays {
    /// Reads it, as far as lots in force on a day expire afterwards; where none does, nothing is read.
    pub(super) async fn load(
        tx: &mut dyn Tx,
        standing: &Standing,
        as_of: Date,
        ledgers: &[Ledger],
    ) -> Result<Self, StoreError> {
        let far = as_of.saturating_add(YEARS_AHEAD.years());
        let lots = ledgers.iter().flat_map(|ledger| &ledger.lots).filter(|lot| lot.covers(as_of));
        let Some(last) = lots.filter_map(|lot| lot.valid_to).filter(|to| *to <= far).max() else {
            return Ok(Self::default());
        };
        let work = standing.work_days(tx, as_of, last).await?;
        let types = tx.leave_types().all().await?;
        let types: HashMap<LeaveTypeId, i64> =
            types.into_iter().map(|one| (one.id, one.minutes_per_day)).collect();
        let mut away: HashMap<Date, Vec<(i64, i64)>> = HashMap::new();
        for view in tx.leave_requests().live_between(&[standing.employee()], as_of, last).await? {
            let of_day = types.get(&view.request.leave_type_id).copied().unwrap_or(1);
            for day in &view.day_count {
                away.entry(day.date).or_default().push((day.minutes, of_day));
            }
        }
        Ok(Self { work: Some(work), away })
    }

    /// The same with more leave of a type.
    pub(super) fn without<'a>(
        mut self,
        leave_type: &LeaveType,
        days: impl IntoIterator<Item = &'a CountedDay>,
    ) -> Self {
        for day in days {
            self.away.entry(day.date).or_default().push((day.minutes, leave_type.minutes_per_day));
        }
        self
    }

    /// How many minutes of leave of a type fit on a day.
    pub(super) fn fits(&self, day: Date, leave_type: &LeaveType) -> i64 {
        let Some(facts) = self.work.as_ref().map(|work| work.on(day)) else { return 0 };
        if DayReason::of(facts) != DayReason::WorkingDay {
            return 0;
        }
        let whole = leave_type.minutes_per_day;
        let away = self.away.get(&day).into_iter().flatten();
        let away: i64 = away.map(|(minutes, of_day)| minutes * whole / (*of_day).max(1)).sum();
        (facts.working.share_of(whole) - away).max(0)
    }
}
