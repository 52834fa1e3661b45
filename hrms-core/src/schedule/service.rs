//! What an organisation can do with its schedules, and starting what is due.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::actor::Actor;
use crate::audit::{Act, Change};
use crate::error::{CommonError, StoreError};
use crate::event::subject;
use crate::hint::Hint;
use crate::hrms::{Hrms, Work};
use crate::id::{JobId, RequestId, ScheduleId, TenantId};
use crate::job::{JobError, JobKind, JobRecord, JobState, Priority, Progress, Requester};
use crate::page::{Page, PageRequest, Position};
use crate::policy::{Permission, Resource};
use crate::schedule::{
    CronRule, NewSchedule, Schedule, ScheduleError, ScheduleFilter, SchedulePatch, ScheduleSort,
    ScheduleView, Tick,
};
use crate::store::{Tx, Version};
use crate::validate::{Check, time_zone};

/// So many schedules an organisation may have.
const MOST: u64 = 100;

/// So many due schedules are looked up at once.
const CHUNK: u16 = 100;

const NOT_FOUND: CommonError = CommonError::NotFound { what: "schedule" };

/// A schedule that organisations have without asking for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UsualSchedule {
    /// Name shown to people.
    pub(crate) name: &'static str,
    /// Which [`crate::job::Job`] it starts, with an empty payload.
    pub(crate) kind: &'static str,
    /// When, in the organisation's time zone.
    pub(crate) cron: &'static str,
    /// What its jobs may do.
    pub(crate) permissions: &'static [Permission],
}

/// What can be done with schedules.
#[derive(Clone, Copy, Debug)]
pub struct ScheduleService<'a>(&'a Hrms);

impl Hrms {
    /// Schedules.
    #[must_use]
    pub fn schedules(&self) -> ScheduleService<'_> {
        ScheduleService(self)
    }
}

impl ScheduleService<'_> {
    /// One schedule.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn get(&self, actor: &Actor, id: ScheduleId) -> Result<ScheduleView, ScheduleError> {
        self.require(actor)?;
        let mut tx = self.0.read(actor).await?;
        Ok(tx.schedules().get(id).await?.ok_or(NOT_FOUND)?.into())
    }

    /// A page of schedules.
    ///
    /// # Errors
    /// When they may not be seen.
    pub async fn list(
        &self,
        actor: &Actor,
        filter: &ScheduleFilter,
        page: &PageRequest<ScheduleSort>,
    ) -> Result<Page<ScheduleView>, ScheduleError> {
        self.require(actor)?;
        let mut tx = self.0.read(actor).await?;
        let rows = tx.schedules().list(filter, page).await?;
        let ScheduleSort::Name = page.sort;
        let position = |last: &Schedule| Position { key: last.name.clone(), id: last.id.as_uuid() };
        Ok(Page::from_rows(rows, page.limit, position).map(Into::into))
    }

    /// Sets a schedule up. Its jobs act for the actor, with the rights they have when a job runs.
    ///
    /// # Errors
    /// [`ScheduleError::NameTaken`]; [`ScheduleError::TooMany`]; faulty fields.
    pub async fn create(&self, actor: &Actor, new: NewSchedule) -> Result<ScheduleView, ScheduleError> {
        self.require(actor)?;
        let mut work = self.0.begin(actor).await?;
        let mut schedule = Schedule {
            id: ScheduleId::from_uuid(self.0.ids().next()),
            name: new.name,
            kind: new.kind,
            kind_version: 1,
            payload: new.payload,
            cron: new.cron,
            time_zone: new.time_zone,
            enabled: new.enabled,
            requester: Requester::of(actor),
            next_at: None,
            last_at: None,
            last_job: None,
            created_at: work.now(),
            updated_at: work.now(),
            version: Version::FIRST,
        };
        self.check(&mut work, &mut schedule).await?;
        if work.schedules().count().await? >= MOST {
            return Err(ScheduleError::TooMany);
        }
        work.schedules().insert(&schedule).await?;
        let view = ScheduleView::from(schedule);
        work.record(act("schedule.created", &view, Change::created(&view)));
        Ok(work.commit(view).await?)
    }

    /// Changes a schedule that is still at version `expected`. Its jobs act for the actor from then on.
    ///
    /// # Errors
    /// [`CommonError::Stale`]; [`ScheduleError::NameTaken`]; faulty fields.
    pub async fn change(
        &self,
        actor: &Actor,
        id: ScheduleId,
        expected: Version,
        patch: SchedulePatch,
    ) -> Result<ScheduleView, ScheduleError> {
        self.require(actor)?;
        let mut work = self.0.begin(actor).await?;
        let before = work.schedules().get(id).await?.ok_or(NOT_FOUND)?;
        if before.version != expected {
            return Err(CommonError::Stale.into());
        }
        let mut schedule = before.clone();
        patch.name.required("/name", &mut schedule.name)?;
        patch.payload.required("/payload", &mut schedule.payload)?;
        patch.cron.required("/cron", &mut schedule.cron)?;
        patch.time_zone.apply(&mut schedule.time_zone);
        patch.enabled.required("/enabled", &mut schedule.enabled)?;
        if schedule == before {
            return Ok(work.commit(ScheduleView::from(schedule)).await?);
        }
        // Whoever decides what happens answers for it: nobody makes another's rights work for them.
        schedule.requester = Requester::of(actor);
        self.check(&mut work, &mut schedule).await?;
        schedule.updated_at = work.now();
        schedule.version = expected.next();
        work.schedules().update(&schedule, expected).await?;
        let (before, view) = (ScheduleView::from(before), ScheduleView::from(schedule));
        work.record(act("schedule.changed", &view, Change::changed(&before, &view)));
        Ok(work.commit(view).await?)
    }

    /// Removes a schedule that is still at version `expected`. Jobs that it started stay.
    ///
    /// # Errors
    /// [`CommonError::Stale`].
    pub async fn remove(
        &self,
        actor: &Actor,
        id: ScheduleId,
        expected: Version,
    ) -> Result<(), ScheduleError> {
        self.require(actor)?;
        let mut work = self.0.begin(actor).await?;
        let view = ScheduleView::from(work.schedules().get(id).await?.ok_or(NOT_FOUND)?);
        work.schedules().remove(id, expected).await?;
        work.record(act("schedule.removed", &view, Change::removed(&view)));
        Ok(work.commit(()).await?)
    }

    /// Sets up what an organisation has without asking for it, unless it has a schedule of that kind. Its jobs act for the
    /// system, with these permissions, until somebody changes the schedule.
    pub(crate) async fn provide(&self, work: &mut Work, usual: UsualSchedule) -> Result<(), CommonError> {
        let page = PageRequest { limit: u16::try_from(MOST).unwrap_or(u16::MAX), ..PageRequest::default() };
        let there = work.schedules().list(&ScheduleFilter::default(), &page).await?;
        let same_kind = there.iter().any(|one| one.kind == usual.kind);
        let Some(rule) = CronRule::parse(usual.cron).ok().filter(|_| !same_kind) else { return Ok(()) };
        let mut name = usual.name.to_owned();
        while there.iter().any(|one| one.name == name) {
            name.push('*');
        }
        let mut schedule = Schedule {
            id: ScheduleId::from_uuid(self.0.ids().next()),
            name,
            kind: usual.kind.to_owned(),
            kind_version: 1,
            payload: Value::Object(serde_json::Map::new()),
            cron: usual.cron.to_owned(),
            time_zone: None,
            enabled: true,
            requester: Requester::System { permissions: usual.permissions.to_vec() },
            next_at: None,
            last_at: None,
            last_job: None,
            created_at: work.now(),
            updated_at: work.now(),
            version: Version::FIRST,
        };
        let zone = zone_of(&mut **work, &schedule).await?;
        schedule.next_at = rule.next(work.now(), &zone);
        work.schedules().insert(&schedule).await?;
        let view = ScheduleView::from(schedule);
        work.record(act("schedule.created", &view, Change::created(&view)));
        Ok(())
    }

    /// Starts the jobs of all schedules that are due, of every organisation in use; how many. Called by workers every
    /// second.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn run_due(&self) -> Result<usize, CommonError> {
        let now = self.0.clock().now();
        let mut started = 0;
        loop {
            let due = self.0.directory().due_schedules(now, CHUNK).await?;
            let mut progress = 0;
            for (tenant, id, due_at) in &due {
                progress += usize::from(self.start(*tenant, *id, *due_at, now).await?);
            }
            started += progress;
            // If others were always quicker, they do the rest too.
            if due.len() < usize::from(CHUNK) || progress == 0 {
                break;
            }
        }
        if started > 0 {
            self.0.hint(Hint::Jobs);
        }
        Ok(started)
    }

    /// Enqueues the job of a schedule and writes when it is due next, both or neither.
    async fn start(
        &self,
        tenant: TenantId,
        id: ScheduleId,
        due_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool, CommonError> {
        let mut tx = self.0.store().begin(tenant).await?;
        let Some(schedule) = tx.schedules().get(id).await? else { return Ok(false) };
        let zone = zone_of(&mut *tx, &schedule).await?;
        let next_at = CronRule::parse(&schedule.cron).ok().and_then(|rule| rule.next(now, &zone));
        let job = self.job_of(&schedule, due_at, now);
        match tx.schedules().tick(id, &Tick { due_at, next_at, now, job: job.id }).await {
            // Another node was quicker, or somebody changed it.
            Err(StoreError::Stale) => return Ok(false),
            other => other?,
        }
        tx.jobs().insert(&job, None).await?;
        tx.commit().await?;
        Ok(true)
    }

    fn job_of(&self, schedule: &Schedule, due_at: Timestamp, now: Timestamp) -> JobRecord {
        // A kind that only other nodes know is run by them.
        let kind = self.0.job_registry().kind(&schedule.kind);
        JobRecord {
            id: JobId::from_uuid(self.0.ids().next()),
            kind: schedule.kind.clone(),
            version: schedule.kind_version,
            payload: schedule.payload.clone(),
            priority: kind.map_or(Priority::Normal, |kind| kind.priority),
            requester: schedule.requester.clone(),
            request: RequestId::from_uuid(self.0.ids().next()),
            trace: None,
            schedule: Some(schedule.id),
            unique_key: Some(format!("schedule {} {due_at}", schedule.id)),
            state: JobState::Queued,
            attempts: 0,
            max_attempts: kind.map_or(JobKind::unlimited("").max_attempts, |kind| kind.max_attempts),
            run_at: now,
            cancel_requested: false,
            progress: Progress::default(),
            result: None,
            error: None,
            created_at: now,
            updated_at: now,
            started_at: None,
            finished_at: None,
        }
    }

    /// Finds faults, and works out the version of the payload and when it is due.
    async fn check(&self, work: &mut Work, schedule: &mut Schedule) -> Result<(), CommonError> {
        let mut check = Check::new();
        check.text("/name", &schedule.name, 1..=200);
        let registry = self.0.job_registry();
        match registry.kind(&schedule.kind).filter(|kind| kind.schedulable) {
            Some(kind) => {
                schedule.kind_version = kind.version;
                if let Some(what) = fault(registry.check(kind.name, &schedule.payload), &schedule.payload) {
                    check.fault("/payload", "invalid", what);
                }
            }
            None => check.fault("/kind", "unknown-kind", "jobs of this kind can't be put on a schedule"),
        }
        if let Some(zone) = &schedule.time_zone {
            check.zone("/time_zone", zone);
        }
        let rule = CronRule::parse(&schedule.cron);
        if let Err(error) = &rule {
            check.fault("/cron", "invalid", error.to_string());
        }
        let zone = zone_of(&mut **work, schedule).await?;
        let next_at = rule.ok().and_then(|rule| rule.next(work.now(), &zone));
        if next_at.is_none() {
            check.fault("/cron", "never", "there is no such time");
        }
        schedule.next_at = next_at.filter(|_| schedule.enabled);
        check.done()
    }

    fn require(&self, actor: &Actor) -> Result<(), CommonError> {
        let permission = Permission::JobManage;
        self.0.require(actor, permission, &Resource::organization())?;
        // What an operator of the service sets going would outlive the access that they were given.
        if actor.support().is_some() { Err(CommonError::Forbidden { permission }) } else { Ok(()) }
    }
}

/// What is wrong with a payload.
fn fault(checked: Result<(), JobError>, payload: &Value) -> Option<String> {
    if !payload.is_object() {
        return Some("this must be an object".to_owned());
    }
    checked.err().map(|error| error.to_string())
}

async fn zone_of(tx: &mut dyn Tx, schedule: &Schedule) -> Result<TimeZone, CommonError> {
    let own = match &schedule.time_zone {
        Some(zone) => Some(zone.clone()),
        None => tx.organization().get().await?.map(|organization| organization.time_zone),
    };
    Ok(own.as_deref().and_then(time_zone).unwrap_or(TimeZone::UTC))
}

fn act(action: &'static str, schedule: &ScheduleView, change: Change) -> Act {
    Act { action: action.into(), subject: subject("schedules", schedule.id.as_uuid()), change }
}
