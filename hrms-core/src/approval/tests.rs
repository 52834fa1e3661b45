//! Conditions of chains.

use super::chain::{Known, all_hold};
use super::*;

fn of(days: i64, place: Option<&str>) -> impl Fn(&str) -> Option<Known> {
    move |name| match name {
        "days" => Some(Known::Number(days)),
        "location_id" => place.map(|place| Known::Text(place.to_owned())),
        _ => None,
    }
}

fn condition(attribute: &str) -> Condition {
    Condition { attribute: attribute.into(), at_least: None, at_most: None, one_of: None }
}

#[test]
fn conditions_hold_between_their_limits() {
    let all = [Condition { at_least: Some(3), at_most: Some(5), ..condition("days") }];
    let holds = |days| all_hold(&all, &of(days, None));
    assert_eq!([2, 3, 5, 6].map(holds), [false, true, true, false]);
    assert!(all_hold(&[], &of(1, None)));
}

#[test]
fn what_isnt_known_holds_of_nothing() {
    let here = [Condition { one_of: Some(vec!["pune".into()]), ..condition("location_id") }];
    assert!(all_hold(&here, &of(1, Some("pune"))));
    assert!(!all_hold(&here, &of(1, Some("delhi"))));
    assert!(!all_hold(&here, &of(1, None)));
    let limit_of_a_text = [Condition { at_least: Some(0), ..condition("location_id") }];
    assert!(!all_hold(&limit_of_a_text, &of(1, Some("pune"))));
}
