//! Our own cases of requests: which days count, and which are refused.

use super::*;

/// Some leave: a day or days, and which parts of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Leave {
    #[serde(default)]
    date: Option<Date>,
    #[serde(default)]
    from: Option<Date>,
    #[serde(default)]
    to: Option<Date>,
    #[serde(default)]
    part: DayPart,
    #[serde(default)]
    from_part: Option<DayPart>,
    #[serde(default)]
    to_part: Option<DayPart>,
    #[serde(default)]
    hours: Option<DayHours>,
}

impl Leave {
    fn request(&self, desk: &Desk) -> Played<SubmitLeave> {
        let first = self.date.or(self.from).ok_or("no first day")?;
        let last = self.date.or(self.to).unwrap_or(first);
        let start = self.from_part.unwrap_or(self.part);
        // Of a leave of one day the first part says it all.
        let end = if first == last { None } else { Some(self.to_part.unwrap_or_default()) };
        let more = json!({ "start_part": start, "end_part": end, "hours": self.hours });
        Ok(desk.request(first, last, more))
    }
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum LeaveDays {
    Dates {
        leave_days: Vec<Date>,
        rule: String,
        #[serde(default)]
        calendar: Option<String>,
    },
    Parts {
        leave: Vec<Leave>,
        rule: String,
        #[serde(default)]
        calendar: Option<String>,
    },
}

/// Public holidays of 2026 that cases name by a calendar.
pub(super) fn holidays_of(calendar: &str) -> Played<Vec<Date>> {
    let (christmas, boxing) = (date(2026, 12, 25), date(2026, 12, 26));
    let (good_friday, easter_monday) = (date(2026, 4, 3), date(2026, 4, 6));
    let (ascension, whit_monday) = (date(2026, 5, 14), date(2026, 5, 25));
    let (new_year, may_day) = (date(2026, 1, 1), date(2026, 5, 1));
    let german = [
        new_year,
        good_friday,
        easter_monday,
        may_day,
        ascension,
        whit_monday,
        date(2026, 10, 3),
        christmas,
        boxing,
    ];
    let and = |more: &[Date]| german.iter().chain(more).copied().collect();
    Ok(match calendar {
        "IN-MH" => vec![date(2026, 1, 26), date(2026, 5, 1), date(2026, 8, 15), date(2026, 10, 2), christmas],
        "DE-BE" => and(&[date(2026, 3, 8)]),
        "DE-BY" => and(&[date(2026, 1, 6), date(2026, 6, 4), date(2026, 8, 15), date(2026, 11, 1)]),
        "GB-ENG" => vec![
            new_year,
            good_friday,
            easter_monday,
            date(2026, 5, 4),
            whit_monday,
            date(2026, 8, 31),
            christmas,
            date(2026, 12, 28),
        ],
        other => return Err(format!("no such calendar: {other}")),
    })
}

pub(super) async fn sandwich(bench: &Bench<'_>, inputs: &Value) -> Played {
    let one = |on: &Date| Leave {
        date: Some(*on),
        from: None,
        to: None,
        part: DayPart::Full,
        from_part: None,
        to_part: None,
        hours: None,
    };
    let (leave, rule, calendar) = match shape::<LeaveDays>(inputs) {
        Some(LeaveDays::Dates { leave_days, rule, calendar }) => {
            (leave_days.iter().map(one).collect(), rule, calendar)
        }
        Some(LeaveDays::Parts { leave, rule, calendar }) => (leave, rule, calendar),
        None => return unknown(inputs),
    };
    let rule = match rule.as_str() {
        "none" => "none",
        "weekends_between_count" => "weekends",
        "holidays_between_count" => "holidays",
        "weekends_and_holidays_between_count" => "weekends_and_holidays",
        other => return Err(format!("no such rule: {other}")),
    };
    let desk = bench.desk(LONG_AGO, Week::office()).await;
    desk.rules(json!({ "sandwich": rule })).await?;
    for holiday in calendar.as_deref().map_or(Ok(Vec::new()), holidays_of)? {
        desk.holiday(holiday).await;
    }
    desk.grant("100", LONG_AGO, None).await.map_err(|error| error.to_string())?;
    let mut total = 0;
    for one in leave {
        let asked = desk.submit(date(2026, 1, 1), one.request(&desk)?).await;
        total += asked.map_err(|error| error.to_string())?.request.minutes;
    }
    Ok(outcome! { "days": days(total) })
}

/// The days of a request that count, and how much it comes to.
pub(super) async fn preview(desk: &Desk, ask: SubmitLeave) -> Played {
    let on = ask.starts_on;
    let shown = desk.on(on).leave().preview(&desk.hr(), ask).await.map_err(|error| error.to_string())?;
    let worked = shown.day_count.iter().filter(|day| day.minutes > 0).map(|day| day.date);
    Ok(outcome! { "days": shown.days, "working_dates": worked.collect::<Vec<Date>>() })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartlyWorked {
    date: Date,
    #[serde(default)]
    part: DayPart,
    working_fraction: String,
}

pub(super) async fn half_day(bench: &Bench<'_>, inputs: &Value) -> Played {
    if let Some(case) = shape::<PartlyWorked>(inputs) {
        let worked = minutes(number(&case.working_fraction)?);
        let names = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
        let of_day = names[usize::try_from(case.date.weekday().to_monday_zero_offset()).unwrap()];
        let desk = bench.desk(LONG_AGO, Week::Pattern(json!({ "weeks": [{ of_day: worked }] }))).await;
        return preview(&desk, desk.request(case.date, case.date, json!({ "start_part": case.part }))).await;
    }
    let Some(leave) = shape::<Leave>(inputs) else { return unknown(inputs) };
    let desk = bench.desk(LONG_AGO, Week::office()).await;
    preview(&desk, leave.request(&desk)?).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Overlap {
    existing: Leave,
    request: Leave,
}

/// What became of a request that may be refused, with more that is said about it.
pub(super) fn asked(result: Result<LeaveRequestView, LeaveError>) -> Outcome {
    match result {
        Ok(view) => outcome! { "accepted": true, "request_days": view.request.days },
        Err(error) => outcome! { "accepted": false, "error": error.code() },
    }
}

pub(super) async fn overlap(bench: &Bench<'_>, inputs: &Value) -> Played {
    let Some(case) = shape::<Overlap>(inputs) else { return unknown(inputs) };
    let desk = bench.desk(LONG_AGO, Week::office()).await;
    desk.rules(json!({ "hours": true })).await?;
    desk.grant("30", LONG_AGO, None).await.map_err(|error| error.to_string())?;
    let first = desk.submit(date(2026, 1, 1), case.existing.request(&desk)?).await;
    let first = first.map_err(|error| error.to_string())?.request;
    desk.approve(date(2026, 1, 1), first.id).await.map_err(|error| error.to_string())?;
    let second = desk.submit(date(2026, 1, 1), case.request.request(&desk)?).await;
    let total = first.minutes + second.as_ref().map_or(0, |view| view.request.minutes);
    let mut ours = asked(second);
    ours.insert("day_total".into(), json!(days(total)));
    Ok(ours)
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Negative {
    One { balance: String, floor: String, request: String },
    Many { balance: String, floor: String, concurrent_requests: Vec<String> },
}

pub(super) async fn negative(bench: &Bench<'_>, inputs: &Value) -> Played {
    let Some(case) = shape::<Negative>(inputs) else { return unknown(inputs) };
    let (balance, floor, wanted, at_once) = match case {
        Negative::One { balance, floor, request } => (balance, floor, vec![request], false),
        Negative::Many { balance, floor, concurrent_requests } => (balance, floor, concurrent_requests, true),
    };
    // Every day is worked, and each request begins in a month of its own, so that only the balance can refuse.
    let mut desk = bench.desk(LONG_AGO, Week::all()).await;
    desk.floor(-minutes(number(&floor)?)).await;
    if number(&balance)? > 0.0 {
        desk.grant(&balance, LONG_AGO, None).await.map_err(|error| error.to_string())?;
    }
    let today = date(2026, 1, 1);
    let mut tasks = Vec::new();
    for (month, wanted) in wanted.iter().enumerate() {
        let halves = minutes(number(wanted)?) * 2 / DAY;
        let first = date(2026, 2, 1) + i64::try_from(month).unwrap().months();
        let last = first + ((halves + 1) / 2 - 1).days();
        let part = if first == last { "start_part" } else { "end_part" };
        let more = if halves % 2 == 1 { json!({ part: "first_half" }) } else { json!({}) };
        let (hrms, hr, ask) = (desk.on(today), desk.hr(), desk.request(first, last, more));
        tasks.push(tokio::spawn(async move { hrms.leave().submit(&hr, ask).await }));
    }
    let mut results = Vec::new();
    for task in tasks {
        results.push(task.await.unwrap());
    }
    let after = desk.balance(today).await.available;
    if at_once {
        let refused = results.iter().filter_map(|one| one.as_ref().err()).map(|error| error.code());
        let rejected = refused.filter(|code| *code == "leave.insufficient-balance").count();
        let accepted = results.iter().filter(|one| one.is_ok()).count();
        return Ok(outcome! { "accepted": accepted, "rejected": rejected, "balance": after });
    }
    let mut ours = asked(results.remove(0));
    ours.insert("balance".into(), json!(after));
    Ok(ours)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Holidays {
    from: Date,
    to: Date,
    country: String,
    #[serde(default)]
    subdivision: Option<String>,
}

pub(super) async fn holiday_calendars(bench: &Bench<'_>, inputs: &Value) -> Played {
    let Some(case) = shape::<Holidays>(inputs) else { return unknown(inputs) };
    let calendar =
        case.subdivision.map_or_else(|| case.country.clone(), |part| format!("{}-{part}", case.country));
    let desk = bench.desk(LONG_AGO, Week::office()).await;
    for holiday in holidays_of(&calendar)? {
        desk.holiday(holiday).await;
    }
    preview(&desk, desk.request(case.from, case.to, json!({}))).await
}

pub(super) fn weekday(name: &str) -> Option<Weekday> {
    let all = [
        Weekday::Monday,
        Weekday::Tuesday,
        Weekday::Wednesday,
        Weekday::Thursday,
        Weekday::Friday,
        Weekday::Saturday,
        Weekday::Sunday,
    ];
    let names = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let name = name.to_lowercase();
    let found = names.iter().position(|full| name.len() >= 3 && full.starts_with(&name))?;
    all.get(found).copied()
}

/// A week with days off such as `Sun` and `2nd Sat`.
pub(in super::super) fn week_off(off: &[String]) -> Played<Week> {
    let names = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let mut week: serde_json::Map<String, Value> =
        names.iter().map(|name| ((*name).into(), json!(DAY))).collect();
    let (mut nth, mut plain) = (Vec::new(), Vec::new());
    for one in off {
        let unknown = || format!("no such day off: {one}");
        let (which, day) =
            one.split_once(' ').map_or((None, one.as_str()), |(which, day)| (Some(which), day));
        let day = weekday(day).ok_or_else(unknown)?;
        let name = names[usize::try_from(day.to_monday_zero_offset()).unwrap()];
        match which {
            None => {
                week.insert(name.into(), json!(0));
                plain.push(day);
            }
            Some(which) => {
                let nth_of = match which {
                    "last" => -1,
                    _ => which.trim_end_matches(char::is_alphabetic).parse::<i64>().map_err(|_| unknown())?,
                };
                nth.push(json!({ "weekday": name, "nth": nth_of }));
            }
        }
    }
    Ok(match nth.is_empty() {
        true => Week::Off(plain),
        false => Week::Pattern(json!({ "weeks": [week], "nth_weekdays": nth })),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WeeklyOff {
    from: Date,
    to: Date,
    weekly_off: Vec<String>,
}

pub(super) async fn weekly_off(bench: &Bench<'_>, inputs: &Value) -> Played {
    let Some(case) = shape::<WeeklyOff>(inputs) else { return unknown(inputs) };
    let desk = bench.desk(LONG_AGO, week_off(&case.weekly_off)?).await;
    preview(&desk, desk.request(case.from, case.to, json!({}))).await
}
