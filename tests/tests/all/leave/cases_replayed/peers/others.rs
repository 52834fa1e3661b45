//! Peers' cases of what is neither accrual nor carrying over nor a count of days.

use super::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct First {
    first: Apply,
}

pub(super) async fn overlap(bench: &Bench<'_>, case: &PeerCase) -> Played<Vec<Outcome>> {
    let Some(given) = shape::<First>(&case.given) else { return unknown(&case.given) };
    let desk = bench.desk(LONG_AGO, Week::all()).await;
    desk.grant("100", LONG_AGO, None).await.map_err(text_of)?;
    let first = given.first.play(&desk).await;
    if first.get("ok") != Some(&json!(true)) {
        return Err(format!("the first request: {first:?}"));
    }
    let mut outcomes = Vec::new();
    for step in &case.steps {
        let Some(apply) = apply_of(step)? else { return unknown(&case.given) };
        outcomes.push(apply.play(&desk).await);
    }
    Ok(outcomes)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Waiting {
    applicable_after_working_days: u16,
    joined: Date,
    allocated: f64,
}

pub(super) async fn waiting(bench: &Bench<'_>, case: &PeerCase) -> Played<Vec<Outcome>> {
    let Some(given) = shape::<Waiting>(&case.given) else { return unknown(&case.given) };
    let desk = bench.desk(given.joined, Week::office()).await;
    desk.rules(json!({ "waiting_working_days": given.applicable_after_working_days })).await?;
    desk.grant(&text(given.allocated), given.joined, None).await.map_err(text_of)?;
    let mut outcomes = Vec::new();
    for step in &case.steps {
        let Some(apply) = apply_of(step)? else { return unknown(&case.given) };
        outcomes.push(apply.play(&desk).await);
    }
    Ok(outcomes)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Encashment {
    balance: f64,
    #[serde(default)]
    max_encashable: Option<f64>,
    #[serde(default)]
    non_encashable: f64,
    rate_per_day: u32,
}

pub(super) fn encashment(case: &PeerCase) -> Played<Vec<Outcome>> {
    let Some(given) = shape::<Encashment>(&case.given) else { return unknown(&case.given) };
    // Without a limit there is none: nought says so there.
    let most = given.max_encashable.filter(|most| *most > 0.0).map(minutes);
    let limits = EncashmentLimits { keep: minutes(given.non_encashable), most, step: None };
    let found = limits.of(minutes(given.balance), None);
    let worth = found.worth(given.rate_per_day.into(), 1.into(), DAY, 2).ok_or("no worth")?;
    let ours = outcome! {
        "encashable_days": days(found.minutes), "amount": worth.to_string(), "ledger_delta": days(-found.minutes),
    };
    Ok(case.steps.iter().map(|_| ours.clone()).collect())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Worked {
    worked_on: Date,
    #[serde(rename = "leave_periods")]
    _leave_periods: Vec<[Date; 2]>,
}

pub(super) async fn compensatory(bench: &Bench<'_>, case: &PeerCase) -> Played<Vec<Outcome>> {
    let Some(given) = shape::<Worked>(&case.given) else { return unknown(&case.given) };
    let mut outcomes = Vec::new();
    for _ in &case.steps {
        // What was earned can be used from the next day on, whatever year that is in.
        let desk = bench.desk(LONG_AGO, Week::office()).await;
        let from = given.worked_on.tomorrow().unwrap();
        let lot = desk.grant("1", from, None).await.map_err(text_of)?;
        let before = desk.balance(given.worked_on).await.available;
        outcomes.push(outcome! { "ok": before == "0" && lot.valid_from == from });
    }
    Ok(outcomes)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NegativeStep {
    #[serde(default)]
    allows_negative: Option<bool>,
    #[serde(default)]
    max_negative: Option<f64>,
    #[serde(default)]
    unit: Option<String>,
    #[serde(default)]
    hours_per_day: Option<f64>,
    #[serde(default)]
    allocate: Option<f64>,
    #[serde(default)]
    allocate_days: Option<f64>,
    #[serde(rename = "expect")]
    _expect: Value,
}

pub(super) async fn negative(bench: &Bench<'_>, case: &PeerCase) -> Played<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for step in &case.steps {
        let step = Value::Object(step.clone());
        let Some(one) = shape::<NegativeStep>(&step) else { return unknown(&step) };
        let of_day = one.hours_per_day.map_or(DAY, |hours| (hours * 60.0) as i64);
        if of_day != DAY {
            return Err("a day has eight hours here".into());
        }
        let unit = match one.unit.as_deref() {
            None | Some("day") => DAY,
            Some("hour") => 60,
            Some(other) => return Err(format!("no such unit: {other}")),
        };
        let mut desk = bench.desk(LONG_AGO, Week::office()).await;
        let floor =
            if one.allows_negative == Some(false) { 0.0 } else { one.max_negative.unwrap_or_default() };
        desk.floor((floor * unit as f64) as i64).await;
        let wanted = match (one.allocate, one.allocate_days) {
            (Some(amount), None) => (amount * unit as f64) as i64,
            (None, Some(amount)) => minutes(amount),
            _ => return unknown(&step),
        };
        // A grant below zero takes leave away.
        let on = date(2025, 1, 1);
        let done = if wanted < 0 {
            let new = serde_json::from_value(json!({ "minutes": -wanted, "on": on })).map_err(text_of)?;
            let (hrms, id) = (desk.on(on), desk.leave_type.id);
            hrms.leave().deduct(&desk.hr(), desk.employee, id, new).await.map(drop)
        } else {
            desk.grant(&hrms_core::leave::days_text(wanted, DAY), on, None).await.map(drop)
        };
        outcomes.push(match done {
            Ok(()) => outcome! { "ok": true, "balance": desk.balance(on).await.available },
            Err(error) => outcome! { "ok": false, "error": error.code() },
        });
    }
    Ok(outcomes)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entitlement {
    id: Value,
    days: f64,
    #[serde(default)]
    used: f64,
    from: Date,
    to: Date,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entitlements {
    entitlements: Vec<Entitlement>,
    leave_days: Vec<Date>,
}

pub(super) async fn entitlements(bench: &Bench<'_>, case: &PeerCase) -> Played<Vec<Outcome>> {
    let Some(given) = shape::<Entitlements>(&case.given) else { return unknown(&case.given) };
    let mut outcomes = Vec::new();
    for step in &case.steps {
        let mut desk = bench.desk(LONG_AGO, Week::all()).await;
        let mut names = BTreeMap::new();
        let today = given.entitlements.iter().map(|one| one.from).min().ok_or("no entitlement")? - 30.days();
        for one in &given.entitlements {
            // What of it is used already isn't there any more.
            let lot =
                desk.grant(&text(one.days - one.used), one.from, Some(one.to)).await.map_err(text_of)?;
            let name = one.id.as_str().map_or_else(|| one.id.to_string(), str::to_owned);
            names.insert(lot.id, name);
        }
        match step.get("mode").and_then(Value::as_str) {
            Some("apply") => {}
            // Who assigns leave beyond the balance does it within what the leave type allows to be taken in advance.
            Some("assign_by_hr") => desk.floor(100 * DAY).await,
            _ => return unknown(&case.given),
        }
        let mut ours = Outcome::new();
        let mut ids = Vec::new();
        let (Some(first), Some(last)) = (given.leave_days.iter().min(), given.leave_days.iter().max()) else {
            return unknown(&case.given);
        };
        let consecutive = last.since(*first).map_err(text_of)?.get_days() + 1;
        if usize::try_from(consecutive).ok() != Some(given.leave_days.len()) {
            return Err("days that aren't one leave".into());
        }
        match desk.submit(today, desk.request(*first, *last, json!({}))).await {
            Ok(view) => ids.push(view.request.id),
            Err(error) => drop(ours.insert("error".into(), error.code().into())),
        }
        let mut linked: Map<String, Value> = Map::new();
        for id in ids {
            desk.approve(today, id).await.map_err(text_of)?;
            let mut on_days: BTreeMap<(String, String), i64> = BTreeMap::new();
            for posting in desk.account(today).await.postings {
                let lot = posting.lot_id.and_then(|lot| names.get(&lot));
                if let (Some(name), Some(_)) = (lot, posting.request_id) {
                    *on_days.entry((posting.effective_on.to_string(), name.clone())).or_default() -=
                        posting.minutes;
                }
            }
            for ((day, name), minutes) in on_days.into_iter().filter(|(_, minutes)| *minutes != 0) {
                let of_day = linked.entry(day).or_insert_with(|| json!({}));
                of_day[name] = json!(days(minutes));
            }
        }
        ours.insert("linked".into(), Value::Object(linked));
        outcomes.push(ours);
    }
    Ok(outcomes)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Zone {
    employee_tz: String,
    leave: String,
}

pub(super) async fn time_zone(bench: &Bench<'_>, case: &PeerCase) -> Played<Vec<Outcome>> {
    let Some(given) = shape::<Zone>(&case.given) else { return unknown(&case.given) };
    let desk = bench.desk_in(LONG_AGO, None, Week::office(), &given.employee_tz).await;
    let weekday =
        given.leave.strip_prefix("one full ").ok_or_else(|| format!("no such leave: {}", given.leave))?;
    let monday = date(2026, 6, 8);
    let day = (0..7).map(|ahead| monday + ahead.days()).find(|day| format!("{:?}", day.weekday()) == weekday);
    let day = day.ok_or_else(|| format!("no such day: {weekday}"))?;
    desk.grant("10", LONG_AGO, None).await.map_err(text_of)?;
    let asked = desk.submit(monday, desk.request(day, day, json!({}))).await.map_err(text_of)?;
    Ok(case.steps.iter().map(|_| outcome! { "days": asked.request.days }).collect())
}
