//! Audit logs: chained, complete, apart.

use uuid::Uuid;

use crate::audit::chain::Verifier;
use crate::audit::{
    Act, Anchor, AuditFilter, AuditLog, AuditSort, Author, AuthorKind, Change, Draft, Entry, Head, Outcome,
};
use crate::contract::fixture::{Subject, all_at_once, at, event, id, tenant};
use crate::id::{AuditEntryId, RandomIds, RequestId, SessionId, TenantId, UserId};
use crate::page::{Page, PageRequest, Position};

/// An entry to be, with every column set to something.
#[must_use]
pub fn draft(action: &'static str, author: Uuid) -> Draft {
    let request = RequestId::from_uuid(id());
    let address = Some("2001:db8::1".parse().unwrap());
    let session = Some(SessionId::from_uuid(id()));
    let mut author = Author::user(UserId::from_uuid(author), session, request, address);
    author.name = Some("Žofie \u{1F600}".into());
    author.on_behalf_of = Some(UserId::from_uuid(id()));
    author.operator = Some(UserId::from_uuid(id()));
    author.cause = crate::actor::Cause::Job(crate::id::JobId::from_uuid(id()));
    let act = Act { action: action.into(), subject: format!("things/{action}"), change: Change::none() };
    let mut draft =
        Draft::new(&RandomIds, at(0), &author, act).because(Some("because of \"quotes\"\nand more"));
    // Not as a database would write JSON: it must come back as it was.
    draft.before = Some("{ \"b\" : 1.0, \"a\":\"\\u00e9\" }".into());
    draft.after = Some("{}".into());
    draft
}

/// Every entry of a log.
async fn entries(log: &mut dyn AuditLog) -> Vec<Entry> {
    let mut all = Vec::new();
    loop {
        let last = all.last().map_or(0, |last: &Entry| last.sequence);
        let more = log.after(last, 3).await.unwrap();
        if more.is_empty() {
            return all;
        }
        all.extend(more);
    }
}

async fn assert_whole(tenant: Option<TenantId>, log: &mut dyn AuditLog, count: usize) {
    let all = entries(log).await;
    assert_eq!(all.len(), count);
    let mut verifier = Verifier::new(tenant, Vec::new());
    for entry in &all {
        verifier.push(entry).unwrap();
    }
    verifier.finish(&log.head().await.unwrap()).unwrap();
}

/// Entries and events are numbered from 1 on, each entry continues the one before, and what is read back has
/// the hash that was computed when it was written.
pub async fn audit_entries_form_one_chain(store: &impl Subject) {
    let tenant = tenant(store).await;
    assert_eq!(store.read(tenant).await.unwrap().audit().head().await.unwrap(), Head::default());
    let mut written = Vec::new();
    for (actions, events) in [(&["a", "b"][..], 1), (&["c"], 0), (&["d"], 2), (&[], 1)] {
        let drafts: Vec<Draft> = actions.iter().map(|action| draft(action, id())).collect();
        written.extend(drafts.clone());
        let events = (0..events).map(|_| event("e")).collect();
        let mut tx = store.begin(tenant).await.unwrap();
        tx.audit().append(drafts, events).await.unwrap();
        tx.commit().await.unwrap();
    }
    let mut plain = draft("plain", id());
    (plain.author_id, plain.author_name, plain.session, plain.on_behalf_of) = (None, None, None, None);
    (plain.operator, plain.job, plain.before, plain.after) = (None, None, None, None);
    (plain.why, plain.address) = (None, None);
    written.push(plain.clone());
    let mut tx = store.begin(tenant).await.unwrap();
    tx.audit().append(vec![plain], Vec::new()).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = store.read(tenant).await.unwrap();
    assert_whole(Some(tenant), tx.audit(), written.len()).await;
    let read: Vec<Draft> = entries(tx.audit()).await.into_iter().map(|entry| entry.draft).collect();
    assert_eq!(read, written);
    assert_eq!(tx.events().last().await.unwrap(), 4);
    let first = read.first().unwrap();
    let by_id = tx.audit().get(first.id).await.unwrap().unwrap();
    assert_eq!((by_id.sequence, &by_id.draft), (1, first));
    assert_eq!(tx.audit().get(AuditEntryId::from_uuid(id())).await.unwrap(), None);
}

/// Work that is dropped leaves no entry and no gap.
pub async fn dropped_work_leaves_no_audit_entry(store: &impl Subject) {
    let tenant = tenant(store).await;
    {
        let mut tx = store.begin(tenant).await.unwrap();
        tx.audit().append(vec![draft("dropped", id())], vec![event("e")]).await.unwrap();
    }
    let mut tx = store.begin(tenant).await.unwrap();
    tx.audit().append(vec![draft("kept", id())], Vec::new()).await.unwrap();
    tx.commit().await.unwrap();
    assert_whole(Some(tenant), store.read(tenant).await.unwrap().audit(), 1).await;
}

/// Writers that come at the same time make one chain, whatever else each of them writes.
pub async fn parallel_writers_make_one_unbroken_chain(store: &impl Subject) {
    let tenant = tenant(store).await;
    let writer = |n: usize| async move {
        for round in 0..4 {
            let mut tx = store.begin(tenant).await.unwrap();
            let drafts = (0..=n % 3).map(|_| draft("parallel", id())).collect();
            let events = (0..(n + round) % 2).map(|_| event("e")).collect();
            tx.audit().append(drafts, events).await.unwrap();
            // Some give up at the last moment.
            if !(n + round).is_multiple_of(5) {
                tx.commit().await.unwrap();
            }
        }
    };
    all_at_once((0..8).map(writer)).await;
    let kept = |n: usize| (0..4).filter(|round| !(n + round).is_multiple_of(5)).count() * (n % 3 + 1);
    let count = (0..8).map(kept).sum();
    assert_whole(Some(tenant), store.read(tenant).await.unwrap().audit(), count).await;
}

/// Each organisation has its own chain and sees no other.
pub async fn audit_logs_of_tenants_never_meet(store: &impl Subject) {
    let (mine, theirs) = (tenant(store).await, tenant(store).await);
    let secret = draft("theirs", id());
    let mut tx = store.begin(theirs).await.unwrap();
    tx.audit().append(vec![secret.clone()], Vec::new()).await.unwrap();
    tx.audit().insert_anchor(&anchor(Some(theirs), 1)).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.begin(mine).await.unwrap();
    let log = tx.audit();
    assert_eq!(log.get(secret.id).await.unwrap(), None);
    assert!(log.after(0, 10).await.unwrap().is_empty());
    assert!(log.list(&AuditFilter::default(), &PageRequest::default()).await.unwrap().is_empty());
    assert_eq!(log.head().await.unwrap(), Head::default());
    assert!(log.anchors(0, 10).await.unwrap().is_empty());
    assert_eq!(log.last_anchor().await.unwrap(), None);
    // Their numbers are free here.
    log.append(vec![draft("mine", id())], Vec::new()).await.unwrap();
    log.insert_anchor(&anchor(Some(mine), 1)).await.unwrap();
    tx.commit().await.unwrap();
    assert_whole(Some(mine), store.read(mine).await.unwrap().audit(), 1).await;
    assert_whole(Some(theirs), store.read(theirs).await.unwrap().audit(), 1).await;
}

/// Filters narrow the log, and pages visit each entry once in either direction.
pub async fn the_audit_log_filters_and_pages(store: &impl Subject) {
    let tenant = tenant(store).await;
    let (ada, ben) = (id(), id());
    let mut drafts: Vec<Draft> =
        ["auth.a", "auth_b", "leave.c", "auth.a", "auth_b"].map(|action| draft(action, ada)).into();
    drafts.push(draft("auth.a", ben).ended(Outcome::Denied));
    drafts.push(Draft { operator: Some(UserId::from_uuid(ben)), time: at(60), ..draft("leave.c", ada) });
    let subject = drafts.get(2).map(|draft| draft.subject.clone());
    let request = drafts.get(5).map(|draft| draft.request);
    let mut tx = store.begin(tenant).await.unwrap();
    tx.audit().append(drafts, Vec::new()).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = store.read(tenant).await.unwrap();
    let all = AuditFilter::default;
    let cases = [
        (all(), vec![1, 2, 3, 4, 5, 6, 7]),
        (AuditFilter { author: Some(ben), ..all() }, vec![6, 7]),
        (AuditFilter { action: Some("auth.".into()), ..all() }, vec![1, 4, 6]),
        (AuditFilter { action: Some("leave.c".into()), ..all() }, vec![3, 7]),
        (AuditFilter { subject, ..all() }, vec![3, 7]),
        (AuditFilter { from: Some(at(60)), ..all() }, vec![7]),
        (AuditFilter { until: Some(at(60)), ..all() }, vec![1, 2, 3, 4, 5, 6]),
        (AuditFilter { outcome: Some(Outcome::Denied), ..all() }, vec![6]),
        (AuditFilter { request, ..all() }, vec![6]),
        (AuditFilter { action: Some("%".into()), ..all() }, vec![]),
    ];
    for (filter, mut wanted) in cases {
        for descending in [false, true] {
            let mut page = PageRequest { sort: AuditSort::Sequence, descending, limit: 2, after: None };
            let mut seen = Vec::new();
            loop {
                let rows = tx.audit().list(&filter, &page).await.unwrap();
                let got = Page::from_rows(rows, page.limit, |last| Position {
                    key: last.sequence.to_string(),
                    id: last.id().as_uuid(),
                });
                seen.extend(got.items.into_iter().map(|entry| entry.sequence));
                match got.next {
                    Some(next) => page.after = Some(next),
                    None => break,
                }
            }
            assert_eq!(seen, wanted, "{filter:?}");
            wanted.reverse();
        }
    }
}

fn anchor(tenant: Option<TenantId>, sequence: i64) -> Anchor {
    Anchor {
        tenant,
        sequence,
        hash: vec![7; 32],
        time: at(sequence),
        key: vec![8; 32],
        signature: id().as_bytes().to_vec(),
    }
}

/// Anchors are read back in order, and another one for the same entry changes nothing.
pub async fn the_first_anchor_of_an_entry_is_kept(store: &impl Subject) {
    let tenant = tenant(store).await;
    let (first, second, third) = (anchor(Some(tenant), 1), anchor(Some(tenant), 5), anchor(Some(tenant), 5));
    for one in [&second, &first, &third] {
        let mut tx = store.begin(tenant).await.unwrap();
        tx.audit().insert_anchor(one).await.unwrap();
        tx.commit().await.unwrap();
    }
    let mut tx = store.read(tenant).await.unwrap();
    assert_eq!(tx.audit().anchors(0, 10).await.unwrap(), [first.clone(), second.clone()]);
    assert_eq!(tx.audit().anchors(0, 1).await.unwrap(), [first]);
    assert_eq!(tx.audit().anchors(1, 10).await.unwrap(), std::slice::from_ref(&second));
    assert_eq!(tx.audit().last_anchor().await.unwrap(), Some(second));
}

/// What operators do is in a chain that belongs to no organisation.
pub async fn the_platform_has_an_audit_log_of_its_own(store: &impl Subject) {
    let tenant = tenant(store).await;
    let mut platform = store.platform().await.unwrap();
    let mut command = draft("organization.created", id());
    command.author_kind = AuthorKind::Operator.code().into();
    platform.audit().append(vec![command.clone(), draft("b", id())], Vec::new()).await.unwrap();
    platform.audit().insert_anchor(&anchor(None, 2)).await.unwrap();
    platform.commit().await.unwrap();
    {
        let mut dropped = store.platform().await.unwrap();
        dropped.audit().append(vec![draft("dropped", id())], Vec::new()).await.unwrap();
    }
    let mut platform = store.read_platform().await.unwrap();
    assert_whole(None, platform.audit(), 2).await;
    assert_eq!(platform.audit().get(command.id).await.unwrap().unwrap().draft, command);
    let filter = AuditFilter { action: Some("organization.".into()), ..AuditFilter::default() };
    assert_eq!(platform.audit().list(&filter, &PageRequest::default()).await.unwrap().len(), 1);
    assert_eq!(platform.audit().last_anchor().await.unwrap().unwrap().sequence, 2);
    drop(platform);
    assert_eq!(store.read(tenant).await.unwrap().audit().head().await.unwrap(), Head::default());
}
