//! Opening balances from files: dry runs, idempotence, corrections, what is refused, and what they mean for policies and requests.

use hrms_core::import::{ImportJob, ImportKind, ImportMode, NewImport};
use hrms_core::job::{JobRegistry, JobState, run_until_idle};
use hrms_core::leave::{AppliesTo, DecisionNote, LotSource, PostingKind};
use hrms_core::{Actor, DomainError, EmployeeId, Role, Store};
use hrms_store::SqlStore;
use jiff::civil::{Date, date};
use serde_json::Value;

use super::policies::MONTHLY_18;
use super::{World, actor, code, person};

const HEAD: &str = "employee,leave_type,as_of,days,minutes,valid_to\n";

fn new() -> NewImport {
    NewImport::of(ImportKind::OpeningBalances)
}

fn dry() -> NewImport {
    NewImport { dry_run: true, ..new() }
}

fn counts(result: &Value) -> [u64; 5] {
    ["created", "updated", "unchanged", "failed", "warnings"].map(|name| result[name].as_u64().unwrap())
}

fn remarks(result: &Value) -> Vec<(u64, String)> {
    let errors = result["errors"].as_array().unwrap();
    errors
        .iter()
        .map(|one| (one["row"].as_u64().unwrap(), one["code"].as_str().unwrap().to_owned()))
        .collect()
}

impl World {
    async fn import_as(&self, actor: &Actor, new: NewImport, rows: &str) -> (JobState, Value) {
        let file = format!("{HEAD}{rows}");
        let view = self.hrms.imports().submit(actor, new, file.as_bytes()).await.unwrap();
        run_until_idle(&self.hrms, &JobRegistry::empty().with::<ImportJob>()).await.unwrap();
        let job = self.hrms.jobs().get(actor, view.job_id).await.unwrap();
        (job.state, job.result.unwrap_or_else(|| panic!("no result: {:?}", job.error)))
    }

    async fn import(&self, new: NewImport, rows: &str) -> (JobState, Value) {
        self.import_as(&self.hr(), new, rows).await
    }

    async fn imported(&self, rows: &str) -> [u64; 5] {
        let (state, result) = self.import(new(), rows).await;
        assert_eq!(state, JobState::Succeeded, "{result}");
        counts(&result)
    }

    async fn has(&self, employee: EmployeeId, as_of: Date) -> String {
        let account = self.hrms.leave().account(&self.hr(), employee, self.annual.id, Some(as_of)).await;
        account.unwrap().balance.available
    }
}

async fn a_file_opens_accounts_once_and_corrects_them(store: &SqlStore) {
    let w = World::new(store).await;
    w.policy("monthly", AppliesTo::Everyone, MONTHLY_18).await;
    let end = date(2026, 10, 31);
    assert_eq!(w.has(w.asha, end).await, "15");
    let rows = "2,annual,2026-09-01,10,,\n3,annual,2026-09-01,,240,2026-12-01\n3,annual,2026-09-01,2,,\n1,annual,2026-09-01,0,,\n";
    // A dry run says what would happen, and nothing does.
    let (state, result) = w.import(dry(), rows).await;
    assert_eq!(
        (state, counts(&result), result["applied"].as_bool()),
        (JobState::Succeeded, [4, 0, 0, 0, 0], Some(false))
    );
    assert_eq!(w.has(w.asha, end).await, "15");
    assert_eq!(w.imported(rows).await, [4, 0, 0, 0, 0]);
    // Ten, and what September and October credit; what policies did before is part of the ten.
    for (who, days) in [(w.asha, "13"), (w.colleague, "5.5"), (w.manager, "3")] {
        assert_eq!(w.has(who, end).await, days);
    }
    assert_eq!(w.has(w.asha, date(2026, 9, 1)).await, "10");
    assert_eq!(w.has(w.asha, date(2026, 8, 31)).await, "0", "history is replaced, not known");
    assert_eq!(w.imported(rows).await, [0, 0, 4, 0, 0]);
    let account = w.hrms.leave().account(&w.hr(), w.asha, w.annual.id, Some(end)).await.unwrap();
    let openings = account.lots.iter().filter(|lot| lot.source == LotSource::Opening);
    assert_eq!(openings.count(), 1);
    // Another amount is a correction, and says so before it is made.
    let corrected = rows.replace("10,,", "8.5,,");
    let (_, result) = w.import(dry(), &corrected).await;
    assert_eq!((counts(&result), remarks(&result)), ([0, 1, 3, 0, 1], vec![(2, "corrected".into())]));
    assert_eq!(w.imported(&corrected).await, [0, 1, 3, 0, 1]);
    assert_eq!(w.has(w.asha, end).await, "11.5");
    let after = w.hrms.leave().account(&w.hr(), w.asha, w.annual.id, Some(end)).await.unwrap();
    let new: Vec<_> = after
        .postings
        .iter()
        .filter(|one| one.kind == PostingKind::Adjustment && one.plan_key.is_none())
        .collect();
    assert_eq!(
        new.iter().map(|one| (one.minutes, one.effective_on)).collect::<Vec<_>>(),
        [(-720, date(2026, 9, 1))]
    );
    // Another end of validity is another part; what isn't said any more comes to nothing.
    let moved = corrected.replace("2026-12-01", "2027-01-01");
    assert_eq!(w.imported(&moved).await, [1, 0, 3, 0, 1]);
    assert_eq!(w.has(w.colleague, end).await, "5.5");
    assert_eq!(w.has(w.colleague, date(2026, 12, 15)).await, "7");
    // The file comes out as it went in, and going in again changes nothing.
    let csv = w.hrms.exports().csv(&w.hr(), ImportKind::OpeningBalances).await.unwrap();
    let csv = String::from_utf8(csv).unwrap();
    assert_eq!(
        csv,
        "employee,leave_type,as_of,minutes,valid_to\r\n1,annual,2026-09-01,0,\r\n2,annual,2026-09-01,4080,\r\n\
         3,annual,2026-09-01,960,\r\n3,annual,2026-09-01,240,2027-01-01\r\n"
    );
    let told = w.events().await.into_iter().filter(|event| event.kind == "leave.corrected").count();
    assert_eq!(told, 2);
    // From that day on leave is asked for.
    assert_eq!(code(w.submit(w.asha, date(2026, 8, 31), date(2026, 9, 1)).await), "leave.before-opening");
    w.submit(w.asha, date(2026, 9, 1), date(2026, 9, 1)).await.unwrap();
}

async fn leave_taken_from_a_corrected_opening_is_owed(store: &SqlStore) {
    let w = World::new(store).await;
    assert_eq!(w.imported("2,annual,2026-11-01,5,,\n").await, [1, 0, 0, 0, 0]);
    let asked = w.submit(w.asha, date(2026, 12, 7), date(2026, 12, 10)).await.unwrap();
    w.hrms.leave().approve(&w.manager(w.manager), asked.request.id, DecisionNote::default()).await.unwrap();
    assert_eq!(w.imported("2,annual,2026-11-01,3,,\n").await, [0, 1, 0, 0, 1]);
    let account = w.hrms.leave().account(&w.hr(), w.asha, w.annual.id, None).await.unwrap();
    assert_eq!((account.balance.granted.as_str(), account.balance.available.as_str()), ("3", "-1"));
    // A later grant pays for it, and so does the opening when it is right again.
    w.grant(w.asha, "2").await;
    assert_eq!(w.has(w.asha, date(2026, 11, 30)).await, "1");
    assert_eq!(w.imported("2,annual,2026-11-01,5,,\n").await, [0, 1, 0, 0, 1]);
    assert_eq!(w.has(w.asha, date(2026, 11, 30)).await, "3");
    // Leave before the opening is part of it.
    assert_eq!(code(w.submit(w.asha, date(2026, 10, 30), date(2026, 11, 2)).await), "leave.before-opening");
    let ask = w.ask(date(2026, 10, 30), date(2026, 10, 30));
    let preview = w.hrms.leave().preview(&w.employee(w.asha), ask).await.unwrap();
    assert_eq!(preview.refusal.unwrap().code, "leave.before-opening");
    // Nor does an opening come after leave that it would contain.
    let (state, result) = w.import(new(), "2,annual,2026-11-01,0,,\n").await;
    assert_eq!((state, counts(&result)), (JobState::Succeeded, [0, 1, 0, 0, 1]));
    let (state, result) = w.import(new(), "2,annual,2027-01-01,5,,\n").await;
    assert_eq!((state, remarks(&result)), (JobState::Failed, vec![(2, "leave-before".into())]));
}

async fn faulty_lines_are_named_and_nothing_is_taken(store: &SqlStore) {
    let w = World::new(store).await;
    let other = World::new(store).await;
    // Somebody else's number and leave type are nobody's here.
    let mut tx = other.store.begin(other.tenant).await.unwrap();
    tx.employees().insert_many(&[person("77")]).await.unwrap();
    tx.commit().await.unwrap();
    let rows = "\
        2,annual,2026-11-01,5,,\n\
        77,annual,2026-11-01,5,,\n\
        3,sick,2026-11-01,5,,\n\
        3,annual,tomorrow,5,,\n\
        3,annual,2026-11-01,-1,,\n\
        3,annual,2026-11-01,0.0001,,\n\
        3,annual,2026-11-01,=1+1,,\n\
        3,annual,2026-11-01,1,480,\n\
        3,annual,2026-11-01,,,\n\
        3,annual,2026-11-01,99999999,,\n\
        3,annual,2026-11-01,1,,2026-11-01\n\
        3,annual,9999-01-01,1,,\n\
        3,annual,2026-11-01,١٢,,\n\
        3,annual\n\
        ,annual,2026-11-01,1,,\n\
        3,🌴,2026-11-01,1,,\n\
        1,annual,2026-11-01,1,,\n\
        1,annual,2026-11-01,2,,\n\
        1,annual,2026-11-02,2,,2027-01-01\n";
    let expected: Vec<(u64, &str)> = vec![
        (3, "unknown-reference"),
        (4, "unknown-reference"),
        (5, "not-a-date"),
        (6, "out-of-range"),
        (7, "not-an-amount"),
        (8, "not-an-amount"),
        (9, "one-of"),
        (10, "missing"),
        (11, "out-of-range"),
        (12, "before-start"),
        (13, "out-of-range"),
        (14, "not-an-amount"),
        (15, "wrong-number-of-cells"),
        (16, "missing"),
        (17, "unknown-reference"),
        (18, "incomplete"),
        (19, "duplicate"),
        (20, "two-days"),
    ];
    let expected: Vec<(u64, String)> =
        expected.into_iter().map(|(row, code)| (row, code.to_owned())).collect();
    for new in [dry(), new()] {
        let (state, result) = w.import(new.clone(), rows).await;
        assert_eq!(remarks(&result), expected);
        assert_eq!(counts(&result), [1, 0, 0, 18, 0]);
        assert_eq!(state, if new.dry_run { JobState::Succeeded } else { JobState::Failed });
        assert_eq!(w.has(w.asha, date(2026, 11, 30)).await, "0", "all or nothing");
    }
    // Only who asks for it gets a part.
    let some = NewImport { mode: ImportMode::PerRow, ..new() };
    let (state, result) = w.import(some, rows).await;
    assert_eq!((state, counts(&result)), (JobState::Succeeded, [1, 0, 0, 18, 0]));
    assert_eq!(
        (w.has(w.asha, date(2026, 11, 30)).await, w.has(w.colleague, date(2026, 11, 30)).await),
        ("5".into(), "0".into())
    );
    // An account begins once.
    let (_, result) =
        w.import(new(), "2,annual,2026-11-02,5,,\n3,annual,2019-12-31,5,,\n1,annual,2032-01-01,5,,\n").await;
    let codes = ["other-day", "outside-employment", "too-far-ahead"];
    assert_eq!(
        remarks(&result),
        (2..).zip(codes).map(|(row, code)| (row, code.to_owned())).collect::<Vec<_>>()
    );
    // It may begin on the first day of the employment.
    assert_eq!(w.imported("3,annual,2020-01-01,0,,\n").await, [1, 0, 0, 0, 0]);
    // Unless what it began with was nothing.
    assert_eq!(w.imported("2,annual,2026-11-01,0,,\n").await, [0, 1, 0, 0, 1]);
    assert_eq!(w.imported("2,annual,2026-11-02,5,,\n").await, [1, 0, 0, 0, 0]);
    assert_eq!(w.has(w.asha, date(2026, 11, 30)).await, "5");
    assert_eq!(other.has(other.asha, date(2026, 11, 30)).await, "0");
}

async fn nobody_opens_their_own_account(store: &SqlStore) {
    let w = World::new(store).await;
    let own = actor(w.tenant, Some(w.asha), &[Role::Hr]);
    let (state, result) =
        w.import_as(&own, new(), "2,annual,2026-11-01,5,,\n3,annual,2026-11-01,5,,\n").await;
    assert_eq!((state, remarks(&result)), (JobState::Failed, vec![(2, "own-leave".into())]));
    let file = format!("{HEAD}2,annual,2026-11-01,5,,\n");
    for role in [Role::Manager, Role::Employee, Role::Payroll, Role::Auditor] {
        let who = actor(w.tenant, Some(w.manager), &[role]);
        let refused = w.hrms.imports().submit(&who, new(), file.as_bytes()).await;
        assert_eq!(refused.unwrap_err().code(), "common.forbidden");
    }
    assert_eq!(w.has(w.asha, date(2026, 11, 30)).await, "0");
}

/// Two at once: one opens the accounts, the other finds them open.
async fn the_same_file_twice_at_once_is_taken_once(store: &SqlStore) {
    let w = World::new(store).await;
    let file = format!("{HEAD}2,annual,2026-11-01,5,,\n3,annual,2026-11-01,7,,\n");
    for _ in 0..2 {
        w.hrms.imports().submit(&w.hr(), new(), file.as_bytes()).await.unwrap();
    }
    let registry = JobRegistry::empty().with::<ImportJob>();
    let (one, two) = tokio::join!(run_until_idle(&w.hrms, &registry), run_until_idle(&w.hrms, &registry));
    assert_eq!(one.unwrap() + two.unwrap(), 2);
    assert_eq!(
        (w.has(w.asha, date(2026, 11, 30)).await, w.has(w.colleague, date(2026, 11, 30)).await),
        ("5".into(), "7".into())
    );
}

hrms_tests::on_every_engine!(
    a_file_opens_accounts_once_and_corrects_them,
    leave_taken_from_a_corrected_opening_is_owed,
    faulty_lines_are_named_and_nothing_is_taken,
    nobody_opens_their_own_account,
    the_same_file_twice_at_once_is_taken_once,
);
