//! `/api/v1/org-chart`: who reports to whom.

use hrms_core::EmployeeId;
use hrms_core::jiff::civil::Date;
use hrms_core::org_chart::{OrgChartError, OrgChartNode, OrgChartQuery, OrgChartSort};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::Listed;
use crate::endpoints;
use crate::extract::{List, ListQuery};
use crate::request::Cx;

endpoints! {
    tag = "org-chart";

    /// Who reports to whom, as trees.
    ///
    /// `items` are those at the top (who report to nobody employed on the date), page by page; with `root_id`
    /// that person alone; with `below_id` those who report directly to that person, page by page. Each item
    /// holds those below it, `depth` levels in all, at most 200 for one person and about 2000 in one answer.
    /// Where `reports` holds fewer people than `direct_reports` counts, the tree is cut off: go on from there
    /// with `below_id`.
    GET "/api/v1/org-chart" => show, requires OrgChartRead;
}

/// Which part to show.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct ChartQuery {
    /// The tree of this person alone.
    root_id: Option<EmployeeId>,
    /// The trees of those who report directly to this person.
    below_id: Option<EmployeeId>,
    /// How many levels.
    #[param(minimum = 1, maximum = 20, default = 3)]
    depth: Option<u8>,
    /// The date to look at; today when absent.
    #[serde(default, deserialize_with = "hrms_core::date::strict")]
    as_of: Option<Date>,
}

impl ListQuery for ChartQuery {
    type Sort = OrgChartSort;
    const SORTS: &'static [(&'static str, OrgChartSort)] = &[("name", OrgChartSort::Name)];
    const DEFAULT_SORT: &'static str = "name";
}

async fn show(cx: Cx, list: List<ChartQuery>) -> Result<Listed<OrgChartNode>, OrgChartError> {
    let query = OrgChartQuery {
        root_id: list.filter.root_id,
        below_id: list.filter.below_id,
        depth: list.filter.depth,
        as_of: list.filter.as_of,
    };
    let page = cx.hrms.org_chart().show(&cx.actor, query, &list.page).await?;
    Ok(list.answer(page))
}
