//! The odd files that people send.

use super::*;
use crate::error::DomainError;

fn new(mapping: &[(&str, Option<&str>)]) -> NewImport {
    let mapping = mapping.iter().map(|(from, to)| ((*from).to_owned(), to.map(str::to_owned)));
    NewImport { mapping: mapping.collect(), ..NewImport::of(ImportKind::Locations) }
}

fn plain() -> NewImport {
    new(&[])
}

/// Rows as (line, code, name, zone), and the remarks about the others as (line, column, code).
type Shown = (Vec<(u32, String, String, String)>, Vec<(u32, Option<String>, String)>);

fn read(bytes: &[u8], new: &NewImport) -> Result<Shown, &'static str> {
    let table = Table::read(bytes, new).map_err(|error| error.code())?;
    let cell = |row: &Row, field: &str| table.layout.cell(row, field).unwrap_or("<none>").to_owned();
    let rows = table.rows.iter();
    let rows =
        rows.map(|row| (row.line, cell(row, "code"), cell(row, "name"), cell(row, "time_zone"))).collect();
    let faults = table.unreadable.iter().flatten();
    Ok((rows, faults.map(|fault| (fault.row, fault.column.clone(), fault.code.clone())).collect()))
}

fn pune(line: u32) -> (u32, String, String, String) {
    (line, "pune".into(), "Pune".into(), "Asia/Kolkata".into())
}

#[test]
fn marks_line_ends_and_delimiters_of_every_sort_give_the_same_rows() {
    for file in [
        "code,name,time_zone\npune,Pune,Asia/Kolkata\n",
        "code,name,time_zone\r\npune,Pune,Asia/Kolkata\r\n",
        "code,name,time_zone\npune,Pune,Asia/Kolkata",
        "\u{feff}code,name,time_zone\npune,Pune,Asia/Kolkata\n",
        "code;name;time_zone\r\npune;Pune;Asia/Kolkata\r\n",
        "code\tname\ttime_zone\npune\tPune\tAsia/Kolkata\n",
        "\"code\",\"name\",\"time_zone\"\n\"pune\",\"Pune\",\"Asia/Kolkata\"\n",
        "\u{feff}\"code\";\"name\";\"time_zone\"\npune;\"Pune\";Asia/Kolkata\n",
        "time_zone,code,name\nAsia/Kolkata,pune,Pune\n",
    ] {
        assert_eq!(read(file.as_bytes(), &plain()), Ok((vec![pune(2)], vec![])), "{file:?}");
    }
}

#[test]
fn quotes_hold_delimiters_and_quotes_and_lines_are_counted_in_the_file() {
    let file =
        "code,name,time_zone\r\na,\"Says \"\"hi\"\", twice\",UTC\r\n\r\nb,\"two\nlines\",UTC\r\nc,C,UTC\r\n";
    let (rows, faults) = read(file.as_bytes(), &plain()).unwrap();
    assert_eq!(rows.first().unwrap(), &(2, "a".into(), "Says \"hi\", twice".into(), "UTC".into()));
    assert_eq!(rows.get(1).unwrap(), &(6, "c".into(), "C".into(), "UTC".into()));
    assert_eq!(faults, [(4, Some("name".into()), "control-character".into())]);
}

#[test]
fn rows_that_cant_be_read_name_row_and_column() {
    let mut file = b"code,name,time_zone\na,A\nb,".to_vec();
    file.extend_from_slice(b"\xff\xfe,UTC\nc,C,UTC,more\nd,D\0,UTC\npune,Pune,Asia/Kolkata\n");
    let (rows, faults) = read(&file, &plain()).unwrap();
    assert_eq!(rows, [pune(6)]);
    assert_eq!(
        faults,
        [
            (2, None, "wrong-number-of-cells".into()),
            (3, Some("name".into()), "not-utf8".into()),
            (4, None, "wrong-number-of-cells".into()),
            (5, Some("name".into()), "control-character".into()),
        ]
    );
}

#[test]
fn files_with_a_bad_header_are_refused_as_a_whole() {
    for (file, code) in [
        (&b""[..], "import.empty-file"),
        (b"\xef\xbb\xbf", "import.empty-file"),
        (b"\r\n\r\n", "import.empty-file"),
        (b"code,n\xffme,time_zone\n", "import.not-utf8"),
        (b"code,name\n", "import.missing-columns"),
        (b"code,name,time_zone,colour\n", "import.unknown-columns"),
        (b"code,name,time_zone,name\n", "import.duplicate-column"),
        (b"code,name,time_zone,\n", "import.duplicate-column"),
        (b"Code,name,time_zone\n", "import.unknown-columns"),
    ] {
        assert_eq!(read(file, &plain()).unwrap_err(), code, "{file:?}");
    }
    assert_eq!(read(b"code,name,time_zone\n", &plain()), Ok((vec![], vec![])));
}

#[test]
fn a_mapping_renames_and_leaves_out_and_must_make_sense() {
    let file = b"Ort,name,time_zone,Farbe\npune,Pune,Asia/Kolkata,blue\n";
    let good = new(&[("Ort", Some("code")), ("Farbe", None)]);
    assert_eq!(read(file, &good), Ok((vec![pune(2)], vec![])));
    for (bad, code) in [
        (new(&[("Ort", Some("code"))]), "import.unknown-columns"),
        (new(&[("Ort", Some("kode")), ("Farbe", None)]), "import.settings"),
        (new(&[("Stadt", Some("code")), ("Farbe", None)]), "import.settings"),
        (new(&[("Ort", Some("name")), ("Farbe", None)]), "import.duplicate-column"),
        (NewImport { key: Some("name".into()), ..good.clone() }, "import.settings"),
    ] {
        assert_eq!(read(file, &bad).unwrap_err(), code, "{:?}", bad.mapping);
    }
}

#[test]
fn defaults_fill_missing_columns_and_empty_cells() {
    let defaults =
        [("time_zone".to_owned(), "Asia/Kolkata".to_owned()), ("name".to_owned(), "Pune".to_owned())];
    let with = NewImport { defaults: defaults.into(), ..plain() };
    assert_eq!(read(b"code,name\npune,\n", &with), Ok((vec![pune(2)], vec![])));
    let unknown = NewImport { defaults: [("colour".to_owned(), "blue".to_owned())].into(), ..plain() };
    assert_eq!(read(b"code,name,time_zone\n", &unknown).unwrap_err(), "import.settings");
}

#[test]
fn dates_are_plain_and_the_year_9999_is_open_as_an_end_only() {
    let new = NewImport::of(ImportKind::DepartmentHeads);
    let file = "department,employee,from,to\n\
        d,1,2020-01-31,9999-01-01\nd,1,2020-01-31,\nd,1,2020-02-30,2020-3-01\nd,1,9999-01-01,31.12.2020\n\
        d,1,1899-12-31,2200-01-01\nd,1,2020-01-31T00:00:00,9999-12-31\nd,1,,20200131\n";
    let table = Table::read(file.as_bytes(), &new).unwrap();
    let shown: Vec<_> = table
        .rows
        .iter()
        .map(|row| {
            let from = table.layout.date(row, "from").map_err(|fault| fault.code);
            let to = table.layout.end(row, "to").map_err(|fault| fault.code);
            (from.map(|date| date.to_string()), to.map(|date| date.map(|date| date.to_string())))
        })
        .collect();
    let good = || Ok("2020-01-31".to_owned());
    let bad = |code: &str| Err(code.to_owned());
    assert_eq!(
        shown,
        [
            (good(), Ok(None)),
            (good(), Ok(None)),
            (bad("not-a-date"), Err("not-a-date".into())),
            (bad("out-of-range"), Err("not-a-date".into())),
            (bad("out-of-range"), Err("out-of-range".into())),
            (bad("not-a-date"), Ok(None)),
            (bad("missing"), Err("not-a-date".into())),
        ]
    );
}

proptest::proptest! {
    #[test]
    fn no_bytes_whatsoever_make_it_panic(bytes: Vec<u8>, tail in "[a-z,;\"\r\n\t']{0,200}") {
        let _ = Table::read(&bytes, &plain());
        let file = format!("code,name,time_zone\n{tail}");
        let table = Table::read(file.as_bytes(), &plain()).unwrap();
        proptest::prop_assert!(table.rows.iter().all(|row| row.line > 1));
    }
}
