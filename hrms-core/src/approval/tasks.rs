//! What waits for somebody's decision.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::resolve::able;
use super::{ApprovalError, ApprovalKind, Assignee, TasksOf};
use crate::actor::Actor;
use crate::hrms::Hrms;
use crate::id::{ApprovalTaskId, EmployeeId};
use crate::page::{Page, PageRequest, Position};
use crate::policy::Scope;

/// An open task, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WaitingTask {
    /// The task's id.
    pub id: ApprovalTaskId,
    /// What is decided on.
    pub kind: ApprovalKind,
    /// Which one: of a request for leave or a claim, its id.
    pub subject_id: Uuid,
    /// Whose it is.
    pub employee_id: EmployeeId,
    /// The level, from 0.
    pub level: i32,
    /// Whose decision it is: one's own, that of a role, or of somebody whose delegate one is.
    pub assignee: Assignee,
    /// Since when it waits.
    pub created_at: Timestamp,
}

/// What waits for somebody's decision.
#[derive(Clone, Copy, Debug)]
pub struct ApprovalTaskService<'a>(&'a Hrms);

impl Hrms {
    /// What waits for somebody's decision.
    #[must_use]
    pub fn approval_tasks(&self) -> ApprovalTaskService<'_> {
        ApprovalTaskService(self)
    }
}

impl ApprovalTaskService<'_> {
    /// The open tasks of the actor, of their roles, and of those whose delegate they are today: oldest first.
    ///
    /// # Errors
    /// When storage fails.
    pub async fn waiting(
        &self,
        actor: &Actor,
        page: &PageRequest<()>,
    ) -> Result<Page<WaitingTask>, ApprovalError> {
        let mut tx = self.0.read(actor).await?;
        let mut of = TasksOf::default();
        // Programs and operators of the service are asked for nothing.
        if actor.user_id().is_some() && actor.support().is_none() {
            of.user = actor.user_id();
            of.roles = actor.roles().to_vec();
            of.organization = ApprovalKind::ALL.iter().any(|kind| {
                let everywhere = |grant: &&crate::policy::Grant| {
                    grant.permission == kind.permission() && grant.scope == Scope::Organization
                };
                actor.grants().iter().any(|grant| everywhere(&grant))
            });
            if let Some(own) = actor.employee() {
                // Who has left or is suspended decides on nothing.
                if !able(&mut *tx, &[own], self.0.today()).await?.contains(&own) {
                    return Ok(Page { items: Vec::new(), next: None });
                }
                of.employees = tx.approval_delegations().delegators(own, self.0.today()).await?;
                of.employees.push(own);
                of.not_about.push(own);
            }
        }
        let rows = tx.approvals().waiting(&of, page).await?;
        Ok(Page::from_rows(rows, page.limit, |last| Position {
            key: last.created_at.to_string(),
            id: last.id.as_uuid(),
        }))
    }
}
