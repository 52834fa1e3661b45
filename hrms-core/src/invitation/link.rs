//! Who may be invited as an employee.

use crate::actor::Actor;
use crate::email;
use crate::error::StoreError;
use crate::id::{EmployeeId, UserId};
use crate::invitation::{Invitation, InvitationError};
use crate::page::PageRequest;
use crate::store::Tx;
use crate::user::lineage::is_somebody_else;
use crate::user::{UserError, UserFilter, UserStatus, rights};

/// Refuses an actor who would invite somebody as an employee of whom they may not see everything, unless the
/// invitation goes to the employee's own address.
pub(super) async fn require_linkable(
    tx: &mut dyn Tx,
    actor: &Actor,
    invitation: &Invitation,
    granted: &[rights::Granted],
) -> Result<(), InvitationError> {
    if invitation.employee_id.is_some() && !reaches_the_employee(tx, actor, invitation).await? {
        rights::require_linkable(actor, granted)?;
    }
    Ok(())
}

/// Whether the invitation goes to the work e-mail address of the employee whom it makes a user of, so that it reaches
/// nobody else. One that the inviter set is no proof of that, unless it is the one that the employee came with: then
/// nothing was known of them yet.
pub(super) async fn reaches_the_employee(
    tx: &mut dyn Tx,
    inviter: &Actor,
    invitation: &Invitation,
) -> Result<bool, StoreError> {
    let Some(employee) = invitation.employee_id else { return Ok(false) };
    let Some(employee) = tx.employees().get(employee).await? else { return Ok(false) };
    let own = employee.email.and_then(|address| email::normalize("/email", &address).ok());
    if own.as_ref() != Some(&invitation.email) {
        return Ok(false);
    }
    match employee.email_changed_by {
        None => Ok(true),
        // Somebody who isn't known here, a program or the system, vouches for nothing.
        Some(by) => is_somebody_else(tx, inviter, UserId::from_uuid(by)).await,
    }
}

/// Refuses when somebody with the address is a user, or somebody else is the employee. Both are asked again, by
/// the database, when the invitation is accepted.
pub(super) async fn require_free(
    tx: &mut dyn Tx,
    email: &str,
    employee: Option<EmployeeId>,
) -> Result<(), InvitationError> {
    let page = PageRequest { limit: 2, ..PageRequest::default() };
    let filter = UserFilter { email: Some(email.to_owned()), ..UserFilter::default() };
    let same_address = tx.users().list(&filter, &page).await?;
    if same_address.iter().any(|user| user.status != UserStatus::Removed) {
        return Err(InvitationError::AlreadyMember);
    }
    if employee.is_some() {
        let filter = UserFilter { employee, ..UserFilter::default() };
        if !tx.users().list(&filter, &page).await?.is_empty() {
            return Err(UserError::EmployeeTaken.into());
        }
    }
    Ok(())
}
