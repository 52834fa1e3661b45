//! Whether rules make sense, with a fault for each place where they don't.

use super::amount::{Amount, Exact, Rounding, RoundingOf};
use super::rules::{
    AccrualLevel, AccrualPlan, CarryDate, CarryLimit, CarryOver, CompensatoryRules, CreditDay, Earning,
    Frequency, LeaveYear, Length, MonthDay, PeriodStart, PolicyRules, Proration,
};
use crate::error::FieldError;
use crate::leave::MAX_MINUTES;

/// Most levels of a plan.
const MAX_LEVELS: usize = 40;
/// Longest length of service or validity, in days.
const MAX_DAYS: u32 = 100 * 366;

impl PolicyRules {
    /// Every fault of the rules, each with a JSON pointer below `at`, such as `/rules`.
    #[must_use]
    pub fn check(&self, at: &str) -> Vec<FieldError> {
        let mut faults = Faults { found: Vec::new() };
        faults.length(&format!("{at}/eligibility/after"), self.eligibility.after);
        let lists = [
            ("employment_types", self.eligibility.employment_types.as_ref().map(Vec::len)),
            ("genders", self.eligibility.genders.as_ref().map(Vec::len)),
            ("locations", self.eligibility.locations.as_ref().map(Vec::len)),
        ];
        for (name, length) in lists {
            if length.is_some_and(|length| length == 0 || length > 1000) {
                let detail = "name 1 to 1000, or leave it out when it doesn't matter";
                faults.add(format!("{at}/eligibility/{name}"), "out-of-range", detail);
            }
        }
        if let Some(plan) = &self.accrual {
            faults.plan(&format!("{at}/accrual"), plan);
        }
        if let Some(carry) = &self.carry_over {
            faults.limit(&format!("{at}/carry_over/limit"), &carry.limit);
        } else if let Some(plan) = &self.accrual
            && let Some(level) = plan.levels.iter().position(|level| level.carry_over.is_some())
        {
            let detail = "say in /carry_over when leave is carried over";
            faults.add(format!("{at}/accrual/levels/{level}/carry_over"), "contradicts", detail);
        }
        if let Some(rules) = &self.compensatory {
            faults.compensatory(&format!("{at}/compensatory"), rules);
        }
        if let Some(rules) = &self.encashment {
            for (name, amount) in [("most_per_year", rules.most_per_year), ("keep", rules.keep)] {
                faults.claimed(format!("{at}/encashment/{name}"), amount);
            }
        }
        faults.found
    }
}

struct Faults {
    found: Vec<FieldError>,
}

impl Faults {
    fn add(&mut self, pointer: String, code: &'static str, detail: &'static str) {
        self.found.push(FieldError::new(pointer, code, detail));
    }

    fn compensatory(&mut self, at: &str, rules: &CompensatoryRules) {
        if rules.claim_within_days.is_some_and(|days| days > 3660) {
            self.add(format!("{at}/claim_within_days"), "out-of-range", "at most 3660 days");
        }
        if let Some(length) = rules.valid_for {
            self.length(&format!("{at}/valid_for"), length);
            if days(length) == 0 {
                let detail = "leave that is never valid can't be used";
                self.add(format!("{at}/valid_for"), "out-of-range", detail);
            }
        }
    }

    /// An amount of at most what a lot may hold.
    fn claimed(&mut self, at: String, amount: Option<Amount>) {
        let most = Exact::from_integer(MAX_MINUTES.into());
        if amount.is_some_and(|amount| amount.minutes(24 * 60) > most) {
            self.add(at, "out-of-range", "at most 1000 days");
        }
    }

    fn plan(&mut self, at: &str, plan: &AccrualPlan) {
        if plan.levels.is_empty() || plan.levels.len() > MAX_LEVELS {
            self.add(format!("{at}/levels"), "out-of-range", "a plan has 1 to 40 levels");
        }
        for (index, level) in plan.levels.iter().enumerate() {
            self.level(&format!("{at}/levels/{index}"), level);
            let before = index.checked_sub(1).and_then(|before| plan.levels.get(before));
            if before.is_some_and(|before| days(before.after) >= days(level.after)) {
                let detail = "a level begins after more service than the one before it";
                self.add(format!("{at}/levels/{index}/after"), "not-increasing", detail);
            }
            if matches!(plan.proration, Proration::Months(_)) && !fits_months(level.every) {
                let detail = "months can be counted in periods of whole months only";
                self.add(format!("{at}/levels/{index}/every"), "contradicts", detail);
            }
        }
        if let Proration::Months(months) = plan.proration
            && !(1..=31).contains(&months.cutoff_day)
        {
            self.add(format!("{at}/proration/months/cutoff_day"), "out-of-range", "this goes from 1 to 31");
        }
        if let Some(rounding) = plan.rounding {
            self.amount(&format!("{at}/rounding/step"), rounding.step);
            if plan.levels.iter().any(|level| rounds_to_nothing(level, rounding)) {
                let detail =
                    "each credit of a level would be rounded to nothing: round the running_total, or up";
                self.add(format!("{at}/rounding"), "contradicts", detail);
            }
        }
    }

    fn level(&mut self, at: &str, level: &AccrualLevel) {
        self.length(&format!("{at}/after"), level.after);
        match level.earn {
            Earning::PerYear(amount) => self.amount(&format!("{at}/earn/per_year"), amount),
            Earning::PerPeriod(amount) => self.amount(&format!("{at}/earn/per_period"), amount),
            Earning::WorkedDays(worked) if worked.for_each == 0 => {
                self.add(format!("{at}/earn/worked_days/for_each"), "out-of-range", "this is 1 or more");
            }
            Earning::WorkedHours(worked)
                if worked.percent.is_zero() || worked.percent.exact() > 100.into() =>
            {
                let detail = "this is above 0 and at most 100";
                self.add(format!("{at}/earn/worked_hours/percent"), "out-of-range", detail);
            }
            Earning::WorkedDays(_) | Earning::WorkedHours(_) => {}
        }
        if level.every == Frequency::UpFront {
            if level.credit != CreditDay::Start {
                let detail = "leave that is credited up front is credited at the start";
                self.add(format!("{at}/credit"), "contradicts", detail);
            }
            if matches!(level.earn, Earning::WorkedDays(_) | Earning::WorkedHours(_)) {
                let detail = "what was worked isn't known up front";
                self.add(format!("{at}/earn"), "contradicts", detail);
            }
        }
        self.begins(&format!("{at}/begins"), level);
        for (name, cap) in [("balance_cap", level.balance_cap), ("yearly_cap", level.yearly_cap)] {
            if let Some(cap) = cap {
                self.amount(&format!("{at}/{name}"), cap);
            }
        }
        if let Some(limit) = &level.carry_over {
            self.limit(&format!("{at}/carry_over"), limit);
        }
    }

    fn begins(&mut self, at: &str, level: &AccrualLevel) {
        use Frequency::{Daily, HalfYearly, Monthly, Quarterly, TwiceMonthly, UpFront, Weekly, Yearly};
        let fits = match level.begins {
            PeriodStart::LeaveYear => true,
            PeriodStart::JoiningDay => matches!(level.every, Monthly | Quarterly | HalfYearly | Yearly),
            PeriodStart::Weekday(_) => level.every == Weekly,
            PeriodStart::Day(_) => level.every == Monthly,
            PeriodStart::Days(_) => level.every == TwiceMonthly,
            PeriodStart::Date(_) => level.every == Yearly,
            PeriodStart::HalfYears(_) => level.every == HalfYearly,
            PeriodStart::Quarters(_) => level.every == Quarterly,
        };
        if !fits
            || matches!((level.every, level.begins), (UpFront | Daily, start) if start != PeriodStart::LeaveYear)
        {
            self.add(at.to_owned(), "contradicts", "periods of this length don't begin like this");
        }
        let dates: &[MonthDay] = match &level.begins {
            PeriodStart::HalfYears(dates) => dates,
            PeriodStart::Quarters(dates) => dates,
            _ => &[],
        };
        // In a year without 29 February.
        let starts: Vec<_> = dates.iter().map(|date| date.in_year(2001)).collect();
        if !starts.is_sorted_by(|one, two| one < two) {
            self.add(at.to_owned(), "not-increasing", "say different dates, in order of the year");
        }
        match level.begins {
            PeriodStart::Day(day) if !(1..=31).contains(&day) => {
                self.add(format!("{at}/day"), "out-of-range", "this goes from 1 to 31");
            }
            PeriodStart::Days([first, second])
                if !(1..=27).contains(&first) || !(first + 1..=31).contains(&second) =>
            {
                let detail = "the first is 1 to 27, the second comes after it and is at most 31";
                self.add(format!("{at}/days"), "out-of-range", detail);
            }
            _ => {}
        }
    }

    fn limit(&mut self, at: &str, limit: &CarryLimit) {
        // Nothing at all may be carried over, so nought is fine here.
        if let Some(most) = limit.most
            && most.minutes(1440) > i128::from(MAX_MINUTES).into()
        {
            self.add(format!("{at}/most"), "out-of-range", "this is at most 1000 days");
        }
        if let Some(total) = limit.total {
            self.amount(&format!("{at}/total"), total);
        }
        if let Some(length) = limit.valid_for {
            self.length(&format!("{at}/valid_for"), length);
            if days(length) == 0 {
                self.add(format!("{at}/valid_for"), "out-of-range", "this is at least a day");
            }
        }
    }

    fn amount(&mut self, at: &str, amount: Amount) {
        if amount.quantity().is_zero() || amount.minutes(1440) > i128::from(MAX_MINUTES).into() {
            self.add(at.to_owned(), "out-of-range", "this is above 0 and at most 1000 days");
        }
    }

    fn length(&mut self, at: &str, length: Length) {
        if days(length) > MAX_DAYS {
            self.add(at.to_owned(), "out-of-range", "this is at most 100 years");
        }
    }
}

/// About how many days; good enough to compare lengths of service.
fn days(length: Length) -> u32 {
    match length {
        Length::Days(days) => days.into(),
        Length::Months(months) => u32::from(months) * 61 / 2,
        Length::Years(years) => u32::from(years) * 366,
    }
}

/// Whether the credit of a whole period comes to nothing, whatever a day of the leave type stands for.
fn rounds_to_nothing(level: &AccrualLevel, rounding: Rounding) -> bool {
    let part = |amount: Amount, minutes_per_day| {
        let whole = amount.minutes(minutes_per_day);
        match (level.earn, level.every.periods_a_year()) {
            (Earning::PerYear(_), Some(periods)) => whole / Exact::from_integer(periods.into()),
            (Earning::PerYear(_), None) => {
                let days = if level.every == Frequency::Weekly { 7 } else { 1 };
                whole * Exact::new(days, 365)
            }
            _ => whole,
        }
    };
    let (Earning::PerYear(amount) | Earning::PerPeriod(amount)) = level.earn else { return false };
    let is_nothing = |day| rounding.mode.round(part(amount, day), rounding.step.minutes(day)) == 0;
    rounding.of == RoundingOf::Credit && !amount.quantity().is_zero() && is_nothing(480) && is_nothing(1440)
}

const fn fits_months(every: Frequency) -> bool {
    !matches!(every, Frequency::Daily | Frequency::Weekly | Frequency::TwiceMonthly)
}

impl CarryOver {
    /// The day of the year on which leave is carried over, for somebody who joined on a day.
    #[must_use]
    pub(super) fn day(&self, leave_year: LeaveYear, joined: jiff::civil::Date) -> MonthDay {
        match (self.on, leave_year) {
            (CarryDate::Date(day), _) | (CarryDate::LeaveYear, LeaveYear::On(day)) => day,
            (CarryDate::Anniversary, _) | (CarryDate::LeaveYear, LeaveYear::Anniversary) => {
                MonthDay::of(joined)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(level: &str, rest: &str) -> Vec<String> {
        let text = format!(r#"{{"accrual": {{"levels": [{level}]{rest}}}}}"#);
        let rules: PolicyRules = serde_json::from_str(&text).unwrap();
        rules.check("/rules").into_iter().map(|fault| format!("{} {}", fault.pointer, fault.code)).collect()
    }

    #[test]
    fn good_rules_have_no_faults() {
        let level = r#"{"earn":{"per_year":{"days":"18"}},"every":"monthly"}"#;
        assert_eq!(faults(level, ""), [""; 0]);
        assert_eq!(faults(level, r#","proration":{"months":{"cutoff_day":15}}"#), [""; 0]);
        assert_eq!(PolicyRules::default().check("/rules"), []);
    }

    #[test]
    fn each_fault_is_pointed_at() {
        let one = |level: &str| faults(level, "").join(",");
        let level = |more: &str| format!(r#"{{"earn":{{"per_year":{{"days":"18"}}}},{more}}}"#);
        let at = "/rules/accrual/levels/0";
        for (more, fault) in [
            (r#""every":"up_front""#, "/credit contradicts"),
            (r#""every":"weekly","begins":{"day":3}"#, "/begins contradicts"),
            (r#""every":"daily","begins":"joining_day""#, "/begins contradicts"),
            (r#""every":"monthly","begins":{"day":32}"#, "/begins/day out-of-range"),
            (r#""every":"monthly","begins":{"day":-1}"#, "/begins/day out-of-range"),
            (r#""every":"twice_monthly","begins":{"days":[28,29]}"#, "/begins/days out-of-range"),
            (r#""every":"half_yearly","begins":{"half_years":["07-01","01-01"]}"#, "/begins not-increasing"),
            (r#""every":"half_yearly","begins":{"half_years":["02-28","02-29"]}"#, "/begins not-increasing"),
            (r#""every":"monthly","balance_cap":{"days":"0"}"#, "/balance_cap out-of-range"),
            (r#""every":"monthly","yearly_cap":{"days":"1001"}"#, "/yearly_cap out-of-range"),
            (r#""every":"monthly","after":{"years":101}"#, "/after out-of-range"),
            (r#""every":"monthly","carry_over":{}"#, "/carry_over contradicts"),
        ] {
            assert_eq!(one(&level(more)), format!("{at}{fault}"), "{more}");
        }
        let worked = r#"{"earn":{"worked_hours":{"percent":"100.1"}},"every":"monthly"}"#;
        assert_eq!(one(worked), format!("{at}/earn/worked_hours/percent out-of-range"));
        let worked = r#"{"earn":{"worked_days":{"for_each":0}},"every":"yearly"}"#;
        assert_eq!(one(worked), format!("{at}/earn/worked_days/for_each out-of-range"));
        assert_eq!(faults("", ""), ["/rules/accrual/levels out-of-range"]);
        let rounded = |earn: &str, rest: &str| {
            let level = format!(r#"{{"earn":{{{earn}}},"every":"daily"}}"#);
            faults(&level, &format!(r#","rounding":{{"step":{{"days":"1"}},{rest}}}"#)).join(",")
        };
        let (yearly, nothing) = (r#""per_year":{"days":"18"}"#, "/rules/accrual/rounding contradicts");
        assert_eq!(rounded(yearly, r#""mode":"nearest""#), nothing);
        assert_eq!(rounded(yearly, r#""mode":"down""#), nothing);
        assert_eq!(rounded(yearly, r#""mode":"up""#), "");
        assert_eq!(rounded(yearly, r#""mode":"nearest","of":"running_total""#), "");
        assert_eq!(rounded(r#""per_period":{"hours":"2"}"#, r#""mode":"nearest""#), nothing);
        assert_eq!(rounded(r#""per_period":{"days":"0.5"}"#, r#""mode":"nearest""#), "");
        let monthly = r#"{"earn":{"per_year":{"days":"5"}},"every":"monthly"}"#;
        let halves = r#","rounding":{"mode":"nearest","step":{"days":"1"}}"#;
        assert_eq!(faults(monthly, halves), [nothing]);
        let weekly = r#"{"earn":{"per_year":{"days":"18"}},"every":"weekly"}"#;
        let months = r#","proration":{"months":{"cutoff_day":0}}"#;
        assert_eq!(
            faults(weekly, months),
            [
                "/rules/accrual/levels/0/every contradicts",
                "/rules/accrual/proration/months/cutoff_day out-of-range"
            ]
        );
        assert_eq!(
            faults(&format!("{weekly},{weekly}"), ""),
            ["/rules/accrual/levels/1/after not-increasing"]
        );
    }
}
