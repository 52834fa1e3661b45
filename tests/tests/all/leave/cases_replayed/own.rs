//! The cases of `leave.json`, by area and shape of the inputs.

use hrms_core::leave::plan::{DayWork, PlanFacts, PolicyRules, Term, credits};
use hrms_core::leave::{DayHours, EncashmentLimits, SubmitLeave};
use hrms_core::{LeavePolicyVersionId, leave::plan::Credit};
use jiff::ToSpan;
use jiff::civil::Weekday;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::*;
use super::desk::{Bench, DAY, Desk, Week, days, minutes};
use super::{Outcome, Played, outcome, shape, unknown};

mod requests;

pub(super) use requests::week_off;
use requests::*;

/// Plays a case.
pub(super) async fn play(bench: &Bench<'_>, area: &str, inputs: &Value, expected: &Outcome) -> Played {
    match area {
        "accrual" => accrual(bench, inputs).await,
        "rounding" => rounding(bench, inputs).await,
        "proration" => proration(bench, inputs, expected).await,
        "worked_days" => worked_days(inputs),
        "worked_hours" => worked_hours(inputs),
        "cap" => cap(bench, inputs).await,
        "carry_forward" => carry_forward(bench, inputs).await,
        "sandwich" => sandwich(bench, inputs).await,
        "half_day" => half_day(bench, inputs).await,
        "overlap" => overlap(bench, inputs).await,
        "negative" => negative(bench, inputs).await,
        "holiday_calendar" => holiday_calendars(bench, inputs).await,
        "weekly_off" => weekly_off(bench, inputs).await,
        "encashment" => encashment(inputs),
        "exit" => exit(bench, inputs).await,
        "limits" => limits(bench, inputs).await,
        other => Err(format!("no such area: {other}")),
    }
}

/// A number that is written as text.
fn number(text: &str) -> Played<f64> {
    text.parse().map_err(|_| format!("no number: {text}"))
}

/// A rounding such as `nearest_0.5`; `None` for an exact amount.
fn rounding_of(name: &str, unit: &str) -> Played<Value> {
    if ["none", "exact"].contains(&name) {
        return Ok(Value::Null);
    }
    let (mode, step) = name.rsplit_once('_').ok_or_else(|| format!("no such rounding: {name}"))?;
    let mode = match mode {
        "nearest" | "nearest_even" | "up" | "down" => mode,
        "half_up" => "nearest",
        "half_even" => "nearest_even",
        "ceil" => "up",
        "floor" => "down",
        _ => return Err(format!("no such rounding: {name}")),
    };
    number(step)?;
    Ok(json!({ "mode": mode, "step": { unit: step } }))
}

fn frequency(name: &str) -> &str {
    match name {
        "up_front" | "upfront" => "up_front",
        "semi_monthly" | "bimonthly" | "twice_a_month" => "twice_monthly",
        "annual" | "annually" => "yearly",
        "half-yearly" | "semi_annual" => "half_yearly",
        other => other,
    }
}

/// On which day of a period is credited: `end_of_month`, `start_of_quarter`, `joining_day`.
fn credit_day(name: &str) -> Played<Value> {
    Ok(match name {
        "joining_day" | "joining_date" => json!({ "begins": "joining_day", "credit": "start" }),
        _ if name.starts_with("end") => json!({ "credit": "end" }),
        _ if name.starts_with("start") => json!({ "credit": "start" }),
        _ => return Err(format!("no such day of credit: {name}")),
    })
}

fn with(mut one: Value, more: Value) -> Value {
    let more = more.as_object().cloned().unwrap_or_default();
    one.as_object_mut().unwrap().extend(more);
    one
}

/// The first day of the leave year that a day is in.
fn year_start(begins: &str, day: Date) -> Played<Date> {
    let this: Date =
        format!("{:04}-{begins}", day.year()).parse().map_err(|_| format!("no day: {begins}"))?;
    Ok(if this <= day { this } else { this - 1.year() })
}

const LONG_AGO: Date = date(2010, 1, 1);

fn new_year() -> String {
    "01-01".into()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Accrual {
    annual: String,
    frequency: String,
    #[serde(default)]
    credit: Option<String>,
    #[serde(default = "new_year")]
    leave_year: String,
    as_of: Date,
    #[serde(default)]
    joined: Option<Date>,
    #[serde(default)]
    last_day: Option<Date>,
    #[serde(default)]
    rounding: Option<String>,
}

async fn accrual(bench: &Bench<'_>, inputs: &Value) -> Played {
    let Some(case) = shape::<Accrual>(inputs) else { return unknown(inputs) };
    let every = frequency(&case.frequency);
    let default = if every == "up_front" { "start" } else { "end" };
    let credit = credit_day(case.credit.as_deref().unwrap_or(default))?;
    let level = with(json!({ "earn": { "per_year": { "days": case.annual } }, "every": every }), credit);
    let rounding = case.rounding.as_deref().map_or(Ok(Value::Null), |name| rounding_of(name, "days"))?;
    let start = year_start(&case.leave_year, case.as_of)?;
    let joined = case.joined.unwrap_or(LONG_AGO);
    let desk = bench.desk_in(joined, case.last_day, Week::office(), "Asia/Kolkata").await;
    let rules = json!({
        "leave_year": { "on": case.leave_year }, "accrual": { "levels": [level], "rounding": rounding },
    });
    desk.policy(start, rules).await?;
    Ok(outcome! { "accrued": desk.balance(case.as_of).await.granted })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rounding {
    raw: String,
    rounding: String,
}

async fn rounding(bench: &Bench<'_>, inputs: &Value) -> Played {
    let Some(case) = shape::<Rounding>(inputs) else { return unknown(inputs) };
    let desk = bench.desk(date(2026, 1, 1), Week::office()).await;
    let level = json!({ "earn": { "per_period": { "days": case.raw } }, "every": "monthly" });
    let rounding = rounding_of(&case.rounding, "days")?;
    desk.policy(date(2026, 1, 1), json!({ "accrual": { "levels": [level], "rounding": rounding } })).await?;
    Ok(outcome! { "credited": desk.balance(date(2026, 1, 31)).await.granted })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Proration {
    annual: String,
    year: String,
    basis: String,
    #[serde(default)]
    joined: Option<Date>,
    #[serde(default, alias = "left")]
    last_day: Option<Date>,
    #[serde(default)]
    cutoff_day: Option<u8>,
    #[serde(default = "new_year")]
    leave_year: String,
}

async fn proration(bench: &Bench<'_>, inputs: &Value, expected: &Outcome) -> Played {
    let Some(case) = shape::<Proration>(inputs) else { return unknown(inputs) };
    let proration = match case.basis.as_str() {
        "days" => json!("days"),
        "months" => json!({ "months": { "cutoff_day": case.cutoff_day.unwrap_or(15) } }),
        "none" => json!("none"),
        other => return Err(format!("no such basis: {other}")),
    };
    let first = case.year.get(..4).unwrap_or_default();
    let start: Date = format!("{first}-{}", case.leave_year).parse().map_err(|_| "no such year")?;
    let mut ours = Outcome::new();
    for name in expected.keys() {
        let desk = bench
            .desk_in(case.joined.unwrap_or(LONG_AGO), case.last_day, Week::office(), "Asia/Kolkata")
            .await;
        let level = json!({ "earn": { "per_year": { "days": case.annual } }, "every": "up_front", "credit": "start" });
        let rounding = if name == "raw" { Value::Null } else { rounding_of(name, "days")? };
        let rules = json!({
            "leave_year": { "on": case.leave_year },
            "accrual": { "levels": [level], "proration": proration, "rounding": rounding },
        });
        desk.policy(start, rules).await?;
        let end = start + 1.year() - 1.day();
        let exact: f64 = match name.as_str() {
            // Before it is rounded to minutes.
            "raw" => {
                let lots = desk.explain(end).await.lots;
                let exact =
                    |lot: &hrms_core::leave::ExplainedLot| number(&lot.credit.as_ref()?.exact_minutes).ok();
                lots.iter().filter_map(exact).sum::<f64>() / DAY as f64
            }
            _ => number(&desk.balance(end).await.granted)?,
        };
        ours.insert(name.clone(), json!(exact));
    }
    Ok(ours)
}

/// What a level earns in 2026 by what is worked, with days worked in order of the calendar.
fn earned(level: Value, rounding: Value, work: &(dyn Fn(Date) -> DayWork + Sync)) -> Played<Vec<Credit>> {
    let rules = json!({ "accrual": { "levels": [level], "rounding": rounding } });
    let rules: PolicyRules = serde_json::from_value(rules).map_err(|error| error.to_string())?;
    let faults = rules.check("/rules");
    if !faults.is_empty() {
        return Err(format!("{faults:?}"));
    }
    let version = LeavePolicyVersionId::from_uuid(id());
    let terms = [Term { period: Period::since(date(2026, 1, 1)), version, rules: &rules }];
    let employment = Timeline::hired(date(2026, 1, 1), Facts::default());
    let facts =
        PlanFacts { terms: &terms, employment: &employment, gender: None, minutes_per_day: DAY, work };
    Ok(credits(&facts, date(2026, 12, 31)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkedDays {
    worked_days: usize,
    rate: String,
    #[serde(default)]
    eligibility_days: u16,
    #[serde(default)]
    fraction_rule: Option<String>,
}

fn worked_days(inputs: &Value) -> Played {
    let Some(case) = shape::<WorkedDays>(inputs) else { return unknown(inputs) };
    let for_each: u16 = case
        .rate
        .strip_prefix("1/")
        .and_then(|rate| rate.parse().ok())
        .ok_or("the rate isn't one for so many")?;
    let whole = |mode: &str| json!({ "mode": mode, "step": { "days": "1" } });
    let rounding = match case.fraction_rule.as_deref() {
        None | Some("none" | "exact") => Value::Null,
        Some("half_or_more_up") => whole("nearest"),
        Some("up" | "always_up") => whole("up"),
        Some("down" | "ignore" | "ignored" | "drop" | "dropped") => whole("down"),
        Some(other) => return Err(format!("no such rule for fractions: {other}")),
    };
    let earn = json!({ "worked_days": { "for_each": for_each, "at_least": case.eligibility_days } });
    let work = |day: Date| {
        let worked = usize::try_from(day.day_of_year()).unwrap() <= case.worked_days;
        DayWork { scheduled: DAY, worked: if worked { DAY } else { 0 }, unpaid: 0 }
    };
    let credits = earned(json!({ "earn": earn, "every": "yearly" }), rounding, &work)?;
    Ok(outcome! { "earned": days(credits.iter().map(|one| one.minutes).sum()) })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkedHours {
    hours_worked: String,
    rate: String,
    #[serde(default)]
    rounding: Option<String>,
}

fn worked_hours(inputs: &Value) -> Played {
    let Some(case) = shape::<WorkedHours>(inputs) else { return unknown(inputs) };
    let percent = case.rate.strip_suffix('%').ok_or("the rate isn't in percent")?;
    let mut left = (number(&case.hours_worked)? * 60.0).round() as i64;
    let all: Vec<i64> = std::iter::from_fn(|| {
        let day = left.min(24 * 60);
        left -= day;
        Some(day)
    })
    .take(365)
    .collect();
    let work = |day: Date| {
        let worked = all[usize::try_from(day.day_of_year()).unwrap() - 1];
        DayWork { scheduled: 0, worked, unpaid: 0 }
    };
    // Half an hour or more counts as one, unless something else is said (regulation 15B of the British regulations of 1998).
    let rounding = rounding_of(case.rounding.as_deref().unwrap_or("nearest_1"), "hours")?;
    let level = json!({ "earn": { "worked_hours": { "percent": percent } }, "every": "yearly" });
    let credits = earned(level, rounding, &work)?;
    let exact: Played<Vec<f64>> = credits.iter().map(|one| number(&one.derivation.exact_minutes)).collect();
    Ok(outcome! {
        "raw_hours": exact?.iter().sum::<f64>() / 60.0,
        "credited_hours": credits.iter().map(|one| one.minutes).sum::<i64>() as f64 / 60.0,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cap {
    balance: String,
    credit: String,
    cap: String,
}

async fn cap(bench: &Bench<'_>, inputs: &Value) -> Played {
    let Some(case) = shape::<Cap>(inputs) else { return unknown(inputs) };
    let (first, last) = (date(2026, 1, 1), date(2026, 1, 31));
    let desk = bench.desk(first, Week::office()).await;
    desk.grant(&case.balance, first, None).await.map_err(|error| error.to_string())?;
    let level = json!({
        "earn": { "per_period": { "days": case.credit } }, "every": "monthly", "balance_cap": { "days": case.cap },
    });
    desk.policy(first, json!({ "accrual": { "levels": [level] } })).await?;
    let why = desk.explain(last).await;
    let credited: i64 =
        why.lots.iter().filter(|lot| lot.lot.source == LotSource::Accrual).map(|lot| lot.lot.minutes).sum();
    let kept = why.lots.iter().filter_map(|lot| lot.credit.as_ref());
    let cut = kept.chain(why.cut.iter().map(|one| &one.credit)).map(|credit| credit.cut_by_balance_cap).sum();
    Ok(outcome! { "credited": days(credited), "lapsed": days(cut), "balance": why.balance.available })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Used {
    on: Date,
    days: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CarriedUsed {
    carried: String,
    expires: Date,
    #[serde(default)]
    used: Vec<Used>,
    new_credit: String,
    as_of: Date,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CarriedCancelled {
    carried: String,
    expires: Date,
    taken_from_carried: String,
    cancelled_on: Date,
}

impl Desk {
    /// Leave carried over at the beginning of the year in which it expires on a last day, and new leave beside it.
    async fn carried(&self, carried: &str, expires: Date, new: Option<&str>) -> Played<()> {
        let start = date(expires.year(), 1, 1);
        let valid = (start.until(expires).map_err(|error| error.to_string())?.get_days() + 1).max(1);
        let carry = json!({
            "on": { "date": "01-01" }, "limit": { "valid_for": { "days": valid } }, "open_grants": "join",
        });
        self.policy(start, json!({ "carry_over": carry })).await?;
        let before = start - 1.year();
        self.grant(carried, before, None).await.map_err(|error| error.to_string())?;
        if let Some(new) = new {
            self.grant(new, start, Some(start + 1.year() - 1.day()))
                .await
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

async fn carry_forward(bench: &Bench<'_>, inputs: &Value) -> Played {
    if let Some(case) = shape::<CarriedUsed>(inputs) {
        let desk = bench.desk(LONG_AGO, Week::office()).await;
        desk.carried(&case.carried, case.expires, Some(&case.new_credit)).await?;
        for used in &case.used {
            desk.take(used.on, number(&used.days)?).await?;
        }
        let balance = desk.balance(case.as_of).await;
        return Ok(outcome! { "lapsed": balance.expired, "balance": balance.available });
    }
    let Some(case) = shape::<CarriedCancelled>(inputs) else { return unknown(inputs) };
    let desk = bench.desk(LONG_AGO, Week::office()).await;
    desk.carried(&case.carried, case.expires, None).await?;
    let taken = desk.take(case.expires - 21.days(), number(&case.taken_from_carried)?).await?;
    let before = desk.balance(case.cancelled_on).await.minutes.available;
    for id in taken {
        desk.cancel(case.cancelled_on, id).await;
    }
    let after = desk.balance(case.cancelled_on).await;
    Ok(outcome! { "restored": days(after.minutes.available - before), "lapsed": after.expired })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Encashment {
    balance: String,
    #[serde(default)]
    retain: Option<String>,
    #[serde(default)]
    most: Option<String>,
    #[serde(default)]
    ask: Option<String>,
    basic_da: String,
    divisor: u32,
}

fn encashment(inputs: &Value) -> Played {
    let Some(case) = shape::<Encashment>(inputs) else { return unknown(inputs) };
    let amount = |text: &Option<String>| text.as_deref().map(|text| number(text).map(minutes)).transpose();
    let limits = EncashmentLimits {
        keep: amount(&case.retain)?.unwrap_or_default(),
        most: amount(&case.most)?,
        step: None,
    };
    let found = limits.of(minutes(number(&case.balance)?), amount(&case.ask)?);
    let pay = case.basic_da.parse().map_err(|_| format!("no amount: {}", case.basic_da))?;
    let worth = found.worth(pay, case.divisor.into(), DAY, 2).ok_or("no worth")?;
    Ok(outcome! { "encashed_days": days(found.minutes), "amount": worth.to_string() })
}

fn april() -> String {
    "04-01".into()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exit {
    annual: String,
    last_day: Date,
    used: String,
    // Only the title says so.
    #[serde(default = "april")]
    leave_year: String,
    #[serde(default)]
    joined: Option<Date>,
}

async fn exit(bench: &Bench<'_>, inputs: &Value) -> Played {
    let Some(case) = shape::<Exit>(inputs) else { return unknown(inputs) };
    let start = year_start(&case.leave_year, case.last_day)?;
    let joined = case.joined.unwrap_or(LONG_AGO);
    let mut desk = bench.desk_in(joined, Some(case.last_day), Week::all(), "Asia/Kolkata").await;
    desk.floor(100 * DAY).await;
    let level = json!({ "earn": { "per_year": { "days": case.annual } }, "every": "monthly" });
    let rules = json!({ "leave_year": { "on": case.leave_year }, "accrual": { "levels": [level] } });
    desk.policy(start, rules).await?;
    desk.take(start.max(joined), number(&case.used)?).await?;
    let balance = desk.balance(case.last_day.tomorrow().unwrap()).await;
    let left = days(balance.minutes.available);
    Ok(outcome! {
        "accrued": balance.granted, "balance": left,
        "recover_days": (-left).max(0.0), "encash_days": left.max(0.0), "payable_days": left.max(0.0),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    existing: [Date; 2],
    request: [Date; 2],
    max_consecutive: u32,
    weekly_off: Vec<String>,
}

async fn limits(bench: &Bench<'_>, inputs: &Value) -> Played {
    let Some(case) = shape::<Limits>(inputs) else { return unknown(inputs) };
    let desk = bench.desk(LONG_AGO, week_off(&case.weekly_off)?).await;
    desk.rules(json!({ "max_consecutive_days": case.max_consecutive.to_string() })).await?;
    desk.grant("200", LONG_AGO, None).await.map_err(|error| error.to_string())?;
    let today = date(2026, 1, 1);
    let [from, to] = case.existing;
    let first = desk.submit(today, desk.request(from, to, json!({}))).await;
    let first = first.map_err(|error| error.to_string())?.request;
    desk.approve(today, first.id).await.map_err(|error| error.to_string())?;
    let [from, to] = case.request;
    let counted = preview(&desk, desk.request(from, to, json!({}))).await?;
    let mut ours = asked(desk.submit(today, desk.request(from, to, json!({}))).await);
    ours.insert("existing_days".into(), json!(first.days));
    ours.insert("request_days".into(), counted.get("days").cloned().unwrap_or_default());
    Ok(ours)
}
