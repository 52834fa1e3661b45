//! Every case of the shared collections, replayed with its own inputs and numbers through the services.
//!
//! A case is recognised by its area and the shape of its inputs, so others of the same shape run as well. One that isn't
//! recognised fails: nothing is skipped. What we do differently is listed with the decision record that says why.

mod desk;
mod own;
mod peers;
mod plans;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::*;
use desk::Bench;
use hrms_tests::shared_dir;

/// Cases that come to something else here, with the decision record that says why.
const DIFFERENT: &[(&str, &str)] = &[
    // Leave is in lots with their own validity: there is no period that could be missing.
    ("leave-comp-002", "0023-cases-of-other-systems.md"),
];

/// Half a minute of a day of eight hours, and a little for decimals: amounts are exact minutes here (P10).
const TOLERANCE: f64 = 0.0011;

/// What a case came to, by name.
type Outcome = Map<String, Value>;

/// What a case came to, or why it can't be played.
type Played<T = Outcome> = Result<T, String>;

/// An object of JSON as what a case came to.
macro_rules! outcome {
    ($($json:tt)+) => {
        match serde_json::json!({ $($json)+ }) {
            serde_json::Value::Object(map) => map,
            _ => unreachable!(),
        }
    };
}
use outcome;

/// Reads the inputs of a case; anything in them that isn't known makes it another shape.
fn shape<T: DeserializeOwned>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}

fn unknown<T>(inputs: &Value) -> Played<T> {
    Err(format!("no such shape: {inputs}"))
}

/// What an error of ours is called in the collections.
fn error_names(code: &str) -> &'static [&'static str] {
    match code {
        "leave.overlaps" | "leave-grant.overlaps" => &["overlap"],
        "leave.insufficient-balance" => {
            &["insufficient", "insufficient_balance", "across_allocations", "not_allowed", "below_limit"]
        }
        "leave.max-consecutive" => &["max_consecutive"],
        "leave.waiting-period" => &["not_yet_applicable"],
        "leave-grant.below-used" => &["less_than_taken"],
        _ => &[],
    }
}

/// Whether something has the expected value; numbers to half a minute, errors by any of their names.
fn agrees(expected: &Value, ours: &Value) -> bool {
    let number = |value: &Value| match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse::<f64>().ok(),
        _ => None,
    };
    if let (Some(expected), Some(ours)) = (number(expected), number(ours)) {
        return (expected - ours).abs() <= TOLERANCE;
    }
    match (expected, ours) {
        (Value::Array(expected), Value::Array(ours)) => {
            expected.len() == ours.len() && expected.iter().zip(ours).all(|(one, two)| agrees(one, two))
        }
        (Value::Object(expected), Value::Object(ours)) => all_agree(expected, ours).is_empty(),
        _ => expected == ours,
    }
}

/// Everything that isn't as expected.
fn all_agree(expected: &Outcome, ours: &Outcome) -> Vec<String> {
    let differs = |(name, value): (&String, &Value)| match ours.get(name) {
        None => Some(format!("nothing is said about {name}")),
        Some(Value::String(code)) if name == "error" => {
            let known = value.as_str().is_some_and(|wanted| error_names(code).contains(&wanted));
            (!known).then(|| format!("error: {value} expected, {code} came"))
        }
        Some(found) => (!agrees(value, found)).then(|| format!("{name}: {value} expected, {found} came")),
    };
    expected.iter().filter_map(differs).collect()
}

/// A case of `leave.json`.
#[derive(Deserialize)]
struct OwnCase {
    id: String,
    area: String,
    inputs: Value,
    expected: Outcome,
}

/// A case of `leave-peers.yaml`.
#[derive(Deserialize)]
pub(super) struct PeerCase {
    id: String,
    area: String,
    given: Value,
    steps: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
struct Collection<C> {
    cases: Vec<C>,
}

/// The cases of a file, unless there is no such folder here.
fn cases<C: DeserializeOwned>(file: &str) -> Option<Vec<C>> {
    let text = std::fs::read_to_string(shared_dir()?.join("cases").join(file)).unwrap();
    let all: Value = match file.ends_with(".yaml") {
        // `n` is a name there, and no boolean.
        true => {
            let strict = serde_saphyr::options! { strict_booleans: true };
            serde_saphyr::from_str_with_options(&text, strict).unwrap()
        }
        false => serde_json::from_str(&text).unwrap(),
    };
    Some(Collection::deserialize(all).unwrap().cases)
}

/// Fails with all cases that aren't as they should be.
fn verdict(results: BTreeMap<String, Vec<String>>) {
    let is_listed = |id: &str| DIFFERENT.iter().any(|(other, _)| *other == id);
    let records = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/decisions");
    assert!(DIFFERENT.iter().all(|(_, record)| records.join(record).is_file()), "without a decision record");
    let mut wrong: Vec<String> = Vec::new();
    for (id, faults) in &results {
        match (faults.is_empty(), is_listed(id)) {
            (false, false) => wrong.push(format!("{id}: {}", faults.join("; "))),
            (true, true) => wrong.push(format!("{id} passes: take it off the list")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), results.len(), wrong.join("\n"));
}

async fn own_cases(store: &support::Fresh) {
    let Some(cases) = cases::<OwnCase>("leave.json") else { return };
    assert!(cases.len() >= 27, "the collection has {} cases", cases.len());
    let mut results = BTreeMap::new();
    for case in cases {
        let bench = Bench(store);
        let faults = match own::play(&bench, &case.area, &case.inputs, &case.expected).await {
            Ok(ours) => all_agree(&case.expected, &ours),
            Err(why) => vec![why],
        };
        results.insert(case.id, faults);
    }
    verdict(results);
}

async fn peer_cases(store: &support::Fresh) {
    let Some(cases) = cases::<PeerCase>("leave-peers.yaml") else { return };
    assert!(cases.len() >= 39, "the collection has {} cases", cases.len());
    let mut results = BTreeMap::new();
    for case in cases {
        let bench = Bench(store);
        let mut faults = Vec::new();
        match peers::play(&bench, &case).await {
            Err(why) => faults.push(why),
            Ok(ours) if ours.len() != case.steps.len() => faults.push("a step wasn't played".into()),
            Ok(ours) => {
                for (number, (step, ours)) in case.steps.iter().zip(&ours).enumerate() {
                    if let Some(Value::Object(expected)) = step.get("expect") {
                        let wrong = all_agree(expected, ours).into_iter();
                        faults.extend(wrong.map(|fault| format!("step {}: {fault}", number + 1)));
                    }
                }
                if case.steps.iter().all(|step| !step.contains_key("expect")) {
                    faults.push("nothing is expected".into());
                }
            }
        }
        results.insert(case.id, faults);
    }
    verdict(results);
}

/// The comparison itself can fail: it isn't satisfied by what is near, missing or of another name.
#[test]
fn cases_can_fail() {
    let expected = outcome! { "days": "12", "error": "overlap", "list": [1, 2] };
    let right = outcome! { "days": 12, "error": "leave.overlaps", "list": ["1.0", 2.0005] };
    assert_eq!(all_agree(&expected, &right), [""; 0]);
    for (name, wrong) in [
        ("days", serde_json::json!("11.95")),
        ("days", serde_json::json!(true)),
        ("error", serde_json::json!("leave.blocked")),
        ("list", serde_json::json!([1])),
        ("list", serde_json::json!([1, 3])),
    ] {
        let mut ours = right.clone();
        ours.insert(name.into(), wrong);
        assert_eq!(all_agree(&expected, &ours).len(), 1, "{name}");
        ours.remove(name);
        assert_eq!(all_agree(&expected, &ours).len(), 1, "{name}");
    }
}

hrms_tests::on_every_engine!(own_cases, peer_cases);
