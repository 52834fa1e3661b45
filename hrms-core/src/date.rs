//! Dates as people send them: `YYYY-MM-DD` and nothing else.
//!
//! The library's own reading also takes instants and other spellings, and drops what isn't the date: an
//! instant late in the evening of one zone would silently become the wrong day (RFC 3339, `full-date`).

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, de::Error};

use crate::patch::Patch;

/// The date that this text is.
#[must_use]
pub fn parse(text: &str) -> Option<Date> {
    let shaped = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if shaped { text.parse().ok() } else { None }
}

/// A field that a date can be read into.
pub trait DateField: Sized {
    /// The field with this date; `None` where it needs one.
    fn of(date: Option<Date>) -> Option<Self>;
}

impl DateField for Date {
    fn of(date: Option<Date>) -> Option<Self> {
        date
    }
}

impl DateField for Option<Date> {
    fn of(date: Option<Date>) -> Option<Self> {
        Some(date)
    }
}

impl DateField for Patch<Date> {
    fn of(date: Option<Date>) -> Option<Self> {
        Some(date.map_or(Self::Clear, Self::Set))
    }
}

/// For `#[serde(deserialize_with = "…")]` on every date that comes from outside.
///
/// # Errors
/// When it isn't a date, written as `YYYY-MM-DD`.
pub fn strict<'de, D: Deserializer<'de>, T: DateField>(from: D) -> Result<T, D::Error> {
    let malformed = || D::Error::custom("this is not a date such as 2026-11-21");
    let date = match Option::<String>::deserialize(from)? {
        Some(text) => Some(parse(&text).ok_or_else(malformed)?),
        None => None,
    };
    T::of(date).ok_or_else(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dates_are_dates() {
        assert_eq!(parse("2026-11-21"), Some(jiff::civil::date(2026, 11, 21)));
        assert_eq!(parse("2024-02-29"), Some(jiff::civil::date(2024, 2, 29)));
        for text in [
            "",
            "2026-11-2",
            "2026-02-29",
            "2026-13-01",
            "20261121",
            "2026-W47-6",
            "2026-1121",
            "-026-11-21",
            "+026-11-21",
            "2026-11-21 ",
            "2026-11-21T00:00",
            "2026-01-01T23:00:00+05:00",
            "2026-11-21[Europe/Berlin]",
            "２026-11-1",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn fields_take_what_they_can_hold() {
        #[derive(Debug, Deserialize, PartialEq)]
        struct Fields {
            #[serde(deserialize_with = "strict")]
            one: Date,
            #[serde(default, deserialize_with = "strict")]
            two: Option<Date>,
            #[serde(default, deserialize_with = "strict")]
            three: Patch<Date>,
        }
        let day = jiff::civil::date(2026, 1, 2);
        let read = |json: &str| serde_json::from_str::<Fields>(json).ok();
        let fields = |two, three| Some(Fields { one: day, two, three });
        assert_eq!(read(r#"{"one":"2026-01-02"}"#), fields(None, Patch::Keep));
        assert_eq!(read(r#"{"one":"2026-01-02","two":null,"three":null}"#), fields(None, Patch::Clear));
        let set = r#"{"one":"2026-01-02","two":"2026-01-02","three":"2026-01-02"}"#;
        assert_eq!(read(set), fields(Some(day), Patch::Set(day)));
        for bad in [r#"{"one":null}"#, r#"{"one":1}"#, r#"{"one":"2026-01-02","two":"2026-01-02T00:00Z"}"#] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
