//! What becomes of other requests when one is gone.

use jiff::ToSpan;

use super::recount::RecountCause;
use super::request::{LeaveRequest, LeaveRequestView};
use super::sandwich::{LONGEST_GAP, count_without};
use super::standing::Standing;
use super::{LeaveError, LeaveService};
use crate::actor::Actor;
use crate::hrms::Work;

impl LeaveService<'_> {
    /// Counts requests anew that paid for days off because of a request that is gone (P9): what an approved one took for
    /// them is given back by reversal postings (P5, P14).
    ///
    /// The employee's requests must be locked.
    pub(super) async fn release_neighbours(
        &self,
        actor: &Actor,
        work: &mut Work,
        standing: &Standing,
        gone: &LeaveRequest,
    ) -> Result<(), LeaveError> {
        let reach = i64::try_from(LONGEST_GAP).unwrap_or_default() + 1;
        let from = gone.starts_on.saturating_sub(reach.days());
        let last = gone.ends_on.saturating_add(reach.days());
        let near = work.leave_requests().live_between(&[gone.employee_id], from, last).await?;
        let paid_for = |view: &LeaveRequestView| view.day_count.iter().any(|day| day.beside == Some(gone.id));
        let because = RecountCause::Neighbour { leave_request_id: gone.id };
        for view in near.iter().filter(|view| paid_for(view)) {
            let days = count_without(&view.day_count, view.request.period(), gone.id);
            self.apply_count(actor, work, standing, view, days, &because).await?;
        }
        Ok(())
    }
}
