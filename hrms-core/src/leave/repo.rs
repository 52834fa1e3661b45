//! What is asked of storage for leave.

use std::collections::HashMap;

use async_trait::async_trait;
use jiff::Timestamp;
use jiff::civil::Date;

use super::attachment::LeaveAttachment;
use super::day_count::CountedDay;
use super::hours::OccupiedTime;
use super::ledger::{LeaveLot, LeavePosting};
use super::recount::{LeaveRecount, Whose};
use super::request::{LeaveRequest, LeaveRequestView, RequestStatus};
use crate::error::StoreError;
use crate::id::{EmployeeId, LeaveAttachmentId, LeaveLotId, LeaveRequestId, LeaveTypeId};
use crate::page::PageRequest;
use crate::policy::Visibility;
use crate::store::Version;

/// Which requests to list.
#[derive(Clone, Debug)]
pub struct LeaveRequestFilter {
    /// The rows that the caller may see, by the employment record in force `today`.
    pub visible: Visibility,
    /// Not those of this employee.
    pub not_of: Option<EmployeeId>,
    /// The date for `visible`.
    pub today: Date,
    /// Only this employee's.
    pub employee_id: Option<EmployeeId>,
    /// Only those that stand like this.
    pub status: Option<RequestStatus>,
    /// Only of this kind of leave.
    pub leave_type_id: Option<LeaveTypeId>,
    /// Only those with a day at or after this one.
    pub from: Option<Date>,
    /// Only those with a day at or before this one.
    pub to: Option<Date>,
    /// Only those changed at or after this instant.
    pub updated_after: Option<Timestamp>,
}

/// Orders of a list of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeaveRequestSort {
    /// By first day.
    #[default]
    StartsOn,
    /// By the instant of submission.
    CreatedAt,
}

/// Requests in storage.
#[async_trait]
pub trait LeaveRequestRepo: Send {
    /// The request with this id and its count.
    async fn get(&mut self, id: LeaveRequestId) -> Result<Option<LeaveRequestView>, StoreError>;
    /// Up to `limit + 1` requests in the order asked for.
    async fn list(
        &mut self,
        filter: &LeaveRequestFilter,
        page: &PageRequest<LeaveRequestSort>,
    ) -> Result<Vec<LeaveRequest>, StoreError>;
    /// The pending requests of an employee, of one type or of all.
    async fn pending(
        &mut self,
        employee: EmployeeId,
        leave_type: Option<LeaveTypeId>,
    ) -> Result<Vec<LeaveRequestView>, StoreError>;
    /// The pending and approved requests of some employees, of every type, with a day from `from` to `last`, both included.
    async fn live_between(
        &mut self,
        employees: &[EmployeeId],
        from: Date,
        last: Date,
    ) -> Result<Vec<LeaveRequestView>, StoreError>;
    /// The pending requests of many employees, with few statements.
    async fn pending_of(&mut self, employees: &[EmployeeId]) -> Result<Vec<LeaveRequestView>, StoreError>;
    /// The requests of some employees that were rejected, withdrawn or cancelled at or after an instant.
    async fn ended_since(
        &mut self,
        employees: &[EmployeeId],
        since: Timestamp,
    ) -> Result<Vec<LeaveRequestView>, StoreError>;
    /// Whether another request occupies some of this time.
    async fn is_occupied(
        &mut self,
        employee: EmployeeId,
        wanted: &[OccupiedTime],
    ) -> Result<bool, StoreError>;
    /// Adds a request and occupies its time; `leave_request_no_overlap` gives each minute to one request of the
    /// employee.
    async fn insert(&mut self, request: &LeaveRequest, days: &[CountedDay]) -> Result<(), StoreError>;
    /// Writes what is asked for, its count and its time if its stored version is still `expected`.
    async fn change(
        &mut self,
        request: &LeaveRequest,
        days: &[CountedDay],
        expected: Version,
    ) -> Result<(), StoreError>;
    /// The first `limit` employees behind `after`, by id, with a pending or approved request that has a day from `from` to
    /// `last`, both included. Of those at locations, everybody who works there on one of these days.
    async fn on_leave(
        &mut self,
        whose: &Whose,
        from: Date,
        last: Date,
        after: Option<EmployeeId>,
        limit: u16,
    ) -> Result<Vec<EmployeeId>, StoreError>;
    /// Writes what a request takes if its stored version is still `expected`, and the trail of it; its period stays.
    async fn recount(
        &mut self,
        request: &LeaveRequest,
        days: &[CountedDay],
        expected: Version,
        trail: &LeaveRecount,
    ) -> Result<(), StoreError>;
    /// How often a request was counted anew, oldest first.
    async fn recounts(&mut self, id: LeaveRequestId) -> Result<Vec<LeaveRecount>, StoreError>;
    /// The files of a request, in the order in which they were added.
    async fn attachments(&mut self, id: LeaveRequestId) -> Result<Vec<LeaveAttachment>, StoreError>;
    /// A file and its content.
    async fn attachment(
        &mut self,
        id: LeaveAttachmentId,
    ) -> Result<Option<(LeaveAttachment, Vec<u8>)>, StoreError>;
    /// Adds a file.
    async fn attach(&mut self, attachment: &LeaveAttachment, content: Vec<u8>) -> Result<(), StoreError>;
    /// Removes a file.
    async fn detach(&mut self, id: LeaveAttachmentId) -> Result<(), StoreError>;
    /// Writes a request's status and decision if its stored version is still `expected`; its time
    /// becomes free unless it still occupies it.
    async fn decide(&mut self, request: &LeaveRequest, expected: Version) -> Result<(), StoreError>;
}

/// An account that began with an opening balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedAccount {
    /// Whose leave.
    pub employee_id: EmployeeId,
    /// What kind of leave.
    pub leave_type_id: LeaveTypeId,
    /// The day of the opening balance.
    pub opens_on: Date,
}

/// The leave ledger in storage. Lots and postings are only ever added: the database refuses anything else.
#[async_trait]
pub trait LeaveLedger: Send {
    /// Waits until no other unit of work is changing this employee's leave of this type, and keeps it
    /// that way until this one ends (P13).
    async fn lock_account(&mut self, employee: EmployeeId, leave_type: LeaveTypeId)
    -> Result<(), StoreError>;
    /// The same for many accounts, with few statements.
    async fn lock_accounts(&mut self, accounts: &[(EmployeeId, LeaveTypeId)]) -> Result<(), StoreError>;
    /// How often accounts of some employees were locked by units of work that ended well, or by this one. Those that never were
    /// are absent.
    async fn locked(
        &mut self,
        employees: &[EmployeeId],
    ) -> Result<HashMap<(EmployeeId, LeaveTypeId), i64>, StoreError>;
    /// The days of opening balances of some employees' accounts, with few statements.
    async fn opened(&mut self, employees: &[EmployeeId]) -> Result<Vec<OpenedAccount>, StoreError>;
    /// Writes from when on accounts count; they must be locked.
    async fn open_accounts(&mut self, accounts: &[OpenedAccount]) -> Result<(), StoreError>;
    /// A lot.
    async fn lot(&mut self, id: LeaveLotId) -> Result<Option<LeaveLot>, StoreError>;
    /// The lots of an employee, of one type or of all.
    async fn lots(
        &mut self,
        employee: EmployeeId,
        leave_type: Option<LeaveTypeId>,
    ) -> Result<Vec<LeaveLot>, StoreError>;
    /// The postings of an employee, of one type or of all, in the order of posting.
    async fn postings(
        &mut self,
        employee: EmployeeId,
        leave_type: Option<LeaveTypeId>,
    ) -> Result<Vec<LeavePosting>, StoreError>;
    /// The lots of many employees, with few statements.
    async fn lots_of(&mut self, employees: &[EmployeeId]) -> Result<Vec<LeaveLot>, StoreError>;
    /// The postings of many employees, in the order of posting, with few statements.
    async fn postings_of(&mut self, employees: &[EmployeeId]) -> Result<Vec<LeavePosting>, StoreError>;
    /// Adds lots; `leave_lot_plan_key` lets a leave policy write each of its lots once.
    async fn insert_lots(&mut self, lots: &[LeaveLot]) -> Result<(), StoreError>;
    /// Adds postings; `leave_posting_undone_once` lets a posting be undone once. Each is written with the last day that is closed
    /// for its kind of leave, whatever it says itself, and nobody closes a period until this unit of work ends.
    async fn append(&mut self, postings: &[LeavePosting]) -> Result<(), StoreError>;
}
