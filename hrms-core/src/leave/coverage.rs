//! How many people of a department have to be there, and on which days fewer would be.
//!
//! A minimum counts people of a department and of those below it, at one location or anywhere, who would work on a day by the record, the pattern and
//! the holidays in force on it. Whoever has approved leave on a day isn't there, also for half of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use async_trait::async_trait;
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::calendar::range;
use super::day_count::{CountedDay, DayReason};
use super::request::{LeaveRequestView, RequestStatus};
use super::standing::{DaysOfMany, Standing};
use super::{LeaveError, LeaveService, coded};
use crate::actor::Actor;
use crate::audit::{Act, Audited, Change};
use crate::department::DepartmentTree;
use crate::employee::Named;
use crate::employment::{EmploymentStatus, Timeline};
use crate::error::{CommonError, StoreError};
use crate::event::subject;
use crate::id::{CoverageMinimumId, DepartmentId, EmployeeId, LeaveRequestId, LocationId, UserId};
use crate::policy::{Permission, Resource, Verdict};
use crate::store::Tx;
use crate::validate::Check;

coded! {
    /// What becomes of leave by which fewer would be there.
    #[derive(Default)]
    CoverageRule {
        /// Whoever asks and whoever decides is told.
        #[default]
        Warn = "warn",
        /// It is refused.
        Block = "block",
    }
}

/// How many people of a department have to be there, from a day on. Never changed: a later one counts instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CoverageMinimum {
    /// Its id.
    pub id: CoverageMinimumId,
    /// The department, with those below it.
    pub department_id: DepartmentId,
    /// Only people at this location; `null` for all.
    pub location_id: Option<LocationId>,
    /// The first day.
    pub effective_from: Date,
    /// So many people.
    pub people: Option<i64>,
    /// So many of each hundred who would work on the day, rounded up. Neither for none from this day on.
    pub percent: Option<i64>,
    /// What becomes of leave by which fewer would be there.
    pub rule: CoverageRule,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// The user who recorded it, if a user did.
    pub created_by: Option<UserId>,
}

impl Audited for CoverageMinimum {}

/// The minimums of a department; later ones count instead of earlier ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CoverageMinimums {
    /// All of them.
    pub items: Vec<CoverageMinimum>,
}

/// Sets how many people have to be there from a day on.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SetCoverageMinimum {
    /// Only people at this location; all when absent.
    #[serde(default)]
    pub location_id: Option<LocationId>,
    /// The first day.
    #[serde(deserialize_with = "crate::date::strict")]
    pub effective_from: Date,
    /// So many people, 1 to 100,000. Either this or `percent`; neither for none from this day on.
    #[serde(default)]
    pub people: Option<i64>,
    /// So many of each hundred who would work on the day, 1 to 100.
    #[serde(default)]
    pub percent: Option<i64>,
    /// What becomes of leave by which fewer would be there.
    #[serde(default)]
    pub rule: CoverageRule,
}

/// How many people are there on a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CoverageDay {
    /// The day.
    pub date: Date,
    /// The department that the minimum is of.
    pub department: Named<DepartmentId>,
    /// The location that it is for; `null` for all.
    pub location: Option<Named<LocationId>>,
    /// How many have to be there.
    pub minimum: i64,
    /// How many would work on the day if nobody were on leave.
    pub scheduled: i64,
    /// How many of them have approved leave, or ask for the leave that this is about.
    pub away: i64,
    /// How many are there.
    pub present: i64,
    /// Whether that is too few.
    pub below: bool,
    /// What becomes of leave by which fewer would be there.
    pub rule: CoverageRule,
}

/// Minimums in storage.
#[async_trait]
pub trait CoverageRepo: Send {
    /// Every minimum, or those of a department, in the order in which later ones count instead of earlier ones.
    async fn minimums(
        &mut self,
        department: Option<DepartmentId>,
    ) -> Result<Vec<CoverageMinimum>, StoreError>;
    /// Adds a minimum.
    async fn insert(&mut self, minimum: &CoverageMinimum) -> Result<(), StoreError>;
    /// Waits until no other unit of work of the tenant counts who would be there, and keeps it that way until this one ends.
    async fn lock(&mut self) -> Result<(), StoreError>;
}

/// A department, perhaps at one location.
type Group = (DepartmentId, Option<LocationId>);

/// Those whose minimums are looked at, and their days.
struct Counting {
    minimums: BTreeMap<Group, Vec<CoverageMinimum>>,
    inside: HashMap<DepartmentId, HashSet<DepartmentId>>,
    timelines: HashMap<EmployeeId, Timeline>,
    days: DaysOfMany,
    away: HashSet<(EmployeeId, Date)>,
    departments: HashMap<DepartmentId, String>,
    locations: HashMap<LocationId, String>,
}

impl Counting {
    /// Reads it with a few statements, however many people there are.
    async fn load(
        tx: &mut dyn Tx,
        tree: &DepartmentTree,
        minimums: Vec<CoverageMinimum>,
        from: Date,
        last: Date,
    ) -> Result<Self, CommonError> {
        let mut of: BTreeMap<Group, Vec<CoverageMinimum>> = BTreeMap::new();
        for one in minimums {
            of.entry((one.department_id, one.location_id)).or_default().push(one);
        }
        let inside: HashMap<DepartmentId, HashSet<DepartmentId>> =
            of.keys().map(|(top, _)| (*top, tree.subtree(*top).into_iter().collect())).collect();
        let all: HashSet<DepartmentId> = inside.values().flatten().copied().collect();
        let all: Vec<DepartmentId> = all.into_iter().collect();
        let members = tx.employment().members_between(&all, from, last).await?;
        let timelines = tx.employment().timelines_of(&members).await?;
        let mut away = HashSet::new();
        for view in tx.leave_requests().live_between(&members, from, last).await? {
            if view.request.status == RequestStatus::Approved {
                away.extend(taken(&view.day_count).map(|day| (view.request.employee_id, day)));
            }
        }
        let days = DaysOfMany::load(tx, timelines.clone(), from, last).await?;
        let (mut departments, mut locations) = (HashMap::new(), HashMap::new());
        for (department, location) in of.keys() {
            departments.extend(tx.departments().get(*department).await?.map(|one| (one.id, one.name)));
            if let Some(location) = location {
                locations.extend(tx.locations().get(*location).await?.map(|one| (one.id, one.name)));
            }
        }
        Ok(Self { minimums: of, inside, timelines, days, away, departments, locations })
    }

    /// Whether somebody belongs to a group and would work on a day.
    fn works(&self, employee: EmployeeId, (top, location): Group, day: Date) -> bool {
        let record = self.timelines.get(&employee).and_then(|timeline| timeline.at(day));
        let Some(facts) = record.map(|record| record.facts) else { return false };
        let department = facts.department_id;
        facts.status != EmploymentStatus::Suspended
            && department.is_some_and(|one| self.inside.get(&top).is_some_and(|all| all.contains(&one)))
            && (location.is_none() || location == facts.location_id)
            && DayReason::of(self.days.on(employee, day)) == DayReason::WorkingDay
    }

    /// How many of a group are there on a day; `None` without a minimum then, and when nobody would work.
    fn on(&self, group: Group, day: Date) -> Option<CoverageDay> {
        let of = self.minimums.get(&group)?;
        let minimum = of.iter().rfind(|one| one.effective_from <= day)?;
        let working: Vec<EmployeeId> =
            self.timelines.keys().copied().filter(|one| self.works(*one, group, day)).collect();
        let scheduled = i64::try_from(working.len()).unwrap_or(i64::MAX);
        let away = working.iter().filter(|one| self.away.contains(&(**one, day))).count();
        let away = i64::try_from(away).unwrap_or(i64::MAX);
        let needed = match (minimum.people, minimum.percent) {
            (Some(people), _) => people,
            (None, Some(percent)) => (scheduled * percent + 99) / 100,
            (None, None) => return None,
        };
        let (department, location) = group;
        let name = |id: DepartmentId| self.departments.get(&id).cloned().unwrap_or_default();
        let place = |id: LocationId| self.locations.get(&id).cloned().unwrap_or_default();
        (scheduled > 0).then(|| CoverageDay {
            date: day,
            department: Named { id: department, name: name(department) },
            location: location.map(|id| Named { id, name: place(id) }),
            minimum: needed,
            scheduled,
            away,
            present: scheduled - away,
            below: scheduled - away < needed,
            rule: minimum.rule,
        })
    }
}

/// The days of a count that take something.
fn taken(days: &[CountedDay]) -> impl Iterator<Item = Date> {
    days.iter().filter(|day| day.minutes > 0).map(|day| day.date)
}

impl LeaveService<'_> {
    /// The minimums of a department, in the order in which later ones count instead of earlier ones.
    ///
    /// # Errors
    /// When it isn't there or may not be seen.
    pub async fn coverage_minimums(
        &self,
        actor: &Actor,
        department: DepartmentId,
    ) -> Result<CoverageMinimums, LeaveError> {
        self.0.require(actor, Permission::DepartmentRead, &Resource::organization())?;
        let mut tx = self.0.read(actor).await?;
        let known = tx.departments().get(department).await?;
        known.ok_or(CommonError::NotFound { what: "department" })?;
        Ok(CoverageMinimums { items: tx.coverage().minimums(Some(department)).await? })
    }

    /// Sets how many people of a department have to be there from a day on. Of two for the same day the later one counts.
    ///
    /// # Errors
    /// When the department isn't there; faulty fields.
    pub async fn set_coverage_minimum(
        &self,
        actor: &Actor,
        department: DepartmentId,
        new: SetCoverageMinimum,
    ) -> Result<CoverageMinimums, LeaveError> {
        self.0.require(actor, Permission::DepartmentManage, &Resource::organization())?;
        let mut work = self.0.begin(actor).await?;
        let known = work.departments().get(department).await?;
        known.ok_or(CommonError::NotFound { what: "department" })?;
        if let Some(location) = new.location_id {
            let known = work.locations().get(location).await?;
            known.ok_or_else(|| CommonError::unknown_reference("/location_id"))?;
        }
        let mut check = Check::new();
        check.date("/effective_from", new.effective_from);
        if new.people.is_some_and(|people| !(1..=100_000).contains(&people)) {
            check.fault("/people", "out-of-range", "this must be a whole number from 1 to 100000");
        }
        if new.percent.is_some_and(|percent| !(1..=100).contains(&percent)) {
            check.fault("/percent", "out-of-range", "this must be a whole number from 1 to 100");
        }
        if new.people.is_some() && new.percent.is_some() {
            check.fault("/percent", "one-of", "say either how many people or how many of each hundred");
        }
        check.done()?;
        let minimum = CoverageMinimum {
            id: CoverageMinimumId::from_uuid(self.0.ids().next()),
            department_id: department,
            location_id: new.location_id,
            effective_from: new.effective_from,
            people: new.people,
            percent: new.percent,
            rule: new.rule,
            created_at: work.now(),
            created_by: actor.user_id(),
        };
        work.coverage().insert(&minimum).await?;
        let subject = subject("departments", department.as_uuid());
        let change = Change::created(&minimum);
        work.record(Act { action: "department.coverage_minimum_set".into(), subject, change });
        let items = work.coverage().minimums(Some(department)).await?;
        Ok(work.commit(CoverageMinimums { items }).await?)
    }

    /// How many people are there from `from` to `to`, both included (31 days from today, UTC, when nobody says), by day, for each minimum in force: of
    /// one department, or of all in which the actor may see when people are away. Days on which nobody would work are left out.
    ///
    /// # Errors
    /// When the actor may see nobody's absence; when it is more than 92 days.
    pub async fn coverage(
        &self,
        actor: &Actor,
        department: Option<DepartmentId>,
        (from, to): (Option<Date>, Option<Date>),
    ) -> Result<Vec<CoverageDay>, LeaveError> {
        let permission = Permission::EmployeeReadAbsence;
        self.0.visibility(actor, permission)?;
        let (from, to) = range(self.0.today(), from, to)?;
        let mut tx = self.0.read(actor).await?;
        let tree = tx.departments().tree().await?;
        // Whole departments go by roles: what a policy permits of single people opens no counts.
        let seen = self.0.policy().visibility(actor, permission);
        let whole = Resource::organization();
        let forbids =
            actor.rules().is_some_and(|rules| rules.judge(actor, permission, &whole) == Verdict::Forbid);
        let sees = |of: DepartmentId| {
            seen.organization || seen.department_tree.is_some_and(|own| tree.is_within(of, own))
        };
        let mut minimums = tx.coverage().minimums(department).await?;
        minimums.retain(|one| !forbids && sees(one.department_id));
        if minimums.is_empty() {
            return Ok(Vec::new());
        }
        let counting = Counting::load(&mut *tx, &tree, minimums, from, to).await?;
        let mut found = Vec::new();
        for day in from.series(1.day()).take_while(|day| *day <= to) {
            found.extend(counting.minimums.keys().filter_map(|group| counting.on(*group, day)));
        }
        Ok(found)
    }

    /// How many people of the employee's departments would be there on the days of a request, if it is or were approved.
    ///
    /// # Errors
    /// When the request isn't there or may not be seen.
    pub async fn coverage_of_request(
        &self,
        actor: &Actor,
        id: LeaveRequestId,
    ) -> Result<Vec<CoverageDay>, LeaveError> {
        let view = self.get(actor, id).await?;
        let now = self.0.clock().now();
        let mut tx = self.0.read(actor).await?;
        let standing = Standing::load(self.0, &mut *tx, actor, view.request.employee_id, now).await?;
        let standing = standing.ok_or(CommonError::NotFound { what: "leave request" })?;
        self.coverage_with(&mut *tx, &standing, &view.day_count).await
    }

    /// How many would be there on these days if the employee took them off, for each minimum that they count for.
    pub(super) async fn coverage_with(
        &self,
        tx: &mut dyn Tx,
        standing: &Standing,
        days: &[CountedDay],
    ) -> Result<Vec<CoverageDay>, LeaveError> {
        let wanted: Vec<Date> = taken(days).collect();
        let (Some(first), Some(last)) = (wanted.first().copied(), wanted.last().copied()) else {
            return Ok(Vec::new());
        };
        let mut minimums = tx.coverage().minimums(None).await?;
        if minimums.is_empty() {
            return Ok(Vec::new());
        }
        let tree = tx.departments().tree().await?;
        let own: HashSet<DepartmentId> =
            wanted.iter().filter_map(|day| standing.department_on(*day)).collect();
        minimums.retain(|one| own.iter().any(|own| tree.is_within(*own, one.department_id)));
        if minimums.is_empty() {
            return Ok(Vec::new());
        }
        let mut counting = Counting::load(tx, &tree, minimums, first, last).await?;
        let employee = standing.employee();
        counting.away.extend(wanted.iter().map(|day| (employee, *day)));
        let groups: Vec<Group> = counting.minimums.keys().copied().collect();
        let mut found = Vec::new();
        for day in wanted {
            let concerned = groups.iter().filter(|group| counting.works(employee, **group, day));
            found.extend(concerned.filter_map(|group| counting.on(*group, day)));
        }
        Ok(found)
    }

    /// Refuses leave by which fewer people would be there than a minimum that blocks says. With `lock`, nobody else counts until the
    /// unit of work ends.
    pub(super) async fn require_coverage(
        &self,
        tx: &mut dyn Tx,
        standing: &Standing,
        view: &LeaveRequestView,
        lock: bool,
    ) -> Result<(), LeaveError> {
        let blocks = |one: &CoverageMinimum| one.rule == CoverageRule::Block;
        if !tx.coverage().minimums(None).await?.iter().any(blocks) {
            return Ok(());
        }
        if lock {
            tx.coverage().lock().await?;
        }
        let days = self.coverage_with(tx, standing, &view.day_count).await?;
        too_low(&days).map_or(Ok(()), Err)
    }
}

/// Why leave on these days is refused, if it is.
pub(super) fn too_low(days: &[CoverageDay]) -> Option<LeaveError> {
    let first = days.iter().find(|day| day.below && day.rule == CoverageRule::Block)?;
    Some(LeaveError::CoverageTooLow { on: first.date, minimum: first.minimum })
}
