//! Closed periods (P17): their days say what they said, and what is found out later counts from the first open day on.

use hrms_core::job::{JobRegistry, run_until_idle};
use hrms_core::leave::{
    AppliesTo, BalanceMinutes, CloseLeave, DayPart, DecisionNote, LeaveClosing, LeaveError,
    NewLeavePolicyVersion, PostingKind, ReopenLeave, RequestStatus, ShortenLeave,
};
use hrms_core::{Actor, EmployeeId, Role};
use hrms_store::SqlStore;
use hrms_tests::Fresh;
use jiff::civil::{Date, date};
use serde_json::json;

use super::policies::MONTHLY_18;
use super::{World, actor, code};
use crate::all::api::{Api, code as told, log_in};

const LAST: Date = date(2026, 10, 31);
const DAYS: [Date; 5] = [date(2025, 12, 31), date(2026, 6, 30), date(2026, 10, 5), date(2026, 10, 30), LAST];

fn through(through: Date) -> CloseLeave {
    CloseLeave { through, leave_type_id: None, note: None }
}

impl World {
    async fn close(&self, last: Date) -> Result<LeaveClosing, LeaveError> {
        self.hrms.leave_closings().close(&self.hr(), through(last)).await
    }

    async fn figures(&self, employee: EmployeeId, as_of: Date) -> BalanceMinutes {
        let leave = self.hrms.leave();
        let account = leave.account(&self.hr(), employee, self.annual.id, Some(as_of)).await.unwrap();
        let why = leave.explain(&self.hr(), employee, self.annual.id, Some(as_of)).await.unwrap();
        assert_eq!(why.balance, account.balance, "explained as it is shown");
        let on_lots: i64 = why.lots.iter().flat_map(|lot| &lot.postings).map(|one| one.minutes).sum();
        let in_advance: i64 = why.in_advance.iter().map(|one| one.minutes).sum();
        assert!(on_lots + in_advance <= account.balance.minutes.granted);
        account.balance.minutes
    }

    async fn closed_figures(&self) -> Vec<BalanceMinutes> {
        let mut found = Vec::new();
        for day in DAYS {
            for who in [self.asha, self.colleague] {
                found.push(self.figures(who, day).await);
            }
        }
        found
    }

    async fn took(&self, first: Date, last: Date) -> hrms_core::LeaveRequestId {
        let asked = self.submit(self.asha, first, last).await.unwrap();
        let approved = self
            .hrms
            .leave()
            .approve(&self.manager(self.manager), asked.request.id, DecisionNote::default())
            .await;
        approved.unwrap().request.id
    }

    fn owner(&self) -> Actor {
        actor(self.tenant, None, &[Role::Owner])
    }
}

async fn closed_days_say_what_they_said(store: &SqlStore) {
    let w = World::new(store).await;
    let policy = w.policy("monthly", AppliesTo::Everyone, MONTHLY_18).await;
    let old = w.took(date(2026, 10, 5), date(2026, 10, 7)).await;
    let ahead = w.took(date(2026, 12, 7), date(2026, 12, 8)).await;
    let before = w.closed_figures().await;
    let preview = w.hrms.leave_closings().preview(&w.hr(), through(LAST)).await.unwrap();
    assert_eq!((preview.pending.len(), preview.closed_through, preview.totals.len()), (0, None, 1));
    assert_eq!((preview.totals[0].accounts, preview.totals[0].available.as_str()), (3, "42"));
    let closing = w.close(LAST).await.unwrap();
    assert_eq!((closing.through, closing.leave_type_id, closing.reopened_at), (LAST, None, None));
    assert_eq!(w.closed_figures().await, before);
    let csv = w.hrms.leave_closings().balances_csv(&w.hr(), closing.id).await.unwrap();
    let csv = String::from_utf8(csv).unwrap();
    assert!(csv.starts_with("employee,leave_type,granted,taken,expired,encashed,available\r\n"), "{csv}");
    assert!(csv.contains("2,annual,7200,1440,0,0,5760\r\n"), "{csv}");
    assert_eq!(csv.lines().count(), 4);

    // Nothing is done in closed days.
    let closed = "leave.period-closed";
    assert_eq!(code(w.submit(w.asha, date(2026, 10, 30), date(2026, 11, 2)).await), closed);
    let ask = w.ask(date(2026, 10, 30), date(2026, 10, 30));
    let refusal = w.hrms.leave().preview(&w.employee(w.asha), ask).await.unwrap().refusal;
    assert_eq!(refusal.unwrap().code, closed);
    let boss = w.manager(w.manager);
    assert_eq!(code(w.hrms.leave().cancel(&boss, old, DecisionNote::default()).await), closed);
    let rest = hrms_core::leave::ShortenLeave {
        starts_on: date(2026, 10, 5),
        ends_on: date(2026, 10, 6),
        start_part: Default::default(),
        end_part: None,
        note: None,
    };
    assert_eq!(code(w.hrms.leave().shorten(&boss, old, rest).await), closed);
    let grant = hrms_core::leave::GrantLeave {
        refuse_overlap: false,
        employee_id: w.asha,
        leave_type_id: w.annual.id,
        days: Some("1".into()),
        minutes: None,
        valid_from: LAST,
        valid_to: None,
        source: Default::default(),
        note: None,
    };
    assert_eq!(code(w.hrms.leave().grant(&w.hr(), grant.clone()).await), closed);
    let grant = hrms_core::leave::GrantLeave { valid_from: date(2026, 11, 1), ..grant };
    w.hrms.leave().grant(&w.hr(), grant).await.unwrap();
    assert_eq!(code(w.close(LAST).await), "leave-closing.already-closed");
    assert_eq!(code(w.close(date(2026, 6, 30)).await), "leave-closing.already-closed");

    // Rules for closed days change, a holiday in them is announced late, and leave that was booked in them is cancelled.
    let rules = serde_json::from_str(&MONTHLY_18.replace("18", "12")).unwrap();
    let version = NewLeavePolicyVersion { effective_from: date(2026, 7, 1), rules };
    w.hrms.leave_policies().add_version(&w.hr(), policy.policy.id, version).await.unwrap();
    w.holiday(date(2026, 10, 6), "Announced late").await;
    run_until_idle(&w.hrms, &JobRegistry::standard()).await.unwrap();
    w.hrms.leave().cancel(&boss, ahead, DecisionNote::default()).await.unwrap();
    assert_eq!(w.closed_figures().await, before);
    w.hrms.leave().accrue(&w.hr()).await.unwrap();
    assert_eq!(w.closed_figures().await, before, "written or not");
    // From the first open day on: 13 by the new rules and 1 by hand, of which 2 were taken.
    let after = w.figures(w.asha, date(2026, 11, 1)).await;
    assert_eq!((after.granted, after.taken, after.available), (14 * 480, 2 * 480, 12 * 480));
    let account = w.hrms.leave().account(&w.hr(), w.asha, w.annual.id, None).await.unwrap();
    let late: Vec<_> = account.postings.iter().filter(|one| one.closed_through == Some(LAST)).collect();
    assert!(late.iter().any(|one| one.kind == PostingKind::Adjustment && one.minutes == -240), "{late:?}");
    assert!(late.iter().any(|one| one.kind == PostingKind::Reversal && one.minutes == 480), "{late:?}");
    let request = w.hrms.leave().get(&w.hr(), old).await.unwrap().request;
    assert_eq!((request.status, request.minutes), (RequestStatus::Approved, 960));
}

async fn requests_that_wait_are_decided_on_before(store: &SqlStore) {
    let w = World::new(store).await;
    w.policy("monthly", AppliesTo::Everyone, MONTHLY_18).await;
    let asked = w.submit(w.asha, LAST, date(2026, 11, 3)).await.unwrap();
    let preview = w.hrms.leave_closings().preview(&w.hr(), through(LAST)).await.unwrap();
    assert_eq!(preview.pending, [asked.request.id]);
    assert_eq!(code(w.close(LAST).await), "leave-closing.pending-requests");
    assert_eq!(w.hrms.leave_closings().list(&w.hr()).await.unwrap(), []);
    // Days before it can be closed, and then it is approved as if nothing had happened.
    w.close(date(2026, 10, 30)).await.unwrap();
    w.hrms.leave().approve(&w.manager(w.manager), asked.request.id, DecisionNote::default()).await.unwrap();
    // What only waits isn't part of closed days; it is of the open ones.
    w.submit(w.asha, date(2026, 12, 7), date(2026, 12, 7)).await.unwrap();
    w.close(LAST).await.unwrap();
    assert_eq!(w.figures(w.asha, LAST).await.pending, 0);
    assert_eq!(w.figures(w.asha, date(2026, 11, 30)).await.pending, 480);
}

/// Leave is approved while the period is closed: either it is in the figures, or it is refused.
async fn who_books_and_who_closes_wait_for_each_other(store: &SqlStore) {
    for round in 0..4 {
        let w = World::new(store).await;
        w.policy("monthly", AppliesTo::Everyone, MONTHLY_18).await;
        let monday = date(2026, 10, 5);
        let ask = async || {
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            w.submit(w.asha, monday, monday).await
        };
        let (asked, closed) = tokio::join!(ask(), w.close(LAST));
        match (asked, closed) {
            (Ok(asked), Err(refused)) => {
                assert_eq!(hrms_core::DomainError::code(&refused), "leave-closing.pending-requests");
                let (boss, id) = (w.manager(w.manager), asked.request.id);
                let leave = w.hrms.leave();
                let (approved, closed) =
                    tokio::join!(leave.approve(&boss, id, DecisionNote::default()), w.close(LAST));
                approved.unwrap();
                if closed.is_err() {
                    w.close(LAST).await.unwrap();
                }
                assert_eq!(w.figures(w.asha, LAST).await.taken, 480);
            }
            (Err(refused), Ok(_)) => {
                assert_eq!(hrms_core::DomainError::code(&refused), "leave.period-closed");
                assert_eq!(w.figures(w.asha, LAST).await.taken, 0);
            }
            other => panic!("{other:?}"),
        }
        let closing = w.hrms.leave_closings().list(&w.hr()).await.unwrap().pop().unwrap();
        let csv = w.hrms.leave_closings().balances_csv(&w.hr(), closing.id).await.unwrap();
        let now = w.figures(w.asha, LAST).await;
        let row = format!("2,annual,{},{},0,0,{}\r\n", now.granted, now.taken, now.available);
        assert!(String::from_utf8(csv).unwrap().contains(&row), "{row}");
    }
}

async fn owners_open_the_last_period_again(store: &SqlStore) {
    let w = World::new(store).await;
    w.policy("monthly", AppliesTo::Everyone, MONTHLY_18).await;
    let closings = w.hrms.leave_closings();
    let first = w.close(date(2026, 6, 30)).await.unwrap();
    let last = w.close(LAST).await.unwrap();
    let why = || ReopenLeave { note: "A mistake".into() };
    for role in [Role::Hr, Role::Admin, Role::Payroll, Role::Manager] {
        let by = actor(w.tenant, None, &[role]);
        assert_eq!(code(closings.reopen(&by, last.id, why()).await), "common.forbidden", "{role:?}");
    }
    assert_eq!(code(closings.reopen(&w.owner(), first.id, why()).await), "leave-closing.not-last");
    let empty = ReopenLeave { note: String::new() };
    assert_eq!(code(closings.reopen(&w.owner(), last.id, empty).await), "common.invalid");
    let open = closings.reopen(&w.owner(), last.id, why()).await.unwrap();
    assert!(open.reopened_at.is_some() && open.reopen_note.as_deref() == Some("A mistake"));
    assert_eq!(closings.get(&w.hr(), last.id).await.unwrap(), open);
    assert_eq!(code(closings.reopen(&w.owner(), last.id, why()).await), "leave-closing.not-last");
    // Its days can change again, those before can't.
    w.took(date(2026, 10, 5), date(2026, 10, 5)).await;
    assert_eq!(w.figures(w.asha, LAST).await.taken, 480);
    assert_eq!(code(w.submit(w.asha, date(2026, 6, 30), date(2026, 6, 30)).await), "leave.period-closed");
    w.close(LAST).await.unwrap();
    assert_eq!(w.figures(w.asha, LAST).await.taken, 480);
    let told: Vec<String> = w
        .events()
        .await
        .into_iter()
        .map(|event| event.kind)
        .filter(|kind| kind.starts_with("leave_closing"))
        .collect();
    let (created, reopened) = ("leave_closing.created", "leave_closing.reopened");
    assert_eq!(told, [created, created, reopened, created]);
}

/// Today is 23 November everywhere, but the 22nd isn't over for twelve hours everywhere.
async fn who_closes_what_is_over(store: &SqlStore) {
    let w = World::new(store).await;
    let closings = w.hrms.leave_closings();
    for role in [Role::Employee, Role::Manager, Role::Payroll] {
        let by = actor(w.tenant, Some(w.manager), &[role]);
        assert_eq!(code(closings.close(&by, through(LAST)).await), "common.forbidden", "{role:?}");
        assert_eq!(code(closings.preview(&by, through(LAST)).await), "common.forbidden", "{role:?}");
    }
    assert_eq!(code(w.close(date(2026, 11, 22)).await), "common.invalid");
    let closing = w.close(date(2026, 11, 21)).await.unwrap();
    for role in [Role::Employee, Role::Manager] {
        let by = actor(w.tenant, Some(w.manager), &[role]);
        assert_eq!(code(closings.balances_csv(&by, closing.id).await), "common.forbidden", "{role:?}");
    }
}

async fn one_kind_of_leave_is_closed_by_itself(store: &SqlStore) {
    let w = World::new(store).await;
    let sick = w.hrms.leave_types().create(&w.hr(), super::new_type("sick")).await.unwrap();
    w.grant(w.asha, "10").await;
    // A request for another kind of leave keeps nobody from it.
    let other = w.submit(w.asha, date(2026, 10, 8), date(2026, 10, 8)).await.unwrap();
    let of_sick = |last| CloseLeave { leave_type_id: Some(sick.id), ..through(last) };
    let closings = w.hrms.leave_closings();
    closings.close(&w.hr(), of_sick(LAST)).await.unwrap();
    w.cancel(&w.employee(w.asha), other.request.id).await.unwrap();
    w.took(date(2026, 10, 5), date(2026, 10, 5)).await;
    let ask = hrms_core::leave::SubmitLeave {
        leave_type_id: sick.id,
        ..w.ask(date(2026, 10, 6), date(2026, 10, 6))
    };
    assert_eq!(code(w.hrms.leave().submit(&w.employee(w.asha), ask).await), "leave.period-closed");
    // All of it, later: that one kind of it was closed before doesn't matter.
    let all = w.close(date(2026, 9, 30)).await.unwrap();
    // Opened again, though one kind was closed for longer.
    let note = "A mistake".to_owned();
    closings.reopen(&w.owner(), all.id, ReopenLeave { note }).await.unwrap();
    w.close(LAST).await.unwrap();
    let annual = CloseLeave { leave_type_id: Some(w.annual.id), ..through(LAST) };
    assert_eq!(code(closings.close(&w.hr(), annual).await), "leave-closing.already-closed", "with all");
    assert_eq!(code(w.submit(w.asha, date(2026, 10, 7), date(2026, 10, 7)).await), "leave.period-closed");
    let other = World::new(store).await;
    assert_eq!(other.hrms.leave_closings().list(&other.hr()).await.unwrap(), []);
    other.grant(other.asha, "1").await;
    other.took(date(2026, 10, 5), date(2026, 10, 5)).await;
}

/// Who is on leave when a month is closed can come back early: Saturday 31 October took nothing.
async fn leave_over_the_end_of_a_period_is_shortened(store: &SqlStore) {
    let w = World::new(store).await;
    w.grant(w.asha, "20").await;
    let over = w.took(date(2026, 10, 26), date(2026, 11, 6)).await;
    w.close(LAST).await.unwrap();
    let rest = |last: Date| ShortenLeave {
        starts_on: date(2026, 10, 26),
        ends_on: last,
        start_part: DayPart::Full,
        end_part: None,
        note: None,
    };
    let refused = w.hrms.leave().shorten(&w.hr(), over, rest(date(2026, 10, 29))).await;
    assert_eq!(code(refused), "leave.period-closed");
    let before = w.figures(w.asha, LAST).await;
    let shorter = w.hrms.leave().shorten(&w.hr(), over, rest(date(2026, 10, 30))).await.unwrap();
    assert_eq!(shorter.request.days, "5");
    assert_eq!(w.figures(w.asha, LAST).await, before);
    assert_eq!(w.figures(w.asha, date(2026, 11, 6)).await.taken, 5 * 480);
}

async fn periods_are_closed_over_http(store: &Fresh) {
    let api = Api::new(store).await;
    let leave_type = json!({ "code": "annual", "name": "Annual leave" });
    let leave_type = api.owner.post("/api/v1/leave-types", &leave_type).await.expect(201).json();
    let path = "/api/v1/leave-closings";
    for (body, pointer) in [
        (json!({ "through": "2199-01-01" }), "/through"),
        (json!({ "through": "9999-12-31" }), "/through"),
        (json!({ "through": "2020-01-01", "note": "" }), "/note"),
        (json!({ "through": "2020-01-01", "leave_type_id": leave_type["version"] }), "/leave_type_id"),
        (
            json!({ "through": "2020-01-01", "leave_type_id": api.organization.organization.id }),
            "/leave_type_id",
        ),
    ] {
        for path in [path, "/api/v1/leave-closings/preview"] {
            let refused = api.owner.post(path, &body).await.expect(422).json();
            assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
        }
    }
    let body = json!({ "through": "2020-12-31", "note": "Year 2020" });
    let preview = api.owner.post("/api/v1/leave-closings/preview", &body).await.expect(200).json();
    assert_eq!((&preview["pending"], &preview["totals"][0]["accounts"]), (&json!([]), &json!(0)));
    let made = api.owner.post(path, &body).await.expect(201);
    let (address, closing) = (made.header("location").unwrap().to_owned(), made.json());
    assert_eq!(api.owner.get(&address).await.expect(200).json(), closing);
    let again = api.owner.post(path, &body).await.expect(409);
    assert_eq!(told(&again), "leave-closing.already-closed");
    let csv = api.owner.get(&format!("{address}/balances")).await.expect(200).text();
    assert_eq!(csv, "employee,leave_type,granted,taken,expired,encashed,available\r\n");
    let (_, hari) = api.person("hari", &["hr"]).await;
    let why = json!({ "note": "A mistake" });
    hari.post(&format!("{address}/reopen"), &why).await.expect(403);
    let open = api.owner.post(&format!("{address}/reopen"), &why).await.expect(200).json();
    assert_eq!((&open["reopen_note"], &open["note"]), (&why["note"], &body["note"]));
    assert_eq!(hari.get(path).await.expect(200).json()["items"], json!([open]));
    let stranger = crate::all::api::organization(&api.hrms, "other").await;
    assert_ne!(stranger.organization.id, api.organization.organization.id);
    let stranger = log_in(&api.nobody, "other", "admin@other.example").await;
    stranger.get(&address).await.expect(404);
    stranger.get(&format!("{address}/balances")).await.expect(404);
    stranger.post(&format!("{address}/reopen"), &why).await.expect(404);
    assert_eq!(stranger.get(path).await.expect(200).json()["items"], json!([]));
}

hrms_tests::on_every_engine!(
    closed_days_say_what_they_said,
    requests_that_wait_are_decided_on_before,
    who_books_and_who_closes_wait_for_each_other,
    owners_open_the_last_period_again,
    one_kind_of_leave_is_closed_by_itself,
    leave_over_the_end_of_a_period_is_shortened,
    who_closes_what_is_over,
    periods_are_closed_over_http,
);
