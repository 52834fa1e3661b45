//! `/api/v1/jobs`: work that goes on in the background.

use hrms_core::jiff::Timestamp;
use hrms_core::job::{JobFilter, JobServiceError, JobSort, JobState, JobView};
use hrms_core::{JobId, ScheduleId, UserId};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::answer::{Found, Listed};
use crate::endpoints;
use crate::extract::{Id, List, ListQuery};
use crate::request::Cx;

endpoints! {
    tag = "jobs";

    /// List background jobs.
    ///
    /// Everybody sees those that they asked for; `job.read` on the organisation shows all.
    GET "/api/v1/jobs" => list, requires JobRead;

    /// Read a job: its state, progress and result.
    GET "/api/v1/jobs/{id}" => get, requires JobRead;

    /// Cancel a job.
    ///
    /// One that waits is cancelled at once; one that runs stops at its next safe point, and what it has
    /// committed until then stays.
    POST "/api/v1/jobs/{id}/cancel" => cancel, requires JobRead;

    /// Put a job that failed, or was cancelled, back into the queue.
    ///
    /// It has all of its attempts before it again, and acts for whoever asked for it in the first place, with the rights they
    /// have now. Why it failed stays to be read until it ends again.
    POST "/api/v1/jobs/{id}/requeue" => requeue, requires JobRead;
}

/// The filters of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
struct JobQuery {
    /// Only those in this state.
    state: Option<JobState>,
    /// Only those of this kind, as in `import.run`.
    kind: Option<String>,
    /// Only those that this user asked for.
    requested_by: Option<UserId>,
    /// Only those that this schedule started.
    schedule_id: Option<ScheduleId>,
    /// Only those changed at or after this instant.
    updated_after: Option<Timestamp>,
}

impl ListQuery for JobQuery {
    type Sort = JobSort;
    const SORTS: &'static [(&'static str, JobSort)] = &[("created_at", JobSort::CreatedAt)];
    const DEFAULT_SORT: &'static str = "-created_at";
}

async fn list(cx: Cx, list: List<JobQuery>) -> Result<Listed<JobView>, JobServiceError> {
    let filter = JobFilter {
        state: list.filter.state,
        kind: list.filter.kind.clone(),
        requested_by: list.filter.requested_by,
        schedule: list.filter.schedule_id,
        updated_after: list.filter.updated_after,
    };
    let page = cx.hrms.jobs().list(&cx.actor, filter, &list.page).await?;
    Ok(list.answer(page))
}

async fn get(cx: Cx, Id(id): Id<JobId>) -> Result<Found<JobView>, JobServiceError> {
    cx.hrms.jobs().get(&cx.actor, id).await.map(Found)
}

async fn cancel(cx: Cx, Id(id): Id<JobId>) -> Result<Found<JobView>, JobServiceError> {
    cx.hrms.jobs().cancel(&cx.actor, id).await.map(Found)
}

async fn requeue(cx: Cx, Id(id): Id<JobId>) -> Result<Found<JobView>, JobServiceError> {
    cx.hrms.jobs().requeue(&cx.actor, id).await.map(Found)
}
