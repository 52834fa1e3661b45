//! What is done the same way with whatever is decided on: who may decide at all, giving it to somebody else, saying something.

use super::{ApprovalCaseView, ApprovalError, Engine, Right, Subject, approval_of, require_say};
use crate::actor::Actor;
use crate::error::CommonError;
use crate::hrms::{Hrms, Work};
use crate::id::EmployeeId;
use crate::store::Tx;

/// What somebody may decide on something that they see.
///
/// # Errors
/// [`ApprovalError::Own`] for whom it is about (P16); when they neither may decide on it nor are asked to.
pub(crate) async fn entitled(
    hrms: &Hrms,
    tx: &mut dyn Tx,
    actor: &Actor,
    about: &Subject,
) -> Result<Right, ApprovalError> {
    if actor.counts_as(about.employee_id) {
        return Err(ApprovalError::Own);
    }
    let right = Right::of(hrms, actor, about)?;
    require_say(tx, actor, about, right).await?;
    Ok(right)
}

/// Gives one's decision to another employee; the case then.
///
/// # Errors
/// Those of [`entitled`] and of [`Engine::forward`].
pub(crate) async fn forward_to(
    hrms: &Hrms,
    work: &mut Work,
    actor: &Actor,
    about: &Subject,
    to: EmployeeId,
    note: Option<&str>,
) -> Result<ApprovalCaseView, ApprovalError> {
    let right = entitled(hrms, &mut **work, actor, about).await?;
    if work.employees().get(to).await?.is_none() {
        return Err(CommonError::unknown_reference("/employee_id").into());
    }
    Engine(work).forward(actor, about, right, to, note).await?;
    Ok(approval_of(&mut **work, about.kind, about.subject_id).await?)
}

/// Says something to all who see it: for whom it is about, and for those who decide; the case then.
///
/// # Errors
/// Those of [`entitled`], but for whom it is about.
pub(crate) async fn comment_on(
    hrms: &Hrms,
    work: &mut Work,
    actor: &Actor,
    about: &Subject,
    text: &str,
) -> Result<ApprovalCaseView, ApprovalError> {
    if !actor.counts_as(about.employee_id) {
        entitled(hrms, &mut **work, actor, about).await?;
    }
    Engine(work).comment(actor, about, text).await?;
    Ok(approval_of(&mut **work, about.kind, about.subject_id).await?)
}
