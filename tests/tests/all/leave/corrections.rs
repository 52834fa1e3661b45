//! Corrections by hand: another amount for a grant, one grant for a period, and leave that is taken away.

use hrms_core::leave::{AdjustedLeaveGrant, AppliesTo, LeaveBalance, LeaveTypePatch};
use hrms_core::{LeaveLotId, Patch};
use jiff::ToSpan;
use serde_json::{Value, json};

use super::*;

impl World {
    async fn adjust(
        &self,
        actor: &Actor,
        id: LeaveLotId,
        new: Value,
    ) -> Result<AdjustedLeaveGrant, LeaveError> {
        self.hrms.leave().adjust_grant(actor, id, serde_json::from_value(new).unwrap()).await
    }

    async fn deduct(&self, actor: &Actor, new: Value) -> Result<LeaveBalance, LeaveError> {
        let new = serde_json::from_value(new).unwrap();
        self.hrms.leave().deduct(actor, self.asha, self.annual.id, new).await
    }
}

async fn a_grant_gets_another_amount_but_keeps_what_approved_leave_needs(store: &support::Fresh) {
    let w = World::new(store).await;
    let grant = w.grant_as(&w.hr(), w.asha, "10").await.unwrap();
    let taken = w.submit(w.asha, MONDAY, MONDAY + 2.days()).await.unwrap();
    w.approve(&w.manager(w.manager), taken.request.id).await.unwrap();
    let more =
        w.adjust(&w.hr(), grant.id, json!({ "days": "12", "note": "Two were forgotten" })).await.unwrap();
    assert_eq!((more.grant.days.as_str(), more.current_days.as_str()), ("10", "12"));
    assert_eq!(w.balance(w.asha, None).await, ["12", "3", "0", "0", "9"]);
    // The same again changes nothing.
    let events = w.events().await.len();
    w.adjust(&w.hr(), grant.id, json!({ "days": "12" })).await.unwrap();
    assert_eq!(w.events().await.len(), events);
    assert_eq!(code(w.adjust(&w.hr(), grant.id, json!({ "days": "2.5" })).await), "leave-grant.below-used");
    assert_eq!(w.balance(w.asha, None).await, ["12", "3", "0", "0", "9"]);
    w.adjust(&w.hr(), grant.id, json!({ "minutes": 3 * 480 })).await.unwrap();
    assert_eq!(w.balance(w.asha, None).await, ["3", "3", "0", "0", "0"]);
    w.cancel(&w.hr(), taken.request.id).await.unwrap();
    w.adjust(&w.hr(), grant.id, json!({ "days": "0" })).await.unwrap();
    assert_eq!(w.balance(w.asha, None).await, ["0", "0", "0", "0", "0"]);
    let account = w.hrms.leave().account(&w.hr(), w.asha, w.annual.id, None).await.unwrap();
    let adjusted = account.postings.iter().filter(|one| one.kind == PostingKind::Adjustment);
    assert_eq!(
        adjusted.map(|one| one.minutes / 480).collect::<Vec<_>>(),
        [2, -9, -3],
        "nothing is edited (P14)"
    );

    for faulty in [json!({}), json!({ "days": "-1" }), json!({ "minutes": -1 }), json!({ "days": "1e3" })] {
        assert_eq!(code(w.adjust(&w.hr(), grant.id, faulty).await), "common.invalid");
    }
    let one = || json!({ "days": "1" });
    let own = actor(w.tenant, Some(w.asha), &[Role::Hr, Role::Admin]);
    assert_eq!(code(w.adjust(&own, grant.id, one()).await), "leave.self-grant");
    assert_eq!(code(w.adjust(&w.manager(w.manager), grant.id, one()).await), "common.forbidden");
    assert_eq!(code(w.adjust(&w.employee(w.colleague), grant.id, one()).await), "common.not-found");
    let other = World::new(store).await;
    assert_eq!(code(w.adjust(&other.hr(), grant.id, one()).await), "common.not-found");
}

/// A grant that was carried over already: what was carried follows it (P5), and what policies credit isn't corrected by hand.
async fn what_policies_do_follows_a_corrected_grant(store: &support::Fresh) {
    let w = World::new(store).await;
    let rules = r#"{"accrual": {"levels": [{"earn": {"per_year": {"days": "12"}}, "every": "up_front", "credit": "start"}]},
        "carry_over": {"open_grants": "join", "limit": {"most": {"days": "20"}}}}"#;
    let policy = w.new_policy("yearly", AppliesTo::Everyone, date(2026, 1, 1), rules);
    let open = json!({
        "employee_id": w.asha, "leave_type_id": w.annual.id, "days": "15", "valid_from": "2025-06-01",
    });
    let grant = w.hrms.leave().grant(&w.hr(), serde_json::from_value(open).unwrap()).await.unwrap();
    w.hrms.leave_policies().create(&w.hr(), policy).await.unwrap();
    w.hrms.leave().accrue(&w.hr()).await.unwrap();
    assert_eq!(w.balance(w.asha, None).await[4], "27");
    w.adjust(&w.hr(), grant.id, json!({ "days": "8" })).await.unwrap();
    assert_eq!(w.balance(w.asha, None).await[4], "20");
    let taken = w.submit(w.asha, date(2026, 11, 30), date(2026, 12, 25)).await.unwrap();
    assert_eq!(taken.request.days, "20");
    w.approve(&w.manager(w.manager), taken.request.id).await.unwrap();
    assert_eq!(code(w.adjust(&w.hr(), grant.id, json!({ "days": "7" })).await), "leave-grant.below-used");
    w.adjust(&w.hr(), grant.id, json!({ "days": "9" })).await.unwrap();
    assert_eq!(w.balance(w.asha, None).await[4], "1");
    let account = w.hrms.leave().account(&w.hr(), w.asha, w.annual.id, None).await.unwrap();
    let by_policy = account.lots.iter().find(|lot| lot.source == LotSource::Accrual).unwrap().id;
    assert_eq!(code(w.adjust(&w.hr(), by_policy, json!({ "days": "1" })).await), "leave-grant.by-policy");
}

async fn one_grant_for_a_period(store: &support::Fresh) {
    let w = World::new(store).await;
    let grant = async |from: &str, to: Option<&str>, refuse_overlap: bool| {
        let new = json!({
            "employee_id": w.asha, "leave_type_id": w.annual.id, "days": "5", "valid_from": from, "valid_to": to,
            "refuse_overlap": refuse_overlap,
        });
        w.hrms.leave().grant(&w.hr(), serde_json::from_value(new).unwrap()).await
    };
    let october = grant("2026-10-01", Some("2026-11-01"), true).await.unwrap();
    for (from, to) in [
        ("2026-09-01", Some("2026-12-01")),
        ("2026-10-01", Some("2026-11-01")),
        ("2026-10-31", Some("2026-11-02")),
        ("2026-09-01", None),
    ] {
        assert_eq!(code(grant(from, to, true).await), "leave-grant.overlaps", "{from}");
    }
    grant("2026-09-01", Some("2026-10-01"), true).await.unwrap();
    grant("2026-11-01", None, true).await.unwrap();
    // Who doesn't say so may grant more; one that was taken back isn't there.
    grant("2026-10-01", Some("2026-11-01"), false).await.unwrap();
    w.adjust(&w.hr(), october.id, json!({ "days": "0" })).await.unwrap();
    assert_eq!(code(grant("2026-10-05", Some("2026-10-09"), true).await), "leave-grant.overlaps");
}

/// A floor of five days: ten in hand can become fifteen less, and what is lent is paid back by the next grant.
async fn leave_is_taken_away_down_to_the_floor(store: &support::Fresh) {
    let w = World::new(store).await;
    assert_eq!(code(w.deduct(&w.hr(), json!({ "days": "3" })).await), "leave.insufficient-balance");
    let floor = LeaveTypePatch { allow_negative_minutes: Patch::Set(5 * 480), ..Default::default() };
    w.hrms.leave_types().change(&w.hr(), w.annual.id, w.annual.version, floor).await.unwrap();
    w.grant(w.asha, "10").await;
    assert_eq!(
        w.deduct(&w.hr(), json!({ "days": "4", "note": "Counted twice" })).await.unwrap().granted,
        "6"
    );
    assert_eq!(w.balance(w.asha, None).await, ["6", "0", "0", "0", "6"]);
    assert_eq!(code(w.deduct(&w.hr(), json!({ "days": "12" })).await), "leave.insufficient-balance");
    assert_eq!(w.deduct(&w.hr(), json!({ "days": "11" })).await.unwrap().available, "-5");
    assert_eq!(w.balance(w.asha, None).await, ["-5", "0", "0", "0", "-5"]);
    assert_eq!(code(w.submit(w.asha, MONDAY, MONDAY).await), "leave.insufficient-balance");
    w.grant(w.asha, "7").await;
    assert_eq!(w.balance(w.asha, None).await, ["2", "0", "0", "0", "2"]);
    w.submit(w.asha, MONDAY, MONDAY + 4.days()).await.unwrap();
    assert_eq!(w.balance(w.asha, None).await, ["2", "0", "5", "0", "-3"]);
    for faulty in
        [json!({}), json!({ "days": "0" }), json!({ "minutes": -1 }), json!({ "days": "1", "minutes": 1 })]
    {
        assert_eq!(code(w.deduct(&w.hr(), faulty).await), "common.invalid");
    }
    let one = || json!({ "minutes": 1 });
    let own = actor(w.tenant, Some(w.asha), &[Role::Hr]);
    assert_eq!(code(w.deduct(&own, one()).await), "leave.self-grant");
    assert_eq!(code(w.deduct(&w.manager(w.manager), one()).await), "common.forbidden");
    assert_eq!(code(w.deduct(&w.employee(w.colleague), one()).await), "common.not-found");
    let far = json!({ "minutes": 1, "on": "2100-01-01" });
    assert_eq!(code(w.deduct(&w.hr(), far).await), "leave.too-far-ahead");
}

hrms_tests::on_every_engine!(
    a_grant_gets_another_amount_but_keeps_what_approved_leave_needs,
    what_policies_do_follows_a_corrected_grant,
    one_grant_for_a_period,
    leave_is_taken_away_down_to_the_floor,
);
