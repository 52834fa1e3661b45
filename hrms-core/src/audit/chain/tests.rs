use jiff::Timestamp;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::id::{AuditEntryId, RequestId, SessionId, UserId};

const TENANT: Option<TenantId> = Some(TenantId::from_uuid(Uuid::from_u128(1)));

fn draft(n: u128) -> Draft {
    Draft {
        id: AuditEntryId::from_uuid(Uuid::from_u128(n)),
        time: Timestamp::from_microsecond(1_790_000_000_000_000 + i64::try_from(n).unwrap()).unwrap(),
        author_kind: "user".into(),
        author_id: Some(Uuid::from_u128(n % 3)),
        author_name: None,
        session: None,
        on_behalf_of: None,
        operator: None,
        cause: "request".into(),
        job: None,
        action: format!("thing.{n}"),
        subject: "things/1".into(),
        before: None,
        after: Some(format!("{{\"n\":{n}}}")),
        why: None,
        request: RequestId::from_uuid(Uuid::from_u128(n + 1000)),
        address: None,
        outcome: "succeeded".into(),
    }
}

fn log(length: usize) -> Vec<Entry> {
    let mut head = Head::default();
    let mut log = Vec::new();
    for n in 1..=length {
        let entry = draft(n as u128).sealed(TENANT, &head);
        head = Head { sequence: entry.sequence, hash: entry.hash.clone() };
        log.push(entry);
    }
    log
}

fn head_of(log: &[Entry]) -> Head {
    log.last().map_or_else(Head::default, |last| Head { sequence: last.sequence, hash: last.hash.clone() })
}

fn check(log: &[Entry], head: &Head, anchors: Vec<Anchor>) -> Result<Head, Fault> {
    let mut verifier = Verifier::new(TENANT, anchors);
    log.iter().try_for_each(|entry| verifier.push(entry))?;
    verifier.finish(head)
}

fn anchor(entry: &Entry) -> Anchor {
    Anchor {
        tenant: entry.tenant,
        sequence: entry.sequence,
        hash: entry.hash.clone(),
        time: entry.draft.time,
        key: Vec::new(),
        signature: Vec::new(),
    }
}

/// Changes one column, each in its turn; the number of columns comes from the last arm.
fn edit(entry: &mut Entry, column: usize) {
    let draft = &mut entry.draft;
    let id = Uuid::from_u128(99);
    match column {
        0 => draft.id = AuditEntryId::from_uuid(id),
        1 => draft.time += jiff::SignedDuration::from_micros(1),
        2 => draft.author_kind.push('x'),
        3 => draft.author_id = None,
        4 => draft.author_name = Some(String::new()),
        5 => draft.session = Some(SessionId::from_uuid(id)),
        6 => draft.on_behalf_of = Some(UserId::from_uuid(id)),
        7 => draft.operator = Some(UserId::from_uuid(id)),
        8 => draft.cause.push('x'),
        9 => draft.job = Some(id),
        10 => draft.action.push('x'),
        11 => draft.subject.push('x'),
        12 => draft.before = Some(String::new()),
        13 => draft.after = None,
        14 => draft.why = Some("x".into()),
        15 => draft.request = RequestId::from_uuid(id),
        16 => draft.address = Some("192.0.2.1".into()),
        17 => draft.outcome = "denied".into(),
        18 => entry.prev_hash = vec![9; 32],
        19 => entry.hash = vec![9; 32],
        20 => entry.format = 2,
        21 => entry.tenant = None,
        // What one column loses the next one gains: only lengths keep them apart.
        22 => {
            let moved = draft.subject.split_off(1);
            draft.action.push_str(&moved);
        }
        _ => {
            draft.why = draft.after.take();
        }
    }
}

const COLUMNS: usize = 24;

fn sealed_anew(log: &mut [Entry], from: usize) {
    for at in from..log.len() {
        let head = if at == 0 { Head::default() } else { head_of(&log[..at]) };
        log[at] = log[at].draft.clone().sealed(TENANT, &head);
    }
}

#[test]
fn the_encoding_is_for_good() {
    // Anybody who checks an export computes this: it must never change for format 1.
    let hash = crate::audit::hex(&log(2)[1].hash);
    assert_eq!(hash, "a12d1d8f45c3432d42b06185624770cbe0c3d24ffbc3754cd1da2f9f9e348aff");
}

proptest! {
    #[test]
    fn what_was_written_is_found_intact(length in 0_usize..20) {
        let log = log(length);
        let anchors = log.iter().map(anchor).collect();
        prop_assert_eq!(check(&log, &head_of(&log), anchors), Ok(head_of(&log)));
    }

    #[test]
    fn an_edit_of_any_column_is_found_where_it_is(length in 1_usize..12, at in any::<prop::sample::Index>(), column in 0..COLUMNS) {
        let mut log = log(length);
        let head = head_of(&log);
        let at = at.index(length);
        edit(&mut log[at], column);
        let fault = check(&log, &head, Vec::new()).unwrap_err();
        prop_assert_eq!(fault.sequence, at as i64 + 1);
    }

    #[test]
    fn a_deletion_is_found(length in 1_usize..12, at in any::<prop::sample::Index>()) {
        let mut log = log(length);
        let head = head_of(&log);
        let at = at.index(length);
        log.remove(at);
        prop_assert_eq!(check(&log, &head, Vec::new()).unwrap_err().sequence, at as i64 + 1);
        // Also when the later ones close the gap.
        for entry in &mut log[at..] {
            entry.sequence -= 1;
        }
        prop_assert_eq!(check(&log, &head, Vec::new()).unwrap_err().sequence, at as i64 + 1);
    }

    #[test]
    fn an_insertion_is_found(length in 0_usize..12, at in any::<prop::sample::Index>()) {
        let mut log = log(length);
        let head = head_of(&log);
        let at = at.index(length + 1);
        let inserted = draft(77).sealed(TENANT, &head_of(&log[..at]));
        log.insert(at, inserted);
        for entry in &mut log[at + 1..] {
            entry.sequence += 1;
        }
        let fault = check(&log, &head, Vec::new()).unwrap_err();
        prop_assert!(fault.sequence > at as i64);
    }

    #[test]
    fn a_swap_is_found(length in 2_usize..12, one in any::<prop::sample::Index>(), two in any::<prop::sample::Index>(), numbers_too: bool) {
        let mut log = log(length);
        let head = head_of(&log);
        let (one, two) = (one.index(length), two.index(length));
        prop_assume!(one != two);
        log.swap(one, two);
        if numbers_too {
            (log[one].sequence, log[two].sequence) = (one as i64 + 1, two as i64 + 1);
        }
        let fault = check(&log, &head, Vec::new()).unwrap_err();
        prop_assert_eq!(fault.sequence, one.min(two) as i64 + 1);
    }

    #[test]
    fn a_cut_end_is_found_by_the_counter_or_an_anchor(length in 1_usize..12, left in any::<prop::sample::Index>()) {
        let whole = log(length);
        let cut = &whole[..left.index(length)];
        let fault = Fault { sequence: cut.len() as i64 + 1, what: FaultKind::CutOff };
        prop_assert_eq!(check(cut, &head_of(&whole), Vec::new()).unwrap_err(), fault.clone());
        // The counter was turned back as well: only an anchor knows.
        prop_assert!(check(cut, &head_of(cut), Vec::new()).is_ok());
        prop_assert_eq!(check(cut, &head_of(cut), vec![anchor(&whole[length - 1])]).unwrap_err(), fault);
    }

    #[test]
    fn a_log_written_anew_is_found_by_an_anchor(length in 1_usize..12, at in any::<prop::sample::Index>(), anchored in any::<prop::sample::Index>(), column in 0_usize..18) {
        let whole = log(length);
        let mut anew = whole.clone();
        let at = at.index(length);
        edit(&mut anew[at], column);
        sealed_anew(&mut anew, at);
        // A perfect chain: nothing in it shows what happened.
        prop_assert!(check(&anew, &head_of(&anew), Vec::new()).is_ok());
        let anchored = anchored.index(length);
        let found = check(&anew, &head_of(&anew), vec![anchor(&whole[anchored])]);
        if anchored >= at {
            let fault = Fault { sequence: anchored as i64 + 1, what: FaultKind::Rewritten };
            prop_assert_eq!(found.unwrap_err(), fault);
        } else {
            prop_assert!(found.is_ok());
        }
    }
}
