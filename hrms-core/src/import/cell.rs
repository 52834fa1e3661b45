//! Cells that a spreadsheet would take for a formula.
//!
//! An exported text that begins with `=`, `+`, `-`, `@`, a tab or a carriage return gets an apostrophe in
//! front, so that opening the file runs nothing. An import takes that one apostrophe away again. A text
//! that has apostrophes before such a character by itself gets one more, so the way back is exact.

use std::borrow::Cow;

/// Whether the text, behind any apostrophes, begins like a formula.
fn formula_like(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// The text as it goes into a file.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if formula_like(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// The text that a cell of a file stands for.
#[must_use]
pub fn unescape(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(text) if formula_like(text) => text,
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_quoted_and_names_are_not() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("@here", "'@here"),
            ("'=x", "''=x"),
            ("'t Hooft", "'t Hooft"),
            ("O'-Brien", "O'-Brien"),
            ("", ""),
            ("'", "'"),
        ] {
            assert_eq!(escape(text), cell);
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_goes_out_comes_back(text in "['=+@\\-\t\ra ]{0,6}") {
            let cell = escape(&text);
            proptest::prop_assert_eq!(unescape(&cell), text.as_str());
        }
    }
}
