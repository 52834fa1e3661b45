//! Checks on input fields, collected so that a caller sees all faults at once.

use std::ops::RangeInclusive;

use jiff::{
    civil::{Date, date},
    tz::TimeZone,
};

use crate::error::{CommonError, FieldError};
use crate::period::Period;

/// The first date that can be stored.
pub const FIRST_DATE: Date = date(1900, 1, 1);
/// The last date that can be stored; later ones are typing errors, not plans.
pub const LAST_DATE: Date = date(2199, 12, 31);

/// Collects the faults of one input.
#[derive(Debug, Default)]
pub struct Check(Vec<FieldError>);

impl Check {
    /// No faults yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Records a fault.
    pub fn fault(
        &mut self,
        pointer: &'static str,
        code: &'static str,
        detail: impl Into<std::borrow::Cow<'static, str>>,
    ) {
        self.0.push(FieldError::new(pointer, code, detail));
    }

    /// Takes over the fault of a check made elsewhere.
    pub fn add(&mut self, checked: Result<(), FieldError>) {
        self.0.extend(checked.err());
    }

    /// Text with a length in characters, without control characters or blanks at its ends.
    pub fn text(&mut self, pointer: &'static str, text: &str, length: RangeInclusive<usize>) {
        let count = text.chars().count();
        if count < *length.start() {
            self.fault(pointer, "too-short", format!("this needs at least {} characters", length.start()));
        } else if count > *length.end() {
            self.fault(pointer, "too-long", format!("this may have at most {} characters", length.end()));
        } else if text.chars().any(char::is_control) {
            self.fault(pointer, "control-character", "this may not contain control characters");
        } else if text.trim() != text {
            self.fault(pointer, "blank-ends", "this may not begin or end with blanks");
        }
    }

    /// A code: 1 to 64 characters, without blanks.
    pub fn code(&mut self, pointer: &'static str, code: &str) {
        self.text(pointer, code, 1..=64);
        if code.chars().any(char::is_whitespace) {
            self.fault(pointer, "blank", "a code may not contain blanks");
        }
    }

    /// A date that can be stored ([`FIRST_DATE`] to [`LAST_DATE`]).
    pub fn date(&mut self, pointer: &'static str, on: Date) {
        if on < FIRST_DATE || on > LAST_DATE {
            self.fault(pointer, "out-of-range", format!("dates go from {FIRST_DATE} to {LAST_DATE}"));
        }
    }

    /// A half-open period of dates that can be stored, with at least one day.
    pub fn period(
        &mut self,
        from_pointer: &'static str,
        from: Date,
        to_pointer: &'static str,
        to: Option<Date>,
    ) -> Option<Period> {
        self.date(from_pointer, from);
        if let Some(to) = to {
            self.date(to_pointer, to);
        }
        let period = Period::new(from, to);
        if period.is_none() {
            self.fault(to_pointer, "not-after-start", "this must lie after the first day");
        }
        period
    }

    /// The name of a zone in the IANA time zone database.
    pub fn zone(&mut self, pointer: &'static str, name: &str) {
        if name.len() > 64 || time_zone(name).is_none() {
            self.fault(pointer, "unknown-zone", "this is not an IANA time zone name such as Asia/Kolkata");
        }
    }

    /// An e-mail address, as far as a look can tell (RFC 5321 lengths).
    pub fn email(&mut self, pointer: &'static str, email: &str) {
        let fine = email.split_once('@').is_some_and(|(local, host)| {
            let clean = |part: &str| !part.chars().any(|c| c.is_whitespace() || c.is_control() || c == '@');
            (1..=64).contains(&local.len())
                && (1..=255).contains(&host.len())
                && clean(local)
                && clean(host)
                && host.split('.').all(|label| !label.is_empty())
        });
        if !fine || email.len() > 254 {
            self.fault(pointer, "not-an-email", "this is not an e-mail address");
        }
    }

    /// Ends the check.
    ///
    /// # Errors
    /// [`CommonError::Invalid`] with every fault.
    pub fn done(self) -> Result<(), CommonError> {
        if self.0.is_empty() { Ok(()) } else { Err(CommonError::Invalid(self.0)) }
    }
}

/// The IANA zone of this name; names are those of the database, not offsets or POSIX rules.
#[must_use]
pub fn time_zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

/// The form in which text is compared and searched: NFKC, lower case.
#[must_use]
pub fn fold(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    text.nfkc().flat_map(char::to_lowercase).nfkc().collect()
}
