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

    /// Text with a length in characters, without control characters, blanks at its ends, or what would make two
    /// different texts look the same (see [`deceives`]).
    pub fn text(&mut self, pointer: &'static str, text: &str, length: RangeInclusive<usize>) {
        let count = text.chars().count();
        if count < *length.start() {
            self.fault(pointer, "too-short", format!("this needs at least {} characters", length.start()));
        } else if count > *length.end() {
            self.fault(pointer, "too-long", format!("this may have at most {} characters", length.end()));
        } else if text.chars().any(char::is_control) {
            self.fault(pointer, "control-character", "this may not contain control characters");
        } else if deceives(text) {
            self.fault(
                pointer,
                "invisible-character",
                "this may not contain invisible characters, or ones that turn the direction of writing",
            );
        } else if text.trim() != text {
            self.fault(pointer, "blank-ends", "this may not begin or end with blanks");
        }
    }

    /// The same in several lines.
    pub fn lines(&mut self, pointer: &'static str, text: &str, length: RangeInclusive<usize>) {
        self.text(pointer, &text.replace('\n', " "), length);
    }

    /// A code: 1 to 64 characters, without blanks, and without anything invisible.
    pub fn code(&mut self, pointer: &'static str, code: &str) {
        self.text(pointer, code, 1..=64);
        if code.chars().any(joins) {
            self.fault(pointer, "invisible-character", "a code may not contain invisible characters");
        }
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

    /// A language as BCP 47 names it, as far as a look can tell: a language, and perhaps a script and a region.
    pub fn language(&mut self, pointer: &'static str, tag: &str) {
        let mut parts = tag.split('-');
        let is = |part: &str, length: std::ops::RangeInclusive<usize>, fits: fn(&u8) -> bool| {
            length.contains(&part.len()) && part.as_bytes().iter().all(fits)
        };
        let language = parts.next().is_some_and(|part| is(part, 2..=3, u8::is_ascii_lowercase));
        let rest: Vec<&str> = parts.collect();
        let script = |part: &str| {
            is(part, 4..=4, u8::is_ascii_alphabetic) && part.starts_with(|c: char| c.is_ascii_uppercase())
        };
        let region =
            |part: &str| is(part, 2..=2, u8::is_ascii_uppercase) || is(part, 3..=3, u8::is_ascii_digit);
        let fine = match &*rest {
            [] => true,
            [one] => script(one) || region(one),
            [one, two] => script(one) && region(two),
            _ => false,
        };
        if !language || !fine {
            self.fault(pointer, "unknown-language", "this is not a language tag such as de or pt-BR");
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

/// Whether a text holds characters that nobody sees, or that change how the others are shown: marks and overrides of
/// the direction (UAX #9), separators of lines, tags, fillers, what is default-ignorable (UAX #44).
///
/// What joins letters (Persian, the scripts of India) or picks the form of a sign (emoji) is fine between others.
#[must_use]
pub fn deceives(text: &str) -> bool {
    let ends = [text.chars().next(), text.chars().next_back()];
    text.chars().any(is_invisible) || ends[0].is_some_and(joins) || ends[1].is_some_and(is_joiner)
}

/// Zero width joiner and non-joiner.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// What shows only by what it does to its neighbours.
fn joins(c: char) -> bool {
    is_joiner(c) || matches!(c, '\u{fe00}'..='\u{fe0f}')
}

fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// The form in which text is compared and searched: NFKC, lower case.
#[must_use]
pub fn fold(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    text.nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(check: impl FnOnce(&mut Check)) -> Vec<String> {
        let mut collected = Check::new();
        check(&mut collected);
        match collected.done() {
            Err(CommonError::Invalid(faults)) => faults.iter().map(|fault| fault.code.to_string()).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn what_deceives_is_refused_in_names_and_codes() {
        for bad in [
            "pay\u{202e}lor",
            "pay\u{200b}roll",
            "\u{feff}payroll",
            "pay\u{ad}roll",
            "payroll\u{200d}",
            "\u{200c}payroll",
            "pay\u{2066}roll\u{2069}",
            "pay\u{2028}roll",
            "pay\u{e0041}roll",
            "\u{3164}",
            "\u{2800}",
            "pay\u{200f}roll",
        ] {
            assert_eq!(codes(|check| check.text("/name", bad, 1..=99)), ["invisible-character"], "{bad:?}");
            assert_eq!(codes(|check| check.code("/code", bad))[0], "invisible-character", "{bad:?}");
        }
        for bad in ["pay\nroll", "pay\u{0}roll", "pay\u{7f}roll", "pay\u{85}roll"] {
            assert_eq!(codes(|check| check.text("/name", bad, 1..=99)), ["control-character"], "{bad:?}");
        }
    }

    #[test]
    fn what_people_write_is_fine() {
        let names =
            ["Zoë", "می\u{200c}خواهم", "ශ්\u{200d}රී", "👩\u{200d}💻 Team", "❤\u{fe0f}", "עברית", "名前"];
        for good in names {
            assert_eq!(codes(|check| check.text("/name", good, 1..=99)), [""; 0], "{good}");
        }
        assert_eq!(codes(|check| check.code("/code", "می\u{200c}خواهم")), ["invisible-character"]);
        assert_eq!(codes(|check| check.code("/code", "Ä-17/b")), [""; 0]);
    }

    #[test]
    fn languages_look_like_tags() {
        let fine = |tag: &str| codes(|check| check.language("/language", tag)).is_empty();
        for good in ["en", "de", "pt-BR", "zh-Hant", "zh-Hant-TW", "fil", "es-419"] {
            assert!(fine(good), "{good}");
        }
        for bad in ["", "e", "english", "EN", "en_GB", "en-gb", "en-", "-", "en-GB-x", "дe", "zh-hant"] {
            assert!(!fine(bad), "{bad}");
        }
    }
}
