//! What will be there if, and what can be used before it expires.

use hrms_core::leave::{LeaveProjection, ProjectLeave};
use jiff::ToSpan;
use serde_json::{Value, json};

use super::*;

impl World {
    async fn project(&self, actor: &Actor, ask: Value) -> Result<LeaveProjection, LeaveError> {
        let ask: ProjectLeave = serde_json::from_value(ask).unwrap();
        self.hrms.leave().project(actor, self.asha, self.annual.id, ask).await
    }

    async fn set_rules(&self, rules: Value) {
        let set = serde_json::from_value(json!({ "effective_from": "2026-01-01", "rules": rules })).unwrap();
        self.hrms.leave_types().set_rules(&self.hr(), self.annual.id, set).await.unwrap();
    }
}

/// What was refused, by code.
fn refusals(projection: &LeaveProjection) -> Vec<Option<&str>> {
    projection.requests.iter().map(|one| one.refusal.as_ref().map(|why| why.code.as_str())).collect()
}

async fn supposed_leave_is_counted_and_covered_one_after_the_other(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "10").await;
    w.set_rules(json!({ "sandwich": "weekends" })).await;
    let me = w.employee(w.asha);
    let (before, events) = (w.balance(w.asha, None).await, w.events().await.len());
    let week = |number: i64| json!({ "starts_on": MONDAY + (7 * number).days(), "ends_on": MONDAY + (7 * number + 4).days() });
    let ask = json!({ "as_of": "2026-12-31", "requests": [week(0), week(1), week(0), week(4)] });
    let found = w.project(&me, ask.clone()).await.unwrap();
    // The second pays for the weekend between: 5 and 7 of 10. Asked for together, the third is another request's days.
    let days: Vec<&str> = found.requests.iter().map(|one| one.days.as_str()).collect();
    assert_eq!(days[..2], ["5", "7"]);
    assert_eq!(found.requests.iter().map(|one| one.covered).collect::<Vec<_>>(), [true, false, false, false]);
    assert_eq!(
        refusals(&found),
        [
            None,
            Some("leave.insufficient-balance"),
            Some("leave.overlaps"),
            Some("leave.insufficient-balance"),
        ]
    );
    assert_eq!(found.requests[1].in_advance_minutes, 2 * 480);
    assert_eq!(found.available_without, "10");
    // By the end of the year that is all but nothing, as if it was asked for.
    let two = w.project(&me, json!({ "as_of": "2026-12-31", "requests": [week(0), week(1)] })).await.unwrap();
    let balance = &two.balance;
    assert_eq!((balance.pending.as_str(), balance.available.as_str()), ("12", "-2"));
    // Nothing was stored, and asking for it comes to the same.
    assert_eq!((w.balance(w.asha, None).await, w.events().await.len()), (before, events));
    let first = w.submit(w.asha, MONDAY, MONDAY + 4.days()).await.unwrap();
    assert_eq!(first.day_count, found.requests[0].day_count);
    let after =
        w.project(&me, json!({ "as_of": "2026-12-31", "requests": [week(1), week(0)] })).await.unwrap();
    assert_eq!(refusals(&after), [Some("leave.insufficient-balance"), Some("leave.overlaps")]);
    // Without any leave it is the balance of the day.
    let plain = w.project(&me, json!({ "as_of": "2027-04-01" })).await.unwrap();
    let balances = w.hrms.leave().balances(&me, None, Some(date(2027, 4, 1))).await.unwrap();
    assert_eq!((plain.balance, plain.requests.len()), (balances[0].clone(), 0));
}

/// What is credited and carried over until then is part of it: "what will I have on 15 December if …".
async fn a_projection_looks_at_what_policies_will_do(store: &support::Fresh) {
    let w = World::new(store).await;
    let rules = r#"{"accrual": {"levels": [{"earn": {"per_year": {"days": "18"}}, "every": "monthly"}]},
        "carry_over": {"limit": {"most": {"days": "5"}, "valid_for": {"months": 3}}}}"#;
    w.policy("monthly", hrms_core::leave::AppliesTo::Everyone, rules).await;
    let me = w.employee(w.asha);
    let days = async |as_of: &str, from: &str, to: &str| {
        let ask = json!({ "as_of": as_of, "requests": [{ "starts_on": from, "ends_on": to }] });
        let found = w.project(&me, ask).await.unwrap();
        (found.available_without.clone(), found.balance.available.clone(), found.requests[0].covered)
    };
    // 18 by the end of 2026, 5 carried, and 1.5 each month.
    assert_eq!(days("2027-02-28", "2027-02-01", "2027-02-03").await, ("8".into(), "5".into(), true));
    // The three are of the five that were carried, so only two of those lapse.
    assert_eq!(days("2027-04-01", "2027-02-01", "2027-02-03").await, ("4.5".into(), "4.5".into(), true));
    assert!(!days("2026-12-15", "2026-12-07", "2026-12-31").await.2);
    let half = json!({ "requests": [
        { "starts_on": "2026-12-07", "ends_on": "2026-12-08", "start_part": "second_half" },
        { "starts_on": "2026-12-07", "ends_on": "2026-12-07", "start_part": "first_half" },
    ] });
    let half = w.project(&me, half).await.unwrap();
    assert_eq!((half.requests[0].days.as_str(), half.requests[1].days.as_str()), ("1.5", "0.5"));
    assert_eq!(refusals(&half), [None, None]);
}

async fn projections_are_for_those_who_see_the_balance(store: &support::Fresh) {
    let w = World::new(store).await;
    let nothing = || json!({});
    w.project(&w.manager(w.manager), nothing()).await.unwrap();
    assert_eq!(code(w.project(&w.employee(w.colleague), nothing()).await), "common.not-found");
    let other = World::new(store).await;
    assert_eq!(code(w.project(&other.hr(), nothing()).await), "common.not-found");
    let me = w.employee(w.asha);
    let faults = async |ask: Value| {
        let error = w.project(&me, ask).await.unwrap_err();
        error.fields().iter().map(|fault| fault.pointer.to_string()).collect::<Vec<_>>()
    };
    let backwards = json!({ "starts_on": "2026-12-08", "ends_on": "2026-12-07" });
    let good = json!({ "starts_on": "2026-12-07", "ends_on": "2026-12-07" });
    assert_eq!(faults(json!({ "requests": [good, backwards] })).await, ["/requests/1/ends_on"]);
    assert_eq!(faults(json!({ "requests": vec![good.clone(); 51] })).await, ["/requests"]);
    assert_eq!(faults(json!({ "as_of": "9999-12-31" })).await, ["/as_of"]);
    let far = json!({ "requests": [{ "starts_on": "2100-01-04", "ends_on": "2100-01-04" }] });
    assert_eq!(code(w.project(&me, far).await), "leave.too-far-ahead");
    assert_eq!(code(w.project(&me, json!({ "as_of": "2100-01-01" })).await), "leave.too-far-ahead");
}

/// Five working days are left before the grant expires: less a holiday, and less leave that was asked for.
async fn a_balance_says_what_can_be_used_before_it_expires(store: &support::Fresh) {
    let w = World::new(store).await;
    let grant = json!({
        "employee_id": w.asha, "leave_type_id": w.annual.id, "days": "10", "valid_from": "2026-01-01",
        "valid_to": "2026-12-12",
    });
    let grant = serde_json::from_value(grant).unwrap();
    w.hrms.leave().grant(&w.hr(), grant).await.unwrap();
    let usable = async || {
        let balance = w.hrms.leave().balances(&w.hr(), Some(w.asha), Some(MONDAY)).await.unwrap().remove(0);
        let why = w.hrms.leave().explain(&w.hr(), w.asha, w.annual.id, Some(MONDAY)).await.unwrap();
        let account = w.hrms.leave().account(&w.hr(), w.asha, w.annual.id, Some(MONDAY)).await.unwrap();
        assert_eq!((&why.balance, &account.balance), (&balance, &balance), "three ways to one balance");
        (balance.available, balance.usable_until_expiry)
    };
    assert_eq!(usable().await, ("10".into(), "5".into()));
    w.holiday(date(2026, 12, 9), "Feast").await;
    assert_eq!(usable().await, ("10".into(), "4".into()));
    let asked = w.submit(w.asha, date(2026, 12, 8), date(2026, 12, 8)).await.unwrap();
    assert_eq!(usable().await, ("9".into(), "3".into()));
    w.approve(&w.manager(w.manager), asked.request.id).await.unwrap();
    assert_eq!(usable().await, ("9".into(), "3".into()));
    let open = json!({
        "employee_id": w.asha, "leave_type_id": w.annual.id, "days": "2", "valid_from": "2026-01-01",
    });
    w.hrms.leave().grant(&w.hr(), serde_json::from_value(open).unwrap()).await.unwrap();
    assert_eq!(usable().await, ("11".into(), "5".into()));
}

hrms_tests::on_every_engine!(
    supposed_leave_is_counted_and_covered_one_after_the_other,
    a_projection_looks_at_what_policies_will_do,
    projections_are_for_those_who_see_the_balance,
    a_balance_says_what_can_be_used_before_it_expires,
);
