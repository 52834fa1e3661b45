//! Amounts inside rules: days or hours as people write them, exact fractions of minutes inside.

use num_rational::Ratio;
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::employment::coded;

/// An exact number of minutes. Amounts and calendars are bounded, so sums stay far inside `i128`.
pub type Exact = Ratio<i128>;

/// Most digits before the point of a [`Quantity`]; the most after it.
const DIGITS: usize = 6;

/// A decimal number of nought or more, written as text such as `"1.5"`: at most six digits on each side of the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = String, example = "1.5"))]
pub struct Quantity(Decimal);

impl Quantity {
    /// The number that this text is; `None` when it isn't one, or has too many digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_short = |part: &str| (1..=DIGITS).contains(&part.len());
        let is_digits = |part: &str| is_short(part) && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        Decimal::from_str_exact(text).ok().map(Self)
    }

    /// The number as a fraction.
    #[must_use]
    pub fn exact(self) -> Exact {
        Exact::new(self.0.mantissa(), 10_i128.pow(self.0.scale()))
    }

    /// Whether it is nought.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.normalize().fmt(f)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let malformed = || D::Error::custom("this is not a decimal number such as \"1.5\"");
        Self::parse(&text).ok_or_else(malformed)
    }
}

/// How much leave: `{"days": "1.5"}` or `{"hours": "4"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// Days of the leave type.
    Days(Quantity),
    /// Hours of sixty minutes.
    Hours(Quantity),
}

impl Amount {
    /// The amount in minutes.
    #[must_use]
    pub fn minutes(self, minutes_per_day: i64) -> Exact {
        match self {
            Self::Days(days) => days.exact() * Exact::from_integer(minutes_per_day.into()),
            Self::Hours(hours) => hours.exact() * Exact::from_integer(60),
        }
    }

    /// The number, whatever it counts.
    #[must_use]
    pub const fn quantity(self) -> Quantity {
        match self {
            Self::Days(quantity) | Self::Hours(quantity) => quantity,
        }
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Days(days) => write!(f, "{days} days"),
            Self::Hours(hours) => write!(f, "{hours} hours"),
        }
    }
}

coded! {
    /// To which multiple of the step an amount is rounded.
    RoundingMode {
        /// The nearest one; from the middle up: half or more counts as one.
        Nearest = "nearest",
        /// The nearest one; from the middle to the even one.
        NearestEven = "nearest_even",
        /// The next one above.
        Up = "up",
        /// The next one below.
        Down = "down",
    }
}

coded! {
    /// What is rounded.
    #[derive(Default)]
    RoundingOf {
        /// Each credit by itself.
        #[default]
        Credit = "credit",
        /// What the leave year has earned so far; a credit is the difference. Nothing gets lost by rounding often.
        RunningTotal = "running_total",
    }
}

/// How credits are rounded. Without it they are exact to the minute, on the running total.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Rounding {
    /// To which multiple of the step.
    pub mode: RoundingMode,
    /// To multiples of what.
    pub step: Amount,
    /// Each credit or the running total. Default: each credit.
    #[serde(default)]
    pub of: RoundingOf,
}

impl RoundingMode {
    /// The multiple of `step` that an amount is rounded to, in whole minutes (half up).
    #[must_use]
    pub fn round(self, amount: Exact, step: Exact) -> i64 {
        let steps = if step > Exact::from_integer(0) { amount / step } else { amount };
        let half = Exact::new(1, 2);
        let below = steps.floor();
        let rounded = match self {
            Self::Nearest => (steps + half).floor(),
            Self::NearestEven if steps - below == half => {
                if below.to_integer() % 2 == 0 {
                    below
                } else {
                    steps.ceil()
                }
            }
            Self::NearestEven => (steps + half).floor(),
            Self::Up => steps.ceil(),
            Self::Down => below,
        };
        whole(if step > Exact::from_integer(0) { rounded * step } else { rounded })
    }
}

/// The nearest whole number of minutes, half up.
#[must_use]
pub(super) fn whole(amount: Exact) -> i64 {
    let nearest = (amount + Exact::new(1, 2)).floor().to_integer();
    i64::try_from(nearest).unwrap_or(i64::MAX)
}

/// The whole minutes inside an amount.
#[must_use]
pub(super) fn floor(amount: Exact) -> i64 {
    i64::try_from(amount.floor().to_integer()).unwrap_or(i64::MAX)
}

/// A fraction for people: at most four decimals.
#[must_use]
pub(super) fn decimal_text(amount: Exact) -> String {
    let scaled = (amount * Exact::from_integer(10_000)).round().to_integer();
    Decimal::try_from_i128_with_scale(scaled, 4).unwrap_or_default().normalize().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i128 = 480;

    /// What a rounding in steps of a part of a day makes of a fraction of a day, in thousandths of a day.
    fn thousandths(mode: RoundingMode, amount: (i128, i128), step: (i128, i128)) -> i64 {
        let minutes = mode.round(Exact::new(amount.0 * DAY, amount.1), Exact::new(step.0 * DAY, step.1));
        minutes * 1000 / 480
    }

    #[test]
    fn a_first_month_of_17_days_is_rounded_as_named() {
        use RoundingMode::{Down, Nearest, NearestEven, Up};
        let credit = (17, 31);
        // LV-03a, LV-03c, LV-03e
        assert_eq!(thousandths(Nearest, credit, (1, 2)), 500);
        assert_eq!(thousandths(Up, credit, (1, 2)), 1000);
        assert_eq!(thousandths(Nearest, credit, (1, 1)), 1000);
        assert_eq!(thousandths(Nearest, credit, (1, 4)), 500);
        assert_eq!(thousandths(Down, credit, (1, 2)), 500);
        assert_eq!(thousandths(Down, credit, (1, 1)), 0);
        assert_eq!(thousandths(Nearest, (1, 4), (1, 2)), 500);
        assert_eq!(thousandths(NearestEven, (1, 4), (1, 2)), 0);
        assert_eq!(thousandths(NearestEven, (3, 4), (1, 2)), 1000);
        assert_eq!(thousandths(Up, (3, 2), (1, 2)), 1500);
    }

    #[test]
    fn parts_of_minutes_are_rounded_half_up() {
        for (amount, minutes) in [((149, 100), 1), ((3, 2), 2), ((5, 2), 3), ((-3, 2), -1), ((-151, 100), -2)]
        {
            assert_eq!(whole(Exact::new(amount.0, amount.1)), minutes, "{amount:?}");
        }
        assert_eq!(floor(Exact::new(199, 100)), 1);
    }

    #[test]
    fn quantities_are_plain_decimals() {
        assert_eq!(Quantity::parse("12.07").map(Quantity::exact), Some(Exact::new(1207, 100)));
        assert_eq!(Quantity::parse("1.50").map(|one| one.to_string()).as_deref(), Some("1.5"));
        for bad in ["", "-1", "+1", "1e3", "1.", ".5", "1,5", "1_0", "1234567", "0.1234567", "NaN", "٣", " 1"]
        {
            assert_eq!(Quantity::parse(bad), None, "{bad}");
        }
        assert!(serde_json::from_str::<Amount>(r#"{"days":1}"#).is_err());
        assert!(serde_json::from_str::<Amount>(r#"{"days":"1","hours":"1"}"#).is_err());
        let amount = serde_json::from_str::<Amount>(r#"{"hours":"0.5"}"#).unwrap();
        assert_eq!(amount.minutes(480), Exact::from_integer(30));
        assert_eq!(serde_json::to_string(&amount).unwrap(), r#"{"hours":"0.5"}"#);
    }
}
