//! The one balance function: every screen, check and report is a projection of it (P4).

use std::collections::HashMap;

use jiff::ToSpan;
use jiff::civil::Date;
use serde::Serialize;

use super::YEARS_AHEAD;
use super::ledger::{LeaveLot, LeavePosting, Ledger, PostingKind, Share};
use crate::id::LeaveLotId;

/// A balance in exact minutes. `granted = available + taken + pending + expired + encashed` (P1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BalanceMinutes {
    /// What the lots in force by then granted; never shrinks by expiry.
    pub granted: i64,
    /// Approved leave: past, and future as soon as it is approved.
    pub taken: i64,
    /// Asked for and not decided yet.
    pub pending: i64,
    /// What was left of lots when they expired.
    pub expired: i64,
    /// Paid out.
    pub encashed: i64,
    /// What can still be asked for; below zero when leave was taken in advance.
    pub available: i64,
}

impl BalanceMinutes {
    /// The balance on a day: a function of the ledger and the day, and of nothing else.
    ///
    /// On one day expiry comes before grants, and grants before consumption (P12). Leave counts from the
    /// day on which it was booked (or asked for), or from the day of leave if that is earlier: as soon as
    /// next month's leave is approved it can't be used twice. Leave booked on a lot that isn't in force
    /// yet but will be on the day of leave counts from the lot's first day on. What was undone never counts, on no day. What was
    /// posted after a day had been closed doesn't count as of that day (P17).
    #[must_use]
    pub fn of(ledger: &Ledger, as_of: Date) -> Self {
        Self::with_lots(&ledger.seen_on(as_of), as_of).0
    }

    /// The same of what is seen as of the day, and what is left of each lot in force.
    fn with_lots(ledger: &Ledger, as_of: Date) -> (Self, Vec<(&LeaveLot, i64)>) {
        let mut in_force_now = Vec::new();
        let lots = by_lot(ledger, as_of);
        let uses = uses(ledger, as_of);
        let mut balance = Self::default();
        let mut used: HashMap<Option<LeaveLotId>, i64> = HashMap::new();
        for one in &uses {
            match one.what {
                What::Pending => balance.pending += one.minutes,
                What::Taken => balance.taken += one.minutes,
                What::Deducted => balance.granted -= one.minutes,
            }
            *used.entry(one.lot_id).or_default() += one.minutes;
        }
        for lot in &ledger.lots {
            let booked = lots.get(&lot.id).copied().unwrap_or_default();
            let in_force = lot.valid_from <= as_of;
            let granted = if in_force { booked.granted } else { 0 };
            balance.granted += granted;
            balance.expired += booked.lapsed;
            balance.encashed += booked.encashed;
            let used = used.get(&Some(lot.id)).copied().unwrap_or_default();
            let left = granted + booked.transferred - booked.lapsed - booked.encashed - used;
            if in_force && lot.expired_at(as_of) {
                balance.expired += left.max(0);
                balance.available += left.min(0);
            } else {
                balance.available += left;
                if in_force && left > 0 {
                    in_force_now.push((lot, left));
                }
            }
        }
        balance.available -= used.get(&None).copied().unwrap_or_default();
        (balance, in_force_now)
    }
}

/// How much of what is available on a day can be used before it expires: from that day on, day after day from the lot that
/// expires first, as much as fits on each.
///
/// `fits` says how many minutes of leave fit on a day: what is worked then, less other leave. What expires only after
/// [`YEARS_AHEAD`] counts as what never does. Never more than is available.
pub fn usable_until_expiry(ledger: &Ledger, as_of: Date, fits: impl Fn(Date) -> i64) -> i64 {
    let seen = ledger.seen_on(as_of);
    let (balance, lots) = BalanceMinutes::with_lots(&seen, as_of);
    let far = as_of.saturating_add(YEARS_AHEAD.years());
    let ends = |lot: &LeaveLot| lot.valid_to.is_some_and(|to| to <= far);
    let (mut ending, lasting): (Vec<_>, Vec<_>) = lots.into_iter().partition(|(lot, _)| ends(lot));
    let mut usable: i64 = lasting.iter().map(|(_, left)| left).sum();
    ending.sort_by_key(|(lot, _)| lot.order());
    for day in as_of.series(1.day()) {
        ending.retain(|(lot, left)| *left > 0 && !lot.expired_at(day));
        if ending.is_empty() {
            break;
        }
        let mut room = fits(day).max(0);
        for (_, left) in &mut ending {
            let part = room.min(*left);
            *left -= part;
            room -= part;
            usable += part;
        }
    }
    usable.min(balance.available)
}

/// What was booked on a lot, besides leave.
#[derive(Clone, Copy, Debug, Default)]
struct Booked {
    granted: i64,
    transferred: i64,
    lapsed: i64,
    encashed: i64,
}

fn by_lot(ledger: &Ledger, as_of: Date) -> HashMap<LeaveLotId, Booked> {
    let mut lots: HashMap<LeaveLotId, Booked> = HashMap::new();
    for posting in ledger.live() {
        let Some(lot) = posting.lot_id else { continue };
        let booked = lots.entry(lot).or_default();
        match posting.kind {
            PostingKind::Grant | PostingKind::Adjustment => booked.granted += posting.minutes,
            _ if posting.effective_on > as_of => {}
            PostingKind::Transfer => booked.transferred += posting.minutes,
            PostingKind::Lapse => booked.lapsed -= posting.minutes,
            PostingKind::Encashment => booked.encashed -= posting.minutes,
            PostingKind::Consumption | PostingKind::Reversal => {}
        }
    }
    lots
}

/// Approved leave that counts as taken by a day and lies after it, in minutes.
pub(super) fn approved_ahead(ledger: &Ledger, as_of: Date) -> i64 {
    let ahead =
        uses(ledger, as_of).into_iter().filter(|one| matches!(one.what, What::Taken) && one.day > as_of);
    ahead.map(|one| one.minutes).sum()
}

/// Leave that counts by a day.
struct Use {
    day: Date,
    lot_id: Option<LeaveLotId>,
    minutes: i64,
    what: What,
}

/// What leave that counts was used for.
#[derive(Clone, Copy)]
enum What {
    Taken,
    Pending,
    /// It was taken away by hand: no absence, so less was granted.
    Deducted,
}

fn uses(ledger: &Ledger, as_of: Date) -> Vec<Use> {
    let begins: HashMap<LeaveLotId, Date> = ledger.lots.iter().map(|lot| (lot.id, lot.valid_from)).collect();
    let counts = |lot_id: Option<LeaveLotId>, day: Date, booked_on: Date| {
        let begin = lot_id.and_then(|lot| begins.get(&lot)).copied();
        // A lot that began only after the leave paid for what was taken in advance.
        let from = begin.filter(|begin| *begin <= day).map_or(booked_on, |begin| booked_on.max(begin));
        day.min(from) <= as_of
    };
    let taken = ledger.live().filter(|p: &&LeavePosting| p.kind == PostingKind::Consumption);
    let taken = taken.filter(|p| counts(p.lot_id, p.effective_on, p.booked_on)).map(|p| Use {
        day: p.effective_on,
        lot_id: p.lot_id,
        minutes: -p.minutes,
        what: if p.request_id.is_some() { What::Taken } else { What::Deducted },
    });
    let pending = ledger.allocate().into_iter();
    let pending = pending
        .filter(|share: &Share| counts(share.lot_id, share.demand.day, share.demand.asked_on))
        .map(|share| Use {
            day: share.demand.day,
            lot_id: share.lot_id,
            minutes: share.minutes,
            what: What::Pending,
        });
    taken.chain(pending).collect()
}

#[cfg(test)]
mod tests;
