//! The one balance function: every screen, check and report is a projection of it (P4).

use jiff::civil::Date;
use serde::Serialize;

use super::ledger::{LeavePosting, Ledger, PostingKind, Share};
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
    /// yet counts from the lot's first day on. What was undone never counts, on no day.
    #[must_use]
    pub fn of(ledger: &Ledger, as_of: Date) -> Self {
        let uses = uses(ledger, as_of);
        let mut balance = Self::default();
        for one in &uses {
            *(if one.pending { &mut balance.pending } else { &mut balance.taken }) += one.minutes;
        }
        for lot in &ledger.lots {
            let used: i64 = uses.iter().filter(|one| one.lot_id == Some(lot.id)).map(|one| one.minutes).sum();
            let in_force = lot.valid_from <= as_of;
            let granted = if in_force { granted(ledger, lot.id) } else { 0 };
            balance.granted += granted;
            if in_force && lot.expired_at(as_of) {
                balance.expired += (granted - used).max(0);
            } else {
                balance.available += granted - used;
            }
        }
        balance.available -=
            uses.iter().filter(|one| one.lot_id.is_none()).map(|one| one.minutes).sum::<i64>();
        balance
    }
}

/// Leave that counts by a day.
struct Use {
    lot_id: Option<LeaveLotId>,
    minutes: i64,
    pending: bool,
}

fn uses(ledger: &Ledger, as_of: Date) -> Vec<Use> {
    let counts = |lot_id: Option<LeaveLotId>, day: Date, booked_on: Date| {
        let lot = ledger.lots.iter().find(|lot| Some(lot.id) == lot_id);
        let from = lot.map_or(booked_on, |lot| booked_on.max(lot.valid_from));
        day.min(from) <= as_of
    };
    let taken = ledger.live().filter(|p: &&LeavePosting| p.kind == PostingKind::Consumption);
    let taken = taken.filter(|p| counts(p.lot_id, p.effective_on, p.booked_on)).map(|p| Use {
        lot_id: p.lot_id,
        minutes: -p.minutes,
        pending: false,
    });
    let pending = ledger.allocate().into_iter();
    let pending = pending
        .filter(|share: &Share| counts(share.lot_id, share.demand.day, share.demand.asked_on))
        .map(|share| Use { lot_id: share.lot_id, minutes: share.minutes, pending: true });
    taken.chain(pending).collect()
}

fn granted(ledger: &Ledger, lot: LeaveLotId) -> i64 {
    let postings = ledger.live().filter(|p| p.lot_id == Some(lot));
    postings
        .filter(|p| matches!(p.kind, PostingKind::Grant | PostingKind::Adjustment))
        .map(|p| p.minutes)
        .sum()
}

#[cfg(test)]
mod tests;
