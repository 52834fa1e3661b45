//! One struct is every repository: one `impl` block per feature, in the feature's file.

pub(crate) mod api_key;
mod approval;
pub(crate) mod audit;
mod calendar_feed;
mod coverage;
mod credential;
mod department;
mod designation;
mod email_change;
mod employee;
mod employment;
mod event;
mod event_consumer;
mod holiday;
mod idempotency;
mod identity;
mod import;
mod invitation;
mod job;
mod leave;
mod location;
mod membership;
mod notification;
mod operator;
mod org_chart;
mod organization;
mod policy;
mod purge;
mod role;
mod schedule;
mod service_account;
mod support;
mod user;
mod visibility;
mod webhook;
mod work_pattern;

use async_trait::async_trait;

use hrms_core::api_key::ApiKeyRepo;
use hrms_core::approval::{ApprovalChainRepo, ApprovalDelegationRepo, ApprovalRepo};
use hrms_core::audit::AuditLog;
use hrms_core::calendar_feed::CalendarFeedRepo;
use hrms_core::department::DepartmentRepo;
use hrms_core::designation::DesignationRepo;
use hrms_core::employee::{DetailRepo, EmployeeRepo};
use hrms_core::employment::EmploymentRepo;
use hrms_core::event::{EventConsumers, EventLog};
use hrms_core::holiday::{HolidayChoiceRepo, HolidayRepo};
use hrms_core::idempotency::IdempotencyRepo;
use hrms_core::import::ImportRepo;
use hrms_core::invitation::InvitationRepo;
use hrms_core::job::JobQueue;
use hrms_core::leave::{
    CoverageRepo, LeaveClaimRepo, LeaveClosingRepo, LeaveLedger, LeavePolicyRepo, LeaveRequestRepo,
    LeaveTypeRepo, PayrollFactRepo,
};
use hrms_core::location::LocationRepo;
use hrms_core::notification::{
    NotificationChannelRepo, NotificationDeliveryRepo, NotificationRepo, NotificationSettingsRepo,
    NotificationTemplateRepo,
};
use hrms_core::org_chart::OrgChartRepo;
use hrms_core::organization::OrganizationRepo;
use hrms_core::policy::written::PolicyRepo;
use hrms_core::role::RoleRepo;
use hrms_core::schedule::ScheduleRepo;
use hrms_core::service_account::ServiceAccountRepo;
use hrms_core::support::SupportGrantRepo;
use hrms_core::user::UserRepo;
use hrms_core::webhook::{WebhookDeliveryRepo, WebhookRepo};
use hrms_core::work_pattern::WorkPatternRepo;
use hrms_core::{Period, StoreError, TenantId, Tx};

use crate::engine::Conn;
use crate::query::{Query, params};

/// A unit of work on one tenant.
#[derive(Debug)]
pub(crate) struct SqlTx {
    pub(crate) tenant: TenantId,
    pub(crate) conn: Conn,
}

#[async_trait]
impl Tx for SqlTx {
    fn organization(&mut self) -> &mut dyn OrganizationRepo {
        self
    }

    fn users(&mut self) -> &mut dyn UserRepo {
        self
    }

    fn policies(&mut self) -> &mut dyn PolicyRepo {
        self
    }

    fn roles(&mut self) -> &mut dyn RoleRepo {
        self
    }

    fn service_accounts(&mut self) -> &mut dyn ServiceAccountRepo {
        self
    }

    fn api_keys(&mut self) -> &mut dyn ApiKeyRepo {
        self
    }

    fn invitations(&mut self) -> &mut dyn InvitationRepo {
        self
    }

    fn locations(&mut self) -> &mut dyn LocationRepo {
        self
    }

    fn designations(&mut self) -> &mut dyn DesignationRepo {
        self
    }

    fn departments(&mut self) -> &mut dyn DepartmentRepo {
        self
    }

    fn employees(&mut self) -> &mut dyn EmployeeRepo {
        self
    }

    fn employee_details(&mut self) -> &mut dyn DetailRepo {
        self
    }

    fn employment(&mut self) -> &mut dyn EmploymentRepo {
        self
    }

    fn work_patterns(&mut self) -> &mut dyn WorkPatternRepo {
        self
    }

    fn approval_chains(&mut self) -> &mut dyn ApprovalChainRepo {
        self
    }

    fn approvals(&mut self) -> &mut dyn ApprovalRepo {
        self
    }

    fn approval_delegations(&mut self) -> &mut dyn ApprovalDelegationRepo {
        self
    }

    fn leave_types(&mut self) -> &mut dyn LeaveTypeRepo {
        self
    }

    fn leave_policies(&mut self) -> &mut dyn LeavePolicyRepo {
        self
    }

    fn leave_closings(&mut self) -> &mut dyn LeaveClosingRepo {
        self
    }

    fn leave_ledger(&mut self) -> &mut dyn LeaveLedger {
        self
    }

    fn leave_requests(&mut self) -> &mut dyn LeaveRequestRepo {
        self
    }

    fn leave_claims(&mut self) -> &mut dyn LeaveClaimRepo {
        self
    }

    fn payroll_facts(&mut self) -> &mut dyn PayrollFactRepo {
        self
    }

    fn holidays(&mut self) -> &mut dyn HolidayRepo {
        self
    }

    fn holiday_choices(&mut self) -> &mut dyn HolidayChoiceRepo {
        self
    }

    fn coverage(&mut self) -> &mut dyn CoverageRepo {
        self
    }

    fn calendar_feeds(&mut self) -> &mut dyn CalendarFeedRepo {
        self
    }

    fn org_chart(&mut self) -> &mut dyn OrgChartRepo {
        self
    }

    fn events(&mut self) -> &mut dyn EventLog {
        self
    }

    fn event_consumers(&mut self) -> &mut dyn EventConsumers {
        self
    }

    fn audit(&mut self) -> &mut dyn AuditLog {
        self
    }

    fn idempotency(&mut self) -> &mut dyn IdempotencyRepo {
        self
    }

    fn jobs(&mut self) -> &mut dyn JobQueue {
        self
    }

    fn schedules(&mut self) -> &mut dyn ScheduleRepo {
        self
    }

    fn webhooks(&mut self) -> &mut dyn WebhookRepo {
        self
    }

    fn webhook_deliveries(&mut self) -> &mut dyn WebhookDeliveryRepo {
        self
    }

    fn notifications(&mut self) -> &mut dyn NotificationRepo {
        self
    }

    fn notification_settings(&mut self) -> &mut dyn NotificationSettingsRepo {
        self
    }

    fn notification_deliveries(&mut self) -> &mut dyn NotificationDeliveryRepo {
        self
    }

    fn notification_channels(&mut self) -> &mut dyn NotificationChannelRepo {
        self
    }

    fn notification_templates(&mut self) -> &mut dyn NotificationTemplateRepo {
        self
    }

    fn imports(&mut self) -> &mut dyn ImportRepo {
        self
    }

    fn support_grants(&mut self) -> &mut dyn SupportGrantRepo {
        self
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.conn.commit().await
    }
}

/// A stored value that can't be read back.
fn corrupt(table: &'static str, what: impl ToString) -> StoreError {
    StoreError::Corrupt { table, what: what.to_string() }
}

impl SqlTx {
    /// Waits for, and keeps until we end, one of the tenant's named locks.
    ///
    /// On PostgreSQL the counter's row is locked by the write; SQLite has one writer anyway.
    async fn lock(&mut self, name: &'static str) -> Result<(), StoreError> {
        self.conn
            .execute(
                "INSERT INTO tenant_counter (tenant_id, name, value) VALUES ($1, $2, 1) \
                 ON CONFLICT (tenant_id, name) DO UPDATE SET value = tenant_counter.value + 1",
                params![self.tenant, name],
            )
            .await?;
        Ok(())
    }

    /// Waits until nobody has one of the tenant's named locks, and keeps it that way until we end. Others may do so, too.
    async fn hold(&mut self, name: &'static str) -> Result<(), StoreError> {
        if let Conn::Sqlite(..) = self.conn {
            return Ok(());
        }
        self.conn
            .execute(
                "INSERT INTO tenant_counter (tenant_id, name, value) VALUES ($1, $2, 0) \
                 ON CONFLICT (tenant_id, name) DO NOTHING",
                params![self.tenant, name],
            )
            .await?;
        let mut query = Query::new("SELECT value FROM tenant_counter WHERE tenant_id = ");
        query.bind(self.tenant).push(" AND name = ").bind(name).push(self.conn.for_share());
        query.optional::<(i64,)>(&mut self.conn).await?;
        Ok(())
    }
}

/// A stored half-open period.
fn period(
    table: &'static str,
    from: jiff_sqlx::Date,
    to: Option<jiff_sqlx::Date>,
) -> Result<Period, StoreError> {
    let (from, to) = (from.to_jiff(), to.map(jiff_sqlx::Date::to_jiff));
    Period::new(from, to).ok_or_else(|| corrupt(table, format!("period {from} to {to:?}")))
}
