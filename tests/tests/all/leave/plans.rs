//! Leave by policies through the services: what is written when changes no answer (P6), on every engine.

use hrms_core::employee::EndEmployment;
use hrms_core::leave::{
    AppliesTo, AssignLeavePolicy, BalanceMinutes, CloseLeave, DecisionNote, GrantLeave, LeaveRequestView,
    LotSource, NewLeavePolicyVersion, PostingKind, SubmitLeave,
};
use hrms_core::{Actor, EmployeeId, FixedClock, Hrms, LeaveRequestId};
use hrms_store::SqlStore;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan};

use super::policies::MONTHLY_18;
use super::{World, code};
use crate::all::support;

const CARRY_5: &str = r#"{"accrual": {"levels": [{"earn": {"per_year": {"days": "18"}}, "every": "monthly"}]},
    "carry_over": {"limit": {"most": {"days": "5"}, "valid_for": {"months": 3}}}}"#;
const CAPPED: &str = r#"{"leave_year": "anniversary", "accrual": {"levels": [{"earn": {"per_period": {"days": "1"}},
    "every": "weekly", "credit": "start", "balance_cap": {"days": "8"}}]}, "carry_over": {"limit": {"most": {"days": "3"}}}}"#;
const LOSS: &str = r#"{"accrual": {"levels": [{"earn": {"per_year": {"days": "24"}}, "every": "twice_monthly"}],
    "loss_of_pay": "reduces", "proration": "worked_time", "rounding": {"mode": "up", "step": {"days": "0.5"}}}}"#;

impl World {
    /// The same organisation at noon of a day.
    fn on(&self, store: &SqlStore, day: Date) -> Hrms {
        let noon = day.at(12, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp();
        Hrms::builder(store.clone()).clock(FixedClock::at(noon)).build()
    }

    async fn available(&self, employee: EmployeeId, as_of: Date) -> String {
        let hr = self.hr();
        let account = self.hrms.leave().account(&hr, employee, self.annual.id, Some(as_of)).await.unwrap();
        let all = self.hrms.leave().balances(&hr, Some(employee), Some(as_of)).await.unwrap();
        assert_eq!(all, std::slice::from_ref(&account.balance), "two ways to one balance");
        account.balance.available
    }
}

async fn a_policy_counts_without_any_run(store: &support::Fresh) {
    let w = World::new(store).await;
    w.policy("monthly", AppliesTo::Everyone, MONTHLY_18).await;
    for (as_of, days) in [
        (date(2025, 12, 31), "0"),
        (date(2026, 1, 30), "0"),
        (date(2026, 1, 31), "1.5"),
        (date(2026, 6, 30), "9"),
        (date(2026, 12, 31), "18"),
        (date(2027, 3, 31), "22.5"),
    ] {
        assert_eq!(w.available(w.asha, as_of).await, days, "{as_of}");
    }
    // Today there are 15 days, on 11 January 18, in February 19.5: each day of leave may use what is credited
    // until then, and no more.
    let monday = date(2027, 1, 11);
    let ask = |days: i32| w.ask(monday, monday + Span::new().days(days / 5 * 7 + days % 5 - 1));
    assert_eq!(code(w.hrms.leave().submit(&w.employee(w.asha), ask(20)).await), "leave.insufficient-balance");
    let preview = w.hrms.leave().preview(&w.employee(w.asha), ask(17)).await.unwrap();
    assert_eq!((preview.days.as_str(), preview.refusal), ("17", None));
    let asked = w.hrms.leave().submit(&w.employee(w.asha), ask(17)).await.unwrap();
    w.hrms.leave().approve(&w.manager(w.manager), asked.request.id, DecisionNote::default()).await.unwrap();
    let account = w.hrms.leave().account(&w.hr(), w.asha, w.annual.id, None).await.unwrap();
    assert!(account.lots.iter().all(|lot| lot.source == LotSource::Accrual), "{:?}", account.lots);
    let taken = account.postings.iter().filter(|one| one.kind == PostingKind::Consumption);
    assert!(
        taken.clone().count() >= 17 && taken.clone().all(|one| one.lot_id.is_some()),
        "linked to lots (P11)"
    );
    assert_eq!(w.available(w.asha, date(2027, 1, 31)).await, "2.5");
    // What is shown but not written looks the same each time.
    let far = Some(date(2028, 1, 1));
    let first = w.hrms.leave().account(&w.hr(), w.asha, w.annual.id, far).await.unwrap();
    assert_eq!(w.hrms.leave().account(&w.hr(), w.asha, w.annual.id, far).await.unwrap(), first);
}

async fn a_balance_is_explained(store: &support::Fresh) {
    let w = World::new(store).await;
    let rules = r#"{"accrual": {"levels": [{"earn": {"per_year": {"days": "19"}}, "every": "monthly"}],
        "rounding": {"mode": "nearest", "step": {"days": "1"}}}}"#;
    let policy = w.policy("monthly", AppliesTo::Everyone, rules).await;
    w.grant(w.asha, "2").await;
    let leave = w.hrms.leave();
    let asked = w.submit(w.asha, date(2026, 12, 7), date(2026, 12, 9)).await.unwrap();
    leave.approve(&w.manager(w.manager), asked.request.id, DecisionNote::default()).await.unwrap();
    let why =
        leave.explain(&w.employee(w.asha), w.asha, w.annual.id, Some(date(2026, 12, 31))).await.unwrap();
    assert_eq!(why.sentence, "On 2026-12-31, 18 days are available: 21 granted, less 3 taken.");
    // Ten credits and the grant by hand; the last two months got nothing, as the year's amount was reached.
    assert_eq!((why.lots.len(), why.cut.len(), why.in_advance.len()), (11, 2, 0));
    let october = why.lots.iter().find(|lot| lot.lot.valid_from == date(2026, 10, 31)).unwrap();
    let credit = october.credit.as_ref().unwrap();
    assert_eq!(credit.policy_version_id, policy.versions[0].id);
    assert_eq!((credit.rounded_minutes, credit.cut_by_quota), (960, 480));
    assert_eq!(
        october.sentence,
        "1 days by the leave policy, which can be used from 2026-10-31 on. Level 1 credits 760 minutes monthly for \
         2026-10-01 to 2026-11-01 (exclusive); that is 760 minutes, rounded 960; 480 minutes are cut because the year's \
         amount is reached."
    );
    // Every minute is there: what stands on the lots makes the balance.
    let on_lots: i64 = why.lots.iter().flat_map(|lot| &lot.postings).map(|one| one.minutes).sum();
    assert_eq!(on_lots, why.balance.minutes.available);
    let hidden = leave.explain(&w.employee(w.colleague), w.asha, w.annual.id, None).await;
    assert_eq!(code(hidden), "common.not-found");
}

async fn a_run_writes_what_is_due_once(store: &support::Fresh) {
    let w = World::new(store).await;
    w.policy("monthly", AppliesTo::Everyone, MONTHLY_18).await;
    let leave = w.hrms.leave();
    assert_eq!(code(leave.accrue(&w.employee(w.asha)).await), "common.forbidden");
    assert_eq!(code(leave.accrue(&w.manager(w.manager)).await), "common.forbidden");
    // Two nodes at once.
    let (hr, other) = (w.hr(), w.hr());
    let (one, two) = tokio::join!(leave.accrue(&hr), leave.accrue(&other));
    let (one, two) = (one.unwrap(), two.unwrap());
    // Three people, January to October.
    assert_eq!((one.employees, two.employees), (3, 3));
    assert_eq!((one.lots + two.lots, one.postings + two.postings), (30, 30));
    let again = leave.accrue(&w.hr()).await.unwrap();
    assert_eq!((again.lots, again.postings), (0, 0));
    let account = leave.account(&w.hr(), w.asha, w.annual.id, Some(date(2026, 10, 31))).await.unwrap();
    assert_eq!((account.lots.len(), account.balance.available.as_str()), (10, "15"));
    // New rules for the past are posted as corrections (P5); what was written stays (P14).
    let policy =
        w.hrms.leave_policies().list(&w.hr(), &Default::default(), &Default::default()).await.unwrap();
    let rules = serde_json::from_str(&MONTHLY_18.replace("18", "12")).unwrap();
    let version = NewLeavePolicyVersion { effective_from: date(2026, 7, 1), rules };
    w.hrms.leave_policies().add_version(&w.hr(), policy.items[0].id, version).await.unwrap();
    assert_eq!(w.available(w.asha, date(2026, 10, 31)).await, "13");
    let corrected = leave.accrue(&w.hr()).await.unwrap();
    assert_eq!((corrected.lots, corrected.postings), (0, 12));
    let after = leave.account(&w.hr(), w.asha, w.annual.id, Some(date(2026, 10, 31))).await.unwrap();
    assert_eq!(after.postings[..10], account.postings[..]);
    let corrections: Vec<_> = after.postings[10..].iter().map(|one| (one.kind, one.minutes)).collect();
    assert_eq!(corrections, [(PostingKind::Adjustment, -240); 4]);
    assert_eq!(after.balance.available, "13");
}

/// Balances are replayed until the day that is asked about, so that isn't any day.
async fn nobody_asks_about_the_far_future(store: &support::Fresh) {
    let w = World::new(store).await;
    w.policy("daily", AppliesTo::Everyone, &MONTHLY_18.replace("monthly", "daily")).await;
    let (me, leave, annual) = (w.employee(w.asha), w.hrms.leave(), w.annual.id);
    // Today is 23 November 2026.
    let (last, beyond) = (date(2031, 11, 23), date(2031, 11, 24));
    assert_eq!(leave.balances(&me, None, Some(last)).await.unwrap().len(), 1);
    assert_eq!(code(leave.balances(&me, None, Some(beyond)).await), "leave.too-far-ahead");
    assert_eq!(code(leave.account(&me, w.asha, annual, Some(beyond)).await), "leave.too-far-ahead");
    let error = leave.explain(&me, w.asha, annual, Some(date(2199, 12, 31))).await.unwrap_err();
    assert_eq!(error.to_string(), "leave is looked up and asked for until 2031-11-23 at most");
    assert_eq!(hrms_core::DomainError::kind(&error), hrms_core::ErrorKind::Invalid);
    // Nor is leave asked for then: every later read would go that far.
    assert_eq!(code(leave.preview(&me, w.ask(last, beyond)).await), "leave.too-far-ahead");
    assert_eq!(code(w.submit(w.asha, last, beyond).await), "leave.too-far-ahead");
    let friday = date(2031, 11, 21);
    w.submit(w.asha, friday, friday).await.unwrap();
    // Somebody else's leave is nobody's business, however far.
    let other = leave.balances(&w.employee(w.colleague), Some(w.asha), Some(beyond)).await;
    assert_eq!(code(other), "common.not-found");
}

/// A sequence of numbers that is the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % end
    }
}

/// One of two organisations in which the same happens.
struct Side {
    w: World,
    policy: hrms_core::LeavePolicyId,
    other: hrms_core::LeavePolicyId,
    requests: Vec<LeaveRequestId>,
}

impl Side {
    async fn new(store: &SqlStore) -> Self {
        let w = World::new(store).await;
        let policy = w.policy("a", AppliesTo::Everyone, MONTHLY_18).await.policy.id;
        let other = w.policy("b", AppliesTo::Assigned, CAPPED).await.policy.id;
        Self { w, policy, other, requests: Vec::new() }
    }

    /// Does something; what came of it.
    async fn act(&mut self, store: &SqlStore, today: Date, what: &[i64; 4]) -> String {
        let w = &self.w;
        let hrms = w.on(store, today);
        let (me, hr, boss): (Actor, Actor, Actor) = (w.employee(w.asha), w.hr(), w.manager(w.manager));
        let [kind, first, second, third] = *what;
        let which = usize::try_from(first).unwrap().checked_rem(self.requests.len());
        let chosen = which.map(|which| self.requests[which]);
        let said = |result: Result<LeaveRequestView, hrms_core::leave::LeaveError>| match result {
            Ok(view) => view.request.status.code().to_owned(),
            Err(error) => hrms_core::DomainError::code(&error).to_owned(),
        };
        match (kind, chosen) {
            (0..=3, _) => {
                let starts_on = today + Span::new().days(first % 200 - 40);
                let ends_on = starts_on + Span::new().days(second % 9);
                let ask = SubmitLeave { starts_on, ends_on, ..w.ask(starts_on, ends_on) };
                let result = hrms.leave().submit(&me, ask).await;
                self.requests.extend(result.as_ref().ok().map(|view| view.request.id));
                said(result)
            }
            (4..=6, Some(id)) => said(hrms.leave().approve(&boss, id, DecisionNote::default()).await),
            (7, Some(id)) => said(hrms.leave().cancel(&boss, id, DecisionNote::default()).await),
            (8, _) => {
                let valid_from = today + Span::new().days(first % 100 - 30);
                let new = GrantLeave {
                    employee_id: w.asha,
                    leave_type_id: w.annual.id,
                    days: None,
                    minutes: Some(240 * (1 + second % 8)),
                    valid_from,
                    valid_to: (third % 2 == 0).then(|| valid_from + Span::new().days(1 + third % 300)),
                    source: LotSource::Grant,
                    note: None,
                    refuse_overlap: false,
                };
                match hrms.leave().grant(&hr, new).await {
                    Ok(lot) => lot.days,
                    Err(error) => hrms_core::DomainError::code(&error).to_owned(),
                }
            }
            (9, _) => {
                let text = [MONTHLY_18, CARRY_5, CAPPED, LOSS][usize::try_from(first % 4).unwrap()];
                let rules = serde_json::from_str(text).unwrap();
                let effective_from = today + Span::new().days(second % 300 - 150);
                let new = NewLeavePolicyVersion { effective_from, rules };
                let view = hrms.leave_policies().add_version(&hr, self.policy, new).await.unwrap();
                view.versions.len().to_string()
            }
            (10, _) => {
                let valid_from = today + Span::new().days(first % 200 - 100);
                let valid_to = Some(valid_from + Span::new().days(30 + second % 100));
                let new = AssignLeavePolicy {
                    employee_id: w.asha,
                    leave_policy_id: self.other,
                    valid_from,
                    valid_to,
                };
                hrms.leave_policy_assignments().assign(&hr, new).await.is_ok().to_string()
            }
            (11, _) if third % 5 == 0 => {
                let last_day = today + Span::new().days(60);
                let end = EndEmployment { last_day, reason: None };
                hrms.employees().end_employment(&hr, w.asha, end).await.is_ok().to_string()
            }
            _ => String::new(),
        }
    }

    async fn balances(&self, store: &SqlStore, today: Date) -> Vec<BalanceMinutes> {
        let mut found = Vec::new();
        for days in [-400, -90, 0, 1, 45, 120, 500] {
            found.extend(self.as_of(store, today, today + Span::new().days(days)).await);
        }
        found
    }

    async fn as_of(&self, store: &SqlStore, today: Date, day: Date) -> Vec<BalanceMinutes> {
        let hrms = self.w.on(store, today);
        let all = hrms.leave().balances(&self.w.hr(), Some(self.w.asha), Some(day)).await.unwrap();
        all.into_iter().map(|one| one.minutes).collect()
    }
}

/// P6: the same random history twice, once without any run, once with runs now and then, twice, or two at once: the
/// same refusals and the same balances on every day. P1 holds on all of them.
async fn no_run_changes_an_answer(store: &support::Fresh) {
    for seed in 1..=6 {
        let mut numbers = Numbers(seed * 7919);
        let (mut never, mut often) = (Side::new(store).await, Side::new(store).await);
        let mut today = date(2026, 1, 5);
        for step in 0..22 {
            today += (1 + numbers.below(25)).days();
            let runs = numbers.below(4);
            let hrms = often.w.on(store, today);
            let (one, two) = (often.w.hr(), often.w.hr());
            match runs {
                0 => {}
                1 => drop(hrms.leave().accrue(&one).await.unwrap()),
                2 => {
                    hrms.leave().accrue(&one).await.unwrap();
                    hrms.leave().accrue(&one).await.unwrap();
                }
                _ => {
                    let other = often.w.on(store, today);
                    let (here, there) = (hrms.leave(), other.leave());
                    let (one, two) = tokio::join!(here.accrue(&one), there.accrue(&two));
                    assert!(one.is_ok() && two.is_ok());
                }
            }
            let what = [numbers.below(12), numbers.below(1000), numbers.below(1000), numbers.below(1000)];
            let said = never.act(store, today, &what).await;
            assert_eq!(often.act(store, today, &what).await, said, "seed {seed} step {step} {what:?}");
            let balances = never.balances(store, today).await;
            assert_eq!(
                often.balances(store, today).await,
                balances,
                "seed {seed} step {step} {what:?} {said}"
            );
            for one in balances {
                let sum = one.available + one.taken + one.pending + one.expired + one.encashed;
                assert_eq!(one.granted, sum, "P1: seed {seed} step {step}");
            }
        }
        let hrms = never.w.on(store, today);
        let written = hrms.leave().accrue(&never.w.hr()).await.unwrap();
        assert!(written.lots > 0, "there was something to write");
        assert_eq!(often.balances(store, today).await, never.balances(store, today).await);
    }
}

/// P17: whatever happens after a period was closed, its days say what they said; P1 holds on all of them.
async fn closed_days_stay_in_random_histories(store: &support::Fresh) {
    let mut closed = 0;
    for seed in 1..=5 {
        let mut numbers = Numbers(seed * 104_729);
        let mut side = Side::new(store).await;
        let mut today = date(2026, 1, 5);
        let mut said: Vec<(Date, Vec<BalanceMinutes>)> = Vec::new();
        for step in 0..24 {
            today += (1 + numbers.below(25)).days();
            let what = [numbers.below(12), numbers.below(1000), numbers.below(1000), numbers.below(1000)];
            side.act(store, today, &what).await;
            if numbers.below(3) == 0 {
                let through = today - (2 + numbers.below(20)).days();
                let close = CloseLeave { through, leave_type_id: None, note: None };
                let hrms = side.w.on(store, today);
                if hrms.leave_closings().close(&side.w.hr(), close).await.is_ok() {
                    closed += 1;
                    for day in [through, through - 9.days(), through - 40.days()] {
                        said.push((day, side.as_of(store, today, day).await));
                    }
                }
            }
            for (day, before) in &said {
                let now = side.as_of(store, today, *day).await;
                assert_eq!(&now, before, "seed {seed} step {step} {what:?} as of {day}");
                for one in now {
                    let sum = one.available + one.taken + one.pending + one.expired + one.encashed;
                    assert_eq!(one.granted, sum, "P1: seed {seed} step {step}");
                }
            }
        }
    }
    assert!(closed > 10, "{closed}");
}

hrms_tests::on_every_engine!(
    a_policy_counts_without_any_run,
    a_balance_is_explained,
    a_run_writes_what_is_due_once,
    nobody_asks_about_the_far_future,
    no_run_changes_an_answer,
    closed_days_stay_in_random_histories,
);
