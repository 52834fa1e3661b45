//! P1 to P6, P9, P11 and P14 on histories of years: requests, decisions, cancellations, grants, other rules and holidays, joining and
//! leaving, whether the job ran or not.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::ToSpan;
use jiff::civil::Date;
use proptest::prelude::*;

use super::account::{Kept, Status};
use super::random::{History, Step, history};
use super::{days, sum};
use crate::id::{LeaveLotId, LeavePostingId};
use crate::leave::ledger::UseOrder;
use crate::leave::{BalanceMinutes, LeaveLot, LeavePosting, Ledger, LotSource, PostingKind};

/// When the job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Runs {
    Never,
    /// Every nine days.
    Often,
    /// Now and then, after months.
    Late,
    /// Twice in a row.
    Twice,
}

/// Replays a history, with the job run as said; after each step something is looked at.
fn live(
    history: &History,
    runs: Runs,
    mut look: impl FnMut(&Kept, &Step, &str) -> Result<(), TestCaseError>,
) -> Result<Kept, TestCaseError> {
    let mut kept = Kept::new(history);
    for (wait, step) in &history.steps {
        let next = kept.today + wait.days();
        match runs {
            Runs::Often => days(kept.today, next, 9).for_each(|day| kept.job(day)),
            Runs::Late if next.day() > 24 => kept.job(next),
            Runs::Twice => kept.two_jobs(next),
            Runs::Never | Runs::Late => {}
        }
        kept.today = next;
        let said = kept.apply(step);
        look(&kept, step, &said)?;
    }
    Ok(kept)
}

/// Days around one: years ago and years ahead.
fn around(day: Date) -> impl Iterator<Item = Date> {
    [-26, -1, 0, 2, 15].into_iter().map(move |months| day + months.months())
}

/// What is on a lot by a day, added up from its live postings and what pending requests will take.
struct OnLot {
    granted: i64,
    used: i64,
    moved: i64,
    lapsed: i64,
    encashed: i64,
}

fn on_lot(ledger: &Ledger, lot: &LeaveLot, as_of: Date) -> OnLot {
    let live: Vec<&LeavePosting> = ledger.live().filter(|one| one.lot_id == Some(lot.id)).collect();
    let of = |kinds: &[PostingKind]| -> i64 {
        live.iter().filter(|one| kinds.contains(&one.kind)).map(|one| one.minutes).sum()
    };
    let by_then = |kind: PostingKind| -> i64 {
        live.iter().filter(|one| one.kind == kind && one.effective_on <= as_of).map(|one| one.minutes).sum()
    };
    let shares = ledger.allocate();
    let pending: i64 = shares.iter().filter(|one| one.lot_id == Some(lot.id)).map(|one| one.minutes).sum();
    OnLot {
        granted: of(&[PostingKind::Grant, PostingKind::Adjustment]),
        used: pending - of(&[PostingKind::Consumption]),
        moved: by_then(PostingKind::Transfer),
        lapsed: -by_then(PostingKind::Lapse),
        encashed: -by_then(PostingKind::Encashment),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    /// P1: what was granted is available, taken, pending, expired or encashed, at every date; and as time goes by, what
    /// was granted never shrinks, nor what was paid out.
    #[test]
    fn p1_every_minute_is_somewhere_at_every_date(history in history()) {
        live(&history, Runs::Late, |kept, step, _| {
            let ledger = kept.replayed(kept.today + 40.months()).ledger;
            let mut before = BalanceMinutes::default();
            for as_of in days(history.employment.first_day().unwrap() - 60.days(), kept.today + 40.months(), 53) {
                let one = BalanceMinutes::of(&ledger, as_of);
                prop_assert_eq!(one.granted, sum(&one), "{} after {:?}", as_of, step);
                prop_assert!(one.granted >= before.granted, "{as_of}: {one:?} after {before:?}");
                prop_assert!(one.encashed >= before.encashed, "{as_of}: {one:?} after {before:?}");
                prop_assert!(one.taken >= 0 && one.pending >= 0 && one.expired >= 0 && one.encashed >= 0);
                before = one;
            }
            Ok(())
        })?;
    }

    /// P3: a lot keeps its own validity, whatever leave years, carry-over and rules come and go: until the day before its end
    /// it can be used, and what people granted with an end is neither carried over nor cut before.
    #[test]
    fn p3_a_lot_has_its_own_validity(history in history()) {
        let mut seen: HashMap<LeaveLotId, (Date, Option<Date>)> = HashMap::new();
        live(&history, Runs::Often, |kept, _, _| {
            let ledger = kept.replayed(kept.today + 20.months()).ledger;
            for lot in &ledger.lots {
                let validity = *seen.entry(lot.id).or_insert((lot.valid_from, lot.valid_to));
                prop_assert_eq!(validity, (lot.valid_from, lot.valid_to));
                let by_hand_with_end = lot.source == LotSource::Grant && lot.valid_to.is_some();
                let moved = ledger.live().any(|one| one.lot_id == Some(lot.id) && one.kind == PostingKind::Transfer);
                prop_assert!(!by_hand_with_end || !moved, "{lot:?}");
                let Some(to) = lot.valid_to else { continue };
                prop_assert!(lot.valid_from < to, "{lot:?}");
                prop_assert!(lot.covers(to.yesterday().unwrap()) && !lot.covers(to), "{lot:?}");
                let used_after = ledger.live().any(|one| {
                    one.lot_id == Some(lot.id) && one.kind == PostingKind::Consumption && one.effective_on >= to
                });
                prop_assert!(!used_after, "{lot:?}");
            }
            Ok(())
        })?;
    }

    /// P4: one balance, however it is come to: looked at from near or from far, added up lot by lot, or from what was booked
    /// and is asked for.
    #[test]
    fn p4_there_is_one_balance(history in history()) {
        live(&history, Runs::Never, |kept, _, _| {
            let far = kept.replayed(kept.today + 60.months()).ledger;
            for as_of in around(kept.today) {
                let one = kept.balance(as_of);
                prop_assert_eq!(BalanceMinutes::of(&far, as_of), one, "as of {}", as_of);
            }
            // Once everything is over, from the live postings alone.
            let end = kept.today + 60.months();
            let all = |kind: PostingKind| -> i64 {
                far.live().filter(|one| one.kind == kind && one.effective_on <= end).map(|one| one.minutes).sum()
            };
            let one = BalanceMinutes::of(&far, end);
            let pending: i64 = far.pending.iter().map(|demand| demand.minutes).sum();
            prop_assert_eq!((one.taken, one.pending), (-all(PostingKind::Consumption), pending));
            prop_assert_eq!((all(PostingKind::Transfer), one.encashed), (0, -all(PostingKind::Encashment)));
            let begun: HashSet<LeaveLotId> =
                far.lots.iter().filter(|lot| lot.valid_from <= end).map(|lot| lot.id).collect();
            let granted: i64 = far
                .live()
                .filter(|one| matches!(one.kind, PostingKind::Grant | PostingKind::Adjustment))
                .filter(|one| one.lot_id.is_some_and(|lot| begun.contains(&lot)))
                .map(|one| one.minutes)
                .sum();
            prop_assert_eq!(one.granted, granted);
            Ok(())
        })?;
    }

    /// P6: whether the job ran often, late, twice or never, every answer is the same: what is refused, and every
    /// balance, on every day. Run at last, it writes what was missed, and repeated, nothing.
    #[test]
    fn p6_missed_and_repeated_runs_change_no_answer(history in history()) {
        let told = |runs| {
            let mut told = Vec::new();
            let kept = live(&history, runs, |kept, step, said| {
                let balances: Vec<BalanceMinutes> = around(kept.today).map(|day| kept.balance(day)).collect();
                told.push((said.to_owned(), balances, format!("{step:?}")));
                Ok(())
            });
            (told, kept)
        };
        let (never, kept) = told(Runs::Never);
        let mut kept = kept?;
        for runs in [Runs::Often, Runs::Late, Runs::Twice] {
            let (other, _) = told(runs);
            for (one, two) in never.iter().zip(&other) {
                prop_assert_eq!(one, two, "{:?}", runs);
            }
        }
        kept.job(kept.today);
        let stored = kept.stored.clone();
        kept.two_jobs(kept.today);
        prop_assert_eq!(&stored.postings, &kept.stored.postings);
        prop_assert_eq!(&stored.lots, &kept.stored.lots);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// P2: what expires is what was left of each lot: nothing when more was taken, never less than nothing.
    #[test]
    fn p2_what_expires_is_what_was_left_of_each_lot(history in history()) {
        live(&history, Runs::Late, |kept, _, _| {
            // When all leave that there is has been counted.
            let last = kept.live().map(|one| one.absence.days.ends_on).max().unwrap_or(kept.today);
            let as_of = last.max(kept.today) + 5.months();
            let ledger = kept.replayed(as_of).ledger;
            let mut expired = 0;
            for lot in ledger.lots.iter().filter(|lot| lot.valid_from <= as_of) {
                let on = on_lot(&ledger, lot, as_of);
                let left = on.granted + on.moved - on.lapsed - on.encashed - on.used;
                prop_assert!(on.lapsed >= 0 && on.encashed >= 0 && on.granted >= 0, "{lot:?}");
                expired += on.lapsed + if lot.valid_to.is_some_and(|to| to <= as_of) { left.max(0) } else { 0 };
            }
            prop_assert_eq!(BalanceMinutes::of(&ledger, as_of).expired, expired);
            Ok(())
        })?;
    }

    /// P5: holidays that come and go, and other rules, leave approved leave posted as it is counted, day by day; what was
    /// posted stays, and what differs is a posting of its own.
    #[test]
    fn p5_what_is_posted_is_what_is_counted(history in history()) {
        let mut rows: Vec<LeavePosting> = Vec::new();
        live(&history, Runs::Late, |kept, step, _| {
            prop_assert_eq!(&kept.stored.postings[..rows.len()], &rows[..]);
            rows.clone_from(&kept.stored.postings);
            for ledger in [&kept.stored, &kept.replayed(kept.today + 9.months()).ledger] {
                let mut posted: BTreeMap<_, i64> = BTreeMap::new();
                for one in ledger.live().filter(|one| one.kind == PostingKind::Consumption) {
                    *posted.entry((one.request_id.unwrap(), one.effective_on)).or_default() -= one.minutes;
                }
                let approved = kept.requests.iter().filter(|one| one.status == Status::Approved);
                let counted = approved.flat_map(|one| {
                    let id = one.absence.request_id;
                    one.days.iter().filter(|day| day.minutes > 0).map(move |day| ((id, day.date), day.minutes))
                });
                prop_assert_eq!(posted, counted.collect::<BTreeMap<_, _>>(), "after {:?}", step);
            }
            Ok(())
        })?;
    }

    /// P9: after any history of requests, cancellations and holidays, each request is counted as if what isn't there had
    /// never been.
    #[test]
    fn p9_each_request_counts_as_if_made_anew(history in history()) {
        live(&history, Runs::Never, |kept, step, _| {
            for (counted, anew) in kept.counted_anew() {
                prop_assert_eq!(counted, anew, "after {:?}", step);
            }
            Ok(())
        })?;
    }

    /// P10: whatever rounding, proration and part of a day: amounts are whole minutes, and none is lost or made between
    /// what lots give and what is posted on them.
    #[test]
    fn p10_amounts_are_exact_minutes(history in history()) {
        live(&history, Runs::Late, |kept, _, _| {
            let ledger = kept.replayed(kept.today).ledger;
            for lot in &ledger.lots {
                let granted: i64 = ledger
                    .postings
                    .iter()
                    .filter(|one| one.lot_id == Some(lot.id) && one.plan_key == lot.plan_key)
                    .filter(|one| matches!(one.kind, PostingKind::Grant | PostingKind::Transfer) && one.minutes > 0)
                    .map(|one| one.minutes)
                    .next()
                    .unwrap_or_default();
                prop_assert_eq!(granted, lot.minutes, "{:?}", lot);
            }
            let one = BalanceMinutes::of(&ledger, kept.today);
            let days = crate::leave::days_text(one.granted / 120 * 120, super::DAY);
            prop_assert_eq!(crate::leave::minutes_of_days(&days, super::DAY), Some(one.granted / 120 * 120));
            Ok(())
        })?;
    }

    /// P11: what is booked is taken from the lot with the nearest expiry, then the oldest, and the lot stands with it: none that
    /// comes before it in this order had anything left for that day.
    #[test]
    fn p11_the_nearest_expiry_is_used_first(history in history()) {
        let mut known: HashSet<LeavePostingId> = HashSet::new();
        live(&history, Runs::Often, |kept, step, said| {
            let ledger = &kept.stored;
            let new: Vec<&LeavePosting> = ledger.postings.iter().filter(|one| !known.contains(&one.id)).collect();
            if matches!(step, Step::Approve(_)) && said == "approved true" {
                let orders: HashMap<LeaveLotId, UseOrder> =
                    ledger.lots.iter().map(|lot| (lot.id, lot.order())).collect();
                let shares = ledger.allocate();
                let free = ledger.free();
                let live: HashSet<LeavePostingId> = ledger.live().map(|one| one.id).collect();
                for one in new.iter().filter(|one| one.kind == PostingKind::Consumption && live.contains(&one.id)) {
                    for (lot, left) in free.iter().filter(|(lot, _)| lot.covers(one.effective_on)) {
                        let comes_first = one.lot_id.is_none_or(|used| lot.order() < orders[&used]);
                        let pending: i64 =
                            shares.iter().filter(|share| share.lot_id == Some(lot.id)).map(|share| share.minutes).sum();
                        prop_assert!(!comes_first || *left <= pending, "{one:?} left {left} of {lot:?}");
                    }
                }
            }
            known.extend(ledger.postings.iter().map(|one| one.id));
            Ok(())
        })?;
    }

    /// P14: rows are only added; what is cancelled is undone by its opposite on the same lot and day, once; and nothing of it
    /// is left.
    #[test]
    fn p14_cancelling_is_a_reversal(history in history()) {
        let (mut lots, mut postings): (Vec<LeaveLot>, Vec<LeavePosting>) = Default::default();
        live(&history, Runs::Twice, |kept, _, _| {
            let ledger = &kept.stored;
            prop_assert_eq!(&ledger.lots[..lots.len()], &lots[..]);
            prop_assert_eq!(&ledger.postings[..postings.len()], &postings[..]);
            (lots, postings) = (ledger.lots.clone(), ledger.postings.clone());
            let by_id: HashMap<LeavePostingId, &LeavePosting> = postings.iter().map(|one| (one.id, one)).collect();
            let mut undone = HashSet::new();
            for one in postings.iter().filter(|one| one.kind == PostingKind::Reversal) {
                let of = by_id[&one.reverses_id.unwrap()];
                prop_assert!(undone.insert(of.id), "undone twice: {of:?}");
                prop_assert_eq!(
                    (of.minutes, of.lot_id, of.request_id, of.effective_on),
                    (-one.minutes, one.lot_id, one.request_id, one.effective_on)
                );
            }
            for gone in kept.requests.iter().filter(|one| one.status == Status::Gone) {
                let id = Some(gone.absence.request_id);
                prop_assert_eq!(postings.iter().filter(|one| one.request_id == id).map(|one| one.minutes).sum::<i64>(), 0);
                prop_assert!(ledger.live().all(|one| one.request_id != id));
            }
            Ok(())
        })?;
    }
}
