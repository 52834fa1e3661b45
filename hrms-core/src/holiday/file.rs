//! Files of holidays: CSV and iCalendar (RFC 5545), read with the lines of what is wrong and written so that calendars take them.
//!
//! Of iCalendar the part is read that holidays are made of: all-day events, of several days or repeated each year. It is read here and
//! not by a library because every fault is told with its line; events with times of the day are faults.

use jiff::civil::{Date, date};
use serde::{Deserialize, Serialize};

use super::{Holiday, HolidayCalendar, HolidayKind, Repeats};
use crate::employment::coded;
use crate::icalendar::Calendar;
use crate::import::cell::{escape, unescape};

/// The most days of one event.
const LONGEST: usize = 62;

/// The most days of one file.
const MOST_DAYS: usize = 2000;

coded! {
    /// The form of a file of holidays.
    HolidayFormat {
        /// Columns `date`, `name`, and optionally `kind`, `repeats`, `observed_for` and `uid`.
        Csv = "csv",
        /// iCalendar, RFC 5545.
        Icalendar = "icalendar",
    }
}

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HolidayFileFault {
    /// The line, the first is 1; of an event its first line, of what is folded where it begins.
    pub line: usize,
    /// A stable machine-readable name such as `not-a-date`.
    pub code: String,
    /// One sentence for a person.
    pub detail: String,
}

/// A day that a file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) line: usize,
    pub(super) on_date: Date,
    pub(super) name: String,
    pub(super) kind: HolidayKind,
    pub(super) repeats: Repeats,
    pub(super) observed_for: Option<Date>,
    pub(super) uid: Option<String>,
}

/// The days of an event of which a file tells all: what it doesn't name of them is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Those of the window, of what repeats each year.
    Window,
    /// Those of this year: there are publishers who name a holiday alike in all years.
    Year(i16),
    /// All of them, of what was cancelled without saying when it was to be.
    All,
}

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) days: Vec<Named>,
    /// Every event that the file knows, those that were cancelled too, and of which of its days it tells all.
    pub(super) uids: Vec<(String, Reach)>,
    pub(super) faults: Vec<HolidayFileFault>,
}

impl Parsed {
    fn fault(&mut self, line: usize, code: &str, detail: impl Into<String>) {
        self.faults.push(HolidayFileFault { line, code: code.to_owned(), detail: detail.into() });
    }

    /// Finds two on one day, and too many.
    fn checked(mut self) -> Self {
        self.days.sort_by_key(|day| (day.on_date, day.line));
        let twice: Vec<(usize, Date)> = self
            .days
            .windows(2)
            .filter_map(|pair| match pair {
                [one, two] if one.on_date == two.on_date => Some((two.line, two.on_date)),
                _ => None,
            })
            .collect();
        for (line, day) in twice {
            self.fault(line, "duplicate", format!("{day} is in the file twice"));
        }
        if self.days.len() > MOST_DAYS {
            self.fault(1, "too-many", format!("a file has at most {MOST_DAYS} days"));
        }
        self.faults.sort_by_key(|fault| fault.line);
        self
    }
}

/// Reads a file; what repeats each year is taken from `window.0` to `window.1`, both included.
pub(super) fn parse(format: HolidayFormat, content: &str, window: (Date, Date)) -> Parsed {
    let content = content.strip_prefix('\u{feff}').unwrap_or(content);
    match format {
        HolidayFormat::Csv => csv(content),
        HolidayFormat::Icalendar => icalendar(content, window),
    }
    .checked()
}

fn csv(content: &str) -> Parsed {
    let mut parsed = Parsed::default();
    // The reader counts a row that follows CR LF from the line before.
    let content = content.replace("\r\n", "\n");
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(content.as_bytes());
    let names: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(|name| name.trim().to_lowercase()).collect(),
        Err(_) => Vec::new(),
    };
    const KNOWN: [&str; 6] = ["date", "name", "kind", "repeats", "observed_for", "uid"];
    for wanted in ["date", "name"] {
        if !names.iter().any(|name| name == wanted) {
            parsed.fault(1, "missing-column", format!("there is no column {wanted}"));
        }
    }
    for name in names.iter().filter(|name| !KNOWN.contains(&name.as_str())) {
        parsed.fault(1, "unknown-column", format!("there is no field {name}"));
    }
    if !parsed.faults.is_empty() {
        return parsed;
    }
    for record in reader.into_records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map_or(1, csv::Position::line);
                parsed.fault(usize::try_from(line).unwrap_or(1), "malformed", "this row can't be read");
                continue;
            }
        };
        let line = record.position().map_or(1, csv::Position::line);
        let line = usize::try_from(line).unwrap_or(1);
        let cell = |wanted: &str| {
            let at = names.iter().position(|name| name == wanted)?;
            record.get(at).map(|text| unescape(text.trim())).filter(|text| !text.is_empty())
        };
        let before = parsed.faults.len();
        let mut day = |name: &str, text: &str| {
            let day = text.parse::<Date>().ok();
            if day.is_none() {
                parsed.fault(line, "not-a-date", format!("{name} is not a date such as 2026-12-25"));
            }
            day
        };
        let on_date = match cell("date") {
            Some(text) => day("date", text),
            None => day("date", ""),
        };
        let observed_for = cell("observed_for").and_then(|text| day("observed_for", text));
        let kind = cell("kind").map_or(Some(HolidayKind::default()), HolidayKind::from_code);
        let repeats = cell("repeats").map_or(Some(Repeats::default()), Repeats::from_code);
        if kind.is_none() {
            parsed.fault(line, "unknown-value", "kind is public, company or restricted");
        }
        if repeats.is_none() {
            parsed.fault(line, "unknown-value", "repeats is fixed_date or movable");
        }
        let name = cell("name").unwrap_or_default().to_owned();
        let uid = cell("uid").map(str::to_owned);
        if parsed.faults.len() > before {
            continue;
        }
        if let (Some(uid), Some(on_date)) = (&uid, on_date) {
            parsed.uids.push((uid.clone(), Reach::Year(on_date.year())));
        }
        if let (Some(on_date), Some(kind), Some(repeats)) = (on_date, kind, repeats) {
            parsed.days.push(Named { line, on_date, name, kind, repeats, observed_for, uid });
        }
    }
    parsed
}

/// A line of a calendar: a name, parameters, a value.
struct Property {
    line: usize,
    name: String,
    is_date: bool,
    value: String,
}

/// The lines of a calendar, unfolded, with where each begins.
fn unfolded(content: &str) -> Vec<(usize, String)> {
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (at, line) in content.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some((_, whole))) => whole.push_str(rest),
            _ if line.is_empty() => {}
            _ => lines.push((at + 1, line.to_owned())),
        }
    }
    lines
}

fn property(line: usize, text: &str) -> Option<Property> {
    let mut quoted = false;
    let end = text.char_indices().find(|(_, c)| {
        quoted ^= *c == '"';
        *c == ':' && !quoted
    });
    let (head, value) = text.split_at(end?.0);
    let mut parts = head.split(';');
    let name = parts.next()?.to_ascii_uppercase();
    let is_date = parts.any(|part| part.eq_ignore_ascii_case("VALUE=DATE"));
    let value = value.get(1..)?.to_owned();
    (!name.is_empty()).then_some(Property { line, name, is_date, value })
}

/// A date as iCalendar writes it, such as `20261225`.
fn basic_date(text: &str) -> Option<Date> {
    if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |range: std::ops::Range<usize>| text.get(range)?.parse::<i16>().ok();
    let (month, day) = (i8::try_from(part(4..6)?).ok()?, i8::try_from(part(6..8)?).ok()?);
    Date::new(part(0..4)?, month, day).ok()
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n' | 'N')) => out.push(' '),
            ('\\', Some(other)) => out.push(other),
            (c, _) => out.push(c),
        }
    }
    out.trim().to_owned()
}

fn icalendar(content: &str, window: (Date, Date)) -> Parsed {
    let mut parsed = Parsed::default();
    let mut inside: Vec<String> = Vec::new();
    let mut event: Vec<Property> = Vec::new();
    let mut begun = 0;
    for (line, text) in unfolded(content) {
        let Some(property) = property(line, &text) else {
            parsed.fault(line, "malformed", "this is no line of a calendar: a name, a colon and a value");
            continue;
        };
        match property.name.as_str() {
            "BEGIN" => {
                inside.push(property.value.to_ascii_uppercase());
                if inside.last().is_some_and(|name| name == "VEVENT") {
                    (begun, event) = (line, Vec::new());
                }
            }
            "END" => {
                let name = property.value.to_ascii_uppercase();
                if inside.pop().as_ref() != Some(&name) {
                    parsed.fault(line, "malformed", format!("{name} ends without having begun"));
                } else if name == "VEVENT" {
                    take(&mut parsed, begun, &event, window);
                }
            }
            _ if inside.last().is_some_and(|name| name == "VEVENT") => event.push(property),
            _ => {}
        }
    }
    if !inside.is_empty() {
        parsed.fault(begun.max(1), "malformed", format!("{} doesn't end", inside.join(", ")));
    } else if content.trim().is_empty()
        || parsed.days.is_empty() && parsed.uids.is_empty() && parsed.faults.is_empty()
    {
        parsed.fault(1, "empty", "there are no events in this file");
    }
    parsed
}

/// Takes the days of an event.
fn take(parsed: &mut Parsed, begun: usize, event: &[Property], window: (Date, Date)) {
    let find = |name: &str| event.iter().find(|property| property.name == name);
    let uid = find("UID").map(|property| property.value.trim().to_owned()).filter(|uid| !uid.is_empty());
    let Some(uid) = uid.filter(|uid| uid.len() <= 255) else {
        return parsed.fault(begun, "no-uid", "an event needs a UID, of at most 255 characters");
    };
    for name in ["RDATE", "EXDATE", "RECURRENCE-ID"] {
        if let Some(property) = find(name) {
            return parsed.fault(
                property.line,
                "not-supported",
                format!("{name} isn't read: give each day an event"),
            );
        }
    }
    let repeated = find("RRULE");
    let begins = find("DTSTART").and_then(|start| basic_date(&start.value));
    let reach = match (&repeated, begins) {
        (Some(_), _) => Reach::Window,
        (None, Some(first)) => Reach::Year(first.year()),
        (None, None) => Reach::All,
    };
    parsed.uids.push((uid.clone(), reach));
    if find("STATUS").is_some_and(|property| property.value.eq_ignore_ascii_case("CANCELLED")) {
        return;
    }
    let Some(start) = find("DTSTART") else {
        return parsed.fault(begun, "no-start", "an event needs a DTSTART");
    };
    let Some(first) = basic_date(&start.value) else {
        let code = if start.is_date { "not-a-date" } else { "not-all-day" };
        return parsed.fault(start.line, code, "this isn't a date such as 20261225: holidays are whole days");
    };
    let length = match (find("DTEND"), find("DURATION")) {
        (Some(end), _) => {
            let days = basic_date(&end.value).map(|end| (end - first).get_days());
            match days.and_then(|days| usize::try_from(days).ok()).filter(|days| (1..=LONGEST).contains(days))
            {
                Some(days) => days,
                None => {
                    let detail =
                        format!("this isn't the day after the last one, at most {LONGEST} days later");
                    return parsed.fault(end.line, "bad-end", detail);
                }
            }
        }
        (None, Some(duration)) => match whole_days(&duration.value) {
            Some(days) => days,
            None => return parsed.fault(duration.line, "bad-end", "this isn't a number of days such as P2D"),
        },
        (None, None) => 1,
    };
    let firsts = match repeated {
        None => vec![first],
        Some(rule) => match yearly(&rule.value, first, window) {
            Some(firsts) => firsts,
            None => return parsed.fault(rule.line, "not-supported", "only what repeats each year is read"),
        },
    };
    let name = find("SUMMARY").map(|property| unescaped(&property.value)).unwrap_or_default();
    let kind = find("CATEGORIES").map_or(HolidayKind::Public, |property| kind_of(&property.value));
    let fixed = find("X-HRMS-REPEATS").is_some_and(|one| one.value.eq_ignore_ascii_case("FIXED-DATE"));
    let repeats = if fixed || repeated.is_some() { Repeats::FixedDate } else { Repeats::Movable };
    let observed_for = find("X-HRMS-OBSERVED-FOR").and_then(|property| basic_date(&property.value));
    for on_date in firsts.into_iter().flat_map(|first| first.series(jiff::Span::new().days(1)).take(length)) {
        let (name, uid) = (name.clone(), Some(uid.clone()));
        parsed.days.push(Named { line: begun, on_date, name, kind, repeats, observed_for, uid });
    }
}

fn kind_of(categories: &str) -> HolidayKind {
    let has = |wanted: &str| categories.split(',').any(|one| one.trim().eq_ignore_ascii_case(wanted));
    if has("RESTRICTED") || has("OPTIONAL") {
        HolidayKind::Restricted
    } else if has("COMPANY") {
        HolidayKind::Company
    } else {
        HolidayKind::Public
    }
}

/// The days of a duration such as `P2D` or `P1W`.
fn whole_days(text: &str) -> Option<usize> {
    let text = text.strip_prefix('+').unwrap_or(text).strip_prefix('P')?;
    let days = match (text.strip_suffix('D'), text.strip_suffix('W')) {
        (Some(days), _) => days.parse::<usize>().ok()?,
        (_, Some(weeks)) => weeks.parse::<usize>().ok()?.checked_mul(7)?,
        _ => return None,
    };
    (1..=LONGEST).contains(&days).then_some(days)
}

/// The days on which something begins that repeats each year, within a window; `None` for any other rule.
fn yearly(rule: &str, first: Date, window: (Date, Date)) -> Option<Vec<Date>> {
    let (mut is_yearly, mut interval, mut count, mut until) = (false, 1_i16, usize::MAX, Date::MAX);
    for part in rule.split(';') {
        let (name, value) = part.split_once('=')?;
        let same = |part: i8| value.parse::<i8>().is_ok_and(|value| value == part);
        match name.to_ascii_uppercase().as_str() {
            "FREQ" if value.eq_ignore_ascii_case("YEARLY") => is_yearly = true,
            "INTERVAL" => interval = value.parse().ok().filter(|every| (1..=400).contains(every))?,
            "COUNT" => count = value.parse().ok()?,
            "UNTIL" => until = basic_date(value.get(..8)?)?,
            "BYMONTH" if same(first.month()) => {}
            "BYMONTHDAY" if same(first.day()) => {}
            "WKST" => {}
            _ => return None,
        }
    }
    let years = (0..).map_while(|n: i16| first.year().checked_add(n.checked_mul(interval)?));
    let years = years.take_while(|year| *year <= window.1.year().min(until.year()));
    let days = years.filter_map(|year| Date::new(year, first.month(), first.day()).ok()).take(count);
    let within = |day: &Date| (window.0..=window.1).contains(day) && *day <= until;
    is_yearly.then(|| days.filter(within).collect())
}

/// Holidays as CSV.
pub(super) fn to_csv(holidays: &[Holiday]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(["date", "name", "kind", "repeats", "observed_for", "uid"])?;
    for holiday in holidays {
        let facts = &holiday.facts;
        let observed_for = facts.observed_for.map(|day| day.to_string()).unwrap_or_default();
        let (name, uid) = (escape(&facts.name), escape(&facts.uid));
        let on_date = holiday.on_date.to_string();
        writer.write_record([
            &*on_date,
            &*name,
            facts.kind.code(),
            facts.repeats.code(),
            &*observed_for,
            &*uid,
        ])?;
    }
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

/// By what a day is known in a file that has its event already: several days of one holiday that don't touch.
pub(super) fn alias(uid: &str, on_date: Date) -> String {
    format!("{uid}-{on_date}")
}

/// Holidays as iCalendar: days of one holiday that touch are one event, with an exclusive end.
pub(super) fn to_icalendar(calendar: &HolidayCalendar, holidays: &[Holiday]) -> String {
    let mut out = Calendar::new("Holiday calendars", &calendar.name);
    let mut known: Vec<&str> = Vec::new();
    let mut rest = holidays;
    while let Some((first, _)) = rest.split_first() {
        let run = run(rest);
        let days = rest.get(..run).unwrap_or_default();
        rest = rest.get(run..).unwrap_or_default();
        let facts = &first.facts;
        let uid = match known.contains(&facts.uid.as_str()) {
            true => alias(&facts.uid, first.on_date),
            false => facts.uid.clone(),
        };
        known.push(&facts.uid);
        let end = first.on_date.saturating_add(jiff::Span::new().days(i64::try_from(run).unwrap_or(1)));
        let changed = days.iter().map(|day| day.updated_at).max().unwrap_or(first.updated_at);
        out.line("BEGIN:VEVENT");
        out.line(&format!("UID:{uid}"));
        out.instant("DTSTAMP", changed);
        out.line(&format!("SEQUENCE:{}", calendar.revision));
        out.date("DTSTART", first.on_date);
        out.date("DTEND", end);
        out.text("SUMMARY", &facts.name);
        out.line(&format!("CATEGORIES:{}", facts.kind.code().to_uppercase()));
        if facts.repeats == Repeats::FixedDate {
            out.line("X-HRMS-REPEATS:FIXED-DATE");
        }
        if let Some(day) = facts.observed_for {
            out.date("X-HRMS-OBSERVED-FOR", day);
        }
        out.line("TRANSP:TRANSPARENT");
        out.line("END:VEVENT");
    }
    out.end()
}

/// How many of these holidays, by date, are days of the first one.
fn run(holidays: &[Holiday]) -> usize {
    let touches = |pair: &&[Holiday]| match pair {
        [one, two] => one.facts == two.facts && one.on_date.tomorrow().is_ok_and(|next| next == two.on_date),
        _ => false,
    };
    1 + holidays.windows(2).take_while(touches).take(LONGEST - 1).count()
}

/// The years in which what repeats is taken when nobody says: this one and the next one.
pub(super) fn usual_window(today: Date) -> (Date, Date) {
    let year = today.year();
    let last = year.checked_add(1).unwrap_or(year);
    (Date::new(year, 1, 1).unwrap_or(today), Date::new(last, 12, 31).unwrap_or(date(9999, 12, 31)))
}

#[cfg(test)]
mod tests;
