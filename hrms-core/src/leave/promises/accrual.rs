//! P6, P7, P8, P10 and P12 of what is earned, before anything is cut because of what is in hand.

use std::collections::BTreeMap;

use jiff::ToSpan;
use jiff::civil::{Date, date};
use proptest::prelude::*;
use uuid::Uuid;

use super::DAY;
use super::random::{accrual, employment, frequency, leave_year, rounding, rules};
use crate::employment::Timeline;
use crate::id::LeavePolicyVersionId;
use crate::leave::plan::{
    AccrualLevel, AccrualPlan, Amount, Credit, CreditDay, DayWork, Earning, Exact, Frequency, LeaveYear,
    Length, PlanFacts, PolicyRules, Proration, Quantity, RoundingOf, Term, credits,
};
use crate::period::Period;

fn version(number: u128) -> LeavePolicyVersionId {
    LeavePolicyVersionId::from_uuid(Uuid::from_u128(number))
}

/// Eight hours from Monday to Friday, a day of unpaid absence now and then, and leave in August.
fn work(day: Date) -> DayWork {
    if day.weekday().to_monday_zero_offset() > 4 {
        return DayWork::default();
    }
    let unpaid = if day.day() == 13 { DAY } else { 0 };
    let worked = if day.month() == 8 { 0 } else { DAY - unpaid };
    DayWork { scheduled: DAY, worked, unpaid }
}

fn earned(terms: &[Term<'_>], employment: &Timeline, until: Date) -> Vec<Credit> {
    let facts = PlanFacts { terms, employment, gender: None, minutes_per_day: DAY, work: &work };
    credits(&facts, until)
}

fn always(rules: &PolicyRules) -> [Term<'_>; 1] {
    [Term { period: Period::since(date(1900, 1, 1)), version: version(1), rules }]
}

/// Credits by the leave year that they count in.
fn by_year(credits: &[Credit]) -> BTreeMap<Date, Vec<&Credit>> {
    let mut years: BTreeMap<Date, Vec<&Credit>> = BTreeMap::new();
    for one in credits {
        years.entry(one.derivation.leave_year_from).or_default().push(one);
    }
    years
}

fn quota(rules: &PolicyRules, level: usize) -> Option<Exact> {
    match rules.accrual.as_ref()?.levels[level].earn {
        Earning::PerYear(amount) => Some(amount.minutes(DAY)),
        _ => None,
    }
}

const END: Date = date(2026, 7, 1);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// P6: what is earned by a day is the same whenever one looks, and depends on nothing that comes later: neither rules nor
    /// the end of the employment.
    #[test]
    fn p6_the_future_changes_nothing_of_the_past(
        rules in rules(), later in rules(), employment in employment(), days in 0i64..2400, more in 1i64..900,
    ) {
        let until = date(2019, 6, 1) + days.days();
        let now = earned(&always(&rules), &employment, until);
        let far = earned(&always(&rules), &employment, until + more.days());
        prop_assert_eq!(&now[..], &far[..now.len()]);
        prop_assert!(far[now.len()..].iter().all(|one| one.on > until));
        prop_assert!(now.iter().all(|one| employment.at(one.on).is_some() && one.minutes >= 0));
        let mut names: Vec<(Date, Date)> = far.iter().map(|one| (one.served_from, one.on)).collect();
        names.sort_unstable();
        names.dedup();
        prop_assert_eq!(names.len(), far.len(), "two credits of one name");
        // P8 with it: other rules from a day on leave alone what was earned by periods that had ended.
        let change = until + 1.day();
        let terms = [
            Term { period: Period::new(date(1900, 1, 1), Some(change)).unwrap(), version: version(1), rules: &rules },
            Term { period: Period::since(change), version: version(2), rules: &later },
        ];
        let ended = |one: &&Credit| one.derivation.period_to <= change && one.on <= until;
        let split = earned(&terms, &employment, END);
        let split: Vec<&Credit> =
            split.iter().filter(ended).filter(|one| one.derivation.policy_version_id == version(1)).collect();
        prop_assert_eq!(split, now.iter().filter(ended).collect::<Vec<_>>());
    }

    /// P7: no leave year gives more than its amount, of several amounts by levels or versions more than their parts of it, for every
    /// frequency, rounding, proration and cap.
    #[test]
    fn p7_no_year_is_above_its_amount(
        plans in prop::collection::vec((accrual(), 30i64..900), 1..4), year in leave_year(), employment in employment(),
    ) {
        let all: Vec<PolicyRules> = plans.iter().map(|(plan, _)| PolicyRules {
            leave_year: year, accrual: Some(plan.clone()), ..PolicyRules::default()
        }).collect();
        let mut begins = vec![date(1900, 1, 1), date(2019, 6, 1)];
        for (_, days) in &plans {
            begins.push(begins[begins.len() - 1] + days.days());
        }
        begins.remove(1);
        let terms: Vec<Term<'_>> = all.iter().enumerate().map(|(at, rules)| Term {
            period: Period::new(begins[at], (at + 1 < all.len()).then(|| begins[at + 1])).unwrap(),
            version: version(at as u128),
            rules,
        }).collect();
        let credits = earned(&terms, &employment, END);
        for (from, year) in by_year(&credits) {
            let mut used = Exact::from_integer(0);
            for one in year {
                let rules = &all[usize::try_from(one.derivation.policy_version_id.as_uuid().as_u128()).unwrap()];
                if let Some(quota) = quota(rules, one.derivation.level) {
                    used += Exact::from_integer(one.minutes.into()) / quota;
                }
                prop_assert_eq!(
                    one.minutes + one.derivation.cut_by_quota + one.derivation.cut_by_yearly_cap,
                    one.derivation.rounded_minutes
                );
            }
            prop_assert!(used <= Exact::from_integer(1), "{from}: {used}");
        }
    }

    /// P7: the last slice is cut to what is left of the year's amount, not dropped: a year gives what its rounded parts come to,
    /// or all of its amount when that is less.
    #[test]
    fn p7_the_last_slice_is_cut_to_the_remainder(
        days in 1i64..80, (every, begins) in frequency(), rounding in prop::option::of(rounding()),
        credit in prop::sample::select(CreditDay::ALL.to_vec()), year in leave_year(), employment in employment(),
    ) {
        let level = AccrualLevel {
            after: Length::default(),
            earn: Earning::PerYear(Amount::Days(Quantity::parse(&format!("{}.{}", days / 2, days % 2 * 5)).unwrap())),
            every,
            begins,
            credit: if every == Frequency::UpFront { CreditDay::Start } else { credit },
            balance_cap: None,
            yearly_cap: None,
            carry_over: None,
        };
        let rules = plan(year, level, Proration::Days, rounding);
        let quota = days * DAY / 2;
        let credits = earned(&always(&rules), &employment, END);
        for (from, parts) in by_year(&credits) {
            let rounded: i64 = parts.iter().map(|one| one.derivation.rounded_minutes).sum();
            let given: i64 = parts.iter().map(|one| one.minutes).sum();
            prop_assert_eq!(given, rounded.min(quota), "{}", from);
        }
    }

    /// P7 and P10: exact to the minute over the years: without rounding, or with the running total rounded, what is given never
    /// strays from what was earned by more than one step.
    #[test]
    fn p10_rounding_loses_nothing_over_the_years(
        days in 1i64..80, (every, begins) in frequency(), rounding in prop::option::of(rounding()), employment in employment(),
    ) {
        let rounding = rounding.map(|one| crate::leave::plan::Rounding { of: RoundingOf::RunningTotal, ..one });
        let level = AccrualLevel {
            after: Length::default(),
            earn: Earning::PerPeriod(Amount::Hours(Quantity::parse(&format!("{days}.333")).unwrap())),
            every,
            begins,
            credit: if every == Frequency::UpFront { CreditDay::Start } else { CreditDay::End },
            balance_cap: None,
            yearly_cap: None,
            carry_over: None,
        };
        let rules = plan(LeaveYear::default(), level, Proration::Days, rounding);
        let step = rounding.map_or(Exact::from_integer(1), |one| one.step.minutes(DAY));
        for (from, parts) in by_year(&earned(&always(&rules), &employment, END)) {
            let amount = Exact::new(i128::from(days) * 1000 + 333, 1000) * Exact::from_integer(60);
            let exact: Exact = parts.iter().map(|one| amount * one.derivation.part.parse::<Exact>().unwrap()).sum();
            let given: i64 = parts.iter().map(|one| one.minutes).sum();
            let off = Exact::from_integer(given.into()) - exact;
            // A total is in whole minutes, too.
            let most = step + Exact::new(1, 2);
            prop_assert!(off < most && -off < most, "{from}: {given} of {exact}");
        }
    }

    /// P7 and P8: whatever happens within a year (joining, leaving, other levels), by days each day of service counts once: the
    /// parts of the periods are those of the days.
    #[test]
    fn p8_each_day_of_service_counts_once(rules in rules(), later in rules(), employment in employment(), days in 0i64..2000) {
        let change = date(2019, 6, 1) + days.days();
        let terms = [
            Term { period: Period::new(date(1900, 1, 1), Some(change)).unwrap(), version: version(1), rules: &rules },
            Term { period: Period::since(change), version: version(2), rules: &later },
        ];
        let credits = earned(&terms, &employment, END);
        let mut served: Vec<(Date, Date)> =
            credits.iter().map(|one| (one.derivation.served_from, one.derivation.served_to)).collect();
        served.sort_unstable();
        for (one, two) in served.iter().zip(served.iter().skip(1)) {
            prop_assert!(one.1 <= two.0, "{one:?} {two:?}");
        }
        for one in &credits {
            let d = &one.derivation;
            prop_assert!(d.period_from <= d.served_from && d.served_from < d.served_to && d.served_to <= d.period_to);
            let by = if d.served_from < change { version(1) } else { version(2) };
            prop_assert_eq!(d.policy_version_id, by);
        }
    }
}

fn plan(
    leave_year: LeaveYear,
    level: AccrualLevel,
    proration: Proration,
    rounding: Option<crate::leave::plan::Rounding>,
) -> PolicyRules {
    let accrual = AccrualPlan {
        levels: vec![level],
        level_change: Default::default(),
        above_new_cap: Default::default(),
        proration,
        rounding,
        loss_of_pay: Default::default(),
    };
    PolicyRules { leave_year, accrual: Some(accrual), ..PolicyRules::default() }
}
