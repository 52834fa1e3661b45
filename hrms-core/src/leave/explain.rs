//! Where a balance comes from, in words and in data.

use std::collections::HashMap;

use jiff::civil::Date;
use serde::Serialize;

use super::account::{as_of_or, read_ledger};
use super::ledger::{LeaveLot, LeavePosting, PostingKind};
use super::plan::{Credit, Derivation, Replayed};
use super::planned::{Planning, shown_at, shown_ids};
use super::usable::FreeDays;
use super::{LeaveBalance, LeaveError, LeaveLotView, LeaveService, LeaveType, days_text};
use crate::actor::Actor;
use crate::error::CommonError;
use crate::id::{EmployeeId, LeaveLotId, LeaveTypeId};
use crate::policy::Permission;

/// A balance with where every minute of it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaveExplanation {
    /// The balance.
    #[serde(flatten)]
    pub balance: LeaveBalance,
    /// The balance in a sentence.
    pub sentence: String,
    /// Every lot in force by that day, oldest first.
    pub lots: Vec<ExplainedLot>,
    /// Credits of leave policies of which nothing was left, and why.
    pub cut: Vec<ExplainedCredit>,
    /// Leave that no lot has paid for yet.
    pub in_advance: Vec<LeavePosting>,
}

/// A lot and what was booked on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExplainedLot {
    /// The lot.
    #[serde(flatten)]
    pub lot: LeaveLotView,
    /// What it is, in a sentence.
    pub sentence: String,
    /// How a leave policy came to its amount; `null` for grants by hand and for carried leave.
    pub credit: Option<Derivation>,
    /// What stands on it, in the order of posting: without what was undone.
    pub postings: Vec<LeavePosting>,
}

/// A credit of a leave policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ExplainedCredit {
    /// The day of credit.
    pub on: Date,
    /// How it was found, in a sentence.
    pub sentence: String,
    /// The same in data.
    pub credit: Derivation,
}

impl LeaveService<'_> {
    /// One balance with its derivation: lots, postings, and for what a leave policy credited the version of its
    /// rules, the period, proration, rounding and cuts.
    ///
    /// # Errors
    /// [`LeaveError::TooFarAhead`]; when the employee or leave type isn't there or the leave may not be seen.
    pub async fn explain(
        &self,
        actor: &Actor,
        employee: EmployeeId,
        leave_type: LeaveTypeId,
        as_of: Option<Date>,
    ) -> Result<LeaveExplanation, LeaveError> {
        self.0.visibility(actor, Permission::LeaveRead)?;
        let mut tx = self.0.read(actor).await?;
        let standing = self.visible(&mut *tx, actor, employee, "employee").await?;
        let no_type = CommonError::NotFound { what: "leave type" };
        let leave_type = tx.leave_types().get(leave_type).await?.ok_or(no_type)?;
        let as_of = as_of_or(standing.today, as_of)?;
        let stored = read_ledger(&mut *tx, employee, leave_type.id).await?;
        let planning = Planning::load(&mut *tx, &[employee]).await?;
        let mut ids = shown_ids(employee, leave_type.id);
        let now = shown_at(standing.today);
        let replayed = planning.replayed(employee, &leave_type, stored, as_of, now, &mut ids);
        let free = FreeDays::load(&mut *tx, &standing, as_of, std::slice::from_ref(&replayed.ledger)).await?;
        let fits = |day: Date| free.fits(day, &leave_type);
        Ok(LeaveExplanation::of(&replayed, employee, &leave_type, as_of, &fits))
    }
}

impl LeaveExplanation {
    /// Where the balance of a replayed account comes from. `fits` says how many minutes of leave fit on a day, see
    /// [`usable_until_expiry`](super::usable_until_expiry).
    #[must_use]
    pub fn of(
        replayed: &Replayed,
        employee: EmployeeId,
        leave_type: &LeaveType,
        as_of: Date,
        fits: &dyn Fn(Date) -> i64,
    ) -> Self {
        let balance = LeaveBalance::of(&replayed.ledger, employee, leave_type, as_of, fits);
        let ledger = replayed.ledger.seen_on(as_of);
        let mut lots: Vec<&LeaveLot> = ledger.lots.iter().filter(|lot| lot.valid_from <= as_of).collect();
        lots.sort_by_key(|lot| (lot.valid_from, lot.id));
        let live: Vec<&LeavePosting> = ledger.live().collect();
        let mut on_lot: HashMap<LeaveLotId, Vec<LeavePosting>> = HashMap::new();
        for one in &live {
            if let Some(lot) = one.lot_id {
                on_lot.entry(lot).or_default().push((*one).clone());
            }
        }
        // The name of a lot begins with what names its credit; its end of validity comes last.
        let named = |credit: &Credit| format!("accrual:{}:{}", credit.served_from, credit.on);
        let credits: HashMap<String, &Credit> =
            replayed.credits.iter().map(|credit| (named(credit), credit)).collect();
        let credit_of = |lot: &LeaveLot| {
            let (name, _) = lot.plan_key.as_deref()?.rsplit_once(':')?;
            credits.get(name).copied()
        };
        let cut = replayed.credits.iter().filter(|credit| credit.minutes == 0 && credit.on <= as_of);
        let in_advance =
            live.iter().filter(|one| one.kind == PostingKind::Consumption && one.lot_id.is_none());
        Self {
            sentence: sentence(&balance),
            lots: lots
                .iter()
                .map(|lot| {
                    let credit = credit_of(lot);
                    ExplainedLot {
                        lot: LeaveLotView::of(lot, leave_type.minutes_per_day),
                        sentence: lot_sentence(lot, credit, leave_type.minutes_per_day),
                        credit: credit.map(|credit| credit.derivation.clone()),
                        postings: on_lot.remove(&lot.id).unwrap_or_default(),
                    }
                })
                .collect(),
            cut: cut
                .map(|credit| ExplainedCredit {
                    on: credit.on,
                    sentence: credit.derivation.sentence(),
                    credit: credit.derivation.clone(),
                })
                .collect(),
            in_advance: in_advance.map(|one| (*one).clone()).collect(),
            balance,
        }
    }
}

fn sentence(balance: &LeaveBalance) -> String {
    let mut text = format!(
        "On {}, {} days are available: {} granted",
        balance.as_of, balance.available, balance.granted
    );
    for (days, what) in [
        (&balance.taken, "taken"),
        (&balance.pending, "asked for"),
        (&balance.expired, "lapsed"),
        (&balance.encashed, "to be paid out"),
    ] {
        if days != "0" {
            text += &format!(", less {days} {what}");
        }
    }
    text + "."
}

fn lot_sentence(lot: &LeaveLot, credit: Option<&Credit>, minutes_per_day: i64) -> String {
    let days = days_text(lot.minutes, minutes_per_day);
    let until = match lot.valid_to {
        Some(to) => format!("can be used from {} until the day before {to}", lot.valid_from),
        None => format!("can be used from {} on", lot.valid_from),
    };
    match (credit, lot.plan_key.is_some()) {
        (Some(credit), _) => {
            format!("{days} days by the leave policy, which {until}. {}", credit.derivation.sentence())
        }
        (None, true) => format!("{days} days ({}), which {until}.", lot.source.code().replace('_', " ")),
        (None, false) => {
            format!("{days} days by hand ({}), which {until}.", lot.source.code().replace('_', " "))
        }
    }
}
