//! How much leave can be paid out, and what it is worth: arithmetic only.

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Serialize};

use super::MAX_MINUTES;

/// How much of a balance can be paid out. Amounts are minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EncashmentLimits {
    /// What has to stay in hand.
    pub keep: i64,
    /// The most that can be paid out; `None` for all above `keep`.
    pub most: Option<i64>,
    /// Paid out in multiples of this only, such as whole days; `None` for any amount.
    pub step: Option<i64>,
}

/// Leave that can be paid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encashable {
    /// Minutes.
    pub minutes: i64,
}

impl EncashmentLimits {
    /// What of a balance can be paid out of what somebody asks for; `None` asks for as much as there is.
    ///
    /// The ask is cut to what is above the amount that stays, then to the most, then to whole steps. Never below zero.
    #[must_use]
    pub fn of(self, available: i64, asked: Option<i64>) -> Encashable {
        let above = available.saturating_sub(self.keep.max(0));
        let most = self.most.unwrap_or(i64::MAX);
        let minutes = above.min(most).min(asked.unwrap_or(i64::MAX)).clamp(0, MAX_MINUTES);
        let step = self.step.unwrap_or(1).max(1);
        Encashable { minutes: minutes - minutes % step }
    }
}

impl Encashable {
    /// What it is worth, where so many days of leave are worth an amount: a month's pay and the days that it is divided by, or
    /// the rate of a day and 1. To `decimals` of the currency, half up; `None` where it can't be told.
    #[must_use]
    pub fn worth(
        self,
        amount: Decimal,
        per_days: Decimal,
        minutes_per_day: i64,
        decimals: u32,
    ) -> Option<Decimal> {
        // Divided once and last, so that a third of a day loses nothing on the way.
        let minutes = per_days.checked_mul(Decimal::from(minutes_per_day))?;
        let worth = amount.checked_mul(Decimal::from(self.minutes))?.checked_div(minutes)?;
        let mut worth = worth.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero);
        worth.rescale(decimals);
        Some(worth)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 480;

    fn limits(keep: i64, most: Option<i64>) -> EncashmentLimits {
        EncashmentLimits { keep: keep * DAY, most: most.map(|days| days * DAY), step: None }
    }

    #[test]
    fn the_ask_is_cut_to_what_can_be_paid_out() {
        // LV-45, leave-encash-001c, and what is around them.
        for (available, keep, most, asked, days) in [
            (20, 15, None, Some(8), 5),
            (20, 15, None, Some(3), 3),
            (12, 15, None, Some(8), 0),
            (7, 0, Some(3), None, 3),
            (7, 5, Some(3), None, 2),
            (7, 5, None, None, 2),
            (-2, 0, None, Some(1), 0),
            (7, 0, None, Some(-1), 0),
        ] {
            let asked = asked.map(|days| days * DAY);
            let found = limits(keep, most).of(available * DAY, asked).minutes;
            assert_eq!(found, days * DAY, "{available} {keep} {most:?} {asked:?}");
        }
        let whole_days = EncashmentLimits { step: Some(DAY), ..EncashmentLimits::default() };
        assert_eq!(whole_days.of(5 * DAY + 300, None).minutes, 5 * DAY);
    }

    #[test]
    fn its_worth_is_rounded_once() {
        let worth = |minutes, amount: i64, per: i64| {
            let worth = Encashable { minutes }.worth(amount.into(), per.into(), DAY, 2);
            worth.map(|worth| worth.to_string())
        };
        assert_eq!(worth(5 * DAY, 60_000, 30).as_deref(), Some("10000.00"));
        assert_eq!(worth(5 * DAY, 60_000, 26).as_deref(), Some("11538.46"));
        assert_eq!(worth(3 * DAY, 50, 1).as_deref(), Some("150.00"));
        assert_eq!(worth(DAY / 2, 1, 1).as_deref(), Some("0.50"));
        assert_eq!(worth(DAY, 1, 8).as_deref(), Some("0.13"));
        assert_eq!(worth(DAY, 1, 0), None);
    }
}
