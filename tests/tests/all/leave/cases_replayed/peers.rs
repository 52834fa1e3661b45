//! The cases of `leave-peers.yaml`, by area and shape of what is given.

use std::collections::BTreeMap;

use hrms_core::leave::EncashmentLimits;
use jiff::ToSpan;
use jiff::civil::Weekday;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::*;
use super::desk::{Bench, DAY, Desk, Week, days, minutes};
use super::own::week_off;
use super::plans::{self, day_of, text};
use super::{Outcome, PeerCase, Played, outcome, shape, unknown};

mod others;

use others::*;

/// Plays a case: what each step comes to.
pub(super) async fn play(bench: &Bench<'_>, case: &PeerCase) -> Played<Vec<Outcome>> {
    match case.area.as_str() {
        "leave.carry_forward" => carry_forward(bench, case).await,
        "leave.allocation" => allocation(bench, case).await,
        "leave.ledger" => ledger(bench, case).await,
        "leave.days" => counted(bench, case).await,
        "leave.sandwich" => counted(bench, case).await,
        "leave.overlap" => overlap(bench, case).await,
        "leave.eligibility" if case.given.get("annual").is_none() => waiting(bench, case).await,
        "leave.accrual" | "leave.proration" | "leave.eligibility" => plans::earned(bench, case).await,
        "leave.accrual_plan" => plans::plan(bench, case).await,
        "leave.encashment" => encashment(case),
        "leave.compensatory" => compensatory(bench, case).await,
        "leave.negative" => negative(bench, case).await,
        "leave.entitlement_fifo" => entitlements(bench, case).await,
        "leave.timezone" => time_zone(bench, case).await,
        other => Err(format!("no such area: {other}")),
    }
}

const LONG_AGO: Date = date(2010, 1, 1);

fn text_of<E: std::fmt::Display>(error: E) -> String {
    error.to_string()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Carrying {
    carry_forward: bool,
    #[serde(default)]
    cf_expires_after_days: Option<u16>,
    #[serde(default)]
    max_carried: Option<f64>,
    #[serde(default)]
    max_total: Option<f64>,
}

impl Carrying {
    /// Carries on the day of the year on which an allocation begins.
    fn rules(&self, on: Date) -> Value {
        if !self.carry_forward {
            return json!({});
        }
        let amount = |most: f64| json!({ "days": text(most) });
        let mut limit = json!({ "most": self.max_carried.map(amount), "valid_for": null });
        if let Some(days) = self.cf_expires_after_days {
            limit["valid_for"] = json!({ "days": days });
        }
        if let Some(total) = self.max_total {
            limit["total"] = amount(total);
        }
        let on = on.to_string();
        json!({ "carry_over": { "on": { "date": on.get(5..) }, "limit": limit, "open_grants": "join" } })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Previous {
    from: Date,
    #[serde(rename = "to")]
    _to: Date,
    days: f64,
    #[serde(default)]
    used: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allocated {
    from: Date,
    to: Date,
    new_days: f64,
    carry_forward: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    new: f64,
    carry: bool,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum CarryForward {
    Allocations {
        leave_type: Carrying,
        #[serde(default)]
        calendar: Option<String>,
        #[serde(default)]
        previous_allocation: Option<Previous>,
        allocation: Allocated,
    },
    Expiry {
        carried: f64,
        new: f64,
        cf_valid_to: Date,
        taken_before_expiry: f64,
    },
    Unused {
        leave_type: Carrying,
        previous_unused: f64,
        new_days: f64,
    },
    Thrice {
        leave_type: Carrying,
        first: f64,
        second: New,
        third: New,
    },
    Reset {
        yearly: f64,
        max_carried: f64,
        reset_day: String,
        available_left: f64,
        #[serde(rename = "jobs_down", default)]
        _jobs_down: Vec<Date>,
    },
}

/// What steps may ask about an allocation.
async fn allocation_outcome(desk: &Desk, on: Date, allocation: Date) -> Outcome {
    let account = desk.account(on).await;
    let balance = &account.balance;
    let of_it: Vec<&LeaveLotView> = account.lots.iter().filter(|lot| lot.valid_from == allocation).collect();
    let sum = |carried: bool| -> i64 {
        let lots = of_it.iter().filter(|lot| (lot.source == LotSource::CarryOver) == carried);
        lots.map(|lot| lot.minutes).sum()
    };
    let until = of_it.iter().find(|lot| lot.source == LotSource::CarryOver).and_then(|lot| lot.valid_to);
    outcome! {
        "carried": days(sum(true)), "new": days(sum(false)), "total": days(sum(true) + sum(false)),
        "cf_valid_to": until.map(|to| to.yesterday().unwrap()),
        "expired": balance.expired, "taken": balance.taken, "pending": balance.pending,
        "remaining": balance.available, "balance": balance.available,
        "balance_for_consumption": serde_json::to_value(balance).unwrap().get("usable_until_expiry"),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Apply {
    from: Date,
    to: Date,
    #[serde(default)]
    approve: bool,
    #[serde(default)]
    half_day_on: Option<Date>,
}

impl Apply {
    /// The request: of a half day in the middle nothing is left but the days around it.
    fn request(&self, desk: &Desk) -> SubmitLeave {
        let more = match self.half_day_on {
            Some(half) if half == self.to => json!({ "end_part": "first_half" }),
            Some(half) if half == self.from => json!({ "start_part": "second_half" }),
            _ => json!({}),
        };
        let more = if self.from == self.to && self.half_day_on.is_some() {
            json!({ "start_part": "first_half" })
        } else {
            more
        };
        desk.request(self.from, self.to, more)
    }

    /// Asks, on the day before, and approves if that is meant.
    async fn play(&self, desk: &Desk) -> Outcome {
        let today = self.from.yesterday().unwrap();
        let asked = desk.submit(today, self.request(desk)).await;
        match asked {
            Ok(view) if self.approve => match desk.approve(today, view.request.id).await {
                Ok(view) => outcome! { "ok": true, "days": view.request.days },
                Err(error) => outcome! { "ok": false, "error": error.code() },
            },
            Ok(view) => outcome! { "ok": true, "days": view.request.days },
            Err(error) => outcome! { "ok": false, "error": error.code() },
        }
    }
}

fn apply_of(step: &Map<String, Value>) -> Played<Option<Apply>> {
    step.get("apply").map(|apply| shape(apply).ok_or_else(|| format!("no such request: {apply}"))).transpose()
}

async fn carry_forward(bench: &Bench<'_>, case: &PeerCase) -> Played<Vec<Outcome>> {
    let Some(given) = shape::<CarryForward>(&case.given) else { return unknown(&case.given) };
    let mut outcomes = Vec::new();
    match given {
        CarryForward::Allocations { leave_type, calendar, previous_allocation, allocation } => {
            let week = match calendar.as_deref() {
                None | Some("no holidays and no weekly offs") => Week::all(),
                Some(other) => return Err(format!("no such calendar: {other}")),
            };
            let desk = bench.desk(LONG_AGO, week).await;
            if let Some(previous) = previous_allocation {
                desk.grant(&text(previous.days), previous.from, None).await.map_err(text_of)?;
                desk.take(previous.from, previous.used).await?;
            }
            if allocation.carry_forward {
                desk.policy(allocation.from, leave_type.rules(allocation.from)).await?;
            }
            desk.grant(&text(allocation.new_days), allocation.from, Some(allocation.to))
                .await
                .map_err(text_of)?;
            for step in &case.steps {
                let on = if step.contains_key("as_of") { day_of(step)? } else { allocation.from };
                let mut ours = match apply_of(step)? {
                    Some(apply) => apply.play(&desk).await,
                    None => Outcome::new(),
                };
                ours.extend(allocation_outcome(&desk, on, allocation.from).await);
                outcomes.push(ours);
            }
        }
        CarryForward::Expiry { carried, new, cf_valid_to, taken_before_expiry } => {
            let desk = bench.desk(LONG_AGO, Week::all()).await;
            let start = date(cf_valid_to.year(), 1, 1);
            let valid = u16::try_from(start.until(cf_valid_to).unwrap().get_days() + 1).unwrap();
            let rules = Carrying {
                carry_forward: true,
                cf_expires_after_days: Some(valid),
                max_carried: None,
                max_total: None,
            };
            desk.grant(&text(carried), start - 1.year(), None).await.map_err(text_of)?;
            desk.policy(start, rules.rules(start)).await?;
            desk.grant(&text(new), start, None).await.map_err(text_of)?;
            desk.take(start, taken_before_expiry).await?;
            for step in &case.steps {
                let on = day_of(step)?;
                desk.on(on).leave().accrue(&desk.hr()).await.unwrap();
                outcomes.push(allocation_outcome(&desk, on, start).await);
            }
        }
        CarryForward::Unused { leave_type, previous_unused, new_days } => {
            let desk = bench.desk(LONG_AGO, Week::all()).await;
            let start = date(2025, 1, 1);
            desk.grant(&text(previous_unused), start - 1.year(), None).await.map_err(text_of)?;
            desk.policy(start, leave_type.rules(start)).await?;
            desk.grant(&text(new_days), start, None).await.map_err(text_of)?;
            for _ in &case.steps {
                outcomes.push(allocation_outcome(&desk, start, start).await);
            }
        }
        CarryForward::Thrice { leave_type, first, second, third } => {
            let desk = bench.desk(LONG_AGO, Week::all()).await;
            let years = [date(2023, 1, 1), date(2024, 1, 1), date(2025, 1, 1)];
            if !(second.carry && third.carry) {
                return Err("each allocation carries here".into());
            }
            desk.policy(years[1], leave_type.rules(years[1])).await?;
            for (start, days) in years.iter().zip([first, second.new, third.new]) {
                desk.grant(&text(days), *start, None).await.map_err(text_of)?;
            }
            for _ in &case.steps {
                desk.on(years[2]).leave().accrue(&desk.hr()).await.unwrap();
                let second = allocation_outcome(&desk, years[1], years[1]).await;
                let third = allocation_outcome(&desk, years[2], years[2]).await;
                outcomes.push(outcome! {
                    "second_carried": second.get("carried"), "third_carried": third.get("carried"),
                    "second_total": second.get("total"), "third_total": third.get("total"),
                });
            }
        }
        CarryForward::Reset { yearly, max_carried, reset_day, available_left, .. } => {
            let desk = bench.desk(date(2023, 1, 1), Week::all()).await;
            let first = day_of(case.steps.first().ok_or("no step")?)?;
            let reset: Date = format!("{}-{reset_day}", first.year()).parse().map_err(|_| "no such day")?;
            let joined = reset - 1.year();
            let level = json!({ "earn": { "per_year": { "days": text(yearly) } }, "every": "up_front", "credit": "start" });
            let rules = json!({
                "leave_year": { "on": reset_day }, "accrual": { "levels": [level] },
                "carry_over": { "limit": { "most": { "days": text(max_carried) } } },
            });
            desk.policy(joined, rules).await?;
            desk.on(joined).leave().accrue(&desk.hr()).await.unwrap();
            desk.take(joined, yearly - available_left).await?;
            for step in &case.steps {
                let on = day_of(step)?;
                desk.on(on).leave().accrue(&desk.hr()).await.unwrap();
                let carried = desk.carried_on(reset).await.map_or(0, |lot| lot.minutes);
                let available = desk.balance(on).await.minutes.available - carried;
                outcomes.push(outcome! { "available": days(available), "carried": days(carried) });
            }
        }
    }
    Ok(outcomes)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Allocation {
    from: Date,
    to: Date,
    #[serde(default)]
    days: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Allocations {
    Existing { existing: Allocation },
    Taken { allocated: f64, approved_days: Value },
    Spanned { allow_negative: bool, allocation: Allocation },
}

/// A number, or `n` and what is said of it: any number will do.
fn of_n(value: &Value, n: f64) -> Option<f64> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match text.strip_prefix('n') {
        None => text.parse().ok(),
        Some(rest) => {
            let rest = rest.replace(' ', "");
            if rest.is_empty() { Some(n) } else { Some(n + rest.parse::<f64>().ok()?) }
        }
    }
}

async fn allocation(bench: &Bench<'_>, case: &PeerCase) -> Played<Vec<Outcome>> {
    let Some(given) = shape::<Allocations>(&case.given) else { return unknown(&case.given) };
    let mut outcomes = Vec::new();
    match given {
        Allocations::Existing { existing } => {
            let desk = bench.desk(LONG_AGO, Week::office()).await;
            let allot = async |one: &Allocation| {
                let new = json!({
                    "employee_id": desk.employee, "leave_type_id": desk.leave_type.id,
                    "days": text(one.days.unwrap_or(5.0)), "valid_from": one.from,
                    "valid_to": one.to.tomorrow().unwrap(), "refuse_overlap": true,
                });
                let new = serde_json::from_value(new).map_err(text_of)?;
                Played::Ok(desk.on(one.from).leave().grant(&desk.hr(), new).await)
            };
            allot(&existing).await?.map_err(text_of)?;
            for step in &case.steps {
                let Some(new) = step.get("allocate").and_then(shape::<Allocation>) else {
                    return unknown(&case.given);
                };
                outcomes.push(match allot(&new).await? {
                    Ok(lot) => outcome! { "ok": true, "days": lot.days },
                    Err(error) => outcome! { "ok": false, "error": error.code() },
                });
            }
        }
        Allocations::Taken { allocated, approved_days } => {
            let n = 7.0;
            let taken = of_n(&approved_days, n).ok_or("no such number of days")?;
            for step in &case.steps {
                let desk = bench.desk(LONG_AGO, Week::office()).await;
                let lot = desk.grant(&text(allocated), date(2025, 1, 1), None).await.map_err(text_of)?;
                desk.take(date(2025, 2, 3), taken).await?;
                let Some(days) = step.get("set_new_days").and_then(|days| of_n(days, n)) else {
                    return unknown(&case.given);
                };
                outcomes.push(set_days(&desk, &lot, days).await?);
            }
        }
        Allocations::Spanned { allow_negative, allocation } => {
            let mut desk = bench.desk(LONG_AGO, Week::office()).await;
            if allow_negative {
                desk.floor(1000 * DAY).await;
            }
            let days = text(allocation.days.unwrap_or(15.0));
            desk.grant(&days, allocation.from, Some(allocation.to)).await.map_err(text_of)?;
            for step in &case.steps {
                let Some(apply) = apply_of(step)? else { return unknown(&case.given) };
                outcomes.push(apply.play(&desk).await);
            }
        }
    }
    Ok(outcomes)
}

/// Sets what a grant gives.
async fn set_days(desk: &Desk, lot: &LeaveLotView, to: f64) -> Played<Outcome> {
    let new = serde_json::from_value(json!({ "days": text(to) })).map_err(text_of)?;
    Ok(match desk.on(lot.valid_from).leave().adjust_grant(&desk.hr(), lot.id, new).await {
        Ok(grant) => outcome! { "ok": true, "days": grant.current_days },
        Err(error) => outcome! { "ok": false, "error": error.code() },
    })
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum LedgerCase {
    Edited { carried: f64, new: f64 },
    Cancelled { allocated: f64, leave_days: f64 },
}

/// What stands in the ledger, in minutes.
async fn standing(desk: &Desk, on: Date) -> i64 {
    desk.account(on).await.postings.iter().map(|posting| posting.minutes).sum()
}

async fn ledger(bench: &Bench<'_>, case: &PeerCase) -> Played<Vec<Outcome>> {
    let Some(given) = shape::<LedgerCase>(&case.given) else { return unknown(&case.given) };
    let start = date(2025, 1, 1);
    let mut outcomes = Vec::new();
    match given {
        LedgerCase::Edited { carried, new } => {
            let begin = async || {
                let desk = bench.desk(LONG_AGO, Week::office()).await;
                let carry = Carrying {
                    carry_forward: true,
                    cf_expires_after_days: None,
                    max_carried: None,
                    max_total: None,
                };
                desk.grant(&text(carried), start - 1.year(), None).await.map_err(text_of)?;
                desk.policy(start, carry.rules(start)).await?;
                let lot = desk.grant(&text(new), start, None).await.map_err(text_of)?;
                Played::Ok((desk, lot))
            };
            let (mut desk, mut lot) = begin().await?;
            for step in &case.steps {
                if step.get("restart").is_some() {
                    (desk, lot) = begin().await?;
                }
                let Some(to) = step.get("set_new_days").and_then(Value::as_f64) else {
                    return unknown(&case.given);
                };
                let before = standing(&desk, start).await;
                let mut ours = set_days(&desk, &lot, to).await?;
                ours.insert("ledger_delta".into(), json!(days(standing(&desk, start).await - before)));
                ours.insert("total".into(), json!(desk.balance(start).await.available));
                outcomes.push(ours);
            }
        }
        LedgerCase::Cancelled { allocated, leave_days } => {
            let desk = bench.desk(LONG_AGO, Week::all()).await;
            desk.grant(&text(allocated), start, None).await.map_err(text_of)?;
            let last = start + (leave_days.ceil() as i64 - 1).days();
            let asked = desk.submit(start, desk.request(start, last, json!({}))).await.map_err(text_of)?;
            let granted = standing(&desk, start).await;
            let mut before = granted;
            for step in &case.steps {
                if step.get("approve").is_some() {
                    desk.approve(start, asked.request.id).await.map_err(text_of)?;
                } else if step.get("cancel").is_some() {
                    desk.cancel(start, asked.request.id).await;
                } else {
                    return unknown(&case.given);
                }
                let after = standing(&desk, start).await;
                outcomes.push(outcome! {
                    "ledger_delta": days(after - before), "net_ledger_for_leave": days(after - granted),
                });
                before = after;
            }
        }
    }
    Ok(outcomes)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Counted {
    from: Date,
    to: Date,
    #[serde(default)]
    calendar: Option<String>,
    #[serde(default)]
    weekly_off: Option<Vec<String>>,
    #[serde(default)]
    public_holidays: Vec<Date>,
    #[serde(default)]
    policy: Option<String>,
    #[serde(default)]
    include_holidays: Option<bool>,
    #[serde(default)]
    existing_attendance: Option<BTreeMap<Date, String>>,
}

async fn counted(bench: &Bench<'_>, case: &PeerCase) -> Played<Vec<Outcome>> {
    let Some(given) = shape::<Counted>(&case.given) else { return unknown(&case.given) };
    let week = match (&given.weekly_off, given.calendar.as_deref()) {
        (Some(off), None) => week_off(off)?,
        (None, Some("weekly off: Sunday only; no other holidays")) => Week::Off(vec![Weekday::Sunday]),
        (None, Some("no holidays and no weekly offs")) => Week::all(),
        (None, None) => Week::office(),
        (_, other) => return Err(format!("no such calendar: {other:?}")),
    };
    let desk = bench.desk(LONG_AGO, week).await;
    for holiday in &given.public_holidays {
        desk.holiday(*holiday).await;
    }
    let rule = match (given.policy.as_deref(), given.include_holidays) {
        (None, None | Some(false)) | (Some("none"), None) => "none",
        (Some("full"), None) => "weekends_and_holidays",
        (Some("weekend_only"), None) => "weekends",
        (Some("holiday_only" | "holidays_only"), None) => "holidays",
        (None, Some(true)) => "calendar_days",
        other => return Err(format!("no such rule: {other:?}")),
    };
    desk.rules(json!({ "sandwich": rule })).await?;
    desk.grant("100", LONG_AGO, None).await.map_err(text_of)?;
    let asked =
        desk.submit(given.from, desk.request(given.from, given.to, json!({}))).await.map_err(text_of)?;
    let approved = desk.approve(given.from, asked.request.id).await.map_err(text_of)?;
    let away: Vec<_> = approved.day_count.iter().filter(|day| day.minutes > 0).collect();
    // There is no attendance here (yet): what it has to show is the count of each day.
    let attendance: Map<String, Value> = approved
        .day_count
        .iter()
        .map(|day| (day.date.to_string(), if day.minutes > 0 { "On Leave".into() } else { Value::Null }))
        .collect();
    let ours = outcome! {
        "days": approved.request.days, "attendance_rows": away.len(), "attendance": attendance,
    };
    let _ = given.existing_attendance;
    Ok(case.steps.iter().map(|_| ours.clone()).collect())
}
