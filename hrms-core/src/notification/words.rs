//! What stands around a text in messages, by language.

use jiff::civil::Date;

/// The words of a language.
pub(super) struct Words {
    /// Above a link to the notification.
    pub(super) open: &'static str,
    /// Before the name of the organisation, why somebody gets the message.
    pub(super) because: &'static str,
    /// Above a link that stops messages of the type.
    pub(super) stop: &'static str,
    /// The subject of what was gathered; `{}` is how many.
    pub(super) digest: &'static str,
    months: Option<(&'static [&'static str; 12], &'static str)>,
}

const ENGLISH: Words = Words {
    open: "Open it here:",
    because: "You get this message because of your notification settings at",
    stop: "To get no more messages of this kind:",
    digest: "{} notifications",
    months: Some((
        &[
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ],
        "",
    )),
};

const GERMAN: Words = Words {
    open: "Hier öffnen:",
    because: "Sie erhalten diese Nachricht wegen Ihrer Einstellungen für Benachrichtigungen bei",
    stop: "Keine Nachrichten dieser Art mehr:",
    digest: "{} Benachrichtigungen",
    months: Some((
        &[
            "Januar",
            "Februar",
            "März",
            "April",
            "Mai",
            "Juni",
            "Juli",
            "August",
            "September",
            "Oktober",
            "November",
            "Dezember",
        ],
        ".",
    )),
};

/// For languages that only an organisation has texts in: dates as everybody reads them.
const OTHER: Words = Words { months: None, ..ENGLISH };

pub(super) fn words(language: &str) -> &'static Words {
    match language.split('-').next() {
        Some("en") => &ENGLISH,
        Some("de") => &GERMAN,
        _ => &OTHER,
    }
}

impl Words {
    /// A date as people write it.
    pub(super) fn date(&self, on: Date) -> String {
        let month = usize::try_from(on.month() - 1).unwrap_or(0);
        match self.months.and_then(|(months, dot)| Some((months.get(month)?, dot))) {
            Some((month, dot)) => format!("{}{dot} {month} {}", on.day(), on.year()),
            None => on.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn dates_are_written_as_the_language_does() {
        let on = date(2026, 3, 9);
        assert_eq!(words("en-GB").date(on), "9 March 2026");
        assert_eq!(words("de").date(on), "9. März 2026");
        assert_eq!(words("hi").date(on), "2026-03-09");
    }
}
