//! Many at once (P13), and the ledger seen from below the store (P14).

use std::time::Duration;

use hrms_core::contract::leave_request;
use hrms_core::leave::{
    AppliesTo, BalanceMinutes, DayPart, DecisionNote, LeaveError, Ledger, PostingKind, RequestStatus,
};
use hrms_core::{DomainError, ErrorKind, Store};
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

/// Fifty at once, each on its own task; what each came to.
async fn at_once<T, F>(count: u8, mut one: impl FnMut(u8) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = (0..count).map(|index| tokio::spawn(one(index))).collect();
    let mut done = Vec::new();
    for task in tasks {
        done.push(task.await.unwrap());
    }
    done
}

/// Asks again when the pool of connections had none for too long, as on a busy machine: nothing was begun then.
async fn served<T, F>(mut ask: impl FnMut() -> F) -> Result<T, LeaveError>
where
    F: Future<Output = Result<T, LeaveError>>,
{
    loop {
        match ask().await {
            Err(error) if error.kind() == ErrorKind::Unavailable => {}
            other => return other,
        }
    }
}

impl World {
    /// The stored rows of an account, by what they record, with their sum in minutes.
    async fn rows(&self, kind: PostingKind) -> (usize, i64) {
        let mut tx = self.store.read(self.tenant).await.unwrap();
        let postings = tx.leave_ledger().postings(self.asha, Some(self.annual.id)).await.unwrap();
        let of_kind: Vec<i64> =
            postings.iter().filter(|one| one.kind == kind).map(|one| one.minutes).collect();
        (of_kind.len(), of_kind.iter().sum())
    }
}

/// P13: fifty parallel requests for the last day leave one winner; the ledger has that one day, and after its approval one posting.
async fn p13_the_last_day_has_one_winner(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "1").await;
    warm_up(store, &w).await;
    let asked = at_once(50, |day| {
        // Different days, so that only the balance can refuse.
        let day = date(2026, 12, 7) + i64::from(day / 5 * 7 + day % 5).days();
        let (hrms, actor, ask) = (w.hrms.clone(), w.employee(w.asha), w.ask(day, day));
        async move {
            let leave = hrms.leave();
            served(|| leave.submit(&actor, ask.clone())).await
        }
    })
    .await;
    let mut won = Vec::new();
    for one in asked {
        match one {
            Ok(view) => won.push(view.request.id),
            Err(LeaveError::InsufficientBalance { asked: 480, left: 0, .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    let [won] = won[..] else { panic!("{won:?}") };
    let mut tx = w.store.read(w.tenant).await.unwrap();
    let pending = tx.leave_requests().pending(w.asha, None).await.unwrap();
    drop(tx);
    assert_eq!(pending.iter().map(|view| view.request.id).collect::<Vec<_>>(), [won]);
    assert_eq!(w.balance(w.asha, None).await, ["1", "0", "1", "0", "0"]);
    w.approve(&w.manager(w.manager), won).await.unwrap();
    assert_eq!(w.rows(PostingKind::Consumption).await, (1, -480));
    assert_eq!(w.balance(w.asha, None).await, ["1", "1", "0", "0", "0"]);
}

/// P13: fifty decisions, withdrawals and cancellations of one request at once: what is taken and given back is taken and given
/// back once, whichever came first.
async fn p13_decisions_and_cancellations_have_one_winner(store: &support::Fresh) {
    let w = World::new(store).await;
    w.grant(w.asha, "3").await;
    warm_up(store, &w).await;
    for week in 0u8..3 {
        let monday = date(2026, 12, 7) + i64::from(week * 7).days();
        let before = (w.rows(PostingKind::Consumption).await, w.rows(PostingKind::Reversal).await);
        let id = w.submit(w.asha, monday, monday + 1.days()).await.unwrap().request.id;
        let done = at_once(50, |index| {
            let (hrms, manager, me) = (w.hrms.clone(), w.manager(w.manager), w.employee(w.asha));
            async move {
                let (leave, note) = (hrms.leave(), DecisionNote::default);
                match (index + week) % 4 {
                    0 => served(|| leave.approve(&manager, id, note())).await,
                    1 => served(|| leave.reject(&manager, id, note())).await,
                    2 => served(|| leave.cancel(&manager, id, note())).await,
                    _ => served(|| leave.cancel(&me, id, note())).await,
                }
            }
        })
        .await;
        let mut won: Vec<RequestStatus> = Vec::new();
        for one in done {
            match one {
                Ok(view) => won.push(view.request.status),
                refused => assert!(["leave.not-pending", "leave.not-cancellable"].contains(&code(refused))),
            }
        }
        // Withdrawn or rejected at once, or approved and then perhaps cancelled: in this order.
        let cancelled = [RequestStatus::Approved, RequestStatus::Cancelled];
        won.sort_by_key(|status| *status == RequestStatus::Cancelled);
        let ways = [&[RequestStatus::Withdrawn][..], &[RequestStatus::Rejected], &cancelled[..1], &cancelled];
        assert!(ways.contains(&&won[..]), "{won:?}");
        let last = w.hrms.leave().get(&w.hr(), id).await.unwrap().request.status;
        assert_eq!(Some(&last), won.last());
        let taken = usize::from(won.contains(&RequestStatus::Approved)) * 2;
        let back = usize::from(won.contains(&RequestStatus::Cancelled)) * 2;
        let rows = |(count, sum): (usize, i64), more: usize, sign: i64| {
            (count + more, sum + sign * 480 * i64::try_from(more).unwrap())
        };
        assert_eq!(w.rows(PostingKind::Consumption).await, rows(before.0, taken, -1));
        assert_eq!(w.rows(PostingKind::Reversal).await, rows(before.1, back, 1));
        if last == RequestStatus::Approved {
            w.cancel(&w.hr(), id).await.unwrap();
        }
        assert_eq!(w.balance(w.asha, None).await, ["3", "0", "0", "0", "3"]);
    }
}

/// P13 and P6: the job runs on several nodes while leave is asked for and approved: each credit is written once, no more is taken
/// than there is, and the stored rows are the balance.
async fn p13_the_job_runs_on_two_nodes_during_bookings(store: &support::Fresh) {
    let w = World::new(store).await;
    w.policy("monthly", AppliesTo::Everyone, super::policies::MONTHLY_18).await;
    warm_up(store, &w).await;
    let done = at_once(40, |index| {
        let (hrms, hr, boss, me) = (w.hrms.clone(), w.hr(), w.manager(w.manager), w.employee(w.asha));
        // Two days each: of fifteen there are, seven of these can be had.
        let monday = date(2026, 11, 30) + (i64::from(index / 2) * 7 + i64::from(index % 2) * 3).days();
        let ask = w.ask(monday, monday + 1.days());
        async move {
            let leave = hrms.leave();
            if index % 4 == 0 {
                served(|| leave.accrue(&hr)).await.unwrap();
                return None;
            }
            let asked = match served(|| leave.submit(&me, ask.clone())).await {
                Ok(view) => view.request.id,
                Err(LeaveError::InsufficientBalance { .. }) => return None,
                Err(other) => panic!("{other:?}"),
            };
            served(|| leave.approve(&boss, asked, DecisionNote::default())).await.unwrap();
            Some(asked)
        }
    })
    .await;
    let taken = done.into_iter().flatten().count();
    assert!(taken >= 7, "{taken}");
    w.hrms.leave().accrue(&w.hr()).await.unwrap();
    let again = w.hrms.leave().accrue(&w.hr()).await.unwrap();
    assert_eq!((again.lots, again.postings), (0, 0));
    let mut tx = w.store.read(w.tenant).await.unwrap();
    let lots = tx.leave_ledger().lots(w.asha, Some(w.annual.id)).await.unwrap();
    let postings = tx.leave_ledger().postings(w.asha, Some(w.annual.id)).await.unwrap();
    drop(tx);
    let mut keys: Vec<_> = lots.iter().map(|lot| lot.plan_key.clone().unwrap()).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), lots.len());
    // Each lot gives what it says, once, and no more is taken of it.
    let ledger = Ledger { lots: lots.clone(), postings, ..Ledger::default() };
    for lot in &lots {
        let grants: Vec<i64> = ledger
            .live()
            .filter(|one| one.lot_id == Some(lot.id) && one.kind == PostingKind::Grant)
            .map(|one| one.minutes)
            .collect();
        assert_eq!(grants, [720], "{lot:?}");
    }
    assert!(ledger.free().iter().all(|(_, left)| *left >= 0));
    let used = ledger.live().filter(|one| one.kind == PostingKind::Consumption);
    assert_eq!(used.map(|one| -one.minutes).sum::<i64>(), i64::try_from(taken).unwrap() * 960);
    let shown = w.hrms.leave().account(&w.hr(), w.asha, w.annual.id, None).await.unwrap();
    assert_eq!(shown.balance.minutes, BalanceMinutes::of(&ledger, date(2026, 11, 23)));
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
    p13_the_last_day_has_one_winner,
    p13_decisions_and_cancellations_have_one_winner,
    p13_the_job_runs_on_two_nodes_during_bookings,
    parallel_cancellations_give_back_once,
);

#[tokio::test]
async fn the_last_day_has_one_winner_in_a_file() {
    p13_the_last_day_has_one_winner(&support::sqlite_file().await).await;
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
