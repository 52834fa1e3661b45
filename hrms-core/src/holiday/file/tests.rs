use jiff::civil::date;

use super::*;
use crate::holiday::HolidayFacts;
use crate::id::HolidayCalendarId;
use crate::store::Version;

const WINDOW: (Date, Date) = (date(2026, 1, 1), date(2027, 12, 31));

fn ics(events: &str) -> Parsed {
    let file = format!("BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{events}END:VCALENDAR\r\n");
    parse(HolidayFormat::Icalendar, &file, WINDOW)
}

fn days(parsed: &Parsed) -> Vec<(Date, &str)> {
    parsed.days.iter().map(|day| (day.on_date, day.name.as_str())).collect()
}

fn faults(parsed: &Parsed) -> Vec<(usize, &str)> {
    parsed.faults.iter().map(|fault| (fault.line, fault.code.as_str())).collect()
}

#[test]
fn events_of_days_are_read() {
    let parsed = ics(
        "BEGIN:VEVENT\r\nUID:a@x\r\nDTSTART;VALUE=DATE:20261108\r\nDTEND;VALUE=DATE:20261111\r\nSUMMARY:Diwali\\, the \r\n \
         festival\\; of lights\r\nCATEGORIES:Holiday,Restricted\r\nBEGIN:VALARM\r\nTRIGGER:-P1D\r\nDTSTART:nonsense\r\n\
         END:VALARM\r\nEND:VEVENT\r\n\
         BEGIN:VEVENT\r\nUID:b@x\r\nDTSTART;VALUE=DATE:20200126\r\nRRULE:FREQ=YEARLY;BYMONTH=1\r\n\
         SUMMARY;LANGUAGE=\"en:IN\":Republic Day\r\nEND:VEVENT\r\n\
         BEGIN:VEVENT\r\nUID:c@x\r\nSTATUS:CANCELLED\r\nDTSTART;VALUE=DATE:20260501\r\nEND:VEVENT\r\n",
    );
    assert_eq!(faults(&parsed), []);
    let diwali = "Diwali, the festival; of lights";
    assert_eq!(
        days(&parsed),
        [
            (date(2026, 1, 26), "Republic Day"),
            (date(2026, 11, 8), diwali),
            (date(2026, 11, 9), diwali),
            (date(2026, 11, 10), diwali),
            (date(2027, 1, 26), "Republic Day"),
        ]
    );
    let first = parsed.days.first().unwrap();
    assert_eq!((first.repeats, first.kind, first.line), (Repeats::FixedDate, HolidayKind::Public, 15));
    assert_eq!(parsed.days.last().unwrap().uid.as_deref(), Some("b@x"));
    assert_eq!(parsed.days.get(1).map(|day| day.kind), Some(HolidayKind::Restricted));
    let uids: Vec<&str> = parsed.uids.iter().map(|(uid, _)| uid.as_str()).collect();
    assert_eq!(uids, ["a@x", "b@x", "c@x"]);
}

#[test]
fn every_fault_has_its_line() {
    let event = |more: &str| format!("BEGIN:VEVENT\r\nUID:a\r\n{more}SUMMARY:x\r\nEND:VEVENT\r\n");
    for (more, line, code) in [
        ("", 3, "no-start"),
        ("DTSTART:20261108T090000Z\r\n", 5, "not-all-day"),
        ("DTSTART;VALUE=DATE:20261131\r\n", 5, "not-a-date"),
        ("DTSTART;VALUE=DATE:20261108\r\nDTEND;VALUE=DATE:20261108\r\n", 6, "bad-end"),
        ("DTSTART;VALUE=DATE:20261108\r\nDTEND;VALUE=DATE:99991231\r\n", 6, "bad-end"),
        ("DTSTART;VALUE=DATE:20261108\r\nDURATION:PT5H\r\n", 6, "bad-end"),
        ("DTSTART;VALUE=DATE:20261108\r\nRRULE:FREQ=YEARLY;BYDAY=1MO\r\n", 6, "not-supported"),
        ("DTSTART;VALUE=DATE:20261108\r\nRRULE:FREQ=WEEKLY\r\n", 6, "not-supported"),
        ("DTSTART;VALUE=DATE:20261108\r\nEXDATE:20261108\r\n", 6, "not-supported"),
        ("DTSTART;VALUE=DATE:20261108\r\nno colon here\r\n", 6, "malformed"),
    ] {
        assert_eq!(faults(&ics(&event(more))), [(line, code)], "{more}");
    }
    let twice = event("DTSTART;VALUE=DATE:20261108\r\n");
    assert_eq!(faults(&ics(&format!("{twice}{twice}"))), [(8, "duplicate")]);
    assert_eq!(
        faults(&ics("BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261108\r\nEND:VEVENT\r\n")),
        [(3, "no-uid")]
    );
    assert_eq!(faults(&ics("BEGIN:VEVENT\r\nUID:a\r\n")).first().map(|fault| fault.1), Some("malformed"));
    for nothing in ["", "\r\n", "🎆", "BEGIN:VCALENDAR\nEND:VCALENDAR\n", "END:VCALENDAR"] {
        assert!(!parse(HolidayFormat::Icalendar, nothing, WINDOW).faults.is_empty(), "{nothing:?}");
    }
}

#[test]
fn what_repeats_each_year_is_taken_in_a_window() {
    let first = date(2020, 2, 29);
    assert_eq!(
        yearly("FREQ=YEARLY", first, (date(2021, 1, 1), date(2029, 1, 1))),
        Some(vec![date(2024, 2, 29), date(2028, 2, 29)])
    );
    let first = date(2020, 5, 1);
    let wide = (date(2021, 1, 1), date(2029, 1, 1));
    let ends =
        |rule| yearly(rule, first, wide).map(|days| days.iter().map(|day| day.year()).collect::<Vec<_>>());
    assert_eq!(ends("FREQ=YEARLY;COUNT=3"), Some(vec![2021, 2022]));
    assert_eq!(ends("FREQ=YEARLY;INTERVAL=4"), Some(vec![2024, 2028]));
    assert_eq!(ends("FREQ=YEARLY;UNTIL=20230501T000000Z"), Some(vec![2021, 2022, 2023]));
    for refused in [
        "",
        "FREQ=YEARLY;BYMONTH=6",
        "FREQ=DAILY",
        "FREQ=YEARLY;INTERVAL=0",
        "COUNT=1",
        "FREQ=YEARLY;UNTIL=é",
    ] {
        assert_eq!(ends(refused), None, "{refused}");
    }
}

#[test]
fn csv_is_read_with_its_lines() {
    let file = "\u{feff}date,name,kind,observed_for\r\n2026-12-25,\"Christmas\nDay\",public,\r\n2026-12-28,Boxing Day,company,2026-12-26\r\n\
                25.12.2026,x,half,\r\n2026-12-25,Again,,\r\n";
    let parsed = parse(HolidayFormat::Csv, file, WINDOW);
    assert_eq!(faults(&parsed), [(5, "not-a-date"), (5, "unknown-value"), (6, "duplicate")]);
    assert_eq!(parsed.days.get(2).and_then(|day| day.observed_for), Some(date(2026, 12, 26)));
    for (file, code) in
        [("", "missing-column"), ("name\nx\n", "missing-column"), ("date,name,colour\n", "unknown-column")]
    {
        assert_eq!(
            parse(HolidayFormat::Csv, file, WINDOW).faults.first().map(|one| one.code.clone()).as_deref(),
            Some(code)
        );
    }
}

#[test]
fn what_is_written_is_read_again() {
    let at = "2026-11-22T04:00:00Z".parse().unwrap();
    let id = HolidayCalendarId::from_uuid(uuid::Uuid::nil());
    let calendar = HolidayCalendar {
        id,
        code: "x".into(),
        name: "A; B, C".into(),
        revision: 7,
        created_at: at,
        updated_at: at,
        version: Version::FIRST,
    };
    let holiday = |day: Date, name: &str, observed_for| Holiday {
        holiday_calendar_id: id,
        on_date: day,
        facts: HolidayFacts {
            name: name.into(),
            kind: HolidayKind::Company,
            repeats: Repeats::FixedDate,
            observed_for,
            uid: format!("{}@x", name.len()),
        },
        created_at: at,
        updated_at: at,
        version: Version::FIRST,
    };
    let long = "दीपावली, the festival of lights; ".repeat(5);
    let long = long.trim();
    let holidays = [
        holiday(date(2026, 11, 8), long, None),
        holiday(date(2026, 11, 9), long, None),
        holiday(date(2026, 12, 28), "=Boxing", Some(date(2026, 12, 26))),
        holiday(date(2027, 10, 29), long, None),
    ];
    let file = to_icalendar(&calendar, &holidays);
    assert!(file.split("\r\n").all(|line| line.len() <= 75), "{file}");
    assert!(file.ends_with("END:VCALENDAR\r\n") && !file.replace("\r\n", "").contains(['\r', '\n']));
    for line in
        ["DTSTART;VALUE=DATE:20261108", "DTEND;VALUE=DATE:20261110", "DTSTAMP:20261122T040000Z", "SEQUENCE:7"]
    {
        assert!(file.contains(&format!("\r\n{line}\r\n")), "{line} in {file}");
    }
    assert_eq!(file.matches("BEGIN:VEVENT").count(), 3, "two days that touch are one");
    let uids: Vec<&str> = file.lines().filter_map(|line| line.strip_prefix("UID:")).collect();
    let mut different = uids.clone();
    different.dedup();
    assert_eq!(uids.len(), different.len());
    let read = |parsed: Parsed| {
        assert_eq!(faults(&parsed), []);
        parsed
            .days
            .into_iter()
            .map(|day| (day.on_date, day.name, day.kind, day.repeats, day.observed_for))
            .collect::<Vec<_>>()
    };
    let expected: Vec<_> = holidays
        .iter()
        .map(|one| {
            let facts = one.facts.clone();
            (one.on_date, facts.name, facts.kind, facts.repeats, facts.observed_for)
        })
        .collect();
    assert_eq!(read(parse(HolidayFormat::Icalendar, &file, WINDOW)), expected);
    let file = String::from_utf8(to_csv(&holidays).unwrap()).unwrap();
    assert!(file.contains("'=Boxing"), "{file}");
    assert_eq!(read(parse(HolidayFormat::Csv, &file, WINDOW)), expected);
}
