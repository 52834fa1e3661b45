//! Many at once (P13), and the ledger seen from below the store (P14).

use std::time::Duration;

use hrms_core::Store;
use hrms_core::contract::leave_request;
use hrms_core::leave::{DayPart, DecisionNote, LeaveError};
use hrms_store::SqlStore;
use jiff::ToSpan;
use jiff::civil::date;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use super::{World, code};
use crate::all::support;

/// Opens connections before the race: the first to have one would be done before the others begin.
async fn warm_up(store: &support::Fresh, w: &World) {
    // In memory, and for writing to a file, there is one.
    if store.urls.is_some() {
        let mut open = Vec::new();
        for _ in 0..16 {
            open.push(store.read(w.tenant).await.unwrap());
        }
    }
}

/// P13: twenty parallel requests for the last day leave one winner.
async fn the_last_day_has_one_winner(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "1").await;
    warm_up(store, &w).await;
    let mut tasks = Vec::new();
    for day in 0..20 {
        // Different days, so that only the balance can refuse.
        let day = date(2026, 12, 7) + (day / 5 * 7 + day % 5).days();
        let (hrms, actor, ask) = (w.hrms.clone(), w.employee(w.asha), w.ask(day, day));
        tasks.push(tokio::spawn(async move { hrms.leave().submit(&actor, ask).await }));
    }
    let mut won = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => won += 1,
            Err(LeaveError::InsufficientBalance { asked: 480, left: 0, .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(w.balance(w.asha, None).await, ["1", "0", "1", "0", "0"]);
}

async fn parallel_decisions_have_one_winner(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "3").await;
    let id = w.submit(w.asha, date(2026, 12, 7), date(2026, 12, 8)).await.unwrap().request.id;
    warm_up(store, &w).await;
    let mut tasks = Vec::new();
    for index in 0..12 {
        let (hrms, manager) = (w.hrms.clone(), w.manager(w.manager));
        tasks.push(tokio::spawn(async move {
            let note = DecisionNote::default();
            match index % 2 {
                0 => hrms.leave().approve(&manager, id, note).await,
                _ => hrms.leave().reject(&manager, id, note).await,
            }
        }));
    }
    let mut won = Vec::new();
    for task in tasks {
        match task.await.unwrap() {
            Ok(view) => won.push(view.request.status.code()),
            refused => assert_eq!(code(refused), "leave.not-pending"),
        }
    }
    assert_eq!(won.len(), 1);
    let taken = if won == ["approved"] { "2" } else { "0" };
    assert_eq!(w.balance(w.asha, None).await[1], taken);
}

async fn parallel_cancellations_give_back_once(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "3").await;
    let id = w.submit(w.asha, date(2026, 12, 7), date(2026, 12, 8)).await.unwrap().request.id;
    w.approve(&w.hr(), id).await.unwrap();
    warm_up(store, &w).await;
    let mut tasks = Vec::new();
    for _ in 0..8 {
        let (hrms, me) = (w.hrms.clone(), w.employee(w.asha));
        tasks.push(tokio::spawn(async move { hrms.leave().cancel(&me, id, DecisionNote::default()).await }));
    }
    let mut won = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => won += 1,
            refused => assert_eq!(code(refused), "leave.not-cancellable"),
        }
    }
    assert_eq!(won, 1);
    assert_eq!(w.balance(w.asha, None).await, ["3", "0", "0", "0", "3"]);
}

/// What makes P13 true whatever the timing: who locks an account second sees what the first one did.
async fn an_account_belongs_to_one_unit_of_work_at_a_time(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "1").await;
    warm_up(store, &w).await;
    let (tenant, asha, annual) = (w.tenant, w.asha, w.annual.id);
    let mut first = store.begin(tenant).await.unwrap();
    first.leave_ledger().lock_account(asha, annual).await.unwrap();
    let other = SqlStore::clone(store);
    let mut second = tokio::spawn(async move {
        let mut second = other.begin(tenant).await.unwrap();
        second.leave_ledger().lock_account(asha, annual).await.unwrap();
        second.leave_requests().pending(asha, Some(annual)).await.unwrap().len()
    });
    let too_early = tokio::time::timeout(Duration::from_millis(300), &mut second).await;
    assert!(too_early.is_err(), "the account was given away twice");
    let (request, days) = leave_request(asha, &w.annual, date(2026, 12, 7), DayPart::Full);
    first.leave_requests().insert(&request, &days).await.unwrap();
    first.commit().await.unwrap();
    assert_eq!(second.await.unwrap(), 1);
}

hrms_tests::on_every_engine!(
    an_account_belongs_to_one_unit_of_work_at_a_time,
    the_last_day_has_one_winner,
    parallel_decisions_have_one_winner,
    parallel_cancellations_give_back_once,
);

#[tokio::test]
async fn the_last_day_has_one_winner_in_a_file() {
    the_last_day_has_one_winner(&support::sqlite_file().await).await;
}

const FORBIDDEN: [&str; 4] = [
    "UPDATE leave_posting SET minutes = 1",
    "DELETE FROM leave_posting",
    "UPDATE leave_lot SET minutes = 1",
    "DELETE FROM leave_lot",
];

/// P14: the application's role has no right to change or remove what was posted.
#[tokio::test]
async fn postgres_refuses_to_change_the_ledger() {
    let fresh = support::postgres().await;
    let w = World::new(&fresh).await;
    w.grant(w.asha, "1").await;
    let (_, app) = fresh.urls.clone().unwrap();
    let mut conn = PgConnection::connect(&app).await.unwrap();
    for statement in FORBIDDEN {
        let mut tx = conn.begin().await.unwrap();
        let bind = format!("SET LOCAL ROLE hrms_app; SET LOCAL hrms.tenant_id = '{}'", w.tenant.as_uuid());
        sqlx::raw_sql(AssertSqlSafe(bind)).execute(&mut *tx).await.unwrap();
        let rows: i64 =
            sqlx::query_scalar("SELECT count(*) FROM leave_posting").fetch_one(&mut *tx).await.unwrap();
        assert_eq!(rows, 1);
        let refused = sqlx::raw_sql(statement).execute(&mut *tx).await.unwrap_err();
        assert_eq!(refused.as_database_error().unwrap().code().as_deref(), Some("42501"), "{statement}");
    }
}

/// P14 on the embedded engine: triggers refuse.
#[tokio::test]
async fn sqlite_refuses_to_change_the_ledger() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hrms.db");
    let store = SqlStore::sqlite(&path).await.unwrap();
    let w = World::new(&store).await;
    w.grant(w.asha, "1").await;
    let mut conn = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
    for statement in FORBIDDEN {
        let refused = sqlx::raw_sql(statement).execute(&mut conn).await.unwrap_err();
        let message = refused.as_database_error().unwrap().message().to_owned();
        assert!(message.ends_with("_append_only"), "{statement}: {message}");
    }
}
