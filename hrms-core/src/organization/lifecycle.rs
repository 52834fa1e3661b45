//! The life of an organisation as operators decide on it: suspended, resumed, closed, reopened, purged.

use jiff::{SignedDuration, Timestamp};

use super::{
    CloseOrganization, Closing, Organization, OrganizationError, OrganizationService, OrganizationStatus,
};
use crate::audit::{Act, Author, Change};
use crate::error::CommonError;
use crate::event::subject;
use crate::id::TenantId;
use crate::operator::Operator;
use crate::validate::Check;

/// Organisations purged in one run.
const BATCH: u16 = 100;

const DAY: SignedDuration = SignedDuration::from_hours(24);

impl Organization {
    /// The same organisation, changed once more.
    fn changed(mut self, now: Timestamp) -> Self {
        self.updated_at = now;
        self.version = self.version.next();
        self
    }
}

impl OrganizationService<'_> {
    /// Suspends an organisation: within seconds nobody in it gets in any more. Its data stays.
    ///
    /// # Errors
    /// When it isn't there; [`OrganizationError::Closed`].
    pub async fn suspend(&self, by: &Operator, id: TenantId) -> Result<Organization, OrganizationError> {
        self.set_status(by, id, OrganizationStatus::Suspended).await
    }

    /// Lets a suspended organisation in again.
    ///
    /// # Errors
    /// When it isn't there; [`OrganizationError::Closed`].
    pub async fn resume(&self, by: &Operator, id: TenantId) -> Result<Organization, OrganizationError> {
        self.set_status(by, id, OrganizationStatus::Active).await
    }

    async fn set_status(
        &self,
        by: &Operator,
        id: TenantId,
        status: OrganizationStatus,
    ) -> Result<Organization, OrganizationError> {
        let before = self.get(by, id).await?;
        if before.closing.is_some() {
            return Err(OrganizationError::Closed);
        }
        if before.status == status {
            return Ok(before);
        }
        let after = Organization { status, ..before.clone() }.changed(self.0.clock().now());
        let action = match status {
            OrganizationStatus::Active => "organization.resumed",
            OrganizationStatus::Suspended | OrganizationStatus::Closed => "organization.suspended",
        };
        self.write(by, &before, after, action).await
    }

    /// Closes an organisation: nobody gets in, and when the hold is over it is purged.
    ///
    /// # Errors
    /// When it isn't there; [`OrganizationError::Closed`]; faulty fields.
    pub async fn close(
        &self,
        by: &Operator,
        id: TenantId,
        close: CloseOrganization,
    ) -> Result<Organization, OrganizationError> {
        let mut check = Check::new();
        check.text("/reason", &close.reason, 3..=500);
        let days = close.hold_days.unwrap_or(self.0.hold_days());
        if !(1..=365).contains(&days) {
            check.fault("/hold_days", "out-of-range", "this needs 1 to 365 days");
        }
        check.done()?;
        let before = self.get(by, id).await?;
        if before.closing.is_some() {
            return Err(OrganizationError::Closed);
        }
        let now = self.0.clock().now();
        let purge_after = now
            .checked_add(DAY * i32::from(days))
            .map_err(|_| CommonError::invalid("/hold_days", "out-of-range", "this ends after all time"))?;
        let closing = Closing { closed_at: now, purge_after, reason: close.reason };
        let after =
            Organization { status: OrganizationStatus::Closed, closing: Some(closing), ..before.clone() };
        self.write(by, &before, after.changed(now), "organization.closed").await
    }

    /// Undoes a closing within its hold: the organisation is in use again.
    ///
    /// # Errors
    /// When it isn't there; [`OrganizationError::NotClosed`]; [`OrganizationError::HoldOver`].
    pub async fn reopen(&self, by: &Operator, id: TenantId) -> Result<Organization, OrganizationError> {
        let before = self.get(by, id).await?;
        let Some(closing) = &before.closing else {
            return Err(OrganizationError::NotClosed);
        };
        let now = self.0.clock().now();
        if closing.purge_after <= now {
            return Err(OrganizationError::HoldOver);
        }
        let after = Organization { status: OrganizationStatus::Active, closing: None, ..before.clone() };
        self.write(by, &before, after.changed(now), "organization.reopened").await
    }

    /// Purges closed organisations whose hold is over: every row of theirs, and the accounts of people who
    /// are members of no other. Each in one transaction, so a run that was stopped is simply run again.
    ///
    /// Gives what was purged.
    ///
    /// # Errors
    /// When storage fails; what was purged before stays so.
    pub async fn purge_due(&self, by: &Operator) -> Result<Vec<TenantId>, OrganizationError> {
        let now = self.0.clock().now();
        let mut purged = Vec::new();
        for id in self.0.directory().organizations_to_purge(now, BATCH).await? {
            // Its own log goes; the platform's keeps that there was one.
            let subject = subject("organizations", id.as_uuid());
            let act = Act { action: "organization.purged".into(), subject, change: Change::none() };
            let record = self.0.audit().record(Author::from(by)).entry(None, act);
            // Another node may have been quicker.
            if record.directory().purge_organization(id, now).await? {
                tracing::info!(organization = %id, by = ?by.user_id(), request_id = %by.request(), "organisation purged");
                purged.push(id);
            }
        }
        Ok(purged)
    }

    async fn write(
        &self,
        by: &Operator,
        before: &Organization,
        organization: Organization,
        action: &'static str,
    ) -> Result<Organization, OrganizationError> {
        let record = self.record(by, organization.id, action, Change::changed(before, &organization));
        record.directory().update_organization_status(&organization, before.version).await?;
        tracing::info!(
            organization = %organization.id,
            status = ?organization.status,
            by = ?by.user_id(),
            request_id = %by.request(),
            action
        );
        Ok(organization)
    }
}
