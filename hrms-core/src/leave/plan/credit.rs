//! What is credited, when, and why: a pure function of rules, employment and calendar (P6).

use std::collections::HashMap;

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;

use super::amount::{Exact, Rounding, RoundingMode, RoundingOf, decimal_text, floor, whole};
use super::calendar::{Days, days_between, leave_year, periods};
use super::rules::{AccrualPlan, CreditDay, Earning, Frequency, LossOfPay, MonthCutoff, Proration};
use super::service::{PlanFacts, Span};
use crate::id::LeavePolicyVersionId;

/// Leave that is earned, before anything is cut because of what is in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credit {
    /// The first day of the period that was served: no other credit of the account has the same.
    pub served_from: Date,
    /// The day of credit, and the first day on which it can be used.
    pub on: Date,
    /// Minutes.
    pub minutes: i64,
    /// The most that may be in hand with it, in minutes.
    pub balance_cap: Option<i64>,
    /// Where the amount comes from.
    pub derivation: Derivation,
}

/// How the amount of a credit was found. Amounts of minutes have at most four decimals here; inside they are exact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Derivation {
    /// The version of the policy.
    pub policy_version_id: LeavePolicyVersionId,
    /// The number of the level, from 0.
    pub level: usize,
    /// How often the level credits.
    pub every: Frequency,
    /// How credits are rounded; `null`: exact to the minute.
    pub rounding: Option<Rounding>,
    /// The first day of the leave year that it counts in.
    pub leave_year_from: Date,
    /// The first day of the period.
    pub period_from: Date,
    /// The first day after the period.
    pub period_to: Date,
    /// The first day of it that was served.
    pub served_from: Date,
    /// The first day after what was served of it.
    pub served_to: Date,
    /// Minutes for the whole period.
    pub whole_minutes: String,
    /// Which part of it was earned, as a fraction such as `17/31`.
    pub part: String,
    /// The part that unpaid absence took away, as a fraction.
    pub unpaid_part: String,
    /// Minutes before rounding.
    pub exact_minutes: String,
    /// Minutes after rounding.
    pub rounded_minutes: i64,
    /// Minutes cut because the year's amount is reached.
    pub cut_by_quota: i64,
    /// Minutes cut because the most that may be credited in a leave year is reached.
    pub cut_by_yearly_cap: i64,
    /// Minutes cut because the most that may be in hand is reached.
    pub cut_by_balance_cap: i64,
}

/// What a leave year was credited so far.
#[derive(Clone, Debug)]
struct Year {
    /// Exact sum.
    earned: Exact,
    /// Sum after rounding.
    rounded: i64,
    /// The part of the year's amount that is used up: a change of plan within the year splits it (P8).
    used: Exact,
    /// Sum after all cuts.
    credited: i64,
}

impl Default for Year {
    fn default() -> Self {
        let nothing = Exact::from_integer(0);
        Self { earned: nothing, rounded: 0, used: nothing, credited: 0 }
    }
}

/// Every credit up to and including a day, in order of time.
///
/// The sum of a leave year is never above the year's amount, whatever the rounding: the last slice is cut to what
/// is left (P7). A day that belongs to two periods, because plan or level change on it, belongs to the later one.
#[must_use]
pub fn credits(facts: &PlanFacts<'_>, until: Date) -> Vec<Credit> {
    let spans = facts.spans();
    let mut slices = slices(&spans, until);
    slices.sort_by_key(|slice| (slice.on, slice.served.from));
    let mut years: HashMap<Date, Year> = HashMap::new();
    slices.iter().filter_map(|slice| slice.credit(facts, &spans, &mut years)).collect()
}

/// A part of one period during which one level is in force.
struct Slice<'a> {
    span: Span<'a>,
    plan: &'a AccrualPlan,
    period: Days,
    served: Days,
    /// The first day of the period on which anybody's rules are in force for the employee.
    begins: Date,
    on: Date,
    year: Days,
}

fn slices<'a>(spans: &[Span<'a>], until: Date) -> Vec<Slice<'a>> {
    let mut slices = Vec::new();
    for span in spans.iter().copied() {
        let Some(plan) = &span.term.rules.accrual else { continue };
        let rule = span.term.rules.leave_year;
        let reach = Days { from: span.days.from, to: span.days.to.min(until.saturating_add(1.day())) };
        if reach.from >= reach.to {
            continue;
        }
        for period in periods(span.level, rule, span.joined, reach) {
            let Some(served) = period.intersect(span.days) else { continue };
            let on = day_of_credit(&span, served);
            if on <= until {
                // What is credited on the day after a period was earned in the year before it.
                let earned = if span.level.credit == CreditDay::Start { served.from } else { served.last() };
                let year = leave_year(rule, span.joined, earned);
                let same = spans.iter().filter(|other| other.employed == span.employed);
                let begins = same.filter_map(|other| Some(period.intersect(other.days)?.from)).min();
                slices.push(Slice {
                    span,
                    plan,
                    period,
                    served,
                    begins: begins.unwrap_or(served.from),
                    on,
                    year,
                });
            }
        }
    }
    slices
}

fn day_of_credit(span: &Span<'_>, served: Days) -> Date {
    match span.level.credit {
        CreditDay::Start => served.from,
        CreditDay::DayAfter if span.employed.contains(served.to) => served.to,
        CreditDay::End | CreditDay::DayAfter => served.last(),
    }
}

impl Slice<'_> {
    fn credit(
        &self,
        facts: &PlanFacts<'_>,
        spans: &[Span<'_>],
        years: &mut HashMap<Date, Year>,
    ) -> Option<Credit> {
        let whole_amount = self.amount(facts, spans);
        let part = self.part(facts);
        let unpaid = self.unpaid(facts);
        let exact = whole_amount * part * (Exact::from_integer(1) - unpaid);
        let zero = Exact::from_integer(0);
        if exact <= zero {
            return None;
        }
        let year = years.entry(self.year.from).or_default();
        let rounded = self.rounded(exact, facts.minutes_per_day, year);
        let after_quota = rounded.min(self.left_of_quota(facts.minutes_per_day, year));
        let cap = self.span.level.yearly_cap.map(|cap| whole(cap.minutes(facts.minutes_per_day)));
        let minutes = cap.map_or(after_quota, |cap| after_quota.min((cap - year.credited).max(0)));
        if let Some(quota) = self.quota(facts.minutes_per_day) {
            year.used += Exact::from_integer(minutes.into()) / quota;
        }
        year.credited += minutes;
        let derivation = Derivation {
            policy_version_id: self.span.term.version,
            level: self.span.index,
            every: self.span.level.every,
            rounding: self.plan.rounding,
            leave_year_from: self.year.from,
            period_from: self.period.from,
            period_to: self.period.to,
            served_from: self.served.from,
            served_to: self.served.to,
            whole_minutes: decimal_text(whole_amount),
            part: part.to_string(),
            unpaid_part: unpaid.to_string(),
            exact_minutes: decimal_text(exact),
            rounded_minutes: rounded,
            cut_by_quota: rounded - after_quota,
            cut_by_yearly_cap: after_quota - minutes,
            cut_by_balance_cap: 0,
        };
        Some(Credit {
            served_from: self.served.from,
            on: self.on,
            minutes,
            balance_cap: self.span.level.balance_cap.map(|cap| whole(cap.minutes(facts.minutes_per_day))),
            derivation,
        })
    }

    /// The amount of a whole leave year.
    fn quota(&self, minutes_per_day: i64) -> Option<Exact> {
        match self.span.level.earn {
            Earning::PerYear(amount) => Some(amount.minutes(minutes_per_day)),
            _ => None,
        }
    }

    /// Minutes for the whole period.
    fn amount(&self, facts: &PlanFacts<'_>, spans: &[Span<'_>]) -> Exact {
        match self.span.level.earn {
            Earning::PerPeriod(amount) => amount.minutes(facts.minutes_per_day),
            Earning::PerYear(amount) => {
                let share = match self.span.level.every.periods_a_year() {
                    Some(periods) => Exact::new(1, periods.into()),
                    None => Exact::new(self.period.count(), self.year.count().max(1)),
                };
                amount.minutes(facts.minutes_per_day) * share
            }
            Earning::WorkedDays(_) => {
                self.for_worked_days(facts, spans, self.served.to)
                    - self.for_worked_days(facts, spans, self.served.from)
            }
            Earning::WorkedHours(worked) => {
                let minutes: i64 = self.served.iter().map(|day| (facts.work)(day).worked).sum();
                Exact::from_integer(minutes.into()) * worked.percent.exact() / Exact::from_integer(100)
            }
        }
    }

    /// What the days worked in the leave year before a day earn, in minutes: nothing until enough of them were worked. Each counts by
    /// the level that it fell into.
    fn for_worked_days(&self, facts: &PlanFacts<'_>, spans: &[Span<'_>], before: Date) -> Exact {
        let since = self.year.from.max(self.span.employed.from);
        let (mut enough, mut earned) = (false, Exact::from_integer(0));
        for span in spans.iter().filter(|span| span.employed == self.span.employed) {
            let Earning::WorkedDays(worked) = span.level.earn else { continue };
            let Some(here) = span.days.intersect(Days { from: since, to: before }) else { continue };
            let all = worked_days(facts, Days { from: since, to: here.to });
            enough |= all >= Exact::from_integer(worked.at_least.into());
            earned += worked_days(facts, here) / Exact::from_integer(i128::from(worked.for_each).max(1));
        }
        let day = Exact::from_integer(facts.minutes_per_day.into());
        if enough { earned * day } else { Exact::from_integer(0) }
    }

    /// The part of the period's amount that is earned by being there.
    fn part(&self, facts: &PlanFacts<'_>) -> Exact {
        let one = Exact::from_integer(1);
        if matches!(self.span.level.earn, Earning::WorkedDays(_) | Earning::WorkedHours(_)) {
            return one;
        }
        match self.plan.proration {
            Proration::None => {
                // Of several who share a period, one gets it.
                let decides = match self.span.level.credit {
                    CreditDay::Start => self.begins,
                    CreditDay::End | CreditDay::DayAfter => {
                        self.period.intersect(self.span.employed).unwrap_or(self.period).last()
                    }
                };
                if self.served.contains(decides) { one } else { Exact::from_integer(0) }
            }
            Proration::Days => Exact::new(self.served.count(), self.period.count().max(1)),
            Proration::Months(cutoff) => self.months(cutoff),
            Proration::WorkedTime => {
                let scheduled: i64 = self.period.iter().map(|day| (facts.work)(day).scheduled).sum();
                let worked: i64 = self.served.iter().map(|day| (facts.work)(day).worked).sum();
                Exact::new(worked.into(), i128::from(scheduled).max(1)).min(one)
            }
        }
    }

    fn months(&self, cutoff: MonthCutoff) -> Exact {
        let (mut all, mut counted) = (0, 0);
        for month in self.period.months() {
            let day = month.from.saturating_add((i64::from(cutoff.cutoff_day) - 1).days()).min(month.last());
            all += 1;
            counted += i128::from(self.served.contains(day));
        }
        Exact::new(counted, all.max(1))
    }

    /// The part that unpaid absence takes away.
    fn unpaid(&self, facts: &PlanFacts<'_>) -> Exact {
        let nothing = Exact::from_integer(0);
        let by_work = matches!(self.span.level.earn, Earning::WorkedDays(_) | Earning::WorkedHours(_));
        if self.plan.loss_of_pay == LossOfPay::Ignored || by_work {
            return nothing;
        }
        let (mut scheduled, mut unpaid) = (0_i128, 0_i128);
        for day in self.served.iter().map(facts.work) {
            scheduled += i128::from(day.scheduled);
            unpaid += i128::from(day.unpaid);
        }
        if scheduled == 0 { nothing } else { Exact::new(unpaid.clamp(0, scheduled), scheduled) }
    }

    fn rounded(&self, exact: Exact, minutes_per_day: i64, year: &mut Year) -> i64 {
        year.earned += exact;
        let credit = match self.plan.rounding {
            Some(rounding) => {
                let step = rounding.step.minutes(minutes_per_day);
                match rounding.of {
                    RoundingOf::Credit => rounding.mode.round(exact, step),
                    RoundingOf::RunningTotal => rounding.mode.round(year.earned, step) - year.rounded,
                }
            }
            // To the minute; what one credit lacks comes with the next.
            None => RoundingMode::Nearest.round(year.earned, Exact::from_integer(1)) - year.rounded,
        }
        .max(0);
        year.rounded += credit;
        credit
    }

    /// Whole minutes that the year's amount leaves for this slice.
    fn left_of_quota(&self, minutes_per_day: i64, year: &Year) -> i64 {
        self.quota(minutes_per_day)
            .map_or(i64::MAX, |quota| floor(quota * (Exact::from_integer(1) - year.used)).max(0))
    }
}

/// Days worked, a day that was worked in part as that part.
fn worked_days(facts: &PlanFacts<'_>, within: Days) -> Exact {
    let parts = within.iter().map(facts.work).map(|day| match day.scheduled {
        0 => Exact::from_integer(i128::from(day.worked > 0)),
        scheduled => Exact::new(day.worked.into(), scheduled.into()).min(Exact::from_integer(1)),
    });
    parts.fold(Exact::from_integer(0), |sum, part| sum + part)
}

impl Derivation {
    /// The same in a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let served = days_between(self.served_from, self.served_to);
        let all = days_between(self.period_from, self.period_to);
        let mut text = format!(
            "Level {} credits {} minutes {} for {} to {} (exclusive)",
            self.level + 1,
            self.whole_minutes,
            self.every.code().replace('_', " "),
            self.period_from,
            self.period_to
        );
        if self.part != "1" {
            text += &format!("; {served} of {all} days were served, which earns {} of it", self.part);
        }
        if self.unpaid_part != "0" {
            text += &format!("; unpaid absence takes {} of that away", self.unpaid_part);
        }
        text += &format!("; that is {} minutes, rounded {}", self.exact_minutes, self.rounded_minutes);
        for (cut, why) in [
            (self.cut_by_quota, "the year's amount is reached"),
            (self.cut_by_yearly_cap, "the most of a leave year is reached"),
            (self.cut_by_balance_cap, "the most in hand is reached"),
        ] {
            if cut > 0 {
                text += &format!("; {cut} minutes are cut because {why}");
            }
        }
        text + "."
    }
}
