//! What storage must offer: a unit of work bound to one tenant, and a small surface across tenants.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::api_key::ApiKeyRepo;
use crate::approval::{ApprovalChainRepo, ApprovalDelegationRepo, ApprovalRepo};
use crate::audit::{AuditDirectory, AuditLog};
use crate::calendar_feed::CalendarFeedRepo;
use crate::department::DepartmentRepo;
use crate::designation::DesignationRepo;
use crate::employee::{DetailRepo, EmployeeRepo};
use crate::employment::EmploymentRepo;
use crate::error::StoreError;
use crate::event::{EventConsumers, EventDirectory, EventLog};
use crate::holiday::{HolidayChoiceRepo, HolidayRepo};
use crate::id::TenantId;
use crate::idempotency::IdempotencyRepo;
use crate::identity::{CredentialDirectory, EmailChangeDirectory, IdentityDirectory};
use crate::import::ImportRepo;
use crate::invitation::InvitationRepo;
use crate::job::{JobDirectory, JobQueue};
use crate::leave::{
    CoverageRepo, LeaveClaimRepo, LeaveClosingRepo, LeaveLedger, LeavePolicyRepo, LeaveRequestRepo,
    LeaveTypeRepo, PayrollFactRepo,
};
use crate::location::LocationRepo;
use crate::membership::MembershipDirectory;
use crate::notification::{
    NotificationChannelRepo, NotificationDeliveryRepo, NotificationDirectory, NotificationRepo,
    NotificationSettingsRepo, NotificationTemplateRepo,
};
use crate::operator::OperatorDirectory;
use crate::org_chart::OrgChartRepo;
use crate::organization::{OrganizationDirectory, OrganizationRepo};
use crate::policy::written::PolicyRepo;
use crate::role::RoleRepo;
use crate::schedule::ScheduleRepo;
use crate::service_account::ServiceAccountRepo;
use crate::support::SupportGrantRepo;
use crate::user::UserRepo;
use crate::webhook::{WebhookDeliveryRepo, WebhookDirectory, WebhookRepo};
use crate::work_pattern::WorkPatternRepo;

/// Counts the changes of one row; what `ETag` and `If-Match` carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(value_type = i64))]
#[serde(transparent)]
pub struct Version(i64);

impl Version {
    /// The version of a new row.
    pub const FIRST: Self = Self(1);

    /// Wraps a stored version.
    #[must_use]
    pub const fn from_i64(version: i64) -> Self {
        Self(version)
    }

    /// The number, for stores.
    #[must_use]
    pub const fn as_i64(self) -> i64 {
        self.0
    }

    /// The version after one more change.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A thing whose changes are counted.
pub trait Versioned {
    /// The version that was read.
    fn version(&self) -> Version;
}

/// Opens units of work, each bound to one tenant.
#[async_trait]
pub trait Store: Send + Sync {
    /// Opens a unit of work that sees one tenant and no other. Dropping it undoes it.
    async fn begin(&self, tenant: TenantId) -> Result<Box<dyn Tx>, StoreError>;

    /// Opens a read-only unit of work on one tenant: one consistent snapshot; writes fail.
    async fn read(&self, tenant: TenantId) -> Result<Box<dyn Tx>, StoreError>;
}

/// A unit of work on one tenant. Every repository sees what the others wrote.
#[async_trait]
pub trait Tx: Send {
    /// The tenant's own row.
    fn organization(&mut self) -> &mut dyn OrganizationRepo;
    /// Who can log in.
    fn users(&mut self) -> &mut dyn UserRepo;
    /// Policies that the organisation wrote.
    fn policies(&mut self) -> &mut dyn PolicyRepo;
    /// The organisation's own roles.
    fn roles(&mut self) -> &mut dyn RoleRepo;
    /// The organisation's programs.
    fn service_accounts(&mut self) -> &mut dyn ServiceAccountRepo;
    /// The keys of its programs.
    fn api_keys(&mut self) -> &mut dyn ApiKeyRepo;
    /// Who is invited.
    fn invitations(&mut self) -> &mut dyn InvitationRepo;
    /// Workplaces.
    fn locations(&mut self) -> &mut dyn LocationRepo;
    /// Job titles.
    fn designations(&mut self) -> &mut dyn DesignationRepo;
    /// The department tree and its heads.
    fn departments(&mut self) -> &mut dyn DepartmentRepo;
    /// Employees.
    fn employees(&mut self) -> &mut dyn EmployeeRepo;
    /// Groups of employees' data with permissions of their own.
    fn employee_details(&mut self) -> &mut dyn DetailRepo;
    /// Employment records.
    fn employment(&mut self) -> &mut dyn EmploymentRepo;
    /// Working patterns, and who has which when.
    fn work_patterns(&mut self) -> &mut dyn WorkPatternRepo;
    /// Who decides on what, in which order.
    fn approval_chains(&mut self) -> &mut dyn ApprovalChainRepo;
    /// What waits for decisions.
    fn approvals(&mut self) -> &mut dyn ApprovalRepo;
    /// Who decides in whose place when.
    fn approval_delegations(&mut self) -> &mut dyn ApprovalDelegationRepo;
    /// Kinds of leave.
    fn leave_types(&mut self) -> &mut dyn LeaveTypeRepo;
    /// Leave policies and who has which.
    fn leave_policies(&mut self) -> &mut dyn LeavePolicyRepo;
    /// Leave lots and their postings.
    fn leave_ledger(&mut self) -> &mut dyn LeaveLedger;
    /// Closed periods of leave.
    fn leave_closings(&mut self) -> &mut dyn LeaveClosingRepo;
    /// Requests for leave.
    fn leave_requests(&mut self) -> &mut dyn LeaveRequestRepo;
    /// What employees claim that isn't time off.
    fn leave_claims(&mut self) -> &mut dyn LeaveClaimRepo;
    /// What payroll has to know of leave.
    fn payroll_facts(&mut self) -> &mut dyn PayrollFactRepo;
    /// Holiday calendars, and which locations have which.
    fn holidays(&mut self) -> &mut dyn HolidayRepo;
    /// Choices of restricted holidays.
    fn holiday_choices(&mut self) -> &mut dyn HolidayChoiceRepo;
    /// How many people have to be there.
    fn coverage(&mut self) -> &mut dyn CoverageRepo;
    /// Feeds for calendar programs.
    fn calendar_feeds(&mut self) -> &mut dyn CalendarFeedRepo;
    /// The org chart.
    fn org_chart(&mut self) -> &mut dyn OrgChartRepo;
    /// The log of domain events: written if and only if we commit.
    fn events(&mut self) -> &mut dyn EventLog;
    /// How far consumers have come in the log of events.
    fn event_consumers(&mut self) -> &mut dyn EventConsumers;
    /// The audit log: written if and only if we commit.
    fn audit(&mut self) -> &mut dyn AuditLog;
    /// Answers kept for repeated requests.
    fn idempotency(&mut self) -> &mut dyn IdempotencyRepo;
    /// Background jobs: enqueued if and only if we commit.
    fn jobs(&mut self) -> &mut dyn JobQueue;
    /// What is to happen again and again.
    fn schedules(&mut self) -> &mut dyn ScheduleRepo;
    /// Endpoints that events are sent to.
    fn webhooks(&mut self) -> &mut dyn WebhookRepo;
    /// What is, or was, sent to them.
    fn webhook_deliveries(&mut self) -> &mut dyn WebhookDeliveryRepo;
    /// What people were told.
    fn notifications(&mut self) -> &mut dyn NotificationRepo;
    /// How they want to be told.
    fn notification_settings(&mut self) -> &mut dyn NotificationSettingsRepo;
    /// What is, or was, sent to them.
    fn notification_deliveries(&mut self) -> &mut dyn NotificationDeliveryRepo;
    /// The organisation's own ways to tell people.
    fn notification_channels(&mut self) -> &mut dyn NotificationChannelRepo;
    /// The organisation's own texts of what people are told.
    fn notification_templates(&mut self) -> &mut dyn NotificationTemplateRepo;
    /// Imports and their files.
    fn imports(&mut self) -> &mut dyn ImportRepo;

    /// Access of operators of the service.
    fn support_grants(&mut self) -> &mut dyn SupportGrantRepo;

    /// Makes the work durable and visible.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;
}

/// What crosses tenants: the registry of organisations, log-in, claiming jobs. Nothing else.
pub trait Directory:
    OrganizationDirectory
    + JobDirectory
    + IdentityDirectory
    + CredentialDirectory
    + EmailChangeDirectory
    + MembershipDirectory
    + OperatorDirectory
    + AuditDirectory
    + EventDirectory
    + WebhookDirectory
    + NotificationDirectory
{
}

impl<T> Directory for T where
    T: OrganizationDirectory
        + JobDirectory
        + IdentityDirectory
        + CredentialDirectory
        + EmailChangeDirectory
        + MembershipDirectory
        + OperatorDirectory
        + AuditDirectory
        + EventDirectory
        + WebhookDirectory
        + NotificationDirectory
{
}
