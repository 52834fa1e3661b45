//! P6, P7 and P8 on random plans, employments and dates.

use jiff::ToSpan;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
struct Case {
    rules: PolicyRules,
    quotas: Vec<i64>,
    joined: Date,
    last: Option<Date>,
}

fn every() -> impl Strategy<Value = (&'static str, &'static str)> {
    prop::sample::select(vec![
        ("up_front", "\"leave_year\""),
        ("daily", "\"leave_year\""),
        ("weekly", "{\"weekday\":\"wednesday\"}"),
        ("twice_monthly", "{\"days\":[10,31]}"),
        ("monthly", "\"joining_day\""),
        ("monthly", "{\"day\":31}"),
        ("quarterly", "\"leave_year\""),
        ("half_yearly", "{\"half_years\":[\"02-17\",\"10-29\"]}"),
        ("yearly", "{\"date\":\"02-29\"}"),
    ])
}

fn level() -> impl Strategy<Value = (String, i64)> {
    let credit = prop::sample::select(vec!["start", "end", "day_after"]);
    (every(), credit, 1i64..60).prop_map(|((every, begins), credit, halves)| {
        let credit = if every == "up_front" { "start" } else { credit };
        let days = format!("{}.{}", halves / 2, halves % 2 * 5);
        let text = format!(
            r#""earn":{{"per_year":{{"days":"{days}"}}}},"every":"{every}","begins":{begins},"credit":"{credit}""#
        );
        (text, halves * DAY / 2)
    })
}

fn case() -> impl Strategy<Value = Case> {
    let year = prop::sample::select(vec!["{\"on\":\"01-01\"}", "{\"on\":\"04-01\"}", "\"anniversary\""]);
    let mode = prop::sample::select(vec!["nearest", "nearest_even", "up", "down"]);
    let step = prop::sample::select(vec!["0.25", "0.5", "1", "0.1", "3"]);
    let of = prop::sample::select(vec!["credit", "running_total"]);
    let rounding = prop::option::of((mode, step, of));
    let change = prop::sample::select(vec!["immediate", "next_period", "next_leave_year"]);
    let proration = prop::sample::select(vec!["none", "days", "worked_time"]);
    let levels = prop::collection::vec((level(), 1u16..30), 1..4);
    let start = (0i64..1500, prop::option::of(0i64..1500));
    (year, rounding, change, proration, levels, start).prop_map(
        |(year, rounding, change, proration, levels, (joined, stay))| {
            let rounding = rounding.map_or(String::new(), |(mode, step, of)| {
                format!(r#","rounding":{{"mode":"{mode}","step":{{"days":"{step}"}},"of":"{of}"}}"#)
            });
            let mut after = 0;
            let (mut texts, mut quotas) = (Vec::new(), Vec::new());
            for ((text, quota), months) in levels {
                texts.push(format!(r#"{{"after":{{"months":{after}}},{text}}}"#));
                quotas.push(quota);
                after += months;
            }
            let text = format!(
                r#"{{"leave_year":{year},"accrual":{{"levels":[{}],"level_change":"{change}","proration":"{proration}"{rounding}}}}}"#,
                texts.join(",")
            );
            let joined = date(2022, 1, 1) + joined.days();
            // The properties hold for plans that are refused because they round everything to nothing, too.
            let rules: PolicyRules = serde_json::from_str(&text).unwrap();
            let faults = rules.check("");
            assert!(faults.iter().all(|fault| fault.pointer == "/accrual/rounding"), "{faults:?}");
            Case { rules, quotas, joined, last: stay.map(|days| joined + days.days()) }
        },
    )
}

fn employment(case: &Case) -> Timeline {
    case.last.map_or_else(|| hired(case.joined), |last| left(case.joined, last))
}

fn sums(credits: &[Credit]) -> std::collections::BTreeMap<Date, Vec<(usize, i64)>> {
    let mut sums = std::collections::BTreeMap::<Date, Vec<(usize, i64)>>::new();
    for one in credits {
        sums.entry(one.derivation.leave_year_from).or_default().push((one.derivation.level, one.minutes));
    }
    sums
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// P6: what was earned by a day doesn't depend on how far one looks: a later run adds to an earlier one.
    #[test]
    fn p6_a_later_run_only_adds(case in case(), first in 0i64..1800, more in 0i64..800) {
        let employment = employment(&case);
        let until = date(2022, 1, 1) + first.days();
        let early = credited_by(&case.rules, &employment, &office, until);
        let late = credited_by(&case.rules, &employment, &office, until + more.days());
        prop_assert_eq!(&early[..], &late[..early.len()]);
        prop_assert!(late[early.len()..].iter().all(|one| one.on > until));
        // Every credit is on a day of the employment, and no two share the day that names them.
        let mut names: Vec<Date> = late.iter().map(|one| one.served_from).collect();
        names.sort_unstable();
        names.dedup();
        prop_assert_eq!(names.len(), late.len());
        for one in &late {
            prop_assert!(one.minutes >= 0);
            prop_assert!(one.on >= case.joined && case.last.is_none_or(|last| one.on <= last));
        }
    }

    /// P7: no leave year is credited more than its amount; of several amounts, more than their parts of it.
    #[test]
    fn p7_no_year_is_above_its_amount(case in case()) {
        let credits = credited_by(&case.rules, &employment(&case), &office, date(2030, 1, 1));
        for (year, parts) in sums(&credits) {
            let used: Exact = parts
                .iter()
                .map(|(level, minutes)| Exact::new((*minutes).into(), case.quotas[*level].into()))
                .sum();
            prop_assert!(used <= Exact::from_integer(1), "{year}: {used}");
        }
    }

    /// P7: without rounding, nothing of a whole year is lost either.
    #[test]
    fn p7_a_whole_year_gives_all_of_it(level in level()) {
        let rules = plan(&level.0, "");
        let credits = credited_by(&rules, &hired(date(2020, 1, 1)), &office, date(2026, 12, 31));
        for (year, parts) in sums(&credits) {
            // Years whose periods straddle their ends are whole only in between.
            if (2022..2026).contains(&year.year()) {
                let sum: i64 = parts.iter().map(|(_, minutes)| minutes).sum();
                prop_assert!((level.1 - sum).abs() <= 1, "{year}: {sum} of {}", level.1);
            }
        }
    }

    /// P8: new rules from a day on change nothing of the periods that ended before it.
    #[test]
    fn p8_history_stays(old in case(), new in case(), change in 0i64..1500) {
        let change = date(2022, 1, 1) + change.days();
        let employment = employment(&old);
        let terms = [
            Term { period: Period::new(date(1900, 1, 1), Some(change)).unwrap(), version: version(1), rules: &old.rules },
            Term { period: Period::since(change), version: version(2), rules: &new.rules },
        ];
        let facts = PlanFacts {
            terms: &terms, employment: &employment, gender: None, minutes_per_day: DAY, work: &office,
        };
        let split = credits(&facts, date(2028, 1, 1));
        let before = credited_by(&old.rules, &employment, &office, date(2028, 1, 1));
        // Levels that wait for the next period or year wait by the rules that are in force then.
        let ended = |one: &&Credit| one.derivation.period_to <= change && one.on < change;
        let split: Vec<&Credit> = split.iter().filter(ended).filter(|one| one.derivation.policy_version_id == version(1)).collect();
        let before: Vec<&Credit> = before.iter().filter(ended).collect();
        prop_assert_eq!(split, before);
    }
}
