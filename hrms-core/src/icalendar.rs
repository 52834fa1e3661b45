//! Writing iCalendar (RFC 5545): lines that are folded and end with CR LF, text that is escaped.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// The most octets of a line before its end.
const WIDTH: usize = 75;

/// A calendar in the making.
#[derive(Debug)]
pub(crate) struct Calendar(String);

impl Calendar {
    /// A calendar of this name; `product` says what of ours it is.
    pub(crate) fn new(product: &str, name: &str) -> Self {
        let mut calendar = Self(String::new());
        calendar.line("BEGIN:VCALENDAR");
        calendar.line("VERSION:2.0");
        calendar.line(&format!("PRODID:-//hrms//{product}//EN"));
        calendar.line("CALSCALE:GREGORIAN");
        calendar.text("X-WR-CALNAME", name);
        calendar
    }

    /// Adds a line as it is.
    pub(crate) fn line(&mut self, line: &str) {
        fold(&mut self.0, line);
    }

    /// Adds a property whose value is text.
    pub(crate) fn text(&mut self, name: &str, value: &str) {
        self.line(&format!("{name}:{}", escaped(value)));
    }

    /// Adds a property whose value is a date.
    pub(crate) fn date(&mut self, name: &str, value: Date) {
        self.line(&format!("{name};VALUE=DATE:{}", value.strftime("%Y%m%d")));
    }

    /// Adds a property whose value is an instant, in UTC.
    pub(crate) fn instant(&mut self, name: &str, value: Timestamp) {
        self.line(&format!("{name}:{}", value.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ")));
    }

    /// The whole calendar.
    pub(crate) fn end(mut self) -> String {
        self.line("END:VCALENDAR");
        self.0
    }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Writes a line, folded between characters so that no part has more than 75 octets, with its end.
///
/// Not beside blanks, if that can be: some readers take those of the text for signs of folding, too.
fn fold(out: &mut String, line: &str) {
    let (mut width, mut rest) = (0, line);
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(unbroken(rest));
        if width > 1 && width + piece.len() > WIDTH {
            out.push_str("\r\n ");
            width = 1;
        }
        for c in piece.chars() {
            if width + c.len_utf8() > WIDTH {
                out.push_str("\r\n ");
                width = 1;
            }
            out.push(c);
            width += c.len_utf8();
        }
        rest = behind;
    }
    out.push_str("\r\n");
}

/// How many bytes there are up to the first place between two characters that are no blanks.
fn unbroken(text: &str) -> usize {
    let mut blank = true;
    let end = text.char_indices().find(|(_, c)| {
        let between = !blank && *c != ' ';
        blank = *c == ' ';
        between
    });
    end.map_or(text.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unfolded(text: &str) -> String {
        text.replace("\r\n ", "")
    }

    #[test]
    fn what_would_break_a_line_is_escaped() {
        let mut calendar = Calendar::new("Test", "Ours; theirs");
        calendar.text("SUMMARY", "a\\b;c,d\ne\rf\u{7}g");
        let text = calendar.end();
        assert!(text.contains("X-WR-CALNAME:Ours\\; theirs\r\n"), "{text}");
        assert!(text.contains("SUMMARY:a\\\\b\\;c\\,d\\nefg\r\n"), "{text}");
        assert!(
            text.starts_with("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n") && text.ends_with("END:VCALENDAR\r\n")
        );
    }

    #[test]
    fn lines_are_not_folded_beside_blanks() {
        for length in 50..90 {
            let mut calendar = Calendar::new("Test", "x");
            calendar.text("SUMMARY", &format!("{} b  c", "a".repeat(length)));
            let text = calendar.end();
            assert!(!text.contains("\r\n  ") && !text.contains(" \r\n"), "{text}");
            assert!(unfolded(&text).contains(&format!("{} b  c\r\n", "a".repeat(length))));
        }
    }

    proptest! {
        #[test]
        fn lines_are_short_and_whole(value in ".{0,300}") {
            let mut calendar = Calendar::new("Test", "x");
            calendar.text("SUMMARY", &value);
            let text = calendar.end();
            for line in text.split_inclusive("\r\n") {
                prop_assert!(line.ends_with("\r\n") && line.len() <= WIDTH + 2, "{line:?}");
                prop_assert!(!line.trim_end_matches("\r\n").contains(['\r', '\n']));
            }
            let whole = unfolded(&text);
            let expected = format!("SUMMARY:{}\r\n", escaped(&value));
            prop_assert!(whole.contains(&expected));
        }
    }
}
