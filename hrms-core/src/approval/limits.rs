//! How long a decision may take: reminders and escalation, in working hours of whoever is asked.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::engine::Engine;
use super::follow::FollowCase;
use super::resolve::able;
use super::{
    ApprovalCase, ApprovalCaseStatus, ApprovalError, ApprovalTask as Task, ApprovalTaskStatus, Assignee,
    Level, Subject, TrailAct, TrailEntry,
};
use crate::audit::Change;
use crate::error::StoreError;
use crate::id::EmployeeId;
use crate::leave::DaysOfMany;
use crate::store::Tx;
use crate::validate::time_zone;

/// Most reminders of one task.
const MOST_REMINDERS: usize = 10;
/// So many days are looked at for working hours; where they don't suffice, there is no limit.
const HORIZON: i64 = 800;
/// When working days begin, on the clock of the workplace: patterns know only how long they are.
const MORNING: i8 = 9;

impl Engine<'_> {
    /// Moves open tasks to whom they belong, reminds of what has waited for long, and lets go up what has waited for too long.
    pub(crate) async fn follow_up(&mut self, about: &Subject) -> Result<(), ApprovalError> {
        let (case, tasks) = self.case(about).await?;
        if case.status != ApprovalCaseStatus::Open {
            return Ok(());
        }
        let mut seen: Vec<&Assignee> = Vec::new();
        for task in tasks.iter().filter(|task| task.status == ApprovalTaskStatus::Open) {
            // Who is asked twice is reminded once.
            let first = !seen.contains(&&task.assignee);
            seen.push(&task.assignee);
            self.keep_limits(&case, about, task, first).await?;
        }
        Ok(())
    }

    async fn keep_limits(
        &mut self,
        case: &ApprovalCase,
        about: &Subject,
        task: &Task,
        remind: bool,
    ) -> Result<(), ApprovalError> {
        let Some(hours) = self.hours(case, about, task).await? else { return Ok(()) };
        let now = self.0.now();
        if hours.escalates_at(task).is_some_and(|at| at <= now) {
            return self.escalate(case, about, task).await;
        }
        // With what was just done to the tasks before it.
        let trail = self.0.approvals().trail(case.id).await?;
        let own = |entry: &&TrailEntry| {
            entry.act == TrailAct::Reminded
                && entry.level == task.level
                && entry.assignee.as_ref() == Some(&task.assignee)
                && entry.at >= task.created_at
        };
        let reminded: Vec<Timestamp> = trail.iter().filter(own).map(|entry| entry.at).collect();
        let mut last = reminded.iter().max().copied();
        let due = hours.reminds_at(last.unwrap_or(task.created_at));
        if remind && reminded.len() < MOST_REMINDERS && due.is_some_and(|at| at <= now) {
            let entry =
                TrailEntry { assignee: Some(task.assignee.clone()), ..self.entry(case, TrailAct::Reminded) };
            self.tell("approval.reminded", about, task, Change::created(&entry));
            self.0.approvals().append(&[entry]).await?;
            last = Some(now);
        }
        let again = (reminded.len() < MOST_REMINDERS).then(|| last.unwrap_or(task.created_at));
        self.look_again(about, task, &hours, again).await
    }

    /// Has a new task looked at again when its time is up.
    pub(super) async fn limit(
        &mut self,
        case: &ApprovalCase,
        about: &Subject,
        task: &Task,
    ) -> Result<(), ApprovalError> {
        match self.hours(case, about, task).await? {
            Some(hours) => self.look_again(about, task, &hours, Some(task.created_at)).await,
            None => Ok(()),
        }
    }

    async fn look_again(
        &mut self,
        about: &Subject,
        task: &Task,
        hours: &Hours,
        remind_from: Option<Timestamp>,
    ) -> Result<(), ApprovalError> {
        let times = [remind_from.and_then(|from| hours.reminds_at(from)), hours.escalates_at(task)];
        let Some(at) = times.into_iter().flatten().min() else { return Ok(()) };
        let case = FollowCase { kind: about.kind, subject_id: about.subject_id };
        Ok(case.at(self.0, at, task.id).await?)
    }

    /// Gives a task to the one above whoever has it.
    async fn escalate(
        &mut self,
        case: &ApprovalCase,
        about: &Subject,
        task: &Task,
    ) -> Result<(), ApprovalError> {
        let mut assignee = Assignee::Organization;
        if let Assignee::Employee { employee_id } = task.assignee {
            let mut above = self.0.employment().managers_above(&[employee_id], about.today).await?;
            let above = above.remove(&employee_id).unwrap_or_default();
            let able = able(&mut **self.0, &above, about.today).await?;
            let next = above.into_iter().find(|one| *one != about.employee_id && able.contains(one));
            if let Some(employee_id) = next {
                assignee = Assignee::Employee { employee_id };
            }
        }
        self.end(task, ApprovalTaskStatus::Forwarded, None, None).await?;
        let new = Task { forwarded: true, ..self.task(case, task.approver, assignee.clone()) };
        self.open(case, about, &[new], true).await?;
        let entry = TrailEntry { assignee: Some(assignee), ..self.entry(case, TrailAct::Escalated) };
        Ok(self.0.approvals().append(&[entry]).await?)
    }

    /// The time limits of a task and the working hours that they count; `None` without limits.
    async fn hours(
        &mut self,
        case: &ApprovalCase,
        about: &Subject,
        task: &Task,
    ) -> Result<Option<Hours>, StoreError> {
        let level = usize::try_from(case.level).ok().and_then(|level| case.levels.get(level));
        let Some(level) = level.filter(|level| level.has_limits()) else { return Ok(None) };
        let whose = match task.assignee {
            Assignee::Employee { employee_id } => employee_id,
            // Those who have no working hours of their own: it is as where the employee works.
            Assignee::User { .. } | Assignee::Role { .. } | Assignee::Organization => about.employee_id,
        };
        Hours::load(&mut **self.0, whose, level, task.created_at).await.map(Some)
    }
}

impl Level {
    fn has_limits(&self) -> bool {
        self.remind_after_hours.is_some() || self.escalate_after_hours.is_some()
    }
}

/// Time limits, and the working hours of whoever is asked.
struct Hours {
    remind_after: Option<SignedDuration>,
    escalate_after: Option<SignedDuration>,
    employee: EmployeeId,
    zone: TimeZone,
    days: DaysOfMany,
}

impl Hours {
    async fn load(
        tx: &mut dyn Tx,
        employee: EmployeeId,
        level: &Level,
        from: Timestamp,
    ) -> Result<Self, StoreError> {
        let timelines = tx.employment().timelines_of(&[employee]).await?;
        let utc = from.to_zoned(TimeZone::UTC).date();
        let record = timelines.get(&employee).and_then(|timeline| timeline.at(utc));
        let location = match record.and_then(|record| record.facts.location_id) {
            Some(location) => tx.locations().get(location).await?,
            None => None,
        };
        let zone = location.and_then(|location| time_zone(&location.time_zone)).unwrap_or(TimeZone::UTC);
        let (first, last) = (utc.saturating_sub(1.day()), utc.saturating_add((HORIZON + 1).days()));
        let days = DaysOfMany::load(tx, timelines, first, last).await?;
        let hours = |hours: Option<u16>| hours.map(|hours| SignedDuration::from_hours(hours.into()));
        let (remind_after, escalate_after) =
            (hours(level.remind_after_hours), hours(level.escalate_after_hours));
        Ok(Self { remind_after, escalate_after, employee, zone, days })
    }

    /// When somebody is reminded who was asked, or reminded last, at an instant.
    fn reminds_at(&self, from: Timestamp) -> Option<Timestamp> {
        self.after(from, self.remind_after?)
    }

    /// When a task goes to the one above.
    fn escalates_at(&self, task: &Task) -> Option<Timestamp> {
        let goes_up = !matches!(task.assignee, Assignee::Organization);
        self.after(task.created_at, self.escalate_after.filter(|_| goes_up)?)
    }

    fn after(&self, from: Timestamp, time: SignedDuration) -> Option<Timestamp> {
        after_work(from, time, &self.zone, |day| {
            let facts = self.days.on(self.employee, day);
            if facts.employed && facts.holiday.is_none() { facts.working.minutes } else { 0 }
        })
    }
}

/// The instant at which so much time was worked since another one; `None` beyond the horizon.
///
/// A day of `worked` minutes begins at 09:00 and ends so many minutes later, also when clocks change in between.
fn after_work(
    from: Timestamp,
    time: SignedDuration,
    zone: &TimeZone,
    worked: impl Fn(Date) -> i64,
) -> Option<Timestamp> {
    let mut left = time;
    let mut day = from.to_zoned(zone.clone()).date();
    for _ in 0..HORIZON {
        let opens = day.at(MORNING, 0, 0, 0).to_zoned(zone.clone()).ok()?.timestamp();
        let closes = opens.checked_add(SignedDuration::from_mins(worked(day))).ok()?;
        let begins = opens.max(from);
        let here = begins.duration_until(closes);
        if here >= left && here.is_positive() {
            return begins.checked_add(left).ok();
        }
        left -= here.max(SignedDuration::ZERO);
        day = day.tomorrow().ok()?;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Eight hours from Monday to Friday, four on Saturdays, no work on 25 December.
    fn week(day: Date) -> i64 {
        match day.weekday().to_monday_one_offset() {
            _ if (day.month(), day.day()) == (12, 25) => 0,
            6 => 240,
            7 => 0,
            _ => 480,
        }
    }

    fn after(from: &str, hours: i64, zone: &str) -> String {
        let zone = TimeZone::get(zone).unwrap();
        let time = SignedDuration::from_hours(hours);
        after_work(from.parse().unwrap(), time, &zone, week).unwrap().to_string()
    }

    #[test]
    fn only_working_hours_count() {
        // Thursday 10 December 2026, 15:00 in Kolkata: two hours are left of the day.
        let asked = "2026-12-10T09:30:00Z";
        assert_eq!(after(asked, 2, "Asia/Kolkata"), "2026-12-10T11:30:00Z");
        assert_eq!(after(asked, 3, "Asia/Kolkata"), "2026-12-11T04:30:00Z");
        // 2 on Thursday, 8 on Friday, 4 on Saturday, 1 on Monday.
        assert_eq!(after(asked, 15, "Asia/Kolkata"), "2026-12-14T04:30:00Z");
        // In the evening, and on a holiday, nothing passes; Saturday 26 December follows.
        assert_eq!(after("2026-12-24T17:00:00Z", 1, "Europe/Berlin"), "2026-12-26T09:00:00Z");
        assert_eq!(after("2026-12-25T10:00:00Z", 1, "Europe/Berlin"), "2026-12-26T09:00:00Z");
        // Before the day begins.
        assert_eq!(after("2026-12-14T03:00:00Z", 8, "Europe/Berlin"), "2026-12-14T16:00:00Z");
    }

    #[test]
    fn who_never_works_is_never_late() {
        let from = "2026-12-10T09:30:00Z".parse().unwrap();
        assert_eq!(after_work(from, SignedDuration::from_hours(1), &TimeZone::UTC, |_| 0), None);
    }

    proptest! {
        /// Time that is waited in two parts is as long as in one, and no working time is counted twice.
        #[test]
        fn parts_add_up(start in 0_i64..400_000_000, one in 1_i64..60_000, two in 1_i64..60_000, berlin: bool) {
            let zone = TimeZone::get(if berlin { "Europe/Berlin" } else { "America/St_Johns" }).unwrap();
            let from = Timestamp::from_second(1_700_000_000 + start).unwrap();
            let (one, two) = (SignedDuration::from_secs(60 * one / 10), SignedDuration::from_secs(60 * two / 10));
            let half = after_work(from, one, &zone, week).unwrap();
            let whole = after_work(half, two, &zone, week).unwrap();
            prop_assert!(half > from && whole > half);
            prop_assert_eq!(Some(whole), after_work(from, one + two, &zone, week));
        }
    }
}
