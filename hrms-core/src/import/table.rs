//! From bytes to rows: CSV with its many dialects.

use std::collections::{BTreeMap, HashMap};

use csv::{ByteRecord, ReaderBuilder};
use jiff::civil::Date;

use crate::error::{CommonError, FieldError};
use crate::import::fields::{self, FACTS, Field};
use crate::import::{ImportError, ImportKind, NewImport, RowError, Severity, unescape};
use crate::validate::{FIRST_DATE, LAST_DATE};

/// Which column of a file fills which field.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    delimiter: u8,
    width: usize,
    fields: &'static [Field],
    /// For each field: its column's position and name.
    columns: Vec<Option<(usize, String)>>,
    defaults: BTreeMap<String, String>,
}

/// A row whose cells are known to be clean text.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The line of the file on which it begins.
    pub(crate) line: u32,
    /// By field; `None` where the file says nothing about it.
    cells: Vec<Option<String>>,
}

/// The rows of a file, and those that can't be read.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) layout: Layout,
    pub(crate) rows: Vec<Row>,
    /// One list for each row that can't be read.
    pub(crate) unreadable: Vec<Vec<RowError>>,
}

/// The byte order mark that some programs put in front.
const BOM: &[u8] = b"\xef\xbb\xbf";

fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(BOM).unwrap_or(bytes)
}

/// The separator that the first line has most of, outside quotes: comma, semicolon or tab.
fn delimiter(bytes: &[u8]) -> u8 {
    let mut counts: HashMap<u8, usize> = HashMap::new();
    let mut quoted = false;
    for &byte in bytes {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted && !counts.is_empty() => break,
            b',' | b';' | b'\t' if !quoted => *counts.entry(byte).or_default() += 1,
            _ => {}
        }
    }
    // The earlier one wins a draw.
    [b',', b';', b'\t']
        .into_iter()
        .rev()
        .max_by_key(|byte| counts.get(byte).copied().unwrap_or(0))
        .unwrap_or(b',')
}

fn reader(bytes: &[u8], delimiter: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(bytes)
}

impl Layout {
    /// Reads the header.
    pub(crate) fn of(bytes: &[u8], new: &NewImport) -> Result<Self, ImportError> {
        let bytes = without_mark(bytes);
        let delimiter = delimiter(bytes);
        let mut header = ByteRecord::new();
        let read = reader(bytes, delimiter).read_byte_record(&mut header);
        if !read.map_err(|_| ImportError::NotUtf8)? {
            return Err(ImportError::Empty);
        }
        let names = header.iter().map(|name| std::str::from_utf8(name).map(str::to_owned));
        let names: Vec<String> = names.collect::<Result<_, _>>().map_err(|_| ImportError::NotUtf8)?;
        let fields = fields::of(new.kind);
        check_settings(new, fields, &names)?;
        let mut columns: Vec<Option<(usize, String)>> = vec![None; fields.len()];
        let mut unknown = Vec::new();
        for (at, name) in names.iter().enumerate() {
            let twice = names.iter().filter(|other| *other == name).count() > 1;
            if twice || name.trim().is_empty() {
                return Err(ImportError::DuplicateColumn { column: name.clone() });
            }
            let target = match new.mapping.get(name) {
                Some(None) => continue,
                Some(Some(field)) => field,
                None => name,
            };
            match fields.iter().position(|field| field.name == target) {
                None => unknown.push(name.clone()),
                Some(field) => match columns.get_mut(field) {
                    Some(free @ None) => *free = Some((at, name.clone())),
                    _ => return Err(ImportError::DuplicateColumn { column: name.clone() }),
                },
            }
        }
        if !unknown.is_empty() {
            return Err(ImportError::UnknownColumns { columns: unknown });
        }
        let layout = Self { delimiter, width: names.len(), fields, columns, defaults: new.defaults.clone() };
        layout.require_columns(new)?;
        Ok(layout)
    }

    fn require_columns(&self, new: &NewImport) -> Result<(), ImportError> {
        let key =
            (new.kind == ImportKind::Employees).then(|| if new.by_email() { "email" } else { "number" });
        let required = self.fields.iter().filter(|field| field.required || Some(field.name) == key);
        let mut missing: Vec<String> =
            required.filter(|field| !self.has(field.name)).map(|field| field.name.to_owned()).collect();
        if new.kind == ImportKind::EmploymentHistory && !FACTS.iter().any(|fact| self.has(fact)) {
            missing.push(FACTS.join("|"));
        }
        if missing.is_empty() { Ok(()) } else { Err(ImportError::MissingColumns { fields: missing }) }
    }

    /// Whether the file says something about a field.
    pub(crate) fn has(&self, field: &str) -> bool {
        self.column(field).is_some() || self.defaults.contains_key(field)
    }

    fn position(&self, field: &str) -> Option<usize> {
        self.fields.iter().position(|known| known.name == field)
    }

    fn column(&self, field: &str) -> Option<&(usize, String)> {
        self.columns.get(self.position(field)?)?.as_ref()
    }

    /// What the file calls a field.
    pub(crate) fn name_of<'a>(&'a self, field: &'a str) -> &'a str {
        self.column(field).map_or(field, |(_, name)| name)
    }

    /// The text of a cell; `None` where the file says nothing about the field.
    pub(crate) fn cell<'a>(&self, row: &'a Row, field: &str) -> Option<&'a str> {
        row.cells.get(self.position(field)?)?.as_deref()
    }

    /// The text of a cell that isn't empty.
    pub(crate) fn filled<'a>(&self, row: &'a Row, field: &str) -> Option<&'a str> {
        self.cell(row, field).filter(|text| !text.is_empty())
    }

    /// What the rows of a unit have in common.
    pub(crate) fn filled_first<'a>(&self, unit: &[&'a Row], field: &str) -> Option<&'a str> {
        self.filled(unit.first()?, field)
    }

    /// A remark that keeps a row out.
    pub(crate) fn fault(&self, row: &Row, field: &str, code: &str, detail: impl Into<String>) -> RowError {
        fault(row.line, Some(self.name_of(field)), code, detail)
    }

    /// The remarks for faulty fields, whose pointers are names of our fields.
    pub(crate) fn faults(&self, row: &Row, fields: &[FieldError]) -> Vec<RowError> {
        let fault = |field: &FieldError| {
            let name = field.pointer.trim_start_matches('/');
            self.fault(row, name, &field.code, field.detail.clone())
        };
        fields.iter().map(fault).collect()
    }

    /// The remarks for a refusal.
    pub(crate) fn refusal(&self, row: &Row, error: &CommonError) -> Vec<RowError> {
        match error {
            CommonError::Invalid(fields) => self.faults(row, fields),
            other => vec![fault(row.line, None, "refused", other.to_string())],
        }
    }

    /// A date that must be there.
    pub(crate) fn date(&self, row: &Row, field: &str) -> Result<Date, RowError> {
        match self.filled(row, field) {
            None => Err(self.fault(row, field, "missing", "this must have a date")),
            Some(text) => self.parse_date(row, field, text),
        }
    }

    /// A date that may be left out.
    pub(crate) fn optional_date(&self, row: &Row, field: &str) -> Result<Option<Date>, RowError> {
        self.filled(row, field).map(|text| self.parse_date(row, field, text)).transpose()
    }

    /// The exclusive end of a period: open when empty or in the year 9999.
    pub(crate) fn end(&self, row: &Row, field: &str) -> Result<Option<Date>, RowError> {
        let Some(text) = self.filled(row, field) else { return Ok(None) };
        match crate::date::parse(text) {
            Some(date) if date.year() == 9999 => Ok(None),
            _ => self.parse_date(row, field, text).map(Some),
        }
    }

    fn parse_date(&self, row: &Row, field: &str, text: &str) -> Result<Date, RowError> {
        let Some(date) = crate::date::parse(text) else {
            return Err(self.fault(row, field, "not-a-date", "this is not a date such as 2026-11-21"));
        };
        if date < FIRST_DATE || date > LAST_DATE {
            let detail = format!("dates go from {FIRST_DATE} to {LAST_DATE}");
            return Err(self.fault(row, field, "out-of-range", detail));
        }
        Ok(date)
    }
}

fn check_settings(new: &NewImport, fields: &[Field], names: &[String]) -> Result<(), ImportError> {
    let known = |name: &str| fields.iter().any(|field| field.name == name);
    let clean = |text: &str| !text.chars().any(char::is_control);
    if let Some(key) = &new.key
        && !fields::keys(new.kind).contains(&key.as_str())
    {
        let detail = format!("this kind of file has no key {key:?}");
        return Err(ImportError::settings("/key", "unknown-key", detail));
    }
    for (column, field) in &new.mapping {
        if !names.contains(column) {
            let detail = format!("the file has no column {column:?}");
            return Err(ImportError::settings("/mapping", "unknown-column", detail));
        }
        if let Some(field) = field.as_deref().filter(|field| !known(field)) {
            let detail = format!("there is no field {field:?}");
            return Err(ImportError::settings("/mapping", "unknown-field", detail));
        }
    }
    for (field, value) in &new.defaults {
        if !known(field) {
            let detail = format!("there is no field {field:?}");
            return Err(ImportError::settings("/defaults", "unknown-field", detail));
        }
        if !clean(value) {
            let detail = format!("the value for {field:?} has control characters");
            return Err(ImportError::settings("/defaults", "control-character", detail));
        }
    }
    Ok(())
}

fn fault(line: u32, column: Option<&str>, code: &str, detail: impl Into<String>) -> RowError {
    RowError {
        row: line,
        column: column.map(str::to_owned),
        severity: Severity::Error,
        code: code.to_owned(),
        detail: detail.into(),
    }
}

impl Table {
    /// Reads the whole file.
    pub(crate) fn read(bytes: &[u8], new: &NewImport) -> Result<Self, ImportError> {
        let layout = Layout::of(bytes, new)?;
        let mut table = Self { layout, rows: Vec::new(), unreadable: Vec::new() };
        let bytes = without_mark(bytes);
        let mut reader = reader(bytes, table.layout.delimiter);
        let mut record = ByteRecord::new();
        let mut lines = Lines { bytes, at: 0, line: 1 };
        let mut header = true;
        // Reading from memory with rows of any length can't fail.
        while reader.read_byte_record(&mut record).unwrap_or(false) {
            if std::mem::take(&mut header) {
                continue;
            }
            let start = record.position().map_or(0, csv::Position::byte);
            let line = lines.of_record_at(usize::try_from(start).unwrap_or(usize::MAX));
            match row_of(&table.layout, &record, line) {
                Ok(row) => table.rows.push(row),
                Err(faults) => table.unreadable.push(faults),
            }
        }
        Ok(table)
    }

    /// How many rows the file has.
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.rows.len() + self.unreadable.len()).unwrap_or(u32::MAX)
    }
}

/// Counts the lines of a file. (The reader's own count is off after CRLF and blank lines.)
struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
    line: u32,
}

impl Lines<'_> {
    /// The line on which a record begins; `start` may still be in the line end or blank lines before it.
    fn of_record_at(&mut self, start: usize) -> u32 {
        while let Some(byte) = self.bytes.get(self.at) {
            let line_end = matches!(byte, b'\n' | b'\r');
            if self.at >= start && !line_end {
                break;
            }
            // CRLF is one line end.
            if line_end && !(*byte == b'\r' && self.bytes.get(self.at + 1) == Some(&b'\n')) {
                self.line = self.line.saturating_add(1);
            }
            self.at += 1;
        }
        self.line
    }
}

fn row_of(layout: &Layout, record: &ByteRecord, line: u32) -> Result<Row, Vec<RowError>> {
    if record.len() != layout.width {
        let detail = format!("this row has {} cells, the header has {}", record.len(), layout.width);
        return Err(vec![fault(line, None, "wrong-number-of-cells", detail)]);
    }
    let mut faults = Vec::new();
    let mut cells = Vec::with_capacity(layout.columns.len());
    for (field, column) in layout.fields.iter().zip(&layout.columns) {
        let default = || layout.defaults.get(field.name).cloned();
        let Some((at, name)) = column else {
            cells.push(default());
            continue;
        };
        match std::str::from_utf8(record.get(*at).unwrap_or_default()) {
            Ok("") => cells.push(default().or_else(|| Some(String::new()))),
            Ok(cell) if unescape(cell).chars().any(char::is_control) => {
                faults.push(fault(
                    line,
                    Some(name),
                    "control-character",
                    "this has line breaks or control characters",
                ));
            }
            Ok(cell) => cells.push(Some(unescape(cell).to_owned())),
            Err(_) => faults.push(fault(line, Some(name), "not-utf8", "this isn't UTF-8 text")),
        }
    }
    if faults.is_empty() { Ok(Row { line, cells }) } else { Err(faults) }
}

#[cfg(test)]
mod tests;
