//! The org chart: who reports to whom on a date, as trees of public facts.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::civil::Date;
use serde::Serialize;

use crate::actor::Actor;
use crate::employee::Named;
use crate::error::{CommonError, DomainError, ErrorKind, FieldError, StoreError};
use crate::hrms::Hrms;
use crate::id::{DepartmentId, DesignationId, EmployeeId};
use crate::page::{Page, PageRequest, Position};
use crate::policy::{Permission, Resource};
use crate::validate::Check;

/// How many levels are shown when the caller doesn't say.
pub const DEFAULT_DEPTH: u8 = 3;
/// The most levels of one answer.
pub const MAX_DEPTH: u8 = 20;
/// The most direct reports shown below one person.
pub const MAX_REPORTS: u16 = 200;
/// The most people of one answer; below that many, people are shown without their reports.
pub const MAX_PEOPLE: usize = 2000;

/// A person in the org chart, with those who report to them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OrgChartNode {
    /// The employee's id.
    pub id: EmployeeId,
    /// Full name.
    pub name: String,
    /// Designation (job title).
    pub designation: Option<Named<DesignationId>>,
    /// Department.
    pub department: Option<Named<DepartmentId>>,
    /// How many people report directly to this one.
    pub direct_reports: i64,
    /// Those of them who are shown, by name. When fewer than `direct_reports`, the tree is cut off here:
    /// ask with `root_id` or, page by page, with `below_id`.
    #[cfg_attr(feature = "openapi", schema(no_recursion))]
    pub reports: Vec<OrgChartNode>,
}

/// Which part of the org chart to show.
#[derive(Clone, Copy, Debug, Default)]
pub struct OrgChartQuery {
    /// The tree of this person alone.
    pub root_id: Option<EmployeeId>,
    /// The trees of those who report directly to this person.
    pub below_id: Option<EmployeeId>,
    /// How many levels, 1 to [`MAX_DEPTH`].
    pub depth: Option<u8>,
    /// On which date; today (UTC) when absent.
    pub as_of: Option<Date>,
}

/// Where the trees of an answer start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With those who report to nobody who is employed on the date.
    Top,
    /// With this person.
    Person(EmployeeId),
    /// With those who report directly to this person.
    Below(EmployeeId),
}

/// Orders of the people on a level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OrgChartSort {
    /// By family name, then given name.
    #[default]
    Name,
}

/// A person on a level of the org chart, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrgChartRow {
    /// Whom they report to.
    pub manager_id: Option<EmployeeId>,
    /// What a level is sorted by.
    pub name_key: String,
    /// The person, without reports.
    pub node: OrgChartNode,
}

/// Why the org chart can't be shown.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OrgChartError {
    /// A failure that any feature can have.
    #[error(transparent)]
    Common(CommonError),
}

crate::lift_common_errors!(OrgChartError);

impl DomainError for OrgChartError {
    fn kind(&self) -> ErrorKind {
        let Self::Common(common) = self;
        common.kind()
    }

    fn code(&self) -> &'static str {
        let Self::Common(common) = self;
        common.code()
    }

    fn fields(&self) -> &[FieldError] {
        let Self::Common(common) = self;
        common.fields()
    }
}

/// The org chart in storage: read-only.
#[async_trait]
pub trait OrgChartRepo: Send {
    /// Up to `limit + 1` people where the trees start, by name: one statement.
    async fn start(
        &mut self,
        start: Start,
        as_of: Date,
        page: &PageRequest<OrgChartSort>,
    ) -> Result<Vec<OrgChartRow>, StoreError>;

    /// Those who report directly to these managers, by name, at most `each` for one manager and `all`
    /// together: one statement.
    async fn reports(
        &mut self,
        managers: &[EmployeeId],
        as_of: Date,
        each: u16,
        all: usize,
    ) -> Result<Vec<OrgChartRow>, StoreError>;
}

/// What can be asked of the org chart.
#[derive(Clone, Copy, Debug)]
pub struct OrgChartService<'a>(&'a Hrms);

impl Hrms {
    /// The org chart.
    #[must_use]
    pub fn org_chart(&self) -> OrgChartService<'_> {
        OrgChartService(self)
    }
}

impl OrgChartService<'_> {
    /// A page of trees: one statement for each level.
    ///
    /// # Errors
    /// When it may not be seen; when the person isn't employed on the date; faulty parameters.
    pub async fn show(
        &self,
        actor: &Actor,
        query: OrgChartQuery,
        page: &PageRequest<OrgChartSort>,
    ) -> Result<Page<OrgChartNode>, OrgChartError> {
        self.0.require(actor, Permission::OrgChartRead, &Resource::organization())?;
        let start = check(&query)?;
        let as_of = query.as_of.unwrap_or_else(|| self.0.today());
        let mut tx = self.0.read(actor).await?;
        let rows = tx.org_chart().start(start, as_of, page).await?;
        if rows.is_empty() && matches!(start, Start::Person(_)) {
            return Err(CommonError::NotFound { what: "employee" }.into());
        }
        let first = Page::from_rows(rows, page.limit, |last| Position {
            key: last.name_key.clone(),
            id: last.node.id.as_uuid(),
        });
        let next = first.next;
        let mut levels = vec![first.items];
        let mut people = levels.iter().map(Vec::len).sum::<usize>();
        for _ in 1..query.depth.unwrap_or(DEFAULT_DEPTH) {
            let above = levels.last().into_iter().flatten().filter(|row| row.node.direct_reports > 0);
            let managers: Vec<EmployeeId> = above.map(|row| row.node.id).collect();
            let room = MAX_PEOPLE.saturating_sub(people);
            if managers.is_empty() || room == 0 {
                break;
            }
            let level = tx.org_chart().reports(&managers, as_of, MAX_REPORTS, room).await?;
            people += level.len();
            levels.push(level);
        }
        Ok(Page { items: trees(levels), next })
    }
}

fn check(query: &OrgChartQuery) -> Result<Start, CommonError> {
    let mut check = Check::new();
    if query.depth.is_some_and(|depth| !(1..=MAX_DEPTH).contains(&depth)) {
        check.fault("/depth", "out-of-range", format!("this must be a whole number from 1 to {MAX_DEPTH}"));
    }
    if let Some(as_of) = query.as_of {
        check.date("/as_of", as_of);
    }
    let start = match (query.root_id, query.below_id) {
        (None, None) => Start::Top,
        (Some(root), None) => Start::Person(root),
        (None, Some(above)) => Start::Below(above),
        (Some(_), Some(above)) => {
            check.fault("/below_id", "not-both", "give root_id or below_id, not both");
            Start::Below(above)
        }
    };
    check.done()?;
    Ok(start)
}

/// Hangs each level below the one above it, starting from the lowest.
fn trees(mut levels: Vec<Vec<OrgChartRow>>) -> Vec<OrgChartNode> {
    let mut below: HashMap<EmployeeId, Vec<OrgChartNode>> = HashMap::new();
    while levels.len() > 1 {
        let mut hung: HashMap<EmployeeId, Vec<OrgChartNode>> = HashMap::new();
        for mut row in levels.pop().unwrap_or_default() {
            row.node.reports = below.remove(&row.node.id).unwrap_or_default();
            if let Some(manager) = row.manager_id {
                hung.entry(manager).or_default().push(row.node);
            }
        }
        below = hung;
    }
    let top = levels.pop().unwrap_or_default().into_iter().map(|row| {
        let reports = below.remove(&row.node.id).unwrap_or_default();
        OrgChartNode { reports, ..row.node }
    });
    top.collect()
}
