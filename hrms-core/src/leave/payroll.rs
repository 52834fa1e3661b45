//! What payroll has to know of leave: days of unpaid leave, and leave that is paid out, as dated facts.
//!
//! Facts are postings of the ledger, so they are never changed. What was cancelled or counted anew isn't there any more; who read
//! it before asks for what was recorded since, where what was undone is there with the opposite sign.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::standing::resources_of;
use super::{LeaveError, LeaveService, coded};
use crate::actor::Actor;
use crate::error::StoreError;
use crate::id::{EmployeeId, LeavePostingId, LeaveRequestId, LeaveTypeId};
use crate::page::{Filling, Page, PageRequest, Position};
use crate::policy::{Permission, Resource};
use crate::validate::Check;

coded! {
    /// What payroll does with it.
    PayrollFactKind {
        /// Leave of a type that isn't paid.
        Unpaid = "unpaid",
        /// Leave to be paid out.
        Encashed = "encashed",
    }
}

/// Something about leave that changes what somebody is paid. The amount of money is payroll's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PayrollFact {
    /// Its id: of the posting in the leave ledger.
    pub id: LeavePostingId,
    /// What payroll does with it.
    pub kind: PayrollFactKind,
    /// Whose.
    pub employee_id: EmployeeId,
    /// What kind of leave.
    pub leave_type_id: LeaveTypeId,
    /// The day of unpaid leave, or the day on which leave was paid out.
    pub date: Date,
    /// Minutes; below zero for what undoes an earlier fact.
    pub minutes: i64,
    /// The minutes of one day of this leave.
    pub minutes_per_day: i64,
    /// The request for leave, of unpaid leave.
    pub leave_request_id: Option<LeaveRequestId>,
    /// The fact that this one undoes.
    pub undoes_id: Option<LeavePostingId>,
    /// When it was recorded.
    pub recorded_at: Timestamp,
}

/// Which facts to list.
#[derive(Clone, Debug, Default)]
pub struct PayrollFactFilter {
    /// Only those of this day or later ones.
    pub from: Option<Date>,
    /// Only those of this day or earlier ones.
    pub to: Option<Date>,
    /// Only this employee's.
    pub employee_id: Option<EmployeeId>,
    /// Only of this kind.
    pub kind: Option<PayrollFactKind>,
    /// All that were recorded after this instant, with what undoes others; without it those that stand.
    pub recorded_after: Option<Timestamp>,
}

/// Facts for payroll in storage.
#[async_trait]
pub trait PayrollFactRepo: Send {
    /// Up to `limit + 1` facts by date.
    async fn list(
        &mut self,
        filter: &PayrollFactFilter,
        page: &PageRequest<()>,
    ) -> Result<Vec<PayrollFact>, StoreError>;
}

impl LeaveService<'_> {
    /// What payroll has to know of leave, by date, as far as the ledger is written.
    ///
    /// For those who may see the leave of the whole organisation.
    ///
    /// # Errors
    /// [`CommonError::Forbidden`](crate::error::CommonError::Forbidden); faulty dates.
    pub async fn payroll_facts(
        &self,
        actor: &Actor,
        filter: &PayrollFactFilter,
        page: &PageRequest<()>,
    ) -> Result<Page<PayrollFact>, LeaveError> {
        let permission = Permission::LeaveRead;
        self.0.require(actor, permission, &Resource::organization())?;
        let mut check = Check::new();
        for (pointer, date) in [("/from", filter.from), ("/to", filter.to)] {
            if let Some(date) = date {
                check.date(pointer, date);
            }
        }
        if filter.from.zip(filter.to).is_some_and(|(from, to)| to < from) {
            check.fault("/to", "before-start", "the last day is before the first");
        }
        check.done()?;
        let mut tx = self.0.read(actor).await?;
        let sifts = self.0.policy().narrows(actor, permission);
        let mut filling = Filling::new(page, sifts);
        loop {
            let rows = tx.payroll_facts().list(filter, filling.request()).await?;
            let owners = rows.iter().map(|row| (row.employee_id, row.date));
            let resources = match sifts {
                true => resources_of(self.0, &mut *tx, actor, owners, self.0.today()).await?,
                false => HashMap::new(),
            };
            let may = |row: &PayrollFact| {
                resources.get(&row.employee_id).is_some_and(|resource| self.may_see(actor, resource))
            };
            let position = |row: &PayrollFact| Position { key: row.date.to_string(), id: row.id.as_uuid() };
            if let Some(page) = filling.take(rows, may, position) {
                return Ok(page);
            }
        }
    }
}
