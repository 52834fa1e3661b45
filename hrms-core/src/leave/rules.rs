//! Which requests are allowed: rules as data, and the pure check that names what a request breaks.

use jiff::ToSpan;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::coded;
use super::day_count::{CountedDay, DayFacts, DayPart, DayReason, total_minutes};
use super::sandwich::{Absence, SandwichRule};
use crate::error::{DomainError, ErrorKind};
use crate::id::{EmployeeId, LeaveTypeId};
use crate::validate::Check;

/// How far around a request other leave is looked at: a year, and the longest run into it.
pub(super) const HORIZON: i64 = 400;

/// The most working days to wait for: fewer than a year of full weeks has, so that all of them lie within [`HORIZON`].
const MAX_WORKING_DAYS: i64 = 250;

/// The most entries of a list of a rule.
const MAX_ENTRIES: usize = 200;

/// What requests for one kind of leave have to keep to. Without any value, everything is allowed but hours.
///
/// Limits in days are decimal numbers of days of the leave type (`"2.5"`) and count what requests take from the balance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RequestRules {
    /// Which days off count when there is leave on both sides of them.
    pub sandwich: SandwichRule,
    /// Whether half days can be asked for.
    pub half_days: bool,
    /// Whether hours of a day can be asked for.
    pub hours: bool,
    /// How many days before its first day a leave has to be asked for.
    pub minimum_notice_days: Option<i64>,
    /// How many days after its first day a leave can still be asked for.
    pub back_dated_days: Option<i64>,
    /// How many days in advance a leave can be asked for at most.
    pub latest_notice_days: Option<i64>,
    /// The most days of a leave without a day of work in it, through all requests for this kind of leave that it consists
    /// of.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub max_consecutive_days: Option<Decimal>,
    /// The most days in each month, quarter or year of the calendar, or in each leave year of the policy.
    pub max_per_period: Vec<PeriodLimit>,
    /// Days on which this kind of leave can't be taken.
    pub blocked: Vec<BlockedDates>,
    /// Kinds of leave that can't be taken right before or after this one.
    pub not_beside: Vec<LeaveTypeId>,
    /// How many days after they joined somebody can take their first day of this leave.
    pub waiting_days: Option<i64>,
    /// How many days somebody has to have worked by the calendar since they joined, before their first day of this leave.
    pub waiting_working_days: Option<i64>,
    /// How many days of leave need no file with them, such as a doctor's certificate; what is longer isn't approved without one. 0
    /// is any leave.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub attachment_over_days: Option<Decimal>,
    /// How many days before approved leave begins employees can still cancel or shorten it by themselves: 1, the default, is until the
    /// day before; 0 is also on its first day; -3 is until three days after it. Those who decide on it always can.
    pub cancel_notice_days: i64,
}

impl Default for RequestRules {
    fn default() -> Self {
        Self {
            sandwich: SandwichRule::None,
            half_days: true,
            hours: false,
            minimum_notice_days: None,
            back_dated_days: None,
            latest_notice_days: None,
            max_consecutive_days: None,
            max_per_period: Vec::new(),
            blocked: Vec::new(),
            not_beside: Vec::new(),
            waiting_days: None,
            waiting_working_days: None,
            attachment_over_days: None,
            cancel_notice_days: 1,
        }
    }
}

coded! {
    /// A period in which leave is limited.
    LimitPeriod {
        /// A month.
        Month = "month",
        /// A quarter: January to March, and so on.
        Quarter = "quarter",
        /// A year.
        Year = "year",
        /// A leave year of the employee's leave policy, in force on the first day of the leave; without one a calendar year.
        LeaveYear = "leave_year",
    }
}

impl LimitPeriod {
    /// The first day of the period that a day is in.
    fn start(self, day: Date) -> Date {
        let month = match self {
            Self::Month => day.month(),
            Self::Quarter => (day.month() - 1) / 3 * 3 + 1,
            Self::Year | Self::LeaveYear => 1,
        };
        Date::new(day.year(), month, 1).unwrap_or(day)
    }
}

/// The most days in each of some periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PeriodLimit {
    /// Of which period.
    pub per: LimitPeriod,
    /// How many days, as a decimal number.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub days: Decimal,
}

/// Days on which leave can't be taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BlockedDates {
    /// The first day.
    #[serde(deserialize_with = "crate::date::strict")]
    pub starts_on: Date,
    /// The last day: it is blocked too.
    #[serde(deserialize_with = "crate::date::strict")]
    pub ends_on: Date,
    /// Why, at most 200 characters.
    #[serde(default)]
    pub reason: Option<String>,
    /// Whom it doesn't concern.
    #[serde(default)]
    pub allowed: Vec<EmployeeId>,
}

/// What a request breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// There are no half days of this leave.
    #[error("this leave is taken in whole days")]
    NoHalfDays,
    /// There are no hours of this leave.
    #[error("this leave isn't taken in hours")]
    NoHours,
    /// It is asked for too late.
    #[error("this leave has to be asked for {days} days before it begins")]
    NoticeTooShort {
        /// The days before its first day.
        days: i64,
    },
    /// It is asked for too long after it began.
    #[error("this leave can be asked for until {days} days after it began")]
    BackDated {
        /// The days after its first day.
        days: i64,
    },
    /// It is asked for too early.
    #[error("this leave can be asked for from {days} days before it begins")]
    TooEarly {
        /// The days before its first day.
        days: i64,
    },
    /// The leave that it is a part of would be too long.
    #[error("at most {most} days of this leave may follow each other, and it would be {would_be}")]
    TooManyConsecutive {
        /// The most days.
        most: Decimal,
        /// The days that it would be.
        would_be: Decimal,
    },
    /// There would be too much of it in some period.
    #[error("at most {most} days of this leave may be taken in a {}, and it would be {would_be}", per.code())]
    TooManyInPeriod {
        /// The most days.
        most: Decimal,
        /// Of which period.
        per: LimitPeriod,
        /// The days that it would be.
        would_be: Decimal,
    },
    /// A day of it is blocked.
    #[error("this leave can't be taken on {on}{}", reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    Blocked {
        /// The first such day.
        on: Date,
        /// Why.
        reason: Option<String>,
    },
    /// It would be right beside a kind of leave that it can't be beside.
    #[error("this leave can't be taken right before or after the leave on {on}")]
    NotBeside {
        /// A day of the other leave.
        on: Date,
    },
    /// The employee hasn't been there for long enough.
    #[error("this leave can be taken from {from} on")]
    WaitingPeriod {
        /// The first day on which it can be taken.
        from: Date,
    },
}

impl DomainError for Violation {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoHalfDays | Self::NoHours => ErrorKind::Invalid,
            _ => ErrorKind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NoHalfDays => "leave.no-half-days",
            Self::NoHours => "leave.no-hours",
            Self::NoticeTooShort { .. } => "leave.notice-too-short",
            Self::BackDated { .. } => "leave.back-dated",
            Self::TooEarly { .. } => "leave.too-early",
            Self::TooManyConsecutive { .. } => "leave.max-consecutive",
            Self::TooManyInPeriod { .. } => "leave.max-per-period",
            Self::Blocked { .. } => "leave.blocked",
            Self::NotBeside { .. } => "leave.not-beside",
            Self::WaitingPeriod { .. } => "leave.waiting-period",
        }
    }
}

/// Leave that an employee has asked for, and what it was counted as.
#[derive(Clone, Debug)]
pub struct CountedLeave {
    /// The leave.
    pub absence: Absence,
    /// Its days.
    pub days: Vec<CountedDay>,
    /// Kinds of leave that it can't be right before or after by its own rules.
    pub not_beside: Vec<LeaveTypeId>,
}

/// What a request is judged by.
#[derive(Debug)]
pub struct Case<'a> {
    /// Whose leave it is.
    pub employee_id: EmployeeId,
    /// What is asked for.
    pub ask: &'a CountedLeave,
    /// What else the employee has asked for, or has, within a year or so.
    pub others: &'a [CountedLeave],
    /// The minutes of a day of this leave.
    pub minutes_per_day: i64,
    /// The day on which it is asked for.
    pub asked_on: Date,
    /// The first day of the employment that the leave is in.
    pub joined_on: Option<Date>,
    /// The first days of leave years around the leave, in order; without any they are those of the calendar.
    pub leave_years: &'a [Date],
}

impl Case<'_> {
    /// The first day of the period that a day is in.
    fn start(&self, per: LimitPeriod, day: Date) -> Date {
        let year = || self.leave_years.iter().rfind(|start| **start <= day).copied();
        if per == LimitPeriod::LeaveYear { year().unwrap_or(per.start(day)) } else { per.start(day) }
    }
}

impl RequestRules {
    /// Everything that a request breaks.
    pub fn violations<'f>(&self, case: &Case<'_>, facts_of: impl Fn(Date) -> DayFacts<'f>) -> Vec<Violation> {
        let mut broken = Vec::new();
        let ask = &case.ask.absence.days;
        let halves = [ask.start_part, ask.end_part].iter().any(|part| *part != DayPart::Full);
        if halves && !self.half_days {
            broken.push(Violation::NoHalfDays);
        }
        if case.ask.absence.hours.is_some() && !self.hours {
            broken.push(Violation::NoHours);
        }
        self.check_dates(case, &facts_of, &mut broken);
        self.check_blocked(case, &mut broken);
        let edges = [Edge::of(case, -1, &facts_of), Edge::of(case, 1, &facts_of)];
        self.check_run(case, &edges, &mut broken);
        self.check_periods(case, &mut broken);
        // A ban holds for both kinds, whichever of them names it and whichever is asked for first.
        for (on, other) in edges.iter().filter_map(|edge| edge.next) {
            let banned = self.not_beside.contains(&other.absence.leave_type_id)
                || other.not_beside.contains(&case.ask.absence.leave_type_id);
            if banned {
                broken.push(Violation::NotBeside { on });
            }
        }
        broken
    }

    fn check_dates<'f>(
        &self,
        case: &Case<'_>,
        facts_of: impl Fn(Date) -> DayFacts<'f>,
        broken: &mut Vec<Violation>,
    ) {
        let starts_on = case.ask.absence.days.starts_on;
        // Negative when it has begun already.
        let notice = notice(case.asked_on, starts_on);
        if let Some(days) = self.minimum_notice_days.filter(|days| notice < *days) {
            broken.push(Violation::NoticeTooShort { days });
        }
        if let Some(days) = self.back_dated_days.filter(|days| -notice > *days) {
            broken.push(Violation::BackDated { days });
        }
        if let Some(days) = self.latest_notice_days.filter(|days| notice > *days) {
            broken.push(Violation::TooEarly { days });
        }
        if let (Some(days), Some(joined_on)) = (self.waiting_days, case.joined_on)
            && let Ok(from) = joined_on.checked_add(days.days())
            && starts_on < from
        {
            broken.push(Violation::WaitingPeriod { from });
        }
        if let (Some(days), Some(joined_on)) = (self.waiting_working_days, case.joined_on)
            && let Some(from) = after_working_days(days, joined_on, starts_on, facts_of)
        {
            broken.push(Violation::WaitingPeriod { from });
        }
    }

    fn check_blocked(&self, case: &Case<'_>, broken: &mut Vec<Violation>) {
        for blocked in self.blocked.iter().filter(|one| !one.allowed.contains(&case.employee_id)) {
            let inside = |day: &&CountedDay| {
                day.minutes > 0 && (blocked.starts_on..=blocked.ends_on).contains(&day.date)
            };
            if let Some(day) = case.ask.days.iter().find(inside) {
                broken.push(Violation::Blocked { on: day.date, reason: blocked.reason.clone() });
            }
        }
    }

    /// LV-49: limits are evaluated over the merged run of days (P9).
    fn check_run(&self, case: &Case<'_>, edges: &[Edge<'_>; 2], broken: &mut Vec<Violation>) {
        let Some(most) = self.max_consecutive_days else { return };
        let joined: i64 = edges.iter().map(|edge| edge.minutes).sum();
        let would_be = in_days(total_minutes(&case.ask.days) + joined, case.minutes_per_day);
        if would_be > most {
            broken.push(Violation::TooManyConsecutive { most, would_be });
        }
    }

    fn check_periods(&self, case: &Case<'_>, broken: &mut Vec<Violation>) {
        for limit in &self.max_per_period {
            let mut starts: Vec<Date> = case
                .ask
                .days
                .iter()
                .filter(|day| day.minutes > 0)
                .map(|day| case.start(limit.per, day.date))
                .collect();
            starts.dedup();
            let same_type = |one: &&CountedLeave| one.absence.leave_type_id == case.ask.absence.leave_type_id;
            for start in starts {
                let all = case.others.iter().filter(same_type).chain([case.ask]).flat_map(|one| &one.days);
                let minutes =
                    all.filter(|day| case.start(limit.per, day.date) == start).map(|day| day.minutes).sum();
                let would_be = in_days(minutes, case.minutes_per_day);
                if would_be > limit.days {
                    broken.push(Violation::TooManyInPeriod { most: limit.days, per: limit.per, would_be });
                    break;
                }
            }
        }
    }

    /// Collects what is wrong with the rules themselves.
    pub(crate) fn check(&self, check: &mut Check) {
        let mut days = |pointer, days: Option<i64>| {
            if days.is_some_and(|days| !(0..=3660).contains(&days)) {
                check.fault(pointer, "out-of-range", "this goes from 0 to 3660 days");
            }
        };
        days("/rules/minimum_notice_days", self.minimum_notice_days);
        days("/rules/back_dated_days", self.back_dated_days);
        days("/rules/latest_notice_days", self.latest_notice_days);
        days("/rules/waiting_days", self.waiting_days);
        if self.waiting_working_days.is_some_and(|days| !(0..=MAX_WORKING_DAYS).contains(&days)) {
            let detail = format!("this goes from 0 to {MAX_WORKING_DAYS} days");
            check.fault("/rules/waiting_working_days", "out-of-range", detail);
        }
        let amount = |days: Decimal| days > Decimal::ZERO && days <= Decimal::from(366) && days.scale() <= 4;
        if self.attachment_over_days.is_some_and(|days| !(days.is_zero() || amount(days))) {
            check.fault("/rules/attachment_over_days", "out-of-range", "this goes from 0 to 366 days");
        }
        if !(-366..=366).contains(&self.cancel_notice_days) {
            check.fault("/rules/cancel_notice_days", "out-of-range", "this goes from -366 to 366 days");
        }
        if let (Some(least), Some(most)) = (self.minimum_notice_days, self.latest_notice_days)
            && least > most
        {
            let detail = "nothing could be asked for: this is before the minimum notice";
            check.fault("/rules/latest_notice_days", "contradicts", detail);
        }
        if self.minimum_notice_days.is_some() && self.back_dated_days.is_some_and(|days| days > 0) {
            let detail = "what needs notice can't be asked for afterwards; say one of the two";
            check.fault("/rules/back_dated_days", "contradicts", detail);
        }
        if self.max_consecutive_days.is_some_and(|days| !amount(days)) {
            check.fault(
                "/rules/max_consecutive_days",
                "out-of-range",
                "this is more than 0 and at most 366 days",
            );
        }
        if !self.max_per_period.iter().all(|limit| amount(limit.days)) {
            check.fault("/rules/max_per_period", "out-of-range", "this is more than 0 and at most 366 days");
        }
        let mut named: Vec<_> = self.max_per_period.iter().map(|limit| limit.per.code()).collect();
        named.sort_unstable();
        if named.windows(2).any(|pair| pair.first() == pair.last()) {
            check.fault("/rules/max_per_period", "duplicate", "one period has two limits");
        }
        let lists = [
            ("/rules/max_per_period", self.max_per_period.len()),
            ("/rules/blocked", self.blocked.len()),
            ("/rules/blocked", self.blocked.iter().map(|one| one.allowed.len()).max().unwrap_or_default()),
            ("/rules/not_beside", self.not_beside.len()),
        ];
        for (pointer, _) in lists.into_iter().filter(|(_, length)| *length > MAX_ENTRIES) {
            check.fault(pointer, "too-many", format!("this may have at most {MAX_ENTRIES} entries"));
        }
        for blocked in self.blocked.iter().take(MAX_ENTRIES) {
            check.date("/rules/blocked", blocked.starts_on);
            check.date("/rules/blocked", blocked.ends_on);
            if blocked.ends_on < blocked.starts_on {
                check.fault("/rules/blocked", "before-start", "the last day is before the first");
            }
            if let Some(reason) = &blocked.reason {
                check.text("/rules/blocked", reason, 1..=200);
            }
        }
    }
}

/// The day after so many working days since somebody joined, when that is after a first day of leave.
fn after_working_days<'f>(
    days: i64,
    joined_on: Date,
    starts_on: Date,
    facts_of: impl Fn(Date) -> DayFacts<'f>,
) -> Option<Date> {
    if days == 0 || joined_on < starts_on.saturating_sub(HORIZON.days()) {
        // Whoever joined so long ago has waited.
        return None;
    }
    let worked = |day: &Date| DayReason::of(facts_of(*day)) == DayReason::WorkingDay;
    let last = starts_on.saturating_add(HORIZON.days());
    let all = joined_on.series(1.day()).take_while(|day| *day <= last).filter(worked);
    let nth = all.take(usize::try_from(days).ok()?).last().unwrap_or(last);
    let from = nth.saturating_add(1.day());
    (starts_on < from).then_some(from)
}

/// The days from one day to another; negative when that is earlier.
pub(super) fn notice(from: Date, to: Date) -> i64 {
    from.duration_until(to).as_hours() / 24
}

fn in_days(minutes: i64, minutes_per_day: i64) -> Decimal {
    let days = Decimal::from(minutes).checked_div(Decimal::from(minutes_per_day));
    days.unwrap_or_default().round_dp(4).normalize()
}

/// What comes right before (or after) a request, with nothing but days off between.
struct Edge<'a> {
    /// Minutes of leave of the same type that it joins.
    minutes: i64,
    /// Leave of another type, if that is what ends the run, and the day of it that comes first.
    next: Option<(Date, &'a CountedLeave)>,
}

impl<'a> Edge<'a> {
    /// Walks from the request backwards (`step` -1) or forwards (1), half day by half day, through days off and leave of
    /// the same type, until a half day of work or of other leave.
    fn of<'f>(case: &Case<'a>, step: i64, facts_of: impl Fn(Date) -> DayFacts<'f>) -> Self {
        let ask = &case.ask.absence;
        let mut edge = Self { minutes: 0, next: None };
        let mut joined: Vec<&CountedLeave> = Vec::new();
        // The half of the first day that lies on the other side of a leave of half a day comes before it.
        let mut inside = false;
        let (mut date, halves) =
            if step < 0 { (ask.days.starts_on, [2, 1]) } else { (ask.days.ends_on, [1, 2]) };
        for _ in 0..HORIZON {
            let facts = facts_of(date);
            if !facts.employed {
                break;
            }
            for half in halves {
                inside |= ask.covers(date, half) || ask.hours.is_some();
                if !inside || DayReason::of(facts).is_off() || ask.covers(date, half) {
                    continue;
                }
                let other = case.others.iter().find(|one| one.absence.covers(date, half));
                match other {
                    Some(other) if other.absence.leave_type_id == ask.leave_type_id => {
                        if !joined.iter().any(|one| one.absence.request_id == other.absence.request_id) {
                            edge.minutes += total_minutes(&other.days);
                            joined.push(other);
                        }
                    }
                    Some(other) => {
                        edge.next = Some((date, other));
                        return edge;
                    }
                    None => return edge,
                }
            }
            match date.checked_add(step.days()) {
                Ok(next) => date = next,
                Err(_) => break,
            }
        }
        edge
    }
}

#[cfg(test)]
mod tests;
