//! Holidays from files, into files, and from one year to the next.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::file::{
    HolidayFileFault, HolidayFormat, Named, Parsed, Reach, alias, parse, to_csv, to_icalendar, usual_window,
};
use super::service::{Edit, check_holiday};
use super::{
    Holiday, HolidayCalendar, HolidayError, HolidayFacts, HolidayKind, HolidayService, Observe, Repeats,
    observed_on,
};
use crate::actor::Actor;
use crate::employment::coded;
use crate::error::{CommonError, FieldError};
use crate::id::HolidayCalendarId;
use crate::validate::{Check, FIRST_DATE, LAST_DATE};
use crate::work_pattern::DayOfWeek;

coded! {
    /// What becomes of a day.
    HolidayAction {
        /// It becomes a holiday.
        Add = "add",
        /// Something else is said of it.
        Change = "change",
        /// It is no holiday any more: its event is on another day now, or cancelled.
        Remove = "remove",
        /// It is as it should be.
        Unchanged = "unchanged",
        /// Nothing: another holiday is there.
        Taken = "taken",
        /// Nothing: somebody has to say when it is that year, as it isn't on the same date each year.
        ToConfirm = "to_confirm",
    }
}

/// One day of an import or a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HolidayRow {
    /// The line of the file that says so; `null` for what the file doesn't say itself.
    pub line: Option<usize>,
    /// The day.
    pub on_date: Date,
    /// The holiday.
    pub name: String,
    /// What becomes of it.
    pub action: HolidayAction,
    /// The date for which it is a substitute.
    pub observed_for: Option<Date>,
}

/// What an import or a copy does, or would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HolidayPlan {
    /// Whether it was done.
    pub applied: bool,
    /// The calendar's revision then.
    pub revision: i64,
    /// Each day, by date.
    pub rows: Vec<HolidayRow>,
    /// What is wrong with the file. Nothing is done while there is anything.
    pub faults: Vec<HolidayFileFault>,
}

/// A file of holidays.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ImportHolidays {
    /// Its form.
    pub format: HolidayFormat,
    /// The file itself.
    pub content: String,
    /// Say what would be done, and do nothing. Default true.
    #[serde(default = "yes")]
    #[cfg_attr(feature = "openapi", schema(default = true))]
    pub dry_run: bool,
    /// What becomes of holidays that fall on days off.
    #[serde(default)]
    pub observe: Observe,
    /// The days of the week that aren't worked. Default Saturday and Sunday.
    #[serde(default = "weekend")]
    pub days_off: Vec<DayOfWeek>,
    /// The first day for what repeats each year. Default the first of January of this year.
    #[serde(default, deserialize_with = "crate::date::strict")]
    pub from: Option<Date>,
    /// The last day for what repeats each year. Default the last of December of next year.
    #[serde(default, deserialize_with = "crate::date::strict")]
    pub to: Option<Date>,
}

/// From one year to another.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CopyHolidays {
    /// The year whose holidays are copied.
    pub from_year: i16,
    /// The year into which. Default the next one.
    #[serde(default)]
    pub to_year: Option<i16>,
    /// Say what would be done, and do nothing. Default true.
    #[serde(default = "yes")]
    #[cfg_attr(feature = "openapi", schema(default = true))]
    pub dry_run: bool,
    /// What becomes of holidays that fall on days off.
    #[serde(default)]
    pub observe: Observe,
    /// The days of the week that aren't worked. Default Saturday and Sunday.
    #[serde(default = "weekend")]
    pub days_off: Vec<DayOfWeek>,
}

const fn yes() -> bool {
    true
}

fn weekend() -> Vec<DayOfWeek> {
    vec![DayOfWeek::Saturday, DayOfWeek::Sunday]
}

/// Days of a calendar that are to be something else, and what is said of each.
#[derive(Default)]
struct Draft {
    rows: Vec<HolidayRow>,
    edits: Vec<Edit>,
}

impl Draft {
    fn row(&mut self, line: Option<usize>, on_date: Date, facts: &HolidayFacts, action: HolidayAction) {
        let (name, observed_for) = (facts.name.clone(), facts.observed_for);
        self.rows.push(HolidayRow { line, on_date, name, action, observed_for });
    }

    /// Makes a day what is wanted.
    fn want(&mut self, line: Option<usize>, on_date: Date, before: Option<&Holiday>, facts: HolidayFacts) {
        let action = match before {
            None => HolidayAction::Add,
            Some(before) if before.facts == facts => HolidayAction::Unchanged,
            Some(_) => HolidayAction::Change,
        };
        self.row(line, on_date, &facts, action);
        if action != HolidayAction::Unchanged {
            self.edits.push(Edit { on_date, before: before.cloned(), after: Some(facts) });
        }
    }

    fn remove(&mut self, before: &Holiday) {
        self.row(None, before.on_date, &before.facts, HolidayAction::Remove);
        self.edits.push(Edit { on_date: before.on_date, before: Some(before.clone()), after: None });
    }

    /// Adds substitutes for what falls on days off.
    fn observe(&mut self, there: &BTreeMap<Date, Holiday>, rule: Observe, days_off: &[DayOfWeek]) {
        let stays = |row: &&HolidayRow| {
            matches!(row.action, HolidayAction::Add | HolidayAction::Change | HolidayAction::Unchanged)
        };
        let mut taken: BTreeSet<Date> = there.keys().copied().collect();
        for row in self.rows.iter().filter(|row| gone(row)) {
            taken.remove(&row.on_date);
        }
        taken.extend(self.rows.iter().filter(stays).map(|row| row.on_date));
        let substituted: BTreeSet<Date> = there.values().filter_map(|one| one.facts.observed_for).collect();
        let mut days: Vec<(Date, HolidayFacts)> = self
            .edits
            .iter()
            .filter_map(|edit| Some((edit.on_date, edit.after.clone()?)))
            .chain(there.values().map(|one| (one.on_date, one.facts.clone())))
            .filter(|(day, _)| self.rows.iter().any(|row| row.on_date == *day && stays(&row)))
            .collect();
        days.sort_by_key(|(day, _)| *day);
        days.dedup_by_key(|(day, _)| *day);
        for (day, facts) in days {
            let counts = facts.kind != HolidayKind::Restricted && facts.observed_for.is_none();
            if !counts || !days_off.contains(&day.weekday().into()) || substituted.contains(&day) {
                continue;
            }
            let is_off = |other: Date| days_off.contains(&other.weekday().into()) || taken.contains(&other);
            let Some(observed) = observed_on(day, rule, is_off) else { continue };
            taken.insert(observed);
            let uid = alias(&facts.uid, observed);
            let substitute =
                HolidayFacts { repeats: Repeats::Movable, observed_for: Some(day), uid, ..facts };
            self.want(None, observed, None, substitute);
        }
    }
}

impl HolidayService<'_> {
    /// Takes holidays from a file: all of them or none. Days are recognised by their date, and days of an event (by its UID) that
    /// the file has elsewhere now, or as cancelled, are removed. Doing it again changes nothing.
    ///
    /// # Errors
    /// What is wrong with the file, line by line, unless it is a dry run; faulty fields.
    pub async fn import(
        &self,
        actor: &Actor,
        id: HolidayCalendarId,
        file: ImportHolidays,
    ) -> Result<HolidayPlan, HolidayError> {
        self.may_manage(actor)?;
        let usual = usual_window(self.0.today());
        let window = (file.from.unwrap_or(usual.0), file.to.unwrap_or(usual.1));
        let mut check = Check::new();
        check.date("/from", window.0);
        check.date("/to", window.1);
        if window.1 < window.0 {
            check.fault("/to", "before-start", "the last day is before the first");
        }
        check.done()?;
        let mut parsed = parse(file.format, &file.content, window);
        check_days(&mut parsed);
        let (mut work, calendar) = self.open(actor, id).await?;
        let there = work.holidays().holidays(id, FIRST_DATE, LAST_DATE).await?;
        let there: BTreeMap<Date, Holiday> = there.into_iter().map(|one| (one.on_date, one)).collect();
        let mut ids = || self.0.ids().next().to_string();
        let mut draft = drafted(&parsed, &there, window, &mut ids);
        draft.observe(&there, file.observe, &file.days_off);
        if !parsed.faults.is_empty() && !file.dry_run {
            let fault = |one: HolidayFileFault| {
                FieldError::new("/content", one.code, format!("line {}: {}", one.line, one.detail))
            };
            return Err(CommonError::Invalid(parsed.faults.into_iter().map(fault).collect()).into());
        }
        self.done(work, calendar, draft, parsed.faults, file.dry_run).await
    }

    /// Copies the holidays of a year to another one. Those on the same date each year are moved there, without substitutes, which
    /// are looked for anew; the others are named as to be confirmed, and left out.
    ///
    /// # Errors
    /// Faulty fields.
    pub async fn copy(
        &self,
        actor: &Actor,
        id: HolidayCalendarId,
        copy: CopyHolidays,
    ) -> Result<HolidayPlan, HolidayError> {
        self.may_manage(actor)?;
        let to_year = copy.to_year.or(copy.from_year.checked_add(1)).unwrap_or(copy.from_year);
        let mut check = Check::new();
        let first = |year| Date::new(year, 1, 1).unwrap_or(Date::MAX);
        let last = |year| Date::new(year, 12, 31).unwrap_or(Date::MAX);
        check.date("/from_year", last(copy.from_year));
        check.date("/to_year", last(to_year));
        if to_year == copy.from_year {
            check.fault("/to_year", "contradicts", "these are the same year");
        }
        check.done()?;
        let (mut work, calendar) = self.open(actor, id).await?;
        let from = work.holidays().holidays(id, first(copy.from_year), last(copy.from_year)).await?;
        let there = work.holidays().holidays(id, first(to_year), last(to_year)).await?;
        let there: BTreeMap<Date, Holiday> = there.into_iter().map(|one| (one.on_date, one)).collect();
        let mut draft = Draft::default();
        for holiday in from.iter().filter(|holiday| holiday.facts.observed_for.is_none()) {
            let on = holiday.on_date;
            let moved = Date::new(to_year, on.month(), on.day());
            let (Repeats::FixedDate, Ok(moved)) = (holiday.facts.repeats, moved) else {
                draft.row(None, on, &holiday.facts, HolidayAction::ToConfirm);
                continue;
            };
            match there.get(&moved) {
                Some(before) if before.facts.name != holiday.facts.name => {
                    draft.row(None, moved, &holiday.facts, HolidayAction::Taken);
                }
                Some(before) => draft.row(None, moved, &before.facts, HolidayAction::Unchanged),
                None => {
                    let uid = self.0.ids().next().to_string();
                    draft.want(None, moved, None, HolidayFacts { uid, ..holiday.facts.clone() });
                }
            }
        }
        draft.observe(&there, copy.observe, &copy.days_off);
        self.done(work, calendar, draft, Vec::new(), copy.dry_run).await
    }

    async fn done(
        &self,
        mut work: crate::hrms::Work,
        calendar: HolidayCalendar,
        draft: Draft,
        faults: Vec<HolidayFileFault>,
        dry_run: bool,
    ) -> Result<HolidayPlan, HolidayError> {
        let Draft { mut rows, edits } = draft;
        rows.sort_by_key(|row| row.on_date);
        if dry_run {
            return Ok(HolidayPlan { applied: false, revision: calendar.revision, rows, faults });
        }
        let calendar = self.edit(&mut work, calendar, edits).await?;
        let plan = HolidayPlan { applied: true, revision: calendar.revision, rows, faults };
        Ok(work.commit(plan).await?)
    }

    /// The holidays of a calendar as a file, optionally from a date and up to a date (both included).
    ///
    /// # Errors
    /// When the calendar isn't there or may not be seen.
    pub async fn export(
        &self,
        actor: &Actor,
        id: HolidayCalendarId,
        format: HolidayFormat,
        from: Option<Date>,
        last: Option<Date>,
    ) -> Result<(HolidayCalendar, Vec<u8>), HolidayError> {
        let calendar = self.get(actor, id).await?;
        let holidays = self.list(actor, id, from, last).await?;
        let file = match format {
            HolidayFormat::Icalendar => to_icalendar(&calendar, &holidays).into_bytes(),
            HolidayFormat::Csv => to_csv(&holidays)
                .map_err(|error| CommonError::Store(crate::error::StoreError::Backend(Box::new(error))))?,
        };
        Ok((calendar, file))
    }
}

fn gone(row: &HolidayRow) -> bool {
    row.action == HolidayAction::Remove
}

/// Adds what is wrong with the days of a file.
fn check_days(parsed: &mut Parsed) {
    for day in &parsed.days {
        let facts = facts(day, None, String::new());
        if let Err(CommonError::Invalid(fields)) = check_holiday(day.on_date, &facts) {
            let fault = |field: FieldError| HolidayFileFault {
                line: day.line,
                code: field.code.into_owned(),
                detail: format!("{}: {}", field.pointer.trim_start_matches('/'), field.detail),
            };
            parsed.faults.extend(fields.into_iter().map(fault));
        }
    }
    parsed.faults.sort_by_key(|fault| fault.line);
    parsed.faults.dedup();
}

/// What a file says of a day. One that is known by another UID keeps that, if it is the one that we wrote for it.
fn facts(day: &Named, before: Option<&Holiday>, otherwise: String) -> HolidayFacts {
    let known = before.map(|before| &before.facts.uid);
    let ours = |uid: &String| known.is_some_and(|known| *uid == alias(known, day.on_date));
    let uid = day.uid.clone().filter(|uid| !ours(uid)).or(known.cloned()).unwrap_or(otherwise);
    HolidayFacts {
        name: day.name.clone(),
        kind: day.kind,
        repeats: day.repeats,
        observed_for: day.observed_for,
        uid,
    }
}

/// What a file makes of a calendar: a pure function of both.
fn drafted(
    parsed: &Parsed,
    there: &BTreeMap<Date, Holiday>,
    window: (Date, Date),
    ids: &mut dyn FnMut() -> String,
) -> Draft {
    let mut draft = Draft::default();
    for day in &parsed.days {
        let before = there.get(&day.on_date);
        let otherwise = if before.is_none() && day.uid.is_none() { ids() } else { String::new() };
        draft.want(Some(day.line), day.on_date, before, facts(day, before, otherwise));
    }
    let named: BTreeSet<Date> = parsed.days.iter().map(|day| day.on_date).collect();
    for holiday in there.values().filter(|one| !named.contains(&one.on_date)) {
        let tells_of = |reach: Reach| match reach {
            Reach::Window => (window.0..=window.1).contains(&holiday.on_date),
            Reach::Year(year) => holiday.on_date.year() == year,
            Reach::All => true,
        };
        if parsed.uids.iter().any(|(uid, reach)| *uid == holiday.facts.uid && tells_of(*reach)) {
            draft.remove(holiday);
        }
    }
    // With a holiday goes its substitute.
    let gone: BTreeSet<Date> = draft.rows.iter().filter(|row| gone(row)).map(|row| row.on_date).collect();
    for holiday in there.values().filter(|one| !named.contains(&one.on_date)) {
        let of = holiday.facts.observed_for.filter(|day| gone.contains(day)).and_then(|day| there.get(&day));
        if of.is_some_and(|of| holiday.facts.uid == alias(&of.facts.uid, holiday.on_date)) {
            draft.remove(holiday);
        }
    }
    draft
}
