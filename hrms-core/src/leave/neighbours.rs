//! What becomes of other requests when one is gone.

use jiff::ToSpan;
use jiff::civil::Date;

use super::account::AccountKey;
use super::day_count::total_minutes;
use super::request::{LeaveRequest, LeaveRequestView, RequestStatus};
use super::sandwich::{LONGEST_GAP, count_without};
use super::service::emit;
use super::standing::Standing;
use super::{LeaveError, LeaveService, days_text};
use crate::actor::Actor;
use crate::audit::Change;
use crate::error::CommonError;
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
        let near = work.leave_requests().live_between(gone.employee_id, from, last).await?;
        let paid_for = |view: &LeaveRequestView| view.day_count.iter().any(|day| day.beside == Some(gone.id));
        for mut view in near.into_iter().filter(paid_for) {
            let before = view.request.clone();
            let days = count_without(&view.day_count, before.period(), gone.id);
            let freed: Vec<Date> =
                view.day_count.iter().filter(|day| day.beside == Some(gone.id)).map(|day| day.date).collect();
            let key = AccountKey { employee_id: before.employee_id, leave_type_id: before.leave_type_id };
            work.leave_ledger().lock_account(key.employee_id, key.leave_type_id).await?;
            let no_type = CommonError::NotFound { what: "leave type" };
            let leave_type = work.leave_types().get(key.leave_type_id).await?.ok_or(no_type)?;
            view.request.minutes = total_minutes(&days);
            view.request.days = days_text(view.request.minutes, leave_type.minutes_per_day);
            view.request.updated_at = work.now();
            view.request.version = before.version.next();
            work.leave_requests().recount(&view.request, &days, before.version).await?;
            if before.status == RequestStatus::Approved {
                let mut ledger =
                    self.written(work, key.employee_id, &leave_type, standing.today, Vec::new()).await?;
                let undone = ledger.undo_days(before.id, &freed);
                let postings = self.post(actor, work, standing, &key, &mut ledger, undone);
                work.leave_ledger().append(&postings).await?;
            }
            let change = Change::changed(&before, &view.request);
            emit(work, "leave_request.recounted", &view.request, standing, change);
        }
        Ok(())
    }
}
