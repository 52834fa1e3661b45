//! The leave ledger: lots, signed postings, and the pure rules by which leave is drawn from lots.

use std::borrow::Cow;
use std::collections::HashMap;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::coded;
use crate::id::{EmployeeId, LeaveLotId, LeavePostingId, LeaveRequestId, LeaveTypeId, UserId};

coded! {
    /// Where a lot comes from.
    #[derive(Default)]
    LotSource {
        /// Granted by hand.
        #[default]
        Grant = "grant",
        /// Brought along when this system was introduced.
        Opening = "opening",
        /// Carried over from the leave year before.
        CarryOver = "carry_over",
        /// Earned by working on a day off.
        Compensatory = "compensatory",
        /// Earned by a leave policy.
        Accrual = "accrual",
    }
}

/// A dated grant of leave with its own validity, which may outlive its leave year (P3). Never changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaveLot {
    /// Its id.
    pub id: LeaveLotId,
    /// Whose leave.
    pub employee_id: EmployeeId,
    /// What kind of leave.
    pub leave_type_id: LeaveTypeId,
    /// Where it comes from.
    pub source: LotSource,
    /// Minutes granted.
    pub minutes: i64,
    /// The first day that it can be used for.
    pub valid_from: Date,
    /// The first day that it can't be used for any more; `None` when it never expires.
    pub valid_to: Option<Date>,
    /// The day on which it was granted, in the employee's work zone.
    pub granted_on: Date,
    /// What was said about it.
    pub note: Option<String>,
    /// What of a leave policy it is, such as `accrual:…`; `None` for a grant by hand. Unique in an account.
    pub plan_key: Option<String>,
    /// When it was recorded.
    pub created_at: Timestamp,
}

impl LeaveLot {
    /// Whether it can be used for a day.
    #[must_use]
    pub fn covers(&self, day: Date) -> bool {
        self.valid_from <= day && !self.expired_at(day)
    }

    /// Whether it is of the opening balance of this day.
    pub(super) fn opens(&self, on: Option<Date>) -> bool {
        self.source == LotSource::Opening && self.plan_key.is_none() && Some(self.valid_from) == on
    }

    /// Whether it can't be used for a day and all days after it.
    #[must_use]
    pub fn expired_at(&self, day: Date) -> bool {
        self.valid_to.is_some_and(|to| to <= day)
    }

    /// Lots are used up in this order: nearest expiry first, then oldest (P11).
    pub(super) fn order(&self) -> UseOrder {
        // Of lots that are alike in that, what may be lost goes first, and the order is the same for everybody.
        let source = match self.source {
            LotSource::CarryOver => 0,
            LotSource::Accrual => 1,
            LotSource::Grant | LotSource::Opening | LotSource::Compensatory => 2,
        };
        UseOrder(self.valid_to.is_none(), self.valid_to, self.valid_from, self.granted_on, source, self.id)
    }
}

/// Where a lot stands among others that are used up: nearest expiry, oldest, granted first, carried over, earned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UseOrder(bool, Option<Date>, Date, Date, u8, LeaveLotId);

impl UseOrder {
    /// Before every lot that can be used on a day or later, and after those that can't.
    pub(super) fn after_expiry_on(day: Date) -> Self {
        let first = LeaveLotId::from_uuid(uuid::Uuid::nil());
        Self(false, Some(day.saturating_add(1.day())), Date::MIN, Date::MIN, 0, first)
    }
}

coded! {
    /// What a posting records.
    PostingKind {
        /// A lot was granted (plus).
        Grant = "grant",
        /// Leave was taken from a lot, or in advance of one (minus).
        Consumption = "consumption",
        /// An earlier posting was undone (its opposite).
        Reversal = "reversal",
        /// A lot was corrected (plus or minus).
        Adjustment = "adjustment",
        /// What was left was moved to another lot: carry-over (minus there, plus here).
        Transfer = "transfer",
        /// A part lapsed before the lot expires (minus).
        Lapse = "lapse",
        /// A part is paid out (minus).
        Encashment = "encashment",
    }
}

/// A signed row of the ledger. Rows are only ever added (P14).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeavePosting {
    /// Its id; ids increase in the order of posting.
    pub id: LeavePostingId,
    /// Whose leave.
    pub employee_id: EmployeeId,
    /// What kind of leave.
    pub leave_type_id: LeaveTypeId,
    /// The lot that it is about; `None` for leave taken in advance of any lot.
    pub lot_id: Option<LeaveLotId>,
    /// The request that it belongs to.
    pub request_id: Option<LeaveRequestId>,
    /// What it records.
    pub kind: PostingKind,
    /// Signed minutes.
    pub minutes: i64,
    /// The day that it is about: for consumption the day of leave.
    pub effective_on: Date,
    /// The day on which it was booked, in the employee's work zone.
    pub booked_on: Date,
    /// When it was recorded.
    pub posted_at: Timestamp,
    /// The user who caused it, if a user did.
    pub posted_by: Option<UserId>,
    /// The posting that it undoes.
    pub reverses_id: Option<LeavePostingId>,
    /// What of a leave policy it records; `null` for what people do.
    pub plan_key: Option<String>,
    /// The last day that was closed when it was posted: it counts from the day after. Storage says so.
    pub closed_through: Option<Date>,
}

impl LeavePosting {
    /// Whether it records leave taken in advance of any lot.
    pub(super) fn is_advance(&self) -> bool {
        self.kind == PostingKind::Consumption && self.lot_id.is_none()
    }

    /// Whether it says what policies will pay out on a later day: payroll is told when that day has come.
    pub(super) fn is_later_payout(&self, today: Date) -> bool {
        self.kind == PostingKind::Encashment && self.plan_key.is_some() && self.effective_on > today
    }
}

/// What a posting will say, before it gets its id, time and author.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewPosting {
    /// The lot that it is about.
    pub lot_id: Option<LeaveLotId>,
    /// The request that it belongs to.
    pub request_id: Option<LeaveRequestId>,
    /// What it records.
    pub kind: PostingKind,
    /// Signed minutes.
    pub minutes: i64,
    /// The day that it is about.
    pub effective_on: Date,
    /// The posting that it undoes.
    pub reverses_id: Option<LeavePostingId>,
    /// The day on which it counts as booked, when that isn't the day of posting.
    pub booked_on: Option<Date>,
}

impl NewPosting {
    /// The opposite of a posting, on the same lot and day.
    #[must_use]
    pub fn undoing(posting: &LeavePosting) -> Self {
        Self {
            lot_id: posting.lot_id,
            request_id: posting.request_id,
            kind: PostingKind::Reversal,
            minutes: -posting.minutes,
            effective_on: posting.effective_on,
            reverses_id: Some(posting.id),
            booked_on: None,
        }
    }

    /// The same leave on another lot, or on none: booked when it was booked.
    #[must_use]
    pub(super) fn again(posting: &LeavePosting, lot_id: Option<LeaveLotId>, minutes: i64) -> Self {
        Self {
            lot_id,
            minutes: -minutes,
            kind: PostingKind::Consumption,
            reverses_id: None,
            booked_on: Some(posting.booked_on),
            ..Self::undoing(posting)
        }
    }
}

/// Leave that no lot covers, in minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uncovered {
    /// Of what one request asks for.
    pub request: i64,
    /// Of everything pending, and what was taken in advance already.
    pub all: i64,
    /// What was taken in advance already, and what lots lack that gave more than they have.
    pub advanced: i64,
}

/// Leave that a pending request asks for, on one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The request.
    pub request_id: LeaveRequestId,
    /// The day of leave.
    pub day: Date,
    /// The day on which it was asked for.
    pub asked_on: Date,
    /// Minutes.
    pub minutes: i64,
}

impl Demand {
    /// Draws as much from a lot as is left of both.
    fn draw(&mut self, lot_id: Option<LeaveLotId>, left: &mut i64) -> Option<Share> {
        let minutes = self.minutes.min(*left);
        if minutes <= 0 {
            return None;
        }
        let share = Share { demand: *self, lot_id, minutes };
        self.minutes -= minutes;
        *left -= minutes;
        Some(share)
    }
}

/// The part of a [`Demand`] that one lot covers, or none does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// What is covered.
    pub demand: Demand,
    /// By which lot; `None` for leave in advance.
    pub lot_id: Option<LeaveLotId>,
    /// Minutes of this part.
    pub minutes: i64,
}

/// Everything about one employee's leave of one type.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Every lot.
    pub lots: Vec<LeaveLot>,
    /// Every posting.
    pub postings: Vec<LeavePosting>,
    /// What pending requests ask for.
    pub pending: Vec<Demand>,
    /// The day of the opening balance: it replaces whatever was before.
    pub opens_on: Option<Date>,
    /// The last day that is closed: as of it and of earlier days nothing changes any more.
    pub closed_through: Option<Date>,
}

impl Ledger {
    /// Postings that weren't undone and don't undo anything.
    pub fn live(&self) -> impl Iterator<Item = &LeavePosting> {
        let mut undone: Vec<LeavePostingId> = self.postings.iter().filter_map(|p| p.reverses_id).collect();
        undone.sort_unstable();
        self.postings
            .iter()
            .filter(move |p| p.kind != PostingKind::Reversal && undone.binary_search(&p.id).is_err())
    }

    /// What is seen of it as of a day: what was posted after the day had been closed isn't, and requests that wait aren't part of a
    /// closed day.
    #[must_use]
    pub fn seen_on(&self, as_of: Date) -> Cow<'_, Self> {
        let is_closed = |through: Option<Date>| through.is_some_and(|through| as_of <= through);
        let hidden = self.postings.iter().any(|one| is_closed(one.closed_through));
        if !hidden && !is_closed(self.closed_through) {
            return Cow::Borrowed(self);
        }
        let mut seen = self.clone();
        seen.postings.retain(|one| !is_closed(one.closed_through));
        let is_seen = |lot: &LeaveLot| seen.postings.iter().any(|one| one.lot_id == Some(lot.id));
        seen.lots.retain(is_seen);
        if is_closed(self.closed_through) {
            seen.pending.clear();
        }
        Cow::Owned(seen)
    }

    /// Minutes of each lot that no live posting uses, in the order in which lots are used up.
    #[must_use]
    pub fn free(&self) -> Vec<(&LeaveLot, i64)> {
        let mut on_lot: HashMap<LeaveLotId, i64> = HashMap::new();
        for posting in self.live() {
            if let Some(lot) = posting.lot_id {
                *on_lot.entry(lot).or_default() += posting.minutes;
            }
        }
        let left = |lot: &LeaveLot| on_lot.get(&lot.id).copied().unwrap_or_default();
        let mut free: Vec<(&LeaveLot, i64)> = self.lots.iter().map(|lot| (lot, left(lot))).collect();
        free.sort_by_key(|(lot, _)| lot.order());
        free
    }

    /// Minutes taken in advance of any lot.
    #[must_use]
    pub fn advanced(&self) -> i64 {
        self.live().filter(|posting| posting.is_advance()).map(|posting| -posting.minutes).sum()
    }

    /// Covers what pending requests ask for from the free part of the lots.
    ///
    /// Day by day, each day from the lot with the nearest expiry: a lot covers a run of days, so this
    /// order leaves nothing uncovered that any other order could cover. Lots that gave more than they have, as what was paid out
    /// turned out not to be earned, are made good first.
    #[must_use]
    pub fn allocate(&self) -> Vec<Share> {
        self.allocated().0
    }

    /// The same, and what other lots can't make good.
    fn allocated(&self) -> (Vec<Share>, i64) {
        let mut demands = self.pending.clone();
        demands.sort_by_key(|demand| (demand.day, demand.request_id));
        let mut free = self.free();
        let mut short: i64 = free.iter().map(|(_, left)| -left.min(&0)).sum();
        free.retain(|(_, left)| *left > 0);
        let mut shares = Vec::new();
        for demand in &mut demands {
            let day = demand.day;
            for (lot, left) in free.iter_mut().filter(|(lot, _)| lot.covers(day)) {
                let good = short.min(*left);
                short -= good;
                *left -= good;
                shares.extend(demand.draw(Some(lot.id), left));
            }
        }
        for mut demand in demands {
            let mut rest = demand.minutes;
            shares.extend(demand.draw(None, &mut rest));
        }
        (shares, short)
    }

    /// How much of `request_id`'s demand no lot covers, and how much of all demand.
    #[must_use]
    pub fn uncovered(&self, request_id: LeaveRequestId) -> Uncovered {
        let (shares, short) = self.allocated();
        let advanced = self.advanced() + short;
        let mut uncovered = Uncovered { request: 0, all: advanced, advanced };
        for share in shares.iter().filter(|share| share.lot_id.is_none()) {
            uncovered.all += share.minutes;
            if share.demand.request_id == request_id {
                uncovered.request += share.minutes;
            }
        }
        uncovered
    }

    /// The postings that take what a pending request asks for, each linked to its lot (P11).
    #[must_use]
    pub fn book(&self, request_id: LeaveRequestId) -> Vec<NewPosting> {
        let shares = self.allocate();
        let own = shares.into_iter().filter(|share| share.demand.request_id == request_id);
        own.map(|share| NewPosting {
            lot_id: share.lot_id,
            request_id: Some(request_id),
            kind: PostingKind::Consumption,
            minutes: -share.minutes,
            effective_on: share.demand.day,
            reverses_id: None,
            booked_on: None,
        })
        .collect()
    }

    /// The postings that undo everything a request took (P14).
    #[must_use]
    pub fn undo(&self, request_id: LeaveRequestId) -> Vec<NewPosting> {
        self.live()
            .filter(|posting| posting.request_id == Some(request_id))
            .map(NewPosting::undoing)
            .collect()
    }

    /// The postings that undo what a request took for some of its days.
    #[must_use]
    pub fn undo_days(&self, request_id: LeaveRequestId, days: &[Date]) -> Vec<NewPosting> {
        self.live()
            .filter(|posting| posting.request_id == Some(request_id) && days.contains(&posting.effective_on))
            .map(NewPosting::undoing)
            .collect()
    }

    /// The postings by which leave on a lot beyond what the lot gives becomes leave in advance, the latest first.
    #[must_use]
    pub fn shed(&self, lot: LeaveLotId) -> Vec<NewPosting> {
        let mut excess =
            -self.live().filter(|one| one.lot_id == Some(lot)).map(|one| one.minutes).sum::<i64>();
        let mut taken: Vec<&LeavePosting> = self
            .live()
            .filter(|one| one.lot_id == Some(lot) && one.kind == PostingKind::Consumption)
            .collect();
        taken.sort_by_key(|one| (one.effective_on, one.id));
        let mut postings = Vec::new();
        while let Some(last) = taken.pop().filter(|_| excess > 0) {
            let part = excess.min(-last.minutes);
            let left = -last.minutes - part;
            postings.push(NewPosting::undoing(last));
            postings.push(NewPosting::again(last, None, part));
            if left > 0 {
                postings.push(NewPosting::again(last, Some(lot), left));
            }
            excess -= part;
        }
        postings
    }

    /// The postings by which lots pay for leave that was taken in advance of them.
    ///
    /// A lot pays for an advance unless it had expired on that day.
    #[must_use]
    pub fn settle(&self) -> Vec<NewPosting> {
        let mut free = self.free();
        free.retain(|(_, left)| *left > 0);
        let mut advances: Vec<&LeavePosting> = self.live().filter(|posting| posting.is_advance()).collect();
        advances.sort_by_key(|posting| (posting.effective_on, posting.id));
        let mut postings = Vec::new();
        for advance in advances {
            let mut open = -advance.minutes;
            let again = |lot_id, minutes| NewPosting::again(advance, lot_id, minutes);
            let before = postings.len();
            for (lot, left) in free.iter_mut().filter(|(lot, _)| !lot.expired_at(advance.effective_on)) {
                if open == 0 {
                    break;
                }
                let part = open.min((*left).max(0));
                if part > 0 {
                    postings.push(again(Some(lot.id), part));
                    *left -= part;
                    open -= part;
                }
            }
            if postings.len() > before {
                postings.push(NewPosting::undoing(advance));
                if open > 0 {
                    postings.push(again(None, open));
                }
            }
        }
        postings
    }
}
