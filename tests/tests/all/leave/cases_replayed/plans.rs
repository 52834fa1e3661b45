//! Accrual: plans as other systems write them, as rules of ours.

use jiff::ToSpan;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::*;
use super::desk::{Bench, DAY, Desk, Week, days};
use super::{Outcome, PeerCase, Played, all_agree, outcome, shape, unknown};

/// A plan of levels.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    #[serde(default)]
    gain: Option<String>,
    levels: Vec<Level>,
    #[serde(default)]
    carryover: Option<String>,
    #[serde(default)]
    transition: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Level {
    #[serde(default)]
    start_after: Option<String>,
    add: f64,
    #[serde(default)]
    unit: Option<String>,
    every: String,
    #[serde(default)]
    on: Option<Value>,
    #[serde(default)]
    cap: Option<f64>,
    #[serde(default)]
    cap_yearly: Option<f64>,
    #[serde(default)]
    unused: Option<String>,
    #[serde(default)]
    max_carryover: Option<f64>,
    #[serde(default)]
    carried_valid: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Planned {
    plan: Plan,
    start: Date,
    #[serde(default)]
    opening: Option<f64>,
    #[serde(default)]
    schedule: Option<String>,
    #[serde(default)]
    leave: Vec<Date>,
}

/// `9 months` as ours.
fn length(text: &str) -> Played<Value> {
    let (count, unit) = text.split_once(' ').ok_or_else(|| format!("no length: {text}"))?;
    let count: u16 = count.parse().map_err(|_| format!("no length: {text}"))?;
    let unit = format!("{}s", unit.trim_end_matches('s'));
    match unit.as_str() {
        "weeks" => Ok(json!({ "days": count * 7 })),
        "days" | "months" | "years" => Ok(json!({ unit: count })),
        _ => Err(format!("no length: {text}")),
    }
}

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// How often a level credits, and when its periods begin.
fn periods(level: &Level) -> Played<(&'static str, Value)> {
    let none = || format!("no such periods: {} on {:?}", level.every, level.on);
    let names: Vec<String> = match &level.on {
        None => Vec::new(),
        Some(Value::Array(all)) => all.iter().map(plain).collect(),
        Some(one) => vec![plain(one)],
    };
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let day = |text: &str| text.parse::<i8>().map_err(|_| none());
    Ok(match (level.every.as_str(), names.as_slice()) {
        ("day", []) => ("daily", json!("leave_year")),
        ("week", [on]) => {
            let on = on.to_lowercase();
            let on = WEEKDAYS.iter().find(|name| name.starts_with(&on)).ok_or_else(none)?;
            ("weekly", json!({ "weekday": on }))
        }
        ("week", []) => ("weekly", json!("leave_year")),
        ("month", [on]) => ("monthly", json!({ "day": day(on)? })),
        ("month", []) => ("monthly", json!("leave_year")),
        ("half_month" | "bimonth" | "twice_a_month", [one, two]) => {
            ("twice_monthly", json!({ "days": [day(one)?, day(two)?] }))
        }
        ("quarter", []) => ("quarterly", json!("leave_year")),
        ("quarter", [one, two, three, four]) => ("quarterly", json!({ "quarters": [one, two, three, four] })),
        ("half_year", [one, two]) => ("half_yearly", json!({ "half_years": [one, two] })),
        ("half_year", []) => ("half_yearly", json!("leave_year")),
        ("year", [on]) => ("yearly", json!({ "date": on })),
        ("year", []) => ("yearly", json!("leave_year")),
        _ => return Err(none()),
    })
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A number as text without a needless end.
pub(super) fn text(number: f64) -> String {
    number.to_string()
}

impl Level {
    fn rules(&self, gain: &str) -> Played<Value> {
        let unit = match self.unit.as_deref() {
            None | Some("day") => "days",
            Some("hour") => "hours",
            Some(other) => return Err(format!("no such unit: {other}")),
        };
        let amount = |number: f64| json!({ unit: text(number) });
        let (every, begins) = periods(self)?;
        let mut level = Map::new();
        level.insert("earn".into(), json!({ "per_period": amount(self.add) }));
        level.insert("every".into(), every.into());
        level.insert("begins".into(), begins);
        level.insert(
            "credit".into(),
            match gain {
                "end_of_period" => "day_after".into(),
                "start_of_period" => "start".into(),
                other => return Err(format!("no such gain: {other}")),
            },
        );
        if let Some(after) = &self.start_after {
            level.insert("after".into(), length(after)?);
        }
        if let Some(cap) = self.cap {
            level.insert("balance_cap".into(), amount(cap));
        }
        if let Some(cap) = self.cap_yearly {
            level.insert("yearly_cap".into(), amount(cap));
        }
        let mut carry = Map::new();
        match (self.unused.as_deref(), self.max_carryover) {
            (None, None) | (Some("all"), None) => {}
            (Some("lost"), None) => drop(carry.insert("most".into(), json!({ unit: "0" }))),
            (Some("max"), Some(most)) => drop(carry.insert("most".into(), amount(most))),
            (unused, most) => return Err(format!("no such carry-over: {unused:?}, {most:?}")),
        }
        if let Some(valid) = &self.carried_valid {
            carry.insert("valid_for".into(), length(valid)?);
        }
        if self.unused.is_some() {
            level.insert("carry_over".into(), Value::Object(carry));
        }
        Ok(Value::Object(level))
    }
}

impl Plan {
    fn rules(&self, gain: &str, proration: &str) -> Played<Value> {
        let levels: Played<Vec<Value>> = self.levels.iter().map(|level| level.rules(gain)).collect();
        let change = match self.transition.as_deref() {
            None | Some("immediately") => "immediate",
            Some("end_of_accrual") => "next_period",
            Some(other) => return Err(format!("no such transition: {other}")),
        };
        let mut rules = json!({
            "accrual": {
                "levels": levels?, "above_new_cap": "lapses", "level_change": change, "proration": proration,
            },
        });
        if self.levels.iter().any(|level| level.unused.is_some()) || self.carryover.is_some() {
            let on = match self.carryover.as_deref() {
                None | Some("year_start") => json!("leave_year"),
                Some("allocation_anniversary") => json!("anniversary"),
                Some(date) => json!({ "date": date }),
            };
            rules["carry_over"] = json!({ "on": on, "open_grants": "join" });
        }
        Ok(rules)
    }
}

impl Planned {
    async fn desk(&self, bench: &Bench<'_>, gain: &str, proration: &str) -> Played<Desk> {
        let week = match self.schedule.as_deref() {
            None | Some("Mon-Fri 8h") => Week::office(),
            Some(other) => return Err(format!("no such schedule: {other}")),
        };
        let mut desk = bench.desk(self.start, week).await;
        desk.policy(self.start, self.plan.rules(gain, proration)?).await?;
        if let Some(opening) = self.opening {
            desk.grant(&text(opening), self.start, None).await.map_err(|error| error.to_string())?;
        }
        if !self.leave.is_empty() {
            // Absence of another kind: what is earned is less, what is in hand isn't.
            let earning = desk.leave_type.clone();
            let hr = desk.hr();
            let other = desk.on(self.start).leave_types().create(&hr, new_type("unpaid")).await.unwrap();
            desk.leave_type = other;
            desk.floor(100 * DAY).await;
            for day in &self.leave {
                desk.take(*day, 1.0).await?;
            }
            desk.leave_type = earning;
        }
        Ok(desk)
    }
}

/// The day on which a step looks.
pub(super) fn day_of(step: &Map<String, Value>) -> Played<Date> {
    let text = step.get("run_on").or_else(|| step.get("as_of")).and_then(Value::as_str);
    text.and_then(|text| text.parse().ok()).ok_or_else(|| format!("no day: {step:?}"))
}

/// `leave.accrual_plan`. Where the collection doesn't say whether leave is gained at the start or the end of a period, one
/// of the two has to come to all that is expected.
pub(super) async fn plan(bench: &Bench<'_>, case: &PeerCase) -> Played<Vec<Outcome>> {
    let Some(given) = shape::<Planned>(&case.given) else { return unknown(&case.given) };
    if let Some(gain) = &given.plan.gain {
        return planned(bench, case, &given, gain).await;
    }
    let ours = planned(bench, case, &given, "start_of_period").await?;
    let expected = |step: &Map<String, Value>| step.get("expect").and_then(Value::as_object).cloned();
    let mut both = case.steps.iter().map(|step| expected(step).unwrap_or_default()).zip(&ours);
    if both.all(|(expected, ours)| all_agree(&expected, ours).is_empty()) {
        return Ok(ours);
    }
    planned(bench, case, &given, "end_of_period").await
}

async fn planned(bench: &Bench<'_>, case: &PeerCase, given: &Planned, gain: &str) -> Played<Vec<Outcome>> {
    let desk = given.desk(bench, gain, "days").await?;
    let by_work = given.desk(bench, gain, "worked_time").await?;
    let mut outcomes = Vec::new();
    for step in &case.steps {
        let on = day_of(step)?;
        // The job writes what is due; the answer is the same without it.
        let shown = desk.balance(on).await;
        desk.on(on).leave().accrue(&desk.hr()).await.unwrap();
        let balance = desk.balance(on).await;
        if shown != balance {
            return Err("the job changed the balance".into());
        }
        let carried = desk.carried_on(on).await.and_then(|lot| lot.valid_to);
        // The collection names the first day on which carried leave can't be used any more.
        let mut ours = outcome! {
            "days": balance.available, "total": balance.available, "days_calendar": balance.available,
            "days_worked_time": wanted_by_work(step, &by_work, on).await,
            "carried_expire_on": carried,
        };
        for name in step.get("expect").and_then(Value::as_object).into_iter().flat_map(Map::keys) {
            if let Some(day) = name.strip_prefix("expiring_on_") {
                let day: Date = day.replace('_', "-").parse().map_err(|_| format!("no day: {name}"))?;
                let before = desk.balance(day.yesterday().unwrap()).await.minutes.expired;
                let expired = desk.balance(day).await.minutes.expired - before;
                ours.insert(name.clone(), json!(days(expired)));
            }
        }
        outcomes.push(ours);
    }
    Ok(outcomes)
}

async fn wanted_by_work(step: &Map<String, Value>, desk: &Desk, on: Date) -> Option<String> {
    step.get("expect")?.get("days_worked_time")?;
    Some(desk.balance(on).await.available)
}

/// Leave that is earned in parts of an amount for a year.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Earned {
    annual: f64,
    frequency: String,
    #[serde(default)]
    allocate_on: Option<String>,
    #[serde(default)]
    rounding: Option<f64>,
    #[serde(default)]
    carried: Option<f64>,
    #[serde(default)]
    previous_unused: Option<f64>,
    #[serde(default)]
    carry_forward: bool,
    #[serde(default)]
    months_elapsed: Option<i64>,
    #[serde(default)]
    period_start: Option<Date>,
    #[serde(default)]
    period: Option<[Date; 2]>,
    #[serde(default)]
    joined: Option<String>,
    #[serde(default)]
    assigned_on: Option<Date>,
    #[serde(default)]
    eligibility_days: Option<u16>,
}

impl Earned {
    fn start(&self) -> Date {
        self.period_start.or(self.period.map(|[start, _]| start)).unwrap_or(date(2025, 1, 1))
    }

    fn rules(&self) -> Played<Value> {
        let every = match self.frequency.as_str() {
            every @ ("monthly" | "quarterly" | "half_yearly" | "yearly" | "weekly" | "daily") => every,
            "bi_monthly" | "twice_monthly" => "twice_monthly",
            other => return Err(format!("no such frequency: {other}")),
        };
        let mut level = json!({ "earn": { "per_year": { "days": text(self.annual) } }, "every": every });
        match self.allocate_on.as_deref() {
            Some("first_day") => level["credit"] = "start".into(),
            None | Some("last_day") => {}
            Some("date_of_joining") => {
                level["begins"] = "joining_day".into();
                level["credit"] = "start".into();
            }
            Some(other) => return Err(format!("no such day of credit: {other}")),
        }
        let rounding = self.rounding.map(|step| json!({ "mode": "nearest", "step": { "days": text(step) } }));
        let on = self.start().to_string();
        let mut rules = json!({
            "leave_year": { "on": on.get(5..).unwrap_or_default() },
            "accrual": { "levels": [level], "rounding": rounding },
        });
        if self.carried.or(self.previous_unused).is_some() {
            rules["carry_over"] = json!({ "open_grants": "join" });
        }
        if let Some(days) = self.eligibility_days {
            rules["eligibility"] = json!({ "after": { "days": days } });
        }
        Ok(rules)
    }

    async fn desk(&self, bench: &Bench<'_>) -> Played<Desk> {
        let joined = match self.joined.as_deref() {
            None | Some("before period") => self.start() - 3.years(),
            Some(date) => date.parse().map_err(|_| format!("no day: {date}"))?,
        };
        let desk = bench.desk(joined, Week::office()).await;
        if let Some(unused) = self.carried.or(self.previous_unused) {
            let before = self.start() - 1.year();
            desk.grant(&text(unused), before, None).await.map_err(|error| error.to_string())?;
        }
        desk.policy(self.start(), self.rules()?).await?;
        Ok(desk)
    }

    /// The day after so many credits.
    fn after_runs(&self, runs: i64) -> Played<Date> {
        let months = match self.frequency.as_str() {
            "monthly" => 1,
            "quarterly" => 3,
            "half_yearly" => 6,
            "yearly" => 12,
            other => return Err(format!("runs of {other} aren't counted here")),
        };
        let first = self.allocate_on.as_deref() == Some("first_day");
        let days = if first { 0 } else { -1 };
        Ok(self.start() + (months * (runs - i64::from(first))).months() + days.days())
    }

    fn day(&self, step: &Map<String, Value>) -> Played<Date> {
        if let Some(runs) = step.get("after_runs").and_then(Value::as_i64) {
            return self.after_runs(runs);
        }
        if let Some(months) = self.months_elapsed {
            return Ok(self.start() + months.months());
        }
        match self.assigned_on {
            Some(day) => Ok(day),
            None if step.contains_key("run_on") || step.contains_key("as_of") => day_of(step),
            None => Ok(self.start() + 1.year() - 1.day()),
        }
    }
}

/// `leave.accrual`, and what is about proration and eligibility of it.
pub(super) async fn earned(bench: &Bench<'_>, case: &PeerCase) -> Played<Vec<Outcome>> {
    let Some(given) = shape::<Earned>(&case.given) else { return unknown(&case.given) };
    if given.previous_unused.is_some() && !given.carry_forward {
        return Err("what becomes of unused leave isn't said".into());
    }
    let desk = given.desk(bench).await?;
    let mut outcomes = Vec::new();
    let mut before = 0;
    for step in &case.steps {
        let on = given.day(step)?;
        let account = desk.account(on).await;
        let of = |source: LotSource| {
            account.lots.iter().filter(move |lot| lot.source == source && lot.valid_from <= on)
        };
        let new: i64 = of(LotSource::Accrual).map(|lot| lot.minutes).sum();
        let carried: i64 = of(LotSource::CarryOver).map(|lot| lot.minutes).sum();
        let mut credits: Vec<&LeaveLotView> = of(LotSource::Accrual).collect();
        credits.sort_by_key(|lot| lot.valid_from);
        outcomes.push(outcome! {
            "allocated": days(new), "new": days(new), "carried": days(carried), "increment": days(new - before),
            "balance": account.balance.available,
            "total": account.balance.available,
            "schedule": credits.iter().map(|lot| lot.days.clone()).collect::<Vec<_>>(),
        });
        before = new;
    }
    Ok(outcomes)
}
