//! Figures of the cases of `leave.json` (LV-…) and `leave-peers.yaml` (leave-…), and of our own.

use super::*;
use crate::employee::Gender;

const LONG_AGO: Date = date(2010, 1, 1);
const MONTHLY_18: &str = r#""earn":{"per_year":{"days":"18"}},"every":"monthly""#;
const MONTHLY_12: &str = r#""earn":{"per_year":{"days":"12"}},"every":"monthly""#;

fn april(level: &str) -> PolicyRules {
    rules(&format!(r#"{{"leave_year": {{"on": "04-01"}}, "accrual": {{"levels": [{{{level}}}]}}}}"#))
}

fn from(date: Date, rules: &PolicyRules, employment: &Timeline, until: Date) -> i64 {
    let credits = schedule(rules, employment, until);
    credits.iter().filter(|(on, _)| *on >= date).map(|(_, minutes)| minutes).sum()
}

/// LV-01: April, May and June: 3 × 1.5.
#[test]
fn monthly_at_the_end_of_the_month() {
    let sum = from(date(2026, 4, 1), &april(MONTHLY_18), &hired(LONG_AGO), date(2026, 6, 30));
    assert_eq!(sum, 9 * DAY / 2);
    let before = from(date(2026, 4, 1), &april(MONTHLY_18), &hired(LONG_AGO), date(2026, 6, 29));
    assert_eq!(before, 3 * DAY);
}

/// LV-05: 184 of 366 days; rounded to halves 6.
#[test]
fn a_joiner_by_days_in_a_leap_year() {
    let level = r#""earn":{"per_year":{"days":"12"}},"every":"up_front","credit":"start""#;
    let joined = hired(date(2028, 7, 1));
    let exact = schedule(&plan(level, ""), &joined, date(2028, 12, 31));
    // 6.0328 days are 2895.7 minutes.
    assert_eq!(exact, [(date(2028, 7, 1), 2896)]);
    let halves = plan(level, r#","rounding":{"mode":"nearest","step":{"days":"0.5"}}"#);
    assert_eq!(total(&halves, &joined, date(2028, 12, 31)), 6 * DAY);
}

/// LV-07: on the cutoff day the month counts; a day later it doesn't. The same at the end.
#[test]
fn joiners_and_leavers_by_months() {
    let level = r#""earn":{"per_year":{"days":"12"}},"every":"yearly""#;
    let rules = plan(level, r#","proration":{"months":{"cutoff_day":15}}"#);
    let year_end = date(2026, 12, 31);
    assert_eq!(total(&rules, &hired(date(2026, 7, 15)), year_end), 6 * DAY);
    assert_eq!(total(&rules, &hired(date(2026, 7, 16)), year_end), 5 * DAY);
    assert_eq!(total(&rules, &left(date(2026, 1, 1), date(2026, 9, 15)), year_end), 9 * DAY);
    assert_eq!(total(&rules, &left(date(2026, 1, 1), date(2026, 9, 14)), year_end), 8 * DAY);
}

/// LV-09 and LV-11: a day for 20 (15) worked, from 180 worked on, half a day or more up.
#[test]
fn by_days_worked() {
    let earned = |for_each: u16, days: usize| {
        let level =
            format!(r#""earn":{{"worked_days":{{"for_each":{for_each},"at_least":180}}}},"every":"yearly""#);
        let rules = plan(&level, r#","rounding":{"mode":"nearest","step":{"days":"1"}}"#);
        let work = |day: Date| DayWork {
            scheduled: DAY,
            worked: if usize::try_from(day.day_of_year()).unwrap() <= days { DAY } else { 0 },
            unpaid: 0,
        };
        let credits = credited_by(&rules, &hired(date(2026, 1, 1)), &work, date(2026, 12, 31));
        credits.iter().map(|one| one.minutes).sum::<i64>() / DAY
    };
    assert_eq!(earned(20, 239), 12);
    assert_eq!(earned(15, 180), 12);
    assert_eq!(earned(20, 180), 9);
    assert_eq!(earned(20, 179), 0);
}

/// How many days were worked in the leave year is counted through versions of the rules and levels.
#[test]
fn enough_days_are_counted_through_the_whole_year() {
    let level = |for_each: u8| {
        format!(r#""earn":{{"worked_days":{{"for_each":{for_each},"at_least":180}}}},"every":"yearly""#)
    };
    let same = plan(&level(20), "");
    let terms = [
        Term {
            period: Period::new(LONG_AGO, Some(date(2025, 7, 1))).unwrap(),
            version: version(1),
            rules: &same,
        },
        Term { period: Period::since(date(2025, 7, 1)), version: version(2), rules: &same },
    ];
    let employment = hired(date(2025, 1, 1));
    let facts = PlanFacts {
        terms: &terms,
        employment: &employment,
        gender: None,
        minutes_per_day: DAY,
        work: &office,
    };
    // 261 working days, of which 129 before July.
    let all = credits(&facts, date(2025, 12, 31));
    let found: Vec<_> = all.iter().map(|one| (one.on, one.minutes)).collect();
    assert_eq!(found, [(date(2025, 12, 31), 261 * DAY / 20)]);
    let levels = rules(&format!(
        r#"{{"accrual": {{"levels": [{{{}}}, {{"after": {{"years": 1}}, {}}}]}}}}"#,
        level(20),
        level(15)
    ));
    let both = schedule(&levels, &hired(date(2024, 7, 1)), date(2025, 12, 31));
    assert_eq!(both, [(date(2025, 12, 31), 129 * DAY / 20 + 132 * DAY / 15)]);
    // Month by month: all of it when the 180th is reached, then what each month adds.
    let monthly = plan(&level(20).replace("yearly", "monthly"), "");
    let months = schedule(&monthly, &hired(date(2025, 1, 1)), date(2025, 12, 31));
    assert_eq!(months.first(), Some(&(date(2025, 9, 30), 195 * DAY / 20)));
    assert_eq!(months.iter().map(|(_, minutes)| minutes).sum::<i64>(), 261 * DAY / 20);
}

/// LV-13: 12.07 % of 104.5 hours are 12.613 hours: 13.
#[test]
fn by_hours_worked() {
    let level = r#""earn":{"worked_hours":{"percent":"12.07"}},"every":"monthly""#;
    let rules = plan(level, r#","rounding":{"mode":"nearest","step":{"hours":"1"}}"#);
    let work = |day: Date| DayWork {
        scheduled: 0,
        worked: match day.day() {
            1..=10 => 600,
            11 => 270,
            _ => 0,
        },
        unpaid: 0,
    };
    let credits = credited_by(&rules, &hired(date(2026, 6, 1)), &work, date(2026, 6, 30));
    assert_eq!(credits.iter().map(|one| one.minutes).collect::<Vec<_>>(), [13 * 60]);
    assert_eq!(credits[0].derivation.exact_minutes, "756.789");
}

/// LV-47: 5 × 1.5 + 1.5 × 10/30 = 8.0, and the last credit comes on the last day.
#[test]
fn a_leaver_in_september() {
    let employment = left(LONG_AGO, date(2026, 9, 10));
    let sum = from(date(2026, 4, 1), &april(MONTHLY_18), &employment, date(2026, 12, 31));
    assert_eq!(sum, 8 * DAY);
    let credits = schedule(&april(MONTHLY_18), &employment, date(2026, 12, 31));
    assert_eq!(credits.last(), Some(&(date(2026, 9, 10), DAY / 2)));
}

/// leave-earn-003 and leave-earn-006: the last allowed slice is cut to the rest of the year's amount.
#[test]
fn the_last_slice_is_cut_not_dropped() {
    let by_year = |days: u8| {
        let level =
            format!(r#""earn":{{"per_year":{{"days":"{days}"}}}},"every":"monthly","credit":"start""#);
        let rules = plan(&level, r#","rounding":{"mode":"nearest","step":{"days":"1"}}"#);
        let credits = schedule(&rules, &hired(date(2026, 1, 1)), date(2026, 12, 31));
        credits.into_iter().map(|(_, minutes)| minutes / DAY).collect::<Vec<_>>()
    };
    assert_eq!(by_year(19), [2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 0, 0]);
    assert_eq!(by_year(22), [2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 0]);
}

/// leave-earn-007c and leave-earn-007f.
#[test]
fn quarters_and_half_years_on_the_first_day() {
    for (every, days) in [("quarterly", 3), ("half_yearly", 6), ("yearly", 12)] {
        let level = format!(r#""earn":{{"per_year":{{"days":"12"}}}},"every":"{every}","credit":"start""#);
        let credits = schedule(&plan(&level, ""), &hired(date(2025, 1, 1)), date(2025, 1, 1));
        assert_eq!(credits, [(date(2025, 1, 1), days * DAY)], "{every}");
    }
}

/// leave-earn-009: 3 × 49/90 = 1.633, to quarters 1.75.
#[test]
fn the_first_quarter_of_a_joiner() {
    let level = r#""earn":{"per_year":{"days":"12"}},"every":"quarterly""#;
    let rules = plan(level, r#","rounding":{"mode":"nearest","step":{"days":"0.25"}}"#);
    let credits = schedule(&rules, &hired(date(2025, 2, 11)), date(2025, 3, 31));
    assert_eq!(credits, [(date(2025, 3, 31), 7 * DAY / 4)]);
}

/// leave-earn-012: eligible after 365 days, from 14 March 2024 on: 2.5 × 18/31 = 1.452.
#[test]
fn nothing_before_eligibility() {
    let rules = rules(
        r#"{"eligibility": {"after": {"days": 365}},
            "accrual": {"levels": [{"earn": {"per_year": {"days": "30"}}, "every": "monthly"}]}}"#,
    );
    let employment = hired(date(2023, 3, 15));
    assert_eq!(schedule(&rules, &employment, date(2024, 3, 13)), []);
    let credits = schedule(&rules, &employment, date(2024, 4, 30));
    // 1.4516 days are 696.8 minutes; the second credit makes up for the fraction.
    assert_eq!(credits, [(date(2024, 3, 31), 697), (date(2024, 4, 30), 1200)]);
}

/// leave-earn-015 without the carried days: two months elapsed.
#[test]
fn past_months_count() {
    assert_eq!(total(&plan(MONTHLY_12, ""), &hired(date(2026, 1, 1)), date(2026, 3, 1)), 2 * DAY);
}

/// leave-accr-003: from the day after joining on, a whole month.
#[test]
fn a_level_begins_after_a_day_of_service() {
    let level =
        r#""after":{"days":1},"earn":{"per_period":{"days":"1"}},"every":"monthly","credit":"day_after""#;
    let credits = schedule(&plan(level, ""), &hired(date(2021, 8, 31)), date(2021, 10, 1));
    assert_eq!(credits, [(date(2021, 10, 1), DAY)]);
}

/// leave-accr-006: 5 days a week by calendar days and by time worked.
#[test]
fn calendar_time_and_worked_time() {
    let level =
        r#""after":{"days":1},"earn":{"per_period":{"days":"5"}},"every":"weekly","credit":"day_after""#;
    let away = date(2021, 9, 2);
    let work =
        |day: Date| DayWork { worked: if day == away { 0 } else { office(day).worked }, ..office(day) };
    let employment = hired(date(2021, 8, 30));
    let sums = |proration: &str| {
        let rules = plan(level, &format!(r#","proration":"{proration}""#));
        [date(2021, 9, 6), date(2021, 9, 13)].map(|until| {
            credited_by(&rules, &employment, &work, until).iter().map(|one| one.minutes).sum::<i64>()
        })
    };
    // 4.2857 and 9.2857 days; 3 and 8 days.
    assert_eq!(sums("days"), [2057, 2057 + 5 * DAY]);
    assert_eq!(sums("worked_time"), [3 * DAY, 8 * DAY]);
}

#[test]
fn credit_on_the_joining_day_is_clamped_and_comes_back() {
    let level =
        r#""earn":{"per_year":{"days":"12"}},"every":"monthly","begins":"joining_day","credit":"start""#;
    let dates: Vec<Date> = schedule(&plan(level, ""), &hired(date(2026, 1, 31)), date(2026, 5, 30))
        .iter()
        .map(|(on, _)| *on)
        .collect();
    assert_eq!(dates, [date(2026, 1, 31), date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)]);
}

#[test]
fn levels_split_the_period_or_wait() {
    let two = |change: &str| {
        rules(&format!(
            r#"{{"accrual": {{"level_change": "{change}", "levels": [
                {{"earn": {{"per_year": {{"days": "12"}}}}, "every": "monthly"}},
                {{"after": {{"years": 1}}, "earn": {{"per_year": {{"days": "24"}}}}, "every": "monthly"}}
            ]}}}}"#
        ))
    };
    let employment = hired(date(2025, 6, 16));
    let june = |change: &str| from(date(2026, 6, 1), &two(change), &employment, date(2026, 7, 31));
    // June: 15 days at 1 and 15 days at 2; July: 2.
    assert_eq!(june("immediate"), 7 * DAY / 2);
    assert_eq!(june("next_period"), 3 * DAY);
    assert_eq!(june("next_leave_year"), 2 * DAY);
    // Reached on the first day of a period, nothing is waited for.
    let on_the_first =
        from(date(2026, 6, 1), &two("next_period"), &hired(date(2025, 6, 1)), date(2026, 6, 30));
    assert_eq!(on_the_first, 2 * DAY);
    assert_eq!(from(date(2027, 1, 1), &two("next_leave_year"), &employment, date(2027, 1, 31)), 2 * DAY);
}

#[test]
fn a_change_of_plan_splits_the_year() {
    let (old, new) =
        (plan(MONTHLY_12, ""), plan(r#""earn":{"per_year":{"days":"24"}},"every":"monthly""#, ""));
    let change = date(2026, 9, 16);
    let terms = [
        Term { period: Period::new(LONG_AGO, Some(change)).unwrap(), version: version(1), rules: &old },
        Term { period: Period::since(change), version: version(2), rules: &new },
    ];
    let employment = hired(date(2026, 1, 1));
    let facts = PlanFacts {
        terms: &terms,
        employment: &employment,
        gender: None,
        minutes_per_day: DAY,
        work: &office,
    };
    let all = credits(&facts, date(2026, 12, 31));
    let september: Vec<_> =
        all.iter().filter(|one| one.on.month() == 9).map(|one| (one.on, one.minutes)).collect();
    assert_eq!(september, [(date(2026, 9, 15), DAY / 2), (date(2026, 9, 30), DAY)]);
    assert_eq!(all.iter().map(|one| one.minutes).sum::<i64>(), (17 * DAY / 2) + 7 * DAY);
    assert_eq!(all.last().map(|one| one.derivation.policy_version_id), Some(version(2)));
}

#[test]
fn unpaid_absence_reduces_a_credit_by_its_part_of_the_working_time() {
    let rules = plan(MONTHLY_18, r#","loss_of_pay":"reduces""#);
    // June 2026 has 22 working days; 11 of them unpaid.
    let work = |day: Date| DayWork {
        unpaid: if day >= date(2026, 6, 16) && day <= date(2026, 6, 30) { office(day).scheduled } else { 0 },
        ..office(day)
    };
    let credits = credited_by(&rules, &hired(date(2026, 6, 1)), &work, date(2026, 6, 30));
    assert_eq!(credits.iter().map(|one| one.minutes).collect::<Vec<_>>(), [360]);
    assert_eq!(credits[0].derivation.unpaid_part, "1/2");
    assert_eq!(
        credits[0].derivation.sentence(),
        "Level 1 credits 720 minutes monthly for 2026-06-01 to 2026-07-01 (exclusive); unpaid absence takes 1/2 of \
         that away; that is 360 minutes, rounded 360."
    );
}

#[test]
fn a_yearly_cap_cuts_what_periods_give() {
    let level = r#""earn":{"per_period":{"days":"2"}},"every":"monthly","yearly_cap":{"days":"15"}"#;
    let credits = schedule(&plan(level, ""), &hired(date(2026, 1, 1)), date(2027, 1, 31));
    let days: Vec<i64> = credits.iter().map(|(_, minutes)| minutes / DAY).collect();
    assert_eq!(days, [2, 2, 2, 2, 2, 2, 2, 1, 0, 0, 0, 0, 2]);
}

#[test]
fn a_rehired_employee_begins_anew() {
    let mut employment = left(date(2024, 1, 1), date(2026, 3, 15));
    employment.rehire(date(2026, 3, 20), Facts::default()).unwrap();
    let rules = rules(
        r#"{"accrual": {"levels": [
            {"earn": {"per_period": {"days": "31"}}, "every": "monthly"},
            {"after": {"years": 2}, "earn": {"per_period": {"days": "62"}}, "every": "monthly"}
        ]}}"#,
    );
    let march: Vec<_> = schedule(&rules, &employment, date(2026, 3, 31))
        .into_iter()
        .filter(|(on, _)| *on >= date(2026, 3, 1))
        .collect();
    assert_eq!(march, [(date(2026, 3, 15), 30 * DAY), (date(2026, 3, 31), 12 * DAY)]);
}

#[test]
fn eligibility_looks_at_contract_gender_and_place() {
    use crate::employment::{Change, EmploymentType};
    let rules = rules(
        r#"{"eligibility": {"employment_types": ["full_time"], "genders": ["female"]},
            "accrual": {"levels": [{"earn": {"per_period": {"days": "30"}}, "every": "monthly"}]}}"#,
    );
    let mut employment = hired(date(2026, 6, 1));
    let part_time = Change { employment_type: Some(EmploymentType::PartTime), ..Change::default() };
    employment.change_from(date(2026, 6, 11), &part_time).unwrap();
    let sum = |gender: Option<Gender>| {
        let terms = [Term { period: Period::since(LONG_AGO), version: version(1), rules: &rules }];
        let facts =
            PlanFacts { terms: &terms, employment: &employment, gender, minutes_per_day: DAY, work: &office };
        credits(&facts, date(2026, 8, 1)).iter().map(|one| one.minutes).sum::<i64>()
    };
    assert_eq!(sum(Some(Gender::Female)), 10 * DAY);
    assert_eq!(sum(Some(Gender::Male)), 0);
    assert_eq!(sum(None), 0);
}

#[test]
fn without_proration_whoever_is_there_on_the_day_gets_all_of_it_once() {
    let rules = plan(MONTHLY_12, r#","proration":"none""#);
    assert_eq!(total(&rules, &hired(date(2026, 6, 29)), date(2026, 6, 30)), DAY);
    assert_eq!(total(&rules, &left(date(2026, 6, 1), date(2026, 6, 2)), date(2026, 6, 30)), DAY);
    let terms = [
        Term {
            period: Period::new(LONG_AGO, Some(date(2026, 6, 16))).unwrap(),
            version: version(1),
            rules: &rules,
        },
        Term { period: Period::since(date(2026, 6, 16)), version: version(2), rules: &rules },
    ];
    let employment = hired(date(2026, 6, 1));
    let facts = PlanFacts {
        terms: &terms,
        employment: &employment,
        gender: None,
        minutes_per_day: DAY,
        work: &office,
    };
    assert_eq!(credits(&facts, date(2026, 6, 30)).iter().map(|one| one.minutes).sum::<i64>(), DAY);
}

#[test]
fn without_proration_whoever_becomes_eligible_gets_all_of_it() {
    let yearly = r#""earn":{"per_year":{"days":"12"}},"every":"up_front","credit":"start""#;
    let waits = rules(&format!(
        r#"{{"eligibility": {{"after": {{"months": 3}}}}, "accrual": {{"levels": [{{{yearly}}}], "proration": "none"}}}}"#
    ));
    let all = schedule(&waits, &hired(date(2026, 1, 1)), date(2027, 1, 1));
    assert_eq!(all, [(date(2026, 4, 1), 12 * DAY), (date(2027, 1, 1), 12 * DAY)]);
    // Who was there before the policy.
    let rules = plan(yearly, r#","proration":"none""#);
    let late = [Term { period: Period::since(date(2026, 7, 1)), version: version(1), rules: &rules }];
    let again = [
        Term {
            period: Period::new(date(2026, 7, 1), Some(date(2026, 10, 1))).unwrap(),
            version: version(1),
            rules: &rules,
        },
        Term { period: Period::since(date(2026, 10, 1)), version: version(2), rules: &rules },
    ];
    let employment = hired(date(2020, 1, 1));
    for terms in [&late[..], &again[..]] {
        let facts =
            PlanFacts { terms, employment: &employment, gender: None, minutes_per_day: DAY, work: &office };
        let found: Vec<_> =
            credits(&facts, date(2026, 12, 31)).iter().map(|one| (one.on, one.minutes)).collect();
        assert_eq!(found, [(date(2026, 7, 1), 12 * DAY)]);
    }
}
