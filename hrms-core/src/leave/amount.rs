//! Amounts of leave: exact minutes inside, decimal days for people (P10).

use rust_decimal::{Decimal, RoundingStrategy};

use crate::error::CommonError;

/// The most minutes that one lot may grant: 1000 days of 24 hours.
pub const MAX_MINUTES: i64 = 1000 * 24 * 60;

/// Decimals of an amount shown in days.
const DECIMALS: u32 = 4;

/// Minutes as a decimal number of days of `minutes_per_day` minutes, such as `1.5`.
///
/// At most four decimals, half to even; the minutes beside it are the exact amount.
#[must_use]
pub fn days_text(minutes: i64, minutes_per_day: i64) -> String {
    let days = Decimal::from(minutes).checked_div(Decimal::from(minutes_per_day)).unwrap_or_default();
    days.round_dp_with_strategy(DECIMALS, RoundingStrategy::MidpointNearestEven).normalize().to_string()
}

/// The minutes of a decimal number of days; `None` when it isn't a number or not a whole number of minutes.
#[must_use]
pub fn minutes_of_days(days: &str, minutes_per_day: i64) -> Option<i64> {
    // Digits with at most one point between them: the parser takes `1_000`, `+1`, `1.` and `.5` as well.
    let (whole, fraction) = days.split_once('.').unwrap_or((days, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole.strip_prefix('-').unwrap_or(whole)) || !is_digits(fraction) {
        return None;
    }
    let days = Decimal::from_str_exact(days).ok()?;
    let minutes = days.checked_mul(Decimal::from(minutes_per_day))?;
    if minutes.fract().is_zero() { i64::try_from(minutes.trunc()).ok() } else { None }
}

/// The minutes of an amount that is given either in days or in minutes, at least one and at most so many.
pub(super) fn amount_of(
    days: Option<&str>,
    minutes: Option<i64>,
    minutes_per_day: i64,
    most: i64,
) -> Result<i64, CommonError> {
    let (pointer, minutes) = match (days, minutes) {
        (Some(days), None) => ("/days", minutes_of_days(days, minutes_per_day)),
        (None, Some(minutes)) => ("/minutes", Some(minutes)),
        _ => {
            return Err(CommonError::invalid(
                "/days",
                "one-of",
                "say the amount either in days or in minutes",
            ));
        }
    };
    let Some(minutes) = minutes else {
        let detail = "this is not a decimal number of days that makes whole minutes";
        return Err(CommonError::invalid(pointer, "not-an-amount", detail));
    };
    if !(1..=most).contains(&minutes) {
        let days = days_text(most, minutes_per_day);
        let detail = format!("this is at least a minute, and at most {most} minutes, here {days} days");
        return Err(CommonError::invalid(pointer, "out-of-range", detail));
    }
    Ok(minutes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn days_are_decimal_text() {
        assert_eq!(days_text(720, 480), "1.5");
        assert_eq!(days_text(4800, 480), "10");
        assert_eq!(days_text(-960, 480), "-2");
        assert_eq!(days_text(0, 480), "0");
        assert_eq!(days_text(100, 480), "0.2083");
    }

    #[test]
    fn only_whole_minutes_are_taken() {
        assert_eq!(minutes_of_days("1.5", 480), Some(720));
        assert_eq!(minutes_of_days("0.0001", 480), None);
        for bad in [
            "",
            "x",
            "1e3",
            "99999999999999999999999999999",
            "NaN",
            "1,5",
            "1_000",
            "+1",
            "1.",
            ".5",
            "--1",
            "1.-5",
        ] {
            assert_eq!(minutes_of_days(bad, 480), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn quarters_of_days_survive_the_way_out_and_in(quarters in -4000i64..4000) {
            let minutes = quarters * 120;
            prop_assert_eq!(minutes_of_days(&days_text(minutes, 480), 480), Some(minutes));
        }
    }
}
